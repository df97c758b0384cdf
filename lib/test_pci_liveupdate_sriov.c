// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of PCI live update: PFs and VFs for the next kernel.
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/array_size.h>
#include <linux/bitops.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/kexec.h>
#include <linux/kexec_handover.h>
#include <linux/limits.h>
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "test_pci_liveupdate_sriov.h"

/* Helpers of both suites */

const struct sriov_layout sriov_layouts[NR_SRIOV_LAYOUTS] = {
	{ "one_pf", { PF_S, VF_S0, VF_S1, VF_S2 }, 2, 2 },
	{ "interleaved", { PF_S, PF_T, VF_S1, VF_T1 }, 2, 2 },
	/* VFs at 10:00.2, 11:00.1 and 12:00.0. */
	{ "extra_buses", { PF_S, VF_S0, VF_S1, VF_S2 }, 2, 0xff },
};

KUNIT_ARRAY_PARAM_DESC(layout, sriov_layouts, name);

/* Number of VFs that existed when the driver of PF_S was probed. */
unsigned int sriov_vfs_at_probe;

static int sriov_probe(struct pci_dev *dev, const struct pci_device_id *id)
{
	struct pci_dev *vf = NULL;

	sriov_vfs_at_probe = 0;
	for_each_pci_dev(vf)
		sriov_vfs_at_probe += vf->is_virtfn && vf->physfn == dev;
	return 0;
}

static const struct pci_device_id sriov_ids[] = {
	{ PCI_DEVICE(MODEL_VENDOR, MODEL_DEVICE(PF_S)) },
	{ }
};

struct pci_driver sriov_driver = {
	.name = "pci-liveupdate-sriov",
	.id_table = sriov_ids,
	.probe = sriov_probe,
	.sriov_configure = pci_sriov_configure_simple,
};

static void sriov_driver_ends(void *unused)
{
	pci_unregister_driver(&sriov_driver);
}

/* Register a driver of PF_S. */
void sriov_register_driver(struct kunit *test, bool aware, bool keeps_vfs)
{
	sriov_driver.liveupdate_aware = aware;
	sriov_driver.liveupdate_keeps_vfs = keeps_vfs;
	KUNIT_ASSERT_EQ(test, pci_register_driver(&sriov_driver), 0);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, sriov_driver_ends, NULL));
}

/* Leave out all other devices, to save time. */
void sriov_scan(struct kunit *test)
{
	struct api_test *t = test->priv;

	for (enum model_fn fn = 0; fn < RP_S; fn++)
		t->model.fns[fn].absent = true;
	api_scan(test);
	KUNIT_ASSERT_NOT_NULL(test, t->devs[PF_S]);
	KUNIT_ASSERT_NOT_NULL(test, t->devs[PF_T]);
}

/* Enable all VFs of a PF, and let their owners enable bus mastering. */
void sriov_enable_vfs(struct kunit *test, enum model_fn pf)
{
	struct api_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, model_set_vfs(t->devs[pf], NR_VFS), 0);
	api_get_devs(t);
	pci_set_master(t->devs[pf]);
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		if (!model_is_vf(fn) || model_pf(fn) != pf)
			continue;
		KUNIT_ASSERT_NOT_NULL(test, t->devs[fn]);
		pci_set_master(t->devs[fn]);
	}
}

/* Enable VFs of PF_S, and begin to preserve functions. */
void sriov_begin(struct kunit *test)
{
	model_add_sriov(&((struct api_test *)test->priv)->model);
	sriov_scan(test);
	sriov_enable_vfs(test, PF_S);
	api_begin_outgoing(test);
}

void sriov_begin_layout(struct kunit *test, const struct sriov_layout *layout)
{
	struct api_test *t = test->priv;

	model_add_sriov(&t->model);
	if (layout->integrated)
		model_integrate_sriov(&t->model);
	model_set_routing(&t->model, PF_S, layout->offset, layout->stride);
	model_set_routing(&t->model, PF_T, layout->offset, layout->stride);
	sriov_scan(test);
	sriov_enable_vfs(test, PF_S);
	if (layout->fns[1] == PF_T)
		sriov_enable_vfs(test, PF_T);
	api_begin_outgoing(test);
}

void sriov_preserve(struct kunit *test, unsigned long set)
{
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		if (set & BIT(fn))
			KUNIT_ASSERT_EQ(test, api_preserve(test->priv, fn), 0);
	}
}

/* Live update with VFs of PF_S, up to the moment before the scan. */
void sriov_live_update(struct kunit *test, unsigned long set)
{
	sriov_begin(test);
	sriov_preserve(test, set);
	api_live_update(test);
}

