// SPDX-License-Identifier: GPL-2.0
/*
 * PFs and VFs: the feature of a record with PFs, and the state of a PF at the limits
 * of its fields.
 */

#include <string.h>

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

#define BDF		0x0140
#define PF		PCI_SER_KEY(3, BDF)
#define OTHER_PF	PCI_SER_KEY(0x10000, 0xff00)
#define FUNCTION	PCI_SER_KEY(3, 0x0208)

static void check_without_iov(u64 root_pa, bool accepted)
{
	struct pci_liveupdate_damage damage = { };
	struct kho_shim_image *image = kho_shim_save();
	struct pci_liveupdate_index *index;

	index = restore_without_iov(root_pa, &damage);
	if (accepted) {
		ASSERT(!IS_ERR(index));
		pci_liveupdate_index_destroy(index);
	} else {
		CHECK_EQ(PTR_ERR(index), -EPROTONOSUPPORT);
		ASSERT(damage.field);
		CHECK(!strcmp(damage.field, "features"));
		CHECK_EQ(damage.found, 1);
		CHECK_EQ(damage.expected, 0);
		CHECK(kho_shim_same(image));
	}
	kho_shim_rewind(image);
	kho_shim_drop(image);
}

/* Hand over, ask a kernel without CONFIG_PCI_IOV, and restore. */
static void hand_over(struct world *world, bool accepted)
{
	u64 root_pa = world_kexec(world);

	check_without_iov(root_pa, accepted);
	world_restore(world, root_pa);
}

void test_record_of_pfs(void)
{
	struct world world = world_create();

	world_add(&world, FUNCTION);
	world_add_pf(&world, PF);
	world_add_vf(&world, PCI_SER_KEY(3, BDF + 1));
	world_add_vf(&world, PCI_SER_KEY(3, BDF + 2));
	world_add_pf(&world, OTHER_PF);
	world_set_implied(&world, PF, true);
	model_compare_all(world.model, world.index);
	hand_over(&world, false);
	model_compare_all(world.model, world.index);

	/* The owner of a PF can also change in the next kernel. */
	world_set_implied(&world, PF, false);
	world_set_implied(&world, OTHER_PF, true);
	world_carry_over(&world);
	world_remove(&world, PCI_SER_KEY(3, BDF + 1));
	world_remove(&world, PCI_SER_KEY(3, BDF + 2));
	world_remove(&world, PF);
	hand_over(&world, false);
	world_remove(&world, OTHER_PF);
	world_carry_over(&world);
	hand_over(&world, true);
	world_destroy(&world);
}

/* Check the layout by numbers, not by the structures that both kernels share. */
void test_layout_of_pfs(void)
{
	static const u8 zeros[PCI_SER_LEAF_SIZE];
	struct pci_function_ser entry = model_entry_of(PF, 1, MODEL_IMPLIED_PF);
	struct pci_sriov_ser sriov = {
		.num_vfs = 0x0102, .offset = 0x0304, .stride = 0x0506,
		.vf_device = 0x0708, .bar_shift = { 12, 0, 14, 15, 16, 63 },
		.max_bus = 0xfe,
	};
	u8 bytes[16] = {
		0x02, 0x01, 0x04, 0x03, 0x06, 0x05, 0x08, 0x07,
		12, 0, 14, 15, 16, 63, 0xfe,
	};
	struct world world = world_create();
	struct pci_liveupdate_damage damage;
	struct pci_segment_ser *seg;
	u64 root_pa, *buses;
	const u8 *leaf;

	CHECK_EQ(pci_liveupdate_index_add_pf(world.index, PF, &entry, &sriov), 0);
	root_pa = world_kexec(&world);
	CHECK_EQ(record_root(root_pa)->version, RECORD_VERSION);
	CHECK_EQ(record_root(root_pa)->oldest_reader, PCI_SER_OLDEST_READER);
	CHECK_EQ(record_root(root_pa)->features, 1);

	seg = record_segment(root_pa, 0);
	buses = record_buses(seg);
	for (int i = 0; i < 512; i++)
		CHECK_EQ(!!buses[i], i == BDF >> 8 || i == 256 + (BDF >> 8));
	CHECK_EQ(((u8 *)record_entry(seg, BDF))[4], 0x1d);
	bytes[15] = test_crc8(0x55, 3 << 16 | BDF, bytes);
	leaf = phys_to_virt(buses[256 + (BDF >> 8)]);
	CHECK(!memcmp(leaf, zeros, 16 * (BDF & 0xff)));
	CHECK(!memcmp(leaf + 16 * (BDF & 0xff), bytes, 16));
	CHECK(!memcmp(leaf + 16 * (BDF & 0xff) + 16, zeros, 4096 - 16 - 16 * (BDF & 0xff)));
	world.index = pci_liveupdate_index_restore(root_pa, &damage);
	ASSERT(!IS_ERR(world.index));
	world_destroy(&world);
}

