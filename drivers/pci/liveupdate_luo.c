// SPDX-License-Identifier: GPL-2.0
/*
 * PCI live update: FLB callbacks, boot and reboot.
 */

#define pr_fmt(fmt) "PCI: liveupdate: " fmt
#define dev_fmt(fmt) "liveupdate: " fmt

#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/cleanup.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/kexec.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/pci.h>
#include <linux/liveupdate.h>
#include <linux/math64.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/panic.h>
#include <linux/pci.h>
#include <linux/reboot.h>
#include <linux/sched/clock.h>
#include <linux/sprintf.h>
#include <linux/suspend.h>
#include <linux/time64.h>
#include <trace/events/pci_liveupdate.h>

#include "pci.h"
#include "liveupdate_index.h"

bool pci_liveupdate_handing_over;

/* LUO panics as well if it cannot restore its state, see luo_restore_fail(). */
VISIBLE_IF_KUNIT void pci_liveupdate_refuse_record(const char *reason, int err)
{
	KUNIT_STATIC_STUB_REDIRECT(pci_liveupdate_refuse_record, reason, err);

	panic("PCI: liveupdate: cannot use the record of preserved devices: %s; continuing would let their DMA corrupt memory; reset the host%s\n",
	      reason, err == -EPROTONOSUPPORT ?
		      ", and update to a kernel that knows such a record" : "");
}

static void pci_liveupdate_refuse_damage(const struct pci_liveupdate_damage *damage,
					 int err)
{
	char segment[32] = "";
	char reason[160];

	trace_pci_liveupdate_damage(NULL, damage);
	if (damage->in_segment)
		snprintf(segment, sizeof(segment), " of segment %04x",
			 damage->domain);
	snprintf(reason, sizeof(reason), "%s%s is %#llx, expected %s %#llx",
		 damage->field, segment, damage->found, damage->rule,
		 damage->expected);
	pci_liveupdate_refuse_record(reason, err);
}

/* FLB callbacks */

static int pci_liveupdate_flb_preserve(struct liveupdate_flb_op_args *args)
{
	struct pci_liveupdate_index *index;
	int err;

	index = pci_liveupdate_index_create();
	if (IS_ERR(index))
		return PTR_ERR(index);

	/* pci_liveupdate_warn_luo_off() reads this if LUO is off in the next kernel */
	err = kho_add_subtree(PCI_LUO_FLB_COMPATIBLE, index->ser,
			      sizeof(*index->ser));
	if (err) {
		pci_liveupdate_index_destroy(index);
		return err;
	}

	scoped_guard(mutex, &pci_liveupdate_lock)
		pci_liveupdate_outgoing = index;

	args->obj = index;
	args->data = pci_liveupdate_index_root_pa(index);
	return 0;
}

static void pci_liveupdate_flb_unpreserve(struct liveupdate_flb_op_args *args)
{
	struct pci_liveupdate_index *index = args->obj;

	scoped_guard(mutex, &pci_liveupdate_lock)
		pci_liveupdate_clear_outgoing(index);

	kho_remove_subtree(index->ser);
	pci_liveupdate_index_destroy(index);
}

VISIBLE_IF_KUNIT struct pci_liveupdate_index *
pci_liveupdate_read_record(u64 root_pa, struct pci_liveupdate_damage *damage)
{
	KUNIT_STATIC_STUB_REDIRECT(pci_liveupdate_read_record, root_pa, damage);

	return pci_liveupdate_index_restore(root_pa, damage);
}

static int pci_liveupdate_flb_retrieve(struct liveupdate_flb_op_args *args)
{
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;
	/* ktime_get() has a resolution of a jiffy this early */
	u64 start = sched_clock();
	int err;

	index = pci_liveupdate_read_record(args->data, &damage);
	err = PTR_ERR_OR_ZERO(index);
	trace_pci_liveupdate_retrieve(args->data, err ? NULL : index->ser, err,
				      start);
	if (err) {
		if (err == -ENOMEM)
			pci_liveupdate_refuse_record("no memory to read it", err);
		else
			pci_liveupdate_refuse_damage(&damage, err);
		return err;
	}

	pr_info("the previous kernel preserved %llu devices in %u segments, read in %llu us\n",
		pci_liveupdate_index_count(index), index->ser->nr_segments,
		div_u64(sched_clock() - start, NSEC_PER_USEC));

	if (pci_liveupdate_remember_segments(index)) {
		pci_liveupdate_refuse_record("no memory to remember its segments",
					     -ENOMEM);
		pci_liveupdate_index_destroy(index);
		return -ENOMEM;
	}

	scoped_guard(mutex, &pci_liveupdate_lock)
		WRITE_ONCE(pci_liveupdate_incoming, index);

	args->obj = index;
	return 0;
}

