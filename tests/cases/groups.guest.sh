# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# The next kernel is told to switch off the routing by which the IOMMU tells
# functions apart. What is preserved is routed as it was.

# One line a group, with all functions in it. Groups are numbered as they come.
groups() {
	local group

	for group in /sys/kernel/iommu_groups/*; do
		(cd "$group/devices" && echo *)
	done | sort
}

group_of() {
	groups | grep -wF "$1"
}

# below NUMBER: the edu below the root port in this slot.
below() {
	for address in $(edus_below_bridges); do
		case $(readlink -f "$PCI/devices/$address") in
		*"/0000:00:$1.0/"*) echo "$address" ;;
		esac
	done | head -n 1
}

first() {
	local kept lost

	kept=$(below 02)
	lost=$(below 10)
	check_same "a function has an IOMMU group of its own" "$(group_of "$kept")" "$kept"
	check_same "and so has another" "$(group_of "$lost")" "$lost"
	if [ "$(parameter preserve yes)" = yes ]; then
		bind "$kept"
		check "the function is preserved" preserve vm1 "$kept"
	fi
	load_next liveupdate=on \
		pci=config_acs=0000000@0000:00:02.0\;0000000@0000:00:10.0
	run_next
}

second() {
	local kept lost

	kept=$(below 02)
	lost=$(below 10)
	check "without its routing a function has no group of its own" \
		not [ "$(group_of "$lost")" = "$lost" ]
	check_same "what is preserved has the group that it had" "$(group_of "$kept")" "$kept"
	bind "$kept"
	check_same "and still has it when a driver is bound" "$(group_of "$kept")" "$kept"
	check "the session is finished" pci-liveupdate finish vm1
	check_same "and when it is finished" "$(group_of "$kept")" "$kept"
}
