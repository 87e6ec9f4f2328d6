/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/snapshot.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/view.h"

static int
row_compare(const void *a, const void *b, void *arg)
{
	const struct snapshot *s = arg;
	const uint8_t *x = table_row(&s->slab->table, *(const uint32_t *)a);
	const uint8_t *y = table_row(&s->slab->table, *(const uint32_t *)b);
	uint64_t p = s->slab->bins[rowspec_bin(s->rs, x)].start;
	uint64_t q = s->slab->bins[rowspec_bin(s->rs, y)].start;

	if (p != q)
		return p < q ? -1 : 1;
	return memcmp(x, y, s->rs->key_octets);
}

/* Put the rows in order. Where memory is short they stay as they came. */
static void
rows_sort(struct snapshot *s)
{
	s->order = malloc((s->n > 0 ? s->n : 1) * sizeof(*s->order));
	if (s->order == NULL)
		return;
	for (uint32_t i = 0; i < s->n; i++)
		s->order[i] = i;
	qsort_r(s->order, s->n, sizeof(*s->order), row_compare, s);
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
