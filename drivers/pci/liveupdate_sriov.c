// SPDX-License-Identifier: GPL-2.0
/*
 * PCI live update: PFs and VFs.
 */

/**
 * DOC: PCI live update of PFs and VFs
 *
 * Clearing VF Enable or changing NumVFs destroys VFs, and a reset of a PF does both.
 * So the PF of a preserved VF is preserved as well, and while a PF is preserved all its
 * VFs stay enabled, also those that no driver has preserved. A PF that was not preserved
 * by itself is *implied*: it has no owner, and goes when the last preserved VF goes.
 *
 * The record has the VFs as functions, and the SR-IOV state of each PF. VFs of
 * several PFs of a device interleave, so a range of BDFs does not tell whether a PF
 * still has preserved VFs: &struct pci_sriov counts them for each side. The count of
 * the incoming side includes VFs that have not been found.
 *
 * Outgoing kernel: the number of VFs cannot change through sysfs while the PF or a VF
 * is preserved. A PF driver that calls pci_disable_sriov() cannot be refused: its VFs
 * are dropped with a warning.
 *
 * Incoming kernel: pci_iov_init() takes the SR-IOV state from the record and from
 * the registers of the PF, and writes none. pci_bus_add_device() creates the VFs
 * before a driver can bind to the PF. VFs that were not preserved exist as well, since
 * VF Enable stays set: they lose bus mastering, and keep the rest of their state.
 *
 * All VFs of a PF have the same capabilities at the same offsets, and the same header
 * except for Command and Status. Those of VF 0 are read for all.
 */

#define pr_fmt(fmt) "PCI: liveupdate: " fmt
#define dev_fmt(fmt) "liveupdate: " fmt

#include <kunit/static_stub.h>
#include <linux/align.h>
#include <linux/array_size.h>
#include <linux/bits.h>
#include <linux/cleanup.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/ioport.h>
#include <linux/kernel.h>
#include <linux/kho/abi/pci.h>
#include <linux/kexec.h>
#include <linux/lockdep.h>
#include <linux/log2.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/wordpart.h>

#include "pci.h"
#include "liveupdate_index.h"

/* Count */

static u16 *sriov_nr_vfs(struct pci_dev *pf, int flag)
{
	return flag == PCI_DEV_LIVEUPDATE_OUTGOING ?
	       &pf->sriov->liveupdate.outgoing : &pf->sriov->liveupdate.incoming;
}

/**
 * pci_liveupdate_nr_vfs - Get the number of preserved VFs of a PF.
 * @dev: A device.
 * @flag: PCI_DEV_LIVEUPDATE_OUTGOING or PCI_DEV_LIVEUPDATE_INCOMING.
 *
 * Context: The caller holds pci_liveupdate_lock.
 * Return: The number of VFs preserved on that side, 0 if @dev is not a PF.
 */
u16 pci_liveupdate_nr_vfs(struct pci_dev *dev, int flag)
{
	lockdep_assert_held(&pci_liveupdate_lock);

	return dev->is_physfn ? *sriov_nr_vfs(dev, flag) : 0;
}

/**
 * pci_liveupdate_count_vf - Count a VF that was added to or removed from an index.
 * @pf: Its PF.
 * @flag: PCI_DEV_LIVEUPDATE_OUTGOING or PCI_DEV_LIVEUPDATE_INCOMING.
 * @n: 1 or -1.
 *
 * Context: The caller holds pci_liveupdate_lock.
 */
void pci_liveupdate_count_vf(struct pci_dev *pf, int flag, int n)
{
	lockdep_assert_held(&pci_liveupdate_lock);

	*sriov_nr_vfs(pf, flag) += n;
}

/**
 * pci_liveupdate_reset_vfs - Forget the preserved VFs of a PF.
 * @dev: A device that is no longer preserved.
 * @flag: PCI_DEV_LIVEUPDATE_OUTGOING or PCI_DEV_LIVEUPDATE_INCOMING.
 *
 * Context: The caller holds pci_liveupdate_lock.
 */
void pci_liveupdate_reset_vfs(struct pci_dev *dev, int flag)
{
	lockdep_assert_held(&pci_liveupdate_lock);

	if (dev->is_physfn)
		*sriov_nr_vfs(dev, flag) = 0;
}

/* Outgoing */

/**
 * pci_liveupdate_describe_sriov - Get the SR-IOV state of a PF for the record.
 * @pf: A PF.
 *
 * Context: Any.
 * Return: The state.
 */
struct pci_sriov_ser pci_liveupdate_describe_sriov(struct pci_dev *pf)
{
	const struct pci_sriov *iov = pf->sriov;
	struct pci_sriov_ser ser = {
		.num_vfs = iov->num_VFs,
		.offset = iov->num_VFs ? iov->offset : 0,
		.stride = iov->num_VFs ? iov->stride : 0,
		.vf_device = iov->vf_device,
		.max_bus = max(iov->max_VF_buses, pf->bus->number),
	};

