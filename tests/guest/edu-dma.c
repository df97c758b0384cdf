// SPDX-License-Identifier: GPL-2.0
/*
 * DMA of an edu device that is under way while the kernel is replaced.
 *
 * edu-dma start ADDRESS: preserve a memfd in a session of its own, have the edu
 * begin to write a pattern to it, and run the kernel that is loaded. An edu
 * takes 100 ms for it.
 *
 * edu-dma check: retrieve the memfd, and see whether the pattern is there.
 *
 * edu-dma try ADDRESS: have the edu read a pattern, and write it to another page.
 */

#define _GNU_SOURCE

#include <err.h>
#include <linux/reboot.h>
#include <linux/types.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "luo.h"

#define SESSION		"edu-dma"
#define TOKEN		1
#define SIZE		2048

/* See docs/specs/edu.txt of QEMU. */
#define EDU_DMA_SOURCE		(0x80 / 8)
#define EDU_DMA_DESTINATION	(0x88 / 8)
#define EDU_DMA_COUNT		(0x90 / 8)
#define EDU_DMA_COMMAND		(0x98 / 8)
#define EDU_DMA_RUN		1
#define EDU_DMA_FROM_EDU	2
#define EDU_BUFFER		0x40000

static void fill(__u8 *at)
{
	for (int i = 0; i < SIZE; i++)
		at[i] = i * 7 + 1;
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

static void edu_wait(__u64 *edu)
{
	while (__atomic_load_n(&edu[EDU_DMA_COMMAND], __ATOMIC_ACQUIRE) &
	       EDU_DMA_RUN)
		usleep(1000);
}

static __u8 *map_page(void)
{
	return map(-1, PAGE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE);
}

static void give_pattern_to(__u64 *edu)
{
	__u8 *page = map_page();

	fill(page);
	edu_dma(edu, physical(page), EDU_BUFFER, 0);
	edu_wait(edu);
}

static int start(const char *address)
{
	__u64 *edu = map_bar(address, PAGE);
	int fd = memfd_create("dma", 0);
	__u8 *page;

	if (fd < 0 || ftruncate(fd, PAGE))
		err(1, "memfd");
	page = map(fd, PAGE, MAP_SHARED | MAP_POPULATE);
	memset(page, 0, PAGE);

	luo_preserve_fd(luo_create_session(SESSION), fd, TOKEN);

	give_pattern_to(edu);
	edu_dma(edu, EDU_BUFFER, physical(page), EDU_DMA_FROM_EDU);
	if (__atomic_load_n(page, __ATOMIC_ACQUIRE))
		errx(1, "the edu was faster than the kexec");
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
		LINUX_REBOOT_CMD_KEXEC, NULL);
	err(1, "kexec");
}

static int compare(const __u8 *found)
{
	__u8 pattern[SIZE];

	fill(pattern);
	if (memcmp(found, pattern, SIZE)) {
		printf("the pattern did not arrive, the memory begins with %02x %02x\n",
		       found[0], found[1]);
		return 3;
	}
	return 0;
}

static int check(void)
{
	int fd = luo_retrieve_fd(luo_retrieve_session(SESSION), TOKEN);
	__u8 found[SIZE];

	if (pread(fd, found, SIZE, 0) != SIZE)
		err(1, "read the memfd");
	return compare(found);
}

static int try(const char *address)
{
	__u64 *edu = map_bar(address, PAGE);
	__u8 *page = map_page();

	memset(page, 0, PAGE);
	give_pattern_to(edu);
	edu_dma(edu, EDU_BUFFER, physical(page), EDU_DMA_FROM_EDU);
	edu_wait(edu);
	return compare(page);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "start"))
		return start(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "check"))
		return check();
	if (argc == 3 && !strcmp(argv[1], "try"))
		return try(argv[2]);
	errx(2, "usage: edu-dma start ADDRESS | edu-dma check | edu-dma try ADDRESS");
}
