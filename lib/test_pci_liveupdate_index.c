// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of PCI live update: the index of preserved functions.
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/initrd.h>
#include <linux/kexec_handover.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/pci.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "test_pci_liveupdate.h"

static unsigned long seed = 20260401;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "Seed of the random cases");

/* A segment has at most four pages here: bitmap (2), buses, and one leaf. */
#define MAX_TEST_PAGES	16

/**
 * struct index_test - State of a test.
 * @index:    The index that is being tested, or NULL.
 * @rec:      What the previous kernel has left.
 * @has_rec:  Whether @rec has to be reclaimed.
 * @rnd:      Source of random numbers.
 * @fail_at:  Which allocation of pages fails, from 1 on.
 * @nr_pages: Number of allocations of pages until now.
 * @pages:    The ones that were successful, each with a reference of ours.
 * @guard:    What must be as it was.
 */
struct index_test {
	struct pci_liveupdate_index *index;
	struct test_record rec;
	bool has_rec;
	struct rnd_state rnd;
	unsigned int fail_at;
	unsigned int nr_pages;
	struct folio *pages[MAX_TEST_PAGES];
	struct test_guard guard;
};

/* An entry that differs for each BDF, and is a valid one. */
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

/* From the outgoing to the incoming kernel. */
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

/* Against a model */

static const u32 domains[] = { 0, 1, 0xffff, 0x10000, 0xffffffff };

KUNIT_ARRAY_PARAM(domain, domains, test_domain_desc);

/* Compare an index of one segment with a plain bitmap, by every way to ask. */
static void expect_same(struct kunit *test, u32 domain,
			const unsigned long *model)
{
	struct index_test *t = test->priv;
	struct pci_liveupdate_damage damage;
	unsigned long bdf = find_first_bit(model, PCI_SER_BDFS);
	unsigned int wrong = 0, cases = 0;
	pci_ser_key_t key;

	for (unsigned int i = 0; i < PCI_SER_BDFS; i++, cases++) {
		const struct pci_function_ser *entry;
		struct pci_function_ser want = entry_of(domain, i);

		key = PCI_SER_KEY(domain, i);
		wrong += test_index_contains(t->index, key) !=
			 test_bit(i, model);
		entry = test_index_entry(t->index, key, &damage);
		if (test_bit(i, model))
			wrong += IS_ERR(entry) ||
				 memcmp(entry, &want, sizeof(want));
		else
			wrong += entry != ERR_PTR(-ENOENT);
	}
	KUNIT_EXPECT_EQ(test, cases, 65536);
	KUNIT_EXPECT_EQ(test, wrong, 0);

	pci_liveupdate_index_for_each(t->index, key) {
		wrong += key != PCI_SER_KEY(domain, bdf);
		bdf = find_next_bit(model, PCI_SER_BDFS, bdf + 1);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, bdf, PCI_SER_BDFS);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count(t->index),
			bitmap_weight(model, PCI_SER_BDFS));
}

