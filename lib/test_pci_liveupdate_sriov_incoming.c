// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of PCI live update: PFs and VFs that the previous kernel preserved.
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/array_size.h>
#include <linux/bitops.h>
#include <linux/device/bus.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/kernfs.h>
#include <linux/minmax.h>
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sprintf.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "test_pci_liveupdate_sriov.h"

KUNIT_ARRAY_PARAM_DESC(layout, sriov_layouts, name);

static bool has_two_pfs(const struct sriov_layout *layout)
{
	return layout->fns[1] == PF_T;
}

/* Accesses */

static void expect_no_write(struct kunit *test, unsigned long set)
{
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		if (set & BIT(fn))
			KUNIT_EXPECT_EQ_MSG(test, api_count_accesses(test, fn, true), 0,
					    "function %d", fn);
	}
}

/* Adoption */

static void expect_vfs(struct kunit *test, bool exist)
{
	struct api_test *t = test->priv;

	for (enum model_fn fn = VF_S0; fn <= VF_S2; fn++) {
		KUNIT_EXPECT_EQ(test, !!t->devs[fn], exist);
		if (t->devs[fn])
			KUNIT_EXPECT_PTR_EQ(test, pci_physfn(t->devs[fn]),
					    t->devs[PF_S]);
	}
	KUNIT_EXPECT_EQ(test, pci_num_vf(t->devs[PF_S]), exist ? NR_VFS : 0);
}

/* Enumeration after the live update writes to no PF and no preserved VF. */
static void adopt_without_write(struct kunit *test)
{
	const struct sriov_layout *layout = test->param_value;
	unsigned long set = sriov_set(layout, ALL_SRIOV_FNS);
	struct api_test *t = test->priv;

	model_add_settings(&t->model);
	sriov_begin_layout(test, layout);
	sriov_preserve(test, set);
	api_live_update(test);
	model_put_in_use(&t->model);
	api_start_log(test);
	sriov_scan(test);
	KUNIT_EXPECT_GT(test, api_count_accesses(test, PF_S, false), 0);
	expect_no_write(test, set);
	expect_vfs(test, true);
	sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, set);

	/* Don't log accesses of the cleanup. */
	t->model.log_task = NULL;
}

/* The VFs of a PF of the previous kernel are in the same place in sysfs. */
static void expect_link(struct kunit *test, struct pci_dev *from, const char *name,
			bool exists)
{
	struct kernfs_node *kn = kernfs_find_and_get(from->dev.kobj.sd, name);

	KUNIT_EXPECT_EQ_MSG(test, !!kn, exists, "%s", name);
	kernfs_put(kn);
}

static void adopt_links(struct kunit *test)
{
	struct api_test *t = test->priv;
	char name[] = "virtfn0";

	/* PF_T depends on PF_S. */
	model_add_sriov(&t->model);
	sriov_cap(t, PF_T)[PCI_SRIOV_FUNC_LINK] = 0;
	sriov_scan(test);
	sriov_enable_vfs(test, PF_S);
	sriov_enable_vfs(test, PF_T);
	api_begin_outgoing(test);
	sriov_preserve(test, BIT(VF_S1) | BIT(VF_T1));
	api_live_update(test);
	sriov_scan(test);
	for (int i = 0; i < NR_VFS; i++, name[6]++) {
		expect_link(test, t->devs[PF_S], name, true);
		expect_link(test, t->devs[VF_S0 + i], "physfn", true);
	}
	expect_link(test, t->devs[PF_S], "dep_link", false);
	expect_link(test, t->devs[PF_T], "dep_link", true);
	KUNIT_EXPECT_PTR_EQ(test, t->devs[PF_T]->sriov->dev, t->devs[PF_S]);

	api_finish(t, VF_T1);
	KUNIT_EXPECT_EQ(test, model_set_vfs(t->devs[PF_T], 0), 0);
	expect_link(test, t->devs[PF_T], "dep_link", false);
}

/**
 * struct vf_state - State that enumeration derives from the registers of a VF.
 * @class:     Class code.
 * @hdr_type:  Header type.
 * @subsystem: Subsystem IDs.
 * @res:       BARs.
 * @caps:      Offsets of capabilities.
 */
struct vf_state {
	u32 class;
	u8 hdr_type;
	u16 subsystem[2];
	struct resource res[PCI_SRIOV_NUM_BARS];
	u16 caps[12];
};

/**
 * struct pf_state - State that enumeration derives from the registers of a PF.
 * @iov: Without pointers and the state of live update.
 * @res: VF BARs.
 * @vfs: The VFs.
 */
struct pf_state {
	struct pci_sriov iov;
	struct resource res[PCI_SRIOV_NUM_BARS];
	struct vf_state vfs[NR_VFS];
};

static void get_resource(struct resource *to, const struct resource *from)
{
	to->start = from->start;
	to->end = from->end;
	to->flags = from->flags;
}

static void get_vf_state(struct pci_dev *vf, struct vf_state *state)
{
	const u16 caps[] = {
		vf->pcie_cap, vf->msi_cap, vf->msix_cap, vf->pm_cap,
		pci_find_capability(vf, PCI_CAP_ID_MSIX),
		pci_find_capability(vf, PCI_CAP_ID_VNDR),
		pci_find_ext_capability(vf, PCI_EXT_CAP_ID_ERR),
		pci_find_ext_capability(vf, PCI_EXT_CAP_ID_ACS),
		pci_find_ext_capability(vf, PCI_EXT_CAP_ID_PASID),
#ifdef CONFIG_PCIEAER
		vf->aer_cap,
#endif
		vf->acs_cap,
	};

	static_assert(ARRAY_SIZE(caps) <= ARRAY_SIZE(state->caps));
	state->class = vf->class;
	state->hdr_type = vf->hdr_type;
	state->subsystem[0] = vf->subsystem_vendor;
	state->subsystem[1] = vf->subsystem_device;
	for (int i = 0; i < PCI_SRIOV_NUM_BARS; i++)
		get_resource(&state->res[i], &vf->resource[i]);
	memcpy(state->caps, caps, sizeof(caps));
}

static struct pf_state *get_pf_state(struct kunit *test, enum model_fn pf)
{
	struct pf_state *state = kunit_kzalloc(test, sizeof(*state), GFP_KERNEL);
	struct api_test *t = test->priv;
	struct pci_dev *dev = t->devs[pf];

	KUNIT_ASSERT_NOT_NULL(test, state);
	KUNIT_ASSERT_TRUE(test, dev->is_physfn);
	state->iov = *dev->sriov;
	state->iov.dev = NULL;
	state->iov.self = NULL;
	memset(&state->iov.liveupdate, 0, sizeof(state->iov.liveupdate));
	for (int i = 0; i < PCI_SRIOV_NUM_BARS; i++)
		get_resource(&state->res[i],
			     &dev->resource[pci_resource_num_from_vf_bar(i)]);
	for (int i = 0; i < pci_num_vf(dev); i++)
		get_vf_state(t->devs[(pf == PF_S ? VF_S0 : VF_T0) + i],
			     &state->vfs[i]);
	return state;
}

/* Don't compare whole structures: these have padding. */
#define expect_field(_member)						\
	KUNIT_EXPECT_MEMEQ(test, &found->_member, &want->_member,	\
			   sizeof(want->_member))

