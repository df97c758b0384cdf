// SPDX-License-Identifier: GPL-2.0
/*
 * Hold a session: the kernel releases a session when its file is closed, so a
 * process keeps it open until a signal.
 *
 * The signals that stop the program are blocked, and checked where stopping is
 * safe. They have no handlers, so they don't interrupt system calls.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pci-liveupdate.h"

static sigset_t stop_signals;
static bool stopped;

/* Return: Milliseconds of the monotonic clock. */
long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);

	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/*
 * Don't block ignored signals: nohup and shells that start background jobs set
 * them to be ignored.
 */
void stop_init(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM };
	struct sigaction action;
	size_t i;

	sigemptyset(&stop_signals);
	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		if (!sigaction(signals[i], NULL, &action) &&
		    action.sa_handler != SIG_IGN)
			sigaddset(&stop_signals, signals[i]);
	sigprocmask(SIG_BLOCK, &stop_signals, NULL);
}

/* Let signals end the program again, before it runs another one. */
void stop_exit(void)
{
	sigprocmask(SIG_UNBLOCK, &stop_signals, NULL);
}

/**
 * stop_wait - Wait until a signal asks the program to stop.
 * @timeout_ms: Timeout, or negative for none.
 *
 * Return: true if the program must stop; then also in later calls.
 */
bool stop_wait(int timeout_ms)
{
	struct timespec timeout = {
		.tv_sec = timeout_ms / 1000,
		.tv_nsec = timeout_ms % 1000 * 1000000L,
	};

	/* SIGSTOP and SIGCONT cause EINTR */
	while (!stopped) {
		if (sigtimedwait(&stop_signals, NULL,
				 timeout_ms < 0 ? NULL : &timeout) > 0)
			stopped = true;
		else if (errno == EAGAIN)
			break;
	}

	return stopped;
}

static enum status hold_in_background(pid_t *holder)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid;

	/* The holder must not keep a file system busy */
	if (null < 0 || chdir("/"))
		return fail(STATUS_ENVIRONMENT, "/dev/null or /: %s",
			    strerror(errno));

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return fail(STATUS_ENVIRONMENT,
			    "no process to hold the session: %s",
			    strerror(errno));
	if (!pid) {
		setsid();
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
	}
	close(null);
	*holder = pid ? pid : getpid();

	return STATUS_OK;
}

/**
 * hold_start - Begin to hold the session.
 * @holder: Set to the ID of the holder: this process, or with --background a child
 *          without output, which returns from this call as well.
 *
 * Return: STATUS_OK, or another status with a printed error.
 */
enum status hold_start(pid_t *holder)
{
	if (options.background)
		return hold_in_background(holder);

	*holder = getpid();

	return STATUS_OK;
}

/**
 * hold_wait - Hold the session until a signal.
 * @holder: The ID from hold_start().
 *
 * Return: true if this process held the session and must release it.
 */
bool hold_wait(pid_t holder)
{
	if (holder != getpid())
		return false;

	fflush(stdout);

	return stop_wait(-1);
}
