// SPDX-License-Identifier: GPL-2.0
/*
 * Ask for functions on every range of buses. Asking must not write to the index.
 */

#include <linux/kernel.h>

#include "harness.h"
#include "shim/heap_shim.h"
#include "shim/kho_shim.h"
#include "tests.h"
#include "world.h"

#define DOMAIN		7
#define OTHER_DOMAIN	8

/* The buses with functions. The last two patterns are random. */
struct pattern {
	const char *name;
	bool (*has)(unsigned int bus);
};

static bool on_none(unsigned int bus)
{
	return false;
}

static bool on_all(unsigned int bus)
{
	return true;
}

static bool on_first(unsigned int bus)
{
	return bus == 0;
}

static bool on_last(unsigned int bus)
{
	return bus == 255;
}

static bool on_both_ends(unsigned int bus)
{
	return bus == 0 || bus == 255;
}

static bool on_63(unsigned int bus)
{
	return bus == 63;
}

static bool on_64(unsigned int bus)
{
	return bus == 64;
}

static bool on_127(unsigned int bus)
{
	return bus == 127;
}

static bool on_128(unsigned int bus)
{
	return bus == 128;
}

static bool on_word_edges(unsigned int bus)
{
	return bus % 64 == 0 || bus % 64 == 63;
}

static bool on_all_but_middle(unsigned int bus)
{
	return bus < 63 || bus > 192;
}

static bool on_even(unsigned int bus)
{
	return bus % 2 == 0;
}

static bool on_odd(unsigned int bus)
{
	return bus % 2;
}

static bool on_some(unsigned int bus)
{
	return test_random() % 16 == 0;
}

static const struct pattern patterns[] = {
	{ "none", on_none },
	{ "all", on_all },
	{ "first", on_first },
	{ "last", on_last },
	{ "both ends", on_both_ends },
	{ "63", on_63 },
	{ "64", on_64 },
	{ "127", on_127 },
	{ "128", on_128 },
	{ "word edges", on_word_edges },
	{ "all but the middle", on_all_but_middle },
	{ "even", on_even },
	{ "odd", on_odd },
	{ "some", on_some },
	{ "others", on_some },
};

/* Return the first or the last function of a bus, next to another bus. */
static u16 edge_of_bus(unsigned int bus)
{
	return bus << 8 | (bus % 3 ? 0xff : 0);
}

static bool any_busy(const bool *busy, unsigned int first, unsigned int last)
{
	for (unsigned int bus = first; bus <= last; bus++) {
		if (busy[bus])
			return true;
	}
	return false;
}

static unsigned int check_all_ranges(const struct world *world,
				     const bool *busy, const char *name)
{
	struct kho_shim_image *record = kho_shim_save();
	u64 heap = heap_shim_checksum();
	unsigned int nr = 0;

	for (unsigned int first = 0; first < PCI_SER_BUSES; first++) {
		for (unsigned int last = 0; last < PCI_SER_BUSES; last++, nr++) {
			if (pci_liveupdate_index_any(world->index, DOMAIN, first,
						     last) !=
			    any_busy(busy, first, last))
				test_fail(__FILE__, __LINE__, "%s: %u to %u",
					  name, first, last);
		}
	}
	CHECK(kho_shim_same(record));
	CHECK_EQ(heap_shim_checksum(), heap);
	kho_shim_drop(record);
	return nr;
}

static unsigned int run_pattern(const struct pattern *pattern)
{
	struct world world = world_create();
	bool busy[PCI_SER_BUSES];
	unsigned int nr = 0;

	/* Create the segment even if it has no function, and another segment. */
	world_add(&world, PCI_SER_KEY(OTHER_DOMAIN, 0x8000));
	world_add(&world, PCI_SER_KEY(DOMAIN, 0x4000));
	world_remove(&world, PCI_SER_KEY(DOMAIN, 0x4000));
	for (unsigned int bus = 0; bus < PCI_SER_BUSES; bus++) {
		busy[bus] = pattern->has(bus);
		if (busy[bus])
			world_add(&world,
				  PCI_SER_KEY(DOMAIN, edge_of_bus(bus)));
	}
	nr += check_all_ranges(&world, busy, pattern->name);

	/* Restoring computes the summary of the buses anew. */
	world_restore(&world, world_kexec(&world));
	nr += check_all_ranges(&world, busy, pattern->name);
	world_destroy(&world);
	return nr;
}

void test_any(void)
{
	unsigned int nr = 0;

	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		nr += run_pattern(&patterns[i]);
	CHECK_EQ(nr, ARRAY_SIZE(patterns) * 2 * 65536);
	test_note("%u ranges of buses in %zu patterns", nr, ARRAY_SIZE(patterns));
}
