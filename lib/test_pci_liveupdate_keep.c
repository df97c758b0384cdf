// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of PCI live update: registers and bus numbers that the next kernel
 * leaves alone.
 *
 * Cases change_* are the same without a live update: there the kernel changes them.
 */

#include <kunit/test.h>
#include <linux/array_size.h>
#include <linux/bits.h>
#include <linux/ioport.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/unaligned.h>

#ifdef CONFIG_X86
#include <asm/pci_x86.h>
#endif

#include "test_pci_liveupdate_api.h"

/* No other test has incoming functions in the segments after this one. */
#define ODD_DOMAIN	0x4321

static const unsigned long all_functions = BIT(EP_A0) | BIT(EP_A1) |
					   BIT(EP_CONV) | BIT(PF) | BIT(EP_ROOT);

/**
 * struct changed_register - A register that the kernel changes during the scan.
 * @name:  Name of the case.
 * @fn:    A function with this register.
 * @where: Its offset.
 */
struct changed_register {
	const char *name;
	enum model_fn fn;
	u16 where;
};

/* Offsets are those of test_pci_liveupdate_settings.c. */
static const struct changed_register changed_registers[] = {
	{ "command_function", EP_A0, PCI_COMMAND },
	{ "command_bridge", SW_UP, PCI_COMMAND },
	{ "bar", EP_A0, PCI_BASE_ADDRESS_2 },
	{ "rom", EP_A0, PCI_ROM_ADDRESS },
	{ "bar_bridge", SW_UP, PCI_BASE_ADDRESS_0 },
	{ "io_window", RP_B, PCI_IO_BASE },
	{ "prefetchable_window", RP_B, PCI_PREF_MEMORY_BASE },
	{ "serr", RP_A, PCI_BRIDGE_CONTROL },
	{ "device_control_function", EP_A0, 0x40 + PCI_EXP_DEVCTL },
	{ "device_control_bridge", SW_DN_A, 0x40 + PCI_EXP_DEVCTL },
	{ "ltr", RP_A, 0x40 + PCI_EXP_DEVCTL2 },
	{ "ari", RP_B, 0x40 + PCI_EXP_DEVCTL2 },
	{ "link_control_function", EP_A0, 0x40 + PCI_EXP_LNKCTL },
	{ "link_control_bridge", SW_DN_A, 0x40 + PCI_EXP_LNKCTL },
	{ "interrupt_line", RP_B, PCI_INTERRUPT_LINE },
	{ "pme", EP_A0, 0x80 + PCI_PM_CTRL },
	{ "msi", EP_A0, 0x90 + PCI_MSI_FLAGS },
	{ "msix", EP_A0, 0xb0 + PCI_MSIX_FLAGS },
	{ "aer_status", EP_A0, 0x180 + PCI_ERR_COR_STATUS },
	{ "aer_status_bridge", RP_A, 0x180 + PCI_ERR_COR_STATUS },
	{ "acs", RP_A, 0x200 + PCI_ACS_CTRL },
	{ "sriov_page_size", PF, 0x100 + PCI_SRIOV_SYS_PGSIZE },
	{ "sriov_vfs", PF, 0x100 + PCI_SRIOV_NUM_VF },
};

KUNIT_ARRAY_PARAM_DESC(changed_register, changed_registers, name);

/* Return the first access from @i on that changed a bit of @fn. */
static const struct model_access *next_change(struct api_test *t,
					      enum model_fn fn, unsigned int *i)
{
	u16 bdf = model_bdf(&t->model, fn);

	for (; *i < min(t->model.nr_log, MODEL_LOG_SIZE); ++*i) {
		const struct model_access *access = &t->model.log[*i];

		if (access->changed &&
		    PCI_DEVID(access->bus, access->devfn) == bdf)
			return access;
	}

	return NULL;
}

/* Live update with all functions, and log the first scan after it. */
static void logged_live_update(struct kunit *test)
{
	struct api_test *t = test->priv;

	model_add_settings(&t->model);
	api_scan_all(test);
	api_begin_outgoing(test);
	api_preserve_all(test);
	api_live_update(test);
	model_put_in_use(&t->model);
	api_start_log(test);
	api_scan_all(test);
	KUNIT_ASSERT_LT(test, t->model.nr_log, MODEL_LOG_SIZE);
}

