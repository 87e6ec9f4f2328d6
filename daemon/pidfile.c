/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/pidfile.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/outfile.h"

#define TRIES 10 /* a weir that ends may remove the file between our steps */

static int
pidfile_failed(const char *path, int error, struct err *e)
{
	return err_set(e, WEIR_EIO, "pidfile %s: %s", path, outfile_error(error));
}

/* Whether `fd` is the file that has the name `path` now. */
static bool
is_named(int fd, const char *path)
{
	struct stat open, named;

	return fstat(fd, &open) == 0 && stat(path, &named) == 0 &&
	       open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

static int
pidfile_taken(const char *path, struct err *e)
{
	FILE *f = fopen(path, "re");
	long pid = 0;

	if (f != NULL && fscanf(f, "%ld", &pid) != 1)
		pid = 0;
	if (f != NULL)
		(void)fclose(f);
	return err_set(e, WEIR_EIO,
	    "pidfile %s: another weir, with process id %ld, runs with it: end that one, or "
	    "write another file", path, pid);
}

/* Open and lock the file. A file system without locks has to do. */
static int
pidfile_lock(const char *path, struct err *e)
{
	for (int i = 0; i < TRIES; i++) {
		int fd = outfile_open(path, 0, 0644);

		if (fd == -1)
			return pidfile_failed(path, errno, e);
		if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
			(void)close(fd);
			return pidfile_taken(path, e);
		}
		if (is_named(fd, path))
			return fd;
		(void)close(fd);
	}
	return pidfile_failed(path, EBUSY, e);
}

int
pidfile_take(struct pidfile *p, const char *path, struct err *e)
{
	int fd = pidfile_lock(path, e);
	struct stat st;
	char text[32];
	ssize_t len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (fd < 0)
		return fd;
	errno = ENOSPC; /* of a short write */
	if (fstat(fd, &st) != 0 || (S_ISREG(st.st_mode) && ftruncate(fd, 0) != 0) ||
	    write(fd, text, (size_t)len) != len) {
		int error = errno;

		(void)close(fd);
		return pidfile_failed(path, error, e);
	}
	if (!S_ISREG(st.st_mode)) { /* a device, a pipe: not ours to remove */
		(void)close(fd);
		return 0;
	}
	*p = (struct pidfile){ path, fd };
	return 0;
}

void
pidfile_release(struct pidfile *p)
{
	if (p->path == NULL)
		return;
	if (is_named(p->fd, p->path))
		(void)unlink(p->path);
	(void)close(p->fd);
	p->path = NULL;
}
