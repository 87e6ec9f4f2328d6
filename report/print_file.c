/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/print_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "report/print_path.h"

#define FLUSH_AT  (256U << 10) /* octets that make a write worth its while */
#define FILE_MODE 0640
#define WAIT_MS   10

int
print_file_init(struct print_file *f, size_t line_max, struct err *e)
{
	memset(f, 0, sizeof(*f));
	f->fd = -1;
	f->line_max = line_max;
	f->room = FLUSH_AT + line_max;
	f->buf = malloc(f->room);
	if (f->buf == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory for print's buffer");
	return 0;
}

void
print_file_fini(struct print_file *f)
{
	assert(f->fd == -1);
	free(f->buf);
	f->buf = NULL;
}

/* A FIFO without a reader is an error now, not a thread that waits for ever. */
static int
file_open(struct print_file *f, bool append, struct err *e)
{
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK |
	    (append ? O_APPEND : O_TRUNC);
	struct stat st;

	if (print_path_dirs(f->path, e) != 0)
		return -WEIR_EIO;
	f->fd = open(f->path, flags, FILE_MODE);
	if (f->fd == -1 && errno == ENXIO && stat(f->path, &st) == 0 && S_ISFIFO(st.st_mode))
		return err_set(e, WEIR_EIO, "%s: no program reads this FIFO", f->path);
	if (f->fd == -1)
		return err_set(e, WEIR_EIO, "%s: %s", f->path, strerror(errno));
	(void)fcntl(f->fd, F_SETFL, flags & O_APPEND);
	f->regular = fstat(f->fd, &st) == 0 && S_ISREG(st.st_mode);
	f->fresh = !f->regular || st.st_size == 0;
	return 0;
}

int
print_file_open(struct print_file *f, const char *path, bool append, struct err *e)
{
	int rc = 0;

	assert(f->fd == -1 && strlen(path) < sizeof(f->path));
	strcpy(f->path, path);
	f->regular = false;
	f->rows = 0;
	f->fresh = true;
	if (strcmp(path, "-") == 0)
		f->fd = STDOUT_FILENO;
	else
		rc = file_open(f, append, e);
	f->failed = rc != 0;
	return rc;
}

/* For people. */
static const char *
file_name(const struct print_file *f)
{
	return f->fd == STDOUT_FILENO ? "standard output" : f->path;
}

/*
 * Take back the `done` octets written last, which end within a row. Not where others have
 * appended meanwhile: theirs are not ours to cut.
 */
static void
file_cut(struct print_file *f, size_t done)
{
	off_t at = lseek(f->fd, 0, SEEK_CUR);
	struct stat st;

	if (done > 0 && at >= (off_t)done && fstat(f->fd, &st) == 0 && st.st_size == at)
		(void)!ftruncate(f->fd, at - (off_t)done);
}

/* No more can be written after `done` octets of the buffer. */
static void
file_fail(struct print_file *f, int error, size_t done, struct err *e)
{
	err_set(e, WEIR_EIO, "%s: %s", file_name(f),
	    error == ETIMEDOUT ? "nobody reads there, and weir ends" : strerror(error));
	f->failed = true;
	if (f->regular)
		file_cut(f, done);
}

/* Wait until it takes some. Returns whether it does; not when weir ends meanwhile. */
static bool
pipe_ready(struct print_file *f)
{
	struct pollfd p = { .fd = f->fd, .events = POLLOUT };
	uint64_t give_up = UINT64_MAX;

	while (poll(&p, 1, WAIT_MS) < 1) {
		if (atomic_load(&f->hurry) && give_up == UINT64_MAX)
			give_up = clock_mono() + CLOCK_S;
		if (clock_mono() >= give_up)
			return false;
	}
	return true;
}

/*
 * As write(2). A pipe that poll says is ready takes PIPE_BUF octets without making us wait
 * (pipe(7)): what is longer might wait for ever.
 */
static ssize_t
file_write(struct print_file *f, const char *from, size_t len)
{
	if (f->regular)
		return write(f->fd, from, len);
	if (!pipe_ready(f)) {
		errno = ETIMEDOUT;
		return -1;
	}
	return write(f->fd, from, len < PIPE_BUF ? len : PIPE_BUF);
}

static void
file_flush(struct print_file *f, struct err *e)
{
	size_t done = 0;

	while (!f->failed && done < f->len) {
		ssize_t n = file_write(f, f->buf + done, f->len - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			file_fail(f, errno, done, e);
	}
	if (f->failed)
		f->refused += f->pending;
	else
		f->written += f->pending;
	f->len = 0;
	f->pending = 0;
}

char *
print_file_line(struct print_file *f, struct err *e)
{
	if (f->len >= FLUSH_AT)
		file_flush(f, e);
	return f->buf + f->len;
}

void
print_file_add(struct print_file *f, size_t len, unsigned rows)
{
	assert(len <= f->line_max);
	if (f->failed) {
		f->refused += rows;
		return;
	}
	f->len += len;
	f->pending += rows;
	f->rows += rows;
}

int
print_file_close(struct print_file *f, struct err *e)
{
	bool failed;

	if (f->fd != -1)
		file_flush(f, e);
	failed = f->failed;
	if (f->fd != -1 && f->fd != STDOUT_FILENO && close(f->fd) != 0 && !failed) {
		err_set(e, WEIR_EIO, "%s: %s", f->path, strerror(errno));
		failed = true;
	}
	f->fd = -1;
	f->failed = false;
	return failed ? -WEIR_EIO : 0;
}

void
print_file_hurry(struct print_file *f)
{
	atomic_store(&f->hurry, true);
}
