// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of PCI live update: a PCI segment made of software.
 */

#include <linux/bitfield.h>
#include <linux/irq.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/numa.h>
#include <linux/pci.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "test_pci_liveupdate.h"

#define PCIE_CAP	0x40
#define PM_CAP		0x80
#define SRIOV_CAP	MODEL_SRIOV_CAP

/* Extended capabilities of a VF, after AER. */
#define VF_ARI_CAP	0x148
#define VF_ACS_CAP	0x158
#define VF_ATS_CAP	0x168

/* A function without a PCI Express capability. */
#define CONVENTIONAL	0xff

enum bar_type {
	BAR_NONE,
	BAR_MEM32,
	BAR_MEM64,
	BAR_IO,
};

struct bar_desc {
	enum bar_type type;
	u8 shift;
};

/**
 * struct fn_desc - A function of the model after power-on.
 * @parent:      The bridge above.
 * @devfn:       Device and function number.
 * @multi:       It has the multi-function bit.
 * @hdr_type:    Header type.
 * @secondary:   Secondary bus number of a bridge.
 * @subordinate: Subordinate bus number of a bridge.
 * @pcie_type:   PCI_EXP_TYPE_*, or CONVENTIONAL.
 * @bars:        The BARs; one after a 64-bit BAR is its upper half.
 * @rom_shift:   log2 of the size of the expansion ROM.
 * @pf:          The PF of a VF, whose registers have the BDF of the VF. Else 0.
 * @vf:          Number of the VF.
 * @total_vfs:   TotalVFs of a PF.
 * @routing:     First VF Offset and VF Stride of a PF.
 * @vf_bars:     The VF BARs of a PF.
 */
struct fn_desc {
	enum model_fn parent;
	u8 devfn;
	bool multi;
	u8 hdr_type;
	u8 secondary;
	u8 subordinate;
	u8 pcie_type;
	struct bar_desc bars[PCI_STD_NUM_BARS];
	u8 rom_shift;
	enum model_fn pf;
	u8 vf;
	u8 total_vfs;
	u8 routing;
	struct bar_desc vf_bars[PCI_SRIOV_NUM_BARS];
};

#define VF_OF(_pf, _vf)						\
	{								\
		.parent = RP_S, .pf = (_pf), .vf = (_vf),		\
		.pcie_type = PCI_EXP_TYPE_ENDPOINT,			\
	}

