/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/netflow_fixed.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/wbuf.h"
#include "proto/netflow.h"

#define ETHERTYPE_IPV4 0x0800U

/*
 * Which ports of a record are meant, by protocol: of those that have ports, both; of
 * ICMP the destination port, where Cisco puts type and code.
 */
enum { PORT_SRC = 1, PORT_DST = 2, PORTS = PORT_SRC | PORT_DST };
static const uint8_t ports_meant[256] = {
	[1] = PORT_DST,
	[6] = PORTS,
	[17] = PORTS,
	[33] = PORTS,
	[58] = PORT_DST,
	[132] = PORTS,
	[136] = PORTS,
};

/*
 * The start of a flow as far as bins go: seconds alone, each of the three times cut
 * to them, like pmacct, so that both put a record into the same bin.
 */
static inline uint64_t
fixed_start(const struct message *m, uint32_t first)
{
	uint32_t uptime = m->clock.uptime_ms;
	uint64_t seconds = m->header_s + first / 1000;

	if (first > uptime) /* the uptime wrapped meanwhile, or was read late */
		return netflow_uptime_ns(m->header_s * CLOCK_S, uptime, first);
	return seconds > uptime / 1000 ? (seconds - uptime / 1000) * CLOCK_S : 0;
}

/* What a record has beyond that which every flow has, for views that ask for it. */
static inline void
v5_record_more(const uint8_t *p, struct flow *f)
{
	f->nexthop = ip_from_v4(p + NETFLOW5_NEXTHOP);
	f->src_as = wire_u16(p + NETFLOW5_SRC_AS);
	f->dst_as = wire_u16(p + NETFLOW5_DST_AS);
	f->src_mask = p[NETFLOW5_SRC_MASK];
	f->dst_mask = p[NETFLOW5_DST_MASK];
}

static inline void
v5_record(const struct netflow *nf, struct message *m, const uint8_t *p, struct flow *f)
{
	uint8_t proto = p[NETFLOW5_PROTO], ports = ports_meant[proto];
	uint32_t first = wire_u32(p + NETFLOW5_FIRST) * nf->tick_ms;

	f->src_host = ip_from_v4(p + NETFLOW5_SRC);
	f->dst_host = ip_from_v4(p + NETFLOW5_DST);
	f->src_port = (ports & PORT_SRC) != 0 ? wire_u16(p + NETFLOW5_SRC_PORT) : 0;
	f->dst_port = (ports & PORT_DST) != 0 ? wire_u16(p + NETFLOW5_DST_PORT) : 0;
	f->proto = proto;
	f->etype = ETHERTYPE_IPV4;
	f->tos = p[NETFLOW5_TOS];
	f->tcp_flags = p[NETFLOW5_TCP_FLAGS];
	f->packets = wire_u32(p + NETFLOW5_PACKETS);
	f->bytes = wire_u32(p + NETFLOW5_OCTETS);
	f->timestamp_start =
	    netflow_uptime_ns(m->clock.export_ns, m->clock.uptime_ms, first);
	if (pipeline_needs_tagged(nf->pipeline)) {
		f->in_iface = wire_u16(p + NETFLOW5_INPUT);
		f->out_iface = wire_u16(p + NETFLOW5_OUTPUT);
		f->timestamp_end = netflow_uptime_ns(m->clock.export_ns, m->clock.uptime_ms,
		    wire_u32(p + NETFLOW5_LAST) * nf->tick_ms);
	}
	if (pipeline_needs_more(nf->pipeline))
		v5_record_more(p, f);
	f->stamp = message_stamp(nf, m, fixed_start(m, first));
}

/* The header's times, which stand at one place in all these versions. */
static void
header_times(struct message *m, const uint8_t *h)
{
	m->header_s = wire_u32(h + NETFLOW5_SECONDS);
	m->header_ns = m->header_s * CLOCK_S;
	if (m->header_ns != 0 && wire_u32(h + NETFLOW5_NANOSECONDS) < CLOCK_S)
		m->header_ns += wire_u32(h + NETFLOW5_NANOSECONDS);
	m->clock.export_ns = m->header_ns;
	m->clock.uptime_ms = wire_u32(h + NETFLOW5_UPTIME);
}

/*
 * How many of the `count` records of `octets` that the header announces are there. The
 * count rules: what follows the last record is padding, or no flows at all.
 */
static uint32_t
records_there(struct netflow *nf, struct message *m, uint32_t count, size_t octets)
{
	size_t there = rbuf_left(&m->in) / octets;

	if (count <= there)
		return count;
	message_fault(m, STAT_BAD_SHORT);
	message_log(nf, m, "%u records announced, %zu there", count, there);
	return (uint32_t)there;
}

