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
};

struct ie {
	uint32_t enterprise;
	uint16_t id;
	uint8_t rank;             /* the lowest that a template has counts */
	bool out;                 /* of the outgoing side */
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

#define IE_FLOW_DIRECTION 61U  /* flowDirection: 0 ingress, 1 egress */

/* Whether a value of `octets` can be what `convert` says. */
bool ie_fits(enum ie_convert convert, unsigned octets);

/* The first row of element (enterprise, id), or NULL when it means nothing to us. */
const struct ie *ie_find(uint32_t enterprise, uint16_t id);

#endif
