/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The record of preserved PCI functions that crosses a live update.
 */

#ifndef _LINUX_KHO_ABI_PCI_H
#define _LINUX_KHO_ABI_PCI_H

#include <linux/build_bug.h>
#include <linux/kho/abi/block.h>
#include <linux/sizes.h>
#include <linux/stddef.h>
#include <linux/types.h>

/**
 * DOC: PCI live update record
 *
 * The outgoing kernel records which PCI functions must not be disturbed, and
 * the incoming kernel reads the record before it looks at the first bus. The
 * record hangs off one file-lifecycle-bound object (FLB) of the Live Update
 * Orchestrator, whose data is the physical address of &struct pci_ser.
 *
 * This layout is a contract between the two kernels. A change to any structure
 * below, to the meaning of a field, or to what a function entry promises, needs
 * a new PCI_SER_VERSION. The name of the FLB stays as it is: LUO passes over a
 * name it does not know in silence, whereas a version that is not known stops
 * the boot with a message.
 *
 * ::
 *
 *	pci_ser --> block --> block ...              kho_block_set, one page each
 *	              |
 *	              +- pci_segment_ser [domain 0]
 *	              |     |       `--> buses[256] --> leaf of bus 0
 *	              |     |                |            +- pci_function_ser [256]
 *	              |     |                `--------> leaf of bus 255
 *	              |     `--> bitmap, bit n is BDF n
 *	              +- pci_segment_ser [domain 1]
 *	              ...
 *
 * The bitmap says *who* is preserved: the functions that a driver asked for,
 * and every bridge above them. The leaf of a bus says *what it takes to leave
 * them alone*. All integers are in the byte order of the CPU, which is little
 * endian on every architecture that hands memory over, and a bitmap is an
 * array of little-endian 64-bit words.
 *
 * The record is redundant so that damage is seen: the weight of each bitmap
 * equals the nr_devices beside it, these add up to the nr_devices of the root,
 * no two segments share a domain, every block but the last is full, and bits
 * that are reserved are zero. An entry of a function whose bit is clear has no
 * meaning.
 */

/* Name of the FLB. Not "pci", "pci-v1" or the like: these are other layouts. */
#define PCI_LUO_FLB_COMPATIBLE	"pci-bdf-bitmap"

/* Version of everything in this file. */
#define PCI_SER_VERSION		1

/* A BDF is bus << 8 | devfn: 8 + 8 bits, so 65,536 of them in a segment. */
#define PCI_SER_BDFS		65536
#define PCI_SER_BUSES		256
#define PCI_SER_DEVFNS		256

/* 65,536 bits / 8 bits a byte. */
#define PCI_SER_BITMAP_SIZE	SZ_8K

/* 256 buses * 8 bytes a physical address. */
#define PCI_SER_BUSES_SIZE	SZ_2K

/* 256 functions * 16 bytes an entry. */
#define PCI_SER_LEAF_SIZE	SZ_4K

/* Six BARs and the expansion ROM; a bridge uses BAR 0, BAR 1 and the ROM. */
#define PCI_SER_ROM		6
#define PCI_SER_NR_BARS		7

/* INTx cannot be masked with PCI_COMMAND_INTX_DISABLE. */
#define PCI_SER_INTX_BROKEN	0x01

/**
 * struct pci_ser - Root of the record.
 * @version:     PCI_SER_VERSION.
 * @nr_segments: Number of &struct pci_segment_ser in the blocks.
 * @nr_devices:  Number of bits set in the bitmaps of all segments.
 * @segments:    Physical address of the first &struct kho_block_header_ser, or
 *               0 if @nr_segments is 0.
 */
struct pci_ser {
	u32 version;
	u32 nr_segments;
	u64 nr_devices;
	u64 segments;
};

/**
 * struct pci_segment_ser - What is preserved in one PCI segment.
 * @domain:     Segment number. VMD uses numbers above 0xffff.
 * @nr_devices: Number of bits set in @bitmap; may be 0.
 * @bitmap:     Physical address of PCI_SER_BITMAP_SIZE bytes.
 * @buses:      Physical address of PCI_SER_BUSES physical addresses: the leaf
 *              of each bus that has, or had, a preserved function, or 0.
 */
struct pci_segment_ser {
	u32 domain;
	u32 nr_devices;
	u64 bitmap;
	u64 buses;
};

/**
 * struct pci_function_ser - What it takes to leave one function alone.
 * @vendor:      Vendor ID, never 0 or 0xffff.
 * @device:      Device ID.
 * @hdr_type:    PCI_HEADER_TYPE_NORMAL or PCI_HEADER_TYPE_BRIDGE, without the
 *               multi-function bit.
 * @bar_shift:   log2 of the size in bytes of each BAR and the expansion ROM,
 *               or 0 for one that is not implemented, is the upper half of a
 *               64-bit BAR, or is not decoded by its register (legacy IDE,
 *               Enhanced Allocation, a shadowed ROM).
 * @secondary:   Secondary bus number of a bridge, else 0.
 * @subordinate: Subordinate bus number of a bridge, else 0.
 * @flags:       PCI_SER_INTX_BROKEN or 0.
 * @reserved:    Must be 0.
 */
struct pci_function_ser {
	u16 vendor;
	u16 device;
	u8 hdr_type;
	u8 bar_shift[PCI_SER_NR_BARS];
	u8 secondary;
	u8 subordinate;
	u8 flags;
	u8 reserved;
};

static_assert(sizeof(struct pci_ser) == 24);
static_assert(offsetof(struct pci_ser, version) == 0);
static_assert(offsetof(struct pci_ser, nr_segments) == 4);
static_assert(offsetof(struct pci_ser, nr_devices) == 8);
static_assert(offsetof(struct pci_ser, segments) == 16);

static_assert(sizeof(struct pci_segment_ser) == 24);
static_assert(offsetof(struct pci_segment_ser, domain) == 0);
static_assert(offsetof(struct pci_segment_ser, nr_devices) == 4);
static_assert(offsetof(struct pci_segment_ser, bitmap) == 8);
static_assert(offsetof(struct pci_segment_ser, buses) == 16);

static_assert(sizeof(struct pci_function_ser) == 16);
static_assert(offsetof(struct pci_function_ser, vendor) == 0);
static_assert(offsetof(struct pci_function_ser, device) == 2);
static_assert(offsetof(struct pci_function_ser, hdr_type) == 4);
static_assert(offsetof(struct pci_function_ser, bar_shift) == 5);
static_assert(offsetof(struct pci_function_ser, secondary) == 12);
static_assert(offsetof(struct pci_function_ser, subordinate) == 13);
static_assert(offsetof(struct pci_function_ser, flags) == 14);
static_assert(offsetof(struct pci_function_ser, reserved) == 15);

static_assert(PCI_SER_BITMAP_SIZE == 8192);
static_assert(PCI_SER_BUSES_SIZE == 2048);
static_assert(PCI_SER_LEAF_SIZE == 4096);
static_assert(PCI_SER_BITMAP_SIZE * 8 == PCI_SER_BDFS);
static_assert(PCI_SER_BUSES_SIZE == PCI_SER_BUSES * sizeof(u64));
static_assert(PCI_SER_LEAF_SIZE ==
	      PCI_SER_DEVFNS * sizeof(struct pci_function_ser));

#endif /* _LINUX_KHO_ABI_PCI_H */
