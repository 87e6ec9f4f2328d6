/* SPDX-License-Identifier: GPL-2.0-or-later */
/* So many a second: bursts at fixed times, a thousand in a second at most. One thread. */
#ifndef WEIR_BENCH_GEN_PACE_H
#define WEIR_BENCH_GEN_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
	uint64_t rate;  /* a second; 0: as they come */
	uint64_t burst;  /* between two looks at the clock */
	uint64_t sent;
	uint64_t start_ns;  /* monotonic, of the first one */
};

struct pace pace_of(uint64_t rate);

/* Whether a burst is full: send what waits, then call pace_wait. */
static inline bool
pace_due(const struct pace *p)
{
	return p->rate != 0 && p->sent % p->burst == 0;
}

/* Sleep until the next burst is due. */
void pace_wait(struct pace *p);

#endif
