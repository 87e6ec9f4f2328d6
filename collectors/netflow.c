/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: a NetFlow datagram's way. Its version chooses a row of `versions`; the handler
 * there reads the header, finds the exporter, looks at the sequence number and walks
 * what follows: in v5 records of 48 octets, in v9 (RFC 3954) FlowSets: templates, which
 * are compiled and kept with the exporter, and data, whose records each become a flow
 * in the pipeline's next slot. What happens on the way is counted in a struct message
 * and booked once, at the end: every datagram as one of decoded or malformed by reason,
 * every record as fed, or without template, or not a flow.
 *
 * A fault keeps the records before it. Where the extent of what is broken is known (a
 * template record, a set) the walk goes on behind it; the first fault names the reason.
 */
#include "collectors/netflow.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/datagram.h"
#include "lib/clock.h"
#include "lib/rbuf.h"
#include "lib/rcu.h"
#include "proto/netflow.h"
#include "proto/templates.h"

/* Templates that one datagram may redefine; who changes more of them means harm. */
#define CHANGES_MAX 256U

#define ETHERTYPE_IPV4 0x0800U

/* The decoder of one collector of one worker. */
struct netflow {
	struct collector *collector;
	struct pipeline *pipeline;
	unsigned worker;
	bool time_new, disable_checks;
	struct log_limit limit; /* for datagrams of no exporter */
};

/* A datagram being decoded, and what came out of it so far. */
struct message {
	const struct datagram *datagram;
	struct rbuf in;
	uint16_t version;
	struct exporter *exporter; /* NULL until the header was read */
	struct template_clock clock;
	uint64_t header_ns; /* since 1970, from the header; 0: it does not know */
	uint64_t header_s; /* of it, the seconds */
	uint32_t sampling;
	enum stat_no fate; /* STAT_DATAGRAMS_DECODED, or why not */
	uint64_t records, fed, no_template, not_flow;
	uint64_t templates, changes;
	uint32_t lost, resets;
};

