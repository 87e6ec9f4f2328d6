/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/drain.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/collector.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/thread.h"
#include "sql/facts.h"

#define PAUSE_FIRST (CLOCK_S / 4)
#define PAUSE_LAST (30 * CLOCK_S)
#define HOPELESS 3 /* tries in a row, after which others need not wait for it */
#define FAULTS 4 /* of batches in one run */
#define PATIENCE (4 * CLOCK_S) /* with a database that stands still while weir ends, */
#define HUNG (2 * CLOCK_S) /* a fault that takes so long comes of silence */
#define PATIENCE_ROW (50 * CLOCK_US) /* and for each row that it has in hand */

struct drain {
	struct drain_config c;
	pthread_t thread;
	bool running; /* there is one */
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	bool woken, stop, ended;
	/* the thread's */
	uint64_t pause, again; /* after a fault: how long, until when (monotonic ns) */
	bool hung; /* the last one was long in coming */
};

/* Plugins that write now, all engines and databases together. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned n;
} turns = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

static void
turns_init(void)
{
	cond_init(&turns.changed);
}

static bool
stopping(struct drain *d)
{
	bool stop;

	pthread_mutex_lock(&d->lock);
	stop = d->stop;
	pthread_mutex_unlock(&d->lock);
	return stop;
}

/*
 * Wait until fewer than sql_max_writers write; at the end not for ever for those that hang.
 * Returns how many do, this one included.
 */
static unsigned
turn_take(struct drain *d)
{
	struct timespec until;
	unsigned n, waited = 0; /* s, since weir began to end */

	pthread_mutex_lock(&turns.lock);
	while (turns.n >= d->c.max_writers && waited < PATIENCE / CLOCK_S) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += 1;
		if (pthread_cond_timedwait(&turns.changed, &turns.lock, &until) ==
		    ETIMEDOUT)
			waited += stopping(d);
	}
	n = ++turns.n;
	pthread_mutex_unlock(&turns.lock);
	return n;
}

static void
turn_give(void)
{
	pthread_mutex_lock(&turns.lock);
	turns.n--;
	pthread_cond_broadcast(&turns.changed);
	pthread_mutex_unlock(&turns.lock);
}

struct drain *
drain_new(const struct drain_config *c)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct drain *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->c = *c;
	pthread_mutex_init(&d->lock, NULL);
	pthread_once(&once, turns_init);
	cond_init(&d->changed);
	return d;
}

