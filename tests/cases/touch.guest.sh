# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# A live update between two marks in the trace of the host, with the contents of
# configuration space before and after. Functions look as if they were in use. Some
# VFs of a PF are preserved, and so is the PF. Before a driver is bound in the next
# kernel, user space tries to write to them and to reset them. With preserve=no it is
# a plain kexec, of kernels that know nothing.

E1000E=8086:10d3
VGA=1234:1111
VIRTIO_NET=1af4:1041
# Not to be preserved.
OTHER_VGA=1013:00b8

functions() {
	functions_below_bridges $EDU $NVME $E1000E $VGA $VIRTIO_NET
}

# capability ADDRESS ID: its offset, or nothing.
capability() {
	local offset

	offset=$(($(config_read "$1" 0x34)))
	while [ "$offset" -gt 0 ]; do
		if [ $(($(config_read "$1" "$offset"))) = $(($2)) ]; then
			echo "$offset"
			return
		fi
		offset=$(($(config_read "$1" $((offset + 1)))))
	done
}

# use_vfs: kernels without the option have no stub driver.
use_vfs() {
	local pf

	pf=$(pfs)
	bind_to pci-pf-stub "$pf"
	use "$pf"
	cat "$PCI/devices/$pf/sriov_totalvfs" >"$(numvfs "$pf")"
	for address in $(vfs_of "$pf"); do
		use "$address"
	done
}

# use ADDRESS: decoding, bus mastering, and MSI-X or MSI instead of INTx.
use() {
	local msix msi

	echo 1 >"$PCI/devices/$1/enable"
	config_write "$1" 4 06 04
	msix=$(capability "$1" 0x11)
	msi=$(capability "$1" 0x05)
	if [ "$msix" ]; then
		config_write "$1" $((msix + 2)) \
			"$(config_read "$1" $((msix + 2)) | cut -c 3-)" 80
	elif [ "$msi" ]; then
		config_write "$1" $((msi + 2)) 81 00
	fi
}

# use_vga ADDRESS: the function decodes the legacy ranges of VGA, and all bridges
# above pass these on.
use_vga() {
	local port=$1

	config_write "$1" 4 07 04
	while port=$(port_above "$port") && [ "$port" ]; do
		config_write "$port" 62 08 00
	done
}

# release_vga ADDRESS: the function and the bridge above it do not.
release_vga() {
	config_write "$1" 4 00 00
}

# mark VALUE: write the interrupt line of a bystander, which the kernel does not write.
mark() {
	config_write 0000:00:1d.0 60 "$1"
}

say_config() {
	local dir

	for dir in "$PCI"/devices/*; do
		say "data config $1 ${dir##*/} $(hexdump -v -e '1/1 "%02x"' "$dir/config")"
	done
}

first() {
	local all

	all=$(functions)
	say "phase use"
	for address in $all; do
		use "$address"
	done
	for address in $(functions_of $OTHER_VGA); do
		release_vga "$address"
		config_write "$(port_above "$address")" 62 00 00
	done
	use_vga "$(functions_of $VGA)"
	use_vfs
	if [ "$(parameter preserve yes)" = yes ]; then
		bind $all $(kept_vfs)
		check "functions and VFs are preserved" \
			pci-liveupdate preserve --background vm $all $(kept_vfs)
	fi
	say data preserved $all
	say data pfs $(pfs)
	say data vfs $(kept_vfs)
	load_next liveupdate=on intel_iommu=on "trace_event=$(parameter event)" \
		$(parameter next "")
	say_config before
	mark 5a
	run_next
}

second() {
	if [ "$(parameter preserve yes)" != yes ]; then
		mark a5
		say_config after
		return
	fi
	check_same "the same functions are preserved at the same addresses" \
		"$(records incoming function)" "$(functions)"
	check_same "so are VFs" "$(records incoming '^vf$')" "$(kept_vfs)"
	check_same "their PF is preserved for them" "$(records incoming '^implied-pf$')" "$(pfs)"
	attempt_all refused
	attempt_sriov
	bind $(functions) $(kept_vfs)
	check "the session is finished" pci-liveupdate finish vm
	mark a5
	say_config after
	say_refused
	attempt_all accepted
	check_vga
}

