// SPDX-License-Identifier: GPL-2.0
/*
 * A host bridge made of software, with PFs and VFs.
 */

/**
 * DOC: PCI live update test host with SR-IOV
 *
 * pci_liveupdate_sriov=PFS,VFS[,OFFSET,STRIDE] on the command line adds a host
 * bridge in segment 0101 with PFS root ports, one PF below each, and VFS VFs for
 * each PF. The first VF is OFFSET routing IDs after its PF, and each other VF is
 * STRIDE after the one before. By default the VFs share the bus of their PF if
 * they fit (ARI, 1,1), and otherwise have buses of their own (256,1).
 *
 * Registers that software can write keep their values across a kexec, as in
 * hardware: KHO hands their memory over. All others depend only on the command
 * line. At power-on, bus numbers and addresses have the values that firmware would
 * assign. Nothing is behind the addresses.
 *
 * The host bridge counts the accesses to each function.
 */

#define pr_fmt(fmt) "PCI: liveupdate: test host with SR-IOV: " fmt

#include <linux/align.h>
#include <linux/array_size.h>
#include <linux/bits.h>
#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/kernel.h>
#include <linux/kexec_handover.h>
#include <linux/ktime.h>
#include <linux/math.h>
#include <linux/math64.h>
#include <linux/numa.h>
#include <linux/pci.h>
#include <linux/printk.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <linux/wordpart.h>

#include "pci_liveupdate_hosts.h"

#define SRIOV_VENDOR		0xbdf1
#define SRIOV_PORT		0x1001
#define SRIOV_PF		0x1002
#define SRIOV_VF		0x1003

/* Behind the segments of pci_liveupdate_hosts= */
#define SRIOV_DOMAIN		0x101

/* Of all root ports. No memory is there in the machines of the tests. */
#define SRIOV_WINDOW		BIT_ULL(39)
#define SRIOV_BAR_SIZE		SZ_16K

#define SRIOV_SUBTREE		"pci-liveupdate-sriov"

/* Offsets of capabilities */
#define PORT_EXP		0x40
#define FN_PM			0x40
#define FN_MSIX			0x50
#define FN_EXP			0x60
#define FN_AER			0x100
#define FN_ARI			0x150
#define PF_SRIOV		0x160

#define CAP(id, next, value) ((id) | (next) << 8 | (u32)(value) << 16)
#define EXT_CAP(id, version, next) ((id) | (version) << 16 | (next) << 20)
#define EXP_CAP(next, type) CAP(PCI_CAP_ID_EXP, next, 2 | (type) << 4)

#define ALL_COMMANDS	(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | \
			 PCI_COMMAND_PARITY | PCI_COMMAND_SERR | \
			 PCI_COMMAND_INTX_DISABLE)
#define ALL_DEVCTL	0x7fff	/* but Initiate FLR, which reads as 0 */
#define BAR_64		(PCI_BASE_ADDRESS_MEM_TYPE_64 | \
			 PCI_BASE_ADDRESS_MEM_PREFETCH)
#define BAR_WRITABLE	((u32)~(SRIOV_BAR_SIZE - 1))

/**
 * struct sriov_reg - Four bytes of configuration space.
 * @where:    Their offset.
 * @writable: The bits that software can write.
 * @value:    The value at power-on.
 */
struct sriov_reg {
	u16 where;
	u32 writable;
	u32 value;
};

