// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of PCI live update: a record as the previous kernel leaves it.
 */

#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/kexec_handover.h>
#include <linux/kho_block.h>
#include <linux/kho/abi/pci.h>
#include <linux/kmsg_dump.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/panic.h>
#include <linux/pfn.h>
#include <linux/slab.h>
#include <linux/sprintf.h>
#include <linux/string.h>
#include <linux/swab.h>
#include <linux/xarray.h>

#include "test_pci_liveupdate.h"

/* A case for each of some segments, by number. */
void test_domain_desc(const u32 *domain, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "segment_%x", *domain);
}

/* The guard */

void test_guard_begin(struct test_guard *guard)
{
	struct kmsg_dump_iter iter;

	guard->totalram = totalram_pages();
	guard->warned = test_taint(TAINT_WARN);
	kmsg_dump_rewind(&iter);
	guard->log_seq = iter.next_seq;
}

void test_guard_end(struct kunit *test, struct test_guard *guard)
{
	/*
	 * Handing over takes pages out of the count, and restoring them puts
	 * them in again: a page that nobody took over is missing.
	 */
	KUNIT_EXPECT_EQ(test, totalram_pages(), guard->totalram);
	KUNIT_EXPECT_EQ_MSG(test, test_taint(TAINT_WARN), guard->warned,
			    "there was a WARN, see above");
}

/* Whether the kernel has logged a line with @text since the test began. */
bool test_logged(struct test_guard *guard, const char *text)
{
	static char line[1024];
	struct kmsg_dump_iter iter;
	size_t len;

	kmsg_dump_rewind(&iter);
	iter.cur_seq = guard->log_seq;
	while (kmsg_dump_get_line(&iter, false, line, sizeof(line), &len)) {
		if (strnstr(line, text, len))
			return true;
	}

	return false;
}

/* Handing over */

/*
 * What kexec_handover.c of the next kernel finds the pages by, and keeps to
 * itself. Should it change there, kho_is_restorable() no longer agrees.
 */
#define KHO_PAGE_MAGIC	0x4b484f50UL
#define KHO_PAGE_PRIVATE(order)	(KHO_PAGE_MAGIC << 32 | (order))

/*
 * Make one folio look as it does after the kexec: KHO has put magic and order
 * into page->private, and the page allocator does not count it. It stays a
 * compound page, which the restore makes of it anyway.
 */
static void hand_over_folio(struct kunit *test, struct test_record *rec,
			    void *mem)
{
	struct folio *folio = virt_to_folio(mem);
	unsigned int order = folio_order(folio);

	KUNIT_ASSERT_EQ(test, folio_ref_count(folio), 1);
	KUNIT_ASSERT_EQ(test, 0, xa_insert(&rec->pages, folio_pfn(folio),
					   xa_mk_value(order), GFP_KERNEL));

	kho_unpreserve_folio(folio);
	folio_page(folio, 0)->private = KHO_PAGE_PRIVATE(order);
	adjust_managed_page_count(folio_page(folio, 0), -(1L << order));
	KUNIT_ASSERT_TRUE(test, kho_is_restorable(virt_to_phys(mem),
						  PAGE_SIZE << order));
}

static void hand_over_segment(struct kunit *test, struct test_record *rec,
			      struct pci_segment_ser *ser)
{
	u64 *buses = phys_to_virt(ser->buses);

	for (int bus = 0; bus < PCI_SER_BUSES; bus++) {
		if (buses[bus])
			hand_over_folio(test, rec, phys_to_virt(buses[bus]));
	}
	hand_over_folio(test, rec, buses);
	hand_over_folio(test, rec, phys_to_virt(ser->bitmap));
}

/* What is left of an index is what a kexec forgets. */
static void forget_index(struct pci_liveupdate_index *index)
{
	struct kho_block *block, *tmp;
	unsigned long domain;
	void *segment;

	xa_for_each(&index->segments, domain, segment)
		kfree(segment);
	xa_destroy(&index->segments);
	list_for_each_entry_safe(block, tmp, &index->block_set.blocks, list)
		kfree(block);
	kfree(index);
}

void test_record_init(struct kunit *test, struct test_record *rec)
{
	xa_init(&rec->pages);
	rec->root_pa = 0;
	rec->spare = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rec->spare);
	KUNIT_ASSERT_TRUE(test, PAGE_ALIGNED(rec->spare));
}

