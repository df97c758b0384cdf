/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KHO in user space: pages that are handed over, and the kexec that does it.
 *
 * Where the kernel would WARN, leak or corrupt memory, this aborts.
 */
#ifndef _KHO_SHIM_H
#define _KHO_SHIM_H

#include <linux/kexec_handover.h>
#include <linux/types.h>

/* A folio is free, preserved by this kernel or by the last one, or ordinary. */
enum kho_shim_state {
	KHO_SHIM_FREE,
	KHO_SHIM_OUTGOING,
	KHO_SHIM_HANDED_OVER,
	KHO_SHIM_RESTORED,
	KHO_SHIM_NR_STATES,
};

struct kho_shim_image;

/* What this kernel preserved is handed over; everything else is gone. */
void kho_shim_kexec(void);

/* As if this kernel had not been: the same pages are handed over again. */
void kho_shim_kexec_again(void);

/* Number of folios that were allocated so far. */
unsigned long kho_shim_allocations(void);

/* Number of folios in a state, and of bytes in all of them. */
unsigned long kho_shim_count(enum kho_shim_state state);
size_t kho_shim_bytes(void);

/* Free all pages, and allocate from the first address again. */
void kho_shim_reset(void);

/* The errno that kho_alloc_preserve() fails with; 0 is -ENOMEM. */
void kho_shim_fail_with(int err);

/* A copy of all pages, what they hold and which state they are in. */
struct kho_shim_image *kho_shim_save(void);
void kho_shim_drop(struct kho_shim_image *image);

/* Whether all pages are as they were, or all but for what they hold. */
bool kho_shim_same(const struct kho_shim_image *image);
bool kho_shim_same_folios(const struct kho_shim_image *image);

/* Make them so again. Pages that were free then must be free now. */
void kho_shim_rewind(const struct kho_shim_image *image);

/* Make any access to the folio at @phys an error, or allow it again. */
void kho_shim_hide(u64 phys);
void kho_shim_show(u64 phys);

#endif /* _KHO_SHIM_H */
