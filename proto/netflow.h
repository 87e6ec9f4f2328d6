/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NetFlow on the wire: sizes of headers and where their members stand, in octets from
 * the start. v1 to v8 are Cisco's "NetFlow Services Solutions Guide"; v9 is RFC 3954; IPFIX,
 * whose version is 10, is RFC 7011. Everything is in network order.
 */
#ifndef WEIR_PROTO_NETFLOW_H
#define WEIR_PROTO_NETFLOW_H

#include <stdint.h>

#include "lib/rbuf.h"

enum {
	NETFLOW5_HEADER = 24,
	NETFLOW5_COUNT = 2,          /* u16: records that follow */
	NETFLOW5_UPTIME = 4,         /* u32: ms since the exporter started */
	NETFLOW5_SECONDS = 8,        /* u32: of now, since 1970 */
	NETFLOW5_NANOSECONDS = 12,   /* u32: of now, beyond the seconds */
	NETFLOW5_SEQUENCE = 16,      /* u32: records sent before */
	NETFLOW5_ENGINE = 20,        /* u8 type, u8 id */
	NETFLOW5_SAMPLING = 22,      /* u16: mode in two bits, 1 in N in fourteen */
	NETFLOW5_RATE_MASK = 0x3fff,
};

enum {
	NETFLOW5_RECORD = 48,
	NETFLOW5_SRC = 0,
	NETFLOW5_DST = 4,
	NETFLOW5_NEXTHOP = 8,
	NETFLOW5_INPUT = 12,         /* u16 ifIndex */
	NETFLOW5_OUTPUT = 14,
	NETFLOW5_PACKETS = 16,       /* u32 */
	NETFLOW5_OCTETS = 20,        /* u32, of the IP packets */
	NETFLOW5_FIRST = 24,         /* u32: uptime, ms */
	NETFLOW5_LAST = 28,
	NETFLOW5_SRC_PORT = 32,
	NETFLOW5_DST_PORT = 34,
	NETFLOW5_TCP_FLAGS = 37,
	NETFLOW5_PROTO = 38,
	NETFLOW5_TOS = 39,
	NETFLOW5_SRC_AS = 40,        /* u16 */
	NETFLOW5_DST_AS = 42,
	NETFLOW5_SRC_MASK = 44,
	NETFLOW5_DST_MASK = 45,
};

/* Their headers begin as v5's does. */
enum {
	NETFLOW1_HEADER = 16,        /* to the nanoseconds */
	NETFLOW1_PADDED = 52,        /* octets of a record that some devices pad */
	NETFLOW7_HEADER = 24,        /* to the sequence, and 4 octets reserved */
	NETFLOW8_HEADER = 28,        /* to the engine */
	NETFLOW8_SCHEME = 22,        /* u8: of aggregation, then u8: its version */
	NETFLOW8_SCHEMES = 14,
};

enum {
	NETFLOW9_HEADER = 20,
	NETFLOW9_UPTIME = 4,         /* u32: ms; the count before it only informs */
	NETFLOW9_SECONDS = 8,
	NETFLOW9_SEQUENCE = 12,      /* u32: export packets, RFC 3954 s5.1 */
	NETFLOW9_SOURCE_ID = 16,
};

enum {
	NETFLOW10_HEADER = 16,       /* IPFIX: RFC 7011 s3.1 */
	NETFLOW10_LENGTH = 2,        /* u16: of the message, with this header */
	NETFLOW10_SECONDS = 4,
	NETFLOW10_SEQUENCE = 8,      /* u32: data records sent before */
	NETFLOW10_DOMAIN = 12,
};

enum {
	SET_HEADER = 4,              /* u16 id, u16 length with this header */
	SET_TEMPLATE9 = 0,
	SET_OPTIONS9 = 1,
	SET_TEMPLATE10 = 2,
	SET_OPTIONS10 = 3,
	SET_DATA = 256,              /* and above: the id of the template */
	FIELD_VARIABLE = 65535,      /* IPFIX: each value tells it, RFC 7011 s7 */
	FIELD_ENTERPRISE = 0x8000,   /* IPFIX: its number follows, RFC 7011 s3.2 */
};

/* Integers at `p`, of which the caller knows that they are there (rbuf_get). */
static inline uint16_t
wire_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
wire_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t
wire_u64(const uint8_t *p)
{
	/* In one expression, which compilers make one load of. */
	return (uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 | (uint64_t)p[2] << 40 |
	    (uint64_t)p[3] << 32 | (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 |
	    (uint64_t)p[6] << 8 | p[7];
}

/* The length before a value of variable length: one octet, or 255 and two: RFC 7011 s7. */
static inline uint16_t
netflow_variable(struct rbuf *r)
{
	uint8_t octets = rbuf_u8(r);

	return octets == 255 ? rbuf_u16(r) : octets;
}

/*
 * When the exporter's uptime read `then` ms, in ns since 1970, given that it reads
 * `uptime` ms at `now_ns`. The counter wraps after 49.7 days; what lies up to an hour
 * ahead of the header is taken for a clock that was read late. 0 when that is before
 * 1970.
 */
static inline uint64_t
netflow_uptime_ns(uint64_t now_ns, uint32_t uptime, uint32_t then)
{
	uint32_t ago = uptime - then;
	uint64_t ahead = (uint64_t)(uint32_t)(then - uptime) * 1000000;

	if (ago > UINT32_MAX - UINT32_C(3600000))
		return now_ns + ahead;
	return now_ns > (uint64_t)ago * 1000000 ? now_ns - (uint64_t)ago * 1000000 : 0;
}

#endif
