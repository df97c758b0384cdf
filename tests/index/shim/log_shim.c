// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel log: messages and warnings of the code under test.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <linux/bug.h>
#include <linux/printk.h>

#include "log_shim.h"

static char last[256];
static unsigned int nr_messages;
static unsigned int nr_warnings;

void log_shim_printk(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(last, sizeof(last), fmt, args);
	va_end(args);
	nr_messages++;
}

void log_shim_warn(const char *file, int line, const char *condition)
{
	snprintf(last, sizeof(last), "WARNING at %s:%d: %s", file, line,
		 condition);
	nr_warnings++;
}

unsigned int log_shim_take_messages(void)
{
	unsigned int nr = nr_messages;

	nr_messages = 0;
	return nr;
}

unsigned int log_shim_take_warnings(void)
{
	unsigned int nr = nr_warnings;

	nr_warnings = 0;
	return nr;
}

const char *log_shim_last(void)
{
	return last;
}

void log_shim_die(const char *fmt, ...)
{
	va_list args;

	printf("Bail out! ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	abort();
}