/* The record of two functions. With @pfs, PFs come and go in between. */
static u64 make_record(struct world *world, bool pfs)
{
	*world = world_create();
	CHECK_EQ(pci_liveupdate_index_add(world->index, FUNCTION,
					  &(struct pci_function_ser) { .vendor = 1 }), 0);
	if (pfs) {
		world_add_pf(world, PF);
		world_add_pf(world, PCI_SER_KEY(3, 0x0209));
		world_add_vf(world, PCI_SER_KEY(3, 0x020a));
		world_remove(world, PCI_SER_KEY(3, 0x0209));
		world_set_implied(world, PF, true);
		world_remove(world, PCI_SER_KEY(3, 0x020a));
		world_remove(world, PF);
	}
	CHECK_EQ(pci_liveupdate_index_add(world->index, PCI_SER_KEY(3, BDF + 8),
					  &(struct pci_function_ser) { .vendor = 1 }), 0);
	return world_kexec(world);
}

/* The fields that are not addresses, and whether addresses are 0. */
struct summary {
	struct pci_ser root;
	u8 bitmap[PCI_SER_BITMAP_SIZE];
	bool leaves[PCI_SER_LEAVES];
	unsigned long nr_folios;
};

static void summarize(u64 root_pa, struct summary *summary)
{
	struct pci_segment_ser *seg = record_segment(root_pa, 0);

	memset(summary, 0, sizeof(*summary));
	summary->root = *record_root(root_pa);
	summary->root.segments = 0;
	summary->root.checksum = 0;
	memcpy(summary->bitmap, record_bitmap(seg), PCI_SER_BITMAP_SIZE);
	for (int i = 0; i < PCI_SER_LEAVES; i++)
		summary->leaves[i] = record_buses(seg)[i];
	summary->nr_folios = kho_shim_count(KHO_SHIM_HANDED_OVER);
}

/* A record is the same whether it never had PFs or has them no more. */
void test_record_without_pfs(void)
{
	static struct summary summaries[2];
	struct pci_liveupdate_damage damage;
	struct world world;
	u64 root_pa;

	for (int pfs = 0; pfs < 2; pfs++) {
		root_pa = make_record(&world, pfs);
		summarize(root_pa, &summaries[pfs]);
		CHECK_EQ(record_root(root_pa)->features, 0);
		check_without_iov(root_pa, true);
		world.index = pci_liveupdate_index_restore(root_pa, &damage);
		ASSERT(!IS_ERR(world.index));
		world_destroy(&world);
	}
	CHECK(!memcmp(&summaries[0], &summaries[1], sizeof(summaries[0])));
}

/* Adding a function again changes neither its kind nor its state. */
void test_pf_exists(void)
{
	struct pci_function_ser entry = model_entry_of(PF, 1, MODEL_IMPLIED_PF);
	struct pci_sriov_ser sriov = model_sriov(PF, 1);
	struct world world = world_create();
	struct kho_shim_image *before;

	world_add(&world, FUNCTION);
	before = kho_shim_save();
	CHECK_EQ(pci_liveupdate_index_add_pf(world.index, FUNCTION, &entry, &sriov),
		 -EEXIST);
	CHECK(kho_shim_same(before));
	kho_shim_drop(before);

	world_add_pf(&world, PF);
	before = kho_shim_save();
	CHECK_EQ(pci_liveupdate_index_add_pf(world.index, PF, &entry, &sriov), -EEXIST);
	CHECK_EQ(pci_liveupdate_index_add(world.index, PF, &entry), -EEXIST);
	CHECK_EQ(pci_liveupdate_index_add_pf(world.index, FUNCTION, &entry, &sriov),
		 -EEXIST);
	CHECK(kho_shim_same(before));
	kho_shim_drop(before);
	world_remove(&world, PF);
	model_compare_all(world.model, world.index);
	world_destroy(&world);
}

