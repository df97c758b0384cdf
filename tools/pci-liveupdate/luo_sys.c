// SPDX-License-Identifier: GPL-2.0
/*
 * System calls to the Live Update Orchestrator and to VFIO. A test replaces this file
 * with a model of the kernel.
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
 * Don't repeat this on EINTR: LUO returns the error of a failed retrieve again. No
 * signal has a handler in this program, see hold.c.
 *
 * Return: 0, or a negative errno.
 */
int luo_sys_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) ? -errno : 0;
}
