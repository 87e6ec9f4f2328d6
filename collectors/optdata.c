/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/optdata.h"

#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/intern.h"
#include "lib/rcumap.h"
#include "proto/netflow.h"
#include "proto/record.h"

#define FORGET_S 86400U /* what was told longer ago may make room */
#define OCTETS (INT64_C(64) << 20) /* for all exporters */

static struct rcumap_budget budget = { OCTETS };

struct optdata {
	struct rcumap *facts;
	_Atomic uint32_t whole, own; /* kinds told of the whole; of some domain */
	_Atomic uint32_t n_addresses;
	ip16_t
	    *_Atomic addresses; /* OPTDATA_ADDRESSES; those before n_addresses stay */
};

struct optdata *
optdata_new(void)
{
	struct optdata *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->facts = rcumap_new(OPTDATA_MAX, &budget);
	if (o->facts == NULL) {
		free(o);
		return NULL;
	}
	return o;
}

void
optdata_free(struct optdata *o)
{
	if (o == NULL)
		return;
	rcumap_free(o->facts);
	free(atomic_load(&o->addresses));
	free(o);
}

/* The elements that are looked for. */
enum element {
	SAMPLER,
	INTERVAL,
	RANDOM_INTERVAL,
	PACKET_INTERVAL,
	PACKET_SPACE,
	SIZE,
	POPULATION,
	PROBABILITY,
	ADDRESS4,
	ADDRESS6,
	INTERFACE,
	INTERFACE_NAME,
	INTERFACE_TEXT,
	VRF,
	VRF_NAME,
	VRF_RD,
	APPLICATION,
	APPLICATION_NAME,
	APPLICATION_TEXT,
	DOMAIN,
	PROCESS,
	ELEMENTS
};

/* IANA "IPFIX Information Elements"; numbers to 127 are those of RFC 3954 s8, too. */
static const struct {
	uint16_t id;
	uint8_t element, least, most; /* octets that the value may have */
} ids[] = {
	{ 48, SAMPLER, 1, 8 }, /* flowSamplerId */
	{ 302, SAMPLER, 1, 8 }, /* selectorId */
	{ 34, INTERVAL, 1, 8 }, /* samplingInterval */
	{ 50, RANDOM_INTERVAL, 1, 8 }, /* samplerRandomInterval */
	{ 305, PACKET_INTERVAL, 1, 8 }, /* samplingPacketInterval */
	{ 306, PACKET_SPACE, 1, 8 }, /* samplingPacketSpace */
	{ 309, SIZE, 1, 8 }, /* samplingSize */
	{ 310, POPULATION, 1, 8 }, /* samplingPopulation */
	{ 311, PROBABILITY, 4, 8 }, /* samplingProbability */
	{ 130, ADDRESS4, 4, 4 }, /* exporterIPv4Address */
	{ 131, ADDRESS6, 16, 16 }, /* exporterIPv6Address */
	{ 10, INTERFACE, 1, 4 }, /* ingressInterface */
	{ 14, INTERFACE, 1, 4 }, /* egressInterface */
	{ 252, INTERFACE, 1, 4 }, /* ingressPhysicalInterface */
	{ 253, INTERFACE, 1, 4 }, /* egressPhysicalInterface */
	{ 82, INTERFACE_NAME, 1, 255 }, /* interfaceName */
	{ 83, INTERFACE_TEXT, 1, 255 }, /* interfaceDescription */
	{ 234, VRF, 1, 4 }, /* ingressVRFID */
	{ 235, VRF, 1, 4 }, /* egressVRFID */
	{ 236, VRF_NAME, 1, 255 }, /* VRFname */
	{ 90, VRF_RD, 8, 8 }, /* mplsVpnRouteDistinguisher */
	{ 95, APPLICATION, 1, 8 }, /* applicationId */
	{ 96, APPLICATION_NAME, 1, 255 }, /* applicationName */
	{ 94, APPLICATION_TEXT, 1, 255 }, /* applicationDescription */
	{ 149, DOMAIN, 1, 4 }, /* observationDomainId */
	{ 143, PROCESS, 1, 8 }, /* meteringProcessId */
	{ 144, PROCESS, 1, 8 }, /* exportingProcessId */
};

/* The values of a record that are of interest; those with `p` NULL are not there. */
struct values {
	struct record_value v[ELEMENTS];
	bool system; /* its scope is System */
};

static bool
value_has(const struct values *vs, enum element i)
{
	return vs->v[i].p != NULL;
}

static uint64_t
value_uint(const struct values *vs, enum element i)
{
	uint64_t n = 0;

	for (unsigned k = 0; value_has(vs, i) && k < vs->v[i].octets; k++)
		n = n << 8 | vs->v[i].p[k];
	return n;
}

