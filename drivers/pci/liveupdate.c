// SPDX-License-Identifier: GPL-2.0
/*
 * PCI devices across a live update: which ones are preserved.
 */

/**
 * DOC: PCI live update
 *
 * A live update replaces the kernel by kexec while devices keep working for
 * their owners. LUO carries files across, and the PCI core does its part: it
 * records which functions the outgoing kernel preserves, and lets the incoming
 * kernel know, from its first look at the bus, which functions must not be
 * disturbed. A function is named by its segment and BDF: bus numbers cannot
 * change under a device that does DMA.
 *
 * Outgoing kernel
 * ---------------
 *
 * A driver registers its LUO file handler with pci_liveupdate_register_fh().
 * When the first file of such a handler is preserved, LUO has an empty index
 * made. The handler's .preserve() callback calls
 * pci_liveupdate_outgoing_preserve(), which adds the function and the bridges
 * above it; its .unpreserve() callback calls
 * pci_liveupdate_outgoing_unpreserve(). The pages of the index are the record
 * that the next kernel reads. Nothing writes them once the kexec has begun: the
 * reboot notifier waits for the last writer. If the next kernel takes no record,
 * since it was loaded with kexec_load() or KHO is off, bus mastering of the
 * preserved functions is cleared as in any reboot.
 *
 * Incoming kernel
 * ---------------
 *
 * The record is read before any bus is scanned. As a function is enumerated it
 * is compared with the record and marked, so that
 * pci_liveupdate_incoming_is_preserved() is true before any driver can bind. The
 * handler's .finish() callback calls pci_liveupdate_incoming_finish(), which
 * ends the function's preservation, and with the last one below it that of a
 * bridge. When the last file is finished the record is freed.
 *
 * Bridges have no reference count. Below a bridge lies a contiguous range of
 * BDFs, so a bridge is released when that range is empty. Its own BDF lies in its
 * parent's range: bridges are released bottom-up.
 *
 * Until then the guard refuses writes to preserved devices, see
 * drivers/pci/liveupdate_guard.c.
 *
 * Unhappy paths
 * -------------
 *
 * - The record as a whole is damaged, or of a version or a layout that this kernel
 *   does not know: panic, with the field, what was found and what was expected.
 *   The preserved devices do DMA, and a kernel that does not know which ones they
 *   are would give that memory and those devices away.
 * - The entry of one function is damaged: an error with the same details. That
 *   function is not treated as preserved, and its bus mastering is cleared.
 * - The previous kernel handed devices over, but LUO is off in this one: a message
 *   at the highest level. Nothing is protected then.
 * - Another device answers at a preserved BDF: an error with both identities.
 *   It is not treated as preserved. The entry stays until the end.
 * - A preserved bridge has other bus numbers: an error with both, and with the
 *   functions that cannot be reached. It is not given any numbers.
 * - A preserved function does not show up: a warning and a count, at the end of
 *   the boot. The bridges above it stay preserved until the end.
 * - The last file is finished, but some functions are not: their bus mastering is
 *   cleared unless a driver is bound, before anything can reuse the memory that
 *   they write to, with a warning and a uevent.
 * - A function is removed while it is preserved for the next kernel: a warning,
 *   and it is dropped, so that the next kernel does not wait for it.
 * - A function is removed while it is preserved by the previous kernel: if the
 *   hardware is gone it is dropped, since a device that comes next is blank. If
 *   not, it is adopted again when it is found again.
 * - The system is to be suspended or hibernated while devices are preserved on
 *   either side: refused, since that would write to them and power them off.
 *
 * Not covered: the state of the IOMMU and its groups, and interrupts that arrive
 * between the kernels. IOMMU drivers switch translation off at kexec, so that the
 * first device behind an IOMMU that is preserved gets a warning.
 *
 * Locking
 * -------
 *
 * pci_liveupdate_lock is a leaf. Lock hierarchy:
 *
 *   LUO session mutex -> luo_file mutex -> luo_register_rwlock -> FLB mutex ->
 *   pci_liveupdate_lock -> KHO and the page allocator
 *
 *   pci_rescan_remove_lock -> pci_liveupdate_lock
 *
 * It is never held across a liveupdate_flb_*() call, and no code that can probe a
 * driver runs under it. Only the start of the kernel takes a reference to the FLB:
 * LUO copies the count of the moment into the next kernel, and a reference in
 * flight would be one that is never dropped.
 */

