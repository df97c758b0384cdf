/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ways to damage a record of preserved PCI functions, and the message that
 * the next kernel prints about each.
 *
 * The KUnit tests, the user-space tests of the index and the program that damages
 * a record in a virtual machine share this table. Each provides phys_to_virt(),
 * snprintf() and the errno values, and includes this file in one place.
 */

#ifndef _LIB_TEST_PCI_LIVEUPDATE_DAMAGE_H
#define _LIB_TEST_PCI_LIVEUPDATE_DAMAGE_H

#include <linux/kho/abi/block.h>
#include <linux/kho/abi/pci.h>
#include <linux/types.h>

#include "test_pci_liveupdate_checksum.h"

/**
 * enum test_damage_level - The scope of a damage.
 * @DAMAGE_ADDRESS:  The address of the record, which LUO hands over.
 * @DAMAGE_RECORD:   The record; fits every record with a function.
 * @DAMAGE_SAMPLE:   The record; fits test_index_fill_sample() only.
 * @DAMAGE_PFS:      The record; fits one with a single segment with PFs.
 * @DAMAGE_FUNCTION: The entry of a function that is no bridge, in a record without
 *                   PFs.
 * @DAMAGE_BRIDGE:   The entry of a bridge, in a record without PFs.
 * @DAMAGE_BUS:      All functions of one bus.
 * @DAMAGE_PF:       The entry of a PF.
 * @DAMAGE_VF:       The entry of a VF.
 * @DAMAGE_SRIOV:    The SR-IOV state of a PF with two VFs or more.
 * @DAMAGE_VF_IDS:   The same; fits test_index_add_sample_pf() only.
 *
 * The index refuses a record up to @DAMAGE_PFS as a whole. From @DAMAGE_FUNCTION on it
 * refuses the entries of the functions concerned, and from @DAMAGE_SRIOV on the state
 * of the PF, but not its entry.
 */
enum test_damage_level {
	DAMAGE_ADDRESS,
	DAMAGE_RECORD,
	DAMAGE_SAMPLE,
	DAMAGE_PFS,
	DAMAGE_FUNCTION,
	DAMAGE_BRIDGE,
	DAMAGE_BUS,
	DAMAGE_PF,
	DAMAGE_VF,
	DAMAGE_SRIOV,
	DAMAGE_VF_IDS,
};

/* Whether a damage of this level needs a record with a PF and its VFs. */
static inline bool test_damage_needs_pf(enum test_damage_level level)
{
	return level == DAMAGE_PFS || level >= DAMAGE_PF;
}

/**
 * struct test_damage_target - The record to damage.
 * @root_pa:  Physical address of the record.
 * @spare_pa: Physical address of a page that is not preserved.
 * @segment:  Position in the record of the segment to damage.
 * @function: BDF of a function of this segment that is no bridge. Function 0 of
 *            device 0 in DAMAGE_RECORD, with functions of device 1 missing.
 * @bridge:   BDF of a bridge of this segment; DAMAGE_BRIDGE only.
 * @pf:       BDF of a PF of this segment; test_damage_needs_pf() only.
 * @vf:       BDF of a VF of this segment; DAMAGE_VF only.
 */
struct test_damage_target {
	u64 root_pa;
	u64 spare_pa;
	u32 segment;
	u16 function;
	u16 bridge;
	u16 pf;
	u16 vf;
};

/* The part of a record or of a struct test_damage_target that has a field. */
enum test_damage_part {
	PART_NONE,
	PART_ROOT_PA,
	PART_SPARE_PA,
	PART_FUNCTION_BDF,
	PART_BRIDGE_BDF,
	PART_PF_BDF,
	PART_VF_BDF,
	PART_ROOT,
	PART_FIRST_BLOCK,
	PART_LAST_BLOCK,
	PART_FIRST_SEGMENT,
	PART_LAST_SEGMENT,
	/* From here on: of the segment to damage. */
	PART_SEGMENT,
	PART_BITMAP,
	PART_BUS_BITMAP,
	PART_BUSES,
	PART_LEAF_PA,
	PART_FUNCTION,
	PART_BRIDGE,
	PART_PF,
	PART_VF,
	PART_SRIOV_LEAF_PA,
	PART_SRIOV,
};

/**
 * struct test_damage_field - A field.
 * @part:    Its structure.
 * @swapped: The two bytes are printed in the reverse order.
 * @right:   As a value: the right checksum of the structure, after all other writes.
 * @offset:  Its offset in bytes.
 * @size:    Its size in bytes, or 0 if there is no field.
 */
struct test_damage_field {
	u8 part;
	bool swapped;
	bool right;
	u16 offset;
	u8 size;
};

/**
 * struct test_damage_value - A number, or a field plus a number.
 * @field:  The field; its size is 0 for just @number.
 * @number: The number.
 */
struct test_damage_value {
	struct test_damage_field field;
	u64 number;
};

struct test_damage_write {
	struct test_damage_field field;
	struct test_damage_value value;
};

#define TEST_DAMAGE_WRITES	3

/**
 * struct test_damage - One way to damage a record.
 * @level:    The scope of the damage.
 * @name:     Name of the damage.
 * @err:      The errno.
 * @text:     Name of the field in the message.
 * @found:    The field in the message; its value after @writes.
 * @rule:     The rule in the message.
 * @expected: The expected value in the message; its value before @writes, unless it
 *            is a checksum.
 * @writes:   The damage. The values are of the time before all writes. A checksum is
 *            the last one.
 */
struct test_damage {
	enum test_damage_level level;
	const char *name;
	int err;
	const char *text;
	struct test_damage_field found;
	const char *rule;
	struct test_damage_value expected;
	struct test_damage_write writes[TEST_DAMAGE_WRITES];
};

/**
 * struct test_damage_message - The values in the message about a damage.
 * @in_segment: The field belongs to a segment.
 * @domain:     The number of this segment, else 0.
 * @found:      The value of the field.
 * @expected:   The expected value.
 */
struct test_damage_message {
	bool in_segment;
	u32 domain;
	u64 found;
	u64 expected;
};

/* Fields */

#define IN_PART(_part, _offset, _size)					\
	{ .part = (_part), .offset = (_offset), .size = (_size) }
#define IN_STRUCT(_part, type, member)					\
	{ .part = (_part), .offset = offsetof(type, member),		\
	  .size = sizeof(((type *)0)->member) }

#define IN_ROOT_PA		IN_PART(PART_ROOT_PA, 0, 8)
#define IN_SPARE_PA		IN_PART(PART_SPARE_PA, 0, 8)
/* The bus is the upper half of a BDF. */
#define IN_FUNCTION_BUS		IN_PART(PART_FUNCTION_BDF, 1, 1)
#define IN_BRIDGE_BUS		IN_PART(PART_BRIDGE_BDF, 1, 1)
#define IN_PF_BUS		IN_PART(PART_PF_BDF, 1, 1)
#define IN_VF_BUS		IN_PART(PART_VF_BDF, 1, 1)

#define IN_ROOT(member)		IN_STRUCT(PART_ROOT, struct pci_ser, member)
#define IN_FIRST_BLOCK(member)						\
	IN_STRUCT(PART_FIRST_BLOCK, struct kho_block_header_ser, member)
#define IN_LAST_BLOCK(member)						\
	IN_STRUCT(PART_LAST_BLOCK, struct kho_block_header_ser, member)
#define IN_FIRST_SEGMENT(member)					\
	IN_STRUCT(PART_FIRST_SEGMENT, struct pci_segment_ser, member)
#define IN_LAST_SEGMENT(member)						\
	IN_STRUCT(PART_LAST_SEGMENT, struct pci_segment_ser, member)
#define IN_SEGMENT(member)						\
	IN_STRUCT(PART_SEGMENT, struct pci_segment_ser, member)
#define IN_FUNCTION(member)						\
	IN_STRUCT(PART_FUNCTION, struct pci_function_ser, member)
#define IN_BRIDGE(member)						\
	IN_STRUCT(PART_BRIDGE, struct pci_function_ser, member)
#define IN_PF(member)		IN_STRUCT(PART_PF, struct pci_function_ser, member)
#define IN_VF(member)		IN_STRUCT(PART_VF, struct pci_function_ser, member)
#define IN_SRIOV(member)	IN_STRUCT(PART_SRIOV, struct pci_sriov_ser, member)
#define IN_CHECKSUM(_part)						\
	{ .part = (_part), .right = true,				\
	  .offset = (_part) == PART_ROOT ?				\
		    offsetof(struct pci_ser, checksum) :		\
		    (_part) >= PART_FUNCTION ?				\
		    offsetof(struct pci_function_ser, checksum) :	\
		    offsetof(struct pci_segment_ser, checksum),		\
	  .size = (_part) >= PART_FUNCTION ? 1 : 4 }
