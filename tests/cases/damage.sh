# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Live updates with a damaged record.

# KUnit applies all damages in one boot, so most of them run here only by name.
damage_tests() {
	local name

	run damage-entries damaged_entries_test 7.2-base 7.3-base entries
	run damage-cycle damaged_record_test 7.2-base 7.3-base cycle
	run damage-vfs damaged_entries_test 7.2-base 7.3-base vfs --qemu=three_pfs
	[[ ${SUITE[pattern]} != '*' && ${SUITE[similar]} == 1 ]] || return 0
	for name in $(damages RECORD); do
		[[ $name == cycle ]] || run "damage-$name" damaged_record_test 7.2-base 7.3-base "$name"
	done
	for name in $(damages FUNCTION) $(damages BUS); do
		run "damage-$name" damaged_entries_test 7.2-base 7.3-base "$name"
	done
	for name in $(damages PFS); do
		run "damage-$name" damaged_record_test 7.2-base 7.3-base "$name" --qemu=three_pfs
	done
	for name in $(damages PF) $(damages VF) $(damages SRIOV); do
		run "damage-$name" damaged_entries_test 7.2-base 7.3-base "$name" --qemu=three_pfs
	done
}

# damages LEVEL: the names of the damages of this level, from the table of all tests.
damages() {
	sed -n "s/^\t{ DAMAGE_$1, \"\([a-z0-9_]*\)\".*/\1/p" "$ROOT/lib/test_pci_liveupdate_damage.h"
}

# damage_messages DIR: for each damage, the address of a function and the message that
# the second kernel has to print.
damage_messages() {
	sed -n 's/^[^ ]* data damage //p' "$1/side"
}

# damaged_record_test DIR FROM TO DAMAGE [OPTION...]: the second kernel panics with the
# message about DAMAGE.
damaged_record_test() {
	local dir=$1 from=$2 to=$3 damage=$4 text
	local panic='Kernel panic - not syncing: PCI: liveupdate: cannot use the record of preserved devices: '
	local remedy='; continuing would let their DMA corrupt memory; reset the host'
	shift 4

	boot_kernels "$dir" "$from" "$to" 8 damage "damage=$damage" "$@" || return
	guest_passed "$dir" first || return
	text=$(damage_messages "$dir" | cut -d ' ' -f 2-)
	if [[ ! $text ]] || ! grep -qF "$panic$text$remedy" "$dir/console"; then
		echo "the console does not say '$text$remedy', but:"
		grep -a 'liveupdate\|panic' "$dir/console"
		return 1
	fi
	sed "/$panic/,\$d" "$dir/console" >"$dir/before-panic"
	console_is_clean "$dir/before-panic"
}

# Each damage of a bus needs a bus of its own.
more_buses() {
	local slot

	for slot in 10 11; do
		vm_root_port "rp$slot" "$slot"
		vm_device "edu,bus=rp$slot"
	done
}

# The first has a VF for each damage of a VF. For the others a VF is enough that is
# lost with its PF.
three_pfs() {
	vm_nvme_pf 1 16
	vm_nvme_pf 2 2
	vm_nvme_pf 3 2
}

# damaged_entries_test DIR FROM TO DAMAGE [OPTION...]: the second kernel prints the
# message for each function, and goes on. DAMAGE may be "entries", for all damages of
# entries: they need a bus with many functions, and a bus for each damage of a bus. With
# three_pfs() it may be "vfs", for damages of PFs and VFs.
damaged_entries_test() {
	local dir=$1 from=$2 to=$3 damage=$4 address text
	shift 4

	live_update "$dir" "$from" "$to" 48 damage --qemu=more_buses "damage=$damage" "$@" ||
		return
	[[ $(damage_messages "$dir") ]] || { echo "nothing was damaged"; return 1; }
	while read -r address text; do
		grep -aF " $address: " "$dir/console" | grep -qF "is damaged: $text;" && continue
		echo "the console does not say '$text' of $address, but:"
		grep -a liveupdate "$dir/console"
		return 1
	done < <(damage_messages "$dir")
}
