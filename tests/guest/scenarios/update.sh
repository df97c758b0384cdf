# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# A live update of everything below bridges, in two sessions.

first() {
	local all edus half bystanders

	all=$(below_bridges)
	edus=$(edus_below_bridges)
	bystanders=$(on_root_bus)
	half=$(($(count $all) / 2))

	say "phase bind"
	bind $all $bystanders
	for edu in $edus; do
		edu_write "$edu"
	done

	say "phase preserve"
	echo "$all" | head -n "$half" >/tmp/vm1
	echo "$all" | tail -n +$((half + 1)) >/tmp/vm2
	for session in vm1 vm2; do
		[ ! -s "/tmp/$session" ] ||
			check "session $session is preserved" \
			pci-liveupdate preserve --background "$session" - <"/tmp/$session"
	done

	say_records outgoing
	check_same "as many functions are in the record as were preserved" \
		"$(records outgoing function | wc -l)" "$(count $all)"
	say "data functions $(count $all)"

	say "phase load"
	load_next
	run_next
}

second() {
	local all edus bystanders before size freed

	all=$(below_bridges)
	edus=$(edus_below_bridges)
	bystanders=$(on_root_bus)
	records incoming function >/tmp/functions

	say "phase check"
	say_records incoming
	say "data found $(wc -l </tmp/functions)"
	check_same "no function is bound before user space binds it" \
		"$(bound $all $bystanders)" 0
	check_same "the same functions are preserved at the same addresses" \
		"$(cat /tmp/functions)" "$all"
	check_same "every device of the record is present" \
		"$(grep -c ' absent$' "$RECORD")" 0
	for address in $bystanders; do
		check "$address was not preserved" \
			not grep -q "^incoming $address " "$RECORD"
	done
	say "data edus $(count $edus) $(edus_that_hold $edus)"
	check_same "each edu below a bridge has its registers" \
		"$(edus_that_hold $edus)" "$(count $edus)"

	say "phase finish"
	bind $all
	size=$(sed -n 's/^# incoming .* of \([0-9]*\) kB$/\1/p' "$RECORD")
	before=$(mem_total)
	for session in vm1 vm2; do
		# A session without a function was never made.
		[ "$session $(count $all)" = "vm1 1" ] ||
			check "session $session is finished" pci-liveupdate finish "$session"
	done
	freed=$(($(mem_total) - before))
	check_same "nothing stays in the record" "$(records incoming)" ""
	check "there is no record any more" not grep -q '^# incoming' "$RECORD"
	# The root, the bitmap and the directory of buses came back at boot.
	check "the memory of the record comes back ($freed of $size kB)" \
		[ "$freed" -ge $((size - 16)) ]
}

