/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A naive model of an index, with a byte for each BDF.
 */
#ifndef _MODEL_H
#define _MODEL_H

#include <linux/kho/abi/pci.h>
#include <linux/types.h>

#include "liveupdate_index.h"

struct model_segment;

/* A function, a VF, or a PF with or without an owner. */
enum model_kind {
	MODEL_FUNCTION,
	MODEL_VF,
	MODEL_PF,
	MODEL_IMPLIED_PF,
	MODEL_NR_KINDS,
};

/* @segments is sorted by domain. */
struct model {
	struct model_segment **segments;
	unsigned int nr_segments;
	u64 nr_devices;
	u64 nr_marked;
	u64 nr[MODEL_NR_KINDS];
};

struct model *model_create(void);
void model_destroy(struct model *model);

/*
 * The generation of a function selects its entry, another one for each key and
 * generation. It is 0 if the function is not in the index.
 */
u8 model_get(const struct model *model, pci_ser_key_t key);
void model_set(struct model *model, pci_ser_key_t key, u8 generation);
struct pci_function_ser model_entry(pci_ser_key_t key, u8 generation);

/* Change the kind of a function, which is MODEL_FUNCTION at first. */
void model_set_kind(struct model *model, pci_ser_key_t key, enum model_kind kind);
enum model_kind model_get_kind(const struct model *model, pci_ser_key_t key);
u64 model_nr_pfs(const struct model *model);

/* Like model_entry(), for any kind, and the SR-IOV state of a PF. */
struct pci_function_ser model_entry_of(pci_ser_key_t key, u8 generation,
				       enum model_kind kind);
struct pci_sriov_ser model_sriov(pci_ser_key_t key, u8 generation);

void model_mark(struct model *model, pci_ser_key_t key, bool mark);
bool model_marked(const struct model *model, pci_ser_key_t key);
void model_clear_marks(struct model *model);

bool model_any(const struct model *model, u32 domain, u8 first_bus,
	       u8 last_bus);
bool model_next(const struct model *model, pci_ser_key_t *key);

/* Drop the segments without a function, which a new record does not have. */
void model_prune(struct model *model);

/*
 * Compare an index with the model: the features of the record, the entry of a
 * function, the functions of an iteration, or every BDF.
 */
void model_compare_features(const struct model *model,
			    struct pci_liveupdate_index *index);
void model_compare_function(const struct model *model,
			    struct pci_liveupdate_index *index,
			    pci_ser_key_t key);
void model_compare(const struct model *model,
		   struct pci_liveupdate_index *index);
void model_compare_all(const struct model *model,
		       struct pci_liveupdate_index *index);

#endif /* _MODEL_H */
