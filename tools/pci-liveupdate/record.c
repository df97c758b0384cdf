// SPDX-License-Identifier: GPL-2.0
/*
 * The list of preserved devices in debugfs:
 *
 *	# side address vendor:device kind state blocked
 *	# incoming record version 1 at 0x1c5d000 of 52 kB
 *	outgoing 0000:01:00.0 1234:11e8 function present 0
 *	incoming 0000:00:02.0 1b36:000c bridge absent 3
 *
 * The last column is the number of blocked writes to configuration space. Older
 * kernels don't have this column.
 */

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pci-liveupdate.h"

#define DEBUGFS		"/sys/kernel/debug"
#define RECORDS		DEBUGFS "/pci_liveupdate"

#define NR_FIELDS	6
#define MIN_FIELDS	5

const char *const record_sides[RECORD_NR_SIDES] = {
	[RECORD_OUTGOING] = "outgoing",
	[RECORD_INCOMING] = "incoming",
};

const char *const record_kinds[RECORD_NR_KINDS] = {
	[RECORD_FUNCTION] = "function",
	[RECORD_BRIDGE] = "bridge",
	[RECORD_DAMAGED] = "damaged",
	[RECORD_VF] = "vf",
	[RECORD_PF] = "pf",
	[RECORD_IMPLIED_PF] = "implied-pf",
};

static const char *const record_states[] = { "present", "absent" };

const char *record_state(const struct record *record)
{
	return record_states[record->absent];
}

/* Return: true if the file of the function is in a session. */
bool record_has_file(const struct record *record)
{
	return record->kind == RECORD_FUNCTION || record->kind == RECORD_VF ||
	       record->kind == RECORD_PF;
}

/* Format vendor and device like lspci -n. */
void record_id(const struct record *record, char text[RECORD_ID_SIZE])
{
	snprintf(text, RECORD_ID_SIZE, "%04x:%04x", record->vendor,
		 record->device);
}

/* Return: The index of @word in @names, or -1. */
static int word_index(const char *word, const char *const *names, int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		if (!strcmp(word, names[i]))
			return i;

	return -1;
}

static bool id_parse(const char *text, struct record *record)
{
	char id[RECORD_ID_SIZE];

	if (sscanf(text, "%4hx:%4hx", &record->vendor, &record->device) != 2)
		return false;
	record_id(record, id);

	return !strcmp(text, id);
}

static bool count_parse(const char *text, unsigned long long *count)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*count = strtoull(text, &end, 10);

	return !*end && !errno;
}

static bool record_parse(char *line, struct record *record)
{
	int side, kind, state, nr = 0;
	char *fields[NR_FIELDS + 1];
	char *save = NULL;

	do
		fields[nr] = strtok_r(nr ? NULL : line, " \t\n", &save);
	while (fields[nr] && ++nr <= NR_FIELDS);
	if (nr < MIN_FIELDS || nr > NR_FIELDS)
		return false;

	side = word_index(fields[0], record_sides, RECORD_NR_SIDES);
	kind = word_index(fields[3], record_kinds, RECORD_NR_KINDS);
	state = word_index(fields[4], record_states, 2);
	if (side < 0 || kind < 0 || state < 0)
		return false;

	*record = (struct record) {
		.side = side,
		.kind = kind,
		.absent = state,
	};

	return address_parse(fields[1], &record->address) &&
	       id_parse(fields[2], record) &&
	       (nr == MIN_FIELDS || count_parse(fields[5], &record->blocked));
}

static bool debugfs_is_empty(void)
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool empty = true;
	DIR *dir;

	path_format(path, DEBUGFS);
	dir = opendir(path);
	if (!dir)
		return false;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			empty = false;
	closedir(dir);

	return empty;
}

/* Return: true if the kernel has the list in debugfs, and lets this program read it. */
bool record_list_exists(void)
{
	char path[PATH_MAX];

	path_format(path, RECORDS);

	return !access(path, R_OK);
}

static enum status record_list_open(const char *path, FILE **file)
{
	char debugfs[PATH_MAX];

	*file = fopen(path, "re");
	if (*file)
		return STATUS_OK;

	switch (errno) {
	case ENOENT:
		path_format(debugfs, DEBUGFS);
		if (debugfs_is_empty())
			return fail(STATUS_ENVIRONMENT,
				    "debugfs is not mounted: mount -t debugfs none %s",
				    debugfs);
		return fail(STATUS_ENVIRONMENT,
			    "no %s: the kernel is built without CONFIG_PCI_LIVEUPDATE or CONFIG_DEBUG_FS, or booted without kho=on liveupdate=on",
			    path);
	case EACCES:
	case EPERM:
		return fail(STATUS_ENVIRONMENT,
			    "%s: %s: run as root, with a kernel that is not locked down",
			    path, strerror(errno));
	}

	return fail(STATUS_ENVIRONMENT, "%s: %s", path, strerror(errno));
}

static void record_list_add(struct record_list *list,
			    const struct record *record)
{
	if (list->nr == list->size) {
		list->size = list->size ? list->size * 2 : 64;
		list->items = memory_resize(list->items, list->size,
					    sizeof(*list->items));
	}
	list->items[list->nr++] = *record;
}

/**
 * record_list_read - Read the list in debugfs.
 * @list: Records are added to this list.
 *
 * Return: STATUS_OK, or another status with a printed error.
 */
enum status record_list_read(struct record_list *list)
{
	char path[PATH_MAX], *line = NULL;
	size_t size = 0, nr_lines = 0;
	enum status status;
	struct record record;
	bool known = true;
	FILE *file;

	path_format(path, RECORDS);
	status = record_list_open(path, &file);
	if (status)
		return status;

	while (known && getline(&line, &size, file) > 0) {
		nr_lines++;
		if (*line == '#')
			continue;
		known = nr_lines > 1 && record_parse(line, &record);
		if (known)
			record_list_add(list, &record);
	}
	if (ferror(file))
		status = fail(STATUS_ENVIRONMENT, "%s: %s", path,
			      strerror(errno));
	else if (!known || !nr_lines)
		status = fail(STATUS_ENVIRONMENT,
			      "%s: line %zu has an unknown format: use the program of this kernel's version",
			      path, nr_lines);
	free(line);
	fclose(file);

	return status;
}

void record_list_free(struct record_list *list)
{
	free(list->items);
	*list = (struct record_list){};
}
