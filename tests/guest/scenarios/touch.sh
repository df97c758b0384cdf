# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# A live update between two marks in the trace of the host, with the contents of
# configuration space before and after. Functions look as if they were in use.
# With preserve=no it is a plain kexec, of kernels that know nothing.

# edu, nvme and e1000e.
functions() {
	functions_of 1234:11e8 1b36:0010 8086:10d3 | grep -v '^0000:00:'
}

# config_read ADDRESS OFFSET: one byte.
config_read() {
	hexdump -s "$2" -n 1 -v -e '1/1 "0x%02x"' "$PCI/devices/$1/config"
}

# capability ADDRESS ID: its offset, or nothing.
capability() {
	local offset

	offset=$(($(config_read "$1" 0x34)))
	while [ "$offset" -gt 0 ]; do
		if [ $(($(config_read "$1" "$offset"))) = $(($2)) ]; then
			echo "$offset"
			return
		fi
		offset=$(($(config_read "$1" $((offset + 1)))))
	done
}

# use ADDRESS: decoding, bus mastering, and MSI-X or MSI instead of INTx.
use() {
	local msix msi

	echo 1 >"$PCI/devices/$1/enable"
	config_write "$1" 4 06 04
	msix=$(capability "$1" 0x11)
	msi=$(capability "$1" 0x05)
	if [ "$msix" ]; then
		config_write "$1" $((msix + 2)) \
			"$(config_read "$1" $((msix + 2)) | cut -c 3-)" 80
	elif [ "$msi" ]; then
		config_write "$1" $((msi + 2)) 81 00
	fi
}

# A write that nobody else makes: the interrupt line of a bystander.
mark() {
	config_write 0000:00:1d.0 60 "$1"
}

say_config() {
	local dir

	for dir in "$PCI"/devices/*; do
		say "data config $1 ${dir##*/} $(hexdump -v -e '1/1 "%02x"' "$dir/config")"
	done
}

first() {
	local all

	all=$(functions)
	say "phase use"
	for address in $all; do
		use "$address"
	done
	if [ "$(parameter preserve yes)" = yes ]; then
		bind $all
		check "the functions are preserved" \
			pci-liveupdate preserve --background vm $all
	fi
	say data preserved $all
	load_next liveupdate=on $(parameter next "")
	say_config before
	mark 5a
	run_next
}

second() {
	if [ "$(parameter preserve yes)" = yes ]; then
		check_same "the same functions are preserved at the same addresses" \
			"$(records incoming function)" "$(functions)"
		bind $(functions)
		check "the session is finished" pci-liveupdate finish vm
	fi
	mark a5
	say_config after
}