/* Do to the pages of @index what a kexec does, and to the rest as well. */
void test_record_hand_over(struct kunit *test, struct test_record *rec,
			   struct pci_liveupdate_index *index)
{
	struct kho_block_header_ser *block;
	struct pci_segment_ser *ser;

	KUNIT_ASSERT_TRUE(test, xa_empty(&rec->pages));
	rec->root_pa = pci_liveupdate_index_root_pa(index);

	for (u64 pa = index->ser->segments; pa; pa = block->next) {
		block = phys_to_virt(pa);
		ser = (struct pci_segment_ser *)(block + 1);
		for (u64 i = 0; i < block->count; i++)
			hand_over_segment(test, rec, &ser[i]);
		hand_over_folio(test, rec, block);
	}
	hand_over_folio(test, rec, index->ser);

	forget_index(index);
}

static bool is_restorable(unsigned long pfn, void *order)
{
	return kho_is_restorable(PFN_PHYS(pfn),
				 PAGE_SIZE << xa_to_value(order));
}

/* An index that was made of the record is destroyed: nothing must be left. */
void test_record_gone(struct kunit *test, struct test_record *rec)
{
	unsigned long pfn;
	void *order;

	xa_for_each(&rec->pages, pfn, order)
		KUNIT_EXPECT_FALSE(test, is_restorable(pfn, order));
	xa_destroy(&rec->pages);
}

/* Free a record that was refused or not read: it is KHO's, or nobody's. */
void test_record_reclaim(struct test_record *rec)
{
	unsigned long pfn;
	void *order;

	xa_for_each(&rec->pages, pfn, order) {
		if (is_restorable(pfn, order))
			kho_restore_free(__va(PFN_PHYS(pfn)));
		else
			folio_put(pfn_folio(pfn));
	}
	xa_destroy(&rec->pages);
}

/* Parts of a record */

struct pci_ser *test_record_root(struct test_record *rec)
{
	return phys_to_virt(rec->root_pa);
}

struct kho_block_header_ser *test_record_block(struct test_record *rec,
					       unsigned int nr)
{
	struct kho_block_header_ser *block =
		phys_to_virt(test_record_root(rec)->segments);

	while (nr--)
		block = phys_to_virt(block->next);

	return block;
}

struct pci_segment_ser *test_record_segment(struct test_record *rec,
					    unsigned int nr)
{
	return (struct pci_segment_ser *)(test_record_block(rec, 0) + 1) + nr;
}

struct pci_function_ser *test_record_entry(struct test_record *rec,
					   unsigned int nr, u16 bdf)
{
	u64 *buses = phys_to_virt(test_record_segment(rec, nr)->buses);
	struct pci_function_ser *leaf = phys_to_virt(buses[PCI_BUS_NUM(bdf)]);

	return &leaf[bdf & 0xff];
}

/* Damage */

/*
 * The sample: segment 1 has a bridge 00:01.0 to bus 01, and 01:00.0 below it;
 * segment 0x10002 has 01:00.0. If @full, further segments fill two blocks.
 */
void test_record_sample(struct kunit *test, struct test_record *rec, bool full)
{
	struct pci_function_ser bridge = {
		.vendor = MODEL_VENDOR, .device = 1,
		.hdr_type = PCI_HEADER_TYPE_BRIDGE,
		.secondary = 1, .subordinate = 1,
	};
	struct pci_function_ser function = {
		.vendor = MODEL_VENDOR, .device = 2,
	};
	struct pci_liveupdate_index *index = pci_liveupdate_index_create();

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, index);
	KUNIT_ASSERT_EQ(test, 0,
			pci_liveupdate_index_add(index, PCI_SER_KEY(1, 0x0008),
						 &bridge));
	KUNIT_ASSERT_EQ(test, 0,
			pci_liveupdate_index_add(index, PCI_SER_KEY(1, 0x0100),
						 &function));
	KUNIT_ASSERT_EQ(test, 0,
			pci_liveupdate_index_add(index,
						 PCI_SER_KEY(0x10002, 0x0100),
						 &function));
	for (u32 nr = 2; full && nr < 2 * index->block_set.count_per_block;
	     nr++) {
		pci_ser_key_t key = PCI_SER_KEY(0x20000 + nr, 0x0100);

		KUNIT_ASSERT_EQ(test, 0,
				pci_liveupdate_index_add(index, key, &function));
	}

	test_record_hand_over(test, rec, index);
}