void
drain_free(struct drain *d)
{
	if (d == NULL)
		return;
	pthread_cond_destroy(&d->changed);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

/* Show how much waits. */
static void
depth_show(struct drain *d)
{
	struct spool_depth depth = spool_depth(d->c.spool);
	struct output *o = d->c.output;

	atomic_store(&o->waiting, depth.batches);
	atomic_store(&o->waiting_octets, depth.octets);
	atomic_store(&o->waiting_since, depth.since);
}

/* A bin of `it` is in: the books, and the trigger. */
static void
bin_done(struct drain *d, struct spool_item *it, const struct batch_reader *b,
    const struct output_result *r, uint64_t elapsed, unsigned writers)
{
	struct output_result account = { .rows = it->former ? r->rows : 0,
		.written = r->written,
		.refused = r->refused };
	struct facts_batch done = { .table = b->table,
		.rows = r->rows,
		.written = r->written,
		.start = b->start,
		.elapsed = elapsed,
		.writers = writers,
		.only_insert = b->head.only_insert };

	output_account(d->c.output, &account, it->former ? 0 : r->rows);
	it->rows_done += r->rows;
	it->bins_done++;
	it->unsure = false;
	if (r->refused > 0)
		log_err("%s %s: %" PRIu64 " rows refused: their key is taken",
		    d->c.output->ops->type, d->c.output->name, r->refused);
	trigger_after(d->c.trigger, &done);
}

/* Write the bins of `it` that are not in yet. */
static int
bins_write(struct drain *d, struct spool_item *it, struct batch_reader *b,
    struct store *to, struct err *e)
{
	for (uint32_t i = 0; batch_next_bin(b); i++) {
		struct output_result r = { 0 };
		bool unsure = false;
		uint64_t start;
		unsigned writers;
		int rc;

		if (i < it->bins_done)
			continue;
		writers = turn_take(d);
		start = clock_mono();
		rc = store_write(to, b, &r, &unsure, e);
		turn_give();
		if (rc != 0) {
			it->unsure |= unsure && to == d->c.primary;
			return rc;
		}
		bin_done(d, it, b, &r, clock_mono() - start, writers);
	}
	return batch_fault(b, e);
}

/* All that could be read of `it` is in. */
static void
item_done(struct drain *d, struct spool_item *it, const struct batch_reader *b)
{
	uint64_t rows = it->former ? b->rows_promised : it->rows;
	uint64_t lost = rows > it->rows_done ? rows - it->rows_done : 0;
	bool unfinished = it->unfinished && !b->ended;
	bool damaged = b->damaged || !b->ended || lost > 0;
	struct output_result account = { .rows = it->former ? lost : 0,
		.refused = lost };

	if (unfinished)
		log_warn("%s: weir ended while it wrote %s: its first %" PRIu64
			 " rows are used",
		    spool_path(d->c.spool), it->name, it->rows_done);
	else if (damaged)
		log_err("%s: %s is damaged: %" PRIu64 " rows are lost, %" PRIu64
			" are used",
		    spool_path(d->c.spool), it->name, lost, it->rows_done);
	output_account(d->c.output, &account, it->former ? 0 : lost);
	spool_done(d->c.spool, it, !unfinished && damaged);
	depth_show(d);
}

/* A file of which nothing can be read. */
static int
item_unreadable(struct drain *d, struct spool_item *it, const struct err *e)
{
	uint64_t lost = it->former ? 0 : it->rows - it->rows_done;
	struct output_result account = { .refused = lost };

	if (e->code == WEIR_EUNSUPPORTED) {
		it->left = true;
		log_warn("%s; it is left alone", e->text);
		return 0;
	}
	if (!it->unfinished) /* else weir ended when it had just begun */
		log_err("%s: %" PRIu64 " rows are lost", e->text, lost);
	output_account(d->c.output, &account, lost);
	spool_done(d->c.spool, it, !it->unfinished && e->code != WEIR_ENOENT);
	depth_show(d);
	return 0;
}

/* Bring `it` to `to`. Returns 0 when it is done with. */
static int
item_write(struct drain *d, struct spool_item *it, struct store *to, struct err *e)
{
	struct batch_reader *b = malloc(sizeof(*b));
	char path[PATH_MAX];
	int rc;

	if (b == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory to read the spool");
	spool_item_path(d->c.spool, it, path);
	rc = batch_open(b, path, e);
	if (rc == -WEIR_EMALFORMED || rc == -WEIR_EUNSUPPORTED || rc == -WEIR_ENOENT) {
		rc = item_unreadable(d, it, e);
	} else if (rc == 0) {
		rc = bins_write(d, it, b, to, e);
		if (rc == 0)
			item_done(d, it, b);
		batch_close(b);
	}
	free(b);
	return rc;
}

/*
 * The backup, but not for what the primary may have: what was on its way to it when its
 * answer failed to come, or when weir ended.
 */
static void
backup_write(struct drain *d)
{
	struct spool_item *next;

	for (struct spool_item *it = spool_first(d->c.spool); it != NULL; it = next) {
		struct err e = ERR_INIT;
		uint64_t rows = it->rows;

		next = spool_next(d->c.spool, it);
		if (it->left || it->former || it->unsure)
			continue;
		if (item_write(d, it, d->c.backup, &e) != 0) {
			log_debug(LOG_SQL, "backup: %s", e.text);
			return;
		}
		log_info("%s %s: %" PRIu64 " rows went to the backup",
		    d->c.output->ops->type, d->c.output->name, rows);
	}
}

static void
pause_begin(struct drain *d)
{
	uint64_t longer = d->pause == 0 ? PAUSE_FIRST : 2 * d->pause;

	d->pause = longer < PAUSE_LAST ? longer : PAUSE_LAST;
	d->again = clock_mono() + d->pause;
}

/*
 * Write `it`. Returns 0; 1 when it failed but that shall not keep others waiting: its
 * table does not fit, or it has failed often; or its error.
 */
static int
item_try(struct drain *d, struct spool_item *it, struct err *e)
{
	struct err cause = ERR_INIT;
	int rc = item_write(d, it, d->c.primary, &cause);

	if (rc == 0) {
		if (atomic_load(&d->c.output->stalled))
			d->c.retry(d->c.arg); /* there is room again */
		else
			output_works(d->c.output);
		return 0;
	}
	if (e->code == 0) /* the first one is what is said */
		*e = cause;
	it->faults++;
	return rc == -WEIR_EINVAL || it->faults > HOPELESS ? 1 : rc;
}

/* Write what waits, the oldest first. Returns 0, or the first error with `e`. */
static int
drain_run(struct drain *d, struct err *e)
{
	uint64_t began = clock_mono();
	struct spool_item *next;
	unsigned faults = 0;
	int rc = 0;

	for (struct spool_item *it = spool_first(d->c.spool); it != NULL; it = next) {
		next = spool_next(d->c.spool, it);
		if (it->left)
			continue;
		rc = item_try(d, it, e);
		faults += rc != 0;
		if (rc < 0 || faults == FAULTS || (rc > 0 && stopping(d)))
			break;
		if (next == NULL) /* something may have come meanwhile */
			next = faults == 0 ? spool_first(d->c.spool) : NULL;
	}
	if (faults == 0) {
		d->pause = d->again = 0;
		d->hung = false;
		if (spool_first(d->c.spool) == NULL)
			store_prune(d->c.primary, d->c.collector);
		return 0;
	}
	d->hung = clock_mono() - began >= HUNG;
	output_fails(d->c.output, e);
	if (d->c.backup != NULL)
		backup_write(d);
	pause_begin(d);
	return -e->code;
}

/*
 * Sleep until there is something to do; `*woken`: something new waits. Returns false when
 * it is time to end.
 */
static bool
drain_wait(struct drain *d, bool *woken)
{
	struct timespec until;
	bool stop;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += d->again != 0 ? (long)PAUSE_FIRST : 0;
	until.tv_sec += d->again == 0 || until.tv_nsec >= (long)CLOCK_S ? 1 : 0;
	until.tv_nsec %= (long)CLOCK_S;
	pthread_mutex_lock(&d->lock);
	while (!d->woken && !d->stop)
		if (pthread_cond_timedwait(&d->changed, &d->lock, &until) == ETIMEDOUT)
			break;
	*woken = d->woken;
	d->woken = false;
	stop = d->stop;
	pthread_mutex_unlock(&d->lock);
	return !stop;
}

static void *
drain_main(void *arg)
{
	struct drain *d = arg;
	bool go = true, woken;

	while (go) {
		struct err e = ERR_INIT;

		go = drain_wait(d, &woken);
		if (atomic_load(&d->c.output->stalled))
			d->c.retry(d->c.arg);
		/* At the end once more, but not for one that lets us wait. */
		if (go ? clock_mono() >= d->again : !d->hung)
			(void)drain_run(d, &e);
		else if (woken && d->c.backup != NULL)
			backup_write(d);
		trigger_tick(d->c.trigger, clock_real());
	}
	pthread_mutex_lock(&d->lock);
	d->ended = true;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

int
drain_start(struct drain *d, struct err *e)
{
	char name[24];
	int rc;

	snprintf(name, sizeof(name), "weir>%.10s", d->c.output->name);
	rc = thread_start(&d->thread, name, drain_main, d, e);
	d->running = rc == 0;
	return rc;
}

int
drain_wake(struct drain *d, struct err *e)
{
	depth_show(d);
	if (!d->running)
		return drain_run(d, e);
	pthread_mutex_lock(&d->lock);
	d->woken = true;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
	return 0;
}

/* Grows while the thread gets on. */
static uint64_t
progress(struct drain *d)
{
	return store_progress(d->c.primary) +
	       (d->c.backup != NULL ? store_progress(d->c.backup) : 0);
}

/* How long the database may stand still. */
static uint64_t
patience(struct drain *d)
{
	uint64_t rows = store_in_hand(d->c.primary) +
			(d->c.backup != NULL ? store_in_hand(d->c.backup) : 0);

	return PATIENCE + rows * PATIENCE_ROW;
}

/* Wait for the end of the thread, and call it off the database where nothing moves. */
static void
end_wait(struct drain *d)
{
	uint64_t seen = progress(d), since = clock_mono();
	struct timespec until;

	pthread_mutex_lock(&d->lock);
	while (!d->ended) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += 1;
		pthread_cond_timedwait(&d->changed, &d->lock, &until);
		if (progress(d) != seen) {
			seen = progress(d);
			since = clock_mono();
		} else if (!d->ended && clock_mono() - since >= patience(d)) {
			store_interrupt(d->c.primary);
			if (d->c.backup != NULL)
				store_interrupt(d->c.backup);
		}
	}
	pthread_mutex_unlock(&d->lock);
}

uint64_t
drain_stop(struct drain *d)
{
	struct err e = ERR_INIT;

	trigger_hurry(d->c.trigger);
	if (!d->running) {
		(void)drain_run(d, &e);
		return spool_depth(d->c.spool).batches;
	}
	pthread_mutex_lock(&d->lock);
	d->stop = true;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
	end_wait(d);
	pthread_join(d->thread, NULL);
	d->running = false;
	return spool_depth(d->c.spool).batches;
}
