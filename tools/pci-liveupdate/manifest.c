// SPDX-License-Identifier: GPL-2.0
/*
 * The manifest: a memfd in each session with the addresses of its functions, since
 * the kernel does not list the files of a session. It has text:
 *
 *	pci-liveupdate-manifest 1 2
 *	0000:01:00.0
 *	10000:e1:00.0
 *
 * The header has the version and the number of addresses. Addresses are in the
 * format of address_format(), no address is there twice, and each line ends in a
 * newline. In version 2 the word vfio-pci follows the address of each function of
 * vfio-pci. Other functions are of the stub driver. A session without functions of
 * vfio-pci has version 1, which older programs read, too.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pci-liveupdate.h"

#define MANIFEST_NAME		"pci-liveupdate-manifest"
#define MANIFEST_VERSION	1
#define MANIFEST_VERSION_VFIO	2
#define MANIFEST_VFIO		" " VFIO_DRIVER

/* An address, the driver and a newline */
#define LINE_SIZE	(ADDRESS_SIZE + sizeof(MANIFEST_VFIO))

/* A name of 23 characters, 2 spaces, numbers of 10 and 20 digits, a NUL. */
#define HEADER_SIZE		56

/*
 * A session has room for 10,000 blocks of 63 files: 630,000 lines of at most 26
 * bytes are 16.4 MB.
 */
#define MANIFEST_MAX_SIZE	(16 << 20)

#define MANIFEST_SEALS	(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | \
			 F_SEAL_WRITE)

/* Headers of older C libraries lack this */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL	0x0008U
#endif

static_assert(MANIFEST_TOKEN > ADDRESS_MAX, "a function has this token");

static bool write_all(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t written = write(fd, text, size);

		if (written <= 0)
			return false;
		text += written;
		size -= written;
	}

	return true;
}

static int header_format(char text[HEADER_SIZE], int version, size_t nr)
{
	return snprintf(text, HEADER_SIZE, "%s %d %zu", MANIFEST_NAME, version,
			nr);
}

static int manifest_version(const struct function_list *list)
{
	size_t i;

	for (i = 0; i < list->nr; i++)
		if (list->items[i].driver == DRIVER_VFIO)
			return MANIFEST_VERSION_VFIO;

	return MANIFEST_VERSION;
}

static size_t line_format(char *text, const struct function *function)
{
	size_t size = address_format(text, function->address);

	if (function->driver == DRIVER_VFIO)
		size += sprintf(text + size, MANIFEST_VFIO);
	text[size++] = '\n';

	return size;
}

static bool manifest_write(int fd, const struct function_list *list)
{
	size_t size, i;
	char *text;
	bool ok;

	text = memory_resize(NULL, HEADER_SIZE + list->nr * LINE_SIZE,
			     sizeof(*text));
	size = header_format(text, manifest_version(list), list->nr);
	text[size++] = '\n';
	for (i = 0; i < list->nr; i++)
		size += line_format(text + size, &list->items[i]);
	ok = write_all(fd, text, size);
	free(text);

	return ok && !fcntl(fd, F_ADD_SEALS, MANIFEST_SEALS);
}

/**
 * manifest_preserve - Add a manifest to a session.
 * @session: A session from luo_create_session().
 * @list:    The functions in it.
 *
 * Return: STATUS_OK, or another status with a printed error.
 */
