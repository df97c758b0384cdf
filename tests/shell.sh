#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Boot the kernels and the guest of the tests, with a shell on the console.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source=tests/vm/vm.sh
. "$ROOT/tests/vm/vm.sh"
# shellcheck source=tests/vm/devices.sh
. "$ROOT/tests/vm/devices.sh"

main() {
	local kernel next initrd
	local -a devices

	init "$@"
	need_qemu
	kernel=$("$ROOT/scripts/build-kernel.sh" "$FROM" base)
	next=$("$ROOT/scripts/build-kernel.sh" "$TO" base)
	initrd=$("$ROOT/tests/vm/build-guest.sh" "$next")
	mapfile -t devices < <(vm_machine mon:stdio null; vm_hierarchy "${DEVICES:-64}")
	info "Ctrl-A X ends the machine"
	exec "$QEMU" -nographic -kernel "$kernel" -initrd "$initrd" "${devices[@]}" \
		-append "$(vm_line) liveupdate=on scenario=shell"
}

main "$@"
