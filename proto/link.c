/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: one function per header, one row per number. Layouts:
 * https://www.tcpdump.org/linktypes.html. Numbers below 64 differ between systems and
 * between live captures and files; where nobody uses them for something else both are here.
 */
#include "proto/link.h"

#include <stdbool.h>
#include <string.h>

#include "proto/ether.h"
#include "proto/wlan.h"

enum {
	SLL_OCTETS = 16,
	SLL2_OCTETS = 20,
	ERF_OCTETS = 16,
	LINK_PPI = 192,
	LINK_PKTAP = 258,
};

static uint32_t
little_u32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint16_t
link_none(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	(void)r;
	(void)f;
	(void)w;
	return 0;
}

/* The EtherType of what sockets of `family` carry; 0: not IP. */
static uint16_t
family_type(uint32_t family)
{
	switch (family) {
	case 2: /* AF_INET is the same everywhere */
		return ETYPE_IPV4;
	case 10: /* AF_INET6 of Linux, */
	case 24: /* NetBSD and OpenBSD, */
	case 28: /* FreeBSD, */
	case 30: /* Darwin */
		return ETYPE_IPV6;
	}
	return 0;
}

/* Four octets of address family, in the order of whoever captured (NULL) or network order. */
static uint16_t
link_null(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	uint32_t family = rbuf_u32(r);

	(void)f;
	(void)w;
	if (family > 0xffff)
		family = family >> 24 | (family >> 8 & 0xff00);
	return family_type(family);
}

/* OpenBSD's encapsulating interface: the family, then the security parameters. */
static uint16_t
link_enc(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	uint16_t type = link_null(r, f, w);

	rbuf_skip(r, 8);
	return type;
}

/* The log of OpenBSD's packet filter: its length, padded to words, and the family. */
static uint16_t
link_pflog(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	struct rbuf peek = *r;
	const uint8_t *p = rbuf_get(&peek, 2);

	(void)f;
	(void)w;
	rbuf_skip(r, p != NULL ? (p[0] + 3U) & ~3U : 2);
	return p != NULL ? family_type(p[1]) : 0;
}

/* No link header: the version of IP tells. */
static uint16_t
link_raw(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	(void)f;
	(void)w;
	return ether_raw_ip(r);
}

static uint16_t
link_ipv4(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	(void)r;
	(void)f;
	(void)w;
	return ETYPE_IPV4;
}

static uint16_t
link_ipv6(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	(void)r;
	(void)f;
	(void)w;
	return ETYPE_IPV6;
}

static uint16_t
link_mpls(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	return ether_payload(r, f, w, ETYPE_MPLS);
}

/* What Linux calls a protocol: an EtherType, or a number of its own. */
static uint16_t
linux_protocol(
    struct rbuf *r, struct flow *f, const struct packet_wants *w, uint16_t type)
{
	if (type == 4) /* an 802.3 frame */
		return ether_llc(r, f, w);
	return type >= ETYPE_LEAST ? ether_payload(r, f, w, type) : 0;
}

/* Linux "cooked" captures (the "any" device): only the sender's address is kept. */
static uint16_t
link_sll(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	const uint8_t *p = rbuf_get(r, SLL_OCTETS);

	if (p == NULL)
		return 0;
	if (ether_u16(p + 4) == sizeof(f->src_mac.b))
		memcpy(f->src_mac.b, p + 6, sizeof(f->src_mac.b));
	return linux_protocol(r, f, w, ether_u16(p + 14));
}

static uint16_t
link_sll2(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	const uint8_t *p = rbuf_get(r, SLL2_OCTETS);

	if (p == NULL)
		return 0;
	if (p[11] == sizeof(f->src_mac.b))
		memcpy(f->src_mac.b, p + 12, sizeof(f->src_mac.b));
	return linux_protocol(r, f, w, ether_u16(p));
}

static uint16_t
link_ethertype(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	return ether_payload(r, f, w, rbuf_u16(r));
}

