// SPDX-License-Identifier: GPL-2.0
/*
 * PCI live update: refuse writes to configuration space of preserved devices.
 */

/**
 * DOC: PCI live update guard
 *
 * The kernel and user space must not change the configuration space of preserved
 * devices. The guard checks writes in pci_write_config_byte(), _word() and
 * _dword() and in pci_user_write_config_*(), and lets a write pass only if a rule
 * allows it.
 *
 * - A function that the previous kernel preserved is closed until a driver binds
 *   or the function is finished. A function preserved for the next kernel is
 *   closed after the kexec has begun. No write passes to a closed function.
 * - A bridge above such a function is closed until the last function below is
 *   finished. guard_rows[] lists the bits that pass: status bits and bits that
 *   port services own.
 * - Settings that other devices depend on, guard_kept_rows[], keep their values
 *   for the life of the struct pci_dev. If an adopted device is reset, the next
 *   write to such a register restores them.
 *
 * Bits of a closed bridge have one of four classes: they pass; they are kept; they
 * are written as 0, since writing 1 triggers an action; or they may be set but not
 * cleared, since drivers enable decoding and bus mastering of bridges above their
 * device. The guard reads the register to merge a partly refused write with the
 * current bits. RW1C bits that do not pass are written as 0.
 *
 * A refused write that would have changed bits is counted on the device and
 * traced. User space gets -EBUSY. A refused write of the kernel is successful if
 * it would not have changed bits.
 *
 * The guard protects the devices. drivers/pci/liveupdate_hooks.c keeps the state
 * of the PCI core consistent with them: code that reads back a register after
 * writing it, or waits for the effect of the write, must check first.
 */

#define pr_fmt(fmt) "PCI: liveupdate: " fmt
#define dev_fmt(fmt) "liveupdate: " fmt

#include <linux/align.h>
#include <linux/array_size.h>
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/kexec.h>
#include <linux/pci.h>
#include <linux/types.h>
#include <trace/events/pci_liveupdate.h>

#include "pci.h"

#define ALL_BITS	GENMASK(31, 0)
#define LOW_HALF	GENMASK(15, 0)
#define HIGH_HALF	GENMASK(31, 16)

/* Discard Timer Status (PCIe r6.0, sec 7.5.1.3.13) */
#define BRIDGE_CTL_DISCARD_STATUS	0x0400

/* DPC Software Trigger, in the upper half of a dword (PCIe r6.0, sec 7.9.14.3) */
#define DPC_TRIGGER	(0x0040u << 16)

/* Groups of registers, at struct pci_liveupdate_guard.caps[] of a device. */
enum guard_cap {
	GUARD_HEADER,
	GUARD_HEADER1,		/* Registers of a type 1 header */
	GUARD_PM,
	GUARD_EXP,
	GUARD_SLOT,		/* Slot Control, if there is a slot */
	GUARD_ROOT,		/* Root Control, of a Root Port */
	GUARD_EXP2,		/* Device Control 2 */
	GUARD_MSI,
	GUARD_MSI_HIGH,		/* Message Upper Address */
	GUARD_MSI_DATA,
	GUARD_MSI_MASK,
	GUARD_MSIX,
	GUARD_AER,
	GUARD_AER_ROOT,		/* Root Error Command, of a Root Port */
	GUARD_ACS,
	GUARD_ACS_EGRESS,	/* Egress Control Vector */
	GUARD_L1SS,
	GUARD_PTM,
	GUARD_DPC,
	GUARD_DPC_RP,		/* RP PIO registers */
	NR_GUARD_CAPS,
};

static_assert(NR_GUARD_CAPS == PCI_LIVEUPDATE_NR_CAPS);

/**
 * struct guard_row - Classes of bits of a closed bridge; other bits are kept.
 * @cap:  &enum guard_cap.
 * @pos:  Offset of the dword in the group of registers.
 * @pass: Bits that software may write.
 * @zero: Bits that trigger an action when written as 1; written as 0.
 * @set:  Bits that software may set but not clear.
 * @rw1c: Bits that are cleared by writing 1. Also used for functions.
 */
struct guard_row {
	u8 cap;
	u8 pos;
	u32 pass;
	u32 zero;
	u32 set;
	u32 rw1c;
};

