// SPDX-License-Identifier: GPL-2.0
/*
 * Records made of a few bytes, for the fuzzer and its corpus.
 */

#include <string.h>

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/kernel.h>

#include "harness.h"
#include "input.h"
#include "liveupdate_index.h"
#include "record.h"
#include "shim/heap_shim.h"
#include "shim/kho_shim.h"
#include "shim/log_shim.h"
#include "test_pci_liveupdate_checksum.h"

/* Functions to use of one record: a bitmap may have 65,536. */
#define MAX_USED	300
/* PFs whose VFs are counted, which may be 65,535 each. */
#define MAX_COUNTED	4
/* Blocks to correct: a chain may have a cycle. */
#define MAX_BLOCKS	4

#define BRIDGE_BDF	0x0008
#define PF_BDF		0x0100
#define VF_BDF		0x0104

static struct kho_shim_image *image;
static u64 pages[NR_PAGES];
static unsigned long nr_restored;

static bool is_large(unsigned int page)
{
	return page == PAGE_BITMAP_A || page == PAGE_BITMAP_B || page == PAGE_LARGE;
}

static size_t page_size(unsigned int page)
{
	return PAGE_SIZE << is_large(page);
}

/* The valid record */

static void add(struct pci_liveupdate_index *index, u32 domain, u16 bdf, u8 flags)
{
	const struct pci_function_ser entry = {
		.vendor = 0x8086, .device = bdf, .flags = flags,
		.secondary = flags & PCI_SER_BRIDGE ? 1 : 0,
		.subordinate = flags & PCI_SER_BRIDGE ? 2 : 0,
	};

	ASSERT(!pci_liveupdate_index_add(index, PCI_SER_KEY(domain, bdf), &entry));
}

static struct pci_liveupdate_index *make_index(void)
{
	const struct pci_function_ser pf = {
		.vendor = 0x8086, .device = PF_BDF, .bar_shift = { 16 },
		.flags = PCI_SER_PF | PCI_SER_IMPLIED | PCI_SER_AUTOPROBE,
	};
	const struct pci_sriov_ser sriov = {
		.num_vfs = 2, .offset = VF_BDF - PF_BDF, .stride = 2,
		.vf_device = VF_BDF, .bar_shift = { 14 }, .max_bus = 1,
	};
	struct pci_liveupdate_index *index = pci_liveupdate_index_create();

	ASSERT(!IS_ERR(index));
	add(index, DOMAIN_A, BRIDGE_BDF, PCI_SER_BRIDGE);
	ASSERT(!pci_liveupdate_index_add_pf(index, PCI_SER_KEY(DOMAIN_A, PF_BDF), &pf,
					    &sriov));
	add(index, DOMAIN_A, VF_BDF, PCI_SER_VF);
	add(index, DOMAIN_A, VF_BDF + 2, PCI_SER_VF);
	add(index, DOMAIN_A, 0x0200, 0);
	add(index, DOMAIN_A, 0x02ff, PCI_SER_INTX_BROKEN);
	add(index, DOMAIN_B, 0x0100, 0);
	add(index, DOMAIN_B, 0x0101, 0);
	return index;
}

static void find_pages(u64 root_pa)
{
	struct pci_segment_ser *a, *b;

	pages[PAGE_ROOT] = root_pa;
	pages[PAGE_BLOCK] = record_root(root_pa)->segments;
	a = record_segment(root_pa, 0);
	pages[PAGE_BITMAP_A] = a->bitmap;
	pages[PAGE_BUSES_A] = a->buses;
	pages[PAGE_LEAF_A0] = record_buses(a)[0];
	pages[PAGE_LEAF_A1] = record_buses(a)[1];
	pages[PAGE_LEAF_A2] = record_buses(a)[2];
	pages[PAGE_PFS_A1] = record_buses(a)[PCI_SER_BUSES + 1];
	b = record_segment(root_pa, 1);
	pages[PAGE_BITMAP_B] = b->bitmap;
	pages[PAGE_BUSES_B] = b->buses;
	pages[PAGE_LEAF_B1] = record_buses(b)[1];
}

