# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Print results in KTAP like the kernel's selftests. Exit status: 0 pass, 1 fail,
# 4 skip.

KTAP_PLAN=0
KTAP_NR=0
KTAP_FAILED=0

ktap_plan() {
	KTAP_PLAN=$1
	echo "TAP version 13"
	echo "1..$KTAP_PLAN"
}

ktap_skip_all() {
	echo "TAP version 13"
	echo "1..0 # SKIP $1"
	exit 4
}

ktap_diag() {
	echo "# ${1//$'\n'/$'\n'# }"
}

# ktap_result NAME COMMAND...: pass if COMMAND succeeds.
ktap_result() {
	local name=$1 result=ok
	shift

	if ! "$@"; then
		result="not ok"
		KTAP_FAILED=$((KTAP_FAILED + 1))
	fi
	KTAP_NR=$((KTAP_NR + 1))
	echo "$result $KTAP_NR $name"
}

# Fail if a planned check did not run.
ktap_finish() {
	local passed=$((KTAP_NR - KTAP_FAILED))

	if ((KTAP_NR != KTAP_PLAN)); then
		ktap_diag "planned $KTAP_PLAN checks, ran $KTAP_NR"
		KTAP_FAILED=$((KTAP_FAILED + 1))
	fi
	echo "# Totals: pass:$passed fail:$KTAP_FAILED xfail:0 xpass:0 skip:0 error:0"
	((KTAP_FAILED == 0)) || exit 1
}
