/* SPDX-License-Identifier: GPL-2.0 */
/*
 * PCI live update: record of preserved functions, passed to the next kernel.
 */

#ifndef _LINUX_KHO_ABI_PCI_H
#define _LINUX_KHO_ABI_PCI_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/kconfig.h>
#include <linux/kho/abi/block.h>
#include <linux/sizes.h>
#include <linux/stddef.h>
#include <linux/types.h>

/**
 * DOC: PCI live update record
 *
 * The outgoing kernel records PCI functions that must not be disturbed, and the
 * incoming kernel reads the record before it scans the first bus. A
 * file-lifecycle-bound object (FLB) of the Live Update Orchestrator holds the
 * physical address of &struct pci_ser.
 *
 * This layout is a contract between two kernels of possibly different versions: an
 * update boots a newer kernel, a rollback an older one. Each change of a structure
 * below, of the meaning of a field, or of the guarantees of a function entry
 * increments PCI_SER_VERSION, unless only records with a new feature differ. The
 * writer also sets @oldest_reader to the oldest version that reads this record
 * correctly, and sets a bit in @features for each feature in use that the reader
 * must support. A reader accepts a record if its
 * own version is not below @oldest_reader and it supports each bit in @features.
 * So a rollback works unless the record uses a feature that the older kernel lacks.
 *
 * The name of the FLB never changes: LUO silently ignores unknown names, but an
 * unknown version stops the boot with a message.
 *
 * ::
 *
 *	pci_ser --> block --> block ...              kho_block_set, one page each
 *	              |
 *	              +- pci_segment_ser [domain 0]
 *	              |     |       `--> buses[512] --> leaf of bus 0
 *	              |     |              |   |          +- pci_function_ser [256]
 *	              |     |              |   `------> leaf of bus 255
 *	              |     |              `----------> leaf of PFs on bus 0
 *	              |     |                             +- pci_sriov_ser [256]
 *	              |     `--> bitmap, bit n is BDF n
 *	              +- pci_segment_ser [domain 1]
 *	              ...
 *
 * The bitmap lists the preserved functions: those preserved by drivers, the PF of
 * each VF, and each bridge above them. The leaf of a bus describes the functions on
 * it. A PF has a &struct pci_sriov_ser as well. Such a record has the bit
 * PCI_SER_FEATURE_SRIOV in features. All integers
 * are in the byte order of the CPU, which is little endian on every architecture
 * that supports KHO, and a bitmap is an array of little-endian 64-bit words.
 *
 * The record is redundant to detect damage: the weight of each bitmap equals
 * nr_devices of its segment, the sum over all segments equals nr_devices of the
 * root, segments have different domains, every block but the last is full, and
 * reserved fields and bits are 0. An entry has no meaning if the bit of its
 * function is clear.
 *
 * A checksum covers the bytes of its structure before it. nr_devices follows the
 * checksum, so that preserving a function changes no checksum but that of its
 * entry. The root and segments have a CRC-32C, crc32c() with a start value of all
 * ones. The entry and the state of a function have room for a CRC-8 only, crc8()
 * with the polynomial x^8 + x^4 + x^3 + x^2 + 1 in the order of
 * crc8_populate_lsb(). It detects each damage of one or two bits, or within eight
 * bits in a row. Before these bytes it covers the lower six bytes of the key of
 * the function, and its start value depends on the structure. Thus the leaf of
 * another bus or segment, or a leaf of PFs in place of a leaf of functions, is
 * damage as well. Later versions keep the checksum of the root.
 */

/* Name of the FLB. "pci", "pci-v1" and the like are names of other layouts. */
#define PCI_LUO_FLB_COMPATIBLE	"pci-bdf-bitmap"

/* Version of the layout in this file. */
#define PCI_SER_VERSION		1

/* The oldest version that reads a record of this version. */
#define PCI_SER_OLDEST_READER	1

/* The record has a PF. A kernel without CONFIG_PCI_IOV cannot find its VFs. */
#define PCI_SER_FEATURE_SRIOV	BIT_ULL(0)

/* All supported bits of &pci_ser.features. */
#define PCI_SER_FEATURES						\
	(IS_ENABLED(CONFIG_PCI_IOV) ? PCI_SER_FEATURE_SRIOV : 0)

/*
 * Identifies a function in any segment. Drivers use it to identify the function of
 * a preserved file. A u64 can also represent the end of an iteration after the last
 * function of the last domain.
 */
typedef u64 pci_ser_key_t;

#define PCI_SER_KEY(domain, bdf)	((pci_ser_key_t)(u32)(domain) << 16 | (u16)(bdf))
#define PCI_SER_KEY_DOMAIN(key)		((u32)((key) >> 16))
#define PCI_SER_KEY_BDF(key)		((u16)(key))

