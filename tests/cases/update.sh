# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Live updates between kernels, and the life of a session across them.

update_tests() {
	run update-7.2-to-7.3 live_update 7.2-base 7.3-base 64 update
	run_similar update-7.3-to-7.3 live_update 7.3-base 7.3-base 64 update
	run update-7.3-to-7.2 live_update 7.3-base 7.2-base 64 update
	run_similar update-one-function live_update 7.3-base 7.3-base 1 update
	run update-two-segments live_update 7.3-base 7.3-base 24 update \
		pci_liveupdate_hosts=1,24 segments=2
	run_similar update-next-version live_update 7.3-next 7.3-base 8 update \
		"version=$(($(record_version) + 1))"
	run_similar update-from-next-version live_update 7.3-base 7.3-next 8 update \
		"version=$(record_version)"
	run update-nothing-preserved live_update 7.2-base 7.3-base 8 nothing
	run update-session-closed live_update 7.3-base 7.3-base 8 closed
	run update-removed live_update 7.3-base 7.3-base 8 removed
	run update-pick-up-session live_update 7.3-base 7.3-base 8 pick_up
	run update-luo-off live_update 7.3-base 7.3-base 8 luo_off
	run update-binding live_update 7.3-base 7.3-base 8 binding
	run_similar update-luo-off-nothing live_update 7.3-base 7.3-base 8 luo_off_nothing
	run update-kexec-load kexec_load_test
	run update-abandoned abandoned_test
	run update-unfinished unfinished_test
	run update-aborted live_update 7.3-base 7.3-base 17 aborted --qemu=one_pf vfs=4 --seconds=600 \
		vfio.enable_unsafe_noiommu_mode=1 "seed=$(seed)"
	run update-crashes live_update 7.3-base 7.3-base 24 crashes --qemu=one_pf vfs=4 --seconds=400 \
		vfio.enable_unsafe_noiommu_mode=1 "seed=$(seed)"
	run update-preserve-incoming live_update 7.3-base 7.3-base 2 preserve_incoming
	run update-freeze live_update 7.3-base 7.3-base 8 freeze --qemu=aer_devices
	run update-suspend live_update 7.3-base 7.3-base 2 suspend
	run_similar luo-selftests luo_selftests
}

# seed: of the random moments in a guest, which says it. SEED= sets it.
seed() {
	echo "${SEED:-$((RANDOM + 1))}"
}

# record_version: the version of the record that the kernels write.
record_version() {
	awk '$2 == "PCI_SER_VERSION" { print $3 }' "$ROOT/include/linux/kho/abi/pci.h"
}

# kexec_load_test DIR: the first kernel explains why it clears bus mastering.
kexec_load_test() {
	live_update "$1" 7.3-base 7.3-base 8 kexec_load || return
	console_has "$1/console" 'liveupdate: .*takes no record'
}

# abandoned_test DIR: the third kernel gets a function that the second one has abandoned.
abandoned_test() {
	boot_kernels "$1" 7.3-base 7.3-base 24 abandoned --qemu=one_pf --seconds=400 vfs=4 \
		vfio.enable_unsafe_noiommu_mode=1 || return
	guest_passed "$1" third || return
	console_is_clean "$1/console"
}

# unfinished_test DIR: the second kernel says which functions it stops.
unfinished_test() {
	boot_kernels "$1" 7.3-base 7.3-base 16 unfinished --qemu=one_pf --seconds=200 vfs=4 \
		vfio.enable_unsafe_noiommu_mode=1 || return
	guest_passed "$1" third || return
	console_is_clean "$1/console" || return
	console_has "$1/console" 'was preserved, but is not finished'
}

luo_selftests() {
	TO=7.3 "$ROOT/tests/luo-selftests.sh" "$1"
}
