/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How print writes a row: pmacct's formatted text, CSV or JSON, byte for byte as its
 * release 1.7.7 has them. Compiled once per output from its columns; then a row costs a
 * walk over them. Counters stand in another order in JSON (flows, packets, bytes) than
 * in the rest (packets, flows, bytes), and stamps of the bin in JSON only: that is
 * pmacct's, and so is the other order of columns in its client's text
 * (report/print_client.h). Used by the output's thread alone.
 */
#ifndef WEIR_REPORT_PRINT_FORMAT_H
#define WEIR_REPORT_PRINT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/output.h"
#include "flow/text.h"
#include "report/print_client.h"

/* In the order of the words of print_output. */
enum print_form {
	PRINT_FORMATTED,
	PRINT_CSV,
	PRINT_JSON,
	PRINT_EVENT_FORMATTED,  /* event_*: without counters */
	PRINT_EVENT_CSV,
	PRINT_ROW_JSON,         /* as pmacct's client has it: no event_type, counters as in text */
};

struct print_column {
	const struct field *f; /* NULL: none of weir's */
	const char *title;
	uint32_t offset;      /* of the value in a row, or of its text in `fixed` */
	bool fixed;           /* rows have not got it: there is a text instead, */
	uint8_t fixed_len;    /* of so many octets */
	uint8_t width;        /* formatted: octets with the gap; 0: not padded */
	uint8_t gap;          /* formatted: blanks after the value, at least */
	bool free, quoted;    /* its text may hold anything; JSON has it in quotes */
	uint8_t lead_len;
	char lead[48];        /* what stands before the value */
};

struct print_format {
	enum print_form form;
	char separator;              /* of CSV */
	struct text_opts text;       /* how values are written */
	unsigned n_columns;
	unsigned stamps_before;      /* JSON: the column that the stamps precede */
	struct print_column columns[PRINT_CLIENT_MAX + 3]; /* and counters */
	size_t row_max;              /* octets of the longest row or title */
	const char *absent;          /* stands for an address that a record has not got */
	struct text_line scratch, fixed;
	char stamps[256];            /* of the present bin: JSON, with its comma */
	size_t stamps_len;
};

/* The character that `text` means: one as it is, "\t" or "\s"; '\0' where it is none. */
char print_separator(const char *text);

/*
 * Compile for the columns of `o`, whose view exists; rows are laid out by its rowspec.
 */
void print_format_init(struct print_format *pf, enum print_form form, char separator,
    const struct text_opts *text, const struct output *o);
void print_format_fini(struct print_format *pf);

/*
 * The same for pmacct's client (never PRINT_JSON). With `all` text has all columns that it
 * knows, also those of which `o` has nothing; JSON has not.
 */
void print_format_init_client(struct print_format *pf, enum print_form form, char separator,
    const struct text_opts *text, const struct output *o, bool all);

/*
 * The rows that follow belong to the bin that starts at `start` and are written at
 * `now`.
 */
void print_format_bin(struct print_format *pf, uint64_t start, uint64_t now);

/*
 * Write the line of titles, or `row` as a line, to `to` (pf->row_max octets at least).
 * Return the octets; JSON has no titles: 0.
 */
size_t print_format_title(const struct print_format *pf, char *to);
size_t print_format_row(struct print_format *pf, const uint8_t *row, char *to);

#endif
