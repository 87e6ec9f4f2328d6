/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/rows.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

struct candidate {
	uint64_t octets;        /* of its traffic */
	uint32_t row;           /* number in the ledger */
};

struct rows_builder {
	struct rows_config config;
	uint32_t ledger_rows;   /* room for so many in the arrays by row number */
	uint64_t cleared;       /* of the ledger, when the arrays below were begun */
	uint64_t sweeps;        /* of the ledger, whose row numbers these are */

	/* by row number */
	uint64_t *hashes;       /* 0: not made yet */
	uint64_t *since;        /* 0: never shown */
	uint64_t *shown;        /* bits: in `order` */
	uint64_t *chosen;       /* bits: scratch of one build */

	uint32_t *order;        /* row numbers that are shown, by index */
	uint32_t n;
	uint32_t *spare;        /* scratch: the next `order` */
	uint32_t *fresh;        /* scratch: rows chosen that were not shown */
	struct candidate *candidates;
	uint64_t floor;         /* octets that the last row worth ranking had */
	uint64_t random;        /* for pivots */
};

static bool
bit_get(const uint64_t *bits, uint32_t i)
{
	return bits[i / 64] >> i % 64 & 1;
}

static void
bit_set(uint64_t *bits, uint32_t i)
{
	bits[i / 64] |= UINT64_C(1) << i % 64;
}

static void
bit_clear(uint64_t *bits, uint32_t i)
{
	bits[i / 64] &= ~(UINT64_C(1) << i % 64);
}

struct rows_builder *
rows_builder_new(const struct rows_config *c, uint32_t ledger_rows, struct err *e)
{
	struct rows_builder *b = calloc(1, sizeof(*b));
	size_t all = ledger_rows > 0 ? ledger_rows : 1, words = (all + 63) / 64;
	size_t limit;

	if (b == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for SNMP rows");
		return NULL;
	}
	b->config = *c;
	if (b->config.identity == NULL)
		b->config.identity = rowspec_identity;
	if (b->config.max_rows > all)
		b->config.max_rows = (uint32_t)all;
	limit = b->config.max_rows;
	b->ledger_rows = ledger_rows;
	b->random = hash_seed() | 1;

	/* calloc: pages that are never touched cost nothing. */
	b->hashes = calloc(all, sizeof(*b->hashes));
	b->since = calloc(all, sizeof(*b->since));
	b->shown = calloc(words, sizeof(*b->shown));
	b->chosen = calloc(words, sizeof(*b->chosen));
	b->order = calloc(limit + 1, sizeof(*b->order));
	b->spare = calloc(limit + 1, sizeof(*b->spare));
	b->fresh = calloc(limit + 1, sizeof(*b->fresh));
	b->candidates = calloc(all, sizeof(*b->candidates));
	if (b->hashes == NULL || b->since == NULL || b->shown == NULL ||
	    b->chosen == NULL || b->order == NULL || b->spare == NULL ||
	    b->fresh == NULL || b->candidates == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for the SNMP indexes of %u rows",
		    ledger_rows);
		rows_builder_free(b);
		return NULL;
	}
	return b;
}

void
rows_builder_free(struct rows_builder *b)
{
	if (b == NULL)
		return;
	free(b->hashes);
	free(b->since);
	free(b->shown);
	free(b->chosen);
	free(b->order);
	free(b->spare);
	free(b->fresh);
	free(b->candidates);
	free(b);
}

/* The ledger was cleared: row numbers mean other keys from now on. */
static void
builder_forget(struct rows_builder *b)
{
	size_t words = ((size_t)b->ledger_rows + 63) / 64;

	memset(b->hashes, 0, b->ledger_rows * sizeof(*b->hashes));
	memset(b->since, 0, b->ledger_rows * sizeof(*b->since));
	memset(b->shown, 0, words * sizeof(*b->shown));
	b->n = 0;
	b->floor = 0;
}

/*
 * Rows of the ledger went, and others have their numbers. Numbers only get smaller, so
 * the arrays can be changed where they are. What was forgotten because a sweep was missed
 * is made anew.
 */
static void
builder_renumber(struct rows_builder *b, const struct ledger *l)
{
	uint32_t left = 0, n = 0;

	for (uint32_t i = 0; i < b->ledger_rows; i++) {
		uint32_t to;

		if (b->hashes[i] == 0 || (to = ledger_moved(l, i, b->sweeps)) == i)
			continue;
		if (to != LEDGER_GONE) {
			b->hashes[to] = b->hashes[i];
			b->since[to] = b->since[i];
			if (bit_get(b->shown, i))
				bit_set(b->shown, to);
		}
		b->hashes[i] = b->since[i] = 0;
		bit_clear(b->shown, i);
	}
	for (; n < b->n; n++) {
		uint32_t to = ledger_moved(l, b->order[n], b->sweeps);

		if (to != LEDGER_GONE)
			b->order[left++] = to;
	}
	b->n = left;
	b->sweeps = l->sweeps;
}

