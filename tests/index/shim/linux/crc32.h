/* SPDX-License-Identifier: GPL-2.0 */
/* The functions of lib/crc/crc32-main.c; tools/include lacks the rest of this header. */
#ifndef _SHIM_LINUX_CRC32_H
#define _SHIM_LINUX_CRC32_H

#include <linux/types.h>

/* For the generated tables. */
#define ____cacheline_aligned	__attribute__((aligned(64)))

u32 crc32_le(u32 crc, const void *p, size_t len);
u32 crc32_be(u32 crc, const void *p, size_t len);
u32 crc32c(u32 crc, const void *p, size_t len);

#endif /* _SHIM_LINUX_CRC32_H */
