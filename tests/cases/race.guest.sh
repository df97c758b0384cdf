# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# Sessions come and go while functions are removed, reset and bound again, in both
# kernels. The parameter seconds is the time in each, and seed repeats a run: the calls
# of each process are the same, but not their order.

vfios() {
	nvmes_below_bridges
	functions_below_bridges $PVPANIC | head -n 4
	vfs_of $(pfs) | awk 'NR % 2 == 0'
}

stubs() {
	functions_below_bridges $EDU $SOFTWARE
	functions_below_bridges $PVPANIC | tail -n +5
	vfs_of $(pfs) | awk 'NR % 2'
}

# race COMMAND: its checks are ours.
race_all() {
	race "$1" "$(parameter seed 1)" "$(parameter seconds 20)" $(cat /tmp/all) \
		>&3 2>/tmp/err
	check_same "race $1 ends" $? 0
	sed 's/^/data failed /' /tmp/err >&3
}

# bind_both: to the two drivers.
bind_both() {
	bind_to $STUB $(pfs)
	[ "$(parameter kernel first)" = second ] ||
		check "VFs are enabled" enable_vfs $(pfs)
	(stubs && vfios) >/tmp/all
	bind $(stubs)
	bind_to vfio-pci $(vfios)
}

first() {
	bind_both
	load_next
	race_all outgoing
	die "the next kernel runs"
}

second() {
	say "data seed $(parameter seed 1)"
	bind_both
	race_all incoming
	check_same "nothing stays in the record" "$(records outgoing; records incoming)" ""
	for address in $(below_bridges); do
		check "$address answers" [ -e "$PCI/devices/$address" ]
	done
}
