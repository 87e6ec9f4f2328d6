/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/netflow_sets.h"

#include "collectors/netflow_exporter.h"
#include "collectors/netflow_waiting.h"
#include "flow/sample_type.h"
#include "lib/clock.h"
#include "proto/ie.h"
#include "proto/netflow.h"
#include "proto/template_pool.h"

/* Templates that one datagram may redefine; who changes more of them means harm. */
#define CHANGES_MAX 256U

/* The seconds that templates are used and told at: those of arrival. */
static uint32_t
message_now_s(const struct message *m)
{
	return (uint32_t)(m->datagram->arrival / CLOCK_S);
}

/* There is no memory for templates: forget exporters, but not all the time. */
static void
memory_is_short(struct netflow *nf)
{
	if (clock_mono() < nf->forget_after)
		return;
	nf->forget_after = clock_mono() + CLOCK_S;
	exporters_forget(nf->collector->exporters);
}

/* Keep template `t` (taken) with the exporter of `m`. */
static void
template_keep(struct netflow *nf, struct message *m, struct template *t)
{
	uint16_t id = t->id;
	int rc = netflow_exporter_template(m->exporter, t, message_now_s(m));

	if (rc > 0) {
		stat_add(&nf->pipeline->stats, STAT_TEMPLATES_FORGOTTEN, (uint64_t)rc);
		message_log(nf, m, "%d templates without data forgotten", rc);
	} else if (rc < 0) {
		template_pool_put(t);
		message_log(nf, m, "template %u left out: %s", id,
		    rc == -WEIR_EFULL ? "too many templates" : "no memory");
	}
	if (rc == -WEIR_ENOMEM)
		memory_is_short(nf);
}

/* Remember which elements of a template of flows are stepped over. */
static void
template_unknown(struct exporter *x, const struct template_def *d)
{
	struct rbuf r = rbuf_of(d->fields, d->fields_octets);

	if (template_kind_is_options(d->kind))
		return;
	pthread_mutex_lock(&x->lock);
	for (unsigned i = 0; i < d->n_fields; i++) {
		struct template_spec s = template_spec_read(&r, d->kind);

		if (!ie_is_known(s.enterprise, s.id))
			unknown_add(&x->unknown, s.enterprise, s.id);
	}
	pthread_mutex_unlock(&x->lock);
}

/* A template was told: keep it, unless it is the one that we have. */
static void
template_told(struct netflow *nf, struct message *m, const struct template_def *d)
{
	const struct templates *ts = netflow_exporter_templates(m->exporter);
	const struct template *known = NULL;
	struct template *t;
	char addr[IP_STRLEN];

	m->templates++;
	if (ts != NULL)
		known = templates_find(ts, d->kind, d->id);
	if (known != NULL && template_same(known, d)) {
		templates_hear(ts, d->kind, d->id, message_now_s(m));
		return;
	}
	if (known != NULL && m->changes == CHANGES_MAX) {
		message_fault(m, STAT_BAD_TEMPLATE);
		return;
	}
	m->changes += known != NULL;
	t = template_pool_get(d, &nf->pipeline->needs);
	if (t == NULL) {
		message_log(nf, m, "no memory for template %u", d->id);
		memory_is_short(nf);
		return;
	}
	ip_format(&m->datagram->from, addr);
	log_debug(LOG_TEMPLATE,
	    "netflow %s/%u: template %u: %u fields, %u octets, %u steps", addr,
	    m->exporter->domain, t->id, t->n_fields, t->min_octets, t->n_steps);
	template_unknown(m->exporter, d);
	template_keep(nf, m, t);
}

/*
 * A template is withdrawn: RFC 7011 s8.1. Over UDP nobody should say so, and a collector
 * should not listen (s8.4), since a withdrawal may overtake data, or arrive after the id
 * has been given away anew. But who says so means it, and records that come under the id
 * next are not what the template describes. So it counts where it stands in order.
 */
