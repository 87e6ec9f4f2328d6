/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * prorate: the shares of a flow in the time bins that it spans. Packets and bytes are
 * divided by the time in each bin, so that the shares add up to the whole to the unit;
 * the flow itself is counted where it starts. One walk per flow; no allocation.
 */
#ifndef WEIR_CORE_PRORATE_H
#define WEIR_CORE_PRORATE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bins.h"
#include "flow/flow.h"

#define PRORATE_BINS 128U /* a flow that spans more is not divided */

struct prorate {
	const struct bins *bins;
	const struct flow *flow;
	struct bin bin; /* of the next share */
	uint64_t start, end; /* of the flow */
	uint64_t packets, bytes, link_bytes; /* in the shares so far */
	bool first, done;
};

/*
 * Begin with `f`, which spans from its stamp to timestamp_end. False when there is
 * nothing to divide: it lies in one bin, has no end, or its stamp is not its start (but
 * its arrival); or the bins are too many. `b` and `f` are borrowed.
 */
bool prorate_begin(struct prorate *p, const struct bins *b, const struct flow *f);

/* The next share that is not empty, with a stamp in its bin; false after the last. */
bool prorate_next(struct prorate *p, struct flow *part);

#endif
