# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# A kexec with live update on both sides, and no preserved function.

first() {
	bind $(below_bridges)
	check_same "nothing is in the record" "$(records outgoing)" ""
	load_next
	run_next
}

second() {
	check_same "nothing is preserved" "$(records incoming)" ""
	check "the kernel does not speak of it" not log_has "PCI: liveupdate"
}
