/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: one datagram at a time; nothing is kept from one to the next but what struct
 * exporter has. A flow sample becomes one flow. Its records are first found, then read in
 * the order of the table below, so that their order on the wire does not matter: the
 * sampled frame says the most, decoded addresses stand in where there is none, and the
 * switch, router and gateway records add what the frame cannot know.
 *
 * sFlow version 5. Versions 2 and 4 have other headers and would be decoded beside
 * sflow_v5; today they count as STAT_BAD_VERSION.
 */
#include <stdlib.h>
#include <string.h>

#include "collectors/datagram.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/rbuf.h"
#include "proto/packet.h"
#include "proto/sflow.h"

/* Header protocols that packet.c has a link layer for; PPP and MPLS are further rows. */
static const struct {
	uint32_t protocol;
	int link;
} header_links[] = {
	{ SFLOW_HEADER_ETHERNET, PACKET_LINK_ETHERNET },
	{ SFLOW_HEADER_IPV4, PACKET_LINK_IPV4 },
	{ SFLOW_HEADER_IPV6, PACKET_LINK_IPV6 },
};
#define HEADER_LINKS (sizeof(header_links) / sizeof(header_links[0]))

struct sflow {
	struct collector *collector;
	const struct datagram_config *config;
	const struct packet_link *links[HEADER_LINKS];
};

/* One datagram on its way. */
struct message {
	struct sflow *sflow;
	const struct datagram *datagram;
	struct rbuf r;
	ip16_t agent;
	uint32_t rate;       /* of the last flow sample */
	uint64_t fed, not_flow, malformed; /* samples */
};

/* What became of a sample. */
enum sample_result { SAMPLE_FED, SAMPLE_NOT_FLOW, SAMPLE_MALFORMED };

/* An address behind its kind; none where it is unknown. Other kinds have no length. */
static ip16_t
sflow_address(struct rbuf *r)
{
	ip16_t a = { { 0 } };
	const uint8_t *p;

	switch (rbuf_u32(r)) {
	case SFLOW_ADDRESS_UNKNOWN:
		break;
	case SFLOW_ADDRESS_IPV4:
		if ((p = rbuf_get(r, 4)) != NULL)
			a = ip_from_v4(p);
		break;
	case SFLOW_ADDRESS_IPV6:
		if ((p = rbuf_get(r, 16)) != NULL)
			a = ip_from_v6(p);
		break;
	default:
		r->bad = true;
		break;
	}
	return a;
}

/* Opaque data of `octets`, with its padding; the last of a datagram may come without. */
static struct rbuf
sflow_opaque(struct rbuf *r, uint32_t octets)
{
	struct rbuf taken = rbuf_take(r, octets);
	size_t padding = -octets & 3U;

	rbuf_skip(r, padding < rbuf_left(r) ? padding : rbuf_left(r));
	return taken;
}

static const struct packet_link *
sflow_link(const struct sflow *s, uint32_t protocol)
{
	for (size_t i = 0; i < HEADER_LINKS; i++)
		if (header_links[i].protocol == protocol)
			return s->links[i];
	return NULL;
}

/*
 * A record's reader fills `f` from all of the record. It returns SAMPLE_FED when `f` has
 * addresses, SAMPLE_NOT_FLOW when it still has none, or SAMPLE_MALFORMED. Extended records
 * say SAMPLE_NOT_FLOW always: they add, but do not make a flow.
 */
typedef enum sample_result record_fn(const struct sflow *s, struct rbuf *r, struct flow *f);

static enum sample_result
record_header(const struct sflow *s, struct rbuf *r, struct flow *f)
{
	const struct packet_link *link = sflow_link(s, rbuf_u32(r));
	uint32_t frame_octets = rbuf_u32(r);
	struct rbuf frame;

	rbuf_skip(r, 4); /* octets stripped off the end */
	frame = rbuf_take(r, rbuf_u32(r));
	if (!rbuf_ok(r))
		return SAMPLE_MALFORMED;
	if (link == NULL)
		return SAMPLE_NOT_FLOW;
	switch (packet_dissect(link, frame.p, rbuf_left(&frame), frame_octets, f)) {
	case PACKET_OK:
		f->bytes = frame_octets; /* as pmacct: with the link layer, unlike packets */
		return SAMPLE_FED;
	case PACKET_NOT_IP:
		return SAMPLE_NOT_FLOW;
	default:
		flow_clear(f);
		return SAMPLE_MALFORMED;
	}
}

