#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Upgrade a running kernel while PCI functions stay preserved, and show it.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source=tests/vm/vm.sh
. "$ROOT/tests/vm/vm.sh"
# shellcheck source=tests/vm/devices.sh
. "$ROOT/tests/vm/devices.sh"

DEVICES=${DEVICES:-64}

usage() {
	cat <<-END
	Usage: make run [DEVICES=64] [FROM=7.2] [TO=7.3]

	  DEVICES  how many functions to preserve, 1 to $VM_MAX_DEVICES
	  FROM     the kernel that is running: 7.2 or 7.3
	  TO       the kernel that takes over: 7.2 or 7.3
	END
}

main() {
	local dir kernel next initrd
	local -a devices

	init "$@"
	if [[ ! $DEVICES =~ ^[1-9][0-9]*$ ]] || ((DEVICES > VM_MAX_DEVICES)); then
		die "DEVICES=$DEVICES is not a number from 1 to $VM_MAX_DEVICES"
	fi
	need_qemu

	kernel=$("$ROOT/scripts/build-kernel.sh" "$FROM" base)
	next=$("$ROOT/scripts/build-kernel.sh" "$TO" base)
	initrd=$("$ROOT/tests/vm/build-guest.sh" "$next")
	dir=$CACHE/run/$FROM-$TO-$DEVICES
	lock "run-${dir##*/}"

	mapfile -t devices < <(vm_hierarchy "$DEVICES")
	# Starting QEMU takes a time that grows with the square of the devices.
	step "live update from $FROM to $TO" \
		vm_boot "$dir" "$kernel" "$next" "$initrd" $((120 + DEVICES / 2)) \
		"liveupdate=on scenario=update" "${devices[@]}"
	"$ROOT/tests/vm/report.sh" "$dir" "$DEVICES"
}

main "$@"
