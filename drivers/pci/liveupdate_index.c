// SPDX-License-Identifier: GPL-2.0
/*
 * The index of preserved PCI functions.
 */

/**
 * DOC: PCI live update index
 *
 * The index maps (domain, BDF) to what the next kernel must know to leave the
 * function alone. It is a pure map: it knows nothing of devices, of policy or
 * of LUO. The pages it is made of are the record that crosses the kexec, see
 * include/linux/kho/abi/pci.h: nothing is left to serialize at the end.
 *
 * Outgoing kernel: pci_liveupdate_index_create() makes an empty index, and
 * pci_liveupdate_index_add() and pci_liveupdate_index_remove() keep it. Adding
 * allocates for the first function of a segment and of a bus, and never for
 * the others.
 *
 * Incoming kernel: pci_liveupdate_index_restore() first walks the record and
 * changes nothing, then takes its pages over. It reads the root, the blocks of
 * segments, the bitmaps and the directories of buses, so that its cost does
 * not depend on how many functions are preserved. An entry is checked when
 * pci_liveupdate_index_entry() is asked for it, until its function is marked.
 *
 * Beside the record an index keeps, in ordinary memory, a map from domain to
 * segment, on the incoming side a bitmap of the functions that were found, and
 * in each segment a summary of the buses in use, which is what makes
 * pci_liveupdate_index_any() cheap. A bus that has lost its last function stays
 * in the summary until somebody asks about it: that is when its half of a cache
 * line of the bitmap is looked at, and not at each removal.
 *
 * Unhappy paths: an addition that fails leaves the index as it was. A record
 * that is refused stays in its pages for good, since a record that lies about
 * its functions may lie about its pages as well. Without memory for its blocks
 * there is one exception: kho_block_set_restore() frees those itself.
 */

#define pr_fmt(fmt) "PCI: liveupdate: " fmt

#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/align.h>
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/kho_block.h>
#include <linux/kho/abi/pci.h>
#include <linux/math.h>
#include <linux/mm.h>
#include <linux/pci_ids.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/xarray.h>
#include <uapi/linux/pci_regs.h>

#include "liveupdate_index.h"

#define BDF_BUS(bdf)	((u8)((bdf) >> 8))
#define BDF_DEVFN(bdf)	((u8)(bdf))

/**
 * struct pci_liveupdate_segment - One segment of an index.
 * @ser:    Its entry in the record.
 * @bitmap: One bit for each BDF that is preserved; a page of the record.
 * @buses:  Directory of the leaves; a page of the record.
 * @marks:  One bit for each BDF that is marked; incoming only. It says nothing
 *          of a function that has been removed: nothing is added to an index
 *          in which functions are marked, so that removing need not touch it.
 * @busy:   One bit for each bus that may have preserved functions: whoever asks
 *          about a bus takes it off if the last one has been removed.
 */
struct pci_liveupdate_segment {
	struct pci_segment_ser *ser;
	unsigned long *bitmap;
	u64 *buses;
	unsigned long *marks;
	DECLARE_BITMAP(busy, PCI_SER_BUSES);
};

/* The record holds 64-bit words; the bitmap functions want unsigned long. */
static_assert(sizeof(unsigned long) == sizeof(u64));

/* All memory that the next kernel gets, but for the blocks. */
VISIBLE_IF_KUNIT void *pci_liveupdate_index_alloc_pages(size_t size)
{
	KUNIT_STATIC_STUB_REDIRECT(pci_liveupdate_index_alloc_pages, size);

	return kho_alloc_preserve(size);
}

