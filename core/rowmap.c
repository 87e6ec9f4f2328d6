/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/rowmap.h"

#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

#define POOL_LEAST (1U << 16) /* so large the pool may be in any case */
#define SHARED 1024U /* sets that are looked at, before one is kept once more */

/* A selector with the value that it is found by. */
struct lead {
	uint16_t field;
	uint32_t no;         /* of the selector */
	uint8_t value[16];   /* padded with zeros */
};

/* Neighbours in `leads` that have the same field. */
struct lane {
	const struct field *field;
	uint32_t first, n;
};

struct rowmap {
	const struct ledger *ledger;
	const struct selector *const *selectors;
	uint32_t n;
	struct lead *leads;      /* by field, value, number */
	uint32_t n_leads;
	struct lane lanes[FIELD_COUNT];
	unsigned n_lanes;
	uint32_t *wide;          /* selectors without a lead */
	uint32_t n_wide;

	/* What was found: places in `pool`, where a set is its number of members, then they. */
	uint32_t *found;         /* by row number; 0: not looked at */
	uint64_t cleared, sweeps; /* of the ledger, when `found` was right */
	uint32_t *pool;
	uint32_t used, room;
	uint32_t shared[SHARED]; /* places of sets, by their hash */
	uint32_t *scratch;       /* members of one set */
};

/* What `t` asks for exactly, into `value`; false where it asks for more than one value. */
static bool
term_value(const struct selector_term *t, uint8_t value[16])
{
	memset(value, 0, 16);
	if (t->kind == SELECTOR_PREFIX && t->prefix.len == 128) {
		memcpy(value, &t->prefix.addr, 16);
		return true;
	}
	if (t->kind != SELECTOR_NUMBER)
		return false;
	field_uint_set(value, fields[t->field].octets, t->number);
	return true;
}

/*
 * How well the selectors are told apart by this kind of field: of what a selector asks for,
 * addresses before texts, before numbers of four octets, and so on.
 */
static bool
lead_find(const struct selector *s, struct lead *lead)
{
	unsigned best = 0;

	for (unsigned i = 0; i < s->n; i++) {
		unsigned octets = fields[s->terms[i].field].octets;
		uint8_t value[16];

		if (octets <= best || !term_value(&s->terms[i], value))
			continue;
		best = octets;
		lead->field = s->terms[i].field;
		memcpy(lead->value, value, sizeof(value));
	}
	return best != 0;
}

static int
lead_compare(const void *a, const void *b)
{
	const struct lead *x = a, *y = b;
	int order = (int)x->field - (int)y->field;

	if (order == 0)
		order = memcmp(x->value, y->value, sizeof(x->value));
	return order != 0 ? order : x->no < y->no ? -1 : x->no > y->no;
}

static void
rowmap_sort(struct rowmap *m)
{
	for (uint32_t i = 0; i < m->n; i++) {
		struct lead *lead = &m->leads[m->n_leads];

		lead->no = i;
		if (lead_find(m->selectors[i], lead))
			m->n_leads++;
		else
			m->wide[m->n_wide++] = i;
	}
	qsort(m->leads, m->n_leads, sizeof(*m->leads), lead_compare);
	for (uint32_t i = 0; i < m->n_leads; i++) {
		const struct field *f = &fields[m->leads[i].field];

		if (m->n_lanes == 0 || m->lanes[m->n_lanes - 1].field != f)
			m->lanes[m->n_lanes++] = (struct lane){ f, i, 0 };
		m->lanes[m->n_lanes - 1].n++;
	}
}

struct rowmap *
rowmap_new(const struct ledger *l, const struct selector *const *selectors, uint32_t n,
    struct err *e)
{
	struct rowmap *m = calloc(1, sizeof(*m));

	if (m != NULL) {
		m->ledger = l;
		m->selectors = selectors;
		m->n = n;
		m->leads = calloc(n + 1, sizeof(*m->leads));
		m->wide = calloc(n + 1, sizeof(*m->wide));
		m->scratch = calloc(n + 1, sizeof(*m->scratch));
		m->found = calloc((size_t)l->table.max + 1, sizeof(*m->found));
		m->room = 2 * n + 16;
		m->pool = calloc(m->room, sizeof(*m->pool));
		m->used = 1; /* place 0 means nothing */
	}
	if (m == NULL || m->leads == NULL || m->wide == NULL || m->scratch == NULL ||
	    m->found == NULL || m->pool == NULL) {
		rowmap_free(m);
		err_set(e, WEIR_ENOMEM, "no memory for %u selectors", n);
		return NULL;
	}
	m->cleared = l->cleared;
	m->sweeps = l->sweeps;
	rowmap_sort(m);
	return m;
}

