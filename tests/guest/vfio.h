/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls of VFIO for the programs of the scenarios. A call that fails ends the program,
 * unless its name begins with vfio_try_: that returns 0, or -errno.
 */
#ifndef _GUEST_VFIO_H
#define _GUEST_VFIO_H

#include <linux/types.h>
#include <stddef.h>

int vfio_open(const char *address);
int vfio_try_open(const char *address);
int vfio_try_open_group(const char *address);
int vfio_try_bind(int fd);
int vfio_try_bind_to(int fd, int iommufd);
int vfio_bind(int fd);
__u32 vfio_attach(int fd, int iommufd);
void vfio_map_dma(int iommufd, __u32 ioas, const void *at, size_t size, __u64 iova);
void *vfio_map_bar(int fd, int bar, size_t size);
void vfio_read_config(int fd, int offset, void *data, size_t size);
void vfio_write_config(int fd, int offset, const void *data, size_t size);
int vfio_try_write_config(int fd, int offset, const void *data, size_t size);
int vfio_try_reset(int fd);
int vfio_try_interrupt(int fd, int index, int event);
void vfio_unmask_intx(int fd);

#endif /* _GUEST_VFIO_H */
