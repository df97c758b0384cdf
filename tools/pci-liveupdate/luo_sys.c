// SPDX-License-Identifier: GPL-2.0
/*
 * System calls to the Live Update Orchestrator, to VFIO and to the PCI core. A test
 * replaces this file with a model of the kernel.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

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

/**
 * luo_sys_fdinfo - Read the kernel's description of an open file.
 * @fd:   File descriptor.
 * @text: Set to the text.
 * @size: Size of @text.
 *
 * Return: 0, or a negative errno.
 */
int luo_sys_fdinfo(int fd, char *text, size_t size)
{
	ssize_t len = -1;
	char path[64];
	int info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	if (info >= 0)
		len = read(info, text, size - 1);
	if (len < 0)
		len = -errno;
	else
		text[len] = '\0';
	if (info >= 0)
		close(info);

	return len < 0 ? len : 0;
}

/**
 * luo_sys_write - Write a request to a file of the kernel.
 * @path: Path of the file.
 * @text: The request.
 *
 * Return: 0, or a negative errno.
 */
int luo_sys_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);

	return err;
}
