// SPDX-License-Identifier: GPL-2.0
/*
 * One file in a LUO session, and how long each call took: lines "NAME NS".
 *
 * luo-file preserve SESSION PATH: a process in the background holds the session.
 * luo-file finish SESSION: retrieve the file, and finish the session.
 * luo-file abandon SESSION: fail to retrieve the file, and finish the session.
 * luo-file memfd COUNT: the time of LUO itself for a file, with memfds of one page.
 */

#define _GNU_SOURCE

#include <err.h>
#include <fcntl.h>
#include <linux/liveupdate.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define TOKEN	1
#define PAGE	4096

static __u64 now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Returns how long it took. */
static __u64 call(int fd, unsigned long request, void *arg, const char *what)
{
	__u64 start = now();

	if (ioctl(fd, request, arg))
		err(1, "%s", what);
	return now() - start;
}

static void say(const char *name, __u64 ns)
{
	printf("%s %llu\n", name, (unsigned long long)ns);
}

static int open_file(const char *path)
{
	int fd = open(path, O_RDWR);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static int create_session(const char *name)
{
	struct liveupdate_ioctl_create_session session = {
		.size = sizeof(session),
	};

	int luo = open_file("/dev/liveupdate");

	snprintf((char *)session.name, sizeof(session.name), "%s", name);
	call(luo, LIVEUPDATE_IOCTL_CREATE_SESSION, &session,
	     "create the session");
	/* Only one process can have it open, and this one may go on as a daemon. */
	close(luo);
	return session.fd;
}

static __u64 preserve_fd(int session, int fd, __u64 token)
{
	struct liveupdate_session_preserve_fd file = {
		.size = sizeof(file), .fd = fd, .token = token,
	};

	return call(session, LIVEUPDATE_SESSION_PRESERVE_FD, &file,
		    "preserve the file");
}

static int preserve_file(const char *name, const char *path)
{
	int session = create_session(name);

	say("preserve", preserve_fd(session, open_file(path), TOKEN));
	fflush(stdout);
	/* The kernel takes it all back when the session is closed. */
	if (daemon(0, 0))
		err(1, "daemon");
	for (;;)
		pause();
}

static int finish_file(const char *name, bool retrieve)
{
	struct liveupdate_ioctl_retrieve_session session = {
		.size = sizeof(session),
	};
	struct liveupdate_session_retrieve_fd file = {
		.size = sizeof(file), .token = TOKEN,
	};
	struct liveupdate_session_finish all = { .size = sizeof(all) };

	snprintf((char *)session.name, sizeof(session.name), "%s", name);
	call(open_file("/dev/liveupdate"), LIVEUPDATE_IOCTL_RETRIEVE_SESSION,
	     &session, "retrieve the session");
	if (retrieve)
		say("retrieve", call(session.fd, LIVEUPDATE_SESSION_RETRIEVE_FD,
				     &file, "retrieve the file"));
	else if (!ioctl(session.fd, LIVEUPDATE_SESSION_RETRIEVE_FD, &file))
		errx(1, "the file was retrieved");
	say("finish", call(session.fd, LIVEUPDATE_SESSION_FINISH, &all,
			   "finish the session"));
	return 0;
}

static int memfds(int count)
{
	int session = create_session("memfd");
	__u64 ns = 0;

	for (int i = 0; i < count; i++) {
		int fd = memfd_create("scale", 0);

		if (fd < 0 || ftruncate(fd, PAGE) || pwrite(fd, "", 1, 0) != 1)
			err(1, "memfd");
		ns += preserve_fd(session, fd, i);
		close(fd);
	}
	say("memfd", count ? ns / count : 0);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "preserve"))
		return preserve_file(argv[2], argv[3]);
	if (argc == 3 && !strcmp(argv[1], "finish"))
		return finish_file(argv[2], true);
	if (argc == 3 && !strcmp(argv[1], "abandon"))
		return finish_file(argv[2], false);
	if (argc == 3 && !strcmp(argv[1], "memfd"))
		return memfds(atoi(argv[2]));
	errx(2, "usage: luo-file preserve SESSION PATH | finish|abandon SESSION | memfd COUNT");
}
