// SPDX-License-Identifier: GPL-2.0
/*
 * Let each allocation of a live update fail once.
 *
 * fault-sweep outgoing ADDRESS...: preserve, unpreserve and freeze the files of functions
 * that are bound to pci-liveupdate-stub or vfio-pci, and run the kernel that is loaded.
 * The last function is bound to the stub. It is unbound, so that nothing can be frozen,
 * and is not preserved for the next kernel.
 *
 * fault-sweep incoming ADDRESS...: retrieve these files in the next kernel, bind those of
 * vfio-pci to an iommufd, and finish.
 *
 * The next kernel reads all sessions while each allocation fails that may.
 *
 * A call is repeated, each time with another allocation that fails, until it makes all
 * of them. After each error the record is the same as before, and the call succeeds when
 * it is repeated. Calls get along without some allocations. Unpreserve, freeze and
 * finish have no way to fail halfway, and must not.
 *
 * The environment variable AT_STEP has a command of the shell to run when the files are
 * preserved, retrieved and finished, with that word in STEP. The lines "ok" and "not ok"
 * are for the host of the machine.
 */

#define _GNU_SOURCE

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/liveupdate.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "faults.h"
#include "luo.h"
#include "vfio.h"

#define RECORD		"/sys/kernel/debug/pci_liveupdate"
#define STUB		"/sys/bus/pci/drivers/pci-liveupdate-stub/"

#define MAX_FILES	64
/* More than any call makes: it must come to an end. */
#define MAX_FAULTS	1000

/* Tokens are far apart, so that the tree of tokens has more than one node. */
#define TOKEN_STEP	0x10000000000ULL

enum kind {
	STUB_FUNCTION,
	STUB_VF,
	VFIO_FUNCTION,
	VFIO_VF,
	NR_KINDS,
};

static const char *const kind_names[NR_KINDS] = {
	"function", "VF", "function of vfio-pci", "VF of vfio-pci",
};

struct preserved_file {
	const char *address;
	enum kind kind;
	__u64 token;
	bool alone;	/* in its session */
	int session;
	int fd;
	int iommufd;
};

static struct preserved_file files[MAX_FILES];
static int nr_files;

/* The session of all files that are not alone. */
static int session;

static int luo;

/* A sweep, and its result. */
struct sweep {
	const char *name;
	const char *who;
	int also;	/* an errno other than ENOMEM */
	bool cannot_fail;
	unsigned int n;	/* the last allocation that failed */
	unsigned int failed;
	unsigned int got_along;
	unsigned int wrong;
	bool ended;
};

static void wrong(struct sweep *sweep, const char *what, int ret)
{
	printf("data failed %s, allocation %u: %s: %s\n", sweep->name, sweep->n, what,
	       ret < 0 ? strerror(-ret) : "no error");
	sweep->wrong++;
}

static void report(const struct sweep *sweep)
{
	bool reached = sweep->cannot_fail ? !sweep->failed : sweep->failed;
	bool good = !sweep->wrong && sweep->ended && reached;

	printf("%s %s%s%s: %u allocations failed, and it got along without %u\n",
	       good ? "ok" : "not ok", sweep->name, sweep->who ? ", " : "",
	       sweep->who ?: "", sweep->failed, sweep->got_along);
	fflush(stdout);
}

/* The lines of devices. Those of records change if a record is made again. */
static char *read_record(void)
{
	FILE *file = fopen(RECORD, "r");
	char line[128], *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (!file || !to)
		err(1, RECORD);
	while (fgets(line, sizeof(line), file))
		if (*line != '#')
			fputs(line, to);
	fclose(file);
	fclose(to);
	return text;
}

static bool record_is(const char *before)
{
	char *now = read_record();
	bool same = !strcmp(now, before);

	free(now);
	return same;
}

static void check_failed(struct sweep *sweep, int ret, const char *before)
{
	sweep->failed++;
	if (ret != -ENOMEM && ret != -sweep->also)
		wrong(sweep, "another error", ret);
	if (!record_is(before))
		wrong(sweep, "the record has changed", ret);
}

