/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Helpers of the KUnit tests of PCI live update with SR-IOV.
 */

#ifndef _LIB_TEST_PCI_LIVEUPDATE_SRIOV_H
#define _LIB_TEST_PCI_LIVEUPDATE_SRIOV_H

#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/pci.h>
#include <linux/types.h>

#include "test_pci_liveupdate_api.h"

#define NR_VFS		3
#define VFS_S		(BIT(VF_S0) | BIT(VF_S1) | BIT(VF_S2))
#define VFS_T		(BIT(VF_T0) | BIT(VF_T1) | BIT(VF_T2))

/* Functions of one layout that a test preserves in all combinations. */
#define NR_SRIOV_FNS	4
#define ALL_SRIOV_FNS	GENMASK(NR_SRIOV_FNS - 1, 0)

/**
 * struct sriov_layout - VFs, and the functions that a test preserves.
 * @name:   Name of the case.
 * @fns:    The functions.
 * @offset: First VF Offset of both PFs.
 * @stride: VF Stride of both PFs.
 * @integrated: Both PFs are integrated endpoints of the root complex.
 */
struct sriov_layout {
	const char *name;
	enum model_fn fns[NR_SRIOV_FNS];
	u16 offset;
	u16 stride;
	bool integrated;
};

#define NR_SRIOV_LAYOUTS	3
extern const struct sriov_layout sriov_layouts[NR_SRIOV_LAYOUTS];

extern struct pci_driver sriov_driver;
extern unsigned int sriov_vfs_at_probe;

void sriov_register_driver(struct kunit *test, bool aware, bool keeps_vfs);
void sriov_scan(struct kunit *test);
void sriov_enable_vfs(struct kunit *test, enum model_fn pf);
void sriov_begin(struct kunit *test);
void sriov_begin_layout(struct kunit *test, const struct sriov_layout *layout);
void sriov_preserve(struct kunit *test, unsigned long set);
void sriov_live_update(struct kunit *test, unsigned long set);
int sriov_store(struct pci_dev *pf, const char *name, const char *val);
int sriov_store_numvfs(struct pci_dev *pf, const char *num);
bool sriov_is_implied(struct api_test *t, struct pci_liveupdate_index *index,
		      enum model_fn pf);
void sriov_expect(struct kunit *test, struct pci_liveupdate_index *index,
		  int flag, unsigned long owned);

static inline u8 *sriov_cap(struct api_test *t, enum model_fn pf)
{
	return t->model.fns[pf].cfg + MODEL_SRIOV_CAP;
}

static inline bool sriov_is_master(struct api_test *t, enum model_fn fn)
{
	return t->model.fns[fn].cfg[PCI_COMMAND] & PCI_COMMAND_MASTER;
}

static inline u16 sriov_outgoing(struct api_test *t, enum model_fn pf)
{
	return t->devs[pf]->sriov->liveupdate.outgoing;
}

static inline u16 sriov_incoming(struct api_test *t, enum model_fn pf)
{
	return t->devs[pf]->sriov->liveupdate.incoming;
}

/* The functions of a layout in @digits, as a set of &enum model_fn. */
static inline unsigned long sriov_set(const struct sriov_layout *layout,
				      unsigned int digits)
{
	unsigned long set = 0;

	for (int i = 0; i < NR_SRIOV_FNS; i++) {
		if (digits & BIT(i))
			set |= BIT(layout->fns[i]);
	}

	return set;
}

#endif /* _LIB_TEST_PCI_LIVEUPDATE_SRIOV_H */
