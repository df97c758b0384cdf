// SPDX-License-Identifier: GPL-2.0
/*
 * Driver of vfio-user for nvme controllers of VFs. The machine holds back a read until
 * it is asked for it, so the read is in flight during the kexec.
 */

#include <linux/vfio.h>
#include <stdio.h>

#include "nvme.h"
#include "vfio-user.h"

/* The line that asks the machine, see vm_held_drive() in tests/vm/devices.sh. */
#define RELEASE		"monitor block_set_io_throttle pf1.drive 0 0 0 0 0 0"
#define COMPLETE_MS	10000

static struct nvme to_nvme(const struct user_device *device)
{
	return (struct nvme){
		.address = device->address,
		.bar = device->bar,
		.memory = device->memory,
		.iova = device->iova,
	};
}

static void prepare(const struct user_device *device)
{
	struct nvme nvme = to_nvme(device);

	nvme_enable_queues(&nvme);
	nvme_create_io_queue(&nvme, false);
	nvme_hold_read(&nvme);
}

static void prepare_again(const struct user_device *device)
{
	struct nvme nvme = to_nvme(device);

	nvme_hold_read(&nvme);
}

static void begin(const struct user_device *device)
{
	(void)device;
}

static void check_running(const struct user_device *device)
{
	struct nvme nvme = to_nvme(device);

	nvme_check_held(&nvme);
	check(device, 1, "the read is in flight still");
}

static void restart(const struct user_device *device)
{
	struct nvme nvme = to_nvme(device);

	nvme_enable_queues(&nvme);
	nvme_create_io_queue(&nvme, false);
}

static void release(const struct user_device *device)
{
	(void)device;
	puts(RELEASE);
	fflush(stdout);
}

static void complete(const struct user_device *device)
{
	struct nvme nvme = to_nvme(device);

	release(device);
	nvme_complete_read(&nvme, COMPLETE_MS);
	check(device, 1, "the read completes in this kernel");
}

static void again(const struct user_device *device, int event)
{
	struct nvme nvme = to_nvme(device);

	nvme_check_identify(&nvme);
	if (event >= 0)
		nvme_enable_io_interrupt(&nvme);
	nvme_submit_read(&nvme);
	if (event >= 0)
		check(device, wait_for_event(event), "a message interrupt arrives");
	nvme_complete_read(&nvme, COMPLETE_MS);
	check(device, 1, "new commands work");
}

const struct user_model nvme_model = {
	.vendor = 0x1b36,
	.device = 0x0010,
	.bar_size = NVME_BAR_SIZE,
	.memory_size = sizeof(struct nvme_memory),
	.irq_index = VFIO_PCI_MSIX_IRQ_INDEX,
	.prepare = prepare,
	.prepare_again = prepare_again,
	.begin = begin,
	.check = check_running,
	.restart = restart,
	.release = release,
	.complete = complete,
	.again = again,
};
