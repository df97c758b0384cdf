// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmark of the index of preserved PCI functions: the measurement.
 *
 * Each contender keeps a record of the same functions, and gets the same calls in
 * the same order: from the first function that one kernel preserves to the last
 * one that the next kernel finishes. That is a life of the record. A contender
 * fails the run if its answers differ from those of the others.
 *
 * "first" preserves all functions in an empty record, with all allocations;
 * "restore" prepares the record in the next kernel. "preserve", "hit", "miss",
 * "any" and "finish" are repeated on the same record, with memory allocated and
 * caches as warm as they get with so many functions. "life" is the sum of "first",
 * "restore", "hit", "finish" and "destroy".
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/kernel.h>
#include <linux/types.h>

#include <asm/barrier.h>

#ifdef HAVE_CALLGRIND
#include <valgrind/callgrind.h>
#else
#define RUNNING_ON_VALGRIND		0
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_DUMP_STATS_AT(name)
#endif

#include "bench.h"
#include "heap_shim.h"
#include "kho_shim.h"

/* Repeat an operation in one life for 3 ms, but within these limits. */
#define ENOUGH_TIME	3000000u
#define MIN_PASSES	3u
#define MAX_PASSES	64u

/* Do an operation once if it takes longer than a second. */
#define LONG_TIME	1000000000ULL

/*
 * No more lives for a contender that has taken two seconds of the processor: a busy
 * machine must not leave it fewer samples.
 */
#define PATIENCE	2000000000ULL

/*
 * Read the clock once in so many calls, and take the median of each slice: a pass
 * over a million functions rarely ends without an interrupt, a slice often does.
 * Each slice has its own median, as with some contenders the last call takes
 * longer than the first.
 */
#define SLICE		4096u
#define MAX_SLICES	256u
#define MAX_TIMES	(MAX_SLICES * 32u)

/*
 * A clock may tick every ten nanoseconds only. With few functions, a sample is
 * made of so many rounds, or of a slice of calls.
 */
#define MAX_ROUNDS	64u

enum bench_op {
	OP_FIRST,
	OP_ADD,
	OP_RESTORE,
	OP_HIT,
	OP_MISS,
	OP_ANY,
	OP_FINISH,
	OP_DESTROY,
	NR_OPS,
};

static const struct {
	const char *name;
	bool in_life;
	bool is_repeated;
} ops[NR_OPS] = {
	[OP_FIRST]	= { "first", true, false },
	[OP_ADD]	= { "preserve", false, true },
	[OP_RESTORE]	= { "restore", true, false },
	[OP_HIT]	= { "hit", true, true },
	[OP_MISS]	= { "miss", false, true },
	[OP_ANY]	= { "any", false, true },
	[OP_FINISH]	= { "finish", true, true },
	[OP_DESTROY]	= { "destroy", true, false },
};

/* Each question has the same answer whenever it is asked. */
enum bench_answer {
	ANSWER_FIRST,
	ANSWER_REMOVE,
	ANSWER_ADD,
	ANSWER_HIT,
	ANSWER_MISS,
	ANSWER_FINISH,
	ANSWER_ANY,
	ANSWER_HALF,
	ANSWER_FINISH_REST,
	NR_ANSWERS,
};

/* Times of an operation, slice by slice, with those of the clock. */
struct bench_samples {
	u32 nr;			/* complete samples */
	u32 nr_slices;		/* of each sample */
	u32 slice;		/* the next one */
	u32 calls;		/* in a round, all slices together */
	u32 round;		/* rounds that the next sample has */
	u32 rounds;		/* of a sample */
	u32 time[MAX_TIMES];	/* nanoseconds */
};

struct bench_case {
	const struct bench_contender *contender;
	const struct bench_trace *trace;
	bool once;			/* repeat nothing */
	clockid_t clock;		/* for its times */
	void *record;
	const char *failure;		/* or NULL */
	u64 spent;			/* nanoseconds of the processor */
	u64 answer[NR_ANSWERS];		/* checksums */
	bool answered[NR_ANSWERS];
	size_t bytes;			/* size of the record */
	unsigned long allocations;	/* of a restore */
	struct bench_samples samples[NR_OPS];
};

