/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text forms of fields and rows: what the terminal, CSV, JSON and text columns show, with
 * pmacct's names and spellings. All write into the caller's memory; any thread.
 */
#ifndef WEIR_FLOW_TEXT_H
#define WEIR_FLOW_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/field.h"
#include "flow/rowspec.h"

struct text_opts {
	bool num_protos;   /* protocols as numbers */
	bool since_epoch;  /* times as seconds since 1970 */
	bool utc;          /* times in UTC, not local time */
	bool secs;         /* times without a fraction */
	bool rfc3339;      /* times as RFC 3339 s5.6 has them: with 'T' and zone */
	bool zero_is_1970; /* no time as the one that has this number, not as 0000-00-00 */
	bool status_names; /* the forwarding status in words */
	bool flags_array;  /* in JSON: TCP flags as an array of names */
	bool label_map;    /* in JSON: a label "key%value,..." as an object */
	bool labels_array; /* in JSON: MPLS labels as an array of "position-label" */
};

#define TEXT_MAX 288U /* longest text of one value, with its NUL */

/*
 * Write the value at `value` of field `f` as text to `buf` (TEXT_MAX at least).
 * Returns the length without the NUL.
 */
size_t text_value(const struct field *f, const void *value, const struct text_opts *o,
    char *buf);

/* Decimal of `v`, to `buf` (21 octets). Returns the length without the NUL. */
size_t text_uint(uint64_t v, char *buf);

/* Time `ns` as "YYYY-MM-DD HH:MM:SS[.uuuuuu]" (or since_epoch, or rfc3339) to `buf` (TEXT_MAX). */
size_t text_time(uint64_t ns, const struct text_opts *o, char *buf);

/*
 * A growing line of output: the caller's memory, grown with realloc. `len` is what it
 * holds. Reuse it from line to line.
 */
struct text_line {
	char *p;
	size_t len, room;
};

void text_line_free(struct text_line *l);

/* Where the next `more` octets go, for who writes them himself and then adds to `len`. */
char *text_line_room(struct text_line *l, size_t more);

void text_line_put(struct text_line *l, const char *s, size_t len);

/* `s` as a JSON string, quotes and escapes included; octets that are no UTF-8 become '?'. */
void text_line_json(struct text_line *l, const char *s);

/* Where the route distinguisher at `value` comes from: "flow", "map" or "unknown". */
const char *text_rd_origin(const void *value);

/* A value of `f` whose text is `text`, as JSON has it: a number, a string or an array. */
void text_line_json_text(struct text_line *l, const struct field *f, const char *text,
    const struct text_opts *o);

/* One field of CSV: quoted where it holds `sep`, a quote or a newline (RFC 4180 s2). */
void text_line_csv(struct text_line *l, const char *s, char sep);

/* The key of `row` for people and labels: "src_host=192.0.2.1 dst_port=53"; "none" has "total". */
size_t text_key(const struct rowspec *rs, const uint8_t *row, const struct text_opts *o,
    char *buf, size_t room);

#endif
