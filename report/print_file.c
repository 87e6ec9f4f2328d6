/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/print_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/print_path.h"

#define FLUSH_AT  (256U << 10) /* octets that make a write worth its while */
#define FILE_MODE 0640

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
	if (f->fd == -1)
		return err_set(e, WEIR_EIO, "%s: %s", f->path, strerror(errno));
	(void)fcntl(f->fd, F_SETFL, flags & O_APPEND);
	if (fstat(f->fd, &st) == 0 && S_ISREG(st.st_mode)) {
		f->regular = true;
		f->good = st.st_size;
	}
	f->fresh = f->good == 0;
	return 0;
}

int
print_file_open(struct print_file *f, const char *path, bool append, struct err *e)
{
	int rc = 0;

	assert(f->fd == -1 && strlen(path) < sizeof(f->path));
	strcpy(f->path, path);
	f->regular = false;
	f->good = 0;
	f->rows = 0;
	f->fresh = true;
	if (strcmp(path, "-") == 0)
		f->fd = STDOUT_FILENO;
	else
		rc = file_open(f, append, e);
	f->failed = rc != 0;
	return rc;
}

static void
file_fail(struct print_file *f, int error, struct err *e)
{
	err_set(e, WEIR_EIO, "%s: %s", f->path, strerror(error));
	f->failed = true;
	if (f->regular)
		(void)!ftruncate(f->fd, f->good);
}

static void
file_flush(struct print_file *f, struct err *e)
{
	size_t done = 0;

	while (!f->failed && done < f->len) {
		ssize_t n = write(f->fd, f->buf + done, f->len - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			file_fail(f, errno, e);
	}
	if (!f->failed)
		f->good += (off_t)f->len;
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
