// SPDX-License-Identifier: GPL-2.0
/*
 * Addresses of PCI functions. The token of a function in a session is its address.
 */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pci-liveupdate.h"

static bool parse_hex(const char **text, size_t min, size_t max,
		      unsigned long *value)
{
	size_t len = strspn(*text, "0123456789abcdefABCDEF");

	if (len < min || len > max)
		return false;

	*value = strtoul(*text, NULL, 16);
	*text += len;

	return true;
}

/**
 * selection_parse - Parse an address in the format of lspci, or VFs of a PF.
 * @text:    [domain:]bus:device.function[/vfs]
 * @address: Set to the address.
 * @vfs:     Set to true if @text ends in /vfs.
 *
 * Return: NULL, or the reason why @text is neither.
 */
const char *selection_parse(const char *text, pci_ser_key_t *address, bool *vfs)
{
	unsigned long domain = 0, bus, device, function;
	const char *colon = strchr(text, ':');

	if (colon && strchr(colon + 1, ':')) {
		if (!parse_hex(&text, 4, 8, &domain) || *text++ != ':')
			return "the domain is not 4 to 8 hex digits";
	}
	if (!parse_hex(&text, 2, 2, &bus) || *text++ != ':')
		return "the bus is not 2 hex digits";
	if (!parse_hex(&text, 2, 2, &device) || *text++ != '.')
		return "the device is not 2 hex digits";
	if (device > 0x1f)
		return "the device is above 1f";
	if (!parse_hex(&text, 1, 1, &function) || (*text && *text != '/'))
		return "the function is not 1 digit";
	if (function > 7)
		return "the function is above 7";
	*vfs = !strcmp(text, "/vfs");
	if (*text && !*vfs)
		return "only /vfs may follow an address";

	*address = PCI_SER_KEY(domain, bus << 8 | device << 3 | function);

	return NULL;
}

/* Return: true if @text is an address, which is then in @address. */
bool address_parse(const char *text, pci_ser_key_t *address)
{
	bool vfs;

	return !selection_parse(text, address, &vfs) && !vfs;
}

/**
 * address_format - Format an address like the kernel.
 * @text:    Set to the text.
 * @address: An address.
 *
 * Return: The length of @text.
 */
int address_format(char text[ADDRESS_SIZE], pci_ser_key_t address)
{
	unsigned int bdf = PCI_SER_KEY_BDF(address);

	return snprintf(text, ADDRESS_SIZE, "%04x:%02x:%02x.%x",
			PCI_SER_KEY_DOMAIN(address), bdf >> 8,
			bdf >> 3 & 0x1f, bdf & 7);
}

/* Return: The new function, until the next one is added. */
struct function *function_list_add(struct function_list *list,
				   pci_ser_key_t address)
{
	if (list->nr == list->size) {
		list->size = list->size ? list->size * 2 : 64;
		list->items = memory_resize(list->items, list->size,
					    sizeof(*list->items));
	}
	list->items[list->nr] = (struct function){
		.address = address,
		.fd = -1,
	};

	return &list->items[list->nr++];
}

/* Compare two addresses for qsort(). */
int address_compare(const void *a, const void *b)
{
	pci_ser_key_t x = *(const pci_ser_key_t *)a;
	pci_ser_key_t y = *(const pci_ser_key_t *)b;

	return (x > y) - (x < y);
}

/**
 * function_list_find_twice - Find an address that is in a list twice.
 * @list:    A list.
 * @address: Set to the lowest such address.
 *
 * Return: true if an address is in @list twice.
 */
bool function_list_find_twice(const struct function_list *list,
			      pci_ser_key_t *address)
{
	bool found = false;
	pci_ser_key_t *sorted;
	size_t i;

	if (list->nr < 2)
		return false;

	sorted = memory_resize(NULL, list->nr, sizeof(*sorted));
	for (i = 0; i < list->nr; i++)
		sorted[i] = list->items[i].address;
	qsort(sorted, list->nr, sizeof(*sorted), address_compare);

	for (i = 1; i < list->nr && !found; i++) {
		found = sorted[i] == sorted[i - 1];
		*address = sorted[i];
	}
	free(sorted);

	return found;
}

void function_list_free(struct function_list *list)
{
	free(list->items);
	*list = (struct function_list){};
}