#define pr_fmt(fmt) "PCI: liveupdate: " fmt
#define dev_fmt(fmt) "liveupdate: " fmt

#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/acpi.h>
#include <linux/bitops.h>
#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/iommu.h>
#include <linux/kexec.h>
#include <linux/kho/abi/pci.h>
#include <linux/liveupdate.h>
#include <linux/lockdep.h>
#include <linux/log2.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/sched/clock.h>
#include <linux/sizes.h>

#include "pci.h"
#include "liveupdate_index.h"

#define CREATE_TRACE_POINTS
#include <trace/events/pci_liveupdate.h>

/* How many functions a list in the log names before it only counts. */
#define LOG_LIMIT	16

/* Start time for a tracepoint, 0 if it is disabled. */
#define trace_start(event)						\
	(trace_pci_liveupdate_##event##_enabled() ? sched_clock() : 0)

/* Protects the following, and more: see drivers/pci/liveupdate.h */
DEFINE_MUTEX(pci_liveupdate_lock);
struct pci_liveupdate_index *pci_liveupdate_outgoing;
struct pci_liveupdate_index *pci_liveupdate_incoming;
unsigned int pci_liveupdate_renumbering;

static pci_ser_key_t pci_liveupdate_key(struct pci_dev *dev)
{
	return PCI_SER_KEY(pci_domain_nr(dev->bus), pci_dev_id(dev));
}

bool pci_liveupdate_is_function(struct pci_dev *dev)
{
	return dev->hdr_type == PCI_HEADER_TYPE_NORMAL && !dev->is_virtfn;
}

bool pci_liveupdate_has_flag(struct pci_dev *dev, int flag)
{
	return test_bit(flag, &dev->priv_flags);
}

/* Name some of the functions in a range, absent ones only if asked. */
static void pci_liveupdate_warn_range(struct pci_liveupdate_index *index,
				      pci_ser_key_t start, pci_ser_key_t end,
				      const char *what, bool absent)
{
	struct pci_liveupdate_slot slot;
	unsigned int n = 0;

	for (pci_ser_key_t key = start;
	     pci_liveupdate_index_next(index, &key) && key < end; key++) {
		u16 bdf = PCI_SER_KEY_BDF(key);

		if (absent && pci_liveupdate_index_find(index, key, &slot) &&
		    pci_liveupdate_index_marked(&slot))
			continue;
		if (n++ == LOG_LIMIT) {
			pr_warn("and more, see /sys/kernel/debug/pci_liveupdate\n");
			break;
		}
		pr_warn("%04x:%02x:%02x.%d %s\n", PCI_SER_KEY_DOMAIN(key),
			PCI_BUS_NUM(bdf), PCI_SLOT(bdf), PCI_FUNC(bdf), what);
	}
}

/**
 * pci_liveupdate_warn - Name functions of an index in the log.
 * @index: An index.
 * @what: Text behind the address of each.
 * @absent: Name only functions that have not been found.
 *
 * Context: The caller holds pci_liveupdate_lock.
 */
void pci_liveupdate_warn(struct pci_liveupdate_index *index, const char *what,
			 bool absent)
{
	pci_liveupdate_warn_range(index, 0, U64_MAX, what, absent);
}

/* Functions */

/* log2 of the size that a BAR decodes, 0 if its register does not decode it. */
static u8 pci_liveupdate_bar_shift(struct pci_dev *dev, int bar)
{
	const struct resource *res = &dev->resource[bar];
	int size = -ENOENT;

	/* A resource is not up to date while its BAR is being resized */
	if (bar < PCI_STD_NUM_BARS && dev->hdr_type == PCI_HEADER_TYPE_NORMAL)
		size = pci_rebar_get_current_size(dev, bar);
	if (size >= 0)
		return size + ilog2(SZ_1M);

	if (!res->flags ||
	    res->flags & (IORESOURCE_PCI_FIXED | IORESOURCE_ROM_SHADOW))
		return 0;

	return ilog2(resource_size(res));
}

static struct pci_function_ser pci_liveupdate_describe(struct pci_dev *dev)
{
	bool bridge = dev->hdr_type == PCI_HEADER_TYPE_BRIDGE;
	struct pci_function_ser entry = {
		.vendor = dev->vendor,
		.device = dev->device,
		.hdr_type = dev->hdr_type,
		.secondary = bridge ? dev->subordinate->busn_res.start : 0,
		.subordinate = bridge ? dev->subordinate->busn_res.end : 0,
		.flags = dev->broken_intx_masking ? PCI_SER_INTX_BROKEN : 0,
	};

	for (int i = 0; i < (bridge ? 2 : PCI_STD_NUM_BARS); i++)
		entry.bar_shift[i] = pci_liveupdate_bar_shift(dev, i);
	entry.bar_shift[PCI_SER_ROM] =
		pci_liveupdate_bar_shift(dev, PCI_ROM_RESOURCE);

	return entry;
}

/*
 * The next kernel must give the segment the same number, and find the host bridge
 * set up. On x86 only Hyper-V has domain_nr set, and VMD takes any free number.
 * Elsewhere firmware sets host bridges up that ACPI describes, of which Hyper-V's
 * is none, and those of the generic drivers. Other drivers reset theirs.
 */
VISIBLE_IF_KUNIT bool pci_liveupdate_host_is_stable(struct pci_bus *bus)
{
	struct pci_host_bridge *host = pci_find_host_bridge(bus);

	KUNIT_STATIC_STUB_REDIRECT(pci_liveupdate_host_is_stable, bus);

#ifdef CONFIG_X86
	return !is_vmd(bus) && host->domain_nr == PCI_DOMAIN_NR_NOT_SET;
#else
	if (!acpi_disabled)
		return has_acpi_companion(&host->dev);

	return host->dev.parent && host->dev.parent->of_node &&
	       of_get_pci_domain_nr(host->dev.parent->of_node) >= 0 &&
	       (of_device_is_compatible(host->dev.parent->of_node,
					"pci-host-ecam-generic") ||
		of_device_is_compatible(host->dev.parent->of_node,
					"pci-host-cam-generic"));
#endif
}

/* Translated requests would be lost once the IOMMU does not know the device. */
static bool pci_liveupdate_uses_ats(struct pci_dev *dev)
{
#ifdef CONFIG_PCI_ATS
	return dev->ats_enabled && device_iommu_mapped(&dev->dev);
#else
	return false;
#endif
}

static int pci_liveupdate_check_function(struct pci_dev *dev)
{
	if (dev->is_virtfn) {
		pci_warn(dev, "a VF cannot be preserved\n");
		return -EINVAL;
	}

	if (dev->hdr_type == PCI_HEADER_TYPE_BRIDGE) {
		pci_warn(dev, "a bridge is preserved with the functions below it, not by itself\n");
		return -EINVAL;
	}

	if (dev->hdr_type != PCI_HEADER_TYPE_NORMAL) {
		pci_warn(dev, "a CardBus bridge cannot be preserved\n");
		return -EINVAL;
	}

	if (pci_dev_specific_acs_needed(dev)) {
		pci_warn(dev, "cannot be preserved: a quirk enables its ACS\n");
		return -EOPNOTSUPP;
	}

	if (!pci_liveupdate_host_is_stable(dev->bus)) {
		pci_warn(dev, "cannot be preserved: the next kernel may number segment %04x differently, or reset its host bridge\n",
			 pci_domain_nr(dev->bus));
		return -EOPNOTSUPP;
	}

	if (pci_liveupdate_uses_ats(dev)) {
		pci_warn(dev, "cannot be preserved: ATS is on, and the IOMMU does not survive the kexec; boot with pci=noats\n");
		return -EOPNOTSUPP;
	}

	return 0;
}

/* Bridges */

/*
 * Bus numbers below must be a range of those below the parent, or else bridges
 * could not be released by range. And the bridge must have the numbers that this
 * kernel believes, since the next kernel can only look at the bridge.
 */
static int pci_liveupdate_check_bridge(struct pci_dev *bridge)
{
	const struct resource *range = &bridge->subordinate->busn_res;
	const struct resource *parent = &bridge->bus->busn_res;
	u8 secondary, subordinate;

	if (pci_dev_specific_acs_needed(bridge)) {
		pci_warn(bridge, "nothing below can be preserved: a quirk enables its ACS\n");
		return -EOPNOTSUPP;
	}

	if (range->start <= parent->start || range->end > parent->end) {
		pci_warn(bridge, "nothing below can be preserved: %pR is not nested in %pR\n",
			 range, parent);
		return -EOPNOTSUPP;
	}

	pci_read_config_byte(bridge, PCI_SECONDARY_BUS, &secondary);
	pci_read_config_byte(bridge, PCI_SUBORDINATE_BUS, &subordinate);
	if (secondary != range->start || subordinate != range->end) {
		pci_warn(bridge, "nothing below can be preserved: it forwards [bus %02x-%02x], not %pR\n",
			 secondary, subordinate, range);
		return -EOPNOTSUPP;
	}

	return 0;
}

static bool pci_liveupdate_any_below(struct pci_liveupdate_index *index,
				     struct pci_bus *bus)
{
	return pci_liveupdate_index_any(index, pci_domain_nr(bus),
					bus->busn_res.start, bus->busn_res.end);
}

/*
 * The device is no longer preserved on the side of @flag. An incoming one may be
 * suspended again.
 */
void pci_liveupdate_clear_flag(struct pci_dev *dev, int flag)
{
	lockdep_assert_held(&pci_liveupdate_lock);

	if (!test_and_clear_bit(flag, &dev->priv_flags) ||
	    flag != PCI_DEV_LIVEUPDATE_INCOMING)
		return;

	if (test_and_clear_bit(PCI_DEV_LIVEUPDATE_POWERED, &dev->priv_flags))
		pm_runtime_put(&dev->dev);
}

/*
 * Drop @dev and the bridges above it with nothing else below. Walk buses:
 * ->subordinate is NULL during removal.
 */
static void pci_liveupdate_drop_dev(struct pci_liveupdate_index *index,
				    struct pci_dev *dev, int flag)
{
	struct pci_liveupdate_slot slot;
	struct pci_dev *bridge = dev;
	struct pci_bus *bus;

	lockdep_assert_held(&pci_liveupdate_lock);

	do {
		if (pci_liveupdate_index_find(index, pci_liveupdate_key(bridge),
					      &slot))
			pci_liveupdate_index_remove(index, &slot);
		pci_liveupdate_clear_flag(bridge, flag);
		bus = bridge->bus;
		bridge = pci_upstream_bridge(bridge);
	} while (bridge && pci_liveupdate_has_flag(bridge, flag) &&
		 !pci_liveupdate_any_below(index, bus));
}

/* Outgoing */

static int pci_liveupdate_add_dev(struct pci_dev *dev)
{
	struct pci_function_ser entry = pci_liveupdate_describe(dev);
	int err;

	err = pci_liveupdate_index_add(pci_liveupdate_outgoing,
				       pci_liveupdate_key(dev), &entry);
	if (err)
		return err == -EEXIST ? -EBUSY : err;

	pci_liveupdate_guard_init(dev);
	set_bit(PCI_DEV_LIVEUPDATE_OUTGOING, &dev->priv_flags);
	return 0;
}

static int pci_liveupdate_add_with_bridges(struct pci_dev *dev)
{
	struct pci_dev *bridge;
	int err;

	err = pci_liveupdate_add_dev(dev);
	if (err)
		return err;

	for (bridge = pci_upstream_bridge(dev); bridge;
	     bridge = pci_upstream_bridge(bridge)) {
		if (pci_liveupdate_has_flag(bridge, PCI_DEV_LIVEUPDATE_OUTGOING))
			break;

		err = pci_liveupdate_check_bridge(bridge);
		if (!err)
			err = pci_liveupdate_add_dev(bridge);
		if (err) {
			pci_liveupdate_drop_dev(pci_liveupdate_outgoing, dev,
						PCI_DEV_LIVEUPDATE_OUTGOING);
			return err;
		}
	}

	return 0;
}

/* Reasons not to preserve a function that may come and go. */
static int pci_liveupdate_check_state(struct pci_dev *dev)
{
	lockdep_assert_held(&pci_liveupdate_lock);

	if (!pci_liveupdate_outgoing)
		return -ENOENT;
	if (kexec_in_progress)
		return -ESHUTDOWN;
	if (pci_liveupdate_has_flag(dev, PCI_DEV_REMOVED))
		return -ENODEV;
	if (pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_OUTGOING))
		return -EBUSY;

	if (pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_INCOMING)) {
		pci_warn(dev, "cannot be preserved again before it is finished\n");
		return -EBUSY;
	}

	if (pci_liveupdate_renumbering) {
		pci_warn(dev, "cannot be preserved while bus numbers are assigned\n");
		return -EBUSY;
	}

	if (pci_num_vf(dev) || pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_VFS)) {
		pci_warn(dev, "cannot be preserved while it has VFs\n");
		return -EOPNOTSUPP;
	}

	return 0;
}

