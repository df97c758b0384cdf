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

usage() {
	cat <<-END
	Usage: make touch [FROM=7.2] [TO=7.3] [RECIPE=none]

	FROM and TO are the kernels of the live update, 7.2 or 7.3 each. The stock
	side is a kexec of the same kernels without CONFIG_PCI_LIVEUPDATE. RECIPE is
	what goes wrong there:
	  none      nothing but what every kernel writes
	  renumber  the next kernel gives bridges other bus numbers
	  move      the next kernel moves BARs and windows
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

# touch_hierarchy: below a root port, a switch and conventional bridges.
touch_hierarchy() {
	VM_DEVICES=(-device intel-iommu)
	add_root_port rp2 2
	VM_DEVICES+=(-device "nvme,serial=1,bus=rp2")
	add_root_port rp3 3
	add_switch switch rp3
	VM_DEVICES+=(-device "e1000e,bus=switch.1")
	VM_DEVICES+=(-device "edu,bus=switch.2")
	add_root_port rp4 4
	add_conventional conventional rp4 1
	VM_DEVICES+=(-device "edu,bus=conventional,addr=1.0")
	VM_DEVICES+=(-device "edu,bus=pcie.0,addr=1d.0")
}

# traced DIR FROM-KERNEL TO-KERNEL LINE
traced() {
	local dir=$1 kernel=$2 next=$3 line="$4 $old next=$new" initrd

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
	local dir base_from base_to off_from off_to old new red
	local -a arguments=()

	init "$@"
	set_recipe
	need_qemu
	need_tools python3:python3
	base_from=$(kernel "$FROM" base)
	base_to=$(kernel "$TO" base)
	off_from=$(kernel "$FROM" off)
	off_to=$(kernel "$TO" off)
	touch_hierarchy
	dir=$CACHE/touch/$FROM-$TO-$RECIPE
	step "traced kexec without the option" \
		traced "$dir/stock" "$off_from" "$off_to" preserve=no
	if [[ $red ]]; then
		arguments+=(--red "$red")
	else
		step "traced kexec with nothing preserved" \
			traced "$dir/idle" "$base_from" "$base_to" preserve=no
		arguments+=(--idle "$dir/idle")
	fi
	step "traced live update" traced "$dir/ours" "$base_from" "$base_to" ""
	python3 "$ROOT/tests/touch.py" "${arguments[@]}" "$dir/stock" "$dir/ours"
}

main "$@"