void
netflow5_decode(struct netflow *nf, struct message *m)
{
	const uint8_t *h = rbuf_get(&m->in, NETFLOW5_HEADER), *p;
	uint32_t count = wire_u16(h + NETFLOW5_COUNT), sampling;

	if (!message_exporter(nf, m, wire_u16(h + NETFLOW5_ENGINE)))
		return;
	header_times(m, h);
	m->clock.uptime_ms *= nf->tick_ms; /* wraps as all uptimes do */
	sampling = wire_u16(h + NETFLOW5_SAMPLING) & NETFLOW5_RATE_MASK;
	m->sampling = sampling;
	exporter_rate_set(m->exporter, sampling, EXPORTER_RATE_HEADER);
	message_number(nf, m, wire_u32(h + NETFLOW5_SEQUENCE), 0);
	message_counts(nf, m, count, "records");
	count = records_there(nf, m, count, NETFLOW5_RECORD);
	p = rbuf_get(&m->in, (size_t)count * NETFLOW5_RECORD);
	for (uint32_t i = 0; i < count; i++, p += NETFLOW5_RECORD) {
		v5_record(nf, m, p, message_slot(nf, m));
		pipeline_commit(nf->pipeline);
	}
	m->records = m->fed = count;
}

/*
 * The other versions are seldom met. Their records are told as lists of the information
 * elements that v9 has for the same values, and go through what v9's templates do.
 */
enum element {
	OCTETS = 1,
	PACKETS = 2,
	FLOWS = 3,
	PROTO = 4,
	TOS = 5,
	TCP_FLAGS = 6,
	SRC_PORT = 7,
	SRC_ADDR = 8,
	SRC_MASK = 9,
	INPUT = 10,
	DST_PORT = 11,
	DST_ADDR = 12,
	DST_MASK = 13,
	OUTPUT = 14,
	NEXTHOP = 15,
	SRC_AS = 16,
	DST_AS = 17,
	LAST = 21,
	FIRST = 22,
	SRC_PREFIX = 44,
	DST_PREFIX = 45,
	UNUSED = 210, /* paddingOctets: what has no meaning, or none to us */
};

/* An element and its octets. */
struct part {
	uint16_t element;
	uint16_t octets;
};

/* clang-format off */
#define ADDRESSES  { SRC_ADDR, 4 }, { DST_ADDR, 4 }, { NEXTHOP, 4 }
#define INTERFACES { INPUT, 2 }, { OUTPUT, 2 }
#define COUNTERS   { PACKETS, 4 }, { OCTETS, 4 }, { FIRST, 4 }, { LAST, 4 }
#define PORTS_2    { SRC_PORT, 2 }, { DST_PORT, 2 }
#define ASES       { SRC_AS, 2 }, { DST_AS, 2 }
#define PREFIXES   { SRC_PREFIX, 4 }, { DST_PREFIX, 4 }, { DST_MASK, 1 }, { SRC_MASK, 1 }
#define EXCESS     { UNUSED, 8 } /* packets over the contract, the router bypassed */
/* clang-format on */

/*
 * Records by version and, in v8, aggregation scheme. Cisco's schemes count flows in
 * front; those of Catalyst switches (6 to 8) do not.
 */
