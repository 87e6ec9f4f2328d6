/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sender: the thread of a plugin that exports flows. It takes datagrams out of the workers'
 * outboxes, gives them headers, numbers them for each target by itself, tells templates and
 * options when they are due, and sends. Nothing here waits for a target: what cannot be sent
 * at once is counted by reason and gone.
 *
 * Sequence numbers count what a target should have got, so that it notices what is lost:
 * records in v5, datagrams in v9 (RFC 3954 s5.1) and sFlow, data records in IPFIX (RFC 7011
 * s3.1). Samples of sFlow have numbers of their own, the same for all targets.
 * Templates go first, again after so many datagrams or seconds, and as soon as a target that
 * said that nobody listens is sent to again.
 */
#ifndef WEIR_EXPORT_SENDER_H
#define WEIR_EXPORT_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/output.h"
#include "export/outbox.h"
#include "export/receivers.h"
#include "lib/err.h"
#include "proto/encode.h"
#include "proto/sflow_write.h"

/* The body of a message that is not about flows. */
struct announcement {
	uint16_t octets;
	uint16_t count;   /* of templates and records in it: v9's header has it */
	uint16_t records; /* options records alone: IPFIX numbers them like others */
	uint8_t *body;
};

/* Of sFlow: who sends, and the numbers of what was sent. The sender's thread. */
struct sender_sflow {
	ip16_t agent;
	uint32_t sub_agent;
	struct sflow_numbering numbering;
};

struct sender_config {
	enum encode_version version;
	uint32_t domain;           /* v9's source id, IPFIX's domain; v5: engine type and id */
	uint16_t v5_sampling;      /* of v5's header */
	uint64_t boot;             /* ns since 1970: where uptimes count from; whole seconds */
	uint32_t refresh_datagrams, refresh_s; /* of templates; 0: not by that */
	unsigned n_announcements;
	const struct announcement *announcements; /* borrowed */
	unsigned n_outboxes;
	struct outbox *outboxes;   /* borrowed */
	struct receivers *receivers; /* borrowed */
	struct sender_sflow *sflow; /* samples of sFlow, not records of `version`; borrowed */
	bool stream;               /* TCP, for IPFIX */
	/* These two are the caller's, who has told the outboxes of them. */
	int wake_fd;
	_Atomic bool *asleep;
};

struct sender;

/* The pools must have targets. Returns NULL with `e` filled. */
struct sender *sender_new(struct output *o, const struct sender_config *c, struct err *e);

/* Start the thread. Returns 0 or -WEIR_E... with `e` filled. */
int sender_start(struct sender *s, struct err *e);

/* Send what is in the outboxes, end the thread, free. The workers have ended. */
void sender_stop(struct sender *s);

#define SENDER_MTU_MIN 576U
#define SENDER_MTU_MAX 65535U

/* Room for the body of a message in an IP packet of `mtu` octets, SENDER_MTU_MIN at least. */
uint32_t sender_body_octets(enum encode_version version, uint32_t mtu);

/* The same of sFlow's. */
uint32_t sender_sflow_octets(uint32_t mtu);

/* The longest IP packet, `mtu` at most, that all receivers of `r` get, as far as is known. */
uint32_t sender_mtu(const struct receivers *r, uint32_t mtu);

/* How many targets get each record. */
unsigned sender_copies(const struct receivers *r);

/* How many lanes the pools want (receivers that are chosen by hash); 0: too many. */
unsigned sender_lanes(const struct receivers *r);

/*
 * Write the header of a message of `body` octets with `records` records at `p` (OUTBOX_HEADROOM
 * octets). Returns how long it is.
 */
size_t sender_header(const struct sender_config *c, uint64_t now, uint32_t sequence,
    size_t body, unsigned records, uint8_t *p);

#endif
