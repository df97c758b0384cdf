#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Make branches of a kernel repository that have the patches as commits.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/series-lib.sh
. "$ROOT/scripts/series-lib.sh"

usage() {
	cat <<-END
	Usage: ${0##*/} 7.2|7.3

	Makes the branch pci-liveupdate-VERSION with one commit for each patch of
	patches/series, the files of the overlay included, and the branch
	pci-liveupdate-VERSION-independent for patches/independent. Both begin at the
	stock kernel. Prints the path of the repository. series-from-git.sh takes the
	commits back after they were edited.

	GIT=   a git repository of the kernel (one of the stock tree, in the cache)
	BASE=  the commit there to begin at (that of the last time, or HEAD)
	END
}

# check_not_edited FOLDER NEW: the commits of the branch must not get lost.
check_not_edited() {
	local branch tip made

	branch=$(branch_of "$1")
	tip=$(git rev-parse -q --verify "refs/heads/$branch") || return 0
	made=$(git rev-parse -q --verify "$(made_ref "$1")") || made=none
	[[ $tip == "$made" || $tip == "$2" ]] ||
		die "$branch was edited: take it back with make series-from-git, or drop it with git branch -D"
}

# make_branches: both, or none.
make_branches() {
	local folder commits
	local -A tip=()

	for folder in "${SERIES[@]}"; do
		commits=$(make_commits "$folder")
		tip[$folder]=${commits##* }
		check_not_edited "$folder" "${tip[$folder]}"
	done
	for folder in "${SERIES[@]}"; do
		set_branch "$folder" "${tip[$folder]}"
	done
}

main() {
	local version=${1:-} base release work
	local -a overlay

	[[ $# == 1 && $1 != -* ]] || { usage; [[ ${1:-} == -h || ${1:-} == --help ]]; exit; }
	init "$@"
	check_version "$version"
	need_tools git:git
	work=$CACHE/series/work
	lock series
	mapfile -d '' overlay < <(overlay_files)
	check_complete
	use_git
	open_repository "$version"
	step "branches of Linux $version" make_branches
	if [[ ! ${GIT:-} && $(git rev-parse HEAD) == "$base" ]]; then
		git checkout -q "$(branch_of patches)"
	fi
	git rev-parse --show-toplevel
}

main "$@"
