// SPDX-License-Identifier: GPL-2.0
/*
 * The list command: preserved functions of both directions.
 */

#include <stdio.h>
#include <stdlib.h>

#include "pci-liveupdate.h"

#define TOTALS_FMT	"%s: functions %zu (VFs %zu, PFs %zu), implied PFs %zu, " \
			"bridges %zu, damaged %zu, absent %zu, blocked %llu"

/**
 * struct totals - Number of records on one side.
 * @functions: Number of functions in sessions, VFs and PFs included.
 * @kinds:     Number of records of each kind.
 * @absent:    Number of records, of any kind, without a device.
 * @blocked:   Number of blocked writes to configuration space.
 */
struct totals {
	size_t functions;
	size_t kinds[RECORD_NR_KINDS];
	size_t absent;
	unsigned long long blocked;
};

/**
 * struct row - A line of the table.
 * @record: The record in it.
 * @place:  Address that the table is sorted by: the PF of a VF, or the own one.
 */
struct row {
	const struct record *record;
	pci_ser_key_t place;
};

static void totals_count(const struct record_list *list, struct totals *totals)
{
	size_t i;

	for (i = 0; i < list->nr; i++) {
		struct totals *side = &totals[list->items[i].side];

		side->functions += record_has_file(&list->items[i]);
		side->kinds[list->items[i].kind]++;
		side->absent += list->items[i].absent;
		side->blocked += list->items[i].blocked;
	}
}

static bool row_is_vf(const struct row *row)
{
	return row->place != row->record->address;
}

static int row_compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int order = (int)x->record->side - (int)y->record->side;

	if (!order)
		order = address_compare(&x->place, &y->place);
	if (!order)
		order = address_compare(&x->record->address,
					&y->record->address);

	return order;
}

/*
 * Sort by address, but VFs after their PF, which has a lower address. No device
 * names the PF of an absent VF.
 */
static struct row *table_sort(const struct record_list *list)
{
	struct row *rows = memory_resize(NULL, list->nr + 1, sizeof(*rows));
	size_t i;

	for (i = 0; i < list->nr; i++) {
		const struct record *record = &list->items[i];
		struct row *row = &rows[i];

		row->record = record;
		if (record->kind != RECORD_VF || record->absent ||
		    !function_pf(record->address, &row->place))
			row->place = record->address;
	}
	qsort(rows, list->nr, sizeof(*rows), row_compare);

	return rows;
}

/* Get the mode of a function that is bound to vfio-pci, or NULL. */
static const char *record_mode(const struct record *record)
{
	if (record->absent || !record_has_file(record))
		return NULL;

	return vfio_mode(record->address);
}

static void print_record(const struct record *record, bool below_pf)
{
	const char *mode = record_mode(record);
	char address[ADDRESS_SIZE], id[RECORD_ID_SIZE];
	int indent = below_pf ? 2 : 0;

	address_format(address, record->address);
	record_id(record, id);
	say("%-8s  %*s%-*s  %-9s  %-10s  %-7s  %llu%s%s",
	    record_sides[record->side], indent, "", ADDRESS_LEN - indent,
	    address, id, record_kinds[record->kind], record_state(record),
	    record->blocked, mode ? "  " VFIO_DRIVER ": " : "",
	    mode ?: record->kind == RECORD_IMPLIED_PF ?
	    "  kept for its VFs" : "");
}

static void print_table(const struct record_list *list)
{
	struct row *rows = table_sort(list);
	const struct record *pf = NULL;
	bool below_pf;
	size_t i;

	say("%-8s  %-*s  %-9s  %-10s  %-7s  %s", "SIDE", ADDRESS_LEN,
	    "ADDRESS", "ID", "KIND", "STATE", "BLOCKED");
	for (i = 0; i < list->nr; i++) {
		const struct record *record = rows[i].record;

		if (!row_is_vf(&rows[i]))
			pf = record;
		/* Without its PF if the kernel changed the list meanwhile */
		below_pf = pf && pf != record && pf->side == record->side &&
			   pf->address == rows[i].place;
		print_record(record, below_pf);
	}
	free(rows);
}

static void print_totals(const struct totals *totals)
{
	int side;

	for (side = 0; side < RECORD_NR_SIDES; side++)
		say(TOTALS_FMT, record_sides[side], totals[side].functions,
		    totals[side].kinds[RECORD_VF],
		    totals[side].kinds[RECORD_PF],
		    totals[side].kinds[RECORD_IMPLIED_PF],
		    totals[side].kinds[RECORD_BRIDGE],
		    totals[side].kinds[RECORD_DAMAGED], totals[side].absent,
		    totals[side].blocked);
}

static void print_json_records(const struct record_list *list)
{
	char address[ADDRESS_SIZE], id[RECORD_ID_SIZE];
	const char *mode;
	size_t i;

	json_open("records", '[');
	for (i = 0; i < list->nr; i++) {
		const struct record *record = &list->items[i];

		address_format(address, record->address);
		record_id(record, id);
		json_open(NULL, '{');
		json_string("side", record_sides[record->side]);
		json_string("address", address);
		json_string("id", id);
		json_string("kind", record_kinds[record->kind]);
		json_string("state", record_state(record));
		json_number("blocked", record->blocked);
		mode = record_mode(record);
		if (mode)
			json_string("vfio_mode", mode);
		json_close('}');
	}
	json_close(']');
}

static void print_json(const struct record_list *list,
		       const struct totals *totals)
{
	int side;

	json_open(NULL, '{');
	json_string("command", "list");
	print_json_records(list);
	for (side = 0; side < RECORD_NR_SIDES; side++) {
		const size_t *kinds = totals[side].kinds;

		json_open(record_sides[side], '{');
		json_number("functions", totals[side].functions);
		json_number("vfs", kinds[RECORD_VF]);
		json_number("pfs", kinds[RECORD_PF]);
		json_number("implied_pfs", kinds[RECORD_IMPLIED_PF]);
		json_number("bridges", kinds[RECORD_BRIDGE]);
		json_number("damaged", kinds[RECORD_DAMAGED]);
		json_number("absent", totals[side].absent);
		json_number("blocked", totals[side].blocked);
		json_close('}');
	}
	json_finish(STATUS_OK);
}

enum status command_list(int argc, char **argv)
{
	struct totals totals[RECORD_NR_SIDES] = {};
	struct record_list list = {};
	enum status status;

	status = record_list_read(&list);
	if (!status) {
		totals_count(&list, totals);
		if (options.json) {
			print_json(&list, totals);
		} else {
			print_table(&list);
			print_totals(totals);
		}
	}
	record_list_free(&list);

	return status;
}
