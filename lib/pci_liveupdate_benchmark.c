// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmark of the index of preserved PCI functions.
 */

/**
 * DOC: PCI live update benchmark
 *
 * Each contender keeps a record of the same functions, and is made to do the
 * same things with it in the same order: the life of a record, from the first
 * function that is preserved in one kernel to the last one that is finished in
 * the next. What it answers is part of a checksum, and a contender whose
 * checksum is not that of the others fails the run.
 *
 * "first" preserves all functions in an empty record, with all allocations, and
 * "restore" makes the record usable in the next kernel. "preserve", "hit", "miss",
 * "any" and "finish" are repeated on the same record, so that memory is there and
 * caches are as warm as they get with so many functions. The whole "life" is the
 * sum of "first", "restore", "hit", "finish" and "destroy".
 *
 * A result is a line of comma separated values: contender, layout, order,
 * functions, segments, operation, number of calls, how often these were
 * made, the least, median and largest time in picoseconds a call, events
 * that were counted in all of them, bytes that are handed over, bytes of
 * ordinary memory after the restore, and allocations of the restore.
 */

#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>

#include <asm/barrier.h>

#include "pci_liveupdate_benchmark.h"

/* Nanoseconds that are enough for a figure in one life, and how often is too often. */
#define ENOUGH_TIME	3000000u
#define MAX_PASSES	200u
#define MIN_PASSES	3u

/*
 * How many lives each contender has, and they take turns, so that whatever else
 * the machine is doing for a while does not do it to one of them only.
 */
#define LIVES		10u
#define FEW_LIVES	2u

/*
 * What is interrupted counts for nothing, so the clock is read that often: once
 * in so many calls. The least of a slice is its own, as with some contenders the
 * last call takes longer than the first.
 */
#define SLICE		4096u
#define MAX_SLICES	256u
#define MAX_SAMPLES	(MAX_SLICES * 32u)

/*
 * A clock may tick every ten nanoseconds only, which is much when there are few
 * functions: then so many rounds are one sample, or a slice of calls.
 */
#define MAX_ROUNDS	64u

/* What takes longer than this is done once. */
#define LONG_TIME	300000000ULL

/* When a contender has lived for that long in all, that is enough. */
#define PATIENCE	4000000000ULL

enum bench_op {
	OP_FIRST,
	OP_PRESERVE,
	OP_RESTORE,
	OP_HIT,
	OP_MISS,
	OP_ANY,
	OP_FINISH,
	OP_DESTROY,
	NR_OPS,
};

static const char * const op_names[NR_OPS] = {
	[OP_FIRST]	= "first",
	[OP_PRESERVE]	= "preserve",
	[OP_RESTORE]	= "restore",
	[OP_HIT]	= "hit",
	[OP_MISS]	= "miss",
	[OP_ANY]	= "any",
	[OP_FINISH]	= "finish",
	[OP_DESTROY]	= "destroy",
};

/* What happens once to each function, or to the record. */
static const bool is_life[NR_OPS] = {
	[OP_FIRST]	= true,
	[OP_RESTORE]	= true,
	[OP_HIT]	= true,
	[OP_FINISH]	= true,
	[OP_DESTROY]	= true,
};

/* What is done again and again on the same record. */
static const bool is_repeated[NR_OPS] = {
	[OP_PRESERVE]	= true,
	[OP_HIT]	= true,
	[OP_MISS]	= true,
	[OP_ANY]	= true,
	[OP_FINISH]	= true,
};

/* What is asked, in the order of a life; each time the answer is the same. */
enum bench_answer {
	ANSWER_FIRST,
	ANSWER_UNPRESERVE,
	ANSWER_PRESERVE,
	ANSWER_HIT,
	ANSWER_MISS,
	ANSWER_FINISH_HALF,
	ANSWER_ANY,
	ANSWER_HALF,
	ANSWER_FINISH,
	NR_ANSWERS,
};

/**
 * struct bench_samples - Times of one operation.
 * @nr:        How often it was measured.
 * @nr_slices: How many times belong to each measurement.
 * @calls:     How many calls a round is, all slices together.
 * @rounds:    How many rounds each measurement is of.
 * @round:     How many rounds the next sample has already.
 * @counted:   Events in all of them.
 * @counting:  Events in the next sample so far.
 * @time:      Nanoseconds, slice by slice, with what it takes to look at the clock.
 */
