# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The kernel refuses to preserve some functions. That takes one kernel only.

refused_tests() {
	run_similar refused-7.2 first_kernel 7.2-base 7.2-base 8 refused --qemu=refused_devices
	run refused-7.3 first_kernel 7.3-base 7.3-base 8 refused --qemu=refused_devices
}

# A PF that can have two VFs.
refused_devices() {
	vm_nvme_pf 1 2
}
