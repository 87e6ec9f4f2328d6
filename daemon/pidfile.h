/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pidfile: the file with weir's process id, which is locked as long as weir lives: a second
 * weir with the same file does not start. Main thread, in the process that stays.
 */
#ifndef WEIR_DAEMON_PIDFILE_H
#define WEIR_DAEMON_PIDFILE_H

#include "lib/err.h"

struct pidfile {
	const char *path; /* borrowed; NULL: none is ours */
	int fd;           /* locked */
};

/*
 * Take and write the file at `path`, what a dead weir left there, too. Returns 0, or
 * -WEIR_EIO with `e` filled: then it is as it was.
 */
int pidfile_take(struct pidfile *p, const char *path, struct err *e);

/* Remove the file, unless another one has taken its place. */
void pidfile_release(struct pidfile *p);

#endif