static void expect_pf_state(struct kunit *test, const struct pf_state *found,
			    const struct pf_state *want)
{
	expect_field(iov.pos);
	expect_field(iov.nres);
	expect_field(iov.cap);
	expect_field(iov.ctrl);
	expect_field(iov.total_VFs);
	expect_field(iov.initial_VFs);
	expect_field(iov.num_VFs);
	expect_field(iov.offset);
	expect_field(iov.stride);
	expect_field(iov.vf_device);
	expect_field(iov.pgsz);
	expect_field(iov.link);
	expect_field(iov.max_VF_buses);
	expect_field(iov.driver_max_VFs);
	expect_field(iov.class);
	expect_field(iov.hdr_type);
	expect_field(iov.subsystem_vendor);
	expect_field(iov.subsystem_device);
	expect_field(iov.barsz);
	expect_field(iov.vf_rebar_cap);
	expect_field(iov.drivers_autoprobe);
	expect_field(res);
	for (int i = 0; i < NR_VFS; i++) {
		expect_field(vfs[i].class);
		expect_field(vfs[i].hdr_type);
		expect_field(vfs[i].subsystem);
		expect_field(vfs[i].res);
		expect_field(vfs[i].caps);
	}
}

/* An adopted PF has the state that it had after the kernel enabled its VFs. */
static void adopt_same_state(struct kunit *test)
{
	const struct sriov_layout *layout = test->param_value;
	struct api_test *t = test->priv;
	struct pf_state *s, *other;

	for (enum model_fn fn = VF_S0; fn <= VF_S2; fn++) {
		put_unaligned_le16(0x1af4, t->model.fns[fn].cfg +
				   PCI_SUBSYSTEM_VENDOR_ID);
		put_unaligned_le16(0x4321, t->model.fns[fn].cfg + PCI_SUBSYSTEM_ID);
	}
	sriov_begin_layout(test, layout);
	/* In most layouts PF_T has no VFs. */
	t->devs[PF_T]->sriov->drivers_autoprobe = false;
	s = get_pf_state(test, PF_S);
	other = get_pf_state(test, PF_T);
	KUNIT_EXPECT_EQ(test, s->iov.num_VFs, NR_VFS);
	KUNIT_EXPECT_EQ(test, s->iov.nres, 2);
	KUNIT_EXPECT_EQ(test, s->vfs[1].res[0].start, s->res[0].start + SZ_128K);
	KUNIT_EXPECT_NE(test, s->vfs[1].caps[2], 0);

	sriov_preserve(test, BIT(VF_S0) | BIT(VF_S1) | BIT(VF_S2) | BIT(PF_T));
	api_live_update(test);
	sriov_scan(test);
	expect_vfs(test, true);
	expect_pf_state(test, get_pf_state(test, PF_S), s);
	if (!has_two_pfs(layout))
		other->iov.initial_VFs = NR_VFS; /* stock reads it later */
	expect_pf_state(test, get_pf_state(test, PF_T), other);
	KUNIT_EXPECT_PTR_EQ(test, t->devs[PF_S]->sriov->dev, t->devs[PF_S]);
	KUNIT_EXPECT_PTR_EQ(test, t->devs[PF_S]->sriov->self, t->devs[PF_S]);
}

/* A driver of the PF finds all VFs. */
static void adopt_before_probe(struct kunit *test)
{
	struct api_test *t = test->priv;

	sriov_live_update(test, BIT(VF_S1));
	sriov_register_driver(test, true, false);
	sriov_vfs_at_probe = 0;
	sriov_scan(test);
	KUNIT_EXPECT_PTR_EQ(test, t->devs[PF_S]->driver, &sriov_driver);
	KUNIT_EXPECT_EQ(test, sriov_vfs_at_probe, NR_VFS);
}

/* VFs that were not preserved do DMA until adoption. */
static void adopt_stops_unpreserved(struct kunit *test)
{
	struct api_test *t = test->priv;

	sriov_live_update(test, BIT(VF_S1));
	for (enum model_fn fn = PF_S; fn <= VF_S2; fn++)
		KUNIT_EXPECT_EQ(test, sriov_is_master(t, fn), fn != PF_T);
	sriov_scan(test);
	expect_vfs(test, true);
	KUNIT_EXPECT_TRUE(test, sriov_is_master(t, PF_S));
	KUNIT_EXPECT_FALSE(test, sriov_is_master(t, VF_S0));
	KUNIT_EXPECT_TRUE(test, sriov_is_master(t, VF_S1));
	KUNIT_EXPECT_FALSE(test, sriov_is_master(t, VF_S2));
	sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, BIT(VF_S1));
}

/* Mismatch and damage */

/**
 * struct other_sriov - A PF whose registers are not as recorded.
 * @name:  Name of the case.
 * @where: Offset in the SR-IOV capability.
 * @val:   The value of the word.
 * @text:  Part of the message in the log.
 */
struct other_sriov {
	const char *name;
	u16 where;
	u16 val;
	const char *text;
};

static const struct other_sriov other_sriovs[] = {
	{ "num_vfs", PCI_SRIOV_NUM_VF, 2, "found with 2 VFs [" },
	{ "no_vfs", PCI_SRIOV_NUM_VF, 0, "found with 0 VFs [" },
	{ "disabled", PCI_SRIOV_CTRL, PCI_SRIOV_CTRL_MSE, "found with 0 VFs [" },
	{ "no_memory", PCI_SRIOV_CTRL, PCI_SRIOV_CTRL_VFE, "found with 0 VFs [" },
	{ "offset", PCI_SRIOV_VF_OFFSET, 3, "at offset 3, stride 2" },
	{ "stride", PCI_SRIOV_VF_STRIDE, 3, "at offset 2, stride 3" },
	{ "vf_device", PCI_SRIOV_VF_DID, 0x4321, "[4321] at offset 2" },
	{ "bar_64", PCI_SRIOV_BAR, 0x2004, "VF BAR 0 at 0xd0002000 is not a multiple" },
	{ "bar_32", PCI_SRIOV_BAR + 8, 0x0800, "VF BAR 2 at 0xd0080800 is not a multiple" },
};

KUNIT_ARRAY_PARAM_DESC(other_sriov, other_sriovs, name);

static void adopt_other_sriov(struct kunit *test)
{
	const struct other_sriov *other = test->param_value;
	struct api_test *t = test->priv;
	unsigned long all = api_with_bridges(BIT(VF_S1) | BIT(PF_T));
	u16 saved;

	sriov_live_update(test, BIT(VF_S1) | BIT(PF_T));
	saved = get_unaligned_le16(sriov_cap(t, PF_S) + other->where);
	/* The upper half of the BAR has the address of the window. */
	put_unaligned_le16(other->val, sriov_cap(t, PF_S) + other->where);
	sriov_scan(test);
	api_expect_logged(test, other->text);
	api_expect_logged(test, "not treated as preserved");
	KUNIT_EXPECT_FALSE(test, api_is_preserved(t, PF_S));
	KUNIT_EXPECT_EQ(test, pci_num_vf(t->devs[PF_S]), 0);
	KUNIT_EXPECT_TRUE(test, api_is_preserved(t, PF_T));
	KUNIT_EXPECT_TRUE(test, api_is_preserved(t, RP_S));
	KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count(t->in.obj),
			hweight_long(all));
	put_unaligned_le16(saved, sriov_cap(t, PF_S) + other->where);
}

/**
 * struct sriov_damage - Damage of the SR-IOV state of a PF.
 * @name:   Name of the case.
 * @offset: Offset in &struct pci_sriov_ser.
 * @val:    The value of the byte.
 * @field:  The field in the message.
 */
struct sriov_damage {
	const char *name;
	u8 offset;
	u8 val;
	const char *field;
};

#define DAMAGE(_name, _member, _val, _field)				\
	{ _name, offsetof(struct pci_sriov_ser, _member), _val, _field }

static const struct sriov_damage sriov_damages[] = {
	DAMAGE("offset", offset, 0, "offset of VFs"),
	DAMAGE("stride", stride, 0, "stride of VFs"),
	DAMAGE("small_bar", bar_shift[0], 11, "bar_shift of VFs"),
	DAMAGE("large_bar", bar_shift[5], 64, "bar_shift of VFs"),
	DAMAGE("max_bus", max_bus, 0x0f, "max_bus"),
	DAMAGE("bar_size", bar_shift[1], 63, "checksum of VFs"),
};

