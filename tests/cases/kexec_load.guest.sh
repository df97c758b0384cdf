# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# kexec_load() loads the next kernel, which gets no record. Nothing protects the
# memory that preserved functions write to, so the first kernel must stop their DMA.

first() {
	enable_dma $(below_bridges)
	bind $(below_bridges)
	check "all functions are preserved" preserve vm1 $(below_bridges)
	LOAD=-c load_next
	run_next
}

second() {
	local address

	check_same "there is no record" "$(records incoming)" ""
	for address in $(below_bridges); do
		check "$address can do no DMA" not can_do_dma $address
	done
}
