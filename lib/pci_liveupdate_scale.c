// SPDX-License-Identifier: GPL-2.0
/*
 * Measure PCI live update with the functions of the test hosts.
 */

/**
 * DOC: PCI live update at scale
 *
 * One file represents the functions of the test hosts, with a share of the VFs:
 * LUO preserves and finishes these functions with this file. This separates the
 * cost of the calls of the PCI core from the cost of LUO for each file. In
 * /sys/kernel/debug/pci_liveupdate_scale:
 *
 * all
 *   This file.
 * vfs_percent
 *   The share of the VFs, spread evenly.
 * start_vfs
 *   Writing to it makes all VFs bus masters, as their owners would.
 * threads
 *   The number of threads that make the calls. With several threads, one thread
 *   handles the first half of the functions and all threads handle the second
 *   half, so that one run measures both.
 * check
 *   Reading it counts the preserved functions and bridges.
 * report
 *   The measurements since boot, one for each line. A line that begins with
 *   "call" has the call, the number of threads, of calls, and the nanoseconds.
 */

#define pr_fmt(fmt) "PCI: liveupdate: scale: " fmt

#include <linux/anon_inodes.h>
#include <linux/cleanup.h>
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/kobject.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/liveupdate.h>
#include <linux/lockdep.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/seq_file.h>
#include <linux/vmalloc.h>

#include "../drivers/pci/pci.h"
#include "pci_liveupdate_hosts.h"

#define SCALE_NAME		"pci-liveupdate-scale"
#define SCALE_COMPATIBLE	"pci-liveupdate-scale-v1"
#define SCALE_MAX_THREADS	16

enum scale_call {
	CALL_PRESERVE,
	CALL_UNPRESERVE,
	CALL_IS_PRESERVED,
	CALL_FINISH,
	NR_CALLS,
};

static const char * const call_names[] = {
	[CALL_PRESERVE] = "preserve",
	[CALL_UNPRESERVE] = "unpreserve",
	[CALL_IS_PRESERVED] = "is_preserved",
	[CALL_FINISH] = "finish",
};

/* The duration of the calls of one kind, by one thread and by several. */
struct scale_cost {
	unsigned int threads;
	unsigned int calls;
	u64 ns;
};

static struct scale_cost costs[NR_CALLS][2];
static u64 hooks_ns;
static u64 uevents_ns;
static u32 scale_threads = 1;
static u32 scale_vfs_percent = 100;

/* Protects the targets. */
static DEFINE_MUTEX(scale_lock);

/* The functions that the file represents; referenced. */
static struct pci_dev **targets;
static unsigned int nr_targets;

/* Targets */

static void drop_targets(void)
{
	lockdep_assert_held(&scale_lock);

	while (nr_targets)
		pci_dev_put(targets[--nr_targets]);
	vfree(targets);
	targets = NULL;
}

/* Check if the @nr-th VF belongs to the share. */
static bool is_in_share(u64 nr)
{
	u64 percent = min(READ_ONCE(scale_vfs_percent), 100U);

	return div_u64((nr + 1) * percent, 100) != div_u64(nr * percent, 100);
}

/*
 * Collect the functions without VFs, and VFs: those that the previous kernel
 * preserved if @incoming, otherwise those to preserve for the next kernel.
 */
static int collect_targets(bool incoming)
{
	struct pci_liveupdate_hosts *hosts = &pci_liveupdate_hosts;
	unsigned int max = pci_liveupdate_hosts_nr_vfs(), nr = 0;
	struct pci_dev *vf = NULL;

	lockdep_assert_held(&scale_lock);

	drop_targets();
	if (!hosts->nr_functions && !max)
		return 0;

	targets = vcalloc(hosts->nr_functions + max, sizeof(*targets));
	if (!targets)
		return -ENOMEM;

	for (unsigned int i = 0; i < hosts->nr_functions; i++)
		targets[nr_targets++] = pci_dev_get(hosts->functions[i]);

	while (nr < max && (vf = pci_liveupdate_hosts_next_vf(vf))) {
		if (incoming ? pci_liveupdate_incoming_is_preserved(vf) :
			       is_in_share(nr))
			targets[nr_targets++] = pci_dev_get(vf);
		nr++;
	}
	pci_dev_put(vf);
	return 0;
}