static const struct fn_desc fn_descs[NR_MODEL_FNS] = {
	[RP_A] = {
		.parent = ON_ROOT_BUS, .devfn = PCI_DEVFN(1, 0),
		.hdr_type = PCI_HEADER_TYPE_BRIDGE,
		.secondary = 0x01, .subordinate = 0x07,
		.pcie_type = PCI_EXP_TYPE_ROOT_PORT,
		.bars = { { BAR_MEM32, 12 } },
	},
	[SW_UP] = {
		.parent = RP_A, .devfn = PCI_DEVFN(0, 0),
		.hdr_type = PCI_HEADER_TYPE_BRIDGE,
		.secondary = 0x02, .subordinate = 0x06,
		.pcie_type = PCI_EXP_TYPE_UPSTREAM,
		.bars = { { BAR_MEM64, 18 } },
		.rom_shift = 11,
	},
	[SW_DN_A] = {
		.parent = SW_UP, .devfn = PCI_DEVFN(0, 0),
		.hdr_type = PCI_HEADER_TYPE_BRIDGE,
		.secondary = 0x03, .subordinate = 0x03,
		.pcie_type = PCI_EXP_TYPE_DOWNSTREAM,
	},
	[EP_A0] = {
		.parent = SW_DN_A, .devfn = PCI_DEVFN(0, 0), .multi = true,
		.pcie_type = PCI_EXP_TYPE_ENDPOINT,
		.bars = { { BAR_MEM64, 34 }, {}, { BAR_MEM32, 31 },
			  { BAR_IO, 5 }, { BAR_MEM64, 33 } },
		.rom_shift = 16,
	},
	[EP_A1] = {
		.parent = SW_DN_A, .devfn = PCI_DEVFN(0, 7), .multi = true,
		.pcie_type = PCI_EXP_TYPE_ENDPOINT,
		.bars = { { BAR_MEM32, 4 }, { BAR_MEM32, 7 }, {}, {}, {},
			  { BAR_IO, 2 } },
	},
	[SW_DN_B] = {
		.parent = SW_UP, .devfn = PCI_DEVFN(31, 0),
		.hdr_type = PCI_HEADER_TYPE_BRIDGE,
		.secondary = 0x04, .subordinate = 0x05,
		.pcie_type = PCI_EXP_TYPE_DOWNSTREAM,
	},
	[CONV_BR] = {
		.parent = SW_DN_B, .devfn = PCI_DEVFN(0, 0),
		.hdr_type = PCI_HEADER_TYPE_BRIDGE,
		.secondary = 0x05, .subordinate = 0x05,
		.pcie_type = PCI_EXP_TYPE_PCI_BRIDGE,
	},
	[EP_CONV] = {
		.parent = CONV_BR, .devfn = PCI_DEVFN(3, 0),
		.pcie_type = CONVENTIONAL,
		.bars = { { BAR_IO, 8 }, { BAR_MEM32, 20 } },
	},
	[RP_B] = {
		.parent = ON_ROOT_BUS, .devfn = PCI_DEVFN(2, 0),
		.hdr_type = PCI_HEADER_TYPE_BRIDGE,
		.secondary = 0x08, .subordinate = 0x08,
		.pcie_type = PCI_EXP_TYPE_ROOT_PORT,
	},
	[PF] = {
		.parent = RP_B, .devfn = PCI_DEVFN(0, 0),
		.pcie_type = PCI_EXP_TYPE_ENDPOINT,
		.bars = { { BAR_MEM64, 14 } },
		.total_vfs = 2, .routing = 1,
	},
	[VF_0] = {
		.parent = RP_B, .pf = PF, .vf = 0,
		.pcie_type = PCI_EXP_TYPE_ENDPOINT,
	},
	[VF_1] = {
		.parent = RP_B, .pf = PF, .vf = 1,
		.pcie_type = PCI_EXP_TYPE_ENDPOINT,
	},
	[RP_ACS] = {
		.parent = ON_ROOT_BUS, .devfn = PCI_DEVFN(28, 0),
		.hdr_type = PCI_HEADER_TYPE_BRIDGE,
		.secondary = 0x09, .subordinate = 0x09,
		.pcie_type = PCI_EXP_TYPE_ROOT_PORT,
	},
	[EP_ACS] = {
		.parent = RP_ACS, .devfn = PCI_DEVFN(0, 0),
		.pcie_type = PCI_EXP_TYPE_ENDPOINT,
	},
	[CB_BR] = {
		.parent = ON_ROOT_BUS, .devfn = PCI_DEVFN(29, 0),
		.hdr_type = PCI_HEADER_TYPE_CARDBUS,
		.pcie_type = CONVENTIONAL,
	},
	[EP_ROOT] = {
		.parent = ON_ROOT_BUS, .devfn = PCI_DEVFN(31, 0),
		.pcie_type = CONVENTIONAL,
		.bars = { { BAR_MEM32, 15 } },
	},
	/*
	 * VFs of both PFs interleave. Bus numbers are left for more of them. Their BARs
	 * are at least a page of any architecture, as System Page Size demands.
	 */
	[RP_S] = {
		.parent = ON_ROOT_BUS, .devfn = PCI_DEVFN(3, 0),
		.hdr_type = PCI_HEADER_TYPE_BRIDGE,
		.secondary = 0x10, .subordinate = 0x12,
		.pcie_type = PCI_EXP_TYPE_ROOT_PORT,
	},
	[PF_S] = {
		.parent = RP_S, .devfn = PCI_DEVFN(0, 0), .multi = true,
		.pcie_type = PCI_EXP_TYPE_ENDPOINT,
		.total_vfs = 3, .routing = 2,
		.vf_bars = { { BAR_MEM64, 17 }, {}, { BAR_MEM32, 16 } },
	},
	[PF_T] = {
		.parent = RP_S, .devfn = PCI_DEVFN(0, 1), .multi = true,
		.pcie_type = PCI_EXP_TYPE_ENDPOINT,
		.total_vfs = 3, .routing = 2,
		.vf_bars = { { BAR_MEM64, 17 }, {}, { BAR_MEM32, 16 } },
	},
	[VF_S0] = VF_OF(PF_S, 0),
	[VF_S1] = VF_OF(PF_S, 1),
	[VF_S2] = VF_OF(PF_S, 2),
	[VF_T0] = VF_OF(PF_T, 0),
	[VF_T1] = VF_OF(PF_T, 1),
	[VF_T2] = VF_OF(PF_T, 2),
};

