# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046,SC2116,SC2005,SC2153 # lists of addresses are meant to be split
#
# Live updates in a row between two kernels. Each kernel takes functions over, finishes
# some sessions and carries others on into the next update at once, removes and plugs
# functions, and preserves others. The parameter seed determines the choices. A kernel
# tells the next one on its command line:
#   round     the number of the live update that comes next
#   sessions  sessions of functions on the stub: NAME:ADDRESS,ADDRESS/NAME:ADDRESS
#   users     functions on vfio-pci, which a program drives
#   io        the VF on the stub with a read in flight
#   empty     slots without a device
# Lists of this kernel are in /tmp/session/NAME and /tmp/users, sessions of the previous
# one in /tmp/incoming/NAME.

USER_PID=/tmp/vfio-user.pid
SLOTS="10 11"

# A device with memory, the images of both kernels.
IVSHMEM=1af4:1110

# read_words: the command line, without a process for each word.
read_words() {
	local line word

	SEED=1 ROUND=1 ROUNDS=1 OLD_SESSIONS='' OLD_USERS='' OLD_IO='' OLD_EMPTY=''
	read -r line </proc/cmdline
	for word in $line; do
		case $word in
		seed=*) SEED=${word#*=} ;;
		round=*) ROUND=${word#*=} ;;
		rounds=*) ROUNDS=${word#*=} ;;
		sessions=*) OLD_SESSIONS=$(spaces "${word#*=}" /) ;;
		users=*) OLD_USERS=$(spaces "${word#*=}" ,) ;;
		io=*) OLD_IO=${word#*=} ;;
		images=*) IMAGES=$(spaces "${word#*=}" ,) ;;
		empty=*) OLD_EMPTY=$(spaces "${word#*=}" ,) ;;
		esac
	done
}

# spaces TEXT SEPARATOR: the words of the text.
spaces() {
	local IFS=$2

	set -- $1
	unset IFS
	echo "$*"
}

# commas WORD...
commas() {
	local IFS=,

	echo "$*"
}

# lines WORD...
lines() {
	[ $# = 0 ] || printf '%s\n' "$@"
}

# find_functions: set FUNCTIONS to the functions that may be preserved, and of these EDUS,
# NVMES, PF, VFS, and OTHERS that are neither PF nor VF.
find_functions() {
	local file address vendor device

	FUNCTIONS='' EDUS='' NVMES='' PF='' VFS='' OTHERS=''
	for file in "$PCI"/devices/*; do
		is_below_bridge "${file##*/}" || continue
		address=${file##*/}
		read -r vendor <"$file/vendor"
		read -r device <"$file/device"
		case ${vendor#0x}:${device#0x} in
		"$EDU") EDUS="$EDUS $address" ;;
		"$NVME") NVMES="$NVMES $address" ;;
		"$PVPANIC") ;;
		*) continue ;;
		esac
		FUNCTIONS="$FUNCTIONS $address"
		if [ -e "$file/physfn" ]; then
			VFS="$VFS $address"
		elif [ -e "$file/sriov_totalvfs" ]; then
			PF=$address
		else
			OTHERS="$OTHERS $address"
		fi
	done
}

# without LIST ADDRESS...: addresses that are not in the list.
without() {
	local list address words=''

	list=" $(echo $1) "
	shift
	for address; do
		case $list in
		*" $address "*) ;;
		*) words="$words $address" ;;
		esac
	done
	echo $words
}

# within LIST ADDRESS...: addresses that are in the list.
within() {
	local list=$1
	shift

	without "$(without "$list" "$@")" "$@"
}

