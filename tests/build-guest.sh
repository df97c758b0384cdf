#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Build the initrd that both kernels of a live update run, and print its path.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"

usage() {
	cat <<-END
	Usage: ${0##*/} NEXT-KERNEL [SOURCE:DESTINATION[:MODE]]...

	Packs the guest's scripts, the user's tool, NEXT-KERNEL, the image that a
	scenario runs with kexec, and what else is named. Prints the path of the initrd.
	END
}

build_tool() {
	kmake -s -C "$ROOT/tools/pci-liveupdate" O="$HOST_BUILD/tool" \
		UAPI="$tree/include/uapi"
}

# build_program NAME: a program of the scenarios.
build_program() {
	gcc -O2 -Wall -Wextra -static -idirafter "$tree/include/uapi" \
		-o "$HOST_BUILD/tool/$1" "$ROOT/tests/guest/$1.c"
}

main() {
	local next=${1:-} tree initrd program scenario
	local -a files

	[[ $next && $next != -* ]] || { usage; [[ $next ]]; exit; }
	init "$@"
	tree=$("$ROOT/scripts/make-tree.sh" "$TO")
	step "tool" build_tool
	for program in edu-dma luo-file; do
		if [[ $ROOT/tests/guest/$program.c -nt $HOST_BUILD/tool/$program ]]; then
			step "$program" build_program "$program"
		fi
	done

	# One initrd a kernel: the path of the image names its build.
	initrd=$CACHE/initrd/$(printf '%s' "$*" | sha256sum | cut -c 1-12).gz
	files=("$next:/boot/next:644" "$HOST_BUILD/tool/pci-liveupdate:/bin/pci-liveupdate:755"
		"$HOST_BUILD/tool/edu-dma:/bin/edu-dma:755"
		"$HOST_BUILD/tool/luo-file:/bin/luo-file:755"
		"$ROOT/tests/guest/init:/init:755"
		"$ROOT/tests/guest/guest.sh:/lib/guest.sh:644")
	for scenario in "$ROOT"/tests/guest/scenarios/*.sh; do
		files+=("$scenario:/scenarios/${scenario##*/}:644")
	done
	"$ROOT/scripts/build-initrd.sh" "$initrd" "${files[@]}" "${@:2}"
	printf '%s\n' "$initrd"
}

main "$@"
