// SPDX-License-Identifier: GPL-2.0
/*
 * A naive model of an index, with a byte for each BDF.
 */

#include <stdlib.h>
#include <string.h>

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>

#include "harness.h"
#include "liveupdate_index.h"
#include "model.h"
#include "test_pci_liveupdate_index.h"

/* @present has the generation of each function, @kind its kind, @marked is 0 or 1. */
struct model_segment {
	u32 domain;
	u64 nr_devices;
	u8 present[PCI_SER_BDFS];
	u8 marked[PCI_SER_BDFS];
	u8 kind[PCI_SER_BDFS];
};

struct model *model_create(void)
{
	struct model *model = calloc(1, sizeof(*model));

	ASSERT(model);
	return model;
}

void model_destroy(struct model *model)
{
	for (unsigned int i = 0; i < model->nr_segments; i++)
		free(model->segments[i]);
	free(model->segments);
	free(model);
}

/* Return the position of the first segment from @domain on. */
static unsigned int segment_position(const struct model *model, u32 domain)
{
	unsigned int low = 0, high = model->nr_segments;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (model->segments[middle]->domain < domain)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct model_segment *segment_find(const struct model *model, u32 domain)
{
	unsigned int i = segment_position(model, domain);

	if (i == model->nr_segments || model->segments[i]->domain != domain)
		return NULL;
	return model->segments[i];
}

static struct model_segment *segment_add(struct model *model, u32 domain)
{
	unsigned int i = segment_position(model, domain);
	struct model_segment **segments;
	struct model_segment *seg;

	segments = realloc(model->segments,
			   (model->nr_segments + 1) * sizeof(*segments));
	seg = calloc(1, sizeof(*seg));
	ASSERT(segments && seg);

	memmove(segments + i + 1, segments + i,
		(model->nr_segments - i) * sizeof(*segments));
	segments[i] = seg;
	seg->domain = domain;
	model->segments = segments;
	model->nr_segments++;
	return seg;
}

u8 model_get(const struct model *model, pci_ser_key_t key)
{
	struct model_segment *seg;

	seg = segment_find(model, PCI_SER_KEY_DOMAIN(key));
	return seg ? seg->present[PCI_SER_KEY_BDF(key)] : 0;
}

void model_set(struct model *model, pci_ser_key_t key, u8 generation)
{
	u32 domain = PCI_SER_KEY_DOMAIN(key);
	u16 bdf = PCI_SER_KEY_BDF(key);
	struct model_segment *seg = segment_find(model, domain);

	if (!seg && !generation)
		return;
	if (!seg)
		seg = segment_add(model, domain);

	if (seg->present[bdf])
		model->nr[seg->kind[bdf]]--;
	if (generation)
		model->nr[MODEL_FUNCTION]++;
	seg->kind[bdf] = MODEL_FUNCTION;
	model->nr_devices += !!generation - !!seg->present[bdf];
	seg->nr_devices += !!generation - !!seg->present[bdf];
	seg->present[bdf] = generation;
	if (!generation)
		model_mark(model, key, false);
}

/* Return a valid entry but for its checksum. */
static struct pci_function_ser make_entry(pci_ser_key_t key, u8 generation)
{
	u64 hash = (key << 8 | generation) * 0x9e3779b97f4a7c15;
	u8 bus = PCI_SER_KEY_BDF(key) >> 8;
	struct pci_function_ser entry = {
		.vendor = 1 + (hash >> 48) % 0xfffe,
		.device = hash >> 32,
	};

	if (bus < 255 && hash >> 31 & 1) {
		entry.flags = PCI_SER_BRIDGE;
		entry.secondary = bus + 1 + (hash >> 24 & 0x7f) % (255 - bus);
		entry.subordinate = entry.secondary +
			(hash >> 16 & 0xff) % (256 - entry.secondary);
	}
	if (hash >> 15 & 1)
		entry.flags |= PCI_SER_INTX_BROKEN;

	for (int i = 0; i < PCI_SER_NR_BARS; i++) {
		if (!entry.secondary || i < 2 || i == PCI_SER_ROM)
			entry.bar_shift[i] = hash >> i & 63;
	}
	return entry;
}

struct pci_function_ser model_entry(pci_ser_key_t key, u8 generation)
{
	return model_entry_of(key, generation, MODEL_FUNCTION);
}

void model_set_kind(struct model *model, pci_ser_key_t key, enum model_kind kind)
{
	struct model_segment *seg = segment_find(model, PCI_SER_KEY_DOMAIN(key));
	u16 bdf = PCI_SER_KEY_BDF(key);

	ASSERT(seg && seg->present[bdf]);
	model->nr[seg->kind[bdf]]--;
	model->nr[kind]++;
	seg->kind[bdf] = kind;
}

enum model_kind model_get_kind(const struct model *model, pci_ser_key_t key)
{
	struct model_segment *seg = segment_find(model, PCI_SER_KEY_DOMAIN(key));

	return seg ? seg->kind[PCI_SER_KEY_BDF(key)] : MODEL_FUNCTION;
}

u64 model_nr_pfs(const struct model *model)
{
	return model->nr[MODEL_PF] + model->nr[MODEL_IMPLIED_PF];
}

struct pci_function_ser model_entry_of(pci_ser_key_t key, u8 generation,
				       enum model_kind kind)
{
	static const u8 flags[MODEL_NR_KINDS] = {
		[MODEL_VF] = PCI_SER_VF,
		[MODEL_PF] = PCI_SER_PF,
		[MODEL_IMPLIED_PF] = PCI_SER_PF | PCI_SER_IMPLIED,
	};
	struct pci_function_ser entry = make_entry(key, generation);

	if (kind != MODEL_FUNCTION) {
		entry.flags &= PCI_SER_INTX_BROKEN;
		entry.flags |= flags[kind];
		entry.secondary = 0;
		entry.subordinate = 0;
	}
	if (entry.flags & PCI_SER_PF && generation & 1)
		entry.flags |= PCI_SER_AUTOPROBE;
	if (kind == MODEL_VF)
		memset(entry.bar_shift, 0, sizeof(entry.bar_shift));
	entry.checksum = test_entry_checksum(key, &entry);
	return entry;
}

/* Return a valid state but for its checksum, with up to 32 VFs. */
static struct pci_sriov_ser make_sriov(pci_ser_key_t key, u8 generation)
{
	u64 hash = (key << 8 | generation) * 0xc2b2ae3d27d4eb4f;
	u16 bdf = PCI_SER_KEY_BDF(key);
	u8 bus = bdf >> 8;
	struct pci_sriov_ser sriov = {
		.vf_device = hash >> 40,
		.max_bus = bus + (hash >> 32 & 0xff) % (256 - bus),
	};
	/* Number of routing IDs above that of the PF. */
	unsigned int room = (sriov.max_bus << 8 | 0xff) - bdf;

	for (int i = 0; i < PCI_SER_NR_VF_BARS; i++) {
		if (hash >> i & 1)
			sriov.bar_shift[i] = 12 + (hash >> (8 + i)) % 52;
	}
	if (!room)
		return sriov;

	sriov.offset = 1 + (hash >> 16 & 0xffff) % room;
	room -= sriov.offset;
	sriov.stride = 1 + (hash >> 56) % 16;
	sriov.num_vfs = 1 + (hash >> 48 & 31) % (room / sriov.stride + 1);
	return sriov;
}

struct pci_sriov_ser model_sriov(pci_ser_key_t key, u8 generation)
{
	struct pci_sriov_ser sriov = make_sriov(key, generation);

	sriov.checksum = test_sriov_checksum(key, &sriov);
	return sriov;
}

void model_mark(struct model *model, pci_ser_key_t key, bool mark)
{
	u16 bdf = PCI_SER_KEY_BDF(key);
	struct model_segment *seg;

	seg = segment_find(model, PCI_SER_KEY_DOMAIN(key));
	model->nr_marked += mark - seg->marked[bdf];
	seg->marked[bdf] = mark;
}

bool model_marked(const struct model *model, pci_ser_key_t key)
{
	struct model_segment *seg;

	seg = segment_find(model, PCI_SER_KEY_DOMAIN(key));
	return seg && seg->marked[PCI_SER_KEY_BDF(key)];
}

void model_clear_marks(struct model *model)
{
	if (!model->nr_marked)
		return;

	for (unsigned int i = 0; i < model->nr_segments; i++)
		memset(model->segments[i]->marked, 0, PCI_SER_BDFS);
	model->nr_marked = 0;
}

static bool all_zero(const u8 *bytes, size_t size)
{
	static const u8 zeros[PCI_SER_BDFS];

	return !memcmp(bytes, zeros, size);
}

bool model_any(const struct model *model, u32 domain, u8 first_bus, u8 last_bus)
{
	struct model_segment *seg = segment_find(model, domain);

	return seg && first_bus <= last_bus &&
	       !all_zero(seg->present + first_bus * PCI_SER_DEVFNS,
			 (last_bus - first_bus + 1) * PCI_SER_DEVFNS);
}

static int first_present(const struct model_segment *seg, unsigned int bdf)
{
	while (bdf < PCI_SER_BDFS) {
		if (seg->present[bdf])
			return bdf;
		if (bdf % PCI_SER_DEVFNS == 0 &&
		    all_zero(seg->present + bdf, PCI_SER_DEVFNS))
			bdf += PCI_SER_DEVFNS;
		else
			bdf++;
	}
	return -1;
}

bool model_next(const struct model *model, pci_ser_key_t *key)
{
	u64 domain = *key >> 16;
	unsigned int i;
	int bdf;

	if (domain > ~(u32)0)
		return false;

	for (i = segment_position(model, domain); i < model->nr_segments; i++) {
		struct model_segment *seg = model->segments[i];

		bdf = first_present(seg, seg->domain == domain ? (u16)*key : 0);
		if (bdf >= 0) {
			*key = PCI_SER_KEY(seg->domain, bdf);
			return true;
		}
	}
	return false;
}

void model_prune(struct model *model)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < model->nr_segments; i++) {
		if (model->segments[i]->nr_devices)
			model->segments[nr++] = model->segments[i];
		else
			free(model->segments[i]);
	}
	model->nr_segments = nr;
}