static int pci_liveupdate_preserve_dev(struct pci_dev *dev)
{
	int err;

	if (!liveupdate_enabled())
		return -EOPNOTSUPP;

	err = pci_liveupdate_check_function(dev);
	if (err)
		return err;

	scoped_guard(mutex, &pci_liveupdate_lock) {
		err = pci_liveupdate_check_state(dev);
		if (err)
			return err;

		err = pci_liveupdate_add_with_bridges(dev);
		if (err)
			return err;
	}

	if (device_iommu_mapped(&dev->dev))
		pci_warn_once(dev, "is behind an IOMMU, whose translation does not survive the kexec\n");
	pci_dbg(dev, "preserved for the next kernel\n");
	return 0;
}

/**
 * pci_liveupdate_outgoing_preserve - Preserve a function for the next kernel.
 * @dev: A function with a type 0 header that is not a VF.
 *
 * From this call on the function, and the bridges above it, are in the record
 * that the next kernel reads. To be called by the .preserve() callback of a LUO
 * file handler that is registered with pci_liveupdate_register_fh().
 *
 * Context: Process context. May sleep. @dev is bound to the driver that calls.
 * Return: 0, or with nothing changed:
 *         -EINVAL if @dev is a VF, a bridge or a CardBus bridge;
 *         -EOPNOTSUPP if live update is off, if VFs are enabled or being enabled,
 *         if ATS is on behind an IOMMU, if a quirk enables ACS on @dev or on a
 *         bridge above, if the bus numbers of a bridge above are not nested in its
 *         parent's, or if the number of the segment was assigned dynamically or
 *         its host bridge is set up by a driver of its own;
 *         -ENOENT if no file of a registered handler is being preserved;
 *         -ENODEV if @dev is being removed;
 *         -EBUSY if it is preserved already: there is one bit for a function,
 *         and the first of two owners to let go would drop it for both; if the
 *         previous kernel preserved it and it is not finished; or if bus numbers
 *         are being assigned;
 *         -ESHUTDOWN if the kexec has begun;
 *         -ENOMEM if there is no memory.
 */
