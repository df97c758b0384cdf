# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2016 # a program expands it
#
# The tool preserves a controller of vfio-pci by itself, in a session with an edu of the
# stub, and another edu with the file and in the session of its user. With mode=reset
# an IOMMU translates the DMA of an edu, whose file it preserves.

controller() {
	nvmes_below_bridges | head -n 1
}

stub_edu() {
	edus_below_bridges | sed -n 1p
}

user_edu() {
	edus_below_bridges | sed -n 2p
}

unbound_edu() {
	edus_below_bridges | sed -n 3p
}

# Descriptors of vfio-with
SESSION_FD=17
BOUND_FD=18
UNBOUND_FD=19

# check_line TEXT STATUS LINE COMMAND...: the command fails with one line.
check_line() {
	local text=$1 status=$2 line=$3
	shift 3

	"$@" >/tmp/line 2>&1
	check_same "$text: status" $? "$status"
	check_same "$text: one line" "$(cat /tmp/line)" "pci-liveupdate: $line"
}

# check_list SIDE: the mode of functions of vfio-pci.
check_list() {
	pci-liveupdate list >/tmp/list 2>&1
	check_same "list has the functions of vfio-pci, $1" \
		"$(awk -v side="$1" '$1 == side && / vfio-pci: running$/ { print $2 }' /tmp/list)" \
		"$(printf '%s\n' "$(controller)" "$(user_edu)" | sort)"
}

check_unbound() {
	local edu

	edu=$(unbound_edu)
	check_line "a function that is not bound" 2 \
		"$edu is not bound, bind it to $STUB: echo $STUB > $PCI/devices/$edu/driver_override && echo $edu > $PCI/drivers_probe" \
		pci-liveupdate preserve s "$edu"
}

check_wrong_files() {
	local edu

	edu=$(user_edu)
	check_line "a file that is not bound" 2 \
		"descriptor $UNBOUND_FD is a file of $edu, but not bound to an iommufd: its user must bind it first" \
		vfio-with "$edu" pci-liveupdate preserve s --fd "$edu=$UNBOUND_FD"
	check_line "a file of another function" 2 \
		"descriptor $BOUND_FD is a file of $edu, not of $(controller)" \
		vfio-with "$edu" pci-liveupdate preserve s --fd "$(controller)=$BOUND_FD"
	check_line "a file that is none of VFIO" 2 \
		"descriptor $SESSION_FD is no VFIO file of $edu" \
		vfio-with "$edu" pci-liveupdate preserve s --fd "$edu=$SESSION_FD"
	check_line "a descriptor that is no session" 2 "descriptor $BOUND_FD is no session" \
		vfio-with "$edu" pci-liveupdate --session-fd $BOUND_FD preserve user "$edu"
	check_line "another session" 2 "descriptor $SESSION_FD is session 'user', not 's'" \
		vfio-with "$edu" pci-liveupdate --session-fd $SESSION_FD preserve s "$edu"
	check_line "a session of this kernel does not finish" 2 \
		"descriptor $SESSION_FD is a session for the next kernel, which finishes it" \
		vfio-with "$edu" pci-liveupdate --session-fd $SESSION_FD finish user
}

# The user goes on until the kexec.
preserve_by_user() {
	local edu

	edu=$(user_edu)
	vfio-with "$edu" sh -c "pci-liveupdate --session-fd $SESSION_FD \
		--fd $edu=$BOUND_FD preserve user; echo \$?; sleep 1000" >/tmp/user 2>&1 &
	until grep -q '^[0-9]*$' /tmp/user; do
		usleep 10000
	done
	check_same "a file and a session of a user" "$(cat /tmp/user)" \
		"$(printf '%s\n' 'session user: 1 of 1 functions preserved' 0)"
	check_line "a function in use" 2 \
		"$edu is in use: the program that uses it must preserve it, or end" \
		pci-liveupdate preserve s "$edu"
}

preserve_running() {
	bind "$(stub_edu)"
	bind_to vfio-pci "$(controller)" "$(user_edu)"
	check_unbound
	check_wrong_files
	check "the tool preserves a function of vfio-pci" \
		preserve guests "$(controller)" "$(stub_edu)"
	check "the controller comes up" nvme_start "$(controller)"
	preserve_by_user
	enable_dma "$(user_edu)"
	check_list outgoing
}

preserve_reset() {
	local edu mode

	edu=$(stub_edu)
	mode=$PCI/devices/$edu/vfio_liveupdate
	bind_to vfio-pci "$edu"
	check_line "a function behind an IOMMU" 2 "$edu cannot be preserved: the IOMMU \
that translates its DMA does not survive the kexec: 'echo reset > $mode' lets the \
kernel reset it and preserve its file only, or boot without IOMMU translation" \
		pci-liveupdate preserve guests "$edu"
	echo reset >"$mode"
	check "the tool preserves the file of a function" preserve guests "$edu"
	check_same "list says that it is reset" \
		"$(pci-liveupdate list | grep -c "^outgoing  $edu .* vfio-pci: reset$")" 1
}

first() {
	"preserve_$(parameter mode running)"
	load_next
	run_next
}

# finish_guests: the function must be bound to the driver it was preserved with.
finish_guests() {
	bind "$(stub_edu)" "$(controller)"
	check "a function of vfio-pci is not retrieved by the stub" \
		not pci-liveupdate finish guests
	unbind "$(controller)"
	bind_to vfio-pci "$(controller)" "$(user_edu)"
	check_list incoming
	check_line "a function that is not finished" 2 \
		"$(controller) is preserved by the previous kernel: finish its session first" \
		pci-liveupdate preserve s "$(controller)"
	check "the controller still runs" nvme_runs "$(controller)"
	check "the tool finishes functions of vfio-pci" pci-liveupdate finish guests
	# Without a driver its registers can be read.
	unbind "$(controller)"
	check "the closed controller is reset" not nvme_runs "$(controller)"
}

# finish_user: a program gets the file, and it stays open after finish.
finish_user() {
	local name

	name=$(user_edu | tr : -)
	pci-liveupdate -q retrieve user -- sh -c 'echo $LISTEN_FDS $LISTEN_FDNAMES
		pci-liveupdate --session-fd 3 finish user
		. /lib/guest.sh
		bus_masters "$0"' "$(user_edu)" >/tmp/user 2>&1
	check_same "a program takes over the function" "$(cat /tmp/user)" \
		"$(printf '%s\n' "2 session:$name" \
		'session user: 1 of 1 functions retrieved' 'session user: finished' \
		"$(user_edu)")"
	check_same "the function is reset when the program ends" \
		"$(bus_masters "$(user_edu)")" ""
}

finish_running() {
	finish_guests
	finish_user
}

finish_reset() {
	bind_to vfio-pci "$(stub_edu)"
	check "the tool finishes the session" pci-liveupdate finish guests
}

second() {
	"finish_$(parameter mode running)"
	check_same "nothing stays in the record" "$(records incoming)" ""
}
