#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Build the KUnit suites with kunit.py of the kernel, run them in the machine of the tests,
# and have kunit.py show the results. kunit.py itself would run them with KVM wherever
# /dev/kvm exists, also where KVM runs no guest.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source=tests/vm/vm.sh
. "$ROOT/tests/vm/vm.sh"
# shellcheck source=tests/cases/kunit.sh
. "$ROOT/tests/cases/kunit.sh"

usage() {
	cat <<-END
	Usage: make kunit [SUITES=pci_liveupdate_guard]

	  SUITES  a pattern of suites or suite.test (all of ours)
	  TO      the kernel: 7.2 or 7.3
	END
}

main() {
	local tree build

	init "$@"
	(($# == 0)) || { usage; exit; }
	need_x86
	need_qemu
	need_tools python3:python3 gcc:gcc make:make flex:flex bison:bison bc:bc libelf-dev:gelf.h
	tree=$("$ROOT/scripts/make-tree.sh" "$TO")
	build=$CACHE/kunit/$TO
	lock "kunit-$TO"
	lock "tree-${tree##*/}" shared
	lock compile
	mkdir -p "$build"
	"$tree/tools/testing/kunit/kunit.py" build --arch=x86_64 --jobs="$(nproc)" \
		--build_dir="$build" --kunitconfig="$tree/lib/test_pci_liveupdate.kunitconfig"
	kunit_boot "$build/run" "$tree" "$build/arch/x86/boot/bzImage" "${SUITES:-pci_liveupdate*}" \
		"$KUNIT_SECONDS" "" || die "the console and the results are in $build/run"
	cat "$build/run/kunit"
	"$ROOT/tests/vm/scan-console.sh" "$build/run/console"
}

main "$@"
