// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of PCI live update: an oracle for the guard, with the bits of a
 * preserved device that software may write, and these registers for the model.
 *
 * Offsets and bits are numbers from the PCI Express Base Specification, Revision
 * 6.0, so that the oracle shares no constant with the guard.
 */

#include <linux/array_size.h>
#include <linux/bits.h>
#include <linux/pci.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "test_pci_liveupdate_rules.h"

#define PCIE_CAP	0x40
#define PM_CAP		0x80
#define MSI_CAP		0x90
#define MSIX_CAP	0xb0

/* The PF has its SR-IOV capability at 0x100. */
#define FIRST_EXT_CAP	0x100
#define AER_CAP		0x180
#define ACS_CAP		0x200
#define L1SS_CAP	0x240
#define PTM_CAP		0x280
#define DPC_CAP		0x2c0

/* Groups of registers. A function of the model has some of these groups. */
enum rule_group {
	TYPE0,
	TYPE1,
	PM,
	EXP,
	EXP_BRIDGE,
	EXP2,		/* version 2 of the capability */
	EXP2_BRIDGE,
	SLOT,
	ROOT,
	MSI32,		/* neither upper address nor mask */
	MSI64,		/* both */
	MSIX,
	AER,
	AER_ROOT,
	ACS,
	EGRESS,
	L1SS,
	L1SS_BRIDGE,
	PTM,
	DPC,
	DPC_RP,
	NR_GROUPS,
};

static const u32 groups_of[NR_MODEL_FNS] = {
	[RP_A] = BIT(TYPE1) | BIT(PM) | BIT(EXP) | BIT(EXP_BRIDGE) | BIT(EXP2) |
		 BIT(EXP2_BRIDGE) | BIT(SLOT) | BIT(ROOT) | BIT(MSI64) |
		 BIT(AER) | BIT(AER_ROOT) | BIT(ACS) | BIT(EGRESS) | BIT(L1SS) |
		 BIT(L1SS_BRIDGE) | BIT(PTM) | BIT(DPC) | BIT(DPC_RP),
	[SW_UP] = BIT(TYPE1) | BIT(PM) | BIT(EXP) | BIT(EXP_BRIDGE) |
		  BIT(EXP2) | BIT(EXP2_BRIDGE) | BIT(MSI32) | BIT(MSIX) |
		  BIT(AER) | BIT(L1SS) | BIT(L1SS_BRIDGE) | BIT(PTM),
	[SW_DN_A] = BIT(TYPE1) | BIT(PM) | BIT(EXP) | BIT(EXP_BRIDGE) |
		    BIT(SLOT) | BIT(MSIX) | BIT(ACS) | BIT(DPC),
	[EP_A0] = BIT(TYPE0) | BIT(PM) | BIT(EXP) | BIT(EXP2) | BIT(MSI64) |
		  BIT(MSIX) | BIT(AER) | BIT(ACS) | BIT(L1SS),
	[EP_A1] = BIT(TYPE0) | BIT(EXP) | BIT(ACS) | BIT(EGRESS),
	[SW_DN_B] = BIT(TYPE1) | BIT(EXP) | BIT(EXP_BRIDGE) | BIT(EXP2) |
		    BIT(EXP2_BRIDGE),
	[CONV_BR] = BIT(TYPE1),
	[EP_CONV] = BIT(TYPE0) | BIT(PM),
	[RP_B] = BIT(TYPE1) | BIT(EXP) | BIT(EXP_BRIDGE) | BIT(EXP2) |
		 BIT(EXP2_BRIDGE) | BIT(ROOT) | BIT(AER) | BIT(AER_ROOT),
	[PF] = BIT(TYPE0) | BIT(EXP) | BIT(EXP2),
	[EP_ROOT] = BIT(TYPE0),
};

/**
 * struct rule - The class of some bits of a dword.
 * @group: &enum rule_group.
 * @where: Offset of a dword.
 * @class: &enum rule_class.
 * @bits:  The bits.
 */
