/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of print's files: pmacct's variables, of time (strftime's %d %H %m %M %s %S %w
 * %W %Y %z) and of the configuration ($hst: length of the bins, $ref: refresh time,
 * $tzone: +hh:mm of the time zone). Plain functions; any thread.
 */
#ifndef WEIR_REPORT_PRINT_PATH_H
#define WEIR_REPORT_PRINT_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/* What the variables stand for, the time apart. */
struct print_path_vars {
	bool utc;          /* times in UTC, not local time */
	uint32_t refresh;  /* s */
	uint32_t history;  /* s, 0: none */
};

/*
 * Write `path` with its variables replaced to `to`; time `t` in ns since 1970. Returns
 * 0, or -WEIR_EINVAL with `e` naming the variable that cannot be had, or that the name
 * grows beyond `room`.
 */
int print_path_expand(const char *path, uint64_t t, const struct print_path_vars *v,
    char *to, size_t room, struct err *e);

/* Whether names made of `path` differ from bin to bin. */
bool print_path_has_time(const char *path);

/* Make the directories that `path` lies in. Returns 0, or -WEIR_EIO with `e`. */
int print_path_dirs(const char *path, struct err *e);

/*
 * Point the symbolic link `link` at `path`, at one stroke. Returns 0, or -WEIR_EIO with
 * `e`.
 */
int print_path_link(const char *path, const char *link, struct err *e);

#endif
