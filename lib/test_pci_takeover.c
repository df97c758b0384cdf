// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of PCI live update: a driver takes over a running function.
 *
 * The driver enables the function without a write, and reads the saved state of the
 * previous kernel. The oracle of its layout uses numbers of its own.
 */

#include <kunit/test.h>
#include <linux/array_size.h>
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/err.h>
#include <linux/kho/abi/pci_saved_state.h>
#include <linux/limits.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "test_pci_liveupdate_api.h"

/* Offsets of test_pci_liveupdate_settings.c, and a free one. */
#define PCIE_CAP	0x40
#define PCIX_CAP	0x60
#define PM_CAP		0x80
#define AER_CAP		0x180
#define PTM_CAP		0x240

/* Enable */

#define WINDOW		0xe0000000u

static int takeover_probe(struct pci_dev *dev, const struct pci_device_id *id)
{
	return 0;
}

static const struct pci_device_id takeover_ids[] = {
	{ PCI_DEVICE(MODEL_VENDOR, MODEL_DEVICE(PF)) },
	{ }
};

static struct pci_driver takeover_driver = {
	.name = "pci-liveupdate-takeover-kunit",
	.id_table = takeover_ids,
	.probe = takeover_probe,
	.liveupdate_aware = true,
};

static void unregister_driver(void *unused)
{
	pci_unregister_driver(&takeover_driver);
}

/* Live update of a PF whose BAR has an address, and bind a driver to it. */
static struct pci_dev *live_update_of_pf(struct kunit *test)
{
	struct api_test *t = test->priv;

	t->model.window = DEFINE_RES_MEM(WINDOW, SZ_1M);
	put_unaligned_le32(WINDOW | WINDOW >> 16,
			   t->model.fns[RP_B].cfg + PCI_MEMORY_BASE);
	put_unaligned_le32(WINDOW | PCI_BASE_ADDRESS_MEM_TYPE_64,
			   t->model.fns[PF].cfg + PCI_BASE_ADDRESS_0);
	model_add_settings(&t->model);
	api_live_update_of(test, PF);
	model_put_in_use(&t->model);
	KUNIT_ASSERT_EQ(test, pci_register_driver(&takeover_driver), 0);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, unregister_driver, NULL));
	api_scan_all(test);
	KUNIT_ASSERT_TRUE(test, api_is_preserved(t, PF));
	KUNIT_ASSERT_PTR_EQ(test, t->devs[PF]->driver, &takeover_driver);
	return t->devs[PF];
}

static int enable_count(struct pci_dev *dev)
{
	return atomic_read(&dev->enable_cnt);
}

/* The guard would let writes pass. */
static void enable_without_write(struct kunit *test)
{
	struct pci_dev *dev = live_update_of_pf(test);
	struct api_test *t = test->priv;
	u8 *command = t->model.fns[PF].cfg + PCI_COMMAND;

	/* Its user has switched decoding off. */
	*command &= ~PCI_COMMAND_MEMORY;
	api_start_log(test);
	for (int count = 1; count <= 2; count++) {
		KUNIT_EXPECT_EQ(test, pci_liveupdate_enable_device(dev), 0);
		KUNIT_EXPECT_EQ(test, enable_count(dev), count);
	}
	KUNIT_EXPECT_EQ(test, pci_enable_device(dev), 0);
	KUNIT_EXPECT_EQ(test, enable_count(dev), 3);
	pci_disable_device(dev);
	pci_disable_device(dev);
	KUNIT_EXPECT_EQ(test, api_count_accesses(test, PF, true), 0);
	KUNIT_EXPECT_EQ(test, api_count_accesses(test, RP_B, true), 0);
	KUNIT_EXPECT_TRUE(test, pci_is_enabled(dev));
	KUNIT_EXPECT_TRUE(test, pci_is_enabled(t->devs[RP_B]));

	api_finish(t, PF);
	KUNIT_EXPECT_TRUE(test, *command & PCI_COMMAND_MASTER);
	pci_disable_device(dev);
	KUNIT_EXPECT_EQ(test, enable_count(dev), 0);
	KUNIT_EXPECT_FALSE(test, *command & PCI_COMMAND_MASTER);
}

