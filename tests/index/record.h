/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Access to a record that was handed over.
 */
#ifndef _RECORD_H
#define _RECORD_H

#include <linux/io.h>
#include <linux/kconfig.h>
#include <linux/kho/abi/block.h>
#include <linux/kho/abi/pci.h>
#include <linux/types.h>

#include "liveupdate_index.h"

/* The version of the kernel under test. */
#define RECORD_VERSION							\
	(PCI_SER_VERSION + IS_ENABLED(CONFIG_PCI_LIVEUPDATE_TEST_NEXT_VERSION))

/* (4,096 bytes a block - 16 of its header) / 32 of a segment. */
#define SEGMENTS_PER_BLOCK	127

static inline struct pci_ser *record_root(u64 root_pa)
{
	return phys_to_virt(root_pa);
}

/* Get the nth block or segment of a record. */
struct kho_block_header_ser *record_block(u64 root_pa, unsigned int n);
struct pci_segment_ser *record_segment(u64 root_pa, unsigned int n);

static inline u64 *record_bitmap(const struct pci_segment_ser *seg)
{
	return phys_to_virt(seg->bitmap);
}

static inline u64 *record_buses(const struct pci_segment_ser *seg)
{
	return phys_to_virt(seg->buses);
}

/* Get the entry of a function, whose bus has a leaf. */
struct pci_function_ser *record_entry(const struct pci_segment_ser *seg,
				      u16 bdf);

/* Get the state of a PF, whose bus has a leaf of PFs. */
struct pci_sriov_ser *record_sriov(const struct pci_segment_ser *seg, u16 bdf);

/* Correct the checksum of a record, of a segment, or of the entry of a function. */
void record_repair_root(u64 root_pa);
void record_repair_segment(struct pci_segment_ser *seg);
void record_repair_entry(const struct pci_segment_ser *seg, u16 bdf);

/* Restore a record. Returns 0 and @index, or an errno and @damage. */
int record_restore(u64 root_pa, struct pci_liveupdate_index **index,
		   struct pci_liveupdate_damage *damage);

/* pci_liveupdate_index_restore() of a kernel without CONFIG_PCI_IOV. */
struct pci_liveupdate_index *
restore_without_iov(u64 root_pa, struct pci_liveupdate_damage *damage);

/*
 * Use an index of a record that may be damaged, and free it. Returns the number of
 * valid entries, with a valid state if they are of a PF.
 */
unsigned int record_use(struct pci_liveupdate_index *index);

#endif /* _RECORD_H */
