# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2153
#
# Test the list command.

test_list() {
	local records=$ROOT/sys/kernel/debug/pci_liveupdate
	local unknown="has an unknown format: use the program of this kernel's version"
	local line

	tree_records <<-END
		# side address vendor:device kind state blocked
		# outgoing record version 1 at 0x1c5d000 of 52 kB
		outgoing 0000:01:00.0 1234:11e8 function present 0
		incoming 0000:00:02.0 1b36:000c bridge present 3
		incoming 0000:02:00.0 1234:11e8 function absent 0
		incoming 10000:e1:00.0 8086:0a54 damaged present 18446744073709551612
	END
	expect "list: table" 0 \
		"SIDE      ADDRESS           ID         KIND        STATE    BLOCKED
outgoing  0000:01:00.0      1234:11e8  function    present  0
incoming  0000:00:02.0      1b36:000c  bridge      present  3
incoming  0000:02:00.0      1234:11e8  function    absent   0
incoming  10000:e1:00.0     8086:0a54  damaged     present  18446744073709551612
outgoing: functions 1 (VFs 0, PFs 0), implied PFs 0, bridges 0, damaged 0, absent 0, blocked 0
incoming: functions 1 (VFs 0, PFs 0), implied PFs 0, bridges 1, damaged 1, absent 1, blocked 18446744073709551615" "" list
	expect "list: quiet" 0 "" "" -q list
	expect_json "list: JSON records" \
		"4 incoming 10000:e1:00.0 8086:0a54 damaged present 18446744073709551612" \
		'len(d["records"]), *d["records"][3].values()' list
	expect_json "list: JSON totals" \
		"list 1 0 0 0 0 0 0 0 1 0 0 0 1 1 1 18446744073709551615 0 []" \
		'd["command"], *d["outgoing"].values(), *d["incoming"].values(),
		d["status"], d["messages"]' \
		list
	RC=0
	ERR=$("$TOOL" --root "$ROOT" list 2>&1 >/dev/full) || RC=$?
	OUT=
	ktap_result "list: the output is full" is_as_expected 2 "" \
		"pci-liveupdate: standard output: No space left on device"

	# An older kernel does not count blocked writes.
	tree_records <<-END
		# side address vendor:device kind state
		incoming 0000:02:00.0 1234:11e8 function absent
	END
	expect "list: no counts" 0 \
		"SIDE      ADDRESS           ID         KIND        STATE    BLOCKED
incoming  0000:02:00.0      1234:11e8  function    absent   0
outgoing: functions 0 (VFs 0, PFs 0), implied PFs 0, bridges 0, damaged 0, absent 0, blocked 0
incoming: functions 1 (VFs 0, PFs 0), implied PFs 0, bridges 0, damaged 0, absent 1, blocked 0" "" list

	tree_records <<<"# side address vendor:device kind state blocked"
	expect "list: nothing is preserved" 0 \
		"SIDE      ADDRESS           ID         KIND        STATE    BLOCKED
outgoing: functions 0 (VFs 0, PFs 0), implied PFs 0, bridges 0, damaged 0, absent 0, blocked 0
incoming: functions 0 (VFs 0, PFs 0), implied PFs 0, bridges 0, damaged 0, absent 0, blocked 0" "" list
	expect_json "list: JSON of nothing" "[]" 'd["records"]' list

	while read -r line; do
		tree_records <<<"# side address vendor:device kind state blocked
$line"
		expect "list: '$line'" 2 "" "$records: line 2 $unknown" list
	done <<-END

		outgoing 0000:01:00.0 1234:11e8 function
		outgoing 0000:01:00.0 1234:11e8 function present more
		outgoing 0000:01:00.0 1234:11e8 function present 0 more
		outgoing 0000:01:00.0 1234:11e8 function present -1
		outgoing 0000:01:00.0 1234:11e8 function present 0x1
		outgoing 0000:01:00.0 1234:11e8 function present 18446744073709551616
		sideways 0000:01:00.0 1234:11e8 function present 0
		outgoing 0000:01:00.8 1234:11e8 function present 0
		outgoing 0000:01:00.0 123:11e8 function present 0
		outgoing 0000:01:00.0 1234:11e8x function present 0
		outgoing 0000:01:00.0 1234 function present 0
		outgoing 0000:01:00.0 1234:11e8 gadget present 0
		outgoing 0000:01:00.0 1234:11e8 function maybe 0
	END
	tree_records <<<"outgoing 0000:01:00.0 1234:11e8 function present 0"
	expect "list: no header" 2 "" "$records: line 1 $unknown" list
	tree_records </dev/null
	expect "list: empty" 2 "" "$records: line 0 $unknown" list
	rm "$records"
	mkdir "$records"
	expect "list: unreadable" 2 "" "$records: Is a directory" list
	rmdir "$records"
	expect "list: no file" 2 "" \
		"no $records: the kernel is built without \
CONFIG_PCI_LIVEUPDATE or CONFIG_DEBUG_FS, or booted without kho=on liveupdate=on" \
		list
	rmdir "$ROOT/sys/kernel/debug/other"
	expect "list: no debugfs" 2 "" \
		"debugfs is not mounted: mount -t debugfs none $ROOT/sys/kernel/debug" \
		list
	expect_json "list: JSON of an error" \
		"list 2 ['debugfs is not mounted: mount -t debugfs none $ROOT/sys/kernel/debug']" \
		'd["command"], d["status"], d["messages"]' list
	mkdir "$ROOT/sys/kernel/debug/other"
}
