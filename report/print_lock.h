/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * print_lock: keeps those apart who write to one place at the same time: the file of
 * print_output_lock_file, locked as pmacct does (flock(2)), also against other programs;
 * and standard output, which outputs of this process take turns at. One thread at a time.
 */
#ifndef WEIR_REPORT_PRINT_LOCK_H
#define WEIR_REPORT_PRINT_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>

#include "lib/err.h"

struct print_lock {
	const char *path; /* borrowed; NULL: none */
	int fd;
	bool is_stdout;
	_Atomic bool hurry; /* wait no longer than a second */
};

/* Make the file, and its directories, if there is to be one. Returns 0, or -WEIR_EIO with `e`. */
int print_lock_open(
    struct print_lock *l, const char *path, bool is_stdout, struct err *e);
void print_lock_close(struct print_lock *l);

/*
 * Wait for the lock, and let it go. When weir ends and others hold on to it for another
 * second, goes on without it, and says so in the log.
 */
void print_lock_take(struct print_lock *l);
void print_lock_give(struct print_lock *l);

/* weir ends. Any thread. */
void print_lock_hurry(struct print_lock *l);

#endif