/* The first of equal elements counts, be it the in or the out of a pair. */
static void
value_put(struct values *vs, enum element i, const struct record_value *v)
{
	if (!value_has(vs, i))
		vs->v[i] = *v;
}

/* The scope of NetFlow v9, whose types are no elements: RFC 3954 s6.1. */
static void
scope9_put(struct values *vs, const struct record_value *v)
{
	vs->system |= v->id == RECORD_SCOPE_SYSTEM;
	if (v->id == RECORD_SCOPE_INTERFACE && v->octets >= 1 && v->octets <= 4)
		value_put(vs, INTERFACE, v);
}

static int
values_read(const struct template *t, struct rbuf *r, struct values *vs)
{
	struct record_walk w = record_walk_of(t, r);
	struct record_value v;

	memset(vs, 0, sizeof(*vs));
	while (record_walk_next(&w, &v)) {
		if (v.scope && t->kind == TEMPLATE_V9_OPTIONS) {
			scope9_put(vs, &v);
			continue;
		}
		for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
			if (v.enterprise == 0 && v.id == ids[i].id &&
			    v.octets >= ids[i].least &&
			    (v.octets <= ids[i].most || ids[i].most == 255))
				value_put(vs, (enum element)ids[i].element, &v);
	}
	return rbuf_ok(r) ? 0 : -WEIR_EMALFORMED;
}

/* `of` / `in` as 1 in N, to the nearest; what is no rate is 0. */
static uint32_t
rate_of(uint64_t of, uint64_t in)
{
	uint64_t n;

	if (in == 0 || of < in)
		return 0;
	n = of / in + (of % in >= in - of % in);
	return n <= UINT32_MAX ? (uint32_t)n : 0;
}

/* A float of four or eight octets: RFC 7011 s6.1.3, s6.1.4. */
static double
value_float(const struct values *vs, enum element i)
{
	uint64_t bits = value_uint(vs, i);
	uint32_t low = (uint32_t)bits;
	double d = 0;
	float f;

	if (vs->v[i].octets == sizeof(d)) {
		memcpy(&d, &bits, sizeof(d));
	} else if (vs->v[i].octets == sizeof(f)) {
		memcpy(&f, &low, sizeof(f));
		d = f;
	}
	return d;
}

/*
 * The rate that a record tells, in one of the ways of RFC 5477 s8.2 or of NetFlow v9.
 * Those that say more come first: Cisco's samplers tell n out of N, and an interval of 1
 * beside it.
 */
static bool
values_rate(const struct values *vs, uint32_t *rate)
{
	if (value_has(vs, SIZE) && value_has(vs, POPULATION)) {
		*rate = rate_of(value_uint(vs, POPULATION), value_uint(vs, SIZE));
	} else if (value_has(vs, PACKET_INTERVAL) && value_has(vs, PACKET_SPACE)) {
		uint64_t taken = value_uint(vs, PACKET_INTERVAL);
		uint64_t left = value_uint(vs, PACKET_SPACE);

		*rate = taken <= UINT32_MAX && left <= UINT32_MAX
			    ? rate_of(taken + left, taken)
			    : 0;
	} else if (value_has(vs, PROBABILITY)) {
		double p = value_float(vs, PROBABILITY);

		*rate = p >= 1e-9 && p <= 1 ? (uint32_t)(1 / p + 0.5) : 0;
	} else if (value_has(vs, INTERVAL) || value_has(vs, RANDOM_INTERVAL)) {
		*rate =
		    rate_of(value_uint(vs,
				value_has(vs, INTERVAL) ? INTERVAL : RANDOM_INTERVAL),
			1);
	} else {
		return false;
	}
	return true;
}

/* The id of a text, without the blanks and NULs that it is padded with; 0: none. */
static uint32_t
value_text(const struct values *vs, enum element i)
{
	const char *text = (const char *)vs->v[i].p;
	size_t len = value_has(vs, i) ? strnlen(text, vs->v[i].octets) : 0;

	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	return len > 0 ? intern(text, len) : 0;
}

static void
fact_put(
    struct optdata_told *told, enum optdata_kind kind, uint64_t key, uint64_t value)
{
	told->facts[told->n++] = (struct optdata_fact){ kind, key, value };
}

/* Facts that are a name, or a number, for a number. */
static const struct {
	enum optdata_kind kind;
	enum element key, value,
	    instead; /* `instead` where `value` is missing or empty */
	bool text;
} tells[] = {
	{ OPTDATA_INTERFACE_NAME, INTERFACE, INTERFACE_NAME, INTERFACE_TEXT, true },
	{ OPTDATA_VRF_NAME, VRF, VRF_NAME, VRF_NAME, true },
	{ OPTDATA_VRF_RD, VRF, VRF_RD, VRF_RD, false },
	{ OPTDATA_APPLICATION, APPLICATION, APPLICATION_NAME, APPLICATION_TEXT, true },
};

