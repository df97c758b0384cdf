// SPDX-License-Identifier: GPL-2.0
/*
 * Run the benchmark of the index of preserved PCI functions in user space: the
 * same source as in the kernel, on the kernel's own xarray and block sets.
 */

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/perf_event.h>
#include <linux/kernel.h>
#include <linux/radix-tree.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

#ifdef HAVE_CALLGRIND
#include <valgrind/callgrind.h>
#else
#define RUNNING_ON_VALGRIND		0
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_DUMP_STATS_AT(name)
#endif

#include "heap_shim.h"
#include "kho_shim.h"
#include "pci_liveupdate_benchmark.h"

const struct bench_contender * const bench_contenders[] = {
	&bench_bitmap, &bench_set, &bench_index, &bench_array, &bench_list,
};

const unsigned int bench_nr_contenders = ARRAY_SIZE(bench_contenders);

/* A counter of the processor, or -1. */
static int counter = -1;
static u64 counted;

u64 bench_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* What --count names, and what perf calls it. */
static const struct {
	const char *name;
	u32 type;
	u64 config;
} events[] = {
	{ "instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS },
	{ "cache-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES },
	{ "branch-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES },
	/* Also there where the processor counts nothing. */
	{ "task-clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK },
};

static void counter_open(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		struct perf_event_attr attr = {
			.size = sizeof(attr),
			.type = events[i].type,
			.config = events[i].config,
			.disabled = 1,
			.exclude_kernel = events[i].type == PERF_TYPE_HARDWARE,
			.exclude_hv = 1,
		};

		if (strcmp(events[i].name, name))
			continue;
		counter = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
		if (counter >= 0)
			return;
		fprintf(stderr, "cannot count %s: %s\n", name, strerror(errno));
		exit(3);
	}
	fprintf(stderr, "%s is no event known here, try instructions\n", name);
	exit(2);
}

void bench_count_begin(void)
{
	if (counter >= 0) {
		ioctl(counter, PERF_EVENT_IOC_RESET, 0);
		ioctl(counter, PERF_EVENT_IOC_ENABLE, 0);
	}
	CALLGRIND_ZERO_STATS;
}

void bench_count_end(const char *contender, const struct bench_trace *trace,
		     const char *op)
{
	char name[128];

	if (RUNNING_ON_VALGRIND) {
		snprintf(name, sizeof(name), "%s,%s,%s,%u,%u,%s", contender,
			 bench_layout_names[trace->layout],
			 bench_order_names[trace->order], trace->nr,
			 trace->nr_segments, op);
		CALLGRIND_DUMP_STATS_AT(name);
	}
	counted = 0;
	if (counter < 0)
		return;
	ioctl(counter, PERF_EVENT_IOC_DISABLE, 0);
	if (read(counter, &counted, sizeof(counted)) != sizeof(counted))
		counted = 0;
}

u64 bench_counted(void)
{
	return counted;
}

void *bench_alloc(size_t size)
{
	return calloc(1, size);
}

void bench_free(void *p)
{
	free(p);
}

void bench_print(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	fflush(stdout);
}

bool bench_rest(void)
{
	return false;
}

void bench_rewind(void)
{
	kho_shim_reset();
}

bool bench_can_kexec(void)
{
	return true;
}

/* Waits for RCU, which takes a tenth of a second. */
static void free_lost_nodes(void)
{
	static unsigned int nr_kexecs;

	if (nr_kexecs++ % 1024 == 1023)
		heap_shim_count_nodes();
}

void bench_kexec(void)
{
	kho_shim_kexec();
	free_lost_nodes();
}

void bench_kexec_again(void)
{
	kho_shim_kexec_again();
	free_lost_nodes();
}

size_t bench_preserved_bytes(void)
{
	return kho_shim_bytes();
}

size_t bench_heap_bytes(void)
{
	return heap_shim_bytes();
}

unsigned long bench_allocations(void)
{
	return heap_shim_allocations() + kho_shim_allocations();
}

static void usage(void)
{
	printf("Usage: pci-liveupdate-bench [OPTION...]\n"
	       "\n"
	       "Compare the index of preserved PCI functions with others, and write\n"
	       "comma separated values, one line for each operation.\n"
	       "\n"
	       "  --contender=NAME  only this one:");
	for (unsigned int i = 0; i < bench_nr_contenders; i++)
		printf(" %s", bench_contenders[i]->name);
	printf("\n"
	       "  --layout=NAME     only this one: dense, bus, segment\n"
	       "  --order=NAME      only this one: ascending, random, bridge\n"
	       "  --min=N, --max=N  numbers of functions (1 to 1048576)\n"
	       "  --once            do everything once, for a tool that counts\n"
	       "  --count=EVENT     count an event of the processor, such as instructions\n");
}

static u32 parse_functions(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	if (end == text || *end || !n || n > 1048576) {
		fprintf(stderr, "'%s' is not a number from 1 to 1048576\n",
			text);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "contender", required_argument, NULL, 'c' },
		{ "layout", required_argument, NULL, 'l' },
		{ "order", required_argument, NULL, 'o' },
		{ "min", required_argument, NULL, 'm' },
		{ "max", required_argument, NULL, 'M' },
		{ "once", no_argument, NULL, '1' },
		{ "count", required_argument, NULL, 'e' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct bench_options options = { .min = 1, .max = 1048576 };
	unsigned int bad;
	int c;

	while ((c = getopt_long(argc, argv, "h", longopts, NULL)) != -1) {
		switch (c) {
		case 'c':
			options.contender = optarg;
			break;
		case 'l':
			options.layout = optarg;
			break;
		case 'o':
			options.order = optarg;
			break;
		case 'm':
			options.min = parse_functions(optarg);
			break;
		case 'M':
			options.max = parse_functions(optarg);
			break;
		case '1':
			options.once = true;
			break;
		case 'e':
			counter_open(optarg);
			break;
		case 'h':
			usage();
			return 0;
		default:
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "what is '%s'? Try --help\n", argv[optind]);
		return 2;
	}

	/* The kernel's allocator neither gives memory back nor takes faults. */
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	mallopt(M_MMAP_THRESHOLD, 1 << 25);
	rcu_register_thread();
	radix_tree_init();
	bad = bench_run(&options);
	rcu_unregister_thread();
	return bad ? 1 : 0;
}
