/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/sflow_sources.h"

#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

#define FIRST_SLOTS  8U          /* a power of two */
#define ALL_SLOTS    (1 << 20)   /* of all agents: 32 MiB */
#define LATE         64          /* numbers that a sample may be behind another */
#define JUMP         (1 << 24)   /* from here on no gap, but another beginning */
#define RATE_BEYOND  256U        /* times the announced rate: the pool was not counted on */

/* `state` of an exporter. */
struct sflow_exporter {
	unsigned n;                  /* workers */
	struct sflow_sources *of;    /* by worker, each touched by that one alone */
};

/* Slots that may still be had. */
static _Atomic int32_t slots_left = ALL_SLOTS;

static bool
slots_take(uint32_t n)
{
	if (atomic_fetch_sub(&slots_left, (int32_t)n) >= (int32_t)n)
		return true;
	atomic_fetch_add(&slots_left, (int32_t)n);
	return false;
}

static struct sflow_exporter *
state_make(struct exporter *x)
{
	struct sflow_exporter *sx;

	pthread_mutex_lock(&x->lock);
	sx = atomic_load_explicit(&x->state, memory_order_relaxed);
	if (sx == NULL && (sx = calloc(1, sizeof(*sx))) != NULL) {
		sx->n = x->n_parts;
		sx->of = aligned_alloc(64, sx->n * sizeof(*sx->of));
		if (sx->of == NULL) {
			free(sx);
			sx = NULL;
		} else {
			memset(sx->of, 0, sx->n * sizeof(*sx->of));
			atomic_store_explicit(&x->state, sx, memory_order_release);
		}
	}
	pthread_mutex_unlock(&x->lock);
	return sx;
}

struct sflow_sources *
sflow_sources_of(struct exporter *x, unsigned worker)
{
	struct sflow_exporter *sx = atomic_load_explicit(&x->state, memory_order_acquire);

	if (sx == NULL)
		sx = state_make(x);
	return sx != NULL ? &sx->of[worker] : NULL;
}

void
sflow_exporter_state_free(void *state)
{
	struct sflow_exporter *sx = state;

	for (unsigned i = 0; i < sx->n; i++) {
		if (sx->of[i].slots == NULL)
			continue;
		free(sx->of[i].slots);
		atomic_fetch_add(&slots_left, (int32_t)sx->of[i].mask + 1);
	}
	free(sx->of);
	free(sx);
}

/* The slot of the source, or the empty one where it would stand. */
static struct sflow_source *
slot_find(struct sflow_source *slots, uint32_t mask, uint32_t class, uint32_t index)
{
	uint64_t key = (uint64_t)class << 32 | index;
	uint32_t i = (uint32_t)hash_seeded(&key, sizeof(key));

	for (;; i++) {
		struct sflow_source *s = &slots[i & mask];

		if (!s->used || (s->index == index && s->class == class))
			return s;
	}
}

/* Twice the slots, or the first ones. */
static bool
sources_grow(struct sflow_sources *ss)
{
	uint32_t old = ss->slots != NULL ? ss->mask + 1 : 0;
	uint32_t n = old != 0 ? old * 2 : FIRST_SLOTS;
	struct sflow_source *slots;

	if (n > SFLOW_SOURCES_MAX * 2 || !slots_take(n))
		return false;
	slots = calloc(n, sizeof(*slots));
	if (slots == NULL) {
		atomic_fetch_add(&slots_left, (int32_t)n);
		return false;
	}
	for (uint32_t i = 0; i < old; i++) {
		const struct sflow_source *s = &ss->slots[i];

		if (s->used)
			*slot_find(slots, n - 1, s->class, s->index) = *s;
	}
	free(ss->slots);
	atomic_fetch_add(&slots_left, (int32_t)old);
	ss->slots = slots;
	ss->mask = n - 1;
	return true;
}

static struct sflow_source *
source_add(struct sflow_sources *ss, uint32_t class, uint32_t index)
{
	struct sflow_source *s;

	/* At most half full, so that a search soon finds an empty slot. */
	if (ss->n == SFLOW_SOURCES_MAX ||
	    ((ss->slots == NULL || ss->n * 2 > ss->mask) && !sources_grow(ss)))
		return NULL;
	s = slot_find(ss->slots, ss->mask, class, index);
	*s = (struct sflow_source){ .class = class, .index = index, .used = true };
	ss->n++;
	return s;
}

struct sflow_source *
sflow_source_find(struct sflow_sources *ss, uint32_t class, uint32_t index)
{
	struct sflow_source *s =
	    ss->slots != NULL ? slot_find(ss->slots, ss->mask, class, index) : NULL;

	if (s == NULL || !s->used)
		s = source_add(ss, class, index);
	if (s != NULL)
		ss->last = s;
	return s;
}

/*
 * The packets that each sample stands for: those that passed since the last one, over
 * the samples that were made of them. What nobody can mean is not believed.
 */
static uint32_t
rate_effective(uint32_t packets, uint32_t samples, uint32_t announced)
{
	uint64_t rate = packets;

	if (samples > 1) /* dividing takes long, and is rare */
		rate = (rate + samples / 2) / samples;
	if (rate == 0 || (announced != 0 && rate > (uint64_t)announced * RATE_BEYOND))
		return announced;
	return (uint32_t)rate;
}

struct sflow_step
sflow_source_step(struct sflow_source *s, const struct sflow_tell *t)
{
	struct sflow_step step = { .rate = t->rate };
	int32_t ahead = (int32_t)(t->sequence - s->sequence);
	uint32_t drops = t->drops - s->drops;

	step.late = s->sampled && ahead > -LATE && ahead <= 0;
	if (step.late)
		return step; /* it was overtaken: it tells nothing of now */
	if (s->sampled && ahead > 0 && ahead < JUMP) {
		step.lost = (uint32_t)ahead - 1;
		step.rate =
		    rate_effective(t->pool - s->pool, (uint32_t)ahead, t->rate);
		step.dropped = drops < JUMP ? drops : 0;
	}
	s->sampled = true;
	s->sequence = t->sequence;
	s->pool = t->pool;
	s->drops = t->drops;
	return step;
}

int32_t
sflow_source_count(struct sflow_source *s, uint32_t sequence)
{
	int32_t ahead = (int32_t)(sequence - s->counter_sequence), lost = 0;

	if (s->counted && ahead > -LATE && ahead <= 0)
		return -1;
	if (s->counted && ahead > 0 && ahead < JUMP)
		lost = ahead - 1;
	s->counted = true;
	s->counter_sequence = sequence;
	return lost;
}
