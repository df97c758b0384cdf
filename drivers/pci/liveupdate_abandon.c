// SPDX-License-Identifier: GPL-2.0
/*
 * PCI live update: functions that are abandoned, and release to any driver.
 */

#define pr_fmt(fmt) "PCI: liveupdate: " fmt
#define dev_fmt(fmt) "liveupdate: " fmt

#include <kunit/visibility.h>
#include <linux/capability.h>
#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/device/bus.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/kexec.h>
#include <linux/kho/abi/pci.h>
#include <linux/kobject.h>
#include <linux/liveupdate.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sprintf.h>
#include <linux/workqueue.h>
#include <trace/events/pci_liveupdate.h>

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
		/* Unlike device_attach() it respects drivers_autoprobe of the bus */
		device_initial_probe(&dev->dev);
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

/**
 * pci_liveupdate_clear_master - Clear bus mastering of a function.
 * @bus: The bus of the function.
 * @devfn: Its device and function number.
 *
 * The guard does not refuse this.
 *
 * Context: Any.
 */
void pci_liveupdate_clear_master(struct pci_bus *bus, unsigned int devfn)
{
	u16 cmd;

	pci_bus_read_config_word(bus, devfn, PCI_COMMAND, &cmd);
	if (!PCI_POSSIBLE_ERROR(cmd) && cmd & PCI_COMMAND_MASTER)
		pci_bus_write_config_word(bus, devfn, PCI_COMMAND,
					  cmd & ~PCI_COMMAND_MASTER);
}

static struct pci_dev *abandon_get_dev(pci_ser_key_t key)
{
	u16 bdf = PCI_SER_KEY_BDF(key);

	return pci_get_domain_bus_and_slot(PCI_SER_KEY_DOMAIN(key),
					   PCI_BUS_NUM(bdf), bdf & 0xff);
}

/* Get the SR-IOV state of a PF, or NULL if the function has none. */
static const struct pci_sriov_ser *
abandon_sriov(struct pci_liveupdate_index *index, pci_ser_key_t key)
{
	const struct pci_function_ser *entry;
	const struct pci_sriov_ser *sriov;
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_slot slot;

	if (!pci_liveupdate_index_find(index, key, &slot))
		return NULL;

	entry = pci_liveupdate_index_entry(index, &slot, &damage);
	if (IS_ERR(entry) || !(entry->flags & PCI_SER_PF))
		return NULL;

	sriov = pci_liveupdate_index_sriov(index, &slot, &damage);
	return IS_ERR(sriov) ? NULL : sriov;
}

static pci_ser_key_t abandon_vf_key(pci_ser_key_t pf,
				    const struct pci_sriov_ser *sriov, u32 id)
{
	return pf + sriov->offset + id * sriov->stride;
}

/* Find the PF in the record whose routing IDs of VFs include that of @vf. */
static bool abandon_find_pf(struct pci_liveupdate_index *index, pci_ser_key_t vf,
			    pci_ser_key_t *pf)
{
	*pf = PCI_SER_KEY(PCI_SER_KEY_DOMAIN(vf), 0);
	for (; pci_liveupdate_index_next(index, pf) && *pf < vf; ++*pf) {
		const struct pci_sriov_ser *sriov = abandon_sriov(index, *pf);

		for (u32 i = 0; sriov && i < sriov->num_vfs; i++) {
			if (abandon_vf_key(*pf, sriov, i) == vf)
				return true;
		}
	}

	return false;
}