/* Compare the counts of the index. */
static void compare_counts(const struct model *model,
			   struct pci_liveupdate_index *index)
{
	CHECK_EQ(pci_liveupdate_index_count(index), model->nr_devices);
	CHECK_EQ(index->ser->nr_segments, model->nr_segments);
	CHECK_EQ(pci_liveupdate_index_count_marked(index), model->nr_marked);
}

/* The features of the previous kernel stay when its functions are removed. */
void model_compare_features(const struct model *model,
			    struct pci_liveupdate_index *index)
{
	if (!index->incoming)
		CHECK_EQ(index->ser->features,
			 model_nr_pfs(model) ? PCI_SER_FEATURE_SRIOV : 0);
}

static void compare_sriov(const struct model *model,
			  struct pci_liveupdate_index *index, pci_ser_key_t key)
{
	struct pci_sriov_ser expected = model_sriov(key, model_get(model, key));
	const struct pci_sriov_ser *sriov;
	struct pci_liveupdate_damage damage;
	struct pci_liveupdate_slot slot;
	u32 nr_vfs = 0;

	ASSERT(pci_liveupdate_index_find(index, key, &slot));
	sriov = pci_liveupdate_index_sriov(index, &slot, &damage);
	ASSERT(!IS_ERR(sriov));
	CHECK(!memcmp(sriov, &expected, sizeof(expected)));

