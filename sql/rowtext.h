/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rowtext: rows as the text that COPY of PostgreSQL and LOAD DATA of MySQL both read by
 * default: values divided by tabs, rows ended by newlines, with a backslash before what
 * would be taken for either. A value stays until it is set anew, as parameters of
 * statements do. One thread at a time.
 */
#ifndef WEIR_SQL_ROWTEXT_H
#define WEIR_SQL_ROWTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/text.h"

/* A value as it stands in a row. */
struct rowtext_cell {
	const char *p;             /* the caller's text, or `own` */
	size_t len;
	char own[2 * TEXT_MAX];    /* numbers, and text with escapes */
};

struct rowtext {
	unsigned n;
	bool plain;                /* values stand as they are, without escapes */
	struct rowtext_cell *cells;
	struct text_line out;      /* rows that are put; the caller takes them out */
};

/* `n` values a row, NULL each. 0 or -1: no memory. */
int rowtext_init(struct rowtext *r, unsigned n);
void rowtext_fini(struct rowtext *r);

/* Value `i`, from 0. Text is borrowed; of more than TEXT_MAX octets the end is left out. */
void rowtext_int(struct rowtext *r, unsigned i, int64_t v);
void rowtext_text(struct rowtext *r, unsigned i, const char *text, size_t len);

/* Append the row to r->out. */
void rowtext_put(struct rowtext *r);

#endif
