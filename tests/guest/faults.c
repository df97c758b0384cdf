// SPDX-License-Identifier: GPL-2.0
/*
 * Calls in which one allocation of the kernel fails: fail-nth of
 * Documentation/fault-injection/fault-injection.rst.
 */

#define _GNU_SOURCE

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "faults.h"

#define DEBUG	"/sys/kernel/debug/"

/* Of this thread. */
static int fail_nth;

static void write_setting(const char *capability, const char *name, const char *value)
{
	char path[100];
	int fd;

	snprintf(path, sizeof(path), DEBUG "%s/%s", capability, name);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		err(1, "%s", path);
	close(fd);
}

/*
 * The address of @function and that of the next symbol. If @other follows @function, or
 * is there without it, it counts as a part of @function.
 */
static void find_code(const char *function, const char *other, char *start, char *end)
{
	FILE *symbols = fopen("/proc/kallsyms", "r");
	char address[32], name[256];
	bool inside = false;

	*start = 0;
	if (!symbols)
		err(1, "/proc/kallsyms");
	while (fscanf(symbols, "%31s %*s %255s%*[^\n]", address, name) == 2) {
		if (inside)
			sprintf(end, "0x%s", address);
		inside = !strcmp(name, function) || !strcmp(name, other);
		if (inside && !*start)
			sprintf(start, "0x%s", address);
	}
	fclose(symbols);
	if (!*start)
		errx(1, "%s is not in /proc/kallsyms", function);
}

static void init_capability(const char *name)
{
	char start[34], end[34];

	/*
	 * The code of kmemleak that allocates an object for each allocation. It has a pool
	 * to fall back to, so these allocations are not worth a call each. The compiler
	 * may put the first function into the second.
	 */
	find_code("__alloc_object", "__create_object", start, end);
	write_setting(name, "ignore-gfp-wait", "N");
	write_setting(name, "stacktrace-depth", "32");
	write_setting(name, "reject-start", start);
	write_setting(name, "reject-end", end);
	write_setting(name, "verbose", getenv("VERBOSE") ?: "0");
}

/* Let any allocation of this thread fail, but none of a page fault. */
void faults_init(void)
{
	init_capability("failslab");
	init_capability("fail_page_alloc");
	write_setting("fail_page_alloc", "ignore-gfp-highmem", "N");
	write_setting("fail_page_alloc", "min-order", "0");

	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR);
	if (fail_nth < 0)
		err(1, "/proc/thread-self/fail-nth");
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		err(1, "mlockall");
}

static void set_fail_nth(unsigned int n)
{
	char text[16];
	int length = sprintf(text, "%u", n);

	if (pwrite(fail_nth, text, length, 0) != length)
		err(1, "write fail-nth");
}

/*
 * Make a call whose allocation number @n fails. Returns false if it makes fewer: then
 * none failed.
 */
bool fault_in_call(unsigned int n, int (*call)(void *arg), void *arg, int *ret)
{
	char left[16] = "";

	set_fail_nth(n);
	*ret = call(arg);
	if (pread(fail_nth, left, sizeof(left) - 1, 0) <= 0)
		err(1, "read fail-nth");
	set_fail_nth(0);
	return !strtoul(left, NULL, 10);
}

/*
 * From now on each allocation that may fail does so below @function, in any thread, or
 * none if it is NULL.
 */
void fail_allocations_of(const char *function)
{
	static const char *const names[] = { "failslab", "fail_page_alloc" };
	char start[34] = "0", end[34] = "0xffffffffffffffff";

	if (function)
		find_code(function, function, start, end);
	for (int i = 0; i < 2; i++) {
		write_setting(names[i], "probability", "0");
		write_setting(names[i], "require-start", start);
		write_setting(names[i], "require-end", end);
		write_setting(names[i], "times", "-1");
		write_setting(names[i], "probability", function ? "100" : "0");
	}
}

/*
 * The number of pages that are preserved for the next kernel. Prints the stacks that
 * allocated them if @print. Nodes of KHO's radix tree don't count: it keeps them.
 */
long kho_pages(bool print)
{
	FILE *stacks = fopen(DEBUG "page_owner_stacks/show_stacks", "r");
	char line[256], stack[8192] = "";
	const char *number;
	size_t used = 0;
	long pages = 0;

	if (!stacks)
		err(1, DEBUG "page_owner_stacks/show_stacks");
	while (fgets(line, sizeof(line), stacks)) {
		if (*line != '\n' && used + sizeof(line) < sizeof(stack)) {
			used += sprintf(stack + used, "data failed %s", line);
			continue;
		}
		number = strstr(stack, "nr_base_pages: ");
		if (number && strstr(stack, "kho_alloc_preserve") &&
		    !strstr(stack, "kho_radix_alloc_node")) {
			pages += atol(number + 15);
			if (print)
				fputs(stack, stdout);
		}
		*stack = used = 0;
	}
	fclose(stacks);
	return pages;
}
