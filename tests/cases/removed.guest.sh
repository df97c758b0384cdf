# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# Functions are removed while they are preserved, on both sides.

first() {
	local all gone holder

	all=$(below_bridges)
	gone=$(echo "$all" | head -n 1)
	bind $all
	check "the others are preserved" preserve vm1 $(echo "$all" | tail -n +2)
	holder=$(preserve vm2 $gone)
	echo 1 >"$PCI/devices/$gone/remove"
	check "what is removed is dropped from the record" \
		not grep -q "^outgoing $gone " "$RECORD"
	close_session "$holder"
	load_next
	run_next
}

second() {
	local all gone back

	all=$(below_bridges)
	gone=$(echo "$all" | head -n 1)
	back=$(echo "$all" | tail -n 1)
	check "what was removed is not preserved" \
		not grep -q "^incoming $gone " "$RECORD"
	check_same "nothing is waited for" "$(absent)" 0

	echo 1 >"$PCI/devices/$back/remove"
	check "what is removed now stays in the record" \
		grep -q "^incoming $back .* absent" "$RECORD"
	echo 1 >"$PCI/rescan"
	check "and is adopted when it is found again" \
		grep -q "^incoming $back .* present" "$RECORD"

	bind $all
	check "the session is finished" pci-liveupdate finish vm1
	check_same "nothing stays in the record" "$(records incoming)" ""
}
