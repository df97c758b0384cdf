// SPDX-License-Identifier: GPL-2.0
/*
 * Records that are wrong in one place, and what the index has to say about it.
 */

#include <string.h>

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>

#include "harness.h"
#include "liveupdate_index.h"
#include "record.h"
#include "shim/kho_shim.h"
#include "shim/log_shim.h"
#include "test_pci_liveupdate_index.h"
#include "tests.h"
#include "world.h"

/* Two blocks, with a single segment in the second. */
#define NR_SEGMENTS	(SEGMENTS_PER_BLOCK + 1)
#define FIRST		0
#define LAST		(NR_SEGMENTS - 1)

/* The functions of each segment; the directory has leaves for buses 2 and 3. */
#define BDF_A		0x0200
#define BDF_B		0x03ff

/*
 * A good record, and how to get it back.
 * @spare: Preserved, but not part of the record.
 * @taken: Was preserved, and is an ordinary page by now; by order.
 * @ours:  Preserved for the kernel after this one; by order.
 */
struct base {
	u64 root_pa;
	struct kho_shim_image *image;
	void *spare;
	void *taken[2];
	void *ours[2];
};

static u32 nth_domain(unsigned int n)
{
	return 0x100 + n;
}

static struct base base_create(void)
{
	struct world world = world_create();
	struct base base = {
		.spare = kho_alloc_preserve(PAGE_SIZE),
		.taken = { kho_alloc_preserve(PAGE_SIZE),
			   kho_alloc_preserve(2 * PAGE_SIZE) },
	};

	for (unsigned int i = 0; i < NR_SEGMENTS; i++) {
		world_add(&world, PCI_SER_KEY(nth_domain(i), BDF_A));
		world_add(&world, PCI_SER_KEY(nth_domain(i), BDF_B));
	}
	base.root_pa = world_kexec(&world);
	model_destroy(world.model);

	for (int order = 0; order < 2; order++) {
		kho_restore_folio(virt_to_phys(base.taken[order]));
		base.ours[order] = kho_alloc_preserve(PAGE_SIZE << order);
	}
	base.image = kho_shim_save();
	return base;
}

/* Whatever was damaged is good again: the record is restored and freed. */
static void base_destroy(struct base *base)
{
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;

	ASSERT(!record_restore(base->root_pa, &index, &damage));
	CHECK_EQ(pci_liveupdate_index_count(index), 2 * NR_SEGMENTS);
	pci_liveupdate_index_destroy(index);

	kho_restore_free(base->spare);
	for (int order = 0; order < 2; order++) {
		folio_put(virt_to_folio(base->taken[order]));
		kho_unpreserve_free(base->ours[order]);
	}
	kho_shim_drop(base->image);
}

static unsigned long nr_folios(void)
{
	return kho_shim_count(KHO_SHIM_OUTGOING) +
	       kho_shim_count(KHO_SHIM_HANDED_OVER) +
	       kho_shim_count(KHO_SHIM_RESTORED);
}

/* In place of a domain, for what does not belong to one. */
#define NO_SEGMENT	(~0ULL)

static void check_damage(const struct pci_liveupdate_damage *damage,
			 const char *field, u64 domain, u64 found, u64 expected)
{
	bool in_segment = domain != NO_SEGMENT;

	if (!damage->field || strcmp(damage->field, field))
		test_fail(__FILE__, __LINE__, "the field is %s, not %s",
			  damage->field ?: "not set", field);
	CHECK_EQ(damage->in_segment, in_segment);
	CHECK_EQ(damage->domain, in_segment ? domain : 0);
	CHECK_EQ(damage->found, found);
	CHECK_EQ(damage->expected, expected);
	CHECK(damage->rule && *damage->rule);
}

/*
 * The record at @root_pa is refused, with that to say about it. Nothing has
 * changed then, or with -EBUSY at least nothing was freed. Make it good again.
 */
static void check_refused_root(const struct base *base, u64 root_pa, int err,
			       const char *field, u64 domain, u64 found,
			       u64 expected)
{
	struct kho_shim_image *damaged = kho_shim_save();
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;
	unsigned long nr = nr_folios();

	CHECK_EQ(record_restore(root_pa, &index, &damage), err);
	ASSERT(!index);
	check_damage(&damage, field, domain, found, expected);
	if (err == -EBUSY)
		CHECK_EQ(nr_folios(), nr);
	else
		CHECK(kho_shim_same(damaged));
	kho_shim_drop(damaged);
	kho_shim_rewind(base->image);
}

