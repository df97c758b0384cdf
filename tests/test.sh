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

# The subjects in the order that they run in, no long test last: it would run alone.
# tests/cases/SUBJECT.sh defines SUBJECT_tests(), which runs the tests of the subject.
SUBJECTS=(host kunit update vfs vfio vfio_iommu resets errors access iommu refused damage
	debug soak perf scale touch arm64)

ROUNDS=${ROUNDS:-1}

for subject in "${SUBJECTS[@]}"; do
	# shellcheck disable=SC1090
	. "$ROOT/tests/cases/$subject.sh"
done

usage() {
	cat <<-END
	Usage: ${0##*/} [PATTERN]

	Runs the tests, or those whose name matches the shell pattern PATTERN. With
	ALL=1, or a pattern and no ALL=0, tests that are much like another one run too.
	With ROUNDS=N each test runs N times. DEBUG=1 runs the tests of the base kernels
	with 7.3-debug, which looks for bugs.
	END
}

# Kernels take most of the time, while machines and host tests leave a processor
# idle now and then: build the next kernel meanwhile, one at a time. A test tells of a
# kernel that does not build.
build_ahead() {
	local kernel

	for kernel in 7.2-base 7.3-base 7.3-off 7.3-debug; do
		build_kernel "$kernel"
	done 2>&1 >/dev/null </dev/null | sed -u 's/^ */# /'
}

# repeat COMMAND: as often as ROUNDS says.
repeat() {
	local round

	for ((round = 1; round <= ROUNDS; round++)); do
		((ROUNDS == 1)) || SUITE[round]=@$round
		"$1"
	done
}

run_subjects() {
	local subject

	for subject in "${SUBJECTS[@]}"; do
		"${subject}_tests"
	done
}

main() {
	local pattern=${1:-${TESTS:-*}} builder=''

	[[ $pattern != -h && $pattern != --help ]] || { usage; exit; }
	init "$@"
	[[ $ROUNDS =~ ^[1-9][0-9]*$ ]] || die "ROUNDS=$ROUNDS is not a number of 1 or more"
	need_qemu
	need_tools python3:python3
	start_suite test "$pattern" "${ALL:-}"
	if [[ $pattern == '*' ]]; then
		in_background build_ahead
		builder=$!
	fi
	repeat run_subjects
	[[ ! $builder ]] || wait "$builder" || true
	summary
}

main "$@"