/* Sections are those of the PCI Express Base Specification, Revision 6.0. */
static const struct guard_row guard_rows[] = {
	/* 7.5.1.1.3 Command, 7.5.1.1.4 Status: the port driver owns INTx Disable */
	{ GUARD_HEADER, PCI_COMMAND,
	  .pass = HIGH_HALF | PCI_COMMAND_INTX_DISABLE,
	  .set = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER,
	  .rw1c = HIGH_HALF },
	/* 7.5.1.3.7 Secondary Status */
	{ GUARD_HEADER1, PCI_IO_BASE, .pass = HIGH_HALF, .rw1c = HIGH_HALF },
	/* 7.5.1.3.13 Bridge Control: Discard Timer Status */
	{ GUARD_HEADER1, PCI_BRIDGE_CONTROL & ~3,
	  .rw1c = (u32)BRIDGE_CTL_DISCARD_STATUS << 16 },
	/* 7.5.2.2 Power Management Control/Status: nothing passes, not even PME_En */
	{ GUARD_PM, PCI_PM_CTRL, .rw1c = PCI_PM_CTRL_PME_STATUS },
	/* 7.5.3.5 Device Status */
	{ GUARD_EXP, PCI_EXP_DEVCTL, .pass = HIGH_HALF, .rw1c = HIGH_HALF },
	/* 7.5.3.7 Link Control: bandwidth interrupts; 7.5.3.8 Link Status */
	{ GUARD_EXP, PCI_EXP_LNKCTL,
	  .pass = HIGH_HALF | PCI_EXP_LNKCTL_LBMIE | PCI_EXP_LNKCTL_LABIE,
	  .zero = PCI_EXP_LNKCTL_RL,
	  .rw1c = (u32)(PCI_EXP_LNKSTA_LBMS | PCI_EXP_LNKSTA_LABS) << 16 },
	/*
	 * 7.5.3.10 Slot Control: notification and indicators, but not the power
	 * controller and the interlock; 7.5.3.11 Slot Status
	 */
	{ GUARD_SLOT, 0,
	  .pass = HIGH_HALF | PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PFDE |
		  PCI_EXP_SLTCTL_MRLSCE | PCI_EXP_SLTCTL_PDCE |
		  PCI_EXP_SLTCTL_CCIE | PCI_EXP_SLTCTL_HPIE |
		  PCI_EXP_SLTCTL_AIC | PCI_EXP_SLTCTL_PIC |
		  PCI_EXP_SLTCTL_DLLSCE | PCI_EXP_SLTCTL_IBPD_DISABLE,
	  .zero = PCI_EXP_SLTCTL_EIC,
	  .rw1c = HIGH_HALF },
	/* 7.5.3.12 Root Control */
	{ GUARD_ROOT, 0, .pass = LOW_HALF },
	/* 7.5.3.14 Root Status */
	{ GUARD_ROOT, PCI_EXP_RTSTA - PCI_EXP_RTCTL, .pass = ALL_BITS,
	  .rw1c = ALL_BITS },
	/* 7.7.1 MSI: the port driver sets up its own interrupt */
	{ GUARD_MSI, PCI_MSI_FLAGS & ~3, .pass = HIGH_HALF },
	{ GUARD_MSI, PCI_MSI_ADDRESS_LO, .pass = ALL_BITS },
	{ GUARD_MSI_HIGH, 0, .pass = ALL_BITS },
	{ GUARD_MSI_DATA, 0, .pass = LOW_HALF },
	{ GUARD_MSI_MASK, 0, .pass = ALL_BITS },
	/* 7.7.2.2 MSI-X Message Control */
	{ GUARD_MSIX, PCI_MSIX_FLAGS & ~3, .pass = HIGH_HALF },
	/* 7.8.4.2 Uncorrectable, 7.8.4.5 Correctable Error Status */
	{ GUARD_AER, PCI_ERR_UNCOR_STATUS, .pass = ALL_BITS, .rw1c = ALL_BITS },
	{ GUARD_AER, PCI_ERR_COR_STATUS, .pass = ALL_BITS, .rw1c = ALL_BITS },
	/* 7.8.4.9 Root Error Command, 7.8.4.10 Root Error Status */
	{ GUARD_AER_ROOT, 0, .pass = ALL_BITS },
	{ GUARD_AER_ROOT, PCI_ERR_ROOT_STATUS - PCI_ERR_ROOT_COMMAND,
	  .pass = ALL_BITS, .rw1c = ALL_BITS },
	/* 7.9.15.3 PTM Control: a driver below may ask for PTM */
	{ GUARD_PTM, PCI_PTM_CTRL, .set = PCI_PTM_CTRL_ENABLE | PCI_PTM_CTRL_ROOT },
	/* 7.9.14.3 DPC Control except its trigger, 7.9.14.4 DPC Status */
	{ GUARD_DPC, PCI_EXP_DPC_CAP,
	  .pass = HIGH_HALF & ~DPC_TRIGGER, .zero = DPC_TRIGGER },
	{ GUARD_DPC, PCI_EXP_DPC_STATUS, .pass = LOW_HALF, .rw1c = LOW_HALF },
	/* 7.9.14.6 RP PIO Status */
	{ GUARD_DPC_RP, 0, .pass = ALL_BITS, .rw1c = ALL_BITS },
};

