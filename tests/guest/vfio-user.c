// SPDX-License-Identifier: GPL-2.0
/*
 * Drivers in user space that go on while the kernel is replaced. They take the steps of
 * Documentation/PCI/liveupdate-vfio.rst.
 *
 * vfio-user start ADDRESS...: open the devices, preserve their files and memory in a
 * session, have them begin their work, and run the kernel that is loaded.
 *
 * vfio-user refused ADDRESS...: the same, but an interrupt of the last device is enabled.
 * The kexec has to fail, and all devices have to work after that.
 *
 * vfio-user die STEP ADDRESS...: retrieve them in the next kernel, and die after a STEP:
 * session, retrieve or bind.
 *
 * vfio-user go-on ADDRESS...: retrieve them, check that the work went on and that calls
 * fail which would write to a device, finish the session, and go on.
 *
 * vfio-user start-reset ADDRESS...: as start, with devices behind an IOMMU in reset mode.
 * An interrupt of each is enabled.
 *
 * vfio-user go-on-reset ADDRESS...: retrieve them in the next kernel, check that they
 * stand still, attach them to I/O address spaces of this kernel, use them, finish the
 * session, and use them again. AT_STEP is a command of the shell to run after the steps
 * retrieve, bind, finish and reset, with that word in STEP.
 *
 * vfio-user leave ADDRESS...: as start, but leave a process behind, with its ID in
 * /tmp/vfio-user.pid, and let it begin the work and run the kernel when it gets SIGUSR1.
 *
 * vfio-user carry-on ADDRESS...: as go-on, and preserve all of it again at once for
 * another kexec. Leave a process behind as leave does. When it gets SIGUSR2 it prepares
 * the devices for the kexec, and writes /tmp/vfio-user.prepared.
 *
 * vfio-user give-up ADDRESS...: try to retrieve each of them, print "ADDRESS ok", or an
 * errno, and finish the session without using any.
 *
 * vfio-user pf ADDRESS COMMAND: open the device of a PF with the token VF_TOKEN, run the
 * COMMAND, which enables VFs, preserve the file in a session, and leave a process behind
 * that holds it.
 *
 * vfio-user pf-go-on ADDRESS: retrieve it in the next kernel, finish the session, and
 * leave a process behind. The token is that of the old kernel.
 *
 * vfio-user try ADDRESS...: print "ADDRESS ok", or an errno, for an attempt to open and
 * bind the device of each function. The kernel resets a device that was opened.
 *
 * The environment variable VF_TOKEN has the UUID for access to VFs of a PF that is bound
 * to vfio-pci. SESSION is the name of the session. The lines "ok", "not ok" and "monitor"
 * are for the host of the machine.
 */

#define _GNU_SOURCE

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "luo.h"
#include "vfio.h"
#include "vfio-user.h"

#define MAX_DEVICES	16
#define EVENT_MS	10000
#define STOPPED_US	300000

/* An address that the user of the device, such as a guest, writes to a BAR. */
#define GUEST_BAR	0xabc00000

/* The host looks for writes of configuration space between two marks. */
#define BYSTANDER	"/sys/bus/pci/devices/0000:00:1d.0/config"
#define MARK_PRESERVED	0x5a
#define MARK_USED	0x69
#define MARK_FINISHED	0xa5

/* Devices in reset mode have their memory here in the next kernel, where no RAM is. */
#define IOVA		0xa0000000

static const struct user_model *const models[] = { &edu_model, &nvme_model };

static struct user_device devices[MAX_DEVICES];
static int nr_devices;
static bool reset_mode;

static const char *session_name(void)
{
	return getenv("SESSION") ?: "vfio-user";
}

/* LUO finishes the last file first: the memory of a device outlives it. */
static __u64 memory_token(const struct user_device *device)
{
	return 2 * (device - devices);
}

static __u64 device_token(const struct user_device *device)
{
	return memory_token(device) + 1;
}

void check(const struct user_device *device, bool good, const char *what)
{
	printf("%s %s: %s\n", good ? "ok" : "not ok", device->address, what);
	fflush(stdout);
}

bool wait_for_event(int event)
{
	struct pollfd poll_event = { .fd = event, .events = POLLIN };
	__u64 count;

	return poll(&poll_event, 1, EVENT_MS) == 1 &&
	       read(event, &count, sizeof(count)) == sizeof(count);
}

static void mark(__u8 value)
{
	int fd = open_file(BYSTANDER);

	if (pwrite(fd, &value, 1, PCI_INTERRUPT_LINE) != 1)
		err(1, BYSTANDER);
	close(fd);
}

/* Set up */

/* From sysfs, which has the IDs of VFs as well, and before the device is bound. */
static __u16 read_id(const struct user_device *device, const char *name)
{
	char path[64];
	__u16 id;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", device->address, name);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%hx", &id) != 1)
		err(1, "%s", path);
	fclose(file);
	return id;
}