/* Words that sampled IPv4 and IPv6 have in common: what follows their addresses. */
static void
record_ports(struct rbuf *r, struct flow *f)
{
	f->src_port = (uint16_t)rbuf_u32(r);
	f->dst_port = (uint16_t)rbuf_u32(r);
	f->tcp_flags = (uint8_t)rbuf_u32(r);
	f->tos = (uint8_t)rbuf_u32(r);
	if (f->proto != 6)
		f->tcp_flags = 0;
	if (f->proto == 1 || f->proto == 58) /* ICMP: type and code, "or equivalent" */
		f->src_port = f->dst_port = 0;
}

static enum sample_result
record_ip(struct rbuf *r, struct flow *f, bool v6)
{
	bool have_frame = f->packets != 0;
	uint32_t octets = rbuf_u32(r);
	uint32_t proto = rbuf_u32(r);
	const uint8_t *addresses = rbuf_get(r, v6 ? 32 : 8);

	if (addresses == NULL || rbuf_left(r) < 16)
		return SAMPLE_MALFORMED;
	f->bytes = octets; /* of the IP packet; as pmacct, also beside a frame */
	f->packets = 1;
	if (have_frame)
		return SAMPLE_FED;
	f->src_host = v6 ? ip_from_v6(addresses) : ip_from_v4(addresses);
	f->dst_host = v6 ? ip_from_v6(addresses + 16) : ip_from_v4(addresses + 4);
	f->etype = v6 ? 0x86dd : 0x0800;
	f->proto = (uint8_t)proto;
	record_ports(r, f);
	return SAMPLE_FED;
}

static enum sample_result
record_ipv4(const struct sflow *s, struct rbuf *r, struct flow *f)
{
	(void)s;
	return record_ip(r, f, false);
}

static enum sample_result
record_ipv6(const struct sflow *s, struct rbuf *r, struct flow *f)
{
	(void)s;
	return record_ip(r, f, true);
}

static enum sample_result
record_ethernet(const struct sflow *s, struct rbuf *r, struct flow *f)
{
	static const mac_t none;
	const uint8_t *macs;
	uint16_t etype;

	(void)s;
	rbuf_skip(r, 4); /* length */
	macs = rbuf_get(r, 16); /* two, each padded by two octets */
	etype = (uint16_t)rbuf_u32(r);
	if (!rbuf_ok(r))
		return SAMPLE_MALFORMED;
	if (f->etype == 0)
		f->etype = etype;
	if (memcmp(&f->src_mac, &none, sizeof(none)) == 0) {
		memcpy(f->src_mac.b, macs, sizeof(f->src_mac.b));
		memcpy(f->dst_mac.b, macs + 8, sizeof(f->dst_mac.b));
	}
	return SAMPLE_NOT_FLOW;
}

static bool
vlan_is_one(uint32_t vlan)
{
	return vlan > 0 && vlan < 4096; /* some say -1 where there is none */
}

static enum sample_result
record_switch(const struct sflow *s, struct rbuf *r, struct flow *f)
{
	uint32_t in = rbuf_u32(r), in_cos = rbuf_u32(r);
	uint32_t out = rbuf_u32(r), out_cos = rbuf_u32(r);

	(void)s;
	if (!rbuf_ok(r))
		return SAMPLE_MALFORMED;
	if (vlan_is_one(in)) {
		f->vlan = (uint16_t)in;
		f->cos = in_cos < 8 ? (uint8_t)in_cos : f->cos;
	} else if (f->vlan == 0 && vlan_is_one(out)) {
		f->vlan = (uint16_t)out;
		f->cos = out_cos < 8 ? (uint8_t)out_cos : f->cos;
	}
	return SAMPLE_NOT_FLOW;
}

