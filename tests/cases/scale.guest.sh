# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2010 # there is no blank in an address
#
# A live update of the functions of the test hosts. With files=one they are all
# in one file, which measures the PCI core; with files=each every function has a
# file of the stub driver, as on a real host.
#
# Costs go to the host as "data cost PHASE WHOSE NS" and "data memory WHAT KB".

SCALE=/sys/kernel/debug/pci_liveupdate_scale
BRIDGE=bdf0:1001

first() {
	say "data files $(parameter files one)"
	say_enumeration old
	case $(parameter files one) in
	one) first_one ;;
	each) first_each ;;
	esac
	check_same "as many functions are in the record as there are" \
		"$(records outgoing function | wc -l)" "$(value functions)"
	say_record_size outgoing
	say "phase load"
	timed load load_next
	run_next
}

second() {
	local uptime rest

	read -r uptime rest </proc/uptime
	say "phase up $uptime"
	say_enumeration new
	check_all
	case $(parameter files one) in
	one) second_one ;;
	each) second_each ;;
	esac
	check_same "nothing stays in the record" "$(records incoming)" ""
	check_same "and no function is preserved any more" \
		"$(sed -n 's/^preserved_functions //p' "$SCALE/check")" 0
}

# value NAME: of the measurements of the kernel.
value() {
	sed -n "s/^$1 //p" "$SCALE/report"
}

say_enumeration() {
	say "data cost enumerate-$1 all $(value enumerate_ns)"
	say "data cost enumerate-$1 ours $(value hooks_ns)"
	say "data memory enumerate-$1 $(value enumerate_kb)"
	say "data functions $(value functions)"
	say "data bridges $(value bridges)"
}

say_calls() {
	sed -n 's/^call /data call /p' "$SCALE/report" >&3
}

say_record_size() {
	say "data memory record $(sed -n "s/^# $1 .* of \([0-9]*\) kB\$/\1/p" "$RECORD")"
}

now_ns() {
	awk '/^now at/ { print $3; exit }' /proc/timer_list
}

free_kb() {
	awk '/^MemFree/ { print $2 }' /proc/meminfo
}

# timed PHASE COMMAND...: the time and the memory of the whole phase.
timed() {
	local phase=$1 start free end
	shift

	free=$(free_kb)
	start=$(now_ns)
	"$@"
	end=$(now_ns)
	say "data cost $phase all $((end - start))"
	say "data memory $phase $((free - $(free_kb)))"
}

threads() {
	parameter threads 1 >"$SCALE/threads"
}

# One file

first_one() {
	local name ns

	say "phase preserve"
	threads
	say "data $(luo-file memfd 256)"
	timed preserve check "all functions are preserved" \
		luo-file preserve scale "$SCALE/all"
	while read -r name ns; do
		say "data cost $name ours $ns"
	done </tmp/out
	say_calls
}

second_one() {
	local name ns

	say "phase finish"
	threads
	cat "$SCALE/check" >/dev/null
	timed finish check "the session is finished" luo-file finish scale
	while read -r name ns; do
		say "data cost $name ours $ns"
	done </tmp/out
	say "data cost finish uevents $(value uevents_ns)"
	say_calls
}

# A file for each function

bind_all() {
	echo "$SOFTWARE" | tr : ' ' >"$PCI/drivers/$STUB/new_id"
}

functions() {
	ls "$PCI/drivers/$STUB" | grep :
}

preserve_each() {
	pci-liveupdate -q preserve --background scale - </tmp/functions
}

first_each() {
	timed bind-old bind_all
	functions >/tmp/functions
	check_same "all functions are bound" "$(wc -l </tmp/functions)" \
		"$(value functions)"
	say "phase preserve"
	timed preserve check "all functions are preserved" preserve_each
}

second_each() {
	timed bind-new bind_all
	say "phase finish"
	timed finish check "the session is finished" pci-liveupdate -q finish scale
}

# check_all: the record has the address of each function and bridge, and no other one.
check_all() {
	local before hosts

	before=$(now_ns)
	functions_of "$SOFTWARE" "$BRIDGE" | sort >/tmp/there
	{ records incoming function; records incoming bridge; } | sort >/tmp/preserved
	say "data cost check all $(($(now_ns) - before))"
	check "each function and each bridge is preserved, and nothing else is" \
		cmp -s /tmp/there /tmp/preserved
	check_same "every device of the record is present" \
		"$(absent)" 0
	check_same "is_preserved() is true for each function" \
		"$(sed -n 's/^preserved_functions //p' "$SCALE/check")" "$(value functions)"
	check_same "and for each bridge" \
		"$(sed -n 's/^preserved_bridges //p' "$SCALE/check")" "$(value bridges)"
	hosts=$(parameter pci_liveupdate_hosts)
	check_same "there are as many functions as the command line says" \
		"$(value functions)" "${hosts#*,}"
	say_record_size incoming
}
