#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Build the initrd that both kernels of a live update run, and print its path.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

usage() {
	cat <<-END
	Usage: ${0##*/} NEXT-KERNEL [SOURCE:DESTINATION[:MODE]]...

	Packs the guest's scripts, the user's tool, NEXT-KERNEL, which a scenario runs
	with kexec, and each SOURCE. NEXT-KERNEL may be empty. Prints the path of the
	initrd.
	END
}

# build_tool UAPI
build_tool() {
	kmake -s -C "$ROOT/tools/pci-liveupdate" O="$build/tool" UAPI="$1" \
		CROSS_COMPILE="$CROSS_COMPILE"
}

# build_programs TREE [TARGET]
build_programs() {
	mkdir -p "$build/guest"
	kmake -s -C "$build/guest" -f "$ROOT/tests/guest/Makefile" KERNEL_TREE="$1" \
		CROSS_COMPILE="$CROSS_COMPILE" "${@:2}"
}

main() {
	local next=${1:-} tree build programs initrd program scenario name
	local -a files

	[[ $# -gt 0 && $next != -* ]] || { usage; [[ $next ]]; exit; }
	init "$@"
	build=$HOST_BUILD
	[[ $ARCH == x86_64 ]] || build+=-$ARCH
	need_compiler
	tree=$("$ROOT/scripts/make-tree.sh" "$TO")
	# Tests that begin at the same time build the same programs.
	lock "${build##*/}"
	step "tool" build_tool "$tree/include/uapi"
	step "programs of the guest" build_programs "$tree"
	programs=$(build_programs "$tree" list)

	# One initrd for each set of arguments: the path of an image names its build.
	initrd=$CACHE/initrd/$(printf '%s' "$*" | sha256sum | cut -c 1-12).gz
	files=(${next:+"$next:/boot/next:644"} "$build/tool/pci-liveupdate:/bin/pci-liveupdate:755"
		"$ROOT/tests/guest/init:/init:755"
		"$ROOT/tests/guest/guest.sh:/lib/guest.sh:644"
		"$ROOT/tests/guest/igb.sh:/lib/igb.sh:644")
	for program in $programs; do
		files+=("$build/guest/$program:/bin/$program:755")
	done
	# build-initrd.sh adds kexec-tools on x86.
	[[ $ARCH == x86_64 ]] || files+=("$build/guest/kexec:/sbin/kexec:755")
	for scenario in "$ROOT"/tests/cases/*.guest.sh; do
		name=${scenario##*/}
		files+=("$scenario:/scenarios/${name%.guest.sh}.sh:644")
	done
	"$ROOT/scripts/build-initrd.sh" "$initrd" "${files[@]}" "${@:2}"
	printf '%s\n' "$initrd"
}

main "$@"
