# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# The next kernel is built without PCI live update.

first() {
	bind $(below_bridges)
	check "all functions are preserved" preserve vm1 $(below_bridges)
	load_next
	run_next
}

second() {
	check "the kernel has no stub driver" not [ -e "$PCI/drivers/$STUB" ]
	check "there is no record to read" not [ -e "$RECORD" ]
	check_same "each function is there" "$(below_bridges | wc -l)" \
		"$(parameter functions)"
}
