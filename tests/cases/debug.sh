# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# KUnit with lockdep, KASAN and UBSAN, and live updates with kmemleak as well. The kernel of these tests
# is the last that is built. DEBUG=1 runs other tests with it.

debug_tests() {
	run debug-kunit kunit 7.3-debug 'pci_liveupdate_in*'
	run_similar debug-update live_update 7.3-debug 7.3-debug 16 update
	run_similar vfs-debug vfs_test 7.3-debug 7.3-debug one_pf vfs=8
	run_similar vfio-module module_test 7.3-debug 7.3-debug
	run_similar vfs-nvme-pf nvme_pf_test 7.3-debug 7.3-debug
	run_similar vfs-nvme-reboot nvme_reboot_test 7.3-debug 7.3-debug
	run_similar fault-sweep fault_test 7.3-debug 7.3-debug
	run_similar race-debug race_test 7.3-debug 7.3-debug
	run_similar race-kcsan kcsan_test 7.3-kcsan 7.3-kcsan
	run_similar debug-kunit-vfs kunit 7.3-debug 'pci_liveupdate_sriov*'
	run_similar debug-kunit-all kunit 7.3-debug
}

# fault_test DIR FROM TO: page_owner counts the pages that KHO preserves.
fault_test() {
	live_update "$1" "$2" "$3" 16 faults --qemu=fault_devices --seconds=450 page_owner=on \
		vfio.enable_unsafe_noiommu_mode=1 pci_liveupdate_hosts=1,2
}

fault_devices() {
	vm_nvme_pf 1 16
}

# race DIR FROM TO [OPTION...]: SEED= repeats the calls of an earlier run, RACE_SECONDS= is
# the time in each kernel.
race() {
	local seed=${SEED:-$RANDOM}

	echo "repeat with SEED=$seed"
	boot_kernels "$1" "$2" "$3" 16 race --qemu=race_devices "${@:4}" \
		vfio.enable_unsafe_noiommu_mode=1 pci_liveupdate_hosts=1,8 vfs=4 \
		"seed=$seed" "seconds=${RACE_SECONDS:-25}" || return
	guest_passed "$1" second
}

race_devices() {
	vm_nvme_pf 1 4
	printf '%s\n' -smp 4
}

# race_test DIR FROM TO
race_test() {
	race "$@" || return
	console_is_clean "$1/console"
}

# kcsan_test DIR FROM TO
kcsan_test() {
	local image

	race "$@" || return
	image=$(build_kernel "$3") || return
	"$ROOT/tests/cases/kcsan.py" "$1/console" "${image%/arch/*}" "$1/rest" || return
	console_is_clean "$1/rest"
}
