// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of PCI live update: bus mastering, power management, driver binding and
 * the end of preserved functions.
 */

#include <kunit/test.h>
#include <linux/array_size.h>
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/kexec.h>
#include <linux/kobject.h>
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/reboot.h>
#include <linux/string.h>

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

/* Recovery, in an interrupt thread, would wait for locks of pcie_portdrv_shutdown(). */
static void refuse_recovery_in_kexec(struct kunit *test)
{
	struct api_test *t = test->priv;

	begin_kexec(test);
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_blocks_recovery(t->devs[RP_B]));
	pci_liveupdate_handing_over = true;
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_blocks_recovery(t->devs[RP_B]));
	api_expect_logged(test, "the kexec has begun");
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_blocks_recovery(NULL));
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

/* Functions that did no DMA when they were probed. */
static unsigned long probed_idle;

static int model_driver_probe(struct pci_dev *dev, const struct pci_device_id *id)
{
	u16 cmd;

	pci_read_config_word(dev, PCI_COMMAND, &cmd);
	if (!(cmd & PCI_COMMAND_MASTER))
		probed_idle |= BIT(dev->device - MODEL_DEVICE(0));
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
	probed_idle = 0;
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

/* The driver binds to a function that user space abandons. */
static void bind_abandoned_by_user(struct kunit *test)
{
	struct api_test *t = test->priv;

	live_update_with_driver(test, false);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_abandon(api_key(t, EP_A0)), 0);
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

/*
 * No kernel gets functions that are not finished at the next kexec: they stop, also if
 * a driver holds them, or if they were removed. So do their bridges.
 */
static void clear_master_of_unfinished(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	set_masters(t);
	api_begin_outgoing(test);
	api_preserve_all(test);
	api_live_update(test);
	register_model_driver(test, true);
	api_scan_all(test);
	KUNIT_ASSERT_NOT_NULL(test, t->devs[EP_A0]->driver);
	pci_liveupdate_incoming_hold(t->devs[EP_A0], true);
	api_remove_dev(t, EP_CONV);
	set_masters(t);
	KUNIT_EXPECT_TRUE(test, command(t, EP_CONV) & PCI_COMMAND_MASTER);

	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, kexec_ends, NULL));
	kexec_in_progress = true;
	KUNIT_EXPECT_EQ(test, call_reboot_notifier(), NOTIFY_DONE);
	api_expect_logged(test, "is not finished");
	KUNIT_EXPECT_FALSE(test, command(t, EP_CONV) & PCI_COMMAND_MASTER);
	end_kexec(test, 0);
}