/* The counterpart: pci_enable_device() writes decoding and INTx Disable. */
static void enable_with_write(struct kunit *test)
{
	struct pci_dev *dev = live_update_of_pf(test);
	struct api_test *t = test->priv;
	u8 *command = t->model.fns[PF].cfg + PCI_COMMAND;

	*command &= ~PCI_COMMAND_MEMORY;
	api_start_log(test);
	KUNIT_EXPECT_EQ(test, pci_enable_device(dev), 0);
	KUNIT_EXPECT_EQ(test, enable_count(dev), 1);
	KUNIT_EXPECT_EQ(test, api_count_accesses(test, PF, true), 2);
	KUNIT_EXPECT_TRUE(test, *command & PCI_COMMAND_MEMORY);
	KUNIT_EXPECT_FALSE(test, command[1] & (PCI_COMMAND_INTX_DISABLE >> 8));
	pci_disable_device(dev);
	KUNIT_EXPECT_EQ(test, enable_count(dev), 0);
}

static int host_enables, host_err;

static int host_enable(struct pci_host_bridge *host, struct pci_dev *dev)
{
	if (!host_err)
		host_enables++;
	return host_err;
}

static void host_disable(struct pci_host_bridge *host, struct pci_dev *dev)
{
	host_enables--;
}

/* The host bridge enables and disables the function, or refuses to. */
static void enable_by_host(struct kunit *test)
{
	struct pci_dev *dev = live_update_of_pf(test);
	struct api_test *t = test->priv;

	t->model.host->enable_device = host_enable;
	t->model.host->disable_device = host_disable;
	host_enables = 0;
	host_err = -ENOSPC;
	KUNIT_EXPECT_EQ(test, pci_liveupdate_enable_device(dev), -ENOSPC);
	KUNIT_EXPECT_EQ(test, enable_count(dev), 0);

	host_err = 0;
	KUNIT_EXPECT_EQ(test, pci_liveupdate_enable_device(dev), 0);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_enable_device(dev), 0);
	KUNIT_EXPECT_EQ(test, host_enables, 1);
	api_finish(t, PF);
	pci_disable_device(dev);
	pci_disable_device(dev);
	KUNIT_EXPECT_EQ(test, host_enables, 0);
	t->model.host->enable_device = NULL;
	t->model.host->disable_device = NULL;
}

/* Saved state */

/**
 * struct saved_register - A register that the kernel saves.
 * @where: Offset.
 * @size:  Size in bytes.
 */
struct saved_register {
	u16 where;
	u8 size;
};

/* Registers of EP_A0. */
static const struct saved_register pcie_registers[] = {
	{ PCI_COMMAND, 2 },
	{ PCI_BASE_ADDRESS_1, 4 },
	{ PCI_BASE_ADDRESS_2, 4 },
	{ PCI_ROM_ADDRESS, 4 },
	{ PCI_INTERRUPT_LINE, 1 },
	{ PCIE_CAP + PCI_EXP_DEVCTL, 2 },
	{ PCIE_CAP + PCI_EXP_LNKCTL, 2 },
	{ PCIE_CAP + PCI_EXP_DEVCTL2, 2 },
	{ PCIX_CAP + PCI_X_CMD, 2 },
	{ AER_CAP + PCI_ERR_UNCOR_MASK, 4 },
	{ AER_CAP + PCI_ERR_COR_MASK, 4 },
	{ AER_CAP + PCI_ERR_CAP, 4 },
	{ PTM_CAP + PCI_PTM_CTRL, 4 },
};

/* Registers of EP_ROOT, which has no PCI Express. */
static const struct saved_register pcix_registers[] = {
	{ PCI_COMMAND, 2 },
	{ PCI_BASE_ADDRESS_0, 4 },
	{ PCIX_CAP + PCI_X_CMD, 2 },
};

/**
 * struct saved_fn - A function with a saved state.
 * @name: Name of the case.
 * @fn:   The function.
 * @regs: Its registers.
 * @nr:   Number of registers.
 */
struct saved_fn {
	const char *name;
	enum model_fn fn;
	const struct saved_register *regs;
	unsigned int nr;
};

static const struct saved_fn saved_fns[] = {
	{ "pcie", EP_A0, pcie_registers, ARRAY_SIZE(pcie_registers) },
	{ "conventional", EP_ROOT, pcix_registers, ARRAY_SIZE(pcix_registers) },
};

KUNIT_ARRAY_PARAM_DESC(saved_fn, saved_fns, name);

