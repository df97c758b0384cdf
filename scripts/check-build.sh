#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Build our objects with the compiler's extra warnings and with sparse.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

usage() {
	cat <<-END
	Usage: ${0##*/} [7.2|7.3]...

	Compiles the overlay's C files with W=1 and C=2, in the trees of the versions
	given (both). A warning about a file of ours is a failure. Files that have not
	changed since they passed are not compiled again.
	END
}

# set_objects: the objects of the overlay's C files. One that only a patch for
# another version puts in a Makefile is not for this kernel.
set_objects() {
	local object

	objects=()
	while read -r object; do
		if grep -qw -F "${object##*/}" "$tree/${object%/*}/Makefile"; then
			objects+=("$object")
		elif ! grep -qw -F "${object##*/}" "$ROOT"/patches/*.patch; then
			die "no patch puts $object in a Makefile"
		fi
	done < <(list_files drivers lib kernel mm 2>/dev/null | tr '\0' '\n' | sed -n 's/\.c$/.o/p')
}

# ours: the lines on stdin that name a file of the overlay.
ours() {
	grep -F -f <(overlay_files | tr '\0' '\n' | grep '\.[ch]$') || true
}

compile() {
	local said=$build/said

	(cd -- "$build" && rm -f -- "${objects[@]}")
	kmake -s -C "$tree" O="$build" "${ccache[@]}" -j"$(nproc)" -k W=1 C=2 CHECK=sparse "${objects[@]}" \
		>"$said" 2>&1 || { cat "$said"; return 1; }
	# Ignore reports of sparse about the kernel's own headers.
	ours <"$said" | grep . && return 1
	return 0
}

# check_key: everything that the objects and the warnings depend on.
check_key() {
	{
		cat "$tree.state/key" "$build/.config" "${BASH_SOURCE[0]}"
		gcc --version
		sparse --version
	} | sha256sum
}

check_version_build() {
	local version=$1 tree build image key
	local -a ccache=() objects

	image=$("$ROOT/scripts/build-kernel.sh" "$version" base)
	tree=$("$ROOT/scripts/make-tree.sh" "$version")
	build=$CACHE/build/$version-check
	! have ccache || ccache=(CC="ccache gcc" HOSTCC="ccache gcc")
	lock "build-$version-check"
	lock "tree-${tree##*/}" shared
	if [[ ! -d $build ]]; then
		lock "build-$version-base" shared
		copy_build "${image%/arch/*}" "$build"
		unlock "build-$version-base"
	fi
	set_objects
	cp "${image%/arch/*}/.config" "$build/.config"
	key=$(check_key)
	[[ ! -f $build/.checked || $(<"$build/.checked") != "$key" ]] || return 0
	rm -f "$build/.checked"
	step "check-build $version" compile
	printf '%s\n' "$key" >"$build/.checked"
}

main() {
	local version

	[[ ${1:-} != -* ]] || { usage; [[ $1 == -h || $1 == --help ]]; exit; }
	init "$@"
	need_x86
	(($#)) || set -- 7.2 7.3
	need_tools sparse:sparse
	for version; do
		check_version "$version"
		check_version_build "$version"
	done
}

main "$@"