#define IN_FUNCTION_BUS_NUMBERS						\
	{ .part = PART_FUNCTION, .swapped = true,			\
	  .offset = offsetof(struct pci_function_ser, secondary), .size = 2 }
#define IN_BRIDGE_BUS_NUMBERS						\
	{ .part = PART_BRIDGE, .swapped = true,				\
	  .offset = offsetof(struct pci_function_ser, secondary), .size = 2 }
#define IN_VF_BUS_NUMBERS						\
	{ .part = PART_VF, .swapped = true,				\
	  .offset = offsetof(struct pci_function_ser, secondary), .size = 2 }

/* A byte of the bitmap, and of the part for the bus of the function. */
#define IN_BITMAP(byte)		IN_PART(PART_BITMAP, byte, 1)
#define IN_BUS_BITMAP(byte)	IN_PART(PART_BUS_BITMAP, byte, 1)

/*
 * A word of the directory, the one for the bus of the function, the leaf of PFs on that
 * bus, and the one with the PF.
 */
#define IN_BUSES(word)		IN_PART(PART_BUSES, 8 * (word), 8)
#define IN_LEAF_PA		IN_PART(PART_LEAF_PA, 0, 8)
#define IN_PF_LEAF_PA		IN_PART(PART_LEAF_PA, 8 * PCI_SER_BUSES, 8)
#define IN_SRIOV_LEAF_PA	IN_PART(PART_SRIOV_LEAF_PA, 0, 8)

/* Values and writes */

#define NUMBER(n)		{ { }, n }
#define OF(field, n)		{ field, n }
#define SET(field, n)		{ field, { { }, n } }
#define ADD(field, n)		{ field, { field, n } }
#define COPY(field, from, n)	{ field, { from, n } }
/* The right checksum of a damaged structure. */
#define CHECKSUM(part)		{ IN_CHECKSUM(part), 0 }
#define REPAIR(part)		{ IN_CHECKSUM(part), CHECKSUM(part) }

#define ALIGNED			"a multiple of"
#define PRESERVED		"preserved memory of a size in bytes of"
#define NO_BITS_BUT		"no bits but those of"
#define WEIGHT			"the weight of the bitmap,"
#define SUM			"the sum of all segments,"
#define END_OF_CHAIN		"the end of the chain,"
#define MORE_SEGMENTS		"the address of more segments,"
#define USED_ONCE		"used once, in bytes"

/* Segments in a full block. */
#define BLOCK_SEGMENTS		((KHO_BLOCK_SIZE - sizeof(struct kho_block_header_ser)) / \
				 sizeof(struct pci_segment_ser))

