/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/drain.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/thread.h"
#include "sql/drain_parts.h"

#define PATIENCE (4 * CLOCK_S) /* with a database that stands still while weir ends, */
#define PATIENCE_ROW (50 * CLOCK_US) /* and for each row that it has in hand */
#define START_WAIT_S 1 /* of the start for the first attempt */
#define END_LOOK_MS 200 /* who waits for the end looks so often */

struct drain *
drain_new(const struct drain_config *c)
{
	struct drain *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->c = *c;
	d->unread = (struct log_limit)LOG_LIMIT_INIT;
	pthread_mutex_init(&d->lock, NULL);
	thread_cond_init(&d->changed);
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
	until.tv_nsec += d->again != 0 ? (long)DRAIN_PAUSE : 0;
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

/* Make the first attempt at the database. Whether weir goes on. */
static bool
first_try(struct drain *d, struct err *e)
{
	struct output *o = d->c.output;
	int rc = d->c.first(d->c.arg, e);
	bool refused;

	pthread_mutex_lock(&d->lock);
	refused = rc == -WEIR_EINVAL && d->first == FIRST_AWAITED;
	d->first = refused ? FIRST_REFUSED : FIRST_MADE;
	d->refused = *e;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
	if (rc == 0 || refused)
		return !refused;
	d->gone = rc != -WEIR_EINVAL;
	drain_pause(&d->pause, &d->again);
	output_fails(o, e);
	log_warn("%s %s: rows wait in %s until %s", o->ops->type, o->name,
	    spool_path(d->c.spool), rc == -WEIR_EINVAL ? "it does" :
	    store_reached(d->c.primary) ? "that is mended" : "it can be reached");
	return true;
}

static void *
drain_main(void *arg)
{
	struct drain *d = arg;
	struct err first = ERR_INIT;
	bool go = first_try(d, &first), woken;

	while (go) {
		struct err e = ERR_INIT;

		go = drain_wait(d, &woken);
		if (atomic_load(&d->c.output->stalled))
			d->c.retry(d->c.arg);
		/* At the end once more, but not for one that is not there or lets us wait. */
		if (go ? clock_mono() >= d->again : !d->gone)
			(void)drain_run(d, &e);
		else if (woken)
			drain_backup(d, true);
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
	clock_gettime(CLOCK_MONOTONIC, &d->start_until);
	d->start_until.tv_sec += START_WAIT_S;
	if ((rc = thread_start(&d->thread, name, drain_main, d, e)) != 0)
		d->running = false;
	return rc;
}

int
drain_first(struct drain *d, struct err *e)
{
	struct err none = ERR_INIT;
	enum first first;

	if (!d->running)
		(void)first_try(d, &none);
	pthread_mutex_lock(&d->lock);
	while (d->first == FIRST_AWAITED)
		if (pthread_cond_timedwait(&d->changed, &d->lock, &d->start_until) == ETIMEDOUT)
			break;
	if (d->first == FIRST_AWAITED)
		d->first = FIRST_UNHEARD;
	first = d->first;
	pthread_mutex_unlock(&d->lock);
	return first != FIRST_REFUSED ? 0 :
	    err_set(e, WEIR_EINVAL, "%s", d->refused.text);
}

/* Grows while the thread gets on. */
static uint64_t
progress(struct drain *d)
{
	return store_progress(d->c.primary) +
	       (d->c.backup != NULL ? store_progress(d->c.backup) : 0);
}

void
drain_hurry(struct drain *d)
{
	if (d->hurried == 0) {
		d->hurried = clock_mono();
		d->hurried_at = progress(d);
	}
	store_hurry(d->c.primary);
	if (d->c.backup != NULL)
		store_hurry(d->c.backup);
}

int
drain_wake(struct drain *d, struct err *e)
{
	drain_depth_show(d);
	if (!d->running)
		return drain_run(d, e);
	pthread_mutex_lock(&d->lock);
	d->woken = true;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
	return 0;
}

/* How long the database may stand still. */
static uint64_t
patience(struct drain *d)
{
	uint64_t rows = store_in_hand(d->c.primary) +
			(d->c.backup != NULL ? store_in_hand(d->c.backup) : 0);

	return PATIENCE + rows * PATIENCE_ROW;
}

/* Whether the bin that is being written has stood still since weir began to end. */
static bool
is_hung(struct drain *d)
{
	bool busy = store_is_busy(d->c.primary) ||
		    (d->c.backup != NULL && store_is_busy(d->c.backup));

	return busy && progress(d) == d->hurried_at;
}

/* Wait for the end of the thread, and call it off the database where nothing moves. */
static void
end_wait(struct drain *d)
{
	uint64_t seen = progress(d), since = is_hung(d) ? d->hurried : clock_mono();
	struct timespec until;

	pthread_mutex_lock(&d->lock);
	while (!d->ended) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += END_LOOK_MS * 1000000L;
		until.tv_sec += until.tv_nsec / (long)CLOCK_S;
		until.tv_nsec %= (long)CLOCK_S;
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
	drain_hurry(d);
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
