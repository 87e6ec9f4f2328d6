/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/netflow_message.h"

#include <stdarg.h>
#include <stdio.h>

#include "collectors/netflow_exporter.h"
#include "flow/sample_type.h"
#include "lib/clock.h"

#define YEAR_2000 (UINT64_C(946684800) * CLOCK_S)

void
message_log(struct netflow *nf, const struct message *m, const char *fmt, ...)
{
	char text[256], addr[IP_STRLEN];
	const char *protocol = m->version == 10 ? "ipfix" : "netflow";
	struct exporter *x = m->exporter;
	struct log_limit *limit = x != NULL ? &x->parts[nf->worker].limit : &nf->limit;
	va_list ap;

	if (log_limit_spent(limit))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ip_format(&m->datagram->from, addr);
	if (x != NULL)
		log_limited(limit, "%s %s/%u: %s", protocol, addr, x->domain, text);
	else
		log_limited(limit, "%s %s: %s", protocol, addr, text);
}

void
message_fault(struct message *m, enum stat_no why)
{
	if (m->fate == STAT_DATAGRAMS_DECODED)
		m->fate = why;
}

/* Primitives that the header tells, and those that a record's template does. */
static const enum field_no header_fields[] = { F_TIMESTAMP_EXPORT, F_EXPORT_PROTO_SEQNO,
	F_EXPORT_PROTO_VERSION, F_EXPORT_PROTO_SYSID, F_ENGINE_TYPE, F_ENGINE_ID,
	F_SAMPLE_TYPE };
static const enum field_no template_fields[] = { F_FLOWSET_ID, F_SAMPLE_TYPE,
	F_IS_BI_FLOW, F_IS_NEL, F_IS_NSEL };

static bool
any_is_needed(const struct field_set *needs, const enum field_no *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (field_set_has(needs, list[i]))
			return true;
	return false;
}

void
message_header(const struct message *m, struct flow *f)
{
	uint32_t domain = m->exporter->domain;

	f->timestamp_export = m->header_ns;
	f->export_proto_seqno = m->number;
	f->export_proto_version = m->version;
	f->export_proto_sysid = domain;
	f->engine_type = m->version < 9 ? (uint8_t)(domain >> 8) : 0;
	f->engine_id = m->version < 9 ? domain & 0xff : domain;
	f->sample_type =
	    m->version < 9 ? SAMPLE_NETFLOW | SAMPLE_FLOW | SAMPLE_IPV4 : SAMPLE_NONE;
}

void
message_options(const struct netflow *nf, struct message *m)
{
	const struct optdata *o = netflow_exporter_options(m->exporter);
	uint32_t domain = m->exporter->domain;

	m->exporter_ip = m->datagram->from;
	if (o == NULL)
		return;
	if (!nf->ignore_address)
		(void)optdata_address(o, domain, &m->exporter_ip);
	if (optdata_rate(o, domain, &m->optdata_rate))
		exporter_rate_set(m->exporter, m->optdata_rate, EXPORTER_RATE_OPTIONS);
	m->optdata_kinds = optdata_kinds(o, &nf->pipeline->needs);
	m->options = m->optdata_kinds != 0 ? o : NULL;
}

void
message_options_fill(const struct message *m, struct flow *f)
{
	optdata_fill(m->options, m->optdata_kinds, m->exporter->domain, f);
	if (f->sampling_rate == 0)
		f->sampling_rate = m->optdata_rate;
}

uint64_t
message_stamp_off(struct message *m, uint64_t stamp)
{
	if (m->datagram->arrival <
	    YEAR_2000) /* of a file whose packets have no times */
		return stamp;
	m->times_off++;
	return m->datagram->arrival;
}

