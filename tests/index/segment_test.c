// SPDX-License-Identifier: GPL-2.0
/*
 * Segments: their numbers, their count, and their order in an iteration.
 */

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>

#include "harness.h"
#include "liveupdate_index.h"
#include "record.h"
#include "shim/kho_shim.h"
#include "test_pci_liveupdate_index.h"
#include "tests.h"
#include "world.h"

#define NR_SEGMENTS	1000

/* Numbers that differ in one bit are different segments. */
static const u32 domains[] = {
	0xffffffff, 0, 0x10000, 0xffff, 1, 0x7fffffff, 0x80000000, 0x10001,
};

static void check_absent(const struct world *world, u32 domain)
{
	struct pci_liveupdate_damage damage;
	const struct pci_function_ser *entry;

	CHECK(!test_index_contains(world->index, PCI_SER_KEY(domain, 0)));
	CHECK(!pci_liveupdate_index_any(world->index, domain, 0, 255));
	CHECK(!test_index_remove(world->index, PCI_SER_KEY(domain, 0)));
	CHECK(!test_index_marked(world->index, PCI_SER_KEY(domain, 0)));
	entry = test_index_entry(world->index, PCI_SER_KEY(domain, 0), &damage);
	CHECK_EQ(PTR_ERR(entry), -ENOENT);
}

void test_segment_numbers(void)
{
	struct world world = world_create();

	for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
		check_absent(&world, domains[i]);
		world_add(&world, PCI_SER_KEY(domains[i], 0));
		world_add(&world, PCI_SER_KEY(domains[i], 0xffff));
		world_add(&world, PCI_SER_KEY(domains[i], 0x80 + i));
		model_compare_all(world.model, world.index);
		CHECK_EQ(world.index->ser->nr_segments, i + 1);
	}

	world_restore(&world, world_kexec(&world));
	model_compare_all(world.model, world.index);
	for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
		world_remove(&world, PCI_SER_KEY(domains[i], 0));
		world_remove(&world, PCI_SER_KEY(domains[i], 0xffff));
		model_compare_all(world.model, world.index);
		world_remove(&world, PCI_SER_KEY(domains[i], 0x80 + i));
		check_absent(&world, domains[i]);
	}
	CHECK_EQ(pci_liveupdate_index_count(world.index), 0);
	world_destroy(&world);
}

/* Return unique numbers, far apart and unordered. */
static u32 nth_domain(unsigned int n)
{
	return n * 0x9e3779b1;
}

static void check_blocks(u64 root_pa)
{
	unsigned int left = NR_SEGMENTS;
	unsigned int nr_blocks = 0;

	for (u64 pa = record_root(root_pa)->segments; pa;
	     pa = ((struct kho_block_header_ser *)phys_to_virt(pa))->next) {
		struct kho_block_header_ser *block = phys_to_virt(pa);
		unsigned int expected = min_t(unsigned int, left,
					      SEGMENTS_PER_BLOCK);

		CHECK_EQ(block->count, expected);
		left -= expected;
		nr_blocks++;
	}
	CHECK_EQ(nr_blocks, 8);
	CHECK_EQ(left, 0);
}

void test_thousand_segments(void)
{
	struct world world = world_create();
	u64 root_pa;

	for (unsigned int i = 0; i < NR_SEGMENTS; i++) {
		check_absent(&world, nth_domain(i));
		world_add(&world, PCI_SER_KEY(nth_domain(i), i * 65));
	}
	model_compare(world.model, world.index);

	root_pa = world_kexec(&world);
	check_blocks(root_pa);
	CHECK_EQ(record_root(root_pa)->nr_segments, 1000);
	CHECK_EQ(record_root(root_pa)->nr_devices, 1000);
	for (unsigned int i = 0; i < NR_SEGMENTS; i++)
		CHECK_EQ(record_segment(root_pa, i)->domain, nth_domain(i));

	world_restore(&world, root_pa);
	for (unsigned int i = 0; i < NR_SEGMENTS; i++) {
		world_remove(&world, PCI_SER_KEY(nth_domain(i), i * 65));
		check_absent(&world, nth_domain(i));
	}
	model_compare(world.model, world.index);
	test_note("%u segments in 6 blocks", NR_SEGMENTS);
	world_destroy(&world);
}

static void check_next(const struct world *world, pci_ser_key_t key,
		       bool found, pci_ser_key_t expected)
{
	CHECK_EQ(pci_liveupdate_index_next(world->index, &key), found);
	if (found)
		CHECK_EQ(key, expected);
}

void test_iteration_edges(void)
{
	const pci_ser_key_t first = PCI_SER_KEY(3, 0x0100);
	const pci_ser_key_t middle = PCI_SER_KEY(5, 0x0000);
	const pci_ser_key_t last = PCI_SER_KEY(0xffffffff, 0xffff);
	struct world world = world_create();

	check_next(&world, 0, false, 0);
	world_add(&world, PCI_SER_KEY(3, 0x0100));
	world_add(&world, PCI_SER_KEY(4, 0x0000));
	world_remove(&world, PCI_SER_KEY(4, 0x0000));
	world_add(&world, PCI_SER_KEY(5, 0x0000));
	world_add(&world, PCI_SER_KEY(0xffffffff, 0xffff));

	check_next(&world, 0, true, first);
	check_next(&world, first, true, first);
	/* The BDF of the first key applies to the segment of this key only. */
	check_next(&world, PCI_SER_KEY(2, 0xffff), true, first);
	check_next(&world, first + 1, true, middle);
	check_next(&world, PCI_SER_KEY(3, 0xffff), true, middle);
	check_next(&world, PCI_SER_KEY(4, 0x0000), true, middle);
	check_next(&world, middle, true, middle);
	check_next(&world, middle + 1, true, last);
	check_next(&world, last, true, last);
	check_next(&world, last + 1, false, 0);
	check_next(&world, ~0ULL, false, 0);
	world_destroy(&world);
}

void test_iteration_removes(void)
{
	struct world world = world_create();
	unsigned int nr = 0;
	pci_ser_key_t key;

	for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
		for (unsigned int bdf = i; bdf < PCI_SER_BDFS; bdf += 77)
			world_add(&world, PCI_SER_KEY(domains[i], bdf));
	}
	world_restore(&world, world_kexec(&world));

	pci_liveupdate_index_for_each(world.index, key) {
		world_remove(&world, key);
		nr++;
	}
	/* Each segment has 852 functions: one in 77 of 65,536. */
	CHECK_EQ(nr, 852 * ARRAY_SIZE(domains));
	model_compare_all(world.model, world.index);
	world_destroy(&world);
}
