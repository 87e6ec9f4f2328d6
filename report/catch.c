/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/catch.h"

#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"

/* Rows may be picked by several lists; but so many times a row, and this often, at most. */
#define HITS_EACH  4U
#define HITS_LEAST 65536U
#define LOOKS      65536U /* at rows, between two looks at the client: milliseconds */

static void *
must(void *p)
{
	if (p == NULL)
		abort(); /* as large as tables that are in memory already */
	return p;
}

/* Copy the table as it is. Memory is had before anybody has to wait. */
static void
copy(struct catch *c, struct memory *m, struct ledger *l)
{
	uint32_t room = 0;

	c->ledger = l;
	c->octets = l->table.row_octets;
	for (;;) {
		pthread_mutex_lock(&m->lock);
		ledger_lock(l);
		if (room > 0 && l->table.n <= room)
			break;
		room = l->table.n + l->table.n / 8 + 64;
		ledger_unlock(l);
		pthread_mutex_unlock(&m->lock);
		free(c->rows);
		free(c->taken);
		c->rows = must(malloc(room * c->octets));
		c->taken = must(malloc(room * sizeof(*c->taken)));
	}
	memory_follow(m, l);
	c->n = l->table.n;
	memcpy(c->rows, l->table.rows, c->n * c->octets);
	ledger_unlock(l);
	c->generation = m->generation;
	c->n_taken = m->n < c->n ? m->n : c->n;
	if (c->n_taken > 0)
		memcpy(c->taken, m->taken, c->n_taken * sizeof(*c->taken));
	pthread_mutex_unlock(&m->lock);
	for (uint32_t i = 0; i < c->n_taken; i++)
		sums_take_off(rowspec_sums(l->rs, c->rows + i * c->octets), &c->taken[i]);
}

static struct sums *
row_sums(const struct catch *c, uint32_t row)
{
	return rowspec_sums(c->ledger->rs, c->rows + row * c->octets);
}

const struct sums *
catch_sums(const struct catch *c, size_t i)
{
	return row_sums(c, c->hits[i].row);
}

/* Whether row `i` is there: one taken whole is not. */
static bool
is_there(const struct catch *c, uint32_t i)
{
	static const struct sums none;

	return i >= c->n_taken || !sums_equal(row_sums(c, i), &none) ||
	    sums_equal(&c->taken[i], &none);
}

static uint64_t
value_of(const struct sums *s, size_t by)
{
	return *(const uint64_t *)(const void *)((const char *)s + by);
}

struct adding {
	struct catch *c;
	uint32_t row;
};

static void
hit_add(void *arg, uint32_t list)
{
	const struct adding *a = arg;
	struct catch *c = a->c;

	if (c->n_hits == (size_t)HITS_EACH * c->n + HITS_LEAST) {
		c->cut = true;
		return;
	}
	if (c->n_hits == c->room) {
		c->room = c->room * 2 + 256;
		c->hits = must(realloc(c->hits, c->room * sizeof(*c->hits)));
	}
	c->hits[c->n_hits++] = (struct catch_hit){ .row = a->row, .list = list,
		.value = value_of(row_sums(c, a->row), c->by) };
}

/* As pmacct: what two lists fit is there twice. */
static int
pick(struct catch *c, const struct query_match *match, struct reply *r)
{
	size_t looks = 0, each = match != NULL ? query_match_groups(match) : 1;

	c->n_hits = 0;
	for (uint32_t i = 0; i < c->n && !c->cut; i++) {
		struct adding a = { c, i };

		if ((looks += each) >= LOOKS) {
			looks = 0;
			if (reply_is_abandoned(r))
				return -WEIR_EIO;
		}
		if (!is_there(c, i))
			continue;
		if (match == NULL)
			hit_add(&a, 0);
		else
			query_match_each(match, c->ledger->rs, c->rows + i * c->octets,
			    hit_add, &a);
	}
	return c->cut ? -WEIR_EFULL : 0;
}

static int
hit_compare(const void *a, const void *b)
{
	const struct catch_hit *x = a, *y = b;

	if (x->value != y->value)
		return x->value > y->value ? -1 : 1;
	if (x->list != y->list)
		return x->list < y->list ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row;
}

/* Hits, which came by row, by list: count those of each, and put them where they belong. */
static void
order_by_list(struct catch *c, size_t lists)
{
	size_t *at = must(calloc(lists + 1, sizeof(*at)));
	struct catch_hit *ordered = must(malloc((c->n_hits + 1) * sizeof(*ordered)));

	for (size_t i = 0; i < c->n_hits; i++)
		at[c->hits[i].list + 1]++;
	for (size_t i = 0; i < lists; i++)
		at[i + 1] += at[i];
	for (size_t i = 0; i < c->n_hits; i++)
		ordered[at[c->hits[i].list]++] = c->hits[i];
	free(at);
	free(c->hits);
	c->hits = ordered;
	c->room = c->n_hits + 1;
}