static const struct user_model *find_model(const struct user_device *device)
{
	__u16 ids[] = { read_id(device, "vendor"), read_id(device, "device") };

	for (size_t i = 0; i < sizeof(models) / sizeof(*models); i++)
		if (models[i]->vendor == ids[0] && models[i]->device == ids[1])
			return models[i];
	errx(1, "%s: [%04x:%04x] is no edu and no nvme controller", device->address,
	     ids[0], ids[1]);
}

static void map_memory(struct user_device *device)
{
	device->memory = map(device->memfd, device->model->memory_size,
			     MAP_SHARED | MAP_POPULATE);
}

static void map_registers(struct user_device *device)
{
	device->bar = vfio_map_bar(device->fd, 0, device->model->bar_size);
}

static void bind_device(struct user_device *device)
{
	device->iommufd = vfio_bind(device->fd);
	if (reset_mode)
		device->ioas = vfio_attach(device->fd, device->iommufd);
}

static void set_up(struct user_device *device)
{
	__u16 command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	__u32 bar = GUEST_BAR;

	device->fd = vfio_open(device->address);
	bind_device(device);
	device->model = find_model(device);
	device->memfd = memfd_create("dma", 0);
	if (device->memfd < 0 || ftruncate(device->memfd, device->model->memory_size))
		err(1, "memfd");
	map_memory(device);

	vfio_write_config(device->fd, PCI_COMMAND, &command, sizeof(command));
	vfio_write_config(device->fd, PCI_BASE_ADDRESS_0, &bar, sizeof(bar));
	map_registers(device);
}

/* Memory may move until it is preserved: it must not have an address before that. */
static void preserve(struct user_device *device, int session)
{
	luo_preserve_fd(session, device->memfd, memory_token(device));
	luo_preserve_fd(session, device->fd, device_token(device));
}

/* DMA that went on when the IOMMU is off would arrive in the memory as well. */
static void map_at_physical(const struct user_device *device)
{
	for (size_t offset = 0; offset < device->model->memory_size; offset += PAGE) {
		const void *at = device->memory + offset;

		vfio_map_dma(device->iommufd, device->ioas, at, PAGE, physical(at));
	}
}

static void set_up_all(void)
{
	int session = luo_create_session(session_name());
	struct user_device *device;

	for (device = devices; device < devices + nr_devices; device++) {
		set_up(device);
		preserve(device, session);
		if (reset_mode)
			map_at_physical(device);
	}
	mark(MARK_PRESERVED);
	for (device = devices; device < devices + nr_devices; device++)
		device->model->prepare(device);
}

/* Commands in the old kernel */

static void begin_and_run(void)
{
	for (int i = 0; i < nr_devices; i++)
		devices[i].model->begin(&devices[i]);
	errx(1, "kexec: %s", strerror(-try_kexec()));
}

static int start(void)
{
	set_up_all();
	begin_and_run();
	return 1;
}

static void prepare_all_again(void)
{
	for (int i = 0; i < nr_devices; i++)
		if (devices[i].model->prepare_again)
			devices[i].model->prepare_again(&devices[i]);
	close(creat("/tmp/vfio-user.prepared", 0600));
}

static int start_reset(void)
{
	reset_mode = true;
	set_up_all();
	for (int i = 0; i < nr_devices; i++)
		if (vfio_try_interrupt(devices[i].fd, devices[i].model->irq_index,
				       eventfd(0, 0)))
			errx(1, "%s: cannot enable an interrupt", devices[i].address);
	errx(1, "kexec: %s", strerror(-try_kexec()));
}

static int start_refused(void)
{
	struct user_device *last = &devices[nr_devices - 1];
	int event = eventfd(0, 0);

	set_up_all();
	if (vfio_try_interrupt(last->fd, last->model->irq_index, event))
		errx(1, "%s: cannot enable an interrupt", last->address);
	check(last, try_kexec() == -EBUSY, "no kexec with an interrupt enabled");
	for (int i = 0; i < nr_devices; i++)
		devices[i].model->complete(&devices[i]);
	last->model->again(last, event);
	check(last, !vfio_try_interrupt(last->fd, last->model->irq_index, -1),
	      "the interrupt can be disabled after that");
	for (int i = 0; i < nr_devices; i++) {
		devices[i].model->again(&devices[i], -1);
		check(&devices[i], vfio_try_reset(devices[i].fd) != -EBUSY,
		      "a reset is no longer refused");
	}
	return 0;
}

