// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of PCI live update: bus mastering, power management and driver binding
 * of preserved functions.
 */

#include <kunit/test.h>
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/kexec.h>
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/reboot.h>

#include "test_pci_liveupdate_api.h"

/* Bus mastering */

static u16 command(struct api_test *t, enum model_fn fn)
{
	return t->model.fns[fn].cfg[PCI_COMMAND];
}

static void set_masters(struct api_test *t)
{
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		if (t->devs[fn])
			pci_set_master(t->devs[fn]);
	}
}

static void kexec_ends(void *unused)
{
	kexec_in_progress = false;
	pci_liveupdate_handing_over = false;
}

/* Begin a kexec with EP_A0 preserved and bus mastering enabled everywhere. */
static void begin_kexec(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	set_masters(t);
	api_begin_outgoing(test);
	KUNIT_ASSERT_EQ(test, api_preserve(t, EP_A0), 0);

	/* Outside of a kexec, bus mastering can be disabled. */
	pci_clear_master(t->devs[EP_A0]);
	KUNIT_EXPECT_FALSE(test, command(t, EP_A0) & PCI_COMMAND_MASTER);
	pci_set_master(t->devs[EP_A0]);

	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, kexec_ends, NULL));
	kexec_in_progress = true;
}

/* Disable bus mastering like pci_device_shutdown(), and expect it on for @want. */
static void end_kexec(struct kunit *test, unsigned long want)
{
	struct api_test *t = test->priv;

	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		if (t->devs[fn])
			pci_clear_master(t->devs[fn]);
	}
	kexec_ends(NULL);

	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		if (t->devs[fn])
			KUNIT_EXPECT_EQ_MSG(test, !!(want & BIT(fn)),
					    !!(command(t, fn) & PCI_COMMAND_MASTER),
					    "function %d", fn);
	}
}

static void keep_master_outgoing(struct kunit *test)
{
	begin_kexec(test);
	pci_liveupdate_handing_over = true;
	end_kexec(test, api_with_bridges(BIT(EP_A0)));
}

static int call_reboot_notifier(void)
{
	struct notifier_block *nb = &pci_liveupdate_reboot_nb;

	return nb->notifier_call(nb, SYS_RESTART, NULL);
}

/* Without a loaded image no record is handed over. */
static void clear_master_without_record(struct kunit *test)
{
	if (kexec_image)
		kunit_skip(test, "a kernel has been loaded");

	begin_kexec(test);
	KUNIT_EXPECT_EQ(test, call_reboot_notifier(), NOTIFY_DONE);
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_handing_over);
	api_expect_logged(test, "takes no record");
	end_kexec(test, 0);
}

/* The notifier ignores a reboot without kexec. */
static void clear_master_for_reboot(struct kunit *test)
{
	struct api_test *t = test->priv;

	begin_kexec(test);
	kexec_in_progress = false;
	KUNIT_EXPECT_EQ(test, call_reboot_notifier(), NOTIFY_DONE);
	KUNIT_EXPECT_FALSE(test, test_logged(&t->guard, "takes no record"));
	end_kexec(test, 0);
}

/*
 * A function that is finished, and not preserved again, stops at the next kexec. So
 * do its bridges.
 */
static void clear_master_of_finished(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_live_update_all(test);
	for (int i = 0; i < NR_FUNCTIONS; i++)
		api_finish(t, api_functions[i]);
	set_masters(t);
	KUNIT_EXPECT_TRUE(test, command(t, PF) & PCI_COMMAND_MASTER);
	KUNIT_EXPECT_TRUE(test, command(t, RP_B) & PCI_COMMAND_MASTER);

	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, kexec_ends, NULL));
	kexec_in_progress = true;
	pci_liveupdate_handing_over = true;
	end_kexec(test, 0);
}