/* A BDF is bus << 8 | devfn: 8 + 8 bits, so 65,536 of them in a segment. */
#define PCI_SER_BDFS		65536
#define PCI_SER_BUSES		256
#define PCI_SER_DEVFNS		256

/* 65,536 bits / 8 bits a byte. */
#define PCI_SER_BITMAP_SIZE	SZ_8K

/* 256 buses * 2 leaves * 8 bytes a physical address. */
#define PCI_SER_BUSES_SIZE	SZ_4K
#define PCI_SER_LEAVES		512

/* 256 functions * 16 bytes an entry. */
#define PCI_SER_LEAF_SIZE	SZ_4K

/* Six BARs and the expansion ROM; a bridge uses BAR 0, BAR 1 and the ROM. */
#define PCI_SER_ROM		6
#define PCI_SER_NR_BARS		7

/* INTx cannot be masked with PCI_COMMAND_INTX_DISABLE. */
#define PCI_SER_INTX_BROKEN	0x01
/* A VF: identified by the Vendor ID of its PF and by the VF Device ID. */
#define PCI_SER_VF		0x02
/* A PF, which has a &struct pci_sriov_ser. */
#define PCI_SER_PF		0x04
/* A PF without an owner: it is preserved only because one of its VFs is. */
#define PCI_SER_IMPLIED		0x08
/* A PF to whose VFs drivers may bind: sriov_drivers_autoprobe in sysfs. */
#define PCI_SER_AUTOPROBE	0x10
/* A bridge: PCI_HEADER_TYPE_BRIDGE instead of PCI_HEADER_TYPE_NORMAL. */
#define PCI_SER_BRIDGE		0x20
#define PCI_SER_SRIOV_FLAGS						\
	(PCI_SER_VF | PCI_SER_PF | PCI_SER_IMPLIED | PCI_SER_AUTOPROBE)

#define PCI_SER_NR_VF_BARS	6

/* Start values of the CRC-8, and its polynomial for crc8_populate_lsb(). */
#define PCI_SER_CRC_FUNCTION	0xff
#define PCI_SER_CRC_SRIOV	0x55
#define PCI_SER_CRC_POLYNOMIAL	0xb8

/* The bytes of a pci_ser_key_t that can differ from 0. */
#define PCI_SER_KEY_SIZE	6

/**
 * struct pci_ser - Root of the record.
 * @version:       PCI_SER_VERSION of the kernel that wrote the record, never 0.
 * @oldest_reader: The oldest version that reads this record, from 1 to @version.
 * @features:      Bits of PCI_SER_FEATURES that the reader must support.
 * @segments:      Physical address of the first &struct kho_block_header_ser, or
 *                 0 if @nr_segments is 0.
 * @nr_segments:   Number of &struct pci_segment_ser in the blocks.
 * @checksum:      CRC-32C of all fields above.
 * @nr_devices:    Number of bits set in the bitmaps of all segments.
 */
struct pci_ser {
	u32 version;
	u32 oldest_reader;
	u64 features;
	u64 segments;
	u32 nr_segments;
	u32 checksum;
	u64 nr_devices;
};

/**
 * struct pci_segment_ser - The preserved functions of one PCI segment.
 * @domain:     Segment number. VMD uses numbers above 0xffff.
 * @reserved:   Must be 0.
 * @bitmap:     Physical address of PCI_SER_BITMAP_SIZE bytes.
 * @buses:      Physical address of an array of PCI_SER_LEAVES physical addresses.
 *              The first PCI_SER_BUSES are leaves of &struct pci_function_ser, or
 *              0 for a bus that never had a preserved function. The others are
 *              leaves of &struct pci_sriov_ser, or 0 for a bus that never had a
 *              preserved PF, and 0 without PCI_SER_FEATURE_SRIOV.
 * @checksum:   CRC-32C of all fields above.
 * @nr_devices: Number of bits set in @bitmap; may be 0.
 */
struct pci_segment_ser {
	u32 domain;
	u32 reserved;
	u64 bitmap;
	u64 buses;
	u32 checksum;
	u32 nr_devices;
};

/**
 * struct pci_function_ser - The entry of one preserved function.
 * @vendor:      Vendor ID, never 0 or 0xffff.
 * @device:      Device ID.
 * @flags:       PCI_SER_INTX_BROKEN, and at most one of PCI_SER_BRIDGE, PCI_SER_VF, or
 *               PCI_SER_PF with or without PCI_SER_IMPLIED and PCI_SER_AUTOPROBE.
 * @bar_shift:   log2 of the size in bytes of each BAR and the expansion ROM, or
 *               0 if the BAR is not implemented, is the upper half of a 64-bit
 *               BAR, or does not decode the resource (legacy IDE, Enhanced
 *               Allocation, a shadowed ROM). 0 for a VF.
 * @secondary:   Secondary bus number of a bridge, else 0.
 * @subordinate: Subordinate bus number of a bridge, else 0.
 * @reserved:    Must be 0.
 * @checksum:    CRC-8 of the key and all fields above, from PCI_SER_CRC_FUNCTION.
 */