# kept: functions that are preserved for the next kernel, in order.
kept() {
	set -- /tmp/session/*
	[ -e "$1" ] || shift
	sort /tmp/users "$@"
}

idle() {
	without "$(kept)" $FUNCTIONS
}

# choose PURPOSE PERCENT ADDRESS...: some, the same for the same seed and round.
choose() {
	local purpose=$1 percent=$2
	shift 2

	lines "$@" >/tmp/lines
	awk -v key="$SEED $ROUND $purpose " -v percent="$percent" '
	function mix(n) { state = (state * n + 7) % 94906249 }
	{
		state = 1
		text = key $0
		for (i = 1; i <= length(text); i++)
			mix(index("0123456789abcdefghijklmnopqrstuvwxyz-:. ", substr(text, i, 1)) + 48271)
		for (i = 0; i < 4; i++)
			mix(state)
		if (state * 100 < percent * 94906249)
			print
	}' /tmp/lines
}

# happens PURPOSE PERCENT
happens() {
	[ "$(choose "$1" "$2" x)" ]
}

# is_calm: this kernel carries no session on. The host compares memory of such kernels.
is_calm() {
	[ "$ROUND" -le 3 ] || [ "$ROUND" -ge "$ROUNDS" ]
}

# did EVENT [COUNT]: count it for the statistics of the host.
did() {
	say "data did $1 ${2:-1}"
}

# give_to DRIVER ADDRESS...: bind, and unbind another driver before.
give_to() {
	local driver=$1 address
	shift

	for address; do
		[ ! -e "$PCI/drivers/$driver/$address" ] || continue
		[ ! -e "$PCI/devices/$address/driver" ] || unbind "$address"
		bind_to "$driver" "$address"
	done
}

# await TEXT COMMAND...: until the command succeeds, for 60 s at most.
await() {
	local text=$1 tries=600
	shift

	until "$@" || [ $tries = 0 ]; do
		usleep 100000
		tries=$((tries - 1))
	done
	check "$text" [ $tries -gt 0 ]
}

remove() {
	local address

	for address; do
		echo 1 >"$PCI/devices/$address/remove"
	done
}

rescan() {
	echo 1 >"$PCI/rescan"
	find_functions
}

# user COMMAND ADDRESS...: of vfio-user. Its checks are ours.
user() {
	rm -f $USER_PID
	vfio-user "$@" >&3 2>/tmp/err
	check_same "vfio-user $1 ends" $? 0
	[ ! -s /tmp/err ] || sed 's/^/data failed /' /tmp/err >&3
}

# Take functions over

# check_devices PRESERVED...: before any driver is bound, devices tell that nothing reset
# them, and the kernel treats the others as usual.
check_devices() {
	local others implied edus nvmes

	check_same "the same functions are preserved" \
		"$(echo $(records incoming '^function$|^vf$|^pf$'))" "$*"
	check_same "every device of the record is present" "$(absent)" 0
	implied=$(records incoming implied-pf)
	others=$(without "$implied $*" $FUNCTIONS)
	check_same "no driver takes a preserved function" "$(bound "$@" $implied)" 0
	check_same "a driver takes each other function" "$(bound $others)" "$(count $others)"
	check_same "preserved functions can do DMA" "$(echo $(bus_masters "$@"))" "$*"
	check_same "others cannot" "$(bus_masters $others)" ""

	# Those with a read in flight are checked together with the read.
	nvmes=$(without "$OLD_IO $OLD_USERS $PF" $(within "$NVMES" "$@"))
	[ ! "$nvmes" ] ||
		check_same "controllers run" "$(echo $(nvme-vf running $nvmes))" "$nvmes"
	edus=$(without "$OLD_USERS" $(within "$EDUS" "$@"))
	edu-dma registers >/tmp/dma 2>&1
	check_same "DMA of edus arrived, and they keep a register" "$(cat /tmp/dma)" \
		"$(for edu in $edus; do echo "$edu arrived"; done)"
	did "DMA of edus" "$(count $edus)"
}

# remove_pf: and with it its VFs, before a driver is bound. Their reads stay in flight.
remove_pf() {
	local before=$FUNCTIONS

	[ "$(records incoming 'pf$')" ] && happens remove-pf 20 || return 0
	remove $PF
	check_same "a removed PF and its VFs stay in the record" "$(absent)" \
		"$(count $(records incoming '^vf$|pf$'))"
	rescan
	check_same "a PF and its VFs are found again" "$FUNCTIONS" "$before"
	check_same "they are preserved" "$(absent)" 0
	did "remove a PF before finish"
}

# check_reads: they are in flight still, and complete now.
check_reads() {
	local command=go-on

	[ ! "$OLD_IO" ] ||
		check "the read on VF $OLD_IO is still in flight" nvme-vf retrieve $OLD_IO
	if [ "$OLD_USERS" ]; then
		give_to vfio-pci $OLD_USERS
		if ! is_calm && happens carry-on-users 50; then
			command=carry-on
			lines $OLD_USERS >/tmp/users
		fi
		user $command $OLD_USERS
		did "vfio-user $command" "$(count $OLD_USERS)"
	fi
	[ "$OLD_IO" ] || return 0
	say "monitor block_set_io_throttle pf1.drive 0 0 0 0 0 0"
	check "the read on VF $OLD_IO completes in this kernel" nvme-vf check $OLD_IO 30
	check "VF $OLD_IO takes new commands" nvme-vf again $OLD_IO
	did "read of a VF"
}

# remove_incoming: functions before they are finished.
remove_incoming() {
	local removed=''

	! happens remove-incoming 50 ||
		removed=$(choose removed-incoming 10 $(within "$OTHERS" $(cat /tmp/incoming/*)))
	[ "$removed" ] || return 0
	remove $removed
	check_same "removed functions stay in the record" "$(absent)" "$(count $removed)"
	rescan
	check_same "they are preserved when they are found again" "$(absent)" 0
	did "remove before finish" "$(count $removed)"
}

# finish_sessions: and carry some on at once, while others are not finished.
finish_sessions() {
	local file session

	for file in /tmp/incoming/*; do
		[ -e "$file" ] || continue
		session=${file##*/}
		give_to $STUB $(cat "$file")
		check "session $session is finished" pci-liveupdate finish "$session"
		if ! is_calm && happens "carry-on-$session" 40; then
			check "session $session is carried on" preserve "$session" $(cat "$file")
			mv "$file" "/tmp/session/$session"
			did "carry on a session"
		fi
	done
	rm -f /tmp/incoming/*
	check_same "nothing stays in the record" "$(records incoming)" ""
	IO=$(within "$(kept)" $OLD_IO)
	[ "$IO" = "$OLD_IO" ] || nvme-vf forget "$OLD_IO"
}

# say_memory: when nothing but carried sessions is preserved. Pages in the lists of
# processors are free as well.
say_memory() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	awk '
	FILENAME ~ /zoneinfo/ { if ($1 == "count:") lists += $2; next }
	{ value[$1] = $2 }
	END {
		print "data memory", value["MemTotal:"], value["MemFree:"] + 4 * lists,
			value["MemAvailable:"] + 4 * lists, value["Slab:"], value["Shmem:"]
	}' /proc/zoneinfo /proc/meminfo >&3
}

# Change functions that are not preserved

# slot_function SLOT: the address of the device in it. The ports are on the root bus.
slot_function() {
	local file

	for file in "$PCI/devices/0000:00:$1.0"/*:*.?; do
		[ ! -e "$file" ] || echo "${file##*/}"
	done
}