static void keep_master_incoming(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	pci_set_master(t->devs[PF]);
	api_begin_outgoing(test);
	api_preserve_all(test);
	api_live_update(test);
	api_scan_all(test);

	/* Bus mastering of a preserved bridge can be enabled, but not disabled. */
	pci_set_master(t->devs[RP_B]);
	pci_clear_master(t->devs[RP_B]);
	KUNIT_EXPECT_TRUE(test, command(t, RP_B) & PCI_COMMAND_MASTER);
	pci_disable_enabled_device(t->devs[RP_B]);
	KUNIT_EXPECT_TRUE(test, command(t, RP_B) & PCI_COMMAND_MASTER);

	pci_clear_master(t->devs[PF]);
	KUNIT_EXPECT_TRUE(test, command(t, PF) & PCI_COMMAND_MASTER);

	api_finish(t, PF);
	pci_clear_master(t->devs[RP_B]);
	pci_clear_master(t->devs[PF]);
	KUNIT_EXPECT_FALSE(test, command(t, RP_B) & PCI_COMMAND_MASTER);
	KUNIT_EXPECT_FALSE(test, command(t, PF) & PCI_COMMAND_MASTER);
}

/* Binding */

static int model_driver_probe(struct pci_dev *dev, const struct pci_device_id *id)
{
	return 0;
}

static const struct pci_device_id model_driver_ids[] = {
	{ PCI_DEVICE(MODEL_VENDOR, MODEL_DEVICE(EP_A0)) },
	{ PCI_DEVICE(MODEL_VENDOR, MODEL_DEVICE(EP_A1)) },
	{ }
};

static struct pci_driver model_driver = {
	.name = "pci-liveupdate-model",
	.id_table = model_driver_ids,
	.probe = model_driver_probe,
};

static void model_driver_ends(void *unused)
{
	pci_unregister_driver(&model_driver);
	model_driver.liveupdate_aware = false;
}

/* Register a driver for EP_A0 and EP_A1. */
static void register_model_driver(struct kunit *test, bool aware)
{
	model_driver.liveupdate_aware = aware;
	KUNIT_ASSERT_EQ(test, pci_register_driver(&model_driver), 0);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, model_driver_ends, NULL));
}

static void live_update_with_driver(struct kunit *test, bool aware)
{
	api_live_update_of(test, EP_A0);
	register_model_driver(test, aware);
	api_scan_all(test);
}

/* Wait for a work item to bind the driver. */
static void expect_bound_soon(struct kunit *test, enum model_fn fn)
{
	struct api_test *t = test->priv;

	for (int i = 0; i < 500 && !READ_ONCE(t->devs[fn]->driver); i++)
		msleep(20);
	KUNIT_EXPECT_PTR_EQ(test, READ_ONCE(t->devs[fn]->driver), &model_driver);
}

static void bind_unaware(struct kunit *test)
{
	struct api_test *t = test->priv;

	live_update_with_driver(test, false);
	KUNIT_EXPECT_NULL(test, t->devs[EP_A0]->driver);
	KUNIT_EXPECT_PTR_EQ(test, t->devs[EP_A1]->driver, &model_driver);
	/* Attaching it does not bind it either. */
	KUNIT_EXPECT_EQ(test, device_attach(&t->devs[EP_A0]->dev), 0);

	api_finish(t, EP_A0);
	expect_bound_soon(test, EP_A0);
}

/* The driver binds to an unfinished function after the last finish. */
static void bind_abandoned(struct kunit *test)
{
	struct api_test *t = test->priv;

	live_update_with_driver(test, false);
	KUNIT_EXPECT_NULL(test, t->devs[EP_A0]->driver);
	api_finish_flb(test);
	expect_bound_soon(test, EP_A0);
}

/* A driver override by user space binds the driver. */
static void bind_overridden(struct kunit *test)
{
	struct api_test *t = test->priv;

	live_update_with_driver(test, false);
	KUNIT_ASSERT_EQ(test, 0,
			device_set_driver_override(&t->devs[EP_A0]->dev,
						   model_driver.name));
	KUNIT_EXPECT_EQ(test, device_attach(&t->devs[EP_A0]->dev), 1);
	KUNIT_EXPECT_PTR_EQ(test, t->devs[EP_A0]->driver, &model_driver);
}

static void bind_aware(struct kunit *test)
{
	struct api_test *t = test->priv;

	live_update_with_driver(test, true);
	KUNIT_EXPECT_PTR_EQ(test, t->devs[EP_A0]->driver, &model_driver);
}

