// SPDX-License-Identifier: GPL-2.0
/*
 * PCI devices across a live update: which ones are preserved.
 */

/**
 * DOC: PCI live update
 *
 * A live update replaces the kernel by kexec while devices keep working for
 * those who own them. LUO carries files across, and this is the PCI core's
 * part: it records which functions the outgoing kernel preserves, and lets the
 * incoming kernel know, from its first look at the bus, which functions must
 * not be disturbed. A function is named by its segment and BDF: bus numbers
 * cannot change under a device that does DMA.
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
 * that the next kernel reads. From the moment the kexec has begun nobody writes
 * them, and the reboot notifier waits for whoever was about to.
 *
 * Incoming kernel
 * ---------------
 *
 * The record is read before any bus is scanned. As a function is enumerated it
 * is compared with the record and marked, so that
 * pci_liveupdate_incoming_is_preserved() holds before any driver can bind. The
 * handler's .finish() callback calls pci_liveupdate_incoming_finish(), which
 * ends the function's preservation, and with the last one below it that of a
 * bridge. When the last file is finished the record is freed.
 *
 * Bridges have no reference count. What lies below one is a contiguous range of
 * BDFs, so a bridge is released when there is nothing left in that range. Its
 * own BDF lies in its parent's range: bridges are released bottom-up.
 *
 * Until then nothing is written to what is preserved but what its driver or a
 * port service writes: before the PCI core writes it asks here. What others
 * depend on, such as ACS, stays as it was found for as long as there is the
 * device.
 *
 * Unhappy paths
 * -------------
 *
 * - The record is damaged, of a version that is not known, or a record of
 *   another layout: panic, with what is wrong. The preserved devices are doing
 *   DMA, and a kernel that does not know which ones they are would give that
 *   memory and those devices away.
 * - The previous kernel handed state over, but LUO is off in this one: a message
 *   at the highest level. Nothing is protected then.
 * - Something else answers at a preserved BDF: an error with both identities.
 *   It is not treated as preserved. The entry stays until the end.
 * - A preserved bridge has other bus numbers: an error with both, and with what
 *   cannot be reached. It is not given any numbers.
 * - A preserved function does not show up: a warning and a count, at the end of
 *   the boot. The bridges above it stay preserved until the end.
 * - Files finish, but a driver did not finish its function: a warning with the
 *   list, and the state is cleared.
 * - A function is removed while it is preserved for the next kernel: a warning,
 *   and it is dropped, so that the next kernel does not wait for it.
 * - A function is removed while it is preserved by the previous kernel: if the
 *   hardware is gone it is dropped, since what comes next is blank. If not, it
 *   is adopted again when it is found again.
 *
 * Not covered: the state of the IOMMU and its groups, interrupts that arrive
 * between the kernels, and drivers built as modules, for which LUO exports
 * nothing. IOMMU drivers switch translation off at kexec, so that the first
 * device behind an IOMMU that is preserved gets a warning.
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
 * It is never held across a liveupdate_flb_*() call, and nothing but the start
 * of the kernel takes a reference to the FLB: LUO copies the count of the
 * moment into the next kernel, and a reference in flight would be one that
 * nobody ever drops.
 */

#define pr_fmt(fmt) "PCI: liveupdate: " fmt
#define dev_fmt(fmt) "liveupdate: " fmt

#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/acpi.h>
#include <linux/async.h>
#include <linux/bitops.h>
#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/device/bus.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/iommu.h>
#include <linux/kexec.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/luo.h>
#include <linux/kho/abi/pci.h>
#include <linux/kobject.h>
#include <linux/liveupdate.h>
#include <linux/lockdep.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/panic.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/reboot.h>
#include <linux/sched/clock.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/sprintf.h>
#include <linux/string.h>
#include <linux/time64.h>
#include <linux/wordpart.h>
#include <linux/xarray.h>

#include "pci.h"
#include "liveupdate_index.h"

#define CREATE_TRACE_POINTS
#include <trace/events/pci_liveupdate.h>

/* How many functions a list in the log names before it only counts. */
#define LOG_LIMIT	16

#define POS_FMT		"%04x:%02x:%02x.%d"
#define POS_ARGS(pos)							\
	PCI_SER_KEY_DOMAIN(pos),					\
	PCI_BUS_NUM(PCI_SER_KEY_BDF(pos)),			\
	PCI_SLOT(PCI_SER_KEY_BDF(pos)),				\
	PCI_FUNC(PCI_SER_KEY_BDF(pos))

