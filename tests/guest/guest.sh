# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# What the scenarios share. They run in busybox's shell.
#
# Lines to the host: "ok CHECK", "not ok CHECK", "data KEY VALUE...",
# "phase NAME" when something begins, "monitor COMMAND" for QEMU's monitor, and
# "end KERNEL" when all is done.

# Addresses have no blanks, and lists of them are meant to be split.
# shellcheck disable=SC2086

STUB=pci-liveupdate-stub
PCI=/sys/bus/pci
RECORD=/sys/kernel/debug/pci_liveupdate

start() {
	export PATH=/bin:/sbin:/usr/bin:/usr/sbin
	mount -t proc proc /proc
	mount -t sysfs sysfs /sys
	mount -t devtmpfs devtmpfs /dev
	mount -t debugfs debugfs /sys/kernel/debug
	mount -t tmpfs tmpfs /tmp
	stty -F /dev/ttyS1 raw -echo 2>/dev/null
	exec 3>/dev/ttyS1
}

say() {
	echo "$@" >&3
}

# check TEXT COMMAND...
check() {
	local text=$1
	shift

	if "$@" >/tmp/out 2>&1; then
		say "ok $text"
		return 0
	fi
	say "not ok $text"
	sed 's/^/data failed /' /tmp/out >&3
	return 1
}