static const struct format {
	uint16_t version;
	uint8_t scheme;
	const char *name;
	struct part parts[24]; /* ended by one of no octets */
} formats[] = {
	{ 1, 0, "v1",
	    { ADDRESSES, INTERFACES, COUNTERS, PORTS_2, { UNUSED, 2 }, { PROTO, 1 },
		{ TOS, 1 }, { TCP_FLAGS, 1 }, { UNUSED, 7 } } },
	{ 7, 0, "v7",
	    { ADDRESSES, INTERFACES, COUNTERS, PORTS_2, { UNUSED, 1 }, { TCP_FLAGS, 1 },
		{ PROTO, 1 }, { TOS, 1 }, ASES, { SRC_MASK, 1 }, { DST_MASK, 1 },
		{ UNUSED, 6 } } },
	{ 8, 1, "AS", { { FLOWS, 4 }, COUNTERS, ASES, INTERFACES } },
	{ 8, 2, "protocol and port",
	    { { FLOWS, 4 }, COUNTERS, { PROTO, 1 }, { UNUSED, 3 }, PORTS_2 } },
	{ 8, 3, "source prefix",
	    { { FLOWS, 4 }, COUNTERS, { SRC_PREFIX, 4 }, { SRC_MASK, 1 }, { UNUSED, 1 },
		{ SRC_AS, 2 }, { INPUT, 2 }, { UNUSED, 2 } } },
	{ 8, 4, "destination prefix",
	    { { FLOWS, 4 }, COUNTERS, { DST_PREFIX, 4 }, { DST_MASK, 1 }, { UNUSED, 1 },
		{ DST_AS, 2 }, { OUTPUT, 2 }, { UNUSED, 2 } } },
	{ 8, 5, "prefixes",
	    { { FLOWS, 4 }, COUNTERS, PREFIXES, { UNUSED, 2 }, ASES, INTERFACES } },
	{ 8, 6, "destination",
	    { { DST_ADDR, 4 }, COUNTERS, { OUTPUT, 2 }, { TOS, 1 }, { UNUSED, 1 },
		EXCESS } },
	{ 8, 7, "source and destination",
	    { { DST_ADDR, 4 }, { SRC_ADDR, 4 }, COUNTERS, { OUTPUT, 2 }, { INPUT, 2 },
		{ TOS, 1 }, { UNUSED, 3 }, EXCESS } },
	{ 8, 8, "full flow",
	    { { DST_ADDR, 4 }, { SRC_ADDR, 4 }, { DST_PORT, 2 }, { SRC_PORT, 2 },
		COUNTERS, { OUTPUT, 2 }, { INPUT, 2 }, { TOS, 1 }, { PROTO, 1 },
		{ UNUSED, 2 }, EXCESS } },
	{ 8, 9, "AS and ToS",
	    { { FLOWS, 4 }, COUNTERS, ASES, INTERFACES, { TOS, 1 }, { UNUSED, 3 } } },
	{ 8, 10, "protocol, port and ToS",
	    { { FLOWS, 4 }, COUNTERS, { PROTO, 1 }, { TOS, 1 }, { UNUSED, 2 }, PORTS_2,
		INTERFACES } },
	{ 8, 11, "source prefix and ToS",
	    { { FLOWS, 4 }, COUNTERS, { SRC_PREFIX, 4 }, { SRC_MASK, 1 }, { TOS, 1 },
		{ SRC_AS, 2 }, { INPUT, 2 }, { UNUSED, 2 } } },
	{ 8, 12, "destination prefix and ToS",
	    { { FLOWS, 4 }, COUNTERS, { DST_PREFIX, 4 }, { DST_MASK, 1 }, { TOS, 1 },
		{ DST_AS, 2 }, { OUTPUT, 2 }, { UNUSED, 2 } } },
	{ 8, 13, "prefixes and ToS",
	    { { FLOWS, 4 }, COUNTERS, PREFIXES, { TOS, 1 }, { UNUSED, 1 }, ASES,
		INTERFACES } },
	{ 8, 14, "prefixes, ports and ToS",
	    { { FLOWS, 4 }, COUNTERS, PREFIXES, { TOS, 1 }, { PROTO, 1 }, PORTS_2,
		INTERFACES } },
};

#define N_FORMATS (sizeof(formats) / sizeof(formats[0]))
#define NO_PLACE UINT16_MAX

/* Formats compiled for one decoder, each when it is first met. */
struct netflow_fixed {
	struct compiled {
		struct template *template; /* NULL: not met yet */
		uint16_t first, proto; /* where they stand in a record, or NO_PLACE */
	} compiled[N_FORMATS];
};

struct netflow_fixed *
netflow_fixed_new(void)
{
	return calloc(1, sizeof(struct netflow_fixed));
}

void
netflow_fixed_free(struct netflow_fixed *fixed)
{
	if (fixed == NULL)
		return;
	for (size_t i = 0; i < N_FORMATS; i++)
		template_free(fixed->compiled[i].template);
	free(fixed);
}

/* Make a template of format `f`, as if v9 had told it. NULL when memory is short. */
static struct template *
format_compile(
    const struct format *f, const struct field_set *needs, struct compiled *c)
{
	uint8_t record[4 + sizeof(f->parts)];
	struct wbuf w = wbuf_of(record, sizeof(record));
	struct template_def d;
	uint16_t n = 0, at = 0;
	struct field_set set = *needs;
	struct rbuf r;

	field_set_remove(&set, F_ETYPE); /* see format_records */
	field_set_remove(&set, F_SAMPLE_TYPE); /* see message_header: no host need be known */
	c->first = c->proto = NO_PLACE;
	for (const struct part *p = f->parts; p->octets != 0;
	     at += p->octets, p++, n++) {
		if (p->element == FIRST)
			c->first = at;
		if (p->element == PROTO)
			c->proto = at;
		if (p->element == SRC_PREFIX) /* which is no host */
			field_set_remove(&set, F_SRC_HOST);
		if (p->element == DST_PREFIX)
			field_set_remove(&set, F_DST_HOST);
	}
	wbuf_u16(&w, SET_DATA);
	wbuf_u16(&w, n);
	for (uint16_t i = 0; i < n; i++) {
		wbuf_u16(&w, f->parts[i].element);
		wbuf_u16(&w, f->parts[i].octets);
	}
	assert(wbuf_ok(&w) && c->first != NO_PLACE);
	r = rbuf_of(record, wbuf_len(&w));
	if (template_next(&r, TEMPLATE_V9, &d) != 0)
		assert(false && "a format that is no template");
	return template_new(&d, &set);
}

