# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# PCI devices of a machine. Each function prints options of QEMU, one a line. To be
# sourced.
#
# QEMU's q35 has one segment, 0000. pci_liveupdate_hosts= on the kernel's command
# line adds other segments in the guest.

# vm_device DEVICE...: as -device takes them.
vm_device() {
	local device

	for device; do
		printf '%s\n' -device "$device"
	done
}

# vm_slot BUS SLOT COUNT [MODEL]: the first COUNT functions of a slot, at most 8. The
# first is an edu, which has registers to keep and does DMA; the second is a MODEL;
# the others have one tiny BAR.
vm_slot() {
	local bus=$1 slot=$2 count=$3 model=${4:-pvpanic-pci} function=0

	((count > 0)) || return 0
	vm_device "edu,bus=$bus,addr=$slot.0,multifunction=on"
	for ((function = 1; function < count && function < 8; function++)); do
		vm_device "$model,bus=$bus,addr=$slot.$function"
		model=pvpanic-pci
	done
}

# vm_port_slot PORT COUNT: functions below a PCIe port. The second is an nvme
# controller, which needs PCIe. A reset clears its registers, but not those of an edu.
vm_port_slot() {
	vm_slot "$1" 0 "$2" "nvme,serial=$1"
}

# vm_root_port NAME SLOT [OPTION]
vm_root_port() {
	vm_device "pcie-root-port,id=$1,bus=pcie.0,addr=$2.0,chassis=$2,slot=$2${3:+,$3}"
}

# vm_switch NAME PORT-ABOVE: with two downstream ports, NAME.1 and NAME.2.
vm_switch() {
	vm_device "x3130-upstream,id=$1,bus=$2" \
		"xio3130-downstream,id=$1.1,bus=$1,chassis=$((0x80)),slot=1" \
		"xio3130-downstream,id=$1.2,bus=$1,chassis=$((0x81)),slot=2"
}

# vm_conventional NAME PORT-ABOVE CHASSIS: two conventional bridges in a row.
vm_conventional() {
	vm_device "pcie-pci-bridge,id=$1.pcie,bus=$2" \
		"pci-bridge,id=$1,bus=$1.pcie,addr=1.0,chassis_nr=$3,shpc=off"
}

# A slot of a pci-bridge has 8 functions, and slots 1 to 31 are free.
VM_CONVENTIONAL_MAX=248

# The four conventional bridges that root bus slots 4 to 7 leave room for.
# shellcheck disable=SC2034
VM_MAX_DEVICES=$((24 + 4 * VM_CONVENTIONAL_MAX))

# vm_conventional_slots NAME COUNT: functions below a conventional bridge, at most
# VM_CONVENTIONAL_MAX.
vm_conventional_slots() {
	local name=$1 count=$2 slot

	for ((slot = 1; slot < 32; slot++, count -= 8)); do
		vm_slot "$name" "$(printf %x "$slot")" "$count"
	done
}

# vm_held_drive NAME: completes one read of a page, and holds a second one back until
# the command "block_set_io_throttle NAME 0 0 0 0 0 0" of QEMU's monitor, or until the
# controller is reset. So a kexec may take any time while the read is in flight.
vm_held_drive() {
	printf '%s\n' -drive \
		"if=none,id=$1,driver=null-co,size=1M,read-zeroes=on,throttling.bps-read=1"
}

# vm_nvme_sriov NAME BUS SLOT.FUNCTION VFS: an nvme controller that can have VFS VFs, at
# most 127. A VF needs two queues and an interrupt. Three of each are left for the PF.
vm_nvme_sriov() {
	local name=$1 bus=$2 addr=$3 vfs=$4

	vm_held_drive "$name.drive"
	vm_device "nvme-subsys,id=$name.subsys" \
		"nvme,id=$name,serial=$name,subsys=$name.subsys,bus=$bus,addr=$addr,multifunction=on,sriov_max_vfs=$vfs,sriov_vq_flexible=$((2 * vfs)),sriov_vi_flexible=$vfs,max_ioqpairs=$((2 * vfs + 2)),msix_qsize=$((vfs + 3))" \
		"nvme-ns,drive=$name.drive,bus=$name,nsid=1"
}

# vm_nvme_pf NUMBER VFS: the controller pfNUMBER below a root port of its own. The BIOS
# does not count the BARs of the VFs.
vm_nvme_pf() {
	vm_root_port "rp$1.pf" $((13 + $1)) mem-reserve=4M
	vm_nvme_sriov "pf$1" "rp$1.pf" 0.0 "$2"
}

# VFs of a PF, and of the four PFs that vm_nvme_pfs() adds.
VM_PF_MAX_VFS=127
# shellcheck disable=SC2034
VM_MAX_VFS=$((4 * VM_PF_MAX_VFS))

# vm_nvme_pfs VFS: PFs with VFS VFs in all, at most VM_MAX_VFS.
vm_nvme_pfs() {
	local vfs=$1 number

	for ((number = 1; vfs > 0; number++, vfs -= VM_PF_MAX_VFS)); do
		vm_nvme_pf "$number" $((vfs < VM_PF_MAX_VFS ? vfs : VM_PF_MAX_VFS))
	done
}

# vm_hierarchy COUNT: root ports, a switch and conventional bridges with COUNT
# functions below them, and two functions on the root bus that no test preserves
# for the next kernel.
vm_hierarchy() {
	local count=$1 i

	# An edu reaches all memory that a guest has.
	printf '%s\n' -global edu.dma_mask=0xffffffff
	vm_root_port rp2 2
	vm_port_slot rp2 "$count"
	vm_root_port rp3 3
	vm_switch switch rp3
	vm_port_slot switch.1 $((count - 8))
	vm_port_slot switch.2 $((count - 16))
	for ((i = 1, count -= 24; count > 0; i++, count -= VM_CONVENTIONAL_MAX)); do
		vm_root_port "rp$((3 + i))" $((3 + i))
		vm_conventional "conventional$i" "rp$((3 + i))" "$i"
		vm_conventional_slots "conventional$i" "$count"
	done
	vm_device "edu,bus=pcie.0,addr=1d.0" "pvpanic-pci,bus=pcie.0,addr=1e.0"
}
