# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# The kexec fails while a session has the file of a function that was unbound or
# removed: the next kernel could not give the function back to its owner.

first() {
	local unbound removed others vm2 vm3

	unbound=$(below_bridges | head -n 1)
	removed=$(below_bridges | tail -n 1)
	others=$(below_bridges | sed '1d;$d')
	enable_dma $(below_bridges)
	bind $(below_bridges)
	edu_write $unbound
	check "the others are preserved" preserve vm1 $others
	vm2=$(preserve vm2 $unbound)
	vm3=$(preserve vm3 $removed)
	load_next liveupdate=on refused=0

	echo $unbound >"$PCI/drivers/$STUB/unbind"
	check_kexec_is_refused "an unbound function" $unbound
	check "the unbound function can do DMA" can_do_dma $unbound
	check "and has its registers" edu_holds $unbound
	close_session $vm2

	load_next liveupdate=on refused=1
	echo 1 >"$PCI/devices/$removed/remove"
	check_kexec_is_refused "a removed function" $removed
	close_session $vm3

	load_next liveupdate=on refused=2
	run_next
}

# check_kexec_is_refused TEXT ADDRESS
check_kexec_is_refused() {
	local lines

	lines=$(lines_about $2)
	sync
	kexec -e 2>/tmp/err
	check "a kexec with $1 fails" [ -s /tmp/err ]
	check_same "one line names $1" $(($(lines_about $2) - lines)) 1
}

lines_about() {
	dmesg | grep -c "$1"
}

second() {
	local others

	others=$(below_bridges | sed '1d;$d')
	check_same "the kexec was refused twice" "$(parameter refused)" 2
	check_same "the others are preserved" "$(records incoming function)" "$others"
	bind $others
	check "their session is finished" pci-liveupdate finish vm1
}
