// SPDX-License-Identifier: GPL-2.0
/*
 * Flip each bit of a record: the index refuses the record, or an entry of it, or the
 * bit has no meaning.
 */

#include <stdio.h>
#include <string.h>

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>

#include "harness.h"
#include "model.h"
#include "record.h"
#include "shim/heap_shim.h"
#include "shim/kho_shim.h"
#include "shim/log_shim.h"
#include "tests.h"
#include "world.h"

#define DOMAIN	0x10003

#define PF	0x0100
#define VF	0x0104

/* The generations are such that the first function is a bridge, see base_create(). */
static const struct {
	u16 bdf;
	enum model_kind kind;
	u8 generation;
} functions[] = {
	{ 0x0008, MODEL_FUNCTION, 1 },
	{ PF, MODEL_IMPLIED_PF, 1 },
	{ VF, MODEL_VF, 1 },
	{ 0x0106, MODEL_VF, 2 },
	{ 0x0200, MODEL_FUNCTION, 1 },
	{ 0x02ff, MODEL_FUNCTION, 2 },
};

static pci_ser_key_t function_key(size_t nth)
{
	return PCI_SER_KEY(DOMAIN, functions[nth].bdf);
}

static struct pci_function_ser function_entry(size_t nth)
{
	return model_entry_of(function_key(nth), functions[nth].generation,
			      functions[nth].kind);
}

/* Directory, leaves of buses 0 to 2, and the leaf of PFs of bus 1. */
static const unsigned int leaves[] = { 0, 1, 2, PCI_SER_BUSES + 1 };

struct base {
	u64 root_pa;
	struct pci_segment_ser *seg;
	struct kho_shim_image *image;
};

/**
 * struct tally - How the bits of one part of a record are detected.
 * @bits:     Number of bits.
 * @record:   The index refuses the record.
 * @entry:    The index refuses the entry of a function, or the state of a PF.
 * @checksum: Only a checksum detects the bit.
 * @harmless: The bit has no meaning.
 */
struct tally {
	unsigned int bits;
	unsigned int record;
	unsigned int entry;
	unsigned int checksum;
	unsigned int harmless;
};

static u8 add_function(struct pci_liveupdate_index *index, size_t nth)
{
	struct pci_function_ser entry = function_entry(nth);
	pci_ser_key_t key = function_key(nth);
	struct pci_sriov_ser sriov;

	if (entry.flags & PCI_SER_PF) {
		sriov = model_sriov(key, functions[nth].generation);
		ASSERT(!pci_liveupdate_index_add_pf(index, key, &entry, &sriov));
	} else {
		ASSERT(!pci_liveupdate_index_add(index, key, &entry));
	}
	return entry.flags;
}

/* Create a record whose functions together have all flags. */
static struct base base_create(void)
{
	struct pci_liveupdate_index *index = pci_liveupdate_index_create();
	struct base base;
	u8 flags = 0;

	ASSERT(!IS_ERR(index));
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		flags |= add_function(index, i);
	CHECK_EQ(flags, PCI_SER_BRIDGE | PCI_SER_SRIOV_FLAGS | PCI_SER_INTX_BROKEN);
	base.root_pa = pci_liveupdate_index_root_pa(index);
	kho_shim_kexec();
	base.seg = record_segment(base.root_pa, 0);
	base.image = kho_shim_save();
	return base;
}

static void base_destroy(struct base *base)
{
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;

	CHECK(kho_shim_same(base->image));
	ASSERT(!record_restore(base->root_pa, &index, &damage));
	pci_liveupdate_index_destroy(index);
	kho_shim_drop(base->image);
}

static void flip(void *start, unsigned int bit)
{
	((u8 *)start)[bit / 8] ^= 1 << bit % 8;
}

static bool is_checksum(const struct pci_liveupdate_damage *damage)
{
	return !strncmp(damage->field, "checksum", strlen("checksum"));
}