/* Find the nearest bridge above @bus in the record. */
static bool abandon_find_bridge(struct pci_liveupdate_index *index, u32 domain,
				u8 bus, struct pci_liveupdate_slot *bridge)
{
	pci_ser_key_t key = PCI_SER_KEY(domain, 0);
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_slot slot;
	int last = -1;

	for (; pci_liveupdate_index_next(index, &key); key++) {
		if (PCI_SER_KEY_DOMAIN(key) != domain ||
		    !pci_liveupdate_index_find(index, key, &slot))
			break;
		entry = pci_liveupdate_index_entry(index, &slot, &damage);
		if (IS_ERR(entry) || !(entry->flags & PCI_SER_BRIDGE) ||
		    bus < entry->secondary || bus > entry->subordinate ||
		    entry->secondary <= last)
			continue;
		last = entry->secondary;
		*bridge = slot;
	}

	return last >= 0;
}

/* Make a bus that is not registered as pci_alloc_child_bus() makes one. */
static struct pci_bus *abandon_make_bus(struct pci_bus *bus, struct pci_bus *parent,
					u8 number)
{
	struct pci_host_bridge *host = pci_find_host_bridge(parent);

	bus->parent = parent;
	bus->ops = host->child_ops ?: parent->ops;
	bus->sysdata = parent->sysdata;
	bus->number = number;
	bus->primary = parent->number;
#ifdef CONFIG_PCI_DOMAINS_GENERIC
	bus->domain_nr = parent->domain_nr;
#endif
	return bus;
}

static struct pci_bus *abandon_find_root(u32 domain, u8 number)
{
	struct pci_bus *bus;

	list_for_each_entry(bus, &pci_root_buses, node) {
		if (pci_domain_nr(bus) == domain && number > bus->number &&
		    number <= bus->busn_res.end)
			return bus;
	}

	return NULL;
}

/* A bus that was removed, or 0 for none, and the number of the bus above. */
struct abandon_bus {
	pci_ser_key_t key;
	u8 above;
};

static u8 abandon_find_above(struct pci_liveupdate_index *index, pci_ser_key_t bus, u8 root)
{
	u8 number = PCI_BUS_NUM(PCI_SER_KEY_BDF(bus));
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_slot bridge;

	/* There is none above the VFs of a PF on a root bus */
	if (!abandon_find_bridge(index, PCI_SER_KEY_DOMAIN(bus), number, &bridge))
		return root;

	entry = pci_liveupdate_index_entry(index, &bridge, &damage);
	/* Only VFs are on a bus that is not the secondary bus of a bridge */
	return number > entry->secondary ? entry->secondary : PCI_BUS_NUM(bridge.bdf);
}

/*
 * Find the bus of a function. If it was removed with the bridge or the PF above, make one:
 * the bridges still forward requests. Some host bridges, such as that of Tegra194, choose
 * the type of a request by the number of the bus above, so make that one as well.
 *
 * To look for the bridge above takes a walk over the record: @last saves it for the other
 * functions of a bus.
 */
static struct pci_bus *abandon_find_bus(struct pci_liveupdate_index *index,
					pci_ser_key_t key, struct abandon_bus *last)
{
	static struct pci_bus removed, removed_above;
	u32 domain = PCI_SER_KEY_DOMAIN(key);
	u16 bdf = PCI_SER_KEY_BDF(key);
	u8 number = PCI_BUS_NUM(bdf);
	struct pci_bus *bus, *above;
	u16 cmd;

	lockdep_assert_held(&pci_liveupdate_lock);

	bus = pci_liveupdate_find_bus(domain, number);
	if (bus)
		return bus;

	above = abandon_find_root(domain, number);
	if (!above)
		return NULL;

	key = PCI_SER_KEY(domain, PCI_DEVID(number, 0));
	if (last->key != key) {
		last->key = key;
		last->above = abandon_find_above(index, key, above->number);
	}
	if (last->above != above->number)
		above = abandon_make_bus(&removed_above, above, last->above);
	bus = abandon_make_bus(&removed, above, number);
	pci_bus_read_config_word(bus, bdf & 0xff, PCI_COMMAND, &cmd);
	return PCI_POSSIBLE_ERROR(cmd) ? NULL : bus;
}

