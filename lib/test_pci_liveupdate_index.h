/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Index operations by key, and a sample of an index. Shared by the KUnit tests and
 * the user-space tests, which include their liveupdate_index.h first.
 */

#ifndef _LIB_TEST_PCI_LIVEUPDATE_INDEX_H
#define _LIB_TEST_PCI_LIVEUPDATE_INDEX_H

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kho/abi/pci.h>
#include <linux/types.h>

#include "test_pci_liveupdate_checksum.h"

static inline bool test_index_contains(struct pci_liveupdate_index *index,
				       pci_ser_key_t key)
{
	struct pci_liveupdate_slot slot;

	return pci_liveupdate_index_find(index, key, &slot);
}

/* Returns whether @index contained the function. */
static inline bool test_index_remove(struct pci_liveupdate_index *index,
				     pci_ser_key_t key)
{
	struct pci_liveupdate_slot slot;

	if (!pci_liveupdate_index_find(index, key, &slot))
		return false;

	pci_liveupdate_index_remove(index, &slot);
	return true;
}

static inline bool test_index_marked(struct pci_liveupdate_index *index,
				     pci_ser_key_t key)
{
	struct pci_liveupdate_slot slot;

	return pci_liveupdate_index_find(index, key, &slot) &&
	       pci_liveupdate_index_marked(&slot);
}

/* Returns -ENOENT if @index does not contain the function. */
static inline const struct pci_function_ser *
test_index_entry(struct pci_liveupdate_index *index, pci_ser_key_t key,
		 struct pci_liveupdate_damage *damage)
{
	struct pci_liveupdate_slot slot;

	if (!pci_liveupdate_index_find(index, key, &slot))
		return ERR_PTR(-ENOENT);

	return pci_liveupdate_index_entry(index, &slot, damage);
}

/* Returns -ENOENT if @index does not contain the PF. */
static inline const struct pci_sriov_ser *
test_index_sriov(struct pci_liveupdate_index *index, pci_ser_key_t pf,
		 struct pci_liveupdate_damage *damage)
{
	struct pci_liveupdate_slot slot;

	if (!pci_liveupdate_index_find(index, pf, &slot))
		return ERR_PTR(-ENOENT);

	return pci_liveupdate_index_sriov(index, &slot, damage);
}

/* The devices in each segment of the sample. */
#define TEST_SAMPLE_BRIDGE	0x0200	/* 02:00.0, to bus 03 */
#define TEST_SAMPLE_FUNCTION	0x0300	/* 03:00.0 */
#define TEST_SAMPLE_OTHER	0x03ff	/* 03:1f.7 */
#define TEST_SAMPLE_DEVICES	3

/* Two blocks, with one segment in the second block. */
#define TEST_SAMPLE_SEGMENTS						\
	((KHO_BLOCK_SIZE - sizeof(struct kho_block_header_ser)) /	\
	 sizeof(struct pci_segment_ser) + 1)

/* Segment 0, and numbers that do not fit in 16 bits. */
static inline u32 test_sample_domain(unsigned int nr)
{
	return nr ? 0x10000 + nr : 0;
}

/* Add @nr_segments segments to an empty index. Returns 0 or a negative errno. */
static inline int test_index_fill_sample(struct pci_liveupdate_index *index,
					 unsigned int nr_segments)
{
	static const u16 bdfs[TEST_SAMPLE_DEVICES] = {
		TEST_SAMPLE_BRIDGE, TEST_SAMPLE_FUNCTION, TEST_SAMPLE_OTHER,
	};
	int err;

	for (unsigned int i = 0; i < nr_segments * TEST_SAMPLE_DEVICES; i++) {
		u16 bdf = bdfs[i % TEST_SAMPLE_DEVICES];
		pci_ser_key_t key = PCI_SER_KEY(test_sample_domain(i / TEST_SAMPLE_DEVICES), bdf);
		struct pci_function_ser entry = { .vendor = 0xbdf0, .device = bdf };

		if (bdf == TEST_SAMPLE_BRIDGE) {
			entry.flags = PCI_SER_BRIDGE;
			entry.secondary = 3;
			entry.subordinate = 3;
		}
		err = pci_liveupdate_index_add(index, key, &entry);
		if (err)
			return err;
	}

	return 0;
}

/* The PF of a sample and its two VFs. */
#define TEST_SAMPLE_PF		0x0400	/* 04:00.0 */
#define TEST_SAMPLE_VF		0x0404	/* 04:00.4 */
#define TEST_SAMPLE_LAST_VF	0x0406	/* 04:00.6 */

/* Add an implied PF and two VFs to a segment. Returns 0 or a negative errno. */
static inline int test_index_add_sample_pf(struct pci_liveupdate_index *index,
					   u32 domain)
{
	const struct pci_function_ser pf = {
		.vendor = 0xbdf0, .device = TEST_SAMPLE_PF,
		.bar_shift = { 16 },
		.flags = PCI_SER_PF | PCI_SER_IMPLIED | PCI_SER_AUTOPROBE,
	};
	const struct pci_function_ser vf = {
		.vendor = 0xbdf0, .device = TEST_SAMPLE_VF, .flags = PCI_SER_VF,
	};
	const struct pci_sriov_ser sriov = {
		.num_vfs = 2,
		.offset = TEST_SAMPLE_VF - TEST_SAMPLE_PF,
		.stride = TEST_SAMPLE_LAST_VF - TEST_SAMPLE_VF,
		.vf_device = TEST_SAMPLE_VF,
		.bar_shift = { 14 },
		.max_bus = TEST_SAMPLE_PF >> 8,
	};
	int err;

	err = pci_liveupdate_index_add_pf(index, PCI_SER_KEY(domain, TEST_SAMPLE_PF),
					  &pf, &sriov);
	if (err)
		return err;
	err = pci_liveupdate_index_add(index, PCI_SER_KEY(domain, TEST_SAMPLE_VF), &vf);
	if (err)
		return err;
	return pci_liveupdate_index_add(index, PCI_SER_KEY(domain, TEST_SAMPLE_LAST_VF),
					&vf);
}

#endif /* _LIB_TEST_PCI_LIVEUPDATE_INDEX_H */
