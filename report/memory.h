/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory: an output that only keeps a ledger, which report/query.h shows to `weir show`
 * and `weir top`. Besides, it is pmacct's memory table, which clients reset: what they have
 * taken is remembered here, by row, so that the ledger's totals go on for all others.
 */
#ifndef WEIR_REPORT_MEMORY_H
#define WEIR_REPORT_MEMORY_H

#include <pthread.h>

#include "core/ledger.h"
#include "core/output.h"
#include "lib/directive.h"

struct memory_config {
	const char *path; /* of a socket of its own; NULL: none */
};

/*
 * o->priv of a memory output. Clients' threads hold `lock` while they look at it or change it,
 * and only so long; who needs the ledger's lock, too, takes it second.
 */
struct memory {
	pthread_mutex_t lock;
	uint64_t cleared;          /* ns since 1970, by a client; 0: never */
	unsigned pending;          /* clients that took what they may have to give back */
	uint64_t generation;       /* changes when row numbers do, and when all was cleared */
	struct sums *taken;        /* by clients, by row number, of `n` rows */
	uint32_t n;

	/* private */
	uint64_t ledger_cleared, sweeps; /* of the ledger whose row numbers these are */
};

/* See whether the row numbers of `l` are still those that `m` knows. Under both locks. */
void memory_follow(struct memory *m, const struct ledger *l);

/*
 * Take row `i`, of which `*total` was counted in all: returns what was left of that, and is now
 * taken. Under the lock, as those below.
 */
struct sums memory_take(struct memory *m, uint32_t i, const struct sums *total);

/* `s` of row `i`, which was taken, is there again. */
void memory_put_back(struct memory *m, uint32_t i, const struct sums *s);

/*
 * Forget all rows of `l`: for good where the ledger is this table's `alone`, else for its
 * clients. Under both locks.
 */
void memory_clear(struct memory *m, struct ledger *l, bool alone);

/*
 * Let rows of `l` go of which all is taken: this table alone has them. Not while some may have to
 * be put back. Under both locks.
 */
void memory_tidy(struct memory *m, struct ledger *l);

extern const struct output_ops memory_output;
extern const struct directive_set memory_directives;

#endif
