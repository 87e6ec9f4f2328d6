/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/attempt.h"

#include <errno.h>
#include <poll.h>

#include "lib/clock.h"

#define SILENCE (2 * CLOCK_S) /* that is enough when weir ends */

void
attempt_heard(struct attempt *a)
{
	atomic_store(&a->heard, clock_mono());
}

void
attempt_hurry(struct attempt *a)
{
	atomic_store(&a->ending, true);
}

void
attempt_end(struct attempt *a)
{
	atomic_store(&a->off, true);
}

bool
attempt_is_over(const struct attempt *a)
{
	return atomic_load(&a->off) ||
	       (atomic_load(&a->ending) &&
		   clock_mono() - atomic_load(&a->heard) >= SILENCE);
}

int
attempt_wait(const struct attempt *a, int fd, short events, uint64_t until)
{
	struct pollfd p = { .fd = fd, .events = events };

	while (!attempt_is_over(a)) {
		uint64_t now = clock_mono();
		uint64_t ms = now < until ? (until - now) / CLOCK_MS + 1 : 0;
		int n = poll(&p, 1, ms < ATTEMPT_WAIT_MS ? (int)ms : ATTEMPT_WAIT_MS);

		if (n > 0)
			return p.revents;
		if ((n == 0 && ms == 0) || (n < 0 && errno != EINTR))
			return 0;
	}
	return -1;
}
