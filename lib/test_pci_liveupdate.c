// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of PCI live update: preserving functions for the next kernel.
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/bitfield.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/kexec_handover.h>
#include <linux/kthread.h>
#include <linux/log2.h>
#include <linux/pci.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "test_pci_liveupdate_api.h"

/* Preserve */

static const u32 domains[] = { DOMAIN, HIGH_DOMAIN };

KUNIT_ARRAY_PARAM(domain, domains, test_domain_desc);

static void preserve_sets_bridges(struct kunit *test)
{
	struct api_test *t = test->priv;
	unsigned long set = 0;

	model_init(&t->model, *(const u32 *)test->param_value);
	api_scan_all(test);
	api_begin_outgoing(test);
	api_expect_outgoing(test, 0);
	for (int i = 0; i < NR_FUNCTIONS; i++) {
		KUNIT_EXPECT_EQ(test, api_preserve(t, api_functions[i]), 0);
		set |= BIT(api_functions[i]);
		api_expect_outgoing(test, set);
	}
	for (int i = 0; i < NR_FUNCTIONS; i++) {
		api_unpreserve(t, api_functions[i]);
		set &= ~BIT(api_functions[i]);
		api_expect_outgoing(test, set);
	}
}

/* The entry of a function matches the registers of the model. */
static void preserve_describes(struct kunit *test)
{
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;
	struct api_test *t = test->priv;
	unsigned int cases = 0;

	api_scan_all(test);
	api_begin_outgoing(test);
	api_preserve_all(test);
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		struct pci_function_ser want = model_entry(&t->model, fn);

		if (!(api_with_bridges(ALL_FUNCTIONS) & BIT(fn)))
			continue;
		want.checksum = test_entry_checksum(api_key(t, fn), &want);
		entry = test_index_entry(t->out.obj, api_key(t, fn), &damage);
		KUNIT_ASSERT_FALSE(test, IS_ERR(entry));
		KUNIT_EXPECT_MEMEQ(test, entry, &want, sizeof(want));
		cases++;
	}
	KUNIT_EXPECT_EQ(test, cases, 11);
}

#define REBAR_CAP	0x100

static void set_rebar(struct api_test *t, enum model_fn fn, int bar, u32 size)
{
	u8 *cap = t->model.fns[fn].cfg + REBAR_CAP;

	put_unaligned_le32(PCI_EXT_CAP_ID_REBAR | 1 << 16, cap);
	put_unaligned_le32(FIELD_PREP(PCI_REBAR_CTRL_BAR_IDX, bar) |
			   FIELD_PREP(PCI_REBAR_CTRL_NBAR_MASK, 1) |
			   FIELD_PREP(PCI_REBAR_CTRL_BAR_SIZE, size),
			   cap + PCI_REBAR_CTRL);
}

/* The resource of a BAR still has the old size while the BAR is resized. */
static void preserve_resized(struct kunit *test)
{
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;
	struct api_test *t = test->priv;

	set_rebar(t, EP_A0, 2, pci_rebar_bytes_to_size(SZ_2G));
	api_scan_all(test);
	KUNIT_ASSERT_EQ(test, pci_resource_len(t->devs[EP_A0], 2), SZ_2G);
	set_rebar(t, EP_A0, 2, pci_rebar_bytes_to_size(SZ_512M));

	api_begin_outgoing(test);
	KUNIT_ASSERT_EQ(test, api_preserve(t, EP_A0), 0);
	entry = test_index_entry(t->out.obj, api_key(t, EP_A0), &damage);
	KUNIT_ASSERT_FALSE(test, IS_ERR(entry));
	KUNIT_EXPECT_EQ(test, entry->bar_shift[2], ilog2(SZ_512M));
	KUNIT_EXPECT_EQ(test, entry->bar_shift[0], 34);
}

/* A resource at a fixed address is not that of a BAR. */
static void preserve_fixed(struct kunit *test)
{
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;
	struct api_test *t = test->priv;

	api_scan_all(test);
	t->devs[EP_A0]->resource[0].flags |= IORESOURCE_PCI_FIXED;
	t->devs[EP_A0]->resource[PCI_ROM_RESOURCE].flags |= IORESOURCE_ROM_SHADOW;
	api_begin_outgoing(test);
	KUNIT_ASSERT_EQ(test, api_preserve(t, EP_A0), 0);
	entry = test_index_entry(t->out.obj, api_key(t, EP_A0), &damage);
	KUNIT_ASSERT_FALSE(test, IS_ERR(entry));
	KUNIT_EXPECT_EQ(test, entry->bar_shift[0], 0);
	KUNIT_EXPECT_EQ(test, entry->bar_shift[PCI_SER_ROM], 0);
}