struct bench_samples {
	u32 nr;
	u32 nr_slices;
	u32 calls;
	u32 rounds;
	u32 round;
	u64 counted;
	u64 counting;
	u32 time[MAX_SAMPLES];
};

/**
 * struct bench_case - One contender on one trace.
 * @contender:     Who.
 * @trace:         What is done.
 * @options:       What the user asked for.
 * @record:        The record, in either kernel.
 * @slice:         The slice that comes next.
 * @is_over:       It takes too long to be done again, or it failed.
 * @is_bad:        It failed.
 * @life:          Nanoseconds of this life so far, to know when to stop.
 * @spent:         Nanoseconds of all lives.
 * @counted:       Events since the last sample.
 * @answer:        Checksums, by what was asked.
 * @answered:      Which of these are there.
 * @is_fickle:     An answer was another one when asked again.
 * @record_bytes:  What was handed over.
 * @heap_bytes:    Ordinary memory after the restore.
 * @allocations:   Allocations of the restore.
 * @samples:       By operation.
 */
struct bench_case {
	const struct bench_contender *contender;
	const struct bench_trace *trace;
	const struct bench_options *options;
	void *record;
	u32 slice;
	bool is_over;
	bool is_bad;
	u64 life;
	u64 spent;
	u64 counted;
	u64 answer[NR_ANSWERS];
	bool answered[NR_ANSWERS];
	bool is_fickle;
	size_t record_bytes;
	size_t heap_bytes;
	unsigned long allocations;
	struct bench_samples samples[NR_OPS];
};

/* Picoseconds that a look at the clock takes, as nanoseconds of a thousand. */
static u64 clock_cost;

/*
 * In the order of the program: else the first of what is timed is done while the
 * clock is still being read, and a sample of few calls comes out too short.
 */
static u64 now(void)
{
	u64 time;

	rmb(); /* What was timed has ended. */
	time = bench_clock();
	rmb(); /* What will be timed has not begun. */
	return time;
}

static void measure_clock(void)
{
	clock_cost = ~0ULL;
	for (u32 i = 0; i < 1000; i++) {
		u64 start = now(), end = start;

		for (u32 look = 0; look < 1000; look++)
			end = now();
		clock_cost = min(clock_cost, end - start);
	}
}

static u64 since(u64 start)
{
	return now() - start;
}

/* How many rounds of so many calls are a sample. */
static u32 rounds(const struct bench_case *c, enum bench_op op, u32 calls)
{
	if (c->options->once || !is_repeated[op])
		return 1;
	return clamp(SLICE / calls, 1u, MAX_ROUNDS);
}

static void count_end(struct bench_case *c, enum bench_op op)
{
	bench_count_end(c->contender->name, c->trace, op_names[op]);
	c->counted += bench_counted();
}

/* A time of the sample that is being taken. */
static void sample_slice(struct bench_case *c, enum bench_op op, u64 time)
{
	struct bench_samples *samples = &c->samples[op];
	u32 i = samples->nr * samples->nr_slices + c->slice++;

	if (i >= MAX_SAMPLES)
		return;
	if (samples->round)
		time += samples->time[i];
	samples->time[i] = min_t(u64, time, U32_MAX);
}

/* A round is complete; returns how long the sample took that it belongs to. */
static u64 sample(struct bench_case *c, enum bench_op op, u32 calls)
{
	struct bench_samples *samples = &c->samples[op];
	u64 sum = 0;

	samples->rounds = rounds(c, op, calls);
	samples->calls = calls;
	samples->nr_slices = c->slice;
	for (u32 i = 0; i < c->slice; i++)
		sum += samples->time[samples->nr * samples->nr_slices + i];
	samples->counting += c->counted;
	c->counted = 0;
	c->slice = 0;
	if (++samples->round < samples->rounds)
		return sum;

	/* The last one is taken again when there is no room. */
	if ((samples->nr + 2) * samples->nr_slices <= MAX_SAMPLES) {
		samples->nr++;
		samples->counted += samples->counting;
	}
	samples->round = 0;
	samples->counting = 0;
	return sum;
}

static u64 sample_one(struct bench_case *c, enum bench_op op, u32 calls,
		      u64 time)
{
	sample_slice(c, op, time);
	return sample(c, op, calls);
}

static void check(struct bench_case *c, enum bench_answer which, u64 sum)
{
	if (c->answered[which] && c->answer[which] != sum)
		c->is_fickle = true;
	c->answer[which] = sum;
	c->answered[which] = true;
}

