/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/template.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "proto/ie.h"
#include "proto/netflow.h"

#define ETHERTYPE_IPV4 0x0800U
#define ETHERTYPE_IPV6 0x86ddU
#define ETYPE_BY_HOST 1U
#define NTP_1970 UINT64_C(2208988800) /* s from 1900 to 1970: RFC 5905 */

#define STEPS_MAX 128U
#define SEGMENTS_MAX 32U /* what stands after so many variable fields is stepped over */
#define CHOICE_MAX 8U /* elements of one rank for one primitive */

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
	OP_ANY,
	OP_IF, /* only if `conditions` hold */
	OP_VARIABLE, /* the value's length stands in the record */
};

enum condition { IF_NOT_ZERO = 1, IF_EGRESS = 2 };

struct template_step {
	uint16_t from; /* octet in the segment */
	uint16_t to; /* octet in struct flow */
	uint8_t op; /* enum op */
	uint8_t conditions; /* enum condition, or-ed */
	uint8_t convert; /* enum ie_convert */
	uint8_t segment;
	uint16_t octets; /* on the wire */
	uint8_t width; /* of the member */
	uint8_t run; /* steps from here on that do the same */
};

/*
 * A run of fields of fixed length; a variable field follows each but the last. A
 * template of fixed length is one segment.
 */
struct template_segment {
	uint32_t octets;
};

/* A record that lies open: where its segments and variable values stand. */
struct record {
	const uint8_t *at[SEGMENTS_MAX];
	const uint8_t *value[SEGMENTS_MAX]; /* of the field after the segment */
	uint16_t value_octets[SEGMENTS_MAX];
};

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
	const struct place *direction;
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

/* The last place of element (enterprise, id) whose value can be what `convert` says. */
static const struct place *
place_find(
    const struct compiler *c, uint32_t enterprise, uint16_t id, enum ie_convert convert)
{
	for (unsigned i = c->def->n_fields; i-- > 0;) {
		const struct place *p = &c->places[i];

		if (p->spec.id == id && p->spec.enterprise == enterprise &&
		    p->segment < SEGMENTS_MAX &&
		    (p->spec.variable || ie_fits(convert, p->spec.octets)))
			return p;
	}
	return NULL;
}

/* The quick operation for a value of `octets` in a member of `width`, or OP_ANY. */
static enum op
op_of(enum ie_convert convert, unsigned octets, unsigned width)
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
	if (convert == IE_UPTIME && octets == 4)
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
	if (row->convert == IE_LOW8)
		skip = octets - 1;
	else if (row->convert == IE_UINT && octets > s->width)
		skip = octets - s->width;
	octets -= skip;
	s->from = (uint16_t)(p->from + skip);
	s->octets = (uint16_t)octets;
	if (row->convert == IE_LOW8)
		s->convert = IE_UINT;
	s->op = (uint8_t)(conditions != 0
			      ? OP_IF
			      : op_of((enum ie_convert)s->convert, octets, s->width));
}

/* Whether the message has what the conversion reckons with. */
static bool
convert_works(const struct compiler *c, enum ie_convert convert)
{
	return convert != IE_UPTIME || !kind_is_ipfix(c->def->kind);
}

/*
 * Steps for primitive `no`: of its elements of the best rank, the least wanted first.
 */
