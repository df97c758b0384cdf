// SPDX-License-Identifier: GPL-2.0
/*
 * Hand a record over to the next kernel.
 */

#include <string.h>

#include <linux/err.h>
#include <linux/kernel.h>

#include "harness.h"
#include "liveupdate_index.h"
#include "record.h"
#include "shim/kho_shim.h"
#include "shim/log_shim.h"
#include "test_pci_liveupdate_index.h"
#include "tests.h"
#include "world.h"

/* Add full and sparse buses, and a segment that becomes empty. */
static struct world make_world(void)
{
	struct world world = world_create();

	for (unsigned int devfn = 0; devfn < PCI_SER_DEVFNS; devfn++)
		world_add(&world, PCI_SER_KEY(0, 0x4000 | devfn));
	for (unsigned int bus = 0; bus < PCI_SER_BUSES; bus++)
		world_add(&world, PCI_SER_KEY(1, bus << 8 | (u8)test_random()));
	for (unsigned int i = 0; i < 1000; i++) {
		u16 bdf = test_random();

		if (!model_get(world.model, PCI_SER_KEY(0x10000, bdf)))
			world_add(&world, PCI_SER_KEY(0x10000, bdf));
	}
	world_add(&world, PCI_SER_KEY(0xffffffff, 0x0000));
	world_remove(&world, PCI_SER_KEY(0xffffffff, 0x0000));
	return world;
}

static void remove_everything(struct world *world)
{
	pci_ser_key_t key;

	pci_liveupdate_index_for_each(world->index, key)
		world_remove(world, key);
}

void test_handover(void)
{
	struct world world = make_world();

	world_restore(&world, world_kexec(&world));
	model_compare_all(world.model, world.index);
	CHECK_EQ(kho_shim_count(KHO_SHIM_OUTGOING), 0);

	remove_everything(&world);
	model_compare_all(world.model, world.index);
	CHECK_EQ(pci_liveupdate_index_count(world.index), 0);
	world_destroy(&world);
	CHECK(test_is_clean());

	/* Destroying an index frees it with all its functions. */
	world = make_world();
	world_destroy(&world);
	CHECK(test_is_clean());

	world = make_world();
	world_restore(&world, world_kexec(&world));
	world_destroy(&world);
}

void test_handover_empty(void)
{
	struct world world = world_create();
	u64 root_pa = world_kexec(&world);

	CHECK_EQ(record_root(root_pa)->segments, 0);
	world_restore(&world, root_pa);
	CHECK_EQ(pci_liveupdate_index_count(world.index), 0);
	world_destroy(&world);
	CHECK(test_is_clean());

	/* An empty segment stays in the record. */
	world = world_create();
	world_add(&world, PCI_SER_KEY(9, 0x0900));
	world_remove(&world, PCI_SER_KEY(9, 0x0900));
	root_pa = world_kexec(&world);
	CHECK_EQ(record_root(root_pa)->nr_segments, 1);
	world_restore(&world, root_pa);
	CHECK_EQ(pci_liveupdate_index_count(world.index), 0);
	world_destroy(&world);

	pci_liveupdate_index_destroy(NULL);
}

