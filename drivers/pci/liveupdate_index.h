/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The index of preserved PCI functions: a map from (domain, BDF) to the
 * function's entry, kept in memory that survives a kexec.
 */

#ifndef _DRIVERS_PCI_LIVEUPDATE_INDEX_H
#define _DRIVERS_PCI_LIVEUPDATE_INDEX_H

#include <linux/io.h>
#include <linux/kho_block.h>
#include <linux/kho/abi/pci.h>
#include <linux/types.h>
#include <linux/xarray.h>

/*
 * Firmware numbers segments from 0, and no host is known that has more of them.
 * Only VMD, and whoever lets the kernel choose numbers, goes beyond.
 */
#define PCI_LIVEUPDATE_LOW_DOMAINS	256

struct pci_liveupdate_segment;

/**
 * struct pci_liveupdate_index - The functions preserved on one side.
 * @segments:  &struct pci_liveupdate_segment by domain.
 * @low:       The same for domains below PCI_LIVEUPDATE_LOW_DOMAINS: looking
 *             into an xarray takes longer than all the rest of an operation.
 * @ser:       Root of the record.
 * @block_set: The blocks that hold the &struct pci_segment_ser.
 * @it:        Where the next &struct pci_segment_ser goes.
 * @incoming:  The pages were left by the previous kernel.
 *
 * Synchronization is the responsibility of the caller: calls that change an
 * index exclude each other and all readers of it.
 */
struct pci_liveupdate_index {
	struct xarray segments;
	struct pci_liveupdate_segment *low[PCI_LIVEUPDATE_LOW_DOMAINS];
	struct pci_ser *ser;
	struct kho_block_set block_set;
	struct kho_block_set_it it;
	bool incoming;
};

/**
 * struct pci_liveupdate_damage - What is wrong with a record.
 * @field:      The field of the record, as include/linux/kho/abi/pci.h calls it.
 * @in_segment: @field belongs to a segment.
 * @domain:     That segment, else 0.
 * @found:      What is there.
 * @rule:       What @expected says about @found, such as "at most".
 * @expected:   What should be there.
 */
struct pci_liveupdate_damage {
	const char *field;
	bool in_segment;
	u32 domain;
	u64 found;
	const char *rule;
	u64 expected;
};

/*
 * A position in an index: domain << 16 | BDF. In 64 bits there is room behind
 * the last function of the last domain, where an iteration ends.
 */
#define PCI_LIVEUPDATE_POS(domain, bdf)	((u64)(domain) << 16 | (u16)(bdf))
#define PCI_LIVEUPDATE_POS_DOMAIN(pos)	((u32)((pos) >> 16))
#define PCI_LIVEUPDATE_POS_BDF(pos)	((u16)(pos))

/**
 * pci_liveupdate_index_for_each - Visit each function, by domain and BDF.
 * @index: An index.
 * @pos:   A u64 to hold the position. The function at it may be removed.
 */
#define pci_liveupdate_index_for_each(index, pos)			\
	for ((pos) = 0; pci_liveupdate_index_next(index, &(pos)); (pos)++)

struct pci_liveupdate_index *pci_liveupdate_index_create(void);
struct pci_liveupdate_index *
pci_liveupdate_index_restore(u64 root_pa, struct pci_liveupdate_damage *damage);
void pci_liveupdate_index_destroy(struct pci_liveupdate_index *index);

int pci_liveupdate_index_add(struct pci_liveupdate_index *index, u32 domain,
			     u16 bdf, const struct pci_function_ser *entry);
bool pci_liveupdate_index_remove(struct pci_liveupdate_index *index,
				 u32 domain, u16 bdf);
bool pci_liveupdate_index_contains(struct pci_liveupdate_index *index,
				   u32 domain, u16 bdf);
bool pci_liveupdate_index_any(struct pci_liveupdate_index *index,
			      u32 domain, u8 first_bus, u8 last_bus);
const struct pci_function_ser *
pci_liveupdate_index_entry(struct pci_liveupdate_index *index,
			   u32 domain, u16 bdf,
			   struct pci_liveupdate_damage *damage);
bool pci_liveupdate_index_next(struct pci_liveupdate_index *index,
			       u64 *pos);
u64 pci_liveupdate_index_size(struct pci_liveupdate_index *index);

void pci_liveupdate_index_mark(struct pci_liveupdate_index *index, u32 domain,
			       u16 bdf, bool mark);
bool pci_liveupdate_index_marked(struct pci_liveupdate_index *index,
				 u32 domain, u16 bdf);
u64 pci_liveupdate_index_count_marked(struct pci_liveupdate_index *index);

/**
 * pci_liveupdate_index_root_pa - Physical address of the record.
 * @index: An index.
 *
 * Context: Any.
 * Return: What the next kernel gives to pci_liveupdate_index_restore().
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
 * Context: Writers are excluded by the caller.
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
