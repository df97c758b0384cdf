// SPDX-License-Identifier: GPL-2.0
/*
 * PCI live update: index of preserved functions.
 */

/**
 * DOC: PCI live update index
 *
 * The index maps a pci_ser_key_t to the entry of a function, which has the data
 * that the next kernel needs to leave the function alone. It does not depend on
 * devices, policy or LUO. Its pages are the record that crosses the kexec, see
 * include/linux/kho/abi/pci.h, so that there is no serialization step.
 *
 * Outgoing kernel: pci_liveupdate_index_create() makes an empty index, and
 * pci_liveupdate_index_add() and pci_liveupdate_index_remove() change it. Adding
 * allocates memory only for the first function of a segment and of a bus.
 *
 * Incoming kernel: pci_liveupdate_index_restore() walks the record without
 * changing it, and then takes over its pages. It reads the root, the blocks of
 * segments, the bitmaps and the directories of buses, so its cost does not depend
 * on the number of functions. pci_liveupdate_index_entry() checks the entry of a
 * function on each call until the function is marked.
 *
 * pci_liveupdate_index_find() looks up a function and fills in a slot. The slot
 * avoids further lookups until the function is removed.
 *
 * A PF is added with pci_liveupdate_index_add_pf(), together with its SR-IOV state.
 * VFs are functions like others: the caller adds the PF as well.
 *
 * An index also has state outside of the record: a map from domain to segment, a
 * bitmap of marked functions on the incoming side, and a bitmap of buses with
 * functions for each segment. The latter makes pci_liveupdate_index_any() cheap.
 * Only adding and removing functions updates it: queries don't write.
 *
 * Unhappy paths: a failed addition does not change the index. The pages of a
 * refused record are not freed, since its addresses may be wrong. One exception:
 * kho_block_set_restore() frees the blocks if it cannot allocate memory.
 */

#define pr_fmt(fmt) "PCI: liveupdate: " fmt

#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/align.h>
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/crc32.h>
#include <linux/crc8.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/kconfig.h>
#include <linux/kexec_handover.h>
#include <linux/kho_block.h>
#include <linux/kho/abi/pci.h>
#include <linux/math.h>
#include <linux/mm.h>
#include <linux/pci_ids.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include "liveupdate_index.h"

/*
 * Version of this kernel as writer and as reader. The test option makes two
 * kernels of the same source differ in version, with compatible records.
 */
#define INDEX_VERSION							\
	(PCI_SER_VERSION + IS_ENABLED(CONFIG_PCI_LIVEUPDATE_TEST_NEXT_VERSION))

#define BDF_BUS(bdf)	((u8)((bdf) >> 8))
#define BDF_DEVFN(bdf)	((u8)(bdf))

/**
 * struct pci_liveupdate_segment - One segment of an index.
 * @ser:    Its entry in the record.
 * @bitmap: One bit for each preserved BDF; a page of the record.
 * @buses:  Directory of the leaves; a page of the record.
 * @marks:  One bit for each marked BDF; incoming only. Removing a function does
 *          not clear its bit, which is ignored without a bit in @bitmap.
 * @busy:   One bit for each bus with a function in @bitmap.
 */
struct pci_liveupdate_segment {
	struct pci_segment_ser *ser;
	unsigned long *bitmap;
	u64 *buses;
	unsigned long *marks;
	DECLARE_BITMAP(busy, PCI_SER_BUSES);
};

/* The record has 64-bit words, and bitmap functions use unsigned long. */
static_assert(sizeof(unsigned long) == sizeof(u64));

/* Checksums, see include/linux/kho/abi/pci.h */

DECLARE_CRC8_TABLE(record_crc8_table);

/* No index exists before its table, so nothing reads the table meanwhile. */
static void record_init_checksums(void)
{
	if (!record_crc8_table[1])
		crc8_populate_lsb(record_crc8_table, PCI_SER_CRC_POLYNOMIAL);
}

static u32 record_root_checksum(const struct pci_ser *root)
{
	return crc32c(~0, root, offsetof(struct pci_ser, checksum));
}

static u32 record_segment_checksum(const struct pci_segment_ser *ser)
{
	return crc32c(~0, ser, offsetof(struct pci_segment_ser, checksum));
}

static u8 record_crc8(pci_ser_key_t key, const void *ser, size_t size, u8 crc)
{
	const void *bytes = &key;

	crc = crc8(record_crc8_table, bytes, PCI_SER_KEY_SIZE, crc);
	return crc8(record_crc8_table, ser, size, crc);
}

static u8 record_entry_checksum(pci_ser_key_t key,
				const struct pci_function_ser *entry)
{
	return record_crc8(key, entry, offsetof(struct pci_function_ser, checksum),
			   PCI_SER_CRC_FUNCTION);
}

static u8 record_sriov_checksum(pci_ser_key_t key,
				const struct pci_sriov_ser *sriov)
{
	return record_crc8(key, sriov, offsetof(struct pci_sriov_ser, checksum),
			   PCI_SER_CRC_SRIOV);
}

/* Allocate pages of the record other than blocks. */
VISIBLE_IF_KUNIT void *pci_liveupdate_index_alloc_pages(size_t size)
{
	KUNIT_STATIC_STUB_REDIRECT(pci_liveupdate_index_alloc_pages, size);

	return kho_alloc_preserve(size);
}

static inline struct pci_liveupdate_segment *
index_segment(struct pci_liveupdate_index *index, u32 domain)
{
	if (likely(domain < PCI_LIVEUPDATE_LOW_DOMAINS))
		return index->low[domain];

	return xa_load(&index->segments, domain);
}

static int index_insert(struct pci_liveupdate_index *index, u32 domain,
			struct pci_liveupdate_segment *seg)
{
	int err = xa_insert(&index->segments, domain, seg, GFP_KERNEL);

	if (!err && domain < PCI_LIVEUPDATE_LOW_DOMAINS)
		index->low[domain] = seg;
	return err;
}

static void index_erase(struct pci_liveupdate_index *index, u32 domain)
{
	xa_erase(&index->segments, domain);
	if (domain < PCI_LIVEUPDATE_LOW_DOMAINS)
		index->low[domain] = NULL;
}

/* Get the bitmap of functions on one bus, PCI_SER_DEVFNS bits. */
static const unsigned long *
segment_functions(const struct pci_liveupdate_segment *seg, u8 bus)
{
	return seg->bitmap + bus * BITS_TO_LONGS(PCI_SER_DEVFNS);
}

