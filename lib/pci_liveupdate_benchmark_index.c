// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmark of the index of preserved PCI functions: the index itself.
 */

#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/kho/abi/pci.h>
#include <linux/types.h>

#include "../drivers/pci/liveupdate_index.h"
#include "pci_liveupdate_benchmark.h"

void *bench_index_create(const struct bench_trace *trace)
{
	struct pci_liveupdate_index *index = pci_liveupdate_index_create();

	return IS_ERR(index) ? NULL : index;
}

void bench_index_destroy(void *record)
{
	pci_liveupdate_index_destroy(record);
}

u64 bench_index_root(void *record)
{
	return pci_liveupdate_index_root_pa(record);
}

void *bench_index_restore(u64 root, const struct bench_trace *trace)
{
	struct pci_liveupdate_index *index;
	struct pci_liveupdate_damage damage;

	index = pci_liveupdate_index_restore(root, &damage);
	return IS_ERR(index) ? NULL : index;
}

size_t bench_index_size(void *record)
{
	return pci_liveupdate_index_size(record);
}

/* Somebody made it, which is not what is measured. */
static const struct pci_function_ser entries[4] = {
	{ .vendor = 0x8086, .device = 0x1572, .bar_shift = { 23, 0, 0, 15 } },
	{ .vendor = 0x144d, .device = 0xa824, .bar_shift = { 15 } },
	{ .vendor = 0x15b3, .device = 0x1017, .bar_shift = { 25 } },
	{ .vendor = 0x10de, .device = 0x20b5, .bar_shift = { 24, 36, 0, 25 } },
};

static __always_inline u64 index_preserve(void *record, pci_ser_key_t key, u32 dev)
{
	return !pci_liveupdate_index_add(record, key,
					 &entries[dev % ARRAY_SIZE(entries)]);
}

BENCH_ALL(index_preserve);

static __always_inline u64 index_finish(void *record, pci_ser_key_t key, u32 dev)
{
	struct pci_liveupdate_slot slot;

	if (!pci_liveupdate_index_find(record, key, &slot))
		return 0;

	pci_liveupdate_index_remove(record, &slot);
	return 1;
}

u64 bench_index_finish(void *record, const struct bench_calls *calls)
{
	return bench_each(record, calls, index_finish);
}

u64 bench_index_unpreserve(void *record, const struct bench_calls *calls)
{
	return bench_each(record, calls, index_finish);
}

static __always_inline u64 index_look_up(void *record, pci_ser_key_t key, u32 dev)
{
	struct pci_liveupdate_slot slot;

	return pci_liveupdate_index_find(record, key, &slot);
}

u64 bench_index_look_up(void *record, const struct bench_calls *calls)
{
	return bench_each(record, calls, index_look_up);
}

/* As enumeration does: find the function, and get its entry. */
static __always_inline u64 index_look_up_entry(void *record, pci_ser_key_t key, u32 dev)
{
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_slot slot;

	return pci_liveupdate_index_find(record, key, &slot) &&
	       !IS_ERR(pci_liveupdate_index_entry(record, &slot, &damage));
}

BENCH_ALL(index_look_up_entry);

static __always_inline u64 index_any(void *record, pci_ser_key_t range, u32 dev)
{
	return pci_liveupdate_index_any(record, PCI_SER_KEY_DOMAIN(range),
					BENCH_FIRST_BUS(range),
					BENCH_LAST_BUS(range));
}

u64 bench_index_any(void *record, const struct bench_calls *calls)
{
	return bench_each(record, calls, index_any);
}

const struct bench_contender bench_index = {
	.name		= "index",
	.create		= bench_index_create,
	.preserve	= index_preserve_all,
	.unpreserve	= bench_index_unpreserve,
	.root		= bench_index_root,
	.restore	= bench_index_restore,
	.look_up	= index_look_up_entry_all,
	.any		= bench_index_any,
	.finish		= bench_index_finish,
	.again		= index_preserve_all,
	.destroy	= bench_index_destroy,
	.size		= bench_index_size,
};
