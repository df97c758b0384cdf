# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# The selftest of LUO that does not take a kexec.

first() {
	check "LUO passes its selftest" luo-selftest
	sed 's/^/data luo /' /tmp/out >&3
}
