/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sfencode: a flow becomes samples of sFlow version 5. A packet with its frame is one sample
 * of its first octets. A flow without frame is one or two samples of decoded addresses: of
 * N packets and B octets, one packet in as many as B/N octets stand for, and one with an
 * octet more for the rest, so that what a collector adds up, with the rates that the samples
 * tell, is N and B to the unit. No state; any thread.
 */
#ifndef WEIR_EXPORT_SFENCODE_H
#define WEIR_EXPORT_SFENCODE_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/flow.h"
#include "flow/frame.h"
#include "lib/wbuf.h"
#include "rules/batch.h"

#define SFENCODE_PARTS 16U /* samples that a flow becomes, at most */

struct sfencode_config {
	uint32_t header_octets; /* of frames */
	uint32_t ifindex;       /* of flows that know no interface; 0: none */
	bool tags, class;       /* send them */
	bool peer_as;           /* neighbouring AS in place of those where it begins and ends */
};

/* A sample to be. */
struct sfencode_part {
	uint32_t octets;        /* of the packet that stands for all */
	uint32_t rate;          /* how many it stands for */
};

/*
 * Divide `f`, whose packets are sampled by `rate`, into samples: parts[SFENCODE_PARTS].
 * Returns how many; 0 when it has no packets, or too many for that.
 */
unsigned sfencode_divide(const struct flow *f, const struct frame *frame,
    enum flow_source source, struct sfencode_part *parts);

/*
 * Write a sample of `f`. `frame` may be NULL, or of a link layer that sFlow has no number
 * for. `pool` and `drops` are what it adds to those of its data source. Where it does not fit
 * with all that is known, it is written with the packet alone. Returns whether it fits.
 */
bool sfencode_write(struct wbuf *w, const struct sfencode_config *c, const struct flow *f,
    const struct frame *frame, enum flow_source source, const struct sfencode_part *part,
    uint32_t pool, uint32_t drops);

/* The sFlow number of link layer `linktype`, whose frame begins at `p`; 0: there is none. */
uint32_t sfencode_protocol(uint32_t linktype, const uint8_t *p, uint32_t len);

#endif