static bool
candidate_before(const struct candidate *a, const struct candidate *b)
{
	return a->octets != b->octets ? a->octets > b->octets : a->row < b->row;
}

/*
 * Bring the `k` first of `n` candidates to the front, in no particular order (Hoare's
 * FIND). Pivots are random, so that nobody can arrange traffic for the worst case.
 */
static void
candidates_select(struct rows_builder *b, struct candidate *c, size_t n, size_t k)
{
	ptrdiff_t low = 0, high = (ptrdiff_t)n - 1, want = (ptrdiff_t)k - 1;

	if (k == 0 || k >= n)
		return;
	while (low < high) {
		ptrdiff_t i = low, j = high;
		struct candidate pivot;

		b->random ^= b->random << 13;
		b->random ^= b->random >> 7;
		b->random ^= b->random << 17;
		pivot = c[low + (ptrdiff_t)(b->random % (uint64_t)(high - low + 1))];
		do {
			while (candidate_before(&c[i], &pivot))
				i++;
			while (candidate_before(&pivot, &c[j]))
				j--;
			if (i <= j) {
				struct candidate swap = c[i];

				c[i++] = c[j];
				c[j--] = swap;
			}
		} while (i <= j);
		if (j < want)
			low = i;
		if (want < i)
			high = j;
	}
}

/*
 * List the rows of `l` that are not idle for too long and have `floor` octets at least.
 * `*alive` tells how many there are without regard to the floor.
 */
static size_t
candidates_collect(struct rows_builder *b, const struct ledger *l, uint64_t floor,
    size_t *alive)
{
	uint64_t linger = b->config.linger;
	size_t n = 0;

	*alive = 0;
	for (uint32_t i = 0; i < l->table.n; i++) {
		const uint8_t *row = ledger_row(l, i);
		uint64_t octets = rowspec_sums_get(l->rs, row)->bytes;
		uint64_t last = ledger_seen(l, row)->last;

		if (linger != 0 && l->updated > last && l->updated - last > linger)
			continue;
		++*alive;
		if (octets >= floor)
			b->candidates[n++] = (struct candidate){ octets, i };
	}
	return n;
}

/* Choose the rows to be shown; returns how many candidates, from the first, they are. */
static size_t
rows_choose(struct rows_builder *b, const struct ledger *l)
{
	struct candidate *c = b->candidates;
	size_t limit = b->config.max_rows, keep = limit + limit / 5;
	size_t must = limit - limit / 5, held = must;
	size_t alive, n = candidates_collect(b, l, b->floor, &alive);

	/* Sums only grow, so yesterday's floor holds unless many rows went idle. */
	if (n < keep && n < alive)
		n = candidates_collect(b, l, 0, &alive);
	b->floor = 0;
	if (n <= limit)
		return n;
	if (n > keep) {
		candidates_select(b, c, n, keep);
		n = keep;
		b->floor = UINT64_MAX;
		for (size_t i = 0; i < n; i++)
			if (c[i].octets < b->floor)
				b->floor = c[i].octets;
	}
	candidates_select(b, c, n, must);
	for (size_t i = must; i < n; i++)
		if (bit_get(b->shown, c[i].row)) {
			struct candidate swap = c[i];

			c[i] = c[held];
			c[held++] = swap;
		}
	if (held > limit)
		candidates_select(b, c + must, held - must, limit - must);
	else
		candidates_select(b, c + held, n - held, limit - held);
	return limit;
}

static uint64_t
builder_index(const struct rows_builder *b, uint32_t row)
{
	return b->hashes[row] >> 2;
}

static int
by_index(const void *x, const void *y, void *arg)
{
	const struct rows_builder *b = arg;
	uint32_t p = *(const uint32_t *)x, q = *(const uint32_t *)y;
	uint64_t i = builder_index(b, p), j = builder_index(b, q);

	if (i != j)
		return i < j ? -1 : 1;
	return p < q ? -1 : p > q;
}

/*
 * Put `row` behind the `n` that the next order has. Where the last one has the same
 * index, the bigger of the two stays. Returns how many there are now.
 */
