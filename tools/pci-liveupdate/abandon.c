// SPDX-License-Identifier: GPL-2.0
/*
 * The abandon command: end the preservation of functions without their owners.
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pci-liveupdate.h"

#define ABANDON_FILE	PCI_SYSFS "/liveupdate_abandon"

/* Number of VFs that an error names. */
#define NAMES_MAX	4

/**
 * struct outcome - The state of all functions of a command.
 * @name:      Name of the session, or NULL.
 * @functions: Functions to abandon.
 * @errors:    For each of them 0 or a negative errno.
 * @abandoned: Number of functions that the kernel has abandoned.
 * @finished:  The kernel has finished the session.
 */
struct outcome {
	const char *name;
	struct function_list functions;
	int *errors;
	size_t abandoned;
	bool finished;
};

/* Add the VFs of a PF that are preserved. */
static enum status add_preserved_vfs(struct function_list *list, pci_ser_key_t pf)
{
	struct function_list vfs = {};
	struct record_list records = {};
	size_t i, j, before = list->nr;
	char text[ADDRESS_SIZE];
	enum status status;

	status = function_add_vfs(pf, &vfs);
	if (!status)
		status = record_list_read(&records);
	for (i = 0; !status && i < vfs.nr; i++) {
		for (j = 0; j < records.nr; j++)
			if (records.items[j].address == vfs.items[i].address)
				break;
		if (j < records.nr)
			function_list_add(list, vfs.items[i].address);
	}
	function_list_free(&vfs);
	record_list_free(&records);
	if (status || list->nr > before)
		return status;

	address_format(text, pf);

	return fail(STATUS_ENVIRONMENT, "%s has no preserved VFs: see " PROGRAM " list",
		    text);
}

static enum status read_functions(struct function_list *list, int argc, char **argv)
{
	enum status status = STATUS_OK;
	char text[ADDRESS_SIZE];
	pci_ser_key_t address;
	const char *reason;
	bool vfs;
	int i;

	for (i = 0; !status && i < argc; i++) {
		reason = selection_parse(argv[i], &address, &vfs);
		if (reason)
			status = fail(STATUS_USAGE,
				      "'%s' is not an address like 0000:01:00.0: %s",
				      argv[i], reason);
		else if (vfs)
			status = add_preserved_vfs(list, address);
		else
			function_list_add(list, address);
	}
	if (status || !function_list_find_twice(list, &address))
		return status;

	address_format(text, address);

	return fail(STATUS_USAGE, "%s is named twice", text);
}

/* Return: true if a program drives the function with VFIO, which enables it. */
static bool is_in_use(struct function *function)
{
	char path[PATH_MAX], text[ADDRESS_SIZE];
	int enabled = 0;
	FILE *file;

	if (function_state(function) != FUNCTION_BOUND ||
	    function->driver != DRIVER_VFIO)
		return false;

	address_format(text, function->address);
	path_format(path, PCI_SYSFS "/devices/%s/enable", text);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fscanf(file, "%d", &enabled) != 1)
		enabled = 0;
	fclose(file);

	return enabled;
}

static enum status check_users(const struct function_list *list)
{
	enum status status = STATUS_OK;
	char text[ADDRESS_SIZE];
	size_t i;

	for (i = 0; !options.force && i < list->nr; i++) {
		if (!is_in_use(&list->items[i]))
			continue;
		address_format(text, list->items[i].address);
		status = fail(STATUS_REFUSED,
			      "%s is in use with VFIO: end the program that uses it, or give it up with --force",
			      text);
	}

	return status;
}

/* Name preserved VFs of a PF, as far as the kernel has a list. */
static void name_vfs(pci_ser_key_t pf, char *names, size_t size)
{
	struct record_list records = {};
	char text[ADDRESS_SIZE];
	size_t i, nr = 0, len;
	pci_ser_key_t of;

	*names = '\0';
	if (!record_list_exists() || record_list_read(&records))
		return;

	for (i = 0; nr <= NAMES_MAX && i < records.nr; i++) {
		if (records.items[i].kind != RECORD_VF ||
		    !function_pf(records.items[i].address, &of) || of != pf)
			continue;
		address_format(text, records.items[i].address);
		len = strlen(names);
		snprintf(names + len, size - len, " %s",
			 nr++ == NAMES_MAX ? "..." : text);
	}
	record_list_free(&records);
}

static enum status explain_vfs(pci_ser_key_t pf, const char *text)
{
	char names[(NAMES_MAX + 1) * (ADDRESS_SIZE + 1)];

	name_vfs(pf, names, sizeof(names));

	return fail(STATUS_REFUSED, "%s has preserved VFs%s: abandon %s/vfs as well",
		    text, names, text);
}

static enum status explain(pci_ser_key_t address, int err)
{
	char path[PATH_MAX], text[ADDRESS_SIZE];

	address_format(text, address);
	path_format(path, ABANDON_FILE);
	switch (err) {
	case -ENOENT:
		return fail(STATUS_REFUSED,
			    "%s is not preserved: see " PROGRAM " list", text);
	case -EBUSY:
		return explain_vfs(address, text);
	case -EINVAL:
		return fail(STATUS_REFUSED,
			    "%s is a bridge, which goes with the last function below it",
			    text);
	case -EAGAIN:
		return fail(STATUS_REFUSED,
			    "%s is being found or removed: repeat this", text);
	case -ESHUTDOWN:
		return fail(STATUS_REFUSED, "%s: the kexec has begun", text);
	case -EACCES:
	case -EPERM:
		return fail(STATUS_ENVIRONMENT, "%s: %s: run as root", path,
			    strerror(-err));
	}

