# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Functions of vfio-pci, which programs in user space drive.

vfio_tests() {
	run vfio-7.2-to-7.3 vfio_test 7.2-base 7.3-base
	run_similar vfio-7.3-to-7.2 vfio_test 7.3-base 7.2-base
	run vfio-pf vfio_test 7.3-base 7.3-base pf=vfio-pci vfio_pci.enable_sriov=1
	run_similar vfio-pf-unbound unbound_test 7.3-base 7.3-base
	run vfio-siblings siblings_test 7.3-base 7.3-base
	run vfio-owner-dies vfio_test 7.3-base 7.3-base owner=dies
	run vfio-tool live_update 7.3-base 7.3-base 17 vfio_tool \
		vfio.enable_unsafe_noiommu_mode=1
	run vfio-tool-reset live_update 7.3-base 7.3-base 1 vfio_tool mode=reset \
		--qemu=vfio_iommu intel_iommu=on iommufd.allow_unsafe_interrupts=1
	run vfio-damage live_update 7.3-base 7.3-base 64 vfio_damage \
		vfio.enable_unsafe_noiommu_mode=1
	run vfio-refused vfio_test 7.3-base 7.3-base owner=refused
}

# vfio_test DIR FROM TO [WORD...]
vfio_test() {
	live_update "$1" "$2" "$3" 8 vfio --qemu=vfio_devices --trace=pci_cfg_write vfs=4 vfs_step=2 \
		vfio.enable_unsafe_noiommu_mode=1 "${@:4}" || return
	is_not_written "$1"
}

# siblings_test DIR FROM TO
siblings_test() {
	live_update "$1" "$2" "$3" 1 vfio_siblings --qemu=sibling_devices --trace=pci_cfg_write \
		vfio.enable_unsafe_noiommu_mode=1 || return
	is_not_written "$1"
}

# unbound_test DIR FROM TO: the unbinding writes to configuration space.
unbound_test() {
	live_update "$1" "$2" "$3" 8 vfio --qemu=vfio_devices vfs=4 vfs_step=2 \
		vfio.enable_unsafe_noiommu_mode=1 pf=vfio-pci vfio_pci.enable_sriov=1 unbind=yes
}

# module_test DIR FROM TO: vfio-pci is a module of these kernels.
module_test() {
	vfio_test "$@" module=yes
}

vfio_iommu() {
	vm_device intel-iommu
}

vfio_devices() {
	vm_nvme_pf 1 4
}

# The bystander that vfio-user marks, and its marks.
MARK='00:1d.0 @0x3c <- '
MARK_PRESERVED=0x5a
MARK_FINISHED=0xa5

# is_not_written DIR: between the last marks of vfio-user, QEMU has traced no write to
# configuration space of the functions that the guest says it uses.
is_not_written() {
	local dir=$1 address users

	users=$(sed -n 's/^[^ ]* data users //p' "$dir/side")
	tac "$dir/trace" |
		sed -n "/$MARK$MARK_FINISHED\$/,/$MARK$MARK_PRESERVED\$/p" >"$dir/between"
	if [[ ! $users ]] || ! grep -q "$MARK$MARK_PRESERVED\$" "$dir/between"; then
		echo "no function is in use between the two marks in $dir/trace"
		return 1
	fi
	for address in $users; do
		! grep " ${address#*:} @" "$dir/between" || return
	done
}

# Functions of one device. Closing the last one resets all of them, unless they are
# preserved.
sibling_devices() {
	vm_root_port rp10 10
	vm_held_drive pf1.drive
	vm_device edu,bus=rp10,addr=0.0,multifunction=on \
		nvme,id=pf1,serial=pf1,bus=rp10,addr=0.1 nvme-ns,drive=pf1.drive,bus=pf1,nsid=1 \
		pvpanic-pci,bus=rp10,addr=0.2
}
