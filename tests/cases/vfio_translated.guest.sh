# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# A function is preserved without an IOMMU, and one translates its DMA in the next kernel.
# Its file cannot be retrieved there, and the function is stopped when the session is
# finished.

first() {
	local edu

	edu=$(edus_below_bridges)
	bind_to vfio-pci "$edu"
	check_same "the mode" "$(cat "$PCI/devices/$edu/vfio_liveupdate")" running
	load_next liveupdate=on intel_iommu=on
	run_next_with vfio-user start "$edu"
}

# retrieve_fails ADDRESS: because it is not supported.
retrieve_fails() {
	! vfio-user go-on "$1" 2>/tmp/err && grep 'retrieve the file: .* not supported' /tmp/err
}

second() {
	local edu

	edu=$(edus_below_bridges)
	bind_to vfio-pci "$edu"
	check_same "the mode is that of this kernel" \
		"$(cat "$PCI/devices/$edu/vfio_liveupdate")" off
	check "retrieving the file is not supported" retrieve_fails "$edu"
	check "the kernel says why" \
		log_has "$edu: liveupdate: was preserved without an IOMMU, but one translates its DMA in this kernel"
	check_same "the function stays preserved" "$(records incoming '^function$')" "$edu"
	check "it can do DMA" can_do_dma "$edu"
	check "the session can be finished" luo-file abandon vfio-user
	check "its DMA is stopped" not can_do_dma "$edu"
	check_same "nothing stays in the record" "$(records incoming)" ""
	check_same "the device can be opened" "$(vfio-user try "$edu")" "$edu ok"
}
