# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# Functions whose owners do not take them over are abandoned one after another: without
# a driver, removed, in a session that the tool did not make, of vfio-pci without and
# with a user, VFs and their PF, and removed before or after the file was retrieved. Their
# DMA stops at once, since memory of their sessions is free then, while other sessions go
# on. Before the kexec a function is abandoned whose holder hangs, and unbound. The third
# kernel gets an abandoned function once more.

# set_roles: each address by its role, since functions come and go. OTHERS go on until
# the end, and DMA_EDU has a DMA under way at the kexec.
set_roles() {
	set -- $(edus_below_bridges)
	UNBOUND=$1 REMOVED=$2 DMA_EDU=$3
	set -- $(nvmes_below_bridges)
	OTHERS=$(printf '%s\n' $DMA_EDU $1 $3 | sort)
	CONTROLLERS="$1 $3"
	VFIO=$2
	set -- $(functions_below_bridges $PVPANIC)
	FOREIGN=$1 HUNG=$2 VFIO_IN_USE=$3 RETRIED=$4 HUNG_VFIO=$5 DROPPED=$6 VFIO_LOST=$7
	LOST=$(functions_below_bridges $PVPANIC | tail -n 1)
	PF=$(pfs)
}

# controllers_run: those of the others.
controllers_run() {
	for controller in $CONTROLLERS; do
		nvme_runs $controller || return
	done
}

preserve_hung() {
	local holder

	holder=$(preserve hung $HUNG $HUNG_VFIO)
	kill -STOP "$holder"
	check "the tool names the process that holds the session" \
		says "process $holder holds it" pci-liveupdate abandon hung
	check "a function is abandoned while its holder hangs" pci-liveupdate abandon $HUNG
	check "the log says so" log_has "$HUNG: liveupdate: is abandoned by pci-liveupdate"
	check "it cannot be abandoned twice" \
		says "is not preserved" pci-liveupdate abandon $HUNG
	check "one of vfio-pci is in use" \
		says "is in use with VFIO" pci-liveupdate abandon $HUNG_VFIO
	check "it is abandoned all the same" pci-liveupdate --force abandon $HUNG_VFIO
	check_same "both are not in the record any more" \
		"$(records outgoing | grep -xF "$(printf '%s\n' $HUNG $HUNG_VFIO)")" ""
	unbind $HUNG
	check "unbinding an abandoned function needs no warning" \
		not log_has "$HUNG: liveupdate: unbound while preserved"
}

first() {
	set_roles
	bind $OTHERS $UNBOUND $REMOVED $FOREIGN $HUNG $RETRIED $LOST $DROPPED
	bind_to vfio-pci $VFIO $VFIO_IN_USE $HUNG_VFIO $VFIO_LOST
	start_vfs
	for edu in $UNBOUND $REMOVED $DMA_EDU; do
		echo 1 >"$PCI/devices/$edu/enable"
	done
	enable_dma $UNBOUND $REMOVED $FOREIGN $HUNG $LOST $DROPPED $DMA_EDU
	for controller in $CONTROLLERS; do
		check "controller $controller comes up" nvme_start $controller
	done
	check "the others are preserved" preserve others $OTHERS
	check "one is preserved" preserve unbound $UNBOUND
	check "one is preserved that will be removed" preserve removed $REMOVED
	check "one is preserved by another program" \
		luo-file preserve foreign "/dev/pci-liveupdate/$FOREIGN"
	check "one is preserved that will be retrieved twice" \
		luo-file preserve retried "/dev/pci-liveupdate/$RETRIED"
	check "one is preserved whose file will be lost" \
		luo-file preserve lost "/dev/pci-liveupdate/$LOST"
	check "one is preserved that will be removed after its file was retrieved" \
		preserve dropped $DROPPED
	check "one of vfio-pci is preserved" preserve vfio $VFIO
	check "one of vfio-pci is preserved for a user" preserve used $VFIO_IN_USE
	check "one of vfio-pci is preserved whose file will be lost" \
		preserve vfio-lost $VFIO_LOST
	enable_dma $VFIO_LOST
	check "VFs are preserved" preserve vfs $(kept_vfs)
	check "the controller of vfio-pci comes up" nvme_start $VFIO
	check "the edu does DMA" edu-dma try $UNBOUND
	preserve_hung
	load_next liveupdate=on "pci-stub.ids=$EDU,$NVME,$PVPANIC"
	run_next_with_dma $DMA_EDU
}

