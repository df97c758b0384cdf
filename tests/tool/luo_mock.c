// SPDX-License-Identifier: GPL-2.0
/*
 * A model of the Live Update Orchestrator and of VFIO. It replaces luo_sys.c to test
 * pci-liveupdate without a kernel that supports live update.
 *
 * A session is a directory below luo/outgoing or luo/incoming in the directory of
 * --root, with a file for each token. The test script simulates the kexec: it kills
 * the holder and moves the directory. A process that has a session open holds a
 * lock on the directory.
 *
 * A device node of VFIO is a file below dev/vfio/devices with the address of its
 * function. Its lock stands for being bound to an iommufd. The token of a session
 * has the path of the node.
 *
 * The PCI core abandons a function whose address is written to it: its token is a file
 * below luo/abandoned. It refuses a PF whose VFs are in the list of debugfs.
 *
 * LUO_MOCK_FAIL="operation token errno" makes an operation fail.
 * LUO_MOCK_STOP="token" sends SIGTERM to the program when it preserves the token.
 * LUO_MOCK_UNSEALED makes the kernel drop the seals of a memfd.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/liveupdate.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pci-liveupdate.h"

/* 16 hex digits, and the suffixes of tokens that were retrieved or failed */
#define TOKEN_SIZE	sizeof("ffffffffffffffff")
#define MARK_SIZE	sizeof("ffffffffffffffff.failed")

static int injected_error(const char *operation, unsigned long long token)
{
	const char *fail = getenv("LUO_MOCK_FAIL");
	unsigned long long fail_token;
	char fail_operation[32];
	int err;

	if (!fail || sscanf(fail, "%31s %llx %d", fail_operation, &fail_token,
			    &err) != 3)
		return 0;

	return !strcmp(operation, fail_operation) && token == fail_token ?
	       -err : 0;
}

static bool is_device(const char *path)
{
	char device[PATH_MAX];

	path_format(device, "/dev/liveupdate");

	return !strcmp(path, device);
}

static const char *open_operation(const char *path)
{
	char iommu[PATH_MAX];

	path_format(iommu, "/dev/iommu");
	if (!strcmp(path, iommu))
		return "iommu";

	return is_device(path) ? "device" : "function";
}

/*
 * Only one process can open the device, as in the kernel: closing the file drops
 * the lock. Create a file to tell the test script that the device was busy.
 */
