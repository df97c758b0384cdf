/* SPDX-License-Identifier: GPL-2.0 */
/*
 * PCI live update: functions for the PCI core, which keep preserved devices working.
 */

#ifndef _DRIVERS_PCI_LIVEUPDATE_H
#define _DRIVERS_PCI_LIVEUPDATE_H

#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/kho/abi/pci.h>
#include <linux/pci.h>
#include <linux/types.h>

struct liveupdate_flb_ops;
struct mutex;
struct pci_liveupdate_index;
struct pci_liveupdate_slot;

/* Bits in priv_flags of devices for which the guard checks writes */
#define PCI_DEV_LIVEUPDATE_GUARDED	(BIT(PCI_DEV_LIVEUPDATE_OUTGOING) | \
					 BIT(PCI_DEV_LIVEUPDATE_INCOMING) | \
					 BIT(PCI_DEV_LIVEUPDATE_ADOPTED))

/**
 * pci_dev_is_guarded - Check if the guard must check writes to a device.
 * @dev: A device.
 *
 * Context: Any.
 * Return: true if @dev is preserved on either side, or was preserved when it was
 *         enumerated.
 */
static inline bool pci_dev_is_guarded(const struct pci_dev *dev)
{
	return IS_ENABLED(CONFIG_PCI_LIVEUPDATE) &&
	       unlikely(READ_ONCE(dev->priv_flags) & PCI_DEV_LIVEUPDATE_GUARDED);
}

/**
 * pci_liveupdate_hands_off - Check if the PCI core must leave a device alone.
 * @dev: A device after pci_liveupdate_setup_device().
 *
 * For code that misinterprets a refused write or waits for its effect. Other code
 * need not ask: the guard refuses its writes.
 *
 * Context: Any.
 * Return: true if the previous kernel preserved @dev and it is not finished.
 */
static inline bool pci_liveupdate_hands_off(const struct pci_dev *dev)
{
	return IS_ENABLED(CONFIG_PCI_LIVEUPDATE) &&
	       !IS_ENABLED(CONFIG_PCI_LIVEUPDATE_TEST_GUARD_ONLY) &&
	       test_bit(PCI_DEV_LIVEUPDATE_INCOMING, &dev->priv_flags);
}

/**
 * pci_liveupdate_adopted - Check if a device has settings of the previous kernel.
 * @dev: A device after pci_liveupdate_setup_device().
 *
 * Settings that other devices depend on, such as routing, remain after @dev is
 * finished and pci_liveupdate_hands_off() is false.
 *
 * Context: Any.
 * Return: true if @dev was preserved when it was enumerated.
 */
static inline bool pci_liveupdate_adopted(const struct pci_dev *dev)
{
	return IS_ENABLED(CONFIG_PCI_LIVEUPDATE) &&
	       !IS_ENABLED(CONFIG_PCI_LIVEUPDATE_TEST_GUARD_ONLY) &&
	       test_bit(PCI_DEV_LIVEUPDATE_ADOPTED, &dev->priv_flags);
}

#ifdef CONFIG_PCI_LIVEUPDATE
bool pci_liveupdate_filter_write(const struct pci_dev *dev, int where, int size,
				 u32 *val, unsigned long caller, int *ret);
bool pci_liveupdate_user_write_blocked(struct pci_dev *dev, int where, int size,
				       u32 val, unsigned long caller);
bool pci_liveupdate_intx_blocked(struct pci_dev *dev, bool mask);
void pci_liveupdate_setup_device(struct pci_dev *dev);
void pci_liveupdate_cleanup_device(struct pci_dev *dev);
bool pci_liveupdate_begin_renumber(struct pci_bus *bus);
void pci_liveupdate_end_renumber(void);
bool pci_liveupdate_find_bus_numbers(struct pci_dev *bridge, int pass,
				     int *first, int *last);
bool pci_liveupdate_bar_sizes(struct pci_dev *dev, int howmany, u32 *sizes,
			      int rom, u32 *rom_size);
