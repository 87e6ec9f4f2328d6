/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sequence: what the sequence numbers of one stream of messages tell. A message bears the
 * number of units (records, datagrams) sent before it, modulo 2^32, and counts some units
 * itself, so that the next one's number is foreseen. What is missing is remembered as a
 * gap for a while: a message that was overtaken on the way fills it, and is neither a
 * restart nor a loss. One writer; plain memory.
 */
#ifndef WEIR_CORE_SEQUENCE_H
#define WEIR_CORE_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

#define SEQUENCE_GAPS   8U            /* remembered */
#define SEQUENCE_JUMP   (1U << 24)    /* from here on no gap, but another beginning */
#define SEQUENCE_WINDOW (1U << 14)    /* who is further behind has begun anew */
#define SEQUENCE_VAGUE  (1U << 16)    /* units that a message of unknown count may hold */

enum sequence_verdict {
	SEQUENCE_FIRST,      /* of the stream: nothing to compare with */
	SEQUENCE_NEXT,       /* as foreseen */
	SEQUENCE_AHEAD,      /* units are missing before it */
	SEQUENCE_LATE,       /* it was overtaken: what was missing is found */
	SEQUENCE_DUPLICATE,  /* it, or one of its number, was here already */
	SEQUENCE_RESET,      /* the exporter has begun anew */
};

struct sequence {
	uint32_t next;       /* number foreseen */
	bool known;          /* there was a message */
	bool vague;          /* the last one's units could not all be counted */
	uint8_t n_gaps;
	uint8_t behind;      /* messages in a row that follow each other behind `next` */
	uint32_t behind_next; /* number that would go on with them */
	struct sequence_gap {
		uint32_t from, to; /* the first unit missing, the first there again */
	} gaps[SEQUENCE_GAPS]; /* the oldest first */
};

struct sequence_step {
	enum sequence_verdict verdict;
	uint32_t lost;       /* units now missing */
	uint32_t found;      /* units that were missing, and came */
};

/*
 * What message `seq` is. `restarted`: the exporter's uptime says that it was started
 * since the last message; numbers that go on nevertheless are believed more. Nothing is
 * changed.
 */
enum sequence_verdict sequence_judge(const struct sequence *s, uint32_t seq,
    bool restarted);

/*
 * Take the message into account, which is what sequence_judge said, and counts `units`;
 * with `vague`, or some more.
 */
struct sequence_step sequence_take(struct sequence *s, enum sequence_verdict verdict,
    uint32_t seq, uint32_t units, bool vague);

#endif
