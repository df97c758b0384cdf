// SPDX-License-Identifier: GPL-2.0
/*
 * Entries of functions at the limits of their fields, which the index accepts.
 */

#include <linux/kernel.h>

#include "harness.h"
#include "liveupdate_index.h"
#include "record.h"
#include "test_pci_liveupdate_index.h"
#include "tests.h"
#include "world.h"

#define BUS	0x12
#define BDF	(BUS << 8 | 0x34)

#define FUNCTION(...)							\
	{ .vendor = 0x8086, __VA_ARGS__ }
#define BRIDGE(...)							\
	{ .vendor = 0x8086, .flags = PCI_SER_BRIDGE,			\
	  .secondary = BUS + 1, .subordinate = BUS + 1, __VA_ARGS__ }

static const struct pci_function_ser good_entries[] = {
	FUNCTION(),
	FUNCTION(.vendor = 1),
	FUNCTION(.vendor = 0xfffe, .device = 0xffff),
	FUNCTION(.bar_shift = { 63, 63, 63, 63, 63, 63, 63 }),
	FUNCTION(.bar_shift = { 1, 2, 4, 8, 16, 32, 0 }),
	BRIDGE(),
	BRIDGE(.vendor = 1),
	BRIDGE(.vendor = 0xfffe, .device = 0xffff),
	BRIDGE(.bar_shift = { 63, 63, 0, 0, 0, 0, 63 }),
	BRIDGE(.subordinate = 0xff),
	BRIDGE(.secondary = 0xff, .subordinate = 0xff),
};

/* Restore an index with one function. The test writes its entry. */
static struct world make_world(u32 domain, struct pci_segment_ser **seg)
{
	struct world world = world_create();
	u64 root_pa;

	world_add(&world, PCI_SER_KEY(domain, BDF));
	root_pa = world_kexec(&world);
	*seg = record_segment(root_pa, 0);
	world_restore(&world, root_pa);
	return world;
}

void test_good_entries(void)
{
	struct pci_segment_ser *seg;
	struct world world = make_world(0, &seg);
	struct pci_function_ser *entry = record_entry(seg, BDF);
	struct pci_liveupdate_damage damage;

	for (size_t i = 0; i < ARRAY_SIZE(good_entries); i++) {
		*entry = good_entries[i];
		record_repair_entry(seg, BDF);
		CHECK(test_index_entry(world.index, PCI_SER_KEY(0, BDF), &damage) ==
		      entry);
	}
	test_note("%zu good entries", ARRAY_SIZE(good_entries));
	world_destroy(&world);
}