	for (int i = 0; i < PCI_SRIOV_NUM_BARS; i++)
		ser.bar_shift[i] = iov->barsz[i] ? ilog2(iov->barsz[i]) : 0;
	return ser;
}

/**
 * pci_liveupdate_probes_vfs - Check if drivers may bind to the VFs of a device.
 * @dev: A device.
 *
 * Context: Any.
 * Return: true if so. false if @dev is no PF.
 */
bool pci_liveupdate_probes_vfs(struct pci_dev *dev)
{
	return dev->is_physfn && dev->sriov->drivers_autoprobe;
}

/* The module of the driver waits for RCU before it frees @pf->driver. */
static bool sriov_driver_leaves_alone(struct pci_dev *pf)
{
	const struct pci_driver *drv;

	guard(rcu)();

	drv = READ_ONCE(pf->driver);
	return !drv || drv->liveupdate_aware || drv->liveupdate_keeps_vfs;
}

/* Get NumVFs, or 0 if VFs are not enabled or don't decode memory. */
static u16 sriov_read_num_vfs(struct pci_dev *pf, int pos)
{
	u16 ctrl, num;

	pci_read_config_word(pf, pos + PCI_SRIOV_CTRL, &ctrl);
	pci_read_config_word(pf, pos + PCI_SRIOV_NUM_VF, &num);
	return ctrl & PCI_SRIOV_CTRL_VFE && ctrl & PCI_SRIOV_CTRL_MSE ? num : 0;
}

/**
 * pci_liveupdate_check_pf - Check if VFs of a PF can be preserved.
 * @dev: A PF, or a device without SR-IOV.
 *
 * Context: Process context. The caller holds pci_liveupdate_lock.
 * Return: 0 if so, or if @dev is not a PF; else with a message:
 *         -EBUSY if the number of VFs is being changed;
 *         -EOPNOTSUPP if the VFs can migrate, if this kernel does not know them, if
 *         the driver of @dev may disable or reset them, or if the registers of @dev
 *         have another number of VFs.
 */
int pci_liveupdate_check_pf(struct pci_dev *dev)
{
	u16 num;

	lockdep_assert_held(&pci_liveupdate_lock);

	if (!dev->is_physfn)
		return 0;

	if (test_bit(PCI_DEV_LIVEUPDATE_VFS, &dev->priv_flags)) {
		pci_warn(dev, "cannot be preserved while the number of its VFs changes\n");
		return -EBUSY;
	}

	num = sriov_read_num_vfs(dev, dev->sriov->pos);
	if (num != dev->sriov->num_VFs) {
		pci_warn(dev, "cannot be preserved: it has %u VFs, but %u were enabled\n",
			 num, dev->sriov->num_VFs);
		return -EOPNOTSUPP;
	}

	if (!num)
		return 0;

	if (dev->sriov->cap & PCI_SRIOV_CAP_VFM || dev->no_vf_scan) {
		pci_warn(dev, "cannot be preserved: its VFs %s\n", dev->no_vf_scan ?
			 "are not known to the kernel" : "can migrate");
		return -EOPNOTSUPP;
	}

	if (!sriov_driver_leaves_alone(dev)) {
		pci_warn(dev, "cannot be preserved with VFs: its driver may disable them at the kexec; bind pci-pf-stub or vfio-pci instead, or unbind it\n");
		return -EOPNOTSUPP;
	}

	return 0;
}

/* Idle PFs */

/* The guard refuses writes to a preserved PF after the kexec has begun. */
static void sriov_set_master(struct pci_dev *pf, bool on)
{
	u16 cmd;

	pci_read_config_word(pf, PCI_COMMAND, &cmd);
	/* A second call to stop finds the bit cleared by the first one */
	if (on || cmd & PCI_COMMAND_MASTER)
		pf->sriov->liveupdate.stopped = !on;
	if (on != !!(cmd & PCI_COMMAND_MASTER))
		pci_bus_write_config_word(pf->bus, pf->devfn, PCI_COMMAND,
					  cmd ^ PCI_COMMAND_MASTER);
}

/**
 * pci_liveupdate_idle_pf - Leave a PF idle with its VFs enabled.
 * @pf: A PF, or another function.
 *
 * A driver that sets liveupdate_keeps_vfs calls this from .shutdown() after it has
 * stopped its own queues, and leaves out everything that would disturb the VFs, such
 * as a reset, if it returns true. May also be called from the .freeze() callback of a
 * LUO file handler, with pci_liveupdate_resume_pf() in .unfreeze().
 *
 * Clears bus mastering of an implied PF: nothing preserves the memory that its driver
 * has given it. The bit does not affect VFs (PCIe r6.0, sec 9.3.4.1.3). An owned PF
 * keeps it.
 *
 * Context: Process context. May sleep.
 * Return: true if VFs of @pf are preserved for the next kernel, which will find them
 *         enabled; false if the driver must shut @pf down as in any other reboot.
 */
