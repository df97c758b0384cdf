# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# Helpers of the scenarios. They run in busybox's shell.
#
# Lines to the host: "ok CHECK", "not ok CHECK", "data KEY VALUE...",
# "phase NAME" when something begins, "monitor COMMAND" for QEMU's monitor, and
# "end KERNEL" when all is done.

# Addresses have no blanks, and lists of them are meant to be split.
# shellcheck disable=SC2086,SC2046

STUB=pci-liveupdate-stub
PCI=/sys/bus/pci
RECORD=/sys/kernel/debug/pci_liveupdate

start() {
	local side

	export PATH=/bin:/sbin:/usr/bin:/usr/sbin
	mount -t proc proc /proc
	mount -t sysfs sysfs /sys
	mount -t devtmpfs devtmpfs /dev
	mount -t debugfs debugfs /sys/kernel/debug
	mount -t tmpfs tmpfs /tmp
	side=/dev/$(parameter side)
	stty -F "$side" raw -echo 2>/dev/null
	exec 3>"$side"
	load_modules
	[ "$(parameter kernel first)" != first ] || enable_bridges
}

# load_modules: most scenarios want vfio-pci from the start, as a kernel without modules
# has it.
load_modules() {
	[ -d "/lib/modules/$(uname -r)" ] || return 0
	depmod
	[ "$(parameter module no)" = yes ] || modprobe vfio-pci
}

say() {
	echo "$@" >&3
}

# Whether a check has failed, for scenarios that end then.
FAILED=

# check TEXT COMMAND...
check() {
	local text=$1
	shift

	if "$@" >/tmp/out 2>&1; then
		say "ok $text"
		return 0
	fi
	# shellcheck disable=SC2034
	FAILED=1
	say "not ok $text"
	sed 's/^/data failed /' /tmp/out >&3
	return 1
}

check_same() {
	check "$1" [ "$2" = "$3" ] && return
	# In one line, as the suite shows it.
	say "data failed $(echo "found '$2', expected '$3'" | tr '\n' ' ')"
	return 1
}

# parameter NAME DEFAULT: from the kernel's command line.
parameter() {
	local value

	value=$(tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p" | head -n 1)
	echo "${value:-$2}"
}

power_off() {
	sync
	# QEMU runs with -no-reboot.
	reboot -f
	sleep 60
}

die() {
	say "not ok $*"
	power_off
}

# functions_of VENDOR:DEVICE...: addresses, in order.
functions_of() {
	local dir vendor device want

	for dir in "$PCI"/devices/*; do
		read -r vendor <"$dir/vendor"
		read -r device <"$dir/device"
		for want; do
			[ "$vendor:$device" != "0x${want%:*}:0x${want#*:}" ] ||
				echo "${dir##*/}"
		done
	done
}

EDU=1234:11e8
NVME=1b36:0010
PVPANIC=1b36:0011
# A function of pci_liveupdate_hosts=, in a segment other than QEMU's.
SOFTWARE=bdf0:1000

# is_below_bridge ADDRESS: in sysfs the parent of the function is a bridge, and not a
# host bridge. This takes no process.
is_below_bridge() {
	[ -e "$PCI/devices/$1/../secondary_bus_number" ]
}

# has_sriov ADDRESS: a VF, or a PF. This takes no process.
has_sriov() {
	[ -e "$PCI/devices/$1/physfn" ] || [ -e "$PCI/devices/$1/sriov_totalvfs" ]
}

# functions_below_bridges VENDOR:DEVICE...: but no PFs and VFs.
functions_below_bridges() {
	local address

	for address in $(functions_of "$@"); do
		has_sriov "$address" || ! is_below_bridge "$address" || echo "$address"
	done
}

# functions_on_root_buses VENDOR:DEVICE...
functions_on_root_buses() {
	local address

	for address in $(functions_of "$@"); do
		is_below_bridge "$address" || echo "$address"
	done
}

# The scenarios preserve functions below bridges, and not those on root buses.
below_bridges() {
	functions_below_bridges $EDU $NVME $PVPANIC $SOFTWARE
}

on_root_bus() {
	functions_on_root_buses $EDU $PVPANIC
}

