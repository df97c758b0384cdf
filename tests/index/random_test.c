// SPDX-License-Identifier: GPL-2.0
/*
 * Random operations on an index and on its model, which must stay equal.
 */

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>

#include "harness.h"
#include "liveupdate_index.h"
#include "shim/heap_shim.h"
#include "shim/kho_shim.h"
#include "test_pci_liveupdate_index.h"
#include "tests.h"
#include "world.h"

/*
 * Operations of one kernel, but not more than 1/8 of all, so that a short walk has
 * several kernels. Each kernel finishes the functions of the previous kernel, and then
 * preserves functions for the next one.
 */
#define OPS_PER_KERNEL	200000

/* Operations of one phase. */
#define OPS_PER_PHASE	5000

static const u32 domains[] = {
	0, 1, 0xffff, 0x10000, 0x10001, 0x7fffffff, 0xffffffff,
};

/*
 * A phase adds and removes functions of some BDFs only, and makes their number grow
 * or shrink.
 */
struct phase {
	u16 bdf_base;
	u16 bdf_mask;
	unsigned int add_percent;
};

/* Counts of events, each of which has to happen. */
struct tally {
	unsigned long added, existed, failed;
	unsigned long removed, missing;
	unsigned long any, none;
	unsigned long found, ended;
	unsigned long marked, kernels;
	unsigned long pfs, vfs, implied, owned;
};

struct walk {
	struct world world;
	struct phase phase;
	struct tally tally;
};

static void new_phase(struct walk *walk)
{
	static const u16 masks[] = {
		0xffff, 0x00ff, 0xff00, 0x0700, 0x0107, 0xc03f, 0x0001,
	};

	walk->phase = (struct phase) {
		.bdf_base = test_random(),
		.bdf_mask = masks[test_random() % ARRAY_SIZE(masks)],
		.add_percent = 10 + test_random() % 81,
	};
}

static u32 some_domain(void)
{
	return domains[test_random() % ARRAY_SIZE(domains)];
}

static u16 some_bdf(const struct walk *walk)
{
	const struct phase *phase = &walk->phase;

	return phase->bdf_base ^ (test_random() & phase->bdf_mask);
}

/* The caller adds no VF without a PF. */
static enum model_kind some_kind(const struct walk *walk)
{
	switch (test_random() % 8) {
	case 0:
		return MODEL_PF;
	case 1:
		return MODEL_IMPLIED_PF;
	case 2:
		return model_nr_pfs(walk->world.model) ? MODEL_VF : MODEL_FUNCTION;
	default:
		return MODEL_FUNCTION;
	}
}

static int add_to_index(struct walk *walk, pci_ser_key_t key, u8 generation,
			enum model_kind kind)
{
	struct pci_function_ser entry = model_entry_of(key, generation, kind);
	struct pci_sriov_ser sriov = model_sriov(key, generation);

	if (entry.flags & PCI_SER_PF)
		return pci_liveupdate_index_add_pf(walk->world.index, key, &entry,
						   &sriov);
	return pci_liveupdate_index_add(walk->world.index, key, &entry);
}

/* Let an allocation fail in half of all additions. */
static void walk_add(struct walk *walk, pci_ser_key_t key)
{
	u8 generation = 1 + test_random() % 255;
	enum model_kind kind = some_kind(walk);
	u64 size = pci_liveupdate_index_size(walk->world.index);
	int err;

	if (test_random() % 2)
		heap_shim_fail_at(1 + test_random() % 8);
	err = add_to_index(walk, key, generation, kind);
	if (heap_shim_failed() != HEAP_SHIM_NONE) {
		CHECK_EQ(err, -ENOMEM);
		CHECK_EQ(pci_liveupdate_index_size(walk->world.index), size);
		walk->tally.failed++;
	} else if (model_get(walk->world.model, key)) {
		CHECK_EQ(err, -EEXIST);
		walk->tally.existed++;
	} else {
		CHECK_EQ(err, 0);
		model_set(walk->world.model, key, generation);
		model_set_kind(walk->world.model, key, kind);
		walk->tally.added++;
		walk->tally.vfs += kind == MODEL_VF;
		walk->tally.pfs += kind > MODEL_VF;
	}
	heap_shim_fail_at(0);
	model_compare_features(walk->world.model, walk->world.index);
}

/* The caller removes VFs before their PF. */
static bool is_last_pf(const struct model *model, pci_ser_key_t key)
{
	return model->nr[MODEL_VF] && model_nr_pfs(model) == 1 &&
	       model_get_kind(model, key) > MODEL_VF;
}

static void walk_remove(struct walk *walk, pci_ser_key_t key)
{
	if (is_last_pf(walk->world.model, key))
		return;

	if (model_get(walk->world.model, key))
		walk->tally.removed++;
	else
		walk->tally.missing++;
	world_remove(&walk->world, key);
	model_compare_features(walk->world.model, walk->world.index);
}

