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
};

/* Plugins that write now, and those that want to, the first to come first. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned n;
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
turn_take(unsigned max, bool (*ends)(void *arg), void *arg)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct waiter w = { NULL };
	uint64_t deadline = UINT64_MAX;
	unsigned n;

	pthread_once(&once, turns_init);
	pthread_mutex_lock(&turns.lock);
	waiter_add(&w);
	while ((turns.first != &w || turns.n >= max) && clock_mono() < deadline) {
		if (deadline == UINT64_MAX && ends(arg))
			deadline = clock_mono() + PATIENCE;
		turns_wait();
	}
	waiter_remove(&w);
	n = ++turns.n;
	pthread_cond_broadcast(&turns.changed); /* there may be room for the next one, too */
	pthread_mutex_unlock(&turns.lock);
	return n;
}

void
turn_give(void)
{
	pthread_mutex_lock(&turns.lock);
	turns.n--;
	pthread_cond_broadcast(&turns.changed);
	pthread_mutex_unlock(&turns.lock);
}
