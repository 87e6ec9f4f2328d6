/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: Texts lie in an arena; a chunk holds the pointers of 4096 ids, so that an id
 * finds its text for ever at one place. An open-addressing index of (half a hash, id)
 * finds the id of a text. Everything is published with release and read with acquire: a
 * reader who sees a slot sees its text. An index that gets half full is replaced by one
 * twice as big; the old ones stay, for readers who are still in them (together they are
 * as big as the new one).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "lib/intern.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

#define CHUNK        4096U
#define N_CHUNKS     (INTERN_MAX / CHUNK + 1) /* ids go from 1 to INTERN_MAX */
#define ARENA        65536U
#define FIRST_INDEX  1024U                    /* slots, a power of two */

struct chunk {
	_Atomic(const char *) text[CHUNK];
};

struct index {
	struct index *older;
	size_t mask;
	_Atomic uint64_t slots[];  /* upper half of the hash, id; 0: empty */
};

static _Atomic(struct chunk *) chunks[N_CHUNKS];
static _Atomic(struct index *) current;
static atomic_bool full;          /* for good: nothing is ever given back */
static _Atomic uint64_t n_refused;

/* What adding works on. */
static struct {
	pthread_mutex_t lock;
	uint32_t n;         /* strings held, the last id */
	size_t octets;      /* of their texts and NULs */
	char *arena;        /* block being filled; begins with a pointer to the last */
	size_t arena_used;
} adder = { .lock = PTHREAD_MUTEX_INITIALIZER };

const char *
intern_text(uint32_t id)
{
	struct chunk *c;
	const char *text;

	if (id == 0 || id > INTERN_MAX)
		return "";
	c = atomic_load_explicit(&chunks[id / CHUNK], memory_order_acquire);
	if (c == NULL)
		return "";
	text = atomic_load_explicit(&c->text[id % CHUNK], memory_order_acquire);
	return text != NULL ? text : "";
}

uint64_t
intern_refused(void)
{
	return atomic_load_explicit(&n_refused, memory_order_relaxed);
}

/* Copy what is kept of `s` to `out` (INTERN_MAX_LEN). Returns its length. */
static size_t
text_clean(const char *s, size_t len, char *out)
{
	size_t n = strnlen(s, len < INTERN_MAX_LEN + 1 ? len : INTERN_MAX_LEN + 1);

	if (n > INTERN_MAX_LEN) {
		n = INTERN_MAX_LEN;
		/* A character that starts before the cut and ends after it goes. */
		for (size_t cut = n; n - cut < 4; cut--)
			if (((unsigned char)s[cut] & 0xc0) != 0x80) {
				n = cut;
				break;
			}
	}
	for (size_t i = 0; i < n; i++)
		out[i] = (unsigned char)s[i] < ' ' || s[i] == 0x7f ? '?' : s[i];
	return n;
}

static bool
text_is(uint32_t id, const char *s, size_t len)
{
	const char *text = intern_text(id);

	return strncmp(text, s, len) == 0 && text[len] == '\0';
}

/* The id of `s`, or 0. */
static uint32_t
index_find(struct index *ix, uint64_t hash, const char *s, size_t len)
{
	if (ix == NULL)
		return 0;
	for (size_t i = hash & ix->mask;; i = (i + 1) & ix->mask) {
		uint64_t v = atomic_load_explicit(&ix->slots[i], memory_order_acquire);

		if (v == 0)
			return 0;
		if (v >> 32 == hash >> 32 && text_is((uint32_t)v, s, len))
			return (uint32_t)v;
	}
}

static void
index_put(struct index *ix, uint64_t hash, uint32_t id)
{
	size_t i = hash & ix->mask;

	while (atomic_load_explicit(&ix->slots[i], memory_order_relaxed) != 0)
		i = (i + 1) & ix->mask;
	atomic_store_explicit(
	    &ix->slots[i], hash >> 32 << 32 | id, memory_order_release);
}

