// SPDX-License-Identifier: GPL-2.0
/*
 * Calls of LUO at the same time as everything that disturbs functions.
 *
 * race outgoing SEED SECONDS ADDRESS...: processes preserve files of the functions in
 * sessions and close these, while others remove, unbind, reset and rescan functions,
 * write to their registers and read files of debugfs. After that, preserve each function
 * that can be preserved in one of a few sessions, and run the kernel that is loaded while
 * the processes still make and close sessions.
 *
 * race incoming SEED SECONDS ADDRESS...: the same in the next kernel, where processes
 * also retrieve and finish those sessions.
 *
 * The driver_override of a function names its driver: pci-liveupdate-stub or vfio-pci. A
 * call may fail, but each kind of call has to succeed at least once. The lines "ok",
 * "not ok" and "data" are for the host of the machine.
 */

#define _GNU_SOURCE

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "luo.h"
#include "vfio.h"

#define PCI		"/sys/bus/pci/"
#define RECORD		"/sys/kernel/debug/pci_liveupdate"

#define MAX_FUNCTIONS	64
#define MAX_KINDS	16
#define NR_PRESERVERS	4
/* Sessions for the next kernel. */
#define NR_KEPT		8
#define MAX_FILES	8
#define PAUSE_US	20000
#define KEXEC_TRIES	500

/* A process goes on for that long until it was successful once. */
#define MORE_SECONDS	120

struct function {
	const char *address;
	char driver[32];
	bool is_vf;
};

static struct function functions[MAX_FUNCTIONS];
static int nr_functions, nr_vfs;

/* The random numbers and the number of this process. */
static struct random_data random_state;
static int number;

/* How often the processes of a kind tried, and how often with success. */
struct tally {
	unsigned int tried;
	unsigned int done;
};

static struct {
	pthread_rwlock_t buses;
	struct tally tallies[MAX_KINDS];
} *shared;

static int iommufd;

static unsigned int pick(unsigned int below)
{
	__s32 value;

	random_r(&random_state, &value);
	return value % below;
}

static void rest(void)
{
	usleep(pick(PAUSE_US));
}

static struct function *any_function(void)
{
	return &functions[pick(nr_functions)];
}

static bool is_vfio(const struct function *function)
{
	return !strcmp(function->driver, "vfio-pci");
}

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool done = fd >= 0 && write(fd, text, strlen(text)) >= 0;

	if (fd >= 0)
		close(fd);
	return done;
}

static bool write_attribute(const char *address, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), PCI "devices/%s/%s", address, name);
	return write_text(path, text);
}

static bool bind_driver(const struct function *function)
{
	return write_attribute(function->address, "driver_override", function->driver) &&
	       write_text(PCI "drivers_probe", function->address);
}

/* Sessions */

/* One process can have the device node open. */
static int open_luo(void)
{
	int luo;

	while ((luo = luo_try_open()) == -EBUSY)
		usleep(1000);
	return luo;
}

static int open_function(const struct function *function)
{
	char path[128];
	int fd;

	if (is_vfio(function)) {
		fd = vfio_try_open(function->address);
		if (fd >= 0 && vfio_try_bind_to(fd, iommufd)) {
			close(fd);
			return -1;
		}
		return fd;
	}
	snprintf(path, sizeof(path), "/dev/pci-liveupdate/%s", function->address);
	return open(path, O_RDWR);
}

static bool preserve_function(int session, int index)
{
	int fd = open_function(&functions[index]);
	bool done = fd >= 0 && !luo_try_preserve_fd(session, fd, index);

	if (fd >= 0)
		close(fd);
	return done;
}

static int create_session(const char *kind)
{
	int luo = open_luo(), session;
	char name[32];

	snprintf(name, sizeof(name), "%s-%d", kind, number);
	session = luo_try_create_session(luo, name);
	close(luo);
	return session;
}

static bool preserve_some(void)
{
	int session = create_session("race");
	unsigned int files = 1 + pick(MAX_FILES);
	bool done = false;

	if (session < 0)
		return false;
	while (files--) {
		done |= preserve_function(session, pick(nr_functions));
		rest();
	}
	close(session);
	return done;
}

static bool retrieve_files(int session)
{
	int first = pick(nr_functions), files = 0;

	for (int i = 0; i < nr_functions; i++) {
		int index = (first + i) % nr_functions;
		int fd = luo_try_retrieve_fd(session, index);

		if (fd < 0)
			continue;
		/* Finishing a file that is not bound stops its function */
		if (is_vfio(&functions[index]) && pick(2))
			vfio_try_bind_to(fd, iommufd);
		close(fd);
		files++;
		rest();
	}
	return files;
}