static void add_pcix(struct model_state *state)
{
	state->cfg[PCIX_CAP] = PCI_CAP_ID_PCIX;
	state->cfg[PCIX_CAP + PCI_CAP_LIST_NEXT] =
		state->cfg[PM_CAP + PCI_CAP_LIST_NEXT];
	state->cfg[PM_CAP + PCI_CAP_LIST_NEXT] = PCIX_CAP;
	put_unaligned_le16(PCI_X_CMD_DPERR_E | PCI_X_CMD_READ_2K,
			   state->cfg + PCIX_CAP + PCI_X_CMD);
	put_unaligned_le16(0x7f, state->writable + PCIX_CAP + PCI_X_CMD);
}

/* Functions in use. A saved state does not depend on a live update. */
static void scan_in_use(struct kunit *test)
{
	struct api_test *t = test->priv;

	model_add_settings(&t->model);
	/* With PCI-X a capability follows one whose size is padded. */
	add_pcix(&t->model.fns[EP_A0]);
	add_pcix(&t->model.fns[EP_ROOT]);
	api_scan_all(test);
	model_put_in_use(&t->model);
}

static void invert_registers(struct model_state *state, const struct saved_fn *saved)
{
	for (unsigned int i = 0; i < saved->nr; i++) {
		const struct saved_register *reg = &saved->regs[i];

		for (int j = reg->where; j < reg->where + reg->size; j++)
			state->cfg[j] ^= state->writable[j];
	}
}

/* Expect that registers have other values than before, or the same. */
static void expect_registers(struct kunit *test, const struct model_state *state,
			     const u8 *before, const struct saved_fn *saved,
			     bool same)
{
	for (unsigned int i = 0; i < saved->nr; i++) {
		const struct saved_register *reg = &saved->regs[i];

		KUNIT_EXPECT_EQ_MSG(test, same,
				    !memcmp(state->cfg + reg->where,
					    before + reg->where, reg->size),
				    "register %03x", reg->where);
	}
}

static void free_state(void *state)
{
	kfree(state);
}

static struct pci_saved_state *manage_state(struct kunit *test,
					    struct pci_saved_state *state)
{
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, state);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_state, state));
	return state;
}

/* Copy a buffer to one that ends with it, so that KASAN finds reads behind it. */
static void *copy_exactly(struct kunit *test, const void *buf, size_t size)
{
	void *copy = kunit_kmalloc(test, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, copy);
	memcpy(copy, buf, size);
	return copy;
}

/**
 * struct handed_over - A saved state that is handed over.
 * @ser:  The state.
 * @size: Its size in bytes.
 */
struct handed_over {
	struct pci_saved_state_ser *ser;
	size_t size;
};

static struct handed_over serialize_state(struct kunit *test,
					  const struct pci_saved_state *state)
{
	struct handed_over handed = { .size = pci_saved_state_ser_size(state) };

	handed.ser = kunit_kzalloc(test, handed.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, handed.ser);
	pci_saved_state_serialize(state, handed.ser);
	return handed;
}

static struct handed_over serialize_saved(struct kunit *test, struct pci_dev *dev)
{
	struct pci_saved_state *state = pci_store_saved_state(dev);

	return serialize_state(test, manage_state(test, state));
}

static struct handed_over serialize_current(struct kunit *test, enum model_fn fn)
{
	struct api_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, pci_save_state(t->devs[fn]), 0);
	return serialize_saved(test, t->devs[fn]);
}

/* The next kernel restores the registers that the previous one has saved. */
static void state_round_trip(struct kunit *test)
{
	const struct saved_fn *saved = test->param_value;
	struct api_test *t = test->priv;
	struct model_state *state = &t->model.fns[saved->fn];
	struct pci_dev *dev;
	struct pci_saved_state *loaded;
	struct handed_over handed;
	u8 *before;

	scan_in_use(test);
	dev = t->devs[saved->fn];
	handed = serialize_current(test, saved->fn);
	before = copy_exactly(test, state->cfg, sizeof(state->cfg));

	invert_registers(state, saved);
	expect_registers(test, state, before, saved, false);
	api_start_log(test);
	loaded = pci_saved_state_deserialize(dev, handed.ser, handed.size);
	KUNIT_ASSERT_FALSE(test, IS_ERR(loaded));
	KUNIT_EXPECT_EQ(test, api_count_accesses(test, saved->fn, true), 0);
	KUNIT_EXPECT_EQ(test, 0, pci_load_and_free_saved_state(dev, &loaded));
	pci_restore_state(dev);
	expect_registers(test, state, before, saved, true);
}