/* Cisco HDLC: address, control, EtherType. */
static uint16_t
link_chdlc(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	rbuf_skip(r, 2);
	return link_ethertype(r, f, w);
}

/* PPP, with or without address and control (RFC 1662 s3.1). */
static uint16_t
link_ppp(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	struct rbuf peek = *r;

	if (rbuf_u16(&peek) == 0xff03)
		rbuf_skip(r, 2);
	return ether_ppp(r, f, w);
}

/* PPP behind address and control, or Cisco HDLC: the first octet tells. */
static uint16_t
link_ppp_serial(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	struct rbuf peek = *r;
	uint8_t address = rbuf_u8(&peek);

	if (address == 0x0f || address == 0x8f)
		return link_chdlc(r, f, w);
	return link_ppp(r, f, w);
}

static uint16_t
link_pppoe(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	return ether_payload(r, f, w, ETYPE_PPPOE_SESSION);
}

/* Frame relay: RFC 2427, or Cisco's with an EtherType behind the address. */
static uint16_t
link_frame_relay(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	struct rbuf peek;
	unsigned octets = 0;

	while ((rbuf_u8(r) & 1) == 0 && rbuf_ok(r)) /* the last octet of the address */
		if (++octets == 4)
			return 0;
	peek = *r;
	if (rbuf_u8(&peek) != 0x03)
		return ether_payload(r, f, w, rbuf_u16(r));
	*r = peek;
	if (rbuf_u8(&peek) == 0)
		rbuf_skip(r, 1);
	switch (rbuf_u8(r)) { /* network layer protocol identifier */
	case 0xcc:
		return ETYPE_IPV4;
	case 0x8e:
		return ETYPE_IPV6;
	case 0x80:
		return ether_snap(r, f, w);
	}
	return 0;
}

/* FDDI: only asynchronous frames of LLC have something to say. */
static uint16_t
link_fddi(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	const uint8_t *p = rbuf_get(r, 13);

	if (p == NULL)
		return 0;
	memcpy(f->dst_mac.b, p + 1, sizeof(f->dst_mac.b));
	memcpy(f->src_mac.b, p + 7, sizeof(f->src_mac.b));
	return (p[0] & 0xf0) == 0x50 ? ether_llc(r, f, w) : 0;
}

/* Token Ring (802.5): the first bit of the source says that routing information follows. */
static uint16_t
link_token_ring(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	const uint8_t *p = rbuf_get(r, 14);
	struct rbuf peek;

	if (p == NULL)
		return 0;
	memcpy(f->dst_mac.b, p + 2, sizeof(f->dst_mac.b));
	memcpy(f->src_mac.b, p + 8, sizeof(f->src_mac.b));
	if (f->src_mac.b[0] & 0x80) {
		f->src_mac.b[0] &= 0x7f;
		peek = *r;
		rbuf_skip(r, rbuf_u8(&peek) & 0x1f);
	}
	return (p[1] & 0xc0) == 0x40 ? ether_llc(r, f, w) : 0;
}

static uint16_t
link_llc(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	return ether_llc(r, f, w);
}

/* IP over Fibre Channel (RFC 2625): addresses of eight octets, of which six are a MAC's. */
static uint16_t
link_fibre_channel(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	const uint8_t *p = rbuf_get(r, 16);

	if (p == NULL)
		return 0;
	memcpy(f->dst_mac.b, p + 2, sizeof(f->dst_mac.b));
	memcpy(f->src_mac.b, p + 10, sizeof(f->src_mac.b));
	return ether_llc(r, f, w);
}

/* What Linux's netfilter logged: attributes, of which one is the packet. */
static uint16_t
link_nflog(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	enum { PAYLOAD = 9 };
	uint8_t family = rbuf_u8(r);

	(void)f;
	(void)w;
	rbuf_skip(r, 3);
	for (;;) {
		const uint8_t *p = rbuf_get(r, 4);
		unsigned octets, type;

		if (p == NULL)
			return 0;
		/* In the order of whoever captured; no type is 0 or above 255. */
		octets = p[2] != 0 ? p[0] | (unsigned)p[1] << 8 : ether_u16(p);
		type = p[2] | p[3];
		if (octets < 4) {
			r->bad = true;
			return 0;
		}
		if (type == PAYLOAD)
			return family_type(family);
		rbuf_skip(r, (octets - 4 + 3) & ~3U);
	}
}

