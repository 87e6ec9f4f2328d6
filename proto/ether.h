/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ether: from an EtherType to the network layer: VLAN tags, MPLS labels, PPPoE, LLC and
 * SNAP, and tags that carry nothing for us. Link layers (link.c) and tunnels end here.
 *
 * Each function takes its header off the front of an rbuf and returns the EtherType of
 * what follows, 0 where that has none; a header that was cut shows in rbuf_ok. What is
 * learnt on the way goes into the flow. However headers are stacked, each takes octets,
 * so the end of the frame bounds the work; none calls itself.
 *
 * No state; any thread.
 */
#ifndef WEIR_PROTO_ETHER_H
#define WEIR_PROTO_ETHER_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/flow.h"
#include "lib/rbuf.h"
#include "proto/packet.h"

enum {
	ETYPE_LEAST = 0x0600, /* what is below is the length of an 802.3 frame */
	ETYPE_IPV4 = 0x0800,
	ETYPE_BRIDGED = 0x6558, /* an Ethernet frame */
	ETYPE_VLAN = 0x8100, /* 802.1Q, customer tag */
	ETYPE_IPV6 = 0x86dd,
	ETYPE_MPLS = 0x8847,
	ETYPE_MPLS_MULTICAST = 0x8848,
	ETYPE_PPPOE_SESSION = 0x8864,
	ETYPE_MACSEC = 0x88e5,
	ETYPE_NSH = 0x894f,
	ETYPE_VLAN_SERVICE = 0x88a8, /* 802.1ad, service tag */
	ETYPE_VLAN_OLD = 0x9100, /* service tags before 802.1ad */
	ETYPE_VLAN_OLD2 = 0x9200,
	ETYPE_VLAN_OLD3 = 0x9300,
};

enum { ETHER_OCTETS = 14, ETHER_TAG_OCTETS = 4 };

static inline uint16_t
ether_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
ether_u32(const uint8_t *p)
{
	return (uint32_t)ether_u16(p) << 16 | ether_u16(p + 2);
}

static inline bool
ether_is_ip(uint16_t type)
{
	return type == ETYPE_IPV4 || type == ETYPE_IPV6;
}

/* The MAC addresses and the type, or length, of an Ethernet frame. */
static inline uint16_t
ether_header(struct rbuf *r, struct flow *f)
{
	const uint8_t *p = rbuf_get(r, ETHER_OCTETS);

	if (p == NULL)
		return 0;
	memcpy(f->dst_mac.b, p, sizeof(f->dst_mac.b));
	memcpy(f->src_mac.b, p + 6, sizeof(f->src_mac.b));
	return ether_u16(p + 12);
}

/* What the outer tag at `p` says; returns the type behind it. */
static inline uint16_t
ether_outer_tag(const uint8_t *p, struct flow *f)
{
	f->vlan = ether_u16(p) & 0xfff;
	f->cos = p[0] >> 5;
	return ether_u16(p + 2);
}

/*
 * What most frames with a tag are: if `type` is 802.1Q's and IP follows, take the tag and
 * return what it says. Else return `type`, for ether_payload.
 */
static inline uint16_t
ether_only_tag(struct rbuf *r, struct flow *f, uint16_t type)
{
	if (type != ETYPE_VLAN || rbuf_left(r) < ETHER_TAG_OCTETS ||
	    !ether_is_ip(ether_u16(r->p + 2)))
		return type;
	return ether_outer_tag(rbuf_get(r, ETHER_TAG_OCTETS), f);
}

/*
 * Step over what stands between EtherType `type`, behind which `r` is, and the network
 * layer: fills vlan and cos of the outer tag, in_cvlan of the second, and the labels of
 * the first MPLS stack.
 */
uint16_t ether_payload(
    struct rbuf *r, struct flow *f, const struct packet_wants *w, uint16_t type);

/* All of an Ethernet frame. */
uint16_t ether_frame(struct rbuf *r, struct flow *f, const struct packet_wants *w);

/* An LLC header (IEEE 802.2), with SNAP, and what follows. */
uint16_t ether_llc(struct rbuf *r, struct flow *f, const struct packet_wants *w);

/* SNAP alone. */
uint16_t ether_snap(struct rbuf *r, struct flow *f, const struct packet_wants *w);

/* A PPP protocol number of one or two octets (RFC 1661 s2), and what follows. */
uint16_t ether_ppp(struct rbuf *r, struct flow *f, const struct packet_wants *w);

/* An IP packet, whose version tells which: nothing is taken off. */
uint16_t ether_raw_ip(struct rbuf *r);

#endif
