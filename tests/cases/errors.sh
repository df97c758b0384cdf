# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Functions are lost before, while and after the kernel is replaced: links go down,
# cards are pulled, and AER reports errors.

errors_tests() {
	run errors-stub errors_test 7.3-base 7.3-base driver=pci-liveupdate-stub
	run errors-vfio errors_test 7.3-base 7.3-base driver=vfio-pci
	run errors-vfs errors_vfs_test 7.3-base 7.3-base
}

# Much happens in one machine, and on a busy host all of it takes long.
ERRORS_SECONDS=600

# errors_test DIR FROM TO WORD...
errors_test() {
	live_update "$1" "$2" "$3" 2 errors --qemu=errors_devices --trace=pci_cfg_write \
		"--seconds=$ERRORS_SECONDS" vfio.enable_unsafe_noiommu_mode=1 "${@:4}" || return
	is_not_written "$1"
}

# errors_vfs_test DIR FROM TO
errors_vfs_test() {
	live_update "$1" "$2" "$3" 2 errors --qemu=errors_vfs_devices --trace=pci_cfg_write \
		"--seconds=$ERRORS_SECONDS" driver=pci-liveupdate-stub vfs=2 || return
	is_kept "$1" registers || return
	is_not_written "$1"
}

# Functions that are lost, each below a port of its own. errors.guest.sh has the slots.
errors_devices() {
	local slot

	for slot in 8 9 10 11 12; do
		vm_root_port "rp$slot" "$slot"
		vm_device "nvme,serial=$slot,bus=rp$slot"
	done
	# A sibling reports errors.
	vm_root_port rp13 13
	vm_device virtio-net-pci,id=faulty,aer=on,disable-legacy=on,romfile=,bus=rp13,addr=0.0,multifunction=on \
		nvme,serial=13,bus=rp13,addr=0.1
	errors_bystanders
}

# Of three PFs the link of one goes down, and one is pulled.
errors_vfs_devices() {
	vm_nvme_pf 1 2
	vm_nvme_pf 2 2
	vm_nvme_pf 3 2
	errors_bystanders
}

# Functions that are reset meanwhile. And let pciehp handle slots, not ACPI.
errors_bystanders() {
	local slot

	printf '%s\n' -global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off
	for slot in 17 18 19; do
		vm_root_port "rp$slot" "$slot"
		vm_device "pvpanic-pci,bus=rp$slot"
	done
}
