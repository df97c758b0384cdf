#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Live updates of more and more functions: the costs of each phase, and their growth.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source=tests/vm/vm.sh
. "$ROOT/tests/vm/vm.sh"
# shellcheck source=tests/vm/devices.sh
. "$ROOT/tests/vm/devices.sh"
# shellcheck source=tests/vm/live-update.sh
. "$ROOT/tests/vm/live-update.sh"
# shellcheck source=tests/cases/scale.sh
. "$ROOT/tests/cases/scale.sh"

SIZES=${SIZES-64 1024 4096 16384 65536}
FILES=${FILES-64 1024 4096 16384}
PFS=${PFS-16 32 64}
VFS=${VFS:-127}
COUNT=${COUNT:-}
# QEMU counts with one processor at a time, and tests/run.sh uses the host's clock.
REAL=${REAL:-$([[ $COUNT ]] && echo 0 || echo 992)}
THREADS=${THREADS:-$([[ $COUNT ]] && echo 1 || echo 2)}

usage() {
	cat <<-END
	Usage: make scale [FROM=7.2] [TO=7.3] [SIZES="$SIZES"]
	                  [FILES="$FILES"] [PFS="$PFS"] [VFS=$VFS]
	                  [REAL=$REAL] [THREADS=$THREADS] [COUNT=1]

	  FROM, TO  the kernels of the live update, 7.2 or 7.3 each
	  SIZES     numbers of functions made of software, in $SCALE_SEGMENTS segments, that
	            are preserved with one file: the costs of the PCI core. SIZES= runs
	            the live updates of VFs only
	  FILES     numbers of such functions with a file each: the costs of LUO
	  PFS       numbers of PFs made of software: all VFs are preserved with one file,
	            and of the last number of PFs also a half, a tenth and none
	  VFS       the number of VFs of each PF
	  REAL      how many functions of QEMU to preserve, 0 for none
	  THREADS   how many threads call at the same time, 1 not to measure it
	  COUNT     1 counts instructions instead of time: that is slower, the same
	            on a busy machine, and knows nothing of caches
	END
}

check_numbers() {
	local number

	for number in $SIZES $FILES $PFS $VFS $REAL $THREADS; do
		[[ $number =~ ^[0-9]+$ ]] ||
			die "'$number' is not a number; see tests/scale.sh --help"
	done
	[[ $SIZES || $PFS ]] || die "SIZES= and PFS= have no number"
	((REAL <= VM_MAX_DEVICES)) ||
		die "REAL=$REAL is more than the $VM_MAX_DEVICES functions that QEMU has room for"
}

# scale_machine: options of QEMU. 65,536 struct pci_dev take most of 1 GB, and all
# sizes run in the same machine.
scale_machine() {
	printf '%s\n' -m 4G
	[[ ! $COUNT ]] || printf '%s\n' -icount shift=0,sleep=off
}

# machine_options: of scale_test() and sriov_scale_test().
machine_options() {
	printf '%s\n' --qemu=scale_machine --seconds="$([[ $COUNT ]] && echo 1800 || echo 600)"
}

# update FOLDER FUNCTIONS FILES [THREADS]
update() {
	mkdir -p "$1"
	step "live update of $2 functions, $3" \
		scale_test "$1" "$FROM-base" "$TO-base" "$2" "$3" \
		"${options[@]}" "threads=${4:-1}"
}

# update_vfs FOLDER PFS PERCENT
update_vfs() {
	mkdir -p "$1"
	step "live update of $3 % of $2 x $VFS VFs" \
		sriov_scale_test "$1" "$FROM-base" "$TO-base" "$2,$VFS" "$3" "${options[@]}"
}

# update_all_vfs FOLDER: and the table.
update_all_vfs() {
	local pfs percent
	local -a folders=()

	for pfs in $PFS; do
		update_vfs "$1/$pfs-100" "$pfs" 100
		folders+=("$1/$pfs-100")
	done
	for percent in 50 10 0; do
		update_vfs "$1/$pfs-$percent" "$pfs" "$percent"
		folders+=("$1/$pfs-$percent")
	done
	python3 "$ROOT/tests/cases/scale_sriov.py" "$1/scale.csv" "${folders[@]}"
}

# update_real_functions OUTPUT
update_real_functions() {
	DEVICES=$REAL "$ROOT/tests/run.sh" >"$1"
}

# update_all_functions FOLDER: and the tables.
update_all_functions() {
	local size folder
	local -a folders=() arguments=(${COUNT:+--counted})

	for size in $SIZES; do
		update "$1/$size-one" "$size" one
		folders+=("$1/$size-one")
	done
	for size in $FILES; do
		update "$1/$size-each" "$size" each
		folders+=("$1/$size-each")
	done
	if ((THREADS > 1)); then
		folder=$1/$size-one-$THREADS
		update "$folder" "$size" one "$THREADS"
		arguments+=(--calls "$folder")
	fi
	if ((REAL)); then
		step "live update of $REAL functions of QEMU" update_real_functions "$1/real"
		sed -n '/^PCI live update/,/^  bind, retrieve/p; /^  functions preserved/,$p' "$1/real"
	fi
	python3 "$ROOT/tests/cases/scale.py" "${arguments[@]}" "$1/scale.csv" "${folders[@]}"
}

main() {
	local dir
	local -a options=()

	[[ ${1:-} != -* ]] || { usage; [[ $1 == -h || $1 == --help ]]; exit; }
	init "$@"
	need_x86
	check_numbers
	need_qemu
	need_tools python3:python3
	dir=$CACHE/scale/$FROM-$TO${COUNT:+-counted}
	mkdir -p "$dir"
	lock "scale-${dir##*/}"
	"$ROOT/scripts/build-kernel.sh" "$FROM" base >/dev/null
	"$ROOT/scripts/build-kernel.sh" "$TO" base >/dev/null

	mapfile -t options < <(machine_options)
	[[ ! $SIZES ]] || update_all_functions "$dir"
	[[ ! $PFS ]] || update_all_vfs "$dir/sriov"
}

main "$@"
