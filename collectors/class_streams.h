/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * class_streams: the streams of one struct classes whose class is not settled, in the order
 * of their last packets and in that of their first; and the records that were counted of them,
 * which move when more is known of their stream. All is bounded: what finds no room is told.
 *
 * A stream has a number, which another one may have after it was closed. Pointers to it are good
 * until then. One thread.
 */
#ifndef WEIR_COLLECTORS_CLASS_STREAMS_H
#define WEIR_COLLECTORS_CLASS_STREAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/chunks.h"
#include "collectors/class_config.h"
#include "core/pipeline.h"
#include "lib/ip.h"

#define CLASS_STREAMS_MAX 65536U
#define CLASS_NO_STREAM   0U /* no stream's number */

enum class_order { BY_SEEN, BY_BIRTH, CLASS_ORDERS };

/* Both directions are one: the lower end is the first. */
struct class_key {
	ip16_t lower, upper;
	uint16_t lower_port, upper_port;
	uint8_t proto;
	uint8_t zero[3];
};
_Static_assert(sizeof(struct class_key) % 8 == 0, "keys of a table are words");

struct class_stream {
	struct class_key key;
	uint64_t first, seen;  /* times of its first and last packet, ns since 1970 */
	uint32_t older[CLASS_ORDERS], newer[CLASS_ORDERS];
	uint32_t class_id;     /* as far as is known */
	uint32_t kept;         /* its records, the newest first */
	uint32_t looks;        /* packets that were looked at */
	uint32_t told;         /* announcements of others there were by the last look */
	uint32_t asking;       /* bits of engines that would look at more */
	uint32_t next;         /* in the list of those that are: */
	bool unsettled;        /* records of it may be of another class than it */
	bool ended;            /* closed; it goes when they are not */
	void *of[CLASS_ENGINES]; /* what each engine keeps of it; the user's */
};

struct class_streams {
	struct chunks streams, records;
	size_t flow_octets;    /* of each record */
	uint32_t oldest[CLASS_ORDERS], newest[CLASS_ORDERS];
	uint32_t n, max;       /* not closed */
	uint32_t unsettled;
};

/*
 * For at most `max` streams, CLASS_STREAMS_MAX at most; a record is the first `flow_octets` of
 * a struct flow. Takes no memory yet.
 */
void class_streams_init(struct class_streams *s, uint32_t max, size_t flow_octets);
void class_streams_fini(struct class_streams *s);

static inline struct class_stream *
class_stream_at(const struct class_streams *s, uint32_t no)
{
	return chunks_at(&s->streams, no);
}

/*
 * A new stream, whose first packet is at `time`; there are fewer than `max`. CLASS_NO_STREAM
 * when memory is short.
 */
uint32_t class_streams_open(
    struct class_streams *s, const struct class_key *key, uint64_t time);

/* A packet of stream `no` came at `time`. */
void class_streams_touch(struct class_streams *s, uint32_t no, uint64_t time);

/* Stream `no` goes, as soon as its records are where they should be. */
void class_streams_close(struct class_streams *s, uint32_t no);

/*
 * Keep the record of stream `no` in slot `slot` of the batch of `p`, as it will be fed: in a hook,
 * before. Returns false when there is no room.
 */
bool class_streams_keep(
    struct class_streams *s, uint32_t no, struct pipeline *p, unsigned slot);

/* Stream `no` is of another class than some of its records were counted in. */
void class_streams_unsettle(struct class_streams *s, uint32_t no);

/* Move those records, which are of `source`; behind a batch of `p` (pipeline_move). */
void class_streams_settle(
    struct class_streams *s, struct pipeline *p, enum flow_source source);

#endif
