#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Remove the builds, or the whole cache.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

usage() {
	cat <<-END
	Usage: ${0##*/} [--all]

	Removes the builds in $CACHE. --all removes the whole folder: the kernel
	trees, the downloads, the logs, finds of the fuzzer, and the git
	repositories of series-to-git.sh with all commits in them.
	END
}

main() {
	local name

	case ${1:-} in
	''|--all) ;;
	*) usage; [[ $1 == -h || $1 == --help ]]; exit ;;
	esac

	[[ -d $CACHE ]] || return 0
	grep -qs pci-liveupdate "$CACHE/CACHEDIR.TAG" ||
		die "$CACHE was not made by these scripts; look at it and remove it by hand"
	if [[ ${1:-} == --all ]]; then
		info "removing $CACHE"
		rm -rf -- "${CACHE:?}"
		return
	fi
	for name in build initrd kunit lint mypy luo-selftests; do
		[[ -e $CACHE/$name ]] || continue
		info "removing $CACHE/$name"
		rm -rf -- "${CACHE:?}/$name"
	done
}

main "$@"
