# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Tracepoints, and perf that records them.

PERF_SCRIPTS=$ROOT/tools/perf-scripts

perf_tests() {
	run perf-update perf_update_test
	run_similar perf-damage perf_damage_test
}

# perf_update_test DIR: perf records a live update in the guest, and the host reports.
perf_update_test() {
	local dir=$1 perf

	need_tools linux-perf:perf
	perf=$(command -v perf)
	live_update "$dir" 7.3-base 7.3-base 16 perf "--file=$perf:/bin/perf:755" \
		"--file=$PERF_SCRIPTS/pci-liveupdate-record:/bin/pci-liveupdate-record:755" ||
		return
	receive_files "$dir" preserve.data boot.trace finish.data || return
	PERF=$perf "$PERF_SCRIPTS/pci-liveupdate-report" --top 1000 \
		"$dir"/{preserve.data,boot.trace,finish.data} >"$dir/report" || return
	report_matches_guest "$dir/report" "$dir/side"
}

# perf_damage_test DIR: with tp_printk events also go to the console, where they can
# be seen before user space runs.
perf_damage_test() {
	damaged_entries_test "$1" 7.3-base 7.3-base vendor_0 \
		tp_printk trace_event=pci_liveupdate || return
	console_has "$1/console" 'pci_liveupdate_damage: 0000:01:00\.0 scope=function field="vendor" found=0x0 rule="other than 0 and" expected=0xffff'
}

# receive_files DIR NAME...: write the files that the guest sent.
receive_files() {
	local dir=$1 name
	shift

	for name; do
		sed -n "s/^[^ ]* data file $name //p" "$dir/side" | base64 -d | gzip -dc >"$dir/$name" ||
			{ echo "$name is garbled or missing"; return 1; }
	done
}

# reported_devices REPORT PHASE: the devices that the report lists for the phase, all
# of them with a duration.
reported_devices() {
	awk -v phase="$2" '
	/^slowest:/ { on = 1 }
	/^errors:/ { on = 0 }
	on && $1 == phase && $2 > 0 { print $4 }
	' "$1" | sort
}

# guest_devices SIDE DIRECTION KIND: the devices of the guest's record.
guest_devices() {
	sed -n "s/^[^ ]* data record $2 \\([^ ]*\\) [^ ]* $3 .*/\\1/p" "$1" | sort
}

# expect_devices REPORT PHASE LIST: the report has each device exactly once.
expect_devices() {
	[[ $3 ]] || { echo "$2: no device is expected, so nothing was tested"; return 1; }
	diff <(printf '%s\n' "$3") <(reported_devices "$1" "$2") && return
	echo "$2: expected the devices on the left, and the report has those on the right"
	return 1
}

# expect_table REPORT PHASE COUNT: no errors, and four durations in order.
expect_table() {
	awk -v phase="$2" -v count="$3" '
	function ns(value, unit) {
		return value * (unit == "s" ? 1e9 : unit == "ms" ? 1e6 : unit == "us" ? 1e3 : 1)
	}
	$1 == phase && NF == 11 {
		good = $2 == count && $3 == 0 && ns($4, $5) > 0 && ns($4, $5) <= ns($6, $7) &&
			ns($6, $7) <= ns($8, $9) && ns($8, $9) <= ns($10, $11)
		max = $10 $11
	}
	/^slowest:/ { on = 1 }
	on && $1 == phase && !named { named = 1; slowest = $2 $3 }
	END { exit !(good && slowest == max) }
	' "$1" && return
	echo "$2: the table does not say $3 without errors, or the slowest is not the one of the table"
	return 1
}

# report_matches_guest REPORT SIDE: the report has the devices that the guest listed.
report_matches_guest() {
	local report=$1 side=$2 functions bridges taken_back preserved incoming

	functions=$(guest_devices "$side" outgoing function)
	bridges=$(guest_devices "$side" incoming bridge)
	taken_back=$(sed -n 's/^[^ ]* data taken-back //p' "$side" | sort)
	preserved=$(sort <<<"$functions"$'\n'"$taken_back")
	incoming=$(sort <<<"$functions"$'\n'"$bridges")
	expect_devices "$report" preserve "$preserved" || return
	expect_devices "$report" unpreserve "$taken_back" || return
	expect_devices "$report" incoming "$incoming" || return
	expect_devices "$report" finish "$functions" || return
	expect_table "$report" preserve "$(wc -l <<<"$preserved")" || return
	expect_table "$report" incoming "$(wc -l <<<"$incoming")" || return
	expect_table "$report" finish "$(wc -l <<<"$functions")" || return
	expect_table "$report" retrieve 1
}