/* A call that can be taken back: it succeeds after each error, and is taken back. */
static void sweep_and_undo(struct sweep *sweep, int (*call)(void *arg),
			   void (*undo)(void *arg), void *arg)
{
	char *before = read_record();
	int ret = 0;

	sweep->ended = false;
	for (sweep->n = 1; !sweep->ended && sweep->n < MAX_FAULTS; sweep->n++) {
		sweep->ended = !fault_in_call(sweep->n, call, arg, &ret);
		if (ret < 0 && !sweep->ended) {
			check_failed(sweep, ret, before);
			ret = call(arg);
		} else if (!sweep->ended) {
			sweep->got_along++;
		}
		if (ret < 0) {
			wrong(sweep, "it fails without a fault", ret);
			break;
		}
		undo(arg);
		if (!record_is(before))
			wrong(sweep, "the record has changed after all", ret);
	}
	free(before);
}

/* A call that is made again with the next fault until it succeeds. */
static void sweep_once(struct sweep *sweep, int (*call)(void *arg), void *arg)
{
	char *before = read_record();
	int ret;

	do {
		if (sweep->ended) {
			ret = call(arg);
			break;
		}
		sweep->ended = !fault_in_call(++sweep->n, call, arg, &ret);
		if (ret < 0 && !sweep->ended)
			check_failed(sweep, ret, before);
		else if (!sweep->ended)
			sweep->got_along++;
	} while (ret < 0 && !sweep->ended && sweep->n < MAX_FAULTS);
	if (ret < 0)
		wrong(sweep, "it fails without a fault", ret);
	free(before);
}

/* The same for each file of a kind: the next file goes on with the next fault. */
static void sweep_files(struct sweep sweep, enum kind kind, int (*call)(void *arg))
{
	struct preserved_file *file;

	sweep.who = kind_names[kind];
	for (file = files; file < files + nr_files; file++)
		if (file->kind == kind)
			sweep_once(&sweep, call, file);
	report(&sweep);
}

static bool is_kind(enum kind kind)
{
	for (int i = 0; i < nr_files; i++)
		if (files[i].kind == kind)
			return true;
	return false;
}

/* Outgoing */

static int open_stub(const char *address)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/pci-liveupdate/%s", address);
	return open_file(path);
}

static int create_session(void *arg)
{
	return session = luo_try_create_session(luo, "all");
}

static void close_session(void *arg)
{
	close(session);
}

static int preserve_file(void *arg)
{
	struct preserved_file *file = arg;

	return luo_try_preserve_fd(session, file->fd, file->token);
}

/* Preserve the files before @last in a new session. */
static void preserve_before(void *last)
{
	if (create_session(NULL) < 0)
		errx(1, "no session can be created");
	for (struct preserved_file *file = files; file != last; file++)
		luo_preserve_fd(session, file->fd, file->token);
}

static void undo_preserve(void *arg)
{
	close(session);
	preserve_before(arg);
}

/* The first file makes the record, and files of other buses and segments add to it. */
static void sweep_preserve(void)
{
	struct sweep sweeps[NR_KINDS] = { };
	struct sweep first = { .name = "preserve the first file" };

	for (enum kind kind = 0; kind < NR_KINDS; kind++)
		sweeps[kind] = (struct sweep){
			.name = "preserve", .who = kind_names[kind],
		};
	for (struct preserved_file *file = files; file < files + nr_files; file++) {
		preserve_before(file);
		sweep_and_undo(file == files ? &first : &sweeps[file->kind],
			       preserve_file, undo_preserve, file);
		close(session);
	}
	report(&first);
	for (enum kind kind = 0; kind < NR_KINDS; kind++)
		if (is_kind(kind))
			report(&sweeps[kind]);
}

/* A session that is closed takes back all of its files. */
static int close_call(void *arg)
{
	return close(session) ? -errno : 0;
}

static void preserve_again(void *arg)
{
	if (!record_is(""))
		errx(1, "a file of a closed session is preserved");
	preserve_before(files + nr_files);
}

static void sweep_outgoing(void)
{
	struct sweep create = { .name = "create a session" };
	struct sweep unpreserve = { .name = "unpreserve all files", .cannot_fail = true };
	long pages = kho_pages(false), left;

	sweep_and_undo(&create, create_session, close_session, NULL);
	report(&create);
	sweep_preserve();

	preserve_before(files + nr_files);
	sweep_and_undo(&unpreserve, close_call, preserve_again, NULL);
	report(&unpreserve);
	close(session);
	left = kho_pages(false);
	printf("%s no page stays preserved for the next kernel: %ld, before %ld\n",
	       left == pages ? "ok" : "not ok", left, pages);
	if (left != pages)
		kho_pages(true);
}