static void add_pf(struct pci_liveupdate_index *index, pci_ser_key_t key)
{
	struct pci_function_ser entry = model_entry_of(key, 1, MODEL_PF);
	struct pci_sriov_ser sriov = model_sriov(key, 1);

	CHECK_EQ(pci_liveupdate_index_add_pf(index, key, &entry, &sriov), 0);
}

static void check_state(struct pci_liveupdate_index *index, pci_ser_key_t key,
			const struct pci_sriov_ser *expected)
{
	const struct pci_sriov_ser *sriov;
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_slot slot;

	ASSERT(pci_liveupdate_index_find(index, key, &slot));
	sriov = pci_liveupdate_index_sriov(index, &slot, &damage);
	ASSERT(!IS_ERR(sriov));
	CHECK(!memcmp(sriov, expected, sizeof(*expected)));
}

/* The next kernel gets the new state, and its checksum. Other PFs keep theirs. */
void test_replace_state(void)
{
	struct pci_sriov_ser state = model_sriov(PF, 2);
	struct pci_sriov_ser other = model_sriov(PF + 8, 1);
	struct pci_sriov_ser without_checksum = state;
	struct world world = world_create();
	struct pci_liveupdate_slot slot;
	struct pci_liveupdate_damage damage;
	u64 root_pa;

	add_pf(world.index, PF);
	add_pf(world.index, PF + 8);
	without_checksum.checksum = ~state.checksum;
	ASSERT(pci_liveupdate_index_find(world.index, PF, &slot));
	pci_liveupdate_index_set_sriov(&slot, &without_checksum);
	check_state(world.index, PF, &state);
	check_state(world.index, PF + 8, &other);

	root_pa = world_kexec(&world);
	world.index = pci_liveupdate_index_restore(root_pa, &damage);
	ASSERT(!IS_ERR(world.index));
	check_state(world.index, PF, &state);
	check_state(world.index, PF + 8, &other);
	world_destroy(&world);
}

/* Restoring must not read the leaves of PFs either, and frees them. */
void test_restore_reads_no_pf(void)
{
	struct world world = world_create();
	struct pci_liveupdate_damage damage;
	u64 root_pa, leaf_pa;

	world_add_pf(&world, PF);
	root_pa = world_kexec(&world);
	leaf_pa = record_buses(record_segment(root_pa, 0))[256 + (BDF >> 8)];
	kho_shim_hide(leaf_pa);
	CHECK_EQ(record_restore(root_pa, &world.index, &damage), 0);
	kho_shim_show(leaf_pa);
	model_compare(world.model, world.index);
	CHECK_EQ(pci_liveupdate_index_size(world.index), kho_shim_bytes());
	world_destroy(&world);
}

/* Restore an index with a PF. The test writes its entry and its state. */
static struct world make_pf(u16 bdf, struct pci_segment_ser **seg,
			    struct pci_sriov_ser **sriov)
{
	struct world world = world_create();
	u64 root_pa;

	world_add_pf(&world, PCI_SER_KEY(3, bdf));
	root_pa = world_kexec(&world);
	*seg = record_segment(root_pa, 0);
	*sriov = record_sriov(*seg, bdf);
	world_restore(&world, root_pa);
	return world;
}

/* With a right checksum */
static bool sriov_is_accepted(struct world *world, u16 bdf,
			      struct pci_sriov_ser *sriov)
{
	struct pci_liveupdate_damage damage = { };
	const struct pci_sriov_ser *found;
	struct pci_liveupdate_slot slot;

	sriov->checksum = test_sriov_checksum(PCI_SER_KEY(3, bdf), sriov);
	ASSERT(pci_liveupdate_index_find(world->index, PCI_SER_KEY(3, bdf), &slot));
	found = pci_liveupdate_index_sriov(world->index, &slot, &damage);
	if (!IS_ERR(found)) {
		CHECK(found == sriov);
		return true;
	}
	CHECK_EQ(PTR_ERR(found), -EBADMSG);
	CHECK(damage.field && damage.rule && damage.in_segment);
	CHECK_EQ(damage.domain, 3);
	return false;
}