static void keep_registers(struct kunit *test)
{
	unsigned long all = api_with_bridges(all_functions);
	const struct model_access *access;
	struct api_test *t = test->priv;

	logged_live_update(test);
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		unsigned int i = 0;

		if (!(all & BIT(fn)))
			continue;
		while ((access = next_change(t, fn, &i))) {
			KUNIT_FAIL(test, "function %d: %03x, which held %#x, was set to %#x",
				   fn, access->where, access->old, access->val);
			i++;
		}
	}
	api_expect_incoming(test, all_functions);
}

/* Without a live update the scan changes each of the registers. */
static void change_registers(struct kunit *test)
{
	const struct changed_register *want = test->param_value;
	const struct model_access *access;
	struct api_test *t = test->priv;
	unsigned int i = 0;

	model_add_settings(&t->model);
	model_put_in_use(&t->model);
	api_start_log(test);
	api_scan_all(test);
	while ((access = next_change(t, want->fn, &i))) {
		if (access->where == want->where)
			return;
		i++;
	}
	KUNIT_FAIL(test, "%03x was not changed", want->where);
}

/* The sizes in the record are those of the BARs. */
static void keep_sizes(struct kunit *test)
{
	unsigned long all = api_with_bridges(all_functions);
	struct api_test *t = test->priv;

	api_live_update_all(test);
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		struct pci_function_ser want = model_entry(&t->model, fn);
		int howmany = model_is_bridge(fn) ? 2 : PCI_STD_NUM_BARS;

		if (!(all & BIT(fn)))
			continue;
		for (int i = 0; i < howmany; i++)
			KUNIT_EXPECT_EQ_MSG(test,
					    pci_resource_len(t->devs[fn], i),
					    want.bar_shift[i] ?
					    BIT_ULL(want.bar_shift[i]) : 0,
					    "function %d BAR %d", fn, i);
		KUNIT_EXPECT_EQ(test,
				pci_resource_len(t->devs[fn], PCI_ROM_RESOURCE),
				want.bar_shift[PCI_SER_ROM] ?
				BIT_ULL(want.bar_shift[PCI_SER_ROM]) : 0);
	}
}

/* Take from the record whether INTx Disable works, instead of trying it. */
static void keep_intx_broken(struct kunit *test)
{
	struct api_test *t = test->priv;

	/* Without its settings, INTx Disable of the model is read-only. */
	api_live_update_all(test);
	KUNIT_EXPECT_TRUE(test, t->devs[EP_A0]->broken_intx_masking);
	api_finish_flb(test);
	api_remove_host(test);

	model_add_settings(&t->model);
	api_live_update_all(test);
	KUNIT_EXPECT_FALSE(test, t->devs[EP_A0]->broken_intx_masking);
}

#ifdef CONFIG_PCIEASPM
static void set_ltr(struct api_test *t, enum model_fn fn)
{
	t->model.fns[fn].cfg[0x40 + PCI_EXP_DEVCTL2 + 1] |=
		PCI_EXP_DEVCTL2_LTR_EN >> 8;
}

/* The guard keeps LTR off, so the PCI core must not rely on it. */
static void keep_ltr(struct kunit *test)
{
	struct api_test *t = test->priv;

	model_add_settings(&t->model);
	api_scan_all(test);
	api_begin_outgoing(test);
	api_preserve_all(test);
	api_live_update(test);
	model_put_in_use(&t->model);
	set_ltr(t, RP_A);
	set_ltr(t, SW_UP);
	api_scan_all(test);
	KUNIT_EXPECT_TRUE(test, t->devs[RP_A]->ltr_path);
	KUNIT_EXPECT_TRUE(test, t->devs[SW_UP]->ltr_path);
	KUNIT_EXPECT_FALSE(test, t->devs[SW_DN_A]->ltr_path);
	KUNIT_EXPECT_FALSE(test, t->devs[EP_A0]->ltr_path);
	KUNIT_EXPECT_FALSE(test, t->devs[RP_B]->ltr_path);

	/* Without a live update the PCI core enables it. */
	api_finish_flb(test);
	api_remove_host(test);
	api_scan_all(test);
	KUNIT_EXPECT_TRUE(test, t->devs[SW_DN_A]->ltr_path);
	KUNIT_EXPECT_TRUE(test, t->devs[RP_B]->ltr_path);
}
#endif

/* Addresses */

#define WINDOW		0xe0000000u

