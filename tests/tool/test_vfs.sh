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
	local vf=${VFS[3]} token=10203 errno reason

	while IFS='|' read -r errno reason; do
		LUO_MOCK_FAIL="preserve $token $errno" \
			expect "VFs: errno $errno" 3 "" \
			"$vf cannot be preserved: $reason, see the kernel log" \
			preserve s "$PF/vfs"
		ktap_result "VFs: errno $errno: all is released" is_released s
	done <<-END
		16|another session has already preserved it, or its PF $PF is busy
		22|its type is not supported
		95|its configuration or the driver of its PF $PF is not supported
	END
	LUO_MOCK_FAIL="preserve 10100 95" expect "VFs: errno 95 of the PF" 3 \
		"" "$PF cannot be preserved: its configuration is not supported, see the kernel log" \
		preserve s "$PF/vfs" "$PF"
}
