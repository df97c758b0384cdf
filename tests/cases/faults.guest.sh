# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# Each allocation of a live update fails once, in both kernels. Functions and VFs are
# bound to the stub, and to vfio-pci as a module. Controllers run meanwhile.

# The last function refuses to be frozen.
stubs() {
	functions_below_bridges $EDU
	nvmes_below_bridges | head -n -1
	functions_below_bridges $SOFTWARE
	vfs_of $(pfs) | awk 'NR % 2'
	functions_below_bridges $PVPANIC | tail -n 1
}

vfios() {
	nvmes_below_bridges | tail -n 1
	functions_below_bridges $PVPANIC | head -n 8
	vfs_of $(pfs) | awk 'NR % 2 == 0'
}

# name_drivers: let the program bind them.
name_drivers() {
	local address

	for address in $(stubs); do
		echo $STUB >"$PCI/devices/$address/driver_override"
	done
	for address in $(vfios); do
		echo vfio-pci >"$PCI/devices/$address/driver_override"
	done
}

# sweep COMMAND ADDRESS...: its checks are ours.
sweep() {
	AT_STEP=". /lib/guest.sh; . /scenarios/faults.sh; at_step" fault-sweep "$@" \
		>&3 2>/tmp/err
	check_same "fault-sweep $1 ends" $? 0
	sed 's/^/data failed /' /tmp/err >&3
}

# at_step: of the program.
at_step() {
	case $STEP in
	preserved)
		start_devices
		say "end first"
		say "phase kexec"
		;;
	*)
		check_devices $STEP
		;;
	esac
}

# controllers: those that run. VFs are bound to the two drivers in turn.
controllers() {
	nvmes_below_bridges
	vfs_of $(pfs) | head -n 2
}

start_devices() {
	local address

	for address in $(edus_below_bridges); do
		edu_write $address
	done
	for address in $(controllers); do
		check "controller $address comes up" nvme_start $address
	done
}

# check_devices WHEN: no function was disturbed.
check_devices() {
	local edus

	edus=$(edus_below_bridges)
	check_same "$1: each edu has its registers" "$(edus_that_hold none $edus)" \
		"$(count $edus)"
	for address in $(controllers); do
		check "$1: controller $address runs" nvme_runs $address
	done
}

first() {
	bind_to pci-pf-stub $(pfs)
	check "VFs are enabled" enable_vfs $(pfs)
	name_drivers
	for address in $(stubs) $(vfios); do
		echo $address >"$PCI/drivers_probe"
	done
	load_next
	sweep outgoing $(vfios) $(stubs)
	die "the next kernel runs"
}

second() {
	bind_to pci-pf-stub $(pfs)
	name_drivers
	check_devices "before it begins"
	sweep incoming $(vfios) $(stubs | head -n -1)
	check_same "nothing stays in the record" "$(records incoming)" ""
}