enum model_fn model_parent(enum model_fn fn)
{
	return fn_descs[fn].parent;
}

bool model_is_bridge(enum model_fn fn)
{
	return fn_descs[fn].hdr_type == PCI_HEADER_TYPE_BRIDGE;
}

bool model_is_vf(enum model_fn fn)
{
	return fn_descs[fn].pf;
}

bool model_is_pf(enum model_fn fn)
{
	return fn_descs[fn].total_vfs;
}

/* Return the PF of a VF. */
enum model_fn model_pf(enum model_fn vf)
{
	return fn_descs[vf].pf;
}

static u16 model_vf_bdf(struct model *model, enum model_fn vf)
{
	const u8 *cap = model->fns[model_pf(vf)].cfg + SRIOV_CAP;

	return model_bdf(model, model_pf(vf)) +
	       get_unaligned_le16(cap + PCI_SRIOV_VF_OFFSET) +
	       get_unaligned_le16(cap + PCI_SRIOV_VF_STRIDE) * fn_descs[vf].vf;
}

static enum model_fn routed_parent(struct model *model, enum model_fn fn)
{
	enum model_fn parent = model_parent(fn);

	return model->integrated && parent == RP_S ? ON_ROOT_BUS : parent;
}

static u8 model_bus(struct model *model, enum model_fn fn)
{
	enum model_fn parent = routed_parent(model, fn);

	return parent == ON_ROOT_BUS ? 0 :
	       model->fns[parent].cfg[PCI_SECONDARY_BUS];
}

u16 model_bdf(struct model *model, enum model_fn fn)
{
	if (model_is_vf(fn))
		return model_vf_bdf(model, fn);

	return PCI_DEVID(model_bus(model, fn), fn_descs[fn].devfn);
}

/* Return the expected entry of a function, from the description of the model. */
struct pci_function_ser model_entry(struct model *model, enum model_fn fn)
{
	const struct fn_desc *desc = &fn_descs[fn];
	const u8 *cfg = model->fns[fn].cfg;
	struct pci_function_ser entry = {
		.vendor = get_unaligned_le16(cfg + PCI_VENDOR_ID),
		.device = get_unaligned_le16(cfg + PCI_DEVICE_ID),
	};

	for (int i = 0; i < PCI_STD_NUM_BARS; i++)
		entry.bar_shift[i] = desc->bars[i].shift;
	entry.bar_shift[PCI_SER_ROM] = desc->rom_shift;
	if (!(get_unaligned_le16(model->fns[fn].writable + PCI_COMMAND) &
	      PCI_COMMAND_INTX_DISABLE))
		entry.flags = PCI_SER_INTX_BROKEN;
	if (IS_ENABLED(CONFIG_PCI_IOV) && model_is_pf(fn))
		entry.flags |= PCI_SER_PF | PCI_SER_AUTOPROBE;
	if (model_is_vf(fn))
		entry.flags |= PCI_SER_VF;
	if (model_is_bridge(fn)) {
		entry.flags |= PCI_SER_BRIDGE;
		entry.secondary = cfg[PCI_SECONDARY_BUS];
		entry.subordinate = cfg[PCI_SUBORDINATE_BUS];
	}

