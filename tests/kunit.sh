#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run the KUnit suites in a kernel and show their results.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source=tests/vm/vm.sh
. "$ROOT/tests/vm/vm.sh"
# shellcheck source=tests/vm/live-update.sh
. "$ROOT/tests/vm/live-update.sh"
# shellcheck source=tests/cases/kunit.sh
. "$ROOT/tests/cases/kunit.sh"

main() {
	local rc=0

	init "$@"
	need_qemu
	need_tools python3:python3
	lock "kunit-$TO"
	kunit "$CACHE/kunit/$TO" "$TO-${CONFIG:-base}" || rc=$?
	cat "$CACHE/kunit/$TO/kunit"
	exit "$rc"
}

main "$@"