static void preserve_twice(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	api_begin_outgoing(test);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_CONV), 0);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_CONV), -EBUSY);
	api_expect_outgoing(test, BIT(EP_CONV));
	/* One call takes it back. */
	api_unpreserve(t, EP_CONV);
	api_expect_outgoing(test, 0);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_CONV), 0);
	api_expect_outgoing(test, BIT(EP_CONV));
}

static void unpreserve_not_held(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	api_expect_refusal(test, api_unpreserve, EP_A0, "cannot be unpreserved");

	api_begin_outgoing(test);
	KUNIT_ASSERT_EQ(test, api_preserve(t, EP_A1), 0);
	api_unpreserve(t, EP_A0);
	/* A bridge has the flag, but drivers must not unpreserve it. */
	api_unpreserve(t, SW_DN_A);
	api_unpreserve(t, RP_B);
	api_expect_outgoing(test, BIT(EP_A1));
}

static void preserve_without_file(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), -ENOENT);
	api_begin_outgoing(test);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), 0);
	api_unpreserve(t, EP_A0);
	api_end_outgoing(t);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), -ENOENT);
}

/* Only bridges above a preserved function are preserved, in any order of calls. */
static void unpreserve_any_order(struct kunit *test)
{
	enum model_fn in[NR_FUNCTIONS], out[NR_FUNCTIONS];
	struct api_test *t = test->priv;
	unsigned int cases = 0;

	api_scan_all(test);
	api_begin_outgoing(test);
	/* Unpreserve in each of 5! orders, after preserving in one order. */
	for (unsigned int nr = 0; nr < 120; nr++) {
		unsigned long set = 0;

		api_permutation(119 - nr, NR_FUNCTIONS, in);
		api_permutation(nr, NR_FUNCTIONS, out);
		for (int i = 0; i < NR_FUNCTIONS; i++) {
			KUNIT_ASSERT_EQ(test, api_preserve(t, in[i]), 0);
			set |= BIT(in[i]);
		}
		api_expect_outgoing(test, set);
		for (int i = 0; i < NR_FUNCTIONS; i++, cases++) {
			api_unpreserve(t, out[i]);
			set &= ~BIT(out[i]);
			api_expect_outgoing(test, set);
		}
	}
	KUNIT_EXPECT_EQ(test, cases, 600);
}

/**
 * struct bad_fn - A function that no driver can preserve.
 * @name: Name of the case.
 * @fn:   The function.
 * @err:  The errno.
 * @text: Part of the message in the log.
 */
struct bad_fn {
	const char *name;
	enum model_fn fn;
	int err;
	const char *text;
};

static const struct bad_fn bad_fns[] = {
	{ "root_port", RP_A, -EINVAL, "a bridge is preserved with the functions below" },
	{ "switch", SW_DN_A, -EINVAL, "a bridge is preserved with the functions below" },
	{ "conventional_bridge", CONV_BR, -EINVAL,
	  "a bridge is preserved with the functions below" },
	{ "cardbus", CB_BR, -EINVAL, "a CardBus bridge cannot be preserved" },
	{ "acs_quirk_above", EP_ACS, -EOPNOTSUPP, "a quirk enables its ACS" },
};

KUNIT_ARRAY_PARAM_DESC(bad_fn, bad_fns, name);

static void preserve_refuses(struct kunit *test)
{
	const struct bad_fn *bad = test->param_value;
	struct api_test *t = test->priv;

	api_scan_all(test);
	api_begin_outgoing(test);
	for (int i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, api_preserve(t, bad->fn), bad->err);
		api_expect_logged(test, bad->text);
		api_expect_outgoing(test, i ? BIT(EP_A0) : 0);
		if (!i)
			KUNIT_ASSERT_EQ(test, api_preserve(t, EP_A0), 0);
	}
}

/* The bus numbers in the registers differ from those of the scanned bus. */
static void preserve_bridge_registers(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	api_begin_outgoing(test);
	pci_write_config_byte(t->devs[SW_UP], PCI_SUBORDINATE_BUS, 0x07);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), -EOPNOTSUPP);
	api_expect_logged(test, "it forwards [bus 02-07]");
	api_expect_outgoing(test, 0);
	KUNIT_EXPECT_EQ(test, api_preserve(t, PF), 0);
	api_expect_outgoing(test, BIT(PF));

	pci_write_config_byte(t->devs[SW_UP], PCI_SUBORDINATE_BUS, 0x06);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), 0);
	api_expect_outgoing(test, BIT(PF) | BIT(EP_A0));
}

/* Firmware gave a bridge more bus numbers than the bridge above has. */
static void preserve_bridge_not_nested(struct kunit *test)
{
	struct api_test *t = test->priv;

	model_set_buses(&t->model, CONV_BR, 0x05, 0x0b);
	api_scan(test);
	KUNIT_ASSERT_NOT_NULL(test, t->devs[EP_CONV]);
	api_begin_outgoing(test);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_CONV), -EOPNOTSUPP);
	api_expect_logged(test, "is not nested in");
	api_expect_outgoing(test, 0);
	/* Another bridge is not affected. */
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), 0);
	api_expect_outgoing(test, BIT(EP_A0));
}