static inline struct pci_liveupdate_segment *
index_low_segment(struct pci_liveupdate_index *index, u32 domain)
{
	return domain < PCI_LIVEUPDATE_LOW_DOMAINS ? index->low[domain] : NULL;
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

/* The part of the bitmap that a bus has. */
static const unsigned long *
segment_functions(const struct pci_liveupdate_segment *seg, u8 bus)
{
	return seg->bitmap + bus * BITS_TO_LONGS(PCI_SER_DEVFNS);
}

static struct pci_function_ser *segment_leaf(struct pci_liveupdate_segment *seg,
					     u8 bus)
{
	return phys_to_virt(seg->buses[bus]);
}

static int segment_add_leaf(struct pci_liveupdate_segment *seg, u8 bus)
{
	void *leaf;

	if (seg->buses[bus])
		return 0;

	leaf = pci_liveupdate_index_alloc_pages(PCI_SER_LEAF_SIZE);
	if (IS_ERR(leaf))
		return PTR_ERR(leaf);

	seg->buses[bus] = virt_to_phys(leaf);
	return 0;
}

static void segment_free_outgoing(struct pci_liveupdate_segment *seg)
{
	for (int bus = 0; bus < PCI_SER_BUSES; bus++) {
		if (seg->buses[bus])
			kho_unpreserve_free(segment_leaf(seg, bus));
	}
	kho_unpreserve_free(seg->buses);
	kho_unpreserve_free(seg->bitmap);
	kfree(seg);
}

static struct pci_liveupdate_segment *segment_alloc_outgoing(u8 bus)
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
	if (err)
		goto err_free_buses;

	return seg;

err_free_buses:
	kho_unpreserve_free(seg->buses);
err_free_bitmap:
	kho_unpreserve_free(seg->bitmap);
err_free_segment:
	kfree(seg);
	return ERR_PTR(err);
}

/*
 * The leaf of the first bus comes with the segment, so that a segment is in the
 * record only once nothing can fail any more: an entry cannot be taken back out
 * of a block set.
 */
static struct pci_liveupdate_segment *
index_add_segment(struct pci_liveupdate_index *index, u32 domain, u8 bus)
{
	struct pci_liveupdate_segment *seg;
	int err;

	seg = segment_alloc_outgoing(bus);
	if (IS_ERR(seg))
		return seg;

	err = kho_block_set_grow(&index->block_set,
				 (u64)index->ser->nr_segments + 1);
	if (err)
		goto err_free_segment;

	err = index_insert(index, domain, seg);
	if (err)
		goto err_shrink;

	/* An iterator over an empty set stays at its end when the set grows. */
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
	index->ser->segments = kho_block_set_head_pa(&index->block_set);
	index->ser->nr_segments++;
	return seg;

err_erase:
	index_erase(index, domain);
err_shrink:
	/* The next kernel refuses a block without an entry. */
	kho_block_set_shrink(&index->block_set, index->ser->nr_segments);
err_free_segment:
	segment_free_outgoing(seg);
	return ERR_PTR(err);
}

static struct pci_liveupdate_index *index_alloc(bool incoming)
{
	struct pci_liveupdate_index *index = kzalloc_obj(*index);

	if (!index)
		return NULL;

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

	ser->version = PCI_SER_VERSION;
	index->ser = ser;
	return index;
}

/*
 * A leaf is taken over only here, unread and perhaps never checked: whatever is
 * wrong with its address must not hurt a kernel that is done with the record.
 */
