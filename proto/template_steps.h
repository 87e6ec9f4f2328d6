/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The compiled form of a template, between template.c, which makes it, and
 * template_decode.c, which runs it over records. Nobody else looks inside.
 */
#ifndef WEIR_PROTO_TEMPLATE_STEPS_H
#define WEIR_PROTO_TEMPLATE_STEPS_H

#include <stdint.h>

#define ETHERTYPE_IPV4 0x0800U
#define ETHERTYPE_IPV6 0x86ddU
#define ETYPE_BY_HOST  1U

#define SEGMENTS_MAX 32U /* what stands after so many variable fields is stepped over */

/*
 * What a step does. The first are the frequent pairs of widths (on the wire, of the
 * member); the others go through step_any. Steps are kept in this order: one jump, hard
 * to foresee for the processor, then serves all steps that do the same.
 */
enum op {
	OP_1_1,
	OP_1_2,
	OP_2_2,
	OP_1_4,
	OP_2_4,
	OP_4_4,
	OP_1_8,
	OP_2_8,
	OP_4_8,
	OP_8_8,
	OP_IP4,
	OP_IP6,
	OP_UPTIME4,
	OP_S4,
	OP_MS8,
	OP_ANY,
	OP_IF,       /* only if `conditions` hold */
	OP_VARIABLE, /* the value's length stands in the record */
};

/* What a record takes beside its steps: bits of template.special. */
enum special {
	SPECIAL_BOOT = 1,         /* its uptimes count from a time that it tells */
	SPECIAL_LABELS = 2,       /* steps push labels */
	SPECIAL_SECTION = 4,      /* it carries the start of a packet */
	SPECIAL_SECTION_SIZE = 8, /* and tells how long the packet was */
};

enum condition { IF_NOT_ZERO = 1, IF_EGRESS = 2, IF_INNER = 4 };

struct template_step {
	uint16_t from;      /* octet in the segment */
	uint16_t to;        /* octet in struct flow */
	uint8_t op;         /* enum op */
	uint8_t conditions; /* enum condition, or-ed */
	uint8_t convert;    /* enum ie_convert */
	uint8_t segment;
	uint16_t octets;    /* on the wire */
	uint8_t width;      /* of the member */
	uint8_t run;        /* steps from here on that do the same */
	uint16_t inner;     /* IF_INNER: where what must have a value stands, */
	uint8_t inner_segment;
	uint8_t inner_octets; /* and how long it is */
};

/*
 * A run of fields of fixed length; a variable field follows each but the last. A
 * template of fixed length is one segment.
 */
struct template_segment {
	uint32_t octets;
};

#endif
