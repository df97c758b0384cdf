/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the PCI core calls to leave preserved functions alone.
 */

#ifndef _DRIVERS_PCI_LIVEUPDATE_H
#define _DRIVERS_PCI_LIVEUPDATE_H

#include <linux/types.h>

struct liveupdate_flb_ops;
struct pci_bus;
struct pci_dev;

#ifdef CONFIG_PCI_LIVEUPDATE
void pci_liveupdate_setup_device(struct pci_dev *dev);
void pci_liveupdate_cleanup_device(struct pci_dev *dev);
bool pci_liveupdate_forbids_vfs(struct pci_dev *dev);
#else
static inline void pci_liveupdate_setup_device(struct pci_dev *dev) { }
static inline void pci_liveupdate_cleanup_device(struct pci_dev *dev) { }
static inline bool pci_liveupdate_forbids_vfs(struct pci_dev *dev)
{
	return false;
}
#endif

#if IS_ENABLED(CONFIG_KUNIT)
extern const struct liveupdate_flb_ops pci_liveupdate_flb_ops;
extern const struct liveupdate_flb_ops pci_liveupdate_foreign_ops;
void pci_liveupdate_refuse_record(const char *why);
bool pci_liveupdate_domain_is_dynamic(struct pci_bus *bus);
#endif

#endif /* _DRIVERS_PCI_LIVEUPDATE_H */
