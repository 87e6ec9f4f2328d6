/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Information elements: ie.def as an array. What an element of NetFlow v9 or IPFIX
 * means to us, and how its value reads. Constant data; any thread.
 */
#ifndef WEIR_PROTO_IE_H
#define WEIR_PROTO_IE_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/field.h"

/* How a value reads. Reduced-size encoding (RFC 7011 s6.2) holds for all integers. */
enum ie_convert {
	IE_UINT,      /* unsigned; of one longer than ours, the low octets */
	IE_LOW8,      /* its last octet alone: TCP flags, in one octet or two */
	IE_IP4,       /* 4 octets */
	IE_IP6,       /* 16 octets */
	IE_MAC,       /* 6 octets */
	IE_UPTIME,    /* ms of the exporter's uptime */
	IE_S,         /* s since 1970 */
	IE_MS,        /* ms since 1970 */
	IE_NTP,       /* s since 1900 and fraction, 32 bits each: RFC 7011 s6.1.9 */
	IE_DELTA_US,  /* us before the export time in the header */
	IE_HIGH8,     /* the last octet but one: ICMP type, of type and code */
	IE_DSCP,      /* the six bits that stand highest in the type of service */
	IE_DIRECTION, /* 0 in, 1 out */
	IE_STR,       /* text, perhaps with NULs behind it */
	IE_RD,        /* 8 octets */
	IE_LABEL,     /* 3 octets, the label in 20 bits: RFC 3032 s2.1 */
	IE_BOTTOM,    /* the same, where its S bit says that it is the last */
	IE_PUSH,      /* the same, one of several that make a stack */
	IE_VXLAN,     /* 8 octets: type 1, and a number in the last three */
	IE_NVGRE,     /* the same with type 2 */
	IE_SEGMENTS,  /* IPv6 addresses one behind the other, the last first: RFC 8754 s2 */
	IE_IP6_LIST,  /* a basicList of IPv6 addresses: RFC 6313 s4.5.1 */
	IE_HEX,       /* hexadecimal digits, without leading zeroes */
	IE_RAW,       /* the same, each octet's two, dashes between them */
	IE_CONVERTS
};

struct ie {
	uint32_t enterprise;
	uint16_t id;
	uint8_t rank;             /* the lowest that a template has counts */
	bool out;                 /* of the outgoing side */
	bool tunnel;              /* of a tunnel's own header */
	bool reverse;             /* of the responder in a conversation */
	bool probe;               /* of pmacct's probe in NetFlow v9 */
	enum ie_convert convert;
	enum field_no field;
	const char *name;
};

enum {
#define IE(enterprise, id, FIELD, ...) IE_ROW_##enterprise##_##id##_##FIELD,
#include "proto/ie.def"
#undef IE
	IE_ROWS
};

extern const struct ie ies[IE_ROWS];

#define IE_SOURCE_IP4      8U
#define IE_DESTINATION_IP4 12U
#define IE_SOURCE_IP6      27U
#define IE_DESTINATION_IP6 28U
#define IE_SAMPLER_ID      48U  /* samplerId */
#define IE_FLOW_DIRECTION 61U   /* flowDirection: 0 ingress, 1 egress */
#define IE_NAT_EVENT         230U
#define IE_INITIATOR_OCTETS  231U
#define IE_RESPONDER_OCTETS  232U
#define IE_FIREWALL_EVENT    233U
#define IE_INITIATOR_PACKETS 298U
#define IE_MPLS_TOP_LABEL 70U   /* mplsTopLabelStackSection */
#define IE_APPLICATION_ID 95U  /* applicationId */
#define IE_REVERSE_PEN    29305U  /* enterprise of reverse elements: RFC 5103 s6.1 */
#define IE_FRAME_SIZE     312U  /* dataLinkFrameSize */
#define IE_SECTION_OFFSET 409U  /* where a section begins */
#define IE_PADDING        210U  /* paddingOctets: what has no meaning */
#define IE_SYSTEM_INIT_MS 160U  /* when the exporter started, ms since 1970, 8 octets */

/* Whether a value of `octets` can be what `convert` says. */
bool ie_fits(enum ie_convert convert, unsigned octets);

/* The first row of element (enterprise, id), or NULL when it means nothing to us. */
const struct ie *ie_find(uint32_t enterprise, uint16_t id);

/*
 * Whether the element means something to us: it has a row, is the reverse (RFC 5103) of
 * one that has, is a custom primitive's, or tells how others are to be read.
 */
bool ie_is_known(uint32_t enterprise, uint16_t id);

#endif
