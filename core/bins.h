/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time bins: which [start, end) a record's time falls into, by pmacct's rules for
 * *_history, *_history_roundoff and *_history_offset. Bins are counted from a base: the
 * start of weir, rounded off in local time. Times are ns since 1970. A struct bins is
 * constant once made; any thread.
 */
#ifndef WEIR_CORE_BINS_H
#define WEIR_CORE_BINS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

struct bins {
	uint32_t seconds;   /* length of a bin; 0 with months 0: no history, one bin for ever */
	uint32_t months;    /* length in calendar months, instead */
	uint32_t offset_s;  /* every bin begins so much earlier */
	uint64_t base;      /* start of some bin, ns; 0 until bins_start */
	char roundoff[8];   /* letters of m h d w M, sorted as written */
	bool epoch_aligned; /* bins start at multiples of `seconds` since 1970 (UTC) instead */
};

struct bin {
	uint64_t start, end;  /* ns; [start, end) */
};

/* The bin of views without history. */
#define BIN_ALL ((struct bin){ 0, UINT64_MAX })

/*
 * Parse "N[s|m|h|d|w|M]" into `b`, e.g. "5m" or "1M". Returns 0 or -WEIR_EINVAL with `e`.
 */
int bins_parse_history(const char *text, struct bins *b, struct err *e);

/* Parse roundoff letters ("mh", "d"). Returns 0 or -WEIR_EINVAL with `e`. */
int bins_parse_roundoff(const char *text, struct bins *b, struct err *e);

/* Fix the base from the present time `now`. */
void bins_start(struct bins *b, uint64_t now);

static inline bool
bins_are_none(const struct bins *b)
{
	return b->seconds == 0 && b->months == 0;
}

/* The bin that holds time `t`. */
struct bin bins_find(const struct bins *b, uint64_t t);

/*
 * `t` rounded off to the letters of `b` (local time; seconds always go), or to the bin's
 * start where bins are aligned to the epoch.
 */
uint64_t bins_roundoff(const struct bins *b, uint64_t t);

/* Whether two views would have the same bins. */
bool bins_equal(const struct bins *a, const struct bins *b);

#endif
