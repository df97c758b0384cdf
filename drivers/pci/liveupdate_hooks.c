// SPDX-License-Identifier: GPL-2.0
/*
 * PCI live update: hooks of the PCI core for preserved devices.
 *
 * The guard refuses writes to these devices. The PCI core calls a hook where it
 * would misinterpret a refused write or wait for its effect, and where another
 * device must be configured differently.
 */

#define pr_fmt(fmt) "PCI: liveupdate: " fmt
#define dev_fmt(fmt) "liveupdate: " fmt

#include <kunit/static_stub.h>
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

/* Segments in which the previous kernel preserved functions; kept until reboot */
static DEFINE_XARRAY(hooks_incoming_segments);

/**
 * pci_liveupdate_remember_segments - Don't renumber buses of these segments.
 * @index: Functions that the previous kernel preserved.
 *
 * Context: Process context. May sleep.
 * Return: 0, or -ENOMEM if there is no memory.
 */
int pci_liveupdate_remember_segments(struct pci_liveupdate_index *index)
{
	pci_ser_key_t key = 0;

	KUNIT_STATIC_STUB_REDIRECT(pci_liveupdate_remember_segments, index);

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
 * pci_liveupdate_begin_renumber - Begin to assign bus numbers to a bridge.
 * @bus: The bus of the bridge.
 *
 * On success no function can be preserved until pci_liveupdate_end_renumber():
 * bridges above it may have no valid numbers in between.
 *
 * Context: Process context. May sleep.
 * Return: false if bridges must keep their numbers, because functions in the
 *         segment of @bus are preserved for the next kernel, or were preserved by
 *         the previous kernel.
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
 * pci_liveupdate_end_renumber - Undo pci_liveupdate_begin_renumber().
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_end_renumber(void)
{
	guard(mutex)(&pci_liveupdate_lock);

	pci_liveupdate_renumbering--;
}

/* Shrink [first, last] to its first run of buses without functions of the index. */
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
 * Check if @bridge was preserved with bus numbers other than its current ones.
 * Assigning numbers again would not make the functions below reachable.
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
 * pci_liveupdate_find_bus_numbers - Find bus numbers for a bridge.
 * @bridge: A bridge before it gets bus numbers.
 * @pass: Pass of pci_scan_bridge_extend(): the second one, 1, assigns numbers.
 * @first: First available number, increased to the first free one.
 * @last: Last available number, decreased to the end of the free range.
 *
 * A number is free if no function preserved on either side is on that bus.
 *
 * Context: Process context. May sleep.
 * Return: false if @bridge must not get numbers: no number is free, which prints
 *         an error, or the previous kernel preserved @bridge with other numbers.
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
		pci_err(bridge, "no bus number left: preserved devices use all of them\n");
		return false;
	}

	return true;
}

/* Resources */

/* Get the value that a BAR returns after writing all ones to it. */
static u64 hooks_size_mask(u8 shift)
{
	return shift ? ~(BIT_ULL(shift) - 1) : 0;
}

/**
 * pci_liveupdate_bar_sizes - Get BAR sizes from the record.
 * @dev: A device that is being enumerated.
 * @howmany: Number of BARs.
 * @sizes: Set to @howmany values in the format of __pci_size_stdbars().
 * @rom: Offset of the expansion ROM BAR, or 0.
 * @rom_size: Set to a value in the format of __pci_size_rom() if @rom is not 0.
 *
 * Context: Process context. May sleep.
 * Return: true if the previous kernel preserved @dev, or false with nothing set.
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

static void hooks_claim_resources(struct pci_dev *dev, int first, int last)
{
	for (int i = first; i <= last; i++) {
		struct resource *res = &dev->resource[i];

		if (!res->flags || res->flags & IORESOURCE_UNSET ||
		    res->parent || !res->start)
			continue;

		/* A disabled expansion ROM decodes no addresses */
		if (i == PCI_ROM_RESOURCE &&
		    !(res->flags & IORESOURCE_ROM_ENABLE))
			continue;

		if (pci_claim_resource(dev, i))
			pci_err(dev, "%s %pR is in use, but cannot be claimed\n",
				pci_resource_name(dev, i), res);
	}
}

