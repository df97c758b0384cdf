# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Virtual machines for the end-to-end tests. To be sourced after scripts/lib.sh.

QEMU=${QEMU:-qemu-system-x86_64}
MEMORY=${MEMORY:-1G}

# QEMU 7.2 is what this was written with; nothing of before 6.2 was tried.
QEMU_MIN=6.2

need_qemu() {
	local version

	need_tools qemu-system-x86:"$QEMU"
	version=$("$QEMU" --version | sed -n '1s/.*version \([0-9]*\.[0-9]*\).*/\1/p')
	[[ $(printf '%s\n' "$QEMU_MIN" "$version" | sort -V | head -n 1) == "$QEMU_MIN" ]] ||
		die "$QEMU is version $version, and $QEMU_MIN or newer is needed; set QEMU= to a newer one"
}

# Devices of the machine that is being described.
declare -a VM_DEVICES=()

# add_slot BUS SLOT COUNT [MODEL]: functions 0..COUNT-1 (at most 8) of one slot. The
# first is an edu, which has registers to keep and does DMA; the second is a MODEL;
# the others have one tiny BAR.
add_slot() {
	local bus=$1 slot=$2 count=$3 model=${4:-pvpanic-pci} function=0

	((count > 0)) || return 0
	VM_DEVICES+=(-device "edu,bus=$bus,addr=$slot.0,multifunction=on")
	for ((function = 1; function < count; function++)); do
		VM_DEVICES+=(-device "$model,bus=$bus,addr=$slot.$function")
		model=pvpanic-pci
	done
}

# add_port_slot BUS COUNT: functions below a port. Any reset clears the registers of
# an nvme controller, and none those of an edu. An nvme device needs PCIe.
add_port_slot() {
	add_slot "$1" 0 "$2" "nvme,serial=$1"
}

# add_root_port NAME SLOT
add_root_port() {
	VM_DEVICES+=(-device "pcie-root-port,id=$1,bus=pcie.0,addr=$2.0,chassis=$2,slot=$2")
}

# add_switch NAME PORT-ABOVE: with two downstream ports, NAME.1 and NAME.2.
add_switch() {
	VM_DEVICES+=(-device "x3130-upstream,id=$1,bus=$2")
	VM_DEVICES+=(-device "xio3130-downstream,id=$1.1,bus=$1,chassis=$((0x80)),slot=1")
	VM_DEVICES+=(-device "xio3130-downstream,id=$1.2,bus=$1,chassis=$((0x81)),slot=2")
}

# add_conventional NAME PORT-ABOVE CHASSIS: two conventional bridges in a row.
add_conventional() {
	VM_DEVICES+=(-device "pcie-pci-bridge,id=$1.pcie,bus=$2")
	VM_DEVICES+=(-device "pci-bridge,id=$1,bus=$1.pcie,addr=1.0,chassis_nr=$3,shpc=off")
}

# A slot of a pci-bridge has 8 functions, and slots 1 to 31 are free.
CONVENTIONAL_MAX=248

# take MAX: how many of the remaining functions go to one place.
take() {
	TAKEN=$((REMAINING < $1 ? REMAINING : $1))
	REMAINING=$((REMAINING - TAKEN))
}

# fill_conventional NAME COUNT
fill_conventional() {
	local name=$1 count=$2 slot

	for ((slot = 1; count > 0; slot++, count -= 8)); do
		add_slot "$name" "$(printf %x "$slot")" $((count < 8 ? count : 8))
	done
}

# vm_hierarchy COUNT: root ports, a switch and conventional bridges with COUNT
# functions below them, and some on the root bus that are not to be preserved.
vm_hierarchy() {
	local REMAINING=$1 TAKEN i

	# An edu reaches all memory that a guest has.
	VM_DEVICES=(-global edu.dma_mask=0xffffffff)
	add_root_port rp2 2
	take 8
	add_port_slot rp2 "$TAKEN"
	add_root_port rp3 3
	add_switch switch rp3
	take 8
	add_port_slot switch.1 "$TAKEN"
	take 8
	add_port_slot switch.2 "$TAKEN"
	for ((i = 1; REMAINING > 0; i++)); do
		add_root_port "rp$((3 + i))" "$((3 + i))"
		add_conventional "conventional$i" "rp$((3 + i))" "$i"
		take "$CONVENTIONAL_MAX"
		fill_conventional "conventional$i" "$TAKEN"
	done
	VM_DEVICES+=(-device "edu,bus=pcie.0,addr=1d.0")
	VM_DEVICES+=(-device "pvpanic-pci,bus=pcie.0,addr=1e.0")
}

