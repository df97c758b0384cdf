# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2010,SC2012 # there is no blank in an address
#
# A live update of a share of the VFs of the test host with SR-IOV, all in one file.
# With percent=0 nothing is preserved, and the next kernel treats the PFs as a kernel
# without PCI live update does.
#
# Costs go to the host as "data cost PHASE WHOSE NS", accesses to configuration space
# as "data count WHEN CLASS FUNCTIONS READS WRITES".

# For value, timed, and the costs of calls.
# shellcheck source=tests/cases/scale.guest.sh
. /scenarios/scale.sh

PF=bdf1:1002
PF_STUB=$PCI/drivers/pci-pf-stub

percent() {
	parameter percent 100
}

all_vfs() {
	echo $(($(value pfs) * $(value vfs_of_pf)))
}

preserved_vfs() {
	echo $(($(all_vfs) * $(percent) / 100))
}

first() {
	quiet
	say_parameters
	say_phases old
	start_vfs
	if [ "$(percent)" != 0 ]; then
		preserve_vfs
	fi
	timed load load_next
	run_next
}

second() {
	local uptime rest

	read -r uptime rest </proc/uptime
	say "phase up $uptime"
	quiet
	say_phases new
	say "data found $(value vfs_found)"
	sed -n 's/^count /data count /p' "$SCALE/report" >&3
	if [ "$(percent)" = 0 ]; then
		check_stock
		return
	fi
	check_vfs
	check_untouched enumeration
	bind_pfs
	check_untouched now
	finish_vfs
	remove_vfs
}

# The PCI core prints a line for each VF. Keep it off the console, but not warnings.
quiet() {
	dmesg -n 5
}

# keeps_vfs PF: it refuses to disable its VFs. The line in the log is expected.
keeps_vfs() {
	local rc=0

	dmesg -n 4
	write_is_busy "$PCI/devices/$1/sriov_numvfs" 0 || rc=1
	quiet
	return "$rc"
}

say_parameters() {
	say "data pfs $(value pfs)"
	say "data vfs_of_pf $(value vfs_of_pf)"
	say "data percent $(percent)"
}

# say_phases SIDE: of enumeration.
say_phases() {
	local phase

	say "data cost enumerate-$1 all $(value sriov_ns)"
	for phase in scan claim add; do
		say "data cost enumerate-$1 $phase $(value "sriov_${phase}_ns")"
	done
	say "data memory enumerate-$1 $(value sriov_kb)"
}

# accesses WHEN CLASS: numbers of functions, reads and writes.
accesses() {
	sed -n "s/^count $1 $2 //p" "$SCALE/report"
}

# writes WHEN CLASS
writes() {
	accesses "$1" "$2" | cut -d ' ' -f 3
}

# The ID reaches functions that are preserved as well, unlike driver_override of each.
bind_pfs() {
	echo "$PF" | tr : ' ' >"$PF_STUB/new_id"
	check_same "each PF has a driver" "$(pfs | wc -l)" "$(value pfs)"
}

pfs() {
	ls "$PF_STUB" | grep :
}

# set_vfs NUMBER: of each PF.
set_vfs() {
	local pf

	for pf in $(pfs); do
		echo "$1" >"$PCI/devices/$pf/sriov_numvfs" || return
	done
}

start_vfs() {
	bind_pfs
	timed enable check "each PF enables its VFs" set_vfs "$(value vfs_of_pf)"
	check_same "there are as many VFs as the command line says" \
		"$(value vfs_found)" "$(all_vfs)"
	check_links
	echo 1 >"$SCALE/start_vfs"
	check_same "all VFs are bus masters" "$(value masters_other)" "$(all_vfs)"
}

# links PF: number and address of each VF.
links() {
	ls -l "$PCI/devices/$1/" |
		sed -n 's,.* virtfn\([0-9]*\) -> .*/\(.*\),\1 \2,p' | sort -n
}

