// SPDX-License-Identifier: GPL-2.0
/*
 * PCI functions as /sys and /dev show them, and the driver that gives each of
 * them a file to preserve.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pci-liveupdate.h"

#define PCI_SYSFS	"/sys/bus/pci"

/* The commands that bind a function: path and address, address and path. */
#define OVERRIDE_FMT	"echo " STUB_DRIVER " > %s/devices/%s/driver_override"
#define PROBE_FMT	"echo %s > %s/drivers_probe"

/* Where the header type is in configuration space, and its multi bit. */
#define HEADER_TYPE	0x0e
#define HEADER_MULTI	0x80

/**
 * path_format - Make a path below the root that the command line gives.
 * @path: PATH_MAX bytes. The root is short enough for any path to fit.
 * @fmt:  The path, and what goes into it.
 */
void path_format(char *path, const char *fmt, ...)
{
	size_t len = strlen(options.root);
	va_list args;

	memcpy(path, options.root, len);
	va_start(args, fmt);
	vsnprintf(path + len, PATH_MAX - len, fmt, args);
	va_end(args);
}

/* Say once, instead of for each function, that none can be bound. */
enum status stub_check(void)
{
	char path[PATH_MAX];

	path_format(path, PCI_SYSFS "/drivers/" STUB_DRIVER);
	if (access(path, F_OK))
		return fail(STATUS_ENVIRONMENT,
			    "no %s: the kernel is built without CONFIG_PCI_LIVEUPDATE_STUB, or booted without liveupdate=on",
			    path);

	return STATUS_OK;
}

/* @driver is PATH_MAX bytes, and empty if there is no driver. */
static void function_driver(const char *address, char *driver)
{
	char path[PATH_MAX];
	ssize_t len;
	char *slash;

	path_format(path, PCI_SYSFS "/devices/%s/driver", address);
	len = readlink(path, driver, PATH_MAX - 1);
	driver[len < 0 ? 0 : len] = '\0';

	slash = strrchr(driver, '/');
	if (slash)
		memmove(driver, slash + 1, strlen(slash));
}

static bool function_has(const char *address, const char *file)
{
	char path[PATH_MAX];

	path_format(path, PCI_SYSFS "/devices/%s/%s", address, file);

	return !access(path, F_OK);
}

/* The stub takes any type-0 function, so what has another type is a bridge. */
static bool function_is_bridge(const char *address)
{
	unsigned char type = 0;
	char path[PATH_MAX];
	int fd;

	path_format(path, PCI_SYSFS "/devices/%s/config", address);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (pread(fd, &type, 1, HEADER_TYPE) != 1)
		type = 0;
	close(fd);

	return type & ~HEADER_MULTI;
}

bool function_is_virtual(pci_ser_key_t address)
{
	char text[ADDRESS_SIZE];

	address_format(text, address);

	return function_has(text, "physfn");
}

enum function_state function_state(pci_ser_key_t address)
{
	char text[ADDRESS_SIZE], driver[PATH_MAX];

	address_format(text, address);
	function_driver(text, driver);
	if (!strcmp(driver, STUB_DRIVER))
		return FUNCTION_BOUND;

	return function_has(text, "") ? FUNCTION_UNBOUND : FUNCTION_ABSENT;
}

static void function_explain_unbound(const char *address)
{
	char driver[PATH_MAX], pci[PATH_MAX];

	path_format(pci, PCI_SYSFS);
	function_driver(address, driver);
	if (*driver)
		warn("%s is bound to %s, bind it to " STUB_DRIVER ": "
		     OVERRIDE_FMT " && echo %s > %s/drivers/%s/unbind && "
		     PROBE_FMT, address, driver, pci, address, address, pci,
		     driver, address, pci);
	else
		warn("%s is not bound, bind it to " STUB_DRIVER ": "
		     OVERRIDE_FMT " && " PROBE_FMT, address, pci, address,
		     address, pci);
}

/* Print why a function is not bound to the stub, and what to do. */
void function_explain(pci_ser_key_t address)
{
	char text[ADDRESS_SIZE];

	address_format(text, address);
	if (!function_has(text, ""))
		warn("%s does not exist: lspci -D lists the functions that do",
		     text);
	else if (function_is_bridge(text))
		warn("%s is a bridge: name the functions below it, and it is preserved with them",
		     text);
	else
		function_explain_unbound(text);
}

/* Open the file that the stub has for a function. */
enum status function_open(pci_ser_key_t address, int *fd)
{
	char path[PATH_MAX], text[ADDRESS_SIZE];

	address_format(text, address);
	path_format(path, "/dev/pci-liveupdate/%s", text);
	*fd = luo_sys_open(path);
	switch (*fd) {
	case -ENOENT:
		return fail(STATUS_ENVIRONMENT,
			    "no %s although %s is bound: mount devtmpfs on /dev",
			    path, text);
	case -EACCES:
	case -EPERM:
		return fail(STATUS_ENVIRONMENT, "%s: %s: run as root", path,
			    strerror(-*fd));
	case -EBUSY:
		return fail(STATUS_ENVIRONMENT,
			    "%s is busy: end the program that has it open",
			    path);
	}
	if (*fd < 0)
		return fail(STATUS_ENVIRONMENT, "%s: %s", path,
			    strerror(-*fd));

	return STATUS_OK;
}