int pci_liveupdate_outgoing_preserve(struct pci_dev *dev)
{
	u64 start = trace_start(preserve);
	int err;

	err = pci_liveupdate_preserve_dev(dev);
	trace_pci_liveupdate_preserve(dev, err, start);
	return err;
}
EXPORT_SYMBOL_GPL(pci_liveupdate_outgoing_preserve);

static int pci_liveupdate_unpreserve_dev(struct pci_dev *dev)
{
	guard(mutex)(&pci_liveupdate_lock);

	if (!pci_liveupdate_is_function(dev) ||
	    !pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_OUTGOING)) {
		dev_warn_ratelimited(&dev->dev,
				     "not preserved for the next kernel, cannot be unpreserved\n");
		return -ENOENT;
	}

	if (kexec_in_progress)
		return -ESHUTDOWN;

	pci_liveupdate_drop_dev(pci_liveupdate_outgoing, dev,
				PCI_DEV_LIVEUPDATE_OUTGOING);
	pci_dbg(dev, "no longer preserved for the next kernel\n");
	return 0;
}

/**
 * pci_liveupdate_outgoing_unpreserve - Take a preservation back.
 * @dev: A function that pci_liveupdate_outgoing_preserve() was successful for.
 *
 * Bridges above that carry nothing else are released as well. A call for a
 * device that is not preserved changes nothing and is warned of: after a removal
 * and a rescan the function may belong to another driver.
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_outgoing_unpreserve(struct pci_dev *dev)
{
	u64 start = trace_start(unpreserve);
	int err;

	err = pci_liveupdate_unpreserve_dev(dev);
	trace_pci_liveupdate_unpreserve(dev, err, start);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_outgoing_unpreserve);

/**
 * pci_liveupdate_clear_outgoing - Preserve nothing for the next kernel any more.
 * @index: The outgoing index, which may still have functions.
 *
 * Context: Process context. The caller holds pci_liveupdate_lock.
 */
