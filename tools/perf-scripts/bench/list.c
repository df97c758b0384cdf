// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmark of the index of preserved PCI functions: a list in KHO blocks.
 *
 * A function gets the first free entry, or a new one at the end, and its struct
 * pci_dev points to it. The next kernel puts all entries into an xarray by segment
 * and BDF. A finished function has a reference count of 0.
 */

#include <linux/err.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/kexec_handover.h>
#include <linux/kho_block.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "bench.h"

struct slot {
	u32 domain;
	u16 bdf;
	u16 refcount;
};

struct slots_ser {
	u64 entries;
	u32 nr;
};

struct slots {
	struct slots_ser *ser;
	struct kho_block_set block_set;
	struct xarray entries;
	void **driver_data;
};

static struct slots *slots_alloc(const struct bench_trace *trace)
{
	struct slots *slots = kzalloc_obj(*slots);

	if (!slots)
		return NULL;
	kho_block_set_init(&slots->block_set, sizeof(struct slot));
	xa_init(&slots->entries);
	slots->driver_data = trace->driver_data;
	return slots;
}

static void *slots_create(const struct bench_trace *trace)
{
	struct slots *slots = slots_alloc(trace);

	if (!slots)
		return NULL;
	slots->ser = kho_alloc_preserve(sizeof(*slots->ser));
	if (IS_ERR(slots->ser)) {
		kfree(slots);
		return NULL;
	}
	return slots;
}

static void slots_destroy(void *p)
{
	struct slots *slots = p;

	if (slots->block_set.incoming)
		folio_put(virt_to_folio(slots->ser));
	else
		kho_unpreserve_free(slots->ser);
	kho_block_set_destroy(&slots->block_set);
	xa_destroy(&slots->entries);
	kfree(slots);
}

static u64 slots_hand_over(void *slots)
{
	return virt_to_phys(((struct slots *)slots)->ser);
}

/* Put all entries into the xarray. */
static int slots_read(struct slots *slots)
{
	struct slot *entry;
	struct kho_block_set_it it;
	int err;

	kho_block_set_it_init(&it, &slots->block_set);
	while ((entry = kho_block_set_it_read_entry(&it))) {
		if (!entry->refcount)
			continue;
		err = xa_insert(&slots->entries,
				PCI_SER_KEY(entry->domain, entry->bdf),
				entry, GFP_KERNEL);
		if (err)
			return err;
	}
	return 0;
}

static void *slots_restore(u64 root, const struct bench_trace *trace)
{
	struct slots *slots = slots_alloc(trace);

	if (!slots)
		return NULL;
	slots->ser = phys_to_virt(root);
	if (!kho_restore_folio(root) ||
	    kho_block_set_restore(&slots->block_set, slots->ser->entries) ||
	    slots_read(slots))
		return NULL;
	return slots;
}

/* A new entry, behind the last one that @it has read. */
static struct slot *slots_append(struct slots *slots,
				 struct kho_block_set_it *it)
{
	struct slot *entry;

	if (kho_block_set_grow(&slots->block_set, slots->ser->nr + 1))
		return NULL;
	/* An iterator over an empty set stays at its end when the set grows. */
	if (!it->block)
		kho_block_set_it_init(it, &slots->block_set);

	entry = kho_block_set_it_reserve_entry(it);
	slots->ser->nr++;
	slots->ser->entries = kho_block_set_head_pa(&slots->block_set);
	return entry;
}

static __always_inline u64 slots_add(struct slots *slots, pci_ser_key_t key, u32 dev)
{
	struct kho_block_set_it it;
	struct slot *entry;

	kho_block_set_it_init(&it, &slots->block_set);
	while ((entry = kho_block_set_it_read_entry(&it))) {
		if (!entry->refcount)
			break;
	}
	if (!entry)
		entry = slots_append(slots, &it);
	if (!entry)
		return 0;

	*entry = (struct slot) {
		.domain = PCI_SER_KEY_DOMAIN(key),
		.bdf = PCI_SER_KEY_BDF(key),
		.refcount = 1,
	};
	slots->driver_data[dev] = entry;
	return 1;
}

BENCH_ALL(slots_add);

/* In both kernels, as struct pci_dev points to its entry. */
static __always_inline u64 slots_finish(struct slots *slots, pci_ser_key_t key,
					u32 dev)
{
	struct slot *entry = slots->driver_data[dev];

	if (!entry || !entry->refcount)
		return 0;
	entry->refcount = 0;
	return 1;
}

BENCH_ALL(slots_finish);

static __always_inline u64 slots_contains(struct slots *slots, pci_ser_key_t key,
					  u32 dev)
{
	struct slot *entry = xa_load(&slots->entries, key);

	if (!entry || !entry->refcount)
		return 0;
	slots->driver_data[dev] = entry;
	return 1;
}

BENCH_ALL(slots_contains);

static __always_inline u64 slots_any(struct slots *slots, pci_ser_key_t range,
				     u32 dev)
{
	u32 domain = PCI_SER_KEY_DOMAIN(range);
	unsigned long last = PCI_SER_KEY(domain,
					 BENCH_LAST_BUS(range) << 8 | 0xff);
	unsigned long key = PCI_SER_KEY(domain, BENCH_FIRST_BUS(range) << 8);
	struct slot *entry;

	xa_for_each_range(&slots->entries, key, entry, key, last) {
		if (entry->refcount)
			return 1;
	}
	return 0;
}

BENCH_ALL(slots_any);

static __always_inline u64 slots_undo(struct slots *slots, pci_ser_key_t key,
				      u32 dev)
{
	struct slot *entry = slots->driver_data[dev];

	entry->refcount = 1;
	return 1;
}

BENCH_ALL(slots_undo);

const struct bench_contender bench_list = {
	.name		= "list",
	.is_quadratic	= true,
	.create		= slots_create,
	.add		= slots_add_all,
	.remove		= slots_finish_all,
	.hand_over	= slots_hand_over,
	.restore	= slots_restore,
	.contains	= slots_contains_all,
	.any		= slots_any_all,
	.finish		= slots_finish_all,
	.undo		= slots_undo_all,
	.destroy	= slots_destroy,
};
