/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cold half of template.h: which elements of a template fill what, and by which steps. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "flow/custom.h"
#include "proto/biflow.h"
#include "proto/ie.h"
#include "proto/section.h"
#include "proto/template.h"
#include "proto/template_steps.h"

#define STEPS_MAX 192U
#define PROBE_CLASS_OCTETS 16U
#define CHOICE_MAX 16U /* elements of one rank for one primitive */

/* Where a field stands in a record; its segment may be one that is not kept in mind. */
struct place {
	struct template_spec spec;
	uint32_t from; /* in its segment; of a variable field: the segment's octets */
	uint16_t segment;
	bool scope; /* of NetFlow v9: no element, though its number may be one's */
};

/* A template on its way to being compiled. */
struct compiler {
	const struct template_def *def;
	struct place places[TEMPLATE_FIELDS_MAX];
	struct template_segment segments[TEMPLATE_FIELDS_MAX + 1];
	struct template_step steps[STEPS_MAX];
	unsigned n_segments, n_steps;
	const struct place *direction, *boot, *section, *section_size;
	bool has_initiator; /* responder's counters are those of the reverse */
	enum section_kind section_kind;
	bool has_v4, has_v6;
	bool reverse; /* of a biflow's other direction */
	bool has_counters; /* some step fills packets or bytes */
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
		p->scope = c->def->kind == TEMPLATE_V9_OPTIONS && i < c->def->n_scope;
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

/* Whether `p` holds element (enterprise, id), as a value that `convert` can read. */
static bool
place_is(
    const struct place *p, uint32_t enterprise, uint16_t id, enum ie_convert convert)
{
	return p->spec.id == id && p->spec.enterprise == enterprise && !p->scope &&
	       p->segment < SEGMENTS_MAX &&
	       (p->spec.variable || ie_fits(convert, p->spec.octets));
}

/* The last place of element (enterprise, id) whose value can be what `convert` says. */
static const struct place *
place_find(
    const struct compiler *c, uint32_t enterprise, uint16_t id, enum ie_convert convert)
{
	for (unsigned i = c->def->n_fields; i-- > 0;)
		if (place_is(&c->places[i], enterprise, id, convert))
			return &c->places[i];
	return NULL;
}

/* The place of element `id`, which must have `octets` at least and no variable length. */
static const struct place *
fixed_find(const struct compiler *c, uint16_t id, unsigned octets)
{
	const struct place *p = place_find(c, 0, id, IE_UINT);

	return p != NULL && !p->spec.variable && p->spec.octets >= octets ? p : NULL;
}

/* The first field that is the start of a packet, where it begins at the packet's start. */
static void
section_find(struct compiler *c)
{
	if (place_find(c, 0, IE_SECTION_OFFSET, IE_UINT) != NULL)
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
op_of(
    const struct compiler *c, enum ie_convert convert, unsigned octets, unsigned width)
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
	if (convert == IE_S && octets == 4)
		return OP_S4;
	if (convert == IE_MS && octets == 8)
		return OP_MS8;
	if (convert == IE_UINT)
		for (size_t i = 0; i < sizeof(quick) / sizeof(quick[0]); i++)
			if (quick[i].octets == octets && quick[i].width == width)
				return (enum op)quick[i].op;
	return OP_ANY;
}

/* An element that a template has for a primitive. */
struct choice {
	const struct ie *row;
	const struct place *place;
	const struct place
	    *inner; /* counts only where this has a value; NULL: always */
};

/* How the values of a custom primitive read. */
static const struct ie custom_rows[] = {
	[CUSTOM_UINT] = { .convert = IE_UINT },
	[CUSTOM_HEX] = { .convert = IE_HEX },
	[CUSTOM_IP] = { .convert = IE_IP4 },
	[CUSTOM_MAC] = { .convert = IE_MAC },
	[CUSTOM_STR] = { .convert = IE_STR },
	[CUSTOM_RAW] = { .convert = IE_RAW },
};
static const struct ie custom_row_ip6 = { .convert = IE_IP6 };

/* Elements for custom primitive `no`: at the length that the template gives them. */
static unsigned
customs_find(const struct compiler *c, enum field_no no, struct choice *found)
{
	const struct custom *d = custom_of(no);
	unsigned n = 0;

	if (d == NULL)
		return 0;
	found[0] = found[1] = (struct choice){ .row = &custom_rows[d->semantics] };
	found[n].place =
	    place_find(c, d->enterprise, d->element, found[n].row->convert);
	n += found[n].place != NULL;
	if (d->semantics != CUSTOM_IP)
		return n;
	found[n].row = &custom_row_ip6;
	found[n].place = place_find(c, d->enterprise, d->element, IE_IP6);
	return n + (found[n].place != NULL);
}

/* Whether the message has what the conversion reckons with. */
static bool
convert_works(const struct compiler *c, enum ie_convert convert)
{
	return convert != IE_UPTIME || !template_kind_is_ipfix(c->def->kind) ||
	       c->boot != NULL;
}

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

/* Octets that a value takes in the member of `no`, which for custom ones has room. */
static unsigned
width_of(enum field_no no, enum ie_convert convert)
{
	if (fields[no].value != FIELD_CUSTOM)
		return fields[no].octets;
	return convert == IE_UINT			? sizeof(uint64_t)
	       : convert == IE_MAC			? sizeof(mac_t)
	       : convert == IE_IP4 || convert == IE_IP6 ? sizeof(ip16_t)
							: sizeof(uint32_t);
}

static void
step_add(struct compiler *c, enum field_no no, const struct choice *choice,
    unsigned conditions)
{
	const struct ie *row = choice->row;
	const struct place *p = choice->place;
	struct template_step *s = &c->steps[c->n_steps++];
	unsigned octets = p->spec.octets, skip = 0;

	assert(c->n_steps <= STEPS_MAX);
	s->to = fields[no].offset;
	s->width = (uint8_t)width_of(no, row->convert);
	s->convert = (uint8_t)row->convert;
	s->conditions = (uint8_t)conditions;
	s->segment = (uint8_t)p->segment;
	if (choice->inner != NULL) {
		s->conditions |= IF_INNER;
		s->inner = (uint16_t)choice->inner->from;
		s->inner_octets = (uint8_t)choice->inner->spec.octets;
		s->inner_segment = (uint8_t)choice->inner->segment;
	}
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
	s->op = (uint8_t)(s->conditions != 0 ? OP_IF
					     : op_of(c, (enum ie_convert)s->convert,
						   octets, s->width));
}

/*
 * What belongs to a tunnel's own header: the first of several places of one element, or an
 * address behind which the other family's stands, which then must have a value.
 */
static bool
tunnel_find(const struct compiler *c, const struct ie *row, struct choice *found)
{
	static const uint16_t families[][2] = {
		{ IE_SOURCE_IP4, IE_SOURCE_IP6 },
		{ IE_DESTINATION_IP4, IE_DESTINATION_IP6 },
	};
	const struct place *last =
	    place_find(c, row->enterprise, row->id, row->convert);
	const struct place *first = c->places;

	if (last == NULL)
		return false;
	while (!place_is(first, row->enterprise, row->id, row->convert))
		first++;
	found->place = first;
	if (first != last)
		return true;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		for (size_t k = 0; k < 2; k++)
			if (families[i][k] == row->id)
				found->inner = place_find(c, 0, families[i][1 - k],
				    row->convert == IE_IP4 ? IE_IP6 : IE_IP4);
	return found->inner > first && !found->inner->spec.variable;
}

/*
 * Whether an element is what pmacct's probe meant by its number, at place `p`: a class had
 * 16 octets. Others mean MPLS by the same numbers (200 mplsTopLabelTTL, ...), in four octets
 * at most.
 */
static bool
probe_fits(const struct compiler *c, const struct ie *row, const struct place *p)
{
	if (template_kind_is_ipfix(c->def->kind))
		return false;
	if (row->convert == IE_STR)
		return p->spec.octets == PROBE_CLASS_OCTETS;
	return p->spec.octets > sizeof(uint32_t) ||
	       place_find(c, 0, IE_MPLS_TOP_LABEL, IE_LABEL) == NULL;
}

/*
 * What `row` means for a flow in the direction that is compiled: forward, or with `pen`
 * the reverse element of a biflow. False when the template has nothing for it.
 */
static bool
choice_find(
    const struct compiler *c, const struct ie *row, bool pen, struct choice *found)
{
	uint32_t enterprise = pen && !row->reverse ? IE_REVERSE_PEN : row->enterprise;

	*found = (struct choice){ .row = row };
	if (!convert_works(c, row->convert) ||
	    (row->reverse && !(pen && c->has_initiator)) ||
	    (pen && (row->tunnel || row->enterprise != 0)))
		return false;
	if (row->tunnel)
		return tunnel_find(c, row, found);
	found->place = place_find(c, enterprise, row->id, row->convert);
	return found->place != NULL &&
	       (!row->probe || probe_fits(c, row, found->place));
}

/* The elements of the best rank that there are for primitive `no`. Returns how many. */
static unsigned
choices_find(const struct compiler *c, enum field_no no, bool pen, struct choice *found)
{
	unsigned n = 0, best = UINT8_MAX;

	for (size_t i = 0; i < IE_ROWS; i++) {
		const struct ie *row = &ies[i];
		struct choice one;

		if (row->field != no || row->rank > best ||
		    !choice_find(c, row, pen, &one))
			continue;
		if (row->rank < best)
			n = 0;
		best = row->rank;
		assert(n < CHOICE_MAX);
		found[n++] = one;
	}
	families_order(found, n);
	return n;
}

/* Whether `no` has a value before the record is read, which a zero there does not undo. */
static bool
is_known_before(enum field_no no)
{
	return no == F_PEER_SRC_IP || no == F_SAMPLING_RATE;
}

/* Steps that fill primitive `no`, the least wanted element first. */
static void
choices_compile(
    struct compiler *c, enum field_no no, const struct choice *found, unsigned n)
{
	unsigned n_out = 0;