/**
 * struct guard_kept_row - Bits of an adopted device that other devices depend on.
 * @cap:    &enum guard_cap.
 * @pos:    Offset of the dword in the group of registers.
 * @bits:   The bits.
 * @bridge: Only bridges keep them.
 */
struct guard_kept_row {
	u8 cap;
	u8 pos;
	u32 bits;
	bool bridge;
};

static const struct guard_kept_row guard_kept_rows[] = {
	/* 7.5.3.4 Device Control: TLPs of the current MPS are in flight */
	{ GUARD_EXP, PCI_EXP_DEVCTL,
	  PCI_EXP_DEVCTL_PAYLOAD | PCI_EXP_DEVCTL_EXT_TAG },
	/* 7.7.11.3 ACS Control: routes DMA and determines IOMMU groups */
	{ GUARD_ACS, PCI_ACS_CAP, HIGH_HALF },
	/* 7.7.11.4 Egress Control Vector */
	{ GUARD_ACS_EGRESS, 0, ALL_BITS },
	/* 7.5.3.7 Link Control: both ends of the link must agree */
	{ GUARD_EXP, PCI_EXP_LNKCTL,
	  PCI_EXP_LNKCTL_ASPMC | PCI_EXP_LNKCTL_CCC, true },
	/* 7.5.3.16 Device Control 2: functions below use ARI and send LTR */
	{ GUARD_EXP2, 0, PCI_EXP_DEVCTL2_ARI | PCI_EXP_DEVCTL2_LTR_EN, true },
	/* 7.8.3.3, 7.8.3.4 L1 PM Substates Control 1 and 2 */
	{ GUARD_L1SS, PCI_L1SS_CTL1, ALL_BITS, true },
	{ GUARD_L1SS, PCI_L1SS_CTL2, ALL_BITS, true },
};

static_assert(ARRAY_SIZE(guard_kept_rows) == PCI_LIVEUPDATE_NR_KEPT);

/* Bits of one write by class; bits without a class keep their current value */
struct guard_masks {
	u32 pass;
	u32 zero;
	u32 set;
	u32 rw1c;
	u32 kept;
	u32 value;	/* of the kept bits */
};

static bool guard_is_bridge(const struct pci_dev *dev)
{
	return dev->hdr_type == PCI_HEADER_TYPE_BRIDGE;
}

/*
 * local_pci_probe() sets ->driver just before .probe() and clears it if .probe()
 * fails: earlier writes of the PCI core and the IOMMU driver are refused. A held
 * function is not written to until it is finished, unless it is a PF whose driver
 * disables VFs: these would do DMA after they are dropped.
 */
static bool guard_is_closed(const struct pci_dev *dev)
{
	unsigned long flags = READ_ONCE(dev->priv_flags);
	bool outgoing = flags & BIT(PCI_DEV_LIVEUPDATE_OUTGOING);

	/* Pairs with pci_liveupdate_reboot(): the caller reads ->caps next */
	if (outgoing && smp_load_acquire(&pci_liveupdate_handing_over))
		return true;

	return flags & BIT(PCI_DEV_LIVEUPDATE_INCOMING) &&
	       (guard_is_bridge(dev) || !READ_ONCE(dev->driver) ||
		(flags & BIT(PCI_DEV_LIVEUPDATE_HELD) &&
		 !(flags & BIT(PCI_DEV_LIVEUPDATE_VFS))));
}

