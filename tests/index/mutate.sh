#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Mutation test: break a copy of the index in one place at a time, and expect the
# tests to fail each time.

set -euo pipefail

HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
SOURCE=$(cd -- "$HERE/../../drivers/pci" && pwd)

# Enough operations for several kernels.
TEST_ARGS=(--ops=40000 --seed=1 --stop)
# In seconds of processor time, of which the tests take less than 10, and of time on
# a busy machine.
CPU_LIMIT=60
TIMEOUT=1800
# With --short, run one mutant in this number.
SHORT=6

usage() {
	cat <<-END
	Usage: ${0##*/} --kernel-tree DIR --output DIR [--short] [--only TEXT]

	  --kernel-tree DIR  a kernel source tree
	  --output DIR       where the broken copies are built
	  --short            one mutant in $SHORT
	  --only TEXT        the mutants with TEXT in their name
	END
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# A build without sanitizers takes a third of the time. Ignore warnings: a mutant may
# leave variables unused.
build() {
	env -u MAKEFLAGS -u MFLAGS make -s -C "$HERE" KERNEL_TREE="$KERNEL_TREE" \
		O="$OUTPUT/build" INDEX_DIR="$OUTPUT/source" SANITIZE= OPT=-O1 \
		CFLAGS_EXTRA=-w all >"$OUTPUT/build.log" 2>&1
}

# Sets VERDICT. Another signal or exit status says nothing about a mutant. The braces
# redirect the shell's message about a crash.
run() {
	local rc=0

	{ (ulimit -S -t "$CPU_LIMIT"; timeout "$TIMEOUT" "$OUTPUT/build/index_test" \
		"${TEST_ARGS[@]}"); } >"$OUTPUT/test.log" 2>&1 || rc=$?
	case $rc in
	0) VERDICT=survived ;;
	1) VERDICT=failed ;;
	# SIGXCPU.
	152) VERDICT=hung ;;
	# SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE and SIGSEGV.
	13[2-6] | 139) VERDICT=crashed ;;
	*) VERDICT="did not run to its end, status $rc" ;;
	esac
}

# Break the same source each time, even if the index is edited meanwhile. Don't touch an
# unchanged header, or all tests are built again.
take_copy() {
	mkdir -p "$OUTPUT/source"
	cp -- "$SOURCE/liveupdate_index.c" "$OUTPUT/original.c"
	cmp -s "$SOURCE/liveupdate_index.h" "$OUTPUT/source/liveupdate_index.h" ||
		cp -- "$SOURCE/liveupdate_index.h" "$OUTPUT/source"
}

fresh_copy() {
	cp -- "$OUTPUT/original.c" "$OUTPUT/source/liveupdate_index.c"
}

# The reason why a mutant is dead: the failed test, or the message of the shim.
reason() {
	grep -m 1 -e '^not ok' -e '^Bail out' "$OUTPUT/test.log" || echo "$VERDICT"
}

selected() {
	NUMBER=$((NUMBER + 1))
	[[ $1 == *"$ONLY"* ]] && ((NUMBER % EVERY == 0))
}

# mutant NAME FUNCTION SCRIPT: change FUNCTION with a sed script. The function begins
# at the unindented line with its name, and ends with }.
mutant() {
	local name=$1 function=$2 script=$3
	local start="/^\\([a-z].*[ *]\\)\\?$function(/"

	selected "$name" || return 0
	fresh_copy
	sed -i "$start,/^}/{$script}" "$OUTPUT/source/liveupdate_index.c"
	if cmp -s "$OUTPUT/original.c" "$OUTPUT/source/liveupdate_index.c"; then
		report "$name" 'DOES NOT APPLY'
		BROKEN=$((BROKEN + 1))
		return
	fi
	if ! build; then
		report "$name" 'DOES NOT BUILD'
		BROKEN=$((BROKEN + 1))
		return
	fi

	run
	case $VERDICT in
	survived)
		MUTANTS=$((MUTANTS + 1))
		report "$name" SURVIVED
		;;
	failed | hung | crashed)
		MUTANTS=$((MUTANTS + 1))
		KILLED=$((KILLED + 1))
		report "$name" "$(reason)"
		;;
	*)
		BROKEN=$((BROKEN + 1))
		report "$name" "$VERDICT"
		;;
	esac
}

report() {
	printf '  %-44s %s\n' "$1" "$2"
}

