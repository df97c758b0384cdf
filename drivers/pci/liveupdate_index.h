/* SPDX-License-Identifier: GPL-2.0 */
/*
 * PCI live update: index of preserved functions, a map from pci_ser_key_t to the
 * entry of a function in memory that survives a kexec.
 */

#ifndef _DRIVERS_PCI_LIVEUPDATE_INDEX_H
#define _DRIVERS_PCI_LIVEUPDATE_INDEX_H

#include <linux/io.h>
#include <linux/kho_block.h>
#include <linux/kho/abi/pci.h>
#include <linux/types.h>
#include <linux/xarray.h>

/*
 * Firmware numbers segments from 0, and known hosts have fewer segments. VMD and
 * dynamically numbered segments have higher numbers.
 */
#define PCI_LIVEUPDATE_LOW_DOMAINS	256

struct pci_liveupdate_segment;

/**
 * struct pci_liveupdate_index - The functions of one record.
 * @segments:  &struct pci_liveupdate_segment by domain.
 * @low:       The same for domains below PCI_LIVEUPDATE_LOW_DOMAINS, since walking
 *             an xarray takes longer than the rest of an operation.
 * @ser:       Root of the record.
 * @block_set: Blocks of &struct pci_segment_ser.
 * @it:        Position of the next &struct pci_segment_ser.
 * @nr_pfs:    Number of entries with PCI_SER_PF; outgoing only.
 * @incoming:  The previous kernel wrote the pages.
 *
 * Synchronization is the responsibility of the caller: calls that change an index
 * must exclude each other and all readers.
 */
struct pci_liveupdate_index {
	struct xarray segments;
	struct pci_liveupdate_segment *low[PCI_LIVEUPDATE_LOW_DOMAINS];
	struct pci_ser *ser;
	struct kho_block_set block_set;
	struct kho_block_set_it it;
	u32 nr_pfs;
	bool incoming;
};

/**
 * struct pci_liveupdate_damage - Damage found in a record.
 * @field:      The field of the record, named as in include/linux/kho/abi/pci.h.
 * @in_segment: @field belongs to a segment.
 * @domain:     Domain of the segment, else 0.
 * @found:      The value of @field.
 * @rule:       Relation of @found to @expected, such as "at most".
 * @expected:   The expected value.
 */
struct pci_liveupdate_damage {
	const char *field;
	bool in_segment;
	u32 domain;
	u64 found;
	const char *rule;
	u64 expected;
};

/**
 * struct pci_liveupdate_slot - Result of pci_liveupdate_index_find().
 * @segment: Segment of the function.
 * @bdf:     bus << 8 | devfn of the function.
 *
 * Valid until the function is removed.
 */
struct pci_liveupdate_slot {
	struct pci_liveupdate_segment *segment;
	u16 bdf;
};

/**
 * pci_liveupdate_index_for_each - Visit each function, by domain and BDF.
 * @index: An index.
 * @key:   A pci_ser_key_t, set to the function. The body may remove it.
 */
#define pci_liveupdate_index_for_each(index, key)			\
	for ((key) = 0; pci_liveupdate_index_next(index, &(key)); (key)++)

struct pci_liveupdate_index *pci_liveupdate_index_create(void);
struct pci_liveupdate_index *
pci_liveupdate_index_restore(u64 root_pa, struct pci_liveupdate_damage *damage);
void pci_liveupdate_index_destroy(struct pci_liveupdate_index *index);

int pci_liveupdate_index_add(struct pci_liveupdate_index *index,
			     pci_ser_key_t key,
			     const struct pci_function_ser *entry);
int pci_liveupdate_index_add_pf(struct pci_liveupdate_index *index,
				pci_ser_key_t key,
				const struct pci_function_ser *entry,
				const struct pci_sriov_ser *sriov);
bool pci_liveupdate_index_find(struct pci_liveupdate_index *index,
			       pci_ser_key_t key,
			       struct pci_liveupdate_slot *slot);
void pci_liveupdate_index_remove(struct pci_liveupdate_index *index,
				 const struct pci_liveupdate_slot *slot);
const struct pci_function_ser *
pci_liveupdate_index_entry(struct pci_liveupdate_index *index,
			   const struct pci_liveupdate_slot *slot,
			   struct pci_liveupdate_damage *damage);
const struct pci_sriov_ser *
pci_liveupdate_index_sriov(struct pci_liveupdate_index *index,
			   const struct pci_liveupdate_slot *slot,
			   struct pci_liveupdate_damage *damage);
void pci_liveupdate_index_set_sriov(const struct pci_liveupdate_slot *slot,
				    const struct pci_sriov_ser *sriov);
void pci_liveupdate_index_set_flags(const struct pci_liveupdate_slot *slot,
				    u8 flags, bool set);
u32 pci_liveupdate_index_count_vfs(struct pci_liveupdate_index *index,
				   pci_ser_key_t pf,
				   const struct pci_sriov_ser *sriov);
bool pci_liveupdate_index_any(struct pci_liveupdate_index *index,
			      u32 domain, u8 first_bus, u8 last_bus);
bool pci_liveupdate_index_next(struct pci_liveupdate_index *index,
			       pci_ser_key_t *key);
u64 pci_liveupdate_index_size(struct pci_liveupdate_index *index);

void pci_liveupdate_index_mark(const struct pci_liveupdate_slot *slot,
			       bool mark);
bool pci_liveupdate_index_marked(const struct pci_liveupdate_slot *slot);
u64 pci_liveupdate_index_count_marked(struct pci_liveupdate_index *index);

/**
 * pci_liveupdate_index_root_pa - Physical address of the record.
 * @index: An index.
 *
 * Context: Any.
 * Return: The argument of pci_liveupdate_index_restore() in the next kernel.
 */
static inline u64
pci_liveupdate_index_root_pa(struct pci_liveupdate_index *index)
{
	return virt_to_phys(index->ser);
}

/**
 * pci_liveupdate_index_count - Count the functions in an index.
 * @index: An index.
 *
 * Context: Any. The caller excludes writers.
 * Return: The number of functions, bridges included.
 */
static inline u64
pci_liveupdate_index_count(struct pci_liveupdate_index *index)
{
	return index->ser->nr_devices;
}

#if IS_ENABLED(CONFIG_KUNIT)
void *pci_liveupdate_index_alloc_pages(size_t size);
#endif

#endif /* _DRIVERS_PCI_LIVEUPDATE_INDEX_H */
