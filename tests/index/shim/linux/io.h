/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_LINUX_IO_H
#define _SHIM_LINUX_IO_H

#include <linux/types.h>

static inline void *phys_to_virt(phys_addr_t phys)
{
	return (void *)phys;
}

static inline phys_addr_t virt_to_phys(const void *virt)
{
	return (phys_addr_t)virt;
}

#endif /* _SHIM_LINUX_IO_H */
