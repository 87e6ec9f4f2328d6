/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/sieve.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "rules/sampling.h"

#define ROUNDS 64U /* most that are drawn for one record */

struct sieve {
	uint32_t rate;
	uint32_t left; /* packets to the next that is taken; that one counts */
	uint64_t random; /* state of the generator */
	size_t octets;
	bool renormalize[SOURCE_COUNT];
	uint64_t mask; /* of those in the last batch that were taken */
	struct flow taken[FLOW_BATCH];
};

/* SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. */
static uint64_t
random_next(struct sieve *s)
{
	uint64_t z = s->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/*
 * From 1 to 2 rate - 1, all exactly as likely: Lemire, "Fast random integer generation in
 * an interval", 2019.
 */
static uint32_t
skip_draw(struct sieve *s)
{
	uint32_t range = 2 * s->rate - 1;
	uint64_t m = (random_next(s) >> 32) * range;

	if ((uint32_t)m < range)
		while ((uint32_t)m < (UINT32_MAX - range + 1) % range)
			m = (random_next(s) >> 32) * range;
	return (uint32_t)(m >> 32) + 1;
}

struct sieve *
sieve_new(uint32_t rate, const bool renormalize[SOURCE_COUNT], size_t octets,
    uint64_t seed, struct err *e)
{
	struct sieve *s = calloc(1, sizeof(*s));

	assert(rate >= 2 && rate <= SIEVE_RATE_MAX && octets <= sizeof(struct flow));
	if (s == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for a sample");
		return NULL;
	}
	s->rate = rate;
	s->random = seed;
	s->octets = octets;
	memcpy(s->renormalize, renormalize, sizeof(s->renormalize));
	s->left = skip_draw(s);
	return s;
}

void
sieve_free(struct sieve *s)
{
	free(s);
}

/*
 * How many of `packets` the sample meets. Of a record with very many, all but the last
 * rounds count as their mean: nobody sends us a number that keeps us busy.
 */
static uint64_t
sample_meets(struct sieve *s, uint64_t packets)
{
	uint64_t met = 0;

	if (packets < s->left) {
		s->left -= (uint32_t)packets;
		return 0;
	}
	if (packets / s->rate > ROUNDS)
		met = packets / s->rate - ROUNDS / 2;
	packets -= met * s->rate;
	while (packets >= s->left) {
		packets -= s->left;
		s->left = skip_draw(s);
		met++;
	}
	s->left -= (uint32_t)packets;
	return met;
}

/* `met` of the packets of `f`, with their part of its octets. */
static void
flow_reduce(struct flow *f, uint64_t met)
{
	double rest =
	    (double)(f->bytes % f->packets) / (double)f->packets * (double)met;

	f->bytes = f->bytes / f->packets * met + (uint64_t)rest;
	f->packets = met;
}

/* Say at which rate `f` was sampled, here and before; or make up for ours, which then is 1. */
static void
flow_rate(const struct sieve *s, enum flow_source source, struct flow *f,
    struct sieve_books *b)
{
	struct sums before = { f->packets, f->bytes, 0 };
	uint64_t rate =
	    (uint64_t)s->rate * (f->sampling_rate != 0 ? f->sampling_rate : 1);

	if (!s->renormalize[source]) {
		f->sampling_rate = rate < UINT32_MAX ? (uint32_t)rate : UINT32_MAX;
		return;
	}
	b->over += !sampling_scale(f, s->rate);
	f->sampling_rate = 1; /* an exporter's rate was made up for already */
	b->scaled.packets += f->packets - before.packets;
	b->scaled.bytes += f->bytes - before.bytes;
}

const struct flow *
sieve_take(struct sieve *s, enum flow_source source, const struct flow *flows,
    unsigned *n, struct sieve_books *b)
{
	unsigned k = 0;

	s->mask = 0;
	for (unsigned i = 0; i < *n; i++) {
		const struct flow *f = &flows[i];
		struct flow *own = &s->taken[k];
		uint64_t met = sample_meets(s, f->packets);

		if (met == 0) {
			sums_add(
			    &b->out, &(struct sums){ f->packets, f->bytes, f->flows });
			continue;
		}
		memcpy(own, f, s->octets);
		if (met < f->packets)
			flow_reduce(own, met);
		b->out.packets += f->packets - own->packets;
		b->out.bytes += f->bytes - own->bytes;
		flow_rate(s, source, own, b);
		s->mask |= UINT64_C(1) << i;
		k++;
	}
	*n = k;
	return s->taken;
}

uint64_t
sieve_taken(const struct sieve *s)
{
	return s->mask;
}
