// SPDX-License-Identifier: GPL-2.0
/*
 * KHO in user space: preserved pages, and a kexec that hands them over.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sanitizer/asan_interface.h>

#include <linux/align.h>
#include <linux/bug.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kexec_handover.h>
#include <linux/log2.h>
#include <linux/mm.h>

#include "heap_shim.h"
#include "kho_shim.h"
#include "log_shim.h"

/*
 * 128 MiB: room for about fifty segments with a function on each bus. Such a segment
 * takes 2 + 1 + 256 pages, and a guard page for each allocation.
 */
#ifndef ARENA_PAGES
#define ARENA_PAGES	32768
#endif
#define ARENA_SIZE	(ARENA_PAGES * PAGE_SIZE)

/* Larger than each part of a record. */
#ifndef MAX_ORDER
#define MAX_ORDER	4
#endif

/*
 * One for each page. @head is the distance to the first page of the folio. The other
 * fields are valid in the first page only.
 */
struct folio {
	enum kho_shim_state state;
	unsigned int order;
	unsigned int head;
	bool used;
};

struct image_folio {
	struct folio *folio;
	struct folio saved;
	void *content;
};

struct kho_shim_image {
	unsigned long nr;
	unsigned long cursor;
	unsigned long unused;
	struct image_folio folios[];
};

static struct folio folios[ARENA_PAGES];
static unsigned long nr_folios[KHO_SHIM_NR_STATES];
static unsigned long nr_allocs;
static unsigned long cursor;

/* The first page that was never used. */
static unsigned long unused;

static void *arena;
static int alloc_error;
static bool blocks_are_full;

/*
 * Align the arena to its size, so that flipped bits of an address stay in the arena or
 * leave it in each run alike.
 */
