/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/record.h"

#include "proto/netflow.h"

struct record_walk
record_walk_of(const struct template *t, struct rbuf *r)
{
	return (struct record_walk){
		.specs = rbuf_of(t->fields, t->fields_octets),
		.record = r,
		.kind = (enum template_kind)t->kind,
		.left = t->n_fields,
		.scope_left = t->n_scope,
	};
}

bool
record_walk_next(struct record_walk *w, struct record_value *v)
{
	struct template_spec s;

	if (w->left == 0)
		return false;
	w->left--;
	s = template_spec_read(&w->specs, w->kind);
	v->enterprise = s.enterprise;
	v->id = s.id;
	v->scope = w->scope_left > 0;
	w->scope_left = (uint16_t)(w->scope_left - v->scope);
	v->octets = s.variable ? netflow_variable(w->record) : s.octets;
	v->p = rbuf_get(w->record, v->octets);
	return rbuf_ok(w->record);
}