/* Set BAR 1 of EP_A1, the ROM BAR of EP_A0, and the windows of the bridges above. */
static void set_addresses(struct api_test *t, u32 rom_enable)
{
	static const enum model_fn bridges[] = { RP_A, SW_UP, SW_DN_A };

	t->model.window = DEFINE_RES_MEM(WINDOW, SZ_1M);
	for (int i = 0; i < ARRAY_SIZE(bridges); i++)
		put_unaligned_le32(WINDOW | WINDOW >> 16,
				   t->model.fns[bridges[i]].cfg + PCI_MEMORY_BASE);
	put_unaligned_le32(WINDOW, t->model.fns[EP_A1].cfg + PCI_BASE_ADDRESS_1);
	put_unaligned_le32((WINDOW + SZ_64K) | rom_enable,
			   t->model.fns[EP_A0].cfg + PCI_ROM_ADDRESS);
}

/* Claim addresses of preserved devices before the PCI core assigns them to others. */
static void keep_addresses(struct kunit *test)
{
	const int window = PCI_BRIDGE_MEM_WINDOW;
	struct api_test *t = test->priv;
	struct pci_dev **devs = t->devs;

	set_addresses(t, PCI_ROM_ADDRESS_ENABLE);
	api_scan_all(test);
	/* Without a live update the scan claims nothing. */
	KUNIT_EXPECT_NULL(test, devs[EP_A1]->resource[1].parent);
	KUNIT_EXPECT_NULL(test, t->model.window.child);

	api_begin_outgoing(test);
	api_preserve_all(test);
	api_live_update(test);
	api_scan_all(test);
	KUNIT_EXPECT_PTR_EQ(test, devs[RP_A]->resource[window].parent,
			    &t->model.window);
	KUNIT_EXPECT_PTR_EQ(test, devs[SW_UP]->resource[window].parent,
			    &devs[RP_A]->resource[window]);
	KUNIT_EXPECT_PTR_EQ(test, devs[SW_DN_A]->resource[window].parent,
			    &devs[SW_UP]->resource[window]);
	KUNIT_EXPECT_PTR_EQ(test, devs[EP_A1]->resource[1].parent,
			    &devs[SW_DN_A]->resource[window]);
	KUNIT_EXPECT_PTR_EQ(test, devs[EP_A0]->resource[PCI_ROM_RESOURCE].parent,
			    &devs[SW_DN_A]->resource[window]);
	/* This BAR has no address. */
	KUNIT_EXPECT_NULL(test, devs[EP_A1]->resource[0].parent);
}

/* A hotplug driver scans the slot, and not the bus. */
static void keep_addresses_of_slot(struct kunit *test)
{
	struct api_test *t = test->priv;
	struct pci_bus *bus;
	int nr;

	set_addresses(t, 0);
	api_live_update_all(test);
	bus = t->devs[EP_A0]->bus;
	api_remove_dev(t, EP_A0);
	api_remove_dev(t, EP_A1);
	pci_lock_rescan_remove();
	nr = pci_scan_slot(bus, PCI_DEVFN(0, 0));
	pci_bus_add_devices(bus);
	pci_unlock_rescan_remove();
	api_get_devs(t);

	KUNIT_EXPECT_EQ(test, nr, 2);
	api_expect_incoming(test, ALL_FUNCTIONS);
	KUNIT_EXPECT_PTR_EQ(test, t->devs[EP_A1]->resource[1].parent,
			    &t->devs[SW_DN_A]->resource[PCI_BRIDGE_MEM_WINDOW]);
	KUNIT_EXPECT_TRUE(test, api_has_flag(t->devs[EP_A1],
					     PCI_DEV_LIVEUPDATE_POWERED));
}

/* A disabled expansion ROM decodes no addresses. */
static void keep_no_disabled_rom(struct kunit *test)
{
	struct api_test *t = test->priv;

	set_addresses(t, 0);
	api_live_update_all(test);
	KUNIT_EXPECT_NOT_NULL(test, t->devs[EP_A1]->resource[1].parent);
	KUNIT_EXPECT_NULL(test, t->devs[EP_A0]->resource[PCI_ROM_RESOURCE].parent);
}

/* Calls of the PCI core that come later than the scan */

static bool was_changed(struct api_test *t, enum model_fn fn)
{
	unsigned int i = 0;

	return next_change(t, fn, &i);
}

