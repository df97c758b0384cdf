# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The KUnit suites of our files.

# Disabling VFs takes a second, in each case that has some: sriov_disable() sleeps. And
# other tests run beside KUnit.
KUNIT_SECONDS=900

# The guard takes a third of the time: kunit-7.2 has all other suites.
kunit_tests() {
	run_beside kunit-7.2 kunit 7.2-base 'pci_liveupdat*[!d]'
	run_beside kunit-7.3 kunit 7.3-base
	run_similar kunit-7.2-guard kunit 7.2-base pci_liveupdate_guard
}

# kunit DIR KERNEL [SUITES]: run the suites that match the pattern SUITES.
kunit() {
	local dir=$1 kernel=$2 suites=${3:-pci_liveupdate*} tree image

	tree=$("$ROOT/scripts/make-tree.sh" "${kernel%-*}") || return
	image=$(build_kernel "$kernel") || return
	if is_slow "$image"; then
		kunit_boot "$dir" "$tree" "$image" "$suites" "$((DEBUG_FACTOR * KUNIT_SECONDS))" \
			"$DEBUG_LINE" -m "$DEBUG_MEMORY" || return
	else
		kunit_boot "$dir" "$tree" "$image" "$suites" "$KUNIT_SECONDS" "" || return
	fi
	console_is_clean "$dir/console"
}

# kunit_boot DIR TREE IMAGE SUITES SECONDS LINE [QEMU-OPTION...]: all tests pass, and none
# is skipped. DIR/kunit has the results. kmemleak only finds leaks in a scan, and doubles
# the time. The log buffer holds the whole output, because the console is slower. By
# default KHO's scratch areas take eight times the memory that the kernel itself needs.
kunit_boot() {
	local dir=$1 tree=$2 image=$3 suites=$4 seconds=$5
	local line="liveupdate=on kho_scratch=64M,64M,64M kmemleak=off log_buf_len=16M kunit.enable=1 kunit.autorun=1 kunit_shutdown=reboot $6"
	shift 6

	rm -f -- "$dir/kunit"
	vm_boot "$dir" "$image" "" "" "$seconds" "$line kunit.filter_glob=$suites" "$@" || return
	python3 "$tree/tools/testing/kunit/kunit.py" parse "$dir/console" >"$dir/kunit" 2>&1 ||
		{ grep -A 3 -e FAILED -e ERROR -e ' Ran ' "$dir/kunit" || cat "$dir/kunit"; return 1; }
	grep -q 'Ran [1-9][0-9]* tests: passed: [0-9]*$' "$dir/kunit" && return
	echo "tests were skipped, or none was run:"
	tail -n 3 "$dir/kunit"
	return 1
}
