# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2153
#
# Test functions that are bound to vfio-pci.

test_vfio() {
	local held="held by pid PID"

	tree_vfio "$V" "$NODE" running
	hold_start "held by" -v preserve s "$A" "$V"
	ktap_result "vfio: the manifest names the driver" diff - \
		"$ROOT/luo/outgoing/s/ffffffffffffffff" <<-END
			pci-liveupdate-manifest 2 2
			$A
			$V vfio-pci
		END
	ktap_result "vfio: the file is that of the device node" \
		[ "$(<"$ROOT/luo/outgoing/s/$V_TOKEN")" = "$ROOT/dev/vfio/devices/$NODE" ]
	hold_end TERM
	ktap_result "vfio: preserve, with a function of the stub" is_as_expected 0 \
		"$A: preserved
$V: preserved
session s: 2 of 2 functions preserved
$held
session s: released, nothing is preserved" ""

	rmdir "$ROOT/sys/bus/pci/drivers/$STUB"
	hold_start "held by" preserve s "$V"
	mkdir "$ROOT/sys/bus/pci/drivers/$STUB"
	hold_end TERM
	ktap_result "vfio: preserve without the stub" is_as_expected 0 \
		"session s: 1 of 1 functions preserved
$held
session s: released, nothing is preserved" ""
}

test_vfio_errors() {
	local node=$ROOT/dev/vfio/devices/$NODE errno reason
	local mode=$ROOT/sys/bus/pci/devices/$V/vfio_liveupdate lock

	echo off >"$mode"
	rm -rf "$ROOT/luo/outgoing/s"
	expect "vfio: the mode is off" 2 "" "$V cannot be preserved: \
the IOMMU that translates its DMA does not survive the kexec: 'echo reset > $mode' \
lets the kernel reset it and preserve its file only, or boot without IOMMU translation" \
		preserve s "$A" "$V"
	ktap_result "vfio: no session for the mode off" [ ! -e "$ROOT/luo/outgoing/s" ]
	echo running >"$mode"

	exec {lock}<"$node"
	flock "$lock"
	expect "vfio: in use" 2 "" \
		"$V is in use: the program that uses it must preserve it, or end" \
		preserve s "$A" "$V"
	ktap_result "vfio: in use: all is released" is_released s
	exec {lock}<&-

	while IFS='|' read -r errno reason; do
		LUO_MOCK_FAIL="$errno" expect "vfio: $errno" 2 "" "$reason" \
			preserve s "$V"
	done <<-END
		bind 0 16|$V is in use: the program that uses it must preserve it, or end
		bind 0 13|$V needs the VF token of its PF, which is bound to vfio-pci: only the program that has this token can open it
		bind 0 12|$V cannot be bound to an iommufd: Cannot allocate memory: see the kernel log
		iommu 0 2|no $ROOT/dev/iommu: the kernel is built without CONFIG_IOMMUFD, or its module is not loaded
		iommu 0 13|$ROOT/dev/iommu: Permission denied
		function 0 1|$node: Operation not permitted: run as root
		function 0 2|no $node although $V is bound: mount devtmpfs on /dev
		function 0 16|$V is preserved by the previous kernel: finish its session first
		function 0 5|$node: Input/output error
	END

	rmdir "$ROOT/sys/bus/pci/devices/$V/vfio-dev/$NODE"
	expect "vfio: no device node" 2 "" \
		"no device node of $V in /dev/vfio/devices: udev has not created it" \
		preserve s "$V"
	tree_vfio "$V" "$NODE" running
}

