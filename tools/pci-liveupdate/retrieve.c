// SPDX-License-Identifier: GPL-2.0
/*
 * The retrieve and finish commands: take over functions of the previous kernel.
 *
 * Older kernels cannot repeat a failed retrieve, so don't retrieve a function that is
 * not bound to its driver. The session cannot finish then, and another process may
 * retrieve it later. Do retrieve a function that no longer exists: this fails, and
 * the session can finish after it.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pci-liveupdate.h"

#define WAIT_INTERVAL_MS	200

/**
 * enum retrieval - State of a function.
 * @PENDING:   Not retrieved yet, since it is not bound to its driver.
 * @RETRIEVED: The kernel has returned its file.
 * @MISSING:   It does not exist in this kernel, or is not preserved any more.
 * @FAILED:    The kernel has returned an error.
 * @FOREIGN:   It is not in this session.
 */
enum retrieval {
	PENDING,
	RETRIEVED,
	MISSING,
	FAILED,
	FOREIGN,
	NR_RETRIEVALS,
};

static const char *const retrieval_names[NR_RETRIEVALS] = {
	[PENDING] = "pending",
	[RETRIEVED] = "retrieved",
	[MISSING] = "missing",
	[FAILED] = "failed",
	[FOREIGN] = "foreign",
};

/**
 * struct incoming - A session of the previous kernel.
 * @command:   Name of the command.
 * @argv:      Program to run with the files of the session, or NULL.
 * @name:      Name of the session.
 * @fd:        File descriptor of the session.
 * @manifest:  The session has a manifest. Otherwise @functions may be in other
 *             sessions.
 * @functions: Functions of the manifest, or all incoming functions.
 * @states:    State of each function.
 * @counts:    Number of functions in each state.
 * @recorded:  Sorted addresses in the kernel's list, or NULL if it was not read.
 * @nr_recorded: Number of these.
 * @unbound:   A file of vfio-pci could not be bound to an iommufd, so the kernel
 *             stops the function.
 * @finished:  The kernel has finished the session.
 */
struct incoming {
	const char *command;
	char **argv;
	const char *name;
	int fd;
	bool manifest;
	struct function_list functions;
	enum retrieval *states;
	size_t counts[NR_RETRIEVALS];
	pci_ser_key_t *recorded;
	size_t nr_recorded;
	bool unbound;
	bool finished;
};

static enum status find_incoming_records(struct function_list *list)
{
	struct record_list records = {};
	enum status status;
	size_t i;

	status = record_list_read(&records);
	for (i = 0; !status && i < records.nr; i++)
		if (records.items[i].side == RECORD_INCOMING &&
		    record_has_file(&records.items[i]))
			function_list_add(list, records.items[i].address);
	record_list_free(&records);

	return status;
}

static enum status find_functions(struct incoming *in)
{
	enum status status = STATUS_OK;
	size_t i;

	in->manifest = !manifest_retrieve(in->fd, &in->functions);
	if (!in->manifest)
		status = find_incoming_records(&in->functions);
	if (status)
		return status;

	in->states = memory_resize(NULL, in->functions.nr + 1,
				   sizeof(*in->states));
	for (i = 0; i < in->functions.nr; i++)
		in->states[i] = PENDING;
	in->counts[PENDING] = in->functions.nr;

	return status;
}

static void set_state(struct incoming *in, size_t i, enum retrieval state)
{
	in->counts[in->states[i]]--;
	in->states[i] = state;
	in->counts[state]++;
}

/* The session has a reference to the file until it finishes. */
static void release_file(struct incoming *in, struct function *function, int fd)
{
	if (in->argv) {
		function->fd = fd;
		return;
	}
	if (function->driver == DRIVER_VFIO && vfio_bind(function->address, fd))
		in->unbound = true;
	close(fd);
}

/* Forget the list of the last attempt. */
static void forget_recorded(struct incoming *in)
{
	free(in->recorded);
	in->recorded = NULL;
	in->nr_recorded = 0;
}