	return entry;
}

/* Registers */

void model_set_id(struct model *model, enum model_fn fn, u16 vendor,
		  u16 device)
{
	put_unaligned_le16(vendor, model->fns[fn].cfg + PCI_VENDOR_ID);
	put_unaligned_le16(device, model->fns[fn].cfg + PCI_DEVICE_ID);
}

void model_set_buses(struct model *model, enum model_fn fn, u8 secondary,
		     u8 subordinate)
{
	u8 *cfg = model->fns[fn].cfg;

	cfg[PCI_PRIMARY_BUS] = model_bus(model, fn);
	cfg[PCI_SECONDARY_BUS] = secondary;
	cfg[PCI_SUBORDINATE_BUS] = subordinate;
}

/* Address bits below the size of a BAR are hardwired to 0. */
static void init_bar(struct model_state *state, int pos, struct bar_desc bar)
{
	u64 writable = GENMASK_ULL(63, bar.shift);

	switch (bar.type) {
	case BAR_NONE:
		return;
	case BAR_IO:
		state->cfg[pos] = PCI_BASE_ADDRESS_SPACE_IO;
		break;
	case BAR_MEM64:
		state->cfg[pos] = PCI_BASE_ADDRESS_MEM_TYPE_64;
		put_unaligned_le32(writable >> 32, state->writable + pos + 4);
		break;
	case BAR_MEM32:
		break;
	}
	put_unaligned_le32(writable, state->writable + pos);
}

static void init_rom(struct model_state *state, int pos, u8 shift)
{
	if (shift)
		put_unaligned_le32((u32)GENMASK_ULL(31, shift) |
				   PCI_ROM_ADDRESS_ENABLE,
				   state->writable + pos);
}

