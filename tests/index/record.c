// SPDX-License-Identifier: GPL-2.0
/*
 * Access to a record that was handed over.
 */

#include <linux/err.h>

#include "harness.h"
#include "record.h"
#include "shim/heap_shim.h"
#include "test_pci_liveupdate_checksum.h"

struct kho_block_header_ser *record_block(u64 root_pa, unsigned int n)
{
	struct kho_block_header_ser *block;

	block = phys_to_virt(record_root(root_pa)->segments);
	while (n--)
		block = phys_to_virt(block->next);
	return block;
}

struct pci_segment_ser *record_segment(u64 root_pa, unsigned int n)
{
	struct kho_block_header_ser *block;

	block = record_block(root_pa, n / SEGMENTS_PER_BLOCK);
	return (struct pci_segment_ser *)(block + 1) + n % SEGMENTS_PER_BLOCK;
}

struct pci_function_ser *record_entry(const struct pci_segment_ser *seg,
				      u16 bdf)
{
	struct pci_function_ser *leaf;

	leaf = phys_to_virt(record_buses(seg)[bdf >> 8]);
	return &leaf[(u8)bdf];
}

struct pci_sriov_ser *record_sriov(const struct pci_segment_ser *seg, u16 bdf)
{
	struct pci_sriov_ser *leaf;

	leaf = phys_to_virt(record_buses(seg)[PCI_SER_BUSES + (bdf >> 8)]);
	return &leaf[(u8)bdf];
}

void record_repair_root(u64 root_pa)
{
	struct pci_ser *root = record_root(root_pa);

	root->checksum = test_root_checksum(root);
}

void record_repair_segment(struct pci_segment_ser *seg)
{
	seg->checksum = test_segment_checksum(seg);
}

void record_repair_entry(const struct pci_segment_ser *seg, u16 bdf)
{
	struct pci_function_ser *entry = record_entry(seg, bdf);

	entry->checksum = test_entry_checksum(PCI_SER_KEY(seg->domain, bdf), entry);
}

int record_restore(u64 root_pa, struct pci_liveupdate_index **index,
		   struct pci_liveupdate_damage *damage)
{
	int err;

	*damage = (struct pci_liveupdate_damage) { };
	*index = pci_liveupdate_index_restore(root_pa, damage);
	err = PTR_ERR_OR_ZERO(*index);
	if (err) {
		*index = NULL;
		CHECK_EQ(heap_shim_count(), 0);
	}
	return err;
}

/* Returns whether the entry of a function, and the state of a PF, are valid. */
static bool use_function(struct pci_liveupdate_index *index, pci_ser_key_t key)
{
	const struct pci_function_ser *entry;
	const struct pci_sriov_ser *sriov;
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_slot slot;

	ASSERT(pci_liveupdate_index_find(index, key, &slot));
	entry = pci_liveupdate_index_entry(index, &slot, &damage);
	if (IS_ERR(entry))
		return false;
	if (!(entry->flags & PCI_SER_PF))
		return true;

	sriov = pci_liveupdate_index_sriov(index, &slot, &damage);
	if (IS_ERR(sriov))
		return false;
	CHECK(pci_liveupdate_index_count_vfs(index, key, sriov) <= sriov->num_vfs);
	return true;
}

unsigned int record_use(struct pci_liveupdate_index *index)
{
	unsigned int nr_good = 0;
	unsigned int nr = 0;
	pci_ser_key_t key;

	pci_liveupdate_index_for_each(index, key) {
		u8 bus = PCI_SER_KEY_BDF(key) >> 8;

		CHECK(pci_liveupdate_index_any(index, PCI_SER_KEY_DOMAIN(key),
					       bus, bus));
		nr_good += use_function(index, key);
		nr++;
	}
	CHECK_EQ(pci_liveupdate_index_count(index), nr);
	pci_liveupdate_index_destroy(index);
	return nr_good;
}
