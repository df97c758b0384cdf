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

SIZES=${SIZES:-64 1024 4096 16384 65536}
FILES=${FILES-64 1024 4096 16384}
COUNT=${COUNT:-}
# QEMU counts with one processor at a time, and tests/run.sh uses the host's clock.
REAL=${REAL:-$([[ $COUNT ]] && echo 0 || echo 992)}
THREADS=${THREADS:-$([[ $COUNT ]] && echo 1 || echo 2)}

usage() {
	cat <<-END
	Usage: make scale [FROM=7.2] [TO=7.3] [SIZES="$SIZES"]
	                  [FILES="$FILES"] [REAL=$REAL] [THREADS=$THREADS] [COUNT=1]

	  FROM, TO  the kernels of the live update, 7.2 or 7.3 each
	  SIZES     numbers of functions made of software, in $SCALE_SEGMENTS segments, that
	            are preserved with one file: the costs of the PCI core
	  FILES     numbers of such functions with a file each: the costs of LUO
	  REAL      how many functions of QEMU to preserve, 0 for none
	  THREADS   how many threads call at the same time, 1 not to measure it
	  COUNT     1 counts instructions instead of time: that is slower, the same
	            on a busy machine, and knows nothing of caches
	END
}

check_numbers() {
	local number

	for number in $SIZES $FILES $REAL $THREADS; do
		[[ $number =~ ^[0-9]+$ ]] ||
			die "'$number' is not a number; see tests/scale.sh --help"
	done
	[[ $SIZES ]] || die "SIZES= has no number"
	((REAL <= VM_MAX_DEVICES)) ||
		die "REAL=$REAL is more than the $VM_MAX_DEVICES functions that QEMU has room for"
}

# scale_machine: options of QEMU. 65,536 struct pci_dev take most of 1 GB, and all
# sizes run in the same machine.
scale_machine() {
	printf '%s\n' -m 4G
	[[ ! $COUNT ]] || printf '%s\n' -icount shift=0,sleep=off
}

# update FOLDER FUNCTIONS FILES [THREADS]
update() {
	mkdir -p "$1"
	step "live update of $2 functions, $3" \
		scale_test "$1" "$FROM-base" "$TO-base" "$2" "$3" --qemu=scale_machine \
		--seconds="$([[ $COUNT ]] && echo 1800 || echo 600)" "threads=${4:-1}"
}

# update_real_functions OUTPUT
update_real_functions() {
	DEVICES=$REAL "$ROOT/tests/run.sh" >"$1"
}

main() {
	local dir size folder
	local -a folders=() arguments=(${COUNT:+--counted})

	[[ ${1:-} != -* ]] || { usage; [[ $1 == -h || $1 == --help ]]; exit; }
	init "$@"
	check_numbers
	need_qemu
	need_tools python3:python3
	dir=$CACHE/scale/$FROM-$TO${COUNT:+-counted}
	mkdir -p "$dir"
	lock "scale-${dir##*/}"
	"$ROOT/scripts/build-kernel.sh" "$FROM" base >/dev/null
	"$ROOT/scripts/build-kernel.sh" "$TO" base >/dev/null

	for size in $SIZES; do
		update "$dir/$size-one" "$size" one
		folders+=("$dir/$size-one")
	done
	for size in $FILES; do
		update "$dir/$size-each" "$size" each
		folders+=("$dir/$size-each")
	done
	if ((THREADS > 1)); then
		size=${size:-1024}
		folder=$dir/$size-one-$THREADS
		update "$folder" "$size" one "$THREADS"
		arguments+=(--calls "$folder")
	fi
	if ((REAL)); then
		step "live update of $REAL functions of QEMU" update_real_functions "$dir/real"
		sed -n '/^PCI live update/,/^  bind, retrieve/p; /^  functions preserved/,$p' "$dir/real"
	fi
	python3 "$ROOT/tests/cases/scale.py" "${arguments[@]}" "$dir/scale.csv" "${folders[@]}"
}

main "$@"
