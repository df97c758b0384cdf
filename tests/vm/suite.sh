# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# A suite of tests: runs those whose name matches a pattern, two at a time, prints KTAP,
# and at the end "N passed, M failed", with ", K skipped" if tests were. To be sourced
# after scripts/lib.sh.

# The suite that start_suite() began:
#   folder   has the logs and results
#   ktap     the results
#   pattern  the shell pattern of names to run
#   similar  1 to run tests that are much like another one
#   round    @ and the number of the round if tests are repeated, or empty
declare -A SUITE=()

# An emulated machine keeps one processor busy.
LANES=2

# Tests by the ID of their process, with the number of lanes that each takes.
declare -A TESTS_UNDER_WAY=()

# start_suite NAME PATTERN [ALL]: take a folder below the cache for logs and results,
# NAME, or NAME-2 and so on while other runs of the suite have those. A run has its
# folder until it and all processes that it started have ended. ALL=1 also selects
# the tests that are much like another one, as a pattern does without ALL=0.
start_suite() {
	local -i number=1
	local taken folder=$CACHE/$1

	until exec {taken}>>"$CACHE/lock/suite-${folder##*/}" && flock -n "$taken"; do
		exec {taken}>&-
		number+=1
		folder=$CACHE/$1-$number
	done
	((number == 1)) || info "another run of this suite is under way: this one writes to $folder"
	SUITE=([folder]=$folder [ktap]=$folder/results.ktap [pattern]=$2 [similar]=${3:-0})
	[[ $2 == '*' || ${3:-} ]] || SUITE[similar]=1
	mkdir -p "$folder"
	: >"${SUITE[ktap]}"
	# Of once(), see live-update.sh.
	export SUITE_ANSWERS=$folder/answers
	rm -rf -- "$SUITE_ANSWERS"
	mkdir -- "$SUITE_ANSWERS"
	report_line "KTAP version 1"
}

# await_test: until one of the tests has ended.
await_test() {
	local ended

	wait -n -p ended "${!TESTS_UNDER_WAY[@]}" || true
	unset "TESTS_UNDER_WAY[$ended]" "IN_BACKGROUND[$ended]"
}

# await_tests: until all tests have ended.
await_tests() {
	while ((${#TESTS_UNDER_WAY[@]})); do
		await_test
	done
}

# lanes_taken: by the tests that are under way.
lanes_taken() {
	local -i lanes=0
	local taken

	for taken in "${TESTS_UNDER_WAY[@]}"; do
		lanes+=$taken
	done
	echo "$lanes"
}

# start_test LANES NAME COMMAND [ARGUMENT...]
start_test() {
	# shellcheck disable=SC2053 # it is a pattern
	[[ $2 == ${SUITE[pattern]} ]] || return 0
	while (($(lanes_taken) + $1 > LANES)); do
		await_test
	done
	in_background run_test "$2${SUITE[round]:-}" "${@:3}"
	TESTS_UNDER_WAY[$!]=$1
}

# run NAME COMMAND [ARGUMENT...]: COMMAND gets a folder for its logs first, and its
# steps log there as well. This returns when the test has begun.
run() {
	start_test 1 "$@"
}

# run_beside NAME COMMAND [ARGUMENT...]: the same, for a test that mostly sleeps. It runs
# beside those that keep the processors busy.
run_beside() {
	start_test 0 "$@"
}

# run_test NAME COMMAND [ARGUMENT...]
run_test() {
	local name=$1 command=$2 dir start=$SECONDS rc=0
	shift 2

	dir=${SUITE[folder]}/$name
	rm -rf -- "$dir"
	mkdir -p "$dir"
	(export STEP_LOGS=$dir && "$command" "$dir" "$@") >"$dir/result" 2>&1 </dev/null || rc=$?
	report_result "$name" "$rc" "$((SECONDS - start))" "$dir"
}

# run_similar NAME COMMAND [ARGUMENT...]: a test that is much like another one.
run_similar() {
	[[ ${SUITE[similar]} != 1 ]] || run "$@"
}

# The status of a test that was skipped, as kselftest has it.
SKIPPED=4

# skip REASON: the test cannot run here, and must return with this status.
skip() {
	echo "SKIP $1"
	return "$SKIPPED"
}

# report_result NAME RC SECONDS DIR: one at a time. A line "NOTE TEXT" of a test that passed
# is shown as well.
report_result() {
	local name=$1 rc=$2 comment="$3 s" dir=$4 verdict=ok last lock
	local -i number

	last=$(tail -n 1 "$dir/result")
	if [[ $rc == "$SKIPPED" && $last == "SKIP "* ]]; then
		comment=$last
		rc=0
	fi
	((rc == 0)) || verdict="not ok"
	exec {lock}>"${SUITE[ktap]}.lock"
	flock "$lock"
	number=$(count_results '^(not )?ok ')+1
	report_line "$verdict $number - $name # $comment"
	if ((rc)); then
		sed 's/^/#   /' "$dir/result"
		printf '#   logs:   %s\n#   repeat: make test TESTS=%s\n' \
			"$dir" "${name%@*}"
	else
		sed -n 's/^NOTE /#   /p' "$dir/result"
	fi
	exec {lock}>&-
}

# count_results REGEX: the lines of the results so far that match.
count_results() {
	grep -cE "$1" "${SUITE[ktap]}" || true
}

report_line() {
	printf '%s\n' "$*" | tee -a "${SUITE[ktap]}"
}

summary() {
	local -i passed failed skipped

	await_tests
	skipped=$(count_results '^ok .* # SKIP ')
	passed=$(count_results '^ok ')-skipped
	failed=$(count_results '^not ok ')
	report_line "1..$((passed + failed + skipped))"
	if ((passed + failed + skipped == 0)); then
		die "no test has a name like '${SUITE[pattern]}'"
	fi
	printf '# results: %s\n' "${SUITE[ktap]}"
	printf '%d passed, %d failed' "$passed" "$failed"
	((!skipped)) || printf ', %d skipped' "$skipped"
	echo
	((failed == 0))
}
