/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* fopencookie */
#endif
#include "lib/infile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"

struct infile {
	int fd;
	int error;               /* that ended it; 0: none has */
	bool ours;               /* to be closed */
	bool writer_due;         /* a pipe of which it is not known whether somebody writes */
	uint64_t left;           /* octets that may come yet */
	uint64_t until;          /* clock_mono by which it must have ended; 0: it need not */
};

/*
 * Wait until `until` (0: as long as it takes) for something to read, or the end. Returns
 * false when none came.
 */
static bool
infile_wait(const struct infile *in, uint64_t until)
{
	struct pollfd p = { .fd = in->fd, .events = POLLIN };
	int rc, left;

	do {
		uint64_t now = clock_mono();

		left = until == 0 ? -1 : now >= until ? 0 : (int)((until - now) / CLOCK_MS) + 1;
		rc = poll(&p, 1, left);
	} while (rc < 0 && errno == EINTR);
	return rc > 0;
}

/* As read(2), of what does not block unless it is to be waited for. */
static ssize_t
infile_get(struct infile *in, char *buf, size_t room)
{
	for (;;) {
		ssize_t n = read(in->fd, buf, room);
		bool waits = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0 || (n < 0 && !waits))
			return n;
		if (n == 0 && !in->writer_due)
			return 0;
		in->writer_due = false;
		if (infile_wait(in,
		    waits ? in->until : clock_mono() + INFILE_WRITER_S * CLOCK_S))
			continue;
		errno = waits ? ETIMEDOUT : EPIPE;
		return -1;
	}
}

static ssize_t
infile_read(void *arg, char *buf, size_t room)
{
	struct infile *in = arg;
	ssize_t n = -1;

	/* One more, which shows that there are too many. */
	if (room > in->left + 1)
		room = (size_t)in->left + 1;
	if (in->error == 0 && in->until != 0 && clock_mono() > in->until)
		in->error = ETIMEDOUT;
	if (in->error == 0 && (n = infile_get(in, buf, room)) < 0)
		in->error = errno;
	if (n > 0 && (uint64_t)n > in->left)
		in->error = EFBIG;
	if (in->error != 0) {
		errno = in->error;
		return -1;
	}
	in->writer_due = in->writer_due && n == 0;
	in->left -= (uint64_t)n;
	return n;
}

static int
infile_close(void *arg)
{
	struct infile *in = arg;
	int rc = in->ours ? close(in->fd) : 0;

	free(in);
	return rc;
}

/* The stream of `one`, whose fd goes with it. */
static FILE *
infile_stream(struct infile one)
{
	static const cookie_io_functions_t calls = { .read = infile_read,
	    .close = infile_close };
	struct infile *in = malloc(sizeof(*in));
	FILE *f = NULL;

	if (in != NULL) {
		*in = one;
		f = fopencookie(in, "r", calls);
	}
	if (f == NULL) {
		free(in);
		if (one.ours)
			close(one.fd);
		errno = ENOMEM;
	}
	return f;
}

FILE *
infile_open(const char *path, uint64_t max, struct stat *st)
{
	struct infile in = { .ours = true, .left = max };
	int error = 0;
	struct stat own;

	if (st == NULL)
		st = &own;
	/* A pipe would have us wait for a writer before there is anything to wait with. */
	in.fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (in.fd == -1)
		return NULL;
	if (fstat(in.fd, st) != 0)
		error = errno;
	else if (S_ISDIR(st->st_mode))
		error = EISDIR;
	else if (S_ISREG(st->st_mode))
		error = st->st_size > 0 && (uint64_t)st->st_size > max ? EFBIG : 0;
	else if (max > INFILE_ENDLESS_MAX)
		in.left = INFILE_ENDLESS_MAX;
	if (error != 0) {
		close(in.fd);
		errno = error;
		return NULL;
	}
	in.writer_due = S_ISFIFO(st->st_mode);
	if (!S_ISREG(st->st_mode))
		in.until = clock_mono() + INFILE_END_S * CLOCK_S;
	return infile_stream(in);
}

FILE *
infile_stdin(uint64_t max)
{
	return infile_stream((struct infile){ .fd = STDIN_FILENO, .left = max });
}

const char *
infile_error(int error)
{
	switch (error) {
	case EFBIG:
		return "has no end, or more octets than weir reads of such a file";
	case ETIMEDOUT:
		return "is no file, and has not ended within 10 s";
	case EPIPE:
		return "is a pipe that nobody writes to";
	default:
		return strerror(error);
	}
}
