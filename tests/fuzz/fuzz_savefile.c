/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target of the reader of capture files: the octets are a file. Every frame must lie
 * in memory that may be read, and the reader must get on.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collectors/savefile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	volatile uint8_t sum = 0;
	struct savefile *s;
	struct frame f;
	char path[64];
	int fd = memfd_create("savefile", MFD_CLOEXEC);

	if (fd == -1 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	s = savefile_open(path, NULL);
	close(fd);
	if (s == NULL)
		return 0;
	for (uint64_t at = 0; savefile_next(s, &f, NULL) == SAVEFILE_FRAME;) {
		if (savefile_offset(s) <= at)
			abort();
		at = savefile_offset(s);
		for (uint32_t i = 0; i < f.caplen; i++)
			sum = (uint8_t)(sum + f.octets[i]);
	}
	savefile_close(s);
	return 0;
}
