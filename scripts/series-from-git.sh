#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Take the commits that series-to-git.sh made, and that were edited since, back
# into patches and overlay.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/series-lib.sh
. "$ROOT/scripts/series-lib.sh"

usage() {
	cat <<-END
	Usage: ${0##*/} 7.2|7.3

	Takes the commits of the branches that series-to-git.sh made back, in their
	order. The message of a commit and its changes of files that the stock kernel
	has become a patch. Its new files become files of the overlay, as they are at
	the end of the branch: a later commit that edits one is folded into the first.

	A commit belongs to the patch with its subject, or to the patch that follows
	that of the commit before. Others get a new patch. A patch that no commit
	belongs to is removed, unless it is for another version only.

	GIT=   the repository, if it is not the one in the cache
	END
}

# stock_files FILE...: those of them that the stock kernel has.
stock_files() {
	(($# == 0)) || git ls-tree -r --name-only "$base" -- "$@"
}

# changed COMMIT FILTER: the files that it changes, by git's letters for how.
changed() {
	git diff-tree -r --no-renames --no-commit-id --name-only --diff-filter="$2" "$1"
}

# edited_files COMMIT: the files of the stock kernel that it changes.
edited_files() {
	local -a files

	mapfile -t files < <(changed "$1" AMDT)
	stock_files "${files[@]}"
}

# patch_text COMMIT: as git format-patch has it, of files of the stock kernel.
patch_text() {
	local list
	local -a files

	git show -s --no-notes --format=email "$1" |
		sed "1s/^From [0-9a-f]*/From $(printf '%040d' 0)/"
	echo ---
	list=$(edited_files "$1")
	[[ $list ]] || return 0
	mapfile -t files <<<"$list"
	git diff-tree --no-commit-id --no-renames --stat --summary --patch --abbrev=7 \
		"$1" -- "${files[@]}"
}

# same_patch COMMIT COMMIT: both have the same message and changes, for any kernel.
same_patch() {
	cmp -s <(patch_text "$1" | grep -v '^index ') <(patch_text "$2" | grep -v '^index ')
}

# read_commits FOLDER: sets commits, those of the branch, which ends at tip, and
# made, the commits that the patches make now by their patch, which end at now;
# patches has their order.
read_commits() {
	local branch list patch commit

	branch=$(branch_of "$1")
	tip=$(git rev-parse -q --verify "refs/heads/$branch") ||
		die "there is no branch $branch: make series-to-git makes it"
	list=$(make_commits "$1")
	patches=() made=()
	while read -r patch commit; do
		patches+=("$patch")
		made[$patch]=$commit
	done <<<"$list"
	now=${list##* }
	[[ $(git rev-parse "$(made_ref "$1")") == "$now" ]] ||
		die "$1 or the overlay changed since $branch was made: commit and revert that change, make series-from-git, and apply it again"
	[[ ! $(git rev-list --merges "$base..$tip") ]] || die "$branch has merges: rebase it"
	mapfile -t commits < <(git rev-list --reverse "$base..$tip")
}

# new_patch FOLDER COMMIT: a name for its patch.
new_patch() {
	local last

	last=$({ all_patches "$1"; printf '%s\n' "${names[@]}"; } |
		sed -n 's,.*/\([0-9]*\)-.*,\1,p' | sort -n | tail -n 1)
	printf '%s/%04d-%.50s.patch\n' "$1" $((10#${last:-0} + 1)) "$(git show -s --format=%f "$2")"
}

# match FOLDER: sets names, the patch of each of the commits; a commit without
# changes of its own has none.
match() {
	local folder=$1 i j subject previous=-1
	local -A by_subject=() taken=()

	names=()
	for j in "${!patches[@]}"; do
		by_subject[$(git show -s --format=%s "${made[${patches[j]}]}")]=$j
	done
	for i in "${!commits[@]}"; do
		subject=$(git show -s --format=%s "${commits[i]}")
		j=${by_subject[$subject]:-}
		[[ $j && ! ${taken[$j]:-} ]] || continue
		names[i]=${patches[j]}
		taken[$j]=$i
	done
	for i in "${!commits[@]}"; do
		if [[ ! $(edited_files "${commits[i]}")${files[${commits[i]}]:-} ]]; then
			git show -s --format='no patch of its own, its changes are in the overlay: %h %s' \
				"${commits[i]}" >>"$work/notices"
			unset "names[i]"
			continue
		fi
		for j in "${!patches[@]}"; do
			[[ ${names[i]:-} != "${patches[j]}" ]] || previous=$j
		done
		[[ ! ${names[i]:-} ]] || continue
		j=$((previous + 1))
		if ((j < ${#patches[@]})) && [[ ! ${taken[$j]:-} ]]; then
			names[i]=${patches[j]}
			taken[$j]=$i
			previous=$j
		else
			names[i]=$(new_patch "$folder" "${commits[i]}")
		fi
	done
}

# find_files: sets files, those that each of the commits adds and that are still
# there at the end.
find_files() {
	local i file list
	local -A there=() seen=()

	files=()
	while IFS= read -r file; do
		there[$file]=1
	done < <(git diff-tree -r --no-renames --name-only --diff-filter=A "$base" "$tip")
	for i in "${commits[@]}"; do
		list=$(changed "$i" A)
		for file in $list; do
			[[ ${there[$file]:-} && ! ${seen[$file]:-} ]] || continue
			seen[$file]=1
			files[$i]+=$file$'\n'
		done
	done
}

# write_file FILE MODE BLOB
write_file() {
	[[ " ${OVERLAY_DIRS[*]} " == *" ${1%%/*} "* ]] ||
		die "$1: the overlay has no folder ${1%%/*}; add it to OVERLAY_DIRS in scripts/lib.sh"
	mkdir -p "$(dirname -- "$ROOT/$1")"
	git cat-file blob "$3" >"$ROOT/$1"
	chmod "$([[ $2 == 100755 ]] && echo +x || echo -x)" "$ROOT/$1"
	echo "wrote $1"
}

# write_overlay: as it is at the tip of the branch, where that is different from
# the commit that the overlay makes now.
write_overlay() {
	local mode blob how file

	while read -r _ mode _ blob how file; do
		[[ ! $(stock_files "$file") ]] || continue
		if [[ $how == D ]]; then
			rm -f -- "$ROOT/$file"
			echo "removed $file"
		else
			write_file "$file" "$mode" "$blob"
		fi
	done < <(git diff-tree -r --no-renames "$now" "$tip")
}

# write_patches: those that changed, and no others.
write_patches() {
	local i patch

	for i in "${!names[@]}"; do
		patch=${names[i]}
		if [[ ! ${made[$patch]:-} ]] || ! same_patch "${commits[i]}" "${made[$patch]}"; then
			patch_text "${commits[i]}" >"$ROOT/$patch"
			echo "wrote $patch"
		fi
	done
	for patch in "${patches[@]}"; do
		[[ " ${names[*]} " != *" $patch "* ]] || continue
		rm -- "$ROOT/$patch"
		echo "removed $patch"
	done
}

# write_patterns PATCH FILES: the patterns that are there already, if they match
# only these files, and the names of the files left.
write_patterns() {
	local pattern list left=$2

	while read -r pattern; do
		list=$(matching "$pattern")
		[[ $list && ! $(comm -23 <(sort <<<"$list") <(sort <<<"$2")) ]] || continue
		printf '\t%s\n' "$pattern"
		left=$(comm -13 <(sort <<<"$list") <(sort <<<"$left"))
	done < <(patterns "$1")
	sed -n 's/./\t&/p' <<<"$left"
}

# write_entry PATCH: the lines that the series file has already, if it is for another
# version only.
write_entry() {
	local i line

	line=$(grep -E "^${1##*/}([[:space:]]|\$)" "$ROOT/${1%/*}/series") || line=${1##*/}
	printf '%s\n' "$line"
	for i in "${!names[@]}"; do
		[[ ${names[i]} == "$1" ]] || continue
		write_patterns "$1" "${files[${commits[i]}]:-}"
		return
	done
	patterns "$1" | sed 's/^/\t/'
}

# write_series FOLDER: patches for other versions stay behind the same patch.
write_series() {
	local series=$ROOT/$1/series patch other behind=first
	local -A others=()

	for patch in $(all_patches "$1"); do
		if [[ " ${names[*]} " == *" $patch "* ]]; then
			behind=$patch
		elif [[ ! ${made[$patch]:-} ]]; then
			others[$behind]+="$patch "
		fi
	done
	{
		sed '/^[[:alnum:]]/,$d' "$series"
		for patch in first "${names[@]}"; do
			[[ $patch == first ]] || write_entry "$patch"
			for other in ${others[$patch]:-}; do
				write_entry "$other"
			done
		done
	} >"$work/series"
	cmp -s "$work/series" "$series" || cp "$work/series" "$series"
}

# import FOLDER
import() {
	local tip now
	local -a commits patches names
	local -A made files

	read_commits "$1"
	[[ $tip != "$now" ]] || return 0
	find_files
	match "$1"
	write_overlay
	write_patches
	mapfile -d '' overlay < <(overlay_files)
	write_series "$1"
}

# verify FOLDER: patches and overlay must make the files of the branch.
verify() {
	local branch commits

	branch=$(branch_of "$1")
	commits=$(make_commits "$1")
	[[ ! $(git diff-tree -r --name-status "$branch" "${commits##* }" | tee /dev/stderr) ]] ||
		die "patches and overlay do not make the files of $branch"
	set_branch "$1" "${commits##* }"
}

import_all() {
	local folder

	mkdir -p "$work"
	: >"$work/notices"
	for folder in "${SERIES[@]}"; do
		import "$folder"
	done
	check_complete
	for folder in "${SERIES[@]}"; do
		[[ $(git rev-parse "$(branch_of "$folder")" "$(made_ref "$folder")" | uniq | wc -l) == 1 ]] ||
			verify "$folder"
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
	step "patches of Linux $version" import_all
	sed 's/^/  /' "$work/notices" >&2
	info "git diff shows the changes"
}

main "$@"
