/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The bitmap_zalloc() of tools/include takes no GFP flags and cannot fail, and
 * there is no bitmap_weight_and().
 */
#ifndef _SHIM_LINUX_BITMAP_H
#define _SHIM_LINUX_BITMAP_H

#define bitmap_zalloc	tools_bitmap_zalloc
#define bitmap_free	tools_bitmap_free
#include_next <linux/bitmap.h>
#undef bitmap_zalloc
#undef bitmap_free

#include <linux/slab.h>

static inline unsigned long *bitmap_zalloc(unsigned int nbits, gfp_t flags)
{
	return kzalloc(bitmap_size(nbits), flags);
}

static inline void bitmap_free(const unsigned long *bitmap)
{
	kfree((void *)bitmap);
}

static inline unsigned long bitmap_weight_and(const unsigned long *src1,
					      const unsigned long *src2,
					      unsigned int nbits)
{
	unsigned long weight = 0;

	/* All bitmaps here end with a word. */
	for (unsigned int i = 0; i < BITS_TO_LONGS(nbits); i++)
		weight += hweight_long(src1[i] & src2[i]);
	return weight;
}

#endif /* _SHIM_LINUX_BITMAP_H */
