// SPDX-License-Identifier: GPL-2.0
/*
 * Damaged records: the index refuses each with the right message, and neither
 * changes nor leaks anything.
 */

#include <stdio.h>
#include <string.h>

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/kernel.h>

#include "harness.h"
#include "liveupdate_index.h"
#include "record.h"
#include "shim/kho_shim.h"
#include "shim/log_shim.h"
#include "test_pci_liveupdate_damage.h"
#include "test_pci_liveupdate_index.h"
#include "tests.h"

/* The segments that are damaged: in the first block and in the second. */
static const u32 segments[] = { 0, TEST_SAMPLE_SEGMENTS - 1 };

/* The function of exchanged leaves. */
#define FUNCTION	0x0208

/* The segment with a PF in a record without PFs. */
#define NO_SEGMENT	U32_MAX

/**
 * struct base - An intact record and the pages around it.
 * @root_pa: Physical address of the record.
 * @with_pf: The segment with a PF, or NO_SEGMENT.
 * @image:   A copy of all pages.
 * @taken:   Pages of order 0 and 1 that were preserved, and are ordinary now.
 * @ours:    Pages of order 0 and 1 that this kernel preserves.
 */
struct base {
	u64 root_pa;
	u32 with_pf;
	struct kho_shim_image *image;
	void *taken[2];
	void *ours[2];
};

static struct base base_create_with_pf(u32 with_pf)
{
	struct pci_liveupdate_index *index = pci_liveupdate_index_create();
	struct base base = {
		.with_pf = with_pf,
		.taken = { kho_alloc_preserve(PAGE_SIZE),
			   kho_alloc_preserve(2 * PAGE_SIZE) },
	};

	ASSERT(!IS_ERR(index));
	ASSERT(!test_index_fill_sample(index, TEST_SAMPLE_SEGMENTS));
	if (with_pf != NO_SEGMENT)
		ASSERT(!test_index_add_sample_pf(index, test_sample_domain(with_pf)));
	base.root_pa = pci_liveupdate_index_root_pa(index);
	kho_shim_kexec();

	for (int order = 0; order < 2; order++) {
		kho_restore_folio(virt_to_phys(base.taken[order]));
		base.ours[order] = kho_alloc_preserve(PAGE_SIZE << order);
	}
	base.image = kho_shim_save();
	return base;
}

static struct base base_create(void)
{
	return base_create_with_pf(NO_SEGMENT);
}

/* Every test repairs the record: restore it and free it. */
static void base_destroy(struct base *base)
{
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;

	ASSERT(!record_restore(base->root_pa, &index, &damage));
	CHECK_EQ(pci_liveupdate_index_count(index),
		 TEST_SAMPLE_DEVICES * TEST_SAMPLE_SEGMENTS +
		 (base->with_pf == NO_SEGMENT ? 0 : 3));
	pci_liveupdate_index_destroy(index);

	for (int order = 0; order < 2; order++) {
		folio_put(virt_to_folio(base->taken[order]));
		kho_unpreserve_free(base->ours[order]);
	}
	kho_shim_drop(base->image);
}

static struct test_damage_target base_target(const struct base *base, u32 segment)
{
	return (struct test_damage_target) {
		.root_pa = base->root_pa,
		.spare_pa = virt_to_phys(base->taken[0]),
		.segment = segment,
		.function = TEST_SAMPLE_FUNCTION,
		.bridge = TEST_SAMPLE_BRIDGE,
		.pf = TEST_SAMPLE_PF,
		.vf = TEST_SAMPLE_VF,
	};
}

static unsigned long nr_folios(void)
{
	return kho_shim_count(KHO_SHIM_OUTGOING) +
	       kho_shim_count(KHO_SHIM_HANDED_OVER) +
	       kho_shim_count(KHO_SHIM_RESTORED);
}

static void check_message(const struct test_damage *damage,
			  const struct test_damage_message *message,
			  const struct pci_liveupdate_damage *found)
{
	if (!found->field || strcmp(found->field, damage->text))
		test_fail(__FILE__, __LINE__, "%s: the field is %s, not %s",
			  damage->name, found->field ?: "not set", damage->text);
	if (!found->rule || strcmp(found->rule, damage->rule))
		test_fail(__FILE__, __LINE__, "%s: the rule is \"%s\", not \"%s\"",
			  damage->name, found->rule ?: "", damage->rule);
	CHECK_EQ(found->in_segment, message->in_segment);
	CHECK_EQ(found->domain, message->domain);
	CHECK_EQ(found->found, message->found);
	CHECK_EQ(found->expected, message->expected);
}