/* Check the layout by numbers, not by the structures that both kernels share. */
void test_layout(void)
{
	static const u8 zeros[PCI_SER_BITMAP_SIZE];
	const pci_ser_key_t key = PCI_SER_KEY(0x10abc, 0x8143);
	struct pci_function_ser entry = model_entry(key, 1);
	struct world world = world_create();
	const u32 *root, *segment;
	const u64 *block, *buses;
	const u8 *bitmap, *leaf;
	u64 segments;

	CHECK_EQ(pci_liveupdate_index_add(world.index, key, &entry), 0);
	root = phys_to_virt(world_kexec(&world));
	CHECK_EQ(root[0], RECORD_VERSION);
	CHECK_EQ(root[1], PCI_SER_OLDEST_READER);
	CHECK_EQ(*(const u64 *)(root + 2), 0);
	segments = *(const u64 *)(root + 4);
	CHECK_EQ(root[6], 1);
	CHECK_EQ(root[7], test_crc32c(root, 28));
	CHECK_EQ(*(const u64 *)(root + 8), 1);
	block = phys_to_virt(segments);
	CHECK_EQ(block[0], 0);
	CHECK_EQ(block[1], 1);
	segment = (const u32 *)(block + 2);
	CHECK_EQ(segment[0], 0x10abc);
	CHECK_EQ(segment[1], 0);
	CHECK_EQ(segment[6], test_crc32c(segment, 24));
	CHECK_EQ(segment[7], 1);
	bitmap = phys_to_virt(*(const u64 *)(segment + 2));
	CHECK_EQ(bitmap[0x8143 / 8], 1 << 0x8143 % 8);
	CHECK(!memcmp(bitmap, zeros, 0x8143 / 8));
	CHECK(!memcmp(bitmap + 0x8143 / 8 + 1, zeros, 8192 - 0x8143 / 8 - 1));
	buses = phys_to_virt(*(const u64 *)(segment + 4));
	for (int bus = 0; bus < 512; bus++)
		CHECK_EQ(!!buses[bus], bus == 0x81);
	leaf = phys_to_virt(buses[0x81]);
	CHECK_EQ(leaf[0x43 * 16] | leaf[0x43 * 16 + 1] << 8, entry.vendor);
	CHECK_EQ(leaf[0x43 * 16 + 2] | leaf[0x43 * 16 + 3] << 8, entry.device);
	CHECK_EQ(leaf[0x43 * 16 + 4], entry.flags);
	CHECK_EQ(leaf[0x43 * 16 + 5], entry.bar_shift[0]);
	CHECK_EQ(leaf[0x43 * 16 + 15], test_crc8(0xff, 0x10abc8143, leaf + 0x43 * 16));
	CHECK(!memcmp(leaf, zeros, 0x43 * 16));

	model_set(world.model, key, 1);
	world_restore(&world, virt_to_phys(root));
	world_destroy(&world);
}

void test_handover_chain(void)
{
	struct world world = make_world();

	for (int kernel = 0; kernel < 5; kernel++) {
		world_restore(&world, world_kexec(&world));
		model_compare_all(world.model, world.index);
		world_carry_over(&world);
		CHECK_EQ(kho_shim_count(KHO_SHIM_HANDED_OVER), 0);
		CHECK_EQ(kho_shim_count(KHO_SHIM_RESTORED), 0);
		world_add(&world, PCI_SER_KEY(2 + kernel, 0x0100));
	}
	world_destroy(&world);
}

/* Return the address of the nth leaf of a record, or 0 if there is none. */
static u64 nth_leaf(u64 root_pa, unsigned int n)
{
	for (u32 i = 0; i < record_root(root_pa)->nr_segments; i++) {
		u64 *buses = record_buses(record_segment(root_pa, i));

		for (int bus = 0; bus < PCI_SER_BUSES; bus++) {
			if (buses[bus] && !n--)
				return buses[bus];
		}
	}
	return 0;
}

/* The cost of restoring depends on the number of segments only. */
void test_restore_reads_no_leaf(void)
{
	struct world world = make_world();
	struct pci_liveupdate_damage damage;
	u64 root_pa = world_kexec(&world);
	unsigned int nr;

	for (nr = 0; nth_leaf(root_pa, nr); nr++)
		kho_shim_hide(nth_leaf(root_pa, nr));
	CHECK(nr > 256);

	CHECK_EQ(record_restore(root_pa, &world.index, &damage), 0);
	/* Destroying the index takes the leaves and the block over. */
	CHECK_EQ(kho_shim_count(KHO_SHIM_HANDED_OVER), nr + 1);

	for (unsigned int i = 0; i < nr; i++)
		kho_shim_show(nth_leaf(root_pa, i));
	model_compare(world.model, world.index);
	world_destroy(&world);
}

