/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/templates.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/rcu.h"
#include "proto/netflow.h"
#include "proto/template_pool.h"

#define SLOTS_MIN 8U

/*
 * An open-addressing table of pointers. A slot goes from empty to a template, and from
 * one template to the next of the same key; so a reader who probes while a writer
 * writes sees the old, the new, or (for a key that was not there) nothing.
 */
struct slot {
	struct template *_Atomic template;
	_Atomic uint32_t used; /* when data came for it last; 0: none did yet */
	_Atomic uint32_t heard; /* when it was told last, in whatever words */
	_Atomic uint64_t records; /* of data that came for it */
	uint32_t told; /* when it came; the writer's */
};

struct templates_slots {
	uint32_t mask;
	struct slot at[];
};

/* Templates that were taken out together. */
struct templates_gone {
	uint32_t n;
	struct template *at[];
};

/* v9 and IPFIX number their templates apart; options have ids of the same space. */
static uint32_t
key_of(enum template_kind kind, uint16_t id)
{
	return (uint32_t)(kind >= TEMPLATE_IPFIX) << 16 | id;
}

static uint32_t
slot_first(const struct templates_slots *s, uint32_t key)
{
	return (key * UINT32_C(0x9e3779b1) >> 7) & s->mask;
}

static struct templates_slots *
slots_new(uint32_t n)
{
	struct templates_slots *s = calloc(1, sizeof(*s) + n * sizeof(s->at[0]));

	if (s != NULL)
		s->mask = n - 1;
	return s;
}

/*
 * The slot of `key`: its template's, or the empty one where it would go; `*seen` is what
 * was in it. Readers take that, and do not look again: an empty slot may meanwhile have
 * got the template of another key.
 */
static struct slot *
slot_of(struct templates_slots *s, uint32_t key, struct template **seen)
{
	for (uint32_t i = slot_first(s, key);; i = (i + 1) & s->mask) {
		struct template *t =
		    atomic_load_explicit(&s->at[i].template, memory_order_acquire);

		*seen = t;
		if (t == NULL || key_of((enum template_kind)t->kind, t->id) == key)
			return &s->at[i];
	}
}

/* Copy the slot of template `t` to the table `to`, where it is not yet. */
static void
slot_move(struct templates_slots *to, struct template *t, struct slot *from)
{
	struct template *none;
	struct slot *at = slot_of(to, key_of((enum template_kind)t->kind, t->id), &none);

	/*
	 * A mark that a worker sets meanwhile is lost: it will set it again. Records of a
	 * set that it is counting just now are missing from then on.
	 */
	atomic_store(&at->used, atomic_load(&from->used));
	atomic_store(&at->heard, atomic_load(&from->heard));
	atomic_store(&at->records, atomic_load(&from->records));
	at->told = from->told;
	atomic_store(&at->template, t);
}

int
templates_init(struct templates *ts)
{
	struct templates_slots *s = slots_new(SLOTS_MIN);

	memset(ts, 0, sizeof(*ts));
	atomic_init(&ts->slots, s);
	return s != NULL ? 0 : -WEIR_ENOMEM;
}

/* A template that was in a table goes back. */
static void
templates_drop(void *p)
{
	template_pool_put(p);
}

void
templates_fini(struct templates *ts)
{
	struct templates_slots *s = atomic_load(&ts->slots);

	for (uint32_t i = 0; s != NULL && i <= s->mask; i++)
		templates_drop(atomic_load(&s->at[i].template));
	free(s);
}

const struct template *
templates_find(const struct templates *ts, enum template_kind kind, uint16_t id)
{
	struct templates_slots *s =
	    atomic_load_explicit(&ts->slots, memory_order_acquire);

	struct template *t;

	(void)slot_of(s, key_of(kind, id), &t);
	return t;
}

const struct template *
templates_use(
    const struct templates *ts, enum template_kind kind, uint16_t id, uint32_t now_s)
{
	struct templates_slots *s =
	    atomic_load_explicit(&ts->slots, memory_order_acquire);
	struct template *t;
	struct slot *at = slot_of(s, key_of(kind, id), &t);

	if (t != NULL && atomic_load_explicit(&at->used, memory_order_relaxed) != now_s)
		atomic_store_explicit(&at->used, now_s, memory_order_relaxed);
	return t;
}