/* The kernel may number such a segment differently after the kexec. */
static void preserve_dynamic_domain(struct kunit *test)
{
	struct api_test *t = test->priv;

	if (IS_ENABLED(CONFIG_PCI_DOMAINS_GENERIC))
		kunit_deactivate_static_stub(test,
					     pci_liveupdate_host_is_stable);
	t->model.dynamic = true;
	api_scan_all(test);
	api_begin_outgoing(test);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), -EOPNOTSUPP);
	api_expect_logged(test, "may number segment 1234 differently");
	api_expect_outgoing(test, 0);
}

static void preserve_removed(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	api_begin_outgoing(test);
	api_remove_dev(t, EP_CONV);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_CONV), -ENODEV);
	api_expect_outgoing(test, 0);
}

static void *failing_alloc_pages(size_t size)
{
	struct api_test *t = kunit_get_current_test()->priv;

	if (++t->nr_pages == t->fail_at)
		return ERR_PTR(-ENOMEM);

	return kho_alloc_preserve(size);
}

static void preserve_no_memory(struct kunit *test)
{
	struct api_test *t = test->priv;
	int err;

	api_scan_all(test);
	api_begin_outgoing(test);
	kunit_activate_static_stub(test, pci_liveupdate_index_alloc_pages,
				   failing_alloc_pages);
	for (t->fail_at = 1; t->fail_at < 16; t->fail_at++) {
		t->nr_pages = 0;
		err = api_preserve(t, EP_CONV);
		if (t->nr_pages < t->fail_at)
			break;
		KUNIT_ASSERT_EQ(test, err, -ENOMEM);
		api_expect_outgoing(test, 0);
		/* A bus keeps its leaf, so start again with a new record. */
		api_end_outgoing(t);
		t->nr_pages = 1000;
		api_begin_outgoing(test);
	}
	kunit_deactivate_static_stub(test, pci_liveupdate_index_alloc_pages);
	KUNIT_EXPECT_EQ(test, err, 0);
	api_expect_outgoing(test, BIT(EP_CONV));
	/* Bitmap and directory, and the leaves of buses 5, 4, 2, 1 and 0. */
	KUNIT_EXPECT_EQ(test, t->fail_at, 8);
}

/* The FLB cannot begin without memory either. */
static void begin_no_memory(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	t->fail_at = 1;
	kunit_activate_static_stub(test, pci_liveupdate_index_alloc_pages,
				   failing_alloc_pages);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_flb_ops.preserve(&t->out),
			-ENOMEM);
	kunit_deactivate_static_stub(test, pci_liveupdate_index_alloc_pages);
	KUNIT_EXPECT_NULL(test, t->out.obj);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), -ENOENT);
}

/* Nor if its record cannot be published. KHO takes one with each name. */
static void begin_no_subtree(struct kunit *test)
{
	struct liveupdate_flb_op_args more = { };
	struct api_test *t = test->priv;

	api_scan_all(test);
	api_begin_outgoing(test);
	KUNIT_ASSERT_EQ(test, api_preserve(t, EP_A0), 0);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_flb_ops.preserve(&more), -EEXIST);
	KUNIT_EXPECT_NULL(test, more.obj);
	api_expect_outgoing(test, BIT(EP_A0));
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_CONV), 0);
}

/* SR-IOV */

static void enable_vfs_outgoing(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	api_begin_outgoing(test);
	KUNIT_ASSERT_EQ(test, api_preserve(t, PF), 0);
	KUNIT_EXPECT_EQ(test, model_set_vfs(t->devs[PF], 1), -EBUSY);
	KUNIT_EXPECT_EQ(test, pci_num_vf(t->devs[PF]), 0);
	api_expect_logged(test, "the number of VFs cannot change");
}

/* Removal while preserved for the next kernel */

static void remove_outgoing(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	api_begin_outgoing(test);
	api_preserve_all(test);
	api_remove_dev(t, EP_CONV);
	api_expect_logged(test, "removed while preserved");
	api_expect_outgoing(test, ALL_FUNCTIONS & ~BIT(EP_CONV));
	/* The driver does not know of the removal, and unpreserves the function. */
	api_unpreserve(t, EP_CONV);
	api_expect_outgoing(test, ALL_FUNCTIONS & ~BIT(EP_CONV));

	/* Remove a bridge with two functions below. */
	api_remove_dev(t, RP_A);
	api_expect_outgoing(test, BIT(PF) | BIT(EP_ROOT));
	api_remove_host(test);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count(t->out.obj), 0);
}