bool pci_liveupdate_idle_pf(struct pci_dev *pf)
{
	guard(mutex)(&pci_liveupdate_lock);

	if (!pci_liveupdate_nr_vfs(pf, PCI_DEV_LIVEUPDATE_OUTGOING))
		return false;

	/* Without a kexec that takes the record, the VFs end with this kernel */
	if ((kexec_in_progress || system_state > SYSTEM_RUNNING) &&
	    !READ_ONCE(pci_liveupdate_handing_over))
		return false;

	if (pci_liveupdate_is_implied(pci_liveupdate_outgoing, pf,
				      PCI_DEV_LIVEUPDATE_OUTGOING))
		sriov_set_master(pf, false);
	return true;
}
EXPORT_SYMBOL_GPL(pci_liveupdate_idle_pf);

/**
 * pci_liveupdate_resume_pf - Undo pci_liveupdate_idle_pf().
 * @pf: A PF, or another function.
 *
 * Call it if the live update does not happen. Restores bus mastering.
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_resume_pf(struct pci_dev *pf)
{
	guard(mutex)(&pci_liveupdate_lock);

	if (pf->is_physfn && pf->sriov->liveupdate.stopped)
		sriov_set_master(pf, true);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_resume_pf);

/* Change of the number of VFs */

/**
 * pci_liveupdate_begin_vfs - Begin to change the number of VFs.
 * @dev: A PF.
 *
 * On success neither @dev nor a VF can be preserved until pci_liveupdate_end_vfs().
 *
 * Context: Process context. May sleep.
 * Return: false with a message if @dev or a VF is preserved on either side.
 */
bool pci_liveupdate_begin_vfs(struct pci_dev *dev)
{
	guard(mutex)(&pci_liveupdate_lock);

	if (test_bit(PCI_DEV_LIVEUPDATE_OUTGOING, &dev->priv_flags) ||
	    test_bit(PCI_DEV_LIVEUPDATE_INCOMING, &dev->priv_flags)) {
		pci_warn(dev, "the number of VFs cannot change while it is preserved, with %u VFs for the next kernel and %u by the previous one\n",
			 pci_liveupdate_nr_vfs(dev, PCI_DEV_LIVEUPDATE_OUTGOING),
			 pci_liveupdate_nr_vfs(dev, PCI_DEV_LIVEUPDATE_INCOMING));
		return false;
	}

	set_bit(PCI_DEV_LIVEUPDATE_VFS, &dev->priv_flags);
	return true;
}

/**
 * pci_liveupdate_begin_disable_vfs - Begin to disable the VFs of a PF.
 * @dev: A PF whose driver has called pci_disable_sriov(), or that is being removed.
 *
 * This cannot be refused: VFs that are preserved on either side are dropped when they
 * are removed. The guard lets writes of a driver that holds @dev pass until
 * pci_liveupdate_end_vfs(), which clear VF Enable.
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_begin_disable_vfs(struct pci_dev *dev)
{
	u16 outgoing, incoming;

	guard(mutex)(&pci_liveupdate_lock);

	set_bit(PCI_DEV_LIVEUPDATE_VFS, &dev->priv_flags);
	/* VFs that are enabled later may have other capabilities */
	WRITE_ONCE(dev->sriov->liveupdate.has_caps, false);
	outgoing = pci_liveupdate_nr_vfs(dev, PCI_DEV_LIVEUPDATE_OUTGOING);
	incoming = pci_liveupdate_nr_vfs(dev, PCI_DEV_LIVEUPDATE_INCOMING);
	if (outgoing)
		pci_warn(dev, "its VFs are being disabled: %u are no longer preserved for the next kernel\n",
			 outgoing);
	if (incoming)
		pci_warn(dev, "its VFs are being disabled: %u that the previous kernel preserved are lost\n",
			 incoming);
}

static bool sriov_find(struct pci_liveupdate_index *index, struct pci_dev *pf,
		       int flag, struct pci_liveupdate_slot *slot)
{
	pci_ser_key_t key = PCI_SER_KEY(pci_domain_nr(pf->bus), pci_dev_id(pf));

	return index && test_bit(flag, &pf->priv_flags) &&
	       pci_liveupdate_index_find(index, key, slot);
}

