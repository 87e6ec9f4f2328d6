/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * columns: one batch as filters look at it: which flows have a frame of which shape, and
 * for each spot (shape.h) that a filter asked for, the values of all flows side by side.
 * Taken from captured frames where there are some, else from the flows. All filters that
 * look at the batch share them: each value is fetched once. Scratch memory of one
 * worker; what the flows are when the first filter looks at them is what counts.
 */
#ifndef WEIR_RULES_COLUMNS_H
#define WEIR_RULES_COLUMNS_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/batch.h"
#include "rules/shape.h"
#include "rules/synth.h"

#define COLUMN_ALIGN 64
#define COLUMN_NO_KIND (SHAPE_ORIGINS * SHAPES)

struct columns {
	_Alignas(COLUMN_ALIGN) uint32_t values[SPOTS][FLOW_BATCH];
	uint64_t have[(SPOTS + 63) / 64]; /* spots that were fetched */
	_Alignas(COLUMN_ALIGN)
	    uint8_t kind[FLOW_BATCH]; /* origin * SHAPES + shape; COLUMN_NO_KIND */
	uint64_t shapes[SHAPE_ORIGINS]
		       [SHAPES]; /* masks of the flows with such a frame */
	uint64_t seen, made; /* flows of some shape, by origin */
	bool sorted; /* the masks are filled */
	/* Headers of seen frames; of other flows, and of those without one, some zeros. */
	const uint8_t *network[2][FLOW_BATCH]; /* of IPv4, of IPv6 */
	const uint8_t *transport[FLOW_BATCH];
	struct field_set absent; /* that frames are made of, but no decoder fills; */
	uint64_t blind[(SPOTS + 63) / 64]; /* spots that are taken from such */
	uint64_t synthesised; /* flows whose frame was made: */
	struct frame frames[FLOW_BATCH];
	uint8_t octets[FLOW_BATCH][SYNTH_MAX];
};

/* For flows in which the fields of `needs` are filled; others read as 0. NULL: no memory. */
struct columns *columns_new(const struct field_set *needs);
void columns_free(struct columns *c);

/* Forget the last batch. */
static inline void
columns_clear(struct columns *c)
{
	for (unsigned i = 0; i < sizeof(c->have) / sizeof(c->have[0]); i++)
		c->have[i] = 0;
	c->sorted = false;
	c->synthesised = 0;
}

/* Sort the flows of `b` by shape, unless that was done. */
void columns_sort(struct columns *c, const struct batch *b);

/* The values of `spot`, good for the flows whose frames have it. */
const uint32_t *columns_get(struct columns *c, const struct batch *b, enum spot spot);

/* The frame of flow `i`: the captured one, else one that is made of it. */
const struct frame *columns_frame(struct columns *c, const struct batch *b, unsigned i);

/* The masks of those that, as far as `mask` goes, equal `value`, or are greater. */
uint64_t column_equal(const uint32_t *column, uint32_t mask, uint32_t value);
uint64_t column_greater(const uint32_t *column, uint32_t mask, uint32_t value);

#endif
