// SPDX-License-Identifier: GPL-2.0
/*
 * Damage the data of a preserved file of vfio-pci before it is retrieved.
 *
 * vfio-damage list: print the names of all damages.
 *
 * vfio-damage NAME ADDRESS: damage the data of that function in memory.
 */

#define _GNU_SOURCE

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/build_bug.h>
#include <linux/kernel.h>
#include <linux/types.h>

#include <linux/kho/abi/pci_saved_state.h>
#include <linux/kho/abi/vfio_pci.h>

#define PAGE		4096
/* The test machines have no more memory below 4 GiB. */
#define MEMORY_START	0x100000UL
#define MEMORY_END	0x3ff00000UL

/* Each damage is a new value of 32 bits at an offset in the page. */
static const struct {
	const char *name;
	size_t offset;
	u32 value;
} damages[] = {
	{ "mode", offsetof(struct vfio_pci_ser, mode), 3 },
	{ "flags", offsetof(struct vfio_pci_ser, flags), 0x80000000 },
	{ "reserved", offsetof(struct vfio_pci_ser, reserved), 1 },
	{ "state_size", offsetof(struct vfio_pci_ser, state_size), VFIO_PCI_SER_STATE_SIZE + 1 },
	{ "vendor", offsetof(struct vfio_pci_ser, vendor), 0xffffffff },
	{ "class", offsetof(struct vfio_pci_ser, class), 0xffffff },
	{ "nr_caps", offsetof(struct vfio_pci_ser, state) +
	  offsetof(struct pci_saved_state_ser, nr_caps), 0xffffffff },
};

static u64 parse_key(const char *address)
{
	unsigned int domain, bus, slot, function;

	if (sscanf(address, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		errx(2, "%s is not an address", address);
	return PCI_SER_KEY(domain, bus << 8 | slot << 3 | function);
}

/* The start of the page identifies it: nothing else holds such numbers. */
static struct vfio_pci_ser *find_data(u64 key)
{
	int mem = open("/dev/mem", O_RDWR);
	struct vfio_pci_ser *ser;
	char *at;

	if (mem < 0)
		err(1, "/dev/mem");
	at = mmap(NULL, MEMORY_END - MEMORY_START, PROT_READ | PROT_WRITE, MAP_SHARED,
		  mem, MEMORY_START);
	if (at == MAP_FAILED)
		err(1, "map memory");
	for (size_t i = 0; i < MEMORY_END - MEMORY_START; i += PAGE) {
		ser = (void *)at + i;
		if (ser->key == key && ser->mode == VFIO_PCI_SER_RUNNING &&
		    ser->flags <= VFIO_PCI_SER_FLAGS && ser->vendor && !ser->reserved &&
		    ser->state_size && ser->state_size <= sizeof(ser->state))
			return ser;
	}
	errx(1, "no preserved file is in memory");
}

static void damage_data(const char *name, const char *address)
{
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		if (strcmp(damages[i].name, name))
			continue;
		memcpy((void *)find_data(parse_key(address)) + damages[i].offset,
		       &damages[i].value, sizeof(damages[i].value));
		return;
	}
	errx(2, "there is no damage '%s'", name);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "list")) {
		for (size_t i = 0; i < ARRAY_SIZE(damages); i++)
			puts(damages[i].name);
		return 0;
	}
	if (argc != 3)
		errx(2, "usage: vfio-damage list | NAME ADDRESS");
	damage_data(argv[1], argv[2]);
	return 0;
}
