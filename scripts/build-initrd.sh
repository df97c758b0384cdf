#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Pack busybox, on x86 kexec, and the files given into an initrd.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# A file of the initrd -> "SOURCE MODE".
declare -A FILES=()

usage() {
	cat <<-END
	Usage: ${0##*/} OUT [SOURCE:DESTINATION[:MODE]]...

	Writes OUT, a compressed initrd with busybox, all its applets, kexec, and each
	SOURCE at DESTINATION, such as tests/guest/init:/init:755. Programs bring the shared
	libraries they need. Nothing is done if nothing changed. For an \$ARCH other than
	x86_64, kexec must be one of the files, and programs must be static.
	END
}

# add_file SOURCE DESTINATION [MODE]
add_file() {
	local source mode=${3:-}

	source=$(readlink -e -- "$1") || die "there is no file $1"
	[[ $2 == /* && $source$2 != *[[:space:]]* ]] ||
		die "'$1:$2' is not SOURCE:DESTINATION: absolute in the guest, no blanks"
	FILES[$2]="$source ${mode:-$(stat -c %a -- "$source")}"
}

# add_libraries FILE: those it is linked with, where it looks for them.
add_libraries() {
	local library

	while read -r library; do
		add_file "$library" "$library" 755
	done < <(ldd "$1" 2>/dev/null | grep -o '/[^ ]*')
}

add_arguments() {
	local spec source destination mode

	add_file "$("$ROOT/scripts/fetch-busybox.sh")" /bin/busybox 755
	[[ $ARCH != x86_64 ]] || add_file "$(command -v kexec)" /sbin/kexec 755
	for spec; do
		IFS=: read -r source destination mode <<<"$spec"
		add_file "$source" "$destination" "$mode"
	done
	for spec in "${FILES[@]}"; do
		add_libraries "${spec% *}"
	done
}

# directories: each folder some file is in, parents first.
directories() {
	local path

	for path in "${!FILES[@]}"; do
		while path=${path%/*}; [[ $path ]]; do
			printf '%s\n' "$path"
		done
	done | sort -u | grep -vxE '/(bin|dev|proc|run|sbin|sys|tmp)' || true
}

# cpio_list: the list of files that gen_init_cpio packs.
cpio_list() {
	local path applet

	# The kernel starts /sbin/modprobe. The applets are those of this machine's busybox:
	# that of the guest need not run here.
	cat <<-END
	dir /bin 0755 0 0
	dir /dev 0755 0 0
	dir /proc 0755 0 0
	dir /run 0755 0 0
	dir /sbin 0755 0 0
	dir /sys 0755 0 0
	dir /tmp 1777 0 0
	nod /dev/console 0600 0 0 c 5 1
	nod /dev/null 0666 0 0 c 1 3
	slink /sbin/modprobe ../bin/busybox 0777 0 0
	END
	directories | sed 's/.*/dir & 0755 0 0/'
	for path in "${!FILES[@]}"; do
		printf 'file %s %s 0 0\n' "$path" "${FILES[$path]}"
	done | sort
	for applet in $(busybox --list); do
		[[ $applet == busybox || ${FILES[/bin/$applet]+set} || ${FILES[/sbin/$applet]+set} ]] ||
			printf 'slink /bin/%s busybox 0777 0 0\n' "$applet"
	done
}

initrd_key() {
	{
		printf '%s\n' 1 "$list"
		printf '%s\n' "${FILES[@]% *}" | sort | xargs -d '\n' sha256sum
	} | sha256sum | cut -d ' ' -f 1
}

pack() {
	local out=$1 stock=$2 gen=$CACHE/initrd/gen_init_cpio

	mkdir -p "${gen%/*}" "$(dirname -- "$out")"
	if [[ ! -x $gen ]]; then
		gcc -O2 -o "$gen.tmp.$$" "$stock/usr/gen_init_cpio.c"
		mv "$gen.tmp.$$" "$gen"
	fi
	rm -f "$out.key"
	"$gen" -t 0 - <<<"$list" | gzip -1n >"$out.tmp.$$"
	mv "$out.tmp.$$" "$out"
	printf '%s\n' "$key" >"$out.key"
}

main() {
	local out=${1:-} list key stock

	[[ $# -ge 1 && $1 != -* ]] || { usage; [[ ${1:-} == -h || ${1:-} == --help ]]; exit; }
	init "$@"
	shift
	need_tools busybox-static:busybox
	[[ $ARCH != x86_64 ]] || need_tools kexec-tools:kexec
	add_arguments "$@"
	list=$(cpio_list)
	key=$(initrd_key)
	if [[ ! -f $out || ! -f $out.key || $(<"$out.key") != "$key" ]]; then
		need_tools gcc:gcc libc6-dev:stdio.h
		stock=$("$ROOT/scripts/fetch-kernel.sh" "$TO")
		step "initrd $(basename -- "$out")" pack "$out" "$stock"
	fi
}

main "$@"