static enum sample_result
record_router(const struct sflow *s, struct rbuf *r, struct flow *f)
{
	ip16_t nexthop = sflow_address(r);
	uint32_t src = rbuf_u32(r), dst = rbuf_u32(r);

	(void)s;
	if (!rbuf_ok(r))
		return SAMPLE_MALFORMED;
	f->nexthop = nexthop;
	f->src_mask = src <= 128 ? (uint8_t)src : 0;
	f->dst_mask = dst <= 128 ? (uint8_t)dst : 0;
	return SAMPLE_NOT_FLOW;
}

/* The last AS of the path: the destination's. Communities and what follows are not read. */
static uint32_t
gateway_path(struct rbuf *r)
{
	uint32_t segments = rbuf_u32(r);
	uint32_t last = 0;

	for (uint32_t i = 0; i < segments && rbuf_ok(r); i++) {
		uint32_t n;

		rbuf_skip(r, 4); /* a set or a sequence */
		n = rbuf_u32(r);
		if (n == 0)
			continue;
		rbuf_skip(r, (size_t)(n - 1) * 4);
		last = rbuf_u32(r);
	}
	return last;
}

static enum sample_result
record_gateway(const struct sflow *s, struct rbuf *r, struct flow *f)
{
	ip16_t nexthop = sflow_address(r);
	uint32_t src_as, dst_as;

	(void)s;
	rbuf_skip(r, 4); /* the router's own AS */
	src_as = rbuf_u32(r);
	rbuf_skip(r, 4); /* the AS that the source's announcement came from */
	dst_as = gateway_path(r);
	if (!rbuf_ok(r))
		return SAMPLE_MALFORMED;
	f->peer_dst_ip = nexthop;
	f->src_as = src_as;
	f->dst_as = dst_as;
	return SAMPLE_NOT_FLOW;
}

/* Records that are understood, in the order in which they are read. */
static const struct {
	uint32_t format;
	record_fn *read;
} record_rows[] = {
	{ SFLOW_RECORD_HEADER, record_header },
	{ SFLOW_RECORD_IPV4, record_ipv4 },
	{ SFLOW_RECORD_IPV6, record_ipv6 },
	{ SFLOW_RECORD_ETHERNET, record_ethernet },
	{ SFLOW_RECORD_SWITCH, record_switch },
	{ SFLOW_RECORD_ROUTER, record_router },
	{ SFLOW_RECORD_GATEWAY, record_gateway },
};
#define RECORD_ROWS (sizeof(record_rows) / sizeof(record_rows[0]))

struct sample {
	uint32_t rate, in, out, records;
	unsigned found;                    /* a bit for each row */
	struct rbuf record[RECORD_ROWS]; /* of those bits only */
};

/* Find the records of `sm`; others are stepped over. Returns whether all are there. */
static bool
sample_find(struct sample *sm, struct rbuf *r)
{
	/* Each takes eight octets at least, so the number cannot run away. */
	for (uint32_t i = 0; i < sm->records; i++) {
		uint32_t format = rbuf_u32(r);
		struct rbuf record = sflow_opaque(r, rbuf_u32(r));

		if (!rbuf_ok(r))
			return false;
		for (unsigned row = 0; row < RECORD_ROWS; row++) {
			if (record_rows[row].format != format)
				continue;
			sm->record[row] = record;
			sm->found |= 1U << row;
			break;
		}
	}
	return true;
}

/* Fill `f` from the records that were found. */
static enum sample_result
sample_fill(const struct sflow *s, struct sample *sm, struct flow *f)
{
	enum sample_result result = SAMPLE_NOT_FLOW;

	for (unsigned row = 0; row < RECORD_ROWS; row++) {
		enum sample_result one;

		if ((sm->found >> row & 1) == 0)
			continue;
		one = record_rows[row].read(s, &sm->record[row], f);
		if (one == SAMPLE_FED || (one == SAMPLE_MALFORMED && result != SAMPLE_FED))
			result = one;
	}
	return result;
}

