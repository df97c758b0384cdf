// SPDX-License-Identifier: GPL-2.0
/*
 * The system calls that reach the Live Update Orchestrator. They stand apart
 * so that a test can put a model of the kernel in their place.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "pci-liveupdate.h"

/* Return: A file descriptor, or a negative errno. */
int luo_sys_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/*
 * Never repeated on EINTR: the error of a retrieve sticks, so this would not
 * end. No signal has a handler in this program, see hold.c.
 *
 * Return: 0, or a negative errno.
 */
int luo_sys_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) ? -errno : 0;
}