/*
 * Check if @bdf is the last function on its bus. Test all words at once: branches
 * on each word would often be mispredicted in random order.
 */
static bool segment_is_last(const struct pci_liveupdate_segment *seg, u16 bdf)
{
	const unsigned long *words = segment_functions(seg, BDF_BUS(bdf));
	unsigned long others = words[BIT_WORD(BDF_DEVFN(bdf))] ^ BIT_MASK(bdf);

	for (int i = 1; i < BITS_TO_LONGS(PCI_SER_DEVFNS); i++)
		others |= words[(BIT_WORD(BDF_DEVFN(bdf)) + i) %
				BITS_TO_LONGS(PCI_SER_DEVFNS)];

	return !others;
}

static pci_ser_key_t segment_key(const struct pci_liveupdate_segment *seg, u16 bdf)
{
	return PCI_SER_KEY(seg->ser->domain, bdf);
}

static struct pci_function_ser *segment_entry(struct pci_liveupdate_segment *seg,
					      u16 bdf)
{
	struct pci_function_ser *leaf = phys_to_virt(seg->buses[BDF_BUS(bdf)]);

	return &leaf[BDF_DEVFN(bdf)];
}

static void segment_set_entry(struct pci_liveupdate_segment *seg, u16 bdf,
			      const struct pci_function_ser *entry)
{
	struct pci_function_ser *ser = segment_entry(seg, bdf);

	*ser = *entry;
	ser->checksum = record_entry_checksum(segment_key(seg, bdf), ser);
}

/* The second half of the directory has the leaves of PFs. */
static unsigned int sriov_leaf_number(u8 bus)
{
	return PCI_SER_BUSES + bus;
}

static struct pci_sriov_ser *segment_sriov(struct pci_liveupdate_segment *seg,
					   u16 bdf)
{
	struct pci_sriov_ser *leaf;

	leaf = phys_to_virt(seg->buses[sriov_leaf_number(BDF_BUS(bdf))]);
	return &leaf[BDF_DEVFN(bdf)];
}

static void segment_set_sriov(struct pci_liveupdate_segment *seg, u16 bdf,
			      const struct pci_sriov_ser *sriov)
{
	struct pci_sriov_ser *ser = segment_sriov(seg, bdf);

	*ser = *sriov;
	ser->checksum = record_sriov_checksum(segment_key(seg, bdf), ser);
}

/* Allocate a leaf, unless it is there. */
static int segment_add_leaf(struct pci_liveupdate_segment *seg, unsigned int n)
{
	void *leaf;

	if (seg->buses[n])
		return 0;

	leaf = pci_liveupdate_index_alloc_pages(PCI_SER_LEAF_SIZE);
	if (IS_ERR(leaf))
		return PTR_ERR(leaf);

	seg->buses[n] = virt_to_phys(leaf);
	return 0;
}

/* Free a leaf of an outgoing segment, if it is there. */
static void segment_drop_leaf(struct pci_liveupdate_segment *seg, unsigned int n)
{
	if (!seg->buses[n])
		return;

	kho_unpreserve_free(phys_to_virt(seg->buses[n]));
	seg->buses[n] = 0;
}

static void segment_free_outgoing(struct pci_liveupdate_segment *seg)
{
	for (int i = 0; i < PCI_SER_LEAVES; i++)
		segment_drop_leaf(seg, i);
	kho_unpreserve_free(seg->buses);
	kho_unpreserve_free(seg->bitmap);
	kfree(seg);
}

static struct pci_liveupdate_segment *segment_alloc_outgoing(u8 bus, bool pf)
{
	struct pci_liveupdate_segment *seg;
	int err;

	seg = kzalloc_obj(*seg);
	if (!seg)
		return ERR_PTR(-ENOMEM);

	seg->bitmap = pci_liveupdate_index_alloc_pages(PCI_SER_BITMAP_SIZE);
	if (IS_ERR(seg->bitmap)) {
		err = PTR_ERR(seg->bitmap);
		goto err_free_segment;
	}

	seg->buses = pci_liveupdate_index_alloc_pages(PCI_SER_BUSES_SIZE);
	if (IS_ERR(seg->buses)) {
		err = PTR_ERR(seg->buses);
		goto err_free_bitmap;
	}

	err = segment_add_leaf(seg, bus);
	if (!err && pf)
		err = segment_add_leaf(seg, sriov_leaf_number(bus));
	if (err) {
		segment_free_outgoing(seg);
		return ERR_PTR(err);
	}

	return seg;

err_free_bitmap:
	kho_unpreserve_free(seg->bitmap);
err_free_segment:
	kfree(seg);
	return ERR_PTR(err);
}

/*
 * Allocate the leaves of the first function together with the segment: a block set
 * cannot drop its last entry if a later allocation fails.
 */
static struct pci_liveupdate_segment *
index_add_segment(struct pci_liveupdate_index *index, u32 domain, u8 bus, bool pf)
{
	struct pci_liveupdate_segment *seg;
	int err;

	seg = segment_alloc_outgoing(bus, pf);
	if (IS_ERR(seg))
		return seg;

	err = kho_block_set_grow(&index->block_set,
				 (u64)index->ser->nr_segments + 1);
	if (err)
		goto err_free_segment;

	err = index_insert(index, domain, seg);
	if (err)
		goto err_shrink;

	/* An iterator of an empty set does not notice that the set grows */
	if (!index->it.block)
		kho_block_set_it_init(&index->it, &index->block_set);

	seg->ser = kho_block_set_it_reserve_entry(&index->it);
	if (WARN_ON_ONCE(!seg->ser)) {
		err = -ENOSPC;
		goto err_erase;
	}

	*seg->ser = (struct pci_segment_ser) {
		.domain = domain,
		.bitmap = virt_to_phys(seg->bitmap),
		.buses = virt_to_phys(seg->buses),
	};
	seg->ser->checksum = record_segment_checksum(seg->ser);
	index->ser->segments = kho_block_set_head_pa(&index->block_set);
	index->ser->nr_segments++;
	index->ser->checksum = record_root_checksum(index->ser);
	return seg;

err_erase:
	index_erase(index, domain);
err_shrink:
	/* The next kernel refuses an empty block */
	kho_block_set_shrink(&index->block_set, index->ser->nr_segments);
	if (!index->ser->nr_segments)
		kho_block_set_it_init(&index->it, &index->block_set);
err_free_segment:
	segment_free_outgoing(seg);
	return ERR_PTR(err);
}