/* The driver of an owned PF may have disabled its VFs. */
static void sriov_update_record(struct pci_liveupdate_index *index,
				struct pci_dev *pf, int flag)
{
	struct pci_sriov_ser sriov = pci_liveupdate_describe_sriov(pf);
	struct pci_liveupdate_slot slot;

	if (sriov_find(index, pf, flag, &slot))
		pci_liveupdate_index_set_sriov(&slot, &sriov);
}

static void sriov_update_flags(struct pci_liveupdate_index *index,
			       struct pci_dev *pf, int flag)
{
	struct pci_liveupdate_slot slot;

	if (sriov_find(index, pf, flag, &slot))
		pci_liveupdate_index_set_flags(&slot, PCI_SER_AUTOPROBE,
					       pci_liveupdate_probes_vfs(pf));
}

/**
 * pci_liveupdate_update_autoprobe - Record if drivers may bind to the VFs of a PF.
 * @dev: A PF whose setting was changed.
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_update_autoprobe(struct pci_dev *dev)
{
	guard(mutex)(&pci_liveupdate_lock);

	sriov_update_flags(pci_liveupdate_incoming, dev,
			   PCI_DEV_LIVEUPDATE_INCOMING);
	/* The reboot notifier has begun to hand the record over */
	if (!kexec_in_progress)
		sriov_update_flags(pci_liveupdate_outgoing, dev,
				   PCI_DEV_LIVEUPDATE_OUTGOING);
}

/**
 * pci_liveupdate_end_vfs - End of an attempt to change the number of VFs.
 * @dev: The PF.
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_end_vfs(struct pci_dev *dev)
{
	guard(mutex)(&pci_liveupdate_lock);

	if (!dev->sriov->num_VFs) {
		pci_liveupdate_drop_absent_vfs(dev);
		pci_liveupdate_drop_above(pci_liveupdate_incoming, dev, dev->bus,
					  PCI_DEV_LIVEUPDATE_INCOMING);
	}
	sriov_update_record(pci_liveupdate_incoming, dev,
			    PCI_DEV_LIVEUPDATE_INCOMING);
	/* The reboot notifier has begun to hand the record over */
	if (!kexec_in_progress)
		sriov_update_record(pci_liveupdate_outgoing, dev,
				    PCI_DEV_LIVEUPDATE_OUTGOING);
	clear_bit(PCI_DEV_LIVEUPDATE_VFS, &dev->priv_flags);
}

/**
 * pci_liveupdate_forbids_pf_driver - Check if a driver might destroy VFs in use.
 * @dev: A device.
 *
 * Context: Any.
 * Return: true if @dev is a PF with VFs that are preserved for the next kernel, or
 *         that were made by the previous kernel: guests use these after the last
 *         one is finished.
 */
bool pci_liveupdate_forbids_pf_driver(struct pci_dev *dev)
{
	return pci_num_vf(dev) &&
	       (pci_liveupdate_adopted(dev) ||
		test_bit(PCI_DEV_LIVEUPDATE_OUTGOING, &dev->priv_flags));
}

/* Incoming */

/* Check that each VF BAR is a multiple of its recorded size. */
static bool sriov_has_bars(struct pci_dev *pf, int pos,
			   const struct pci_sriov_ser *ser)
{
	for (int i = 0; i < PCI_SRIOV_NUM_BARS; i++) {
		u32 low, high = 0;
		u64 base;

		if (!ser->bar_shift[i])
			continue;

		pci_read_config_dword(pf, pos + PCI_SRIOV_BAR + 4 * i, &low);
		if (low & PCI_BASE_ADDRESS_MEM_TYPE_64 &&
		    i + 1 < PCI_SRIOV_NUM_BARS)
			pci_read_config_dword(pf, pos + PCI_SRIOV_BAR + 4 * i + 4,
					      &high);
		base = (low & PCI_BASE_ADDRESS_MEM_MASK) | (u64)high << 32;
		if (!(base & (BIT_ULL(ser->bar_shift[i]) - 1)))
			continue;

		pci_err(pf, "VF BAR %d at %#llx is not a multiple of its recorded size, 1 << %u; not treated as preserved\n",
			i, base, ser->bar_shift[i]);
		return false;
	}

	return true;
}

/**
 * pci_liveupdate_has_sriov - Check if a PF has its recorded SR-IOV state.
 * @pf: A device that was preserved as a PF, before the first write to it.
 * @ser: Its recorded state.
 *
 * Context: Process context.
 * Return: true if so. Otherwise prints an error: the PF was reset, for example.
 */
