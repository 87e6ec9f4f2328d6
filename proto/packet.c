/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: every function takes its header off the front of an rbuf with one bounds check and
 * hands the rest on: link.c and ether.c up to the network layer, this file from there.
 *
 * RFC 791 (IPv4), RFC 8200 (IPv6), RFC 2675 (jumbograms), RFC 4302 (AH), RFC 6275
 * (mobility).
 */
#include "proto/packet.h"

#include <stdbool.h>

#include "proto/ether.h"
#include "proto/link.h"
#include "proto/tunnel.h"
#include "proto/value.h"

enum {
	PROTO_HOPOPTS = 0,
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_DCCP = 33,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_AH = 51,
	PROTO_ICMPV6 = 58,
	PROTO_NONE = 59,
	PROTO_DSTOPTS = 60,
	PROTO_SCTP = 132,
	PROTO_MOBILITY = 135,
	PROTO_UDPLITE = 136,
	PROTO_HIP = 139,
	PROTO_SHIM6 = 140,
};

enum {
	IPV4_OCTETS = 20,
	IPV6_OCTETS = 40,
	IPV6_NEXT = 6, /* where the next header's number is */
	EXTENSION_OCTETS = 8, /* the least that an extension header has */
	UDP_OCTETS = 8,
	TCP_OCTETS = 20,
	TCP_OFFSET = 12, /* of the data, in words, in the high bits */
	TCP_FLAGS = 13, /* where they are */
};

enum { IPV4_MORE = 0x2000, IPV4_OFFSET = 0x1fff, IPV6_MORE = 1, IPV6_OFFSET = 0xfff8 };

#define ROUTING_SEGMENTS 4 /* type of the segment routing header, RFC 8754 s2 */

static const struct packet_wants packet_wants_none;

/* On the way of nearly every packet: packet_dissect_more. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

static inline size_t
min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static inline bool
proto_has_ports(uint8_t proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP ||
	       proto == PROTO_DCCP || proto == PROTO_UDPLITE;
}

/* Ports, the flags of TCP, what ICMP says, from the header at the front of `r`. */
static inline void
packet_transport(struct rbuf r, struct flow *f)
{
	if (proto_has_ports(f->proto)) {
		if (rbuf_left(&r) < 4)
			return;
		f->src_port = ether_u16(r.p);
		f->dst_port = ether_u16(r.p + 2);
		if (f->proto == PROTO_TCP && rbuf_left(&r) > TCP_FLAGS)
			f->tcp_flags = r.p[TCP_FLAGS];
	} else if (f->proto == PROTO_ICMP || f->proto == PROTO_ICMPV6) {
		if (rbuf_left(&r) < 2)
			return;
		f->icmp_type = r.p[0];
		f->icmp_code = r.p[1];
	}
}

/* How a frame was captured: of `wire` octets the first `kept`. */
struct packet_cut {
	size_t kept, wire;
};

/* What a packet is long that does not say so: what is left in `r`, and what was cut. */
static inline size_t
packet_rest(const struct rbuf *r, struct packet_cut cut)
{
	return rbuf_left(r) + (cut.wire > cut.kept ? cut.wire - cut.kept : 0);
}

ALWAYS_INLINE enum packet_result
packet_ipv4(struct rbuf *r, struct packet_cut cut, const struct packet_wants *w,
    struct flow *f, struct packet_fragment *fragment, struct rbuf *l4)
{
	const uint8_t *p;
	size_t header, total;
	uint16_t offset;

	if (rbuf_left(r) < IPV4_OCTETS)
		return PACKET_MALFORMED;
	p = rbuf_get(r, IPV4_OCTETS);
	if (p[0] >> 4 != 4)
		return PACKET_MALFORMED;
	header = (p[0] & 0xfU) * 4;
	total = ether_u16(p + 2);
	if (total == 0) /* segmentation was left to the network card */
		total = IPV4_OCTETS + packet_rest(r, cut);
	if (header < IPV4_OCTETS || total < header)
		return PACKET_MALFORMED;
	f->src_host = ip_from_v4(p + 12);
	f->dst_host = ip_from_v4(p + 16);
	f->tos = p[1];
	f->proto = p[9];
	f->packets = 1;
	f->bytes = total;
	if (w->hops)
		f->ttl = p[8];
	offset = ether_u16(p + 6) & (IPV4_MORE | IPV4_OFFSET);
	if (offset != 0) {
		fragment->kind = offset & IPV4_OFFSET ? PACKET_FRAGMENT_LATER
						      : PACKET_FRAGMENT_FIRST;
		fragment->id = ether_u16(p + 4);
		if (fragment->kind == PACKET_FRAGMENT_LATER)
			return PACKET_OK;
	}
	rbuf_skip(r, header - IPV4_OCTETS);
	/* What follows the packet pads the frame. */
	*l4 = rbuf_take(r, min_size(rbuf_left(r), total - header));
	packet_transport(*l4, f);
	return PACKET_OK;
}