static void
order(struct catch *c, const struct catch_wish *w)
{
	if (w->sorted)
		qsort(c->hits, c->n_hits, sizeof(*c->hits), hit_compare);
	else if (w->match != NULL && query_match_count(w->match) > 1)
		order_by_list(c, query_match_count(w->match));
	if (w->top != 0 && w->top < c->n_hits)
		c->n_hits = w->top;
}

/*
 * The rows of all hits, or, to clear the table, all that were there, each once: rows that were
 * picked twice are shown twice, but count once. One that another had taken may have been put
 * back since: it is for who is shown it.
 */
static void
rows_list(const struct catch *c, const struct catch_wish *w, struct catch_taken *t)
{
	bool *listed = must(calloc(c->n + 1, sizeof(*listed)));
	size_t n = w->clear ? c->n : c->n_hits;

	t->rows = must(malloc((n + 1) * sizeof(*t->rows)));
	for (size_t i = 0; i < n; i++) {
		uint32_t row = w->clear ? (uint32_t)i : c->hits[i].row;

		if (!listed[row] && is_there(c, row))
			t->rows[t->n++].row = row;
		listed[row] = true;
	}
	free(listed);
}

/* What was counted of `row` when it was copied, whoever has it. */
static struct sums
total_of(const struct catch *c, uint32_t row)
{
	struct sums s = *row_sums(c, row);

	if (row < c->n_taken)
		sums_add(&s, &c->taken[row]);
	return s;
}

/* Hits of which others were quicker go, and the others show what was left of them. */
static void
leave_what_is_left(struct catch *c, const struct catch_taken *t, const struct catch_wish *w)
{
	static const struct sums none;
	bool *gone = must(calloc(c->n + 1, sizeof(*gone)));
	size_t n = 0;

	for (uint32_t i = 0; i < t->n; i++) {
		struct sums *shown = row_sums(c, t->rows[i].row);

		gone[t->rows[i].row] = !sums_equal(shown, &none) &&
		    sums_equal(&t->rows[i].sums, &none);
		*shown = t->rows[i].sums;
	}
	for (size_t i = 0; i < c->n_hits; i++) {
		c->hits[n] = c->hits[i];
		c->hits[n].value = value_of(catch_sums(c, i), c->by);
		n += !gone[c->hits[i].row];
	}
	c->n_hits = n;
	free(gone);
	if (w->sorted)
		qsort(c->hits, c->n_hits, sizeof(*c->hits), hit_compare);
}

/* Returns false when the table was cleared since it was copied. */
static bool
take(struct catch *c, struct memory *m, struct ledger *l, const struct catch_wish *w,
    struct catch_taken *t)
{
	bool same;

	rows_list(c, w, t);
	pthread_mutex_lock(&m->lock);
	ledger_lock(l);
	memory_follow(m, l);
	ledger_unlock(l);
	same = m->generation == c->generation;
	for (uint32_t i = 0; same && i < t->n; i++) {
		struct sums total = total_of(c, t->rows[i].row);

		t->rows[i].sums = memory_take(m, t->rows[i].row, &total);
	}
	m->pending += same;
	pthread_mutex_unlock(&m->lock);
	if (!same) {
		catch_settle(t, true);
		return false;
	}
	t->memory = m;
	t->generation = c->generation;
	t->clear = w->clear;
	t->ledger = w->alone ? l : NULL;
	leave_what_is_left(c, t, w);
	return true;
}

int
catch_rows(struct catch *c, const struct catch_wish *w, struct memory *m, struct ledger *l,
    struct reply *r, struct catch_taken *taken)
{
	int rc;

	c->by = w->by;
	do {
		copy(c, m, l);
		if ((rc = pick(c, w->match, r)) != 0)
			return rc;
		order(c, w);
		if (reply_is_abandoned(r))
			return -WEIR_EIO;
	} while (w->take && !take(c, m, l, w, taken));
	return 0;
}

void
catch_fini(struct catch *c)
{
	free(c->rows);
	free(c->taken);
	free(c->hits);
	memset(c, 0, sizeof(*c));
}

/* What the client has of a cleared table needs no rows any more. */
static void
cleared(struct catch_taken *t)
{
	t->memory->cleared = clock_real();
	if (t->ledger == NULL)
		return;
	ledger_lock(t->ledger);
	memory_tidy(t->memory, t->ledger);
	ledger_unlock(t->ledger);
}

void
catch_settle(struct catch_taken *t, bool had)
{
	struct memory *m = t->memory;

	if (m != NULL) {
		pthread_mutex_lock(&m->lock);
		m->pending--;
		/* What was cleared meanwhile has no place any more. */
		for (uint32_t i = 0; !had && m->generation == t->generation && i < t->n; i++)
			memory_put_back(m, t->rows[i].row, &t->rows[i].sums);
		if (had && t->clear)
			cleared(t);
		pthread_mutex_unlock(&m->lock);
	}
	free(t->rows);
	memset(t, 0, sizeof(*t));
}
