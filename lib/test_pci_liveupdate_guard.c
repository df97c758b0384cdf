// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of PCI live update: the guard of configuration writes.
 *
 * Compare each write with the rules of test_pci_liveupdate_rules.c, bit by bit, in
 * each state of a device.
 */

#include <kunit/test.h>
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/pci.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/unaligned.h>
#include <linux/vmalloc.h>

#include "test_pci_liveupdate_api.h"
#include "test_pci_liveupdate_rules.h"

static unsigned long seed = 20260401;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "Seed of the random writes");

static unsigned int nr_writes = 1000000;
module_param(nr_writes, uint, 0444);
MODULE_PARM_DESC(nr_writes, "Number of random writes");

/* The end of the registers that the guard knows. */
#define REGISTERS_END	0x340

/* A wrong rule makes many writes fail, so print only the first ones. */
#define MAX_FAILURES	8

/**
 * struct guard_test - State of a test, besides struct api_test.
 * @saved:      The registers outside of tests of writes.
 * @is_open:    The test may write all registers.
 * @unfinished: Functions that the previous kernel preserved.
 * @adopted:    Devices that the previous kernel preserved.
 * @outgoing:   Devices that are preserved for the next kernel.
 * @bound:      Functions that have a driver.
 * @held:       Functions that their driver holds.
 * @adopted_cfg: Registers of @adopted when they were adopted.
 * @writes:     Number of writes so far.
 * @blocked:    Number of refused writes that would have changed something.
 * @failures:   Number of writes with a wrong result.
 */
struct guard_test {
	struct model_state saved[NR_MODEL_FNS];
	bool is_open;
	unsigned long unfinished;
	unsigned long adopted;
	unsigned long outgoing;
	unsigned long bound;
	unsigned long held;
	u8 adopted_cfg[NR_MODEL_FNS][PCI_CFG_SPACE_EXP_SIZE];
	unsigned int writes;
	unsigned int blocked;
	unsigned int failures;
};

static struct guard_test *guard_test;

/* The oracle */

enum write_by {
	BY_KERNEL,
	BY_USER,
};

/**
 * struct guard_write - A write and its expected effect.
 * @fn:      The function.
 * @by:      The writer.
 * @where:   Offset.
 * @size:    Size in bytes.
 * @val:     Value.
 * @new:     The expected value of the register.
 * @ret:     The expected return value.
 * @blocked: The write is expected to be counted as refused.
 * @cycle:   A write cycle is expected to reach the function.
 */
struct guard_write {
	enum model_fn fn;
	enum write_by by;
	u16 where;
	u8 size;
	u32 val;
	u32 new;
	int ret;
	bool blocked;
	bool cycle;
};

static bool fn_is_closed(enum model_fn fn)
{
	if (guard_test->outgoing & BIT(fn) && pci_liveupdate_handing_over)
		return true;

	return api_with_bridges(guard_test->unfinished) & BIT(fn) &&
	       !(guard_test->bound & ~guard_test->held & BIT(fn));
}

static u32 get_register(const u8 *cfg, int where, int size)
{
	u32 val = 0;

	for (int i = 0; i < size; i++)
		val |= (u32)cfg[where + i] << 8 * i;
	return val;
}

/* Return the bits of a class in the register of a write. */
static u32 write_bits(const struct guard_write *write, enum rule_class class)
{
	return rules_bits(write->fn, write->where & ~3, class) >>
	       8 * (write->where & 3) & GENMASK(8 * write->size - 1, 0);
}

/* Return the value of an unguarded register after a write. */
static u32 plain_write(const struct guard_write *write, u32 old)
{
	u32 status = write_bits(write, RULE_STATUS) |
		     write_bits(write, RULE_KEPT_STATUS);

	return (write->val & ~status) | (old & ~write->val & status);
}