/* tests/cases/damage.sh reads the level and the name. */
static const struct test_damage test_damages[] = {
	/* The address of the record */
	{ DAMAGE_ADDRESS, "root_0", -EFAULT, "root", IN_ROOT_PA,
	  PRESERVED, NUMBER(sizeof(struct pci_ser)), { SET(IN_ROOT_PA, 0) } },
	{ DAMAGE_ADDRESS, "root_misaligned", -EINVAL, "root", IN_ROOT_PA,
	  ALIGNED, NUMBER(PAGE_SIZE), { ADD(IN_ROOT_PA, 8) } },
	{ DAMAGE_ADDRESS, "root_ordinary", -EFAULT, "root", IN_ROOT_PA,
	  PRESERVED, NUMBER(sizeof(struct pci_ser)), { COPY(IN_ROOT_PA, IN_SPARE_PA, 0) } },
	{ DAMAGE_ADDRESS, "root_no_memory", -EFAULT, "root", IN_ROOT_PA,
	  PRESERVED, NUMBER(sizeof(struct pci_ser)), { SET(IN_ROOT_PA, 1ULL << 51) } },

	/* Versions, features and the checksum of the root */
	{ DAMAGE_RECORD, "version_0", -EPROTO, "version", IN_ROOT(version),
	  "at least", NUMBER(1), { SET(IN_ROOT(version), 0) } },
	{ DAMAGE_RECORD, "versions_0", -EPROTO, "version", IN_ROOT(version),
	  "at least", NUMBER(1), { SET(IN_ROOT(version), 0), SET(IN_ROOT(oldest_reader), 0) } },
	{ DAMAGE_RECORD, "oldest_0", -EPROTO, "oldest_reader", IN_ROOT(oldest_reader),
	  "at least", NUMBER(1), { SET(IN_ROOT(oldest_reader), 0) } },
	{ DAMAGE_RECORD, "oldest_above", -EPROTO, "oldest_reader", IN_ROOT(oldest_reader),
	  "at most", OF(IN_ROOT(version), 0),
	  { COPY(IN_ROOT(oldest_reader), IN_ROOT(version), 1) } },
	{ DAMAGE_RECORD, "oldest_new", -EPROTONOSUPPORT, "oldest_reader", IN_ROOT(oldest_reader),
	  "at most", OF(IN_ROOT(version), 0),
	  { COPY(IN_ROOT(oldest_reader), IN_ROOT(version), 1), ADD(IN_ROOT(version), 2) } },
	{ DAMAGE_RECORD, "oldest_max", -EPROTONOSUPPORT, "oldest_reader", IN_ROOT(oldest_reader),
	  "at most", OF(IN_ROOT(version), 0),
	  { SET(IN_ROOT(oldest_reader), U32_MAX), SET(IN_ROOT(version), U32_MAX) } },
	{ DAMAGE_RECORD, "oldest_byte_order", -EPROTONOSUPPORT, "oldest_reader",
	  IN_ROOT(oldest_reader), "at most", OF(IN_ROOT(version), 0),
	  { SET(IN_ROOT(oldest_reader), 0x01000000), SET(IN_ROOT(version), 0x01000000) } },
	{ DAMAGE_RECORD, "features", -EPROTONOSUPPORT, "features", IN_ROOT(features),
	  NO_BITS_BUT, NUMBER(PCI_SER_FEATURES), { SET(IN_ROOT(features), 2) } },
	{ DAMAGE_RECORD, "features_high", -EPROTONOSUPPORT, "features", IN_ROOT(features),
	  NO_BITS_BUT, NUMBER(PCI_SER_FEATURES), { SET(IN_ROOT(features), 1ULL << 63) } },
	{ DAMAGE_RECORD, "features_later", -EPROTONOSUPPORT, "features", IN_ROOT(features),
	  NO_BITS_BUT, NUMBER(PCI_SER_FEATURES),
	  { SET(IN_ROOT(features), -1ULL), ADD(IN_ROOT(version), 1) } },
	{ DAMAGE_RECORD, "version_more", -EBADMSG, "checksum of the root", IN_ROOT(checksum),
	  "exactly", CHECKSUM(PART_ROOT), { ADD(IN_ROOT(version), 1) } },
	{ DAMAGE_RECORD, "feature_added", -EBADMSG, "checksum of the root", IN_ROOT(checksum),
	  "exactly", CHECKSUM(PART_ROOT), { SET(IN_ROOT(features), PCI_SER_FEATURE_SRIOV) } },
	{ DAMAGE_RECORD, "root_checksum", -EBADMSG, "checksum of the root", IN_ROOT(checksum),
	  "exactly", OF(IN_ROOT(checksum), 0), { ADD(IN_ROOT(checksum), 1) } },
	{ DAMAGE_RECORD, "root_checksum_0", -EBADMSG, "checksum of the root", IN_ROOT(checksum),
	  "exactly", OF(IN_ROOT(checksum), 0), { SET(IN_ROOT(checksum), 0) } },

	/* Counts of the root */
	{ DAMAGE_RECORD, "sum_more", -EOVERFLOW, "nr_devices of the root", IN_ROOT(nr_devices),
	  SUM, OF(IN_ROOT(nr_devices), 0), { ADD(IN_ROOT(nr_devices), 1) } },
	{ DAMAGE_RECORD, "sum_less", -EOVERFLOW, "nr_devices of the root", IN_ROOT(nr_devices),
	  SUM, OF(IN_ROOT(nr_devices), 0), { ADD(IN_ROOT(nr_devices), -1) } },
	{ DAMAGE_RECORD, "sum_high", -EOVERFLOW, "nr_devices of the root", IN_ROOT(nr_devices),
	  SUM, OF(IN_ROOT(nr_devices), 0), { ADD(IN_ROOT(nr_devices), 1ULL << 32) } },
	{ DAMAGE_RECORD, "segments_none", -ELOOP, "segments", IN_ROOT(segments),
	  END_OF_CHAIN, NUMBER(0), { SET(IN_ROOT(nr_segments), 0) } },
	{ DAMAGE_RECORD, "segments_more", -ERANGE, "count of a block", IN_LAST_BLOCK(count),
	  "exactly", OF(IN_LAST_BLOCK(count), 1), { ADD(IN_ROOT(nr_segments), 1) } },
	{ DAMAGE_RECORD, "segments_many", -ERANGE, "count of a block", IN_LAST_BLOCK(count),
	  "exactly", NUMBER(BLOCK_SEGMENTS), { SET(IN_ROOT(nr_segments), U32_MAX) } },
	{ DAMAGE_SAMPLE, "segments_one_block", -ELOOP, "next of a block", IN_FIRST_BLOCK(next),
	  END_OF_CHAIN, NUMBER(0), { COPY(IN_ROOT(nr_segments), IN_FIRST_BLOCK(count), 0) } },
	{ DAMAGE_SAMPLE, "segments_less", -ERANGE, "count of a block", IN_FIRST_BLOCK(count),
	  "exactly", OF(IN_FIRST_BLOCK(count), -1),
	  { COPY(IN_ROOT(nr_segments), IN_FIRST_BLOCK(count), -1) } },

	/* The chain of blocks */
	{ DAMAGE_RECORD, "segments_0", -ENODATA, "segments", IN_ROOT(segments),
	  MORE_SEGMENTS, OF(IN_ROOT(nr_segments), 0), { SET(IN_ROOT(segments), 0) } },
	{ DAMAGE_RECORD, "segments_misaligned", -EINVAL, "segments", IN_ROOT(segments),
	  ALIGNED, NUMBER(PAGE_SIZE), { ADD(IN_ROOT(segments), 8) } },
	{ DAMAGE_RECORD, "segments_ordinary", -EFAULT, "segments", IN_ROOT(segments),
	  PRESERVED, NUMBER(KHO_BLOCK_SIZE), { COPY(IN_ROOT(segments), IN_SPARE_PA, 0) } },
	{ DAMAGE_RECORD, "segments_root", -ERANGE, "count of a block", IN_ROOT(features),
	  "exactly", NUMBER(1), { COPY(IN_ROOT(segments), IN_ROOT_PA, 0),
				  SET(IN_ROOT(nr_segments), 1), SET(IN_ROOT(nr_devices), 1) } },
	{ DAMAGE_SAMPLE, "segments_last_block", -ERANGE, "count of a block", IN_LAST_BLOCK(count),
	  "exactly", OF(IN_FIRST_BLOCK(count), 0),
	  { COPY(IN_ROOT(segments), IN_FIRST_BLOCK(next), 0) } },
	{ DAMAGE_RECORD, "count_0", -ERANGE, "count of a block", IN_FIRST_BLOCK(count),
	  "exactly", OF(IN_FIRST_BLOCK(count), 0), { SET(IN_FIRST_BLOCK(count), 0) } },
	{ DAMAGE_RECORD, "count_less", -ERANGE, "count of a block", IN_FIRST_BLOCK(count),
	  "exactly", OF(IN_FIRST_BLOCK(count), 0), { ADD(IN_FIRST_BLOCK(count), -1) } },
	{ DAMAGE_RECORD, "count_more", -ERANGE, "count of a block", IN_FIRST_BLOCK(count),
	  "exactly", OF(IN_FIRST_BLOCK(count), 0), { ADD(IN_FIRST_BLOCK(count), 1) } },
	{ DAMAGE_RECORD, "count_high", -ERANGE, "count of a block", IN_FIRST_BLOCK(count),
	  "exactly", OF(IN_FIRST_BLOCK(count), 0), { ADD(IN_FIRST_BLOCK(count), 1ULL << 32) } },
	{ DAMAGE_RECORD, "count_max", -ERANGE, "count of a block", IN_FIRST_BLOCK(count),
	  "exactly", OF(IN_FIRST_BLOCK(count), 0), { SET(IN_FIRST_BLOCK(count), -1ULL) } },
	{ DAMAGE_SAMPLE, "last_count_0", -ERANGE, "count of a block", IN_LAST_BLOCK(count),
	  "exactly", OF(IN_LAST_BLOCK(count), 0), { SET(IN_LAST_BLOCK(count), 0) } },
	{ DAMAGE_SAMPLE, "last_count_more", -ERANGE, "count of a block", IN_LAST_BLOCK(count),
	  "exactly", OF(IN_LAST_BLOCK(count), 0), { ADD(IN_LAST_BLOCK(count), 1) } },
	{ DAMAGE_SAMPLE, "last_count_high", -ERANGE, "count of a block", IN_LAST_BLOCK(count),
	  "exactly", OF(IN_LAST_BLOCK(count), 0), { ADD(IN_LAST_BLOCK(count), 1ULL << 32) } },
	{ DAMAGE_SAMPLE, "next_0", -ENODATA, "next of a block", IN_FIRST_BLOCK(next),
	  MORE_SEGMENTS, OF(IN_LAST_BLOCK(count), 0), { SET(IN_FIRST_BLOCK(next), 0) } },
	{ DAMAGE_SAMPLE, "next_misaligned", -EINVAL, "next of a block", IN_FIRST_BLOCK(next),
	  ALIGNED, NUMBER(PAGE_SIZE), { ADD(IN_FIRST_BLOCK(next), 16) } },
	{ DAMAGE_SAMPLE, "next_ordinary", -EFAULT, "next of a block", IN_FIRST_BLOCK(next),
	  PRESERVED, NUMBER(KHO_BLOCK_SIZE), { COPY(IN_FIRST_BLOCK(next), IN_SPARE_PA, 0) } },
	{ DAMAGE_SAMPLE, "next_self", -ERANGE, "count of a block", IN_FIRST_BLOCK(count),
	  "exactly", OF(IN_LAST_BLOCK(count), 0),
	  { COPY(IN_FIRST_BLOCK(next), IN_ROOT(segments), 0) } },
	{ DAMAGE_SAMPLE, "next_cycle", -EEXIST, "domain", IN_FIRST_SEGMENT(domain),
	  "a segment that was not there before,", OF(IN_FIRST_SEGMENT(domain), 0),
	  { COPY(IN_FIRST_BLOCK(next), IN_ROOT(segments), 0),
	    SET(IN_ROOT(nr_segments), 2 * BLOCK_SEGMENTS) } },
	{ DAMAGE_RECORD, "cycle", -ELOOP, "next of a block", IN_LAST_BLOCK(next),
	  END_OF_CHAIN, NUMBER(0), { COPY(IN_LAST_BLOCK(next), IN_ROOT(segments), 0) } },
	{ DAMAGE_RECORD, "last_next_ordinary", -ELOOP, "next of a block", IN_LAST_BLOCK(next),
	  END_OF_CHAIN, NUMBER(0), { COPY(IN_LAST_BLOCK(next), IN_SPARE_PA, 0) } },
	{ DAMAGE_SAMPLE, "last_next_self", -ELOOP, "next of a block", IN_LAST_BLOCK(next),
	  END_OF_CHAIN, NUMBER(0), { COPY(IN_LAST_BLOCK(next), IN_FIRST_BLOCK(next), 0) } },

	/* The addresses of a segment */
	{ DAMAGE_SAMPLE, "domain_twice", -EEXIST, "domain", IN_LAST_SEGMENT(domain),
	  "a segment that was not there before,", OF(IN_FIRST_SEGMENT(domain), 0),
	  { COPY(IN_LAST_SEGMENT(domain), IN_FIRST_SEGMENT(domain), 0) } },
	{ DAMAGE_RECORD, "bitmap_0", -EFAULT, "bitmap", IN_SEGMENT(bitmap),
	  PRESERVED, NUMBER(PCI_SER_BITMAP_SIZE), { SET(IN_SEGMENT(bitmap), 0) } },
	{ DAMAGE_RECORD, "bitmap_misaligned", -EINVAL, "bitmap", IN_SEGMENT(bitmap),
	  ALIGNED, NUMBER(PAGE_SIZE), { ADD(IN_SEGMENT(bitmap), 8) } },
	{ DAMAGE_RECORD, "bitmap_ordinary", -EFAULT, "bitmap", IN_SEGMENT(bitmap),
	  PRESERVED, NUMBER(PCI_SER_BITMAP_SIZE), { COPY(IN_SEGMENT(bitmap), IN_SPARE_PA, 0) } },
	{ DAMAGE_RECORD, "bitmap_second_page", -EFAULT, "bitmap", IN_SEGMENT(bitmap),
	  PRESERVED, NUMBER(PCI_SER_BITMAP_SIZE), { ADD(IN_SEGMENT(bitmap), PAGE_SIZE) } },
	{ DAMAGE_RECORD, "buses_0", -EFAULT, "buses", IN_SEGMENT(buses),
	  PRESERVED, NUMBER(PCI_SER_BUSES_SIZE), { SET(IN_SEGMENT(buses), 0) } },
	{ DAMAGE_RECORD, "buses_misaligned", -EINVAL, "buses", IN_SEGMENT(buses),
	  ALIGNED, NUMBER(PAGE_SIZE), { ADD(IN_SEGMENT(buses), PAGE_SIZE / 2) } },
	{ DAMAGE_RECORD, "buses_ordinary", -EFAULT, "buses", IN_SEGMENT(buses),
	  PRESERVED, NUMBER(PCI_SER_BUSES_SIZE), { COPY(IN_SEGMENT(buses), IN_SPARE_PA, 0) } },

	/* Preserved memory of another size. Larger pages hold each in one page */
#if PAGE_SIZE < PCI_SER_BITMAP_SIZE
	{ DAMAGE_ADDRESS, "root_large", -EFAULT, "root", IN_ROOT_PA,
	  PRESERVED, NUMBER(sizeof(struct pci_ser)),
	  { COPY(IN_ROOT_PA, IN_SEGMENT(bitmap), 0) } },
	{ DAMAGE_RECORD, "bitmap_small", -EFAULT, "bitmap", IN_SEGMENT(bitmap),
	  PRESERVED, NUMBER(PCI_SER_BITMAP_SIZE),
	  { COPY(IN_SEGMENT(bitmap), IN_SEGMENT(buses), 0) } },
	{ DAMAGE_RECORD, "buses_large", -EFAULT, "buses", IN_SEGMENT(buses),
	  PRESERVED, NUMBER(PCI_SER_BUSES_SIZE),
	  { COPY(IN_SEGMENT(buses), IN_SEGMENT(bitmap), 0) } },
#endif

	/* The number and the checksum of a segment */
	{ DAMAGE_RECORD, "segment_reserved", -EBADMSG, "reserved", IN_SEGMENT(reserved),
	  "exactly", NUMBER(0), { SET(IN_SEGMENT(reserved), 1) } },
	{ DAMAGE_RECORD, "segment_reserved_high", -EBADMSG, "reserved", IN_SEGMENT(reserved),
	  "exactly", NUMBER(0), { SET(IN_SEGMENT(reserved), 1U << 31) } },
	{ DAMAGE_RECORD, "domain_more", -EBADMSG, "checksum", IN_SEGMENT(checksum),
	  "exactly", CHECKSUM(PART_SEGMENT), { ADD(IN_SEGMENT(domain), 1U << 24) } },
	{ DAMAGE_RECORD, "segment_checksum", -EBADMSG, "checksum", IN_SEGMENT(checksum),
	  "exactly", OF(IN_SEGMENT(checksum), 0), { ADD(IN_SEGMENT(checksum), 1) } },
	{ DAMAGE_RECORD, "segment_checksum_0", -EBADMSG, "checksum", IN_SEGMENT(checksum),
	  "exactly", OF(IN_SEGMENT(checksum), 0), { SET(IN_SEGMENT(checksum), 0) } },
	{ DAMAGE_SAMPLE, "buses_swapped", -EBADMSG, "checksum", IN_FIRST_SEGMENT(checksum),
	  "exactly", CHECKSUM(PART_FIRST_SEGMENT),
	  { COPY(IN_FIRST_SEGMENT(buses), IN_LAST_SEGMENT(buses), 0),
	    COPY(IN_LAST_SEGMENT(buses), IN_FIRST_SEGMENT(buses), 0) } },

	/* The bitmap and the directory of a segment */
	{ DAMAGE_RECORD, "weight_more", -EUCLEAN, "nr_devices", IN_SEGMENT(nr_devices),
	  WEIGHT, OF(IN_SEGMENT(nr_devices), 0), { ADD(IN_SEGMENT(nr_devices), 1) } },
	{ DAMAGE_RECORD, "weight_less", -EUCLEAN, "nr_devices", IN_SEGMENT(nr_devices),
	  WEIGHT, OF(IN_SEGMENT(nr_devices), 0), { ADD(IN_SEGMENT(nr_devices), -1) } },
	{ DAMAGE_RECORD, "bit_lost", -EUCLEAN, "nr_devices", IN_SEGMENT(nr_devices),
	  WEIGHT, OF(IN_SEGMENT(nr_devices), -1), { ADD(IN_BUS_BITMAP(0), -1) } },
	{ DAMAGE_RECORD, "bit_added", -EUCLEAN, "nr_devices", IN_SEGMENT(nr_devices),
	  WEIGHT, OF(IN_SEGMENT(nr_devices), 1), { ADD(IN_BUS_BITMAP(1), 1) } },
	{ DAMAGE_SAMPLE, "bus_lost", -EUCLEAN, "nr_devices", IN_SEGMENT(nr_devices),
	  WEIGHT, OF(IN_SEGMENT(nr_devices), -2),
	  { SET(IN_BUS_BITMAP(0), 0), SET(IN_BUS_BITMAP(31), 0) } },
	{ DAMAGE_RECORD, "function_lost", -EOVERFLOW, "nr_devices of the root",
	  IN_ROOT(nr_devices), SUM, OF(IN_ROOT(nr_devices), -1),
	  { ADD(IN_BUS_BITMAP(0), -1), ADD(IN_SEGMENT(nr_devices), -1) } },
	{ DAMAGE_SAMPLE, "bit_on_bus_0", -ENXIO, "buses[] entry", IN_BUSES(0),
	  "the leaf of bus", NUMBER(0), { SET(IN_BITMAP(0), 1) } },
	{ DAMAGE_RECORD, "bit_on_bus_255", -ENXIO, "buses[] entry", IN_BUSES(255),
	  "the leaf of bus", NUMBER(255), { SET(IN_BITMAP(PCI_SER_BITMAP_SIZE - 1), 0x80) } },
	{ DAMAGE_RECORD, "leaf_0", -ENXIO, "buses[] entry", IN_LEAF_PA,
	  "the leaf of bus", OF(IN_FUNCTION_BUS, 0), { SET(IN_LEAF_PA, 0) } },

	/* A leaf of PFs needs the feature */
	{ DAMAGE_RECORD, "pf_leaf_added", -EBADMSG, "buses[] entry of PFs", IN_PF_LEAF_PA,
	  "exactly", NUMBER(0), { COPY(IN_PF_LEAF_PA, IN_LEAF_PA, 0) } },
	{ DAMAGE_RECORD, "pf_leaf_added_first", -EBADMSG, "buses[] entry of PFs", IN_BUSES(256),
	  "exactly", NUMBER(0), { SET(IN_BUSES(256), 1) } },
	{ DAMAGE_RECORD, "pf_leaf_added_last", -EBADMSG, "buses[] entry of PFs", IN_BUSES(511),
	  "exactly", NUMBER(0), { SET(IN_BUSES(511), 1ULL << 63) } },
	{ DAMAGE_PFS, "feature_lost", -EBADMSG, "buses[] entry of PFs", IN_SRIOV_LEAF_PA,
	  "exactly", NUMBER(0), { SET(IN_ROOT(features), 0) } },
	{ DAMAGE_PFS, "feature_wrong", -EPROTONOSUPPORT, "features", IN_ROOT(features),
	  NO_BITS_BUT, NUMBER(PCI_SER_FEATURES), { ADD(IN_ROOT(features), 2) } },

	/*
	 * Memory used twice. In the sample buses 2 and 3 have functions, and the
	 * root and the last block look like a directory with leaves for both.
	 */
	{ DAMAGE_SAMPLE, "bitmap_shared", -EBUSY, "bitmap", IN_LAST_SEGMENT(bitmap),
	  USED_ONCE, NUMBER(PCI_SER_BITMAP_SIZE),
	  { COPY(IN_LAST_SEGMENT(bitmap), IN_FIRST_SEGMENT(bitmap), 0),
	    REPAIR(PART_LAST_SEGMENT) } },
	{ DAMAGE_SAMPLE, "buses_shared", -EBUSY, "buses", IN_LAST_SEGMENT(buses),
	  USED_ONCE, NUMBER(PCI_SER_BUSES_SIZE),
	  { COPY(IN_LAST_SEGMENT(buses), IN_FIRST_SEGMENT(buses), 0),
	    REPAIR(PART_LAST_SEGMENT) } },
	{ DAMAGE_SAMPLE, "buses_root", -EBUSY, "buses", IN_SEGMENT(buses),
	  USED_ONCE, NUMBER(PCI_SER_BUSES_SIZE),
	  { COPY(IN_SEGMENT(buses), IN_ROOT_PA, 0), REPAIR(PART_SEGMENT) } },
	{ DAMAGE_SAMPLE, "buses_block", -EBUSY, "next of a block", IN_FIRST_BLOCK(next),
	  USED_ONCE, NUMBER(KHO_BLOCK_SIZE),
	  { COPY(IN_SEGMENT(buses), IN_FIRST_BLOCK(next), 0), REPAIR(PART_SEGMENT) } },

	/* The leaf of a bus */
	{ DAMAGE_BUS, "leaf_misaligned", -EINVAL, "buses[] entry", IN_LEAF_PA,
	  ALIGNED, NUMBER(PAGE_SIZE), { ADD(IN_LEAF_PA, 16) } },
	{ DAMAGE_BUS, "leaf_ordinary", -EFAULT, "buses[] entry", IN_LEAF_PA,
	  PRESERVED, NUMBER(PCI_SER_LEAF_SIZE), { COPY(IN_LEAF_PA, IN_SPARE_PA, 0) } },
	{ DAMAGE_BUS, "leaf_large", -EFAULT, "buses[] entry", IN_LEAF_PA,
	  PRESERVED, NUMBER(PCI_SER_LEAF_SIZE), { COPY(IN_LEAF_PA, IN_SEGMENT(bitmap), 0) } },
	{ DAMAGE_BUS, "leaf_root", -EFAULT, "buses[] entry", IN_LEAF_PA,
	  PRESERVED, NUMBER(PCI_SER_LEAF_SIZE), { COPY(IN_LEAF_PA, IN_ROOT_PA, 0) } },
	{ DAMAGE_BUS, "leaf_buses", -EFAULT, "buses[] entry", IN_LEAF_PA,
	  PRESERVED, NUMBER(PCI_SER_LEAF_SIZE), { COPY(IN_LEAF_PA, IN_SEGMENT(buses), 0) } },

	/* The entry of a function */
	{ DAMAGE_FUNCTION, "vendor_0", -EBADMSG, "vendor", IN_FUNCTION(vendor),
	  "other than 0 and", NUMBER(0xffff), { SET(IN_FUNCTION(vendor), 0) } },
	{ DAMAGE_FUNCTION, "vendor_ffff", -EBADMSG, "vendor", IN_FUNCTION(vendor),
	  "other than 0 and", NUMBER(0xffff), { SET(IN_FUNCTION(vendor), 0xffff) } },
	{ DAMAGE_FUNCTION, "bar0", -EBADMSG, "bar_shift", IN_FUNCTION(bar_shift[0]),
	  "less than", NUMBER(64), { SET(IN_FUNCTION(bar_shift[0]), 64) } },
	{ DAMAGE_FUNCTION, "bar1", -EBADMSG, "bar_shift", IN_FUNCTION(bar_shift[1]),
	  "less than", NUMBER(64), { SET(IN_FUNCTION(bar_shift[1]), 64) } },
	{ DAMAGE_FUNCTION, "bar2", -EBADMSG, "bar_shift", IN_FUNCTION(bar_shift[2]),
	  "less than", NUMBER(64), { SET(IN_FUNCTION(bar_shift[2]), 255) } },
	{ DAMAGE_FUNCTION, "bar3", -EBADMSG, "bar_shift", IN_FUNCTION(bar_shift[3]),
	  "less than", NUMBER(64), { SET(IN_FUNCTION(bar_shift[3]), 128) } },
	{ DAMAGE_FUNCTION, "bar4", -EBADMSG, "bar_shift", IN_FUNCTION(bar_shift[4]),
	  "less than", NUMBER(64), { SET(IN_FUNCTION(bar_shift[4]), 65) } },
	{ DAMAGE_FUNCTION, "bar5", -EBADMSG, "bar_shift", IN_FUNCTION(bar_shift[5]),
	  "less than", NUMBER(64), { SET(IN_FUNCTION(bar_shift[5]), 64) } },
	{ DAMAGE_FUNCTION, "rom", -EBADMSG, "bar_shift", IN_FUNCTION(bar_shift[PCI_SER_ROM]),
	  "less than", NUMBER(64), { SET(IN_FUNCTION(bar_shift[PCI_SER_ROM]), 64) } },
	{ DAMAGE_FUNCTION, "secondary", -EBADMSG, "secondary and subordinate",
	  IN_FUNCTION_BUS_NUMBERS, "exactly", NUMBER(0), { SET(IN_FUNCTION(secondary), 1) } },
	{ DAMAGE_FUNCTION, "subordinate", -EBADMSG, "secondary and subordinate",
	  IN_FUNCTION_BUS_NUMBERS, "exactly", NUMBER(0), { SET(IN_FUNCTION(subordinate), 1) } },
	{ DAMAGE_FUNCTION, "bus_numbers", -EBADMSG, "secondary and subordinate",
	  IN_FUNCTION_BUS_NUMBERS, "exactly", NUMBER(0),
	  { COPY(IN_FUNCTION(secondary), IN_FUNCTION_BUS, 1),
	    COPY(IN_FUNCTION(subordinate), IN_FUNCTION_BUS, 1) } },
	{ DAMAGE_FUNCTION, "flags", -EBADMSG, "flags", IN_FUNCTION(flags),
	  NO_BITS_BUT, NUMBER(PCI_SER_INTX_BROKEN), { SET(IN_FUNCTION(flags), 0x80) } },
	{ DAMAGE_FUNCTION, "flags_ff", -EBADMSG, "flags", IN_FUNCTION(flags),
	  NO_BITS_BUT, NUMBER(PCI_SER_INTX_BROKEN | PCI_SER_BRIDGE),
	  { SET(IN_FUNCTION(flags), 0xff) } },
	{ DAMAGE_FUNCTION, "flags_bridge", -EBADMSG, "secondary", IN_FUNCTION(secondary),
	  "more than", OF(IN_FUNCTION_BUS, 0),
	  { SET(IN_FUNCTION(flags), PCI_SER_BRIDGE), SET(IN_FUNCTION(bar_shift[2]), 0),
	    SET(IN_FUNCTION(bar_shift[4]), 0) } },
	{ DAMAGE_FUNCTION, "flags_vf", -EBADMSG, "flags", IN_FUNCTION(flags),
	  NO_BITS_BUT, NUMBER(PCI_SER_INTX_BROKEN), { SET(IN_FUNCTION(flags), PCI_SER_VF) } },
	{ DAMAGE_FUNCTION, "flags_pf", -EBADMSG, "flags", IN_FUNCTION(flags),
	  NO_BITS_BUT, NUMBER(PCI_SER_INTX_BROKEN), { SET(IN_FUNCTION(flags), PCI_SER_PF) } },
	{ DAMAGE_FUNCTION, "flags_implied", -EBADMSG, "flags", IN_FUNCTION(flags),
	  NO_BITS_BUT, NUMBER(PCI_SER_INTX_BROKEN),
	  { SET(IN_FUNCTION(flags), PCI_SER_PF | PCI_SER_IMPLIED) } },
	{ DAMAGE_FUNCTION, "reserved", -EBADMSG, "reserved", IN_FUNCTION(reserved),
	  "exactly", NUMBER(0), { SET(IN_FUNCTION(reserved), 1) } },
	{ DAMAGE_FUNCTION, "reserved_high", -EBADMSG, "reserved", IN_FUNCTION(reserved),
	  "exactly", NUMBER(0), { SET(IN_FUNCTION(reserved), 0x80) } },
	{ DAMAGE_FUNCTION, "device_other", -EBADMSG, "checksum", IN_FUNCTION(checksum),
	  "exactly", CHECKSUM(PART_FUNCTION), { ADD(IN_FUNCTION(device), 1) } },
	{ DAMAGE_FUNCTION, "bar_size", -EBADMSG, "checksum", IN_FUNCTION(checksum),
	  "exactly", CHECKSUM(PART_FUNCTION), { ADD(IN_FUNCTION(bar_shift[0]), 1) } },
	{ DAMAGE_FUNCTION, "checksum", -EBADMSG, "checksum", IN_FUNCTION(checksum),
	  "exactly", OF(IN_FUNCTION(checksum), 0), { ADD(IN_FUNCTION(checksum), 1) } },

	/* The entry of a bridge, which has BARs 0 and 1 and the ROM */
	{ DAMAGE_BRIDGE, "bridge_vendor_0", -EBADMSG, "vendor", IN_BRIDGE(vendor),
	  "other than 0 and", NUMBER(0xffff), { SET(IN_BRIDGE(vendor), 0) } },
	{ DAMAGE_BRIDGE, "bridge_vendor_ffff", -EBADMSG, "vendor", IN_BRIDGE(vendor),
	  "other than 0 and", NUMBER(0xffff), { SET(IN_BRIDGE(vendor), 0xffff) } },
	{ DAMAGE_BRIDGE, "bridge_bar0", -EBADMSG, "bar_shift", IN_BRIDGE(bar_shift[0]),
	  "less than", NUMBER(64), { SET(IN_BRIDGE(bar_shift[0]), 64) } },
	{ DAMAGE_BRIDGE, "bridge_bar1", -EBADMSG, "bar_shift", IN_BRIDGE(bar_shift[1]),
	  "less than", NUMBER(64), { SET(IN_BRIDGE(bar_shift[1]), 64) } },
	{ DAMAGE_BRIDGE, "bridge_bar2", -EBADMSG, "bar_shift", IN_BRIDGE(bar_shift[2]),
	  "less than", NUMBER(1), { SET(IN_BRIDGE(bar_shift[2]), 1) } },
	{ DAMAGE_BRIDGE, "bridge_bar3", -EBADMSG, "bar_shift", IN_BRIDGE(bar_shift[3]),
	  "less than", NUMBER(1), { SET(IN_BRIDGE(bar_shift[3]), 1) } },
	{ DAMAGE_BRIDGE, "bridge_bar4", -EBADMSG, "bar_shift", IN_BRIDGE(bar_shift[4]),
	  "less than", NUMBER(1), { SET(IN_BRIDGE(bar_shift[4]), 12) } },
	{ DAMAGE_BRIDGE, "bridge_bar5", -EBADMSG, "bar_shift", IN_BRIDGE(bar_shift[5]),
	  "less than", NUMBER(1), { SET(IN_BRIDGE(bar_shift[5]), 64) } },
	{ DAMAGE_BRIDGE, "bridge_rom", -EBADMSG, "bar_shift", IN_BRIDGE(bar_shift[PCI_SER_ROM]),
	  "less than", NUMBER(64), { SET(IN_BRIDGE(bar_shift[PCI_SER_ROM]), 64) } },
	{ DAMAGE_BRIDGE, "bridge_secondary_0", -EBADMSG, "secondary", IN_BRIDGE(secondary),
	  "more than", OF(IN_BRIDGE_BUS, 0), { SET(IN_BRIDGE(secondary), 0) } },
	{ DAMAGE_BRIDGE, "bridge_secondary_primary", -EBADMSG, "secondary", IN_BRIDGE(secondary),
	  "more than", OF(IN_BRIDGE_BUS, 0), { COPY(IN_BRIDGE(secondary), IN_BRIDGE_BUS, 0) } },
	{ DAMAGE_BRIDGE, "bridge_secondary_less", -EBADMSG, "secondary", IN_BRIDGE(secondary),
	  "more than", OF(IN_BRIDGE_BUS, 0), { COPY(IN_BRIDGE(secondary), IN_BRIDGE_BUS, -1) } },
	{ DAMAGE_BRIDGE, "bridge_secondary_255", -EBADMSG, "subordinate", IN_BRIDGE(subordinate),
	  "at least", NUMBER(255), { SET(IN_BRIDGE(secondary), 255) } },
	{ DAMAGE_BRIDGE, "bridge_subordinate_0", -EBADMSG, "subordinate", IN_BRIDGE(subordinate),
	  "at least", OF(IN_BRIDGE(secondary), 0), { SET(IN_BRIDGE(subordinate), 0) } },
	{ DAMAGE_BRIDGE, "bridge_subordinate_less", -EBADMSG, "subordinate",
	  IN_BRIDGE(subordinate), "at least", OF(IN_BRIDGE(secondary), 0),
	  { COPY(IN_BRIDGE(subordinate), IN_BRIDGE(secondary), -1) } },
	{ DAMAGE_BRIDGE, "bridge_flags", -EBADMSG, "flags", IN_BRIDGE(flags),
	  NO_BITS_BUT, NUMBER(PCI_SER_INTX_BROKEN | PCI_SER_BRIDGE),
	  { SET(IN_BRIDGE(flags), 0xff) } },
	{ DAMAGE_BRIDGE, "bridge_flags_pf", -EBADMSG, "flags", IN_BRIDGE(flags),
	  NO_BITS_BUT, NUMBER(PCI_SER_INTX_BROKEN | PCI_SER_BRIDGE),
	  { SET(IN_BRIDGE(flags), PCI_SER_BRIDGE | PCI_SER_PF) } },
	{ DAMAGE_BRIDGE, "bridge_flags_0", -EBADMSG, "secondary and subordinate",
	  IN_BRIDGE_BUS_NUMBERS, "exactly", NUMBER(0), { SET(IN_BRIDGE(flags), 0) } },
	{ DAMAGE_BRIDGE, "bridge_reserved", -EBADMSG, "reserved", IN_BRIDGE(reserved),
	  "exactly", NUMBER(0), { SET(IN_BRIDGE(reserved), 1) } },
	{ DAMAGE_BRIDGE, "bridge_subordinate_more", -EBADMSG, "checksum", IN_BRIDGE(checksum),
	  "exactly", CHECKSUM(PART_BRIDGE), { ADD(IN_BRIDGE(subordinate), 1) } },
	{ DAMAGE_BRIDGE, "bridge_checksum", -EBADMSG, "checksum", IN_BRIDGE(checksum),
	  "exactly", OF(IN_BRIDGE(checksum), 0), { ADD(IN_BRIDGE(checksum), -1) } },

	/* The entry of a PF: no VF, no bridge, and only a PF can be implied */
	{ DAMAGE_PF, "pf_vendor_0", -EBADMSG, "vendor", IN_PF(vendor),
	  "other than 0 and", NUMBER(0xffff), { SET(IN_PF(vendor), 0) } },
	{ DAMAGE_PF, "pf_bar0", -EBADMSG, "bar_shift", IN_PF(bar_shift[0]),
	  "less than", NUMBER(64), { SET(IN_PF(bar_shift[0]), 64) } },
	{ DAMAGE_PF, "pf_rom", -EBADMSG, "bar_shift", IN_PF(bar_shift[PCI_SER_ROM]),
	  "less than", NUMBER(64), { SET(IN_PF(bar_shift[PCI_SER_ROM]), 64) } },
	{ DAMAGE_PF, "pf_flags", -EBADMSG, "flags", IN_PF(flags),
	  NO_BITS_BUT, NUMBER(PCI_SER_INTX_BROKEN | PCI_SER_PF | PCI_SER_IMPLIED |
			      PCI_SER_AUTOPROBE),
	  { SET(IN_PF(flags), PCI_SER_PF | 0x40) } },
	{ DAMAGE_PF, "pf_autoprobe_alone", -EBADMSG, "flags", IN_PF(flags),
	  NO_BITS_BUT, NUMBER(PCI_SER_INTX_BROKEN), { SET(IN_PF(flags), PCI_SER_AUTOPROBE) } },
	{ DAMAGE_PF, "pf_implied_alone", -EBADMSG, "flags", IN_PF(flags),
	  NO_BITS_BUT, NUMBER(PCI_SER_INTX_BROKEN), { SET(IN_PF(flags), PCI_SER_IMPLIED) } },
	{ DAMAGE_PF, "pf_vf", -EBADMSG, "flags", IN_PF(flags),
	  NO_BITS_BUT, NUMBER(PCI_SER_INTX_BROKEN | PCI_SER_VF),
	  { SET(IN_PF(flags), PCI_SER_PF | PCI_SER_VF) } },
	{ DAMAGE_PF, "pf_vf_implied", -EBADMSG, "flags", IN_PF(flags),
	  NO_BITS_BUT, NUMBER(PCI_SER_INTX_BROKEN | PCI_SER_VF),
	  { SET(IN_PF(flags), PCI_SER_SRIOV_FLAGS) } },
	{ DAMAGE_PF, "pf_bridge", -EBADMSG, "flags", IN_PF(flags),
	  NO_BITS_BUT, NUMBER(PCI_SER_INTX_BROKEN | PCI_SER_BRIDGE),
	  { SET(IN_PF(flags), PCI_SER_PF | PCI_SER_BRIDGE),
	    COPY(IN_PF(secondary), IN_PF_BUS, 1), COPY(IN_PF(subordinate), IN_PF_BUS, 1) } },
	{ DAMAGE_PF, "pf_bar_size", -EBADMSG, "checksum", IN_PF(checksum),
	  "exactly", CHECKSUM(PART_PF), { ADD(IN_PF(bar_shift[0]), 1) } },
	{ DAMAGE_PF, "pf_function", -EBADMSG, "checksum", IN_PF(checksum),
	  "exactly", CHECKSUM(PART_PF), { SET(IN_PF(flags), 0) } },
	{ DAMAGE_PF, "pf_checksum", -EBADMSG, "checksum", IN_PF(checksum),
	  "exactly", OF(IN_PF(checksum), 0), { ADD(IN_PF(checksum), 1) } },

	/* The entry of a VF, which has no BARs of its own */
	{ DAMAGE_VF, "vf_vendor_ffff", -EBADMSG, "vendor", IN_VF(vendor),
	  "other than 0 and", NUMBER(0xffff), { SET(IN_VF(vendor), 0xffff) } },
	{ DAMAGE_VF, "vf_bar0", -EBADMSG, "bar_shift", IN_VF(bar_shift[0]),
	  "less than", NUMBER(1), { SET(IN_VF(bar_shift[0]), 1) } },
	{ DAMAGE_VF, "vf_bar1", -EBADMSG, "bar_shift", IN_VF(bar_shift[1]),
	  "less than", NUMBER(1), { SET(IN_VF(bar_shift[1]), 12) } },
	{ DAMAGE_VF, "vf_bar2", -EBADMSG, "bar_shift", IN_VF(bar_shift[2]),
	  "less than", NUMBER(1), { SET(IN_VF(bar_shift[2]), 64) } },
	{ DAMAGE_VF, "vf_bar3", -EBADMSG, "bar_shift", IN_VF(bar_shift[3]),
	  "less than", NUMBER(1), { SET(IN_VF(bar_shift[3]), 63) } },
	{ DAMAGE_VF, "vf_bar4", -EBADMSG, "bar_shift", IN_VF(bar_shift[4]),
	  "less than", NUMBER(1), { SET(IN_VF(bar_shift[4]), 1) } },
	{ DAMAGE_VF, "vf_bar5", -EBADMSG, "bar_shift", IN_VF(bar_shift[5]),
	  "less than", NUMBER(1), { SET(IN_VF(bar_shift[5]), 255) } },
	{ DAMAGE_VF, "vf_rom", -EBADMSG, "bar_shift", IN_VF(bar_shift[PCI_SER_ROM]),
	  "less than", NUMBER(1), { SET(IN_VF(bar_shift[PCI_SER_ROM]), 16) } },
	{ DAMAGE_VF, "vf_bus_numbers", -EBADMSG, "secondary and subordinate",
	  IN_VF_BUS_NUMBERS, "exactly", NUMBER(0),
	  { COPY(IN_VF(secondary), IN_VF_BUS, 1), COPY(IN_VF(subordinate), IN_VF_BUS, 1) } },
	{ DAMAGE_VF, "vf_pf", -EBADMSG, "flags", IN_VF(flags),
	  NO_BITS_BUT, NUMBER(PCI_SER_INTX_BROKEN | PCI_SER_VF),
	  { SET(IN_VF(flags), PCI_SER_VF | PCI_SER_PF) } },
	{ DAMAGE_VF, "vf_implied", -EBADMSG, "flags", IN_VF(flags),
	  NO_BITS_BUT, NUMBER(PCI_SER_INTX_BROKEN | PCI_SER_VF),
	  { SET(IN_VF(flags), PCI_SER_VF | PCI_SER_IMPLIED) } },
	{ DAMAGE_VF, "vf_bridge", -EBADMSG, "flags", IN_VF(flags),
	  NO_BITS_BUT, NUMBER(PCI_SER_INTX_BROKEN | PCI_SER_BRIDGE),
	  { SET(IN_VF(flags), PCI_SER_VF | PCI_SER_BRIDGE),
	    COPY(IN_VF(secondary), IN_VF_BUS, 1), COPY(IN_VF(subordinate), IN_VF_BUS, 1) } },
	{ DAMAGE_VF, "vf_device_other", -EBADMSG, "checksum", IN_VF(checksum),
	  "exactly", CHECKSUM(PART_VF), { ADD(IN_VF(device), 1) } },
	{ DAMAGE_VF, "vf_checksum", -EBADMSG, "checksum", IN_VF(checksum),
	  "exactly", OF(IN_VF(checksum), 0), { ADD(IN_VF(checksum), 1) } },

	/* The leaf of PFs */
	{ DAMAGE_SRIOV, "sriov_leaf_0", -EFAULT, "buses[] entry of PFs", IN_SRIOV_LEAF_PA,
	  PRESERVED, NUMBER(PCI_SER_LEAF_SIZE), { SET(IN_SRIOV_LEAF_PA, 0) } },
	{ DAMAGE_SRIOV, "sriov_leaf_misaligned", -EINVAL, "buses[] entry of PFs",
	  IN_SRIOV_LEAF_PA, ALIGNED, NUMBER(PAGE_SIZE), { ADD(IN_SRIOV_LEAF_PA, 16) } },
	{ DAMAGE_SRIOV, "sriov_leaf_ordinary", -EFAULT, "buses[] entry of PFs",
	  IN_SRIOV_LEAF_PA, PRESERVED, NUMBER(PCI_SER_LEAF_SIZE),
	  { COPY(IN_SRIOV_LEAF_PA, IN_SPARE_PA, 0) } },
	{ DAMAGE_SRIOV, "sriov_leaf_large", -EFAULT, "buses[] entry of PFs",
	  IN_SRIOV_LEAF_PA, PRESERVED, NUMBER(PCI_SER_LEAF_SIZE),
	  { COPY(IN_SRIOV_LEAF_PA, IN_SEGMENT(bitmap), 0) } },
	{ DAMAGE_SRIOV, "sriov_leaf_buses", -EFAULT, "buses[] entry of PFs",
	  IN_SRIOV_LEAF_PA, PRESERVED, NUMBER(PCI_SER_LEAF_SIZE),
	  { COPY(IN_SRIOV_LEAF_PA, IN_SEGMENT(buses), 0) } },

	/* The state of a PF */
	{ DAMAGE_SRIOV, "sriov_bar0", -EBADMSG, "bar_shift of VFs", IN_SRIOV(bar_shift[0]),
	  "0, or from 12 to", NUMBER(63), { SET(IN_SRIOV(bar_shift[0]), 11) } },
	{ DAMAGE_SRIOV, "sriov_bar1", -EBADMSG, "bar_shift of VFs", IN_SRIOV(bar_shift[1]),
	  "0, or from 12 to", NUMBER(63), { SET(IN_SRIOV(bar_shift[1]), 64) } },
	{ DAMAGE_SRIOV, "sriov_bar2", -EBADMSG, "bar_shift of VFs", IN_SRIOV(bar_shift[2]),
	  "0, or from 12 to", NUMBER(63), { SET(IN_SRIOV(bar_shift[2]), 1) } },
	{ DAMAGE_SRIOV, "sriov_bar3", -EBADMSG, "bar_shift of VFs", IN_SRIOV(bar_shift[3]),
	  "0, or from 12 to", NUMBER(63), { SET(IN_SRIOV(bar_shift[3]), 255) } },
	{ DAMAGE_SRIOV, "sriov_bar4", -EBADMSG, "bar_shift of VFs", IN_SRIOV(bar_shift[4]),
	  "0, or from 12 to", NUMBER(63), { SET(IN_SRIOV(bar_shift[4]), 128) } },
	{ DAMAGE_SRIOV, "sriov_bar5", -EBADMSG, "bar_shift of VFs", IN_SRIOV(bar_shift[5]),
	  "0, or from 12 to", NUMBER(63), { SET(IN_SRIOV(bar_shift[5]), 64) } },
	{ DAMAGE_SRIOV, "max_bus_less", -EBADMSG, "max_bus", IN_SRIOV(max_bus),
	  "at least", OF(IN_PF_BUS, 0), { COPY(IN_SRIOV(max_bus), IN_PF_BUS, -1) } },
	{ DAMAGE_SRIOV, "offset_0", -EBADMSG, "offset of VFs", IN_SRIOV(offset),
	  "at least", NUMBER(1), { SET(IN_SRIOV(offset), 0) } },
	{ DAMAGE_SRIOV, "stride_0", -EBADMSG, "stride of VFs", IN_SRIOV(stride),
	  "at least", NUMBER(1), { SET(IN_SRIOV(stride), 0) } },
	{ DAMAGE_SRIOV, "num_vfs_less", -EBADMSG, "checksum of VFs", IN_SRIOV(checksum),
	  "exactly", CHECKSUM(PART_SRIOV), { ADD(IN_SRIOV(num_vfs), -1) } },
	{ DAMAGE_SRIOV, "vf_bar_size", -EBADMSG, "checksum of VFs", IN_SRIOV(checksum),
	  "exactly", CHECKSUM(PART_SRIOV), { ADD(IN_SRIOV(bar_shift[0]), 1) } },
	{ DAMAGE_SRIOV, "max_bus_more", -EBADMSG, "checksum of VFs", IN_SRIOV(checksum),
	  "exactly", CHECKSUM(PART_SRIOV), { SET(IN_SRIOV(max_bus), 255) } },
	{ DAMAGE_SRIOV, "sriov_checksum", -EBADMSG, "checksum of VFs", IN_SRIOV(checksum),
	  "exactly", OF(IN_SRIOV(checksum), 0), { ADD(IN_SRIOV(checksum), 1) } },

	/* VFs beyond max_bus, which is the bus of the PF: bus 4 */
	{ DAMAGE_VF_IDS, "num_vfs_more", -EBADMSG, "max_bus", IN_SRIOV(max_bus),
	  "at least", NUMBER(5), { SET(IN_SRIOV(num_vfs), 127) } },
	{ DAMAGE_VF_IDS, "num_vfs_ffff", -EBADMSG, "max_bus", IN_SRIOV(max_bus),
	  "at least", NUMBER(0x204), { SET(IN_SRIOV(num_vfs), 0xffff) } },
	{ DAMAGE_VF_IDS, "offset_ffff", -EBADMSG, "max_bus", IN_SRIOV(max_bus),
	  "at least", NUMBER(0x104), { SET(IN_SRIOV(offset), 0xffff) } },
	{ DAMAGE_VF_IDS, "stride_ffff", -EBADMSG, "max_bus", IN_SRIOV(max_bus),
	  "at least", NUMBER(0x104), { SET(IN_SRIOV(stride), 0xffff) } },
	{ DAMAGE_VF_IDS, "vf_ids_max", -EBADMSG, "max_bus", IN_SRIOV(max_bus),
	  "at least", NUMBER(0xfffe04),
	  { SET(IN_SRIOV(num_vfs), 0xffff), SET(IN_SRIOV(offset), 0xffff),
	    SET(IN_SRIOV(stride), 0xffff) } },
};

