/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/snapshot.h"

#include <assert.h>
#include <endian.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/view.h"

/* A row to be sorted, and the part of its key that decides: a look at the row is a cache miss. */
struct place {
	uint64_t part; /* a number in the order of its octets */
	uint32_t row;
};

static int
place_compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->part > y->part) - (x->part < y->part);
}

/* Octets [at, at + 8) of the key; what is behind its end is 0 in all rows. */
static uint64_t
key_part(const struct snapshot *s, const uint8_t *row, uint32_t at)
{
	uint32_t left = s->rs->key_octets - at;
	uint64_t part = 0;

	memcpy(&part, row + at, left < sizeof(part) ? left : sizeof(part));
	return be64toh(part);
}

static void places_sort(const struct snapshot *s, struct place *p, uint32_t n, uint32_t at);

/* Sort by the parts that are there; those with the same one, by the key from `next` on. */
static void
places_part(const struct snapshot *s, struct place *p, uint32_t n, uint32_t next)
{
	uint32_t end = 1;

	while (end < n && p[end - 1].part <= p[end].part)
		end++;
	if (end < n)
		qsort(p, n, sizeof(*p), place_compare);
	for (uint32_t i = 0; i < n; i = end) {
		for (end = i + 1; end < n && p[end].part == p[i].part;)
			end++;
		places_sort(s, p + i, end - i, next);
	}
}

/* Sort `p`, whose keys are the same before `at`. */
static void
places_sort(const struct snapshot *s, struct place *p, uint32_t n, uint32_t at)
{
	if (n < 2 || at >= s->rs->key_octets)
		return;
	for (uint32_t i = 0; i < n; i++)
		p[i].part = key_part(s, table_row(&s->slab->table, p[i].row), at);
	places_part(s, p, n, at + (uint32_t)sizeof(p->part));
}

/* Put the rows in order. Where memory is short they stay as they came. */
static void
rows_sort(struct snapshot *s)
{
	size_t n = s->n > 0 ? s->n : 1;
	struct place *places = malloc(n * sizeof(*places));

	s->order = places == NULL ? NULL : malloc(n * sizeof(*s->order));
	if (s->order == NULL) {
		free(places);
		return;
	}
	for (uint32_t i = 0; i < s->n; i++)
		places[i] = (struct place){
			snapshot_bin(s, table_row(&s->slab->table, i)).start, i };
	places_part(s, places, s->n, 0);
	for (uint32_t i = 0; i < s->n; i++)
		s->order[i] = places[i].row;
	free(places);
}

struct snapshot *
snapshot_new(struct view *view, struct slab *slab, bool sorted)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->view = view;
	s->rs = &view->rs;
	s->n = slab->table.n;
	s->slab = slab;
	atomic_init(&s->refs, 1);
	if (sorted)
		rows_sort(s);
	return s;
}

struct snapshot *
snapshot_ref(struct snapshot *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void
snapshot_unref(struct snapshot *s)
{
	if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	view_slab_put((struct view *)s->view, s->slab);
	free(s->order);
	free(s);
}

const uint8_t *
snapshot_row(const struct snapshot *s, uint32_t i)
{
	assert(i < s->n);
	return table_row(&s->slab->table, s->order != NULL ? s->order[i] : i);
}

void
snapshot_fetch(const struct snapshot *s, uint32_t i)
{
	const uint8_t *row = snapshot_row(s, i);

	__builtin_prefetch(row);
	__builtin_prefetch(row + s->rs->row_octets - 1);
}

struct bin
snapshot_bin(const struct snapshot *s, const uint8_t *row)
{
	return s->slab->bins[rowspec_bin(s->rs, row)];
}

uint16_t
snapshot_n_bins(const struct snapshot *s)
{
	return s->slab->n_bins;
}

struct bin
snapshot_bin_no(const struct snapshot *s, uint16_t i)
{
	assert(i < s->slab->n_bins);
	return s->slab->bins[i];
}

const struct sums *
snapshot_other(const struct snapshot *s, uint16_t i)
{
	assert(i < s->slab->n_bins);
	return &s->slab->other[i];
}

/* The first row whose bin starts at or (`after`) after `start`; they are sorted by bin. */
static uint32_t
rows_bound(const struct snapshot *s, uint64_t start, bool after)
{
	uint32_t low = 0, high = s->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		uint64_t t = snapshot_bin(s, snapshot_row(s, mid)).start;

		if (t < start || (after && t == start))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct snapshot_range
snapshot_bin_rows(const struct snapshot *s, uint16_t i)
{
	uint64_t start = snapshot_bin_no(s, i).start;

	return (struct snapshot_range){ rows_bound(s, start, false),
		rows_bound(s, start, true) };
}

uint64_t
snapshot_all_rows(const struct snapshot *s)
{
	uint64_t n = s->n;

	for (uint16_t i = 0; i < snapshot_n_bins(s); i++)
		n += !sums_equal(snapshot_other(s, i), &(struct sums){ 0 });
	return n;
}
