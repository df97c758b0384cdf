#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Get a stock kernel tree and print its path.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/apt-lib.sh
. "$ROOT/scripts/apt-lib.sh"

# The suites that carry new kernels. Their point releases change: a tested one may
# not be there any more.
SUITES=(trixie-backports forky sid)

usage() {
	cat <<-END
	Usage: ${0##*/} 7.2|7.3

	Prints the path of a pristine stock kernel tree. It is downloaded once, from
	the mirror this machine's apt uses, and checked against its archive keys. The
	release is one that patches/tested names, or else the newest.

	KERNEL_SRC=      a tree you have, used for \$TO ($TO)
	KERNEL_SRC_OLD=  a tree you have, used for \$FROM ($FROM)
	END
}

# user_tree VERSION: prints "NAME PATH" of the user's own tree, if there is one.
user_tree() {
	if [[ $1 == "$TO" && ${KERNEL_SRC:-} ]]; then
		printf 'KERNEL_SRC %s\n' "$KERNEL_SRC"
	elif [[ $1 == "$FROM" && ${KERNEL_SRC_OLD:-} ]]; then
		printf 'KERNEL_SRC_OLD %s\n' "$KERNEL_SRC_OLD"
	fi
}

check_user_tree() {
	local version=$1 name=$2 tree=$3 minor

	[[ -f $tree/Makefile && -f $tree/Kconfig && -d $tree/kernel/liveupdate ]] ||
		die "$name=$tree is not a kernel source tree"
	minor=$(awk '/^(VERSION|PATCHLEVEL) = / { print $3 }' "$tree/Makefile" | paste -sd .)
	[[ $minor == "$version" ]] ||
		die "$name=$tree is Linux $minor, but $version is needed"
	[[ ! -e $tree/.config && ! -d $tree/include/config ]] ||
		die "$name=$tree has been built in; give a clean copy of it (git worktree, or make mrproper)"
}

no_package() {
	die "$1; give a Linux $2 tree of your own with KERNEL_SRC= (for $TO) or KERNEL_SRC_OLD= (for $FROM)"
}

# choose PACKAGE: of the releases that the suites offer, the last one in
# patches/tested, or else the newest; fails if there is none.
choose() {
	local offered tested

	offered=$(offered_versions "$1")
	tested=$(awk -v version="${1##*-}" '$1 == version { print $2 }' "$ROOT/patches/tested" |
		grep -xF "$offered" | tail -n 1) || tested=''
	tail -n 1 <<<"${tested:-$offered}" | grep .
}

download_source() {
	local package=$1 deb=$2 version

	use_apt apt '' "${SUITES[@]}"
	version=$(find_version "$package" choose) ||
		no_package "no suite of ${SUITES[*]} could be reached, has $package and is signed with a key of this machine" "${package##*-}"
	download "$package" "$version" "$deb"
}

unpack() {
	local package=$1 deb=$2 dir=$3

	rm -rf "$dir.tmp"
	mkdir -p "$dir.tmp/linux"
	dpkg-deb --fsys-tarfile "$deb" |
		tar -xOf - "./usr/src/$package.tar.xz" |
		tar -xJf - -C "$dir.tmp/linux" --strip-components=1
	mv "$deb.version" "$dir.tmp/VERSION"
	rm -rf "$dir"
	mv "$dir.tmp" "$dir"
	rm -f "$deb"
}

fetch() {
	local version=$1 dir=$2 package=linux-source-$1 deb=$CACHE/apt/linux-source-$1.deb release

	if ! have apt-get || ! have dpkg-deb; then
		no_package "there is no apt on this machine" "$version"
	fi
	need_tools xz-utils:xz
	need_space 3 "Linux $version"
	if [[ ! -f $deb ]]; then
		step "fetch $version" download_source "$package" "$deb"
	fi
	release=$(<"$deb.version")
	is_tested "${release%%-*}" ||
		info "warning: Linux $release is not in patches/tested: patches may apply with fuzz"
	step "unpack $version" unpack "$package" "$deb" "$dir"
}

main() {
	local tree dir

	[[ $# == 1 && $1 != -* ]] || { usage; [[ ${1:-} == -h || ${1:-} == --help ]]; exit; }
	init "$@"
	check_version "$1"

	tree=$(user_tree "$1")
	if [[ $tree ]]; then
		check_user_tree "$1" "${tree%% *}" "${tree#* }"
		(cd -- "${tree#* }" && pwd)
		return
	fi

	dir=$CACHE/src/$1
	if [[ ! -f $dir/VERSION ]]; then
		lock src
		[[ -f $dir/VERSION ]] || fetch "$1" "$dir"
	fi
	printf '%s\n' "$dir/linux"
}

main "$@"
