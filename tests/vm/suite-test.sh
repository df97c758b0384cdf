#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Two suites run at once in one cache: each counts its own results only, and none
# writes to the other's logs. A skipped test counts as such, and the note of one that passed
# is shown. A test that mostly sleeps runs beside others.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
# shellcheck source=tests/vm/suite.sh
. "$ROOT/tests/vm/suite.sh"

usage() {
	cat <<-END
	Usage: ${0##*/} FOLDER

	Runs tiny suites with a cache of their own in FOLDER, which is emptied first.
	END
}

# say_name DIR NAME
say_name() {
	echo "of the suite $2"
}

skip_test() {
	skip "there is a reason"
}

# The status of a skipped test without a reason is a failure.
bad_test() {
	return "$SKIPPED"
}

note_test() {
	echo "NOTE there is a note"
}

# await_file DIR FILE: until a suite has written FILE.
await_file() {
	local tries

	for ((tries = 0; tries < 300; tries++)); do
		[[ ! -e $2 ]] || return 0
		sleep 0.1
	done
	echo "no suite wrote ${2##*/}"
	return 1
}

# write_file DIR FILE
write_file() {
	: >"$2"
}

# tiny_suite NAME FOLDER: the long suite begins before the short one, and ends
# after it.
tiny_suite() {
	local name=$1 folder=$2

	init --suite "$@"
	start_suite tiny '*'
	run same say_name "$name"
	case $name in
	long)
		: >"$folder/begun"
		run wait await_file "$folder/ended"
		run last say_name "$name"
		;;
	short)
		run bad bad_test
		run absent skip_test
		;;
	# Each lane has a test that waits for the one beside them.
	alone)
		run first await_file "$folder/beside"
		run second await_file "$folder/beside"
		run_beside beside write_file "$folder/beside"
		run noted note_test
		;;
	esac
	await_tests
	grep -qx "of the suite $name" "${SUITE[folder]}/same/result" ||
		echo "another suite wrote to ${SUITE[folder]}/same"
	summary
}

# expect_end OUTPUT TEXT RC FOUND-RC: the last line that a suite printed, and its status.
expect_end() {
	local last

	last=$(tail -n 1 "$1")
	[[ $last == "$2" && $3 == "$4" ]] && return
	echo "the suite ${1##*/} ended with '$last' and $4, expected '$2' and $3; it printed:"
	sed 's/^/    /' "$1"
	return 1
}

main() {
	local folder=${1:-} long rc bad=0

	if [[ $folder == --suite ]]; then
		tiny_suite "$2" "$3"
		return
	fi
	[[ $folder && $folder != -* ]] || { usage; [[ $folder == -* ]]; exit; }
	rm -rf -- "$folder"
	mkdir -p "$folder"
	export PCI_LIVEUPDATE_CACHE=$folder/cache

	"$0" --suite long "$folder" >"$folder/long" 2>&1 &
	long=$!
	await_file "" "$folder/begun" || bad=1
	rc=0
	"$0" --suite short "$folder" >"$folder/short" 2>&1 || rc=$?
	: >"$folder/ended"
	expect_end "$folder/short" "1 passed, 1 failed, 1 skipped" 1 "$rc" || bad=1
	rc=0
	wait "$long" || rc=$?
	expect_end "$folder/long" "3 passed, 0 failed" 0 "$rc" || bad=1

	# A suite that runs alone has its usual folder.
	rc=0
	"$0" --suite alone "$folder" >"$folder/alone" 2>&1 || rc=$?
	expect_end "$folder/alone" "5 passed, 0 failed" 0 "$rc" || bad=1
	if ! grep -qx "#   there is a note" "$folder/alone"; then
		echo "the note of a test that passed is not shown"
		bad=1
	fi
	if ! grep -qx "# results: $folder/cache/tiny/results.ktap" "$folder/alone"; then
		echo "a suite that runs alone does not write to $folder/cache/tiny"
		bad=1
	fi
	return "$bad"
}

main "$@"