/* Registers that a table lacks are 0. power_on_*() changes the values marked "set". */
static const struct sriov_reg port_regs[] = {
	{ PCI_VENDOR_ID, 0, SRIOV_PORT << 16 | SRIOV_VENDOR },
	{ PCI_COMMAND, ALL_COMMANDS,
	  PCI_STATUS_CAP_LIST << 16 | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER },
	{ PCI_CLASS_REVISION, 0, PCI_CLASS_BRIDGE_PCI << 16 },
	{ PCI_CACHE_LINE_SIZE, 0,
	  (PCI_HEADER_TYPE_BRIDGE | PCI_HEADER_TYPE_MFD) << 16 },
	{ PCI_PRIMARY_BUS },						/* set */
	{ PCI_MEMORY_BASE, 0, 0xfff0 },					/* closed */
	{ PCI_PREF_MEMORY_BASE },					/* set */
	{ PCI_PREF_BASE_UPPER32 },					/* set */
	{ PCI_PREF_LIMIT_UPPER32 },					/* set */
	{ PCI_CAPABILITY_LIST, 0, PORT_EXP },
	{ PORT_EXP, 0, EXP_CAP(0, PCI_EXP_TYPE_ROOT_PORT) },
	{ PORT_EXP + PCI_EXP_DEVCAP, 0, PCI_EXP_DEVCAP_RBER },
	{ PORT_EXP + PCI_EXP_DEVCTL, ALL_DEVCTL },
	{ PORT_EXP + PCI_EXP_LNKCAP, 0, 0x11 },
	{ PORT_EXP + PCI_EXP_LNKCTL, 0, 0x11 << 16 },
	{ PORT_EXP + PCI_EXP_DEVCAP2, 0, PCI_EXP_DEVCAP2_ARI },
	{ PORT_EXP + PCI_EXP_DEVCTL2, PCI_EXP_DEVCTL2_ARI },
};

/* Of PFs and VFs */
static const struct sriov_reg function_regs[] = {
	{ PCI_CLASS_REVISION, 0, PCI_CLASS_MEMORY_OTHER << 16 },
	{ PCI_SUBSYSTEM_VENDOR_ID, 0, SRIOV_PF << 16 | SRIOV_VENDOR },
	{ PCI_CAPABILITY_LIST, 0, FN_PM },
	{ FN_PM, 0, CAP(PCI_CAP_ID_PM, FN_MSIX, 3) },
	{ FN_PM + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK,
	  PCI_PM_CTRL_NO_SOFT_RESET },
	{ FN_MSIX, (u32)(PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL) << 16,
	  CAP(PCI_CAP_ID_MSIX, FN_EXP, 0) },
	{ FN_MSIX + PCI_MSIX_PBA, 0, 0x1000 },
	{ FN_EXP, 0, EXP_CAP(0, PCI_EXP_TYPE_ENDPOINT) },
	{ FN_EXP + PCI_EXP_DEVCAP, 0, PCI_EXP_DEVCAP_RBER | PCI_EXP_DEVCAP_FLR },
	{ FN_EXP + PCI_EXP_DEVCTL, ALL_DEVCTL },
	{ FN_EXP + PCI_EXP_LNKCAP, 0, 0x11 },
	{ FN_EXP + PCI_EXP_LNKCTL, 0, 0x11 << 16 },
	{ FN_AER, 0, EXT_CAP(PCI_EXT_CAP_ID_ERR, 1, FN_ARI) },
	{ FN_AER + PCI_ERR_UNCOR_MASK, U32_MAX },
	{ FN_AER + PCI_ERR_UNCOR_SEVER, U32_MAX },
	{ FN_AER + PCI_ERR_COR_MASK, U32_MAX },
};