/* Write to an attribute. */
int sriov_store(struct pci_dev *pf, const char *name, const char *val)
{
	struct attribute **attrs = sriov_pf_dev_attr_group.attrs;

	for (int i = 0; attrs[i]; i++) {
		struct device_attribute *attr =
			container_of(attrs[i], struct device_attribute, attr);

		if (!strcmp(attrs[i]->name, name))
			return attr->store(&pf->dev, attr, val, strlen(val));
	}

	return -ENOENT;
}

int sriov_store_numvfs(struct pci_dev *pf, const char *num)
{
	return sriov_store(pf, "sriov_numvfs", num);
}

static bool sriov_has_flag(struct api_test *t, struct pci_liveupdate_index *index,
			   enum model_fn pf, u8 flag)
{
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;

	entry = test_index_entry(index, api_key(t, pf), &damage);
	return !IS_ERR(entry) && entry->flags & flag;
}

bool sriov_is_implied(struct api_test *t, struct pci_liveupdate_index *index,
		      enum model_fn pf)
{
	return sriov_has_flag(t, index, pf, PCI_SER_IMPLIED);
}

/*
 * Expect the state of one side after functions were preserved by @owned. A naive
 * model: VFs in @owned, PFs in @owned and of VFs in @owned, and bridges above.
 */
void sriov_expect(struct kunit *test, struct pci_liveupdate_index *index,
		  int flag, unsigned long owned)
{
	static const enum model_fn pfs[] = { PF_S, PF_T };
	struct api_test *t = test->priv;

	api_expect_exactly(test, index, flag, api_with_bridges(owned));
	for (int i = 0; i < ARRAY_SIZE(pfs); i++) {
		unsigned long vfs = owned & (pfs[i] == PF_S ? VFS_S : VFS_T);
		u16 nr_vfs = flag == PCI_DEV_LIVEUPDATE_OUTGOING ?
			     sriov_outgoing(t, pfs[i]) : sriov_incoming(t, pfs[i]);

		KUNIT_EXPECT_EQ(test, nr_vfs, hweight_long(vfs));
		KUNIT_EXPECT_EQ(test, sriov_is_implied(t, index, pfs[i]),
				vfs && !(owned & BIT(pfs[i])));
	}
}

/* Refusals */

static void spoil_migration(struct api_test *t)
{
	t->devs[PF_S]->sriov->cap |= PCI_SRIOV_CAP_VFM;
}

static void spoil_no_scan(struct api_test *t)
{
	t->devs[PF_S]->no_vf_scan = 1;
}

static void spoil_number(struct api_test *t)
{
	sriov_cap(t, PF_S)[PCI_SRIOV_NUM_VF] = NR_VFS - 1;
}

static void spoil_enable(struct api_test *t)
{
	sriov_cap(t, PF_S)[PCI_SRIOV_CTRL] &= ~PCI_SRIOV_CTRL_VFE;
}

static void spoil_memory(struct api_test *t)
{
	sriov_cap(t, PF_S)[PCI_SRIOV_CTRL] &= ~PCI_SRIOV_CTRL_MSE;
}

static void spoil_change(struct api_test *t)
{
	pci_liveupdate_begin_vfs(t->devs[PF_S]);
}

/* Only root ports have such a quirk. */
static void spoil_acs(struct api_test *t)
{
	struct pci_dev *pf = t->devs[PF_S];

	pf->vendor = PCI_VENDOR_ID_INTEL;
	pf->device = 0x9d10;
	pf->pcie_flags_reg |= PCI_EXP_TYPE_ROOT_PORT << 4;
}

/**
 * struct refusal - A reason to preserve neither a PF nor its VFs.
 * @name:  Name of the case.
 * @spoil: Changes the state of PF_S.
 * @err:   The errno.
 * @text:  Part of the message in the log.
 */
struct refusal {
	const char *name;
	void (*spoil)(struct api_test *t);
	int err;
	const char *text;
};

static const struct refusal refusals[] = {
	{ "migration", spoil_migration, -EOPNOTSUPP, "its VFs can migrate" },
	{ "no_vf_scan", spoil_no_scan, -EOPNOTSUPP,
	  "its VFs are not known to the kernel" },
	{ "other_number", spoil_number, -EOPNOTSUPP,
	  "it has 2 VFs, but 3 were enabled" },
	{ "disabled", spoil_enable, -EOPNOTSUPP,
	  "it has 0 VFs, but 3 were enabled" },
	{ "no_memory_space", spoil_memory, -EOPNOTSUPP,
	  "it has 0 VFs, but 3 were enabled" },
	{ "changing", spoil_change, -EBUSY, "while the number of its VFs changes" },
	{ "acs_quirk", spoil_acs, -EOPNOTSUPP, "a quirk enables its ACS" },
};

