/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file that print writes to: one large buffer in front of write(2), and an account
 * of the rows in it. A row counts as written once the system has taken it; when it
 * takes no more, a regular file is cut back to its last whole row, as far as nobody else has
 * appended to it since, and the rest counts as refused. Used by the output's thread alone, but for print_file_hurry.
 */
#ifndef WEIR_REPORT_PRINT_FILE_H
#define WEIR_REPORT_PRINT_FILE_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

struct print_file {
	char path[PATH_MAX];  /* "-": standard output */
	int fd;               /* -1: none is open */
	bool fresh;           /* holds nothing yet: titles are due */
	bool failed;          /* all that follows is refused */
	bool regular;
	char *buf;
	size_t len, room;
	size_t line_max;
	uint64_t pending;     /* rows in the buffer */
	uint64_t rows;        /* of this file since it was opened */
	_Atomic bool hurry;   /* wait no longer than a second for who reads a FIFO or pipe */
	uint64_t written, refused; /* rows, of all files since the caller zeroed them */
};

/* Lines will have at most `line_max` octets. Returns 0 or -WEIR_ENOMEM. */
int print_file_init(struct print_file *f, size_t line_max, struct err *e);
void print_file_fini(struct print_file *f);

/*
 * Open `path`, with its directories, to append or to overwrite. On failure rows are
 * refused until the next open. Returns 0, or -WEIR_EIO with `e` filled.
 */
int print_file_open(struct print_file *f, const char *path, bool append, struct err *e);

/* Where the next line goes; there is room for line_max octets. */
char *print_file_line(struct print_file *f, struct err *e);

/*
 * A line of `len` octets was put there; `rows` (0 or 1) of the output's rows are in it.
 */
void print_file_add(struct print_file *f, size_t len, unsigned rows);

/*
 * Write out and close. Returns 0, or -WEIR_EIO with `e` filled when anything failed
 * since open.
 */
int print_file_close(struct print_file *f, struct err *e);

/* weir ends: who does not read any more is not waited for. Any thread. */
void print_file_hurry(struct print_file *f);

#endif
