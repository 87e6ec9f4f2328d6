/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ledger: a view's running totals since weir began, with stable row numbers; what SNMP,
 * memory tables and `weir top` show. The publisher adds each interval's rows; readers on
 * other threads lock it for as long as they copy what they need. Counting never waits for
 * a reader: only the publisher does.
 */
#ifndef WEIR_CORE_LEDGER_H
#define WEIR_CORE_LEDGER_H

#include <pthread.h>
#include <stdint.h>

#include "core/slab.h"
#include "flow/rowspec.h"
#include "lib/table.h"

struct ledger {
	const struct rowspec *rs;  /* rows begin as the view's; the bin is 0 */
	struct table table;
	uint32_t seen_offset;      /* in a row: struct ledger_seen */
	struct sums total;         /* rows and other row */
	struct sums other;
	struct sums forgotten;     /* `total` of all that was cleared: the books go on */
	uint64_t serial;           /* grows with every change */
	uint64_t updated;          /* ns since 1970, of the last change */
	uint64_t cleared;          /* ns since 1970: totals count from then */
	pthread_mutex_t lock;
};

/* When a row was counted first and last: ns since 1970, to the publish interval. */
struct ledger_seen {
	uint64_t first, last;
};

struct ledger *ledger_new(const struct rowspec *rs, uint32_t max_rows, struct err *e);
void ledger_free(struct ledger *l);

/* Count a slab of the view's; publisher's thread. */
void ledger_add(struct ledger *l, const struct slab *s, uint64_t now);

/* Readers of other threads than the publisher's hold the lock while they look. */
void ledger_lock(struct ledger *l);
void ledger_unlock(struct ledger *l);

/* Row `i` of l->table.n: laid out by l->rs. Row numbers hold until ledger_clear. */
static inline const uint8_t *
ledger_row(const struct ledger *l, uint32_t i)
{
	return table_row(&l->table, i);
}

static inline const struct ledger_seen *
ledger_seen(const struct ledger *l, const uint8_t *row)
{
	return (const struct ledger_seen *)(const void *)(row + l->seen_offset);
}

/* Forget all rows and totals (the caller holds the lock). */
void ledger_clear(struct ledger *l, uint64_t now);

/* The most that a ledger of this shape can take, in octets. */
uint64_t ledger_max_octets(const struct rowspec *rs, uint32_t max_rows);

#endif
