# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086 # lists of addresses are meant to be split
#
# An edu and an nvme controller behind an IOMMU, in reset mode, with two live updates in
# a row. The kexec finds a read of the controller in flight, which the machine completes
# in the next kernel, if nothing has reset the controller.

users_functions() {
	functions_below_bridges $EDU $NVME
}

# set_mode ADDRESS MODE
set_mode() {
	echo "$2" >"$PCI/devices/$1/vfio_liveupdate"
}

# modes ADDRESS...
modes() {
	for address; do
		cat "$PCI/devices/$address/vfio_liveupdate"
	done | sort -u
}

# update KERNEL: a live update to that kernel.
update() {
	local all

	all=$(users_functions)
	for address in $all; do
		say data port "$address" "$(port_above "$address")"
		say "data config before $address $(hexdump -v -e '1/1 "%02x"' "$PCI/devices/$address/config")"
	done
	say "monitor block_set_io_throttle pf1.drive 0 1 0 0 0 0"
	NEXT=$1 load_next
	run_next_with vfio-user start-reset $all
}

first() {
	local all

	all=$(users_functions)
	bind_to vfio-pci $all
	check_same "the default mode" "$(modes $all)" off
	for address in $all; do
		check "reset can be selected for $address" set_mode "$address" reset
	done
	update second
}

# check_stopped ADDRESS...: before a driver is bound.
check_stopped() {
	local controller

	controller=$(nvmes_below_bridges)
	check_same "functions can do no DMA" "$(bus_masters "$@")" ""
	check "registers of the controller can be read" [ $(($(config_read "$controller" 4) & 2)) = 2 ]
	check_same "the controller is disabled as after a reset" \
		"$(register_read "$controller" $NVME_CC) $(register_read "$controller" $NVME_CSTS)" "0 0"
}

# at_step STEP ADDRESS...: vfio-user has a shell call this at its steps.
at_step() {
	local step=$1
	shift

	check_same "the mode is that of the old kernel at $step" "$(modes "$@")" reset
	case $step in
	retrieve | bind)
		for address; do
			check "the mode of $address cannot change at $step" \
				write_is_busy "$PCI/devices/$address/vfio_liveupdate" off
		done
		;;
	esac
}

go_on() {
	local all

	all=$(users_functions)
	check_same "the functions are in the record" \
		"$(records incoming '^function$')" "$all"
	check_stopped $all
	bind_to vfio-pci $all
	check_same "the mode before the files are retrieved" "$(modes $all)" off
	# shellcheck disable=SC2016 # the shell of vfio-user expands it
	AT_STEP='. /lib/guest.sh; . /scenarios/vfio_reset.sh; at_step $STEP $(users_functions)' \
		vfio-user go-on-reset $all >&3 2>/tmp/err
	check_same "vfio-user go-on-reset ends" $? 0 || sed 's/^/data failed /' /tmp/err >&3
	check_same "the mode stays" "$(modes $all)" reset
	check_same "nothing stays in the record" "$(records incoming)" ""
	check_same "closed devices do no DMA" "$(bus_masters $all)" ""
}

second() {
	go_on
	update third
}

third() {
	go_on
}
