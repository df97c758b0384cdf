// SPDX-License-Identifier: GPL-2.0
/*
 * PCI live update: list preserved devices in debugfs, in a machine-readable format.
 */

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/liveupdate.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>

#include "pci.h"
#include "liveupdate_index.h"

enum debugfs_side {
	SIDE_OUTGOING,
	SIDE_INCOMING,
	NR_SIDES,
};

static const char * const debugfs_side_names[] = {
	[SIDE_OUTGOING] = "outgoing",
	[SIDE_INCOMING] = "incoming",
};

/*
 * Position in the file: 0 for the header, else 1 + a side and a key in its index.
 * Keys have 48 bits, and the position after the last key needs a 49th.
 */
#define SEQ_SIDE_SHIFT	49
#define SEQ_HEADER	0
#define SEQ_POS(side, pos)	(((u64)(side) << SEQ_SIDE_SHIFT) + (pos) + 1)

static struct pci_liveupdate_index *debugfs_side_index(enum debugfs_side side)
{
	return side == SIDE_OUTGOING ? pci_liveupdate_outgoing :
				       pci_liveupdate_incoming;
}

/* Advance @cursor to the next line, unless it is at one. */
static void *debugfs_find(u64 *cursor)
{
	if (*cursor == SEQ_HEADER)
		return cursor;

	for (u64 rest = *cursor - 1; rest >> SEQ_SIDE_SHIFT < NR_SIDES;) {
		enum debugfs_side side = rest >> SEQ_SIDE_SHIFT;
		u64 pos = rest & GENMASK_ULL(SEQ_SIDE_SHIFT - 1, 0);

		if (debugfs_side_index(side) &&
		    pci_liveupdate_index_next(debugfs_side_index(side), &pos)) {
			*cursor = SEQ_POS(side, pos);
			return cursor;
		}
		rest = (u64)(side + 1) << SEQ_SIDE_SHIFT;
	}

	return NULL;
}

static void *debugfs_seq_start(struct seq_file *m, loff_t *ppos)
	__acquires(&pci_liveupdate_lock)
{
	u64 *cursor = m->private;

	mutex_lock(&pci_liveupdate_lock);
	*cursor = *ppos;
	return debugfs_find(cursor);
}

static void *debugfs_seq_next(struct seq_file *m, void *v, loff_t *ppos)
{
	u64 *cursor = v;

	*ppos = ++*cursor;
	return debugfs_find(cursor);
}

static void debugfs_seq_stop(struct seq_file *m, void *v)
	__releases(&pci_liveupdate_lock)
{
	mutex_unlock(&pci_liveupdate_lock);
}

static void debugfs_show_header(struct seq_file *m)
{
	seq_puts(m, "# side address vendor:device kind state blocked\n");
	for (enum debugfs_side side = 0; side < NR_SIDES; side++) {
		struct pci_liveupdate_index *index = debugfs_side_index(side);

		if (index)
			seq_printf(m, "# %s record version %u at %#llx of %llu kB\n",
				   debugfs_side_names[side], index->ser->version,
				   pci_liveupdate_index_root_pa(index),
				   pci_liveupdate_index_size(index) / SZ_1K);
	}
}

/* Get the number of refused writes that would have changed bits. */
static unsigned int debugfs_blocked(pci_ser_key_t key)
{
	struct pci_dev *dev __free(pci_dev_put) = pci_liveupdate_get_dev(key);

	return dev ? atomic_read(&dev->liveupdate_guard.blocked) : 0;
}

static const char *debugfs_kind(const struct pci_function_ser *entry)
{
	if (entry->flags & PCI_SER_BRIDGE)
		return "bridge";
	if (entry->flags & PCI_SER_VF)
		return "vf";
	if (entry->flags & PCI_SER_IMPLIED)
		return "implied-pf";
	return entry->flags & PCI_SER_PF ? "pf" : "function";
}

static void debugfs_show_device(struct seq_file *m, enum debugfs_side side,
				pci_ser_key_t key)
{
	struct pci_liveupdate_index *index = debugfs_side_index(side);
	u32 domain = PCI_SER_KEY_DOMAIN(key);
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_slot slot;
	u16 bdf = PCI_SER_KEY_BDF(key);
	bool present;

	if (!pci_liveupdate_index_find(index, key, &slot))
		return;

	/* Removing a device drops it from the outgoing index */
	present = side == SIDE_OUTGOING || pci_liveupdate_index_marked(&slot);

	seq_printf(m, "%s %04x:%02x:%02x.%d", debugfs_side_names[side], domain,
		   PCI_BUS_NUM(bdf), PCI_SLOT(bdf), PCI_FUNC(bdf));
	entry = pci_liveupdate_index_entry(index, &slot, &damage);
	if (IS_ERR(entry))
		seq_puts(m, " 0000:0000 damaged");
	else
		seq_printf(m, " %04x:%04x %s", entry->vendor, entry->device,
			   debugfs_kind(entry));
	seq_printf(m, " %s %u\n", present ? "present" : "absent",
		   debugfs_blocked(key));
}

static int debugfs_seq_show(struct seq_file *m, void *v)
{
	u64 cursor = *(u64 *)v;

	if (cursor == SEQ_HEADER)
		debugfs_show_header(m);
	else
		debugfs_show_device(m, (cursor - 1) >> SEQ_SIDE_SHIFT,
				    (cursor - 1) &
				    GENMASK_ULL(SEQ_SIDE_SHIFT - 1, 0));
	return 0;
}

static const struct seq_operations debugfs_seq_ops = {
	.start = debugfs_seq_start,
	.next = debugfs_seq_next,
	.stop = debugfs_seq_stop,
	.show = debugfs_seq_show,
};

static int debugfs_seq_open(struct inode *inode, struct file *file)
{
	return seq_open_private(file, &debugfs_seq_ops, sizeof(u64));
}

static const struct file_operations debugfs_seq_fops = {
	.open = debugfs_seq_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release_private,
};

static int __init pci_liveupdate_debugfs_init(void)
{
	if (liveupdate_enabled())
		debugfs_create_file("pci_liveupdate", 0400, NULL, NULL,
				    &debugfs_seq_fops);
	return 0;
}
late_initcall(pci_liveupdate_debugfs_init);
