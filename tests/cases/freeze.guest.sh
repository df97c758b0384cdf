# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# The kexec fails while a session has the file of a function that was unbound, removed
# or reset: the next kernel could not give the function back to its owner.

# A sibling reports errors.
reset_nvme() {
	nvmes | tail -n 1
}

others() {
	below_bridges | grep -vx "$(reset_nvme)"
}

first() {
	local unbound removed others vm2 vm3

	unbound=$(others | head -n 1)
	removed=$(others | tail -n 1)
	others=$(others | sed '1d;$d')
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
	check_reset_is_refused
	load_next liveupdate=on refused=3
	run_next
}

# check_reset_is_refused: the stub cannot recover from the reset.
check_reset_is_refused() {
	local vm4

	vm4=$(preserve vm4 $(reset_nvme))
	say "monitor pcie_aer_inject_error faulty DLP"
	wait_for_log "device recovery failed"
	check "AER has reset a function" not can_do_dma $(reset_nvme)
	check_kexec_is_refused "a function that was reset" $(reset_nvme)
	close_session $vm4
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

	others=$(others | sed '1d;$d')
	check_same "the kexec was refused three times" "$(parameter refused)" 3
	check_same "the others are preserved" "$(records incoming function)" "$others"
	bind $others
	check "their session is finished" pci-liveupdate finish vm1
}
