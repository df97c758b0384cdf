# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# An edu writes to memory while the kernel is replaced. With preserve=no the
# memory is preserved, but not the edu, whose DMA is to stop then.

first() {
	local edu

	edu=$(edus_below_bridges | tail -n 1)
	echo 1 >"$PCI/devices/$edu/enable"
	config_write "$edu" 4 06 00
	if [ "$(parameter preserve yes)" = yes ]; then
		bind $edu
		check "the edu is preserved" preserve vm $edu
	fi
	load_next
	run_next_with_dma "$edu"
}

second() {
	local edu

	edu=$(edus_below_bridges | tail -n 1)
	edu-dma check >/tmp/dma 2>&1
	say "data dma $(cat /tmp/dma)"
	if [ "$(parameter preserve yes)" = yes ]; then
		check "what the edu wrote is in the memory" grep -qx "$edu arrived" /tmp/dma
		bind $(records incoming function)
		check "the session is finished" pci-liveupdate finish vm
	else
		check "what the edu wrote is not in the memory" \
			grep -qx "$edu did not arrive" /tmp/dma
	fi
}
