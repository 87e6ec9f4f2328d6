/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * template: what the records of one template id look like (RFC 3954 s5, RFC 7011 s3.4).
 *
 * A template record is first read into a struct template_def, which borrows the
 * datagram; what cannot be meant is refused there. template_new then compiles it: a
 * short list of steps, each "this many octets from here become that member of struct
 * flow", holding only the primitives that somebody needs. A struct template is
 * immutable, so that any number of workers decode with it; it belongs to the table that
 * it was put in (templates.h).
 */
#ifndef WEIR_PROTO_TEMPLATE_H
#define WEIR_PROTO_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/field.h"
#include "flow/flow.h"
#include "lib/rbuf.h"
#include "proto/template_traits.h"

#define TEMPLATE_FIELDS_MAX 1024U  /* fields of a template; more cannot be meant */
#define TEMPLATE_OCTETS_MAX 65531U /* the longest record that a set can hold */

enum template_kind {
	TEMPLATE_V9,
	TEMPLATE_V9_OPTIONS,
	TEMPLATE_IPFIX,
	TEMPLATE_IPFIX_OPTIONS,
	TEMPLATE_KINDS
};

/* A template record as it stands in a set; `fields` is borrowed from the datagram. */
struct template_def {
	enum template_kind kind;
	uint16_t id;             /* withdrawn: maybe that of the set, for all of its kind */
	uint16_t n_fields;       /* with those of scope; 0: IPFIX withdraws it */
	uint16_t n_scope;        /* of them; 0 unless options */
	bool variable;           /* some field's length stands in each record */
	uint32_t min_octets;     /* of a record; never 0 unless withdrawn */
	const uint8_t *fields;   /* field specifiers */
	size_t fields_octets;
};

/* One field specifier of a template: RFC 3954 s5.2, RFC 7011 s3.2. */
struct template_spec {
	uint32_t enterprise;
	uint16_t id;
	uint16_t octets;
	bool variable;           /* the length stands before each value: RFC 7011 s7 */
};

/* The times of the message that a record came in. */
struct template_clock {
	uint64_t export_ns;      /* since 1970 */
	uint32_t uptime_ms;      /* of the exporter, at that moment; wraps */
};

static inline bool
template_kind_is_ipfix(enum template_kind kind)
{
	return kind == TEMPLATE_IPFIX || kind == TEMPLATE_IPFIX_OPTIONS;
}

static inline bool
template_kind_is_options(enum template_kind kind)
{
	return kind == TEMPLATE_V9_OPTIONS || kind == TEMPLATE_IPFIX_OPTIONS;
}

struct template_step;
struct template_segment;

/* Where a field stands in a record. */
struct template_place {
	uint16_t from;           /* octet in its segment, unless variable */
	uint16_t octets;
	uint8_t segment;
	bool variable;           /* behind its segment */
};

struct template {
	uint16_t id;
	uint8_t kind;            /* enum template_kind */
	bool options;            /* its records are about the exporter, not flows */
	bool variable;
	bool start_by_uptime;    /* timestamp_start comes from the exporter's uptime */
	uint32_t min_octets;     /* never 0 */
	uint16_t n_fields;
	uint16_t n_scope;        /* the first of them, when `options` */
	uint16_t n_steps;
	struct template_traits traits;
	size_t octets;           /* of memory, all in all */
	/* private */
	uint16_t etype;          /* to fill in, 1: by the source address, 0: nothing */
	uint16_t n_segments;
	struct template_place direction; /* flowDirection, its last octet */
	struct template_place boot; /* systemInitTimeMilliseconds */
	struct template_place section, section_size; /* of a packet: section.h */
	uint8_t section_kind;    /* enum section_kind */
	uint8_t special;         /* what beside steps a record takes */
	struct field_set needed;
	struct template *reverse; /* the other direction of a biflow, owned; NULL: none */
	const struct template_step *steps;
	const struct template_segment *segments;
	const uint8_t *fields;   /* the definition, to know a repetition by */
	size_t fields_octets;
};

/*
 * Read the next template record of a set from `r`, which is left after it.
 *
 * Returns 0 with `*d` filled; -WEIR_ENOENT when only padding is left; -WEIR_EMALFORMED
 * when the record runs past the end, or cannot be meant: an id below 256, no fields or
 * too many, records without octets or longer than any set, in v9 a scope that is no
 * whole number of fields, in IPFIX one of no field or more than all. Every call but one
 * that returns -WEIR_ENOENT takes octets from `r`, so that a loop until then ends.
 */
int template_next(struct rbuf *r, enum template_kind kind, struct template_def *d);

/* Read the next field specifier of a template record of `kind`. */
struct template_spec template_spec_read(struct rbuf *r, enum template_kind kind);

/*
 * Compile `d` for those who need the primitives of `needed`; counters and the start of
 * the flow are filled whoever needs them. Elements of no known meaning, of a length
 * that they cannot have, or of none are stepped over; of repeated ones the last counts.
 * On the heap; NULL when memory is short.
 */
struct template *template_new(const struct template_def *d,
    const struct field_set *needed);
void template_free(struct template *t);

/* Whether `d` defines once more what `t` was made of. */
bool template_same(const struct template *t, const struct template_def *d);

/*
 * Decode data records from `r`, up to `n`, into as many flows at `f`, where members
 * without an element are left as they were. `r` is left after the last record. Times
 * become ns since 1970.
 *
 * Returns how many: fewer than `n` when what is left is shorter than any record
 * (t->min_octets), or when the next record runs past the end; `r` is not rbuf_ok then.
 */
unsigned template_decode_many(const struct template *t, struct rbuf *r,
    const struct template_clock *clock, struct flow *f, unsigned n);

/*
 * The same for one record. Returns 0, or -WEIR_EMALFORMED when there is no whole one.
 */
int template_decode(const struct template *t, struct rbuf *r,
    const struct template_clock *clock, struct flow *f);

/*
 * Decode the way back that the record at `r` counts beside the other: RFC 5103, or a
 * responder's octets and packets (`t->reverse` says whether there can be one). Source and
 * destination are swapped; what was measured in the one direction alone stays.
 *
 * Returns false when nothing came back; `f` is then in any state.
 */
bool template_decode_reverse(const struct template *t, struct rbuf r,
    const struct template_clock *clock, struct flow *f);

#endif
