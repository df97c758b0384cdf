// SPDX-License-Identifier: GPL-2.0
/*
 * Commands of nvme controllers for the programs of the scenarios.
 */

#define _GNU_SOURCE

#include <err.h>
#include <linux/nvme_ioctl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "nvme.h"

#define DEPTH		32
#define BLOCK		512
/* A read that takes longer is held back. */
#define HELD_MS		500
/* The machine may have been told a moment ago to hold reads back. */
#define MAX_READS	500
#define BETWEEN_READS_US	10000

/* Registers */

__u32 nvme_read32(const struct nvme *nvme, int reg)
{
	return __atomic_load_n((__u32 *)(nvme->bar + reg), __ATOMIC_ACQUIRE);
}

static void write32(const struct nvme *nvme, int reg, __u32 value)
{
	__atomic_store_n((__u32 *)(nvme->bar + reg), value, __ATOMIC_RELEASE);
}

__u64 nvme_read64(const struct nvme *nvme, int reg)
{
	return nvme_read32(nvme, reg) | (__u64)nvme_read32(nvme, reg + 4) << 32;
}

static void write64(const struct nvme *nvme, int reg, __u64 value)
{
	write32(nvme, reg, value);
	write32(nvme, reg + 4, value >> 32);
}

static void nvme_wait_ready(const struct nvme *nvme, __u32 ready)
{
	for (int ms = 0; (nvme_read32(nvme, NVME_REG_CSTS) & NVME_CSTS_RDY) != ready; ms++) {
		if (ms == 3000)
			errx(1, "%s: CC is %#x and CSTS stays %#x", nvme->address,
			     nvme_read32(nvme, NVME_REG_CC),
			     nvme_read32(nvme, NVME_REG_CSTS));
		usleep(1000);
	}
}

void nvme_enable(const struct nvme *nvme, __u64 asq, __u64 acq)
{
	write32(nvme, NVME_REG_CC, 0);
	nvme_wait_ready(nvme, 0);
	write32(nvme, NVME_REG_AQA, (DEPTH - 1) << 16 | (DEPTH - 1));
	write64(nvme, NVME_REG_ASQ, asq);
	write64(nvme, NVME_REG_ACQ, acq);
	write32(nvme, NVME_REG_CC,
		NVME_CC_IOSQES | NVME_CC_IOCQES | NVME_CC_ENABLE);
	nvme_wait_ready(nvme, NVME_CSTS_RDY);
}

static __u64 nvme_address(const struct nvme *nvme, const void *at)
{
	return dma_address(at, nvme->memory, nvme->iova);
}

/* Enable a controller whose queues are in its memory. */
void nvme_enable_queues(const struct nvme *nvme)
{
	nvme_enable(nvme, nvme_address(nvme, nvme->memory->queues[ADMIN].sq),
		    nvme_address(nvme, nvme->memory->queues[ADMIN].cq));
}

/* Commands */

static void nvme_submit(const struct nvme *nvme, int queue,
			struct nvme_command *command)
{
	struct nvme_memory *memory = nvme->memory;
	__u32 *submitted = &memory->position[queue].submitted;

	command->common.command_id = *submitted;
	memory->queues[queue].sq[*submitted % DEPTH] = *command;
	*submitted += 1;
	write32(nvme, NVME_REG_DBS + 8 * queue, *submitted % DEPTH);
}

/* Whether the next completion is there. Its status is valid then. */
bool nvme_completed(const struct nvme *nvme, int queue, __u16 *status)
{
	__u32 completed = nvme->memory->position[queue].completed;
	struct nvme_completion *entry;

	entry = &nvme->memory->queues[queue].cq[completed % DEPTH];
	*status = __atomic_load_n(&entry->status, __ATOMIC_ACQUIRE);
	/* The controller inverts the phase each time it begins at entry 0. */
	return (*status & 1) != (completed / DEPTH & 1);
}

/* Wait for the next completion. Returns false if it does not arrive in time. */
bool nvme_complete(const struct nvme *nvme, int queue, int ms)
{
	__u32 *completed = &nvme->memory->position[queue].completed;
	__u16 status;

	for (; !nvme_completed(nvme, queue, &status); ms--) {
		if (!ms)
			return false;
		usleep(1000);
	}
	if (status >> 1)
		errx(1, "%s: command %u of queue %d failed with status %#x",
		     nvme->address, *completed, queue, status >> 1);
	*completed += 1;
	write32(nvme, NVME_REG_DBS + 8 * queue + 4, *completed % DEPTH);
	return true;
}

/* The driver has its own queues and copies the data. */
static void driver_admin(const struct nvme *nvme,
			 const struct nvme_command *command, const char *what)
{
	struct nvme_passthru_cmd passthru = {
		.opcode = command->common.opcode,
		.addr = (unsigned long)nvme->memory->data,
		.data_len = command->common.dptr.prp1 ? PAGE : 0,
		.cdw10 = command->common.cdw10,
		.cdw11 = command->common.cdw11,
	};
	int status = ioctl(nvme->driver, NVME_IOCTL_ADMIN_CMD, &passthru);

	if (status < 0)
		err(1, "%s: %s", nvme->address, what);
	if (status)
		errx(1, "%s: status %#x: %s", nvme->address, status, what);
}

