/* SPDX-License-Identifier: GPL-2.0-or-later */
/* telling: rounds of the journal on their way to archives; what direct.c and batch.c share. */
#ifndef WEIR_RRD_TELLING_H
#define WEIR_RRD_TELLING_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/log.h"
#include "rrd/archive.h"
#include "rrd/delivery.h"

struct telling {
	struct delivery *d;
	struct delivery_result *r;
	struct err *e;         /* of the connection */
	uint64_t at;           /* of the first round */
	size_t n, most;        /* commands of the batch, and how many it takes */
	bool must_forget;      /* a FORGET that is refused is a failure */
	int rc;                /* the first failure, */
	struct err why;        /* and what it was */
	bool aside;            /* it has bins for archives that are suspect still */
	bool again;            /* a file was made anew: tell it all once more */
	uint64_t carried;      /* rows that are carried, or that the result has as refused */
};

/* Keep the first failure. */
static inline void
telling_fails(struct telling *t, int rc, const struct err *why)
{
	if (t->rc != 0)
		return;
	t->rc = rc;
	t->why = *why;
}

/* Tell `k` no more in this delivery. */
static inline void
telling_spoils(struct telling *t, struct known *k)
{
	k->failed = true;
	t->d->failing = true;
}

/* The same, as its file is somebody else's, of which `why` says more: its rows are refused. */
static inline void
telling_refuses(struct telling *t, struct known *k, const struct err *why)
{
	log_err("rrd: %s", why->text);
	telling_spoils(t, k);
}

/* Whether rrdcached has bins of `k` that its file lacks, as far as we know. */
static inline bool
telling_lacks(const struct known *k)
{
	return k->journaled > k->stored && !k->failed && !k->foreign;
}

/* Call `each` for the bins of `entry`. */
static inline void
entry_bins(const struct journal_entry *entry, uint32_t step,
    void (*each)(void *arg, const struct journal_entry *entry, const struct archive_bin *b),
    void *arg)
{
	struct archive_bin b = { .end = entry->end, .unknown = entry->kind == JOURNAL_UNKNOWN };

	if (entry->kind == JOURNAL_CARRY)
		return;
	if (entry->kind == JOURNAL_BIN)
		b.sums = entry->sums;
	if (entry->kind == JOURNAL_IDLE)
		b.end -= (int64_t)(entry->n - 1) * step;
	for (; b.end <= entry->end; b.end += step)
		if (b.end > 0)
			each(arg, entry, &b);
}

/*
 * The file of `k` is not there: make it, with its first bin ending at `end`, and keep its head.
 * Returns 0 when it is there now, or -WEIR_E... with `e`.
 */
int telling_create(struct telling *t, struct known *k, int64_t end, struct err *e);

/*
 * The archive `k` has got the later time `time` from somebody else: the bin of `entry` can go there
 * no more. Carry its rows to the next one, or refuse them.
 */
void telling_late(
    struct telling *t, struct known *k, const struct journal_entry *entry, int64_t time);

/* direct.c: tell `round` through librrd. */
void direct_round(struct telling *t, const struct journal_round *round);

/*
 * batch.c: tell `round` to rrdcached, which may answer at batch_end only: until then the round
 * has to stay; have it write all that archives lack; have it forget what it has of those that
 * are suspect. Return 0, or -WEIR_EIO: the connection broke, or it will not forget.
 */
int batch_round(struct telling *t, const struct journal_round *round);
int batch_end(struct telling *t);
int batch_flush(struct telling *t);
int batch_forget(struct telling *t);

/* telling.c: find whose the entries are. */
void round_whose(struct known_set *ks, struct journal_round *round);

/*
 * Make one more of the fresh rounds of the delivery `arg`; or all. Returns false when all are made.
 */
bool fresh_more(void *arg);
void fresh_all(struct delivery *d);

/*
 * Tell what has not been told. Returns 0, or -WEIR_E...; *whole: all of the journal was gone
 * through, so that what did not get through is known by archive; *again: nothing else has
 * failed, but it should be tried once more.
 */
int rounds_tell(struct delivery *d, struct delivery_result *r, bool *whole, bool *again,
    struct err *e);

/* Account for the rows of `round`, which has got through for the first time. */
void round_account(struct telling *t, const struct journal_round *round);

/*
 * settle.c: after a FLUSH, look which archives have not got all that the journal has since their
 * heads were kept: `*unsettled` of them are suspect then and told no more in this delivery, `first`
 * is the path of one. Returns 0, or -WEIR_E... when the journal cannot be read.
 */
int settle_look(struct telling *t, uint32_t *unsettled, char first[PATH_MAX]);

#define MENDS 3U /* of the same journal: what an archive has too much after that, it keeps */

#define BATCH_COMMANDS 65536U /* that rrdcached gets at once */

/* What a command of a batch was about. */
struct cached_item {
	struct known *k;
	const struct journal_entry *entry; /* NULL: not a bin */
	int64_t end;
};

#endif