/* User space cannot reset the function, but the driver can. */
static void reset_by_driver(struct kunit *test)
{
	struct api_test *t = test->priv;
	struct pci_dev *dev;

	live_update_with_driver(test, true);
	dev = t->devs[EP_A0];
	KUNIT_ASSERT_PTR_EQ(test, dev->driver, &model_driver);
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_blocks_function_reset(dev, true));
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_blocks_function_reset(dev, false));
}

/* A bound driver keeps bus mastering when the last file is finished. */
static void keep_master_of_bound(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	pci_set_master(t->devs[EP_A0]);
	pci_set_master(t->devs[PF]);
	api_begin_outgoing(test);
	api_preserve_all(test);
	api_live_update(test);
	register_model_driver(test, true);
	api_scan_all(test);
	KUNIT_ASSERT_PTR_EQ(test, t->devs[EP_A0]->driver, &model_driver);

	api_finish_flb(test);
	KUNIT_EXPECT_FALSE(test, api_is_preserved(t, EP_A0));
	KUNIT_EXPECT_TRUE(test, command(t, EP_A0) & PCI_COMMAND_MASTER);
	KUNIT_EXPECT_FALSE(test, command(t, PF) & PCI_COMMAND_MASTER);
}

/* Power */

static int usage(struct pci_dev *dev)
{
	return atomic_read(&dev->dev.power.usage_count);
}

static void keep_power(struct kunit *test)
{
	struct api_test *t = test->priv;
	int before;

	api_scan_all(test);
	before = usage(t->devs[PF]);
	api_begin_outgoing(test);
	api_preserve_all(test);
	api_live_update(test);
	api_scan_all(test);
	KUNIT_EXPECT_EQ(test, usage(t->devs[PF]), before + 1);
	api_finish(t, PF);
	KUNIT_EXPECT_EQ(test, usage(t->devs[PF]), before);

	/* Finishing the last file drops the reference of an unfinished function. */
	KUNIT_EXPECT_EQ(test, usage(t->devs[EP_A0]), before + 1);
	api_finish_flb(test);
	KUNIT_EXPECT_EQ(test, usage(t->devs[EP_A0]), before);
}

/* The scan does not wake a function in D3hot. */
static void keep_power_state(struct kunit *test)
{
	const u16 pmcsr = 0x80 + PCI_PM_CTRL;
	struct api_test *t = test->priv;

	model_add_settings(&t->model);
	api_scan_all(test);
	api_begin_outgoing(test);
	api_preserve_all(test);
	api_live_update(test);
	t->model.fns[EP_A0].cfg[pmcsr] = (__force u8)PCI_D3hot;
	api_scan_all(test);
	KUNIT_EXPECT_EQ(test, (__force int)t->devs[EP_A0]->current_state,
			(__force int)PCI_D3hot);
	pci_set_power_state(t->devs[EP_A0], PCI_D0);
	KUNIT_EXPECT_EQ(test, t->model.fns[EP_A0].cfg[pmcsr],
			(__force u8)PCI_D3hot);

	/* Its driver may wake it. */
	register_model_driver(test, true);
	KUNIT_ASSERT_PTR_EQ(test, t->devs[EP_A0]->driver, &model_driver);
	pci_set_power_state(t->devs[EP_A0], PCI_D0);
	KUNIT_EXPECT_EQ(test, t->model.fns[EP_A0].cfg[pmcsr], 0);
}

/* The suite */

static struct kunit_case driver_cases[] = {
	KUNIT_CASE(keep_master_outgoing),
	KUNIT_CASE(clear_master_without_record),
	KUNIT_CASE(clear_master_for_reboot),
	KUNIT_CASE(clear_master_of_finished),
	KUNIT_CASE(keep_master_incoming),
	KUNIT_CASE(keep_master_of_bound),
	KUNIT_CASE(bind_unaware),
	KUNIT_CASE(bind_abandoned),
	KUNIT_CASE(bind_overridden),
	KUNIT_CASE(bind_aware),
	KUNIT_CASE(reset_by_driver),
	KUNIT_CASE(keep_power),
	KUNIT_CASE(keep_power_state),
	{ }
};

static struct kunit_suite driver_suite = {
	.name = "pci_liveupdate_driver",
	.suite_init = api_suite_init,
	.init = api_test_init,
	.exit = api_test_exit,
	.test_cases = driver_cases,
};

kunit_test_suite(driver_suite);