/* Read the addresses in the kernel's list, if it has one. */
static void read_recorded(struct incoming *in)
{
	struct record_list records = {};
	size_t i;

	if (in->recorded || !record_list_exists() || record_list_read(&records))
		return;

	in->recorded = memory_resize(NULL, records.nr + 1, sizeof(*in->recorded));
	for (i = 0; i < records.nr; i++)
		if (records.items[i].side == RECORD_INCOMING)
			in->recorded[in->nr_recorded++] = records.items[i].address;
	qsort(in->recorded, in->nr_recorded, sizeof(*in->recorded), address_compare);
	record_list_free(&records);
}

/* The function was abandoned: its driver does not matter, and cannot retrieve it. */
static bool is_dropped(struct incoming *in, pci_ser_key_t address)
{
	read_recorded(in);

	return in->recorded && !bsearch(&address, in->recorded, in->nr_recorded,
					sizeof(*in->recorded), address_compare);
}

/*
 * The function is not bound to the driver of its file, so the retrieve may be repeated.
 * Without a manifest it may be bound to the other driver.
 */
static void set_other_driver(struct incoming *in, struct function *function)
{
	if (!in->manifest && function_state(function) == FUNCTION_BOUND)
		function->driver = function->driver == DRIVER_STUB ? DRIVER_VFIO :
								     DRIVER_STUB;
}

static void retrieve_function(struct incoming *in, size_t i)
{
	struct function *function = &in->functions.items[i];
	enum function_state state = function_state(function);
	char text[ADDRESS_SIZE];
	int fd;

	if (state == FUNCTION_UNBOUND && !is_dropped(in, function->address))
		return;

	address_format(text, function->address);
	fd = luo_retrieve_fd(in->fd, function->address);
	if (fd >= 0) {
		release_file(in, function, fd);
		set_state(in, i, RETRIEVED);
		if (options.verbose)
			say("%s: retrieved", text);
	} else if (fd == -EAGAIN) {
		set_other_driver(in, function);
	} else if (fd == -ENOENT && !in->manifest) {
		set_state(in, i, FOREIGN);
	} else if (state == FUNCTION_UNBOUND) {
		set_state(in, i, MISSING);
		warn("%s is not preserved any more: ignored, so that the session can finish",
		     text);
	} else if (state == FUNCTION_ABSENT) {
		set_state(in, i, MISSING);
		warn("%s does not exist in this kernel: ignored, so that the session can finish",
		     text);
	} else {
		set_state(in, i, FAILED);
		warn("%s cannot be retrieved: %s: see the kernel log",
		     text, strerror(-fd));
	}
}

static void retrieve_pending(struct incoming *in)
{
	size_t i;

	forget_recorded(in);
	for (i = 0; i < in->functions.nr && in->counts[PENDING]; i++)
		if (in->states[i] == PENDING)
			retrieve_function(in, i);
}

/* The kernel had no memory for the file of a function that is bound. */
static void explain_function(struct function *function)
{
	char text[ADDRESS_SIZE];

	if (function_state(function) != FUNCTION_BOUND) {
		function_explain(function);
		return;
	}
	address_format(text, function->address);
	warn("%s cannot be retrieved now, but may be later: see the kernel log", text);
}

static void explain_pending(struct incoming *in)
{
	size_t i;

	for (i = 0; i < in->functions.nr; i++)
		if (in->states[i] == PENDING)
			explain_function(&in->functions.items[i]);
	if (options.wait)
		say("session %s: waiting for %zu functions to be bound",
		    in->name, in->counts[PENDING]);
	fflush(stdout);
}

/*
 * Check if the session is done. Without a manifest a pending function may be in
 * another session: try to finish, and let the kernel decide.
 */
static bool is_settled(struct incoming *in, bool finish, enum status *status)
{
	int err;

	*status = STATUS_OK;
	if (in->counts[PENDING] && in->manifest)
		return false;
	if (!finish)
		return true;

	err = luo_finish(in->fd);
	in->finished = !err;
	if (err == -EBUSY && in->counts[PENDING])
		return false;
	if (err == -EBUSY)
		*status = fail(STATUS_REFUSED,
			       "session '%s' cannot be finished: it has a file that is not retrieved",
			       in->name);
	else if (err)
		*status = fail(STATUS_REFUSED,
			       "session '%s' cannot be finished: %s", in->name,
			       strerror(-err));

	return true;
}

