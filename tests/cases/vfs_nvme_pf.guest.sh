# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# The same live update of VFs with a driver on their PF that owns queues of its own: the
# nvme driver binds by itself, enables VFs and brings their controllers online. At the
# kexec it leaves its controller enabled, or the controllers of the VFs would stop. It
# binds again in the next kernel, but not while the PF has VFs.

# shellcheck source=tests/cases/vfs.guest.sh
. /scenarios/vfs.sh

# The driver of the PF enables VFs, and half of them are preserved with a read in flight.
preserve_vfs_of_driver() {
	local pf

	pf=$(pfs)
	check_same "the nvme driver binds to the PF" "$(driver_of $pf)" nvme
	check "the driver answers commands" nvme-vf identify $pf
	bind $(functions)
	# Or the driver binds to the VFs too.
	echo 0 >"$PCI/devices/$pf/sriov_drivers_autoprobe"
	check "the driver enables VFs and brings them online" enable_vfs $pf
	bind $(kept_vfs)
	start_kept_vfs
	preserve_all
	check_record outgoing
	check_numvfs_is_busy "while VFs are preserved"
	check "the driver answers commands still" nvme-vf identify $pf
}

first() {
	preserve_vfs_of_driver
	load_next
	run_next
}

check_not_bound() {
	check_same "the nvme driver does not bind to the PF $1" "$(bound $(pfs))" 0
}

# check_driver PF: VFs can be disabled through another driver, and then the nvme driver
# takes the PF.
check_driver() {
	unbind $1
	echo "$1" >"$PCI/drivers_probe"
	check_not_bound "while guests use VFs"
	bind_to pci-pf-stub $1
	echo 0 >"$(numvfs $1)"
	check_same "VFs can be disabled in the end" "$(vfs_of $1)" ""
	unbind $1
	echo "$1" >"$PCI/drivers_probe"
	check_same "the nvme driver binds to a PF without VFs" "$(driver_of $1)" nvme
	check "the driver answers commands again" nvme-vf identify $1
	check "VFs can be enabled again" enable_vfs $1
}

second() {
	local pf kept

	pf=$(pfs)
	kept=$(kept_vfs)
	say_records incoming
	check_record incoming
	check_same "every device of the record is present" "$(absent)" 0
	check_links
	check_not_bound "at boot"
	check_same "no driver binds to a VF" "$(bound $(vfs_of $pf))" 0
	check_same "preserved VFs can do DMA" "$(bus_masters $kept)" "$kept"
	check_same "the PF cannot" "$(bus_masters $pf)" ""

	say_vf_registers second
	check_vf_io
	bind_to pci-pf-stub $pf
	bind $kept $(functions)
	finish_all
	check_vf_again "finished VF"
	check_driver $pf
}
