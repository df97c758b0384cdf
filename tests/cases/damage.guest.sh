# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# The record is damaged on its way. The next kernel must not go on, unless only the
# entries of some functions are damaged: it does not treat them as preserved.

first() {
	local root block entry address bus devfn leaf

	enable_dma $(below_bridges)
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

# damaged_functions: one, or all of its bus if the leaf is damaged. Nothing if the
# damage is not in an entry.
damaged_functions() {
	case $(parameter damage) in
	leaf) below_bridges | grep "^$(below_bridges | head -n 1 | cut -c 1-7):" ;;
	vendor | reserved) below_bridges | head -n 1 ;;
	esac
}

adopted_functions() {
	awk '$1 == "incoming" && $4 == "function" && $5 == "present" { print $2 }' "$RECORD"
}

second() {
	local damaged others address

	damaged=$(damaged_functions)
	if [ ! "$damaged" ]; then
		say "not ok the kernel goes on with a damaged record"
		return
	fi

	others=$(below_bridges | grep -vF "$damaged")
	check_same "all others are adopted" "$(adopted_functions)" "$others"
	for address in $damaged; do
		check "$address can do no DMA" not can_do_dma $address
	done
	for address in $others; do
		check "$address can do DMA" can_do_dma $address
	done
	bind $(below_bridges)
	check "the session finishes without those that are damaged" finish_others
	check_same "nothing stays in the record" "$(records incoming)" ""
}

# The tool says with its exit status that not every function came back.
finish_others() {
	pci-liveupdate finish vm1
	[ $? = 4 ]
}