static void segment_free_incoming(struct pci_liveupdate_segment *seg, u32 domain)
{
	for (int bus = 0; bus < PCI_SER_BUSES; bus++) {
		u64 leaf_pa = seg->buses[bus];

		if (!leaf_pa)
			continue;
		if (kho_is_restorable(leaf_pa, PCI_SER_LEAF_SIZE))
			kho_restore_free(phys_to_virt(leaf_pa));
		else
			pr_warn("leaf of bus %02x in segment %04x at %#llx is not preserved memory, not freed\n",
				bus, domain, leaf_pa);
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
 * Context: Process context. May sleep. Nobody else uses @index any more.
 */
void pci_liveupdate_index_destroy(struct pci_liveupdate_index *index)
{
	struct pci_liveupdate_segment *seg;
	unsigned long domain;

	if (!index)
		return;

	/*
	 * Blocks before leaves: should a damaged directory name a block as a
	 * leaf, then the block is no longer restorable when its turn comes.
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
 * All that can fail when a function is added, but for its being there already.
 * Returns the segment, on whose bus there is going to be a function.
 */
static noinline struct pci_liveupdate_segment *
index_make_room(struct pci_liveupdate_index *index, u32 domain, u8 bus)
{
	struct pci_liveupdate_segment *seg = index_segment(index, domain);
	int err;

	if (!seg) {
		seg = index_add_segment(index, domain, bus);
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

/* Whether the function was not there yet. There is room for it. */
static inline bool index_set(struct pci_liveupdate_index *index,
			     struct pci_liveupdate_segment *seg, u16 bdf)
{
	if (__test_and_set_bit(bdf, seg->bitmap))
		return false;

	seg->ser->nr_devices++;
	index->ser->nr_devices++;
	return true;
}

static inline int index_put(struct pci_liveupdate_index *index,
			    struct pci_liveupdate_segment *seg, u16 bdf,
			    const struct pci_function_ser *entry)
{
	if (!index_set(index, seg, bdf))
		return -EEXIST;

	segment_leaf(seg, BDF_BUS(bdf))[BDF_DEVFN(bdf)] = *entry;
	return 0;
}

/* The first function of a segment or of a bus, or any of a high domain. */
static noinline int index_put_first(struct pci_liveupdate_index *index,
				    u32 domain, u16 bdf,
				    const struct pci_function_ser *entry)
{
	struct pci_liveupdate_segment *seg;

	seg = index_make_room(index, domain, BDF_BUS(bdf));
	return IS_ERR(seg) ? PTR_ERR(seg) : index_put(index, seg, bdf, entry);
}

/**
 * pci_liveupdate_index_add - Add a function.
 * @index:  An outgoing index.
 * @domain: Segment number.
 * @bdf:    Bus << 8 | devfn.
 * @entry:  What is known of the function; copied.
 *
 * Context: Process context. May sleep. The caller excludes all other users of
 *          @index.
 * Return: 0, or with nothing changed:
 *         -EEXIST if the function is there already;
 *         -ENOMEM if there is no memory;
 *         -ENOSPC if there are too many segments for a block set;
 *         another negative errno if KHO cannot preserve a page.
 */
int pci_liveupdate_index_add(struct pci_liveupdate_index *index, u32 domain,
			     u16 bdf, const struct pci_function_ser *entry)
{
	struct pci_liveupdate_segment *seg = index_low_segment(index, domain);

	/* This is most of them. */
	if (likely(seg && test_bit(BDF_BUS(bdf), seg->busy)))
		return index_put(index, seg, bdf, entry);

	return index_put_first(index, domain, bdf, entry);
}

static inline bool index_clear(struct pci_liveupdate_index *index,
			       struct pci_liveupdate_segment *seg, u16 bdf)
{
	if (!test_bit(bdf, seg->bitmap))
		return false;

	/* The bit last: __test_and_clear_bit() was measured a fifth slower. */
	index->ser->nr_devices--;
	seg->ser->nr_devices--;
	__clear_bit(bdf, seg->bitmap);
	return true;
}

static noinline bool index_clear_high(struct pci_liveupdate_index *index,
				      u32 domain, u16 bdf)
{
	struct pci_liveupdate_segment *seg = index_segment(index, domain);

	return seg && index_clear(index, seg, bdf);
}

/**
 * pci_liveupdate_index_remove - Remove a function.
 * @index:  An index.
 * @domain: Segment number.
 * @bdf:    Bus << 8 | devfn.
 *
 * Context: Any. The caller excludes all other users of @index.
 * Return: Whether the function was there.
 */
bool pci_liveupdate_index_remove(struct pci_liveupdate_index *index,
				 u32 domain, u16 bdf)
{
	struct pci_liveupdate_segment *seg = index_low_segment(index, domain);

	if (likely(seg))
		return index_clear(index, seg, bdf);

	return index_clear_high(index, domain, bdf);
}

/**
 * pci_liveupdate_index_contains - Ask whether a function is there.
 * @index:  An index.
 * @domain: Segment number.
 * @bdf:    Bus << 8 | devfn.
 *
 * Context: Any. The caller excludes writers.
 * Return: Whether the function is there.
 */
bool pci_liveupdate_index_contains(struct pci_liveupdate_index *index,
				   u32 domain, u16 bdf)
{
	struct pci_liveupdate_segment *seg = index_segment(index, domain);

	return seg && test_bit(bdf, seg->bitmap);
}

/**
 * pci_liveupdate_index_any - Ask whether there is a function on some buses.
 * @index:     An index.
 * @domain:    Segment number.
 * @first_bus: First bus of the range.
 * @last_bus:  Last bus of the range; the range is empty if it is less than
 *             @first_bus.
 *
 * Everything below a bridge lies on its secondary to its subordinate bus, so
 * this is whether the bridge has anything left to carry.
 *
 * Context: Any. The caller excludes all other users of @index.
 * Return: Whether there is a function on any of these buses.
 */
bool pci_liveupdate_index_any(struct pci_liveupdate_index *index,
			      u32 domain, u8 first_bus, u8 last_bus)
{
	struct pci_liveupdate_segment *seg = index_segment(index, domain);
	unsigned int bus = first_bus;

	if (!seg)
		return false;

	for_each_set_bit_from(bus, seg->busy, last_bus + 1U) {
		if (!bitmap_empty(segment_functions(seg, bus), PCI_SER_DEVFNS))
			return true;
		__clear_bit(bus, seg->busy);
	}

	return false;
}

/**
 * pci_liveupdate_index_next - Find the first function from a position on.
 * @index: An index.
 * @pos:   In: where to start. Out: where the function is.
 *
 * Context: Any. The caller excludes writers.
 * Return: Whether there is one. If not, @pos is undefined.
 */
bool pci_liveupdate_index_next(struct pci_liveupdate_index *index, u64 *pos)
{
	unsigned long domain = *pos >> 16;
	unsigned long bdf = PCI_LIVEUPDATE_POS_BDF(*pos);
	struct pci_liveupdate_segment *seg;

	for (seg = xa_find(&index->segments, &domain, U32_MAX, XA_PRESENT);
	     seg;
	     seg = xa_find_after(&index->segments, &domain, U32_MAX,
				 XA_PRESENT)) {
		if (domain != *pos >> 16)
			bdf = 0;
		bdf = find_next_bit(seg->bitmap, PCI_SER_BDFS, bdf);
		if (bdf < PCI_SER_BDFS) {
			*pos = PCI_LIVEUPDATE_POS(domain, bdf);
			return true;
		}
	}

	return false;
}

static u64 allocated_size(size_t size)
{
	return PAGE_SIZE << get_order(size);
}

/**
 * pci_liveupdate_index_size - Measure the record.
 * @index: An index.
 *
 * Context: Any. The caller excludes writers.
 * Return: The size in bytes of all pages that the record takes.
 */
u64 pci_liveupdate_index_size(struct pci_liveupdate_index *index)
{
	struct pci_liveupdate_segment *seg;
	unsigned long domain;
	u64 size;

	size = allocated_size(sizeof(*index->ser));
	size += index->block_set.nblocks * allocated_size(KHO_BLOCK_SIZE);
	xa_for_each(&index->segments, domain, seg) {
		size += allocated_size(PCI_SER_BITMAP_SIZE);
		size += allocated_size(PCI_SER_BUSES_SIZE);
		for (int bus = 0; bus < PCI_SER_BUSES; bus++) {
			if (seg->buses[bus])
				size += allocated_size(PCI_SER_LEAF_SIZE);
		}
	}

	return size;
}

/* Of a function that is there. */
static bool is_marked(const struct pci_liveupdate_segment *seg, u16 bdf)
{
	return seg->marks && test_bit(bdf, seg->marks);
}

/**
 * pci_liveupdate_index_mark - Note something about a function.
 * @index:  An incoming index.
 * @domain: Segment number.
 * @bdf:    Bus << 8 | devfn of a function that is there.
 * @mark:   Whether it is to be marked.
 *
 * What a mark means is the caller's business. It is not part of the record. Only
 * what pci_liveupdate_index_entry() has found no fault with may be marked.
 *
 * Context: Any. The caller excludes all other users of @index.
 */
void pci_liveupdate_index_mark(struct pci_liveupdate_index *index, u32 domain,
			       u16 bdf, bool mark)
{
	struct pci_liveupdate_segment *seg = index_segment(index, domain);

	if (WARN_ON_ONCE(!seg || !seg->marks || !test_bit(bdf, seg->bitmap)))
		return;

	__assign_bit(bdf, seg->marks, mark);
}

/**
 * pci_liveupdate_index_marked - Ask whether a function is marked.
 * @index:  An index.
 * @domain: Segment number.
 * @bdf:    Bus << 8 | devfn.
 *
 * Context: Any. The caller excludes writers.
 * Return: Whether the function is there and marked.
 */
bool pci_liveupdate_index_marked(struct pci_liveupdate_index *index,
				 u32 domain, u16 bdf)
{
	struct pci_liveupdate_segment *seg = index_segment(index, domain);

	return seg && test_bit(bdf, seg->bitmap) && is_marked(seg, bdf);
}

/**
 * pci_liveupdate_index_count_marked - Count the functions that are marked.
 * @index: An index.
 *
 * This looks at each segment as a whole.
 *
 * Context: Any. The caller excludes writers.
 * Return: The number of functions that are there and marked.
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

/* @domain is NULL for a field that does not belong to a segment. */
static int damaged(struct pci_liveupdate_damage *damage, int err,
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

/* Everything in a record that is an address is the start of a KHO allocation. */
static int check_address(u64 pa, size_t size, const char *field,
			 const u32 *domain,
			 struct pci_liveupdate_damage *damage)
{
	if (!IS_ALIGNED(pa, PAGE_SIZE))
		return damaged(damage, -EINVAL, field, domain, pa,
			       "a multiple of", PAGE_SIZE);
	if (!kho_is_restorable(pa, size))
		return damaged(damage, -EFAULT, field, domain, pa,
			       "preserved memory of a size in bytes of", size);
	return 0;
}

static int check_function(const struct pci_function_ser *entry,
			  const u32 *domain, u16 bdf,
			  struct pci_liveupdate_damage *damage)
{
	bool bridge = entry->hdr_type == PCI_HEADER_TYPE_BRIDGE;

	if (!bridge && entry->hdr_type != PCI_HEADER_TYPE_NORMAL)
		return damaged(damage, -EBADMSG, "hdr_type", domain,
			       entry->hdr_type, "at most",
			       PCI_HEADER_TYPE_BRIDGE);

	if (!entry->vendor || entry->vendor == U16_MAX)
		return damaged(damage, -EBADMSG, "vendor", domain,
			       entry->vendor, "other than 0 and", U16_MAX);

	for (int i = 0; i < PCI_SER_NR_BARS; i++) {
		bool used = !bridge || i < 2 || i == PCI_SER_ROM;

		if (entry->bar_shift[i] >= (used ? 64 : 1))
			return damaged(damage, -EBADMSG, "bar_shift", domain,
				       entry->bar_shift[i], "less than",
				       used ? 64 : 1);
	}

	if (bridge && entry->secondary <= BDF_BUS(bdf))
		return damaged(damage, -EBADMSG, "secondary", domain,
			       entry->secondary, "more than", BDF_BUS(bdf));
	if (bridge && entry->subordinate < entry->secondary)
		return damaged(damage, -EBADMSG, "subordinate", domain,
			       entry->subordinate, "at least",
			       entry->secondary);
	if (!bridge && (entry->secondary || entry->subordinate))
		return damaged(damage, -EBADMSG, "secondary and subordinate",
			       domain, entry->secondary << 8 |
			       entry->subordinate, "exactly", 0);

	if (entry->flags & ~PCI_SER_INTX_BROKEN)
		return damaged(damage, -EBADMSG, "flags", domain, entry->flags,
			       "no bits but those of", PCI_SER_INTX_BROKEN);

	if (entry->reserved)
		return damaged(damage, -EBADMSG, "reserved", domain,
			       entry->reserved,
			       "exactly", 0);
	return 0;
}

/**
 * pci_liveupdate_index_entry - Get what is known of a function.
 * @index:  An index.
 * @domain: Segment number.
 * @bdf:    Bus << 8 | devfn.
 * @damage: Set if the record turns out to be damaged.
 *
 * Context: Any. The caller excludes writers.
 * Return: The entry, valid until the function is removed, or an ERR_PTR():
 *         -ENOENT if the function is not there;
 *         -EINVAL if the address of the leaf is misaligned;
 *         -EFAULT if it is not preserved memory;
 *         -EBADMSG if a field of the entry is out of its range.
 */
const struct pci_function_ser *
pci_liveupdate_index_entry(struct pci_liveupdate_index *index,
			   u32 domain, u16 bdf,
			   struct pci_liveupdate_damage *damage)
{
	struct pci_liveupdate_segment *seg = index_segment(index, domain);
	const struct pci_function_ser *entry;
	u8 bus = BDF_BUS(bdf);
	bool unchecked;
	int err;

	if (!seg || !test_bit(bdf, seg->bitmap))
		return ERR_PTR(-ENOENT);

	/* Whoever marks a function has asked for its entry. */
	unchecked = index->incoming && !is_marked(seg, bdf);
	if (unchecked) {
		err = check_address(seg->buses[bus], PCI_SER_LEAF_SIZE,
				    "buses[] entry", &domain, damage);
		if (err)
			return ERR_PTR(err);
	}

	entry = &segment_leaf(seg, bus)[BDF_DEVFN(bdf)];
	if (unchecked) {
		err = check_function(entry, &domain, bdf, damage);
		if (err)
			return ERR_PTR(err);
	}

	return entry;
}

/* Count a bitmap, bus by bus, and check it against what the record says. */
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
			return damaged(damage, -ENXIO, "buses[] entry", domain,
				       0, "the leaf of bus", bus);
	}

	if (weight != seg->ser->nr_devices)
		return damaged(damage, -EUCLEAN, "nr_devices", domain,
			       seg->ser->nr_devices,
			       "the weight of the bitmap,", weight);
	return 0;
}

/* Look at one segment of a record without changing the record. */
static int index_read_segment(struct pci_liveupdate_index *index,
			      struct pci_segment_ser *ser,
			      struct pci_liveupdate_damage *damage)
{
	struct pci_liveupdate_segment *seg;
	int err;

	err = check_address(ser->bitmap, PCI_SER_BITMAP_SIZE, "bitmap",
			    &ser->domain, damage);
	if (err)
		return err;
	err = check_address(ser->buses, PCI_SER_BUSES_SIZE, "buses",
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

	err = segment_count(seg, damage);
	if (err)
		goto err_free;

	err = index_insert(index, ser->domain, seg);
	if (err == -EBUSY)
		err = damaged(damage, -EEXIST, "domain", &ser->domain,
			      ser->domain, "a segment that was not there before,",
			      ser->domain);
	if (err)
		goto err_free;

	return 0;

err_free:
	bitmap_free(seg->marks);
	kfree(seg);
	return err;
}

/* Look at one block of segments; returns how many there are, or an errno. */
static int index_read_block(struct pci_liveupdate_index *index, u64 block_pa,
			    const char *field, u64 left,
			    struct pci_liveupdate_damage *damage)
{
	struct kho_block_header_ser *block;
	struct pci_segment_ser *ser;
	u64 expected;
	int err;

	err = check_address(block_pa, KHO_BLOCK_SIZE, field, NULL, damage);
	if (err)
		return err;

	block = phys_to_virt(block_pa);
	expected = min(left, index->block_set.count_per_block);
	if (block->count != expected)
		return damaged(damage, -ERANGE, "count of a block", NULL,
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
 * Look at the whole record without changing it. Each block is checked before it
 * is followed, and there are exactly as many as nr_segments need, so that a
 * cycle comes to an end as well.
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
			return damaged(damage, -ENODATA, field, NULL, 0,
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
		return damaged(damage, -ELOOP, field, NULL, block_pa,
			       "the end of the chain,", 0);

	xa_for_each(&index->segments, domain, seg)
		sum += seg->ser->nr_devices;
	if (sum != root->nr_devices)
		return damaged(damage, -EOVERFLOW, "nr_devices of the root", NULL,
			       root->nr_devices, "the sum of all segments,",
			       sum);
	return 0;
}

/*
 * Taking a page over makes it an ordinary one, so that a page which the record
 * uses twice is no longer restorable the second time.
 */
static int take_over(void *mem, size_t size, const char *field,
		     const u32 *domain, struct pci_liveupdate_damage *damage)
{
	u64 pa = virt_to_phys(mem);

	if (!kho_is_restorable(pa, size) || !kho_restore_folio(pa))
		return damaged(damage, -EBUSY, field, domain, pa,
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

	err = take_over(index->ser, sizeof(*index->ser), "root", NULL, damage);
	if (err)
		return err;

	xa_for_each(&index->segments, domain, seg) {
		err = take_over(seg->bitmap, PCI_SER_BITMAP_SIZE, "bitmap",
				&seg->ser->domain, damage);
		if (err)
			return err;
		err = take_over(seg->buses, PCI_SER_BUSES_SIZE, "buses",
				&seg->ser->domain, damage);
		if (err)
			return err;
	}

	/* The set takes its blocks over when it is destroyed. */
	list_for_each_entry(block, &index->block_set.blocks, list) {
		u64 pa = virt_to_phys(block->ser);

		if (!kho_is_restorable(pa, KHO_BLOCK_SIZE))
			return damaged(damage, -EBUSY, "next of a block", NULL,
				       pa, "used once, in bytes",
				       KHO_BLOCK_SIZE);
	}

	return 0;
}

/* Forget a record that was refused, and leave its pages where they are. */
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
 * pci_liveupdate_index_restore - Read what the previous kernel left.
 * @root_pa: Physical address of its &struct pci_ser.
 * @damage:  Set on every error but -ENOMEM: what is wrong with the record.
 *
 * Context: Process context. May sleep.
 * Return: The index, or an ERR_PTR():
 *         -EINVAL if an address is misaligned;
 *         -EFAULT if an address is not preserved memory of the right size;
 *         -EPROTONOSUPPORT if the version is not PCI_SER_VERSION;
 *         -ERANGE if a block has not as many segments as it should;
 *         -ENODATA if the chain of blocks ends too early;
 *         -ELOOP if it goes on after the last segment, or in a circle;
 *         -ENOSPC if it is longer than a block set can be;
 *         -EEXIST if two segments have the same domain;
 *         -ENXIO if a bus has preserved functions but no leaf;
 *         -EUCLEAN if a count of a segment is not the weight of its bitmap;
 *         -EOVERFLOW if the count of the root is not the sum of the segments';
 *         -EBUSY if memory is used twice;
 *         -ENOMEM if there is no memory.
 */
struct pci_liveupdate_index *
pci_liveupdate_index_restore(u64 root_pa, struct pci_liveupdate_damage *damage)
{
	struct pci_liveupdate_index *index;
	struct pci_ser *root;
	int err;

	err = check_address(root_pa, sizeof(*root), "root", NULL, damage);
	if (err)
		return ERR_PTR(err);

	root = phys_to_virt(root_pa);
	if (root->version != PCI_SER_VERSION) {
		err = damaged(damage, -EPROTONOSUPPORT, "version", NULL,
			      root->version, "exactly", PCI_SER_VERSION);
		return ERR_PTR(err);
	}

	index = index_alloc(true);
	if (!index)
		return ERR_PTR(-ENOMEM);
	index->ser = root;

	err = index_read(index, damage);
	if (err)
		goto err_abandon;

	err = kho_block_set_restore(&index->block_set, root->segments);
	if (err) {
		damaged(damage, err, "nr_segments", NULL, root->nr_segments,
			"what a block set can hold, such as", 1);
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