/* Check if a row describes the dword of @dev at @where. */
static bool guard_row_is_at(const struct pci_dev *dev, u8 cap, u8 pos, int where)
{
	u16 base = dev->liveupdate_guard.caps[cap];

	if (!base && cap != GUARD_HEADER &&
	    !(cap == GUARD_HEADER1 && guard_is_bridge(dev)))
		return false;

	return base + pos == ALIGN_DOWN(where, 4);
}

static void guard_add_row(const struct pci_dev *dev, const struct guard_row *row,
			  bool closed, struct guard_masks *masks)
{
	masks->rw1c |= row->rw1c;
	if (!closed || !guard_is_bridge(dev))
		return;

	masks->pass |= row->pass;
	masks->zero |= row->zero;
	masks->set |= row->set;
}

/* Check if a write may be the reset that pci_liveupdate_allow_bus_reset() allowed. */
static bool guard_passes_reset(const struct pci_dev *dev, int where)
{
	return ALIGN_DOWN(where, 4) == ALIGN_DOWN(PCI_BRIDGE_CONTROL, 4) &&
	       guard_is_bridge(dev) &&
	       test_bit(PCI_DEV_LIVEUPDATE_RESETTING, &dev->priv_flags);
}

/* The permission ends when the reset is deasserted. */
static void guard_end_reset(const struct pci_dev *dev, int where, u32 val)
{
	struct pci_dev *pdev = (struct pci_dev *)dev;

	if (guard_passes_reset(dev, where) && where == PCI_BRIDGE_CONTROL &&
	    !(val & PCI_BRIDGE_CTL_BUS_RESET))
		clear_bit(PCI_DEV_LIVEUPDATE_RESETTING, &pdev->priv_flags);
}

static struct guard_masks guard_get_masks(const struct pci_dev *dev, int where)
{
	bool adopted = test_bit(PCI_DEV_LIVEUPDATE_ADOPTED, &dev->priv_flags);
	bool closed = guard_is_closed(dev);
	struct guard_masks masks = { .pass = closed ? 0 : ALL_BITS };

	for (int i = 0; i < ARRAY_SIZE(guard_rows); i++) {
		const struct guard_row *row = &guard_rows[i];

		if (guard_row_is_at(dev, row->cap, row->pos, where))
			guard_add_row(dev, row, closed, &masks);
	}

	if (closed && guard_passes_reset(dev, where))
		masks.pass |= (u32)PCI_BRIDGE_CTL_BUS_RESET << 16;

	for (int i = 0; adopted && !closed && i < ARRAY_SIZE(guard_kept_rows); i++) {
		const struct guard_kept_row *row = &guard_kept_rows[i];

		if (!guard_row_is_at(dev, row->cap, row->pos, where) ||
		    (row->bridge && !guard_is_bridge(dev)))
			continue;
		masks.pass &= ~row->bits;
		masks.kept |= row->bits;
		masks.value |= dev->liveupdate_guard.kept[i] & row->bits;
	}

	return masks;
}

/* Get the masks for the bits that a write of @size bytes at @where covers. */
static struct guard_masks guard_write_masks(const struct pci_dev *dev, int where,
					    int size)
{
	struct guard_masks masks = guard_get_masks(dev, where);
	int shift = BITS_PER_BYTE * (where & 3);
	u32 bits = GENMASK(BITS_PER_BYTE * size - 1, 0);

	return (struct guard_masks) {
		.pass = masks.pass >> shift & bits,
		.zero = masks.zero >> shift & bits,
		.set = masks.set >> shift & bits,
		.rw1c = masks.rw1c >> shift & bits,
		.kept = masks.kept >> shift & bits,
		.value = masks.value >> shift & bits,
	};
}

static u32 guard_read(const struct pci_dev *dev, int where, int size)
{
	u32 dword = ALL_BITS;
	u16 word;
	u8 byte;

	switch (size) {
	case 1:
		pci_bus_read_config_byte(dev->bus, dev->devfn, where, &byte);
		return byte;
	case 2:
		pci_bus_read_config_word(dev->bus, dev->devfn, where, &word);
		return word;
	default:
		pci_bus_read_config_dword(dev->bus, dev->devfn, where, &dword);
		return dword;
	}
}

