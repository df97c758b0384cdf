#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Remove the builds, or the whole cache.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

usage() {
	cat <<-END
	Usage: ${0##*/} [--all]

	Removes the builds in $CACHE; with --all also the kernel trees, the
	downloads, the logs, and the git repositories of series-to-git.sh with all
	commits in them. Only folders that these scripts made are removed.
	END
}

main() {
	local -a names=(build initrd lint mypy) left
	local name

	case ${1:-} in
	'') ;;
	--all) names+=(series tree apt src log lock CACHEDIR.TAG) ;;
	*) usage; [[ $1 == -h || $1 == --help ]]; exit ;;
	esac

	[[ -d $CACHE ]] || return 0
	grep -qs pci-liveupdate "$CACHE/CACHEDIR.TAG" ||
		die "$CACHE was not made by these scripts; look at it and remove it by hand"
	init "$@"
	for name in "${names[@]}"; do
		[[ -e $CACHE/$name ]] || continue
		info "removing $CACHE/$name"
		rm -rf -- "${CACHE:?}/$name"
	done
	[[ ${1:-} == --all ]] || return 0
	left=("$CACHE"/*)
	rmdir -- "$CACHE" 2>/dev/null || info "left alone: ${left[*]}"
}

main "$@"
