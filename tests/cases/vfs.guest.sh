# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# A live update of VFs in two sessions, with functions that are no VFs. Another driver
# of the next kernel takes each PF and VF that it can get. With owned=yes the PF
# is preserved for itself as well, in a third session. With remove=yes the next kernel
# removes the PF through sysfs and finds it again. With device=igb the PF is an igb.

IGB=8086:10c9
IGBVF=8086:10ca

if [ "$(parameter device nvme)" = igb ]; then
	# shellcheck source=tests/guest/igb.sh
	. /lib/igb.sh
fi

owned() {
	[ "$(parameter owned no)" = yes ]
}

pf_kind() {
	if owned; then
		echo pf
	else
		echo implied-pf
	fi
}

# functions: of the first session, beside VFs.
functions() {
	below_bridges
}

preserve_all() {
	local half

	half=$(($(count $(kept_vfs)) / 2))
	check "functions and VFs are preserved" \
		preserve vm1 $(functions) $(kept_vfs | head -n "$half")
	check "other VFs are preserved" \
		preserve vm2 $(kept_vfs | tail -n +$((half + 1)))
	! owned || check "the PF is preserved" preserve vm3 $(pfs)
}

# check_record SIDE
check_record() {
	check_same "the $1 record has the preserved VFs" \
		"$(records "$1" '^vf$')" "$(kept_vfs)"
	check_same "the $1 record has the PF" \
		"$(records "$1" 'pf$')" "$(records "$1" "^$(pf_kind)\$")"
	check_same "it is the PF of the VFs" "$(records "$1" 'pf$')" "$(pfs)"
	check_same "the $1 record has the other functions" \
		"$(records "$1" '^function$')" "$(functions)"
}

check_numvfs_is_busy() {
	local pf

	for pf in $(pfs); do
		check "VFs of $pf cannot be disabled $1" write_is_busy "$(numvfs $pf)" 0
	done
}

first() {
	bind $(functions)
	start_vfs
	# VFs that are not to be preserved can do DMA as well.
	enable_dma $(vfs_of $(pfs))
	check_same "all VFs can do DMA" "$(bus_masters $(vfs_of $(pfs)))" "$(vfs_of $(pfs))"
	preserve_all
	check_record outgoing
	check_numvfs_is_busy "while VFs are preserved"
	say_attributes first
	load_next liveupdate=on "pci-stub.ids=$NVME,$IGB,$IGBVF"
	run_next
}

# say_attributes KERNEL: in sysfs, of PFs and preserved VFs. The host compares them: the
# first kernel has looked at each VF, the second one only at the first VF. The kernel
# clears bus mastering of a PF without an owner.
say_attributes() {
	local address attribute

	for address in $(pfs) $(kept_vfs); do
		for attribute in "$PCI/devices/$address"/*; do
			case ${attribute##*/} in
			ari_enabled | broken_parity_status | class | *_mask_bits | \
				*_link_speed | *_link_width | d3cold_allowed | device | local_* | \
				modalias | msi_bus | numa_node | reset_method | resource | revision | \
				sriov_[!v]* | sriov_vf_device | subsystem_* | vendor)
				say "data attributes $1 $address ${attribute##*/}" \
					$(cat "$attribute" 2>/dev/null) ;;
			config)
				[ ! -e "$PCI/devices/$address/physfn" ] || say "data attributes $1 $address config" \
					"$(hexdump -v -e '1/1 "%02x"' "$attribute")" ;;
			esac
		done
	done
}

# check_links: between each PF and its VFs, in both directions.
check_links() {
	local pf vf vfs

	vfs=$(parameter vfs "")
	for pf in $(pfs); do
		check_same "PF $pf has as many VFs as before" "$(count $(vfs_of "$pf"))" "$vfs"
		check_same "PF $pf says so" "$(cat "$(numvfs "$pf")")" "$vfs"
		for vf in $(vfs_of "$pf"); do
			check_same "VF $vf names its PF" \
				"$(basename "$(readlink "$PCI/devices/$vf/physfn")")" "$pf"
		done
	done
}

remove_and_rescan() {
	local kept pf absent

	kept=$(kept_vfs)
	absent=$(count $kept $(pfs))
	for pf in $(pfs); do
		echo 1 >"$PCI/devices/$pf/remove"
	done
	check_same "VFs go with their PF" "$(kept_vfs)" ""
	check_same "the PF and its VFs stay in the record" "$(absent)" "$absent"
	echo 1 >"$PCI/rescan"
	check_same "VFs come back with their PF" "$(kept_vfs)" "$kept"
}

finish_all() {
	check "a session is finished" pci-liveupdate finish vm1
	check_numvfs_is_busy "while a session is not finished"
	check "the other session is finished" pci-liveupdate finish vm2
	if owned; then
		check_same "a PF outlives its VFs in the record" \
			"$(records incoming 'pf$')" "$(pfs)"
		check_numvfs_is_busy "while the PF is not finished"
		check "the session of the PF is finished" pci-liveupdate finish vm3
	fi
	check_same "nothing stays in the record" "$(records incoming)" ""
}

second() {
	local pfs kept others pf

	pfs=$(pfs)
	kept=$(kept_vfs)
	others=$(vfs_of $pfs | grep -vxF "$kept")

	say_records incoming
	check_record incoming
	check_same "every device of the record is present" "$(absent)" 0
	check_links
	check_same "no preserved function is bound" "$(bound $pfs $kept $(functions))" 0
	check_same "preserved VFs can do DMA" "$(bus_masters $kept)" "$kept"
	check_same "VFs that are not preserved cannot" "$(bus_masters $others)" ""
	if [ "$(parameter remove no)" = yes ]; then
		remove_and_rescan
		check_record incoming
		check_links
		check_same "nothing is absent after the rescan" "$(absent)" 0
		check_same "no preserved function is bound still" "$(bound $pfs $kept)" 0
	fi

	say_attributes second
	say_vf_registers second
	check_vf_io
	bind $pfs $kept $(functions)
	check_numvfs_is_busy "before VFs are finished"
	check_same "refused writes and drivers leave all VFs" "$(kept_vfs)" "$kept"
	finish_all
	check_vf_again "finished VF"

	for pf in $pfs; do
		echo 0 >"$(numvfs $pf)"
		check_same "VFs can be disabled in the end" "$(vfs_of $pf)" ""
		check "VFs can be enabled again" enable_vfs $pf
	done
}
