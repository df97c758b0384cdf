# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# Live updates that do not happen, of functions of the stub, of VFs and of functions of
# vfio-pci: the holder of the session is killed at a random moment, preserving or freezing
# one of the functions fails, and there is no next kernel. Each leaves the devices as they
# were, and nothing behind. After them a live update works, which begins while a process
# preserves and releases functions. The parameter seed repeats the random moments.

ROUNDS=20

set_roles() {
	set -- $(below_bridges)
	# The last four are preserved and released by a process, and two are of vfio-pci.
	CHURNED=$(printf '%s\n' "$@" | tail -n 4)
	VFIO=$(printf '%s\n' "$@" | tail -n 6 | head -n 2)
	PLAIN=$(printf '%s\n' "$@" | head -n -6)
	ALL="$PLAIN $(kept_vfs) $VFIO"
}

# devices_work: no function was reset or stopped, except those of vfio-pci, which VFIO
# resets whenever they are closed.
devices_work() {
	local edus nvmes

	edus=$(edus_below_bridges | grep -xF "$PLAIN")
	nvmes=$(nvmes_below_bridges | grep -xF "$PLAIN")
	[ "$(edus_that_hold none $edus)" = "$(count $edus)" ] || echo "an edu lost its registers"
	[ "$(nvmes_that_run $nvmes)" = "$(count $nvmes)" ] || echo "a controller was reset"
	[ "$(bus_masters $edus $nvmes $(kept_vfs))" = "$(printf '%s\n' $edus $nvmes $(kept_vfs))" ] ||
		echo "a function was stopped"
}

# nothing_left: neither functions nor a record, in the kernel or for the next one.
nothing_left() {
	[ ! "$(records outgoing)" ] || echo "functions are in the record"
	! grep '^# outgoing' "$RECORD"
	find /sys/kernel/debug/kho/out/sub_fdts -name 'pci*'
	grep -lx pci-liveupdate /proc/[0-9]*/comm
}

check_state() {
	check_same "the devices work $1" "$(devices_work)" ""
	check_same "nothing is left $1" "$(nothing_left)" ""
}

mem_free() {
	echo 3 >/proc/sys/vm/drop_caches
	awk '/^MemFree/ { print $2 }' /proc/meminfo
}

preserve_and_release() {
	close_session "$(preserve whole $ALL)"
}

# kill_some: sets LEFT if a round leaves something, and LOST in kB.
kill_some() {
	local round=0 free

	free=$(mem_free)
	while [ $round -lt $ROUNDS ]; do
		round=$((round + 1))
		draw "$ELAPSED_US"
		kill_after "$DRAWN" pci-liveupdate -v preserve killed $ALL
		LEFT=$(nothing_left)
		[ ! "$LEFT" ] || break
	done
	LOST=$((free - $(mem_free)))
}

# A record takes 4 pages and more, and data of vfio-pci one for each function. Caches of
# the kernel grow and shrink by more, but not again and again.
kill_holders() {
	local try=0

	preserve_and_release
	measure preserve_and_release
	say "data seed $(parameter seed 1)"
	while [ $try -lt 4 ]; do
		try=$((try + 1))
		kill_some
		if [ "$LEFT" ] || [ $LOST -lt $((ROUNDS * 16)) ]; then
			break
		fi
	done
	check_same "nothing is left when the holder is killed after $DRAWN us" "$LEFT" ""
	check "no memory is lost in $ROUNDS rounds ($LOST kB)" [ $LOST -lt $((ROUNDS * 16)) ]
	check_state "after holders were killed"
}

# fail_to_preserve: for each function in turn, since another session has it.
fail_to_preserve() {
	local address holder left='' states=''

	for address in $ALL; do
		holder=$(preserve first $address)
		! pci-liveupdate preserve second $ALL >/tmp/out 2>&1 || left="$left $address"
		[ "$(records outgoing '^function$|^vf$')" = $address ] ||
			states="$states $address"
		close_session "$holder"
	done
	check_same "all are refused because of one of them" "$left" ""
	check_same "that one stays preserved, and no other" "$states" ""
	check_state "after functions were refused"
}

# fail_to_freeze: for each function of the stub in turn, since it was unbound.
fail_to_freeze() {
	local address holder left='' states=''

	load_next
	for address in $PLAIN $(kept_vfs); do
		holder=$(preserve frozen $ALL)
		echo $address >"$PCI/drivers/$STUB/unbind"
		luo-file kexec 2>/tmp/err
		grep -q 'No such device' /tmp/err || left="$left $address"
		[ "$(records outgoing '^function$|^vf$' | wc -l)" = $(($(count $ALL) - 1)) ] ||
			states="$states $address"
		close_session "$holder"
		bind $address
	done
	check_same "the kexec fails for each of them" "$left" ""
	check_same "the others stay preserved" "$states" ""
	check "the functions of vfio-pci can be used" users_can_open
	kexec -u
	check_state "after the kexec failed"
}

users_can_open() {
	for address in $VFIO; do
		[ "$(vfio-user try $address)" = "$address ok" ] || return
	done
}

without_kernel() {
	local holder

	holder=$(preserve unloaded $ALL)
	check "there is no kexec without a kernel" not luo-file kexec
	check_same "all stay preserved" "$(records outgoing '^function$|^vf$' | wc -l)" \
		"$(count $ALL)"
	close_session "$holder"
	check_state "without a kernel"
}

first() {
	set_roles
	bind $PLAIN $CHURNED
	bind_to vfio-pci $VFIO
	start_vfs
	set_roles
	for edu in $(edus_below_bridges); do
		edu_write $edu
		enable_dma $edu
	done
	for nvme in $(nvmes_below_bridges | grep -xF "$PLAIN"); do
		check "controller $nvme comes up" nvme_start $nvme
	done
	check_state "in the beginning"

	kill_holders
	fail_to_preserve
	without_kernel
	fail_to_freeze

	check "all are preserved in the end" preserve whole $ALL
	load_next
	luo-file churn churned $(printf '/dev/pci-liveupdate/%s ' $CHURNED) 2>/tmp/churn &
	draw 100000
	usleep $((DRAWN + 20000))
	check "a process preserves functions" kill -0 $!
	run_next_with luo-file kexec
}

# check_churned: those in the record are those that their session has.
check_churned() {
	local recorded retrieved

	recorded=$(records incoming function | grep -xF "$CHURNED")
	bind $CHURNED
	if ! luo-file tokens churned 4 >/tmp/tokens 2>/tmp/err; then
		check "their session was closed at that moment" grep -q 'No such file' /tmp/err
	fi
	retrieved=$(while read -r token; do
		echo "$CHURNED" | sed -n "${token}p"
	done </tmp/tokens)
	say "data churned $(count $retrieved)"
	check_same "the record has the functions in motion that their session has" \
		"$recorded" "$retrieved"
}

second() {
	set_roles
	check_same "all are preserved" \
		"$(records incoming '^function$|^vf$' | grep -vxF "$CHURNED")" \
		"$(printf '%s\n' $ALL | sort)"
	check_same "no device of the record is absent" "$(absent)" 0
	check_same "the devices work in this kernel" "$(devices_work)" ""
	check_vf_io
	check_churned
	bind_pfs $(pfs)
	bind $PLAIN $(kept_vfs)
	bind_to vfio-pci $VFIO
	check "the session is finished" pci-liveupdate finish whole
	check_same "nothing stays in the record" "$(records incoming)" ""
}
