// SPDX-License-Identifier: GPL-2.0
/*
 * PCI functions in /sys and /dev, and the drivers that have a file for each bound
 * function: the stub driver, and vfio-pci.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pci-liveupdate.h"

/*
 * Commands that bind a function; arguments are driver, path and address, or address
 * and path.
 */
#define OVERRIDE_FMT	"echo %s > %s/devices/%s/driver_override"
#define PROBE_FMT	"echo %s > %s/drivers_probe"

/*
 * Offset of the header type in configuration space, its multi-function bit, and the
 * value of a function that does not answer
 */
#define HEADER_TYPE	0x0e
#define HEADER_MULTI	0x80
#define HEADER_GONE	0xff

/**
 * path_format - Format a path below the directory of --root.
 * @path: PATH_MAX bytes. ROOT_MAX leaves room for all paths.
 * @fmt:  Format of the path below the root, with arguments.
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

/* Check for the drivers, to print one error instead of one for each function. */
enum status driver_check(void)
{
	char path[PATH_MAX];

	path_format(path, PCI_SYSFS "/drivers/" VFIO_DRIVER);
	if (!access(path, F_OK))
		return STATUS_OK;

	path_format(path, PCI_SYSFS "/drivers/" STUB_DRIVER);
	if (access(path, F_OK))
		return fail(STATUS_ENVIRONMENT,
			    "no %s: the kernel is built without CONFIG_PCI_LIVEUPDATE_STUB, or booted without kho=on liveupdate=on",
			    path);

	return STATUS_OK;
}

/* Get the name of a link's target in PATH_MAX bytes, or an empty string. */
static void function_link(const char *address, const char *link, char *name)
{
	char path[PATH_MAX];
	ssize_t len;
	char *slash;

	path_format(path, PCI_SYSFS "/devices/%s/%s", address, link);
	len = readlink(path, name, PATH_MAX - 1);
	name[len < 0 ? 0 : len] = '\0';

	slash = strrchr(name, '/');
	if (slash)
		memmove(name, slash + 1, strlen(slash));
}

/* Get the name of the driver in PATH_MAX bytes, or an empty string. */
static void function_driver(const char *address, char *driver)
{
	function_link(address, "driver", driver);
}

static bool function_has(const char *address, const char *file)
{
	char path[PATH_MAX];

	path_format(path, PCI_SYSFS "/devices/%s/%s", address, file);

	return !access(path, F_OK);
}

/* Get the header type, or 0 if it is not known. */
static unsigned char function_header(const char *address)
{
	unsigned char type = 0;
	char path[PATH_MAX];
	int fd;

	path_format(path, PCI_SYSFS "/devices/%s/config", address);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (pread(fd, &type, 1, HEADER_TYPE) != 1)
		type = 0;
	close(fd);

	return type;
}

/* The stub binds all type 0 functions; other types are bridges. */
static bool function_is_bridge(const char *address)
{
	return function_header(address) & ~HEADER_MULTI;
}

/*
 * Check for a function. If its card was pulled, vfio-pci and its directory stay until
 * its file is closed, but the link to the driver does not.
 */
static bool function_exists(const char *address)
{
	return function_has(address, "") && function_header(address) != HEADER_GONE;
}

/**
 * function_pf - Get the PF of a VF.
 * @address: Address of a function.
 * @pf:      Set to the address of its PF.
 *
 * Return: true if @address is a VF.
 */
bool function_pf(pci_ser_key_t address, pci_ser_key_t *pf)
{
	char text[ADDRESS_SIZE], name[PATH_MAX];

	address_format(text, address);
	function_link(text, "physfn", name);

	return address_parse(name, pf);
}

/* Get the driver of a function, or DRIVER_NONE if it does not support live update. */
static enum driver function_find_driver(const char *address)
{
	char driver[PATH_MAX];

	function_driver(address, driver);
	if (!strcmp(driver, STUB_DRIVER))
		return DRIVER_STUB;
	if (!strcmp(driver, VFIO_DRIVER) && function_has(address, VFIO_MODE_FILE))
		return DRIVER_VFIO;

	return DRIVER_NONE;
}

/**
 * function_state - Check for a function and its driver.
 * @function: A function. If it is bound, its driver is set.
 *
 * Return: The state of the function. Another driver than that of @function counts
 * as none.
 */