static void check_error(const struct test_damage *damage, long err)
{
	test_nr_checks++;
	if (err != damage->err)
		test_fail(__FILE__, __LINE__, "%s: the error is %ld, not %d",
			  damage->name, err, damage->err);
}

/* With -EBUSY the index has taken pages over, but must not free any. */
static void check_record_refused(const struct base *base,
				 const struct test_damage *damage, u32 segment)
{
	struct test_damage_target target = base_target(base, segment);
	struct test_damage_message message;
	struct pci_liveupdate_damage found;
	struct pci_liveupdate_index *index;
	struct kho_shim_image *damaged;
	unsigned long nr = nr_folios();

	test_damage_apply(damage, &target, &message);
	damaged = kho_shim_save();
	check_error(damage, record_restore(target.root_pa, &index, &found));
	ASSERT(!index);
	check_message(damage, &message, &found);
	if (damage->err == -EBUSY)
		CHECK_EQ(nr_folios(), nr);
	else
		CHECK(kho_shim_same(damaged));
	kho_shim_drop(damaged);
	kho_shim_rewind(base->image);
}

static void check_entry(struct pci_liveupdate_index *index, pci_ser_key_t key,
			const struct test_damage *damage,
			const struct test_damage_message *message)
{
	struct pci_liveupdate_damage found = { };
	const struct pci_function_ser *entry;

	CHECK(test_index_contains(index, key));
	entry = test_index_entry(index, key, &found);
	if (!damage) {
		CHECK(!IS_ERR(entry));
		return;
	}
	check_error(damage, PTR_ERR_OR_ZERO(entry));
	check_message(damage, message, &found);
}

/* Check the entries of a PF, of its VFs, and the state of the PF. */
static void check_sriov(struct pci_liveupdate_index *index, u32 domain,
			const struct test_damage *damage,
			const struct test_damage_message *message)
{
	const pci_ser_key_t pf = PCI_SER_KEY(domain, TEST_SAMPLE_PF);
	struct pci_liveupdate_damage found = { };
	const struct pci_sriov_ser *sriov;

	check_entry(index, pf, damage->level == DAMAGE_PF ? damage : NULL, message);
	check_entry(index, PCI_SER_KEY(domain, TEST_SAMPLE_VF),
		    damage->level == DAMAGE_VF ? damage : NULL, message);
	check_entry(index, PCI_SER_KEY(domain, TEST_SAMPLE_LAST_VF), NULL, message);

	sriov = test_index_sriov(index, pf, &found);
	if (damage->level < DAMAGE_SRIOV) {
		CHECK(!IS_ERR(sriov));
		return;
	}
	check_error(damage, PTR_ERR_OR_ZERO(sriov));
	check_message(damage, message, &found);
}

/* The damage of a PF or VF concerns no other function. */
static void check_sriov_refused(const struct base *base,
				const struct test_damage *damage)
{
	const bool leaf = damage->found.part == PART_SRIOV_LEAF_PA;
	struct test_damage_target target = base_target(base, base->with_pf);
	u32 domain = test_sample_domain(base->with_pf);
	struct test_damage_message message;
	struct pci_liveupdate_damage found;
	struct pci_liveupdate_index *index;

	test_damage_apply(damage, &target, &message);
	ASSERT(!record_restore(target.root_pa, &index, &found));
	check_sriov(index, domain, damage, &message);
	check_entry(index, PCI_SER_KEY(domain, TEST_SAMPLE_FUNCTION), NULL, &message);

	/* A leaf with a wrong address stays preserved, and a message says so. */
	pci_liveupdate_index_destroy(index);
	CHECK_EQ(log_shim_take_messages(), leaf && message.found);
	CHECK_EQ(kho_shim_count(KHO_SHIM_HANDED_OVER), leaf);
	kho_shim_rewind(base->image);
}

