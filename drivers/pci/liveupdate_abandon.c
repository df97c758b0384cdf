// SPDX-License-Identifier: GPL-2.0
/*
 * PCI live update: functions that are abandoned, and release to any driver.
 */

#define pr_fmt(fmt) "PCI: liveupdate: " fmt
#define dev_fmt(fmt) "liveupdate: " fmt

#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/device/bus.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/kho/abi/pci.h>
#include <linux/kobject.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/workqueue.h>

#include "pci.h"
#include "liveupdate_index.h"

void pci_liveupdate_send_uevent(struct pci_dev *dev, char *state)
{
	char *envp[] = { state, NULL };

	kobject_uevent_env(&dev->dev.kobj, KOBJ_CHANGE, envp);
}

/* Probe drivers that pci_liveupdate_forbids_driver() has refused. */
static void pci_liveupdate_release_work_fn(struct work_struct *work)
{
	struct pci_dev *dev = NULL;

	for_each_pci_dev(dev) {
		if (!test_and_clear_bit(PCI_DEV_LIVEUPDATE_RELEASED,
					&dev->priv_flags) ||
		    !pci_dev_is_added(dev))
			continue;
		if (device_attach(&dev->dev) < 0)
			pci_warn(dev, "its driver did not bind\n");
	}
}

static DECLARE_WORK(pci_liveupdate_release_work, pci_liveupdate_release_work_fn);

/**
 * pci_liveupdate_release_to_drivers - Let any driver bind to a function again.
 * @dev: A function without a driver.
 *
 * Context: Any. A work item probes the drivers.
 */
void pci_liveupdate_release_to_drivers(struct pci_dev *dev)
{
	set_bit(PCI_DEV_LIVEUPDATE_RELEASED, &dev->priv_flags);
	schedule_work(&pci_liveupdate_release_work);
}

/* Clear bus mastering of a function that was removed through sysfs. */
static void pci_liveupdate_stop_absent(struct pci_liveupdate_index *index,
				       pci_ser_key_t key)
{
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_slot slot;
	u16 bdf = PCI_SER_KEY_BDF(key);
	struct pci_bus *bus;
	u32 id;
	u16 cmd;

	if (!pci_liveupdate_index_find(index, key, &slot) ||
	    pci_liveupdate_index_marked(&slot))
		return;

	entry = pci_liveupdate_index_entry(index, &slot, &damage);
	if (IS_ERR(entry) || entry->hdr_type != PCI_HEADER_TYPE_NORMAL)
		return;

	bus = pci_find_bus(PCI_SER_KEY_DOMAIN(key), PCI_BUS_NUM(bdf));
	if (!bus) {
		pr_err("%04x:%02x:%02x.%d cannot be reached, and may still do DMA: its bridge was removed\n",
		       PCI_SER_KEY_DOMAIN(key), PCI_BUS_NUM(bdf), PCI_SLOT(bdf),
		       PCI_FUNC(bdf));
		return;
	}

	/* The IDs of a VF read as all ones (PCIe r6.0, sec 9.3.4.1.1) */
	pci_bus_read_config_dword(bus, bdf & 0xff, PCI_VENDOR_ID, &id);
	if (!(entry->flags & PCI_SER_VF) &&
	    id != (entry->vendor | (u32)entry->device << 16))
		return;

	pci_bus_read_config_word(bus, bdf & 0xff, PCI_COMMAND, &cmd);
	if (PCI_POSSIBLE_ERROR(cmd))
		return;
	pci_bus_write_config_word(bus, bdf & 0xff, PCI_COMMAND,
				  cmd & ~PCI_COMMAND_MASTER);
}

/* The end of a live update */

static void pci_liveupdate_abandon_dev(struct pci_dev *dev)
{
	if (!pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_INCOMING))
		return;

	pci_liveupdate_clear_flag(dev, PCI_DEV_LIVEUPDATE_INCOMING);
	if (!pci_liveupdate_is_function(dev) || READ_ONCE(dev->driver))
		return;

	pci_clear_master(dev);
	set_bit(PCI_DEV_LIVEUPDATE_RELEASED, &dev->priv_flags);
}

/**
 * pci_liveupdate_abandon_all - Stop functions before their memory can be reused.
 * @index: The incoming index, with functions that are not finished.
 *
 * Context: Process context. May sleep. The caller holds pci_liveupdate_lock.
 */
void pci_liveupdate_abandon_all(struct pci_liveupdate_index *index)
{
	struct pci_dev *dev = NULL;
	pci_ser_key_t key;

	lockdep_assert_held(&pci_liveupdate_lock);

	WRITE_ONCE(pci_liveupdate_incoming, NULL);
	if (!pci_liveupdate_index_count(index))
		return;

	pci_liveupdate_warn(index, "was preserved, but is not finished; bus mastering is cleared unless a driver is bound",
			    false);
	for_each_pci_dev(dev)
		pci_liveupdate_abandon_dev(dev);
	pci_liveupdate_index_for_each(index, key)
		pci_liveupdate_stop_absent(index, key);
}

/**
 * pci_liveupdate_announce_abandoned - Announce functions that were abandoned.
 *
 * Context: Process context, after pci_liveupdate_abandon_all(). May sleep.
 */
void pci_liveupdate_announce_abandoned(void)
{
	struct pci_dev *dev = NULL;

	for_each_pci_dev(dev) {
		if (pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_RELEASED))
			pci_liveupdate_send_uevent(dev, "PCI_LIVEUPDATE=abandoned");
	}
	schedule_work(&pci_liveupdate_release_work);
}

/*
 * If the last file is finished while a device is being enumerated,
 * pci_liveupdate_abandon_all() may not find the device. Abandon it here: it is on the
 * bus by now.
 */
static int pci_liveupdate_bus_notify(struct notifier_block *nb,
				     unsigned long action, void *data)
{
	struct pci_dev *dev = to_pci_dev(data);

	if (action != BUS_NOTIFY_ADD_DEVICE ||
	    !pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_INCOMING))
		return NOTIFY_DONE;

	scoped_guard(mutex, &pci_liveupdate_lock) {
		if (!pci_liveupdate_incoming)
			pci_liveupdate_abandon_dev(dev);
	}

	return NOTIFY_OK;
}

static struct notifier_block pci_liveupdate_bus_nb = {
	.notifier_call = pci_liveupdate_bus_notify,
};

static int __init pci_liveupdate_bus_init(void)
{
	return bus_register_notifier(&pci_bus_type, &pci_liveupdate_bus_nb);
}
arch_initcall(pci_liveupdate_bus_init);
