/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An index and its model, changed together.
 */
#ifndef _WORLD_H
#define _WORLD_H

#include <linux/types.h>

#include "liveupdate_index.h"
#include "model.h"

struct world {
	struct pci_liveupdate_index *index;
	struct model *model;
};

/* Create an empty outgoing index. */
struct world world_create(void);

/* Free both. The end of the test checks for leaks. */
void world_destroy(struct world *world);

/* Change both, and check the return value of the index. */
void world_add(struct world *world, pci_ser_key_t key);
void world_add_vf(struct world *world, pci_ser_key_t key);
void world_add_pf(struct world *world, pci_ser_key_t key);
void world_set_implied(struct world *world, pci_ser_key_t pf, bool implied);
void world_remove(struct world *world, pci_ser_key_t key);
void world_mark(struct world *world, pci_ser_key_t key, bool mark);

/* Hand the record over. Returns its address; there is no index until a restore. */
u64 world_kexec(struct world *world);

/* Restore the record, and compare it with the model. */
void world_restore(struct world *world, u64 root_pa);

/* Copy the incoming index to a new outgoing index, and destroy it. */
void world_carry_over(struct world *world);

#endif /* _WORLD_H */
