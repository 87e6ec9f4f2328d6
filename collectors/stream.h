/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream: the octets of one exporter's connection, as they come, and the IPFIX messages in
 * them: a row, each as long as its header says (RFC 7011 s10.4.3). Whole messages go to an
 * intake like datagrams from the peer. What has come of one that is not whole yet waits
 * here, where the longest that there can be has room, and no more. The worker's thread.
 */
#ifndef WEIR_COLLECTORS_STREAM_H
#define WEIR_COLLECTORS_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "collectors/intake.h"
#include "lib/ip.h"

#define STREAM_OCTETS 65536U /* more than 16 bits of length can say */

struct stream {
	ip16_t from;
	uint16_t from_port;
	uint32_t used; /* octets of a message that is not whole yet */
	uint8_t octets[STREAM_OCTETS];
};

enum stream_state {
	STREAM_WAITS, /* for the rest of a message */
	STREAM_MOVES, /* at least one message was whole */
	STREAM_ENDS, /* not to be read any further: no header, or the peer may not send */
};

/* Where the next octets go; there is always room for `*room` of them, one at least. */
uint8_t *stream_room(struct stream *s, size_t *room);

/*
 * `n` octets have come there. Where a header cannot be meant, the next message's start is
 * unknown: what is left counts as one malformed datagram (RFC 7011 s9.1).
 */
enum stream_state stream_take(struct stream *s, struct intake *in, size_t n);

/* There is no more to come: what there is of a message counts as one malformed datagram. */
void stream_end(struct stream *s, struct intake *in);

#endif
