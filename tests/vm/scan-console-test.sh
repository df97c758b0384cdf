#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A scanner that finds nothing would make every console look clean.

set -euo pipefail

SCAN=$(dirname -- "${BASH_SOURCE[0]}")/scan-console.sh
BAD=0

# expect STATUS TEXT: the scanner exits with STATUS for a console with TEXT in it.
expect() {
	local rc=0

	printf '[    0.000000] Linux version\n%s\n[    9.0] reboot\n' "$2" >"$LOG"
	"$SCAN" "$LOG" >/dev/null || rc=$?
	if ((rc != $1)); then
		echo "expected $1, and got $rc for: $2"
		BAD=1
	fi
}

main() {
	LOG=$(mktemp)
	trap 'rm -f -- "$LOG"' EXIT

	expect 1 '[    1.0] WARNING: CPU: 0 PID: 1 at drivers/pci/probe.c:1 pci_scan+0x1/0x2'
	expect 1 '[    1.0] WARNING: drivers/pci/probe.c:1 at pci_scan+0x1/0x2, CPU#0: init/1'
	expect 1 '[    1.0] WARNING: possible circular locking dependency detected'
	expect 1 '[    1.0] BUG: KASAN: use-after-free in xa_load+0x1/0x2'
	expect 1 '[    1.0] BUG: kernel NULL pointer dereference, address: 0000000000000000'
	expect 1 '[    1.0] kernel BUG at lib/xarray.c:1!'
	expect 1 '[    1.0] UBSAN: shift-out-of-bounds in drivers/pci/liveupdate.c:1:2'
	expect 1 '[    1.0] BUG: sleeping function called from invalid context at mm/slab.h:1'
	expect 1 '[    1.0] kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)'
	expect 1 '[    1.0] INFO: task init:1 blocked for more than 120 seconds.'
	expect 1 '[    1.0] rcu: INFO: rcu_sched self-detected stall on CPU'
	expect 1 '[    1.0] BUG: Bad page state in process init  pfn:00001'
	expect 1 '[    1.0] list_add corruption. prev->next should be next'
	expect 1 '[    1.0] Kernel panic - not syncing: no init'
	expect 0 '[    1.0] pci 0000:00:01.0: liveupdate: preserved by the previous kernel'
	expect 0 '[    1.0] DMAR: warning about nothing'

	# The console of a hundred boots is megabytes long.
	seq 200000 | sed "s,.*,[    1.0] pci 0000:00:01.0: BAR 0 [mem 0xfe800000-0xfe800fff]," >"$LOG"
	echo '[    1.0] WARNING: drivers/pci/probe.c:1 at pci_scan+0x1/0x2' >>"$LOG"
	if [[ $("$SCAN" "$LOG") != 200001:* ]]; then
		echo "a report at the end of a long log is not found"
		BAD=1
	fi

	: >"$LOG"
	if "$SCAN" "$LOG" >/dev/null; then
		echo "an empty log passes as a clean one"
		BAD=1
	fi
	exit "$BAD"
}

main "$@"
