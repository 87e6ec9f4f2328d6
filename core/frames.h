/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frames: copies of the frames that the flows of a batch were seen in, for rules and
 * outputs that look at them. There are some only where a filter or such an output is
 * configured. What a batch's frames need lies close together; nothing is allocated for a
 * frame. One per worker; its thread.
 */
#ifndef WEIR_CORE_FRAMES_H
#define WEIR_CORE_FRAMES_H

#include <stdint.h>
#include <string.h>

#include "flow/flow.h"
#include "flow/frame.h"
#include "lib/err.h"
#include "rules/batch.h"
#include "rules/shape.h"

#define FRAMES_MAX 65536U /* octets kept of one */
#define FRAMES_USUAL 80U /* octets that are copied quickly */

struct frames {
	struct frame list[FLOW_BATCH]; /* of slots; those in `kept` are filled */
	struct frame picked[FLOW_BATCH]; /* scratch: those of a part of the batch */
	uint64_t kept;
	uint32_t reach; /* octets of Ethernet frames that anybody looks at; 0: none */
	uint32_t used; /* octets of `octets` */
	uint8_t *octets; /* room for FLOW_BATCH of the longest */
};

/* NULL with `e` filled. */
struct frames *frames_new(struct err *e);
void frames_free(struct frames *fs);

/* The frames of `n` slots, `octets` NULL where there is none; NULL: there are none at all. */
const struct frame *frames_list(struct frames *fs, unsigned n);

/* Copy the entries of `mask` to `to`, one behind the other. The octets stay where they are. */
static inline void
frames_pick(struct frame *to, const struct frame *from, uint64_t mask)
{
	while (mask != 0)
		*to++ = from[batch_take(&mask)];
}

/* Forget the batch. */
static inline void
frames_clear(struct frames *fs)
{
	fs->kept = 0;
	fs->used = 0;
}

/* Keep a copy of `f`, as far as anybody looks at it, for the flow in `slot`. */
static inline void
frames_keep(struct frames *fs, unsigned slot, const struct frame *f)
{
	uint32_t octets = f->caplen < FRAMES_MAX ? f->caplen : FRAMES_MAX;
	uint8_t *to = fs->octets + fs->used;

	if (fs->reach == 0)
		return;
	if (f->linktype == FRAME_ETHERNET && octets > fs->reach)
		octets = fs->reach;
	if (octets <= FRAMES_USUAL && f->caplen >= FRAMES_USUAL)
		memcpy(to, f->octets, FRAMES_USUAL); /* there is room for that, too */
	else
		memcpy(to, f->octets, octets);
	fs->list[slot] = *f;
	fs->list[slot].octets = to;
	fs->list[slot].caplen = octets;
	fs->list[slot].shape = 1U + shape_seen(f); /* while it is at hand */
	fs->kept |= UINT64_C(1) << slot;
	fs->used += (octets + 15U) & ~15U;
}

#endif
