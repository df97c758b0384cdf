/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Benchmark of the index of preserved PCI functions.
 */

#ifndef _LIB_PCI_LIVEUPDATE_BENCHMARK_H
#define _LIB_PCI_LIVEUPDATE_BENCHMARK_H

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/kho/abi/pci.h>
#include <linux/types.h>

/* Buses of a segment take the place of a function in its key. */
#define BENCH_RANGE(segment, first, last)				\
	PCI_SER_KEY(segment, (first) << 8 | (last))
#define BENCH_FIRST_BUS(range)		((u8)((range) >> 8))
#define BENCH_LAST_BUS(range)		((u8)(range))

enum bench_layout {
	BENCH_DENSE,		/* bus after bus is filled */
	BENCH_BUS,		/* one function on each bus */
	BENCH_SEGMENT_EACH,	/* one function in each segment */
	BENCH_NR_LAYOUTS,
};

enum bench_order {
	BENCH_ASCENDING,
	BENCH_RANDOM,
	BENCH_BRIDGE,		/* random bridges, what is below each ascending */
	BENCH_NR_ORDERS,
};

/**
 * struct bench_calls - Calls of one kind, in the order they are made.
 * @nr:  Number of calls.
 * @key: The function of each, or BENCH_RANGE().
 * @dev: Number of that device, from 0: it stands for a struct pci_dev *.
 */
struct bench_calls {
	u32 nr;
	pci_ser_key_t *key;
	u32 *dev;
};

/**
 * struct bench_trace - What every contender is made to do.
 * @layout:      Which functions there are.
 * @order:       In which order they come.
 * @nr:          Number of functions.
 * @nr_segments: Number of segments, from 0.
 * @preserve:    Each function once.
 * @hit:         Each function once.
 * @miss:        As many functions that are not there.
 * @any:         Buses below bridges.
 * @finish:      Each function once.
 * @driver_data: A pointer for each device, which a contender that keeps one
 *               in struct pci_dev may use.
 */
struct bench_trace {
	enum bench_layout layout;
	enum bench_order order;
	u32 nr;
	u32 nr_segments;
	struct bench_calls preserve;
	struct bench_calls hit;
	struct bench_calls miss;
	struct bench_calls any;
	struct bench_calls finish;
	void **driver_data;
};

/**
 * struct bench_contender - One way to keep a record of preserved functions.
 * @name:       As the results call it.
 * @is_allowed: Whether it ends within the patience of the reader. NULL: always.
 * @create:     Start a record.
 * @preserve:   Make calls; each but @destroy of those below returns a checksum
 *              of all results.
 * @unpreserve: The inverse of @preserve.
 * @root:       What the next kernel needs to find the record.
 * @restore:    Make of it what the next kernel looks things up in. NULL: the
 *              contender does not survive a kexec.
 * @index:      Make it possible to look things up where there is no kexec, if it
 *              is not; 0 or an errno. Not timed.
 * @look_up:    Whether each function is preserved.
 * @any:        Whether there is any function on these buses.
 * @finish:     Drop functions from what was restored.
 * @again:      Undo @finish, for another try. Not timed.
 * @destroy:    Free what is left.
 * @size:       Bytes of memory that the next kernel gets.
 */
struct bench_contender {
	const char *name;
	bool (*is_allowed)(const struct bench_trace *trace);
	void *(*create)(const struct bench_trace *trace);
	u64 (*preserve)(void *record, const struct bench_calls *calls);
	u64 (*unpreserve)(void *record, const struct bench_calls *calls);
	u64 (*root)(void *record);
	void *(*restore)(u64 root, const struct bench_trace *trace);
	int (*index)(void *record);
	u64 (*look_up)(void *record, const struct bench_calls *calls);
	u64 (*any)(void *record, const struct bench_calls *calls);
	u64 (*finish)(void *record, const struct bench_calls *calls);
	u64 (*again)(void *record, const struct bench_calls *calls);
	void (*destroy)(void *record);
	size_t (*size)(void *record);
};