static const u16 corners[] = {
	0, 1, 2, 3, 0x3f, 0x7f, 0x80, 0xbe, 0xbf, 0xc0, 0xff, 0x100, 0x101,
	0x7fff, 0x8000, 0xfdff, 0xfebf, 0xfec0, 0xfeff, 0xff00, 0xfffe, 0xffff,
};

/*
 * Walk the routing IDs of all VFs. Returns the bus of the last VF, or 256 if a routing
 * ID is used twice or has more than 16 bits.
 */
static unsigned int last_bus(u16 bdf, u16 num_vfs, u16 offset, u16 stride)
{
	u64 last = bdf;

	for (u64 n = 0; n < num_vfs; n++) {
		u64 id = bdf + offset + stride * n;

		if (id <= last || id > 0xffff)
			return 256;
		last = id;
	}
	return last >> 8;
}

/* Let max_bus have all values around the bus of the PF and of the last VF. */
static unsigned int check_max_bus(struct world *world, u16 bdf,
				  struct pci_sriov_ser *sriov, unsigned int last,
				  unsigned int *nr_accepted)
{
	const unsigned int bus = bdf >> 8;
	const u8 limits[] = { 0, bus - 1, bus, bus + 1, last - 1, last, last + 1, 254, 255 };

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		bool accepted = last <= 255 && limits[i] >= bus && limits[i] >= last;

		sriov->max_bus = limits[i];
		if (sriov_is_accepted(world, bdf, sriov) != accepted)
			test_fail(__FILE__, __LINE__, "%04x: %u VFs at %#x, %#x; max_bus %#x",
				  bdf, sriov->num_vfs, sriov->offset, sriov->stride,
				  sriov->max_bus);
		*nr_accepted += accepted;
	}
	return ARRAY_SIZE(limits);
}

static unsigned int check_routing_ids(u16 bdf, unsigned int *nr_accepted)
{
	const size_t n = ARRAY_SIZE(corners);
	struct pci_segment_ser *seg;
	struct pci_sriov_ser *sriov;
	struct world world = make_pf(bdf, &seg, &sriov);
	unsigned int nr = 0;

	for (size_t i = 0; i < n * n * n; i++) {
		u16 num_vfs = corners[i % n];
		u16 offset = corners[i / n % n];
		u16 stride = corners[i / n / n];

		*sriov = (struct pci_sriov_ser) {
			.num_vfs = num_vfs, .offset = offset, .stride = stride,
		};
		nr += check_max_bus(&world, bdf, sriov,
				    last_bus(bdf, num_vfs, offset, stride), nr_accepted);
	}
	world_destroy(&world);
	return nr;
}

void test_routing_ids(void)
{
	static const u16 bdfs[] = {
		0, 1, 0xff, 0x100, BDF, 0x7fff, 0x8000, 0xfeff, 0xff00, 0xfffe, 0xffff,
	};
	unsigned int nr_accepted = 0;
	unsigned int nr = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bdfs); i++)
		nr += check_routing_ids(bdfs[i], &nr_accepted);
	CHECK_EQ(nr, 11 * 22 * 22 * 22 * 9);
	CHECK(nr_accepted > nr / 100 && nr_accepted < nr - nr / 100);
	test_note("%u states, %u accepted", nr, nr_accepted);
}

