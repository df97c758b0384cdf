#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Get a static busybox for the guest and print its path.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/apt-lib.sh
. "$ROOT/scripts/apt-lib.sh"

PACKAGE=busybox-static

usage() {
	cat <<-END
	Usage: ${0##*/}

	Prints the path of a static busybox for \$ARCH ($ARCH): the installed one, or one
	that is downloaded once, from the mirror this machine's apt uses, and checked
	against its archive keys.

	BUSYBOX=  a static busybox you have
	END
}

# download_busybox DEB
download_busybox() {
	local version

	use_apt "apt/$ARCH" "$ARCH" stable
	version=$(find_version "$PACKAGE" newest_version) ||
		die "no site of this machine's apt has $PACKAGE for $ARCH; give a static busybox of your own with BUSYBOX="
	download "$PACKAGE" "$version" "$1"
}

# unpack DEB DIR
unpack() {
	rm -rf "$2.tmp"
	mkdir -p "$2.tmp"
	dpkg-deb --extract "$1" "$2.tmp"
	mv "$1.version" "$2.tmp/VERSION"
	rm -rf "$2"
	mv "$2.tmp" "$2"
	rm -f "$1"
}

fetch() {
	local dir=$1 deb=$CACHE/apt/$ARCH/$PACKAGE.deb

	if ! have apt-get || ! have dpkg-deb; then
		die "there is no apt on this machine; give a static busybox for $ARCH with BUSYBOX="
	fi
	[[ -f $deb ]] || step "fetch busybox for $ARCH" download_busybox "$deb"
	step "unpack busybox for $ARCH" unpack "$deb" "$dir"
}

main() {
	local dir path

	[[ $# == 0 ]] || { usage; [[ $1 == -h || $1 == --help ]]; exit; }
	init "$@"
	if [[ ${BUSYBOX:-} ]]; then
		readlink -e -- "$BUSYBOX" || die "there is no file BUSYBOX=$BUSYBOX"
	elif [[ $ARCH == x86_64 ]]; then
		need_tools "$PACKAGE:busybox"
		command -v busybox
	else
		dir=$CACHE/src/busybox-$ARCH
		if [[ ! -f $dir/VERSION ]]; then
			lock src
			[[ -f $dir/VERSION ]] || fetch "$dir"
		fi
		path=$(find "$dir" -path '*/bin/busybox' | head -n 1)
		[[ $path ]] || die "the package $PACKAGE for $ARCH has no busybox: remove $dir"
		printf '%s\n' "$path"
	fi
}

main "$@"