void pci_liveupdate_clear_outgoing(struct pci_liveupdate_index *index)
{
	struct pci_dev *dev = NULL;

	lockdep_assert_held(&pci_liveupdate_lock);

	pci_liveupdate_outgoing = NULL;
	if (!pci_liveupdate_index_count(index))
		return;

	pci_liveupdate_warn(index, "was preserved, but not unpreserved by its driver",
			    false);
	for_each_pci_dev(dev)
		pci_liveupdate_clear_flag(dev, PCI_DEV_LIVEUPDATE_OUTGOING);
}

/* Incoming */

bool pci_liveupdate_answers_as(struct pci_dev *dev,
			       const struct pci_function_ser *entry)
{
	return !dev->is_virtfn && dev->vendor == entry->vendor &&
	       dev->device == entry->device && dev->hdr_type == entry->hdr_type;
}

bool pci_liveupdate_bridge_has_numbers(struct pci_dev *dev,
				       const struct pci_function_ser *entry)
{
	u8 secondary, subordinate;

	if (dev->hdr_type != PCI_HEADER_TYPE_BRIDGE)
		return true;

	pci_read_config_byte(dev, PCI_SECONDARY_BUS, &secondary);
	pci_read_config_byte(dev, PCI_SUBORDINATE_BUS, &subordinate);
	return secondary == entry->secondary &&
	       subordinate == entry->subordinate;
}

