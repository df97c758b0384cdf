#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Compare the index of preserved functions with other records: tables, plots, and
# a verdict on the promises.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../../scripts/lib.sh"

BENCH=$ROOT/tools/perf-scripts/bench
REPORT=$BENCH/report.py
COUNT=${COUNT:-}
PLOTS=${PLOTS:-}
ORDER=${ORDER:-}

usage() {
	cat <<-END
	Usage: make bench [ORDER=random] [COUNT=1] [PLOTS=FOLDER]
	       ${0##*/} [--short]

	  ORDER=random  only this order: random, ascending or bridge; the plots and
	                the promises are of the random one
	  COUNT=1       count instructions with callgrind, instead of time
	  PLOTS=FOLDER  where to write the plots (the folder of the results)
	  --short       a few sizes only, without times: whether all contenders
	                agree, and the results are well formed
	END
}

build_bench() {
	kmake --no-print-directory -s -C "$BENCH" KERNEL_TREE="$tree" O="$HOST_BUILD/bench"
}

# machine: the caption of the plots.
machine() {
	local model

	model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
	printf '%s, gcc %s -O2, Linux %s sources' "${model:-$(uname -m)}" \
		"$(gcc -dumpfullversion)" "$(make -s -C "$tree" kernelversion)"
}

run_native() {
	local -a cases=()

	[[ -z $ORDER ]] || cases=("*,$ORDER,*")
	"$program" "${cases[@]}" >"$dir/native.csv.tmp"
	mv -- "$dir/native.csv.tmp" "$dir/native.csv"
}

plot() {
	local out=${PLOTS:-$dir}

	mkdir -p "$out"
	gnuplot -e "csv='$dir/native.csv'; out='$out'; machine='$(machine)'; run='make bench${ORDER:+ ORDER=$ORDER}'" \
		"$BENCH/plot.gnuplot"
}

native() {
	need_tools gnuplot-nox:gnuplot fonts-dejavu-core:fc-match
	step "benchmark" run_native
	if [[ ${ORDER:-random} != random ]]; then
		"$REPORT" --order "$ORDER" "$dir/native.csv"
		return
	fi
	step "plots" plot
	"$REPORT" --claims "$program" "$dir/native.csv"
	info "results: $dir/native.csv, plots: ${PLOTS:-$dir}/*.png"
}

# short: its times mean nothing.
short() {
	"$program" --once '*,'{1,4,16,64,256,1024}',*' >"$dir/short.csv" ||
		{ grep '^#' "$dir/short.csv"; return 1; }
	"$REPORT" --check "$dir/short.csv"
}

run_callgrind() {
	rm -rf -- "$dir/callgrind"
	mkdir -p "$dir/callgrind"
	(cd -- "$dir/callgrind" && valgrind --tool=callgrind -q "$program" --once \
		'*,dense,random,4096,1' >"$dir/count.csv")
}

# count_instructions: the program marks its operations.
count_instructions() {
	need_tools valgrind:valgrind/callgrind.h
	step "build the benchmark for callgrind" build_bench
	step "callgrind" run_callgrind
	"$REPORT" --count "$dir/callgrind" "$dir/count.csv"
}

main() {
	local tree dir program

	init "$@"
	[[ $# == 0 || $* == --short ]] || { usage; [[ ${1:-} == -h || ${1:-} == --help ]]; exit; }
	[[ $ORDER =~ ^(|random|ascending|bridge)$ ]] || die "'$ORDER' is not an order: random, ascending, bridge"
	need_tools gcc:gcc make:make libc6-dev:stdio.h liburcu-dev:urcu.h python3:python3
	tree=$("$ROOT/scripts/make-tree.sh" "$TO")
	dir=$CACHE/bench
	program=$HOST_BUILD/bench/pci-liveupdate-bench
	mkdir -p "$dir"
	lock bench
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