/* Every BDF is added, refused when added again, removed, and then not there. */
static void index_every_bdf(struct kunit *test)
{
	unsigned long *model = kunit_kzalloc(test, PCI_SER_BITMAP_SIZE,
					     GFP_KERNEL);
	const u32 domain = *(const u32 *)test->param_value;
	struct index_test *t = test->priv;
	unsigned int wrong = 0;

	KUNIT_ASSERT_NOT_NULL(test, model);
	create(test);

	/* An odd factor visits each BDF once, in an order of its own. */
	for (unsigned int i = 0; i < PCI_SER_BDFS; i++) {
		u16 bdf = i * 40503;

		wrong += test_index_contains(t->index,
					     PCI_SER_KEY(domain, bdf));
		wrong += add(t, domain, bdf) != 0;
		wrong += add(t, domain, bdf) != -EEXIST;
		__set_bit(bdf, model);
		wrong += pci_liveupdate_index_count(t->index) != i + 1;
		if (i == PCI_SER_BDFS / 3)
			expect_same(test, domain, model);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	expect_same(test, domain, model);

	for (unsigned int i = 0; i < PCI_SER_BDFS; i++) {
		u16 bdf = i * 25717;

		wrong += !test_index_remove(t->index, PCI_SER_KEY(domain, bdf));
		wrong += test_index_remove(t->index, PCI_SER_KEY(domain, bdf));
		__clear_bit(bdf, model);
		if (i == PCI_SER_BDFS / 3)
			expect_same(test, domain, model);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	expect_same(test, domain, model);
}

/* One function on the edge of a word or of a bus does not show in the next. */
static void index_edges(struct kunit *test)
{
	static const u16 bdfs[] = {
		0, 1, 62, 63, 64, 65, 127, 128, 254, 255, 256, 257, 32767,
		32768, 65279, 65280, 65471, 65472, 65534, 65535,
	};
	struct index_test *t = test->priv;
	pci_ser_key_t key;

	create(test);
	for (int i = 0; i < ARRAY_SIZE(bdfs); i++) {
		u16 bdf = bdfs[i];
		u8 bus = PCI_BUS_NUM(bdf);

		KUNIT_ASSERT_EQ(test, add(t, 7, bdf), 0);

		key = 0;
		KUNIT_EXPECT_TRUE(test, pci_liveupdate_index_next(t->index,
								  &key));
		KUNIT_EXPECT_EQ(test, key, PCI_SER_KEY(7, bdf));
		key = PCI_SER_KEY(7, bdf) + 1;
		KUNIT_EXPECT_FALSE(test, pci_liveupdate_index_next(t->index,
								   &key));

		for (int b = 0; b < PCI_SER_BUSES; b++)
			KUNIT_EXPECT_EQ(test, b == bus,
					pci_liveupdate_index_any(t->index, 7,
								 b, b));

		KUNIT_EXPECT_TRUE(test,
				  test_index_remove(t->index,
						    PCI_SER_KEY(7, bdf)));
		KUNIT_EXPECT_FALSE(test, pci_liveupdate_index_any(t->index, 7,
								  0, 255));
	}
}

/* All ranges of buses, also those that are empty, against counting. */
static void expect_any(struct kunit *test, u32 domain, const bool *busy)
{
	struct index_test *t = test->priv;
	unsigned int wrong = 0, cases = 0;

	for (unsigned int first = 0; first < PCI_SER_BUSES; first++) {
		for (unsigned int last = 0; last < PCI_SER_BUSES; last++) {
			unsigned int bus = first;
			bool any = false;

			while (!any && bus <= last)
				any = busy[bus++];
			wrong += any != pci_liveupdate_index_any(t->index,
								 domain, first,
								 last);
			cases++;
		}
	}
	KUNIT_EXPECT_EQ(test, cases, 65536);
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* To ask for buses writes neither to the index nor to a segment. */
static void index_any_does_not_write(struct kunit *test)
{
	struct index_test *t = test->priv;
	struct pci_liveupdate_slot slot;
	size_t size;
	u8 *before;

	create(test);
	KUNIT_ASSERT_EQ(test, add(t, 3, 0x100), 0);
	KUNIT_ASSERT_EQ(test, add(t, 3, 0x200), 0);
	KUNIT_ASSERT_TRUE(test, test_index_remove(t->index,
						  PCI_SER_KEY(3, 0x200)));
	KUNIT_ASSERT_TRUE(test, pci_liveupdate_index_find(t->index,
							  PCI_SER_KEY(3, 0x100),
							  &slot));
	/* Its struct is private to the index; ksize() says how large it is. */
	size = ksize(slot.segment);
	before = kunit_kmalloc(test, size + sizeof(*t->index), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, before);
	memcpy(before, slot.segment, size);
	memcpy(before + size, t->index, sizeof(*t->index));

	for (int bus = 0; bus < PCI_SER_BUSES; bus++)
		KUNIT_EXPECT_EQ(test, bus == 1,
				pci_liveupdate_index_any(t->index, 3, bus,
							 bus));
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_index_any(t->index, 3, 0, 255));
	KUNIT_EXPECT_MEMEQ(test, before, slot.segment, size);
	KUNIT_EXPECT_MEMEQ(test, before + size, t->index, sizeof(*t->index));
}

static void index_any_of_all_ranges(struct kunit *test)
{
	struct index_test *t = test->priv;
	bool busy[PCI_SER_BUSES] = { };

	create(test);
	expect_any(test, 3, busy);

	for (int i = 0; i < 24; i++) {
		u16 bdf = prandom_u32_state(&t->rnd);

		if (!add(t, 3, bdf))
			busy[PCI_BUS_NUM(bdf)] = true;
		if (i == 0 || i == 3 || i == 23)
			expect_any(test, 3, busy);
	}
	KUNIT_ASSERT_EQ(test, add(t, 3, 0xffff), 0);
	busy[0xff] = true;
	expect_any(test, 3, busy);

	/* Not in a segment that is not there. */
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_index_any(t->index, 2, 0, 255));
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_index_any(t->index, 4, 0, 255));
}

