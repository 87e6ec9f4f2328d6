/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/ledger.h"

#include <stdlib.h>
#include <string.h>

static uint32_t
ledger_row_octets(const struct rowspec *rs)
{
	return rs->row_octets + (uint32_t)sizeof(struct ledger_seen);
}

uint64_t
ledger_max_octets(const struct rowspec *rs, uint32_t max_rows)
{
	return table_max_octets(ledger_row_octets(rs), max_rows);
}

struct ledger *
ledger_new(const struct rowspec *rs, uint32_t max_rows, struct err *e)
{
	struct ledger *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for a ledger");
		return NULL;
	}
	if (table_init(&l->table, rs->key_octets, ledger_row_octets(rs), max_rows, e) != 0) {
		free(l);
		return NULL;
	}
	l->rs = rs;
	l->seen_offset = rs->row_octets;
	pthread_mutex_init(&l->lock, NULL);
	return l;
}

void
ledger_free(struct ledger *l)
{
	if (l == NULL)
		return;
	table_fini(&l->table);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static void
ledger_count(struct ledger *l, uint8_t *row, const uint8_t *from, uint64_t now)
{
	const struct sums *s = rowspec_sums_get(l->rs, from);

	sums_add(&l->total, s);
	if (row == NULL) {
		sums_add(&l->other, s);
		return;
	}
	rowspec_merge(l->rs, row, from);

	struct ledger_seen *seen = (struct ledger_seen *)(void *)(row + l->seen_offset);

	if (seen->first == 0)
		seen->first = now;
	seen->last = now;
}

void
ledger_add(struct ledger *l, const struct slab *s, uint64_t now)
{
	uint64_t keys[TABLE_BATCH * ROWSPEC_MAX_KEY / 8];
	uint8_t *rows[TABLE_BATCH];

	ledger_lock(l);
	for (uint32_t at = 0; at < s->table.n; at += TABLE_BATCH) {
		unsigned n = s->table.n - at < TABLE_BATCH ? s->table.n - at : TABLE_BATCH;

		for (unsigned i = 0; i < n; i++) {
			uint8_t *key = (uint8_t *)keys + i * l->rs->key_octets;

			memcpy(key, table_row(&s->table, at + i), l->rs->key_octets);
			rowspec_bin_set(l->rs, key, 0);
		}
		(void)table_upsert(&l->table, keys, n, rows);
		for (unsigned i = 0; i < n; i++)
			ledger_count(l, rows[i], table_row(&s->table, at + i), now);
	}

	struct sums other = slab_other_sum(s);

	sums_add(&l->total, &other);
	sums_add(&l->other, &other);
	l->serial++;
	l->updated = now;
	if (l->cleared == 0)
		l->cleared = now;
	ledger_unlock(l);
}

void
ledger_lock(struct ledger *l)
{
	pthread_mutex_lock(&l->lock);
}

void
ledger_unlock(struct ledger *l)
{
	pthread_mutex_unlock(&l->lock);
}

void
ledger_clear(struct ledger *l, uint64_t now)
{
	table_clear(&l->table);
	sums_add(&l->forgotten, &l->total);
	l->total = l->other = (struct sums){ 0 };
	l->serial++;
	l->updated = l->cleared = now;
}