/* For the event of what begins now. Off, it costs a static branch. */
#define trace_start(event)						\
	(trace_pci_liveupdate_##event##_enabled() ? sched_clock() : 0)

/*
 * Protects both indexes with all they contain, and changes of
 * PCI_DEV_LIVEUPDATE_OUTGOING and PCI_DEV_LIVEUPDATE_INCOMING.
 */
static DEFINE_MUTEX(pci_liveupdate_lock);

/* What is preserved for the next kernel; NULL if no file asks for it. */
static struct pci_liveupdate_index *outgoing;

/* What the previous kernel preserved; NULL if nothing, or once finished. */
static struct pci_liveupdate_index *incoming;

/* The segments that had functions of the previous kernel, until reboot. */
static DEFINE_XARRAY(incoming_segments);

/* pci_liveupdate=hold: user space binds preserved functions. */
VISIBLE_IF_KUNIT bool pci_liveupdate_hold_unbound;

static u32 dev_domain(struct pci_dev *dev)
{
	return pci_domain_nr(dev->bus);
}

static bool is_function(struct pci_dev *dev)
{
	return dev->hdr_type == PCI_HEADER_TYPE_NORMAL && !dev->is_virtfn;
}

/*
 * The one place where this gives up. The text names the field of the record,
 * what was found and what was expected.
 */
VISIBLE_IF_KUNIT void pci_liveupdate_refuse_record(const char *why)
{
	KUNIT_STATIC_STUB_REDIRECT(pci_liveupdate_refuse_record, why);

	panic("PCI: liveupdate: cannot use the record of preserved devices: %s; they do DMA, and going on would corrupt memory\n",
	      why);
}

/* @dev is what is being enumerated, or NULL while the record is read. */
static void refuse_damage(struct pci_dev *dev,
			  const struct pci_liveupdate_damage *damage)
{
	char segment[32] = "";
	char why[160];

	trace_pci_liveupdate_damage(dev, damage);
	if (damage->in_segment)
		snprintf(segment, sizeof(segment), " of segment %04x",
			 damage->domain);
	snprintf(why, sizeof(why), "%s%s is %#llx, expected %s %#llx",
		 damage->field, segment, damage->found, damage->rule,
		 damage->expected);
	pci_liveupdate_refuse_record(why);
}

static bool key_contains(struct pci_liveupdate_index *index, pci_ser_key_t key)
{
	struct pci_liveupdate_slot slot;

	return pci_liveupdate_index_find(index, key, &slot);
}

static void key_remove(struct pci_liveupdate_index *index, pci_ser_key_t key)
{
	struct pci_liveupdate_slot slot;

	if (pci_liveupdate_index_find(index, key, &slot))
		pci_liveupdate_index_remove(index, &slot);
}

static void key_mark(struct pci_liveupdate_index *index, pci_ser_key_t key,
		     bool mark)
{
	struct pci_liveupdate_slot slot;

	if (pci_liveupdate_index_find(index, key, &slot))
		pci_liveupdate_index_mark(&slot, mark);
}

static bool key_marked(struct pci_liveupdate_index *index, pci_ser_key_t key)
{
	struct pci_liveupdate_slot slot;

	return pci_liveupdate_index_find(index, key, &slot) &&
	       pci_liveupdate_index_marked(&slot);
}

static const struct pci_function_ser *
key_entry(struct pci_liveupdate_index *index, pci_ser_key_t key,
	  struct pci_liveupdate_damage *damage)
{
	struct pci_liveupdate_slot slot;

	if (!pci_liveupdate_index_find(index, key, &slot))
		return ERR_PTR(-ENOENT);

	return pci_liveupdate_index_entry(index, &slot, damage);
}

/* Name some of the functions in a range, absent ones only if asked. */
static void warn_of(struct pci_liveupdate_index *index, u64 start, u64 end,
		    const char *what, bool absent)
{
	unsigned int n = 0;

	for (u64 pos = start;
	     pci_liveupdate_index_next(index, &pos) && pos < end; pos++) {
		if (absent && key_marked(index, pos))
			continue;
		if (n++ == LOG_LIMIT) {
			pr_warn("and more, see /sys/kernel/debug/pci_liveupdate\n");
			break;
		}
		pr_warn(POS_FMT " %s\n", POS_ARGS(pos), what);
	}
}

static void warn_of_all(struct pci_liveupdate_index *index, const char *what,
			bool absent)
{
	warn_of(index, 0, U64_MAX, what, absent);
}

/* Functions */

/* A size that is not what the register decodes must not be taken for it. */
static u8 bar_shift(struct pci_dev *dev, int bar)
{
	const struct resource *res = &dev->resource[bar];

	if (!res->flags ||
	    res->flags & (IORESOURCE_PCI_FIXED | IORESOURCE_ROM_SHADOW))
		return 0;

	return ilog2(resource_size(res));
}

static struct pci_function_ser describe(struct pci_dev *dev)
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
		entry.bar_shift[i] = bar_shift(dev, i);
	entry.bar_shift[PCI_SER_ROM] = bar_shift(dev, PCI_ROM_RESOURCE);

	return entry;
}

/*
 * A number that the kernel chose may be another one in the next kernel. Stock
 * host bridges only have domain_nr set where it is made up (Hyper-V), or where
 * all numbers go through it (CONFIG_PCI_DOMAINS_GENERIC).
 */
VISIBLE_IF_KUNIT bool pci_liveupdate_domain_is_dynamic(struct pci_bus *bus)
{
	struct pci_host_bridge *host = pci_find_host_bridge(bus);

	KUNIT_STATIC_STUB_REDIRECT(pci_liveupdate_domain_is_dynamic, bus);

#ifdef CONFIG_PCI_DOMAINS_GENERIC
	if (acpi_disabled)
		return !host->dev.parent ||
		       of_get_pci_domain_nr(host->dev.parent->of_node) < 0;
	return false;
#else
#ifdef CONFIG_X86
	if (is_vmd(bus))
		return true;
#endif
	return host->domain_nr != PCI_DOMAIN_NR_NOT_SET;
#endif
}

static int check_function(struct pci_dev *dev)
{
	if (dev->is_virtfn) {
		pci_warn(dev, "a VF cannot be preserved\n");
		return -EINVAL;
	}

	if (dev->hdr_type == PCI_HEADER_TYPE_BRIDGE) {
		pci_warn(dev, "a bridge is preserved with what is below it, not by itself\n");
		return -EINVAL;
	}

	if (dev->hdr_type != PCI_HEADER_TYPE_NORMAL) {
		pci_warn(dev, "a CardBus bridge cannot be preserved\n");
		return -EINVAL;
	}

	if (pci_num_vf(dev)) {
		pci_warn(dev, "cannot be preserved while it has %d VFs\n",
			 pci_num_vf(dev));
		return -EOPNOTSUPP;
	}

	if (pci_dev_specific_acs_needed(dev)) {
		pci_warn(dev, "cannot be preserved: a quirk enables its ACS\n");
		return -EOPNOTSUPP;
	}

	if (pci_liveupdate_domain_is_dynamic(dev->bus)) {
		pci_warn(dev, "cannot be preserved: the next kernel may number segment %04x differently\n",
			 dev_domain(dev));
		return -EOPNOTSUPP;
	}

	return 0;
}

/* Bridges */

/*
 * What lies below must be a range of the bus numbers that lie below the parent,
 * or else bridges could not be released by range. And what this kernel believes
 * must be what the bridge does, since the next kernel can only look at that.
 */
static int check_bridge(struct pci_dev *bridge)
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

static bool any_below(struct pci_liveupdate_index *index, struct pci_bus *bus)
{
	return pci_liveupdate_index_any(index, pci_domain_nr(bus),
					bus->busn_res.start, bus->busn_res.end);
}

/* Let drivers bind that were not allowed to. */
static void attach(void *data, async_cookie_t cookie)
{
	struct device *dev = data;

	if (device_attach(dev) < 0)
		dev_warn(dev, "its driver did not bind\n");
	put_device(dev);
}

static void release_to_drivers(struct pci_dev *dev)
{
	if (pci_liveupdate_hold_unbound && is_function(dev) && pci_dev_is_added(dev))
		async_schedule(attach, get_device(&dev->dev));
}

/*
 * The device is no longer preserved on the side of @flag. What an incoming one
 * was held for is let go.
 */
