#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Write overlay and patches as a series to mail.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

BASE=7.3
MAP=$ROOT/scripts/export.map

usage() {
	cat <<-END
	Usage: ${0##*/} [FOLDER]

	Writes the series for Linux $BASE to FOLDER (export), with a cover letter, and
	verifies that git am makes the tree of it that make-tree.sh makes. What goes
	into which commit is in scripts/export.map. Nobody has signed off: whoever mails
	the series does that, with git am --signoff.
	END
}

# use_git: what the user configured must not change the series.
use_git() {
	GIT_AUTHOR_NAME=$(git -C "$ROOT" config user.name) || true
	GIT_AUTHOR_EMAIL=$(git -C "$ROOT" config user.email) || true
	[[ $GIT_AUTHOR_NAME && $GIT_AUTHOR_EMAIL ]] ||
		die "git does not know who you are; set user.name and user.email with git config"
	GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME
	GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
	GIT_AUTHOR_DATE=$(git -C "$ROOT" log -1 --format=%aD 2>/dev/null) || GIT_AUTHOR_DATE=$(date -R)
	GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE
	export GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL
	export GIT_AUTHOR_DATE GIT_COMMITTER_DATE
	export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
	unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
}

# stock_repository FOLDER: a repository with those stock files that the patches
# edit. All others are the same before and after.
stock_repository() {
	local file

	rm -rf "$1"
	git init -q "$1"
	while IFS= read -r file; do
		[[ ! -f $stock/$file ]] || install -D -m "$(stat -c %a "$stock/$file")" "$stock/$file" "$1/$file"
	done <"$tree.state/managed"
	git -C "$1" add -f .
	git -C "$1" commit -q -m "Linux $release"
}

# add_patch NAME: to the index; it becomes the author and the message by default.
add_patch() {
	local info

	[[ ${series[0]:-} == "$1" ]] ||
		die "export.map has $1 where patches/series has ${series[0]:-nothing}"
	series=("${series[@]:1}")
	git -C "$repo" apply --index --whitespace=nowarn "$ROOT/patches/$1"
	info=$(git mailinfo "$work/body" "$work/diff" <"$ROOT/patches/$1")
	GIT_AUTHOR_NAME=$(sed -n 's/^Author: //p' <<<"$info")
	GIT_AUTHOR_EMAIL=$(sed -n 's/^Email: //p' <<<"$info")
	if [[ -z $subject ]]; then
		subject=$(sed -n 's/^Subject: //p' <<<"$info")
		body=$(<"$work/body")
	fi
}

# add_files PATTERN: the files of the overlay that match.
add_files() {
	local file found=0

	for file in "${overlay[@]}"; do
		# shellcheck disable=SC2053
		[[ $file == $1 ]] || continue
		[[ -z ${taken[$file]:-} ]] || die "export.map names $file twice"
		taken[$file]=1
		found=1
		install -D -m "$(stat -c %a "$ROOT/$file")" "$ROOT/$file" "$repo/$file"
		git -C "$repo" add -f -- "$file"
	done
	((found)) || die "export.map: no file of the overlay is $1"
}

# end_commit: what was read of the map so far is one commit, or the cover letter.
end_commit() {
	local GIT_AUTHOR_NAME=$GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL=$GIT_AUTHOR_EMAIL item

	case $kind in
	cover)
		cover_subject=$subject
		cover_body=${body%%+($'\n')}
		;;
	commit)
		for item in "${patches[@]}"; do
			add_patch "$item"
		done
		for item in "${files[@]}"; do
			add_files "$item"
		done
		printf '%s\n\n%s\n' "$subject" "$body" | git -C "$repo" commit -q -F -
		;;
	esac
	kind='' subject='' body='' patches=() files=()
}

read_map() {
	local line kind='' subject='' body=''
	local -a patches=() files=()

	while IFS= read -r line; do
		case $line in
		\#*) ;;
		cover\ * | commit | commit\ *)
			end_commit
			kind=${line%% *}
			[[ $line != *\ * ]] || subject=${line#* }
			;;
		patch\ *) patches+=("${line#patch }") ;;
		file\ *) files+=("${line#file }") ;;
		$'\t'* | '') [[ -z $body && -z $line ]] || body+=${line#$'\t'}$'\n' ;;
		*) die "export.map: what is '$line'?" ;;
		esac
	done <"$MAP"
	end_commit
}

# Every file and patch must be in the map.
check_complete() {
	local file

	for file in "${overlay[@]}"; do
		[[ ${taken[$file]:-} ]] || die "$file is in no commit: add it to scripts/export.map"
	done
	((${#series[@]} == 0)) || die "${series[0]} is in no commit: add it to scripts/export.map"
}

write_series() {
	local cover=$out/0000-cover-letter.patch base

	base=$(git -C "$repo" rev-list --max-parents=0 HEAD)
	mkdir -p "$out"
	rm -f "$out"/[0-9][0-9][0-9][0-9]-*.patch
	git -C "$repo" format-patch -q --cover-letter --zero-commit --no-renames \
		--signature="for Linux $release" -o "$out" "$base"
	SUBJECT=$cover_subject BODY="$cover_body
Based on Linux $release." perl -0pi -e '
		s/\*\*\* SUBJECT HERE \*\*\*/$ENV{SUBJECT}/;
		s/\*\*\* BLURB HERE \*\*\*/$ENV{BODY}/' "$cover"
}

# verify: what git am makes of the series is what make-tree.sh makes.
verify() {
	local file check=$work/check

	stock_repository "$check"
	git -C "$check" am -q --whitespace=nowarn "$out"/000[1-9]-*.patch "$out"/00[1-9][0-9]-*.patch
	diff <(git -C "$check" ls-files | sort) "$tree.state/managed" ||
		die "the series and the tree do not have the same files"
	while IFS= read -r file; do
		cmp -- "$check/$file" "$tree/$file" || die "the series makes another $file"
		[[ -x $check/$file && -x $tree/$file || ! -x $check/$file && ! -x $tree/$file ]] ||
			die "the series makes $file with another mode"
	done <"$tree.state/managed"
}

export_series() {
	local repo=$work/repo cover_subject='' cover_body=''
	local -A taken=()

	shopt -s nullglob extglob
	rm -rf "$work"
	mkdir -p "$work"
	stock_repository "$repo"
	read_map
	check_complete
	write_series
	verify
	rm -rf "$work"
}

main() {
	local out=${1:-$ROOT/export} stock tree release work
	local -a overlay series

	[[ $# -le 1 && ${1:-} != -* ]] || { usage; [[ ${1:-} == -h || ${1:-} == --help ]]; exit; }
	init "$@"
	need_tools git:git perl:perl
	[[ $out == /* ]] || out=$PWD/$out
	work=$CACHE/export
	stock=$("$ROOT/scripts/fetch-kernel.sh" "$BASE")
	tree=$("$ROOT/scripts/make-tree.sh" "$BASE")
	release=$(cat "${stock%/linux}/VERSION" 2>/dev/null) || release=$BASE
	lock export
	lock "tree-${tree##*/}" shared
	mapfile -d '' overlay < <(list_files "${OVERLAY_DIRS[@]}")
	mapfile -t series < <(series_patches "$BASE")
	use_git
	step "export for Linux $BASE" export_series
	info "$out: $(find "$out" -name '[0-9]*.patch' | wc -l) files; git am --signoff signs them off"
}

main "$@"
