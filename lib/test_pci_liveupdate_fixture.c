// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of PCI live update: fixture of the API tests.
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/bitops.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/initrd.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/liveupdate.h>
#include <linux/minmax.h>
#include <linux/pci.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include "test_pci_liveupdate_api.h"

const enum model_fn api_functions[NR_FUNCTIONS] = {
	EP_A0, EP_A1, EP_CONV, PF, EP_ROOT,
};

/* Get permutation @nr of @n! permutations of the first @n functions. */
void api_permutation(unsigned int nr, unsigned int n, enum model_fn *order)
{
	memcpy(order, api_functions, n * sizeof(*order));
	for (unsigned int i = n; i > 1; i--) {
		swap(order[i - 1], order[nr % i]);
		nr /= i;
	}
}

/* Accesses */

/* Log the accesses of this task from now on. */
void api_start_log(struct kunit *test)
{
	struct api_test *t = test->priv;

	if (!t->model.log)
		t->model.log = kunit_kcalloc(test, MODEL_LOG_SIZE,
					     sizeof(*t->model.log), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->model.log);
	t->model.log_task = current;
	t->model.nr_log = 0;
}

/* Count accesses to a function since api_start_log(). */
unsigned int api_count_accesses(struct kunit *test, enum model_fn fn, bool write)
{
	struct api_test *t = test->priv;
	u16 bdf = model_bdf(&t->model, fn);
	unsigned int n = 0;

	KUNIT_ASSERT_LT(test, t->model.nr_log, MODEL_LOG_SIZE);
	for (unsigned int i = 0; i < t->model.nr_log; i++) {
		const struct model_access *access = &t->model.log[i];

		n += access->write == write &&
		     PCI_DEVID(access->bus, access->devfn) == bdf;
	}

	return n;
}

/* The segment */

static void put_devs(struct api_test *t)
{
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		pci_dev_put(t->devs[fn]);
		t->devs[fn] = NULL;
	}
}

void api_get_devs(struct api_test *t)
{
	put_devs(t);
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++)
		t->devs[fn] = model_get_dev(&t->model, fn);
}

void api_scan(struct kunit *test)
{
	struct api_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, model_scan(&t->model), 0);
	api_get_devs(t);
}

void api_scan_all(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan(test);
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++)
		KUNIT_ASSERT_EQ_MSG(test, !t->devs[fn],
				    model_is_vf(fn) || t->model.fns[fn].absent,
				    "function %d", fn);
}

void api_rescan(struct api_test *t)
{
	model_rescan(&t->model);
	api_get_devs(t);
}

void api_remove_host(struct kunit *test)
{
	struct api_test *t = test->priv;
	bool had_host = t->model.host;

	put_devs(t);
	model_remove_host(&t->model);
	if (!had_host)
		return;

	/* A work item that probes drivers may have the last reference. */
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&t->model.released,
							  10 * HZ), 0);
}

/* Outgoing */

void api_begin_outgoing(struct kunit *test)
{
	struct api_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, pci_liveupdate_flb_ops.preserve(&t->out), 0);
	KUNIT_ASSERT_NOT_NULL(test, t->out.obj);
	KUNIT_EXPECT_EQ(test, t->out.data,
			pci_liveupdate_index_root_pa(t->out.obj));
}

void api_end_outgoing(struct api_test *t)
{
	pci_liveupdate_flb_ops.unpreserve(&t->out);
	t->out.obj = NULL;
}

void api_preserve_all(struct kunit *test)
{
	struct api_test *t = test->priv;

	for (int i = 0; i < NR_FUNCTIONS; i++)
		KUNIT_ASSERT_EQ(test, api_preserve(t, api_functions[i]), 0);
}

/*
 * Record the function with the last BDF that a bridge forwards. The model does not
 * have it.
 */
void api_preserve_last(struct kunit *test, enum model_fn bridge)
{
	struct pci_function_ser entry = { .vendor = MODEL_VENDOR };
	struct api_test *t = test->priv;
	u8 bus = t->model.fns[bridge].cfg[PCI_SUBORDINATE_BUS];
	pci_ser_key_t key = PCI_SER_KEY(t->model.domain, PCI_DEVID(bus, 0xff));

	KUNIT_ASSERT_EQ(test, 0,
			pci_liveupdate_index_add(t->out.obj, key, &entry));
}

