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

/* o->priv of a memory output. Clients' threads hold `lock` from reading to resetting. */
struct memory {
	pthread_mutex_t lock;
	uint64_t cleared;          /* ns since 1970, by a client; 0: never */

	/* private */
	struct sums *taken;        /* by row number, of `n` rows */
	uint32_t n;
	uint64_t ledger_cleared, sweeps; /* of the ledger whose row numbers these are */
};

/*
 * Take off the `n` rows at `rows`, copied from `l` from its first one on, what clients have
 * taken before. Returns whether to show row `i`: memory_shows. The caller holds `lock`.
 */
void memory_take_off(struct memory *m, const struct ledger *l, uint8_t *rows, uint32_t n);

/* Whether row `i`, whose sums are `s` by now, is there: one taken whole is not. */
bool memory_shows(const struct memory *m, uint32_t i, const struct sums *s);

/* Row `i` is taken: `s` is what it was shown with. */
void memory_take(struct memory *m, uint32_t i, const struct sums *s);

extern const struct output_ops memory_output;
extern const struct directive_set memory_directives;

#endif
