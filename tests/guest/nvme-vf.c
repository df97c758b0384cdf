// SPDX-License-Identifier: GPL-2.0
/*
 * Nvme controllers of a PF and its VFs, driven from user space without interrupts.
 *
 * nvme-vf online PF COUNT: give queues to the secondary controllers of the first COUNT
 * VFs, and bring them online. VFs have to be enabled before. If the nvme driver is bound
 * to the PF, it sends the commands.
 *
 * nvme-vf identify PF: a command for administration through the nvme driver of the PF.
 *
 * nvme-vf enable VF...: enable controllers that get no command.
 *
 * nvme-vf registers VF...: print a line of each with CC, CSTS, AQA, ASQ and ACQ.
 *
 * nvme-vf start VF: enable a controller with queues and data in a memfd, which is
 * preserved in a session of its own. One read completes, and a second one has to
 * stay in flight: the drive of the machine holds it back.
 *
 * nvme-vf retrieve VF: retrieve the memfd in the next kernel. The controller has
 * to use it still, and the read has to be in flight.
 *
 * nvme-vf check VF SECONDS: wait for the completion of that read and for its data.
 *
 * nvme-vf again VF: new commands for administration and I/O, in the same queues.
 *
 * After start and retrieve a process in the background holds the memfd, and the
 * session before the kexec. The commands that follow find the memfd through it.
 */

#define _GNU_SOURCE

#include <err.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/kernel.h>
#include <linux/nvme_ioctl.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <linux/uuid.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* The kernel's header for nvme is not one for user space. */
#define struct_group(NAME, MEMBERS...) \
	__struct_group(/* no tag */, NAME, /* no attributes */, MEMBERS)
#define uuid_t	guid_t
#include <linux/nvme.h>

#include "luo.h"

#define TOKEN		1
#define DEPTH		32
#define BLOCK		512
/* Fills the data before a read; the drive reads as zeroes. */
#define PATTERN		0x5a
#define BAR_SIZE	(2 * PAGE)

enum { ADMIN, IO, NR_QUEUES };

/**
 * struct memory - Memory that a controller reads and writes.
 * @queues:    Submission and completion entries, a page each.
 * @data:      For one read, or the answer to Identify.
 * @position:  Number of commands submitted, and of completions seen, of each queue.
 */
struct memory {
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
 * struct controller - A controller that this program or the nvme driver drives.
 * @address: Of its function.
 * @bar:     Its registers.
 * @memory:  Memory for commands.
 * @driver:  Character device of the nvme driver, 0 if that is not bound.
 */
struct controller {
	const char *address;
	__u8 *bar;
	struct memory *memory;
	int driver;
};

/* See "Secondary Controller List" in the NVM Express base specification. */
struct secondary_list {
	__u8 count;
	__u8 reserved[31];
	struct {
		__le16 id;
		__le16 primary_id;
		__u8 state;
		__u8 reserved0[3];
		__le16 vf;
		__le16 queues;
		__le16 interrupts;
		__u8 reserved1[18];
	} entries[127];
};

/* See "Virtualization Management command" there. */
enum {
	VIRT_QUEUES	= 0 << 8,
	VIRT_INTERRUPTS	= 1 << 8,
	VIRT_ASSIGN	= 0x8,
	VIRT_ONLINE	= 0x9,
};

/* Registers */

static __u32 read32(const struct controller *nvme, int reg)
{
	return __atomic_load_n((__u32 *)(nvme->bar + reg), __ATOMIC_ACQUIRE);
}

static void write32(const struct controller *nvme, int reg, __u32 value)
{
	__atomic_store_n((__u32 *)(nvme->bar + reg), value, __ATOMIC_RELEASE);
}

static __u64 read64(const struct controller *nvme, int reg)
{
	return read32(nvme, reg) | (__u64)read32(nvme, reg + 4) << 32;
}

static void write64(const struct controller *nvme, int reg, __u64 value)
{
	write32(nvme, reg, value);
	write32(nvme, reg + 4, value >> 32);
}

static struct controller nvme_open(const char *address)
{
	return (struct controller){
		.address = address,
		.bar = map_bar(address, BAR_SIZE),
	};
}

static void nvme_close(struct controller *nvme)
{
	munmap(nvme->bar, BAR_SIZE);
}

static void nvme_wait_ready(const struct controller *nvme, __u32 ready)
{
	for (int ms = 0; (read32(nvme, NVME_REG_CSTS) & NVME_CSTS_RDY) != ready; ms++) {
		if (ms == 3000)
			errx(1, "%s: CC is %#x and CSTS stays %#x", nvme->address,
			     read32(nvme, NVME_REG_CC),
			     read32(nvme, NVME_REG_CSTS));
		usleep(1000);
	}
}

static void nvme_enable(const struct controller *nvme, __u64 asq, __u64 acq)
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

/* Commands */

static void nvme_submit(const struct controller *nvme, int queue,
			struct nvme_command *command)
{
	struct memory *memory = nvme->memory;
	__u32 *submitted = &memory->position[queue].submitted;

