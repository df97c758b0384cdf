# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# A session is finished although no driver ever bound its function. The kernel stops
# the DMA of the function at once, since memory of the session is free then: other
# sessions may go on for long.

abandoned() {
	below_bridges | tail -n 1
}

others() {
	below_bridges | head -n -1
}

first() {
	enable_dma $(below_bridges)
	bind $(below_bridges)
	check "the others are preserved" preserve vm1 $(others)
	check "one is preserved in a session of its own" \
		luo-file preserve vm2 "/dev/pci-liveupdate/$(abandoned)"
	load_next
	run_next
}

second() {
	local address

	catch_uevents
	bind $(others)
	check "the function that nobody bound can do DMA" can_do_dma $(abandoned)
	check "its session is finished" luo-file abandon vm2
	check "its DMA is stopped" not can_do_dma $(abandoned)
	check "the session of the others is finished" pci-liveupdate finish vm1
	check_same "nothing stays in the record" "$(records incoming)" ""

	for address in $(others); do
		check "that of $address is not" can_do_dma $address
	done
	check "the kernel warns of it" log_warns_of $(abandoned)
	check "user space gets a uevent" uevent abandoned $(abandoned)
	check_same "and none for the others" "$(grep -c ^abandoned /tmp/uevents)" 1
	check_same "which have another one" "$(grep -c ^finished /tmp/uevents)" \
		"$(count $(others))"
}

# catch_uevents: lines "EVENT ADDRESS" in /tmp/uevents.
catch_uevents() {
	: >/tmp/uevents
	cat >/tmp/uevent-helper <<-'END'
	#!/bin/sh
	[ ! "$PCI_LIVEUPDATE" ] ||
		echo "$PCI_LIVEUPDATE $PCI_SLOT_NAME" >>/tmp/uevents
	END
	chmod +x /tmp/uevent-helper
	echo /tmp/uevent-helper >/sys/kernel/uevent_helper
}

# uevent EVENT ADDRESS: whether it came. The kernel does not wait for the helper.
uevent() {
	local tries=20

	until grep -qx "$1 $2" /tmp/uevents; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		usleep 100000
	done
}

log_warns_of() {
	dmesg -r | grep "^<4>.*$1: liveupdate: has no user any more"
}
