# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# The patches and the overlay as commits. To be sourced after lib.sh.
#
# The functions work in the git repository that is the current folder, on these
# variables of their caller: $version of the kernel, its $release, the commit
# $base of the stock tree, the files of the $overlay, and $work, a folder.

# Git and a patch that does not apply must end a command substitution.
shopt -s inherit_errexit

# shellcheck disable=SC2034
SERIES=(patches patches/independent)

# use_git: The user's configuration must not change commits and patches.
use_git() {
	export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
	unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
}

# branch_of FOLDER: the branch that has its patches as commits.
branch_of() {
	local suffix=${1#patches}

	printf 'pci-liveupdate-%s\n' "$version${suffix/\//-}"
}

# made_ref FOLDER: the commit that the branch had when the patches were last the
# same as its commits.
made_ref() {
	printf 'refs/pci-liveupdate/%s\n' "$(branch_of "$1")"
}

# open_repository VERSION: enters $GIT or the repository in the cache, and sets
# $base and $release.
open_repository() {
	local ref=refs/pci-liveupdate/base-$1 minor

	if [[ ${GIT:-} ]]; then
		cd -- "$GIT" || die "there is no folder $GIT"
		git rev-parse -q --git-dir >/dev/null || die "$GIT is no git repository"
	else
		open_stock_repository "$1"
	fi
	base=$(git rev-parse -q --verify "${BASE:-$ref}^{commit}" || git rev-parse HEAD)
	release=$(git show "$base:Makefile" | kernel_release)
	minor=$(cut -d . -f 1,2 <<<"$release")
	[[ $minor == "$1" ]] || die "$base is Linux $release, but $1 is needed: give a commit with BASE="
	git update-ref "$ref" "$base"
}

# open_stock_repository VERSION: a copy of the stock tree with one commit.
open_stock_repository() {
	local stock name=$1 folder

	stock=$("$ROOT/scripts/fetch-kernel.sh" "$1")
	[[ $stock == "$CACHE"/* ]] || name+=-$(sha256sum <<<"$stock" | cut -c 1-8)
	folder=$CACHE/series/$name
	if [[ ! -d $folder ]]; then
		need_space 4 "a repository of Linux $1"
		step "repository of Linux $1" make_stock_repository
	fi
	cd -- "$folder" || exit
}

make_stock_repository() {
	rm -rf "$folder.tmp"
	mkdir -p "${folder%/*}"
	cp -a --reflink=auto -- "$stock" "$folder.tmp"
	cd -- "$folder.tmp" || exit
	git init -q .
	# Packing the objects would take longer than all the rest.
	git config gc.auto 0
	git config core.compression 1
	# The stock tree has files that its .gitignore names.
	git add -f -A .
	git -c user.name=pci-liveupdate -c user.email=pci-liveupdate@localhost \
		commit -q -m "Linux $(kernel_release <Makefile)"
	mv -- "$folder.tmp" "$folder"
}

# all_patches FOLDER: the patches of its series file, for any version.
all_patches() {
	sed -n "s,^\([[:alnum:]][^[:space:]]*\).*,$1/\1,p" "$ROOT/$1/series"
}

# patterns PATCH: the patterns of files below it in the series file.
patterns() {
	awk -v name="${1##*/}" '/^[[:alnum:]]/ { here = $1 == name }
		/^\t/ && here { print $1 }' "$ROOT/${1%/*}/series"
}

# matching PATTERN: the files of the overlay that match.
matching() {
	local file

	for file in "${overlay[@]}"; do
		# shellcheck disable=SC2053
		[[ $file != $1 ]] || printf '%s\n' "$file"
	done
}

# commit_files PATCH: the files of the overlay that its commit adds.
commit_files() {
	local pattern files

	while read -r pattern; do
		files=$(matching "$pattern")
		[[ $files ]] || die "${1%/*}/series: no file of the overlay is $pattern"
		printf '%s\n' "$files"
	done < <(patterns "$1")
}

# check_complete: each file of the overlay must be in one commit.
check_complete() {
	local folder patch files=''

	for folder in "${SERIES[@]}"; do
		for patch in $(all_patches "$folder"); do
			files+=$(commit_files "$patch")$'\n'
		done
	done
	files=$(diff <(sort <<<"$files" | grep .) <(printf '%s\n' "${overlay[@]}" | sort)) ||
		die "each file of the overlay must be in one commit of patches/series, add (>) or remove (<):
$(grep '^[<>]' <<<"$files")"
}

# apply_to_index PATCH
apply_to_index() {
	local apply=(git apply --cached --allow-empty --whitespace=nowarn)

	"${apply[@]}" "$ROOT/$1" 2>"$work/said" && return
	if ! is_tested "$release" && "${apply[@]}" -C1 "$ROOT/$1" 2>/dev/null; then
		info "warning: $1 applies to Linux $release with fuzz only"
		return
	fi
	cat "$work/said" >&2
	die "$1 does not apply to Linux $release"
}

# add_to_index FILE...: of the overlay.
add_to_index() {
	local file
	local -a blobs

	mapfile -t blobs < <(printf '%s\n' "${@/#/$ROOT/}" | git hash-object -w --no-filters --stdin-paths)
	for file; do
		[[ -x $ROOT/$file ]] && printf 100755 || printf 100644
		printf ' %s\t%s\n' "${blobs[0]}" "$file"
		blobs=("${blobs[@]:1}")
	done | git update-index --add --index-info
}

# make_commit PATCH PARENT: prints the commit of a patch and its files. The index
# holds the tree of the parent. The same input makes the same commit.
make_commit() {
	local patch=$1 parent=$2 list tree info
	local -a files

	apply_to_index "$patch"
	list=$(commit_files "$patch")
	mapfile -t files <<<"$list"
	[[ ! $list ]] || add_to_index "${files[@]}"
	tree=$(git write-tree)
	info=$(git mailinfo "$work/body" "$work/diff" <"$ROOT/$patch")
	field() { sed -n "s/^$1: //p" <<<"$info"; }
	{ field Subject; [[ ! -s $work/body ]] || { echo; cat "$work/body"; }; } |
		GIT_AUTHOR_NAME=$(field Author) GIT_AUTHOR_EMAIL=$(field Email) \
			GIT_AUTHOR_DATE=$(field Date) GIT_COMMITTER_NAME=$(field Author) \
			GIT_COMMITTER_EMAIL=$(field Email) GIT_COMMITTER_DATE=$(field Date) \
			git commit-tree "$tree" -p "$parent" -F -
}

# make_commits FOLDER: prints "PATCH COMMIT" for each patch, the last one last.
make_commits() {
	local patches patch commit=$base
	local -x GIT_INDEX_FILE=$work/index

	mkdir -p "$work"
	git read-tree "$base"
	patches=$(series_patches "$1" "$version")
	for patch in $patches; do
		commit=$(make_commit "$patch" "$commit")
		printf '%s %s\n' "$patch" "$commit"
	done
}

# set_branch FOLDER COMMIT: also in the working tree, if the branch is there.
set_branch() {
	local branch

	branch=$(branch_of "$1")
	if [[ $(git symbolic-ref -q HEAD) == refs/heads/$branch ]]; then
		git reset -q --keep "$2"
	else
		git branch -q -f "$branch" "$2"
	fi
	git update-ref "$(made_ref "$1")" "$2"
}