static void damage_root_misaligned(struct test_record *rec,
				   struct pci_liveupdate_damage *want)
{
	rec->root_pa += 8;
	want->found = rec->root_pa;
	want->expected = PAGE_SIZE;
}

static void damage_root_ordinary(struct test_record *rec,
				 struct pci_liveupdate_damage *want)
{
	rec->root_pa = virt_to_phys(rec->spare);
	want->found = rec->root_pa;
	want->expected = sizeof(struct pci_ser);
}

static void damage_root_null(struct test_record *rec,
			     struct pci_liveupdate_damage *want)
{
	rec->root_pa = 0;
	want->expected = sizeof(struct pci_ser);
}

static void damage_root_no_memory(struct test_record *rec,
				  struct pci_liveupdate_damage *want)
{
	rec->root_pa = 1ULL << 51;
	want->found = rec->root_pa;
	want->expected = sizeof(struct pci_ser);
}

static void damage_root_order(struct test_record *rec,
			      struct pci_liveupdate_damage *want)
{
	rec->root_pa = test_record_segment(rec, 0)->bitmap;
	want->found = rec->root_pa;
	want->expected = sizeof(struct pci_ser);
}

static void damage_version_none(struct test_record *rec,
				struct pci_liveupdate_damage *want)
{
	test_record_root(rec)->version = 0;
	want->expected = 1;
}

static void damage_oldest_none(struct test_record *rec,
			       struct pci_liveupdate_damage *want)
{
	test_record_root(rec)->oldest_reader = 0;
	want->expected = 1;
}

/* No version reads a record before the version that wrote it exists. */
static void damage_oldest_impossible(struct test_record *rec,
				     struct pci_liveupdate_damage *want)
{
	test_record_root(rec)->oldest_reader = TEST_VERSION + 1;
	want->found = TEST_VERSION + 1;
	want->expected = TEST_VERSION;
}

static void damage_oldest_new(struct test_record *rec,
			      struct pci_liveupdate_damage *want)
{
	test_record_root(rec)->version = TEST_VERSION + 2;
	test_record_root(rec)->oldest_reader = TEST_VERSION + 1;
	want->found = TEST_VERSION + 1;
	want->expected = TEST_VERSION;
}

static void damage_features(struct test_record *rec,
			    struct pci_liveupdate_damage *want)
{
	test_record_root(rec)->features = 1;
	want->found = 1;
	want->expected = PCI_SER_FEATURES;
}

static void damage_features_high(struct test_record *rec,
				 struct pci_liveupdate_damage *want)
{
	test_record_root(rec)->features = BIT_ULL(63);
	want->found = BIT_ULL(63);
	want->expected = PCI_SER_FEATURES;
}

static void damage_root_reserved(struct test_record *rec,
				 struct pci_liveupdate_damage *want)
{
	test_record_root(rec)->reserved = 0x80000000;
	want->found = 0x80000000;
}

static void damage_version_byte_order(struct test_record *rec,
				      struct pci_liveupdate_damage *want)
{
	test_record_root(rec)->version = swab32(TEST_VERSION);
	want->found = swab32(PCI_SER_OLDEST_READER);
	test_record_root(rec)->oldest_reader = want->found;
	want->expected = TEST_VERSION;
}

static void damage_root_nr_devices(struct test_record *rec,
				   struct pci_liveupdate_damage *want)
{
	want->expected = test_record_root(rec)->nr_devices++;
	want->found = want->expected + 1;
}

static void damage_root_nr_devices_high(struct test_record *rec,
					struct pci_liveupdate_damage *want)
{
	want->expected = test_record_root(rec)->nr_devices;
	want->found = want->expected | BIT_ULL(32);
	test_record_root(rec)->nr_devices = want->found;
}

static void damage_nr_segments_more(struct test_record *rec,
				    struct pci_liveupdate_damage *want)
{
	want->found = test_record_root(rec)->nr_segments++;
	want->expected = want->found + 1;
}

static void damage_nr_segments_less(struct test_record *rec,
				    struct pci_liveupdate_damage *want)
{
	want->found = test_record_root(rec)->nr_segments--;
	want->expected = want->found - 1;
}

static void damage_nr_segments_none(struct test_record *rec,
				    struct pci_liveupdate_damage *want)
{
	test_record_root(rec)->nr_segments = 0;
	want->found = test_record_root(rec)->segments;
}

