/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: every function takes its header off the front of an rbuf with one bounds check and
 * hands the rest on. A function of the link table returns the EtherType of what follows,
 * 0 when there is none; a header that was cut shows in rbuf_ok.
 *
 * RFC 791 (IPv4), RFC 8200 (IPv6), RFC 2675 (jumbograms), RFC 4302 (AH), RFC 6275
 * (mobility), IEEE 802.1Q. Links: https://www.tcpdump.org/linktypes.html.
 */
#include "proto/packet.h"

#include <stdbool.h>

enum {
	ETYPE_IPV4 = 0x0800,
	ETYPE_VLAN = 0x8100,        /* 802.1Q, customer tag */
	ETYPE_VLAN_SERVICE = 0x88a8, /* 802.1ad, service tag */
	ETYPE_VLAN_OLD = 0x9100,    /* service tag before 802.1ad */
	ETYPE_IPV6 = 0x86dd,
};

enum {
	PROTO_HOPOPTS = 0,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_DCCP = 33,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_AH = 51,
	PROTO_NONE = 59,
	PROTO_DSTOPTS = 60,
	PROTO_SCTP = 132,
	PROTO_MOBILITY = 135,
	PROTO_UDPLITE = 136,
	PROTO_HIP = 139,
	PROTO_SHIM6 = 140,
};

enum {
	ETHERNET_OCTETS = 14,
	VLAN_OCTETS = 4,
	SLL_OCTETS = 16,
	SLL2_OCTETS = 20,
	IPV4_OCTETS = 20,
	IPV6_OCTETS = 40,
	EXTENSION_OCTETS = 8, /* the least that an extension header has */
	UDP_OCTETS = 8,
};

static inline uint16_t
load16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* On the way of every packet, inlined in both functions that start it. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

static inline size_t
min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Step over what stands between a link header of EtherType `type` and the network layer.
 * MPLS (0x8847, 0x8848), PPPoE (0x8864) and LLC/SNAP (below 1536) belong here.
 */
static inline uint16_t
ether_tags(struct rbuf *r, struct flow *f, uint16_t type)
{
	bool outer = true;

	while (type == ETYPE_VLAN || type == ETYPE_VLAN_SERVICE || type == ETYPE_VLAN_OLD) {
		const uint8_t *p = rbuf_get(r, VLAN_OCTETS);

		if (p == NULL)
			return 0;
		if (outer) {
			f->vlan = load16(p) & 0xfff;
			f->cos = p[0] >> 5;
			outer = false;
		}
		type = load16(p + 2);
	}
	return type;
}

static inline uint16_t
link_ethernet(struct rbuf *r, struct flow *f)
{
	const uint8_t *p = rbuf_get(r, ETHERNET_OCTETS);

	if (p == NULL)
		return 0;
	memcpy(f->dst_mac.b, p, sizeof(f->dst_mac.b));
	memcpy(f->src_mac.b, p + 6, sizeof(f->src_mac.b));
	return ether_tags(r, f, load16(p + 12));
}

/* Linux "cooked" captures (the "any" device): only the sender's address is kept. */
static uint16_t
link_sll(struct rbuf *r, struct flow *f)
{
	const uint8_t *p = rbuf_get(r, SLL_OCTETS);

	if (p == NULL)
		return 0;
	if (load16(p + 4) == sizeof(f->src_mac.b))
		memcpy(f->src_mac.b, p + 6, sizeof(f->src_mac.b));
	return ether_tags(r, f, load16(p + 14));
}

static uint16_t
link_sll2(struct rbuf *r, struct flow *f)
{
	const uint8_t *p = rbuf_get(r, SLL2_OCTETS);

	if (p == NULL)
		return 0;
	if (p[11] == sizeof(f->src_mac.b))
		memcpy(f->src_mac.b, p + 12, sizeof(f->src_mac.b));
	return ether_tags(r, f, load16(p));
}

/* No link header: the version of IP tells. */
static uint16_t
link_raw(struct rbuf *r, struct flow *f)
{
	struct rbuf peek = *r;

	(void)f;
	switch (rbuf_u8(&peek) >> 4) {
	case 4:
		return ETYPE_IPV4;
	case 6:
		return ETYPE_IPV6;
	}
	r->bad = peek.bad;
	return 0;
}

