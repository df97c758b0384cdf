// SPDX-License-Identifier: GPL-2.0
/*
 * The list command: preserved functions of both directions.
 */

#include <stdio.h>

#include "pci-liveupdate.h"

/**
 * struct totals - Number of records on one side.
 * @kinds:   Number of records of each kind.
 * @absent:  Number of records, of any kind, without a device.
 * @blocked: Number of blocked writes to configuration space.
 */
struct totals {
	size_t kinds[RECORD_NR_KINDS];
	size_t absent;
	unsigned long long blocked;
};

static void totals_count(const struct record_list *list, struct totals *totals)
{
	size_t i;

	for (i = 0; i < list->nr; i++) {
		struct totals *side = &totals[list->items[i].side];

		side->kinds[list->items[i].kind]++;
		side->absent += list->items[i].absent;
		side->blocked += list->items[i].blocked;
	}
}

static void print_table(const struct record_list *list)
{
	char address[ADDRESS_SIZE], id[RECORD_ID_SIZE];
	size_t i;

	say("%-8s  %-*s  %-9s  %-8s  %-7s  %s", "SIDE", ADDRESS_LEN, "ADDRESS",
	    "ID", "KIND", "STATE", "BLOCKED");
	for (i = 0; i < list->nr; i++) {
		const struct record *record = &list->items[i];

		address_format(address, record->address);
		record_id(record, id);
		say("%-8s  %-*s  %-9s  %-8s  %-7s  %llu",
		    record_sides[record->side], ADDRESS_LEN, address, id,
		    record_kinds[record->kind], record_state(record),
		    record->blocked);
	}
}

static void print_totals(const struct totals *totals)
{
	int side;

	for (side = 0; side < RECORD_NR_SIDES; side++)
		say("%s: functions %zu, bridges %zu, damaged %zu, absent %zu, blocked %llu",
		    record_sides[side], totals[side].kinds[RECORD_FUNCTION],
		    totals[side].kinds[RECORD_BRIDGE],
		    totals[side].kinds[RECORD_DAMAGED], totals[side].absent,
		    totals[side].blocked);
}

static void print_json_records(const struct record_list *list)
{
	char address[ADDRESS_SIZE], id[RECORD_ID_SIZE];
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
		json_number("functions", kinds[RECORD_FUNCTION]);
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
