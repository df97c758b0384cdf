# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2153
#
# Test the command line: options, addresses, names.

test_usage() {
	local see="see pci-liveupdate --help" word

	expect "usage: no command" 1 "" "no command: $see"
	expect "usage: unknown command" 1 "" "unknown command x: $see" x
	expect "usage: unknown option" 1 "" "unknown option -x: $see" -x list
	expect "usage: missing argument of an option" 1 "" \
		"no argument for --wait: $see" finish s --wait
	expect "usage: missing argument" 1 "" \
		"arguments are missing for preserve: $see" preserve s
	expect "usage: too many arguments" 1 "" \
		"too many arguments for list: $see" list x
	expect "usage: --background" 1 "" "--background is not for list: $see" \
		-b list
	expect "usage: --force" 1 "" "--force is not for list: $see" -f list
	expect "usage: --wait" 1 "" "--wait is not for list: $see" -w 1 list
	for word in "" 1x -1 99999999999; do
		expect "usage: --wait '$word'" 1 "" \
			"--wait needs a number of seconds, not $word: $see" \
			--wait "$word" finish s
	done
	expect "usage: --quiet and --verbose" 1 "" \
		"--quiet contradicts --verbose: $see" -qv list
	expect "usage: --root" 2 "" "/nonexistent: No such file or directory" \
		--root /nonexistent list
	expect_json "usage: JSON" "1 unknown command \"\\: $see" \
		'd["status"], d["messages"][0]' "\"\\"
	expect "version" 0 "pci-liveupdate 1.0" "" --version
}

# The help must have each command with an example, each option and each status.
test_help() {
	local word

	run --help
	ktap_result "help: status" [ "$RC" = 0 ]
	for word in "pci-liveupdate -b preserve " "pci-liveupdate list" \
		"pci-liveupdate -v retrieve " "pci-liveupdate finish " \
		"pci-liveupdate abandon " ADDRESS/vfs --force --background --fd --session-fd --wait --json --quiet --verbose --root --help \
		--version "  0  " "  1  " "  2  " "  3  " "  4  "; do
		ktap_result "help: '$word'" grep -q -e "$word" <<<"$OUT"
	done
	ktap_result "help: 80 columns" [ -z "$(grep -E '.{81}' <<<"$OUT")" ]
}

# A valid address of a missing function gets past the parser to another error.
test_addresses() {
	local good bad reason
	local like="is not an address like 0000:01:00.0"
	local absent="does not exist: lspci -D lists existing functions"

	while read -r good; do
		expect "address: $good" 2 "" "${good#* } $absent" \
			preserve s "${good% *}"
	done <<-END
		05:00.0 0000:05:00.0
		05:1f.7 0000:05:1f.7
		ff:00.0 0000:ff:00.0
		0000:05:00.0 0000:05:00.0
		0000:AB:0C.1 0000:ab:0c.1
		abcd:05:00.0 abcd:05:00.0
		10000:e1:00.0 10000:e1:00.0
		00010000:e1:00.0 10000:e1:00.0
		FFFFFFFF:FF:1F.7 ffffffff:ff:1f.7
	END

	while IFS='|' read -r bad reason; do
		expect "address: '$bad'" 1 "" "'$bad' $like: $reason" \
			preserve s "$bad"
	done <<-END
		|the bus is not 2 hex digits
		5:00.0|the bus is not 2 hex digits
		100:00.0|the bus is not 2 hex digits
		0x5:00.0|the bus is not 2 hex digits
		 05:00.0|the bus is not 2 hex digits
		0000:100:00.0|the bus is not 2 hex digits
		05|the bus is not 2 hex digits
		05:|the device is not 2 hex digits
		05:0.0|the device is not 2 hex digits
		05:00|the device is not 2 hex digits
		05:00:0|the domain is not 4 to 8 hex digits
		05:20.0|the device is above 1f
		05:ff.0|the device is above 1f
		05:00.8|the function is above 7
		05:00.f|the function is above 7
		05:00.|the function is not 1 digit
		05:00.10|the function is not 1 digit
		05:00.0x|the function is not 1 digit
		05:00.g|the function is not 1 digit
		000:05:00.0|the domain is not 4 to 8 hex digits
		100000000:05:00.0|the domain is not 4 to 8 hex digits
		g000:05:00.0|the domain is not 4 to 8 hex digits
		:05:00.0|the domain is not 4 to 8 hex digits
		0:0000:05:00.0|the domain is not 4 to 8 hex digits
		/vfs|the bus is not 2 hex digits
		05:00/vfs|the device is not 2 hex digits
		05:00.0vfs|the function is not 1 digit
		05:00.0/|only /vfs may follow an address
		05:00.0/vf|only /vfs may follow an address
		05:00.0/vfs/|only /vfs may follow an address
	END
	expect "address: nothing of it reaches the terminal" 1 "" \
		"'?[31m??' $like: the bus is not 2 hex digits" \
		preserve s $'\e[31m\xff\n'
	expect "address: twice" 1 "" "0000:05:00.0 is named twice" \
		preserve s 05:00.0 05:00.1 0000:05:00.0
}

test_stdin() {
	local absent="does not exist: lspci -D lists existing functions"

	INPUT=$TMP/input
	printf '05:00.0\n\n0000:05:00.1' >"$INPUT"
	expect "standard input" 2 "" "0000:04:00.0 $absent
pci-liveupdate: 0000:05:00.0 $absent
pci-liveupdate: 0000:05:00.1 $absent
pci-liveupdate: 0000:06:00.0 $absent" preserve s 04:00.0 - 06:00.0
	echo 05:00 >"$INPUT"
	expect "standard input: bad address" 1 "" \
		"'05:00' is not an address like 0000:01:00.0: the device is not 2 hex digits" \
		preserve s -
	printf '05:00.0\0\n' >"$INPUT"
	expect "standard input: NUL" 1 "" \
		"a line of the standard input has a NUL character" preserve s -
	INPUT=/dev/null
	expect "standard input: empty" 1 "" \
		"the standard input has no addresses" preserve s -
	INPUT=$TMP
	expect "standard input: unreadable" 2 "" \
		"standard input: Is a directory" preserve s -
	INPUT=/dev/null
}

test_names() {
	local longest
	local file="the name of the session"

	longest=$(printf '%063d' 0)
	expect "name: empty" 1 "" "$file is empty" finish ""
	expect "name: too long" 1 "" "$file has 64 characters, 63 is the most" \
		preserve "${longest}0" "$A"
	expect "name: longest" 3 "" \
		"session '$longest' not found: \
the previous kernel did not hand it over, or it is finished" \
		retrieve "$longest"
	expect "name: not printable" 1 "" \
		"$file 'a?b' has non-printable or non-ASCII characters" \
		finish $'a\nb'
}