static inline bool
proto_is_extension(uint8_t proto)
{
	switch (proto) {
	case PROTO_HOPOPTS:
	case PROTO_ROUTING:
	case PROTO_FRAGMENT:
	case PROTO_AH:
	case PROTO_DSTOPTS:
	case PROTO_MOBILITY:
	case PROTO_HIP:
	case PROTO_SHIM6:
		return true;
	}
	return false;
}

/* The segments of a routing header that is `octets` long; its first eight are at `p`. */
static void
packet_segments(struct rbuf r, const uint8_t *p, size_t octets, struct flow *f)
{
	size_t listed = (p[4] + 1U) * sizeof(ip16_t); /* the last entry's number */

	if (p[2] != ROUTING_SEGMENTS)
		return;
	listed = min_size(listed, octets - EXTENSION_OCTETS);
	f->srv6_seg_ipv6_list =
	    value_segments(rbuf_take(&r, min_size(listed, rbuf_left(&r))));
}

/*
 * Step over the extension headers from f->proto on, which becomes what follows them, or
 * the last of which anything is known. Returns what is left from the transport header on;
 * nothing where that is not in the packet.
 */
static struct rbuf
packet_extensions(struct rbuf r, const struct packet_wants *w, struct flow *f,
    struct packet_fragment *fragment)
{
	while (proto_is_extension(f->proto)) {
		const uint8_t *p = rbuf_get(&r, EXTENSION_OCTETS);
		size_t octets;

		if (p == NULL)
			break;
		octets = EXTENSION_OCTETS * (p[1] + 1U);
		switch (f->proto) {
		case PROTO_AH:
			octets = 4 * (p[1] + 2U);
			break;
		case PROTO_ROUTING:
			if (w->segments)
				packet_segments(r, p, octets, f);
			break;
		case PROTO_FRAGMENT:
			octets = EXTENSION_OCTETS;
			fragment->id = ether_u32(p + 4);
			if (ether_u16(p + 2) & IPV6_OFFSET)
				fragment->kind = PACKET_FRAGMENT_LATER;
			else if (ether_u16(p + 2) & IPV6_MORE)
				fragment->kind = PACKET_FRAGMENT_FIRST;
			break;
		}
		f->proto = p[0];
		if (fragment->kind == PACKET_FRAGMENT_LATER)
			return rbuf_of(r.end, 0);
		rbuf_skip(&r, octets - EXTENSION_OCTETS);
	}
	return r;
}

/*
 * Whether a payload length of 0 says that it does not fit or is left to the network card:
 * in a jumbogram, whose length is an option (RFC 2675), and in segments. Elsewhere there is
 * no payload, whatever pads the frame.
 */
static inline bool
proto_may_be_long(uint8_t next)
{
	return next == PROTO_HOPOPTS || next == PROTO_TCP || next == PROTO_UDP;
}

/* The IPv6 header; `l4` is then behind it. */
ALWAYS_INLINE enum packet_result
packet_ipv6_header(struct rbuf *r, struct packet_cut cut, const struct packet_wants *w,
    struct flow *f, struct rbuf *l4)
{
	const uint8_t *p;
	size_t payload;