/* Damaging a record */

static inline struct kho_block_header_ser *
test_damage_last_block(const struct pci_ser *root)
{
	struct kho_block_header_ser *block = phys_to_virt(root->segments);

	while (block->next)
		block = phys_to_virt(block->next);

	return block;
}

static inline struct pci_segment_ser *
test_damage_segment(const struct pci_ser *root, u32 nr)
{
	struct kho_block_header_ser *block = phys_to_virt(root->segments);

	while (nr >= block->count) {
		nr -= block->count;
		block = phys_to_virt(block->next);
	}

	return (struct pci_segment_ser *)(block + 1) + nr;
}

static inline void *test_damage_entry(const u64 *buses, u16 bdf)
{
	struct pci_function_ser *leaf = phys_to_virt(buses[bdf >> 8]);

	return &leaf[bdf & 0xff];
}

static inline void *test_damage_sriov(const u64 *buses, u16 pf)
{
	struct pci_sriov_ser *leaf = phys_to_virt(buses[PCI_SER_BUSES + (pf >> 8)]);

	return &leaf[pf & 0xff];
}

static inline void *
test_damage_segment_part(struct test_damage_target *target,
			 enum test_damage_part part)
{
	struct pci_segment_ser *seg;
	u64 *buses;
	u8 *bitmap;

