// SPDX-License-Identifier: GPL-2.0
/*
 * PCI live update: questions of the PCI core about preserved devices.
 *
 * The guard refuses writes to these devices anyway. The PCI core asks where it
 * would otherwise conclude something wrong from a refused write, or wait for its
 * effect, and where another device must adapt.
 */

#define pr_fmt(fmt) "PCI: liveupdate: " fmt
#define dev_fmt(fmt) "liveupdate: " fmt

#include <linux/bits.h>
#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/ioport.h>
#include <linux/limits.h>
#include <linux/liveupdate.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/types.h>
#include <linux/wordpart.h>
#include <linux/xarray.h>

#include "pci.h"
#include "liveupdate_index.h"

/* Bus numbers */

/* Segments that had functions of the previous kernel, until reboot. */
static DEFINE_XARRAY(hooks_incoming_segments);

/**
 * pci_liveupdate_remember_segments - Keep bus numbers until reboot.
 * @index: Functions that the previous kernel preserved.
 *
 * Context: Process context. May sleep.
 * Return: 0, or -ENOMEM.
 */
int pci_liveupdate_remember_segments(struct pci_liveupdate_index *index)
{
	pci_ser_key_t key = 0;

	while (pci_liveupdate_index_next(index, &key)) {
		u32 domain = PCI_SER_KEY_DOMAIN(key);
		int err;

		err = xa_err(xa_store(&hooks_incoming_segments, domain,
				      xa_mk_value(1), GFP_KERNEL));
		if (err)
			return err;
		key = PCI_SER_KEY(domain, 0xffff) + 1;
	}

	return 0;
}

/**
 * pci_liveupdate_begin_renumber - Begin to give a bridge other bus numbers.
 * @bus: The bus that the bridge is on.
 *
 * No function can be preserved until pci_liveupdate_end_renumber(): its bridges
 * may have no numbers for a moment.
 *
 * Context: Process context. May sleep.
 * Return: false if bridges keep their numbers, since the segment of @bus has
 *         functions that are preserved for the next kernel, or had functions that
 *         the previous one preserved. Then nothing has begun.
 */
bool pci_liveupdate_begin_renumber(struct pci_bus *bus)
{
	u32 domain = pci_domain_nr(bus);

	guard(mutex)(&pci_liveupdate_lock);

	if (xa_load(&hooks_incoming_segments, domain) ||
	    (pci_liveupdate_outgoing &&
	     pci_liveupdate_index_any(pci_liveupdate_outgoing, domain, 0,
				      PCI_SER_BUSES - 1)))
		return false;

	pci_liveupdate_renumbering++;
	return true;
}

/**
 * pci_liveupdate_end_renumber - The bridge has its bus numbers.
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_end_renumber(void)
{
	guard(mutex)(&pci_liveupdate_lock);

	pci_liveupdate_renumbering--;
}

/* Shrink [first, last] to its first part without any function of the index. */
static void hooks_find_free_buses(struct pci_liveupdate_index *index, u32 domain,
				  int *first, int *last)
{
	pci_ser_key_t key;

	if (!index)
		return;

	while (*first <= *last &&
	       pci_liveupdate_index_any(index, domain, *first, *first))
		++*first;

	key = PCI_SER_KEY(domain, PCI_DEVID(*first, 0));
	if (*first <= *last && pci_liveupdate_index_next(index, &key) &&
	    key <= PCI_SER_KEY(domain, PCI_DEVID(*last, 0xff)))
		*last = PCI_BUS_NUM(PCI_SER_KEY_BDF(key)) - 1;
}

/*
 * The previous kernel preserved @bridge with bus numbers that it does not have
 * any more. Devices that were below cannot be reached with other numbers.
 */
static bool hooks_lost_bus_numbers(struct pci_dev *bridge)
{
	const struct pci_function_ser *entry;

	lockdep_assert_held(&pci_liveupdate_lock);

	if (test_bit(PCI_DEV_LIVEUPDATE_INCOMING, &bridge->priv_flags))
		return false;

	entry = pci_liveupdate_incoming_entry(bridge);
	return entry && pci_liveupdate_answers_as(bridge, entry) &&
	       !pci_liveupdate_bridge_has_numbers(bridge, entry);
}

/**
 * pci_liveupdate_find_bus_numbers - Find numbers for the buses below a bridge.
 * @bridge: A bridge that is about to get bus numbers.
 * @pass: Pass of pci_scan_bridge_extend(): the second one, 1, assigns them.
 * @first: First number that may be used, changed to the first that is free.
 * @last: Last number that may be used, changed to the last before one that is
 *        not free.
 *
 * A number is free if no function that is preserved, on either side, has it.
 *
 * Context: Process context. May sleep.
 * Return: false if @bridge must not get numbers: there is none left, which is an
 *         error message, or the previous kernel preserved it with others.
 */
