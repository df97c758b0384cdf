# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# The record is damaged on its way. The next kernel must not go on.

first() {
	local root block entry address bus devfn leaf

	bind $(below_bridges)
	check "all functions are preserved" preserve vm1 $(below_bridges)

	# The layout is that of include/linux/kho/abi/pci.h.
	root=$(sed -n 's/^# outgoing .* at \(0x[0-9a-f]*\) .*/\1/p' "$RECORD")
	block=$(get $((root + 32)) 64)
	entry=$((block + 16))
	address=$(below_bridges | head -n 1)
	bus=$((0x$(echo "$address" | cut -d : -f 2)))
	devfn=$((0x$(echo "$address" | cut -c 9-10) << 3 | 0x${address##*.}))
	leaf=$(get $(($(get $((entry + 16)) 64) + bus * 8)) 64)

	case $(parameter damage) in
	oldest) put "$root" 32 9; put $((root + 4)) 32 9 ;;
	features) put $((root + 8)) 64 0x10 ;;
	segments) put $((root + 32)) 64 $((block + 8)) ;;
	sum) put $((root + 24)) 64 7 ;;
	count) put $((block + 8)) 64 9 ;;
	cycle) put "$block" 64 "$block" ;;
	weight) put $((entry + 4)) 32 7 ;;
	bitmap) put $((entry + 8)) 64 $(($(get $((entry + 8)) 64) + 1)) ;;
	buses) put $((entry + 16)) 64 4096 ;;
	leaf) put $(($(get $((entry + 16)) 64) + bus * 8)) 64 4096 ;;
	vendor) put $((leaf + devfn * 16)) 16 0 ;;
	reserved) put $((leaf + devfn * 16 + 15)) 8 1 ;;
	*) die "there is such a damage" ;;
	esac
	load_next
	run_next
}

# get ADDRESS WIDTH
get() {
	echo $(($(devmem "$1" "$2")))
}

put() {
	devmem "$1" "$2" "$3"
}

second() {
	say "not ok the kernel goes on with a damaged record"
}