void pci_liveupdate_bus_scanned(struct pci_bus *bus);
int pci_liveupdate_limit_mps(struct pci_dev *dev, int mps);
bool pci_liveupdate_keeps_sizes(struct pci_dev *dev);
bool pci_liveupdate_keeps_power(struct pci_dev *dev);
bool pci_liveupdate_forbids_driver(struct pci_dev *dev, struct pci_driver *drv);
int pci_liveupdate_check_probe(struct pci_dev *dev, struct pci_driver *drv);
bool pci_liveupdate_blocks_function_reset(struct pci_dev *dev, bool by_driver);
bool pci_liveupdate_blocks_bus_reset(struct pci_bus *bus, bool report);
int pci_liveupdate_allow_bus_reset(struct pci_dev *dev);
void pci_liveupdate_end_bus_reset(struct pci_dev *dev);
bool pci_liveupdate_blocks_recovery(struct pci_dev *bridge);
#else
static inline bool
pci_liveupdate_filter_write(const struct pci_dev *dev, int where, int size,
			    u32 *val, unsigned long caller, int *ret)
{
	return true;
}

static inline bool
pci_liveupdate_user_write_blocked(struct pci_dev *dev, int where, int size,
				  u32 val, unsigned long caller)
{
	return false;
}

static inline bool pci_liveupdate_intx_blocked(struct pci_dev *dev, bool mask)
{
	return false;
}

static inline void pci_liveupdate_setup_device(struct pci_dev *dev) { }
static inline void pci_liveupdate_cleanup_device(struct pci_dev *dev) { }

static inline bool pci_liveupdate_begin_renumber(struct pci_bus *bus)
{
	return true;
}

static inline void pci_liveupdate_end_renumber(void) { }

static inline bool pci_liveupdate_find_bus_numbers(struct pci_dev *bridge,
						   int pass, int *first,
						   int *last)
{
	return true;
}

static inline bool pci_liveupdate_bar_sizes(struct pci_dev *dev, int howmany,
					    u32 *sizes, int rom, u32 *rom_size)
{
	return false;
}

static inline void pci_liveupdate_bus_scanned(struct pci_bus *bus) { }

static inline int pci_liveupdate_limit_mps(struct pci_dev *dev, int mps)
{
	return mps;
}

static inline bool pci_liveupdate_keeps_sizes(struct pci_dev *dev)
{
	return false;
}

static inline bool pci_liveupdate_keeps_power(struct pci_dev *dev)
{
	return false;
}

static inline bool pci_liveupdate_forbids_driver(struct pci_dev *dev,
						 struct pci_driver *drv)
{
	return false;
}

static inline int pci_liveupdate_check_probe(struct pci_dev *dev,
					     struct pci_driver *drv)
{
	return 0;
}

static inline bool
pci_liveupdate_blocks_function_reset(struct pci_dev *dev, bool by_driver)
{
	return false;
}

static inline bool pci_liveupdate_blocks_bus_reset(struct pci_bus *bus,
						   bool report)
{
	return false;
}

static inline int pci_liveupdate_allow_bus_reset(struct pci_dev *dev)
{
	return 0;
}

static inline void pci_liveupdate_end_bus_reset(struct pci_dev *dev) { }

static inline bool pci_liveupdate_blocks_recovery(struct pci_dev *bridge)
{
	return false;
}
#endif

#if defined(CONFIG_PCI_LIVEUPDATE) && defined(CONFIG_PCI_IOV)
bool pci_liveupdate_creates_vf(struct pci_dev *dev);
bool pci_liveupdate_begin_vfs(struct pci_dev *dev);
void pci_liveupdate_begin_disable_vfs(struct pci_dev *dev);
void pci_liveupdate_end_vfs(struct pci_dev *dev);
void pci_liveupdate_update_autoprobe(struct pci_dev *dev);
int pci_liveupdate_adopt_sriov(struct pci_dev *dev, int pos);
void pci_liveupdate_adopt_vfs(struct pci_dev *dev);
void pci_liveupdate_read_vf_caps(struct pci_dev *vf);
bool pci_liveupdate_get_vf_header(struct pci_dev *vf, int i, u32 *dword);
bool pci_liveupdate_find_vf_cap(struct pci_dev *vf, int cap, u8 *pos);
bool pci_liveupdate_find_vf_ext_cap(struct pci_dev *vf, int cap, u16 *pos);
#else
static inline bool pci_liveupdate_creates_vf(struct pci_dev *dev)
{
	return false;
}

