// SPDX-License-Identifier: GPL-2.0
/*
 * bar-read FILE OFFSET SIZE: write memory of a BAR to standard output. FILE is its
 * resource file in sysfs, OFFSET a multiple of the page size.
 */

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

int main(int argc, char **argv)
{
	size_t size;
	void *at;
	int fd;

	if (argc != 4)
		errx(2, "usage: bar-read FILE OFFSET SIZE");
	size = strtoul(argv[3], NULL, 0);
	fd = open(argv[1], O_RDONLY);
	at = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, strtoul(argv[2], NULL, 0));
	if (fd < 0 || at == MAP_FAILED)
		err(1, "%s", argv[1]);
	if (fwrite(at, size, 1, stdout) != 1 || fflush(stdout))
		err(1, "standard output");
	return 0;
}