# Attempts of user space

# refused COMMAND...: with EBUSY.
refused() {
	not "$@" >/tmp/refused 2>&1 && grep -qi busy /tmp/refused && return
	echo "not refused with EBUSY: $(cat /tmp/refused)"
	return 1
}

accepted() {
	"$@"
}

# one_reset_line LINES: after the first LINES lines the log has one line on a reset.
one_reset_line() {
	[ "$(dmesg | tail -n +$(($1 + 1)) | grep -ci reset)" = 1 ]
}

# attempt_reset HOW COMMAND ADDRESS: without the hooks a reset reports success, and the
# trace of the host tells whether it reached the device.
attempt_reset() {
	local lines

	if [ "$1" = refused ] && [ "$(parameter guard_only 0)" = 1 ]; then
		"$2" "$3"
		return
	fi

	lines=$(dmesg | wc -l)
	check "$2 $3 is $1" "$1" "$2" "$3"
	[ "$1" = accepted ] || check "the log says so in one line" one_reset_line "$lines"
}

# attempt_all HOW: refused or accepted. reset_subordinate of a root port of QEMU
# resets, and then gives an error as the link does not come up: take a conventional
# bridge.
attempt_all() {
	local how=$1 net port

	net=$(functions_of $E1000E)
	port=$(port_above "$net")

	check "a write to Interrupt Line of $net is $how" \
		"$how" config_write "$net" 60 33
	check "a write to Command of $net is $how" \
		"$how" config_write "$net" 4 00 00
	check "a write to Bridge Control of $port is $how" \
		"$how" config_write "$port" 62 40 00
	check "the next one is $how" "$how" config_write "$port" 62 00 00
	attempt_reset "$how" reset "$(nvmes_below_bridges)"
	attempt_reset "$how" reset_below "$(port_above "$(functions_of $VGA)")"
	[ "$how" = accepted ] || for address in $(functions_of $OTHER_VGA); do
		vga_lock "$address"
	done
}

# attempt_sriov: to disable VFs by a write to SR-IOV Control of their PF or by its reset,
# and to reset a VF.
attempt_sriov() {
	local pf control

	pf=$(pfs)
	control=$(($(extended_capability "$pf" 0x10) + 8))
	check "a write to SR-IOV Control of $pf is refused" \
		refused config_write "$pf" $control 00 00
	attempt_reset refused reset "$pf"
	attempt_reset refused reset "$(kept_vfs | head -n 1)"
}

# vga_lock ADDRESS: let the VGA arbiter give the legacy ranges to this function for a
# moment. The arbiter takes them from another function if need be.
vga_lock() {
	# shellcheck disable=SC2016 # the inner shell expands it
	timeout 10 sh -c 'exec 4<>/dev/vga_arbiter &&
		printf "target PCI:$0" >&4 && printf "lock io+mem" >&4' "$1" >/tmp/vga 2>&1
	say "data vga $1 $? $(cat /tmp/vga)"
}

# check_vga: the arbiter takes decoding from a function that was finished.
check_vga() {
	local vga other

	vga=$(functions_of $VGA)
	other=$(functions_of $OTHER_VGA | head -n 1)
	vga_lock "$vga"
	vga_lock "$other"
	check_same "the VGA arbiter takes decoding from a finished function" \
		$(($(config_read "$vga" 4) & 3)) 0
}

# say_refused: each refused write once, with its count. Trace lines look like
# "TASK-PID [CPU] FLAGS TIME: EVENT: TEXT".
say_refused() {
	local event

	event=$(parameter event)
	mount -t tracefs nodev /sys/kernel/tracing
	sed -n "s/.* ${event#*:}: //p" /sys/kernel/tracing/trace | sort | uniq -c |
		sed 's/^/data refused /' >&3
}