static struct pci_liveupdate_index *index_alloc(bool incoming)
{
	struct pci_liveupdate_index *index = kzalloc_obj(*index);

	if (!index)
		return NULL;

	record_init_checksums();
	index->incoming = incoming;
	xa_init(&index->segments);
	kho_block_set_init(&index->block_set, sizeof(struct pci_segment_ser));
	kho_block_set_it_init(&index->it, &index->block_set);
	return index;
}

/**
 * pci_liveupdate_index_create - Make an empty index for the next kernel.
 *
 * Context: Process context. May sleep.
 * Return: The index, or an ERR_PTR():
 *         -ENOMEM if there is no memory;
 *         another negative errno if KHO cannot preserve it.
 */
struct pci_liveupdate_index *pci_liveupdate_index_create(void)
{
	struct pci_liveupdate_index *index;
	struct pci_ser *ser;

	index = index_alloc(false);
	if (!index)
		return ERR_PTR(-ENOMEM);

	ser = pci_liveupdate_index_alloc_pages(sizeof(*ser));
	if (IS_ERR(ser)) {
		kfree(index);
		return ERR_CAST(ser);
	}

	ser->version = INDEX_VERSION;
	ser->oldest_reader = PCI_SER_OLDEST_READER;
	ser->checksum = record_root_checksum(ser);
	index->ser = ser;
	return index;
}

/*
 * Addresses of leaves may be unchecked, since only pci_liveupdate_index_entry()
 * checks them. Don't free a leaf at a wrong address.
 */
static void segment_free_incoming(struct pci_liveupdate_segment *seg, u32 domain)
{
	for (int i = 0; i < PCI_SER_LEAVES; i++) {
		u64 leaf_pa = seg->buses[i];

		if (!leaf_pa)
			continue;
		if (kho_is_restorable(leaf_pa, PCI_SER_LEAF_SIZE))
			kho_restore_free(phys_to_virt(leaf_pa));
		else
			pr_warn("leaf of bus %02x in segment %04x at %#llx is not preserved memory, not freed\n",
				i % PCI_SER_BUSES, domain, leaf_pa);
	}
	folio_put(virt_to_folio(seg->buses));
	folio_put(virt_to_folio(seg->bitmap));
	bitmap_free(seg->marks);
	kfree(seg);
}

/**
 * pci_liveupdate_index_destroy - Free an index and its record.
 * @index: An index, or NULL.
 *
 * Context: Process context. May sleep. The caller excludes all other users of
 *          @index.
 */
void pci_liveupdate_index_destroy(struct pci_liveupdate_index *index)
{
	struct pci_liveupdate_segment *seg;
	unsigned long domain;

	if (!index)
		return;

	/*
	 * Free blocks before leaves: if a damaged directory has the address of a
	 * block, the block is no longer restorable and is not freed twice.
	 */
	kho_block_set_destroy(&index->block_set);
	xa_for_each(&index->segments, domain, seg) {
		if (index->incoming)
			segment_free_incoming(seg, domain);
		else
			segment_free_outgoing(seg);
	}
	xa_destroy(&index->segments);

	if (index->incoming)
		folio_put(virt_to_folio(index->ser));
	else
		kho_unpreserve_free(index->ser);
	kfree(index);
}

/*
 * Allocate memory for the first function of a bus. @seg is NULL for the first
 * function of a segment.
 */
static noinline struct pci_liveupdate_segment *
index_make_room(struct pci_liveupdate_index *index,
		struct pci_liveupdate_segment *seg, u32 domain, u8 bus)
{
	int err;

	if (!seg) {
		seg = index_add_segment(index, domain, bus, false);
		if (IS_ERR(seg))
			return seg;
	} else {
		err = segment_add_leaf(seg, bus);
		if (err)
			return ERR_PTR(err);
	}

	__set_bit(bus, seg->busy);
	return seg;
}

/*
 * Set the bit of a function after allocating its leaf. Returns the segment, or an
 * ERR_PTR() with nothing changed.
 */
static __always_inline struct pci_liveupdate_segment *
index_set(struct pci_liveupdate_index *index, pci_ser_key_t key)
{
	u32 domain = PCI_SER_KEY_DOMAIN(key);
	u16 bdf = PCI_SER_KEY_BDF(key);
	struct pci_liveupdate_segment *seg = index_segment(index, domain);

	if (unlikely(!seg || !test_bit(BDF_BUS(bdf), seg->busy))) {
		seg = index_make_room(index, seg, domain, BDF_BUS(bdf));
		if (IS_ERR(seg))
			return seg;
	}

	if (__test_and_set_bit(bdf, seg->bitmap))
		return ERR_PTR(-EEXIST);

	seg->ser->nr_devices++;
	index->ser->nr_devices++;
	return seg;
}

/**
 * pci_liveupdate_index_add - Add a function.
 * @index: An outgoing index.
 * @key:   The function.
 * @entry: Its entry; copied, with a checksum.
 *
 * Context: Process context. May sleep. The caller excludes all other users of
 *          @index.
 * Return: 0, or with nothing changed:
 *         -EEXIST if @index contains the function already;
 *         -ENOMEM if there is no memory;
 *         -ENOSPC if there are too many segments for a block set;
 *         another negative errno if KHO cannot preserve a page.
 */
int pci_liveupdate_index_add(struct pci_liveupdate_index *index,
			     pci_ser_key_t key,
			     const struct pci_function_ser *entry)
{
	struct pci_liveupdate_segment *seg = index_set(index, key);
	u16 bdf = PCI_SER_KEY_BDF(key);

	if (IS_ERR(seg))
		return PTR_ERR(seg);

	segment_set_entry(seg, bdf, entry);
	return 0;
}

static void index_set_features(struct pci_liveupdate_index *index, u64 features)
{
	index->ser->features = features;
	index->ser->checksum = record_root_checksum(index->ser);
}

/**
 * pci_liveupdate_index_add_pf - Add a PF with its SR-IOV state.
 * @index: An outgoing index.
 * @key:   The PF.
 * @entry: Its entry with PCI_SER_PF; copied, with a checksum.
 * @sriov: Its SR-IOV state; copied, with a checksum.
 *
 * Context: Process context. May sleep. The caller excludes all other users of
 *          @index.
 * Return: As pci_liveupdate_index_add().
 */
