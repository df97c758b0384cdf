#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run a live update under QEMU's traces of configuration space, with a stock
# kernel and with ours, and show who was touched.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source=tests/vm.sh
. "$ROOT/tests/vm.sh"

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
	what goes wrong there:
	  none      nothing but what every kernel writes
	  renumber  the next kernel gives bridges other bus numbers
	  move      the next kernel moves BARs and windows

	GUARD_ONLY=1 takes kernels that skip no write themselves, so that the guard of
	configuration space has to refuse all of them. FOLDER is for the logs.
	END
}

# set_recipe: what the kernels are told, and the register that a stock kernel
# leaves different.
set_recipe() {
	old='' new='' red=''
	case $RECIPE in
	none) ;;
	renumber)
		old=pci=assign-busses,hpbussize=4
		new=pci=assign-busses
		red='Bus Numbers'
		;;
	move)
		new=pci=realloc,resource_alignment=22@0000:00:03.0
		red='Memory Window'
		;;
	*) die "RECIPE=$RECIPE is not one of: none, renumber, move" ;;
	esac
}

# add_vga MODEL BUS SLOT: a VGA device without a ROM, which the BIOS would run.
add_vga() {
	VM_DEVICES+=(-device "$1,bus=$2,addr=$3.0,romfile=")
}

# touch_hierarchy: below root ports, a switch and conventional bridges. Of the VGA
# devices the cirrus-vga are not preserved: one shares all bridges with the
# preserved one, and the other one none.
touch_hierarchy() {
	VM_DEVICES=(-device "intel-iommu,device-iotlb=on")
	add_root_port rp2 2
	VM_DEVICES+=(-device "nvme,serial=1,bus=rp2")
	add_root_port rp3 3
	add_switch switch rp3
	VM_DEVICES+=(-device "e1000e,bus=switch.1")
	VM_DEVICES+=(-device "edu,bus=switch.2")
	add_root_port rp4 4
	add_conventional conventional rp4 1
	VM_DEVICES+=(-device "edu,bus=conventional,addr=1.0")
	add_vga VGA conventional 2
	add_vga cirrus-vga conventional 3
	add_root_port rp5 5
	VM_DEVICES+=(-netdev "hubport,id=net,hubid=0")
	VM_DEVICES+=(-device "virtio-net-pci,bus=rp5,netdev=net,ats=on,disable-legacy=on,iommu_platform=on,romfile=")
	add_root_port rp6 6
	add_vga cirrus-vga rp6 0
	VM_DEVICES+=(-device "edu,bus=pcie.0,addr=1d.0")
}

# traced DIR FROM-KERNEL TO-KERNEL LINE: the IOMMU translates in the next kernel
# only, whose driver then enables ATS: a device that does DMA through an IOMMU
# cannot be preserved.
traced() {
	local dir=$1 kernel=$2 next=$3 initrd
	local line="$4 intel_iommu=off $old event=$EVENT next=$new"

	initrd=$("$ROOT/tests/build-guest.sh" "$next")
	mkdir -p "$dir"
	rm -f -- "$dir/trace"
	vm_boot "$dir" "$kernel" "$next" "$initrd" 180 "liveupdate=on scenario=touch $line" \
		-D "$dir/trace" -trace pci_cfg_write -trace pci_cfg_read \
		-trace pci_update_mappings_del
	"$ROOT/tests/scan-console.sh" "$dir/console"
}

kernel() {
	"$ROOT/scripts/build-kernel.sh" "$1" "$2"
}

main() {
	local dir=${1:-} config=base base_from base_to off_from off_to old new red
	local -a arguments=()

	[[ $dir != -* ]] || { usage; [[ $dir == -h || $dir == --help ]]; exit; }
	init "$@"
	set_recipe
	need_qemu
	need_tools python3:python3
	if [[ $GUARD_ONLY == 1 ]]; then
		config=guardonly
		arguments+=(--guard-only)
	fi
	base_from=$(kernel "$FROM" "$config")
	base_to=$(kernel "$TO" "$config")
	off_from=$(kernel "$FROM" off)
	off_to=$(kernel "$TO" off)
	touch_hierarchy
	if [[ ! $dir ]]; then
		dir=$CACHE/touch/$FROM-$TO-$RECIPE
		[[ $config == base ]] || dir+=-$config
		lock "touch-${dir##*/}"
	fi
	step "traced kexec without the option" \
		traced "$dir/stock" "$off_from" "$off_to" preserve=no
	if [[ $red ]]; then
		arguments+=(--red "$red")
	else
		step "traced kexec with nothing preserved" \
			traced "$dir/idle" "$base_from" "$base_to" preserve=no
		arguments+=(--idle "$dir/idle")
	fi
	step "traced live update" traced "$dir/ours" "$base_from" "$base_to" \
		"guard_only=$GUARD_ONLY"
	python3 "$ROOT/tests/touch.py" "${arguments[@]}" "$dir/stock" "$dir/ours"
}

main "$@"