static const struct sriov_reg pf_regs[] = {
	{ PCI_VENDOR_ID, 0, SRIOV_PF << 16 | SRIOV_VENDOR },
	{ PCI_COMMAND, ALL_COMMANDS,
	  PCI_STATUS_CAP_LIST << 16 | PCI_COMMAND_MEMORY },
	{ PCI_BASE_ADDRESS_0, BAR_WRITABLE, BAR_64 },			/* set */
	{ PCI_BASE_ADDRESS_1, U32_MAX },				/* set */
	{ FN_ARI, 0, EXT_CAP(PCI_EXT_CAP_ID_ARI, 1, PF_SRIOV) },
	{ PF_SRIOV, 0, EXT_CAP(PCI_EXT_CAP_ID_SRIOV, 1, 0) },
	{ PF_SRIOV + PCI_SRIOV_CTRL, PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE |
	  PCI_SRIOV_CTRL_ARI },
	{ PF_SRIOV + PCI_SRIOV_INITIAL_VF },				/* set */
	{ PF_SRIOV + PCI_SRIOV_NUM_VF, U16_MAX },
	{ PF_SRIOV + PCI_SRIOV_VF_OFFSET },				/* set */
	{ PF_SRIOV + PCI_SRIOV_VF_DID - 2, 0, SRIOV_VF << 16 },
	{ PF_SRIOV + PCI_SRIOV_SUP_PGSIZE, 0, 1 },
	{ PF_SRIOV + PCI_SRIOV_SYS_PGSIZE, U32_MAX, 1 },
	{ PF_SRIOV + PCI_SRIOV_BAR, BAR_WRITABLE, BAR_64 },		/* set */
	{ PF_SRIOV + PCI_SRIOV_BAR + 4, U32_MAX },			/* set */
};

/* Software takes the IDs from the PF, and its Memory Space Enable is that of VFs. */
static const struct sriov_reg vf_regs[] = {
	{ PCI_VENDOR_ID, 0, U32_MAX },
	{ PCI_COMMAND, PCI_COMMAND_MASTER, PCI_STATUS_CAP_LIST << 16 },
	{ FN_ARI, 0, EXT_CAP(PCI_EXT_CAP_ID_ARI, 1, 0) },
};

enum sriov_kind {
	KIND_PORT,
	KIND_PF,
	KIND_VF,
	NR_KINDS,
};

/* The registers of a kind: a table of its own, and then function_regs[] or nothing */
static const struct sriov_kind_regs {
	const struct sriov_reg *own;
	unsigned int nr_own;
	unsigned int nr;
} kind_regs[NR_KINDS] = {
	[KIND_PORT] = {
		port_regs, ARRAY_SIZE(port_regs), ARRAY_SIZE(port_regs),
	},
	[KIND_PF] = {
		pf_regs, ARRAY_SIZE(pf_regs),
		ARRAY_SIZE(pf_regs) + ARRAY_SIZE(function_regs),
	},
	[KIND_VF] = {
		vf_regs, ARRAY_SIZE(vf_regs),
		ARRAY_SIZE(vf_regs) + ARRAY_SIZE(function_regs),
	},
};

static const struct sriov_reg *reg_of(enum sriov_kind kind, unsigned int i)
{
	const struct sriov_kind_regs *all = &kind_regs[kind];

	return i < all->nr_own ? &all->own[i] : &function_regs[i - all->nr_own];
}

/**
 * struct sriov_shape - The command line.
 * @pfs:    Number of root ports and PFs.
 * @vfs:    Number of VFs of each PF.
 * @offset: First VF Offset.
 * @stride: VF Stride.
 */
struct sriov_shape {
	unsigned int pfs;
	unsigned int vfs;
	unsigned int offset;
	unsigned int stride;
};

/**
 * struct sriov_state - The part of the host bridge that survives a kexec.
 * @shape: The command line.
 * @regs:  Registers of all root ports, then of all PFs, then of all VFs.
 */
struct sriov_state {
	struct sriov_shape shape;
	u32 regs[];
};

/* Whose configuration space is accessed, and how often */
enum sriov_class {
	CLASS_PF,
	CLASS_PRESERVED_VF,
	CLASS_OTHER_VF,
	CLASS_REST,
	NR_CLASSES,
};

static const char * const class_names[] = {
	[CLASS_PF] = "pf",
	[CLASS_PRESERVED_VF] = "preserved-vf",
	[CLASS_OTHER_VF] = "other-vf",
	[CLASS_REST] = "rest",
};

struct sriov_count {
	u64 functions;
	u64 reads;
	u64 writes;
};

