/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * delivery: the way from the journal to the archives, through librrd (direct.c) or through
 * rrdcached (batch.c).
 *
 *   journal  |- flushed -|- taken by rrdcached -|- to be told -|
 *                                               ^ `told`
 *
 * What rrdcached has taken is in its memory, and lost when it is killed: it is told all
 * of the journal again when the connection was lost. Every so often it is asked to write
 * what it has; when the files are seen to have what the journal says, that begins anew. RRD
 * takes no time twice: what has come through already is refused, and that is as good.
 *
 * Who is killed while he writes an archive leaves it half changed. So the heads of archives
 * (heads.h) are kept before they are told anything that the journal has, and put back when
 * weir or rrdcached may have died: then all of the journal is told again. What is known of single
 * archives is done with those: one that is locked, or cannot be read or written, is told nothing
 * until it can, and the journal keeps what is for it. The output's thread only.
 */
#ifndef WEIR_RRD_DELIVERY_H
#define WEIR_RRD_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "rrd/cached.h"
#include "rrd/heads.h"
#include "rrd/journal.h"
#include "rrd/known.h"

/*
 * What a snapshot comes to, in rounds that the journal has last. They are made while those before
 * are told.
 */
struct rounds {
	struct journal_round *v;   /* those that there are; stays where it is */
	size_t n;
	/*
	 * Make the next one, and append it to the journal: where that fails, there is none. Returns false
	 * when all are made. NULL: they are.
	 */
	bool (*more)(void *arg);
	void *arg;
};

struct delivery {
	struct known_set *ks;
	struct journal *journal;
	struct cached *cached;     /* NULL: librrd */
	uint32_t flush_s;          /* how often rrdcached is asked to write */
	bool drop_late;            /* what somebody else has overtaken is refused, not carried */
	/* private; of the journal's octets */
	uint64_t told;             /* all before it has got through, */
	uint64_t counted;          /* or had once, and its rows are accounted for; */
	uint64_t maybe;            /* before it anything may have got through */
	uint64_t since;            /* the journal began anew, clock_mono */
	uint64_t carried;          /* rows after `counted` that are carried: they are not written */
	struct heads heads;
	bool failing;              /* some archive has `failed` */
	bool carries;              /* one carries more since it was told */
	bool suspect;              /* some archive is `suspect` */
	unsigned mends;            /* how often they had other sums than the journal */
	struct journal_round round; /* one that was read, */
	struct rounds read;        /* by itself */
	struct rounds *fresh;      /* of the snapshot, or NULL; */
	uint64_t fresh_at;         /* and where they begin */
	struct cached_item *items;  /* commands of a batch */
};

struct delivery_result {
	uint64_t written;   /* rows */
	uint64_t refused;   /* rows whose archive is another's by now, or gone; and late ones */
	uint64_t gone;      /* part of `refused` */
	uint64_t put_back;  /* archives */
	uint64_t late;      /* rows that came too late: somebody else wrote a later time */
	uint64_t bins;
	bool flushed;       /* archives have all, and the journal began anew */
};

/*
 * Begin: what is in the journal is known to the archives of `ks`, but may have to be told.
 * Gives how many rows that is to `*rows`. Returns 0, or -WEIR_E... with `e`: delivery_fini then
 * has nothing to do.
 */
int delivery_init(struct delivery *d, struct known_set *ks, struct journal *j,
    struct cached *cached, uint32_t flush_s, uint64_t *rows, struct err *e);
void delivery_fini(struct delivery *d);

/*
 * Tell archives all that they have not been told, and what `fresh` comes to, all of which is made in
 * any case: first of all, where there is something else to be done or waited for. `last`: weir
 * ends. Returns 0; or -WEIR_E... with `e`: what could not be told stays in the journal. Adds to `r`.
 */
int delivery_run(struct delivery *d, struct rounds *fresh, bool last, struct delivery_result *r,
    struct err *e);

/* Rounds' octets that wait to be told. */
uint64_t delivery_waiting(const struct delivery *d);

#endif
