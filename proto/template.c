/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/template.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "proto/ie.h"
#include "proto/netflow.h"
#include "proto/section.h"
#include "proto/template_steps.h"

#define STEPS_MAX 192U
#define CHOICE_MAX 16U /* elements of one rank for one primitive */

static bool
kind_is_ipfix(enum template_kind kind)
{
	return kind == TEMPLATE_IPFIX || kind == TEMPLATE_IPFIX_OPTIONS;
}

static bool
kind_is_options(enum template_kind kind)
{
	return kind == TEMPLATE_V9_OPTIONS || kind == TEMPLATE_IPFIX_OPTIONS;
}

struct template_spec
template_spec_read(struct rbuf *r, enum template_kind kind)
{
	struct template_spec s = { 0 };

	s.id = rbuf_u16(r);
	s.octets = rbuf_u16(r);
	/* In v9 the bit is part of the number: RFC 3954 has no enterprises. */
	if (kind_is_ipfix(kind) && (s.id & FIELD_ENTERPRISE) != 0) {
		s.id &= (uint16_t)~FIELD_ENTERPRISE;
		s.enterprise = rbuf_u32(r);
	}
	s.variable = s.octets == FIELD_VARIABLE && kind_is_ipfix(kind);
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
	if (kind_is_options(kind))
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
	if (d->n_fields == 0 && kind_is_ipfix(kind))
		return withdrawal_sound(d) ? 0 : -WEIR_EMALFORMED;
	if (!sound || d->id < SET_DATA || d->n_fields > TEMPLATE_FIELDS_MAX ||
	    d->min_octets > TEMPLATE_OCTETS_MAX)
		return -WEIR_EMALFORMED;
	return d->min_octets != 0 ? 0 : -WEIR_EMALFORMED;
}

/* Where a field stands in a record. */
struct place {
	struct template_spec spec;
	uint32_t from; /* in its segment; of a variable field: the segment's octets */
	uint16_t segment;
};

/* A template on its way to being compiled. */
struct compiler {
	const struct template_def *def;
	struct place places[TEMPLATE_FIELDS_MAX];
	struct template_segment segments[TEMPLATE_FIELDS_MAX + 1];
	struct template_step steps[STEPS_MAX];
	unsigned n_segments, n_steps;
	const struct place *direction, *boot, *section, *section_size;
	enum section_kind section_kind;
	bool has_v4, has_v6;
};

/* Lay the fields out: who stands in which segment, and where in it. */
static void
places_lay(struct compiler *c)
{
	struct rbuf r = rbuf_of(c->def->fields, c->def->fields_octets);
	uint32_t from = 0;
	uint16_t segment = 0;

	for (unsigned i = 0; i < c->def->n_fields; i++) {
		struct place *p = &c->places[i];

		p->spec = template_spec_read(&r, c->def->kind);
		p->segment = segment;
		p->from = from;
		if (!p->spec.variable) {
			from += p->spec.octets;
			continue;
		}
		c->segments[segment++].octets = from;
		from = 0;
	}
	c->segments[segment].octets = from;
	c->n_segments = segment + 1U;
}

/*
 * The last place of element (enterprise, id) whose value can be what `convert` says;
 * `repeated`: only when there is another before it.
 */
static const struct place *
place_find(const struct compiler *c, uint32_t enterprise, uint16_t id,
    enum ie_convert convert, bool repeated)
{
	const struct place *found = NULL;

	for (unsigned i = c->def->n_fields; i-- > 0;) {
		const struct place *p = &c->places[i];

		if (p->spec.id != id || p->spec.enterprise != enterprise ||
		    p->segment >= SEGMENTS_MAX ||
		    (!p->spec.variable && !ie_fits(convert, p->spec.octets)))
			continue;
		if (!repeated || found != NULL)
			return found != NULL ? found : p;
		found = p;
	}
	return NULL;
}

/* The place of element `id`, which must have `octets` at least and no variable length. */
static const struct place *
fixed_find(const struct compiler *c, uint16_t id, unsigned octets)
{
	const struct place *p = place_find(c, 0, id, IE_UINT, false);

	return p != NULL && !p->spec.variable && p->spec.octets >= octets ? p : NULL;
}

/* The first field that is the start of a packet, where it begins at the packet's start. */
static void
section_find(struct compiler *c)
{
	if (place_find(c, 0, IE_SECTION_OFFSET, IE_UINT, false) != NULL)
		return;
	for (unsigned i = 0; i < c->def->n_fields && c->section == NULL; i++) {
		const struct place *p = &c->places[i];
		enum section_kind kind = section_kind(p->spec.id);

		if (kind == SECTION_NONE || p->spec.enterprise != 0 ||
		    p->segment >= SEGMENTS_MAX)
			continue;
		c->section = p;
		c->section_kind = kind;
	}
	if (c->section_kind == SECTION_FRAME)
		c->section_size = fixed_find(c, IE_FRAME_SIZE, 1);
}