KUNIT_ARRAY_PARAM_DESC(refusal, refusals, name);

static void preserve_pf_refuses(struct kunit *test)
{
	const struct refusal *refusal = test->param_value;
	struct api_test *t = test->priv;
	u16 vendor, device, pcie_flags;
	struct pci_dev *pf;

	sriov_begin(test);
	pf = t->devs[PF_S];
	vendor = pf->vendor;
	device = pf->device;
	pcie_flags = pf->pcie_flags_reg;

	refusal->spoil(t);
	KUNIT_EXPECT_EQ(test, api_preserve(t, VF_S1), refusal->err);
	api_expect_logged(test, refusal->text);
	KUNIT_EXPECT_EQ(test, api_preserve(t, PF_S), refusal->err);
	sriov_expect(test, t->out.obj, PCI_DEV_LIVEUPDATE_OUTGOING, 0);
	/* The other PF of the device is not affected. */
	KUNIT_EXPECT_EQ(test, api_preserve(t, PF_T), 0);

	pf->vendor = vendor;
	pf->device = device;
	pf->pcie_flags_reg = pcie_flags;
	pf->no_vf_scan = 0;
	pci_liveupdate_end_vfs(pf);
}

/**
 * struct pf_driver - A driver of a PF, and whether it lets VFs be preserved.
 * @name:      Name of the case.
 * @bound:     There is a driver.
 * @aware:     It is liveupdate_aware.
 * @keeps_vfs: It has liveupdate_keeps_vfs.
 * @err:       The errno.
 */
struct pf_driver {
	const char *name;
	bool bound;
	bool aware;
	bool keeps_vfs;
	int err;
};

static const struct pf_driver pf_drivers[] = {
	{ "none", false, false, false, 0 },
	{ "aware", true, true, false, 0 },
	{ "keeps_vfs", true, false, true, 0 },
	{ "other", true, false, false, -EOPNOTSUPP },
};

KUNIT_ARRAY_PARAM_DESC(pf_driver, pf_drivers, name);

static void preserve_with_driver(struct kunit *test)
{
	const struct pf_driver *driver = test->param_value;
	unsigned long owned = driver->err ? 0 : BIT(VF_S1) | BIT(PF_S);
	struct api_test *t = test->priv;

	if (driver->bound)
		sriov_register_driver(test, driver->aware, driver->keeps_vfs);
	model_add_sriov(&t->model);
	sriov_scan(test);
	KUNIT_ASSERT_EQ(test, !!t->devs[PF_S]->driver, driver->bound);
	api_begin_outgoing(test);
	/* A PF without VFs can be preserved with any driver. */
	KUNIT_EXPECT_EQ(test, api_preserve(t, PF_S), 0);
	api_unpreserve(t, PF_S);

	sriov_enable_vfs(test, PF_S);
	KUNIT_EXPECT_EQ(test, api_preserve(t, VF_S1), driver->err);
	KUNIT_EXPECT_EQ(test, api_preserve(t, PF_S), driver->err);
	sriov_expect(test, t->out.obj, PCI_DEV_LIVEUPDATE_OUTGOING, owned);
	if (driver->err)
		api_expect_logged(test, "its driver may disable them at the kexec");
}

static void *failing_alloc_pages(size_t size)
{
	struct api_test *t = kunit_get_current_test()->priv;

	if (++t->nr_pages == t->fail_at)
		return ERR_PTR(-ENOMEM);

	return kho_alloc_preserve(size);
}

static void preserve_vf_no_memory(struct kunit *test)
{
	struct api_test *t = test->priv;
	int err;

	sriov_begin(test);
	kunit_activate_static_stub(test, pci_liveupdate_index_alloc_pages,
				   failing_alloc_pages);
	for (t->fail_at = 1; t->fail_at < 16; t->fail_at++) {
		t->nr_pages = 0;
		err = api_preserve(t, VF_S1);
		if (t->nr_pages < t->fail_at)
			break;
		KUNIT_ASSERT_EQ(test, err, -ENOMEM);
		sriov_expect(test, t->out.obj, PCI_DEV_LIVEUPDATE_OUTGOING, 0);
		/* A bus keeps its leaf, so start again with a new record. */
		api_end_outgoing(t);
		t->nr_pages = 1000;
		api_begin_outgoing(test);
	}
	kunit_deactivate_static_stub(test, pci_liveupdate_index_alloc_pages);
	KUNIT_EXPECT_EQ(test, err, 0);
	sriov_expect(test, t->out.obj, PCI_DEV_LIVEUPDATE_OUTGOING, BIT(VF_S1));
	/* Bitmap and directory, leaves of buses 10 and 0, and the leaf of PFs. */
	KUNIT_EXPECT_EQ(test, t->fail_at, 6);
}

