/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps of struct encode: what proto/encode_compile.c makes and proto/encode.c does. */
#ifndef WEIR_PROTO_ENCODE_STEPS_H
#define WEIR_PROTO_ENCODE_STEPS_H

#include "proto/encode.h"

#define ENCODE_LABELS 10U /* entries of a stack of labels that there are elements for */

enum encode_kind {
	STEP_UINT,        /* the low octets of an integer */
	STEP_FIT,         /* the same, or all ones when it is greater */
	STEP_AS,          /* the same, or AS_TRANS: RFC 6793 s9 */
	STEP_COPY,        /* octets as they are */
	STEP_IP4,         /* an address of IPv4; zeroes of another */
	STEP_UPTIME,      /* ns since 1970: ms since env.boot, */
	STEP_MS,          /* ms since 1970, */
	STEP_NTP,         /* s since 1900 and fraction */
	STEP_DIRECTION,   /* enum field_direction: 0 in, 1 out, 255 unknown */
	STEP_RD,          /* without what weir keeps in its spare bits */
	STEP_LABEL,       /* an entry of a stack of MPLS labels, */
	STEP_BOTTOM,      /* the one at the bottom, */
	STEP_STACK,       /* number `width` of an interned list */
	STEP_VXLAN,       /* layer2SegmentId, */
	STEP_NVGRE,       /* of either kind, */
	STEP_OVERLAY,     /* VXLAN's, or NVGRE's `width` octets behind it */
	STEP_TEXT,        /* an interned string, */
	STEP_SEGMENTS,    /* a list of IPv6 addresses, */
	STEP_DIGITS,      /* octets written as hexadecimal digits, */
	STEP_APPLICATION, /* an engine and its selector: in as many octets as there are */
};

#endif
