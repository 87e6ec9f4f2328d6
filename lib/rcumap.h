/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rcumap: a map from a pair of numbers to a number, which many threads read without a
 * lock while one at a time writes. For what peers tell and seldom change: a few entries
 * or many, but bounded, alone and with all the maps that share a budget. Entries that
 * were not told again for long make room for new ones when there is no other.
 *
 * Readers have entered lib/rcu.h; writers hold a lock of their own.
 */
#ifndef WEIR_LIB_RCUMAP_H
#define WEIR_LIB_RCUMAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Octets that maps may still take; atomic, so that each map has a lock of its own. */
struct rcumap_budget {
	_Atomic int64_t octets;
};

struct rcumap_key {
	uint64_t a, b;
};

struct rcumap;

/*
 * An empty map of at most `max` entries, at the cost of `budget` (borrowed, must outlive
 * it). One that is empty takes nothing of it. NULL when memory is short.
 */
struct rcumap *rcumap_new(uint32_t max, struct rcumap_budget *budget);

/* Free it; nobody reads any more. */
void rcumap_free(struct rcumap *m);

/* The value of `key` to `*value`; false when it has none. */
bool rcumap_get(const struct rcumap *m, struct rcumap_key key, uint64_t *value);

/*
 * Give `key` the value `value`, told at `now_s` (seconds, of whatever origin). Where the
 * map must grow or is full, entries told before `forget_s` go; that is tried once a second. Readers see the old value
 * or the new one. `*old` is for rcumap_retire, which must be called after the writer's
 * lock is given back: it may wait for readers, who may wait for the lock.
 *
 * Returns 0, -WEIR_EFULL when the map or the budget is, or -WEIR_ENOMEM.
 */
int rcumap_put(struct rcumap *m, struct rcumap_key key, uint64_t value, uint32_t now_s,
    uint32_t forget_s, void **old);
void rcumap_retire(void *old);

/* How many entries there are. Any thread. */
uint32_t rcumap_count(const struct rcumap *m);

#endif