static void damage_nr_segments_huge(struct test_record *rec,
				    struct pci_liveupdate_damage *want)
{
	want->found = test_record_root(rec)->nr_segments;
	test_record_root(rec)->nr_segments = U32_MAX;
	want->expected = (KHO_BLOCK_SIZE -
			  sizeof(struct kho_block_header_ser)) /
			 sizeof(struct pci_segment_ser);
}

static void damage_segments_null(struct test_record *rec,
				 struct pci_liveupdate_damage *want)
{
	test_record_root(rec)->segments = 0;
	want->expected = test_record_root(rec)->nr_segments;
}

static void damage_segments_misaligned(struct test_record *rec,
				       struct pci_liveupdate_damage *want)
{
	want->found = test_record_root(rec)->segments |= 1;
	want->expected = PAGE_SIZE;
}

static void damage_segments_ordinary(struct test_record *rec,
				     struct pci_liveupdate_damage *want)
{
	want->found = virt_to_phys(rec->spare);
	test_record_root(rec)->segments = want->found;
	want->expected = KHO_BLOCK_SIZE;
}

static void damage_block_count(struct test_record *rec,
			       struct pci_liveupdate_damage *want)
{
	want->found = 0;
	want->expected = test_record_block(rec, 0)->count;
	test_record_block(rec, 0)->count = 0;
}

static void damage_next_of_last(struct test_record *rec,
				struct pci_liveupdate_damage *want)
{
	want->found = test_record_root(rec)->segments;
	test_record_block(rec, 0)->next = want->found;
}

static void damage_next_missing(struct test_record *rec,
				struct pci_liveupdate_damage *want)
{
	test_record_block(rec, 0)->next = 0;
	want->expected = test_record_block(rec, 0)->count;
}

static void damage_next_misaligned(struct test_record *rec,
				   struct pci_liveupdate_damage *want)
{
	want->found = test_record_block(rec, 0)->next += 16;
	want->expected = PAGE_SIZE;
}

static void damage_next_ordinary(struct test_record *rec,
				 struct pci_liveupdate_damage *want)
{
	want->found = virt_to_phys(rec->spare);
	test_record_block(rec, 0)->next = want->found;
	want->expected = KHO_BLOCK_SIZE;
}

/* A cycle is found by what it leads to: segments that were there before. */
static void damage_next_cycle(struct test_record *rec,
			      struct pci_liveupdate_damage *want)
{
	test_record_block(rec, 0)->next = test_record_root(rec)->segments;
	want->domain = 1;
	want->found = 1;
	want->expected = 1;
}

static void damage_bitmap_misaligned(struct test_record *rec,
				     struct pci_liveupdate_damage *want)
{
	want->domain = 0x10002;
	want->found = test_record_segment(rec, 1)->bitmap += 8;
	want->expected = PAGE_SIZE;
}

static void damage_bitmap_null(struct test_record *rec,
			       struct pci_liveupdate_damage *want)
{
	want->domain = 1;
	test_record_segment(rec, 0)->bitmap = 0;
	want->expected = PCI_SER_BITMAP_SIZE;
}

static void damage_bitmap_second_page(struct test_record *rec,
				      struct pci_liveupdate_damage *want)
{
	want->domain = 1;
	want->found = test_record_segment(rec, 0)->bitmap += PAGE_SIZE;
	want->expected = PCI_SER_BITMAP_SIZE;
}

static void damage_buses_misaligned(struct test_record *rec,
				    struct pci_liveupdate_damage *want)
{
	want->domain = 1;
	want->found = test_record_segment(rec, 0)->buses += PAGE_SIZE / 2;
	want->expected = PAGE_SIZE;
}

static void damage_buses_ordinary(struct test_record *rec,
				  struct pci_liveupdate_damage *want)
{
	want->domain = 1;
	want->found = virt_to_phys(rec->spare);
	test_record_segment(rec, 0)->buses = want->found;
	want->expected = PCI_SER_BUSES_SIZE;
}

static void damage_buses_reserved(struct test_record *rec,
				  struct pci_liveupdate_damage *want)
{
	u64 *buses = phys_to_virt(test_record_segment(rec, 0)->buses);

	/* Even if it is what the other half has. */
	want->domain = 1;
	want->found = buses[1];
	buses[PCI_SER_BUSES + 1] = buses[1];
}

