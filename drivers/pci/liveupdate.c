// SPDX-License-Identifier: GPL-2.0
/*
 * PCI live update: preserve functions across a kexec.
 */

/**
 * DOC: PCI live update
 *
 * A live update replaces the kernel by kexec while devices keep working. LUO
 * hands files over to the next kernel. The PCI core records the functions behind
 * these files, so that the next kernel can avoid disturbing them when it
 * enumerates the bus. The record identifies a function by segment and BDF: bus
 * numbers cannot change under a device that does DMA.
 *
 * Outgoing kernel
 * ---------------
 *
 * A driver registers its LUO file handler with pci_liveupdate_register_fh().
 * LUO calls the FLB to create an empty index when it preserves the first file of
 * such a handler. The handler's .preserve() callback calls
 * pci_liveupdate_outgoing_preserve(), which adds the function and the bridges
 * above it; its .unpreserve() callback calls
 * pci_liveupdate_outgoing_unpreserve(). The pages of the index are the record
 * that the next kernel reads. They do not change after the kexec has begun: the
 * reboot notifier waits for the last writer. The shutdown clears bus mastering of
 * preserved functions, as in any reboot, if the next kernel takes no record
 * because it was loaded with kexec_load() or KHO is off.
 *
 * Incoming kernel
 * ---------------
 *
 * pci_liveupdate_init() reads the record before any bus is scanned. Enumeration
 * compares each function with the record and marks it, so that
 * pci_liveupdate_incoming_is_preserved() is true before any driver can bind. The
 * handler's .finish() callback calls pci_liveupdate_incoming_finish(), which
 * ends the preservation of the function, and of each bridge with no other
 * preserved function below. The record is freed when the last file is finished.
 *
 * Bridges have no reference count. Functions below a bridge have a contiguous
 * range of BDFs, so a bridge is released when that range is empty. The BDF of the
 * bridge is in the range of its parent: bridges are released bottom-up. A VF is
 * preserved together with its PF, see drivers/pci/liveupdate_sriov.c.
 *
 * The guard refuses writes to a device while it is preserved, see
 * drivers/pci/liveupdate_guard.c.
 *
 * Unhappy paths
 * -------------
 *
 * - The record as a whole is damaged, or this kernel does not support its version
 *   or layout: panic with the field, its value and the expected value. Preserved
 *   devices do DMA, and a kernel that cannot identify them would hand their memory
 *   to other users.
 * - The entry of one function is damaged: print an error with the same details,
 *   don't treat the function as preserved, and clear its bus mastering.
 * - The previous kernel preserved devices, but LUO is off: print a message at the
 *   highest level. Nothing is protected.
 * - Another device answers at a preserved BDF: print an error with both
 *   identities and don't treat the device as preserved. The entry stays until its
 *   file or the last file is finished.
 * - A preserved bridge has other bus numbers: print an error with both numbers and
 *   the functions that cannot be reached. Don't assign numbers to the bridge.
 * - A PF has another number of VFs than recorded: print an error with both numbers
 *   and don't treat the PF as preserved. Its VFs are disabled.
 * - A preserved function is not found: print a warning and a count at the end of
 *   boot. Bridges above it stay preserved until its file or the last file is finished.
 * - The file of a function is lost: clear bus mastering of the function, even if it was
 *   removed through sysfs, before the memory of its session can be reused.
 * - The last file is finished, but some functions are not: print a warning. Clear bus
 *   mastering of each function without a driver before the target memory of its DMA
 *   can be reused, and send a uevent for it.
 * - A kexec begins before functions of the previous kernel are finished: the next kernel
 *   does not get them, as LUO does not hand their sessions over again. Print a warning,
 *   and clear bus mastering of each, even if it was removed through sysfs.
 * - User space gives up a function of either side by writing its address to
 *   /sys/bus/pci/liveupdate_abandon, see drivers/pci/liveupdate_abandon.c.
 * - A function is removed while it is preserved for the next kernel: print a
 *   warning and drop the function, so that the next kernel does not look for it.
 * - A function is removed while it is preserved by the previous kernel: drop it if
 *   the hardware is gone, since a replacement has default settings. Otherwise
 *   adopt it again when a rescan finds it.
 * - The system suspends or hibernates while devices are preserved on either side:
 *   refuse, since that would write to these devices and power them off.
 *
 * Not covered: the state of the IOMMU and its groups, and interrupts that arrive
 * between the kernels. IOMMU drivers disable translation at kexec, so preserving
 * the first device behind an IOMMU prints a warning.
 *
 * Locking
 * -------
 *
 * Lock hierarchy:
 *
 *   LUO session mutex -> luo_file mutex -> luo_register_rwlock -> FLB mutex ->
 *   pci_liveupdate_lock -> KHO and the page allocator
 *
 *   pci_rescan_remove_lock -> pci_liveupdate_lock -> pci_bus_sem
 *
 * Don't hold pci_liveupdate_lock across a liveupdate_flb_*() call, or while a driver
 * may be probed.
 * Only pci_liveupdate_init() takes a reference to the FLB: LUO hands its current
 * count over, and the next kernel would never drop a reference held at kexec.
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
#include <linux/list.h>
#include <linux/liveupdate.h>
#include <linux/lockdep.h>
#include <linux/log2.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/rwsem.h>
#include <linux/sched/clock.h>
#include <linux/sizes.h>

#include "pci.h"
#include "liveupdate_index.h"

#define CREATE_TRACE_POINTS
#include <trace/events/pci_liveupdate.h>

/* See drivers/pci/liveupdate.h for the data that it protects. */
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
	return dev->hdr_type == PCI_HEADER_TYPE_NORMAL;
}

bool pci_liveupdate_has_flag(struct pci_dev *dev, int flag)
{
	return test_bit(flag, &dev->priv_flags);
}

