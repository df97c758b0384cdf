# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Boot the kernels of a test, and judge their output. Each function that takes a DIR
# prints the reason and returns non-zero if the test failed. To be sourced after
# tests/vm/vm.sh and tests/vm/devices.sh.

# The time that a machine has. TCG is slow on a busy host.
BOOT_SECONDS=180
# A debug kernel takes so many times longer.
DEBUG_FACTOR=4

# 1 runs tests of the base kernels with the one that looks for bugs.
DEBUG=${DEBUG:-}

# KASAN takes an eighth of the memory at boot. The next kernel has to find that much
# in the scratch areas of KHO, whose default size takes for granted that there is
# twice that much. Later kernels call the areas bootmem.
#
# And without no5lvl an interrupt at the wrong moment gives a false report:
# identify_cpu() clears the features of the boot processor for a while, and KASAN
# looks among them for the number of levels of page tables.
DEBUG_MEMORY=2G
DEBUG_LINE='kho_scratch=64M,640M,64M kho_bootmem=64M,640M,64M no5lvl'

# once COMMAND [ARGUMENT...]: print the path that COMMAND prints. To see that a kernel or
# an initrd is up to date takes seconds, so a suite of tests asks for each once.
once() {
	local answer part

	if [[ ! ${SUITE_ANSWERS:-} ]]; then
		"$@"
		return
	fi
	answer=$SUITE_ANSWERS/$(printf '%s\0' "$ARCH" "$@" | sha256sum | cut -c 1-12)
	# The process of a command would expand it to an ID of its own.
	part=$answer.$BASHPID
	if [[ ! -f $answer ]]; then
		"$@" >"$part" || return
		mv -- "$part" "$answer"
	fi
	cat -- "$answer"
}

# build_kernel VERSION-CONFIG: print the path of the image, such as of 7.3-base.
build_kernel() {
	local name=$1

	[[ $DEBUG != 1 || $name != *-base ]] || name=7.3-debug
	once "$ROOT/scripts/build-kernel.sh" "${name%%-*}" "${name#*-}"
}

# is_slow IMAGE: of a kernel that looks for bugs.
is_slow() {
	local build=${1%/arch/*}

	[[ ${build##*/} == *-debug* || ${build##*/} == *-kcsan* ]]
}

# module_files IMAGE...: options of boot_kernels() for the modules of the kernels.
module_files() {
	local build release

	printf '%s\n' "${@%/arch/*}" | sort -u | while read -r build; do
		release=$(<"$build/include/config/kernel.release")
		find "$build" -name '*.ko' -printf "--file=%p:/lib/modules/$release/%f:644\n"
	done
}

# build_guest NEXT-KERNEL [FILE...]: print the path of the initrd.
build_guest() {
	once "$ROOT/tests/vm/build-guest.sh" "$@"
}

# boot_kernels DIR FROM TO FUNCTIONS SCENARIO [OPTION...] [WORD...]: run a scenario of
# the guest. FROM and TO are VERSION-CONFIG, such as 7.3-base. FUNCTIONS is the number
# of functions below bridges. WORDs go to the kernel's command line. The options:
#   --seconds=N       end the machine after this time
#   --silent=N        end the machine when the guest has said nothing for this time
#   --no-next         don't put the next kernel into the initrd
#   --file=SPEC       a file that other scenarios don't need, as build-initrd.sh takes it
#   --nvme-driver     let the nvme driver of a debug kernel bind to controllers
#   --trace=EVENT     have QEMU write each EVENT to DIR/trace, such as pci_cfg_write
#   --qemu=FUNCTION   call this function, which prints more options of QEMU, one a line
boot_kernels() {
	local dir=$1 from=$2 to=$3 functions=$4 line="liveupdate=on scenario=$5 functions=$4"
	local kernel next packed initrd option nvme_driver='' seconds=$BOOT_SECONDS silent=''
	local -a files=() modules qemu
	shift 5

	kernel=$(build_kernel "$from") || return
	next=$(build_kernel "$to") || return
	mapfile -t qemu < <(vm_hierarchy "$functions")
	mapfile -t modules < <(module_files "$kernel" "$next")
	for option in "$@" "${modules[@]}"; do
		case $option in
		--nvme-driver) nvme_driver=1 ;;
		--no-next) packed='' ;;
		--trace=*) qemu+=(-D "$dir/trace" -trace "${option#*=}") ;;
		--seconds=*) seconds=${option#*=} ;;
		--silent=*) silent=${option#*=} ;;
		--file=*) files+=("${option#*=}") ;;
		--qemu=*) mapfile -t -O "${#qemu[@]}" qemu < <("${option#*=}") ;;
		*) line+=" $option" ;;
		esac
	done

	if is_slow "$kernel" || is_slow "$next"; then
		seconds=$((DEBUG_FACTOR * seconds))
		[[ ! $silent ]] || silent=$((DEBUG_FACTOR * silent))
		qemu+=(-m "$DEBUG_MEMORY")
		line+=" $DEBUG_LINE"
	fi

	# Most scenarios take nvme controllers for themselves.
	[[ $nvme_driver ]] || line+=' initcall_blacklist=nvme_init'

	initrd=$(build_guest "${packed-$next}" "${files[@]}") || return
	VM_SILENT=$silent vm_boot "$dir" "$kernel" "$next" "$initrd" "$seconds" "$line" "${qemu[@]}"
}

# console_is_clean CONSOLE: there is no report of a kernel bug.
console_is_clean() {
	"$ROOT/tests/vm/scan-console.sh" "$1"
}

# console_has CONSOLE REGEX
console_has() {
	grep -aq -- "$2" "$1" && return
	echo "the console does not say '$2', but:"
	grep -a 'liveupdate\|panic' "$1"
	return 1
}

# guest_passed DIR KERNEL: all checks of the guest passed, and KERNEL, first or
# second, came to its end.
guest_passed() {
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

# is_kept DIR WHAT: the guest says "data WHAT" with the same words in both kernels, and
# says some.
is_kept() {
	local first second

	first=$(sed -n "s/^[^ ]* data $2 first //p" "$1/side")
	second=$(sed -n "s/^[^ ]* data $2 second //p" "$1/side")
	[[ $first && $first == "$second" ]] && return
	echo "the $2 were before and after the kexec:"
	diff <(printf '%s\n' "$first") <(printf '%s\n' "$second")
	return 1
}

# live_update DIR FROM TO FUNCTIONS SCENARIO [OPTION...] [WORD...]: as boot_kernels().
# The checks of both kernels pass.
live_update() {
	boot_kernels "$@" || return
	guest_passed "$1" second || return
	console_is_clean "$1/console"
}

# first_kernel DIR FROM TO FUNCTIONS SCENARIO [OPTION...] [WORD...]: the same, for a
# scenario that runs no second kernel.
first_kernel() {
	boot_kernels "$@" || return
	guest_passed "$1" first || return
	console_is_clean "$1/console"
}
