# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Create a tree with the files of /dev and /sys that pci-liveupdate reads, and with
# the sessions of luo_mock.c.

tree_create() {
	ROOT=$1
	rm -rf "$ROOT"
	mkdir -p "$ROOT"/dev/pci-liveupdate "$ROOT"/luo/{outgoing,incoming} \
		"$ROOT"/sys/bus/pci/{devices,drivers/pci-liveupdate-stub} \
		"$ROOT"/sys/kernel/debug/other
	: >"$ROOT/dev/liveupdate"
	: >"$ROOT/sys/bus/pci/liveupdate_abandon"
}

# tree_forget: no function is abandoned.
tree_forget() {
	rm -rf "$ROOT/luo/abandoned"
}

# tree_holder PID SESSION: a process has a file of the session.
tree_holder() {
	mkdir -p "$ROOT/proc/$1/fd"
	ln -sfn "anon_inode:[luo_session] $2" "$ROOT/proc/$1/fd/4"
}

# tree_device ADDRESS HEADER_TYPE: add a function without a driver.
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

# tree_functions ADDRESS...: add functions that are bound to the stub.
tree_functions() {
	local address

	for address; do
		tree_device "$address" 80
		tree_bind "$address" pci-liveupdate-stub
	done
}

# tree_pf PF VF...: add a PF with these VFs, all bound to the stub.
tree_pf() {
	local devices=$ROOT/sys/bus/pci/devices pf=$1 nr=0 vf
	shift

	tree_functions "$pf" "$@"
	echo "$#" >"$devices/$pf/sriov_numvfs"
	for vf; do
		ln -s "../$vf" "$devices/$pf/virtfn$nr"
		ln -s "../$pf" "$devices/$vf/physfn"
		nr=$((nr + 1))
	done
}

# tree_records: set the list in debugfs to the standard input.
tree_records() {
	cat >"$ROOT/sys/kernel/debug/pci_liveupdate"
}

# tree_incoming SESSION TOKEN...: add a session of the previous kernel. The standard
# input is its manifest; it has none if the input is empty.
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

# tree_kexec PID: kill the holder, and hand over the sessions to the new kernel.
tree_kexec() {
	local session

	kill -KILL "$1"
	wait "$1" 2>/dev/null || true
	for session in "$ROOT"/luo/outgoing/*; do
		mv "$session" "$ROOT/luo/incoming"
	done
}

# tree_vfio ADDRESS NAME MODE: bind a function to a vfio-pci that supports live update.
# NAME is that of its device node.
tree_vfio() {
	local dir=$ROOT/sys/bus/pci/devices/$1

	mkdir -p "$ROOT/dev/vfio/devices" "$ROOT/sys/bus/pci/drivers/vfio-pci"
	: >"$ROOT/dev/iommu"
	[[ -e $dir ]] || tree_device "$1" 80
	ln -sfn ../../../../bus/pci/drivers/vfio-pci "$dir/driver"
	mkdir -p "$dir/vfio-dev/$2"
	echo "$3" >"$dir/vfio_liveupdate"
	printf '%s' "$1" >"$ROOT/dev/vfio/devices/$2"
}

# tree_no_vfio ADDRESS: bind the function to a driver without live update.
tree_no_vfio() {
	rm -r "$ROOT/sys/bus/pci/devices/$1"/vfio{-dev,_liveupdate}
	tree_bind "$1" other
}
