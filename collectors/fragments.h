/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fragments: the pieces of an IP datagram behind the first one have no transport header;
 * here they are given what the first one's said, by addresses and identification (RFC 791
 * s3.2, RFC 8200 s4.5). Nothing is put together and no packet waits: a piece that comes
 * before the first one, or whose first one never comes, is counted at once, without ports.
 * (pmacct holds its octets back until the first one comes, and loses them where it does
 * not.) Pieces that overlap or come twice are packets like others.
 *
 * Two tables take turns (turns.h): after FRAGMENTS_LIFE_S of packet time, or when the
 * current one is full. So memory is bounded, and a flood of first pieces pushes out the
 * oldest. One instance per worker.
 */
#ifndef WEIR_COLLECTORS_FRAGMENTS_H
#define WEIR_COLLECTORS_FRAGMENTS_H

#include <stdint.h>

#include "flow/flow.h"
#include "lib/err.h"
#include "proto/packet.h"

#define FRAGMENTS_LIFE_S \
	30U /* twice that at most: as long as hosts wait (RFC 8200 s4.5) */

struct fragments;

/* What became of pieces; only grows. */
struct fragments_count {
	uint64_t matched; /* later pieces that were given ports */
	uint64_t unmatched; /* later pieces whose first one is not known */
	uint64_t evicted; /* first pieces that were forgotten before their time */
};

/* Memory of about `octets`, at least for a few. NULL with `e` filled. */
struct fragments *fragments_new(uint64_t octets, struct err *e);
void fragments_free(struct fragments *fs);

/*
 * Take note of packet `f`, a piece by what `fragment` says, at f->stamp: keep what the
 * first one says, give it to later ones. Counts into `n`.
 */
void fragments_take(struct fragments *fs, const struct packet_fragment *fragment,
    struct flow *f, struct fragments_count *n);

#endif
