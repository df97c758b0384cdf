// SPDX-License-Identifier: GPL-2.0
/*
 * Damage the record of preserved PCI functions before the next kernel reads it,
 * and print the message about the damage that the next kernel has to print.
 */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The kernels of the tests support PFs, and the message names all supported features. */
#define CONFIG_PCI_IOV	1

#include <linux/build_bug.h>
#include <linux/kernel.h>
#include <linux/types.h>

#include <asm/page.h>

/* The largest part of a record has two pages. */
static void *phys_to_virt(u64 phys)
{
	static int mem = -1;
	void *map;

	if (mem < 0)
		mem = open("/dev/mem", O_RDWR);
	if (mem < 0)
		err(1, "/dev/mem");
	map = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, mem,
		   phys & ~(PAGE_SIZE - 1));
	if (map == MAP_FAILED)
		err(1, "map %#llx", (unsigned long long)phys);
	return map + (phys & (PAGE_SIZE - 1));
}

#include "test_pci_liveupdate_damage.h"

static const struct {
	const char *name;
	enum test_damage_level level;
} levels[] = {
	{ "record", DAMAGE_RECORD },
	{ "function", DAMAGE_FUNCTION },
	{ "bus", DAMAGE_BUS },
	{ "pfs", DAMAGE_PFS },
	{ "pf", DAMAGE_PF },
	{ "vf", DAMAGE_VF },
	{ "sriov", DAMAGE_SRIOV },
};

static const struct test_damage *find_damage(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(test_damages); i++) {
		if (!strcmp(test_damages[i].name, name))
			return &test_damages[i];
	}
	errx(2, "unknown damage %s", name);
}

static const char *level_name(enum test_damage_level level)
{
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (levels[i].level == level)
			return levels[i].name;
	}
	return NULL;
}

static void list_damages(const char *level)
{
	for (size_t i = 0; i < ARRAY_SIZE(test_damages); i++) {
		const char *name = level_name(test_damages[i].level);

		if (name && !strcmp(name, level))
			puts(test_damages[i].name);
	}
}

static u16 parse_bdf(const char *address)
{
	unsigned int domain, bus, device, function;

	if (sscanf(address, "%x:%x:%x.%x", &domain, &bus, &device, &function) != 4)
		errx(2, "invalid address %s", address);
	return bus << 8 | device << 3 | function;
}

/*
 * The machine has one segment, so the record has one as well. The damage decides whether
 * the address is that of a PF, of a VF or of another function.
 */
static void damage_record(const char *name, const char *root, const char *address)
{
	const struct test_damage *damage = find_damage(name);
	struct test_damage_target target = {
		.root_pa = strtoull(root, NULL, 0),
		.spare_pa = PAGE_SIZE,
		.function = parse_bdf(address),
		.pf = parse_bdf(address),
		.vf = parse_bdf(address),
	};
	struct test_damage_message message;
	char text[160];

	if (!level_name(damage->level))
		errx(2, "damage %s does not fit this record", name);
	test_damage_apply(damage, &target, &message);
	test_damage_print(damage, &message, text, sizeof(text));
	puts(text);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "list"))
		list_damages(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "level"))
		puts(level_name(find_damage(argv[2])->level) ?: "other");
	else if (argc == 4)
		damage_record(argv[1], argv[2], argv[3]);
	else
		errx(2, "usage: record-damage list LEVEL | level NAME | NAME ROOT ADDRESS");
	return 0;
}