edus_below_bridges() {
	functions_below_bridges $EDU
}

nvmes_below_bridges() {
	functions_below_bridges $NVME
}

# bind_to DRIVER ADDRESS...
bind_to() {
	local driver=$1 address
	shift

	for address; do
		echo "$driver" >"$PCI/devices/$address/driver_override"
		echo "$address" >"$PCI/drivers_probe"
	done
}

# bind ADDRESS...: to the stub, or to the driver that the parameter driver names.
bind() {
	bind_to "$(parameter driver $STUB)" "$@"
}

# bind_pfs PF...: the same with the parameter pf_driver.
bind_pfs() {
	bind_to "$(parameter pf_driver $STUB)" "$@"
}

# unbind ADDRESS: and let any driver bind again.
unbind() {
	echo "$1" >"$PCI/devices/$1/driver/unbind"
	echo >"$PCI/devices/$1/driver_override"
}

# config_write ADDRESS OFFSET BYTE...: bytes in hexadecimal.
config_write() {
	local file=$PCI/devices/$1/config offset=$2 bytes=''
	shift 2

	for byte; do
		bytes="$bytes\\x$byte"
	done
	# shellcheck disable=SC2059 # these are escapes
	printf "$bytes" >/tmp/bytes
	dd if=/tmp/bytes of="$file" bs=$# seek=$((offset / $#)) conv=notrunc status=none
}

# reset ADDRESS: the function. In a shell of its own, for its complaint to be seen.
reset() {
	sh -c 'echo 1 >"$0"' "$PCI/devices/$1/reset"
}

# reset_below ADDRESS: the bus below the bridge.
reset_below() {
	sh -c 'echo 1 >"$0"' "$PCI/devices/$1/reset_subordinate"
}

# config_read ADDRESS OFFSET [BYTES]: the value of a register of 1, 2 or 4 bytes.
config_read() {
	hexdump -s "$2" -v -n "${3:-1}" -e "1/${3:-1} \"0x%02x\"" "$PCI/devices/$1/config"
}

# extended_capability ADDRESS ID: its offset, or nothing.
extended_capability() {
	local offset=256 header

	while [ "$offset" -gt 0 ]; do
		header=$(config_read "$1" "$offset" 4)
		if [ $((header & 0xffff)) = $(($2)) ]; then
			echo "$offset"
			return
		fi
		offset=$((header >> 20))
	done
}

# acs_of BRIDGE...: lines "ADDRESS CONTROL", one for each with ACS.
acs_of() {
	local bridge offset

	for bridge; do
		offset=$(extended_capability "$bridge" 0x0d)
		[ ! "$offset" ] ||
			echo "$bridge $(config_read "$bridge" $((offset + 6)) 2)"
	done
}

# iommu_groups: one line a group, with all functions in it. Groups are numbered as they
# come.
iommu_groups() {
	local group

	for group in /sys/kernel/iommu_groups/*; do
		(cd "$group/devices" && echo *)
	done | sort
}

# enable_dma ADDRESS...: set Memory Space Enable, Bus Master Enable and INTx Disable.
enable_dma() {
	local address

	for address; do
		config_write "$address" 4 06 04
	done
}

# decode_memory ADDRESS: set Memory Space Enable. Firmware may not have done it, and the
# file "enable" refuses a function with a driver.
decode_memory() {
	config_write "$1" 4 "$(printf %02x $(($(config_read "$1" 4) | 2)))"
}

# enable_bridges: bridges without a driver forward nothing until firmware or the driver of
# a function below enables them. The stub and the programs of scenarios do not. A machine
# that a device tree describes has no firmware.
enable_bridges() {
	local file bridge

	[ -d /proc/device-tree ] || return 0
	for file in "$PCI"/devices/*/secondary_bus_number; do
		bridge=${file%/*}
		bridge=${bridge##*/}
		[ $(($(config_read "$bridge" 4) & 2)) != 0 ] || config_write "$bridge" 4 06
	done
}

# can_do_dma ADDRESS: Bus Master Enable is set.
can_do_dma() {
	[ $(($(config_read "$1" 4) & 4)) != 0 ]
}

