// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of PCI live update: functions that user space abandons.
 */

#include <kunit/test.h>
#include <linux/array_size.h>
#include <linux/bits.h>
#include <linux/device/bus.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/kexec.h>
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/string.h>

#include "test_pci_liveupdate_api.h"

static int abandon(struct api_test *t, enum model_fn fn)
{
	return pci_liveupdate_abandon(api_key(t, fn));
}

static bool is_recorded(struct api_test *t, enum model_fn fn)
{
	return pci_liveupdate_incoming_is_recorded(t->model.domain,
						   model_bdf(&t->model, fn));
}

static bool is_master(struct api_test *t, enum model_fn fn)
{
	return t->model.fns[fn].cfg[PCI_COMMAND] & PCI_COMMAND_MASTER;
}

static void set_masters(struct api_test *t)
{
	for (int i = 0; i < NR_FUNCTIONS; i++)
		t->model.fns[api_functions[i]].cfg[PCI_COMMAND] |= PCI_COMMAND_MASTER;
}

/* Expect that the functions in @set do DMA, and no others. */
static void expect_masters(struct kunit *test, unsigned long set)
{
	struct api_test *t = test->priv;

	for (int i = 0; i < NR_FUNCTIONS; i++) {
		enum model_fn fn = api_functions[i];

		KUNIT_EXPECT_EQ_MSG(test, is_master(t, fn), !!(set & BIT(fn)),
				    "function %d", fn);
	}
}

/* Live update with all functions preserved, up to the moment before the scan. */
static void live_update_all(struct kunit *test)
{
	api_scan_all(test);
	api_begin_outgoing(test);
	api_preserve_all(test);
	api_live_update(test);
	set_masters(test->priv);
}

/* Incoming */

static const struct pci_driver unaware;

static void abandon_incoming(struct kunit *test)
{
	unsigned long set = ALL_FUNCTIONS;
	struct api_test *t = test->priv;

	live_update_all(test);
	api_scan_all(test);
	for (int i = 0; i < NR_FUNCTIONS; i++) {
		enum model_fn fn = api_functions[i];
		struct pci_driver *drv = (struct pci_driver *)&unaware;

		KUNIT_EXPECT_TRUE(test, is_recorded(t, fn));
		KUNIT_EXPECT_TRUE(test, pci_liveupdate_forbids_driver(t->devs[fn], drv));
		KUNIT_EXPECT_EQ(test, abandon(t, fn), 0);
		KUNIT_EXPECT_FALSE(test, is_recorded(t, fn));
		KUNIT_EXPECT_FALSE(test, pci_liveupdate_forbids_driver(t->devs[fn], drv));
		set &= ~BIT(fn);
		api_expect_incoming(test, set);
		expect_masters(test, set);
		KUNIT_EXPECT_EQ(test, abandon(t, fn), -ENOENT);
	}
	KUNIT_EXPECT_EQ(test, NR_FUNCTIONS,
			test_count_logged(&t->guard, "bus mastering is cleared"));

	/* The function can be preserved again. */
	api_begin_outgoing(test);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), 0);
	api_expect_outgoing(test, BIT(EP_A0));
	api_unpreserve(t, EP_A0);
}

/* A driver that was bound to a held function can write again. */
static void abandon_held(struct kunit *test)
{
	struct api_test *t = test->priv;

	live_update_all(test);
	api_scan_all(test);
	pci_liveupdate_incoming_hold(t->devs[EP_A0], true);
	KUNIT_EXPECT_EQ(test, abandon(t, EP_A0), 0);
	KUNIT_EXPECT_FALSE(test, api_has_flag(t->devs[EP_A0], PCI_DEV_LIVEUPDATE_HELD));
	pci_set_master(t->devs[EP_A0]);
	KUNIT_EXPECT_TRUE(test, is_master(t, EP_A0));
	/* Its driver finishes the file later. */
	api_finish(t, EP_A0);
	api_expect_incoming(test, ALL_FUNCTIONS & ~BIT(EP_A0));
}

static void abandon_bridge(struct kunit *test)
{
	struct api_test *t = test->priv;

	live_update_all(test);
	t->model.fns[SW_DN_B].absent = true;
	api_scan(test);
	KUNIT_EXPECT_EQ(test, abandon(t, RP_A), -EINVAL);
	KUNIT_EXPECT_EQ(test, abandon(t, SW_DN_B), -EINVAL);
	api_expect_logged(test, "a bridge goes with the last function below it");
	KUNIT_EXPECT_EQ(test, abandon(t, EP_ACS), -ENOENT);
	api_expect_incoming(test, ALL_FUNCTIONS);
}

