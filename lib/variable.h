/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Variables in the names of files and tables, pmacct's: of time (strftime's %d %H %m %M
 * %s %S %w %W %Y %z) and of the configuration ($hst: length of the bins, $ref: refresh
 * time, $tzone: the time zone as RFC 3339 writes it). Plain functions; any thread.
 */
#ifndef WEIR_LIB_VARIABLE_H
#define WEIR_LIB_VARIABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VARIABLE_MAX   32U /* octets of what one stands for, with its NUL */
#define VARIABLES_TEXT "%d %H %m %M %s %S %w %W %Y %z, $hst, $ref and $tzone"

/* What they stand for. */
struct variables {
	uint64_t time;      /* ns since 1970 */
	bool utc;           /* in UTC, not local time */
	uint32_t refresh_s;
	uint32_t history_s; /* 0: none */
};

/* Whether `pattern` has variables of time: its names differ from bin to bin. */
bool variables_have_time(const char *pattern);

/*
 * Write what the variable at the front of `p`, a '%' or '$', stands for to `to`. Returns
 * how many octets of `p` it takes, 0 when it is none.
 */
size_t variable_expand(const char *p, const struct variables *v, char to[VARIABLE_MAX]);

#endif
