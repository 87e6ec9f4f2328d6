/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/tuple.h"

#include <stdlib.h>

#include "lib/err.h"

#define ROOM 16U

/* Ask for one octet more. False when that would be one word too many. */
static bool
asked_octet(struct asked *a, size_t at, uint8_t mask, uint8_t value)
{
	uint16_t word = (uint16_t)(at - at % sizeof(uint64_t));
	uint8_t m[8], v[8];
	unsigned i = 0;

	while (i < a->n && a->words[i].at < word)
		i++;
	if (i == a->n || a->words[i].at != word) {
		if (a->n == TUPLE_WORDS)
			return false;
		memmove(
		    &a->words[i + 1], &a->words[i], (a->n - i) * sizeof(a->words[0]));
		memmove(&a->values[i + 1], &a->values[i],
		    (a->n - i) * sizeof(a->values[0]));
		a->words[i] = (struct tuple_word){ word, 0 };
		a->values[i] = 0;
		a->n++;
	}
	memcpy(m, &a->words[i].mask, sizeof(m));
	memcpy(v, &a->values[i], sizeof(v));
	a->never |= ((v[at % 8] ^ value) & m[at % 8] & mask) != 0;
	m[at % 8] |= mask;
	v[at % 8] |= value;
	memcpy(&a->words[i].mask, m, sizeof(m));
	memcpy(&a->values[i], v, sizeof(v));
	return true;
}

bool
asked_add(struct asked *a, size_t at, const uint8_t *mask, const uint8_t *value,
    unsigned octets)
{
	struct asked with = *a;

	for (unsigned i = 0; i < octets; i++)
		if (mask[i] != 0 && !asked_octet(&with, at + i, mask[i], value[i]))
			return false;
	*a = with;
	return true;
}

void
asked_cut(struct asked *a, const struct tuple *t)
{
	struct asked less = { .n = t->n_words };

	for (unsigned i = 0, k = 0; i < t->n_words; i++) {
		while (a->words[k].at < t->words[i].at)
			k++;
		less.words[i] = t->words[i];
		less.values[i] = a->values[k] & t->words[i].mask;
	}
	*a = less;
}

void
tuple_init(struct tuple *t, const struct asked *a)
{
	memset(t, 0, sizeof(*t));
	memcpy(t->words, a->words, a->n * sizeof(a->words[0]));
	t->n_words = a->n;
}

void
tuple_fini(struct tuple *t)
{
	free(t->rows);
	free(t->slots);
}

bool
tuple_asks(const struct tuple *t, const struct asked *a)
{
	bool same = t->n_words == a->n;

	for (unsigned i = 0; same && i < a->n; i++)
		same = t->words[i].at == a->words[i].at &&
		       t->words[i].mask == a->words[i].mask;
	return same;
}

int
tuple_within(const struct tuple *t, const struct asked *a)
{
	unsigned k = 0;
	int bits = 0;

	for (unsigned i = 0; i < t->n_words; i++) {
		while (k < a->n && a->words[k].at < t->words[i].at)
			k++;
		if (k == a->n || a->words[k].at != t->words[i].at ||
		    (t->words[i].mask & ~a->words[k].mask) != 0)
			return -1;
		bits += __builtin_popcountll(t->words[i].mask);
	}
	return bits;
}

static uint64_t
values_hash(const uint64_t *values, unsigned n)
{
	uint64_t hash = 0;

	for (unsigned i = 0; i < n; i++)
		hash = tuple_hash_word(hash, values[i]);
	return tuple_hash_end(hash);
}

/* The row of `values`, NULL: there is none. */
static uint64_t *
row_find(const struct tuple *t, const uint64_t *values, uint64_t hash)
{
	for (uint64_t i = hash >> t->shift; t->slots[i] != 0;
	     i = (i + 1) & tuple_last(t)) {
		uint64_t *row = tuple_slot_row(t, t->slots[i]);

		if (tuple_may_be(t->slots[i], hash) &&
		    memcmp(row, values, t->n_words * sizeof(*row)) == 0)
			return row;
	}
	return NULL;
}

static void
slot_put(struct tuple *t, uint32_t row)
{
	uint64_t hash = values_hash(tuple_row(t, row), t->n_words);
	uint64_t i = hash >> t->shift;

	while (t->slots[i] != 0)
		i = (i + 1) & tuple_last(t);
	t->slots[i] = hash << 32 | (row + 1);
}

/* Make slots for twice as many rows as there are, and one. */
static int
slots_grow(struct tuple *t)
{
	uint64_t n = 4;

	t->shift = 62;
	for (; n < UINT64_C(4) * (t->n_rows + 1); n *= 2)
		t->shift--;
	free(t->slots);
	t->slots = calloc(n, sizeof(*t->slots));
	if (t->slots == NULL)
		return -WEIR_ENOMEM;
	for (uint32_t i = 0; i < t->n_rows; i++)
		slot_put(t, i);
	return 0;
}

/* Room for one row more, and its slot. */
static int
tuple_reserve(struct tuple *t)
{
	uint64_t need = (uint64_t)(t->n_rows + 1) * (t->n_words + 1), room = t->room;
	uint64_t *rows;

	if (t->slots == NULL || UINT64_C(2) * (t->n_rows + 1) > tuple_last(t) + 1)
		if (slots_grow(t) != 0)
			return -WEIR_ENOMEM;
	if (need <= room)
		return 0;
	room = room != 0 ? 2 * room : ROOM;
	rows = room <= UINT32_MAX ? realloc(t->rows, room * sizeof(*rows)) : NULL;
	if (rows == NULL)
		return -WEIR_ENOMEM;
	t->rows = rows;
	t->room = (uint32_t)room;
	return 0;
}

uint64_t *
tuple_add(struct tuple *t, const uint64_t *values)
{
	uint64_t *row;

	if (tuple_reserve(t) != 0)
		return NULL;
	row = row_find(t, values, values_hash(values, t->n_words));
	if (row == NULL) {
		row = tuple_row(t, t->n_rows);
		memcpy(row, values, t->n_words * sizeof(*values));
		row[t->n_words] = 0;
		slot_put(t, t->n_rows++);
	}
	return &row[t->n_words];
}

uint64_t
tuple_find(const struct tuple *t, const struct flow *f)
{
	uint64_t values[TUPLE_WORDS];
	const uint64_t *row;

	for (unsigned i = 0; i < t->n_words; i++)
		values[i] = tuple_word(f, t->words[i].at) & t->words[i].mask;
	row = row_find(t, values, values_hash(values, t->n_words));
	return row != NULL ? row[t->n_words] : 0;
}