	for (unsigned i = n; i-- > 0;) {
		step_add(c, no, &found[i],
		    i == n - 1 && !is_known_before(no) ? 0 : IF_NOT_ZERO);
		c->has_v4 |= found[i].row->convert == IE_IP4 && no == F_SRC_HOST;
		c->has_v6 |= found[i].row->convert == IE_IP6 && no == F_SRC_HOST;
		n_out += found[i].row->out;
	}
	c->has_counters |= n > 0 && (no == F_PACKETS || no == F_BYTES);
	if (c->direction == NULL || n_out == 0 || n_out == n)
		return;
	for (unsigned i = n; i-- > 0;)
		if (found[i].row->out)
			step_add(c, no, &found[i], IF_NOT_ZERO | IF_EGRESS);
}

/*
 * Steps for primitive `no`. In the reverse direction its own elements come first; then
 * what is counted is not known, and for the rest source and destination change places:
 * RFC 5103 s3.
 */
static void
field_compile(struct compiler *c, enum field_no no)
{
	struct choice found[CHOICE_MAX];
	unsigned n = fields[no].value == FIELD_CUSTOM
			 ? customs_find(c, no, found)
			 : choices_find(c, no, c->reverse, found);

	if (n == 0 && c->reverse && !biflow_is_measured(no))
		n = choices_find(c, biflow_mirror(no), false, found);
	choices_compile(c, no, found, n);
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
	t->options = template_kind_is_options(d->kind);
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

static void
fields_compile(struct compiler *c, const struct field_set *set)
{
	for (unsigned i = 0; i < FIELD_COUNT; i++)
		if (field_set_has(set, (enum field_no)i))
			field_compile(c, (enum field_no)i);
	steps_sort(c);
}

/* What the steps of `c` say, on the heap. */
static struct template *
compiler_finish(const struct compiler *c, const struct field_set *set)
{
	struct template *t = compiler_result(c);

	if (t != NULL) {
		t->etype = etype_compile(c, set);
		t->needed = *set;
		t->start_by_uptime = starts_by_uptime(c);
		t->traits = template_traits_of(c->def);
	}
	return t;
}

/* The other direction, where the template counts it; false when memory is short. */
static bool
reverse_compile(struct compiler *c, const struct field_set *set, struct template *t)
{
	c->reverse = true;
	c->has_initiator = place_find(c, 0, IE_INITIATOR_OCTETS, IE_UINT) != NULL ||
			   place_find(c, 0, IE_INITIATOR_PACKETS, IE_UINT) != NULL;
	c->n_steps = 0;
	c->has_v4 = c->has_v6 = c->has_counters = false;
	c->section = c->section_size = NULL;
	fields_compile(c, set);
	if (!c->has_counters)
		return true;
	t->reverse = compiler_finish(c, set);
	if (t->reverse == NULL)
		return false;
	t->octets += t->reverse->octets;
	return true;
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
	if (field_set_has(&set, F_ETYPE) || field_set_has(&set, F_SAMPLE_TYPE))
		field_set_add(&set, F_SRC_HOST);
	c->direction = fixed_find(c, IE_FLOW_DIRECTION, 1);
	if (template_kind_is_ipfix(d->kind))
		c->boot = fixed_find(c, IE_SYSTEM_INIT_MS, 8);
	section_find(c);
	fields_compile(c, &set);
	t = compiler_finish(c, &set);
	if (t != NULL && !t->options && !reverse_compile(c, &set, t)) {
		template_free(t);
		t = NULL;
	}
	free(c);
	return t;
}
