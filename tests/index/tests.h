/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All tests, by file.
 */
#ifndef _TESTS_H
#define _TESTS_H

/* shim_test.c */
void test_shim_pages(void);
void test_shim_heap(void);
void test_shim_images(void);
void test_shim_is_strict(void);

/* function_test.c */
void test_functions_ascending(void);
void test_functions_descending(void);
void test_functions_scattered(void);
void test_function_comes_back(void);

/* segment_test.c */
void test_segment_numbers(void);
void test_thousand_segments(void);
void test_iteration_edges(void);
void test_iteration_removes(void);

/* any_test.c */
void test_any(void);

/* memory_test.c */
void test_no_memory_to_create(void);
void test_no_memory_to_add(void);
void test_no_memory_again_and_again(void);
void test_full_blocks(void);
void test_no_memory_to_restore(void);
void test_no_memory_keeps_record(void);

/* handover_test.c */
void test_handover(void);
void test_handover_empty(void);
void test_layout(void);
void test_handover_chain(void);
void test_restore_reads_no_leaf(void);
void test_size(void);
void test_marks(void);
void test_marks_misused(void);

/* damage_test.c */
void test_damaged_records(void);
void test_damaged_addresses(void);
void test_leaves_used_twice(void);
void test_leaves_exchanged(void);
void test_versions(void);

/* entry_test.c */
void test_good_entries(void);

/* sriov_test.c */
void test_record_of_pfs(void);
void test_layout_of_pfs(void);
void test_record_without_pfs(void);
void test_pf_exists(void);
void test_restore_reads_no_pf(void);
void test_routing_ids(void);
void test_sriov_fields(void);
void test_replace_state(void);
void test_entry_flags(void);
void test_count_vfs(void);

/* flip_test.c */
void test_flip_record(void);
void test_flip_chain(void);
void test_flip_bits_of_entries(void);

/* fuzz_test.c */
void test_random_damage(void);

/* corpus_test.c */
void test_nasty_records(void);
void test_corpus(void);
int corpus_run_file(const char *path);

/* random_test.c */
void test_random_operations(void);

#endif /* _TESTS_H */