static void arena_map(void)
{
	void *map;

	map = mmap(NULL, 2 * ARENA_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		log_shim_die("kho: cannot map the pages");
	arena = (void *)ALIGN((unsigned long)map, ARENA_SIZE);
#ifdef ARENA_LARGE_PAGES
	/* The kernel uses large pages too; a benchmark would measure the TLB. */
	madvise(arena, ARENA_SIZE, MADV_HUGEPAGE);
#endif
	ASAN_POISON_MEMORY_REGION(arena, ARENA_SIZE);
}

static void *folio_start(const struct folio *folio)
{
	return arena + (folio - folios) * PAGE_SIZE;
}

static size_t folio_bytes(const struct folio *folio)
{
	return PAGE_SIZE << folio->order;
}

static void folio_set_state(struct folio *folio, enum kho_shim_state state)
{
	nr_folios[folio->state]--;
	folio->state = state;
	nr_folios[folio->state]++;
}

static struct folio *folio_at(phys_addr_t phys)
{
	unsigned long page;

	if (!arena || phys < virt_to_phys(arena) ||
	    phys >= virt_to_phys(arena) + ARENA_SIZE)
		return NULL;

	page = (phys - virt_to_phys(arena)) / PAGE_SIZE;
	if (!folios[page].used)
		return NULL;
	return &folios[page - folios[page].head];
}

/* Return the folio that starts at this address, or NULL. */
static struct folio *folio_starting_at(phys_addr_t phys)
{
	struct folio *folio = folio_at(phys);

	return folio && virt_to_phys(folio_start(folio)) == phys ? folio : NULL;
}

static struct folio *folio_expect(const void *virt, enum kho_shim_state state,
				  const char *caller)
{
	struct folio *folio = folio_starting_at(virt_to_phys(virt));

	if (!folio)
		log_shim_die("kho: %s(%p): no folio starts there", caller, virt);
	if (folio->state != state)
		log_shim_die("kho: %s(%p): the folio is in state %d, not %d",
			     caller, virt, folio->state, state);
	return folio;
}

static void folio_use(struct folio *folio, unsigned int order,
		      enum kho_shim_state state)
{
	for (unsigned int i = 0; i < 1U << order; i++)
		folio[i] = (struct folio) { .head = i, .used = true };
	folio->order = order;
	folio->state = state;
	unused = max(unused, (unsigned long)(folio - folios) + (1UL << order));
	nr_folios[state]++;
	ASAN_UNPOISON_MEMORY_REGION(folio_start(folio), folio_bytes(folio));
}

static void folio_free(struct folio *folio)
{
	unsigned int nr = 1U << folio->order;

	ASAN_POISON_MEMORY_REGION(folio_start(folio), folio_bytes(folio));
	nr_folios[folio->state]--;
	memset(folio, 0, nr * sizeof(*folio));
}

static bool pages_are_free(unsigned long page, unsigned long nr)
{
	for (unsigned long i = page; i < page + nr; i++) {
		if (i >= ARENA_PAGES || folios[i].used)
			return false;
	}
	return true;
}

/*
 * Reuse freed folios as late as possible, and leave a free page behind each folio, so
 * that stale pointers and large indices hit poisoned memory.
 */
static struct folio *folio_find_free(unsigned int order)
{
	unsigned long nr = 1UL << order;
	unsigned long page = ALIGN(cursor, nr);

	for (unsigned long i = 0; i < ARENA_PAGES; i += nr, page += nr) {
		if (page >= ARENA_PAGES)
			page = 0;
		if (pages_are_free(page, nr + 1)) {
			cursor = page + nr + 1;
			return &folios[page];
		}
	}

	log_shim_die("kho: the arena is too small for this test");
}

int get_order(size_t size)
{
	size_t pages = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;

	return pages > 1 ? ilog2(pages - 1) + 1 : 0;
}

void *kho_alloc_preserve(size_t size)
{
	struct folio *folio;
	void *mem;

	if (!size)
		return ERR_PTR(-EINVAL);
	if (get_order(size) > MAX_ORDER)
		return ERR_PTR(-E2BIG);
	if (heap_shim_out_of_memory(HEAP_SHIM_PAGES))
		return ERR_PTR(alloc_error ?: -ENOMEM);

	if (!arena)
		arena_map();
	folio = folio_find_free(get_order(size));
	folio_use(folio, get_order(size), KHO_SHIM_OUTGOING);
	nr_allocs++;
	mem = folio_start(folio);
	memset(mem, 0, folio_bytes(folio));
	return mem;
}

void kho_unpreserve_free(void *mem)
{
	if (mem)
		folio_free(folio_expect(mem, KHO_SHIM_OUTGOING, __func__));
}

struct folio *kho_restore_folio(phys_addr_t phys)
{
	struct folio *folio = folio_expect(phys_to_virt(phys),
					   KHO_SHIM_HANDED_OVER, __func__);

	folio_set_state(folio, KHO_SHIM_RESTORED);
	return folio;
}

void kho_restore_free(void *mem)
{
	if (mem)
		folio_put(kho_restore_folio(virt_to_phys(mem)));
}

bool kho_is_restorable(phys_addr_t phys, size_t size)
{
	struct folio *folio = folio_starting_at(phys);

	return folio && folio->state == KHO_SHIM_HANDED_OVER &&
	       folio->order == get_order(size);
}

struct folio *virt_to_folio(const void *virt)
{
	struct folio *folio = folio_at(virt_to_phys(virt));

	if (!folio)
		log_shim_die("kho: %s(%p): not in use", __func__, virt);
	return folio;
}

void folio_put(struct folio *folio)
{
	folio_free(folio_expect(folio_start(folio), KHO_SHIM_RESTORED,
				__func__));
}

/* Return the next folio in use after @folio, or the first one for NULL. */
static struct folio *folio_next(struct folio *folio)
{
	for (folio = folio ? folio + 1 : folios; folio < folios + unused;
	     folio++) {
		if (folio->used && !folio->head)
			return folio;
	}
	return NULL;
}

void kho_shim_kexec(void)
{
	struct folio *folio = NULL;

	while ((folio = folio_next(folio))) {
		if (folio->state == KHO_SHIM_OUTGOING)
			folio_set_state(folio, KHO_SHIM_HANDED_OVER);
		else
			folio_free(folio);
	}
	heap_shim_drop();
}

void kho_shim_kexec_again(void)
{
	struct folio *folio = NULL;

	while ((folio = folio_next(folio))) {
		if (folio->state == KHO_SHIM_RESTORED)
			folio_set_state(folio, KHO_SHIM_HANDED_OVER);
		else if (folio->state == KHO_SHIM_OUTGOING)
			folio_free(folio);
	}
	heap_shim_drop();
}

unsigned long kho_shim_allocations(void)
{
	return nr_allocs;
}

unsigned long kho_shim_count(enum kho_shim_state state)
{
	return nr_folios[state];
}

size_t kho_shim_bytes(void)
{
	struct folio *folio = NULL;
	size_t bytes = 0;

	while ((folio = folio_next(folio)))
		bytes += folio_bytes(folio);
	return bytes;
}

void kho_shim_reset(void)
{
	struct folio *folio = NULL;

	while ((folio = folio_next(folio)))
		folio_free(folio);
	cursor = 0;
	unused = 0;
}

void kho_shim_fail_with(int err)
{
	alloc_error = err;
}

static unsigned long nr_used(void)
{
	return nr_folios[KHO_SHIM_OUTGOING] + nr_folios[KHO_SHIM_HANDED_OVER] +
	       nr_folios[KHO_SHIM_RESTORED];
}

static void *alloc_or_die(size_t size)
{
	void *p = malloc(size);

	if (!p)
		log_shim_die("kho: the harness itself is out of memory");
	return p;
}

struct kho_shim_image *kho_shim_save(void)
{
	struct kho_shim_image *image;
	struct folio *folio = NULL;
	struct image_folio *copy;

	image = alloc_or_die(struct_size(image, folios, nr_used()));
	image->nr = 0;
	image->cursor = cursor;
	image->unused = unused;
	while ((folio = folio_next(folio))) {
		copy = &image->folios[image->nr++];
		copy->folio = folio;
		copy->saved = *folio;
		copy->content = alloc_or_die(folio_bytes(folio));
		memcpy(copy->content, folio_start(folio), folio_bytes(folio));
	}
	return image;
}

void kho_shim_drop(struct kho_shim_image *image)
{
	for (unsigned long i = 0; i < image->nr; i++)
		free(image->folios[i].content);
	free(image);
}

bool kho_shim_same_folios(const struct kho_shim_image *image)
{
	if (image->nr != nr_used())
		return false;

	for (unsigned long i = 0; i < image->nr; i++) {
		const struct image_folio *copy = &image->folios[i];

		if (!copy->folio->used || copy->folio->head ||
		    copy->folio->state != copy->saved.state ||
		    copy->folio->order != copy->saved.order)
			return false;
	}
	return true;
}

bool kho_shim_same(const struct kho_shim_image *image)
{
	if (!kho_shim_same_folios(image))
		return false;

	for (unsigned long i = 0; i < image->nr; i++) {
		const struct image_folio *copy = &image->folios[i];

		if (memcmp(copy->content, folio_start(copy->folio),
			   folio_bytes(copy->folio)))
			return false;
	}
	return true;
}

void kho_shim_rewind(const struct kho_shim_image *image)
{
	for (unsigned long i = 0; i < image->nr; i++) {
		const struct image_folio *copy = &image->folios[i];

		if (copy->folio->used)
			folio_free(copy->folio);
		folio_use(copy->folio, copy->saved.order, copy->saved.state);
		memcpy(folio_start(copy->folio), copy->content,
		       folio_bytes(copy->folio));
	}
	if (image->nr != nr_used())
		log_shim_die("kho: rewind: there are pages which are new");
	cursor = image->cursor;
	unused = image->unused;
}

void kho_shim_full_blocks(bool full)
{
	blocks_are_full = full;
}

void *__wrap_kho_block_set_it_reserve_entry(struct kho_block_set_it *it)
{
	return blocks_are_full ? NULL : __real_kho_block_set_it_reserve_entry(it);
}

void kho_shim_set_state(u64 phys, enum kho_shim_state state)
{
	folio_set_state(folio_starting_at(phys), state);
}

/* The fuzzer calls this twice for each record. */
u64 __attribute__((no_sanitize("address"))) kho_shim_checksum(void)
{
	struct folio *folio = NULL;
	u64 sum = 0;

	while ((folio = folio_next(folio))) {
		const u64 *words = folio_start(folio);
		size_t nr = folio_bytes(folio) / sizeof(*words);

		sum = (sum ^ folio->state) * 0x9e3779b97f4a7c15;
		for (size_t i = 0; i < nr; i++)
			sum = (sum ^ words[i]) * 0x9e3779b97f4a7c15;
	}
	return sum;
}

void kho_shim_hide(u64 phys)
{
	struct folio *folio = folio_starting_at(phys);

	ASAN_POISON_MEMORY_REGION(folio_start(folio), folio_bytes(folio));
}

void kho_shim_show(u64 phys)
{
	struct folio *folio = folio_starting_at(phys);

	ASAN_UNPOISON_MEMORY_REGION(folio_start(folio), folio_bytes(folio));
}
