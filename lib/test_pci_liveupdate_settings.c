// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of PCI live update: registers of the model that a kernel sets up,
 * with values that every kernel would change.
 */

#include <linux/bitfield.h>
#include <linux/pci.h>
#include <linux/unaligned.h>

#include "test_pci_liveupdate.h"

#define PCIE_CAP	0x40
#define PM_CAP		0x80
#define MSI_CAP		0x90
#define MSIX_CAP	0xb0

/* A PF has its SR-IOV capability at 0x100. */
#define EXT_CAPS	0x100
#define AER_CAP		0x180
#define ACS_CAP		0x200
#define PTM_CAP		0x240
#define ATS_CAP		0x260

/**
 * struct setting - A register and its value while the device is in use.
 * @where:    Offset.
 * @size:     Size in bytes.
 * @writable: Bits that can be written.
 * @in_use:   Its value.
 */
struct setting {
	u16 where;
	u8 size;
	u32 writable;
	u32 in_use;
};

static const struct setting common_settings[] = {
	{ PCI_COMMAND, 2,
	  PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
	  PCI_COMMAND_INTX_DISABLE,
	  PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
	  PCI_COMMAND_INTX_DISABLE },
	/* Another interrupt than model_map_irq() returns. */
	{ PCI_INTERRUPT_LINE, 2, 0x00ff, 0x0100 | MODEL_OLD_IRQ },
	/* PME# is enabled, in D0. */
	{ PM_CAP + PCI_PM_CTRL, 2, 0x0103, PCI_PM_CTRL_PME_ENABLE },
};

/* MPS of 256 bytes; Extended Tags, error reporting and LTR off. */
static const struct setting pcie_settings[] = {
	{ PCIE_CAP + PCI_EXP_DEVCTL, 2, 0x7fff,
	  PCI_EXP_DEVCTL_PAYLOAD_256B | PCI_EXP_DEVCTL_RELAX_EN },
	{ PCIE_CAP + PCI_EXP_DEVCTL2, 2, 0xffff, PCI_EXP_DEVCTL2_COMP_TIMEOUT },
	/* ASPM L1 on, Common Clock Configuration off. */
	{ PCIE_CAP + PCI_EXP_LNKCTL, 2, 0x0fdf, PCI_EXP_LNKCTL_ASPM_L1 },
	{ AER_CAP + PCI_ERR_UNCOR_MASK, 4, 0xffffffff, PCI_ERR_UNC_POISON_TLP },
	{ AER_CAP + PCI_ERR_COR_MASK, 4, 0xffffffff, PCI_ERR_COR_ADV_NFAT },
	{ AER_CAP + PCI_ERR_CAP, 4, PCI_ERR_CAP_ECRC_GENE, PCI_ERR_CAP_ECRC_GENE },
	{ PTM_CAP + PCI_PTM_CTRL, 4,
	  PCI_PTM_CTRL_ENABLE | PCI_PTM_CTRL_ROOT | PCI_PTM_GRANULARITY_MASK,
	  PCI_PTM_CTRL_ENABLE },
};

static const struct setting function_settings[] = {
	{ MSI_CAP + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE, PCI_MSI_FLAGS_ENABLE },
	{ MSIX_CAP + PCI_MSIX_FLAGS, 2,
	  PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL,
	  PCI_MSIX_FLAGS_ENABLE },
	/* Unlike the root ports of the model. */
	{ PCIE_CAP + PCI_EXP_LNKCTL, 2, 0x0fdf,
	  PCI_EXP_LNKCTL_ASPM_L1 | PCI_EXP_LNKCTL_RCB },
};

/* ACS as the previous kernel set it, and SERR# off. A port driver uses INTx. */
static const struct setting bridge_settings[] = {
	{ PCI_COMMAND, 2,
	  PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
	  PCI_COMMAND_INTX_DISABLE,
	  PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER },
	{ ACS_CAP + PCI_ACS_CTRL, 2, 0x7f, PCI_ACS_TB },
	{ PCI_BRIDGE_CONTROL, 2, 0xffff, PCI_BRIDGE_CTL_PARITY },
	/* Windows at 0, which look unimplemented. */
	{ PCI_IO_BASE, 2, 0xf0f0, 0 },
	{ PCI_PREF_MEMORY_BASE, 4, 0xfff0fff0, 0 },
};

static void put(u8 *to, u8 size, u32 val)
{
	if (size == 2)
		put_unaligned_le16(val, to);
	else
		put_unaligned_le32(val, to);
}

static bool is_pcie(const struct model_state *state)
{
	return state->cfg[PCIE_CAP] == PCI_CAP_ID_EXP;
}

