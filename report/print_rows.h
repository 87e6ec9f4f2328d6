/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * print_rows: the rows of a snapshot in the order in which print writes them: bin by bin,
 * each bin's other row behind it, without those that print_preprocess rejects; and where
 * the name of the file depends on values of rows, those of one file after another. Used by
 * the output's thread alone.
 */
#ifndef WEIR_REPORT_PRINT_ROWS_H
#define WEIR_REPORT_PRINT_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/judgement.h"
#include "core/snapshot.h"
#include "flow/field.h"
#include "lib/err.h"

struct print_rows {
	uint32_t
	    *at; /* numbers of rows; from snapshot->n on those of bins: other rows */
	uint32_t n, room;
	struct judgement judged;
	const struct preprocess *preprocess; /* that judged them */
	uint8_t *row; /* one that is in no snapshot as it is to be written, */
	uint8_t *other; /* and the values of other rows: zeros */
	bool one;          /* all of them belong together */
	unsigned n_split; /* values that divide rows among files: where they lie, */
	uint32_t offset[4];
	uint16_t octets[4]; /* and how long they are */
};

/*
 * For rows of `rs`, which are divided by the values of `split` (of at most four fields).
 * Returns 0 or -WEIR_ENOMEM with `e`.
 */
int print_rows_init(struct print_rows *pr, const struct rowspec *rs,
    const struct field_set *split, struct err *e);
void print_rows_fini(struct print_rows *pr);

/*
 * Put the rows of `s` in order, as `p` lets them through. It and what follows it go
 * together: make, get ..., drop. Returns 0, or -WEIR_ENOMEM with `e`, then without drop.
 */
int print_rows_make(struct print_rows *pr, const struct snapshot *s,
    struct preprocess *p, struct err *e);

/*
 * Row `i` of pr->n, and its bin's number in `bin`; good until the next call.
 */
const uint8_t *print_rows_get(
    struct print_rows *pr, const struct snapshot *s, uint32_t i, uint16_t *bin);

/* Whether rows `i` and `i - 1` lie in the same bin and have the same values of `split`. */
bool print_rows_belong(
    const struct print_rows *pr, const struct snapshot *s, uint32_t i);

void print_rows_drop(struct print_rows *pr);

#endif
