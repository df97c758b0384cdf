# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2153
#
# Test the abandon command.

test_abandon() {
	local file=$ROOT/sys/bus/pci/liveupdate_abandon err text

	expect "abandon: no argument" 1 "" \
		"arguments are missing for abandon: see pci-liveupdate --help" abandon
	expect "abandon: a bad address" 1 "" \
		"'x' is not an address like 0000:01:00.0: the bus is not 2 hex digits" \
		abandon "$A" x
	expect "abandon: twice" 1 "" "$A is named twice" abandon "$A" "$B" "$A"

	expect "abandon: functions" 0 "2 of 2 functions abandoned" "" abandon "$A" 01:00.1
	tree_forget
	expect "abandon: verbose" 0 "$GONE: abandoned
1 of 1 functions abandoned" "" -v abandon "$GONE"
	expect "abandon: not preserved" 3 "1 of 2 functions abandoned" \
		"$GONE is not preserved: see pci-liveupdate list" abandon "$GONE" "$A"
	expect_json "abandon: JSON" \
		"abandon 2 1 failed abandoned 3 ['$A is not preserved: see pci-liveupdate list']" \
		'd["command"], d["functions"], d["abandoned"], *d["states"].values(),
		d["status"], d["messages"]' \
		abandon "$A" "$B"
	tree_forget

	while IFS='|' read -r err text; do
		LUO_MOCK_FAIL="abandon $A_TOKEN $err" expect "abandon: errno $err" \
			"$([[ $err == 1 ]] && echo 2 || echo 3)" \
			"1 of 2 functions abandoned" "$text" abandon "$A" "$B"
		tree_forget
	done <<-END
		22|$A is a bridge, which goes with the last function below it
		11|$A is being found or removed: repeat this
		108|$A: the kexec has begun
		5|$A cannot be abandoned: Input/output error
		1|$file: Operation not permitted: run as root
	END

	rm "$file"
	expect "abandon: an older kernel" 2 "" \
		"no $file: the kernel is too old, built without CONFIG_PCI_LIVEUPDATE, \
or booted without kho=on liveupdate=on" abandon "$A"
	: >"$file"
}