static void check_refused(const struct base *base, int err, const char *field,
			  u64 domain, u64 found, u64 expected)
{
	check_refused_root(base, base->root_pa, err, field, domain, found,
			   expected);
}

/* Addresses which are no good for a folio of this size. */
#define NR_MISALIGNED	5
#define NR_FOREIGN	8

static void misaligned_addresses(u64 good, u64 *bad)
{
	const u64 addresses[NR_MISALIGNED] = {
		good + 1, good + 8, good + PAGE_SIZE / 2, 1, ~0ULL,
	};

	memcpy(bad, addresses, sizeof(addresses));
}

static void foreign_addresses(const struct base *base, u64 good, size_t size,
			      u64 *bad)
{
	struct pci_segment_ser *seg = record_segment(base->root_pa, 1);
	bool large = size > PAGE_SIZE;
	const u64 addresses[NR_FOREIGN] = {
		/* Where there is no memory, and where there is a free page. */
		PAGE_SIZE, 1ULL << 60, ~0ULL << PAGE_SHIFT,
		good + round_up(size, PAGE_SIZE),
		/* Of the wrong size, and the second half of the right one. */
		large ? seg->buses : seg->bitmap,
		seg->bitmap + PAGE_SIZE,
		/* Not preserved by the previous kernel, or not any more. */
		virt_to_phys(base->taken[large]),
		virt_to_phys(base->ours[large]),
	};

	memcpy(bad, addresses, sizeof(addresses));
}

/* A field that holds an address, what is there, and what is said about it. */
struct address_field {
	u64 *address;
	size_t size;
	const char *name;
	u64 domain;
};

static unsigned int damage_address(const struct base *base,
				   const struct address_field *field)
{
	u64 bad[NR_MISALIGNED + NR_FOREIGN];
	u64 good = *field->address;

	misaligned_addresses(good, bad);
	foreign_addresses(base, good, field->size, bad + NR_MISALIGNED);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		bool misaligned = i < NR_MISALIGNED;

		*field->address = bad[i];
		check_refused(base, misaligned ? -EINVAL : -EFAULT, field->name,
			      field->domain, bad[i],
			      misaligned ? PAGE_SIZE : field->size);
	}
	return ARRAY_SIZE(bad);
}

static unsigned int damage_root_address(const struct base *base)
{
	u64 bad[NR_MISALIGNED + NR_FOREIGN + 1] = { };
	size_t size = sizeof(struct pci_ser);

	misaligned_addresses(base->root_pa, bad);
	foreign_addresses(base, base->root_pa, size, bad + NR_MISALIGNED);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		bool misaligned = i < NR_MISALIGNED;

		check_refused_root(base, bad[i], misaligned ? -EINVAL : -EFAULT,
				   "root", NO_SEGMENT, bad[i],
				   misaligned ? PAGE_SIZE : size);
	}
	return ARRAY_SIZE(bad);
}

void test_damaged_addresses(void)
{
	struct base base = base_create();
	struct pci_segment_ser *first = record_segment(base.root_pa, FIRST);
	struct pci_segment_ser *last = record_segment(base.root_pa, LAST);
	const struct address_field fields[] = {
		{ &record_root(base.root_pa)->segments, PAGE_SIZE, "segments",
		  NO_SEGMENT },
		{ &record_block(base.root_pa, 0)->next, PAGE_SIZE,
		  "next of a block", NO_SEGMENT },
		{ &first->bitmap, PCI_SER_BITMAP_SIZE, "bitmap", first->domain },
		{ &first->buses, PCI_SER_BUSES_SIZE, "buses", first->domain },
		{ &last->bitmap, PCI_SER_BITMAP_SIZE, "bitmap", last->domain },
		{ &last->buses, PCI_SER_BUSES_SIZE, "buses", last->domain },
	};
	unsigned int nr = damage_root_address(&base);

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		nr += damage_address(&base, &fields[i]);

	first->bitmap = 0;
	check_refused(&base, -EFAULT, "bitmap", nth_domain(FIRST), 0,
		      PCI_SER_BITMAP_SIZE);
	last->buses = 0;
	check_refused(&base, -EFAULT, "buses", nth_domain(LAST), 0,
		      PCI_SER_BUSES_SIZE);
	nr += 2;

	CHECK_EQ(nr, 14 + 6 * 13 + 2);
	test_note("%u bad addresses", nr);
	base_destroy(&base);
}