/* Finish a session, if it is there. */
static bool finish_session(const char *kind, int which)
{
	int luo = open_luo(), session;
	char name[32];
	bool done;

	snprintf(name, sizeof(name), "%s-%d", kind, which);
	session = luo_try_retrieve_session(luo, name);
	close(luo);
	if (session < 0)
		return false;
	done = retrieve_files(session);
	done &= !luo_try_finish_session(session);
	close(session);
	return done;
}

static bool finish_one(void)
{
	rest();
	return finish_session(pick(2) ? "race" : "kept", pick(NR_KEPT));
}

/* Finish the other sessions, which have files of functions that were not bound. */
static void finish_all(void)
{
	for (int i = 0; i < NR_KEPT; i++) {
		finish_session("race", i);
		finish_session("kept", i);
	}
}

/* Disturbances */

/*
 * pci_bus_trylock() locks each device on a bus, and pci_bus_unlock() unlocks each, while
 * nothing stops devices from coming and going. A device that is removed in between stays
 * locked for ever, with a warning of lockdep. So resets of a bus are writers of
 * shared->buses, and these changes readers.
 */
static void lock_buses(void)
{
	pthread_rwlock_rdlock(&shared->buses);
}

static void unlock_buses(void)
{
	pthread_rwlock_unlock(&shared->buses);
}

static bool remove_one(void)
{
	const struct function *function = any_function();
	bool done;

	if (function->is_vf)
		return false;
	lock_buses();
	done = write_attribute(function->address, "remove", "1");
	rest();
	write_text(PCI "rescan", "1");
	unlock_buses();
	bind_driver(function);
	usleep(10 * PAUSE_US);
	return done;
}

static bool rescan(void)
{
	bool done;

	usleep(5 * PAUSE_US);
	lock_buses();
	done = write_text(PCI "rescan", "1");
	unlock_buses();
	return done;
}

static bool bind_again(void)
{
	const struct function *function = any_function();
	bool done;

	done = write_attribute(function->address, "driver/unbind", function->address);
	rest();
	bind_driver(function);
	usleep(2 * PAUSE_US);
	return done;
}

static bool reset_one(void)
{
	bool done;

	rest();
	if (pick(2))
		return write_attribute(any_function()->address, "reset", "1");
	pthread_rwlock_wrlock(&shared->buses);
	done = write_attribute(any_function()->address, "../reset_subordinate", "1");
	unlock_buses();
	return done;
}

/* Of the one PF that there is. */
static bool set_vfs(unsigned int count)
{
	char text[8];
	glob_t pfs;
	bool done;

	if (glob(PCI "devices/*/sriov_numvfs", 0, NULL, &pfs))
		return false;
	snprintf(text, sizeof(text), "%u", count);
	done = write_text(pfs.gl_pathv[0], "0") && write_text(pfs.gl_pathv[0], text);
	globfree(&pfs);
	return done;
}

static bool change_vfs(void)
{
	bool done;

	usleep(5 * PAUSE_US);
	lock_buses();
	done = set_vfs(1 + pick(nr_vfs));
	unlock_buses();
	for (int i = 0; i < nr_functions; i++)
		if (functions[i].is_vf)
			bind_driver(&functions[i]);
	return done;
}

/* Registers that do not move a device, of functions and of bridges above. */
static bool write_config(void)
{
	static const int registers[] = {
		PCI_COMMAND, PCI_STATUS, PCI_CACHE_LINE_SIZE, PCI_LATENCY_TIMER,
		PCI_INTERRUPT_LINE,
	};
	int where = registers[pick(sizeof(registers) / sizeof(*registers))];
	char path[128];
	__u8 value;
	bool done;
	int fd;

	rest();
	snprintf(path, sizeof(path), PCI "devices/%s/%sconfig", any_function()->address,
		 pick(2) ? "" : "../");
	fd = open(path, O_RDWR);
	if (fd < 0)
		return false;
	done = pread(fd, &value, 1, where) == 1;
	if (where == PCI_COMMAND)
		value ^= PCI_COMMAND_MASTER;
	done = done && pwrite(fd, &value, 1, where) == 1;
	close(fd);
	return done;
}

static bool read_files(void)
{
	static const char *const paths[] = {
		RECORD, "/sys/kernel/debug/kho/out/fdt", PCI "devices/%s/vfio_liveupdate",
		PCI "devices/%s/sriov_numvfs", PCI "devices/%s/config",
	};
	char path[128], data[256];
	int fd;

	snprintf(path, sizeof(path), paths[pick(sizeof(paths) / sizeof(*paths))],
		 any_function()->address);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	while (read(fd, data, sizeof(data)) > 0)
		;
	close(fd);
	return true;
}

/* Processes */

enum when {
	ALWAYS,
	INCOMING,	/* only in the next kernel */
};