/* Retrieve all functions, wait for those not bound, and finish if @finish. */
static enum status settle(struct incoming *in, bool finish)
{
	long long deadline = now_ms() + options.wait * 1000LL;
	bool explained = false;
	enum status status;

	for (;;) {
		retrieve_pending(in);
		if (is_settled(in, finish, &status))
			return status;

		if (!explained)
			explain_pending(in);
		explained = true;
		if (now_ms() >= deadline || stop_wait(WAIT_INTERVAL_MS))
			return fail(STATUS_INCOMPLETE,
				    "session '%s' is left to the kernel: %zu functions are not bound, bind them and repeat this",
				    in->name, in->counts[PENDING]);
	}
}

static enum status completeness(const struct incoming *in)
{
	if (in->counts[MISSING] || in->counts[FAILED] || in->unbound)
		return STATUS_INCOMPLETE;

	return STATUS_OK;
}

/* Return: Number of functions that are known to be in the session. */
static size_t count_functions(const struct incoming *in)
{
	size_t nr = in->functions.nr - in->counts[FOREIGN];

	return in->manifest ? nr : nr - in->counts[PENDING];
}

static void report_text(const struct incoming *in)
{
	size_t nr = count_functions(in);

	say("session %s: %zu of %zu functions retrieved", in->name,
	    in->counts[RETRIEVED], nr);
	if (in->counts[RETRIEVED] < nr || in->counts[PENDING])
		say("session %s: missing %zu, failed %zu, not bound %zu",
		    in->name, in->counts[MISSING], in->counts[FAILED],
		    in->counts[PENDING]);
}

static void report_json(const struct incoming *in, pid_t holder,
			enum status status)
{
	char text[ADDRESS_SIZE];
	enum retrieval state;
	size_t i;

	json_open(NULL, '{');
	json_string("command", in->command);
	json_string("session", in->name);
	json_bool("manifest", in->manifest);
	json_number("functions", count_functions(in));
	for (state = PENDING; state < FOREIGN; state++)
		json_number(retrieval_names[state], in->counts[state]);
	json_open("states", '{');
	for (i = 0; i < in->functions.nr; i++) {
		address_format(text, in->functions.items[i].address);
		json_string(text, retrieval_names[in->states[i]]);
	}
	json_close('}');
	if (holder)
		json_number("holder", holder);
	json_bool("finished", in->finished);
	json_finish(status);
}

/* @holder is 0 if no process holds the session. */
static void retrieve_report(const struct incoming *in, pid_t holder, enum status status)
{
	if (options.json)
		report_json(in, holder, status);
	report_text(in);
	if (holder)
		say_holder(holder);
	else if (in->finished)
		say("session %s: finished", in->name);
}

static enum status finish_session(struct incoming *in)
{
	enum status status = settle(in, true);

	if (!status)
		status = completeness(in);
	retrieve_report(in, 0, status);

	return status;
}

static enum status retrieve_session(struct incoming *in)
{
	enum status status;
	pid_t holder = 0;

	/* Don't hold a session that cannot finish */
	status = settle(in, false);
	if (!status && in->argv) {
		retrieve_report(in, 0, completeness(in));
		return command_execute(in->argv, in->fd, &in->functions);
	}
	if (!status)
		status = hold_start(&holder);
	if (!status)
		status = completeness(in);
	retrieve_report(in, holder, status);
	if (!holder || !hold_wait(holder))
		return status;

	status = settle(in, true);
	if (status)
		return status;
	say("session %s: finished", in->name);

	return completeness(in);
}

static enum status take_over(const char *command, char **argv,
			     enum status (*run)(struct incoming *in))
{
	struct incoming in = {
		.command = command,
		.name = argv[0],
		.argv = argv[1] ? argv + 1 : NULL,
	};
	enum status status;

	status = driver_check();
	if (status)
		return status;

	stop_init();
	status = luo_retrieve_session(in.name, &in.fd);
	if (status)
		return status;

	status = find_functions(&in);
	if (!status)
		status = run(&in);
	close(in.fd);
	function_list_free(&in.functions);
	forget_recorded(&in);
	free(in.states);

	return status;
}

enum status command_retrieve(int argc, char **argv)
{
	return take_over("retrieve", argv, retrieve_session);
}

enum status command_finish(int argc, char **argv)
{
	return take_over("finish", argv, finish_session);
}
