/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Operations of an index on a key: look the function up, and use its slot.
 */
#ifndef _LOOKUP_H
#define _LOOKUP_H

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kho/abi/pci.h>
#include <linux/types.h>

#include "liveupdate_index.h"

static inline bool index_contains(struct pci_liveupdate_index *index,
				  pci_ser_key_t key)
{
	struct pci_liveupdate_slot slot;

	return pci_liveupdate_index_find(index, key, &slot);
}

/* Whether the function was there. */
static inline bool index_remove(struct pci_liveupdate_index *index,
				pci_ser_key_t key)
{
	struct pci_liveupdate_slot slot;

	if (!pci_liveupdate_index_find(index, key, &slot))
		return false;

	pci_liveupdate_index_remove(index, &slot);
	return true;
}

static inline bool index_marked(struct pci_liveupdate_index *index,
				pci_ser_key_t key)
{
	struct pci_liveupdate_slot slot;

	return pci_liveupdate_index_find(index, key, &slot) &&
	       pci_liveupdate_index_marked(&slot);
}

/* -ENOENT if the function is not there. */
static inline const struct pci_function_ser *
index_entry(struct pci_liveupdate_index *index, pci_ser_key_t key,
	    struct pci_liveupdate_damage *damage)
{
	struct pci_liveupdate_slot slot;

	if (!pci_liveupdate_index_find(index, key, &slot))
		return ERR_PTR(-ENOENT);

	return pci_liveupdate_index_entry(index, &slot, damage);
}

#endif /* _LOOKUP_H */