/**
 * pci_liveupdate_incoming_entry - Get the recorded entry of a device.
 * @dev: A device.
 *
 * Context: The caller holds pci_liveupdate_lock.
 * Return: The entry, or NULL if there is none, or none any more.
 */
const struct pci_function_ser *pci_liveupdate_incoming_entry(struct pci_dev *dev)
{
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_slot slot;

	lockdep_assert_held(&pci_liveupdate_lock);

	if (!pci_liveupdate_incoming ||
	    !pci_liveupdate_index_find(pci_liveupdate_incoming,
				       pci_liveupdate_key(dev), &slot))
		return NULL;

	entry = pci_liveupdate_index_entry(pci_liveupdate_incoming, &slot,
					   &damage);
	return IS_ERR(entry) ? NULL : entry;
}

/* First key, and the one behind the last, of functions below a bridge. */
static void pci_liveupdate_range_below(struct pci_dev *bridge,
				       const struct pci_function_ser *entry,
				       pci_ser_key_t *start, pci_ser_key_t *end)
{
	u32 domain = pci_domain_nr(bridge->bus);

	*start = PCI_SER_KEY(domain, PCI_DEVID(entry->secondary, 0));
	*end = PCI_SER_KEY(domain, PCI_DEVID(entry->subordinate, 0xff)) + 1;
}