static bool update_touches(struct api_test *t)
{
	struct resource *res = &t->devs[EP_A0]->resource[2];
	struct resource before = *res;

	res->flags &= ~IORESOURCE_UNSET;
	res->start += resource_size(&before);
	res->end += resource_size(&before);
	pci_update_resource(t->devs[EP_A0], 2);
	res->flags = before.flags;
	res->start = before.start;
	res->end = before.end;
	return was_changed(t, EP_A0);
}

/* No memory is free, so assigning the BAR would fail. */
static bool assign_touches(struct api_test *t)
{
	return pci_assign_resource(t->devs[EP_A0], 2);
}

static bool reassign_touches(struct api_test *t)
{
	return pci_reassign_resource(t->devs[EP_A0], 2, 0, SZ_64K);
}

static bool release_touches(struct api_test *t)
{
	struct resource *res = &t->devs[EP_A0]->resource[2];
	struct resource room = DEFINE_RES_MEM(0, 0);
	bool touched;

	/* A resource must be assigned before it can be released. */
	room.end = res->end;
	res->flags &= ~IORESOURCE_UNSET;
	if (WARN_ON(request_resource(&room, res)))
		return false;
	touched = pci_release_resource(t->devs[EP_A0], 2) != -EBUSY;
	if (res->parent)
		release_resource(res);
	return touched;
}

static bool resize_touches(struct api_test *t)
{
	t->model.fns[EP_A0].cfg[PCI_COMMAND] = 0;
	return pci_resize_resource(t->devs[EP_A0], 2, 1, 0) != -EBUSY;
}

/* No memory is free for the window, so the PCI core would close it. */
static bool window_touches(struct api_test *t)
{
	pci_claim_bridge_resource(t->devs[RP_B], PCI_BRIDGE_PREF_MEM_WINDOW);
	return was_changed(t, RP_B);
}

/* Retrain a link that does not come up at 5 GT/s. */
static bool retrain_touches(struct api_test *t)
{
	struct model_state *state = &t->model.fns[RP_B];
	struct pci_dev *port = t->devs[RP_B];

	port->link_active_reporting = 1;
	port->supported_speeds = PCI_EXP_LNKCAP2_SLS_2_5GB |
				 PCI_EXP_LNKCAP2_SLS_5_0GB;
	state->cfg[0x40 + PCI_EXP_LNKSTA + 1] = PCI_EXP_LNKSTA_LBMS >> 8;
	state->cfg[0x40 + PCI_EXP_LNKCTL2] = PCI_EXP_LNKCTL2_TLS_5_0GT;
	state->writable[0x40 + PCI_EXP_LNKCTL2] = PCI_EXP_LNKCTL2_TLS;
	pcie_failed_link_retrain(port);
	return was_changed(t, RP_B);
}

/**
 * struct late_call - A call that touches a device, unless it is preserved.
 * @name:    Name of the case.
 * @touches: Makes the call, and returns whether it touched the device.
 */
struct late_call {
	const char *name;
	bool (*touches)(struct api_test *t);
};

static const struct late_call late_calls[] = {
	{ "update_resource", update_touches },
	{ "assign_resource", assign_touches },
	{ "reassign_resource", reassign_touches },
	{ "release_resource", release_touches },
	{ "resize_resource", resize_touches },
	{ "bridge_window", window_touches },
	{ "retrain", retrain_touches },
};

KUNIT_ARRAY_PARAM_DESC(late_call, late_calls, name);

static void keep_from_late_calls(struct kunit *test)
{
	const struct late_call *call = test->param_value;
	struct api_test *t = test->priv;

	logged_live_update(test);
	t->model.nr_log = 0;
	KUNIT_EXPECT_FALSE(test, call->touches(t));
}

static void change_by_late_calls(struct kunit *test)
{
	const struct late_call *call = test->param_value;
	struct api_test *t = test->priv;

	model_add_settings(&t->model);
	api_scan_all(test);
	api_start_log(test);
	KUNIT_EXPECT_TRUE(test, call->touches(t));
}

/* Bus numbers */

/* Make RP_ACS a bridge without bus numbers, as after hotplug. */
static void plug_in_bridge(struct api_test *t)
{
	model_set_buses(&t->model, RP_ACS, 0, 0);
}

static u8 secondary(struct api_test *t, enum model_fn fn)
{
	return t->model.fns[fn].cfg[PCI_SECONDARY_BUS];
}

static u8 subordinate(struct api_test *t, enum model_fn fn)
{
	return t->model.fns[fn].cfg[PCI_SUBORDINATE_BUS];
}

