/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/octets.h"

#include <errno.h>
#include <sys/types.h>
#include <unistd.h>

bool
octets_read(int fd, void *p, size_t len, uint64_t at)
{
	for (uint8_t *to = p; len > 0;) {
		ssize_t n = pread(fd, to, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = 0;
		if (n <= 0)
			return false;
		to += n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return true;
}

bool
octets_write(int fd, const void *p, size_t len, uint64_t at)
{
	for (const uint8_t *from = p; len > 0;) {
		ssize_t n = pwrite(fd, from, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENOSPC;
		if (n <= 0)
			return false;
		from += n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return true;
}
