/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the processor can count bits, the kernel patches the instruction in when
 * it boots. The benchmark is compiled for such a processor.
 */
#ifndef _SHIM_ARCH_HWEIGHT_H
#define _SHIM_ARCH_HWEIGHT_H

#ifdef __POPCNT__
#include <linux/types.h>

static inline unsigned int __arch_hweight32(unsigned int w)
{
	return __builtin_popcount(w);
}

static inline unsigned int __arch_hweight16(unsigned int w)
{
	return __builtin_popcount(w & 0xffff);
}

static inline unsigned int __arch_hweight8(unsigned int w)
{
	return __builtin_popcount(w & 0xff);
}

static inline unsigned long __arch_hweight64(__u64 w)
{
	return __builtin_popcountll(w);
}
#else
#include_next <asm-generic/bitops/arch_hweight.h>
#endif

#endif /* _SHIM_ARCH_HWEIGHT_H */
