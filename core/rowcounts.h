/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rowcounts: where the counters of a ledger's rows stood, to know how much each has counted
 * since. It follows the rows to new numbers. Whoever has the ledger's lock.
 */
#ifndef WEIR_CORE_ROWCOUNTS_H
#define WEIR_CORE_ROWCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/ledger.h"

struct rowcounts {
	size_t counter;          /* which: its offset in struct sums */
	uint64_t *counts;        /* by row number */
	bool known;              /* they stand for something: there was a round before */
	uint64_t cleared, sweeps; /* of the ledger, when they did */
};

/* Of the counter at offset `counter` of struct sums. Returns 0 or -WEIR_ENOMEM. */
int rowcounts_init(struct rowcounts *c, const struct ledger *l, size_t counter);
void rowcounts_fini(struct rowcounts *c);

/* Before each round: follow the rows. After it: rowcounts_done. */
void rowcounts_follow(struct rowcounts *c, const struct ledger *l);
static inline void
rowcounts_done(struct rowcounts *c)
{
	c->known = true;
}

/* Whether row numbers of the last round mean nothing any more. */
static inline bool
rowcounts_began_anew(const struct rowcounts *c, const struct ledger *l)
{
	return c->cleared != l->cleared && c->cleared != 0;
}

static inline uint64_t
rowcounts_now(const struct rowcounts *c, const struct ledger *l, uint32_t row)
{
	const char *sums = (const char *)rowspec_sums_get(l->rs, ledger_row(l, row));

	return *(const uint64_t *)(const void *)(sums + c->counter);
}

/* What row `row` has counted since it was last taken. */
static inline uint64_t
rowcounts_since(const struct rowcounts *c, const struct ledger *l, uint32_t row)
{
	return rowcounts_now(c, l, row) - c->counts[row];
}

/* The same, and take it: from now on it counts from here. */
static inline uint64_t
rowcounts_take(struct rowcounts *c, const struct ledger *l, uint32_t row)
{
	uint64_t now = rowcounts_now(c, l, row), since = now - c->counts[row];

	c->counts[row] = now;
	return since;
}

#endif
