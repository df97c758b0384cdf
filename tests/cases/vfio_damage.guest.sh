# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# The data of files of vfio-pci is damaged in memory, each in another field, and one file
# is good. A file with damage cannot be retrieved, and its function is stopped when the
# session is finished. So is the good one, which is not bound by then.

# users_functions: one for each damage, and one more.
users_functions() {
	edus_below_bridges | head -n $(($(count $(vfio-damage list)) + 1))
}

first() {
	local all

	all=$(users_functions)
	bind_to vfio-pci $all
	load_next
	run_next_with vfio-user start $all
}

# damage_lines: the number of lines in the log.
damage_lines() {
	dmesg | grep -c "damaged\|was preserved, found"
}

# expected_error DAMAGE
expected_error() {
	case $1 in
	vendor | class) echo ENODEV ;;
	*) echo EINVAL ;;
	esac
}

second() {
	local all name expected='' before

	all=$(users_functions)
	bind_to vfio-pci $all
	check_same "functions can do DMA" "$(bus_masters $all)" "$all"
	set -- $all
	for name in $(vfio-damage list); do
		check "$name of $1 is damaged" vfio-damage "$name" "$1"
		expected="$expected$1 $(expected_error "$name") "
		shift
	done
	expected="$expected$1 ok"

	before=$(damage_lines)
	vfio-user give-up $all >/tmp/errors
	check_same "damaged files cannot be retrieved" "$(xargs </tmp/errors)" "$expected"
	check_same "one line tells of each damage" \
		$(($(damage_lines) - before)) \
		"$(count $(vfio-damage list))"
	check_same "no function can do DMA after the session" "$(bus_masters $all)" ""
	check_same "nothing stays in the record" "$(records incoming)" ""
	check_same "the devices can be opened" "$(vfio-user try $all | grep -vc ok)" 0
}
