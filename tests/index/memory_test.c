// SPDX-License-Identifier: GPL-2.0
/*
 * Let each allocation fail in turn: the index must not change.
 */

#include <stdlib.h>
#include <string.h>

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/kho_block.h>

#include "harness.h"
#include "record.h"
#include "shim/heap_shim.h"
#include "shim/kho_shim.h"
#include "shim/log_shim.h"
#include "tests.h"
#include "world.h"

/*
 * A function or PF to add, after segments 0 to @nr_segments - 1 with a function on bus
 * 1 each, and the number of allocations of each kind. For nodes the number is 0 or 1:
 * the depth of an xarray does not matter.
 */
struct addition {
	const char *name;
	unsigned int nr_segments;
	u32 domain;
	u16 bdf;
	unsigned int nr[HEAP_SHIM_NR_KINDS];
	bool pf;
};

/* A new segment takes a bitmap, a directory, a leaf and maybe a block. */
static const struct addition additions[] = {
	{ "first segment", 0, 0, 0x0100,
	  { [HEAP_SHIM_PAGES] = 4, [HEAP_SHIM_SLAB] = 2 } },
	{ "first segment, far away", 0, 0xffffffff, 0xffff,
	  { [HEAP_SHIM_PAGES] = 4, [HEAP_SHIM_SLAB] = 2, [HEAP_SHIM_NODE] = 1 } },
	{ "second segment", 1, 0xffffffff, 0,
	  { [HEAP_SHIM_PAGES] = 3, [HEAP_SHIM_SLAB] = 1, [HEAP_SHIM_NODE] = 1 } },
	{ "last segment of a block", 126, 0x10000, 0,
	  { [HEAP_SHIM_PAGES] = 3, [HEAP_SHIM_SLAB] = 1, [HEAP_SHIM_NODE] = 1 } },
	{ "first segment of the second block", 127, 0x10000, 0,
	  { [HEAP_SHIM_PAGES] = 4, [HEAP_SHIM_SLAB] = 2, [HEAP_SHIM_NODE] = 1 } },
	{ "first segment of the third block", 254, 0x10000, 0,
	  { [HEAP_SHIM_PAGES] = 4, [HEAP_SHIM_SLAB] = 2, [HEAP_SHIM_NODE] = 1 } },
	{ "new bus", 2, 1, 0x0200, { [HEAP_SHIM_PAGES] = 1 } },
	{ "bus with a leaf", 2, 1, 0x0101, { } },
	/* A PF takes one leaf more. */
	{ "PF of the first segment", 0, 0, 0x0100,
	  { [HEAP_SHIM_PAGES] = 5, [HEAP_SHIM_SLAB] = 2 }, .pf = true },
	{ "PF of the second block", 127, 0x10000, 0,
	  { [HEAP_SHIM_PAGES] = 5, [HEAP_SHIM_SLAB] = 2, [HEAP_SHIM_NODE] = 1 }, .pf = true },
	{ "PF on a new bus", 2, 1, 0x0200, { [HEAP_SHIM_PAGES] = 2 }, .pf = true },
	{ "PF on a bus with a leaf", 2, 1, 0x0101, { [HEAP_SHIM_PAGES] = 1 }, .pf = true },
};

static struct world make_segments(unsigned int nr)
{
	struct world world = world_create();

	for (unsigned int i = 0; i < nr; i++)
		world_add(&world, PCI_SER_KEY(i, 0x0100));
	return world;
}

static pci_ser_key_t addition_key(const struct addition *addition)
{
	return PCI_SER_KEY(addition->domain, addition->bdf);
}

/* Add to the index only. */
static int addition_try(struct world *world, const struct addition *addition)
{
	enum model_kind kind = addition->pf ? MODEL_PF : MODEL_FUNCTION;
	pci_ser_key_t key = addition_key(addition);
	struct pci_function_ser entry = model_entry_of(key, 1, kind);
	struct pci_sriov_ser sriov = model_sriov(key, 1);

	if (addition->pf)
		return pci_liveupdate_index_add_pf(world->index, key, &entry, &sriov);
	return pci_liveupdate_index_add(world->index, key, &entry);
}

/* Let the nth allocation of an addition fail. Returns its kind. */
static enum heap_shim_kind add_and_fail(struct world *world,
					const struct addition *addition,
					unsigned int nth, int err)
{
	struct kho_shim_image *before = kho_shim_save();
	unsigned long nr_slabs = heap_shim_count();
	enum heap_shim_kind kind;
	int ret;

	heap_shim_fail_at(nth);
	kho_shim_fail_with(err);
	ret = addition_try(world, addition);
	kind = heap_shim_failed();
	heap_shim_fail_at(0);
	kho_shim_fail_with(0);

	if (kind == HEAP_SHIM_NONE) {
		CHECK_EQ(ret, 0);
		model_set(world->model, addition_key(addition), 1);
		if (addition->pf)
			model_set_kind(world->model, addition_key(addition), MODEL_PF);
	} else {
		CHECK_EQ(ret, kind == HEAP_SHIM_PAGES ? err : -ENOMEM);
		CHECK(kho_shim_same(before));
		CHECK_EQ(heap_shim_count(), nr_slabs);
	}
	model_compare(world->model, world->index);
	kho_shim_drop(before);
	return kind;
}