void
templates_hear(
    const struct templates *ts, enum template_kind kind, uint16_t id, uint32_t now_s)
{
	struct template *t;
	struct slot *at = slot_of(atomic_load_explicit(&ts->slots, memory_order_acquire),
	    key_of(kind, id), &t);

	if (t != NULL)
		atomic_store_explicit(&at->heard, now_s, memory_order_relaxed);
}

void
templates_count_records(const struct templates *ts, const struct template *t, uint64_t n)
{
	struct template *same;
	struct slot *at = slot_of(atomic_load_explicit(&ts->slots, memory_order_acquire),
	    key_of((enum template_kind)t->kind, t->id), &same);

	if (same == t)
		atomic_fetch_add_explicit(&at->records, n, memory_order_relaxed);
}

struct template_life
templates_life(const struct templates *ts, const struct template *t)
{
	struct template *same;
	const struct slot *at = slot_of(atomic_load(&ts->slots),
	    key_of((enum template_kind)t->kind, t->id), &same);

	return (struct template_life){ .told = at->told, .heard = atomic_load(&at->heard),
		.records = atomic_load(&at->records) };
}

/* Make room for one more: at most half of the slots are used, so that probes end. */
static int
templates_grow(struct templates *ts, struct templates_old *old)
{
	struct templates_slots *s = atomic_load(&ts->slots), *wider;

	if ((atomic_load(&ts->n) + 1) * 2 <= s->mask + 1)
		return 0;
	assert(old->slots == NULL); /* who has just forgotten some has room */
	wider = slots_new((s->mask + 1) * 2);
	if (wider == NULL)
		return -WEIR_ENOMEM;
	for (uint32_t i = 0; i <= s->mask; i++) {
		struct template *t = atomic_load(&s->at[i].template);

		if (t != NULL)
			slot_move(wider, t, &s->at[i]);
	}
	atomic_store_explicit(&ts->slots, wider, memory_order_release);
	old->slots = s;
	return 0;
}

/*
 * Take out the templates that `leaves` names, of `n_leave`. There is no room for holes
 * between those who probe; so the others move to slots of their own.
 */
static int
templates_sift(struct templates *ts,
    bool (*leaves)(const struct slot *at, const struct template *t, const void *arg),
    const void *arg, uint32_t n_leave, struct templates_old *old)
{
	struct templates_slots *s = atomic_load(&ts->slots);
	struct templates_slots *fresh = slots_new(s->mask + 1);
	struct templates_gone *gone =
	    malloc(sizeof(*gone) + n_leave * sizeof(gone->at[0]));

	if (fresh == NULL || gone == NULL) {
		free(fresh);
		free(gone);
		return -WEIR_ENOMEM;
	}
	gone->n = 0;
	for (uint32_t i = 0; i <= s->mask; i++) {
		struct template *t = atomic_load(&s->at[i].template);

		if (t == NULL)
			continue;
		if (gone->n < n_leave && leaves(&s->at[i], t, arg)) {
			gone->at[gone->n++] = t;
			ts->octets -= t->octets;
			continue;
		}
		slot_move(fresh, t, &s->at[i]);
	}
	atomic_store_explicit(&ts->slots, fresh, memory_order_release);
	atomic_fetch_sub(&ts->n, gone->n);
	*old = (struct templates_old){ .slots = s, .gone = gone };
	return (int)gone->n;
}

/* What a withdrawal names. */
struct withdrawal {
	enum template_kind kind;
	uint16_t id; /* below SET_DATA: all of the kind */
};

static bool
withdrawal_names(const struct slot *at, const struct template *t, const void *arg)
{
	const struct withdrawal *w = arg;

	(void)at;
	return t->kind == w->kind && (w->id < SET_DATA || t->id == w->id);
}

int
templates_withdraw(struct templates *ts, enum template_kind kind, uint16_t id,
    struct templates_old *old)
{
	const struct withdrawal w = { kind, id };
	const struct template *t = id < SET_DATA ? NULL : templates_find(ts, kind, id);

	*old = (struct templates_old){ 0 };
	if (id >= SET_DATA && (t == NULL || !withdrawal_names(NULL, t, &w)))
		return 0;
	return templates_sift(
	    ts, withdrawal_names, &w, id < SET_DATA ? atomic_load(&ts->n) : 1, old);
}

/* When a template was last of any use: first those that never were. */
static uint64_t
slot_rank(const struct slot *at)
{
	uint32_t used = atomic_load(&at->used);

	return used != 0 ? UINT64_C(1) << 32 | used : at->told;
}

