// SPDX-License-Identifier: GPL-2.0
/*
 * Calls of VFIO for the programs of the scenarios.
 */

#define _GNU_SOURCE

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "luo.h"
#include "vfio.h"

/* The path of the cdev of a function, if that is bound to vfio-pci. */
static bool find_cdev(const char *address, char *path, size_t size)
{
	char pattern[128];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "/sys/bus/pci/devices/%s/vfio-dev/*", address);
	if (glob(pattern, 0, NULL, &found))
		return false;
	snprintf(path, size, "/dev/vfio/devices/%s", strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
	return true;
}

int vfio_try_open(const char *address)
{
	char path[300];
	int fd;

	if (!find_cdev(address, path, sizeof(path)))
		return -ENODEV;
	fd = open(path, O_RDWR);
	return fd < 0 ? -errno : fd;
}

int vfio_open(const char *address)
{
	int fd = vfio_try_open(address);

	if (fd < 0)
		errx(1, "open the cdev of %s: %s", address, strerror(-fd));
	return fd;
}

/* The group has another number than the device. */
int vfio_try_open_group(const char *address)
{
	char link[128], path[300];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", address);
	length = readlink(path, link, sizeof(link) - 1);
	if (length < 0)
		err(1, "%s", path);
	link[length] = 0;
	snprintf(path, sizeof(path), "/dev/vfio/noiommu-%s", strrchr(link, '/') + 1);
	fd = open(path, O_RDWR);
	if (fd < 0 && errno == ENOENT) {
		snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(link, '/') + 1);
		fd = open(path, O_RDWR);
	}
	return fd < 0 ? -errno : fd;
}

static void parse_uuid(const char *text, __u8 *uuid)
{
	for (int i = 0; i < 16; text += 2, i++) {
		text += *text == '-';
		if (sscanf(text, "%2hhx", &uuid[i]) != 1)
			errx(2, "VF_TOKEN is not a UUID");
	}
}

/* With the token of VF_TOKEN. */
int vfio_try_bind_to(int fd, int iommufd)
{
	const char *token = getenv("VF_TOKEN");
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = iommufd,
	};
	__u8 uuid[16];

	if (token) {
		parse_uuid(token, uuid);
		bind.flags = VFIO_DEVICE_BIND_FLAG_TOKEN;
		bind.token_uuid_ptr = (uintptr_t)uuid;
	}
	return ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &bind) ? -errno : 0;
}

/* Bind the file to an iommufd of its own. */
int vfio_try_bind(int fd)
{
	return vfio_try_bind_to(fd, open_file("/dev/iommu"));
}

/*
 * A file that was retrieved may be bound: by a process that died. Returns the iommufd, or
 * -1 if that is not ours.
 */
int vfio_bind(int fd)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	int iommufd, error;

	if (!ioctl(fd, VFIO_DEVICE_GET_INFO, &info))
		return -1;

	iommufd = open_file("/dev/iommu");
	error = vfio_try_bind_to(fd, iommufd);
	if (error)
		errx(1, "bind the file to an iommufd: %s", strerror(-error));
	return iommufd;
}

/* Attach the device to an I/O address space of its own. */
__u32 vfio_attach(int fd, int iommufd)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };

	luo_call(iommufd, IOMMU_IOAS_ALLOC, &ioas, "allocate an I/O address space");
	attach.pt_id = ioas.out_ioas_id;
	luo_call(fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach, "attach the device to it");
	return ioas.out_ioas_id;
}

void vfio_map_dma(int iommufd, __u32 ioas, const void *at, size_t size, __u64 iova)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = ioas,
		.user_va = (uintptr_t)at,
		.length = size,
		.iova = iova,
	};

	luo_call(iommufd, IOMMU_IOAS_MAP, &map, "map the memory for the device");
}

static __u64 region_offset(int fd, int index)
{
	struct vfio_region_info region = { .argsz = sizeof(region), .index = index };

	luo_call(fd, VFIO_DEVICE_GET_REGION_INFO, &region, "get the region");
	return region.offset;
}

void *vfio_map_bar(int fd, int bar, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			region_offset(fd, VFIO_PCI_BAR0_REGION_INDEX + bar));

	if (at == MAP_FAILED)
		err(1, "map BAR %d", bar);
	return at;
}

void vfio_read_config(int fd, int offset, void *data, size_t size)
{
	__u64 at = region_offset(fd, VFIO_PCI_CONFIG_REGION_INDEX) + offset;

	if (pread(fd, data, size, at) != (ssize_t)size)
		err(1, "read register %#x", offset);
}

int vfio_try_write_config(int fd, int offset, const void *data, size_t size)
{
	__u64 at = region_offset(fd, VFIO_PCI_CONFIG_REGION_INDEX) + offset;

	return pwrite(fd, data, size, at) == (ssize_t)size ? 0 : -errno;
}

void vfio_write_config(int fd, int offset, const void *data, size_t size)
{
	int error = vfio_try_write_config(fd, offset, data, size);

	if (error)
		errx(1, "write register %#x: %s", offset, strerror(-error));
}

int vfio_try_reset(int fd)
{
	return ioctl(fd, VFIO_DEVICE_RESET) ? -errno : 0;
}

/* An eventfd for the interrupt, or -1 to disable all interrupts of @index. */
int vfio_try_interrupt(int fd, int index, int event)
{
	struct {
		struct vfio_irq_set set;
		__s32 event;
	} irqs = {
		.set = {
			.argsz = sizeof(irqs),
			.index = index,
			.flags = VFIO_IRQ_SET_ACTION_TRIGGER,
		},
		.event = event,
	};

	if (event < 0) {
		irqs.set.flags |= VFIO_IRQ_SET_DATA_NONE;
	} else {
		irqs.set.flags |= VFIO_IRQ_SET_DATA_EVENTFD;
		irqs.set.count = 1;
	}
	return ioctl(fd, VFIO_DEVICE_SET_IRQS, &irqs) ? -errno : 0;
}

void vfio_unmask_intx(int fd)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.index = VFIO_PCI_INTX_IRQ_INDEX,
		.flags = VFIO_IRQ_SET_ACTION_UNMASK | VFIO_IRQ_SET_DATA_NONE,
		.count = 1,
	};

	luo_call(fd, VFIO_DEVICE_SET_IRQS, &set, "unmask INTx");
}