bool
message_exporter(struct netflow *nf, struct message *m, uint32_t domain)
{
	struct exporter *x = exporter_get(
	    nf->collector->exporters, EXPORTER_NETFLOW, &m->datagram->from, domain);

	m->exporter = x;
	if (x == NULL) {
		message_fault(m, STAT_BAD_EXPORTER);
		message_log(nf, m, "no room for another exporter (domain %u)", domain);
		return false;
	}
	m->header_shown = any_is_needed(&nf->pipeline->needs, header_fields,
	    sizeof(header_fields) / sizeof(header_fields[0]));
	m->template_shown = any_is_needed(&nf->pipeline->needs, template_fields,
	    sizeof(template_fields) / sizeof(template_fields[0]));
	message_options(nf, m);
	if (atomic_load_explicit(&x->version, memory_order_relaxed) != m->version)
		atomic_store_explicit(&x->version, m->version, memory_order_relaxed);
	return true;
}

void
message_number(struct netflow *nf, struct message *m, uint32_t number, uint8_t scheme)
{
	uint32_t key =
	    (uint32_t)m->datagram->from_port << 16 | (uint32_t)scheme << 8 | m->version;
	bool restarted = false;

	m->stream = exporter_stream(m->exporter, nf->worker, key);
	if (m->version < 10)
		restarted = exporter_restarted(
		    m->stream, (uint32_t)m->header_s, m->clock.uptime_ms);
	m->number = number;
	m->order = sequence_judge(&m->stream->sequence, number, restarted);
}

void
message_counts(struct netflow *nf, struct message *m, uint32_t units, const char *unit)
{
	struct sequence_step step = exporter_sequence(m->exporter, nf->worker,
	    &nf->pipeline->stats, m->stream, m->order, m->number, units, m->uncounted);

	if (step.lost != 0 && !nf->disable_checks)
		message_log(nf, m, "%u %s missing before sequence number %u", step.lost,
		    unit, m->number);
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
		{ EXPORTER_MALFORMED, m->fate != STAT_DATAGRAMS_DECODED },
		{ EXPORTER_NO_TEMPLATE, m->no_template + m->early },
		{ EXPORTER_TEMPLATES, m->templates },
		{ EXPORTER_TEMPLATE_CHANGES, m->changes },
	};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		if (counts[i].n != 0)
			exporter_add(x, nf->worker, counts[i].count, counts[i].n);
	if (m->header_ns != 0)
		exporter_skew_set(x, nf->worker, m->header_ns, m->datagram->arrival);
	atomic_store_explicit(&x->parts[nf->worker].last_seen, m->datagram->arrival,
	    memory_order_relaxed);
}

void
message_book_records(struct netflow *nf, const struct message *m)
{
	book(nf, STAT_RECORDS, m->records);
	book(nf, STAT_RECORDS_FED, m->fed);
	book(nf, STAT_RECORDS_REVERSED, m->reversed);
	book(nf, STAT_RECORDS_NO_TEMPLATE, m->no_template);
	book(nf, STAT_RECORDS_NOT_FLOW, m->not_flow);
	book(nf, STAT_OPTIONS_REFUSED, m->options_refused);
	book(nf, STAT_TIMES_OFF, m->times_off);
	if (m->times_off != 0)
		message_log(nf, m, "%llu records of times far off: is the clock right?",
		    (unsigned long long)m->times_off);
	if (m->exporter != NULL && m->records != 0)
		exporter_add(m->exporter, nf->worker, EXPORTER_RECORDS, m->records);
}

void
message_book(struct netflow *nf, const struct message *m)
{
	struct collector *c = nf->collector;

	book(nf, STAT_DATAGRAMS, 1);
	book(nf, STAT_DATAGRAM_OCTETS, m->datagram->len);
	book(nf, STAT_OCTETS_BEYOND, m->beyond);
	book(nf, m->fate, 1);
	message_book_records(nf, m);
	book(nf, STAT_TEMPLATES, m->templates);
	if (m->exporter != NULL)
		book_exporter(nf, m);
	counter_add(&c->units, 1);
	counter_add(&c->octets, m->datagram->len);
	counter_add(&c->errors, m->fate != STAT_DATAGRAMS_DECODED);
	counter_add(&c->versions, m->fate == STAT_BAD_VERSION);
	atomic_store_explicit(
	    &c->last_seen, m->datagram->arrival, memory_order_relaxed);
}
