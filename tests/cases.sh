# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# One function for each kind of test that boots a machine. Each prints what went
# wrong, and returns non-zero then. To be sourced after tests/vm.sh, which reads
# VM_DEVICES and MEMORY.
# shellcheck disable=SC2034

# A machine that takes longer than this hangs. A debug kernel is slow, and TCG is
# slow on a busy host.
VM_SECONDS=${VM_SECONDS:-180}

# What the functions of the test hosts are shared out among.
VM_SEGMENTS=${VM_SEGMENTS:-16}

# Files that a scenario needs and the others do not: SOURCE:DESTINATION[:MODE].
declare -a GUEST_FILES=()

# suit_debug KERNEL...: KASAN takes an eighth of the memory at boot. The next
# kernel has to find that much in the scratch areas of KHO, whose default size
# takes for granted that there is twice that much.
#
# And without no5lvl an interrupt at the wrong moment gives a false report:
# identify_cpu() clears the features of the boot processor for a while, and KASAN
# looks among them for how many levels page tables have.
suit_debug() {
	[[ $* == *debug* ]] || return 0
	MEMORY=2G
	DEBUG_LINE='kho_scratch=64M,640M,64M no5lvl'
}

# boot_kernels DIR FROM TO DEVICES COMMANDLINE [QEMU-OPTION...]: FROM and TO are
# VERSION-CONFIG, such as 7.3-base.
boot_kernels() {
	local dir=$1 from=$2 to=$3 devices=$4 line=$5 kernel next initrd
	local MEMORY=$MEMORY DEBUG_LINE=''
	shift 5

	kernel=$("$ROOT/scripts/build-kernel.sh" "${from%-*}" "${from#*-}")
	next=$("$ROOT/scripts/build-kernel.sh" "${to%-*}" "${to#*-}")
	initrd=$("$ROOT/tests/build-guest.sh" "$next" "${GUEST_FILES[@]}")
	vm_hierarchy "$devices"
	suit_debug "$from" "$to"
	vm_boot "$dir" "$kernel" "$next" "$initrd" "$VM_SECONDS" \
		"liveupdate=on $DEBUG_LINE $line" "$@"
}

console_is_clean() {
	"$ROOT/tests/scan-console.sh" "$1"
}

# guest_is_content DIR KERNEL: all checks are good, and KERNEL came to its end.
guest_is_content() {
	local bad

	if ! grep -q '^[^ ]* ok ' "$1/side"; then
		echo "the guest checked nothing"
		return 1
	fi
	bad=$(grep '^[^ ]* \(not ok\|data failed\) ' "$1/side") || true
	if [[ $bad ]]; then
		printf '%s\n' "$bad"
		return 1
	fi
	if ! grep -q "^[^ ]* end $2\$" "$1/side"; then
		echo "the $2 kernel did not come to its end; its last words:"
		tail -n 5 "$1/console"
		return 1
	fi
}

# live_update DIR FROM TO DEVICES SCENARIO [WORD...]: two kernels, both content.
live_update() {
	local dir=$1 from=$2 to=$3 devices=$4 scenario=$5
	shift 5

	boot_kernels "$dir" "$from" "$to" "$devices" \
		"scenario=$scenario functions=$devices $*" || return
	guest_is_content "$dir" second || return
	console_is_clean "$dir/console"
}

# console_is_quiet CONSOLE: no line for each device of the test hosts, and none of
# ours more than once in each kernel.
console_is_quiet() {
	local noise

	noise=$(grep -aE '[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]' "$1" |
		grep -av '0000:[0-9a-f][0-9a-f]:' | head -n 5) || true
	noise+=$(grep -aoE 'PCI: liveupdate: .*' "$1" | sed 's/[0-9][0-9]*/N/g' |
		sort | uniq -c | awk '$1 > 2')
	[[ -z $noise ]] || { echo "the console is not quiet:"; echo "$noise"; return 1; }
}

# Options of QEMU that change what the time in the guests is.
declare -a VM_CLOCK=()

