/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define INTERRUPT SIGURG      /* nothing here has to do with urgent data */
#define EVERY_NS  100000000

int
thread_start(pthread_t *t, const char *name, void *(*fn)(void *), void *arg,
    struct err *e)
{
	char cut[16];
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	rc = pthread_create(t, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0)
		return err_set(e, WEIR_EIO, "thread %s: %s", name, strerror(rc));
	snprintf(cut, sizeof(cut), "%.15s", name);
	(void)pthread_setname_np(*t, cut);
	return 0;
}

static void
on_interrupt(int sig)
{
	(void)sig;
}

void
thread_interruptible(void)
{
	/* Whom it reaches otherwise ignores it; SA_RESTART is what must not be. */
	struct sigaction act = { .sa_handler = on_interrupt };
	sigset_t one;

	sigemptyset(&act.sa_mask);
	sigaction(INTERRUPT, &act, NULL);
	sigemptyset(&one);
	sigaddset(&one, INTERRUPT);
	pthread_sigmask(SIG_UNBLOCK, &one, NULL);
}

void
thread_interrupt(pthread_t t)
{
	struct timespec until;

	do {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += EVERY_NS;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		/* One may come just before the call that it is for: so more than one. */
	} while (pthread_clockjoin_np(t, NULL, CLOCK_MONOTONIC, &until) == ETIMEDOUT &&
	         pthread_kill(t, INTERRUPT) == 0);
}

void
thread_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}