/* The first owner cannot unpreserve a function of the second owner. */
static void second_owner(struct kunit *test)
{
	struct api_test *t = test->priv;
	struct pci_dev *first;

	api_scan_all(test);
	api_begin_outgoing(test);
	KUNIT_ASSERT_EQ(test, api_preserve(t, EP_CONV), 0);
	first = pci_dev_get(t->devs[EP_CONV]);
	api_remove_dev(t, EP_CONV);
	api_rescan(t);
	KUNIT_EXPECT_PTR_NE(test, t->devs[EP_CONV], first);
	api_expect_outgoing(test, 0);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_CONV), 0);
	api_expect_outgoing(test, BIT(EP_CONV));
	pci_liveupdate_outgoing_unpreserve(first);
	api_expect_outgoing(test, BIT(EP_CONV));
	pci_dev_put(first);
	api_unpreserve(t, EP_CONV);
	api_expect_outgoing(test, 0);
}

/* Concurrency */

#define ROUNDS	300

struct worker {
	struct kunit *test;
	struct pci_dev *dev;
	struct completion *start;
	struct completion done;
	unsigned int wrong;
};

static int work(void *data)
{
	struct worker *worker = data;
	struct pci_dev *dev = worker->dev;
	struct pci_dev *above = pci_upstream_bridge(dev) ?: dev;
	unsigned int wrong = 0;

	/* Make the stubs of the test apply to this thread. */
	current->kunit_test = worker->test;
	wait_for_completion(worker->start);
	for (int i = 0; i < ROUNDS; i++) {
		wrong += pci_liveupdate_outgoing_preserve(dev) != 0;
		wrong += pci_liveupdate_outgoing_preserve(dev) != -EBUSY;
		wrong += !api_has_flag(above, PCI_DEV_LIVEUPDATE_OUTGOING);
		cond_resched();
		pci_liveupdate_outgoing_unpreserve(dev);
		wrong += api_has_flag(dev, PCI_DEV_LIVEUPDATE_OUTGOING);
	}
	worker->wrong = wrong;
	current->kunit_test = NULL;
	complete(&worker->done);
	return 0;
}

/* Several threads preserve and unpreserve functions below the same bridges. */
static void concurrent_owners(struct kunit *test)
{
	DECLARE_COMPLETION_ONSTACK(start);
	struct api_test *t = test->priv;
	struct worker *workers;
	int nr = 0;

	workers = kunit_kcalloc(test, NR_FUNCTIONS, sizeof(*workers),
				GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, workers);
	api_scan_all(test);
	api_begin_outgoing(test);
	for (; nr < NR_FUNCTIONS; nr++) {
		struct worker *worker = &workers[nr];

		worker->test = test;
		worker->dev = t->devs[api_functions[nr]];
		worker->start = &start;
		init_completion(&worker->done);
		if (IS_ERR(kthread_run(work, worker, "pci_liveupdate/%d", nr)))
			break;
	}
	complete_all(&start);
	for (int i = 0; i < nr; i++) {
		wait_for_completion(&workers[i].done);
		KUNIT_EXPECT_EQ(test, workers[i].wrong, 0);
	}
	KUNIT_EXPECT_EQ(test, nr, NR_FUNCTIONS);
	api_expect_outgoing(test, 0);
}

/* The suite */

static struct kunit_case outgoing_cases[] = {
	KUNIT_CASE_PARAM(preserve_sets_bridges, domain_gen_params),
	KUNIT_CASE(preserve_describes),
	KUNIT_CASE(preserve_resized),
	KUNIT_CASE(preserve_fixed),
	KUNIT_CASE(preserve_twice),
	KUNIT_CASE(unpreserve_not_held),
	KUNIT_CASE(preserve_without_file),
	KUNIT_CASE_SLOW(unpreserve_any_order),
	KUNIT_CASE_PARAM(preserve_refuses, bad_fn_gen_params),
	KUNIT_CASE(preserve_bridge_registers),
	KUNIT_CASE(preserve_bridge_not_nested),
	KUNIT_CASE(preserve_dynamic_domain),
	KUNIT_CASE(preserve_removed),
	KUNIT_CASE(preserve_no_memory),
	KUNIT_CASE(begin_no_memory),
	KUNIT_CASE(begin_no_subtree),
	KUNIT_CASE(enable_vfs_outgoing),
	KUNIT_CASE(remove_outgoing),
	KUNIT_CASE(second_owner),
	KUNIT_CASE_SLOW(concurrent_owners),
	{ }
};

static struct kunit_suite outgoing_suite = {
	.name = "pci_liveupdate",
	.suite_init = api_suite_init,
	.init = api_test_init,
	.exit = api_test_exit,
	.test_cases = outgoing_cases,
};

kunit_test_suite(outgoing_suite);
