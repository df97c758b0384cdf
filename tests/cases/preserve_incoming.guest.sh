# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# An incoming function cannot be preserved for the next kernel before it is finished.

first() {
	bind $(below_bridges)
	check "all functions are preserved" preserve vm1 $(below_bridges)
	load_next
	run_next
}

second() {
	local address holder

	address=$(below_bridges | head -n 1)
	bind $(below_bridges)
	check "preserving a function is refused before it is retrieved" \
		preserve_is_busy vm2 $address
	holder=$(pci-liveupdate -q retrieve --background vm1)
	check "the session is retrieved" [ "$holder" ]
	check "preserving a function is refused before it is finished" \
		preserve_is_busy vm3 $address
	check_same "nothing is preserved for the next kernel" "$(records outgoing)" ""

	close_session "$holder"
	check_same "nothing stays in the record" "$(records incoming)" ""
	check "a finished function can be preserved" preserve vm4 $address
}

# preserve_is_busy SESSION ADDRESS: the file of the function is another one than
# the one that is retrieved.
preserve_is_busy() {
	! luo-file preserve "$1" "/dev/pci-liveupdate/$2" 2>/tmp/err && grep busy /tmp/err
}
