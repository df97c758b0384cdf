/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Helpers of the KUnit tests of PCI live update.
 */

#ifndef _LIB_TEST_PCI_LIVEUPDATE_H
#define _LIB_TEST_PCI_LIVEUPDATE_H

#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/completion.h>
#include <linux/ioport.h>
#include <linux/kho/abi/block.h>
#include <linux/kho/abi/pci.h>
#include <linux/pci.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include "../drivers/pci/pci.h"
#include "../drivers/pci/liveupdate_index.h"
#include "test_pci_liveupdate_index.h"

void test_domain_desc(const u32 *domain, char *desc);

/* State that a test must not change, and the start of its part of the log. */
struct test_guard {
	unsigned long totalram;
	bool warned;
	u64 log_seq;
};

void test_guard_begin(struct test_guard *guard);
void test_guard_end(struct kunit *test, struct test_guard *guard);
unsigned int test_count_logged(struct test_guard *guard, const char *text);
bool test_logged(struct test_guard *guard, const char *text);

/**
 * struct test_record - A record of the previous kernel.
 * @root_pa: Physical address of the record.
 * @pages:   Order of each folio, by page frame number.
 * @spare:   A page that is not preserved.
 */
struct test_record {
	u64 root_pa;
	struct xarray pages;
	void *spare;
};

void test_record_init(struct kunit *test, struct test_record *rec);
void test_record_hand_over(struct kunit *test, struct test_record *rec,
			   struct pci_liveupdate_index *index);
void test_record_gone(struct kunit *test, struct test_record *rec);
void test_record_reclaim(struct test_record *rec);

struct pci_ser *test_record_root(struct test_record *rec);
struct pci_segment_ser *test_record_segment(struct test_record *rec,
					    unsigned int nr);
void test_record_sample(struct kunit *test, struct test_record *rec, bool full);
void test_record_sample_pf(struct kunit *test, struct test_record *rec);

/*
 * The model: a host bridge made of software. Each function is 4 KiB of
 * configuration space, and a mask of the bits that can be written.
 */

#define MODEL_VENDOR		0xbdf0
#define MODEL_OLD_IRQ		5	/* of the previous kernel */
#define MODEL_DEVICE(fn)	(0x1000 + (fn))

enum model_fn {
	RP_A,		/* root port, above a switch */
	SW_UP,
	SW_DN_A,
	EP_A0,
	EP_A1,
	SW_DN_B,
	CONV_BR,	/* PCIe to conventional PCI */
	EP_CONV,
	RP_B,		/* root port, above a PF */
	PF,
	VF_0,
	VF_1,
	RP_ACS,		/* root port that needs an ACS quirk */
	EP_ACS,
	CB_BR,		/* CardBus bridge */
	EP_ROOT,	/* on the root bus */
	RP_S,		/* root port, above a device with two PFs; see model_add_sriov() */
	PF_S,
	PF_T,
	VF_S0,		/* VFs of PF_S */
	VF_S1,
	VF_S2,
	VF_T0,		/* VFs of PF_T */
	VF_T1,
	VF_T2,
	NR_MODEL_FNS,
	ON_ROOT_BUS = NR_MODEL_FNS,
};

/**
 * struct model_access - A configuration cycle.
 * @write:   It was a write.
 * @changed: It changed a bit, or cleared a status bit.
 * @bus:     Bus number.
 * @devfn:   Device and function number.
 * @size:    Size in bytes.
 * @where:   Offset.
 * @old:     The value of the register before.
 * @val:     The value read or written.
 */
struct model_access {
	bool write;
	bool changed;
	u8 bus;
	u8 devfn;
	u8 size;
	u16 where;
	u32 old;
	u32 val;
};

#define MODEL_LOG_SIZE	32768

/* The registers of SR-IOV of the PFs, and of MSI-X of functions. */
#define MODEL_SRIOV_CAP	0x100
#define MODEL_MSIX_CAP	0xb0

struct model_state {
	bool absent;
	u8 cfg[PCI_CFG_SPACE_EXP_SIZE];
	u8 writable[PCI_CFG_SPACE_EXP_SIZE];
	u8 rw1c[PCI_CFG_SPACE_EXP_SIZE];
};

/**
 * struct model - A PCI segment.
 * @sysdata:  The sysdata of the architecture for a bus.
 * @domain:   Segment number.
 * @dynamic:  The kernel chose the segment number.
 * @no_services: Firmware owns the port services.
 * @integrated: PF_S and PF_T are on the root bus; see model_integrate_sriov().
 * @window:   A memory window of the host bridge, if its flags are set.
 * @irq:      The interrupt of all functions, while there is a host bridge.
 * @host:     The host bridge, or NULL.
 * @released: The last host bridge was released.
 * @fns:      The functions, which outlive the host bridge as hardware does.
 * @log:      The accesses of @log_task, or NULL to log none.
 * @nr_log:   Number of logged accesses, including those that did not fit.
 * @log_task: The task whose accesses are logged.
 */
struct model {
#ifdef CONFIG_X86
	struct pci_sysdata sysdata;
#endif
	u32 domain;
	bool dynamic;
	bool no_services;
	bool integrated;
	struct resource window;
	unsigned int irq;
	struct pci_host_bridge *host;
	struct completion released;
	struct model_state fns[NR_MODEL_FNS];
	struct model_access *log;
	unsigned int nr_log;
	struct task_struct *log_task;
};

void model_init(struct model *model, u32 domain);
int model_scan(struct model *model);
void model_rescan(struct model *model);
int model_set_vfs(struct pci_dev *pf, int nr_vfs);
void model_remove_host(struct model *model);

void model_set_id(struct model *model, enum model_fn fn, u16 vendor,
		  u16 device);
void model_add_settings(struct model *model);
void model_put_in_use(struct model *model);
void model_add_sriov(struct model *model);
void model_integrate_sriov(struct model *model);
void model_set_routing(struct model *model, enum model_fn pf, u16 offset,
		       u16 stride);
void model_set_buses(struct model *model, enum model_fn fn, u8 secondary,
		     u8 subordinate);

u16 model_bdf(struct model *model, enum model_fn fn);
enum model_fn model_parent(enum model_fn fn);
bool model_is_bridge(enum model_fn fn);
bool model_is_vf(enum model_fn fn);
bool model_is_pf(enum model_fn fn);
enum model_fn model_pf(enum model_fn vf);
struct pci_function_ser model_entry(struct model *model, enum model_fn fn);
struct pci_dev *model_get_dev(struct model *model, enum model_fn fn);

#endif /* _LIB_TEST_PCI_LIVEUPDATE_H */
