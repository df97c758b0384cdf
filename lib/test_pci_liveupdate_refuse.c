// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of PCI live update: requests that the PCI core refuses for a
 * preserved device.
 */

#include <kunit/test.h>
#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/suspend.h>
#include <linux/unaligned.h>

#include "test_pci_liveupdate_api.h"

/* Suspend */

static int call_pm_notifier(unsigned long action)
{
	struct notifier_block *nb = &pci_liveupdate_pm_nb;

	return nb->notifier_call(nb, action, NULL);
}

static void expect_suspend(struct kunit *test, int want)
{
	KUNIT_EXPECT_EQ(test, call_pm_notifier(PM_SUSPEND_PREPARE), want);
	KUNIT_EXPECT_EQ(test, call_pm_notifier(PM_HIBERNATION_PREPARE), want);
	KUNIT_EXPECT_EQ(test, call_pm_notifier(PM_RESTORE_PREPARE), want);
	KUNIT_EXPECT_EQ(test, call_pm_notifier(PM_POST_SUSPEND), NOTIFY_DONE);
}

static void refuse_suspend(struct kunit *test)
{
	const int refused = notifier_from_errno(-EBUSY);

	expect_suspend(test, NOTIFY_DONE);
	api_scan_all(test);
	api_begin_outgoing(test);
	expect_suspend(test, refused);
	api_preserve_all(test);
	expect_suspend(test, refused);
	api_live_update(test);
	expect_suspend(test, refused);
	api_scan_all(test);
	expect_suspend(test, refused);
	api_finish_flb(test);
	expect_suspend(test, NOTIFY_DONE);
}

/* Preserve */

static void refuse_preserve_incoming(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_live_update_all(test);
	api_begin_outgoing(test);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), -EBUSY);
	api_expect_outgoing(test, 0);
	api_expect_incoming(test, ALL_FUNCTIONS);
	api_finish(t, EP_A0);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), 0);
	api_expect_outgoing(test, BIT(EP_A0));
}

static void refuse_preserve_vfs(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	api_begin_outgoing(test);
	KUNIT_ASSERT_TRUE(test, pci_liveupdate_begin_vfs(t->devs[PF]));
	KUNIT_EXPECT_EQ(test, api_preserve(t, PF), -EBUSY);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), 0);
	pci_liveupdate_end_vfs(t->devs[PF]);
	KUNIT_EXPECT_EQ(test, api_preserve(t, PF), 0);
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_begin_vfs(t->devs[PF]));
	api_expect_outgoing(test, BIT(PF) | BIT(EP_A0));
}

static void refuse_preserve_renumber(struct kunit *test)
{
	struct api_test *t = test->priv;
	struct pci_bus *bus;

	/* In this segment no other test had incoming functions. */
	model_init(&t->model, DOMAIN + 0x100);
	api_scan_all(test);
	bus = t->model.host->bus;
	api_begin_outgoing(test);
	KUNIT_ASSERT_TRUE(test, pci_liveupdate_begin_renumber(bus));
	KUNIT_ASSERT_TRUE(test, pci_liveupdate_begin_renumber(bus));
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), -EBUSY);
	pci_liveupdate_end_renumber();
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), -EBUSY);
	pci_liveupdate_end_renumber();
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), 0);
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_begin_renumber(bus));
	api_unpreserve(t, EP_A0);
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_begin_renumber(bus));
	pci_liveupdate_end_renumber();
}

static void refuse_resize(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	api_begin_outgoing(test);
	t->model.fns[EP_A0].cfg[PCI_COMMAND] = 0;
	KUNIT_EXPECT_NE(test, pci_resize_resource(t->devs[EP_A0], 2, 1, 0),
			-EBUSY);
	KUNIT_ASSERT_EQ(test, api_preserve(t, EP_A0), 0);
	KUNIT_EXPECT_EQ(test, pci_resize_resource(t->devs[EP_A0], 2, 1, 0),
			-EBUSY);
}

static void refuse_vga(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_live_update_all(test);
	KUNIT_EXPECT_EQ(test, -EBUSY,
			pci_set_vga_state(t->devs[EP_A0], true,
					  PCI_COMMAND_MEMORY,
					  PCI_VGA_STATE_CHANGE_DECODES));
	api_finish(t, EP_A0);
	KUNIT_EXPECT_EQ(test, 0,
			pci_set_vga_state(t->devs[EP_A0], true,
					  PCI_COMMAND_MEMORY,
					  PCI_VGA_STATE_CHANGE_DECODES));
}

/* Resets */