/**
 * struct sriov_function - A function of the host bridge.
 * @reads:     Number of reads of its configuration space.
 * @writes:    Number of writes.
 * @preserved: The previous kernel preserved it, and enumeration found it.
 */
struct sriov_function {
	u32 reads;
	u32 writes;
	bool preserved;
};

static struct sriov_shape shape;
static unsigned int buses_per_port;
static struct sriov_state *state;
static struct sriov_function *functions;
static struct sriov_function nowhere;
static struct sriov_count enumeration_counts[NR_CLASSES];
static u64 scan_ns, claim_ns, add_ns, total_ns;
static long total_kb;

/* Protects registers and counts: the PCI core accesses both in parallel. */
static DEFINE_RAW_SPINLOCK(sriov_lock);

/* Functions */

static unsigned int nr_of_kind(enum sriov_kind kind)
{
	return kind == KIND_VF ? shape.pfs * shape.vfs : shape.pfs;
}

static struct sriov_function *function_of(enum sriov_kind kind, unsigned int nr)
{
	while (kind--)
		nr += nr_of_kind(kind);
	return &functions[nr];
}

static u32 *regs_of(enum sriov_kind kind, unsigned int nr)
{
	u32 *regs = state->regs + nr * kind_regs[kind].nr;

	while (kind--)
		regs += nr_of_kind(kind) * kind_regs[kind].nr;
	return regs;
}

/* Return the register at @where, or NULL, and its description in @reg. */
static u32 *find_reg(enum sriov_kind kind, unsigned int nr, int where,
		     const struct sriov_reg **reg)
{
	for (unsigned int i = 0; i < kind_regs[kind].nr; i++) {
		*reg = reg_of(kind, i);
		if ((*reg)->where == where)
			return regs_of(kind, nr) + i;
	}

	return NULL;
}

static u32 get_reg(enum sriov_kind kind, unsigned int nr, int where)
{
	const struct sriov_reg *reg;

	return *find_reg(kind, nr, where, &reg);
}

/* The number of VFs of a PF that answer */
static unsigned int enabled_vfs(unsigned int pf)
{
	if (!(get_reg(KIND_PF, pf, PF_SRIOV + PCI_SRIOV_CTRL) &
	      PCI_SRIOV_CTRL_VFE))
		return 0;

	return min(get_reg(KIND_PF, pf, PF_SRIOV + PCI_SRIOV_NUM_VF), shape.vfs);
}

/* Find the VF that is @id routing IDs after its PF. */
static bool find_vf(unsigned int pf, unsigned int id, unsigned int *vf)
{
	if (id < shape.offset || (id - shape.offset) % shape.stride)
		return false;

	*vf = (id - shape.offset) / shape.stride;
	return *vf < enabled_vfs(pf);
}

static bool find_function(u8 bus, u8 devfn, enum sriov_kind *kind,
			  unsigned int *nr)
{
	unsigned int pf, id, vf;

	if (!bus) {
		*kind = KIND_PORT;
		*nr = devfn;
		return devfn < shape.pfs;
	}

	pf = (bus - 1) / buses_per_port;
	id = PCI_DEVID((bus - 1) % buses_per_port, devfn);
	if (pf >= shape.pfs)
		return false;

	if (!id) {
		*kind = KIND_PF;
		*nr = pf;
		return true;
	}

	if (!find_vf(pf, id, &vf))
		return false;

	*kind = KIND_VF;
	*nr = pf * shape.vfs + vf;
	return true;
}

/* Power-on */

static void set_reg(enum sriov_kind kind, unsigned int nr, int where, u32 value)
{
	const struct sriov_reg *reg;

	*find_reg(kind, nr, where, &reg) = value;
}

static void power_on(enum sriov_kind kind, unsigned int nr)
{
	u32 *regs = regs_of(kind, nr);

	for (unsigned int i = 0; i < kind_regs[kind].nr; i++)
		regs[i] = reg_of(kind, i)->value;
}