/* The summary of a bus goes with the last function on it, and not before. */
static void index_any_counts(struct kunit *test)
{
	struct index_test *t = test->priv;

	create(test);
	for (int devfn = 0; devfn < PCI_SER_DEVFNS; devfn++)
		KUNIT_ASSERT_EQ(test, add(t, 0, PCI_DEVID(9, devfn)), 0);
	for (int devfn = 0; devfn < PCI_SER_DEVFNS; devfn++) {
		KUNIT_EXPECT_TRUE(test, pci_liveupdate_index_any(t->index, 0, 9,
								 9));
		test_index_remove(t->index,
				  PCI_SER_KEY(0, PCI_DEVID(9, devfn)));
	}
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_index_any(t->index, 0, 9, 9));
}

static void index_empty(struct kunit *test)
{
	struct pci_liveupdate_damage damage;
	struct index_test *t = test->priv;
	pci_ser_key_t key = 0;

	create(test);
	for (int incoming = 0; incoming < 2; incoming++) {
		KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count(t->index), 0);
		KUNIT_EXPECT_FALSE(test, pci_liveupdate_index_next(t->index,
								   &key));
		KUNIT_EXPECT_FALSE(test,
				   test_index_contains(t->index,
						       PCI_SER_KEY(0, 0)));
		KUNIT_EXPECT_FALSE(test,
				   test_index_remove(t->index,
						     PCI_SER_KEY(0, 0)));
		KUNIT_EXPECT_FALSE(test,
				   test_index_marked(t->index,
						     PCI_SER_KEY(0, 0)));
		KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(-ENOENT),
				    test_index_entry(t->index,
						     PCI_SER_KEY(0, 0),
						     &damage));
		if (!incoming)
			live_update(test);
	}
	destroy(t);
	test_record_gone(test, &t->rec);
	/* As kfree(): there may be nothing. */
	pci_liveupdate_index_destroy(NULL);
}

/* An iteration that starts anywhere, and goes behind the last of all. */
static void index_next(struct kunit *test)
{
	struct index_test *t = test->priv;
	pci_ser_key_t key;

	create(test);
	KUNIT_ASSERT_EQ(test, add(t, 0xffffffff, 0xffff), 0);
	KUNIT_ASSERT_EQ(test, add(t, 0, 0xffff), 0);
	KUNIT_ASSERT_EQ(test, add(t, 2, 5), 0);

	key = PCI_SER_KEY(0, 6);
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_index_next(t->index, &key));
	KUNIT_EXPECT_EQ(test, key, PCI_SER_KEY(0, 0xffff));
	key++;
	/* A BDF is where to start in its own segment only. */
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_index_next(t->index, &key));
	KUNIT_EXPECT_EQ(test, key, PCI_SER_KEY(2, 5));
	key = PCI_SER_KEY(1, 0xff00);
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_index_next(t->index, &key));
	KUNIT_EXPECT_EQ(test, key, PCI_SER_KEY(2, 5));
	key++;
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_index_next(t->index, &key));
	KUNIT_EXPECT_EQ(test, key, 0xffffffffffffULL);
	key++;
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_index_next(t->index, &key));
}

/* Segments */

#define MANY_SEGMENTS	1000

/* Numbers that spread over 32 bits, and go neither up nor down. */
static u32 many_domain(unsigned int i)
{
	return i * 2654435761U;
}

