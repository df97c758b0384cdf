# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# The next kernel has a driver that takes each edu by itself, and is told to hold
# what is preserved for user space.

driver_of() {
	local link

	link=$(readlink "$PCI/devices/$1/driver") && echo "${link##*/}"
}

drivers_of() {
	for address; do
		driver_of "$address"
	done
}

first() {
	local all

	all=$(below_bridges)
	bind $all
	check "the functions are preserved" preserve vm1 $all
	load_next liveupdate=on pci_liveupdate=hold pci-stub.ids=1234:11e8
	run_next
}

second() {
	local all edu

	all=$(below_bridges)
	edu=$(edus_below_bridges | head -n 1)
	check_same "what was not preserved has its driver" \
		"$(drivers_of $(functions_of 1234:11e8 | grep '^0000:00:'))" pci-stub
	check_same "what is preserved is bound by nobody" "$(bound $all)" 0
	echo "$edu" >"$PCI/drivers_probe"
	check_same "nor is it when it is probed again" "$(bound $all)" 0

	bind $all
	check_same "user space names the driver" \
		"$(drivers_of $all | sort -u)" "$STUB"
	check "the session is finished" pci-liveupdate finish vm1

	echo "$edu" >"$PCI/devices/$edu/driver/unbind"
	echo >"$PCI/devices/$edu/driver_override"
	echo "$edu" >"$PCI/drivers_probe"
	check_same "what is finished is let go" "$(driver_of "$edu")" pci-stub
}
