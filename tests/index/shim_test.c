// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the shim: with a lenient shim every test would pass.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/bitmap.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/kexec_handover.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "harness.h"
#include "shim/heap_shim.h"
#include "shim/kho_shim.h"
#include "shim/log_shim.h"
#include "tests.h"

void test_shim_pages(void)
{
	u8 *mem = kho_alloc_preserve(PAGE_SIZE + 1);
	u64 pa = virt_to_phys(mem);

	for (size_t i = 0; i < 2 * PAGE_SIZE; i++)
		ASSERT(!mem[i]);
	CHECK(IS_ALIGNED(pa, 2 * PAGE_SIZE));
	CHECK(!kho_is_restorable(pa, 2 * PAGE_SIZE));
	mem[2 * PAGE_SIZE - 1] = 42;

	kho_shim_kexec();
	CHECK_EQ(kho_shim_count(KHO_SHIM_HANDED_OVER), 1);
	CHECK_EQ(mem[2 * PAGE_SIZE - 1], 42);
	CHECK(kho_is_restorable(pa, 2 * PAGE_SIZE));
	CHECK(kho_is_restorable(pa, PAGE_SIZE + 1));
	CHECK(!kho_is_restorable(pa, PAGE_SIZE));
	CHECK(!kho_is_restorable(pa, 2 * PAGE_SIZE + 1));
	CHECK(!kho_is_restorable(pa + PAGE_SIZE, 2 * PAGE_SIZE));
	CHECK(!kho_is_restorable(pa + PAGE_SIZE, PAGE_SIZE));
	CHECK(!kho_is_restorable(pa + 1, 2 * PAGE_SIZE));
	CHECK(!kho_is_restorable(0, PAGE_SIZE));
	CHECK(!kho_is_restorable(~0UL & ~(PAGE_SIZE - 1), PAGE_SIZE));

	CHECK(kho_restore_folio(pa) == virt_to_folio(mem + PAGE_SIZE));
	CHECK_EQ(kho_shim_count(KHO_SHIM_RESTORED), 1);
	CHECK(!kho_is_restorable(pa, 2 * PAGE_SIZE));
	folio_put(virt_to_folio(mem));
	CHECK(!kho_is_restorable(pa, 2 * PAGE_SIZE));

	CHECK_EQ(PTR_ERR(kho_alloc_preserve(0)), -EINVAL);
	CHECK_EQ(PTR_ERR(kho_alloc_preserve(1 << 30)), -E2BIG);
	kho_unpreserve_free(NULL);
	kho_restore_free(NULL);
}

void test_shim_heap(void)
{
	DEFINE_XARRAY(xa);

	/* Allocations of all kinds are counted together. */
	heap_shim_fail_at(3);
	kfree(kzalloc(8, GFP_KERNEL));
	kho_unpreserve_free(kho_alloc_preserve(8));
	CHECK_EQ(heap_shim_failed(), HEAP_SHIM_NONE);
	CHECK_EQ(xa_err(xa_store(&xa, 1, &xa, GFP_KERNEL)), -ENOMEM);
	CHECK_EQ(heap_shim_failed(), HEAP_SHIM_NODE);
	CHECK_EQ(xa_err(xa_store(&xa, 1, &xa, GFP_KERNEL)), 0);

	heap_shim_fail_at(1);
	CHECK(!bitmap_zalloc(8, GFP_KERNEL));
	CHECK_EQ(heap_shim_failed(), HEAP_SHIM_SLAB);
	heap_shim_fail_at(1);
	CHECK_EQ(PTR_ERR(kho_alloc_preserve(8)), -ENOMEM);
	CHECK_EQ(heap_shim_failed(), HEAP_SHIM_PAGES);
	kho_shim_fail_with(-EOPNOTSUPP);
	heap_shim_fail_at(1);
	CHECK_EQ(PTR_ERR(kho_alloc_preserve(8)), -EOPNOTSUPP);

	CHECK_EQ(heap_shim_count_nodes(), 1);
	CHECK(kzalloc(8, GFP_KERNEL));
	CHECK(bitmap_zalloc(8, GFP_KERNEL));
	CHECK_EQ(heap_shim_count(), 2);
	kho_shim_kexec();
	CHECK_EQ(heap_shim_count(), 0);
	CHECK_EQ(heap_shim_count_nodes(), 0);
}

