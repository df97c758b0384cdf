# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# Damage the record. The next kernel must stop, unless the damage is in the entries
# of functions only: then it stops these functions, and preserves all others. A PF with
# a damaged entry loses its VFs.

# preserved: VFs if there are PFs, since most damages fit a record with or without PFs.
preserved() {
	if [ "$(pfs)" ]; then
		kept_vfs
	else
		below_bridges
	fi
}

first() {
	local root pf name address text

	bind $(pfs)
	for pf in $(pfs); do
		check "VFs of $pf are enabled and online" enable_vfs "$pf"
	done
	enable_dma $(preserved)
	bind $(preserved)
	check "all functions are preserved" preserve vm1 $(preserved)

	root=$(sed -n 's/^# outgoing .* at \(0x[0-9a-f]*\) .*/\1/p' "$RECORD")
	damages | while read -r name address; do
		text=$(record-damage "$name" "$root" "$address") ||
			die "$name damages the record"
		say "data damage $address $text"
	done
	load_next
	run_next
}

# damages: the names of damages, each with the address of a function. All damages
# of entries fit in one record, with one function or one bus for each, and so do those
# of VFs of the first PF, with one of another PF and one of the SR-IOV state of a third.
damages() {
	local name largest

	name=$(parameter damage)
	case $name in
	entries)
		largest=$(below_bridges | cut -c 1-7 | uniq -c | sort -n | awk 'END { print $2 }')
		pair "$(record-damage list function)" $(below_bridges | grep "^$largest:")
		pair "$(record-damage list bus)" \
			$(below_bridges | grep -v "^$largest:" | awk -F : '!seen[$1 $2]++') ;;
	vfs)
		set -- $(pfs)
		pair "$(record-damage list vf)" $(vfs_of "$1")
		pair "$(record-damage list pf | head -n 1)" "$2"
		pair "$(record-damage list sriov | head -n 1)" "$3" ;;
	*)
		case $(record-damage level "$name") in
		pf | sriov) echo "$name $(pfs | head -n 1)" ;;
		*) echo "$name $(preserved | head -n 1)" ;;
		esac ;;
	esac
}

# pair NAMES ADDRESS...: one address for each name.
pair() {
	local name names=$1
	shift

	for name in $names; do
		[ $# -gt 0 ] || die "the machine has a function for $name"
		echo "$name $1"
		shift
	done
}

# damaged_functions: those that the next kernel must stop; none if it must not go on.
damaged_functions() {
	local name address

	damages | while read -r name address; do
		case $(record-damage level "$name") in
		bus) below_bridges | grep "^${address%:*}:" ;;
		function | vf | pf | sriov) echo "$address" ;;
		esac
	done
}

adopted() {
	awk '$1 == "incoming" && $4 ~ /^(function|vf)$/ && $5 == "present" { print $2 }' "$RECORD"
}

second() {
	local damaged others address

	damaged=$(damaged_functions)
	if [ ! "$damaged" ]; then
		say "not ok the kernel stops at a damaged record"
		return
	fi

	others=$(preserved | grep -vF "$damaged")
	check_same "all others are adopted" "$(adopted)" "$others"
	for address in $damaged; do
		check "$address can do no DMA" not can_do_dma $address
		[ ! -e "$(numvfs $address)" ] ||
			check_same "the VFs of $address are disabled" "$(cat "$(numvfs $address)")" 0
	done
	for address in $others; do
		check "$address can do DMA" can_do_dma $address
	done
	bind $(preserved)
	check "the session finishes without the damaged functions" finish_others
	check_same "nothing stays in the record" "$(records incoming)" ""
}

# The tool exits with 4 if a function did not come back.
finish_others() {
	pci-liveupdate finish vm1
	[ $? = 4 ]
}
