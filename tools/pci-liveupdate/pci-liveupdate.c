// SPDX-License-Identifier: GPL-2.0
/*
 * pci-liveupdate - keep PCI functions running while the kernel is replaced.
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pci-liveupdate.h"

#define VERSION		"1.0"

/* Leave room for the longest path below the root. */
#define ROOT_MAX	(PATH_MAX - 256)

struct options options = {
	.root = "",
	.session_fd = -1,
};

struct function_list user_functions;

/**
 * struct command - A command of the program.
 * @name:       Its name.
 * @run:        Function that runs it.
 * @min_args:   Minimum number of arguments.
 * @max_args:   Maximum number of arguments.
 * @background: Accepts --background.
 * @wait:       Accepts --wait.
 * @fd:         Accepts --fd, which takes the place of an argument.
 * @session_fd: Accepts --session-fd.
 * @force:      Accepts --force.
 * @program:    Accepts -- and a program to run after the arguments.
 */
struct command {
	const char *name;
	enum status (*run)(int argc, char **argv);
	int min_args;
	int max_args;
	bool background;
	bool wait;
	bool fd;
	bool session_fd;
	bool force;
	bool program;
};

static const struct command commands[] = {
	{
		.name = "preserve",
		.run = command_preserve,
		.min_args = 2,
		.max_args = INT_MAX,
		.background = true,
		.fd = true,
		.session_fd = true,
	},
	{
		.name = "list",
		.run = command_list,
	},
	{
		.name = "retrieve",
		.run = command_retrieve,
		.min_args = 1,
		.max_args = 1,
		.background = true,
		.wait = true,
		.program = true,
	},
	{
		.name = "finish",
		.run = command_finish,
		.min_args = 1,
		.max_args = 1,
		.wait = true,
		.session_fd = true,
	},
	{
		.name = "abandon",
		.run = command_abandon,
		.min_args = 1,
		.max_args = INT_MAX,
		.force = true,
	},
};

static const char help[] =
"Usage: pci-liveupdate [OPTION]... COMMAND\n"
"Keep PCI functions running while the kernel is replaced by kexec.\n"
"\n"
"Commands:\n"
"  preserve SESSION ADDRESS...  preserve all functions, or none, and hold the\n"
"                               session until the kexec, or until a signal\n"
"                               releases it; ADDRESS/vfs names all VFs of a\n"
"                               PF, and ADDRESS - reads the standard input,\n"
"                               an address a line\n"
"      pci-liveupdate -b preserve guests 0000:01:00.0 02:00.1 && kexec -e\n"
"  list                         list functions preserved for the next kernel,\n"
"                               and by the previous one\n"
"      pci-liveupdate list\n"
"  retrieve SESSION             retrieve all functions and hold the session\n"
"                               until a signal, then finish it\n"
"      pci-liveupdate -v retrieve guests\n"
"  retrieve SESSION -- PROGRAM [ARGUMENT]...\n"
"                               retrieve all functions and run a program that\n"
"                               gets their files and the session from systemd's\n"
"                               environment variables LISTEN_*\n"
"  finish SESSION               retrieve all functions and finish the session\n"
"      pci-liveupdate finish guests\n"
"  abandon ADDRESS...           give functions up: stop those of the previous\n"
"                               kernel, and don't hand others to the next one\n"
"  abandon SESSION              give up all functions of a session that the\n"
"                               previous kernel handed over, and finish it\n"
"      pci-liveupdate abandon 0000:01:00.0\n"
"\n"
"Options:\n"
"  -b, --background    preserve, retrieve: hold the session in a background\n"
"                      process, and print its ID\n"
"      --fd ADDRESS=N  preserve: also the function of vfio-pci at ADDRESS, whose\n"
"                      open file is descriptor N\n"
"  -f, --force         abandon: also functions that are in use with VFIO\n"
"      --session-fd N  preserve, finish: use the open session, descriptor N,\n"
"                      instead of creating or retrieving one\n"
"  -w, --wait SECONDS  retrieve, finish: wait for functions that are not bound\n"
"                      to pci-liveupdate-stub or vfio-pci\n"
"  -j, --json          print one JSON object\n"
"  -q, --quiet         print errors only, and with -b the process ID\n"
"  -v, --verbose       print each function\n"
"      --root DIR      use DIR/dev and DIR/sys instead of /dev and /sys\n"
"  -h, --help          print this help\n"
"  -V, --version       print the version\n"
"\n"
"Exit status:\n"
"  0  success, also when a signal ends the hold\n"
"  1  usage: an option, an address or a name is wrong\n"
"  2  environment: a file, a driver, a function or a permission is missing\n"
"  3  the kernel refused\n"
"  4  incomplete: functions are missing or not retrieved, or a signal came early\n";

enum {
	OPTION_ROOT = UCHAR_MAX + 1,
	OPTION_FD,
	OPTION_SESSION_FD,
};

static const struct option long_options[] = {
	{ "background", no_argument, NULL, 'b' },
	{ "fd", required_argument, NULL, OPTION_FD },
	{ "force", no_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ "json", no_argument, NULL, 'j' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "root", required_argument, NULL, OPTION_ROOT },
	{ "session-fd", required_argument, NULL, OPTION_SESSION_FD },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ "wait", required_argument, NULL, 'w' },
	{}
};