/* The boot did not find the function, nor some bridges above. */
static void abandon_absent(struct kunit *test)
{
	static const enum model_fn absent[] = { EP_CONV, CONV_BR, SW_DN_B, SW_UP, RP_A };
	struct api_test *t = test->priv;

	for (int i = 0; i < ARRAY_SIZE(absent); i++) {
		unsigned long set = ALL_FUNCTIONS & ~BIT(EP_CONV);

		model_init(&t->model, DOMAIN);
		live_update_all(test);
		t->model.fns[absent[i]].absent = true;
		api_scan(test);
		KUNIT_EXPECT_TRUE(test, is_recorded(t, EP_CONV));
		KUNIT_EXPECT_EQ(test, abandon(t, EP_CONV), 0);
		api_expect_logged(test, "1234:05:03.0 is abandoned by");
		/* Its bus exists, or there is no way to it. */
		KUNIT_EXPECT_EQ(test, i, test_count_logged(&t->guard,
							   "1234:05:03.0 cannot be reached"));
		KUNIT_EXPECT_FALSE(test, is_recorded(t, EP_CONV));
		api_expect_incoming(test, set);
		/* The functions below the same bridges, found or not. */
		KUNIT_EXPECT_EQ(test, abandon(t, EP_A0), 0);
		KUNIT_EXPECT_EQ(test, abandon(t, EP_A1), 0);
		api_expect_incoming(test, set & ~BIT(EP_A0) & ~BIT(EP_A1));
		api_remove_host(test);
		api_finish_flb(test);
	}
}

/* A function that was removed through sysfs still does DMA. */
static void abandon_removed(struct kunit *test)
{
	struct api_test *t = test->priv;

	live_update_all(test);
	api_scan_all(test);
	api_remove_dev(t, EP_A0);
	expect_masters(test, ALL_FUNCTIONS);
	KUNIT_EXPECT_EQ(test, abandon(t, EP_A0), 0);
	expect_masters(test, ALL_FUNCTIONS & ~BIT(EP_A0));
	api_expect_incoming(test, ALL_FUNCTIONS & ~BIT(EP_A0));
	api_rescan(t);
	api_expect_incoming(test, ALL_FUNCTIONS & ~BIT(EP_A0));
}

/* A function that is marked, and not found, is being enumerated or removed. */
static void abandon_in_motion(struct kunit *test)
{
	struct api_test *t = test->priv;
	struct pci_liveupdate_slot slot;

	live_update_all(test);
	api_scan_all(test);
	api_remove_dev(t, EP_A0);
	KUNIT_ASSERT_TRUE(test, pci_liveupdate_index_find(t->in.obj, api_key(t, EP_A0),
							  &slot));
	pci_liveupdate_index_mark(&slot, true);
	KUNIT_EXPECT_EQ(test, abandon(t, EP_A0), -EAGAIN);
	KUNIT_EXPECT_TRUE(test, is_recorded(t, EP_A0));
	pci_liveupdate_index_mark(&slot, false);
	KUNIT_EXPECT_EQ(test, abandon(t, EP_A0), 0);
}

/* The bridges above EP_A0 and EP_A1, which are preserved with them alone. */
static const enum model_fn bridges_above[] = { SW_DN_A, SW_UP, RP_A };

static void live_update_and_remove(struct kunit *test, enum model_fn bridge)
{
	struct api_test *t = test->priv;

	model_init(&t->model, DOMAIN);
	live_update_all(test);
	api_scan_all(test);
	api_remove_dev(t, bridge);
}

/* A bridge above was removed as well, but still forwards requests. */
static void abandon_removed_bridge(struct kunit *test)
{
	unsigned long set = ALL_FUNCTIONS & ~BIT(EP_A0);
	struct api_test *t = test->priv;

	for (int i = 0; i < ARRAY_SIZE(bridges_above); i++) {
		live_update_and_remove(test, bridges_above[i]);
		KUNIT_EXPECT_EQ(test, abandon(t, EP_A0), 0);
		KUNIT_EXPECT_TRUE(test, api_contains(t, t->in.obj, SW_DN_A));
		expect_masters(test, set);
		KUNIT_EXPECT_EQ(test, abandon(t, EP_A1), 0);
		expect_masters(test, set & ~BIT(EP_A1));
		api_rescan(t);
		expect_masters(test, set & ~BIT(EP_A1));
		api_expect_incoming(test, set & ~BIT(EP_A1));
		api_finish_flb(test);
		api_remove_host(test);
	}
	KUNIT_EXPECT_FALSE(test, test_logged(&t->guard, "cannot be reached"));
}