/* The quick operation for a value of `octets` in a member of `width`, or OP_ANY. */
static enum op
op_of(const struct compiler *c, enum ie_convert convert, unsigned octets, unsigned width)
{
	static const struct {
		uint8_t octets, width, op;
	} quick[] = {
		{ 1, 1, OP_1_1 },
		{ 1, 2, OP_1_2 },
		{ 2, 2, OP_2_2 },
		{ 1, 4, OP_1_4 },
		{ 2, 4, OP_2_4 },
		{ 4, 4, OP_4_4 },
		{ 1, 8, OP_1_8 },
		{ 2, 8, OP_2_8 },
		{ 4, 8, OP_4_8 },
		{ 8, 8, OP_8_8 },
	};

	if (convert == IE_IP4)
		return OP_IP4;
	if (convert == IE_IP6)
		return OP_IP6;
	if (convert == IE_UPTIME && octets == 4 && c->boot == NULL)
		return OP_UPTIME4;
	if (convert == IE_UINT)
		for (size_t i = 0; i < sizeof(quick) / sizeof(quick[0]); i++)
			if (quick[i].octets == octets && quick[i].width == width)
				return (enum op)quick[i].op;
	return OP_ANY;
}

static void
step_add(struct compiler *c, const struct ie *row, const struct place *p,
    unsigned conditions)
{
	struct template_step *s = &c->steps[c->n_steps++];
	unsigned octets = p->spec.octets, skip = 0;

	assert(c->n_steps <= STEPS_MAX);
	s->to = fields[row->field].offset;
	s->width = fields[row->field].octets;
	s->convert = (uint8_t)row->convert;
	s->conditions = (uint8_t)conditions;
	s->segment = (uint8_t)p->segment;
	if (p->spec.variable) {
		s->op = OP_VARIABLE;
		return;
	}
	/* Low octets first to last: what a member cannot hold is never loaded. */
	if (row->convert == IE_LOW8 || row->convert == IE_HIGH8)
		skip = octets - (row->convert == IE_LOW8 ? 1 : 2);
	else if (row->convert == IE_UINT && octets > s->width)
		skip = octets - s->width;
	octets = row->convert == IE_HIGH8 ? 1 : octets - skip;
	s->from = (uint16_t)(p->from + skip);
	s->octets = (uint16_t)octets;
	if (row->convert == IE_LOW8 || row->convert == IE_HIGH8)
		s->convert = IE_UINT;
	s->op = (uint8_t)(conditions != 0
			      ? OP_IF
			      : op_of(c, (enum ie_convert)s->convert, octets, s->width));
}

/* Whether the message has what the conversion reckons with. */
static bool
convert_works(const struct compiler *c, enum ie_convert convert)
{
	return convert != IE_UPTIME || !kind_is_ipfix(c->def->kind) || c->boot != NULL;
}

/* An element that a template has for a primitive. */
struct choice {
	const struct ie *row;
	const struct place *place;
};

/* Of two address families, the one that stands later is of the packet within a tunnel. */
static void
families_order(struct choice *found, unsigned n)
{
	if (n == 2 && fields[found[0].row->field].value == FIELD_IP &&
	    found[0].row->convert != found[1].row->convert &&
	    found[0].place < found[1].place) {
		struct choice first = found[0];

		found[0] = found[1];
		found[1] = first;
	}
}

/*
 * Steps for primitive `no`: of its elements of the best rank, the least wanted first.
 */
static void
field_compile(struct compiler *c, enum field_no no)
{
	struct choice found[CHOICE_MAX];
	unsigned n = 0, n_out = 0, best = UINT8_MAX;

	for (size_t i = 0; i < IE_ROWS; i++) {
		const struct ie *row = &ies[i];
		const struct place *p;

		if (row->field != no || row->rank > best ||
		    !convert_works(c, row->convert))
			continue;
		p = place_find(c, row->enterprise, row->id, row->convert, row->inner);
		if (p == NULL)
			continue;
		if (row->rank < best)
			n = n_out = 0;
		best = row->rank;
		assert(n < CHOICE_MAX);
		n_out += row->out;
		found[n].row = row;
		found[n++].place = p;
	}
	families_order(found, n);
	for (unsigned i = n; i-- > 0;) {
		step_add(c, found[i].row, found[i].place, i == n - 1 ? 0 : IF_NOT_ZERO);
		c->has_v4 |= found[i].row->convert == IE_IP4 && no == F_SRC_HOST;
		c->has_v6 |= found[i].row->convert == IE_IP6 && no == F_SRC_HOST;
	}
	if (c->direction == NULL || n_out == 0 || n_out == n)
		return;
	for (unsigned i = n; i-- > 0;)
		if (found[i].row->out)
			step_add(
			    c, found[i].row, found[i].place, IF_NOT_ZERO | IF_EGRESS);
}

/* What EtherType to fill in where no element says it: the address family does. */
static uint16_t
etype_compile(const struct compiler *c, const struct field_set *set)
{
	if (!field_set_has(set, F_ETYPE) || place_find(c, 0, 256, IE_UINT, false) != NULL ||
	    (!c->has_v4 && !c->has_v6))
		return 0;
	if (c->has_v4 && c->has_v6)
		return ETYPE_BY_HOST;
	return c->has_v4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
}

