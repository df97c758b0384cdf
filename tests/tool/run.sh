# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Run the tool, and compare its output with the expected output.

# Run the tool in the tree with a time limit. Sets RC, OUT and ERR.
run() {
	RC=0
	OUT=$(timeout "$LIMIT" "$TOOL" --root "$ROOT" "$@" 2>"$TMP/err" <"$INPUT") ||
		RC=$?
	ERR=$(<"$TMP/err")
}

is_as_expected() {
	local rc=$1 out=$2 err=$3

	OUT=${OUT//pid +([0-9])/pid PID}
	[[ $RC == "$rc" && $OUT == "$out" && $ERR == "$err" ]] && return

	ktap_diag "expected status $rc, output: $out"
	ktap_diag "expected errors: $err"
	ktap_diag "got status $RC, output: $OUT"
	ktap_diag "got errors: $ERR"
	return 1
}

# expect NAME STATUS OUTPUT ERROR ARGUMENT...: ERROR is without the name of the
# program, or empty for none.
expect() {
	local name=$1 rc=$2 out=$3 err=$4
	shift 4

	run "$@"
	ktap_result "$name" is_as_expected "$rc" "$out" \
		"${err:+pci-liveupdate: $err}"
}

is_json() {
	local expected=$1 expression=$2 got

	got=$(python3 -m json.tool <<<"$OUT" >/dev/null &&
		python3 -c "import json, sys
d = json.load(sys.stdin)
print($expression)" <<<"$OUT") || true
	[[ $got == "$expected" ]] && return

	ktap_diag "expected $expression to be $expected"
	ktap_diag "got $got from: $OUT"
	return 1
}

# expect_json NAME EXPECTED EXPRESSION ARGUMENT...: EXPRESSION uses the JSON output
# of the tool as d.
expect_json() {
	local name=$1 expected=$2 expression=$3
	shift 3

	run --json "$@"
	ktap_result "$name" is_json "$expected" "$expression"
}

start() {
	: >"$TMP/hold.out"
	"$TOOL" --root "$ROOT" "$@" >"$TMP/hold.out" 2>"$TMP/hold.err" &
	HOLDER=$!
	HOLDERS+=("$HOLDER")
}

# becomes_true COMMAND...: wait up to 10 seconds until COMMAND succeeds.
becomes_true() {
	local i

	for ((i = 0; i < 100; i++)); do
		"$@" && return
		sleep 0.1
	done
	return 1
}

# hold_start TEXT ARGUMENT...: start the tool, and wait until it prints TEXT.
hold_start() {
	local text=$1
	shift

	start "$@"
	becomes_true grep -q "$text" "$TMP/hold.out" ||
		ktap_diag "the holder does not print: $text"
}

is_over() {
	! kill -0 "$HOLDER" 2>/dev/null
}

# hold_end SIGNAL: sets RC, OUT and ERR like run.
hold_end() {
	RC=0
	kill "-$1" "$HOLDER" || true
	becomes_true is_over || kill -KILL "$HOLDER"
	wait "$HOLDER" 2>/dev/null || RC=$?
	OUT=$(<"$TMP/hold.out")
	ERR=$(<"$TMP/hold.err")
}

# is_held SESSION: a process holds the session in the old kernel.
is_held() {
	! is_free "$1"
}

is_free() {
	flock -n "$ROOT/luo/outgoing/$1" true
}

is_released() {
	becomes_true is_free "$1"
}

is_gone() {
	becomes_true [ ! -e "$ROOT/luo/incoming/$1" ]
}
