# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The kernel refuses to preserve some functions. That takes one kernel only.

refused_tests() {
	run_similar refused-7.2 first_kernel 7.2-base 7.2-base 8 refused --qemu=sriov_devices
	run refused-7.3 first_kernel 7.3-base 7.3-base 8 refused --qemu=sriov_devices
}

# An nvme device with VFs.
sriov_devices() {
	vm_root_port rp10 10
	vm_device nvme-subsys,id=subsys \
		nvme,serial=1,subsys=subsys,sriov_max_vfs=2,sriov_vq_flexible=4,sriov_vi_flexible=2,max_ioqpairs=6,msix_qsize=5,bus=rp10
}
