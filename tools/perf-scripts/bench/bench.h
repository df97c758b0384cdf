/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Benchmark of the index of preserved PCI functions.
 */

#ifndef _BENCH_H
#define _BENCH_H

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/kho/abi/pci.h>
#include <linux/types.h>

/* A range of buses takes the place of a function in its key. */
#define BENCH_RANGE(segment, first, last)				\
	PCI_SER_KEY(segment, (first) << 8 | (last))
#define BENCH_FIRST_BUS(range)		((u8)((range) >> 8))
#define BENCH_LAST_BUS(range)		((u8)(range))

enum bench_layout {
	BENCH_DENSE,		/* bus after bus is filled */
	BENCH_BUS,		/* one function on each bus */
	BENCH_SEGMENT,		/* one function in each segment */
	BENCH_NR_LAYOUTS,
};

enum bench_order {
	BENCH_ASCENDING,
	BENCH_RANDOM,
	BENCH_BRIDGE,		/* buses in random order, their functions ascending */
	BENCH_NR_ORDERS,
};

/**
 * struct bench_calls - Calls of one kind, in order.
 * @nr:  Number of calls.
 * @key: The function of each call, or BENCH_RANGE().
 * @dev: The number of that device, from 0; stands for a &struct pci_dev.
 */
struct bench_calls {
	u32 nr;
	pci_ser_key_t *key;
	u32 *dev;
};

/**
 * struct bench_trace - The calls that every contender gets.
 * @layout:      Which functions exist.
 * @order:       The order of the calls.
 * @nr:          Number of functions.
 * @nr_segments: Number of segments, from 0.
 * @add:         Each function once.
 * @hit:         Each function once.
 * @miss:        As many functions that do not exist.
 * @any:         Buses below bridges.
 * @finish:      Each function once.
 * @driver_data: A pointer for each device, for a contender that keeps one in
 *               &struct pci_dev.
 */
struct bench_trace {
	enum bench_layout layout;
	enum bench_order order;
	u32 nr;
	u32 nr_segments;
	struct bench_calls add;
	struct bench_calls hit;
	struct bench_calls miss;
	struct bench_calls any;
	struct bench_calls finish;
	void **driver_data;
};

/* Make the calls in order; return a checksum of the results and their order. */
typedef u64 (*bench_calls_fn)(void *record, const struct bench_calls *calls);

/**
 * struct bench_contender - One way to keep a record of preserved functions.
 * @name:         Its name in the results.
 * @is_quadratic: A life takes time with the square of the number of functions.
 * @create:       Start a record.
 * @add:          Preserve functions.
 * @remove:       The inverse of @add, in the same kernel.
 * @bytes:        Size of the record. NULL: the memory that KHO preserves.
 * @hand_over:    Return the address of the record for the next kernel. NULL: the
 *                contender does not survive a kexec.
 * @restore:      Prepare the record for look-ups in the next kernel.
 * @contains:     Whether each function is preserved.
 * @any:          Whether there is a function on these buses.
 * @finish:       Drop functions from the restored record.
 * @undo:         The inverse of @finish, to repeat it.
 * @destroy:      Free everything.
 */
struct bench_contender {
	const char *name;
	bool is_quadratic;
	void *(*create)(const struct bench_trace *trace);
	bench_calls_fn add;
	bench_calls_fn remove;
	size_t (*bytes)(void *record);
	u64 (*hand_over)(void *record);
	void *(*restore)(u64 root, const struct bench_trace *trace);
	bench_calls_fn contains;
	bench_calls_fn any;
	bench_calls_fn finish;
	bench_calls_fn undo;
	void (*destroy)(void *record);
};

/*
 * Define fn_all(), which makes calls of fn(). Both are inlined, so that no
 * contender pays for a call through a pointer.
 */
#define BENCH_ALL(fn)							\
static u64 fn##_all(void *record, const struct bench_calls *calls)	\
{									\
	u64 sum = 0;							\
									\
	for (u32 i = 0; i < calls->nr; i++)				\
		sum = (sum << 1 | sum >> 63) ^				\
		      (fn)(record, calls->key[i], calls->dev[i]);		\
	return sum;							\
}

extern const struct bench_contender bench_bitmap;
extern const struct bench_contender bench_set;
extern const struct bench_contender bench_index;
extern const struct bench_contender bench_array;
extern const struct bench_contender bench_list;

extern const char * const bench_layout_names[BENCH_NR_LAYOUTS];
extern const char * const bench_order_names[BENCH_NR_ORDERS];

/* Exit if there is no memory. */
void *bench_alloc(size_t size);

struct bench_trace *bench_trace_create(enum bench_layout layout,
				       enum bench_order order, u32 nr);
/* Add the calls. */
void bench_trace_fill(struct bench_trace *trace);
void bench_trace_free(struct bench_trace *trace);

struct bench_case;

/* A contender on a trace; free() frees it. @once repeats nothing. */
struct bench_case *bench_case_create(const struct bench_contender *contender,
				     const struct bench_trace *trace,
				     bool once);

/* Let a record live once more, unless that took long enough already. */
void bench_case_run(struct bench_case *c);

/* Whether @c did not fail, and answers as @other does. */
bool bench_case_is_good(const struct bench_case *c,
			const struct bench_case *other);

void bench_case_print(struct bench_case *c);

/* A case in the results, up to and without the operation. */
#define BENCH_NAME_SIZE		128
void bench_case_name(const struct bench_contender *contender,
		     const struct bench_trace *trace, char *name);

#endif /* _BENCH_H */
