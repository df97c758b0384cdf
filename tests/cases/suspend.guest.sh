# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# A resume restores the configuration space of all devices, so the kernel refuses to
# suspend while functions are preserved, on either side. With pm_test a suspend
# ends after freezing tasks.

suspend_until_frozen() {
	echo 0 >/sys/module/suspend/parameters/pm_test_delay
	echo freezer >/sys/power/pm_test
}

suspend() {
	echo freeze >/sys/power/state
}

first() {
	suspend_until_frozen
	check "the machine is suspended with nothing preserved" suspend
	bind $(below_bridges)
	check "all functions are preserved" preserve vm1 $(below_bridges)
	check_refused "suspending with functions to preserve" /sys/power/state freeze
	load_next
	run_next
}

second() {
	suspend_until_frozen
	bind $(below_bridges)
	check_refused "suspending with preserved functions" /sys/power/state freeze
	check "the session is finished" pci-liveupdate finish vm1
	check "the machine is suspended when all is finished" suspend
}
