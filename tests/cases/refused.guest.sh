# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# The kernel refuses to preserve a bridge, and a VF while the driver of its PF may
# disable it, and logs the reason. With another driver or none the VF is preserved, and
# then the number of VFs cannot change, unless the PF is removed. The machine has an
# nvme device with VFs.

# refuses ADDRESS...: the tool names the first reason, and the exit status is that of
# a refusal by the kernel.
refuses() {
	local status=0

	preserve vm1 "$@" || status=$?
	[ "$status" = 3 ]
}

refuses_vf() {
	refuses "$2" 2>/tmp/refused
	cat /tmp/refused
	grep -q "$2 .*the driver of its PF $1 is not supported" /tmp/refused
}

# check_refused_vf PF VF: while pci-stub is bound to the PF, which is not aware of live
# updates.
check_refused_vf() {
	local pf=$1 vf=$2 before all

	bind_to pci-stub $pf
	before=$(lines_said)
	check "a VF is refused while pci-stub is bound to its PF" refuses_vf $pf $vf
	check_same "one line says why" $(($(lines_said) - before)) 1
	check "it names the PF" log_has \
		"$pf: liveupdate: cannot be preserved with VFs: its driver may disable them"
	check_same "nothing is in the record" "$(records outgoing)" ""

	all=$(below_bridges)
	check "one that is refused leaves none preserved" refuses $all $vf
	check_same "nothing is in the record still" "$(records outgoing)" ""
	unbind $pf
}

check_kinds() {
	check_same "$1" "$(records outgoing 'vf$') $(records outgoing 'pf$')" "$3 $2"
	check_same "the PF is $4" "$(records outgoing "^$4\$")" "$2"
}

# check_accepted_vf DRIVER PF VF
check_accepted_vf() {
	local driver=$1 pf=$2 vf=$3 holder

	[ "$driver" = "no driver" ] || bind_to "$driver" $pf
	holder=$(preserve vm1 $vf)
	check_kinds "a VF is preserved with $driver on its PF" $pf $vf implied-pf
	[ "$driver" = "no driver" ] || check_refused "another number of VFs" "$(numvfs $pf)" 0
	close_session "$holder"
	check_same "the PF goes with its VF" "$(records outgoing)" ""
	[ "$driver" = "no driver" ] || unbind $pf
}

# check_pf PF VF: a PF with VFs in a session. Its removal disables these and cannot be
# refused.
check_pf() {
	local pf=$1 vf=$2 before

	bind $pf
	check "a PF with VFs is preserved" preserve vm1 $pf
	check "one of its VFs is preserved" preserve vm2 $vf
	check_kinds "both are in the record" $pf $vf pf
	check_refused "another number of VFs" "$(numvfs $pf)" 0

	before=$(lines_said)
	echo 1 >"$PCI/devices/$pf/remove"
	check "the kernel says that the VFs are disabled" log_has \
		"$pf: liveupdate: its VFs are being disabled: 1 are no longer preserved"
	check_same "neither is in the record" "$(records outgoing 'vf$|pf$')" ""
}

first() {
	local pf vf port all

	pf=$(pfs)
	bind_to pci-pf-stub $pf
	echo 2 >"$(numvfs $pf)"
	unbind $pf
	vf=$(vfs_of $pf | head -n 1)
	all=$(below_bridges)
	bind $all $vf

	check_refused_vf $pf $vf
	for driver in "no driver" pci-pf-stub $STUB; do
		check_accepted_vf "$driver" $pf $vf
	done

	port=$(functions_of 1b36:000c | head -n 1)
	bind "$port" 2>/dev/null
	check "preserving a bridge fails" not pci-liveupdate preserve -b vm1 "$port"

	check "the others can be preserved" preserve vm0 $all
	check "a second session cannot preserve them" not preserve vm1 $all
	check_same "they stay in the record" "$(records outgoing '^function$')" "$all"
	check_pf $pf $vf
	check_same "others stay in the record" "$(records outgoing '^function$')" "$all"
}
