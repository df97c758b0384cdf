// SPDX-License-Identifier: GPL-2.0
/*
 * Output: results as lines on the standard output, or as one JSON object, and one
 * line for each error or warning on the standard error.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pci-liveupdate.h"

static struct {
	char **items;
	size_t nr;
	size_t size;
} warnings;

static bool json_comma, json_printed;

/* The kernel releases the session when the program ends. */
static void die_no_memory(void)
{
	fputs(PROGRAM ": out of memory\n", stderr);
	exit(STATUS_ENVIRONMENT);
}

/**
 * memory_resize - Allocate or resize an array, or end the program.
 * @memory: The array, or NULL.
 * @nr:     Number of elements.
 * @size:   Size of an element.
 *
 * Return: The array.
 */
void *memory_resize(void *memory, size_t nr, size_t size)
{
	memory = reallocarray(memory, nr, size);
	if (!memory)
		die_no_memory();

	return memory;
}

static void warnings_add(char *text)
{
	if (warnings.nr == warnings.size) {
		warnings.size = warnings.size ? warnings.size * 2 : 16;
		warnings.items = memory_resize(warnings.items, warnings.size,
					       sizeof(*warnings.items));
	}
	warnings.items[warnings.nr++] = text;
}

/*
 * Messages quote arguments and contents of files. Keep them on one line, free of
 * control sequences for terminals, and valid in JSON.
 */
static void make_printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static void vwarn(const char *fmt, va_list args)
{
	char *text;

	if (vasprintf(&text, fmt, args) < 0)
		die_no_memory();

	make_printable(text);
	fflush(stdout);
	fprintf(stderr, PROGRAM ": %s\n", text);
	if (options.json)
		warnings_add(text);
	else
		free(text);
}

/* Print a line on the standard error. */
void warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vwarn(fmt, args);
	va_end(args);
}

/* Print a line on the standard error, and return @status. */
enum status fail(enum status status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vwarn(fmt, args);
	va_end(args);

	return status;
}

/* Print a line of the result. */
void say(const char *fmt, ...)
{
	va_list args;

	if (options.quiet || options.json)
		return;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

/* With --quiet --background print the ID only: scripts need it to end the process. */
void say_holder(pid_t holder)
{
	if (options.quiet && options.background && !options.json)
		printf("%d\n", holder);
	else
		say("held by pid %d", holder);
}

static void json_key(const char *key)
{
	if (json_comma)
		putchar(',');
	json_comma = true;
	if (key)
		printf("\"%s\":", key);
}

/* Begin an object or an array. @key is NULL for an element of an array. */
void json_open(const char *key, char bracket)
{
	json_key(key);
	putchar(bracket);
	json_comma = false;
}

void json_close(char bracket)
{
	putchar(bracket);
	json_comma = true;
}

/* @value must be printable ASCII, see make_printable(). */
void json_string(const char *key, const char *value)
{
	json_key(key);
	putchar('"');
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			putchar('\\');
		putchar(*value);
	}
	putchar('"');
}

void json_number(const char *key, unsigned long long value)
{
	json_key(key);
	printf("%llu", value);
}

void json_bool(const char *key, bool value)
{
	json_key(key);
	fputs(value ? "true" : "false", stdout);
}

/* End the object that the program prints with the members of all commands. */
void json_finish(enum status status)
{
	size_t i;

	json_number("status", status);
	json_open("messages", '[');
	for (i = 0; i < warnings.nr; i++)
		json_string(NULL, warnings.items[i]);
	json_close(']');
	json_close('}');
	putchar('\n');
	json_printed = true;
}

/**
 * output_finish - Print the JSON object, unless it was printed, and flush output.
 * @command: The command, or NULL if none was recognized.
 * @status:  Status of the command.
 *
 * Return: Exit status of the program.
 */
enum status output_finish(const char *command, enum status status)
{
	if (options.json && !json_printed) {
		json_open(NULL, '{');
		if (command)
			json_string("command", command);
		json_finish(status);
	}

	while (warnings.nr)
		free(warnings.items[--warnings.nr]);
	free(warnings.items);

	if (fflush(stdout) || ferror(stdout)) {
		warn("standard output: %s", strerror(errno));
		return STATUS_ENVIRONMENT;
	}

	return status;
}
