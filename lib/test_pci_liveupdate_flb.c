// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of PCI live update: the record and LUO.
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/liveupdate.h>
#include <linux/pci.h>
#include <linux/sprintf.h>
#include <linux/string.h>

#include "test_pci_liveupdate_api.h"
#include "test_pci_liveupdate_damage.h"

/* Reading the record */

static const void *next_damage(const void *prev, char *desc,
			       enum test_damage_level first,
			       enum test_damage_level last)
{
	const struct test_damage *damage = prev;

	damage = damage ? damage + 1 : test_damages;
	for (; damage < test_damages + ARRAY_SIZE(test_damages); damage++) {
		if (damage->level < first || damage->level > last)
			continue;
		strscpy(desc, damage->name, KUNIT_PARAM_DESC_SIZE);
		return damage;
	}

	return NULL;
}

static const void *record_damage_gen_params(struct kunit *test,
					    const void *prev, char *desc)
{
	return next_damage(prev, desc, DAMAGE_ADDRESS, DAMAGE_PFS);
}

static const void *entry_damage_gen_params(struct kunit *test,
					   const void *prev, char *desc)
{
	return next_damage(prev, desc, DAMAGE_FUNCTION, DAMAGE_BUS);
}

static const void *sriov_damage_gen_params(struct kunit *test,
					   const void *prev, char *desc)
{
	return next_damage(prev, desc, DAMAGE_PF, DAMAGE_VF_IDS);
}

/* Damage the record as the parameter of the test says; returns its address. */
static u64 damage_record(struct kunit *test, u16 function, u16 bridge,
			 char *text, size_t size)
{
	const struct test_damage *damage = test->param_value;
	struct test_damage_message message;
	struct api_test *t = test->priv;
	struct test_damage_target target = {
		.root_pa = t->rec.root_pa,
		.spare_pa = virt_to_phys(t->rec.spare),
		.function = function,
		.bridge = bridge,
		.pf = TEST_SAMPLE_PF,
		.vf = TEST_SAMPLE_VF,
	};

	test_damage_apply(damage, &target, &message);
	test_damage_print(damage, &message, text, size);
	return target.root_pa;
}

/* A damaged record stops the boot, with a message about the field. */
static void retrieve_refuses_damage(struct kunit *test)
{
	const struct test_damage *damage = test->param_value;
	struct api_test *t = test->priv;
	char text[160];
	int err;

	t->has_rec = true;
	if (test_damage_needs_pf(damage->level))
		test_record_sample_pf(test, &t->rec);
	else
		test_record_sample(test, &t->rec, damage->level == DAMAGE_SAMPLE);
	t->in.data = damage_record(test, TEST_SAMPLE_FUNCTION,
				   TEST_SAMPLE_BRIDGE, text, sizeof(text));
	err = pci_liveupdate_flb_ops.retrieve(&t->in);
	if (!err) {
		t->has_rec = false;
		KUNIT_FAIL_AND_ABORT(test, "the record was not refused");
	}
	KUNIT_EXPECT_EQ(test, err, damage->err);
	KUNIT_EXPECT_EQ(test, t->refusals, 1);
	KUNIT_EXPECT_EQ(test, t->refusal_err, damage->err);
	KUNIT_EXPECT_NULL(test, t->in.obj);
	KUNIT_EXPECT_STREQ(test, t->why, text);

	/* No device is treated as preserved. */
	api_scan_all(test);
	api_expect_no_flag(test, PCI_DEV_LIVEUPDATE_INCOMING);
}