static struct pci_bus *pci_liveupdate_find_child(const struct list_head *buses,
						 u32 domain, u8 number)
{
	struct pci_bus *bus;

	list_for_each_entry(bus, buses, node) {
		struct pci_bus *child;

		if (pci_domain_nr(bus) != domain)
			continue;
		if (bus->number == number)
			return bus;
		child = pci_liveupdate_find_child(&bus->children, domain, number);
		if (child)
			return child;
	}

	return NULL;
}

/**
 * pci_liveupdate_find_bus - Find a bus that may be removed at any time.
 * @domain: Segment number.
 * @number: Bus number.
 *
 * pci_find_bus() returns a bus that may be freed already, unless its caller holds
 * pci_rescan_remove_lock.
 *
 * Context: The caller holds pci_bus_sem, and uses the bus until then, or gets a
 *          reference.
 * Return: The bus, or NULL.
 */
struct pci_bus *pci_liveupdate_find_bus(u32 domain, u8 number)
{
	lockdep_assert_held(&pci_bus_sem);

	return pci_liveupdate_find_child(&pci_root_buses, domain, number);
}

/**
 * pci_liveupdate_get_dev - Get a device by its address.
 * @key: The address.
 *
 * Like pci_get_domain_bus_and_slot(), but looks at the devices of one bus, and also
 * finds a device that is about to be added to the driver core.
 *
 * Context: Process context. May sleep.
 * Return: A reference of the device, or NULL.
 */
struct pci_dev *pci_liveupdate_get_dev(pci_ser_key_t key)
{
	u16 bdf = PCI_SER_KEY_BDF(key);
	struct pci_bus *bus;
	struct pci_dev *dev;

	guard(rwsem_read)(&pci_bus_sem);

	bus = pci_liveupdate_find_bus(PCI_SER_KEY_DOMAIN(key), PCI_BUS_NUM(bdf));
	if (!bus)
		return NULL;

	list_for_each_entry(dev, &bus->devices, bus_list) {
		if (dev->devfn == (bdf & 0xff))
			return pci_dev_get(dev);
	}

	return NULL;
}

/* Check if a function is absent: a message has told of one that is not adopted. */
static bool pci_liveupdate_is_absent(pci_ser_key_t key)
{
	struct pci_dev *dev __free(pci_dev_put) = pci_liveupdate_get_dev(key);

	return !dev;
}

/* Log up to PCI_LIVEUPDATE_LOG_LIMIT functions in [start, end). */
static void pci_liveupdate_warn_range(struct pci_liveupdate_index *index,
				      pci_ser_key_t start, pci_ser_key_t end,
				      const char *text, bool absent)
{
	struct pci_liveupdate_slot slot;
	unsigned int n = 0;

	for (pci_ser_key_t key = start;
	     pci_liveupdate_index_next(index, &key) && key < end; key++) {
		if (absent && pci_liveupdate_index_find(index, key, &slot) &&
		    (pci_liveupdate_index_marked(&slot) ||
		     !pci_liveupdate_is_absent(key)))
			continue;
		if (n++ == PCI_LIVEUPDATE_LOG_LIMIT) {
			pr_warn("and more, see /sys/kernel/debug/pci_liveupdate\n");
			break;
		}
		pr_warn(PCI_LIVEUPDATE_KEY_FMT " %s\n",
			PCI_LIVEUPDATE_KEY_ARGS(key), text);
	}
}

/**
 * pci_liveupdate_warn - Log the functions of an index.
 * @index: An index.
 * @text: Text behind each address.
 * @absent: Log only functions that have not been found, and no other device at
 *          their address.
 *
 * Context: The caller holds pci_liveupdate_lock.
 */
void pci_liveupdate_warn(struct pci_liveupdate_index *index, const char *text,
			 bool absent)
{
	pci_liveupdate_warn_range(index, 0, U64_MAX, text, absent);
}

/* Functions */

/* Get log2 of the BAR size, 0 if the BAR does not decode its resource. */
static u8 pci_liveupdate_bar_shift(struct pci_dev *dev, int bar)
{
	const struct resource *res = &dev->resource[bar];
	int size = -ENOENT;

	/* The resource is stale while the BAR is being resized */
	if (bar < PCI_STD_NUM_BARS && dev->hdr_type == PCI_HEADER_TYPE_NORMAL)
		size = pci_rebar_get_current_size(dev, bar);
	if (size >= 0)
		return size + ilog2(SZ_1M);

	if (!res->flags ||
	    res->flags & (IORESOURCE_PCI_FIXED | IORESOURCE_ROM_SHADOW))
		return 0;

	return ilog2(resource_size(res));
}

/*
 * Check if a function decodes nothing, does no DMA and has no address in any BAR, as
 * after a reset. A VF has no BARs.
 */
static bool pci_liveupdate_is_clear(struct pci_dev *dev)
{
	bool high = false;
	u16 command;

	if (!pci_liveupdate_is_function(dev) || dev->is_virtfn)
		return false;

	pci_read_config_word(dev, PCI_COMMAND, &command);
	if (command & (PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER))
		return false;

	for (int i = 0; i < PCI_STD_NUM_BARS; i++) {
		u32 bar;

		pci_read_config_dword(dev, PCI_BASE_ADDRESS_0 + 4 * i, &bar);
		/* The lower 4 bits have no address, but in the upper half of a BAR */
		if (bar & (high ? U32_MAX : (u32)PCI_BASE_ADDRESS_MEM_MASK))
			return false;
		high = !high && (bar & (PCI_BASE_ADDRESS_SPACE |
					PCI_BASE_ADDRESS_MEM_TYPE_MASK)) ==
				PCI_BASE_ADDRESS_MEM_TYPE_64;
	}

	return true;
}