static void damage_root_fields(const struct base *base)
{
	struct pci_ser *root = record_root(base->root_pa);

	root->reserved = 1;
	check_refused(base, -EBADMSG, "reserved of the root", NO_SEGMENT, 1, 0);
	root->reserved = 1U << 31;
	check_refused(base, -EBADMSG, "reserved of the root", NO_SEGMENT,
		      1U << 31, 0);

	for (int delta = -1; delta <= 1; delta += 2) {
		root->nr_devices += delta;
		check_refused(base, -EOVERFLOW, "nr_devices of the root", NO_SEGMENT,
			      2 * NR_SEGMENTS + delta, 2 * NR_SEGMENTS);
	}

	/* As many as 32 bits have room for are not counted in 32 bits. */
	root->nr_devices += 1ULL << 32;
	check_refused(base, -EOVERFLOW, "nr_devices of the root", NO_SEGMENT,
		      (1ULL << 32) + 2 * NR_SEGMENTS, 2 * NR_SEGMENTS);
}

/* Too new, or impossible. A version alone says nothing: see test_versions(). */
static void damage_root_versions(const struct base *base)
{
	static const u32 later[] = {
		RECORD_VERSION + 1, RECORD_VERSION + 2, 0x101, 0x80000001, ~0,
	};
	struct pci_ser *root = record_root(base->root_pa);

	root->version = 0;
	check_refused(base, -EPROTO, "version", NO_SEGMENT, 0, 1);
	root->version = 0;
	root->oldest_reader = 0;
	check_refused(base, -EPROTO, "version", NO_SEGMENT, 0, 1);
	root->oldest_reader = 0;
	check_refused(base, -EPROTO, "oldest_reader", NO_SEGMENT, 0, 1);

	for (size_t i = 0; i < ARRAY_SIZE(later); i++) {
		/* Of itself, of a later one, and of one that does not exist. */
		root->version = later[i];
		root->oldest_reader = later[i];
		check_refused(base, -EPROTONOSUPPORT, "oldest_reader",
			      NO_SEGMENT, later[i], RECORD_VERSION);
		root->version = ~0;
		root->oldest_reader = later[i];
		check_refused(base, -EPROTONOSUPPORT, "oldest_reader",
			      NO_SEGMENT, later[i], RECORD_VERSION);
		root->oldest_reader = later[i];
		check_refused(base, -EPROTO, "oldest_reader", NO_SEGMENT,
			      later[i], RECORD_VERSION);
	}
}

static void damage_root_features(const struct base *base)
{
	struct pci_ser *root = record_root(base->root_pa);

	for (int bit = 0; bit < 64; bit++) {
		root->features = 1ULL << bit;
		check_refused(base, -EPROTONOSUPPORT, "features", NO_SEGMENT,
			      1ULL << bit, PCI_SER_FEATURES);
	}

	/* A version that reads it does not make up for the feature. */
	root->version = RECORD_VERSION + 1;
	root->features = ~0ULL;
	check_refused(base, -EPROTONOSUPPORT, "features", NO_SEGMENT, ~0ULL,
		      PCI_SER_FEATURES);
}

static void damage_segment_weight(const struct base *base, unsigned int n)
{
	struct pci_segment_ser *seg = record_segment(base->root_pa, n);
	u64 *bitmap = record_bitmap(seg);

	for (int delta = -1; delta <= 1; delta += 2) {
		seg->nr_devices += delta;
		check_refused(base, -EUCLEAN, "nr_devices", nth_domain(n),
			      2 + delta, 2);
	}

	/* One more on bus 2, one less there, and none left on bus 3. */
	bitmap[BDF_A / 64] |= 2;
	check_refused(base, -EUCLEAN, "nr_devices", nth_domain(n), 2, 3);
	bitmap[BDF_A / 64] = 0;
	check_refused(base, -EUCLEAN, "nr_devices", nth_domain(n), 2, 1);
	bitmap[BDF_B / 64] = 0;
	check_refused(base, -EUCLEAN, "nr_devices", nth_domain(n), 2, 1);

	/* The segment agrees with itself, but not with the root. */
	bitmap[BDF_A / 64] = 0;
	seg->nr_devices--;
	check_refused(base, -EOVERFLOW, "nr_devices of the root", NO_SEGMENT,
		      2 * NR_SEGMENTS, 2 * NR_SEGMENTS - 1);
}