/* The files end with bridges above different functions removed. */
static void finish_removed_bridge(struct kunit *test)
{
	struct api_test *t = test->priv;

	for (int i = 0; i < ARRAY_SIZE(bridges_above); i++) {
		live_update_and_remove(test, bridges_above[i]);
		api_remove_dev(t, RP_B);
		api_finish_flb(test);
		expect_masters(test, 0);
		api_remove_host(test);
	}
}

/* The host bridge was removed as well: the function cannot be reached. */
static void abandon_removed_host(struct kunit *test)
{
	struct api_test *t = test->priv;

	live_update_all(test);
	api_scan_all(test);
	api_remove_host(test);
	KUNIT_EXPECT_EQ(test, abandon(t, EP_A0), 0);
	api_expect_logged(test, "1234:03:00.0 cannot be reached, and may still do DMA");
	KUNIT_EXPECT_FALSE(test, is_recorded(t, EP_A0));
}

/* Another card is not touched. */
static void abandon_other_card(struct kunit *test)
{
	struct api_test *t = test->priv;

	live_update_all(test);
	model_set_id(&t->model, EP_CONV, MODEL_VENDOR, MODEL_DEVICE(EP_CONV) ^ 1);
	api_scan_all(test);
	pci_set_master(t->devs[EP_CONV]);
	KUNIT_EXPECT_EQ(test, abandon(t, EP_CONV), 0);
	KUNIT_EXPECT_TRUE(test, is_master(t, EP_CONV));
	api_expect_incoming(test, ALL_FUNCTIONS & ~BIT(EP_CONV));
}

/* Requests of a file handler whose file is lost */

static void abandon_recorded(struct api_test *t, enum model_fn fn)
{
	pci_liveupdate_incoming_abandon_recorded(t->model.domain,
						 model_bdf(&t->model, fn));
}

/* A function that was found, and one that was removed and found again. */
static void recorded_present(struct kunit *test)
{
	unsigned long set = ALL_FUNCTIONS;
	struct api_test *t = test->priv;

	live_update_all(test);
	api_scan_all(test);
	api_remove_dev(t, EP_A1);
	api_rescan(t);
	abandon_recorded(t, RP_A);
	abandon_recorded(t, EP_ACS);
	api_expect_incoming(test, set);
	for (int i = 0; i < NR_FUNCTIONS; i++) {
		enum model_fn fn = api_functions[i];

		abandon_recorded(t, fn);
		KUNIT_EXPECT_FALSE(test, is_recorded(t, fn));
		set &= ~BIT(fn);
		api_expect_incoming(test, set);
		expect_masters(test, set);
		abandon_recorded(t, fn);
	}
	KUNIT_EXPECT_EQ(test, NR_FUNCTIONS,
			test_count_logged(&t->guard, "has no user any more"));
}

/* A function that was removed through sysfs, while others go on. */
static void recorded_removed(struct kunit *test)
{
	unsigned long set = ALL_FUNCTIONS & ~BIT(EP_A0);
	struct api_test *t = test->priv;

	live_update_all(test);
	api_scan_all(test);
	api_remove_dev(t, EP_A0);
	expect_masters(test, ALL_FUNCTIONS);
	abandon_recorded(t, EP_A0);
	KUNIT_EXPECT_FALSE(test, is_recorded(t, EP_A0));
	expect_masters(test, set);
	api_expect_incoming(test, set);
	api_rescan(t);
	expect_masters(test, set);
	api_expect_incoming(test, set);
}

/* A bridge that was not found goes with the last function below it. */
static void recorded_bridge(struct kunit *test)
{
	struct api_test *t = test->priv;

	live_update_all(test);
	t->model.fns[SW_DN_B].absent = true;
	api_scan(test);
	abandon_recorded(t, SW_DN_B);
	api_expect_incoming(test, ALL_FUNCTIONS);
	abandon_recorded(t, EP_CONV);
	api_expect_incoming(test, ALL_FUNCTIONS & ~BIT(EP_CONV));
}