static struct pci_function_ser pci_liveupdate_describe(struct pci_dev *dev)
{
	bool bridge = dev->hdr_type == PCI_HEADER_TYPE_BRIDGE;
	struct pci_function_ser entry = {
		.vendor = dev->vendor,
		.device = dev->device,
		.flags = bridge ? PCI_SER_BRIDGE : 0,
		.secondary = bridge ? dev->subordinate->busn_res.start : 0,
		.subordinate = bridge ? dev->subordinate->busn_res.end : 0,
	};

	if (dev->broken_intx_masking)
		entry.flags |= PCI_SER_INTX_BROKEN;

	/* The record of the PF has the BARs of its VFs */
	if (dev->is_virtfn) {
		entry.flags |= PCI_SER_VF;
		return entry;
	}
	if (dev->is_physfn)
		entry.flags |= PCI_SER_PF;
	if (pci_liveupdate_probes_vfs(dev))
		entry.flags |= PCI_SER_AUTOPROBE;

	for (int i = 0; i < (bridge ? 2 : PCI_STD_NUM_BARS); i++)
		entry.bar_shift[i] = pci_liveupdate_bar_shift(dev, i);
	entry.bar_shift[PCI_SER_ROM] =
		pci_liveupdate_bar_shift(dev, PCI_ROM_RESOURCE);

	return entry;
}

/*
 * The next kernel must assign the same number to the segment, and must not reset
 * the host bridge. On x86 only Hyper-V sets domain_nr, and VMD uses any free
 * number. On other architectures firmware sets up host bridges of ACPI (Hyper-V's
 * is not one of these) and of the generic drivers. Other drivers reset theirs.
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

/* The IOMMU drops translated requests after it has forgotten the device. */
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
 * Releasing bridges by range requires bus numbers nested in the parent's. The
 * registers must hold these numbers: the next kernel reads them from there.
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
 * End preservation on the side of @flag, and drop the reference that prevents
 * runtime suspend of an incoming device.
 */
void pci_liveupdate_clear_flag(struct pci_dev *dev, int flag)
{
	lockdep_assert_held(&pci_liveupdate_lock);

	if (!test_and_clear_bit(flag, &dev->priv_flags))
		return;

	pci_liveupdate_reset_vfs(dev, flag);
	if (flag != PCI_DEV_LIVEUPDATE_INCOMING)
		return;

	clear_bit(PCI_DEV_LIVEUPDATE_HELD, &dev->priv_flags);
	if (test_and_clear_bit(PCI_DEV_LIVEUPDATE_POWERED, &dev->priv_flags))
		pm_runtime_put(&dev->dev);
}

/* Get the device that is preserved as long as @dev is: a PF, or a bridge. */
static struct pci_dev *pci_liveupdate_above(struct pci_dev *dev)
{
	return dev->is_virtfn ? pci_physfn(dev) : pci_upstream_bridge(dev);
}

/* Check if @dev is preserved for its own sake, and not only for its VFs. */
static bool pci_liveupdate_is_owned(struct pci_liveupdate_index *index,
				    struct pci_dev *dev)
{
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_slot slot;

	if (!dev->is_physfn)
		return true;
	if (!pci_liveupdate_index_find(index, pci_liveupdate_key(dev), &slot))
		return false;

	entry = pci_liveupdate_index_entry(index, &slot, &damage);
	return !IS_ERR(entry) && !(entry->flags & PCI_SER_IMPLIED);
}

static void pci_liveupdate_set_implied(struct pci_liveupdate_index *index,
				       struct pci_dev *pf, bool implied)
{
	struct pci_liveupdate_slot slot;

	if (pci_liveupdate_index_find(index, pci_liveupdate_key(pf), &slot))
		pci_liveupdate_index_set_flags(&slot, PCI_SER_IMPLIED, implied);
}

/* Check if a PF or bridge must stay after a device on @bus below was dropped. */
static bool pci_liveupdate_is_needed(struct pci_liveupdate_index *index,
				     struct pci_dev *dev, int flag,
				     struct pci_bus *bus)
{
	if (dev->hdr_type == PCI_HEADER_TYPE_BRIDGE)
		return pci_liveupdate_any_below(index, bus);

	return pci_liveupdate_nr_vfs(dev, flag) ||
	       pci_liveupdate_is_owned(index, dev);
}

static void pci_liveupdate_remove_dev(struct pci_liveupdate_index *index,
				      struct pci_dev *dev, int flag)
{
	struct pci_liveupdate_slot slot;

	if (pci_liveupdate_index_find(index, pci_liveupdate_key(dev), &slot)) {
		pci_liveupdate_index_remove(index, &slot);
		if (dev->is_virtfn)
			pci_liveupdate_count_vf(pci_physfn(dev), flag, -1);
	}
	pci_liveupdate_clear_flag(dev, flag);
}

/**
 * pci_liveupdate_drop_above - Drop devices with nothing else below.
 * @index: The index of one side.
 * @dev: The PF of a VF that was dropped, the bridge above another device, or NULL.
 * @bus: The bus of the device that was dropped.
 * @flag: PCI_DEV_LIVEUPDATE_OUTGOING or PCI_DEV_LIVEUPDATE_INCOMING, for that side.
 *
 * Walks buses: ->subordinate is NULL during removal.
 *
 * Context: Process context. The caller holds pci_liveupdate_lock.
 */
void pci_liveupdate_drop_above(struct pci_liveupdate_index *index,
			       struct pci_dev *dev, struct pci_bus *bus, int flag)
{
	lockdep_assert_held(&pci_liveupdate_lock);

	while (dev && pci_liveupdate_has_flag(dev, flag) &&
	       !pci_liveupdate_is_needed(index, dev, flag, bus)) {
		pci_liveupdate_remove_dev(index, dev, flag);
		bus = dev->bus;
		dev = pci_liveupdate_above(dev);
	}
}