static void netflow_log(struct netflow *nf, const struct message *m, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

/* One line about the sender of `m`, no oftener than its bucket allows. */
static void
netflow_log(struct netflow *nf, const struct message *m, const char *fmt, ...)
{
	char text[256], addr[IP_STRLEN];
	struct exporter *x = m->exporter;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ip_format(&m->datagram->from, addr);
	if (x != NULL)
		log_limited(&x->parts[nf->worker].limit, "netflow %s/%u: %s", addr,
		    x->domain, text);
	else
		log_limited(&nf->limit, "netflow %s: %s", addr, text);
}

/* The message is broken; the first reason stands. */
static void
message_fault(struct message *m, enum stat_no why)
{
	if (m->fate == STAT_DATAGRAMS_DECODED)
		m->fate = why;
}

/*
 * Find the exporter. False, with the message's fate decided, when there are too many.
 */
static bool
message_exporter(struct netflow *nf, struct message *m, uint32_t domain)
{
	struct exporter *x = exporter_get(
	    nf->collector->exporters, EXPORTER_NETFLOW, &m->datagram->from, domain);

	m->exporter = x;
	if (x == NULL) {
		message_fault(m, STAT_BAD_EXPORTER);
		netflow_log(nf, m, "no room for another exporter (domain %u)", domain);
		return false;
	}
	if (atomic_load_explicit(&x->version, memory_order_relaxed) != m->version) {
		/* Each version counts for itself. */
		x->parts[nf->worker].seq_known = false;
		atomic_store_explicit(&x->version, m->version, memory_order_relaxed);
	}
	return true;
}

static void
message_sequence(struct netflow *nf, struct message *m, uint32_t seq, uint32_t units,
    const char *unit)
{
	const _Atomic uint64_t *resets =
	    &m->exporter->parts[nf->worker].n[EXPORTER_SEQUENCE_RESETS];
	uint64_t before = atomic_load_explicit(resets, memory_order_relaxed);

	m->lost = exporter_sequence(m->exporter, nf->worker, seq, units);
	m->resets =
	    (uint32_t)(atomic_load_explicit(resets, memory_order_relaxed) - before);
	if (m->lost != 0 && !nf->disable_checks)
		netflow_log(nf, m, "%u %s missing before sequence number %u", m->lost,
		    unit, seq);
}

/* A slot with what all records of the message have in common. */
static inline struct flow *
message_slot(const struct netflow *nf, const struct message *m)
{
	struct flow *f = pipeline_slot(nf->pipeline);

	f->peer_src_ip = m->datagram->from;
	f->timestamp_arrival = m->datagram->arrival;
	f->sampling_rate = m->sampling;
	f->flows = 1;
	return f;
}

/*
 * The time that decides the bin: the flow's start, else the header's, else the arrival.
 */
static inline uint64_t
message_stamp(const struct netflow *nf, const struct message *m, uint64_t start)
{
	if (nf->time_new)
		return m->datagram->arrival;
	if (start == 0)
		return m->header_ns != 0 ? m->header_ns : m->datagram->arrival;
	return start;
}

/*
 * Which ports of a v5 record are meant, by protocol: of those that have ports, both; of
 * ICMP the destination port, where Cisco puts type and code.
 */
enum { PORT_SRC = 1, PORT_DST = 2, PORTS = PORT_SRC | PORT_DST };
static const uint8_t v5_ports[256] = {
	[1] = PORT_DST,
	[6] = PORTS,
	[17] = PORTS,
	[33] = PORTS,
	[58] = PORT_DST,
	[132] = PORTS,
	[136] = PORTS,
};

/*
 * The start of a v5 flow as far as bins go: seconds alone, each of the three times cut
 * to them, like pmacct, so that both put a record into the same bin.
 */
static inline uint64_t
v5_start(const struct message *m, uint32_t first)
{
	uint32_t uptime = m->clock.uptime_ms;
	uint64_t seconds = m->header_s + first / 1000;

	if (first > uptime) /* the uptime wrapped meanwhile, or was read late */
		return netflow_uptime_ns(m->header_s * CLOCK_S, uptime, first);
	return seconds > uptime / 1000 ? (seconds - uptime / 1000) * CLOCK_S : 0;
}

static inline void
v5_record(
    const struct netflow *nf, const struct message *m, const uint8_t *p, struct flow *f)
{
	uint8_t proto = p[NETFLOW5_PROTO], ports = v5_ports[proto];
	uint32_t first = wire_u32(p + NETFLOW5_FIRST);

	f->src_host = ip_from_v4(p + NETFLOW5_SRC);
	f->dst_host = ip_from_v4(p + NETFLOW5_DST);
	f->nexthop = ip_from_v4(p + NETFLOW5_NEXTHOP);
	f->src_port = (ports & PORT_SRC) != 0 ? wire_u16(p + NETFLOW5_SRC_PORT) : 0;
	f->dst_port = (ports & PORT_DST) != 0 ? wire_u16(p + NETFLOW5_DST_PORT) : 0;
	f->proto = proto;
	f->tos = p[NETFLOW5_TOS];
	f->tcp_flags = p[NETFLOW5_TCP_FLAGS];
	f->in_iface = wire_u16(p + NETFLOW5_INPUT);
	f->out_iface = wire_u16(p + NETFLOW5_OUTPUT);
	f->src_as = wire_u16(p + NETFLOW5_SRC_AS);
	f->dst_as = wire_u16(p + NETFLOW5_DST_AS);
	f->src_mask = p[NETFLOW5_SRC_MASK];
	f->dst_mask = p[NETFLOW5_DST_MASK];
	f->etype = ETHERTYPE_IPV4;
	f->packets = wire_u32(p + NETFLOW5_PACKETS);
	f->bytes = wire_u32(p + NETFLOW5_OCTETS);
	f->timestamp_start =
	    netflow_uptime_ns(m->clock.export_ns, m->clock.uptime_ms, first);
	f->timestamp_end = netflow_uptime_ns(
	    m->clock.export_ns, m->clock.uptime_ms, wire_u32(p + NETFLOW5_LAST));
	f->stamp = message_stamp(nf, m, v5_start(m, first));
}

static void
v5_decode(struct netflow *nf, struct message *m)
{
	const uint8_t *h = rbuf_get(&m->in, NETFLOW5_HEADER), *p;
	uint32_t count = wire_u16(h + NETFLOW5_COUNT), sampling;
	size_t there = rbuf_left(&m->in) / NETFLOW5_RECORD;

	if (!message_exporter(nf, m, wire_u16(h + NETFLOW5_ENGINE)))
		return;
	m->header_s = wire_u32(h + NETFLOW5_SECONDS);
	m->header_ns = m->header_s * CLOCK_S;
	if (m->header_ns != 0 && wire_u32(h + NETFLOW5_NANOSECONDS) < CLOCK_S)
		m->header_ns += wire_u32(h + NETFLOW5_NANOSECONDS);
	m->clock.export_ns = m->header_ns;
	m->clock.uptime_ms = wire_u32(h + NETFLOW5_UPTIME);
	sampling = wire_u16(h + NETFLOW5_SAMPLING) & NETFLOW5_RATE_MASK;
	m->sampling = sampling;
	if (atomic_load_explicit(&m->exporter->sampling, memory_order_relaxed) !=
	    sampling)
		atomic_store_explicit(
		    &m->exporter->sampling, sampling, memory_order_relaxed);
	message_sequence(nf, m, wire_u32(h + NETFLOW5_SEQUENCE), count, "records");

	/*
	 * The count rules: what follows the last record is padding, or no flows at all.
	 */
	if (count > there) {
		message_fault(m, STAT_BAD_SHORT);
		netflow_log(nf, m, "%u records announced, %zu there", count, there);
		count = (uint32_t)there;
	}
	p = rbuf_get(&m->in, (size_t)count * NETFLOW5_RECORD);
	for (uint32_t i = 0; i < count; i++, p += NETFLOW5_RECORD) {
		v5_record(nf, m, p, message_slot(nf, m));
		pipeline_commit(nf->pipeline);
	}
	m->records = m->fed = count;
}

/* The exporter's templates, or NULL when it has told none yet. */
static struct templates *
exporter_templates(const struct exporter *x)
{
	return atomic_load_explicit(&x->state, memory_order_acquire);
}

/* Keep template `t` (taken) with the exporter of `m`. */
static void
template_keep(struct netflow *nf, struct message *m, struct template *t)
{
	struct exporter *x = m->exporter;
	struct templates_old old = { NULL, NULL };
	struct templates *ts;
	uint16_t id = t->id;
	int rc = -WEIR_ENOMEM;

	pthread_mutex_lock(&x->lock);
	ts = exporter_templates(x);
	if (ts == NULL) {
		ts = templates_new();
		atomic_store_explicit(&x->state, ts, memory_order_release);
	}
	if (ts != NULL)
		rc = templates_put(ts, t, &old);
	pthread_mutex_unlock(&x->lock);
	/* Not under the lock: when memory is short it waits for the workers. */
	templates_retire(&old);
	if (rc != 0) {
		template_free(t);
		netflow_log(nf, m, "template %u left out: %s", id,
		    rc == -WEIR_EFULL ? "too many templates" : "no memory");
	}
}

/* A template was told: keep it, unless it is the one that we have. */
static void
template_told(struct netflow *nf, struct message *m, const struct template_def *d)
{
	const struct templates *ts = exporter_templates(m->exporter);
	const struct template *known = NULL;
	struct template *t;
	char addr[IP_STRLEN];

	m->templates++;
	if (ts != NULL)
		known = templates_find(ts, d->kind, d->id);
	if (known != NULL && template_same(known, d))
		return;
	if (known != NULL && m->changes == CHANGES_MAX) {
		message_fault(m, STAT_BAD_TEMPLATE);
		return;
	}
	m->changes += known != NULL;
	if (known == NULL && ts != NULL && templates_count(ts) >= TEMPLATES_MAX) {
		netflow_log(nf, m, "template %u left out: too many templates", d->id);
		return;
	}
	t = template_new(d, &nf->pipeline->needs);
	if (t == NULL) {
		netflow_log(nf, m, "no memory for template %u", d->id);
		return;
	}
	ip_format(&m->datagram->from, addr);
	log_debug(LOG_TEMPLATE,
	    "netflow %s/%u: template %u: %u fields, %u octets, %u steps", addr,
	    m->exporter->domain, t->id, t->n_fields, t->min_octets, t->n_steps);
	template_keep(nf, m, t);
}

/* A FlowSet of templates: RFC 3954 s5.2, s6.1. */
static void
templates_set(
    struct netflow *nf, struct message *m, enum template_kind kind, struct rbuf *set)
{
	struct template_def d;
	int rc;

	while ((rc = template_next(set, kind, &d)) != -WEIR_ENOENT) {
		if (rc == 0) {
			template_told(nf, m, &d);
			continue;
		}
		message_fault(m, STAT_BAD_TEMPLATE);
		netflow_log(nf, m, "a template (id %u, %u fields) cannot be meant",
		    d.id, d.n_fields);
	}
}

/*
 * The start of a flow as far as bins go. pmacct takes the whole seconds that an uptime
 * lies before the header's; what is left of a second then counts as over.
 */
static inline uint64_t
v9_start(const struct template *t, const struct flow *f)
{
	uint64_t start = f->timestamp_start;

	return t->start_by_uptime ? (start + CLOCK_S - 1) / CLOCK_S * CLOCK_S : start;
}

/* The records of a data FlowSet that are flows. */
static void
records_set(
    struct netflow *nf, struct message *m, const struct template *t, struct rbuf *set)
{
	uint64_t n = 0;

	while (
	    rbuf_left(set) >= t->min_octets) { /* never 0: template_next refuses it */
		struct flow *f = message_slot(nf, m);

		if (template_decode(t, set, &m->clock, f) != 0) {
			message_fault(m, STAT_BAD_SHORT);
			netflow_log(
			    nf, m, "a record of template %u runs past its set", t->id);
			break;
		}
		f->stamp = message_stamp(nf, m, v9_start(t, f));
		pipeline_commit(nf->pipeline);
		n++;
	}
	m->records += n;
	m->fed += n;
}

/* Records about the exporter itself: counted, and not yet made use of. */
static void
options_set(
    struct netflow *nf, struct message *m, const struct template *t, struct rbuf *set)
{
	struct flow nobody;
	uint64_t n = 0;

	(void)nf;
	while (rbuf_left(set) >= t->min_octets) {
		if (template_decode(t, set, &m->clock, &nobody) != 0) {
			message_fault(m, STAT_BAD_SHORT);
			break;
		}
		n++;
	}
	m->records += n;
	m->not_flow += n;
}

/* Whether what is left behind the last record can be padding: RFC 3954 s5.3. */
static bool
padding_fits(struct rbuf rest)
{
	if (rbuf_left(&rest) < 4)
		return true;
	while (rbuf_left(&rest) > 0)
		if (rbuf_u8(&rest) != 0)
			return false;
	return true;
}

static void
data_set(struct netflow *nf, struct message *m, enum template_kind kind, uint16_t id,
    struct rbuf *set)
{
	const struct templates *ts = exporter_templates(m->exporter);
	const struct template *t = ts != NULL ? templates_find(ts, kind, id) : NULL;

	if (t == NULL) {
		m->records++;
		m->no_template++;
		netflow_log(nf, m, "template %u unknown, a set of %zu octets skipped",
		    id, rbuf_left(set));
		return;
	}
	if (t->options)
		options_set(nf, m, t, set);
	else
		records_set(nf, m, t, set);
	if (!padding_fits(*set)) {
		message_fault(m, STAT_BAD_LENGTH);
		netflow_log(nf, m,
		    "a set of template %u ends with %zu octets of no record", id,
		    rbuf_left(set));
	}
}

static void
v9_set(struct netflow *nf, struct message *m, uint16_t id, struct rbuf *set)
{
	if (id == SET_TEMPLATE9)
		templates_set(nf, m, TEMPLATE_V9, set);
	else if (id == SET_OPTIONS9)
		templates_set(nf, m, TEMPLATE_V9_OPTIONS, set);
	else if (id >= SET_DATA)
		data_set(nf, m, TEMPLATE_V9, id, set);
	/* The others are reserved: stepped over. */
}

static void
v9_decode(struct netflow *nf, struct message *m)
{
	const uint8_t *h = rbuf_get(&m->in, NETFLOW9_HEADER);

	if (!message_exporter(nf, m, wire_u32(h + NETFLOW9_SOURCE_ID)))
		return;
	m->header_ns = wire_u32(h + NETFLOW9_SECONDS) * CLOCK_S;
	m->clock.export_ns = m->header_ns;
	m->clock.uptime_ms = wire_u32(h + NETFLOW9_UPTIME);
	m->sampling =
	    atomic_load_explicit(&m->exporter->sampling, memory_order_relaxed);
	/* v9 counts export packets here: RFC 3954 s5.1. */
	message_sequence(nf, m, wire_u32(h + NETFLOW9_SEQUENCE), 1, "datagrams");

	/*
	 * To the end, whatever the header's count says: some exporters count too few.
	 */
	while (rbuf_left(&m->in) >= SET_HEADER) {
		uint16_t id = rbuf_u16(&m->in);
		size_t len = rbuf_u16(&m->in);
		struct rbuf set;

		if (len < SET_HEADER || len - SET_HEADER > rbuf_left(&m->in)) {
			/* Where the next set would begin is not known. */
			message_fault(
			    m, len < SET_HEADER ? STAT_BAD_LENGTH : STAT_BAD_SHORT);
			netflow_log(nf, m, "set %u of %zu octets, %zu there", id, len,
			    rbuf_left(&m->in) + SET_HEADER);
			return;
		}
		set = rbuf_take(&m->in, len - SET_HEADER);
		v9_set(nf, m, id, &set);
	}
	if (rbuf_left(&m->in) > 0)
		message_fault(m, STAT_BAD_SHORT);
}

/* The versions that are taken. v1, v7, v8 and IPFIX (10) are further rows. */
static const struct version {
	uint16_t version;
	uint16_t header_octets;
	void (*decode)(struct netflow *nf, struct message *m);
} versions[] = {
	{ 5, NETFLOW5_HEADER, v5_decode },
	{ 9, NETFLOW9_HEADER, v9_decode },
};

static const struct version *
version_find(uint16_t version)
{
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
		if (versions[i].version == version)
			return &versions[i];
	return NULL;
}

/* Read the version and let its row do the rest. */
static void
message_decode(struct netflow *nf, struct message *m)
{
	struct rbuf peek = m->in;
	const struct version *v;

	m->version = rbuf_u16(&peek);
	if (!rbuf_ok(&peek)) {
		message_fault(m, STAT_BAD_SHORT);
		return;
	}
	v = version_find(m->version);
	if (v == NULL) {
		message_fault(m, STAT_BAD_VERSION);
		netflow_log(nf, m, "version %u is not taken here", m->version);
	} else if (rbuf_left(&m->in) < v->header_octets) {
		message_fault(m, STAT_BAD_SHORT);
		netflow_log(nf, m, "%zu octets are no version %u header",
		    rbuf_left(&m->in), m->version);
	} else {
		v->decode(nf, m);
	}
}

/* Count on a stat, where there is something to count. */
static void
book(struct netflow *nf, enum stat_no i, uint64_t n)
{
	if (n != 0)
		stat_add(&nf->pipeline->stats, i, n);
}

static void
book_exporter(struct netflow *nf, const struct message *m)
{
	struct exporter *x = m->exporter;
	const struct {
		enum exporter_count count;
		uint64_t n;
	} counts[] = {
		{ EXPORTER_DATAGRAMS, 1 },
		{ EXPORTER_OCTETS, m->datagram->len },
		{ EXPORTER_RECORDS, m->records },
		{ EXPORTER_MALFORMED, m->fate != STAT_DATAGRAMS_DECODED },
		{ EXPORTER_NO_TEMPLATE, m->no_template },
		{ EXPORTER_TEMPLATES, m->templates },
		{ EXPORTER_TEMPLATE_CHANGES, m->changes },
	};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		if (counts[i].n != 0)
			exporter_add(x, nf->worker, counts[i].count, counts[i].n);
	atomic_store_explicit(&x->parts[nf->worker].last_seen, m->datagram->arrival,
	    memory_order_relaxed);
}

/* Into the books with it. */
static void
message_book(struct netflow *nf, const struct message *m)
{
	struct collector *c = nf->collector;

	book(nf, STAT_DATAGRAMS, 1);
	book(nf, STAT_DATAGRAM_OCTETS, m->datagram->len);
	book(nf, m->fate, 1);
	book(nf, STAT_RECORDS, m->records);
	book(nf, STAT_RECORDS_FED, m->fed);
	book(nf, STAT_RECORDS_NO_TEMPLATE, m->no_template);
	book(nf, STAT_RECORDS_NOT_FLOW, m->not_flow);
	book(nf, STAT_TEMPLATES, m->templates);
	book(nf, STAT_SEQUENCE_LOST, m->lost);
	book(nf, STAT_SEQUENCE_RESETS, m->resets);
	if (m->exporter != NULL)
		book_exporter(nf, m);
	counter_add(&c->units, 1);
	counter_add(&c->octets, m->datagram->len);
	counter_add(&c->errors, m->fate != STAT_DATAGRAMS_DECODED);
	atomic_store_explicit(
	    &c->last_seen, m->datagram->arrival, memory_order_relaxed);
}

static void
netflow_decode(void *decoder, const struct datagram *d)
{
	struct netflow *nf = decoder;
	struct message m = {
		.datagram = d,
		.in = rbuf_of(d->data, d->len),
		.fate = STAT_DATAGRAMS_DECODED,
	};

	pipeline_source(nf->pipeline, SOURCE_NETFLOW);
	message_decode(nf, &m);
	message_book(nf, &m);
}

static void *
netflow_open(struct collector *c, struct err *e)
{
	const struct datagram_config *config = c->config;
	struct netflow *nf = calloc(1, sizeof(*nf));

	if (nf == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for a NetFlow decoder");
		return NULL;
	}
	nf->collector = c;
	nf->pipeline = c->pipeline;
	nf->worker = c->pipeline->worker;
	nf->limit = (struct log_limit)LOG_LIMIT_INIT;
	if (config != NULL) {
		nf->time_new = config->time_new;
		nf->disable_checks = config->disable_checks;
	}
	return nf;
}

static void
netflow_close(void *decoder)
{
	free(decoder);
}

void
netflow_exporter_state_free(void *state)
{
	templates_free(state);
}

const struct datagram_decoder netflow_decoder = {
	.name = "netflow",
	.kind = COLLECTOR_NETFLOW,
	.source = SOURCE_NETFLOW,
	.open = netflow_open,
	.decode = netflow_decode,
	.close = netflow_close,
};