/* The test whose function EP_A0 is abandoned while it is enumerated, or NULL. */
static struct api_test *abandoned_in_scan;

static void abandon_in_scan(struct pci_dev *dev)
{
	if (abandoned_in_scan && dev->device == MODEL_DEVICE(EP_A0))
		abandon_recorded(abandoned_in_scan, EP_A0);
}
DECLARE_PCI_FIXUP_HEADER(MODEL_VENDOR, PCI_ANY_ID, abandon_in_scan);

static void scan_ends(void *unused)
{
	abandoned_in_scan = NULL;
}

/* The function is marked, but not known to the driver core. */
static void recorded_in_scan(struct kunit *test)
{
	struct api_test *t = test->priv;

	live_update_all(test);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, scan_ends, NULL));
	abandoned_in_scan = t;
	api_scan_all(test);
	scan_ends(NULL);
	KUNIT_EXPECT_FALSE(test, is_recorded(t, EP_A0));
	api_expect_incoming(test, ALL_FUNCTIONS & ~BIT(EP_A0));
	expect_masters(test, ALL_FUNCTIONS & ~BIT(EP_A0));
	/* Drivers were probed by the scan, and are not probed once more. */
	KUNIT_EXPECT_FALSE(test, api_has_flag(t->devs[EP_A0],
					      PCI_DEV_LIVEUPDATE_RELEASED));
}

/* The bridge that a rescan finds before the functions below are abandoned. */
static enum model_fn bridge_in_rescan;
static struct api_test *abandons_below;

static int abandon_below(struct notifier_block *nb, unsigned long action, void *data)
{
	if (action != BUS_NOTIFY_ADD_DEVICE || !abandons_below ||
	    to_pci_dev(data)->device != MODEL_DEVICE(bridge_in_rescan))
		return NOTIFY_DONE;

	abandon_recorded(abandons_below, EP_A0);
	abandon_recorded(abandons_below, EP_A1);
	return NOTIFY_OK;
}

/* After the notifier of the code under test */
static struct notifier_block abandon_below_nb = {
	.notifier_call = abandon_below,
	.priority = -1,
};

static void rescan_ends(void *unused)
{
	abandons_below = NULL;
	bus_unregister_notifier(&pci_bus_type, &abandon_below_nb);
}

/* A rescan has found the bridge, but there is no bus below yet. */
static void recorded_in_rescan(struct kunit *test)
{
	unsigned long set = ALL_FUNCTIONS & ~BIT(EP_A0) & ~BIT(EP_A1);
	struct api_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, bus_register_notifier(&pci_bus_type, &abandon_below_nb));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, rescan_ends, NULL));
	for (int i = 0; i < ARRAY_SIZE(bridges_above); i++) {
		live_update_and_remove(test, bridges_above[i]);
		bridge_in_rescan = bridges_above[i];
		abandons_below = t;
		api_rescan(t);
		abandons_below = NULL;
		KUNIT_EXPECT_FALSE(test, is_recorded(t, EP_A0));
		api_expect_incoming(test, set);
		expect_masters(test, set);
		api_finish_flb(test);
		api_remove_host(test);
	}
	KUNIT_EXPECT_FALSE(test, test_logged(&t->guard, "cannot be reached"));
}

static struct pci_function_ser *entry_of(struct api_test *t, enum model_fn fn)
{
	u64 *buses = phys_to_virt(test_record_segment(&t->rec, 0)->buses);
	u16 bdf = model_bdf(&t->model, fn);

	return (struct pci_function_ser *)phys_to_virt(buses[PCI_BUS_NUM(bdf)]) +
	       (bdf & 0xff);
}

/* A damaged entry is in the way of the bridges above. */
static void abandon_damaged(struct kunit *test)
{
	struct api_test *t = test->priv;

	live_update_all(test);
	entry_of(t, EP_CONV)->checksum ^= 1;
	entry_of(t, RP_B)->checksum ^= 1;
	api_scan_all(test);
	api_expect_logged(test, "its entry is damaged");
	KUNIT_EXPECT_EQ(test, abandon(t, EP_CONV), 0);
	KUNIT_EXPECT_EQ(test, abandon(t, RP_B), -EINVAL);
	KUNIT_EXPECT_FALSE(test, api_contains(t, t->in.obj, EP_CONV));
	KUNIT_EXPECT_FALSE(test, api_contains(t, t->in.obj, CONV_BR));
	KUNIT_EXPECT_FALSE(test, api_contains(t, t->in.obj, SW_DN_B));
	KUNIT_EXPECT_TRUE(test, api_contains(t, t->in.obj, RP_B));
	entry_of(t, RP_B)->checksum ^= 1;
}

