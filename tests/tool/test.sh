#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Test pci-liveupdate without a kernel that supports live update: with a tree of
# files instead of /dev and /sys, and with a model of the Live Update Orchestrator.
# Build the tool and the model with ASan and UBSan.
#
# UAPI is the directory of linux/liveupdate.h, as for the Makefile of the tool. The
# default is the kernel tree of the other tests.

# The sourced files share variables.
# shellcheck source-path=SCRIPTDIR disable=SC1091,SC2034

set -euo pipefail
export LC_ALL=C
shopt -s extglob

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$HERE/../.." && pwd)
TOOL_DIR=$TOP/tools/pci-liveupdate
UAPI=${UAPI:-$("$TOP/scripts/make-tree.sh" "${TO:-7.3}")/include/uapi}
UAPI=$(realpath -m "$UAPI")
CC=${CC:-gcc}

# Standard input of the tool, and its time limit in seconds
INPUT=/dev/null
LIMIT=20

SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=all"
STUB="pci-liveupdate-stub"

# Bound functions, a function that does not exist, and their tokens
A=0000:01:00.0
B=0000:01:00.1
C=10000:e1:00.7
GONE=0000:09:00.0
A_TOKEN=100
B_TOKEN=101
C_TOKEN=10000e107
GONE_TOKEN=900

# A PF on bus 1, its VFs on bus 2, more than 10, and tokens of the PF and VFS[3]
PF=0001:01:00.0
VFS=(0001:02:0{0..5}.{0,2,4})
PF_TOKEN=10100
VF_TOKEN=10208

# A function of vfio-pci, its device node, and its token
V=0000:03:00.0
NODE=noiommu-vfio0
V_TOKEN=300

. "$HERE/ktap.sh"
. "$HERE/tree.sh"
. "$HERE/run.sh"
. "$HERE/test_usage.sh"
. "$HERE/test_preserve.sh"
. "$HERE/test_retrieve.sh"
. "$HERE/test_list.sh"
. "$HERE/test_abandon.sh"
. "$HERE/test_vfs.sh"
. "$HERE/test_vfio.sh"

# Processes to kill at the end
HOLDERS=()

cleanup() {
	local pid

	for pid in "${HOLDERS[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
	done
	rm -rf "$TMP" "$TREE"
}

require() {
	local program

	for program in "$CC" make python3 flock timeout; do
		command -v "$program" >/dev/null ||
			ktap_skip_all "no $program: install it"
	done
	echo '#include <linux/liveupdate.h>' |
		"$CC" -E -idirafter "$UAPI" -x c - >/dev/null 2>&1 ||
		ktap_skip_all "no linux/liveupdate.h: UAPI=<kernel tree>/include/uapi"
}

build() {
	local flags="-O1 -g -Werror $SANITIZE"
	local objects

	make -s -C "$TOOL_DIR" O="$TMP/real" UAPI="$UAPI" CC="$CC" \
		CFLAGS="$flags" LDFLAGS="$SANITIZE"
	mapfile -t objects < <(find "$TMP/real" -name '*.o' ! -name luo_sys.o)
	# shellcheck disable=SC2086
	"$CC" -D_GNU_SOURCE -idirafter "$UAPI" -I"$TOOL_DIR" -Wall -Wextra \
		$flags -o "$TMP/mock" "$HERE/luo_mock.c" "${objects[@]}"
	REAL=$TMP/real/pci-liveupdate
	TOOL=$TMP/mock
}

test_build() {
	local before after

	before=$(ls -A "$TOOL_DIR")
	make -s -C "$TOOL_DIR" O="$TMP/static" UAPI="$UAPI" CC="$CC"
	after=$(ls -A "$TOOL_DIR")
	ktap_result "build: O= keeps the source clean" [ "$before" = "$after" ]
	ktap_result "build: the program is static" \
		is_static "$TMP/static/pci-liveupdate"
	ktap_result "build: a missing header is explained" build_explains
	make -s -C "$TOOL_DIR" O="$TMP/static" UAPI="$UAPI" CC="$CC" \
		DESTDIR="$TMP/dest" install
	ktap_result "build: install the program" \
		[ -x "$TMP/dest/usr/sbin/pci-liveupdate" ]
	ktap_result "build: install the manual" \
		[ -f "$TMP/dest/usr/share/man/man8/pci-liveupdate.8" ]
}

is_static() {
	! ldd "$1" >/dev/null 2>&1
}

build_explains() {
	local err

	err=$(make -s -C "$TOOL_DIR" O="$TMP/none" UAPI=/nonexistent CC="$CC" \
		CPPFLAGS=-nostdinc 2>&1) && return 1
	[[ $err == *"UAPI=<kernel tree>/include/uapi"* ]]
}

main() {
	require
	ktap_plan 381
	TMP=$(mktemp -d)
	# Keep several hundred thousand files in memory if possible.
	TREE=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
	trap cleanup EXIT
	build
	printf '#!/bin/sh\nexec env --default-signal=HUP,INT %s "$@"\n' "$TOOL" \
		>"$TMP/interruptible"
	chmod +x "$TMP/interruptible"
	tree_create "$TREE/root"
	tree_functions "$A" "$B" "$C"

	test_build
	test_usage
	test_help
	test_addresses
	test_stdin
	test_functions
	test_device
	test_names
	test_preserve
	test_preserve_errors
	test_background
	test_update
	test_incomplete
	test_manifest
	test_manifest_fuzz
	test_abandon
	test_abandon_session
	test_list
	tree_pf "$PF" "${VFS[@]}"
	test_vfs
	test_vfs_errors
	test_vfs_refused
	test_vfs_list
	test_vfs_retrieve
	test_abandon_pf
	test_vfio
	test_vfio_errors
	test_vfio_update
	test_vfio_incomplete
	test_vfio_list
	test_abandon_vfio
	test_fd
	test_session_fd
	test_program
	test_scale
	ktap_finish
}

main "$@"
