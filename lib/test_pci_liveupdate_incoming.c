// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of PCI live update: functions that the previous kernel preserved.
 */

#include <kunit/test.h>
#include <linux/bitops.h>
#include <linux/err.h>
#include <linux/minmax.h>
#include <linux/pci.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "test_pci_liveupdate_api.h"

/* Enumeration and finish */

static const u32 domains[] = { DOMAIN, HIGH_DOMAIN };

KUNIT_ARRAY_PARAM(domain, domains, test_domain_desc);

static void incoming_flags(struct kunit *test)
{
	struct api_test *t = test->priv;

	model_init(&t->model, *(const u32 *)test->param_value);
	api_live_update_all(test);
	api_expect_incoming(test, ALL_FUNCTIONS);
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		bool want = api_with_bridges(ALL_FUNCTIONS) & BIT(fn);

		if (t->devs[fn])
			KUNIT_EXPECT_EQ(test, want, api_is_preserved(t, fn));
	}
	/* The functions are incoming, not outgoing. */
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), -ENOENT);
	KUNIT_EXPECT_EQ(test, t->refusals, 0);
}

/* The functions that were preserved when the driver below was probed. */
static unsigned long probed, probed_preserved;

static int spy_probe(struct pci_dev *dev, const struct pci_device_id *id)
{
	enum model_fn fn = dev->device - MODEL_DEVICE(0);

	probed |= BIT(fn);
	if (pci_liveupdate_incoming_is_preserved(dev))
		probed_preserved |= BIT(fn);

	return -ENODEV;
}

static const struct pci_device_id spy_ids[] = {
	{ PCI_DEVICE(MODEL_VENDOR, PCI_ANY_ID) },
	{ }
};

static struct pci_driver spy_driver = {
	.name = "pci-liveupdate-kunit",
	.id_table = spy_ids,
	.probe = spy_probe,
	.liveupdate_aware = true,
};

/* A driver that binds during the scan sees that its function is preserved. */
static void incoming_before_probe(struct kunit *test)
{
	api_scan_all(test);
	api_begin_outgoing(test);
	api_preserve_all(test);
	api_live_update(test);

	probed = 0;
	probed_preserved = 0;
	KUNIT_ASSERT_EQ(test, pci_register_driver(&spy_driver), 0);
	api_scan(test);
	pci_unregister_driver(&spy_driver);
	KUNIT_EXPECT_EQ(test, probed & ALL_FUNCTIONS, ALL_FUNCTIONS);
	KUNIT_EXPECT_EQ(test, probed_preserved,
			probed & api_with_bridges(ALL_FUNCTIONS));
}

/* Finishing, in any order, leaves the bridges above unfinished functions. */
static void finish_any_order(struct kunit *test)
{
	struct api_test *t = test->priv;
	enum model_fn order[NR_FUNCTIONS];
	unsigned int cases = 0;

	/* 12 of the 120 orders; each function is the first one in some of them. */
	for (unsigned int nr = 0; nr < 120; nr += 10) {
		unsigned long set = ALL_FUNCTIONS;

		model_init(&t->model, DOMAIN);
		api_live_update_all(test);
		api_permutation(nr, NR_FUNCTIONS, order);
		for (int i = 0; i < NR_FUNCTIONS; i++, cases++) {
			api_finish(t, order[i]);
			set &= ~BIT(order[i]);
			api_expect_incoming(test, set);
		}
		api_remove_host(test);
		api_finish_flb(test);
	}
	KUNIT_EXPECT_EQ(test, cases, 60);
}