/* Layout */

/* struct pci_saved_state_ser and struct pci_saved_cap_ser, as numbers. */
#define HEADER_SIZE	72
#define NR_CAPS		64
#define CAP_HEADER_SIZE	8

/* The first dword of a capability is its ID and this flag. */
#define EXTENDED	BIT(16)
#define EXP		PCI_CAP_ID_EXP
#define ERR		(PCI_EXT_CAP_ID_ERR | EXTENDED)
#define PTM		(PCI_EXT_CAP_ID_PTM | EXTENDED)

/* Return a capability in a buffer, which must be well-formed, or NULL. */
static u8 *find_cap(const struct handed_over *handed, u32 id)
{
	u8 *cap = (u8 *)handed->ser + HEADER_SIZE;
	u8 *end = (u8 *)handed->ser + handed->size;

	while (cap < end) {
		if (get_unaligned_le32(cap) == id)
			return cap;
		cap += CAP_HEADER_SIZE + (get_unaligned_le32(cap + 4) + 3) / 4 * 4;
	}

	return NULL;
}

/**
 * struct saved_cap - A capability of EP_A0 that the kernel saves.
 * @name:     Name of the case.
 * @id:       Capability ID, and EXTENDED.
 * @size:     Size of its registers.
 * @reg_size: Size of a register.
 * @where:    Offsets of registers; EP_A0 lacks those at 0.
 */
struct saved_cap {
	const char *name;
	u32 id;
	u8 size;
	u8 reg_size;
	u16 where[7];
};

static const struct saved_cap saved_caps[] = {
	{ "pcie", EXP, 14, 2,
	  { PCIE_CAP + 0x08, PCIE_CAP + 0x10, 0, 0, PCIE_CAP + 0x28,
	    PCIE_CAP + 0x30 } },
	{ "pcix", PCI_CAP_ID_PCIX, 2, 2, { PCIX_CAP + 0x02 } },
	{ "aer", ERR, 16, 4,
	  { AER_CAP + 0x08, AER_CAP + 0x0c, AER_CAP + 0x14, AER_CAP + 0x18 } },
	{ "ptm", PTM, 4, 4, { PTM_CAP + 0x08 } },
};

KUNIT_ARRAY_PARAM_DESC(saved_cap, saved_caps, name);

static void state_layout(struct kunit *test)
{
	const struct saved_cap *want = test->param_value;
	struct api_test *t = test->priv;
	const u8 *cfg = t->model.fns[EP_A0].cfg;
	struct handed_over handed;
	const u8 *cap, *data;

	scan_in_use(test);
	handed = serialize_current(test, EP_A0);
	KUNIT_EXPECT_MEMEQ(test, (u8 *)handed.ser, cfg, 64);
	KUNIT_EXPECT_EQ(test, handed.ser->reserved, 0);
	KUNIT_EXPECT_EQ(test, handed.ser->nr_caps, ARRAY_SIZE(saved_caps));
	KUNIT_EXPECT_EQ(test, handed.size, HEADER_SIZE + 4 * CAP_HEADER_SIZE +
			16 + 4 + 16 + 4);

	cap = find_cap(&handed, want->id);
	KUNIT_ASSERT_NOT_NULL(test, cap);
	KUNIT_EXPECT_EQ(test, get_unaligned_le32(cap + 4), want->size);
	data = cap + CAP_HEADER_SIZE;
	for (int i = 0; i < want->size / want->reg_size; i++) {
		u32 val = 0;

		if (want->where[i])
			memcpy(&val, cfg + want->where[i], want->reg_size);
		KUNIT_EXPECT_MEMEQ(test, data + i * want->reg_size, (u8 *)&val,
				   want->reg_size);
	}
	/* The padding */
	for (int i = want->size; i & 3; i++)
		KUNIT_EXPECT_EQ(test, data[i], 0);
}

/* Foreign capabilities */

#define MAX_SIZE	512
/* Not a value of the model. */
#define FILL		0xa5

/* Begin a state without capabilities. */
static struct handed_over make_state(struct kunit *test)
{
	struct handed_over handed = { .size = HEADER_SIZE };

