/* SPDX-License-Identifier: GPL-2.0 */
/*
 * PCI functions made of software, to measure a live update of many functions.
 */

#ifndef _LIB_PCI_LIVEUPDATE_HOSTS_H
#define _LIB_PCI_LIVEUPDATE_HOSTS_H

#include <linux/types.h>

struct pci_dev;

/**
 * struct pci_liveupdate_hosts - The devices below the test hosts.
 * @nr_segments:  Number of host bridges, each with a segment of its own.
 * @nr_functions: Number of functions.
 * @nr_bridges:   Number of bridges above them.
 * @functions:    The functions, by segment and BDF; referenced.
 * @bridges:      The bridges, by segment and BDF; referenced.
 * @enumerate_ns: How long enumeration took.
 * @enumerate_kb: How much memory enumeration took.
 */
struct pci_liveupdate_hosts {
	unsigned int nr_segments;
	unsigned int nr_functions;
	unsigned int nr_bridges;
	struct pci_dev **functions;
	struct pci_dev **bridges;
	u64 enumerate_ns;
	long enumerate_kb;
};

extern struct pci_liveupdate_hosts pci_liveupdate_hosts;

#endif /* _LIB_PCI_LIVEUPDATE_HOSTS_H */
