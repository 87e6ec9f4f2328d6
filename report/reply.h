/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reply: an answer of the control protocol (report/query.h) on its way to the client:
 * JSON written member by member into a buffer that goes out when it is large. A client
 * that does not take it breaks the reply; what is written afterwards is dropped. One
 * per connection; its thread only.
 */
#ifndef WEIR_REPORT_REPLY_H
#define WEIR_REPORT_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/rowspec.h"
#include "flow/text.h"
#include "report/print_format.h"

struct reply {
	int fd;
	bool broken;       /* the client is gone */
	bool comma;        /* the next member needs one */
	uint64_t rows;
	struct text_line line;
};

struct reply_column {
	const char *name, *json, *title, *kind;
};

/* One whose name is that in JSON. */
#define REPLY_COLUMN(json, title, kind) { json, json, title, kind }

void reply_init(struct reply *r, int fd);
void reply_fini(struct reply *r);

/* Tell the client that its request is taken: from now on it waits for as long as it takes. */
void reply_taken(struct reply *r);

/* Whether the client has hung up, or weir has, as it ends: long work is in vain then. */
bool reply_is_abandoned(struct reply *r);

/* A whole answer: {"ok": false, "error": `text`}. */
void reply_error(struct reply *r, const char *text);

/* Begin the first line of an answer to `cmd`, with the time; members may follow. */
void reply_start(struct reply *r, const char *cmd);

/* List the columns and end the first line; rows follow. */
void reply_columns(struct reply *r, const struct reply_column *columns, size_t n);

void reply_row_start(struct reply *r);
void reply_row_end(struct reply *r);

/* Start a row with the members that `pf` (PRINT_ROW_JSON) makes of `row`. */
void reply_row_open(struct reply *r, struct print_format *pf, const uint8_t *row);

/* A whole row: `text` as a JSON string. */
void reply_line(struct reply *r, const char *text);

/* The last line; everything goes out. */
void reply_end(struct reply *r);

/* Members of the object at hand. */
void reply_uint(struct reply *r, const char *name, uint64_t v);
void reply_bool(struct reply *r, const char *name, bool v);
void reply_null(struct reply *r, const char *name);
void reply_text(struct reply *r, const char *name, const char *v);
void reply_stamp(struct reply *r, const char *name, uint64_t ns);

/* The three sums as an object, or without `name` as members of the one at hand. */
void reply_sums(struct reply *r, const char *name, const struct sums *s);

/* An object within: its members come between the two. */
void reply_object_start(struct reply *r, const char *name);
void reply_object_end(struct reply *r);

#endif
