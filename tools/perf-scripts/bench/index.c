// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmark of the index of preserved PCI functions: the index, with the entry of
 * each function and without. Without entries it is a set, as the other contenders
 * are.
 */

#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/kho/abi/pci.h>
#include <linux/types.h>

#include "bench.h"
#include "liveupdate_index.h"

/*
 * pci_liveupdate_index_add() without the copy of the entry: the Makefile builds
 * this of the same source. The record is the same but for the contents of leaves.
 */
int bench_set_add(struct pci_liveupdate_index *index, pci_ser_key_t key,
		  const struct pci_function_ser *entry);

static const struct pci_function_ser entries[4] = {
	{ .vendor = 0x8086, .device = 0x1572, .bar_shift = { 23, 0, 0, 15 } },
	{ .vendor = 0x144d, .device = 0xa824, .bar_shift = { 15 } },
	{ .vendor = 0x15b3, .device = 0x1017, .bar_shift = { 25 } },
	{ .vendor = 0x10de, .device = 0x20b5, .bar_shift = { 24, 36, 0, 25 } },
};

static void *index_create(const struct bench_trace *trace)
{
	struct pci_liveupdate_index *index = pci_liveupdate_index_create();

	return IS_ERR(index) ? NULL : index;
}

static void index_destroy(void *index)
{
	pci_liveupdate_index_destroy(index);
}

static u64 index_hand_over(void *index)
{
	return pci_liveupdate_index_root_pa(index);
}

static void *index_restore(u64 root, const struct bench_trace *trace)
{
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;

	index = pci_liveupdate_index_restore(root, &damage);
	return IS_ERR(index) ? NULL : index;
}

static __always_inline u64 index_add(void *index, pci_ser_key_t key, u32 dev)
{
	return !pci_liveupdate_index_add(index, key,
					 &entries[dev % ARRAY_SIZE(entries)]);
}

BENCH_ALL(index_add);

static __always_inline u64 set_add(void *index, pci_ser_key_t key, u32 dev)
{
	return !bench_set_add(index, key, NULL);
}

BENCH_ALL(set_add);

static __always_inline u64 index_remove(void *index, pci_ser_key_t key, u32 dev)
{
	struct pci_liveupdate_slot slot;

	if (!pci_liveupdate_index_find(index, key, &slot))
		return 0;

	pci_liveupdate_index_remove(index, &slot);
	return 1;
}

BENCH_ALL(index_remove);

/* As enumeration does: find the function, and get its entry. */
static __always_inline u64 index_contains(void *index, pci_ser_key_t key, u32 dev)
{
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_slot slot;

	return pci_liveupdate_index_find(index, key, &slot) &&
	       !IS_ERR(pci_liveupdate_index_entry(index, &slot, &damage));
}

BENCH_ALL(index_contains);

static __always_inline u64 set_contains(void *index, pci_ser_key_t key, u32 dev)
{
	struct pci_liveupdate_slot slot;

	return pci_liveupdate_index_find(index, key, &slot);
}

BENCH_ALL(set_contains);

static __always_inline u64 index_any(void *index, pci_ser_key_t range, u32 dev)
{
	return pci_liveupdate_index_any(index, PCI_SER_KEY_DOMAIN(range),
					BENCH_FIRST_BUS(range),
					BENCH_LAST_BUS(range));
}

BENCH_ALL(index_any);

const struct bench_contender bench_index = {
	.name		= "index",
	.create		= index_create,
	.add		= index_add_all,
	.remove		= index_remove_all,
	.hand_over	= index_hand_over,
	.restore	= index_restore,
	.contains	= index_contains_all,
	.any		= index_any_all,
	.finish		= index_remove_all,
	.undo		= index_add_all,
	.destroy	= index_destroy,
};

const struct bench_contender bench_set = {
	.name		= "set",
	.create		= index_create,
	.add		= set_add_all,
	.remove		= index_remove_all,
	.hand_over	= index_hand_over,
	.restore	= index_restore,
	.contains	= set_contains_all,
	.any		= index_any_all,
	.finish		= index_remove_all,
	.undo		= set_add_all,
	.destroy	= index_destroy,
};
