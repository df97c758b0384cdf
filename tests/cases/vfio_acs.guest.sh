# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# Functions in reset mode below ports with ACS: ports and IOMMU groups isolate them at
# each step of a live update as before.

# acs_of_ports: lines "ADDRESS CONTROL", one for each port with ACS.
acs_of_ports() {
	acs_of $(functions_of 1b36:000c 104c:8233)
}

# isolation: in one line.
isolation() {
	echo $(acs_of_ports | tr '\n' ',') $(iommu_groups | tr '\n' ',')
}

check_isolation() {
	check_same "isolation is the same after $1" "$(isolation)" "$ISOLATION"
}

first() {
	local all

	all=$(edus_below_bridges)
	bind_to vfio-pci $all
	check "the kernel enabled ACS" not [ "$(acs_of_ports | grep -v ' 0x00$')" = "" ]
	for address in $all; do
		check_same "$address has a group of its own" \
			"$(iommu_groups | grep -wF "$address")" "$address"
		echo reset >"$PCI/devices/$address/vfio_liveupdate"
	done
	say data isolation first "$(isolation)"
	load_next
	run_next_with vfio-user start-reset $all
}

# go_on ADDRESS...: vfio-user has a shell check the isolation at its steps.
go_on() {
	# shellcheck disable=SC2016 # the shell of vfio-user expands it
	AT_STEP='. /lib/guest.sh; . /scenarios/vfio_acs.sh; check_isolation $STEP' \
		vfio-user go-on-reset "$@" >&3 2>/tmp/err
	check_same "vfio-user ends" $? 0 || sed 's/^/data failed /' /tmp/err >&3
}

second() {
	local all port

	ISOLATION=$(isolation)
	export ISOLATION
	say data isolation second "$ISOLATION"
	all=$(edus_below_bridges)
	bind_to vfio-pci $all
	check_isolation "the driver is bound"
	go_on $all
	check_isolation "the files are closed"

	# The edu below the switch, and then the port above it, which has ACS. This fails
	# with ENOTTY after the reset: the port of QEMU does not set Data Link Layer Link
	# Active again.
	port=$(port_above "$(echo "$all" | tail -n 1)")
	for bridge in "$port" "$(port_above "$port")"; do
		echo 1 2>/dev/null >"$PCI/devices/$bridge/reset_subordinate"
		check_isolation "a reset of the bus below $bridge"
	done
}