bool pci_liveupdate_has_sriov(struct pci_dev *pf, const struct pci_sriov_ser *ser)
{
	int pos = pci_find_ext_capability(pf, PCI_EXT_CAP_ID_SRIOV);
	u16 num, offset = 0, stride = 0, device;

	if (!pos) {
		pci_err(pf, "was preserved with SR-IOV, found without; not treated as preserved\n");
		return false;
	}

	num = sriov_read_num_vfs(pf, pos);
	pci_read_config_word(pf, pos + PCI_SRIOV_VF_DID, &device);
	if (num) {
		pci_read_config_word(pf, pos + PCI_SRIOV_VF_OFFSET, &offset);
		pci_read_config_word(pf, pos + PCI_SRIOV_VF_STRIDE, &stride);
	}
	if (num != ser->num_vfs || device != ser->vf_device ||
	    offset != ser->offset || stride != ser->stride) {
		pci_err(pf, "was preserved with %u VFs [%04x] at offset %u, stride %u, found with %u VFs [%04x] at offset %u, stride %u; not treated as preserved\n",
			ser->num_vfs, ser->vf_device, ser->offset, ser->stride,
			num, device, offset, stride);
		return false;
	}

	return sriov_has_bars(pf, pos, ser);
}

/**
 * struct sriov_record - The record of a PF.
 * @ser:    Its SR-IOV state.
 * @flags:  The flags of its entry.
 * @nr_vfs: Number of its VFs in the record.
 */
struct sriov_record {
	struct pci_sriov_ser ser;
	u8 flags;
	u16 nr_vfs;
};

static bool sriov_get_record_locked(struct pci_dev *pf, struct sriov_record *rec)
{
	const struct pci_function_ser *entry;
	const struct pci_sriov_ser *sriov;
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_slot slot;
	pci_ser_key_t key = PCI_SER_KEY(pci_domain_nr(pf->bus), pci_dev_id(pf));

	lockdep_assert_held(&pci_liveupdate_lock);

	entry = pci_liveupdate_incoming_entry(pf);
	if (!entry || !(entry->flags & PCI_SER_PF) ||
	    !pci_liveupdate_index_find(pci_liveupdate_incoming, key, &slot))
		return false;

	sriov = pci_liveupdate_index_sriov(pci_liveupdate_incoming, &slot, &damage);
	if (IS_ERR(sriov))
		return false;

	rec->ser = *sriov;
	rec->flags = entry->flags;
	rec->nr_vfs = pci_liveupdate_index_count_vfs(pci_liveupdate_incoming, key,
						     sriov);
	return true;
}

static bool sriov_get_record(struct pci_dev *pf, struct sriov_record *rec)
{
	guard(mutex)(&pci_liveupdate_lock);

	return sriov_get_record_locked(pf, rec);
}

/**
 * pci_liveupdate_recount_vfs - Correct the count of a PF that is being enumerated.
 * @dev: A device that the driver core knows by now, and that is in the record.
 *
 * A VF that is abandoned earlier leaves the record, but its PF is not found, and counts
 * too many. If the last VF is abandoned after that, and before this call, a PF without
 * an owner stays. Drop it.
 *
 * Context: Process context. The caller holds pci_liveupdate_lock.
 */
void pci_liveupdate_recount_vfs(struct pci_dev *dev)
{
	int flag = PCI_DEV_LIVEUPDATE_INCOMING;
	struct sriov_record rec;

	if (!dev->is_physfn || !sriov_get_record_locked(dev, &rec))
		return;

	*sriov_nr_vfs(dev, flag) = rec.nr_vfs;
	pci_liveupdate_drop_above(pci_liveupdate_incoming, dev, dev->bus, flag);
}

/**
 * pci_liveupdate_drop_absent_vfs - Drop recorded VFs that were not found.
 * @dev: A PF whose VFs are gone, or another device.
 *
 * A VF that was removed by itself has no struct pci_dev that is removed with the VFs of
 * the PF. That of a VF with a damaged entry is not marked.
 *
 * Context: Process context. The caller holds pci_liveupdate_lock.
 */
void pci_liveupdate_drop_absent_vfs(struct pci_dev *dev)
{
	int flag = PCI_DEV_LIVEUPDATE_INCOMING;
	struct pci_liveupdate_slot slot;
	struct sriov_record rec;
	unsigned int lost = 0;
	pci_ser_key_t vf;

	if (!pci_liveupdate_nr_vfs(dev, flag) || !sriov_get_record_locked(dev, &rec))
		return;

	vf = PCI_SER_KEY(pci_domain_nr(dev->bus), pci_dev_id(dev)) + rec.ser.offset;
	for (int i = 0; i < rec.ser.num_vfs; i++, vf += rec.ser.stride) {
		if (!pci_liveupdate_index_find(pci_liveupdate_incoming, vf, &slot) ||
		    pci_liveupdate_index_marked(&slot))
			continue;
		pci_liveupdate_index_remove(pci_liveupdate_incoming, &slot);
		pci_liveupdate_count_vf(dev, flag, -1);
		lost++;
	}

	if (lost)
		pci_warn(dev, "lost %u preserved VFs that had not been found\n", lost);
}

