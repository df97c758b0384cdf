# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Tracepoints, and perf that records them. To be sourced after tests/cases.sh.
# shellcheck disable=SC2034

PERF_SCRIPTS=$ROOT/tools/perf-scripts

# receive DIR NAME...: files that the guest sent.
receive() {
	local dir=$1 name
	shift

	for name; do
		sed -n "s/^[^ ]* data file $name //p" "$dir/side" | base64 -d | gzip -dc >"$dir/$name" ||
			{ echo "$name has not come over as it was"; return 1; }
	done
}

# reported PHASE: the devices that the report names for it, all of them with a
# duration.
reported() {
	awk -v phase="$1" '
	/^slowest:/ { on = 1 }
	/^errors:/ { on = 0 }
	on && $1 == phase && $2 > 0 { print $4 }
	' "$report" | sort
}

# said WORD...: what the guest said with these words, the last of which is a
# pattern of the kind of device.
said() {
	sed -n "s/^[^ ]* data record $1 \\([^ ]*\\) [^ ]* $2 .*/\\1/p" "$side" | sort
}

# expect_devices PHASE LIST: each device exactly once.
expect_devices() {
	[[ $2 ]] || { echo "$1: no device is expected, so nothing was tested"; return 1; }
	diff <(printf '%s\n' "$2") <(reported "$1") && return
	echo "$1: expected the devices on the left, and the report has those on the right"
	return 1
}

# expect_table PHASE COUNT: no errors, and four durations in order.
expect_table() {
	awk -v phase="$1" -v count="$2" '
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
	' "$report" && return
	echo "$1: the table does not say $2 without errors, or the slowest is not the one of the table"
	return 1
}

# perf_report DIR: what the report says is what the guest says.
perf_report() {
	local dir=$1 report=$1/report side=$1/side functions bridges

	PERF=$perf "$PERF_SCRIPTS/pci-liveupdate-report" --top 1000 \
		"$dir"/{preserve.data,boot.trace,finish.data} >"$report" || return
	functions=$(said outgoing function)
	bridges=$(said incoming bridge)
	taken_back=$(sed -n 's/^[^ ]* data taken-back //p' "$side" | sort)
	expect_devices preserve "$(sort <<<"$functions"$'\n'"$taken_back")" || return
	expect_devices unpreserve "$taken_back" || return
	expect_devices incoming "$(sort <<<"$functions"$'\n'"$bridges")" || return
	expect_devices finish "$functions" || return
	expect_table preserve "$(wc -l <<<"$functions"$'\n'"$taken_back")" || return
	expect_table incoming "$(wc -l <<<"$functions"$'\n'"$bridges")" || return
	expect_table finish "$(wc -l <<<"$functions")" || return
	expect_table retrieve 1
}

# perf_report_test DIR: the scripts on the host, with what they may meet there.
perf_report_test() {
	"$ROOT/tests/perf-report-test.sh"
}

# perf_update DIR: perf records a live update in the guest, and the host reports.
perf_update() {
	local perf

	need_tools linux-perf:perf
	perf=$(command -v perf)
	GUEST_FILES=("$perf:/bin/perf:755"
		"$PERF_SCRIPTS/pci-liveupdate-record:/bin/pci-liveupdate-record:755")
	boot_kernels "$1" 7.3-base 7.3-base 16 "scenario=perf" || return
	guest_is_content "$1" second || return
	console_is_clean "$1/console" || return
	receive "$1" preserve.data boot.trace finish.data || return
	perf_report "$1"
}

# traced_damage DIR: events go to the console as well, and so they can be seen
# before user space runs.
traced_damage() {
	local event='pci_liveupdate_damage: 0000:01:00.0 scope=function field="vendor" found=0x0 rule="other than 0 and" expected=0xffff'

	damaged_entry "$1" 7.3-base 7.3-base vendor "vendor of segment 0000 is 0x0" \
		tp_printk trace_event=pci_liveupdate || return
	grep -qF "$event" "$1/console" && return
	echo "the console does not say '$event', but:"
	grep pci_liveupdate_ "$1/console"
	return 1
}
