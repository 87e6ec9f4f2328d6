/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/rcumap.h"

#include <stdlib.h>

#include "lib/err.h"
#include "lib/hash.h"
#include "lib/rcu.h"

#define ROOM_LEAST 32U /* slots */

struct slot {
	struct rcumap_key key; /* does not change once the slot is used */
	_Atomic uint64_t value;
	uint32_t told_s; /* the writer's */
	_Atomic uint32_t used;
};

/* Open addressing; never more than half full, so that a search ends. */
struct slots {
	uint32_t room; /* a power of two */
	_Atomic uint32_t n;
	struct slot slot[];
};

struct rcumap {
	_Atomic(struct slots *) slots; /* NULL while empty */
	uint32_t max;
	struct rcumap_budget *budget;
	bool was_full;          /* the writer's: in second `full_s` no entry could go */
	uint32_t full_s;
};

struct rcumap *
rcumap_new(uint32_t max, struct rcumap_budget *budget)
{
	struct rcumap *m = calloc(1, sizeof(*m));

	if (m != NULL) {
		m->max = max;
		m->budget = budget;
	}
	return m;
}

static size_t
slots_octets(uint32_t room)
{
	return sizeof(struct slots) + room * sizeof(struct slot);
}

static struct slots *
map_slots(const struct rcumap *m)
{
	return atomic_load_explicit(&m->slots, memory_order_acquire);
}

static void
budget_give(const struct rcumap *m, uint32_t room)
{
	atomic_fetch_add(&m->budget->octets, (int64_t)slots_octets(room));
}

static bool
budget_take(const struct rcumap *m, uint32_t room)
{
	int64_t octets = (int64_t)slots_octets(room);

	if (atomic_fetch_sub(&m->budget->octets, octets) >= octets)
		return true;
	budget_give(m, room);
	return false;
}

void
rcumap_free(struct rcumap *m)
{
	struct slots *s;

	if (m == NULL)
		return;
	s = map_slots(m);
	if (s != NULL)
		budget_give(m, s->room);
	free(s);
	free(m);
}

/*
 * Whether `key` is there; `*slot` is its slot, or the unused one where it would be put. A
 * reader must not look at the latter again: the writer may meanwhile have given it to
 * another key.
 */
static bool
slot_find(const struct slots *s, struct rcumap_key key, const struct slot **slot)
{
	uint32_t i = (uint32_t)hash_seeded(&key, sizeof(key));

	for (;; i++) {
		const struct slot *at = &s->slot[i & (s->room - 1)];

		*slot = at;
		if (atomic_load_explicit(&at->used, memory_order_acquire) == 0)
			return false;
		if (at->key.a == key.a && at->key.b == key.b)
			return true;
	}
}

bool
rcumap_get(const struct rcumap *m, struct rcumap_key key, uint64_t *value)
{
	const struct slots *s = map_slots(m);
	const struct slot *at;

	if (s == NULL || !slot_find(s, key, &at))
		return false;
	*value = atomic_load_explicit(&at->value, memory_order_relaxed);
	return true;
}

/* Fill an unused slot; readers see it whole or not at all. */
static void
slot_put(struct slots *s, struct rcumap_key key, uint64_t value, uint32_t now_s)
{
	const struct slot *unused;
	struct slot *at;

	(void)slot_find(s, key, &unused);
	at = (struct slot *)unused;
	at->key = key;
	at->told_s = now_s;
	atomic_store_explicit(&at->value, value, memory_order_relaxed);
	atomic_store_explicit(&at->used, 1, memory_order_release);
	atomic_fetch_add_explicit(&s->n, 1, memory_order_relaxed);
}

static bool
slot_stays(const struct slot *at, uint32_t forget_s)
{
	return atomic_load_explicit(&at->used, memory_order_relaxed) != 0 &&
	       at->told_s >= forget_s;
}

/* How many of the entries are to stay. */
static uint32_t
slots_count(const struct slots *s, uint32_t forget_s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; s != NULL && i < s->room; i++)
		n += slot_stays(&s->slot[i], forget_s);
	return n;
}

/* Move to slots with room for one entry more. */
static int
map_grow(struct rcumap *m, uint32_t forget_s, void **old)
{
	struct slots *from = map_slots(m), *to;
	uint32_t n = slots_count(from, forget_s), room = ROOM_LEAST;

	if (n >= m->max)
		return -WEIR_EFULL;
	while (room / 4 * 3 < n * 2 + 2) /* and a few more, before it is done again */
		room *= 2;
	if (!budget_take(m, room))
		return -WEIR_EFULL;
	to = calloc(1, slots_octets(room));
	if (to == NULL) {
		budget_give(m, room);
		return -WEIR_ENOMEM;
	}
	to->room = room;
	for (uint32_t i = 0; from != NULL && i < from->room; i++) {
		const struct slot *at = &from->slot[i];

		if (slot_stays(at, forget_s))
			slot_put(to, at->key,
			    atomic_load_explicit(&at->value, memory_order_relaxed),
			    at->told_s);
	}
	atomic_store_explicit(&m->slots, to, memory_order_release);
	if (from != NULL)
		budget_give(m, from->room);
	*old = from;
	return 0;
}

int
rcumap_put(struct rcumap *m, struct rcumap_key key, uint64_t value, uint32_t now_s,
    uint32_t forget_s, void **old)
{
	struct slots *s = map_slots(m);
	uint32_t n = rcumap_count(m);
	const struct slot *found;
	int rc;

	*old = NULL;
	if (s != NULL && slot_find(s, key, &found)) {
		struct slot *at = (struct slot *)found;

		at->told_s = now_s;
		atomic_store_explicit(&at->value, value, memory_order_relaxed);
		return 0;
	}
	if (s == NULL || n >= m->max || (n + 1) * 2 > s->room) {
		/* Looking for what may go takes long: once a second, whoever asks. */
		if (m->was_full && m->full_s == now_s)
			return -WEIR_EFULL;
		rc = map_grow(m, forget_s, old);
		m->was_full = rc != 0;
		m->full_s = now_s;
		if (rc != 0)
			return rc;
		s = map_slots(m);
	}
	slot_put(s, key, value, now_s);
	return 0;
}

static void
slots_free(void *slots)
{
	free(slots);
}

void
rcumap_retire(void *old)
{
	if (old != NULL)
		rcu_defer(slots_free, old);
}

uint32_t
rcumap_count(const struct rcumap *m)
{
	const struct slots *s = map_slots(m);

	return s != NULL ? atomic_load_explicit(&s->n, memory_order_relaxed) : 0;
}
