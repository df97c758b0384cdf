// SPDX-License-Identifier: GPL-2.0
/*
 * Run the tests of the index of preserved PCI functions.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/radix-tree.h>
#include <linux/rcupdate.h>

#include "harness.h"
#include "kselftest.h"
#include "tests.h"

/* @known_bug: The reason why the test is expected to fail, or NULL. */
struct test_case {
	const char *name;
	void (*run)(void);
	const char *known_bug;
};

static const struct test_case cases[] = {
	{ "shim: pages and their states", test_shim_pages },
	{ "shim: heap and failures", test_shim_heap },
	{ "shim: images", test_shim_images },
	{ "shim: misuse is fatal", test_shim_is_strict },
	{ "all functions of a segment, ascending", test_functions_ascending },
	{ "all functions of a segment, descending", test_functions_descending },
	{ "all functions of a segment, scattered", test_functions_scattered },
	{ "a function comes back", test_function_comes_back },
	{ "segment numbers", test_segment_numbers },
	{ "a thousand segments", test_thousand_segments },
	{ "edges of an iteration", test_iteration_edges },
	{ "functions removed during an iteration", test_iteration_removes },
	{ "any function on a range of buses", test_any },
	{ "no memory to create", test_no_memory_to_create },
	{ "no memory to add", test_no_memory_to_add },
	{ "no memory to add, again and again",
	  test_no_memory_again_and_again },
	{ "no room in the blocks", test_full_blocks },
	{ "no memory to restore", test_no_memory_to_restore },
	{ "no memory to restore keeps the record",
	  test_no_memory_keeps_record,
	  "kho_block_set_restore() frees the blocks when it has no memory" },
	{ "handover", test_handover },
	{ "handover of an empty index", test_handover_empty },
	{ "layout of a record", test_layout },
	{ "handover from kernel to kernel to kernel", test_handover_chain },
	{ "restore does not read leaves", test_restore_reads_no_leaf },
	{ "size of a record", test_size },
	{ "marks", test_marks },
	{ "marks of missing functions", test_marks_misused },
	{ "damaged records", test_damaged_records },
	{ "damaged addresses", test_damaged_addresses },
	{ "leaves used twice", test_leaves_used_twice },
	{ "leaves exchanged", test_leaves_exchanged },
	{ "records of other versions", test_versions },
	{ "good entries", test_good_entries },
	{ "record of PFs", test_record_of_pfs },
	{ "layout of a record of PFs", test_layout_of_pfs },
	{ "record without PFs any more", test_record_without_pfs },
	{ "a PF that exists", test_pf_exists },
	{ "restore does not read leaves of PFs", test_restore_reads_no_pf },
	{ "routing IDs of VFs", test_routing_ids },
	{ "each value of the state of a PF", test_sriov_fields },
	{ "the state of a PF is replaced", test_replace_state },
	{ "each value of the flags of an entry", test_entry_flags },
	{ "VFs of a PF", test_count_vfs },
	{ "each bit of a record flipped", test_flip_record },
	{ "each bit of a chain of blocks flipped", test_flip_chain },
	{ "several bits of an entry flipped", test_flip_bits_of_entries },
	{ "nasty records", test_nasty_records },
	{ "corpus of the fuzzer", test_corpus },
	{ "random damage", test_random_damage },
	{ "random operations", test_random_operations },
};

static void usage(const char *program)
{
	printf("Usage: %s [--ops=N] [--seed=N] [--only=TEXT] [--stop]\n"
	       "       %s --input=FILE\n"
	       "\n"
	       "  --ops=N      Number of random operations (%llu), and of\n"
	       "               damaged records times a thousand\n"
	       "  --seed=N     Where the random numbers start (the time)\n"
	       "  --only=TEXT  Run the tests with TEXT in their name\n"
	       "  --stop       Stop after the first test that fails\n"
	       "  --input=FILE Run a record that the fuzzer has written\n",
	       program, program, (unsigned long long)test_options.ops);
}

static u64 parse_number(const char *text)
{
	char *end;
	u64 n;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno || *end || end == text) {
		fprintf(stderr, "not a number: %s\n", text);
		exit(KSFT_FAIL);
	}
	return n;
}

/* Options of the run, besides test_options. */
struct selection {
	const char *only;
	const char *input;
	bool stop;
};

static struct selection parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "ops", required_argument, NULL, 'o' },
		{ "seed", required_argument, NULL, 's' },
		{ "only", required_argument, NULL, 'n' },
		{ "stop", no_argument, NULL, 't' },
		{ "input", required_argument, NULL, 'i' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct selection selection = { .only = "" };
	int c;

	test_options.seed = time(NULL);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'o':
			test_options.ops = parse_number(optarg);
			break;
		case 's':
			test_options.seed = parse_number(optarg);
			break;
		case 'n':
			selection.only = optarg;
			break;
		case 't':
			selection.stop = true;
			break;
		case 'i':
			selection.input = optarg;
			break;
		default:
			usage(argv[0]);
			exit(c == 'h' ? KSFT_PASS : KSFT_FAIL);
		}
	}
	return selection;
}

static void run_case(const struct test_case *test)
{
	bool passed = test_run(test->run);

	if (!test->known_bug)
		ksft_test_result(passed, "%s\n", test->name);
	else if (passed)
		ksft_test_result_xpass("%s\n", test->name);
	else
		ksft_test_result_xfail("%s: %s\n", test->name, test->known_bug);
}

static unsigned int count_cases(const char *only)
{
	unsigned int nr = 0;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		nr += !!strstr(cases[i].name, only);
	return nr;
}

static int run_input(const char *path)
{
	int err;

	rcu_register_thread();
	radix_tree_init();
	err = corpus_run_file(path);
	rcu_unregister_thread();
	return err;
}

int main(int argc, char **argv)
{
	struct selection selection = parse_options(argc, argv);
	unsigned int plan = count_cases(selection.only);

	if (selection.input)
		return run_input(selection.input);

	ksft_print_header();
	if (!plan)
		ksft_exit_fail_msg("there is no test with '%s' in its name\n",
				   selection.only);
	ksft_set_plan(plan);
	ksft_print_msg("to repeat: --seed=%llu --ops=%llu\n",
		       (unsigned long long)test_options.seed,
		       (unsigned long long)test_options.ops);

	rcu_register_thread();
	radix_tree_init();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (!strstr(cases[i].name, selection.only))
			continue;
		run_case(&cases[i]);
		if (selection.stop && ksft_get_fail_cnt())
			break;
	}
	rcu_unregister_thread();

	ksft_print_msg("%llu checks\n", (unsigned long long)test_nr_checks);
	ksft_finished();
}
