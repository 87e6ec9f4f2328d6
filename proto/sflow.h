/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sFlow on the wire: the numbers of version 5 (https://sflow.org/sflow_version_5.txt) and
 * of versions 2 and 4 (RFC 3176 s4). Everything is XDR: big-endian words, opaque data
 * padded to a multiple of four.
 *
 * Version 5: a datagram is a header and samples; a sample is a header and records; samples
 * and records each say their format (enterprise and number) and length, so that what is
 * not known is stepped over. Versions 2 and 4 have no lengths: one must know all of what
 * comes before to find what follows.
 */
#ifndef WEIR_PROTO_SFLOW_H
#define WEIR_PROTO_SFLOW_H

#include <stdint.h>

#include "lib/ip.h"
#include "lib/rbuf.h"

enum {
	SFLOW_V2 = 2,
	SFLOW_V4 = 4,
	SFLOW_V5 = 5,
};

/* Kinds of address: what follows is 0, 4 or 16 octets. */
enum {
	SFLOW_ADDRESS_UNKNOWN = 0,
	SFLOW_ADDRESS_IPV4 = 1,
	SFLOW_ADDRESS_IPV6 = 2,
};

/* Samples; versions 2 and 4 have the first two. */
enum {
	SFLOW_SAMPLE_FLOW = 1,
	SFLOW_SAMPLE_COUNTERS = 2,
	SFLOW_SAMPLE_FLOW_EXPANDED = 3,
	SFLOW_SAMPLE_COUNTERS_EXPANDED = 4,
	SFLOW_SAMPLE_DISCARDED = 5, /* sflow_drops.txt: not sampled, but thrown away */
};

/* Who defines a format; 0 is sFlow.org. */
enum {
	SFLOW_ENTERPRISE_PMACCT_OLD = 8800,
	SFLOW_ENTERPRISE_PMACCT = 43874,
};
#define SFLOW_FORMAT(enterprise, number) ((uint32_t)(enterprise) << 12 | (number))

/* Records of flow samples. */
enum {
	SFLOW_RECORD_HEADER = 1,    /* the start of the frame itself */
	SFLOW_RECORD_ETHERNET = 2,
	SFLOW_RECORD_IPV4 = 3,
	SFLOW_RECORD_IPV6 = 4,
	SFLOW_RECORD_SWITCH = 1001,
	SFLOW_RECORD_ROUTER = 1002,
	SFLOW_RECORD_GATEWAY = 1003,
	SFLOW_RECORD_USER = 1004,
	SFLOW_RECORD_URL = 1005,
	SFLOW_RECORD_MPLS = 1006,
	SFLOW_RECORD_NAT = 1007,
	SFLOW_RECORD_MPLS_TUNNEL = 1008,
	SFLOW_RECORD_MPLS_VC = 1009,
	SFLOW_RECORD_MPLS_FTN = 1010,
	SFLOW_RECORD_MPLS_LDP_FEC = 1011,
	SFLOW_RECORD_VLAN_TUNNEL = 1012,
	SFLOW_RECORD_80211_PAYLOAD = 1013,
	SFLOW_RECORD_80211_RX = 1014,
	SFLOW_RECORD_80211_TX = 1015,
	SFLOW_RECORD_80211_AGGREGATION = 1016,
	SFLOW_RECORD_NAT_PORT = 1020,
	SFLOW_RECORD_VNI_EGRESS = 1029,
	SFLOW_RECORD_VNI_INGRESS = 1030,
};

/* Records of pmacct's probe. */
enum {
	SFLOW_PMACCT_CLASS = 1, /* text, NULs behind it: 32 octets of pmacct 1.7 */
	SFLOW_PMACCT_TAG = 2,   /* two numbers of 64 bits */
	SFLOW_PMACCT_NDPI = 3,  /* what nDPI makes of it: two numbers of 32 bits */
};

/* What stands in a flow sample of version 2 or 4, and what may stand behind it. */
enum {
	SFLOW_OLD_HEADER = 1,
	SFLOW_OLD_IPV4 = 2,
	SFLOW_OLD_IPV6 = 3,
};
enum {
	SFLOW_OLD_SWITCH = 1,
	SFLOW_OLD_ROUTER = 2,
	SFLOW_OLD_GATEWAY = 3,
	SFLOW_OLD_USER = 4,
	SFLOW_OLD_URL = 5,
};

/* Records of counter samples. */
enum {
	SFLOW_COUNTER_GENERIC = 1,
	SFLOW_COUNTER_ETHERNET = 2,
	SFLOW_COUNTER_TOKEN_RING = 3,
	SFLOW_COUNTER_VG = 4, /* 100VG-AnyLAN */
	SFLOW_COUNTER_VLAN = 5,
	SFLOW_COUNTER_PROCESSOR = 1001,
};

/* What a counter sample of version 2 or 4 has. */
enum {
	SFLOW_OLD_COUNTER_GENERIC = 1,
	SFLOW_OLD_COUNTER_ETHERNET = 2,
	SFLOW_OLD_COUNTER_TOKEN_RING = 3,
	SFLOW_OLD_COUNTER_FDDI = 4,
	SFLOW_OLD_COUNTER_VG = 5,
	SFLOW_OLD_COUNTER_WAN = 6,
	SFLOW_OLD_COUNTER_VLAN = 7,
};

/* What the frame of a SFLOW_RECORD_HEADER starts with. */
enum {
	SFLOW_HEADER_ETHERNET = 1,
	SFLOW_HEADER_TOKEN_RING = 3,
	SFLOW_HEADER_FDDI = 4,
	SFLOW_HEADER_FRAME_RELAY = 5,
	SFLOW_HEADER_PPP = 7,
	SFLOW_HEADER_AAL5 = 9,
	SFLOW_HEADER_AAL5_IP = 10,
	SFLOW_HEADER_IPV4 = 11,
	SFLOW_HEADER_IPV6 = 12,
	SFLOW_HEADER_MPLS = 13,
	SFLOW_HEADER_POS = 14,      /* PPP over SONET/SDH: RFC 2615 */
	SFLOW_HEADER_80211 = 15,
	SFLOW_HEADER_80211_AMSDU = 17, /* one packet of several in a frame */
	SFLOW_HEADERS,              /* one more than the last that has a row */
};

/* In the two top bits of an interface number that is not expanded. */
enum {
	SFLOW_INTERFACE_INDEX = 0,     /* the rest is an ifIndex */
	SFLOW_INTERFACE_DISCARDED = 1, /* the rest says why */
	SFLOW_INTERFACE_MULTIPLE = 2,  /* the rest says how many */
};
#define SFLOW_INTERFACE_BITS 30U
#define SFLOW_INTERFACE_MAX  0x3fffffffU

/* Word `i` of the words at `p`. */
static inline uint32_t
sflow_word(const uint8_t *p, unsigned i)
{
	p += (size_t)i * 4;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Opaque data of `octets`, with its padding; the last of a datagram may come without. */
static inline struct rbuf
sflow_opaque(struct rbuf *r, uint32_t octets)
{
	struct rbuf taken = rbuf_take(r, octets);
	size_t padding = -octets & 3U;

	if (padding > 0)
		rbuf_skip(r, padding < rbuf_left(r) ? padding : rbuf_left(r));
	return taken;
}

/* A number, and that many words. */
static inline struct rbuf
sflow_words(struct rbuf *r)
{
	uint32_t n = rbuf_u32(r);

	return rbuf_take(r, n <= rbuf_left(r) / 4 ? (size_t)n * 4 : SIZE_MAX);
}

/* An address behind its kind; none where it is unknown. Other kinds have no length. */
static inline ip16_t
sflow_address(struct rbuf *r)
{
	ip16_t a = { { 0 } };
	const uint8_t *p;

	switch (rbuf_u32(r)) {
	case SFLOW_ADDRESS_UNKNOWN:
		break;
	case SFLOW_ADDRESS_IPV4:
		if ((p = rbuf_get(r, 4)) != NULL)
			a = ip_from_v4(p);
		break;
	case SFLOW_ADDRESS_IPV6:
		if ((p = rbuf_get(r, 16)) != NULL)
			a = ip_from_v6(p);
		break;
	default:
		r->bad = true;
		break;
	}
	return a;
}

#endif