/* Return the value of a guarded register after a write, and the bits that pass. */
static u32 ruled_write(const struct guard_write *write, u32 old, u32 *pass)
{
	u32 all = GENMASK(8 * write->size - 1, 0);
	u32 plain = plain_write(write, old);
	u32 set;

	*pass = 0;
	if (fn_is_closed(write->fn) && !model_is_bridge(write->fn))
		return old;

	if (fn_is_closed(write->fn)) {
		set = write_bits(write, RULE_SET);
		*pass = write_bits(write, RULE_PASS) |
			write_bits(write, RULE_STATUS);
		return (plain & *pass) | ((plain | old) & set) |
		       (old & ~*pass & ~set);
	}

	*pass = all;
	if (guard_test->adopted & BIT(write->fn))
		*pass &= ~write_bits(write, RULE_ADOPTED);
	return (plain & *pass) |
	       (get_register(guard_test->adopted_cfg[write->fn], write->where,
			     write->size) & ~*pass & all);
}

static void expect_write(struct guard_write *write, u32 old)
{
	u32 plain = plain_write(write, old);
	u32 pass, ruled = ruled_write(write, old, &pass);

	write->blocked = (plain ^ old) & ~(ruled ^ old);
	write->cycle = pass || ruled != old;
	write->new = ruled;
	write->ret = 0;

	if (write->by == BY_USER) {
		/* A reset field may get its adopted value again, but no other value. */
		if (!fn_is_closed(write->fn) && (plain ^ old) & ~pass &&
		    (plain ^ ruled) & ~pass)
			write->blocked = true;
		/* A write by user space passes as a whole or not at all. */
		if (fn_is_closed(write->fn) && model_is_bridge(write->fn))
			pass |= write_bits(write, RULE_SET);
		write->cycle = pass && !write->blocked;
		write->new = write->cycle ? plain : old;
		write->ret = write->cycle ? 0 : -EBUSY;
	} else if (!write->cycle) {
		write->ret = write->blocked ? PCIBIOS_SET_FAILED :
					      PCIBIOS_SUCCESSFUL;
	}
}

/* Reset the counts of refused writes, as the scan was refused some too. */
static void reset_blocked(struct api_test *t)
{
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		if (t->devs[fn])
			atomic_set(&t->devs[fn]->liveupdate_guard.blocked, 0);
	}
}

static int read_blocked(struct pci_dev *dev)
{
	return atomic_read(&dev->liveupdate_guard.blocked);
}

/* One write */

static int do_write(struct pci_dev *dev, const struct guard_write *write)
{
	int where = write->where;

	if (write->by == BY_KERNEL) {
		if (write->size == 1)
			return pci_write_config_byte(dev, where, write->val);
		if (write->size == 2)
			return pci_write_config_word(dev, where, write->val);
		return pci_write_config_dword(dev, where, write->val);
	}

	if (write->size == 1)
		return pci_user_write_config_byte(dev, where, write->val);
	if (write->size == 2)
		return pci_user_write_config_word(dev, where, write->val);
	return pci_user_write_config_dword(dev, where, write->val);
}

static unsigned int count_write_cycles(struct model *model)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < min(model->nr_log, MODEL_LOG_SIZE); i++)
		n += model->log[i].write;
	return n;
}

/* Do a write, compare it with the oracle, and restore the register. */
static void check_write(struct kunit *test, enum model_fn fn, enum write_by by,
			int where, int size, u32 val)
{
	struct api_test *t = test->priv;
	struct guard_write write = {
		.fn = fn, .by = by, .where = where, .size = size,
		.val = val & GENMASK(8 * size - 1, 0),
	};
	u8 *reg = t->model.fns[fn].cfg + where;
	struct pci_dev *dev = t->devs[fn];
	u32 old = get_register(reg, 0, size), new;
	int blocked = read_blocked(dev);
	unsigned int cycles;
	u8 before[4];
	int ret;

	memcpy(before, reg, size);
	expect_write(&write, old);
	t->model.nr_log = 0;
	ret = do_write(dev, &write);
	cycles = count_write_cycles(&t->model);
	new = get_register(reg, 0, size);
	blocked = read_blocked(dev) - blocked;
	memcpy(reg, before, size);

	guard_test->writes++;
	guard_test->blocked += blocked;
	if (new == write.new && ret == write.ret && blocked == write.blocked &&
	    cycles == write.cycle)
		return;

	if (guard_test->failures++ < MAX_FAILURES)
		KUNIT_FAIL(test, "function %d%s: %s %d@%03x %#x: %#x -> %#x want %#x, ret %d/%d, blocked %d/%d, cycles %u/%d",
			   fn, fn_is_closed(fn) ? " closed" : "",
			   by == BY_USER ? "user" : "kernel", size, where, old,
			   write.val, new, write.new, ret, write.ret, blocked,
			   write.blocked, cycles, write.cycle);
}

