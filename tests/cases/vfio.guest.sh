# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# Programs drive an edu and nvme VFs with VFIO, and go on in the next kernel. With
# owner=dies a program dies there after each step, and another one takes the session.
# With owner=refused the kexec fails once before, because an interrupt is enabled. With
# pf=vfio-pci the PF is bound to vfio-pci, and its VFs need a token.

pf_driver() {
	parameter pf pci-pf-stub
}

# VFs of a PF with a user have a token, other functions must not have one.
if [ "$(pf_driver)" = vfio-pci ]; then
	export VF_TOKEN=00112233-4455-6677-8899-aabbccddeeff
fi

# users_functions: an edu and VFs.
users_functions() {
	[ "$VF_TOKEN" ] || edus_below_bridges | tail -n 1
	kept_vfs
}

# mode_of ADDRESS
mode_of() {
	cat "$PCI/devices/$1/vfio_liveupdate"
}

# online PF: enable VFs and bring their controllers online.
online() {
	bind_to "$(pf_driver)" "$1"
	if [ "$VF_TOKEN" ]; then
		SESSION=pf vfio_user pf "$1" ". /lib/guest.sh && enable_vfs $1"
	else
		check "VFs of $1 are enabled and online" enable_vfs "$1"
	fi
}

# attempt ADDRESS: to open and bind a device.
attempt() {
	vfio-user try "$1" | cut -d ' ' -f 2
}

# online_again PF VF: the PF goes back to its user, before its VFs.
online_again() {
	bind_to vfio-pci "$2" "$1"
	check_same "the PF cannot be bound after its VF" "$(driver_of "$1")" ""
	unbind "$2"
	bind_to vfio-pci "$1"
	(unset VF_TOKEN && SESSION=pf vfio_user pf-go-on "$1")
}

# check_token PF: with a VF that is not preserved. Its reset would complete requests of
# the other VFs: QEMU drains the drive that they share.
check_token() {
	local other

	other=$(vfs_of "$1" | grep -vxF "$(kept_vfs)" | head -n 1)
	echo "$other" >"$PCI/drivers_probe"
	check_same "VFs of the PF are for vfio-pci" "$(driver_of "$other")" vfio-pci
	check_same "a VF needs the token" "$(unset VF_TOKEN && attempt "$other")" EACCES
	check_same "the token of the old kernel works" "$(attempt "$other")" ok
}

# vfio_user COMMAND...: its checks are ours.
vfio_user() {
	vfio-user "$@" >&3 2>/tmp/err
	check_same "vfio-user $1 ends" $? 0
	sed 's/^/data failed /' /tmp/err >&3
}

# LUO holds the module for each file of a session.
check_module_stays() {
	[ "$(parameter module no)" = no ] ||
		check "the module cannot be unloaded $1" not rmmod vfio-pci
}

first() {
	local all

	[ "$(parameter module no)" = no ] || modprobe vfio-pci
	[ ! "$(pfs)" ] || online "$(pfs)"
	all=$(users_functions)
	bind_to vfio-pci $all
	for address in $all; do
		check_same "the mode of $address" "$(mode_of "$address")" running
	done
	say data users $all
	load_next
	if [ "$(parameter owner lives)" = refused ]; then
		vfio_user refused $all
		say "monitor block_set_io_throttle pf1.drive 0 1 0 0 0 0"
		load_next
	fi
	run_next_with vfio-user start $all
}

# check_again: a file cannot be retrieved before its function is bound, but after that.
# The attempt loads the module.
check_again() {
	check "no file is retrieved before its function is bound" \
		not vfio-user die retrieve $(users_functions)
	check "the log says what to do" log_has "bind it and retrieve the file again"
}

# vfs_enabled PF: the function itself says so.
vfs_enabled() {
	local offset

	offset=$(extended_capability "$1" 0x10)
	[ $(($(config_read "$1" $((offset + 8)) 2) & 1)) != 0 ]
}

# check_unbound PF: the PF stays preserved, and goes back to its user. The VFs are lost.
check_unbound() {
	local vfs all

	vfs=$(vfs_of "$1")
	all=$(users_functions)
	bind_to vfio-pci "$1"
	check_same "binding the PF leaves its VFs" "$(vfs_of "$1")" "$vfs"
	check "they are enabled" vfs_enabled "$1"
	unbind "$1"
	check_same "unbinding it removes them" "$(vfs_of "$1")" ""
	check "they are disabled" not vfs_enabled "$1"
	check_same "the PF stays preserved" "$(records incoming pf)" "$1"
	check "it can do DMA" can_do_dma "$1"
	bind_to vfio-pci "$1"
	(unset VF_TOKEN && SESSION=pf vfio_user pf-go-on "$1")
	bind_to vfio-pci $(users_functions)
	check "the session of the VFs is finished" vfio-user give-up $all
	check_same "nothing stays in the record" "$(records incoming)" ""
}

second() {
	local all

	all=$(users_functions)
	check_same "the functions are in the record" \
		"$(records incoming '^function$|^vf$')" "$all"
	if [ "$(parameter unbind no)" = yes ]; then
		check_unbound $(pfs)
		return
	fi
	check_again
	[ ! "$VF_TOKEN" ] || online_again $(pfs) "$(kept_vfs | head -n 1)"
	bind_to vfio-pci $all
	check_module_stays "while files are not retrieved"
	if [ "$(parameter owner lives)" = dies ]; then
		for step in session retrieve bind; do
			vfio-user die $step $all
			check_same "all stay preserved after a death at $step" \
				"$(records incoming '^function$|^vf$')" "$all"
		done
	fi
	vfio_user go-on $all
	[ ! "$VF_TOKEN" ] || check_token $(pfs)
	check_same "nothing stays in the record" "$(records incoming)" ""
	check_same "closed devices do no DMA" "$(bus_masters $all)" ""
	if [ "$(parameter module no)" = yes ]; then
		for address in $all; do
			unbind "$address"
		done
		check "the module can be unloaded in the end" rmmod vfio-pci
	fi
}