/* A damaged entry stops its function, and no other. */
static void scan_stops_damaged(struct kunit *test)
{
	const struct test_damage *damage = test->param_value;
	struct api_test *t = test->priv;
	u64 *leaf_pa, good_pa;
	enum model_fn fn;
	char text[160];
	u64 *buses;

	fn = damage->level == DAMAGE_BRIDGE ? CONV_BR : EP_CONV;
	api_scan_all(test);
	api_begin_outgoing(test);
	/* With a PF in the record, more flags are valid. */
	KUNIT_ASSERT_EQ(test, api_preserve(t, EP_A0), 0);
	KUNIT_ASSERT_EQ(test, api_preserve(t, EP_CONV), 0);
	api_live_update(test);
	buses = phys_to_virt(test_record_segment(&t->rec, 0)->buses);
	leaf_pa = &buses[PCI_BUS_NUM(model_bdf(&t->model, EP_CONV))];
	good_pa = *leaf_pa;
	damage_record(test, model_bdf(&t->model, EP_CONV),
		      model_bdf(&t->model, CONV_BR), text, sizeof(text));
	t->model.fns[EP_CONV].cfg[PCI_COMMAND] = PCI_COMMAND_MASTER;
	t->model.fns[EP_A0].cfg[PCI_COMMAND] = PCI_COMMAND_MASTER;

	api_scan_all(test);
	KUNIT_EXPECT_EQ(test, t->refusals, 0);
	api_expect_logged(test, text);
	KUNIT_EXPECT_FALSE(test, api_has_flag(t->devs[fn],
					      PCI_DEV_LIVEUPDATE_INCOMING));
	if (fn == EP_CONV)
		KUNIT_EXPECT_EQ(test, t->model.fns[fn].cfg[PCI_COMMAND], 0);
	KUNIT_EXPECT_TRUE(test, api_is_preserved(t, EP_A0));
	KUNIT_EXPECT_EQ(test, t->model.fns[EP_A0].cfg[PCI_COMMAND],
			PCI_COMMAND_MASTER);

	/* Let the leaf be freed with the rest. */
	*leaf_pa = good_pa;
}

/* Read the entry of a function, or the state of a PF. */
static int read_function(struct pci_liveupdate_index *index, u16 bdf, bool sriov,
			 struct pci_liveupdate_damage *found)
{
	pci_ser_key_t key = PCI_SER_KEY(test_sample_domain(0), bdf);

	if (sriov)
		return PTR_ERR_OR_ZERO(test_index_sriov(index, key, found));
	return PTR_ERR_OR_ZERO(test_index_entry(index, key, found));
}

/* The entry of a PF, its state or the entry of a VF is damaged, and no other. */
static void index_refuses_sriov_damage(struct kunit *test)
{
	const struct test_damage *damage = test->param_value;
	struct pci_liveupdate_damage found = { };
	struct pci_liveupdate_index *index;
	struct api_test *t = test->priv;
	u64 *leaf_pa, good_pa;
	char text[160];

	t->has_rec = true;
	test_record_sample_pf(test, &t->rec);
	leaf_pa = phys_to_virt(test_record_segment(&t->rec, 0)->buses);
	leaf_pa += PCI_SER_BUSES + PCI_BUS_NUM(TEST_SAMPLE_PF);
	good_pa = *leaf_pa;
	damage_record(test, TEST_SAMPLE_FUNCTION, TEST_SAMPLE_BRIDGE, text, sizeof(text));
	index = pci_liveupdate_index_restore(t->rec.root_pa, &found);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, index);
	t->has_rec = false;

	KUNIT_EXPECT_EQ(test, read_function(index, TEST_SAMPLE_PF, false, &found),
			damage->level == DAMAGE_PF ? damage->err : 0);
	KUNIT_EXPECT_EQ(test, read_function(index, TEST_SAMPLE_VF, false, &found),
			damage->level == DAMAGE_VF ? damage->err : 0);
	KUNIT_EXPECT_EQ(test, read_function(index, TEST_SAMPLE_PF, true, &found),
			damage->level >= DAMAGE_SRIOV ? damage->err : 0);
	KUNIT_EXPECT_EQ(test, read_function(index, TEST_SAMPLE_LAST_VF, false, &found), 0);
	KUNIT_EXPECT_STREQ(test, found.field, damage->text);
	KUNIT_EXPECT_STREQ(test, found.rule, damage->rule);

	/* Let the leaf be freed with the rest. */
	*leaf_pa = good_pa;
	pci_liveupdate_index_destroy(index);
	test_record_gone(test, &t->rec);
}

