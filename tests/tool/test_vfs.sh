# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2153
#
# Test VFs and their PF.

preserved() {
	printf '%s: preserved\n' "$@"
}

test_vfs() {
	local file=$TMP/input nr=${#VFS[@]}

	hold_start "held by" -v preserve s "$PF/vfs"
	hold_end TERM
	ktap_result "VFs: all, in the order of their numbers" is_as_expected 0 \
		"$(preserved "${VFS[@]}")
session s: $nr of $nr functions preserved
held by pid PID
session s: released, nothing is preserved" ""

	printf '%s/vfs\n%s\n' "${PF^^}" "$A" >"$file"
	INPUT=$file
	run -b preserve s "$PF" - "$B"
	INPUT=/dev/null
	HOLDER=${OUT##*[!0-9]}
	HOLDERS+=("$HOLDER")
	ktap_result "VFs: a line, with other functions" is_as_expected 0 \
		"session s: $((nr + 3)) of $((nr + 3)) functions preserved
held by pid PID" ""
	ktap_result "VFs: the manifest names each" diff - \
		"$ROOT/luo/outgoing/s/ffffffffffffffff" <<-END
			pci-liveupdate-manifest 1 $((nr + 3))
			$(printf '%s\n' "$PF" "${VFS[@]}" "$A" "$B")
		END
	tree_kexec "$HOLDER"
	becomes_true is_over || true
	expect "VFs: finish after a kexec" 0 \
		"session s: $((nr + 3)) of $((nr + 3)) functions retrieved
session s: finished" "" finish s
}

# Each is one line, and no session is created.
test_vfs_errors() {
	local dir=$ROOT/sys/bus/pci/devices vf=${VFS[3]}
	local lone=0001:01:00.1
	local name text reason

	tree_pf "$lone"
	while IFS='|' read -r name text reason; do
		# shellcheck disable=SC2086
		expect "VFs: $name" "${reason%% *}" "" "${reason#* }" \
			preserve v "$A" $text
		ktap_result "VFs: $name: nothing is preserved" \
			[ ! -e "$ROOT/luo/outgoing/v" ]
	done <<-END
		a PF without VFs|$lone/vfs|2 $lone has no VFs: echo <number> > $dir/$lone/sriov_numvfs creates them
		not a PF|$B/vfs|2 $B is not a PF: only a function with SR-IOV has VFs
		a VF|$vf/vfs|2 $vf is a VF: $PF/vfs names all VFs of its PF
		no function|$GONE/vfs|2 $GONE does not exist: lspci -D lists existing functions
		all, and one|$PF/vfs $vf|1 $vf is named twice
		all twice|$PF/vfs $PF/vfs|1 ${VFS[0]} is named twice
	END
	tree_remove "$lone"

	tree_unbind "$vf"
	expect "VFs: one is not bound" 2 "" "$vf is not bound, bind it to $STUB: \
echo $STUB > $dir/$vf/driver_override && \
echo $vf > $ROOT/sys/bus/pci/drivers_probe" \
		preserve v "$PF/vfs"
	tree_bind "$vf" "$STUB"
	rm "$dir/$PF/virtfn3"
	mkdir "$dir/$PF/virtfn3"
	expect "VFs: one is being removed" 2 "" \
		"$dir/$PF/virtfn3 is no link to a VF: \
repeat this when no VFs are created or removed" \
		preserve v "$PF/vfs"
	rmdir "$dir/$PF/virtfn3"
	ln -s "../$vf" "$dir/$PF/virtfn3"
}

# The kernel refuses a VF, after others were preserved.
test_vfs_refused() {
	local vf=${VFS[3]} errno reason

	while IFS='|' read -r errno reason; do
		LUO_MOCK_FAIL="preserve $VF_TOKEN $errno" \
			expect "VFs: errno $errno" 3 "" \
			"$vf cannot be preserved: $reason, see the kernel log" \
			preserve s "$PF/vfs"
		ktap_result "VFs: errno $errno: all is released" is_released s
	done <<-END
		16|another session has already preserved it, or its PF $PF is busy
		22|its type is not supported
		95|its configuration or the driver of its PF $PF is not supported
	END
	LUO_MOCK_FAIL="preserve $PF_TOKEN 95" expect "VFs: errno 95 of the PF" 3 \
		"" "$PF cannot be preserved: its configuration is not supported, see the kernel log" \
		preserve s "$PF/vfs" "$PF"
}

# VFs are below their PF, also on another bus and with VFs of another PF between
# them. An absent VF stands alone.
test_vfs_list() {
	local other=0001:01:00.1

	tree_pf "$other" 0001:02:00.1 0001:02:03.1
	tree_records <<-END
		# side address vendor:device kind state blocked
		outgoing 0001:00:01.0 1b36:000c bridge present 0
		outgoing $PF 1b36:0010 implied-pf present 1
		outgoing 0001:01:01.0 1234:11e8 function present 0
		outgoing 0001:02:00.0 1b36:0011 vf present 0
		outgoing 0001:02:03.0 1b36:0011 vf present 2
		outgoing 0001:02:03.1 1b36:0011 vf present 0
		incoming $PF 1b36:0010 pf present 0
		incoming $other 1b36:0010 damaged present 0
		incoming 0001:02:00.0 1b36:0011 vf present 0
		incoming 0001:02:00.1 1b36:0011 vf present 0
		incoming 0001:02:02.1 1b36:0011 vf absent 0
		incoming 0001:02:03.0 1b36:0011 vf present 4
		incoming 0001:02:03.1 1b36:0011 vf absent 0
		incoming 0001:02:04.1 1234:11e8 function present 0
	END
	expect "VFs: table" 0 \
		"SIDE      ADDRESS           ID         KIND        STATE    BLOCKED
outgoing  0001:00:01.0      1b36:000c  bridge      present  0
outgoing  $PF      1b36:0010  implied-pf  present  1  kept for its VFs
outgoing    0001:02:00.0    1b36:0011  vf          present  0
outgoing    0001:02:03.0    1b36:0011  vf          present  2
outgoing  0001:02:03.1      1b36:0011  vf          present  0
outgoing  0001:01:01.0      1234:11e8  function    present  0
incoming  $PF      1b36:0010  pf          present  0
incoming    0001:02:00.0    1b36:0011  vf          present  0
incoming    0001:02:03.0    1b36:0011  vf          present  4
incoming  $other      1b36:0010  damaged     present  0
incoming    0001:02:00.1    1b36:0011  vf          present  0
incoming  0001:02:02.1      1b36:0011  vf          absent   0
incoming  0001:02:03.1      1b36:0011  vf          absent   0
incoming  0001:02:04.1      1234:11e8  function    present  0
outgoing: functions 4 (VFs 3, PFs 0), implied PFs 1, bridges 1, damaged 0, absent 0, blocked 3
incoming: functions 7 (VFs 5, PFs 1), implied PFs 0, bridges 0, damaged 1, absent 2, blocked 4" \
		"" list
	expect_json "VFs: JSON has the order of the kernel" \
		"$PF implied-pf 0001:01:01.0 function 0001:02:00.0 vf 6" \
		'*(r[k] for r in d["records"][1:4] for k in ("address", "kind")),
		len(d["records"][0])' list
	expect_json "VFs: JSON totals" "4 3 0 1 7 5 1 0" \
		'*(d[side][k] for side in ("outgoing", "incoming")
			for k in ("functions", "vfs", "pfs", "implied_pfs"))' list

	tree_records <<-END
		# side address vendor:device kind state blocked
		outgoing $PF 1b36:0010 pf present 0
		incoming 0001:02:00.0 1b36:0011 vf present 0
	END
	run list
	ktap_result "VFs: the PF is on the other side" grep -q \
		"^incoming  0001:02:00.0  .* vf  " <<<"$OUT"
}

# Without a manifest the kernel's list names the functions. An implied PF is in no
# session, and need not be bound to the stub.
test_vfs_retrieve() {
	local vf=${VFS[3]}

	tree_unbind "$PF"
	tree_records <<-END
		# side address vendor:device kind state blocked
		incoming $PF 1b36:0010 implied-pf present 0
		incoming $vf 1b36:0011 vf present 0
	END
	tree_incoming s "$VF_TOKEN" </dev/null
	expect "VFs: finish without a manifest" 0 "$vf: retrieved
session s: 1 of 1 functions retrieved
session s: finished" "" -v finish s

	tree_bind "$PF" "$STUB"
	sed -i s/implied-// "$ROOT/sys/kernel/debug/pci_liveupdate"
	tree_incoming s "$PF_TOKEN" "$VF_TOKEN" </dev/null
	expect "VFs: finish without a manifest, with the PF" 0 "$PF: retrieved
$vf: retrieved
session s: 2 of 2 functions retrieved
session s: finished" "" -v finish s
}