/* All writes to one register */

static void check_register(struct kunit *test, enum model_fn fn,
			   enum write_by by, int where, int size)
{
	struct api_test *t = test->priv;
	u32 old = get_register(t->model.fns[fn].cfg, where, size);

	for (int bit = 0; bit < 8 * size; bit++)
		check_write(test, fn, by, where, size, old ^ BIT(bit));
	check_write(test, fn, by, where, size, old);
	check_write(test, fn, by, where, size, 0);
	check_write(test, fn, by, where, size, ~0);
}

/* Return the number of writes of check_registers(). */
static unsigned int count_writes(int end)
{
	return end * (8 + 3) + end / 2 * (16 + 3) + end / 4 * (32 + 3);
}

static void check_registers(struct kunit *test, enum model_fn fn,
			    enum write_by by, int end)
{
	for (int size = 1; size <= 4; size *= 2) {
		for (int where = 0; where < end; where += size)
			check_register(test, fn, by, where, size);
	}
}

/* States */

static int guard_driver_probe(struct pci_dev *dev, const struct pci_device_id *id)
{
	return 0;
}

static const struct pci_device_id guard_driver_ids[] = {
	{ PCI_DEVICE(MODEL_VENDOR, MODEL_DEVICE(EP_A0)) },
	{ PCI_DEVICE(MODEL_VENDOR, MODEL_DEVICE(EP_A1)) },
	{ PCI_DEVICE(MODEL_VENDOR, MODEL_DEVICE(EP_CONV)) },
	{ PCI_DEVICE(MODEL_VENDOR, MODEL_DEVICE(PF)) },
	{ PCI_DEVICE(MODEL_VENDOR, MODEL_DEVICE(EP_ROOT)) },
	{ }
};

static struct pci_driver guard_driver = {
	.name = "pci-liveupdate-guard-kunit",
	.id_table = guard_driver_ids,
	.probe = guard_driver_probe,
	.liveupdate_aware = true,
};

static void unregister_driver(void *unused)
{
	pci_unregister_driver(&guard_driver);
}

static void note_bound(struct api_test *t)
{
	guard_test->bound = 0;
	for (int i = 0; i < NR_FUNCTIONS; i++) {
		if (t->devs[api_functions[i]]->driver)
			guard_test->bound |= BIT(api_functions[i]);
	}
}

static void bind_driver(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, pci_register_driver(&guard_driver), 0);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, unregister_driver, NULL));
	note_bound(test->priv);
	KUNIT_ASSERT_EQ(test, guard_test->bound, ALL_FUNCTIONS);
}

static void end_handing_over(void *unused)
{
	pci_liveupdate_handing_over = false;
}

static void hand_over(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, end_handing_over, NULL));
	pci_liveupdate_handing_over = true;
}

static void begin_unguarded(struct kunit *test)
{
	api_scan_all(test);
}

static void begin_outgoing(struct kunit *test)
{
	api_scan_all(test);
	api_begin_outgoing(test);
	api_preserve_all(test);
	guard_test->outgoing = api_with_bridges(ALL_FUNCTIONS);
}

static void begin_handed_over(struct kunit *test)
{
	begin_outgoing(test);
	hand_over(test);
}

static void begin_incoming(struct kunit *test)
{
	struct api_test *t = test->priv;

	begin_outgoing(test);
	api_live_update(test);
	rules_set_adopted(&t->model);
	api_scan_all(test);
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++)
		memcpy(guard_test->adopted_cfg[fn], t->model.fns[fn].cfg,
		       PCI_CFG_SPACE_EXP_SIZE);
	guard_test->outgoing = 0;
	guard_test->adopted = api_with_bridges(ALL_FUNCTIONS);
	guard_test->unfinished = ALL_FUNCTIONS;
}