/* @again: Add again before the kexec. */
static void run_addition(const struct addition *addition, int err, bool again)
{
	unsigned int nr[HEAP_SHIM_NR_KINDS] = { };
	enum heap_shim_kind kind;
	unsigned int nth = 0;

	do {
		struct world world = make_segments(addition->nr_segments);

		kind = add_and_fail(&world, addition, ++nth, err);
		nr[kind]++;
		if (kind != HEAP_SHIM_NONE && again && addition->pf)
			world_add_pf(&world, addition_key(addition));
		else if (kind != HEAP_SHIM_NONE && again)
			world_add(&world, addition_key(addition));
		world_restore(&world, world_kexec(&world));
		model_compare(world.model, world.index);
		world_destroy(&world);
		CHECK(test_is_clean());
	} while (kind != HEAP_SHIM_NONE);

	CHECK_EQ(nr[HEAP_SHIM_PAGES], addition->nr[HEAP_SHIM_PAGES]);
	CHECK_EQ(nr[HEAP_SHIM_SLAB], addition->nr[HEAP_SHIM_SLAB]);
	CHECK_EQ(!!nr[HEAP_SHIM_NODE], addition->nr[HEAP_SHIM_NODE]);
	test_note("%s: %u pages, %u slabs and %u nodes failed", addition->name,
		  nr[HEAP_SHIM_PAGES], nr[HEAP_SHIM_SLAB], nr[HEAP_SHIM_NODE]);
}

void test_no_memory_to_add(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(additions); i++) {
		run_addition(&additions[i], -ENOMEM, false);
		run_addition(&additions[i], -EOPNOTSUPP, true);
	}
}

/* Fail several additions of one index in a row. */
void test_no_memory_again_and_again(void)
{
	const struct addition *addition = &additions[4];
	struct world world = make_segments(addition->nr_segments);
	unsigned int nth = 0;

	for (;;) {
		if (add_and_fail(&world, addition, ++nth, -ENOMEM) ==
		    HEAP_SHIM_NONE)
			break;
	}
	world_restore(&world, world_kexec(&world));
	world_destroy(&world);
}

/* A block set that does not keep its promise: the index warns, and does not change. */
static void add_to_full_blocks(unsigned int nr_segments, u32 domain)
{
	struct world world = make_segments(nr_segments);
	const pci_ser_key_t key = PCI_SER_KEY(domain, 0x0100);
	struct pci_function_ser entry = model_entry(key, 1);
	struct kho_shim_image *before = kho_shim_save();
	unsigned long nr_slabs = heap_shim_count();
	void *spacer;

	kho_shim_full_blocks(true);
	CHECK_EQ(pci_liveupdate_index_add(world.index, key, &entry), -ENOSPC);
	CHECK_EQ(log_shim_take_warnings(), 1);
	kho_shim_full_blocks(false);
	CHECK(kho_shim_same(before));
	CHECK_EQ(heap_shim_count(), nr_slabs);
	model_compare_all(world.model, world.index);
	kho_shim_drop(before);

	/* The index works once there is room. Take the memory that a block had. */
	spacer = malloc(sizeof(struct kho_block));
	ASSERT(spacer);
	memset(spacer, 0xff, sizeof(struct kho_block));
	world_add(&world, key);
	world_restore(&world, world_kexec(&world));
	world_destroy(&world);
	free(spacer);
	CHECK(test_is_clean());
}

void test_full_blocks(void)
{
	static const u32 domains[] = { 255, PCI_LIVEUPDATE_LOW_DOMAINS, 0x10000 };

	for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
		add_to_full_blocks(0, domains[i]);
		add_to_full_blocks(1, domains[i]);
		add_to_full_blocks(SEGMENTS_PER_BLOCK, domains[i]);
	}
}

void test_no_memory_to_create(void)
{
	struct pci_liveupdate_index *index;
	unsigned int nth = 0;

	for (;;) {
		heap_shim_fail_at(++nth);
		kho_shim_fail_with(-EOPNOTSUPP);
		index = pci_liveupdate_index_create();
		if (heap_shim_failed() == HEAP_SHIM_NONE)
			break;
		CHECK_EQ(PTR_ERR(index),
			 heap_shim_failed() == HEAP_SHIM_PAGES ? -EOPNOTSUPP :
								 -ENOMEM);
		CHECK(test_is_clean());
	}
	/* Allocations of the index and its root failed; the third one never came. */
	CHECK_EQ(nth, 3);
	pci_liveupdate_index_destroy(index);
}

/* Two blocks, so that each kind of page comes twice. */
#define NR_RESTORED	(SEGMENTS_PER_BLOCK + 1)

/*
 * Restore with each allocation failing in turn. If @strict, the record must not
 * change, else repair it.
 */
static void fail_restores(u64 root_pa, bool strict)
{
	struct kho_shim_image *before = kho_shim_save();
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;
	unsigned int nth = 0;
	int err;

	for (;;) {
		heap_shim_fail_at(++nth);
		err = record_restore(root_pa, &index, &damage);
		if (heap_shim_failed() == HEAP_SHIM_NONE)
			break;
		CHECK_EQ(err, -ENOMEM);
		if (strict)
			CHECK(kho_shim_same(before));
		kho_shim_rewind(before);
	}
	heap_shim_fail_at(0);
	CHECK_EQ(err, 0);
	/* The index, and each segment with its marks, need an allocation. */
	CHECK(nth > 1 + 2 * NR_RESTORED);
	test_note("%u allocations failed", nth - 1);
	pci_liveupdate_index_destroy(index);
	kho_shim_drop(before);
}

static void run_restores(bool strict)
{
	struct world world = make_segments(NR_RESTORED);

	fail_restores(world_kexec(&world), strict);
	world_destroy(&world);
}

void test_no_memory_to_restore(void)
{
	run_restores(false);
}

void test_no_memory_keeps_record(void)
{
	run_restores(true);
}