/* Endace's records: a header, extensions of it, and the frame of some kind. */
static uint16_t
link_erf(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	const uint8_t *p = rbuf_get(r, ERF_OCTETS);
	uint8_t type, more;

	if (p == NULL)
		return 0;
	type = p[8] & 0x7f;
	for (more = p[8]; more & 0x80; more = p[0])
		if ((p = rbuf_get(r, 8)) == NULL)
			return 0;
	switch (type) {
	case 1: /* TYPE_HDLC_POS */
	case 10: /* TYPE_COLOR_HDLC_POS */
	case 15: /* TYPE_DSM_COLOR_HDLC_POS */
	case 19: /* TYPE_COLOR_HASH_POS */
		return link_ppp_serial(r, f, w);
	case 2: /* TYPE_ETH */
	case 11: /* TYPE_COLOR_ETH */
	case 16: /* TYPE_DSM_COLOR_ETH */
	case 20: /* TYPE_COLOR_HASH_ETH */
		rbuf_skip(r, 2);
		return ether_frame(r, f, w);
	case 22: /* TYPE_IPV4 */
		return ETYPE_IPV4;
	case 23: /* TYPE_IPV6 */
		return ETYPE_IPV6;
	}
	return 0;
}

/* A frame of link layer `type`; containers are not looked for in containers. */
static uint16_t
link_within(struct rbuf *r, struct flow *f, const struct packet_wants *w, uint32_t type)
{
	const struct packet_link *link =
	    type != LINK_PPI && type != LINK_PKTAP ? packet_link((int)type) : NULL;

	if (!rbuf_ok(r) || link == NULL)
		return 0;
	rbuf_skip(r, link->skip);
	return link->strip(r, f, w);
}

/* CACE's per-packet information: little-endian. */
static uint16_t
link_ppi(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	struct rbuf peek = *r;
	const uint8_t *p = rbuf_get(&peek, 8);

	rbuf_skip(r, p != NULL ? p[2] | (unsigned)p[3] << 8 : 8);
	return link_within(r, f, w, p != NULL ? little_u32(p + 4) : 0);
}

/* Apple's, little-endian as all of its hosts are: length, kind of record, link layer. */
static uint16_t
link_pktap(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	struct rbuf peek = *r;
	const uint8_t *p = rbuf_get(&peek, 12);

	rbuf_skip(r, p != NULL ? little_u32(p) : 12);
	return link_within(r, f, w, p != NULL ? little_u32(p + 8) : 0);
}

/* Ethernet with a tag of a switch's `octets` between addresses and type. */
static uint16_t
switch_tag(struct rbuf *r, struct flow *f, const struct packet_wants *w, size_t octets)
{
	const uint8_t *p = rbuf_get(r, 12);

	if (p == NULL)
		return 0;
	memcpy(f->dst_mac.b, p, sizeof(f->dst_mac.b));
	memcpy(f->src_mac.b, p + 6, sizeof(f->src_mac.b));
	rbuf_skip(r, octets);
	return ether_payload(r, f, w, rbuf_u16(r));
}

/* Broadcom's tag and Marvell's are as long, */
static uint16_t
link_dsa(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	return switch_tag(r, f, w, 4);
}

/* Marvell's with an EtherType is longer. */
static uint16_t
link_edsa(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	return switch_tag(r, f, w, 8);
}

/* Solaris' IP observability: version, family (of its own numbers), and twenty-two more. */
static uint16_t
link_ipnet(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	const uint8_t *p = rbuf_get(r, 24);

	(void)f;
	(void)w;
	if (p == NULL)
		return 0;
	return p[1] == 26 ? ETYPE_IPV6 : family_type(p[1]);
}

