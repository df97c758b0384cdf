# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Run a virtual machine to its end. To be sourced after scripts/lib.sh.

# The emulator of each architecture, and the package that has it.
declare -A VM_QEMU=([x86_64]=qemu-system-x86_64 [arm64]=qemu-system-aarch64)
declare -A VM_PACKAGE=([x86_64]=qemu-system-x86 [arm64]=qemu-system-arm)

[[ ${VM_QEMU[$ARCH]+set} ]] || die "ARCH=$ARCH is not one of: x86_64, arm64"
QEMU=${QEMU:-${VM_QEMU[$ARCH]}}

# These tests were written with QEMU 7.2. Versions before 6.2 were not tried.
QEMU_MIN=6.2

need_qemu() {
	local version

	need_tools "${VM_PACKAGE[$ARCH]}:$QEMU"
	version=$("$QEMU" --version | sed -n '1s/.*version \([0-9]*\.[0-9]*\).*/\1/p')
	[[ $(printf '%s\n' "$QEMU_MIN" "$version" | sort -V | head -n 1) == "$QEMU_MIN" ]] ||
		die "$QEMU is version $version, and $QEMU_MIN or newer is needed; set QEMU= to a newer one"
}

# KUnit takes 500 s on an emulated Arm machine of a busy host.
VM_ARM64_FACTOR=2

# vm_machine CONSOLE SIDE: the options of QEMU, one a line, for a machine whose kernel's
# console is the serial port CONSOLE, and whose second port is the character device
# SIDE. TCG always: a /dev/kvm that is there may still not run a guest.
vm_machine() {
	printf '%s\n' -accel tcg -smp 2 -m 1G -nodefaults -no-reboot -serial "$1" \
		-chardev "$2,id=side"
	case $ARCH in
	x86_64) printf '%s\n' -machine q35 -cpu max -serial chardev:side ;;
	# The machine has one UART. With "max" QEMU would spend its time on pointer
	# authentication. With pages of 64 KiB each of KHO's three scratch areas takes
	# 512 MiB, see SCRATCH_ALIGNMENT_BYTES. Memory begins at 1 GiB, and an edu reaches
	# the first 4 GiB of addresses.
	arm64)
		printf '%s\n' -machine virt,gic-version=3 -cpu cortex-a57 -m 3G \
			-device pci-serial,chardev=side,bus=pcie.0,addr=1f.0
		;;
	esac
}

# vm_line: words that each kernel's command line has. A kernel that goes on after an oops
# may hang with a lock held, and would end with the time of the machine.
vm_line() {
	local -a words=(panic=-1 oops=panic retain_initrd)

	case $ARCH in
	# A busy host delays the ticks that the timer check of a booting kernel waits for.
	# TSCs of a TCG guest agree. If the watchdog of the clock source checks them
	# during the boot, it may wait for ever, with interrupts off:
	# __watchdog_check_cpu_skew() takes the time from jiffies, and the other processor
	# is in stop_machine().
	x86_64) words+=(console=ttyS0 side=ttyS1 no_timer_check tsc=reliable) ;;
	# A port in D3 reports a device that is plugged in by a PME, which QEMU does not
	# send. On x86 the kernel keeps ports with pciehp in D0.
	arm64) words+=(console=ttyAMA0 side=ttyS0 pcie_port_pm=off) ;;
	esac
	# A busy host stops processors for longer than RCU allows while QEMU makes a
	# hundred VFs. A guest that really hangs ends with its time, see vm_explain().
	words+=(rcupdate.rcu_cpu_stall_timeout=100)
	printf '%s' "${words[*]}"
}

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

# ask_monitor COMMAND: print the answer of QEMU's monitor, without the echo of its
# line editor. Descriptors 3 and 4 are its ends.
ask_monitor() {
	local line

	printf '%s\n' "$1" >&3
	while IFS= read -r -t 1 -u 4 line; do
		[[ $line == *$'\e'* ]] || printf '%s\n' "${line%$'\r'}"
	done
}

# is_silent DIR: the guest said nothing for VM_SILENT seconds, if that is set.
is_silent() {
	[[ ${VM_SILENT:-} && -s $1/side ]] &&
		((EPOCHSECONDS - $(stat -c %Y "$1/side") > VM_SILENT))
}