/**
 * pci_liveupdate_drop_dev - Drop a device, and devices above with nothing else below.
 * @index: The index of one side.
 * @dev: A device that is preserved on that side.
 * @flag: PCI_DEV_LIVEUPDATE_OUTGOING or PCI_DEV_LIVEUPDATE_INCOMING, for that side.
 *
 * Context: Process context. The caller holds pci_liveupdate_lock.
 */
void pci_liveupdate_drop_dev(struct pci_liveupdate_index *index,
			     struct pci_dev *dev, int flag)
{
	pci_liveupdate_remove_dev(index, dev, flag);
	pci_liveupdate_drop_above(index, pci_liveupdate_above(dev), dev->bus, flag);
}

/* The owner of @dev gives it up. A PF stays for its VFs. */
static void pci_liveupdate_disown(struct pci_liveupdate_index *index,
				  struct pci_dev *dev, int flag)
{
	if (pci_liveupdate_nr_vfs(dev, flag))
		pci_liveupdate_set_implied(index, dev, true);
	else
		pci_liveupdate_drop_dev(index, dev, flag);
}

/* Outgoing */

static int pci_liveupdate_add_to_index(struct pci_dev *dev, bool implied)
{
	struct pci_function_ser entry = pci_liveupdate_describe(dev);
	pci_ser_key_t key = pci_liveupdate_key(dev);
	struct pci_sriov_ser sriov;

	if (!(entry.flags & PCI_SER_PF))
		return pci_liveupdate_index_add(pci_liveupdate_outgoing, key,
						&entry);

	sriov = pci_liveupdate_describe_sriov(dev);
	if (implied)
		entry.flags |= PCI_SER_IMPLIED;
	return pci_liveupdate_index_add_pf(pci_liveupdate_outgoing, key, &entry,
					   &sriov);
}

/* Add @dev. A PF is @implied if it is preserved only for its VFs. */
static int pci_liveupdate_add_dev(struct pci_dev *dev, bool implied)
{
	int err;

	err = pci_liveupdate_add_to_index(dev, implied);
	if (err)
		return err == -EEXIST ? -EBUSY : err;

	pci_liveupdate_guard_init(dev);
	set_bit(PCI_DEV_LIVEUPDATE_OUTGOING, &dev->priv_flags);
	if (dev->is_virtfn)
		pci_liveupdate_count_vf(pci_physfn(dev),
					PCI_DEV_LIVEUPDATE_OUTGOING, 1);
	return 0;
}

static int pci_liveupdate_add_with_devices_above(struct pci_dev *dev)
{
	struct pci_dev *above;
	int err;

	err = pci_liveupdate_add_dev(dev, false);
	if (err)
		return err;

	for (above = pci_liveupdate_above(dev); above;
	     above = pci_liveupdate_above(above)) {
		if (pci_liveupdate_has_flag(above, PCI_DEV_LIVEUPDATE_OUTGOING))
			break;

		if (above->hdr_type == PCI_HEADER_TYPE_BRIDGE)
			err = pci_liveupdate_check_bridge(above);
		else
			err = pci_liveupdate_check_function(above);
		if (!err)
			err = pci_liveupdate_add_dev(above, true);
		if (err) {
			pci_liveupdate_drop_dev(pci_liveupdate_outgoing, dev,
						PCI_DEV_LIVEUPDATE_OUTGOING);
			return err;
		}
	}

	return 0;
}

/**
 * pci_liveupdate_is_implied - Check if a PF is preserved only for its VFs.
 * @index: The index of one side, or NULL.
 * @dev: A device.
 * @flag: PCI_DEV_LIVEUPDATE_OUTGOING or PCI_DEV_LIVEUPDATE_INCOMING, for that side.
 *
 * Context: The caller holds pci_liveupdate_lock.
 * Return: true if @dev is a PF with preserved VFs and without an owner.
 */
bool pci_liveupdate_is_implied(struct pci_liveupdate_index *index,
			       struct pci_dev *dev, int flag)
{
	return index && pci_liveupdate_nr_vfs(dev, flag) &&
	       !pci_liveupdate_is_owned(index, dev);
}

/* Check conditions that change over the life of a device. */
static int pci_liveupdate_check_state(struct pci_dev *dev)
{
	lockdep_assert_held(&pci_liveupdate_lock);

	if (!pci_liveupdate_outgoing)
		return -ENOENT;
	if (kexec_in_progress)
		return -ESHUTDOWN;
	if (pci_liveupdate_has_flag(dev, PCI_DEV_REMOVED))
		return -ENODEV;
	if (pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_OUTGOING) &&
	    !pci_liveupdate_is_implied(pci_liveupdate_outgoing, dev,
				       PCI_DEV_LIVEUPDATE_OUTGOING))
		return -EBUSY;

	if (pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_INCOMING) &&
	    !pci_liveupdate_is_implied(pci_liveupdate_incoming, dev,
				       PCI_DEV_LIVEUPDATE_INCOMING)) {
		pci_warn(dev, "cannot be preserved again before it is finished\n");
		return -EBUSY;
	}

	if (pci_liveupdate_renumbering) {
		pci_warn(dev, "cannot be preserved while bus numbers are assigned\n");
		return -EBUSY;
	}

	return pci_liveupdate_check_pf(pci_physfn(dev));
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

		if (pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_OUTGOING))
			pci_liveupdate_set_implied(pci_liveupdate_outgoing, dev,
						   false);
		else
			err = pci_liveupdate_add_with_devices_above(dev);
		if (err)
			return err;
	}

	if (dev->dev.iommu)
		pci_warn_once(dev, "is behind an IOMMU, and its translation does not survive the kexec\n");
	pci_dbg(dev, "preserved for the next kernel\n");
	return 0;
}