static void expect_many(struct kunit *test)
{
	struct index_test *t = test->priv;
	unsigned int wrong = 0, n = 0;
	pci_ser_key_t key, last = 0;

	for (unsigned int i = 0; i < MANY_SEGMENTS; i++) {
		u32 domain = many_domain(i);

		wrong += !test_index_contains(t->index, PCI_SER_KEY(domain, i));
		wrong += test_index_contains(t->index,
					     PCI_SER_KEY(domain, i + 1));
		wrong += test_index_contains(t->index,
					     PCI_SER_KEY(domain + 1, i));
	}
	pci_liveupdate_index_for_each(t->index, key) {
		wrong += n++ && key <= last;
		last = key;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, n, MANY_SEGMENTS);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count(t->index),
			MANY_SEGMENTS);
	KUNIT_EXPECT_EQ(test, t->index->ser->nr_segments, MANY_SEGMENTS);
}

static void index_thousand_segments(struct kunit *test)
{
	struct index_test *t = test->priv;

	create(test);
	for (unsigned int i = 0; i < MANY_SEGMENTS; i++)
		KUNIT_ASSERT_EQ(test, add(t, many_domain(i), i), 0);
	expect_many(test);
	live_update(test);
	expect_many(test);
	destroy(t);
	test_record_gone(test, &t->rec);
}

/* A segment that has become empty keeps its place, and is used again. */
static void index_emptied_segment(struct kunit *test)
{
	struct index_test *t = test->priv;

	create(test);
	KUNIT_ASSERT_EQ(test, add(t, 5, 0x100), 0);
	KUNIT_ASSERT_EQ(test, add(t, 6, 0x100), 0);
	KUNIT_EXPECT_TRUE(test,
			  test_index_remove(t->index, PCI_SER_KEY(5, 0x100)));
	KUNIT_EXPECT_EQ(test, t->index->ser->nr_segments, 2);
	KUNIT_ASSERT_EQ(test, add(t, 5, 0x200), 0);
	KUNIT_EXPECT_EQ(test, t->index->ser->nr_segments, 2);
	KUNIT_EXPECT_TRUE(test,
			  test_index_remove(t->index, PCI_SER_KEY(5, 0x200)));

	live_update(test);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count(t->index), 1);
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_index_any(t->index, 5, 0, 255));
	KUNIT_EXPECT_TRUE(test,
			  test_index_contains(t->index, PCI_SER_KEY(6, 0x100)));
	destroy(t);
	test_record_gone(test, &t->rec);
}

/* The record */

/* The layout, byte by byte, not by the structures that both sides share. */
static void index_layout(struct kunit *test)
{
	struct index_test *t = test->priv;
	const u32 *root, *segment;
	const u64 *block, *buses;
	const u8 *bitmap, *leaf;

	create(test);
	KUNIT_ASSERT_EQ(test, add(t, 0x10abc, 0x8143), 0);
	live_update(test);

	root = phys_to_virt(t->rec.root_pa);
	KUNIT_EXPECT_EQ(test, root[0], TEST_VERSION);
	KUNIT_EXPECT_EQ(test, root[1], 1);
	KUNIT_EXPECT_EQ(test, *(const u64 *)(root + 2), 0);
	KUNIT_EXPECT_EQ(test, root[4], 1);
	KUNIT_EXPECT_EQ(test, root[5], 0);
	KUNIT_EXPECT_EQ(test, *(const u64 *)(root + 6), 1);
	block = phys_to_virt(*(const u64 *)(root + 8));
	KUNIT_EXPECT_EQ(test, block[0], 0);
	KUNIT_EXPECT_EQ(test, block[1], 1);
	segment = (const u32 *)(block + 2);
	KUNIT_EXPECT_EQ(test, segment[0], 0x10abc);
	KUNIT_EXPECT_EQ(test, segment[1], 1);
	bitmap = phys_to_virt(*(const u64 *)(segment + 2));
	KUNIT_EXPECT_EQ(test, bitmap[0x8143 / 8], 1 << (0x8143 % 8));
	KUNIT_EXPECT_NULL(test, memchr_inv(bitmap, 0, 0x8143 / 8));
	KUNIT_EXPECT_NULL(test, memchr_inv(bitmap + 0x8143 / 8 + 1, 0,
					   8192 - 0x8143 / 8 - 1));
	buses = phys_to_virt(*(const u64 *)(segment + 4));
	for (int bus = 0; bus < 512; bus++)
		KUNIT_EXPECT_EQ(test, !buses[bus], bus != 0x81);
	leaf = phys_to_virt(buses[0x81]);
	KUNIT_EXPECT_EQ(test, leaf[0x43 * 16], MODEL_VENDOR & 0xff);
	KUNIT_EXPECT_EQ(test, leaf[0x43 * 16 + 1], MODEL_VENDOR >> 8);
	KUNIT_EXPECT_EQ(test, leaf[0x43 * 16 + 5], 0x8143 % 64);
	KUNIT_EXPECT_NULL(test, memchr_inv(leaf, 0, 0x43 * 16));

	destroy(t);
	test_record_gone(test, &t->rec);
}

