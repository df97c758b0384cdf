# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2153
#
# Test the retrieve and finish commands and the manifest.

manifest_abc() {
	printf '%s\n' "pci-liveupdate-manifest 1 3" "$A" "$B" "$1"
}

test_update() {
	local file

	for command in retrieve finish; do
		expect "$command: no such session" 3 "" \
			"session 's' not found: \
the previous kernel did not hand it over, or it is finished" \
			$command s
	done
	hold_start "held by" preserve s "$A" "$B" "$C"
	tree_kexec "$HOLDER"
	expect "finish: after a kexec" 0 "$A: retrieved
$B: retrieved
$C: retrieved
session s: 3 of 3 functions retrieved
session s: finished" "" -v finish s
	ktap_result "finish: the session is gone" is_gone s

	hold_start "held by" preserve s "$A" "$B"
	tree_kexec "$HOLDER"
	hold_start "held by" -v retrieve s
	expect "retrieve: once only" 3 "" \
		"session 's' is held by another program, which finishes it when it ends" \
		finish s
	hold_end TERM
	ktap_result "retrieve: SIGTERM finishes" is_as_expected 0 \
		"$A: retrieved
$B: retrieved
session s: 2 of 2 functions retrieved
held by pid PID
session s: finished" ""
	ktap_result "retrieve: the session is gone" is_gone s

	tree_incoming s "$A_TOKEN" <<<"pci-liveupdate-manifest 1 1
$A"
	run -qb retrieve s
	HOLDERS+=("$OUT")
	ktap_result "retrieve: in the background" [ "$RC" = 0 ]
	file=$ROOT/luo/incoming/s/$A_TOKEN.tried
	ktap_result "retrieve: done when the parent ends" [ -e "$file" ]
	kill -TERM "$OUT"
	ktap_result "retrieve: finished in the background" is_gone s

	tree_incoming s "$A_TOKEN" <<<"pci-liveupdate-manifest 1 1
$A"
	LUO_MOCK_FAIL="take 0 12" expect "retrieve: ENOMEM" 3 "" \
		"session 's' cannot be retrieved: Cannot allocate memory" \
		retrieve s
	LUO_MOCK_FAIL="finish 0 12" expect "finish: ENOMEM" 3 \
		"session s: 1 of 1 functions retrieved" \
		"session 's' cannot be finished: Cannot allocate memory" \
		finish s
	rm -r "$ROOT/luo/incoming/s"
	tree_incoming s "$A_TOKEN" "$B_TOKEN" <<<"pci-liveupdate-manifest 1 1
$A"
	expect "finish: a file that is not in the manifest" 3 \
		"session s: 1 of 1 functions retrieved" \
		"session 's' cannot be finished: it has a file that is not retrieved" \
		finish s
	rm -r "$ROOT/luo/incoming/s"
}

