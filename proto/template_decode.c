/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hot half of template.h: a template's steps run over one record after the other. */
#include <stdbool.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "proto/netflow.h"
#include "proto/section.h"
#include "proto/template.h"
#include "proto/template_steps.h"
#include "proto/value.h"

/* A record that lies open: where its segments and variable values stand. */
struct record {
	struct value_env env;
	const uint8_t *at[SEGMENTS_MAX];
	const uint8_t *value[SEGMENTS_MAX]; /* of the field after the segment */
	uint16_t value_octets[SEGMENTS_MAX];
};

static bool
value_is_zero(const uint8_t *p, unsigned octets)
{
	for (unsigned i = 0; i < octets; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* The number at `at`, of fixed length; the low octets of a longer one. */
static uint64_t
place_uint(const struct record *rec, const struct template_place *at)
{
	struct rbuf r = rbuf_of(rec->at[at->segment] + at->from, at->octets);

	if (at->octets > sizeof(uint64_t))
		rbuf_skip(&r, at->octets - sizeof(uint64_t));
	return rbuf_uint(&r, rbuf_left(&r));
}

static bool
conditions_hold(const struct template *t, const struct template_step *s,
    const struct record *rec, const uint8_t *p, unsigned octets)
{
	if ((s->conditions & IF_NOT_ZERO) != 0 && value_is_zero(p, octets))
		return false;
	if ((s->conditions & IF_INNER) != 0 &&
	    value_is_zero(rec->at[s->inner_segment] + s->inner, s->inner_octets))
		return false;
	return (s->conditions & IF_EGRESS) == 0 ||
	       place_uint(rec, &t->direction) == 1;
}

/* The steps without a quick operation. */
static __attribute__((noinline)) void
step_any(const struct template *t, const struct template_step *s, struct record *rec,
    struct flow *f)
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
		value_store((enum ie_convert)s->convert, p, octets, &rec->env, s->width,
		    (uint8_t *)f + s->to);
}

/* The quick operations: what type `p`, the octets on the wire, becomes, and how. */
#define QUICK_OPS(X) \
	X(OP_1_1, uint8_t, *p) \
	X(OP_1_2, uint16_t, *p) \
	X(OP_2_2, uint16_t, wire_u16(p)) \
	X(OP_1_4, uint32_t, *p) \
	X(OP_2_4, uint32_t, wire_u16(p)) \
	X(OP_4_4, uint32_t, wire_u32(p)) \
	X(OP_1_8, uint64_t, *p) \
	X(OP_2_8, uint64_t, wire_u16(p)) \
	X(OP_4_8, uint64_t, wire_u32(p)) \
	X(OP_8_8, uint64_t, wire_u64(p)) \
	X(OP_IP4, ip16_t, ip_from_v4(p)) \
	X(OP_IP6, ip16_t, ip_from_v6(p)) \
	X(OP_UPTIME4, uint64_t, netflow_uptime_ns(now, uptime, wire_u32(p))) \
	X(OP_S4, uint64_t, wire_u32(p) * CLOCK_S) \
	X(OP_MS8, uint64_t, value_scale(wire_u64(p), CLOCK_MS))

static void
etype_fill(const struct template *t, struct flow *f)
{
	if (t->etype == ETYPE_BY_HOST)
		f->etype = ip_is_v4(&f->src_host) ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
	else
		f->etype = t->etype;
}

/* For each step of a run of steps that do the same, the value of the one record. */
#define ROW(op, type, value) \
	case op: \
		do { \
			const uint8_t *p = rec->at[s->segment] + s->from; \
			type v_ = (type)(value); \
			memcpy((uint8_t *)f + s->to, &v_, sizeof(v_)); \
			s++; \
		} while (--n > 0); \
		break;

/* All steps over one record. */
static void
steps_row(const struct template *t, struct record *rec, struct flow *f)
{
	const struct template_step *end = t->steps + t->n_steps;
	const uint64_t now = rec->env.clock->export_ns;
	const uint32_t uptime = rec->env.clock->uptime_ms;

	for (const struct template_step *s = t->steps; s < end;) {
		unsigned n = s->run;

		switch ((enum op)s->op) {
			QUICK_OPS(ROW)
		case OP_ANY:
		case OP_IF:
		case OP_VARIABLE:
			step_any(t, s++, rec, f);
			break;
		}
	}
	if (t->etype != 0)
		etype_fill(t, f);
}

/* For each record, the value of the one step. */
#define COLUMN(op, type, value) \
	case op: \
		for (unsigned i = n; i > 0; i--) { \
			type v_ = (type)(value); \
			memcpy(to, &v_, sizeof(v_)); \
			p += octets; \
			to += sizeof(struct flow); \
		} \
		break;

/*
 * All steps over `n` records of one segment, whose first lies open: column by column, so
 * that what to do is found out once for all of them.
 */
static void
steps_columns(const struct template *t, struct record *rec, struct flow *f, unsigned n)
{
	const uint64_t now = rec->env.clock->export_ns;
	const uint32_t uptime = rec->env.clock->uptime_ms;
	const uint8_t *first = rec->at[0];
	const size_t octets = t->min_octets;

	for (const struct template_step *s = t->steps; s < t->steps + t->n_steps; s++) {
		const uint8_t *p = first + s->from;
		uint8_t *to = (uint8_t *)f + s->to;

		switch ((enum op)s->op) {
			QUICK_OPS(COLUMN)
		case OP_ANY:
		case OP_IF:
		case OP_VARIABLE:
			for (unsigned i = 0; i < n; i++) {
				rec->at[0] = first + i * octets;
				step_any(t, s, rec, f + i);
			}
			break;
		}
	}
	for (unsigned i = 0; t->etype != 0 && i < n; i++)
		etype_fill(t, f + i);
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

/* The exporter's start, told in ms; 0 when that is no time. */
static uint64_t
boot_ns(uint64_t ms)
{
	return ms <= (UINT64_MAX >> 1) / CLOCK_MS ? ms * CLOCK_MS : 0;
}

/* What must be known before the steps run, which overrule what a section says. */
static __attribute__((noinline)) void
record_begin(const struct template *t, struct record *rec, struct flow *f)
{
	const struct template_place *at = &t->section;
	unsigned size = 0;

	rec->env.n_labels = 0;
	rec->env.boot_ns = 0;
	if ((t->special & SPECIAL_BOOT) != 0)
		rec->env.boot_ns = boot_ns(place_uint(rec, &t->boot));
	if ((t->special & SPECIAL_SECTION) == 0)
		return;
	if ((t->special & SPECIAL_SECTION_SIZE) != 0)
		size = (unsigned)place_uint(rec, &t->section_size) & UINT16_MAX;
	section_fill((enum section_kind)t->section_kind,
	    at->variable ? rec->value[at->segment] : rec->at[at->segment] + at->from,
	    at->variable ? rec->value_octets[at->segment] : at->octets, size, &t->needed,
	    f);
}

/* One record that is more than its steps, or of variable length. */
static int
record_decode(const struct template *t, struct rbuf *r, const struct template_clock *clock,
    struct flow *f)
{
	struct record rec;

	rec.env.clock = clock;
	if (record_open(t, r, &rec) != 0)
		return -WEIR_EMALFORMED;
	record_begin(t, &rec, f);
	steps_row(t, &rec, f);
	if ((t->special & SPECIAL_LABELS) != 0)
		f->mpls_label_stack = value_labels(&rec.env);
	return 0;
}

int
template_decode(const struct template *t, struct rbuf *r,
    const struct template_clock *clock, struct flow *f)
{
	struct record rec;

	if (t->variable || t->special != 0)
		return record_decode(t, r, clock, f);
	rec.env.clock = clock;
	rec.at[0] = rbuf_get(r, t->min_octets);
	if (rec.at[0] == NULL)
		return -WEIR_EMALFORMED;
	steps_row(t, &rec, f);
	return 0;
}

unsigned
template_decode_many(const struct template *t, struct rbuf *r,
    const struct template_clock *clock, struct flow *f, unsigned n)
{
	struct record rec;
	unsigned done = 0;

	if (t->variable || t->special != 0 || n == 1) {
		while (done < n && rbuf_left(r) >= t->min_octets &&
		       template_decode(t, r, clock, &f[done]) == 0)
			done++;
		return done;
	}
	done = n;
	if ((size_t)n * t->min_octets > rbuf_left(r))
		done = (unsigned)(rbuf_left(r) / t->min_octets);
	rec.env.clock = clock;
	rec.at[0] = rbuf_get(r, (size_t)done * t->min_octets);
	if (done > 0)
		steps_columns(t, &rec, f, done);
	return done;
}

bool
template_decode_reverse(const struct template *t, struct rbuf r,
    const struct template_clock *clock, struct flow *f)
{
	return t->reverse != NULL && template_decode(t->reverse, &r, clock, f) == 0 &&
	       (f->packets != 0 || f->bytes != 0);
}
