// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmark of the index of preserved PCI functions, in the kernel. Reading
 *
 *	/sys/kernel/debug/pci_liveupdate_benchmark
 *
 * runs it, and the results are what is read. There is no kexec in between: what is
 * looked up and finished is the record that this kernel made.
 */

#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/kho_radix_tree.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>

#include "pci_liveupdate_benchmark.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX	"pci_liveupdate_benchmark."

/* Room for all results: seq_file would run it once more if there was not. */
#define RESULTS_SIZE		SZ_1M

static uint min_functions = 1;
module_param_named(min, min_functions, uint, 0644);
MODULE_PARM_DESC(min, "Smallest number of functions");

static uint max_functions = 4096;
module_param_named(max, max_functions, uint, 0644);
MODULE_PARM_DESC(max, "Largest number of functions");

static char *layout;
module_param(layout, charp, 0644);
MODULE_PARM_DESC(layout, "Only this one: dense, bus or segment");

static char *order;
module_param(order, charp, 0644);
MODULE_PARM_DESC(order, "Only this one: ascending, random or bridge");

const struct bench_contender * const bench_contenders[] = {
	&bench_bitmap, &bench_set, &bench_index, &bench_array, &bench_list,
#ifdef CONFIG_PCI_LIVEUPDATE_BENCHMARK_RADIX
	&bench_radix,
#endif
};

const unsigned int bench_nr_contenders = ARRAY_SIZE(bench_contenders);

/* Where the results of the one that runs go. */
static struct seq_file *results;
static DEFINE_MUTEX(results_lock);

u64 bench_clock(void)
{
	return ktime_get_ns();
}

void bench_count_begin(void)
{
}

void bench_count_end(const char *contender, const struct bench_trace *trace,
		     const char *op)
{
}

u64 bench_counted(void)
{
	return 0;
}

void *bench_alloc(size_t size)
{
	return kvzalloc(size, GFP_KERNEL);
}

void bench_free(void *p)
{
	kvfree(p);
}

void bench_print(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	seq_vprintf(results, fmt, args);
	va_end(args);
}

bool bench_rest(void)
{
	cond_resched();
	return fatal_signal_pending(current);
}

void bench_rewind(void)
{
}

bool bench_can_kexec(void)
{
	return false;
}

void bench_kexec(void)
{
}

void bench_kexec_again(void)
{
}

size_t bench_preserved_bytes(void)
{
	return 0;
}

size_t bench_heap_bytes(void)
{
	return 0;
}

unsigned long bench_allocations(void)
{
	return 0;
}

static int bench_show(struct seq_file *m, void *v)
{
	struct bench_options options = {
		.layout = layout,
		.order = order,
		.min = min_functions,
		.max = max_functions,
	};
	unsigned int bad;

	guard(mutex)(&results_lock);
	results = m;
	bad = bench_run(&options);
	seq_printf(m, "# %u bad\n", bad);
	return bad ? -EIO : 0;
}

static int bench_open(struct inode *inode, struct file *file)
{
	return single_open_size(file, bench_show, NULL, RESULTS_SIZE);
}

static const struct file_operations bench_fops = {
	.owner		= THIS_MODULE,
	.open		= bench_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= single_release,
};

static int __init bench_init(void)
{
	debugfs_create_file("pci_liveupdate_benchmark", 0400, NULL, NULL,
			    &bench_fops);
	return 0;
}
late_initcall(bench_init);