/* Making calls */

static int make_call(enum scale_call call, struct pci_dev *dev)
{
	switch (call) {
	case CALL_PRESERVE:
		return pci_liveupdate_outgoing_preserve(dev);
	case CALL_UNPRESERVE:
		pci_liveupdate_outgoing_unpreserve(dev);
		return 0;
	case CALL_IS_PRESERVED:
		return pci_liveupdate_incoming_is_preserved(dev) ? 0 : -ENODEV;
	case CALL_FINISH:
		pci_liveupdate_incoming_finish(dev);
		return 0;
	default:
		return -EINVAL;
	}
}

/**
 * struct scale_work - A thread's share of the functions.
 * @call:  The call.
 * @first: Its first function; each thread takes every @step-th one.
 * @last:  One behind the last function of all threads.
 * @step:  Number of threads.
 * @err:   The first error.
 * @start: Completed when the thread may begin.
 * @done:  Completed when the thread is done.
 */
struct scale_work {
	enum scale_call call;
	unsigned int first;
	unsigned int last;
	unsigned int step;
	int err;
	struct completion *start;
	struct completion done;
};

static void do_work(struct scale_work *work)
{
	for (unsigned int i = work->first; i < work->last; i += work->step) {
		int err = make_call(work->call, targets[i]);

		if (err && !work->err)
			work->err = err;
	}
}

static int thread_fn(void *data)
{
	struct scale_work *work = data;

	wait_for_completion(work->start);
	do_work(work);
	complete(&work->done);
	return 0;
}

/* Start @nr threads and wait for them, even if some cannot be created. */
static int run_threads(struct scale_work *works, unsigned int nr,
		       struct completion *start, u64 *ns)
{
	unsigned int running;
	int err = 0;

	for (running = 0; running < nr && !err; running++) {
		struct task_struct *task;

		task = kthread_run(thread_fn, &works[running], SCALE_NAME "/%u",
				   running);
		if (IS_ERR(task)) {
			err = PTR_ERR(task);
			break;
		}
	}

	*ns = ktime_get_ns();
	complete_all(start);
	for (unsigned int i = 0; i < running; i++) {
		wait_for_completion(&works[i].done);
		err = err ?: works[i].err;
	}
	*ns = ktime_get_ns() - *ns;
	return err;
}

/* Make @call for the functions from @first to before @last. */
static int run(enum scale_call call, unsigned int first, unsigned int last,
	       unsigned int threads)
{
	struct scale_cost *cost = &costs[call][threads > 1];
	struct scale_work works[SCALE_MAX_THREADS] = {};
	DECLARE_COMPLETION_ONSTACK(start);
	u64 ns;
	int err;

	for (unsigned int i = 0; i < threads; i++) {
		works[i] = (struct scale_work) {
			.call = call,
			.first = first + i,
			.last = last,
			.step = threads,
			.start = &start,
		};
		init_completion(&works[i].done);
	}

	if (threads > 1) {
		err = run_threads(works, threads, &start, &ns);
	} else {
		ns = ktime_get_ns();
		do_work(works);
		ns = ktime_get_ns() - ns;
		err = works->err;
	}

	*cost = (struct scale_cost) { threads, last - first, ns };
	return err;
}

static int run_all(enum scale_call call)
{
	unsigned int threads = READ_ONCE(scale_threads);
	unsigned int nr = nr_targets;
	int err, err_many;

	lockdep_assert_held(&scale_lock);

	if (!threads || threads > SCALE_MAX_THREADS) {
		pr_err("%u threads asked for, 1 to %d are possible\n", threads,
		       SCALE_MAX_THREADS);
		return -EINVAL;
	}

	if (threads == 1)
		return run(call, 0, nr, 1);

	err = run(call, 0, nr / 2, 1);
	err_many = run(call, nr / 2, nr, threads);
	return err ?: err_many;
}

/* The file of all functions */

static const struct file_operations all_fops = {
	.owner = THIS_MODULE,
};

static bool scale_can_preserve(struct liveupdate_file_handler *handler,
			       struct file *file)
{
	return file->f_op == &all_fops;
}