static void
template_withdrawn(struct netflow *nf, struct message *m, const struct template_def *d)
{
	if (!m->datagram->connected &&
	    (m->order == SEQUENCE_LATE || m->order == SEQUENCE_DUPLICATE)) {
		message_log(
		    nf, m, "template %u withdrawn out of order: ignored", d->id);
		return;
	}
	if (netflow_exporter_withdraw(m->exporter, d->kind, d->id) < 0)
		message_log(nf, m, "no memory to withdraw template %u", d->id);
}

/* A set of templates: RFC 3954 s5.2, s6.1; RFC 7011 s3.4.1, s3.4.2. */
static void
templates_set(
    struct netflow *nf, struct message *m, enum template_kind kind, struct rbuf *set)
{
	struct template_def d;
	int rc;

	while ((rc = template_next(set, kind, &d)) != -WEIR_ENOENT) {
		if (rc == 0 && d.n_fields == 0) {
			template_withdrawn(nf, m, &d);
			continue;
		}
		if (rc == 0) {
			template_told(nf, m, &d);
			continue;
		}
		message_fault(m, STAT_BAD_TEMPLATE);
		message_log(nf, m, "a template (id %u, %u fields) cannot be meant",
		    d.id, d.n_fields);
	}
}

/*
 * The start of a flow as far as bins go. pmacct takes the whole seconds that an uptime
 * lies before the header's; what is left of a second then counts as over.
 */
static inline uint64_t
flow_start(const struct template *t, const struct flow *f)
{
	uint64_t start = f->timestamp_start;

	return t->start_by_uptime ? (start + CLOCK_S - 1) / CLOCK_S * CLOCK_S : start;
}

/* Records may tell the rate themselves: that of the first of a set is shown. */
static void
records_rate(const struct netflow *nf, const struct message *m, const struct flow *f)
{
	if (field_set_has(&nf->pipeline->needs, F_SAMPLING_RATE) &&
	    f->sampling_rate != 0)
		exporter_rate_set(m->exporter, f->sampling_rate, EXPORTER_RATE_RECORD);
}

/* Fill in of which kind a record of `t` is. */
static void
record_traits(const struct template *t, struct flow *f)
{
	const struct template_traits *traits = &t->traits;

	f->flowset_id = t->id;
	f->sample_type = traits->sample_type;
	if (traits->by_host && !ip_is_none(&f->src_host))
		f->sample_type |= ip_is_v4(&f->src_host) ? SAMPLE_IPV4 : SAMPLE_IPV6;
	f->is_bi_flow = traits->bi_flow;
	f->is_nel = traits->nel;
	f->is_nsel = traits->nsel;
}

/* What is left to do for a flow that was decoded with `t`. */
static inline void
record_finish(
    struct netflow *nf, struct message *m, const struct template *t, struct flow *f)
{
	if (nf->ignore_address) /* which the record may tell, too */
		f->peer_src_ip = m->exporter_ip;
	if (m->options != NULL)
		message_options_fill(m, f);
	if (m->template_shown)
		record_traits(t, f);
	f->stamp = message_stamp(nf, m, flow_start(t, f));
}

/* The way back that a record tells beside the other, as a flow of its own. */
static void
record_reverse(
    struct netflow *nf, struct message *m, const struct template *t, struct rbuf record)
{
	struct flow *f = message_slot(nf, m);

	if (!template_decode_reverse(t, record, &m->clock, f))
		return;
	record_finish(nf, m, t->reverse, f);
	pipeline_commit(nf->pipeline);
	m->reversed++;
}

/* How many records of `set` may be there, so that slots are made for them at once. */
static unsigned
records_at_once(const struct template *t, const struct rbuf *set)
{
	size_t most = rbuf_left(set) / t->min_octets; /* never 0: template_next refuses it */

	return t->variable ? 1 : most < FLOW_BATCH ? (unsigned)most : FLOW_BATCH;
}

/* The records of a data set that are flows. */
static void
records_set(
    struct netflow *nf, struct message *m, const struct template *t, struct rbuf *set)
{
	bool reverse = nf->biflow && t->reverse != NULL;
	uint64_t n = 0;