/* A port forwards the BAR of its PF, with those of all VFs behind it. */
static u64 port_window_size(void)
{
	return ALIGN((u64)SRIOV_BAR_SIZE * (1 + shape.vfs), SZ_1M);
}

static u64 port_window(unsigned int port)
{
	return SRIOV_WINDOW + port * port_window_size();
}

static void power_on_port(unsigned int port)
{
	u64 base = port_window(port), limit = base + port_window_size() - 1;
	u8 secondary = 1 + port * buses_per_port;
	u8 subordinate = secondary + buses_per_port - 1;

	power_on(KIND_PORT, port);
	set_reg(KIND_PORT, port, PCI_PRIMARY_BUS,
		subordinate << 16 | secondary << 8);
	set_reg(KIND_PORT, port, PCI_PREF_MEMORY_BASE,
		(lower_32_bits(limit) & 0xfff00000) | PCI_PREF_RANGE_TYPE_64 << 16 |
		(lower_32_bits(base) & 0xfff00000) >> 16 | PCI_PREF_RANGE_TYPE_64);
	set_reg(KIND_PORT, port, PCI_PREF_BASE_UPPER32, upper_32_bits(base));
	set_reg(KIND_PORT, port, PCI_PREF_LIMIT_UPPER32, upper_32_bits(limit));
}

static void set_bar(unsigned int pf, int where, u64 address)
{
	set_reg(KIND_PF, pf, where, lower_32_bits(address) | BAR_64);
	set_reg(KIND_PF, pf, where + 4, upper_32_bits(address));
}

static void power_on_pf(unsigned int pf)
{
	power_on(KIND_PF, pf);
	set_bar(pf, PCI_BASE_ADDRESS_0, port_window(pf));
	set_bar(pf, PF_SRIOV + PCI_SRIOV_BAR, port_window(pf) + SRIOV_BAR_SIZE);
	set_reg(KIND_PF, pf, PF_SRIOV + PCI_SRIOV_INITIAL_VF,
		shape.vfs << 16 | shape.vfs);
	set_reg(KIND_PF, pf, PF_SRIOV + PCI_SRIOV_VF_OFFSET,
		shape.stride << 16 | shape.offset);
}

static void power_on_vfs(unsigned int pf)
{
	for (unsigned int vf = 0; vf < shape.vfs; vf++)
		power_on(KIND_VF, pf * shape.vfs + vf);
}

/* Configuration space */

static u32 read_reg(u8 bus, u8 devfn, int where)
{
	const struct sriov_reg *reg;
	enum sriov_kind kind;
	unsigned int nr;
	u32 *value;

	guard(raw_spinlock_irqsave)(&sriov_lock);

	if (!find_function(bus, devfn, &kind, &nr)) {
		nowhere.reads++;
		return U32_MAX;
	}

	function_of(kind, nr)->reads++;
	value = find_reg(kind, nr, where, &reg);
	return value ? *value : 0;
}

static void write_reg(u8 bus, u8 devfn, int where, u32 mask, u32 val)
{
	const struct sriov_reg *reg;
	enum sriov_kind kind;
	bool had_vfs = false;
	unsigned int nr;
	u32 *value;

	guard(raw_spinlock_irqsave)(&sriov_lock);

	if (!find_function(bus, devfn, &kind, &nr)) {
		nowhere.writes++;
		return;
	}

	function_of(kind, nr)->writes++;
	value = find_reg(kind, nr, where, &reg);
	if (!value)
		return;

	if (kind == KIND_PF)
		had_vfs = enabled_vfs(nr);
	mask &= reg->writable;
	*value = (*value & ~mask) | (val & mask);
	if (kind == KIND_PF && !had_vfs && enabled_vfs(nr))
		power_on_vfs(nr);
}

static int sriov_read(struct pci_bus *bus, unsigned int devfn, int where,
		      int size, u32 *val)
{
	int reg = ALIGN_DOWN(where, 4);

	*val = read_reg(bus->number, devfn, reg) >> 8 * (where - reg) &
	       GENMASK(8 * size - 1, 0);
	return PCIBIOS_SUCCESSFUL;
}