static void begin_bound(struct kunit *test)
{
	begin_incoming(test);
	bind_driver(test);
}

/* Holding a function that is not preserved changes nothing. */
static void set_held(struct api_test *t, enum model_fn fn, bool hold)
{
	pci_liveupdate_incoming_hold(t->devs[fn], hold);
	if (hold)
		guard_test->held |= guard_test->unfinished & BIT(fn);
	else
		guard_test->held &= ~BIT(fn);
}

static void hold_all(struct api_test *t, bool hold)
{
	for (int i = 0; i < NR_FUNCTIONS; i++)
		set_held(t, api_functions[i], hold);
}

static void begin_held(struct kunit *test)
{
	begin_bound(test);
	hold_all(test->priv, true);
}

static void begin_let_go(struct kunit *test)
{
	begin_held(test);
	hold_all(test->priv, false);
}

static void begin_held_outgoing(struct kunit *test)
{
	begin_outgoing(test);
	bind_driver(test);
	hold_all(test->priv, true);
}

static void finish_all(struct kunit *test)
{
	for (int i = 0; i < NR_FUNCTIONS; i++)
		api_finish(test->priv, api_functions[i]);
	guard_test->unfinished = 0;
	guard_test->held = 0;
	api_expect_no_flag(test, PCI_DEV_LIVEUPDATE_INCOMING);
	api_expect_no_flag(test, PCI_DEV_LIVEUPDATE_HELD);
}

static void begin_finished(struct kunit *test)
{
	begin_incoming(test);
	finish_all(test);
}

static void begin_held_finished(struct kunit *test)
{
	begin_held(test);
	finish_all(test);
}

/* Preserve functions of the previous kernel for the next kernel too. */
static void begin_handed_over_again(struct kunit *test)
{
	begin_bound(test);
	finish_all(test);
	api_begin_outgoing(test);
	api_preserve_all(test);
	guard_test->outgoing = api_with_bridges(ALL_FUNCTIONS);
	hand_over(test);
}

/**
 * struct guard_state - A state of all devices.
 * @name:   Name of the case.
 * @begin:  Brings the devices into this state.
 * @closed: All bridges are closed.
 */
struct guard_state {
	const char *name;
	void (*begin)(struct kunit *test);
	bool closed;
};

static const struct guard_state guard_states[] = {
	{ "unguarded", begin_unguarded, false },
	{ "outgoing", begin_outgoing, false },
	{ "handed_over", begin_handed_over, true },
	{ "incoming", begin_incoming, true },
	{ "bound", begin_bound, true },
	{ "held", begin_held, true },
	{ "let_go", begin_let_go, true },
	{ "held_outgoing", begin_held_outgoing, false },
	{ "finished", begin_finished, false },
	{ "held_finished", begin_held_finished, false },
	{ "handed_over_again", begin_handed_over_again, true },
};

KUNIT_ARRAY_PARAM_DESC(guard_state, guard_states, name);

/* Let the test write all registers, and fill them with @pattern. */
static void open_registers(struct api_test *t, u32 pattern)
{
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		if (api_with_bridges(ALL_FUNCTIONS) & BIT(fn))
			rules_open_registers(&t->model, fn, pattern);
	}
	guard_test->is_open = true;
}

static void save_registers(struct api_test *t)
{
	memcpy(guard_test->saved, t->model.fns, sizeof(guard_test->saved));
}

/* Restore the registers that the kernel expects. */
static void close_registers(struct api_test *t)
{
	memcpy(t->model.fns, guard_test->saved, sizeof(guard_test->saved));
	guard_test->is_open = false;
}

static int config_size(struct api_test *t, enum model_fn fn)
{
	return min(t->devs[fn]->cfg_size, PCI_CFG_SPACE_EXP_SIZE);
}

/* The cases */

static void guard_rules(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, rules_cover_bridges());
}