int pci_liveupdate_index_add_pf(struct pci_liveupdate_index *index,
				pci_ser_key_t key,
				const struct pci_function_ser *entry,
				const struct pci_sriov_ser *sriov)
{
	u32 domain = PCI_SER_KEY_DOMAIN(key);
	u16 bdf = PCI_SER_KEY_BDF(key);
	struct pci_liveupdate_segment *seg = index_segment(index, domain);
	unsigned int n = sriov_leaf_number(BDF_BUS(bdf));
	bool new_leaf;
	int err;

	if (!seg) {
		seg = index_add_segment(index, domain, BDF_BUS(bdf), true);
		if (IS_ERR(seg))
			return PTR_ERR(seg);
	}

	new_leaf = !seg->buses[n];
	err = segment_add_leaf(seg, n);
	if (err)
		return err;

	err = pci_liveupdate_index_add(index, key, entry);
	if (err) {
		if (new_leaf)
			segment_drop_leaf(seg, n);
		return err;
	}

	index->nr_pfs++;
	segment_set_sriov(seg, bdf, sriov);
	index_set_features(index, PCI_SER_FEATURE_SRIOV);
	return 0;
}

/**
 * pci_liveupdate_index_find - Look up a function.
 * @index: An index.
 * @key:   The function.
 * @slot:  Set if @index contains the function.
 *
 * Context: Any. The caller excludes writers.
 * Return: true if @index contains the function.
 */
bool pci_liveupdate_index_find(struct pci_liveupdate_index *index,
			       pci_ser_key_t key,
			       struct pci_liveupdate_slot *slot)
{
	struct pci_liveupdate_segment *seg;
	u16 bdf = PCI_SER_KEY_BDF(key);

	seg = index_segment(index, PCI_SER_KEY_DOMAIN(key));
	if (!seg || !test_bit(bdf, seg->bitmap))
		return false;

	slot->segment = seg;
	slot->bdf = bdf;
	return true;
}

/*
 * An older kernel can read the record again after the last PF is removed, but it
 * refuses a record with leaves of PFs.
 */
static void index_forget_sriov(struct pci_liveupdate_index *index)
{
	struct pci_liveupdate_segment *seg;
	unsigned long domain;

	xa_for_each(&index->segments, domain, seg) {
		for (int i = PCI_SER_BUSES; i < PCI_SER_LEAVES; i++)
			segment_drop_leaf(seg, i);
	}
	index_set_features(index, 0);
}

static noinline void index_forget_pf(struct pci_liveupdate_index *index,
				     const struct pci_liveupdate_slot *slot)
{
	const struct pci_function_ser *entry;

	entry = segment_entry(slot->segment, slot->bdf);
	if (entry->flags & PCI_SER_PF && !--index->nr_pfs)
		index_forget_sriov(index);
}

/**
 * pci_liveupdate_index_remove - Remove a function.
 * @index: An index.
 * @slot:  A function of @index; invalid after this call.
 *
 * Context: Process context. May sleep. The caller excludes all other users of
 *          @index.
 */
void pci_liveupdate_index_remove(struct pci_liveupdate_index *index,
				 const struct pci_liveupdate_slot *slot)
{
	struct pci_liveupdate_segment *seg = slot->segment;

	if (WARN_ON_ONCE(!test_bit(slot->bdf, seg->bitmap)))
		return;

	if (unlikely(index->nr_pfs))
		index_forget_pf(index, slot);
	if (segment_is_last(seg, slot->bdf))
		__clear_bit(BDF_BUS(slot->bdf), seg->busy);
	__clear_bit(slot->bdf, seg->bitmap);
	seg->ser->nr_devices--;
	index->ser->nr_devices--;
}

/**
 * pci_liveupdate_index_any - Check if a range of buses has a function.
 * @index:     An index.
 * @domain:    Segment number.
 * @first_bus: First bus of the range.
 * @last_bus:  Last bus of the range; the range is empty if this is less than
 *             @first_bus.
 *
 * Devices below a bridge are on the buses from its secondary to its subordinate
 * number, so one call finds out if a bridge has preserved functions below.
 *
 * Context: Any. The caller excludes writers.
 * Return: true if a bus in the range has a function.
 */
bool pci_liveupdate_index_any(struct pci_liveupdate_index *index,
			      u32 domain, u8 first_bus, u8 last_bus)
{
	const struct pci_liveupdate_segment *seg = index_segment(index, domain);
	unsigned int end = last_bus + 1U;

	return seg && find_next_bit(seg->busy, end, first_bus) < end;
}

/**
 * pci_liveupdate_index_next - Find the first function at or after a key.
 * @index: An index.
 * @key:   In: the first key to check. Out: the function.
 *
 * Context: Any. The caller excludes writers.
 * Return: true if a function was found. Otherwise @key is undefined.
 */
bool pci_liveupdate_index_next(struct pci_liveupdate_index *index,
			       pci_ser_key_t *key)
{
	unsigned long domain = *key >> 16;
	unsigned long bdf = PCI_SER_KEY_BDF(*key);
	struct pci_liveupdate_segment *seg;

	for (seg = xa_find(&index->segments, &domain, U32_MAX, XA_PRESENT);
	     seg;
	     seg = xa_find_after(&index->segments, &domain, U32_MAX,
				 XA_PRESENT)) {
		if (domain != *key >> 16)
			bdf = 0;
		bdf = find_next_bit(seg->bitmap, PCI_SER_BDFS, bdf);
		if (bdf < PCI_SER_BDFS) {
			*key = PCI_SER_KEY(domain, bdf);
			return true;
		}
	}

	return false;
}

static u64 record_allocated_size(size_t size)
{
	return PAGE_SIZE << get_order(size);
}

/**
 * pci_liveupdate_index_size - Get the size of the record.
 * @index: An index.
 *
 * Context: Any. The caller excludes writers.
 * Return: The size in bytes of all pages of the record.
 */
u64 pci_liveupdate_index_size(struct pci_liveupdate_index *index)
{
	struct pci_liveupdate_segment *seg;
	unsigned long domain;
	u64 size;

	size = record_allocated_size(sizeof(*index->ser));
	size += index->block_set.nblocks * record_allocated_size(KHO_BLOCK_SIZE);
	xa_for_each(&index->segments, domain, seg) {
		size += record_allocated_size(PCI_SER_BITMAP_SIZE);
		size += record_allocated_size(PCI_SER_BUSES_SIZE);
		for (int i = 0; i < PCI_SER_LEAVES; i++) {
			if (seg->buses[i])
				size += record_allocated_size(PCI_SER_LEAF_SIZE);
		}
	}

	return size;
}

