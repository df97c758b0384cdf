// SPDX-License-Identifier: GPL-2.0
/*
 * Host bridges made of software, with as many PCI functions as a test asks for.
 */

/**
 * DOC: PCI live update test hosts
 *
 * pci_liveupdate_hosts=SEGMENTS,FUNCTIONS on the command line adds SEGMENTS host
 * bridges, in segments from 0001 on, with FUNCTIONS functions distributed over
 * them. The kernel finds them at boot, before a live update and after it, like
 * hardware: they depend only on the command line.
 *
 * Each host bridge has conventional bridges below, with one full bus each, so
 * that each function has a bridge above. Reads compute the value of a register,
 * and writes are ignored, so only struct pci_dev takes memory. There are no BARs.
 */

#define pr_fmt(fmt) "PCI: liveupdate: test hosts: " fmt

#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/math.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/numa.h>
#include <linux/pci.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "pci_liveupdate_hosts.h"

#define HOSTS_VENDOR		0xbdf0
#define HOSTS_FUNCTION		0x1000
#define HOSTS_BRIDGE		0x1001

#define HOSTS_FIRST_DOMAIN	1
#define HOSTS_MAX_SEGMENTS	256

/* A bus has 32 slots with 8 functions each. */
#define HOSTS_PER_BUS		256

/* Bus 00 has the bridges, each with one of the other 255 buses below. */
#define HOSTS_PER_SEGMENT	(255 * HOSTS_PER_BUS)

/**
 * struct hosts_segment - A host bridge.
 * @sysdata:      The sysdata of the architecture for a bus; first.
 * @nr_functions: Number of functions below it.
 */
struct hosts_segment {
	struct pci_sysdata sysdata;
	unsigned int nr_functions;
};

static_assert(!offsetof(struct hosts_segment, sysdata));

struct pci_liveupdate_hosts pci_liveupdate_hosts;

static unsigned int nr_bridges(const struct hosts_segment *segment)
{
	return DIV_ROUND_UP(segment->nr_functions, HOSTS_PER_BUS);
}

/* Configuration space */

static bool answers(const struct hosts_segment *segment, u8 bus, u8 devfn)
{
	if (!bus)
		return devfn < nr_bridges(segment);

	return (bus - 1) * HOSTS_PER_BUS + devfn < segment->nr_functions;
}

static u32 function_register(int where)
{
	switch (where) {
	case PCI_VENDOR_ID:
		return HOSTS_FUNCTION << 16 | HOSTS_VENDOR;
	case PCI_CLASS_REVISION:
		return PCI_CLASS_MEMORY_OTHER << 16;
	case PCI_CACHE_LINE_SIZE:
		return (PCI_HEADER_TYPE_NORMAL | PCI_HEADER_TYPE_MFD) << 16;
	default:
		return 0;
	}
}

/* Number the buses as firmware would. */
static u32 bridge_register(u8 devfn, int where)
{
	u8 secondary = devfn + 1;

	switch (where) {
	case PCI_VENDOR_ID:
		return HOSTS_BRIDGE << 16 | HOSTS_VENDOR;
	case PCI_CLASS_REVISION:
		return PCI_CLASS_BRIDGE_PCI << 16;
	case PCI_CACHE_LINE_SIZE:
		return (PCI_HEADER_TYPE_BRIDGE | PCI_HEADER_TYPE_MFD) << 16;
	case PCI_PRIMARY_BUS:
		return secondary << 16 | secondary << 8;
	case PCI_MEMORY_BASE:
		/* Close the window: its limit is below its base. */
		return 0xfff0;
	default:
		return 0;
	}
}

static int hosts_read(struct pci_bus *bus, unsigned int devfn, int where,
		      int size, u32 *val)
{
	int reg = ALIGN_DOWN(where, 4);
	u32 all;

	if (!answers(bus->sysdata, bus->number, devfn))
		all = U32_MAX;
	else if (bus->number)
		all = function_register(reg);
	else
		all = bridge_register(devfn, reg);

	*val = all >> 8 * (where - reg) & GENMASK(8 * size - 1, 0);
	return PCIBIOS_SUCCESSFUL;
}

