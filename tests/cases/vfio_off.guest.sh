# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# A function whose DMA an IOMMU translates is not preserved unless user space selects the
# reset mode, and that can be taken back.

mode_file() {
	echo "$PCI/devices/$1/vfio_liveupdate"
}

# set_mode ADDRESS MODE
set_mode() {
	echo "$2" >"$(mode_file "$1")"
}

# check_mode ADDRESS MODE WHEN
check_mode() {
	check_same "the mode is $2 $3" "$(cat "$(mode_file "$1")")" "$2"
}

# preserve_fails ADDRESS: because it is not supported.
preserve_fails() {
	! vfio-user pf "$1" true 2>/tmp/err && grep 'preserve the file: .* not supported' /tmp/err
}

# check_refused_once ADDRESS
check_refused_once() {
	local before

	before=$(lines_said)
	check "preserving the file is not supported" preserve_fails "$1"
	check_same "the log has one line more" $(($(lines_said) - before)) 1
	check "it says why and what to do" \
		log_has "$1: liveupdate: cannot be preserved: the IOMMU that translates its DMA does not survive the kexec; write \"reset\" to vfio_liveupdate"
	check_same "nothing is in the record" "$(records outgoing)" ""
}

first() {
	local address

	address=$(edus_below_bridges)
	bind_to vfio-pci "$address"
	check_mode "$address" off "by default"
	check_refused_once "$address"

	for mode in running other; do
		check "the mode cannot be $mode" not set_mode "$address" "$mode"
		check_mode "$address" off "still"
	done

	check "reset can be selected" set_mode "$address" reset
	check_mode "$address" reset "then"
	check "the file can be preserved" vfio-user pf "$address" true
	check_same "the function is in the record" "$(records outgoing '^function$')" "$address"
	check "the mode cannot change any more" write_is_busy "$(mode_file "$address")" off
	check_mode "$address" reset "while it is preserved"

	check "the session is closed" close_session "$(pidof vfio-user)"
	check_same "nothing is in the record again" "$(records outgoing)" ""
	check "reset can be taken back" set_mode "$address" off
	check_mode "$address" off "again"
	check_refused_once "$address"
}
