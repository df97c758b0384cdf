/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a write to a preserved device of the model is expected to do.
 */

#ifndef _LIB_TEST_PCI_LIVEUPDATE_RULES_H
#define _LIB_TEST_PCI_LIVEUPDATE_RULES_H

#include <linux/types.h>

#include "test_pci_liveupdate.h"

/**
 * enum rule_class - What software may do to a bit of a preserved device.
 * @RULE_PASS:        It may write the bit of a closed bridge.
 * @RULE_ZERO:        The bit of a closed bridge acts, and is written as 0.
 * @RULE_SET:         It may set the bit of a closed bridge, and not clear it.
 * @RULE_STATUS:      It may clear the bit of a closed bridge by writing 1.
 * @RULE_KEPT_STATUS: The bit is cleared by writing 1, but not of a closed bridge.
 * @RULE_ADOPTED:     The bit of an open device stays as it was found.
 *
 * All other bits of a closed bridge stay, and all bits of a closed function.
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