/* A bridge that forwards to other buses than it did, or to none. */
static void pci_liveupdate_report_lost_numbers(struct pci_dev *bridge,
					       const struct pci_function_ser *entry)
{
	u8 secondary, subordinate;
	pci_ser_key_t start, end;

	pci_read_config_byte(bridge, PCI_SECONDARY_BUS, &secondary);
	pci_read_config_byte(bridge, PCI_SUBORDINATE_BUS, &subordinate);
	pci_err(bridge, "was preserved with [bus %02x-%02x], found with [bus %02x-%02x]; not treated as preserved, and not given other numbers\n",
		entry->secondary, entry->subordinate, secondary, subordinate);

	if (secondary == entry->secondary && subordinate > entry->subordinate)
		return;

	pci_liveupdate_range_below(bridge, entry, &start, &end);
	pci_liveupdate_warn_range(pci_liveupdate_incoming, start, end,
				  "was preserved, and cannot be reached", false);
}

/*
 * Without its entry a function is not protected: it must not write to memory that
 * this kernel is about to use. Through a bridge other functions write as well, and
 * they are protected.
 */
static void pci_liveupdate_stop_damaged(struct pci_dev *dev,
					const struct pci_liveupdate_damage *damage)
{
	bool function = pci_liveupdate_is_function(dev);

	trace_pci_liveupdate_damage(dev, damage);
	if (function)
		pci_clear_master(dev);
	pci_err(dev, "its entry is damaged: %s of segment %04x is %#llx, expected %s %#llx; not treated as preserved%s\n",
		damage->field, damage->domain, damage->found, damage->rule,
		damage->expected, function ? ", bus mastering is cleared" : "");
}

/* Mark a device that is in the record, if it is the one that was recorded. */
static int pci_liveupdate_adopt(struct pci_dev *dev,
				const struct pci_liveupdate_slot *slot)
{
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;

	lockdep_assert_held(&pci_liveupdate_lock);

	entry = pci_liveupdate_index_entry(pci_liveupdate_incoming, slot, &damage);
	if (IS_ERR(entry)) {
		pci_liveupdate_stop_damaged(dev, &damage);
		return PTR_ERR(entry);
	}

	if (!pci_liveupdate_answers_as(dev, entry)) {
		pci_err(dev, "[%04x:%04x] type %02x was preserved, found [%04x:%04x] type %02x%s; not treated as preserved\n",
			entry->vendor, entry->device, entry->hdr_type,
			dev->vendor, dev->device, dev->hdr_type,
			dev->is_virtfn ? " (VF)" : "");
		return -ENODEV;
	}

	if (!pci_liveupdate_bridge_has_numbers(dev, entry)) {
		pci_liveupdate_report_lost_numbers(dev, entry);
		return -ENXIO;
	}

	pci_liveupdate_index_mark(slot, true);
	pci_liveupdate_guard_init(dev);
	pci_liveupdate_guard_adopt(dev);
	set_bit(PCI_DEV_LIVEUPDATE_INCOMING, &dev->priv_flags);
	set_bit(PCI_DEV_LIVEUPDATE_ADOPTED, &dev->priv_flags);
	pci_dbg(dev, "preserved by the previous kernel\n");
	return 0;
}

/**
 * pci_liveupdate_setup_device - Look a device up that is being enumerated.
 * @dev: A device whose address, identity and cfg_size are known.
 *
 * Context: Process context, before anything is written to @dev. May sleep.
 */
void pci_liveupdate_setup_device(struct pci_dev *dev)
{
	struct pci_liveupdate_slot slot;
	u64 start;
	int err;

	/* It becomes NULL at any time, but anything else only before the scan. */
	if (!READ_ONCE(pci_liveupdate_incoming))
		return;

	start = trace_start(incoming);
	guard(mutex)(&pci_liveupdate_lock);

	if (!pci_liveupdate_incoming ||
	    !pci_liveupdate_index_find(pci_liveupdate_incoming,
				       pci_liveupdate_key(dev), &slot))
		return;

	err = pci_liveupdate_adopt(dev, &slot);
	trace_pci_liveupdate_incoming(dev, err, start);
}

/**
 * pci_liveupdate_incoming_is_preserved - Ask whether a device must be left alone.
 * @dev: A function or a bridge.
 *
 * Context: Any.
 * Return: true if the previous kernel preserved @dev: from enumeration until it is
 *         finished.
 */