/*
 * Inlined into each contender, @op and all, so that nobody pays for a call
 * through a pointer. The checksum depends on the order of the results.
 */
static __always_inline u64
bench_each(void *record, const struct bench_calls *calls,
	   u64 (*op)(void *record, pci_ser_key_t key, u32 dev))
{
	u64 sum = 0;

	for (u32 i = 0; i < calls->nr; i++)
		sum = (sum << 1 | sum >> 63) ^
		      op(record, calls->key[i], calls->dev[i]);
	return sum;
}

/* Define foo_all(), which makes calls of foo(). */
#define BENCH_ALL(op)							\
static u64 op##_all(void *record, const struct bench_calls *calls)	\
{									\
	return bench_each(record, calls, op);				\
}

extern const struct bench_contender bench_bitmap;
extern const struct bench_contender bench_set;
extern const struct bench_contender bench_index;
extern const struct bench_contender bench_array;
extern const struct bench_contender bench_list;
extern const struct bench_contender bench_radix;

/* The index, the same for the set; pci_liveupdate_benchmark_index.c. */
void *bench_index_create(const struct bench_trace *trace);
u64 bench_index_unpreserve(void *record, const struct bench_calls *calls);
u64 bench_index_root(void *record);
void *bench_index_restore(u64 root, const struct bench_trace *trace);
u64 bench_index_look_up(void *record, const struct bench_calls *calls);
u64 bench_index_any(void *record, const struct bench_calls *calls);
u64 bench_index_finish(void *record, const struct bench_calls *calls);
void bench_index_destroy(void *record);
size_t bench_index_size(void *record);

extern const char * const bench_layout_names[BENCH_NR_LAYOUTS];
extern const char * const bench_order_names[BENCH_NR_ORDERS];

struct bench_trace *bench_trace_create(enum bench_layout layout,
				       enum bench_order order, u32 nr,
				       u32 nr_segments);
void bench_trace_free(struct bench_trace *trace);

/**
 * struct bench_options - What to run.
 * @contender: Only this one, or NULL.
 * @layout:    Only this one, or NULL: as in the layout column of the results.
 * @order:     Only this one, or NULL.
 * @min:       Smallest number of functions.
 * @max:       Largest number of functions.
 * @once:      Do everything once, for a tool that counts.
 */
struct bench_options {
	const char *contender;
	const char *layout;
	const char *order;
	u32 min;
	u32 max;
	bool once;
};

/* Run all of it. Returns the number of results that were not the same. */
unsigned int bench_run(const struct bench_options *options);

/*
 * What differs between the kernel and user space.
 */

/* Nanoseconds, from any start. */
u64 bench_clock(void);

/* Around each thing that is timed, for a tool that counts. */
void bench_count_begin(void);
void bench_count_end(const char *contender, const struct bench_trace *trace,
		     const char *op);

/* One that was counted, or 0 if nothing counts. */
u64 bench_counted(void);

/* Memory of the benchmark, which is not what it measures. */
void *bench_alloc(size_t size);
void bench_free(void *p);

/* One line of results. */
__printf(1, 2) void bench_print(const char *fmt, ...);

/* Let others run; returns whether to give up. */
bool bench_rest(void);

/* There is no record now: the next one gets the same memory again. */
void bench_rewind(void);

/* Whether a record can be handed over here. */
bool bench_can_kexec(void);

/* What was preserved is handed over, and everything else is gone. */
void bench_kexec(void);

/* The same record is handed over again, untouched. */
void bench_kexec_again(void);

/* Bytes that are preserved, 0 if unknown. */
size_t bench_preserved_bytes(void);

/* Ordinary memory and number of allocations of contenders, 0 if unknown. */
size_t bench_heap_bytes(void);
unsigned long bench_allocations(void);

/* Contenders there are, and how many. */
extern const struct bench_contender * const bench_contenders[];
extern const unsigned int bench_nr_contenders;

#endif /* _LIB_PCI_LIVEUPDATE_BENCHMARK_H */