	for (u64 nr = 0, vf = key + sriov->offset; nr < sriov->num_vfs;
	     nr++, vf += sriov->stride)
		nr_vfs += !!model_get(model, vf);
	CHECK_EQ(pci_liveupdate_index_count_vfs(index, key, sriov), nr_vfs);
}

void model_compare_function(const struct model *model,
			    struct pci_liveupdate_index *index,
			    pci_ser_key_t key)
{
	enum model_kind kind = model_get_kind(model, key);
	struct pci_function_ser expected;
	const struct pci_function_ser *entry;
	struct pci_liveupdate_damage damage;

	entry = test_index_entry(index, key, &damage);
	if (!model_get(model, key)) {
		CHECK_EQ(PTR_ERR(entry), -ENOENT);
		return;
	}

	expected = model_entry_of(key, model_get(model, key), kind);
	ASSERT(!IS_ERR(entry));
	CHECK(!memcmp(entry, &expected, sizeof(expected)));
	if (entry->flags & PCI_SER_PF)
		compare_sriov(model, index, key);
}

void model_compare(const struct model *model,
		   struct pci_liveupdate_index *index)
{
	pci_ser_key_t expected = 0;
	pci_ser_key_t key;
	u64 nr = 0;

	compare_counts(model, index);
	model_compare_features(model, index);
	pci_liveupdate_index_for_each(index, key) {
		ASSERT(model_next(model, &expected));
		ASSERT(key == expected++);
		model_compare_function(model, index, key);
		CHECK_EQ(test_index_marked(index, key), model_marked(model, key));
		nr++;
	}
	CHECK(!model_next(model, &expected));
	CHECK_EQ(nr, model->nr_devices);
}

static void compare_segment(const struct model *model,
			    struct pci_liveupdate_index *index,
			    const struct model_segment *seg)
{
	for (unsigned int bdf = 0; bdf < PCI_SER_BDFS; bdf++) {
		pci_ser_key_t key = PCI_SER_KEY(seg->domain, bdf);

		CHECK_EQ(test_index_contains(index, key), !!seg->present[bdf]);
		if (index->incoming)
			CHECK_EQ(test_index_marked(index, key), seg->marked[bdf]);
	}
	for (unsigned int bus = 0; bus < PCI_SER_BUSES; bus++)
		CHECK_EQ(pci_liveupdate_index_any(index, seg->domain, bus, bus),
			 model_any(model, seg->domain, bus, bus));
}

void model_compare_all(const struct model *model,
		       struct pci_liveupdate_index *index)
{
	model_compare(model, index);
	for (unsigned int i = 0; i < model->nr_segments; i++)
		compare_segment(model, index, model->segments[i]);
}