slot_is_full() {
	[ "$(slot_function "$1")" ]
}

# slot_is_empty SLOT: the kernel removes the device first, and then switches the power off.
slot_is_empty() {
	! slot_is_full "$1" && [ "$(cat "$PCI/slots/$1/adapter")" = 0 ]
}

# await_slot TEXT CONDITION SLOT: with Slot Control, Slot Status and interrupts if it fails.
await_slot() {
	await "$@" && return
	say "data failed Slot Control and Status $(config_read "0000:00:$3.0" 0x6c 4)"
	sed -n "s/^.*0000:00:$3.0 /data failed &/p" /proc/interrupts >&3
	return 1
}

plug() {
	local slot

	for slot; do
		case $slot in
		10) say "monitor device_add nvme,id=plug10,serial=plug10,bus=rp10" ;;
		11) say "monitor device_add edu,id=plug11,bus=rp11" ;;
		esac
		! await_slot "the device is found in slot $slot" slot_is_full "$slot" || did "plug"
	done
}

# unplug_some: some devices of slots, and plug some of them again in this kernel.
unplug_some() {
	local slot gone=''

	for slot in $(choose unplug 20 $SLOTS); do
		[ "$(within "$(idle)" $(slot_function "$slot"))" ] || continue
		say "monitor device_del plug$slot"
		gone="$gone $slot"
	done
	for slot in $gone; do
		! await_slot "the device of slot $slot is gone" slot_is_empty "$slot" || did "unplug"
	done
	EMPTY=$(choose leave-empty 50 $gone)
	plug $(without "$EMPTY" $gone)
	find_functions
}

