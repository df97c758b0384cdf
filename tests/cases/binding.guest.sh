# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# The next kernel has a driver that takes each edu by itself, and that does not know
# of live updates. It binds to a preserved edu only if user space names it.

drivers_of() {
	for address; do
		driver_of "$address"
	done
}

pvpanics_below_bridges() {
	functions_below_bridges $PVPANIC
}

first() {
	local all

	all=$(below_bridges)
	bind $all
	check "the functions are preserved" preserve vm1 $all
	load_next liveupdate=on pci-stub.ids=1234:11e8
	run_next
}

second() {
	local all edu

	all=$(below_bridges)
	edu=$(edus_below_bridges | head -n 1)
	check_same "an edu that is not preserved has its driver" \
		"$(drivers_of $(functions_on_root_buses $EDU))" pci-stub
	check_same "no preserved function is bound" "$(bound $all)" 0
	echo "$edu" >"$PCI/drivers_probe"
	check_same "nor is it after another probe" "$(bound $all)" 0

	echo pci-stub >"$PCI/devices/$edu/driver_override"
	echo "$edu" >"$PCI/drivers_probe"
	check_same "user space can name any driver" "$(driver_of "$edu")" pci-stub
	unbind "$edu"
	echo "$edu" >"$PCI/drivers_probe"
	check_same "and take the name back" "$(bound "$edu")" 0

	echo 1b36 0011 >"$PCI/drivers/$STUB/new_id"
	check_same "a driver that knows of live updates binds by itself" \
		"$(drivers_of $(pvpanics_below_bridges) | sort -u)" "$STUB"
	bind $all
	check_same "all functions have the stub driver" \
		"$(drivers_of $all | sort -u)" "$STUB"
	check "the session is finished" pci-liveupdate finish vm1

	unbind "$edu"
	echo "$edu" >"$PCI/drivers_probe"
	check_same "any driver binds to a finished function" "$(driver_of "$edu")" pci-stub
}