/* A register may hold all ones, but the Vendor ID is never all ones. */
static bool guard_answers(const struct pci_dev *dev, int size, u32 old)
{
	return old != GENMASK(BITS_PER_BYTE * size - 1, 0) ||
	       !PCI_POSSIBLE_ERROR(guard_read(dev, PCI_VENDOR_ID, 4));
}

/* Get the bits that change if @val is written to a register with value @old. */
static u32 guard_changes(const struct guard_masks *masks, u32 old, u32 val)
{
	return ((val ^ old) & ~masks->rw1c) | (val & old & masks->rw1c);
}

/* Get the value to write instead of @val to a register with value @old. */
static u32 guard_merge(const struct guard_masks *masks, u32 old, u32 val)
{
	u32 keep = ~(masks->pass | masks->zero | masks->kept | masks->rw1c);

	return (val & masks->pass) | (old & keep) | (val & masks->set) |
	       (masks->value & masks->kept);
}

static void guard_report(const struct pci_dev *dev, int where, int size, u32 val,
			 u32 old, u32 passed, unsigned long caller)
{
	/* Accessors take a const device, but the guard counts in it */
	struct pci_dev *pdev = (struct pci_dev *)dev;

	atomic_inc(&pdev->liveupdate_guard.blocked);
	trace_pci_liveupdate_blocked(pdev, where, size, val, old, passed, caller);
}

/**
 * pci_liveupdate_filter_write - Filter a write of the kernel.
 * @dev: A device for which pci_dev_is_guarded() is true.
 * @where: Offset of the register.
 * @size: Size of the write in bytes: 1, 2 or 4.
 * @val: Value to write; changed if only some bits pass.
 * @caller: Return address of the writing code.
 * @ret: Set if the caller must not write: PCIBIOS_SUCCESSFUL if the write would
 *       not have changed bits, PCIBIOS_SET_FAILED if it would have,
 *       PCIBIOS_DEVICE_NOT_FOUND if the device does not answer.
 *
 * Context: Any that can read configuration space.
 * Return: true if the caller must write *@val.
 */
bool pci_liveupdate_filter_write(const struct pci_dev *dev, int where, int size,
				 u32 *val, unsigned long caller, int *ret)
{
	struct guard_masks masks;
	u32 old, passed, blocked;

	/* pci_bus_write_config_*() refuses unaligned writes */
	if (!IS_ALIGNED(where, size))
		return true;

	masks = guard_write_masks(dev, where, size);
	if (masks.pass == GENMASK(BITS_PER_BYTE * size - 1, 0))
		return true;

	old = guard_read(dev, where, size);
	if (!guard_answers(dev, size, old)) {
		*ret = PCIBIOS_DEVICE_NOT_FOUND;
		return false;
	}

	passed = guard_merge(&masks, old, *val);
	blocked = guard_changes(&masks, old, *val) &
		  ~guard_changes(&masks, old, passed);
	if (blocked)
		guard_report(dev, where, size, *val, old, passed, caller);

	if (!masks.pass && !guard_changes(&masks, old, passed)) {
		*ret = blocked ? PCIBIOS_SET_FAILED : PCIBIOS_SUCCESSFUL;
		return false;
	}

	guard_end_reset(dev, where, passed);
	*val = passed;
	return true;
}

/**
 * pci_liveupdate_user_write_blocked - Check if user space must not write.
 * @dev: A device for which pci_dev_is_guarded() is true.
 * @where: Offset of the register.
 * @size: Size of the write in bytes: 1, 2 or 4.
 * @val: Value to write.
 * @caller: Return address of the writing code.
 *
 * The guard refuses a write of user space as a whole if one bit must not change.
 *
 * Context: Any that can read configuration space.
 * Return: true if the write would change a bit that must not change, or if no
 *         bit of the register may be written.
 */
bool pci_liveupdate_user_write_blocked(struct pci_dev *dev, int where, int size,
				       u32 val, unsigned long caller)
{
	struct guard_masks masks = guard_write_masks(dev, where, size);
	u32 old, passed;

	if (masks.pass == GENMASK(BITS_PER_BYTE * size - 1, 0))
		return false;

	old = guard_read(dev, where, size);
	if (!guard_answers(dev, size, old))
		return true;

	passed = guard_merge(&masks, old, val);
	/* Kept bits may only change to the values found at adoption */
	if (guard_changes(&masks, old, val) & ~guard_changes(&masks, old, passed) ||
	    (guard_changes(&masks, old, val) & masks.kept &&
	     (val ^ masks.value) & masks.kept)) {
		guard_report(dev, where, size, val, old, old, caller);
		return true;
	}

	return !masks.pass && !masks.set;
}