void nvme_admin(const struct nvme *nvme, struct nvme_command command,
		const char *what)
{
	if (nvme->driver) {
		driver_admin(nvme, &command, what);
		return;
	}

	nvme_submit(nvme, ADMIN, &command);
	if (!nvme_complete(nvme, ADMIN, 3000))
		errx(1, "%s: no completion: %s", nvme->address, what);
}

void nvme_identify(const struct nvme *nvme, __u8 cns)
{
	struct nvme_command command = {
		.identify = {
			.opcode = nvme_admin_identify,
			.dptr.prp1 = nvme_address(nvme, nvme->memory->data),
			.cns = cns,
		},
	};

	memset(nvme->memory->data, NVME_PATTERN, PAGE);
	nvme_admin(nvme, command, "identify");
}

/* With @interrupt, vector 0 tells of a completion. */
void nvme_create_io_queue(const struct nvme *nvme, bool interrupt)
{
	nvme_admin(nvme, (struct nvme_command){
		.create_cq = {
			.opcode = nvme_admin_create_cq,
			.prp1 = nvme_address(nvme, nvme->memory->queues[IO].cq),
			.cqid = IO,
			.qsize = DEPTH - 1,
			.cq_flags = NVME_QUEUE_PHYS_CONTIG |
				    (interrupt ? NVME_CQ_IRQ_ENABLED : 0),
		},
	}, "create the completion queue");
	nvme_admin(nvme, (struct nvme_command){
		.create_sq = {
			.opcode = nvme_admin_create_sq,
			.prp1 = nvme_address(nvme, nvme->memory->queues[IO].sq),
			.sqid = IO,
			.qsize = DEPTH - 1,
			.sq_flags = NVME_QUEUE_PHYS_CONTIG,
			.cqid = IO,
		},
	}, "create the submission queue");
}

/* Replace the queue. QEMU sends interrupts of queues that are younger than MSI-X only. */
void nvme_enable_io_interrupt(const struct nvme *nvme)
{
	struct nvme_command command = { .delete_queue.qid = IO };

	command.delete_queue.opcode = nvme_admin_delete_sq;
	nvme_admin(nvme, command, "delete the submission queue");
	command.delete_queue.opcode = nvme_admin_delete_cq;
	nvme_admin(nvme, command, "delete the completion queue");
	memset(&nvme->memory->queues[IO], 0, sizeof(nvme->memory->queues[IO]));
	memset(&nvme->memory->position[IO], 0, sizeof(nvme->memory->position[IO]));
	nvme_create_io_queue(nvme, true);
}

void nvme_submit_read(const struct nvme *nvme)
{
	struct nvme_command command = {
		.rw = {
			.opcode = nvme_cmd_read,
			.nsid = 1,
			.dptr.prp1 = nvme_address(nvme, nvme->memory->data),
			.length = PAGE / BLOCK - 1,
		},
	};

	memset(nvme->memory->data, NVME_PATTERN, PAGE);
	nvme_submit(nvme, IO, &command);
}

bool nvme_data_is(const struct nvme *nvme, __u8 byte)
{
	for (int i = 0; i < PAGE; i++)
		if (__atomic_load_n(&nvme->memory->data[i], __ATOMIC_ACQUIRE) != byte)
			return false;
	return true;
}

void nvme_complete_read(const struct nvme *nvme, int ms)
{
	if (!nvme_complete(nvme, IO, ms))
		errx(1, "%s: a read does not complete", nvme->address);
	if (!nvme_data_is(nvme, 0))
		errx(1, "%s: the data of the read did not arrive, it begins with %02x",
		     nvme->address, nvme->memory->data[0]);
}

/* The answer to Identify arrives. */
void nvme_check_identify(const struct nvme *nvme)
{
	nvme_identify(nvme, NVME_ID_CNS_CTRL);
	if (nvme_data_is(nvme, NVME_PATTERN))
		errx(1, "%s: the answer to identify did not arrive", nvme->address);
}

/* Leave a read in flight: the drive completes no more than one. Needs the I/O queue. */
void nvme_hold_read(const struct nvme *nvme)
{
	for (int i = 0; i < MAX_READS; i++) {
		nvme_submit_read(nvme);
		if (!nvme_complete(nvme, IO, HELD_MS))
			return;
		usleep(BETWEEN_READS_US);
	}
	errx(1, "%s: the drive does not hold a read back", nvme->address);
}

/* The read is in flight, and the controller uses this memory. */
void nvme_check_held(const struct nvme *nvme)
{
	__u16 status;

	if (nvme_completed(nvme, IO, &status) || !nvme_data_is(nvme, NVME_PATTERN))
		errx(1, "%s: the read is not in flight any more: status %#x, data %02x",
		     nvme->address, status, nvme->memory->data[0]);
	if (nvme_read64(nvme, NVME_REG_ASQ) != nvme_address(nvme, nvme->memory->queues[ADMIN].sq) ||
	    nvme_read64(nvme, NVME_REG_ACQ) != nvme_address(nvme, nvme->memory->queues[ADMIN].cq))
		errx(1, "%s: the controller does not use the memory any more", nvme->address);
}