# The four conventional bridges that root bus slots 4 to 7 leave room for.
# shellcheck disable=SC2034
VM_MAX_DEVICES=$((24 + 4 * CONVENTIONAL_MAX))

# time_lines DIR: put the host's clock in front of each line, and pass the command
# of a line "monitor COMMAND" to QEMU's monitor.
time_lines() {
	local line

	printf '%s start\n' "$EPOCHREALTIME"
	while IFS= read -r line; do
		line=${line%$'\r'}
		printf '%s %s\n' "$EPOCHREALTIME" "$line"
		[[ $line != "monitor "* ]] || printf '%s\n' "${line#monitor }" >"$1/monitor.in"
	done
}

# ask_monitor COMMAND: what QEMU's monitor says, without the echo of its line
# editor. Descriptors 3 and 4 are its ends.
ask_monitor() {
	local line

	printf '%s\n' "$1" >&3
	while IFS= read -r -t 1 -u 4 line; do
		[[ $line == *$'\e'* ]] || printf '%s\n' "${line%$'\r'}"
	done
}

# vm_watch DIR SECONDS: if the machine still runs after that time, write to DIR/stuck
# what its processors do: a kernel that is stuck says nothing itself.
vm_watch() {
	local dir=$1 end=$((SECONDS + $2)) processor registers

	exec 3<>"$dir/monitor.in" 4<>"$dir/monitor.out"
	while ((SECONDS < end)); do
		# A sleep that leaves no child behind. Drain the answers to the
		# guest's commands meanwhile.
		read -r -t 1 -u 4 || true
		kill -0 "$$" 2>/dev/null || return 0
	done
	for processor in 0 1; do
		ask_monitor "cpu $processor"
		registers=$(ask_monitor "info registers")
		printf '%s\n' "$registers"
		[[ ! $registers =~ RSP=([0-9a-f]+) ]] || ask_monitor "x/160gx 0x${BASH_REMATCH[1]}"
	done >"$dir/stuck"
}

# vm_explain DIR STATUS SECONDS KERNEL NEXT: say why a machine came to no good end.
vm_explain() {
	local dir=$1 status=$2 seconds=$3 kernel=$4 next=$5

	# 137 is what timeout says if it had to kill.
	if ((status != 124 && status != 137)); then
		echo "QEMU ended with $status:"
		cat "$dir/qemu"
		return
	fi
	echo "the machine did not end within $seconds s; its processors were in:"
	if [[ $next ]] && (($(grep -c '\] Linux version ' "$dir/console") > 1)); then
		kernel=$next
	fi
	"$ROOT/tests/stuck.py" "${kernel%/arch/*}/System.map" "$dir/stuck"
}

# vm_boot DIR KERNEL NEXT INITRD SECONDS COMMANDLINE [QEMU-OPTION...]: run a machine
# to its end. NEXT is the kernel that KERNEL hands over to; it and INITRD may be
# empty. DIR/console has what the kernels wrote, DIR/side what the guest said.
# A machine that does not end within SECONDS is ended, and DIR/stuck then has the
# registers and the stack of each processor.
vm_boot() {
	local dir=$1 kernel=$2 next=$3 initrd=$4 seconds=$5 line=$6 watch status=0
	shift 6

	mkdir -p "$dir"
	rm -f -- "$dir"/{console,side,stuck,monitor.in,monitor.out}
	mkfifo -- "$dir/monitor.in" "$dir/monitor.out"
	vm_watch "$dir" "$seconds" &
	watch=$!
	# TCG always: a /dev/kvm that is there may still not run a guest.
	timeout --kill-after=5 $((seconds + 10)) \
		"$QEMU" -machine q35 -accel tcg -cpu max \
		-smp 2 -m "$MEMORY" -display none -nodefaults \
		-chardev "pipe,id=monitor,path=${dir//,/,,}/monitor" \
		-mon chardev=monitor,mode=readline \
		-no-reboot -kernel "$kernel" ${initrd:+-initrd "$initrd"} \
		-append "console=ttyS0 panic=-1 retain_initrd $line" \
		-serial file:"$dir/console" -serial stdio \
		"${VM_DEVICES[@]}" "$@" 2>"$dir/qemu" </dev/null | time_lines "$dir" >"$dir/side" ||
		status=$?
	kill "$watch" 2>/dev/null || true
	wait "$watch" || true
	rm -f -- "$dir/monitor.in" "$dir/monitor.out"
	((status == 0)) || vm_explain "$dir" "$status" "$seconds" "$kernel" "$next" || true
	return "$status"
}