/* What comes out is what went in, whichever functions it was. */
static void index_round_trip(struct kunit *test)
{
	unsigned long *model = kunit_kzalloc(test, PCI_SER_BITMAP_SIZE,
					     GFP_KERNEL);
	const u32 domain = *(const u32 *)test->param_value;
	bool busy[PCI_SER_BUSES] = { };
	struct index_test *t = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, model);
	create(test);
	for (int i = 0; i < 3000; i++) {
		u16 bdf = prandom_u32_state(&t->rnd);

		/* Leave some buses empty, and take some functions out again. */
		if (bdf & 0x3000)
			continue;
		if (!add(t, domain, bdf))
			__set_bit(bdf, model);
		else if (test_index_remove(t->index, PCI_SER_KEY(domain, bdf)))
			__clear_bit(bdf, model);
	}
	for (int bdf = 0; bdf < PCI_SER_BDFS; bdf++)
		busy[PCI_BUS_NUM(bdf)] |= test_bit(bdf, model);

	expect_same(test, domain, model);
	live_update(test);
	expect_same(test, domain, model);
	expect_any(test, domain, busy);
	destroy(t);
	test_record_gone(test, &t->rec);
}

/* The pages that are taken over at restore are freed at the end. */
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

static void index_marks(struct kunit *test)
{
	struct index_test *t = test->priv;

	create(test);
	KUNIT_ASSERT_EQ(test, add(t, 1, 0x100), 0);
	KUNIT_ASSERT_EQ(test, add(t, 1, 0x101), 0);
	live_update(test);

	KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count_marked(t->index), 0);
	for (int i = 0; i < 2; i++) {
		test_index_mark(t->index, PCI_SER_KEY(1, 0x100), true);
		KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count_marked(t->index), 1);
	}
	KUNIT_EXPECT_TRUE(test,
			  test_index_marked(t->index, PCI_SER_KEY(1, 0x100)));
	KUNIT_EXPECT_FALSE(test,
			   test_index_marked(t->index, PCI_SER_KEY(1, 0x101)));
	for (int i = 0; i < 2; i++) {
		test_index_mark(t->index, PCI_SER_KEY(1, 0x100), false);
		KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count_marked(t->index), 0);
	}

	/* A mark goes with its function. */
	test_index_mark(t->index, PCI_SER_KEY(1, 0x100), true);
	test_index_mark(t->index, PCI_SER_KEY(1, 0x101), true);
	test_index_remove(t->index, PCI_SER_KEY(1, 0x100));
	KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count_marked(t->index), 1);
	KUNIT_EXPECT_FALSE(test,
			   test_index_marked(t->index, PCI_SER_KEY(1, 0x100)));
	destroy(t);
	test_record_gone(test, &t->rec);
}

/* Refusals */

static void expect_damage(struct kunit *test,
			  const struct pci_liveupdate_damage *damage,
			  const struct pci_liveupdate_damage *want)
{
	KUNIT_ASSERT_NOT_NULL(test, damage->field);
	KUNIT_EXPECT_STREQ(test, damage->field, want->field);
	/* The sample has no segment 0. */
	KUNIT_EXPECT_EQ(test, damage->in_segment, want->domain != 0);
	KUNIT_EXPECT_EQ(test, damage->domain, want->domain);
	KUNIT_EXPECT_EQ(test, damage->found, want->found);
	KUNIT_EXPECT_EQ(test, damage->expected, want->expected);
	KUNIT_EXPECT_NOT_NULL(test, damage->rule);
}

