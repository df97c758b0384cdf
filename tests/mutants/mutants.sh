#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# See whether the tests notice a broken source. Each mutant has one change: the
# harness of the index runs for each mutant of the index, KUnit for each of the rest.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
# shellcheck source=tests/vm/vm.sh
. "$ROOT/tests/vm/vm.sh"

HERE=$ROOT/tests/mutants
# Of the kernel, and of the headers that the harness of the index takes.
VERSION=7.3
# More than a hundred mutants each, in about an hour.
INDEX_EVERY=3
KUNIT_EVERY=10
# Fewer random operations than "make check".
INDEX_ARGS=(--ops=40000 --seed=1 --stop)
# A run of the harness takes less than 10 seconds of processor time, and more of
# real time on a busy machine.
INDEX_SECONDS=60
# More than there are processors: sriov_disable() sleeps for a second.
KUNIT_LANES=4
# A suite of KUnit may take that long, and a kernel to boot.
KUNIT_SECONDS=240

usage() {
	cat <<-END
	Usage: ${0##*/} [index] [kunit]

	Runs mutants of the index in user space, and mutants of the other files in a
	kernel: one in $INDEX_EVERY and one in $KUNIT_EVERY, chosen by name, or one in N with EVERY=N. Each
	mutant that no test catches must be in tests/mutants/survivors, with the reason.
	V=1 shows the test that catches a mutant.
	END
}

# lanes N FUNCTION: run FUNCTION for each of N parts of the list, side by side. It gets
# the number of its part.
lanes() {
	local lane

	for ((lane = 0; lane < $1; lane++)); do
		awk -v lane="$lane" -v lanes="$1" 'NR % lanes == lane' "$dir/list" >"$dir/list.$lane"
		"$2" "$lane" &
	done
	wait
}

# verdict NUMBER caught|survived [REASON]
verdict() {
	printf '%s\t%s\t%s\n' "$1" "$2" "${3:-}" >>"$dir/verdicts.$lane"
}

# The index, in user space

build_index() {
	cat >>"$dir/source/liveupdate_index.c" <<-'END'

	extern char *getenv(const char *name);
	extern int atoi(const char *text);

	unsigned int pci_liveupdate_mutant;

	static __attribute__((constructor)) void choose_mutant(void)
	{
		const char *number = getenv("MUTANT");

		pci_liveupdate_mutant = number ? atoi(number) : 0;
	}
	END
	cp -- "$ROOT/drivers/pci/liveupdate_index.h" "$dir/source"
	# Sanitizers would triple the time.
	kmake -s -C "$ROOT/tests/index" KERNEL_TREE="$tree" O="$dir/build" \
		INDEX_DIR="$dir/source" SANITIZE= OPT=-O1 CFLAGS_EXTRA=-w all
}

# run_index NUMBER: in a subshell for the limit, and for the shell's message about a
# crash.
run_index() {
	(ulimit -S -c 0 -t "$INDEX_SECONDS"
	MUTANT=$1 "$dir/build/index_test" "${INDEX_ARGS[@]}") >"$dir/log.$lane" 2>&1
}

# There is no verdict if another process killed the harness, or it could not run.
lane_index() {
	local lane=$1 number rc

	while read -r number _; do
		rc=0
		run_index "$number" 2>/dev/null || rc=$?
		case $rc in
		0) verdict "$number" survived ;;
		1) verdict "$number" caught "$(grep -m 1 -e '^not ok' -e '^Bail out' "$dir/log.$lane")" ;;
		# SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV and SIGXCPU
		13[2-6] | 139 | 152) verdict "$number" caught "crashed or hung" ;;
		esac
	done <"$dir/list.$lane"
}

try_index() {
	local dir=$HOST_BUILD/mutants lane=0

	start "${EVERY:-$INDEX_EVERY}" index
	step "mutants of the index" build_index
	run_index 0 || die "the harness fails without a mutant, see $dir/log.0"
	lanes 2 lane_index
	report
}