static struct pci_liveupdate_index *
failing_read(u64 root_pa, struct pci_liveupdate_damage *damage)
{
	return ERR_PTR(-ENOMEM);
}

static int failing_remember(struct pci_liveupdate_index *index)
{
	return -ENOMEM;
}

/* The boot stops if there is no memory to read the record. */
static void retrieve_no_memory(struct kunit *test)
{
	struct api_test *t = test->priv;

	t->has_rec = true;
	test_record_sample(test, &t->rec, false);
	t->in.data = t->rec.root_pa;
	kunit_activate_static_stub(test, pci_liveupdate_read_record, failing_read);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_flb_ops.retrieve(&t->in), -ENOMEM);
	kunit_deactivate_static_stub(test, pci_liveupdate_read_record);
	KUNIT_EXPECT_EQ(test, t->refusals, 1);
	KUNIT_EXPECT_STREQ(test, t->why, "no memory to read it");

	kunit_activate_static_stub(test, pci_liveupdate_remember_segments,
				   failing_remember);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_flb_ops.retrieve(&t->in), -ENOMEM);
	kunit_deactivate_static_stub(test, pci_liveupdate_remember_segments);
	t->has_rec = false;
	KUNIT_EXPECT_EQ(test, t->refusals, 2);
	KUNIT_EXPECT_STREQ(test, t->why, "no memory to remember its segments");
	KUNIT_EXPECT_NULL(test, t->in.obj);
	test_record_gone(test, &t->rec);

	api_scan_all(test);
	api_expect_no_flag(test, PCI_DEV_LIVEUPDATE_INCOMING);
}

/* Refuse a record of another layout. */
#define FOREIGN_NAME	"pci-v1"

static void retrieve_refuses_foreign(struct kunit *test)
{
	static struct liveupdate_flb flb = { .compatible = FOREIGN_NAME };
	struct liveupdate_flb_op_args args = { .flb = &flb };
	struct api_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, -EPROTONOSUPPORT,
			pci_liveupdate_foreign_ops.retrieve(&args));
	KUNIT_EXPECT_EQ(test, t->refusals, 1);
	KUNIT_EXPECT_EQ(test, t->refusal_err, -EPROTONOSUPPORT);
	KUNIT_EXPECT_NOT_NULL(test, strstr(t->why, "\"" FOREIGN_NAME "\""));
	KUNIT_EXPECT_NOT_NULL(test, strstr(t->why, PCI_LUO_FLB_COMPATIBLE));
}

/* All files are finished, but not all functions. */
static void finish_flb_leftovers(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_live_update_all(test);
	api_finish(t, EP_A0);
	api_finish_flb(test);
	api_expect_logged(test, "1234:03:00.7 was preserved, but is not finished");
	KUNIT_EXPECT_FALSE(test, test_logged(&t->guard, "1234:03:00.0 was"));
	api_expect_no_flag(test, PCI_DEV_LIVEUPDATE_INCOMING);
	/* A rescan does not find it preserved either. */
	api_remove_dev(t, EP_A1);
	api_rescan(t);
	KUNIT_EXPECT_FALSE(test, api_is_preserved(t, EP_A1));
}

/* Through LUO, with files */

#define FH_COMPATIBLE	"pci-liveupdate-kunit"

static const struct file_operations test_fops = {
};

/* Set to make the handler forget to unpreserve. */
static bool forget_to_unpreserve;

static bool fh_can_preserve(struct liveupdate_file_handler *fh,
			    struct file *file)
{
	return file->f_op == &test_fops;
}

static int fh_preserve(struct liveupdate_file_op_args *args)
{
	struct pci_dev *dev = args->file->private_data;

	return dev ? pci_liveupdate_outgoing_preserve(dev) : 0;
}