/* The entries of VFs and PFs match the registers of the model. */
static void preserve_describes_vfs(struct kunit *test)
{
	struct pci_sriov_ser want_sriov = {
		.num_vfs = NR_VFS, .offset = 2, .stride = 2,
		.vf_device = MODEL_DEVICE(VF_S0),
		.bar_shift = { 17, 0, 16 },
		.max_bus = 0x10,
	};
	const enum model_fn fns[] = { PF_S, VF_S0, VF_S2, RP_S };
	const struct pci_function_ser *entry;
	const struct pci_sriov_ser *sriov;
	struct pci_liveupdate_damage damage;
	struct api_test *t = test->priv;

	sriov_begin(test);
	sriov_preserve(test, BIT(VF_S0) | BIT(VF_S2));
	for (int i = 0; i < ARRAY_SIZE(fns); i++) {
		struct pci_function_ser want = model_entry(&t->model, fns[i]);

		if (model_is_vf(fns[i]))
			want.device = MODEL_DEVICE(VF_S0);
		if (model_is_pf(fns[i]))
			want.flags |= PCI_SER_IMPLIED;
		want.checksum = test_entry_checksum(api_key(t, fns[i]), &want);
		entry = test_index_entry(t->out.obj, api_key(t, fns[i]), &damage);
		KUNIT_ASSERT_FALSE(test, IS_ERR(entry));
		KUNIT_EXPECT_MEMEQ(test, entry, &want, sizeof(want));
	}

	want_sriov.checksum = test_sriov_checksum(api_key(t, PF_S), &want_sriov);
	sriov = test_index_sriov(t->out.obj, api_key(t, PF_S), &damage);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sriov));
	KUNIT_EXPECT_MEMEQ(test, sriov, &want_sriov, sizeof(want_sriov));
}

/* Preserve and unpreserve */

/* Compare only the devices of the layout: this runs often. */
static bool sriov_matches(struct api_test *t, unsigned long owned)
{
	unsigned long all = api_with_bridges(owned);
	bool ok = true;

	for (enum model_fn fn = RP_S; fn <= VF_T2; fn++) {
		if (!t->devs[fn])
			continue;
		ok &= api_contains(t, t->out.obj, fn) == !!(all & BIT(fn));
		ok &= api_is_outgoing(t, fn) == !!(all & BIT(fn));
	}
	for (enum model_fn pf = PF_S; pf <= PF_T; pf++) {
		unsigned long vfs = owned & (pf == PF_S ? VFS_S : VFS_T);

		ok &= sriov_outgoing(t, pf) == hweight_long(vfs);
		ok &= sriov_is_implied(t, t->out.obj, pf) ==
		      (vfs && !(owned & BIT(pf)));
	}

	return ok && pci_liveupdate_index_count(t->out.obj) == hweight_long(all);
}

/*
 * Try all sequences of up to @left calls after @owned were preserved, and undo each
 * of them. Returns the number of calls.
 */
static unsigned int try_calls(struct kunit *test, unsigned long owned,
			      unsigned int left)
{
	const struct sriov_layout *layout = test->param_value;
	struct api_test *t = test->priv;
	unsigned int calls = 0;

	for (int i = 0; left && i < 2 * NR_SRIOV_FNS; i++) {
		enum model_fn fn = layout->fns[i / 2];
		bool has = owned & BIT(fn), preserves = i % 2;
		unsigned long after = preserves ? owned | BIT(fn) : owned & ~BIT(fn);
		int err = 0;

		if (preserves)
			err = api_preserve(t, fn);
		else
			api_unpreserve(t, fn);
		if (err != (preserves && has ? -EBUSY : 0) || !sriov_matches(t, after)) {
			KUNIT_FAIL_AND_ABORT(test, "%s of function %d, owned %#lx: %d",
					     preserves ? "preserve" : "unpreserve",
					     fn, owned, err);
		}
		calls += 1 + try_calls(test, after, left - 1);
		if (after == owned)
			continue;
		if (preserves)
			api_unpreserve(t, fn);
		else
			KUNIT_ASSERT_EQ(test, api_preserve(t, fn), 0);
		KUNIT_ASSERT_TRUE(test, sriov_matches(t, owned));
	}

	return calls;
}