# Guard and glue, in a kernel

# build_kernel BASE: beside the objects of the base kernel. kbuild prefers a source
# in the build folder to that in the tree.
build_kernel() {
	local base=$1 build=$dir/build
	local -a compiler=()

	cat >>"$dir/source/liveupdate_luo.c" <<-'END'

	#include <linux/moduleparam.h>

	unsigned int pci_liveupdate_mutant;
	core_param(pci_liveupdate_mutant, pci_liveupdate_mutant, uint, 0644);
	END
	if ! cmp -s "$base/.key" "$dir/base.key"; then
		rm -rf -- "$build" "$dir/base.key"
		lock "build-${base##*/}" shared
		copy_build "$base" "$build"
		cp -- "$base/.key" "$dir/base.key"
		unlock "build-${base##*/}"
	fi
	cp -- "$dir"/source/*.c "$build/drivers/pci"
	! have ccache || compiler=(CC="ccache gcc" HOSTCC="ccache gcc")
	kmake -C "$tree" O="$build" ARCH=x86_64 -j"$(nproc)" "${compiler[@]}" bzImage
}

# kill_stuck DIR: end a machine that has not said anything for too long.
kill_stuck() {
	local pid now last

	while sleep 5 && kill -0 "$$" 2>/dev/null; do
		now=$(date +%s)
		last=$(stat -c %Y -- "$1/side" 2>/dev/null) || continue
		if ((now - last > KUNIT_SECONDS)) && pid=$(<"$1/pid"); then
			kill -KILL "$pid" 2>/dev/null || true
		fi
	done
}

# take_verdicts SIDE: the words of the guest; sets after to the last mutant it began.
take_verdicts() {
	local word number reason

	while read -r _ word number reason; do
		case $word in
		begin) after=$number pending=1 ;;
		caught | survived)
			verdict "$number" "$word" "$reason"
			pending=''
			;;
		end) ended=1 ;;
		esac
	done <"$1"
}

# Boot again after a mutant that crashed the kernel, or left a suite failing. The results
# are in debugfs: only warnings and errors go to the slow serial port.
lane_kunit() {
	local lane=$1 after='' pending='' ended='' before watch failures=0
	local machine=$dir/machine.$lane
	local line="liveupdate=on loglevel=5 oops=panic kunit.enable=1"
	line+=" kunit.filter_glob=pci_liveupdate* kunit.filter=$filter"

	mkdir -p "$machine"
	while [[ ! $ended ]]; do
		before=$after
		kill_stuck "$machine" &
		watch=$!
		vm_boot "$machine" "$dir/build/arch/x86/boot/bzImage" "" "$dir/initrd.gz" 86400 \
			"$line lane=$lane lanes=$KUNIT_LANES after=$after" \
			-pidfile "$machine/pid" >>"$machine/log" 2>&1 || true
		kill "$watch" 2>/dev/null || true
		take_verdicts "$machine/side"
		if [[ $pending ]]; then
			verdict "$after" caught "crashed or hung"
			pending=''
		elif [[ ! $ended && $after == "$before" ]] && ((++failures == 3)); then
			echo "the kernel does not run, see $machine/console" >&2
			return 1
		fi
	done
}

try_kunit() {
	local dir=$CACHE/build/mutants/kunit lane kernel

	start "${EVERY:-$KUNIT_EVERY}" abandon guard hooks luo sriov ''
	kernel=$("$ROOT/scripts/build-kernel.sh" "$VERSION" base)
	step "kernel with mutants" build_kernel "${kernel%/arch/*}"
	run_kernels 'speed>slow'
	cp -- "$dir/list" "$dir/all"
	list_unexplained "$dir/all" >"$dir/list"
	[[ ! -s $dir/list ]] || run_kernels 'speed>very_slow'
	mv -- "$dir/all" "$dir/list"
	report
}

# run_kernels FILTER: try the mutants of the list with the test cases that match.
run_kernels() {
	local filter=$1

	"$ROOT/scripts/build-initrd.sh" "$dir/initrd.gz" "$HERE/init:/init:755" \
		"$ROOT/tests/guest/guest.sh:/lib/guest.sh:644" "$dir/list:/mutants:644"
	lanes "$KUNIT_LANES" lane_kunit
	! grep -h $'^0\tcaught' "$dir"/verdicts.* || die "KUnit fails without a mutant"
}

# list_unexplained LIST: mutants that survive and are not in survivors. Only these
# are worth the slow test cases.
list_unexplained() {
	local number rest name

	while read -r number rest; do
		name=$(cut -f 2 <<<"$rest")
		if is_caught "$number" || is_argued "$name"; then
			continue
		fi
		printf '%s\t%s\n' "$number" "$rest"
	done <"$1"
}

# Both

# start EVERY PART...: write all mutants of these files and list those to try:
# number, file, name and change.
start() {
	local every=$1 part
	local -a sources=()
	shift

	for part; do
		sources+=("$ROOT/drivers/pci/liveupdate${part:+_$part}.c")
	done
	mkdir -p "$dir/source"
	rm -f -- "$dir"/verdicts.*
	"$HERE/mutate.py" --output "$dir/source" --every "$every" \
		"${sources[@]}" >"$dir/list"
	"$HERE/mutate.py" "${sources[@]}" | cut -f 3 >>"$CACHE/build/mutants/names"
}

is_caught() {
	grep -qh "^$1"$'\tcaught' "$dir"/verdicts.*
}

is_argued() {
	grep -qxF -- "$1" "$HERE/survivors"
}

# report: one line for each mutant, with V=1 also for those that a test catches. A
# mutant may survive the fast test cases, and not the slow ones.
report() {
	local number file name change word reason argued

	while IFS=$'\t' read -r number file name change; do
		IFS=$'\t' read -r _ word reason < <(grep -hP "^$number\t" "$dir"/verdicts.* | sort | head -n 1) ||
			word=unknown
		argued=''
		! is_argued "$name" || argued=1
		case $word$argued in
		caught)
			caught=$((caught + 1))
			[[ $V != 1 ]] || printf '  %s %s (%s)\n' "$name" "$change" "$reason"
			;;
		survived1) argued_for=$((argued_for + 1)) ;;
		caught1) complain "$name is in tests/mutants/survivors, but is caught: $reason" ;;
		survived) complain "$name survives: $file.c:$change" ;;
		*) complain "$name was not tried" ;;
		esac
	done <"$dir/list"
}

complain() {
	printf '  not ok: %s\n' "$*"
	failed=$((failed + 1))
}

# Each name in survivors must be that of a mutant.
check_survivors() {
	local name

	while read -r name; do
		grep -qxF -- "$name" "$CACHE/build/mutants/names" ||
			complain "tests/mutants/survivors has $name, which is no mutant"
	done < <(grep '^[a-z]' "$HERE/survivors")
}

main() {
	local tree part caught=0 argued_for=0 failed=0

	[[ ${1:-} != -* ]] || { usage; [[ $1 == -h || $1 == --help ]]; exit; }
	init "$@"
	need_x86
	(($#)) || set -- index kunit
	need_qemu
	need_tools python3:python3 gcc:gcc make:make libc6-dev:stdio.h liburcu-dev:urcu.h
	tree=$("$ROOT/scripts/make-tree.sh" "$VERSION")
	lock mutants
	mkdir -p "$CACHE/build/mutants"
	: >"$CACHE/build/mutants/names"
	for part; do
		[[ $(type -t "try_$part") == function ]] || die "there is no part '$part'"
		"try_$part"
	done
	(($# == 1)) || check_survivors
	printf '%d mutants caught, %d survive for a reason, %d failed\n' "$caught" "$argued_for" "$failed"
	((!failed))
}

main "$@"
