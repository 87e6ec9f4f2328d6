/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * encode: flows become records of NetFlow v5, v9 and IPFIX: the other direction of template.h.
 *
 * A set of primitives is compiled once into a layout: a list of steps, each "this member
 * becomes that many octets there", and the template that tells others how to read it. Which
 * element tells of a primitive is ie.def's matter: of the rows that decode it the one that
 * fields.def names, else the first of the lowest rank. So what weir can read, it can send.
 *
 * Where members lie the caller says: in struct flow, or packed in rows. IPv4 and IPv6 have
 * elements of their own, so there is a layout for each family of the flow's addresses, and
 * of the others (next hops, translated addresses, the exporter, the operator's own):
 * encode_family tells which one a record needs. Immutable once compiled; any thread. No
 * allocation.
 */
#ifndef WEIR_PROTO_ENCODE_H
#define WEIR_PROTO_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/field.h"
#include "lib/wbuf.h"

#define ENCODE_STEPS_MAX 160U
#define ENCODE_APPLICATION 5U /* octets of a class's applicationId */
#define ENCODE_FAMILIES  4U /* layouts that one set of primitives may need */

enum encode_version { ENCODE_V5 = 5, ENCODE_V9 = 9, ENCODE_IPFIX = 10 };

/* How the times of a flow are told, where the version leaves that open. */
enum encode_times {
	ENCODE_UPTIME, /* ms since env.boot: v5 always */
	ENCODE_MS,     /* ms since 1970 */
	ENCODE_US,     /* us since 1900, as RFC 7011 s6.1.9 has them */
};

/* What of one record does not lie where its members do. */
struct encode_env {
	uint64_t start, end;     /* ns since 1970 */
	uint64_t packets, octets;
	uint64_t reverse_start, reverse_end, reverse_packets, reverse_octets;
	uint64_t boot;           /* ns since 1970: where uptimes count from */
	uint64_t application;    /* applicationId: RFC 6759 s4 */
	uint32_t class_id;       /* an interned name */
	uint16_t reverse_flags;
	uint8_t end_reason;      /* IPFIX's flowEndReason */
	uint8_t sampler;         /* number of the sampler in options data */
};

struct encode_options {
	enum encode_version version;
	enum encode_times times;
	bool legacy;     /* in v9: tags and classes as pmacct's probes told them once */
	bool mirror;     /* source is told as destination, and the other way round */
	bool reverse;    /* IPFIX: with what came back, RFC 5103 */
	bool end_reason; /* from env, not from the member */
	bool class_given; /* the class is env's, not the member */
	bool application; /* v9, IPFIX: the class is told by env's, which options data names */
	bool sampler;    /* v9, IPFIX: with env's */
	unsigned family; /* ENCODE_IPV6_* */
	/*
	 * Where primitive `no` lies, in octets from the record's beginning, at the width of its
	 * member. NULL: in struct flow.
	 */
	const uint16_t *offsets;
};

#define ENCODE_IPV6_FLOW  1U /* of the flow's own addresses, */
#define ENCODE_IPV6_OTHER 2U /* and of the others, some are of IPv6 */

struct encode_step {
	uint8_t kind;
	uint8_t base;    /* 0: the record, 1: the env */
	uint8_t octets;  /* on the wire */
	uint8_t width;   /* of the member */
	uint16_t from, to;
};

struct encode_spec {
	uint32_t enterprise;
	uint16_t id, octets; /* FIELD_VARIABLE: as RFC 7011 s7 */
};

struct encode {
	enum encode_version version;
	uint16_t n_steps;       /* of fixed length, in the order of the record, */
	uint16_t n_tails;       /* and those of variable length behind them */
	uint16_t octets;        /* of the fixed part */
	uint16_t n_specs;
	struct encode_step steps[ENCODE_STEPS_MAX];
	struct encode_spec specs[ENCODE_STEPS_MAX];
};

#define ENCODE_OTHERS_MAX (8U + CUSTOM_MAX)

/* Which addresses decide the family of a record. */
struct encode_addresses {
	uint8_t n_flow, n_other;
	uint16_t flow[4], other[ENCODE_OTHERS_MAX]; /* where they lie */
};

/*
 * Compile a layout for the primitives of `set`. Start and end, packets and octets are in
 * every one. Those that version and element do not allow are left out: see encode_can.
 */
void encode_compile(struct encode *e, const struct field_set *set,
    const struct encode_options *o);

/* Whether a record of this version can tell of primitive `no`. */
bool encode_can(enum field_no no, enum encode_version version, bool legacy);

/* Find the addresses of `set`, which lie as encode_options.offsets says. */
void encode_addresses_find(struct encode_addresses *a, const struct field_set *set,
    const uint16_t *offsets);

/* The family (ENCODE_IPV6_*) of the record at `from`. */
unsigned encode_family(const struct encode_addresses *a, const uint8_t *from);

/* The octets of the template record that tells of `e` (v9: RFC 3954 s5.2, IPFIX: RFC 7011 s3.4.1). */
void encode_template(const struct encode *e, uint16_t id, struct wbuf *w);

/*
 * Append the record at `from` to `w`. Returns false, and leaves `w` as it was, when there is
 * no room for all of it.
 */
bool encode_record(const struct encode *e, const uint8_t *from, const struct encode_env *env,
    struct wbuf *w);

#endif