# A session with a function that does not exist, one that the kernel does not
# return, and one that is not bound.
test_incomplete() {
	local bind file left
	local given_up="$GONE does not exist in this kernel: \
ignored, so that the session can finish"

	manifest_abc "$GONE" |
		tree_incoming s "$A_TOKEN" "$B_TOKEN" "$GONE_TOKEN"
	LUO_MOCK_FAIL="retrieve $B_TOKEN 12" expect "finish: EBUSY" 3 \
		"session s: 1 of 3 functions retrieved
session s: missing 1, failed 1, not bound 0" \
		"$B cannot be retrieved: Cannot allocate memory: see the kernel log
pci-liveupdate: $given_up
pci-liveupdate: session 's' cannot be finished: it has a file that is not retrieved" \
		finish s
	rm -r "$ROOT/luo/incoming/s"

	manifest_abc "$GONE" |
		tree_incoming s "$A_TOKEN" "$B_TOKEN" "$GONE_TOKEN"
	expect "finish: a function is gone" 4 \
		"session s: 2 of 3 functions retrieved
session s: missing 1, failed 0, not bound 0
session s: finished" "$given_up" finish s
	ktap_result "finish: the session is gone all the same" is_gone s

	manifest_abc "$GONE" |
		tree_incoming s "$A_TOKEN" "$B_TOKEN" "$GONE_TOKEN"
	expect_json "finish: JSON" \
		"finish s True 3 2 1 0 0 True 4 missing ['$given_up']" \
		'*(d[k] for k in ("command", "session", "manifest", "functions",
				"retrieved", "missing", "failed", "pending",
				"finished", "status")),
		d["states"]["0000:09:00.0"], d["messages"]' \
		finish s

	bind="$B is not bound, bind it to $STUB: \
echo $STUB > $ROOT/sys/bus/pci/devices/$B/driver_override && \
echo $B > $ROOT/sys/bus/pci/drivers_probe"
	left="session 's' is left to the kernel: \
1 functions are not bound, bind them and repeat this"
	tree_unbind "$B"
	manifest_abc "$C" | tree_incoming s "$A_TOKEN" "$B_TOKEN" "$C_TOKEN"
	for command in finish retrieve "-b retrieve"; do
		# shellcheck disable=SC2086
		expect "$command: not bound" 4 \
			"session s: 2 of 3 functions retrieved
session s: missing 0, failed 0, not bound 1" "$bind
pci-liveupdate: $left" $command s
	done
	tree_bind "$B" "$STUB"
	expect "finish: repeated" 0 "session s: 3 of 3 functions retrieved
session s: finished" "" finish s

	tree_unbind "$B"
	manifest_abc "$C" | tree_incoming s "$A_TOKEN" "$B_TOKEN" "$C_TOKEN"
	file=$ROOT/luo/incoming/s/$B_TOKEN.tried
	hold_start "waiting" -v -w 20 finish s
	ktap_result "finish: a function that is not bound is not retrieved" [ ! -e "$file" ]
	tree_bind "$B" "$STUB"
	RC=0
	wait "$HOLDER" || RC=$?
	OUT=$(<"$TMP/hold.out")
	ERR=$(<"$TMP/hold.err")
	ktap_result "finish: waits for functions that are not bound" is_as_expected 0 \
		"$A: retrieved
$C: retrieved
session s: waiting for 1 functions to be bound
$B: retrieved
session s: 3 of 3 functions retrieved
session s: finished" "pci-liveupdate: $bind"

	tree_unbind "$B"
	manifest_abc "$C" | tree_incoming s "$A_TOKEN" "$B_TOKEN" "$C_TOKEN"
	SECONDS=0
	expect "finish: does not wait for ever" 4 \
		"session s: waiting for 1 functions to be bound
session s: 2 of 3 functions retrieved
session s: missing 0, failed 0, not bound 1" "$bind
pci-liveupdate: $left" -w 2 finish s
	ktap_result "finish: waits 2 seconds" [ "$SECONDS" -ge 2 ]

	hold_start "waiting" -b -w 20 retrieve s
	hold_end TERM
	ktap_result "retrieve: a signal ends the wait" is_as_expected 4 \
		"session s: waiting for 1 functions to be bound
session s: 2 of 3 functions retrieved
session s: missing 0, failed 0, not bound 1" "pci-liveupdate: $bind
pci-liveupdate: $left"
	rm -r "$ROOT/luo/incoming/s"
	tree_bind "$B" "$STUB"

	# vfio-pci waits for the file of a card that was pulled to be closed.
	tree_remove "$B"
	tree_device "$B" ff
	manifest_abc "$C" | tree_incoming s "$A_TOKEN" "$B_TOKEN" "$C_TOKEN"
	expect "finish: a card was pulled" 4 "session s: 2 of 3 functions retrieved