	return fail(STATUS_REFUSED, "%s cannot be abandoned: %s", text, strerror(-err));
}

static enum status check_kernel(void)
{
	char path[PATH_MAX];

	path_format(path, ABANDON_FILE);
	if (!access(path, F_OK))
		return STATUS_OK;

	return fail(STATUS_ENVIRONMENT,
		    "no %s: the kernel is too old, built without CONFIG_PCI_LIVEUPDATE, or booted without kho=on liveupdate=on",
		    path);
}

static void abandon_functions(struct outcome *out, int if_err)
{
	char path[PATH_MAX], text[ADDRESS_SIZE];
	size_t i;

	path_format(path, ABANDON_FILE);
	for (i = 0; i < out->functions.nr; i++) {
		if (out->errors[i] != if_err)
			continue;
		address_format(text, out->functions.items[i].address);
		out->errors[i] = luo_sys_write(path, text);
		if (out->errors[i])
			continue;
		out->abandoned++;
		if (options.verbose)
			say("%s: abandoned", text);
	}
}

/*
 * Abandon as many functions as possible. A PF may precede its VFs. In a session a
 * function that is not preserved needs nothing.
 */
static enum status abandon_all(struct outcome *out)
{
	enum status status, worst = STATUS_OK;
	size_t i;

	out->errors = memory_resize(NULL, out->functions.nr + 1, sizeof(*out->errors));
	for (i = 0; i < out->functions.nr; i++)
		out->errors[i] = -EINPROGRESS;
	abandon_functions(out, -EINPROGRESS);
	abandon_functions(out, -EBUSY);

	for (i = 0; i < out->functions.nr; i++) {
		if (!out->errors[i] || (out->name && out->errors[i] == -ENOENT))
			continue;
		status = explain(out->functions.items[i].address, out->errors[i]);
		worst = worst ?: status;
	}

	return worst;
}

static void report(const struct outcome *out, enum status status)
{
	char text[ADDRESS_SIZE];
	size_t i;

	if (options.json) {
		json_open(NULL, '{');
		json_string("command", "abandon");
		if (out->name)
			json_string("session", out->name);
		json_number("functions", out->functions.nr);
		json_number("abandoned", out->abandoned);
		json_open("states", '{');
		for (i = 0; i < out->functions.nr; i++) {
			address_format(text, out->functions.items[i].address);
			json_string(text, out->errors[i] ? "failed" : "abandoned");
		}
		json_close('}');
		if (out->name)
			json_bool("finished", out->finished);
		json_finish(status);
	}
	if (out->name)
		say("session %s: %zu of %zu functions abandoned", out->name,
		    out->abandoned, out->functions.nr);
	else
		say("%zu of %zu functions abandoned", out->abandoned,
		    out->functions.nr);
	if (out->finished)
		say("session %s: finished", out->name);
}

/*
 * Without a manifest, keep those incoming functions whose address is a token of the
 * session. The attempt to retrieve the file of a function does not matter any more.
 */
static enum status find_functions(int session, struct function_list *list)
{
	struct record_list records = {};
	enum status status;
	size_t i;
	int fd;

	if (!manifest_retrieve(session, list))
		return STATUS_OK;

	status = record_list_read(&records);
	for (i = 0; !status && i < records.nr; i++) {
		if (records.items[i].side != RECORD_INCOMING ||
		    !record_has_file(&records.items[i]))
			continue;
		fd = luo_retrieve_fd(session, records.items[i].address);
		if (fd >= 0)
			close(fd);
		if (fd != -ENOENT)
			function_list_add(list, records.items[i].address);
	}
	record_list_free(&records);

	return status;
}

static enum status finish(int session, struct outcome *out)
{
	int err = luo_finish(session);

	out->finished = !err;
	if (err == -EBUSY)
		return fail(STATUS_REFUSED,
			    "session '%s' cannot be finished: another program made it, and it has files of other functions: abandon these by their addresses and repeat this",
			    out->name);
	if (err)
		return fail(STATUS_REFUSED, "session '%s' cannot be finished: %s",
			    out->name, strerror(-err));

	return STATUS_OK;
}

/* No other process has the session, so its functions have no user. */
static enum status abandon_session(struct outcome *out)
{
	enum status status;
	int session;

	status = luo_retrieve_session(out->name, &session);
	if (status)
		return status;

	status = find_functions(session, &out->functions);
	if (!status)
		status = abandon_all(out);
	if (!status)
		status = finish(session, out);
	if (out->errors)
		report(out, status);
	close(session);

	return status;
}

static enum status abandon_addresses(struct outcome *out, int argc, char **argv)
{
	enum status status;

	status = read_functions(&out->functions, argc, argv);
	if (!status)
		status = check_users(&out->functions);
	if (status)
		return status;

	status = abandon_all(out);
	report(out, status);

	return status;
}

enum status command_abandon(int argc, char **argv)
{
	struct outcome out = {};
	pci_ser_key_t address;
	enum status status;
	bool vfs;

	status = check_kernel();
	if (status)
		return status;

	stop_init();
	if (argc == 1 && selection_parse(argv[0], &address, &vfs))
		out.name = argv[0];
	status = out.name ? abandon_session(&out) :
			    abandon_addresses(&out, argc, argv);
	function_list_free(&out.functions);
	free(out.errors);

	return status;
}
