/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <string.h>

#include "flow/custom.h"
#include "flow/flow.h"
#include "proto/biflow.h"
#include "proto/encode_steps.h"
#include "proto/ie.h"
#include "proto/netflow.h"

#define TEXT9_OCTETS  32U /* of a text in v9, where lengths are fixed, */
#define CLASS9_OCTETS 16U /* and of pmacct's class */

/* How the values that an element converts from are made; the octets where no member says. */
static const struct {
	bool can;
	uint8_t kind;
	uint8_t octets; /* 0: those of the member */
	bool text;      /* of variable length in IPFIX */
} makes[IE_CONVERTS] = {
	[IE_UINT] = { true, STEP_UINT, 0, false },
	[IE_LOW8] = { true, STEP_UINT, 0, false },
	[IE_IP4] = { true, STEP_IP4, 4, false },
	[IE_IP6] = { true, STEP_COPY, 16, false },
	[IE_MAC] = { true, STEP_COPY, 6, false },
	[IE_DIRECTION] = { true, STEP_DIRECTION, 1, false },
	[IE_STR] = { true, STEP_TEXT, 0, true },
	[IE_RD] = { true, STEP_RD, 8, false },
	[IE_LABEL] = { true, STEP_LABEL, 3, false },
	[IE_BOTTOM] = { true, STEP_BOTTOM, 3, false },
	[IE_PUSH] = { true, STEP_STACK, 3, false },
	[IE_VXLAN] = { true, STEP_VXLAN, 8, false },
	[IE_NVGRE] = { true, STEP_NVGRE, 8, false },
	[IE_SEGMENTS] = { true, STEP_SEGMENTS, 0, true },
};

/* What every record tells by itself. */
static bool
is_everywhere(enum field_no no)
{
	return no == F_PACKETS || no == F_BYTES || no == F_TIMESTAMP_START ||
	    no == F_TIMESTAMP_END || no == F_TIMESTAMP_MIN || no == F_TIMESTAMP_MAX;
}

static bool
is_of_flow(enum field_no no)
{
	return no == F_SRC_HOST || no == F_DST_HOST || no == F_SRC_NET || no == F_DST_NET ||
	    no == F_SRC_MASK || no == F_DST_MASK || no == F_ICMP_TYPE || no == F_ICMP_CODE;
}

static bool
is_named_ipv6(const struct ie *ie)
{
	return strstr(ie->name, "IPv6") != NULL;
}

static bool
element_allowed(const struct ie *ie, enum encode_version version, bool legacy)
{
	if (!makes[ie->convert].can || ie->tunnel || ie->reverse)
		return false;
	if (version == ENCODE_V9)
		return ie->enterprise == 0 && (!ie->probe || legacy) &&
		    ie->convert != IE_SEGMENTS;
	return !ie->probe;
}

/* Whether element `a` tells of its primitive better than `b`, for addresses of IPv6 or not. */
static bool
element_beats(const struct ie *a, const struct ie *b, bool ipv6)
{
	bool named_a = is_named_ipv6(a), named_b = b != NULL && is_named_ipv6(b);

	if (b == NULL || a->probe != b->probe)
		return b == NULL || a->probe;
	if (a->rank != b->rank)
		return a->rank < b->rank;
	if (named_a != named_b)
		return named_a == ipv6;
	return !named_a && a->id == fields[a->field].ie && b->id != a->id;
}

/* The element that tells of `no`; NULL: none. */
static const struct ie *
element_of(enum field_no no, enum encode_version version, bool legacy, bool ipv6)
{
	const struct ie *best = NULL;

	for (size_t i = 0; i < IE_ROWS; i++)
		if (ies[i].field == no && element_allowed(&ies[i], version, legacy) &&
		    element_beats(&ies[i], best, ipv6))
			best = &ies[i];
	return best;
}

/* v5's records have fixed places: Cisco's "NetFlow Services Solutions Guide". */
static const struct {
	enum field_no field;
	uint8_t kind, octets, to;
} v5_places[] = {
	{ F_SRC_HOST, STEP_IP4, 4, NETFLOW5_SRC },
	{ F_DST_HOST, STEP_IP4, 4, NETFLOW5_DST },
	{ F_NEXTHOP, STEP_IP4, 4, NETFLOW5_NEXTHOP },
	{ F_IN_IFACE, STEP_FIT, 2, NETFLOW5_INPUT },
	{ F_OUT_IFACE, STEP_FIT, 2, NETFLOW5_OUTPUT },
	{ F_SRC_PORT, STEP_UINT, 2, NETFLOW5_SRC_PORT },
	{ F_DST_PORT, STEP_UINT, 2, NETFLOW5_DST_PORT },
	{ F_TCPFLAGS, STEP_UINT, 1, NETFLOW5_TCP_FLAGS },
	{ F_PROTO, STEP_UINT, 1, NETFLOW5_PROTO },
	{ F_TOS, STEP_UINT, 1, NETFLOW5_TOS },
	{ F_SRC_AS, STEP_AS, 2, NETFLOW5_SRC_AS },
	{ F_DST_AS, STEP_AS, 2, NETFLOW5_DST_AS },
	{ F_SRC_MASK, STEP_UINT, 1, NETFLOW5_SRC_MASK },
	{ F_DST_MASK, STEP_UINT, 1, NETFLOW5_DST_MASK },
};

