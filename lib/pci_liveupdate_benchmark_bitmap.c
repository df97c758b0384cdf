// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmark of the index of preserved PCI functions: the floor. One bitmap for
 * all segments, without a map from domain to segment, without counts, and
 * without a way to the next kernel. Atomic, so that it needs no lock.
 */

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "pci_liveupdate_benchmark.h"

#define SEGMENT_BITS	65536UL

struct floor_record {
	size_t size;
	unsigned long *bits;
};

static void *floor_create(const struct bench_trace *trace)
{
	struct floor_record *record = bench_alloc(sizeof(*record));
	/* Those that are looked up in vain may have segments of their own. */
	unsigned long nr = trace->nr_segments * 2UL * SEGMENT_BITS;

	if (!record)
		return NULL;
	record->size = nr / BITS_PER_BYTE / 2;
	record->bits = bench_alloc(nr / BITS_PER_BYTE);
	if (!record->bits) {
		bench_free(record);
		return NULL;
	}
	memset(record->bits, 0, nr / BITS_PER_BYTE);
	return record;
}

static void floor_destroy(void *record)
{
	bench_free(((struct floor_record *)record)->bits);
	bench_free(record);
}

static __always_inline u64 floor_preserve(void *record, pci_ser_key_t key, u32 dev)
{
	set_bit(key, ((struct floor_record *)record)->bits);
	return 1;
}

BENCH_ALL(floor_preserve);

static __always_inline u64 floor_finish(void *record, pci_ser_key_t key, u32 dev)
{
	clear_bit(key, ((struct floor_record *)record)->bits);
	return 1;
}

BENCH_ALL(floor_finish);

static __always_inline u64 floor_look_up(void *record, pci_ser_key_t key, u32 dev)
{
	return test_bit(key, ((struct floor_record *)record)->bits);
}

BENCH_ALL(floor_look_up);

static __always_inline u64 floor_any(void *record, pci_ser_key_t range, u32 dev)
{
	unsigned long base = PCI_SER_KEY_DOMAIN(range) * SEGMENT_BITS;
	unsigned long first = base + (BENCH_FIRST_BUS(range) << 8);
	unsigned long end = base + ((BENCH_LAST_BUS(range) + 1) << 8);

	return find_next_bit(((struct floor_record *)record)->bits, end,
			     first) < end;
}

BENCH_ALL(floor_any);

static size_t floor_size(void *record)
{
	return ((struct floor_record *)record)->size;
}

const struct bench_contender bench_bitmap = {
	.name		= "bitmap",
	.create		= floor_create,
	.preserve	= floor_preserve_all,
	.unpreserve	= floor_finish_all,
	.look_up	= floor_look_up_all,
	.any		= floor_any_all,
	.finish		= floor_finish_all,
	.again		= floor_preserve_all,
	.destroy	= floor_destroy,
	.size		= floor_size,
};
