/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * feed: one worker's part of an output that takes flows as they come (OUTPUT_FLOWS): what
 * is left of each batch when rules have selected and tagged it, and the plugin's sieve has
 * sampled it, goes to the output's feed(), with the frames where it asked for them. Lives as
 * long as its output; that worker's thread, but for `cut`.
 */
#ifndef WEIR_CORE_FEED_H
#define WEIR_CORE_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "core/output.h"
#include "flow/flow.h"
#include "flow/frame.h"
#include "flow/rowspec.h"
#include "lib/err.h"
#include "rules/batch.h"
#include "rules/sieve.h"

/* fed + scaled = filtered + sampled_out + handed. */
struct feed_books {
	struct sums fed, scaled, filtered, sampled_out, handed;
};

struct feed {
	struct output *output;
	unsigned worker;
	struct sieve *sieve;    /* NULL: every packet is handed over; owned */
	struct feed_books books;
	struct feed_books cut;  /* as of the last cut; under the worker's cut_lock */
	uint64_t pool;          /* packets that the sieve was offered */
	struct frame frames[FLOW_BATCH]; /* of the flows that the sieve took */
};

/*
 * Sample as output `o` asks (o->sampling_rate); the arguments are sieve_new's. Returns 0 or
 * -WEIR_ENOMEM.
 */
int feed_init(struct feed *f, struct output *o, unsigned worker,
    const bool renormalize[SOURCE_COUNT], size_t octets, struct err *e);
void feed_fini(struct feed *f);

/* Hand `b` over. Returns how many of its flows have a counter that says less than it should. */
uint64_t feed_give(struct feed *f, const struct batch *b);

/* Tell the output what `n` flows are that it may have been handed. */
static inline void
feed_learn(struct feed *f, const struct flow *flows, unsigned n)
{
	if (f->output->ops->learn != NULL)
		f->output->ops->learn(f->output, f->worker, flows, n);
}

/* It is `now` (ns since 1970), between two pieces of work: let the output do what is due. */
static inline void
feed_tick(struct feed *f, uint64_t now)
{
	if (f->output->ops->tick != NULL)
		f->output->ops->tick(f->output, f->worker, now);
}

/* Copy the books; `fed` is all that the worker has fed so far. The worker's cut_lock is held. */
void feed_cut(struct feed *f, const struct sums *fed);

#endif
