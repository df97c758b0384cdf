#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Boot what the tests boot, with a shell on the console.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source=tests/vm.sh
. "$ROOT/tests/vm.sh"

main() {
	local kernel next initrd

	init "$@"
	need_qemu
	kernel=$("$ROOT/scripts/build-kernel.sh" "$FROM" base)
	next=$("$ROOT/scripts/build-kernel.sh" "$TO" base)
	initrd=$("$ROOT/tests/build-guest.sh" "$next")
	vm_hierarchy "${DEVICES:-64}"
	info "Ctrl-A X ends the machine"
	exec "$QEMU" -machine q35 -accel tcg -cpu max -smp 2 -m "$MEMORY" \
		-nographic -nodefaults -no-reboot -serial mon:stdio -serial null \
		-kernel "$kernel" -initrd "$initrd" "${VM_DEVICES[@]}" \
		-append "console=ttyS0 panic=-1 retain_initrd liveupdate=on scenario=shell"
}

main "$@"