/* v9 has no enterprises, and no lengths that differ. */
static bool
custom_can(const struct custom *u, enum encode_version version)
{
	return u != NULL && (version == ENCODE_IPFIX ||
	    (u->enterprise == 0 && u->semantics != CUSTOM_HEX && u->semantics != CUSTOM_RAW));
}

bool
encode_can(enum field_no no, enum encode_version version, bool legacy)
{
	if (is_everywhere(no))
		return true;
	if (version != ENCODE_V5)
		return element_of(no, version, legacy, false) != NULL ||
		    custom_can(custom_of(no), version);
	for (size_t i = 0; i < sizeof(v5_places) / sizeof(v5_places[0]); i++)
		if (v5_places[i].field == no)
			return true;
	return false;
}

/* Compiling: the layout, and what of variable length goes behind the rest. */
struct compile {
	struct encode *e;
	const struct encode_options *o;
	struct encode_step tails[ENCODE_STEPS_MAX];
	struct encode_spec tail_specs[ENCODE_STEPS_MAX];
	unsigned n_tails;
};

static void
spec_add(struct compile *c, uint32_t enterprise, uint16_t id, uint16_t octets)
{
	assert(c->e->n_specs < ENCODE_STEPS_MAX);
	c->e->specs[c->e->n_specs++] = (struct encode_spec){ enterprise, id, octets };
}

/* Append a step of fixed length to the record. */
static void
step_add(struct compile *c, struct encode_step s, uint32_t enterprise, uint16_t id)
{
	struct encode *e = c->e;

	assert(e->n_steps < ENCODE_STEPS_MAX);
	s.to = e->octets;
	e->octets = (uint16_t)(e->octets + s.octets);
	e->steps[e->n_steps++] = s;
	spec_add(c, enterprise, id, s.octets);
}

static void
tail_add(struct compile *c, struct encode_step s, uint32_t enterprise, uint16_t id)
{
	assert(c->n_tails < ENCODE_STEPS_MAX);
	c->tail_specs[c->n_tails] =
	    (struct encode_spec){ enterprise, id, FIELD_VARIABLE };
	c->tails[c->n_tails++] = s;
}

static uint16_t
member_at(const struct encode_options *o, enum field_no no)
{
	return o->offsets != NULL ? o->offsets[no] : fields[no].offset;
}

/* Lengths that differ from the member's: what old collectors know, what a type has. */
static uint8_t
uint_octets(enum field_no no, enum encode_version version)
{
	if (no == F_TCPFLAGS)
		return 1; /* all that is known of them; RFC 7125 s3 */
	if (version == ENCODE_V9 && no == F_FLOW_LABEL)
		return 3; /* RFC 3954 s8 */
	return fields[no].octets;
}

/* The labels of a stack, outermost first; they stand in ten elements. */
static void
stack_add(struct compile *c, enum field_no at)
{
	for (unsigned i = 0; i < ENCODE_LABELS; i++)
		step_add(c, (struct encode_step){ .kind = STEP_STACK, .octets = 3,
		                .width = (uint8_t)i, .from = member_at(c->o, at) },
		    0, (uint16_t)(IE_MPLS_TOP_LABEL + i));
}

static void
element_add(struct compile *c, const struct ie *ie, enum field_no at)
{
	struct encode_step s = { .kind = makes[ie->convert].kind,
		.octets = makes[ie->convert].octets,
		.width = fields[at].octets,
		.from = member_at(c->o, at) };

	if (ie->convert == IE_PUSH) {
		stack_add(c, at);
		return;
	}
	if (ie->field == F_CLASS && c->o->class_given) {
		s.base = 1;
		s.from = offsetof(struct encode_env, class_id);
	}
	if (ie->field == F_APPLICATION_ID) {
		/* RFC 6759 s4: an engine, and its selector as long as it is. v9 has Cisco's four. */
		s.kind = STEP_APPLICATION;
		s.octets = 4;
		if (c->o->version == ENCODE_IPFIX) {
			tail_add(c, s, ie->enterprise, ie->id);
			return;
		}
		s.kind = STEP_UINT;
	} else if (makes[ie->convert].text) {
		if (c->o->version == ENCODE_IPFIX) {
			tail_add(c, s, ie->enterprise, ie->id);
			return;
		}
		s.octets = ie->probe ? CLASS9_OCTETS : TEXT9_OCTETS;
		s.kind = STEP_TEXT;
	} else if (s.octets == 0) {
		s.octets = ie->probe ? 8 : uint_octets(ie->field, c->o->version);
	}
	if (ie->field == F_FLOW_END_REASON && c->o->end_reason) {
		s.base = 1;
		s.from = offsetof(struct encode_env, end_reason);
	}
	step_add(c, s, ie->enterprise, ie->id);
}