static inline bool pci_liveupdate_begin_vfs(struct pci_dev *dev)
{
	return true;
}

static inline void pci_liveupdate_begin_disable_vfs(struct pci_dev *dev) { }
static inline void pci_liveupdate_end_vfs(struct pci_dev *dev) { }
static inline void pci_liveupdate_update_autoprobe(struct pci_dev *dev) { }

static inline int pci_liveupdate_adopt_sriov(struct pci_dev *dev, int pos)
{
	return -ENODEV;
}

static inline void pci_liveupdate_adopt_vfs(struct pci_dev *dev) { }
static inline void pci_liveupdate_read_vf_caps(struct pci_dev *vf) { }

static inline bool pci_liveupdate_get_vf_header(struct pci_dev *vf, int i,
						u32 *dword)
{
	return false;
}

static inline bool pci_liveupdate_find_vf_cap(struct pci_dev *vf, int cap,
					      u8 *pos)
{
	return false;
}

static inline bool pci_liveupdate_find_vf_ext_cap(struct pci_dev *vf, int cap,
						  u16 *pos)
{
	return false;
}
#endif

/*
 * Shared by drivers/pci/liveupdate*.c.
 *
 * pci_liveupdate_lock protects both indexes with everything that they contain,
 * pci_liveupdate_renumbering, and changes of the bits
 * PCI_DEV_LIVEUPDATE_OUTGOING, _INCOMING and _VFS. Only the owner of the one
 * preserved function below sets _RESETTING of a bridge, with that function locked.
 */
extern struct mutex pci_liveupdate_lock;

/* Number of functions that a list in the log names. */
#define PCI_LIVEUPDATE_LOG_LIMIT	16

/* The address of a function, from its pci_ser_key_t. */
#define PCI_LIVEUPDATE_KEY_FMT		"%04x:%02x:%02x.%d"
#define PCI_LIVEUPDATE_KEY_ARGS(key)	PCI_SER_KEY_DOMAIN(key),		\
					PCI_BUS_NUM(PCI_SER_KEY_BDF(key)),	\
					PCI_SLOT(PCI_SER_KEY_BDF(key)),		\
					PCI_FUNC(PCI_SER_KEY_BDF(key))