	handed.ser = kunit_kzalloc(test, MAX_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, handed.ser);
	memset(handed.ser->config_space, FILL, sizeof(handed.ser->config_space));
	return handed;
}

static void put_cap(struct handed_over *handed, u32 id, u32 size)
{
	u8 *cap = (u8 *)handed->ser + handed->size;
	u32 padded = (size + 3) / 4 * 4;

	put_unaligned_le32(id, cap);
	put_unaligned_le32(size, cap + 4);
	memset(cap + CAP_HEADER_SIZE, FILL, size);
	memset(cap + CAP_HEADER_SIZE + size, 0, padded - size);
	handed->size += CAP_HEADER_SIZE + padded;
	handed->ser->nr_caps++;
}

/**
 * struct foreign_cap - A capability of another kernel, which this one ignores.
 * @name: Name of the case.
 * @id:   Capability ID, and EXTENDED.
 * @size: Size of its registers.
 */
struct foreign_cap {
	const char *name;
	u32 id;
	u8 size;
};

static const struct foreign_cap foreign_caps[] = {
	{ "unknown", 0x7f, 14 },
	{ "unknown_extended", 0x0fff | EXTENDED, 16 },
	{ "size_0", 0x7f, 0 },
	{ "size_1", 0x7f, 1 },
	{ "size_2", 0x7f, 2 },
	{ "size_3", 0x7f, 3 },
	{ "size_5", 0x7f, 5 },
	{ "size_255", 0x7f, 255 },
	{ "pcie_extended", PCI_CAP_ID_EXP | EXTENDED, 14 },
	{ "pcie_empty", EXP, 0 },
	{ "pcie_smaller", EXP, 12 },
	{ "pcie_smaller_by_1", EXP, 13 },
	{ "pcie_larger_by_1", EXP, 15 },
	{ "pcie_larger", EXP, 16 },
	{ "aer_not_extended", PCI_EXT_CAP_ID_ERR, 16 },
	{ "aer_smaller", ERR, 12 },
	{ "aer_larger", ERR, 20 },
};

KUNIT_ARRAY_PARAM_DESC(foreign_cap, foreign_caps, name);

static struct handed_over deserialize(struct kunit *test,
				      const struct handed_over *handed)
{
	struct api_test *t = test->priv;
	void *exact = copy_exactly(test, handed->ser, handed->size);
	struct pci_saved_state *state;

	state = pci_saved_state_deserialize(t->devs[EP_A0], exact, handed->size);
	return serialize_state(test, manage_state(test, state));
}

static void expect_cap(struct kunit *test, const struct handed_over *found,
		       const struct handed_over *want, u32 id)
{
	const u8 *cap = find_cap(found, id);
	const u8 *want_cap = find_cap(want, id);

	KUNIT_ASSERT_NOT_NULL(test, cap);
	KUNIT_ASSERT_NOT_NULL(test, want_cap);
	KUNIT_EXPECT_MEMEQ(test, cap, want_cap,
			   CAP_HEADER_SIZE + get_unaligned_le32(want_cap + 4));
}

/* Registers that the previous kernel saved differently have their current state. */
static void state_merges(struct kunit *test)
{
	const struct foreign_cap *foreign = test->param_value;
	struct handed_over handed, found, current_state;

	scan_in_use(test);
	handed = make_state(test);
	put_cap(&handed, foreign->id, foreign->size);
	put_cap(&handed, PTM, 4);

	found = deserialize(test, &handed);
	current_state = serialize_current(test, EP_A0);
	KUNIT_EXPECT_EQ(test, found.size, current_state.size);
	KUNIT_EXPECT_MEMEQ(test, (u8 *)found.ser, (u8 *)handed.ser, 64);
	expect_cap(test, &found, &current_state, EXP);
	expect_cap(test, &found, &current_state, ERR);
	/* The capability behind is the one of the previous kernel. */
	expect_cap(test, &found, &handed, PTM);
}

/* Damage */

/**
 * struct state_damage - Damage of a saved state.
 * @name:   Name of the case.
 * @size:   The size of the buffer if it is not 0.
 * @cut:    Number of bytes that are missing at the end.
 * @where:  Offset of a dword.
 * @val:    Its value, if @where is not 0.
 */
