# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# Functions of one device are bound to vfio-pci. Two are preserved and in use; the
# third is opened and closed while they are incoming. It has no reset of its own, so
# VFIO resets all functions of a device without a user.

users_functions() {
	functions_below_bridges $EDU $NVME
}

sibling() {
	functions_below_bridges $PVPANIC
}

first() {
	local all

	all=$(users_functions)
	bind_to vfio-pci $all $(sibling)
	say data users $all
	load_next
	run_next_with vfio-user start $all
}

try_sibling() {
	check_same "the sibling can be used $1" "$(vfio-user try "$(sibling)")" "$(sibling) ok"
}

second() {
	local all

	all=$(users_functions)
	bind_to vfio-pci $all $(sibling)
	try_sibling "before the others are retrieved"
	vfio-user go-on $all >&3 2>/tmp/err
	check_same "vfio-user ends" $? 0
	sed 's/^/data failed /' /tmp/err >&3
	check_same "nothing stays in the record" "$(records incoming)" ""
	try_sibling "in the end"
}
