# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# A device reports a fatal error. AER would reset its bus, and must not if there is
# an incoming function on the bus.

first() {
	local nvme

	nvme=$(nvmes)
	nvme_start $nvme
	check "the controller is started" nvme_runs $nvme
	bind $nvme
	check "the controller is preserved" preserve vm1 $nvme
	load_next
	run_next
}

second() {
	local nvme before

	nvme=$(nvmes)
	check "the controller runs" nvme_runs $nvme
	before=$(lines_said)
	say "monitor pcie_aer_inject_error faulty DLP"
	check "AER reports the error" wait_for_log "(Fatal)"
	# A reset takes a second.
	sleep 2
	check "the controller was not reset" nvme_runs $nvme
	check_same "one line says that there is no reset" $(($(lines_said) - before)) 1

	bind $nvme
	check "the session is finished" pci-liveupdate finish vm1
	check "the controller runs to the end" nvme_runs $nvme
}
