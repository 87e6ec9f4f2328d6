/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * classifier: what one engine that classifies streams for one door of a worker is, and how
 * much it holds; plain values, for people.
 */
#ifndef WEIR_CORE_CLASSIFIER_H
#define WEIR_CORE_CLASSIFIER_H

#include <stdint.h>

struct classifier_state {
	unsigned worker;
	unsigned order;        /* of asking, from 1 */
	const char *text;      /* "nDPI 4.2.0, 290 protocols" */
	uint32_t streams, streams_max; /* remembered, the door's */
	uint32_t open, open_max; /* of those, still looked at */
	uint32_t late;         /* packets that wait to be looked at */
};

typedef void classifier_fn(void *arg, const struct classifier_state *s);

#endif
