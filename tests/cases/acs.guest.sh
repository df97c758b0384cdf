# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# The kernel enables ACS on ports if there is an IOMMU. A bus reset clears ACS, and
# the kernel must restore it on a port that it adopted.

# acs_below_root: lines "ADDRESS CONTROL", one for each port with ACS that is not
# on the root bus.
acs_below_root() {
	acs_of $(functions_below_bridges 1b36:000c 104c:8233)
}

first() {
	acs_below_root >/tmp/acs
	sed 's/^/data acs /' /tmp/acs >&3
	check "there are ports below the root bus with ACS" [ -s /tmp/acs ]
	check "the kernel enabled ACS" not grep -q ' 0x00$' /tmp/acs
	bind $(below_bridges)
	check "all functions are preserved" preserve vm1 $(below_bridges)
	load_next
	run_next
}

second() {
	local switch

	acs_below_root >/tmp/before
	check "ACS is still enabled" not grep -q ' 0x00$' /tmp/before
	bind $(below_bridges)
	check "the session is finished" pci-liveupdate finish vm1
	switch=$(port_above "$(port_above "$(head -n 1 /tmp/before | cut -d ' ' -f 1)")")
	# This fails with ENOTTY after the reset: the port of QEMU does not set Data
	# Link Layer Link Active again.
	echo 1 2>/dev/null >"$PCI/devices/$switch/reset_subordinate"
	check_same "ACS has the same value after the reset" "$(acs_below_root)" \
		"$(cat /tmp/before)"
}
