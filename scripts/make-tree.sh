#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Make a kernel tree of a stock one, the overlay and the patches.
#
# The tree starts as hard links to the stock one, so a file is never written in
# place: it is unlinked first. A file is touched only if its content changes,
# and then it gets a new time stamp, so that kbuild compiles it again.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

usage() {
	cat <<-END
	Usage: ${0##*/} 7.2|7.3

	Prints the path of a kernel tree: stock + overlay + patches. It is brought up
	to date first, if the overlay, the patches or the stock tree changed. The file
	FOLDER.state/key beside it names its content.

	INDEPENDENT=0 leaves out the patches of patches/independent, in a tree of its
	own. A patch must apply without fuzz, except to a release that patches/tested
	does not name.
	END
}

# stock_id VERSION STOCK: changes when the stock tree does. A tree of our own
# has a release; of a user's tree look at every file's size and time.
stock_id() {
	if [[ $2 == "$CACHE"/* ]]; then
		cat -- "${2%/linux}/VERSION"
	else
		find "$2" -name .git -prune -o -type f -printf '%P %s %T@\n' | sort | sha256sum
	fi
}

# tree_key ID: everything the tree depends on.
tree_key() {
	{
		printf '%s\n' 1 "$1" "${patches[@]}"
		is_tested "$release" || echo untested
		cd -- "$ROOT"
		((${#overlay[@]} == 0)) || {
			sha256sum -- "${overlay[@]}"
			stat -c %a -- "${overlay[@]}"
		}
		((${#patches[@]} == 0)) || sha256sum -- "${patches[@]}"
	} | sha256sum | cut -d ' ' -f 1
}

# sync_stock ID: update the files that neither the overlay nor a patch touches.
sync_stock() {
	if [[ ! -f $state/stock ]]; then
		rm -rf "$tree"
		# A user's tree may be edited in place: share nothing with it.
		if [[ $stock != "$CACHE"/* ]]; then
			mkdir "$tree"
			rsync -rlpt --exclude=/.git "$stock/" "$tree/"
		elif cp --reflink=always "$stock/Makefile" "$state/probe" 2>/dev/null; then
			cp -a --reflink=always "$stock" "$tree"
		else
			cp -al "$stock" "$tree"
		fi
		: >"$state/managed"
	elif [[ $(<"$state/stock") != "$1" ]]; then
		sed 's,^,/,' "$state/managed" >"$state/exclude"
		rsync -rlpci --delete --exclude=/.git --exclude-from="$state/exclude" \
			"$stock/" "$tree/"
	fi
	printf '%s\n' "$1" >"$state/stock"
}

# git_apply ARGUMENTS...: outside of a repository git takes the paths in a patch
# as they are. It knows no fuzz.
git_apply() {
	(
		unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
		cd -- "$stage"
		GIT_CEILING_DIRECTORIES=${stage%/*} git apply --allow-empty --whitespace=nowarn "$@"
	)
}

# patched_files PATCH: the files it edits, one a line.
patched_files() {
	local summary

	summary=$(git_apply --summary "$ROOT/$1")
	[[ -z $summary ]] ||
		die "$1 does more than edit files, put new ones in the overlay: $summary"
	git_apply --numstat -z "$ROOT/$1" | tr '\0' '\n' | cut -f 3
}

apply_patch() {
	local patch=$1 file files

	files=$(patched_files "$patch")
	while IFS= read -r file; do
		[[ $file ]] || continue
		[[ ! -f $ROOT/$file ]] || die "$file is in the overlay and $patch edits it"
		[[ -f $stock/$file ]] || die "$patch edits $file, which Linux $version does not have"
		[[ -f $stage/$file ]] || install -D -m "$(stat -c %a "$stock/$file")" \
			"$stock/$file" "$stage/$file"
	done <<<"$files"

	git_apply --verbose "$ROOT/$patch" && return
	if git_apply --reverse --check "$ROOT/$patch" 2>/dev/null; then
		die "$patch is in $stock already: give a stock tree"
	fi
	if ! is_tested "$release" && git_apply -C1 --verbose "$ROOT/$patch"; then
		echo "$patch applies to Linux $release with fuzz only" >>"$state/warnings"
		return
	fi
	die "$patch does not apply to Linux $release: the line above names the file and the line of the hunk"
}

# fill_stage: the files that differ from the stock tree, and nothing else.
fill_stage() {
	local patch file

	rm -rf "$stage" "$state/warnings"
	mkdir -p "$stage"
	for patch in "${patches[@]}"; do
		apply_patch "$patch"
	done
	for file in "${overlay[@]}"; do
		[[ ! -e $stock/$file ]] || die "$file is in the overlay and in Linux $version: make it a patch"
		install -D -m "$(stat -c %a "$ROOT/$file")" "$ROOT/$file" "$stage/$file"
	done
}

same() {
	cmp -s "$1" "$2" && [[ $(stat -c %a "$1") == $(stat -c %a "$2") ]]
}

# put FROM TO: TO gets the content and a new time stamp, and no link.
put() {
	mkdir -p "${2%/*}"
	cp --remove-destination --preserve=mode "$1" "$2"
	echo "${2#"$tree/"}"
}

sync_stage() {
	local file

	find "$stage" -type f -printf '%P\n' | sort >"$state/managed.new"
	cp "$state/managed" "$state/managed.old"
	# If we are stopped half-way, the next run must know both.
	sort -u "$state/managed.old" "$state/managed.new" >"$state/managed.tmp"
	mv "$state/managed.tmp" "$state/managed"

	while IFS= read -r file; do
		same "$stage/$file" "$tree/$file" || put "$stage/$file" "$tree/$file"
	done <"$state/managed.new"

	comm -23 "$state/managed.old" "$state/managed.new" | while IFS= read -r file; do
		if [[ -f $stock/$file ]]; then
			put "$stock/$file" "$tree/$file"
		else
			rm -f "$tree/$file"
			rmdir -p --ignore-fail-on-non-empty "$(dirname -- "$tree/$file")" 2>/dev/null || true
			echo "removed $file"
		fi
	done
	mv "$state/managed.new" "$state/managed"
}

# update ID KEY
update() {
	local id=$1 key='' now=$2

	rm -f "$state/key"
	# Again if a file was edited while it was copied.
	while [[ $key != "$now" ]]; do
		key=$now
		fill_stage
		now=$(tree_key "$id")
	done
	sync_stock "$id"
	sync_stage
	printf '%s\n' "$key" >"$state/key.tmp"
	mv "$state/key.tmp" "$state/key"
	rm -rf "$stage"
}

up_to_date() {
	[[ -f $state/key && $(<"$state/key") == "$key" ]]
}

main() {
	local version=${1:-} stock release name tree state stage series id key
	local -a overlay=() patches=()

	[[ $# == 1 && $1 != -* ]] || { usage; [[ ${1:-} == -h || ${1:-} == --help ]]; exit; }
	init "$@"
	check_version "$version"
	stock=$("$ROOT/scripts/fetch-kernel.sh" "$version")

	release=$(kernel_release <"$stock/Makefile")
	name=$version
	((INDEPENDENT)) || name+=-series
	[[ $stock == "$CACHE"/* ]] || name+=-$(sha256sum <<<"$stock" | cut -c 1-8)
	tree=$CACHE/tree/$name state=$CACHE/tree/$name.state stage=$CACHE/tree/$name.stage

	need_tools git:git rsync:rsync
	mkdir -p "$state"
	mapfile -d '' overlay < <(overlay_files)
	series=$(series_patches patches "$version")
	((!INDEPENDENT)) || series+=$'\n'$(series_patches patches/independent "$version")
	mapfile -t patches <<<"$series"
	id=$(stock_id "$version" "$stock")
	key=$(tree_key "$id")
	if ! up_to_date; then
		lock "tree-$name"
		up_to_date || step "tree $version" update "$id" "$key"
	fi
	[[ ! -f $state/warnings ]] || sed 's/^/  warning: /' "$state/warnings" >&2
	printf '%s\n' "$tree"
}

main "$@"