test_vfio_update() {
	local node=$ROOT/dev/vfio/devices/$NODE

	hold_start "held by" preserve s "$A" "$V"
	tree_kexec "$HOLDER"
	expect "vfio: finish after a kexec" 0 "$A: retrieved
$V: retrieved
session s: 2 of 2 functions retrieved
session s: finished" "" -v finish s

	tree_incoming s "$V_TOKEN" <<<"pci-liveupdate-manifest 2 1
$V vfio-pci"
	printf '%s' "$node" >"$ROOT/luo/incoming/s/$V_TOKEN"
	hold_start "held by" retrieve s
	hold_end TERM
	ktap_result "vfio: retrieve and finish" is_as_expected 0 \
		"session s: 1 of 1 functions retrieved
held by pid PID
session s: finished" ""

	tree_records <<-END
		# side address vendor:device kind state blocked
		incoming $V 1234:11e8 function present 0
	END
	tree_incoming s "$V_TOKEN" </dev/null
	printf '%s' "$node" >"$ROOT/luo/incoming/s/$V_TOKEN"
	expect "vfio: finish without a manifest" 0 "$V: retrieved
session s: 1 of 1 functions retrieved
session s: finished" "" -v finish s

	tree_incoming s "$V_TOKEN" <<<"pci-liveupdate-manifest 1 1
$V vfio-pci"
	printf '%s' "$node" >"$ROOT/luo/incoming/s/$V_TOKEN"
	expect "vfio: a driver in a manifest of version 1" 0 \
		"session s: 1 of 1 functions retrieved
session s: finished" \
		"the manifest is not used, a line of it is not an address: the kernel's list is used instead" \
		finish s
}

# tree_vfio_session: add a session with a function of vfio-pci, and one of the stub.
tree_vfio_session() {
	tree_incoming s "$A_TOKEN" "$V_TOKEN" <<<"pci-liveupdate-manifest 2 2
$V vfio-pci
$A"
	printf '%s' "$ROOT/dev/vfio/devices/$NODE" >"$ROOT/luo/incoming/s/$V_TOKEN"
}

# The function is not retrieved until it is bound to vfio-pci: LUO does not repeat it.
test_vfio_incomplete() {
	local pci=$ROOT/sys/bus/pci
	local left="session 's' is left to the kernel: \
1 functions are not bound, bind them and repeat this"
	local not_bound="session s: 1 of 2 functions retrieved
session s: missing 0, failed 0, not bound 1"
	local override="echo vfio-pci > $pci/devices/$V/driver_override"
	local unbind="echo $V > $pci/drivers/$STUB/unbind"
	local probe="echo $V > $pci/drivers_probe"

	tree_vfio_session
	tree_no_vfio "$V"
	tree_unbind "$V"
	expect "vfio: not bound" 4 "$not_bound" \
		"$V is not bound, bind it to vfio-pci: $override && $probe
pci-liveupdate: $left" finish s
	tree_bind "$V" "$STUB"
	expect "vfio: bound to the stub" 4 "$not_bound" \
		"$V is bound to $STUB, bind it to vfio-pci: $override && $unbind && $probe
pci-liveupdate: $left" finish s
	tree_bind "$V" vfio-pci
	expect "vfio: bound to a vfio-pci without live update" 4 "$not_bound" \
		"$V is bound to vfio-pci, but the kernel lacks CONFIG_VFIO_PCI_LIVEUPDATE
pci-liveupdate: $left" retrieve s
	ktap_result "vfio: it was not retrieved" \
		[ ! -e "$ROOT/luo/incoming/s/$V_TOKEN.tried" ]
	tree_vfio "$V" "$NODE" running

	LUO_MOCK_FAIL="bind 0 12" expect "vfio: not bound to an iommufd" 4 \
		"session s: 2 of 2 functions retrieved
session s: finished" \
		"$V cannot be bound to an iommufd: Cannot allocate memory: see the kernel log
$V_TOKEN is stopped" finish s

	tree_records <<-END
		# side address vendor:device kind state blocked
		incoming $V 1234:11e8 function present 0
	END
	tree_incoming s "$V_TOKEN" </dev/null
	printf '%s' "$ROOT/dev/vfio/devices/$NODE" >"$ROOT/luo/incoming/s/$V_TOKEN"
	tree_bind "$V" "$STUB"
	run finish s
	ktap_result "vfio: no manifest, and bound to the stub" \
		grep -q "^pci-liveupdate: $V is bound to $STUB, bind it to vfio-pci: " <<<"$ERR"
	tree_vfio "$V" "$NODE" running
	expect "vfio: finish repeated" 0 "session s: 1 of 1 functions retrieved
session s: finished" "" finish s
}