static void finish_not_held(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	KUNIT_EXPECT_FALSE(test, api_is_preserved(t, EP_A0));
	api_expect_refusal(test, api_finish, EP_A0, "cannot be finished");

	api_begin_outgoing(test);
	KUNIT_ASSERT_EQ(test, api_preserve(t, EP_A0), 0);
	/* Finishing must not unpreserve an outgoing function. */
	api_finish(t, EP_A0);
	api_expect_outgoing(test, BIT(EP_A0));

	api_live_update(test);
	api_scan_all(test);
	api_finish(t, EP_A1);
	api_finish(t, SW_DN_A);
	pci_liveupdate_outgoing_unpreserve(t->devs[EP_A0]);
	api_expect_incoming(test, BIT(EP_A0));
	api_finish(t, EP_A0);
	api_finish(t, EP_A0);
	api_expect_incoming(test, 0);
}

/*
 * Preserve a finished function for the next kernel, while the bridges above it are
 * still incoming.
 */
static void both_sides(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_live_update_all(test);
	api_begin_outgoing(test);
	api_finish(t, EP_A0);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), 0);
	api_expect_outgoing(test, BIT(EP_A0));
	api_expect_incoming(test, ALL_FUNCTIONS & ~BIT(EP_A0));
	KUNIT_EXPECT_TRUE(test, api_has_flag(t->devs[RP_A],
					     PCI_DEV_LIVEUPDATE_OUTGOING));
	api_finish_flb(test);
	api_expect_outgoing(test, BIT(EP_A0));
	api_unpreserve(t, EP_A0);
	api_expect_outgoing(test, 0);
}

/**
 * struct other_card - Another device at a preserved BDF.
 * @name:     Name of the case.
 * @vendor:   The bits that differ in the vendor ID.
 * @device:   The same for the device ID.
 * @hdr_type: The same for the header type.
 */
struct other_card {
	const char *name;
	u16 vendor;
	u16 device;
	u8 hdr_type;
};

static const struct other_card other_cards[] = {
	{ "vendor", 0x0100, 0, 0 },
	{ "device", 0, 0x0001, 0 },
	{ "hdr_type", 0, 0, PCI_HEADER_TYPE_BRIDGE },
};

KUNIT_ARRAY_PARAM_DESC(other_card, other_cards, name);

static void incoming_other_card(struct kunit *test)
{
	const struct other_card *card = test->param_value;
	struct api_test *t = test->priv;
	unsigned long all = api_with_bridges(ALL_FUNCTIONS);
	struct pci_liveupdate_index *index;

	api_scan_all(test);
	api_begin_outgoing(test);
	api_preserve_all(test);
	api_live_update(test);
	index = t->in.obj;
	model_set_id(&t->model, EP_CONV, MODEL_VENDOR ^ card->vendor,
		     MODEL_DEVICE(EP_CONV) ^ card->device);
	t->model.fns[EP_CONV].cfg[PCI_HEADER_TYPE] ^= card->hdr_type;
	api_scan_all(test);

	KUNIT_EXPECT_FALSE(test, api_is_preserved(t, EP_CONV));
	api_expect_logged(test, "not treated as preserved");
	/* The entry stays in the record, so the bridges above stay preserved. */
	KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count(index),
			hweight_long(all));
	KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count_marked(index),
			hweight_long(all) - 1);
	api_finish(t, EP_CONV);
	KUNIT_EXPECT_TRUE(test, api_contains(t, index, EP_CONV));
	KUNIT_EXPECT_TRUE(test, api_is_preserved(t, CONV_BR));
}

/* Don't adopt a bridge with other bus numbers. */
static void incoming_other_numbers(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	api_begin_outgoing(test);
	api_preserve_all(test);
	api_live_update(test);
	model_set_buses(&t->model, RP_B, 0x08, 0x0a);
	api_scan_all(test);
	KUNIT_EXPECT_FALSE(test, api_is_preserved(t, RP_B));
	api_expect_logged(test, "was preserved with [bus 08-08], found with [bus 08-0a]");
	KUNIT_EXPECT_TRUE(test, api_is_preserved(t, PF));
}

/**
 * struct lost_state - Registers of a function that may have been reset.
 * @name:    Name of the case.
 * @fn:      The function.
 * @command: Value of Command.
 * @where:   A BAR.
 * @bar:     Bits of that BAR.
 * @reset:   The function was reset.
 */
