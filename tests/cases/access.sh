# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Unprivileged processes.

access_tests() {
	run access live_update 7.3-base 7.3-base 2 access vfio.enable_unsafe_noiommu_mode=1
}