/* An interface that is an ifIndex; 0 where it was none, or several, or the frame died. */
static uint32_t
interface_index(uint32_t format, uint32_t value)
{
	return format == SFLOW_INTERFACE_INDEX ? value : 0;
}

static uint32_t
interface_compact(uint32_t both)
{
	return interface_index(both >> 30, both & 0x3fffffff);
}

/* A sample's header: compact, or with formats and interfaces in words of their own. */
static void
sample_header(struct sample *sm, struct rbuf *r, bool expanded)
{
	uint32_t format;

	rbuf_skip(r, expanded ? 12 : 8); /* sequence number and data source */
	sm->rate = rbuf_u32(r);
	rbuf_skip(r, 8); /* pool and drops */
	if (expanded) {
		format = rbuf_u32(r);
		sm->in = interface_index(format, rbuf_u32(r));
		format = rbuf_u32(r);
		sm->out = interface_index(format, rbuf_u32(r));
	} else {
		sm->in = interface_compact(rbuf_u32(r));
		sm->out = interface_compact(rbuf_u32(r));
	}
	sm->records = rbuf_u32(r);
}

static enum sample_result
sample_flow(struct message *m, struct rbuf *r, bool expanded)
{
	struct pipeline *p = m->sflow->collector->pipeline;
	enum sample_result result;
	struct sample sm;
	struct flow *f;

	sm.found = 0;
	sample_header(&sm, r, expanded);
	if (!rbuf_ok(r) || !sample_find(&sm, r))
		return SAMPLE_MALFORMED;
	m->rate = sm.rate;
	f = pipeline_slot(p);
	result = sample_fill(m->sflow, &sm, f);
	if (result != SAMPLE_FED)
		return result;
	f->packets = 1;
	f->flows = 1;
	f->sampling_rate = sm.rate;
	f->in_iface = sm.in;
	f->out_iface = sm.out;
	f->peer_src_ip = m->agent;
	f->stamp = f->timestamp_arrival = m->datagram->arrival;
	pipeline_commit(p);
	return SAMPLE_FED;
}

/* One sample of any kind. Returns whether it lies within the datagram. */
static bool
message_sample(struct message *m)
{
	uint32_t format = rbuf_u32(&m->r);
	struct rbuf sample = sflow_opaque(&m->r, rbuf_u32(&m->r));
	enum sample_result result = SAMPLE_NOT_FLOW;

	if (!rbuf_ok(&m->r))
		return false;
	if (format == SFLOW_SAMPLE_FLOW || format == SFLOW_SAMPLE_FLOW_EXPANDED)
		result = sample_flow(m, &sample, format == SFLOW_SAMPLE_FLOW_EXPANDED);
	m->fed += result == SAMPLE_FED;
	m->not_flow += result == SAMPLE_NOT_FLOW;
	m->malformed += result == SAMPLE_MALFORMED;
	return true;
}

static void
message_gap(
    const struct message *m, struct exporter *x, uint32_t seq, uint32_t uptime_ms)
{
	struct stats *stats = &m->sflow->collector->pipeline->stats;
	unsigned worker = m->sflow->collector->pipeline->worker;
	struct exporter_stream *stream = exporter_stream(x, worker, 0);
	/* There is no clock in the header, but the datagram has just come. */
	bool restarted = exporter_restarted(
	    stream, (uint32_t)(m->datagram->arrival / CLOCK_S), uptime_ms);
	enum sequence_verdict order = sequence_judge(&stream->sequence, seq, restarted);
	uint32_t lost =
	    exporter_sequence(x, worker, stats, stream, order, seq, 1, false).lost;
	char ip[IP_STRLEN];

	if (lost == 0 || m->sflow->config->disable_checks)
		return;
	(void)ip_format(&x->addr, ip);
	log_limited(&x->parts[worker].limit, "sflow %s/%u: %u datagrams missing before number %u", ip,
	    x->domain, lost, seq);
}