struct rule {
	u8 group;
	u16 where;
	u8 class;
	u32 bits;
};

/* Read-only bits of a status register count as status bits. */
static const struct rule rules[] = {
	/* 7.5.1.1.3, 7.5.1.1.4: Command, Status */
	{ TYPE0, 0x04, RULE_STATUS, 0xffff0000 },
	{ TYPE1, 0x04, RULE_STATUS, 0xffff0000 },
	{ TYPE1, 0x04, RULE_PASS, 0x00000400 },
	{ TYPE1, 0x04, RULE_SET, 0x00000007 },
	/* 7.5.1.3.7, 7.5.1.3.13: Secondary Status, Discard Timer Status */
	{ TYPE1, 0x1c, RULE_STATUS, 0xffff0000 },
	{ TYPE1, 0x3c, RULE_KEPT_STATUS, 0x04000000 },
	/* 7.5.2.2: PME_Status */
	{ PM, PM_CAP + 0x04, RULE_KEPT_STATUS, 0x00008000 },
	/* 7.5.3.4, 7.5.3.5: Extended Tag and MPS of Device Control, Device Status */
	{ EXP, PCIE_CAP + 0x08, RULE_ADOPTED, 0x000001e0 },
	{ EXP, PCIE_CAP + 0x08, RULE_STATUS, 0xffff0000 },
	/* 7.5.3.7, 7.5.3.8: Link Control, Link Status */
	{ EXP, PCIE_CAP + 0x10, RULE_STATUS, 0xc0000000 },
	{ EXP_BRIDGE, PCIE_CAP + 0x10, RULE_PASS, 0x3fff0c00 },
	{ EXP_BRIDGE, PCIE_CAP + 0x10, RULE_ZERO, 0x00000020 },
	{ EXP_BRIDGE, PCIE_CAP + 0x10, RULE_ADOPTED, 0x00000043 },
	/* 7.5.3.10, 7.5.3.11: Slot Control, Slot Status */
	{ SLOT, PCIE_CAP + 0x18, RULE_PASS, 0x000053ff },
	{ SLOT, PCIE_CAP + 0x18, RULE_ZERO, 0x00000800 },
	{ SLOT, PCIE_CAP + 0x18, RULE_STATUS, 0xffff0000 },
	/* 7.5.3.12, 7.5.3.14: Root Control, Root Status */
	{ ROOT, PCIE_CAP + 0x1c, RULE_PASS, 0x0000ffff },
	{ ROOT, PCIE_CAP + 0x20, RULE_STATUS, 0xffffffff },
	/* 7.5.3.16: LTR and ARI Forwarding Enable of Device Control 2 */
	{ EXP2_BRIDGE, PCIE_CAP + 0x28, RULE_ADOPTED, 0x00000420 },
	/* 7.7.1: MSI */
	{ MSI32, MSI_CAP + 0x00, RULE_PASS, 0xffff0000 },
	{ MSI32, MSI_CAP + 0x04, RULE_PASS, 0xffffffff },
	{ MSI32, MSI_CAP + 0x08, RULE_PASS, 0x0000ffff },
	{ MSI64, MSI_CAP + 0x00, RULE_PASS, 0xffff0000 },
	{ MSI64, MSI_CAP + 0x04, RULE_PASS, 0xffffffff },
	{ MSI64, MSI_CAP + 0x08, RULE_PASS, 0xffffffff },
	{ MSI64, MSI_CAP + 0x0c, RULE_PASS, 0x0000ffff },
	{ MSI64, MSI_CAP + 0x10, RULE_PASS, 0xffffffff },
	/* 7.7.2.2: MSI-X Message Control */
	{ MSIX, MSIX_CAP + 0x00, RULE_PASS, 0xffff0000 },
	/* 7.8.4.2, 7.8.4.5: Uncorrectable and Correctable Error Status */
	{ AER, AER_CAP + 0x04, RULE_STATUS, 0xffffffff },
	{ AER, AER_CAP + 0x10, RULE_STATUS, 0xffffffff },
	/* 7.8.4.9, 7.8.4.10: Root Error Command, Root Error Status */
	{ AER_ROOT, AER_CAP + 0x2c, RULE_PASS, 0xffffffff },
	{ AER_ROOT, AER_CAP + 0x30, RULE_STATUS, 0xffffffff },
	/* 7.7.11.3, 7.7.11.4: ACS Control, Egress Control Vector */
	{ ACS, ACS_CAP + 0x04, RULE_ADOPTED, 0xffff0000 },
	{ EGRESS, ACS_CAP + 0x08, RULE_ADOPTED, 0xffffffff },
	/* 7.8.3.3, 7.8.3.4: L1 PM Substates Control 1 and 2 */
	{ L1SS_BRIDGE, L1SS_CAP + 0x08, RULE_ADOPTED, 0xffffffff },
	{ L1SS_BRIDGE, L1SS_CAP + 0x0c, RULE_ADOPTED, 0xffffffff },
	/* 7.9.15.3: PTM Enable, Root Select */
	{ PTM, PTM_CAP + 0x08, RULE_SET, 0x00000003 },
	/* 7.9.14.3, 7.9.14.4, 7.9.14.6: DPC Control, Status, RP PIO Status */
	{ DPC, DPC_CAP + 0x04, RULE_PASS, 0xffbf0000 },
	{ DPC, DPC_CAP + 0x04, RULE_ZERO, 0x00400000 },
	{ DPC, DPC_CAP + 0x08, RULE_STATUS, 0x0000ffff },
	{ DPC_RP, DPC_CAP + 0x0c, RULE_STATUS, 0xffffffff },
};