/* Outgoing */

/* The owner goes on with its function in this kernel. */
static void abandon_outgoing(struct kunit *test)
{
	unsigned long set = ALL_FUNCTIONS;
	struct api_test *t = test->priv;

	api_scan_all(test);
	set_masters(t);
	api_begin_outgoing(test);
	api_preserve_all(test);
	for (int i = 0; i < NR_FUNCTIONS; i++) {
		struct pci_dev *dev = t->devs[api_functions[i]];

		KUNIT_EXPECT_TRUE(test, pci_liveupdate_outgoing_is_preserved(dev));
		KUNIT_EXPECT_EQ(test, abandon(t, api_functions[i]), 0);
		KUNIT_EXPECT_FALSE(test, pci_liveupdate_outgoing_is_preserved(dev));
		set &= ~BIT(api_functions[i]);
		api_expect_outgoing(test, set);
		KUNIT_EXPECT_EQ(test, abandon(t, api_functions[i]), -ENOENT);
	}
	expect_masters(test, ALL_FUNCTIONS);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), 0);
	KUNIT_EXPECT_EQ(test, abandon(t, RP_A), -EINVAL);
	api_expect_outgoing(test, BIT(EP_A0));
}

static void kexec_ends(void *unused)
{
	kexec_in_progress = false;
}

/* The record does not change any more. */
static void abandon_too_late(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	api_begin_outgoing(test);
	KUNIT_ASSERT_EQ(test, api_preserve(t, EP_A0), 0);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, kexec_ends, NULL));
	kexec_in_progress = true;
	KUNIT_EXPECT_EQ(test, abandon(t, EP_A0), -ESHUTDOWN);
	kexec_ends(NULL);
	api_expect_outgoing(test, BIT(EP_A0));
}

/* sysfs */

static ssize_t store(const char *text)
{
	return bus_attr_liveupdate_abandon.store(&pci_bus_type, text, strlen(text));
}

static void abandon_store(struct kunit *test)
{
	static const char * const bad[] = {
		"", "\n", "x", "1234:03:00", "1234:03:00.0 x", "1234:03:00.0x",
		"1234:03:00.8", "1234:03:20.0", "1234:103:00.0", "03:00.0",
	};

	live_update_all(test);
	api_scan_all(test);
	for (int i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ_MSG(test, store(bad[i]), -EINVAL, "\"%s\"", bad[i]);
	KUNIT_EXPECT_EQ(test, store("4321:03:00.0"), -ENOENT);
	KUNIT_EXPECT_EQ(test, store("1234:03:00.0\n"), 13);
	KUNIT_EXPECT_EQ(test, store("1234:03:00.7"), 12);
	api_expect_incoming(test, ALL_FUNCTIONS & ~BIT(EP_A0) & ~BIT(EP_A1));
}

/* The suite */

static struct kunit_case abandon_cases[] = {
	KUNIT_CASE(abandon_incoming),
	KUNIT_CASE(abandon_held),
	KUNIT_CASE(abandon_bridge),
	KUNIT_CASE_SLOW(abandon_absent),
	KUNIT_CASE(abandon_removed),
	KUNIT_CASE(abandon_in_motion),
	KUNIT_CASE_SLOW(abandon_removed_bridge),
	KUNIT_CASE_SLOW(finish_removed_bridge),
	KUNIT_CASE(abandon_removed_host),
	KUNIT_CASE(abandon_other_card),
	KUNIT_CASE(recorded_present),
	KUNIT_CASE(recorded_removed),
	KUNIT_CASE(recorded_bridge),
	KUNIT_CASE(recorded_in_scan),
	KUNIT_CASE_SLOW(recorded_in_rescan),
	KUNIT_CASE(abandon_damaged),
	KUNIT_CASE(abandon_outgoing),
	KUNIT_CASE(abandon_too_late),
	KUNIT_CASE(abandon_store),
	{ }
};

static struct kunit_suite abandon_suite = {
	.name = "pci_liveupdate_abandon",
	.suite_init = api_suite_init,
	.init = api_test_init,
	.exit = api_test_exit,
	.test_cases = abandon_cases,
};

kunit_test_suite(abandon_suite);