static void preserve_any_sequence(struct kunit *test)
{
	const struct sriov_layout *layout = test->param_value;
	unsigned long all = sriov_set(layout, ALL_SRIOV_FNS);

	sriov_begin_layout(test, layout);
	KUNIT_EXPECT_EQ(test, try_calls(test, 0, 5), 8 + 64 + 512 + 4096 + 32768);
	sriov_preserve(test, all);
	KUNIT_EXPECT_EQ(test, try_calls(test, all, 5), 8 + 64 + 512 + 4096 + 32768);
}

/* The number of VFs */

static void store_refused_outgoing(struct kunit *test)
{
	struct api_test *t = test->priv;

	sriov_register_driver(test, true, false);
	sriov_begin(test);
	sriov_preserve(test, BIT(VF_S1));
	KUNIT_EXPECT_EQ(test, sriov_store_numvfs(t->devs[PF_S], "0"), -EBUSY);
	KUNIT_EXPECT_EQ(test, sriov_store_numvfs(t->devs[PF_S], "2"), -EBUSY);
	api_expect_logged(test, "with 1 VFs for the next kernel and 0 by the previous one");
	KUNIT_EXPECT_EQ(test, pci_num_vf(t->devs[PF_S]), NR_VFS);
	sriov_expect(test, t->out.obj, PCI_DEV_LIVEUPDATE_OUTGOING, BIT(VF_S1));

	/* An owned PF without preserved VFs. */
	sriov_preserve(test, BIT(PF_S));
	api_unpreserve(t, VF_S1);
	KUNIT_EXPECT_EQ(test, sriov_store_numvfs(t->devs[PF_S], "0"), -EBUSY);

	api_unpreserve(t, PF_S);
	KUNIT_EXPECT_EQ(test, sriov_store_numvfs(t->devs[PF_S], "0"), 1);
	KUNIT_EXPECT_EQ(test, pci_num_vf(t->devs[PF_S]), 0);

	/* A PF without VFs. */
	sriov_preserve(test, BIT(PF_S));
	KUNIT_EXPECT_EQ(test, sriov_store_numvfs(t->devs[PF_S], "1"), -EBUSY);
	KUNIT_EXPECT_EQ(test, pci_enable_sriov(t->devs[PF_S], 1), -EBUSY);
	api_unpreserve(t, PF_S);
	KUNIT_EXPECT_EQ(test, sriov_store_numvfs(t->devs[PF_S], "1"), 1);
	KUNIT_EXPECT_EQ(test, pci_num_vf(t->devs[PF_S]), 1);
}

/* A driver that disables its VFs cannot be refused. */
static void disable_outgoing(struct kunit *test)
{
	struct api_test *t = test->priv;
	unsigned int lines;

	sriov_begin(test);
	sriov_preserve(test, BIT(VF_S0) | BIT(VF_S2));
	lines = test_count_logged(&t->guard, "liveupdate: ");
	KUNIT_EXPECT_EQ(test, model_set_vfs(t->devs[PF_S], 0), 0);
	api_expect_logged(test, "disabled: 2 are no longer preserved for the next kernel");
	KUNIT_EXPECT_EQ(test, test_count_logged(&t->guard, "liveupdate: "),
			lines + 1);
	api_get_devs(t);
	sriov_expect(test, t->out.obj, PCI_DEV_LIVEUPDATE_OUTGOING, 0);

	/* The PF stays if it is owned, and can have VFs again after that. */
	sriov_enable_vfs(test, PF_S);
	sriov_preserve(test, BIT(VF_S1) | BIT(PF_S));
	KUNIT_EXPECT_EQ(test, model_set_vfs(t->devs[PF_S], 0), 0);
	api_get_devs(t);
	sriov_expect(test, t->out.obj, PCI_DEV_LIVEUPDATE_OUTGOING, BIT(PF_S));

	/* The next kernel finds the PF as recorded, without VFs. */
	api_live_update(test);
	sriov_scan(test);
	sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, BIT(PF_S));
}

