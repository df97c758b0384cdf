// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of PCI live update: the index of preserved functions.
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/initrd.h>
#include <linux/kexec_handover.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "test_pci_liveupdate.h"

/* Every addition allocates four times or less: bitmap, buses and two leaves. */
#define MAX_TEST_PAGES	16

/**
 * struct index_test - State of a test.
 * @index:    The index under test, or NULL.
 * @rec:      The record of the previous kernel.
 * @has_rec:  @rec must be reclaimed at the end.
 * @fail_at:  Number of the allocation of pages that fails, from 1.
 * @nr_pages: Number of allocations of pages so far.
 * @pages:    The allocated pages; referenced.
 * @guard:    State that the test must not change.
 */
struct index_test {
	struct pci_liveupdate_index *index;
	struct test_record rec;
	bool has_rec;
	unsigned int fail_at;
	unsigned int nr_pages;
	struct folio *pages[MAX_TEST_PAGES];
	struct test_guard guard;
};

/* Return a valid entry, another one for each BDF. */
static struct pci_function_ser entry_of(u32 domain, u16 bdf)
{
	return (struct pci_function_ser) {
		.vendor = MODEL_VENDOR,
		.device = bdf ^ domain ^ domain >> 16,
		.bar_shift = { bdf % 64, bdf / 64 % 64, bdf / 4096 },
	};
}

static int add(struct index_test *t, u32 domain, u16 bdf)
{
	struct pci_function_ser entry = entry_of(domain, bdf);
	pci_ser_key_t key = PCI_SER_KEY(domain, bdf);

	return pci_liveupdate_index_add(t->index, key, &entry);
}

/* Add a PF with VFs behind it. */
static int add_pf(struct index_test *t, u32 domain, u16 bdf)
{
	struct pci_function_ser entry = entry_of(domain, bdf);
	pci_ser_key_t key = PCI_SER_KEY(domain, bdf);
	struct pci_sriov_ser sriov = {
		.num_vfs = 2, .offset = 1, .stride = 1, .max_bus = PCI_BUS_NUM(bdf),
	};

	entry.flags = PCI_SER_PF;
	return pci_liveupdate_index_add_pf(t->index, key, &entry, &sriov);
}

static void create(struct kunit *test)
{
	struct index_test *t = test->priv;

	t->index = pci_liveupdate_index_create();
	if (IS_ERR(t->index)) {
		int err = PTR_ERR(t->index);

		t->index = NULL;
		KUNIT_FAIL_AND_ABORT(test, "no index: %d", err);
	}
}

static void destroy(struct index_test *t)
{
	pci_liveupdate_index_destroy(t->index);
	t->index = NULL;
}

/* Hand the record over and restore it. */
static void live_update(struct kunit *test)
{
	struct pci_liveupdate_damage damage = { };
	struct index_test *t = test->priv;
	struct pci_liveupdate_index *index = t->index;

	t->index = NULL;
	t->has_rec = true;
	test_record_hand_over(test, &t->rec, index);
	index = pci_liveupdate_index_restore(t->rec.root_pa, &damage);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(index), "%ld: %s",
			       PTR_ERR(index), damage.field);
	t->has_rec = false;
	t->index = index;
}

/* Restoring and freeing */

/* Destroying an index frees the pages that restoring took over. */
static void index_restore_frees(struct kunit *test)
{
	struct index_test *t = test->priv;
	struct pci_segment_ser *ser;
	struct folio *folios[3];

	create(test);
	KUNIT_ASSERT_EQ(test, add(t, 1, 1), 0);
	live_update(test);
	ser = test_record_segment(&t->rec, 0);
	folios[0] = virt_to_folio(t->index->ser);
	folios[1] = virt_to_folio(phys_to_virt(ser->bitmap));
	folios[2] = virt_to_folio(phys_to_virt(ser->buses));
	for (int i = 0; i < ARRAY_SIZE(folios); i++) {
		KUNIT_EXPECT_EQ(test, folio_ref_count(folios[i]), 1);
		folio_get(folios[i]);
	}
	destroy(t);
	for (int i = 0; i < ARRAY_SIZE(folios); i++) {
		KUNIT_EXPECT_EQ(test, folio_ref_count(folios[i]), 1);
		folio_put(folios[i]);
	}
	test_record_gone(test, &t->rec);
}

/* Restore a record of the sample. */
static void restore_sample(struct kunit *test, bool full)
{
	struct pci_liveupdate_damage damage = { };
	struct index_test *t = test->priv;
	struct pci_liveupdate_index *index;

	t->has_rec = true;
	test_record_sample(test, &t->rec, full);
	index = pci_liveupdate_index_restore(t->rec.root_pa, &damage);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(index), "%ld: %s",
			       PTR_ERR(index), damage.field);
	t->has_rec = false;
	t->index = index;
}