remove_idle() {
	local removed='' before

	! happens remove 40 || removed=$(choose removed 20 $(within "$OTHERS" $(idle)))
	[ "$removed" ] || return 0
	before=$FUNCTIONS
	remove $removed
	rescan
	check_same "removed functions are found again" "$FUNCTIONS" "$before"
	did "remove" "$(count $removed)"
}

# reset_idle: nvme controllers. The reset stops them, unlike preserved ones.
reset_idle() {
	local address

	for address in $(choose reset 30 $(within "$OTHERS" $(within "$NVMES" $(idle)))); do
		check "controller $address can be reset" reset $address
		enable_dma $address
		check_same "a reset stops controller $address" "$(nvme-vf running $address)" ""
		did "reset"
	done
}

# renew_vfs: enable VFs after they went with their PF, or again if none is preserved.
renew_vfs() {
	give_to $STUB $PF
	if [ "$VFS" ]; then
		[ ! "$(within "$(kept)" $PF $VFS)" ] || return 0
		happens renew-vfs 30 || return 0
		echo 0 >"$(numvfs $PF)"
		did "disable VFs"
	fi
	check "VFs are enabled and online" enable_vfs $PF
	find_functions
	did "enable VFs"
}

# Preserve functions

# candidates: VFs are lost with their PF in some rounds.
candidates() {
	if [ "$WITHOUT_VFS" ]; then
		within "$OTHERS" $(idle)
	else
		idle
	fi
}

# preserve_sessions: two new sessions, named by the round.
preserve_sessions() {
	local name chosen

	WITHOUT_VFS=$(choose without-vfs 20 yes)
	for name in a b; do
		chosen=$(choose "session-$name" 35 $(candidates))
		[ ! "$chosen" ] || lines $chosen >"/tmp/session/vm$ROUND$name"
	done
	start_functions $(cat /tmp/session/vm$ROUND? 2>/dev/null)
	for name in a b; do
		[ ! -e "/tmp/session/vm$ROUND$name" ] ||
			check "session vm$ROUND$name is preserved" \
			preserve vm$ROUND$name $(cat "/tmp/session/vm$ROUND$name")
	done
}

# start_functions ADDRESS...: of new sessions. IO becomes the VF that gets a read.
start_functions() {
	local nvmes edu

	give_to $STUB "$@"
	enable_dma "$@" $(choose bus-master 20 $(without "$*" $(idle)))
	if [ ! "$IO" ]; then
		IO=$(lines $(within "$*" $VFS) | head -n 1)
		# A reset after this moment would complete reads of all VFs.
		[ ! "$IO" ] || { reset $IO && enable_dma $IO; }
	fi
	nvmes=$(without "$IO $PF" $(within "$NVMES" "$@"))
	[ ! "$nvmes" ] || check "controllers come up" nvme-vf enable $nvmes
	for edu in $(within "$EDUS" "$@"); do
		register_write "$edu" 4 $((ROUND * 0x10001))
	done
}

# give_up_session: a function is removed while it is preserved for the next kernel.
give_up_session() {
	local chosen='' holder

	! happens give-up 30 || chosen=$(choose given-up 20 $(within "$OTHERS" $(idle)))
	[ "$chosen" ] || return 0
	give_to $STUB $chosen
	holder=$(preserve given-up $chosen)
	remove $chosen
	close_session "$holder"
	rescan
	did "remove while preserved" "$(count $chosen)"
}

