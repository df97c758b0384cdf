// SPDX-License-Identifier: GPL-2.0
/*
 * Sessions of the Live Update Orchestrator.
 */

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <linux/liveupdate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pci-liveupdate.h"

/*
 * Only one process can have the device open, and this program only has it open for
 * one ioctl. The first ioctl may load drivers, which takes seconds. Another program
 * keeps the device open if it is busy for longer than this.
 */
#define BUSY_TIMEOUT_MS		15000
#define BUSY_INTERVAL_MS	50

static enum status session_name_check(const char *name)
{
	const char *c;

	if (!*name)
		return fail(STATUS_USAGE, "the name of the session is empty");

	if (strlen(name) >= LIVEUPDATE_SESSION_NAME_LENGTH)
		return fail(STATUS_USAGE,
			    "the name of the session has %zu characters, %d is the most",
			    strlen(name), LIVEUPDATE_SESSION_NAME_LENGTH - 1);

	for (c = name; *c; c++)
		if (*c < ' ' || *c > '~')
			return fail(STATUS_USAGE,
				    "the name of the session '%s' has non-printable or non-ASCII characters",
				    name);

	return STATUS_OK;
}

static enum status device_open(int *fd)
{
	long long deadline = now_ms() + BUSY_TIMEOUT_MS;
	char path[PATH_MAX];

	path_format(path, "/dev/liveupdate");
	while ((*fd = luo_sys_open(path)) == -EBUSY && now_ms() < deadline)
		if (stop_wait(BUSY_INTERVAL_MS))
			return fail(STATUS_INCOMPLETE,
				    "stopped by a signal while %s was busy",
				    path);

	switch (*fd) {
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		return fail(STATUS_ENVIRONMENT,
			    "no %s: the kernel is built without CONFIG_LIVEUPDATE, or booted without kho=on liveupdate=on",
			    path);
	case -EACCES:
	case -EPERM:
		return fail(STATUS_ENVIRONMENT, "%s: %s: run as root", path,
			    strerror(-*fd));
	case -EBUSY:
		return fail(STATUS_ENVIRONMENT,
			    "%s is still busy after %d seconds: end the program that has it open",
			    path, BUSY_TIMEOUT_MS / 1000);
	}
	if (*fd < 0)
		return fail(STATUS_ENVIRONMENT, "%s: %s", path,
			    strerror(-*fd));

	return STATUS_OK;
}

/* The first ioctl reads all sessions of the previous kernel. */
static enum status sessions_unread(void)
{
	return fail(STATUS_REFUSED,
		    "the kernel cannot read the sessions of the previous kernel: see the kernel log and reboot");
}

/* The kernel looks for the token, which no file has, in an incoming session only. */
static bool session_is_incoming(int session)
{
	int fd = luo_retrieve_fd(session, MANIFEST_TOKEN - 1);

	if (fd >= 0)
		close(fd);

	return fd != -EINVAL;
}

/* Check the session that the parent holds. */
static enum status session_of_parent(const char *name, bool incoming,
				     int *session)
{
	struct liveupdate_session_get_name arg = { .size = sizeof(arg) };

	*session = options.session_fd;
	if (luo_sys_ioctl(*session, LIVEUPDATE_SESSION_GET_NAME, &arg))
		return fail(STATUS_ENVIRONMENT, "descriptor %d is no session",
			    *session);
	if (strcmp((char *)arg.name, name))
		return fail(STATUS_ENVIRONMENT,
			    "descriptor %d is session '%s', not '%s'",
			    *session, (char *)arg.name, name);
	if (session_is_incoming(*session) != incoming)
		return fail(STATUS_ENVIRONMENT,
			    "descriptor %d is a session %s", *session,
			    incoming ? "for the next kernel, which finishes it" :
			    "of the previous kernel: preserve needs a new one");

	return STATUS_OK;
}

/**
 * luo_create_session - Create a session for the next kernel.
 * @name:    Name of the session.
 * @session: Set to the file descriptor of the session, with --session-fd to that of
 *           the parent.
 *
 * Return: STATUS_OK, or another status with a printed error.
 */
enum status luo_create_session(const char *name, int *session)
{
	struct liveupdate_ioctl_create_session arg = { .size = sizeof(arg) };
	enum status status;
	int fd, err;

	if (options.session_fd >= 0)
		return session_of_parent(name, false, session);

	status = session_name_check(name);
	if (!status)
		status = device_open(&fd);
	if (status)
		return status;