static u64 clock_ns(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

/*
 * Nanoseconds, in program order: else the first timed operation begins while the
 * clock is being read, and a sample of few calls comes out too short.
 */
static u64 now(clockid_t clock)
{
	u64 time;

	rmb(); /* The timed operation has ended. */
	time = clock_ns(clock);
	rmb(); /* The next one has not begun. */
	return time;
}

/* Picoseconds that it takes to read @clock, the least of many tries. */
static u64 clock_cost(clockid_t clock)
{
	static u64 cost[CLOCK_THREAD_CPUTIME_ID + 1];

	for (u32 i = 0, tries = cost[clock] ? 0 : 300; i < tries; i++) {
		u64 start = now(clock), end = start;

		for (u32 look = 0; look < 1000; look++)
			end = now(clock);
		cost[clock] = min(cost[clock] ?: ~0ULL, end - start);
	}
	return cost[clock];
}

/* How many rounds of so many calls are a sample. */
static u32 case_rounds(const struct bench_case *c, enum bench_op op, u32 calls)
{
	if (c->once || !ops[op].is_repeated)
		return 1;
	return clamp(SLICE / calls, 1u, MAX_ROUNDS);
}

/* How often to repeat @op after it, or one like it, took @time. */
static u32 case_passes(const struct bench_case *c, enum bench_op op, u64 time)
{
	if (c->once || time > LONG_TIME)
		return 1;
	return clamp(ENOUGH_TIME / (u32)(time + 1), MIN_PASSES, MAX_PASSES) *
	       case_rounds(c, op, c->trace->nr);
}

void bench_case_name(const struct bench_contender *contender,
		     const struct bench_trace *trace, char *name)
{
	snprintf(name, BENCH_NAME_SIZE, "%s,%s,%s,%u,%u", contender->name,
		 bench_layout_names[trace->layout],
		 bench_order_names[trace->order], trace->nr,
		 trace->nr_segments);
}

/* Leave the instructions since CALLGRIND_ZERO_STATS under the name of @op. */
static void case_count(struct bench_case *c, enum bench_op op)
{
	char name[2 * BENCH_NAME_SIZE];

	if (!RUNNING_ON_VALGRIND)
		return;
	bench_case_name(c->contender, c->trace, name);
	strcat(strcat(name, ","), ops[op].name);
	CALLGRIND_DUMP_STATS_AT(name);
}

/* The time of the next slice. */
static void samples_add(struct bench_samples *samples, u64 time)
{
	u32 i = samples->nr * samples->nr_slices + samples->slice++;

	if (samples->round)
		time += samples->time[i];
	samples->time[i] = min_t(u64, time, U32_MAX);
}

/* All slices are there. Return the time of this sample so far. */
static u64 case_end_round(struct bench_case *c, enum bench_op op, u32 calls)
{
	struct bench_samples *samples = &c->samples[op];
	u64 sum = 0;

	samples->rounds = case_rounds(c, op, calls);
	samples->calls = calls;
	samples->nr_slices = samples->slice;
	samples->slice = 0;
	for (u32 i = 0; i < samples->nr_slices; i++)
		sum += samples->time[samples->nr * samples->nr_slices + i];
	if (++samples->round < samples->rounds)
		return sum;

	samples->round = 0;
	/* Without room, the next sample replaces the last one. */
	if ((samples->nr + 2) * samples->nr_slices <= MAX_TIMES)
		samples->nr++;
	return sum;
}

static void case_check(struct bench_case *c, enum bench_answer which, u64 sum)
{
	if (c->answered[which] && c->answer[which] != sum)
		c->failure = "answers the same question in two ways";
	c->answer[which] = sum;
	c->answered[which] = true;
}

static void case_time_slices(struct bench_case *c, enum bench_op op,
			     enum bench_answer which, bench_calls_fn fn,
			     const struct bench_calls *calls)
{
	struct bench_calls slice = *calls;
	u64 start, sum = 0;

	CALLGRIND_ZERO_STATS;
	for (u32 left = calls->nr; left; left -= slice.nr) {
		slice.nr = min(left, SLICE);
		start = now(c->clock);
		sum = sum * 31 + fn(c->record, &slice);
		samples_add(&c->samples[op], now(c->clock) - start);
		slice.key += slice.nr;
		slice.dev += slice.nr;
	}
	case_count(c, op);
	case_check(c, which, sum);
}

static u64 case_time(struct bench_case *c, enum bench_op op,
		     enum bench_answer which, bench_calls_fn fn,
		     const struct bench_calls *calls)
{
	case_time_slices(c, op, which, fn, calls);
	return case_end_round(c, op, calls->nr);
}

/* The outgoing kernel. */
static void case_preserve(struct bench_case *c)
{
	const struct bench_contender *contender = c->contender;
	const struct bench_trace *trace = c->trace;
	u64 time;

	kho_shim_reset();
	c->record = contender->create(trace);
	if (!c->record) {
		c->failure = "has no memory";
		return;
	}
	time = case_time(c, OP_FIRST, ANSWER_FIRST, contender->add, &trace->add);
	for (u32 n = case_passes(c, OP_ADD, time); n; n--) {
		case_check(c, ANSWER_REMOVE,
			   contender->remove(c->record, &trace->finish));
		case_time(c, OP_ADD, ANSWER_ADD, contender->add, &trace->add);
	}
	c->bytes = contender->bytes ? contender->bytes(c->record) :
		   kho_shim_bytes();
}

/* Free nodes of a lost kernel now and then, which waits for RCU. */
static void case_free_lost_nodes(void)
{
	static unsigned int nr_kexecs;

	if (++nr_kexecs % 1024 == 0)
		heap_shim_count_nodes();
}

static u64 case_allocations(void)
{
	return heap_shim_allocations() + kho_shim_allocations();
}

/* Return the time, or 0 if the contender refused the record. */
static u64 case_restore_once(struct bench_case *c, u64 root)
{
	u64 allocations = case_allocations();
	u64 start, time;

	case_free_lost_nodes();
	CALLGRIND_ZERO_STATS;
	start = now(c->clock);
	c->record = c->contender->restore(root, c->trace);
	time = now(c->clock) - start;
	case_count(c, OP_RESTORE);
	c->allocations = case_allocations() - allocations;
	samples_add(&c->samples[OP_RESTORE], time);
	case_end_round(c, OP_RESTORE, 1);
	return c->record ? time + 1 : 0;
}

/* The kexec. */
static void case_restore(struct bench_case *c)
{
	u64 root, time;

	if (!c->contender->restore)
		return;

	root = c->contender->hand_over(c->record);
	kho_shim_kexec();
	time = case_restore_once(c, root);
	for (u32 n = case_passes(c, OP_RESTORE, time); time && n > 1; n--) {
		kho_shim_kexec_again();
		time = case_restore_once(c, root);
	}
	if (!time)
		c->failure = "refuses its own record";
}

/* Finish one half, ask about bridges and functions, finish the other half. */
static u64 case_finish(struct bench_case *c)
{
	const struct bench_contender *contender = c->contender;
	const struct bench_trace *trace = c->trace;
	struct bench_calls half = trace->finish;

	half.nr /= 2;
	case_time_slices(c, OP_FINISH, ANSWER_FINISH, contender->finish, &half);
	case_time(c, OP_ANY, ANSWER_ANY, contender->any, &trace->any);
	case_check(c, ANSWER_HALF, contender->contains(c->record, &trace->hit));
	half.key += half.nr;
	half.dev += half.nr;
	half.nr = trace->finish.nr - half.nr;
	case_time_slices(c, OP_FINISH, ANSWER_FINISH_REST, contender->finish,
			 &half);
	return case_end_round(c, OP_FINISH, trace->nr);
}

/* The incoming kernel. */
static void case_use(struct bench_case *c)
{
	const struct bench_contender *contender = c->contender;
	const struct bench_trace *trace = c->trace;
	u64 start, time;

	time = case_time(c, OP_HIT, ANSWER_HIT, contender->contains, &trace->hit);
	for (u32 n = case_passes(c, OP_HIT, time); n; n--) {
		case_time(c, OP_HIT, ANSWER_HIT, contender->contains, &trace->hit);
		case_time(c, OP_MISS, ANSWER_MISS, contender->contains,
			  &trace->miss);
	}
	time = case_finish(c);
	for (u32 n = case_passes(c, OP_FINISH, time); n; n--) {
		contender->undo(c->record, &trace->add);
		case_finish(c);
	}

	CALLGRIND_ZERO_STATS;
	start = now(c->clock);
	contender->destroy(c->record);
	samples_add(&c->samples[OP_DESTROY], now(c->clock) - start);
	case_count(c, OP_DESTROY);
	case_end_round(c, OP_DESTROY, 1);
}

struct bench_case *bench_case_create(const struct bench_contender *contender,
				     const struct bench_trace *trace, bool once)
{
	struct bench_case *c = bench_alloc(sizeof(*c));

	c->contender = contender;
	c->trace = trace;
	c->once = once;
	/*
	 * A slice of a quadratic contender takes longer than a time slice of the
	 * scheduler: don't count the time of other processes.
	 */
	c->clock = contender->is_quadratic && trace->nr > SLICE ?
		   CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
	return c;
}

void bench_case_run(struct bench_case *c)
{
	u64 start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	if (c->failure || c->spent > PATIENCE)
		return;
	case_preserve(c);
	if (!c->failure)
		case_restore(c);
	if (!c->failure)
		case_use(c);
	c->spent += clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
}

bool bench_case_is_good(const struct bench_case *c,
			const struct bench_case *other)
{
	const char *failure = c->failure;
	char name[BENCH_NAME_SIZE];

	if (!failure && memcmp(c->answer, other->answer, sizeof(c->answer)))
		failure = "answers other than the first contender";
	if (!failure)
		return true;
	bench_case_name(c->contender, c->trace, name);
	printf("# FAILED: %s: %s\n", name, failure);
	return false;
}

static int compare_times(const void *a, const void *b)
{
	u32 first = *(const u32 *)a, second = *(const u32 *)b;

	return first < second ? -1 : first > second;
}

enum { LEAST, MEDIAN, NR_QUANTILES };

/* Picoseconds of a call, by quantile. */
static void samples_per_call(const struct bench_samples *samples, u64 cost,
			     u64 *ps)
{
	u64 clock = cost * samples->nr_slices * samples->rounds;
	u64 calls = (u64)samples->calls * samples->rounds;
	u32 time[MAX_TIMES];
	u64 sum[NR_QUANTILES] = { };

	for (u32 slice = 0; slice < samples->nr_slices; slice++) {
		for (u32 i = 0; i < samples->nr; i++)
			time[i] = samples->time[i * samples->nr_slices + slice];
		qsort(time, samples->nr, sizeof(*time), compare_times);
		sum[LEAST] += time[0];
		sum[MEDIAN] += time[(samples->nr - 1) / 2];
	}
	for (int i = 0; i < NR_QUANTILES; i++)
		ps[i] = sum[i] * 1000 > clock ? (sum[i] * 1000 - clock) / calls : 0;
}

static void case_print_result(const struct bench_case *c, const char *op,
			      u32 calls, u32 samples, const u64 *ps)
{
	char name[BENCH_NAME_SIZE];

	bench_case_name(c->contender, c->trace, name);
	printf("%s,%s,%u,%u,%lu,%lu,%zu,%lu\n", name, op, calls, samples,
	       (unsigned long)ps[LEAST], (unsigned long)ps[MEDIAN], c->bytes,
	       c->allocations);
}

void bench_case_print(struct bench_case *c)
{
	u64 ps[NR_QUANTILES], life[NR_QUANTILES] = { };

	for (int op = 0; op < NR_OPS; op++) {
		const struct bench_samples *samples = &c->samples[op];

		if (!samples->nr)
			continue;
		samples_per_call(samples, clock_cost(c->clock), ps);
		case_print_result(c, ops[op].name, samples->calls, samples->nr, ps);
		for (int i = 0; i < NR_QUANTILES && ops[op].in_life; i++)
			life[i] += ps[i] * samples->calls;
	}
	if (!c->contender->restore)
		return;
	for (int i = 0; i < NR_QUANTILES; i++)
		life[i] /= c->trace->nr;
	case_print_result(c, "life", c->trace->nr, c->samples[OP_FIRST].nr, life);
}
