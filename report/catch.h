/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * catch: rows that a client picks of a memory table, and, where it resets them, takes away.
 *
 * The table is copied in a moment; rows are picked of the copy, while others ask and reset.
 * What is taken is what is left then, so that nobody is shown what another has. Until the
 * client is known to have it, that is remembered (struct catch_taken), and is put back when
 * it turns out not to. Used by the client's thread.
 */
#ifndef WEIR_REPORT_CATCH_H
#define WEIR_REPORT_CATCH_H

#include "report/memory.h"
#include "report/query_match.h"
#include "report/reply.h"

/* What is wanted. */
struct catch_wish {
	const struct query_match *match; /* borrowed, indexed; NULL: all rows */
	bool sorted;
	size_t by;                 /* where in struct sums; the largest come first */
	uint32_t top;              /* 0: all */
	bool take;                 /* what is picked shall not be shown again */
	bool clear;                /* with `take`: nor shall all other rows, which are gone */
	bool alone;                /* nobody else has the ledger */
};

/* A row that was picked, and for which list of values. */
struct catch_hit {
	uint64_t value;            /* that it is sorted by */
	uint32_t row, list;
};

/* What a client was shown and took: nobody has it for sure. Zeroed: nothing. */
struct catch_taken {
	struct memory *memory;
	uint64_t generation;
	bool by_word;              /* the client says when it has it */
	bool clear;                /* the table is cleared then, */
	struct ledger *ledger;     /* and of this rows go; NULL: none */
	uint32_t n;
	struct catch_row {
		struct sums sums;
		uint32_t row;
	} *rows;                   /* owned */
};

/* Zeroed is a beginning. */
struct catch {
	const struct ledger *ledger;
	uint8_t *rows;             /* less what clients have taken */
	size_t octets;             /* of one */
	uint32_t n;
	struct catch_hit *hits;    /* by list and row, or as sorted */
	size_t n_hits;

	/* private */
	size_t room;
	uint32_t n_taken;
	struct sums *taken;        /* of the first rows, as of the copy */
	uint64_t generation;       /* likewise */
	bool cut;
	size_t by;
};

/*
 * Fill `c`, and with w->take `taken` (settled), which says what. Returns 0; -WEIR_EFULL when lists
 * fit more rows than there may be, -WEIR_EIO when the client of `r` is gone meanwhile:
 * nothing is taken then.
 */
int catch_rows(struct catch *c, const struct catch_wish *w, struct memory *m,
    struct ledger *l, struct reply *r, struct catch_taken *taken);
void catch_fini(struct catch *c);

/* The sums of hit `i`. */
const struct sums *catch_sums(const struct catch *c, size_t i);

/* Let it go: the client has it (`had`), or it goes back into the table. */
void catch_settle(struct catch_taken *t, bool had);

#endif
