/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer: a target as a sender (sender.h) sees it: the numbers of what was sent there, what it was
 * told of templates and options and when, whether it answers. The sender's thread.
 */
#ifndef WEIR_EXPORT_PEER_H
#define WEIR_EXPORT_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/output.h"
#include "export/outbox.h"
#include "export/sender.h"
#include "export/stream.h"
#include "export/target.h"
#include "lib/err.h"

#define PEER_BATCH 64U /* datagrams at once */

struct peer {
	struct target *target;       /* borrowed */
	struct stream *stream;       /* NULL: UDP; owned */
	uint32_t sequence;
	uint32_t since;              /* datagrams since templates were told */
	uint64_t told;               /* when; mono ns, 0: never, or never all of it */
	unsigned named;              /* applications that were named since */
	uint64_t refusals, too_long; /* of the target, when they were looked at last */
	uint64_t refused;            /* when it refused last; mono ns, 0: it is there again */
	uint64_t tried;              /* when it was tried since; mono ns, 0: not yet */
	bool stale;                  /* what was told may be lost */
	bool addressed;              /* it had an address when it was looked at last, */
	unsigned moves;              /* and had had so many others */
	int32_t before;              /* sender_renew's: which it was among those before; -1: none */
};

/* By TCP where `stream`. Returns 0, or -WEIR_ENOMEM with `e`. peer_fini in any case. */
int peer_init(struct peer *p, struct target *t, const struct target_options *o, bool stream,
    struct err *e);
void peer_fini(struct peer *p);

/* `p` is what `before`, which has the same target, was; its connection is `p`'s now. */
void peer_become(struct peer *p, struct peer *before);

/*
 * Send it those of `batch` (of PEER_BATCH) that are in `mask`, which is not 0, as `c` says, and
 * before them templates and options where they are due. Adds to `r` what became of records;
 * of TCP only peer_turn knows that.
 */
void peer_give(struct peer *p, const struct sender_config *c, struct parcel *const *batch,
    uint64_t mask, uint64_t mono, struct output_result *r);

/* Whether a datagram was too long for the way there since this was asked last. */
bool peer_was_too_long(struct peer *p);

/* By TCP: connect, send what is left over, and add to `r` what became of records. */
void peer_turn(struct peer *p, struct output_result *r);

/* The same, but close it: what is left over is not sent. */
void peer_close(struct peer *p, struct output_result *r);

/*
 * As peer_give, to the first of `n` that is up; where none is, to the first of all. Those before
 * it, or all others, are tried now and then: they get what `c` tells, or where that is nothing a
 * copy of one datagram, which is in no books. Who has not refused that for a second is up.
 */
void peers_failover(struct peer *peers, unsigned n, const struct sender_config *c,
    struct parcel *const *batch, uint64_t mask, uint64_t mono, struct output_result *r);

#endif