static bool function_is_intact(size_t nth, const struct pci_function_ser *entry,
			       const struct pci_sriov_ser *sriov)
{
	struct pci_function_ser expected = function_entry(nth);
	struct pci_sriov_ser state;

	if (memcmp(entry, &expected, sizeof(expected)))
		return false;
	if (!sriov)
		return true;
	state = model_sriov(function_key(nth), functions[nth].generation);
	return !memcmp(sriov, &state, sizeof(state));
}

/*
 * Look up all functions. Returns the number of those that the index refuses; none may
 * be accepted with a change.
 */
static unsigned int count_refused(struct pci_liveupdate_index *index,
				  struct pci_liveupdate_damage *damage)
{
	const struct pci_function_ser *entry;
	const struct pci_sriov_ser *sriov;
	struct pci_liveupdate_slot slot;
	unsigned int nr = 0;

	CHECK_EQ(pci_liveupdate_index_count(index), ARRAY_SIZE(functions));
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		ASSERT(pci_liveupdate_index_find(index, function_key(i), &slot));
		entry = pci_liveupdate_index_entry(index, &slot, damage);
		if (IS_ERR(entry)) {
			nr++;
			continue;
		}

		sriov = NULL;
		if (entry->flags & PCI_SER_PF)
			sriov = pci_liveupdate_index_sriov(index, &slot, damage);
		if (IS_ERR(sriov)) {
			nr++;
			continue;
		}
		CHECK(function_is_intact(i, entry, sriov));
	}
	return nr;
}

/* Flip a bit that restoring reads, and repair it. */
static void flip_before_restore(const struct base *base, void *start, unsigned int bit,
				struct tally *tally)
{
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;
	int err;

	flip(start, bit);
	tally->bits++;
	err = record_restore(base->root_pa, &index, &damage);
	if (err) {
		flip(start, bit);
		CHECK(damage.field && damage.rule);
		if (err == -EBUSY)
			kho_shim_rewind(base->image);
		tally->record++;
		tally->checksum += is_checksum(&damage);
		return;
	}

	if (count_refused(index, &damage))
		tally->entry++;
	else
		tally->harmless++;
	pci_liveupdate_index_destroy(index);
	kho_shim_rewind(base->image);
}

static struct tally flip_part(const struct base *base, void *start, size_t first,
			      size_t end)
{
	struct tally tally = { };

	for (size_t bit = 8 * first; bit < 8 * end; bit++)
		flip_before_restore(base, start, bit, &tally);
	return tally;
}

static void print_tally(const char *part, const struct tally *tally, const char *why)
{
	test_note("%-30s %6u %6u %6u %8u %8u%s%s", part, tally->bits, tally->record,
		  tally->entry, tally->checksum, tally->harmless,
		  *why ? "  " : "", why);
}

/* Each bit must make the index refuse the record. */
static void flip_refused(const struct base *base, const char *part, void *start,
			 size_t size)
{
	struct tally tally = flip_part(base, start, 0, size);

	print_tally(part, &tally, "");
	CHECK_EQ(tally.record, 8 * size);
}

/* No bit may matter in the rest of a page. */
static void flip_rest(const struct base *base, const char *part, void *start,
		      size_t used)
{
	struct tally tally = flip_part(base, start, used, PAGE_SIZE);

	print_tally(part, &tally, "nothing is stored there");
	CHECK_EQ(tally.harmless, 8 * (PAGE_SIZE - used));
}

static bool word_is_leaf(unsigned int word)
{
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
		if (leaves[i] == word)
			return true;
	}
	return false;
}

/*
 * Restoring checks only which buses have a leaf. The index refuses the entries of a
 * bus with a wrong leaf, and does not free that leaf. It does not free the leaf of a
 * bus without functions either. It logs both.
 */
