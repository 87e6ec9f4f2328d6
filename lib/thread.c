/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/thread.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

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

void
thread_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}
