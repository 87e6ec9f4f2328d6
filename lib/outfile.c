/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

int
outfile_open(const char *path, int flags, mode_t mode)
{
	return open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags, mode);
}

const char *
outfile_error(int error)
{
	return error == ENXIO ? "is a pipe that nobody reads, or a socket" : strerror(error);
}
