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
	with kexec, and each SOURCE. Prints the path of the initrd.
	END
}

# build_tool UAPI
build_tool() {
	kmake -s -C "$ROOT/tools/pci-liveupdate" O="$HOST_BUILD/tool" UAPI="$1"
}

# build_program NAME UAPI: a program of the scenarios.
build_program() {
	gcc -O2 -Wall -Wextra -static -idirafter "$2" -o "$HOST_BUILD/tool/$1" \
		"$ROOT/tests/guest/$1.c"
}

main() {
	local next=${1:-} uapi initrd program scenario name
	local -a files

	[[ $next && $next != -* ]] || { usage; [[ $next ]]; exit; }
	init "$@"
	uapi=$("$ROOT/scripts/make-tree.sh" "$TO")/include/uapi
	step "tool" build_tool "$uapi"
	for program in edu-dma luo-file; do
		if [[ $ROOT/tests/guest/$program.c -nt $HOST_BUILD/tool/$program ]]; then
			step "$program" build_program "$program" "$uapi"
		fi
	done

	# One initrd for each set of arguments: the path of an image names its build.
	initrd=$CACHE/initrd/$(printf '%s' "$*" | sha256sum | cut -c 1-12).gz
	files=("$next:/boot/next:644" "$HOST_BUILD/tool/pci-liveupdate:/bin/pci-liveupdate:755"
		"$HOST_BUILD/tool/edu-dma:/bin/edu-dma:755"
		"$HOST_BUILD/tool/luo-file:/bin/luo-file:755"
		"$ROOT/tests/guest/init:/init:755"
		"$ROOT/tests/guest/guest.sh:/lib/guest.sh:644")
	for scenario in "$ROOT"/tests/cases/*.guest.sh; do
		name=${scenario##*/}
		files+=("$scenario:/scenarios/${name%.guest.sh}.sh:644")
	done
	"$ROOT/scripts/build-initrd.sh" "$initrd" "${files[@]}" "${@:2}"
	printf '%s\n' "$initrd"
}

main "$@"
