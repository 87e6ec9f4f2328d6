/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/feed.h"

#include <string.h>

#include "core/frames.h"
#include "lib/hash.h"

int
feed_init(struct feed *f, struct output *o, unsigned worker,
    const bool renormalize[SOURCE_COUNT], size_t octets, struct err *e)
{
	memset(f, 0, sizeof(*f));
	f->output = o;
	f->worker = worker;
	if (o->sampling_rate == 0)
		return 0;
	/* Any two workers of any two weirs draw another sample. */
	f->sieve = sieve_new(o->sampling_rate, renormalize, octets,
	    hash_seeded(&f, sizeof(f)), e);
	return f->sieve != NULL ? 0 : -WEIR_ENOMEM;
}

void
feed_fini(struct feed *f)
{
	sieve_free(f->sieve);
	f->sieve = NULL;
}

static struct sums
flows_sum(const struct flow *flows, unsigned n)
{
	struct sums s = { 0 };

	for (unsigned i = 0; i < n; i++) {
		s.packets += flows[i].packets;
		s.bytes += flows[i].bytes;
		s.flows += flows[i].flows;
	}
	return s;
}

uint64_t
feed_give(struct feed *f, const struct batch *b)
{
	struct output_flows to = { .flows = b->flows, .n = b->n, .source = b->source,
		.frames = b->frames };
	struct sums sum = flows_sum(b->flows, b->n);
	uint64_t over = 0;

	f->pool += sum.packets;
	if (f->sieve != NULL) {
		struct sieve_books sb = { 0 };

		to.flows = sieve_take(f->sieve, b->source, b->flows, &to.n, &sb);
		if (b->frames != NULL) {
			frames_pick(f->frames, b->frames, sieve_taken(f->sieve));
			to.frames = f->frames;
		}
		sums_add(&f->books.sampled_out, &sb.out);
		sums_add(&f->books.scaled, &sb.scaled);
		sum = flows_sum(to.flows, to.n);
		over = sb.over;
	}
	sums_add(&f->books.handed, &sum);
	to.pool = f->pool;
	if (to.n > 0)
		f->output->ops->feed(f->output, f->worker, &to);
	return over;
}

void
feed_cut(struct feed *f, const struct sums *fed)
{
	f->books.fed = *fed;
	f->cut = f->books;
}
