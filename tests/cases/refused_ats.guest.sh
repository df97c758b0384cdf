# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# A function with ATS enabled cannot be preserved: it caches translations of an IOMMU
# that is off after the kexec.

ATS=0x0f

first() {
	local address

	address=$(functions_of 1af4:1041)
	bind "$address"
	check "the IOMMU driver enabled ATS" ats_is_on "$address"
	check "preserving a function with ATS is not supported" \
		preserve_is_not_supported "$address"
	check "the kernel says why" dmesg_line "$address: liveupdate: .*ATS"
	check_same "nothing is in the record" "$(records outgoing)" ""
}

ats_is_on() {
	local offset

	offset=$(extended_capability "$1" $ATS)
	[ $(($(config_read "$1" $((offset + 6)) 2) & 0x8000)) != 0 ]
}

preserve_is_not_supported() {
	! luo-file preserve vm1 "/dev/pci-liveupdate/$1" 2>/tmp/err &&
		grep -i 'not supported' /tmp/err
}

dmesg_line() {
	dmesg | grep "$1"
}
