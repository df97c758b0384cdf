/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An index and the model of it, kept in step.
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

/* An empty outgoing index. */
struct world world_create(void);

/* Free both; whether anything is left shows at the end of the test. */
void world_destroy(struct world *world);

/* Change both, and check what the index says about it. */
void world_add(struct world *world, pci_ser_key_t key);
void world_remove(struct world *world, pci_ser_key_t key);
void world_mark(struct world *world, pci_ser_key_t key, bool mark);

/* Hand the record over. There is no index then, only the root of the record. */
u64 world_kexec(struct world *world);

/* Read the record, and check that it is what was handed over. */
void world_restore(struct world *world, u64 root_pa);

/* Make a new outgoing index of an incoming one, which is destroyed. */
void world_carry_over(struct world *world);

#endif /* _WORLD_H */
