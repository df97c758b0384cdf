# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Tests that run on the host.

host_tests() {
	run scanner scanner_test
	run two-suites two_suites_test
	run qemu-crash qemu_crash_test
	run perf-report perf_report_test
	run index index_test
	run tool script_test check.sh tool
	run bench bench_test
	run lint script_test check.sh lint
	run build-warnings script_test check-build.sh
}

# script_test DIR SCRIPT [ARGUMENT...]
script_test() {
	local name=$2
	shift 2

	"$ROOT/scripts/$name" "$@"
}

# The other tests rely on the scanner of consoles.
scanner_test() {
	"$ROOT/tests/vm/scan-console-test.sh"
}

# The last line of the suite relies on these numbers.
two_suites_test() {
	"$ROOT/tests/vm/suite-test.sh" "$1/folder"
}

# A machine is run once more after a crash of QEMU, and only then.
qemu_crash_test() {
	"$ROOT/tests/vm/vm-test.sh" "$1/folder"
}

perf_report_test() {
	"$ROOT/tests/perf-report/test.sh"
}

# Fewer random operations than "make check".
index_test() {
	OPS=2000000 "$ROOT/scripts/check.sh" index
}

# All contenders agree. No verdict depends on time.
bench_test() {
	env -u COUNT -u ORDER "$ROOT/tools/perf-scripts/bench/bench.sh" --short
}
