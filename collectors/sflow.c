/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: sFlow versions 2, 4 (RFC 3176) and 5 (https://sflow.org/sflow_version_5.txt), told
 * apart datagram by datagram. Here are the headers of datagrams and the books; samples are
 * in sflow_samples.c and sflow_counters.c, their records in proto/sflow_record.c, and what
 * is remembered of an agent between datagrams in sflow_sources.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/classes.h"
#include "collectors/counter_log.h"
#include "collectors/sflow_message.h"
#include "lib/clock.h"
#include "lib/log.h"

static void message_log(struct sflow *s, const struct sflow_message *m, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* One line about the sender of `m`, no oftener than its bucket allows. */
static void
message_log(struct sflow *s, const struct sflow_message *m, const char *fmt, ...)
{
	char text[160], ip[IP_STRLEN];
	struct exporter *x = m->exporter;
	struct log_limit *limit = x != NULL ? &x->parts[s->worker].limit : &s->limit;
	va_list ap;

	if (log_limit_spent(limit))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)ip_format(x != NULL ? &x->addr : &m->datagram->from, ip);
	if (x != NULL)
		log_limited(limit, "sflow %s/%u: %s", ip, x->domain, text);
	else
		log_limited(limit, "sflow %s: %s", ip, text);
}

/* The rest of the header, behind its version. Returns whether all of it is there. */
static bool
message_header(struct sflow_message *m, uint32_t *domain)
{
	m->agent = sflow_address(&m->in);
	/* Sub-agents are new in version 5. */
	*domain = m->version == SFLOW_V5 ? rbuf_u32(&m->in) : 0;
	m->sequence = rbuf_u32(&m->in);
	m->uptime_ms = rbuf_u32(&m->in);
	m->announced = rbuf_u32(&m->in);
	return rbuf_ok(&m->in);
}

/* Compare the datagram's number with what its sub-agent's last one lets expect. */
static void
message_sequence(struct sflow *s, struct sflow_message *m)
{
	struct exporter *x = m->exporter;
	struct exporter_stream *stream = exporter_stream(x, s->worker, m->version);
	/* There is no clock in the header, but the datagram has just come. */
	bool restarted = exporter_restarted(
	    stream, (uint32_t)(m->datagram->arrival / CLOCK_S), m->uptime_ms);
	enum sequence_verdict order =
	    sequence_judge(&stream->sequence, m->sequence, restarted);
	uint32_t lost = exporter_sequence(x, s->worker, &s->pipeline->stats, stream, order,
	    m->sequence, 1, false).lost;

	m->late = order == SEQUENCE_LATE;
	if (lost != 0 && !s->config->disable_checks)
		message_log(s, m, "%u datagrams missing before number %u", lost,
		    m->sequence);
}

/* Count on a stat, where there is something to count. */
static void
book(struct sflow *s, enum stat_no i, uint64_t n)
{
	if (n != 0)
		stat_add(&s->pipeline->stats, i, n);
}

/* Count the datagram and its samples on the exporter and in the books. */
static void
message_book(struct sflow *s, const struct sflow_message *m, bool whole)
{
	struct exporter *x = m->exporter;
	uint64_t records = m->n[SFLOW_FLOW] + m->n[SFLOW_NOT_FLOW] + m->n[SFLOW_MALFORMED];
	uint64_t bad = m->n[SFLOW_MALFORMED] + !whole;

	book(s, STAT_RECORDS, records);
	book(s, STAT_RECORDS_FED, m->n[SFLOW_FLOW]);
	book(s, STAT_RECORDS_NOT_FLOW, m->n[SFLOW_NOT_FLOW]);
	book(s, STAT_RECORDS_MALFORMED, m->n[SFLOW_MALFORMED]);
	book(s, STAT_PARTS_UNKNOWN, m->unknown);
	book(s, STAT_PARTS_CUT, m->cut);
	book(s, STAT_COUNTERS, m->counters);
	book(s, STAT_COUNTERS_LOGGED, m->counters_logged);
	book(s, STAT_COUNTERS_LOST, m->counters_lost);
	book(s, STAT_COUNTERS_UNLOGGED,
	    m->counters - m->counters_logged - m->counters_lost);
	book(s, STAT_INTERFACES_REFUSED, m->interfaces_refused);
	book(s, STAT_SAMPLES_LOST, m->lost);
	book(s, STAT_SAMPLES_FOUND, m->found);
	book(s, STAT_SAMPLES_DROPPED, m->dropped);
	book(s, STAT_SOURCES_REFUSED, m->sources_refused);
	counter_add(&s->collector->errors, bad);
	exporter_add(x, s->worker, EXPORTER_DATAGRAMS, 1);
	exporter_add(x, s->worker, EXPORTER_OCTETS, m->datagram->len);
	exporter_add(x, s->worker, EXPORTER_RECORDS, records);
	exporter_add(x, s->worker, EXPORTER_MALFORMED, bad);
	exporter_add(x, s->worker, EXPORTER_SAMPLES_LOST, m->lost);
	exporter_add(x, s->worker, EXPORTER_SAMPLES_FOUND, m->found);
	exporter_add(x, s->worker, EXPORTER_SAMPLES_DROPPED, m->dropped);
	atomic_store_explicit(&x->parts[s->worker].last_seen, m->datagram->arrival,
	    memory_order_relaxed);
	if (m->rate != 0)
		exporter_rate_set(x, m->rate, EXPORTER_RATE_RECORD);
}

/* All of a datagram of version `m->version`. Returns where the books put it. */
static enum stat_no
message_take(struct sflow *s, struct sflow_message *m)
{
	uint32_t domain;
	bool whole;

	if (!message_header(m, &domain)) {
		message_log(s, m, "%zu octets are no version %u header", m->datagram->len,
		    m->version);
		return STAT_BAD_SHORT;
	}
	if (ip_is_none(&m->agent))
		m->agent = m->datagram->from;
	m->peer = s->config->ignore_exporter_address ? m->datagram->from : m->agent;
	m->exporter =
	    exporter_get(s->collector->exporters, EXPORTER_SFLOW, &m->agent, domain);
	if (m->exporter == NULL) {
		message_log(s, m, "no room for another exporter (sub-agent %u)", domain);
		return STAT_BAD_EXPORTER;
	}
	atomic_store_explicit(&m->exporter->version, m->version, memory_order_relaxed);
	message_sequence(s, m);
	m->sources = sflow_sources_of(m->exporter, s->worker);
	whole = sflow_samples(s, m);
	message_book(s, m, whole);
	if (!whole)
		message_log(s, m, "one of %u samples leaves the datagram, or is of a kind "
				  "whose end is not known", m->announced);
	return whole ? STAT_DATAGRAMS_DECODED : STAT_BAD_LENGTH;
}

static bool
version_is_known(uint32_t version)
{
	return version == SFLOW_V2 || version == SFLOW_V4 || version == SFLOW_V5;
}

/* Streams of sampled frames are judged as time passes. */
static void
sflow_idle(void *decoder, uint64_t now)
{
	struct sflow *s = decoder;

	if (s->classes != NULL)
		atomic_store(&s->collector->unsettled, classes_age(s->classes, now));
}

static void
sflow_decode(void *decoder, const struct datagram *d)
{
	struct sflow *s = decoder;
	struct collector *c = s->collector;
	struct sflow_message m = { .datagram = d, .in = rbuf_of(d->data, d->len) };
	enum stat_no where = STAT_BAD_VERSION;

	stat_add(&s->pipeline->stats, STAT_DATAGRAMS, 1);
	stat_add(&s->pipeline->stats, STAT_DATAGRAM_OCTETS, d->len);
	counter_add(&c->units, 1);
	counter_add(&c->octets, d->len);
	atomic_store_explicit(&c->last_seen, d->arrival, memory_order_relaxed);
	m.version = rbuf_u32(&m.in);
	if (!rbuf_ok(&m.in))
		where = STAT_BAD_SHORT;
	else if (version_is_known(m.version))
		where = message_take(s, &m);
	else
		message_log(s, &m, "version %u is not taken here", m.version);
	counter_add(&c->versions, where == STAT_BAD_VERSION);
	stat_add(&s->pipeline->stats, where, 1);
	sflow_idle(s, d->arrival);
	/* What has an exporter counts its own. */
	if (m.exporter == NULL)
		counter_add(&c->errors, 1);
}

/* Whether somebody needs what headers say, of datagrams or samples. */
static bool
header_is_needed(const struct field_set *needs)
{
	static const enum field_no told[] = { F_EXPORT_PROTO_SEQNO,
		F_EXPORT_PROTO_VERSION, F_EXPORT_PROTO_SYSID, F_ENGINE_ID, F_SAMPLE_TYPE };

	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		if (field_set_has(needs, told[i]))
			return true;
	return false;
}

static void
sflow_close(void *decoder)
{
	struct sflow *s = decoder;

	if (s->counters != NULL)
		counter_log_leave(s->counters);
	classes_free(s->classes);
	free(s);
}

/* What is only there where somebody asks for it. */
static bool
sflow_joins(struct sflow *s, struct err *e)
{
	const struct datagram_config *c = s->config;
	bool classes = classes_wanted(c->classes, s->pipeline);

	if (c->counters != NULL && (s->counters = counter_log_join(c->counters, e)) == NULL)
		return false;
	if (classes)
		s->classes = classes_new(c->classes, &s->reading.wants, s->pipeline, e);
	return s->classes != NULL || !classes;
}

static void *
sflow_open(struct collector *c, struct err *e)
{
	struct sflow *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_set(e, WEIR_ENOMEM, "sflow: no memory");
		return NULL;
	}
	s->limit = (struct log_limit)LOG_LIMIT_INIT;
	s->collector = c;
	s->pipeline = c->pipeline;
	s->worker = c->pipeline->worker;
	s->config = c->config;
	s->renormalizes = sampling_renormalizes(c->pipeline->sampling, SOURCE_SFLOW);
	s->header_shown = header_is_needed(&c->pipeline->needs);
	sflow_reading_init(&s->reading, &c->pipeline->needs);
	if (s->config->tunnel != NULL &&
	    packet_layers_parse(s->config->tunnel, &s->reading.wants, e) != 0) {
		free(s);
		return NULL;
	}
	s->reading.unknown_etype = s->config->unknown_etype;
	if (!sflow_joins(s, e)) {
		sflow_close(s);
		return NULL;
	}
	return s;
}

static void
sflow_finish(void *decoder)
{
	struct sflow *s = decoder;

	if (s->classes == NULL)
		return;
	pipeline_source(s->pipeline, SOURCE_SFLOW);
	classes_finish(s->classes);
	atomic_store(&s->collector->unsettled, 0);
}

const struct datagram_decoder sflow_decoder = {
	.name = "sflow",
	.kind = COLLECTOR_SFLOW,
	.source = SOURCE_SFLOW,
	.open = sflow_open,
	.decode = sflow_decode,
	.idle = sflow_idle,
	.finish = sflow_finish,
	.close = sflow_close,
};