/* Make calls, and take the time of each slice. */
static void timed_slices(struct bench_case *c, enum bench_op op,
			 enum bench_answer which,
			 u64 (*fn)(void *record, const struct bench_calls *calls),
			 const struct bench_calls *calls)
{
	struct bench_calls slice = *calls;
	u32 left = calls->nr;
	u64 start, sum = 0;

	bench_count_begin();
	while (left) {
		slice.nr = min(left, SLICE);
		start = now();
		sum = sum * 31 + fn(c->record, &slice);
		sample_slice(c, op, since(start));
		slice.key += slice.nr;
		slice.dev += slice.nr;
		left -= slice.nr;
	}
	count_end(c, op);
	check(c, which, sum);
}

static u64 timed(struct bench_case *c, enum bench_op op, enum bench_answer which,
		 u64 (*fn)(void *record, const struct bench_calls *calls),
		 const struct bench_calls *calls)
{
	timed_slices(c, op, which, fn, calls);
	return sample(c, op, calls->nr);
}

/* How often @op, after something like it took @time. */
static u32 passes(const struct bench_case *c, enum bench_op op, u64 time)
{
	if (c->options->once || time > LONG_TIME)
		return 1;
	return clamp(ENOUGH_TIME / (u32)(time + 1), MIN_PASSES, MAX_PASSES) *
	       rounds(c, op, c->trace->nr);
}

/* In the outgoing kernel; @c->record stays. */
static bool run_outgoing(struct bench_case *c)
{
	const struct bench_contender *who = c->contender;
	u32 n;

	bench_rewind();
	c->record = who->create(c->trace);
	if (!c->record)
		return false;

	c->life = timed(c, OP_FIRST, ANSWER_FIRST, who->preserve,
			&c->trace->preserve);
	n = passes(c, OP_PRESERVE, c->life);
	for (u32 i = 0; i < n && !bench_rest(); i++) {
		check(c, ANSWER_UNPRESERVE,
		      who->unpreserve(c->record, &c->trace->finish));
		timed(c, OP_PRESERVE, ANSWER_PRESERVE, who->preserve,
		      &c->trace->preserve);
	}
	c->record_bytes = who->size(c->record);
	return true;
}

/* Returns the time that it took, or 0 if it failed. */
static u64 restore(struct bench_case *c, u64 root)
{
	unsigned long allocations = bench_allocations();
	u64 start, time;

	bench_count_begin();
	start = now();
	c->record = c->contender->restore(root, c->trace);
	time = since(start);
	count_end(c, OP_RESTORE);
	c->allocations = bench_allocations() - allocations;
	if (!c->heap_bytes)
		c->heap_bytes = bench_heap_bytes();
	time = sample_one(c, OP_RESTORE, 1, time);
	return c->record ? time + 1 : 0;
}

static bool run_kexec(struct bench_case *c)
{
	u64 root, time;
	u32 n;

	if (!bench_can_kexec())
		return !c->contender->index ||
		       !c->contender->index(c->record);
	if (!c->contender->restore)
		return true;

	root = c->contender->root(c->record);
	bench_kexec();
	time = restore(c, root);
	if (!time)
		return false;
	c->life += time;
	n = passes(c, OP_RESTORE, time);
	for (u32 i = 1; i < n && !bench_rest(); i++) {
		bench_kexec_again();
		if (!restore(c, root))
			return false;
	}
	return true;
}

/* Finish one half, ask about bridges and functions, finish the other half. */
static u64 finish(struct bench_case *c)
{
	const struct bench_contender *who = c->contender;
	struct bench_calls half = c->trace->finish;
	u32 slice;

	half.nr /= 2;
	timed_slices(c, OP_FINISH, ANSWER_FINISH_HALF, who->finish, &half);
	slice = c->slice;
	c->slice = 0;

	timed(c, OP_ANY, ANSWER_ANY, who->any, &c->trace->any);
	check(c, ANSWER_HALF, who->look_up(c->record, &c->trace->hit));

	c->slice = slice;
	half.key += half.nr;
	half.dev += half.nr;
	half.nr = c->trace->finish.nr - half.nr;
	timed_slices(c, OP_FINISH, ANSWER_FINISH, who->finish, &half);
	return sample(c, OP_FINISH, c->trace->nr);
}