struct pci_function_ser {
	u16 vendor;
	u16 device;
	u8 flags;
	u8 bar_shift[PCI_SER_NR_BARS];
	u8 secondary;
	u8 subordinate;
	u8 reserved;
	u8 checksum;
};

/**
 * struct pci_sriov_ser - SR-IOV state of one preserved PF.
 * @num_vfs:   NumVFs, or 0 if VF Enable is clear.
 * @offset:    First VF Offset, more than 0 if @num_vfs is.
 * @stride:    VF Stride, more than 0 if @num_vfs is more than 1.
 * @vf_device: VF Device ID.
 * @bar_shift: log2 of the size in bytes of each BAR of one VF, or 0 if the BAR is
 *             not implemented or is the upper half of a 64-bit BAR.
 * @max_bus:   The last bus number that a VF can have for any value of NumVFs.
 * @checksum:  CRC-8 of the key and all fields above, from PCI_SER_CRC_SRIOV.
 *
 * Only @bar_shift and @max_bus cannot be read from the PF without writing to it.
 * The reader compares the others with the PF, to detect a PF that was reset.
 */
struct pci_sriov_ser {
	u16 num_vfs;
	u16 offset;
	u16 stride;
	u16 vf_device;
	u8 bar_shift[PCI_SER_NR_VF_BARS];
	u8 max_bus;
	u8 checksum;
};

static_assert(sizeof(pci_ser_key_t) == 8);

static_assert(sizeof(struct pci_ser) == 40);
static_assert(offsetof(struct pci_ser, version) == 0);
static_assert(offsetof(struct pci_ser, oldest_reader) == 4);
static_assert(offsetof(struct pci_ser, features) == 8);
static_assert(offsetof(struct pci_ser, segments) == 16);
static_assert(offsetof(struct pci_ser, nr_segments) == 24);
static_assert(offsetof(struct pci_ser, checksum) == 28);
static_assert(offsetof(struct pci_ser, nr_devices) == 32);

static_assert(sizeof(struct pci_segment_ser) == 32);
static_assert(offsetof(struct pci_segment_ser, domain) == 0);
static_assert(offsetof(struct pci_segment_ser, reserved) == 4);
static_assert(offsetof(struct pci_segment_ser, bitmap) == 8);
static_assert(offsetof(struct pci_segment_ser, buses) == 16);
static_assert(offsetof(struct pci_segment_ser, checksum) == 24);
static_assert(offsetof(struct pci_segment_ser, nr_devices) == 28);

static_assert(sizeof(struct pci_function_ser) == 16);
static_assert(offsetof(struct pci_function_ser, vendor) == 0);
static_assert(offsetof(struct pci_function_ser, device) == 2);
static_assert(offsetof(struct pci_function_ser, flags) == 4);
static_assert(offsetof(struct pci_function_ser, bar_shift) == 5);
static_assert(offsetof(struct pci_function_ser, secondary) == 12);
static_assert(offsetof(struct pci_function_ser, subordinate) == 13);
static_assert(offsetof(struct pci_function_ser, reserved) == 14);
static_assert(offsetof(struct pci_function_ser, checksum) == 15);

static_assert(sizeof(struct pci_sriov_ser) == 16);
static_assert(offsetof(struct pci_sriov_ser, num_vfs) == 0);
static_assert(offsetof(struct pci_sriov_ser, offset) == 2);
static_assert(offsetof(struct pci_sriov_ser, stride) == 4);
static_assert(offsetof(struct pci_sriov_ser, vf_device) == 6);
static_assert(offsetof(struct pci_sriov_ser, bar_shift) == 8);
static_assert(offsetof(struct pci_sriov_ser, max_bus) == 14);
static_assert(offsetof(struct pci_sriov_ser, checksum) == 15);

static_assert(PCI_SER_BITMAP_SIZE == 8192);
static_assert(PCI_SER_BUSES_SIZE == 4096);
static_assert(PCI_SER_LEAF_SIZE == 4096);
static_assert(PCI_SER_BITMAP_SIZE * 8 == PCI_SER_BDFS);
static_assert(PCI_SER_LEAVES == 2 * PCI_SER_BUSES);
static_assert(PCI_SER_BUSES_SIZE == PCI_SER_LEAVES * sizeof(u64));
static_assert(PCI_SER_LEAF_SIZE ==
	      PCI_SER_DEVFNS * sizeof(struct pci_function_ser));
static_assert(PCI_SER_LEAF_SIZE ==
	      PCI_SER_DEVFNS * sizeof(struct pci_sriov_ser));

#endif /* _LINUX_KHO_ABI_PCI_H */
