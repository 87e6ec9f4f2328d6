/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stats: the internal counters, one set per worker. Only their worker writes them
 * (stat_add: no locked instruction); any thread may read them. Counters of what no worker
 * does are in one more set (engine.h). The books need numbers
 * that belong together: a worker copies its set when a snapshot is cut (stats_cut).
 */
#ifndef WEIR_CORE_STATS_H
#define WEIR_CORE_STATS_H

#include <stdatomic.h>
#include <stdint.h>

enum stat_no {
#define STAT(NAME, ...) STAT_##NAME,
#include "core/stats.def"
#undef STAT
	STAT_COUNT
};

struct stat_row {
	const char *name, *unit, *doc;
};

extern const struct stat_row stat_rows[STAT_COUNT];

struct stats {
	_Atomic uint64_t n[STAT_COUNT];
};

static inline void
stat_add(struct stats *s, enum stat_no i, uint64_t n)
{
	uint64_t v = atomic_load_explicit(&s->n[i], memory_order_relaxed);

	atomic_store_explicit(&s->n[i], v + n, memory_order_relaxed);
}

/* The same where several threads write the counter. */
static inline void
stat_add_shared(struct stats *s, enum stat_no i, uint64_t n)
{
	atomic_fetch_add_explicit(&s->n[i], n, memory_order_relaxed);
}

static inline uint64_t
stat_get(const struct stats *s, enum stat_no i)
{
	return atomic_load_explicit(&s->n[i], memory_order_relaxed);
}

/* Add the counters of `from` to the plain numbers `to[STAT_COUNT]`. */
void stats_sum(const struct stats *from, uint64_t *to);

#endif