static bool segment_is_marked(const struct pci_liveupdate_segment *seg, u16 bdf)
{
	return seg->marks && test_bit(bdf, seg->marks);
}

/**
 * pci_liveupdate_index_mark - Mark or unmark a function.
 * @slot: A function of an incoming index.
 * @mark: true to mark the function, false to unmark it.
 *
 * The mark has no meaning for the index and is not in the record. Only mark a
 * function after pci_liveupdate_index_entry() has returned its entry: the entry of
 * a marked function is not checked again.
 *
 * Context: Any. The caller excludes all other users of the index.
 */
void pci_liveupdate_index_mark(const struct pci_liveupdate_slot *slot, bool mark)
{
	struct pci_liveupdate_segment *seg = slot->segment;

	if (WARN_ON_ONCE(!seg->marks || !test_bit(slot->bdf, seg->bitmap)))
		return;

	__assign_bit(slot->bdf, seg->marks, mark);
}

/**
 * pci_liveupdate_index_marked - Check if a function is marked.
 * @slot: A function.
 *
 * Context: Any. The caller excludes writers.
 * Return: true if the function is marked.
 */
bool pci_liveupdate_index_marked(const struct pci_liveupdate_slot *slot)
{
	return segment_is_marked(slot->segment, slot->bdf);
}

/**
 * pci_liveupdate_index_count_marked - Count the marked functions.
 * @index: An index.
 *
 * This walks the bitmaps of all segments.
 *
 * Context: Any. The caller excludes writers.
 * Return: The number of marked functions.
 */
u64 pci_liveupdate_index_count_marked(struct pci_liveupdate_index *index)
{
	struct pci_liveupdate_segment *seg;
	unsigned long domain;
	u64 count = 0;

	xa_for_each(&index->segments, domain, seg) {
		if (seg->marks)
			count += bitmap_weight_and(seg->bitmap, seg->marks,
						   PCI_SER_BDFS);
	}

	return count;
}

/* Fill in @damage and return @err. @domain is NULL if @field is not of a segment. */
static int record_damaged(struct pci_liveupdate_damage *damage, int err,
			  const char *field, const u32 *domain, u64 found,
		   const char *rule, u64 expected)
{
	*damage = (struct pci_liveupdate_damage) {
		.field = field,
		.in_segment = domain,
		.domain = domain ? *domain : 0,
		.found = found,
		.rule = rule,
		.expected = expected,
	};
	return err;
}

/* Each address in a record is the start of a KHO allocation. */
static int record_check_address(u64 pa, size_t size, const char *field,
				const u32 *domain,
			 struct pci_liveupdate_damage *damage)
{
	if (!IS_ALIGNED(pa, PAGE_SIZE))
		return record_damaged(damage, -EINVAL, field, domain, pa,
			       "a multiple of", PAGE_SIZE);
	if (!kho_is_restorable(pa, size))
		return record_damaged(damage, -EFAULT, field, domain, pa,
			       "preserved memory of a size in bytes of", size);
	return 0;
}

/* The last check of a structure */
static int record_check_checksum(u32 found, u32 expected, const char *field,
				 const u32 *domain,
				 struct pci_liveupdate_damage *damage)
{
	if (found == expected)
		return 0;
	return record_damaged(damage, -EBADMSG, field, domain, found, "exactly",
			      expected);
}

/*
 * A function is a bridge, a VF, a PF or none of these, and only a PF can be implied
 * or let drivers bind to its VFs.
 */
static u8 record_allowed_flags(const struct pci_ser *root,
			       const struct pci_function_ser *entry)
{
	if (entry->flags & PCI_SER_BRIDGE)
		return PCI_SER_INTX_BROKEN | PCI_SER_BRIDGE;
	if (!(root->features & PCI_SER_FEATURE_SRIOV))
		return PCI_SER_INTX_BROKEN;
	if (entry->flags & PCI_SER_VF)
		return PCI_SER_INTX_BROKEN | PCI_SER_VF;
	if (entry->flags & PCI_SER_PF)
		return PCI_SER_INTX_BROKEN | PCI_SER_PF | PCI_SER_IMPLIED |
		       PCI_SER_AUTOPROBE;
	return PCI_SER_INTX_BROKEN;
}

/* Check if an entry may have the size of a BAR. */
static bool record_may_have_bar(const struct pci_function_ser *entry, int bar)
{
	if (entry->flags & PCI_SER_VF)
		return false;
	return !(entry->flags & PCI_SER_BRIDGE) || bar < 2 || bar == PCI_SER_ROM;
}

static int record_check_bus_numbers(const struct pci_function_ser *entry,
				    const u32 *domain, u8 bus,
				    struct pci_liveupdate_damage *damage)
{
	bool bridge = entry->flags & PCI_SER_BRIDGE;

	if (bridge && entry->secondary <= bus)
		return record_damaged(damage, -EBADMSG, "secondary", domain,
				      entry->secondary, "more than", bus);
	if (bridge && entry->subordinate < entry->secondary)
		return record_damaged(damage, -EBADMSG, "subordinate", domain,
				      entry->subordinate, "at least",
				      entry->secondary);
	if (!bridge && (entry->secondary || entry->subordinate))
		return record_damaged(damage, -EBADMSG, "secondary and subordinate",
				      domain, entry->secondary << 8 |
				      entry->subordinate, "exactly", 0);
	return 0;
}

static int record_check_entry(const struct pci_ser *root,
			      const struct pci_function_ser *entry,
			      const u32 *domain, u16 bdf,
			      struct pci_liveupdate_damage *damage)
{
	u8 flags = record_allowed_flags(root, entry);
	int err;

	if (!entry->vendor || entry->vendor == U16_MAX)
		return record_damaged(damage, -EBADMSG, "vendor", domain,
				      entry->vendor, "other than 0 and", U16_MAX);

	/* The flags decide which BARs the function may have. */
	if (entry->flags & ~flags)
		return record_damaged(damage, -EBADMSG, "flags", domain,
				      entry->flags, "no bits but those of", flags);

