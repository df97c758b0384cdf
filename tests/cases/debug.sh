# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# KUnit and live updates with lockdep, KASAN and kmemleak. The kernel of these tests is
# the last that is built.

debug_tests() {
	run debug-kunit kunit 7.3-debug 'pci_liveupdate_[fi]*'
	run_similar debug-update live_update 7.3-debug 7.3-debug 16 update
	run vfs-debug vfs_test 7.3-debug 7.3-debug one_pf vfs=8
	run vfio-module module_test 7.3-debug 7.3-debug
	run vfs-nvme-pf nvme_pf_test 7.3-debug 7.3-debug
	run_similar debug-kunit-vfs kunit 7.3-debug 'pci_liveupdate_sriov*'
	run_similar debug-kunit-all kunit 7.3-debug
}
