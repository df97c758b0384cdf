// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of PCI live update: records of a previous kernel.
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
#include <linux/xarray.h>

#include "test_pci_liveupdate.h"

/* Describe a test case by the number of its segment. */
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
	 * Handing a page over takes it out of the count, and restoring it puts
	 * it in again. A leaked page is missing.
	 */
	KUNIT_EXPECT_EQ(test, totalram_pages(), guard->totalram);
	KUNIT_EXPECT_EQ_MSG(test, test_taint(TAINT_WARN), guard->warned,
			    "there was a WARN, see above");
}

/* Return how many lines with @text the kernel has logged since the test began. */
unsigned int test_count_logged(struct test_guard *guard, const char *text)
{
	static char line[1024];
	struct kmsg_dump_iter iter;
	unsigned int lines = 0;
	size_t len;

	kmsg_dump_rewind(&iter);
	iter.cur_seq = guard->log_seq;
	while (kmsg_dump_get_line(&iter, false, line, sizeof(line), &len)) {
		if (strnstr(line, text, len))
			lines++;
	}

	return lines;
}

bool test_logged(struct test_guard *guard, const char *text)
{
	return test_count_logged(guard, text);
}

/* Handing over */

/*
 * The mark of a preserved page, private to kexec_handover.c. If it changes there,
 * the assertion on kho_is_restorable() below fails.
 */
#define KHO_PAGE_MAGIC	0x4b484f50UL
#define KHO_PAGE_PRIVATE(order)	(KHO_PAGE_MAGIC << 32 | (order))

/*
 * Bring one folio into its state after the kexec: KHO has put magic and order into
 * page->private, and the page allocator does not count the folio. It remains a
 * compound page, as restoring makes it one.
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

	for (int i = 0; i < PCI_SER_LEAVES; i++) {
		if (buses[i])
			hand_over_folio(test, rec, phys_to_virt(buses[i]));
	}
	hand_over_folio(test, rec, buses);
	hand_over_folio(test, rec, phys_to_virt(ser->bitmap));
}

/* Free the parts of an index that do not survive a kexec. */
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

/* Hand the record of @index over, and free @index. */
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

/* Expect that no page is preserved after the restored index was destroyed. */
void test_record_gone(struct kunit *test, struct test_record *rec)
{
	unsigned long pfn;
	void *order;

	xa_for_each(&rec->pages, pfn, order)
		KUNIT_EXPECT_FALSE(test, is_restorable(pfn, order));
	xa_destroy(&rec->pages);
}

/* Free a refused or unread record: preserved pages and pages taken over. */
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

struct pci_segment_ser *test_record_segment(struct test_record *rec,
					    unsigned int nr)
{
	struct kho_block_header_ser *block =
		phys_to_virt(test_record_root(rec)->segments);

	return (struct pci_segment_ser *)(block + 1) + nr;
}

/* Make a record of the sample, with two segments, or with two blocks if @full. */
void test_record_sample(struct kunit *test, struct test_record *rec, bool full)
{
	struct pci_liveupdate_index *index = pci_liveupdate_index_create();

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, index);
	KUNIT_ASSERT_EQ(test, 0,
			test_index_fill_sample(index, full ? TEST_SAMPLE_SEGMENTS : 2));
	test_record_hand_over(test, rec, index);
}

/* Make a record of the sample with one segment, which has the PF and its VFs. */
void test_record_sample_pf(struct kunit *test, struct test_record *rec)
{
	struct pci_liveupdate_index *index = pci_liveupdate_index_create();

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, index);
	KUNIT_ASSERT_EQ(test, 0, test_index_fill_sample(index, 1));
	KUNIT_ASSERT_EQ(test, 0, test_index_add_sample_pf(index, test_sample_domain(0)));
	test_record_hand_over(test, rec, index);
}