session s: missing 1, failed 0, not bound 0
session s: finished" "${given_up/$GONE/$B}" finish s
	tree_remove "$B"
	tree_functions "$B"

	manifest_abc "$GONE" |
		tree_incoming s "$A_TOKEN" "$B_TOKEN" "$GONE_TOKEN"
	hold_start "held by" retrieve s
	hold_end TERM
	ktap_result "retrieve: a function is gone" is_as_expected 4 \
		"session s: 2 of 3 functions retrieved
session s: missing 1, failed 0, not bound 0
held by pid PID
session s: finished" "pci-liveupdate: $given_up"
}

# Sessions without a manifest, and with an invalid one.
test_manifest() {
	local instead="the kernel's list is used instead" text reason
	local many=$TMP/many

	tree_records <<-END
		# side address vendor:device kind state
		outgoing $B 1234:11e8 function present
		incoming 0000:00:02.0 1b36:000c bridge present
		incoming $A 1234:11e8 function present
		incoming $C 1234:11e8 function present
		incoming $GONE 1234:11e8 function absent
	END

	tree_incoming s "$A_TOKEN" </dev/null
	expect "manifest: none" 0 "$A: retrieved
session s: 1 of 1 functions retrieved
session s: finished" "" -v finish s
	tree_unbind "$C"
	tree_incoming s "$A_TOKEN" </dev/null
	expect "manifest: none, others are not bound" 0 \
		"session s: 1 of 1 functions retrieved
session s: missing 0, failed 0, not bound 1
session s: finished" "" finish s
	tree_incoming s "$A_TOKEN" "$C_TOKEN" </dev/null
	run finish s
	ktap_result "manifest: none, one of it is not bound" [ "$RC" = 4 ]
	ktap_result "manifest: none, and which is said" \
		grep -q "$C is not bound, bind it to $STUB: " <<<"$ERR"
	rm -r "$ROOT/luo/incoming/s"
	tree_bind "$C" "$STUB"

	while IFS='|' read -r text reason; do
		printf '%b' "$text" | tree_incoming s "$A_TOKEN"
		expect "manifest: $text" 0 \
			"session s: 1 of 1 functions retrieved
session s: finished" "the manifest is not used, $reason: $instead" finish s
	done <<-END
		\\n|it has no header
		pci-liveupdate-manifest 1 1|it has no header
		pci-liveupdate-manifest\\n$A\\n|it has no header
		pci-liveupdate-manifest\\x00 1 1\\n$A\\n|it has no header
		other 1 1\\n$A\\n|it has no header
		pci-liveupdate-manifest 3 1\\n$A\\n|its version is not supported
		pci-liveupdate-manifest 1\\n$A\\n|its header does not agree with its lines
		pci-liveupdate-manifest 1 2\\n$A\\n|its header does not agree with its lines
		pci-liveupdate-manifest 1 1 1\\n$A\\n|its header does not agree with its lines
		pci-liveupdate-manifest 01 1\\n$A\\n|its header does not agree with its lines
		pci-liveupdate-manifest 1 0\\n$A\\n|its header does not agree with its lines
		pci-liveupdate-manifest 1 1\\n$A|a line of it is not an address
		pci-liveupdate-manifest 1 1\\n$A\\n\\n|a line of it is not an address
		pci-liveupdate-manifest 1 1\\n01:00.0\\n|a line of it is not an address
		pci-liveupdate-manifest 1 1\\n$A \\n|a line of it is not an address
		pci-liveupdate-manifest 1 1\\n$A\\x00x\\n|a line of it is not an address
		pci-liveupdate-manifest 1 2\\n$A\\n$A\\n|an address is in it twice
	END

	{
		echo "pci-liveupdate-manifest 1 1"
		head -c 16M /dev/zero
	} >"$many"
	tree_incoming s "$A_TOKEN" <"$many"
	expect "manifest: too large" 0 "session s: 1 of 1 functions retrieved
session s: finished" \
		"the manifest is not used, it is larger than any session needs: $instead" \
		finish s

	manifest_abc "$C" | tree_incoming s "$A_TOKEN"
	LUO_MOCK_UNSEALED=1 expect "manifest: not sealed" 0 \
		"session s: 1 of 1 functions retrieved
session s: finished" "the manifest is not used, it is not a sealed memfd: $instead" \
		finish s
	manifest_abc "$C" | tree_incoming s "$A_TOKEN"
	LUO_MOCK_FAIL="retrieve ffffffffffffffff 12" \
		expect "manifest: not retrieved" 0 \
		"session s: 1 of 1 functions retrieved
session s: finished" "the manifest is not used, Cannot allocate memory: $instead" \
		finish s
	manifest_abc "$C" | tree_incoming s "$A_TOKEN" "$B_TOKEN"
	expect "manifest: names a function that is not in the session" 4 \
		"session s: 2 of 3 functions retrieved
session s: missing 0, failed 1, not bound 0
session s: finished" \
		"$C cannot be retrieved: No such file or directory: see the kernel log" \
		finish s

	rm "$ROOT/sys/kernel/debug/pci_liveupdate"
	tree_incoming s "$A_TOKEN" </dev/null
	run finish s
	ktap_result "manifest: none, and no list" [ "$RC" = 2 ]
	ktap_result "manifest: none, and that is said" grep -q \
		"no $ROOT/sys/kernel/debug/pci_liveupdate: " <<<"$ERR"
	rm -r "$ROOT/luo/incoming/s"
}