	for (int i = 0; i < PCI_SER_NR_BARS; i++) {
		u8 limit = record_may_have_bar(entry, i) ? 64 : 1;

		if (entry->bar_shift[i] >= limit)
			return record_damaged(damage, -EBADMSG, "bar_shift", domain,
					      entry->bar_shift[i], "less than",
					      limit);
	}

	err = record_check_bus_numbers(entry, domain, BDF_BUS(bdf), damage);
	if (err)
		return err;

	if (entry->reserved)
		return record_damaged(damage, -EBADMSG, "reserved", domain,
				      entry->reserved, "exactly", 0);
	return record_check_checksum(entry->checksum,
				     record_entry_checksum(PCI_SER_KEY(*domain, bdf),
							   entry),
				     "checksum", domain, damage);
}

/**
 * pci_liveupdate_index_entry - Get the entry of a function.
 * @index:  An index.
 * @slot:   A function of @index.
 * @damage: Set if the record turns out to be damaged.
 *
 * On the incoming side, check the address of the leaf and the entry, unless the
 * function is marked.
 *
 * Context: Any. The caller excludes writers.
 * Return: The entry, valid until the function is removed, or an ERR_PTR():
 *         -EINVAL if the address of the leaf is misaligned;
 *         -EFAULT if it is not preserved memory;
 *         -EBADMSG if a field of the entry is out of its range, or the checksum is
 *         wrong.
 */
const struct pci_function_ser *
pci_liveupdate_index_entry(struct pci_liveupdate_index *index,
			   const struct pci_liveupdate_slot *slot,
			   struct pci_liveupdate_damage *damage)
{
	struct pci_liveupdate_segment *seg = slot->segment;
	const u32 *domain = &seg->ser->domain;
	const struct pci_function_ser *entry;
	bool unchecked;
	int err;

	unchecked = index->incoming && !segment_is_marked(seg, slot->bdf);
	if (unchecked) {
		err = record_check_address(seg->buses[BDF_BUS(slot->bdf)],
					   PCI_SER_LEAF_SIZE, "buses[] entry",
					   domain, damage);
		if (err)
			return ERR_PTR(err);
	}

	entry = segment_entry(seg, slot->bdf);
	if (unchecked) {
		err = record_check_entry(index->ser, entry, domain, slot->bdf,
					 damage);
		if (err)
			return ERR_PTR(err);
	}

	return entry;
}

/* Check that all VFs have a routing ID, and on a bus that the PF may use. */
static int record_check_vf_ids(const struct pci_sriov_ser *sriov,
			       const u32 *domain, u16 bdf,
			       struct pci_liveupdate_damage *damage)
{
	u32 last = bdf + sriov->offset + sriov->stride * (sriov->num_vfs - 1U);

	if (!sriov->offset)
		return record_damaged(damage, -EBADMSG, "offset of VFs", domain,
				      0, "at least", 1);
	if (sriov->num_vfs > 1 && !sriov->stride)
		return record_damaged(damage, -EBADMSG, "stride of VFs", domain,
				      0, "at least", 1);
	if (last >> 8 > sriov->max_bus)
		return record_damaged(damage, -EBADMSG, "max_bus", domain,
				      sriov->max_bus, "at least", last >> 8);
	return 0;
}

static int record_check_sriov(const struct pci_sriov_ser *sriov,
			      const u32 *domain, u16 bdf,
			      struct pci_liveupdate_damage *damage)
{
	int err;

	for (int i = 0; i < PCI_SER_NR_VF_BARS; i++) {
		u8 shift = sriov->bar_shift[i];

		/* PCIe r6.0, sec 9.3.3.14: at least the System Page Size */
		if (shift && (shift < 12 || shift > 63))
			return record_damaged(damage, -EBADMSG, "bar_shift of VFs",
					      domain, shift, "0, or from 12 to",
					      63);
	}

	if (sriov->max_bus < BDF_BUS(bdf))
		return record_damaged(damage, -EBADMSG, "max_bus", domain,
				      sriov->max_bus, "at least", BDF_BUS(bdf));

	err = sriov->num_vfs ? record_check_vf_ids(sriov, domain, bdf, damage) : 0;
	if (err)
		return err;

	return record_check_checksum(sriov->checksum,
				     record_sriov_checksum(PCI_SER_KEY(*domain, bdf),
							   sriov),
				     "checksum of VFs", domain, damage);
}

/**
 * pci_liveupdate_index_sriov - Get the SR-IOV state of a PF.
 * @index:  An index.
 * @slot:   A function of @index whose entry has PCI_SER_PF.
 * @damage: Set if the record turns out to be damaged.
 *
 * On the incoming side, check the address of the leaf and the state, unless the
 * function is marked.
 *
 * Context: Any. The caller excludes writers.
 * Return: The state, valid until the function is removed, or an ERR_PTR() as
 *         pci_liveupdate_index_entry().
 */
const struct pci_sriov_ser *
pci_liveupdate_index_sriov(struct pci_liveupdate_index *index,
			   const struct pci_liveupdate_slot *slot,
			   struct pci_liveupdate_damage *damage)
{
	struct pci_liveupdate_segment *seg = slot->segment;
	const u32 *domain = &seg->ser->domain;
	const struct pci_sriov_ser *sriov;
	unsigned int n = sriov_leaf_number(BDF_BUS(slot->bdf));
	int err;

	if (!index->incoming || segment_is_marked(seg, slot->bdf))
		return segment_sriov(seg, slot->bdf);

	err = record_check_address(seg->buses[n], PCI_SER_LEAF_SIZE,
				   "buses[] entry of PFs", domain, damage);
	if (err)
		return ERR_PTR(err);

	sriov = segment_sriov(seg, slot->bdf);
	err = record_check_sriov(sriov, domain, slot->bdf, damage);
	return err ? ERR_PTR(err) : sriov;
}

/**
 * pci_liveupdate_index_set_sriov - Replace the SR-IOV state of a PF.
 * @slot:  A function whose entry has PCI_SER_PF and was checked.
 * @sriov: The new state; copied, with a checksum.
 *
 * Context: Any. The caller excludes all other users of the index.
 */
void pci_liveupdate_index_set_sriov(const struct pci_liveupdate_slot *slot,
				    const struct pci_sriov_ser *sriov)
{
	segment_set_sriov(slot->segment, slot->bdf, sriov);
}

