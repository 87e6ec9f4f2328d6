/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "bench/gen_pace.h"

#include <errno.h>
#include <time.h>

#define TICKS 1000  /* a second of sending is cut into so many bursts */

struct pace
pace_of(uint64_t rate)
{
	return (struct pace){ .rate = rate, .burst = rate > TICKS ? rate / TICKS : 1 };
}

void
pace_wait(struct pace *p)
{
	struct timespec t;
	uint64_t due;

	if (p->sent == 0) {
		clock_gettime(CLOCK_MONOTONIC, &t);
		p->start_ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
		return;
	}
	due = p->start_ns + p->sent * UINT64_C(1000000000) / p->rate;
	t.tv_sec = (time_t)(due / 1000000000);
	t.tv_nsec = (long)(due % 1000000000);
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		continue;
}