test_vfio_list() {
	tree_records <<-END
		# side address vendor:device kind state blocked
		outgoing $A 1234:11e8 function present 0
		outgoing $V 1234:11e8 function present 2
		incoming $V 1234:11e8 function absent 0
	END
	echo reset >"$ROOT/sys/bus/pci/devices/$V/vfio_liveupdate"
	run list
	ktap_result "vfio: list has the mode" [ "$(sed -n 2,4p <<<"$OUT")" = \
		"outgoing  $A      1234:11e8  function    present  0
outgoing  $V      1234:11e8  function    present  2  vfio-pci: reset
incoming  $V      1234:11e8  function    absent   0" ]
	expect_json "vfio: JSON has the mode" "None reset None" \
		'*(r.get("vfio_mode") for r in d["records"])' list
	echo sideways >"$ROOT/sys/bus/pci/devices/$V/vfio_liveupdate"
	expect_json "vfio: an unknown mode" "None None None" \
		'*(r.get("vfio_mode") for r in d["records"])' list
	echo running >"$ROOT/sys/bus/pci/devices/$V/vfio_liveupdate"
}

# A file and a session of the parent. The lock stands for being bound.
test_fd() {
	local node=$ROOT/dev/vfio/devices/$NODE file pid
	local see="see pci-liveupdate --help"

	exec {file}<>"$node"
	expect "fd: not bound" 2 "" "descriptor $file is a file of $V, \
but not bound to an iommufd: its user must bind it first" \
		preserve s --fd "$V=$file"
	flock "$file"
	run -qb preserve s "$A" --fd "${V#0000:}=$file"
	pid=$OUT
	HOLDERS+=("$pid")
	ktap_result "fd: preserve" [ "$RC$ERR" = 0 ]
	ktap_result "fd: the manifest has the function" diff - \
		"$ROOT/luo/outgoing/s/ffffffffffffffff" <<-END
			pci-liveupdate-manifest 2 2
			$V vfio-pci
			$A
		END
	ktap_result "fd: the holder has closed it" is_closed "$pid" "$node"
	kill -TERM "$pid"
	is_released s || true

	LUO_MOCK_FAIL="preserve $V_TOKEN 22" expect "fd: opened through its group" 3 "" \
		"$V cannot be preserved: its file is not one of /dev/vfio/devices, see the kernel log" \
		preserve s --fd "$V=$file"
	LUO_MOCK_FAIL="fdinfo 0 2" expect "fd: no procfs" 2 "" \
		"/proc/self/fdinfo/$file: No such file or directory" \
		preserve s --fd "$V=$file"
	tree_vfio 0000:03:00.1 vfio1 running
	expect "fd: of another function" 2 "" \
		"descriptor $file is a file of $V, not of 0000:03:00.1" \
		preserve s --fd "0000:03:00.1=$file"
	expect "fd: of something else" 2 "" "descriptor 0 is no VFIO file of $V" \
		preserve s --fd "$V=0"
	expect "fd: not open" 2 "" "descriptor 99 is not open" \
		preserve s --fd "$V=99"
	expect "fd: twice" 1 "" "$V is named twice" \
		preserve s "$V" --fd "$V=$file"
	expect "fd: without an address" 1 "" "--fd needs ADDRESS=N, not $file: $see" \
		preserve s --fd "$file"
	expect "fd: bad address" 1 "" "--fd needs an address, not 03:00: $see" \
		preserve s --fd "03:00=$file"
	expect "fd: bad descriptor" 1 "" "--fd needs a descriptor, not 'x': $see" \
		preserve s --fd "$V=x"
	expect "fd: no session" 1 "" "arguments are missing for preserve: $see" \
		preserve --fd "$V=$file"
	expect "fd: of finish" 1 "" "--fd is not for finish: $see" \
		finish s --fd "$V=$file"
	exec {file}<&-
}

# is_closed PID PATH: the process does not have the file open.
is_closed() {
	! readlink "/proc/$1"/fd/* | grep -qxF "$2"
}

test_session_fd() {
	local see="see pci-liveupdate --help" session incoming

	mkdir -p "$ROOT/luo/outgoing/p"
	exec {session}<"$ROOT/luo/outgoing/p"
	expect "session-fd: preserve" 0 \
		"session p: 2 of 2 functions preserved" "" \
		--session-fd "$session" preserve p "$A" "$V"
	ktap_result "session-fd: the tokens" \
		[ "$(cd "$ROOT/luo/outgoing/p" && echo *)" = \
		"$A_TOKEN $V_TOKEN ffffffffffffffff" ]
	expect "session-fd: preserve again" 3 "" \
		"the session has a manifest: preserve all its functions at once
pci-liveupdate: session 'p' may have some of the functions: its holder must close it" \
		--session-fd "$session" preserve p "$B"
	rm "$ROOT"/luo/outgoing/p/*
	LUO_MOCK_FAIL="preserve $B_TOKEN 12" expect "session-fd: a function is refused" \
		3 "" "$B cannot be preserved: Cannot allocate memory
pci-liveupdate: session 'p' may have some of the functions: its holder must close it" \
		--session-fd "$session" preserve p "$A" "$B"
	rm "$ROOT"/luo/outgoing/p/*
	expect_json "session-fd: JSON" "p 1 None" \
		'd["session"], d["preserved"], d.get("holder")' \
		--session-fd "$session" preserve p "$A"

	expect "session-fd: another name" 2 "" \
		"descriptor $session is session 'p', not 's'" \
		--session-fd "$session" preserve s "$A"
	expect "session-fd: finish in the old kernel" 2 "" \
		"descriptor $session is a session for the next kernel, which finishes it" \
		--session-fd "$session" finish p
	expect "session-fd: of something else" 2 "" "descriptor 0 is no session" \
		--session-fd 0 finish p
	expect "session-fd: not open" 2 "" "descriptor 99 is not open" \
		--session-fd 99 finish p
	expect "session-fd: bad descriptor" 1 "" \
		"--session-fd needs a descriptor, not '': $see" \
		--session-fd "" finish p
	expect "session-fd: of retrieve" 1 "" "--session-fd is not for retrieve: $see" \
		--session-fd "$session" retrieve p
	expect "session-fd: nothing to hold" 1 "" \
		"--session-fd contradicts --background: $see" \
		-b --session-fd "$session" preserve p "$A"
	exec {session}<&-

	tree_vfio_session
	exec {incoming}<"$ROOT/luo/incoming/s"
	flock "$incoming"
	expect "session-fd: preserve in a session of the previous kernel" 2 "" \
		"descriptor $incoming is a session of the previous kernel: preserve needs a new one" \
		--session-fd "$incoming" preserve s "$A"
	expect "session-fd: finish" 0 "session s: 2 of 2 functions retrieved
session s: finished" "" --session-fd "$incoming" finish s
	exec {incoming}<&-
}

# A program gets the files, may bind them, and has the session finished.
test_program() {
	local see="see pci-liveupdate --help" finish
	# shellcheck disable=SC2016 # the program expands them
	local got='echo $LISTEN_FDS $LISTEN_FDNAMES $(($LISTEN_PID == $$))'

	tree_vfio_session
	expect "program: files and their names" 0 \
		"session s: 2 of 2 functions retrieved
3 session:0000-03-00.0:0000-01-00.0 1
$ROOT/luo/incoming/s
$ROOT/dev/vfio/devices/$NODE
/dev/null" "" retrieve s -- sh -c "$got; cd /proc/self/fd; readlink 3 4 5"
	finish="flock 4; exec $TOOL --root $ROOT --session-fd 3 finish s"
	expect "program: finish" 0 "session s: 2 of 2 functions retrieved
session s: finished" "" -q retrieve s -- sh -c "$finish"
	ktap_result "program: the session is gone" is_gone s

	tree_vfio_session
	expect "program: its status" 7 "" "" -q retrieve s -- sh -c 'exit 7'
	expect "program: does not exist" 2 "session s: 2 of 2 functions retrieved" \
		"/nonexistent cannot be run: No such file or directory" \
		retrieve s -- /nonexistent
	TOOL=$TMP/interruptible run -q retrieve s -- grep SigBlk /proc/self/status
	ktap_result "program: no signal is blocked" is_as_expected 0 \
		$'SigBlk:\t0000000000000000' ""
	tree_unbind "$A"
	run retrieve s -- echo ran
	ktap_result "program: does not run if a function is not bound" [ "$RC" = 4 ]
	ktap_result "program: and did not" [ "${OUT%ran*}" = "$OUT" ]
	tree_bind "$A" "$STUB"
	expect "program: not without --" 1 "" "too many arguments for retrieve: $see" \
		retrieve s true
	expect "program: of finish" 1 "" "too many arguments for finish: $see" \
		finish s -- true
	expect "program: nothing to hold" 1 "" "--background contradicts a program: $see" \
		-b retrieve s -- true
	rm -r "$ROOT/luo/incoming/s"
}