/**
 * pci_liveupdate_outgoing_preserve - Preserve a function for the next kernel.
 * @dev: A function with a type 0 header.
 *
 * Adds the function and the bridges above it to the record for the next kernel. If
 * it is a VF, adds its PF as well, without an owner until this is called for the PF.
 * Call it from the .preserve() callback of a LUO file handler that is registered
 * with pci_liveupdate_register_fh().
 *
 * Context: Process context. May sleep. @dev is bound to the calling driver.
 * Return: 0, or with nothing changed:
 *         -EINVAL if @dev is a bridge or a CardBus bridge;
 *         -EOPNOTSUPP if live update is off, if ATS is on behind an IOMMU, if a
 *         quirk enables ACS on @dev or on a bridge above, if the bus numbers of a
 *         bridge above are not nested in its parent's, if the number of the segment
 *         was assigned dynamically or its host bridge is set up by a driver of its
 *         own, if the PF has VFs and a driver that has set neither liveupdate_aware
 *         nor liveupdate_keeps_vfs, if its VFs can migrate, or if its registers have
 *         another number of VFs than the kernel has enabled;
 *         -ENOENT if no file of a registered handler is being preserved;
 *         -ENODEV if @dev is being removed;
 *         -EBUSY if @dev is already preserved, since a function has one bit and
 *         cannot have two owners; if the previous kernel preserved @dev and it is
 *         not finished; if bus numbers are being assigned; or if the number of VFs
 *         is being changed;
 *         -ESHUTDOWN if the kexec has begun;
 *         -ENOSPC if the record has too many segments;
 *         -ENOMEM if there is no memory, or another errno of KHO.
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

/* Check if @dev was given an address that a reset would clear. */
static bool pci_liveupdate_has_address(struct pci_dev *dev)
{
	for (int i = 0; i < PCI_STD_NUM_BARS; i++) {
		const struct resource *res = &dev->resource[i];
		struct pci_bus_region region;

		if (!res->flags || res->flags & IORESOURCE_UNSET)
			continue;
		pcibios_resource_to_bus(dev->bus, &region, (struct resource *)res);
		if (region.start)
			return true;
	}

	return false;
}

/**
 * pci_liveupdate_outgoing_check - Check that a preserved function is not lost.
 * @dev: A function preserved by pci_liveupdate_outgoing_preserve().
 *
 * Call it from the .freeze() callback of a LUO file handler: the owner of a function
 * that was reset, for example by error recovery, must learn that before the kexec.
 *
 * Context: Process context. May sleep.
 * Return: 0, or -ENODEV with an error message if @dev does not answer, or has lost
 *         its addresses.
 */
int pci_liveupdate_outgoing_check(struct pci_dev *dev)
{
	if (!pci_device_is_present(dev)) {
		pci_err(dev, "preserved, but does not answer any more: close its session\n");
		return -ENODEV;
	}

	if (pci_liveupdate_has_address(dev) && pci_liveupdate_is_clear(dev)) {
		pci_err(dev, "preserved, but was reset, and has lost its addresses: close its session\n");
		return -ENODEV;
	}

	return 0;
}
EXPORT_SYMBOL_GPL(pci_liveupdate_outgoing_check);

static int pci_liveupdate_unpreserve_dev(struct pci_dev *dev)
{
	guard(mutex)(&pci_liveupdate_lock);

	if (!pci_liveupdate_is_function(dev) ||
	    !pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_OUTGOING) ||
	    !pci_liveupdate_is_owned(pci_liveupdate_outgoing, dev)) {
		dev_warn_ratelimited(&dev->dev,
				     "not preserved for the next kernel, cannot be unpreserved\n");
		return -ENOENT;
	}

	if (kexec_in_progress)
		return -ESHUTDOWN;

	pci_liveupdate_disown(pci_liveupdate_outgoing, dev,
			      PCI_DEV_LIVEUPDATE_OUTGOING);
	pci_dbg(dev, "no longer preserved for the next kernel\n");
	return 0;
}

/**
 * pci_liveupdate_outgoing_unpreserve - Undo pci_liveupdate_outgoing_preserve().
 * @dev: A function preserved by pci_liveupdate_outgoing_preserve().
 *
 * Releases each bridge above with no other preserved function below, and the PF of
 * the last VF if it has no owner. A PF stays preserved while one of its VFs is.
 * If @dev is not preserved, prints a warning and changes nothing: after removal and
 * rescan the function may belong to another driver.
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
 * pci_liveupdate_outgoing_is_preserved - Check if the next kernel gets a function.
 * @dev: A function preserved by pci_liveupdate_outgoing_preserve().
 *
 * User space may abandon a function that is in a session. The .freeze() callback of a
 * LUO file handler then leaves @dev alone and returns 0, or else the session would
 * prevent the kexec.
 *
 * Context: Process context. May sleep.
 * Return: true until @dev is unpreserved, abandoned or removed.
 */
bool pci_liveupdate_outgoing_is_preserved(struct pci_dev *dev)
{
	guard(mutex)(&pci_liveupdate_lock);

	return pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_OUTGOING) &&
	       pci_liveupdate_is_owned(pci_liveupdate_outgoing, dev);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_outgoing_is_preserved);