/*
 * Clear bus mastering of a function that is not treated as preserved: it was removed
 * through sysfs, or has lost its state. In the latter case it may have a driver. @last is
 * {}, or that of the call for another function.
 */
static void pci_liveupdate_stop_absent(struct pci_liveupdate_index *index,
				       const struct pci_liveupdate_slot *slot,
				       pci_ser_key_t key, struct abandon_bus *last)
{
	struct pci_dev *dev __free(pci_dev_put) = abandon_get_dev(key);
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;
	u16 bdf = PCI_SER_KEY_BDF(key);
	struct pci_bus *bus;
	u32 id;

	entry = pci_liveupdate_index_entry(index, slot, &damage);
	if (IS_ERR(entry) || entry->flags & PCI_SER_BRIDGE)
		return;
	/* A function that is now at the address of a VF has IDs of its own */
	if (dev && (READ_ONCE(dev->driver) ||
		    dev->is_virtfn != !!(entry->flags & PCI_SER_VF)))
		return;

	/* Neither the bus nor its host bridge can be removed meanwhile */
	guard(rwsem_read)(&pci_bus_sem);

	bus = abandon_find_bus(index, key, last);
	if (!bus) {
		pr_err(PCI_LIVEUPDATE_KEY_FMT " cannot be reached, and may still do DMA: no bridge forwards requests to it\n",
		       PCI_LIVEUPDATE_KEY_ARGS(key));
		return;
	}

	/* The IDs of a VF read as all ones (PCIe r6.0, sec 9.3.4.1.1) */
	pci_bus_read_config_dword(bus, bdf & 0xff, PCI_VENDOR_ID, &id);
	if (!(entry->flags & PCI_SER_VF) &&
	    id != (entry->vendor | (u32)entry->device << 16))
		return;

	pci_liveupdate_clear_master(bus, bdf & 0xff);
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
	struct pci_liveupdate_slot slot;
	struct abandon_bus last = {};
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
	pci_liveupdate_index_for_each(index, key) {
		if (pci_liveupdate_index_find(index, key, &slot) &&
		    !pci_liveupdate_index_marked(&slot))
			pci_liveupdate_stop_absent(index, &slot, key, &last);
	}
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

/* Check if a device was abandoned before it was found. */
static bool pci_liveupdate_is_dropped(struct pci_dev *dev)
{
	struct pci_liveupdate_slot slot;

	return !pci_liveupdate_incoming ||
	       !pci_liveupdate_index_find(pci_liveupdate_incoming,
					  PCI_SER_KEY(pci_domain_nr(dev->bus),
						      pci_dev_id(dev)), &slot);
}

/*
 * If a function or the last file is abandoned while a device is being enumerated,
 * pci_liveupdate_abandon_absent() or pci_liveupdate_abandon_all() may not find the
 * device. Abandon it here: it is on the bus by now. Likewise, a PF that was not found
 * still counts a VF that was abandoned.
 */
static int pci_liveupdate_bus_notify(struct notifier_block *nb,
				     unsigned long action, void *data)
{
	struct pci_dev *dev = to_pci_dev(data);

	if (action != BUS_NOTIFY_ADD_DEVICE ||
	    !pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_INCOMING))
		return NOTIFY_DONE;

	scoped_guard(mutex, &pci_liveupdate_lock) {
		if (pci_liveupdate_is_dropped(dev)) {
			pci_liveupdate_abandon_dev(dev);
			/* pci_bus_add_device() probes drivers */
			clear_bit(PCI_DEV_LIVEUPDATE_RELEASED, &dev->priv_flags);
		} else {
			pci_liveupdate_recount_vfs(dev);
		}
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

/* Requests of user space */

/* A PF goes on for its preserved VFs: name them. */
static int abandon_check_vfs(struct pci_liveupdate_index *index, pci_ser_key_t pf)
{
	const struct pci_sriov_ser *sriov = abandon_sriov(index, pf);
	struct pci_liveupdate_slot slot;
	unsigned int n = 0;
	u32 nr_vfs;

	nr_vfs = sriov ? pci_liveupdate_index_count_vfs(index, pf, sriov) : 0;
	if (!nr_vfs)
		return 0;

	pr_err(PCI_LIVEUPDATE_KEY_FMT " cannot be abandoned before its %u preserved VFs:\n",
	       PCI_LIVEUPDATE_KEY_ARGS(pf), nr_vfs);
	for (u32 i = 0; i < sriov->num_vfs && n < PCI_LIVEUPDATE_LOG_LIMIT; i++) {
		pci_ser_key_t vf = abandon_vf_key(pf, sriov, i);

		if (!pci_liveupdate_index_find(index, vf, &slot))
			continue;
		pr_err(PCI_LIVEUPDATE_KEY_FMT " is a preserved VF\n",
		       PCI_LIVEUPDATE_KEY_ARGS(vf));
		n++;
	}

	return -EBUSY;
}

static int abandon_check(struct pci_liveupdate_index *index,
			 const struct pci_liveupdate_slot *slot, pci_ser_key_t key,
			 struct pci_dev *dev)
{
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;
	bool bridge;

	/* A damaged entry does not tell */
	entry = pci_liveupdate_index_entry(index, slot, &damage);
	bridge = IS_ERR(entry) ? dev && !pci_liveupdate_is_function(dev) :
				 entry->flags & PCI_SER_BRIDGE;
	if (!bridge)
		return abandon_check_vfs(index, key);

	pr_err(PCI_LIVEUPDATE_KEY_FMT " cannot be abandoned: a bridge goes with the last function below it\n",
	       PCI_LIVEUPDATE_KEY_ARGS(key));
	return -EINVAL;
}

static struct pci_bus *abandon_get_bus(u32 domain, u8 number)
{
	guard(rwsem_read)(&pci_bus_sem);

	return pci_bus_get(pci_liveupdate_find_bus(domain, number));
}

/* Drop bridges with nothing below from @bus upward, whether they are found or not. */
static void abandon_bridges(struct pci_liveupdate_index *index, u32 domain, u8 bus)
{
	int flag = PCI_DEV_LIVEUPDATE_INCOMING;
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_slot slot;
	struct pci_bus *found;

	while (!(found = abandon_get_bus(domain, bus))) {
		struct pci_dev *bridge __free(pci_dev_put) = NULL;

		if (!abandon_find_bridge(index, domain, bus, &slot))
			return;
		entry = pci_liveupdate_index_entry(index, &slot, &damage);
		if (pci_liveupdate_index_any(index, domain, entry->secondary,
					     entry->subordinate))
			return;

		/* A rescan may have found the bridge, and no bus below it yet */
		bridge = abandon_get_dev(PCI_SER_KEY(domain, slot.bdf));
		if (bridge && pci_liveupdate_has_flag(bridge, flag)) {
			pci_liveupdate_drop_dev(index, bridge, flag);
			return;
		}
		bus = PCI_BUS_NUM(slot.bdf);
		pci_liveupdate_index_remove(index, &slot);
	}

	/* The reference keeps the bridge and the buses above as well */
	pci_liveupdate_drop_above(index, found->self, found, flag);
	pci_bus_put(found);
}

/* A VF that was not found is dropped: drop its PF with it if that has no other use. */
static void abandon_pf_of_absent(struct pci_liveupdate_index *index, pci_ser_key_t key)
{
	struct pci_dev *pf __free(pci_dev_put) = abandon_get_dev(key);
	const struct pci_sriov_ser *sriov = abandon_sriov(index, key);
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_slot slot;

	if (pf && pci_liveupdate_has_flag(pf, PCI_DEV_LIVEUPDATE_INCOMING)) {
		if (pf->is_physfn)
			pci_liveupdate_count_vf(pf, PCI_DEV_LIVEUPDATE_INCOMING, -1);
		pci_liveupdate_drop_above(index, pf, pf->bus,
					  PCI_DEV_LIVEUPDATE_INCOMING);
		return;
	}

	if (!sriov || pci_liveupdate_index_count_vfs(index, key, sriov) ||
	    !pci_liveupdate_index_find(index, key, &slot))
		return;

	entry = pci_liveupdate_index_entry(index, &slot, &damage);
	if (!(entry->flags & PCI_SER_IMPLIED))
		return;

	pci_liveupdate_index_remove(index, &slot);
	abandon_bridges(index, PCI_SER_KEY_DOMAIN(key),
			PCI_BUS_NUM(PCI_SER_KEY_BDF(key)));
}

/**
 * pci_liveupdate_abandon_absent - Abandon a function that was not found.
 * @index: The incoming index.
 * @slot: Its slot.
 * @key: Its address, of no struct pci_dev that is preserved.
 *
 * Does nothing if it is a bridge, which goes with the last function below. A PF stays
 * for its VFs.
 *
 * Context: Process context. The caller holds pci_liveupdate_lock.
 */
void pci_liveupdate_abandon_absent(struct pci_liveupdate_index *index,
				   const struct pci_liveupdate_slot *slot,
				   pci_ser_key_t key)
{
	const struct pci_sriov_ser *sriov = abandon_sriov(index, key);
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;
	struct abandon_bus bus = {};
	pci_ser_key_t pf;

	entry = pci_liveupdate_index_entry(index, slot, &damage);
	if (!IS_ERR(entry) && entry->flags & PCI_SER_BRIDGE)
		return;

	pr_warn(PCI_LIVEUPDATE_KEY_FMT " is abandoned by %s[%d]; it was not found, or is another device\n",
		PCI_LIVEUPDATE_KEY_ARGS(key), current->comm, task_pid_nr(current));
	pci_liveupdate_stop_absent(index, slot, key, &bus);
	if (sriov && pci_liveupdate_index_count_vfs(index, key, sriov)) {
		pci_liveupdate_index_set_flags(slot, PCI_SER_IMPLIED, true);
		return;
	}

	pci_liveupdate_index_remove(index, slot);
	if (abandon_find_pf(index, key, &pf))
		abandon_pf_of_absent(index, pf);
	else
		abandon_bridges(index, PCI_SER_KEY_DOMAIN(key),
				PCI_BUS_NUM(PCI_SER_KEY_BDF(key)));
}

/*
 * The memory of an incoming function is freed with its session, so stop it. An
 * outgoing function goes on for its owner in this kernel.
 */
static void abandon_present(struct pci_liveupdate_index *index, struct pci_dev *dev,
			    int flag)
{
	bool incoming = flag == PCI_DEV_LIVEUPDATE_INCOMING;

	pci_liveupdate_drop_dev(index, dev, flag);
	if (incoming)
		pci_clear_master(dev);
	pci_warn(dev, "is abandoned by %s[%d], %s\n", current->comm,
		 task_pid_nr(current), incoming ? "bus mastering is cleared" :
		 "the next kernel does not get it");
}

/*
 * Abandon @dev, or the function at @key if @dev is NULL or not preserved. Sets @flag to
 * the flag that @dev had, if any. @scans: devices may be enumerated or removed meanwhile.
 */
static int abandon_function(pci_ser_key_t key, struct pci_dev *dev, bool scans,
			    int *flag)
{
	struct pci_liveupdate_index *index = pci_liveupdate_incoming;
	int side = PCI_DEV_LIVEUPDATE_INCOMING;
	struct pci_liveupdate_slot slot;
	int err;

	lockdep_assert_held(&pci_liveupdate_lock);

	if (!index || !pci_liveupdate_index_find(index, key, &slot)) {
		index = pci_liveupdate_outgoing;
		side = PCI_DEV_LIVEUPDATE_OUTGOING;
	}
	if (!index || !pci_liveupdate_index_find(index, key, &slot))
		return -ENOENT;
	if (side == PCI_DEV_LIVEUPDATE_OUTGOING && kexec_in_progress)
		return -ESHUTDOWN;

	err = abandon_check(index, &slot, key, dev);
	if (err)
		return err;

	if (dev && pci_liveupdate_has_flag(dev, side)) {
		abandon_present(index, dev, side);
		*flag = side;
		return 0;
	}

	if (scans || side == PCI_DEV_LIVEUPDATE_OUTGOING ||
	    pci_liveupdate_index_marked(&slot))
		return -EAGAIN;

	pci_liveupdate_abandon_absent(index, &slot, key);
	return 0;
}

static int abandon_and_announce(pci_ser_key_t key, bool scans)
{
	struct pci_dev *dev __free(pci_dev_put) = abandon_get_dev(key);
	u64 start = trace_start(finish);
	int flag = 0, err;

	scoped_guard(mutex, &pci_liveupdate_lock)
		err = abandon_function(key, dev, scans, &flag);
	if (err || !flag)
		return err;

	if (flag == PCI_DEV_LIVEUPDATE_OUTGOING) {
		trace_pci_liveupdate_unpreserve(dev, 0, start);
	} else {
		trace_pci_liveupdate_finish(dev, 0, start);
		if (!READ_ONCE(dev->driver))
			pci_liveupdate_release_to_drivers(dev);
	}
	pci_liveupdate_send_uevent(dev, "PCI_LIVEUPDATE=abandoned");
	return 0;
}

/**
 * pci_liveupdate_abandon - End the preservation of a function without its owner.
 * @key: The function.
 *
 * Drops the function, and bridges above it and its PF with no other use, on the
 * incoming side if it is preserved there, else on the outgoing side. Stops its DMA on
 * the incoming side, and lets any driver bind. The file of the function stays in its
 * session.
 *
 * Context: Process context. May sleep. Takes pci_rescan_remove_lock only if the
 *          function was not found, so that a driver that hangs in .probe() during a
 *          scan does not prevent others from being abandoned.
 * Return: 0, or with nothing changed:
 *         -ENOENT if the function is preserved on neither side;
 *         -EINVAL if it is a bridge;
 *         -EBUSY if it is a PF with preserved VFs, which the log names;
 *         -EAGAIN if it is being enumerated or removed;
 *         -ESHUTDOWN if the kexec has begun.
 */
int pci_liveupdate_abandon(pci_ser_key_t key)
{
	int err;

	err = abandon_and_announce(key, true);
	if (err != -EAGAIN)
		return err;

	pci_lock_rescan_remove();
	err = abandon_and_announce(key, false);
	pci_unlock_rescan_remove();
	return err;
}

/*
 * Only clears bus mastering, and so needs no check for lockdown, as "enable" and
 * "remove" of a device.
 */
static ssize_t liveupdate_abandon_store(const struct bus_type *bus, const char *buf,
					size_t count)
{
	unsigned int domain, number, slot, func, bdf;
	int len = 0, err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;

	if (sscanf(buf, "%8x:%2x:%2x.%1u %n", &domain, &number, &slot, &func, &len) != 4 ||
	    !len || buf[len] || slot > 0x1f || func > 7)
		return -EINVAL;

	bdf = PCI_DEVID(number, PCI_DEVFN(slot, func));
	err = pci_liveupdate_abandon(PCI_SER_KEY(domain, bdf));
	return err ?: count;
}

VISIBLE_IF_KUNIT BUS_ATTR_WO(liveupdate_abandon);

static int __init pci_liveupdate_abandon_init(void)
{
	return liveupdate_enabled() ?
	       bus_create_file(&pci_bus_type, &bus_attr_liveupdate_abandon) : 0;
}
late_initcall(pci_liveupdate_abandon_init);
