#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Live updates in a row in one machine, without a reboot from firmware in between.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source=tests/vm/vm.sh
. "$ROOT/tests/vm/vm.sh"
# shellcheck source=tests/vm/devices.sh
. "$ROOT/tests/vm/devices.sh"
# shellcheck source=tests/vm/live-update.sh
. "$ROOT/tests/vm/live-update.sh"
# shellcheck source=tests/cases/soak.sh
. "$ROOT/tests/cases/soak.sh"

ROUNDS=${ROUNDS:-100}
SEED=${SEED:-$((SRANDOM % 1000000))}

usage() {
	cat <<-END
	Usage: make soak [ROUNDS=100] [SEED=N] [FROM=7.2] [TO=7.3]

	  ROUNDS    how many live updates to run, FROM to TO and TO to FROM in turn
	  SEED      the choices of functions to preserve, to finish, to carry on, to remove
	            and to plug, by default a random one, which is printed
	  FROM, TO  the kernels: 7.2 or 7.3

	To repeat tests of the suite: make test TESTS='update-*' ROUNDS=20
	END
}

main() {
	local dir

	(($# == 0)) || { usage; [[ $1 == -h || $1 == --help ]]; exit; }
	init "$@"
	[[ $ROUNDS =~ ^[1-9][0-9]*$ ]] || die "ROUNDS=$ROUNDS is not a number of 1 or more"
	[[ $SEED =~ ^[0-9]+$ ]] || die "SEED=$SEED is not a number"
	need_qemu
	need_tools python3:python3
	build_kernel "$FROM-base" >/dev/null
	build_kernel "$TO-base" >/dev/null
	dir=$CACHE/soak/$FROM-$TO
	[[ $ARCH == x86_64 ]] || dir+=-$ARCH
	mkdir -p "$dir"
	lock "soak-${dir##*/}"
	printf '\n%s live updates between Linux %s and %s, SEED=%s\n\n' \
		"$ROUNDS" "$FROM" "$TO" "$SEED"
	if soak_test "$dir" "$FROM-base" "$TO-base" "$ROUNDS" "$SEED"; then
		printf '\nPASS. Logs: %s\n' "$dir"
	else
		printf '\nFAIL. Logs: %s\n' "$dir"
		exit 1
	fi
}

main "$@"