/* The damage concerns no other function, except those on the same bus. */
static void check_entry_refused(const struct base *base,
				const struct test_damage *damage, u32 segment)
{
	const bool on_bus = damage->level == DAMAGE_BUS;
	struct test_damage_target target = base_target(base, segment);
	u32 domain = test_sample_domain(segment);
	struct test_damage_message message;
	struct pci_liveupdate_damage found;
	struct pci_liveupdate_index *index;

	test_damage_apply(damage, &target, &message);
	ASSERT(!record_restore(target.root_pa, &index, &found));
	check_entry(index, PCI_SER_KEY(domain, TEST_SAMPLE_BRIDGE),
		    damage->level == DAMAGE_BRIDGE ? damage : NULL, &message);
	check_entry(index, PCI_SER_KEY(domain, TEST_SAMPLE_FUNCTION),
		    damage->level != DAMAGE_BRIDGE ? damage : NULL, &message);
	check_entry(index, PCI_SER_KEY(domain, TEST_SAMPLE_OTHER),
		    on_bus ? damage : NULL, &message);

	/* A leaf with a wrong address stays preserved, and a message says so. */
	pci_liveupdate_index_destroy(index);
	CHECK_EQ(log_shim_take_messages(), on_bus);
	CHECK_EQ(kho_shim_count(KHO_SHIM_HANDED_OVER), on_bus);
	kho_shim_rewind(base->image);
}

static void check_refused(const struct base *base,
			  const struct test_damage *damage)
{
	if (base->with_pf != NO_SEGMENT) {
		if (damage->level == DAMAGE_PFS)
			check_record_refused(base, damage, base->with_pf);
		else
			check_sriov_refused(base, damage);
		return;
	}

	for (size_t i = 0; i < ARRAY_SIZE(segments); i++) {
		if (damage->level < DAMAGE_FUNCTION)
			check_record_refused(base, damage, segments[i]);
		else
			check_entry_refused(base, damage, segments[i]);
	}
}

static unsigned int damage_records(u32 with_pf)
{
	struct base base = base_create_with_pf(with_pf);
	unsigned int nr = 0;

	for (size_t i = 0; i < ARRAY_SIZE(test_damages); i++) {
		bool needs_pf = test_damage_needs_pf(test_damages[i].level);

		if (needs_pf ? with_pf == NO_SEGMENT : with_pf != NO_SEGMENT)
			continue;
		check_refused(&base, &test_damages[i]);
		nr++;
	}
	base_destroy(&base);
	return nr;
}

void test_damaged_records(void)
{
	unsigned int nr = damage_records(NO_SEGMENT);
	unsigned int nr_pfs = 0;

	for (size_t i = 0; i < ARRAY_SIZE(segments); i++)
		nr_pfs = damage_records(segments[i]);
	CHECK_EQ(nr + nr_pfs, ARRAY_SIZE(test_damages));
	test_note("%u damages, and %u of PFs and VFs", nr, nr_pfs);
}

/* The fields of a record that hold an address. */
static const struct {
	enum test_damage_level level;
	struct test_damage_field field;
	const char *text;
	size_t size;
} addresses[] = {
	{ DAMAGE_ADDRESS, IN_ROOT_PA, "root", sizeof(struct pci_ser) },
	{ DAMAGE_RECORD, IN_ROOT(segments), "segments", PAGE_SIZE },
	{ DAMAGE_RECORD, IN_FIRST_BLOCK(next), "next of a block", PAGE_SIZE },
	{ DAMAGE_RECORD, IN_SEGMENT(bitmap), "bitmap", PCI_SER_BITMAP_SIZE },
	{ DAMAGE_RECORD, IN_SEGMENT(buses), "buses", PCI_SER_BUSES_SIZE },
	{ DAMAGE_BUS, IN_LEAF_PA, "buses[] entry", PCI_SER_LEAF_SIZE },
	{ DAMAGE_SRIOV, IN_SRIOV_LEAF_PA, "buses[] entry of PFs", PCI_SER_LEAF_SIZE },
};

/* Invalid addresses for a folio at @good of @size bytes. */
#define NR_MISALIGNED	5
#define NR_FOREIGN	8

static void misaligned_addresses(u64 good, u64 *bad)
{
	const u64 misaligned[NR_MISALIGNED] = {
		good + 1, good + 8, good + PAGE_SIZE / 2, 1, ~0ULL,
	};

	memcpy(bad, misaligned, sizeof(misaligned));
}