/* Leave a process behind that begins the work. */
static void wait_for_kexec(void)
{
	pid_t pid;
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid) {
		FILE *file = fopen("/tmp/vfio-user.pid", "w");

		if (!file || fprintf(file, "%d\n", pid) < 0 || fclose(file))
			err(1, "write the ID of the process");
		return;
	}
	setsid();
	while (!sigwait(&set, &signal) && signal == SIGUSR2)
		prepare_all_again();
	begin_and_run();
	exit(1);
}

static void stay(void)
{
	if (daemon(1, 0))
		err(1, "daemon");
	for (;;)
		pause();
}

static int leave(void)
{
	set_up_all();
	wait_for_kexec();
	return 0;
}

/* The process does nothing with the PF but to let it do DMA. */
static int start_pf(const char *enable_vfs)
{
	__u16 command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	struct user_device *pf = devices;

	pf->fd = vfio_open(pf->address);
	vfio_bind(pf->fd);
	vfio_write_config(pf->fd, PCI_COMMAND, &command, sizeof(command));
	if (system(enable_vfs))
		errx(1, "%s: the VFs are not enabled", pf->address);
	luo_preserve_fd(luo_create_session(session_name()), pf->fd, device_token(pf));
	stay();
	return 0;
}

/* Commands in the next kernel */

/* The descriptors stay open until the process ends. */
static void retrieve(struct user_device *device, int session)
{
	device->memfd = luo_retrieve_fd(session, memory_token(device));
	device->fd = luo_retrieve_fd(session, device_token(device));
}

static int die(const char *step)
{
	int session = luo_retrieve_session(session_name());

	if (!strcmp(step, "session"))
		raise(SIGKILL);
	for (int i = 0; i < nr_devices; i++)
		retrieve(&devices[i], session);
	if (!strcmp(step, "retrieve"))
		raise(SIGKILL);
	for (int i = 0; i < nr_devices; i++)
		vfio_bind(devices[i].fd);
	if (!strcmp(step, "bind"))
		raise(SIGKILL);
	errx(2, "%s is not one of: session, retrieve, bind", step);
}

static void check_config(const struct user_device *device)
{
	__u16 command;
	__u32 bar;

	vfio_read_config(device->fd, PCI_BASE_ADDRESS_0, &bar, sizeof(bar));
	check(device, (bar & PCI_BASE_ADDRESS_MEM_MASK) == GUEST_BAR,
	      "the virtual BAR is kept");
	vfio_read_config(device->fd, PCI_COMMAND, &command, sizeof(command));
	check(device, command & PCI_COMMAND_MEMORY && command & PCI_COMMAND_MASTER,
	      "Command is kept");
}

static void check_busy(const struct user_device *device)
{
	__u16 command = 0;

	check(device, vfio_try_open(device->address) == -EBUSY, "its cdev is busy");
	check(device, vfio_try_open_group(device->address) == -EBUSY, "its group is busy");
	check(device, vfio_try_reset(device->fd) == -EBUSY, "no reset before finish");
	check(device, vfio_try_interrupt(device->fd, device->model->irq_index, -1) == -EBUSY,
	      "no interrupts before finish");
	check(device, vfio_try_write_config(device->fd, PCI_COMMAND, &command,
					    sizeof(command)) == -EBUSY,
	      "no writes to registers before finish");
}

static void take_over(struct user_device *device, int session)
{
	retrieve(device, session);
	vfio_bind(device->fd);
	device->model = find_model(device);
	map_memory(device);
	map_registers(device);
	device->model->check(device);
	check_config(device);
	check_busy(device);
}

static void check_interrupts(const struct user_device *device)
{
	const struct user_model *model = device->model;
	int event = eventfd(0, 0);

	check(device, !vfio_try_interrupt(device->fd, model->irq_index, event),
	      "a message interrupt can be enabled");
	model->again(device, event);
	check(device, !vfio_try_interrupt(device->fd, model->irq_index, -1),
	      "it can be disabled");
	close(event);
	if (model->check_intx)
		model->check_intx(device);
}

static int go_on(void)
{
	int session = luo_retrieve_session(session_name());
	__u16 command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	struct user_device *device;

	for (device = devices; device < devices + nr_devices; device++)
		take_over(device, session);
	luo_finish_session(session);
	mark(MARK_FINISHED);

	for (device = devices; device < devices + nr_devices; device++) {
		device->model->complete(device);
		check_interrupts(device);
		check(device, !vfio_try_write_config(device->fd, PCI_COMMAND, &command,
						     sizeof(command)),
		      "registers can be written");
	}
	return 0;
}

static int carry_on(void)
{
	int session;

	go_on();
	session = luo_create_session(session_name());
	for (int i = 0; i < nr_devices; i++)
		preserve(&devices[i], session);
	wait_for_kexec();
	return 0;
}