static void
custom_step(struct compile *c, const struct custom *u, enum field_no at)
{
	struct encode_step s = { .octets = 8, .width = 8, .from = member_at(c->o, at) };

	switch (u->semantics) {
	case CUSTOM_UINT:
		s.kind = STEP_UINT;
		break;
	case CUSTOM_MAC:
		s.kind = STEP_COPY;
		s.octets = 6;
		break;
	case CUSTOM_IP:
		s.kind = (c->o->family & ENCODE_IPV6_OTHER) != 0 ? STEP_COPY : STEP_IP4;
		s.octets = s.kind == STEP_COPY ? 16 : 4;
		break;
	case CUSTOM_STR:
	case CUSTOM_HEX:
	case CUSTOM_RAW:
		s.kind = u->semantics == CUSTOM_STR ? STEP_TEXT : STEP_DIGITS;
		s.width = 4;
		s.octets = TEXT9_OCTETS;
		if (c->o->version == ENCODE_IPFIX) {
			tail_add(c, s, u->enterprise, u->element);
			return;
		}
		break;
	}
	step_add(c, s, u->enterprise, u->element);
}

static void
times_add(struct compile *c, uint16_t start, uint16_t end, uint32_t enterprise)
{
	static const struct {
		uint8_t kind, octets;
		uint16_t start, end;
	} times[] = {
		[ENCODE_UPTIME] = { STEP_UPTIME, 4, 22, 21 },
		[ENCODE_MS] = { STEP_MS, 8, 152, 153 },
		[ENCODE_US] = { STEP_NTP, 8, 154, 155 },
	};
	struct encode_step s = { .base = 1, .kind = times[c->o->times].kind,
		.octets = times[c->o->times].octets, .width = 8 };

	s.from = start;
	step_add(c, s, enterprise, times[c->o->times].start);
	s.from = end;
	step_add(c, s, enterprise, times[c->o->times].end);
}

static void
counters_add(struct compile *c, uint16_t octets, uint16_t packets, uint32_t enterprise)
{
	struct encode_step s = { .base = 1, .kind = STEP_UINT, .octets = 8, .width = 8 };

	s.from = octets;
	step_add(c, s, enterprise, 1);
	s.from = packets;
	step_add(c, s, enterprise, 2);
}

#define ENV(member) ((uint16_t)offsetof(struct encode_env, member))

/* RFC 5103 s6.1: the reverse of an element is that of the enterprise made for it. */
static void
reverse_add(struct compile *c, const struct field_set *set)
{
	times_add(c, ENV(reverse_start), ENV(reverse_end), IE_REVERSE_PEN);
	counters_add(c, ENV(reverse_octets), ENV(reverse_packets), IE_REVERSE_PEN);
	if (field_set_has(set, F_TCPFLAGS))
		step_add(c, (struct encode_step){ .base = 1, .kind = STEP_UINT, .octets = 1,
		                .width = 2, .from = ENV(reverse_flags) },
		    IE_REVERSE_PEN, 6);
}

/* One element for two primitives: VXLAN and NVGRE; labels that are in the whole stack. */
static bool
is_told_by_another(const struct field_set *set, enum field_no no)
{
	bool stack = field_set_has(set, F_MPLS_LABEL_STACK);

	return (no == F_MPLS_LABEL_TOP && stack) || (no == F_MPLS_LABEL_BOTTOM && stack) ||
	    (no == F_NVGRE && field_set_has(set, F_VXLAN));
}