/* Most files have a session of their own: the sweep of finish needs many sessions. */
static void preserve_for_next_kernel(void)
{
	char name[32];

	create_session(NULL);
	for (struct preserved_file *file = files; file < files + nr_files; file++) {
		int to = session;

		if (file->alone) {
			snprintf(name, sizeof(name), "alone-%td", file - files);
			to = luo_try_create_session(luo, name);
		}
		if (to < 0 || luo_try_preserve_fd(to, file->fd, file->token))
			errx(1, "%s cannot be preserved", file->address);
	}
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(1, "%s", path);
	close(fd);
}

/* Preserve the function @refuser and unbind it: freezing its file fails. */
static int preserve_refuser(const char *refuser)
{
	int to = luo_try_create_session(luo, "refuser");

	luo_preserve_fd(to, open_stub(refuser), 0);
	write_file(STUB "unbind", refuser);
	return to;
}

static int kexec_call(void *arg)
{
	return try_kexec();
}

static bool is_frozen(const struct preserved_file *file)
{
	__u8 line = 0;

	return file->kind >= VFIO_FUNCTION &&
	       vfio_try_write_config(file->fd, PCI_INTERRUPT_LINE, &line, 1);
}

/* Every file is frozen before the last one refuses, and all are unfrozen. */
static void sweep_freeze(const char *refuser)
{
	struct sweep sweep = { .name = "freeze all files", .cannot_fail = true };
	int to = preserve_refuser(refuser);
	char *before = read_record();
	int ret;

	while (!sweep.ended && sweep.n < MAX_FAULTS) {
		sweep.ended = !fault_in_call(++sweep.n, kexec_call, NULL, &ret);
		if (ret != -ENODEV)
			check_failed(&sweep, ret, before);
		else if (!sweep.ended)
			sweep.got_along++;
		for (int i = 0; i < nr_files; i++)
			if (is_frozen(&files[i]))
				wrong(&sweep, files[i].address, -EBUSY);
	}
	report(&sweep);
	free(before);
	close(to);
}

static int outgoing(void)
{
	const char *refuser = files[--nr_files].address;

	for (int i = 0; i < nr_files; i++) {
		if (files[i].kind < VFIO_FUNCTION) {
			files[i].fd = open_stub(files[i].address);
			continue;
		}
		files[i].fd = vfio_open(files[i].address);
		vfio_bind(files[i].fd);
	}
	luo = luo_try_open();
	sweep_outgoing();
	preserve_for_next_kernel();
	sweep_freeze(refuser);
	close(luo);
	at_step("preserved");
	errx(1, "kexec: %s", strerror(-try_kexec()));
}

/* Incoming */

static int probe_call(void *arg)
{
	struct preserved_file *file = arg;
	char driver[100];
	int fd;

	snprintf(driver, sizeof(driver), "/sys/bus/pci/devices/%s/driver", file->address);
	fd = open("/sys/bus/pci/drivers_probe", O_WRONLY);
	if (fd < 0)
		return -errno;
	/* The driver core does not report errors of drivers */
	if (write(fd, file->address, strlen(file->address)) < 0)
		errno = ENOMEM;
	close(fd);
	return access(driver, F_OK) ? -ENOMEM : 0;
}

static void unbind(void *arg)
{
	struct preserved_file *file = arg;

	write_file(STUB "unbind", file->address);
}

/* Of the stub. VFIO warns if it has no memory for a group without an IOMMU. */
static void sweep_probe(void)
{
	for (enum kind kind = STUB_FUNCTION; kind <= STUB_VF; kind++) {
		struct sweep sweep = { .name = "probe the driver", .who = kind_names[kind] };
		int i = 0;

		while (i < nr_files && files[i].kind != kind)
			i++;
		if (i == nr_files)
			continue;
		sweep_and_undo(&sweep, probe_call, unbind, &files[i]);
		report(&sweep);
	}
	for (int i = 0; i < nr_files; i++)
		write_file("/sys/bus/pci/drivers_probe", files[i].address);
}

