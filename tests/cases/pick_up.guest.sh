# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# A process that retrieves a session and dies before it could finish does not
# take the session with it.

first() {
	bind $(below_bridges)
	check "all functions are preserved" preserve vm1 $(below_bridges)
	load_next
	run_next
}

second() {
	local all last

	all=$(below_bridges)
	last=$(echo "$all" | tail -n 1)
	bind $(echo "$all" | grep -v "$last")
	check "a session with an unbound function does not finish" \
		not pci-liveupdate finish vm1
	pci-liveupdate finish --wait 60 vm1 >/tmp/finish 2>&1 &
	until grep -q waiting /tmp/finish; do
		usleep 10000
	done
	kill -9 $!
	wait
	check "the unbound function stays preserved" \
		grep -q "^incoming $last .* present" "$RECORD"
	bind "$last"
	check "the next process finishes it" pci-liveupdate finish vm1
	check_same "nothing stays in the record" "$(records incoming)" ""
}
