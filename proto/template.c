/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/template.h"

#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "proto/netflow.h"

struct template_spec
template_spec_read(struct rbuf *r, enum template_kind kind)
{
	struct template_spec s = { 0 };

	s.id = rbuf_u16(r);
	s.octets = rbuf_u16(r);
	/* In v9 the bit is part of the number: RFC 3954 has no enterprises. */
	if (template_kind_is_ipfix(kind) && (s.id & FIELD_ENTERPRISE) != 0) {
		s.id &= (uint16_t)~FIELD_ENTERPRISE;
		s.enterprise = rbuf_u32(r);
	}
	s.variable = s.octets == FIELD_VARIABLE && template_kind_is_ipfix(kind);
	return s;
}

/* Whether `r` holds nothing but zeroes: padding, RFC 3954 s5.2, RFC 7011 s3.3.1. */
static bool
only_padding(struct rbuf r)
{
	while (rbuf_left(&r) > 0)
		if (rbuf_u8(&r) != 0)
			return false;
	return true;
}

/* The counts of an options template; false when they contradict each other. */
static bool
scope_read(struct rbuf *r, struct template_def *d)
{
	unsigned scope, options;

	if (d->kind == TEMPLATE_IPFIX_OPTIONS) {
		d->n_fields = rbuf_u16(r);
		/* A withdrawal has no scope count: RFC 7011 s8.1. */
		d->n_scope = d->n_fields != 0 ? rbuf_u16(r) : 0;
		return d->n_fields == 0 ||
		       (d->n_scope >= 1 && d->n_scope <= d->n_fields);
	}
	/* v9 gives octets, not fields: RFC 3954 s6.1. */
	scope = rbuf_u16(r);
	options = rbuf_u16(r);
	d->n_scope = (uint16_t)(scope / 4);
	d->n_fields = (uint16_t)(scope / 4 + options / 4);
	return scope % 4 == 0 && options % 4 == 0;
}

/* One template is withdrawn, or, by the id of the set, all of its kind: RFC 7011 s8.1. */
static bool
withdrawal_sound(const struct template_def *d)
{
	return d->id >= SET_DATA ||
	       d->id == (d->kind == TEMPLATE_IPFIX ? SET_TEMPLATE10 : SET_OPTIONS10);
}

int
template_next(struct rbuf *r, enum template_kind kind, struct template_def *d)
{
	bool sound = true;
	const uint8_t *start;

	if (rbuf_left(r) < 4)
		return -WEIR_ENOENT;
	if (wire_u32(r->p) == 0) {
		if (only_padding(*r))
			return -WEIR_ENOENT;
		rbuf_skip(r, rbuf_left(r));
		return -WEIR_EMALFORMED;
	}
	memset(d, 0, sizeof(*d));
	d->kind = kind;
	d->id = rbuf_u16(r);
	if (template_kind_is_options(kind))
		sound = scope_read(r, d);
	else
		d->n_fields = rbuf_u16(r);
	start = r->p;
	for (unsigned i = 0; i < d->n_fields && rbuf_ok(r); i++) {
		struct template_spec s = template_spec_read(r, kind);

		if (s.variable) {
			d->variable = true;
			d->min_octets += 1;
		} else {
			d->min_octets += s.octets;
		}
	}
	if (!rbuf_ok(r))
		return -WEIR_EMALFORMED;
	d->fields = start;
	d->fields_octets = (size_t)(r->p - start);
	if (d->n_fields == 0 && template_kind_is_ipfix(kind))
		return withdrawal_sound(d) ? 0 : -WEIR_EMALFORMED;
	if (!sound || d->id < SET_DATA || d->n_fields > TEMPLATE_FIELDS_MAX ||
	    d->min_octets > TEMPLATE_OCTETS_MAX)
		return -WEIR_EMALFORMED;
	return d->min_octets != 0 ? 0 : -WEIR_EMALFORMED;
}

void
template_free(struct template *t)
{
	if (t != NULL)
		free(t->reverse);
	free(t);
}

bool
template_same(const struct template *t, const struct template_def *d)
{
	return t->kind == d->kind && t->n_fields == d->n_fields &&
	       t->n_scope == d->n_scope && t->fields_octets == d->fields_octets &&
	       memcmp(t->fields, d->fields, d->fields_octets) == 0;
}