/* Don't reuse bus 8, as the PF still does DMA from there below an absent port. */
static void keep_numbers_of_absent(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_live_update_of(test, PF);
	t->model.fns[RP_B].absent = true;
	plug_in_bridge(t);
	api_scan(test);
	KUNIT_EXPECT_EQ(test, secondary(t, RP_ACS), 9);
	KUNIT_EXPECT_GE(test, subordinate(t, RP_ACS), 9);
}

static void take_numbers_of_absent(struct kunit *test)
{
	struct api_test *t = test->priv;

	t->model.fns[RP_B].absent = true;
	plug_in_bridge(t);
	api_scan(test);
	KUNIT_EXPECT_EQ(test, secondary(t, RP_ACS), 8);
}

/* Bus numbers of functions that are preserved for the next kernel are not free. */
static void keep_numbers_outgoing(struct kunit *test)
{
	struct api_test *t = test->priv;
	int first = 8, last = 0xff;

	api_scan_all(test);
	api_begin_outgoing(test);
	KUNIT_ASSERT_EQ(test, api_preserve(t, PF), 0);
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_find_bus_numbers(t->devs[RP_ACS], 1,
								&first, &last));
	KUNIT_EXPECT_EQ(test, first, 9);
	KUNIT_EXPECT_EQ(test, last, 0xff);

	first = 1;
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_find_bus_numbers(t->devs[RP_ACS], 1,
								&first, &last));
	KUNIT_EXPECT_EQ(test, first, 1);
	KUNIT_EXPECT_EQ(test, last, 7);
	api_unpreserve(t, PF);
}

/* A bridge that lost its bus numbers gets no others until the last finish. */
static void keep_lost_numbers(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	api_begin_outgoing(test);
	KUNIT_ASSERT_EQ(test, api_preserve(t, PF), 0);
	api_preserve_last(test, RP_B);
	api_live_update(test);
	model_set_buses(&t->model, RP_B, 0, 0);
	api_scan(test);
	KUNIT_EXPECT_EQ(test, secondary(t, RP_B), 0);
	api_expect_logged(test, "was preserved with [bus 08-08], found with [bus 00-00]");
	api_expect_logged(test, "1234:08:00.0 was preserved, and cannot be reached");
	api_expect_logged(test, "1234:08:1f.7 was preserved, and cannot be reached");

	api_rescan(t);
	KUNIT_EXPECT_EQ(test, secondary(t, RP_B), 0);

	api_finish_flb(test);
	api_rescan(t);
	KUNIT_EXPECT_NE(test, secondary(t, RP_B), 0);
}

#ifdef CONFIG_X86
static void assign_busses_end(void *unused)
{
	pci_probe &= ~PCI_ASSIGN_ALL_BUSSES;
}

/* Set pci=assign-busses until the test ends. */
static void assign_busses(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   assign_busses_end,
							   NULL));
	pci_probe |= PCI_ASSIGN_ALL_BUSSES;
}

/* Use a bus number that the kernel would not choose, in a separate segment. */
static void odd_number(struct api_test *t, u32 domain)
{
	model_init(&t->model, domain);
	model_set_buses(&t->model, RP_B, 0x20, 0x20);
}

static void change_assigned_numbers(struct kunit *test)
{
	struct api_test *t = test->priv;

	odd_number(t, ODD_DOMAIN + 1);
	assign_busses(test);
	api_scan_all(test);
	KUNIT_EXPECT_NE(test, secondary(t, RP_B), 0x20);
}

static void keep_assigned_numbers(struct kunit *test)
{
	struct api_test *t = test->priv;

	odd_number(t, ODD_DOMAIN + 2);
	api_live_update_of(test, EP_A0);
	assign_busses(test);
	api_scan_all(test);
	KUNIT_EXPECT_EQ(test, secondary(t, RP_B), 0x20);
	api_expect_incoming(test, BIT(EP_A0));

	/* The number stays until reboot. */
	api_finish_flb(test);
	api_rescan(t);
	KUNIT_EXPECT_EQ(test, secondary(t, RP_B), 0x20);
}

static void keep_assigned_numbers_outgoing(struct kunit *test)
{
	struct api_test *t = test->priv;

	odd_number(t, ODD_DOMAIN + 3);
	api_scan_all(test);
	api_begin_outgoing(test);
	KUNIT_ASSERT_EQ(test, api_preserve(t, EP_A0), 0);
	assign_busses(test);
	api_rescan(t);
	KUNIT_EXPECT_EQ(test, secondary(t, RP_B), 0x20);
	api_unpreserve(t, EP_A0);
}
#endif

