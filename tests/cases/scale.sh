# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Live updates of many functions made of software. "make scale" has more and larger
# ones.

# The functions are spread over this number of segments.
SCALE_SEGMENTS=${VM_SEGMENTS:-16}

scale_tests() {
	run scale scale_test 7.2-base 7.3-base 1024 one
	run_similar scale-files scale_test 7.3-base 7.3-base 1024 each
	run scale-sriov sriov_scale_test 7.2-base 7.3-base 4,127 50
	run_similar scale-sriov-buses sriov_scale_test 7.3-base 7.3-base 2,300 100
	run_similar scale-sriov-stride sriov_scale_test 7.3-base 7.3-base 2,100,2,3 10
	run_similar scale-sriov-nothing sriov_scale_test 7.3-base 7.3-base 4,127 0
}

# scale_test DIR FROM TO FUNCTIONS FILES [OPTION...] [WORD...]: all functions in one
# file, or with a file each. OPTIONs are those of boot_kernels().
scale_test() {
	local dir=$1 from=$2 to=$3 functions=$4 files=$5
	shift 5

	live_update "$dir" "$from" "$to" 8 scale \
		"pci_liveupdate_hosts=$SCALE_SEGMENTS,$functions" "files=$files" "$@" || return
	console_is_quiet "$dir/console"
}

# sriov_scale_test DIR FROM TO PFS,VFS[,OFFSET,STRIDE] PERCENT [OPTION...] [WORD...]:
# PERCENT of the VFs of the test host with SR-IOV, in one file.
sriov_scale_test() {
	local dir=$1 from=$2 to=$3 host=$4 percent=$5
	shift 5

	live_update "$dir" "$from" "$to" 8 scale_sriov "pci_liveupdate_sriov=$host" \
		"percent=$percent" "$@" || return
	console_is_quiet "$dir/console"
}

# console_is_quiet CONSOLE: there is no line for each device of the test hosts, which
# have all segments but QEMU's, and none of our lines more than once in each kernel.
console_is_quiet() {
	local noise

	noise=$(grep -aE '[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]' "$1" |
		grep -av '0000:[0-9a-f][0-9a-f]:' | head -n 5) || true
	noise+=$(grep -aoE 'PCI: liveupdate: .*' "$1" | sed 's/[0-9][0-9]*/N/g' |
		sort | uniq -c | awk '$1 > 2')
	[[ -z $noise ]] || { echo "the console is not quiet:"; echo "$noise"; return 1; }
}