# expected_links PF: the same from the registers of the PF.
expected_links() {
	local dir=$PCI/devices/$1 number=0 vfs offset stride bus pf id

	vfs=$(value vfs_of_pf)
	read -r offset <"$dir/sriov_offset"
	read -r stride <"$dir/sriov_stride"
	bus=${1#*:}
	bus=${bus%%:*}
	pf=$(((0x$bus << 8) + offset))
	while [ "$number" -lt "$vfs" ]; do
		id=$((pf + number * stride))
		printf '%u %s:%02x:%02x.%u\n' "$number" "${1%%:*}" $((id >> 8)) \
			$((id >> 3 & 31)) $((id & 7))
		number=$((number + 1))
	done
}

# The last PF stands for all of them.
check_links() {
	local pf

	pf=$(pfs | tail -n 1)
	links "$pf" >/tmp/links
	expected_links "$pf" >/tmp/expected
	check "the VFs are where offset and stride say" diff /tmp/expected /tmp/links
}

preserve_vfs() {
	local name ns

	percent >"$SCALE/vfs_percent"
	threads
	timed preserve check "the share of the VFs is preserved" \
		luo-file preserve scale "$SCALE/all"
	while read -r name ns; do
		say "data cost $name ours $ns"
	done </tmp/out
	say_calls
	check_same "as many VFs are in the record" \
		"$(records outgoing vf | wc -l)" "$(preserved_vfs)"
	check_same "with all PFs, which nobody owns" \
		"$(records outgoing implied-pf | wc -l)" "$(value pfs)"
	check "a PF keeps its VFs" keeps_vfs "$(pfs | head -n 1)"
	say_record_size outgoing
}

# Nothing is preserved: the PCI core disables the VFs, and waits a second for each PF.
check_stock() {
	check_same "each PF is there" "$(functions_of "$PF" | wc -l)" "$(value pfs)"
	check_same "no VF is" "$(value vfs_found)" 0
	check "the PCI core has written to each PF" \
		[ "$(writes enumeration pf)" -ge "$(value pfs)" ]
	check "and waited a second for each" \
		[ "$(value sriov_scan_ns)" -ge $((900000000 * $(value pfs))) ]
}

check_vfs() {
	check_same "all VFs are there, preserved or not" \
		"$(value vfs_found)" "$(all_vfs)"
	check_same "the share of the VFs is preserved" \
		"$(accesses enumeration preserved-vf | cut -d ' ' -f 1)" "$(preserved_vfs)"
	check_same "the record has these VFs" \
		"$(records incoming vf | wc -l)" "$(preserved_vfs)"
	check_same "every device of the record is present" "$(absent)" 0
	check_same "preserved VFs are still bus masters" \
		"$(value masters_preserved)" "$(preserved_vfs)"
	check_same "others are not" "$(value masters_other)" 0
}

# check_untouched WHEN
check_untouched() {
	check_same "nothing wrote to a PF ($1)" "$(writes "$1" pf)" 0
	check_same "nothing wrote to a preserved VF ($1)" \
		"$(writes "$1" preserved-vf)" 0
}

finish_vfs() {
	local name ns

	check_links
	check "a PF keeps its VFs" keeps_vfs "$(pfs | head -n 1)"
	threads
	timed finish check "the session is finished" luo-file finish scale
	while read -r name ns; do
		say "data cost $name ours $ns"
	done </tmp/out
	say "data cost finish uevents $(value uevents_ns)"
	say_calls
	check_same "nothing stays in the record" "$(records incoming)" ""
	check_same "preserved VFs are still bus masters" \
		"$(value masters_preserved)" "$(preserved_vfs)"
}

remove_vfs() {
	timed remove check "each PF disables its VFs" set_vfs 0
	check_same "no VF is left" "$(value vfs_found)" 0
	check_same "no VF answers" "$(value masters_preserved)" 0
}