static void init_pcie_cap(struct model_state *state, u8 type)
{
	u8 *cap = state->cfg + PCIE_CAP;

	state->cfg[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	state->cfg[PCI_CAPABILITY_LIST] = PCIE_CAP;
	cap[PCI_CAP_LIST_ID] = PCI_CAP_ID_EXP;
	put_unaligned_le16(2 | FIELD_PREP(PCI_EXP_FLAGS_TYPE, type),
			   cap + PCI_EXP_FLAGS);
}

static void init_sriov_cap(struct model_state *state, enum model_fn pf)
{
	const struct fn_desc *desc = &fn_descs[pf];
	u8 *cap = state->cfg + SRIOV_CAP;
	u8 *writable = state->writable + SRIOV_CAP;
	enum model_fn vf_0 = 0;

	while (fn_descs[vf_0].pf != pf)
		vf_0++;
	put_unaligned_le32(PCI_EXT_CAP_ID_SRIOV | 1 << 16, cap);
	put_unaligned_le16(PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE,
			   writable + PCI_SRIOV_CTRL);
	put_unaligned_le16(desc->total_vfs, cap + PCI_SRIOV_INITIAL_VF);
	put_unaligned_le16(desc->total_vfs, cap + PCI_SRIOV_TOTAL_VF);
	put_unaligned_le16(0xffff, writable + PCI_SRIOV_NUM_VF);
	cap[PCI_SRIOV_FUNC_LINK] = desc->devfn;
	put_unaligned_le16(desc->routing, cap + PCI_SRIOV_VF_OFFSET);
	put_unaligned_le16(desc->routing, cap + PCI_SRIOV_VF_STRIDE);
	put_unaligned_le16(MODEL_DEVICE(vf_0), cap + PCI_SRIOV_VF_DID);
	put_unaligned_le32(0x553, cap + PCI_SRIOV_SUP_PGSIZE);
	put_unaligned_le32(0xffffffff, writable + PCI_SRIOV_SYS_PGSIZE);
	for (int i = 0; i < PCI_SRIOV_NUM_BARS; i++)
		init_bar(state, SRIOV_CAP + PCI_SRIOV_BAR + 4 * i,
			 desc->vf_bars[i]);
}

static void init_bridge(struct model *model, enum model_fn fn)
{
	struct model_state *state = &model->fns[fn];

	model_set_buses(model, fn, fn_descs[fn].secondary,
			fn_descs[fn].subordinate);
	memset(state->writable + PCI_PRIMARY_BUS, 0xff, 3);
	memset(state->writable + PCI_BRIDGE_CONTROL, 0xff, 2);
	/* Close the window: its limit is below its base. */
	put_unaligned_le16(0xfff0, state->cfg + PCI_MEMORY_BASE);
	put_unaligned_le32(0xfff0fff0, state->writable + PCI_MEMORY_BASE);
	init_rom(state, PCI_ROM_ADDRESS1, fn_descs[fn].rom_shift);
}

static void init_fn(struct model *model, enum model_fn fn)
{
	const struct fn_desc *desc = &fn_descs[fn];
	struct model_state *state = &model->fns[fn];
	u16 class = PCI_CLASS_MEMORY_OTHER;

	if (model_is_bridge(fn))
		class = PCI_CLASS_BRIDGE_PCI;
	else if (desc->hdr_type == PCI_HEADER_TYPE_CARDBUS)
		class = PCI_CLASS_BRIDGE_CARDBUS;

	memset(state, 0, sizeof(*state));
	model_set_id(model, fn, MODEL_VENDOR, MODEL_DEVICE(fn));
	put_unaligned_le16(class, state->cfg + PCI_CLASS_DEVICE);
	state->cfg[PCI_HEADER_TYPE] = desc->hdr_type |
				      (desc->multi ? PCI_HEADER_TYPE_MFD : 0);
	put_unaligned_le16(PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
			   PCI_COMMAND_MASTER, state->writable + PCI_COMMAND);

	for (int i = 0; i < PCI_STD_NUM_BARS; i++)
		init_bar(state, PCI_BASE_ADDRESS_0 + 4 * i, desc->bars[i]);
	if (model_is_bridge(fn))
		init_bridge(model, fn);
	else if (!desc->hdr_type)
		init_rom(state, PCI_ROM_ADDRESS, desc->rom_shift);
	if (desc->pcie_type != CONVENTIONAL)
		init_pcie_cap(state, desc->pcie_type);
	if (model_is_pf(fn))
		init_sriov_cap(state, fn);
}

void model_init(struct model *model, u32 domain)
{
	memset(model, 0, sizeof(*model));
	model->domain = domain;
#ifdef CONFIG_X86
	model->sysdata.domain = domain;
	model->sysdata.node = NUMA_NO_NODE;
#endif
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++)
		init_fn(model, fn);
	for (enum model_fn fn = RP_S; fn <= VF_T2; fn++)
		model->fns[fn].absent = true;
	/* Sunrise Point, whose ACS registers are in the wrong place. */
	model_set_id(model, RP_ACS, PCI_VENDOR_ID_INTEL, 0x9d10);
}

/* SR-IOV */

#define VF_WINDOW	0xd0000000u

static void add_cap(u8 *cfg, u8 where, u8 id, u8 next)
{
	cfg[where + PCI_CAP_LIST_ID] = id;
	cfg[where + PCI_CAP_LIST_NEXT] = next;
}

static void add_ext_cap(u8 *cfg, u16 where, u16 id, u16 next)
{
	put_unaligned_le32(id | 1 << 16 | next << 20, cfg + where);
}

/* The capabilities and the only bits of a VF that software can write. */
static void add_vf(struct model_state *state)
{
	u8 *cfg = state->cfg;

	put_unaligned_le16(PCI_COMMAND_MASTER, state->writable + PCI_COMMAND);
	add_cap(cfg, PCIE_CAP, PCI_CAP_ID_EXP, PM_CAP);
	add_cap(cfg, PM_CAP, PCI_CAP_ID_PM, MODEL_MSIX_CAP);
	add_cap(cfg, MODEL_MSIX_CAP, PCI_CAP_ID_MSIX, 0);
	put_unaligned_le16(3, cfg + PM_CAP + PCI_PM_PMC);
	put_unaligned_le16(PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL,
			   state->writable + MODEL_MSIX_CAP + PCI_MSIX_FLAGS);
	add_ext_cap(cfg, PCI_CFG_SPACE_SIZE, PCI_EXT_CAP_ID_ERR, VF_ARI_CAP);
	add_ext_cap(cfg, VF_ARI_CAP, PCI_EXT_CAP_ID_ARI, VF_ACS_CAP);
	add_ext_cap(cfg, VF_ACS_CAP, PCI_EXT_CAP_ID_ACS, VF_ATS_CAP);
	add_ext_cap(cfg, VF_ATS_CAP, PCI_EXT_CAP_ID_ATS, 0);
}