static int sriov_write(struct pci_bus *bus, unsigned int devfn, int where,
		       int size, u32 val)
{
	int reg = ALIGN_DOWN(where, 4), shift = 8 * (where - reg);

	write_reg(bus->number, devfn, reg, GENMASK(8 * size - 1, 0) << shift,
		  val << shift);
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops sriov_ops = {
	.read = sriov_read,
	.write = sriov_write,
};

static int sriov_map_irq(const struct pci_dev *dev, u8 slot, u8 pin)
{
	return 0;
}

/* For other files */

/**
 * pci_liveupdate_hosts_have_sriov - Check if the test host exists.
 *
 * Context: Any.
 * Return: true if it does.
 */
bool pci_liveupdate_hosts_have_sriov(void)
{
	return state;
}

/**
 * pci_liveupdate_hosts_next_vf - Iterate over the VFs of the test host.
 * @from: NULL, or the VF that the call before returned; its reference is dropped.
 *
 * Context: Process context. May sleep.
 * Return: The next VF, referenced, or NULL.
 */
struct pci_dev *pci_liveupdate_hosts_next_vf(struct pci_dev *from)
{
	do {
		from = pci_get_device(PCI_ANY_ID, PCI_ANY_ID, from);
	} while (from && (pci_domain_nr(from->bus) != SRIOV_DOMAIN ||
			  !from->is_virtfn));

	return from;
}

/**
 * pci_liveupdate_hosts_nr_vfs - Count the VFs that the PCI core knows.
 *
 * Context: Process context. May sleep.
 * Return: Their number.
 */
unsigned int pci_liveupdate_hosts_nr_vfs(void)
{
	struct pci_dev *vf = NULL;
	unsigned int count = 0;

	if (!pci_liveupdate_hosts_have_sriov())
		return 0;

	while ((vf = pci_liveupdate_hosts_next_vf(vf)))
		count++;
	return count;
}

static void add_count(struct sriov_count *count,
		      const struct sriov_function *function)
{
	count->functions++;
	count->reads += function->reads;
	count->writes += function->writes;
}

static void count_all(struct sriov_count *counts)
{
	guard(raw_spinlock_irqsave)(&sriov_lock);

	for (unsigned int i = 0; i < nr_of_kind(KIND_PORT); i++)
		add_count(&counts[CLASS_REST], function_of(KIND_PORT, i));
	for (unsigned int i = 0; i < nr_of_kind(KIND_PF); i++)
		add_count(&counts[CLASS_PF], function_of(KIND_PF, i));
	for (unsigned int i = 0; i < nr_of_kind(KIND_VF); i++) {
		struct sriov_function *vf = function_of(KIND_VF, i);

		add_count(&counts[vf->preserved ? CLASS_PRESERVED_VF :
						  CLASS_OTHER_VF], vf);
	}

	counts[CLASS_REST].reads += nowhere.reads;
	counts[CLASS_REST].writes += nowhere.writes;
}

/**
 * pci_liveupdate_hosts_mark_vfs - Find out which VFs are preserved.
 *
 * Call it once, when the kernel has enumerated all devices. The accesses up to now
 * are those of enumeration.
 *
 * Context: Process context. May sleep.
 */
void __init pci_liveupdate_hosts_mark_vfs(void)
{
	struct pci_dev *dev = NULL;
	enum sriov_kind kind;
	unsigned int nr;

	if (!pci_liveupdate_hosts_have_sriov())
		return;

	while ((dev = pci_liveupdate_hosts_next_vf(dev))) {
		if (pci_liveupdate_incoming_is_preserved(dev) &&
		    find_function(dev->bus->number, dev->devfn, &kind, &nr))
			function_of(kind, nr)->preserved = true;
	}

	count_all(enumeration_counts);
}

static void show_counts(struct seq_file *m, const char *until,
			const struct sriov_count *counts)
{
	for (enum sriov_class class = 0; class < NR_CLASSES; class++)
		seq_printf(m, "count %s %s %llu %llu %llu\n", until,
			   class_names[class], counts[class].functions,
			   counts[class].reads, counts[class].writes);
}

/* Count VFs that are bus masters, those of the record and others. */
static void show_masters(struct seq_file *m)
{
	unsigned int masters[2] = {};

	for (unsigned int i = 0; i < nr_of_kind(KIND_VF); i++) {
		if (i % shape.vfs < enabled_vfs(i / shape.vfs) &&
		    get_reg(KIND_VF, i, PCI_COMMAND) & PCI_COMMAND_MASTER)
			masters[function_of(KIND_VF, i)->preserved]++;
	}

	seq_printf(m, "masters_preserved %u\n", masters[true]);
	seq_printf(m, "masters_other %u\n", masters[false]);
}

/**
 * pci_liveupdate_hosts_report_sriov - Show the state of the test host.
 * @m: Where to.
 *
 * A line that begins with "count" has the time up to which accesses are counted,
 * the class of functions, their number, that of reads, and that of writes.
 *
 * Context: Process context. May sleep.
 */
void pci_liveupdate_hosts_report_sriov(struct seq_file *m)
{
	struct sriov_count counts[NR_CLASSES] = {};

	if (!pci_liveupdate_hosts_have_sriov())
		return;

	seq_printf(m, "pfs %u\n", shape.pfs);
	seq_printf(m, "vfs_of_pf %u\n", shape.vfs);
	seq_printf(m, "vfs_found %u\n", pci_liveupdate_hosts_nr_vfs());
	show_masters(m);
	seq_printf(m, "sriov_ns %llu\n", total_ns);
	seq_printf(m, "sriov_scan_ns %llu\n", scan_ns);
	seq_printf(m, "sriov_claim_ns %llu\n", claim_ns);
	seq_printf(m, "sriov_add_ns %llu\n", add_ns);
	seq_printf(m, "sriov_kb %ld\n", total_kb);
	show_counts(m, "enumeration", enumeration_counts);
	count_all(counts);
	show_counts(m, "now", counts);
}

/* Enumeration */

static struct pci_sysdata sysdata = {
	.domain = SRIOV_DOMAIN,
	.node = NUMA_NO_NODE,
};

static struct resource window = {
	.name = "PCI live update test host",
	.start = SRIOV_WINDOW,
	.flags = IORESOURCE_MEM | IORESOURCE_PREFETCH | IORESOURCE_MEM_64,
};

static int __init scan_bus(struct pci_host_bridge *host)
{
	u64 start = ktime_get_ns(), scanned, claimed;
	int err;

	pci_lock_rescan_remove();
	err = pci_scan_root_bus_bridge(host);
	if (err)
		goto out;

	scanned = ktime_get_ns();
	pci_bus_claim_resources(host->bus);
	claimed = ktime_get_ns();
	pci_bus_add_devices(host->bus);

	scan_ns = scanned - start;
	claim_ns = claimed - scanned;
	add_ns = ktime_get_ns() - claimed;
out:
	pci_unlock_rescan_remove();
	return err;
}

static int __init scan(void)
{
	struct pci_host_bridge *host;
	int err;

	window.end = SRIOV_WINDOW + shape.pfs * port_window_size() - 1;
	err = request_resource(&iomem_resource, &window);
	if (err)
		return err;

	host = pci_alloc_host_bridge(0);
	if (!host) {
		release_resource(&window);
		return -ENOMEM;
	}

	host->sysdata = &sysdata;
	host->ops = &sriov_ops;
	host->map_irq = sriov_map_irq;
	pci_add_resource(&host->windows, &window);
	err = scan_bus(host);
	if (err) {
		pci_free_host_bridge(host);
		release_resource(&window);
	}
	return err;
}

/* State */

static size_t state_size(void)
{
	size_t nr = 0;

	for (enum sriov_kind kind = 0; kind < NR_KINDS; kind++)
		nr += nr_of_kind(kind) * kind_regs[kind].nr;
	return struct_size(state, regs, nr);
}

/* Copy the registers that the previous kernel handed over, and free their memory. */
static bool __init take_over(size_t size)
{
	struct sriov_state *old;
	size_t old_size;
	phys_addr_t pa;
	bool same;

	if (kho_retrieve_subtree(SRIOV_SUBTREE, &pa, &old_size))
		return false;

	old = phys_to_virt(pa);
	same = old_size == size && !memcmp(&old->shape, &shape, sizeof(shape));
	if (same)
		memcpy(state, old, size);
	else
		pr_err("powered on again: give both kernels the same pci_liveupdate_sriov=\n");
	kho_restore_free(old);
	return same;
}

static int __init alloc_state(void)
{
	size_t size = state_size();
	int err;

	if (!kho_is_enabled())
		return -EOPNOTSUPP;

	functions = vcalloc(2 * shape.pfs + shape.pfs * shape.vfs,
			    sizeof(*functions));
	if (!functions)
		return -ENOMEM;

	state = kho_alloc_preserve(size);
	if (IS_ERR(state)) {
		err = PTR_ERR(state);
		state = NULL;
		goto err_functions;
	}

	if (!take_over(size)) {
		state->shape = shape;
		for (unsigned int i = 0; i < shape.pfs; i++) {
			power_on_port(i);
			power_on_pf(i);
		}
	}

	err = kho_add_subtree(SRIOV_SUBTREE, state, size);
	if (err)
		goto err_state;

	return 0;

err_state:
	kho_unpreserve_free(state);
	state = NULL;
err_functions:
	vfree(functions);
	return err;
}

/* Parameters */

static bool __init parse(const char *value, struct sriov_shape *to)
{
	char rest;
	int nr;

	nr = sscanf(value, "%u,%u,%u,%u%c", &to->pfs, &to->vfs, &to->offset,
		    &to->stride, &rest);
	if (nr == 2) {
		to->offset = to->vfs < 256 ? 1 : 256;
		to->stride = 1;
	} else if (nr != 4) {
		return false;
	}

	return to->pfs && to->pfs <= 255 &&
	       to->vfs && to->vfs <= U16_MAX &&
	       to->offset && to->offset <= U16_MAX &&
	       to->stride && to->stride <= U16_MAX;
}

static int __init sriov_param(char *value)
{
	struct sriov_shape wanted = {};
	u64 buses = 0;

	if (parse(value ?: "", &wanted))
		buses = 1 + ((wanted.offset +
			      (u64)(wanted.vfs - 1) * wanted.stride) >> 8);
	if (!buses || wanted.pfs * buses > 255) {
		pr_err("pci_liveupdate_sriov=%s is ignored: expected PFS,VFS[,OFFSET,STRIDE] with at most 255 buses\n",
		       value ?: "");
		return 0;
	}

	shape = wanted;
	buses_per_port = buses;
	return 0;
}
early_param("pci_liveupdate_sriov", sriov_param);

/* After drivers of other host bridges, and before absent devices are counted. */
static int __init sriov_init(void)
{
	int err;

	if (!shape.pfs)
		return 0;

	err = alloc_state();
	if (!err)
		err = pci_liveupdate_scan_quietly(scan, &total_ns, &total_kb);
	if (err) {
		pr_err("%u PFs are not enumerated: %pe\n", shape.pfs,
		       ERR_PTR(err));
		return err;
	}

	pr_info("%u PFs and %u VFs enumerated in %llu ms\n", shape.pfs,
		pci_liveupdate_hosts_nr_vfs(), div_u64(total_ns, NSEC_PER_MSEC));
	return 0;
}
device_initcall(sriov_init);