int luo_sys_open(const char *path)
{
	int err = injected_error(open_operation(path), 0);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	char busy[PATH_MAX];

	if (err || fd < 0)
		return err ? err : -errno;
	if (is_device(path) && flock(fd, LOCK_EX | LOCK_NB)) {
		close(fd);
		path_format(busy, "/luo/busy");
		close(open(busy, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
		return -EBUSY;
	}

	return fd;
}

static bool device_is_open(void)
{
	char path[PATH_MAX];
	bool is_open;
	int fd;

	path_format(path, "/dev/liveupdate");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	is_open = flock(fd, LOCK_EX | LOCK_NB);
	close(fd);

	return is_open;
}

static void session_empty(int session)
{
	DIR *dir = fdopendir(dup(session));
	struct dirent *entry;

	rewinddir(dir);
	while ((entry = readdir(dir)))
		unlinkat(session, entry->d_name, 0);
	closedir(dir);
}

static bool session_has(int session, const char *name)
{
	return !faccessat(session, name, F_OK, 0);
}

static void session_mark(int session, const char *name)
{
	close(openat(session, name, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
}

static int session_create(struct liveupdate_ioctl_create_session *arg)
{
	char path[PATH_MAX];

	path_format(path, "/luo/outgoing/%s", (char *)arg->name);
	mkdir(path, 0700);
	arg->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (arg->fd < 0)
		return -errno;
	if (flock(arg->fd, LOCK_EX | LOCK_NB)) {
		close(arg->fd);
		return -EEXIST;
	}
	session_empty(arg->fd);

	return 0;
}

static int session_retrieve(struct liveupdate_ioctl_retrieve_session *arg)
{
	char path[PATH_MAX];

	path_format(path, "/luo/incoming/%s", (char *)arg->name);
	arg->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (arg->fd < 0)
		return -errno;
	if (flock(arg->fd, LOCK_EX | LOCK_NB)) {
		close(arg->fd);
		return -EINVAL;
	}

	return 0;
}

/* Get the path of a file if it is a device node of VFIO. */
static bool vfio_path(int fd, char path[PATH_MAX])
{
	char link[64], nodes[PATH_MAX];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, PATH_MAX - 1);
	path[len < 0 ? 0 : len] = '\0';
	path_format(nodes, "/dev/vfio/devices/");

	return !strncmp(path, nodes, strlen(nodes));
}

/* A lock of the open file, also if another process took it. */
static bool vfio_is_bound(int fd)
{
	char path[64], text[1024] = "";
	int info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	if (read(info, text, sizeof(text) - 1) < 0)
		*text = '\0';
	close(info);

	return strstr(text, "lock:");
}

/* The kernel has the path of the device here; a device node has its address. */
int luo_sys_fdinfo(int fd, char *text, size_t size)
{
	char path[PATH_MAX], address[ADDRESS_SIZE] = "";

	if (vfio_path(fd, path) &&
	    pread(fd, address, ADDRESS_LEN, 0) > 0)
		snprintf(text, size,
			 "pos:\t0\nvfio-device-syspath: /sys/devices/pci0000:00/%s\n",
			 address);
	else
		snprintf(text, size, "pos:\t0\n");

	return injected_error("fdinfo", 0);
}

static void abandoned_path(pci_ser_key_t address, char path[PATH_MAX])
{
	path_format(path, "/luo/abandoned/%llx", (unsigned long long)address);
}

static bool is_abandoned(pci_ser_key_t address)
{
	char path[PATH_MAX];

	abandoned_path(address, path);

	return !access(path, F_OK);
}

static bool has_preserved_vfs(pci_ser_key_t pf)
{
	struct record_list records = {};
	pci_ser_key_t of;
	bool has = false;
	size_t i;

	if (!record_list_exists() || record_list_read(&records))
		return false;
	for (i = 0; i < records.nr; i++)
		has |= records.items[i].kind == RECORD_VF &&
		       function_pf(records.items[i].address, &of) && of == pf &&
		       !is_abandoned(records.items[i].address);
	record_list_free(&records);

	return has;
}

int luo_sys_write(const char *path, const char *text)
{
	char abandoned[PATH_MAX];
	pci_ser_key_t address;
	int err;

	if (access(path, W_OK))
		return -errno;
	if (!address_parse(text, &address))
		return -EINVAL;
	err = injected_error("abandon", address);
	if (err)
		return err;
	if (is_abandoned(address))
		return -ENOENT;
	if (has_preserved_vfs(address))
		return -EBUSY;
	path_format(abandoned, "/luo/abandoned");
	mkdir(abandoned, 0700);
	abandoned_path(address, abandoned);
	close(open(abandoned, O_CREAT | O_RDWR | O_CLOEXEC, 0600));

	return 0;
}

static int vfio_bind_iommufd(int fd, struct vfio_device_bind_iommufd *arg)
{
	struct stat iommufd, expected;
	char path[PATH_MAX];

	path_format(path, "/dev/iommu");
	if (fstat(arg->iommufd, &iommufd) || stat(path, &expected) ||
	    iommufd.st_ino != expected.st_ino)
		return -EBADF;
	if (vfio_is_bound(fd) || flock(fd, LOCK_EX | LOCK_NB))
		return -EINVAL;

	return 0;
}

static int vfio_ioctl(int fd, unsigned long request, void *arg)
{
	char path[PATH_MAX];

	if (!vfio_path(fd, path))
		return -ENOTTY;
	if (request == VFIO_DEVICE_BIND_IOMMUFD)
		return vfio_bind_iommufd(fd, arg);

	return vfio_is_bound(fd) ? 0 : -EINVAL;
}

/* Get the name of a session on one @side, outgoing or incoming. */
static const char *session_name(int session, const char *side)
{
	static char path[PATH_MAX];
	char link[64], sessions[PATH_MAX];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", session);
	len = readlink(link, path, PATH_MAX - 1);
	path[len < 0 ? 0 : len] = '\0';
	path_format(sessions, "/luo/%s/", side);
	len = strlen(sessions);

	return strncmp(path, sessions, len) ? NULL : path + len;
}

static int session_get_name(int session,
			    struct liveupdate_session_get_name *arg)
{
	const char *name = session_name(session, "outgoing") ?:
			   session_name(session, "incoming");

	if (!name)
		return -ENOTTY;
	snprintf((char *)arg->name, sizeof(arg->name), "%.63s", name);

	return 0;
}

static void file_copy(int from, int to)
{
	char text[4096];
	off_t offset = 0;
	ssize_t len;

	while ((len = pread(from, text, sizeof(text), offset)) > 0)
		offset += pwrite(to, text, len, offset);
}

static int file_preserve(int session,
			 struct liveupdate_session_preserve_fd *arg)
{
	const char *stop = getenv("LUO_MOCK_STOP");
	char name[TOKEN_SIZE], path[PATH_MAX];
	int fd;

	if (device_is_open())
		return -EPROTO;

	snprintf(name, sizeof(name), "%llx", (unsigned long long)arg->token);
	if (session_has(session, name))
		return -EEXIST;
	if (vfio_path(arg->fd, path) && !vfio_is_bound(arg->fd))
		return -EINVAL;
	if (stop && !strcmp(stop, name))
		raise(SIGTERM);

	fd = openat(session, name, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (vfio_path(arg->fd, path))
		dprintf(fd, "%s", path);
	else if (fcntl(arg->fd, F_GET_SEALS) >= 0)
		file_copy(arg->fd, fd);
	close(fd);

	return 0;
}

static int memfd_retrieve(int session, const char *name)
{
	int from = openat(session, name, O_RDONLY | O_CLOEXEC);
	int fd = memfd_create("", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	file_copy(from, fd);
	close(from);
	if (!getenv("LUO_MOCK_UNSEALED"))
		fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK |
		      F_SEAL_GROW | F_SEAL_WRITE);

	return fd;
}

/*
 * The file of a session keeps its lock: if this process has it open, return it again.
 * Or else keep it open.
 */
static int vfio_retrieve(const char *path)
{
	char other[PATH_MAX];
	int fd;

	for (fd = 3; fd < 64; fd++)
		if (vfio_path(fd, other) && !strcmp(path, other))
			return fcntl(fd, F_DUPFD_CLOEXEC, 3);
	fd = open(path, O_RDWR | O_CLOEXEC);
	fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return fd;
}

static int function_retrieve(int session, const char *name, __u64 token)
{
	struct function function = { .address = token, .driver = DRIVER_STUB };
	char path[PATH_MAX] = "";
	enum function_state state;
	int fd;

	fd = openat(session, name, O_RDONLY | O_CLOEXEC);
	if (read(fd, path, sizeof(path) - 1) > 0)
		function.driver = DRIVER_VFIO;
	close(fd);
	state = function_state(&function);
	if (state == FUNCTION_ABSENT || is_abandoned(token))
		return -ENODEV;
	if (state != FUNCTION_BOUND)
		return -EAGAIN;

	return *path ? vfio_retrieve(path) :
	       open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* A failed retrieve fails again, as in the kernel, but not after -EAGAIN. */
static int file_retrieve(int session,
			 struct liveupdate_session_retrieve_fd *arg)
{
	char name[TOKEN_SIZE], tried[MARK_SIZE], failed[MARK_SIZE];

	if (device_is_open())
		return -EPROTO;

	snprintf(name, sizeof(name), "%llx", (unsigned long long)arg->token);
	snprintf(tried, sizeof(tried), "%s.tried", name);
	snprintf(failed, sizeof(failed), "%s.failed", name);
	if (!session_has(session, name))
		return -ENOENT;
	if (session_has(session, failed))
		return -ENODEV;

	if (arg->token > ADDRESS_MAX)
		arg->fd = memfd_retrieve(session, name);
	else
		arg->fd = function_retrieve(session, name, arg->token);
	if (arg->fd == -EAGAIN)
		return -EAGAIN;
	session_mark(session, tried);
	if (arg->fd < 0)
		session_mark(session, failed);

	return arg->fd < 0 ? arg->fd : 0;
}

/* The file of a token is no device node of VFIO, or it is bound. */
static bool token_is_bound(int session, const char *name)
{
	int fd = openat(session, name, O_RDONLY | O_CLOEXEC), node;
	char path[PATH_MAX] = "";
	bool bound = true;

	if (read(fd, path, sizeof(path) - 1) > 0) {
		node = open(path, O_RDWR | O_CLOEXEC);
		bound = flock(node, LOCK_EX | LOCK_NB);
		close(node);
	}
	close(fd);

	return bound;
}

/*
 * A function cannot finish before it is retrieved or abandoned; a memfd can. Complain
 * about a file of VFIO that is not bound: the kernel stops its function.
 */
static bool session_can_finish(int session)
{
	DIR *dir = fdopendir(dup(session));
	char tried[MARK_SIZE], failed[MARK_SIZE];
	struct dirent *entry;
	bool can = true;

	rewinddir(dir);
	while ((entry = readdir(dir))) {
		if (strchr(entry->d_name, '.') ||
		    strtoull(entry->d_name, NULL, 16) > ADDRESS_MAX)
			continue;
		snprintf(tried, sizeof(tried), "%.16s.tried", entry->d_name);
		snprintf(failed, sizeof(failed), "%.16s.failed", entry->d_name);
		if (!session_has(session, tried))
			can &= is_abandoned(strtoull(entry->d_name, NULL, 16));
		else if (!session_has(session, failed) &&
			 !token_is_bound(session, entry->d_name))
			fprintf(stderr, "%s is stopped\n", entry->d_name);
	}
	closedir(dir);

	return can;
}

static int session_finish(int session)
{
	char link[64], path[PATH_MAX] = "";

	if (!session_can_finish(session))
		return -EBUSY;

	session_empty(session);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", session);
	if (readlink(link, path, sizeof(path) - 1) < 0 || rmdir(path))
		return -errno;

	return 0;
}

int luo_sys_ioctl(int fd, unsigned long request, void *arg)
{
	struct liveupdate_session_preserve_fd *file = arg;
	int err;

	switch (request) {
	case LIVEUPDATE_IOCTL_CREATE_SESSION:
		err = injected_error("create", 0);
		return err ? err : session_create(arg);
	case LIVEUPDATE_IOCTL_RETRIEVE_SESSION:
		err = injected_error("take", 0);
		return err ? err : session_retrieve(arg);
	case LIVEUPDATE_SESSION_PRESERVE_FD:
		err = injected_error("preserve", file->token);
		if (!err && !session_name(fd, "outgoing"))
			err = -EINVAL;
		return err ? err : file_preserve(fd, arg);
	case LIVEUPDATE_SESSION_GET_NAME:
		return session_get_name(fd, arg);
	case LIVEUPDATE_SESSION_RETRIEVE_FD:
		if (!session_name(fd, "incoming"))
			return -EINVAL;
		err = injected_error("retrieve", file->token);
		return err ? err : file_retrieve(fd, arg);
	case LIVEUPDATE_SESSION_FINISH:
		if (!session_name(fd, "incoming"))
			return -EINVAL;
		err = injected_error("finish", 0);
		return err ? err : session_finish(fd);
	case VFIO_DEVICE_BIND_IOMMUFD:
		err = injected_error("bind", 0);
		return err ? err : vfio_ioctl(fd, request, arg);
	case VFIO_DEVICE_GET_INFO:
		return vfio_ioctl(fd, request, arg);
	}

	return -ENOTTY;
}