	if (rbuf_left(r) < IPV6_OCTETS)
		return PACKET_MALFORMED;
	p = rbuf_get(r, IPV6_OCTETS);
	if (p[0] >> 4 != 6)
		return PACKET_MALFORMED;
	payload = ether_u16(p + 4);
	if (payload == 0 && proto_may_be_long(p[IPV6_NEXT]))
		payload = packet_rest(r, cut);
	f->src_host = ip_from_v6(p + 8);
	f->dst_host = ip_from_v6(p + 24);
	f->tos = (uint8_t)(p[0] << 4 | p[1] >> 4);
	f->proto = p[IPV6_NEXT];
	f->packets = 1;
	f->bytes = IPV6_OCTETS + payload;
	if (w->hops) {
		f->ttl = p[7];
		f->flow_label = ether_u32(p) & 0xfffff;
	}
	*l4 = rbuf_take(r, min_size(rbuf_left(r), payload));
	return PACKET_OK;
}

ALWAYS_INLINE enum packet_result
packet_ipv6(struct rbuf *r, struct packet_cut cut, const struct packet_wants *w,
    struct flow *f, struct packet_fragment *fragment, struct rbuf *l4)
{
	enum packet_result result = packet_ipv6_header(r, cut, w, f, l4);

	if (result != PACKET_OK)
		return result;
	*l4 = packet_extensions(*l4, w, f, fragment);
	packet_transport(*l4, f);
	return PACKET_OK;
}

/* Step up to the network layer; returns its EtherType. No address of `*r` leaves. */
ALWAYS_INLINE uint16_t
packet_network(const struct packet_link *link, struct rbuf *r, struct flow *f,
    const struct packet_wants *w)
{
	struct rbuf other = *r;
	uint16_t type;

	rbuf_skip(&other, link->skip);
	if (link->strip == ether_frame)
		type = ether_payload(&other, f, w, ether_header(&other, f));
	else
		type = link->strip(&other, f, w);
	*r = other;
	return type;
}

/*
 * All layers to the transport header, whatever they are. `l4` is then there, empty where
 * that is not in the frame, and `ip` where the IP header begins.
 */
ALWAYS_INLINE enum packet_result
packet_layers(const struct packet_link *link, const uint8_t *frame, size_t caplen,
    size_t wirelen, const struct packet_wants *w, struct flow *f,
    struct packet_fragment *fragment, const uint8_t **ip, struct rbuf *l4)
{
	struct packet_cut cut = { caplen, wirelen };
	struct rbuf r = rbuf_of(frame, caplen);

	*l4 = rbuf_of(frame, 0);
	fragment->kind = PACKET_FRAGMENT_NONE;
	f->etype = packet_network(link, &r, f, w);
	*ip = r.p;
	switch (f->etype) {
	case ETYPE_IPV4:
		return packet_ipv4(&r, cut, w, f, fragment, l4);
	case ETYPE_IPV6:
		return packet_ipv6(&r, cut, w, f, fragment, l4);
	}
	return rbuf_ok(&r) ? PACKET_NOT_IP : PACKET_MALFORMED;
}

/* An IP packet within another; cut and padded as that is. Returns whether it is one. */
static bool
packet_inner(uint16_t type, struct rbuf r, struct packet_cut cut,
    const struct packet_wants *w, struct flow *in, struct packet_fragment *fragment,
    struct rbuf *l4)
{
	*l4 = rbuf_of(r.end, 0);
	fragment->kind = PACKET_FRAGMENT_NONE;
	in->etype = type;
	switch (type) {
	case ETYPE_IPV4:
		return packet_ipv4(&r, cut, w, in, fragment, l4) == PACKET_OK;
	case ETYPE_IPV6:
		return packet_ipv6(&r, cut, w, in, fragment, l4) == PACKET_OK;
	}
	return false;
}

/* Make `f`, a frame, carry packet `in`. */
static void
packet_replace(struct flow *f, const struct flow *in)
{
	f->etype = in->etype;
	f->src_host = in->src_host;
	f->dst_host = in->dst_host;
	f->src_port = in->src_port;
	f->dst_port = in->dst_port;
	f->proto = in->proto;
	f->tos = in->tos;
	f->tcp_flags = in->tcp_flags;
	f->bytes = in->bytes;
	f->ttl = in->ttl;
	f->flow_label = in->flow_label;
	f->icmp_type = in->icmp_type;
	f->icmp_code = in->icmp_code;
	f->srv6_seg_ipv6_list = in->srv6_seg_ipv6_list;
	f->vxlan = in->vxlan;
}