/* Call @set for each register of each function. */
static void for_settings(struct model *model,
			 void (*set)(struct model_state *state,
				     const struct setting *setting))
{
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		struct model_state *state = &model->fns[fn];
		unsigned int i;

		if (fn == CB_BR || model_is_vf(fn))
			continue;

		for (i = 0; i < ARRAY_SIZE(common_settings); i++)
			set(state, &common_settings[i]);
		for (i = 0; is_pcie(state) && i < ARRAY_SIZE(pcie_settings); i++)
			set(state, &pcie_settings[i]);
		for (i = 0; is_pcie(state) && !model_is_bridge(fn) &&
		     i < ARRAY_SIZE(function_settings); i++)
			set(state, &function_settings[i]);
		for (i = 0; model_is_bridge(fn) &&
		     i < ARRAY_SIZE(bridge_settings); i++)
			set(state, &bridge_settings[i]);
	}
}

static void set_writable(struct model_state *state, const struct setting *setting)
{
	put(state->writable + setting->where, setting->size, setting->writable);
}

static void set_in_use(struct model_state *state, const struct setting *setting)
{
	put(state->cfg + setting->where, setting->size, setting->in_use);
}

static void add_capabilities(struct model_state *state, bool bridge)
{
	u8 *cfg = state->cfg;

	cfg[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	if (is_pcie(state))
		cfg[PCIE_CAP + PCI_CAP_LIST_NEXT] = PM_CAP;
	else
		cfg[PCI_CAPABILITY_LIST] = PM_CAP;
	cfg[PM_CAP] = PCI_CAP_ID_PM;
	put_unaligned_le16(3 | PCI_PM_CAP_PME_D0, cfg + PM_CAP + PCI_PM_PMC);

	/* The port driver would set up MSI of a port. */
	if (bridge || !is_pcie(state))
		return;

	cfg[PM_CAP + PCI_CAP_LIST_NEXT] = MSI_CAP;
	cfg[MSI_CAP] = PCI_CAP_ID_MSI;
	cfg[MSI_CAP + PCI_CAP_LIST_NEXT] = MSIX_CAP;
	cfg[MSIX_CAP] = PCI_CAP_ID_MSIX;
}

static void add_ext_capability(u8 *cfg, int where, u16 id, int next)
{
	put_unaligned_le32(id | 1 << 16 | next << 20, cfg + where);
}

static void add_pcie_capabilities(struct model_state *state, bool sriov)
{
	u8 *cfg = state->cfg;

	put_unaligned_le32(PCI_EXP_DEVCAP_EXT_TAG | PCI_EXP_DEVCAP_RBER | 2,
			   cfg + PCIE_CAP + PCI_EXP_DEVCAP);
	put_unaligned_le32(PCI_EXP_LNKCAP_ASPM_L1 | PCI_EXP_LNKCAP_SLS_2_5GB,
			   cfg + PCIE_CAP + PCI_EXP_LNKCAP);
	put_unaligned_le16(PCI_EXP_LNKSTA_SLC,
			   cfg + PCIE_CAP + PCI_EXP_LNKSTA);
	put_unaligned_le32(PCI_EXP_DEVCAP2_ARI | PCI_EXP_DEVCAP2_LTR,
			   cfg + PCIE_CAP + PCI_EXP_DEVCAP2);

	add_ext_capability(cfg, EXT_CAPS,
			   sriov ? PCI_EXT_CAP_ID_SRIOV : PCI_EXT_CAP_ID_DSN,
			   AER_CAP);
	add_ext_capability(cfg, AER_CAP, PCI_EXT_CAP_ID_ERR, ACS_CAP);
	add_ext_capability(cfg, ACS_CAP, PCI_EXT_CAP_ID_ACS, PTM_CAP);
	add_ext_capability(cfg, PTM_CAP, PCI_EXT_CAP_ID_PTM, ATS_CAP);
	add_ext_capability(cfg, ATS_CAP, PCI_EXT_CAP_ID_ATS, 0);
	put_unaligned_le16(0x7f, cfg + ACS_CAP + PCI_ACS_CAP);
	put_unaligned_le32(PCI_PTM_CAP_REQ | PCI_PTM_CAP_RES | PCI_PTM_CAP_ROOT,
			   cfg + PTM_CAP + PCI_PTM_CAP);
	/* A correctable error that the owner has not read yet. */
	cfg[AER_CAP + PCI_ERR_COR_STATUS] = PCI_ERR_COR_RCVR;
	state->rw1c[AER_CAP + PCI_ERR_COR_STATUS] = 0xff;
}

/* Add the registers that a kernel sets up, with their values after power-on. */
void model_add_settings(struct model *model)
{
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		struct model_state *state = &model->fns[fn];

		if (fn == CB_BR || model_is_vf(fn))
			continue;
		add_capabilities(state, model_is_bridge(fn));
		if (is_pcie(state))
			add_pcie_capabilities(state, model_is_pf(fn));
	}
	for_settings(model, set_writable);
}

/* Set these registers to the values that their owners use. */
void model_put_in_use(struct model *model)
{
	for_settings(model, set_in_use);
	/* ARI Forwarding, although no device below needs it. */
	model->fns[RP_B].cfg[PCIE_CAP + PCI_EXP_DEVCTL2] |=
		PCI_EXP_DEVCTL2_ARI;
}
