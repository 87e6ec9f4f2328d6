/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * view: one configured aggregate, its key fields and its time bins; several outputs may
 * share one. A shard is one worker's private part of it: the slab that it fills. The
 * publisher asks for rotation by offering an empty slab; the worker takes it between two
 * pieces of work and retires the full one. Slabs come from the view's pool, which bounds
 * the view's memory.
 */
#ifndef WEIR_CORE_VIEW_H
#define WEIR_CORE_VIEW_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "core/ledger.h"
#include "core/slab.h"
#include "flow/rowspec.h"
#include "rules/sieve.h"

/* What becomes of rows of unknown class while that may still change. */
enum view_unknown {
	UNKNOWN_GOES,      /* they go as all others do */
	UNKNOWN_WAITS,     /* they are held back */
	UNKNOWN_HOLDS_BIN, /* all rows of their bin are: no row can be written twice */
};

#define VIEW_UNKNOWN_WAITS 5U /* refreshes that they are held back, at most */

/* What the operator asked for; views with equal ones are one view. */
struct view_config {
	struct field_set aggregate;  /* KEY and ADD/OR/MIN/MAX fields; SUM fields are the outputs' */
	struct bins bins;            /* history; none for views that only have a ledger */
	uint32_t refresh_s;          /* how often rows go to outputs; 0: never (ledger only) */
	uint32_t delay_s;            /* shifts the times at which they go */
	bool hold_open;              /* rows wait until their bin is over */
	bool pro_rating;             /* flows are divided among the bins that they span */
	bool adds_up;                /* who gets a row adds it to what it got of its bin before */
	enum view_unknown unknown;   /* of views with `class` */
	uint32_t sampling_rate;      /* one packet in so many is counted; 0: all are */
};

/*
 * The books of a view. The first five and `ledger` stand as of the last rotation; those
 * that follow as of the last time that rows were published.
 */
struct view_books {
	struct sums fed, filtered, counted; /* by the workers */
	struct sums sampled_out, scaled;    /* by their sieves */
	struct sums ledger;                 /* by summing the rows that the ledger took */
	struct sums collected;              /* `counted`, when rows were last published */
	struct sums rows, other, held;      /* by summing: published, without room, waiting */
	uint64_t other_records, late_records;
};

struct view {
	char name[64];          /* of the first output that asked for it */
	struct view_config config;
	struct rowspec rs;
	uint32_t max_rows;
	uint32_t max_slabs;
	bool wants_flow_starts; /* some output shows `flows` */
	struct ledger *ledger;  /* NULL where nobody listens */
	bool moves;             /* slabs tell of moves (core/moves.h) */
	uint32_t unknown_class; /* with `unknown`: class_id of what has none */
	_Atomic uint64_t gone;  /* ns since 1970: rows of what is older were published */

	pthread_mutex_t pool_lock;
	struct slab *pool;
	uint32_t slabs;         /* in existence */

	pthread_mutex_t books_lock;
	struct view_books books; /* the publisher writes, under the lock; outputs count under it */

	/* the publisher's */
	struct slab *held;      /* rows collected and not yet published */
	uint64_t next_due;      /* ns since 1970: when rows go to outputs next */
	unsigned crowded;       /* this round is for shards that are: bins that may come; else 0 */
	bool offered;           /* in this round: a slab, to each shard */
	uint64_t horizon;       /* bins that end by then were collected, ns since 1970 */
	uint64_t seq;           /* of the last snapshot */
	uint64_t last_commit;   /* ns since 1970 */
};

/* One worker's part of a view. */
struct shard {
	const struct view *view;
	uint64_t bit;                      /* by the number of the view, modulo 64 */
	struct slab *active;               /* the worker's */
	uint64_t began;                    /* number of the first batch that is in it */
	uint64_t stayed;                   /* records that did not move, so far */
	_Atomic(struct slab *) offered;    /* by the publisher: take it and rotate */
	_Atomic(struct slab *) retired;    /* by the worker: full, for the publisher */
	_Atomic unsigned crowded;          /* the worker's: bins of `active`, from SLAB_CROWDED on */
	struct bin bin;                    /* of the last record */
	uint16_t bin_no;
	struct sums fed_mark;              /* worker's fed sums at the last rotation */
	struct sieve *sieve;           /* NULL: every packet is counted */
};