static void run_incoming(struct bench_case *c)
{
	const struct bench_contender *who = c->contender;
	u64 start, time;
	u32 n;

	time = timed(c, OP_HIT, ANSWER_HIT, who->look_up, &c->trace->hit);
	c->life += time;
	n = passes(c, OP_HIT, time);
	for (u32 i = 0; i < n && !bench_rest(); i++) {
		timed(c, OP_HIT, ANSWER_HIT, who->look_up, &c->trace->hit);
		timed(c, OP_MISS, ANSWER_MISS, who->look_up, &c->trace->miss);
	}

	time = finish(c);
	c->life += time;
	n = passes(c, OP_FINISH, time);
	for (u32 i = 0; i < n && !bench_rest(); i++) {
		who->again(c->record, &c->trace->preserve);
		finish(c);
	}

	bench_count_begin();
	start = now();
	who->destroy(c->record);
	time = since(start);
	count_end(c, OP_DESTROY);
	c->life += sample_one(c, OP_DESTROY, 1, time);
}

/* Whether one life of a record came to its end. */
static bool run_life(struct bench_case *c)
{
	if (!run_outgoing(c) || !run_kexec(c))
		return false;
	if (c->record_bytes != bench_preserved_bytes() &&
	    bench_preserved_bytes()) {
		bench_print("# %s: %zu bytes are preserved, not %zu\n",
			    c->contender->name, bench_preserved_bytes(),
			    c->record_bytes);
		return false;
	}
	run_incoming(c);
	return true;
}

/* Shell sort of every step-th of them: the samples of one slice. */
static void sort_slice(u32 *time, u32 nr, u32 step)
{
	for (u32 gap = nr / 2; gap; gap /= 2) {
		for (u32 i = gap; i < nr; i++) {
			u32 t = time[i * step], j = i;

			for (; j >= gap && time[(j - gap) * step] > t; j -= gap)
				time[j * step] = time[(j - gap) * step];
			time[j * step] = t;
		}
	}
}

/* Picoseconds a call, of one sample of each slice. */
static unsigned long long per_call(const struct bench_samples *samples, u32 nth)
{
	u64 clock = clock_cost * samples->nr_slices * samples->rounds;
	u64 calls = samples->calls * samples->rounds;
	u64 sum = 0;

	for (u32 i = 0; i < samples->nr_slices; i++)
		sum += samples->time[nth * samples->nr_slices + i];
	sum *= 1000;
	return sum > clock ? (sum - clock) / calls : 0;
}

static void print_result(const struct bench_case *c, const char *op, u32 calls,
			 u32 nr, const unsigned long long *ps, u64 counted)
{
	bench_print("%s,%s,%s,%u,%u,%s,%u,%u,%llu,%llu,%llu,%llu,%zu,%zu,%lu\n",
		    c->contender->name, bench_layout_names[c->trace->layout],
		    bench_order_names[c->trace->order], c->trace->nr,
		    c->trace->nr_segments, op, calls, nr, ps[0], ps[1], ps[2],
		    (unsigned long long)counted, c->record_bytes,
		    c->heap_bytes, c->allocations);
}

/* The least, the median and the largest. */
#define NR_QUANTILES	3

static void print_samples(struct bench_case *c, enum bench_op op,
			  unsigned long long *life)
{
	struct bench_samples *samples = &c->samples[op];
	unsigned long long ps[NR_QUANTILES];
	u32 nr = samples->nr;

	if (!nr)
		return;
	for (u32 i = 0; i < samples->nr_slices; i++)
		sort_slice(&samples->time[i], nr, samples->nr_slices);
	for (u32 i = 0; i < NR_QUANTILES; i++) {
		ps[i] = per_call(samples, i * (nr - 1) / (NR_QUANTILES - 1));
		if (is_life[op])
			life[i] += ps[i] * samples->calls;
	}
	print_result(c, op_names[op], samples->calls, nr * samples->rounds, ps,
		     samples->counted);
}

static bool is_wanted(const char *name, const char *wanted)
{
	return !wanted || !strcmp(name, wanted);
}

static void begin_case(struct bench_case *c,
		       const struct bench_contender *contender,
		       const struct bench_trace *trace,
		       const struct bench_options *options)
{
	memset(c, 0, sizeof(*c));
	c->contender = contender;
	c->trace = trace;
	c->options = options;
	c->is_over = !is_wanted(contender->name, options->contender) ||
		     (contender->is_allowed && !contender->is_allowed(trace));
}

