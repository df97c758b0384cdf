# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Functions of vfio-pci whose DMA an IOMMU translates.

vfio_iommu_tests() {
	run vfio-off first_kernel 7.3-base 7.3-base 1 vfio_off --qemu=translated_devices \
		"${IOMMU_ON[@]}"
	run vfio-reset reset_mode_test 7.3-base 7.3-base
	run_similar vfio-reset-7.2-to-7.3 reset_mode_test 7.2-base 7.3-base
	run vfio-acs vfio_acs_test 7.3-base 7.3-base
	run vfio-translated live_update 7.3-base 7.3-base 1 vfio_translated \
		--qemu=translated_devices intel_iommu=off vfio.enable_unsafe_noiommu_mode=1 \
		iommufd.allow_unsafe_interrupts=1
	run_similar vfio-selftests vfio_selftests_test 7.3
}

# The test kernels have no interrupt remapping.
IOMMU_ON=(intel_iommu=on iommufd.allow_unsafe_interrupts=1)

translated_devices() {
	vm_device intel-iommu
	vm_root_port rp10 10
	vm_held_drive pf1.drive
	vm_device nvme,id=pf1,serial=pf1,bus=rp10 nvme-ns,drive=pf1.drive,bus=pf1,nsid=1
}

# reset_mode_test DIR FROM TO: three kernels, the last two are TO.
reset_mode_test() {
	boot_kernels "$1" "$2" "$3" 1 vfio_reset --qemu=translated_devices --trace=pci_cfg_write \
		"${IOMMU_ON[@]}" || return
	guest_passed "$1" third || return
	console_is_clean "$1/console" || return
	"$ROOT/tests/cases/reset_mode.py" "$1"
}

# vfio_acs_test DIR FROM TO
vfio_acs_test() {
	live_update "$1" "$2" "$3" 1 vfio_acs --qemu=acs_devices "${IOMMU_ON[@]}" || return
	is_kept "$1" isolation
}

# build_vfio_selftests TREE WORK: the tree stays as it is. The C library may come with
# older headers of these subsystems, which must not be found first.
build_vfio_selftests() {
	local tree=$1 work=$2

	mkdir -p "$work/include/linux"
	cp -u -- "$tree"/include/uapi/linux/{idxd,iommufd,vfio}.h "$work/include/linux"
	LDFLAGS=-static kmake -s -C "$tree/tools/testing/selftests/vfio" OUTPUT="$work" \
		KHDR_INCLUDES="-isystem $work/include -idirafter $tree/include/uapi -D__user= '-D__counted_by(x)='" \
		all
}

# vfio_selftests_test DIR VERSION: those of the kernel's own tree.
vfio_selftests_test() {
	local dir=$1 version=$2 tree work program
	local -a files=()

	need_tools uuid-dev:uuid/uuid.h
	tree=$("$ROOT/scripts/make-tree.sh" "$version") || return
	work=$HOST_BUILD/vfio-selftests-$version
	mkdir -p "$work"
	step "selftests of VFIO" build_vfio_selftests "$tree" "$work"
	for program in "$work"/vfio_*_test; do
		files+=("--file=$program:/bin/${program##*/}:755")
	done
	first_kernel "$dir" "$version-base" "$version-base" 1 vfio_selftests \
		--qemu=selftest_devices "${files[@]}" vfio_pci.enable_sriov=1 "${IOMMU_ON[@]}" ||
		return
	sed -n 's/^[^ ]* data selftest //p' "$dir/side"
}

selftest_devices() {
	translated_devices
	vm_nvme_pf 2 4
}