/**
 * pci_liveupdate_clear_outgoing - Drop all functions for the next kernel.
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

static u8 pci_liveupdate_hdr_type(const struct pci_function_ser *entry)
{
	return entry->flags & PCI_SER_BRIDGE ? PCI_HEADER_TYPE_BRIDGE :
					       PCI_HEADER_TYPE_NORMAL;
}

bool pci_liveupdate_answers_as(struct pci_dev *dev,
			       const struct pci_function_ser *entry)
{
	return dev->is_virtfn == !!(entry->flags & PCI_SER_VF) &&
	       dev->vendor == entry->vendor && dev->device == entry->device &&
	       dev->hdr_type == pci_liveupdate_hdr_type(entry);
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
 * Return: The entry, or NULL if the record has no valid entry of @dev.
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

/* Get the range [start, end) of keys of functions below a bridge. */
static void pci_liveupdate_range_below(struct pci_dev *bridge,
				       const struct pci_function_ser *entry,
				       pci_ser_key_t *start, pci_ser_key_t *end)
{
	u32 domain = pci_domain_nr(bridge->bus);

	*start = PCI_SER_KEY(domain, PCI_DEVID(entry->secondary, 0));
	*end = PCI_SER_KEY(domain, PCI_DEVID(entry->subordinate, 0xff)) + 1;
}

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
 * Stop DMA of a function without a valid entry: its memory is not protected.
 * Don't stop a bridge: protected functions below it do DMA.
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

/* Check that @dev has not been reset since the previous kernel described it. */
static int pci_liveupdate_check_reset(struct pci_dev *dev,
				      const struct pci_function_ser *entry)
{
	/* A function without BARs has nothing to compare */
	if (!memchr_inv(entry->bar_shift, 0, PCI_STD_NUM_BARS) ||
	    !pci_liveupdate_is_clear(dev))
		return 0;

	pci_err(dev, "was preserved, but its link went down or another card is in its slot: its BARs are 0; not treated as preserved\n");
	return -ENXIO;
}

/* Check that a PF has its recorded SR-IOV state. */
static int pci_liveupdate_check_sriov(struct pci_dev *dev,
				      const struct pci_liveupdate_slot *slot)
{
	const struct pci_sriov_ser *sriov;
	struct pci_liveupdate_damage damage;

	sriov = pci_liveupdate_index_sriov(pci_liveupdate_incoming, slot, &damage);
	if (IS_ERR(sriov)) {
		pci_liveupdate_stop_damaged(dev, &damage);
		return PTR_ERR(sriov);
	}

	return pci_liveupdate_has_sriov(dev, sriov) ? 0 : -ENXIO;
}

/* Check that a device matches its entry in the record. */
static int pci_liveupdate_check_match(struct pci_dev *dev,
				      const struct pci_liveupdate_slot *slot)
{
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;
	int err;

	entry = pci_liveupdate_index_entry(pci_liveupdate_incoming, slot, &damage);
	if (IS_ERR(entry)) {
		pci_liveupdate_stop_damaged(dev, &damage);
		return PTR_ERR(entry);
	}

	if (!pci_liveupdate_answers_as(dev, entry)) {
		pci_err(dev, "[%04x:%04x] type %02x%s was preserved, found [%04x:%04x] type %02x%s; not treated as preserved\n",
			entry->vendor, entry->device,
			pci_liveupdate_hdr_type(entry),
			entry->flags & PCI_SER_VF ? " (VF)" : "",
			dev->vendor, dev->device, dev->hdr_type,
			dev->is_virtfn ? " (VF)" : "");
		return -ENODEV;
	}

	if (!pci_liveupdate_bridge_has_numbers(dev, entry)) {
		pci_liveupdate_report_lost_numbers(dev, entry);
		return -ENXIO;
	}

	/* A VF that was enabled after the PF had lost its VFs */
	if (dev->is_virtfn && !pci_liveupdate_has_flag(pci_physfn(dev),
						       PCI_DEV_LIVEUPDATE_INCOMING)) {
		pci_err(dev, "was preserved, but its PF is not treated as preserved\n");
		return -ENXIO;
	}

	if (entry->flags & PCI_SER_PF) {
		err = pci_liveupdate_check_sriov(dev, slot);
		if (err)
			return err;
	}

	return pci_liveupdate_check_reset(dev, entry);
}

/* Mark a device if it matches its entry in the record. */
static int pci_liveupdate_adopt(struct pci_dev *dev,
				const struct pci_liveupdate_slot *slot)
{
	int err;

	lockdep_assert_held(&pci_liveupdate_lock);

	err = pci_liveupdate_check_match(dev, slot);
	if (err)
		return err;

	pci_liveupdate_index_mark(slot, true);
	pci_liveupdate_guard_init(dev);
	pci_liveupdate_guard_adopt(dev);
	set_bit(PCI_DEV_LIVEUPDATE_INCOMING, &dev->priv_flags);
	set_bit(PCI_DEV_LIVEUPDATE_ADOPTED, &dev->priv_flags);
	pci_dbg(dev, "preserved by the previous kernel\n");
	return 0;
}

/**
 * pci_liveupdate_setup_device - Look up a device that is being enumerated.
 * @dev: A device with valid address, identity and cfg_size.
 *
 * Context: Process context, before the first write to @dev. May sleep.
 */
