# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# Functions are lost between the two kernels and in the second one. One line names each
# of them, the session of their owner can finish, and no other function is disturbed. The
# test reaches the registers of ports through memory, which neither kernel sees.

# Slots of the ports above functions that are lost...
# ...between the kernels: the card is pulled, or its link goes down and comes up.
PULLED=0000:00:08.0
LINK_DOWN=0000:00:09.0
# ...in the second kernel: the card is pulled before it is bound, the function stops to
# answer before its file is retrieved, and is pulled before it is finished.
PULLED_BOUND=0000:00:10.0
MUTE=0000:00:11.0
PULLED_FINISH=0000:00:12.0
# A sibling reports fatal errors: the function is not lost.
FAULTY=0000:00:13.0
# PFs
PF_LINK_DOWN=0000:00:15.0
PF_PULLED=0000:00:16.0
# Functions that are reset while the kernel shuts down.
BYSTANDERS="0000:00:17.0 0000:00:18.0 0000:00:19.0"

# below PORT: functions, VFs after their PF.
below() {
	local dir

	for dir in "$PCI/devices/$1"/*:*:*.[0-7]; do
		[ ! -e "$dir/vendor" ] || echo "${dir##*/}"
	done
}

# nvme_below PORT...
nvme_below() {
	local port

	for port; do
		below $port | grep -xF "$(nvmes)"
	done
}

# ports OF...: those that the machine has.
ports() {
	local port

	for port; do
		[ ! -e "$PCI/devices/$port" ] || echo $port
	done
}

