/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/turns.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "lib/thread.h"

#define PATIENCE_S 4U /* at the end */

/* Plugins that write now. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned n;
} turns = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
turns_init(void)
{
	thread_cond_init(&turns.changed);
}

unsigned
turn_take(unsigned max, bool (*ends)(void *arg), void *arg)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct timespec until;
	unsigned n, waited = 0; /* s, since weir began to end */

	pthread_once(&once, turns_init);
	pthread_mutex_lock(&turns.lock);
	while (turns.n >= max && waited < PATIENCE_S) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += 1;
		if (pthread_cond_timedwait(&turns.changed, &turns.lock, &until) ==
		    ETIMEDOUT)
			waited += ends(arg);
	}
	n = ++turns.n;
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
