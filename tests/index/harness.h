/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a test is made of.
 */
#ifndef _HARNESS_H
#define _HARNESS_H

#include <linux/compiler.h>
#include <linux/types.h>

struct test_options {
	u64 ops;
	u64 seed;
};

extern struct test_options test_options;

/* Number of conditions that were checked, in all tests. */
extern u64 test_nr_checks;

void __printf(3, 4) test_fail(const char *file, int line, const char *fmt, ...);
void __noreturn test_abort(void);

/* One line about what a test has done. */
void __printf(1, 2) test_note(const char *fmt, ...);

/* Run one test; whether it passed and left nothing behind. */
bool test_run(void (*test)(void));

/*
 * Whether there is nothing that a test ought to have freed or looked at. Only
 * the nodes of xarrays are not counted until the test has ended.
 */
bool test_is_clean(void);

/* Pseudo-random, from the same seed in each test. */
u64 test_random(void);

/* Go on after a failure, to see the others as well. */
#define CHECK(condition)						\
do {									\
	test_nr_checks++;						\
	if (unlikely(!(condition)))					\
		test_fail(__FILE__, __LINE__, "%s", #condition);	\
} while (0)

#define CHECK_EQ(found, expected)					\
do {									\
	long long __found = (found);					\
	long long __expected = (expected);				\
									\
	test_nr_checks++;						\
	if (unlikely(__found != __expected))				\
		test_fail(__FILE__, __LINE__,				\
			  "%s is %lld (%#llx), not %lld (%#llx)",	\
			  #found, __found, __found, __expected,		\
			  __expected);					\
} while (0)

/* For what the rest of a test cannot do without. */
#define ASSERT(condition)						\
do {									\
	test_nr_checks++;						\
	if (unlikely(!(condition))) {					\
		test_fail(__FILE__, __LINE__, "%s", #condition);	\
		test_abort();						\
	}								\
} while (0)

#endif /* _HARNESS_H */
