# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# The kernel refuses every reset that reaches an incoming function. The functions
# are nvme controllers: a reset disables them. One controller is alone below its
# port. The other has an unpreserved sibling whose only reset method is the bus.

nvme_alone() {
	nvmes | grep '\.0$'
}

nvme_shared() {
	nvmes | grep -v '\.0$'
}

first() {
	local alone shared nvme

	alone=$(nvme_alone)
	shared=$(nvme_shared)
	for nvme in $alone $shared; do
		nvme_start $nvme
		check "controller $nvme is started" nvme_runs $nvme
	done
	bind $alone $shared
	check "the controllers are preserved" preserve vm1 $alone $shared
	load_next
	run_next
}

second() {
	local alone shared sibling bar

	alone=$(nvme_alone)
	shared=$(nvme_shared)
	sibling=${shared%.*}.0
	bar=$(register $shared 0)
	check "one controller runs" nvme_runs $alone
	check "and so does the other" nvme_runs $shared

	check_refused "a reset of an unbound function" "$PCI/devices/$alone/reset" 1
	check "its controller runs" nvme_runs $alone
	check_refused "a reset of the bus" \
		"$PCI/devices/$(port_above $alone)/reset_subordinate" 1
	check "the controller on the bus runs" nvme_runs $alone

	echo 1 >"$PCI/devices/$shared/remove"
	# The kernel may refuse any of the two.
	echo bus >"$PCI/devices/$sibling/reset_method" 2>/dev/null
	check "a sibling of a removed function cannot reset the bus" \
		not write "$PCI/devices/$sibling/reset" 1
	check "the controller of the removed function runs" nvme_runs_at $bar
	echo 1 >"$PCI/rescan"
	check "the removed function is adopted again" \
		grep -q "^incoming $shared .* present" "$RECORD"

	bind $alone $shared
	check_refused "a reset of a bound function" "$PCI/devices/$alone/reset" 1
	check "its controller still runs" nvme_runs $alone

	check "the session is finished" pci-liveupdate finish vm1
	check "finishing resets nothing" nvme_runs $alone
	check "a finished function can be reset" write "$PCI/devices/$alone/reset" 1
	check "its controller was reset" not nvme_runs $alone
	# This fails with ENOTTY after the reset: the port of QEMU does not set Data
	# Link Layer Link Active again.
	write "$PCI/devices/$(port_above $shared)/reset_subordinate" 1 2>/dev/null
	check "so can its bus" not nvme_runs $shared
}

write() {
	echo "$2" >"$1"
}