static void
field_add(struct compile *c, const struct field_set *set, enum field_no no)
{
	const struct encode_options *o = c->o;
	enum field_no at = o->mirror ? biflow_mirror(no) : no;
	bool ipv6 = (o->family & (is_of_flow(no) ? ENCODE_IPV6_FLOW : ENCODE_IPV6_OTHER)) != 0;
	const struct ie *ie = element_of(no, o->version, o->legacy, ipv6);

	if (is_everywhere(no) || is_told_by_another(set, no))
		return;
	if (ie == NULL) {
		if (custom_of(no) != NULL && encode_can(no, o->version, o->legacy))
			custom_step(c, custom_of(no), at);
		return;
	}
	if (no == F_MPLS_LABEL_BOTTOM) { /* behind the top: in the second place of the stack */
		step_add(c, (struct encode_step){ .kind = STEP_BOTTOM, .octets = 3, .width = 4,
		                .from = member_at(o, at) }, 0, IE_MPLS_TOP_LABEL + 1);
		return;
	}
	if (no == F_CLASS && o->application) {
		step_add(c, (struct encode_step){ .base = 1, .kind = STEP_UINT,
		                .octets = ENCODE_APPLICATION, .width = 8, .from = ENV(application) },
		    0, IE_APPLICATION_ID);
		if (!ie->probe) /* the name in each record, too, as pmacct's probes told it once */
			return;
	}
	element_add(c, ie, at);
	if (no == F_VXLAN && field_set_has(set, F_NVGRE)) {
		c->e->steps[c->e->n_steps - 1].kind = STEP_OVERLAY;
		c->e->steps[c->e->n_steps - 1].width = (uint8_t)(
		    member_at(o, F_NVGRE) - member_at(o, F_VXLAN));
	}
}

static void
v5_compile(struct compile *c, const struct field_set *set)
{
	struct encode *e = c->e;
	const struct encode_step env[] = {
		{ STEP_FIT, 1, 4, 8, ENV(packets), NETFLOW5_PACKETS },
		{ STEP_FIT, 1, 4, 8, ENV(octets), NETFLOW5_OCTETS },
		{ STEP_UPTIME, 1, 4, 8, ENV(start), NETFLOW5_FIRST },
		{ STEP_UPTIME, 1, 4, 8, ENV(end), NETFLOW5_LAST },
	};

	for (size_t i = 0; i < sizeof(env) / sizeof(env[0]); i++)
		e->steps[e->n_steps++] = env[i];
	for (size_t i = 0; i < sizeof(v5_places) / sizeof(v5_places[0]); i++) {
		enum field_no no = v5_places[i].field;
		enum field_no at = c->o->mirror ? biflow_mirror(no) : no;

		if (!field_set_has(set, no))
			continue;
		e->steps[e->n_steps++] = (struct encode_step){ .kind = v5_places[i].kind,
			.octets = v5_places[i].octets, .width = fields[no].octets,
			.from = member_at(c->o, at), .to = v5_places[i].to };
	}
	e->octets = NETFLOW5_RECORD;
}

void
encode_compile(struct encode *e, const struct field_set *set, const struct encode_options *o)
{
	struct compile c = { .e = e, .o = o };

	memset(e, 0, sizeof(*e));
	e->version = o->version;
	if (o->version == ENCODE_V5) {
		v5_compile(&c, set);
		return;
	}
	times_add(&c, ENV(start), ENV(end), 0);
	counters_add(&c, ENV(octets), ENV(packets), 0);
	if (o->sampler)
		step_add(&c, (struct encode_step){ .base = 1, .kind = STEP_UINT, .octets = 1,
		                 .width = 1, .from = ENV(sampler) }, 0, IE_SAMPLER_ID);
	for (int i = 0; i < FIELD_COUNT; i++)
		if (field_set_has(set, (enum field_no)i))
			field_add(&c, set, (enum field_no)i);
	if (o->reverse)
		reverse_add(&c, set);
	for (unsigned i = 0; i < c.n_tails; i++) {
		e->steps[e->n_steps + i] = c.tails[i];
		spec_add(&c, c.tail_specs[i].enterprise, c.tail_specs[i].id,
		    c.tail_specs[i].octets);
	}
	e->n_tails = (uint16_t)c.n_tails;
}

static bool
is_address(enum field_no no)
{
	const struct custom *u = custom_of(no);

	return fields[no].value == FIELD_IP || (u != NULL && u->semantics == CUSTOM_IP);
}

void
encode_addresses_find(struct encode_addresses *a, const struct field_set *set,
    const uint16_t *offsets)
{
	struct encode_options o = { .offsets = offsets };

	memset(a, 0, sizeof(*a));
	for (int i = 0; i < FIELD_COUNT; i++) {
		enum field_no no = (enum field_no)i;

		if (!is_address(no) || !field_set_has(set, no) ||
		    !encode_can(no, ENCODE_IPFIX, false))
			continue;
		if (is_of_flow(no)) {
			a->flow[a->n_flow++] = member_at(&o, no);
			continue;
		}
		assert(a->n_other < ENCODE_OTHERS_MAX);
		a->other[a->n_other++] = member_at(&o, no);
	}
}
