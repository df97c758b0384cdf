#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the index of preserved functions costs, next to other ways to keep such a
# record: tables, plots, and what is promised.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source=tests/vm/vm.sh
. "$ROOT/tests/vm/vm.sh"
# shellcheck source=tests/vm/devices.sh
. "$ROOT/tests/vm/devices.sh"
# shellcheck source=tests/vm/live-update.sh
. "$ROOT/tests/vm/live-update.sh"

SCRIPTS=$ROOT/tools/perf-scripts
REPORT=$SCRIPTS/pci-liveupdate-bench-report.py
KERNEL=${KERNEL:-}
COUNT=${COUNT:-}
PLOTS=${PLOTS:-}
ORDER=${ORDER:-}

usage() {
	cat <<-END
	Usage: make bench [ORDER=random] [COUNT=1] [KERNEL=7.3] [PLOTS=FOLDER]
	       ${0##*/} [--short]

	  ORDER=random  only this order, which all tables and plots are of
	  COUNT=1       count instructions instead of time: with the processor's
	                counter, or with callgrind where there is none
	  KERNEL=7.3    run it in that kernel, in QEMU: its figures are for
	                comparison with each other only
	  PLOTS=FOLDER  where to write the plots (the folder of the results)
	  --short       a few sizes only, without times: whether all contenders
	                agree, and the results are well formed
	END
}

build_bench() {
	kmake --no-print-directory -s -C "$ROOT/tests/index" KERNEL_TREE="$tree" \
		O="$HOST_BUILD/bench" bench
}

# where: the machine that the figures are of, for the plots.
where() {
	local model

	model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
	printf '%s, gcc %s -O2, Linux %s sources' "${model:-$(uname -m)}" \
		"$(gcc -dumpfullversion)" "$(make -s -C "$tree" kernelversion)"
}

run_native() {
	"$bench" ${ORDER:+"--order=$ORDER"} >"$dir/native.csv.tmp"
	mv -- "$dir/native.csv.tmp" "$dir/native.csv"
}

plot() {
	local out=${PLOTS:-$dir}

	mkdir -p "$out"
	gnuplot -e "csv='$dir/native.csv'; out='$out'; machine='$(where)'; run='make bench${ORDER:+ ORDER=$ORDER}'" \
		"$SCRIPTS/pci-liveupdate-bench.gnuplot"
}

native() {
	need_tools gnuplot-nox:gnuplot fonts-dejavu-core:fc-match
	step "benchmark" run_native
	step "plots" plot
	"$REPORT" --claims "$dir/native.csv"
	info "results: $dir/native.csv, plots: ${PLOTS:-$dir}/*.png"
}

# short: no figure of it means anything.
short() {
	"$bench" --once --max=1024 >"$dir/short.csv" ||
		{ grep '^#' "$dir/short.csv"; return 1; }
	"$REPORT" --check "$dir/short.csv"
}

run_callgrind() {
	rm -rf -- "$dir/callgrind"
	mkdir -p "$dir/callgrind"
	(cd -- "$dir/callgrind" && valgrind --tool=callgrind -q "$bench" --once \
		"${one_size[@]}" >"$dir/count.csv")
	"$REPORT" --check --callgrind "$dir/callgrind" "$dir/count.csv"
}

# count: instructions tell what is done, wherever it is run.
count_instructions() {
	local -a one_size=(--layout=dense --order=random --min=4096 --max=4096)

	if "$bench" --count=instructions "${one_size[@]}" >"$dir/count.csv" 2>/dev/null; then
		info "the processor counts instructions"
	else
		# The program marks what is to be counted, if it finds how.
		need_tools valgrind:valgrind
		step "build the benchmark for it" build_bench
		step "callgrind, as the processor does not count" run_callgrind
	fi
	"$REPORT" --count Instructions "$dir/count.csv"
}

# in_kernel: emulated, so that times can be compared with each other only.
in_kernel() {
	check_version "$KERNEL"
	need_qemu
	rm -f -- "$dir/kernel-$KERNEL.csv"
	step "benchmark in Linux $KERNEL" boot_bench
	"$REPORT" "$dir/kernel-$KERNEL.csv"
	info "emulated: compare these with each other only; $dir/kernel-$KERNEL.csv"
}

boot_bench() {
	boot_kernels "$dir/vm" "$KERNEL-bench" "$KERNEL-bench" 1 bench --seconds=1200 \
		"pci_liveupdate_benchmark.max=${MAX:-4096}" pci_liveupdate_benchmark.order=random || return
	guest_passed "$dir/vm" first || return
	sed -n 's/^[^ ]* data bench //p' "$dir/vm/side" >"$dir/kernel-$KERNEL.csv"
	console_is_clean "$dir/vm/console"
}

main() {
	local tree dir bench

	init "$@"
	[[ $# == 0 || $* == --short ]] || { usage; [[ ${1:-} == -h || ${1:-} == --help ]]; exit; }
	need_tools gcc:gcc make:make libc6-dev:stdio.h liburcu-dev:urcu.h python3:python3
	tree=$("$ROOT/scripts/make-tree.sh" "$TO")
	dir=$CACHE/bench
	bench=$HOST_BUILD/bench/pci-liveupdate-bench
	mkdir -p "$dir"
	lock bench
	if [[ $KERNEL ]]; then
		in_kernel
		return
	fi
	step "build the benchmark" build_bench
	if [[ ${1:-} == --short ]]; then
		short
	elif [[ $COUNT ]]; then
		count_instructions
	else
		native
	fi
}

main "$@"