/* Assign an address in the window to each VF BAR. */
static void assign_vf_bars(struct model *model, enum model_fn pf, u32 base)
{
	u8 *cap = model->fns[pf].cfg + SRIOV_CAP;

	for (int i = 0; i < PCI_SRIOV_NUM_BARS; i++) {
		u8 *bar = cap + PCI_SRIOV_BAR + 4 * i;

		if (fn_descs[pf].vf_bars[i].type)
			put_unaligned_le32(get_unaligned_le32(bar) |
					   (base + i * SZ_256K), bar);
	}
}

/* Plug in a device with two PFs, whose firmware has assigned addresses. */
void model_add_sriov(struct model *model)
{
	for (enum model_fn fn = RP_S; fn <= VF_T2; fn++) {
		model->fns[fn].absent = false;
		if (model_is_vf(fn))
			add_vf(&model->fns[fn]);
	}

	model->window = DEFINE_RES_MEM(VF_WINDOW, SZ_2M);
	put_unaligned_le32((VF_WINDOW + SZ_1M) | VF_WINDOW >> 16,
			   model->fns[RP_S].cfg + PCI_MEMORY_BASE);
	assign_vf_bars(model, PF_S, VF_WINDOW);
	assign_vf_bars(model, PF_T, VF_WINDOW + SZ_1M);
}

/* Make the PFs integrated endpoints of the root complex, instead of a device below RP_S. */
void model_integrate_sriov(struct model *model)
{
	model->integrated = true;
	model->fns[RP_S].absent = true;
	for (enum model_fn fn = PF_S; fn <= VF_T2; fn++) {
		u8 *flags = model->fns[fn].cfg + PCIE_CAP + PCI_EXP_FLAGS;

		put_unaligned_le16(2 | FIELD_PREP(PCI_EXP_FLAGS_TYPE, PCI_EXP_TYPE_RC_END),
				   flags);
	}
}

/* Set First VF Offset and VF Stride, which determine the BDFs of VFs. */
void model_set_routing(struct model *model, enum model_fn pf, u16 offset,
		       u16 stride)
{
	u8 *cap = model->fns[pf].cfg + SRIOV_CAP;

	put_unaligned_le16(offset, cap + PCI_SRIOV_VF_OFFSET);
	put_unaligned_le16(stride, cap + PCI_SRIOV_VF_STRIDE);
}

/* Configuration cycles */

static bool responds(struct model *model, enum model_fn fn)
{
	const struct model_state *pf = &model->fns[model_pf(fn)];
	const u8 *sriov = pf->cfg + SRIOV_CAP;

	if (model->fns[fn].absent)
		return false;
	if (!model_is_vf(fn))
		return true;

	return !pf->absent && sriov[PCI_SRIOV_CTRL] & PCI_SRIOV_CTRL_VFE &&
	       get_unaligned_le16(sriov + PCI_SRIOV_NUM_VF) > fn_descs[fn].vf;
}

/* The bus numbers of the bridges above route a cycle. */
static bool is_routed(struct model *model, enum model_fn fn, u16 bdf)
{
	u8 bus = PCI_BUS_NUM(bdf);

	if (model_bdf(model, fn) != bdf)
		return false;

	while ((fn = routed_parent(model, fn)) != ON_ROOT_BUS) {
		const u8 *cfg = model->fns[fn].cfg;

		if (model->fns[fn].absent || bus < cfg[PCI_SECONDARY_BUS] ||
		    bus > cfg[PCI_SUBORDINATE_BUS])
			return false;
	}

	return true;
}