static void clear_flag(struct pci_dev *dev, int flag)
{
	lockdep_assert_held(&pci_liveupdate_lock);

	if (!test_and_clear_bit(flag, &dev->priv_flags) ||
	    flag != PCI_DEV_LIVEUPDATE_INCOMING)
		return;

	if (test_and_clear_bit(PCI_DEV_LIVEUPDATE_POWERED, &dev->priv_flags))
		pm_runtime_put(&dev->dev);
	release_to_drivers(dev);
}

/*
 * Release what has the flag: the device, and the bridges above that carry
 * nothing else. The buses are what is walked: a bridge that is being removed
 * has no subordinate any more.
 */
static void drop(struct pci_liveupdate_index *index, struct pci_dev *dev,
		 int flag)
{
	struct pci_dev *bridge = dev;
	struct pci_bus *bus;

	lockdep_assert_held(&pci_liveupdate_lock);

	do {
		key_remove(index,
			   PCI_SER_KEY(dev_domain(bridge), pci_dev_id(bridge)));
		clear_flag(bridge, flag);
		bus = bridge->bus;
		bridge = pci_upstream_bridge(bridge);
	} while (bridge && test_bit(flag, &bridge->priv_flags) &&
		 !any_below(index, bus));
}

/* Forget the flag on all devices, in one pass. */
static void clear_flags(int flag)
{
	struct pci_dev *dev = NULL;

	for_each_pci_dev(dev)
		clear_flag(dev, flag);
}

/* Outgoing */

static int add(struct pci_dev *dev)
{
	struct pci_function_ser entry = describe(dev);
	int err;

	err = pci_liveupdate_index_add(outgoing,
				       PCI_SER_KEY(dev_domain(dev),
						   pci_dev_id(dev)), &entry);
	if (err)
		return err == -EEXIST ? -EBUSY : err;

	set_bit(PCI_DEV_LIVEUPDATE_OUTGOING, &dev->priv_flags);
	return 0;
}

static int add_with_bridges(struct pci_dev *dev)
{
	struct pci_dev *bridge;
	int err;

	err = add(dev);
	if (err)
		return err;

	for (bridge = pci_upstream_bridge(dev); bridge;
	     bridge = pci_upstream_bridge(bridge)) {
		if (test_bit(PCI_DEV_LIVEUPDATE_OUTGOING, &bridge->priv_flags))
			break;

		err = check_bridge(bridge);
		if (!err)
			err = add(bridge);
		if (err) {
			drop(outgoing, dev, PCI_DEV_LIVEUPDATE_OUTGOING);
			return err;
		}
	}

	return 0;
}

