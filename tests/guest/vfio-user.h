/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices that vfio-user drives.
 */
#ifndef _GUEST_VFIO_USER_H
#define _GUEST_VFIO_USER_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/**
 * struct user_device - A device and the memory that it reads and writes.
 * @address: Of its function.
 * @model:   Its kind.
 * @fd:      File of VFIO.
 * @iommufd: The iommufd that the file is bound to.
 * @ioas:    I/O address space of the device behind an IOMMU.
 * @iova:    Address of the memory in it, 0 for physical addresses.
 * @memfd:   File of its memory.
 * @bar:     Its registers, BAR 0.
 * @memory:  Its memory. From the moment that it is preserved it does not move.
 */
struct user_device {
	const char *address;
	const struct user_model *model;
	int fd;
	int iommufd;
	__u32 ioas;
	__u64 iova;
	int memfd;
	void *bar;
	void *memory;
};

/**
 * struct user_model - How to drive a kind of device.
 * @vendor:      Vendor ID.
 * @device:      Device ID.
 * @bar_size:    Bytes of BAR 0 to map.
 * @memory_size: Bytes of memory.
 * @irq_index:   Its message interrupts, VFIO_PCI_MSI_IRQ_INDEX or
 *               VFIO_PCI_MSIX_IRQ_INDEX.
 * @prepare:     Bring the device up.
 * @prepare_again: Prepare a device for another kexec that already went through one. NULL
 *               if there is nothing to do.
 * @begin:       Begin work that the device goes on with while the kernel is replaced.
 * @check:       In the next kernel, before the device may be written to: the work went on.
 * @restart:     In the next kernel, bring the device up after a reset.
 * @release:     Let the machine end work that it holds back. NULL if there is none.
 * @complete:    After that, end the work.
 * @again:       New work, which signals @event if that is not negative.
 * @check_intx:  INTx works. NULL if the device has none.
 */
struct user_model {
	__u16 vendor;
	__u16 device;
	size_t bar_size;
	size_t memory_size;
	int irq_index;
	void (*prepare)(const struct user_device *device);
	void (*prepare_again)(const struct user_device *device);
	void (*begin)(const struct user_device *device);
	void (*check)(const struct user_device *device);
	void (*restart)(const struct user_device *device);
	void (*release)(const struct user_device *device);
	void (*complete)(const struct user_device *device);
	void (*again)(const struct user_device *device, int event);
	void (*check_intx)(const struct user_device *device);
};

extern const struct user_model edu_model;
extern const struct user_model nvme_model;

void check(const struct user_device *device, bool good, const char *what);
bool wait_for_event(int event);

#endif /* _GUEST_VFIO_USER_H */