/* Read registers that no kernel changes while VFs are enabled. */
static void sriov_read_registers(struct pci_dev *pf, struct pci_sriov *iov)
{
	int pos = iov->pos;

	pci_read_config_word(pf, pos + PCI_SRIOV_CTRL, &iov->ctrl);
	pci_read_config_word(pf, pos + PCI_SRIOV_TOTAL_VF, &iov->total_VFs);
	pci_read_config_word(pf, pos + PCI_SRIOV_INITIAL_VF, &iov->initial_VFs);
	pci_read_config_word(pf, pos + PCI_SRIOV_VF_OFFSET, &iov->offset);
	pci_read_config_word(pf, pos + PCI_SRIOV_VF_STRIDE, &iov->stride);
	pci_read_config_dword(pf, pos + PCI_SRIOV_SYS_PGSIZE, &iov->pgsz);
	pci_read_config_dword(pf, pos + PCI_SRIOV_CAP, &iov->cap);
	pci_read_config_byte(pf, pos + PCI_SRIOV_FUNC_LINK, &iov->link);
	if (pci_pcie_type(pf) == PCI_EXP_TYPE_RC_END)
		iov->link = PCI_DEVFN(PCI_SLOT(pf->devfn), iov->link);
	iov->driver_max_VFs = iov->total_VFs;
	iov->vf_rebar_cap = pci_find_ext_capability(pf, PCI_EXT_CAP_ID_VF_REBAR);
}

/* As sriov_init() sets up resources, but with the recorded sizes. */
static void sriov_read_bars(struct pci_dev *pf, struct pci_sriov *iov,
			    const struct pci_sriov_ser *ser)
{
	for (int i = 0; i < PCI_SRIOV_NUM_BARS; i++) {
		int resno = pci_resource_num_from_vf_bar(i);
		struct resource *res = &pf->resource[resno];
		u64 mask = ~(BIT_ULL(ser->bar_shift[i]) - 1);
		u32 sizes[] = { lower_32_bits(mask), upper_32_bits(mask) };
		int bar64 = 0;

		if (!ser->bar_shift[i])
			continue;

		/* Enhanced Allocation has set up the resource */
		if (!(res->flags & IORESOURCE_PCI_FIXED))
			bar64 = __pci_read_base(pf, pci_bar_unknown, res,
						iov->pos + PCI_SRIOV_BAR + 4 * i,
						sizes);
		if (!res->flags)
			continue;

		iov->barsz[i] = resource_size(res);
		resource_set_size(res, resource_size(res) * iov->total_VFs);
		pci_dbg(pf, "%s %pR: contains BAR %d for %d VFs\n",
			pci_resource_name(pf, resno), res, i, iov->total_VFs);
		iov->nres++;
		i += bar64;
	}
}

/* Get the PF that has the settings for all PFs of the device. */
static struct pci_dev *sriov_first_pf(struct pci_dev *pf)
{
	struct pci_dev *pdev;

	list_for_each_entry(pdev, &pf->bus->devices, bus_list) {
		if (pdev->is_physfn)
			return pci_dev_get(pdev);
	}

	return pf;
}

/**
 * pci_liveupdate_adopt_sriov - Set up SR-IOV of a preserved device without a write.
 * @dev: A device that the previous kernel preserved.
 * @pos: Offset of its SR-IOV capability.
 *
 * Context: Process context. May sleep.
 * Return: 0, or -ENODEV if the record has no SR-IOV state of @dev: the previous kernel
 *         did not support SR-IOV, and @dev has no VFs.
 */
int pci_liveupdate_adopt_sriov(struct pci_dev *dev, int pos)
{
	struct sriov_record rec;
	struct pci_sriov *iov;

	KUNIT_STATIC_STUB_REDIRECT(pci_liveupdate_adopt_sriov, dev, pos);

	if (!sriov_get_record(dev, &rec))
		return -ENODEV;

	/* A PF without this state would not keep drivers away from its VFs */
	iov = kzalloc_obj(*iov, GFP_KERNEL | __GFP_NOFAIL);
	iov->pos = pos;
	iov->self = dev;
	iov->vf_device = rec.ser.vf_device;
	iov->max_VF_buses = rec.ser.max_bus;
	iov->drivers_autoprobe = rec.flags & PCI_SER_AUTOPROBE;
	iov->liveupdate.incoming = rec.nr_vfs;
	sriov_read_registers(dev, iov);
	sriov_read_bars(dev, iov, &rec.ser);
	iov->dev = sriov_first_pf(dev);

	dev->sriov = iov;
	dev->is_physfn = 1;
	return 0;
}

