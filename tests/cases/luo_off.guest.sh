# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# The next kernel is booted without live update.

first() {
	bind $(below_bridges)
	check "all functions are preserved" preserve vm1 $(below_bridges)
	load_next liveupdate=off "devices=$(records outgoing | wc -l)"
	run_next
}

second() {
	check "the kernel says that they are unprotected" \
		log_has "unprotected; boot with liveupdate=on"
	check "at the highest level" dmesg_emergency "unprotected"
	check "and how many there are" \
		dmesg_emergency "\<$(parameter devices) devices .*unprotected"
	check "there is no record to read" not [ -e "$RECORD" ]
	check "the tool says so" tool_explains
}

dmesg_emergency() {
	dmesg -r | grep "^<0>.*$1"
}

tool_explains() {
	! pci-liveupdate list 2>/tmp/err && grep -q 'liveupdate=on' /tmp/err
}
