// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmark of the index of preserved PCI functions: the kernel's own set of
 * keys, as it is since Linux 7.3.
 *
 * It has no look-up, so that this one is made of what its ABI says of the nodes,
 * and a mutex, which each addition and removal takes.
 */

#include <linux/bitmap.h>
#include <linux/io.h>
#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho_radix_tree.h>
#include <linux/slab.h>

#include "pci_liveupdate_benchmark.h"

static void *radix_create(const struct bench_trace *trace)
{
	struct kho_radix_tree *tree = kzalloc_obj(*tree);

	if (!tree)
		return NULL;
	if (kho_radix_init_tree(tree, NULL)) {
		kfree(tree);
		return NULL;
	}
	return tree;
}

static void radix_destroy(void *record)
{
	kho_radix_destroy_tree(record);
	kfree(record);
}

static __always_inline u64 radix_preserve(void *record, pci_ser_key_t key, u32 dev)
{
	return !kho_radix_add_key(record, key);
}

BENCH_ALL(radix_preserve);

static __always_inline u64 radix_finish(void *record, pci_ser_key_t key, u32 dev)
{
	kho_radix_del_key(record, key);
	return 1;
}

BENCH_ALL(radix_finish);

/* The leaf that @key is in, or NULL. */
static __always_inline struct kho_radix_leaf *
radix_leaf(struct kho_radix_tree *tree, unsigned long key)
{
	struct kho_radix_node *node = tree->root;

	for (int level = KHO_TREE_MAX_DEPTH - 1; level > 0; level--) {
		int shift = (level - 1) * KHO_TABLE_SIZE_LOG2 +
			    KHO_BITMAP_SIZE_LOG2;
		u64 next = node->table[(key >> shift) %
				       (1UL << KHO_TABLE_SIZE_LOG2)];

		if (!next)
			return NULL;
		node = phys_to_virt(next);
	}
	return (struct kho_radix_leaf *)node;
}

static __always_inline u64 radix_look_up(void *record, pci_ser_key_t key, u32 dev)
{
	struct kho_radix_leaf *leaf = radix_leaf(record, key);

	return leaf && test_bit(key % (1UL << KHO_BITMAP_SIZE_LOG2),
				leaf->bitmap);
}

BENCH_ALL(radix_look_up);

/* The buses below a bridge of the benchmark are never in two leaves. */
static __always_inline u64 radix_any(void *record, pci_ser_key_t range, u32 dev)
{
	unsigned long first = PCI_SER_KEY(PCI_SER_KEY_DOMAIN(range),
					  BENCH_FIRST_BUS(range) << 8);
	unsigned long nr = (BENCH_LAST_BUS(range) -
			    BENCH_FIRST_BUS(range) + 1) << 8;
	struct kho_radix_leaf *leaf = radix_leaf(record, first);

	if (!leaf)
		return 0;
	first %= 1UL << KHO_BITMAP_SIZE_LOG2;
	return find_next_bit(leaf->bitmap, first + nr, first) < first + nr;
}

BENCH_ALL(radix_any);

static int radix_count_node(phys_addr_t phys, void *data)
{
	*(size_t *)data += PAGE_SIZE;
	return 0;
}

static size_t radix_size(void *record)
{
	static const struct kho_radix_walk_cb cb = { .node = radix_count_node };
	size_t size = 0;

	kho_radix_walk_tree(record, &cb, &size);
	return size;
}

const struct bench_contender bench_radix = {
	.name		= "radix",
	.create		= radix_create,
	.preserve	= radix_preserve_all,
	.unpreserve	= radix_finish_all,
	.look_up	= radix_look_up_all,
	.any		= radix_any_all,
	.finish		= radix_finish_all,
	.again		= radix_preserve_all,
	.destroy	= radix_destroy,
	.size		= radix_size,
};