# driver_of ADDRESS: or nothing.
driver_of() {
	local link

	link=$(readlink "$PCI/devices/$1/driver") && echo "${link##*/}"
}

# port_above ADDRESS: the bridge above a function, or nothing on a root bus.
port_above() {
	! is_below_bridge "$1" || basename "$(readlink -f "$PCI/devices/$1/..")"
}

count() {
	echo "$#"
}

bound() {
	local address n=0

	for address; do
		[ ! -e "$PCI/devices/$address/driver" ] || n=$((n + 1))
	done
	echo "$n"
}

# register ADDRESS OFFSET: physical address of a register in BAR 0.
register() {
	local start rest

	read -r start rest <"$PCI/devices/$1/resource"
	printf '0x%x\n' $((start + $2))
}

# register_read ADDRESS OFFSET: 32 bits.
register_read() {
	echo $(($(devmem "$(register "$1" "$2")" 32)))
}

# register_write ADDRESS OFFSET VALUE
register_write() {
	devmem "$(register "$1" "$2")" 32 "$3"
}

# address_number ADDRESS: a number that no other function has, of any segment.
address_number() {
	echo $((0x$(echo "$1" | tr -d ':.')))
}

# edu_pattern ADDRESS: 32 bits. The liveness check of edu keeps the complement of a
# value written to it, and its DMA source address keeps the value.
edu_pattern() {
	echo $(((0x5a000000 + $(address_number "$1")) & 0xffffffff))
}

# The source of the DMA that edu-dma.c starts.
EDU_BUFFER=$((0x40000))

edu_write() {
	decode_memory "$1"
	devmem "$(register "$1" 4)" 32 "$(edu_pattern "$1")"
	devmem "$(register "$1" 128)" 32 "$(edu_pattern "$1")"
}

# edu_holds ADDRESS [SOURCE]: both registers still have the pattern, or that of the DMA
# source address has SOURCE. An edu keeps them even through a reset.
edu_holds() {
	local live dma pattern

	pattern=$(edu_pattern "$1")
	live=$(devmem "$(register "$1" 4)" 32)
	dma=$(devmem "$(register "$1" 128)" 32)
	[ $((live)) = $((~pattern & 0xffffffff)) ] && [ $((dma)) = "${2:-$pattern}" ]
}

# enable_decoding ADDRESS: memory decoding may be off; turning it on is no reset. A driver
# has turned it on.
enable_decoding() {
	[ -e "$PCI/devices/$1/driver" ] || echo 1 >"$PCI/devices/$1/enable"
}

# edus_that_hold DMA-EDU ADDRESS...: the number of edus with their registers, of which
# DMA-EDU did DMA during the kexec.
edus_that_hold() {
	local dma_edu=$1 address source n=0
	shift

	for address; do
		enable_decoding "$address"
		source=
		[ "$address" != "$dma_edu" ] || source=$EDU_BUFFER
		! edu_holds "$address" $source || n=$((n + 1))
	done
	echo "$n"
}

# Registers of an nvme controller.
NVME_CC=0x14
NVME_CSTS=0x1c
NVME_AQA=0x24
NVME_ASQ=0x28
NVME_ACQ=0x30

# Enabled, with entries of 64 and 16 bytes as the specification wants them.
NVME_CC_RUN=$((0x00460001))
# 32 entries in each of the two queues for administration.
NVME_AQA_QUEUES=$((0x001f001f))

# nvme_queue ADDRESS: the address of a queue, in 32 bits. The tests never ring a
# doorbell, so the controller neither reads nor writes memory.
nvme_queue() {
	echo $(((0x10000000 + $(address_number "$1") * 0x2000) & 0xffffe000))
}

