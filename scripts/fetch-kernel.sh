#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Get a stock kernel tree and print its path.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# The suites that carry new kernels. Their point releases change: a tested one may
# not be there any more.
SUITES=(trixie-backports forky sid)
KEYRINGS=(/usr/share/keyrings/debian-archive-keyring.{pgp,gpg})

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

# apt_sites: where this machine gets Debian from, one a line.
apt_sites() {
	# shellcheck disable=SC2016
	{
		apt-get indextargets --format '$(ORIGIN) $(SITE)' 'Created-By: Packages' |
			sed -n 's/^Debian //p'
		# A machine that never ran "apt-get update" has no targets yet.
		apt-get --print-uris update |
			sed -n "s,^'\(.*\)/dists/.*/InRelease'.*,\1,p"
	} 2>/dev/null | grep -v -e -security | awk '!seen[$0]++'
}

# private_apt TOOL ARGUMENTS...: apt with lists, cache and sources of its own.
private_apt() {
	local tool=$1 root=$CACHE/apt
	shift

	"$tool" -q -o Dir::Etc::SourceList="$root/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State::Lists="$root/lists" \
		-o Dir::Cache="$root/cache" \
		-o APT::Sandbox::User=root \
		-o APT::Get::AllowUnauthenticated=false \
		-o Acquire::AllowInsecureRepositories=false \
		-o Acquire::AllowWeakRepositories=false \
		-o Acquire::Languages=none \
		-o Acquire::Retries=3 \
		"$@"
}

write_sources() {
	local site=$1 keyring options='' suite

	for keyring in "${KEYRINGS[@]}"; do
		[[ -r $keyring ]] || continue
		options="[signed-by=$keyring] "
		break
	done
	mkdir -p "$CACHE"/apt/{lists,cache/archives}/partial
	for suite in "${SUITES[@]}"; do
		printf 'deb %s%s %s main\n' "$options" "$site" "$suite"
	done >"$CACHE/apt/sources.list"
}

# choose PACKAGE: of the releases that the suites offer, the last one in
# patches/tested, or else the newest; fails if there is none.
choose() {
	local offered tested

	offered=$(private_apt apt-cache madison "$1" | awk '{ print $3 }' | sort -uV)
	tested=$(awk -v version="${1##*-}" '$1 == version { print $2 }' "$ROOT/patches/tested" |
		grep -xF "$offered" | tail -n 1) || tested=''
	tail -n 1 <<<"${tested:-$offered}" | grep .
}

# Apt refuses unsigned lists. Ask it once more whether it trusts the suites, and
# compare the file with the signed index ourselves.
check_signed() {
	local package=$1 version=$2 deb=$3 trusted sum

	# shellcheck disable=SC2016
	trusted=$(private_apt apt-get indextargets --format '$(TRUSTED)' | sort -u)
	[[ $trusted == yes ]] || die "the package lists in $CACHE/apt are not signed by a key of this machine"
	sum=$(private_apt apt-cache show "$package=$version" | awk '/^SHA256:/ { print $2; exit }')
	sha256sum --check --quiet <<<"$sum  $deb" ||
		die "$deb is not the file that the signed index names"
}

download() {
	local package=$1 deb=$2 site version

	for site in $(apt_sites); do
		write_sources "$site"
		# A suite may be missing on a mirror: the others will do.
		private_apt apt-get update || true
		version=$(choose "$package") && break
	done
	[[ ${version:-} ]] ||
		no_package "no suite of ${SUITES[*]} could be reached, has $package and is signed with a key of this machine" "${package##*-}"

	rm -rf "$deb.tmp"
	mkdir -p "$deb.tmp"
	(cd "$deb.tmp" && private_apt apt-get download "$package=$version")
	check_signed "$package" "$version" "$(echo "$deb.tmp"/*.deb)"
	printf '%s\n' "$version" >"$deb.version"
	mv "$deb.tmp"/*.deb "$deb"
	rmdir "$deb.tmp"
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
		step "fetch $version" download "$package" "$deb"
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
