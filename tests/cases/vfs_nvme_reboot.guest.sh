# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086 # lists of addresses are meant to be split
#
# A reboot without a kexec, while VFs are preserved: no kernel takes them over, so the
# nvme driver shuts the controller of their PF down, as it does without a session.

# shellcheck source=tests/cases/vfs_nvme_pf.guest.sh
. /scenarios/vfs_nvme_pf.sh

first() {
	preserve_vfs_of_driver
	say "end first"
	power_off
}
