# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# A tree that has what pci-liveupdate reads of /dev and /sys, and the sessions
# of luo_mock.c.

tree_create() {
	ROOT=$1
	rm -rf "$ROOT"
	mkdir -p "$ROOT"/dev/pci-liveupdate "$ROOT"/luo/{outgoing,incoming} \
		"$ROOT"/sys/bus/pci/{devices,drivers/pci-liveupdate-stub} \
		"$ROOT"/sys/kernel/debug/other
	: >"$ROOT/dev/liveupdate"
}

# tree_device ADDRESS HEADER_TYPE: a function without a driver.
tree_device() {
	local dir=$ROOT/sys/bus/pci/devices/$1

	mkdir "$dir"
	{
		head -c 14 /dev/zero
		printf '%b' "\\x$2"
		head -c 49 /dev/zero
	} >"$dir/config"
}

tree_bind() {
	ln -sfn "../../../../bus/pci/drivers/$2" \
		"$ROOT/sys/bus/pci/devices/$1/driver"
	: >"$ROOT/dev/pci-liveupdate/$1"
}

tree_unbind() {
	rm "$ROOT/sys/bus/pci/devices/$1/driver"
}

tree_remove() {
	rm -r "$ROOT/sys/bus/pci/devices/$1"
}

# tree_functions ADDRESS...: functions that are bound to the stub.
tree_functions() {
	local address

	for address; do
		tree_device "$address" 80
		tree_bind "$address" pci-liveupdate-stub
	done
}

# Records of the kernel, from the standard input.
tree_records() {
	cat >"$ROOT/sys/kernel/debug/pci_liveupdate"
}

# tree_incoming SESSION TOKEN...: a session that the previous kernel left. Its
# manifest is the standard input, none if that is empty.
tree_incoming() {
	local dir=$ROOT/luo/incoming/$1 token
	shift

	rm -rf "$dir"
	mkdir "$dir"
	for token; do
		: >"$dir/$token"
	done
	cat >"$dir/ffffffffffffffff"
	[[ -s $dir/ffffffffffffffff ]] || rm "$dir/ffffffffffffffff"
}

# The new kernel gets what a process holds at this moment.
tree_kexec() {
	local session

	kill -KILL "$1"
	wait "$1" 2>/dev/null || true
	for session in "$ROOT"/luo/outgoing/*; do
		mv "$session" "$ROOT/luo/incoming"
	done
}
