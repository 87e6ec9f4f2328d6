/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * classes: which application each packet belongs to, for the primitive `class`. A stream is
 * both directions of a 5-tuple; engines (class_engine.h) look at its first packets. What was
 * counted before its class was known, or known better, moves to the right row as long as
 * that is possible (pipeline_move).
 *
 * Streams whose class is settled are rows of two tables that take turns (turns.h), so
 * forgetting them costs nothing per stream. Those that engines still look at are few, and
 * stand in a list by their last packet. All is bounded: a stream that finds no room is of
 * unknown class, and is counted.
 *
 * One instance per door and worker; its thread. The door calls classes_take for each packet
 * before pipeline_commit; the rest happens at each flush of the pipeline.
 */
#ifndef WEIR_COLLECTORS_CLASSES_H
#define WEIR_COLLECTORS_CLASSES_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/class_config.h"
#include "core/pipeline.h"
#include "flow/frame.h"
#include "lib/err.h"
#include "proto/packet.h"

struct classes;

#define CLASSES_NO_BUDGET UINT32_MAX

/* Whether there is somebody to ask for `class`, and somebody who asks. `c` may be NULL. */
bool classes_wanted(const struct class_config *c, const struct pipeline *p);

/*
 * For `p`, whose frames are dissected with `wants` (borrowed). NULL with `e` filled. Main
 * thread.
 */
struct classes *classes_new(const struct class_config *c, const struct packet_wants *wants,
    struct pipeline *p, struct err *e);
void classes_free(struct classes *cs);

/*
 * At most `looks` packets are looked at from now on; those that were left over by the last
 * budget come first. Packets beyond that wait, as far as there is room.
 */
void classes_budget(struct classes *cs, uint32_t looks);

/* Set the class of `f`, which was seen in `frame`: the flow in the pipeline's slot. */
void classes_take(struct classes *cs, const struct packet_link *link,
    const struct frame *frame, struct flow *f);

/*
 * It is `now` (ns since 1970, packets' time), whether packets came or not: end streams that have
 * long been silent, a few at a time. A time far off those before counts when the next one
 * agrees. Returns from which time on records may still move, 0: none may.
 */
uint64_t classes_age(struct classes *cs, uint64_t now);

/* No more packets come: end all streams, and flush all that follows from that. */
void classes_finish(struct classes *cs);

#endif