/* Go into one tunnel of the layers, if the packet whose rest is `*l4` is in any. */
static bool
packet_enter(struct packet_cut cut, const struct packet_wants *w, struct flow *f,
    struct packet_fragment *fragment, const uint8_t **ip, struct rbuf *l4)
{
	for (unsigned i = 0; i < w->n_layers; i++) {
		struct rbuf r = *l4, inner;
		struct packet_fragment piece;
		struct flow in;
		uint16_t type;

		flow_clear(&in);
		type = tunnel_strip_layer(&w->layers[i], f, &r, &in, w);
		if (!packet_inner(type, r, cut, w, &in, &piece, &inner))
			continue;
		packet_replace(f, &in);
		*fragment = piece;
		*ip = r.p;
		*l4 = inner;
		return true;
	}
	return false;
}

/* Fill the primitives of what is in the next tunnel. */
static void
packet_tunnel(
    struct rbuf r, struct packet_cut cut, const struct packet_wants *w, struct flow *f)
{
	struct packet_fragment piece;
	struct rbuf inner;
	struct flow in;
	uint16_t type;

	flow_clear(&in);
	type = tunnel_strip(f, &r, &in, w);
	f->vxlan = in.vxlan != 0 ? in.vxlan : f->vxlan; /* that of a layer */
	f->nvgre = in.nvgre;
	f->tunnel_src_mac = in.src_mac;
	f->tunnel_dst_mac = in.dst_mac;
	if (!packet_inner(type, r, cut, w, &in, &piece, &inner))
		return;
	f->tunnel_src_host = in.src_host;
	f->tunnel_dst_host = in.dst_host;
	f->tunnel_src_port = in.src_port;
	f->tunnel_dst_port = in.dst_port;
	f->tunnel_proto = in.proto;
	f->tunnel_tos = in.tos;
	f->tunnel_tcp_flags = in.tcp_flags;
	f->tunnel_flow_label = in.flow_label;
}

/* All of it, and into tunnels where that is asked for. `ip` and `l4` are the innermost. */
static enum packet_result
packet_whole(const struct packet_link *link, const uint8_t *frame, size_t caplen,
    size_t wirelen, const struct packet_wants *w, struct flow *f,
    struct packet_fragment *fragment, const uint8_t **ip, struct rbuf *l4)
{
	struct packet_cut cut = { caplen, wirelen };
	enum packet_result result;

	result = packet_layers(link, frame, caplen, wirelen, w, f, fragment, ip, l4);
	if (result != PACKET_OK || !w->within)
		return result;
	for (unsigned depth = 0; depth < PACKET_LAYERS; depth++)
		if (!packet_enter(cut, w, f, fragment, ip, l4))
			break;
	if (w->tunnels)
		packet_tunnel(*l4, cut, w, f);
	return PACKET_OK;
}

static enum packet_result
packet_any(const struct packet_link *link, const uint8_t *frame, size_t caplen,
    size_t wirelen, const struct packet_wants *w, struct flow *f,
    struct packet_fragment *fragment)
{
	const uint8_t *ip;
	struct rbuf l4;

	return packet_whole(link, frame, caplen, wirelen, w, f, fragment, &ip, &l4);
}

/* What stands behind the transport header; empty where there is none, or it is cut or wrong. */
static struct rbuf
packet_payload(uint8_t proto, struct rbuf l4)
{
	const uint8_t *p = l4.p;
	size_t octets = 0, least = proto == PROTO_TCP ? TCP_OCTETS : UDP_OCTETS;

	if (proto == PROTO_TCP && rbuf_left(&l4) >= TCP_OCTETS)
		octets = (size_t)(p[TCP_OFFSET] >> 4) * 4;
	else if (proto == PROTO_UDP)
		octets = UDP_OCTETS;
	if (octets < least || rbuf_left(&l4) < octets)
		return rbuf_of(l4.end, 0);
	rbuf_skip(&l4, octets);
	return l4;
}

bool
packet_content(const struct packet_link *link, const struct frame *frame,
    const struct packet_wants *w, struct packet_content *c)
{
	struct packet_fragment fragment;
	struct flow f;
	struct rbuf l4;

	flow_clear(&f);
	if (packet_whole(link, frame->octets, frame->caplen, frame->wirelen, w, &f, &fragment,
		&c->ip, &l4) != PACKET_OK ||
	    fragment.kind == PACKET_FRAGMENT_LATER)
		return false;
	/* What pads the frame is not of the packet, and its length may be less than it says. */
	c->ip_octets = (size_t)(l4.end - c->ip);
	c->proto = f.proto;
	c->payload = packet_payload(f.proto, l4);
	return true;
}

