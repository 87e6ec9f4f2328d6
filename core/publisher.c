/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/publisher.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/alarms.h"
#include "core/engine.h"
#include "core/moves.h"
#include "core/output.h"
#include "core/topn.h"
#include "core/watch.h"
#include "core/worker.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/thread.h"

#define TICK_S       1 /* publish interval of ledgers, and how finely refresh times are kept */
#define REST_MS      50 /* from the end of a round to one that somebody asks for */
#define BREATH_MS    1 /* to one that a file waits for; more, up to REST_MS, when it waits in vain */
#define CUT_WAIT_S   5 /* a worker that has not answered by then is left out of the round */

struct publisher {
	struct engine *engine;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool running, stop;
	bool hurry;               /* a file waits for a round; under the lock */
	unsigned breath_ms;       /* from the end of a round to one that a file waits for */
	uint64_t horizon;         /* of this round: what is older was in the shards at the cut */
	uint64_t asked, answered; /* requests for a round: made, and met; under the lock */
	uint32_t cut;
	_Atomic uint64_t rounds;
	struct log_limit limit;
};

struct publisher *
publisher_new(struct engine *engine, struct err *e)
{
	struct publisher *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for the publisher");
		return NULL;
	}
	p->engine = engine;
	p->breath_ms = BREATH_MS;
	p->limit = (struct log_limit)LOG_LIMIT_INIT;
	pthread_mutex_init(&p->lock, NULL);
	thread_cond_init(&p->changed);
	return p;
}

void
publisher_free(struct publisher *p)
{
	if (p == NULL)
		return;
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->changed);
	free(p);
}

