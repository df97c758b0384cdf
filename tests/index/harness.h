/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checks, options and random numbers of the tests.
 */
#ifndef _HARNESS_H
#define _HARNESS_H

#include <linux/compiler.h>
#include <linux/types.h>

/* @fatal: Abort at the first failed check, so that a fuzzer sees it. */
struct test_options {
	u64 ops;
	u64 seed;
	bool fatal;
};

extern struct test_options test_options;

/* Number of checked conditions in all tests. */
extern u64 test_nr_checks;

void __printf(3, 4) test_fail(const char *file, int line, const char *fmt, ...);
void __noreturn test_abort(void);

/* Print a line about the test. */
void __printf(1, 2) test_note(const char *fmt, ...);

/* Run one test. Returns whether it passed and leaked nothing. */
bool test_run(void (*test)(void));

/*
 * Check that the test has freed all memory and taken all messages. Nodes of xarrays
 * are counted only at the end of a test.
 */
bool test_is_clean(void);

/* Return a pseudo-random number. Each test starts from the same seed. */
u64 test_random(void);

/* A failed check does not end the test. */
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

/* A failed assertion ends the test. */
#define ASSERT(condition)						\
do {									\
	test_nr_checks++;						\
	if (unlikely(!(condition))) {					\
		test_fail(__FILE__, __LINE__, "%s", #condition);	\
		test_abort();						\
	}								\
} while (0)

#endif /* _HARNESS_H */