/**
 * pci_liveupdate_correct_state - Correct state that depends on refused writes.
 * @dev: A device that the previous kernel preserved, after pci_device_add().
 *
 * The guard refused the writes by which the core tested INTx masking and enabled
 * LTR: correct the results, and prevent runtime suspend.
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_correct_state(struct pci_dev *dev)
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
 * pci_liveupdate_bus_scanned - Set up the state of preserved devices on a bus.
 * @bus: A bus after its devices have been enumerated, and before the buses below.
 *
 * Claim the resources that these devices decode before the core assigns them to
 * other devices. Correct state that the core derived from refused writes. Prevent
 * runtime suspend of the devices, and so of bridges above, until they are finished.
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_bus_scanned(struct pci_bus *bus)
{
	struct pci_dev *dev;

	/*
	 * The core assigns VF BARs next, and does not write them while VFs are enabled:
	 * see pci_iov_update_resource().
	 */
	list_for_each_entry(dev, &bus->devices, bus_list)
		pci_liveupdate_disable_dropped(dev);

	if (!READ_ONCE(pci_liveupdate_incoming))
		return;

	/* Only some architectures have read the windows by now */
	if (bus->self && pci_liveupdate_incoming_is_preserved(bus->self)) {
		if (!bus->self->resource[PCI_BRIDGE_MEM_WINDOW].flags)
			pci_read_bridge_bases(bus);
		hooks_claim_resources(bus->self, PCI_BRIDGE_RESOURCES,
				      PCI_BRIDGE_RESOURCE_END);
	}

	list_for_each_entry(dev, &bus->devices, bus_list) {
		if (!pci_liveupdate_incoming_is_preserved(dev))
			continue;
		hooks_claim_resources(dev, PCI_STD_RESOURCES, PCI_ROM_RESOURCE);
#ifdef CONFIG_PCI_IOV
		hooks_claim_resources(dev, PCI_IOV_RESOURCES,
				      PCI_IOV_RESOURCE_END);
#endif
		pci_liveupdate_correct_state(dev);
	}
}

/**
 * pci_liveupdate_keeps_sizes - Check if BARs of a device must not be resized.
 * @dev: A device.
 *
 * Context: Any.
 * Return: true if @dev is preserved on either side: the record has its BAR sizes.
 */
bool pci_liveupdate_keeps_sizes(struct pci_dev *dev)
{
	return pci_liveupdate_hands_off(dev) ||
	       test_bit(PCI_DEV_LIVEUPDATE_OUTGOING, &dev->priv_flags);
}

/* Settings */

/**
 * pci_liveupdate_limit_mps - Limit the MPS of a device below adopted bridges.
 * @dev: A device.
 * @mps: Max Payload Size in bytes that the core selected for @dev.
 *
 * Adopted bridges keep their MPS. Use the same MPS for devices below, which must
 * receive TLPs of this size and must not send larger ones.
 *
 * Context: Process context.
 * Return: The smallest MPS of adopted bridges above @dev, or @mps without any.
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
 * pci_liveupdate_keeps_power - Check if the power state must not change.
 * @dev: A device that is not in D0.
 *
 * Context: Any.
 * Return: true if the previous kernel preserved @dev and no driver is bound, since
 *         a driver may power it up.
 */
bool pci_liveupdate_keeps_power(struct pci_dev *dev)
{
	return pci_liveupdate_hands_off(dev) && !READ_ONCE(dev->driver);
}

/* Drivers */

/**
 * pci_liveupdate_forbids_driver - Check if a driver must not bind automatically.
 * @dev: A device.
 * @drv: A driver.
 *
 * Context: Any.
 * Return: true if @dev is a function that the previous kernel preserved, or a PF whose
 *         VFs are in use, @drv has not set liveupdate_aware, and user space has not
 *         set driver_override.
 */
bool pci_liveupdate_forbids_driver(struct pci_dev *dev, struct pci_driver *drv)
{
	if (drv->liveupdate_aware || device_has_driver_override(&dev->dev))
		return false;

	return (pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_INCOMING) &&
		pci_liveupdate_is_function(dev)) ||
	       pci_liveupdate_forbids_pf_driver(dev);
}

/**
 * pci_liveupdate_check_probe - Check again if a driver must not bind.
 * @dev: A device with @drv as its driver.
 * @drv: A driver that is about to be probed.
 *
 * A VF may have been preserved since pci_liveupdate_forbids_driver() was asked, when
 * its PF had no driver. The lock orders this check, which comes after ->driver is set,
 * with pci_liveupdate_check_pf(): one of the two sees the other, and fails.
 *
 * Context: Process context. May sleep.
 * Return: 0, or -EBUSY if @drv must not be probed.
 */
int pci_liveupdate_check_probe(struct pci_dev *dev, struct pci_driver *drv)
{
	if (!liveupdate_enabled())
		return 0;

	guard(mutex)(&pci_liveupdate_lock);

	return pci_liveupdate_forbids_driver(dev, drv) ? -EBUSY : 0;
}

/* Resets */

/*
 * Find a function on or below @bus, except @except. Search the index, not the
 * bus: a function removed through sysfs has no struct pci_dev.
 */
static bool hooks_find_below(struct pci_bus *bus, struct pci_dev *except,
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
		if (!except || key != PCI_SER_KEY(domain, pci_dev_id(except))) {
			*found = key;
			return true;
		}
		key++;
	}

	return false;
}

