# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# A suite of tests: runs those whose name matches PATTERN, prints KTAP, and at the
# end "N passed, M failed". To be sourced after scripts/lib.sh.

# start_suite NAME: take a folder below the cache for logs and results, NAME, or
# NAME-2 and so on while other runs of the suite have those. A run has its folder
# until it and all that it started have ended.
start_suite() {
	local -i number=1
	local taken

	SUITE=$CACHE/$1
	until exec {taken}>>"$CACHE/lock/suite-${SUITE##*/}" && flock -n "$taken"; do
		exec {taken}>&-
		number+=1
		SUITE=$CACHE/$1-$number
	done
	((number == 1)) || info "another run of this suite is under way: this one writes to $SUITE"
	KTAP=$SUITE/results.ktap
	mkdir -p "$SUITE"
	: >"$KTAP"
	report "KTAP version 1"
}

# run NAME COMMAND [ARGUMENT...]: COMMAND gets a folder for its logs first, and its
# steps log there as well. What follows an @ in NAME tells apart rounds of one test.
run() {
	local name=$1 command=$2 dir start=$SECONDS rc=0
	shift 2

	# shellcheck disable=SC2053 # a pattern is what is asked for
	[[ $name == $PATTERN ]] || return 0
	dir=$SUITE/$name
	rm -rf -- "$dir"
	mkdir -p "$dir"
	(export STEP_LOGS=$dir && "$command" "$dir" "$@") >"$dir/result" 2>&1 </dev/null || rc=$?
	result "$name" "$rc" "$((SECONDS - start))" "$dir"
}

# result NAME RC SECONDS DIR: one at a time, as both lanes print.
result() {
	local name=$1 rc=$2 seconds=$3 dir=$4 verdict=ok
	local -i number

	((rc == 0)) || verdict="not ok"
	exec {lock}>"$KTAP.lock"
	flock "$lock"
	number=$(count '^(not )?ok ')+1
	report "$verdict $number - $name # $seconds s"
	if ((rc)); then
		sed 's/^/#   /' "$dir/result"
		printf '#   logs:   %s\n#   repeat: make test TESTS=%s\n' \
			"$dir" "${name%@*}"
	fi
	exec {lock}>&-
}

# count REGEX: the lines of the results so far that match.
count() {
	grep -cE "$1" "$KTAP" || true
}

report() {
	printf '%s\n' "$*" | tee -a "$KTAP"
}

summary() {
	local -i passed failed

	passed=$(count '^ok ')
	failed=$(count '^not ok ')
	report "1..$((passed + failed))"
	if ((passed + failed == 0)); then
		die "no test has a name like '$PATTERN'"
	fi
	printf '# results: %s\n' "$KTAP"
	printf '%d passed, %d failed\n' "$passed" "$failed"
	((failed == 0))
}
