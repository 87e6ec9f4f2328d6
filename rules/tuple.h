/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tuple: a hash table whose keys are the same bits of flows: what is in these bits finds a
 * number that goes with it. Of a flow, a tuple reads words of 8 octets, under masks, as few
 * as hold the bits: neighbours such as ports and protocol are one word.
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

#define ASKED_OCTETS (8 * TUPLE_WORDS)

/* Octets of a flow, in its order, and what is asked for in them. */
struct asked {
	unsigned n;
	uint16_t at[ASKED_OCTETS];
	uint8_t mask[ASKED_OCTETS], value[ASKED_OCTETS];
	bool never; /* something else is asked for in the same bits */
};

struct tuple {
	struct asked bits; /* without values */
	struct tuple_word words[TUPLE_WORDS];
	unsigned n_words, n_hashed; /* the first of the words, which differ from row to row */
	uint64_t *rows; /* n_words each, and the number that goes with them; row 0 is nobody's */
	uint32_t n_rows, room; /* rows behind that one; room in words */
	uint64_t *slots; /* open addressing, at most half full: half a hash, number of a row */
	uint64_t seed; /* of the hash, odd */
	unsigned shift; /* of a hash, to get a slot */
	bool direct; /* a row is in the slot of its hash, or nowhere */
};

_Static_assert(sizeof(((struct flow *)0)->spill) == sizeof(uint64_t),
    "a word may begin at any octet of a member");

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
 * The number that goes with the values of `a`, which t looks at; 0 when they are new: set
 * it to anything else then. Good until the next call. NULL when memory is short.
 */
uint64_t *tuple_add(struct tuple *t, const struct asked *a);

/*
 * After the last one: choose a hash, and put the words that tell rows apart first. The rows
 * stay in their order. Returns 0 or -WEIR_ENOMEM.
 */
int tuple_close(struct tuple *t);

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

/* What goes from there on to a slot: the upper bits; the lower ones tell rows apart in it. */
static inline uint64_t
tuple_hash_end(const struct tuple *t, uint64_t hash)
{
	return hash * t->seed;
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

/* Row number `row`: the first is 1. */
static inline uint64_t *
tuple_row(const struct tuple *t, uint64_t row)
{
	return t->rows + row * (t->n_words + 1);
}

static inline uint64_t *
tuple_slot_row(const struct tuple *t, uint64_t slot)
{
	return tuple_row(t, (uint32_t)slot);
}

#endif
