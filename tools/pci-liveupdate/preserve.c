// SPDX-License-Identifier: GPL-2.0
/*
 * The preserve command: all functions, or none.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pci-liveupdate.h"

/* Add a function, or all VFs of a PF. */
static enum status add_selection(struct function_list *list, const char *text)
{
	const char *reason;
	pci_ser_key_t address;
	bool vfs;

	reason = selection_parse(text, &address, &vfs);
	if (reason)
		return fail(STATUS_USAGE,
			    "'%s' is not an address like 0000:01:00.0: %s",
			    text, reason);
	if (vfs)
		return function_add_vfs(address, list);
	function_list_add(list, address);

	return STATUS_OK;
}

static enum status add_stdin(struct function_list *list)
{
	enum status status = STATUS_OK;
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	while (!status && (len = getline(&line, &size, stdin)) > 0) {
		if (line[len - 1] == '\n')
			line[--len] = '\0';
		if (strlen(line) != (size_t)len)
			status = fail(STATUS_USAGE,
				      "a line of the standard input has a NUL character");
		else if (len)
			status = add_selection(list, line);
	}
	free(line);
	if (ferror(stdin))
		return fail(STATUS_ENVIRONMENT, "standard input: %s",
			    strerror(errno));

	return status;
}

static enum status read_addresses(struct function_list *list, int argc,
				  char **argv)
{
	char text[ADDRESS_SIZE];
	enum status status;
	pci_ser_key_t address;
	int i;

	for (i = 0; i < argc; i++) {
		if (strcmp(argv[i], "-"))
			status = add_selection(list, argv[i]);
		else
			status = add_stdin(list);
		if (status)
			return status;
	}
	if (!list->nr)
		return fail(STATUS_USAGE,
			    "the standard input has no addresses");

	if (function_list_find_twice(list, &address)) {
		address_format(text, address);
		return fail(STATUS_USAGE, "%s is named twice", text);
	}

	return STATUS_OK;
}

static enum status check_function(struct function *function)
{
	if (function_state(function) != FUNCTION_BOUND) {
		function_explain(function);
		return STATUS_ENVIRONMENT;
	}

	if (function->fd >= 0 && vfio_check_file(function))
		return STATUS_ENVIRONMENT;

	return function->driver == DRIVER_VFIO ?
	       vfio_check_mode(function->address) : STATUS_OK;
}

/* Explain all functions that cannot be preserved, not only the first one. */
static enum status check_functions(const struct function_list *list)
{
	enum status status;
	size_t i;

	status = driver_check();
	if (status)
		return status;

	for (i = 0; i < list->nr; i++)
		if (check_function(&list->items[i]))
			status = STATUS_ENVIRONMENT;

	return status;
}

/* The PF may be the cause. */
static enum status preserve_refused_vf(pci_ser_key_t address, pci_ser_key_t pf,
				       int err)
{
	char text[ADDRESS_SIZE], pf_text[ADDRESS_SIZE];

	address_format(text, address);
	address_format(pf_text, pf);
	if (err == -EBUSY)
		return fail(STATUS_REFUSED,
			    "%s cannot be preserved: another session has already preserved it, or its PF %s is busy, see the kernel log",
			    text, pf_text);

	return fail(STATUS_REFUSED,
		    "%s cannot be preserved: its configuration or the driver of its PF %s is not supported, see the kernel log",
		    text, pf_text);
}

static enum status preserve_refused(const struct function *function, int err)
{
	pci_ser_key_t address = function->address;
	char text[ADDRESS_SIZE];
	const char *reason;
	pci_ser_key_t pf;

	if ((err == -EBUSY || err == -EOPNOTSUPP) && function_pf(address, &pf))
		return preserve_refused_vf(address, pf, err);

	switch (err) {
	case -EBUSY:
		reason = "another session has already preserved it";
		break;
	case -EINVAL:
		reason = function->driver == DRIVER_VFIO ?
			 "its file is not one of /dev/vfio/devices, see the kernel log" :
			 "its type is not supported, see the kernel log";
		break;
	case -EOPNOTSUPP:
		reason = "its configuration is not supported, see the kernel log";
		break;
	case -ENOSPC:
		reason = "the session is full, use another one for the rest";
		break;
	case -ENOENT:
		reason = "the kernel has no handler for its file";
		break;
	case -ENODEV:
		reason = "it has just been removed";
		break;
	default:
		reason = strerror(-err);
	}
	address_format(text, address);

	return fail(STATUS_REFUSED, "%s cannot be preserved: %s", text, reason);
}

/*
 * Close the descriptor, since the limit on open files is lower than the number of
 * functions may be. The session has a reference to the file.
 */
static enum status preserve_function(int session,
				     const struct function *function)
{
	char text[ADDRESS_SIZE];
	enum status status;
	int fd, err;

	status = function_open(function, &fd);
	if (status)
		return status;

	err = luo_preserve_fd(session, fd, function->address);
	close(fd);
	if (err)
		return preserve_refused(function, err);

	if (options.verbose) {
		address_format(text, function->address);
		say("%s: preserved", text);
	}

	return STATUS_OK;
}

static enum status preserve_all(int session, const struct function_list *list)
{
	enum status status;
	size_t i;

	status = manifest_preserve(session, list);
	for (i = 0; !status && !stop_wait(0) && i < list->nr; i++)
		status = preserve_function(session, &list->items[i]);
	if (!status && stop_wait(0))
		status = fail(STATUS_INCOMPLETE,
			      "stopped by a signal, nothing is preserved");

	return status;
}

/* @holder is 0 if the parent holds the session. */
static void preserve_report(const char *name, size_t nr, pid_t holder)
{
	if (options.json) {
		json_open(NULL, '{');
		json_string("command", "preserve");
		json_string("session", name);
		json_number("functions", nr);
		json_number("preserved", nr);
		if (holder)
			json_number("holder", holder);
		json_finish(STATUS_OK);
	}
	say("session %s: %zu of %zu functions preserved", name, nr, nr);
	if (holder)
		say_holder(holder);
}

/*
 * Add the functions to a session that the parent holds. A signal ends the program, as
 * the kernel cannot remove them from the session.
 */
static enum status preserve_in_parent(const char *name,
				      const struct function_list *list)
{
	enum status status;
	int session;

	status = luo_create_session(name, &session);
	if (status)
		return status;

	status = preserve_all(session, list);
	if (status)
		return fail(status,
			    "session '%s' may have some of the functions: its holder must close it",
			    name);
	preserve_report(name, list->nr, 0);

	return STATUS_OK;
}

static enum status preserve_session(const char *name,
				    const struct function_list *list)
{
	bool released = false;
	enum status status;
	pid_t holder;
	int session;

	if (options.session_fd >= 0)
		return preserve_in_parent(name, list);

	stop_init();
	status = luo_create_session(name, &session);
	if (status)
		return status;

	status = preserve_all(session, list);
	if (!status)
		status = hold_start(&holder);
	if (!status) {
		preserve_report(name, list->nr, holder);
		released = hold_wait(holder);
	}
	close(session);
	if (released)
		say("session %s: released, nothing is preserved", name);

	return status;
}

enum status command_preserve(int argc, char **argv)
{
	struct function_list *list = &user_functions;
	enum status status;

	status = read_addresses(list, argc - 1, argv + 1);
	if (!status)
		status = check_functions(list);
	if (!status)
		status = preserve_session(argv[0], list);
	function_list_free(list);

	return status;
}
