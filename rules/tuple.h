/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tuple: a hash table whose keys are the same bits of flows: what is in these bits finds a
 * number that goes with it. A flow is taken as a row of 8-octet words, of which a tuple
 * looks at some, under masks; neighbours such as ports and protocol so become one word.
 * The insides are open, as rules/classifier.c looks up whole batches at once; nobody else
 * needs this. Filled once, then read by any number of threads.
 */
#ifndef WEIR_RULES_TUPLE_H
#define WEIR_RULES_TUPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "flow/flow.h"

#define TUPLE_WORDS 8U /* that a tuple can look at */

/* A part of a flow: the word at an octet, and which bits of it. */
struct tuple_word {
	uint16_t at;
	uint64_t mask;
};

/* Bits of a flow and what is asked for in them, in the order of the flow. */
struct asked {
	struct tuple_word words[TUPLE_WORDS];
	uint64_t values[TUPLE_WORDS];
	unsigned n;
	bool never; /* something else is asked for in the same bits */
};

struct tuple {
	struct tuple_word words[TUPLE_WORDS];
	unsigned n_words;
	uint64_t *rows; /* n_words each, and the number that goes with them */
	uint32_t n_rows, room; /* room: in words */
	uint64_t *slots; /* open addressing, at most half full: half a hash, row + 1 */
	unsigned shift; /* of a hash, to get a slot */
};

_Static_assert(sizeof(struct flow) % sizeof(uint64_t) == 0, "a flow is whole words");

/*
 * Ask for `value` in the bits `mask` of the `octets` at `at`, too. False, and nothing
 * changed, when that would be too many words.
 */
bool asked_add(struct asked *a, size_t at, const uint8_t *mask, const uint8_t *value,
    unsigned octets);

/* Leave of `a` what `t`, which looks at nothing else, looks at. */
void asked_cut(struct asked *a, const struct tuple *t);

/* Make of `t` an empty table of the bits of `a`. */
void tuple_init(struct tuple *t, const struct asked *a);
void tuple_fini(struct tuple *t);

/* Whether `t` looks at the bits of `a`, no less and no more. */
bool tuple_asks(const struct tuple *t, const struct asked *a);

/* How many bits `t` looks at, if all are among those of `a`; -1: they are not. */
int tuple_within(const struct tuple *t, const struct asked *a);

/*
 * The number that goes with `values` (of t->n_words), 0 when they are new: set it to
 * anything else then. Good until the next call. NULL when memory is short.
 */
uint64_t *tuple_add(struct tuple *t, const uint64_t *values);

/* The number that goes with `f`; 0: there is none. */
uint64_t tuple_find(const struct tuple *t, const struct flow *f);

static inline uint64_t
tuple_word(const void *flow, size_t at)
{
	uint64_t v;

	memcpy(&v, (const char *)flow + at, sizeof(v));
	return v;
}

/* Rows are the operator's: nobody outside chooses what collides. */
static inline uint64_t
tuple_hash_word(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

static inline uint64_t
tuple_hash_end(uint64_t hash)
{
	return hash * UINT64_C(0xd6e8feb86659fd93);
}

/* The slots are this many and one. */
static inline uint64_t
tuple_last(const struct tuple *t)
{
	return (UINT64_C(1) << (64 - t->shift)) - 1;
}

static inline bool
tuple_may_be(uint64_t slot, uint64_t hash)
{
	return slot >> 32 == (uint32_t)hash;
}

static inline uint64_t *
tuple_row(const struct tuple *t, uint64_t row)
{
	return t->rows + row * (t->n_words + 1);
}

static inline uint64_t *
tuple_slot_row(const struct tuple *t, uint64_t slot)
{
	return tuple_row(t, (uint32_t)slot - 1);
}

#endif