static void fh_unpreserve(struct liveupdate_file_op_args *args)
{
	struct pci_dev *dev = args->file->private_data;

	if (dev && !forget_to_unpreserve)
		pci_liveupdate_outgoing_unpreserve(dev);
}

static int fh_retrieve(struct liveupdate_file_op_args *args)
{
	return -EOPNOTSUPP;
}

static void fh_finish(struct liveupdate_file_op_args *args)
{
}

static const struct liveupdate_file_ops fh_ops = {
	.can_preserve = fh_can_preserve,
	.preserve = fh_preserve,
	.unpreserve = fh_unpreserve,
	.retrieve = fh_retrieve,
	.finish = fh_finish,
	.owner = THIS_MODULE,
};

static struct liveupdate_file_handler test_fh = {
	.ops = &fh_ops,
	.compatible = FH_COMPATIBLE,
};

static void register_fh(struct kunit *test)
{
	struct api_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, liveupdate_register_file_handler(&test_fh), 0);
	t->fh = &test_fh;
	KUNIT_ASSERT_EQ(test, pci_liveupdate_register_fh(&test_fh), 0);
}

/* Let LUO preserve a file, whose handler preserves @dev unless it is NULL. */
static int preserve_file(struct luo_file_set *files, u64 token,
			 struct pci_dev *dev)
{
	struct file *file;
	int fd, err;

	file = anon_inode_getfile("[pci-liveupdate-kunit]", &test_fops, dev,
				  O_RDWR);
	if (IS_ERR(file))
		return PTR_ERR(file);

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		fput(file);
		return fd;
	}

	fd_install(fd, file);
	err = luo_preserve_file(files, token, fd);
	close_fd(fd);
	return err;
}

/* The first file creates the record, and the last file frees it. */
static void luo_first_and_last_file(struct kunit *test)
{
	struct api_test *t = test->priv;
	struct luo_file_set more;

	luo_file_set_init(&more);
	api_scan_all(test);
	register_fh(test);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), -ENOENT);

	KUNIT_ASSERT_EQ(test, preserve_file(&t->files, 1, t->devs[EP_CONV]), 0);
	KUNIT_EXPECT_EQ(test, preserve_file(&more, 2, t->devs[PF]), 0);
	KUNIT_EXPECT_TRUE(test, api_is_outgoing(t, EP_CONV));
	/* Sessions share the record, so a function can be in one of them only. */
	KUNIT_EXPECT_EQ(test, preserve_file(&more, 3, t->devs[EP_CONV]),
			-EBUSY);
	KUNIT_EXPECT_TRUE(test, api_is_outgoing(t, CONV_BR));

	luo_file_unpreserve_files(&t->files);
	KUNIT_EXPECT_FALSE(test, api_is_outgoing(t, CONV_BR));
	KUNIT_EXPECT_TRUE(test, api_is_outgoing(t, PF));
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), 0);
	api_unpreserve(t, EP_A0);

	luo_file_unpreserve_files(&more);
	KUNIT_EXPECT_FALSE(test, api_is_outgoing(t, RP_B));
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), -ENOENT);
	KUNIT_EXPECT_FALSE(test, test_logged(&t->guard, "not unpreserved"));
	luo_file_set_destroy(&more);
}

/* If the handler fails, LUO frees the record. */
static void luo_preserve_fails(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	register_fh(test);
	KUNIT_EXPECT_EQ(test, preserve_file(&t->files, 1, t->devs[RP_A]),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, preserve_file(&t->files, 1, t->devs[EP_ACS]),
			-EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), -ENOENT);
	KUNIT_EXPECT_EQ(test, preserve_file(&t->files, 1, t->devs[EP_A0]), 0);
}

