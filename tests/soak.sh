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
# shellcheck source=tests/cases/vfio.sh
. "$ROOT/tests/cases/vfio.sh"

ROUNDS=${ROUNDS:-20}

usage() {
	cat <<-END
	Usage: ${0##*/}

	Runs the live update with a DMA transfer under way, the one of 64 functions, and in
	both directions those of VFs with a read in flight and those of vfio-pci, ROUNDS
	($ROUNDS) times each; TESTS='update-dma@*' runs one of them.
	END
}

# report_times NAME TEXT REGEX: how often the guest said a line.
report_times() {
	local name=$1 text=$2 regex=$3
	local -i round ran=0 times=0

	for ((round = 1; round <= ROUNDS; round++)); do
		# shellcheck disable=SC2053 # it is a pattern
		[[ $name@$round == ${SUITE[pattern]} ]] || continue
		ran+=1
		! grep -q "$regex" "${SUITE[folder]}/$name@$round/side" || times+=1
	done
	((ran == 0)) ||
		report_line "# $name: $text $times times of $ran"
}

main() {
	local round name

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
		run "vfio-7.2-to-7.3@$round" vfio_test 7.2-base 7.3-base
		run "vfio-7.3-to-7.2@$round" vfio_test 7.3-base 7.2-base
	done
	for name in 7.2-to-7.3 7.3-to-7.2; do
		report_times "vfs-$name" "the read in flight completed" ' data vf_read completed$'
		report_times "vfio-$name" "the DMA arrived" ': DMA that began in the old kernel arrived$'
		report_times "vfio-$name" "a read in flight completed" ': the read completes in this kernel$'
	done
	summary
}

main "$@"
