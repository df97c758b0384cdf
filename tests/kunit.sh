#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Build and run the KUnit suites with kunit.py of the kernel, which shows the results.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"

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
	need_tools qemu-system-x86:qemu-system-x86_64 python3:python3 gcc:gcc make:make flex:flex \
		bison:bison bc:bc libelf-dev:gelf.h
	tree=$("$ROOT/scripts/make-tree.sh" "$TO")
	build=$CACHE/kunit/$TO
	lock "kunit-$TO"
	lock "tree-${tree##*/}" shared
	lock compile
	mkdir -p "$build"
	"$tree/tools/testing/kunit/kunit.py" run --arch=x86_64 --jobs="$(nproc)" --timeout=600 \
		--build_dir="$build" --kunitconfig="$tree/lib/test_pci_liveupdate.kunitconfig" \
		--kernel_args='liveupdate=on log_buf_len=16M' "$SUITES"
	"$ROOT/tests/vm/scan-console.sh" "$build/test.log"
}

main "$@"
