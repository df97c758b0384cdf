/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KHO in user space: preserved pages, and a kexec that hands them over.
 *
 * The shim aborts where the kernel would WARN, leak or corrupt memory.
 */
#ifndef _KHO_SHIM_H
#define _KHO_SHIM_H

#include <linux/kexec_handover.h>
#include <linux/kho_block.h>
#include <linux/types.h>

/* A folio is free, preserved by this or the previous kernel, or ordinary. */
enum kho_shim_state {
	KHO_SHIM_FREE,
	KHO_SHIM_OUTGOING,
	KHO_SHIM_HANDED_OVER,
	KHO_SHIM_RESTORED,
	KHO_SHIM_NR_STATES,
};

struct kho_shim_image;

/* Hand over the preserved folios of this kernel, and free all other memory. */
void kho_shim_kexec(void);

/* Hand over again the folios that the previous kernel handed over. */
void kho_shim_kexec_again(void);

/* Returns the number of folios allocated so far. */
unsigned long kho_shim_allocations(void);

/* Returns the number of folios in a state, or the bytes in all states. */
unsigned long kho_shim_count(enum kho_shim_state state);
size_t kho_shim_bytes(void);

/* Free all pages, and allocate from the first address again. */
void kho_shim_reset(void);

/* Set the errno of failing calls of kho_alloc_preserve(); 0 means -ENOMEM. */
void kho_shim_fail_with(int err);

/* Let block sets have no room for an entry, as if growing them had failed to make it. */
void kho_shim_full_blocks(bool full);

/* The function of the kernel, and the one that the linker calls instead. */
void *__real_kho_block_set_it_reserve_entry(struct kho_block_set_it *it);
void *__wrap_kho_block_set_it_reserve_entry(struct kho_block_set_it *it);

/* Copy the contents and the states of all folios. */
struct kho_shim_image *kho_shim_save(void);
void kho_shim_drop(struct kho_shim_image *image);

/* Returns whether folios and contents, or just the folios, are unchanged. */
bool kho_shim_same(const struct kho_shim_image *image);
bool kho_shim_same_folios(const struct kho_shim_image *image);

/* Restore an image. No folio may be in use that the image does not have. */
void kho_shim_rewind(const struct kho_shim_image *image);

/* Change the state of the folio at @phys. */
void kho_shim_set_state(u64 phys, enum kho_shim_state state);

/* Returns a checksum of the contents and the states of all folios. */
u64 kho_shim_checksum(void);

/* Make each access to the folio at @phys an error, or allow accesses again. */
void kho_shim_hide(u64 phys);
void kho_shim_show(u64 phys);

#endif /* _KHO_SHIM_H */
