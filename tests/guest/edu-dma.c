// SPDX-License-Identifier: GPL-2.0
/*
 * DMA of an edu device that is under way while the kernel is replaced.
 *
 * edu-dma start [ADDRESS...]: preserve a memfd in a session of its own, have each edu
 * begin to write a pattern to a page of it, and run the kernel that is loaded. An edu
 * takes 100 ms for it. With the environment variable KEXEC_PID that process begins work
 * of its own when it gets SIGUSR1, and runs the kernel.
 *
 * edu-dma check: retrieve the memfd, and print a line for each edu: "ADDRESS arrived" if
 * the pattern is there, or else "ADDRESS did not arrive", with status 3. Finish the
 * session.
 *
 * edu-dma registers: the same, and before that "ADDRESS lost its register" for each edu
 * whose liveness register has not the value of the start. The edus have to be
 * enabled.
 *
 * edu-dma try ADDRESS: have the edu read a pattern, and write it to another page. Print a
 * line and return a status as above.
 */

#define _GNU_SOURCE

#include <assert.h>
#include <err.h>
#include <linux/reboot.h>
#include <linux/types.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "luo.h"

#define SESSION		"edu-dma"
#define TOKEN		1
#define SIZE		2048
#define MAX_EDUS	32
/* A kexec takes less. */
#define KEXEC_SECONDS	30

/* See docs/specs/edu.txt of QEMU. */
#define EDU_LIVE		(4 / 4)
#define EDU_DMA_SOURCE		(0x80 / 8)
#define EDU_DMA_DESTINATION	(0x88 / 8)
#define EDU_DMA_COUNT		(0x90 / 8)
#define EDU_DMA_COMMAND		(0x98 / 8)
#define EDU_DMA_RUN		1
#define EDU_DMA_FROM_EDU	2
#define EDU_BUFFER		0x40000

/* A page of the memfd. */
struct target {
	__u8 pattern[SIZE];
	__u32 live;
	char address[PAGE - SIZE - sizeof(__u32)];
};

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

static __u32 read_live(__u64 *edu)
{
	return __atomic_load_n((__u32 *)edu + EDU_LIVE, __ATOMIC_ACQUIRE);
}

static void wait_for_edu(__u64 *edu)
{
	while (__atomic_load_n(&edu[EDU_DMA_COMMAND], __ATOMIC_ACQUIRE) &
	       EDU_DMA_RUN)
		usleep(1000);
}

static __u8 *map_page(void)
{
	return map(-1, PAGE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE);
}

static void give_pattern_to(__u64 **edus, int count)
{
	__u8 *page = map_page();

	fill(page);
	for (int i = 0; i < count; i++)
		edu_dma(edus[i], physical(page), EDU_BUFFER, 0);
	for (int i = 0; i < count; i++)
		wait_for_edu(edus[i]);
}

static void run_next_kernel(void)
{
	const char *pid = getenv("KEXEC_PID");

	if (pid) {
		if (kill(atoi(pid), SIGUSR1))
			err(1, "process %s", pid);
		sleep(KEXEC_SECONDS);
		errx(1, "process %s does not run the kernel", pid);
	}
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
		LINUX_REBOOT_CMD_KEXEC, NULL);
	err(1, "kexec");
}

static_assert(sizeof(struct target) == PAGE, "a target is a page");

static int start(int count, char **addresses)
{
	int fd = memfd_create("dma", 0);
	size_t size = (count ?: 1) * sizeof(struct target);
	struct target *targets;
	__u64 *edus[MAX_EDUS];

	if (fd < 0 || ftruncate(fd, size))
		err(1, "memfd");
	targets = map(fd, size, MAP_SHARED | MAP_POPULATE);
	for (int i = 0; i < count; i++) {
		edus[i] = map_bar(addresses[i], PAGE);
		snprintf(targets[i].address, sizeof(targets[i].address), "%s", addresses[i]);
		targets[i].live = read_live(edus[i]);
	}
	luo_preserve_fd(luo_create_session(SESSION), fd, TOKEN);

	give_pattern_to(edus, count);
	for (int i = 0; i < count; i++)
		edu_dma(edus[i], EDU_BUFFER, physical(&targets[i]), EDU_DMA_FROM_EDU);
	for (int i = 0; i < count; i++)
		if (__atomic_load_n(targets[i].pattern, __ATOMIC_ACQUIRE))
			errx(1, "%s: the edu was faster than the kexec", addresses[i]);
	run_next_kernel();
	return 1;
}

static int report(const char *address, const __u8 *found)
{
	__u8 pattern[SIZE];
	bool arrived;

	fill(pattern);
	arrived = !memcmp(found, pattern, SIZE);
	printf("%s %s\n", address, arrived ? "arrived" : "did not arrive");
	return arrived ? 0 : 3;
}

static int check(bool registers)
{
	int session = luo_retrieve_session(SESSION);
	int fd = luo_retrieve_fd(session, TOKEN);
	struct target target;
	int status = 0;

	while (read(fd, &target, sizeof(target)) == sizeof(target)) {
		if (!*target.address)
			continue;
		if (registers && read_live(map_bar(target.address, PAGE)) != target.live)
			printf("%s lost its register\n", target.address);
		status |= report(target.address, target.pattern);
	}
	luo_finish_session(session);
	return status;
}

static int try(const char *address)
{
	__u64 *edu = map_bar(address, PAGE);
	__u8 *page = map_page();

	memset(page, 0, PAGE);
	give_pattern_to(&edu, 1);
	edu_dma(edu, EDU_BUFFER, physical(page), EDU_DMA_FROM_EDU);
	wait_for_edu(edu);
	return report(address, page);
}

int main(int argc, char **argv)
{
	if (argc >= 2 && argc - 2 <= MAX_EDUS && !strcmp(argv[1], "start"))
		return start(argc - 2, argv + 2);
	if (argc == 2 && !strcmp(argv[1], "check"))
		return check(false);
	if (argc == 2 && !strcmp(argv[1], "registers"))
		return check(true);
	if (argc == 3 && !strcmp(argv[1], "try"))
		return try(argv[2]);
	errx(2, "usage: edu-dma start [ADDRESS...] | check | registers | try ADDRESS");
}