/* The index to add to, with room for one more; NULL when memory is short. Locked. */
static struct index *
index_roomy(void)
{
	struct index *old = atomic_load_explicit(&current, memory_order_relaxed), *ix;
	size_t slots = old != NULL ? old->mask + 1 : FIRST_INDEX / 2;

	if (old != NULL && adder.n < slots / 2)
		return old;
	slots *= 2;
	ix = calloc(1, sizeof(*ix) + slots * sizeof(ix->slots[0]));
	if (ix == NULL)
		return NULL;
	ix->older = old;
	ix->mask = slots - 1;
	for (uint32_t id = 1; id <= adder.n; id++) {
		const char *text = intern_text(id);

		index_put(ix, hash_seeded(text, strlen(text)), id);
	}
	atomic_store_explicit(&current, ix, memory_order_release);
	return ix;
}

/* A lasting copy of `s` with a NUL, or NULL when memory is short. Locked. */
static const char *
arena_copy(const char *s, size_t len)
{
	char *copy;

	if (adder.arena == NULL || ARENA - adder.arena_used < len + 1) {
		char *block = malloc(ARENA);

		if (block == NULL)
			return NULL;
		memcpy(block, &adder.arena, sizeof(adder.arena));
		adder.arena = block;
		adder.arena_used = sizeof(adder.arena);
	}
	copy = adder.arena + adder.arena_used;
	memcpy(copy, s, len);
	copy[len] = '\0';
	adder.arena_used += len + 1;
	adder.octets += len + 1;
	return copy;
}

/* The place where `id` keeps its text, or NULL when memory is short. Locked. */
static _Atomic(const char *) *
text_place(uint32_t id)
{
	_Atomic(struct chunk *) *at = &chunks[id / CHUNK];
	struct chunk *c = atomic_load_explicit(at, memory_order_relaxed);

	if (c == NULL) {
		c = calloc(1, sizeof(*c));
		if (c == NULL)
			return NULL;
		atomic_store_explicit(at, c, memory_order_release);
	}
	return &c->text[id % CHUNK];
}

/* The id of `s`, which gets one if need be; 0 when it cannot. Locked. */
static uint32_t
intern_add(uint64_t hash, const char *s, size_t len)
{
	_Atomic(const char *) *place;
	const char *copy;
	struct index *ix = atomic_load_explicit(&current, memory_order_relaxed);
	uint32_t id = index_find(ix, hash, s, len);

	if (id != 0)
		return id;
	if (adder.n == INTERN_MAX || INTERN_MAX_OCTETS - adder.octets < len + 1) {
		atomic_store_explicit(&full, true, memory_order_release);
		return 0;
	}
	ix = index_roomy();
	place = text_place(adder.n + 1);
	if (ix == NULL || place == NULL)
		return 0;
	copy = arena_copy(s, len);
	if (copy == NULL)
		return 0;
	id = ++adder.n;
	atomic_store_explicit(place, copy, memory_order_release);
	index_put(ix, hash, id);
	return id;
}

uint32_t
intern(const char *s, size_t len)
{
	char text[INTERN_MAX_LEN];
	size_t n = text_clean(s, len, text);
	uint64_t hash;
	uint32_t id;
	bool was_full;

	if (n == 0)
		return 0;
	/* Asked first: when nothing was added since, the look-up's answer is final. */
	was_full = atomic_load_explicit(&full, memory_order_acquire);
	hash = hash_seeded(text, n);
	id = index_find(
	    atomic_load_explicit(&current, memory_order_acquire), hash, text, n);
	if (id == 0 && !was_full) {
		pthread_mutex_lock(&adder.lock);
		id = intern_add(hash, text, n);
		pthread_mutex_unlock(&adder.lock);
	}
	if (id == 0)
		atomic_fetch_add_explicit(&n_refused, 1, memory_order_relaxed);
	return id;
}