KUNIT_ARRAY_PARAM_DESC(sriov_damage, sriov_damages, name);

static u8 *leaf_of(struct api_test *t, enum model_fn fn, unsigned int first)
{
	u64 *buses = phys_to_virt(test_record_segment(&t->rec, 0)->buses);

	return phys_to_virt(buses[first + PCI_BUS_NUM(model_bdf(&t->model, fn))]);
}

static struct pci_function_ser *entry_of(struct api_test *t, enum model_fn fn)
{
	return (struct pci_function_ser *)leaf_of(t, fn, 0) +
	       (model_bdf(&t->model, fn) & 0xff);
}

static void adopt_damaged(struct kunit *test)
{
	const struct sriov_damage *damage = test->param_value;
	struct api_test *t = test->priv;
	char text[80];
	u8 *ser;

	sriov_live_update(test, BIT(VF_S1));
	ser = leaf_of(t, PF_S, PCI_SER_BUSES) + sizeof(struct pci_sriov_ser) *
	      (model_bdf(&t->model, PF_S) & 0xff);
	ser[damage->offset] = damage->val;
	sriov_scan(test);
	snprintf(text, sizeof(text), "its entry is damaged: %s of segment 1234 is",
		 damage->field);
	api_expect_logged(test, text);
	KUNIT_EXPECT_FALSE(test, api_is_preserved(t, PF_S));
	KUNIT_EXPECT_FALSE(test, sriov_is_master(t, PF_S));
	KUNIT_EXPECT_EQ(test, pci_num_vf(t->devs[PF_S]), 0);
	KUNIT_EXPECT_TRUE(test, api_is_preserved(t, RP_S));
}

/* A VF without a valid entry is stopped, and its bit holds the PF. */
static void adopt_damaged_vf(struct kunit *test)
{
	struct api_test *t = test->priv;

	sriov_live_update(test, BIT(VF_S1) | BIT(VF_S2));
	entry_of(t, VF_S2)->checksum ^= 1;
	sriov_scan(test);
	expect_vfs(test, true);
	api_expect_logged(test, "its entry is damaged: checksum");
	KUNIT_EXPECT_FALSE(test, api_is_preserved(t, VF_S2));
	KUNIT_EXPECT_FALSE(test, sriov_is_master(t, VF_S2));
	KUNIT_EXPECT_EQ(test, sriov_incoming(t, PF_S), 2);
	api_finish(t, VF_S1);
	KUNIT_EXPECT_TRUE(test, api_is_preserved(t, PF_S));
	KUNIT_EXPECT_EQ(test, sriov_incoming(t, PF_S), 1);
	api_finish_flb(test);
	KUNIT_EXPECT_FALSE(test, api_is_preserved(t, PF_S));
	KUNIT_EXPECT_EQ(test, sriov_incoming(t, PF_S), 0);
}

/* A driver that disables VFs gives up all of them, whether found or not. */
static void disable_damaged_vf(struct kunit *test)
{
	struct api_test *t = test->priv;

	sriov_live_update(test, BIT(VF_S1) | BIT(VF_S2));
	entry_of(t, VF_S2)->checksum ^= 1;
	sriov_scan(test);
	KUNIT_EXPECT_EQ(test, model_set_vfs(t->devs[PF_S], 0), 0);
	api_get_devs(t);
	sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, 0);
	KUNIT_EXPECT_FALSE(test, sriov_cap(t, PF_S)[PCI_SRIOV_CTRL] &
				 PCI_SRIOV_CTRL_VFE);
}

/* A previous kernel without support for SR-IOV preserved a PF, without VFs. */
static void adopt_from_old_writer(struct kunit *test)
{
	struct pci_liveupdate_slot slot;
	struct api_test *t = test->priv;

	model_add_sriov(&t->model);
	sriov_scan(test);
	api_begin_outgoing(test);
	sriov_preserve(test, BIT(PF_S));
	api_live_update(test);
	KUNIT_ASSERT_TRUE(test, pci_liveupdate_index_find(t->in.obj, api_key(t, PF_S),
							  &slot));
	pci_liveupdate_index_set_flags(&slot, PCI_SER_PF | PCI_SER_AUTOPROBE, false);
	api_start_log(test);
	sriov_scan(test);
	expect_no_write(test, BIT(PF_S));
	t->model.log_task = NULL;
	KUNIT_EXPECT_TRUE(test, api_is_preserved(t, PF_S));
	KUNIT_EXPECT_FALSE(test, t->devs[PF_S]->is_physfn);
	KUNIT_EXPECT_LT(test, pci_enable_sriov(t->devs[PF_S], 1), 0);

	/* Its SR-IOV capability is set up when it is found the next time. */
	api_finish(t, PF_S);
	api_remove_dev(t, PF_S);
	api_rescan(t);
	sriov_enable_vfs(test, PF_S);
}

/* Finish */

/* Get permutation @nr of 24. */
static void get_permutation(unsigned int nr, unsigned int *order)
{
	for (int i = 0; i < NR_SRIOV_FNS; i++)
		order[i] = i;
	for (unsigned int i = NR_SRIOV_FNS; i > 1; i--) {
		swap(order[i - 1], order[nr % i]);
		nr /= i;
	}
}

/* The next live update takes the VFs over as they are. */
static void next_live_update(struct kunit *test, unsigned long owned)
{
	struct api_test *t = test->priv;

	api_begin_outgoing(test);
	sriov_preserve(test, owned);
	api_live_update(test);
	sriov_scan(test);
	sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, owned);
}

/* The next kernel disables the VFs of a PF that is not preserved. */
static bool leaves_out_pf(const struct sriov_layout *layout, unsigned long owned)
{
	return has_two_pfs(layout) && (!(owned & (BIT(PF_S) | VFS_S)) ||
				       !(owned & (BIT(PF_T) | VFS_T)));
}

static void finish_any_order_vfs(struct kunit *test)
{
	const struct sriov_layout *layout = test->param_value;
	struct api_test *t = test->priv;
	unsigned int want = has_two_pfs(layout) ? 9 : 15;
	/* A scan takes half a second with KASAN: every eighth order then */
	unsigned int step = IS_ENABLED(CONFIG_KASAN) ? 8 : 1;
	unsigned int order[NR_SRIOV_FNS];
	unsigned int cases = 0;

	sriov_begin_layout(test, layout);
	api_end_outgoing(t);
	for (unsigned int nr = 0; nr < 24; nr += step) {
		get_permutation(nr, order);
		for (unsigned int digits = 1; digits <= ALL_SRIOV_FNS; digits++) {
			unsigned long owned = sriov_set(layout, digits);

			if (leaves_out_pf(layout, owned))
				continue;
			next_live_update(test, owned);
			/* Finishing a function that is not preserved is refused. */
			for (int i = 0; i < NR_SRIOV_FNS; i++) {
				enum model_fn fn = layout->fns[order[i]];

				api_finish(t, fn);
				owned &= ~BIT(fn);
				sriov_expect(test, t->in.obj,
					     PCI_DEV_LIVEUPDATE_INCOMING, owned);
			}
			api_finish_flb(test);
			cases++;
		}
	}
	KUNIT_EXPECT_EQ(test, cases, 24 / step * want);
}