	seg = test_damage_segment(phys_to_virt(target->root_pa), target->segment);
	buses = phys_to_virt(seg->buses);
	bitmap = phys_to_virt(seg->bitmap);
	switch (part) {
	case PART_SEGMENT:
		return seg;
	case PART_BITMAP:
		return bitmap;
	case PART_BUS_BITMAP:
		return bitmap + (target->function >> 8) * PCI_SER_DEVFNS / 8;
	case PART_BUSES:
		return buses;
	case PART_LEAF_PA:
		return &buses[target->function >> 8];
	case PART_FUNCTION:
		return test_damage_entry(buses, target->function);
	case PART_BRIDGE:
		return test_damage_entry(buses, target->bridge);
	case PART_PF:
		return test_damage_entry(buses, target->pf);
	case PART_VF:
		return test_damage_entry(buses, target->vf);
	case PART_SRIOV_LEAF_PA:
		return &buses[PCI_SER_BUSES + (target->pf >> 8)];
	case PART_SRIOV:
		return test_damage_sriov(buses, target->pf);
	default:
		return NULL;
	}
}

static inline void *test_damage_part(struct test_damage_target *target,
				     enum test_damage_part part)
{
	struct pci_ser *root = phys_to_virt(target->root_pa);

	switch (part) {
	case PART_ROOT_PA:
		return &target->root_pa;
	case PART_SPARE_PA:
		return &target->spare_pa;
	case PART_FUNCTION_BDF:
		return &target->function;
	case PART_BRIDGE_BDF:
		return &target->bridge;
	case PART_PF_BDF:
		return &target->pf;
	case PART_VF_BDF:
		return &target->vf;
	case PART_ROOT:
		return root;
	case PART_FIRST_BLOCK:
		return phys_to_virt(root->segments);
	case PART_LAST_BLOCK:
		return test_damage_last_block(root);
	case PART_FIRST_SEGMENT:
		return test_damage_segment(root, 0);
	case PART_LAST_SEGMENT:
		return test_damage_segment(root, root->nr_segments - 1);
	default:
		return test_damage_segment_part(target, part);
	}
}

