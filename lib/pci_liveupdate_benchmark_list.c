// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmark of the index of preserved PCI functions: a list in KHO blocks.
 *
 * A function gets the first entry that is free, or a new one at the end, and its
 * struct pci_dev has a pointer to it. The next kernel puts all entries into an
 * xarray by segment and BDF. What is finished has a reference count of 0.
 */

#include <linux/err.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/kexec_handover.h>
#include <linux/kho_block.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "pci_liveupdate_benchmark.h"

struct list_device_ser {
	u32 domain;
	u16 bdf;
	u16 refcount;
};

struct list_ser {
	u64 devices;
	u32 nr_entries;
};

struct list_record {
	struct list_ser *ser;
	struct kho_block_set block_set;
	struct xarray devices;
	void **driver_data;
};

/* 3 s for 65,536 functions, once, and 16 times that for the next size. */
static bool list_is_allowed(const struct bench_trace *trace)
{
	return trace->nr <= 4096 ||
	       (trace->order == BENCH_RANDOM && trace->nr <= 16384) ||
	       (trace->order == BENCH_RANDOM && trace->nr_segments == 1 &&
		trace->nr <= 65536);
}

static struct list_record *list_alloc(const struct bench_trace *trace)
{
	struct list_record *record = kzalloc_obj(*record);

	if (!record)
		return NULL;
	kho_block_set_init(&record->block_set, sizeof(struct list_device_ser));
	xa_init(&record->devices);
	record->driver_data = trace->driver_data;
	return record;
}

static void *list_create(const struct bench_trace *trace)
{
	struct list_record *record = list_alloc(trace);

	if (!record)
		return NULL;
	record->ser = kho_alloc_preserve(sizeof(*record->ser));
	if (IS_ERR(record->ser)) {
		kfree(record);
		return NULL;
	}
	return record;
}

static void list_destroy(void *p)
{
	struct list_record *record = p;

	if (record->block_set.incoming)
		folio_put(virt_to_folio(record->ser));
	else
		kho_unpreserve_free(record->ser);
	kho_block_set_destroy(&record->block_set);
	xa_destroy(&record->devices);
	kfree(record);
}

static u64 list_root(void *record)
{
	return virt_to_phys(((struct list_record *)record)->ser);
}

/* Put all entries into the xarray. */
static int list_index(void *p)
{
	struct list_record *record = p;
	struct list_device_ser *device;
	struct kho_block_set_it it;
	int err;

	kho_block_set_it_init(&it, &record->block_set);
	while ((device = kho_block_set_it_read_entry(&it))) {
		if (!device->refcount)
			continue;
		err = xa_insert(&record->devices,
				PCI_SER_KEY(device->domain, device->bdf),
				device, GFP_KERNEL);
		if (err)
			return err;
	}
	return 0;
}

static void *list_restore(u64 root, const struct bench_trace *trace)
{
	struct list_record *record = list_alloc(trace);

	if (!record)
		return NULL;
	record->ser = phys_to_virt(root);
	if (!kho_restore_folio(root) ||
	    kho_block_set_restore(&record->block_set, record->ser->devices) ||
	    list_index(record))
		return NULL;
	return record;
}

static size_t list_size(void *p)
{
	struct list_record *record = p;

	return PAGE_SIZE + record->block_set.nblocks * KHO_BLOCK_SIZE;
}

/* A new entry, behind the last one that @it has read. */
static struct list_device_ser *list_append(struct list_record *record,
					   struct kho_block_set_it *it)
{
	struct list_device_ser *device;

	if (kho_block_set_grow(&record->block_set, record->ser->nr_entries + 1))
		return NULL;
	/* An iterator over an empty set stays at its end when the set grows. */
	if (!it->block)
		kho_block_set_it_init(it, &record->block_set);

	device = kho_block_set_it_reserve_entry(it);
	record->ser->nr_entries++;
	record->ser->devices = kho_block_set_head_pa(&record->block_set);
	return device;
}

static __always_inline u64 list_preserve(void *p, pci_ser_key_t key, u32 dev)
{
	struct list_device_ser *device;
	struct list_record *record = p;
	struct kho_block_set_it it;

	kho_block_set_it_init(&it, &record->block_set);
	while ((device = kho_block_set_it_read_entry(&it))) {
		if (!device->refcount)
			break;
	}
	if (!device)
		device = list_append(record, &it);
	if (!device)
		return 0;

	*device = (struct list_device_ser) {
		.domain = PCI_SER_KEY_DOMAIN(key),
		.bdf = PCI_SER_KEY_BDF(key),
		.refcount = 1,
	};
	record->driver_data[dev] = device;
	return 1;
}

BENCH_ALL(list_preserve);

/* The same in both kernels: struct pci_dev knows its entry. */
static __always_inline u64 list_finish(void *p, pci_ser_key_t key, u32 dev)
{
	struct list_record *record = p;
	struct list_device_ser *device = record->driver_data[dev];

	if (!device || !device->refcount)
		return 0;
	device->refcount = 0;
	return 1;
}

BENCH_ALL(list_finish);

static __always_inline u64 list_look_up(void *p, pci_ser_key_t key, u32 dev)
{
	struct list_record *record = p;
	struct list_device_ser *device = xa_load(&record->devices, key);

	if (!device || !device->refcount)
		return 0;
	record->driver_data[dev] = device;
	return 1;
}

BENCH_ALL(list_look_up);

static __always_inline u64 list_any(void *p, pci_ser_key_t range, u32 dev)
{
	u32 domain = PCI_SER_KEY_DOMAIN(range);
	unsigned long last = PCI_SER_KEY(domain,
					 BENCH_LAST_BUS(range) << 8 | 0xff);
	unsigned long key = PCI_SER_KEY(domain, BENCH_FIRST_BUS(range) << 8);
	struct list_record *record = p;
	struct list_device_ser *device;

	xa_for_each_range(&record->devices, key, device, key, last) {
		if (device->refcount)
			return 1;
	}
	return 0;
}

BENCH_ALL(list_any);

static __always_inline u64 list_again(void *p, pci_ser_key_t key, u32 dev)
{
	struct list_record *record = p;
	struct list_device_ser *device = record->driver_data[dev];

	device->refcount = 1;
	return 1;
}

BENCH_ALL(list_again);

const struct bench_contender bench_list = {
	.name		= "list",
	.is_allowed	= list_is_allowed,
	.create		= list_create,
	.preserve	= list_preserve_all,
	.unpreserve	= list_finish_all,
	.root		= list_root,
	.restore	= list_restore,
	.index		= list_index,
	.look_up	= list_look_up_all,
	.any		= list_any_all,
	.finish		= list_finish_all,
	.again		= list_again_all,
	.destroy	= list_destroy,
	.size		= list_size,
};