static void make_image(void)
{
	struct pci_liveupdate_index *index = make_index();
	u64 root_pa = pci_liveupdate_index_root_pa(index);

	for (unsigned int page = PAGE_SPARE; page <= PAGE_ORDINARY; page++)
		pages[page] = virt_to_phys(kho_alloc_preserve(page_size(page)));
	kho_shim_kexec();
	find_pages(root_pa);
	kho_restore_folio(pages[PAGE_ORDINARY]);
	pages[PAGE_OURS] = virt_to_phys(kho_alloc_preserve(page_size(PAGE_OURS)));
	image = kho_shim_save();
}

void input_exit(void)
{
	if (!image)
		return;

	kho_shim_drop(image);
	kho_shim_reset();
	image = NULL;
}

/* Changes */

/**
 * struct change - One change of a record.
 * @operation: An enum input_operation.
 * @page:      Number of the page to change.
 * @place:     Where to change it; 16 bytes fit.
 * @offset:    The same as an offset, not limited to the page.
 * @value:     The value.
 */
struct change {
	unsigned int operation;
	unsigned int page;
	u8 *place;
	u16 offset;
	u32 value;
};

static u8 *place_in(unsigned int page, u16 offset)
{
	return (u8 *)phys_to_virt(pages[page]) + offset % (page_size(page) - 15);
}

static struct change parse_change(const u8 *data)
{
	struct change change = {
		.operation = data[0] % NR_INPUT_OPERATIONS,
		.page = data[1] % NR_PAGES,
		.offset = data[2] | data[3] << 8,
		.value = data[4] | data[5] << 8 | data[6] << 16 | (u32)data[7] << 24,
	};

	change.place = place_in(change.page, change.offset);
	return change;
}

static u8 *other_place(const struct change *change)
{
	return place_in(change->value % 256 % NR_PAGES, change->value >> 16);
}

static void exchange(u8 *a, u8 *b)
{
	u64 first, second;

	memcpy(&first, a, 8);
	memcpy(&second, b, 8);
	memcpy(a, &second, 8);
	memcpy(b, &first, 8);
}

static void write_segments(const struct change *change)
{
	struct kho_block_header_ser *block = phys_to_virt(pages[change->page]);
	struct pci_segment_ser *seg = (struct pci_segment_ser *)(block + 1);
	unsigned int nr = (change->value >> 24) % (SEGMENTS_PER_BLOCK + 1);

	block->count = nr;
	for (unsigned int i = 0; i < nr; i++) {
		seg[i] = (struct pci_segment_ser) {
			.domain = change->offset + i,
			.bitmap = pages[change->value % 256 % NR_PAGES],
			.buses = pages[(change->value >> 8) % 256 % NR_PAGES],
		};
		seg[i].checksum = test_segment_checksum(&seg[i]);
	}
}

static void write_address(const struct change *change)
{
	u64 pa = pages[change->value % 256 % NR_PAGES] + (change->value >> 8);

	memcpy(change->place, &pa, 8);
}

static void set_state(const struct change *change)
{
	static const enum kho_shim_state states[] = {
		KHO_SHIM_HANDED_OVER, KHO_SHIM_RESTORED, KHO_SHIM_OUTGOING,
	};

	kho_shim_set_state(pages[change->page],
			   states[change->value % ARRAY_SIZE(states)]);
}

static void apply(const struct change *change)
{
	u64 value = change->value;

	switch (change->operation) {
	case INPUT_WRITE8:
	case INPUT_WRITE16:
	case INPUT_WRITE32:
	case INPUT_WRITE64:
		memcpy(change->place, &value, 1 << (change->operation - INPUT_WRITE8));
		break;
	case INPUT_WRITE64_HIGH:
		memcpy(change->place + 4, &value, 4);
		break;
	case INPUT_ADDRESS:
		write_address(change);
		break;
	case INPUT_EXCHANGE:
		exchange(change->place, other_place(change));
		break;
	case INPUT_COPY:
		memmove(change->place, other_place(change), 16);
		break;
	case INPUT_FILL:
		memset(change->place, value, (u8 *)phys_to_virt(pages[change->page]) +
		       page_size(change->page) - change->place);
		break;
	case INPUT_FLIP:
		change->place[value / 8 % 16] ^= 1 << value % 8;
		break;
	case INPUT_STATE:
		set_state(change);
		break;
	case INPUT_SEGMENTS:
		write_segments(change);
		break;
	}
}

/* Corrections */