bool pci_liveupdate_incoming_is_preserved(struct pci_dev *dev)
{
	return test_bit(PCI_DEV_LIVEUPDATE_INCOMING, &dev->priv_flags);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_incoming_is_preserved);

static int pci_liveupdate_finish_dev(struct pci_dev *dev)
{
	scoped_guard(mutex, &pci_liveupdate_lock) {
		if (!pci_liveupdate_incoming || !pci_liveupdate_is_function(dev) ||
		    !pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_INCOMING)) {
			dev_warn_ratelimited(&dev->dev,
					     "not preserved by the previous kernel, cannot be finished\n");
			return -ENOENT;
		}

		pci_liveupdate_drop_dev(pci_liveupdate_incoming, dev,
					PCI_DEV_LIVEUPDATE_INCOMING);
	}

	if (!READ_ONCE(dev->driver))
		pci_liveupdate_release_to_drivers(dev);
	pci_liveupdate_send_uevent(dev, "PCI_LIVEUPDATE=finished");
	pci_dbg(dev, "finished\n");
	return 0;
}

/**
 * pci_liveupdate_incoming_finish - End the preservation of a function.
 * @dev: A function that pci_liveupdate_incoming_is_preserved() is true for.
 *
 * From now on the PCI core treats @dev as any other device, but for settings that
 * others depend on. Bridges above that carry nothing else are released as well. A
 * call for a device that is not preserved changes nothing and is warned of.
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_incoming_finish(struct pci_dev *dev)
{
	u64 start = trace_start(finish);
	int err;

	err = pci_liveupdate_finish_dev(dev);
	trace_pci_liveupdate_finish(dev, err, start);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_incoming_finish);

/* Removal */

/* With a bridge that is gone, everything recorded below it is gone as well. */
static void pci_liveupdate_drop_below(struct pci_dev *bridge)
{
	const struct pci_function_ser *entry = pci_liveupdate_incoming_entry(bridge);
	struct pci_liveupdate_slot slot;
	pci_ser_key_t key, end;

	if (!entry)
		return;

	pci_liveupdate_range_below(bridge, entry, &key, &end);
	for (; pci_liveupdate_index_next(pci_liveupdate_incoming, &key) && key < end;
	     key++) {
		if (pci_liveupdate_index_find(pci_liveupdate_incoming, key, &slot))
			pci_liveupdate_index_remove(pci_liveupdate_incoming, &slot);
	}
}

static void pci_liveupdate_cleanup_incoming(struct pci_dev *dev)
{
	struct pci_liveupdate_slot slot;

	if (pci_dev_is_disconnected(dev)) {
		pci_warn(dev, "gone before it was finished, no longer preserved\n");
		if (dev->hdr_type == PCI_HEADER_TYPE_BRIDGE)
			pci_liveupdate_drop_below(dev);
		pci_liveupdate_drop_dev(pci_liveupdate_incoming, dev,
					PCI_DEV_LIVEUPDATE_INCOMING);
		return;
	}

	pci_info(dev, "removed before it was finished, stays preserved\n");
	if (pci_liveupdate_index_find(pci_liveupdate_incoming,
				      pci_liveupdate_key(dev), &slot))
		pci_liveupdate_index_mark(&slot, false);
	pci_liveupdate_clear_flag(dev, PCI_DEV_LIVEUPDATE_INCOMING);
}

/**
 * pci_liveupdate_cleanup_device - Let go of a device that is being removed.
 * @dev: A device that pci_dev_test_and_set_removed() was called for, and below
 *       which there is nothing any more.
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_cleanup_device(struct pci_dev *dev)
{
	guard(mutex)(&pci_liveupdate_lock);

	if (pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_OUTGOING)) {
		pci_warn(dev, "removed while preserved for the next kernel, which will not look for it\n");
		if (!kexec_in_progress)
			pci_liveupdate_drop_dev(pci_liveupdate_outgoing, dev,
						PCI_DEV_LIVEUPDATE_OUTGOING);
	}

	if (pci_liveupdate_incoming &&
	    pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_INCOMING))
		pci_liveupdate_cleanup_incoming(dev);
}
