// SPDX-License-Identifier: GPL-2.0
/*
 * The heap of the kernel: allocations can fail, and a kexec drops all objects.
 */

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

#include <linux/gfp.h>
#include <linux/hashtable.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "heap_shim.h"
#include "log_shim.h"

/* Room for a few objects for each of a thousand segments. */
#define OBJECTS_HASH_BITS	12

/*
 * @cache: The cache of a node of an xarray, or NULL if @p is from kmalloc().
 * @lost:  A node of the previous kernel, which RCU may still free.
 */
struct object {
	struct hlist_node node;
	void *p;
	struct kmem_cache *cache;
	bool lost;
};

static DEFINE_HASHTABLE(objects, OBJECTS_HASH_BITS);
static unsigned long nr_slabs;
static unsigned long nr_nodes;
static unsigned long nr_allocs;

/* Protects the four variables above, as the thread of RCU frees nodes. */
static pthread_mutex_t objects_lock = PTHREAD_MUTEX_INITIALIZER;

static unsigned long fail_countdown;
static enum heap_shim_kind failed;

void heap_shim_fail_at(unsigned long nth)
{
	fail_countdown = nth;
	failed = HEAP_SHIM_NONE;
}

enum heap_shim_kind heap_shim_failed(void)
{
	return failed;
}

bool heap_shim_out_of_memory(enum heap_shim_kind kind)
{
	if (!fail_countdown || --fail_countdown)
		return false;

	failed = kind;
	return true;
}

static void count(const struct object *object, int delta)
{
	if (object->lost)
		return;
	if (object->cache)
		nr_nodes += delta;
	else
		nr_slabs += delta;
}

static void *object_track(void *p, struct kmem_cache *cache)
{
	struct object *object;

	if (!p)
		return NULL;

	object = malloc(sizeof(*object));
	if (!object)
		log_shim_die("heap: the harness itself is out of memory");
	*object = (struct object) { .p = p, .cache = cache };

	pthread_mutex_lock(&objects_lock);
	hash_add(objects, &object->node, (unsigned long)p);
	count(object, 1);
	nr_allocs++;
	pthread_mutex_unlock(&objects_lock);
	return p;
}

static struct object *object_find(void *p, struct kmem_cache *cache)
{
	struct object *object;

	hash_for_each_possible(objects, object, node, (unsigned long)p) {
		if (object->p == p && object->cache == cache)
			return object;
	}

	log_shim_die("heap: %p is freed but was not allocated", p);
}

static void object_forget(struct object *object)
{
	hash_del(&object->node);
	count(object, -1);
	free(object);
}

static void object_untrack(void *p, struct kmem_cache *cache)
{
	pthread_mutex_lock(&objects_lock);
	object_forget(object_find(p, cache));
	pthread_mutex_unlock(&objects_lock);
}

void *__wrap_kmalloc(size_t size, gfp_t gfp)
{
	if (heap_shim_out_of_memory(HEAP_SHIM_SLAB))
		return NULL;

	return object_track(__real_kmalloc(size, gfp), NULL);
}

void __wrap_kfree(void *p)
{
	if (!p)
		return;

	object_untrack(p, NULL);
	__real_kfree(p);
}

/*
 * An xarray first allocates without waiting, which always fails in the kernel's test
 * allocator, and again after it dropped its lock. Count the second attempt only.
 */
void *__wrap_kmem_cache_alloc_lru(struct kmem_cache *cache,
				  struct list_lru *lru, int flags)
{
	if (gfpflags_allow_blocking(flags) &&
	    heap_shim_out_of_memory(HEAP_SHIM_NODE))
		return NULL;

	return object_track(__real_kmem_cache_alloc_lru(cache, lru, flags),
			    cache);
}

void __wrap_kmem_cache_free(struct kmem_cache *cache, void *p)
{
	object_untrack(p, cache);
	__real_kmem_cache_free(cache, p);
}

unsigned long heap_shim_allocations(void)
{
	return nr_allocs;
}

size_t heap_shim_bytes(void)
{
	struct object *object;
	size_t bytes = 0;
	int bkt;

	pthread_mutex_lock(&objects_lock);
	hash_for_each(objects, bkt, object, node) {
		if (!object->lost)
			bytes += object->cache ? object->cache->size :
						 malloc_usable_size(object->p);
	}
	pthread_mutex_unlock(&objects_lock);
	return bytes;
}

unsigned long heap_shim_count(void)
{
	return nr_slabs;
}

static void object_drop(struct object *object)
{
	if (object->cache) {
		count(object, -1);
		object->lost = true;
	} else {
		__real_kfree(object->p);
		object_forget(object);
	}
}

void heap_shim_drop(void)
{
	struct hlist_node *tmp;
	struct object *object;
	int bkt;

	pthread_mutex_lock(&objects_lock);
	hash_for_each_safe(objects, bkt, tmp, object, node)
		object_drop(object);
	pthread_mutex_unlock(&objects_lock);
}

static void object_free_lost(struct object *object)
{
	/* The cache expects a freed node in its constructed state. */
	object->cache->ctor(object->p);
	__real_kmem_cache_free(object->cache, object->p);
	object_forget(object);
}

/* FNV-1a of each object, independent of their order in the hash table. */
u64 heap_shim_checksum(void)
{
	struct object *object;
	unsigned int bucket;
	u64 sum = 0;

	pthread_mutex_lock(&objects_lock);
	hash_for_each(objects, bucket, object, node) {
		u64 hash = 0xcbf29ce484222325 ^ (unsigned long)object->p;

		if (object->cache || object->lost)
			continue;
		for (size_t i = 0; i < malloc_usable_size(object->p); i++)
			hash = (hash ^ ((u8 *)object->p)[i]) * 0x100000001b3;
		sum += hash;
	}
	pthread_mutex_unlock(&objects_lock);
	return sum;
}

unsigned long heap_shim_count_nodes(void)
{
	struct hlist_node *tmp;
	struct object *object;
	int bkt;

	rcu_barrier();
	hash_for_each_safe(objects, bkt, tmp, object, node) {
		if (object->lost)
			object_free_lost(object);
	}
	return nr_nodes;
}
