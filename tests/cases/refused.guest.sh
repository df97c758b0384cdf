# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# The kernel refuses to preserve a VF, a PF with VFs and a bridge, and logs the
# reason. The machine has an nvme device with VFs.

sriov_pf() {
	local file

	for file in "$PCI"/devices/*/sriov_totalvfs; do
		basename "${file%/*}"
	done
}

# On its bus there are also its VFs.
below_other_bridges() {
	below_bridges | grep -v "^$1:"
}

first() {
	local pf vf port all

	pf=$(sriov_pf)
	echo pci-pf-stub >"$PCI/devices/$pf/driver_override"
	echo "$pf" >"$PCI/drivers_probe"
	echo 2 >"$PCI/devices/$pf/sriov_numvfs"
	vf=$(basename "$(readlink "$PCI/devices/$pf/virtfn0")")

	bind "$vf"
	check "preserving a VF fails" not pci-liveupdate preserve -b vm1 "$vf"
	check "the kernel says why" log_has "$vf: liveupdate: a VF cannot be preserved"

	echo "$pf" >"$PCI/drivers/pci-pf-stub/unbind"
	bind "$pf"
	check "preserving a PF with VFs fails" not pci-liveupdate preserve -b vm1 "$pf"
	check "the kernel says why" \
		log_has "$pf: liveupdate: cannot be preserved while it has VFs"

	port=$(functions_of 1b36:000c | head -n 1)
	bind "$port" 2>/dev/null
	check "preserving a bridge fails" not pci-liveupdate preserve -b vm1 "$port"

	check_same "nothing is in the record" "$(records outgoing)" ""
	all=$(below_other_bridges "${pf%:*}")
	bind $all
	check "one that is refused leaves none preserved" \
		not pci-liveupdate preserve -b vm1 $all "$vf"
	check_same "nothing is in the record still" "$(records outgoing)" ""
	check "the others can be preserved" preserve vm1 $all
	check "a second session cannot preserve them" \
		not pci-liveupdate preserve -b vm2 $all
	check_same "they stay in the record" "$(records outgoing function)" "$all"
}