	snprintf((char *)arg.name, sizeof(arg.name), "%s", name);
	err = luo_sys_ioctl(fd, LIVEUPDATE_IOCTL_CREATE_SESSION, &arg);
	close(fd);
	*session = arg.fd;
	switch (err) {
	case 0:
		return STATUS_OK;
	case -EEXIST:
		return fail(STATUS_REFUSED,
			    "session '%s' exists: choose another name, or end the program that holds it",
			    name);
	case -ENOSPC:
		return fail(STATUS_REFUSED,
			    "session '%s': the kernel has no room for another session",
			    name);
	case -EIO:
		return sessions_unread();
	}

	return fail(STATUS_REFUSED, "session '%s' cannot be created: %s", name,
		    strerror(-err));
}

/* Check if @link is that of the file of a session. */
static bool link_is_session(const char *link, const char *name)
{
	char target[PATH_MAX], expected[PATH_MAX];
	ssize_t len = readlink(link, target, sizeof(target) - 1);

	target[len < 0 ? 0 : len] = '\0';
	snprintf(expected, sizeof(expected), "anon_inode:[luo_session] %s", name);

	return !strcmp(target, expected);
}

/*
 * Find a process that holds a session, of this kernel or of the previous one. Return:
 * its ID, or 0 if there is none.
 */
static pid_t session_holder(const char *name)
{
	char pattern[PATH_MAX], *end;
	glob_t links = {};
	pid_t holder = 0;
	size_t i;

	path_format(pattern, "/proc/[0-9]*/fd/*");
	if (glob(pattern, GLOB_NOSORT, NULL, &links))
		return 0;

	for (i = 0; !holder && i < links.gl_pathc; i++) {
		end = links.gl_pathv[i] + strlen(options.root) + strlen("/proc/");
		if (link_is_session(links.gl_pathv[i], name))
			holder = strtol(end, NULL, 10);
	}
	globfree(&links);

	return holder;
}

/* The session is not one of the previous kernel, or a process holds it. */
static enum status session_unavailable(const char *name, bool held)
{
	pid_t holder = session_holder(name);

	if (held && holder)
		return fail(STATUS_REFUSED,
			    "session '%s' is held by process %d, which finishes it when it ends",
			    name, holder);
	if (held)
		return fail(STATUS_REFUSED,
			    "session '%s' is held by another program, which finishes it when it ends",
			    name);
	if (holder)
		return fail(STATUS_REFUSED,
			    "session '%s' is for the next kernel: process %d holds it, and releases its functions when it ends",
			    name, holder);

	return fail(STATUS_REFUSED,
		    "session '%s' not found: the previous kernel did not hand it over, or it is finished",
		    name);
}

/**
 * luo_retrieve_session - Take over a session of the previous kernel.
 * @name:    Name of the session.
 * @session: Set to the file descriptor of the session, with --session-fd to that of
 *           the parent.
 *
 * Return: STATUS_OK, or another status with a printed error.
 */
enum status luo_retrieve_session(const char *name, int *session)
{
	struct liveupdate_ioctl_retrieve_session arg = { .size = sizeof(arg) };
	enum status status;
	int fd, err;

	if (options.session_fd >= 0)
		return session_of_parent(name, true, session);

	status = session_name_check(name);
	if (!status)
		status = device_open(&fd);
	if (status)
		return status;

	snprintf((char *)arg.name, sizeof(arg.name), "%s", name);
	err = luo_sys_ioctl(fd, LIVEUPDATE_IOCTL_RETRIEVE_SESSION, &arg);
	close(fd);
	*session = arg.fd;
	switch (err) {
	case 0:
		return STATUS_OK;
	case -ENOENT:
	case -EINVAL:
		return session_unavailable(name, err == -EINVAL);
	case -EIO:
		return sessions_unread();
	}

	return fail(STATUS_REFUSED, "session '%s' cannot be retrieved: %s",
		    name, strerror(-err));
}

/* Return: 0, or a negative errno. */
int luo_preserve_fd(int session, int fd, __u64 token)
{
	struct liveupdate_session_preserve_fd arg = {
		.size = sizeof(arg),
		.fd = fd,
		.token = token,
	};

	return luo_sys_ioctl(session, LIVEUPDATE_SESSION_PRESERVE_FD, &arg);
}

/* Return: A file descriptor, or a negative errno. */
int luo_retrieve_fd(int session, __u64 token)
{
	struct liveupdate_session_retrieve_fd arg = {
		.size = sizeof(arg),
		.token = token,
	};
	int err;

	err = luo_sys_ioctl(session, LIVEUPDATE_SESSION_RETRIEVE_FD, &arg);

	return err ? err : arg.fd;
}

/* Return: 0, or a negative errno. */
int luo_finish(int session)
{
	struct liveupdate_session_finish arg = { .size = sizeof(arg) };

	return luo_sys_ioctl(session, LIVEUPDATE_SESSION_FINISH, &arg);
}
