/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the PCI core calls to leave preserved functions alone.
 */

#ifndef _DRIVERS_PCI_LIVEUPDATE_H
#define _DRIVERS_PCI_LIVEUPDATE_H

#include <linux/pci.h>
#include <linux/types.h>

struct liveupdate_flb_ops;

/**
 * pci_liveupdate_untouchable - Ask whether a device must not be written to.
 * @dev: A device that pci_liveupdate_setup_device() was called for.
 *
 * Context: Any.
 * Return: Whether the previous kernel preserved @dev, and it is not finished.
 */
static inline bool pci_liveupdate_untouchable(struct pci_dev *dev)
{
	return IS_ENABLED(CONFIG_PCI_LIVEUPDATE) &&
	       test_bit(PCI_DEV_LIVEUPDATE_INCOMING, &dev->priv_flags);
}

/**
 * pci_liveupdate_adopted - Ask whether settings are those of another kernel.
 * @dev: A device that pci_liveupdate_setup_device() was called for.
 *
 * What others depend on, such as routing, stays as it is for longer than
 * pci_liveupdate_untouchable().
 *
 * Context: Any.
 * Return: Whether @dev was preserved when it was enumerated.
 */
static inline bool pci_liveupdate_adopted(struct pci_dev *dev)
{
	return IS_ENABLED(CONFIG_PCI_LIVEUPDATE) &&
	       test_bit(PCI_DEV_LIVEUPDATE_ADOPTED, &dev->priv_flags);
}

#ifdef CONFIG_PCI_LIVEUPDATE
void pci_liveupdate_setup_device(struct pci_dev *dev);
void pci_liveupdate_cleanup_device(struct pci_dev *dev);
bool pci_liveupdate_forbids_vfs(struct pci_dev *dev);
bool pci_liveupdate_keeps_master(struct pci_dev *dev);
bool pci_liveupdate_keeps_bus_numbers(struct pci_bus *bus);
bool pci_liveupdate_lost_bus_numbers(struct pci_dev *bridge);
bool pci_liveupdate_find_bus_numbers(struct pci_dev *bridge, int *first,
				     int *last);
bool pci_liveupdate_bar_sizes(struct pci_dev *dev, int howmany, u32 *sizes,
			      int rom, u32 *rom_size);
void pci_liveupdate_claim_resources(struct pci_bus *bus);
int pci_liveupdate_limit_mps(struct pci_dev *dev, int mps);
bool pci_liveupdate_intx_broken(struct pci_dev *dev);
bool pci_liveupdate_keeps_power(struct pci_dev *dev);
void pci_liveupdate_hold_power(struct pci_dev *dev);
bool pci_liveupdate_holds_unbound(struct pci_dev *dev);
#else
static inline void pci_liveupdate_setup_device(struct pci_dev *dev) { }
static inline void pci_liveupdate_cleanup_device(struct pci_dev *dev) { }
static inline bool pci_liveupdate_forbids_vfs(struct pci_dev *dev)
{
	return false;
}

static inline bool pci_liveupdate_keeps_master(struct pci_dev *dev)
{
	return false;
}

static inline bool pci_liveupdate_keeps_bus_numbers(struct pci_bus *bus)
{
	return false;
}

static inline bool pci_liveupdate_lost_bus_numbers(struct pci_dev *bridge)
{
	return false;
}

static inline bool pci_liveupdate_find_bus_numbers(struct pci_dev *bridge,
						   int *first, int *last)
{
	return true;
}

static inline bool pci_liveupdate_bar_sizes(struct pci_dev *dev, int howmany,
					    u32 *sizes, int rom, u32 *rom_size)
{
	return false;
}

static inline void pci_liveupdate_claim_resources(struct pci_bus *bus) { }
static inline int pci_liveupdate_limit_mps(struct pci_dev *dev, int mps)
{
	return mps;
}

static inline bool pci_liveupdate_intx_broken(struct pci_dev *dev)
{
	return false;
}

static inline bool pci_liveupdate_keeps_power(struct pci_dev *dev)
{
	return false;
}

static inline void pci_liveupdate_hold_power(struct pci_dev *dev) { }

static inline bool pci_liveupdate_holds_unbound(struct pci_dev *dev)
{
	return false;
}
#endif

#if IS_ENABLED(CONFIG_KUNIT)
extern bool pci_liveupdate_hold_unbound;
extern const struct liveupdate_flb_ops pci_liveupdate_flb_ops;
extern const struct liveupdate_flb_ops pci_liveupdate_foreign_ops;
void pci_liveupdate_refuse_record(const char *why);
bool pci_liveupdate_domain_is_dynamic(struct pci_bus *bus);
#endif

#endif /* _DRIVERS_PCI_LIVEUPDATE_H */