/* Return a set of functions with the PFs of VFs and the bridges above. */
unsigned long api_with_bridges(unsigned long set)
{
	unsigned long all = set;

	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		enum model_fn above = fn;

		if (!(set & BIT(fn)))
			continue;
		if (model_is_vf(fn))
			all |= BIT(model_pf(fn));
		while ((above = model_parent(above)) != ON_ROOT_BUS)
			all |= BIT(above);
	}

	return all;
}

/* Expect that the kernel has logged @text since the test began. */
void api_expect_logged(struct kunit *test, const char *text)
{
	struct api_test *t = test->priv;

	KUNIT_EXPECT_TRUE_MSG(test, test_logged(&t->guard, text),
			      "\"%s\" is not in the log", text);
}

/*
 * Expect that @call, which has no effect on @fn, logs @text. The line is rate-limited, and
 * other cases log it as well: repeat the call until it passes.
 */
void api_expect_refusal(struct kunit *test,
			void (*call)(struct api_test *t, enum model_fn fn),
			enum model_fn fn, const char *text)
{
	struct api_test *t = test->priv;

	call(t, fn);
	for (int i = 0; i < 50 && !test_logged(&t->guard, text); i++) {
		msleep(200);
		call(t, fn);
	}
	api_expect_logged(test, text);
}

/* Expect that no device has the flag. */
void api_expect_no_flag(struct kunit *test, int flag)
{
	struct api_test *t = test->priv;

	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		if (t->devs[fn])
			KUNIT_EXPECT_FALSE_MSG(test,
					       api_has_flag(t->devs[fn], flag),
					       "function %d", fn);
	}
}

/* Expect that exactly the devices in @all are in the index and have the flag. */
void api_expect_exactly(struct kunit *test, struct pci_liveupdate_index *index,
			int flag, unsigned long all)
{
	struct api_test *t = test->priv;

	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		bool want = all & BIT(fn);

		KUNIT_EXPECT_EQ_MSG(test, want, api_contains(t, index, fn),
				    "function %d", fn);
		if (t->devs[fn])
			KUNIT_EXPECT_EQ_MSG(test, want,
					    api_has_flag(t->devs[fn], flag),
					    "function %d", fn);
	}
	/* The index contains no other function. */
	KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count(index),
			hweight_long(all));
}

/* Expect that exactly @set and the bridges above are preserved. */
void api_expect_outgoing(struct kunit *test, unsigned long set)
{
	struct api_test *t = test->priv;

	api_expect_exactly(test, t->out.obj, PCI_DEV_LIVEUPDATE_OUTGOING,
			   api_with_bridges(set));
}

void api_expect_incoming(struct kunit *test, unsigned long set)
{
	struct api_test *t = test->priv;

	api_expect_exactly(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING,
			   api_with_bridges(set));
}

/* The live update */

static void record_refusal(const char *why, int err)
{
	struct api_test *t = kunit_get_current_test()->priv;

	t->refusals++;
	t->refusal_err = err;
	strscpy(t->why, why);
}

static void copy_function(struct kunit *test, struct pci_liveupdate_index *from,
			  struct pci_liveupdate_index *to, pci_ser_key_t key)
{
	const struct pci_function_ser *entry;
	const struct pci_sriov_ser *sriov;
	struct pci_liveupdate_damage damage;

	entry = test_index_entry(from, key, &damage);
	KUNIT_ASSERT_FALSE(test, IS_ERR(entry));
	if (!(entry->flags & PCI_SER_PF)) {
		KUNIT_ASSERT_EQ(test, 0,
				pci_liveupdate_index_add(to, key, entry));
		return;
	}

	sriov = test_index_sriov(from, key, &damage);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sriov));
	KUNIT_ASSERT_EQ(test, 0,
			pci_liveupdate_index_add_pf(to, key, entry, sriov));
}

/* Copy an index: its pages can be handed over only once. */
static struct pci_liveupdate_index *
copy_index(struct kunit *test, struct pci_liveupdate_index *from)
{
	struct pci_liveupdate_index *to = pci_liveupdate_index_create();
	pci_ser_key_t key;

	KUNIT_ASSERT_FALSE(test, IS_ERR(to));
	pci_liveupdate_index_for_each(from, key)
		copy_function(test, from, to, key);

	return to;
}

void api_retrieve(struct kunit *test)
{
	struct api_test *t = test->priv;

	t->in.data = t->rec.root_pa;
	KUNIT_ASSERT_EQ_MSG(test, pci_liveupdate_flb_ops.retrieve(&t->in), 0,
			    "%s", t->why);
	t->has_rec = false;
}