static inline void *test_damage_find(struct test_damage_target *target,
				     const struct test_damage_field *field)
{
	return test_damage_part(target, field->part) + field->offset;
}

/* All architectures with KHO are little-endian. */
static inline u64 test_damage_read(const void *place,
				   const struct test_damage_field *field)
{
	u64 value = 0;

	memcpy(&value, place, field->size);
	if (field->swapped)
		return (value & 0xff) << 8 | value >> 8;
	return value;
}

static inline u64 test_damage_value(struct test_damage_target *target,
				    const struct test_damage_value *value)
{
	u64 base = 0;

	if (value->field.size)
		base = test_damage_read(test_damage_find(target, &value->field),
					&value->field);
	return base + value->number;
}

/* @ser is the structure of @part, which the damage may have hidden. */
static inline u32 test_damage_checksum(const struct test_damage_target *target,
				       const struct pci_segment_ser *seg,
				       enum test_damage_part part, const void *ser)
{
	switch (part) {
	case PART_ROOT:
		return test_root_checksum(ser);
	case PART_FUNCTION:
		return test_entry_checksum(PCI_SER_KEY(seg->domain, target->function), ser);
	case PART_BRIDGE:
		return test_entry_checksum(PCI_SER_KEY(seg->domain, target->bridge), ser);
	case PART_PF:
		return test_entry_checksum(PCI_SER_KEY(seg->domain, target->pf), ser);
	case PART_VF:
		return test_entry_checksum(PCI_SER_KEY(seg->domain, target->vf), ser);
	case PART_SRIOV:
		return test_sriov_checksum(PCI_SER_KEY(seg->domain, target->pf), ser);
	default:
		return test_segment_checksum(ser);
	}
}

