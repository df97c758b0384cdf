// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmark of the index of preserved PCI functions: a sorted array.
 *
 * One allocation, large enough for all devices there are when the first one is
 * preserved. A function is put in its place, and those behind it move; it is
 * found by binary search. In the next kernel a function that is finished stays
 * in the array, with a reference count of 0.
 */

#include <linux/err.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/kexec_handover.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "pci_liveupdate_benchmark.h"

struct array_device_ser {
	u32 domain;
	u16 bdf;
	u16 refcount;
};

struct array_ser {
	u32 max_nr_devices;
	u32 nr_devices;
	struct array_device_ser devices[];
};

/*
 * Moves go through all of the array, unless each device is the last one: 8 s for
 * 262,144 functions. One allocation of KHO, 4 MiB, has room for twice as many.
 */
static bool array_is_allowed(const struct bench_trace *trace)
{
	if (trace->nr > 262144)
		return false;
	return trace->order == BENCH_ASCENDING || trace->nr <= 65536 ||
	       (trace->order == BENCH_RANDOM && trace->nr_segments == 16);
}

static void *array_create(const struct bench_trace *trace)
{
	struct array_ser *ser;

	ser = kho_alloc_preserve(struct_size(ser, devices, trace->nr));
	if (IS_ERR(ser))
		return NULL;
	ser->max_nr_devices = trace->nr;
	return ser;
}

static void array_destroy(void *record)
{
	struct array_ser *ser = record;

	if (ser->max_nr_devices)
		kho_unpreserve_free(ser);
	else
		folio_put(virt_to_folio(ser));
}

static u64 array_root(void *record)
{
	return virt_to_phys(record);
}

static void *array_restore(u64 root, const struct bench_trace *trace)
{
	struct array_ser *ser;

	if (!kho_restore_folio(root))
		return NULL;
	ser = phys_to_virt(root);
	/* Nothing is added to it any more, and it is freed as a folio. */
	ser->max_nr_devices = 0;
	return ser;
}

static size_t array_bytes(void *record)
{
	struct array_ser *ser = record;
	size_t size = struct_size(ser, devices, ser->max_nr_devices);

	return PAGE_SIZE << get_order(size);
}

static __always_inline pci_ser_key_t
array_key(const struct array_device_ser *device)
{
	return PCI_SER_KEY(device->domain, device->bdf);
}

/* Where the first device is that is not less than @key. */
static __always_inline u32 array_position(const struct array_ser *ser,
					  pci_ser_key_t key)
{
	u32 first = 0, end = ser->nr_devices;

	while (first < end) {
		u32 middle = first + (end - first) / 2;

		if (array_key(&ser->devices[middle]) < key)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

static __always_inline struct array_device_ser *
array_find(struct array_ser *ser, pci_ser_key_t key)
{
	u32 i = array_position(ser, key);

	if (i == ser->nr_devices || array_key(&ser->devices[i]) != key)
		return NULL;
	return &ser->devices[i];
}

static __always_inline u64 array_preserve(void *record, pci_ser_key_t key, u32 dev)
{
	struct array_ser *ser = record;
	u32 i;

	if (ser->nr_devices == ser->max_nr_devices)
		return 0;

	i = array_position(ser, key);
	memmove(&ser->devices[i + 1], &ser->devices[i],
		(ser->nr_devices - i) * sizeof(*ser->devices));
	ser->devices[i] = (struct array_device_ser) {
		.domain = PCI_SER_KEY_DOMAIN(key),
		.bdf = PCI_SER_KEY_BDF(key),
		.refcount = 1,
	};
	ser->nr_devices++;
	return 1;
}

BENCH_ALL(array_preserve);

static __always_inline u64 array_unpreserve(void *record, pci_ser_key_t key, u32 dev)
{
	struct array_ser *ser = record;
	struct array_device_ser *device = array_find(ser, key);

	if (!device)
		return 0;

	ser->nr_devices--;
	memmove(device, device + 1,
		(ser->nr_devices - (device - ser->devices)) * sizeof(*device));
	return 1;
}

BENCH_ALL(array_unpreserve);

static __always_inline u64 array_look_up(void *record, pci_ser_key_t key, u32 dev)
{
	struct array_device_ser *device = array_find(record, key);

	return device && device->refcount;
}

BENCH_ALL(array_look_up);

static __always_inline u64 array_any(void *record, pci_ser_key_t range, u32 dev)
{
	u32 domain = PCI_SER_KEY_DOMAIN(range);
	pci_ser_key_t first = PCI_SER_KEY(domain, BENCH_FIRST_BUS(range) << 8);
	pci_ser_key_t last = PCI_SER_KEY(domain,
					 BENCH_LAST_BUS(range) << 8 | 0xff);
	struct array_ser *ser = record;

	for (u32 i = array_position(ser, first);
	     i < ser->nr_devices && array_key(&ser->devices[i]) <= last; i++) {
		if (ser->devices[i].refcount)
			return 1;
	}
	return 0;
}

BENCH_ALL(array_any);

static __always_inline u64 array_finish(void *record, pci_ser_key_t key, u32 dev)
{
	struct array_device_ser *device = array_find(record, key);

	if (!device || !device->refcount)
		return 0;
	device->refcount = 0;
	return 1;
}

BENCH_ALL(array_finish);

static __always_inline u64 array_again(void *record, pci_ser_key_t key, u32 dev)
{
	array_find(record, key)->refcount = 1;
	return 1;
}

BENCH_ALL(array_again);

const struct bench_contender bench_array = {
	.name		= "array",
	.is_allowed	= array_is_allowed,
	.create		= array_create,
	.preserve	= array_preserve_all,
	.unpreserve	= array_unpreserve_all,
	.root		= array_root,
	.restore	= array_restore,
	.look_up	= array_look_up_all,
	.any		= array_any_all,
	.finish		= array_finish_all,
	.again		= array_again_all,
	.destroy	= array_destroy,
	.size		= array_bytes,
};