# scale DIR FROM TO FUNCTIONS FILES [THREADS]: functions of the test hosts, all in
# one file, or with a file each.
scale() {
	local dir=$1 functions=$4

	boot_kernels "$dir" "$2" "$3" 8 \
		"scenario=scale pci_liveupdate_hosts=$VM_SEGMENTS,$functions functions=$functions files=$5 threads=${6:-1}" \
		"${VM_CLOCK[@]}" || return
	guest_is_content "$dir" second || return
	console_is_clean "$dir/console" || return
	console_is_quiet "$dir/console"
}

# guard_cost DIR: instructions that the guard adds to a write to other devices.
guard_cost() {
	local without with

	without=$("$ROOT/scripts/build-kernel.sh" 7.3 off)
	with=$("$ROOT/scripts/build-kernel.sh" 7.3 base)
	need_tools binutils:objdump python3:python3
	python3 "$ROOT/tests/guard_cost.py" "${without%/arch/*}/drivers/pci/access.o" \
		"${with%/arch/*}/drivers/pci/access.o"
}

# dma DIR PRESERVE: a function that does DMA while the kernel is replaced.
dma() {
	boot_kernels "$1" 7.2-base 7.3-base 32 "scenario=dma preserve=$2" || return
	guest_is_content "$1" second || return
	console_is_clean "$1/console"
}

# iommu_groups DIR: two functions below root ports that the IOMMU tells apart.
iommu_groups() {
	boot_kernels "$1" 7.3-base 7.3-base 1 "scenario=groups intel_iommu=on iommu=pt" \
		-device intel-iommu \
		-device pcie-root-port,id=rp10,bus=pcie.0,addr=10.0,chassis=16,slot=16 \
		-device edu,bus=rp10 || return
	guest_is_content "$1" second || return
	console_is_clean "$1/console"
}

# resets DIR: one nvme controller alone below its port, and one with a sibling.
resets() {
	boot_kernels "$1" 7.3-base 7.3-base 1 "scenario=resets" \
		-device pcie-root-port,id=rp10,bus=pcie.0,addr=10.0,chassis=16,slot=16 \
		-device nvme,serial=1,bus=rp10 \
		-device pcie-root-port,id=rp11,bus=pcie.0,addr=11.0,chassis=17,slot=17 \
		-device pvpanic-pci,bus=rp11,addr=0.0,multifunction=on \
		-device nvme,serial=2,bus=rp11,addr=0.1 || return
	guest_is_content "$1" second || return
	console_is_clean "$1/console"
}

# aer DIR: an nvme controller whose sibling reports errors.
aer() {
	boot_kernels "$1" 7.3-base 7.3-base 1 "scenario=aer" \
		-device pcie-root-port,id=rp10,bus=pcie.0,addr=10.0,chassis=16,slot=16 \
		-device virtio-net-pci,id=faulty,aer=on,disable-legacy=on,romfile=,bus=rp10,addr=0.0,multifunction=on \
		-device nvme,serial=1,bus=rp10,addr=0.1 || return
	guest_is_content "$1" second || return
	console_is_clean "$1/console"
}

# acs DIR: a switch whose downstream port has ACS: QEMU's downstream ports have none,
# so this is a root port.
acs() {
	boot_kernels "$1" 7.3-base 7.3-base 1 "scenario=acs intel_iommu=on iommu=pt" \
		-device intel-iommu \
		-device pcie-root-port,id=rp10,bus=pcie.0,addr=10.0,chassis=16,slot=16 \
		-device x3130-upstream,id=switch10,bus=rp10 \
		-device pcie-root-port,id=port10,bus=switch10,addr=1.0,chassis=18,slot=18 \
		-device edu,bus=port10 || return
	guest_is_content "$1" second || return
	console_is_clean "$1/console"
}

# kexec_load DIR: the first kernel also has to say why it clears bus mastering.
kexec_load() {
	live_update "$1" 7.3-base 7.3-base 8 kexec_load || return
	if ! grep -a 'liveupdate: .*takes no record' "$1/console"; then
		echo "the console does not say that the next image takes no record"
		return 1
	fi
}

