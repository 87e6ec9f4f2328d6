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
#define HOPELESS_TRIES 4 /* of those in one run */
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
	uint64_t backup_pause, backup_again; /* the same of the backup */
	bool gone; /* the last one was long in coming, or nobody was there */
	unsigned hopeless; /* batches that wait */
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
	it->faults = 0;
	if (r->refused > 0)
		log_err("%s %s: %" PRIu64 " rows refused: their key is taken",
		    d->c.output->ops->type, d->c.output->name, r->refused);
	trigger_after(d->c.trigger, &done);
}

/* What is left of `it` is for the backup, once that is ready to take it. */
static int
backup_bind(
    struct drain *d, struct spool_item *it, const struct batch_reader *b, struct err *e)
{
	int rc = store_ready(d->c.backup, &b->head, b->table, b->start, e);

	return rc == 0 ? spool_bind(d->c.spool, it, e) : rc;
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
		if (to == d->c.backup && !it->bound &&
		    (rc = backup_bind(d, it, b, e)) != 0)
			return rc;
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
	it->rows_done =
	    b->rows; /* with those that a former weir brought to the primary */
	return batch_fault(b, e);
}

/* `it` is done with. */
static void
item_forget(struct drain *d, struct spool_item *it, bool keep)
{
	if (it->hopeless) {
		d->hopeless--;
		/* What it waited for has come: others may have waited for the same. */
		for (struct spool_item *o = spool_first(d->c.spool); o != NULL;
		     o = spool_next(d->c.spool, o))
			o->again = 0;
	}
	spool_done(d->c.spool, it, keep);
	depth_show(d);
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
	item_forget(d, it, !unfinished && damaged);
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
	item_forget(d, it, !it->unfinished && e->code != WEIR_ENOENT);
	return 0;
}

/*
 * Bring `it` to `to`. Returns 0 when it is done with; or its error, and whether that is
 * the batch's (`*own`), not one that keeps all others waiting, too.
 */
static int
item_write(
    struct drain *d, struct spool_item *it, struct store *to, bool *own, struct err *e)
{
	struct batch_reader *b = malloc(sizeof(*b));
	struct err ignored = ERR_INIT;
	char path[PATH_MAX];
	int rc;

	*own = false;
	if (b == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory to read the spool");
	*own = true;
	spool_item_path(d->c.spool, it, path);
	rc = batch_open(b, path, e);
	if (rc == -WEIR_EMALFORMED || rc == -WEIR_EUNSUPPORTED || rc == -WEIR_ENOENT) {
		rc = item_unreadable(d, it, e);
	} else if (rc == 0) {
		rc = bins_write(d, it, b, to, e);
		if (rc == 0)
			item_done(d, it, b);
		else
			*own = store_reached(to) || batch_fault(b, &ignored) != 0;
		batch_close(b);
	}
	free(b);
	return rc;
}

/* Have the pause that ends at `*again` be twice as long as the last. */
static void
pause_begin(uint64_t *pause, uint64_t *again)
{
	uint64_t longer = *pause == 0 ? PAUSE_FIRST : 2 * *pause;

	*pause = longer < PAUSE_LAST ? longer : PAUSE_LAST;
	*again = clock_mono() + *pause;
}

/* Whether the backup shall have `it`; `others`: not only what is bound to it. */
static bool
is_for_backup(struct drain *d, struct spool_item *it, bool others)
{
	if (it->left || it->unsure || !(it->bound || (others && !it->former)))
		return false;
	if (d->c.backup != NULL)
		return true;
	if (it->bound)
		log_warn("%s: %s waits for the backup, which may have it: say "
			 "sql_recovery_backup_host again, or play it with weir replay",
		    spool_path(d->c.spool), it->name);
	it->left = it->bound;
	return false;
}

/*
 * The backup, but not for what the primary may have: what was on its way to it when its
 * answer failed to come, or when weir ended. What the backup may have is for it for ever.
 */
static void
backup_write(struct drain *d, bool others)
{
	struct spool_item *next;

	if (d->running && clock_mono() < d->backup_again)
		return;
	for (struct spool_item *it = spool_first(d->c.spool); it != NULL; it = next) {
		struct err e = ERR_INIT;
		uint64_t rows = it->rows;
		bool own;

		next = spool_next(d->c.spool, it);
		if (!is_for_backup(d, it, others))
			continue;
		if (item_write(d, it, d->c.backup, &own, &e) != 0) {
			log_debug(LOG_SQL, "backup: %s", e.text);
			pause_begin(&d->backup_pause, &d->backup_again);
			return;
		}
		d->backup_pause = d->backup_again = 0;
		log_info("%s %s: %" PRIu64 " rows went to the backup",
		    d->c.output->ops->type, d->c.output->name, rows);
	}
}

/*
 * Write `it`. Returns 0; 1 when it failed but that shall not keep others waiting: its
 * table does not fit, or it has failed often; or its error.
 */
static int
item_try(struct drain *d, struct spool_item *it, struct err *e)
{
	struct err cause = ERR_INIT;
	uint64_t began = clock_mono();
	bool own;
	int rc = item_write(d, it, d->c.primary, &own, &cause);

	if (rc == 0) {
		if (atomic_load(&d->c.output->stalled))
			d->c.retry(d->c.arg); /* there is room again */
		else if (d->hopeless == 0)
			output_works(d->c.output);
		d->gone = false;
		return 0;
	}
	d->gone = !own || clock_mono() - began >= HUNG;
	if (e->code == 0) /* the first one is what is said */
		*e = cause;
	it->faults += own;
	if (!own || (rc != -WEIR_EINVAL && it->faults <= HOPELESS))
		return rc;
	d->hopeless += !it->hopeless;
	it->hopeless = true;
	pause_begin(&it->pause, &it->again);
	return 1;
}

/* Whether to try `it` in this run, which has tried so many hopeless ones. */
static bool
is_due(struct drain *d, const struct spool_item *it, unsigned *tries)
{
	if (it->left || it->bound)
		return false;
	if (!it->hopeless)
		return true;
	if (d->running && (*tries == HOPELESS_TRIES ||
			      (stopping(d) ? d->gone : clock_mono() < it->again)))
		return false;
	(*tries)++;
	return true;
}

/* Write what waits, the oldest first. Returns 0, or the first error with `e`. */
static int
drain_run(struct drain *d, struct err *e)
{
	struct spool_item *next;
	unsigned faults = 0, tries = 0;
	int rc = 0;

	for (struct spool_item *it = spool_first(d->c.spool); it != NULL; it = next) {
		next = spool_next(d->c.spool, it);
		if (!is_due(d, it, &tries))
			continue;
		rc = item_try(d, it, e);
		faults += rc != 0;
		if (rc < 0)
			break;
		if (next == NULL) /* something may have come meanwhile */
			next = faults == 0 ? spool_first(d->c.spool) : NULL;
	}
	backup_write(d, faults > 0);
	if (rc < 0)
		pause_begin(&d->pause, &d->again);
	else
		d->pause = d->again = 0;
	if (faults > 0) {
		output_fails(d->c.output, e);
		return -e->code;
	}
	if (spool_first(d->c.spool) == NULL)
		store_prune(d->c.primary, d->c.collector);
	return 0;
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
		/* At the end once more, but not for one that is not there or lets us wait. */
		if (go ? clock_mono() >= d->again : !d->gone)
			(void)drain_run(d, &e);
		else if (woken)
			backup_write(d, true);
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
	d->running = true; /* the thread reads it */
	if ((rc = thread_start(&d->thread, name, drain_main, d, e)) != 0)
		d->running = false;
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