/* After an error only some functions are preserved. */
static void unpreserve_some(void)
{
	for (unsigned int i = 0; i < nr_targets; i++) {
		struct pci_dev *dev = targets[i];

		if (test_bit(PCI_DEV_LIVEUPDATE_OUTGOING, &dev->priv_flags))
			pci_liveupdate_outgoing_unpreserve(dev);
	}
}

static int scale_preserve(struct liveupdate_file_op_args *args)
{
	int err;

	guard(mutex)(&scale_lock);

	err = collect_targets(false);
	if (err)
		return err;

	err = run_all(CALL_PRESERVE);
	if (err) {
		unpreserve_some();
		return err;
	}

	args->serialized_data = nr_targets;
	return 0;
}

static void scale_unpreserve(struct liveupdate_file_op_args *args)
{
	guard(mutex)(&scale_lock);

	run_all(CALL_UNPRESERVE);
	/* Don't keep VFs that may be removed now. */
	collect_targets(true);
}

static int scale_retrieve(struct liveupdate_file_op_args *args)
{
	struct file *file;

	if (args->serialized_data != READ_ONCE(nr_targets)) {
		pr_err("%llu functions were preserved and there are %u: give both kernels the same test hosts\n",
		       args->serialized_data, READ_ONCE(nr_targets));
		return -ENODEV;
	}

	file = anon_inode_getfile("[" SCALE_NAME "]", &all_fops, NULL, O_RDWR);
	if (IS_ERR(file))
		return PTR_ERR(file);

	args->file = file;
	return 0;
}

/*
 * Finishing a function sends a uevent, which takes most of the time. Send another
 * uevent afterwards, to measure its share.
 */
static void finish_with_uevents(void)
{
	char *envp[] = { "PCI_LIVEUPDATE=finished", NULL };
	u64 finish_ns = 0, start, between;

	for (unsigned int i = 0; i < nr_targets; i++) {
		struct pci_dev *dev = targets[i];

		start = ktime_get_ns();
		pci_liveupdate_incoming_finish(dev);
		between = ktime_get_ns();
		kobject_uevent_env(&dev->dev.kobj, KOBJ_CHANGE, envp);
		finish_ns += between - start;
		uevents_ns += ktime_get_ns() - between;
	}

	costs[CALL_FINISH][0] = (struct scale_cost) {
		1, nr_targets, finish_ns,
	};
}

static bool scale_can_finish(struct liveupdate_file_op_args *args)
{
	return args->retrieve_status != 0;
}

static void scale_finish(struct liveupdate_file_op_args *args)
{
	if (args->retrieve_status <= 0)
		return;

	guard(mutex)(&scale_lock);

	if (READ_ONCE(scale_threads) == 1)
		finish_with_uevents();
	else
		run_all(CALL_FINISH);
	/* As after unpreserving */
	collect_targets(true);
}

static const struct liveupdate_file_ops scale_file_ops = {
	.can_preserve = scale_can_preserve,
	.preserve = scale_preserve,
	.unpreserve = scale_unpreserve,
	.retrieve = scale_retrieve,
	.can_finish = scale_can_finish,
	.finish = scale_finish,
	.owner = THIS_MODULE,
};

static struct liveupdate_file_handler scale_handler = {
	.ops = &scale_file_ops,
	.compatible = SCALE_COMPATIBLE,
};

/* Enumeration */

/*
 * Repeat the calls that enumeration makes for a device. Leave reading the BARs out,
 * as enumeration without PCI live update reads them too.
 */
static void call_hooks(struct pci_dev *dev)
{
	int first = 1, last = 0;

	pci_liveupdate_setup_device(dev);
	pci_liveupdate_bar_sizes(dev, 0, NULL, 0, NULL);
	if (dev->hdr_type != PCI_HEADER_TYPE_BRIDGE)
		return;

	/* Enumeration scans a bridge in two passes. */
	for (int pass = 0; pass < 2; pass++)
		pci_liveupdate_find_bus_numbers(dev, pass, &first, &last);
	pci_liveupdate_bus_scanned(dev->subordinate);
}