static void walk_set_implied(struct walk *walk, pci_ser_key_t key)
{
	bool implied = test_random() % 2;

	if (model_get_kind(walk->world.model, key) <= MODEL_VF)
		return;

	world_set_implied(&walk->world, key, implied);
	model_compare_function(walk->world.model, walk->world.index, key);
	if (implied)
		walk->tally.implied++;
	else
		walk->tally.owned++;
}

static void ask_any(struct walk *walk, u32 domain)
{
	u64 random = test_random();
	u8 first = random;
	u8 last = random & 0x10000 ? random >> 8 : first + (random >> 8 & 7);
	bool any = model_any(walk->world.model, domain, first, last);

	CHECK_EQ(pci_liveupdate_index_any(walk->world.index, domain, first,
					  last), any);
	if (any)
		walk->tally.any++;
	else
		walk->tally.none++;
}

static void ask_next(struct walk *walk, u32 domain, u16 bdf)
{
	/* The next number is mostly that of a missing segment. */
	pci_ser_key_t expected = PCI_SER_KEY(domain + test_random() % 2, bdf);
	pci_ser_key_t key = expected;
	bool found = model_next(walk->world.model, &expected);

	CHECK_EQ(pci_liveupdate_index_next(walk->world.index, &key), found);
	if (found) {
		CHECK_EQ(key, expected);
		walk->tally.found++;
	} else {
		walk->tally.ended++;
	}
}

static void ask_function(struct walk *walk, pci_ser_key_t key)
{
	struct pci_liveupdate_index *index = walk->world.index;
	struct model *model = walk->world.model;

	CHECK_EQ(test_index_contains(index, key), !!model_get(model, key));
	CHECK_EQ(test_index_marked(index, key), model_marked(model, key));
	model_compare_function(model, index, key);
	CHECK_EQ(pci_liveupdate_index_count(index), model->nr_devices);
}

static void walk_mark(struct walk *walk, pci_ser_key_t key)
{
	if (!model_get(walk->world.model, key))
		return;

	world_mark(&walk->world, key, test_random() % 3);
	walk->tally.marked++;
}

static void walk_change(struct walk *walk, pci_ser_key_t key)
{
	if (!walk->world.index->incoming &&
	    test_random() % 100 < walk->phase.add_percent)
		walk_add(walk, key);
	else if (walk->world.index->incoming && test_random() % 2)
		walk_mark(walk, key);
	else
		walk_remove(walk, key);
}

static void walk_step(struct walk *walk)
{
	u16 bdf = some_bdf(walk);
	u32 domain = some_domain();
	pci_ser_key_t key = PCI_SER_KEY(domain, bdf);

	switch (test_random() % 8) {
	case 0:
		ask_any(walk, domain);
		break;
	case 1:
		ask_next(walk, domain, bdf);
		break;
	case 2:
		ask_function(walk, key);
		break;
	case 3:
		walk_set_implied(walk, key);
		break;
	default:
		walk_change(walk, key);
	}
}

static void walk_steps(struct walk *walk, u64 ops)
{
	while (ops--) {
		if (ops % OPS_PER_PHASE == 0)
			new_phase(walk);
		walk_step(walk);
	}
}

/* Hand over to the next kernel, which then preserves functions itself. */
static void live_update(struct walk *walk, u64 ops)
{
	struct world *world = &walk->world;

	world_restore(world, world_kexec(world));
	walk_steps(walk, ops / 4);
	model_compare(world->model, world->index);
	world_carry_over(world);
	CHECK_EQ(kho_shim_count(KHO_SHIM_HANDED_OVER), 0);
	CHECK_EQ(kho_shim_count(KHO_SHIM_RESTORED), 0);
	walk_steps(walk, ops - ops / 4);
	model_compare_all(world->model, world->index);
	CHECK_EQ(pci_liveupdate_index_size(world->index), kho_shim_bytes());
	walk->tally.kernels++;
}

static void check_tally(const struct tally *tally)
{
	test_note("add: %lu new, %lu there already, %lu without memory",
		  tally->added, tally->existed, tally->failed);
	test_note("remove: %lu there, %lu not there", tally->removed,
		  tally->missing);
	test_note("any: %lu yes, %lu no", tally->any, tally->none);
	test_note("next: %lu found, %lu at the end", tally->found,
		  tally->ended);
	test_note("%lu marks, %lu kernels", tally->marked, tally->kernels);
	test_note("%lu PFs, %lu VFs, owner lost %lu times and found %lu times",
		  tally->pfs, tally->vfs, tally->implied, tally->owned);
	CHECK(tally->pfs && tally->vfs && tally->implied && tally->owned);
	CHECK(tally->added && tally->existed && tally->failed);
	CHECK(tally->removed && tally->missing);
	CHECK(tally->any && tally->none && tally->found && tally->ended);
	CHECK(tally->marked && tally->kernels > 1);
}

void test_random_operations(void)
{
	struct walk walk = { .world = world_create() };
	u64 left = test_options.ops;

	while (left) {
		u64 ops = min_t(u64, left, OPS_PER_KERNEL);

		ops = min_t(u64, ops, test_options.ops / 8 + 1);
		live_update(&walk, ops);
		left -= ops;
	}
	check_tally(&walk.tally);
	world_destroy(&walk.world);
}