/*
 * A view called `name` for `workers` workers. Its pool can make two slabs for each worker
 * and six more. Returns NULL with `e` filled.
 */
struct view *view_new(const char *name, const struct view_config *config,
    uint32_t max_rows, unsigned workers, struct err *e);
void view_free(struct view *v);

/* Give the view a ledger, if it has none. Returns 0 or -WEIR_ENOMEM. */
int view_ledger_want(struct view *v, struct err *e);

/* Whether an output that asks for `config` can share `v`. */
bool view_serves(const struct view *v, const struct view_config *config);

/*
 * Whether rows are to be published at time `now`; also when the clock was set back beyond
 * the last time that they were.
 */
bool view_is_due(const struct view *v, uint64_t now);

/* Move next_due by whole refreshes to the first such time after `now`. */
void view_due_next(struct view *v, uint64_t now);

/* The most memory that the view can take, in octets. */
uint64_t view_max_octets(const struct view *v);

/* An empty slab, or NULL when the pool is exhausted. Any thread. */
struct slab *view_slab_get(struct view *v);

/* Give a slab back. Any thread. */
void view_slab_put(struct view *v, struct slab *s);

/* A shard of `v` with its first slab. Returns 0 or -WEIR_ENOMEM. */
int shard_init(struct shard *sh, struct view *v, struct err *e);
void shard_fini(struct shard *sh);

/*
 * Make the sieve that the view asks for, if any; its arguments are sieve_new's.
 * Returns 0 or -WEIR_ENOMEM.
 */
int shard_sample(struct shard *sh, const bool renormalize[SOURCE_COUNT], size_t octets,
    struct err *e);

/* Count `n` (to FLOW_BATCH) flows: the hot path. The worker's thread. */
void shard_feed(struct shard *sh, const struct flow *flows, unsigned n);

/*
 * The same for a shard with a sieve: count those of `n` flows of `source` that it takes.
 * Returns how many of them have a counter that says less than it should.
 */
uint64_t shard_feed_sample(struct shard *sh, enum flow_source source,
    const struct flow *flows, unsigned n);

/* A record whose class was told late. */
struct shard_move {
	uint64_t batch; /* number of the batch that it was counted with */
	bool stays;     /* other rules have said its row than do now */
	uint64_t *lost; /* bits of shards in which it moves no more: one did not do it */
};

/*
 * Move `n` records, flows in pairs: each was counted as the first and is the second, which
 * counts as much at the same time. In which row it is, is known as long as each of its moves was
 * done; so it stays for ever where one was not (moves[i]->lost). What the active slab has not
 * counted is in one that the publisher has:
 *
 * - where that holds rows back, or has nothing but a ledger, it is told;
 * - where rows add up in the end, the row takes what others of the same key count by now;
 * - elsewhere what was published stays.
 *
 * Returns how many moved; those that the publisher is told of it counts itself.
 */
unsigned shard_move(struct shard *sh, const struct flow *pairs,
    const struct shard_move *const *moves, unsigned n);

/*
 * The same for `n` records that filters left out by the class of that moment, and let through by
 * what they are: they are counted, while what they are counted with is not written for good.
 */
unsigned shard_enter(struct shard *sh, const struct flow *flows,
    const struct shard_move *const *moves, unsigned n);

/* And for those that they let through as they were: while the active slab has them. */
unsigned shard_leave(struct shard *sh, const struct flow *flows,
    const struct shard_move *const *moves, unsigned n);

/* None of them moves: it is not known in which row they are. */
unsigned shard_stay(struct shard *sh, const struct flow *flows,
    const struct shard_move *const *moves, unsigned n);

/*
 * Rotate if the publisher offers a slab; `fed` is all that the worker has fed so far, in
 * `batches` batches. The worker's thread, between two pieces of work. Returns whether it did.
 */
bool shard_rotate(struct shard *sh, const struct sums *fed, uint64_t batches);

/* Whether rows of `v` may be held back when others are published. */
static inline bool
view_holds(const struct view *v)
{
	return v->config.hold_open || v->config.unknown != UNKNOWN_GOES;
}

/*
 * Slabs of `v` that are taken from now on tell of moves, if that is of use. Main thread, while
 * nothing runs.
 */
void view_moves_want(struct view *v);

#endif
