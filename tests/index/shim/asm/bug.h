/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A warning of the code under test has to be seen by the test, and every time:
 * the one that is printed once only would hide behind an earlier test's.
 */
#ifndef _SHIM_ASM_BUG_H
#define _SHIM_ASM_BUG_H

#include_next <asm/bug.h>

void log_shim_warn(const char *file, int line, const char *condition);

#undef WARN_ON
#define WARN_ON(condition) ({						\
	bool __warn = (condition);					\
	if (unlikely(__warn))						\
		log_shim_warn(__FILE__, __LINE__, #condition);		\
	unlikely(__warn);						\
})

#undef WARN_ON_ONCE
#define WARN_ON_ONCE(condition)	WARN_ON(condition)

#endif /* _SHIM_ASM_BUG_H */
