// SPDX-License-Identifier: GPL-2.0
/*
 * Calls of LUO and memory for the programs of the scenarios.
 */

#define _GNU_SOURCE

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/liveupdate.h>
#include <linux/reboot.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "luo.h"

static __u64 now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Returns how long it took. */
__u64 luo_call(int fd, unsigned long request, void *arg, const char *what)
{
	__u64 start = now();

	if (ioctl(fd, request, arg))
		err(1, "%s", what);
	return now() - start;
}

/* Only one process can have it open, so a program that goes on closes it. */
int luo_try_open(void)
{
	int fd = open("/dev/liveupdate", O_RDWR);

	return fd < 0 ? -errno : fd;
}

int luo_try_create_session(int luo, const char *name)
{
	struct liveupdate_ioctl_create_session session = {
		.size = sizeof(session),
	};

	snprintf((char *)session.name, sizeof(session.name), "%s", name);
	if (ioctl(luo, LIVEUPDATE_IOCTL_CREATE_SESSION, &session))
		return -errno;
	return session.fd;
}

int luo_try_retrieve_session(int luo, const char *name)
{
	struct liveupdate_ioctl_retrieve_session session = {
		.size = sizeof(session),
	};

	snprintf((char *)session.name, sizeof(session.name), "%s", name);
	if (ioctl(luo, LIVEUPDATE_IOCTL_RETRIEVE_SESSION, &session))
		return -errno;
	return session.fd;
}

/* @try: one of the functions above. */
static int get_session(int (*try)(int luo, const char *name), const char *name,
		       const char *what)
{
	int luo = open_file("/dev/liveupdate");
	int session = try(luo, name);

	if (session < 0)
		errx(1, "%s: %s", what, strerror(-session));
	close(luo);
	return session;
}

int luo_create_session(const char *name)
{
	return get_session(luo_try_create_session, name, "create the session");
}

int luo_retrieve_session(const char *name)
{
	return get_session(luo_try_retrieve_session, name, "retrieve the session");
}

int luo_try_finish_session(int session)
{
	struct liveupdate_session_finish all = { .size = sizeof(all) };

	return ioctl(session, LIVEUPDATE_SESSION_FINISH, &all) ? -errno : 0;
}

/* Returns how long it took. */
__u64 luo_finish_session(int session)
{
	struct liveupdate_session_finish all = { .size = sizeof(all) };

	return luo_call(session, LIVEUPDATE_SESSION_FINISH, &all,
			"finish the session");
}

int luo_try_preserve_fd(int session, int fd, __u64 token)
{
	struct liveupdate_session_preserve_fd file = {
		.size = sizeof(file), .fd = fd, .token = token,
	};

	return ioctl(session, LIVEUPDATE_SESSION_PRESERVE_FD, &file) ? -errno : 0;
}

/* Returns how long it took. */
__u64 luo_preserve_fd(int session, int fd, __u64 token)
{
	struct liveupdate_session_preserve_fd file = {
		.size = sizeof(file), .fd = fd, .token = token,
	};

	return luo_call(session, LIVEUPDATE_SESSION_PRESERVE_FD, &file,
			"preserve the file");
}

int luo_try_retrieve_fd(int session, __u64 token)
{
	struct liveupdate_session_retrieve_fd file = {
		.size = sizeof(file), .token = token,
	};

	return ioctl(session, LIVEUPDATE_SESSION_RETRIEVE_FD, &file) ? -errno : file.fd;
}

int luo_retrieve_fd(int session, __u64 token)
{
	struct liveupdate_session_retrieve_fd file = {
		.size = sizeof(file), .token = token,
	};

	luo_call(session, LIVEUPDATE_SESSION_RETRIEVE_FD, &file,
		 "retrieve the file");
	return file.fd;
}

int open_file(const char *path)
{
	int fd = open(path, O_RDWR | O_SYNC);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

void *map(int fd, size_t size, int flags)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (at == MAP_FAILED)
		err(1, "mmap");
	return at;
}

/* The physical address of the first BAR of a function. */
static __u64 bar_start(const char *address)
{
	unsigned long long start;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource", address);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%llx", &start) != 1)
		err(1, "%s", path);
	fclose(file);
	return start;
}

/* The first BAR of a function, which need not begin with a page. */
void *map_bar(const char *address, size_t size)
{
	size_t offset = bar_start(address) % sysconf(_SC_PAGESIZE);
	char path[64];
	void *at;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0", address);
	fd = open_file(path);
	at = map(fd, size, MAP_SHARED);
	close(fd);
	return at + offset;
}

/* The physical address of a byte that stays where it is. */
__u64 physical(const void *at)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int fd = open("/proc/self/pagemap", O_RDONLY);
	__u64 entry;

	/* A child does not inherit the mapping of a shared page until it reads it. */
	(void)__atomic_load_n((const __u8 *)at, __ATOMIC_ACQUIRE);
	if (fd < 0 || pread(fd, &entry, sizeof(entry), (uintptr_t)at / page *
			    sizeof(entry)) != sizeof(entry))
		err(1, "/proc/self/pagemap");
	close(fd);
	if (!(entry >> 63))
		errx(1, "the page is not in memory");
	return (entry & ((1ULL << 55) - 1)) * page + (uintptr_t)at % page;
}

/*
 * The address by which a device accesses @at, a byte of @memory that an IOMMU maps at
 * @iova, or without that the physical address.
 */
__u64 dma_address(const void *at, const void *memory, __u64 iova)
{
	return iova ? iova + ((const __u8 *)at - (const __u8 *)memory) : physical(at);
}

/* Returns only if it fails. */
int try_kexec(void)
{
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
		LINUX_REBOOT_CMD_KEXEC, NULL);
	return -errno;
}

/* Let the scenario look at the machine: run the command AT_STEP with @step in STEP. */
void at_step(const char *step)
{
	const char *command = getenv("AT_STEP");

	setenv("STEP", step, 1);
	if (command && system(command) < 0)
		err(1, "system");
}
