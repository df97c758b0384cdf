# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# KUnit and live updates on arm64, the other architecture with KHO. A device tree
# describes the machine, and no firmware has numbered buses and assigned resources.

arm64_tests() {
	run_similar arm64-kunit-7.3 on_arm64 kunit 7.3-base
	run_similar arm64-kunit-7.2 on_arm64 kunit 7.2-base
	run_similar arm64-kunit-64k on_arm64 kunit 7.3-64k
	run_similar arm64-update-7.2-to-7.3 on_arm64 live_update 7.2-base 7.3-base 64 update
	run_similar arm64-update-7.3-to-7.2 on_arm64 live_update 7.3-base 7.2-base 64 update
	run_similar arm64-update-64k on_arm64 live_update 7.3-64k 7.3-64k 64 update
	run_similar arm64-vfs on_arm64 vfs_test 7.2-base 7.3-base one_pf vfs=8
	run_similar arm64-vfs-7.3 on_arm64 vfs_test 7.3-base 7.3-base one_pf vfs=8
	run_similar arm64-soak on_arm64 soak_test 7.2-base 7.3-base 5 "$SOAK_SEED"
}

# on_arm64 DIR TEST [ARGUMENT...]: run TEST DIR ARGUMENT... with kernels, guest and
# machine of arm64. A QEMU= of the user is that of another machine.
on_arm64() {
	local dir=$1 test=$2
	shift 2

	if [[ $ARCH != arm64 ]]; then
		export ARCH=arm64
		unset CROSS_COMPILE
		# shellcheck disable=SC2034 # of tests/vm/vm.sh
		QEMU=${VM_QEMU[$ARCH]}
	fi
	need_qemu
	"$test" "$dir" "$@"
}
