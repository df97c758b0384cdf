# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Live updates of VFs and of their PF. A read on a VF is in flight during the kexec.

vfs_tests() {
	run vfs-7.2-to-7.3 vfs_test 7.2-base 7.3-base
	run_similar vfs-7.3-to-7.2 vfs_test 7.3-base 7.2-base
	run vfs-pf-preserved vfs_test 7.3-base 7.3-base owned=yes
	run vfs-removed vfs_test 7.3-base 7.3-base remove=yes
}

# vfs_test DIR FROM TO [WORD...]: half of the VFs are preserved. The PF could have
# two more VFs.
vfs_test() {
	local dir=$1 from=$2 to=$3
	shift 3

	live_update "$dir" "$from" "$to" 8 vfs --qemu=vfs_devices vfs=8 vfs_step=2 "$@" || return
	vf_registers_are_kept "$dir"
}

vfs_devices() {
	vm_nvme_pf 1 10
}
