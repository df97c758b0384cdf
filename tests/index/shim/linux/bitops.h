/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Helpers that tools/include lacks.
 */
#ifndef _SHIM_LINUX_BITOPS_H
#define _SHIM_LINUX_BITOPS_H

#include_next <linux/bitops.h>

#define __assign_bit(nr, addr, value) \
	((value) ? __set_bit((nr), (addr)) : __clear_bit((nr), (addr)))

#endif /* _SHIM_LINUX_BITOPS_H */