	command->common.command_id = *submitted;
	memory->queues[queue].sq[*submitted % DEPTH] = *command;
	*submitted += 1;
	write32(nvme, NVME_REG_DBS + 8 * queue, *submitted % DEPTH);
}

/* Whether the next completion is there. Its status is valid then. */
static bool nvme_completed(const struct controller *nvme, int queue, __u16 *status)
{
	__u32 completed = nvme->memory->position[queue].completed;
	struct nvme_completion *entry;

	entry = &nvme->memory->queues[queue].cq[completed % DEPTH];
	*status = __atomic_load_n(&entry->status, __ATOMIC_ACQUIRE);
	/* The controller inverts the phase each time it begins at entry 0. */
	return (*status & 1) != (completed / DEPTH & 1);
}

/* Wait for the next completion. Returns false if it does not arrive in time. */
static bool nvme_complete(const struct controller *nvme, int queue, int ms)
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
static void driver_admin(const struct controller *nvme,
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

static void nvme_admin(const struct controller *nvme, struct nvme_command command,
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

static void nvme_identify(const struct controller *nvme, __u8 cns)
{
	struct nvme_command command = {
		.identify = {
			.opcode = nvme_admin_identify,
			.dptr.prp1 = physical(nvme->memory->data),
			.cns = cns,
		},
	};

	memset(nvme->memory->data, PATTERN, PAGE);
	nvme_admin(nvme, command, "identify");
}

static void nvme_create_io_queue(const struct controller *nvme)
{
	nvme_admin(nvme, (struct nvme_command){
		.create_cq = {
			.opcode = nvme_admin_create_cq,
			.prp1 = physical(nvme->memory->queues[IO].cq),
			.cqid = IO,
			.qsize = DEPTH - 1,
			.cq_flags = NVME_QUEUE_PHYS_CONTIG,
		},
	}, "create the completion queue");
	nvme_admin(nvme, (struct nvme_command){
		.create_sq = {
			.opcode = nvme_admin_create_sq,
			.prp1 = physical(nvme->memory->queues[IO].sq),
			.sqid = IO,
			.qsize = DEPTH - 1,
			.sq_flags = NVME_QUEUE_PHYS_CONTIG,
			.cqid = IO,
		},
	}, "create the submission queue");
}

static void nvme_submit_read(const struct controller *nvme)
{
	struct nvme_command command = {
		.rw = {
			.opcode = nvme_cmd_read,
			.nsid = 1,
			.dptr.prp1 = physical(nvme->memory->data),
			.length = PAGE / BLOCK - 1,
		},
	};

	memset(nvme->memory->data, PATTERN, PAGE);
	nvme_submit(nvme, IO, &command);
}

static bool data_is(const struct controller *nvme, __u8 byte)
{
	for (int i = 0; i < PAGE; i++)
		if (__atomic_load_n(&nvme->memory->data[i], __ATOMIC_ACQUIRE) != byte)
			return false;
	return true;
}

static void nvme_complete_read(const struct controller *nvme, int ms)
{
	if (!nvme_complete(nvme, IO, ms))
		errx(1, "%s: a read does not complete", nvme->address);
	if (!data_is(nvme, 0))
		errx(1, "%s: the data of the read did not arrive, it begins with %02x",
		     nvme->address, nvme->memory->data[0]);
}

/* Memory that is preserved */

static const char *session_name(const char *address)
{
	static char name[64];

	snprintf(name, sizeof(name), "nvme-vf-%s", address);
	return name;
}

static struct memory *map_memory(int fd)
{
	return map(fd, sizeof(struct memory), MAP_SHARED | MAP_POPULATE);
}

/* A link to the memfd, in the process that holds it. */
static const char *link_path(const char *address)
{
	static char path[64];

	snprintf(path, sizeof(path), "/tmp/nvme-vf-%s", address);
	return path;
}

/* Leave a process behind that holds all open files. */
static void hold(const char *address, int fd)
{
	char target[64];
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		int null = open_file("/dev/null");

		for (int i = 0; i < 3; i++)
			dup2(null, i);
		setsid();
		for (;;)
			pause();
	}
	snprintf(target, sizeof(target), "/proc/%d/fd/%d", pid, fd);
	if (symlink(target, link_path(address)))
		err(1, "%s", link_path(address));
}

static struct controller open_held(const char *address)
{
	struct controller nvme = nvme_open(address);

	nvme.memory = map_memory(open_file(link_path(address)));
	return nvme;
}

/* Open the character device of the nvme driver. Returns 0 if that is not bound. */
static int open_driver(const char *address)
{
	char path[64];
	glob_t found;
	int fd = 0;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/nvme/nvme*", address);
	if (!glob(path, 0, NULL, &found)) {
		snprintf(path, sizeof(path), "/dev/%s", strrchr(found.gl_pathv[0], '/') + 1);
		fd = open_file(path);
	}
	globfree(&found);
	return fd;
}

/* Commands of the program */

/*
 * Leave the controller of the PF enabled and idle: QEMU takes its secondary
 * controllers offline when CC.EN is cleared.
 */
static void enable_pf(const struct controller *nvme)
{
	nvme_enable(nvme, physical(nvme->memory->queues[ADMIN].sq),
		    physical(nvme->memory->queues[ADMIN].cq));
}

static struct controller open_pf(const char *address)
{
	struct controller nvme = nvme_open(address);

	nvme.memory = map(-1, sizeof(*nvme.memory), MAP_PRIVATE | MAP_ANONYMOUS |
			  MAP_LOCKED | MAP_POPULATE);
	nvme.driver = open_driver(address);
	return nvme;
}

static void identify_pf(char **args)
{
	struct controller nvme = open_pf(args[0]);

	if (!nvme.driver)
		errx(1, "%s: the nvme driver is not bound", args[0]);
	nvme_identify(&nvme, NVME_ID_CNS_CTRL);
	if (data_is(&nvme, PATTERN))
		errx(1, "%s: the answer to identify did not arrive", args[0]);
}

static void bring_online(char **args)
{
	struct controller nvme = open_pf(args[0]);
	int count = atoi(args[1]);
	struct secondary_list list;
	struct nvme_command command = {
		.common.opcode = nvme_admin_virtual_mgmt,
	};

	if (!nvme.driver)
		enable_pf(&nvme);
	nvme_identify(&nvme, NVME_ID_CNS_SCNDRY_CTRL_LIST);
	memcpy(&list, nvme.memory->data, sizeof(list));
	if (list.count < count)
		errx(1, "%s has %d secondary controllers", args[0], list.count);

	for (int i = 0; i < count; i++) {
		__u32 id = list.entries[i].id << 16;

		command.common.cdw10 = id | VIRT_QUEUES | VIRT_ASSIGN;
		command.common.cdw11 = NR_QUEUES;
		nvme_admin(&nvme, command, "assign queues");
		command.common.cdw10 = id | VIRT_INTERRUPTS | VIRT_ASSIGN;
		command.common.cdw11 = 1;
		nvme_admin(&nvme, command, "assign an interrupt");
		command.common.cdw10 = id | VIRT_ONLINE;
		command.common.cdw11 = 0;
		nvme_admin(&nvme, command, "bring it online");
	}
}

/* Without a doorbell the controller neither reads nor writes its queues. */
static void enable(char **addresses)
{
	for (; *addresses; addresses++) {
		struct controller nvme = nvme_open(*addresses);
		unsigned int bus, slot, function;
		__u64 queue;

		if (sscanf(*addresses, "%*x:%x:%x.%x", &bus, &slot, &function) != 3)
			errx(2, "%s is not an address", *addresses);
		queue = 0x10000000 + (bus << 8 | slot << 3 | function) * 2 * PAGE;
		nvme_enable(&nvme, queue, queue + PAGE);
		nvme_close(&nvme);
	}
}

static void print_registers(char **addresses)
{
	for (; *addresses; addresses++) {
		struct controller nvme = nvme_open(*addresses);

		printf("%s %#x %#x %#x %#llx %#llx\n", *addresses,
		       read32(&nvme, NVME_REG_CC), read32(&nvme, NVME_REG_CSTS),
		       read32(&nvme, NVME_REG_AQA),
		       (unsigned long long)read64(&nvme, NVME_REG_ASQ),
		       (unsigned long long)read64(&nvme, NVME_REG_ACQ));
		nvme_close(&nvme);
	}
}

static void start(char **args)
{
	const char *address = args[0];
	struct controller nvme = nvme_open(address);
	int fd = memfd_create("nvme-vf", 0);

	if (fd < 0 || ftruncate(fd, sizeof(*nvme.memory)))
		err(1, "memfd");
	nvme.memory = map_memory(fd);
	luo_preserve_fd(luo_create_session(session_name(address)), fd, TOKEN);

	nvme_enable(&nvme, physical(nvme.memory->queues[ADMIN].sq),
		    physical(nvme.memory->queues[ADMIN].cq));
	nvme_create_io_queue(&nvme);
	nvme_submit_read(&nvme);
	nvme_complete_read(&nvme, 3000);
	nvme_submit_read(&nvme);
	if (nvme_complete(&nvme, IO, 300))
		errx(1, "%s: the drive does not hold the read back", address);
	hold(address, fd);
}

static void retrieve(char **args)
{
	const char *address = args[0];
	struct controller nvme = nvme_open(address);
	int session = luo_retrieve_session(session_name(address));
	int fd = luo_retrieve_fd(session, TOKEN);
	__u16 status;

	luo_finish_session(session);
	close(session);
	nvme.memory = map_memory(fd);
	hold(address, fd);

	if (nvme_completed(&nvme, IO, &status) || !data_is(&nvme, PATTERN))
		errx(1, "%s: the read is not in flight any more: status %#x, data %02x",
		     address, status, nvme.memory->data[0]);
	if (read64(&nvme, NVME_REG_ASQ) != physical(nvme.memory->queues[ADMIN].sq) ||
	    read64(&nvme, NVME_REG_ACQ) != physical(nvme.memory->queues[ADMIN].cq))
		errx(1, "%s: the controller does not use the memory any more", address);
}

static void check(char **args)
{
	struct controller nvme = open_held(args[0]);

	nvme_complete_read(&nvme, 1000 * atoi(args[1]));
}

static void again(char **args)
{
	struct controller nvme = open_held(args[0]);

	nvme_identify(&nvme, NVME_ID_CNS_CTRL);
	if (data_is(&nvme, PATTERN))
		errx(1, "%s: the answer to identify did not arrive", args[0]);
	nvme_submit_read(&nvme);
	nvme_complete_read(&nvme, 3000);
}

static const struct {
	const char *name;
	const char *usage;
	int args;
	bool more;
	void (*run)(char **args);
} commands[] = {
	{ "online", "PF COUNT", 2, false, bring_online },
	{ "identify", "PF", 1, false, identify_pf },
	{ "enable", "VF...", 1, true, enable },
	{ "registers", "VF...", 1, true, print_registers },
	{ "start", "VF", 1, false, start },
	{ "retrieve", "VF", 1, false, retrieve },
	{ "check", "VF SECONDS", 2, false, check },
	{ "again", "VF", 1, false, again },
};

int main(int argc, char **argv)
{
	int args = argc - 2;

	for (size_t i = 0; args > 0 && i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i].name) || args < commands[i].args ||
		    (args > commands[i].args && !commands[i].more))
			continue;
		commands[i].run(argv + 2);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(stderr, "usage: nvme-vf %s %s\n", commands[i].name,
			commands[i].usage);
	return 2;
}