enum function_state function_state(struct function *function)
{
	char text[ADDRESS_SIZE];
	enum driver driver;

	address_format(text, function->address);
	driver = function_find_driver(text);
	if (driver && (!function->driver || function->driver == driver)) {
		function->driver = driver;
		return FUNCTION_BOUND;
	}

	return function_exists(text) ? FUNCTION_UNBOUND : FUNCTION_ABSENT;
}

static void function_explain_unbound(const char *address, const char *wanted)
{
	char driver[PATH_MAX], pci[PATH_MAX];

	path_format(pci, PCI_SYSFS);
	function_driver(address, driver);
	if (!strcmp(driver, wanted))
		warn("%s is bound to %s, but the kernel lacks CONFIG_VFIO_PCI_LIVEUPDATE",
		     address, driver);
	else if (*driver)
		warn("%s is bound to %s, bind it to %s: "
		     OVERRIDE_FMT " && echo %s > %s/drivers/%s/unbind && "
		     PROBE_FMT, address, driver, wanted, wanted, pci, address,
		     address, pci, driver, address, pci);
	else
		warn("%s is not bound, bind it to %s: "
		     OVERRIDE_FMT " && " PROBE_FMT, address, wanted, wanted,
		     pci, address, address, pci);
}

/* Print why a function is not bound to its driver, and how to bind it. */
void function_explain(const struct function *function)
{
	char text[ADDRESS_SIZE];

	address_format(text, function->address);
	if (!function_has(text, ""))
		warn("%s does not exist: lspci -D lists existing functions",
		     text);
	else if (function_is_bridge(text))
		warn("%s is a bridge: name the functions below it, and it is preserved with them",
		     text);
	else
		function_explain_unbound(text, function->driver == DRIVER_VFIO ?
					 VFIO_DRIVER : STUB_DRIVER);
}

static void function_explain_no_vfs(pci_ser_key_t pf)
{
	char text[ADDRESS_SIZE], path[PATH_MAX], name[PATH_MAX];

	address_format(text, pf);
	path_format(path, PCI_SYSFS "/devices/%s/sriov_numvfs", text);
	function_link(text, "physfn", name);
	if (!function_has(text, ""))
		function_explain(&(struct function){ .address = pf });
	else if (*name)
		warn("%s is a VF: %s/vfs names all VFs of its PF", text, name);
	else if (access(path, F_OK))
		warn("%s is not a PF: only a function with SR-IOV has VFs",
		     text);
	else
		warn("%s has no VFs: echo <number> > %s creates them", text,
		     path);
}

static int is_virtfn(const struct dirent *entry)
{
	return !strncmp(entry->d_name, "virtfn", strlen("virtfn"));
}

/**
 * function_add_vfs - Add all VFs of a PF to a list, in the order of their numbers.
 * @pf:   Address of the PF.
 * @list: A list.
 *
 * Return: STATUS_OK, or another status with a printed error.
 */
enum status function_add_vfs(pci_ser_key_t pf, struct function_list *list)
{
	char text[ADDRESS_SIZE], path[PATH_MAX], name[PATH_MAX];
	enum status status = STATUS_OK;
	struct dirent **links = NULL;
	pci_ser_key_t vf;
	int i, nr;

	address_format(text, pf);
	path_format(path, PCI_SYSFS "/devices/%s", text);
	nr = scandir(path, &links, is_virtfn, versionsort);
	if (nr <= 0) {
		function_explain_no_vfs(pf);
		status = STATUS_ENVIRONMENT;
	}

	for (i = 0; i < nr; i++) {
		function_link(text, links[i]->d_name, name);
		if (address_parse(name, &vf))
			function_list_add(list, vf);
		else if (!status)
			status = fail(STATUS_ENVIRONMENT,
				      "%s/%s is no link to a VF: repeat this when no VFs are created or removed",
				      path, links[i]->d_name);
		free(links[i]);
	}
	free(links);

	return status;
}

/* Get the file of a function: that of its user, or a new one. */
enum status function_open(const struct function *function, int *fd)
{
	char path[PATH_MAX], text[ADDRESS_SIZE];

	*fd = function->fd;
	if (*fd >= 0)
		return STATUS_OK;
	if (function->driver == DRIVER_VFIO)
		return vfio_open(function->address, fd);

	address_format(text, function->address);
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
