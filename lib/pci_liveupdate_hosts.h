/* SPDX-License-Identifier: GPL-2.0 */
/*
 * PCI functions made of software, to measure a live update of many functions.
 */

#ifndef _LIB_PCI_LIVEUPDATE_HOSTS_H
#define _LIB_PCI_LIVEUPDATE_HOSTS_H

#include <linux/types.h>

struct pci_dev;
struct seq_file;

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

int pci_liveupdate_scan_quietly(int (*scan)(void), u64 *ns, long *kb);

bool pci_liveupdate_hosts_have_sriov(void);
struct pci_dev *pci_liveupdate_hosts_next_vf(struct pci_dev *from);
unsigned int pci_liveupdate_hosts_nr_vfs(void);
void pci_liveupdate_hosts_mark_vfs(void);
void pci_liveupdate_hosts_report_sriov(struct seq_file *m);

#endif /* _LIB_PCI_LIVEUPDATE_HOSTS_H */
