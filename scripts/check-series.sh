#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Build a kernel at each commit of the series, with the option on and off.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/series-lib.sh
. "$ROOT/scripts/series-lib.sh"

OURS=(pci-liveupdate.config pci-liveupdate-x86_64.config off.config)

usage() {
	cat <<-END
	Usage: ${0##*/} [7.2|7.3]...

	Builds the kernels of the versions given (7.3) at each commit of the branches
	that series-to-git.sh makes, with CONFIG_PCI_LIVEUPDATE on and off, so that a
	bisection that ends in the middle of the series has something to boot.

	GIT=    a git repository of the kernel (one of the stock tree, in the cache); its
	        working tree must be clean
	BUILD=  the command that builds: it gets the version, a name of a
	        configuration in \$CONFIGS, and the tree (scripts/build-kernel.sh)
	END
}

# limit_configs: to the options that the commit has.
limit_configs() {
	local file line

	for file in "${OURS[@]}"; do
		while IFS= read -r line; do
			! git grep -qwE "config ${line%%=*}" -- '*Kconfig*' || printf 'CONFIG_%s\n' "$line"
		done < <(sed -n 's/^CONFIG_//p' "$ROOT/tests/configs/$file") >"$CONFIGS/$file"
	done
}

# build_commit VERSION: the commit checked out here. Before the first commit with an
# option of ours, on and off are the same.
build_commit() {
	local config

	info "$(git show -s --format='%h %s')"
	limit_configs
	for config in base off; do
		[[ $config == base || -s $CONFIGS/off.config ]] || continue
		"$BUILD" "$1" "$config" "$PWD" >/dev/null
	done
}

# check_branch FOLDER
check_branch() {
	local branch

	branch=$(branch_of "$1")
	git checkout -q --detach "$branch"
	git rebase -q --exec "'$ROOT/scripts/check-series.sh' --commit $version" "$base" || {
		git rebase --abort
		git checkout -q -
		die "$branch: the commit named above does not build"
	}
	git checkout -q -
	info "$branch: each commit builds"
}

check_version_series() {
	local version=$1 base release repository folder

	repository=$("$ROOT/scripts/series-to-git.sh" "$version")
	cd -- "$repository"
	open_repository "$version"
	[[ ! $(git status --porcelain --untracked-files=no) ]] || die "$repository has changes that are in no commit"
	for folder in "${SERIES[@]}"; do
		check_branch "$folder"
	done
}

main() {
	local version

	if [[ ${1:-} == --commit ]]; then
		build_commit "$2"
		return
	fi
	[[ ${1:-} != -* ]] || { usage; [[ $1 == -h || $1 == --help ]]; exit; }
	init "$@"
	(($#)) || set -- 7.3
	lock check-series
	export BUILD=${BUILD:-$ROOT/scripts/build-kernel.sh} CONFIGS=$CACHE/series/configs
	use_git
	export GIT_COMMITTER_NAME=pci-liveupdate GIT_COMMITTER_EMAIL=pci-liveupdate@localhost
	mkdir -p "$CONFIGS"
	cp "$ROOT"/tests/configs/*.config "$CONFIGS/"
	for version; do
		check_version "$version"
		check_version_series "$version"
	done
}

main "$@"