bool pci_liveupdate_find_bus_numbers(struct pci_dev *bridge, int pass,
				     int *first, int *last)
{
	u32 domain = pci_domain_nr(bridge->bus);
	int before;

	if (!liveupdate_enabled())
		return true;

	scoped_guard(mutex, &pci_liveupdate_lock) {
		if (hooks_lost_bus_numbers(bridge))
			return false;
		if (!pass || *first > *last)
			return true;

		do {
			before = *first;
			hooks_find_free_buses(pci_liveupdate_incoming, domain,
					      first, last);
			hooks_find_free_buses(pci_liveupdate_outgoing, domain,
					      first, last);
		} while (*first != before);
	}

	if (*first > *last) {
		pci_err(bridge, "no bus number is left that no preserved device has\n");
		return false;
	}

	return true;
}

/* Resources */

/* All ones written to a BAR of this size would read back as this. */
static u64 hooks_size_mask(u8 shift)
{
	return shift ? ~(BIT_ULL(shift) - 1) : 0;
}

/**
 * pci_liveupdate_bar_sizes - Get the sizes of BARs without writing to them.
 * @dev: A device that is being enumerated.
 * @howmany: Number of BARs.
 * @sizes: @howmany values, as __pci_size_stdbars() gets them.
 * @rom: Offset of the expansion ROM BAR, or 0.
 * @rom_size: As __pci_size_rom() gets it, if @rom is not 0.
 *
 * Context: Process context. May sleep.
 * Return: true if the previous kernel preserved @dev; if not, nothing has been
 *         read or changed.
 */
bool pci_liveupdate_bar_sizes(struct pci_dev *dev, int howmany, u32 *sizes,
			      int rom, u32 *rom_size)
{
	const struct pci_function_ser *entry;

	if (!pci_liveupdate_hands_off(dev))
		return false;

	guard(mutex)(&pci_liveupdate_lock);

	entry = pci_liveupdate_incoming_entry(dev);
	if (!entry)
		return false;

	for (int i = 0; i < howmany; i++) {
		u64 mask = hooks_size_mask(entry->bar_shift[i]);
		u32 bar;

		pci_read_config_dword(dev, PCI_BASE_ADDRESS_0 + 4 * i, &bar);
		sizes[i] = lower_32_bits(mask);
		if ((bar & (PCI_BASE_ADDRESS_SPACE |
			    PCI_BASE_ADDRESS_MEM_TYPE_MASK)) ==
		    PCI_BASE_ADDRESS_MEM_TYPE_64 && i + 1 < howmany)
			sizes[++i] = upper_32_bits(mask);
	}

	if (rom)
		*rom_size = lower_32_bits(hooks_size_mask(entry->bar_shift[PCI_SER_ROM]));

	return true;
}

static void hooks_claim(struct pci_dev *dev, int first, int last)
{
	for (int i = first; i <= last; i++) {
		struct resource *res = &dev->resource[i];

		if (!res->flags || res->flags & IORESOURCE_UNSET ||
		    res->parent || !res->start)
			continue;

		/* An expansion ROM that is off is not in use. */
		if (i == PCI_ROM_RESOURCE &&
		    !(res->flags & IORESOURCE_ROM_ENABLE))
			continue;

		if (pci_claim_resource(dev, i))
			pci_err(dev, "%s %pR is in use, but cannot be claimed\n",
				pci_resource_name(dev, i), res);
	}
}

/*
 * The core has tried INTx masking and enabled LTR, or so it believes, and may
 * suspend the device.
 */
static void hooks_correct_beliefs(struct pci_dev *dev)
{
	const struct pci_function_ser *entry;

	guard(mutex)(&pci_liveupdate_lock);

	if (!pci_liveupdate_hands_off(dev))
		return;

	entry = pci_liveupdate_incoming_entry(dev);
	if (entry)
		dev->broken_intx_masking = !!(entry->flags & PCI_SER_INTX_BROKEN);

	if (!test_and_set_bit(PCI_DEV_LIVEUPDATE_POWERED, &dev->priv_flags))
		pm_runtime_get_noresume(&dev->dev);

#ifdef CONFIG_PCIEASPM
	if (dev->ltr_path) {
		u16 ctl;

		pcie_capability_read_word(dev, PCI_EXP_DEVCTL2, &ctl);
		dev->ltr_path = !!(ctl & PCI_EXP_DEVCTL2_LTR_EN);
	}
#endif
}