/* IP over InfiniBand (RFC 4391 s6): a global route header, the type, two octets. */
static uint16_t
link_infiniband(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	const uint8_t *p = rbuf_get(r, 44);

	return p != NULL ? ether_payload(r, f, w, ether_u16(p + 40)) : 0;
}

/* Juniper's header before Ethernet: a magic number, flags, perhaps extensions. */
static uint16_t
link_juniper_ether(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	enum { EXTENDED = 0x80, NO_LINK = 0x02 };
	const uint8_t *p = rbuf_get(r, 4);
	static const uint8_t magic[] = { 0x4d, 0x47, 0x43 };

	if (p == NULL || memcmp(p, magic, sizeof(magic)) != 0)
		return 0;
	if (p[3] & EXTENDED)
		rbuf_skip(r, rbuf_u16(r));
	return p[3] & NO_LINK ? 0 : ether_frame(r, f, w);
}

/* A third number: octets without meaning to us that stand before. */
static const struct packet_link links[] = {
	{ PACKET_LINK_ETHERNET, ether_frame, 0 }, { 0, link_null, 0 }, /* BSD loopback */
	{ 6, link_token_ring, 0 },
	{ 8, link_raw, 16 }, /* SLIP: direction, and the header as compression made it */
	{ 9, link_ppp, 0 }, { 10, link_fddi, 0 }, { 11, link_llc, 0 }, /* DLT_ATM_RFC1483 */
	{ 12, link_raw, 0 }, /* DLT_RAW of Linux */
	{ 14, link_raw, 0 }, /* DLT_RAW of OpenBSD */
	{ PACKET_LINK_PPP, link_ppp_serial, 0 }, { 51, link_pppoe, 0 },
	{ 100, link_llc, 0 }, /* LINKTYPE_ATM_RFC1483 */
	{ PACKET_LINK_RAW, link_raw, 0 }, { 104, link_chdlc, 0 }, { 105, wlan_frame, 0 },
	{ 107, link_frame_relay, 0 }, { 108, link_null, 0 }, /* OpenBSD loopback */
	{ 109, link_enc, 0 }, { 113, link_sll, 0 }, { 117, link_pflog, 0 },
	{ 119, wlan_prism, 0 }, { 122, link_fibre_channel, 0 }, { 127, wlan_radiotap, 0 },
	{ 138, link_ethertype, 16 }, /* IP over FireWire: two addresses of eight octets */
	{ 163, wlan_avs, 0 }, { 166, link_ppp, 1 }, /* PPPD: in or out */
	{ 178, link_juniper_ether, 0 }, { LINK_PPI, link_ppi, 0 }, { 197, link_erf, 0 },
	{ 204, link_ppp, 1 }, /* PPP_WITH_DIR, and so the two behind */
	{ 205, link_chdlc, 1 }, { 206, link_frame_relay, 1 },
	{ PACKET_LINK_MPLS, link_mpls, 0 }, { 226, link_ipnet, 0 },
	{ PACKET_LINK_IPV4, link_ipv4, 0 }, { PACKET_LINK_IPV6, link_ipv6, 0 },
	{ 239, link_nflog, 0 }, { 240, ether_frame, 4 }, /* NETANALYZER */
	{ 241, ether_frame, 4 + 8 }, /* the same with the preamble */
	{ 242, link_infiniband, 0 }, { LINK_PKTAP, link_pktap, 0 },
	{ 274, ether_frame, 8 }, /* ETHERNET_MPACKET: a preamble (802.3br) */
	{ 276, link_sll2, 0 }, { 281, link_dsa, 0 }, /* DSA_TAG_BRCM */
	{ 282, ether_frame, 4 }, /* DSA_TAG_BRCM_PREPEND */
	{ 284, link_dsa, 0 }, /* DSA_TAG_DSA */
	{ 285, link_edsa, 0 }, /* DSA_TAG_EDSA */
};

const struct packet_link packet_link_none = { -1, link_none, 0 };

const struct packet_link *
packet_link(int linktype)
{
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (links[i].type == linktype)
			return &links[i];
	return NULL;
}