static int open_call(void *arg)
{
	return luo = luo_try_open();
}

static void close_luo(void *arg)
{
	close(luo);
}

static int retrieve_session_call(void *arg)
{
	return session = luo_try_retrieve_session(luo, "all");
}

static int retrieve_call(void *arg)
{
	struct preserved_file *file = arg;

	return file->fd = luo_try_retrieve_fd(file->session, file->token);
}

static int bind_call(void *arg)
{
	struct preserved_file *file = arg;

	return vfio_try_bind_to(file->fd, file->iommufd);
}

static int finish_call(void *arg)
{
	struct preserved_file *file = arg;

	return file->alone ? luo_try_finish_session(file->session) : 0;
}

/*
 * A work item reads all sessions, once. Without memory they would be lost, so that its
 * allocations wait.
 */
static void read_sessions(void)
{
	int ret;

	fail_allocations_of("luo_session_deserialize_fn");
	ret = retrieve_session_call(NULL);
	fail_allocations_of(NULL);
	printf("%s the sessions are read while allocations fail: %s\n",
	       ret < 0 ? "not ok" : "ok", ret < 0 ? strerror(-ret) : "no error");
	close(ret);
}

static void retrieve_sessions(void)
{
	struct sweep sweep = { .name = "retrieve a session" };
	char name[32];

	sweep_and_undo(&sweep, retrieve_session_call, close_session, NULL);
	report(&sweep);
	retrieve_session_call(NULL);
	for (struct preserved_file *file = files; file < files + nr_files; file++) {
		snprintf(name, sizeof(name), "alone-%td", file - files);
		file->session = session;
		if (file->alone)
			file->session = luo_try_retrieve_session(luo, name);
	}
}

static void bind_files(enum kind kind)
{
	for (int i = 0; i < nr_files; i++)
		files[i].iommufd = open_file("/dev/iommu");
	sweep_files((struct sweep){ .name = "bind the file" }, kind, bind_call);
}

static int incoming(void)
{
	struct sweep open_luo = { .name = "open /dev/liveupdate" };
	struct sweep retrieve = { .name = "retrieve the file", .also = EAGAIN };
	struct sweep finish = { .name = "finish a session", .cannot_fail = true };

	sweep_probe();
	sweep_and_undo(&open_luo, open_call, close_luo, NULL);
	report(&open_luo);
	open_call(NULL);
	read_sessions();
	retrieve_sessions();
	for (enum kind kind = 0; kind < NR_KINDS; kind++) {
		if (is_kind(kind))
			sweep_files(retrieve, kind, retrieve_call);
		if (is_kind(kind) && kind >= VFIO_FUNCTION)
			bind_files(kind);
	}
	at_step("retrieved");
	for (enum kind kind = 0; kind < NR_KINDS; kind++)
		if (is_kind(kind))
			sweep_files(finish, kind, finish_call);
	luo_finish_session(session);
	at_step("finished");
	return 0;
}

/* The kind of a function follows from the driver that it is to be bound to. */
static void add_file(const char *address)
{
	struct preserved_file *file = &files[nr_files];
	char path[100], driver[32] = "";
	FILE *override;
	bool vf, vfio;

	if (nr_files == MAX_FILES)
		errx(2, "give at most %d addresses", MAX_FILES);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override", address);
	override = fopen(path, "r");
	if (!override || fscanf(override, "%31s", driver) != 1)
		err(1, "%s", path);
	fclose(override);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/physfn", address);
	vf = !access(path, F_OK);
	vfio = !strcmp(driver, "vfio-pci");
	file->address = address;
	file->kind = vfio ? vf ? VFIO_VF : VFIO_FUNCTION : vf ? STUB_VF : STUB_FUNCTION;
	file->token = nr_files * TOKEN_STEP;
	file->alone = nr_files % 8;
	nr_files++;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		errx(2, "usage: fault-sweep outgoing|incoming ADDRESS...");
	for (int i = 2; i < argc; i++)
		add_file(argv[i]);
	faults_init();
	if (!strcmp(argv[1], "outgoing"))
		return outgoing();
	if (!strcmp(argv[1], "incoming"))
		return incoming();
	errx(2, "%s is neither outgoing nor incoming", argv[1]);
}