static void *page_at(u64 pa, size_t size)
{
	for (unsigned int page = 0; page < NR_PAGES; page++) {
		if (pages[page] == pa && page_size(page) >= size)
			return phys_to_virt(pa);
	}
	return NULL;
}

static void correct_function(const struct pci_segment_ser *seg, const u64 *buses, u16 bdf)
{
	struct pci_function_ser *leaf = page_at(buses[bdf >> 8], PCI_SER_LEAF_SIZE);
	struct pci_sriov_ser *sriov = page_at(buses[PCI_SER_BUSES + (bdf >> 8)],
					      PCI_SER_LEAF_SIZE);
	pci_ser_key_t key = PCI_SER_KEY(seg->domain, bdf);

	if (leaf)
		leaf[(u8)bdf].checksum = test_entry_checksum(key, &leaf[(u8)bdf]);
	if (leaf && leaf[(u8)bdf].flags & PCI_SER_PF && sriov)
		sriov[(u8)bdf].checksum = test_sriov_checksum(key, &sriov[(u8)bdf]);
}

/* Correct the entries of the first functions. Returns the number of all functions. */
static unsigned int correct_functions(const struct pci_segment_ser *seg, u8 options)
{
	const u64 *bitmap = page_at(seg->bitmap, PCI_SER_BITMAP_SIZE);
	const u64 *buses = page_at(seg->buses, PCI_SER_BUSES_SIZE);
	unsigned int nr = 0;

	for (unsigned int i = 0; bitmap && i < PCI_SER_BITMAP_SIZE / 8; i++) {
		for (u64 word = bitmap[i]; word; word &= word - 1) {
			if (buses && options & INPUT_CHECKSUMS && nr < 16)
				correct_function(seg, buses, 64 * i + __builtin_ctzll(word));
			nr++;
		}
	}
	return nr;
}

static void correct_segment(struct pci_segment_ser *seg, u8 options, u64 *sum)
{
	unsigned int weight = correct_functions(seg, options);

	if (options & INPUT_COUNTS)
		seg->nr_devices = weight;
	if (options & INPUT_CHECKSUMS)
		seg->checksum = test_segment_checksum(seg);
	*sum += seg->nr_devices;
}

static void correct(u8 options)
{
	struct pci_ser *root = phys_to_virt(pages[options >> 4]);
	struct kho_block_header_ser *block = page_at(root->segments, KHO_BLOCK_SIZE);
	u32 left = root->nr_segments;
	u64 sum = 0;

	for (unsigned int n = 0; block && left && n < MAX_BLOCKS; n++) {
		struct pci_segment_ser *seg = (struct pci_segment_ser *)(block + 1);
		u32 nr = left < SEGMENTS_PER_BLOCK ? left : SEGMENTS_PER_BLOCK;

		for (u32 i = 0; i < nr; i++)
			correct_segment(&seg[i], options, &sum);
		if (options & INPUT_COUNTS)
			block->count = nr;
		left -= nr;
		block = page_at(block->next, KHO_BLOCK_SIZE);
	}
	if (options & INPUT_COUNTS)
		root->nr_devices = sum;
	if (options & INPUT_CHECKSUMS)
		root->checksum = test_root_checksum(root);
}

static void make_record(const u8 *data, size_t size)
{
	struct change change;

	if (data[0] & INPUT_BLANK) {
		for (unsigned int page = 0; page < NR_PAGES; page++)
			memset(phys_to_virt(pages[page]), 0, page_size(page));
	}
	for (size_t i = 1; i + 8 <= size; i += 8) {
		change = parse_change(data + i);
		apply(&change);
	}
	if (data[0] & (INPUT_CHECKSUMS | INPUT_COUNTS))
		correct(data[0]);
	nr_restored = kho_shim_count(KHO_SHIM_RESTORED);
}

/* Use */

/* Copy a function to the record for the next kernel. */
static void carry_over(struct pci_liveupdate_index *to, pci_ser_key_t key,
		       const struct pci_function_ser *entry,
		       const struct pci_sriov_ser *sriov)
{
	int err;

	if (sriov)
		err = pci_liveupdate_index_add_pf(to, key, entry, sriov);
	else
		err = pci_liveupdate_index_add(to, key, entry);
	CHECK_EQ(err, 0);
}

