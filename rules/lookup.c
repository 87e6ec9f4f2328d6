/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/lookup.h"

#define FEW 2U /* so many values of a tuple are compared one by one */
#define CACHED (1U << 15) /* slots that are likely at hand */

/*
 * A tuple as look-ups read it: by value, so that what they write leaves it in registers.
 * Where numbers of words are constants, loops over words are none.
 */
struct look {
	struct tuple_word words[TUPLE_WORDS];
	unsigned n_words, n_hashed;
	const uint64_t *rows, *slots;
	uint64_t seed, last;
	unsigned shift;
};

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Row number `row` of the tuple. */
ALWAYS_INLINE const uint64_t *
look_row(const struct look *t, uint64_t row)
{
	return t->rows + row * (t->n_words + 1);
}

/* Whether `f` is in `row`. */
ALWAYS_INLINE bool
look_equal(const struct look *t, const uint64_t *row, const struct flow *f)
{
	uint64_t differ = 0;

	for (unsigned i = 0; i < t->n_words; i++)
		differ |= (tuple_word(f, t->words[i].at) & t->words[i].mask) ^ row[i];
	return differ == 0;
}

ALWAYS_INLINE uint64_t
look_hash(const struct look *t, const struct flow *f)
{
	uint64_t hash = 0;

	for (unsigned i = 0; i < t->n_hashed; i++)
		hash = tuple_hash_word(
		    hash, tuple_word(f, t->words[i].at) & t->words[i].mask);
	return hash * t->seed;
}

/* Whether flow number `k` of the look-up is in `row`; its rule may then be the first. */
ALWAYS_INLINE bool
lookup_row(const struct runs *r, const struct lookup *l, const struct look *t,
    unsigned k, const uint64_t *row)
{
	unsigned i = l->who[k];
	bool is = look_equal(t, row, &l->flows[i]);
	uint64_t run = row[t->n_words];
	uint32_t found = run_rule(run) | ((uint32_t)is - 1); /* CLASSIFIER_END: it is not */
	bool odd = is & (!run_is_plain(run) | (found < l->start[i]));

	/* Seldom: else there is no branch here. */
	if (__builtin_expect(odd, false))
		found = run_first(r, run, &l->flows[i], l->start[i], l->first[i]);
	l->first[i] = found < l->first[i] ? found : l->first[i];
	return is;
}

/* A tuple of few rows: each is compared. */
ALWAYS_INLINE void
lookup_few(
    const struct runs *r, const struct lookup *l, const struct look *t, uint32_t n_rows)
{
	for (uint32_t row = 1; row <= n_rows; row++)
		for (unsigned k = 0; k < l->n; k++)
			(void)lookup_row(r, l, t, k, look_row(t, row));
}

/* One of which a flow's row is in the slot of its hash, or nowhere. */
ALWAYS_INLINE void
lookup_direct(const struct runs *r, const struct lookup *l, const struct look *t)
{
	for (unsigned k = 0; k < l->n; k++) {
		uint64_t hash = look_hash(t, &l->flows[l->who[k]]);

		(void)lookup_row(
		    r, l, t, k, look_row(t, (uint32_t)t->slots[hash >> t->shift]));
	}
}

/* Fetch what the look-ups will read: slots, then rows. */
ALWAYS_INLINE void
lookup_prefetch(const struct lookup *l, const struct look *t)
{
	for (unsigned k = 0; k < l->n; k++)
		__builtin_prefetch(&t->slots[l->hash[k] >> t->shift]);
	for (unsigned k = 0; k < l->n; k++) {
		uint64_t slot = t->slots[l->hash[k] >> t->shift];

		if (tuple_may_be(slot, l->hash[k]))
			__builtin_prefetch(look_row(t, (uint32_t)slot));
	}
}

ALWAYS_INLINE void
lookup_many(const struct runs *r, struct lookup *l, const struct look *t)
{
	for (unsigned k = 0; k < l->n; k++)
		l->hash[k] = look_hash(t, &l->flows[l->who[k]]);
	if (t->last > CACHED)
		lookup_prefetch(l, t);
	for (unsigned k = 0; k < l->n; k++) {
		uint64_t i = l->hash[k] >> t->shift;

		while (t->slots[i] != 0 &&
		       !(tuple_may_be(t->slots[i], l->hash[k]) &&
			   lookup_row(r, l, t, k, look_row(t, (uint32_t)t->slots[i]))))
			i = (i + 1) & t->last;
	}
}

/* `n_words` and `n_hashed` are those of `t`. */
ALWAYS_INLINE void
lookup_words(const struct runs *r, const struct tuple *t, unsigned n_words,
    unsigned n_hashed, struct lookup *l)
{
	struct look look = { .n_words = n_words,
		.n_hashed = n_hashed,
		.rows = t->rows,
		.slots = t->slots,
		.seed = t->seed,
		.last = tuple_last(t),
		.shift = t->shift };

	for (unsigned i = 0; i < n_words; i++)
		look.words[i] = t->words[i];
	if (t->n_rows <= FEW)
		lookup_few(r, l, &look, t->n_rows);
	else if (t->direct)
		lookup_direct(r, l, &look);
	else
		lookup_many(r, l, &look);
}

void
lookup_tuple(const struct runs *r, const struct tuple *t, struct lookup *l)
{
#define USUAL(n_words, n_hashed) \
	case (n_words) << 8 | (n_hashed): \
		lookup_words(r, t, n_words, n_hashed, l); \
		break
	switch (t->n_words << 8 | t->n_hashed) {
		USUAL(0, 0);
		USUAL(1, 1);
		USUAL(2, 1);
		USUAL(2, 2);
		USUAL(3, 1);
		USUAL(3, 2);
		USUAL(4, 1);
		USUAL(4, 2);
	default:
		lookup_words(r, t, t->n_words, t->n_hashed, l);
		break;
	}
#undef USUAL
}
