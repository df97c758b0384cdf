# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2153
#
# Test the preserve command, and files and drivers that it needs.

test_functions() {
	local pci=$ROOT/sys/bus/pci
	local override="echo $STUB > $pci/devices/0000:02:00.0/driver_override"
	local probe="echo 0000:02:00.0 > $pci/drivers_probe"
	local unbind="echo 0000:02:00.0 > $pci/drivers/vfio-pci/unbind"

	tree_device 0000:02:00.0 00
	tree_device 0000:00:02.0 81
	expect "function: not bound" 2 "" \
		"0000:02:00.0 is not bound, bind it to $STUB: $override && $probe" \
		preserve s 02:00.0
	tree_bind 0000:02:00.0 vfio-pci
	expect "function: bound to another driver" 2 "" \
		"0000:02:00.0 is bound to vfio-pci, bind it to $STUB: \
$override && $unbind && $probe" \
		preserve s 02:00.0
	tree_unbind 0000:02:00.0
	expect "function: bridge, and all that is wrong" 2 "" \
		"0000:00:02.0 is a bridge: name the functions below it, \
and it is preserved with them
pci-liveupdate: 0000:03:00.0 does not exist: lspci -D lists existing functions" \
		preserve s 00:02.0 "$A" 03:00.0

	rm "$ROOT/dev/pci-liveupdate/$A"
	expect "function: no device file" 2 "" \
		"no $ROOT/dev/pci-liveupdate/$A although $A is bound: mount devtmpfs on /dev" \
		preserve s "$A"
	tree_bind "$A" "$STUB"
	LUO_MOCK_FAIL="function 0 13" expect "function: EACCES" 2 "" \
		"$ROOT/dev/pci-liveupdate/$A: Permission denied: run as root" \
		preserve s "$A"
	LUO_MOCK_FAIL="function 0 16" expect "function: EBUSY" 2 "" \
		"$ROOT/dev/pci-liveupdate/$A is busy: end the program that has it open" \
		preserve s "$A"
	LUO_MOCK_FAIL="function 0 5" expect "function: EIO" 2 "" \
		"$ROOT/dev/pci-liveupdate/$A: Input/output error" preserve s "$A"

	rmdir "$pci/drivers/$STUB"
	for command in "preserve s $A" "retrieve s" "finish s"; do
		# shellcheck disable=SC2086
		expect "function: no stub: $command" 2 "" \
			"no $pci/drivers/$STUB: the kernel is built without \
CONFIG_PCI_LIVEUPDATE_STUB, or booted without kho=on liveupdate=on" \
			$command
	done
	mkdir "$pci/drivers/$STUB"
}

test_device() {
	local device=$ROOT/dev/liveupdate
	local errno lock

	rm "$device"
	for command in "preserve s $A" "retrieve s" "finish s"; do
		# shellcheck disable=SC2086
		expect "device: missing: $command" 2 "" \
			"no $device: the kernel is built without CONFIG_LIVEUPDATE, \
or booted without kho=on liveupdate=on" \
			$command
	done
	: >"$device"
	for errno in 1:"Operation not permitted" 13:"Permission denied"; do
		LUO_MOCK_FAIL="device 0 ${errno%%:*}" \
			expect "device: ${errno#*:}" 2 "" \
			"$device: ${errno#*:}: run as root" finish s
	done
	LUO_MOCK_FAIL="create 0 5" expect "create: EIO" 3 "" \
		"the kernel cannot read the sessions of the previous kernel: \
see the kernel log and reboot" \
		preserve s "$A"
	LUO_MOCK_FAIL="take 0 5" expect "take: EIO" 3 "" \
		"the kernel cannot read the sessions of the previous kernel: \
see the kernel log and reboot" \
		finish s
	LUO_MOCK_FAIL="device 0 12" expect "device: ENOMEM" 2 "" \
		"$device: Cannot allocate memory" finish s

	exec {lock}<"$device"
	flock "$lock"
	SECONDS=0
	expect "device: busy" 2 "" \
		"$device is still busy after 15 seconds: end the program that has it open" \
		finish s
	ktap_result "device: busy for 15 seconds" [ "$SECONDS" -ge 15 ]
	(sleep 1 && flock -u "$lock") &
	expect "device: busy for a moment" 3 "" \
		"session 's' not found: \
the previous kernel did not hand it over, or it is finished" \
		finish s
	flock "$lock"
	rm "$ROOT/luo/busy"
	start finish s
	becomes_true [ -e "$ROOT/luo/busy" ] || true
	hold_end TERM
	ktap_result "device: a signal while it is busy" is_as_expected 4 "" \
		"pci-liveupdate: stopped by a signal while $device was busy"
	exec {lock}<&-

	TOOL=$REAL expect "device: of something else" 3 "" \
		"session 's' cannot be created: Inappropriate ioctl for device" \
		preserve s "$A"
}