mutants_that_allocate() {
	mutant 'leaf: another one each time' segment_add_leaf \
		's/if (seg->buses\[bus\])/if (0)/'
	mutant 'leaf: error not seen' segment_add_leaf \
		's/return PTR_ERR(leaf)/return 0/'
	mutant 'free: the last leaf forgotten' segment_free_outgoing \
		's/bus < PCI_SER_BUSES/bus < PCI_SER_BUSES - 1/'
	mutant 'free: the directory forgotten' segment_free_outgoing \
		'/kho_unpreserve_free(seg->buses)/d'
	mutant 'free: the bitmap forgotten' segment_free_outgoing \
		'/kho_unpreserve_free(seg->bitmap)/d'
	mutant 'free: the segment forgotten' segment_free_outgoing \
		'/kfree(seg)/d'
	mutant 'no leaf: the directory stays' segment_alloc_outgoing \
		's/kho_unpreserve_free(seg->buses)//'
	mutant 'no directory: the bitmap stays' segment_alloc_outgoing \
		's/kho_unpreserve_free(seg->bitmap)//'
	mutant 'no bitmap: the segment stays' segment_alloc_outgoing \
		's/kfree(seg)//'
	mutant 'bitmap of half the size' segment_alloc_outgoing \
		's/PCI_SER_BITMAP_SIZE/PCI_SER_BITMAP_SIZE \/ 2/'
	mutant 'no room for one more segment' index_add_segment \
		's/ + 1)/)/'
	mutant 'no node: the block stays' index_add_segment \
		's/kho_block_set_shrink(.*);/;/'
	mutant 'no node: one block too many goes' index_add_segment \
		's/\(kho_block_set_shrink(.*\));/\1 - 1);/'
	mutant 'no node: the segment stays' index_add_segment \
		's/goto err_shrink/return ERR_PTR(err)/'
	mutant 'no block: the segment stays' index_add_segment \
		's/goto err_free_segment/return ERR_PTR(err)/'
	mutant 'iterator not made again' index_add_segment \
		's/kho_block_set_it_init(.*);/;/'
	mutant 'iterator always made again' index_add_segment \
		's/if (!index->it.block)/if (1)/'
	mutant 'segment without its number' index_add_segment \
		's/\.domain = domain/.domain = 0/'
	mutant 'segment without its bitmap' index_add_segment \
		'/\.bitmap = /d'
	mutant 'segment without its directory' index_add_segment \
		'/\.buses = /d'
	mutant 'root without its blocks' index_add_segment \
		'/index->ser->segments = /d'
	mutant 'root counts no segments' index_add_segment \
		'/index->ser->nr_segments++/d'
	mutant 'no root: the index stays' pci_liveupdate_index_create \
		's/kfree(index)//'
	mutant 'root without a version' pci_liveupdate_index_create \
		'/ser->version = /d'
	mutant 'root without an oldest reader' pci_liveupdate_index_create \
		'/ser->oldest_reader = /d'
	mutant 'root for its own version only' pci_liveupdate_index_create \
		's/= PCI_SER_OLDEST_READER/= INDEX_VERSION + 1/'
}