/* Like tegra194_map_bus(), the host sends a Type 0 request to a child of the root bus. */
static bool has_type(struct model *model, enum model_fn fn, struct pci_bus *bus)
{
	enum model_fn above = routed_parent(model, fn);
	bool below_root_port;

	if (above == ON_ROOT_BUS)
		return true;

	below_root_port = model_parent(above) == ON_ROOT_BUS &&
			  bus->number == model->fns[above].cfg[PCI_SECONDARY_BUS];
	return bus->parent && below_root_port == pci_is_root_bus(bus->parent);
}

static struct model_state *model_find(struct model *model, struct pci_bus *bus,
				      unsigned int devfn)
{
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		if (responds(model, fn) &&
		    is_routed(model, fn, PCI_DEVID(bus->number, devfn)) &&
		    has_type(model, fn, bus))
			return &model->fns[fn];
	}

	return NULL;
}

static void model_log(struct model *model, const struct model_access *access)
{
	if (!model->log || current != model->log_task)
		return;

	if (model->nr_log < MODEL_LOG_SIZE)
		model->log[model->nr_log] = *access;
	model->nr_log++;
}

static u32 get_register(const struct model_state *state, int where, int size)
{
	u32 val = 0;

	for (int i = 0; i < size; i++)
		val |= (u32)(state ? state->cfg[where + i] : 0xff) << 8 * i;
	return val;
}

static int model_read(struct pci_bus *bus, unsigned int devfn, int where,
		      int size, u32 *val)
{
	struct model *model = bus->sysdata;
	struct model_state *state = model_find(model, bus, devfn);

	*val = get_register(state, where, size);
	/* The IDs of a VF are those of its PF. */
	if (state && model_is_vf(state - model->fns) && where < PCI_COMMAND)
		*val = GENMASK(8 * size - 1, 0);

	model_log(model, &(struct model_access) {
		.bus = bus->number,
		.devfn = devfn,
		.size = size,
		.where = where,
		.old = *val,
		.val = *val,
	});
	return PCIBIOS_SUCCESSFUL;
}

