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

ROUNDS=${ROUNDS:-20}

usage() {
	cat <<-END
	Usage: ${0##*/}

	Runs the live update with a DMA transfer under way, and the one of 64 functions,
	ROUNDS ($ROUNDS) times each; TESTS='update-dma@*' runs one of them.
	END
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
	done
	summary
}

main "$@"