mutants_that_change() {
	mutant 'add: there already, and no error' index_set \
		's/return ERR_PTR(-EEXIST)/return seg/'
	mutant 'add: there already, not seen' index_set \
		's/if (__test_and_set_bit(\(.*\)))/__set_bit(\1); if (0)/'
	mutant 'add: error not seen' pci_liveupdate_index_add \
		's/return PTR_ERR(seg)/return 0/'
	mutant 'add: no leaf, and no error' index_make_room \
		's/return ERR_PTR(err)/return seg/'
	mutant 'add: a leaf for the first bus only' index_set \
		's/!seg || !test_bit(.*, seg->busy)))/!seg))/'
	mutant 'add: a low domain is a high one' index_insert \
		's/index->low\[domain\] = seg/index->low[domain ^ 1] = seg/'
	mutant 'look-up: a high domain is a low one' index_segment \
		's/domain < PCI_LIVEUPDATE_LOW_DOMAINS/1/;s/low\[domain\]/low[domain % 256]/'
	mutant 'look-up: a high domain is not there' index_segment \
		's/return xa_load(.*)/return NULL/'
	mutant 'find: no matter whether it is there' pci_liveupdate_index_find \
		's/ || !test_bit(bdf, seg->bitmap)//'
	mutant 'find: the neighbour' pci_liveupdate_index_find \
		's/slot->bdf = bdf/slot->bdf = bdf ^ 1/'
	mutant 'add: entry not copied' pci_liveupdate_index_add \
		's/ = \*entry;/;/'
	mutant 'add: entry of the neighbour' pci_liveupdate_index_add \
		's/\[BDF_DEVFN(bdf)\]/[BDF_DEVFN(bdf) ^ 1]/'
	mutant 'add: bit not set' index_set \
		's/__test_and_set_bit(bdf, seg->bitmap)/test_bit(bdf, seg->bitmap)/'
	mutant 'add: bus not busy' index_make_room \
		's/__set_bit(bus, seg->busy)//'
	mutant 'add: the wrong bus is busy' index_make_room \
		's/__set_bit(bus, seg->busy)/__set_bit(bus ^ 1, seg->busy)/'
	mutant 'add: segment does not count' index_set \
		'/seg->ser->nr_devices++/d'
	mutant 'add: root does not count' index_set \
		'/index->ser->nr_devices++/d'
	mutant 'remove: bit stays' pci_liveupdate_index_remove \
		'/__clear_bit(slot->bdf, seg->bitmap)/d'
	mutant 'remove: what is not there' pci_liveupdate_index_remove \
		's/if (WARN_ON_ONCE(!test_bit(slot->bdf, seg->bitmap)))/if (0)/'
	mutant 'remove: the bus stays busy' pci_liveupdate_index_remove \
		's/if (segment_is_last(.*))/if (0)/'
	mutant 'remove: the bus is never busy' pci_liveupdate_index_remove \
		's/if (segment_is_last(.*))/if (1)/'
	mutant 'remove: half a bus is a bus' segment_is_last \
		's/i < BITS_TO_LONGS(PCI_SER_DEVFNS)/i < 2/'
	mutant 'remove: a bus of one word' segment_is_last \
		's/|= words/= words/'
	mutant 'remove: the wrong bus is not busy' pci_liveupdate_index_remove \
		's/__clear_bit(BDF_BUS(slot->bdf), /__clear_bit(BDF_BUS(slot->bdf) ^ 1, /'
	mutant 'remove: segment does not count' pci_liveupdate_index_remove \
		'/seg->ser->nr_devices--/d'
	mutant 'remove: root does not count' pci_liveupdate_index_remove \
		'/index->ser->nr_devices--/d'
	mutant 'mark: counts when the function is gone' \
		pci_liveupdate_index_count_marked \
		's/bitmap_weight_and(seg->bitmap, /bitmap_weight_and(seg->marks, /'
	mutant 'mark: last segment counts alone' \
		pci_liveupdate_index_count_marked 's/count += /count = /'
	mutant 'mark: not taken off' pci_liveupdate_index_mark \
		's/seg->marks, mark)/seg->marks, mark || test_bit(bdf, seg->marks))/'
	mutant 'mark: always taken off' pci_liveupdate_index_mark \
		's/seg->marks, mark)/seg->marks, 0)/'
	mutant 'mark: what is not there' pci_liveupdate_index_mark \
		's/ || !test_bit(slot->bdf, seg->bitmap)//'
}

mutants_that_look() {
	mutant 'any: last bus left out' pci_liveupdate_index_any \
		's/last_bus + 1U/last_bus/'
	mutant 'any: one bus too many' pci_liveupdate_index_any \
		's/last_bus + 1U/last_bus + 2U/'
	mutant 'any: up to bus 255 wraps' pci_liveupdate_index_any \
		's/last_bus + 1U/(u8)(last_bus + 1)/'
	mutant 'any: first bus left out' pci_liveupdate_index_any \
		's/, first_bus)/, first_bus + 1)/'
	mutant 'any: from the first bus on' pci_liveupdate_index_any \
		's/, first_bus)/, 0)/'
	mutant 'any: writes' pci_liveupdate_index_any \
		's/return seg &&/if (seg) seg->ser->nr_devices ^= 1U << 31; return seg \&\&/'
	mutant 'any: writes beside the record' pci_liveupdate_index_any \
		's/return seg &&/index->it.block = NULL; return seg \&\&/'
	mutant 'next: starts late in the next segment' pci_liveupdate_index_next \
		's/bdf = 0;/;/'
	mutant 'next: segments above 0xffff not seen' pci_liveupdate_index_next \
		's/U32_MAX/0xffff/'
	mutant 'next: last function not seen' pci_liveupdate_index_next \
		's/bdf < PCI_SER_BDFS/bdf < PCI_SER_BDFS - 1/'
	mutant 'next: an empty segment is the end' pci_liveupdate_index_next \
		's/^\t}$/\t\tbreak;\n\t}/'
	mutant 'marked: present is enough' segment_is_marked \
		's/test_bit(bdf, seg->marks)/test_bit(bdf, seg->bitmap)/'
	mutant 'size: bitmaps forgotten' pci_liveupdate_index_size \
		'/PCI_SER_BITMAP_SIZE/d'
	mutant 'size: a page is enough' record_allocated_size \
		's/<< get_order(size)//'
	mutant 'entry: address not checked' pci_liveupdate_index_entry \
		's/err = record_check_address(.*/err = 0; (void)(/'
	mutant 'entry: fields not checked' pci_liveupdate_index_entry \
		's/err = record_check_entry(.*);/err = 0;/'
}

