/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * record: a data record field by field, as its template lays it out; for those who want
 * what no primitive holds, such as the options data in which an exporter tells about
 * itself. Flows take the quick way, template_decode.
 *
 * No allocation; any thread. Values are borrowed from the datagram.
 */
#ifndef WEIR_PROTO_RECORD_H
#define WEIR_PROTO_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/rbuf.h"
#include "proto/template.h"

/*
 * What the scope of NetFlow v9 is about: RFC 3954 s6.1. They are no information elements
 * and their ids overlap with them; in IPFIX a scope is an element like any other.
 */
enum {
	RECORD_SCOPE_SYSTEM = 1,
	RECORD_SCOPE_INTERFACE = 2,
	RECORD_SCOPE_LINE_CARD = 3,
	RECORD_SCOPE_CACHE = 4,
	RECORD_SCOPE_TEMPLATE = 5,
};

/* One value of a record. */
struct record_value {
	uint32_t enterprise;
	uint16_t id;         /* of the element, or in v9 with `scope` RECORD_SCOPE_... */
	uint16_t octets;     /* that stand at `p`; may be 0 */
	bool scope;          /* says what the record is about: RFC 7011 s3.4.2 */
	const uint8_t *p;
};

/* A walk over the values of one record. */
struct record_walk {
	struct rbuf specs;   /* of the fields that are still to come */
	struct rbuf *record;
	enum template_kind kind;
	uint16_t left, scope_left;
};

/* Begin at the first value of the record of `t` at `r`, options or not. */
struct record_walk record_walk_of(const struct template *t, struct rbuf *r);

/*
 * The next value to `*v`. Returns false after the last, when `r` is left after the
 * record, and when the record runs past the end, when `r` is not rbuf_ok. Act on what
 * was found only after the end is known to be sound.
 */
bool record_walk_next(struct record_walk *w, struct record_value *v);

#endif