void pci_liveupdate_setup_device(struct pci_dev *dev)
{
	struct pci_liveupdate_slot slot;
	u64 start;
	int err;

	/* Set before the first scan, and cleared at any time */
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
 * pci_liveupdate_incoming_is_preserved - Check if the previous kernel preserved a device.
 * @dev: A function or a bridge.
 *
 * Context: Any.
 * Return: true from enumeration of a preserved device until it is finished, and in
 *         case of a PF until its preserved VFs are finished as well.
 */
bool pci_liveupdate_incoming_is_preserved(struct pci_dev *dev)
{
	return test_bit(PCI_DEV_LIVEUPDATE_INCOMING, &dev->priv_flags);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_incoming_is_preserved);

/**
 * pci_liveupdate_incoming_is_recorded - Check if a function is in the record.
 * @domain: Segment number.
 * @bdf: bus << 8 | devfn.
 *
 * The .can_finish() callback of a LUO file handler returns true if this is false: user
 * space has abandoned the function, or it was unplugged.
 *
 * Context: Process context. May sleep.
 * Return: true if the previous kernel preserved the function, found or not, and it is
 *         neither finished nor abandoned.
 */
bool pci_liveupdate_incoming_is_recorded(u32 domain, u16 bdf)
{
	struct pci_liveupdate_slot slot;

	guard(mutex)(&pci_liveupdate_lock);

	return pci_liveupdate_incoming &&
	       pci_liveupdate_index_find(pci_liveupdate_incoming,
					 PCI_SER_KEY(domain, bdf), &slot);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_incoming_is_recorded);

/**
 * pci_liveupdate_incoming_hold - Refuse writes of the driver to a preserved function.
 * @dev: A function that a driver is bound to.
 * @hold: Refuse them until @dev is finished, or allow them again.
 *
 * The configuration space of a preserved function can be written once a driver is
 * bound. A driver that must not disturb the function until its file is finished can
 * have the guard refuse its own writes as well, and its resets. Writes pass while
 * pci_disable_sriov() disables VFs of @dev.
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_incoming_hold(struct pci_dev *dev, bool hold)
{
	guard(mutex)(&pci_liveupdate_lock);

	if (hold && pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_INCOMING))
		set_bit(PCI_DEV_LIVEUPDATE_HELD, &dev->priv_flags);
	else
		clear_bit(PCI_DEV_LIVEUPDATE_HELD, &dev->priv_flags);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_incoming_hold);

/*
 * Stop a function that has no user any more. The guard protects a PF that goes on for
 * its VFs, which does not need its bus mastering (PCIe r6.0, sec 9.3.4.1.3).
 */
static void pci_liveupdate_stop_dev(struct pci_dev *dev)
{
	pci_liveupdate_clear_master(dev->bus, dev->devfn);
	dev->is_busmaster = false;
	pci_warn(dev, "has no user any more, bus mastering is cleared\n");
}

/* Sets @gone if the hardware is gone. */
static int pci_liveupdate_finish_locked(struct pci_dev *dev, bool stop, bool *gone)
{
	lockdep_assert_held(&pci_liveupdate_lock);

	if (!pci_liveupdate_incoming || !pci_liveupdate_is_function(dev) ||
	    !pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_INCOMING) ||
	    !pci_liveupdate_is_owned(pci_liveupdate_incoming, dev)) {
		dev_warn_ratelimited(&dev->dev,
				     "not preserved by the previous kernel, cannot be finished\n");
		return -ENOENT;
	}

	pci_liveupdate_disown(pci_liveupdate_incoming, dev,
			      PCI_DEV_LIVEUPDATE_INCOMING);
	clear_bit(PCI_DEV_LIVEUPDATE_HELD, &dev->priv_flags);
	*gone = pci_dev_is_disconnected(pci_physfn(dev));
	if (*gone)
		pci_warn(dev, "gone before it was finished, no longer preserved\n");
	else if (stop)
		pci_liveupdate_stop_dev(dev);
	return 0;
}

static void pci_liveupdate_announce_finished(struct pci_dev *dev, bool abandoned)
{
	if (!READ_ONCE(dev->driver))
		pci_liveupdate_release_to_drivers(dev);
	pci_liveupdate_send_uevent(dev, abandoned ? "PCI_LIVEUPDATE=abandoned" :
						    "PCI_LIVEUPDATE=finished");
	pci_dbg(dev, "finished\n");
}

static int pci_liveupdate_finish_dev(struct pci_dev *dev, bool stop)
{
	bool gone = false;
	int err;

	scoped_guard(mutex, &pci_liveupdate_lock)
		err = pci_liveupdate_finish_locked(dev, stop, &gone);
	if (!err)
		pci_liveupdate_announce_finished(dev, stop || gone);
	return err;
}

/**
 * pci_liveupdate_incoming_finish - End the preservation of a function.
 * @dev: A function for which pci_liveupdate_incoming_is_preserved() is true.
 *
 * The PCI core then treats @dev like any other device, except for settings that
 * other devices depend on. Releases each bridge above with no other preserved
 * function below, and the PF of the last VF if it has no owner. A PF stays
 * preserved until its preserved VFs are finished. If @dev is not preserved, prints a
 * warning and changes nothing.
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_incoming_finish(struct pci_dev *dev)
{
	u64 start = trace_start(finish);
	int err;

	err = pci_liveupdate_finish_dev(dev, false);
	trace_pci_liveupdate_finish(dev, err, start);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_incoming_finish);

/**
 * pci_liveupdate_incoming_abandon - Stop a function whose file is lost.
 * @dev: A function for which pci_liveupdate_incoming_is_preserved() is true.
 *
 * Like pci_liveupdate_incoming_finish(), but clears bus mastering of @dev before a
 * driver can bind. A handler calls this before the memory of the function is
 * freed. A PF with preserved VFs stays preserved for these, but is stopped as well.
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_incoming_abandon(struct pci_dev *dev)
{
	u64 start = trace_start(finish);
	int err;

	err = pci_liveupdate_finish_dev(dev, true);
	trace_pci_liveupdate_finish(dev, err, start);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_incoming_abandon);

/*
 * Abandon the function at @key if it is recorded. Returns a reference of it if it was
 * found and is preserved.
 */
static struct pci_dev *pci_liveupdate_abandon_key(pci_ser_key_t key)
{
	struct pci_dev *dev __free(pci_dev_put) = NULL;
	struct pci_liveupdate_slot slot;
	bool gone;

	guard(mutex)(&pci_liveupdate_lock);

	if (!pci_liveupdate_incoming ||
	    !pci_liveupdate_index_find(pci_liveupdate_incoming, key, &slot))
		return NULL;