static void index_refuses_record(struct kunit *test)
{
	const struct test_refusal *refusal = test->param_value;
	struct pci_liveupdate_damage damage = { };
	struct pci_liveupdate_damage want = { .field = refusal->field };
	struct index_test *t = test->priv;
	struct pci_liveupdate_index *index;

	t->has_rec = true;
	test_record_sample(test, &t->rec, refusal->full);
	refusal->damage(&t->rec, &want);

	index = pci_liveupdate_index_restore(t->rec.root_pa, &damage);
	if (!IS_ERR(index)) {
		t->has_rec = false;
		t->index = index;
		KUNIT_FAIL_AND_ABORT(test, "was not refused");
	}
	KUNIT_EXPECT_EQ(test, PTR_ERR(index), refusal->err);
	expect_damage(test, &damage, &want);
}

/* A record that a later version wrote, and this one reads. */
static void index_accepts_later(struct kunit *test)
{
	static const u32 versions[] = {
		TEST_VERSION, TEST_VERSION + 1, U32_MAX,
	};
	struct pci_liveupdate_damage damage = { };
	struct index_test *t = test->priv;
	struct pci_liveupdate_index *index;

	for (int i = 0; i < ARRAY_SIZE(versions); i++) {
		t->has_rec = true;
		test_record_sample(test, &t->rec, false);
		test_record_root(&t->rec)->version = versions[i];
		test_record_root(&t->rec)->oldest_reader = TEST_VERSION;
		index = pci_liveupdate_index_restore(t->rec.root_pa, &damage);
		KUNIT_ASSERT_FALSE(test, IS_ERR(index));
		t->has_rec = false;
		t->index = index;
		KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count(index), 3);
		destroy(t);
		test_record_gone(test, &t->rec);
	}
}

/* The record that the damages start from is not refused. */
static void index_accepts_sample(struct kunit *test)
{
	struct pci_liveupdate_damage damage = { };
	struct index_test *t = test->priv;
	struct pci_liveupdate_index *index;

	for (int full = 0; full < 2; full++) {
		t->has_rec = true;
		test_record_sample(test, &t->rec, full);
		index = pci_liveupdate_index_restore(t->rec.root_pa, &damage);
		KUNIT_ASSERT_FALSE(test, IS_ERR(index));
		t->has_rec = false;
		t->index = index;
		if (!full)
			KUNIT_EXPECT_EQ(test, 3,
					pci_liveupdate_index_count(t->index));
		destroy(t);
		test_record_gone(test, &t->rec);
	}
}

/**
 * struct entry_refusal - One way to damage the entry of a function.
 * @name:     Name of the case.
 * @bdf:      Which function of segment 1 of the sample.
 * @offset:   Which byte of its entry.
 * @size:     How many bytes.
 * @value:    What is written to them.
 * @field:    The field that is named.
 * @found:    What is reported as found, if it is not @value.
 * @expected: What is reported as expected.
 */
struct entry_refusal {
	const char *name;
	u16 bdf;
	u8 offset;
	u8 size;
	u16 value;
	const char *field;
	u16 found;
	u16 expected;
};

#define BRIDGE_BDF	0x0008
#define FUNCTION_BDF	0x0100

static const struct entry_refusal entry_refusals[] = {
	{ "hdr_type_cardbus", FUNCTION_BDF, 4, 1, 2, "hdr_type", 0, 1 },
	{ "hdr_type_multi_function", BRIDGE_BDF, 4, 1, 0x81, "hdr_type", 0, 1 },
	{ "vendor_0", FUNCTION_BDF, 0, 2, 0, "vendor", 0, 0xffff },
	{ "vendor_ffff", BRIDGE_BDF, 0, 2, 0xffff, "vendor", 0, 0xffff },
	{ "bar_shift", FUNCTION_BDF, 5, 1, 64, "bar_shift", 0, 64 },
	{ "bar_shift_last", FUNCTION_BDF, 10, 1, 255, "bar_shift", 0, 64 },
	{ "bar_shift_rom", BRIDGE_BDF, 11, 1, 64, "bar_shift", 0, 64 },
	{ "bar_shift_bridge", BRIDGE_BDF, 7, 1, 1, "bar_shift", 0, 1 },
	{ "bar_shift_bridge_last", BRIDGE_BDF, 10, 1, 12, "bar_shift", 0, 1 },
	{ "secondary_same", BRIDGE_BDF, 12, 1, 0, "secondary", 0, 0 },
	{ "subordinate_less", BRIDGE_BDF, 13, 1, 0, "subordinate", 0, 1 },
	{ "function_secondary", FUNCTION_BDF, 12, 1, 2,
	  "secondary and subordinate", 0x200, 0 },
	{ "function_subordinate", FUNCTION_BDF, 13, 1, 2,
	  "secondary and subordinate", 0x002, 0 },
	{ "flags", FUNCTION_BDF, 14, 1, 0x81, "flags", 0x81,
	  PCI_SER_INTX_BROKEN },
	{ "reserved", BRIDGE_BDF, 15, 1, 0x80, "reserved", 0x80, 0 },
};

