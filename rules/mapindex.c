/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/mapindex.h"

#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/hash.h"

#define ROOM_LEAST 64U

/* A rule, in a chain of those that ask for the same. */
struct rule {
	struct mapindex_key key; /* zero where it does not ask */
	uint32_t asks;
	uint32_t next; /* of the chain, MAPINDEX_END: the last */
};

/* A chain; a slot that is not used has `head` MAPINDEX_END. */
struct chain {
	uint32_t head, tail;
};

struct mapindex {
	struct rule *rules;
	uint32_t n, room;
	struct chain *chains; /* open addressing, at most half full */
	uint32_t n_chains, slots; /* slots: a power of two */
	uint32_t combinations; /* a bit for each that some rule has */
};

struct mapindex *
mapindex_new(void)
{
	return calloc(1, sizeof(struct mapindex));
}

void
mapindex_free(struct mapindex *ix)
{
	if (ix == NULL)
		return;
	free(ix->rules);
	free(ix->chains);
	free(ix);
}

/* `key` as far as `asks` names its members. */
static struct mapindex_key
key_part(const struct mapindex_key *key, unsigned asks)
{
	struct mapindex_key part = { { { 0 } }, 0, 0 };

	if ((asks & MAPINDEX_IP) != 0)
		part.ip = key->ip;
	if ((asks & MAPINDEX_IN) != 0)
		part.in = key->in;
	if ((asks & MAPINDEX_OUT) != 0)
		part.out = key->out;
	return part;
}

/* The slot of the chain of (asks, part), or the unused one where it would be. */
static struct chain *
chain_find(const struct mapindex *ix, unsigned asks, const struct mapindex_key *part)
{
	uint64_t hash =
	    hash_seeded(part, sizeof(*part)) + asks * UINT64_C(0x9e3779b97f4a7c15);

	for (uint32_t i = (uint32_t)(hash >> 32);; i++) {
		struct chain *c = &ix->chains[i & (ix->slots - 1)];
		const struct rule *r;

		if (c->head == MAPINDEX_END)
			return c;
		r = &ix->rules[c->head];
		if (r->asks == asks && memcmp(&r->key, part, sizeof(*part)) == 0)
			return c;
	}
}

/* Double the slots, and put the chains there. */
static int
chains_grow(struct mapindex *ix)
{
	uint32_t before = ix->slots, slots = before != 0 ? before * 2 : ROOM_LEAST;
	struct chain *old = ix->chains, *chains = malloc(slots * sizeof(*chains));

	if (chains == NULL)
		return -WEIR_ENOMEM;
	for (uint32_t i = 0; i < slots; i++)
		chains[i].head = MAPINDEX_END;
	ix->chains = chains;
	ix->slots = slots;
	for (uint32_t i = 0; i < before; i++)
		if (old[i].head != MAPINDEX_END) {
			const struct rule *r = &ix->rules[old[i].head];

			*chain_find(ix, r->asks, &r->key) = old[i];
		}
	free(old);
	return 0;
}

static int
rules_grow(struct mapindex *ix)
{
	uint32_t room = ix->room != 0 ? ix->room * 2 : ROOM_LEAST;
	struct rule *rules = realloc(ix->rules, room * sizeof(*rules));

	if (rules == NULL)
		return -WEIR_ENOMEM;
	ix->rules = rules;
	ix->room = room;
	return 0;
}

int
mapindex_add(struct mapindex *ix, unsigned asks, const struct mapindex_key *key)
{
	struct mapindex_key part = key_part(key, asks);
	struct chain *c;

	if ((ix->n == ix->room && rules_grow(ix) != 0) ||
	    (ix->n_chains * 2 >= ix->slots && chains_grow(ix) != 0))
		return -WEIR_ENOMEM;
	ix->rules[ix->n] = (struct rule){ part, asks, MAPINDEX_END };
	c = chain_find(ix, asks, &part);
	if (c->head == MAPINDEX_END) {
		c->head = ix->n;
		ix->n_chains++;
	} else {
		ix->rules[c->tail].next = ix->n;
	}
	c->tail = ix->n++;
	ix->combinations |= 1U << asks;
	return 0;
}

void
mapindex_begin(
    const struct mapindex *ix, const struct mapindex_key *key, struct mapindex_walk *w)
{
	w->n = 0;
	for (unsigned asks = 0; asks < MAPINDEX_COMBINATIONS; asks++) {
		struct mapindex_key part;
		uint32_t head;

		if ((ix->combinations >> asks & 1) == 0)
			continue;
		part = key_part(key, asks);
		head = chain_find(ix, asks, &part)->head;
		if (head != MAPINDEX_END)
			w->next[w->n++] = head;
	}
}

uint32_t
mapindex_next(const struct mapindex *ix, struct mapindex_walk *w)
{
	unsigned least = 0;
	uint32_t found;

	if (w->n == 0)
		return MAPINDEX_END;
	for (unsigned i = 1; i < w->n; i++)
		if (w->next[i] < w->next[least])
			least = i;
	found = w->next[least];
	w->next[least] = ix->rules[found].next;
	if (w->next[least] == MAPINDEX_END)
		w->next[least] = w->next[--w->n];
	return found;
}