static void refuse_reset(struct kunit *test)
{
	struct api_test *t = test->priv;
	struct pci_bus *bus;

	api_live_update_all(test);
	bus = t->devs[RP_B]->subordinate;
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_blocks_function_reset(t->devs[PF],
								     false));
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_blocks_function_reset(t->devs[PF],
								     true));
	device_lock(&t->devs[PF]->dev);
	KUNIT_EXPECT_EQ(test, __pci_reset_function_locked(t->devs[PF]), -EBUSY);
	device_unlock(&t->devs[PF]->dev);
	KUNIT_EXPECT_EQ(test, pci_probe_reset_bus(bus), -EBUSY);
	KUNIT_EXPECT_EQ(test, pci_reset_bus(t->devs[PF]), -EBUSY);
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_blocks_recovery(t->devs[RP_B]));
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_blocks_recovery(t->devs[PF]));

	/* The device keeps running without a struct pci_dev. */
	api_remove_dev(t, PF);
	KUNIT_EXPECT_EQ(test, pci_probe_reset_bus(bus), -EBUSY);

	api_rescan(t);
	api_finish(t, PF);
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_blocks_function_reset(t->devs[PF],
								      false));
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_blocks_function_reset(t->devs[PF],
								      true));
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_blocks_recovery(t->devs[RP_B]));
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_blocks_recovery(t->devs[PF]));
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_blocks_recovery(NULL));
	KUNIT_EXPECT_NE(test, pci_probe_reset_bus(bus), -EBUSY);
}

/* A VMM may probe often: only an attempt to reset is an error. */
static void refuse_reset_probe(struct kunit *test)
{
	const char *text = "cannot be reset: 1234:";
	struct api_test *t = test->priv;
	struct pci_bus *bus;

	static_assert(DOMAIN == 0x1234);
	api_live_update_all(test);
	bus = t->devs[RP_B]->subordinate;
	KUNIT_EXPECT_EQ(test, pci_probe_reset_bus(bus), -EBUSY);
	KUNIT_EXPECT_EQ(test, test_count_logged(&t->guard, text), 0);
	KUNIT_EXPECT_EQ(test, pci_reset_bus(t->devs[PF]), -EBUSY);
	KUNIT_EXPECT_EQ(test, test_count_logged(&t->guard, text), 1);
	KUNIT_EXPECT_EQ(test, pci_try_reset_bridge(t->devs[RP_B]), -EBUSY);
	KUNIT_EXPECT_EQ(test, test_count_logged(&t->guard, text), 2);
	KUNIT_EXPECT_EQ(test, pci_bus_error_reset(t->devs[RP_B]), -EBUSY);
	KUNIT_EXPECT_EQ(test, test_count_logged(&t->guard, text), 3);
	/* The root bus cannot be reset in any case. */
	KUNIT_EXPECT_EQ(test, pci_reset_bus(t->devs[EP_ROOT]), -ENOTTY);
	KUNIT_EXPECT_EQ(test, test_count_logged(&t->guard, text), 3);
}

/* A function stops a reset even if only the record has it, and has the last BDF. */
static void refuse_reset_last(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	api_begin_outgoing(test);
	api_preserve_last(test, RP_B);
	api_live_update(test);
	api_scan_all(test);
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_blocks_bus_reset(t->devs[RP_B]->subordinate,
								false));
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_blocks_bus_reset(t->devs[RP_A]->subordinate,
								 false));
	/* RP_B itself is not in the record. */
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_blocks_recovery(t->devs[RP_B]));
}

/* The driver of the only preserved function on a bus may reset the bus. */
static void allow_bus_reset(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_live_update_all(test);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_allow_bus_reset(t->devs[PF]), 0);
	KUNIT_EXPECT_TRUE(test, test_and_clear_bit(PCI_DEV_LIVEUPDATE_RESETTING,
						   &t->devs[RP_B]->priv_flags));

	KUNIT_EXPECT_EQ(test, pci_liveupdate_allow_bus_reset(t->devs[EP_A0]), -EBUSY);
	KUNIT_EXPECT_FALSE(test, api_has_flag(t->devs[SW_DN_A],
					      PCI_DEV_LIVEUPDATE_RESETTING));
	api_finish(t, EP_A1);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_allow_bus_reset(t->devs[EP_A0]), 0);
	KUNIT_EXPECT_TRUE(test, test_and_clear_bit(PCI_DEV_LIVEUPDATE_RESETTING,
						   &t->devs[SW_DN_A]->priv_flags));
}

static void refuse_recovery(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_live_update_all(test);
	KUNIT_EXPECT_EQ(test, PCI_ERS_RESULT_DISCONNECT,
			pcie_do_recovery(t->devs[RP_B], pci_channel_io_frozen, NULL));
	KUNIT_EXPECT_EQ(test, t->devs[PF]->error_state, pci_channel_io_normal);
	api_expect_logged(test, "cannot be reset to recover from an error");
}

#define DPC_CAP		0x100

/* Recovery disturbs no device that DPC has reset already, but these are lost. */
static void contain(struct kunit *test, enum model_fn port)
{
	struct api_test *t = test->priv;
	u8 *dpc = t->model.fns[port].cfg + DPC_CAP;

	t->model.no_services = true;
	put_unaligned_le32(PCI_EXT_CAP_ID_DPC | 1 << 16, dpc);
	api_live_update_all(test);
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_blocks_recovery(t->devs[port]));
	dpc[PCI_EXP_DPC_STATUS] = PCI_EXP_DPC_STATUS_TRIGGER;
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_blocks_recovery(t->devs[port]));
}

