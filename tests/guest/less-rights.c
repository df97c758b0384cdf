// SPDX-License-Identifier: GPL-2.0
/*
 * Run a program with fewer rights.
 *
 * less-rights root COMMAND...: as root without any capability.
 *
 * less-rights user COMMAND...: as user and group 65534 without any capability.
 */

#define _GNU_SOURCE

#include <err.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define USER	65534

int main(int argc, char **argv)
{
	if (argc < 3 || (strcmp(argv[1], "root") && strcmp(argv[1], "user")))
		errx(2, "usage: less-rights root|user COMMAND...");

	/* exec() gives root only capabilities of this set */
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
			err(2, "drop capability %d", cap);
	}
	if (!strcmp(argv[1], "user") &&
	    (setgroups(0, NULL) || setresgid(USER, USER, USER) ||
	     setresuid(USER, USER, USER)))
		err(2, "become user %d", USER);

	execvp(argv[2], argv + 2);
	err(2, "%s", argv[2]);
}