/* Set and clear each bit of each register in each state. */
static void guard_bits(struct kunit *test)
{
	const struct guard_state *state = test->param_value;
	unsigned long all = api_with_bridges(ALL_FUNCTIONS);
	struct api_test *t = test->priv;
	unsigned int writes = 0;

	state->begin(test);
	save_registers(t);
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		int end;

		if (!(all & BIT(fn)))
			continue;
		KUNIT_EXPECT_EQ(test, fn_is_closed(fn),
				state->closed && !(guard_test->bound & ~guard_test->held &
						   BIT(fn) &&
						   !pci_liveupdate_handing_over));
		end = min(config_size(t, fn), REGISTERS_END);
		for (int inverted = 0; inverted < 2; inverted++) {
			open_registers(t, inverted ? ~0 : 0);
			check_registers(test, fn, BY_KERNEL, end);
			check_registers(test, fn, BY_USER, end);
			writes += 2 * count_writes(end);
		}
		close_registers(t);
	}

	KUNIT_EXPECT_EQ(test, guard_test->writes, writes);
	KUNIT_EXPECT_EQ(test, guard_test->failures, 0);
	/* The oracle refuses some writes in each state with a guard. */
	KUNIT_EXPECT_EQ(test, guard_test->blocked > 0,
			guard_test->adopted || pci_liveupdate_handing_over);
}

/* Write all 4 KiB, including registers without a rule. */
static void guard_all_registers(struct kunit *test)
{
	unsigned long all = api_with_bridges(ALL_FUNCTIONS);
	struct api_test *t = test->priv;
	unsigned int writes = 0;

	begin_incoming(test);
	save_registers(t);
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		if (!(all & BIT(fn)))
			continue;
		open_registers(t, 0);
		for (int where = 0; where < config_size(t, fn); where += 4) {
			check_register(test, fn, BY_KERNEL, where, 4);
			writes += 32 + 3;
		}
		close_registers(t);
	}
	KUNIT_EXPECT_EQ(test, guard_test->writes, writes);
	KUNIT_EXPECT_EQ(test, guard_test->failures, 0);
}

/* A register with all ones must not pass for an absent device. */
static void guard_all_ones(struct kunit *test)
{
	unsigned long all = api_with_bridges(ALL_FUNCTIONS);
	struct api_test *t = test->priv;

	begin_incoming(test);
	save_registers(t);
	for (enum model_fn fn = 0; fn < NR_MODEL_FNS; fn++) {
		if (!(all & BIT(fn)))
			continue;
		open_registers(t, 0);
		for (int where = 0x20; where < config_size(t, fn); where += 4)
			put_unaligned_le32(~rules_bits(fn, where, RULE_ZERO),
					   t->model.fns[fn].cfg + where);
		for (int size = 1; size <= 4; size *= 2) {
			for (int where = 0x20; where < min(config_size(t, fn),
							   REGISTERS_END);
			     where += size) {
				check_write(test, fn, BY_KERNEL, where, size, 0);
				check_write(test, fn, BY_USER, where, size, 0);
			}
		}
		close_registers(t);
	}
	KUNIT_EXPECT_EQ(test, guard_test->failures, 0);
}

/* The device is absent. */
static void guard_absent(struct kunit *test)
{
	struct api_test *t = test->priv;
	struct pci_dev *dev;

	begin_incoming(test);
	reset_blocked(t);
	for (int i = 0; i < 2; i++) {
		enum model_fn fn = i ? RP_A : EP_ROOT;

		dev = t->devs[fn];
		t->model.fns[fn].absent = true;
		t->model.nr_log = 0;
		KUNIT_EXPECT_EQ(test, PCIBIOS_DEVICE_NOT_FOUND,
				pci_write_config_byte(dev, PCI_COMMAND, 0));
		KUNIT_EXPECT_EQ(test, PCIBIOS_DEVICE_NOT_FOUND,
				pci_write_config_word(dev, PCI_COMMAND, 7));
		KUNIT_EXPECT_EQ(test, PCIBIOS_DEVICE_NOT_FOUND,
				pci_write_config_dword(dev, PCI_BASE_ADDRESS_0, 0));
		KUNIT_EXPECT_NE(test, 0,
				pci_user_write_config_dword(dev,
							    PCI_BASE_ADDRESS_0, 0));
		KUNIT_EXPECT_EQ(test, count_write_cycles(&t->model), 0);
		KUNIT_EXPECT_EQ(test, read_blocked(dev), 0);
		t->model.fns[fn].absent = false;
	}
}