static void run_case(struct bench_case *c)
{
	if (c->is_over)
		return;
	c->is_bad = !run_life(c) || c->is_fickle;
	c->spent += c->life;
	c->is_over = c->is_bad || c->options->once || c->spent > PATIENCE;
	if (c->is_bad)
		bench_print("# FAILED: %s has no memory, or %s, at %u functions\n",
			    c->contender->name, c->is_fickle ?
			    "answers the same question in two ways" :
			    "refuses what it left to the next kernel",
			    c->trace->nr);
}

static void print_case(struct bench_case *c)
{
	unsigned long long life[NR_QUANTILES] = { };

	for (int op = 0; op < NR_OPS; op++)
		print_samples(c, op, life);
	if (!c->contender->restore)
		return;
	for (int i = 0; i < NR_QUANTILES; i++)
		life[i] /= c->trace->nr;
	print_result(c, "life", c->trace->nr, c->samples[OP_FIRST].nr, life, 0);
}

/* Whether @c answers as @other does. */
static bool agrees(const struct bench_case *c, const struct bench_case *other)
{
	if (!memcmp(c->answer, other->answer, sizeof(c->answer)))
		return true;
	bench_print("# FAILED: %s answers other than %s at %u functions, layout %s, order %s\n",
		    c->contender->name, other->contender->name, c->trace->nr,
		    bench_layout_names[c->trace->layout],
		    bench_order_names[c->trace->order]);
	return false;
}

static struct bench_case *cases;

static unsigned int run_trace(const struct bench_trace *trace,
			      const struct bench_options *options)
{
	u32 lives = trace->order == BENCH_RANDOM ? LIVES : FEW_LIVES;
	struct bench_case *first = NULL;
	unsigned int bad = 0;

	for (unsigned int i = 0; i < bench_nr_contenders; i++)
		begin_case(&cases[i], bench_contenders[i], trace, options);
	for (u32 life = 0; life < lives; life++) {
		for (unsigned int i = 0; i < bench_nr_contenders; i++)
			run_case(&cases[i]);
	}
	for (unsigned int i = 0; i < bench_nr_contenders; i++) {
		struct bench_case *c = &cases[i];

		if (c->is_bad || (c->answered[0] && first &&
				  !agrees(c, first))) {
			bad++;
			continue;
		}
		if (!c->answered[0])
			continue;
		if (!first)
			first = c;
		print_case(c);
	}
	return bad;
}

static unsigned int run_size(enum bench_layout layout, u32 nr, u32 nr_segments,
			     const struct bench_options *options)
{
	unsigned int bad = 0;

	if (!is_wanted(bench_layout_names[layout], options->layout) ||
	    nr < options->min || nr > options->max)
		return 0;

	for (int order = 0; order < BENCH_NR_ORDERS; order++) {
		struct bench_trace *trace;

		if (!is_wanted(bench_order_names[order], options->order))
			continue;
		/* What many segments cost does not depend on the order. */
		if (order != BENCH_RANDOM && nr_segments > 16)
			continue;
		trace = bench_trace_create(layout, order, nr, nr_segments);
		if (!trace) {
			bench_print("# FAILED: no memory for %u functions\n",
				    nr);
			return bad + 1;
		}
		bad += run_trace(trace, options);
		bench_trace_free(trace);
	}
	return bad;
}

static unsigned int run_layouts(u32 nr, const struct bench_options *options)
{
	static const u32 segments[] = { 1, 16, 256 };
	unsigned int bad = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(segments); i++) {
		/* A segment has 65,536 functions, and at least one. */
		if (nr <= segments[i] * 65536 && nr >= segments[i])
			bad += run_size(BENCH_DENSE, nr, segments[i], options);
	}
	/* 256 segments are a large host. */
	if (nr <= 256 * 256)
		bad += run_size(BENCH_BUS, nr, DIV_ROUND_UP(nr, 256), options);
	if (nr <= 256)
		bad += run_size(BENCH_SEGMENT_EACH, nr, nr, options);
	return bad;
}

unsigned int bench_run(const struct bench_options *options)
{
	unsigned int bad = 0;

	cases = bench_alloc(bench_nr_contenders * sizeof(*cases));
	if (!cases) {
		bench_print("# FAILED: no memory\n");
		return 1;
	}
	measure_clock();
	bench_print("contender,layout,order,functions,segments,operation,");
	bench_print("calls,samples,ps_min,ps_median,ps_max,counted,");
	bench_print("record_bytes,heap_bytes,allocations\n");
	/* 1 to 1,048,576, in steps of 4 */
	for (u32 nr = 1; nr <= 1048576; nr *= 4)
		bad += run_layouts(nr, options);
	bench_free(cases);
	return bad;
}