# nvme_ready ADDRESS VALUE: wait until CSTS.RDY is VALUE.
nvme_ready() {
	local tries=0

	while [ $(($(register_read "$1" $NVME_CSTS) & 1)) != "$2" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || return
		usleep 10000
	done
}

# nvme_start ADDRESS: bring a controller up. The BIOS may have done it before.
nvme_start() {
	local side

	local queue

	queue=$(nvme_queue "$1")
	echo 1 >"$PCI/devices/$1/enable"
	enable_dma "$1"
	register_write "$1" $NVME_CC 0
	nvme_ready "$1" 0 || return
	register_write "$1" $NVME_AQA $NVME_AQA_QUEUES
	register_write "$1" $NVME_ASQ "$queue"
	register_write "$1" $((NVME_ASQ + 4)) 0
	register_write "$1" $NVME_ACQ $((queue + 0x1000))
	register_write "$1" $((NVME_ACQ + 4)) 0
	register_write "$1" $NVME_CC $NVME_CC_RUN
	nvme_ready "$1" 1
}

# nvme_runs ADDRESS: the registers of a controller still have the values of
# nvme_start(). Any reset stops the controller.
nvme_runs() {
	local queue

	queue=$(nvme_queue "$1")
	enable_decoding "$1"
	[ "$(register_read "$1" $NVME_CC)" = $NVME_CC_RUN ] &&
		[ "$(register_read "$1" $NVME_CSTS)" = 1 ] &&
		[ "$(register_read "$1" $NVME_AQA)" = $NVME_AQA_QUEUES ] &&
		[ "$(register_read "$1" $NVME_ASQ)" = "$queue" ] &&
		[ "$(register_read "$1" $NVME_ACQ)" = $((queue + 0x1000)) ]
}

nvmes_that_run() {
	local address n=0

	for address; do
		! nvme_runs "$address" || n=$((n + 1))
	done
	echo "$n"
}

nvmes() {
	functions_of $NVME
}

# pfs: addresses, in order.
pfs() {
	local file

	for file in "$PCI"/devices/*/sriov_totalvfs; do
		file=${file%/*}
		[ "$file" = "$PCI/devices/*" ] || echo "${file##*/}"
	done
}

# vfs_of PF...: addresses, in order. A process for each VF would take long.
vfs_of() {
	local pf

	for pf; do
		stat -c %N "$PCI/devices/$pf"/virtfn* 2>/dev/null | sed "s,.*/,,;s,'$,,"
	done | sort
}

# kept_vfs: the VFs to preserve: one of as many as the parameter vfs_step says.
kept_vfs() {
	vfs_of $(pfs) | awk -v step="$(parameter vfs_step 1)" '(NR - 1) % step == 0'
}

# io_vf: the VF with I/O in flight, one of the first PF.
io_vf() {
	kept_vfs | head -n 1
}

# numvfs PF: the file.
numvfs() {
	echo "$PCI/devices/$1/sriov_numvfs"
}

# VFs are nvme controllers. A scenario can replace the functions that access them, as
# igb.sh does: vfs_online, start_kept_vfs, say_vf_registers, check_vf_io, check_vf_again.

# vfs_online PF COUNT: its VFs were enabled.
vfs_online() {
	nvme-vf online "$1" "$2"
}

# enable_vfs PF: as many as the parameter vfs says, or all, and bring their controllers
# online. The PF has to be bound.
enable_vfs() {
	local count

	count=$(parameter vfs "$(cat "$PCI/devices/$1/sriov_totalvfs")")
	enable_dma "$1"
	echo "$count" >"$(numvfs "$1")" && vfs_online "$1" "$count"
}

# bind_vfs: bind PFs, enable their VFs, and bind the VFs to preserve.
bind_vfs() {
	local pf

	bind_pfs $(pfs)
	for pf in $(pfs); do
		check "VFs of $pf are enabled and online" enable_vfs "$pf"
	done
	bind $(kept_vfs)
}

# start_vfs: the same, and start the VFs to preserve.
start_vfs() {
	bind_vfs
	start_kept_vfs
}

# start_kept_vfs: the controllers of the VFs to preserve run, and one has a read in
# flight, in a memfd that is preserved.
start_kept_vfs() {
	local kept io

	kept=$(kept_vfs)
	[ "$kept" ] || return 0
	io=$(io_vf)
	enable_dma $kept
	[ "$kept" = "$io" ] ||
		check "controllers of VFs come up" nvme-vf enable $(echo "$kept" | grep -vx "$io")
	check "a read is in flight on VF $io" nvme-vf start "$io"
	say_vf_registers first
}