# vm_watch DIR SECONDS: write registers and stacks of the processors to DIR/stuck if
# the machine still runs after that time or is silent, and end it. A kernel that hangs
# prints nothing itself. DIR/answers has the answers to the commands of the guest.
vm_watch() {
	local dir=$1 end=$((SECONDS + $2)) processor registers line

	exec 3<>"$dir/monitor.in" 4<>"$dir/monitor.out"
	while ((SECONDS < end)) && ! is_silent "$dir"; do
		# A sleep that leaves no child behind.
		! read -r -t 1 -u 4 line || [[ $line == *$'\e'* ]] ||
			printf '%s\n' "${line%$'\r'}" >>"$dir/answers"
		kill -0 "$$" 2>/dev/null || return 0
	done
	for processor in 0 1; do
		ask_monitor "cpu $processor"
		registers=$(ask_monitor "info registers")
		printf '%s\n' "$registers"
		[[ ! $registers =~ SP=([0-9a-f]+) ]] || ask_monitor "x/160gx 0x${BASH_REMATCH[1]}"
	done >"$dir/stuck"
	printf 'quit\n' >&3
}

# vm_explain DIR STATUS SECONDS KERNEL NEXT: say why a machine failed.
vm_explain() {
	local dir=$1 status=$2 seconds=$3 kernel=$4 next=$5

	if [[ ! -e $dir/stuck ]]; then
		echo "QEMU ended with $status:"
		cat "$dir/qemu"
		return
	fi
	echo "the machine did not end within $seconds s${VM_SILENT:+, or was silent for $VM_SILENT s}; its processors were in:"
	# The kernels take turns.
	if [[ $next ]] && (($(grep -ac '\] Linux version ' "$dir/console") % 2 == 0)); then
		kernel=$next
	fi
	"$ROOT/tests/vm/stuck.py" "${kernel%/arch/*}/System.map" "$dir/stuck"
}

# The status of a process that SIGSEGV ended.
VM_CRASHED=139

# vm_boot DIR KERNEL NEXT INITRD SECONDS COMMANDLINE [QEMU-OPTION...]: run a machine
# to its end. NEXT is the kernel that KERNEL hands over to; it and INITRD may be
# empty. DIR/console has the console of both kernels, DIR/side the lines that the
# guest wrote to the second serial port. After SECONDS, or VM_ARM64_FACTOR times SECONDS
# on arm64, the machine is ended, and DIR/stuck has the registers and the stack of each
# processor. A QEMU-OPTION overrides the ones here, such as -m.
vm_boot() {
	local dir=$1 kernel=$2 next=$3 seconds=$5 status=0

	[[ $ARCH != arm64 ]] || seconds=$((VM_ARM64_FACTOR * seconds))
	mkdir -p "$dir"
	vm_run "$dir" "$kernel" "$4" "$seconds" "${@:6}" || status=$?
	# Nothing that a guest does may crash QEMU, so a crash says nothing about the kernels.
	# QEMU 7.2 has jumped into its heap while a card was pulled during a kexec.
	if ((status == VM_CRASHED)); then
		mv -- "$dir/console" "$dir/console.crashed"
		echo "NOTE QEMU crashed with SIGSEGV, and the machine was run once more; see $dir/console.crashed"
		status=0
		vm_run "$dir" "$kernel" "$4" "$seconds" "${@:6}" || status=$?
	fi
	((status == 0)) || vm_explain "$dir" "$status" "$seconds" "$kernel" "$next" || true
	return "$status"
}

# vm_run DIR KERNEL INITRD SECONDS COMMANDLINE [QEMU-OPTION...]: the same, once.
vm_run() {
	local dir=$1 kernel=$2 initrd=$3 seconds=$4 line=$5 watch status=0
	local -a options
	shift 5

	rm -f -- "$dir"/{console,side,stuck,answers,monitor.in,monitor.out}
	mkfifo -- "$dir/monitor.in" "$dir/monitor.out"
	vm_watch "$dir" "$seconds" &
	watch=$!
	mapfile -t options < <(vm_machine "file:$dir/console" stdio)
	timeout --kill-after=5 $((seconds + 10)) \
		"$QEMU" "${options[@]}" -display none \
		-chardev "pipe,id=monitor,path=${dir//,/,,}/monitor" \
		-mon chardev=monitor,mode=readline \
		-kernel "$kernel" ${initrd:+-initrd "$initrd"} -append "$(vm_line) $line" \
		"$@" 2>"$dir/qemu" </dev/null | time_lines "$dir" >"$dir/side" ||
		status=$?
	kill "$watch" 2>/dev/null || true
	wait "$watch" || true
	rm -f -- "$dir/monitor.in" "$dir/monitor.out"
	# timeout exits with 124, and with 137 if it had to kill.
	[[ ! -e $dir/stuck ]] || status=124
	return "$status"
}
