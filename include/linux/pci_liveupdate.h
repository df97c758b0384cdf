/* SPDX-License-Identifier: GPL-2.0 */
/*
 * PCI live update: API for drivers that preserve PCI functions across a kexec.
 * Included by <linux/pci.h>.
 */

#ifndef _LINUX_PCI_LIVEUPDATE_H
#define _LINUX_PCI_LIVEUPDATE_H

#include <linux/errno.h>
#include <linux/types.h>
#include <uapi/linux/pci_regs.h>

struct liveupdate_file_handler;
struct pci_dev;
struct pci_saved_state;
struct pci_saved_state_ser;

#ifdef CONFIG_PCI_LIVEUPDATE

/* Groups of registers in the tables of drivers/pci/liveupdate_guard.c */
#define PCI_LIVEUPDATE_NR_CAPS	20

/* Registers that keep their values for the life of a struct pci_dev */
#define PCI_LIVEUPDATE_NR_KEPT	7

/**
 * struct pci_liveupdate_guard - State of the guard, in each struct pci_dev.
 * @caps:    Offsets of groups of registers, 0 for groups that the device lacks.
 * @kept:    Values of kept registers when the device was adopted.
 * @blocked: Number of refused writes that would have changed bits.
 */
struct pci_liveupdate_guard {
	u16 caps[PCI_LIVEUPDATE_NR_CAPS];
	u32 kept[PCI_LIVEUPDATE_NR_KEPT];
	atomic_t blocked;
};

/**
 * struct pci_liveupdate_sriov - State of a PF and its VFs, in &struct pci_sriov.
 * @outgoing: Number of VFs preserved for the next kernel.
 * @incoming: Number of VFs preserved by the previous kernel, found or not.
 * @stopped:  pci_liveupdate_idle_pf() has cleared bus mastering of the PF.
 * @adopting: VFs of the previous kernel are being created.
 * @has_caps: @header, @caps and @ext_caps are those of each VF.
 * @header:   Configuration header; Command and Status may differ.
 * @caps:     Offset of the first capability by ID, or 0.
 * @ext_caps: Offset of the first extended capability by ID, or 0.
 */
struct pci_liveupdate_sriov {
	u16 outgoing;
	u16 incoming;
	bool stopped;
	bool adopting;
	bool has_caps;
	u32 header[PCI_STD_HEADER_SIZEOF / 4];
	u8 caps[PCI_CAP_ID_MAX + 1];
	u16 ext_caps[PCI_EXT_CAP_ID_MAX + 1];
};

int pci_liveupdate_register_fh(struct liveupdate_file_handler *fh);
int pci_liveupdate_unregister_fh(struct liveupdate_file_handler *fh);
int pci_liveupdate_outgoing_preserve(struct pci_dev *dev);
void pci_liveupdate_outgoing_unpreserve(struct pci_dev *dev);
bool pci_liveupdate_outgoing_is_preserved(struct pci_dev *dev);
int pci_liveupdate_outgoing_check(struct pci_dev *dev);
bool pci_liveupdate_incoming_is_preserved(struct pci_dev *dev);
bool pci_liveupdate_incoming_is_recorded(u32 domain, u16 bdf);
void pci_liveupdate_incoming_hold(struct pci_dev *dev, bool hold);
void pci_liveupdate_incoming_finish(struct pci_dev *dev);
void pci_liveupdate_incoming_abandon(struct pci_dev *dev);
void pci_liveupdate_incoming_abandon_recorded(u32 domain, u16 bdf);
int pci_liveupdate_enable_device(struct pci_dev *dev);

size_t pci_saved_state_ser_size(const struct pci_saved_state *state);
void pci_saved_state_serialize(const struct pci_saved_state *state,
			       struct pci_saved_state_ser *ser);
struct pci_saved_state *
pci_saved_state_deserialize(struct pci_dev *dev,
			    const struct pci_saved_state_ser *ser, size_t size);
#else
static inline int
pci_liveupdate_register_fh(struct liveupdate_file_handler *fh)
{
	return -EOPNOTSUPP;
}

static inline int
pci_liveupdate_unregister_fh(struct liveupdate_file_handler *fh)
{
	return -EOPNOTSUPP;
}

static inline int pci_liveupdate_outgoing_preserve(struct pci_dev *dev)
{
	return -EOPNOTSUPP;
}

static inline void pci_liveupdate_outgoing_unpreserve(struct pci_dev *dev) { }

static inline bool pci_liveupdate_outgoing_is_preserved(struct pci_dev *dev)
{
	return false;
}

static inline int pci_liveupdate_outgoing_check(struct pci_dev *dev)
{
	return -EOPNOTSUPP;
}

static inline bool pci_liveupdate_incoming_is_preserved(struct pci_dev *dev)
{
	return false;
}

static inline bool pci_liveupdate_incoming_is_recorded(u32 domain, u16 bdf)
{
	return false;
}

static inline void
pci_liveupdate_incoming_hold(struct pci_dev *dev, bool hold) { }

static inline void pci_liveupdate_incoming_finish(struct pci_dev *dev) { }

static inline void pci_liveupdate_incoming_abandon(struct pci_dev *dev) { }

static inline void
pci_liveupdate_incoming_abandon_recorded(u32 domain, u16 bdf) { }

static inline int pci_liveupdate_enable_device(struct pci_dev *dev)
{
	return -EOPNOTSUPP;
}
#endif

#if defined(CONFIG_PCI_LIVEUPDATE) && defined(CONFIG_PCI_IOV)
bool pci_liveupdate_idle_pf(struct pci_dev *pf);
void pci_liveupdate_resume_pf(struct pci_dev *pf);
#else
static inline bool pci_liveupdate_idle_pf(struct pci_dev *pf)
{
	return false;
}

static inline void pci_liveupdate_resume_pf(struct pci_dev *pf) { }
#endif

/*
 * The same functions with the names from the discussion on the mailing lists, for
 * drivers that already use these names.
 */
static inline int
pci_liveupdate_register_flb(struct liveupdate_file_handler *fh)
{
	return pci_liveupdate_register_fh(fh);
}

static inline void
pci_liveupdate_unregister_flb(struct liveupdate_file_handler *fh)
{
	pci_liveupdate_unregister_fh(fh);
}

static inline int pci_liveupdate_preserve(struct pci_dev *dev)
{
	return pci_liveupdate_outgoing_preserve(dev);
}

static inline void pci_liveupdate_unpreserve(struct pci_dev *dev)
{
	pci_liveupdate_outgoing_unpreserve(dev);
}

static inline bool pci_liveupdate_is_incoming(struct pci_dev *dev)
{
	return pci_liveupdate_incoming_is_preserved(dev);
}

static inline void pci_liveupdate_finish(struct pci_dev *dev)
{
	pci_liveupdate_incoming_finish(dev);
}

#endif /* _LINUX_PCI_LIVEUPDATE_H */