/* The record has the setting of user space, and of the driver. */
static void autoprobe_changes(struct kunit *test)
{
	const char *name = "sriov_drivers_autoprobe";
	struct api_test *t = test->priv;

	sriov_begin(test);
	sriov_preserve(test, BIT(VF_S1));
	KUNIT_EXPECT_TRUE(test, sriov_has_flag(t, t->out.obj, PF_S, PCI_SER_AUTOPROBE));
	KUNIT_EXPECT_EQ(test, sriov_store(t->devs[PF_S], name, "0"), 1);
	KUNIT_EXPECT_FALSE(test, sriov_has_flag(t, t->out.obj, PF_S, PCI_SER_AUTOPROBE));
	pci_vf_drivers_autoprobe(t->devs[PF_S], true);
	KUNIT_EXPECT_TRUE(test, sriov_has_flag(t, t->out.obj, PF_S, PCI_SER_AUTOPROBE));
	/* A PF that is not preserved. */
	KUNIT_EXPECT_EQ(test, sriov_store(t->devs[PF_T], name, "0"), 1);
	KUNIT_EXPECT_EQ(test, sriov_store(t->devs[PF_S], name, "0"), 1);
	sriov_expect(test, t->out.obj, PCI_DEV_LIVEUPDATE_OUTGOING, BIT(VF_S1));

	api_live_update(test);
	sriov_scan(test);
	KUNIT_EXPECT_FALSE(test, t->devs[PF_S]->sriov->drivers_autoprobe);

	/* A rescan finds the last setting. */
	KUNIT_EXPECT_EQ(test, sriov_store(t->devs[PF_S], name, "1"), 1);
	api_remove_dev(t, PF_S);
	api_rescan(t);
	KUNIT_ASSERT_NOT_NULL(test, t->devs[PF_S]);
	KUNIT_EXPECT_TRUE(test, t->devs[PF_S]->sriov->drivers_autoprobe);
	sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, BIT(VF_S1));
}

/* Idle PFs */

static void kexec_ends(void *unused)
{
	kexec_in_progress = false;
	pci_liveupdate_handing_over = false;
}

static void idle_implied(struct kunit *test)
{
	struct api_test *t = test->priv;
	struct pci_dev *pf;

	sriov_begin(test);
	pf = t->devs[PF_S];
	/* No VF is preserved. */
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_idle_pf(pf));
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_idle_pf(t->devs[RP_S]));
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_idle_pf(t->devs[VF_S0]));
	KUNIT_EXPECT_TRUE(test, sriov_is_master(t, PF_S));

	sriov_preserve(test, BIT(VF_S1));
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_idle_pf(t->devs[VF_S1]));
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_idle_pf(pf));
	KUNIT_EXPECT_FALSE(test, sriov_is_master(t, PF_S));
	KUNIT_EXPECT_TRUE(test, sriov_is_master(t, VF_S1));
	pci_liveupdate_resume_pf(pf);
	KUNIT_EXPECT_TRUE(test, sriov_is_master(t, PF_S));

	/* .freeze() of two files, and .shutdown(). */
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_idle_pf(pf));
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_idle_pf(pf));
	pci_liveupdate_resume_pf(pf);
	KUNIT_EXPECT_TRUE(test, sriov_is_master(t, PF_S));

	/* A PF that was no bus master does not become one. */
	pci_clear_master(pf);
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_idle_pf(pf));
	pci_liveupdate_resume_pf(pf);
	KUNIT_EXPECT_FALSE(test, sriov_is_master(t, PF_S));
}

static void idle_owned(struct kunit *test)
{
	struct api_test *t = test->priv;

	sriov_begin(test);
	sriov_preserve(test, BIT(PF_S));
	/* A PF without preserved VFs need not be idle. */
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_idle_pf(t->devs[PF_S]));
	sriov_preserve(test, BIT(VF_S1));
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_idle_pf(t->devs[PF_S]));
	KUNIT_EXPECT_TRUE(test, sriov_is_master(t, PF_S));
	pci_liveupdate_resume_pf(t->devs[PF_S]);
	KUNIT_EXPECT_TRUE(test, sriov_is_master(t, PF_S));
}

/* The guard refuses writes to the PF by then. */
static void idle_at_kexec(struct kunit *test)
{
	struct api_test *t = test->priv;

	sriov_begin(test);
	sriov_preserve(test, BIT(VF_S1));
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, kexec_ends, NULL));
	kexec_in_progress = true;
	/* The image takes no record. */
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_idle_pf(t->devs[PF_S]));
	KUNIT_EXPECT_TRUE(test, sriov_is_master(t, PF_S));
	pci_liveupdate_handing_over = true;
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_idle_pf(t->devs[PF_S]));
	KUNIT_EXPECT_FALSE(test, sriov_is_master(t, PF_S));
	pci_clear_master(t->devs[VF_S1]);
	KUNIT_EXPECT_TRUE(test, sriov_is_master(t, VF_S1));
	kexec_ends(NULL);
}

