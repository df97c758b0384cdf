# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Live updates with a damaged record.

# damage_each RUN CASE: lines "DAMAGE:TEXT" on stdin. The next kernel logs TEXT: the
# field, its value and the expected one.
damage_each() {
	local kind text

	while IFS=: read -r kind text; do
		"$1" "damage-$kind" "$2" 7.2-base 7.3-base "$kind" "$text"
	done
}

# KUnit has all of them, and more, in one boot.
damage_tests() {
	damage_each run damaged <<-'END'
	oldest:oldest_reader is 0x9, expected at most 0x1
	cycle:next of a block is 0x[0-9a-f]*, expected the end of the chain, 0x0
	END
	damage_each run damaged_entry <<-'END'
	leaf:buses\[\] entry of segment 0000 is 0x1000, expected preserved memory of a size in bytes of 0x1000
	vendor:vendor of segment 0000 is 0x0, expected other than 0 and 0xffff
	END
	damage_each run_similar damaged <<-'END'
	features:features is 0x10, expected no bits but those of 0x0
	segments:segments is 0x[0-9a-f]*8, expected a multiple of 0x1000
	sum:nr_devices of the root is 0x7, expected the sum of all segments, 0x[0-9a-f]*
	count:count of a block is 0x9, expected exactly 0x1
	weight:nr_devices of segment 0000 is 0x7, expected the weight of the bitmap, 0x[0-9a-f]*
	bitmap:bitmap of segment 0000 is 0x[0-9a-f]*1, expected a multiple of 0x1000
	buses:buses of segment 0000 is 0x1000, expected preserved memory of a size in bytes of 0x1000
	END
	damage_each run_similar damaged_entry <<-'END'
	reserved:reserved of segment 0000 is 0x1, expected exactly 0x0
	END
}

# damaged DIR FROM TO DAMAGE TEXT [WORD...]: the second kernel gives up, and says
# TEXT.
damaged() {
	local dir=$1 from=$2 to=$3 damage=$4 text=$5
	local panic='Kernel panic - not syncing: PCI: liveupdate: cannot use the record of preserved devices: '
	shift 5

	boot_kernels "$dir" "$from" "$to" 8 damage "damage=$damage" "$@" || return
	guest_passed "$dir" first || return
	if ! grep -q "$panic$text" "$dir/console"; then
		echo "the console does not say '$text', but:"
		grep -a 'liveupdate\|panic' "$dir/console"
		return 1
	fi
	sed "/$panic/,\$d" "$dir/console" >"$dir/before-panic"
	console_is_clean "$dir/before-panic"
}

# damaged_entry DIR FROM TO DAMAGE TEXT [WORD...]: the second kernel says TEXT and goes on. A
# leaf is damaged for one of several buses.
damaged_entry() {
	local dir=$1 from=$2 to=$3 damage=$4 text=$5
	shift 5

	live_update "$dir" "$from" "$to" 24 damage "damage=$damage" "$@" || return
	if ! grep -a "liveupdate: .*$text" "$dir/console"; then
		echo "the console does not say '$text', but:"
		grep -a liveupdate "$dir/console"
		return 1
	fi
}