static void
field_compile(struct compiler *c, enum field_no no)
{
	struct {
		const struct ie *row;
		const struct place *place;
	} found[CHOICE_MAX];
	unsigned n = 0, n_out = 0, best = UINT8_MAX;

	for (size_t i = 0; i < IE_ROWS; i++) {
		const struct ie *row = &ies[i];
		const struct place *p;

		if (row->field != no || row->rank > best ||
		    !convert_works(c, row->convert))
			continue;
		p = place_find(c, row->enterprise, row->id, row->convert);
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
	if (!field_set_has(set, F_ETYPE) || place_find(c, 0, 256, IE_UINT) != NULL ||
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
	if (c->direction != NULL) {
		t->direction_segment = (uint8_t)c->direction->segment;
		/* Of a longer one the low octet counts. */
		t->direction =
		    (uint16_t)(c->direction->from + c->direction->spec.octets - 1);
	}
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
	c->direction = place_find(c, 0, IE_FLOW_DIRECTION, IE_UINT);
	if (c->direction != NULL && c->direction->spec.variable)
		c->direction = NULL;
	if (!kind_is_options(d->kind))
		for (unsigned i = 0; i < FIELD_COUNT; i++)
			if (field_set_has(&set, (enum field_no)i))
				field_compile(c, (enum field_no)i);
	steps_sort(c);
	t = compiler_result(c);
	if (t != NULL) {
		t->etype = etype_compile(c, &set);
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

static uint64_t
uint_load(const uint8_t *p, unsigned octets)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < octets; i++)
		v = v << 8 | p[i];
	return v;
}

/* s and fraction since 1900 to ns since 1970; 0 when before. */
static uint64_t
ntp_ns(const uint8_t *p)
{
	uint64_t s = wire_u32(p), fraction = wire_u32(p + 4);

	/* Era 1 begins in 2036: a number too small for 1970 is of that era. */
	if (s == 0 && fraction == 0)
		return 0;
	s += s < NTP_1970 ? UINT64_C(1) << 32 : 0;
	return (s - NTP_1970) * CLOCK_S + (fraction * CLOCK_S >> 32);
}

/* A product that does not wrap: times from outside may be anything. */
static uint64_t
scale(uint64_t v, uint64_t by)
{
	return v <= UINT64_MAX / by ? v * by : 0;
}

/* The value at `p` as a time, ns since 1970; 0 when it is none. */
static uint64_t
time_load(enum ie_convert convert, const uint8_t *p, unsigned octets,
    const struct template_clock *clock)
{
	uint64_t v = uint_load(p, octets);

	switch (convert) {
	case IE_S:
		return scale(v, CLOCK_S);
	case IE_MS:
		return scale(v, CLOCK_MS);
	case IE_NTP:
		return ntp_ns(p);
	case IE_DELTA_US:
		v = scale(v, CLOCK_US);
		return clock->export_ns > v ? clock->export_ns - v : 0;
	default:
		return netflow_uptime_ns(
		    clock->export_ns, clock->uptime_ms, (uint32_t)v);
	}
}

/* Any conversion, at any length that fits. */
static void
value_store(const struct template_step *s, const uint8_t *p, unsigned octets,
    const struct template_clock *clock, uint8_t *to)
{
	ip16_t a;

	switch ((enum ie_convert)s->convert) {
	case IE_LOW8:
		field_uint_set(to, s->width, p[octets - 1]);
		return;
	case IE_UINT:
		if (octets > s->width)
			p += octets - s->width;
		field_uint_set(
		    to, s->width, uint_load(p, octets < s->width ? octets : s->width));
		return;
	case IE_IP4:
		a = ip_from_v4(p);
		memcpy(to, &a, sizeof(a));
		return;
	case IE_IP6:
	case IE_MAC:
		memcpy(to, p, s->width);
		return;
	default:
		field_uint_set(to, s->width,
		    time_load((enum ie_convert)s->convert, p, octets, clock));
		return;
	}
}

static bool
value_is_zero(const uint8_t *p, unsigned octets)
{
	for (unsigned i = 0; i < octets; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static bool
conditions_hold(const struct template *t, const struct template_step *s,
    const struct record *rec, const uint8_t *p, unsigned octets)
{
	if ((s->conditions & IF_NOT_ZERO) != 0 && value_is_zero(p, octets))
		return false;
	return (s->conditions & IF_EGRESS) == 0 ||
	       rec->at[t->direction_segment][t->direction] == 1;
}

/* The steps without a quick operation. */
static __attribute__((noinline)) void
step_any(const struct template *t, const struct template_step *s,
    const struct record *rec, const struct template_clock *clock, struct flow *f)
{
	const uint8_t *p = rec->at[s->segment] + s->from;
	unsigned octets = s->octets;

	if (s->op == OP_VARIABLE) {
		p = rec->value[s->segment];
		octets = rec->value_octets[s->segment];
		if (!ie_fits((enum ie_convert)s->convert, octets))
			return;
	}
	if (conditions_hold(t, s, rec, p, octets))
		value_store(s, p, octets, clock, (uint8_t *)f + s->to);
}

/* Do `value`, an expression of `p`, for each step of a run of `op`. */
#define RUN(op, type, value) \
	case op: \
		do { \
			const uint8_t *p = \
			    (fixed ? base : rec->at[s->segment]) + s->from; \
			type v_ = (type)(value); \
			memcpy((uint8_t *)f + s->to, &v_, sizeof(v_)); \
			s++; \
		} while (--n > 0); \
		break;

/* `fixed`: one segment; a constant, so that each use is a loop of its own. */
static inline __attribute__((always_inline)) void
steps_run(const struct template *t, bool fixed, const struct record *rec,
    const struct template_clock *clock, struct flow *f)
{
	const struct template_step *end = t->steps + t->n_steps;
	const uint8_t *base = rec->at[0];
	const uint64_t now = clock->export_ns;
	const uint32_t uptime = clock->uptime_ms;

	for (const struct template_step *s = t->steps; s < end;) {
		unsigned n = s->run;

		switch ((enum op)s->op) {
		RUN(OP_1_1, uint8_t, *p)
		RUN(OP_1_2, uint16_t, *p)
		RUN(OP_2_2, uint16_t, wire_u16(p))
		RUN(OP_1_4, uint32_t, *p)
		RUN(OP_2_4, uint32_t, wire_u16(p))
		RUN(OP_4_4, uint32_t, wire_u32(p))
		RUN(OP_1_8, uint64_t, *p)
		RUN(OP_2_8, uint64_t, wire_u16(p))
		RUN(OP_4_8, uint64_t, wire_u32(p))
		RUN(OP_8_8, uint64_t, wire_u64(p))
		RUN(OP_IP4, ip16_t, ip_from_v4(p))
		RUN(OP_IP6, ip16_t, ip_from_v6(p))
		RUN(OP_UPTIME4, uint64_t, netflow_uptime_ns(now, uptime, wire_u32(p)))
		case OP_ANY:
		case OP_IF:
		case OP_VARIABLE:
			step_any(t, s++, rec, clock, f);
			break;
		}
	}
	if (t->etype == ETYPE_BY_HOST)
		f->etype = ip_is_v4(&f->src_host) ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
	else if (t->etype != 0)
		f->etype = t->etype;
}

/* Find the segments of a record with variable fields. */
static int
record_open(const struct template *t, struct rbuf *r, struct record *rec)
{
	for (unsigned i = 0; i < t->n_segments; i++) {
		const uint8_t *at = rbuf_get(r, t->segments[i].octets), *value;
		unsigned octets;

		if (i < SEGMENTS_MAX)
			rec->at[i] = at;
		if (i + 1U == t->n_segments)
			break;
		octets = netflow_variable(r);
		value = rbuf_get(r, octets);
		if (i < SEGMENTS_MAX) {
			rec->value[i] = value;
			rec->value_octets[i] = (uint16_t)octets;
		}
	}
	return rbuf_ok(r) ? 0 : -WEIR_EMALFORMED;
}

int
template_decode(const struct template *t, struct rbuf *r,
    const struct template_clock *clock, struct flow *f)
{
	struct record rec;

	if (t->variable) {
		if (record_open(t, r, &rec) != 0)
			return -WEIR_EMALFORMED;
		steps_run(t, false, &rec, clock, f);
		return 0;
	}
	rec.at[0] = rbuf_get(r, t->min_octets);
	if (rec.at[0] == NULL)
		return -WEIR_EMALFORMED;
	steps_run(t, true, &rec, clock, f);
	return 0;
}
