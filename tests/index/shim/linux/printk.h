/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_LINUX_PRINTK_H
#define _SHIM_LINUX_PRINTK_H

#include <linux/kernel.h>

#ifndef pr_fmt
#define pr_fmt(fmt) fmt
#endif

void __printf(1, 2) log_shim_printk(const char *fmt, ...);

/* tools/testing/shared prints these to stdout, where the results go. */
#undef pr_err
#define pr_err(fmt, ...)	log_shim_printk(pr_fmt(fmt), ##__VA_ARGS__)
#undef pr_warn
#define pr_warn(fmt, ...)	log_shim_printk(pr_fmt(fmt), ##__VA_ARGS__)

#endif /* _SHIM_LINUX_PRINTK_H */
