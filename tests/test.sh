#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The test suite. Prints KTAP, and "N passed, M failed" at the end.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source=tests/vm/vm.sh
. "$ROOT/tests/vm/vm.sh"
# shellcheck source=tests/vm/devices.sh
. "$ROOT/tests/vm/devices.sh"
# shellcheck source=tests/vm/live-update.sh
. "$ROOT/tests/vm/live-update.sh"
# shellcheck source=tests/vm/suite.sh
. "$ROOT/tests/vm/suite.sh"

# The subjects in the order that they run in. tests/cases/SUBJECT.sh defines
# SUBJECT_tests(), which runs the tests of the subject.
SUBJECTS=(host kunit update vfs vfio vfio_iommu resets iommu refused damage perf scale touch)

for subject in "${SUBJECTS[@]}"; do
	# shellcheck disable=SC1090
	. "$ROOT/tests/cases/$subject.sh"
done

usage() {
	cat <<-END
	Usage: ${0##*/} [PATTERN]

	Runs the tests, or those whose name matches the shell pattern PATTERN. With
	ALL=1 or a pattern, tests that are much like another one run too.
	END
}

# Kernels take most of the time, while machines and host tests leave a processor
# idle now and then: build the next kernel meanwhile, one at a time.
build_ahead() {
	local kernel

	for kernel in 7.2-base 7.3-base 7.3-off 7.3-guardonly 7.3-next 7.3-debug; do
		build_kernel "$kernel"
	done 2>&1 >/dev/null </dev/null | sed -u 's/^ */# /'
}

# second_lane PATTERN: an emulated machine keeps only one processor busy, so there
# are two lanes. This one builds kernels, and then runs the longest tests.
second_lane() {
	if [[ $1 == '*' ]]; then
		build_ahead || true
	fi
	debug_tests
}

main() {
	local pattern=${1:-${TESTS:-*}} subject lane

	[[ $pattern != -h && $pattern != --help ]] || { usage; exit; }
	init "$@"
	need_qemu
	need_tools python3:python3
	start_suite test "$pattern" "${ALL:-0}"
	# In a process group of its own, which ends with this script.
	set -m
	second_lane "$pattern" &
	lane=$!
	set +m
	# shellcheck disable=SC2064 # expand it now
	trap "kill -- -$lane 2>/dev/null || true" EXIT
	for subject in "${SUBJECTS[@]}"; do
		"${subject}_tests"
	done
	wait "$lane"
	summary
}

main "$@"
