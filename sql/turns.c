/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/turns.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/thread.h"

/* At the end: less than a drain is given to get on, which then can still write. */
#define PATIENCE (2 * CLOCK_S)
#define LOOK_MS 250 /* who waits looks so often whether it is the end */

struct waiter {
	struct waiter *next;
	struct turn *turn; /* that it waits for */
	unsigned max;
	unsigned before; /* who write now and came before it */
};

/* Plugins that write now, and those that want to, the first to come first. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned n;
	uint64_t came; /* ever */
	struct waiter *first, **last;
} turns = { .lock = PTHREAD_MUTEX_INITIALIZER, .last = &turns.first };

static void
turns_init(void)
{
	thread_cond_init(&turns.changed);
}

static void
waiter_add(struct waiter *w)
{
	w->turn->no = ++turns.came;
	w->before = turns.n;
	*turns.last = w;
	turns.last = &w->next;
}

static void
waiter_remove(struct waiter *w)
{
	struct waiter **at = &turns.first;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	if (turns.last == &w->next)
		turns.last = at;
}

/* Have those that came after `t` know that it writes, or that it no longer does. */
static void
later_tell(const struct turn *t, bool writes)
{
	for (struct waiter *w = turns.first; w != NULL; w = w->next)
		if (w->turn->no > t->no)
			w->before += writes ? 1 : -1U;
}

/*
 * Whether it is the turn of `w`. It passes those that could not write yet if nobody had ever
 * passed them: so they wait for those that passed them once, and for no more of them.
 */
static bool
may_write(const struct waiter *w)
{
	for (const struct waiter *o = turns.first; o != w; o = o->next)
		if (o->before < o->max)
			return false;
	return turns.n < w->max;
}

static void
turns_wait(void)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += LOOK_MS * 1000000L;
	until.tv_sec += until.tv_nsec / (long)CLOCK_S;
	until.tv_nsec %= (long)CLOCK_S;
	pthread_cond_timedwait(&turns.changed, &turns.lock, &until);
}

unsigned
turn_take(struct turn *t, unsigned max, bool (*ends)(void *arg), void *arg)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct waiter w = { .turn = t, .max = max };
	uint64_t deadline = UINT64_MAX;
	unsigned n;

	pthread_once(&once, turns_init);
	pthread_mutex_lock(&turns.lock);
	waiter_add(&w);
	while (!may_write(&w) && clock_mono() < deadline) {
		if (deadline == UINT64_MAX && ends(arg))
			deadline = clock_mono() + PATIENCE;
		turns_wait();
	}
	waiter_remove(&w);
	later_tell(t, true);
	n = ++turns.n;
	pthread_cond_broadcast(&turns.changed); /* there may be room for the next one, too */
	pthread_mutex_unlock(&turns.lock);
	return n;
}

void
turn_give(const struct turn *t)
{
	pthread_mutex_lock(&turns.lock);
	turns.n--;
	later_tell(t, false);
	pthread_cond_broadcast(&turns.changed);
	pthread_mutex_unlock(&turns.lock);
}
