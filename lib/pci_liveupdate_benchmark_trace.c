// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmark of the index of preserved PCI functions: who is preserved, looked
 * up and finished, and in which order. The same in the kernel and in user space.
 */

#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>

#include "pci_liveupdate_benchmark.h"

#define BDFS		65536u
#define BUSES		256u

/* A bridge has this many buses below, a power of two. */
#define BRIDGE_BUSES	4u

/* More questions about bridges tell no more. */
#define MAX_ANY		1024u

const char * const bench_layout_names[BENCH_NR_LAYOUTS] = {
	[BENCH_DENSE]		= "dense",
	[BENCH_BUS]		= "bus",
	[BENCH_SEGMENT_EACH]	= "segment",
};

const char * const bench_order_names[BENCH_NR_ORDERS] = {
	[BENCH_ASCENDING]	= "ascending",
	[BENCH_RANDOM]		= "random",
	[BENCH_BRIDGE]		= "bridge",
};

/* splitmix64, from the same seed for each trace. */
static u64 random_next(u64 *seed)
{
	u64 z = *seed += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static u32 random_below(u64 *seed, u32 n)
{
	return (random_next(seed) >> 32) * n >> 32;
}

static u32 per_segment(const struct bench_trace *trace)
{
	return DIV_ROUND_UP(trace->nr, trace->nr_segments);
}

/* The key of a device. Devices are numbered in the order of their keys. */
static pci_ser_key_t device_key(const struct bench_trace *trace, u32 dev)
{
	switch (trace->layout) {
	case BENCH_BUS:
		return PCI_SER_KEY(dev / BUSES, dev % BUSES << 8);
	case BENCH_SEGMENT_EACH:
		return PCI_SER_KEY(dev, 0);
	default:
		return PCI_SER_KEY(dev / per_segment(trace),
				 dev % per_segment(trace));
	}
}

/* A function that is not there: in the same segment, if there is room. */
static pci_ser_key_t missing_key(const struct bench_trace *trace,
				 pci_ser_key_t key)
{
	if (trace->layout != BENCH_DENSE)
		return key | 1;
	if (per_segment(trace) <= BDFS / 2)
		return key + per_segment(trace);
	return key + PCI_SER_KEY(trace->nr_segments, 0);
}

/* Shuffle @nr groups; group i starts at start[i]. */
static void shuffle(u32 *start, u32 nr, u64 *seed)
{
	for (u32 i = nr; i > 1; i--) {
		u32 *other = &start[random_below(seed, i)];
		u32 last = start[i - 1];

		start[i - 1] = *other;
		*other = last;
	}
}

/* Find where groups start: each device is one, or all that share a bus. */
static u32 find_groups(const struct bench_trace *trace, u32 *start)
{
	u32 nr = 0;

	for (u32 dev = 0; dev < trace->nr; dev++) {
		if (trace->order != BENCH_BRIDGE || !dev ||
		    device_key(trace, dev) >> 8 !=
		    device_key(trace, dev - 1) >> 8)
			start[nr++] = dev;
	}
	return nr;
}

static bool in_group(const struct bench_trace *trace, u32 dev, u32 start)
{
	if (dev >= trace->nr)
		return false;
	if (trace->order != BENCH_BRIDGE)
		return dev == start;
	return device_key(trace, dev) >> 8 == device_key(trace, start) >> 8;
}

/* Put all devices in the order of the trace, another one each time. */
static void order_devices(const struct bench_trace *trace, u32 *dev,
			  u32 *start, u64 *seed)
{
	u32 nr = find_groups(trace, start), n = 0;

	if (trace->order != BENCH_ASCENDING)
		shuffle(start, nr, seed);
	for (u32 i = 0; i < nr; i++) {
		for (u32 d = start[i]; in_group(trace, d, start[i]); d++)
			dev[n++] = d;
	}
}

static bool calls_alloc(struct bench_calls *calls, u32 nr)
{
	calls->nr = nr;
	calls->key = bench_alloc(nr * sizeof(*calls->key));
	calls->dev = bench_alloc(nr * sizeof(*calls->dev));
	return calls->key && calls->dev;
}

static void calls_free(struct bench_calls *calls)
{
	bench_free(calls->key);
	bench_free(calls->dev);
}

static void calls_fill(const struct bench_trace *trace,
		       struct bench_calls *calls, u32 *start, u64 *seed)
{
	order_devices(trace, calls->dev, start, seed);
	for (u32 i = 0; i < calls->nr; i++)
		calls->key[i] = device_key(trace, calls->dev[i]);
}

/* The bridges above functions, as these are looked up. */
static void fill_any(struct bench_trace *trace)
{
	for (u32 i = 0; i < trace->any.nr; i++) {
		pci_ser_key_t key = trace->hit.key[i];
		u8 bus = PCI_SER_KEY_BDF(key) >> 8 & ~(BRIDGE_BUSES - 1);

		trace->any.key[i] = BENCH_RANGE(PCI_SER_KEY_DOMAIN(key), bus,
						bus + BRIDGE_BUSES - 1);
		trace->any.dev[i] = trace->hit.dev[i];
	}
}

struct bench_trace *bench_trace_create(enum bench_layout layout,
				       enum bench_order order, u32 nr,
				       u32 nr_segments)
{
	struct bench_trace *trace = bench_alloc(sizeof(*trace));
	u32 *start = bench_alloc(nr * sizeof(*start));
	u64 seed = nr;

	if (!trace || !start)
		goto err_free;

	memset(trace, 0, sizeof(*trace));
	trace->layout = layout;
	trace->order = order;
	trace->nr = nr;
	trace->nr_segments = nr_segments;
	trace->driver_data = bench_alloc(nr * sizeof(*trace->driver_data));
	if (!calls_alloc(&trace->preserve, nr) ||
	    !calls_alloc(&trace->hit, nr) || !calls_alloc(&trace->miss, nr) ||
	    !calls_alloc(&trace->finish, nr) ||
	    !calls_alloc(&trace->any, min(nr, MAX_ANY)) ||
	    !trace->driver_data) {
		bench_trace_free(trace);
		trace = NULL;
		goto err_free;
	}

	calls_fill(trace, &trace->preserve, start, &seed);
	calls_fill(trace, &trace->hit, start, &seed);
	calls_fill(trace, &trace->miss, start, &seed);
	calls_fill(trace, &trace->finish, start, &seed);
	for (u32 i = 0; i < nr; i++)
		trace->miss.key[i] = missing_key(trace, trace->miss.key[i]);
	fill_any(trace);
	bench_free(start);
	return trace;

err_free:
	bench_free(start);
	bench_free(trace);
	return NULL;
}

void bench_trace_free(struct bench_trace *trace)
{
	calls_free(&trace->preserve);
	calls_free(&trace->hit);
	calls_free(&trace->miss);
	calls_free(&trace->any);
	calls_free(&trace->finish);
	bench_free(trace->driver_data);
	bench_free(trace);
}