/* The files of a session end while VFs are unfinished. */
static void abandon_vfs(struct kunit *test)
{
	struct api_test *t = test->priv;

	sriov_live_update(test, BIT(VF_S0) | BIT(VF_S1));
	sriov_scan(test);
	KUNIT_EXPECT_EQ(test, sriov_incoming(t, PF_S), 2);
	api_finish_flb(test);
	KUNIT_EXPECT_EQ(test, sriov_incoming(t, PF_S), 0);
	api_expect_no_flag(test, PCI_DEV_LIVEUPDATE_INCOMING);
	for (enum model_fn fn = PF_S; fn <= VF_S2; fn++)
		KUNIT_EXPECT_FALSE(test, sriov_is_master(t, fn));

	/* The VFs can be preserved again, and disabled after that. */
	api_begin_outgoing(test);
	sriov_preserve(test, BIT(VF_S2));
	sriov_expect(test, t->out.obj, PCI_DEV_LIVEUPDATE_OUTGOING, BIT(VF_S2));
	api_unpreserve(t, VF_S2);
	KUNIT_EXPECT_EQ(test, model_set_vfs(t->devs[PF_S], 0), 0);
}

/*
 * A PF stays preserved for its VFs, but its own DMA stops, although the guard refuses
 * writes to a PF without a driver.
 */
static void abandon_pf(struct kunit *test)
{
	struct api_test *t = test->priv;

	for (int bound = 0; bound < 2; bound++) {
		model_init(&t->model, DOMAIN);
		sriov_live_update(test, BIT(PF_S) | BIT(VF_S0) | BIT(VF_S1));
		if (bound)
			sriov_register_driver(test, true, false);
		sriov_scan(test);
		KUNIT_ASSERT_EQ(test, !!t->devs[PF_S]->driver, bound);
		KUNIT_ASSERT_TRUE(test, sriov_is_master(t, PF_S));
		api_abandon(t, PF_S);
		sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING,
			     BIT(VF_S0) | BIT(VF_S1));
		KUNIT_EXPECT_FALSE(test, sriov_is_master(t, PF_S));
		KUNIT_EXPECT_TRUE(test, sriov_is_master(t, VF_S0));
		/* Without an owner it cannot be abandoned again. */
		api_abandon(t, PF_S);
		api_abandon(t, VF_S0);
		sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, BIT(VF_S1));
		KUNIT_EXPECT_FALSE(test, sriov_is_master(t, VF_S0));
		KUNIT_EXPECT_TRUE(test, sriov_is_master(t, VF_S1));

		api_finish(t, VF_S1);
		sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, 0);
		KUNIT_EXPECT_TRUE(test, sriov_is_master(t, VF_S1));
		api_remove_host(test);
		api_finish_flb(test);
	}
}

/* A PF that was removed through sysfs stops, and stays recorded for its VFs. */
static void abandon_pf_removed(struct kunit *test)
{
	struct api_test *t = test->priv;

	sriov_live_update(test, BIT(PF_S) | BIT(VF_S0));
	sriov_scan(test);
	api_remove_dev(t, PF_S);
	KUNIT_ASSERT_TRUE(test, sriov_is_master(t, PF_S));
	pci_liveupdate_incoming_abandon_recorded(t->model.domain,
						 model_bdf(&t->model, PF_S));
	KUNIT_EXPECT_FALSE(test, sriov_is_master(t, PF_S));
	KUNIT_EXPECT_TRUE(test, sriov_is_master(t, VF_S0));
	api_rescan(t);
	sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, BIT(VF_S0));
	api_finish(t, VF_S0);
	sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, 0);
}

static void abandon_recorded(struct kunit *test, unsigned long set)
{
	struct api_test *t = test->priv;

	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		if (set & BIT(fn))
			pci_liveupdate_incoming_abandon_recorded(t->model.domain,
								 model_bdf(&t->model, fn));
	}
}

static void expect_removed_stop(struct kunit *test, const struct sriov_layout *layout)
{
	unsigned long set = sriov_set(layout, ALL_SRIOV_FNS);
	struct api_test *t = test->priv;

	for (int all = 0; all < 2; all++) {
		model_init(&t->model, DOMAIN);
		sriov_begin_layout(test, layout);
		sriov_preserve(test, set);
		api_live_update(test);
		sriov_scan(test);
		api_remove_dev(t, PF_S);
		if (all)
			api_finish_flb(test);
		for (enum model_fn fn = VF_S0; fn <= VF_S2; fn++) {
			if (!(set & BIT(fn)))
				continue;
			if (!all) {
				KUNIT_EXPECT_TRUE(test, sriov_is_master(t, fn));
				abandon_recorded(test, BIT(fn));
			}
			KUNIT_EXPECT_FALSE(test, sriov_is_master(t, fn));
		}
		if (!all)
			api_finish_flb(test);
		api_remove_host(test);
	}
	KUNIT_EXPECT_FALSE(test, test_logged(&t->guard, "cannot be reached"));
}

/* VFs stop whose PF was removed, and with it the buses that only VFs are on. */
static void abandon_vfs_removed(struct kunit *test)
{
	expect_removed_stop(test, test->param_value);
}

/* No bridge is above the buses of these VFs. */
static void abandon_integrated_vfs_removed(struct kunit *test)
{
	/* VFs at 00:00.2, 01:00.1 and 02:00.0. */
	static const struct sriov_layout layout = {
		.fns = { PF_S, VF_S0, VF_S1, VF_S2 },
		.offset = 2,
		.stride = 0xff,
		.integrated = true,
	};

	expect_removed_stop(test, &layout);
}

/**
 * struct scan_abandons - Functions whose files are lost while PF_S is enumerated.
 * @name:      Name of the case.
 * @preserved: The functions that are preserved.
 * @before:    Lost before the SR-IOV state of PF_S is set up.
 * @after:     Lost after that.
 * @added:     Lost when the driver core knows PF_S.
 * @final:     Lost when resources are assigned, before drivers can bind.
 */
struct scan_abandons {
	const char *name;
	unsigned long preserved;
	unsigned long before;
	unsigned long after;
	unsigned long added;
	unsigned long final;
};

#define BOTH_VFS	(BIT(VF_S0) | BIT(VF_S1))

static const struct scan_abandons scan_abandons[] = {
	{ "vf_before", BOTH_VFS, .before = BIT(VF_S0) },
	{ "vf_after", BOTH_VFS, .after = BIT(VF_S0) },
	{ "vf_of_owned", BOTH_VFS | BIT(PF_S), .after = BIT(VF_S0) },
	{ "vfs_of_owned", BOTH_VFS | BIT(PF_S), .before = BIT(VF_S0), .after = BIT(VF_S1) },
	{ "all_before", BOTH_VFS, .before = BOTH_VFS },
	{ "all_after", BOTH_VFS, .after = BOTH_VFS },
	{ "all_added", BOTH_VFS, .added = BOTH_VFS },
	{ "all_final", BOTH_VFS, .final = BOTH_VFS },
	{ "all_in_turn", BOTH_VFS, .after = BIT(VF_S0), .added = BIT(VF_S1) },
	{ "owned_in_turn", BOTH_VFS | BIT(PF_S), .before = BIT(VF_S0),
	  .after = BIT(PF_S), .added = BIT(VF_S1) },
};

KUNIT_ARRAY_PARAM_DESC(scan_abandons, scan_abandons, name);

static bool vfs_are_enabled(struct api_test *t)
{
	return sriov_cap(t, PF_S)[PCI_SRIOV_CTRL] & PCI_SRIOV_CTRL_VFE;
}

static int adopt_sriov_and_abandon(struct pci_dev *dev, int pos)
{
	struct kunit *test = kunit_get_current_test();
	const struct scan_abandons *lost = test->param_value;
	int err;

	kunit_deactivate_static_stub(test, pci_liveupdate_adopt_sriov);
	abandon_recorded(test, lost->before);
	err = pci_liveupdate_adopt_sriov(dev, pos);
	abandon_recorded(test, lost->after);
	return err;
}