# The tool must exit with a status for any contents of the manifest.
test_manifest_fuzz() {
	local dir=$TMP/fuzz file failed=0

	mkdir "$dir"
	python3 - "$dir" "$A" "$B" "$C" <<-'END'
		import random
		import sys

		random.seed(1)
		lines = ["pci-liveupdate-manifest 1 3"] + sys.argv[2:]
		text = "".join(line + "\n" for line in lines).encode()
		for i in range(100):
		    data = bytearray(text)
		    for _ in range(random.randint(1, 3)):
		        at = random.randrange(len(data))
		        byte = random.choice(b"\0\n 0123f:.\xff")
		        how = random.randrange(3)
		        data[at:at + (how > 0)] = [byte] * (how < 2)
		    with open(f"{sys.argv[1]}/{i:03}", "wb") as file:
		        file.write(data)
	END
	tree_records <<<"# side address vendor:device kind state"
	for file in "$dir"/*; do
		tree_incoming s "$A_TOKEN" "$B_TOKEN" "$C_TOKEN" <"$file"
		run finish s
		if [[ ! $RC =~ ^[034]$ ]]; then
			ktap_diag "status $RC: $(od -An -c "$file")"
			ktap_diag "$ERR"
			failed=$((failed + 1))
		fi
		rm -rf "$ROOT/luo/incoming/s"
	done
	ktap_result "manifest: 100 damaged ones" [ "$failed" = 0 ]
}

# All functions of a segment, with a low limit on file descriptors.
test_scale() {
	local nr=65536

	python3 - "$ROOT" "$nr" >"$TMP/addresses" <<-'END'
		import os
		import sys

		root = sys.argv[1]
		devices = f"{root}/sys/bus/pci/devices"
		os.symlink("0000:01:00.0", f"{devices}/any")
		for i in range(int(sys.argv[2])):
		    name = f"fff0:{i >> 8:02x}:{i >> 3 & 31:02x}.{i & 7}"
		    os.symlink("0000:01:00.0", f"{devices}/{name}")
		    os.symlink("0000:01:00.0", f"{root}/dev/pci-liveupdate/{name}")
		    print(name)
	END
	INPUT=$TMP/addresses
	LIMIT=300
	ulimit -Sn 32
	run -qb preserve big -
	INPUT=/dev/null
	ktap_result "scale: preserve $nr functions" [ "$RC$ERR" = 0 ]
	tree_kexec "$OUT"
	expect "scale: finish $nr functions" 0 \
		"session big: $nr of $nr functions retrieved
session big: finished" "" finish big
}