static enum status usage_error(const char *reason, const char *subject)
{
	return fail(STATUS_USAGE, "%s%s: see " PROGRAM " --help", reason,
		    subject);
}

/* Reserve descriptors 0 to 2, so that a file of LUO cannot get one of them. */
static void open_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static enum status set_root(const char *text)
{
	static char root[PATH_MAX];

	/* hold_in_background() changes the working directory */
	if (!realpath(text, root))
		return fail(STATUS_ENVIRONMENT, "%s: %s", text,
			    strerror(errno));
	if (strlen(root) > ROOT_MAX)
		return usage_error("too long for --root: ", root);
	options.root = root;

	return STATUS_OK;
}

static bool parse_number(const char *text, long *number)
{
	char *end;

	errno = 0;
	*number = strtol(text, &end, 10);

	return !errno && end != text && !*end && *number >= 0 &&
	       *number <= INT_MAX;
}

static enum status set_wait(const char *text)
{
	if (!parse_number(text, &options.wait))
		return usage_error("--wait needs a number of seconds, not ",
				   text);

	return STATUS_OK;
}

/* The parent has opened the descriptor. */
static enum status set_descriptor(const char *option, const char *text, int *fd)
{
	long number;

	if (!parse_number(text, &number))
		return fail(STATUS_USAGE,
			    "%s needs a descriptor, not '%s': see " PROGRAM " --help",
			    option, text);
	*fd = number;
	if (fcntl(*fd, F_GETFD) < 0)
		return fail(STATUS_ENVIRONMENT, "descriptor %d is not open",
			    *fd);

	return STATUS_OK;
}

static enum status set_fd(char *text)
{
	char *number = strchr(text, '=');
	pci_ser_key_t address;

	if (!number)
		return usage_error("--fd needs ADDRESS=N, not ", text);
	*number++ = '\0';
	if (!address_parse(text, &address))
		return usage_error("--fd needs an address, not ", text);

	return set_descriptor("--fd", number,
			      &function_list_add(&user_functions, address)->fd);
}

/* Set @print to a text if the program prints it instead of running a command. */
static enum status set_option(int option, char **argv, const char **print)
{
	switch (option) {
	case 'b':
		options.background = true;
		break;
	case 'f':
		options.force = true;
		break;
	case 'h':
		*print = help;
		break;
	case 'j':
		options.json = true;
		break;
	case 'q':
		options.quiet = true;
		break;
	case 'v':
		options.verbose = true;
		break;
	case 'V':
		*print = PROGRAM " " VERSION "\n";
		break;
	case 'w':
		return set_wait(optarg);
	case OPTION_FD:
		return set_fd(optarg);
	case OPTION_SESSION_FD:
		return set_descriptor("--session-fd", optarg,
				      &options.session_fd);
	case OPTION_ROOT:
		return set_root(optarg);
	case ':':
		return usage_error("no argument for ", argv[optind - 1]);
	default:
		return usage_error("unknown option ", argv[optind - 1]);
	}

	return STATUS_OK;
}

static enum status check_command(const struct command *command, int nr_args,
				 bool program)
{
	bool fd = user_functions.nr;

	if (fd && !command->fd)
		return usage_error("--fd is not for ", command->name);
	if (nr_args < command->min_args - fd)
		return usage_error("arguments are missing for ", command->name);
	program = program && command->program && nr_args > command->max_args;
	if (nr_args > command->max_args && !program)
		return usage_error("too many arguments for ", command->name);
	if (options.background && program)
		return usage_error("--background contradicts a program", "");
	if (options.background && !command->background)
		return usage_error("--background is not for ", command->name);
	if (options.wait && !command->wait)
		return usage_error("--wait is not for ", command->name);
	if (options.force && !command->force)
		return usage_error("--force is not for ", command->name);
	if (options.session_fd >= 0 && !command->session_fd)
		return usage_error("--session-fd is not for ", command->name);
	if (options.session_fd >= 0 && options.background)
		return usage_error("--session-fd contradicts --background", "");
	if (options.quiet && options.verbose)
		return usage_error("--quiet contradicts --verbose", "");

	return STATUS_OK;
}

static enum status find_command(const char *name,
				const struct command **command)
{
	size_t i;

	if (!name)
		return usage_error("no command", "");

	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (!strcmp(name, commands[i].name)) {
			*command = &commands[i];
			return STATUS_OK;
		}
	}

	return usage_error("unknown command ", name);
}

int main(int argc, char **argv)
{
	const struct command *command = NULL;
	enum status status = STATUS_OK;
	const char *print = NULL;
	bool program;
	int option;

	open_standard_files();
	opterr = 0;
	while (!status && (option = getopt_long(argc, argv, ":bfhjqvVw:",
						long_options, NULL)) != -1)
		status = set_option(option, argv, &print);
	if (!status && print) {
		fputs(print, stdout);
		options.json = false;
		return output_finish(NULL, STATUS_OK);
	}

	/* getopt_long() puts -- before all arguments */
	program = !strcmp(argv[optind - 1], "--");
	argc -= optind + 1;
	argv += optind;
	if (!status)
		status = find_command(*argv, &command);
	if (!status)
		status = check_command(command, argc, program);
	if (!status)
		status = command->run(argc, argv + 1);

	return output_finish(command ? command->name : NULL, status);
}