/* The test that abandons functions while PF_S is enumerated, or NULL. */
static struct kunit *abandons_in_scan;

static int abandon_added(struct notifier_block *nb, unsigned long action, void *data)
{
	const struct scan_abandons *lost;

	if (!abandons_in_scan || action != BUS_NOTIFY_ADD_DEVICE ||
	    to_pci_dev(data)->device != MODEL_DEVICE(PF_S))
		return NOTIFY_DONE;

	lost = abandons_in_scan->param_value;
	abandon_recorded(abandons_in_scan, lost->added);
	return NOTIFY_OK;
}

/* Before the notifier of the code under test */
static struct notifier_block abandon_added_nb = {
	.notifier_call = abandon_added,
	.priority = 1,
};

/* VFs of a PF that was dropped by now are disabled: the core may assign their BARs. */
static void abandon_final(struct pci_dev *dev)
{
	const struct scan_abandons *lost;

	if (!abandons_in_scan || dev->device != MODEL_DEVICE(PF_S))
		return;

	lost = abandons_in_scan->param_value;
	KUNIT_EXPECT_EQ(abandons_in_scan, vfs_are_enabled(abandons_in_scan->priv),
			!!(lost->preserved & ~lost->before & ~lost->after & ~lost->added));
	abandon_recorded(abandons_in_scan, lost->final);
}
DECLARE_PCI_FIXUP_FINAL(MODEL_VENDOR, PCI_ANY_ID, abandon_final);

static void scan_ends(void *unused)
{
	abandons_in_scan = NULL;
	bus_unregister_notifier(&pci_bus_type, &abandon_added_nb);
}

static void scan_and_abandon(struct kunit *test)
{
	kunit_activate_static_stub(test, pci_liveupdate_adopt_sriov,
				   adopt_sriov_and_abandon);
	KUNIT_ASSERT_EQ(test, 0, bus_register_notifier(&pci_bus_type, &abandon_added_nb));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, scan_ends, NULL));
	abandons_in_scan = test;
	sriov_scan(test);
	abandons_in_scan = NULL;
}

/* Files are lost while a PF is being enumerated. VF_S1 is on a bus of its own. */
static void abandon_in_scan(struct kunit *test)
{
	const struct scan_abandons *lost = test->param_value;
	unsigned long gone = lost->before | lost->after | lost->added | lost->final;
	unsigned long left = lost->preserved & ~gone;
	struct api_test *t = test->priv;

	sriov_begin_layout(test, &sriov_layouts[2]);
	sriov_preserve(test, lost->preserved);
	api_live_update(test);
	scan_and_abandon(test);

	for (enum model_fn fn = VF_S0; fn <= VF_S1; fn++)
		KUNIT_EXPECT_EQ(test, sriov_is_master(t, fn), !(gone & BIT(fn)));
	/* VFs of a PF that is not preserved do not exist. */
	KUNIT_EXPECT_EQ(test, !!left, vfs_are_enabled(t));
	KUNIT_EXPECT_EQ(test, !!left, !!t->devs[VF_S0]);
	KUNIT_EXPECT_EQ(test, !!left, api_is_preserved(t, PF_S));
	KUNIT_EXPECT_EQ(test, !!left, api_contains(t, t->in.obj, PF_S));
	KUNIT_EXPECT_EQ(test, !!left, api_contains(t, t->in.obj, RP_S));
	if (!left) {
		/* Without SR-IOV if its record was lost too early. */
		if (t->devs[PF_S]->sriov) {
			KUNIT_EXPECT_FALSE(test, t->devs[PF_S]->sriov->ctrl &
						 PCI_SRIOV_CTRL_VFE);
			sriov_enable_vfs(test, PF_S);
		}
		return;
	}

	sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, left);
	if (left & BIT(VF_S1))
		api_finish(t, VF_S1);
	left &= ~BIT(VF_S1);
	sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, left);
	if (left)
		api_finish(t, PF_S);
	sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, 0);
}

/* Requests of user space */

static int user_abandon(struct api_test *t, enum model_fn fn)
{
	return pci_liveupdate_abandon(api_key(t, fn));
}

/* A PF cannot be abandoned before its VFs, with an owner or without. */
static void user_abandon_vfs(struct kunit *test)
{
	const struct sriov_layout *layout = test->param_value;
	unsigned long set = sriov_set(layout, ALL_SRIOV_FNS);
	struct api_test *t = test->priv;

	sriov_begin_layout(test, layout);
	sriov_preserve(test, set);
	api_live_update(test);
	sriov_scan(test);
	KUNIT_EXPECT_EQ(test, user_abandon(t, PF_S), -EBUSY);
	api_expect_logged(test, " preserved VFs:");
	api_expect_logged(test, " is a preserved VF");
	for (enum model_fn fn = VF_S0; fn <= VF_T2; fn++) {
		if (!(set & BIT(fn)))
			continue;
		sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, set);
		KUNIT_EXPECT_EQ(test, user_abandon(t, fn), 0);
		KUNIT_EXPECT_FALSE(test, sriov_is_master(t, fn));
		KUNIT_EXPECT_TRUE(test, sriov_is_master(t, PF_S));
		set &= ~BIT(fn);
	}
	sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, set);
	KUNIT_EXPECT_EQ(test, user_abandon(t, PF_S), 0);
	KUNIT_EXPECT_FALSE(test, sriov_is_master(t, PF_S));
	set &= ~BIT(PF_S);
	sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, set);
}

/* Remove one VF of PF_S, on the bus of PF_S, through sysfs. */
static void remove_vf(struct api_test *t, enum model_fn vf)
{
	api_remove_dev(t, vf);
	/* pci_iov_remove_virtfn() drops this only with the VF. */
	pci_dev_put(t->devs[PF_S]);
}

/* A PF without an owner goes with its last VF, found or not. */
static void user_abandon_implied(struct kunit *test)
{
	struct api_test *t = test->priv;

	sriov_live_update(test, BIT(VF_S0) | BIT(VF_S1));
	sriov_scan(test);
	KUNIT_EXPECT_EQ(test, user_abandon(t, VF_S0), 0);
	KUNIT_EXPECT_EQ(test, user_abandon(t, PF_S), -EBUSY);
	remove_vf(t, VF_S1);
	KUNIT_EXPECT_TRUE(test, sriov_is_master(t, VF_S1));
	KUNIT_EXPECT_EQ(test, user_abandon(t, PF_S), -EBUSY);
	KUNIT_EXPECT_EQ(test, user_abandon(t, VF_S1), 0);
	KUNIT_EXPECT_FALSE(test, sriov_is_master(t, VF_S1));
	sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, 0);
	KUNIT_EXPECT_EQ(test, user_abandon(t, PF_S), -ENOENT);
}

/* The PF was reset, so neither it nor a VF is found, or it was removed. */
static void user_abandon_absent(struct kunit *test)
{
	struct api_test *t = test->priv;

	for (int removed = 0; removed < 2; removed++) {
		model_init(&t->model, DOMAIN);
		sriov_live_update(test, BIT(VF_S0) | BIT(VF_S1) | BIT(PF_T));
		if (!removed)
			sriov_cap(t, PF_S)[PCI_SRIOV_CTRL] = 0;
		sriov_scan(test);
		if (removed)
			api_remove_dev(t, PF_S);
		KUNIT_EXPECT_EQ(test, user_abandon(t, PF_S), -EBUSY);
		KUNIT_EXPECT_EQ(test, user_abandon(t, VF_S1), 0);
		KUNIT_EXPECT_TRUE(test, api_contains(t, t->in.obj, PF_S));
		KUNIT_EXPECT_EQ(test, user_abandon(t, VF_S0), 0);
		KUNIT_EXPECT_FALSE(test, api_contains(t, t->in.obj, PF_S));
		KUNIT_EXPECT_EQ(test, user_abandon(t, PF_T), 0);
		api_expect_exactly(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, 0);
		api_remove_host(test);
		api_finish_flb(test);
	}
}

