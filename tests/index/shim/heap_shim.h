/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The heap of the kernel: it can run dry, and it is gone after a kexec.
 */
#ifndef _HEAP_SHIM_H
#define _HEAP_SHIM_H

#include <linux/slab.h>
#include <linux/types.h>

enum heap_shim_kind {
	HEAP_SHIM_NONE,
	HEAP_SHIM_PAGES,	/* kho_alloc_preserve() */
	HEAP_SHIM_SLAB,		/* kmalloc() and what is made of it */
	HEAP_SHIM_NODE,		/* a node of an xarray */
	HEAP_SHIM_NR_KINDS,
};

/* Let the nth allocation from now on fail, of whatever kind; 0 is never. */
void heap_shim_fail_at(unsigned long nth);

/* The kind of the allocation that failed, if one has since. */
enum heap_shim_kind heap_shim_failed(void);

/* Each allocator asks this before it allocates. */
bool heap_shim_out_of_memory(enum heap_shim_kind kind);

/* Number of objects of kmalloc() that were not freed. */
unsigned long heap_shim_count(void);

/* Number of objects and nodes that were allocated so far. */
unsigned long heap_shim_allocations(void);

/* Bytes of what was not freed. */
size_t heap_shim_bytes(void);

/* A checksum of the objects of kmalloc() that were not freed. */
u64 heap_shim_checksum(void);

/* Number of nodes of xarrays. Waits for RCU, which takes long. */
unsigned long heap_shim_count_nodes(void);

/* Drop all objects. No pointer to any of them is used any more. */
void heap_shim_drop(void);

/* The kernel's allocator, and what the linker makes of calls to it. */
void *__real_kmalloc(size_t size, gfp_t gfp);
void *__wrap_kmalloc(size_t size, gfp_t gfp);
void __real_kfree(void *p);
void __wrap_kfree(void *p);
void *__real_kmem_cache_alloc_lru(struct kmem_cache *cache,
				  struct list_lru *lru, int flags);
void *__wrap_kmem_cache_alloc_lru(struct kmem_cache *cache,
				  struct list_lru *lru, int flags);
void __real_kmem_cache_free(struct kmem_cache *cache, void *p);
void __wrap_kmem_cache_free(struct kmem_cache *cache, void *p);

#endif /* _HEAP_SHIM_H */
