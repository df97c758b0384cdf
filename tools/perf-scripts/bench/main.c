// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmark of the index of preserved PCI functions: the command line, and the
 * cases that run. All of one order take turns, so that a busy moment of the machine
 * hits each of them alike.
 */

#include <fnmatch.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <linux/radix-tree.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

#include "bench.h"

/* Lives of each record; the tables are of the random order. */
#define LIVES		8u
#define FEW_LIVES	1u

#define MAX_FUNCTIONS	1048576u

/* 3 s for a list of 65,536 functions, and 16 times that for the next size. */
#define MAX_QUADRATIC	65536u
#define MAX_OTHERS	4096u

static const struct bench_contender * const contenders[] = {
	&bench_bitmap, &bench_set, &bench_index, &bench_array, &bench_list,
};

#define NR_CONTENDERS	ARRAY_SIZE(contenders)

/* Functions from which on a layout does not fit into 256 segments. */
static const u32 layout_max[BENCH_NR_LAYOUTS] = {
	[BENCH_DENSE]		= MAX_FUNCTIONS,
	[BENCH_BUS]		= 65536,
	[BENCH_SEGMENT]		= 256,
};

/* 1 to 1,048,576 in steps of 4, in each layout. */
#define MAX_TRACES	(11 * BENCH_NR_LAYOUTS)

struct bench_group {
	struct bench_trace *trace;
	struct bench_case *cases[NR_CONTENDERS];
};

/* Shell patterns of the names of the cases to run, or all; ends with NULL. */
static char **wanted;

/* Do everything once. */
static bool once;

void *bench_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p) {
		fprintf(stderr, "no memory\n");
		exit(3);
	}
	return p;
}

/* Whether @contender ends within the patience of the reader. */
static bool is_allowed(const struct bench_contender *contender,
		       const struct bench_trace *trace)
{
	if (!contender->is_quadratic)
		return true;
	if (trace->layout == BENCH_DENSE && trace->order == BENCH_RANDOM)
		return trace->nr <= MAX_QUADRATIC;
	return trace->nr <= MAX_OTHERS;
}

static bool is_wanted(const struct bench_contender *contender,
		      const struct bench_trace *trace)
{
	char name[BENCH_NAME_SIZE];

	bench_case_name(contender, trace, name);
	for (char **pattern = wanted; *pattern; pattern++) {
		if (!fnmatch(*pattern, name, 0))
			return true;
	}
	return !*wanted;
}

static struct bench_group *group_create(enum bench_layout layout,
					enum bench_order order, u32 nr)
{
	struct bench_group *group = bench_alloc(sizeof(*group));
	struct bench_trace *trace = bench_trace_create(layout, order, nr);
	unsigned int nr_cases = 0;

	group->trace = trace;
	for (u32 i = 0; i < NR_CONTENDERS; i++) {
		if (!is_allowed(contenders[i], trace) ||
		    !is_wanted(contenders[i], trace))
			continue;
		group->cases[i] = bench_case_create(contenders[i], trace, once);
		nr_cases++;
	}
	if (nr_cases)
		bench_trace_fill(trace);
	return group;
}

static void group_run(struct bench_group *group)
{
	for (u32 i = 0; i < NR_CONTENDERS; i++) {
		if (group->cases[i])
			bench_case_run(group->cases[i]);
	}
}

/* Print the results, free all, and return the number of bad contenders. */
static unsigned int group_end(struct bench_group *group)
{
	struct bench_case *first = NULL;
	unsigned int bad = 0;

	for (u32 i = 0; i < NR_CONTENDERS; i++) {
		struct bench_case *c = group->cases[i];

		if (!c)
			continue;
		first = first ?: c;
		if (bench_case_is_good(c, first))
			bench_case_print(c);
		else
			bad++;
	}
	for (u32 i = 0; i < NR_CONTENDERS; i++)
		free(group->cases[i]);
	bench_trace_free(group->trace);
	free(group);
	return bad;
}

static unsigned int run_order(enum bench_order order)
{
	u32 lives = order == BENCH_RANDOM && !once ? LIVES : FEW_LIVES;
	struct bench_group *groups[MAX_TRACES];
	unsigned int nr_groups = 0, bad = 0;

	for (u32 nr = 1; nr <= MAX_FUNCTIONS; nr *= 4) {
		for (int layout = 0; layout < BENCH_NR_LAYOUTS; layout++) {
			if (nr <= layout_max[layout])
				groups[nr_groups++] =
					group_create(layout, order, nr);
		}
	}
	for (u32 life = 0; life < lives; life++) {
		for (u32 i = 0; i < nr_groups; i++)
			group_run(groups[i]);
	}
	for (u32 i = 0; i < nr_groups; i++)
		bad += group_end(groups[i]);
	return bad;
}

int main(int argc, char **argv)
{
	unsigned int bad = 0;

	wanted = argv + 1;
	if (*wanted && !strcmp(*wanted, "--once")) {
		once = true;
		wanted++;
	}
	if (*wanted && **wanted == '-') {
		fprintf(stderr, "Usage: %s [--once] [CASE...]\n"
			"CASE is a shell pattern of contender,layout,order,functions,segments\n",
			argv[0]);
		return 2;
	}

	/* The kernel's allocator neither gives memory back nor takes faults. */
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	mallopt(M_MMAP_THRESHOLD, 1 << 25);
	rcu_register_thread();
	radix_tree_init();
	printf("contender,layout,order,functions,segments,operation,calls,samples,");
	printf("ps_min,ps_median,record_bytes,allocations\n");
	for (int order = 0; order < BENCH_NR_ORDERS; order++)
		bad += run_order(order);
	rcu_unregister_thread();
	return bad ? 1 : 0;
}