/* Without a kexec, no other kernel takes the VFs over. */
static void idle_at_reboot(struct kunit *test)
{
	const enum system_states state = system_state;
	struct api_test *t = test->priv;
	bool idle, idle_for_record;

	sriov_begin(test);
	sriov_preserve(test, BIT(VF_S1));
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, kexec_ends, NULL));
	system_state = SYSTEM_RESTART;
	idle = pci_liveupdate_idle_pf(t->devs[PF_S]);
	system_state = state;
	KUNIT_EXPECT_FALSE(test, idle);
	KUNIT_EXPECT_TRUE(test, sriov_is_master(t, PF_S));

	/* A kexec changes the state of the system as well. */
	system_state = SYSTEM_RESTART;
	pci_liveupdate_handing_over = true;
	idle_for_record = pci_liveupdate_idle_pf(t->devs[PF_S]);
	pci_liveupdate_handing_over = false;
	system_state = state;
	KUNIT_EXPECT_TRUE(test, idle_for_record);
	KUNIT_EXPECT_FALSE(test, sriov_is_master(t, PF_S));
}

/**
 * struct bind_watch - Preserves a function while a driver binds to its PF.
 * @nb: Called after the driver matched, and before it is probed.
 * @t:  The test.
 * @err: Return value of the preservation.
 */
struct bind_watch {
	struct notifier_block nb;
	struct api_test *t;
	int err;
};

static int preserve_at_bind(struct notifier_block *nb, unsigned long action,
			    void *data)
{
	struct bind_watch *watch = container_of(nb, struct bind_watch, nb);

	if (action == BUS_NOTIFY_BIND_DRIVER &&
	    data == &watch->t->devs[PF_S]->dev)
		watch->err = api_preserve(watch->t, VF_S1);
	return NOTIFY_DONE;
}

/* A VF is preserved between the match and the probe of a driver of the PF. */
static void forbid_driver_matched(struct kunit *test)
{
	struct api_test *t = test->priv;
	struct bind_watch watch = {
		.nb.notifier_call = preserve_at_bind, .t = t, .err = 1,
	};

	sriov_begin(test);
	sriov_vfs_at_probe = UINT_MAX;
	KUNIT_ASSERT_EQ(test, bus_register_notifier(&pci_bus_type, &watch.nb), 0);
	sriov_register_driver(test, false, false);
	bus_unregister_notifier(&pci_bus_type, &watch.nb);
	KUNIT_EXPECT_EQ(test, watch.err, 0);
	KUNIT_EXPECT_EQ(test, sriov_vfs_at_probe, UINT_MAX);
	KUNIT_EXPECT_NULL(test, t->devs[PF_S]->driver);
	sriov_expect(test, t->out.obj, PCI_DEV_LIVEUPDATE_OUTGOING, BIT(VF_S1));

	api_unpreserve(t, VF_S1);
	KUNIT_EXPECT_EQ(test, device_attach(&t->devs[PF_S]->dev), 1);
	KUNIT_EXPECT_EQ(test, sriov_vfs_at_probe, NR_VFS);
}

static void forbid_driver_outgoing(struct kunit *test)
{
	struct api_test *t = test->priv;
	struct pci_driver aware = { .liveupdate_aware = true };
	struct pci_driver other = { };

	sriov_begin(test);
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_forbids_driver(t->devs[PF_S], &other));
	sriov_preserve(test, BIT(VF_S1) | BIT(PF_T));
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_forbids_driver(t->devs[PF_S], &other));
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_forbids_driver(t->devs[PF_S], &aware));
	/* A VF, and a PF without VFs. */
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_forbids_driver(t->devs[VF_S1], &other));
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_forbids_driver(t->devs[PF_T], &other));
	KUNIT_ASSERT_EQ(test, 0, device_set_driver_override(&t->devs[PF_S]->dev,
							    "other"));
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_forbids_driver(t->devs[PF_S], &other));
	KUNIT_ASSERT_EQ(test, 0, device_set_driver_override(&t->devs[PF_S]->dev, ""));
	api_unpreserve(t, VF_S1);
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_forbids_driver(t->devs[PF_S], &other));
}

/* Counts and removal */

