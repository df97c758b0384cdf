#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Repeat timing-sensitive tests.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source=tests/vm/vm.sh
. "$ROOT/tests/vm/vm.sh"
# shellcheck source=tests/vm/devices.sh
. "$ROOT/tests/vm/devices.sh"
# shellcheck source=tests/vm/live-update.sh
. "$ROOT/tests/vm/live-update.sh"
# shellcheck source=tests/vm/suite.sh
. "$ROOT/tests/vm/suite.sh"
# shellcheck source=tests/cases/vfs.sh
. "$ROOT/tests/cases/vfs.sh"

ROUNDS=${ROUNDS:-20}

usage() {
	cat <<-END
	Usage: ${0##*/}

	Runs the live update with a DMA transfer under way, the one of 64 functions, and
	those of VFs with a read in flight in both directions, ROUNDS ($ROUNDS) times each;
	TESTS='update-dma@*' runs one of them.
	END
}

# report_reads NAME: how often the read in flight completed in the next kernel.
report_reads() {
	local name=$1
	local -i round ran=0 completed=0

	for ((round = 1; round <= ROUNDS; round++)); do
		# shellcheck disable=SC2053 # it is a pattern
		[[ $name@$round == ${SUITE[pattern]} ]] || continue
		ran+=1
		! grep -q ' data vf_read completed$' "${SUITE[folder]}/$name@$round/side" ||
			completed+=1
	done
	((ran == 0)) ||
		report_line "# $name: the read in flight completed $completed times of $ran"
}

main() {
	local round

	(($# == 0)) || { usage; [[ $1 == -h || $1 == --help ]]; exit; }
	init "$@"
	[[ $ROUNDS =~ ^[1-9][0-9]*$ ]] || die "ROUNDS=$ROUNDS is not a number of 1 or more"
	need_qemu
	start_suite soak "${TESTS:-*}"
	for ((round = 1; round <= ROUNDS; round++)); do
		run "update-dma@$round" live_update 7.2-base 7.3-base 32 dma preserve=yes
		run "update-7.2-to-7.3@$round" live_update 7.2-base 7.3-base 64 update
		run "vfs-7.2-to-7.3@$round" vfs_test 7.2-base 7.3-base one_pf vfs=8
		run "vfs-7.3-to-7.2@$round" vfs_test 7.3-base 7.2-base one_pf vfs=8
	done
	report_reads vfs-7.2-to-7.3
	report_reads vfs-7.3-to-7.2
	summary
}

main "$@"