static void foreign_addresses(const struct base *base, u64 good, size_t size,
			      u64 *bad)
{
	struct pci_segment_ser *seg = record_segment(base->root_pa, 1);
	bool large = size > PAGE_SIZE;
	const u64 foreign[NR_FOREIGN] = {
		/* No memory, and a free page. */
		PAGE_SIZE, 1ULL << 60, ~0ULL << PAGE_SHIFT,
		good + round_up(size, PAGE_SIZE),
		/* A folio of the wrong size, and half of the right size. */
		large ? seg->buses : seg->bitmap,
		seg->bitmap + PAGE_SIZE,
		/* Taken over by this kernel, or preserved by it. */
		virt_to_phys(base->taken[large]),
		virt_to_phys(base->ours[large]),
	};

	memcpy(bad, foreign, sizeof(foreign));
}

static unsigned int damage_address(const struct base *base, size_t nth)
{
	const struct test_damage_value value = { addresses[nth].field, 0 };
	struct test_damage_target target = base_target(base, segments[0]);
	u64 good = test_damage_value(&target, &value);
	size_t size = addresses[nth].size;
	u64 bad[NR_MISALIGNED + NR_FOREIGN];

	misaligned_addresses(good, bad);
	foreign_addresses(base, good, size, bad + NR_MISALIGNED);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		bool misaligned = i < NR_MISALIGNED;
		const struct test_damage damage = {
			.level = addresses[nth].level,
			.name = addresses[nth].text,
			.err = misaligned ? -EINVAL : -EFAULT,
			.text = addresses[nth].text,
			.found = addresses[nth].field,
			.rule = misaligned ? ALIGNED : PRESERVED,
			.expected = NUMBER(misaligned ? PAGE_SIZE : size),
			.writes = { { addresses[nth].field, NUMBER(bad[i]) } },
		};

		check_refused(base, &damage);
	}
	return ARRAY_SIZE(bad);
}

void test_damaged_addresses(void)
{
	unsigned int nr = 0;

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		bool pf = test_damage_needs_pf(addresses[i].level);
		struct base base = base_create_with_pf(pf ? segments[0] : NO_SEGMENT);

		nr += damage_address(&base, i);
		base_destroy(&base);
	}
	CHECK_EQ(nr, 7 * 13);
	test_note("%u bad addresses", nr);
}

/*
 * Restoring does not detect these damages. Destroying the index must not free a
 * page twice, and keeps @nr_left pages preserved.
 */
static void check_leaf_tolerated(const struct base *base, unsigned long nr_left)
{
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;

	ASSERT(!record_restore(base->root_pa, &index, &damage));
	pci_liveupdate_index_destroy(index);
	CHECK_EQ(log_shim_take_messages(), 1);
	CHECK_EQ(kho_shim_count(KHO_SHIM_HANDED_OVER), nr_left);
	kho_shim_rewind(base->image);
}

void test_leaves_used_twice(void)
{
	struct base base = base_create();
	struct pci_segment_ser *first = record_segment(base.root_pa, segments[0]);
	struct pci_segment_ser *last = record_segment(base.root_pa, segments[1]);

	/* The leaf that no directory names any more stays. */
	record_buses(first)[2] = record_buses(first)[3];
	check_leaf_tolerated(&base, 1);
	record_buses(first)[2] = record_buses(last)[2];
	check_leaf_tolerated(&base, 1);
	record_buses(first)[2] = virt_to_phys(record_block(base.root_pa, 0));
	check_leaf_tolerated(&base, 1);
	record_buses(last)[3] = virt_to_phys(record_block(base.root_pa, 1));
	check_leaf_tolerated(&base, 1);

	/* The leaf of a bus without functions is freed as well. */
	record_buses(last)[0] = record_buses(last)[2];
	check_leaf_tolerated(&base, 0);
	base_destroy(&base);
}

static void exchange(u64 *a, u64 *b)
{
	u64 old = *a;

	*a = *b;
	*b = old;
}

static void check_refused_by_checksum(struct pci_liveupdate_index *index,
				      pci_ser_key_t key)
{
	struct pci_liveupdate_damage damage = { };
	const struct pci_function_ser *entry;

	entry = test_index_entry(index, key, &damage);
	CHECK_EQ(PTR_ERR(entry), -EBADMSG);
	CHECK(damage.field && !strcmp(damage.field, "checksum"));
	CHECK_EQ(damage.domain, PCI_SER_KEY_DOMAIN(key));
}

