// SPDX-License-Identifier: GPL-2.0
/*
 * The options of kexec-tools that scenarios use, as a static program for machines
 * whose libraries are not at hand.
 *
 * kexec -s -l KERNEL --initrd=FILE --command-line=LINE: load a kernel with
 * kexec_file_load().
 *
 * kexec -e: run it.
 */

#define _GNU_SOURCE

#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/reboot.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct option options[] = {
	{ "kexec-file-syscall", no_argument, NULL, 's' },
	{ "load", required_argument, NULL, 'l' },
	{ "exec", no_argument, NULL, 'e' },
	{ "initrd", required_argument, NULL, 'i' },
	{ "command-line", required_argument, NULL, 'c' },
	{ }
};

static int open_image(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static void load(const char *kernel, const char *initrd, const char *line)
{
	if (syscall(SYS_kexec_file_load, open_image(kernel), open_image(initrd),
		    strlen(line) + 1, line, 0L))
		err(1, "kexec_file_load");
}

static void run(void)
{
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
		LINUX_REBOOT_CMD_KEXEC, NULL);
	err(1, "kexec");
}

int main(int argc, char **argv)
{
	const char *kernel = NULL, *initrd = NULL, *line = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "sl:e", options, NULL)) != -1) {
		switch (option) {
		case 's':
			break;
		case 'l':
			kernel = optarg;
			break;
		case 'e':
			run();
			break;
		case 'i':
			initrd = optarg;
			break;
		case 'c':
			line = optarg;
			break;
		default:
			return 2;
		}
	}
	if (!kernel || !initrd || !line)
		errx(2, "usage: kexec -s -l KERNEL --initrd=FILE --command-line=LINE | kexec -e");
	load(kernel, initrd, line);
	return 0;
}
