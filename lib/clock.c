/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "lib/clock.h"

#include <assert.h>
#include <stdatomic.h>
#include <time.h>

static _Atomic uint64_t stopped_at;  /* 0: the system's clock runs */

static uint64_t
clock_ask(clockid_t id)
{
	uint64_t set = atomic_load_explicit(&stopped_at, memory_order_relaxed);
	struct timespec ts;

	if (set != 0)
		return set;
	int rc = clock_gettime(id, &ts);
	assert(rc == 0);
	(void)rc;
	return (uint64_t)ts.tv_sec * CLOCK_S + (uint64_t)ts.tv_nsec;
}

uint64_t
clock_real(void)
{
	return clock_ask(CLOCK_REALTIME);
}

uint64_t
clock_mono(void)
{
	return clock_ask(CLOCK_MONOTONIC);
}

void
clock_set(uint64_t real_ns)
{
	atomic_store_explicit(&stopped_at, real_ns, memory_order_relaxed);
}
