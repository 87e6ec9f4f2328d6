/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What weir show makes of an answer: text for people, from values in JSON. Apart from
 * show.c so that tests reach it without a weir.
 */
#ifndef WEIR_CLIENT_SHOW_H
#define WEIR_CLIENT_SHOW_H

#include <stdbool.h>
#include <stdio.h>

#include "client/grid.h"
#include "flow/text.h"

struct json_t;

/*
 * Append the text of `v` to `to` (which keeps no NUL): numbers in decimal, yes or no
 * for a truth, "-" for null, "a=1 b=2" for an object.
 */
void show_value(struct text_line *to, const struct json_t *v);

/* Columns of an answer's first line, as titles of `g`. */
void show_titles(struct grid *g, const struct json_t *head);

/*
 * A row as cells of `g`, or as a line of CSV, in the order of the columns of `head`.
 * What has no value is "-" in a cell and empty in CSV.
 */
void show_cells(struct grid *g, const struct json_t *head, const struct json_t *row);
void show_csv(const struct json_t *head, const struct json_t *row, FILE *to);
void show_csv_titles(const struct json_t *head, FILE *to);

/* The members of `row` that are columns of `head`, as a line of JSON. */
void show_json(const struct json_t *head, const struct json_t *row, FILE *to);

/*
 * A line of the books: "view a packets: counted 5 = rows 4 + other 1 + held 0   ok".
 * Returns whether it balances.
 */
bool show_books_line(const struct json_t *row, FILE *to);

#endif