static bool hooks_reset_blocked(struct pci_bus *bus, struct pci_dev *except,
				const char *action)
{
	pci_ser_key_t key;
	u16 bdf;

	if (!hooks_find_below(bus, except, &key))
		return false;

	bdf = PCI_SER_KEY_BDF(key);
	pr_err("%04x:%02x: cannot be %s: %04x:%02x:%02x.%d is preserved and not finished\n",
	       pci_domain_nr(bus), bus->number, action, PCI_SER_KEY_DOMAIN(key),
	       PCI_BUS_NUM(bdf), PCI_SLOT(bdf), PCI_FUNC(bdf));
	return true;
}

/**
 * pci_liveupdate_blocks_function_reset - Check if a function must not be reset.
 * @dev: A function.
 * @by_driver: true if a driver requests the reset, false if user space does.
 *
 * A driver that is bound to a preserved function may reset it, unless it holds the
 * function or that is a PF with preserved VFs. Prints an error if the reset is blocked.
 *
 * Context: Process context. May sleep.
 * Return: true if the previous kernel preserved @dev, it is not finished, and the
 *         request does not come from a bound driver, or @dev is held, or the reset
 *         would reset VFs.
 */
bool pci_liveupdate_blocks_function_reset(struct pci_dev *dev, bool by_driver)
{
	if (!pci_liveupdate_hands_off(dev))
		return false;

	scoped_guard(mutex, &pci_liveupdate_lock) {
		if (by_driver && READ_ONCE(dev->driver) &&
		    !pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_HELD) &&
		    !pci_liveupdate_nr_vfs(dev, PCI_DEV_LIVEUPDATE_INCOMING))
			return false;
	}

	pci_err(dev, "cannot be reset: it or a VF of it is preserved and not finished\n");
	return true;
}

/**
 * pci_liveupdate_blocks_bus_reset - Check if a bus must not be reset.
 * @bus: A bus.
 * @report: Print an error. false for a probe, which user space can repeat at any rate,
 *          and for a caller that has other reset methods to try.
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
 * pci_liveupdate_allow_bus_reset - Allow a reset of a function by bus reset.
 * @dev: The function. Only its driver may request this if the previous kernel
 *       preserved it.
 *
 * Lets one reset pass the guard of the bridge above, until
 * pci_liveupdate_end_bus_reset(). The caller holds the lock of @dev.
 *
 * Context: Process context. May sleep.
 * Return: 0, or -EBUSY with an error message if another function on the bus is
 *         preserved by the previous kernel and not finished, even if it has no
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
 * pci_liveupdate_end_bus_reset - Undo pci_liveupdate_allow_bus_reset().
 * @dev: The function.
 *
 * The guard takes the permission back when the reset is deasserted. Without a reset
 * the permission would stay, and let user space reset the bus.
 *
 * Context: Process context. The caller holds the lock of @dev.
 */
void pci_liveupdate_end_bus_reset(struct pci_dev *dev)
{
	struct pci_dev *bridge = pci_upstream_bridge(dev);

	if (bridge)
		clear_bit(PCI_DEV_LIVEUPDATE_RESETTING, &bridge->priv_flags);
}

/**
 * pci_liveupdate_blocks_recovery - Check if error recovery must not be tried.
 * @bridge: The device to recover with all devices below, or NULL.
 *
 * Recovery resets devices, and marks them as failed without a reset. Prints an
 * error if recovery is blocked. If Downstream Port Containment has reset the devices
 * already, they are no longer preserved.
 *
 * After the kexec has begun, the guard would refuse the reset of a preserved function.
 * A reset waits for the lock of the bridge, and pcie_portdrv_shutdown(), with this
 * lock, waits for the interrupt thread that recovers.
 *
 * Context: Process context. May sleep.
 * Return: true if @bridge or a function below is preserved by the previous kernel
 *         and not finished, or the kexec has begun.
 */
bool pci_liveupdate_blocks_recovery(struct pci_dev *bridge)
{
	if (!bridge)
		return false;

	if (pci_liveupdate_is_contained(bridge)) {
		pci_liveupdate_lose_below(bridge);
		return false;
	}

	if (READ_ONCE(pci_liveupdate_handing_over)) {
		pci_err(bridge, "cannot be reset to recover from an error: the kexec has begun\n");
		return true;
	}

	if (bridge->subordinate)
		return hooks_reset_blocked(bridge->subordinate, NULL,
					   "reset to recover from an error");

	if (!pci_liveupdate_hands_off(bridge))
		return false;

	pci_err(bridge, "cannot be reset to recover from an error: it is preserved and not finished\n");
	return true;
}