/* Returns the state of a PF, or NULL if it is damaged. */
static const struct pci_sriov_ser *use_pf(struct pci_liveupdate_index *index,
					  const struct pci_liveupdate_slot *slot,
					  pci_ser_key_t key, bool count)
{
	struct pci_liveupdate_damage damage = { };
	const struct pci_sriov_ser *sriov;

	sriov = pci_liveupdate_index_sriov(index, slot, &damage);
	if (IS_ERR(sriov)) {
		CHECK(damage.field && damage.rule && damage.in_segment);
		return NULL;
	}
	if (count)
		CHECK(pci_liveupdate_index_count_vfs(index, key, sriov) <=
		      sriov->num_vfs);
	pci_liveupdate_index_set_flags(slot, PCI_SER_IMPLIED, count);
	pci_liveupdate_index_set_sriov(slot, &(struct pci_sriov_ser) {
		.max_bus = sriov->max_bus });
	return sriov;
}

static void use_function(struct pci_liveupdate_index *index,
			 struct pci_liveupdate_index *to, pci_ser_key_t key,
			 unsigned int nr)
{
	struct pci_liveupdate_damage damage = { };
	const struct pci_function_ser *entry;
	const struct pci_sriov_ser *sriov = NULL;
	struct pci_liveupdate_slot slot;

	ASSERT(pci_liveupdate_index_find(index, key, &slot));
	entry = pci_liveupdate_index_entry(index, &slot, &damage);
	if (IS_ERR(entry)) {
		CHECK(damage.field && damage.rule && damage.in_segment);
		return;
	}

	if (entry->flags & PCI_SER_PF)
		sriov = use_pf(index, &slot, key, nr < MAX_COUNTED);
	if (!!(entry->flags & PCI_SER_PF) == !!sriov) {
		carry_over(to, key, entry, sriov);
		pci_liveupdate_index_mark(&slot, true);
		CHECK(pci_liveupdate_index_entry(index, &slot, &damage) == entry);
	}
	if (nr % 3 == 2)
		pci_liveupdate_index_remove(index, &slot);
}

static void use(struct pci_liveupdate_index *index)
{
	struct pci_liveupdate_index *to = pci_liveupdate_index_create();
	unsigned int nr = 0;
	pci_ser_key_t key;

	ASSERT(!IS_ERR(to));
	CHECK(pci_liveupdate_index_size(index) >= 2 * PAGE_SIZE ||
	      !index->ser->nr_segments);
	pci_liveupdate_index_for_each(index, key) {
		CHECK(pci_liveupdate_index_any(index, PCI_SER_KEY_DOMAIN(key), 0, 255));
		use_function(index, to, key, nr);
		if (++nr == MAX_USED)
			break;
	}
	CHECK(pci_liveupdate_index_count_marked(index) <= nr);
	pci_liveupdate_index_destroy(index);
	pci_liveupdate_index_destroy(to);
}

/* The record must be unchanged, unless the index detected a page used twice. */
static void check_refused(int err, const struct pci_liveupdate_damage *damage,
			  u64 checksum)
{
	CHECK(damage->field && damage->rule);
	if (err == -EBUSY)
		return;
	CHECK_EQ(kho_shim_checksum(), checksum);
	CHECK_EQ(kho_shim_count(KHO_SHIM_RESTORED), nr_restored);
}

int input_run(const u8 *data, size_t size)
{
	struct pci_liveupdate_damage damage = { };
	struct pci_liveupdate_index *index;
	u64 checksum;
	int err;

	if (!size)
		return -ENODATA;
	if (!image)
		make_image();

	make_record(data, size);
	checksum = kho_shim_checksum();
	if (data[0] & INPUT_WITHOUT_IOV)
		index = restore_without_iov(pages[data[0] >> 4], &damage);
	else
		index = pci_liveupdate_index_restore(pages[data[0] >> 4], &damage);
	err = PTR_ERR_OR_ZERO(index);
	if (err) {
		check_refused(err, &damage, checksum);
	} else {
		use(index);
		CHECK_EQ(kho_shim_count(KHO_SHIM_RESTORED), nr_restored);
	}

	CHECK_EQ(heap_shim_count(), 0);
	CHECK_EQ(log_shim_take_warnings(), 0);
	log_shim_take_messages();
	/* Dies if the index has left a page of its own. */
	kho_shim_rewind(image);
	return err;
}
