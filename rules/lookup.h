/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lookup: the flows of a batch, looked up in one tuple all at once: hashes first, then
 * fetching what the slots will need, then comparing. For rules/classifier.c.
 */
#ifndef WEIR_RULES_LOOKUP_H
#define WEIR_RULES_LOOKUP_H

#include <stdint.h>

#include "flow/flow.h"
#include "rules/runs.h"
#include "rules/tuple.h"

/* The flows of a batch that a tuple may have something for. */
struct lookup {
	const struct flow *flows;
	const uint32_t *start; /* of each flow: from where on, */
	uint32_t *first; /* and what is found */
	unsigned n;
	uint8_t who[FLOW_BATCH]; /* of the flows */
	uint64_t hash[FLOW_BATCH];
};

/* Look `l` up in `t`: the first rule of a flow is now what it was, or one before that. */
void lookup_tuple(const struct runs *r, const struct tuple *t, struct lookup *l);

#endif
