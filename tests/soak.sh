#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What depends on the moment, many times in a row.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source=tests/vm.sh
. "$ROOT/tests/vm.sh"
# shellcheck source=tests/cases.sh
. "$ROOT/tests/cases.sh"
# shellcheck source=tests/suite.sh
. "$ROOT/tests/suite.sh"

ROUNDS=${ROUNDS:-20}

usage() {
	cat <<-END
	Usage: ${0##*/}

	Runs the live update with a DMA transfer under way, and the one of 64 functions,
	ROUNDS ($ROUNDS) times each; TESTS='update-dma@*' runs one of them.
	END
}

main() {
	local round PATTERN=${TESTS:-*}

	(($# == 0)) || { usage; [[ $1 == -h || $1 == --help ]]; exit; }
	init "$@"
	[[ $ROUNDS =~ ^[1-9][0-9]*$ ]] || die "ROUNDS=$ROUNDS is not a number of 1 or more"
	need_qemu
	start_suite soak
	for ((round = 1; round <= ROUNDS; round++)); do
		run "update-dma@$round" dma yes
		run "update-7.2-to-7.3@$round" live_update 7.2-base 7.3-base 64 update
	done
	summary
}

main "$@"
