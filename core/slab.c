/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/slab.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

struct slab *
slab_new(const struct rowspec *rs, uint32_t max_rows, struct err *e)
{
	struct slab *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for a slab");
		return NULL;
	}
	if (table_init(&s->table, rs->key_octets, rs->row_octets, max_rows, e) != 0) {
		free(s);
		return NULL;
	}
	return s;
}

void
slab_free(struct slab *s)
{
	if (s == NULL)
		return;
	table_fini(&s->table);
	if (s->moves.rows != NULL)
		table_fini(&s->moves);
	free(s);
}

void
slab_clear(struct slab *s)
{
	table_clear(&s->table);
	memset(s->other, 0, s->n_bins * sizeof(s->other[0]));
	if (s->n_bins > SLAB_RECENT)
		memset(s->places, 0, sizeof(s->places));
	s->n_bins = 0;
	s->fed = s->filtered = s->counted = s->sampled_out = s->scaled = (struct sums){ 0 };
	s->other_records = s->late_records = 0;
	s->emptied = false;
	if (s->moves.n > 0)
		table_clear(&s->moves);
}

/*
 * The place of the bin that begins at `start`, or the free one that is to be its own: half of
 * them are free at least.
 */
static uint16_t *
place_find(struct slab *s, uint64_t start)
{
	uint64_t at = hash_seeded(&start, sizeof(start));

	for (;; at++) {
		uint16_t *place = &s->places[at % SLAB_PLACES];

		if (*place == 0 || s->bins[*place - 1].start == start)
			return place;
	}
}

/*
 * The number of the bin that begins at `start`, which is none of the newest; -1 with its
 * place in `*fresh` where it is not there.
 */
static int
bin_lookup(struct slab *s, uint64_t start, uint16_t **fresh)
{
	uint16_t *place;

	/* The first ones have no place before there are others. */
	if (s->n_bins == SLAB_RECENT)
		for (uint16_t i = 0; i < SLAB_RECENT; i++)
			*place_find(s, s->bins[i].start) = (uint16_t)(i + 1);
	place = place_find(s, start);
	if (*place != 0)
		return *place - 1;
	*fresh = place;
	return -1;
}

int
slab_bin(struct slab *s, struct bin bin)
{
	int end = s->n_bins > SLAB_RECENT ? s->n_bins - (int)SLAB_RECENT : 0, n;
	uint16_t *place = NULL;

	for (int i = s->n_bins - 1; i >= end; i--)
		if (s->bins[i].start == bin.start)
			return i;
	if (s->n_bins >= SLAB_RECENT && (n = bin_lookup(s, bin.start, &place)) >= 0)
		return n;
	if (s->n_bins == SLAB_BINS)
		return -1;
	if (place != NULL)
		*place = (uint16_t)(s->n_bins + 1);
	s->bins[s->n_bins] = bin;
	s->other[s->n_bins] = (struct sums){ 0 };
	s->waited[s->n_bins] = 0;
	return s->n_bins++;
}

int
slab_bin_find(const struct slab *s, uint64_t stamp)
{
	for (int i = s->n_bins - 1; i >= 0; i--)
		if (stamp >= s->bins[i].start && stamp < s->bins[i].end)
			return i;
	return -1;
}

void
slab_tidy(const struct rowspec *rs, struct slab *s)
{
	uint32_t *to, left = 0;

	if (!s->emptied || (to = malloc(s->table.n * sizeof(*to))) == NULL)
		return;
	for (uint32_t i = 0; i < s->table.n; i++)
		to[i] = rowspec_counts_nothing(rs, table_row(&s->table, i)) ? UINT32_MAX
		                                                           : left++;
	table_renumber(&s->table, to, left);
	free(to);
	s->emptied = false;
}

/* Rows on their way from one slab to another, a batch at a time. */
struct batch {
	const struct rowspec *rs;
	struct slab *to;
	unsigned n;
	const uint8_t *from[TABLE_BATCH];
	uint16_t bin[TABLE_BATCH];
	uint64_t keys[TABLE_BATCH * ROWSPEC_MAX_KEY / 8];
};

static void
batch_flush(struct batch *b)
{
	uint8_t *rows[TABLE_BATCH];

	(void)table_upsert(&b->to->table, b->keys, b->n, rows);
	for (unsigned i = 0; i < b->n; i++) {
		if (rows[i] != NULL)
			rowspec_merge(b->rs, rows[i], b->from[i]);
		else
			sums_add(&b->to->other[b->bin[i]],
			    rowspec_sums_get(b->rs, b->from[i]));
	}
	b->n = 0;
}

