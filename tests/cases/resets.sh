# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Resets of incoming functions, and DMA that a reset would stop.

resets_tests() {
	run update-resets live_update 7.3-base 7.3-base 1 resets --qemu=resets_devices
	run_similar update-aer live_update 7.3-base 7.3-base 1 aer --qemu=aer_devices
	run update-dma live_update 7.2-base 7.3-base 32 dma preserve=yes
	run_similar update-dma-not-preserved live_update 7.2-base 7.3-base 32 dma preserve=no
}

# An nvme controller alone below its port, and one with a sibling.
resets_devices() {
	vm_root_port rp10 10
	vm_device nvme,serial=1,bus=rp10
	vm_root_port rp11 11
	vm_device pvpanic-pci,bus=rp11,addr=0.0,multifunction=on nvme,serial=2,bus=rp11,addr=0.1
}

# An nvme controller whose sibling reports errors.
aer_devices() {
	vm_root_port rp10 10
	vm_device virtio-net-pci,id=faulty,aer=on,disable-legacy=on,romfile=,bus=rp10,addr=0.0,multifunction=on \
		nvme,serial=1,bus=rp10,addr=0.1
}