static uint32_t
order_put(struct rows_builder *b, const struct ledger *l, uint32_t n, uint32_t row)
{
	uint32_t *last = n > 0 ? &b->spare[n - 1] : NULL;

	if (last == NULL || builder_index(b, *last) != builder_index(b, row)) {
		b->spare[n] = row;
		return n + 1;
	}
	if (rowspec_sums_get(l->rs, ledger_row(l, row))->bytes >
	    rowspec_sums_get(l->rs, ledger_row(l, *last))->bytes)
		*last = row;
	return n;
}

/* The next order: what remains of the present one, and the fresh ones, merged. */
static uint32_t
order_merge(struct rows_builder *b, const struct ledger *l, uint32_t n_fresh)
{
	uint32_t n = 0, f = 0;

	qsort_r(b->fresh, n_fresh, sizeof(*b->fresh), by_index, b);
	for (uint32_t i = 0; i < b->n; i++) {
		uint32_t row = b->order[i];

		if (!bit_get(b->chosen, row))
			continue;
		while (f < n_fresh && builder_index(b, b->fresh[f]) < builder_index(b, row))
			n = order_put(b, l, n, b->fresh[f++]);
		n = order_put(b, l, n, row);
	}
	while (f < n_fresh)
		n = order_put(b, l, n, b->fresh[f++]);
	return n;
}

/*
 * Since when a row that was not shown before has gone on: its first traffic; or since
 * what was counted in it may have been more than it is now.
 */
static uint64_t
row_since(const struct ledger *l, uint32_t row)
{
	uint64_t first = ledger_seen(l, ledger_row(l, row))->first;

	return first > l->resumed ? first : l->resumed;
}

/* Make `order`, `shown` and `since` those of the first `n` candidates. */
static void
order_update(struct rows_builder *b, const struct ledger *l, size_t n)
{
	uint32_t n_fresh = 0, n_next;
	uint32_t *swap;

	for (size_t i = 0; i < n; i++) {
		uint32_t row = b->candidates[i].row;

		bit_set(b->chosen, row);
		if (bit_get(b->shown, row))
			continue;
		if (b->hashes[row] == 0)
			b->hashes[row] = b->config.identity(l->rs, ledger_row(l, row));
		b->fresh[n_fresh++] = row;
	}
	n_next = order_merge(b, l, n_fresh);
	for (size_t i = 0; i < n; i++)
		bit_clear(b->chosen, b->candidates[i].row);

	for (uint32_t i = 0; i < n_next; i++) {
		uint32_t row = b->spare[i];

		if (b->since[row] == 0)
			b->since[row] = row_since(l, row);
		else if (!bit_get(b->shown, row))
			b->since[row] = l->updated;
	}
	for (uint32_t i = 0; i < b->n; i++)
		bit_clear(b->shown, b->order[i]);
	for (uint32_t i = 0; i < n_next; i++)
		bit_set(b->shown, b->spare[i]);
	swap = b->order;
	b->order = b->spare;
	b->spare = swap;
	b->n = n_next;
}

/* Copy the rows of `order`. */
static struct rows *
rows_copy(const struct rows_builder *b, const struct ledger *l)
{
	size_t n = b->n, stride = l->table.row_octets;
	struct rows *r = malloc(sizeof(*r) + n * (2 * sizeof(uint64_t) + stride));

	if (r == NULL)
		return NULL;
	atomic_init(&r->refs, 1);
	r->rs = l->rs;
	r->n = b->n;
	r->stride = (uint32_t)stride;
	r->seen_offset = l->seen_offset;
	r->hashes = (uint64_t *)(void *)(r + 1);
	r->since = r->hashes + n;
	r->octets = (uint8_t *)(r->since + n);
	for (uint32_t i = 0; i < r->n; i++) {
		uint32_t row = b->order[i];

		r->hashes[i] = b->hashes[row];
		r->since[i] = b->since[row];
		memcpy(r->octets + i * stride, ledger_row(l, row), stride);
	}
	return r;
}

struct rows *
rows_build(struct rows_builder *b, const struct ledger *l)
{
	if (l->cleared != b->cleared) {
		builder_forget(b);
		b->cleared = l->cleared;
		b->sweeps = l->sweeps;
	}
	if (l->sweeps != b->sweeps)
		builder_renumber(b, l);
	order_update(b, l, rows_choose(b, l));
	return rows_copy(b, l);
}

struct rows *
rows_ref(struct rows *r)
{
	atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	return r;
}

void
rows_unref(struct rows *r)
{
	if (r != NULL && atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) == 1)
		free(r);
}