static void damage_buses_reserved_last(struct test_record *rec,
				       struct pci_liveupdate_damage *want)
{
	u64 *buses = phys_to_virt(test_record_segment(rec, 1)->buses);

	want->domain = 0x10002;
	want->found = BIT_ULL(63);
	buses[511] = want->found;
}

static void damage_domain_twice(struct test_record *rec,
				struct pci_liveupdate_damage *want)
{
	test_record_segment(rec, 1)->domain = 1;
	want->domain = 1;
	want->found = 1;
	want->expected = 1;
}

static void damage_segment_nr_devices(struct test_record *rec,
				      struct pci_liveupdate_damage *want)
{
	want->domain = 1;
	want->expected = test_record_segment(rec, 0)->nr_devices--;
	want->found = want->expected - 1;
}

static void damage_bit_lost(struct test_record *rec,
			    struct pci_liveupdate_damage *want)
{
	u8 *bitmap = phys_to_virt(test_record_segment(rec, 0)->bitmap);

	bitmap[0x100 / 8] &= ~BIT(0);
	want->domain = 1;
	want->found = 2;
	want->expected = 1;
}

static void damage_bit_added(struct test_record *rec,
			     struct pci_liveupdate_damage *want)
{
	u8 *bitmap = phys_to_virt(test_record_segment(rec, 0)->bitmap);

	bitmap[0x1ff / 8] |= BIT(7);
	want->domain = 1;
	want->found = 2;
	want->expected = 3;
}

static void damage_bit_on_new_bus(struct test_record *rec,
				  struct pci_liveupdate_damage *want)
{
	u8 *bitmap = phys_to_virt(test_record_segment(rec, 0)->bitmap);

	bitmap[0xffff / 8] |= BIT(7);
	want->domain = 1;
	want->expected = 0xff;
}

static void damage_leaf_missing(struct test_record *rec,
				struct pci_liveupdate_damage *want)
{
	u64 *buses = phys_to_virt(test_record_segment(rec, 0)->buses);

	buses[1] = 0;
	want->domain = 1;
	want->expected = 1;
}

static void damage_bitmap_shared(struct test_record *rec,
				 struct pci_liveupdate_damage *want)
{
	struct pci_segment_ser *first = test_record_segment(rec, 0);
	struct pci_segment_ser *second = test_record_segment(rec, 1);
	u64 *buses = phys_to_virt(second->buses);

	/* With the counts of the first one, and a leaf for each bus. */
	second->nr_devices = first->nr_devices;
	test_record_root(rec)->nr_devices = 2 * first->nr_devices;
	buses[0] = buses[1];
	second->bitmap = first->bitmap;
	want->domain = 0x10002;
	want->found = second->bitmap;
	want->expected = PCI_SER_BITMAP_SIZE;
}

static void damage_buses_shared(struct test_record *rec,
				struct pci_liveupdate_damage *want)
{
	want->domain = 0x10002;
	want->found = test_record_segment(rec, 0)->buses;
	test_record_segment(rec, 1)->buses = want->found;
	want->expected = PCI_SER_BUSES_SIZE;
}

/* Word 3 of the root is not 0, and passes for the leaf of a function there. */
static void damage_buses_is_root(struct test_record *rec,
				 struct pci_liveupdate_damage *want)
{
	u8 *bitmap = phys_to_virt(test_record_segment(rec, 1)->bitmap);

	bitmap[0x100 / 8] = 0;
	bitmap[0x300 / 8] = BIT(0);
	want->domain = 0x10002;
	want->found = rec->root_pa;
	test_record_segment(rec, 1)->buses = want->found;
	want->expected = PCI_SER_BUSES_SIZE;
}

/* Word 1 of a block is not 0 either, where the function is. */
static void damage_buses_is_block(struct test_record *rec,
				  struct pci_liveupdate_damage *want)
{
	want->found = test_record_root(rec)->segments;
	test_record_segment(rec, 1)->buses = want->found;
	want->expected = KHO_BLOCK_SIZE;
}