KUNIT_ARRAY_PARAM_DESC(entry_refusal, entry_refusals, name);

static void restore_sample(struct kunit *test)
{
	struct pci_liveupdate_damage damage = { };
	struct index_test *t = test->priv;
	struct pci_liveupdate_index *index;

	index = pci_liveupdate_index_restore(t->rec.root_pa, &damage);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(index), "refused too early: %s",
			       damage.field);
	t->has_rec = false;
	t->index = index;
}

static void index_refuses_entry(struct kunit *test)
{
	const struct entry_refusal *refusal = test->param_value;
	struct pci_liveupdate_damage damage = { };
	struct pci_liveupdate_damage want = {
		.field = refusal->field,
		.domain = 1,
		.found = refusal->found ?: refusal->value,
		.expected = refusal->expected,
	};
	u16 other = refusal->bdf == BRIDGE_BDF ? FUNCTION_BDF : BRIDGE_BDF;
	struct index_test *t = test->priv;
	void *entry;

	t->has_rec = true;
	test_record_sample(test, &t->rec, false);
	entry = test_record_entry(&t->rec, 0, refusal->bdf);
	memcpy(entry + refusal->offset, &refusal->value, refusal->size);

	/* Restoring does not look at entries; one does not spoil another. */
	restore_sample(test);
	KUNIT_EXPECT_FALSE(test,
			   IS_ERR(test_index_entry(t->index,
						   PCI_SER_KEY(1, other),
						   &damage)));
	KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(-EBADMSG),
			    test_index_entry(t->index,
					     PCI_SER_KEY(1, refusal->bdf),
					     &damage));
	expect_damage(test, &damage, &want);
}

/* The address of a leaf is checked when the leaf is wanted. */
static void index_refuses_leaf(struct kunit *test)
{
	struct pci_liveupdate_damage damage = { };
	const pci_ser_key_t key = PCI_SER_KEY(1, FUNCTION_BDF);
	struct index_test *t = test->priv;
	u64 *buses, leaf_pa;
	u64 wrong[4];

	t->has_rec = true;
	test_record_sample(test, &t->rec, false);
	buses = phys_to_virt(test_record_segment(&t->rec, 0)->buses);
	leaf_pa = buses[1];
	wrong[0] = leaf_pa + 16;
	wrong[1] = virt_to_phys(t->rec.spare);
	/* Two that were preserved, one of another size, one taken over. */
	wrong[2] = test_record_segment(&t->rec, 0)->bitmap;
	wrong[3] = test_record_segment(&t->rec, 0)->buses;

	restore_sample(test);
	for (int i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct pci_liveupdate_damage want = {
			.field = "buses[] entry",
			.domain = 1,
			.found = wrong[i],
			.expected = i ? PCI_SER_LEAF_SIZE : PAGE_SIZE,
		};

		buses[1] = wrong[i];
		KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(i ? -EFAULT : -EINVAL),
				    test_index_entry(t->index, key, &damage));
		expect_damage(test, &damage, &want);
	}
	buses[1] = leaf_pa;
	KUNIT_EXPECT_FALSE(test,
			   IS_ERR(test_index_entry(t->index, key, &damage)));
	destroy(t);
	test_record_gone(test, &t->rec);
}