/**
 * pci_liveupdate_bus_scanned - Settle the preserved devices on a bus.
 * @bus: A bus whose devices have been enumerated, while nothing below them has.
 *
 * Claim the resources that these devices decode, so that devices found later have
 * to use others, and correct the state of the core that is based on writes which
 * the guard refused. Until a device is finished it is not suspended at run time,
 * and so no bridge above is.
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_bus_scanned(struct pci_bus *bus)
{
	struct pci_dev *dev;

	if (!READ_ONCE(pci_liveupdate_incoming))
		return;

	/* Some architectures have read the windows by now, others have not. */
	if (bus->self && pci_liveupdate_incoming_is_preserved(bus->self)) {
		if (!bus->self->resource[PCI_BRIDGE_MEM_WINDOW].flags)
			pci_read_bridge_bases(bus);
		hooks_claim(bus->self, PCI_BRIDGE_RESOURCES,
			    PCI_BRIDGE_RESOURCE_END);
	}

	list_for_each_entry(dev, &bus->devices, bus_list) {
		if (!pci_liveupdate_incoming_is_preserved(dev))
			continue;
		hooks_claim(dev, PCI_STD_RESOURCES, PCI_ROM_RESOURCE);
		hooks_correct_beliefs(dev);
	}
}

/**
 * pci_liveupdate_keeps_sizes - Ask whether the BARs of a device keep their sizes.
 * @dev: A device.
 *
 * Context: Any.
 * Return: true if @dev is preserved on either side, and the record has the sizes.
 */
bool pci_liveupdate_keeps_sizes(struct pci_dev *dev)
{
	return pci_liveupdate_hands_off(dev) ||
	       test_bit(PCI_DEV_LIVEUPDATE_OUTGOING, &dev->priv_flags);
}

/* Settings */

/**
 * pci_liveupdate_limit_mps - Don't send TLPs that an adopted bridge cannot take.
 * @dev: A device.
 * @mps: Max Payload Size in bytes that it is to be set to.
 *
 * The bridges above that were preserved keep the MPS that they have, so the device
 * must be able to receive TLPs of that size, and must not send larger ones.
 *
 * Context: Process context.
 * Return: The least MPS of these bridges, or @mps if there are none.
 */
int pci_liveupdate_limit_mps(struct pci_dev *dev, int mps)
{
	struct pci_dev *bridge = dev;
	int limit = INT_MAX;

	while ((bridge = pci_upstream_bridge(bridge))) {
		if (pci_is_pcie(bridge) && pci_liveupdate_adopted(bridge))
			limit = min(limit, pcie_get_mps(bridge));
	}

	return limit == INT_MAX ? mps : limit;
}

/**
 * pci_liveupdate_keeps_power - Ask whether a device stays in its power state.
 * @dev: A device that is not in D0.
 *
 * Context: Any.
 * Return: true if the previous kernel preserved @dev and no driver has taken it
 *         over: its driver may power it up.
 */
bool pci_liveupdate_keeps_power(struct pci_dev *dev)
{
	return pci_liveupdate_hands_off(dev) && !READ_ONCE(dev->driver);
}

/* Drivers and VFs */

/**
 * pci_liveupdate_forbids_driver - Ask whether a driver must not bind by itself.
 * @dev: A device that @drv may match.
 * @drv: A driver.
 *
 * Context: Any.
 * Return: true if @dev is a function that the previous kernel preserved, @drv does
 *         not say that it leaves such a function as it is, and user space has not
 *         set driver_override.
 */
bool pci_liveupdate_forbids_driver(struct pci_dev *dev, struct pci_driver *drv)
{
	return pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_INCOMING) &&
	       pci_liveupdate_is_function(dev) && !drv->liveupdate_aware &&
	       !device_has_driver_override(&dev->dev);
}

/**
 * pci_liveupdate_begin_vfs - Begin to enable VFs.
 * @dev: A PF.
 *
 * The routing IDs of VFs are not in the record. Until pci_liveupdate_end_vfs()
 * @dev cannot be preserved; after it pci_num_vf() tells whether it has VFs.
 *
 * Context: Process context. May sleep.
 * Return: false if @dev is preserved on either side. Then nothing has begun.
 */
bool pci_liveupdate_begin_vfs(struct pci_dev *dev)
{
	guard(mutex)(&pci_liveupdate_lock);

	if (pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_OUTGOING) ||
	    pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_INCOMING)) {
		pci_warn(dev, "VFs cannot be enabled while it is preserved\n");
		return false;
	}

	set_bit(PCI_DEV_LIVEUPDATE_VFS, &dev->priv_flags);
	return true;
}

/**
 * pci_liveupdate_end_vfs - VFs have been enabled, or could not be.
 * @dev: The PF.
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_end_vfs(struct pci_dev *dev)
{
	guard(mutex)(&pci_liveupdate_lock);

	clear_bit(PCI_DEV_LIVEUPDATE_VFS, &dev->priv_flags);
}

/* Resets */

/*
 * Name a function of the index that @bus leads to, other than @but. A function
 * that was removed through sysfs is in the index without a struct pci_dev.
 */