	while (rbuf_left(set) >= t->min_octets) {
		const struct rbuf record = *set;
		unsigned want = reverse ? 1 : records_at_once(t, set), got;
		struct flow *f = message_slots(nf, m, &want);

		got = template_decode_many(t, set, &m->clock, f, want);
		if (n == 0 && got > 0 && m->options == NULL)
			records_rate(nf, m, f);
		for (unsigned i = 0; i < got; i++)
			record_finish(nf, m, t, f + i);
		pipeline_commit_many(nf->pipeline, got);
		n += got;
		if (got < want) {
			message_fault(m, STAT_BAD_SHORT);
			m->uncounted = true;
			message_log(
			    nf, m, "a record of template %u runs past its set", t->id);
			break;
		}
		if (reverse)
			record_reverse(nf, m, t, record);
	}
	m->records += n;
	m->fed += n;
}

/* Records about the exporter itself: what they tell is kept with it. */
static void
options_set(
    struct netflow *nf, struct message *m, const struct template *t, struct rbuf *set)
{
	struct rbuf records = *set;
	uint64_t n = 0, refused = 0;

	while (rbuf_left(set) >= t->min_octets) {
		struct optdata_told told;

		if (optdata_read(t, set, m->exporter->domain, nf->any_scope, &told) !=
		    0) {
			message_fault(m, STAT_BAD_SHORT);
			m->uncounted = true;
			break;
		}
		if (told.n > 0 || !ip_is_none(&told.address))
			refused += netflow_exporter_told(
			    m->exporter, &told, m->datagram->arrival);
		n++;
	}
	if (nf->account_options) {
		records.end = set->p;
		records_set(nf, m, t, &records);
	} else {
		m->records += n;
		m->not_flow += n;
	}
	m->options_refused += refused;
	if (refused > 0)
		message_log(nf, m, "no room for what %llu options tell",
		    (unsigned long long)refused);
	message_options(nf, m);
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

/* `n` more sets wait now; less, where it is negative. */
static void
sets_wait(struct netflow *nf, int n)
{
	stat_add(&nf->pipeline->stats, STAT_SETS_WAITING, (uint64_t)n);
	counter_add(&nf->collector->waiting, (uint64_t)n);
}

/* `n` sets that waited are given up: they were without template after all. */
static void
sets_give_up(struct netflow *nf, unsigned n)
{
	struct stats *stats = &nf->pipeline->stats;

	if (n == 0)
		return;
	stat_add(stats, STAT_RECORDS, n);
	stat_add(stats, STAT_RECORDS_NO_TEMPLATE, n);
	stat_add(stats, STAT_SETS_GIVEN_UP, n);
	sets_wait(nf, -(int)n);
}

/*
 * Keep a set for the template that is still to come. Messages of a connection come in
 * order, and who withdraws templates has said what is valid: nothing waits there.
 */
static bool
set_waits(struct netflow *nf, struct message *m, enum template_kind kind, uint16_t id,
    const struct rbuf *set)
{
	const struct netflow_exporter *nx = netflow_exporter_of(m->exporter);
	const struct waiting_set early = {
		.exporter = m->exporter->serial,
		.kind = kind,
		.id = id,
		.version = m->version,
		.datagram = *m->datagram,
		.clock = m->clock,
		.header_ns = m->header_ns,
		.header_s = m->header_s,
		.number = m->number,
	};
	int gone;

	if (m->datagram->connected || (nx != NULL && atomic_load(&nx->withdraws)))
		return false;
	gone = waiting_add(nf->waiting, &early, set->p, rbuf_left(set));
	if (gone < 0)
		return false;
	stat_add(&nf->pipeline->stats, STAT_SETS_EARLY, 1);
	sets_wait(nf, 1);
	sets_give_up(nf, (unsigned)gone);
	counter_add(&nf->collector->crowded, (uint64_t)gone);
	m->early++;
	return true;
}

/* A data set whose template is known. */
static void
known_set(
    struct netflow *nf, struct message *m, const struct template *t, struct rbuf *set)
{
	uint64_t before = m->records;

