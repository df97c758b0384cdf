#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Look for reports of kernel bugs in a console log. Prints each, and exits with 1
# if there was one, 2 if there is no log.

set -euo pipefail

# The kernel begins such reports with these words. See include/asm-generic/bug.h, lockdep,
# mm/kasan/report.c, mm/kmemleak.c, lib/ubsan.c, kernel/rcu, kernel/hung_task.c,
# kernel/watchdog.c and mm/page_alloc.c.
REPORTS='WARNING: |BUG: |kernel BUG at |Oops: |UBSAN: |KASAN: |KFENCE: |KCSAN: '
REPORTS+='|possible circular locking|possible recursive locking'
REPORTS+='|inconsistent lock state|suspicious RCU usage|held lock freed'
REPORTS+='|bad unlock balance|Invalid wait context|DEBUG_LOCKS_WARN_ON'
REPORTS+='|sleeping function called from invalid context'
REPORTS+='|new suspected memory leaks|unreferenced object'
REPORTS+='|INFO: task .* blocked for more than|rcu: INFO: .*detected stall'
REPORTS+='|soft lockup|hard LOCKUP|general protection fault'
REPORTS+='|Bad page state|Bad rss-counter|list_(add|del) corruption'
REPORTS+='|Kernel panic - not syncing|Call Trace:'

main() {
	if [[ ! -s ${1:?a console log} ]]; then
		echo "$1: there is no log, or it is empty"
		exit 2
	fi
	if grep -aEn "$REPORTS" -- "$1"; then
		exit 1
	fi
}

main "$@"