/* An owned PF that is absent stays for its own file. */
static void user_abandon_absent_owned(struct kunit *test)
{
	struct api_test *t = test->priv;

	sriov_live_update(test, BIT(PF_S) | BIT(VF_S0));
	sriov_scan(test);
	api_remove_dev(t, PF_S);
	KUNIT_EXPECT_EQ(test, user_abandon(t, VF_S0), 0);
	KUNIT_EXPECT_TRUE(test, api_contains(t, t->in.obj, PF_S));
	KUNIT_EXPECT_EQ(test, user_abandon(t, PF_S), 0);
	KUNIT_EXPECT_FALSE(test, api_contains(t, t->in.obj, PF_S));
}

/* The PF was reset, and a new function has the address of its VF. */
static void user_abandon_other_function(struct kunit *test)
{
	struct api_test *t = test->priv;

	model_add_sriov(&t->model);
	model_set_routing(&t->model, PF_S, 1, 2);
	for (enum model_fn fn = 0; fn < RP_S; fn++)
		t->model.fns[fn].absent = true;
	t->model.fns[PF_T].absent = true;
	api_scan(test);
	sriov_enable_vfs(test, PF_S);
	api_begin_outgoing(test);
	sriov_preserve(test, BIT(VF_S0));
	api_live_update(test);

	sriov_cap(t, PF_S)[PCI_SRIOV_CTRL] = 0;
	t->model.fns[PF_T].absent = false;
	sriov_scan(test);
	KUNIT_ASSERT_EQ(test, api_key(t, PF_T), api_key(t, VF_S0));
	pci_set_master(t->devs[PF_T]);
	KUNIT_EXPECT_EQ(test, user_abandon(t, VF_S0), 0);
	KUNIT_EXPECT_TRUE(test, sriov_is_master(t, PF_T));
}

/* A PF of the next kernel that has no owner, and one that gets an owner. */
static void user_abandon_outgoing(struct kunit *test)
{
	struct api_test *t = test->priv;

	sriov_begin(test);
	sriov_preserve(test, BIT(VF_S0) | BIT(VF_S1));
	KUNIT_EXPECT_EQ(test, user_abandon(t, PF_S), -EBUSY);
	KUNIT_EXPECT_EQ(test, user_abandon(t, VF_S0), 0);
	sriov_expect(test, t->out.obj, PCI_DEV_LIVEUPDATE_OUTGOING, BIT(VF_S1));
	sriov_preserve(test, BIT(PF_S));
	KUNIT_EXPECT_EQ(test, user_abandon(t, PF_S), -EBUSY);
	KUNIT_EXPECT_EQ(test, user_abandon(t, VF_S1), 0);
	sriov_expect(test, t->out.obj, PCI_DEV_LIVEUPDATE_OUTGOING, BIT(PF_S));
	KUNIT_EXPECT_EQ(test, user_abandon(t, PF_S), 0);
	sriov_expect(test, t->out.obj, PCI_DEV_LIVEUPDATE_OUTGOING, 0);
	for (enum model_fn fn = PF_S; fn <= VF_S2; fn++)
		KUNIT_EXPECT_EQ(test, sriov_is_master(t, fn), fn != PF_T);
}

/* The number of VFs */

static void store_refused_incoming(struct kunit *test)
{
	struct api_test *t = test->priv;

	sriov_live_update(test, BIT(VF_S1) | BIT(PF_T));
	sriov_register_driver(test, true, false);
	sriov_scan(test);
	KUNIT_ASSERT_NOT_NULL(test, t->devs[PF_S]->driver);
	KUNIT_EXPECT_EQ(test, sriov_store_numvfs(t->devs[PF_S], "0"), -EBUSY);
	api_expect_logged(test, "with 0 VFs for the next kernel and 1 by the previous one");
	KUNIT_EXPECT_EQ(test, pci_enable_sriov(t->devs[PF_S], 1), -EBUSY);
	KUNIT_EXPECT_EQ(test, pci_enable_sriov(t->devs[PF_T], 1), -EBUSY);
	expect_vfs(test, true);
	/* Its driver cannot reset the PF either. */
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_blocks_function_reset(t->devs[PF_S],
								     true));

	api_finish(t, VF_S1);
	api_finish(t, PF_T);
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_blocks_function_reset(t->devs[PF_S],
								      true));
	KUNIT_EXPECT_EQ(test, sriov_store_numvfs(t->devs[PF_S], "0"), 1);
	KUNIT_EXPECT_EQ(test, sriov_store_numvfs(t->devs[PF_S], "1"), 1);
	sriov_enable_vfs(test, PF_T);
	KUNIT_EXPECT_EQ(test, pci_num_vf(t->devs[PF_S]), 1);
}

/* A driver disables VFs of which some are preserved on each side. */
static void disable_both_sides(struct kunit *test)
{
	struct api_test *t = test->priv;
	unsigned int lines;

	sriov_live_update(test, BIT(VF_S0) | BIT(VF_S1));
	sriov_scan(test);
	api_finish(t, VF_S0);
	api_begin_outgoing(test);
	KUNIT_EXPECT_EQ(test, api_preserve(t, VF_S1), -EBUSY);
	sriov_preserve(test, BIT(VF_S0) | BIT(VF_S2));
	sriov_expect(test, t->out.obj, PCI_DEV_LIVEUPDATE_OUTGOING,
		     BIT(VF_S0) | BIT(VF_S2));
	sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, BIT(VF_S1));

	lines = test_count_logged(&t->guard, "liveupdate: ");
	KUNIT_EXPECT_EQ(test, model_set_vfs(t->devs[PF_S], 0), 0);
	api_expect_logged(test, "disabled: 2 are no longer preserved for the next kernel");
	api_expect_logged(test, "disabled: 1 that the previous kernel preserved are lost");
	KUNIT_EXPECT_EQ(test, test_count_logged(&t->guard, "liveupdate: "),
			lines + 2);
	KUNIT_EXPECT_FALSE(test, sriov_cap(t, PF_S)[PCI_SRIOV_CTRL] &
				 PCI_SRIOV_CTRL_VFE);
	api_get_devs(t);
	sriov_expect(test, t->out.obj, PCI_DEV_LIVEUPDATE_OUTGOING, 0);
	sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, 0);
}

/* An owned PF whose driver is bound stays preserved without its VFs. */
static void disable_owned(struct kunit *test)
{
	struct api_test *t = test->priv;

	sriov_live_update(test, BIT(VF_S1) | BIT(PF_S));
	sriov_register_driver(test, true, false);
	sriov_scan(test);
	KUNIT_EXPECT_EQ(test, model_set_vfs(t->devs[PF_S], 0), 0);
	KUNIT_EXPECT_FALSE(test, sriov_cap(t, PF_S)[PCI_SRIOV_CTRL] &
				 PCI_SRIOV_CTRL_VFE);
	api_get_devs(t);
	sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, BIT(PF_S));

	/* A rescan finds it as it was left. */
	api_remove_dev(t, PF_S);
	api_rescan(t);
	sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, BIT(PF_S));
}