check_same() {
	check "$1" [ "$2" = "$3" ] || say "data failed found '$2', expected '$3'"
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

# What the host puts below bridges is to be preserved, and what it puts on the
# root bus is not.
below_bridges() {
	functions_of 1234:11e8 1b36:0010 1b36:0011 | grep -v '^0000:00:'
}

on_root_bus() {
	functions_of 1234:11e8 1b36:0011 | grep '^0000:00:'
}

edus_below_bridges() {
	functions_of 1234:11e8 | grep -v '^0000:00:'
}

nvmes_below_bridges() {
	functions_of 1b36:0010 | grep -v '^0000:00:'
}

# bind ADDRESS...
bind() {
	local address

	for address; do
		echo "$STUB" >"$PCI/devices/$address/driver_override"
		echo "$address" >"$PCI/drivers_probe"
	done
}

# config_write ADDRESS OFFSET BYTE...: bytes in hexadecimal.
config_write() {
	local file=$PCI/devices/$1/config offset=$2 bytes=''
	shift 2

	for byte; do
		bytes="$bytes\\x$byte"
	done
	# shellcheck disable=SC2059 # these are escapes
	printf "$bytes" | dd of="$file" bs=$# seek=$((offset / $#)) \
		conv=notrunc status=none
}

# reset ADDRESS: the function. In a shell of its own, for its complaint to be seen.
reset() {
	sh -c 'echo 1 >"$0"' "$PCI/devices/$1/reset"
}

# reset_below ADDRESS: all that is below the bridge.
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

# enable_dma ADDRESS...: set Memory Space Enable, Bus Master Enable and INTx Disable.
enable_dma() {
	local address

	for address; do
		config_write "$address" 4 06 04
	done
}

# can_do_dma ADDRESS: whether Bus Master Enable is set.
can_do_dma() {
	[ $(($(config_read "$1" 4) & 4)) != 0 ]
}

# port_above ADDRESS
port_above() {
	basename "$(dirname "$(readlink -f "$PCI/devices/$1")")"
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

# bdf_number ADDRESS: a number that no other function has.
bdf_number() {
	local bdf=${1#*:}

	echo $((0x$(echo "$bdf" | tr -d ':.')))
}

# The liveness check of edu keeps the complement of what was written, and its
# DMA source address keeps what was written.
edu_pattern() {
	echo $((0x5a000000 + $(bdf_number "$1")))
}

# The edu that does DMA during the kexec. The source of its DMA is what edu-dma.c
# calls EDU_BUFFER.
EDU_DMA=
EDU_BUFFER=$((0x40000))

edu_write() {
	echo 1 >"$PCI/devices/$1/enable"
	devmem "$(register "$1" 4)" 32 "$(edu_pattern "$1")"
	devmem "$(register "$1" 128)" 32 "$(edu_pattern "$1")"
}

# edu_holds ADDRESS: whether both registers still have what was written there. An
# edu keeps them even through a reset.
edu_holds() {
	local live dma pattern source

	pattern=$(edu_pattern "$1")
	source=$pattern
	[ "$1" != "$EDU_DMA" ] || source=$EDU_BUFFER
	live=$(devmem "$(register "$1" 4)" 32)
	dma=$(devmem "$(register "$1" 128)" 32)
	[ $((live)) = $((~pattern & 0xffffffff)) ] && [ $((dma)) = "$source" ]
}

edus_that_hold() {
	local address n=0

	for address; do
		# Memory decoding may be off; turning it on is no reset.
		echo 1 >"$PCI/devices/$address/enable"
		! edu_holds "$address" || n=$((n + 1))
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

# nvme_queue ADDRESS: a page for a queue. Nobody tells the controller that there is
# something in the queue, so it neither reads nor writes memory.
nvme_queue() {
	echo $((0x10000000 + $(bdf_number "$1") * 0x2000))
}

nvme_read() {
	echo $(($(devmem "$(register "$1" "$2")" 32)))
}

nvme_write() {
	devmem "$(register "$1" "$2")" 32 "$3"
}

# nvme_ready ADDRESS VALUE: wait until CSTS.RDY is VALUE.
nvme_ready() {
	local tries=0

	while [ $(($(nvme_read "$1" $NVME_CSTS) & 1)) != "$2" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || return
		usleep 10000
	done
}

# nvme_start ADDRESS: bring a controller up. The BIOS may have done it before.
nvme_start() {
	local queue

	queue=$(nvme_queue "$1")
	echo 1 >"$PCI/devices/$1/enable"
	enable_dma "$1"
	nvme_write "$1" $NVME_CC 0
	nvme_ready "$1" 0 || return
	nvme_write "$1" $NVME_AQA $NVME_AQA_QUEUES
	nvme_write "$1" $NVME_ASQ "$queue"
	nvme_write "$1" $((NVME_ASQ + 4)) 0
	nvme_write "$1" $NVME_ACQ $((queue + 0x1000))
	nvme_write "$1" $((NVME_ACQ + 4)) 0
	nvme_write "$1" $NVME_CC $NVME_CC_RUN
	nvme_ready "$1" 1
}

# nvme_runs ADDRESS: whether a controller still is as nvme_start() has left it. Any
# reset stops it.
nvme_runs() {
	local queue

	queue=$(nvme_queue "$1")
	# Memory decoding may be off; turning it on is no reset.
	echo 1 >"$PCI/devices/$1/enable"
	[ "$(nvme_read "$1" $NVME_CC)" = $NVME_CC_RUN ] &&
		[ "$(nvme_read "$1" $NVME_CSTS)" = 1 ] &&
		[ "$(nvme_read "$1" $NVME_AQA)" = $NVME_AQA_QUEUES ] &&
		[ "$(nvme_read "$1" $NVME_ASQ)" = "$queue" ] &&
		[ "$(nvme_read "$1" $NVME_ACQ)" = $((queue + 0x1000)) ]
}

nvmes_that_run() {
	local address n=0

	for address; do
		! nvme_runs "$address" || n=$((n + 1))
	done
	echo "$n"
}

nvmes() {
	functions_of 1b36:0010
}

# nvme_runs_at BAR: whether a controller is enabled and ready, also if its function
# was removed.
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

# log_has TEXT: whether the kernel has said it.
log_has() {
	dmesg | grep -qF "$1"
}

# absent: how many devices of the record are not there.
absent() {
	awk '$5 == "absent" { n++ } END { print n + 0 }' "$RECORD"
}

# close_session HOLDER: end the process that holds it.
close_session() {
	kill "$1" || return
	while [ -e "/proc/$1" ]; do
		usleep 10000
	done
}

# lines_said: how many lines of the log are ours. LUO names the file handler in its
# own.
lines_said() {
	dmesg | grep liveupdate | grep -vc luo
}

# write_is_busy FILE VALUE: whether the write fails with EBUSY.
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

# say_records SIDE: the record, and what lies below each bridge in it.
say_records() {
	local bridge

	sed -n "s/^$1 /data record $1 /p" "$RECORD" >&3
	for bridge in $(records "$1" bridge); do
		say "data bridge $1 $bridge $(cat "$PCI/devices/$bridge/secondary_bus_number")"
	done
}

# load_next [WORD...]: load the next kernel; WORDs replace liveupdate=on. What pci=
# said to this kernel is not said to the next one. With LOAD=-c kexec_load() loads
# it, which does not pass KHO's data on.
load_next() {
	local line

	line=$(sed -e 's/ *liveupdate=on//' -e 's/ *kernel=first//' \
		-e 's/ *\<pci=[^ ]*//' /proc/cmdline)
	[ $# -gt 0 ] || set -- liveupdate=on
	kexec "${LOAD:--s}" -l /boot/next --initrd=/sys/firmware/initrd \
		--command-line="$line kernel=second $*" || die "the next kernel can be loaded"
}

# run_next: does not come back, unless it fails.
run_next() {
	say "end first"
	say "phase kexec"
	sync
	kexec -e
	die "the next kernel runs"
}

# run_next_with_dma EDU: the same, while the edu writes to memory that is preserved.
# The edu has to be a bus master.
run_next_with_dma() {
	say "end first"
	say "phase kexec"
	sync
	edu-dma start "$1" >/tmp/out 2>&1
	sed 's/^/data failed /' /tmp/out >&3
	die "the edu begins and the next kernel runs"
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

mem_total() {
	awk '/^MemTotal/ { print $2 }' /proc/meminfo
}

not() {
	! "$@"
}
