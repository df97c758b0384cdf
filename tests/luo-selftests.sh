#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run the selftests of LUO, because our series changes LUO.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source=tests/vm/vm.sh
. "$ROOT/tests/vm/vm.sh"
# shellcheck source=tests/vm/live-update.sh
. "$ROOT/tests/vm/live-update.sh"

# The tests that take a kexec have a first process of their own.
KEXEC_TESTS=(luo_kexec_simple luo_multi_session luo_stress_sessions luo_stress_files)

usage() {
	cat <<-END
	Usage: ${0##*/} [FOLDER]

	Builds tools/testing/selftests/liveupdate of Linux $TO, runs it in the kernel
	that the other tests boot, and leaves the logs in FOLDER.
	END
}

# nolibc OUT FILE...: as vmtest.sh of the selftests does.
nolibc() {
	local out=$1
	shift

	gcc -static -O2 -nostdinc -nostdlib -fno-stack-protector \
		-fno-asynchronous-unwind-tables -I "$work/usr/include" \
		-I "$tree/tools/include/nolibc" -I "$tests/lib/include" -o "$out" "$@"
}

build_programs() {
	local name

	kmake -s -C "$tree" O="$work/headers" headers_install INSTALL_HDR_PATH="$work/usr"
	nolibc "$work/init" "$tests/init.c"
	for name in "${KEXEC_TESTS[@]}"; do
		nolibc "$work/$name" "$tests/$name.c" "$tests/lib/lu_utils.c"
	done
	gcc -static -O2 -I "$work/usr/include" -I "$tests/lib/include" \
		-I "$tree/tools/testing/selftests" -o "$work/liveupdate" \
		"$tests/liveupdate.c" "$tests/lib/lu_utils.c"
}

# pack NAME: the initrd of the first kernel contains the one of the second kernel. The
# first process mounts debugfs on a folder that has to be there.
pack() {
	local files=("$work/init:/init:755" "$work/$1:/test_binary:755"
		"$work/init:/debugfs/hidden:644")

	"$ROOT/scripts/build-initrd.sh" "$work/$1.second.gz" "${files[@]}"
	"$ROOT/scripts/build-initrd.sh" "$work/$1.gz" "${files[@]}" \
		"$image:/kernel:644" "$work/$1.second.gz:/initrd.img:644"
}

kexec_test() {
	local name=$1 dir=$out/$1

	pack "$name"
	vm_boot "$dir" "$image" "$image" "$work/$name.gz" "$BOOT_SECONDS" liveupdate=on ||
		{ echo "this was $name"; return 1; }
	if ! grep -q 'TEST PASSED' "$dir/console"; then
		echo "$name did not pass; its last words:"
		tail -n 12 "$dir/console"
		return 1
	fi
	console_is_clean "$dir/console"
}

plain_test() {
	local dir=$out/liveupdate

	"$ROOT/scripts/build-initrd.sh" "$work/liveupdate.gz" \
		"$ROOT/tests/guest/init:/init:755" "$ROOT/tests/guest/guest.sh:/lib/guest.sh:644" \
		"$ROOT/tests/cases/luo.guest.sh:/scenarios/luo.sh:644" \
		"$work/liveupdate:/bin/luo-selftest:755"
	vm_boot "$dir" "$image" "" "$work/liveupdate.gz" "$BOOT_SECONDS" \
		"liveupdate=on scenario=luo" || return
	guest_passed "$dir" first || return
	console_is_clean "$dir/console"
}

main() {
	local out=${1:-$CACHE/luo-selftests/$TO} tree tests image work name failed=0

	[[ $out != -* ]] || { usage; [[ $out == -h || $out == --help ]]; exit; }
	init "$@"
	need_qemu
	image=$("$ROOT/scripts/build-kernel.sh" "$TO" base)
	tree=$("$ROOT/scripts/make-tree.sh" "$TO")
	tests=$tree/tools/testing/selftests/liveupdate
	work=$HOST_BUILD/luo-$TO
	lock "luo-selftests-$TO"
	mkdir -p "$work/headers" "$out"
	step "LUO's selftests" build_programs
	plain_test || failed=1
	for name in "${KEXEC_TESTS[@]}"; do
		kexec_test "$name" || failed=1
	done
	return "$failed"
}

main "$@"
