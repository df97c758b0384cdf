# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# The selftests of VFIO with an edu, an nvme controller and a PF behind an IOMMU.

# The status of a program that skips all of its tests.
SKIPPED=4

# selftest NAME ARGUMENT...: "data tap" is its output, and "data selftest" has the number
# of tests that passed and were skipped.
selftest() {
	local name=$1 status
	shift

	say "data tap $name $*"
	"$name" "$@" >/tmp/tap 2>&1
	status=$?
	sed 's/^/data tap /' /tmp/tap >&3
	say "data selftest $name: $(grep -c '^ok [^#]*$' /tmp/tap) passed," \
		"$(grep -c '^ok .*# SKIP' /tmp/tap) skipped, status $status"
	check "$name $* passes or is skipped" [ $status = 0 -o $status = $SKIPPED ]
}

first() {
	local all address

	all=$(functions_below_bridges $EDU $NVME)
	bind_to vfio-pci $all $(pfs)
	for address in $all; do
		selftest vfio_iommufd_setup_test $address
		selftest vfio_pci_device_test $address
		selftest vfio_pci_driver_test $address
	done
	address=$(edus_below_bridges)
	selftest vfio_dma_mapping_test $address
	# Other variants need type 1 containers: an iommufd maps no MMIO.
	selftest vfio_dma_mapping_mmio_test -V vfio_type1_iommu -V vfio_type1v2_iommu $address
	selftest vfio_pci_device_init_perf_test $all
	selftest vfio_pci_sriov_uapi_test $(pfs)
}
