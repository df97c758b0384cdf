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

# build_program NAME UAPI [FLAG...]: a program of the scenarios.
build_program() {
	gcc -O2 -Wall -Wextra -static -idirafter "$2" "${@:3}" -o "$HOST_BUILD/tool/$1" \
		"$ROOT/tests/guest/$1.c" "$ROOT/tests/guest/luo.c"
}

# is_current NAME: the program is newer than its sources.
is_current() {
	local source program=$HOST_BUILD/tool/$1

	for source in "$ROOT/tests/guest/$1.c" "$ROOT"/tests/guest/luo.[ch] \
		"$ROOT/lib/test_pci_liveupdate_damage.h" "$ROOT/include/linux/kho/abi/pci.h"; do
		[[ $program -nt $source ]] || return
	done
}

main() {
	local next=${1:-} tree initrd program scenario name
	local -a files

	[[ $next && $next != -* ]] || { usage; [[ $next ]]; exit; }
	init "$@"
	tree=$("$ROOT/scripts/make-tree.sh" "$TO")
	step "tool" build_tool "$tree/include/uapi"
	for program in edu-dma luo-file; do
		is_current "$program" || step "$program" build_program "$program" "$tree/include/uapi"
	done
	# The structures of nvme are not in the kernel's headers for user space.
	is_current nvme-vf ||
		step nvme-vf build_program nvme-vf "$tree/include/uapi" \
			-isystem "$tree/tools/include" -idirafter "$tree/include"
	# Neither are those of the record.
	is_current record-damage ||
		step record-damage build_program record-damage "$tree/include/uapi" \
			-I"$ROOT/lib" -I"$ROOT/include" -isystem "$ROOT/tests/index/shim" -isystem "$tree/tools/include" \
			-idirafter "$tree/include"

	# One initrd for each set of arguments: the path of an image names its build.
	initrd=$CACHE/initrd/$(printf '%s' "$*" | sha256sum | cut -c 1-12).gz
	files=("$next:/boot/next:644" "$HOST_BUILD/tool/pci-liveupdate:/bin/pci-liveupdate:755"
		"$HOST_BUILD/tool/edu-dma:/bin/edu-dma:755"
		"$HOST_BUILD/tool/luo-file:/bin/luo-file:755"
		"$HOST_BUILD/tool/nvme-vf:/bin/nvme-vf:755"
		"$HOST_BUILD/tool/record-damage:/bin/record-damage:755"
		"$ROOT/tests/guest/init:/init:755"
		"$ROOT/tests/guest/guest.sh:/lib/guest.sh:644"
		"$ROOT/tests/guest/igb.sh:/lib/igb.sh:644")
	for scenario in "$ROOT"/tests/cases/*.guest.sh; do
		name=${scenario##*/}
		files+=("$scenario:/scenarios/${name%.guest.sh}.sh:644")
	done
	"$ROOT/scripts/build-initrd.sh" "$initrd" "${files[@]}" "${@:2}"
	printf '%s\n' "$initrd"
}

main "$@"
