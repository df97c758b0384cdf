# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The guard of configuration space, and kernels without the option.

touch_tests() {
	run guard-cost guard_cost_test
	run touch touch_test none
	run_similar touch-renumber touch_test renumber
	run_similar touch-move touch_test move
	run_similar touch-guard-only touch_test none 1
	run_similar touch-guard-only-move touch_test move 1
	run update-option-off live_update 7.3-base 7.3-off 8 option_off
}

# touch_test DIR RECIPE [GUARD-ONLY]: a live update, traced from outside the guest.
touch_test() {
	FROM=7.3 TO=7.3 RECIPE=$2 GUARD_ONLY=${3:-0} "$ROOT/tests/touch.sh" "$1"
}

# guard_cost_test DIR: instructions that the guard adds to a write to other devices.
guard_cost_test() {
	local without with

	need_tools binutils:objdump python3:python3
	without=$(build_kernel 7.3-off) || return
	with=$(build_kernel 7.3-base) || return
	python3 "$ROOT/tests/cases/guard_cost.py" "${without%/arch/*}/drivers/pci/access.o" \
		"${with%/arch/*}/drivers/pci/access.o"
}