/**
 * pci_liveupdate_intx_blocked - Check if INTx Disable must not change.
 * @dev: A device for which pci_dev_is_guarded() is true.
 * @mask: true to mask INTx, false to unmask it.
 *
 * Context: Any that can read configuration space, without pci_lock.
 * Return: true if @dev is a closed function.
 */
bool pci_liveupdate_intx_blocked(struct pci_dev *dev, bool mask)
{
	u32 old, command;

	if (guard_is_bridge(dev) || !guard_is_closed(dev))
		return false;

	old = guard_read(dev, PCI_COMMAND, 4);
	command = lower_16_bits(old) & ~PCI_COMMAND_INTX_DISABLE;
	if (mask)
		command |= PCI_COMMAND_INTX_DISABLE;
	if (mask == !!(old & (u32)PCI_STATUS_INTERRUPT << 16) &&
	    command != lower_16_bits(old))
		guard_report(dev, PCI_COMMAND, 2, command, lower_16_bits(old),
			     lower_16_bits(old), _RET_IP_);
	return true;
}

/**
 * pci_liveupdate_is_contained - Check if DPC has disabled the link of a port.
 * @bridge: A bridge.
 *
 * Context: Process context.
 * Return: true if Downstream Port Containment has been triggered, which has reset
 *         the devices below.
 */
bool pci_liveupdate_is_contained(struct pci_dev *bridge)
{
	u16 pos = bridge->liveupdate_guard.caps[GUARD_DPC];
	u16 status;

	if (!pos)
		return false;

	pci_read_config_word(bridge, pos + PCI_EXP_DPC_STATUS, &status);
	return !PCI_POSSIBLE_ERROR(status) &&
	       status & PCI_EXP_DPC_STATUS_TRIGGER;
}

/* Find registers */

static void guard_find_msi(struct pci_dev *dev, u16 *caps)
{
	u16 pos = pci_find_capability(dev, PCI_CAP_ID_MSI);
	u16 flags;

	if (!pos)
		return;

	pci_read_config_word(dev, pos + PCI_MSI_FLAGS, &flags);
	caps[GUARD_MSI] = pos;
	caps[GUARD_MSI_DATA] = pos + PCI_MSI_DATA_32;
	if (flags & PCI_MSI_FLAGS_64BIT) {
		caps[GUARD_MSI_HIGH] = pos + PCI_MSI_ADDRESS_HI;
		caps[GUARD_MSI_DATA] = pos + PCI_MSI_DATA_64;
	}
	if (flags & PCI_MSI_FLAGS_MASKBIT)
		caps[GUARD_MSI_MASK] = pos + (flags & PCI_MSI_FLAGS_64BIT ?
					      PCI_MSI_MASK_64 : PCI_MSI_MASK_32);
}

static bool guard_is_root(struct pci_dev *dev)
{
	return pci_pcie_type(dev) == PCI_EXP_TYPE_ROOT_PORT;
}

/*
 * Registers that a device does not implement may belong to the next capability
 * (PCIe r6.0, sec 7.5.3: the structure has a variable size in version 1).
 */
static void guard_find_exp(struct pci_dev *dev, u16 *caps)
{
	u16 pos = pci_pcie_cap(dev);

	if (!pos)
		return;

	caps[GUARD_EXP] = pos;
	if (pcie_downstream_port(dev) &&
	    pcie_caps_reg(dev) & PCI_EXP_FLAGS_SLOT)
		caps[GUARD_SLOT] = pos + PCI_EXP_SLTCTL;
	if (guard_is_root(dev))
		caps[GUARD_ROOT] = pos + PCI_EXP_RTCTL;
	if ((pcie_caps_reg(dev) & PCI_EXP_FLAGS_VERS) > 1)
		caps[GUARD_EXP2] = pos + PCI_EXP_DEVCTL2;
}

