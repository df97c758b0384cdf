// SPDX-License-Identifier: GPL-2.0
/*
 * Add and remove each of the 65,536 functions of a segment.
 */

#include <string.h>

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>

#include "harness.h"
#include "liveupdate_index.h"
#include "shim/kho_shim.h"
#include "test_pci_liveupdate_index.h"
#include "tests.h"
#include "world.h"

#define DOMAIN		0x1234
#define GENERATION	1

/* Returns the nth BDF of a permutation of all BDFs. */
typedef u16 (*order_fn)(unsigned int n);

static u16 ascending(unsigned int n)
{
	return n;
}

static u16 descending(unsigned int n)
{
	return ~n;
}

/* An odd factor gives each number once; this one makes large steps. */
static u16 scattered(unsigned int n)
{
	return n * 40503;
}

/* Ask for ranges that begin or end at the bus of @bdf, or next to it. */
static void check_any(const struct world *world, u16 bdf)
{
	u8 bus = bdf >> 8;
	const struct {
		u8 first_bus;
		u8 last_bus;
	} ranges[] = {
		{ bus, bus }, { 0, bus }, { bus, 255 }, { 0, 255 },
		{ 0, bus - 1 }, { bus + 1, 255 }, { bus, bus - 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		CHECK_EQ(pci_liveupdate_index_any(world->index, DOMAIN,
						  ranges[i].first_bus,
						  ranges[i].last_bus),
			 model_any(world->model, DOMAIN, ranges[i].first_bus,
				   ranges[i].last_bus));
}

static void check_next(const struct world *world, u16 bdf)
{
	pci_ser_key_t expected = PCI_SER_KEY(DOMAIN, bdf);
	pci_ser_key_t key = expected;
	bool found;

	found = model_next(world->model, &expected);
	CHECK_EQ(pci_liveupdate_index_next(world->index, &key), found);
	if (found)
		CHECK_EQ(key, expected);
}

static void check_entry(const struct world *world, u16 bdf)
{
	const pci_ser_key_t key = PCI_SER_KEY(DOMAIN, bdf);
	struct pci_function_ser expected = model_entry(key, GENERATION);
	struct pci_liveupdate_damage damage;
	const struct pci_function_ser *entry;

	entry = test_index_entry(world->index, key, &damage);
	ASSERT(!IS_ERR(entry));
	CHECK(!memcmp(entry, &expected, sizeof(expected)));
}

static void check_absent(const struct world *world, u16 bdf)
{
	struct pci_liveupdate_damage damage;
	const struct pci_function_ser *entry;

	CHECK(!test_index_contains(world->index, PCI_SER_KEY(DOMAIN, bdf)));
	CHECK(!test_index_remove(world->index, PCI_SER_KEY(DOMAIN, bdf)));
	entry = test_index_entry(world->index, PCI_SER_KEY(DOMAIN, bdf), &damage);
	CHECK_EQ(PTR_ERR(entry), -ENOENT);
}

static void add_one(struct world *world, u16 bdf)
{
	const pci_ser_key_t key = PCI_SER_KEY(DOMAIN, bdf);
	struct pci_function_ser other = model_entry(key, GENERATION + 1);
	struct pci_function_ser entry = model_entry(key, GENERATION);

	check_absent(world, bdf);
	CHECK_EQ(pci_liveupdate_index_add(world->index, key, &entry), 0);
	model_set(world->model, key, GENERATION);

	CHECK(test_index_contains(world->index, key));
	CHECK_EQ(pci_liveupdate_index_add(world->index, key, &other), -EEXIST);
	check_entry(world, bdf);
	check_any(world, bdf);
	check_next(world, bdf);
	check_next(world, bdf + 1);
	CHECK_EQ(pci_liveupdate_index_count(world->index),
		 world->model->nr_devices);
}

static void remove_one(struct world *world, u16 bdf)
{
	check_entry(world, bdf);
	CHECK(test_index_remove(world->index, PCI_SER_KEY(DOMAIN, bdf)));
	model_set(world->model, PCI_SER_KEY(DOMAIN, bdf), 0);

	check_absent(world, bdf);
	check_any(world, bdf);
	check_next(world, bdf);
	CHECK_EQ(pci_liveupdate_index_count(world->index),
		 world->model->nr_devices);
}

static void run_orders(order_fn add_order, order_fn remove_order)
{
	struct world world = world_create();
	unsigned int added = 0, removed = 0;

	for (unsigned int i = 0; i < PCI_SER_BDFS; i++, added++)
		add_one(&world, add_order(i));
	CHECK_EQ(pci_liveupdate_index_count(world.index), 65536);
	model_compare_all(world.model, world.index);

	for (unsigned int i = 0; i < PCI_SER_BDFS; i++, removed++)
		remove_one(&world, remove_order(i));
	CHECK_EQ(pci_liveupdate_index_count(world.index), 0);
	model_compare_all(world.model, world.index);

	CHECK_EQ(added, 65536);
	CHECK_EQ(removed, 65536);
	test_note("%u functions added, %u removed", added, removed);
	world_destroy(&world);
}

void test_functions_ascending(void)
{
	run_orders(ascending, descending);
}

void test_functions_descending(void)
{
	run_orders(descending, scattered);
}

void test_functions_scattered(void)
{
	run_orders(scattered, ascending);
}

/* Keep the leaf of an empty bus, and overwrite the entry of a function. */
void test_function_comes_back(void)
{
	struct world world = world_create();
	unsigned long pages;

	world_add(&world, PCI_SER_KEY(DOMAIN, 0x0208));
	pages = kho_shim_count(KHO_SHIM_OUTGOING);
	for (int i = 0; i < 1000; i++) {
		world_remove(&world, PCI_SER_KEY(DOMAIN, 0x0208));
		world_add(&world, PCI_SER_KEY(DOMAIN, 0x0208));
		model_compare(world.model, world.index);
	}
	CHECK_EQ(kho_shim_count(KHO_SHIM_OUTGOING), pages);
	world_destroy(&world);
}
