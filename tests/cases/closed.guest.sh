# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# A session that is closed before the kexec takes its preservation back.

first() {
	local holder

	bind $(below_bridges)
	holder=$(preserve vm1 $(below_bridges))
	check_same "all functions are preserved" \
		"$(records outgoing function)" "$(below_bridges)"
	close_session "$holder"
	check_same "nothing is in the record any more" "$(records outgoing)" ""
	load_next
	run_next
}

second() {
	check_same "nothing is preserved" "$(records incoming)" ""
}
