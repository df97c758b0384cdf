# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Shared by all scripts: the cache, steps, locks, and tools that may have to be
# installed. To be sourced.

set -euo pipefail

# shellcheck disable=SC2034
ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${PCI_LIVEUPDATE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pci-liveupdate}
LOGDIR=$CACHE/log
CACHE_TAG='Signature: 8a477f597d28d172789f06886806bc55'
FROM=${FROM:-7.2}
TO=${TO:-7.3}
V=${V:-0}
# The architecture of the kernels and of the guest, as the kernel's make names it.
ARCH=${ARCH:-x86_64}
[[ $ARCH != arm64 ]] || CROSS_COMPILE=${CROSS_COMPILE-aarch64-linux-gnu-}
CROSS_COMPILE=${CROSS_COMPILE:-}
# 0 leaves out the patches that nothing here needs.
INDEPENDENT=${INDEPENDENT:-1}

# The folders of the overlay: the files below them go into the kernel tree.
# shellcheck disable=SC2034
OVERLAY_DIRS=(Documentation drivers include lib tools)

# Debian keeps kexec and friends where only root looks.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# A name of a lock -> the file descriptor that holds it.
declare -A LOCK_FDS=()

# Process groups that end with the script, by the ID of their leader.
declare -A IN_BACKGROUND=()

# The command that repeats the script: a failed step shows it to the user.
REPEAT=(make)