mutants_that_trust() {
	mutant 'address: alignment not checked' record_check_address \
		's/if (!IS_ALIGNED(.*))/if (0)/'
	mutant 'address: any page will do' record_check_address \
		's/if (!kho_is_restorable(pa, size))/if (!kho_is_restorable(pa, 4096) \&\& !kho_is_restorable(pa, 8192))/'
	mutant 'function: header type not checked' record_check_entry \
		's/if (!bridge && entry->hdr_type .*)/if (0)/'
	mutant 'function: vendor 0 not seen' record_check_entry \
		's/!entry->vendor ||//'
	mutant 'function: vendor 0xffff not seen' record_check_entry \
		's/ || entry->vendor == U16_MAX//'
	mutant 'function: BAR of 2^64 bytes' record_check_entry \
		's/(used ? 64 : 1))/(used ? 65 : 1))/'
	mutant 'function: ROM not checked' record_check_entry \
		's/i < PCI_SER_NR_BARS/i < PCI_SER_NR_BARS - 1/'
	mutant 'function: six BARs of a bridge' record_check_entry \
		's/i < 2/i < 6/'
	mutant 'function: secondary is the primary bus' record_check_entry \
		's/secondary <= BDF_BUS/secondary < BDF_BUS/'
	mutant 'function: subordinate not checked' record_check_entry \
		's/if (bridge && entry->subordinate .*)/if (0)/'
	mutant 'function: one bus is too few' record_check_entry \
		's/entry->subordinate < entry->secondary/entry->subordinate <= entry->secondary/'
	mutant 'function: buses of no bridge' record_check_entry \
		's/if (!bridge && (entry->secondary .*))/if (0)/'
	mutant 'function: one reserved bit not seen' record_check_entry \
		's/if (entry->reserved)/if (entry->reserved \& 0x7f)/'
	mutant 'weight: not checked' segment_count \
		's/if (weight != .*)/if (0)/'
	mutant 'weight: buses not busy' segment_count \
		's/__set_bit(bus, seg->busy)//'
	mutant 'weight: half of a bus' segment_count \
		's/PCI_SER_DEVFNS)/PCI_SER_DEVFNS \/ 2)/'
	mutant 'weight: leaves not checked' segment_count \
		's/if (!seg->buses\[bus\])/if (0)/'
	mutant 'segment: bitmap not checked' index_read_segment \
		's/record_check_address(ser->bitmap, .*/record_check_address(ser->buses, PCI_SER_BUSES_SIZE, "",/'
	mutant 'segment: directory not checked' index_read_segment \
		's/record_check_address(ser->buses, .*/record_check_address(ser->bitmap, PCI_SER_BITMAP_SIZE, "",/'
	mutant 'segment: refused, and marks stay' index_read_segment \
		's/bitmap_free(seg->marks)//'
	mutant 'segment: refused, and stays' index_read_segment \
		's/kfree(seg)//'
	mutant 'segment: the same twice' index_read_segment \
		's/err == -EBUSY/0/'
	mutant 'block: count not checked' index_read_block \
		's/if (block->count != expected)/if (0)/'
	mutant 'block: address not checked' index_read_block \
		's/if (err)/if (0)/'
	mutant 'chain: too short' index_read \
		's/if (!block_pa)/if (0)/'
	mutant 'chain: too long' index_read \
		's/if (block_pa)/if (0)/'
	mutant 'chain: sum not checked' index_read \
		's/if (sum != root->nr_devices)/if (0)/'
	mutant 'chain: sum of 32 bits' index_read \
		's/if (sum != root->nr_devices)/if ((u32)sum != (u32)root->nr_devices)/'
	mutant 'segment: second half of the directory' segment_check_reserved \
		's/if (reserved\[i\])/if (0)/'
	mutant 'segment: last reserved word not seen' segment_check_reserved \
		's/i < PCI_SER_BUSES_RESERVED/i < PCI_SER_BUSES_RESERVED - 1/'
	mutant 'segment: first reserved word not seen' segment_check_reserved \
		's/int i = 0/int i = 1/'
	mutant 'version: 0 will do' record_check_root \
		's/if (!root->version)/if (0)/'
	mutant 'version: no other will do' record_check_root \
		's/if (!root->version)/if (root->version != INDEX_VERSION)/'
	mutant 'oldest reader: 0 will do' record_check_root \
		's/if (!root->oldest_reader)/if (0)/'
	mutant 'oldest reader: not checked' record_check_root \
		's/root->oldest_reader > INDEX_VERSION/0/'
	mutant 'oldest reader: must be older' record_check_root \
		's/root->oldest_reader > INDEX_VERSION/root->oldest_reader >= INDEX_VERSION/'
	mutant 'oldest reader: later than the writer' record_check_root \
		's/root->oldest_reader > root->version/0/'
	mutant 'features: not checked' record_check_root \
		's/if (root->features .*)/if (0)/'
	mutant 'features: of 32 bits' record_check_root \
		's/if (root->features .*)/if ((u32)root->features)/'
	mutant 'root: reserved not checked' record_check_root \
		's/if (root->reserved)/if (0)/'
	mutant 'root: address not checked' pci_liveupdate_index_restore \
		'0,/return ERR_PTR(err);/s//;/'
}

