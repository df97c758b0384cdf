// SPDX-License-Identifier: GPL-2.0
/*
 * An index and its model, changed together.
 */

#include <linux/err.h>

#include "harness.h"
#include "liveupdate_index.h"
#include "shim/kho_shim.h"
#include "test_pci_liveupdate_index.h"
#include "world.h"

struct world world_create(void)
{
	struct world world = {
		.index = pci_liveupdate_index_create(),
		.model = model_create(),
	};

	ASSERT(!IS_ERR(world.index));
	return world;
}

void world_destroy(struct world *world)
{
	pci_liveupdate_index_destroy(world->index);
	model_destroy(world->model);
}

/* Return 1 to 255, another number for each addition in a row. */
static u8 new_generation(void)
{
	static u8 generation;

	return generation = generation % 255 + 1;
}

void world_add(struct world *world, pci_ser_key_t key)
{
	u8 generation = new_generation();
	struct pci_function_ser entry = model_entry(key, generation);

	CHECK_EQ(pci_liveupdate_index_add(world->index, key, &entry), 0);
	model_set(world->model, key, generation);
}

void world_add_vf(struct world *world, pci_ser_key_t key)
{
	u8 generation = new_generation();
	struct pci_function_ser entry = model_entry_of(key, generation, MODEL_VF);

	CHECK_EQ(pci_liveupdate_index_add(world->index, key, &entry), 0);
	model_set(world->model, key, generation);
	model_set_kind(world->model, key, MODEL_VF);
}

void world_add_pf(struct world *world, pci_ser_key_t key)
{
	u8 generation = new_generation();
	struct pci_function_ser entry = model_entry_of(key, generation, MODEL_PF);
	struct pci_sriov_ser sriov = model_sriov(key, generation);

	CHECK_EQ(pci_liveupdate_index_add_pf(world->index, key, &entry, &sriov), 0);
	model_set(world->model, key, generation);
	model_set_kind(world->model, key, MODEL_PF);
}

void world_set_implied(struct world *world, pci_ser_key_t pf, bool implied)
{
	struct pci_liveupdate_slot slot;

	ASSERT(pci_liveupdate_index_find(world->index, pf, &slot));
	pci_liveupdate_index_set_flags(&slot, PCI_SER_IMPLIED, implied);
	model_set_kind(world->model, pf, implied ? MODEL_IMPLIED_PF : MODEL_PF);
}

void world_remove(struct world *world, pci_ser_key_t key)
{
	bool was_there = model_get(world->model, key);

	CHECK_EQ(test_index_remove(world->index, key), was_there);
	if (was_there)
		model_set(world->model, key, 0);
}

void world_mark(struct world *world, pci_ser_key_t key, bool mark)
{
	struct pci_liveupdate_slot slot;

	ASSERT(pci_liveupdate_index_find(world->index, key, &slot));
	pci_liveupdate_index_mark(&slot, mark);
	model_mark(world->model, key, mark);
}

u64 world_kexec(struct world *world)
{
	u64 root_pa = pci_liveupdate_index_root_pa(world->index);

	kho_shim_kexec();
	world->index = NULL;
	return root_pa;
}

void world_restore(struct world *world, u64 root_pa)
{
	struct pci_liveupdate_damage damage;

	world->index = pci_liveupdate_index_restore(root_pa, &damage);
	ASSERT(!IS_ERR(world->index));
	model_clear_marks(world->model);
	model_compare(world->model, world->index);
}

static int carry_over(struct world *world, struct pci_liveupdate_index *incoming,
		      pci_ser_key_t key)
{
	const struct pci_function_ser *entry;
	const struct pci_sriov_ser *sriov;
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_slot slot;

	ASSERT(pci_liveupdate_index_find(incoming, key, &slot));
	entry = pci_liveupdate_index_entry(incoming, &slot, &damage);
	ASSERT(!IS_ERR(entry));
	if (!(entry->flags & PCI_SER_PF))
		return pci_liveupdate_index_add(world->index, key, entry);

	sriov = pci_liveupdate_index_sriov(incoming, &slot, &damage);
	ASSERT(!IS_ERR(sriov));
	return pci_liveupdate_index_add_pf(world->index, key, entry, sriov);
}

void world_carry_over(struct world *world)
{
	struct pci_liveupdate_index *incoming = world->index;
	pci_ser_key_t key;

	world->index = pci_liveupdate_index_create();
	ASSERT(!IS_ERR(world->index));
	pci_liveupdate_index_for_each(incoming, key)
		CHECK_EQ(carry_over(world, incoming, key), 0);
	pci_liveupdate_index_destroy(incoming);
	model_prune(world->model);
	model_clear_marks(world->model);
	model_compare(world->model, world->index);
}
