/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows of a view's ledger for a client: picked and copied under the ledger's lock,
 * written out without it. A connection remembers what it saw last, so that rows can be
 * picked by what they grew by. Used by the client's thread.
 */
#ifndef WEIR_REPORT_QUERY_VIEW_H
#define WEIR_REPORT_QUERY_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "core/engine.h"
#include "report/reply.h"

enum query_sort { SORT_BYTES, SORT_PACKETS, SORT_FLOWS, SORT_NONE };

struct query_view {
	const char *name;
	enum query_sort sort;
	uint32_t top;           /* rows at most; 0: all */
	bool delta;
	uint64_t least;         /* ns: over less there is no delta yet, and the marks stay */
};

/* What a connection saw of a ledger at its last delta request. */
struct query_marks {
	const struct ledger *ledger;
	uint64_t updated, cleared, sweeps;
	uint32_t n, room;
	struct sums *sums;      /* by row number; of n rows */
};

void query_marks_fini(struct query_marks *m);

/* Answer `q`: rows, or an error that names what there is. */
void query_view(const struct engine *en, const struct query_view *q,
    struct query_marks *m, struct reply *r);

#endif