/* A damaged leaf must not hurt a kernel that is done with the record. */
static void index_destroy_bad_leaf(struct kunit *test)
{
	struct index_test *t = test->priv;
	u64 *buses, *other;
	u64 leaf_pa;

	t->has_rec = true;
	test_record_sample(test, &t->rec, false);
	buses = phys_to_virt(test_record_segment(&t->rec, 0)->buses);
	other = phys_to_virt(test_record_segment(&t->rec, 1)->buses);
	leaf_pa = buses[0];
	restore_sample(test);

	/* Nobody's page, a leaf twice, a page that is taken over, a block. */
	buses[0] = virt_to_phys(t->rec.spare);
	buses[2] = other[1];
	buses[3] = test_record_segment(&t->rec, 1)->bitmap;
	buses[4] = test_record_root(&t->rec)->segments;
	destroy(t);
	KUNIT_EXPECT_TRUE(test, test_logged(&t->guard,
					    "is not preserved memory, not freed"));

	KUNIT_ASSERT_TRUE(test, kho_is_restorable(leaf_pa, PCI_SER_LEAF_SIZE));
	kho_restore_free(phys_to_virt(leaf_pa));
	test_record_gone(test, &t->rec);
}

/* Out of memory */

/* Fails once, and keeps hold of the others to see whether they are let go. */
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

/* Returns whether the failure came. The other pages have @refs references. */
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

/* Add with each allocation failing in turn; returns how many there were. */
static unsigned int add_no_memory(struct kunit *test, u32 domain, u16 bdf)
{
	struct index_test *t = test->priv;
	const pci_ser_key_t key = PCI_SER_KEY(domain, bdf);
	struct pci_ser before = *t->index->ser;
	long nblocks = t->index->block_set.nblocks;
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
		KUNIT_EXPECT_FALSE(test,
				   pci_liveupdate_index_any(t->index, domain,
							    PCI_BUS_NUM(bdf),
							    PCI_BUS_NUM(bdf)));
	}
	KUNIT_EXPECT_EQ(test, err, 0);
	return nr - 1;
}

static void index_add_no_memory(struct kunit *test)
{
	struct index_test *t = test->priv;

	create(test);
	/* Bitmap, directory and leaf; then a leaf; then nothing. */
	KUNIT_EXPECT_EQ(test, add_no_memory(test, 1, 0x100), 3);
	KUNIT_EXPECT_EQ(test, add_no_memory(test, 1, 0x200), 1);
	KUNIT_EXPECT_EQ(test, add_no_memory(test, 1, 0x201), 0);

	/* The same where the next segment needs another block. */
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

/* The suite */

static int index_suite_init(struct kunit_suite *suite)
{
	/* What it frees would be missing from, or added to, our counts. */
	wait_for_initramfs();
	pr_info("test_pci_liveupdate_index.seed=%lu\n", seed);
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
	prandom_seed_state(&t->rnd, seed);
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

/* For filters: a debug kernel takes minutes for what user space does as well. */
#define EXHAUSTIVE	((struct kunit_attributes){ .speed = KUNIT_SPEED_VERY_SLOW })

static struct kunit_case index_cases[] = {
	KUNIT_CASE_PARAM_ATTR(index_every_bdf, domain_gen_params, EXHAUSTIVE),
	KUNIT_CASE(index_edges),
	KUNIT_CASE_ATTR(index_any_of_all_ranges, EXHAUSTIVE),
	KUNIT_CASE(index_any_counts),
	KUNIT_CASE(index_any_does_not_write),
	KUNIT_CASE(index_empty),
	KUNIT_CASE(index_next),
	KUNIT_CASE_ATTR(index_thousand_segments, EXHAUSTIVE),
	KUNIT_CASE(index_emptied_segment),
	KUNIT_CASE(index_layout),
	KUNIT_CASE_PARAM_ATTR(index_round_trip, domain_gen_params, EXHAUSTIVE),
	KUNIT_CASE(index_restore_frees),
	KUNIT_CASE(index_marks),
	KUNIT_CASE(index_accepts_sample),
	KUNIT_CASE(index_accepts_later),
	KUNIT_CASE_PARAM(index_refuses_record, test_refusal_gen_params),
	KUNIT_CASE_PARAM(index_refuses_entry, entry_refusal_gen_params),
	KUNIT_CASE(index_refuses_leaf),
	KUNIT_CASE(index_destroy_bad_leaf),
	KUNIT_CASE(index_create_no_memory),
	KUNIT_CASE(index_add_no_memory),
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
