/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/sfencode.h"

#include "flow/field.h"
#include "proto/packet.h"
#include "proto/sflow_write.h"

#define FCS_OCTETS 4U /* at the end of Ethernet frames; nobody captures it */

uint32_t
sfencode_protocol(uint32_t linktype, const uint8_t *p, uint32_t len)
{
	/* https://www.tcpdump.org/linktypes.html; as in proto/sflow_record.c. */
	static const struct {
		uint16_t linktype;
		uint8_t protocol;
	} rows[] = {
		{ PACKET_LINK_ETHERNET, SFLOW_HEADER_ETHERNET },
		{ PACKET_LINK_IPV4, SFLOW_HEADER_IPV4 },
		{ PACKET_LINK_IPV6, SFLOW_HEADER_IPV6 },
		{ PACKET_LINK_MPLS, SFLOW_HEADER_MPLS },
		{ PACKET_LINK_PPP, SFLOW_HEADER_POS },
		{ 6, SFLOW_HEADER_TOKEN_RING },
		{ 9, SFLOW_HEADER_PPP },
		{ 10, SFLOW_HEADER_FDDI },
		{ 11, SFLOW_HEADER_AAL5 },
		{ 105, SFLOW_HEADER_80211 },
		{ 107, SFLOW_HEADER_FRAME_RELAY },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].linktype == linktype)
			return rows[i].protocol;
	if (linktype != PACKET_LINK_RAW && linktype != 12 && linktype != 14)
		return 0;
	/* IP without anything before it, of either version. */
	if (len > 0 && p[0] >> 4 == 4)
		return SFLOW_HEADER_IPV4;
	return len > 0 && p[0] >> 4 == 6 ? SFLOW_HEADER_IPV6 : 0;
}

/*
 * Octets of the frame as sFlow counts them: an Ethernet frame's with its FCS, which captured
 * ones come without, and sampled ones are told with.
 */
static uint32_t
frame_octets(const struct frame *frame, enum flow_source source)
{
	return frame->wirelen +
	    (frame->linktype == FRAME_ETHERNET && source == SOURCE_PACKETS ? FCS_OCTETS : 0);
}

static bool
frame_is_one(const struct frame *frame)
{
	return frame != NULL && frame->octets != NULL &&
	    sfencode_protocol(frame->linktype, frame->octets, frame->caplen) != 0;
}

/* Add samples of packets of `octets` that stand for `weight`. Returns false: too many. */
static bool
parts_add(struct sfencode_part *parts, unsigned *n, uint64_t octets, uint64_t weight)
{
	for (; weight > 0; (*n)++) {
		uint32_t rate = weight < UINT32_MAX ? (uint32_t)weight : UINT32_MAX;

		if (*n == SFENCODE_PARTS || octets > UINT32_MAX)
			return false;
		parts[*n] = (struct sfencode_part){ (uint32_t)octets, rate };
		weight -= rate;
	}
	return true;
}

unsigned
sfencode_divide(const struct flow *f, const struct frame *frame, enum flow_source source,
    struct sfencode_part *parts)
{
	uint64_t rate = f->sampling_rate != 0 ? f->sampling_rate : 1, weight, more;
	unsigned n = 0;

	if (f->packets == 0 || f->packets > UINT64_MAX / rate)
		return 0;
	weight = f->packets * rate;
	if (frame_is_one(frame))
		return parts_add(parts, &n, frame_octets(frame, source), weight) ? n : 0;
	more = f->bytes % f->packets * rate;
	if (!parts_add(parts, &n, f->bytes / f->packets, weight - more) ||
	    !parts_add(parts, &n, f->bytes / f->packets + 1, more))
		return 0;
	return n;
}

/* Which interface took the sample, and which the packet passed. */
static struct sflow_sample
sample_head(const struct sfencode_config *c, const struct flow *f, enum flow_source source)
{
	struct sflow_sample s = { .in = f->in_iface, .out = f->out_iface,
		.coded = source == SOURCE_SFLOW };

	if (s.in == 0 && s.out == 0)
		*(f->sampling_direction == DIRECTION_OUT ? &s.out : &s.in) = c->ifindex;
	s.source = f->sampling_direction == DIRECTION_OUT || s.in == 0 ? s.out : s.in;
	/* An agent's data source may be neither: a switch's own, where both are its ports. */
	if (s.coded && f->sampling_direction == DIRECTION_UNKNOWN && f->engine_id != 0)
		s.source = f->engine_id;
	/* What it came in by may be the device itself, or nothing that has a number. */
	if (s.coded && s.source >= SFLOW_INTERFACE_MAX)
		s.source = 0;
	return s;
}

static void
write_more(struct wbuf *w, struct sflow_open *o, const struct sfencode_config *c,
    const struct flow *f)
{
	sflow_write_switch(w, o, f);
	sflow_write_router(w, o, f);
	if (c->peer_as) {
		struct flow peers = { .src_as = f->peer_src_as, .dst_as = f->peer_dst_as,
			.peer_src_as = f->peer_src_as, .peer_dst_as = f->peer_dst_as,
			.peer_dst_ip = f->peer_dst_ip };

		sflow_write_gateway(w, o, &peers);
	} else {
		sflow_write_gateway(w, o, f);
	}
	sflow_write_user(w, o, f);
	sflow_write_nat(w, o, f);
}

static bool
sample_write(struct wbuf *w, const struct sfencode_config *c, const struct flow *f,
    const struct frame *frame, const struct sflow_sample *s, uint32_t octets, bool more)
{
	struct sflow_open o = sflow_sample_begin(w, s);

	if (frame_is_one(frame)) {
		uint32_t len = frame->caplen < c->header_octets ? frame->caplen
		                                                : c->header_octets;

		sflow_write_header(w, &o,
		    sfencode_protocol(frame->linktype, frame->octets, len),
		    octets, frame->linktype == FRAME_ETHERNET ? FCS_OCTETS : 0,
		    frame->octets, len);
	} else {
		sflow_write_packet(w, &o, f, octets);
	}
	if (more)
		write_more(w, &o, c, f);
	if (c->tags)
		sflow_write_tags(w, &o, f);
	if (c->class)
		sflow_write_class(w, &o, f);
	return sflow_sample_end(w, &o);
}

bool
sfencode_write(struct wbuf *w, const struct sfencode_config *c, const struct flow *f,
    const struct frame *frame, enum flow_source source, const struct sfencode_part *part,
    uint32_t pool, uint32_t drops)
{
	struct sflow_sample s = sample_head(c, f, source);

	s.rate = part->rate;
	s.pool = pool;
	s.drops = drops;
	return sample_write(w, c, f, frame, &s, part->octets, true) ||
	    sample_write(w, c, f, frame, &s, part->octets, false);
}