static int
rank_compare(const void *a, const void *b)
{
	uint64_t p = *(const uint64_t *)a, q = *(const uint64_t *)b;

	return p < q ? -1 : p > q;
}

static bool
rank_is_low(const struct slot *at, const struct template *t, const void *arg)
{
	(void)t;
	return slot_rank(at) <= *(const uint64_t *)arg;
}

/*
 * Forget some templates that are not in use, an eighth at most, so that who tells new
 * ones without end makes us look for old ones now and then. Returns how many, or an error.
 */
static int
templates_forget(struct templates *ts, uint32_t now_s, struct templates_old *old)
{
	const struct templates_slots *s = atomic_load(&ts->slots);
	uint64_t in_use = UINT64_C(1) << 32 |
			  (now_s > TEMPLATES_UNUSED_S ? now_s - TEMPLATES_UNUSED_S : 0);
	uint32_t n = 0, most = atomic_load(&ts->n) / 8 + 1;
	uint64_t *ranks = malloc(atomic_load(&ts->n) * sizeof(*ranks)), highest;

	if (ranks == NULL)
		return -WEIR_ENOMEM;
	for (uint32_t i = 0; i <= s->mask; i++)
		if (atomic_load(&s->at[i].template) != NULL &&
		    slot_rank(&s->at[i]) < in_use)
			ranks[n++] = slot_rank(&s->at[i]);
	if (n == 0) {
		free(ranks);
		return -WEIR_EFULL;
	}
	qsort(ranks, n, sizeof(*ranks), rank_compare);
	n = n < most ? n : most;
	highest = ranks[n - 1];
	free(ranks);
	return templates_sift(ts, rank_is_low, &highest, n, old);
}

/* Whether `t` fits with its exporter's others, in place of the one that it replaces. */
static bool
template_fits(const struct templates *ts, const struct template *t)
{
	const struct template *before =
	    templates_find(ts, (enum template_kind)t->kind, t->id);

	return ts->octets + t->octets - (before != NULL ? before->octets : 0) <=
		   TEMPLATES_OCTETS &&
	       (before != NULL || atomic_load(&ts->n) < TEMPLATES_MAX);
}

int
templates_put(
    struct templates *ts, struct template *t, uint32_t now_s, struct templates_old *old)
{
	uint32_t key = key_of((enum template_kind)t->kind, t->id);
	int forgotten = 0;
	struct slot *at;

	*old = (struct templates_old){ 0 };
	if (!template_fits(ts, t)) {
		forgotten = templates_forget(ts, now_s, old);
		if (forgotten < 0)
			return forgotten;
		if (!template_fits(ts, t)) /* still in the way: next time, maybe */
			return -WEIR_EFULL;
	}
	at = slot_of(atomic_load(&ts->slots), key, &old->template);
	if (old->template == NULL) {
		if (templates_grow(ts, old) != 0)
			return -WEIR_ENOMEM;
		at = slot_of(atomic_load(&ts->slots), key, &old->template);
		atomic_fetch_add(&ts->n, 1);
	} else {
		ts->octets -= old->template->octets;
	}
	ts->octets += t->octets;
	at->told = now_s;
	atomic_store_explicit(&at->records, 0, memory_order_relaxed);
	atomic_store_explicit(&at->heard, now_s, memory_order_relaxed);
	atomic_store_explicit(&at->template, t, memory_order_release);
	return forgotten;
}

/* The end of those who were taken out together. */
static void
templates_drop_gone(void *p)
{
	struct templates_gone *gone = p;

	for (uint32_t i = 0; i < gone->n; i++)
		templates_drop(gone->at[i]);
	free(gone);
}

void
templates_retire(const struct templates_old *old)
{
	if (old->template != NULL)
		rcu_defer(templates_drop, old->template);
	if (old->gone != NULL)
		rcu_defer(templates_drop_gone, old->gone);
	if (old->slots != NULL)
		rcu_defer(free, old->slots);
}

uint32_t
templates_count(const struct templates *ts)
{
	return atomic_load(&ts->n);
}

void
templates_each(const struct templates *ts,
    void (*fn)(const struct template *t, void *arg), void *arg)
{
	struct templates_slots *s = atomic_load(&ts->slots);

	for (uint32_t i = 0; i <= s->mask; i++) {
		const struct template *t = atomic_load(&s->at[i].template);

		if (t != NULL)
			fn(t, arg);
	}
}
