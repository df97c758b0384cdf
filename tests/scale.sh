#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Whole live updates of more and more functions: what each phase costs, and how
# that grows.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source=tests/vm.sh
. "$ROOT/tests/vm.sh"
# shellcheck source=tests/cases.sh
. "$ROOT/tests/cases.sh"

SIZES=${SIZES:-64 1024 4096 16384 65536}
FILES=${FILES-64 1024 4096 16384}
COUNT=${COUNT:-}
# Counting runs one processor at a time, and tests/run.sh measures by the host's clock.
REAL=${REAL:-$([[ $COUNT ]] && echo 0 || echo 992)}
THREADS=${THREADS:-$([[ $COUNT ]] && echo 1 || echo 2)}

# 65,536 struct pci_dev take most of 1 GB, and all sizes run in the same machine.
MEMORY=4G
VM_SECONDS=600
if [[ $COUNT ]]; then
	VM_CLOCK=(-icount "shift=0,sleep=off")
	VM_SECONDS=1800
fi

usage() {
	cat <<-END
	Usage: make scale [FROM=7.2] [TO=7.3] [SIZES="$SIZES"]
	                  [FILES="$FILES"] [REAL=$REAL] [THREADS=$THREADS] [COUNT=1]

	  FROM, TO  the kernels of the live update, 7.2 or 7.3 each
	  SIZES     numbers of functions made of software, in $VM_SEGMENTS segments, that
	            are preserved with one file: what the PCI core costs
	  FILES     numbers of such functions with a file each: what LUO costs
	  REAL      how many functions of QEMU to preserve, 0 for none
	  THREADS   how many threads call at the same time, 1 not to measure it
	  COUNT     1 counts instructions instead of time: that is slower, the same
	            whatever else the machine does, and knows nothing of caches
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

# update FUNCTIONS FILES [THREADS]: sets folder.
update() {
	folder=$dir/$1-$2${3:+-$3}
	mkdir -p "$folder"
	step "live update of $1 functions, $2" \
		scale "$folder" "$FROM-base" "$TO-base" "$@"
}

real() {
	DEVICES=$REAL "$ROOT/tests/run.sh" >"$dir/real"
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
		update "$size" one
		folders+=("$folder")
	done
	for size in $FILES; do
		update "$size" each
		folders+=("$folder")
	done
	if ((THREADS > 1)); then
		update "${size:-1024}" one "$THREADS"
		arguments+=(--calls "$folder")
	fi
	if ((REAL)); then
		step "live update of $REAL functions of QEMU" real
		sed -n '/^PCI live update/,/^  bind, retrieve/p; /^  functions preserved/,$p' "$dir/real"
	fi
	python3 "$ROOT/tests/scale.py" "${arguments[@]}" "$dir/scale.csv" "${folders[@]}"
}

main "$@"
