// SPDX-License-Identifier: GPL-2.0
/*
 * The records that the fuzzer has found, and nasty records by hand.
 */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/kho/abi/block.h>
#include <linux/kho/abi/pci.h>

#include "harness.h"
#include "input.h"
#include "record.h"
#include "tests.h"

#define INPUT_MAX_SIZE	1024

/* Offsets in a page. */
#define ROOT(member)	offsetof(struct pci_ser, member)
#define NEXT		offsetof(struct kho_block_header_ser, next)
#define COUNT		offsetof(struct kho_block_header_ser, count)
#define SEGMENT_A(member)						\
	(sizeof(struct kho_block_header_ser) +				\
	 offsetof(struct pci_segment_ser, member))
#define SEGMENT_B(member)						\
	(SEGMENT_A(member) + sizeof(struct pci_segment_ser))
#define ENTRY(devfn, member)						\
	(16 * (devfn) + offsetof(struct pci_function_ser, member))
#define STATE(member)	offsetof(struct pci_sriov_ser, member)
#define LEAF(bus)	(8 * (bus))
#define PF_LEAF(bus)	(8 * (PCI_SER_BUSES + (bus)))

#define CORRECT		(INPUT_CHECKSUMS | INPUT_COUNTS)

/* Two pages with 127 segments each, from domain 0 and 1000 on. */
#define FULL_BLOCK(page, domain)					\
	CHANGE(INPUT_SEGMENTS, page, domain,				\
	       SEGMENTS_PER_BLOCK << 24 | PAGE_BUSES_B << 8 | PAGE_BITMAP_B)
#define TWO_BLOCKS							\
	FULL_BLOCK(PAGE_BLOCK, 0), FULL_BLOCK(PAGE_SPARE, 1000),	\
	CHANGE(INPUT_ADDRESS, PAGE_BLOCK, NEXT, PAGE_SPARE)

/* @err is 0 if the record is accepted. Then the index refuses entries. */
static const struct {
	const char *name;
	int err;
	u8 data[80];
} nasty[] = {
	{ "the valid record", 0, { 0 } },
	{ "a chain of blocks that comes back to its start", -EEXIST, {
		CORRECT, TWO_BLOCKS, CHANGE(INPUT_ADDRESS, PAGE_SPARE, NEXT, PAGE_BLOCK),
		CHANGE(INPUT_WRITE32, PAGE_ROOT, ROOT(nr_segments), 3 * SEGMENTS_PER_BLOCK) } },
	{ "the same, with as many segments as one round has", -ELOOP, {
		CORRECT, TWO_BLOCKS, CHANGE(INPUT_ADDRESS, PAGE_SPARE, NEXT, PAGE_BLOCK),
		CHANGE(INPUT_WRITE32, PAGE_ROOT, ROOT(nr_segments), 2 * SEGMENTS_PER_BLOCK) } },
	{ "a block that follows itself", -EEXIST, {
		CORRECT, FULL_BLOCK(PAGE_BLOCK, 0),
		CHANGE(INPUT_ADDRESS, PAGE_BLOCK, NEXT, PAGE_BLOCK),
		CHANGE(INPUT_WRITE32, PAGE_ROOT, ROOT(nr_segments), U32_MAX) } },
	{ "as many segments as a u32 can count", -ENODATA, {
		CORRECT, TWO_BLOCKS,
		CHANGE(INPUT_WRITE32, PAGE_ROOT, ROOT(nr_segments), U32_MAX) } },
	{ "254 segments that share one bitmap and one directory", -EBUSY, {
		CORRECT, TWO_BLOCKS,
		CHANGE(INPUT_WRITE32, PAGE_ROOT, ROOT(nr_segments), 2 * SEGMENTS_PER_BLOCK) } },
	{ "the root as a block of segments", -EBADMSG, {
		CORRECT, CHANGE(INPUT_ADDRESS, PAGE_ROOT, ROOT(segments), PAGE_ROOT),
		CHANGE(INPUT_WRITE32, PAGE_ROOT, ROOT(nr_segments), 1) } },
	{ "a directory as a block of segments", -ERANGE, {
		INPUT_CHECKSUMS, CHANGE(INPUT_ADDRESS, PAGE_ROOT, ROOT(segments), PAGE_BUSES_A) } },
	{ "the root as a directory", -EBUSY, {
		CORRECT, CHANGE(INPUT_ADDRESS, PAGE_BLOCK, SEGMENT_B(buses), PAGE_ROOT) } },
	{ "a block as a directory", -EBUSY, {
		CORRECT, CHANGE(INPUT_ADDRESS, PAGE_BLOCK, SEGMENT_B(buses), PAGE_BLOCK),
		/* A block that does not begin with 0 for bus 1. */
		CHANGE(INPUT_WRITE8, PAGE_BITMAP_B, 32, 0x03) } },
	{ "the root as a leaf", 0, {
		0, CHANGE(INPUT_ADDRESS, PAGE_BUSES_A, LEAF(2), PAGE_ROOT) } },
	{ "a block as a leaf", 0, {
		CORRECT, CHANGE(INPUT_ADDRESS, PAGE_BUSES_A, LEAF(2), PAGE_BLOCK) } },
	{ "a directory that names itself as a leaf", 0, {
		CORRECT, CHANGE(INPUT_ADDRESS, PAGE_BUSES_A, LEAF(2), PAGE_BUSES_A) } },
	{ "a leaf of two buses", 0, {
		CORRECT, CHANGE(INPUT_ADDRESS, PAGE_BUSES_A, LEAF(0), PAGE_LEAF_A2) } },
	{ "a leaf of two segments", 0, {
		CORRECT, CHANGE(INPUT_ADDRESS, PAGE_BUSES_A, LEAF(2), PAGE_LEAF_B1) } },
	{ "a leaf of functions as the leaf of PFs", 0, {
		CORRECT, CHANGE(INPUT_ADDRESS, PAGE_BUSES_A, PF_LEAF(1), PAGE_LEAF_A1) } },
	{ "a leaf of PFs as a leaf of functions", 0, {
		CORRECT, CHANGE(INPUT_EXCHANGE, PAGE_BUSES_A, LEAF(1),
				PF_LEAF(1) << 16 | PAGE_BUSES_A) } },
	{ "every leaf of a directory is the directory of another segment", 0, {
		CORRECT, CHANGE(INPUT_ADDRESS, PAGE_BUSES_A, LEAF(0), PAGE_BUSES_B),
		CHANGE(INPUT_ADDRESS, PAGE_BUSES_A, LEAF(1), PAGE_BUSES_B),
		CHANGE(INPUT_ADDRESS, PAGE_BUSES_A, LEAF(2), PAGE_BUSES_B) } },
	{ "all bits of a bitmap", -ENXIO, {
		CORRECT, CHANGE(INPUT_FILL, PAGE_BITMAP_A, 0, 0xff) } },
	{ "all functions of a bus, in a leaf of the same byte", 0, {
		CORRECT, CHANGE(INPUT_FILL, PAGE_LEAF_A2, 0, 0x11),
		CHANGE(INPUT_FILL, PAGE_BITMAP_A, 0x5f, 0),
		CHANGE(INPUT_WRITE64, PAGE_BITMAP_A, 0x40, ~0U),
		CHANGE(INPUT_WRITE64_HIGH, PAGE_BITMAP_A, 0x48, ~0U) } },
	{ "a PF with all routing IDs behind it as VFs", 0, {
		CORRECT, CHANGE(INPUT_WRITE32, PAGE_PFS_A1, STATE(num_vfs), 0x1feff),
		CHANGE(INPUT_WRITE16, PAGE_PFS_A1, STATE(stride), 1),
		CHANGE(INPUT_WRITE8, PAGE_PFS_A1, STATE(max_bus), 0xff) } },
	{ "a PF with more VFs than there are routing IDs", 0, {
		CORRECT, CHANGE(INPUT_WRITE32, PAGE_PFS_A1, STATE(num_vfs), 0xffffffff),
		CHANGE(INPUT_WRITE16, PAGE_PFS_A1, STATE(stride), 0xffff),
		CHANGE(INPUT_WRITE8, PAGE_PFS_A1, STATE(max_bus), 0xff) } },
	{ "two segments of one number", -EEXIST, {
		CORRECT, CHANGE(INPUT_WRITE32, PAGE_BLOCK, SEGMENT_B(domain), DOMAIN_A) } },
	{ "segments that have exchanged their directories", 0, {
		CORRECT, CHANGE(INPUT_EXCHANGE, PAGE_BLOCK, SEGMENT_A(bitmap),
				SEGMENT_B(bitmap) << 16 | PAGE_BLOCK),
		CHANGE(INPUT_EXCHANGE, PAGE_BLOCK, SEGMENT_A(buses),
		       SEGMENT_B(buses) << 16 | PAGE_BLOCK) } },
	{ "a root in the middle of a folio", -EFAULT, {
		INPUT_ROOT(PAGE_LARGE), CHANGE(INPUT_COPY, PAGE_LARGE, 0, PAGE_ROOT) } },
	{ "a root that was restored already", -EFAULT, {
		0, CHANGE(INPUT_STATE, PAGE_ROOT, 0, 1) } },
	{ "a record with zeros in all pages", -EPROTO, { INPUT_BLANK } },
};

