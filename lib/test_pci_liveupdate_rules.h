/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The expected effect of a write to a preserved device of the model.
 */

#ifndef _LIB_TEST_PCI_LIVEUPDATE_RULES_H
#define _LIB_TEST_PCI_LIVEUPDATE_RULES_H

#include <linux/types.h>

#include "test_pci_liveupdate.h"

/**
 * enum rule_class - The writes that the guard allows to a bit.
 * @RULE_PASS:        Software may write the bit of a closed bridge.
 * @RULE_ZERO:        The bit of a closed bridge acts; the guard writes it as 0.
 * @RULE_SET:         Software may set the bit of a closed bridge, but not clear it.
 * @RULE_STATUS:      Software may clear the bit of a closed bridge by writing 1.
 * @RULE_KEPT_STATUS: Writing 1 clears the bit, unless the bridge is closed.
 * @RULE_ADOPTED:     The bit of an open device stays as it was found.
 *
 * No other bit of a closed bridge changes, and no bit of a closed function.
 */
enum rule_class {
	RULE_PASS,
	RULE_ZERO,
	RULE_SET,
	RULE_STATUS,
	RULE_KEPT_STATUS,
	RULE_ADOPTED,
};

u32 rules_bits(enum model_fn fn, u16 where, enum rule_class class);
bool rules_cover_bridges(void);
void rules_add_registers(struct model *model);
void rules_set_adopted(struct model *model);
void rules_open_registers(struct model *model, enum model_fn fn, u32 seed);

#endif /* _LIB_TEST_PCI_LIVEUPDATE_RULES_H */
