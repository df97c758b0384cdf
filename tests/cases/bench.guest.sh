# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# The benchmark of the index: no kexec, and nothing is preserved.

first() {
	check "the benchmark runs" \
		cp /sys/kernel/debug/pci_liveupdate_benchmark /tmp/results
	sed 's/^/data bench /' /tmp/results >&3
	check "all contenders agree" grep -qx '# 0 bad' /tmp/results
}