	/*
	 * Until it is in the driver core it has no uevents, and
	 * pci_liveupdate_bus_notify() abandons it.
	 */
	dev = pci_get_domain_bus_and_slot(PCI_SER_KEY_DOMAIN(key),
					  PCI_BUS_NUM(PCI_SER_KEY_BDF(key)),
					  PCI_SER_KEY_BDF(key) & 0xff);
	if (!dev || !pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_INCOMING)) {
		pci_liveupdate_abandon_absent(pci_liveupdate_incoming, &slot, key);
		return NULL;
	}

	if (pci_liveupdate_finish_locked(dev, true, &gone))
		return NULL;

	return no_free_ptr(dev);
}

/**
 * pci_liveupdate_incoming_abandon_recorded - Stop a function that may not be found.
 * @domain: Segment number.
 * @bdf: bus << 8 | devfn.
 *
 * Like pci_liveupdate_incoming_abandon(), but by address: a function that was removed
 * through sysfs still does DMA. A handler calls this in .can_finish() of a file that it
 * could not retrieve, before the memory of the function is freed. Does not touch another
 * device at that address, or a function that a driver is bound to although it is not
 * treated as preserved. Changes nothing if the function is not in the record.
 *
 * Context: Process context. May sleep. Does not take pci_rescan_remove_lock.
 */
void pci_liveupdate_incoming_abandon_recorded(u32 domain, u16 bdf)
{
	u64 start = trace_start(finish);
	struct pci_dev *dev __free(pci_dev_put) =
		pci_liveupdate_abandon_key(PCI_SER_KEY(domain, bdf));

	if (!dev)
		return;

	pci_liveupdate_announce_finished(dev, true);
	trace_pci_liveupdate_finish(dev, 0, start);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_incoming_abandon_recorded);

/* Loss */

/* Drop a function that the hardware has reset. A PF stays until its VFs are dropped. */
static void pci_liveupdate_lose_dev(struct pci_dev *dev)
{
	scoped_guard(mutex, &pci_liveupdate_lock) {
		pci_liveupdate_drop_absent_vfs(dev);
		if (!pci_liveupdate_incoming || !pci_liveupdate_is_function(dev) ||
		    !pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_INCOMING) ||
		    pci_liveupdate_nr_vfs(dev, PCI_DEV_LIVEUPDATE_INCOMING))
			return;
		pci_liveupdate_drop_dev(pci_liveupdate_incoming, dev,
					PCI_DEV_LIVEUPDATE_INCOMING);
	}

	pci_err(dev, "reset by Downstream Port Containment before it was finished, no longer preserved\n");
	pci_liveupdate_send_uevent(dev, "PCI_LIVEUPDATE=abandoned");
}

/**
 * pci_liveupdate_lose_below - Drop functions below a link that went down.
 * @bridge: The bridge above the link.
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_lose_below(struct pci_dev *bridge)
{
	const struct resource *buses;
	struct pci_dev *dev;

	if (!bridge->subordinate)
		return;

	/* VFs may be on buses of their own, which pci_walk_bus() does not find */
	buses = &bridge->subordinate->busn_res;
	for (int pass = 0; pass < 2; pass++) {
		dev = NULL;
		for_each_pci_dev(dev) {
			if (pci_domain_nr(dev->bus) == pci_domain_nr(bridge->bus) &&
			    dev->bus->number >= buses->start &&
			    dev->bus->number <= buses->end)
				pci_liveupdate_lose_dev(dev);
		}
	}
}

/* Removal */

/* Drop all functions in the recorded range of a bridge that is gone. */
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

/* Check if @dev is a VF that is being disabled: a message names the number. */
static bool pci_liveupdate_is_disabled(struct pci_dev *dev)
{
	return dev->is_virtfn &&
	       pci_liveupdate_has_flag(pci_physfn(dev), PCI_DEV_LIVEUPDATE_VFS);
}

static void pci_liveupdate_cleanup_incoming(struct pci_dev *dev)
{
	struct pci_liveupdate_slot slot;

	/* VFs on a bus of their own are not told that the PF is gone */
	if (pci_liveupdate_is_disabled(dev) ||
	    pci_dev_is_disconnected(pci_physfn(dev))) {
		if (!pci_liveupdate_is_disabled(dev))
			pci_warn(dev, "gone before it was finished, no longer preserved\n");
		if (dev->hdr_type == PCI_HEADER_TYPE_BRIDGE)
			pci_liveupdate_drop_below(dev);
		pci_liveupdate_drop_absent_vfs(dev);
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
 * pci_liveupdate_cleanup_device - Drop a device that is being removed.
 * @dev: A device after pci_dev_test_and_set_removed(), with no devices below.
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_cleanup_device(struct pci_dev *dev)
{
	guard(mutex)(&pci_liveupdate_lock);

	if (pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_OUTGOING)) {
		if (kexec_in_progress)
			pci_warn(dev, "removed after the kexec has begun, the next kernel will not find it\n");
		else if (!pci_liveupdate_is_disabled(dev))
			pci_warn(dev, "removed while preserved for the next kernel, which will not look for it\n");
		if (!kexec_in_progress)
			pci_liveupdate_drop_dev(pci_liveupdate_outgoing, dev,
						PCI_DEV_LIVEUPDATE_OUTGOING);
	}

	/*
	 * A VF that is disabled leaves the record even if its entry was not valid. The
	 * PF counts such VFs, unless it is not preserved by itself.
	 */
	if (pci_liveupdate_incoming &&
	    (pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_INCOMING) ||
	     (pci_liveupdate_is_disabled(dev) &&
	      pci_liveupdate_has_flag(pci_physfn(dev), PCI_DEV_LIVEUPDATE_INCOMING))))
		pci_liveupdate_cleanup_incoming(dev);
}
