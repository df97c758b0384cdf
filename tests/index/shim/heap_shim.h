/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The heap of the kernel: allocations can fail, and a kexec drops all objects.
 */
#ifndef _HEAP_SHIM_H
#define _HEAP_SHIM_H

#include <linux/slab.h>
#include <linux/types.h>

enum heap_shim_kind {
	HEAP_SHIM_NONE,
	HEAP_SHIM_PAGES,	/* kho_alloc_preserve() */
	HEAP_SHIM_SLAB,		/* kmalloc() and its wrappers */
	HEAP_SHIM_NODE,		/* a node of an xarray */
	HEAP_SHIM_NR_KINDS,
};

/* Let the nth allocation of any kind from now on fail; 0 lets none fail. */
void heap_shim_fail_at(unsigned long nth);

/* Returns the kind of the allocation that failed. */
enum heap_shim_kind heap_shim_failed(void);

/* Returns whether the next allocation of this kind must fail. */
bool heap_shim_out_of_memory(enum heap_shim_kind kind);

/* Returns the number of objects of kmalloc() in use. */
unsigned long heap_shim_count(void);

/* Returns the number of objects and nodes allocated so far. */
unsigned long heap_shim_allocations(void);

/* Returns the number of bytes in use. */
size_t heap_shim_bytes(void);

/* Returns a checksum of the objects of kmalloc() in use. */
u64 heap_shim_checksum(void);

/* Returns the number of nodes of xarrays. Waits for RCU, so it is slow. */
unsigned long heap_shim_count_nodes(void);

/* Drop all objects. The caller has no pointer to any of them. */
void heap_shim_drop(void);

/* The kernel's allocator, and the functions that the linker calls instead. */
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