/**
 * pci_liveupdate_index_set_flags - Set or clear flags of a PF.
 * @slot:  A function whose entry has PCI_SER_PF and was checked.
 * @flags: PCI_SER_IMPLIED, PCI_SER_AUTOPROBE or both.
 * @set:   true to set these flags, false to clear them.
 *
 * Context: Any. The caller excludes all other users of the index.
 */
void pci_liveupdate_index_set_flags(const struct pci_liveupdate_slot *slot,
				    u8 flags, bool set)
{
	struct pci_function_ser entry = *segment_entry(slot->segment, slot->bdf);

	if (set)
		entry.flags |= flags;
	else
		entry.flags &= ~flags;
	segment_set_entry(slot->segment, slot->bdf, &entry);
}

/**
 * pci_liveupdate_index_count_vfs - Count the VFs of a PF.
 * @index: An index.
 * @pf:    The PF.
 * @sriov: Its SR-IOV state.
 *
 * Context: Any. The caller excludes writers.
 * Return: The number of functions at the routing IDs of VFs of @pf.
 */
u32 pci_liveupdate_index_count_vfs(struct pci_liveupdate_index *index,
				   pci_ser_key_t pf,
				   const struct pci_sriov_ser *sriov)
{
	struct pci_liveupdate_slot slot;
	u32 count = 0;

	for (u32 i = 0; i < sriov->num_vfs; i++) {
		pci_ser_key_t key = pf + sriov->offset + i * sriov->stride;

		count += pci_liveupdate_index_find(index, key, &slot);
	}

	return count;
}

/* Check leaves and nr_devices against the bitmap, and fill in the busy buses. */
static int segment_count(struct pci_liveupdate_segment *seg,
			 struct pci_liveupdate_damage *damage)
{
	const u32 *domain = &seg->ser->domain;
	u32 weight = 0;

	for (int bus = 0; bus < PCI_SER_BUSES; bus++) {
		unsigned int nr = bitmap_weight(segment_functions(seg, bus),
						PCI_SER_DEVFNS);

		if (!nr)
			continue;

		__set_bit(bus, seg->busy);
		weight += nr;
		if (!seg->buses[bus])
			return record_damaged(damage, -ENXIO, "buses[] entry", domain,
				       0, "the leaf of bus", bus);
	}

	if (weight != seg->ser->nr_devices)
		return record_damaged(damage, -EUCLEAN, "nr_devices", domain,
			       seg->ser->nr_devices,
			       "the weight of the bitmap,", weight);
	return 0;
}

/* A record without PFs has no leaves of PFs. */
static int segment_check_sriov(const struct pci_liveupdate_segment *seg,
			       const struct pci_ser *root,
			       struct pci_liveupdate_damage *damage)
{
	if (root->features & PCI_SER_FEATURE_SRIOV)
		return 0;

	for (int i = PCI_SER_BUSES; i < PCI_SER_LEAVES; i++) {
		if (seg->buses[i])
			return record_damaged(damage, -EBADMSG,
					      "buses[] entry of PFs",
					      &seg->ser->domain, seg->buses[i],
					      "exactly", 0);
	}

	return 0;
}

/* Read one segment of a record without changing the record. */
static int index_read_segment(struct pci_liveupdate_index *index,
			      struct pci_segment_ser *ser,
			      struct pci_liveupdate_damage *damage)
{
	struct pci_liveupdate_segment *seg;
	int err;

	if (ser->reserved)
		return record_damaged(damage, -EBADMSG, "reserved", &ser->domain,
				      ser->reserved, "exactly", 0);
	err = record_check_address(ser->bitmap, PCI_SER_BITMAP_SIZE, "bitmap",
				   &ser->domain, damage);
	if (err)
		return err;
	err = record_check_address(ser->buses, PCI_SER_BUSES_SIZE, "buses",
				   &ser->domain, damage);
	if (err)
		return err;

	seg = kzalloc_obj(*seg);
	if (!seg)
		return -ENOMEM;
	seg->ser = ser;
	seg->bitmap = phys_to_virt(ser->bitmap);
	seg->buses = phys_to_virt(ser->buses);
	seg->marks = bitmap_zalloc(PCI_SER_BDFS, GFP_KERNEL);
	if (!seg->marks) {
		err = -ENOMEM;
		goto err_free;
	}

	err = segment_check_sriov(seg, index->ser, damage);
	if (err)
		goto err_free;

	err = segment_count(seg, damage);
	if (err)
		goto err_free;

	err = index_insert(index, ser->domain, seg);
	if (err == -EBUSY)
		err = record_damaged(damage, -EEXIST, "domain", &ser->domain,
				     ser->domain, "a segment that was not there before,",
			      ser->domain);
	if (err)
		goto err_free;

	return record_check_checksum(ser->checksum, record_segment_checksum(ser),
				     "checksum", &ser->domain, damage);

err_free:
	bitmap_free(seg->marks);
	kfree(seg);
	return err;
}

/* Read one block of segments. Returns the number of segments, or an errno. */
static int index_read_block(struct pci_liveupdate_index *index, u64 block_pa,
			    const char *field, u64 left,
			    struct pci_liveupdate_damage *damage)
{
	struct kho_block_header_ser *block;
	struct pci_segment_ser *ser;
	u64 expected;
	int err;

	err = record_check_address(block_pa, KHO_BLOCK_SIZE, field, NULL, damage);
	if (err)
		return err;

	block = phys_to_virt(block_pa);
	expected = min(left, index->block_set.count_per_block);
	if (block->count != expected)
		return record_damaged(damage, -ERANGE, "count of a block", NULL,
			       block->count, "exactly", expected);

	ser = (struct pci_segment_ser *)(block + 1);
	for (u64 i = 0; i < expected; i++) {
		err = index_read_segment(index, &ser[i], damage);
		if (err)
			return err;
	}

	return expected;
}

/*
 * Check if this kernel can read the record. All versions have the same layout of
 * the root; only read other parts after this check.
 */
static int record_check_root(const struct pci_ser *root,
			     struct pci_liveupdate_damage *damage)
{
	if (!root->version)
		return record_damaged(damage, -EPROTO, "version", NULL, 0,
				      "at least", 1);
	if (!root->oldest_reader)
		return record_damaged(damage, -EPROTO, "oldest_reader", NULL, 0,
				      "at least", 1);
	if (root->oldest_reader > root->version)
		return record_damaged(damage, -EPROTO, "oldest_reader", NULL,
				      root->oldest_reader, "at most",
				      root->version);
	if (root->oldest_reader > INDEX_VERSION)
		return record_damaged(damage, -EPROTONOSUPPORT,
				      "oldest_reader", NULL,
				      root->oldest_reader, "at most",
				      INDEX_VERSION);
	if (root->features & ~PCI_SER_FEATURES)
		return record_damaged(damage, -EPROTONOSUPPORT, "features",
				      NULL, root->features,
				      "no bits but those of", PCI_SER_FEATURES);
	return 0;
}

