# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# A live update of all functions below bridges, and of VFs if the machine has some, in
# two sessions. Controllers run, and DMA and a read of a VF are under way meanwhile: a
# reset would stop them. The functions may be in more than one segment. With
# driver=vfio-pci they are functions of VFIO: opening a device resets it, so devices
# start when they are preserved.

dma_edu() {
	edus_below_bridges | tail -n 1
}

start_devices() {
	local edu nvme

	for edu in $(edus_below_bridges); do
		edu_write "$edu"
	done
	config_write "$(dma_edu)" 4 06 00
	for nvme in $(nvmes_below_bridges); do
		check "controller $nvme comes up" nvme_start "$nvme"
	done
	start_kept_vfs
}

# preserve_all ADDRESS...: in two sessions.
preserve_all() {
	local half

	say "phase preserve"
	half=$(($# / 2))
	printf '%s\n' "$@" | head -n "$half" >/tmp/vm1
	printf '%s\n' "$@" | tail -n +$((half + 1)) >/tmp/vm2
	for session in vm1 vm2; do
		[ ! -s "/tmp/$session" ] ||
			check "session $session is preserved" \
			pci-liveupdate preserve --background "$session" - <"/tmp/$session"
	done
}

first() {
	local all vfs

	say "phase bind"
	all=$(below_bridges)
	bind $all
	bind_to $STUB $(on_root_bus)
	bind_vfs
	vfs=$(kept_vfs)
	if [ "$(parameter driver $STUB)" = vfio-pci ]; then
		preserve_all $all $vfs
		start_devices
	else
		start_devices
		preserve_all $all $vfs
	fi

	say_records outgoing
	check_version outgoing
	check_same "as many functions are in the record as were preserved" \
		"$(records outgoing function | wc -l)" "$(count $all)"
	check_same "as many VFs are in the record as were preserved" \
		"$(records outgoing '^vf$' | wc -l)" "$(count $vfs)"
	check_same "the record has functions of each segment" \
		"$(segments outgoing)" "$(parameter segments 1)"
	say "data functions $(count $all)"

	say "phase load"
	load_next
	run_next_with_dma "$(dma_edu)"
}

# say_vfs: for the report.
say_vfs() {
	local pf

	for pf in $(pfs); do
		say "data pf $pf $(count $(vfs_of "$pf"))"
	done
	say "data found_vfs $(records incoming '^vf$' | wc -l)"
	[ ! "$(kept_vfs)" ] || say_vf_registers second
}

# segments: the number of segments that have a preserved function.
segments() {
	records "$1" function | cut -d : -f 1 | sort -u | wc -l
}

# check_version SIDE: of the kernel that wrote the record, if the test names it.
check_version() {
	local version

	version=$(sed -n "s/^# $1 record version \([0-9]*\) .*/\1/p" "$RECORD")
	check_same "the $1 record has the version of its writer" "$version" \
		"$(parameter version "$version")"
}

second() {
	local all edus nvmes vfs bystanders devices held before size freed page early

	all=$(below_bridges)
	edus=$(edus_below_bridges)
	nvmes=$(nvmes_below_bridges)
	vfs=$(kept_vfs)
	bystanders=$(on_root_bus)
	records incoming function >/tmp/functions

	say "phase check"
	say_records incoming
	check_version incoming
	say "data found $(wc -l </tmp/functions)"
	check_same "no function is bound before user space binds it" \
		"$(bound $all $(pfs) $vfs $bystanders)" 0
	check_same "the same functions are preserved at the same addresses" \
		"$(cat /tmp/functions)" "$all"
	check_same "the same VFs are preserved at the same addresses" \
		"$(records incoming '^vf$')" "$vfs"
	check_same "the PFs are preserved with them" "$(records incoming 'pf$')" "$(pfs)"
	say_vfs
	check_same "the record has functions of each segment still" \
		"$(segments incoming)" "$(parameter segments 1)"
	check_same "every device of the record is present" \
		"$(absent)" 0
	devices=$(records incoming | wc -l)
	check "the kernel has counted them at the end of boot" \
		log_has "found $devices of $devices preserved devices"
	for address in $bystanders; do
		check "$address was not preserved" \
			not grep -q "^incoming $address " "$RECORD"
	done
	held=$(edus_that_hold "$(dma_edu)" $edus)
	say "data edus $(count $edus) $held"
	check_same "each edu below a bridge has its registers" "$held" "$(count $edus)"
	say "data nvmes $(count $nvmes) $(nvmes_that_run $nvmes)"
	check_same "each nvme controller still runs" \
		"$(nvmes_that_run $nvmes)" "$(count $nvmes)"
	edu-dma check >/tmp/dma 2>&1
	if check_same "the memory has the data that the edu wrote during the kexec" \
		"$(cat /tmp/dma)" "$(dma_edu) arrived"; then
		say "data dma arrived"
	else
		say "data dma lost"
	fi
	check_vf_io

	say "phase finish"
	bind_pfs $(pfs)
	bind $all $vfs
	size=$(sed -n 's/^# incoming .* of \([0-9]*\) kB$/\1/p' "$RECORD")
	before=$(mem_total)
	for session in vm1 vm2; do
		# A session without a function was never made.
		[ "$session $(count $all $vfs)" = "vm1 1" ] ||
			check "session $session is finished" pci-liveupdate finish "$session"
	done
	freed=$(($(mem_total) - before))
	check_same "nothing stays in the record" "$(records incoming)" ""
	check "there is no record any more" not grep -q '^# incoming' "$RECORD"
	# The root, and of each segment the bitmap and the directory of buses, came back
	# at boot.
	page=$(page_size)
	early=$((page + (page + (page > 8 ? page : 8)) * $(parameter segments 1)))
	check "the memory of the record comes back ($freed of $size kB)" \
		[ "$freed" -ge $((size - early)) ]

	# The check above sees a reset.
	for nvme in $nvmes; do
		check "controller $nvme can be reset" reset "$nvme"
		check "a reset stops controller $nvme" not nvme_runs "$nvme"
	done
}