/* Return the bits of a class in the dword at @where. */
u32 rules_bits(enum model_fn fn, u16 where, enum rule_class class)
{
	u32 bits = 0;

	for (int i = 0; i < ARRAY_SIZE(rules); i++) {
		if (rules[i].where == where && rules[i].class == class &&
		    groups_of[fn] & BIT(rules[i].group))
			bits |= rules[i].bits;
	}

	return bits;
}

/* Return whether each group exists on one bridge and is missing on another. */
bool rules_cover_bridges(void)
{
	u32 some = 0, all = ~0;

	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		if (!model_is_bridge(fn) || !groups_of[fn])
			continue;
		some |= groups_of[fn];
		all &= groups_of[fn];
	}

	return (some | BIT(TYPE0)) == GENMASK(NR_GROUPS - 1, 0) &&
	       all == BIT(TYPE1);
}

/* The model */

static bool has(enum model_fn fn, enum rule_group group)
{
	return groups_of[fn] & BIT(group);
}

/* Add a capability to the head of the list. */
static void add_cap(u8 *cfg, u8 where, u8 id)
{
	cfg[where] = id;
	cfg[where + 1] = cfg[PCI_CAPABILITY_LIST];
	cfg[PCI_CAPABILITY_LIST] = where;
	cfg[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
}

static void add_caps(enum model_fn fn, u8 *cfg)
{
	if (!has(fn, EXP)) {
		cfg[PCI_CAPABILITY_LIST] = 0;
		cfg[PCI_STATUS] &= ~PCI_STATUS_CAP_LIST;
	}
	if (has(fn, EXP) && !has(fn, EXP2))
		cfg[PCIE_CAP + PCI_EXP_FLAGS] = 1 |
			(cfg[PCIE_CAP + PCI_EXP_FLAGS] & PCI_EXP_FLAGS_TYPE);
	if (has(fn, SLOT))
		cfg[PCIE_CAP + PCI_EXP_FLAGS + 1] |= PCI_EXP_FLAGS_SLOT >> 8;

	if (has(fn, PM)) {
		add_cap(cfg, PM_CAP, PCI_CAP_ID_PM);
		cfg[PM_CAP + PCI_PM_PMC] = 3;
	}
	if (has(fn, MSI32) || has(fn, MSI64))
		add_cap(cfg, MSI_CAP, PCI_CAP_ID_MSI);
	if (has(fn, MSI64))
		put_unaligned_le16(PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT,
				   cfg + MSI_CAP + PCI_MSI_FLAGS);
	if (has(fn, MSIX))
		add_cap(cfg, MSIX_CAP, PCI_CAP_ID_MSIX);
}

/* Extended capabilities, each with the offset of the next one. */
static void add_ext_caps(enum model_fn fn, u8 *cfg)
{
	static const struct {
		u8 group;
		u16 where;
		u16 id;
	} ext_caps[] = {
		{ DPC, DPC_CAP, PCI_EXT_CAP_ID_DPC },
		{ PTM, PTM_CAP, PCI_EXT_CAP_ID_PTM },
		{ L1SS, L1SS_CAP, PCI_EXT_CAP_ID_L1SS },
		{ ACS, ACS_CAP, PCI_EXT_CAP_ID_ACS },
		{ AER, AER_CAP, PCI_EXT_CAP_ID_ERR },
		{ EXP, FIRST_EXT_CAP, PCI_EXT_CAP_ID_DSN },
	};
	int next = 0;

	for (int i = 0; i < ARRAY_SIZE(ext_caps); i++) {
		u16 id = ext_caps[i].id;

		if (!has(fn, ext_caps[i].group))
			continue;
		if (fn == PF && ext_caps[i].where == FIRST_EXT_CAP)
			id = PCI_EXT_CAP_ID_SRIOV;
		put_unaligned_le32(id | 1 << 16 | next << 20,
				   cfg + ext_caps[i].where);
		next = ext_caps[i].where;
	}

	if (has(fn, EGRESS))
		put_unaligned_le16(PCI_ACS_EC | 32 << 8,
				   cfg + ACS_CAP + PCI_ACS_CAP);
	if (has(fn, DPC_RP))
		put_unaligned_le16(PCI_EXP_DPC_CAP_RP_EXT | 5 << 8,
				   cfg + DPC_CAP + PCI_EXP_DPC_CAP);
}

/* Add the registers of the rules to the model, as read-only registers. */
void rules_add_registers(struct model *model)
{
	model->no_services = true;
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		if (!groups_of[fn])
			continue;
		add_caps(fn, model->fns[fn].cfg);
		add_ext_caps(fn, model->fns[fn].cfg);
	}
}

