/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * batch: the flows that rules look at, all at once, and beside them the frames that they
 * were seen in. Rules answer with masks: bit i is flow i. Belongs to a worker; good
 * for the call.
 */
#ifndef WEIR_RULES_BATCH_H
#define WEIR_RULES_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/flow.h"
#include "flow/frame.h"

/* Where a batch of flows comes from; a batch has one source. */
enum flow_source { SOURCE_PACKETS, SOURCE_NETFLOW, SOURCE_SFLOW, SOURCE_COUNT };

struct columns;

struct batch {
	struct flow *flows;
	unsigned n;                 /* to FLOW_BATCH */
	enum flow_source source;
	unsigned worker;            /* number of the worker */
	bool again;                 /* its flows were here before: nothing is counted */
	const struct frame *frames; /* one for each flow, `octets` NULL where there is
	                             * none; NULL: none at all */
	struct columns *columns;    /* scratch of filters; NULL: there are none */
};

/* The mask of the first `n` flows. */
static inline uint64_t
batch_first(unsigned n)
{
	return n == 0 ? 0 : UINT64_MAX >> (FLOW_BATCH - n);
}

/* The mask of all flows of `b`. */
static inline uint64_t
batch_all(const struct batch *b)
{
	return batch_first(b->n);
}

_Static_assert(FLOW_BATCH == 64, "a mask has a bit for each flow of a batch");

/* Of a loop over the flows of `mask`: the lowest one, taken out of it. `*mask` is not 0. */
static inline unsigned
batch_take(uint64_t *mask)
{
	unsigned i = (unsigned)__builtin_ctzll(*mask);

	*mask &= *mask - 1;
	return i;
}

#endif