void test_shim_images(void)
{
	struct kho_shim_image *image;
	u64 *a = kho_alloc_preserve(8);
	u64 *b = kho_alloc_preserve(8);

	*a = 1;
	*b = 2;
	kho_shim_kexec();
	image = kho_shim_save();
	CHECK(kho_shim_same(image));

	*b = 3;
	CHECK(!kho_shim_same(image));
	CHECK(kho_shim_same_folios(image));
	kho_restore_free(b);
	CHECK(!kho_shim_same_folios(image));
	kho_restore_folio(virt_to_phys(a));
	kho_shim_rewind(image);
	CHECK(kho_shim_same(image));
	CHECK_EQ(*b, 2);

	kho_restore_free(a);
	kho_restore_free(b);
	CHECK(!kho_shim_same(image));
	kho_shim_drop(image);
}

static void *page(void)
{
	return kho_alloc_preserve(PAGE_SIZE);
}

static void *page_after_kexec(void)
{
	void *mem = page();

	kho_shim_kexec();
	return mem;
}

static void free_twice(void)
{
	void *mem = page();

	kho_unpreserve_free(mem);
	kho_unpreserve_free(mem);
}

static void free_within(void)
{
	kho_unpreserve_free(page() + 8);
}

static void free_handed_over(void)
{
	kho_unpreserve_free(page_after_kexec());
}

static void restore_before_kexec(void)
{
	kho_restore_folio(virt_to_phys(page()));
}

static void restore_twice(void)
{
	u64 pa = virt_to_phys(page_after_kexec());

	kho_restore_folio(pa);
	kho_restore_folio(pa);
}

static void restore_free_twice(void)
{
	void *mem = page_after_kexec();

	kho_restore_free(mem);
	kho_restore_free(mem);
}

static void restore_nothing(void)
{
	kho_restore_folio(PAGE_SIZE);
}

static void put_before_restore(void)
{
	folio_put(virt_to_folio(page_after_kexec()));
}

static void put_twice(void)
{
	struct folio *folio;

	folio = kho_restore_folio(virt_to_phys(page_after_kexec()));
	folio_put(folio);
	folio_put(folio);
}

static void folio_of_nothing(void)
{
	virt_to_folio(&test_options);
}

static void kfree_twice(void)
{
	void *p = kzalloc(8, GFP_KERNEL);

	kfree(p);
	kfree(p);
}

static void kfree_after_kexec(void)
{
	void *p = kzalloc(8, GFP_KERNEL);

	kho_shim_kexec();
	kfree(p);
}

static void rewind_over_new_pages(void)
{
	struct kho_shim_image *image = kho_shim_save();

	page();
	kho_shim_rewind(image);
}

static void leave_a_page(void)
{
	page();
	if (!test_is_clean())
		abort();
}

static void leave_an_object(void)
{
	if (kzalloc(8, GFP_KERNEL) && !test_is_clean())
		abort();
}

static void leave_a_warning(void)
{
	WARN_ON_ONCE(true);
	if (!test_is_clean())
		abort();
}

static void (*const misuses[])(void) = {
	free_twice, free_within, free_handed_over,
	restore_before_kexec, restore_twice, restore_free_twice,
	restore_nothing, put_before_restore, put_twice, folio_of_nothing,
	kfree_twice, kfree_after_kexec, rewind_over_new_pages, leave_a_page,
	leave_an_object, leave_a_warning,
};

static bool is_fatal(void (*misuse)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (!freopen("/dev/null", "w", stdout))
			_exit(1);
		misuse();
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid &&
	       WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

void test_shim_is_strict(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(misuses); i++) {
		if (!is_fatal(misuses[i]))
			test_fail(__FILE__, __LINE__, "misuse %zu is not fatal",
				  i);
	}
	test_note("%zu kinds of misuse", ARRAY_SIZE(misuses));
}