static int preserve(struct pci_dev *dev)
{
	int err;

	if (!liveupdate_enabled())
		return -EOPNOTSUPP;

	err = check_function(dev);
	if (err)
		return err;

	scoped_guard(mutex, &pci_liveupdate_lock) {
		if (!outgoing)
			return -ENOENT;
		if (kexec_in_progress)
			return -ESHUTDOWN;
		if (test_bit(PCI_DEV_REMOVED, &dev->priv_flags))
			return -ENODEV;
		if (test_bit(PCI_DEV_LIVEUPDATE_OUTGOING, &dev->priv_flags))
			return -EBUSY;

		err = add_with_bridges(dev);
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
 * Context: Process context. May sleep. @dev is bound to the driver that calls,
 *          which does not enable VFs at the same time.
 * Return: 0, or with nothing changed:
 *         -EINVAL if @dev is a VF, a bridge or a CardBus bridge;
 *         -EOPNOTSUPP if live update is off, if VFs are enabled, if a quirk is
 *         what enables ACS on @dev or on a bridge above, if the bus numbers of
 *         a bridge above are not nested in its parent's, or if the number of
 *         the segment was assigned dynamically;
 *         -ENOENT if no file of a registered handler is being preserved;
 *         -ENODEV if @dev is being removed;
 *         -EBUSY if it is preserved already: there is one bit for a function,
 *         and the first of two owners to let go would drop it for both;
 *         -ESHUTDOWN if the kexec has begun;
 *         -ENOMEM if there is no memory.
 */
int pci_liveupdate_outgoing_preserve(struct pci_dev *dev)
{
	u64 start = trace_start(preserve);
	int err;

	err = preserve(dev);
	trace_pci_liveupdate_preserve(dev, err, start);
	return err;
}
EXPORT_SYMBOL_GPL(pci_liveupdate_outgoing_preserve);

static int unpreserve(struct pci_dev *dev)
{
	guard(mutex)(&pci_liveupdate_lock);

	if (!is_function(dev) ||
	    !test_bit(PCI_DEV_LIVEUPDATE_OUTGOING, &dev->priv_flags)) {
		dev_warn_ratelimited(&dev->dev,
				     "not preserved for the next kernel, cannot be unpreserved\n");
		return -ENOENT;
	}

	if (kexec_in_progress)
		return -ESHUTDOWN;

	drop(outgoing, dev, PCI_DEV_LIVEUPDATE_OUTGOING);
	pci_dbg(dev, "no longer preserved for the next kernel\n");
	return 0;
}

/**
 * pci_liveupdate_outgoing_unpreserve - Take a preservation back.
 * @dev: What pci_liveupdate_outgoing_preserve() was successful for.
 *
 * Bridges above that carry nothing else are released as well. A call for a
 * device that is not preserved changes nothing and is warned of: after a removal
 * and a rescan the function may belong to somebody else.
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_outgoing_unpreserve(struct pci_dev *dev)
{
	u64 start = trace_start(unpreserve);
	int err;

	err = unpreserve(dev);
	trace_pci_liveupdate_unpreserve(dev, err, start);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_outgoing_unpreserve);

/**
 * pci_liveupdate_forbids_vfs - Ask whether VFs must not be enabled now.
 * @dev: A PF.
 *
 * The routing IDs of VFs are not in the record.
 *
 * Context: Any.
 * Return: Whether @dev is preserved, on either side.
 */
bool pci_liveupdate_forbids_vfs(struct pci_dev *dev)
{
	if (!test_bit(PCI_DEV_LIVEUPDATE_OUTGOING, &dev->priv_flags) &&
	    !test_bit(PCI_DEV_LIVEUPDATE_INCOMING, &dev->priv_flags))
		return false;

	pci_warn(dev, "VFs cannot be enabled while it is preserved\n");
	return true;
}

/* Incoming */

static bool answers_as(struct pci_dev *dev, const struct pci_function_ser *entry)
{
	return !dev->is_virtfn && dev->vendor == entry->vendor &&
	       dev->device == entry->device && dev->hdr_type == entry->hdr_type;
}

static bool bridge_has_numbers(struct pci_dev *dev,
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

/* Position of the first, and behind the last, of what may lie below a bridge. */
static void range_below(struct pci_dev *bridge,
			const struct pci_function_ser *entry,
			u64 *start, u64 *end)
{
	u32 domain = dev_domain(bridge);

	*start = PCI_SER_KEY(domain, PCI_DEVID(entry->secondary, 0));
	*end = PCI_SER_KEY(domain,
				  PCI_DEVID(entry->subordinate, 0xff)) + 1;
}

/* A bridge that forwards to other buses than it did, or to none. */
static void report_lost_numbers(struct pci_dev *bridge,
				const struct pci_function_ser *entry)
{
	u8 secondary, subordinate;
	u64 start, end;

	pci_read_config_byte(bridge, PCI_SECONDARY_BUS, &secondary);
	pci_read_config_byte(bridge, PCI_SUBORDINATE_BUS, &subordinate);
	pci_err(bridge, "was preserved with [bus %02x-%02x], found with [bus %02x-%02x]; not treated as preserved, and not given other numbers\n",
		entry->secondary, entry->subordinate, secondary, subordinate);

	if (secondary == entry->secondary && subordinate > entry->subordinate)
		return;

	range_below(bridge, entry, &start, &end);
	warn_of(incoming, start, end, "was preserved, and cannot be reached",
		false);
}

/* Mark a device that is in the record, if it is what was recorded. */
static int adopt(struct pci_dev *dev)
{
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;

	lockdep_assert_held(&pci_liveupdate_lock);

	entry = key_entry(incoming,
			  PCI_SER_KEY(dev_domain(dev), pci_dev_id(dev)),
			  &damage);
	if (IS_ERR(entry)) {
		refuse_damage(dev, &damage);
		return PTR_ERR(entry);
	}

	if (!answers_as(dev, entry)) {
		pci_err(dev, "[%04x:%04x] type %02x was preserved, found [%04x:%04x] type %02x%s; not treated as preserved\n",
			entry->vendor, entry->device, entry->hdr_type,
			dev->vendor, dev->device, dev->hdr_type,
			dev->is_virtfn ? " (VF)" : "");
		return -ENODEV;
	}

	if (!bridge_has_numbers(dev, entry)) {
		report_lost_numbers(dev, entry);
		return -ENXIO;
	}

	key_mark(incoming, PCI_SER_KEY(dev_domain(dev), pci_dev_id(dev)), true);
	set_bit(PCI_DEV_LIVEUPDATE_INCOMING, &dev->priv_flags);
	set_bit(PCI_DEV_LIVEUPDATE_ADOPTED, &dev->priv_flags);
	pci_dbg(dev, "preserved by the previous kernel\n");
	return 0;
}

/**
 * pci_liveupdate_setup_device - Look a device up that is being enumerated.
 * @dev: A device whose address and identity are known.
 *
 * Context: Process context, before anything is written to @dev. May sleep.
 */
void pci_liveupdate_setup_device(struct pci_dev *dev)
{
	u64 start;
	int err;

	/* It becomes NULL at any time, but anything else only before the scan. */
	if (!READ_ONCE(incoming))
		return;

	start = trace_start(incoming);
	guard(mutex)(&pci_liveupdate_lock);

	if (!incoming ||
	    !key_contains(incoming,
			  PCI_SER_KEY(dev_domain(dev), pci_dev_id(dev))))
		return;

	err = adopt(dev);
	trace_pci_liveupdate_incoming(dev, err, start);
}

/**
 * pci_liveupdate_incoming_is_preserved - Ask whether a device must be left alone.
 * @dev: A function or a bridge.
 *
 * Context: Any.
 * Return: Whether the previous kernel preserved @dev: true from enumeration
 *         until it is finished.
 */
bool pci_liveupdate_incoming_is_preserved(struct pci_dev *dev)
{
	return test_bit(PCI_DEV_LIVEUPDATE_INCOMING, &dev->priv_flags);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_incoming_is_preserved);

static int finish(struct pci_dev *dev)
{
	char *envp[] = { "PCI_LIVEUPDATE=finished", NULL };

	scoped_guard(mutex, &pci_liveupdate_lock) {
		if (!incoming || !is_function(dev) ||
		    !test_bit(PCI_DEV_LIVEUPDATE_INCOMING, &dev->priv_flags)) {
			dev_warn_ratelimited(&dev->dev,
					     "not preserved by the previous kernel, cannot be finished\n");
			return -ENOENT;
		}

		drop(incoming, dev, PCI_DEV_LIVEUPDATE_INCOMING);
	}

	kobject_uevent_env(&dev->dev.kobj, KOBJ_CHANGE, envp);
	pci_dbg(dev, "finished\n");
	return 0;
}

/**
 * pci_liveupdate_incoming_finish - End the preservation of a function.
 * @dev: What pci_liveupdate_incoming_is_preserved() is true for, not a bridge.
 *
 * From now on the PCI core treats @dev as any other device. Bridges above that
 * carry nothing else are released as well. A call for a device that is not
 * preserved changes nothing and is warned of.
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_incoming_finish(struct pci_dev *dev)
{
	u64 start = trace_start(finish);
	int err;

	err = finish(dev);
	trace_pci_liveupdate_finish(dev, err, start);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_incoming_finish);

/* Hands off: what the PCI core asks before it writes */

/**
 * pci_liveupdate_keeps_master - Ask whether bus mastering must stay on.
 * @dev: A device whose Bus Master Enable is about to be cleared.
 *
 * In the next kernel a function is left to its driver, which may have a reason
 * to stop its DMA.
 *
 * Context: Any.
 * Return: Whether the kexec has begun and @dev is preserved for the next kernel,
 *         or @dev is a bridge that is preserved by the previous one.
 */
bool pci_liveupdate_keeps_master(struct pci_dev *dev)
{
	if (kexec_in_progress &&
	    test_bit(PCI_DEV_LIVEUPDATE_OUTGOING, &dev->priv_flags))
		return true;

	return dev->hdr_type == PCI_HEADER_TYPE_BRIDGE &&
	       pci_liveupdate_untouchable(dev);
}

/**
 * pci_liveupdate_keeps_bus_numbers - Ask whether bridges keep their bus numbers.
 * @bus: A bus of the segment in question.
 *
 * Context: Process context. May sleep.
 * Return: Whether the segment of @bus has functions that are preserved for the
 *         next kernel, or had functions that the previous one preserved.
 */
bool pci_liveupdate_keeps_bus_numbers(struct pci_bus *bus)
{
	u32 domain = pci_domain_nr(bus);

	if (!liveupdate_enabled())
		return false;

	guard(mutex)(&pci_liveupdate_lock);

	return xa_load(&incoming_segments, domain) ||
	       (outgoing &&
		pci_liveupdate_index_any(outgoing, domain, 0, PCI_SER_BUSES - 1));
}

/* The entry of a device, or NULL if there is none any more. */
static const struct pci_function_ser *incoming_entry(struct pci_dev *dev)
{
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;

	lockdep_assert_held(&pci_liveupdate_lock);

	if (!incoming ||
	    !key_contains(incoming,
			  PCI_SER_KEY(dev_domain(dev), pci_dev_id(dev))))
		return NULL;

	entry = key_entry(incoming,
			  PCI_SER_KEY(dev_domain(dev), pci_dev_id(dev)),
			  &damage);
	return IS_ERR(entry) ? NULL : entry;
}

/**
 * pci_liveupdate_lost_bus_numbers - Ask whether a bridge must not get numbers.
 * @bridge: A bridge that has been enumerated.
 *
 * Context: Process context. May sleep.
 * Return: Whether the previous kernel preserved @bridge with bus numbers that it
 *         does not have any more. What was below cannot be reached with others.
 */
bool pci_liveupdate_lost_bus_numbers(struct pci_dev *bridge)
{
	const struct pci_function_ser *entry;

	if (!READ_ONCE(incoming) || pci_liveupdate_untouchable(bridge))
		return false;

	guard(mutex)(&pci_liveupdate_lock);

	entry = incoming_entry(bridge);
	return entry && answers_as(bridge, entry) &&
	       !bridge_has_numbers(bridge, entry);
}

/* Shrink [first, last] to its first part without any function of the index. */
static void find_free_buses(struct pci_liveupdate_index *index, u32 domain,
			    int *first, int *last)
{
	u64 pos;

	if (!index)
		return;

	while (*first <= *last &&
	       pci_liveupdate_index_any(index, domain, *first, *first))
		++*first;

	pos = PCI_SER_KEY(domain, PCI_DEVID(*first, 0));
	if (*first <= *last && pci_liveupdate_index_next(index, &pos) &&
	    pos <= PCI_SER_KEY(domain, PCI_DEVID(*last, 0xff)))
		*last = PCI_BUS_NUM(PCI_SER_KEY_BDF(pos)) - 1;
}

/**
 * pci_liveupdate_find_bus_numbers - Find numbers for what is below a bridge.
 * @bridge: A bridge that is about to get bus numbers.
 * @first: First number that may be used, changed to the first that is free.
 * @last: Last number that may be used, changed to the last before one that is
 *        not free.
 *
 * A number is free if no function that is preserved, on either side, has it.
 *
 * Context: Process context. May sleep.
 * Return: Whether there is any; if not, that is an error message.
 */
bool pci_liveupdate_find_bus_numbers(struct pci_dev *bridge, int *first,
				     int *last)
{
	u32 domain = dev_domain(bridge);
	int before;

	if (!liveupdate_enabled() || *first > *last)
		return true;

	scoped_guard(mutex, &pci_liveupdate_lock) {
		do {
			before = *first;
			find_free_buses(incoming, domain, first, last);
			find_free_buses(outgoing, domain, first, last);
		} while (*first != before);
	}

	if (*first > *last) {
		pci_err(bridge, "no bus number is left that no preserved device has\n");
		return false;
	}

	return true;
}

/* What reading back a BAR gives while all ones are written to it. */
static u64 size_mask(u8 shift)
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
 * Return: Whether @dev is preserved by the previous kernel; if not, nothing has
 *         been read or changed.
 */
bool pci_liveupdate_bar_sizes(struct pci_dev *dev, int howmany, u32 *sizes,
			      int rom, u32 *rom_size)
{
	const struct pci_function_ser *entry;

	if (!pci_liveupdate_untouchable(dev))
		return false;

	guard(mutex)(&pci_liveupdate_lock);

	entry = incoming_entry(dev);
	if (!entry)
		return false;

	for (int i = 0; i < howmany; i++) {
		u64 mask = size_mask(entry->bar_shift[i]);
		u32 bar;

		pci_read_config_dword(dev, PCI_BASE_ADDRESS_0 + 4 * i, &bar);
		sizes[i] = lower_32_bits(mask);
		if ((bar & (PCI_BASE_ADDRESS_SPACE |
			    PCI_BASE_ADDRESS_MEM_TYPE_MASK)) ==
		    PCI_BASE_ADDRESS_MEM_TYPE_64 && i + 1 < howmany)
			sizes[++i] = upper_32_bits(mask);
	}

	if (rom)
		*rom_size = lower_32_bits(size_mask(entry->bar_shift[PCI_SER_ROM]));

	return true;
}

static void claim(struct pci_dev *dev, int first, int last)
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

/**
 * pci_liveupdate_claim_resources - Claim what preserved devices on a bus decode.
 * @bus: A bus whose devices have been enumerated, while nothing below it has.
 *
 * Whoever comes later and wants the same addresses has to move.
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_claim_resources(struct pci_bus *bus)
{
	struct pci_dev *dev;

	if (!READ_ONCE(incoming))
		return;

	/* Some architectures have read the windows by now, others have not. */
	if (bus->self && pci_liveupdate_untouchable(bus->self)) {
		if (!bus->self->resource[PCI_BRIDGE_MEM_WINDOW].flags)
			pci_read_bridge_bases(bus);
		claim(bus->self, PCI_BRIDGE_RESOURCES, PCI_BRIDGE_RESOURCE_END);
	}

	list_for_each_entry(dev, &bus->devices, bus_list) {
		if (pci_liveupdate_untouchable(dev))
			claim(dev, PCI_STD_RESOURCES, PCI_ROM_RESOURCE);
	}
}

/**
 * pci_liveupdate_limit_mps - Do not send what a preserved bridge cannot receive.
 * @dev: A device that is not preserved.
 * @mps: Max Payload Size in bytes that it is to be set to.
 *
 * Context: Process context.
 * Return: That of the bridge above if it was preserved, else @mps.
 */
int pci_liveupdate_limit_mps(struct pci_dev *dev, int mps)
{
	struct pci_dev *bridge = pci_upstream_bridge(dev);

	if (!bridge || !pci_is_pcie(bridge) || !pci_liveupdate_adopted(bridge))
		return mps;

	return pcie_get_mps(bridge);
}

/**
 * pci_liveupdate_intx_broken - Ask whether INTx cannot be masked.
 * @dev: A device that is preserved by the previous kernel.
 *
 * Context: Process context. May sleep.
 * Return: What the previous kernel found out about @dev.
 */
bool pci_liveupdate_intx_broken(struct pci_dev *dev)
{
	const struct pci_function_ser *entry;

	guard(mutex)(&pci_liveupdate_lock);

	entry = incoming_entry(dev);
	return !entry || entry->flags & PCI_SER_INTX_BROKEN;
}

/**
 * pci_liveupdate_keeps_power - Ask whether a device stays in its power state.
 * @dev: A device that is not in D0.
 *
 * Context: Any.
 * Return: Whether @dev is preserved by the previous kernel, and is being
 *         enumerated. Later on its driver may power it up.
 */
bool pci_liveupdate_keeps_power(struct pci_dev *dev)
{
	return pci_liveupdate_untouchable(dev) &&
	       !test_bit(PCI_DEV_LIVEUPDATE_POWERED, &dev->priv_flags);
}

/**
 * pci_liveupdate_hold_power - Keep a preserved device from being suspended.
 * @dev: A device whose power management has been initialized.
 *
 * It is not suspended at run time, and so no bridge above is, until it is
 * finished.
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_hold_power(struct pci_dev *dev)
{
	if (!pci_liveupdate_untouchable(dev))
		return;

	guard(mutex)(&pci_liveupdate_lock);

	if (!pci_liveupdate_untouchable(dev))
		return;

	pm_runtime_get_noresume(&dev->dev);
	set_bit(PCI_DEV_LIVEUPDATE_POWERED, &dev->priv_flags);
}

/**
 * pci_liveupdate_holds_unbound - Ask whether a driver must not bind by itself.
 * @dev: A device that a driver may match.
 *
 * Context: Any.
 * Return: Whether @dev is a preserved function, the kernel was booted with
 *         pci_liveupdate=hold and nobody set driver_override.
 */
bool pci_liveupdate_holds_unbound(struct pci_dev *dev)
{
	return pci_liveupdate_hold_unbound && is_function(dev) &&
	       pci_liveupdate_untouchable(dev) &&
	       !device_has_driver_override(&dev->dev);
}

/* Removal */

/* Whatever was recorded below a bridge that is gone, is gone as well. */
static void drop_below(struct pci_dev *bridge)
{
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;
	u64 pos, end;

	entry = key_entry(incoming,
			  PCI_SER_KEY(dev_domain(bridge), pci_dev_id(bridge)),
			  &damage);
	if (IS_ERR(entry))
		return;

	range_below(bridge, entry, &pos, &end);
	for (; pci_liveupdate_index_next(incoming, &pos) && pos < end; pos++)
		key_remove(incoming, pos);
}

static void cleanup_incoming(struct pci_dev *dev)
{
	if (pci_dev_is_disconnected(dev)) {
		pci_warn(dev, "gone before it was finished, no longer preserved\n");
		if (dev->hdr_type == PCI_HEADER_TYPE_BRIDGE)
			drop_below(dev);
		drop(incoming, dev, PCI_DEV_LIVEUPDATE_INCOMING);
		return;
	}

	pci_info(dev, "removed before it was finished, stays preserved\n");
	key_mark(incoming, PCI_SER_KEY(dev_domain(dev), pci_dev_id(dev)),
		 false);
	clear_flag(dev, PCI_DEV_LIVEUPDATE_INCOMING);
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

	if (test_bit(PCI_DEV_LIVEUPDATE_OUTGOING, &dev->priv_flags)) {
		pci_warn(dev, "removed while preserved for the next kernel, which will not look for it\n");
		if (!kexec_in_progress)
			drop(outgoing, dev, PCI_DEV_LIVEUPDATE_OUTGOING);
	}

	if (incoming && test_bit(PCI_DEV_LIVEUPDATE_INCOMING, &dev->priv_flags))
		cleanup_incoming(dev);
}

/*
 * A device that was being enumerated when the last file finished was not yet to
 * be found by clear_flags(). Now it is, so one of the two sees the other.
 */
static int pci_liveupdate_bus_notify(struct notifier_block *nb,
				     unsigned long action, void *data)
{
	struct pci_dev *dev = to_pci_dev(data);

	if (action != BUS_NOTIFY_ADD_DEVICE ||
	    !test_bit(PCI_DEV_LIVEUPDATE_INCOMING, &dev->priv_flags))
		return NOTIFY_DONE;

	scoped_guard(mutex, &pci_liveupdate_lock) {
		if (!incoming)
			clear_flag(dev, PCI_DEV_LIVEUPDATE_INCOMING);
	}

	return NOTIFY_OK;
}

static struct notifier_block pci_liveupdate_bus_nb = {
	.notifier_call = pci_liveupdate_bus_notify,
};

/* The FLB */

static int pci_liveupdate_flb_preserve(struct liveupdate_flb_op_args *args)
{
	struct pci_liveupdate_index *index;

	index = pci_liveupdate_index_create();
	if (IS_ERR(index))
		return PTR_ERR(index);

	scoped_guard(mutex, &pci_liveupdate_lock)
		outgoing = index;

	args->obj = index;
	args->data = pci_liveupdate_index_root_pa(index);
	return 0;
}

static void pci_liveupdate_flb_unpreserve(struct liveupdate_flb_op_args *args)
{
	struct pci_liveupdate_index *index = args->obj;

	scoped_guard(mutex, &pci_liveupdate_lock) {
		if (pci_liveupdate_index_count(index)) {
			warn_of_all(index, "was preserved, but not unpreserved by its driver",
				    false);
			clear_flags(PCI_DEV_LIVEUPDATE_OUTGOING);
		}
		outgoing = NULL;
	}

	pci_liveupdate_index_destroy(index);
}

static int remember_segments(struct pci_liveupdate_index *index)
{
	u64 pos = 0;

	while (pci_liveupdate_index_next(index, &pos)) {
		u32 domain = PCI_SER_KEY_DOMAIN(pos);
		int err;

		err = xa_err(xa_store(&incoming_segments, domain,
				      xa_mk_value(1), GFP_KERNEL));
		if (err)
			return err;
		pos = PCI_SER_KEY(domain, 0xffff) + 1;
	}

	return 0;
}

static int pci_liveupdate_flb_retrieve(struct liveupdate_flb_op_args *args)
{
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;
	/* It is too early for other clocks. */
	u64 start = sched_clock();
	int err;

	index = pci_liveupdate_index_restore(args->data, &damage);
	err = PTR_ERR_OR_ZERO(index);
	trace_pci_liveupdate_retrieve(args->data, err ? NULL : index->ser, err,
				      start);
	if (err) {
		if (err == -ENOMEM)
			pci_liveupdate_refuse_record("no memory to read it");
		else
			refuse_damage(NULL, &damage);
		return err;
	}

	pr_info("the previous kernel preserved %llu devices in %u segments, read in %llu us\n",
		pci_liveupdate_index_count(index), index->ser->nr_segments,
		div_u64(sched_clock() - start, NSEC_PER_USEC));

	if (remember_segments(index)) {
		pci_liveupdate_refuse_record("no memory to remember its segments");
		pci_liveupdate_index_destroy(index);
		return -ENOMEM;
	}

	scoped_guard(mutex, &pci_liveupdate_lock)
		WRITE_ONCE(incoming, index);

	args->obj = index;
	return 0;
}

static void pci_liveupdate_flb_finish(struct liveupdate_flb_op_args *args)
{
	struct pci_liveupdate_index *index = args->obj;

	scoped_guard(mutex, &pci_liveupdate_lock) {
		WRITE_ONCE(incoming, NULL);
		if (pci_liveupdate_index_count(index)) {
			warn_of_all(index, "was preserved, but not finished by its driver",
				    false);
			clear_flags(PCI_DEV_LIVEUPDATE_INCOMING);
		}
	}

	pr_info("all files are finished, no device is preserved by the previous kernel any more\n");
	pci_liveupdate_index_destroy(index);
}

VISIBLE_IF_KUNIT const struct liveupdate_flb_ops pci_liveupdate_flb_ops = {
	.preserve = pci_liveupdate_flb_preserve,
	.unpreserve = pci_liveupdate_flb_unpreserve,
	.retrieve = pci_liveupdate_flb_retrieve,
	.finish = pci_liveupdate_flb_finish,
	.owner = THIS_MODULE,
};

static struct liveupdate_flb pci_liveupdate_flb = {
	.ops = &pci_liveupdate_flb_ops,
	.compatible = PCI_LUO_FLB_COMPATIBLE,
};

/**
 * pci_liveupdate_register_fh - Register a file handler that preserves functions.
 * @fh: A handler that liveupdate_register_file_handler() was called for.
 *
 * Context: Process context. May sleep.
 * Return: 0, or what liveupdate_register_flb() returns, such as:
 *         -EOPNOTSUPP if live update is off;
 *         -EEXIST if @fh is registered already;
 *         -ENOMEM if there is no memory.
 */
int pci_liveupdate_register_fh(struct liveupdate_file_handler *fh)
{
	return liveupdate_register_flb(fh, &pci_liveupdate_flb);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_register_fh);

/**
 * pci_liveupdate_unregister_fh - Undo pci_liveupdate_register_fh().
 * @fh: The handler, before liveupdate_unregister_file_handler().
 *
 * Context: Process context. May sleep.
 * Return: 0, or -EOPNOTSUPP if live update is off.
 */
int pci_liveupdate_unregister_fh(struct liveupdate_file_handler *fh)
{
	if (!liveupdate_enabled())
		return -EOPNOTSUPP;

	liveupdate_unregister_flb(fh, &pci_liveupdate_flb);
	return 0;
}
EXPORT_SYMBOL_GPL(pci_liveupdate_unregister_fh);

/* Start and end of the kernel */

static int pci_liveupdate_foreign_retrieve(struct liveupdate_flb_op_args *args)
{
	char why[160];

	snprintf(why, sizeof(why),
		 "its name is \"%s\", a layout of other kernels, expected \"%s\"",
		 args->flb->compatible, PCI_LUO_FLB_COMPATIBLE);
	pci_liveupdate_refuse_record(why);
	return -EPROTONOSUPPORT;
}

VISIBLE_IF_KUNIT const struct liveupdate_flb_ops pci_liveupdate_foreign_ops = {
	.retrieve = pci_liveupdate_foreign_retrieve,
};

static int __init pci_liveupdate_param(char *value)
{
	if (!value || strcmp(value, "hold")) {
		pr_err("pci_liveupdate=%s is not known, pci_liveupdate=hold is\n",
		       value ?: "");
		return -EINVAL;
	}

	pci_liveupdate_hold_unbound = true;
	return 0;
}
early_param("pci_liveupdate", pci_liveupdate_param);

/*
 * Kernels with another implementation hand their record over under these names.
 * LUO passes over what nobody asks for, so it has to be asked for.
 */
static struct liveupdate_flb pci_liveupdate_foreign[] __initdata = {
	{ .ops = &pci_liveupdate_foreign_ops, .compatible = "pci" },
	{ .ops = &pci_liveupdate_foreign_ops, .compatible = "pci-v1" },
};

/*
 * Whether anything but LUO's own state came over cannot be told: LUO has freed
 * the page that says where the rest is.
 */
static void __init warn_if_luo_is_off(void)
{
	phys_addr_t pa;

	if (!kho_retrieve_subtree(LUO_KHO_ENTRY_NAME, &pa, NULL))
		pr_emerg("the previous kernel handed live update state over, but live update is off: devices that it preserved are unprotected; boot with liveupdate=on\n");
}

static int pci_liveupdate_reboot(struct notifier_block *nb, unsigned long action,
				 void *data)
{
	/*
	 * A writer that has seen kexec_in_progress clear holds the lock until
	 * it is done. Once the lock was free, the record stays as it is.
	 */
	guard(mutex)(&pci_liveupdate_lock);

	if (kexec_in_progress && outgoing)
		pr_info("preserving %llu devices in %u segments for the next kernel\n",
			pci_liveupdate_index_count(outgoing),
			outgoing->ser->nr_segments);

	return NOTIFY_DONE;
}

static struct notifier_block pci_liveupdate_reboot_nb = {
	.notifier_call = pci_liveupdate_reboot,
};

/* After LUO, which starts at early_initcall, and before any bus is scanned. */
static int __init pci_liveupdate_init(void)
{
	void *obj;
	int err;

	err = liveupdate_flb_get_incoming(&pci_liveupdate_flb, &obj);
	if (err == -EOPNOTSUPP) {
		warn_if_luo_is_off();
		return 0;
	}

	/*
	 * LUO took the count of files over with the record. From here on each
	 * file holds its own reference, and this one must not outlive them.
	 */
	if (!err)
		liveupdate_flb_put_incoming(&pci_liveupdate_flb);

	for (int i = 0; i < ARRAY_SIZE(pci_liveupdate_foreign); i++)
		liveupdate_flb_get_incoming(&pci_liveupdate_foreign[i], &obj);

	return register_reboot_notifier(&pci_liveupdate_reboot_nb);
}
core_initcall(pci_liveupdate_init);

static int __init pci_liveupdate_bus_init(void)
{
	return bus_register_notifier(&pci_bus_type, &pci_liveupdate_bus_nb);
}
arch_initcall(pci_liveupdate_bus_init);

/* By now the buses that are there at boot have been scanned. */
static int __init pci_liveupdate_count_found(void)
{
	u64 count, found;

	guard(mutex)(&pci_liveupdate_lock);

	if (!incoming)
		return 0;

	count = pci_liveupdate_index_count(incoming);
	found = pci_liveupdate_index_count_marked(incoming);
	pr_info("found %llu of %llu preserved devices\n", found, count);
	if (found < count)
		warn_of_all(incoming, "was preserved, but has not been found", true);
	return 0;
}
late_initcall_sync(pci_liveupdate_count_found);

/* debugfs: one line a device, in a form that a program can read */

enum side {
	SIDE_OUTGOING,
	SIDE_INCOMING,
	NR_SIDES,
};

static const char * const side_names[] = {
	[SIDE_OUTGOING] = "outgoing",
	[SIDE_INCOMING] = "incoming",
};

/*
 * Position in the file. The low 49 bits are a position in an index, which may be
 * the one behind the last; the lines before that of each side are headers.
 */
#define SEQ_SIDE_SHIFT	49
#define SEQ_HEADER	0
#define SEQ_POS(side, pos)	(((u64)(side) << SEQ_SIDE_SHIFT) + (pos) + 1)

static struct pci_liveupdate_index *side_index(enum side side)
{
	return side == SIDE_OUTGOING ? outgoing : incoming;
}

/* Find the first line from @cursor on. */
static void *seq_find(u64 *cursor)
{
	if (*cursor == SEQ_HEADER)
		return cursor;

	for (u64 rest = *cursor - 1; rest >> SEQ_SIDE_SHIFT < NR_SIDES;) {
		enum side side = rest >> SEQ_SIDE_SHIFT;
		u64 pos = rest & GENMASK_ULL(SEQ_SIDE_SHIFT - 1, 0);

		if (side_index(side) &&
		    pci_liveupdate_index_next(side_index(side), &pos)) {
			*cursor = SEQ_POS(side, pos);
			return cursor;
		}
		rest = (u64)(side + 1) << SEQ_SIDE_SHIFT;
	}

	return NULL;
}

static void *pci_liveupdate_seq_start(struct seq_file *m, loff_t *ppos)
	__acquires(&pci_liveupdate_lock)
{
	u64 *cursor = m->private;

	mutex_lock(&pci_liveupdate_lock);
	*cursor = *ppos;
	return seq_find(cursor);
}

static void *pci_liveupdate_seq_next(struct seq_file *m, void *v, loff_t *ppos)
{
	u64 *cursor = v;

	*ppos = ++*cursor;
	return seq_find(cursor);
}

static void pci_liveupdate_seq_stop(struct seq_file *m, void *v)
	__releases(&pci_liveupdate_lock)
{
	mutex_unlock(&pci_liveupdate_lock);
}

static void show_header(struct seq_file *m)
{
	seq_puts(m, "# side address vendor:device kind state\n");
	for (enum side side = 0; side < NR_SIDES; side++) {
		struct pci_liveupdate_index *index = side_index(side);

		if (index)
			seq_printf(m, "# %s record version %u at %#llx of %llu kB\n",
				   side_names[side], index->ser->version,
				   pci_liveupdate_index_root_pa(index),
				   pci_liveupdate_index_size(index) / SZ_1K);
	}
}

static void show_device(struct seq_file *m, enum side side, u64 pos)
{
	struct pci_liveupdate_index *index = side_index(side);
	u32 domain = PCI_SER_KEY_DOMAIN(pos);
	u16 bdf = PCI_SER_KEY_BDF(pos);
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;
	bool present;

	/* Whatever is removed is dropped from what goes to the next kernel. */
	present = side == SIDE_OUTGOING || key_marked(index,
						      PCI_SER_KEY(domain, bdf));

	seq_printf(m, "%s " POS_FMT, side_names[side], POS_ARGS(pos));
	entry = key_entry(index, PCI_SER_KEY(domain, bdf), &damage);
	if (IS_ERR(entry))
		seq_puts(m, " 0000:0000 damaged");
	else
		seq_printf(m, " %04x:%04x %s", entry->vendor, entry->device,
			   entry->hdr_type == PCI_HEADER_TYPE_BRIDGE ?
			   "bridge" : "function");
	seq_puts(m, present ? " present\n" : " absent\n");
}

static int pci_liveupdate_seq_show(struct seq_file *m, void *v)
{
	u64 cursor = *(u64 *)v;

	if (cursor == SEQ_HEADER)
		show_header(m);
	else
		show_device(m, (cursor - 1) >> SEQ_SIDE_SHIFT,
			    (cursor - 1) & GENMASK_ULL(SEQ_SIDE_SHIFT - 1, 0));
	return 0;
}

static const struct seq_operations pci_liveupdate_seq_ops = {
	.start = pci_liveupdate_seq_start,
	.next = pci_liveupdate_seq_next,
	.stop = pci_liveupdate_seq_stop,
	.show = pci_liveupdate_seq_show,
};

static int pci_liveupdate_seq_open(struct inode *inode, struct file *file)
{
	return seq_open_private(file, &pci_liveupdate_seq_ops, sizeof(u64));
}

static const struct file_operations pci_liveupdate_seq_fops = {
	.open = pci_liveupdate_seq_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release_private,
};

static int __init pci_liveupdate_debugfs_init(void)
{
	if (liveupdate_enabled())
		debugfs_create_file("pci_liveupdate", 0400, NULL, NULL,
				    &pci_liveupdate_seq_fops);
	return 0;
}
late_initcall(pci_liveupdate_debugfs_init);