mutants_that_take_over() {
	mutant 'take over: a page used twice' record_take_over \
		's/!kho_is_restorable(pa, size) ||//'
	mutant 'take over: the root stays behind' index_take_over \
		's/err = record_take_over(index->ser, .*;/err = 0;/'
	mutant 'take over: blocks not looked at' index_take_over \
		's/if (!kho_is_restorable(pa, KHO_BLOCK_SIZE))/if (0)/'
	mutant 'abandon: marks stay' index_abandon \
		's/bitmap_free(seg->marks)//'
	mutant 'abandon: segments stay' index_abandon \
		's/kfree(seg)//'
	mutant 'abandon: nodes stay' index_abandon \
		's/xa_destroy(.*)//'
	mutant 'abandon: the index stays' index_abandon \
		's/kfree(index)//'
	mutant 'destroy: nodes stay' pci_liveupdate_index_destroy \
		's/xa_destroy(.*)//'
	mutant 'destroy: the root stays' pci_liveupdate_index_destroy \
		's/folio_put(.*)//'
	mutant 'destroy: leaves before blocks' pci_liveupdate_index_destroy \
		'/kho_block_set_destroy/d;s/^\txa_destroy(.*/&\n\tkho_block_set_destroy(\&index->block_set);/'
	mutant 'destroy: a leaf as it comes' segment_free_incoming \
		's/if (kho_is_restorable(.*))/if (1)/'
	mutant 'destroy: leaves stay' segment_free_incoming \
		's/kho_restore_free(.*)//'
	mutant 'destroy: a lost leaf is not said' segment_free_incoming \
		's/pr_warn(\(.*\)/(void)(\1/'
	mutant 'destroy: the directory stays' segment_free_incoming \
		's/folio_put(virt_to_folio(seg->buses))//'
	mutant 'destroy: the bitmap stays' segment_free_incoming \
		's/folio_put(virt_to_folio(seg->bitmap))//'
	mutant 'destroy: marks stay' segment_free_incoming \
		's/bitmap_free(seg->marks)//'
}

parse_options() {
	while (($#)); do
		case $1 in
		--kernel-tree) KERNEL_TREE=$(readlink -f -- "${2:?}"); shift 2 ;;
		--output) OUTPUT=$(readlink -f -- "${2:?}"); shift 2 ;;
		--only) ONLY=${2:?}; shift 2 ;;
		--short) EVERY=$SHORT; shift ;;
		-h | --help) usage; exit ;;
		*) usage >&2; exit 1 ;;
		esac
	done
	[[ $KERNEL_TREE && $OUTPUT ]] || { usage >&2; exit 1; }
}

main() {
	KERNEL_TREE='' OUTPUT='' ONLY='' EVERY=1
	NUMBER=0 MUTANTS=0 KILLED=0 BROKEN=0
	parse_options "$@"

	# The tests must pass without a mutation.
	take_copy
	fresh_copy
	build || die "the index does not build, see $OUTPUT/build.log"
	run
	[[ $VERDICT == survived ]] ||
		die "with no mutation, the test $VERDICT, see $OUTPUT/test.log"

	mutants_that_allocate
	mutants_that_change
	mutants_that_look
	mutants_that_trust
	mutants_that_take_over

	if ((MUTANTS + BROKEN == 0)); then
		die "no mutant has '$ONLY' in its name"
	fi
	if ((BROKEN)); then
		printf '%d mutations could not be tried\n' "$BROKEN"
	fi
	printf '%d mutants, %d killed\n' "$MUTANTS" "$KILLED"
	((BROKEN == 0 && MUTANTS == KILLED))
}

main "$@"
