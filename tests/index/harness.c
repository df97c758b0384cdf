// SPDX-License-Identifier: GPL-2.0
/*
 * Checks, options and random numbers of the tests.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "shim/heap_shim.h"
#include "shim/kho_shim.h"
#include "shim/log_shim.h"

/* Don't print thousands of failures. */
#define MAX_SHOWN	10

struct test_options test_options = {
	.ops = 10 * 1000 * 1000,
};

u64 test_nr_checks;

static unsigned long nr_failures;
static jmp_buf abort_point;
static u64 random_state;

void test_fail(const char *file, int line, const char *fmt, ...)
{
	const char *name = strrchr(file, '/');
	va_list args;

	if (++nr_failures > MAX_SHOWN)
		return;

	printf("# %s:%d: ", name ? name + 1 : file, line);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	if (test_options.fatal) {
		fflush(stdout);
		abort();
	}
}

void test_abort(void)
{
	longjmp(abort_point, 1);
}

void test_note(const char *fmt, ...)
{
	va_list args;

	printf("# ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
}

bool test_is_clean(void)
{
	unsigned long before = nr_failures;

	CHECK_EQ(kho_shim_count(KHO_SHIM_OUTGOING), 0);
	CHECK_EQ(kho_shim_count(KHO_SHIM_HANDED_OVER), 0);
	CHECK_EQ(kho_shim_count(KHO_SHIM_RESTORED), 0);
	CHECK_EQ(heap_shim_count(), 0);
	CHECK_EQ(log_shim_take_messages(), 0);
	CHECK_EQ(log_shim_take_warnings(), 0);
	if (nr_failures != before)
		test_note("the last message: %s", log_shim_last());
	return nr_failures == before;
}

bool test_run(void (*test)(void))
{
	nr_failures = 0;
	random_state = test_options.seed;
	kho_shim_reset();
	if (!setjmp(abort_point))
		test();

	heap_shim_fail_at(0);
	kho_shim_fail_with(0);
	if (!test_is_clean()) {
		kho_shim_reset();
		heap_shim_drop();
	}
	CHECK_EQ(heap_shim_count_nodes(), 0);
	if (nr_failures > MAX_SHOWN)
		test_note("and %lu more failures", nr_failures - MAX_SHOWN);
	return !nr_failures;
}

/* splitmix64 */
u64 test_random(void)
{
	u64 z = random_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}