/* Start time for a tracepoint, 0 if it is disabled. */
#define trace_start(event)						\
	(trace_pci_liveupdate_##event##_enabled() ? sched_clock() : 0)

/* Functions preserved for the next kernel, NULL if LUO preserves no file of theirs */
extern struct pci_liveupdate_index *pci_liveupdate_outgoing;

/* Functions preserved by the previous kernel, NULL if none or all files are finished */
extern struct pci_liveupdate_index *pci_liveupdate_incoming;

/* The kexec has begun, and the next kernel takes the record */
extern bool pci_liveupdate_handing_over;

/* Number of bridges that are being renumbered */
extern unsigned int pci_liveupdate_renumbering;

const struct pci_function_ser *
pci_liveupdate_incoming_entry(struct pci_dev *dev);
bool pci_liveupdate_answers_as(struct pci_dev *dev,
			       const struct pci_function_ser *entry);
bool pci_liveupdate_bridge_has_numbers(struct pci_dev *dev,
				       const struct pci_function_ser *entry);
int pci_liveupdate_abandon(pci_ser_key_t key);
void pci_liveupdate_abandon_all(struct pci_liveupdate_index *index);
void pci_liveupdate_announce_abandoned(void);
void pci_liveupdate_abandon_absent(struct pci_liveupdate_index *index,
				   const struct pci_liveupdate_slot *slot,
				   pci_ser_key_t key);
void pci_liveupdate_clear_master(struct pci_bus *bus, unsigned int devfn);
struct pci_bus *pci_liveupdate_find_bus(u32 domain, u8 number);
struct pci_dev *pci_liveupdate_get_dev(pci_ser_key_t key);
void pci_liveupdate_clear_outgoing(struct pci_liveupdate_index *index);
void pci_liveupdate_drop_above(struct pci_liveupdate_index *index,
			       struct pci_dev *dev, struct pci_bus *bus, int flag);
void pci_liveupdate_drop_dev(struct pci_liveupdate_index *index,
			     struct pci_dev *dev, int flag);
void pci_liveupdate_lose_below(struct pci_dev *bridge);
void pci_liveupdate_clear_flag(struct pci_dev *dev, int flag);
void pci_liveupdate_release_to_drivers(struct pci_dev *dev);
void pci_liveupdate_send_uevent(struct pci_dev *dev, char *state);
bool pci_liveupdate_is_function(struct pci_dev *dev);
bool pci_liveupdate_has_flag(struct pci_dev *dev, int flag);
bool pci_liveupdate_is_contained(struct pci_dev *bridge);
bool pci_liveupdate_is_implied(struct pci_liveupdate_index *index,
			       struct pci_dev *dev, int flag);
void pci_liveupdate_warn(struct pci_liveupdate_index *index, const char *text,
			 bool absent);
int pci_liveupdate_remember_segments(struct pci_liveupdate_index *index);
void pci_liveupdate_guard_init(struct pci_dev *dev);
void pci_liveupdate_guard_adopt(struct pci_dev *dev);

void pci_liveupdate_correct_state(struct pci_dev *dev);

#ifdef CONFIG_PCI_IOV
u16 pci_liveupdate_nr_vfs(struct pci_dev *dev, int flag);
void pci_liveupdate_count_vf(struct pci_dev *pf, int flag, int n);
void pci_liveupdate_recount_vfs(struct pci_dev *dev);
void pci_liveupdate_disable_dropped(struct pci_dev *dev);
void pci_liveupdate_drop_absent_vfs(struct pci_dev *dev);
void pci_liveupdate_reset_vfs(struct pci_dev *dev, int flag);
struct pci_sriov_ser pci_liveupdate_describe_sriov(struct pci_dev *pf);
bool pci_liveupdate_probes_vfs(struct pci_dev *dev);
int pci_liveupdate_check_pf(struct pci_dev *dev);
bool pci_liveupdate_forbids_pf_driver(struct pci_dev *dev);
bool pci_liveupdate_has_sriov(struct pci_dev *pf, const struct pci_sriov_ser *ser);
#else
static inline u16 pci_liveupdate_nr_vfs(struct pci_dev *dev, int flag)
{
	return 0;
}

static inline void pci_liveupdate_count_vf(struct pci_dev *pf, int flag, int n) { }
static inline void pci_liveupdate_recount_vfs(struct pci_dev *dev) { }
static inline void pci_liveupdate_disable_dropped(struct pci_dev *dev) { }
static inline void pci_liveupdate_drop_absent_vfs(struct pci_dev *dev) { }
static inline void pci_liveupdate_reset_vfs(struct pci_dev *dev, int flag) { }

static inline struct pci_sriov_ser
pci_liveupdate_describe_sriov(struct pci_dev *pf)
{
	return (struct pci_sriov_ser) { };
}

static inline bool pci_liveupdate_probes_vfs(struct pci_dev *dev)
{
	return false;
}

static inline int pci_liveupdate_check_pf(struct pci_dev *dev)
{
	return 0;
}

static inline bool pci_liveupdate_forbids_pf_driver(struct pci_dev *dev)
{
	return false;
}

static inline bool pci_liveupdate_has_sriov(struct pci_dev *pf,
					    const struct pci_sriov_ser *ser)
{
	return false;
}
#endif

#if IS_ENABLED(CONFIG_KUNIT)
struct bus_attribute;
struct notifier_block;
struct pci_liveupdate_damage;

extern struct bus_attribute bus_attr_liveupdate_abandon;
extern const struct liveupdate_flb_ops pci_liveupdate_flb_ops;
extern const struct liveupdate_flb_ops pci_liveupdate_foreign_ops;
extern struct notifier_block pci_liveupdate_pm_nb;
extern struct notifier_block pci_liveupdate_reboot_nb;
struct pci_liveupdate_index *
pci_liveupdate_read_record(u64 root_pa, struct pci_liveupdate_damage *damage);
void pci_liveupdate_refuse_record(const char *reason, int err);
bool pci_liveupdate_host_is_stable(struct pci_bus *bus);
#endif

#endif /* _DRIVERS_PCI_LIVEUPDATE_H */
