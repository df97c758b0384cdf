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
VFS=${VFS:-}
CLIENT=${CLIENT:-stub}

# Words on the command line of the guest for a client.
declare -A CLIENT_LINE=([stub]=''
	[vfio]='driver=vfio-pci pf_driver=pci-pf-stub vfio.enable_unsafe_noiommu_mode=1')

# Without VFS=, a PF with VFs of which half are preserved.
DEFAULT_VFS=32

usage() {
	cat <<-END
	Usage: make run [DEVICES=64] [VFS=N] [CLIENT=stub] [FROM=7.2] [TO=7.3] [ARCH=x86_64]

	  DEVICES  how many functions to preserve, 1 to $VM_MAX_DEVICES
	  VFS      how many VFs to preserve as well, 0 to $VM_MAX_VFS, by default half of $DEFAULT_VFS
	  CLIENT   the driver of the functions: stub, or vfio for vfio-pci
	  FROM     the kernel that is running: 7.2 or 7.3
	  TO       the kernel that takes over: 7.2 or 7.3
	  ARCH     the machine: x86_64, or arm64 with 4 KiB pages
	END
}

# build_next: fetch and configure the next kernel while the first is built. A step that is
# shown meanwhile has its line on the terminal.
build_next() {
	local clear=''

	[[ ! -t 2 ]] || clear=$'\r\e[K'
	"$ROOT/scripts/build-kernel.sh" "$TO" base 2>&1 >/dev/null </dev/null |
		sed -u -e '/^ *waiting for another run/d' -e "s/^/$clear/" >&2
}

main() {
	local dir kernel next building='' initrd vfs=${VFS:-$DEFAULT_VFS} vfs_step=1
	local -a devices

	init "$@"
	if [[ ! $DEVICES =~ ^[1-9][0-9]*$ ]] || ((DEVICES > VM_MAX_DEVICES)); then
		die "DEVICES=$DEVICES is not a number from 1 to $VM_MAX_DEVICES"
	fi
	if [[ ! $vfs =~ ^(0|[1-9][0-9]*)$ ]] || ((vfs > VM_MAX_VFS)); then
		die "VFS=$VFS is not a number from 0 to $VM_MAX_VFS"
	fi
	[[ ${CLIENT_LINE[$CLIENT]+set} ]] || die "CLIENT=$CLIENT is not one of: stub, vfio"
	[[ $VFS ]] || vfs_step=2
	need_qemu

	if [[ $TO != "$FROM" ]]; then
		in_background build_next
		building=$!
	fi
	kernel=$("$ROOT/scripts/build-kernel.sh" "$FROM" base)
	[[ ! $building ]] || wait "$building" || die "kernel $TO was not built: see above"
	next=$("$ROOT/scripts/build-kernel.sh" "$TO" base)
	initrd=$("$ROOT/tests/vm/build-guest.sh" "$next")
	dir=$CACHE/run/$FROM-$TO-$DEVICES${VFS:+-$VFS}
	[[ $CLIENT == stub ]] || dir+=-$CLIENT
	[[ $ARCH == x86_64 ]] || dir+=-$ARCH
	lock "run-${dir##*/}"

	mapfile -t devices < <(vm_hierarchy "$DEVICES"; vm_nvme_pfs "$vfs")
	# Starting QEMU takes a time that grows with the square of the devices, and so
	# does each change of the address space that a VF makes.
	step "live update from $FROM to $TO" \
		vm_boot "$dir" "$kernel" "$next" "$initrd" $((120 + DEVICES / 2 + 2 * vfs)) \
		"liveupdate=on scenario=update vfs_step=$vfs_step ${CLIENT_LINE[$CLIENT]}" "${devices[@]}"
	"$ROOT/tests/vm/report.sh" "$dir" "$DEVICES" $((vfs / vfs_step))
}

main "$@"
