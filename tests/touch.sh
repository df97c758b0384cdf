#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run a live update under QEMU's traces of configuration space, with a stock
# kernel and with ours, and show the devices that were written to.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source=tests/vm/vm.sh
. "$ROOT/tests/vm/vm.sh"
# shellcheck source=tests/vm/devices.sh
. "$ROOT/tests/vm/devices.sh"
# shellcheck source=tests/vm/live-update.sh
. "$ROOT/tests/vm/live-update.sh"

RECIPE=${RECIPE:-none}
GUARD_ONLY=${GUARD_ONLY:-0}

# Refused writes that would have changed something.
EVENT=pci_liveupdate:pci_liveupdate_blocked

usage() {
	cat <<-END
	Usage: make touch [FROM=7.2] [TO=7.3] [RECIPE=none] [GUARD_ONLY=1]
	       ${0##*/} [FOLDER]

	FROM and TO are the kernels of the live update, 7.2 or 7.3 each. The stock
	side is a kexec of the same kernels without CONFIG_PCI_LIVEUPDATE. RECIPE is
	a mistake of the next kernel:
	  none      none: each kernel writes to its devices anyway
	  renumber  the next kernel gives bridges other bus numbers
	  move      the next kernel moves BARs and windows

	GUARD_ONLY=1 takes kernels that skip no write themselves, so that the guard of
	configuration space has to refuse all of them. FOLDER is for the logs.
	END
}

# Kernel parameters of the first and of the next kernel by recipe, and the register
# that a stock kernel then changes.
declare -A FIRST_LINE=([none]='' [renumber]='pci=assign-busses,hpbussize=4' [move]='')
declare -A NEXT_LINE=([none]='' [renumber]='pci=assign-busses'
	[move]='pci=realloc,resource_alignment=22@0000:00:03.0')
declare -A CHANGED=([none]='' [renumber]='Bus Numbers' [move]='Memory Window')

# vm_vga MODEL BUS SLOT: a VGA device without a ROM, which the BIOS would run.
vm_vga() {
	vm_device "$1,bus=$2,addr=$3.0,romfile="
}

# touch_hierarchy: functions below root ports, a switch and conventional bridges, and a
# PF with VFs. The test preserves the VGA device, but not the two cirrus-vga: one shares all bridges
# with it, and the other one none.
touch_hierarchy() {
	vm_device intel-iommu,device-iotlb=on
	vm_root_port rp2 2
	vm_device nvme,serial=1,bus=rp2
	vm_root_port rp3 3
	vm_switch switch rp3
	vm_device e1000e,bus=switch.1 edu,bus=switch.2
	vm_root_port rp4 4
	vm_conventional conventional rp4 1
	vm_device edu,bus=conventional,addr=1.0
	vm_vga VGA conventional 2
	vm_vga cirrus-vga conventional 3
	vm_root_port rp5 5
	printf '%s\n' -netdev hubport,id=net,hubid=0
	vm_device virtio-net-pci,bus=rp5,netdev=net,ats=on,disable-legacy=on,iommu_platform=on,romfile=
	vm_root_port rp6 6
	vm_vga cirrus-vga rp6 0
	vm_nvme_pf 1 3
	vm_device edu,bus=pcie.0,addr=1d.0
}

# traced DIR FROM-KERNEL TO-KERNEL LINE: the IOMMU translates in the next kernel
# only, whose driver then enables ATS: a device that does DMA through an IOMMU
# cannot be preserved.
traced() {
	local dir=$1 kernel=$2 next=$3 initrd
	local line="$4 intel_iommu=off ${FIRST_LINE[$RECIPE]} event=$EVENT next=${NEXT_LINE[$RECIPE]}"
	local -a devices

	initrd=$(build_guest "$next") || return
	mapfile -t devices < <(touch_hierarchy)
	mkdir -p "$dir"
	rm -f -- "$dir/trace"
	vm_boot "$dir" "$kernel" "$next" "$initrd" "$BOOT_SECONDS" "liveupdate=on scenario=touch vfs_step=2 $line" \
		"${devices[@]}" -D "$dir/trace" -trace pci_cfg_write -trace pci_cfg_read \
		-trace pci_update_mappings_del
	console_is_clean "$dir/console"
}

main() {
	local dir=${1:-} config=base base_from base_to off_from off_to
	local -a arguments=()

	[[ $dir != -* ]] || { usage; [[ $dir == -h || $dir == --help ]]; exit; }
	init "$@"
	need_x86
	[[ ${CHANGED[$RECIPE]+set} ]] ||
		die "RECIPE=$RECIPE is not one of: none, renumber, move"
	need_qemu
	need_tools python3:python3
	if [[ $GUARD_ONLY == 1 ]]; then
		config=guardonly
		arguments+=(--guard-only)
	fi
	base_from=$(build_kernel "$FROM-$config")
	base_to=$(build_kernel "$TO-$config")
	off_from=$(build_kernel "$FROM-off")
	off_to=$(build_kernel "$TO-off")
	if [[ ! $dir ]]; then
		dir=$CACHE/touch/$FROM-$TO-$RECIPE
		[[ $config == base ]] || dir+=-$config
		lock "touch-${dir##*/}"
	fi
	step "traced kexec without the option" \
		traced "$dir/stock" "$off_from" "$off_to" preserve=no
	if [[ ${CHANGED[$RECIPE]} ]]; then
		arguments+=(--red "${CHANGED[$RECIPE]}")
	else
		step "traced kexec with nothing preserved" \
			traced "$dir/idle" "$base_from" "$base_to" preserve=no
		arguments+=(--idle "$dir/idle")
	fi
	step "traced live update" traced "$dir/ours" "$base_from" "$base_to" \
		"guard_only=$GUARD_ONLY"
	python3 "$ROOT/tests/cases/touch.py" "${arguments[@]}" "$dir/stock" "$dir/ours"
}

main "$@"