static void damage_segment_leaves(const struct base *base, unsigned int n)
{
	struct pci_segment_ser *seg = record_segment(base->root_pa, n);

	record_buses(seg)[2] = 0;
	check_refused(base, -ENXIO, "buses[] entry", nth_domain(n), 0, 2);
	record_buses(seg)[3] = 0;
	check_refused(base, -ENXIO, "buses[] entry", nth_domain(n), 0, 3);

	/* A function where there never was one. */
	record_bitmap(seg)[0] = 1;
	check_refused(base, -ENXIO, "buses[] entry", nth_domain(n), 0, 0);
	record_bitmap(seg)[1023] = 1ULL << 63;
	check_refused(base, -ENXIO, "buses[] entry", nth_domain(n), 0, 255);
}

/* Each word of the second half of the directory, of which none is used. */
static void damage_segment_reserved(const struct base *base, unsigned int n)
{
	struct pci_segment_ser *seg = record_segment(base->root_pa, n);

	for (int i = 256; i < 512; i++) {
		record_buses(seg)[i] = i;
		check_refused(base, -EBADMSG, "reserved buses[] entry",
			      nth_domain(n), i, 0);
	}
	record_buses(seg)[511] = 1ULL << 63;
	check_refused(base, -EBADMSG, "reserved buses[] entry", nth_domain(n),
		      1ULL << 63, 0);
	/* The address of a leaf is not one yet. */
	record_buses(seg)[256 + 2] = record_buses(seg)[2];
	check_refused(base, -EBADMSG, "reserved buses[] entry", nth_domain(n),
		      record_buses(seg)[2], 0);
}

/* A record that a later version wrote, and this one reads. */
void test_versions(void)
{
	static const u32 versions[] = {
		RECORD_VERSION, RECORD_VERSION + 1, 0x101, 0x80000001, ~0,
	};
	struct base base = base_create();
	struct pci_ser *root = record_root(base.root_pa);
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;
	unsigned int nr = 0;

	CHECK_EQ(root->version, RECORD_VERSION);
	CHECK_EQ(root->oldest_reader, 1);
	CHECK_EQ(root->features, 0);
	CHECK_EQ(root->reserved, 0);

	for (u32 oldest = 1; oldest <= RECORD_VERSION; oldest++) {
		for (size_t i = 0; i < ARRAY_SIZE(versions); i++, nr++) {
			root->version = versions[i];
			root->oldest_reader = oldest;
			CHECK_EQ(record_restore(base.root_pa, &index, &damage),
				 0);
			ASSERT(index);
			CHECK_EQ(record_use(index), 2 * NR_SEGMENTS);
			kho_shim_rewind(base.image);
		}
	}
	test_note("%u versions", nr);
	base_destroy(&base);
}

void test_damaged_fields(void)
{
	struct base base = base_create();

	damage_root_versions(&base);
	damage_root_features(&base);
	damage_root_fields(&base);
	damage_segment_reserved(&base, FIRST);
	damage_segment_reserved(&base, LAST);
	damage_segment_weight(&base, FIRST);
	damage_segment_weight(&base, LAST);
	damage_segment_leaves(&base, FIRST);
	damage_segment_leaves(&base, LAST);

	/* In the same block, and in another one. */
	record_segment(base.root_pa, 1)->domain = nth_domain(0);
	check_refused(&base, -EEXIST, "domain", nth_domain(0), nth_domain(0),
		      nth_domain(0));
	record_segment(base.root_pa, LAST)->domain = nth_domain(FIRST);
	check_refused(&base, -EEXIST, "domain", nth_domain(FIRST),
		      nth_domain(FIRST), nth_domain(FIRST));
	base_destroy(&base);
}