static void check_size(const struct world *world)
{
	CHECK_EQ(pci_liveupdate_index_size(world->index), kho_shim_bytes());
}

void test_size(void)
{
	struct world world = world_create();

	check_size(&world);
	world_add(&world, PCI_SER_KEY(0, 0x0100));
	check_size(&world);
	world_add(&world, PCI_SER_KEY(0, 0x0101));
	check_size(&world);
	world_add(&world, PCI_SER_KEY(0, 0x0200));
	check_size(&world);
	/* The leaf of an empty bus stays in the record. */
	world_remove(&world, PCI_SER_KEY(0, 0x0200));
	check_size(&world);
	/* A leaf of PFs goes with the last PF. */
	world_add_pf(&world, PCI_SER_KEY(0, 0x0102));
	check_size(&world);
	world_add_pf(&world, PCI_SER_KEY(0, 0x0300));
	check_size(&world);
	world_remove(&world, PCI_SER_KEY(0, 0x0102));
	check_size(&world);
	world_remove(&world, PCI_SER_KEY(0, 0x0300));
	check_size(&world);
	world_add_pf(&world, PCI_SER_KEY(0, 0x0300));
	for (unsigned int i = 1; i <= SEGMENTS_PER_BLOCK; i++)
		world_add(&world, PCI_SER_KEY(i, 0x0300));
	check_size(&world);

	world_restore(&world, world_kexec(&world));
	check_size(&world);
	world_destroy(&world);
}

void test_marks(void)
{
	struct world world = make_world();
	pci_ser_key_t key;

	world_restore(&world, world_kexec(&world));
	pci_liveupdate_index_for_each(world.index, key) {
		u16 bdf = PCI_SER_KEY_BDF(key);

		/* Marking twice changes nothing. */
		world_mark(&world, key, false);
		world_mark(&world, key, bdf % 3);
		world_mark(&world, key, bdf % 3);
	}
	CHECK(pci_liveupdate_index_count_marked(world.index));
	model_compare_all(world.model, world.index);

	pci_liveupdate_index_for_each(world.index, key) {
		u16 bdf = PCI_SER_KEY_BDF(key);

		if (bdf % 2)
			world_remove(&world, key);
		else if (bdf % 5 == 0)
			world_mark(&world, key, false);
	}
	CHECK(pci_liveupdate_index_count_marked(world.index));
	model_compare_all(world.model, world.index);

	remove_everything(&world);
	CHECK_EQ(pci_liveupdate_index_count_marked(world.index), 0);
	model_compare_all(world.model, world.index);
	world_destroy(&world);
}

static void check_mark_warns(struct world *world,
			     const struct pci_liveupdate_slot *slot)
{
	for (int mark = 0; mark < 2; mark++) {
		pci_liveupdate_index_mark(slot, mark);
		CHECK_EQ(log_shim_take_warnings(), 1);
		CHECK_EQ(pci_liveupdate_index_count_marked(world->index), 0);
	}
}

void test_marks_misused(void)
{
	struct world world = world_create();
	struct pci_liveupdate_slot slot;

	/* An outgoing index has no marks. */
	world_add(&world, PCI_SER_KEY(3, 0x0100));
	world_add(&world, PCI_SER_KEY(3, 0x0101));
	ASSERT(pci_liveupdate_index_find(world.index, PCI_SER_KEY(3, 0x0100),
					 &slot));
	check_mark_warns(&world, &slot);
	CHECK(!pci_liveupdate_index_marked(&slot));

	/* A slot is invalid after its function was removed. */
	world_restore(&world, world_kexec(&world));
	ASSERT(pci_liveupdate_index_find(world.index, PCI_SER_KEY(3, 0x0100),
					 &slot));
	world_remove(&world, PCI_SER_KEY(3, 0x0100));
	check_mark_warns(&world, &slot);
	pci_liveupdate_index_remove(world.index, &slot);
	CHECK_EQ(log_shim_take_warnings(), 1);
	model_compare_all(world.model, world.index);
	world_destroy(&world);
}
