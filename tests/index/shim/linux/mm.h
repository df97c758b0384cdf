/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_LINUX_MM_H
#define _SHIM_LINUX_MM_H

#include <asm/page.h>
#include <linux/bug.h>
#include <linux/io.h>
#include <linux/limits.h>
#include <linux/types.h>

struct folio;

int get_order(size_t size);
struct folio *virt_to_folio(const void *virt);
void folio_put(struct folio *folio);

#endif /* _SHIM_LINUX_MM_H */