	if (t->options)
		options_set(nf, m, t, set);
	else
		records_set(nf, m, t, set);
	templates_count_records(
	    netflow_exporter_templates(m->exporter), t, m->records - before);
	if (!padding_fits(*set)) {
		message_fault(m, STAT_BAD_LENGTH);
		message_log(nf, m,
		    "a set of template %u ends with %zu octets of no record", t->id,
		    rbuf_left(set));
	}
}

static void
data_set(struct netflow *nf, struct message *m, enum template_kind kind, uint16_t id,
    struct rbuf *set)
{
	const struct templates *ts = netflow_exporter_templates(m->exporter);
	const struct template *t =
	    ts != NULL ? templates_use(ts, kind, id, message_now_s(m)) : NULL;
	bool waits;

	if (t != NULL) {
		known_set(nf, m, t, set);
		return;
	}
	waits = set_waits(nf, m, kind, id, set);
	if (!waits) {
		m->records++;
		m->no_template++;
	}
	m->uncounted = true;
	message_log(nf, m, "template %u unknown, a set of %zu octets %s", id,
	    rbuf_left(set), waits ? "waits" : "skipped");
}

/* Whether a set is a whole number of records and padding. */
static bool
set_fits(const struct message *m, const struct template *t, struct rbuf set)
{
	struct flow nobody;

	while (rbuf_left(&set) >= t->min_octets)
		if (template_decode(t, &set, &m->clock, &nobody) != 0)
			return false;
	return padding_fits(set);
}

/* The template of a set that waited has come: its records are as good as others. */
static void
set_resolve(struct netflow *nf, const struct message *m, const struct waiting_set *w,
    const struct template *t)
{
	struct rbuf set = rbuf_of(w->data, w->octets);
	struct message then = {
		.datagram = &w->datagram,
		.version = w->version,
		.exporter = m->exporter,
		.clock = w->clock,
		.header_ns = w->header_ns,
		.header_s = w->header_s,
		.header_shown = m->header_shown,
		.template_shown = m->template_shown,
		.number = w->number,
		.sampling = m->sampling,
		.fate = STAT_DATAGRAMS_DECODED,
	};

	/* A template that means something else under this id shows by the length. */
	if (!set_fits(&then, t, set)) {
		sets_give_up(nf, 1);
		message_log(
		    nf, m, "a set that waited for template %u is none of it", t->id);
		return;
	}
	message_options(nf, &then);
	known_set(nf, &then, t, &set);
	message_book_records(nf, &then);
	stat_add(&nf->pipeline->stats, STAT_SETS_RESOLVED, 1);
	sets_wait(nf, -1);
}

/* Look after the sets that wait: those of the exporter whose templates have come. */
static void
sets_resolve(struct netflow *nf, const struct message *m)
{
	const struct netflow_exporter *nx = netflow_exporter_of(m->exporter);
	const struct waiting_set *w;
	unsigned at = 0;

	sets_give_up(nf, waiting_expire(nf->waiting, m->datagram->arrival));
	if (nx == NULL)
		return;
	if (atomic_load(&nx->withdraws))
		sets_give_up(nf, waiting_forget(nf->waiting, m->exporter->serial));
	while ((w = waiting_next(nf->waiting, m->exporter->serial, &at)) != NULL) {
		const struct template *t =
		    templates_find(&nx->templates, w->kind, w->id);

		if (t == NULL) {
			at++;
			continue;
		}
		set_resolve(nf, m, w, t);
		waiting_remove(nf->waiting, at);
	}
}

/* What the sets of a version are called: RFC 3954 s5, RFC 7011 s3.3.2. */
struct sets_format {
	uint16_t templates, options; /* ids of sets */
	enum template_kind template_kind, options_kind;
};

static const struct sets_format v9_format = { SET_TEMPLATE9, SET_OPTIONS9, TEMPLATE_V9,
	TEMPLATE_V9_OPTIONS };
static const struct sets_format ipfix_format = { SET_TEMPLATE10, SET_OPTIONS10,
	TEMPLATE_IPFIX, TEMPLATE_IPFIX_OPTIONS };

static void
any_set(struct netflow *nf, struct message *m, const struct sets_format *f, uint16_t id,
    struct rbuf *set)
{
	if (id == f->templates)
		templates_set(nf, m, f->template_kind, set);
	else if (id == f->options)
		templates_set(nf, m, f->options_kind, set);
	else if (id >= SET_DATA)
		data_set(nf, m, f->template_kind, id, set);
	/* The others are reserved: stepped over. */
}

/* Sets, to the end of the message. */
static void
sets_walk(struct netflow *nf, struct message *m, const struct sets_format *f)
{
	while (rbuf_left(&m->in) >= SET_HEADER) {
		uint16_t id = rbuf_u16(&m->in);
		size_t len = rbuf_u16(&m->in);
		struct rbuf set;

		if (len < SET_HEADER || len - SET_HEADER > rbuf_left(&m->in)) {
			/* Where the next set would begin is not known. */
			message_fault(
			    m, len < SET_HEADER ? STAT_BAD_LENGTH : STAT_BAD_SHORT);
			message_log(nf, m, "set %u of %zu octets, %zu there", id, len,
			    rbuf_left(&m->in) + SET_HEADER);
			m->uncounted = true;
			return;
		}
		set = rbuf_take(&m->in, len - SET_HEADER);
		any_set(nf, m, f, id, &set);
	}
	if (rbuf_left(&m->in) > 0)
		message_fault(m, STAT_BAD_SHORT);
}

/* The sets of a message, and those of before that they bring templates for. */
static void
sets_decode(struct netflow *nf, struct message *m, const struct sets_format *f)
{
	/* What ids meant before the exporter began anew, nobody tells now. */
	if (m->order == SEQUENCE_RESET)
		sets_give_up(nf, waiting_forget(nf->waiting, m->exporter->serial));
	sets_walk(nf, m, f);
	if (waiting_count(nf->waiting) != 0)
		sets_resolve(nf, m);
}

void
netflow9_decode(struct netflow *nf, struct message *m)
{
	const uint8_t *h = rbuf_get(&m->in, NETFLOW9_HEADER);

	if (!message_exporter(nf, m, wire_u32(h + NETFLOW9_SOURCE_ID)))
		return;
	m->header_s = wire_u32(h + NETFLOW9_SECONDS);
	m->header_ns = m->header_s * CLOCK_S;
	m->clock.export_ns = m->header_ns;
	m->clock.uptime_ms = wire_u32(h + NETFLOW9_UPTIME);
	/* v9 counts export packets here: RFC 3954 s5.1. */
	message_number(nf, m, wire_u32(h + NETFLOW9_SEQUENCE), 0);
	message_counts(nf, m, 1, "datagrams");
	/* To the end, whatever the header counts: some exporters count too few. */
	sets_decode(nf, m, &v9_format);
}

/*
 * Cut the message to the length that its header tells. A datagram holds one message
 * (RFC 7011 s10.3.3), so what is behind it is of no known meaning. False when the
 * length leaves no room for the header itself.
 */
static bool
ipfix_length(struct netflow *nf, struct message *m, size_t len)
{
	size_t there = m->datagram->len;

	if (len < NETFLOW10_HEADER) {
		message_fault(m, STAT_BAD_LENGTH);
		message_log(nf, m, "a message of %zu octets", len);
		return false;
	}
	if (len > there) {
		message_fault(m, STAT_BAD_SHORT);
		message_log(nf, m, "%zu octets announced, %zu there", len, there);
		m->uncounted = true;
	} else if (len < there) {
		message_fault(m, STAT_BAD_LENGTH);
		message_log(nf, m, "%zu octets beyond the message", there - len);
		m->beyond = there - len;
		m->in.end -= m->beyond;
	}
	return true;
}

void
ipfix_decode(struct netflow *nf, struct message *m)
{
	const uint8_t *h = rbuf_get(&m->in, NETFLOW10_HEADER);

	if (!ipfix_length(nf, m, wire_u16(h + NETFLOW10_LENGTH)) ||
	    !message_exporter(nf, m, wire_u32(h + NETFLOW10_DOMAIN)))
		return;
	m->header_ns = wire_u32(h + NETFLOW10_SECONDS) * CLOCK_S;
	m->clock.export_ns = m->header_ns;
	/* IPFIX counts data records here, of options too: RFC 7011 s3.1. */
	message_number(nf, m, wire_u32(h + NETFLOW10_SEQUENCE), 0);
	sets_decode(nf, m, &ipfix_format);
	message_counts(nf, m, (uint32_t)(m->records - m->no_template), "records");
}
