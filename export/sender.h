/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sender: the thread of a plugin that exports flows. It takes datagrams out of the workers'
 * outboxes, gives them headers, numbers them for each target by itself, tells templates and
 * options when they are due, and sends. Nothing here waits for a target: what cannot be sent
 * at once is counted by reason and gone. But where it is patient (files are read, or weir ends)
 * it waits, for a while, for names that are looked up and for connections that are behind.
 *
 * Sequence numbers count what a target should have got, so that it notices what is lost:
 * records in v5, datagrams in v9 (RFC 3954 s5.1) and sFlow, data records in IPFIX (RFC 7011
 * s3.1). Samples of sFlow have numbers of their own, the same for all targets.
 * Datagrams are as long as fits into the outboxes, and by UDP into the narrowest way that is
 * known. Templates go first, again after so many datagrams or seconds, and as soon as a target
 * that said that nobody listens is sent to again.
 */
#ifndef WEIR_EXPORT_SENDER_H
#define WEIR_EXPORT_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/output.h"
#include "export/applications.h"
#include "export/message.h"
#include "export/outbox.h"
#include "export/receivers.h"
#include "lib/clock.h"
#include "lib/err.h"
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
	struct message_sender message; /* of sFlow, `boot` alone */
	uint32_t refresh_datagrams, refresh_s; /* of templates; 0: not by that */
	unsigned n_announcements;
	const struct announcement *announcements; /* borrowed */
	const struct applications *applications; /* that are told, too, once they are met; NULL:
	                                          * none; borrowed */
	unsigned n_outboxes;
	struct outbox *outboxes;   /* borrowed */
	struct receivers *receivers; /* borrowed */
	struct sender_sflow *sflow; /* samples of sFlow, not records of `version`; borrowed */
	bool stream;               /* TCP, for IPFIX */
	bool patient;              /* as sender_be_patient says */
	/* These two are the caller's, who has told the outboxes of them. */
	int wake_fd;
	_Atomic bool *asleep;
};

struct sender;

/* The pools must have targets. Returns NULL with `e` filled. */
struct sender *sender_new(struct output *o, const struct sender_config *c, struct err *e);

/* Start the thread. Returns 0 or -WEIR_E... with `e` filled. */
int sender_start(struct sender *s, struct err *e);

#define SENDER_FINISH_NS (30 * CLOCK_S) /* for all that is left when weir ends, */
#define SENDER_LEAST_NS  (3 * CLOCK_S)  /* but for one sender at least */

/*
 * When waiting is over of a sender that is told at `mono` to end, as they are one after the other.
 * `*finish` is when that of the first one is (mono ns; 0: this is the first).
 */
static inline uint64_t
sender_end(uint64_t *finish, uint64_t mono)
{
	uint64_t least = mono + SENDER_LEAST_NS;

	if (*finish == 0)
		*finish = mono + SENDER_FINISH_NS;
	return *finish > least ? *finish : least;
}

/*
 * Nobody is hurt if it waits from now on until `until` (mono ns; 0: until SENDER_FINISH_NS after
 * sender_stop). Any thread.
 */
void sender_be_patient(struct sender *s, uint64_t until);

/*
 * Send to `r`, which has not been started, in place of the receivers so far, and start it. A
 * target that it has adopted keeps its connection and its numbers; others are told templates
 * at once. When this returns, the receivers before are no longer looked at. Returns 0, or
 * -WEIR_E... with `e`, and nothing has changed. The main thread.
 */
int sender_renew(struct sender *s, struct receivers *r, struct err *e);

/* Send what is in the outboxes, end the thread, free. The workers have ended. */
void sender_stop(struct sender *s);

/* How many targets get each record. */
unsigned sender_copies(const struct receivers *r);

/* How many lanes the pools want (receivers that are chosen by hash); 0: too many. */
unsigned sender_lanes(const struct receivers *r);

#endif
