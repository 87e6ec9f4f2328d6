/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting threads: named, and with all signals blocked, which are the main thread's
 * business. Any thread.
 */
#ifndef WEIR_LIB_THREAD_H
#define WEIR_LIB_THREAD_H

#include <pthread.h>

#include "lib/err.h"

/*
 * Start `fn(arg)` as a thread that top(1) shows as `name` (cut to 15 octets). Returns 0,
 * or -WEIR_EIO with `e` filled.
 */
int thread_start(pthread_t *t, const char *name, void *(*fn)(void *), void *arg,
    struct err *e);

/*
 * From now on calls of this thread that wait may be interrupted (EINTR) by thread_interrupt:
 * for threads in which a library waits without an end.
 */
void thread_interruptible(void);

/* Wait for `t` to end, and interrupt what it waits in until it does. It must be interruptible. */
void thread_interrupt(pthread_t t);

/* A condition whose timed waits end by the monotonic clock. */
void thread_cond_init(pthread_cond_t *cond);

#endif