/* Count the datagram and its samples on the exporter and in the books. */
static void
message_count(const struct message *m, struct exporter *x, bool whole)
{
	struct pipeline *p = m->sflow->collector->pipeline;
	uint64_t records = m->fed + m->not_flow + m->malformed;
	uint64_t bad = m->malformed + !whole;

	stat_add(&p->stats, STAT_RECORDS, records);
	stat_add(&p->stats, STAT_RECORDS_FED, m->fed);
	stat_add(&p->stats, STAT_RECORDS_NOT_FLOW, m->not_flow);
	stat_add(&p->stats, STAT_RECORDS_MALFORMED, m->malformed);
	counter_add(&m->sflow->collector->errors, bad);
	exporter_add(x, p->worker, EXPORTER_DATAGRAMS, 1);
	exporter_add(x, p->worker, EXPORTER_OCTETS, m->datagram->len);
	exporter_add(x, p->worker, EXPORTER_RECORDS, records);
	exporter_add(x, p->worker, EXPORTER_MALFORMED, bad);
	atomic_store_explicit(&x->parts[p->worker].last_seen, m->datagram->arrival,
	    memory_order_relaxed);
	if (m->rate != 0)
		exporter_rate_set(x, m->rate, EXPORTER_RATE_RECORD);
}

/* All of a version 5 datagram behind its version. Returns where the books put it. */
static enum stat_no
sflow_v5(struct message *m)
{
	uint32_t domain, seq, uptime_ms, samples;
	struct exporter *x;
	bool whole = true;

	m->agent = sflow_address(&m->r);
	domain = rbuf_u32(&m->r);
	seq = rbuf_u32(&m->r);
	uptime_ms = rbuf_u32(&m->r);
	samples = rbuf_u32(&m->r);
	if (!rbuf_ok(&m->r))
		return STAT_BAD_SHORT;
	if (ip_is_none(&m->agent))
		m->agent = m->datagram->from;
	x = exporter_get(m->sflow->collector->exporters, EXPORTER_SFLOW, &m->agent, domain);
	if (x == NULL)
		return STAT_BAD_EXPORTER;
	atomic_store_explicit(&x->version, SFLOW_V5, memory_order_relaxed);
	message_gap(m, x, seq, uptime_ms);
	while (whole && samples-- > 0)
		whole = message_sample(m);
	message_count(m, x, whole);
	return whole ? STAT_DATAGRAMS_DECODED : STAT_BAD_LENGTH;
}

static void
sflow_decode(void *decoder, const struct datagram *d)
{
	struct sflow *s = decoder;
	struct collector *c = s->collector;
	struct message m = { .sflow = s, .datagram = d, .r = rbuf_of(d->data, d->len) };
	enum stat_no where = STAT_BAD_VERSION;

	stat_add(&c->pipeline->stats, STAT_DATAGRAMS, 1);
	stat_add(&c->pipeline->stats, STAT_DATAGRAM_OCTETS, d->len);
	counter_add(&c->units, 1);
	counter_add(&c->octets, d->len);
	atomic_store_explicit(&c->last_seen, d->arrival, memory_order_relaxed);
	if (d->len < 4)
		where = STAT_BAD_SHORT;
	else if (rbuf_u32(&m.r) == SFLOW_V5)
		where = sflow_v5(&m);
	stat_add(&c->pipeline->stats, where, 1);
	/* What has an exporter counts its own. */
	if (where == STAT_BAD_SHORT || where == STAT_BAD_VERSION || where == STAT_BAD_EXPORTER)
		counter_add(&c->errors, 1);
}

static void *
sflow_open(struct collector *c, struct err *e)
{
	struct sflow *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_set(e, WEIR_ENOMEM, "sflow: no memory");
		return NULL;
	}
	s->collector = c;
	s->config = c->config;
	for (size_t i = 0; i < HEADER_LINKS; i++)
		s->links[i] = packet_link(header_links[i].link);
	return s;
}

static void
sflow_close(void *decoder)
{
	free(decoder);
}

const struct datagram_decoder sflow_decoder = {
	.name = "sflow",
	.kind = COLLECTOR_SFLOW,
	.source = SOURCE_SFLOW,
	.open = sflow_open,
	.decode = sflow_decode,
	.close = sflow_close,
};