/* Two segments of the same functions: an entry is valid in its own place only. */
static void exchange_leaves(u32 first_domain, u32 last_domain, u16 first_bdf, u16 last_bdf)
{
	const struct pci_function_ser entry = { .vendor = 0x8086 };
	const pci_ser_key_t first = PCI_SER_KEY(first_domain, first_bdf);
	const pci_ser_key_t last = PCI_SER_KEY(last_domain, last_bdf);
	struct pci_liveupdate_index *index = pci_liveupdate_index_create();
	struct pci_liveupdate_damage damage;
	bool other_segment = first_domain != last_domain;
	u64 root_pa;

	ASSERT(!IS_ERR(index));
	ASSERT(!pci_liveupdate_index_add(index, first, &entry));
	ASSERT(!pci_liveupdate_index_add(index, last, &entry));
	root_pa = pci_liveupdate_index_root_pa(index);
	kho_shim_kexec();

	exchange(&record_buses(record_segment(root_pa, 0))[first_bdf >> 8],
		 &record_buses(record_segment(root_pa, other_segment))[last_bdf >> 8]);
	ASSERT(!record_restore(root_pa, &index, &damage));
	check_refused_by_checksum(index, first);
	check_refused_by_checksum(index, last);
	pci_liveupdate_index_destroy(index);
	CHECK_EQ(kho_shim_count(KHO_SHIM_HANDED_OVER), 0);
}

/*
 * The state of a PF that is a valid entry as well, but for its checksum: vendor is
 * NumVFs, device is First VF Offset, and the flags are VF Stride.
 */
static void exchange_kinds(void)
{
	const struct pci_function_ser entry = { .vendor = 1, .flags = PCI_SER_PF };
	const struct pci_sriov_ser state = { .num_vfs = 1, .offset = 1 };
	const pci_ser_key_t key = PCI_SER_KEY(3, 0x0008);
	struct pci_liveupdate_index *index = pci_liveupdate_index_create();
	struct pci_liveupdate_damage damage;
	u64 root_pa, *buses;

	ASSERT(!IS_ERR(index));
	ASSERT(!pci_liveupdate_index_add_pf(index, key, &entry, &state));
	root_pa = pci_liveupdate_index_root_pa(index);
	kho_shim_kexec();
	buses = record_buses(record_segment(root_pa, 0));
	exchange(&buses[0], &buses[PCI_SER_BUSES]);
	ASSERT(!record_restore(root_pa, &index, &damage));
	check_refused_by_checksum(index, key);
	pci_liveupdate_index_destroy(index);
	CHECK_EQ(kho_shim_count(KHO_SHIM_HANDED_OVER), 0);
}

void test_leaves_exchanged(void)
{
	static const u32 domains[] = { 0, 1, 2, 0x80, 0x100, 0x10000, 0x80000000, U32_MAX };
	unsigned int nr = 1;

	for (size_t i = 1; i < ARRAY_SIZE(domains); i++, nr++)
		exchange_leaves(domains[i - 1], domains[i], FUNCTION, FUNCTION);
	for (unsigned int bus = 0; bus < PCI_SER_BUSES; bus++) {
		if (bus == FUNCTION >> 8)
			continue;
		exchange_leaves(3, 3, FUNCTION, bus << 8 | (u8)FUNCTION);
		nr++;
	}
	exchange_kinds();
	test_note("%u pairs of leaves", nr);
}

/* This kernel reads a record of a later version that allows it. */
void test_versions(void)
{
	static const u32 versions[] = {
		RECORD_VERSION, RECORD_VERSION + 1, 0x101, 0x80000001, ~0,
	};
	struct base base = base_create();
	struct pci_ser *root = record_root(base.root_pa);
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_index *index;
	unsigned int nr = 0;

	CHECK_EQ(root->version, RECORD_VERSION);
	CHECK_EQ(root->oldest_reader, PCI_SER_OLDEST_READER);
	CHECK_EQ(root->features, 0);

	for (u32 oldest = 1; oldest <= RECORD_VERSION; oldest++) {
		for (size_t i = 0; i < ARRAY_SIZE(versions); i++, nr++) {
			root->version = versions[i];
			root->oldest_reader = oldest;
			record_repair_root(base.root_pa);
			CHECK_EQ(record_restore(base.root_pa, &index, &damage),
				 0);
			ASSERT(index);
			CHECK_EQ(record_use(index),
				 TEST_SAMPLE_DEVICES * TEST_SAMPLE_SEGMENTS);
			kho_shim_rewind(base.image);
		}
	}
	test_note("%u versions", nr);
	base_destroy(&base);
}