struct state_damage {
	const char *name;
	u8 size;
	u8 cut;
	u8 where;
	u32 val;
};

/* The whole state, and the offset of the size of its first capability. */
#define WHOLE_SIZE	132
#define CAP_SIZE	(HEADER_SIZE + 4)

static const struct state_damage state_damages[] = {
	{ "empty", .cut = WHOLE_SIZE },
	{ "one_byte", .size = 1 },
	{ "half_header", .size = HEADER_SIZE / 2 },
	{ "header_less_1", .size = HEADER_SIZE - 1 },
	{ "header_only", .size = HEADER_SIZE },
	{ "half_cap_header", .size = HEADER_SIZE + CAP_HEADER_SIZE - 1 },
	{ "no_data", .size = HEADER_SIZE + CAP_HEADER_SIZE },
	{ "cut_by_1", .cut = 1 },
	{ "cut_by_4", .cut = 4 },
	{ "reserved_1", .where = 68, .val = 1 },
	{ "reserved_top", .where = 68, .val = BIT(31) },
	{ "one_cap_more", .where = NR_CAPS, .val = 4 },
	{ "most_caps", .where = NR_CAPS, .val = U32_MAX },
	{ "cap_size_over_end", .where = CAP_SIZE, .val = 53 },
	{ "cap_size_of_buffer", .where = CAP_SIZE, .val = WHOLE_SIZE },
	{ "cap_size_sign", .where = CAP_SIZE, .val = BIT(31) },
	{ "cap_size_4g_less_12", .where = CAP_SIZE, .val = U32_MAX - 11 },
	{ "cap_size_4g_less_11", .where = CAP_SIZE, .val = U32_MAX - 10 },
	{ "cap_size_4g_less_8", .where = CAP_SIZE, .val = U32_MAX - 7 },
	{ "cap_size_4g_less_4", .where = CAP_SIZE, .val = U32_MAX - 3 },
	{ "cap_size_4g_less_3", .where = CAP_SIZE, .val = U32_MAX - 2 },
	{ "cap_size_4g_less_1", .where = CAP_SIZE, .val = U32_MAX },
};

KUNIT_ARRAY_PARAM_DESC(state_damage, state_damages, name);

/* A damaged state is refused, and does not become the one that the core restores. */
static void state_damaged(struct kunit *test)
{
	const struct state_damage *damage = test->param_value;
	struct api_test *t = test->priv;
	struct handed_over handed, before, after;
	struct pci_saved_state *state;
	u8 *ser;

	scan_in_use(test);
	before = serialize_current(test, EP_A0);
	handed = make_state(test);
	put_cap(&handed, EXP, 14);
	put_cap(&handed, ERR, 16);
	put_cap(&handed, PTM, 4);
	KUNIT_ASSERT_EQ(test, handed.size, WHOLE_SIZE);
	handed.size = (damage->size ?: WHOLE_SIZE) - damage->cut;
	ser = copy_exactly(test, handed.ser, handed.size);
	if (damage->where)
		put_unaligned_le32(damage->val, ser + damage->where);

	state = pci_saved_state_deserialize(t->devs[EP_A0], (void *)ser, handed.size);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(state), -EINVAL);
	if (!IS_ERR(state))
		kfree(state);
	after = serialize_saved(test, t->devs[EP_A0]);
	KUNIT_ASSERT_EQ(test, after.size, before.size);
	KUNIT_EXPECT_MEMEQ(test, (u8 *)after.ser, (u8 *)before.ser, before.size);
}

/* The suite */

static struct kunit_case takeover_cases[] = {
	KUNIT_CASE(enable_without_write),
	KUNIT_CASE(enable_with_write),
	KUNIT_CASE(enable_by_host),
	KUNIT_CASE_PARAM(state_round_trip, saved_fn_gen_params),
	KUNIT_CASE_PARAM(state_layout, saved_cap_gen_params),
	KUNIT_CASE_PARAM(state_merges, foreign_cap_gen_params),
	KUNIT_CASE_PARAM(state_damaged, state_damage_gen_params),
	{ }
};

static struct kunit_suite takeover_suite = {
	.name = "pci_liveupdate_takeover",
	.suite_init = api_suite_init,
	.init = api_test_init,
	.exit = api_test_exit,
	.test_cases = takeover_cases,
};

kunit_test_suite(takeover_suite);