static void
batch_add(struct batch *b, const uint8_t *row, uint16_t bin)
{
	uint8_t *key = (uint8_t *)b->keys + b->n * b->rs->key_octets;

	memcpy(key, row, b->rs->key_octets);
	rowspec_bin_set(b->rs, key, bin);
	b->from[b->n] = row;
	b->bin[b->n] = bin;
	if (++b->n == TABLE_BATCH)
		batch_flush(b);
}

/* Where the bins of one slab are in another. */
struct places {
	uint16_t at[SLAB_BINS];
	bool shared[SLAB_BINS]; /* they do not fit, and are in the last one */
};

static void
bins_match(struct slab *to, const struct slab *from, struct places *p)
{
	for (uint16_t i = 0; i < from->n_bins; i++) {
		int n = slab_bin(to, from->bins[i]);

		p->shared[i] = n < 0;
		p->at[i] = n >= 0 ? (uint16_t)n : (uint16_t)(SLAB_BINS - 1);
	}
}

uint64_t
slab_merge(const struct rowspec *rs, struct slab *to, const struct slab *from)
{
	struct batch b = { .rs = rs, .to = to, .n = 0 };
	struct places p;
	uint64_t shared = 0;

	bins_match(to, from, &p);
	for (uint32_t i = 0; i < from->table.n; i++) {
		const uint8_t *row = table_row(&from->table, i);
		uint16_t bin = rowspec_bin(rs, row);

		batch_add(&b, row, p.at[bin]);
		shared += p.shared[bin];
	}
	batch_flush(&b);
	for (uint16_t i = 0; i < from->n_bins; i++) {
		shared += p.shared[i] && from->other[i].packets > 0;
		sums_add(&to->other[p.at[i]], &from->other[i]);
	}
	sums_add(&to->fed, &from->fed);
	sums_add(&to->filtered, &from->filtered);
	sums_add(&to->sampled_out, &from->sampled_out);
	sums_add(&to->scaled, &from->scaled);
	sums_add(&to->counted, &from->counted);
	to->other_records += from->other_records;
	to->late_records += from->late_records;
	to->emptied |= from->emptied;
	return shared;
}

static bool
row_stays(const struct rowspec *rs, const struct slab_split *how, const uint8_t *row)
{
	uint32_t class_id;

	switch ((enum slab_stays)how->stays[rowspec_bin(rs, row)]) {
	case SLAB_GOES:
		return false;
	case SLAB_STAYS:
		return true;
	case SLAB_UNKNOWN_STAYS:
		break;
	}
	memcpy(&class_id, row + how->class_offset, sizeof(class_id));
	return class_id == how->unknown;
}

/* Close up the rows of `s` that go. The index is of no use afterwards. */
static void
rows_drop(const struct rowspec *rs, struct slab *s, const struct slab_split *how)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->table.n; i++) {
		const uint8_t *row = table_row(&s->table, i);

		if (row_stays(rs, how, row))
			continue;
		if (kept != i)
			memcpy(table_row(&s->table, kept), row, rs->row_octets);
		kept++;
	}
	s->table.n = kept;
}

/* Bin `i` of `s` in `held`: its number there. */
static uint16_t
bin_hold(struct slab *s, uint16_t i, struct slab *held, enum slab_stays stays)
{
	uint16_t no = (uint16_t)slab_bin(held, s->bins[i]); /* it is empty: there is room */

	held->waited[no] = s->waited[i];
	if (stays == SLAB_STAYS) {
		held->other[no] = s->other[i];
		s->other[i] = (struct sums){ 0 };
	}
	return no;
}

void
slab_split(const struct rowspec *rs, struct slab *s, struct slab *held,
    const struct slab_split *how)
{
	struct batch b = { .rs = rs, .to = held, .n = 0 };
	uint16_t map[SLAB_BINS];

	for (uint16_t i = 0; i < s->n_bins; i++)
		if (how->stays[i] != SLAB_GOES)
			map[i] = bin_hold(s, i, held, (enum slab_stays)how->stays[i]);
	if (held->n_bins == 0)
		return;
	for (uint32_t i = 0; i < s->table.n; i++) {
		const uint8_t *row = table_row(&s->table, i);

		if (row_stays(rs, how, row))
			batch_add(&b, row, map[rowspec_bin(rs, row)]);
	}
	batch_flush(&b);
	rows_drop(rs, s, how);
}

struct sums
slab_rows_sum(const struct rowspec *rs, const struct slab *s)
{
	struct sums sum = { 0 };

	for (uint32_t i = 0; i < s->table.n; i++)
		sums_add(&sum, rowspec_sums_get(rs, table_row(&s->table, i)));
	return sum;
}

struct sums
slab_other_sum(const struct slab *s)
{
	struct sums sum = { 0 };

	for (uint16_t i = 0; i < s->n_bins; i++)
		sums_add(&sum, &s->other[i]);
	return sum;
}