/*
 * Read the record without changing it. Check each block before following its
 * address, and stop after the blocks that nr_segments needs: the chain may have a
 * cycle.
 */
static int index_read(struct pci_liveupdate_index *index,
		      struct pci_liveupdate_damage *damage)
{
	const struct pci_ser *root = index->ser;
	u64 left = root->nr_segments;
	const char *field = "segments";
	u64 block_pa = root->segments;
	struct pci_liveupdate_segment *seg;
	unsigned long domain;
	u64 sum = 0;
	int n;

	while (left) {
		if (!block_pa)
			return record_damaged(damage, -ENODATA, field, NULL, 0,
				       "the address of more segments,", left);

		n = index_read_block(index, block_pa, field, left, damage);
		if (n < 0)
			return n;
		left -= n;
		field = "next of a block";
		block_pa = ((struct kho_block_header_ser *)
			    phys_to_virt(block_pa))->next;
	}

	if (block_pa)
		return record_damaged(damage, -ELOOP, field, NULL, block_pa,
			       "the end of the chain,", 0);

	xa_for_each(&index->segments, domain, seg)
		sum += seg->ser->nr_devices;
	if (sum != root->nr_devices)
		return record_damaged(damage, -EOVERFLOW, "nr_devices of the root", NULL,
			       root->nr_devices, "the sum of all segments,",
			       sum);
	return record_check_checksum(root->checksum, record_root_checksum(root),
				     "checksum of the root", NULL, damage);
}

/*
 * Take over one allocation. Its pages are no longer restorable after that, which
 * detects a second use in the record.
 */
static int record_take_over(void *mem, size_t size, const char *field,
			    const u32 *domain, struct pci_liveupdate_damage *damage)
{
	u64 pa = virt_to_phys(mem);

	if (!kho_is_restorable(pa, size) || !kho_restore_folio(pa))
		return record_damaged(damage, -EBUSY, field, domain, pa,
			       "used once, in bytes", size);
	return 0;
}

static int index_take_over(struct pci_liveupdate_index *index,
			   struct pci_liveupdate_damage *damage)
{
	struct pci_liveupdate_segment *seg;
	struct kho_block *block;
	unsigned long domain;
	int err;

	err = record_take_over(index->ser, sizeof(*index->ser), "root", NULL, damage);
	if (err)
		return err;

	xa_for_each(&index->segments, domain, seg) {
		err = record_take_over(seg->bitmap, PCI_SER_BITMAP_SIZE, "bitmap",
				       &seg->ser->domain, damage);
		if (err)
			return err;
		err = record_take_over(seg->buses, PCI_SER_BUSES_SIZE, "buses",
				       &seg->ser->domain, damage);
		if (err)
			return err;
	}

	/* kho_block_set_destroy() takes over the blocks */
	list_for_each_entry(block, &index->block_set.blocks, list) {
		u64 pa = virt_to_phys(block->ser);

		if (!kho_is_restorable(pa, KHO_BLOCK_SIZE))
			return record_damaged(damage, -EBUSY, "next of a block", NULL,
				       pa, "used once, in bytes",
				       KHO_BLOCK_SIZE);
	}

	return 0;
}

/* Free the index of a refused record without the pages of the record. */
static void index_abandon(struct pci_liveupdate_index *index)
{
	struct pci_liveupdate_segment *seg;
	struct kho_block *block, *tmp;
	unsigned long domain;

	xa_for_each(&index->segments, domain, seg) {
		bitmap_free(seg->marks);
		kfree(seg);
	}
	xa_destroy(&index->segments);
	list_for_each_entry_safe(block, tmp, &index->block_set.blocks, list)
		kfree(block);
	kfree(index);
}

/**
 * pci_liveupdate_index_restore - Read the record of the previous kernel.
 * @root_pa: Physical address of its &struct pci_ser.
 * @damage:  Set on every error but -ENOMEM.
 *
 * Context: Process context. May sleep.
 * Return: The index, or an ERR_PTR():
 *         -EINVAL if an address is misaligned;
 *         -EFAULT if an address is not preserved memory of the right size;
 *         -EPROTO if the versions in the record are impossible;
 *         -EPROTONOSUPPORT if this kernel is too old to read the record;
 *         -EBADMSG if a reserved field is not 0, or a checksum is wrong;
 *         -ERANGE if a block has a wrong number of segments;
 *         -ENODATA if the chain of blocks ends too early;
 *         -ELOOP if the chain continues after the last segment, or has a cycle;
 *         -ENOSPC if the chain is longer than a block set can be;
 *         -EEXIST if two segments have the same domain;
 *         -ENXIO if a bus has preserved functions but no leaf;
 *         -EUCLEAN if the count of a segment is not the weight of its bitmap;
 *         -EOVERFLOW if the count of the root is not the sum over all segments;
 *         -EBUSY if memory is used twice;
 *         -ENOMEM if there is no memory.
 */
struct pci_liveupdate_index *
pci_liveupdate_index_restore(u64 root_pa, struct pci_liveupdate_damage *damage)
{
	struct pci_liveupdate_index *index;
	struct pci_ser *root;
	int err;

	err = record_check_address(root_pa, sizeof(*root), "root", NULL, damage);
	if (err)
		return ERR_PTR(err);

	root = phys_to_virt(root_pa);
	err = record_check_root(root, damage);
	if (err)
		return ERR_PTR(err);

	index = index_alloc(true);
	if (!index)
		return ERR_PTR(-ENOMEM);
	index->ser = root;

	err = index_read(index, damage);
	if (err)
		goto err_abandon;

	err = kho_block_set_restore(&index->block_set, root->segments);
	if (err) {
		record_damaged(damage, err, "nr_segments", NULL, root->nr_segments,
			       "at most the capacity of a block set, such as", 1);
		goto err_abandon;
	}

	err = index_take_over(index, damage);
	if (err)
		goto err_abandon;

	return index;

err_abandon:
	index_abandon(index);
	return ERR_PTR(err);
}
