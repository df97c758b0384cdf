// SPDX-License-Identifier: GPL-2.0
/*
 * Run a program that takes over files, by the convention of systemd: descriptors from
 * 3 on, which environment variables count and name.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pci-liveupdate.h"

/* SD_LISTEN_FDS_START of systemd */
#define FIRST_FD	3

#define SESSION_NAME	"session"

/* A colon separates names, so it cannot be in an address. */
static size_t name_format(char *text, pci_ser_key_t address)
{
	size_t size = 0;
	char *colon;

	text[size++] = ':';
	size += address_format(text + size, address);
	for (colon = text + 1; (colon = strchr(colon, ':')); )
		*colon = '-';

	return size;
}

static void set_variable(const char *name, long long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", value);
	setenv(name, text, 1);
}

static bool move_files(int *fds, int nr)
{
	int i;

	/* A file may have the number that another one must get */
	for (i = 0; i < nr; i++) {
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FIRST_FD + nr);
		if (fds[i] < 0)
			return false;
	}
	for (i = 0; i < nr; i++)
		if (dup2(fds[i], FIRST_FD + i) < 0)
			return false;

	return true;
}

/**
 * command_execute - Become another program, which takes over a session.
 * @argv:    The program and its arguments.
 * @session: The session.
 * @list:    Functions, of which some have files.
 *
 * Return: Only a status with a printed error.
 */
enum status command_execute(char **argv, int session,
			    const struct function_list *list)
{
	char *names = memory_resize(NULL, sizeof(SESSION_NAME) +
				    list->nr * ADDRESS_SIZE, sizeof(*names));
	int *fds = memory_resize(NULL, list->nr + 1, sizeof(*fds)), nr = 0;
	enum status status;
	size_t size, i;

	size = sprintf(names, SESSION_NAME);
	fds[nr++] = session;
	for (i = 0; i < list->nr; i++) {
		if (list->items[i].fd < 0)
			continue;
		size += name_format(names + size, list->items[i].address);
		fds[nr++] = list->items[i].fd;
	}

	if (move_files(fds, nr)) {
		set_variable("LISTEN_PID", getpid());
		set_variable("LISTEN_FDS", nr);
		setenv("LISTEN_FDNAMES", names, 1);
		fflush(stdout);
		stop_exit();
		execvp(*argv, argv);
	}
	status = fail(STATUS_ENVIRONMENT, "%s cannot be run: %s", *argv,
		      strerror(errno));
	free(names);
	free(fds);

	return status;
}