void
publisher_notify(struct publisher *p)
{
	pthread_mutex_lock(&p->lock);
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

uint64_t
publisher_rounds(const struct publisher *p)
{
	return atomic_load(&p->rounds);
}

void
publisher_hurry(struct publisher *p)
{
	pthread_mutex_lock(&p->lock);
	p->hurry = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

/*
 * Where a shard of view `no` has so many bins that a file waits for it: how many all may have.
 * Otherwise 0.
 */
static unsigned
view_crowd(const struct engine *en, unsigned no)
{
	unsigned bins = 0;
	bool crowded = false;

	for (unsigned i = 0; i < en->n_workers; i++) {
		unsigned n = atomic_load(&en->workers[i].shards[no].crowded);

		bins += n > 0 ? n : SLAB_CROWDED;
		crowded |= n > 0;
	}
	return crowded ? bins : 0;
}

static bool
outputs_have_room(const struct engine *en, const struct view *v)
{
	for (unsigned i = 0; i < en->n_outputs; i++)
		if (en->outputs[i]->view == v && !output_has_room(en->outputs[i]))
			return false;
	return true;
}

/*
 * Whether some output needs what the shards of view `no` hold. Where one of these is crowded,
 * and what is held already has no way out, nothing is taken: there is no room for more bins.
 * A ledger on the view has to wait with it, as the same slab is for both.
 */
static bool
view_wants_rotation(const struct engine *en, unsigned no, uint64_t now, bool last)
{
	const struct view *v = en->views[no];

	if (v->crowded > 0 && !last && v->held != NULL &&
	    v->held->n_bins + v->crowded > SLAB_BINS && !outputs_have_room(en, v))
		return false;
	return last || v->ledger != NULL || v->crowded > 0 || view_is_due(v, now);
}

/*
 * Offer an empty slab to each shard of view `no`; those that get none go on with what they
 * have. In the last round there is no going on: each gets one, whatever the pool's bound.
 * Returns whether each has one.
 */
static bool
view_offer(struct engine *en, unsigned no, bool last)
{
	bool all = true;

	for (unsigned i = 0; i < en->n_workers; i++) {
		struct shard *sh = &en->workers[i].shards[no];
		struct slab *s;

		if (atomic_load(&sh->offered) != NULL)
			continue;
		if (atomic_load(&sh->retired) != NULL) {
			all = false;
			continue;
		}
		s = view_slab_get(en->views[no]);
		if (s == NULL && last)
			s = slab_new(&en->views[no]->rs, en->views[no]->max_rows, NULL);
		if (s != NULL)
			atomic_store_explicit(&sh->offered, s, memory_order_release);
		all &= s != NULL;
	}
	return all;
}

/* Whether each shard of view `no` has taken what it was offered. */
static bool
view_has_rotated(const struct engine *en, unsigned no)
{
	for (unsigned i = 0; i < en->n_workers; i++)
		if (atomic_load(&en->workers[i].shards[no].offered) != NULL)
			return false;
	return true;
}

static bool
cut_complete(const struct publisher *p)
{
	for (unsigned i = 0; i < p->engine->n_workers; i++)
		if (atomic_load(&p->engine->workers[i].cut_done) != p->cut)
			return false;
	return true;
}

/* Have every worker rotate and copy its stats, and wait until all have. */
static void
cut_make(struct publisher *p)
{
	struct timespec until;

	p->cut++;
	for (unsigned i = 0; i < p->engine->n_workers; i++) {
		struct worker *w = &p->engine->workers[i];

		worker_cut_ask(w, p->cut);
		if (!w->running)
			worker_cut(w);
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += CUT_WAIT_S;
	pthread_mutex_lock(&p->lock);
	while (!cut_complete(p))
		if (pthread_cond_timedwait(&p->changed, &p->lock, &until) == ETIMEDOUT)
			break;
	pthread_mutex_unlock(&p->lock);
	if (!cut_complete(p))
		log_limited(&p->limit, "publisher: a worker has not answered for %d s",
		    CUT_WAIT_S);
}

static void
books_collect(struct view *v, const struct slab *s)
{
	struct sums ledger = { 0 };

	if (v->ledger != NULL) {
		ledger_lock(v->ledger); /* somebody may clear it */
		ledger = v->ledger->total;
		sums_add(&ledger, &v->ledger->forgotten);
		sums_take_off(&ledger, &v->ledger->restored);
		ledger_unlock(v->ledger);
	}
	pthread_mutex_lock(&v->books_lock);
	sums_add(&v->books.fed, &s->fed);
	sums_add(&v->books.filtered, &s->filtered);
	sums_add(&v->books.sampled_out, &s->sampled_out);
	sums_add(&v->books.scaled, &s->scaled);
	sums_add(&v->books.counted, &s->counted);
	v->books.other_records += s->other_records;
	v->books.late_records += s->late_records;
	v->books.ledger = ledger;
	pthread_mutex_unlock(&v->books_lock);
}

/* What workers could not do themselves, as they have passed the rows on. */
static void
moves_count(struct engine *en, struct moves_told told)
{
	stat_add(&en->beside, STAT_CLASS_MOVED, told.moved);
	stat_add(&en->beside, STAT_CLASS_STAYED, told.stayed);
}

/* Take over slab `s` of a shard of `v`. */
static void
slab_collect(struct engine *en, struct view *v, struct slab *s, uint64_t now)
{
	struct moves_told told = { 0, 0 };
	uint64_t shared = s->late_records;

	slab_tidy(&v->rs, s);
	if (v->ledger != NULL)
		told = ledger_add(v->ledger, s, now);
	books_collect(v, s);
	v->last_commit = now;
	if (v->config.refresh_s == 0) {
		moves_count(en, told);
		view_slab_put(v, s);
	} else if (v->held == NULL) {
		v->held = s;
		moves_count(en, moves_apply(&v->rs, s, s));
	} else {
		shared += slab_merge(&v->rs, v->held, s);
		moves_count(en, moves_apply(&v->rs, v->held, s));
		view_slab_put(v, s);
	}
	stat_add(&en->beside, STAT_BINS_FULL, shared);
}

/* The present as far as bins are concerned: file readers may be behind the clock. */
static uint64_t
engine_horizon(const struct engine *en, uint64_t now)
{
	uint64_t horizon = now;

	for (unsigned i = 0; i < en->n_workers; i++) {
		const struct worker *w = &en->workers[i];

		for (unsigned c = 0; c < w->n_collectors; c++) {
			uint64_t h = atomic_load(&w->collectors[c]->horizon);

			if (w->collectors[c]->follows_file_time && h < horizon)
				horizon = h;
		}
	}
	return horizon;
}

/* Rows of several bins are sorted in any case: outputs write one bin after the other. */
static bool
outputs_want_order(const struct engine *en, const struct view *v)
{
	if (!bins_are_none(&v->config.bins))
		return true;
	for (unsigned i = 0; i < en->n_outputs; i++)
		if (en->outputs[i]->view == v && en->outputs[i]->ops->sorted)
			return true;
	return false;
}

static void
books_publish(struct view *v, const struct slab *s)
{
	struct sums rows = slab_rows_sum(&v->rs, s), other = slab_other_sum(s);
	struct sums held = { 0 };

	if (v->held != NULL) {
		struct sums held_other = slab_other_sum(v->held);

		held = slab_rows_sum(&v->rs, v->held);
		sums_add(&held, &held_other);
	}
	pthread_mutex_lock(&v->books_lock);
	sums_add(&v->books.rows, &rows);
	sums_add(&v->books.other, &other);
	v->books.held = held;
	v->books.collected = v->books.counted;
	pthread_mutex_unlock(&v->books_lock);
}

/* From which time on records may still be of another class. */
static uint64_t
engine_unsettled(const struct engine *en)
{
	uint64_t first = UINT64_MAX;

	for (unsigned i = 0; i < en->n_workers; i++) {
		uint64_t one = atomic_load(&en->workers[i].unsettled);

		if (one != 0 && one < first)
			first = one;
	}
	return first;
}

/*
 * What of bin `i` of `s` is held back: all until it is over where the view is of whole bins; then
 * what may still be of another class, for some refreshes.
 */
static enum slab_stays
bin_stays(const struct view *v, struct slab *s, uint16_t i, uint64_t horizon,
    uint64_t unsettled)
{
	const struct bin *bin = &s->bins[i];

	if (v->config.hold_open && bin->end > horizon)
		return SLAB_STAYS;
	if (v->config.unknown == UNKNOWN_GOES || bin->end <= unsettled ||
	    s->waited[i] == VIEW_UNKNOWN_WAITS)
		return SLAB_GOES;
	s->waited[i]++;
	return v->config.unknown == UNKNOWN_WAITS ? SLAB_UNKNOWN_STAYS : SLAB_STAYS;
}

/* Put what `slab` may not yet publish into v->held. Returns false when it has no room. */
static bool
view_hold(struct view *v, struct slab *slab, uint64_t horizon, uint64_t unsettled)
{
	struct slab_split how = { .unknown = v->unknown_class,
		.class_offset = v->rs.offset[F_CLASS] };
	struct slab *held = view_slab_get(v);
	uint64_t gone = v->config.hold_open ? bins_find(&v->config.bins, horizon).start
	                                    : horizon;

	if (held == NULL)
		return false;
	for (uint16_t i = 0; i < slab->n_bins; i++) {
		how.stays[i] = (uint8_t)bin_stays(v, slab, i, horizon, unsettled);
		if (how.stays[i] != SLAB_GOES && slab->bins[i].start < gone)
			gone = slab->bins[i].start;
	}
	slab_split(&v->rs, slab, held, &how);
	if (held->n_bins > 0)
		v->held = held;
	else
		view_slab_put(v, held);
	atomic_store_explicit(&v->gone, gone, memory_order_relaxed);
	return true;
}

/* Publish the rows that `v` holds. What cannot go now waits for the next round. */
static void
view_publish(struct publisher *p, struct view *v, uint64_t now, bool last)
{
	struct engine *en = p->engine;
	uint64_t horizon = last ? UINT64_MAX : v->horizon;
	struct slab *slab = v->held;
	struct snapshot *snap;

	if (!last && !outputs_have_room(en, v))
		return;
	if (slab == NULL && (slab = view_slab_get(v)) == NULL)
		return;
	v->held = NULL;
	slab_tidy(&v->rs, slab);
	if (view_holds(v) && !last && !view_hold(v, slab, horizon, engine_unsettled(en))) {
		v->held = slab;
		return;
	}
	books_publish(v, slab);
	snap = snapshot_new(v, slab, outputs_want_order(en, v));
	if (snap == NULL)
		abort(); /* some hundred octets: the machine is out of memory */
	snap->seq = ++v->seq;
	snap->cut = now;
	snap->horizon = horizon;
	snap->last = last;
	for (unsigned i = 0; i < en->n_outputs; i++)
		if (en->outputs[i]->view == v && en->outputs[i]->ops->wants == OUTPUT_SNAPSHOTS)
			output_push(en->outputs[i], snap);
	snapshot_unref(snap);
	view_due_next(v, now);
}

static void
view_collect(struct engine *en, unsigned no, uint64_t now)
{
	for (unsigned i = 0; i < en->n_workers; i++) {
		struct slab *s = atomic_exchange_explicit(&en->workers[i].shards[no].retired,
		    NULL, memory_order_acquire);

		if (s != NULL)
			slab_collect(en, en->views[no], s, now);
	}
}

static void
view_round(struct publisher *p, unsigned no, uint64_t now, bool last)
{
	struct engine *en = p->engine;
	struct view *v = en->views[no];

	if (v->offered && view_has_rotated(en, no))
		v->horizon = p->horizon;
	view_collect(en, no, now);
	if (v->config.refresh_s != 0 && (last || v->crowded > 0 || view_is_due(v, now)))
		view_publish(p, v, now, last);
}

/* Tell the outputs that look at the ledger of `v`. */
static void
view_tell(struct engine *en, struct view *v)
{
	if (v->ledger != NULL)
		for (unsigned i = 0; i < en->n_outputs; i++)
			if (en->outputs[i]->view == v && en->outputs[i]->ops->ledger != NULL)
				en->outputs[i]->ops->ledger(en->outputs[i], v->ledger);
}

void
publisher_round(struct publisher *p, uint64_t now, bool last)
{
	struct engine *en = p->engine;
	bool stalled = false;

	p->horizon = engine_horizon(en, now); /* before the cut: after it files are read on */
	for (unsigned i = 0; i < en->n_views; i++) {
		/* A worker that was late for the last cut has left its slab there. */
		view_collect(en, i, now);
		en->views[i]->crowded = view_crowd(en, i);
		en->views[i]->offered = view_wants_rotation(en, i, now, last) &&
		    view_offer(en, i, last);
		stalled |= en->views[i]->crowded > 0 && !en->views[i]->offered;
	}
	p->breath_ms = !stalled ? BREATH_MS
	    : p->breath_ms < REST_MS / 2 ? 2 * p->breath_ms : REST_MS;
	cut_make(p);
	for (unsigned i = 0; i < en->n_views; i++)
		view_round(p, i, now, last);
	if (en->watches != NULL)
		watches_tick(en->watches, now);
	if (en->alarms != NULL)
		alarms_look(en->alarms, now);
	if (en->topns != NULL)
		topns_look(en->topns, now);
	/* All views first: what outputs see belongs to one moment. */
	for (unsigned i = 0; i < en->n_views; i++)
		view_tell(en, en->views[i]);
	atomic_fetch_add(&p->rounds, 1);
}

static bool
is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

static struct timespec
later(struct timespec t, long ms)
{
	t.tv_nsec += ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

/*
 * Until `tick`; when somebody asks for a round, until it has rested since `ended`; when a file
 * waits, until it has taken breath. Returns false to stop.
 */
static bool
round_wait(struct publisher *p, const struct timespec *tick, const struct timespec *ended)
{
	const struct timespec rest = later(*ended, REST_MS);
	const struct timespec breath = later(*ended, p->breath_ms);

	while (!p->stop) {
		const struct timespec *until = tick;

		if (p->asked != p->answered && is_before(&rest, until))
			until = &rest;
		if (p->hurry && is_before(&breath, until))
			until = &breath;
		if (pthread_cond_timedwait(&p->changed, &p->lock, until) == ETIMEDOUT)
			return !p->stop;
	}
	return false;
}

static void *
publisher_main(void *arg)
{
	struct publisher *p = arg;
	struct timespec tick, ended = { 0, 0 };

	clock_gettime(CLOCK_MONOTONIC, &tick);
	tick.tv_sec += TICK_S;
	pthread_mutex_lock(&p->lock);
	while (round_wait(p, &tick, &ended)) {
		uint64_t asked = p->asked;

		p->hurry = false;
		pthread_mutex_unlock(&p->lock);
		publisher_round(p, clock_real(), false);
		pthread_mutex_lock(&p->lock);
		p->answered = asked;
		pthread_cond_broadcast(&p->changed);
		clock_gettime(CLOCK_MONOTONIC, &ended);
		if (is_before(&tick, &ended))
			tick.tv_sec += TICK_S;
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

void
publisher_refresh(struct publisher *p)
{
	struct timespec until;
	uint64_t mine;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += TICK_S + CUT_WAIT_S;
	pthread_mutex_lock(&p->lock);
	mine = ++p->asked;
	pthread_cond_broadcast(&p->changed);
	while (p->running && !p->stop && p->answered < mine)
		if (pthread_cond_timedwait(&p->changed, &p->lock, &until) == ETIMEDOUT)
			break;
	pthread_mutex_unlock(&p->lock);
}

int
publisher_start(struct publisher *p, struct err *e)
{
	int rc;

	pthread_mutex_lock(&p->lock);
	rc = thread_start(&p->thread, "weir-publish", publisher_main, p, e);
	p->running = rc == 0;
	pthread_mutex_unlock(&p->lock);
	return rc;
}

void
publisher_stop(struct publisher *p)
{
	if (!p->running)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	pthread_mutex_lock(&p->lock);
	p->running = false;
	pthread_mutex_unlock(&p->lock);
}