info() {
	printf '  %s\n' "$*" >&2
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# A folder that was not there or was empty is marked as a cache and as ours: only
# such a folder may be removed later, and tools that make backups pass it over.
make_cache() {
	local new=''

	[[ $(ls -A -- "$CACHE" 2>/dev/null) ]] || new=1
	mkdir -p "$LOGDIR" "$CACHE/lock" ||
		die "cannot write to $CACHE; set PCI_LIVEUPDATE_CACHE to a folder you own"
	[[ -z $new ]] || printf '%s\n' "$CACHE_TAG" '# Made by pci-liveupdate.' >"$CACHE/CACHEDIR.TAG"
}

# init ARGUMENTS...: call it first in main(), with main()'s own arguments.
init() {
	REPEAT=("$(readlink -f -- "$0")" "$@")
	make_cache
	# The cache ends up in -I options and file names: make it absolute.
	CACHE=$(cd -- "$CACHE" && pwd)
	LOGDIR=$CACHE/log
	# Programs of this clone: make goes by time and path, and another clone in the
	# same cache may have older files.
	# shellcheck disable=SC2034
	HOST_BUILD=$CACHE/build/host-$(sha256sum <<<"$ROOT" | cut -c 1-8)
	[[ $CACHE != *[[:space:]:]* ]] ||
		die "make cannot build in '$CACHE'; set PCI_LIVEUPDATE_CACHE to a path without blanks and colons"
}

# repeat_command COMMAND...: the line that runs it again by hand. A function
# needs its script around it.
repeat_command() {
	local var line
	local -a words=()

	for var in PCI_LIVEUPDATE_CACHE ARCH FROM TO KERNEL_SRC KERNEL_SRC_OLD INDEPENDENT; do
		if [[ ${!var:-} && $(declare -p "$var") == declare\ -x* ]]; then
			words+=("$var=${!var}")
		fi
	done
	if [[ $(type -t "$1") == function ]]; then
		words+=(V=1 "${REPEAT[@]}")
	else
		words=("$@")
	fi
	printf -v line '%q ' "${words[@]}"
	printf '%s' "${line% }"
}

# show_progress NAME LOG: how long it has been, and the last line of the log.
show_progress() {
	local name=$1 log=$2 start=$SECONDS last

	while sleep 1 && kill -0 "$$" 2>/dev/null; do
		last=$(tail -n 1 -- "$log" 2>/dev/null | tr -d '\r\033' | cut -c 1-40) || last=
		printf '\r\033[K  %s %d s  %s' "$name" $((SECONDS - start)) "$last" >&2
	done
}

show_failure() {
	local log=$1
	shift

	if [[ $V != 1 ]]; then
		tail -n 20 -- "$log" | sed 's/^/    /' >&2
	fi
	info "log:    $log"
	info "repeat: $(repeat_command "$@")"
}

# step NAME COMMAND...: one line with the time it took; the output of COMMAND goes to
# a log, in STEP_LOGS if that is set. Never in a condition: bash would switch
# errexit off in COMMAND.
step() {
	local name=$1 log rc ticker='' start=$SECONDS dots
	shift

	log=${STEP_LOGS:-$LOGDIR}/${name//[^A-Za-z0-9._-]/-}.log
	dots=$(printf '%*s' $((${#name} < 40 ? 42 - ${#name} : 2)) '' | tr ' ' .)
	if [[ $V == 1 ]]; then
		info "$name: $(repeat_command "$@")"
		set +e
		(set -e; "$@") 2>&1 </dev/null | tee -- "$log" >&2
		rc=${PIPESTATUS[0]}
	else
		if [[ -t 2 ]]; then
			show_progress "$name" "$log" &
			ticker=$!
			disown "$ticker"
		fi
		set +e
		(set -e; "$@") >"$log" 2>&1 </dev/null
		rc=$?
		[[ -z $ticker ]] || { kill "$ticker" 2>/dev/null; printf '\r\033[K' >&2; }
	fi
	set -e
	if ((rc)); then
		info "$name $dots FAILED after $((SECONDS - start)) s"
		show_failure "$log" "$@"
		exit 1
	fi
	info "$name $dots $((SECONDS - start)) s"
}

# copy_build FROM TO: a build folder to go on from. The kernel's own part names no
# folder, but that of tools/ does: as it is, it would build objtool again, and
# with it every object.
copy_build() {
	local from=$1 to=$2

	rm -rf -- "$to.tmp"
	cp -a --reflink=auto -- "$from" "$to.tmp"
	find "$to.tmp/tools" -name '.*.cmd' -exec sed -i "s,$from/,$to/,g" {} +
	mv -- "$to.tmp" "$to"
}

# in_background COMMAND [ARGUMENT...]: sets $! to its process, which ends with the script.
in_background() {
	trap end_background EXIT
	# A process group of its own.
	set -m
	"$@" &
	set +m
	IN_BACKGROUND[$!]=1
}

end_background() {
	local leader

	for leader in "${!IN_BACKGROUND[@]}"; do
		kill -- "-$leader" 2>/dev/null || true
	done
}

# lock NAME [shared]: held until the script ends, or unlock. A lock held as
# shared is dropped for a moment when the same name is locked again to write.
lock() {
	local name=$1 how=-x fd=${LOCK_FDS[$1]:-}

	[[ ${2:-} != shared ]] || how=-s
	if [[ -z $fd ]]; then
		exec {fd}>>"$CACHE/lock/$name"
		LOCK_FDS[$name]=$fd
	fi
	flock -n "$how" "$fd" && return
	info "waiting for another run that uses $name"
	flock "$how" "$fd"
}

unlock() {
	local fd=${LOCK_FDS[$1]}

	exec {fd}>&-
	unset "LOCK_FDS[$1]"
}

# have NAME: check for a command, a header if it ends in .h, or a library of clang if in .a.
have() {
	if [[ $1 == *.a ]]; then
		[[ -e $(clang -print-file-name="$1") ]]
	elif [[ $1 != *.h ]]; then
		command -v "$1" >/dev/null
	elif [[ $1 == /* ]]; then
		[[ -e $1 ]]
	elif command -v gcc >/dev/null; then
		gcc -E -x c -o /dev/null - <<<"#include <$1>" 2>/dev/null
	else
		[[ -e /usr/include/$1 ]]
	fi
}

apt_install() {
	local -a sudo=()

	((EUID == 0)) || sudo=(sudo -n)
	local -a get=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get
		-q -y -o DPkg::Lock::Timeout=300)
	"${get[@]}" install --no-install-recommends "$@" && return
	"${get[@]}" update
	"${get[@]}" install --no-install-recommends "$@"
}

# need_tools PACKAGE:WHAT...: installs the packages whose command or header is
# missing, or names these packages.
need_tools() {
	local spec
	local -a packages=() what=()

	for spec; do
		if ! have "${spec#*:}"; then
			packages+=("${spec%%:*}")
			what+=("${spec#*:}")
		fi
	done
	((${#packages[@]})) || return 0

	have apt-get || die "missing: ${what[*]}. Please install them (Debian calls the packages: ${packages[*]})"
	((EUID == 0)) || sudo -n true 2>/dev/null ||
		die "missing: ${what[*]}. Please run: sudo apt-get install ${packages[*]}"
	lock apt
	step "install ${packages[*]}" apt_install "${packages[@]}"
	unlock apt
	hash -r
	for spec in "${what[@]}"; do
		have "$spec" || die "$spec is still missing after: apt-get install ${packages[*]}"
	done
}

# need_x86: for a script that builds or boots no other kernel.
need_x86() {
	[[ $ARCH == x86_64 ]] || die "this works with ARCH=x86_64 only"
}

# need_compiler: the one for $ARCH, with a C library for programs of the guest.
need_compiler() {
	case $CROSS_COMPILE in
	'') need_tools gcc:gcc make:make libc6-dev:stdio.h ;;
	aarch64-linux-gnu-)
		need_tools make:make gcc-aarch64-linux-gnu:aarch64-linux-gnu-gcc \
			libc6-dev-arm64-cross:/usr/aarch64-linux-gnu/include/stdio.h
		;;
	*) need_tools make:make "gcc:${CROSS_COMPILE}gcc" ;;
	esac
}

# need_space GIGABYTES WHAT
need_space() {
	local free

	free=$(df -Pk -- "$CACHE" | awk 'NR == 2 { print int($4 / 1048576) }')
	((free >= $1)) ||
		die "$2 needs $1 GB in $CACHE, and $free GB are free; make room or set PCI_LIVEUPDATE_CACHE"
}

# list_files PATH...: our files below these paths of the repository, each ended by
# a NUL: those git does not ignore, or all of them if this is no repository.
list_files() {
	local top file

	cd -- "$ROOT"
	top=$(git rev-parse --show-toplevel 2>/dev/null) || top=
	if [[ $top == "$ROOT" ]]; then
		git ls-files -z -co --exclude-standard -- "$@"
	else
		find "$@" -type f ! -path '*/.git/*' ! -name '*.[oad]' ! -name '*~' \
			! -name '*.pyc' -printf '%p\0' | sed -z 's,^\./,,'
	fi | sort -zu | while IFS= read -r -d '' file; do
		# Git also lists removed files until the removal is committed.
		[[ ! -f $file ]] || printf '%s\0' "$file"
	done
}

# overlay_files: the files that go into the kernel tree, each ended by a NUL. The
# benchmark needs tests/index to build, and stays here.
overlay_files() {
	list_files "${OVERLAY_DIRS[@]}" | { grep -zv '^tools/perf-scripts/bench/' || true; }
}

# series_patches FOLDER VERSION: the patches that FOLDER/series names for the
# kernel, in order, with their folder.
series_patches() {
	local line name versions

	while IFS= read -r line; do
		# Comments and files of the overlay begin with something else.
		[[ $line == [[:alnum:]]* ]] || continue
		read -r name versions <<<"$line"
		[[ -f $ROOT/$1/$name ]] || die "$1/series names $name, which is not there"
		[[ -z ${versions%%#*} || " $versions " == *" $2 "* ]] || continue
		printf '%s\n' "$1/$name"
	done <"$ROOT/$1/series"
}

# kernel_release: the release that the kernel's Makefile on stdin is of.
kernel_release() {
	awk '/^(VERSION|PATCHLEVEL|SUBLEVEL) = / { release = release dot $3; dot = "." }
		/^EXTRAVERSION = *[^ ]/ { release = release $3 }
		END { print release }'
}

# is_tested RELEASE: the patches must apply to it without fuzz.
is_tested() {
	awk -v release="$1" '/^[0-9]/ { sub(/-.*/, "", $2) } $2 == release { found = 1 }
		END { exit !found }' "$ROOT/patches/tested"
}

# check_version VERSION: one of the kernels this project is built for.
check_version() {
	[[ $1 == 7.2 || $1 == 7.3 ]] || die "'$1' is not a kernel version known here: 7.2 or 7.3"
}

# kmake ARGUMENTS...: the kernel's make, which must not see the options and the
# variables of a make around it.
kmake() {
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES -u V -u O make "$@"
}
