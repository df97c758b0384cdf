# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Functions behind an IOMMU: ACS, groups and ATS.

iommu_tests() {
	run update-acs live_update 7.3-base 7.3-base 1 acs --qemu=acs_devices \
		intel_iommu=on iommu=pt
	run update-iommu-groups live_update 7.3-base 7.3-base 1 groups --qemu=groups_devices \
		intel_iommu=on iommu=pt
	run_similar refused-ats first_kernel 7.3-base 7.3-base 1 refused_ats \
		--qemu=ats_devices intel_iommu=on
}

# A switch whose downstream port has ACS. The downstream ports of QEMU have none, so
# use a root port.
acs_devices() {
	vm_device intel-iommu
	vm_root_port rp10 10
	vm_device x3130-upstream,id=switch10,bus=rp10 \
		pcie-root-port,id=port10,bus=switch10,addr=1.0,chassis=18,slot=18 \
		edu,bus=port10
}

# Next to the function of the hierarchy, one below another root port.
groups_devices() {
	vm_device intel-iommu
	vm_root_port rp10 10
	vm_device edu,bus=rp10
}

# A function with ATS behind an IOMMU that supports it.
ats_devices() {
	vm_device intel-iommu,device-iotlb=on
	vm_root_port rp10 10
	vm_device virtio-net-pci,ats=on,disable-legacy=on,iommu_platform=on,romfile=,bus=rp10
}