static void flip_directory(const struct base *base)
{
	u64 *buses = record_buses(base->seg);
	struct tally used = { }, unused = { };

	for (unsigned int word = 0; word < PCI_SER_LEAVES; word++) {
		struct tally *tally = word_is_leaf(word) ? &used : &unused;

		for (unsigned int bit = 0; bit < 64; bit++) {
			flip_before_restore(base, &buses[word], bit, tally);
			CHECK_EQ(log_shim_take_messages(), 1);
		}
	}
	print_tally("directory: leaves", &used, "");
	print_tally("directory: other buses", &unused,
		    "no function on the bus; the address is logged, and not freed");
	CHECK_EQ(used.entry, 64 * ARRAY_SIZE(leaves));
	CHECK_EQ(unused.harmless, 64 * (PCI_SER_LEAVES - ARRAY_SIZE(leaves)));
}

static bool entry_is_used(unsigned int leaf, unsigned int devfn)
{
	if (leaf >= PCI_SER_BUSES)
		return (leaf - PCI_SER_BUSES) << 8 == PF - devfn;

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		if (functions[i].bdf == (leaf << 8 | devfn))
			return true;
	}
	return false;
}

/* Restoring reads no leaf, see test_restore_reads_no_leaf(): restore only once. */
static void flip_leaf(const struct base *base, struct pci_liveupdate_index *index,
		      unsigned int leaf, struct tally *used, struct tally *unused)
{
	u8 *start = phys_to_virt(record_buses(base->seg)[leaf]);
	struct pci_liveupdate_damage damage;

	for (unsigned int bit = 0; bit < 8 * PCI_SER_LEAF_SIZE; bit++) {
		struct tally *tally = entry_is_used(leaf, bit / 128) ? used : unused;
		unsigned int nr;

		flip(start, bit);
		nr = count_refused(index, &damage);
		flip(start, bit);
		CHECK(nr <= 1);
		tally->bits++;
		tally->entry += nr;
		tally->checksum += nr && is_checksum(&damage);
		tally->harmless += !nr;
	}
}

static void flip_leaves(const struct base *base)
{
	struct tally entries[2] = { }, states[2] = { };
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;

	ASSERT(!record_restore(base->root_pa, &index, &damage));
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
		struct tally *tally = leaves[i] < PCI_SER_BUSES ? entries : states;

		flip_leaf(base, index, leaves[i], &tally[0], &tally[1]);
	}
	pci_liveupdate_index_destroy(index);
	kho_shim_rewind(base->image);

	print_tally("leaves: entries of functions", &entries[0], "");
	print_tally("leaves: other entries", &entries[1],
		    "the bit of the function is clear");
	print_tally("leaves of PFs: states", &states[0], "");
	print_tally("leaves of PFs: other states", &states[1],
		    "the function is no PF, or its bit is clear");
	CHECK_EQ(entries[0].entry, 128 * ARRAY_SIZE(functions));
	CHECK_EQ(entries[1].harmless, 3 * 32768 - 128 * ARRAY_SIZE(functions));
	CHECK_EQ(states[0].entry, 128);
	CHECK_EQ(states[1].harmless, 32768 - 128);
}

/* Flip each bit of each page of a record. */
void test_flip_record(void)
{
	struct base base = base_create();
	struct kho_block_header_ser *block = record_block(base.root_pa, 0);

	/* The pages of the record, and no more. */
	CHECK_EQ(kho_shim_bytes(), (1 + 1 + 2 + 1 + ARRAY_SIZE(leaves)) * PAGE_SIZE);
	test_note("%-30s %6s %6s %6s %8s %8s  %s", "part", "bits", "record", "entry",
		  "checksum", "harmless", "why harmless");
	flip_refused(&base, "root", record_root(base.root_pa), sizeof(struct pci_ser));
	flip_rest(&base, "rest of its page", record_root(base.root_pa),
		  sizeof(struct pci_ser));
	flip_refused(&base, "header of a block", block, sizeof(*block));
	flip_refused(&base, "segment", base.seg, sizeof(*base.seg));
	flip_rest(&base, "rest of the block", block, sizeof(*block) + sizeof(*base.seg));
	flip_refused(&base, "bitmap", record_bitmap(base.seg), PCI_SER_BITMAP_SIZE);
	flip_directory(&base);
	flip_leaves(&base);
	base_destroy(&base);
}