struct lost_state {
	const char *name;
	enum model_fn fn;
	u8 command;
	u8 where;
	u8 bar;
	bool reset;
};

static const struct lost_state lost_states[] = {
	{ "reset", EP_A0, 0, PCI_BASE_ADDRESS_2, 0, true },
	{ "reset_pf", PF, 0, PCI_BASE_ADDRESS_2, 0, true },
	{ "prefetchable", EP_A0, 0, PCI_BASE_ADDRESS_2,
	  PCI_BASE_ADDRESS_MEM_PREFETCH, true },
	{ "io", EP_A0, PCI_COMMAND_IO, PCI_BASE_ADDRESS_2, 0, false },
	{ "memory", EP_A0, PCI_COMMAND_MEMORY, PCI_BASE_ADDRESS_2, 0, false },
	{ "master", EP_A0, PCI_COMMAND_MASTER, PCI_BASE_ADDRESS_2, 0, false },
	{ "address", EP_A0, 0, PCI_BASE_ADDRESS_2, 0x80, false },
	{ "last_bar", EP_A1, 0, PCI_BASE_ADDRESS_5, 0x80, false },
	{ "high_address", EP_A0, 0, PCI_BASE_ADDRESS_1, 0x01, false },
};

KUNIT_ARRAY_PARAM_DESC(lost_state, lost_states, name);

/* The link of a function went down between the kernels. */
static void incoming_reset(struct kunit *test)
{
	const struct lost_state *state = test->param_value;
	struct api_test *t = test->priv;
	u8 *cfg = t->model.fns[state->fn].cfg;

	api_scan_all(test);
	api_begin_outgoing(test);
	api_preserve_all(test);
	api_live_update(test);
	cfg[PCI_COMMAND] = state->command;
	cfg[state->where] |= state->bar;
	api_scan_all(test);
	KUNIT_EXPECT_EQ(test, api_is_preserved(t, state->fn), !state->reset);
	KUNIT_EXPECT_EQ(test, test_count_logged(&t->guard, "its BARs are 0"),
			state->reset);
	KUNIT_EXPECT_TRUE(test, api_is_preserved(t, EP_CONV));
}

/* The bridges above an absent function stay preserved. */
static void incoming_absent(struct kunit *test)
{
	unsigned long all = api_with_bridges(ALL_FUNCTIONS);
	struct pci_liveupdate_index *index;
	struct api_test *t = test->priv;

	api_scan_all(test);
	api_begin_outgoing(test);
	api_preserve_all(test);
	api_live_update(test);
	index = t->in.obj;
	t->model.fns[EP_CONV].absent = true;
	api_scan(test);
	KUNIT_EXPECT_NULL(test, t->devs[EP_CONV]);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count_marked(index),
			hweight_long(all) - 1);
	api_expect_incoming(test, ALL_FUNCTIONS);
	for (int i = 0; i < NR_FUNCTIONS; i++) {
		if (api_functions[i] != EP_CONV)
			api_finish(t, api_functions[i]);
	}
	api_expect_incoming(test, BIT(EP_CONV));
	api_finish_flb(test);
	api_expect_logged(test, "1234:05:03.0 was preserved, but is not finished");
	api_expect_no_flag(test, PCI_DEV_LIVEUPDATE_INCOMING);
}

static void enable_vfs_incoming(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_live_update_all(test);
	KUNIT_EXPECT_EQ(test, model_set_vfs(t->devs[PF], 1), -EBUSY);
	KUNIT_EXPECT_EQ(test, pci_num_vf(t->devs[PF]), 0);

	api_finish(t, PF);
	KUNIT_EXPECT_EQ(test, model_set_vfs(t->devs[PF], 1), 0);
	KUNIT_EXPECT_EQ(test, pci_num_vf(t->devs[PF]), 1);
	KUNIT_EXPECT_EQ(test, model_set_vfs(t->devs[PF], 0), 0);
}

/* Removal while preserved by the previous kernel */