static void __init measure_hooks(void)
{
	u64 start = ktime_get_ns();

	for (unsigned int i = 0; i < pci_liveupdate_hosts.nr_bridges; i++)
		call_hooks(pci_liveupdate_hosts.bridges[i]);
	for (unsigned int i = 0; i < pci_liveupdate_hosts.nr_functions; i++)
		call_hooks(pci_liveupdate_hosts.functions[i]);
	hooks_ns = ktime_get_ns() - start;
}

/* debugfs */

static unsigned int count_preserved(struct pci_dev **devs, unsigned int nr)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < nr; i++)
		count += pci_liveupdate_incoming_is_preserved(devs[i]);
	return count;
}

static int check_show(struct seq_file *m, void *v)
{
	struct pci_liveupdate_hosts *hosts = &pci_liveupdate_hosts;
	int err;

	guard(mutex)(&scale_lock);

	err = run_all(CALL_IS_PRESERVED);
	if (err && err != -ENODEV)
		return err;

	seq_printf(m, "preserved_functions %u\n",
		   count_preserved(targets, nr_targets));
	seq_printf(m, "preserved_bridges %u\n",
		   count_preserved(hosts->bridges, hosts->nr_bridges));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(check);

static int report_show(struct seq_file *m, void *v)
{
	struct pci_liveupdate_hosts *hosts = &pci_liveupdate_hosts;

	seq_printf(m, "segments %u\n", hosts->nr_segments);
	seq_printf(m, "functions %u\n", hosts->nr_functions);
	seq_printf(m, "bridges %u\n", hosts->nr_bridges);
	seq_printf(m, "enumerate_ns %llu\n", hosts->enumerate_ns);
	seq_printf(m, "enumerate_kb %ld\n", hosts->enumerate_kb);
	seq_printf(m, "hooks_ns %llu\n", hooks_ns);
	seq_printf(m, "uevents_ns %llu\n", uevents_ns);
	pci_liveupdate_hosts_report_sriov(m);
	for (enum scale_call call = 0; call < NR_CALLS; call++) {
		for (int i = 0; i < ARRAY_SIZE(costs[call]); i++) {
			struct scale_cost *cost = &costs[call][i];

			if (cost->calls)
				seq_printf(m, "call %s %u %u %llu\n",
					   call_names[call], cost->threads,
					   cost->calls, cost->ns);
		}
	}

	return 0;
}
DEFINE_SHOW_ATTRIBUTE(report);

static int start_vfs_set(void *data, u64 val)
{
	struct pci_dev *vf = NULL;

	while ((vf = pci_liveupdate_hosts_next_vf(vf)))
		pci_set_master(vf);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(start_vfs_fops, NULL, start_vfs_set, "%llu\n");

static int __init scale_register_handler(void)
{
	int err;

	err = liveupdate_register_file_handler(&scale_handler);
	if (err)
		return err;

	err = pci_liveupdate_register_fh(&scale_handler);
	if (err)
		liveupdate_unregister_file_handler(&scale_handler);
	return err;
}

/* Runs after the enumeration of the test hosts. */
static int __init scale_init(void)
{
	struct dentry *dir;
	int err;

	if ((!pci_liveupdate_hosts.nr_functions && !pci_liveupdate_hosts_have_sriov()) ||
	    !liveupdate_enabled())
		return 0;

	pci_liveupdate_hosts_mark_vfs();
	measure_hooks();
	scoped_guard(mutex, &scale_lock)
		err = collect_targets(true);
	if (err)
		return err;

	err = scale_register_handler();
	if (err)
		return err;

	dir = debugfs_create_dir("pci_liveupdate_scale", NULL);
	/* Its file operations distinguish this file from others. */
	debugfs_create_file_unsafe("all", 0600, dir, NULL, &all_fops);
	debugfs_create_u32("threads", 0600, dir, &scale_threads);
	debugfs_create_u32("vfs_percent", 0600, dir, &scale_vfs_percent);
	debugfs_create_file_unsafe("start_vfs", 0200, dir, NULL, &start_vfs_fops);
	debugfs_create_file("check", 0400, dir, NULL, &check_fops);
	debugfs_create_file("report", 0400, dir, NULL, &report_fops);
	return 0;
}
late_initcall(scale_init);
