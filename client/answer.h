/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * answer: the rows of an answer, kept together so that they can be put in order, and the
 * choice of its columns. For tables of weir's own state, which are small beside views;
 * those are ordered by weir itself. One thread.
 */
#ifndef WEIR_CLIENT_ANSWER_H
#define WEIR_CLIENT_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "client/link.h"
#include "lib/err.h"

struct answer {
	struct json_t *head; /* the link's: its columns are what is shown */
	struct json_t **rows; /* ours */
	size_t n, room;
};

/* Read all rows behind `head`. Returns 0, or -WEIR_E... with `e` filled. */
int answer_read(struct answer *a, struct link *l, struct json_t *head, struct err *e);
void answer_fini(struct answer *a);

/*
 * Put the rows in order by the column called `name` (as in JSON, or as the title; letters
 * of either case): numbers and times with the largest first, texts and addresses with the
 * smallest, both turned by `reverse`; rows without a value last. Equals stay as they came.
 * Returns 0, or -WEIR_ENOENT with `e` naming the columns that there are.
 */
int answer_sort(struct answer *a, const char *name, bool reverse, struct err *e);

/* Keep the first `n` rows; 0: all. */
void answer_top(struct answer *a, size_t n);

/*
 * Leave out columns of kind "count" that are zero and of kind "note" that are empty in every
 * row, and those of kind "detail": texts too long to stand in every table.
 */
void answer_hide_zeros(struct answer *a);

/*
 * Let the columns of `head` be those of the comma list `names`, in its order. Returns 0, or
 * -WEIR_ENOENT with `e` naming the columns that there are.
 */
int answer_choose(struct json_t *head, const char *names, struct err *e);

#endif