/* The damages of a record start from this one. */
static void index_restores_sample(struct kunit *test)
{
	struct pci_liveupdate_damage damage = { };
	struct index_test *t = test->priv;

	for (int full = 0; full < 2; full++) {
		unsigned int nr = full ? TEST_SAMPLE_SEGMENTS : 2;

		restore_sample(test, full);
		KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count(t->index),
				nr * TEST_SAMPLE_DEVICES);
		for (unsigned int i = 0; i < nr; i++) {
			pci_ser_key_t key = PCI_SER_KEY(test_sample_domain(i),
							TEST_SAMPLE_FUNCTION);
			const struct pci_function_ser *entry =
				test_index_entry(t->index, key, &damage);

			KUNIT_ASSERT_NOT_ERR_OR_NULL(test, entry);
			KUNIT_EXPECT_EQ(test, entry->device, TEST_SAMPLE_FUNCTION);
		}
		destroy(t);
		test_record_gone(test, &t->rec);
	}
}

/* Freeing a record with damaged leaves must not free any other page. */
static void index_destroy_bad_leaf(struct kunit *test)
{
	struct index_test *t = test->priv;
	u64 *buses, *other;
	u64 leaf_pa;

	restore_sample(test, false);
	buses = phys_to_virt(test_record_segment(&t->rec, 0)->buses);
	other = phys_to_virt(test_record_segment(&t->rec, 1)->buses);
	leaf_pa = buses[2];

	/* A page in use, a leaf of another segment, a bitmap and a block. */
	buses[2] = virt_to_phys(t->rec.spare);
	buses[4] = other[2];
	buses[5] = test_record_segment(&t->rec, 1)->bitmap;
	buses[6] = test_record_root(&t->rec)->segments;
	destroy(t);
	KUNIT_EXPECT_TRUE(test, test_logged(&t->guard,
					    "is not preserved memory, not freed"));

	KUNIT_ASSERT_TRUE(test, kho_is_restorable(leaf_pa, PCI_SER_LEAF_SIZE));
	kho_restore_free(phys_to_virt(leaf_pa));
	test_record_gone(test, &t->rec);
}

/* Out of memory */

/* Fail once, and take a reference to the other pages to see whether they leak. */
static void *failing_alloc_pages(size_t size)
{
	struct index_test *t = kunit_get_current_test()->priv;
	void *mem;

	if (++t->nr_pages == t->fail_at)
		return ERR_PTR(-ENOMEM);

	mem = kho_alloc_preserve(size);
	if (!IS_ERR(mem) && t->nr_pages <= MAX_TEST_PAGES) {
		t->pages[t->nr_pages - 1] = virt_to_folio(mem);
		folio_get(t->pages[t->nr_pages - 1]);
	}
	return mem;
}

static void fail_alloc(struct kunit *test, unsigned int nr)
{
	struct index_test *t = test->priv;

	t->fail_at = nr;
	t->nr_pages = 0;
	memset(t->pages, 0, sizeof(t->pages));
	kunit_activate_static_stub(test, pci_liveupdate_index_alloc_pages,
				   failing_alloc_pages);
}

/* Return whether an allocation failed. Expect @refs references to the others. */
static bool failed_alloc(struct kunit *test, int refs)
{
	struct index_test *t = test->priv;

	kunit_deactivate_static_stub(test, pci_liveupdate_index_alloc_pages);
	for (int i = 0; i < MAX_TEST_PAGES; i++) {
		if (!t->pages[i])
			continue;
		KUNIT_EXPECT_EQ(test, folio_ref_count(t->pages[i]), refs);
		folio_put(t->pages[i]);
	}

	return t->nr_pages >= t->fail_at;
}

static void index_create_no_memory(struct kunit *test)
{
	struct pci_liveupdate_index *index;
	struct index_test *t = test->priv;

	fail_alloc(test, 1);
	index = pci_liveupdate_index_create();
	KUNIT_EXPECT_TRUE(test, failed_alloc(test, 1));
	KUNIT_EXPECT_PTR_EQ(test, index, ERR_PTR(-ENOMEM));
	if (!IS_ERR(index))
		t->index = index;
}

/* Call @add with each allocation failing in turn. Return the number of failures. */
static unsigned int fail_each_alloc(struct kunit *test, u32 domain, u16 bdf,
				    int (*add)(struct index_test *t, u32 domain, u16 bdf))
{
	struct index_test *t = test->priv;
	const pci_ser_key_t key = PCI_SER_KEY(domain, bdf);
	struct pci_ser before = *t->index->ser;
	long nblocks = t->index->block_set.nblocks;
	u8 bus = PCI_BUS_NUM(bdf);
	bool any = pci_liveupdate_index_any(t->index, domain, bus, bus);
	unsigned int nr;
	int err;

	for (nr = 1; nr < MAX_TEST_PAGES; nr++) {
		fail_alloc(test, nr);
		err = add(t, domain, bdf);
		if (!failed_alloc(test, err ? 1 : 2))
			break;

		KUNIT_ASSERT_EQ(test, err, -ENOMEM);
		KUNIT_EXPECT_MEMEQ(test, t->index->ser, &before,
				   sizeof(before));
		KUNIT_EXPECT_EQ(test, t->index->block_set.nblocks, nblocks);
		KUNIT_EXPECT_FALSE(test, test_index_contains(t->index, key));
		KUNIT_EXPECT_EQ(test, any,
				pci_liveupdate_index_any(t->index, domain, bus, bus));
	}
	KUNIT_EXPECT_EQ(test, err, 0);
	return nr - 1;
}