enum status manifest_preserve(int session, const struct function_list *list)
{
	int fd = memfd_create(MANIFEST_NAME, MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	enum status status = STATUS_OK;
	int err;

	if (fd < 0 || !manifest_write(fd, list)) {
		status = fail(STATUS_ENVIRONMENT,
			      "the memfd of the manifest: %s",
			      strerror(errno));
		goto out_close;
	}

	err = luo_preserve_fd(session, fd, MANIFEST_TOKEN);
	if (err == -ENOENT)
		status = fail(STATUS_REFUSED,
			      "the kernel cannot preserve a memfd: it is built without CONFIG_LIVEUPDATE_MEMFD");
	else if (err == -EEXIST)
		status = fail(STATUS_REFUSED,
			      "the session has a manifest: preserve all its functions at once");
	else if (err)
		status = fail(STATUS_REFUSED,
			      "the manifest cannot be preserved: %s",
			      strerror(-err));

out_close:
	if (fd >= 0)
		close(fd);

	return status;
}

/* Cut a line off @text. Return: The line, or NULL if it has a NUL or no newline. */
static char *next_line(char **text, char *end)
{
	char *line = *text, *newline = memchr(line, '\n', end - line);

	if (!newline)
		return NULL;

	*newline = '\0';
	*text = newline + 1;

	return line + strlen(line) == newline ? line : NULL;
}

static bool address_parse_exact(const char *line, pci_ser_key_t *address)
{
	char text[ADDRESS_SIZE];

	if (!address_parse(line, address))
		return false;
	address_format(text, *address);

	return !strcmp(line, text);
}

/* Cut the driver off @line. */
static enum driver driver_parse(char *line, int version)
{
	char *end = strchrnul(line, ' ');

	if (version < MANIFEST_VERSION_VFIO || strcmp(end, MANIFEST_VFIO))
		return DRIVER_STUB;
	*end = '\0';

	return DRIVER_VFIO;
}

/* Return: NULL, or the reason why the @size bytes at @text are no manifest. */
static const char *manifest_parse(char *text, size_t size,
				  struct function_list *list)
{
	char *end = text + size, *line, *header = next_line(&text, end);
	char expected[HEADER_SIZE];
	pci_ser_key_t address;
	enum driver driver;
	int version;

	if (!header || sscanf(header, MANIFEST_NAME " %9d", &version) != 1)
		return "it has no header";
	if (version != MANIFEST_VERSION && version != MANIFEST_VERSION_VFIO)
		return "its version is not supported";

	while (text < end) {
		line = next_line(&text, end);
		driver = line ? driver_parse(line, version) : DRIVER_NONE;
		if (!line || !address_parse_exact(line, &address))
			return "a line of it is not an address";
		function_list_add(list, address)->driver = driver;
	}
	header_format(expected, version, list->nr);
	if (strcmp(header, expected))
		return "its header does not agree with its lines";
	if (function_list_find_twice(list, &address))
		return "an address is in it twice";

	return NULL;
}

/* Return: NULL, or the reason why the file is no manifest. */
static const char *manifest_read(int fd, struct function_list *list)
{
	int seals = fcntl(fd, F_GET_SEALS);
	const char *reason;
	struct stat st;
	char *text;

	/* Without seals the file may change while it is read */
	if (seals < 0 || (seals & MANIFEST_SEALS) != MANIFEST_SEALS)
		return "it is not a sealed memfd";
	if (fstat(fd, &st))
		return strerror(errno);
	if (st.st_size > MANIFEST_MAX_SIZE)
		return "it is larger than any session needs";

	text = memory_resize(NULL, st.st_size + 1, sizeof(*text));
	if (pread(fd, text, st.st_size, 0) == st.st_size)
		reason = manifest_parse(text, st.st_size, list);
	else
		reason = "it cannot be read";
	free(text);

	return reason;
}

/**
 * manifest_retrieve - Read the manifest of a session.
 * @session: A session from luo_retrieve_session().
 * @list:    Its functions are added to this list.
 *
 * Return: 0, or with @list empty: -ENOENT if the session has no manifest, or
 * -EINVAL with a printed error.
 */
int manifest_retrieve(int session, struct function_list *list)
{
	int fd = luo_retrieve_fd(session, MANIFEST_TOKEN);
	const char *reason;

	if (fd == -ENOENT)
		return fd;

	reason = fd < 0 ? strerror(-fd) : manifest_read(fd, list);
	if (fd >= 0)
		close(fd);
	if (!reason)
		return 0;

	warn("the manifest is not used, %s: the kernel's list is used instead",
	     reason);
	function_list_free(list);

	return -EINVAL;
}
