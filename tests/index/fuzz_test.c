// SPDX-License-Identifier: GPL-2.0
/*
 * Records with random damages: the index refuses them unchanged, or uses them without
 * harm.
 */

#include <linux/errno.h>
#include <linux/kernel.h>

#include "harness.h"
#include "record.h"
#include "shim/kho_shim.h"
#include "shim/log_shim.h"
#include "test_pci_liveupdate_checksum.h"
#include "tests.h"
#include "world.h"

#define OPS_PER_RECORD	1000
#define MAX_DAMAGES	4
#define NR_SEGMENTS	3

/* The functions in each segment of the record. The last one is a PF. */
static const u16 bdfs[] = { 0x0100, 0x01ff, 0x0208, 0x0210 };

#define PF_BDF		0x0210

/* A part of the record that the index reads as a whole. */
struct part {
	void *start;
	size_t size;
};

#define NR_PARTS	(3 + 7 * NR_SEGMENTS)

struct base {
	u64 root_pa;
	struct kho_shim_image *image;
	struct part parts[NR_PARTS];
	struct pci_segment_ser *segments[NR_SEGMENTS];
	struct pci_function_ser *entries[NR_SEGMENTS][ARRAY_SIZE(bdfs)];
	struct pci_sriov_ser *states[NR_SEGMENTS];
};

struct tally {
	unsigned long refused;
	unsigned long used_twice;
	unsigned long accepted;
	unsigned long bad_entries;
};

static void find_parts(struct base *base)
{
	struct kho_block_header_ser *block = record_block(base->root_pa, 0);
	struct part *part = base->parts;

	*part++ = (struct part) { record_root(base->root_pa),
				  sizeof(struct pci_ser) };
	*part++ = (struct part) { block, sizeof(*block) };
	*part++ = (struct part) { block + 1, NR_SEGMENTS *
				  sizeof(struct pci_segment_ser) };
	for (unsigned int n = 0; n < NR_SEGMENTS; n++) {
		struct pci_segment_ser *seg = record_segment(base->root_pa, n);

		base->segments[n] = seg;
		base->states[n] = record_sriov(seg, PF_BDF);
		for (size_t i = 0; i < ARRAY_SIZE(bdfs); i++)
			base->entries[n][i] = record_entry(seg, bdfs[i]);
		*part++ = (struct part) { record_bitmap(seg),
					  PCI_SER_BITMAP_SIZE };
		*part++ = (struct part) { record_buses(seg), 32 };
		*part++ = (struct part) { record_entry(seg, bdfs[0]),
					  sizeof(struct pci_function_ser) };
		*part++ = (struct part) { record_entry(seg, bdfs[2]),
					  sizeof(struct pci_function_ser) };
		*part++ = (struct part) { record_entry(seg, PF_BDF),
					  sizeof(struct pci_function_ser) };
		*part++ = (struct part) { record_sriov(seg, PF_BDF),
					  sizeof(struct pci_sriov_ser) };
		*part++ = (struct part) { record_buses(seg) + PCI_SER_BUSES, 32 };
	}
	ASSERT(part == base->parts + NR_PARTS);
}

static struct base base_create(void)
{
	struct world world = world_create();
	struct base base;

	for (unsigned int i = 0; i < NR_SEGMENTS; i++) {
		for (size_t j = 0; bdfs[j] != PF_BDF; j++)
			world_add(&world, PCI_SER_KEY(i, bdfs[j]));
		world_add_pf(&world, PCI_SER_KEY(i, PF_BDF));
	}
	base.root_pa = world_kexec(&world);
	base.image = kho_shim_save();
	model_destroy(world.model);
	find_parts(&base);
	return base;
}

static void base_destroy(struct base *base)
{
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;

	ASSERT(!record_restore(base->root_pa, &index, &damage));
	pci_liveupdate_index_destroy(index);
	kho_shim_drop(base->image);
}

static struct part *random_part(struct base *base)
{
	return &base->parts[test_random() % NR_PARTS];
}

/* Return a value that may pass for a valid one. */
static u64 random_value(struct base *base, u64 old)
{
	switch (test_random() % 6) {
	case 0:
		return 0;
	case 1:
		return ~0ULL;
	case 2:
		return old + test_random() % 5 - 2;
	case 3:
		/* The address of this or of another part of the record. */
		return ALIGN_DOWN(virt_to_phys(random_part(base)->start),
				  PAGE_SIZE);
	case 4:
		return old ^ 1ULL << test_random() % 64;
	default:
		return test_random();
	}
}

static void damage_part(struct base *base, struct part *part)
{
	u64 *word = (u64 *)part->start + test_random() % (part->size / 8);

	*word = random_value(base, *word);
}

/* Let the damage get past the checksums. */
static void repair_checksums(struct base *base)
{
	record_repair_root(base->root_pa);
	for (unsigned int n = 0; n < NR_SEGMENTS; n++) {
		struct pci_segment_ser *seg = base->segments[n];
		struct pci_sriov_ser *state = base->states[n];

		record_repair_segment(seg);
		for (size_t i = 0; i < ARRAY_SIZE(bdfs); i++) {
			struct pci_function_ser *entry = base->entries[n][i];

			entry->checksum =
				test_entry_checksum(PCI_SER_KEY(seg->domain, bdfs[i]), entry);
		}
		state->checksum =
			test_sriov_checksum(PCI_SER_KEY(seg->domain, PF_BDF), state);
	}
}

static void try_record(struct base *base, struct tally *tally)
{
	struct kho_shim_image *damaged = kho_shim_save();
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;
	unsigned int nr_good;
	int err;

	err = record_restore(base->root_pa, &index, &damage);
	if (!err) {
		nr_good = record_use(index);
		tally->accepted++;
		tally->bad_entries += NR_SEGMENTS * ARRAY_SIZE(bdfs) - nr_good;
		log_shim_take_messages();
	} else {
		CHECK(damage.field && damage.rule);
		/* The index detects pages used twice while it takes pages over. */
		CHECK(err == -EBUSY || kho_shim_same(damaged));
		tally->used_twice += err == -EBUSY;
		tally->refused++;
	}
	kho_shim_drop(damaged);
	kho_shim_rewind(base->image);
}

void test_random_damage(void)
{
	struct base base = base_create();
	struct tally tally = { };

	for (u64 i = 0; i < test_options.ops / OPS_PER_RECORD; i++) {
		for (u64 n = test_random() % MAX_DAMAGES + 1; n; n--)
			damage_part(&base, random_part(&base));
		if (test_random() % 2)
			repair_checksums(&base);
		try_record(&base, &tally);
	}

	test_note("%lu records refused, %lu of them for a page used twice",
		  tally.refused, tally.used_twice);
	test_note("%lu records accepted, with %lu bad entries",
		  tally.accepted, tally.bad_entries);
	CHECK(tally.refused && tally.accepted && tally.bad_entries);
	base_destroy(&base);
}
