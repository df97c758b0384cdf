#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The test suite. Prints KTAP, and "N passed, M failed" at the end.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source=tests/vm.sh
. "$ROOT/tests/vm.sh"
# shellcheck source=tests/cases.sh
. "$ROOT/tests/cases.sh"
# shellcheck source=tests/suite.sh
. "$ROOT/tests/suite.sh"
# shellcheck source=tests/perf.sh
. "$ROOT/tests/perf.sh"

usage() {
	cat <<-END
	Usage: ${0##*/} [PATTERN]

	Runs the tests, or those whose name matches the shell pattern PATTERN. With
	ALL=1 or a pattern, tests that are much like another one run too.
	END
}

# run_similar NAME COMMAND [ARGUMENT...]: a test that is much like another one.
run_similar() {
	[[ $PATTERN == '*' && ${ALL:-0} != 1 ]] || run "$@"
}

# script DIR SCRIPT [ARGUMENT...]: what runs on the host.
script() {
	local name=$2
	shift 2

	"$ROOT/scripts/$name" "$@"
}

# Kernels take most of the time, while machines and host tests leave a processor
# idle now and then: build the next kernel meanwhile, one at a time.
build_ahead() {
	local kernel

	for kernel in 7.2-base 7.3-base 7.3-off 7.3-guardonly 7.3-next 7.3-debug; do
		"$ROOT/scripts/build-kernel.sh" "${kernel%-*}" "${kernel#*-}"
	done 2>&1 >/dev/null </dev/null | sed -u 's/^ */# /'
}

# Two lanes, as an emulated machine keeps only one processor busy: this one
# builds kernels, and then runs what takes longest. In a process group of its own,
# which goes when this script goes.
start_second_lane() {
	set -m
	second_lane &
	SECOND_LANE=$!
	set +m
	trap 'kill -- -$SECOND_LANE 2>/dev/null || true' EXIT
}

second_lane() {
	if [[ $PATTERN == '*' ]]; then
		build_ahead || true
	fi
	debug_tests
}

# index DIR: fewer operations at random than "make check".
index() {
	OPS=2000000 "$ROOT/scripts/check.sh" index
}

# The scanner that every other test leans on must itself be seen to work.
scanner() {
	"$ROOT/tests/scan-console-test.sh"
}

# As do the numbers at the end.
two_suites() {
	"$ROOT/tests/suite-test.sh" "$1/folder"
}

# Whether all contenders agree. Nothing here depends on the time it takes.
bench() {
	env -u KERNEL -u COUNT "$ROOT/tests/bench.sh" --short
}

host_tests() {
	run scanner scanner
	run two-suites two_suites
	run perf-report perf_report_test
	run index index
	run tool script check.sh tool
	run bench bench
	run lint script check.sh lint
	run build-warnings script check-build.sh
}

kunit_tests() {
	run kunit-7.2 kunit 7.2-base
	run kunit-7.3 kunit 7.3-base
}

luo_selftests() {
	TO=7.3 "$ROOT/tests/luo-selftests.sh" "$1"
}

update_tests() {
	run update-7.2-to-7.3 live_update 7.2-base 7.3-base 64 update
	run update-7.3-to-7.3 live_update 7.3-base 7.3-base 64 update
	run update-7.3-to-7.2 live_update 7.3-base 7.2-base 64 update
	run_similar update-one-function live_update 7.3-base 7.3-base 1 update
	run update-next-version live_update 7.3-next 7.3-base 8 update version=2
	run_similar update-from-next-version live_update 7.3-base 7.3-next 8 update version=1
	run update-nothing-preserved live_update 7.2-base 7.3-base 8 nothing
	run update-session-closed live_update 7.3-base 7.3-base 8 closed
	run update-removed live_update 7.3-base 7.3-base 8 removed
	run update-pick-up-session live_update 7.3-base 7.3-base 8 pick_up
	run update-luo-off live_update 7.3-base 7.3-base 8 luo_off
	run update-binding live_update 7.3-base 7.3-base 8 binding
	run_similar update-luo-off-nothing live_update 7.3-base 7.3-base 8 luo_off_nothing
	run update-resets resets
	run_similar update-aer aer
	run update-acs acs
	run update-kexec-load kexec_load
	run update-abandoned live_update 7.3-base 7.3-base 8 abandoned
	run update-preserve-incoming live_update 7.3-base 7.3-base 2 preserve_incoming
	run update-freeze live_update 7.3-base 7.3-base 8 freeze
	run update-suspend live_update 7.3-base 7.3-base 2 suspend
	run update-iommu-groups iommu_groups
	run update-dma dma yes
	run_similar update-dma-not-preserved dma no
	run_similar refused-7.2 refused 7.2-base
	run refused-7.3 refused 7.3-base
	run_similar refused-ats refused_ats
	run_similar luo-selftests luo_selftests
}

# make scale has more and larger ones.
scale_tests() {
	run scale scale 7.2-base 7.3-base 1024 one
	run scale-files scale 7.3-base 7.3-base 1024 each
}

# touched DIR RECIPE [GUARD-ONLY]: a live update, traced from outside the guest.
touched() {
	FROM=7.3 TO=7.3 RECIPE=$2 GUARD_ONLY=${3:-0} "$ROOT/tests/touch.sh" "$1"
}

option_off_tests() {
	run guard-cost guard_cost
	run touch touched none
	run touch-renumber touched renumber
	run touch-move touched move
	run touch-guard-only touched none 1
	run_similar touch-guard-only-move touched move 1
	run update-option-off live_update 7.3-base 7.3-off 8 option_off
}

# damage_each RUN CASE: what the next kernel says: the field, what it found and what
# it expected.
damage_each() {
	local kind text

	while IFS=: read -r kind text; do
		"$1" "damage-$kind" "$2" 7.2-base 7.3-base "$kind" "$text"
	done
}

# KUnit has all of them, and more, in one boot.
damage_tests() {
	damage_each run damaged <<-'END'
	oldest:oldest_reader is 0x9, expected at most 0x1
	cycle:next of a block is 0x[0-9a-f]*, expected the end of the chain, 0x0
	END
	damage_each run damaged_entry <<-'END'
	leaf:buses\[\] entry of segment 0000 is 0x1000, expected preserved memory of a size in bytes of 0x1000
	vendor:vendor of segment 0000 is 0x0, expected other than 0 and 0xffff
	END
	damage_each run_similar damaged <<-'END'
	features:features is 0x10, expected no bits but those of 0x0
	segments:segments is 0x[0-9a-f]*8, expected a multiple of 0x1000
	sum:nr_devices of the root is 0x7, expected the sum of all segments, 0x[0-9a-f]*
	count:count of a block is 0x9, expected exactly 0x1
	weight:nr_devices of segment 0000 is 0x7, expected the weight of the bitmap, 0x[0-9a-f]*
	bitmap:bitmap of segment 0000 is 0x[0-9a-f]*1, expected a multiple of 0x1000
	buses:buses of segment 0000 is 0x1000, expected preserved memory of a size in bytes of 0x1000
	END
	damage_each run_similar damaged_entry <<-'END'
	reserved:reserved of segment 0000 is 0x1, expected exactly 0x0
	END
}

perf_tests() {
	run perf-update perf_update
	run perf-damage traced_damage
}

# With lockdep, KASAN and kmemleak. Side by side, as by then little else is left
# to do.
debug_tests() {
	local VM_SECONDS=600

	run debug-kunit kunit 7.3-debug 'pci_liveupdate_[fi]*' &
	run debug-update live_update 7.3-debug 7.3-debug 16 update
	wait
	run_similar debug-kunit-all kunit 7.3-debug
}

main() {
	init "$@"
	PATTERN=${1:-${TESTS:-*}}
	[[ $PATTERN != -h && $PATTERN != --help ]] || { usage; exit; }
	need_qemu
	need_tools python3:python3
	start_suite test
	start_second_lane
	host_tests
	kunit_tests
	update_tests
	damage_tests
	perf_tests
	scale_tests
	option_off_tests
	wait "$SECOND_LANE"
	summary
}

main "$@"