# ecam ADDRESS OFFSET: the physical address of a register.
ecam() {
	local base bus device

	base=$(sed -n 's/^ *\([0-9a-f]*\)-.*PCI ECAM 0000.*/\1/p' /proc/iomem)
	bus=$(echo $1 | cut -d : -f 2)
	device=$(echo $1 | cut -d : -f 3)
	printf '0x%x\n' $((0x$base + (0x$bus << 20) + (0x${device%.*} << 15) +
		(${device#*.} << 12) + $2))
}

# capability ADDRESS ID: its offset.
capability() {
	local offset

	offset=$(config_read $1 0x34)
	while [ $(($(config_read $1 $offset))) != $(($2)) ]; do
		offset=$(config_read $1 $((offset + 1)))
	done
	echo $((offset))
}

# pull PORT: prints commands that have QEMU take the card out of the slot: it does when
# the slot loses its power. Interrupts are off meanwhile, and then the slot has power
# again: pciehp must learn first that the card is gone.
pull() {
	local register control

	register=$(($(capability $1 0x10) + 0x18))
	control=$(($(config_read $1 $register 2)))
	echo "devmem $(ecam $1 $register) 16 $(((control | 0x0700) & ~0x20))"
	echo "devmem $(ecam $1 $register) 16 $control"
}

# link_down PORT: prints the commands that reset the bus, as a link does that goes down
# and comes up again.
link_down() {
	local control

	control=$(config_read $1 0x3e 2)
	echo "devmem $(ecam $1 0x3e) 16 $((control | 0x40))"
	echo "devmem $(ecam $1 0x3e) 16 $((control))"
}

# mute PORT: prints the command that takes the bus numbers away. No function below
# answers then.
mute() {
	echo "devmem $(ecam $1 0x18) 32 0"
}

# lost: functions with an owner of their own that the test loses.
lost() {
	nvme_below $(ports $PULLED $LINK_DOWN $PULLED_BOUND $MUTE $PULLED_FINISH)
	vfs_of $(lost_pfs)
}

lost_pfs() {
	nvme_below $(ports $PF_LINK_DOWN $PF_PULLED) | grep -xF "$(pfs)"
}

# kept_vfs: as start_kept_vfs() and others take them.
kept_vfs() {
	vfs_of $(pfs | head -n 1)
}

bystanders() {
	local port

	for port in $BYSTANDERS; do
		below $port
	done
}

neighbours() {
	below_bridges | grep -vxF "$(lost; bystanders)"
	kept_vfs
}

kept_nvmes() {
	nvmes_below_bridges | grep -xF "$(neighbours)"
}

# lines_about ADDRESS: our lines in the log.
lines_about() {
	dmesg | grep liveupdate: | grep -vF luo | grep -F "$1"
}

# check_lost TEXT ADDRESS...: one line says so.
check_lost() {
	local text=$1 address
	shift

	for address; do
		lines_about $address >/tmp/about
		check_same "one line says that $address is lost, $text" \
			"$(wc -l </tmp/about)" 1 || sed 's/^/data failed /' /tmp/about >&3
		check "$address is not there, $text" \
			not grep -q "^incoming $address .* present" "$RECORD"
	done
}

# mark BYTE: see is_not_written().
mark() {
	config_write 0000:00:1d.0 0x3c $1
}

# gap: losses between the kernels: after the first one has handed its devices over, and
# while it shuts devices down.
gap() {
	grep -q -m 1 'preserving .* segments for the next kernel' /dev/kmsg
	eval "$(cat /tmp/gap)"
	: >/tmp/gap_over
	say "data gap over"
}

# keep_resetting FUNCTION...: shutdown waits for the locks of the functions and of their
# ports. Processes hold them in turn until the losses have happened. Shutdown may be the
# next after the first reset, which takes a second: several functions make up for that.
# The functions do not decode addresses: QEMU may lose an access to another function while
# it maps a BAR.
keep_resetting() {
	local function _

	for function; do
		config_write $function 4 00
		for _ in 1 2 3; do
			while [ ! -e /tmp/gap_over ]; do
				echo 1 >"$PCI/devices/$function/reset"
			done &
		done
		# The last process resets it, or waits for the others.
		until grep -q '^State:.D' "/proc/$!/status"; do
			usleep 10000
		done
	done
}

# prepare_gap: find registers before that.
prepare_gap() {
	local port

	for port in $(ports $PULLED $PF_PULLED); do
		pull $port
	done
	for port in $(ports $LINK_DOWN $PF_LINK_DOWN); do
		link_down $port
	done
	[ ! "$(ports $FAULTY)" ] || echo 'say "monitor pcie_aer_inject_error faulty DLP"'
}

start_devices() {
	local edu nvme

	for nvme in $(nvmes_below_bridges); do
		check "controller $nvme comes up" nvme_start $nvme
	done
	for edu in $(edus_below_bridges); do
		edu_write $edu
		enable_dma $edu
	done
	start_kept_vfs
}

first() {
	local gone gone_pfs

	bind $(below_bridges | grep -vxF "$(bystanders)")
	bind_vfs
	bind $(vfs_of $(lost_pfs))
	check "the neighbours are preserved" preserve vm1 $(neighbours)
	check "the others are preserved" preserve lost $(lost)
	start_devices
	say data users $(neighbours)
	prepare_gap >/tmp/gap
	gone=$(nvme_below $(ports $PULLED $LINK_DOWN); vfs_of $(lost_pfs))
	gone_pfs=$(lost_pfs)
	load_next liveupdate=on "gone=$(echo $gone | tr ' ' ,)" \
		"gone_pfs=$(echo $gone_pfs | tr ' ' ,)"
	mark 5a
	gap &
	keep_resetting $(bystanders)
	run_next_with_dma $(edus_below_bridges)
}

# check_neighbours TEXT
check_neighbours() {
	check_same "the edu has its registers, $1" \
		"$(edus_that_hold $(edus_below_bridges) $(edus_below_bridges))" 1
	check_same "the controllers run, $1" "$(nvmes_that_run $(kept_nvmes))" \
		"$(count $(kept_nvmes))"
	check_same "all can do DMA, $1" "$(count $(bus_masters $(neighbours)))" \
		"$(count $(neighbours))"
}

# lose_before_bind: a card is pulled while no driver is bound.
lose_before_bind() {
	local nvme

	nvme=$(nvme_below $(ports $PULLED_BOUND))
	[ "$nvme" ] || return 0
	eval "$(pull $PULLED_BOUND)"
	check "pciehp removes $nvme" wait_for_log "$nvme: liveupdate: gone"
	check_lost "before it is bound" $nvme
}

# fail_sibling: the function would be reset if it was not preserved.
fail_sibling() {
	local before

	[ "$(ports $FAULTY)" ] || return 0
	before=$(lines_said)
	say "monitor pcie_aer_inject_error faulty DLP"
	check "AER reports the error" wait_for_log "(Fatal)"
	# A reset takes a second.
	sleep 2
	check_same "one line says that there is no reset" $(($(lines_said) - before)) 1
}

# lose_in_session: a program with the files of the session, while a card is pulled.
lose_in_session() {
	local nvme

	# The session is 3, as lines to the host are.
	exec 9>&3 3>/dev/ttyS1
	nvme=$(nvme_below $(ports $PULLED_FINISH))
	if [ "$nvme" ]; then
		eval "$(pull $PULLED_FINISH)"
		check "pciehp sees that $nvme is pulled" wait_for_log "Slot(12): Card not present"
	fi
	check_neighbours "before they are finished"
	mark a5
	pci-liveupdate --session-fd 9 finish lost >/tmp/finish 2>&1
	sed 's/^/data finish /' /tmp/finish >&3
	check "the session with lost functions is finished" \
		grep -q '^session lost: finished' /tmp/finish
	[ ! "$nvme" ] || check_lost "before it is finished" $nvme
}

# check_files ADDRESS...: the owner learns that each function is lost.
check_files() {
	local address

	for address; do
		check "the file of $address is not retrieved" grep -q \
			"$address does not exist in\|$address cannot be retrieved: No such device:" \
			/tmp/finish
	done
}

second() {
	local gone

	gone=$(parameter gone "" | tr , ' ')
	check_lost "between the kernels" $gone $(parameter gone_pfs "" | tr , ' ')
	gone="$gone $(nvme_below $(ports $PULLED_BOUND $MUTE))"
	check_neighbours "after the kexec"
	check "the data of the edu arrived" edu-dma check
	[ ! "$(kept_vfs)" ] || say_vf_registers second
	check_vf_io
	lose_before_bind
	bind_pfs $(pfs)
	bind $(neighbours) $(lost)
	[ ! "$(ports $MUTE)" ] || eval "$(mute $MUTE)"
	fail_sibling
	pci-liveupdate -q retrieve lost -- \
		sh -c '. /lib/guest.sh && . /scenarios/errors.sh && lose_in_session' >/tmp/err 2>&1
	sed 's/^/data err /' /tmp/err >&3
	check_files $gone
	check_same "the neighbours stay preserved" "$(grep -E '(function|vf) present' "$RECORD" |
		cut -d ' ' -f 2)" "$(neighbours | sort)"
	check "the session of the neighbours is finished" pci-liveupdate finish vm1
	check_same "nothing stays in the record" "$(records incoming)" ""
}
