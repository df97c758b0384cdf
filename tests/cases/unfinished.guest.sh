# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# The second kernel is replaced before it has finished its sessions. No session goes on to
# the third one, so the functions stop: without a driver, with DMA under way, removed,
# bound to the stub, retrieved, and held by vfio-pci. A function that was preserved once
# more goes on.

set_roles() {
	set -- $(edus_below_bridges)
	UNBOUND=$1 CARRIED=$2
	set -- $(functions_below_bridges $PVPANIC)
	REMOVED=$1 BOUND=$2 RETRIEVED=$3
	VFIO=$(nvmes_below_bridges | head -n 1)
	UNFINISHED="$UNBOUND $REMOVED $BOUND $RETRIEVED $VFIO"
}

first() {
	set_roles
	bind $UNBOUND $CARRIED $REMOVED $BOUND $RETRIEVED
	bind_to vfio-pci $VFIO
	start_vfs
	for edu in $UNBOUND $CARRIED; do
		echo 1 >"$PCI/devices/$edu/enable"
	done
	enable_dma $UNBOUND $CARRIED $REMOVED $BOUND $RETRIEVED
	check "functions are preserved" preserve some $UNBOUND $REMOVED $BOUND
	check "so is one that will be retrieved" preserve retrieved $RETRIEVED
	check "so is one that goes on" preserve carried $CARRIED
	check "so is one of vfio-pci" preserve vfio $VFIO
	check "the controller of vfio-pci comes up" nvme_start $VFIO
	check "so are VFs" preserve vfs $(kept_vfs)
	load_next
	run_next
}

second() {
	set_roles
	check_same "all do DMA" "$(bus_masters $UNFINISHED $(kept_vfs))" \
		"$(printf '%s\n' $UNFINISHED $(kept_vfs))"
	bind $BOUND $RETRIEVED $CARRIED
	bind_to vfio-pci $VFIO
	check "a session is retrieved" pci-liveupdate -q retrieve --background retrieved
	check "another one is finished" pci-liveupdate finish carried
	enable_dma $CARRIED
	check "its function is preserved once more" preserve again $CARRIED
	echo 1 >"$PCI/devices/$REMOVED/remove"
	NEXT=third load_next
	run_next_with_dma $CARRIED $UNBOUND
}

third() {
	set_roles
	check_same "only one function is preserved" "$(records incoming function)" $CARRIED
	edu-dma check >/tmp/arrived
	check "its DMA arrives" grep -qx "$CARRIED arrived" /tmp/arrived
	check "the DMA of an unfinished function does not" \
		grep -qx "$UNBOUND did not arrive" /tmp/arrived
	check_same "no unfinished function does DMA" "$(bus_masters $UNFINISHED)" ""
	check_same "there are no VFs" "$(vfs_of $(pfs))" ""
	bind $CARRIED
	check "the session is finished" pci-liveupdate finish again
	check_same "nothing stays in the record" "$(records incoming)" ""
}