/* Unplug a device with the devices below it, and then remove it. */
static void surprise_remove(struct api_test *t, enum model_fn fn)
{
	struct pci_dev *dev = t->devs[fn];

	t->model.fns[fn].absent = true;
	pci_dev_set_disconnected(dev, NULL);
	if (dev->subordinate)
		pci_walk_bus(dev->subordinate, pci_dev_set_disconnected, NULL);
	api_remove_dev(t, fn);
}

static void remove_incoming(struct kunit *test)
{
	struct pci_liveupdate_index *index;
	struct api_test *t = test->priv;
	struct pci_dev *old;
	u64 marked;

	api_live_update_all(test);
	index = t->in.obj;
	marked = pci_liveupdate_index_count_marked(index);

	/* Unplug a bridge with two functions below. */
	old = pci_dev_get(t->devs[EP_A0]);
	api_remove_dev(t, SW_DN_A);
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_incoming_is_preserved(old));
	KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count_marked(index), marked - 3);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count(index),
			hweight_long(api_with_bridges(ALL_FUNCTIONS)));
	/* The driver cannot finish a removed function. */
	pci_liveupdate_incoming_finish(old);

	api_rescan(t);
	KUNIT_EXPECT_PTR_NE(test, t->devs[EP_A0], old);
	pci_liveupdate_incoming_finish(old);
	pci_dev_put(old);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_index_count_marked(index), marked);
	api_expect_incoming(test, ALL_FUNCTIONS);
	api_finish(t, EP_A0);
	api_finish(t, EP_A1);
	api_expect_incoming(test, ALL_FUNCTIONS & ~BIT(EP_A0) & ~BIT(EP_A1));
}

/* A device that comes back after a surprise removal is not preserved. */
static void disconnect_incoming(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_live_update_all(test);
	surprise_remove(t, EP_CONV);
	api_expect_incoming(test, ALL_FUNCTIONS & ~BIT(EP_CONV));
	api_expect_logged(test, "no longer preserved");

	t->model.fns[EP_CONV].absent = false;
	api_rescan(t);
	KUNIT_ASSERT_NOT_NULL(test, t->devs[EP_CONV]);
	api_expect_incoming(test, ALL_FUNCTIONS & ~BIT(EP_CONV));
}

/* Its driver finishes a function before it is unbound. */
static void disconnect_finish(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_live_update_all(test);
	pci_dev_set_disconnected(t->devs[EP_CONV], NULL);
	api_finish(t, EP_CONV);
	api_expect_incoming(test, ALL_FUNCTIONS & ~BIT(EP_CONV));
	api_expect_logged(test, "gone before it was finished");
}

/* Removing a bridge drops all functions below, even those never found. */
static void disconnect_incoming_bridge(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	api_begin_outgoing(test);
	api_preserve_all(test);
	api_live_update(test);
	t->model.fns[EP_CONV].absent = true;
	api_scan(test);
	api_expect_incoming(test, ALL_FUNCTIONS);
	surprise_remove(t, SW_UP);
	api_expect_incoming(test, BIT(PF) | BIT(EP_ROOT));
}

/* The bridges in between are absent too, so only the record has them. */
static void disconnect_incoming_range(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	api_begin_outgoing(test);
	api_preserve_all(test);
	api_live_update(test);
	t->model.fns[CONV_BR].absent = true;
	api_scan(test);
	api_expect_incoming(test, ALL_FUNCTIONS);
	/* This drops the functions on buses 4 and 5, but none on buses 3 and 8. */
	surprise_remove(t, SW_DN_B);
	api_expect_incoming(test, ALL_FUNCTIONS & ~BIT(EP_CONV));
}

/* Configuration accesses */