# says TEXT COMMAND...: the command fails and says it.
says() {
	local text=$1
	shift

	! "$@" >/tmp/said 2>&1 || return
	cat /tmp/said
	grep -qF "$text" /tmp/said
}

is_bound_to() {
	[ "$(driver_of "$1")" = "$2" ]
}

# check_stopped ADDRESS
check_stopped() {
	check "the DMA of $1 is stopped" not can_do_dma "$1"
	check "the record does not have $1 any more" not [ "$(records incoming | grep "^$1\$")" ]
	check "user space gets a uevent of $1" uevent abandoned "$1"
	check "the controllers of others run" controllers_run
	check "the function beside can do DMA" can_do_dma $DMA_EDU
}

check_hung() {
	check_same "the abandoned functions were not handed over" \
		"$(records incoming | grep -xF "$(printf '%s\n' $HUNG $HUNG_VFIO)")" ""
	check "their files cannot be retrieved" \
		says "$HUNG_VFIO is not preserved any more" pci-liveupdate finish hung
	check "their session is finished" says "not found" pci-liveupdate finish hung
}

check_unbound() {
	local port

	port=$(port_above $UNBOUND)
	check "no driver is bound to the function" is_bound_to $UNBOUND ""
	check "its file is retrieved again later" \
		says "1 functions are not bound" pci-liveupdate finish unbound
	echo 1 >"$PCI/devices/$UNBOUND/enable"
	check "the function does DMA" edu-dma try $UNBOUND
	check "its session is abandoned" pci-liveupdate abandon unbound
	check_stopped $UNBOUND
	check "it cannot do DMA" not edu-dma try $UNBOUND
	check "any driver binds to it" becomes is_bound_to $UNBOUND pci-stub
	check "the port is needed for others" grep -q "^incoming $port " "$RECORD"
	check "its session is finished" says "not found" pci-liveupdate finish unbound
}

check_removed() {
	local bar

	bar=$(register $REMOVED 0)
	echo 1 >"$PCI/devices/$REMOVED/remove"
	check "a removed function is absent" grep -q "^incoming $REMOVED .* absent" "$RECORD"
	check "it is abandoned" pci-liveupdate abandon $REMOVED
	check "the log says so" log_has "$REMOVED is abandoned by pci-liveupdate"
	echo 1 >"$PCI/rescan"
	check "its DMA is stopped" not can_do_dma $REMOVED
	check_same "it is where it was" "$(register $REMOVED 0)" "$bar"
	check "its session is finished" \
		says "is not preserved any more" pci-liveupdate finish removed
}

check_retried() {
	check "no file is retrieved before its function is bound" \
		says "temporarily unavailable" luo-file finish retried
	check "the log says what to do" log_has "$RETRIED: liveupdate: has a preserved file"
	bind $RETRIED
	check "the file is retrieved after that" luo-file finish retried
}

# check_gone ADDRESS: the session of a removed function is finished.
check_gone() {
	check "the record does not have $1 any more" not [ "$(records incoming | grep "^$1\$")" ]
	echo 1 >"$PCI/rescan"
	check "the DMA of $1 is stopped" not can_do_dma "$1"
	check "the controllers of others run" controllers_run
	check "the function beside can do DMA" can_do_dma $DMA_EDU
}

check_lost() {
	echo 1 >"$PCI/devices/$(port_above $LOST)/remove"
	check "the file of a function is lost that was removed with its port" \
		luo-file abandon lost
	check_gone $LOST
	echo 1 >"$PCI/devices/$VFIO_LOST/remove"
	check "so is the file of one of vfio-pci" \
		says "does not exist in this kernel" pci-liveupdate finish vfio-lost
	check_gone $VFIO_LOST
}