/* Only for the VFs that the previous kernel has enabled */
static void sriov_link_pfs(struct pci_dev *pf)
{
	struct pci_dev *pdev;

	if (pf->sriov->link == pf->devfn)
		return;

	pdev = pci_get_slot(pf->bus, pf->sriov->link);
	if (!pdev)
		return;

	if (sysfs_create_link(&pf->dev.kobj, &pdev->dev.kobj, "dep_link"))
		pci_warn(pf, "no link to the PF that it depends on\n");
	pci_dev_put(pdev);
}

/* Without a valid entry a VF has no owner. */
static int sriov_adopt_vf(struct pci_dev *pf, int id)
{
	struct pci_dev *vf = pci_iov_create_virtfn(pf, id);

	if (IS_ERR(vf))
		return PTR_ERR(vf);

	if (pci_liveupdate_incoming_is_preserved(vf))
		pci_liveupdate_correct_state(vf);
	else
		pci_clear_master(vf);
	return 0;
}

/**
 * pci_liveupdate_disable_dropped - Disable VFs of a PF that is no longer preserved.
 * @dev: A device that is being enumerated.
 *
 * If @dev is a PF that was found to be preserved, and dropped since, no VF has an owner
 * or a struct pci_dev.
 *
 * Context: Process context. The caller holds pci_rescan_remove_lock. May sleep.
 */
void pci_liveupdate_disable_dropped(struct pci_dev *dev)
{
	u16 ctrl;
	int pos;

	if (!pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_ADOPTED) ||
	    pci_liveupdate_has_flag(dev, PCI_DEV_LIVEUPDATE_INCOMING) ||
	    pci_dev_is_added(dev) || pci_num_vf(dev))
		return;

	pos = pci_find_ext_capability(dev, PCI_EXT_CAP_ID_SRIOV);
	if (!pos)
		return;

	pci_read_config_word(dev, pos + PCI_SRIOV_CTRL, &ctrl);
	if (PCI_POSSIBLE_ERROR(ctrl) || !(ctrl & PCI_SRIOV_CTRL_VFE))
		return;

	/* See sriov_disable() */
	ctrl &= ~(PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE);
	if (dev->is_physfn)
		dev->sriov->ctrl = ctrl;
	pci_cfg_access_lock(dev);
	pci_write_config_word(dev, pos + PCI_SRIOV_CTRL, ctrl);
	ssleep(1);
	pci_cfg_access_unlock(dev);
	pci_warn(dev, "was abandoned while it was being enumerated, its VFs are disabled\n");
}

/**
 * pci_liveupdate_creates_vf - Check if a VF of the previous kernel is being created.
 * @dev: A device that is being enumerated.
 *
 * Context: Any.
 * Return: true if pci_liveupdate_adopt_vfs() creates @dev.
 */
bool pci_liveupdate_creates_vf(struct pci_dev *dev)
{
	return dev->is_virtfn && dev->physfn->sriov->liveupdate.adopting;
}

/**
 * pci_liveupdate_adopt_vfs - Create the VFs that the previous kernel has enabled.
 * @dev: A device, before a driver can bind to it.
 *
 * pci_bus_add_devices() lets drivers bind to the VFs.
 *
 * Context: Process context. The caller holds pci_rescan_remove_lock.
 */
void pci_liveupdate_adopt_vfs(struct pci_dev *dev)
{
	struct sriov_record rec;
	int err;

	if (!pci_liveupdate_incoming_is_preserved(dev) || !dev->is_physfn ||
	    dev->sriov->num_VFs || !sriov_get_record(dev, &rec)) {
		pci_liveupdate_disable_dropped(dev);
		return;
	}

	if (!rec.ser.num_vfs)
		return;

	sriov_link_pfs(dev);
	dev->sriov->liveupdate.adopting = true;
	for (int i = 0; i < rec.ser.num_vfs; i++) {
		err = sriov_adopt_vf(dev, i);
		if (err) {
			pci_err(dev, "VF %d cannot be created: %d\n", i, err);
			break;
		}
	}
	dev->sriov->liveupdate.adopting = false;
	dev->sriov->num_VFs = rec.ser.num_vfs;
	pci_info(dev, "has %u VFs of the previous kernel, %u of them preserved\n",
		 rec.ser.num_vfs, rec.nr_vfs);
}

/* Capabilities */