/* ACS and ARI, which stay while the device exists */

static void keep_routing(struct kunit *test)
{
	const u16 acs = 0x200 + PCI_ACS_CTRL;
	struct api_test *t = test->priv;

	logged_live_update(test);
	KUNIT_EXPECT_TRUE(test, t->devs[RP_B]->ari_enabled);
	api_finish_flb(test);
	pci_enable_acs(t->devs[RP_A]);
	KUNIT_EXPECT_EQ(test, t->model.fns[RP_A].cfg[acs], PCI_ACS_TB);
	KUNIT_EXPECT_TRUE(test, t->devs[RP_B]->ari_enabled);

	/* The PCI core sets up a new device. */
	api_remove_host(test);
	api_scan_all(test);
	KUNIT_EXPECT_NE(test, t->model.fns[RP_A].cfg[acs], PCI_ACS_TB);
	KUNIT_EXPECT_FALSE(test, t->devs[RP_B]->ari_enabled);
}

/* ATS, PTM, Extended Tags and MPS */

/* The guard refuses ATS Enable, so the IOMMU driver must not believe in ATS. */
static void keep_ats(struct kunit *test)
{
	struct api_test *t = test->priv;

	logged_live_update(test);
	KUNIT_EXPECT_EQ(test, t->devs[PF]->ats_cap, 0);
	api_finish_flb(test);
	api_remove_host(test);
	api_scan_all(test);
	KUNIT_EXPECT_EQ(test, t->devs[PF]->ats_cap, 0x260);
}

static bool ptm_enabled(struct api_test *t, enum model_fn fn)
{
	return t->model.fns[fn].cfg[0x240 + PCI_PTM_CTRL] & PCI_PTM_CTRL_ENABLE;
}

/* Enable and disable PTM of EP_A1, the only user that this kernel knows. */
static void use_ptm(struct kunit *test)
{
	struct api_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, pci_enable_ptm(t->devs[EP_A1]), 0);
	KUNIT_EXPECT_TRUE(test, ptm_enabled(t, RP_A));
	pci_disable_ptm(t->devs[EP_A1]);
	KUNIT_EXPECT_FALSE(test, ptm_enabled(t, EP_A1));
}

/* EP_A0 uses PTM too, as the previous kernel set it up. */
static void keep_ptm_of_sibling(struct kunit *test)
{
	struct api_test *t = test->priv;

	model_add_settings(&t->model);
	api_live_update_of(test, EP_A0);
	model_put_in_use(&t->model);
	api_scan_all(test);
	use_ptm(test);
	KUNIT_EXPECT_TRUE(test, ptm_enabled(t, RP_A));
	KUNIT_EXPECT_TRUE(test, ptm_enabled(t, SW_UP));
	KUNIT_EXPECT_TRUE(test, ptm_enabled(t, EP_A0));
}

static void change_ptm_of_sibling(struct kunit *test)
{
	struct api_test *t = test->priv;

	model_add_settings(&t->model);
	model_put_in_use(&t->model);
	api_scan_all(test);
	use_ptm(test);
	KUNIT_EXPECT_FALSE(test, ptm_enabled(t, RP_A));
	KUNIT_EXPECT_FALSE(test, ptm_enabled(t, SW_UP));
}

static void keep_extended_tags(struct kunit *test)
{
	const u16 devctl = 0x40 + PCI_EXP_DEVCTL;
	struct api_test *t = test->priv;
	u8 before;

	logged_live_update(test);
	before = t->model.fns[EP_A0].cfg[devctl + 1];
	pci_configure_extended_tags(t->devs[EP_A0], NULL);
	KUNIT_EXPECT_EQ(test, t->model.fns[EP_A0].cfg[devctl + 1], before);
}

static void bus_config_ends(void *bus_config)
{
	pcie_bus_config = (enum pcie_bus_config_types)(long)bus_config;
}

