/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * turns: two tables that take turns, so that what was not seen for a lifetime is forgotten
 * without a look at every row. The current one is added to; after each lifetime of packet
 * time the previous one is emptied and they change places. What a user still wants of the
 * previous one it moves over by itself. One thread; no allocation but for the index that
 * grows with the rows.
 */
#ifndef WEIR_COLLECTORS_TURNS_H
#define WEIR_COLLECTORS_TURNS_H

#include <stdint.h>

#include "lib/err.h"
#include "lib/table.h"

struct turns {
	struct table tables[2];
	unsigned current; /* of the two */
	uint64_t life; /* ns */
	uint64_t swapped; /* when they changed places */
};

/* How many rows of `row_octets` each table may have, so that both fit into `octets`. */
uint32_t turns_rows(uint32_t row_octets, uint64_t octets);

/*
 * For at most `max` rows in either table, as table_init has it. Returns 0 or -WEIR_ENOMEM
 * with `e` filled; turns_fini then has nothing to do.
 */
int turns_init(struct turns *t, uint32_t key_octets, uint32_t row_octets, uint32_t max,
    uint64_t life, struct err *e);
void turns_fini(struct turns *t);

static inline struct table *
turns_current(struct turns *t)
{
	return &t->tables[t->current];
}

/* The row of `key` in the previous table, or NULL. */
static inline void *
turns_previous(const struct turns *t, const void *key)
{
	const struct table *previous = &t->tables[t->current ^ 1];

	return previous->n > 0 ? table_find(previous, key) : NULL;
}

/* Empty the previous table and make it the current one. Returns how many rows it had. */
uint32_t turns_swap(struct turns *t, uint64_t now);

/*
 * Let time pass: `now` is the oldest that is still to come. It may step back a little
 * (packets out of order), or a lot (another capture), which ends a lifetime, too.
 */
void turns_age(struct turns *t, uint64_t now);

#endif
