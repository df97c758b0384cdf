# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2046 # lists of addresses are meant to be split
#
# The next kernel is booted without live update, after the last session was closed.

first() {
	local holder

	bind $(below_bridges)
	holder=$(preserve vm1 $(below_bridges))
	close_session "$holder"
	check_same "nothing is in the record any more" "$(records outgoing)" ""
	load_next liveupdate=off
	run_next
}

second() {
	check "the kernel does not warn of devices" not log_has unprotected
	check "nor of anything else at the highest level" not emergency
}

emergency() {
	dmesg -r | grep '^<0>'
}