/* The segment of a field, or NULL. */
static inline const struct pci_segment_ser *
test_damage_segment_of(struct test_damage_target *target,
		       enum test_damage_part part)
{
	if (part < PART_FIRST_SEGMENT)
		return NULL;
	if (part > PART_SEGMENT)
		part = PART_SEGMENT;
	return test_damage_part(target, part);
}

/**
 * test_damage_apply - Damage a record.
 * @damage:  The damage.
 * @target:  The record.
 * @message: Set to the values in the message about the damage.
 */
static inline void test_damage_apply(const struct test_damage *damage,
				     struct test_damage_target *target,
				     struct test_damage_message *message)
{
	const struct test_damage_field *sum = &damage->expected.field;
	const struct pci_segment_ser *seg;
	void *places[TEST_DAMAGE_WRITES];
	u64 values[TEST_DAMAGE_WRITES];
	const void *found;
	int nr;

	/* Look everything up first: the damage may hide the rest of the record. */
	for (nr = 0; nr < TEST_DAMAGE_WRITES && damage->writes[nr].field.size; nr++) {
		places[nr] = test_damage_find(target, &damage->writes[nr].field);
		values[nr] = test_damage_value(target, &damage->writes[nr].value);
	}
	found = test_damage_find(target, &damage->found);
	seg = test_damage_segment_of(target, damage->found.part);
	message->expected = test_damage_value(target, &damage->expected);