static void damage_nr_segments(const struct base *base)
{
	struct pci_ser *root = record_root(base->root_pa);
	u64 second = record_block(base->root_pa, 0)->next;

	root->nr_segments = 0;
	check_refused(base, -ELOOP, "segments", NO_SEGMENT, root->segments, 0);
	root->nr_segments = SEGMENTS_PER_BLOCK;
	check_refused(base, -ELOOP, "next of a block", NO_SEGMENT, second, 0);
	root->nr_segments = SEGMENTS_PER_BLOCK - 1;
	check_refused(base, -ERANGE, "count of a block", NO_SEGMENT, SEGMENTS_PER_BLOCK,
		      SEGMENTS_PER_BLOCK - 1);
	root->nr_segments = NR_SEGMENTS + 1;
	check_refused(base, -ERANGE, "count of a block", NO_SEGMENT, 1, 2);
	root->nr_segments = ~0;
	check_refused(base, -ERANGE, "count of a block", NO_SEGMENT, 1,
		      SEGMENTS_PER_BLOCK);

	root->segments = 0;
	check_refused(base, -ENODATA, "segments", NO_SEGMENT, 0, NR_SEGMENTS);
}

static void damage_block_counts(const struct base *base)
{
	static const u64 counts[] = {
		0, SEGMENTS_PER_BLOCK - 1, SEGMENTS_PER_BLOCK + 1, 1ULL << 32,
		(1ULL << 32) + SEGMENTS_PER_BLOCK, ~0ULL,
	};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		record_block(base->root_pa, 0)->count = counts[i];
		check_refused(base, -ERANGE, "count of a block", NO_SEGMENT, counts[i],
			      SEGMENTS_PER_BLOCK);
		record_block(base->root_pa, 1)->count = counts[i];
		check_refused(base, -ERANGE, "count of a block", NO_SEGMENT, counts[i],
			      1);
	}
}

static void damage_block_links(const struct base *base)
{
	struct kho_block_header_ser *first = record_block(base->root_pa, 0);
	struct kho_block_header_ser *last = record_block(base->root_pa, 1);
	struct kho_block_header_ser *spare = base->spare;

	first->next = 0;
	check_refused(base, -ENODATA, "next of a block", NO_SEGMENT, 0, 1);
	record_root(base->root_pa)->segments = virt_to_phys(last);
	check_refused(base, -ERANGE, "count of a block", NO_SEGMENT, 1,
		      SEGMENTS_PER_BLOCK);

	/* One block more, which is even a good one. */
	last->next = virt_to_phys(spare);
	*spare = (struct kho_block_header_ser) { .count = 1 };
	check_refused(base, -ELOOP, "next of a block", NO_SEGMENT, virt_to_phys(spare), 0);

	/* In circles: each a block of its own, and all of them. */
	last->next = virt_to_phys(last);
	check_refused(base, -ELOOP, "next of a block", NO_SEGMENT, virt_to_phys(last), 0);
	last->next = virt_to_phys(first);
	check_refused(base, -ELOOP, "next of a block", NO_SEGMENT, virt_to_phys(first), 0);
	first->next = virt_to_phys(first);
	check_refused(base, -ERANGE, "count of a block", NO_SEGMENT, SEGMENTS_PER_BLOCK,
		      1);

	/* With a root that expects as many: the domains are there twice. */
	first->next = virt_to_phys(first);
	record_root(base->root_pa)->nr_segments = 2 * SEGMENTS_PER_BLOCK;
	check_refused(base, -EEXIST, "domain", nth_domain(0), nth_domain(0),
		      nth_domain(0));

	/* A root that is its own block: no features are no segments. */
	record_root(base->root_pa)->nr_segments = 1;
	record_root(base->root_pa)->nr_devices = 1;
	record_root(base->root_pa)->segments = base->root_pa;
	check_refused(base, -ERANGE, "count of a block", NO_SEGMENT, 0, 1);
}

void test_damaged_chain(void)
{
	struct base base = base_create();

	damage_nr_segments(&base);
	damage_block_counts(&base);
	damage_block_links(&base);
	base_destroy(&base);
}

/*
 * The directories all look the same, and a block and the root pass for one: the
 * words for buses 2 and 3 are not 0, and the second half is.
 */
