# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# Parameters of the next kernel switch off the routing by which the IOMMU tells
# functions apart. The kernel keeps the routing of a preserved function.

group_of() {
	iommu_groups | grep -wF "$1"
}

# The root ports of the host, and so the edus below them.
KEPT_PORT=0000:00:02.0
LOST_PORT=0000:00:10.0

# edu_below PORT
edu_below() {
	for address in $(edus_below_bridges); do
		[ "$(port_above "$address")" != "$1" ] || echo "$address"
	done
}

first() {
	local kept lost

	kept=$(edu_below $KEPT_PORT)
	lost=$(edu_below $LOST_PORT)
	check_same "a function has an IOMMU group of its own" "$(group_of "$kept")" "$kept"
	check_same "and so has another" "$(group_of "$lost")" "$lost"
	if [ "$(parameter preserve yes)" = yes ]; then
		bind "$kept"
		check "the function is preserved" preserve vm1 "$kept"
	fi
	load_next liveupdate=on \
		"pci=config_acs=0000000@$KEPT_PORT;0000000@$LOST_PORT"
	run_next
}

second() {
	local kept lost

	kept=$(edu_below $KEPT_PORT)
	lost=$(edu_below $LOST_PORT)
	check "without its routing a function has no group of its own" \
		not [ "$(group_of "$lost")" = "$lost" ]
	check_same "the preserved function has the same group" "$(group_of "$kept")" "$kept"
	bind "$kept"
	check_same "and still has it when a driver is bound" "$(group_of "$kept")" "$kept"
	check "the session is finished" pci-liveupdate finish vm1
	check_same "and when it is finished" "$(group_of "$kept")" "$kept"
}