/* Each value of each byte that is no routing ID. */
void test_sriov_fields(void)
{
	struct pci_segment_ser *seg;
	struct pci_sriov_ser *sriov;
	struct world world = make_pf(BDF, &seg, &sriov);
	const struct pci_sriov_ser good = {
		.num_vfs = 2, .offset = 1, .stride = 1, .max_bus = BDF >> 8,
	};
	const struct pci_sriov_ser off = { .max_bus = BDF >> 8 };

	for (int value = 0; value < 256; value++) {
		bool shift = !value || (value >= 12 && value <= 63);

		for (int i = 0; i < PCI_SER_NR_VF_BARS; i++) {
			*sriov = value % 2 ? good : off;
			sriov->bar_shift[i] = value;
			CHECK_EQ(sriov_is_accepted(&world, BDF, sriov), shift);
		}
		*sriov = good;
		sriov->vf_device = value << 8 | value;
		CHECK(sriov_is_accepted(&world, BDF, sriov));
		/* Without VFs, offset and stride have no meaning. */
		*sriov = off;
		sriov->offset = value << 8 | value;
		sriov->stride = ~sriov->offset;
		CHECK(sriov_is_accepted(&world, BDF, sriov));
	}

	/* The state of a marked function is not checked again. */
	sriov->max_bus = 0;
	CHECK(!sriov_is_accepted(&world, BDF, sriov));
	world_mark(&world, PCI_SER_KEY(3, BDF), true);
	CHECK(sriov_is_accepted(&world, BDF, sriov));
	world_destroy(&world);
}

/* The valid combinations of flags, besides PCI_SER_INTX_BROKEN. */
static bool flags_are_valid(u8 flags, bool feature)
{
	switch (flags & ~0x01) {
	case 0:
	case 0x20:
		return true;
	case 0x02:
	case 0x04:
	case 0x0c:
	case 0x14:
	case 0x1c:
		return feature;
	default:
		return false;
	}
}

void test_entry_flags(void)
{
	const pci_ser_key_t key = PCI_SER_KEY(3, BDF);
	struct pci_liveupdate_damage damage;
	const struct pci_function_ser *found;
	struct pci_segment_ser *seg;
	struct pci_sriov_ser *sriov;
	struct world world = make_pf(BDF, &seg, &sriov);
	unsigned int nr = 0;

	for (unsigned int i = 0; i < 2 * 256; i++) {
		bool feature = i & 256;
		u8 bus = i & 0x20 ? 0xff : 0;
		bool valid = flags_are_valid(i, feature);

		*record_entry(seg, BDF) = (struct pci_function_ser) {
			.vendor = 1, .flags = i,
			/* The message is about the flags, not about the BARs. */
			.bar_shift = { valid ? 0 : 12 },
			.secondary = bus, .subordinate = bus,
		};
		record_repair_entry(seg, BDF);
		world.index->ser->features = feature;
		found = test_index_entry(world.index, key, &damage);
		CHECK_EQ(!IS_ERR(found), valid);
		nr += valid;
		if (valid)
			continue;
		CHECK_EQ(PTR_ERR(found), -EBADMSG);
		CHECK(!strcmp(damage.field, "flags"));
		CHECK_EQ(damage.found, (u8)i);
	}
	/* Functions and bridges in both cases, and five more with the feature. */
	CHECK_EQ(nr, 2 * (4 + 5));
	world.index->ser->features = PCI_SER_FEATURE_SRIOV;
	world_destroy(&world);
}

void test_count_vfs(void)
{
	struct pci_sriov_ser sriov = { .num_vfs = 256, .offset = 0x20, .stride = 3 };
	struct world world = world_create();

	/* No segment, no VF, and VFs of another PF in between. */
	CHECK_EQ(pci_liveupdate_index_count_vfs(world.index, PF, &sriov), 0);
	world_add_pf(&world, PF);
	world_add_vf(&world, PCI_SER_KEY(3, BDF + 0x1f));
	world_add_vf(&world, PCI_SER_KEY(3, BDF + 0x21));
	CHECK_EQ(pci_liveupdate_index_count_vfs(world.index, PF, &sriov), 0);

	/* The first and the last VF, and the function after the last. */
	world_add_vf(&world, PCI_SER_KEY(3, BDF + 0x20));
	world_add_vf(&world, PCI_SER_KEY(3, BDF + 0x20 + 3 * 255));
	world_add_vf(&world, PCI_SER_KEY(3, BDF + 0x20 + 3 * 256));
	world_add_vf(&world, PCI_SER_KEY(4, BDF + 0x20));
	CHECK_EQ(pci_liveupdate_index_count_vfs(world.index, PF, &sriov), 2);
	sriov.num_vfs = 1;
	CHECK_EQ(pci_liveupdate_index_count_vfs(world.index, PF, &sriov), 1);
	sriov.num_vfs = 0;
	CHECK_EQ(pci_liveupdate_index_count_vfs(world.index, PF, &sriov), 0);
	world_destroy(&world);
}
