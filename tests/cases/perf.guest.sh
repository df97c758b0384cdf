# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# A live update that perf records on both sides. Events before user space runs are
# in the trace of the kernel.

TRACEFS=/sys/kernel/tracing

# send NAME: /tmp/NAME goes to the host.
send() {
	gzip -c "/tmp/$1" | base64 | sed "s/^/data file $1 /" >&3
}

# perf records this in the first kernel: preserve all functions, and those on the root
# bus for a moment.
preserve_all() {
	preserve vm1 $(below_bridges) &&
		timeout 1 pci-liveupdate -q preserve vm2 $(on_root_bus)
}

first() {
	bind $(below_bridges) $(on_root_bus)
	check "perf records what is preserved" pci-liveupdate-record \
		-o /tmp/preserve.data -- sh -c '. /lib/guest.sh; . /scenarios/perf.sh; preserve_all'
	say_records outgoing
	for address in $(on_root_bus); do
		say "data taken-back $address"
	done
	send preserve.data
	load_next liveupdate=on trace_event=pci_liveupdate
	run_next
}

second() {
	say_records incoming
	mount -t tracefs nodev "$TRACEFS"
	cat "$TRACEFS/trace" >/tmp/boot.trace
	send boot.trace
	bind $(below_bridges)
	check "perf records what is finished" pci-liveupdate-record \
		-o /tmp/finish.data -- pci-liveupdate -q finish vm1
	check_same "nothing stays in the record" "$(records incoming)" ""
	send finish.data
}