/* The MPS of all devices is to be 128, but a preserved bridge has 256. */
static void keep_payload_size(struct kunit *test)
{
	struct api_test *t = test->priv;

	model_add_settings(&t->model);
	api_live_update_of(test, EP_A1);
	model_put_in_use(&t->model);
	api_scan_all(test);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, bus_config_ends,
						  (void *)(long)pcie_bus_config));
	pcie_bus_config = PCIE_BUS_PEER2PEER;
	pcie_bus_configure_settings(t->devs[RP_A]->subordinate);
	pcie_bus_configure_settings(t->devs[RP_B]->subordinate);

	KUNIT_EXPECT_EQ(test, pcie_get_mps(t->devs[SW_DN_A]), 256);
	KUNIT_EXPECT_EQ(test, pcie_get_mps(t->devs[EP_A1]), 256);
	/* The sibling and bridges that are not preserved adapt. */
	KUNIT_EXPECT_EQ(test, pcie_get_mps(t->devs[EP_A0]), 256);
	KUNIT_EXPECT_EQ(test, pcie_get_mps(t->devs[SW_DN_B]), 256);
	/* Above, SW_DN_B is not preserved, but SW_UP is. */
	KUNIT_EXPECT_EQ(test, pcie_get_mps(t->devs[CONV_BR]), 256);
	KUNIT_EXPECT_EQ(test, pcie_get_mps(t->devs[PF]), 128);
}

/* Fixups */

/*
 * Give EP_A0 the ID of an Intel graphics device. disable_igfx_irq() tries to map
 * BAR 0, which has no address, and logs its failure.
 */
static void keep_from_intrusive_fixups(struct kunit *test)
{
	struct api_test *t = test->priv;
	struct test_guard since;

	model_set_id(&t->model, EP_A0, PCI_VENDOR_ID_INTEL, 0x0042);
	api_live_update_of(test, EP_A0);
	api_expect_logged(test, "igfx quirk");

	test_guard_begin(&since);
	api_scan_all(test);
	KUNIT_EXPECT_TRUE(test, api_is_preserved(t, EP_A0));
	KUNIT_EXPECT_FALSE(test, test_logged(&since, "igfx quirk"));
}

/* Removal */

/* Removing a function keeps its registers for the next scan. */
static void keep_removed(struct kunit *test)
{
	const u16 pmcsr = 0x80 + PCI_PM_CTRL;
	struct api_test *t = test->priv;

	logged_live_update(test);
	api_remove_dev(t, EP_A0);
	KUNIT_EXPECT_EQ(test, t->model.fns[EP_A0].cfg[pmcsr + 1],
			PCI_PM_CTRL_PME_ENABLE >> 8);
}

/* The suite */

static int keep_suite_init(struct kunit_suite *suite)
{
	/* Let the PCI core set up ACS, as an IOMMU driver does. */
	pci_request_acs();
	return api_suite_init(suite);
}

static struct kunit_case keep_cases[] = {
	KUNIT_CASE(keep_registers),
	KUNIT_CASE_PARAM(change_registers, changed_register_gen_params),
	KUNIT_CASE(keep_sizes),
	KUNIT_CASE_PARAM(keep_from_late_calls, late_call_gen_params),
	KUNIT_CASE_PARAM(change_by_late_calls, late_call_gen_params),
	KUNIT_CASE(keep_intx_broken),
#ifdef CONFIG_PCIEASPM
	KUNIT_CASE(keep_ltr),
#endif
	KUNIT_CASE(keep_addresses),
	KUNIT_CASE(keep_addresses_of_slot),
	KUNIT_CASE(keep_no_disabled_rom),
	KUNIT_CASE(keep_numbers_of_absent),
	KUNIT_CASE(take_numbers_of_absent),
	KUNIT_CASE(keep_numbers_outgoing),
	KUNIT_CASE(keep_lost_numbers),
#ifdef CONFIG_X86
	KUNIT_CASE(change_assigned_numbers),
	KUNIT_CASE(keep_assigned_numbers),
	KUNIT_CASE(keep_assigned_numbers_outgoing),
#endif
	KUNIT_CASE(keep_routing),
	KUNIT_CASE(keep_ats),
	KUNIT_CASE(keep_ptm_of_sibling),
	KUNIT_CASE(change_ptm_of_sibling),
	KUNIT_CASE(keep_extended_tags),
	KUNIT_CASE(keep_payload_size),
	KUNIT_CASE(keep_from_intrusive_fixups),
	KUNIT_CASE(keep_removed),
	{ }
};

static struct kunit_suite keep_suite = {
	.name = "pci_liveupdate_keep",
	.suite_init = keep_suite_init,
	.init = api_test_init,
	.exit = api_test_exit,
	.test_cases = keep_cases,
};

kunit_test_suite(keep_suite);
