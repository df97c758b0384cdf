// SPDX-License-Identifier: GPL-2.0
/*
 * Entries of functions: which are good, and what is wrong with the others.
 */

#include <string.h>

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <uapi/linux/pci_regs.h>

#include "harness.h"
#include "liveupdate_index.h"
#include "record.h"
#include "test_pci_liveupdate_index.h"
#include "tests.h"
#include "world.h"

#define BUS	0x12
#define BDF	(BUS << 8 | 0x34)

#define FUNCTION(...)							\
	{ .vendor = 0x8086, .hdr_type = PCI_HEADER_TYPE_NORMAL, __VA_ARGS__ }
#define BRIDGE(...)							\
	{ .vendor = 0x8086, .hdr_type = PCI_HEADER_TYPE_BRIDGE,		\
	  .secondary = BUS + 1, .subordinate = BUS + 1, __VA_ARGS__ }

struct bad_entry {
	struct pci_function_ser entry;
	const char *field;
	u64 found;
	u64 expected;
};

static const struct bad_entry bad_entries[] = {
	{ FUNCTION(.hdr_type = PCI_HEADER_TYPE_CARDBUS), "hdr_type", 2, 1 },
	{ FUNCTION(.hdr_type = 0x80), "hdr_type", 0x80, 1 },
	{ BRIDGE(.hdr_type = 0x81), "hdr_type", 0x81, 1 },
	{ FUNCTION(.hdr_type = 0xff), "hdr_type", 0xff, 1 },
	{ FUNCTION(.vendor = 0), "vendor", 0, 0xffff },
	{ FUNCTION(.vendor = 0xffff), "vendor", 0xffff, 0xffff },
	{ BRIDGE(.vendor = 0), "vendor", 0, 0xffff },
	{ BRIDGE(.vendor = 0xffff), "vendor", 0xffff, 0xffff },
	{ FUNCTION(.bar_shift[0] = 64), "bar_shift", 64, 64 },
	{ FUNCTION(.bar_shift[1] = 64), "bar_shift", 64, 64 },
	{ FUNCTION(.bar_shift[2] = 255), "bar_shift", 255, 64 },
	{ FUNCTION(.bar_shift[3] = 128), "bar_shift", 128, 64 },
	{ FUNCTION(.bar_shift[4] = 65), "bar_shift", 65, 64 },
	{ FUNCTION(.bar_shift[5] = 64), "bar_shift", 64, 64 },
	{ FUNCTION(.bar_shift[PCI_SER_ROM] = 64), "bar_shift", 64, 64 },
	{ BRIDGE(.bar_shift[0] = 64), "bar_shift", 64, 64 },
	{ BRIDGE(.bar_shift[1] = 64), "bar_shift", 64, 64 },
	{ BRIDGE(.bar_shift[2] = 1), "bar_shift", 1, 1 },
	{ BRIDGE(.bar_shift[3] = 1), "bar_shift", 1, 1 },
	{ BRIDGE(.bar_shift[4] = 12), "bar_shift", 12, 1 },
	{ BRIDGE(.bar_shift[5] = 64), "bar_shift", 64, 1 },
	{ BRIDGE(.bar_shift[PCI_SER_ROM] = 64), "bar_shift", 64, 64 },
	{ BRIDGE(.secondary = 0), "secondary", 0, BUS },
	{ BRIDGE(.secondary = BUS - 1), "secondary", BUS - 1, BUS },
	{ BRIDGE(.secondary = BUS), "secondary", BUS, BUS },
	{ BRIDGE(.subordinate = 0), "subordinate", 0, BUS + 1 },
	{ BRIDGE(.subordinate = BUS), "subordinate", BUS, BUS + 1 },
	{ BRIDGE(.secondary = 0xff), "subordinate", BUS + 1, 0xff },
	{ FUNCTION(.secondary = 1), "secondary and subordinate", 0x100, 0 },
	{ FUNCTION(.subordinate = 1), "secondary and subordinate", 1, 0 },
	{ FUNCTION(.secondary = BUS + 1, .subordinate = BUS + 1),
	  "secondary and subordinate", (BUS + 1) << 8 | (BUS + 1), 0 },
	{ FUNCTION(.flags = 0x80), "flags", 0x80, PCI_SER_INTX_BROKEN },
	{ BRIDGE(.flags = 0xff), "flags", 0xff, PCI_SER_INTX_BROKEN },
	{ FUNCTION(.reserved = 0x80), "reserved", 0x80, 0 },
	{ BRIDGE(.reserved = 1), "reserved", 1, 0 },
};

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

/* A restored index with one function, whose entry is to be overwritten. */
static struct world make_world(u32 domain, struct pci_function_ser **entry)
{
	struct world world = world_create();
	u64 root_pa;

	world_add(&world, PCI_SER_KEY(domain, BDF));
	root_pa = world_kexec(&world);
	*entry = record_entry(record_segment(root_pa, 0), BDF);
	world_restore(&world, root_pa);
	return world;
}

static void check_bad(const struct world *world, u32 domain,
		      const struct bad_entry *bad)
{
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage = { };

	entry = test_index_entry(world->index, PCI_SER_KEY(domain, BDF), &damage);
	CHECK_EQ(PTR_ERR(entry), -EBADMSG);
	ASSERT(damage.field && damage.rule);
	CHECK(!strcmp(damage.field, bad->field));
	CHECK(damage.in_segment);
	CHECK_EQ(damage.domain, domain);
	CHECK_EQ(damage.found, bad->found);
	CHECK_EQ(damage.expected, bad->expected);
}

static void run_bad_entries(u32 domain)
{
	struct pci_function_ser *entry;
	struct world world = make_world(domain, &entry);

	for (size_t i = 0; i < ARRAY_SIZE(bad_entries); i++) {
		*entry = bad_entries[i].entry;
		check_bad(&world, domain, &bad_entries[i]);
		/* What is said of a function is not what says it is there. */
		CHECK(test_index_contains(world.index, PCI_SER_KEY(domain, BDF)));
	}
	world_destroy(&world);
}

void test_damaged_entries(void)
{
	run_bad_entries(0);
	run_bad_entries(0xabcdef);
	test_note("%zu bad entries", ARRAY_SIZE(bad_entries));
}

void test_good_entries(void)
{
	struct pci_function_ser *entry;
	struct world world = make_world(0, &entry);
	struct pci_liveupdate_damage damage;

	for (size_t i = 0; i < ARRAY_SIZE(good_entries); i++) {
		*entry = good_entries[i];
		CHECK(test_index_entry(world.index, PCI_SER_KEY(0, BDF), &damage) ==
		      entry);
	}
	test_note("%zu good entries", ARRAY_SIZE(good_entries));
	world_destroy(&world);
}