/* LUO ends the session while functions are preserved. */
static void clear_counts(struct kunit *test)
{
	struct api_test *t = test->priv;

	sriov_begin(test);
	sriov_preserve(test, BIT(VF_S0) | BIT(VF_S1));
	KUNIT_EXPECT_EQ(test, sriov_outgoing(t, PF_S), 2);
	api_end_outgoing(t);
	KUNIT_EXPECT_EQ(test, sriov_outgoing(t, PF_S), 0);
	api_expect_no_flag(test, PCI_DEV_LIVEUPDATE_OUTGOING);
	/* The next session begins with no VF. */
	api_begin_outgoing(test);
	sriov_preserve(test, BIT(VF_S2));
	sriov_expect(test, t->out.obj, PCI_DEV_LIVEUPDATE_OUTGOING, BIT(VF_S2));
	KUNIT_EXPECT_EQ(test, sriov_store_numvfs(t->devs[PF_S], "0"), -ENOENT);
}

static void remove_pf_outgoing(struct kunit *test)
{
	const struct sriov_layout *layout = test->param_value;
	struct api_test *t = test->priv;

	sriov_begin_layout(test, layout);
	sriov_preserve(test, sriov_set(layout, ALL_SRIOV_FNS));
	api_remove_dev(t, PF_S);
	for (enum model_fn fn = VF_S0; fn <= VF_S2; fn++)
		KUNIT_EXPECT_FALSE(test, api_contains(t, t->out.obj, fn));
	KUNIT_EXPECT_FALSE(test, api_contains(t, t->out.obj, PF_S));
	KUNIT_EXPECT_FALSE(test, sriov_cap(t, PF_S)[PCI_SRIOV_CTRL] &
				 PCI_SRIOV_CTRL_VFE);

	api_rescan(t);
	KUNIT_ASSERT_NOT_NULL(test, t->devs[PF_S]);
	sriov_expect(test, t->out.obj, PCI_DEV_LIVEUPDATE_OUTGOING,
		     sriov_set(layout, ALL_SRIOV_FNS) & (BIT(PF_T) | VFS_T));
	sriov_enable_vfs(test, PF_S);
	KUNIT_EXPECT_EQ(test, api_preserve(t, VF_S2), 0);
}

/* A driver leaves its VFs enabled, as pci-pf-stub does, and the PF is removed. */
static void remove_enabled(struct kunit *test)
{
	struct api_test *t = test->priv;

	model_add_sriov(&t->model);
	sriov_scan(test);
	sriov_enable_vfs(test, PF_S);
	api_remove_dev(t, PF_S);
	api_rescan(t);
	KUNIT_ASSERT_NOT_NULL(test, t->devs[PF_S]);
	KUNIT_EXPECT_NULL(test, t->devs[VF_S0]);
	sriov_enable_vfs(test, PF_S);
	KUNIT_EXPECT_EQ(test, model_set_vfs(t->devs[PF_S], 0), 0);
	api_get_devs(t);
	KUNIT_EXPECT_NULL(test, t->devs[VF_S0]);
}

/* The suite */

static struct kunit_case sriov_cases[] = {
	KUNIT_CASE_PARAM(preserve_pf_refuses, refusal_gen_params),
	KUNIT_CASE_PARAM(preserve_with_driver, pf_driver_gen_params),
	KUNIT_CASE_SLOW(preserve_vf_no_memory),
	KUNIT_CASE_SLOW(preserve_describes_vfs),
	KUNIT_CASE_PARAM(preserve_any_sequence, layout_gen_params),
	KUNIT_CASE_SLOW(store_refused_outgoing),
	KUNIT_CASE_SLOW(disable_outgoing),
	KUNIT_CASE_SLOW(autoprobe_changes),
	KUNIT_CASE_SLOW(idle_implied),
	KUNIT_CASE_SLOW(idle_owned),
	KUNIT_CASE_SLOW(idle_at_kexec),
	KUNIT_CASE_SLOW(idle_at_reboot),
	KUNIT_CASE_SLOW(forbid_driver_matched),
	KUNIT_CASE_SLOW(forbid_driver_outgoing),
	KUNIT_CASE_SLOW(clear_counts),
	KUNIT_CASE_PARAM(remove_pf_outgoing, layout_gen_params),
	KUNIT_CASE_SLOW(remove_enabled),
	{ }
};

static struct kunit_suite sriov_suite = {
	.name = "pci_liveupdate_sriov",
	.suite_init = api_suite_init,
	.init = api_test_init,
	.exit = api_test_exit,
	.test_cases = sriov_cases,
};

kunit_test_suite(sriov_suite);
