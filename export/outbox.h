/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outbox: what one worker has to send of a plugin that exports flows. Records are encoded
 * straight into datagrams; one that is full, or old, goes through a ring to the plugin's
 * sender (sender.h), which hands its memory back through another one. Both rings have one
 * writer and one reader: no lock, no allocation, and a system call only to wake a sender
 * that sleeps: at a tick, or when many wait, as they go together (train.h). When no memory is
 * left records are refused, and counted by reason.
 *
 * The worker's thread, but for outbox_take and outbox_give_back, which are the sender's.
 */
#ifndef WEIR_EXPORT_OUTBOX_H
#define WEIR_EXPORT_OUTBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/output.h"
#include "core/stats.h"
#include "export/message.h"
#include "lib/err.h"
#include "proto/encode.h"

#define OUTBOX_TEMPLATES 8U   /* a datagram holds records of one template */
#define OUTBOX_LANES_MAX 32U  /* targets that records are divided among */

/* A datagram that waits, or is being filled. */
struct parcel {
	uint64_t now;      /* ns since 1970: when it was closed; of what is open, opened */
	uint16_t octets;   /* of the body, behind the header */
	uint16_t records;
	uint8_t lane;
	uint8_t body[];
};

/* Indexes of parcels, from one thread to another. */
struct parcel_ring {
	_Alignas(64) _Atomic uint32_t head; /* the reader's */
	_Alignas(64) _Atomic uint32_t tail; /* the writer's */
	uint16_t *list;
	uint32_t mask;
};

struct outbox_config {
	enum encode_version version;
	bool samples;         /* of sFlow: outbox_append, in place of records of a version */
	bool patient;         /* outbox_wait waits: what is read are files */
	unsigned lanes;
	uint32_t body_octets; /* room of a body */
	uint32_t parcels;     /* at least two for each that can be open */
	int wake_fd;          /* eventfd of the sender */
	_Atomic bool *asleep; /* the sender waits for it */
};

struct outbox {
	struct outbox_config config;
	_Atomic uint32_t body_octets; /* of those that are opened from now on: the sender sets it */
	struct parcel_ring idle, full;
	uint8_t *memory;
	size_t parcel_octets;
	uint64_t now;              /* as the last tick told it */
	bool weary;                /* waiting was in vain */
	uint64_t deadline;         /* when all waiting ends, mono ns; 0: never */
	struct stats *stats;       /* the worker's */
	uint64_t strangers;        /* records of IPv6, which v5 cannot tell, since its owner looked */
	struct {
		struct parcel *parcel; /* NULL: none */
		struct wbuf w;
	} open[OUTBOX_LANES_MAX][OUTBOX_TEMPLATES];
};

/* Returns 0 or -WEIR_ENOMEM with `e` filled. outbox_fini may be called in any case. */
int outbox_init(struct outbox *b, const struct outbox_config *c, struct stats *stats,
    struct err *e);
void outbox_fini(struct outbox *b);

/*
 * Append the record at `from` to the datagram of `lane` for template number `tmpl` (below
 * OUTBOX_TEMPLATES), laid out by `layout`. Returns whether there was room; if not, it is
 * counted.
 */
bool outbox_put(struct outbox *b, unsigned lane, unsigned tmpl, const struct encode *layout,
    const uint8_t *from, const struct encode_env *env);

/* How many octets outbox_append may get at once, `most` at most. */
size_t outbox_room(const struct outbox *b, size_t most);

/*
 * Append a sample of `n` octets (outbox_room) to the datagram of lane 0. Returns whether
 * there was room; if not, it is counted.
 */
bool outbox_append(struct outbox *b, const uint8_t *octets, size_t n);

/*
 * Wait for a sender that is behind, for a while, where that costs nothing but time: where
 * the outbox is patient, and before its deadline. Once that was in vain, no more until there
 * is room.
 */
void outbox_wait(struct outbox *b);

/* Whether a datagram can be begun. */
bool outbox_has_room(const struct outbox *b);

/* Let go of what was opened before `now` less `linger` (ns); `now` is that of what comes. */
void outbox_tick(struct outbox *b, uint64_t now, uint64_t linger);

/* Let go of everything. */
void outbox_flush(struct outbox *b);

/* The next datagram to send, or NULL. The sender's thread. */
struct parcel *outbox_take(struct outbox *b);

/* It is sent, or lost. The sender's thread. */
void outbox_give_back(struct outbox *b, struct parcel *p);

/* What is begun from now on has `octets` at most, and what there is memory for. Any thread. */
void outbox_fit(struct outbox *b, uint32_t octets);

/* How many datagrams wait. Any thread. */
uint32_t outbox_waiting(const struct outbox *b);

/* The id of template number `tmpl`. */
static inline uint16_t
outbox_template_id(unsigned tmpl)
{
	return (uint16_t)(256 + tmpl);
}

#endif
