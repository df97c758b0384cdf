// SPDX-License-Identifier: GPL-2.0
/*
 * Functions that are bound to vfio-pci. The kernel preserves a file of such a
 * function only if the file is bound to an iommufd. It stops the DMA of a running
 * function that is finished before its file is bound.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pci-liveupdate.h"

/* Line of a file of VFIO in /proc/self/fdinfo, before the path of its device */
#define SYSPATH		"vfio-device-syspath: "

/* Room for the path of a device */
#define FDINFO_SIZE	(PATH_MAX + 1024)

/**
 * vfio_mode - Get the mode of a function.
 * @address: Address of a function.
 *
 * Return: The mode, or NULL if the function is not bound to a vfio-pci that supports
 * live update.
 */
const char *vfio_mode(pci_ser_key_t address)
{
	static const char *const modes[] = { "running", "reset", VFIO_OFF };
	char path[PATH_MAX], text[ADDRESS_SIZE], mode[16] = "";
	size_t i;
	int fd;

	address_format(text, address);
	path_format(path, PCI_SYSFS "/devices/%s/" VFIO_MODE_FILE, text);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (read(fd, mode, sizeof(mode) - 1) < 0)
		*mode = '\0';
	close(fd);

	mode[strcspn(mode, "\n")] = '\0';
	for (i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		if (!strcmp(mode, modes[i]))
			return modes[i];

	return NULL;
}

/* Check the mode before the function is opened, and so reset. */
enum status vfio_check_mode(pci_ser_key_t address)
{
	const char *mode = vfio_mode(address);
	char path[PATH_MAX], text[ADDRESS_SIZE];

	if (!mode || strcmp(mode, VFIO_OFF))
		return STATUS_OK;

	address_format(text, address);
	path_format(path, PCI_SYSFS "/devices/%s/" VFIO_MODE_FILE, text);

	return fail(STATUS_ENVIRONMENT,
		    "%s cannot be preserved: the IOMMU that translates its DMA does not survive the kexec: 'echo reset > %s' lets the kernel reset it and preserve its file only, or boot without IOMMU translation",
		    text, path);
}

/* Find the device node of a function in sysfs. */
static bool find_node(const char *address, char *path)
{
	struct dirent *entry = NULL;
	DIR *dir;

	path_format(path, PCI_SYSFS "/devices/%s/vfio-dev", address);
	dir = opendir(path);
	if (!dir)
		return false;

	do
		entry = readdir(dir);
	while (entry && *entry->d_name == '.');
	if (entry)
		path_format(path, "/dev/vfio/devices/%s", entry->d_name);
	closedir(dir);

	return entry;
}

static enum status open_iommufd(int *iommufd)
{
	static int fd = -1;
	char path[PATH_MAX];

	path_format(path, "/dev/iommu");
	if (fd < 0)
		fd = luo_sys_open(path);
	*iommufd = fd;
	if (fd == -ENOENT || fd == -ENODEV)
		return fail(STATUS_ENVIRONMENT,
			    "no %s: the kernel is built without CONFIG_IOMMUFD, or its module is not loaded",
			    path);
	if (fd < 0)
		return fail(STATUS_ENVIRONMENT, "%s: %s", path, strerror(-fd));

	return STATUS_OK;
}

static bool is_bound(int fd)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	return !luo_sys_ioctl(fd, VFIO_DEVICE_GET_INFO, &info);
}

/**
 * vfio_bind - Bind the file of a function to the iommufd of this program.
 * @address: Address of the function.
 * @fd:      Its file. A file that is bound stays as it is.
 *
 * Return: STATUS_OK, or another status with a printed error.
 */
enum status vfio_bind(pci_ser_key_t address, int fd)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	char text[ADDRESS_SIZE];
	enum status status;
	int err;

	if (is_bound(fd))
		return STATUS_OK;

	status = open_iommufd(&bind.iommufd);
	if (status)
		return status;

	address_format(text, address);
	err = luo_sys_ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &bind);
	switch (err) {
	case 0:
		return STATUS_OK;
	case -EACCES:
		return fail(STATUS_ENVIRONMENT,
			    "%s needs the VF token of its PF, which is bound to vfio-pci: only the program that has this token can open it",
			    text);
	/* A device node is open, or the group */
	case -EINVAL:
	case -EBUSY:
		return fail(STATUS_ENVIRONMENT,
			    "%s is in use: the program that uses it must preserve it, or end",
			    text);
	}

	return fail(STATUS_ENVIRONMENT, "%s cannot be bound to an iommufd: %s: see the kernel log",
		    text, strerror(-err));
}

static enum status explain_open(const char *text, const char *path, int err)
{
	switch (err) {
	case -ENOENT:
		return fail(STATUS_ENVIRONMENT,
			    "no %s although %s is bound: mount devtmpfs on /dev",
			    path, text);
	case -EACCES:
	case -EPERM:
		return fail(STATUS_ENVIRONMENT, "%s: %s: run as root", path,
			    strerror(-err));
	case -EBUSY:
		return fail(STATUS_ENVIRONMENT,
			    "%s is preserved by the previous kernel: finish its session first",
			    text);
	}

	return fail(STATUS_ENVIRONMENT, "%s: %s", path, strerror(-err));
}

/**
 * vfio_open - Open and bind a function. The kernel resets it.
 * @address: Address of the function.
 * @fd:      Set to its file.
 *
 * Return: STATUS_OK, or another status with a printed error.
 */
enum status vfio_open(pci_ser_key_t address, int *fd)
{
	char path[PATH_MAX], text[ADDRESS_SIZE];
	enum status status;

	address_format(text, address);
	if (!find_node(text, path))
		return fail(STATUS_ENVIRONMENT,
			    "no device node of %s in /dev/vfio/devices: udev has not created it",
			    text);

	*fd = luo_sys_open(path);
	if (*fd < 0)
		return explain_open(text, path, *fd);

	status = vfio_bind(address, *fd);
	if (status)
		close(*fd);

	return status;
}

/* Get the address of the function that a file of VFIO belongs to. */
static bool fdinfo_parse(char *text, pci_ser_key_t *address)
{
	char *path = strstr(text, SYSPATH), *name;

	if (!path)
		return false;
	path[strcspn(path, "\n")] = '\0';
	name = strrchr(path, '/');

	return name && address_parse(name + 1, address);
}

/**
 * vfio_check_file - Check the file that the user of a function hands over.
 * @function: A function with a file.
 *
 * Return: STATUS_OK, or another status with a printed error.
 */
enum status vfio_check_file(const struct function *function)
{
	char text[ADDRESS_SIZE], other[ADDRESS_SIZE], info[FDINFO_SIZE];
	pci_ser_key_t address;
	int err;

	err = luo_sys_fdinfo(function->fd, info, sizeof(info));
	if (err)
		return fail(STATUS_ENVIRONMENT, "/proc/self/fdinfo/%d: %s",
			    function->fd, strerror(-err));

	address_format(text, function->address);
	if (!fdinfo_parse(info, &address))
		return fail(STATUS_ENVIRONMENT,
			    "descriptor %d is no VFIO file of %s",
			    function->fd, text);

	address_format(other, address);
	if (address != function->address)
		return fail(STATUS_ENVIRONMENT,
			    "descriptor %d is a file of %s, not of %s",
			    function->fd, other, text);
	if (!is_bound(function->fd))
		return fail(STATUS_ENVIRONMENT,
			    "descriptor %d is a file of %s, but not bound to an iommufd: its user must bind it first",
			    function->fd, text);

	return STATUS_OK;
}