# say_vf_registers KERNEL: of the controllers of preserved VFs. The host compares them.
say_vf_registers() {
	nvme-vf registers $(kept_vfs) 2>&1 | sed "s/^/data registers $1 /" >&3
}

# check_vf_io: the read in flight was not completed by the time that this kernel
# ran, completes now that the drive is told to, and new commands work.
check_vf_io() {
	local io

	io=$(io_vf)
	[ "$io" ] || return 0
	check "the read on VF $io is still in flight" nvme-vf retrieve "$io"
	say "monitor block_set_io_throttle pf1.drive 0 0 0 0 0 0"
	if check "the read on VF $io completes in this kernel" nvme-vf check "$io" 10; then
		say "data vf_read completed"
	else
		say "data vf_read lost"
	fi
	check_vf_again "VF"
}

# check_vf_again TEXT: after the TEXT, the VF with I/O takes commands.
check_vf_again() {
	check "$1 $(io_vf) takes new commands" nvme-vf again "$(io_vf)"
}

# bus_masters ADDRESS...: those that can do DMA.
bus_masters() {
	local address command files=''

	for address; do
		files="$files $PCI/devices/$address/config"
	done
	[ ! "$files" ] || head -q -c 5 $files | hexdump -v -e '5/1 "%02x" "\n"' | {
		for address; do
			read -r command
			[ $((0x${command#????????} & 4)) = 0 ] || echo "$address"
		done
	}
}

# nvme_runs_at BAR: a controller is enabled and ready, even if the kernel removed its
# function.
nvme_runs_at() {
	local cc csts

	cc=$(devmem $(($1 + NVME_CC)) 32)
	csts=$(devmem $(($1 + NVME_CSTS)) 32)
	echo "CC is $cc, CSTS is $csts"
	[ $((cc)) = $NVME_CC_RUN ] && [ $((csts)) = 1 ]
}

# preserve SESSION ADDRESS...: prints the ID of the process that holds it.
preserve() {
	pci-liveupdate -q preserve --background "$@"
}

# log_has TEXT: the kernel has logged it.
log_has() {
	dmesg | grep -qF "$1"
}

# wait_for_log TEXT: for ten seconds.
wait_for_log() {
	local tries=100

	until log_has "$1"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		usleep 100000
	done
}

# absent: the number of devices of the record that are not there.
absent() {
	awk '$5 == "absent" { n++ } END { print n + 0 }' "$RECORD"
}

# close_session HOLDER [SIGNAL]: end the process that holds it.
close_session() {
	# kill "" ends all processes of the group.
	[ "$1" ] && kill "-${2:-TERM}" "$1" || return
	while [ -e "/proc/$1" ]; do
		usleep 10000
	done
}

# lines_said: the number of our lines in the log. LUO names the file handler in its
# own lines.
lines_said() {
	dmesg | grep liveupdate | grep -vc luo
}

# write_is_busy FILE VALUE: the write fails with EBUSY.
write_is_busy() {
	local error

	if error=$( (echo "$2" >"$1") 2>&1); then
		echo "the write of $2 to $1 was successful"
		return 1
	fi
	echo "$error"
	echo "$error" | grep -q busy
}

# check_refused TEXT FILE VALUE: the write fails with EBUSY, with one line in the log.
check_refused() {
	local before

	before=$(lines_said)
	check "$1 is refused" write_is_busy "$2" "$3"
	check_same "one line says that $1 is refused" $(($(lines_said) - before)) 1
}

# records SIDE [KIND]: addresses in the record.
records() {
	awk -v side="$1" -v kind="${2:-.}" \
		'$1 == side && $4 ~ kind { print $2 }' "$RECORD"
}

# say_records SIDE: the record, and the bus below each bridge in it.
say_records() {
	local bridge

	sed -n "s/^$1 /data record $1 /p" "$RECORD" >&3
	for bridge in $(records "$1" bridge); do
		say "data bridge $1 $bridge $(cat "$PCI/devices/$bridge/secondary_bus_number")"
	done
}

# load_next [WORD...]: load the next kernel, or IMAGE. WORDs replace liveupdate=on, and
# words of the same names on the command line. The next kernel does not get pci= of this
# one. With LOAD=-c kexec_load() loads it, which does not pass KHO's data on. NEXT is its
# name, or else it is the second.
load_next() {
	local line word

	[ $# -gt 0 ] || set -- liveupdate=on
	set -- "kernel=${NEXT:-second}" "$@"
	line=" $(cat /proc/cmdline)"
	for word in liveupdate pci "$@"; do
		line=$(echo "$line" | sed "s/ ${word%%=*}=[^ ]*//g")
	done
	kexec "${LOAD:--s}" -l "${IMAGE:-/boot/next}" --initrd=/sys/firmware/initrd \
		--command-line="${line# } $*" || die "the next kernel can be loaded"
}

# run_next: does not come back, unless it fails.
run_next() {
	say "end first"
	say "phase kexec"
	sync
	kexec -e
	die "the next kernel runs"
}

# run_next_with PROGRAM...: the same, by a program.
run_next_with() {
	say "end $(parameter kernel first)"
	say "phase kexec"
	sync
	"$@" >/tmp/out 2>&1
	sed 's/^/data failed /' /tmp/out >&3
	die "$1 begins and the next kernel runs"
}

# run_next_with_dma EDU...: the same, while each edu writes to memory that is preserved.
# An edu has to be a bus master.
run_next_with_dma() {
	run_next_with edu-dma start "$@"
}

# check_leaks: in a kernel with kmemleak, which only believes in a leak that is
# five seconds old and that it has seen twice.
check_leaks() {
	local leaks=/sys/kernel/debug/kmemleak

	[ -e "$leaks" ] || return 0
	sleep 6
	echo scan >"$leaks"
	echo scan >"$leaks"
	cat "$leaks" >/tmp/leaks
	check "no memory is leaked" not [ -s /tmp/leaks ] ||
		sed 's/^/data failed /' /tmp/leaks >&3
}

# page_size: in kB.
page_size() {
	awk '/^KernelPageSize/ { print $2; exit }' /proc/self/smaps
}

# catch_uevents: lines "EVENT ADDRESS" in /tmp/uevents.
catch_uevents() {
	: >/tmp/uevents
	cat >/tmp/uevent-helper <<-'END'
	#!/bin/sh
	[ ! "$PCI_LIVEUPDATE" ] ||
		echo "$PCI_LIVEUPDATE $PCI_SLOT_NAME" >>/tmp/uevents
	END
	chmod +x /tmp/uevent-helper
	echo /tmp/uevent-helper >/sys/kernel/uevent_helper
}

# uevent EVENT ADDRESS: whether it came. The kernel does not wait for the helper.
uevent() {
	becomes grep -qx "$1 $2" /tmp/uevents
}

# becomes COMMAND...: within two seconds.
becomes() {
	local tries=20

	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		usleep 100000
	done
}

# draw N: set DRAWN to a number from 0 to N - 1. The parameter seed decides.
# shellcheck disable=SC2034 # scenarios use it
draw() {
	[ "$RANDOM_STATE" ] || RANDOM_STATE=$(parameter seed 1)
	RANDOM_STATE=$(((RANDOM_STATE * 1103515245 + 12345) & 0x7fffffff))
	DRAWN=$((RANDOM_STATE / 256 % $1))
}

# kill_after MICROSECONDS COMMAND...: kill it then, if it is not over.
kill_after() {
	local us=$1 pid
	shift

	"$@" >/dev/null 2>&1 &
	pid=$!
	usleep "$us"
	kill -KILL $pid 2>/dev/null
	wait $pid
}

# measure COMMAND...: set ELAPSED_US. Not in a subshell, where close_session does not end:
# this shell is the parent of the holder, and has to wait for it.
# shellcheck disable=SC2034 # scenarios use it
measure() {
	local before after

	read -r before _ </proc/uptime
	"$@" >/dev/null
	read -r after _ </proc/uptime
	ELAPSED_US=$(awk -v a="$after" -v b="$before" \
		'BEGIN { printf "%d\n", (a - b) * 1000000 }')
}

mem_total() {
	awk '/^MemTotal/ { print $2 }' /proc/meminfo
}

not() {
	! "$@"
}
