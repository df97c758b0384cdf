// SPDX-License-Identifier: GPL-2.0
/*
 * Flip each bit of a record: the index refuses it, or the bit is known to be harmless.
 */

#include <string.h>

#include <linux/errno.h>
#include <linux/kernel.h>
#include <uapi/linux/pci_regs.h>

#include "harness.h"
#include "record.h"
#include "shim/kho_shim.h"
#include "shim/log_shim.h"
#include "tests.h"
#include "world.h"

/* The functions in each segment of the record. */
static const u16 bdfs[] = { 0x0100, 0x0208 };

struct base {
	u64 root_pa;
	unsigned int nr_segments;
	struct kho_shim_image *image;
};

/* A part of the record, and the number of bits that may flip undetected. */
struct part {
	const char *name;
	void *start;
	size_t size;
	unsigned int nr_accepted;
};

static struct base base_create(unsigned int nr_segments)
{
	struct base base = { .nr_segments = nr_segments };
	struct world world = world_create();

	for (unsigned int i = 0; i < nr_segments; i++) {
		for (size_t j = 0; j < ARRAY_SIZE(bdfs); j++)
			world_add(&world, PCI_SER_KEY(i, bdfs[j]));
	}
	base.root_pa = world_kexec(&world);
	base.image = kho_shim_save();
	model_destroy(world.model);
	return base;
}

static void base_destroy(struct base *base)
{
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;

	CHECK(kho_shim_same(base->image));
	ASSERT(!record_restore(base->root_pa, &index, &damage));
	pci_liveupdate_index_destroy(index);
	kho_shim_drop(base->image);
}

static void flip(void *start, unsigned int bit)
{
	((u8 *)start)[bit / 8] ^= 1 << bit % 8;
}

/* Flip a bit, and repair it. Returns whether the index accepted the record. */
static bool flip_is_accepted(const struct base *base, const struct part *part,
			     unsigned int bit)
{
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;
	int err;

	flip(part->start, bit);
	err = record_restore(base->root_pa, &index, &damage);
	if (!err) {
		CHECK_EQ(record_use(index), base->nr_segments * ARRAY_SIZE(bdfs));
		/* Nothing leaks and nothing is logged. */
		CHECK_EQ(kho_shim_count(KHO_SHIM_HANDED_OVER), 0);
		kho_shim_rewind(base->image);
		return true;
	}

	flip(part->start, bit);
	CHECK(damage.field && damage.rule);
	if (err != -EBUSY)
		CHECK(kho_shim_same(base->image));
	kho_shim_rewind(base->image);
	return false;
}

static void flip_part(const struct base *base, const struct part *part)
{
	unsigned int nr_accepted = 0;
	unsigned int nr;

	for (nr = 0; nr < 8 * part->size; nr++)
		nr_accepted += flip_is_accepted(base, part, nr);
	CHECK_EQ(nr_accepted, part->nr_accepted);
	test_note("%s: %u bits, %u accepted", part->name, nr, nr_accepted);
}

/*
 * A record without PFs may have the feature of a record with PFs.
 *
 * The index accepts every version from the oldest reader, 1, on. The version becomes
 * 0 when its only bit flips.
 */
