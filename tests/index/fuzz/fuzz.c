// SPDX-License-Identifier: GPL-2.0
/*
 * Let libFuzzer look for a record that the index handles wrongly.
 */

#include <linux/radix-tree.h>
#include <linux/rcupdate.h>

#include "harness.h"
#include "input.h"
#include "shim/heap_shim.h"

/* Waiting for RCU is slow. */
#define RECORDS_PER_RCU	4096

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	rcu_register_thread();
	radix_tree_init();
	test_options.fatal = true;
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static unsigned int nr;

	input_run(data, size);
	if (++nr % RECORDS_PER_RCU == 0)
		CHECK_EQ(heap_shim_count_nodes(), 0);
	return 0;
}