static void pci_liveupdate_flb_finish(struct liveupdate_flb_op_args *args)
{
	struct pci_liveupdate_index *index = args->obj;
	bool abandoned = pci_liveupdate_index_count(index);

	scoped_guard(mutex, &pci_liveupdate_lock)
		pci_liveupdate_abandon_all(index);

	if (abandoned)
		pci_liveupdate_announce_abandoned();
	pr_info("all files are finished, devices of the previous kernel are no longer preserved\n");
	pci_liveupdate_index_destroy(index);
}

VISIBLE_IF_KUNIT const struct liveupdate_flb_ops pci_liveupdate_flb_ops = {
	.preserve = pci_liveupdate_flb_preserve,
	.unpreserve = pci_liveupdate_flb_unpreserve,
	.retrieve = pci_liveupdate_flb_retrieve,
	.finish = pci_liveupdate_flb_finish,
	.owner = THIS_MODULE,
};

static struct liveupdate_flb pci_liveupdate_flb = {
	.ops = &pci_liveupdate_flb_ops,
	.compatible = PCI_LUO_FLB_COMPATIBLE,
};

/**
 * pci_liveupdate_register_fh - Register a file handler that preserves functions.
 * @fh: A handler after liveupdate_register_file_handler().
 *
 * Context: Process context. May sleep.
 * Return: 0, or an errno of liveupdate_register_flb(), such as:
 *         -EOPNOTSUPP if live update is off;
 *         -EEXIST if @fh is registered already;
 *         -ENOMEM if there is no memory.
 */
int pci_liveupdate_register_fh(struct liveupdate_file_handler *fh)
{
	return liveupdate_register_flb(fh, &pci_liveupdate_flb);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_register_fh);

/**
 * pci_liveupdate_unregister_fh - Undo pci_liveupdate_register_fh().
 * @fh: The handler, before liveupdate_unregister_file_handler().
 *
 * Context: Process context. May sleep.
 * Return: 0, or -EOPNOTSUPP if live update is off.
 */
int pci_liveupdate_unregister_fh(struct liveupdate_file_handler *fh)
{
	if (!liveupdate_enabled())
		return -EOPNOTSUPP;

	liveupdate_unregister_flb(fh, &pci_liveupdate_flb);
	return 0;
}
EXPORT_SYMBOL_GPL(pci_liveupdate_unregister_fh);

/* Boot */

static int pci_liveupdate_foreign_retrieve(struct liveupdate_flb_op_args *args)
{
	char reason[160];

	snprintf(reason, sizeof(reason),
		 "its name is \"%s\", a layout of other kernels, expected \"%s\"",
		 args->flb->compatible, PCI_LUO_FLB_COMPATIBLE);
	pci_liveupdate_refuse_record(reason, -EPROTONOSUPPORT);
	return -EPROTONOSUPPORT;
}

VISIBLE_IF_KUNIT const struct liveupdate_flb_ops pci_liveupdate_foreign_ops = {
	.retrieve = pci_liveupdate_foreign_retrieve,
};

/*
 * Names of records of other implementations. LUO ignores an FLB if no code
 * retrieves it, so retrieve these to detect them.
 */
static struct liveupdate_flb pci_liveupdate_foreign[] __initdata = {
	{ .ops = &pci_liveupdate_foreign_ops, .compatible = "pci" },
	{ .ops = &pci_liveupdate_foreign_ops, .compatible = "pci-v1" },
};

/* With LUO off only KHO finds the record. */
static void __init pci_liveupdate_warn_luo_off(void)
{
	struct pci_ser *root;
	phys_addr_t pa;
	size_t size;

	if (kho_retrieve_subtree(PCI_LUO_FLB_COMPATIBLE, &pa, &size) ||
	    size < sizeof(*root) || !kho_is_restorable(pa, sizeof(*root)))
		return;

	root = phys_to_virt(pa);
	if (root->nr_devices)
		pr_emerg("live update is off: DMA of %llu devices that the previous kernel preserved is unprotected; boot with liveupdate=on\n",
			 root->nr_devices);
}

