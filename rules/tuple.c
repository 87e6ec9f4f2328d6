/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/tuple.h"

#include <stdlib.h>

#include "lib/err.h"

#define ROOM 16U
#define SEED UINT64_C(0xd6e8feb86659fd93)
#define DIRECT_ROWS 64U /* so many may have a slot each that no other is sent to */
#define TRIES 64U /* seeds, to find one that sees to that */

/* Ask for one octet more. False when that would be one too many. */
static bool
asked_octet(struct asked *a, uint16_t at, uint8_t mask, uint8_t value)
{
	unsigned i = a->n;

	while (i > 0 && a->at[i - 1] >= at)
		i--;
	if (i < a->n && a->at[i] == at) {
		a->never |= ((a->value[i] ^ value) & a->mask[i] & mask) != 0;
		a->mask[i] |= mask;
		a->value[i] |= value;
		return true;
	}
	if (a->n == ASKED_OCTETS)
		return false;
	memmove(&a->at[i + 1], &a->at[i], (a->n - i) * sizeof(a->at[0]));
	memmove(&a->mask[i + 1], &a->mask[i], a->n - i);
	memmove(&a->value[i + 1], &a->value[i], a->n - i);
	a->at[i] = at;
	a->mask[i] = mask;
	a->value[i] = value;
	a->n++;
	return true;
}

/* The fewest words that the octets of `a` are in: where they begin. Returns how many. */
static unsigned
asked_words(const struct asked *a, uint16_t at[ASKED_OCTETS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < a->n; i++)
		if (n == 0 || a->at[i] - at[n - 1] >= 8)
			at[n++] = a->at[i];
	return n;
}

bool
asked_add(struct asked *a, size_t at, const uint8_t *mask, const uint8_t *value,
    unsigned octets)
{
	struct asked with = *a;
	uint16_t words[ASKED_OCTETS];

	for (unsigned i = 0; i < octets; i++)
		if (mask[i] != 0 &&
		    !asked_octet(&with, (uint16_t)(at + i), mask[i], value[i]))
			return false;
	if (asked_words(&with, words) > TUPLE_WORDS)
		return false;
	*a = with;
	return true;
}

void
asked_cut(struct asked *a, const struct tuple *t)
{
	struct asked less = t->bits;

	for (unsigned i = 0, k = 0; i < less.n; i++) {
		while (a->at[k] < less.at[i])
			k++;
		less.value[i] = a->value[k] & less.mask[i];
	}
	*a = less;
}

void
tuple_init(struct tuple *t, const struct asked *a)
{
	uint16_t at[ASKED_OCTETS];

	memset(t, 0, sizeof(*t));
	t->bits = *a;
	memset(t->bits.value, 0, sizeof(t->bits.value));
	t->n_words = t->n_hashed = asked_words(a, at);
	for (unsigned w = 0, i = 0; w < t->n_words; w++) {
		uint8_t mask[8] = { 0 };

		for (; i < a->n && a->at[i] - at[w] < 8; i++)
			mask[a->at[i] - at[w]] = a->mask[i];
		t->words[w].at = at[w];
		memcpy(&t->words[w].mask, mask, sizeof(mask));
	}
	t->seed = SEED;
}

/* The values of `a`, in the words of `t`. */
static void
tuple_values(const struct tuple *t, const struct asked *a, uint64_t *values)
{
	for (unsigned w = 0, i = 0; w < t->n_words; w++) {
		uint8_t value[8] = { 0 };

		for (; i < a->n && a->at[i] - t->words[w].at < 8; i++)
			value[a->at[i] - t->words[w].at] = a->value[i];
		memcpy(&values[w], value, sizeof(value));
	}
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
	return t->bits.n == a->n &&
	       memcmp(t->bits.at, a->at, a->n * sizeof(a->at[0])) == 0 &&
	       memcmp(t->bits.mask, a->mask, a->n) == 0;
}

int
tuple_within(const struct tuple *t, const struct asked *a)
{
	unsigned k = 0;
	int bits = 0;

	for (unsigned i = 0; i < t->bits.n; i++) {
		while (k < a->n && a->at[k] < t->bits.at[i])
			k++;
		if (k == a->n || a->at[k] != t->bits.at[i] ||
		    (t->bits.mask[i] & ~a->mask[k]) != 0)
			return -1;
		bits += __builtin_popcount(t->bits.mask[i]);
	}
	return bits;
}

