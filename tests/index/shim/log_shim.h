/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel log: messages and warnings of the code under test.
 */
#ifndef _LOG_SHIM_H
#define _LOG_SHIM_H

#include <linux/compiler.h>

/* Return the number of messages or warnings since the last call. */
unsigned int log_shim_take_messages(void);
unsigned int log_shim_take_warnings(void);

/* Returns the last message or warning. */
const char *log_shim_last(void);

/* Abort in a state that the kernel would not survive. */
void __noreturn __printf(1, 2) log_shim_die(const char *fmt, ...);

#endif /* _LOG_SHIM_H */