static bool hooks_find_below(struct pci_bus *bus, struct pci_dev *but,
			     pci_ser_key_t *found)
{
	u32 domain = pci_domain_nr(bus);
	pci_ser_key_t key = PCI_SER_KEY(domain, PCI_DEVID(bus->busn_res.start, 0));
	pci_ser_key_t end = PCI_SER_KEY(domain, PCI_DEVID(bus->busn_res.end, 0xff));

	if (!READ_ONCE(pci_liveupdate_incoming) ||
	    IS_ENABLED(CONFIG_PCI_LIVEUPDATE_TEST_GUARD_ONLY))
		return false;

	guard(mutex)(&pci_liveupdate_lock);

	if (!pci_liveupdate_incoming)
		return false;

	while (pci_liveupdate_index_next(pci_liveupdate_incoming, &key) &&
	       key <= end) {
		if (!but || key != PCI_SER_KEY(domain, pci_dev_id(but))) {
			*found = key;
			return true;
		}
		key++;
	}

	return false;
}

static bool hooks_reset_blocked(struct pci_bus *bus, struct pci_dev *but,
				const char *what)
{
	pci_ser_key_t key;
	u16 bdf;

	if (!hooks_find_below(bus, but, &key))
		return false;

	bdf = PCI_SER_KEY_BDF(key);
	pr_err("%04x:%02x: cannot be %s: %04x:%02x:%02x.%d is preserved and not finished\n",
	       pci_domain_nr(bus), bus->number, what, PCI_SER_KEY_DOMAIN(key),
	       PCI_BUS_NUM(bdf), PCI_SLOT(bdf), PCI_FUNC(bdf));
	return true;
}

/**
 * pci_liveupdate_blocks_function_reset - Ask whether a function must not be reset.
 * @dev: A function.
 * @by_driver: Whether the driver asks, if one is bound, or user space.
 *
 * The driver that has taken a preserved function over may reset it.
 *
 * Context: Process context.
 * Return: true if the previous kernel preserved @dev, it is not finished and the
 *         driver does not ask, which is an error message.
 */
bool pci_liveupdate_blocks_function_reset(struct pci_dev *dev, bool by_driver)
{
	if (!pci_liveupdate_hands_off(dev) ||
	    (by_driver && READ_ONCE(dev->driver)))
		return false;

	pci_err(dev, "cannot be reset: it is preserved and not finished\n");
	return true;
}

/**
 * pci_liveupdate_blocks_bus_reset - Ask whether a bus must not be reset.
 * @bus: A bus.
 * @report: Whether to say so. Not if the caller tries something else first.
 *
 * Context: Process context. May sleep.
 * Return: true if a function on or below @bus is preserved by the previous kernel
 *         and not finished.
 */
bool pci_liveupdate_blocks_bus_reset(struct pci_bus *bus, bool report)
{
	pci_ser_key_t key;

	return report ? hooks_reset_blocked(bus, NULL, "reset") :
			hooks_find_below(bus, NULL, &key);
}

/**
 * pci_liveupdate_allow_bus_reset - Ask to reset a function by resetting its bus.
 * @dev: The function. If the previous kernel preserved it, its driver asks.
 *
 * Lets one reset pass the guard of the bridge above. The caller holds the lock of
 * @dev, and its bus has no other device.
 *
 * Context: Process context. May sleep.
 * Return: 0, or -EBUSY if another function on the bus is preserved by the previous
 *         kernel and not finished, which is an error message. It need not have a
 *         struct pci_dev.
 */
int pci_liveupdate_allow_bus_reset(struct pci_dev *dev)
{
	struct pci_dev *bridge = pci_upstream_bridge(dev);

	/* A root bus cannot be reset */
	if (!bridge)
		return 0;

	if (hooks_reset_blocked(dev->bus, dev, "reset"))
		return -EBUSY;

	if (pci_liveupdate_hands_off(bridge))
		set_bit(PCI_DEV_LIVEUPDATE_RESETTING, &bridge->priv_flags);
	return 0;
}

/**
 * pci_liveupdate_blocks_recovery - Ask whether error recovery must not be tried.
 * @bridge: The device that recovery is for, and all devices below it.
 *
 * Recovery resets devices, and declares them dead if that fails.
 *
 * Context: Process context. May sleep.
 * Return: true if @bridge, or a function below, is preserved by the previous
 *         kernel and not finished, which is an error message.
 */
bool pci_liveupdate_blocks_recovery(struct pci_dev *bridge)
{
	if (!bridge || pci_liveupdate_is_contained(bridge))
		return false;

	if (bridge->subordinate)
		return hooks_reset_blocked(bridge->subordinate, NULL,
					   "reset to recover from an error");

	if (!pci_liveupdate_hands_off(bridge))
		return false;

	pci_err(bridge, "cannot be reset to recover from an error: it is preserved and not finished\n");
	return true;
}
