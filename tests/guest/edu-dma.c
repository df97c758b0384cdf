// SPDX-License-Identifier: GPL-2.0
/*
 * DMA of an edu device that is under way while the kernel is replaced.
 *
 * edu-dma start ADDRESS: preserve a memfd in a session of its own, have the edu
 * begin to write a pattern to it, and run the kernel that is loaded. An edu
 * takes 100 ms for it.
 *
 * edu-dma check: retrieve the memfd, and see whether the pattern is there.
 */

#define _GNU_SOURCE

#include <err.h>
#include <fcntl.h>
#include <linux/liveupdate.h>
#include <linux/reboot.h>
#include <linux/types.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SESSION		"edu-dma"
#define TOKEN		1
#define PAGE		4096
#define SIZE		2048

/* See docs/specs/edu.txt of QEMU. */
#define EDU_DMA_SOURCE		(0x80 / 8)
#define EDU_DMA_DESTINATION	(0x88 / 8)
#define EDU_DMA_COUNT		(0x90 / 8)
#define EDU_DMA_COMMAND		(0x98 / 8)
#define EDU_DMA_RUN		1
#define EDU_DMA_FROM_EDU	2
#define EDU_BUFFER		0x40000

static void call(int fd, unsigned long request, void *arg, const char *what)
{
	if (ioctl(fd, request, arg))
		err(1, "%s", what);
}

static int open_liveupdate(void)
{
	int fd = open("/dev/liveupdate", O_RDWR);

	if (fd < 0)
		err(1, "/dev/liveupdate");
	return fd;
}

static void *map(int fd, size_t size, int flags)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (at == MAP_FAILED)
		err(1, "mmap");
	return at;
}

/* The physical address of a page that stays where it is. */
static __u64 physical(const void *at)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	__u64 entry;

	if (fd < 0 || pread(fd, &entry, sizeof(entry), (uintptr_t)at / PAGE *
			    sizeof(entry)) != sizeof(entry))
		err(1, "/proc/self/pagemap");
	close(fd);
	if (!(entry >> 63))
		errx(1, "the page is not in memory");
	return (entry & ((1ULL << 55) - 1)) * PAGE;
}

static void fill(__u8 *at)
{
	for (int i = 0; i < SIZE; i++)
		at[i] = i * 7 + 1;
}

static __u64 *open_edu(const char *address)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0", address);
	fd = open(path, O_RDWR | O_SYNC);
	if (fd < 0)
		err(1, "%s", path);
	return map(fd, PAGE, MAP_SHARED);
}

static void edu_write(__u64 *edu, int reg, __u64 value)
{
	__atomic_store_n(&edu[reg], value, __ATOMIC_RELEASE);
}

static void edu_dma(__u64 *edu, __u64 from, __u64 to,
		    __u64 command)
{
	edu_write(edu, EDU_DMA_SOURCE, from);
	edu_write(edu, EDU_DMA_DESTINATION, to);
	edu_write(edu, EDU_DMA_COUNT, SIZE);
	edu_write(edu, EDU_DMA_COMMAND, command | EDU_DMA_RUN);
}

static void give_pattern_to(__u64 *edu)
{
	__u8 *page = map(-1, PAGE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED |
			    MAP_POPULATE);

	fill(page);
	edu_dma(edu, physical(page), EDU_BUFFER, 0);
	while (__atomic_load_n(&edu[EDU_DMA_COMMAND], __ATOMIC_ACQUIRE) &
	       EDU_DMA_RUN)
		usleep(1000);
}

static int start(const char *address)
{
	struct liveupdate_ioctl_create_session session = {
		.size = sizeof(session), .name = SESSION,
	};
	struct liveupdate_session_preserve_fd file = {
		.size = sizeof(file), .token = TOKEN,
	};
	__u64 *edu = open_edu(address);
	int fd = memfd_create("dma", 0);
	__u8 *page;

	if (fd < 0 || ftruncate(fd, PAGE))
		err(1, "memfd");
	page = map(fd, PAGE, MAP_SHARED | MAP_POPULATE);
	memset(page, 0, PAGE);

	call(open_liveupdate(), LIVEUPDATE_IOCTL_CREATE_SESSION, &session,
	     "create the session");
	file.fd = fd;
	call(session.fd, LIVEUPDATE_SESSION_PRESERVE_FD, &file,
	     "preserve the memfd");

	give_pattern_to(edu);
	edu_dma(edu, EDU_BUFFER, physical(page), EDU_DMA_FROM_EDU);
	if (__atomic_load_n(page, __ATOMIC_ACQUIRE))
		errx(1, "the edu was faster than the kexec");
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
		LINUX_REBOOT_CMD_KEXEC, NULL);
	err(1, "kexec");
}

static int check(void)
{
	struct liveupdate_ioctl_retrieve_session session = {
		.size = sizeof(session), .name = SESSION,
	};
	struct liveupdate_session_retrieve_fd file = {
		.size = sizeof(file), .token = TOKEN,
	};
	__u8 pattern[SIZE], found[SIZE];

	call(open_liveupdate(), LIVEUPDATE_IOCTL_RETRIEVE_SESSION, &session,
	     "retrieve the session");
	call(session.fd, LIVEUPDATE_SESSION_RETRIEVE_FD, &file,
	     "retrieve the memfd");
	if (pread(file.fd, found, SIZE, 0) != SIZE)
		err(1, "read the memfd");
	fill(pattern);
	if (memcmp(found, pattern, SIZE)) {
		printf("the pattern did not arrive, the memfd begins with %02x %02x\n",
		       found[0], found[1]);
		return 3;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "start"))
		return start(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "check"))
		return check();
	errx(2, "usage: edu-dma start ADDRESS | edu-dma check");
}