static void guard_unaligned(struct kunit *test)
{
	const struct guard_state *state = test->param_value;
	struct api_test *t = test->priv;
	unsigned int cases = 0;

	state->begin(test);
	save_registers(t);
	open_registers(t, 0);
	reset_blocked(t);
	t->model.nr_log = 0;
	for (enum model_fn fn = RP_A; fn <= EP_A0; fn++) {
		struct pci_dev *dev = t->devs[fn];

		for (int where = 0; where < REGISTERS_END; where++) {
			if (where & 1) {
				KUNIT_EXPECT_EQ(test, PCIBIOS_BAD_REGISTER_NUMBER,
						pci_write_config_word(dev, where, 0x1234));
				KUNIT_EXPECT_EQ(test, -EINVAL,
						pci_user_write_config_word(dev, where, 0x1234));
				cases++;
			}
			if (where & 3) {
				KUNIT_EXPECT_EQ(test, PCIBIOS_BAD_REGISTER_NUMBER,
						pci_write_config_dword(dev, where, 0x1234));
				KUNIT_EXPECT_EQ(test, -EINVAL,
						pci_user_write_config_dword(dev, where, 0x1234));
				cases++;
			}
		}
		KUNIT_EXPECT_EQ(test, read_blocked(dev), 0);
	}
	KUNIT_EXPECT_EQ(test, t->model.nr_log, 0);
	KUNIT_EXPECT_EQ(test, cases, 4 * REGISTERS_END * 5 / 4);
	close_registers(t);
}

/* Reset a function by its bus, which only begin_bus_reset() allows. */
static void guard_reset(struct kunit *test)
{
	const int where = PCI_BRIDGE_CONTROL;
	struct api_test *t = test->priv;
	struct pci_dev *bridge;
	u8 *cfg;

	begin_incoming(test);
	save_registers(t);
	open_registers(t, 0);
	bridge = t->devs[RP_B];
	cfg = t->model.fns[RP_B].cfg;
	/* Discard Timer Status is set, Secondary Bus Reset is clear. */
	cfg[where] = 0x2a;
	cfg[where + 1] = 0xf5;

	KUNIT_EXPECT_EQ(test, PCIBIOS_SET_FAILED,
			pci_write_config_word(bridge, where, 0xf56a));
	KUNIT_EXPECT_EQ(test, get_register(cfg, where, 2), 0xf52a);

	set_bit(PCI_DEV_LIVEUPDATE_RESETTING, &bridge->priv_flags);
	KUNIT_EXPECT_EQ(test, 0, pci_write_config_word(bridge, where, 0x0a40));
	KUNIT_EXPECT_EQ(test, get_register(cfg, where, 2), 0xf56a);
	KUNIT_EXPECT_EQ(test, 0, pci_write_config_word(bridge, where, 0xffbf));
	KUNIT_EXPECT_EQ(test, get_register(cfg, where, 2), 0xf52a);
	KUNIT_EXPECT_EQ(test, -EBUSY,
			pci_user_write_config_word(bridge, where, 0));
	KUNIT_EXPECT_FALSE(test, test_bit(PCI_DEV_LIVEUPDATE_RESETTING,
					  &bridge->priv_flags));

	/* No other write passes. */
	set_bit(PCI_DEV_LIVEUPDATE_RESETTING, &bridge->priv_flags);
	for (int i = 0; i < REGISTERS_END; i += 4) {
		if (i != (where & ~3))
			check_register(test, RP_B, BY_KERNEL, i, 4);
	}
	KUNIT_EXPECT_EQ(test, guard_test->failures, 0);
	clear_bit(PCI_DEV_LIVEUPDATE_RESETTING, &bridge->priv_flags);

	/* A function with a type 0 header has no bus to reset. */
	set_bit(PCI_DEV_LIVEUPDATE_RESETTING, &t->devs[PF]->priv_flags);
	for (int i = 0; i < REGISTERS_END; i += 4)
		check_register(test, PF, BY_KERNEL, i, 4);
	KUNIT_EXPECT_EQ(test, guard_test->failures, 0);
	clear_bit(PCI_DEV_LIVEUPDATE_RESETTING, &t->devs[PF]->priv_flags);
	close_registers(t);
}