static void expect_same_log(struct kunit *test,
			    const struct model_access *want,
			    unsigned int nr_want)
{
	struct api_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, t->model.nr_log, nr_want);
	for (unsigned int i = 0; i < min(nr_want, t->model.nr_log); i++) {
		const struct model_access *found = &t->model.log[i];

		if (!memcmp(found, &want[i], sizeof(*found)))
			continue;
		KUNIT_FAIL(test,
			   "access %u is %s %02x:%02x %03x size %u, not %s %02x:%02x %03x size %u",
			   i, found->write ? "write" : "read", found->bus,
			   found->devfn, found->where, found->size,
			   want[i].write ? "write" : "read", want[i].bus,
			   want[i].devfn, want[i].where, want[i].size);
		break;
	}
}

static void scan_logged(struct kunit *test, struct model_access *log)
{
	struct api_test *t = test->priv;

	memset(log, 0, MODEL_LOG_SIZE * sizeof(*log));
	model_init(&t->model, DOMAIN);
	t->model.log = log;
	t->model.log_task = current;
	api_scan_all(test);
	api_remove_host(test);
	KUNIT_ASSERT_LT(test, t->model.nr_log, MODEL_LOG_SIZE);
}

/* A device that is not in the record is enumerated as without a record. */
static void incoming_accesses(struct kunit *test)
{
	struct pci_function_ser entry = { .vendor = MODEL_VENDOR };
	struct pci_liveupdate_index *index;
	struct api_test *t = test->priv;
	struct model_access *logs[2];
	unsigned int nr_log;

	for (int i = 0; i < 2; i++) {
		logs[i] = kunit_kcalloc(test, MODEL_LOG_SIZE, sizeof(*logs[i]),
					GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, logs[i]);
	}
	scan_logged(test, logs[0]);
	nr_log = t->model.nr_log;
	KUNIT_EXPECT_GT(test, nr_log, 1000);

	/* Neighbours of the devices, and the same BDFs in another segment. */
	index = pci_liveupdate_index_create();
	KUNIT_ASSERT_FALSE(test, IS_ERR(index));
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		u16 bdf = model_bdf(&t->model, fn);
		pci_ser_key_t other = PCI_SER_KEY(DOMAIN + 1, bdf);
		pci_ser_key_t neighbour = PCI_SER_KEY(DOMAIN, bdf ^ 0x48);

		KUNIT_ASSERT_EQ(test, 0,
				pci_liveupdate_index_add(index, other, &entry));
		KUNIT_ASSERT_EQ(test, 0,
				pci_liveupdate_index_add(index, neighbour,
							 &entry));
	}
	t->has_rec = true;
	test_record_hand_over(test, &t->rec, index);
	api_retrieve(test);
	scan_logged(test, logs[1]);
	expect_same_log(test, logs[0], nr_log);
	KUNIT_EXPECT_EQ(test, t->refusals, 0);
}

/* The suite */

static struct kunit_case incoming_cases[] = {
	KUNIT_CASE_SLOW(enable_vfs_incoming),
	KUNIT_CASE_PARAM(incoming_flags, domain_gen_params),
	KUNIT_CASE(incoming_before_probe),
	KUNIT_CASE_SLOW(finish_any_order),
	KUNIT_CASE(finish_not_held),
	KUNIT_CASE(both_sides),
	KUNIT_CASE_PARAM(incoming_other_card, other_card_gen_params),
	KUNIT_CASE(incoming_other_numbers),
	KUNIT_CASE_PARAM(incoming_reset, lost_state_gen_params),
	KUNIT_CASE(incoming_absent),
	KUNIT_CASE(remove_incoming),
	KUNIT_CASE(disconnect_incoming),
	KUNIT_CASE(disconnect_finish),
	KUNIT_CASE(disconnect_incoming_bridge),
	KUNIT_CASE(disconnect_incoming_range),
	KUNIT_CASE(incoming_accesses),
	{ }
};

static struct kunit_suite incoming_suite = {
	.name = "pci_liveupdate_incoming",
	.suite_init = api_suite_init,
	.init = api_test_init,
	.exit = api_test_exit,
	.test_cases = incoming_cases,
};

kunit_test_suite(incoming_suite);