static int model_write(struct pci_bus *bus, unsigned int devfn, int where,
		       int size, u32 val)
{
	struct model *model = bus->sysdata;
	struct model_state *state = model_find(model, bus, devfn);
	u32 before = get_register(state, where, size);

	for (int i = 0; state && i < size; i++) {
		u8 *cfg = &state->cfg[where + i];
		u8 old = *cfg, new = val >> 8 * i;

		*cfg = (old & ~state->writable[where + i]) |
		       (new & state->writable[where + i]);
		*cfg &= ~(new & state->rw1c[where + i]);
	}

	model_log(model, &(struct model_access) {
		.write = true,
		.changed = get_register(state, where, size) != before,
		.bus = bus->number,
		.devfn = devfn,
		.size = size,
		.where = where,
		.old = before,
		.val = val,
	});
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops model_ops = {
	.read = model_read,
	.write = model_write,
};

/* The host bridge */

#ifdef CONFIG_X86
/* The architecture expects its own structure in ->sysdata. */
static_assert(!offsetof(struct model, sysdata));
#endif

static void model_release(struct pci_host_bridge *host)
{
	struct model *model = host->release_data;

	complete(&model->released);
}

static int model_map_irq(const struct pci_dev *dev, u8 slot, u8 pin)
{
	struct model *model = dev->bus->sysdata;

	return model->irq;
}

/*
 * Port services request the interrupt. A fixed number may belong to another device,
 * or be one that drivers cannot request.
 */
static int model_alloc_irq(struct model *model)
{
	int irq = irq_alloc_desc_from(MODEL_OLD_IRQ + 1, NUMA_NO_NODE);

	if (irq < 0)
		return irq;

	irq_set_chip_and_handler(irq, &dummy_irq_chip, handle_simple_irq);
	model->irq = irq;
	return 0;
}

/* Freeing the host bridge frees its segment number. */
static int model_take_number(struct model *model)
{
	if (!IS_ENABLED(CONFIG_PCI_DOMAINS_GENERIC) && !model->dynamic)
		return PCI_DOMAIN_NR_NOT_SET;

	return pci_bus_find_emul_domain_nr(model->domain, model->domain,
					   model->domain);
}

/* Scan the segment as at boot, with the bus numbers of the bridges. */
int model_scan(struct model *model)
{
	struct pci_host_bridge *host;
	int err;

	err = model_alloc_irq(model);
	if (err)
		return err;

	host = pci_alloc_host_bridge(0);
	if (!host) {
		irq_free_desc(model->irq);
		return -ENOMEM;
	}

	init_completion(&model->released);
	host->sysdata = model;
	host->ops = &model_ops;
	host->map_irq = model_map_irq;
	pci_set_host_bridge_release(host, model_release, model);
	if (model->no_services) {
		host->native_aer = 0;
		host->native_pcie_hotplug = 0;
		host->native_pme = 0;
	}
	if (model->window.flags)
		pci_add_resource(&host->windows, &model->window);

	err = model_take_number(model);
	if (err < 0 && err != PCI_DOMAIN_NR_NOT_SET)
		goto err_free_host;
	host->domain_nr = err;

	pci_lock_rescan_remove();
	err = pci_scan_root_bus_bridge(host);
	if (!err)
		pci_bus_add_devices(host->bus);
	pci_unlock_rescan_remove();
	if (err)
		goto err_free_host;

	model->host = host;
	return 0;

err_free_host:
	pci_free_host_bridge(host);
	irq_free_desc(model->irq);
	return err;
}

/*
 * Like pci_rescan_bus(), but don't assign resources: the model has no memory for
 * them, and a resource that cannot be assigned is reset.
 */
void model_rescan(struct model *model)
{
	pci_lock_rescan_remove();
	pci_scan_child_bus(model->host->bus);
	pci_bus_add_devices(model->host->bus);
	pci_unlock_rescan_remove();
}

/* Firmware has assigned the VF BARs and the window above, as at boot. */
static void claim_vf_bars(struct pci_dev *pf)
{
	struct pci_dev *port = pci_upstream_bridge(pf);

	if (!pf->is_physfn)
		return;

	/* Only some architectures read the windows of bridges during the scan. */
	if (port && !port->resource[PCI_BRIDGE_MEM_WINDOW].parent) {
		pci_read_bridge_bases(port->subordinate);
		pci_claim_resource(port, PCI_BRIDGE_MEM_WINDOW);
	}
	for (int i = 0; i < PCI_SRIOV_NUM_BARS; i++) {
		int resno = pci_resource_num_from_vf_bar(i);

		if (pf->resource[resno].start && !pf->resource[resno].parent)
			pci_claim_resource(pf, resno);
	}
}

/* Like a write to sriov_numvfs. */
int model_set_vfs(struct pci_dev *pf, int nr_vfs)
{
	int err = 0;

	claim_vf_bars(pf);

	pci_lock_rescan_remove();
	if (nr_vfs)
		err = pci_enable_sriov(pf, nr_vfs);
	else
		pci_disable_sriov(pf);
	pci_unlock_rescan_remove();
	return err;
}

void model_remove_host(struct model *model)
{
	struct pci_host_bridge *host = model->host;

	if (!host)
		return;

	model->host = NULL;
	pci_lock_rescan_remove();
	pci_stop_root_bus(host->bus);
	pci_remove_root_bus(host->bus);
	pci_unlock_rescan_remove();
	pci_free_host_bridge(host);
	irq_free_desc(model->irq);
}

/* Get the device of a function. The caller puts it. */
struct pci_dev *model_get_dev(struct model *model, enum model_fn fn)
{
	u16 bdf = model_bdf(model, fn);

	return pci_get_domain_bus_and_slot(model->domain, PCI_BUS_NUM(bdf),
					   bdf & 0xff);
}
