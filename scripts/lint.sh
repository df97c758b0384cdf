#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Check the form of our own files: nothing is built.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# Without trailers there is no sign-off; MAINTAINERS has a patch of its own; a
# patch may be the message of new files only; and the compatible string of an FLB
# is not one of a device tree.
CHECKPATCH=(--strict --terse --quiet --no-summary --show-types --no-signoff
	--ignore "FILE_PATH_CHANGES,NOT_UNIFIED_DIFF,UNDOCUMENTED_DT_STRING")

# The repository must not name paths of the machine it was written on, nor hosts of
# mirrors. In brackets, so that this line does not match itself.
FORBIDDEN='/(root|home|work)[/]|(deb|ftp|security|snapshot)[.][a-z.]*debian[.]org|ubuntu[.]com'

# Files that cannot carry a licence line, or whose text is not ours.
NO_SPDX='(\.(patch|md|json|png|svg)|(^|/)(COPYING|cover))$'

usage() {
	cat <<-END
	Usage: ${0##*/} [CHECK...]

	Runs the checks named, or all of them: ${ALL[*]//_/-}.
	The result is also written to $LOGDIR/lint.ktap.
	END
}

ALL=(patches_7.2 patches_7.3 series checkpatch_overlay checkpatch_tests checkpatch_patches
	kernel_doc rst shellcheck mypy spdx whitespace words prose executable)
declare -A count=([PASS]=0 [FAIL]=0 [SKIP]=0)

# files PATTERN PATH...: ours below PATH whose name matches, each ended by a NUL.
files() {
	local pattern=$1
	shift
	list_files "$@" | { grep -zE -- "$pattern" || true; }
}

# files_not PATTERN: of the files on stdin.
files_not() {
	grep -zvE -- "$1" || true
}

# scripts INTERPRETER: ours that start with #!, each ended by a NUL.
scripts() {
	# shellcheck disable=SC2016
	list_files . | xargs -0 awk -v want="^#!.*[/ ]($1)( |\$)" '
		FNR == 1 && $0 ~ want { printf "%s%c", FILENAME, 0 } FNR == 1 { nextfile }'
}

# in_parallel COMMAND...: for the files on stdin, a few at a time.
in_parallel() {
	xargs -0 -r -n 4 -P "$(nproc)" "$@"
}

# tool PACKAGE:WHAT: a tool that cannot be installed skips the check.
tool() {
	local why

	why=$( (need_tools "$1") 2>&1) || { echo "SKIP ${why##*: }"; exit 4; }
}

check_patches_7.2() { "$ROOT/scripts/make-tree.sh" 7.2; }
check_patches_7.3() { "$ROOT/scripts/make-tree.sh" 7.3; }

check_series() {
	local patch bad=0

	for patch in patches/{,independent/}*.patch; do
		grep -q "^${patch##*/}\([[:space:]]\|\$\)" "${patch%/*}/series" ||
			{ echo "$patch: not in ${patch%/*}/series"; bad=1; }
	done
	return "$bad"
}

# not_passed NAME: of the files on stdin those that are not known to pass. Their
# name in the cache is made of their content.
not_passed() {
	xargs -0 -r sha256sum --zero -- | while read -r -d '' sum file; do
		[[ -e $CACHE/lint/passed/$1-$sum ]] || printf '%s\0' "$file"
	done
}

# passed NAME FILE...
passed() {
	local name=$1 sum
	shift
	(($# == 0)) || sha256sum -- "$@" | while read -r sum _; do
		: >"$CACHE/lint/passed/$name-$sum"
	done
}

# not_allowed: of checkpatch's lines on stdin those that checkpatch.allow does not
# have: "FILE:LINE: LEVEL:TYPE: TEXT".
not_allowed() {
	awk -F ':' 'FNR == NR { split($0, word, " "); allow[word[1] " " word[2]]; next }
		!(($1 " " $4) in allow)' "$ROOT/scripts/checkpatch.allow" -
}

# checkpatch [-f]: for the files on stdin. It writes where it runs, so it runs in
# the cache, where the repository's folders have links.
checkpatch() {
	local file complaints id
	local -a todo good=()

	id=checkpatch-$({
		echo "${CHECKPATCH[@]}"
		cat "$tree/scripts/checkpatch.pl" "$ROOT/scripts/checkpatch.allow"
	} | sha256sum | cut -c 1-8)
	mapfile -d '' todo < <(not_passed "$id")
	((${#todo[@]})) || return 0
	complaints=$(cd -- "$CACHE/lint" && printf '%s\0' "${todo[@]}" |
		{ in_parallel "$tree/scripts/checkpatch.pl" --root="$tree" "${CHECKPATCH[@]}" "$@" || true; } |
		not_allowed)
	for file in "${todo[@]}"; do
		[[ $'\n'$complaints == *$'\n'"$file:"* ]] || good+=("$file")
	done
	passed "$id" "${good[@]}"
	[[ -z $complaints ]] || { printf '%s\n' "$complaints" | sort -V; return 1; }
}

check_checkpatch_overlay() {
	files '\.[ch]$' "${OVERLAY_DIRS[@]}" | checkpatch -f
}

check_checkpatch_tests() {
	# The shims there stand in for headers of the kernel, so they have its macros.
	files '\.[ch]$' tests | files_not '/shim/' | checkpatch -f
}

check_checkpatch_patches() {
	files '\.patch$' patches | checkpatch
}

check_kernel_doc() {
	files '\.[ch]$' drivers include lib |
		in_parallel "$tree/tools/docs/kernel-doc" -none -Wall -Werror
}

# docutils does not know the directive kernel-doc: make it a comment.
check_rst() {
	local file

	tool python3-docutils:rst2html5
	while IFS= read -r -d '' file; do
		sed 's/^\.\. kernel-doc::/.. kernel-doc/' "$file" |
			rst2html5 --report=2 - /dev/null 2>&1 | sed "s|^<stdin>|$file|"
	done < <(files '\.rst$' .)
}

check_shellcheck() {
	local -a shell
	local all=$CACHE/lint/all-shell

	tool shellcheck:shellcheck
	mapfile -d '' shell < <({ files '\.sh$' .; scripts '(ba)?sh|busybox sh'; } | sort -zu)
	# A script that one of them sources counts too: all pass, or none.
	sha256sum -- "${shell[@]}" >"$all"
	[[ $(printf '%s\0' "$all" | not_passed shellcheck | tr '\0' ' ') ]] || return 0
	printf '%s\0' "${shell[@]}" | in_parallel shellcheck -x
	passed shellcheck "$all"
}

check_mypy() {
	local dir

	mapfile -d '' python < <({ files '\.py$' .; scripts 'python3?'; } | sort -zu)
	((${#python[@]})) || { echo "SKIP there is no Python here"; exit 4; }
	tool mypy:mypy
	# One folder at a time: two of them may have a module of the same name.
	for dir in $(dirname -- "${python[@]}" | sort -u); do
		printf '%s\n' "${python[@]}" | grep -xE "${dir}/[^/]*" |
			(cd "$dir" && sed 's,.*/,,' | xargs -d '\n' mypy --strict --pretty \
				--no-error-summary --scripts-are-modules --cache-dir="$CACHE/mypy")
	done
}

check_spdx() {
	local file bad=0

	while IFS= read -r -d '' file; do
		# Some have to say something else first.
		head -n 3 -- "$file" | grep -q 'SPDX-License-Identifier: ' ||
			{ echo "$file: no SPDX-License-Identifier at the top"; bad=1; }
	done < <(list_files . | files_not "$NO_SPDX")
	return "$bad"
}

check_whitespace() {
	local bad=0

	list_files . | files_not '\.patch$|^COPYING$' | xargs -0 grep -nHIE '[[:blank:]]+$' && bad=1
	list_files patches | xargs -0 grep -nHIE '^\+.*[[:blank:]]+$' && bad=1
	return "$bad"
}

check_words() {
	! list_files . | xargs -0 grep -nHIE -- "$FORBIDDEN"
}

check_prose() {
	"$ROOT/scripts/prose-test.sh"
	list_files . | xargs -0 "$ROOT/scripts/prose.py" --allow "$ROOT/scripts/prose.allow"
}

check_executable() {
	local file bad=0

	while IFS= read -r -d '' file; do
		[[ -x $file ]] || { echo "$file: starts with #! and is not executable"; bad=1; }
	done < <(scripts '[a-z0-9]+')
	return "$bad"
}

# run_check NAME: one line, and its complaints.
run_check() {
	local name=${1//_/-} result=PASS rc=0 log=$LOGDIR/lint-${1//_/-}.log
	local start=$SECONDS dots

	set +e
	(set -e; "check_$1") >"$log" 2>&1 </dev/null
	rc=$?
	set -e
	case $rc in
	0) ;;
	4) result=SKIP ;;
	*) result=FAIL ;;
	esac
	# They are all quiet if all is well.
	[[ $result != PASS || $1 == patches_* || ! -s $log ]] || result=FAIL

	count[$result]=$((count[$result] + 1))
	dots=$(printf '%*s' $((30 - ${#name})) '' | tr ' ' .)
	printf '  %s %s %s  %d s\n' "$name" "$dots" "$result" $((SECONDS - start))
	case $result in
	PASS) echo "ok $number $name" >>"$ktap" ;;
	SKIP) echo "ok $number $name # $(tail -n 1 "$log")" >>"$ktap" ;;
	FAIL) echo "not ok $number $name" >>"$ktap" ;;
	esac
	[[ $result == PASS ]] || report "$result" "$log"
}

report() {
	local result=$1 log=$2 lines

	head -n 40 -- "$log" | sed 's/^/    /'
	[[ $result == FAIL ]] || return 0
	lines=$(wc -l <"$log")
	((lines <= 40)) || printf '    ... and %d more lines\n' $((lines - 40))
	printf '  log:    %s\n' "$log"
	printf '  repeat: scripts/lint.sh %s\n' "$name"
}

main() {
	local tree name ktap number=0
	local -a names=("$@")

	[[ ${1:-} != -* ]] || { usage; [[ $1 == -h || $1 == --help ]]; exit; }
	init "$@"
	cd -- "$ROOT"
	mkdir -p "$CACHE/lint/passed"
	for name in "${OVERLAY_DIRS[@]}" patches tests; do
		ln -sfn "$ROOT/$name" "$CACHE/lint/$name"
	done
	ktap=$LOGDIR/lint.ktap
	need_tools perl:perl python3:python3
	((${#names[@]})) || names=("${ALL[@]}")
	# A patch that does not apply is found below: the checkers are in the stock tree too.
	tree=$("$ROOT/scripts/fetch-kernel.sh" 7.3)
	lock lint
	printf 'KTAP version 1\n1..%d\n' "${#names[@]}" >"$ktap"
	for name in "${names[@]//-/_}"; do
		[[ " ${ALL[*]} " == *" $name "* ]] || die "there is no check '$name': ${ALL[*]//_/-}"
		number=$((number + 1))
		run_check "$name"
	done
	printf '%d passed, %d failed' "${count[PASS]}" "${count[FAIL]}"
	((!count[SKIP])) || printf ', %d skipped' "${count[SKIP]}"
	echo
	((!count[FAIL]))
}

main "$@"