void
rowmap_free(struct rowmap *m)
{
	if (m == NULL)
		return;
	free(m->leads);
	free(m->wide);
	free(m->scratch);
	free(m->found);
	free(m->pool);
	free(m);
}

/* The first lead of `lane` whose value is not before `value`. */
static uint32_t
lane_seek(const struct rowmap *m, const struct lane *lane, const uint8_t value[16])
{
	uint32_t low = lane->first, high = lane->first + lane->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (memcmp(m->leads[mid].value, value, 16) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Put selector `no` into the scratch set, in its place, if it means the row. */
static void
scratch_try(struct rowmap *m, uint32_t *n, uint32_t no, const uint8_t *key)
{
	uint32_t at = *n;

	if (!selector_matches(m->selectors[no], m->ledger->rs, key))
		return;
	for (; at > 0 && m->scratch[at - 1] > no; at--)
		m->scratch[at] = m->scratch[at - 1];
	m->scratch[at] = no;
	++*n;
}

/* Find out which selectors mean the row: to the scratch set. Returns how many. */
static uint32_t
rowmap_compare(struct rowmap *m, const uint8_t *key)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < m->n_lanes; i++) {
		const struct lane *lane = &m->lanes[i];
		uint8_t value[16] = { 0 };
		uint32_t at, end = lane->first + lane->n;

		memcpy(value, rowspec_value(m->ledger->rs, key, lane->field),
		    lane->field->octets);
		for (at = lane_seek(m, lane, value);
		     at < end && memcmp(m->leads[at].value, value, 16) == 0; at++)
			scratch_try(m, &n, m->leads[at].no, key);
	}
	for (uint32_t i = 0; i < m->n_wide; i++)
		scratch_try(m, &n, m->wide[i], key);
	return n;
}

/*
 * Put the scratch set of `n` into the pool, where it may stand already. Returns its
 * place; 0 when memory is short: then it is not kept.
 */
static uint32_t
pool_put(struct rowmap *m, uint32_t n)
{
	size_t octets = n * sizeof(*m->scratch);
	uint32_t *shared = &m->shared[hash_seeded(m->scratch, octets) % SHARED];
	uint32_t at = *shared;

	if (at != 0 && m->pool[at] == n && memcmp(&m->pool[at + 1], m->scratch, octets) == 0)
		return at;
	if (m->room - m->used < n + 1) {
		uint32_t room = 2 * m->room;
		uint32_t *grown = room > m->room ? realloc(m->pool, room * sizeof(*grown))
		                                 : NULL;

		if (grown == NULL)
			return 0;
		m->pool = grown;
		m->room = room;
	}
	at = m->used;
	m->pool[at] = n;
	memcpy(&m->pool[at + 1], m->scratch, octets);
	m->used += n + 1;
	*shared = at;
	return at;
}

/* Follow the ledger's rows to their new numbers, or forget all. */
static void
rowmap_follow(struct rowmap *m)
{
	const struct ledger *l = m->ledger;
	bool anew = m->cleared != l->cleared && m->cleared != 0;

	for (uint32_t i = 0; i < l->table.max; i++) {
		uint32_t set = m->found[i];
		uint32_t to = anew ? LEDGER_GONE : set != 0 ? ledger_moved(l, i, m->sweeps) : i;

		if (to == i)
			continue;
		m->found[i] = 0;
		if (to != LEDGER_GONE)
			m->found[to] = set;
	}
	m->cleared = l->cleared;
	m->sweeps = l->sweeps;
}

/* Sets of rows that are gone stay in the pool: begin it anew before it is all of that. */
static bool
pool_is_stale(const struct rowmap *m)
{
	return m->used > POOL_LEAST && m->used / 16 > m->ledger->table.max;
}

static void
pool_empty(struct rowmap *m)
{
	memset(m->found, 0, m->ledger->table.max * sizeof(*m->found));
	memset(m->shared, 0, sizeof(m->shared));
	m->used = 1;
}

struct rowmap_set
rowmap_get(struct rowmap *m, uint32_t row, const uint8_t *key)
{
	uint32_t n, at = 0;

	if (pool_is_stale(m))
		pool_empty(m);
	if (m->cleared != m->ledger->cleared || m->sweeps != m->ledger->sweeps)
		rowmap_follow(m);
	if (row != LEDGER_GONE)
		at = m->found[row];
	if (at != 0)
		return (struct rowmap_set){ &m->pool[at + 1], m->pool[at] };
	n = rowmap_compare(m, key);
	if (row != LEDGER_GONE)
		m->found[row] = pool_put(m, n);
	return (struct rowmap_set){ m->scratch, n };
}

size_t
rowmap_octets(const struct rowmap *m)
{
	return m->room * sizeof(*m->pool);
}
