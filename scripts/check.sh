#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The tests that need no kernel: the index in user space, the tool, and lint.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

usage() {
	cat <<-END
	Usage: ${0##*/} [index] [tool] [lint] [fuzz] [coverage]

	Runs the suites named, or index, tool and lint. Their KTAP is in $LOGDIR. OPS= is
	the number of random operations on the index, ten million if it is not set.
	FUZZ_SECONDS= is how long the fuzzer runs, 600 if it is not set. It keeps what it
	finds in $CACHE/fuzz. coverage lists the lines of the index that no test runs.
	END
}

suite_index() {
	kmake --no-print-directory -s -C "$ROOT/tests/index" KERNEL_TREE="$tree" \
		O="$HOST_BUILD/index" ARGS="${OPS:+--ops=$OPS}" check
}

# suite_fuzz: damaged records for the index. clang has the fuzzer and its library.
suite_fuzz() {
	local build=$HOST_BUILD/fuzz found=$CACHE/fuzz

	need_tools clang:clang
	need_tools "libclang-rt-$(clang -dumpversion | cut -d . -f 1)-dev:libclang_rt.fuzzer-$(uname -m).a"
	kmake --no-print-directory -s -C "$ROOT/tests/index" KERNEL_TREE="$tree" O="$build" \
		CC=clang fuzz seeds
	mkdir -p "$found"
	echo 1..1
	# The shims find leaks. LeakSanitizer takes objects for leaks that RCU frees later.
	if ASAN_OPTIONS=quarantine_size_mb=16 "$build/index_fuzz" -detect_leaks=0 -max_len=513 \
		-timeout=20 -print_final_stats=1 -max_total_time="${FUZZ_SECONDS:-600}" \
		-artifact_prefix="$found-" "$found" "$build/seeds"; then
		echo "ok 1 damaged records of the fuzzer"
	else
		echo "not ok 1 damaged records of the fuzzer"
		echo "# to repeat: $HOST_BUILD/index/index_test --input=FILE, with the FILE named above"
		return 1
	fi
}

# suite_coverage: the harness without sanitizers, which would add branches of their own.
suite_coverage() {
	kmake --no-print-directory -s -C "$ROOT/tests/index" KERNEL_TREE="$tree" \
		O="$HOST_BUILD/coverage" SANITIZE= OPT=-O0 ARGS="--ops=${OPS:-1000000}" coverage
}

suite_tool() {
	UAPI=$tree/include/uapi "$ROOT/tests/tool/test.sh"
}

suite_lint() {
	"$ROOT/scripts/lint.sh"
}

# count_results KTAP RC: adds up the results. Of a suite that failed or ended
# early without naming a test, the suite itself failed.
count_results() {
	local ktap=$1 rc=$2 plan seen

	pass=$(grep -c '^ok' "$ktap" || true)
	skip=$(grep -ci '^ok.*# SKIP' "$ktap" || true)
	fail=$(grep -c '^not ok' "$ktap" || true)
	pass=$((pass - skip))
	seen=$((pass + skip + fail))
	plan=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$ktap" | head -n 1)
	if ((!seen || ${plan:-$seen} != seen || (rc && !fail))); then
		fail=$((fail + 1))
	fi
	passed=$((passed + pass)) failed=$((failed + fail)) skipped=$((skipped + skip))
}

# run_suite NAME: one line, and the tests that failed.
run_suite() {
	local name=$1 rc=0 pass fail skip dots start=$SECONDS
	local log=$LOGDIR/check-$1.log ktap=$LOGDIR/check-$1.ktap

	set +e
	if [[ $name == lint ]]; then
		ktap=$LOGDIR/lint.ktap
		# It shows its own lines as it goes.
		suite_lint
		rc=$?
	elif [[ $V == 1 ]]; then
		(set -e; "suite_$name") 2>&1 </dev/null | tee -- "$log" >&2
		rc=${PIPESTATUS[0]}
	else
		(set -e; "suite_$name") >"$log" 2>&1 </dev/null
		rc=$?
	fi
	set -e
	[[ $name == lint ]] || cp -- "$log" "$ktap"
	count_results "$ktap" "$rc"
	[[ $name != lint ]] || return 0

	dots=$(printf '%*s' $((30 - ${#name})) '' | tr ' ' .)
	printf '  %s %s %d passed, %d failed  %d s\n' "$name" "$dots" "$pass" "$fail" $((SECONDS - start))
	sed -n 's/^stat::number_of_executed_units: /    records of libFuzzer: /p; s/^# \(.* lines executed.*\)/    \1/p' "$log"
	if ((fail)); then
		grep '^not ok' "$ktap" | head -n 20 | sed 's/^/    /' || true
		[[ $V == 1 ]] || tail -n 20 -- "$log" | sed 's/^/    /'
		printf '  log:    %s\n  repeat: scripts/check.sh %s\n' "$log" "$name"
	fi
}

main() {
	local tree name passed=0 failed=0 skipped=0

	[[ ${1:-} != -* ]] || { usage; [[ $1 == -h || $1 == --help ]]; exit; }
	init "$@"
	(($#)) || set -- index tool lint
	need_tools gcc:gcc make:make libc6-dev:stdio.h liburcu-dev:urcu.h
	tree=$("$ROOT/scripts/make-tree.sh" "$TO")
	for name; do
		[[ $(type -t "suite_$name") == function ]] || die "there is no suite '$name'"
		lock "check-$name"
		run_suite "$name"
	done
	printf '%d passed, %d failed' "$passed" "$failed"
	((!skipped)) || printf ', %d skipped' "$skipped"
	echo
	((!failed))
}

main "$@"
