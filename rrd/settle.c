/* SPDX-License-Identifier: GPL-2.0-or-later */
/* settle: whether files have what rrdcached was told, which its word for it does not prove. */
#include "rrd/telling.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* Add up what archives should have got, by known_no, of the bins that the journal has. */
static int
due_sum(struct delivery *d, struct sums *due, struct err *e)
{
	int got;

	for (uint64_t at = JOURNAL_START; (got = journal_read(d->journal, at, &d->round, e)) > 0;
	     at = d->round.end) {
		round_whose(d->ks, &d->round);
		for (size_t i = 0; i < d->round.n; i++) {
			const struct journal_entry *entry = &d->round.entries[i];

			if (entry->k != NULL && entry->kind == JOURNAL_BIN &&
			    entry->end > entry->k->base)
				sums_add(&due[known_no(d->ks, entry->k)], &entry->sums);
		}
	}
	return got;
}

/* Archives hold floating-point rates. */
static bool
nearly(double have, uint64_t due)
{
	return fabs(have - (double)due) <= 0.5 + 1e-9 * (double)due;
}

/*
 * Whether the file of `k` has all that it should have got since its head was kept, `due`. What
 * rrdcached says of it is no proof: another's FORGET, or an update that failed, is not told us.
 */
static bool
file_settled(struct delivery *d, struct known *k, const struct sums *due)
{
	struct archive_sums have;
	struct err why = ERR_INIT;
	char path[PATH_MAX];
	int64_t stored;
	int rc;

	if (archive_wait(known_path(d->ks, k, path), &d->ks->patience_ms, &why) != 0)
		return false;
	stored = archive_last(path);
	if (stored < k->journaled)
		return false;
	rc = k->headed && !k->unsure ? archive_sums(path, d->ks->shape.step_s, k->base,
	    k->journaled, &have, &why) : -WEIR_ENOENT;
	if (rc == 0 && (!nearly(have.bytes, due->bytes) ||
	        !nearly(have.packets, due->packets) || !nearly(have.flows, due->flows))) {
		if (d->mends < MENDS)
			return false;
		log_err("rrd: %s has %.0f bytes in the time of the journal, which has %" PRIu64,
		    path, have.bytes, due->bytes);
	}
	k->stored = stored;
	return true;
}

int
settle_look(struct telling *t, uint32_t *unsettled, char first[PATH_MAX])
{
	struct known_set *ks = t->d->ks;
	struct sums *due = calloc((size_t)ks->table.n + 1, sizeof(*due));
	int rc;

	if (due == NULL)
		abort();
	rc = due_sum(t->d, due, t->e);
	*unsettled = 0;
	for (uint32_t i = 0; i < ks->n && rc == 0; i++) {
		struct known *k = ks->order[i];

		if (!telling_lacks(k) || file_settled(t->d, k, &due[known_no(ks, k)]))
			continue;
		if ((*unsettled)++ == 0)
			known_path(ks, k, first);
		k->ready = false; /* it may be no archive any more */
		k->suspect = k->headed && !k->unsure;
		telling_spoils(t, k);
	}
	free(due);
	return rc;
}
