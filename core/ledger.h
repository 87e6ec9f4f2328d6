/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ledger: a view's running totals since weir began, with stable row numbers; what SNMP,
 * memory tables and `weir top` show. The publisher adds each interval's rows; readers on
 * other threads lock it for as long as they copy what they need. Counting never waits for
 * a reader: only the publisher does.
 *
 * Where all who show a ledger let idle rows go after some time (`keep`), such rows make
 * room when it is nearly full, and what is new is not lost in the other row for the sake
 * of what is over. Their sums stay in the totals.
 */
#ifndef WEIR_CORE_LEDGER_H
#define WEIR_CORE_LEDGER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/moves.h"
#include "core/slab.h"
#include "flow/rowspec.h"
#include "lib/table.h"

struct owed;
struct watch_lens;

struct ledger {
	const struct rowspec *rs;  /* rows begin as the view's; the bin is 0 */
	struct table table;
	uint32_t seen_offset;      /* in a row: struct ledger_seen */
	struct sums total;         /* rows and other row */
	struct sums other;
	struct sums forgotten;     /* `total` of all that was cleared: the books go on */
	struct sums restored;      /* of `total`, what was counted before this process */
	bool outlives;             /* it goes on after a restart: core/keeper.h */
	uint64_t serial;           /* grows with every change */
	uint64_t updated;          /* ns since 1970, of the last change */
	uint64_t cleared;          /* ns since 1970: totals count from then */
	uint64_t resumed;          /* ns since 1970: what was counted just before is lost; or 0 */

	/* How rows go to make room. */
	uint64_t keep;             /* ns that a row stays though it is idle; 0: for ever */
	uint64_t evictions;        /* rows that went */
	uint64_t next_sweep;       /* ns since 1970: when to look again for such rows */
	uint64_t sweeps;           /* times that some went: row numbers changed */
	uint32_t *moved;           /* of the last one, by old row number: the new, or LEDGER_GONE */
	struct owed *owed;         /* NULL: nothing was told late; owned */
	struct watch_lens *lens;   /* core/watch.h; NULL: nobody watches */
	pthread_mutex_t lock;
};

/* When a row was counted first and last: ns since 1970, to the publish interval. */
struct ledger_seen {
	uint64_t first, last;
};

#define LEDGER_GONE UINT32_MAX

/*
 * Where the row went that had number `row` at l->sweeps `then`: its number now, or
 * LEDGER_GONE. Only the last sweep is remembered, and all before it are LEDGER_GONE.
 */
static inline uint32_t
ledger_moved(const struct ledger *l, uint32_t row, uint64_t then)
{
	if (then == l->sweeps)
		return row;
	return then + 1 == l->sweeps ? l->moved[row] : LEDGER_GONE;
}

struct ledger *ledger_new(const struct rowspec *rs, uint32_t max_rows, struct err *e);
void ledger_free(struct ledger *l);

/*
 * Count a slab of the view's, and move what it tells of (core/owed.h): returns of how many records
 * that is done, or given up, by now. Publisher's thread.
 */
struct moves_told ledger_add(struct ledger *l, const struct slab *s, uint64_t now);

/*
 * The row of `key`, whose bin is 0, which may be new, seen at `now`; NULL: there is no room.
 * Whoever changes the ledger, under its lock.
 */
uint8_t *ledger_row_take(struct ledger *l, const void *key, uint64_t now);

/* Readers of other threads than the publisher's hold the lock while they look. */
void ledger_lock(struct ledger *l);
void ledger_unlock(struct ledger *l);

/*
 * Row `i` of l->table.n: laid out by l->rs. Row numbers hold until ledger_clear (see
 * l->cleared) or until rows make room (see l->sweeps).
 */
static inline const uint8_t *
ledger_row(const struct ledger *l, uint32_t i)
{
	return table_row(&l->table, i);
}

static inline uint32_t
ledger_row_no(const struct ledger *l, const uint8_t *row)
{
	return (uint32_t)((size_t)(row - l->table.rows) / l->table.row_octets);
}

static inline const struct ledger_seen *
ledger_seen(const struct ledger *l, const uint8_t *row)
{
	return (const struct ledger_seen *)(const void *)(row + l->seen_offset);
}

/*
 * Let the rows go that `goes` tells, whose sums stay in the totals; returns how many (the caller
 * holds the lock). Where some went, l->moved tells where the others are.
 */
uint32_t ledger_drop(struct ledger *l, bool (*goes)(const void *arg, uint32_t row),
    const void *arg);

/* Forget all rows and totals (the caller holds the lock). */
void ledger_clear(struct ledger *l, uint64_t now);

/* The most that a ledger of this shape can take, in octets. */
uint64_t ledger_max_octets(const struct rowspec *rs, uint32_t max_rows);

#endif