static void sriov_read_std_caps(struct pci_dev *vf, u8 *caps)
{
	int left = (PCI_CFG_SPACE_SIZE - PCI_STD_HEADER_SIZEOF) / 4;
	u16 status, header;
	u8 pos;

	pci_read_config_word(vf, PCI_STATUS, &status);
	if (!(status & PCI_STATUS_CAP_LIST))
		return;

	pci_read_config_byte(vf, PCI_CAPABILITY_LIST, &pos);
	while (pos >= PCI_STD_HEADER_SIZEOF && left--) {
		pos = ALIGN_DOWN(pos, 4);
		pci_read_config_word(vf, pos, &header);
		if ((u8)header <= PCI_CAP_ID_MAX && !caps[(u8)header])
			caps[(u8)header] = pos;
		pos = header >> 8;
	}
}

static void sriov_read_ext_caps(struct pci_dev *vf, u16 *caps)
{
	int left = (PCI_CFG_SPACE_EXP_SIZE - PCI_CFG_SPACE_SIZE) / 8;
	u16 pos = PCI_CFG_SPACE_SIZE;
	u32 header;

	while (pos >= PCI_CFG_SPACE_SIZE && left--) {
		u16 id;

		pci_read_config_dword(vf, pos, &header);
		id = PCI_EXT_CAP_ID(header);
		if (!header || PCI_POSSIBLE_ERROR(header))
			return;
		if (id <= PCI_EXT_CAP_ID_MAX && !caps[id])
			caps[id] = pos;
		pos = PCI_EXT_CAP_NEXT(header);
	}
}

/**
 * pci_liveupdate_read_vf_caps - Read the header and capabilities of all VFs of a PF.
 * @vf: VF 0.
 *
 * Does nothing unless pci_liveupdate_adopt_vfs() creates the VF.
 *
 * Context: Process context. The caller holds pci_rescan_remove_lock.
 */
void pci_liveupdate_read_vf_caps(struct pci_dev *vf)
{
	struct pci_liveupdate_sriov *state = &vf->physfn->sriov->liveupdate;

	if (!pci_liveupdate_creates_vf(vf))
		return;

	for (int i = 0; i < ARRAY_SIZE(state->header); i++)
		pci_read_config_dword(vf, 4 * i, &state->header[i]);
	memset(state->caps, 0, sizeof(state->caps));
	memset(state->ext_caps, 0, sizeof(state->ext_caps));
	sriov_read_std_caps(vf, state->caps);
	sriov_read_ext_caps(vf, state->ext_caps);
	/* Pairs with sriov_has_caps() */
	smp_store_release(&state->has_caps, true);
}

/* Check if the header and the capabilities of VFs can be read. */
static bool sriov_has_caps(const struct pci_liveupdate_sriov *state)
{
	/* Pairs with the release after the capabilities were read */
	return smp_load_acquire(&state->has_caps);
}

/**
 * pci_liveupdate_get_vf_header - Get a part of the header of a VF without reading it.
 * @vf: A VF.
 * @i: Number of the dword in the header, 0 to 15.
 * @dword: Set to its value.
 *
 * Everything but Command and Status is read-only and the same in all VFs (PCIe r6.0,
 * sec 9.3.4.1), or assumed to be by pci_read_vf_config_common().
 *
 * Context: Any.
 * Return: true if the value is known.
 */
bool pci_liveupdate_get_vf_header(struct pci_dev *vf, int i, u32 *dword)
{
	struct pci_liveupdate_sriov *state = &vf->physfn->sriov->liveupdate;

	if (i == PCI_COMMAND / 4 || !sriov_has_caps(state))
		return false;

	*dword = state->header[i];
	return true;
}

/**
 * pci_liveupdate_find_vf_cap - Find a capability of a VF without reading it.
 * @vf: A VF.
 * @cap: Capability ID.
 * @pos: Set to the offset, or to 0 if the VF lacks the capability.
 *
 * Context: Any.
 * Return: true if the capabilities of @vf are known.
 */
bool pci_liveupdate_find_vf_cap(struct pci_dev *vf, int cap, u8 *pos)
{
	struct pci_liveupdate_sriov *state = &vf->physfn->sriov->liveupdate;

	if (!sriov_has_caps(state) || cap > PCI_CAP_ID_MAX)
		return false;

	*pos = state->caps[cap];
	return true;
}

/**
 * pci_liveupdate_find_vf_ext_cap - Find an extended capability of a VF likewise.
 * @vf: A VF.
 * @cap: Extended Capability ID.
 * @pos: Set to the offset, or to 0 if the VF lacks the capability.
 *
 * Context: Any.
 * Return: true if the capabilities of @vf are known.
 */
bool pci_liveupdate_find_vf_ext_cap(struct pci_dev *vf, int cap, u16 *pos)
{
	struct pci_liveupdate_sriov *state = &vf->physfn->sriov->liveupdate;

	if (!sriov_has_caps(state) || cap > PCI_EXT_CAP_ID_MAX)
		return false;

	*pos = state->ext_caps[cap];
	return true;
}