/* Reboot and suspend */

/* Only kexec_file_load() passes memory to the next kernel, unless KHO is off. */
static bool pci_liveupdate_image_takes_record(void)
{
	return kexec_image && kexec_image->kho.fdt;
}

static int pci_liveupdate_reboot(struct notifier_block *nb, unsigned long action,
				 void *data)
{
	/*
	 * Writers check kexec_in_progress under the lock: the record does not
	 * change after this has acquired the lock.
	 */
	guard(mutex)(&pci_liveupdate_lock);

	if (!kexec_in_progress)
		return NOTIFY_DONE;

	/*
	 * LUO does not hand sessions of the previous kernel over once more, and the guard
	 * would refuse pci_device_shutdown() to stop their functions.
	 */
	if (pci_liveupdate_incoming)
		pci_liveupdate_abandon_all(pci_liveupdate_incoming);

	if (!pci_liveupdate_outgoing)
		return NOTIFY_DONE;

	if (!pci_liveupdate_image_takes_record()) {
		pr_err("the next kernel takes no record, as it was not loaded by kexec_file_load() with KHO: bus mastering of %llu preserved devices is cleared\n",
		       pci_liveupdate_index_count(pci_liveupdate_outgoing));
		return NOTIFY_DONE;
	}

	/*
	 * The guard now refuses writes, and reads without the lock the tables that
	 * pci_liveupdate_guard_init() has filled under it.
	 */
	smp_store_release(&pci_liveupdate_handing_over, true);
	pr_info("preserving %llu devices in %u segments for the next kernel\n",
		pci_liveupdate_index_count(pci_liveupdate_outgoing),
		pci_liveupdate_outgoing->ser->nr_segments);
	return NOTIFY_DONE;
}

VISIBLE_IF_KUNIT struct notifier_block pci_liveupdate_reboot_nb = {
	.notifier_call = pci_liveupdate_reboot,
};

/* Suspending powers devices off, and resuming writes to them. */
static int pci_liveupdate_pm(struct notifier_block *nb, unsigned long action,
			     void *data)
{
	if (action != PM_SUSPEND_PREPARE && action != PM_HIBERNATION_PREPARE &&
	    action != PM_RESTORE_PREPARE)
		return NOTIFY_DONE;

	guard(mutex)(&pci_liveupdate_lock);

	if (!pci_liveupdate_incoming && !pci_liveupdate_outgoing)
		return NOTIFY_DONE;

	pr_err("cannot suspend or hibernate while devices are preserved: finish or unpreserve them first\n");
	return notifier_from_errno(-EBUSY);
}

VISIBLE_IF_KUNIT struct notifier_block pci_liveupdate_pm_nb = {
	.notifier_call = pci_liveupdate_pm,
};

/* After LUO, which starts at early_initcall, and before any bus is scanned. */
static int __init pci_liveupdate_init(void)
{
	void *obj;
	int err;

	err = liveupdate_flb_get_incoming(&pci_liveupdate_flb, &obj);
	if (err == -EOPNOTSUPP) {
		pci_liveupdate_warn_luo_off();
		return 0;
	}

	/*
	 * LUO restored the count of files with the record: the files keep the
	 * FLB, and the last one must free it.
	 */
	if (!err)
		liveupdate_flb_put_incoming(&pci_liveupdate_flb);

	for (int i = 0; i < ARRAY_SIZE(pci_liveupdate_foreign); i++)
		liveupdate_flb_get_incoming(&pci_liveupdate_foreign[i], &obj);

	err = register_pm_notifier(&pci_liveupdate_pm_nb);
	if (err)
		return err;

	return register_reboot_notifier(&pci_liveupdate_reboot_nb);
}
core_initcall(pci_liveupdate_init);

/* Boot has scanned its buses by now. */
static int __init pci_liveupdate_count_found(void)
{
	u64 count, found;

	guard(mutex)(&pci_liveupdate_lock);

	if (!pci_liveupdate_incoming)
		return 0;

	count = pci_liveupdate_index_count(pci_liveupdate_incoming);
	found = pci_liveupdate_index_count_marked(pci_liveupdate_incoming);
	pr_info("found %llu of %llu preserved devices\n", found, count);
	if (found < count)
		pci_liveupdate_warn(pci_liveupdate_incoming,
				    "was preserved, but has not been found", true);
	return 0;
}
late_initcall_sync(pci_liveupdate_count_found);
