// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmark of the index of preserved PCI functions: a sorted array.
 *
 * One allocation, large enough for all devices that exist when the first one is
 * preserved. A new function moves those behind it; binary search finds it. A
 * function that the next kernel finishes stays, with a reference count of 0.
 */

#include <linux/err.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/kexec_handover.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/string.h>

#include "bench.h"

struct array_entry {
	u32 domain;
	u16 bdf;
	u16 refcount;
};

struct array {
	u32 max;
	u32 nr;
	struct array_entry entries[];
};

static void *array_create(const struct bench_trace *trace)
{
	struct array *array;

	array = kho_alloc_preserve(struct_size(array, entries, trace->nr));
	if (IS_ERR(array))
		return NULL;
	array->max = trace->nr;
	return array;
}

static u64 array_hand_over(void *array)
{
	return virt_to_phys(array);
}

static void *array_restore(u64 root, const struct bench_trace *trace)
{
	struct array *array;

	if (!kho_restore_folio(root))
		return NULL;
	array = phys_to_virt(root);
	/* A restored array does not grow, and is freed as a folio. */
	array->max = 0;
	return array;
}

static void array_destroy(void *p)
{
	struct array *array = p;

	if (array->max)
		kho_unpreserve_free(array);
	else
		folio_put(virt_to_folio(array));
}

static __always_inline pci_ser_key_t entry_key(const struct array_entry *entry)
{
	return PCI_SER_KEY(entry->domain, entry->bdf);
}

/* The position of the first entry that is not less than @key. */
static __always_inline u32 array_position(const struct array *array,
					  pci_ser_key_t key)
{
	u32 first = 0, end = array->nr;

	while (first < end) {
		u32 middle = first + (end - first) / 2;

		if (entry_key(&array->entries[middle]) < key)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

static __always_inline struct array_entry *array_find(struct array *array,
						      pci_ser_key_t key)
{
	u32 i = array_position(array, key);

	if (i == array->nr || entry_key(&array->entries[i]) != key)
		return NULL;
	return &array->entries[i];
}

static __always_inline u64 array_add(struct array *array, pci_ser_key_t key,
				     u32 dev)
{
	u32 i;

	if (array->nr == array->max)
		return 0;

	i = array_position(array, key);
	memmove(&array->entries[i + 1], &array->entries[i],
		(array->nr - i) * sizeof(*array->entries));
	array->entries[i] = (struct array_entry) {
		.domain = PCI_SER_KEY_DOMAIN(key),
		.bdf = PCI_SER_KEY_BDF(key),
		.refcount = 1,
	};
	array->nr++;
	return 1;
}

BENCH_ALL(array_add);

static __always_inline u64 array_remove(struct array *array, pci_ser_key_t key,
					u32 dev)
{
	struct array_entry *entry = array_find(array, key);

	if (!entry)
		return 0;

	array->nr--;
	memmove(entry, entry + 1,
		(array->nr - (entry - array->entries)) * sizeof(*entry));
	return 1;
}

BENCH_ALL(array_remove);

static __always_inline u64 array_contains(struct array *array,
					  pci_ser_key_t key, u32 dev)
{
	struct array_entry *entry = array_find(array, key);

	return entry && entry->refcount;
}

BENCH_ALL(array_contains);

static __always_inline u64 array_any(struct array *array, pci_ser_key_t range,
				     u32 dev)
{
	u32 domain = PCI_SER_KEY_DOMAIN(range);
	pci_ser_key_t first = PCI_SER_KEY(domain, BENCH_FIRST_BUS(range) << 8);
	pci_ser_key_t last = PCI_SER_KEY(domain,
					 BENCH_LAST_BUS(range) << 8 | 0xff);

	for (u32 i = array_position(array, first);
	     i < array->nr && entry_key(&array->entries[i]) <= last; i++) {
		if (array->entries[i].refcount)
			return 1;
	}
	return 0;
}

BENCH_ALL(array_any);

static __always_inline u64 array_finish(struct array *array, pci_ser_key_t key,
					u32 dev)
{
	struct array_entry *entry = array_find(array, key);

	if (!entry || !entry->refcount)
		return 0;
	entry->refcount = 0;
	return 1;
}

BENCH_ALL(array_finish);

static __always_inline u64 array_undo(struct array *array, pci_ser_key_t key,
				      u32 dev)
{
	array_find(array, key)->refcount = 1;
	return 1;
}

BENCH_ALL(array_undo);

const struct bench_contender bench_array = {
	.name		= "array",
	.is_quadratic	= true,
	.create		= array_create,
	.add		= array_add_all,
	.remove		= array_remove_all,
	.hand_over	= array_hand_over,
	.restore	= array_restore,
	.contains	= array_contains_all,
	.any		= array_any_all,
	.finish		= array_finish_all,
	.undo		= array_undo_all,
	.destroy	= array_destroy,
};