void test_memory_used_twice(void)
{
	struct base base = base_create();
	struct pci_segment_ser *first = record_segment(base.root_pa, FIRST);
	struct pci_segment_ser *last = record_segment(base.root_pa, LAST);
	u64 block = virt_to_phys(record_block(base.root_pa, 1));

	last->bitmap = first->bitmap;
	check_refused(&base, -EBUSY, "bitmap", nth_domain(LAST), first->bitmap,
		      PCI_SER_BITMAP_SIZE);
	last->buses = first->buses;
	check_refused(&base, -EBUSY, "buses", nth_domain(LAST), first->buses,
		      PCI_SER_BUSES_SIZE);
	first->buses = base.root_pa;
	check_refused(&base, -EBUSY, "buses", nth_domain(FIRST), base.root_pa,
		      PCI_SER_BUSES_SIZE);
	first->buses = block;
	check_refused(&base, -EBUSY, "next of a block", NO_SEGMENT, block, PAGE_SIZE);
	base_destroy(&base);
}

/* The leaf of bus 2 is bad: all is well but for the functions on that bus. */
static void check_leaf_refused(const struct base *base, int err, u64 found,
			       u64 expected)
{
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;

	ASSERT(!record_restore(base->root_pa, &index, &damage));
	entry = test_index_entry(index, PCI_SER_KEY(nth_domain(FIRST), BDF_A),
			    &damage);
	CHECK_EQ(PTR_ERR(entry), err);
	check_damage(&damage, "buses[] entry", nth_domain(FIRST), found,
		     expected);
	entry = test_index_entry(index, PCI_SER_KEY(nth_domain(FIRST), BDF_B),
			    &damage);
	CHECK(!IS_ERR(entry));

	/* The page that is lost stays, and there is a message about it. */
	pci_liveupdate_index_destroy(index);
	CHECK_EQ(log_shim_take_messages(), 1);
	CHECK_EQ(kho_shim_count(KHO_SHIM_HANDED_OVER), 2);
	kho_shim_rewind(base->image);
}

void test_damaged_leaves(void)
{
	struct base base = base_create();
	u64 bad[NR_MISALIGNED + NR_FOREIGN];
	struct pci_segment_ser *seg;
	u64 *buses;

	seg = record_segment(base.root_pa, FIRST);
	buses = record_buses(seg);
	misaligned_addresses(buses[2], bad);
	foreign_addresses(&base, buses[2], PCI_SER_LEAF_SIZE,
			  bad + NR_MISALIGNED);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		bool misaligned = i < NR_MISALIGNED;

		buses[2] = bad[i];
		check_leaf_refused(&base, misaligned ? -EINVAL : -EFAULT, bad[i],
				   misaligned ? PAGE_SIZE : PCI_SER_LEAF_SIZE);
	}

	/* What the index took over itself is not a leaf either. */
	buses[2] = base.root_pa;
	check_leaf_refused(&base, -EFAULT, base.root_pa, PCI_SER_LEAF_SIZE);
	buses[2] = seg->buses;
	check_leaf_refused(&base, -EFAULT, seg->buses, PCI_SER_LEAF_SIZE);
	test_note("%zu bad addresses", ARRAY_SIZE(bad) + 2);
	base_destroy(&base);
}

/* A restore does not look for this, but it must not hurt when all is freed. */
static void check_leaf_tolerated(const struct base *base, unsigned long nr_left)
{
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;

	ASSERT(!record_restore(base->root_pa, &index, &damage));
	pci_liveupdate_index_destroy(index);
	CHECK_EQ(log_shim_take_messages(), 1);
	CHECK_EQ(kho_shim_count(KHO_SHIM_HANDED_OVER), nr_left);
	kho_shim_rewind(base->image);
}

void test_leaves_used_twice(void)
{
	struct base base = base_create();
	struct pci_segment_ser *first = record_segment(base.root_pa, FIRST);
	struct pci_segment_ser *last = record_segment(base.root_pa, LAST);

	/* What stays is the spare page, and the leaf that is not named. */
	record_buses(first)[2] = record_buses(first)[3];
	check_leaf_tolerated(&base, 2);
	record_buses(first)[2] = record_buses(last)[2];
	check_leaf_tolerated(&base, 2);
	record_buses(first)[2] = virt_to_phys(record_block(base.root_pa, 0));
	check_leaf_tolerated(&base, 2);
	record_buses(last)[3] = virt_to_phys(record_block(base.root_pa, 1));
	check_leaf_tolerated(&base, 2);

	/* A leaf of a bus that has no function is freed just as well. */
	record_buses(last)[0] = record_buses(last)[2];
	check_leaf_tolerated(&base, 1);
	base_destroy(&base);
}