static unsigned int add_no_memory(struct kunit *test, u32 domain, u16 bdf)
{
	return fail_each_alloc(test, domain, bdf, add);
}

static unsigned int add_pf_no_memory(struct kunit *test, u32 domain, u16 bdf)
{
	return fail_each_alloc(test, domain, bdf, add_pf);
}

static void index_add_no_memory(struct kunit *test)
{
	struct index_test *t = test->priv;

	create(test);
	/* Bitmap, directory and leaf; then a leaf; then nothing. */
	KUNIT_EXPECT_EQ(test, add_no_memory(test, 1, 0x100), 3);
	KUNIT_EXPECT_EQ(test, add_no_memory(test, 1, 0x200), 1);
	KUNIT_EXPECT_EQ(test, add_no_memory(test, 1, 0x201), 0);

	/* The next segment needs another block. */
	for (u32 domain = 2; domain <= t->index->block_set.count_per_block;
	     domain++)
		KUNIT_ASSERT_EQ(test, add(t, domain, 0), 0);
	KUNIT_EXPECT_EQ(test, t->index->block_set.nblocks, 1);
	KUNIT_EXPECT_EQ(test, add_no_memory(test, 0, 0xff00), 3);
	KUNIT_EXPECT_EQ(test, t->index->block_set.nblocks, 2);

	live_update(test);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count(t->index),
			t->index->block_set.count_per_block + 3);
	destroy(t);
	test_record_gone(test, &t->rec);
}

static void index_add_pf_no_memory(struct kunit *test)
{
	struct index_test *t = test->priv;

	create(test);
	/* Bitmap, directory and leaves; then two leaves; then a leaf of PFs. */
	KUNIT_EXPECT_EQ(test, add_pf_no_memory(test, 1, 0x100), 4);
	KUNIT_EXPECT_EQ(test, add_pf_no_memory(test, 1, 0x200), 2);
	KUNIT_EXPECT_EQ(test, add(t, 1, 0x300), 0);
	KUNIT_EXPECT_EQ(test, add_pf_no_memory(test, 1, 0x310), 1);
	KUNIT_EXPECT_EQ(test, add_pf_no_memory(test, 1, 0x320), 0);

	live_update(test);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count(t->index), 5);
	destroy(t);
	test_record_gone(test, &t->rec);
}

/* An older kernel reads the record again after the last PF is gone. */
static void index_last_pf(struct kunit *test)
{
	struct index_test *t = test->priv;

	create(test);
	KUNIT_EXPECT_EQ(test, add(t, 1, 0x100), 0);
	KUNIT_EXPECT_EQ(test, add_pf(t, 1, 0x200), 0);
	KUNIT_EXPECT_EQ(test, add_pf(t, 2, 0x200), 0);
	KUNIT_EXPECT_EQ(test, t->index->ser->features, PCI_SER_FEATURE_SRIOV);
	KUNIT_EXPECT_TRUE(test, test_index_remove(t->index, PCI_SER_KEY(1, 0x200)));
	KUNIT_EXPECT_EQ(test, t->index->ser->features, PCI_SER_FEATURE_SRIOV);
	KUNIT_EXPECT_TRUE(test, test_index_remove(t->index, PCI_SER_KEY(2, 0x200)));
	KUNIT_EXPECT_EQ(test, t->index->ser->features, 0);

	live_update(test);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count(t->index), 1);
	destroy(t);
	test_record_gone(test, &t->rec);
}

/* The suite */

static int index_suite_init(struct kunit_suite *suite)
{
	/* Freeing the initramfs would change the count of pages. */
	wait_for_initramfs();
	return 0;
}

static int index_test_init(struct kunit *test)
{
	struct index_test *t;

	if (!kho_is_enabled())
		kunit_skip(test, "boot with kho=on");

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	if (!t)
		return -ENOMEM;

	test->priv = t;
	test_record_init(test, &t->rec);
	test_guard_begin(&t->guard);
	return 0;
}

static void index_test_exit(struct kunit *test)
{
	struct index_test *t = test->priv;

	if (!t)
		return;

	pci_liveupdate_index_destroy(t->index);
	if (t->has_rec)
		test_record_reclaim(&t->rec);
	xa_destroy(&t->rec.pages);
	test_guard_end(test, &t->guard);
}

static struct kunit_case index_cases[] = {
	KUNIT_CASE(index_restore_frees),
	KUNIT_CASE(index_restores_sample),
	KUNIT_CASE(index_destroy_bad_leaf),
	KUNIT_CASE(index_create_no_memory),
	KUNIT_CASE(index_add_no_memory),
	KUNIT_CASE(index_add_pf_no_memory),
	KUNIT_CASE(index_last_pf),
	{ }
};

static struct kunit_suite index_suite = {
	.name = "pci_liveupdate_index",
	.suite_init = index_suite_init,
	.init = index_test_init,
	.exit = index_test_exit,
	.test_cases = index_cases,
};

kunit_test_suite(index_suite);
