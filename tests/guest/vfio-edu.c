// SPDX-License-Identifier: GPL-2.0
/*
 * Driver of vfio-user for edu devices of QEMU, see its docs/specs/edu.txt. A transfer of
 * an edu takes 100 ms, so a transfer that begins just before the kexec ends in the
 * middle of it.
 */

#include <linux/vfio.h>
#include <string.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "luo.h"
#include "vfio.h"
#include "vfio-user.h"

#define EDU_LIVE		0x04
#define EDU_IRQ_STATUS		0x24
#define EDU_IRQ_RAISE		0x60
#define EDU_IRQ_ACK		0x64
#define EDU_DMA_SOURCE		0x80
#define EDU_DMA_DESTINATION	0x88
#define EDU_DMA_COUNT		0x90
#define EDU_DMA_COMMAND		0x98
#define EDU_DMA_RUN		1
#define EDU_DMA_FROM_EDU	2
#define EDU_DMA_IRQ		4
#define EDU_BUFFER		0x40000

#define SIZE			2048
/* The register keeps the complement. */
#define LIVE			0x12345678

static void write32(const struct user_device *edu, int reg, __u32 value)
{
	__atomic_store_n((__u32 *)(edu->bar + reg), value, __ATOMIC_RELEASE);
}

static __u32 read32(const struct user_device *edu, int reg)
{
	return __atomic_load_n((__u32 *)(edu->bar + reg), __ATOMIC_ACQUIRE);
}

static void write64(const struct user_device *edu, int reg, __u64 value)
{
	__atomic_store_n((__u64 *)(edu->bar + reg), value, __ATOMIC_RELEASE);
}

static __u64 read64(const struct user_device *edu, int reg)
{
	return __atomic_load_n((__u64 *)(edu->bar + reg), __ATOMIC_ACQUIRE);
}

static void fill(__u8 *at)
{
	for (int i = 0; i < SIZE; i++)
		at[i] = i * 7 + 1;
}

static bool has_pattern(const struct user_device *edu)
{
	__u8 pattern[SIZE];

	fill(pattern);
	return !memcmp(edu->memory, pattern, SIZE);
}

static void begin_dma(const struct user_device *edu, __u64 from, __u64 to, __u64 command)
{
	write64(edu, EDU_DMA_SOURCE, from);
	write64(edu, EDU_DMA_DESTINATION, to);
	write64(edu, EDU_DMA_COUNT, SIZE);
	write64(edu, EDU_DMA_COMMAND, command | EDU_DMA_RUN);
}

static void end_dma(const struct user_device *edu)
{
	while (read64(edu, EDU_DMA_COMMAND) & EDU_DMA_RUN)
		usleep(1000);
}

static __u64 memory_address(const struct user_device *edu)
{
	return dma_address(edu->memory, edu->memory, edu->iova);
}

static void take_pattern(const struct user_device *edu, __u64 command)
{
	memset(edu->memory, 0, SIZE);
	begin_dma(edu, EDU_BUFFER, memory_address(edu), EDU_DMA_FROM_EDU | command);
}

/* Fill the buffer of the edu. */
static void edu_prepare(const struct user_device *edu)
{
	write32(edu, EDU_LIVE, LIVE);
	fill(edu->memory);
	begin_dma(edu, memory_address(edu), EDU_BUFFER, 0);
	end_dma(edu);
}

static void edu_begin(const struct user_device *edu)
{
	take_pattern(edu, 0);
	check(edu, !has_pattern(edu), "the DMA is not faster than the kexec");
}

static void edu_check(const struct user_device *edu)
{
	check(edu, has_pattern(edu), "DMA that began in the old kernel arrived");
	check(edu, read32(edu, EDU_LIVE) == (__u32)~LIVE, "the device keeps its register");
}

static void edu_complete(const struct user_device *edu)
{
	(void)edu;
}

static void edu_again(const struct user_device *edu, int event)
{
	take_pattern(edu, event < 0 ? 0 : EDU_DMA_IRQ);
	if (event >= 0)
		check(edu, wait_for_event(event), "a message interrupt arrives");
	end_dma(edu);
	write32(edu, EDU_IRQ_ACK, read32(edu, EDU_IRQ_STATUS));
	check(edu, has_pattern(edu), "new DMA works");
}

/* VFIO masks INTx when it arrives. */
static void edu_check_intx(const struct user_device *edu)
{
	int event = eventfd(0, 0);

	check(edu, !vfio_try_interrupt(edu->fd, VFIO_PCI_INTX_IRQ_INDEX, event),
	      "INTx can be enabled");
	for (int i = 0; i < 2; i++) {
		write32(edu, EDU_IRQ_RAISE, 1);
		check(edu, wait_for_event(event), i ? "INTx arrives again" : "INTx arrives");
		write32(edu, EDU_IRQ_ACK, read32(edu, EDU_IRQ_STATUS));
		vfio_unmask_intx(edu->fd);
	}
	check(edu, !vfio_try_interrupt(edu->fd, VFIO_PCI_INTX_IRQ_INDEX, -1),
	      "INTx can be disabled");
	close(event);
}

const struct user_model edu_model = {
	.vendor = 0x1234,
	.device = 0x11e8,
	.bar_size = PAGE,
	.memory_size = PAGE,
	.irq_index = VFIO_PCI_MSI_IRQ_INDEX,
	.prepare = edu_prepare,
	.begin = edu_begin,
	.check = edu_check,
	.restart = edu_prepare,
	.complete = edu_complete,
	.again = edu_again,
	.check_intx = edu_check_intx,
};