/* The guard refuses writes of a driver that holds its PF, but for disabling VFs. */
static void disable_held(struct kunit *test)
{
	struct api_test *t = test->priv;

	sriov_live_update(test, BIT(VF_S1) | BIT(PF_S));
	sriov_register_driver(test, true, false);
	sriov_scan(test);
	pci_liveupdate_incoming_hold(t->devs[PF_S], true);
	pci_clear_master(t->devs[PF_S]);
	KUNIT_EXPECT_TRUE(test, sriov_is_master(t, PF_S));

	KUNIT_EXPECT_EQ(test, model_set_vfs(t->devs[PF_S], 0), 0);
	KUNIT_EXPECT_FALSE(test, sriov_cap(t, PF_S)[PCI_SRIOV_CTRL] &
				 PCI_SRIOV_CTRL_VFE);
	KUNIT_EXPECT_EQ(test, sriov_cap(t, PF_S)[PCI_SRIOV_NUM_VF], 0);
	api_get_devs(t);
	sriov_expect(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, BIT(PF_S));

	/* The hold goes on, since the PF may have a user. */
	pci_clear_master(t->devs[PF_S]);
	KUNIT_EXPECT_TRUE(test, sriov_is_master(t, PF_S));
}

/* VFs that are enabled after their PF was reset are not those in the record. */
static void enable_stale(struct kunit *test)
{
	struct api_test *t = test->priv;

	sriov_live_update(test, BIT(VF_S1) | BIT(VF_S2));
	put_unaligned_le16(0, sriov_cap(t, PF_S) + PCI_SRIOV_CTRL);
	put_unaligned_le16(0, sriov_cap(t, PF_S) + PCI_SRIOV_NUM_VF);
	sriov_scan(test);
	KUNIT_EXPECT_FALSE(test, api_is_preserved(t, PF_S));

	sriov_enable_vfs(test, PF_S);
	KUNIT_EXPECT_FALSE(test, api_is_preserved(t, VF_S1));
	KUNIT_EXPECT_FALSE(test, api_is_preserved(t, VF_S2));
	api_expect_logged(test, "its PF is not treated as preserved");
	KUNIT_EXPECT_EQ(test, model_set_vfs(t->devs[PF_S], 0), 0);
	KUNIT_EXPECT_EQ(test, sriov_incoming(t, PF_S), 0);

	/* The count is right when these VFs are disabled. */
	sriov_enable_vfs(test, PF_S);
	KUNIT_EXPECT_EQ(test, model_set_vfs(t->devs[PF_S], 0), 0);
	KUNIT_EXPECT_FALSE(test, test_logged(&t->guard, "its VFs are being disabled"));
	KUNIT_EXPECT_TRUE(test, api_contains(t, t->in.obj, VF_S1));
}

/* Removal */

/* A PF that is removed through sysfs keeps its VFs, and a rescan finds them. */
static void remove_pf_incoming(struct kunit *test)
{
	const struct sriov_layout *layout = test->param_value;
	unsigned long set = sriov_set(layout, ALL_SRIOV_FNS);
	struct pci_liveupdate_index *index;
	struct api_test *t = test->priv;
	struct pf_state *before;
	u64 count, marked;

	sriov_begin_layout(test, layout);
	sriov_preserve(test, set);
	api_live_update(test);
	sriov_scan(test);
	index = t->in.obj;
	count = pci_liveupdate_index_count(index);
	marked = pci_liveupdate_index_count_marked(index);
	KUNIT_EXPECT_EQ(test, count, marked);
	before = get_pf_state(test, PF_S);

	api_start_log(test);
	api_remove_dev(t, PF_S);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count(index), count);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count_marked(index),
			marked - 1 - hweight_long(set & VFS_S));
	api_rescan(t);
	KUNIT_ASSERT_NOT_NULL(test, t->devs[PF_S]);
	expect_no_write(test, set);
	t->model.log_task = NULL;
	expect_vfs(test, true);
	sriov_expect(test, index, PCI_DEV_LIVEUPDATE_INCOMING, set);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count_marked(index), marked);
	expect_pf_state(test, get_pf_state(test, PF_S), before);
}

/* Unplug a PF. VFs on other buses are not told. */
static void disconnect_pf_incoming(struct kunit *test)
{
	const struct sriov_layout *layout = test->param_value;
	unsigned long set = sriov_set(layout, ALL_SRIOV_FNS);
	struct api_test *t = test->priv;

	sriov_begin_layout(test, layout);
	sriov_preserve(test, set);
	api_live_update(test);
	sriov_scan(test);
	t->model.fns[PF_S].absent = true;
	pci_dev_set_disconnected(t->devs[PF_S], NULL);
	api_remove_dev(t, PF_S);
	api_expect_exactly(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING,
			   api_with_bridges(set & (BIT(PF_T) | VFS_T)));
	api_expect_logged(test, "gone before it was finished, no longer preserved");

	/* Another device at the same place has no VFs. */
	t->model.fns[PF_S].absent = false;
	sriov_cap(t, PF_S)[PCI_SRIOV_CTRL] = 0;
	put_unaligned_le16(0, sriov_cap(t, PF_S) + PCI_SRIOV_NUM_VF);
	api_rescan(t);
	KUNIT_ASSERT_NOT_NULL(test, t->devs[PF_S]);
	KUNIT_EXPECT_FALSE(test, api_is_preserved(t, PF_S));
	expect_vfs(test, false);
	sriov_enable_vfs(test, PF_S);
}

#define DPC_CAP		0x100

/* DPC has reset a device with PFs. VFs may be on other buses. */
static void contain_pfs(struct kunit *test)
{
	const struct sriov_layout *layout = test->param_value;
	unsigned long set = sriov_set(layout, ALL_SRIOV_FNS);
	struct api_test *t = test->priv;
	u8 *dpc = t->model.fns[RP_S].cfg + DPC_CAP;

	sriov_begin_layout(test, layout);
	t->model.no_services = true;
	put_unaligned_le32(PCI_EXT_CAP_ID_DPC | 1 << 16, dpc);
	sriov_preserve(test, set);
	api_live_update(test);
	sriov_scan(test);
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_blocks_recovery(t->devs[RP_S]));
	dpc[PCI_EXP_DPC_STATUS] = PCI_EXP_DPC_STATUS_TRIGGER;
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_blocks_recovery(t->devs[RP_S]));
	api_expect_exactly(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING, 0);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_nr_vfs(t->devs[PF_S],
						    PCI_DEV_LIVEUPDATE_INCOMING), 0);
}

/* A VF was removed alone. When its PF loses it, no device tells of that. */
static void lose_removed_vf(struct kunit *test)
{
	const struct sriov_layout *layout = test->param_value;
	struct api_test *t = test->priv;
	unsigned long set, left;
	u8 *dpc;

	for (int i = 0; i < 6; i++) {
		model_init(&t->model, DOMAIN);
		sriov_begin_layout(test, layout);
		set = sriov_set(layout, ALL_SRIOV_FNS);
		if (i % 2)
			set &= ~BIT(PF_S);
		t->model.no_services = true;
		dpc = t->model.fns[RP_S].cfg + DPC_CAP;
		put_unaligned_le32(PCI_EXT_CAP_ID_DPC | 1 << 16, dpc);
		sriov_preserve(test, set);
		api_live_update(test);
		sriov_scan(test);
		remove_vf(t, set & BIT(VF_S0) ? VF_S0 : VF_S1);
		left = set & (BIT(PF_T) | VFS_T);
		switch (i / 2) {
		case 0:
			KUNIT_EXPECT_EQ(test, model_set_vfs(t->devs[PF_S], 0), 0);
			left |= set & BIT(PF_S);
			break;
		case 1:
			t->model.fns[PF_S].absent = true;
			pci_dev_set_disconnected(t->devs[PF_S], NULL);
			api_remove_dev(t, PF_S);
			break;
		case 2:
			dpc[PCI_EXP_DPC_STATUS] = PCI_EXP_DPC_STATUS_TRIGGER;
			KUNIT_EXPECT_FALSE(test, pci_liveupdate_blocks_recovery(t->devs[RP_S]));
			left = 0;
			break;
		}
		KUNIT_EXPECT_EQ(test, i + 1,
				test_count_logged(&t->guard, "lost 1 preserved VFs"));
		api_get_devs(t);
		api_expect_exactly(test, t->in.obj, PCI_DEV_LIVEUPDATE_INCOMING,
				   api_with_bridges(left));
		api_finish_flb(test);
		api_remove_host(test);
	}
}