static uint64_t
values_hash(const struct tuple *t, const uint64_t *values)
{
	uint64_t hash = 0;

	for (unsigned i = 0; i < t->n_hashed; i++)
		hash = tuple_hash_word(hash, values[i]);
	return tuple_hash_end(t, hash);
}

/* The row of `values`, NULL: there is none. */
static uint64_t *
row_find(const struct tuple *t, const uint64_t *values)
{
	uint64_t hash = values_hash(t, values);

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
	uint64_t hash = values_hash(t, tuple_row(t, row));
	uint64_t i = hash >> t->shift;

	t->direct &= t->slots[i] == 0;
	while (t->slots[i] != 0)
		i = (i + 1) & tuple_last(t);
	t->slots[i] = hash << 32 | row;
}

/* Make at least `n` slots in place of those that there are. */
static int
slots_make(struct tuple *t, uint64_t n)
{
	t->shift = 62;
	while (UINT64_C(1) << (64 - t->shift) < n)
		t->shift--;
	free(t->slots);
	t->slots = calloc(tuple_last(t) + 1, sizeof(*t->slots));
	return t->slots != NULL ? 0 : -WEIR_ENOMEM;
}

/* Put all rows into the slots. */
static void
slots_fill(struct tuple *t)
{
	memset(t->slots, 0, (tuple_last(t) + 1) * sizeof(*t->slots));
	t->direct = true;
	for (uint32_t i = 1; i <= t->n_rows; i++)
		slot_put(t, i);
}

/* Room for one row more, and its slot. */
static int
tuple_reserve(struct tuple *t)
{
	uint64_t need = (uint64_t)(t->n_rows + 2) * (t->n_words + 1), room = t->room;
	uint64_t *rows;

	if (t->slots == NULL || UINT64_C(2) * (t->n_rows + 1) > tuple_last(t) + 1) {
		if (slots_make(t, UINT64_C(4) * (t->n_rows + 1)) != 0)
			return -WEIR_ENOMEM;
		slots_fill(t);
	}
	if (need <= room)
		return 0;
	room = room != 0 ? 2 * room : ROOM + 2 * TUPLE_WORDS;
	rows = room <= UINT32_MAX ? realloc(t->rows, room * sizeof(*rows)) : NULL;
	if (rows == NULL)
		return -WEIR_ENOMEM;
	if (t->rows == NULL)
		memset(rows, 0, (t->n_words + 1) * sizeof(*rows));
	t->rows = rows;
	t->room = (uint32_t)room;
	return 0;
}

uint64_t *
tuple_add(struct tuple *t, const struct asked *a)
{
	uint64_t values[TUPLE_WORDS], *row;

	tuple_values(t, a, values);
	if (tuple_reserve(t) != 0)
		return NULL;
	row = row_find(t, values);
	if (row == NULL) {
		row = tuple_row(t, ++t->n_rows);
		memcpy(row, values, t->n_words * sizeof(*values));
		row[t->n_words] = 0;
		slot_put(t, t->n_rows);
	}
	return &row[t->n_words];
}

/* Whether word `i` is not the same in all rows. */
static bool
word_differs(const struct tuple *t, unsigned i)
{
	for (uint32_t k = 2; k <= t->n_rows; k++)
		if (tuple_row(t, k)[i] != tuple_row(t, 1)[i])
			return true;
	return false;
}

/* Exchange two words, in all rows. */
static void
words_swap(struct tuple *t, unsigned a, unsigned b)
{
	struct tuple_word word = t->words[a];

	t->words[a] = t->words[b];
	t->words[b] = word;
	for (uint32_t k = 1; k <= t->n_rows; k++) {
		uint64_t *row = tuple_row(t, k), value = row[a];

		row[a] = row[b];
		row[b] = value;
	}
}

int
tuple_close(struct tuple *t)
{
	t->n_hashed = 0;
	for (unsigned i = 0; i < t->n_words; i++)
		if (word_differs(t, i))
			words_swap(t, i, t->n_hashed++);
	if (t->n_rows <= DIRECT_ROWS && slots_make(t, UINT64_C(16) * t->n_rows) != 0)
		return -WEIR_ENOMEM;
	slots_fill(t);
	for (unsigned i = 0; i < TRIES && !t->direct && t->n_rows <= DIRECT_ROWS; i++) {
		t->seed = t->seed * SEED | 1;
		slots_fill(t);
	}
	return 0;
}
