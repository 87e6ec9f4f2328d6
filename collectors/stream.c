/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/stream.h"

#include <string.h>

#include "lib/clock.h"
#include "lib/rbuf.h"
#include "proto/netflow.h"

#define IPFIX 10U /* version, RFC 7011 s3.1 */

uint8_t *
stream_room(struct stream *s, size_t *room)
{
	/* A message that fills it is whole, and gone. */
	*room = sizeof(s->octets) - s->used;
	return s->octets + s->used;
}

/* Octets of `s` as a datagram. */
static struct datagram
stream_datagram(
    const struct stream *s, const uint8_t *octets, size_t len, uint64_t arrival)
{
	return (struct datagram){
		.data = octets,
		.len = len,
		.from = s->from,
		.from_port = s->from_port,
		.arrival = arrival,
	};
}

/* Book `len` octets that are no message as one malformed datagram. */
static void
stream_malformed(const struct stream *s, struct intake *in, const uint8_t *octets,
    size_t len, enum stat_no fate)
{
	struct datagram d = stream_datagram(s, octets, len, clock_real());

	intake_book(in, &d, fate);
}

/* Whether a header may begin so: STAT_DATAGRAMS_DECODED, or how it is malformed. */
static enum stat_no
header_fate(uint16_t version, uint16_t len)
{
	if (version != IPFIX)
		return STAT_BAD_VERSION;
	return len < NETFLOW10_HEADER ? STAT_BAD_LENGTH : STAT_DATAGRAMS_DECODED;
}

/*
 * Take one message off `r`. STREAM_WAITS when there is none that is whole.
 */
static enum stream_state
stream_message(
    const struct stream *s, struct intake *in, struct rbuf *r, uint64_t arrival)
{
	struct rbuf peek = *r;
	uint16_t version = rbuf_u16(&peek), len = rbuf_u16(&peek);
	enum stat_no fate = header_fate(version, len);
	struct datagram d;

	if (!rbuf_ok(&peek))
		return STREAM_WAITS;
	if (fate != STAT_DATAGRAMS_DECODED) {
		stream_malformed(s, in, r->p, rbuf_left(r), fate);
		intake_log(in, &s->from,
		    "closed: version %u, length %u begin no message", version, len);
		return STREAM_ENDS;
	}
	if (rbuf_left(r) < len)
		return STREAM_WAITS;
	d = stream_datagram(s, rbuf_get(r, len), len, arrival);
	return intake_take(in, &d) ? STREAM_MOVES : STREAM_ENDS;
}

enum stream_state
stream_take(struct stream *s, struct intake *in, size_t n)
{
	struct rbuf r = rbuf_of(s->octets, s->used + n);
	uint64_t arrival = clock_real();
	enum stream_state state = STREAM_MOVES;

	while (state == STREAM_MOVES)
		state = stream_message(s, in, &r, arrival);
	intake_flush(in);
	if (state == STREAM_ENDS) {
		/* Booked, or, behind a refused message, as little read as what is on its way. */
		s->used = 0;
		return state;
	}
	s->used = (uint32_t)rbuf_left(&r);
	if (r.p == s->octets)
		return STREAM_WAITS;
	memmove(s->octets, r.p, s->used);
	return STREAM_MOVES;
}

void
stream_end(struct stream *s, struct intake *in)
{
	if (s->used == 0)
		return;
	stream_malformed(s, in, s->octets, s->used, STAT_BAD_SHORT);
	intake_log(in, &s->from, "connection ends %u octets into a message", s->used);
	s->used = 0;
}
