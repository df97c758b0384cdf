// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmark of the index of preserved PCI functions: the floor. One bitmap for all
 * segments, without a map from domain to segment, without counts, and without a
 * way to the next kernel. Atomic, so that it needs no lock.
 */

#include <stdlib.h>

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/kernel.h>

#include "bench.h"

#define SEGMENT_BITS	65536UL

struct bitmap_record {
	size_t size;
	unsigned long bits[];
};

static void *bitmap_create(const struct bench_trace *trace)
{
	size_t size = trace->nr_segments * SEGMENT_BITS / BITS_PER_BYTE;
	struct bitmap_record *record;

	/* Functions that do not exist may have segments of their own. */
	record = bench_alloc(sizeof(*record) + 2 * size);
	record->size = size;
	return record;
}

static __always_inline u64 bitmap_add(struct bitmap_record *record,
				      pci_ser_key_t key, u32 dev)
{
	set_bit(key, record->bits);
	return 1;
}

BENCH_ALL(bitmap_add);

static __always_inline u64 bitmap_remove(struct bitmap_record *record,
					 pci_ser_key_t key, u32 dev)
{
	clear_bit(key, record->bits);
	return 1;
}

BENCH_ALL(bitmap_remove);

static __always_inline u64 bitmap_contains(struct bitmap_record *record,
					   pci_ser_key_t key, u32 dev)
{
	return test_bit(key, record->bits);
}

BENCH_ALL(bitmap_contains);

static __always_inline u64 bitmap_any(struct bitmap_record *record,
				      pci_ser_key_t range, u32 dev)
{
	unsigned long base = PCI_SER_KEY_DOMAIN(range) * SEGMENT_BITS;
	unsigned long first = base + (BENCH_FIRST_BUS(range) << 8);
	unsigned long end = base + ((BENCH_LAST_BUS(range) + 1) << 8);

	return find_next_bit(record->bits, end, first) < end;
}

BENCH_ALL(bitmap_any);

static size_t bitmap_bytes(void *record)
{
	return ((struct bitmap_record *)record)->size;
}

const struct bench_contender bench_bitmap = {
	.name		= "bitmap",
	.create		= bitmap_create,
	.add		= bitmap_add_all,
	.remove		= bitmap_remove_all,
	.bytes		= bitmap_bytes,
	.contains	= bitmap_contains_all,
	.any		= bitmap_any_all,
	.finish		= bitmap_remove_all,
	.undo		= bitmap_add_all,
	.destroy	= free,
};