test_preserve() {
	local held="held by pid PID" released

	released="session s: 1 of 1 functions preserved
$held
session s: released, nothing is preserved"
	hold_start "held by" -v preserve s "$A" "$B" "$C"
	ktap_result "preserve: the session is held" is_held s
	ktap_result "preserve: the tokens" \
		[ "$(cd "$ROOT/luo/outgoing/s" && echo *)" = \
		"$A_TOKEN $C_TOKEN $B_TOKEN ffffffffffffffff" ]
	ktap_result "preserve: the manifest" diff - \
		"$ROOT/luo/outgoing/s/ffffffffffffffff" <<-END
			pci-liveupdate-manifest 1 3
			$A
			$B
			$C
		END
	expect "preserve: the session exists" 3 "" \
		"session 's' exists: choose another name, or end the program that holds it" \
		preserve s "$A"
	hold_end TERM
	ktap_result "preserve: SIGTERM releases" is_as_expected 0 \
		"$A: preserved
$B: preserved
$C: preserved
session s: 3 of 3 functions preserved
$held
session s: released, nothing is preserved" ""
	ktap_result "preserve: it is released" is_released s

	hold_start "held by" preserve s "$A"
	kill -INT "$HOLDER"
	sleep 0.3
	ktap_result "preserve: a signal that is ignored" is_held s
	hold_end TERM
	# SIGHUP may be ignored, since nohup may run the tests.
	TOOL=$TMP/interruptible hold_start "held by" preserve s "$A"
	hold_end HUP
	ktap_result "preserve: SIGHUP releases" is_as_expected 0 "$released" ""
	TOOL=$TMP/interruptible hold_start "held by" preserve s "$A"
	hold_end INT
	ktap_result "preserve: SIGINT releases" is_as_expected 0 "$released" ""
	hold_start '"holder"' --json preserve s "$A" "$B"
	hold_end TERM
	ktap_result "preserve: JSON" is_json "preserve s 2 2 0 [] $HOLDER" \
		'*(d[k] for k in ("command", "session", "functions", "preserved",
				"status", "messages", "holder"))'
}

test_preserve_errors() {
	local cannot="$A cannot be preserved:" errno reason

	while IFS='|' read -r errno reason; do
		LUO_MOCK_FAIL="preserve $A_TOKEN $errno" \
			expect "preserve: errno $errno" 3 "" \
			"$cannot $reason" preserve s "$B" "$A" "$C"
		ktap_result "preserve: all is released" is_released s
	done <<-END
		2|the kernel has no handler for its file
		12|Cannot allocate memory
		16|another session has already preserved it
		19|it has just been removed
		22|its type is not supported, see the kernel log
		28|the session is full, use another one for the rest
		95|its configuration is not supported, see the kernel log
	END

	LUO_MOCK_STOP=$A_TOKEN expect "preserve: a signal comes early" 4 \
		"$A: preserved" "stopped by a signal, nothing is preserved" \
		-v preserve s "$A" "$B"
	LUO_MOCK_STOP=$B_TOKEN expect "preserve: a signal comes just in time" \
		4 "" "stopped by a signal, nothing is preserved" \
		-b preserve s "$A" "$B"

	while IFS='|' read -r errno reason; do
		LUO_MOCK_FAIL="$errno" expect "preserve: $errno" 3 "" \
			"$reason" preserve s "$A"
	done <<-END
		preserve ffffffffffffffff 2|the kernel cannot preserve a memfd: \
it is built without CONFIG_LIVEUPDATE_MEMFD
		preserve ffffffffffffffff 95|the manifest cannot be \
preserved: Operation not supported
		create 0 28|session 's': the kernel has no room for another session
		create 0 12|session 's' cannot be created: Cannot allocate memory
	END
	LUO_MOCK_FAIL="preserve $A_TOKEN 16" \
		expect_json "preserve: JSON of an error" \
		"preserve 3 ['$cannot another session has already preserved it']" \
		'd["command"], d["status"], d["messages"]' preserve s "$A"
}

is_detached() {
	[[ $(readlink "/proc/$1/fd/0" "/proc/$1/fd/1" "/proc/$1/fd/2" \
		"/proc/$1/cwd") == "/dev/null
/dev/null
/dev/null
/" && $(ps -o sid= -p "$1") -eq $1 ]]
}

# The parent has ended when run returns; its output is about the holder.
test_background() {
	local pid

	run -b preserve s "$A"
	pid=${OUT##*[!0-9]}
	HOLDERS+=("$pid")
	ktap_result "background: preserve" is_as_expected 0 \
		"session s: 1 of 1 functions preserved
held by pid PID" ""
	ktap_result "background: the session is held" is_held s
	ktap_result "background: by that process" kill -0 "$pid"
	ktap_result "background: it has no terminal and no directory" \
		is_detached "$pid"
	kill -TERM "$pid"
	ktap_result "background: it is released" is_released s

	run -qb preserve s "$A"
	HOLDERS+=("$OUT")
	ktap_result "background: --quiet prints the ID" kill -TERM "$OUT"
	is_released s || true

	run -b --json preserve s "$A"
	pid=$(python3 -c 'import json, sys
print(json.load(sys.stdin)["holder"])' <<<"$OUT")
	HOLDERS+=("$pid")
	ktap_result "background: JSON has the ID" kill -TERM "$pid"
	is_released s || true

	RC=0
	OUT=$("$TOOL" --root "$ROOT" -qb preserve s "$A" <&- 2>&-) || RC=$?
	HOLDERS+=("$OUT")
	ktap_result "background: without standard files" is_held s
	kill -TERM "$OUT"
	is_released s || true
}
