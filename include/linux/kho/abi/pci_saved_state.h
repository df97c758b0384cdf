/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Saved configuration space of a PCI function, passed to the next kernel.
 */

#ifndef _LINUX_KHO_ABI_PCI_SAVED_STATE_H
#define _LINUX_KHO_ABI_PCI_SAVED_STATE_H

#include <linux/align.h>
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>

/**
 * DOC: PCI saved state
 *
 * A driver that keeps a function running across a live update also hands over the
 * state that it restores when it stops using the function. The state is embedded
 * in the data of the driver, whose version covers this layout as well.
 *
 * ::
 *
 *	pci_saved_state_ser | pci_saved_cap_ser, data | pci_saved_cap_ser, data | ...
 *
 * Registers have the format in which the kernel saves them, and that format is
 * identified by the size of the data: a reader ignores a capability whose size it
 * does not expect.
 */

/* The ID is that of an extended capability. */
#define PCI_SAVED_CAP_EXTENDED	0x0001

/**
 * struct pci_saved_cap_ser - Registers of a capability.
 * @id:    Capability ID.
 * @flags: PCI_SAVED_CAP_EXTENDED or 0.
 * @size:  Size of @data in bytes.
 * @data:  The registers, padded with zeroes to a multiple of 4 bytes.
 */
struct pci_saved_cap_ser {
	u16 id;
	u16 flags;
	u32 size;
	u8 data[];
};

/**
 * struct pci_saved_state_ser - Saved state of a function.
 * @config_space: The first 64 bytes of configuration space.
 * @nr_caps:      Number of &struct pci_saved_cap_ser that follow.
 * @reserved:     Must be 0.
 */
struct pci_saved_state_ser {
	u32 config_space[16];
	u32 nr_caps;
	u32 reserved;
};

static_assert(sizeof(struct pci_saved_cap_ser) == 8);
static_assert(offsetof(struct pci_saved_cap_ser, flags) == 2);
static_assert(offsetof(struct pci_saved_cap_ser, size) == 4);

static_assert(sizeof(struct pci_saved_state_ser) == 72);
static_assert(offsetof(struct pci_saved_state_ser, nr_caps) == 64);
static_assert(offsetof(struct pci_saved_state_ser, reserved) == 68);

/* Size of a capability with @size bytes of data; @size is below 4 GiB - 12. */
static inline size_t pci_saved_cap_ser_size(u32 size)
{
	return sizeof(struct pci_saved_cap_ser) + ALIGN((size_t)size, 4);
}

#endif /* _LINUX_KHO_ABI_PCI_SAVED_STATE_H */