# start_users: a program drives edus and VFs.
start_users() {
	local users

	users=$(choose users 30 $(within "$EDUS $VFS" $(candidates)))
	[ "$users" ] || return 0
	give_to vfio-pci $users
	user leave $users
	lines $users >/tmp/users
	did "vfio-user leave" "$(count $users)"
}

# hold_reads: let the drive of the VFs hold back reads that follow.
hold_reads() {
	say "monitor block_set_io_throttle pf1.drive 0 1 0 0 0 0"
}

# start_reads: they stay in flight until the next kernel runs. All resets come before. The
# program of the previous round may go on.
start_reads() {
	hold_reads
	if [ -s /tmp/users ]; then
		kill -USR2 "$(cat $USER_PID)"
		await "vfio-user prepares its devices" [ -e /tmp/vfio-user.prepared ] ||
			sed 's/^/data failed /' /tmp/err >&3
	else
		start_users
	fi
	[ "$IO" ] || return 0
	if [ "$IO" = "$OLD_IO" ] && [ -e "/tmp/nvme-vf-$IO" ]; then
		check "a read is in flight again on VF $IO" nvme-vf carry-on $IO
	else
		check "a read is in flight on VF $IO" nvme-vf start $IO
	fi
}

# update: preserve functions, and run the next kernel.
update() {
	say "phase change"
	plug $OLD_EMPTY
	unplug_some
	remove_idle
	reset_idle
	renew_vfs
	say "phase preserve"
	preserve_sessions
	give_up_session
	start_reads
	check_same "the record has these functions" \
		"$(records outgoing '^function$|^vf$|^pf$')" "$(kept)"
	did "preserve" "$(count $(kept))"
	[ ! "$FAILED" ] || die "the checks of round $ROUND pass"
	run_round $(without "$(cat /tmp/users)" $(within "$EDUS" $(kept)))
}

# sessions: for the next kernel.
sessions() {
	local file

	for file in /tmp/session/*; do
		[ ! -e "$file" ] || printf '%s:%s/' "${file##*/}" "$(commas $(cat "$file"))"
	done
}

# image OFFSET SIZE: get the image of a kernel.
image() {
	local device

	device=$(functions_of $IVSHMEM)
	decode_memory "$device"
	bar-read "$PCI/devices/$device/resource2" "$1" "$2" >/tmp/image ||
		die "the image of the next kernel can be read"
}

# run_round EDU...: with DMA of the edus under way.
run_round() {
	local next=second

	say "phase load"
	if [ $((ROUND % 2)) = 1 ]; then
		image ${IMAGES% * *}
	else
		image ${IMAGES#* * }
	fi
	[ "$ROUND" -lt "$ROUNDS" ] || next=last
	NEXT=$next IMAGE=/tmp/image load_next liveupdate=on "round=$((ROUND + 1))" "sessions=$(sessions)" \
		"users=$(commas $(cat /tmp/users))" "io=$IO" "empty=$(commas $EMPTY)"
	KEXEC_PID=$(cat $USER_PID 2>/dev/null) && export KEXEC_PID
	run_next_with edu-dma start "$@"
}

# The kernels

begin() {
	local session

	read_words
	say "data round $ROUND $(uname -r)"
	say "phase check"
	mkdir -p /tmp/session /tmp/incoming
	: >/tmp/users
	for session in $OLD_SESSIONS; do
		lines $(spaces "${session#*:}" ,) >"/tmp/incoming/${session%%:*}"
	done
	find_functions
}

take_over() {
	check_devices $(lines $(cat /tmp/incoming/* 2>/dev/null) $OLD_USERS | sort)
	remove_pf
	check_reads
	say "phase finish"
	remove_incoming
	finish_sessions
}

first() {
	begin
	renew_vfs
	say_memory
	update
}

second() {
	begin
	take_over
	say_memory
	update
}

last() {
	begin
	take_over
	say_memory
	plug $OLD_EMPTY
	[ ! "$FAILED" ] || die "the checks of the last kernel pass"
}