/* pci_check_and_set_intx_mask() writes INTx Disable by itself. */
static void guard_intx(struct kunit *test)
{
	const u8 disable = PCI_COMMAND_INTX_DISABLE >> 8;
	struct api_test *t = test->priv;
	struct pci_dev *dev;
	u8 *cfg;

	begin_incoming(test);
	save_registers(t);
	open_registers(t, 0);
	reset_blocked(t);
	dev = t->devs[EP_ROOT];
	cfg = t->model.fns[EP_ROOT].cfg;

	cfg[PCI_COMMAND + 1] &= ~disable;
	cfg[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
	t->model.nr_log = 0;
	KUNIT_EXPECT_FALSE(test, pci_check_and_mask_intx(dev));
	KUNIT_EXPECT_EQ(test, read_blocked(dev), 1);

	cfg[PCI_COMMAND + 1] |= disable;
	KUNIT_EXPECT_FALSE(test, pci_check_and_mask_intx(dev));
	cfg[PCI_STATUS] &= ~PCI_STATUS_INTERRUPT;
	KUNIT_EXPECT_EQ(test, read_blocked(dev), 1);
	KUNIT_EXPECT_FALSE(test, pci_check_and_unmask_intx(dev));
	KUNIT_EXPECT_EQ(test, read_blocked(dev), 2);
	KUNIT_EXPECT_EQ(test, count_write_cycles(&t->model), 0);

	/* The function is finished, so INTx Disable can be written. */
	close_registers(t);
	api_finish(t, EP_ROOT);
	open_registers(t, 0);
	cfg[PCI_COMMAND + 1] &= ~disable;
	cfg[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
	KUNIT_EXPECT_TRUE(test, pci_check_and_mask_intx(dev));
	KUNIT_EXPECT_TRUE(test, cfg[PCI_COMMAND + 1] & disable);
	cfg[PCI_STATUS] &= ~PCI_STATUS_INTERRUPT;
	KUNIT_EXPECT_TRUE(test, pci_check_and_unmask_intx(dev));
	KUNIT_EXPECT_FALSE(test, cfg[PCI_COMMAND + 1] & disable);
	close_registers(t);
}

/* Random writes */

static void change_binding(struct kunit *test, enum model_fn fn)
{
	struct api_test *t = test->priv;
	struct pci_dev *dev = t->devs[fn];

	if (dev->driver)
		device_release_driver(&dev->dev);
	else
		KUNIT_ASSERT_EQ(test, device_attach(&dev->dev), 1);
	note_bound(t);
}

static void change_hold(struct kunit *test, enum model_fn fn)
{
	if (guard_test->bound & BIT(fn))
		set_held(test->priv, fn, !(guard_test->held & BIT(fn)));
}

/* Finish a function, and wait for its driver to bind. */
static void finish_one(struct kunit *test, enum model_fn fn)
{
	struct api_test *t = test->priv;

	if (!(guard_test->unfinished & BIT(fn)))
		return;

	api_finish(t, fn);
	for (int i = 0; i < 500 && !READ_ONCE(t->devs[fn]->driver); i++)
		msleep(20);
	note_bound(t);
	KUNIT_ASSERT_TRUE(test, guard_test->bound & BIT(fn));
	guard_test->unfinished &= ~BIT(fn);
	guard_test->held &= ~BIT(fn);
}

/* Restore the registers while the state of a function changes. */
static void change_state(struct kunit *test, struct rnd_state *rnd, bool finish)
{
	enum model_fn fn = api_functions[prandom_u32_state(rnd) % NR_FUNCTIONS];
	struct api_test *t = test->priv;

	close_registers(t);
	if (finish)
		finish_one(test, fn);
	else if (prandom_u32_state(rnd) & 1)
		change_hold(test, fn);
	else
		change_binding(test, fn);
	open_registers(t, prandom_u32_state(rnd));
}

static u32 random_value(struct rnd_state *rnd, u32 old)
{
	u32 val = prandom_u32_state(rnd);

	switch (prandom_u32_state(rnd) % 4) {
	case 0:
		return val;
	case 1:
		return old ^ BIT(val % 32);
	case 2:
		return old;
	default:
		return val & 1 ? 0 : ~0;
	}
}

static void random_write(struct kunit *test, struct rnd_state *rnd)
{
	enum model_fn fn = prandom_u32_state(rnd) % NR_MODEL_FNS;
	u32 where = prandom_u32_state(rnd);
	int size = 1 << prandom_u32_state(rnd) % 3;
	struct api_test *t = test->priv;

	if (!(api_with_bridges(ALL_FUNCTIONS) & BIT(fn)))
		return;

	/* Most of configuration space has no rule. */
	where %= min(config_size(t, fn), where & BIT(31) ? REGISTERS_END :
						PCI_CFG_SPACE_EXP_SIZE);
	where &= ~(size - 1);
	check_write(test, fn, prandom_u32_state(rnd) & 1 ? BY_USER : BY_KERNEL,
		    where, size,
		    random_value(rnd, get_register(t->model.fns[fn].cfg, where,
						   size)));
}

static void guard_random(struct kunit *test)
{
	unsigned int finish_after = nr_writes / 2;
	struct api_test *t = test->priv;
	struct rnd_state rnd;

	kunit_info(test, "test_pci_liveupdate_guard.seed=%lu\n", seed);
	prandom_seed_state(&rnd, seed);
	begin_bound(test);
	save_registers(t);
	open_registers(t, 0);
	for (unsigned int i = 0; guard_test->writes < nr_writes; i++) {
		if (i % 4096 == 4095)
			change_state(test, &rnd, i > finish_after &&
				     i % 65536 == 65535);
		random_write(test, &rnd);
		if (guard_test->failures > MAX_FAILURES)
			break;
		cond_resched();
	}
	close_registers(t);
	KUNIT_EXPECT_EQ(test, guard_test->failures, 0);
	KUNIT_EXPECT_EQ(test, guard_test->writes, nr_writes);
	KUNIT_EXPECT_GT(test, guard_test->blocked, nr_writes / 10);
}

/* The suite */

static void free_guard_test(void *unused)
{
	vfree(guard_test);
	guard_test = NULL;
}

static int guard_test_init(struct kunit *test)
{
	struct api_test *t;
	int err;

	guard_test = vzalloc(sizeof(*guard_test));
	if (!guard_test)
		return -ENOMEM;

	err = kunit_add_action_or_reset(test, free_guard_test, NULL);
	if (err)
		return err;

	err = api_test_init(test);
	if (err)
		return err;

	t = test->priv;
	t->model.log = kunit_kcalloc(test, MODEL_LOG_SIZE,
				     sizeof(*t->model.log), GFP_KERNEL);
	if (!t->model.log)
		return -ENOMEM;
	t->model.log_task = current;
	rules_add_registers(&t->model);
	return 0;
}

static void guard_test_exit(struct kunit *test)
{
	struct api_test *t = test->priv;

	if (!t)
		return;

	if (guard_test->is_open)
		close_registers(t);
	pci_liveupdate_handing_over = false;
	api_test_exit(test);
}

static struct kunit_case guard_cases[] = {
	KUNIT_CASE(guard_rules),
	KUNIT_CASE_PARAM_ATTR(guard_bits, guard_state_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_SLOW(guard_all_registers),
	KUNIT_CASE(guard_all_ones),
	KUNIT_CASE(guard_absent),
	KUNIT_CASE_PARAM(guard_unaligned, guard_state_gen_params),
	KUNIT_CASE(guard_reset),
	KUNIT_CASE(guard_intx),
	KUNIT_CASE_SLOW(guard_random),
	{ }
};

static struct kunit_suite guard_suite = {
	.name = "pci_liveupdate_guard",
	.suite_init = api_suite_init,
	.init = guard_test_init,
	.exit = guard_test_exit,
	.test_cases = guard_cases,
};

kunit_test_suite(guard_suite);
