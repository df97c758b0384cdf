#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Test the scripts that record and report without a kernel: the report of samples, and
# error messages.

set -euo pipefail

HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
SCRIPTS=$HERE/../../tools/perf-scripts
BAD=0

fail() {
	printf '%s\n' "$*"
	BAD=1
}

# expect STATUS TEXT COMMAND...: TEXT is all of standard error, in one line.
expect() {
	local status=$1 text=$2 said rc=0
	shift 2

	said=$("$@" 2>&1 >/dev/null </dev/null) || rc=$?
	[[ $rc == "$status" && $said == *"$text"* && $said != *$'\n'* ]] ||
		fail "expected status $status and '$text', got $rc and '$said' from: $*"
}

# line STATUS TEXT LINE: the report ends like this for a file with LINE in it.
line() {
	printf '%s\n' "$3" >"$TMP/line"
	expect "$1" "$2" "$SCRIPTS/pci-liveupdate-report" "$TMP/line"
}

# as_nobody SCRIPT: run it without privileges, as a user that cannot read the file.
# shellcheck disable=SC2317 # it is called by expect()
as_nobody() {
	local -a nobody=()

	((EUID)) || nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	"${nobody[@]}" sh -s <"$1"
}

samples() {
	local rc=0

	"$SCRIPTS/pci-liveupdate-report" --top 3 "$HERE/perf-script.txt" "$HERE/trace.txt" \
		>"$TMP/report" || rc=$?
	[[ $rc == 0 ]] || fail "the report of the samples ended with $rc"
	# Its first line is the licence.
	sed 1d "$HERE/report.txt" >"$TMP/expected"
	diff -u "$TMP/expected" "$TMP/report" || fail "the report of the samples is another one"
	# The order of files and of lines does not count.
	cat "$HERE/trace.txt" "$HERE/perf-script.txt" |
		"$SCRIPTS/pci-liveupdate-report" --top 3 - | diff - "$TMP/expected" ||
		fail "the report of standard input is another one"
}

malformed() {
	local good='0000:01:00.0 [1234:11e8] err=0 duration_ns=1000'
	local event='perf 1 [000] 1.0: pci_liveupdate:pci_liveupdate_preserve:'
	local garbled='1 lines are not as this kernel prints them'

	line 0 '' "$event $good"
	line 0 '' "$event 10000:01:00.0 [1234:11e8] err=-16 duration_ns=0"
	line 1 "$garbled" "$event"
	line 1 "$garbled" "$event ${good%000}x"
	line 1 "$garbled" "$event ${good/err=0/err=}"
	line 1 "$garbled" "$event ${good/01:00.0/01:00.9}"
	line 1 "$garbled" "$event $good and more"
	line 1 "$garbled" "${event/preserve/invented} $good"
	line 1 "$garbled" "${event/preserve/retrieve} $good"
	line 1 'no pci_liveupdate events' 'perf 1 [000] 1.0: sched:sched_switch: prev_comm=swapper'
	line 1 'no pci_liveupdate events' $'\xff\xfe\x00'
	printf '%s\n' "$event $good" 'perf 1 [000] 2.0: PERF_RECORD_LOST lost 12' \
		'CPU:1 [LOST 30 EVENTS]' >"$TMP/lost"
	expect 1 '42 events were lost' "$SCRIPTS/pci-liveupdate-report" "$TMP/lost"
}

unhappy() {
	local tracefs=$TMP/tracefs

	: >"$TMP/empty"
	printf 'PERFILE2garbage' >"$TMP/perf.data"
	printf '#!/bin/sh\nexit 1\n' >"$TMP/perf"
	chmod +x "$TMP/perf"
	expect 1 "'$TMP/empty' is empty" "$SCRIPTS/pci-liveupdate-report" "$TMP/empty"
	expect 1 "cannot read '$TMP/none'" "$SCRIPTS/pci-liveupdate-report" "$TMP/none"
	expect 1 "there is no '$TMP/none'" env PERF="$TMP/none" \
		"$SCRIPTS/pci-liveupdate-report" "$TMP/perf.data"
	expect 1 "cannot read '$TMP/perf.data'" env PERF="$TMP/perf" \
		"$SCRIPTS/pci-liveupdate-report" "$TMP/perf.data"

	expect 1 "there is no '$TMP/none'" env PERF="$TMP/none" \
		"$SCRIPTS/pci-liveupdate-record"
	PERF=true expect 1 'run it as root' as_nobody "$SCRIPTS/pci-liveupdate-record"
	((EUID == 0)) || return 0
	expect 1 'there is no tracefs' env PERF="$TMP/perf" TRACEFS="$tracefs" \
		"$SCRIPTS/pci-liveupdate-record"
	mkdir -p "$tracefs/events"
	expect 1 'no pci_liveupdate events' env PERF="$TMP/perf" TRACEFS="$tracefs" \
		"$SCRIPTS/pci-liveupdate-record"
}

# The script asks perf to record our events.
recorded() {
	local said

	((EUID == 0)) || return 0
	mkdir -p "$TMP/tracefs/events/pci_liveupdate"
	said=$(PERF=echo TRACEFS=$TMP/tracefs "$SCRIPTS/pci-liveupdate-record" -o x -- sleep 1)
	[[ $said == 'record -a -e pci_liveupdate:* -o x -- sleep 1' ]] ||
		fail "perf is asked to: $said"
}

main() {
	TMP=$(mktemp -d)
	trap 'rm -rf -- "$TMP"' EXIT

	samples
	malformed
	unhappy
	recorded
	exit "$BAD"
}

main "$@"