static void
told_fill(struct optdata_told *told, const struct values *vs)
{
	uint32_t rate;

	for (size_t i = 0; i < sizeof(tells) / sizeof(tells[0]); i++) {
		uint64_t value;

		if (!value_has(vs, tells[i].key))
			continue;
		value = tells[i].text ? value_text(vs, tells[i].value)
				      : value_uint(vs, tells[i].value);
		/* 0:0:0 is that of the global table: told, and not unknown. */
		if (tells[i].kind == OPTDATA_VRF_RD && value_has(vs, VRF_RD))
			value = rd_from(value, RD_FLOW);
		if (value == 0 && tells[i].instead != tells[i].value)
			value = value_text(vs, tells[i].instead);
		if (value != 0)
			fact_put(
			    told, tells[i].kind, value_uint(vs, tells[i].key), value);
	}
	if (values_rate(vs, &rate)) {
		fact_put(told, OPTDATA_RATE, 0, rate);
		if (value_has(vs, SAMPLER))
			fact_put(told, OPTDATA_SAMPLER, value_uint(vs, SAMPLER), rate);
		if (value_has(vs, INTERFACE))
			fact_put(told, OPTDATA_INTERFACE_RATE,
			    value_uint(vs, INTERFACE), rate);
	}
	if (value_has(vs, ADDRESS4))
		told->address = ip_from_v4(vs->v[ADDRESS4].p);
	else if (value_has(vs, ADDRESS6))
		told->address = ip_from_v6(vs->v[ADDRESS6].p);
}

int
optdata_read(const struct template *t, struct rbuf *r, uint32_t domain, bool any_scope,
    struct optdata_told *told)
{
	struct values vs;
	int rc = values_read(t, r, &vs);

	*told = (struct optdata_told){ .domain = domain };
	if (rc != 0)
		return rc;
	told->whole =
	    any_scope || vs.system || (value_has(&vs, PROCESS) && vs.v[PROCESS].scope);
	if (value_has(&vs, DOMAIN) && vs.v[DOMAIN].scope && !told->whole)
		told->domain = (uint32_t)value_uint(&vs, DOMAIN);
	told_fill(told, &vs);
	return 0;
}

static struct rcumap_key
fact_key(enum optdata_kind kind, bool whole, uint32_t domain, uint64_t key)
{
	return (struct rcumap_key){ .a = (uint64_t)kind << 40 | (uint64_t)whole << 32 |
					 (whole ? 0 : domain),
		.b = key };
}

/* The place of `a` in the list, added when new; -1: the list is full. */
static int64_t
address_place(struct optdata *o, const ip16_t *a)
{
	ip16_t *list = atomic_load(&o->addresses);
	uint32_t n = atomic_load(&o->n_addresses);

	if (list == NULL) {
		list = calloc(OPTDATA_ADDRESSES, sizeof(*list));
		if (list == NULL)
			return -1;
		atomic_store(&o->addresses, list);
	}
	for (uint32_t i = 0; i < n; i++)
		if (ip_equal(&list[i], a))
			return i;
	if (n == OPTDATA_ADDRESSES)
		return -1;
	list[n] = *a;
	atomic_store(&o->n_addresses, n + 1);
	return n;
}

unsigned
optdata_learn(struct optdata *o, const struct optdata_told *told, uint64_t now,
    struct optdata_old *old)
{
	_Atomic uint32_t *kinds = told->whole ? &o->whole : &o->own;
	uint32_t now_s = (uint32_t)(now / CLOCK_S), bits = 0;
	uint32_t forget_s = now_s > FORGET_S ? now_s - FORGET_S : 0;
	struct optdata_told all = *told;
	unsigned refused = 0;

	old->n = 0;
	if (!ip_is_none(&told->address)) {
		int64_t place = address_place(o, &told->address);

		if (place >= 0)
			fact_put(&all, OPTDATA_ADDRESS, 0, (uint64_t)place);
		else
			refused++;
	}
	for (unsigned i = 0; i < all.n; i++) {
		const struct optdata_fact *f = &all.facts[i];
		void **table = &old->tables[old->n];

		if (rcumap_put(o->facts,
			fact_key(f->kind, told->whole, told->domain, f->key), f->value,
			now_s, forget_s, table) != 0)
			refused++;
		else
			bits |= 1U << f->kind;
		old->n += *table != NULL;
	}
	atomic_fetch_or_explicit(kinds, bits, memory_order_release);
	return refused;
}

void
optdata_retire(const struct optdata_old *old)
{
	for (unsigned i = 0; i < old->n; i++)
		rcumap_retire(old->tables[i]);
}

