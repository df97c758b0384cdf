/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fixture of the KUnit tests of the PCI live update API.
 */

#ifndef _LIB_TEST_PCI_LIVEUPDATE_API_H
#define _LIB_TEST_PCI_LIVEUPDATE_API_H

#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/liveupdate.h>
#include <linux/pci.h>
#include <linux/types.h>

#include "../kernel/liveupdate/luo_internal.h"
#include "test_pci_liveupdate.h"

#define DOMAIN		0x1234
#define HIGH_DOMAIN	0x10abc

/* The functions that can be preserved. EP_ACS cannot, because of RP_ACS. */
#define NR_FUNCTIONS	5
#define ALL_FUNCTIONS	(BIT(EP_A0) | BIT(EP_A1) | BIT(EP_CONV) | BIT(PF) | \
			 BIT(EP_ROOT))

extern const enum model_fn api_functions[NR_FUNCTIONS];

/**
 * struct api_test - State of a test.
 * @model:      The segment.
 * @devs:       Its devices, with references, in the order of &enum model_fn.
 * @out:        Arguments of the FLB operations; obj is the outgoing index.
 * @in:         The same; obj is the incoming index.
 * @rec:        The record of the previous kernel.
 * @has_rec:    @rec must be reclaimed at the end.
 * @files:      The files that LUO preserves.
 * @refusals:   Number of refused records.
 * @refusal_err: The errno of the last refusal.
 * @why:        The reason of the last refusal.
 * @fail_at:    Number of the allocation of pages that fails, from 1.
 * @nr_pages:   Number of allocations of pages so far.
 * @fh:         The registered file handler, or NULL.
 * @guard:      State that the test must not change.
 * @reassign:   The flag by which the host driver asks for new bus numbers, or 0.
 */
struct api_test {
	struct model model;
	struct pci_dev *devs[NR_MODEL_FNS];
	struct liveupdate_flb_op_args out;
	struct liveupdate_flb_op_args in;
	struct test_record rec;
	bool has_rec;
	struct luo_file_set files;
	unsigned int refusals;
	int refusal_err;
	char why[256];
	unsigned int fail_at;
	unsigned int nr_pages;
	struct liveupdate_file_handler *fh;
	struct test_guard guard;
	int reassign;
};

void api_start_log(struct kunit *test);
unsigned int api_count_accesses(struct kunit *test, enum model_fn fn, bool write);
void api_permutation(unsigned int nr, unsigned int n, enum model_fn *order);
void api_get_devs(struct api_test *t);
void api_scan(struct kunit *test);
void api_scan_all(struct kunit *test);
void api_rescan(struct api_test *t);
void api_remove_host(struct kunit *test);
void api_begin_outgoing(struct kunit *test);
void api_end_outgoing(struct api_test *t);
void api_preserve_all(struct kunit *test);
void api_preserve_last(struct kunit *test, enum model_fn bridge);
unsigned long api_with_bridges(unsigned long set);
void api_expect_logged(struct kunit *test, const char *text);
void api_expect_refusal(struct kunit *test,
			void (*call)(struct api_test *t, enum model_fn fn),
			enum model_fn fn, const char *text);
void api_expect_no_flag(struct kunit *test, int flag);
void api_expect_exactly(struct kunit *test, struct pci_liveupdate_index *index,
			int flag, unsigned long all);
void api_expect_outgoing(struct kunit *test, unsigned long set);
void api_expect_incoming(struct kunit *test, unsigned long set);
void api_retrieve(struct kunit *test);
void api_finish_flb(struct kunit *test);
void api_live_update(struct kunit *test);
void api_live_update_all(struct kunit *test);
void api_live_update_of(struct kunit *test, enum model_fn fn);
int api_suite_init(struct kunit_suite *suite);
int api_test_init(struct kunit *test);
void api_test_exit(struct kunit *test);

static inline bool api_has_flag(struct pci_dev *dev, int flag)
{
	return test_bit(flag, &dev->priv_flags);
}

/* Remove a device like sysfs. The reference of the test keeps the pci_dev. */
static inline void api_remove_dev(struct api_test *t, enum model_fn fn)
{
	pci_stop_and_remove_bus_device_locked(t->devs[fn]);
}

static inline int api_preserve(struct api_test *t, enum model_fn fn)
{
	return pci_liveupdate_outgoing_preserve(t->devs[fn]);
}

static inline void api_unpreserve(struct api_test *t, enum model_fn fn)
{
	pci_liveupdate_outgoing_unpreserve(t->devs[fn]);
}

static inline bool api_is_outgoing(struct api_test *t, enum model_fn fn)
{
	return api_has_flag(t->devs[fn], PCI_DEV_LIVEUPDATE_OUTGOING);
}

static inline bool api_is_preserved(struct api_test *t, enum model_fn fn)
{
	return pci_liveupdate_incoming_is_preserved(t->devs[fn]);
}

static inline void api_finish(struct api_test *t, enum model_fn fn)
{
	pci_liveupdate_incoming_finish(t->devs[fn]);
}

static inline void api_abandon(struct api_test *t, enum model_fn fn)
{
	pci_liveupdate_incoming_abandon(t->devs[fn]);
}

static inline pci_ser_key_t api_key(struct api_test *t, enum model_fn fn)
{
	return PCI_SER_KEY(t->model.domain, model_bdf(&t->model, fn));
}

static inline bool api_contains(struct api_test *t,
				struct pci_liveupdate_index *index,
				enum model_fn fn)
{
	return test_index_contains(index, api_key(t, fn));
}

#endif /* _LIB_TEST_PCI_LIVEUPDATE_API_H */