static u32 pattern(u16 where, u32 seed)
{
	return (where + 0x9e37) * 0x9e3779b1u ^ seed;
}

/* Set some of the bits that must stay as they were found. */
void rules_set_adopted(struct model *model)
{
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		for (int where = 0; where < PCI_CFG_SPACE_EXP_SIZE; where += 4) {
			u32 bits = rules_bits(fn, where, RULE_ADOPTED);
			u8 *reg = model->fns[fn].cfg + where;

			if (bits)
				put_unaligned_le32((get_unaligned_le32(reg) & ~bits) |
						   (pattern(where, fn) & bits), reg);
		}
	}
}

/*
 * Make each bit writable, and fill the registers with a pattern that depends on
 * @seed. Leave the bus numbers, which route the cycles, and let bits that act read
 * as 0.
 */
void rules_open_registers(struct model *model, enum model_fn fn, u32 seed)
{
	struct model_state *state = &model->fns[fn];

	memset(state->writable, 0xff, sizeof(state->writable));
	for (int where = 0; where < PCI_CFG_SPACE_EXP_SIZE; where += 4) {
		put_unaligned_le32(rules_bits(fn, where, RULE_STATUS) |
				   rules_bits(fn, where, RULE_KEPT_STATUS),
				   state->rw1c + where);
		if (where == PCI_PRIMARY_BUS && model_is_bridge(fn))
			continue;
		put_unaligned_le32(pattern(where, seed) &
				   ~rules_bits(fn, where, RULE_ZERO),
				   state->cfg + where);
	}

	/* Writing 1 clears a status bit. */
	for (int i = 0; i < PCI_CFG_SPACE_EXP_SIZE; i++)
		state->writable[i] &= ~state->rw1c[i];
}