void test_nasty_records(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(nasty); i++) {
		int err = input_run(nasty[i].data, sizeof(nasty[i].data));

		test_nr_checks++;
		if (err != nasty[i].err)
			test_fail(__FILE__, __LINE__, "%s: the error is %d, not %d",
				  nasty[i].name, err, nasty[i].err);
	}
	test_note("%zu records", ARRAY_SIZE(nasty));
	input_exit();
}

/* Returns the number of bytes, or 0 for a comment. */
static size_t parse_line(const char *line, u8 *data)
{
	size_t size = 0;
	unsigned int byte;

	if (*line == '#')
		return 0;
	while (size < INPUT_MAX_SIZE && sscanf(line + 2 * size, "%2x", &byte) == 1)
		data[size++] = byte;
	return size;
}

/* Each line of the file is one input, in hexadecimal. */
void test_corpus(void)
{
	unsigned int nr = 0, nr_accepted = 0;
	char line[2 * INPUT_MAX_SIZE + 2];
	FILE *file = fopen(CORPUS, "r");
	u8 data[INPUT_MAX_SIZE];
	size_t size;

	ASSERT(file);
	while (fgets(line, sizeof(line), file)) {
		size = parse_line(line, data);
		if (!size)
			continue;
		nr_accepted += !input_run(data, size);
		nr++;
	}
	fclose(file);
	test_note("%u records, %u accepted", nr, nr_accepted);
	CHECK(nr_accepted && nr_accepted < nr);
	input_exit();
}

/* Run an input that the fuzzer has written. */
int corpus_run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	u8 data[INPUT_MAX_SIZE];
	size_t size;
	int err;

	if (!file) {
		perror(path);
		return 1;
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	test_options.fatal = true;
	err = input_run(data, size);
	printf("%s: %s\n", path, err ? strerror(-err) : "accepted");
	input_exit();
	return 0;
}
