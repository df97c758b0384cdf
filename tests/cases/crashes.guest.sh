# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# Programs of the next kernel are killed at random moments, while they retrieve and finish
# functions of the stub, VFs, and functions of vfio-pci, until one comes to its end. No
# function is stopped or lost meanwhile. The parameter seed repeats the random moments.

ROUNDS=30

# set_roles: VFIO and the last of BOTH are of vfio-pci, the others of the stub.
set_roles() {
	NVMES=$(nvmes_below_bridges)
	set -- $NVMES
	VFIO=$2 OF_VFIO="$2 $3"
	set -- $3 $(functions_below_bridges $PVPANIC | tail -n 3)
	BOTH="$2 $3 $4 $1"
	PLAIN=$(below_bridges | grep -vxF "$(printf '%s\n' $VFIO $BOTH)")
	STUBS="$PLAIN $(kept_vfs) $2 $3 $4"
}

first() {
	start_vfs
	set_roles
	bind $STUBS
	bind_to vfio-pci $OF_VFIO
	enable_dma $STUBS
	check "functions are preserved" preserve plain $PLAIN
	check "VFs are preserved" preserve vfs $(kept_vfs)
	check "a function of vfio-pci is preserved" preserve vfio $VFIO
	check "functions of both drivers are preserved" preserve both $BOTH
	for nvme in $NVMES; do
		check "controller $nvme comes up" nvme_start $nvme
	done
	load_next
	run_next
}

# in_record ADDRESS...: prints those that are not finished.
in_record() {
	records incoming | grep -xF "$(printf '%s\n' "$@")"
}

# undisturbed ADDRESS...: those that are not finished do DMA, and controllers run.
undisturbed() {
	local address

	for address in $(in_record "$@"); do
		can_do_dma $address || echo "$address was stopped"
		! echo "$NVMES" | grep -qx $address || nvme_runs $address ||
			echo "$address was reset"
	done
}

# crash SESSION ADDRESS...: until it is finished. Programs live longer and longer.
crash() {
	local session=$1 round=0 command state=''
	shift

	while [ "$(in_record "$@")" ] && [ $round -lt $ROUNDS ]; do
		round=$((round + 1))
		draw 2
		[ $DRAWN = 0 ] && command=finish || command=retrieve
		draw $((round * ELAPSED_US / 8))
		kill_after $DRAWN pci-liveupdate $command $session
		state=$(undisturbed "$@")
		[ ! "$state" ] || break
	done
	say "data rounds $session $round"
	check_same "session $session: $command was killed after $DRAWN us" "$state" ""
	[ ! "$(in_record "$@")" ] ||
		check "session $session is finished" pci-liveupdate finish $session
	check_same "session $session: nothing stays" "$(in_record "$@")" ""
	check "session $session is gone" not pci-liveupdate finish $session
}

second() {
	set_roles
	catch_uevents
	say "data seed $(parameter seed 1)"
	check_same "all are preserved" "$(records incoming '^function$|^vf$')" \
		"$(printf '%s\n' $STUBS $OF_VFIO | sort)"
	bind_pfs $(pfs)
	bind $STUBS
	bind_to vfio-pci $OF_VFIO
	measure pci-liveupdate list
	[ "$ELAPSED_US" -ge 10000 ] || ELAPSED_US=10000
	crash plain $PLAIN
	crash vfs $(kept_vfs)
	crash vfio $VFIO
	crash both $BOTH
	check_same "nothing stays in the record" "$(records incoming)" ""
	check_same "functions of the stub were not stopped" "$(bus_masters $STUBS | sort)" \
		"$(printf '%s\n' $STUBS | sort)"
	check "user space gets the last uevent" becomes has_uevents $(count $STUBS $OF_VFIO)
	check_same "all were finished, and once only" "$(sort /tmp/uevents)" \
		"$(printf 'finished %s\n' $STUBS $OF_VFIO | sort)"
	check_vf_io
}

has_uevents() {
	[ "$(wc -l </tmp/uevents)" -ge "$1" ]
}