test_abandon_session() {
	local held="session 's' is held by process 123, which finishes it when it ends"
	local text

	tree_unbind "$B"
	manifest_abc "$GONE" |
		tree_incoming s "$A_TOKEN" "$B_TOKEN" "$GONE_TOKEN"
	expect "abandon: a session" 0 "session s: 3 of 3 functions abandoned
session s: finished" "" abandon s
	ktap_result "abandon: the session is gone" is_gone s
	expect "abandon: no session" 3 "" "session 's' not found: \
the previous kernel did not hand it over, or it is finished" abandon s
	tree_forget

	manifest_abc "$C" | tree_incoming s "$A_TOKEN" "$B_TOKEN" "$C_TOKEN"
	run abandon "$B"
	expect_json "abandon: a session, some functions before" \
		"abandon s 3 2 True 0 []" \
		'd["command"], d["session"], d["functions"], d["abandoned"],
		d["finished"], d["status"], d["messages"]' \
		abandon s
	tree_forget

	manifest_abc "$C" | tree_incoming s "$A_TOKEN" "$B_TOKEN" "$C_TOKEN"
	LUO_MOCK_FAIL="abandon $A_TOKEN 11" expect "abandon: a session, but a function" 3 \
		"session s: 2 of 3 functions abandoned" \
		"$A is being found or removed: repeat this" abandon s
	ktap_result "abandon: the session stays" [ -e "$ROOT/luo/incoming/s" ]
	expect "abandon: the session once more" 0 "session s: 1 of 3 functions abandoned
session s: finished" "" abandon s
	tree_forget

	# Another program made the session.
	tree_records <<-END
		# side address vendor:device kind state blocked
		outgoing $A 1234:11e8 function present 0
		incoming 0000:00:02.0 1b36:000c bridge present 0
		incoming $B 1234:11e8 function present 0
		incoming $C 1234:11e8 function present 0
	END
	tree_incoming s "$B_TOKEN" </dev/null
	expect "abandon: a session without a manifest" 0 "session s: 1 of 1 functions abandoned
session s: finished" "" abandon s
	tree_forget
	tree_incoming s 1 "$C_TOKEN" </dev/null
	expect "abandon: a session with other tokens" 3 "session s: 1 of 1 functions abandoned" \
		"session 's' cannot be finished: another program made it, and it has files of \
other functions: abandon these by their addresses and repeat this" abandon s
	run abandon 0000:00:00.1
	expect "abandon: the session after that" 0 "session s: 0 of 1 functions abandoned
session s: finished" "" abandon s
	tree_forget

	# An abandoned function is not in the list any more.
	manifest_abc "$C" | tree_incoming s "$A_TOKEN" "$B_TOKEN" "$C_TOKEN"
	run abandon "$B"
	sed -i "/^incoming $B/d" "$ROOT/sys/kernel/debug/pci_liveupdate"
	expect "finish: a function is abandoned" 4 "session s: 2 of 3 functions retrieved
session s: missing 1, failed 0, not bound 0
session s: finished" "$B is not preserved any more: ignored, so that the session can finish" \
		finish s
	tree_forget
	rm "$ROOT/sys/kernel/debug/pci_liveupdate"
	tree_bind "$B" "$STUB"

	tree_holder 123 s
	text="session 's' is for the next kernel: process 123 holds it, and releases its \
functions when it ends"
	expect "abandon: a session of this kernel" 3 "" "$text" abandon s
	tree_incoming s "$A_TOKEN" </dev/null
	LUO_MOCK_FAIL="take 0 22" expect "abandon: a session with a holder" 3 "" "$held" \
		abandon s
	tree_holder 123 other
	LUO_MOCK_FAIL="take 0 22" expect "abandon: a session of an unknown holder" 3 "" \
		"session 's' is held by another program, which finishes it when it ends" \
		abandon s
	rm -r "$ROOT/luo/incoming/s" "$ROOT/proc"
}

test_abandon_pf() {
	local none="has no preserved VFs: see pci-liveupdate list"
	local all=${VFS[*]:0:4}

	{
		echo "# side address vendor:device kind state blocked"
		echo "incoming $PF 1b36:0010 implied-pf present 0"
		printf "incoming %s 1b36:0010 vf present 0\n" "${VFS[@]:0:6}"
	} | tree_records
	expect "abandon: a PF with VFs" 3 "0 of 1 functions abandoned" \
		"$PF has preserved VFs ${all} ...: abandon $PF/vfs as well" abandon "$PF"
	expect "abandon: VFs that are preserved" 0 "7 of 7 functions abandoned" "" \
		abandon "$PF" "$PF/vfs"
	tree_forget
	tree_records <<<"# side address vendor:device kind state blocked"
	expect "abandon: no preserved VFs" 2 "" "$PF $none" abandon "$PF/vfs"
	rm "$ROOT/sys/kernel/debug/pci_liveupdate"
	LUO_MOCK_FAIL="abandon $PF_TOKEN 16" expect "abandon: a PF, and there is no list" 3 \
		"0 of 1 functions abandoned" \
		"$PF has preserved VFs: abandon $PF/vfs as well" abandon "$PF"
}

test_abandon_vfio() {
	local enable=$ROOT/sys/bus/pci/devices/$V/enable

	tree_vfio "$V" "$NODE" running
	echo 0 >"$enable"
	expect "abandon: vfio-pci without a user" 0 "1 of 1 functions abandoned" "" abandon "$V"
	tree_forget
	echo 1 >"$enable"
	expect "abandon: vfio-pci with a user" 3 "" \
		"$V is in use with VFIO: end the program that uses it, or give it up with --force" \
		abandon "$A" "$V"
	expect "abandon: --force" 0 "2 of 2 functions abandoned" "" -f abandon "$A" "$V"
	tree_forget
}