# refused_ats DIR: a function with ATS behind an IOMMU that supports it.
refused_ats() {
	boot_kernels "$1" 7.3-base 7.3-base 1 "scenario=refused_ats intel_iommu=on" \
		-device intel-iommu,device-iotlb=on \
		-device pcie-root-port,id=rp10,bus=pcie.0,addr=10.0,chassis=16,slot=16 \
		-device virtio-net-pci,ats=on,disable-legacy=on,iommu_platform=on,romfile=,bus=rp10 ||
		return
	guest_is_content "$1" first || return
	console_is_clean "$1/console"
}

# refused DIR KERNEL: what only takes one kernel, and an nvme device with VFs.
refused() {
	boot_kernels "$1" "$2" "$2" 8 "scenario=refused" \
		-device pcie-root-port,id=rp10,bus=pcie.0,addr=10.0,chassis=16,slot=16 \
		-device nvme-subsys,id=subsys \
		-device nvme,serial=1,subsys=subsys,sriov_max_vfs=2,sriov_vq_flexible=4,sriov_vi_flexible=2,max_ioqpairs=6,msix_qsize=5,bus=rp10 ||
		return
	guest_is_content "$1" first || return
	console_is_clean "$1/console"
}

# damaged DIR FROM TO DAMAGE TEXT [WORD...]: the second kernel gives up, and says
# TEXT.
damaged() {
	local dir=$1 from=$2 to=$3 damage=$4 text=$5
	local panic='Kernel panic - not syncing: PCI: liveupdate: cannot use the record of preserved devices: '
	shift 5

	boot_kernels "$dir" "$from" "$to" 8 \
		"scenario=damage damage=$damage $*" || return
	guest_is_content "$dir" first || return
	if ! grep -q "$panic$text" "$dir/console"; then
		echo "the console does not say '$text', but:"
		grep -a 'liveupdate\|panic' "$dir/console"
		return 1
	fi
	sed "/$panic/,\$d" "$dir/console" >"$dir/before-panic"
	console_is_clean "$dir/before-panic"
}

# damaged_entry DIR FROM TO DAMAGE TEXT [WORD...]: the second kernel says TEXT and goes on. A
# leaf is damaged for one of several buses.
damaged_entry() {
	local dir=$1 from=$2 to=$3 damage=$4 text=$5
	shift 5

	live_update "$dir" "$from" "$to" 24 damage "damage=$damage" "$@" || return
	if ! grep -a "liveupdate: .*$text" "$dir/console"; then
		echo "the console does not say '$text', but:"
		grep -a liveupdate "$dir/console"
		return 1
	fi
}

# kunit DIR KERNEL [SUITES]: the suites of KUnit, or those that match, all passed
# and none skipped. kmemleak finds nothing unless it is asked to scan, and doubles
# the time. A debug kernel leaves the exhaustive tests of the index to its harness,
# which has sanitizers. The log has room for all that is said before the console
# has printed it.
kunit() {
	local dir=$1 version=${2%-*} suites=${3:-pci_liveupdate*} tree kernel
	local MEMORY=$MEMORY DEBUG_LINE='' filter=''

	tree=$("$ROOT/scripts/make-tree.sh" "$version")
	kernel=$("$ROOT/scripts/build-kernel.sh" "$version" "${2#*-}")
	VM_DEVICES=()
	suit_debug "$2"
	[[ $2 != *debug* ]] || filter='kunit.filter=speed>very_slow'
	vm_boot "$dir" "$kernel" "" "" "$VM_SECONDS" \
		"liveupdate=on $DEBUG_LINE kmemleak=off log_buf_len=16M kunit.enable=1 kunit.autorun=1 kunit.filter_glob=$suites $filter kunit_shutdown=reboot" || return
	python3 "$tree/tools/testing/kunit/kunit.py" parse "$dir/console" >"$dir/kunit" 2>&1 ||
		{ grep -v '^\[.*\] =* PASSED' "$dir/kunit"; return 1; }
	if ! grep -q 'Ran [1-9][0-9]* tests: passed: [0-9]*$' "$dir/kunit"; then
		echo "tests were skipped, or none was run:"
		tail -n 3 "$dir/kunit"
		return 1
	fi
	console_is_clean "$dir/console"
}
