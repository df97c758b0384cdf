// SPDX-License-Identifier: GPL-2.0
/*
 * vfio-with ADDRESS COMMAND...: run COMMAND with open files for the tool: a new session
 * "user", a file of a function of vfio-pci that is bound to an iommufd, and a file of
 * the function that is not.
 */

#define _GNU_SOURCE

#include <err.h>
#include <fcntl.h>
#include <unistd.h>

#include "luo.h"
#include "vfio.h"

#define SESSION_FD	17
#define BOUND_FD	18
#define UNBOUND_FD	19

static void move(int fd, int to)
{
	if (dup2(fd, to) < 0)
		err(1, "descriptor %d", to);
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		errx(2, "usage: vfio-with ADDRESS COMMAND...");
	move(vfio_open(argv[1]), BOUND_FD);
	vfio_bind(BOUND_FD);
	move(vfio_open(argv[1]), UNBOUND_FD);
	move(luo_create_session("user"), SESSION_FD);
	execvp(argv[2], argv + 2);
	err(1, "%s", argv[2]);
}