/* The PF is finished, and removed with the VFs of the previous kernel. */
static void remove_pf_finished(struct kunit *test)
{
	struct api_test *t = test->priv;

	sriov_live_update(test, BIT(VF_S1));
	sriov_scan(test);
	api_finish(t, VF_S1);
	api_remove_dev(t, PF_S);
	KUNIT_EXPECT_FALSE(test, sriov_cap(t, PF_S)[PCI_SRIOV_CTRL] &
				 PCI_SRIOV_CTRL_VFE);
	api_rescan(t);
	KUNIT_ASSERT_NOT_NULL(test, t->devs[PF_S]);
	expect_vfs(test, false);
	sriov_enable_vfs(test, PF_S);
	expect_vfs(test, true);
}

/* Capabilities */

/* The state of capabilities is the same, see adopt_same_state(). */
static void adopt_reads_less(struct kunit *test)
{
	struct api_test *t = test->priv;
	unsigned int stock, adopted;

	model_add_sriov(&t->model);
	sriov_scan(test);
	api_start_log(test);
	KUNIT_ASSERT_EQ(test, model_set_vfs(t->devs[PF_S], NR_VFS), 0);
	stock = api_count_accesses(test, VF_S1, false);
	api_get_devs(t);
	api_begin_outgoing(test);
	sriov_preserve(test, VFS_S);
	api_live_update(test);

	api_start_log(test);
	sriov_scan(test);
	adopted = api_count_accesses(test, VF_S1, false);
	t->model.log_task = NULL;
	kunit_info(test, "%u reads instead of %u", adopted, stock);
	KUNIT_EXPECT_GT(test, adopted, 0);
	KUNIT_EXPECT_LE(test, 4 * adopted, stock);
}

/* VFs that are enabled later may have other capabilities. */
static void forget_capabilities(struct kunit *test)
{
	struct api_test *t = test->priv;

	sriov_live_update(test, VFS_S);
	sriov_scan(test);
	for (enum model_fn fn = VF_S0; fn <= VF_S2; fn++)
		api_finish(t, fn);
	KUNIT_EXPECT_EQ(test, t->devs[VF_S1]->msix_cap, MODEL_MSIX_CAP);
	KUNIT_EXPECT_EQ(test, model_set_vfs(t->devs[PF_S], 0), 0);
	for (enum model_fn fn = VF_S0; fn <= VF_S2; fn++) {
		t->model.fns[fn].cfg[MODEL_MSIX_CAP] = PCI_CAP_ID_VNDR;
		put_unaligned_le32(0, t->model.fns[fn].cfg + PCI_CFG_SPACE_SIZE);
	}
	sriov_enable_vfs(test, PF_S);
	for (enum model_fn fn = VF_S0; fn <= VF_S2; fn++) {
		KUNIT_EXPECT_EQ(test, t->devs[fn]->msix_cap, 0);
		KUNIT_EXPECT_EQ(test, 0, pci_find_ext_capability(t->devs[fn],
								 PCI_EXT_CAP_ID_ERR));
		KUNIT_EXPECT_EQ(test, pci_find_capability(t->devs[fn], PCI_CAP_ID_VNDR),
				MODEL_MSIX_CAP);
	}
}

/* Drivers */

/* A driver of the PF may reset VFs that guests use after they are finished. */
static void forbid_driver_incoming(struct kunit *test)
{
	struct api_test *t = test->priv;

	sriov_live_update(test, BIT(VF_S1));
	sriov_register_driver(test, false, true);
	sriov_scan(test);
	KUNIT_EXPECT_NULL(test, t->devs[PF_S]->driver);
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_forbids_driver(t->devs[VF_S1],
							      &sriov_driver));
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_forbids_driver(t->devs[VF_S2],
							       &sriov_driver));

	api_finish(t, VF_S1);
	KUNIT_EXPECT_FALSE(test, api_is_preserved(t, PF_S));
	KUNIT_EXPECT_EQ(test, device_attach(&t->devs[PF_S]->dev), 0);
	KUNIT_EXPECT_NULL(test, t->devs[PF_S]->driver);
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_forbids_driver(t->devs[VF_S1],
							       &sriov_driver));

	KUNIT_EXPECT_EQ(test, model_set_vfs(t->devs[PF_S], 0), 0);
	KUNIT_EXPECT_EQ(test, device_attach(&t->devs[PF_S]->dev), 1);
	KUNIT_EXPECT_PTR_EQ(test, t->devs[PF_S]->driver, &sriov_driver);
}

/* The suite */

static struct kunit_case sriov_incoming_cases[] = {
	KUNIT_CASE_PARAM(adopt_without_write, layout_gen_params),
	KUNIT_CASE_SLOW(adopt_links),
	KUNIT_CASE_PARAM(adopt_same_state, layout_gen_params),
	KUNIT_CASE_SLOW(adopt_before_probe),
	KUNIT_CASE_SLOW(adopt_stops_unpreserved),
	KUNIT_CASE_PARAM(adopt_other_sriov, other_sriov_gen_params),
	KUNIT_CASE_PARAM(adopt_damaged, sriov_damage_gen_params),
	KUNIT_CASE_SLOW(adopt_damaged_vf),
	KUNIT_CASE_SLOW(disable_damaged_vf),
	KUNIT_CASE_SLOW(adopt_from_old_writer),
	KUNIT_CASE_PARAM(finish_any_order_vfs, layout_gen_params),
	KUNIT_CASE_SLOW(abandon_vfs),
	KUNIT_CASE_SLOW(abandon_pf),
	KUNIT_CASE_SLOW(abandon_pf_removed),
	KUNIT_CASE_PARAM(abandon_vfs_removed, layout_gen_params),
	KUNIT_CASE_SLOW(abandon_integrated_vfs_removed),
	KUNIT_CASE_PARAM(abandon_in_scan, scan_abandons_gen_params),
	KUNIT_CASE_PARAM(user_abandon_vfs, layout_gen_params),
	KUNIT_CASE_SLOW(user_abandon_implied),
	KUNIT_CASE_SLOW(user_abandon_absent),
	KUNIT_CASE(user_abandon_absent_owned),
	KUNIT_CASE_SLOW(user_abandon_other_function),
	KUNIT_CASE_SLOW(user_abandon_outgoing),
	KUNIT_CASE_SLOW(store_refused_incoming),
	KUNIT_CASE_SLOW(disable_both_sides),
	KUNIT_CASE_SLOW(disable_owned),
	KUNIT_CASE_SLOW(disable_held),
	KUNIT_CASE_SLOW(enable_stale),
	KUNIT_CASE_PARAM(remove_pf_incoming, layout_gen_params),
	KUNIT_CASE_PARAM(disconnect_pf_incoming, layout_gen_params),
	KUNIT_CASE_PARAM(contain_pfs, layout_gen_params),
	KUNIT_CASE_PARAM(lose_removed_vf, layout_gen_params),
	KUNIT_CASE_SLOW(remove_pf_finished),
	KUNIT_CASE_SLOW(adopt_reads_less),
	KUNIT_CASE_SLOW(forget_capabilities),
	KUNIT_CASE_SLOW(forbid_driver_incoming),
	{ }
};

static struct kunit_suite sriov_incoming_suite = {
	.name = "pci_liveupdate_sriov_incoming",
	.suite_init = api_suite_init,
	.init = api_test_init,
	.exit = api_test_exit,
	.test_cases = sriov_incoming_cases,
};

kunit_test_suite(sriov_incoming_suite);