static uint16_t
link_ipv4(struct rbuf *r, struct flow *f)
{
	(void)r;
	(void)f;
	return ETYPE_IPV4;
}

static uint16_t
link_ipv6(struct rbuf *r, struct flow *f)
{
	(void)r;
	(void)f;
	return ETYPE_IPV6;
}

/* Four octets of address family, in the order of whoever captured (NULL) or network order. */
static uint16_t
link_null(struct rbuf *r, struct flow *f)
{
	uint32_t family = rbuf_u32(r);

	(void)f;
	if (family > 0xffff)
		family = family >> 24 | (family >> 8 & 0xff00);
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

/* The link layers. PPP, Cisco HDLC, 802.11, NFLOG and their like are further rows. */
struct packet_link {
	int type; /* libpcap's number */
	uint16_t (*strip)(struct rbuf *r, struct flow *f);
};
static const struct packet_link links[] = {
	{ PACKET_LINK_ETHERNET, link_ethernet },
	{ 0, link_null },     /* DLT_NULL: BSD loopback */
	{ 12, link_raw },     /* DLT_RAW of Linux */
	{ PACKET_LINK_RAW, link_raw },
	{ 108, link_null },   /* DLT_LOOP: OpenBSD loopback */
	{ 113, link_sll },    /* DLT_LINUX_SLL */
	{ 276, link_sll2 },   /* DLT_LINUX_SLL2 */
	{ PACKET_LINK_IPV4, link_ipv4 },
	{ PACKET_LINK_IPV6, link_ipv6 },
};

static uint16_t
link_none(struct rbuf *r, struct flow *f)
{
	(void)r;
	(void)f;
	return 0;
}

const struct packet_link packet_link_none = { -1, link_none };

const struct packet_link *
packet_link(int linktype)
{
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (links[i].type == linktype)
			return &links[i];
	return NULL;
}

/* Ports, and the flags of TCP, from the transport header at the front of `r`. */
static inline void
packet_ports(struct rbuf r, struct flow *f)
{
	const uint8_t *p;

	switch (f->proto) {
	case PROTO_TCP:
	case PROTO_UDP:
	case PROTO_DCCP:
	case PROTO_SCTP:
	case PROTO_UDPLITE:
		break;
	default:
		return;
	}
	if (rbuf_left(&r) < 4)
		return;
	p = rbuf_get(&r, 4);
	f->src_port = load16(p);
	f->dst_port = load16(p + 2);
	if (f->proto == PROTO_TCP && rbuf_left(&r) >= 10)
		f->tcp_flags = rbuf_get(&r, 10)[9];
}

/* `cut` octets of the packet were on the wire and are not in `r`. */
ALWAYS_INLINE enum packet_result
packet_ipv4(struct rbuf *r, size_t cut, struct flow *f, struct rbuf *l4)
{
	const uint8_t *p;
	size_t header, total;

	if (rbuf_left(r) < IPV4_OCTETS)
		return PACKET_MALFORMED;
	p = rbuf_get(r, IPV4_OCTETS);
	if (p[0] >> 4 != 4)
		return PACKET_MALFORMED;
	header = (p[0] & 0xfU) * 4;
	total = load16(p + 2);
	if (total == 0) /* segmentation was left to the network card */
		total = IPV4_OCTETS + rbuf_left(r) + cut;
	if (header < IPV4_OCTETS || total < header)
		return PACKET_MALFORMED;
	f->src_host = ip_from_v4(p + 12);
	f->dst_host = ip_from_v4(p + 16);
	f->tos = p[1];
	f->proto = p[9];
	f->packets = 1;
	f->bytes = total;
	if ((load16(p + 6) & 0x1fff) != 0) /* a later fragment */
		return PACKET_OK;
	rbuf_skip(r, header - IPV4_OCTETS);
	/* What follows the packet pads the frame. */
	*l4 = rbuf_take(r, min_size(rbuf_left(r), total - header));
	packet_ports(*l4, f);
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

/*
 * Step over the extension headers from `*proto` on, which becomes what follows them, or
 * the last of which anything is known. Returns what is left from the transport header on;
 * nothing where that is not in the packet.
 */
static struct rbuf
packet_extensions(struct rbuf r, uint8_t *proto)
{
	while (proto_is_extension(*proto)) {
		const uint8_t *p = rbuf_get(&r, EXTENSION_OCTETS);
		size_t octets;
		bool later = false;

		if (p == NULL)
			break;
		octets = EXTENSION_OCTETS * (p[1] + 1U);
		if (*proto == PROTO_AH)
			octets = 4 * (p[1] + 2U);
		if (*proto == PROTO_FRAGMENT) {
			octets = EXTENSION_OCTETS;
			later = (load16(p + 2) & 0xfff8) != 0;
		}
		*proto = p[0];
		if (later)
			return rbuf_of(r.end, 0);
		rbuf_skip(&r, octets - EXTENSION_OCTETS);
	}
	return r;
}

ALWAYS_INLINE enum packet_result
packet_ipv6(struct rbuf *r, size_t cut, struct flow *f, struct rbuf *l4)
{
	const uint8_t *p;
	size_t payload;

	if (rbuf_left(r) < IPV6_OCTETS)
		return PACKET_MALFORMED;
	p = rbuf_get(r, IPV6_OCTETS);
	if (p[0] >> 4 != 6)
		return PACKET_MALFORMED;
	payload = load16(p + 4);
	if (payload == 0 && p[6] != PROTO_NONE) /* a jumbogram, or left to the network card */
		payload = rbuf_left(r) + cut;
	f->src_host = ip_from_v6(p + 8);
	f->dst_host = ip_from_v6(p + 24);
	f->tos = (uint8_t)(p[0] << 4 | p[1] >> 4);
	f->proto = p[6];
	f->packets = 1;
	f->bytes = IPV6_OCTETS + payload;
	*l4 = rbuf_take(r, min_size(rbuf_left(r), payload));
	if (proto_is_extension(f->proto))
		*l4 = packet_extensions(*l4, &f->proto);
	packet_ports(*l4, f);
	return PACKET_OK;
}

/*
 * All of it. `l4` is then at the transport header, empty where that is not there. No
 * cursor's address leaves this function on the way that nearly every packet takes
 * (Ethernet, no extension headers), so that they stay in registers.
 */
ALWAYS_INLINE enum packet_result
packet_layers(const struct packet_link *link, const uint8_t *frame, size_t caplen,
    size_t wirelen, struct flow *f, struct rbuf *l4)
{
	struct rbuf r = rbuf_of(frame, caplen);
	size_t cut;

	*l4 = rbuf_of(frame, 0);
	if (link->strip == link_ethernet) {
		f->etype = link_ethernet(&r, f);
	} else {
		struct rbuf other = r;

		f->etype = link->strip(&other, f);
		r = other;
	}
	cut = wirelen > caplen ? wirelen - caplen : 0;
	switch (f->etype) {
	case ETYPE_IPV4:
		return packet_ipv4(&r, cut, f, l4);
	case ETYPE_IPV6:
		return packet_ipv6(&r, cut, f, l4);
	}
	return rbuf_ok(&r) ? PACKET_NOT_IP : PACKET_MALFORMED;
}

enum packet_result
packet_dissect(const struct packet_link *link, const uint8_t *frame, size_t caplen,
    size_t wirelen, struct flow *f)
{
	struct rbuf l4;

	return packet_layers(link, frame, caplen, wirelen, f, &l4);
}

enum packet_result
packet_datagram(const struct packet_link *link, const uint8_t *frame, size_t caplen,
    size_t wirelen, struct flow *f, struct rbuf *payload)
{
	enum packet_result result;
	struct rbuf l4;
	const uint8_t *p;
	size_t octets;

	result = packet_layers(link, frame, caplen, wirelen, f, &l4);
	if (result != PACKET_OK)
		return result;
	if (f->proto != PROTO_UDP || (p = rbuf_get(&l4, UDP_OCTETS)) == NULL)
		return PACKET_NOT_UDP;
	octets = load16(p + 4);
	if (octets == 0) /* longer than the field can say: RFC 2675 s4 */
		octets = UDP_OCTETS + rbuf_left(&l4);
	if (octets < UDP_OCTETS)
		return PACKET_MALFORMED;
	*payload = rbuf_take(&l4, min_size(rbuf_left(&l4), octets - UDP_OCTETS));
	return PACKET_OK;
}