/*
 * Bring steps that do the same together. What goes through step_any stays in its order,
 * at the end: it may depend on what was done before.
 */
static void
steps_sort(struct compiler *c)
{
	struct template_step sorted[STEPS_MAX];
	unsigned n = 0;

	for (unsigned op = 0; op <= OP_ANY; op++)
		for (unsigned i = 0; i < c->n_steps; i++)
			if (c->steps[i].op == op ||
			    (op == OP_ANY && c->steps[i].op > op))
				sorted[n++] = c->steps[i];
	assert(n == c->n_steps);
	for (unsigned i = n; i-- > 0;)
		sorted[i].run = (uint8_t)(i + 1 < n && sorted[i + 1].op == sorted[i].op
					      ? sorted[i + 1].run + 1
					      : 1);
	memcpy(c->steps, sorted, n * sizeof(sorted[0]));
}

static void
special_set(struct template *t, enum special special, struct template_place *to,
    const struct place *p)
{
	if (p == NULL)
		return;
	t->special |= (uint8_t)special;
	*to = (struct template_place){ .from = (uint16_t)p->from,
		.octets = p->spec.octets,
		.segment = (uint8_t)p->segment,
		.variable = p->spec.variable };
}

/* What a record takes beside its steps. */
static void
specials_set(struct template *t, const struct compiler *c)
{
	special_set(t, 0, &t->direction, c->direction);
	special_set(t, SPECIAL_BOOT, &t->boot, c->boot);
	special_set(t, SPECIAL_SECTION, &t->section, c->section);
	special_set(t, SPECIAL_SECTION_SIZE, &t->section_size, c->section_size);
	t->section_kind = (uint8_t)c->section_kind;
	for (unsigned i = 0; i < c->n_steps; i++)
		if (c->steps[i].convert == IE_PUSH)
			t->special |= SPECIAL_LABELS;
}

/* Put what was compiled into one piece of memory. */
static struct template *
compiler_result(const struct compiler *c)
{
	const struct template_def *d = c->def;
	size_t segments = c->n_segments * sizeof(struct template_segment);
	size_t steps = c->n_steps * sizeof(struct template_step);
	size_t octets = sizeof(struct template) + segments + steps + d->fields_octets;
	struct template *t = calloc(1, octets);
	uint8_t *at = (uint8_t *)(t + 1);

	if (t == NULL)
		return NULL;
	t->id = d->id;
	t->kind = (uint8_t)d->kind;
	t->options = kind_is_options(d->kind);
	t->variable = d->variable;
	t->min_octets = d->min_octets;
	t->n_fields = d->n_fields;
	t->n_scope = d->n_scope;
	t->octets = octets;
	t->n_segments = (uint16_t)c->n_segments;
	t->n_steps = (uint16_t)c->n_steps;
	t->segments = memcpy(at, c->segments, segments);
	t->steps = memcpy(at + segments, c->steps, steps);
	t->fields = memcpy(at + segments + steps, d->fields, d->fields_octets);
	t->fields_octets = d->fields_octets;
	specials_set(t, c);
	return t;
}

static bool
starts_by_uptime(const struct compiler *c)
{
	for (unsigned i = 0; i < c->n_steps; i++)
		if (c->steps[i].convert == IE_UPTIME &&
		    c->steps[i].to == fields[F_TIMESTAMP_START].offset)
			return true;
	return false;
}

struct template *
template_new(const struct template_def *d, const struct field_set *needed)
{
	struct compiler *c = calloc(1, sizeof(*c));
	struct field_set set = *needed;
	struct template *t;

	assert(d->min_octets != 0 && d->n_fields <= TEMPLATE_FIELDS_MAX);
	if (c == NULL)
		return NULL;
	c->def = d;
	places_lay(c);
	field_set_add(&set, F_PACKETS);
	field_set_add(&set, F_BYTES);
	field_set_add(&set, F_FLOWS);
	field_set_add(&set, F_TIMESTAMP_START);
	if (field_set_has(&set, F_ETYPE))
		field_set_add(&set, F_SRC_HOST);
	c->direction = fixed_find(c, IE_FLOW_DIRECTION, 1);
	if (kind_is_ipfix(d->kind))
		c->boot = fixed_find(c, IE_SYSTEM_INIT_MS, 8);
	section_find(c);
	if (!kind_is_options(d->kind))
		for (unsigned i = 0; i < FIELD_COUNT; i++)
			if (field_set_has(&set, (enum field_no)i))
				field_compile(c, (enum field_no)i);
	steps_sort(c);
	t = compiler_result(c);
	if (t != NULL) {
		t->etype = etype_compile(c, &set);
		t->needed = set;
		t->start_by_uptime = starts_by_uptime(c);
	}
	free(c);
	return t;
}

void
template_free(struct template *t)
{
	free(t);
}

bool
template_same(const struct template *t, const struct template_def *d)
{
	return t->kind == d->kind && t->n_fields == d->n_fields &&
	       t->n_scope == d->n_scope && t->fields_octets == d->fields_octets &&
	       memcmp(t->fields, d->fields, d->fields_octets) == 0;
}