void
packet_wants_init(struct packet_wants *w, const struct field_set *needs)
{
	static const enum field_no inner[] = { F_TUNNEL_SRC_MAC, F_TUNNEL_DST_MAC,
		F_TUNNEL_SRC_HOST, F_TUNNEL_DST_HOST, F_TUNNEL_PROTO, F_TUNNEL_TOS,
		F_TUNNEL_FLOW_LABEL, F_TUNNEL_SRC_PORT, F_TUNNEL_DST_PORT,
		F_TUNNEL_TCPFLAGS, F_VXLAN, F_NVGRE };

	*w = packet_wants_none;
	w->hops = field_set_has(needs, F_TTL) || field_set_has(needs, F_FLOW_LABEL) ||
		  field_set_has(needs, F_TUNNEL_FLOW_LABEL);
	w->labels = field_set_has(needs, F_MPLS_LABEL_STACK);
	w->segments = field_set_has(needs, F_SRV6_SEG_IPV6_LIST);
	for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++)
		w->tunnels |= field_set_has(needs, inner[i]);
	w->within = w->tunnels;
}

enum packet_result
packet_dissect(const struct packet_link *link, const uint8_t *frame, size_t caplen,
    size_t wirelen, struct flow *f)
{
	struct packet_fragment fragment;

	return packet_dissect_more(
	    link, frame, caplen, wirelen, &packet_wants_none, f, &fragment);
}

/*
 * Nearly every packet is IPv4, or IPv6 without extension headers, over Ethernet with a tag
 * or none. The way of these has no call, so that all it needs stays in registers; what
 * turns out to be something else begins anew in packet_any.
 */
enum packet_result
packet_dissect_more(const struct packet_link *link, const uint8_t *frame, size_t caplen,
    size_t wirelen, const struct packet_wants *w, struct flow *f,
    struct packet_fragment *fragment)
{
	struct packet_cut cut = { caplen, wirelen };
	struct rbuf r = rbuf_of(frame, caplen), l4;
	uint16_t type;

	if (w->within || link->strip != ether_frame || link->skip != 0)
		return packet_any(link, frame, caplen, wirelen, w, f, fragment);
	fragment->kind = PACKET_FRAGMENT_NONE;
	type = ether_only_tag(&r, f, ether_header(&r, f));
	f->etype = type;
	if (type == ETYPE_IPV4)
		return packet_ipv4(&r, cut, w, f, fragment, &l4);
	if (type == ETYPE_IPV6 && rbuf_left(&r) >= IPV6_OCTETS &&
	    !proto_is_extension(r.p[IPV6_NEXT])) {
		if (packet_ipv6_header(&r, cut, w, f, &l4) != PACKET_OK)
			return PACKET_MALFORMED;
		packet_transport(l4, f);
		return PACKET_OK;
	}
	return packet_any(link, frame, caplen, wirelen, w, f, fragment);
}

enum packet_result
packet_datagram(const struct packet_link *link, const uint8_t *frame, size_t caplen,
    size_t wirelen, struct flow *f, struct rbuf *payload)
{
	struct packet_fragment fragment;
	enum packet_result result;
	struct rbuf l4;
	const uint8_t *p;
	size_t octets;

	result = packet_layers(
	    link, frame, caplen, wirelen, &packet_wants_none, f, &fragment, &p, &l4);
	if (result != PACKET_OK)
		return result;
	if (f->proto != PROTO_UDP || (p = rbuf_get(&l4, UDP_OCTETS)) == NULL)
		return PACKET_NOT_UDP;
	octets = ether_u16(p + 4);
	if (octets == 0) /* longer than the field can say: RFC 2675 s4 */
		octets = UDP_OCTETS + rbuf_left(&l4);
	if (octets < UDP_OCTETS)
		return PACKET_MALFORMED;
	*payload = rbuf_take(&l4, min_size(rbuf_left(&l4), octets - UDP_OCTETS));
	return PACKET_OK;
}