/* A chain of blocks, with other segments next to the damaged ones. */
void test_flip_chain(void)
{
	static const unsigned int nth[] = {
		0, 1, SEGMENTS_PER_BLOCK - 1, SEGMENTS_PER_BLOCK,
	};
	struct world world = world_create();
	struct base base;

	for (unsigned int i = 0; i < SEGMENTS_PER_BLOCK + 2; i++)
		world_add(&world, PCI_SER_KEY(i, 0x0200));
	base.root_pa = world_kexec(&world);
	base.image = kho_shim_save();
	model_destroy(world.model);

	flip_refused(&base, "root", record_root(base.root_pa), sizeof(struct pci_ser));
	flip_refused(&base, "header of the first block", record_block(base.root_pa, 0),
		     sizeof(struct kho_block_header_ser));
	flip_refused(&base, "header of the last block", record_block(base.root_pa, 1),
		     sizeof(struct kho_block_header_ser));
	for (size_t i = 0; i < ARRAY_SIZE(nth); i++)
		flip_refused(&base, "segment", record_segment(base.root_pa, nth[i]),
			     sizeof(struct pci_segment_ser));
	base_destroy(&base);
}

/* Damage 16 bytes of an entry or of a state with a mask of two words. */
static bool mask_is_refused(struct pci_liveupdate_index *index, u64 *words, u64 low,
			    u64 high)
{
	struct pci_liveupdate_damage damage;
	unsigned int nr;

	words[0] ^= low;
	words[1] ^= high;
	nr = count_refused(index, &damage);
	words[0] ^= low;
	words[1] ^= high;
	return nr == 1;
}

static u64 bit_of_word(unsigned int bit, unsigned int word)
{
	return bit / 64 == word ? 1ULL << bit % 64 : 0;
}

static unsigned int flip_two_bits(struct pci_liveupdate_index *index, u64 *words)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < 128; i++) {
		for (unsigned int j = 0; j < i; j++)
			nr += mask_is_refused(index, words,
					      bit_of_word(i, 0) | bit_of_word(j, 0),
					      bit_of_word(i, 1) | bit_of_word(j, 1));
	}
	return nr;
}

/* All bursts of 8 bits or less: an odd byte, shifted. */
static unsigned int flip_bursts(struct pci_liveupdate_index *index, u64 *words)
{
	unsigned int nr = 0;

	for (unsigned int first = 0; first < 128; first++) {
		for (unsigned int byte = 1; byte < 256; byte += 2) {
			unsigned __int128 mask = (unsigned __int128)byte << first;

			nr += mask_is_refused(index, words, mask, mask >> 64);
		}
	}
	return nr;
}

/* The promises of include/linux/kho/abi/pci.h about a CRC-8. */
void test_flip_bits_of_entries(void)
{
	struct base base = base_create();
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;
	void *sriov = record_sriov(base.seg, PF);
	unsigned int nr = 0;

	ASSERT(!record_restore(base.root_pa, &index, &damage));
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		void *entry = record_entry(base.seg, functions[i].bdf);

		nr += flip_two_bits(index, entry) + flip_bursts(index, entry);
	}
	nr += flip_two_bits(index, sriov) + flip_bursts(index, sriov);
	CHECK_EQ(nr, (ARRAY_SIZE(functions) + 1) * (128 * 127 / 2 + 128 * 128));
	test_note("%u damages of two bits or within 8 bits", nr);
	pci_liveupdate_index_destroy(index);
	kho_shim_rewind(base.image);
	base_destroy(&base);
}
