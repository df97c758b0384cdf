/* SPDX-License-Identifier: GPL-2.0 */
/*
 * VFIO PCI: data of a preserved file, passed to the next kernel.
 */

#ifndef _LINUX_KHO_ABI_VFIO_PCI_H
#define _LINUX_KHO_ABI_VFIO_PCI_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/kho/abi/pci.h>
#include <linux/sizes.h>
#include <linux/stddef.h>
#include <linux/types.h>

/**
 * DOC: VFIO PCI live update data
 *
 * The data of a preserved file of vfio-pci is the physical address of a &struct
 * vfio_pci_ser. This layout is a contract between two kernels of possibly different
 * versions. A change of it that readers of the old layout cannot ignore changes
 * VFIO_PCI_LUO_FH_COMPATIBLE; other changes use a bit of @flags, and readers refuse
 * bits that they do not know.
 */

/* Name of the file handler; "vfio-pci-v1" is the name of another layout. */
#define VFIO_PCI_LUO_FH_COMPATIBLE	"pci-liveupdate-vfio-v1"

/*
 * The function keeps running. It is in D0, no IOMMU translates its DMA, and none of
 * its interrupts is enabled.
 */
#define VFIO_PCI_SER_RUNNING	1
/* The function was reset and does nothing. Only its file is preserved. */
#define VFIO_PCI_SER_RESET	2

/* The function can be reset. */
#define VFIO_PCI_SER_RESET_WORKS	BIT(0)
/* INTx is hidden from the user, and INTx Disable is set. */
#define VFIO_PCI_SER_NOINTX		BIT(1)
/* @vf_token is valid. */
#define VFIO_PCI_SER_TOKEN		BIT(2)
#define VFIO_PCI_SER_FLAGS		GENMASK(2, 0)

#define VFIO_PCI_SER_CONFIG_SIZE	256

/* The rest of a page of 4 KiB: 4096 - 568. */
#define VFIO_PCI_SER_STATE_SIZE		3528

/**
 * struct vfio_pci_ser - A preserved file.
 * @key:         The function: PCI_SER_KEY().
 * @mode:        VFIO_PCI_SER_RUNNING or VFIO_PCI_SER_RESET.
 * @flags:       Bits of VFIO_PCI_SER_FLAGS.
 * @vendor:      Vendor ID; that of the PF if the function is a VF.
 * @device:      Device ID; the VF Device ID if the function is a VF.
 * @subvendor:   Subsystem Vendor ID.
 * @subdevice:   Subsystem ID.
 * @class:       Class code, without the revision.
 * @revision:    Revision ID.
 * @state_size:  Size of @state in bytes, or 0 if nothing was saved.
 * @reserved:    Must be 0.
 * @vf_token:    Token for access to a PF and its VFs.
 * @config:      Configuration space as the user sees it: the bits of @config_bits.
 * @config_bits: Bits that the user may write and that never reach the function.
 *               Nothing in RESET mode.
 * @state:       &struct pci_saved_state_ser to restore when the file is closed.
 *               Nothing in RESET mode.
 */
struct vfio_pci_ser {
	u64 key;
	u32 mode;
	u32 flags;
	u16 vendor;
	u16 device;
	u16 subvendor;
	u16 subdevice;
	u32 class;
	u32 revision;
	u32 state_size;
	u32 reserved;
	u8 vf_token[16];
	u8 config[VFIO_PCI_SER_CONFIG_SIZE];
	u8 config_bits[VFIO_PCI_SER_CONFIG_SIZE];
	u8 state[VFIO_PCI_SER_STATE_SIZE];
};

static_assert(sizeof(struct vfio_pci_ser) == SZ_4K);
static_assert(offsetof(struct vfio_pci_ser, mode) == 8);
static_assert(offsetof(struct vfio_pci_ser, flags) == 12);
static_assert(offsetof(struct vfio_pci_ser, vendor) == 16);
static_assert(offsetof(struct vfio_pci_ser, device) == 18);
static_assert(offsetof(struct vfio_pci_ser, subvendor) == 20);
static_assert(offsetof(struct vfio_pci_ser, subdevice) == 22);
static_assert(offsetof(struct vfio_pci_ser, class) == 24);
static_assert(offsetof(struct vfio_pci_ser, revision) == 28);
static_assert(offsetof(struct vfio_pci_ser, state_size) == 32);
static_assert(offsetof(struct vfio_pci_ser, reserved) == 36);
static_assert(offsetof(struct vfio_pci_ser, vf_token) == 40);
static_assert(offsetof(struct vfio_pci_ser, config) == 56);
static_assert(offsetof(struct vfio_pci_ser, config_bits) == 312);
static_assert(offsetof(struct vfio_pci_ser, state) == 568);

#endif /* _LINUX_KHO_ABI_VFIO_PCI_H */
