#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Write overlay and patches as two series to mail.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/series-lib.sh
. "$ROOT/scripts/series-lib.sh"

usage() {
	cat <<-END
	Usage: ${0##*/} [FOLDER]

	Writes the series of patches/ for Linux $version to FOLDER (export), that of
	patches/independent to FOLDER/independent, each with a cover letter, and
	verifies that git am makes the tree of both that make-tree.sh makes. They have
	the commits of series-to-git.sh. The patches have no sign-off: add yours
	with git am --signoff before you mail them.
	END
}

# stock_repository FOLDER: a repository with those stock files that the patches
# edit. All others are the same before and after.
stock_repository() {
	local file

	git init -q "$1"
	while IFS= read -r file; do
		[[ ! -f $stock/$file ]] || install -D -m "$(stat -c %a "$stock/$file")" "$stock/$file" "$1/$file"
	done <"$tree.state/managed"
	git -C "$1" add -f .
	git -C "$1" -c user.name=stock -c user.email=stock@localhost commit -q -m "Linux $release"
}

# write_series SERIES FOLDER: the commits from the first one to HEAD. The author
# of the last one sends the cover letter.
write_series() {
	local cover=$2/0000-cover-letter.patch

	mkdir -p "$2"
	rm -f "$2"/[0-9][0-9][0-9][0-9]-*.patch
	GIT_COMMITTER_NAME=$(git show -s --format=%an) GIT_COMMITTER_EMAIL=$(git show -s --format=%ae) \
		git format-patch -q --cover-letter --zero-commit --no-renames \
		--signature="for Linux $release" -o "$2" "$base"
	SUBJECT=$(head -n 1 "$ROOT/$1/cover") BODY="$(tail -n +3 "$ROOT/$1/cover")

Based on Linux $release." perl -0pi -e '
		s/\*\*\* SUBJECT HERE \*\*\*/$ENV{SUBJECT}/;
		s/\*\*\* BLURB HERE \*\*\*/$ENV{BODY}/' "$cover"
}

# verify: git am must make the same tree of both series as make-tree.sh.
verify() {
	local file check=$work/check
	local -a patches

	stock_repository "$check"
	patches=("$out"/000[1-9]-*.patch "$out"/00[1-9][0-9]-*.patch
		"$out"/independent/000[1-9]-*.patch)
	git -C "$check" -c user.name=check -c user.email=check@localhost \
		am -q --whitespace=nowarn "${patches[@]}"
	diff <(git -C "$check" ls-files | sort) "$tree.state/managed" ||
		die "the series and the tree do not have the same files"
	while IFS= read -r file; do
		cmp -- "$check/$file" "$tree/$file" || die "the series makes another $file"
		[[ -x $check/$file && -x $tree/$file || ! -x $check/$file && ! -x $tree/$file ]] ||
			die "the series makes $file with another mode"
	done <"$tree.state/managed"
}

export_series() {
	local base folder commits

	rm -rf "$work"
	mkdir -p "$work"
	stock_repository "$work/repo"
	cd -- "$work/repo"
	base=$(git rev-parse HEAD)
	for folder in "${SERIES[@]}"; do
		commits=$(make_commits "$folder")
		git reset -q --hard "${commits##* }"
		write_series "$folder" "$out${folder#patches}"
	done
	verify
	rm -rf "$work"
}

main() {
	local version=7.3 out=${1:-$ROOT/export} stock tree release work
	local -a overlay

	[[ $# -le 1 && ${1:-} != -* ]] || { usage; [[ ${1:-} == -h || ${1:-} == --help ]]; exit; }
	init "$@"
	need_tools git:git perl:perl
	[[ $out == /* ]] || out=$PWD/$out
	work=$CACHE/export
	stock=$("$ROOT/scripts/fetch-kernel.sh" "$version")
	tree=$(INDEPENDENT=1 "$ROOT/scripts/make-tree.sh" "$version")
	release=$(kernel_release <"$stock/Makefile")
	lock export
	lock "tree-${tree##*/}" shared
	mapfile -d '' overlay < <(overlay_files)
	check_complete
	use_git
	step "export for Linux $version" export_series
	info "$out: $(find "$out" -name '[0-9]*.patch' | wc -l) files; git am --signoff signs them off"
}

main "$@"
