/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_LINUX_KEXEC_HANDOVER_H
#define _SHIM_LINUX_KEXEC_HANDOVER_H

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/types.h>

void *kho_alloc_preserve(size_t size);
void kho_unpreserve_free(void *mem);
void kho_restore_free(void *mem);
struct folio *kho_restore_folio(phys_addr_t phys);
bool kho_is_restorable(phys_addr_t phys, size_t size);

#endif /* _SHIM_LINUX_KEXEC_HANDOVER_H */
