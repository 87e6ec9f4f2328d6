/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "core/owed.h"
#include "core/watch.h"
#include "lib/clock.h"

#define CROWDED_PART 8 /* with one place in eight free there is no need to let rows go */
#define SWEEP_EVERY  (10 * CLOCK_S)

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
	owed_free(l->owed);
	free(l->moved);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static void
row_see(struct ledger *l, uint8_t *row, uint64_t now)
{
	struct ledger_seen *seen = (struct ledger_seen *)(void *)(row + l->seen_offset);

	if (seen->first == 0)
		seen->first = now;
	seen->last = now;
}

uint8_t *
ledger_row_take(struct ledger *l, const void *key, uint64_t now)
{
	uint8_t *row;

	if (table_upsert(&l->table, key, 1, &row) != 0)
		return NULL;
	row_see(l, row, now);
	return row;
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
	row_see(l, row, now);
}

/* Let those who watch see what `from` adds to `row`, which may be NULL. */
static void
ledger_watched(struct ledger *l, const uint8_t *row, const uint8_t *from)
{
	watch_lens_count(l->lens, row == NULL ? LEDGER_GONE : ledger_row_no(l, row), from);
}

/* Whether idle rows should make room, and it is not too soon after the last try. */
static bool
ledger_is_crowded(const struct ledger *l, uint64_t now)
{
	return l->keep != 0 && l->table.n >= l->table.max - l->table.max / CROWDED_PART &&
	       (now >= l->next_sweep || l->next_sweep > now + SWEEP_EVERY);
}

uint32_t
ledger_drop(struct ledger *l, bool (*goes)(const void *arg, uint32_t row), const void *arg)
{
	uint32_t before = l->table.n, left = 0, first = 0;

	while (first < before && !goes(arg, first))
		first++;
	if (first == before)
		return 0;
	if (l->moved == NULL)
		l->moved = calloc(l->table.max, sizeof(*l->moved));
	if (l->moved == NULL)
		return 0;
	for (uint32_t i = 0; i < before; i++)
		l->moved[i] = goes(arg, i) ? LEDGER_GONE : left++;
	l->sweeps++;
	table_renumber(&l->table, l->moved, left);
	return before - left;
}

struct idling {
	const struct ledger *l;
	uint64_t now;
};

static bool
row_is_idle(const void *arg, uint32_t row)
{
	const struct idling *i = arg;
	uint64_t last = ledger_seen(i->l, ledger_row(i->l, row))->last;

	return i->now > last && i->now - last > i->l->keep;
}

/* Let rows go that have been idle for l->keep. */
static void
ledger_sweep(struct ledger *l, uint64_t now)
{
	const struct idling idle = { l, now };

	l->next_sweep = now + SWEEP_EVERY;
	l->evictions += ledger_drop(l, row_is_idle, &idle);
}

/* Let rows have what belongs to them, of this slab or of one before. */
static struct moves_told
ledger_settle(struct ledger *l, const struct slab *s, uint64_t now)
{
	struct moves_told none = { 0, 0 };

	if (l->owed == NULL && s->moves.n > 0)
		l->owed = owed_new(l->rs, NULL);
	if (l->owed != NULL)
		return owed_settle(l->owed, l, s, now);
	for (uint32_t i = 0; i < s->moves.n; i++)
		none.stayed += moves_records(l->rs, table_row(&s->moves, i));
	return none;
}

struct moves_told
ledger_add(struct ledger *l, const struct slab *s, uint64_t now)
{
	uint64_t keys[TABLE_BATCH * ROWSPEC_MAX_KEY / 8];
	uint8_t *rows[TABLE_BATCH];
	struct moves_told told;

	ledger_lock(l);
	if (l->cleared == 0)
		l->cleared = now;
	if (l->lens != NULL)
		watch_lens_open(l->lens, now);
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
		for (unsigned i = 0; l->lens != NULL && i < n; i++)
			ledger_watched(l, rows[i], table_row(&s->table, at + i));
	}
	told = ledger_settle(l, s, now);
	if (l->lens != NULL)
		watch_lens_close(l->lens);

	struct sums other = slab_other_sum(s);

	sums_add(&l->total, &other);
	sums_add(&l->other, &other);
	l->serial++;
	l->updated = now;
	if (ledger_is_crowded(l, now))
		ledger_sweep(l, now);
	ledger_unlock(l);
	return told;
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
	owed_clear(l->owed);
	sums_add(&l->forgotten, &l->total);
	l->resumed = 0;
	l->total = l->other = (struct sums){ 0 };
	l->serial++;
	l->updated = l->cleared = now;
}
