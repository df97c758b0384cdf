/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel log: what the code under test had to say.
 */
#ifndef _LOG_SHIM_H
#define _LOG_SHIM_H

#include <linux/compiler.h>

/* Each takes what there is: the next call starts from 0. */
unsigned int log_shim_take_messages(void);
unsigned int log_shim_take_warnings(void);

/* The last message or warning. */
const char *log_shim_last(void);

/* For a state that the kernel would not survive, or the harness not notice. */
void __noreturn __printf(1, 2) log_shim_die(const char *fmt, ...);

#endif /* _LOG_SHIM_H */
