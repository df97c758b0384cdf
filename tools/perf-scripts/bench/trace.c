// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmark of the index of preserved PCI functions: the functions, and the order
 * in which they are preserved, looked up and finished.
 */

#include <stdlib.h>

#include <linux/kernel.h>
#include <linux/types.h>

#include "bench.h"

#define BDFS		65536u
#define BUSES		256u

/* A bridge has this many buses below, a power of two. */
#define BRIDGE_BUSES	4u

/* More questions about bridges tell no more. */
#define MAX_ANY		1024u

const char * const bench_layout_names[BENCH_NR_LAYOUTS] = {
	[BENCH_DENSE]		= "dense",
	[BENCH_BUS]		= "bus",
	[BENCH_SEGMENT]		= "segment",
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

static u32 trace_segments(enum bench_layout layout, u32 nr)
{
	switch (layout) {
	case BENCH_BUS:
		return DIV_ROUND_UP(nr, BUSES);
	case BENCH_SEGMENT:
		return nr;
	default:
		return nr <= BDFS ? 1 : 16;
	}
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
	case BENCH_SEGMENT:
		return PCI_SER_KEY(dev, 0);
	default:
		return PCI_SER_KEY(dev / per_segment(trace),
				   dev % per_segment(trace));
	}
}

/* A function that does not exist: in the same segment, if there is room. */
static pci_ser_key_t missing_key(const struct bench_trace *trace,
				 pci_ser_key_t key)
{
	if (trace->layout != BENCH_DENSE)
		return key | 1;
	if (per_segment(trace) <= BDFS / 2)
		return key + per_segment(trace);
	return key + PCI_SER_KEY(trace->nr_segments, 0);
}

/* Whether @dev comes right after the device before it in any order. */
static bool follows(const struct bench_trace *trace, u32 dev)
{
	return trace->order == BENCH_BRIDGE && dev &&
	       device_key(trace, dev) >> 8 == device_key(trace, dev - 1) >> 8;
}

/* Put all devices in the order of the trace, another one each time. */
static void order_devices(const struct bench_trace *trace, u32 *dev, u64 *seed)
{
	u32 *start = bench_alloc(trace->nr * sizeof(*start));
	u32 nr_groups = 0, n = 0;

	for (u32 d = 0; d < trace->nr; d++) {
		if (!follows(trace, d))
			start[nr_groups++] = d;
	}
	for (u32 i = nr_groups; trace->order != BENCH_ASCENDING && i > 1; i--) {
		u32 *other = &start[random_below(seed, i)];
		u32 last = start[i - 1];

		start[i - 1] = *other;
		*other = last;
	}
	for (u32 i = 0; i < nr_groups; i++) {
		dev[n++] = start[i];
		for (u32 d = start[i] + 1; d < trace->nr && follows(trace, d); d++)
			dev[n++] = d;
	}
	free(start);
}

static void calls_alloc(struct bench_calls *calls, u32 nr)
{
	calls->nr = nr;
	calls->key = bench_alloc(nr * sizeof(*calls->key));
	calls->dev = bench_alloc(nr * sizeof(*calls->dev));
}

static void calls_create(struct bench_calls *calls,
			 const struct bench_trace *trace, u64 *seed)
{
	calls_alloc(calls, trace->nr);
	order_devices(trace, calls->dev, seed);
	for (u32 i = 0; i < calls->nr; i++)
		calls->key[i] = device_key(trace, calls->dev[i]);
}

static void calls_free(struct bench_calls *calls)
{
	free(calls->key);
	free(calls->dev);
}

/* The bridges above functions, in the order of their look-up. */
static void calls_create_any(struct bench_calls *any,
			     const struct bench_calls *hit)
{
	calls_alloc(any, min(hit->nr, MAX_ANY));
	for (u32 i = 0; i < any->nr; i++) {
		u8 bus = PCI_SER_KEY_BDF(hit->key[i]) >> 8 & ~(BRIDGE_BUSES - 1);

		any->key[i] = BENCH_RANGE(PCI_SER_KEY_DOMAIN(hit->key[i]), bus,
					  bus + BRIDGE_BUSES - 1);
		any->dev[i] = hit->dev[i];
	}
}

struct bench_trace *bench_trace_create(enum bench_layout layout,
				       enum bench_order order, u32 nr)
{
	struct bench_trace *trace = bench_alloc(sizeof(*trace));

	trace->layout = layout;
	trace->order = order;
	trace->nr = nr;
	trace->nr_segments = trace_segments(layout, nr);
	return trace;
}

void bench_trace_fill(struct bench_trace *trace)
{
	u64 seed = trace->nr;

	trace->driver_data = bench_alloc(trace->nr * sizeof(*trace->driver_data));
	calls_create(&trace->add, trace, &seed);
	calls_create(&trace->hit, trace, &seed);
	calls_create(&trace->miss, trace, &seed);
	calls_create(&trace->finish, trace, &seed);
	for (u32 i = 0; i < trace->nr; i++)
		trace->miss.key[i] = missing_key(trace, trace->miss.key[i]);
	calls_create_any(&trace->any, &trace->hit);
}

void bench_trace_free(struct bench_trace *trace)
{
	calls_free(&trace->add);
	calls_free(&trace->hit);
	calls_free(&trace->miss);
	calls_free(&trace->any);
	calls_free(&trace->finish);
	free(trace->driver_data);
	free(trace);
}