/* A reboot without kexec leaves them to the firmware. */
static void keep_unfinished_for_reboot(struct kunit *test)
{
	api_live_update_all(test);
	KUNIT_EXPECT_EQ(test, call_reboot_notifier(), NOTIFY_DONE);
	api_expect_incoming(test, ALL_FUNCTIONS);
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

/* Not even the driver can reset a function that it holds. */
static void reset_held(struct kunit *test)
{
	struct api_test *t = test->priv;
	struct pci_dev *dev;

	model_add_settings(&t->model);
	live_update_with_driver(test, true);
	dev = t->devs[EP_A0];
	pci_liveupdate_incoming_hold(dev, true);
	api_start_log(test);
	KUNIT_EXPECT_EQ(test, pci_reset_function(dev), -EBUSY);
	api_expect_logged(test, "cannot be reset");
	KUNIT_EXPECT_EQ(test, api_count_accesses(test, EP_A0, true), 0);

	pci_liveupdate_incoming_hold(dev, false);
	KUNIT_EXPECT_EQ(test, pci_reset_function(dev), 0);
	KUNIT_EXPECT_GT(test, api_count_accesses(test, EP_A0, true), 0);

	/* Finishing the function lets go of it. */
	pci_liveupdate_incoming_hold(dev, true);
	api_finish(t, EP_A0);
	KUNIT_EXPECT_EQ(test, pci_reset_function(dev), 0);
}

/*
 * The bus could be reset when the function was found, and now has another one: the
 * driver must not leave permission for a reset behind.
 */
static void reset_not_done(struct kunit *test)
{
	struct api_test *t = test->priv;

	live_update_with_driver(test, true);
	KUNIT_ASSERT_PTR_EQ(test, t->devs[EP_A0]->driver, &model_driver);
	KUNIT_ASSERT_NE(test, t->devs[EP_A0]->reset_methods[0], 0);
	KUNIT_EXPECT_EQ(test, pci_reset_function(t->devs[EP_A0]), -ENOTTY);
	KUNIT_EXPECT_FALSE(test, api_has_flag(t->devs[SW_DN_A],
					      PCI_DEV_LIVEUPDATE_RESETTING));
}

/* Holding a function that is not preserved changes nothing. */
static void hold_not_preserved(struct kunit *test)
{
	struct api_test *t = test->priv;

	live_update_with_driver(test, true);
	KUNIT_ASSERT_PTR_EQ(test, t->devs[EP_A1]->driver, &model_driver);
	pci_liveupdate_incoming_hold(t->devs[EP_A1], true);
	api_finish(t, EP_A0);
	pci_liveupdate_incoming_hold(t->devs[EP_A0], true);
	api_expect_no_flag(test, PCI_DEV_LIVEUPDATE_HELD);
	for (enum model_fn fn = EP_A0; fn <= EP_A1; fn++) {
		pci_set_master(t->devs[fn]);
		KUNIT_EXPECT_TRUE(test, command(t, fn) & PCI_COMMAND_MASTER);
	}
}

/* A function that ends with the last file is no longer held. */
static void hold_abandoned(struct kunit *test)
{
	struct api_test *t = test->priv;

	live_update_with_driver(test, true);
	pci_liveupdate_incoming_hold(t->devs[EP_A0], true);
	api_finish_flb(test);
	api_expect_no_flag(test, PCI_DEV_LIVEUPDATE_HELD);
	pci_set_master(t->devs[EP_A0]);
	KUNIT_EXPECT_TRUE(test, command(t, EP_A0) & PCI_COMMAND_MASTER);
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

/*
 * A function that was reset is not adopted, and any driver may bind to it. The driver
 * keeps bus mastering when the entry is abandoned, and when the last file is finished.
 */
static void keep_master_of_reset(struct kunit *test)
{
	struct api_test *t = test->priv;

	register_model_driver(test, false);
	for (int by_user = 0; by_user < 2; by_user++) {
		model_init(&t->model, DOMAIN);
		api_live_update_of(test, EP_A0);
		t->model.fns[EP_A0].cfg[PCI_COMMAND] = 0;
		api_scan_all(test);
		api_expect_logged(test, "its BARs are 0");
		KUNIT_ASSERT_PTR_EQ(test, t->devs[EP_A0]->driver, &model_driver);
		pci_set_master(t->devs[EP_A0]);
		if (by_user)
			KUNIT_EXPECT_EQ(test, 0,
					pci_liveupdate_abandon(api_key(t, EP_A0)));
		else
			api_finish_flb(test);
		KUNIT_EXPECT_TRUE(test, command(t, EP_A0) & PCI_COMMAND_MASTER);
		api_remove_host(test);
		if (by_user)
			api_finish_flb(test);
	}
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

/* The core does not take a held function in D3hot for woken. */
static void keep_power_state_held(struct kunit *test)
{
	const u16 pmcsr = 0x80 + PCI_PM_CTRL;
	struct api_test *t = test->priv;

	model_add_settings(&t->model);
	api_live_update_of(test, EP_A0);
	t->model.fns[EP_A0].cfg[pmcsr] = (__force u8)PCI_D3hot;
	register_model_driver(test, true);
	api_scan_all(test);
	KUNIT_ASSERT_PTR_EQ(test, t->devs[EP_A0]->driver, &model_driver);
	pci_liveupdate_incoming_hold(t->devs[EP_A0], true);
	pci_set_power_state(t->devs[EP_A0], PCI_D0);
	KUNIT_EXPECT_EQ(test, t->model.fns[EP_A0].cfg[pmcsr],
			(__force u8)PCI_D3hot);
	KUNIT_EXPECT_EQ(test, (__force int)t->devs[EP_A0]->current_state,
			(__force int)PCI_D3hot);

	pci_liveupdate_incoming_hold(t->devs[EP_A0], false);
	pci_set_power_state(t->devs[EP_A0], PCI_D0);
	KUNIT_EXPECT_EQ(test, t->model.fns[EP_A0].cfg[pmcsr], 0);
}

/* Abandon */

static unsigned long masters(struct api_test *t)
{
	unsigned long set = 0;

	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		if (command(t, fn) & PCI_COMMAND_MASTER)
			set |= BIT(fn);
	}

	return set;
}

/* Live update with all functions preserved, which do DMA. */
static void live_update_of_masters(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	set_masters(t);
	api_begin_outgoing(test);
	api_preserve_all(test);
	api_live_update(test);
	api_scan_all(test);
	KUNIT_ASSERT_EQ(test, masters(t) & ALL_FUNCTIONS, ALL_FUNCTIONS);
}

/* Abandoning a function stops it, and releases bridges like finishing it. */
static void abandon_any_order(struct kunit *test)
{
	enum model_fn order[NR_FUNCTIONS];
	struct api_test *t = test->priv;
	unsigned int cases = 0;

	for (unsigned int nr = 0; nr < 120; nr += 40) {
		unsigned long set = ALL_FUNCTIONS, want;

		model_init(&t->model, DOMAIN);
		live_update_of_masters(test);
		want = masters(t);
		api_permutation(nr, NR_FUNCTIONS, order);
		for (int i = 0; i < NR_FUNCTIONS; i++, cases++) {
			api_abandon(t, order[i]);
			set &= ~BIT(order[i]);
			want &= ~BIT(order[i]);
			api_expect_incoming(test, set);
			KUNIT_EXPECT_EQ(test, masters(t), want);
		}
		api_expect_logged(test, "bus mastering is cleared");
		api_remove_host(test);
		api_finish_flb(test);
	}
	KUNIT_EXPECT_EQ(test, cases, 15);
}

/* A function that is bound, and even held, stops as well. */
static void abandon_bound(struct kunit *test)
{
	struct api_test *t = test->priv;

	register_model_driver(test, true);
	live_update_of_masters(test);
	for (enum model_fn fn = EP_A0; fn <= EP_A1; fn++) {
		KUNIT_ASSERT_PTR_EQ(test, t->devs[fn]->driver, &model_driver);
		pci_liveupdate_incoming_hold(t->devs[fn], fn == EP_A0);
		api_abandon(t, fn);
		KUNIT_EXPECT_FALSE(test, api_is_preserved(t, fn));
		KUNIT_EXPECT_FALSE(test, command(t, fn) & PCI_COMMAND_MASTER);
		KUNIT_EXPECT_PTR_EQ(test, t->devs[fn]->driver, &model_driver);
		/* Its driver may start it again. */
		pci_set_master(t->devs[fn]);
		KUNIT_EXPECT_TRUE(test, command(t, fn) & PCI_COMMAND_MASTER);
	}
	api_expect_no_flag(test, PCI_DEV_LIVEUPDATE_HELD);
}

/* Its next driver finds a function without DMA. */
static void abandon_then_bind(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	pci_set_master(t->devs[EP_A0]);
	api_begin_outgoing(test);
	KUNIT_ASSERT_EQ(test, api_preserve(t, EP_A0), 0);
	api_live_update(test);
	register_model_driver(test, false);
	api_scan_all(test);
	KUNIT_EXPECT_NULL(test, t->devs[EP_A0]->driver);
	KUNIT_EXPECT_FALSE(test, probed_idle & BIT(EP_A0));

	api_abandon(t, EP_A0);
	expect_bound_soon(test, EP_A0);
	KUNIT_EXPECT_TRUE(test, probed_idle & BIT(EP_A0));
}

/* Neither a function that is not preserved can be abandoned nor a bridge. */
static void abandon_not_preserved(struct kunit *test)
{
	struct api_test *t = test->priv;
	unsigned long want;

	live_update_of_masters(test);
	api_finish(t, EP_A1);
	want = masters(t);
	api_expect_refusal(test, api_abandon, EP_A1, "cannot be finished");
	api_abandon(t, EP_ACS);
	api_abandon(t, SW_DN_A);
	api_expect_incoming(test, ALL_FUNCTIONS & ~BIT(EP_A1));
	KUNIT_EXPECT_EQ(test, masters(t), want);
	/* Don't tell of an effect that there is not. */
	KUNIT_EXPECT_FALSE(test, test_logged(&t->guard, "bus mastering is cleared"));
}

/* Uevents */

static struct {
	const struct device_type *saved;
	struct device_type type;
	char state[32];
	unsigned int nr;
} uevents;

static int spy_uevent(const struct device *dev, struct kobj_uevent_env *env)
{
	static const char name[] = "PCI_LIVEUPDATE=";

	for (int i = 0; i < env->envp_idx; i++) {
		if (!str_has_prefix(env->envp[i], name))
			continue;
		uevents.nr++;
		strscpy(uevents.state, env->envp[i] + strlen(name));
	}

	return 0;
}

/* Let the model device count the uevents of its live update. */
static void spy_on_uevents(struct pci_dev *dev)
{
	uevents.saved = dev->dev.type;
	uevents.type = *dev->dev.type;
	uevents.type.uevent = spy_uevent;
	uevents.nr = 0;
	dev->dev.type = &uevents.type;
}

static void stop_spying(struct pci_dev *dev)
{
	dev->dev.type = uevents.saved;
}

static void uevent_of_end(struct kunit *test)
{
	static const enum model_fn fns[] = { PF, EP_CONV, EP_A0 };
	struct api_test *t = test->priv;

	api_live_update_all(test);
	for (int i = 0; i < ARRAY_SIZE(fns); i++) {
		enum model_fn fn = fns[i];

		spy_on_uevents(t->devs[fn]);
		if (i == 0)
			api_finish(t, fn);
		else if (i == 1)
			api_abandon(t, fn);
		else
			pci_liveupdate_incoming_abandon_recorded(t->model.domain,
								 model_bdf(&t->model, fn));
		KUNIT_EXPECT_EQ(test, uevents.nr, 1);
		KUNIT_EXPECT_STREQ(test, uevents.state,
				   i ? "abandoned" : "finished");
		/* It has ended already. */
		api_finish(t, fn);
		api_abandon(t, fn);
		KUNIT_EXPECT_EQ(test, uevents.nr, 1);
		stop_spying(t->devs[fn]);
	}
}

/* The suite */

static struct kunit_case driver_cases[] = {
	KUNIT_CASE(keep_master_outgoing),
	KUNIT_CASE(clear_master_without_record),
	KUNIT_CASE(clear_master_for_reboot),
	KUNIT_CASE(refuse_recovery_in_kexec),
	KUNIT_CASE(clear_master_of_finished),
	KUNIT_CASE(clear_master_of_unfinished),
	KUNIT_CASE(keep_unfinished_for_reboot),
	KUNIT_CASE(keep_master_incoming),
	KUNIT_CASE(keep_master_of_bound),
	KUNIT_CASE(keep_master_of_reset),
	KUNIT_CASE(bind_unaware),
	KUNIT_CASE(bind_abandoned),
	KUNIT_CASE(bind_abandoned_by_user),
	KUNIT_CASE(bind_overridden),
	KUNIT_CASE(bind_aware),
	KUNIT_CASE(reset_by_driver),
	KUNIT_CASE(reset_held),
	KUNIT_CASE(reset_not_done),
	KUNIT_CASE(hold_not_preserved),
	KUNIT_CASE(hold_abandoned),
	KUNIT_CASE(keep_power),
	KUNIT_CASE(keep_power_state),
	KUNIT_CASE(keep_power_state_held),
	KUNIT_CASE(abandon_any_order),
	KUNIT_CASE(abandon_bound),
	KUNIT_CASE(abandon_then_bind),
	KUNIT_CASE(abandon_not_preserved),
	KUNIT_CASE(uevent_of_end),
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
