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
 * nvme-vf running VF...: print those whose controllers have the registers of enable still,
 * also in the next kernel.
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
 * nvme-vf carry-on VF: preserve the memfd again for another kexec, and leave a read in
 * flight in the same queues.
 *
 * nvme-vf forget VF: end the process that holds the memfd.
 *
 * After start, retrieve and carry-on a process in the background holds the memfd, and the
 * session before the kexec. The commands that follow find the memfd through it.
 */

#define _GNU_SOURCE

#include <err.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "luo.h"
#include "nvme.h"

#define TOKEN		1

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

static struct nvme nvme_open(const char *address)
{
	return (struct nvme){
		.address = address,
		.bar = map_bar(address, NVME_BAR_SIZE),
	};
}

static void nvme_close(struct nvme *nvme)
{
	munmap(nvme->bar, NVME_BAR_SIZE);
}

/* Memory that is preserved */

static const char *session_name(const char *address)
{
	static char name[64];

	snprintf(name, sizeof(name), "nvme-vf-%s", address);
	return name;
}

static struct nvme_memory *map_memory(int fd)
{
	return map(fd, sizeof(struct nvme_memory), MAP_SHARED | MAP_POPULATE);
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

static void forget(char **args)
{
	char target[64] = "";
	int pid;

	if (readlink(link_path(args[0]), target, sizeof(target) - 1) < 0 ||
	    sscanf(target, "/proc/%d/", &pid) != 1 || kill(pid, SIGKILL) ||
	    unlink(link_path(args[0])))
		err(1, "%s", link_path(args[0]));
}

static struct nvme open_held(const char *address)
{
	struct nvme nvme = nvme_open(address);

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

static struct nvme open_pf(const char *address)
{
	struct nvme nvme = nvme_open(address);

	nvme.memory = map(-1, sizeof(*nvme.memory), MAP_PRIVATE | MAP_ANONYMOUS |
			  MAP_LOCKED | MAP_POPULATE);
	nvme.driver = open_driver(address);
	return nvme;
}

static void identify_pf(char **args)
{
	struct nvme nvme = open_pf(args[0]);

	if (!nvme.driver)
		errx(1, "%s: the nvme driver is not bound", args[0]);
	nvme_check_identify(&nvme);
}

static void bring_online(char **args)
{
	struct nvme nvme = open_pf(args[0]);
	int count = atoi(args[1]);
	struct secondary_list list;
	struct nvme_command command = {
		.common.opcode = nvme_admin_virtual_mgmt,
	};

	/*
	 * Leave the controller of the PF enabled and idle: QEMU takes its secondary
	 * controllers offline when CC.EN is cleared.
	 */
	if (!nvme.driver)
		nvme_enable_queues(&nvme);
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
static __u64 queue_of(const char *address)
{
	unsigned int bus, slot, function;

	if (sscanf(address, "%*x:%x:%x.%x", &bus, &slot, &function) != 3)
		errx(2, "%s is not an address", address);
	return 0x10000000 + (bus << 8 | slot << 3 | function) * 2 * PAGE;
}

static void enable(char **addresses)
{
	for (; *addresses; addresses++) {
		struct nvme nvme = nvme_open(*addresses);
		__u64 queue = queue_of(*addresses);

		nvme_enable(&nvme, queue, queue + PAGE);
		nvme_close(&nvme);
	}
}

static void print_running(char **addresses)
{
	for (; *addresses; addresses++) {
		struct nvme nvme = nvme_open(*addresses);
		__u64 queue = queue_of(*addresses);

		if (nvme_read32(&nvme, NVME_REG_CC) & NVME_CC_ENABLE &&
		    nvme_read32(&nvme, NVME_REG_CSTS) == NVME_CSTS_RDY &&
		    nvme_read64(&nvme, NVME_REG_ASQ) == queue &&
		    nvme_read64(&nvme, NVME_REG_ACQ) == queue + PAGE)
			puts(*addresses);
		nvme_close(&nvme);
	}
}

static void print_registers(char **addresses)
{
	for (; *addresses; addresses++) {
		struct nvme nvme = nvme_open(*addresses);

		printf("%s %#x %#x %#x %#llx %#llx\n", *addresses,
		       nvme_read32(&nvme, NVME_REG_CC), nvme_read32(&nvme, NVME_REG_CSTS),
		       nvme_read32(&nvme, NVME_REG_AQA),
		       (unsigned long long)nvme_read64(&nvme, NVME_REG_ASQ),
		       (unsigned long long)nvme_read64(&nvme, NVME_REG_ACQ));
		nvme_close(&nvme);
	}
}

static void start(char **args)
{
	const char *address = args[0];
	struct nvme nvme = nvme_open(address);
	int fd = memfd_create("nvme-vf", 0);

	if (fd < 0 || ftruncate(fd, sizeof(*nvme.memory)))
		err(1, "memfd");
	nvme.memory = map_memory(fd);
	luo_preserve_fd(luo_create_session(session_name(address)), fd, TOKEN);

	nvme_enable_queues(&nvme);
	nvme_create_io_queue(&nvme, false);
	nvme_hold_read(&nvme);
	hold(address, fd);
}

static void retrieve(char **args)
{
	const char *address = args[0];
	struct nvme nvme = nvme_open(address);
	int session = luo_retrieve_session(session_name(address));
	int fd = luo_retrieve_fd(session, TOKEN);

	luo_finish_session(session);
	close(session);
	nvme.memory = map_memory(fd);
	hold(address, fd);

	nvme_check_held(&nvme);
}

static void check(char **args)
{
	struct nvme nvme = open_held(args[0]);

	nvme_complete_read(&nvme, 1000 * atoi(args[1]));
}

static void again(char **args)
{
	struct nvme nvme = open_held(args[0]);

	nvme_check_identify(&nvme);
	nvme_submit_read(&nvme);
	nvme_complete_read(&nvme, 3000);
}

static void carry_on(char **args)
{
	int fd = open_file(link_path(args[0]));
	struct nvme nvme = open_held(args[0]);

	luo_preserve_fd(luo_create_session(session_name(args[0])), fd, TOKEN);
	nvme_hold_read(&nvme);
	forget(args);
	hold(args[0], fd);
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
	{ "running", "VF...", 1, true, print_running },
	{ "start", "VF", 1, false, start },
	{ "retrieve", "VF", 1, false, retrieve },
	{ "check", "VF SECONDS", 2, false, check },
	{ "again", "VF", 1, false, again },
	{ "carry-on", "VF", 1, false, carry_on },
	{ "forget", "VF", 1, false, forget },
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