static int hosts_write(struct pci_bus *bus, unsigned int devfn, int where,
		       int size, u32 val)
{
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops hosts_ops = {
	.read = hosts_read,
	.write = hosts_write,
};

static int hosts_map_irq(const struct pci_dev *dev, u8 slot, u8 pin)
{
	return 0;
}

/* Enumeration */

static int collect(struct pci_dev *dev, void *data)
{
	struct pci_liveupdate_hosts *hosts = data;

	if (dev->hdr_type == PCI_HEADER_TYPE_BRIDGE)
		hosts->bridges[hosts->nr_bridges++] = pci_dev_get(dev);
	else
		hosts->functions[hosts->nr_functions++] = pci_dev_get(dev);
	return 0;
}

/* Add a host bridge, which stays until reboot as hardware does. */
static int __init scan_segment(u32 domain, unsigned int nr_functions)
{
	struct hosts_segment *segment;
	struct pci_host_bridge *host;
	int err;

	segment = kzalloc_obj(*segment);
	if (!segment)
		return -ENOMEM;

	segment->sysdata.domain = domain;
	segment->sysdata.node = NUMA_NO_NODE;
	segment->nr_functions = nr_functions;

	host = pci_alloc_host_bridge(0);
	if (!host) {
		kfree(segment);
		return -ENOMEM;
	}
	host->sysdata = segment;
	host->ops = &hosts_ops;
	host->map_irq = hosts_map_irq;

	pci_lock_rescan_remove();
	err = pci_scan_root_bus_bridge(host);
	if (!err)
		pci_bus_add_devices(host->bus);
	pci_unlock_rescan_remove();
	if (err) {
		pci_free_host_bridge(host);
		kfree(segment);
		return err;
	}

	pci_walk_bus(host->bus, collect, &pci_liveupdate_hosts);
	return 0;
}

static unsigned int wanted_segments __initdata;
static unsigned int wanted_functions __initdata;

static int __init scan_all(void)
{
	unsigned int nr = wanted_segments;
	int err = 0;

	for (unsigned int i = 0; i < nr && !err; i++)
		err = scan_segment(HOSTS_FIRST_DOMAIN + i,
				   wanted_functions / nr +
				   (i < wanted_functions % nr));

	pci_liveupdate_hosts.nr_segments = nr;
	return err;
}

static long free_kb(void)
{
	struct sysinfo info;

	si_meminfo(&info);
	return info.freeram * (PAGE_SIZE / 1024);
}

/**
 * pci_liveupdate_scan_quietly - Enumerate test hosts without lines on the console.
 * @scan: Enumerates them.
 * @ns: Set to the time that this takes.
 * @kb: Set to the memory that this takes.
 *
 * The PCI core prints a line for each device. On a serial console these lines would
 * take longer than the enumeration, so keep them in the log only. The console level
 * applies when a line is printed.
 *
 * Context: Process context. May sleep.
 * Return: The return value of @scan.
 */
int __init pci_liveupdate_scan_quietly(int (*scan)(void), u64 *ns, long *kb)
{
	int level = console_loglevel;
	int err;

	pr_flush(1000, true);
	console_loglevel = CONSOLE_LOGLEVEL_QUIET;
	*kb = free_kb();
	*ns = ktime_get_ns();
	err = scan();
	*ns = ktime_get_ns() - *ns;
	*kb -= free_kb();
	pr_flush(1000, true);
	console_loglevel = level;
	return err;
}

/* Parameters */

static int __init hosts_param(char *value)
{
	unsigned int segments, functions;
	char rest;

	if (sscanf(value ?: "", "%u,%u%c", &segments, &functions, &rest) != 2 ||
	    !segments || segments > HOSTS_MAX_SEGMENTS ||
	    functions < segments || functions > segments * HOSTS_PER_SEGMENT) {
		pr_err("pci_liveupdate_hosts=%s is ignored: expected SEGMENTS,FUNCTIONS with 1 to %d segments, and 1 to %d functions in each\n",
		       value ?: "", HOSTS_MAX_SEGMENTS, HOSTS_PER_SEGMENT);
		return 0;
	}

	wanted_segments = segments;
	wanted_functions = functions;
	return 0;
}
early_param("pci_liveupdate_hosts", hosts_param);

static int __init hosts_alloc(struct pci_liveupdate_hosts *hosts)
{
	unsigned int per_segment, max_bridges;

	per_segment = DIV_ROUND_UP(wanted_functions, wanted_segments);
	max_bridges = wanted_segments * DIV_ROUND_UP(per_segment, HOSTS_PER_BUS);

	hosts->functions = vcalloc(wanted_functions, sizeof(*hosts->functions));
	hosts->bridges = vcalloc(max_bridges, sizeof(*hosts->bridges));
	if (!hosts->functions || !hosts->bridges) {
		vfree(hosts->functions);
		vfree(hosts->bridges);
		return -ENOMEM;
	}

	return 0;
}

/* After drivers of other host bridges, and before absent devices are counted. */
static int __init hosts_init(void)
{
	struct pci_liveupdate_hosts *hosts = &pci_liveupdate_hosts;
	int err;

	if (!wanted_segments)
		return 0;

	err = hosts_alloc(hosts);
	if (err)
		return err;

	err = pci_liveupdate_scan_quietly(scan_all, &hosts->enumerate_ns,
					  &hosts->enumerate_kb);
	if (err || hosts->nr_functions != wanted_functions) {
		pr_err("%u of %u functions enumerated: %pe\n",
		       hosts->nr_functions, wanted_functions, ERR_PTR(err));
		return err ?: -EIO;
	}

	pr_info("%u functions below %u bridges in %u segments enumerated in %llu ms\n",
		hosts->nr_functions, hosts->nr_bridges, hosts->nr_segments,
		div_u64(hosts->enumerate_ns, NSEC_PER_MSEC));
	return 0;
}
device_initcall(hosts_init);