static void guard_add_ext(struct pci_dev *dev, u16 *caps, u16 id, u16 pos)
{
	u16 reg;

	switch (id) {
	case PCI_EXT_CAP_ID_ERR:
		caps[GUARD_AER] = pos;
		if (guard_is_root(dev))
			caps[GUARD_AER_ROOT] = pos + PCI_ERR_ROOT_COMMAND;
		break;
	case PCI_EXT_CAP_ID_ACS:
		caps[GUARD_ACS] = pos;
		pci_read_config_word(dev, pos + PCI_ACS_CAP, &reg);
		if (reg & PCI_ACS_EC)
			caps[GUARD_ACS_EGRESS] = pos + PCI_ACS_EGRESS_CTL_V;
		break;
	case PCI_EXT_CAP_ID_L1SS:
		caps[GUARD_L1SS] = pos;
		break;
	case PCI_EXT_CAP_ID_PTM:
		caps[GUARD_PTM] = pos;
		break;
	case PCI_EXT_CAP_ID_DPC:
		caps[GUARD_DPC] = pos;
		pci_read_config_word(dev, pos + PCI_EXP_DPC_CAP, &reg);
		if (reg & PCI_EXP_DPC_CAP_RP_EXT)
			caps[GUARD_DPC_RP] = pos + PCI_EXP_DPC_RP_PIO_STATUS;
		break;
	}
}

/* pci_find_ext_capability() knows the capabilities of a VF without reading them. */
static void guard_find_ext_of_vf(struct pci_dev *dev, u16 *caps)
{
	static const u16 ids[] = { PCI_EXT_CAP_ID_ERR, PCI_EXT_CAP_ID_ACS };

	for (int i = 0; i < ARRAY_SIZE(ids); i++) {
		u16 pos = pci_find_ext_capability(dev, ids[i]);

		if (pos)
			guard_add_ext(dev, caps, ids[i], pos);
	}
}

/* Walk the list once: pci_find_ext_capability() walks it for each capability. */
static void guard_find_ext(struct pci_dev *dev, u16 *caps)
{
	u16 pos = PCI_CFG_SPACE_SIZE;
	int left = (PCI_CFG_SPACE_EXP_SIZE - PCI_CFG_SPACE_SIZE) / 8;
	u32 header;

	if (dev->cfg_size <= PCI_CFG_SPACE_SIZE)
		return;
	if (dev->is_virtfn) {
		guard_find_ext_of_vf(dev, caps);
		return;
	}

	while (pos >= PCI_CFG_SPACE_SIZE && left--) {
		pci_read_config_dword(dev, pos, &header);
		if (!header || PCI_POSSIBLE_ERROR(header))
			return;
		guard_add_ext(dev, caps, PCI_EXT_CAP_ID(header), pos);
		pos = PCI_EXT_CAP_NEXT(header);
	}
}

/**
 * pci_liveupdate_guard_init - Find the registers in the tables of the guard.
 * @dev: A device with valid cfg_size, before it becomes guarded.
 *
 * Context: Process context.
 */
void pci_liveupdate_guard_init(struct pci_dev *dev)
{
	u16 *caps = dev->liveupdate_guard.caps;

	if (pci_dev_is_guarded(dev))
		return;

	caps[GUARD_PM] = pci_find_capability(dev, PCI_CAP_ID_PM);
	guard_find_exp(dev, caps);
	guard_find_ext(dev, caps);
	if (!guard_is_bridge(dev))
		return;

	guard_find_msi(dev, caps);
	caps[GUARD_MSIX] = pci_find_capability(dev, PCI_CAP_ID_MSIX);
}

/**
 * pci_liveupdate_guard_adopt - Record settings that other devices depend on.
 * @dev: A device that the previous kernel preserved, after
 *       pci_liveupdate_guard_init() and before the first write to it.
 *
 * Context: Process context.
 */
void pci_liveupdate_guard_adopt(struct pci_dev *dev)
{
	struct pci_liveupdate_guard *guard = &dev->liveupdate_guard;

	for (int i = 0; i < ARRAY_SIZE(guard_kept_rows); i++) {
		const struct guard_kept_row *row = &guard_kept_rows[i];

		if (row->bridge && !guard_is_bridge(dev))
			continue;
		if (guard->caps[row->cap])
			pci_read_config_dword(dev, guard->caps[row->cap] + row->pos,
					      &guard->kept[i]);
	}
}