const struct test_refusal test_refusals[] = {
	{ "root_misaligned", damage_root_misaligned, -EINVAL, "root" },
	{ "root_ordinary", damage_root_ordinary, -EFAULT, "root" },
	{ "root_null", damage_root_null, -EFAULT, "root" },
	{ "root_no_memory", damage_root_no_memory, -EFAULT, "root" },
	{ "root_order", damage_root_order, -EFAULT, "root" },
	{ "version_none", damage_version_none, -EPROTO, "version" },
	{ "version_byte_order", damage_version_byte_order, -EPROTONOSUPPORT,
	  "oldest_reader" },
	{ "oldest_none", damage_oldest_none, -EPROTO, "oldest_reader" },
	{ "oldest_impossible", damage_oldest_impossible, -EPROTO,
	  "oldest_reader" },
	{ "oldest_new", damage_oldest_new, -EPROTONOSUPPORT, "oldest_reader" },
	{ "features", damage_features, -EPROTONOSUPPORT, "features" },
	{ "features_high", damage_features_high, -EPROTONOSUPPORT, "features" },
	{ "root_reserved", damage_root_reserved, -EBADMSG,
	  "reserved of the root" },
	{ "root_nr_devices", damage_root_nr_devices, -EOVERFLOW,
	  "nr_devices of the root" },
	{ "root_nr_devices_high", damage_root_nr_devices_high, -EOVERFLOW,
	  "nr_devices of the root" },
	{ "nr_segments_more", damage_nr_segments_more, -ERANGE,
	  "count of a block" },
	{ "nr_segments_less", damage_nr_segments_less, -ERANGE,
	  "count of a block" },
	{ "nr_segments_none", damage_nr_segments_none, -ELOOP, "segments" },
	{ "nr_segments_huge", damage_nr_segments_huge, -ERANGE,
	  "count of a block" },
	{ "segments_null", damage_segments_null, -ENODATA, "segments" },
	{ "segments_misaligned", damage_segments_misaligned, -EINVAL,
	  "segments" },
	{ "segments_ordinary", damage_segments_ordinary, -EFAULT, "segments" },
	{ "block_count", damage_block_count, -ERANGE, "count of a block" },
	{ "next_of_last", damage_next_of_last, -ELOOP, "next of a block" },
	{ "next_missing", damage_next_missing, -ENODATA, "next of a block",
	  true },
	{ "next_misaligned", damage_next_misaligned, -EINVAL,
	  "next of a block", true },
	{ "next_ordinary", damage_next_ordinary, -EFAULT, "next of a block",
	  true },
	{ "next_cycle", damage_next_cycle, -EEXIST, "domain", true },
	{ "bitmap_misaligned", damage_bitmap_misaligned, -EINVAL, "bitmap" },
	{ "bitmap_null", damage_bitmap_null, -EFAULT, "bitmap" },
	{ "bitmap_second_page", damage_bitmap_second_page, -EFAULT, "bitmap" },
	{ "buses_misaligned", damage_buses_misaligned, -EINVAL, "buses" },
	{ "buses_ordinary", damage_buses_ordinary, -EFAULT, "buses" },
	{ "buses_reserved", damage_buses_reserved, -EBADMSG,
	  "reserved buses[] entry" },
	{ "buses_reserved_last", damage_buses_reserved_last, -EBADMSG,
	  "reserved buses[] entry" },
	{ "domain_twice", damage_domain_twice, -EEXIST, "domain" },
	{ "segment_nr_devices", damage_segment_nr_devices, -EUCLEAN,
	  "nr_devices" },
	{ "bit_lost", damage_bit_lost, -EUCLEAN, "nr_devices" },
	{ "bit_added", damage_bit_added, -EUCLEAN, "nr_devices" },
	{ "bit_on_new_bus", damage_bit_on_new_bus, -ENXIO, "buses[] entry" },
	{ "leaf_missing", damage_leaf_missing, -ENXIO, "buses[] entry" },
	{ "bitmap_shared", damage_bitmap_shared, -EBUSY, "bitmap" },
	{ "buses_shared", damage_buses_shared, -EBUSY, "buses" },
	{ "buses_is_root", damage_buses_is_root, -EBUSY, "buses" },
	{ "buses_is_block", damage_buses_is_block, -EBUSY, "next of a block" },
};

const unsigned int test_nr_refusals = ARRAY_SIZE(test_refusals);

/* Two suites run this table, so it is not KUNIT_ARRAY_PARAM_DESC(). */
const void *test_refusal_gen_params(struct kunit *test, const void *prev,
				    char *desc)
{
	const struct test_refusal *next = prev;

	next = next ? next + 1 : test_refusals;
	if (next == test_refusals + test_nr_refusals)
		return NULL;

	strscpy(desc, next->name, KUNIT_PARAM_DESC_SIZE);
	return next;
}
