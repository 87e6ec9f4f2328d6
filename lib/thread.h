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

/* A condition whose timed waits end by the monotonic clock. */
void thread_cond_init(pthread_cond_t *cond);

#endif
