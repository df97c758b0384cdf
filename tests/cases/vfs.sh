# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Live updates of VFs and of their PF. A read on a VF is in flight during the kexec.

vfs_tests() {
	run vfs-7.2-to-7.3 vfs_test 7.2-base 7.3-base one_pf vfs=8
	run_similar vfs-7.3-to-7.2 vfs_test 7.3-base 7.2-base one_pf vfs=8
	run vfs-pf-preserved vfs_test 7.3-base 7.3-base one_pf vfs=8 owned=yes
	run vfs-removed vfs_test 7.3-base 7.3-base one_pf vfs=8 remove=yes
	run vfs-two-pfs vfs_test 7.3-base 7.3-base two_pfs vfs=3
	run_similar vfs-without-sriov without_sriov_test 7.3-base 7.3-next
	run vfs-igb igb_test 7.3-base 7.3-base
}

# nvme_pf_test DIR FROM TO: the kernels have the nvme driver.
nvme_pf_test() {
	live_update "$1" "$2" "$3" 1 vfs_nvme_pf --qemu=one_pf --nvme-driver vfs=8 vfs_step=2 ||
		return
	is_kept "$1" registers
}

# nvme_reboot_test DIR FROM TO: the PF is the only controller that a driver has.
nvme_reboot_test() {
	first_kernel "$1" "$2" "$3" 1 vfs_nvme_reboot --qemu=one_pf --nvme-driver \
		--trace=pci_nvme_mmio_shutdown_set vfs=8 vfs_step=2 || return
	grep -q shutdown_set "$1/trace" && return
	echo "the controller of the PF was not shut down"
	return 1
}

# vfs_test DIR FROM TO DEVICES [WORD...]: half of the VFs are preserved.
vfs_test() {
	local dir=$1 from=$2 to=$3 devices=$4
	shift 4

	live_update "$dir" "$from" "$to" 8 vfs "--qemu=$devices" vfs_step=2 "$@" || return
	is_kept "$dir" registers || return
	is_kept "$dir" attributes
}

# without_sriov_test DIR FROM TO: the second kernel has no SR-IOV, and stops.
without_sriov_test() {
	boot_kernels "$1" "$2" "$3" 8 vfs --qemu=one_pf vfs=8 || return
	guest_passed "$1" first || return
	console_has "$1/console" 'cannot use the record of preserved devices: features is 0x1, expected no bits but those of 0x0; continuing would let their DMA corrupt memory; reset the host, and update to a kernel that knows such a record'
}

# igb_test DIR FROM TO: VFs of an igb, with queues in memory that no kernel uses. QEMU
# prints the options of a device that it has.
igb_test() {
	if [[ ! $("$QEMU" -device igb,help 2>/dev/null) ]]; then
		skip "$QEMU has no device igb: set QEMU= to version 8.0 or newer"
		return
	fi
	vfs_test "$@" igb_pf device=igb vfs=7 remove=yes "memmap=1M\$0x20000000"
}

# It could have two more VFs.
one_pf() {
	vm_nvme_pf 1 10
}

# It could have one more VF.
igb_pf() {
	vm_root_port rp1.pf 14 mem-reserve=4M
	vm_device igb,id=pf1,bus=rp1.pf
}

# One device with two PFs. A VF of QEMU's nvme is at the function after its PF or the
# last VF, so VFs of two PFs cannot interleave. Below a port with ARI the second PF would
# not be found. QEMU 10.0.2 takes the lower 32 bits for the address of a VF's BAR, so let
# there be no window above 4 GB.
two_pfs() {
	printf '%s\n' -global q35-pcihost.pci-hole64-size=0
	vm_nvme_sriov pf1 pcie.0 1b.0 3
	vm_nvme_sriov pf2 pcie.0 1b.4 3
}