static void recover_contained(struct kunit *test)
{
	struct api_test *t = test->priv;

	contain(test, RP_B);
	api_expect_incoming(test, ALL_FUNCTIONS & ~BIT(PF));
	KUNIT_EXPECT_EQ(test, 1, test_count_logged(&t->guard,
						   "reset by Downstream Port Containment"));
}

/* Bridges go with the last function below them. */
static void recover_contained_switch(struct kunit *test)
{
	const unsigned long below = BIT(EP_A0) | BIT(EP_A1) | BIT(EP_CONV);
	struct api_test *t = test->priv;

	contain(test, RP_A);
	api_expect_incoming(test, ALL_FUNCTIONS & ~below);
	KUNIT_EXPECT_EQ(test, hweight_long(below),
			test_count_logged(&t->guard,
					  "reset by Downstream Port Containment"));
}

/* Freeze */

static void check_outgoing(struct kunit *test)
{
	struct api_test *t = test->priv;
	struct resource *res;
	u8 *command = t->model.fns[EP_CONV].cfg + PCI_COMMAND;

	api_scan_all(test);
	api_begin_outgoing(test);
	KUNIT_ASSERT_EQ(test, api_preserve(t, EP_CONV), 0);
	/* It never had an address. */
	KUNIT_EXPECT_EQ(test, pci_liveupdate_outgoing_check(t->devs[EP_CONV]), 0);

	res = &t->devs[EP_CONV]->resource[1];
	res->start = SZ_1M;
	res->end = SZ_2M - 1;
	res->flags &= ~IORESOURCE_UNSET;
	*command = PCI_COMMAND_MEMORY;
	KUNIT_EXPECT_EQ(test, pci_liveupdate_outgoing_check(t->devs[EP_CONV]), 0);
	*command = 0;
	KUNIT_EXPECT_EQ(test, pci_liveupdate_outgoing_check(t->devs[EP_CONV]),
			-ENODEV);
	api_expect_logged(test, "was reset, and has lost its addresses");

	t->model.fns[EP_CONV].absent = true;
	KUNIT_EXPECT_EQ(test, pci_liveupdate_outgoing_check(t->devs[EP_CONV]),
			-ENODEV);
	api_expect_logged(test, "does not answer any more");
}

/* Bus mastering of unfinished functions */

static bool is_master(struct api_test *t, enum model_fn fn)
{
	return t->model.fns[fn].cfg[PCI_COMMAND] & PCI_COMMAND_MASTER;
}

static void begin_masters(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	for (int i = 0; i < NR_FUNCTIONS; i++)
		pci_set_master(t->devs[api_functions[i]]);
	api_begin_outgoing(test);
	api_preserve_all(test);
	api_live_update(test);
}

static bool any_released(struct api_test *t)
{
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		if (t->devs[fn] &&
		    api_has_flag(t->devs[fn], PCI_DEV_LIVEUPDATE_RELEASED))
			return true;
	}

	return false;
}

static void stop_abandoned(struct kunit *test)
{
	struct api_test *t = test->priv;

	begin_masters(test);
	api_scan_all(test);
	api_finish(t, PF);
	/* Remove its struct pci_dev before the last file is finished. */
	api_remove_dev(t, EP_A0);
	for (int i = 0; i < NR_FUNCTIONS; i++)
		KUNIT_EXPECT_TRUE(test, is_master(t, api_functions[i]));
	api_finish_flb(test);
	for (int i = 0; i < NR_FUNCTIONS; i++)
		KUNIT_EXPECT_EQ_MSG(test, is_master(t, api_functions[i]),
				    api_functions[i] == PF, "function %d",
				    api_functions[i]);

	/* A work item probes the drivers, and no driver matches. */
	for (int i = 0; i < 500 && any_released(t); i++)
		msleep(20);
	KUNIT_EXPECT_FALSE(test, any_released(t));
}

static struct kunit_case refuse_cases[] = {
	KUNIT_CASE(refuse_suspend),
	KUNIT_CASE(refuse_preserve_incoming),
	KUNIT_CASE(refuse_preserve_vfs),
	KUNIT_CASE(refuse_preserve_renumber),
	KUNIT_CASE(refuse_resize),
	KUNIT_CASE(refuse_vga),
	KUNIT_CASE(refuse_reset),
	KUNIT_CASE(refuse_reset_probe),
	KUNIT_CASE(refuse_reset_last),
	KUNIT_CASE(allow_bus_reset),
	KUNIT_CASE(refuse_recovery),
	KUNIT_CASE(recover_contained),
	KUNIT_CASE(recover_contained_switch),
	KUNIT_CASE(check_outgoing),
	KUNIT_CASE(stop_abandoned),
	{ }
};

static struct kunit_suite refuse_suite = {
	.name = "pci_liveupdate_refuse",
	.suite_init = api_suite_init,
	.init = api_test_init,
	.exit = api_test_exit,
	.test_cases = refuse_cases,
};

kunit_test_suite(refuse_suite);