check_dropped() {
	local holder

	bind $DROPPED
	holder=$(pci-liveupdate -q retrieve --background dropped)
	echo 1 >"$PCI/devices/$DROPPED/remove"
	close_session "$holder"
	check_gone $DROPPED
}

check_foreign() {
	echo 0 >"$PCI/drivers_autoprobe"
	check "a session of another program is not finished" \
		says "has files of other functions" pci-liveupdate abandon foreign
	check "its function is abandoned" pci-liveupdate abandon $FOREIGN
	check_stopped $FOREIGN
	check "no driver binds to it unasked" not becomes is_bound_to $FOREIGN pci-stub
	echo 1 >"$PCI/drivers_autoprobe"
	check "its session is finished" pci-liveupdate abandon foreign
	check "no file is left of it" says "No such file" luo-file finish foreign
}

check_vfio() {
	local holder

	bind_to vfio-pci $VFIO $VFIO_IN_USE
	check "the controller of vfio-pci runs" nvme_runs $VFIO
	check "a function that vfio-pci holds is abandoned" pci-liveupdate abandon $VFIO
	check_stopped $VFIO
	check "it can be opened" is_open_for_users $VFIO
	check "its session is finished" says "cannot be retrieved" pci-liveupdate finish vfio

	holder=$(pci-liveupdate -q retrieve --background used)
	check "a function with a user is not abandoned" \
		says "is in use with VFIO" pci-liveupdate abandon $VFIO_IN_USE
	check "its session is held" \
		says "held by process $holder" pci-liveupdate abandon used
	close_session "$holder" KILL
	check "its session stays without the user" \
		grep -q "^incoming $VFIO_IN_USE " "$RECORD"
	check "the session is abandoned" pci-liveupdate abandon used
	check_stopped $VFIO_IN_USE
	check "it can be opened in the end" is_open_for_users $VFIO_IN_USE
}

is_open_for_users() {
	[ "$(vfio-user try "$1")" = "$1 ok" ]
}

check_vfs() {
	local vf

	vf=$(kept_vfs | head -n 1)
	check "a PF with preserved VFs is not abandoned" \
		says "$PF has preserved VFs $vf" pci-liveupdate abandon $PF
	check "the log names them" log_has "$vf is a preserved VF"
	check "a VF is abandoned" pci-liveupdate abandon $vf
	check_stopped $vf
	check_same "the others are not" "$(bus_masters $(kept_vfs))" \
		"$(kept_vfs | tail -n +2)"
	check "all VFs are abandoned" pci-liveupdate abandon $PF/vfs
	check_same "none does DMA" "$(bus_masters $(kept_vfs))" ""
	check "the PF goes with them" not [ "$(records incoming | grep "^$PF\$")" ]
	check "their session is finished" pci-liveupdate abandon vfs
}

second() {
	set_roles
	catch_uevents
	check "the DMA during the kexec arrived" edu-dma check
	check_hung
	check_unbound
	check_removed
	check_retried
	check_lost
	check_dropped
	check_foreign
	check_vfio
	check_vfs
	bind $OTHERS
	check "the session of the others is finished" pci-liveupdate finish others
	check_same "nothing stays in the record" "$(records incoming)" ""
	check_same "the others were not stopped" "$(bus_masters $OTHERS)" "$OTHERS"
	check_same "each has another uevent" "$(sort /tmp/uevents | grep ^finished)" \
		"$(printf 'finished %s\n' $OTHERS $RETRIED | sort)"

	unbind $UNBOUND
	bind $UNBOUND
	enable_dma $UNBOUND
	check "the abandoned function is preserved again" preserve again $UNBOUND
	NEXT=third load_next
	run_next_with_dma $UNBOUND
}

third() {
	set_roles
	check_same "it is preserved once more" "$(records incoming function)" $UNBOUND
	check "its DMA during the kexec arrived" edu-dma check
	bind $UNBOUND
	check "its session is finished" pci-liveupdate finish again
	check_same "nothing stays in the last record" "$(records incoming)" ""
}