/* The compiled format of a version and scheme that is in the table, or NULL. */
static const struct compiled *
format_get(struct netflow *nf, struct message *m, uint8_t scheme)
{
	for (size_t i = 0; i < N_FORMATS; i++) {
		struct compiled *c = &nf->fixed->compiled[i];

		if (formats[i].version != m->version || formats[i].scheme != scheme)
			continue;
		if (c->template == NULL) {
			c->template =
			    format_compile(&formats[i], &nf->pipeline->needs, c);
			log_debug(LOG_TEMPLATE, "netflow v%u: records of %s",
			    m->version, formats[i].name);
		}
		if (c->template == NULL)
			message_log(
			    nf, m, "no memory for records of %s", formats[i].name);
		return c->template != NULL ? c : NULL;
	}
	return NULL;
}

/* `count` records of a format, each in `octets`. */
static void
format_records(struct netflow *nf, struct message *m, const struct compiled *c,
    uint32_t count, size_t octets)
{
	count = records_there(nf, m, count, octets);
	for (uint32_t i = 0; i < count; i++) {
		struct rbuf record = rbuf_take(&m->in, octets);
		const uint8_t *p = record.p;
		struct flow *f = message_slot(nf, m);

		if (template_decode(c->template, &record, &m->clock, f) != 0)
			assert(false && "a record that was measured");
		f->etype = ETHERTYPE_IPV4;
		if (c->proto != NO_PLACE) {
			uint8_t meant = ports_meant[p[c->proto]];

			f->src_port = (meant & PORT_SRC) != 0 ? f->src_port : 0;
			f->dst_port = (meant & PORT_DST) != 0 ? f->dst_port : 0;
		}
		f->stamp = message_stamp(nf, m, fixed_start(m, wire_u32(p + c->first)));
		pipeline_commit(nf->pipeline);
	}
	m->records = m->fed = count;
}

/* The records of a message whose format is in the table. */
static void
format_decode(struct netflow *nf, struct message *m, uint8_t scheme, uint32_t count,
    size_t octets)
{
	const struct compiled *c = format_get(nf, m, scheme);

	if (c == NULL) {
		m->records++;
		m->no_template++;
		return;
	}
	if (octets == 0)
		octets = c->template->min_octets;
	format_records(nf, m, c, count, octets);
}

/*
 * v1 numbers neither messages nor engines. Its records have 48 octets; some devices pad
 * them to 52, which only the length of the datagram tells.
 */
void
netflow1_decode(struct netflow *nf, struct message *m)
{
	const uint8_t *h = rbuf_get(&m->in, NETFLOW1_HEADER);
	uint32_t count = wire_u16(h + NETFLOW5_COUNT);
	size_t left = rbuf_left(&m->in);

	if (!message_exporter(nf, m, 0))
		return;
	header_times(m, h);
	format_decode(nf, m, 0, count,
	    left == (size_t)count * NETFLOW1_PADDED ? NETFLOW1_PADDED : 0);
}

void
netflow7_decode(struct netflow *nf, struct message *m)
{
	const uint8_t *h = rbuf_get(&m->in, NETFLOW7_HEADER);
	uint32_t count = wire_u16(h + NETFLOW5_COUNT);

	if (!message_exporter(nf, m, wire_u16(h + NETFLOW5_ENGINE)))
		return;
	header_times(m, h);
	message_number(nf, m, wire_u32(h + NETFLOW5_SEQUENCE), 0);
	message_counts(nf, m, count, "records");
	format_decode(nf, m, 0, count, 0);
}

void
netflow8_decode(struct netflow *nf, struct message *m)
{
	const uint8_t *h = rbuf_get(&m->in, NETFLOW8_HEADER);
	uint32_t count = wire_u16(h + NETFLOW5_COUNT);
	uint8_t scheme = h[NETFLOW8_SCHEME];

	if (scheme == 0 || scheme > NETFLOW8_SCHEMES) {
		message_fault(m, STAT_BAD_VERSION);
		message_log(nf, m, "aggregation scheme %u is not known", scheme);
		return;
	}
	if (!message_exporter(nf, m, wire_u16(h + NETFLOW5_ENGINE)))
		return;
	header_times(m, h);
	/* Each scheme has a cache of its own, which numbers what it sends. */
	message_number(nf, m, wire_u32(h + NETFLOW5_SEQUENCE), scheme);
	message_counts(nf, m, count, "records");
	format_decode(nf, m, scheme, count, 0);
}
