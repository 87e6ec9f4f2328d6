/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * holds: what a column of a table can hold, and values made to fit it, for engines that
 * would refuse the whole load else. One thread at a time.
 */
#ifndef WEIR_SQL_HOLDS_H
#define WEIR_SQL_HOLDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct holds {
	char name[64];         /* the column's */
	size_t chars;          /* of text; 0: any number */
	int64_t max;           /* of an integer; 0: it is none, or takes any */
	bool warned;
};

/*
 * A number that fits: a larger one becomes the largest, which is said once, with `where`
 * the database.
 */
int64_t holds_number(struct holds *h, int64_t v, const char *where);

/*
 * How many of the `len` octets of `text` (UTF-8) fit: whole characters. That some do not is
 * said once.
 */
size_t holds_text(struct holds *h, const char *text, size_t len, const char *where);

#endif