void test_flip_root(void)
{
	const unsigned int nr_versions = is_power_of_2(RECORD_VERSION);
	struct base base = base_create(2);
	struct pci_ser *root = record_root(base.root_pa);
	const struct part parts[] = {
		{ "version", &root->version, 4, 32 - nr_versions },
		{ "oldest_reader", &root->oldest_reader, 4 },
		{ "features", &root->features, 8, 1 },
		{ "nr_segments", &root->nr_segments, 4 },
		{ "reserved", &root->reserved, 4 },
		{ "nr_devices", &root->nr_devices, 8 },
		{ "segments", &root->segments, 8 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		flip_part(&base, &parts[i]);
	base_destroy(&base);
}

/*
 * The index compares the number of a segment with those of other segments only: of
 * segments 0 and 1, all bits but the lowest can flip. The PCI core reports the
 * functions of a wrong segment as absent.
 */
void test_flip_segment(void)
{
	struct base base = base_create(2);

	for (unsigned int n = 0; n < 2; n++) {
		struct pci_segment_ser *seg = record_segment(base.root_pa, n);
		const struct part parts[] = {
			{ "domain", &seg->domain, 4, 31 },
			{ "nr_devices", &seg->nr_devices, 4 },
			{ "bitmap", &seg->bitmap, 8 },
			{ "buses", &seg->buses, 8 },
		};

		for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
			flip_part(&base, &parts[i]);
	}
	base_destroy(&base);
}

void test_flip_block(void)
{
	struct base base = base_create(SEGMENTS_PER_BLOCK + 2);

	for (unsigned int n = 0; n < 2; n++) {
		struct kho_block_header_ser *block;

		block = record_block(base.root_pa, n);
		const struct part parts[] = {
			{ "next", &block->next, 8 },
			{ "count", &block->count, 8 },
		};

		for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
			flip_part(&base, &parts[i]);
	}
	base_destroy(&base);
}

/* The weight of the bitmap becomes wrong, or the function has no leaf. */
void test_flip_bitmap(void)
{
	struct base base = base_create(1);
	struct pci_segment_ser *seg = record_segment(base.root_pa, 0);
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;
	unsigned int nr_weight = 0, nr_leaf = 0;

	for (unsigned int bdf = 0; bdf < PCI_SER_BDFS; bdf++) {
		int err;

		flip(record_bitmap(seg), bdf);
		err = record_restore(base.root_pa, &index, &damage);
		flip(record_bitmap(seg), bdf);
		ASSERT(err);
		nr_weight += err == -EUCLEAN;
		nr_leaf += err == -ENXIO;
	}
	/* Two buses have a leaf, and 254 have none. */
	CHECK_EQ(nr_weight, 2 * 256);
	CHECK_EQ(nr_leaf, 254 * 256);
	test_note("%u bits, none accepted", nr_weight + nr_leaf);
	base_destroy(&base);
}

/*
 * Restoring checks only which buses have a leaf. The index refuses the entries of a
 * bus with a wrong leaf, and does not free that leaf. It does not free the leaf of a
 * bus without functions either. It logs both.
 */
static void flip_reserved(const struct base *base, unsigned int bit)
{
	u64 *buses = record_buses(record_segment(base->root_pa, 0));
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;

	flip(buses, bit);
	CHECK_EQ(record_restore(base->root_pa, &index, &damage), -EBADMSG);
	kho_shim_rewind(base->image);
}

static void flip_leaf_address(const struct base *base, unsigned int bit)
{
	u64 *buses = record_buses(record_segment(base->root_pa, 0));
	bool used = buses[bit / 64];
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;

	flip(buses, bit);
	ASSERT(!record_restore(base->root_pa, &index, &damage));
	CHECK_EQ(record_use(index), ARRAY_SIZE(bdfs) - used);
	CHECK_EQ(log_shim_take_messages(), 1);
	CHECK_EQ(kho_shim_count(KHO_SHIM_HANDED_OVER), used);
	kho_shim_rewind(base->image);
}

void test_flip_buses(void)
{
	struct base base = base_create(1);
	unsigned int nr;

	for (nr = 0; nr < 64 * PCI_SER_BUSES; nr++)
		flip_leaf_address(&base, nr);
	CHECK_EQ(nr, 16384);
	for (; nr < 8 * PCI_SER_BUSES_SIZE; nr++)
		flip_reserved(&base, nr);
	CHECK_EQ(nr, 32768);
	test_note("%u bits, %zu of them refused with the entry, half of them with the record",
		  nr, 64 * ARRAY_SIZE(bdfs));
	base_destroy(&base);
}

static unsigned int flip_entry(const struct base *base,
			       const struct pci_function_ser *good)
{
	struct pci_segment_ser *seg = record_segment(base->root_pa, 0);
	struct pci_function_ser *entry = record_entry(seg, bdfs[0]);
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;
	unsigned int nr_accepted = 0;

	for (unsigned int bit = 0; bit < 8 * sizeof(*good); bit++) {
		*entry = *good;
		flip(entry, bit);
		ASSERT(!record_restore(base->root_pa, &index, &damage));
		nr_accepted += record_use(index) == ARRAY_SIZE(bdfs);
		kho_shim_rewind(base->image);
	}
	return nr_accepted;
}

/*
 * The index checks ranges only, as the PCI core compares an entry with the device.
 * So these bits of a function may flip: 16 of the vendor, 16 of the device, 6 of each
 * of 7 BARs, and 1 flag. A bridge has 3 BARs, and on bus 1 with buses 2 to 255 below
 * all bits of its bus numbers but the one that makes the secondary bus 0.
 */
void test_flip_entries(void)
{
	static const struct pci_function_ser function = {
		.vendor = 0x8086,
		.device = 0x1234,
		.bar_shift = { 12, 0, 32, 0, 5, 63, 16 },
	};
	static const struct pci_function_ser bridge = {
		.vendor = 0x8086,
		.device = 0x1234,
		.hdr_type = PCI_HEADER_TYPE_BRIDGE,
		.bar_shift = { [0] = 12, [PCI_SER_ROM] = 16 },
		.secondary = 2,
		.subordinate = 255,
	};
	struct base base = base_create(1);

	CHECK_EQ(flip_entry(&base, &function), 16 + 16 + 7 * 6 + 1);
	CHECK_EQ(flip_entry(&base, &bridge), 16 + 16 + 3 * 6 + 7 + 8 + 1);
	test_note("2 * 128 bits, %u and %u accepted", 16 + 16 + 7 * 6 + 1,
		  16 + 16 + 3 * 6 + 7 + 8 + 1);
	base_destroy(&base);
}