/* Work that is still in flight would end now, and change the memory. */
static void check_stopped(const struct user_device *device)
{
	size_t size = device->model->memory_size;
	void *before = malloc(size);

	if (!before)
		err(1, "malloc");
	memcpy(before, device->memory, size);
	if (device->model->release)
		device->model->release(device);
	usleep(STOPPED_US);
	check(device, !memcmp(before, device->memory, size), "it does no DMA");
	free(before);
}

static void retrieve_stopped(struct user_device *device, int session)
{
	retrieve(device, session);
	device->model = find_model(device);
	map_memory(device);
	check(device, vfio_try_open(device->address) == -EBUSY, "its cdev is busy");
	check_stopped(device);
}

static void bind_again(struct user_device *device)
{
	__u16 command;

	bind_device(device);
	vfio_read_config(device->fd, PCI_COMMAND, &command, sizeof(command));
	check(device, !(command & PCI_COMMAND_MASTER), "it can do no DMA");
	map_registers(device);
	device->iova = IOVA;
	for (size_t offset = 0; offset < device->model->memory_size; offset += PAGE)
		vfio_map_dma(device->iommufd, device->ioas, device->memory + offset, PAGE,
			     IOVA + offset);
}

/* Bring the device up as after a reset. */
static void bring_up(const struct user_device *device)
{
	__u16 command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	memset(device->memory, 0, device->model->memory_size);
	check(device, !vfio_try_write_config(device->fd, PCI_COMMAND, &command,
					     sizeof(command)),
	      "registers can be written");
	device->model->restart(device);
	check_interrupts(device);
}

static int go_on_reset(void)
{
	int session = luo_retrieve_session(session_name());
	struct user_device *device, *end = devices + nr_devices;

	reset_mode = true;
	for (device = devices; device < end; device++)
		retrieve_stopped(device, session);
	at_step("retrieve");
	mark(MARK_USED);
	for (device = devices; device < end; device++)
		bind_again(device);
	at_step("bind");
	for (device = devices; device < end; device++)
		bring_up(device);
	luo_finish_session(session);
	mark(MARK_FINISHED);
	at_step("finish");
	for (device = devices; device < end; device++) {
		check_interrupts(device);
		check(device, !vfio_try_reset(device->fd), "a reset works");
	}
	at_step("reset");
	return 0;
}

static int go_on_pf(void)
{
	int session = luo_retrieve_session(session_name());
	struct user_device *pf = devices;

	pf->fd = luo_retrieve_fd(session, device_token(pf));
	vfio_bind(pf->fd);
	luo_finish_session(session);
	stay();
	return 0;
}

static int give_up(void)
{
	int session = luo_retrieve_session(session_name());

	for (int i = 0; i < nr_devices; i++) {
		int fd = luo_try_retrieve_fd(session, device_token(&devices[i]));

		printf("%s %s\n", devices[i].address, fd < 0 ? strerrorname_np(-fd) : "ok");
	}
	luo_finish_session(session);
	return 0;
}

/* Commands in any kernel */

static int try_all(void)
{
	for (int i = 0; i < nr_devices; i++) {
		int fd = vfio_try_open(devices[i].address);
		int error = fd < 0 ? fd : vfio_try_bind(fd);

		printf("%s %s\n", devices[i].address, error ? strerrorname_np(-error) : "ok");
		if (fd >= 0)
			close(fd);
	}
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} commands[] = {
	{ "start", start },
	{ "refused", start_refused },
	{ "go-on", go_on },
	{ "leave", leave },
	{ "carry-on", carry_on },
	{ "give-up", give_up },
	{ "start-reset", start_reset },
	{ "go-on-reset", go_on_reset },
	{ "pf-go-on", go_on_pf },
	{ "try", try_all },
};

static void add_devices(char **addresses)
{
	for (; *addresses && nr_devices < MAX_DEVICES; addresses++)
		devices[nr_devices++].address = *addresses;
	if (*addresses || !nr_devices)
		errx(2, "give 1 to %d addresses", MAX_DEVICES);
}

int main(int argc, char **argv)
{
	if (argc > 3 && !strcmp(argv[1], "die")) {
		add_devices(argv + 3);
		return die(argv[2]);
	}
	if (argc == 4 && !strcmp(argv[1], "pf")) {
		devices[nr_devices++].address = argv[2];
		return start_pf(argv[3]);
	}
	for (size_t i = 0; argc > 2 && i < sizeof(commands) / sizeof(*commands); i++) {
		if (!strcmp(argv[1], commands[i].name)) {
			add_devices(argv + 2);
			return commands[i].run();
		}
	}
	errx(2, "usage: vfio-user start|refused|go-on|leave|carry-on ADDRESS...\n"
	     "       vfio-user give-up|pf-go-on|try ADDRESS...\n"
	     "       vfio-user pf ADDRESS COMMAND\n"
	     "       vfio-user start-reset|go-on-reset ADDRESS...\n"
	     "       vfio-user die session|retrieve|bind ADDRESS...");
}