	for (int i = 0; i < nr; i++) {
		const struct test_damage_field *field = &damage->writes[i].field;

		if (field->right)
			values[i] = test_damage_checksum(target, seg, field->part,
							 places[i] - field->offset);
		memcpy(places[i], &values[i], field->size);
	}
	if (sum->right)
		message->expected = test_damage_checksum(target, seg, sum->part,
							 found - sum->offset);
	message->found = test_damage_read(found, &damage->found);
	message->in_segment = seg;
	message->domain = seg ? seg->domain : 0;
}

/**
 * test_damage_print - Print the message about a damage, as the kernel does.
 * @damage:  The damage.
 * @message: The values.
 * @text:    A buffer.
 * @size:    Its size in bytes.
 */
static inline void test_damage_print(const struct test_damage *damage,
				     const struct test_damage_message *message,
				     char *text, size_t size)
{
	char segment[32] = "";

	if (message->in_segment)
		snprintf(segment, sizeof(segment), " of segment %04x",
			 message->domain);
	snprintf(text, size, "%s%s is 0x%llx, expected %s 0x%llx", damage->text,
		 segment, (unsigned long long)message->found, damage->rule,
		 (unsigned long long)message->expected);
}

#endif /* _LIB_TEST_PCI_LIVEUPDATE_DAMAGE_H */