static void luo_leftovers(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	register_fh(test);
	KUNIT_ASSERT_EQ(test, preserve_file(&t->files, 1, t->devs[EP_A0]), 0);
	forget_to_unpreserve = true;
	luo_file_unpreserve_files(&t->files);
	forget_to_unpreserve = false;
	api_expect_logged(test, "1234:03:00.0 was preserved, but not unpreserved");
	api_expect_no_flag(test, PCI_DEV_LIVEUPDATE_OUTGOING);

	/* The next record does not contain the function. */
	KUNIT_ASSERT_EQ(test, preserve_file(&t->files, 1, NULL), 0);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), 0);
	api_unpreserve(t, EP_A0);
}

static void luo_register(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	register_fh(test);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_register_fh(&test_fh), -EEXIST);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_unregister_fh(&test_fh), 0);

	/* A file of an unregistered handler does not create a record. */
	KUNIT_ASSERT_EQ(test, preserve_file(&t->files, 1, NULL), 0);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), -ENOENT);
	luo_file_unpreserve_files(&t->files);

	KUNIT_EXPECT_EQ(test, pci_liveupdate_register_fh(&test_fh), 0);
	KUNIT_ASSERT_EQ(test, preserve_file(&t->files, 1, NULL), 0);
	KUNIT_EXPECT_EQ(test, api_preserve(t, EP_A0), 0);
	api_unpreserve(t, EP_A0);
}

/* Clients of the API under the names of the mailing lists need no change. */
static void luo_other_names(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_scan_all(test);
	register_fh(test);
	pci_liveupdate_unregister_flb(&test_fh);
	KUNIT_ASSERT_EQ(test, preserve_file(&t->files, 1, NULL), 0);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_preserve(t->devs[EP_A0]), -ENOENT);
	luo_file_unpreserve_files(&t->files);

	KUNIT_EXPECT_EQ(test, pci_liveupdate_register_flb(&test_fh), 0);
	KUNIT_ASSERT_EQ(test, preserve_file(&t->files, 1, NULL), 0);
	KUNIT_EXPECT_EQ(test, pci_liveupdate_preserve(t->devs[EP_A0]), 0);
	KUNIT_EXPECT_TRUE(test, api_is_outgoing(t, EP_A0));
	pci_liveupdate_unpreserve(t->devs[EP_A0]);
	KUNIT_EXPECT_FALSE(test, api_is_outgoing(t, EP_A0));
}

static void finish_other_names(struct kunit *test)
{
	struct api_test *t = test->priv;

	api_live_update_all(test);
	KUNIT_EXPECT_TRUE(test, pci_liveupdate_is_incoming(t->devs[EP_A0]));
	pci_liveupdate_finish(t->devs[EP_A0]);
	KUNIT_EXPECT_FALSE(test, pci_liveupdate_is_incoming(t->devs[EP_A0]));
	api_expect_incoming(test, ALL_FUNCTIONS & ~BIT(EP_A0));
}

/* The suite */

static struct kunit_case flb_cases[] = {
	KUNIT_CASE_PARAM(retrieve_refuses_damage, record_damage_gen_params),
	KUNIT_CASE_PARAM(scan_stops_damaged, entry_damage_gen_params),
	KUNIT_CASE_PARAM(index_refuses_sriov_damage, sriov_damage_gen_params),
	KUNIT_CASE(retrieve_no_memory),
	KUNIT_CASE(retrieve_refuses_foreign),
	KUNIT_CASE(finish_flb_leftovers),
	KUNIT_CASE(luo_first_and_last_file),
	KUNIT_CASE(luo_preserve_fails),
	KUNIT_CASE(luo_leftovers),
	KUNIT_CASE(luo_register),
	KUNIT_CASE(luo_other_names),
	KUNIT_CASE(finish_other_names),
	{ }
};

static struct kunit_suite flb_suite = {
	.name = "pci_liveupdate_flb",
	.suite_init = api_suite_init,
	.init = api_test_init,
	.exit = api_test_exit,
	.test_cases = flb_cases,
};

kunit_test_suite(flb_suite);
