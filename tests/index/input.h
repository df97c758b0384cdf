/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Records made of a few bytes, for the fuzzer and its corpus.
 *
 * An input is one byte of INPUT_ options, and changes of 8 bytes each. They change a
 * valid record of two segments, which has a place for each kind of page. A change
 * names pages by their number, so that it works at any address: operation, page,
 * offset (2 bytes), value (4 bytes).
 */
#ifndef _INPUT_H
#define _INPUT_H

#include <linux/types.h>

/* Correct all checksums after the changes, and all counts. */
#define INPUT_CHECKSUMS		0x01
#define INPUT_COUNTS		0x02
/* Start from zeros in all pages. */
#define INPUT_BLANK		0x04
/* Read the record with a kernel without CONFIG_PCI_IOV. */
#define INPUT_WITHOUT_IOV	0x08
/* The page with the root. */
#define INPUT_ROOT(page)	((page) << 4)

/* Segment A has a bridge, a PF with two VFs, and two functions. B has two functions. */
enum input_page {
	PAGE_ROOT,
	PAGE_BLOCK,
	PAGE_BITMAP_A,
	PAGE_BUSES_A,
	PAGE_LEAF_A0,
	PAGE_LEAF_A1,
	PAGE_LEAF_A2,
	PAGE_PFS_A1,
	PAGE_BITMAP_B,
	PAGE_BUSES_B,
	PAGE_LEAF_B1,
	/* In no place of the record, and one of the size of a bitmap. */
	PAGE_SPARE,
	PAGE_OTHER,
	PAGE_LARGE,
	/* Not preserved any more, and preserved by this kernel. */
	PAGE_ORDINARY,
	PAGE_OURS,
	NR_PAGES,
};

#define DOMAIN_A	0
#define DOMAIN_B	0x10000

enum input_operation {
	INPUT_NONE,
	/* Write the value as 1, 2, 4 or 8 bytes, or to the upper half of 8 bytes. */
	INPUT_WRITE8,
	INPUT_WRITE16,
	INPUT_WRITE32,
	INPUT_WRITE64,
	INPUT_WRITE64_HIGH,
	/* Write the address of page @value % 256, plus @value >> 8. */
	INPUT_ADDRESS,
	/* Exchange two words of 8 bytes: with page @value % 256, offset @value >> 16. */
	INPUT_EXCHANGE,
	/* Copy 16 bytes from page @value % 256, offset @value >> 16. */
	INPUT_COPY,
	/* Fill the page from the offset on with a byte. */
	INPUT_FILL,
	/* Flip a bit. */
	INPUT_FLIP,
	/* Hand the page over, restore it, or preserve it by this kernel. */
	INPUT_STATE,
	/*
	 * Make the page a block of @value >> 24 segments, which share the bitmap of
	 * page @value % 256 and the directory of page @value >> 8, and have domains
	 * from the offset on.
	 */
	INPUT_SEGMENTS,
	NR_INPUT_OPERATIONS,
};

/* One change, as bytes. */
#define CHANGE(operation, page, offset, value)				\
	(operation), (page), (offset) & 0xff, (offset) >> 8,		\
	(value) & 0xff, (u32)(value) >> 8 & 0xff,			\
	(u32)(value) >> 16 & 0xff, (u32)(value) >> 24

/* The start of the bits and the words of the parts of segment A. */
#define SEGMENT_OFFSET(nth, member)					\
	(sizeof(struct kho_block_header_ser) +				\
	 (nth) * sizeof(struct pci_segment_ser) +			\
	 offsetof(struct pci_segment_ser, member))

/**
 * input_run - Make a record, restore it, and use the index if there is one.
 * @data: The input; unused bytes at the end are ignored.
 * @size: Its size in bytes.
 *
 * Return: 0, or the errno of the restore.
 */
int input_run(const u8 *data, size_t size);

/* Free the pages of all inputs. */
void input_exit(void);

#endif /* _INPUT_H */