static const struct kind {
	const char *name;
	bool (*run)(void);
	enum when when;
	int processes;
} kinds[] = {
	{ "preserve", preserve_some, ALWAYS, NR_PRESERVERS },
	{ "finish", finish_one, INCOMING, 2 },
	{ "remove", remove_one, ALWAYS, 1 },
	{ "rescan", rescan, ALWAYS, 1 },
	{ "bind", bind_again, ALWAYS, 1 },
	{ "reset", reset_one, ALWAYS, 1 },
	{ "sriov_numvfs", change_vfs, ALWAYS, 1 },
	{ "write", write_config, ALWAYS, 1 },
	{ "read", read_files, ALWAYS, 1 },
};

#define NR_KINDS	(sizeof(kinds) / sizeof(*kinds))

static void run_until(const struct kind *kind, time_t end)
{
	struct tally *tally = &shared->tallies[kind - kinds];

	do {
		__atomic_fetch_add(&tally->tried, 1, __ATOMIC_RELAXED);
		if (kind->run())
			__atomic_fetch_add(&tally->done, 1, __ATOMIC_RELAXED);
	} while (time(NULL) < end || (!tally->done && time(NULL) < end + MORE_SECONDS));
	exit(0);
}

static void start(const struct kind *kind, unsigned int seed, time_t end)
{
	static int nr_workers;
	static char state[128];

	for (number = 0; number < kind->processes; number++) {
		nr_workers++;
		switch (fork()) {
		case -1:
			err(1, "fork");
		case 0:
			initstate_r(seed + nr_workers, state, sizeof(state),
				    &random_state);
			run_until(kind, end);
		}
	}
}

static void wait_for_all(void)
{
	int status;

	while (wait(&status) > 0)
		if (status) {
			printf("not ok a process ended with %#x\n", status);
			fflush(stdout);
		}
}

static void race(enum when when, unsigned int seed, int seconds)
{
	for (const struct kind *kind = kinds; kind < kinds + NR_KINDS; kind++)
		if (kind->when <= when)
			start(kind, seed, time(NULL) + seconds);
	wait_for_all();
	for (const struct kind *kind = kinds; kind < kinds + NR_KINDS; kind++) {
		struct tally *tally = &shared->tallies[kind - kinds];

		if (kind->when <= when)
			printf("%s %s: %u times, %u with success\n",
			       tally->done ? "ok" : "not ok", kind->name, tally->tried,
			       tally->done);
	}
	fflush(stdout);
}

static void bind_all(void)
{
	write_text(PCI "rescan", "1");
	for (int i = 0; i < nr_functions; i++)
		bind_driver(&functions[i]);
}

static int outgoing(unsigned int seed, int seconds)
{
	int sessions[NR_KEPT], files = 0, error = 0;

	race(ALWAYS, seed, seconds);
	set_vfs(nr_vfs);
	bind_all();
	for (number = 0; number < NR_KEPT; number++)
		sessions[number] = create_session("kept");
	for (int i = 0; i < nr_functions; i += 2)
		files += preserve_function(sessions[i / 2 % NR_KEPT], i);
	printf("%s %d files are preserved for the next kernel\nend first\nphase kexec\n",
	       files ? "ok" : "not ok", files);
	fflush(stdout);

	/* Nothing unbinds functions any more, but other sessions come and go */
	start(&kinds[0], seed, time(NULL) + 600);
	for (int i = 0; i < KEXEC_TRIES; i++) {
		error = try_kexec();
		usleep(PAUSE_US);
	}
	errx(1, "kexec: %s", strerror(-error));
}

static int incoming(unsigned int seed, int seconds)
{
	race(INCOMING, seed, seconds);
	bind_all();
	finish_all();
	return 0;
}

static void add_function(const char *address)
{
	struct function *function = &functions[nr_functions++];
	char path[128];
	FILE *file;

	if (nr_functions > MAX_FUNCTIONS)
		errx(2, "give at most %d addresses", MAX_FUNCTIONS);
	function->address = address;
	snprintf(path, sizeof(path), PCI "devices/%s/driver_override", address);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%31s", function->driver) != 1)
		err(1, "%s", path);
	fclose(file);
	snprintf(path, sizeof(path), PCI "devices/%s/physfn", address);
	function->is_vf = !access(path, F_OK);
	nr_vfs += function->is_vf;
}

/* Memory of all processes. */
static void share(void)
{
	pthread_rwlockattr_t attr;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		err(1, "mmap");
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_rwlock_init(&shared->buses, &attr);
}

int main(int argc, char **argv)
{
	unsigned int seed;
	int seconds;

	if (argc < 5)
		errx(2, "usage: race outgoing|incoming SEED SECONDS ADDRESS...");
	seed = strtoul(argv[2], NULL, 10);
	seconds = atoi(argv[3]);
	for (int i = 4; i < argc; i++)
		add_function(argv[i]);
	iommufd = open_file("/dev/iommu");
	share();
	return strcmp(argv[1], "incoming") ? outgoing(seed, seconds) :
					     incoming(seed, seconds);
}
