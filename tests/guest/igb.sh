# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# VFs of an igb (Intel 82576), instead of the functions of guest.sh for nvme. To be
# sourced after it. Each preserved VF has a transmit queue, at an address in the memory
# that the parameter memmap reserves. A queue that works in the next kernel without a
# write to its registers shows that the VF was not reset: a reset of the VF disables the
# queue, and so does disabling VFs, which a reset of the PF does as well.

# Registers of the PF.
IGB_TCTL=0x400
IGB_VFLRE=0xc88
IGB_VFTE=0xc90
IGB_MRQC=0x5818

# Registers of a VF.
IGB_TDBAL=0x3800
IGB_TDLEN=0x3808
IGB_TDH=0x3810
IGB_TDT=0x3818
IGB_TXDCTL=0x3828

# A queue of 8 descriptors of 16 bytes is the shortest one.
IGB_DESCRIPTORS=8
IGB_QUEUE_ENABLE=$((1 << 25))

# An advanced descriptor: a packet of 64 bytes, with the report of its status.
IGB_COMMAND=$((0x2b300000 | 64))
IGB_PAYLOAD=$((64 << 14))

# vfs_online PF COUNT: let the queues of its VFs transmit. Each VF has one queue.
vfs_online() {
	register_write "$1" $IGB_MRQC 3
	register_write "$1" $IGB_VFTE $(((1 << $2) - 1))
	register_write "$1" $IGB_TCTL 2
	# Enabling VFs resets them. Ones clear bits.
	register_write "$1" $IGB_VFLRE 0xff
}

# igb_queue VF: the address of its queue.
igb_queue() {
	local memory

	memory=$(parameter memmap "")
	echo $((${memory#*$} + ($(address_number "$1") & 0xfff) * 0x80))
}

igb_start() {
	register_write "$1" $IGB_TDBAL "$(igb_queue "$1")"
	register_write "$1" $IGB_TDLEN $((16 * IGB_DESCRIPTORS))
	register_write "$1" $IGB_TXDCTL $IGB_QUEUE_ENABLE
}

# igb_transmits VF: it reads a descriptor and the packet, which is the queue itself, and
# writes the status to the descriptor.
igb_transmits() {
	local tail descriptor tries=0

	tail=$(register_read "$1" $IGB_TDT)
	descriptor=$(($(igb_queue "$1") + 16 * tail))
	devmem $descriptor 64 "$(igb_queue "$1")"
	devmem $((descriptor + 8)) 32 $IGB_COMMAND
	devmem $((descriptor + 12)) 32 $IGB_PAYLOAD
	register_write "$1" $IGB_TDT $(((tail + 1) % IGB_DESCRIPTORS))
	until [ $(($(devmem $((descriptor + 12)) 32) & 1)) = 1 ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 20 ] || return
		usleep 10000
	done
}

# check_reset_is_seen: the checks would see the reset of a VF, as they see that of the
# second VF here.
check_reset_is_seen() {
	local vf

	vf=$(vfs_of $(pfs) | sed -n 2p)
	enable_dma $vf
	igb_start $vf
	check "VF $vf transmits before a reset" igb_transmits $vf
	check "VF $vf is reset" reset $vf
	enable_dma $vf
	check "VF $vf does not transmit after a reset" not igb_transmits $vf
	check_same "the PF knows of the reset" "$(register_read $(pfs) $IGB_VFLRE)" 2
}

# start_kept_vfs: start the queues of the VFs to preserve.
start_kept_vfs() {
	local vf

	enable_dma $(kept_vfs)
	for vf in $(kept_vfs); do
		igb_start $vf
		check "VF $vf transmits" igb_transmits $vf
	done
	check_reset_is_seen
	say_vf_registers first
}

# say_vf_registers KERNEL: of preserved VFs and of the PF, which has a bit for each VF
# that was reset.
say_vf_registers() {
	local vf reg

	for vf in $(kept_vfs); do
		for reg in $IGB_TDBAL $IGB_TDLEN $IGB_TDH $IGB_TDT $IGB_TXDCTL; do
			say "data registers $1 $vf $reg $(register_read $vf $reg)"
		done
	done
	for reg in $IGB_TCTL $IGB_VFLRE $IGB_VFTE $IGB_MRQC; do
		say "data registers $1 PF $reg $(register_read $(pfs) $reg)"
	done
}

check_vf_io() {
	local vf

	for vf in $(kept_vfs); do
		check "VF $vf transmits in this kernel" igb_transmits $vf
	done
}

# check_vf_again TEXT
check_vf_again() {
	check "$1 $(io_vf) transmits" igb_transmits "$(io_vf)"
}