/* Which member is filled from which fact, and the member that names it; in this order. */
static const struct {
	enum optdata_kind kind;
	enum field_no key, to;
} fills[] = {
	{ OPTDATA_RATE, FIELD_COUNT,
	    F_SAMPLING_RATE }, /* by optdata_rate, per message */
	{ OPTDATA_SAMPLER, F_SAMPLER_ID, F_SAMPLING_RATE },
	{ OPTDATA_INTERFACE_RATE, F_IN_IFACE, F_SAMPLING_RATE },
	{ OPTDATA_INTERFACE_RATE, F_OUT_IFACE, F_SAMPLING_RATE },
	{ OPTDATA_INTERFACE_NAME, F_IN_IFACE, F_IN_IFACE_NAME },
	{ OPTDATA_INTERFACE_NAME, F_OUT_IFACE, F_OUT_IFACE_NAME },
	{ OPTDATA_VRF_NAME, F_INGRESS_VRF_ID, F_INGRESS_VRF_NAME },
	{ OPTDATA_VRF_NAME, F_EGRESS_VRF_ID, F_EGRESS_VRF_NAME },
	{ OPTDATA_VRF_NAME, F_INGRESS_VRF_ID, F_VRF_NAME },
	{ OPTDATA_VRF_NAME, F_EGRESS_VRF_ID, F_VRF_NAME },
	{ OPTDATA_VRF_RD, F_INGRESS_VRF_ID, F_MPLS_VPN_RD },
	{ OPTDATA_VRF_RD, F_EGRESS_VRF_ID, F_MPLS_VPN_RD },
	{ OPTDATA_APPLICATION, F_APPLICATION_ID, F_CLASS },
};
#define N_FILLS (sizeof(fills) / sizeof(fills[0]))

uint32_t
optdata_kinds(const struct optdata *o, const struct field_set *needs)
{
	uint32_t known = atomic_load_explicit(&o->whole, memory_order_acquire) |
			 atomic_load_explicit(&o->own, memory_order_acquire);
	uint32_t kinds = 0;

	for (size_t i = 0; known != 0 && i < N_FILLS; i++)
		if (field_set_has(needs, fills[i].to))
			kinds |= 1U << fills[i].kind;
	return known & kinds;
}

/* The value of fact (kind, key), the domain's own before the whole exporter's. */
static bool
fact_find(const struct optdata *o, enum optdata_kind kind, uint32_t domain,
    uint64_t key, uint64_t *value)
{
	uint32_t bit = 1U << kind;

	if ((atomic_load_explicit(&o->own, memory_order_relaxed) & bit) != 0 &&
	    rcumap_get(o->facts, fact_key(kind, false, domain, key), value))
		return true;
	return (atomic_load_explicit(&o->whole, memory_order_relaxed) & bit) != 0 &&
	       rcumap_get(o->facts, fact_key(kind, true, 0, key), value);
}

bool
optdata_rate(const struct optdata *o, uint32_t domain, uint32_t *rate)
{
	uint64_t value;

	if (!fact_find(o, OPTDATA_RATE, domain, 0, &value))
		return false;
	*rate = (uint32_t)value;
	return true;
}

bool
optdata_address(const struct optdata *o, uint32_t domain, ip16_t *address)
{
	uint64_t place;

	if (!fact_find(o, OPTDATA_ADDRESS, domain, 0, &place))
		return false;
	*address = atomic_load(&o->addresses)[place];
	return true;
}

/* A route distinguisher of zero has an origin, and is none all the same. */
static bool
value_is_told(const struct field *f, uint64_t value)
{
	return (f->value == FIELD_RD ? rd_plain(value) : value) != 0;
}

void
optdata_fill(const struct optdata *o, uint32_t kinds, uint32_t domain, struct flow *f)
{
	uint8_t *base = (uint8_t *)f;

	for (size_t i = 0; i < N_FILLS; i++) {
		const struct field *to = &fields[fills[i].to],
				   *by = &fields[fills[i].key];
		uint64_t key, value;

		if ((kinds >> fills[i].kind & 1) == 0 || fills[i].key == FIELD_COUNT ||
		    value_is_told(to, field_uint(base + to->offset, to->octets)))
			continue;
		key = field_uint(base + by->offset, by->octets);
		if (key != 0 && fact_find(o, fills[i].kind, domain, key, &value))
			field_uint_set(base + to->offset, to->octets,
			    to->value == FIELD_RD ? rd_from(value, RD_FLOW) : value);
	}
}

void
optdata_reads(struct field_set *needs)
{
	for (size_t i = 0; i < N_FILLS; i++)
		if (field_set_has(needs, fills[i].to) && fills[i].key != FIELD_COUNT)
			field_set_add(needs, fills[i].key);
}

uint32_t
optdata_count(const struct optdata *o)
{
	return rcumap_count(o->facts);
}
