// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmark of the index of preserved PCI functions: the index without entries,
 * since the other contenders keep none.
 *
 * This is the index, compiled once more under other names, as it adds functions
 * with static ones: all of pci_liveupdate_index_add() but the copy of the entry.
 */

#define pci_liveupdate_index_add		bench_set_index_add
#define pci_liveupdate_index_alloc_pages	bench_set_index_alloc_pages
#define pci_liveupdate_index_any		bench_set_index_any
#define pci_liveupdate_index_count_marked	bench_set_index_count_marked
#define pci_liveupdate_index_create		bench_set_index_create
#define pci_liveupdate_index_destroy		bench_set_index_destroy
#define pci_liveupdate_index_entry		bench_set_index_entry
#define pci_liveupdate_index_find		bench_set_index_find
#define pci_liveupdate_index_mark		bench_set_index_mark
#define pci_liveupdate_index_marked		bench_set_index_marked
#define pci_liveupdate_index_next		bench_set_index_next
#define pci_liveupdate_index_remove		bench_set_index_remove
#define pci_liveupdate_index_restore		bench_set_index_restore
#define pci_liveupdate_index_size		bench_set_index_size

#include "../drivers/pci/liveupdate_index.c"

#include "pci_liveupdate_benchmark.h"

/* pci_liveupdate_index_add() without the entry; as that, not inlined. */
static noinline bool set_add(struct pci_liveupdate_index *index,
			     pci_ser_key_t key)
{
	return !IS_ERR(index_set(index, key));
}

static __always_inline u64 set_preserve(void *record, pci_ser_key_t key,
					u32 dev)
{
	return set_add(record, key);
}

BENCH_ALL(set_preserve);

const struct bench_contender bench_set = {
	.name		= "set",
	.create		= bench_index_create,
	.preserve	= set_preserve_all,
	.unpreserve	= bench_index_unpreserve,
	.root		= bench_index_root,
	.restore	= bench_index_restore,
	.look_up	= bench_index_look_up,
	.any		= bench_index_any,
	.finish		= bench_index_finish,
	.again		= set_preserve_all,
	.destroy	= bench_index_destroy,
	.size		= bench_index_size,
};
