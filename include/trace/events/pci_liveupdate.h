/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pci_liveupdate

#if !defined(_TRACE_PCI_LIVEUPDATE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_PCI_LIVEUPDATE_H

#include <linux/kho/abi/pci.h>
#include <linux/pci.h>
#include <linux/sched/clock.h>
#include <linux/tracepoint.h>

struct pci_liveupdate_damage;

/*
 * An operation emits one event at its end, with its duration. @start is the time
 * of its start, or 0 if the event was disabled then: the duration is then 0.
 *
 * Times are of sched_clock(), like those of the ring buffer. While buses are
 * scanned at boot, ktime_get() has a resolution of one jiffy and local_clock()
 * stands still if a tick is late.
 */

DECLARE_EVENT_CLASS(pci_liveupdate_function,

	TP_PROTO(struct pci_dev *dev, int err, u64 start),

	TP_ARGS(dev, err, start),

	TP_STRUCT__entry(
		__field(u64, duration_ns)
		__field(u32, domain)
		__field(u16, bdf)
		__field(u16, vendor)
		__field(u16, device)
		__field(int, err)
	),

	TP_fast_assign(
		u64 now = sched_clock();

		/* Clocks of CPUs may differ */
		__entry->duration_ns = start && now > start ? now - start : 0;
		__entry->domain = pci_domain_nr(dev->bus);
		__entry->bdf = pci_dev_id(dev);
		__entry->vendor = dev->vendor;
		__entry->device = dev->device;
		__entry->err = err;
	),

	TP_printk("%04x:%02x:%02x.%u [%04x:%04x] err=%d duration_ns=%llu",
		__entry->domain, __entry->bdf >> 8, (__entry->bdf >> 3) & 0x1f,
		__entry->bdf & 0x7, __entry->vendor, __entry->device,
		__entry->err, __entry->duration_ns
	)
);

/* A driver preserved its function for the next kernel. */
DEFINE_EVENT(pci_liveupdate_function, pci_liveupdate_preserve,

	TP_PROTO(struct pci_dev *dev, int err, u64 start),

	TP_ARGS(dev, err, start)
);

/* A driver unpreserved its function, or user space abandoned it. */
DEFINE_EVENT(pci_liveupdate_function, pci_liveupdate_unpreserve,

	TP_PROTO(struct pci_dev *dev, int err, u64 start),

	TP_ARGS(dev, err, start)
);

/*
 * A device in the record of the previous kernel was enumerated. @err is -ENODEV if
 * another device answers, -ENXIO if a bridge has other bus numbers, if a PF has other
 * VFs, if a function was reset or if the PF of a VF is not treated as preserved, or the
 * errno of a damaged entry: the device is then not treated as preserved.
 */
DEFINE_EVENT(pci_liveupdate_function, pci_liveupdate_incoming,

	TP_PROTO(struct pci_dev *dev, int err, u64 start),

	TP_ARGS(dev, err, start)
);

/* A driver ended the preservation of its function, or it was abandoned. */
DEFINE_EVENT(pci_liveupdate_function, pci_liveupdate_finish,

	TP_PROTO(struct pci_dev *dev, int err, u64 start),

	TP_ARGS(dev, err, start)
);

/*
 * The guard refused a write that would have changed bits. @passed is the value
 * written instead, or @old if nothing was written.
 */
TRACE_EVENT(pci_liveupdate_blocked,

	TP_PROTO(struct pci_dev *dev, int where, int size, u32 val, u32 old,
		 u32 passed, unsigned long caller),

	TP_ARGS(dev, where, size, val, old, passed, caller),

	TP_STRUCT__entry(
		__field(unsigned long, caller)
		__field(u32, domain)
		__field(u32, val)
		__field(u32, old)
		__field(u32, passed)
		__field(u16, bdf)
		__field(u16, where)
		__field(u8, size)
	),

	TP_fast_assign(
		__entry->caller = caller;
		__entry->domain = pci_domain_nr(dev->bus);
		__entry->val = val;
		__entry->old = old;
		__entry->passed = passed;
		__entry->bdf = pci_dev_id(dev);
		__entry->where = where;
		__entry->size = size;
	),

	TP_printk("%04x:%02x:%02x.%u where=0x%03x size=%u val=0x%x old=0x%x passed=0x%x caller=%pS",
		__entry->domain, __entry->bdf >> 8, (__entry->bdf >> 3) & 0x1f,
		__entry->bdf & 0x7, __entry->where, __entry->size, __entry->val,
		__entry->old, __entry->passed, (void *)__entry->caller
	)
);

/* The kernel read the record of the previous kernel. @root is NULL on error. */
TRACE_EVENT(pci_liveupdate_retrieve,

	TP_PROTO(u64 root_pa, const struct pci_ser *root, int err, u64 start),

	TP_ARGS(root_pa, root, err, start),

	TP_STRUCT__entry(
		__field(u64, duration_ns)
		__field(u64, root_pa)
		__field(u64, nr_devices)
		__field(u32, nr_segments)
		__field(int, err)
	),

	TP_fast_assign(
		u64 now = sched_clock();

		__entry->duration_ns = start && now > start ? now - start : 0;
		__entry->root_pa = root_pa;
		__entry->nr_devices = root ? root->nr_devices : 0;
		__entry->nr_segments = root ? root->nr_segments : 0;
		__entry->err = err;
	),

	TP_printk("root_pa=0x%llx nr_devices=%llu nr_segments=%u err=%d duration_ns=%llu",
		__entry->root_pa, __entry->nr_devices, __entry->nr_segments,
		__entry->err, __entry->duration_ns
	)
);

/*
 * The record is damaged. @dev is the device with the damaged entry, or NULL if
 * @damage is not in an entry: the kernel then panics. The scope tells if the
 * address is valid as a whole (function), has a valid domain only (segment), or is
 * not valid (record).
 */
TRACE_EVENT(pci_liveupdate_damage,

	TP_PROTO(struct pci_dev *dev, const struct pci_liveupdate_damage *damage),

	TP_ARGS(dev, damage),

	TP_STRUCT__entry(
		__string(scope, dev ? "function" :
				damage->in_segment ? "segment" : "record")
		__string(field, damage->field)
		__string(rule, damage->rule)
		__field(u64, found)
		__field(u64, expected)
		__field(u32, domain)
		__field(u16, bdf)
	),

	TP_fast_assign(
		__assign_str(scope);
		__assign_str(field);
		__assign_str(rule);
		__entry->found = damage->found;
		__entry->expected = damage->expected;
		__entry->domain = dev ? pci_domain_nr(dev->bus) : damage->domain;
		__entry->bdf = dev ? pci_dev_id(dev) : 0;
	),

	TP_printk("%04x:%02x:%02x.%u scope=%s field=\"%s\" found=0x%llx rule=\"%s\" expected=0x%llx",
		__entry->domain, __entry->bdf >> 8, (__entry->bdf >> 3) & 0x1f,
		__entry->bdf & 0x7, __get_str(scope), __get_str(field),
		__entry->found, __get_str(rule), __entry->expected
	)
);

#endif /* _TRACE_PCI_LIVEUPDATE_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
