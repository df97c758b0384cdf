// SPDX-License-Identifier: GPL-2.0
/*
 * One file in a LUO session, and how long each call took: lines "NAME NS".
 *
 * luo-file preserve SESSION PATH: a process in the background holds the session.
 * luo-file finish SESSION: retrieve the file, and finish the session.
 * luo-file abandon SESSION: fail to retrieve the file, and finish the session.
 * luo-file churn SESSION PATH...: make the session, preserve the files with tokens from 1,
 * and close the session, over and over until the process is killed.
 * luo-file tokens SESSION COUNT: print those tokens from 1 to COUNT whose files can be
 * retrieved, and finish the session.
 * luo-file kexec: have the kernel run the next one, loaded or not.
 * luo-file memfd COUNT: the time of LUO itself for a file, with memfds of one page.
 */

#define _GNU_SOURCE

#include <err.h>
#include <errno.h>
#include <linux/liveupdate.h>
#include <linux/reboot.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "luo.h"

#define TOKEN	1

static void say(const char *name, __u64 ns)
{
	printf("%s %llu\n", name, (unsigned long long)ns);
}

static int preserve_file(const char *name, const char *path)
{
	int session = luo_create_session(name);

	say("preserve", luo_preserve_fd(session, open_file(path), TOKEN));
	fflush(stdout);
	/* The kernel takes it all back when the session is closed. */
	if (daemon(0, 0))
		err(1, "daemon");
	for (;;)
		pause();
}

static int finish_file(const char *name, bool retrieve)
{
	int session = luo_retrieve_session(name);
	struct liveupdate_session_retrieve_fd file = {
		.size = sizeof(file), .token = TOKEN,
	};

	if (retrieve)
		say("retrieve", luo_call(session, LIVEUPDATE_SESSION_RETRIEVE_FD,
					 &file, "retrieve the file"));
	else if (!ioctl(session, LIVEUPDATE_SESSION_RETRIEVE_FD, &file))
		errx(1, "the file was retrieved");
	say("finish", luo_finish_session(session));
	return 0;
}

static void churn(const char *name, int count, char **paths)
{
	for (;;) {
		int session = luo_create_session(name);

		for (int i = 0; i < count; i++) {
			int fd = open_file(paths[i]);

			luo_preserve_fd(session, fd, TOKEN + i);
			close(fd);
		}
		close(session);
	}
}

static int print_tokens(const char *name, int count)
{
	int session = luo_retrieve_session(name);

	for (int token = TOKEN; token < TOKEN + count; token++) {
		int fd = luo_try_retrieve_fd(session, token);

		if (fd >= 0)
			printf("%d\n", token);
		else if (fd != -ENOENT)
			errx(1, "token %d: %s", token, strerror(-fd));
	}
	luo_finish_session(session);
	return 0;
}

static int run_kexec(void)
{
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
		LINUX_REBOOT_CMD_KEXEC, NULL);
	err(1, "kexec");
}

static int memfds(int count)
{
	int session = luo_create_session("memfd");
	__u64 ns = 0;

	for (int i = 0; i < count; i++) {
		int fd = memfd_create("scale", 0);

		if (fd < 0 || ftruncate(fd, PAGE) || pwrite(fd, "", 1, 0) != 1)
			err(1, "memfd");
		ns += luo_preserve_fd(session, fd, i);
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
	if (argc > 3 && !strcmp(argv[1], "churn"))
		churn(argv[2], argc - 3, argv + 3);
	if (argc == 4 && !strcmp(argv[1], "tokens"))
		return print_tokens(argv[2], atoi(argv[3]));
	if (argc == 2 && !strcmp(argv[1], "kexec"))
		return run_kexec();
	if (argc == 3 && !strcmp(argv[1], "memfd"))
		return memfds(atoi(argv[2]));
	errx(2, "usage: luo-file preserve SESSION PATH | finish|abandon SESSION |\n"
	     "       churn SESSION PATH... | tokens SESSION COUNT | kexec | memfd COUNT");
}