void api_finish_flb(struct kunit *test)
{
	struct api_test *t = test->priv;

	pci_liveupdate_flb_ops.finish(&t->in);
	t->in.obj = NULL;
	test_record_gone(test, &t->rec);
}

/* A kexec does not disable VFs: treat a PF as preserved while it is removed. */
static void keep_vfs(struct pci_dev *dev)
{
	if (pci_num_vf(dev))
		set_bit(PCI_DEV_LIVEUPDATE_INCOMING, &dev->priv_flags);
}

/* Owners use their functions. One that decodes nothing was reset. */
static void use_functions(struct model *model)
{
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		if (!model_is_bridge(fn) && !model_is_vf(fn))
			model->fns[fn].cfg[PCI_COMMAND] |= PCI_COMMAND_MEMORY;
	}
}

/*
 * Live update from preserved functions up to the moment before the scan of the next
 * kernel. The model keeps its registers, as hardware does.
 */
void api_live_update(struct kunit *test)
{
	struct api_test *t = test->priv;
	struct pci_liveupdate_index *copy = copy_index(test, t->out.obj);
	pci_ser_key_t key;

	t->has_rec = true;
	test_record_hand_over(test, &t->rec, copy);

	/* This kernel goes on, so it has to clean up after itself. */
	pci_liveupdate_index_for_each(t->out.obj, key)
		test_index_remove(t->out.obj, key);
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		if (!t->devs[fn])
			continue;
		clear_bit(PCI_DEV_LIVEUPDATE_OUTGOING, &t->devs[fn]->priv_flags);
		keep_vfs(t->devs[fn]);
	}
	api_end_outgoing(t);
	api_remove_host(test);
	use_functions(&t->model);

	api_retrieve(test);
}

/* Live update with all functions preserved, and the first scan after it. */
void api_live_update_all(struct kunit *test)
{
	api_scan_all(test);
	api_begin_outgoing(test);
	api_preserve_all(test);
	api_live_update(test);
	api_scan_all(test);
}

/* Live update with one function preserved, up to the moment before the scan. */
void api_live_update_of(struct kunit *test, enum model_fn fn)
{
	api_scan_all(test);
	api_begin_outgoing(test);
	KUNIT_ASSERT_EQ(test, api_preserve(test->priv, fn), 0);
	api_live_update(test);
}

/* The suites */

int api_suite_init(struct kunit_suite *suite)
{
	/* Freeing the initramfs would change the count of pages. */
	wait_for_initramfs();
	return 0;
}

#ifdef CONFIG_PCI_DOMAINS_GENERIC
/* With generic domains only a device tree can number a host bridge. */
static bool host_is_stable(struct pci_bus *bus)
{
	return true;
}
#endif

int api_test_init(struct kunit *test)
{
	struct api_test *t;

	if (!liveupdate_enabled())
		kunit_skip(test, "boot with liveupdate=on");

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	if (!t)
		return -ENOMEM;

	test->priv = t;
	/* The model has numbers of firmware, unlike a machine with a device tree */
	t->reassign = pci_has_flag(PCI_REASSIGN_ALL_BUS);
	pci_clear_flags(PCI_REASSIGN_ALL_BUS);
	model_init(&t->model, DOMAIN);
	luo_file_set_init(&t->files);
	test_record_init(test, &t->rec);
	test_guard_begin(&t->guard);
	kunit_activate_static_stub(test, pci_liveupdate_refuse_record,
				   record_refusal);
#ifdef CONFIG_PCI_DOMAINS_GENERIC
	kunit_activate_static_stub(test, pci_liveupdate_host_is_stable,
				   host_is_stable);
#endif
	return 0;
}

void api_test_exit(struct kunit *test)
{
	struct api_test *t = test->priv;

	if (!t)
		return;

	luo_file_unpreserve_files(&t->files);
	luo_file_set_destroy(&t->files);
	if (t->fh)
		liveupdate_unregister_file_handler(t->fh);
	api_remove_host(test);
	if (t->out.obj) {
		/* Removing the devices has emptied the record. */
		KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count(t->out.obj),
				0);
		api_end_outgoing(t);
	}
	if (t->in.obj)
		api_finish_flb(test);
	if (t->has_rec)
		test_record_reclaim(&t->rec);
	xa_destroy(&t->rec.pages);
	pci_add_flags(t->reassign);
	test_guard_end(test, &t->guard);
}
