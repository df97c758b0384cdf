/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Commands of nvme controllers for the programs of the scenarios. A call that fails ends
 * the program.
 */
#ifndef _GUEST_NVME_H
#define _GUEST_NVME_H

#include <linux/kernel.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <linux/uuid.h>
#include <stdbool.h>

/* The kernel's header for nvme is not one for user space. */
#define struct_group(NAME, MEMBERS...) \
	__struct_group(/* no tag */, NAME, /* no attributes */, MEMBERS)
#define uuid_t	guid_t
#include <linux/nvme.h>
#undef uuid_t

#include "luo.h"

/* Fills the data before a read; the drive reads as zeroes. */
#define NVME_PATTERN	0x5a
#define NVME_BAR_SIZE	(2 * PAGE)

enum { ADMIN, IO, NR_QUEUES };

/**
 * struct nvme_memory - Memory that a controller reads and writes.
 * @queues:    Submission and completion entries, a page each.
 * @data:      For one read, or the answer to Identify.
 * @position:  Number of commands submitted, and of completions seen, of each queue.
 */
struct nvme_memory {
	struct {
		struct nvme_command sq[PAGE / sizeof(struct nvme_command)];
		struct nvme_completion cq[PAGE / sizeof(struct nvme_completion)];
	} queues[NR_QUEUES];
	__u8 data[PAGE];
	struct {
		__u32 submitted;
		__u32 completed;
	} position[NR_QUEUES];
};

/**
 * struct nvme - A controller that this program or the nvme driver drives.
 * @address: Of its function.
 * @bar:     Its registers.
 * @memory:  Memory for commands.
 * @iova:    Address at which an IOMMU maps the memory, 0 for physical addresses.
 * @driver:  Character device of the nvme driver, 0 if that is not bound.
 */
struct nvme {
	const char *address;
	__u8 *bar;
	struct nvme_memory *memory;
	__u64 iova;
	int driver;
};

__u32 nvme_read32(const struct nvme *nvme, int reg);
__u64 nvme_read64(const struct nvme *nvme, int reg);
void nvme_enable(const struct nvme *nvme, __u64 asq, __u64 acq);
void nvme_enable_queues(const struct nvme *nvme);
void nvme_admin(const struct nvme *nvme, struct nvme_command command, const char *what);
void nvme_identify(const struct nvme *nvme, __u8 cns);
void nvme_check_identify(const struct nvme *nvme);
void nvme_create_io_queue(const struct nvme *nvme, bool interrupt);
void nvme_enable_io_interrupt(const struct nvme *nvme);
void nvme_submit_read(const struct nvme *nvme);
bool nvme_completed(const struct nvme *nvme, int queue, __u16 *status);
bool nvme_complete(const struct nvme *nvme, int queue, int ms);
void nvme_complete_read(const struct nvme *nvme, int ms);
void nvme_hold_read(const struct nvme *nvme);
void nvme_check_held(const struct nvme *nvme);
bool nvme_data_is(const struct nvme *nvme, __u8 byte);

#endif /* _GUEST_NVME_H */
