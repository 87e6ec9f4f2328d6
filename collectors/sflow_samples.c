/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: a flow sample becomes one flow; what it says about the packet is read by
 * proto/sflow_record.c. Samples of version 5 are as long as they say: one that is broken
 * within does not harm the next. In versions 2 and 4 it ends the datagram.
 */
#include "collectors/sflow_message.h"

#include "collectors/classes.h"
#include "lib/log.h"

/* Inlined on the way of every sample, once for each form. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* What a flow sample begins with. */
struct sample {
	uint32_t source_class;  /* 0: an interface */
	uint32_t source_index;
	struct sflow_tell tell; /* of its data source */
	uint32_t rate;          /* 1 in N; 0: unknown */
	uint32_t in, out;       /* interfaces */
	uint32_t type;          /* SFLOW_SAMPLE_... */
};

/*
 * An interface as pmacct shows it: an ifIndex (0x3fffffff: the device itself), or a frame
 * that died or went to several, which the two top bits tell. The expanded form says
 * these in the same way, or an ifIndex of 32 bits.
 */
static uint32_t
interface_value(uint32_t format, uint32_t value)
{
	if (format == SFLOW_INTERFACE_INDEX)
		return value;
	return format << SFLOW_INTERFACE_BITS | (value & SFLOW_INTERFACE_MAX);
}

/* The head that all versions have, but for the number of records. */
ALWAYS_INLINE void
sample_head(struct sample *sm, const uint8_t *p)
{
	uint32_t source = sflow_word(p, 1);

	sm->type = SFLOW_SAMPLE_FLOW;
	sm->source_class = source >> 24;
	sm->source_index = source & 0xffffff;
	sm->tell.sequence = sflow_word(p, 0);
	sm->tell.rate = sflow_word(p, 2);
	sm->tell.pool = sflow_word(p, 3);
	sm->tell.drops = sflow_word(p, 4);
	sm->in = sflow_word(p, 5);
	sm->out = sflow_word(p, 6);
}

/* The expanded one: kinds of data source and interface stand in words of their own. */
ALWAYS_INLINE void
sample_head_expanded(struct sample *sm, const uint8_t *p)
{
	sm->type = SFLOW_SAMPLE_FLOW_EXPANDED;
	sm->source_class = sflow_word(p, 1);
	sm->source_index = sflow_word(p, 2);
	sm->tell.sequence = sflow_word(p, 0);
	sm->tell.rate = sflow_word(p, 3);
	sm->tell.pool = sflow_word(p, 4);
	sm->tell.drops = sflow_word(p, 5);
	sm->in = interface_value(sflow_word(p, 6), sflow_word(p, 7));
	sm->out = interface_value(sflow_word(p, 8), sflow_word(p, 9));
}

/*
 * Take the sample into account of its data source, and find its rate: what the agent
 * announces is shown; what counters are multiplied by is what it did.
 */
ALWAYS_INLINE void
sample_tell(const struct sflow *s, struct sflow_message *m, struct sample *sm)
{
	struct sflow_source *source =
	    sflow_message_source(m, sm->source_class, sm->source_index);
	struct sflow_step step;

	m->rate = sm->rate = sm->tell.rate;
	if (source == NULL || (!s->renormalizes && sflow_source_goes_on(source, &sm->tell)))
		return;
	step = sflow_source_step(source, &sm->tell);
	m->lost += step.lost;
	m->found += step.late && m->late;
	m->dropped += step.dropped;
	if (s->renormalizes)
		sm->rate = step.rate;
}

/* On which side of the device the sample was taken: the interface that took it tells. */
static uint8_t
sample_direction(const struct sample *sm)
{
	if (sm->source_class != 0)
		return DIRECTION_UNKNOWN;
	if (sm->source_index == sm->in)
		return DIRECTION_IN;
	return sm->source_index == sm->out ? DIRECTION_OUT : DIRECTION_UNKNOWN;
}

/* What only some views show. */
static void
sample_fill(const struct sflow *s, const struct sflow_message *m,
    const struct sample *sm, struct flow *f)
{
	f->sampling_rate = sm->rate;
	f->sampling_direction = sample_direction(sm);
	f->peer_src_ip = m->peer;
	f->timestamp_arrival = m->datagram->arrival;
	if (!s->header_shown)
		return;
	f->export_proto_seqno = m->sequence;
	f->export_proto_version = (uint16_t)m->version;
	f->export_proto_sysid = m->exporter->domain;
	f->engine_id = sm->source_index;
	f->sample_type = sm->type; /* of sFlow.org, whose number is 0 */
}

/* The class of a sampled frame. */
static __attribute__((noinline)) void
sample_classify(struct sflow *s, const struct sflow_message *m, struct sflow_records *rs,
    struct flow *f)
{
	rs->frame.time = m->datagram->arrival;
	classes_take(s->classes, packet_link((int)rs->frame.linktype), &rs->frame, f);
}

/* Make a flow of a sample whose records were found. */
static enum sflow_verdict
sample_feed(struct sflow *s, struct sflow_message *m, const struct sample *sm,
    struct sflow_records *rs)
{
	struct pipeline *p = s->pipeline;
	struct flow *f = pipeline_slot(p);
	enum sflow_verdict verdict = sflow_records_read(&s->reading, rs, f);

	m->unknown += rs->unknown;
	m->cut += rs->cut;
	if (verdict != SFLOW_FLOW)
		return verdict;
	f->flows = 1;
	f->stamp = m->datagram->arrival;
	if (pipeline_needs_tagged(p)) {
		f->exporter_ip = m->agent;
		f->in_iface = sm->in;
		f->out_iface = sm->out;
	}
	if (pipeline_needs_more(p))
		sample_fill(s, m, sm, f);
	if (rs->frame.octets != NULL)
		pipeline_frame(p, &rs->frame);
	if (s->classes != NULL && rs->frame.octets != NULL)
		sample_classify(s, m, rs, f);
	pipeline_commit(p);
	return SFLOW_FLOW;
}

ALWAYS_INLINE enum sflow_verdict
sample_flow(struct sflow *s, struct sflow_message *m, struct rbuf *r, bool expanded)
{
	const uint8_t *p = rbuf_get(r, expanded ? 44 : 32);
	struct sflow_records rs;
	struct sample sm;

	if (p == NULL)
		return SFLOW_MALFORMED;
	if (expanded)
		sample_head_expanded(&sm, p);
	else
		sample_head(&sm, p);
	sample_tell(s, m, &sm);
	if (!sflow_records_find(&rs, r, sflow_word(p, expanded ? 10 : 7)))
		return SFLOW_MALFORMED;
	return sample_feed(s, m, &sm, &rs);
}

/* One sample of version 5. Returns whether it lies within the datagram. */
static bool
sample_v5(struct sflow *s, struct sflow_message *m)
{
	const uint8_t *p = rbuf_get(&m->in, 8);
	enum sflow_verdict verdict = SFLOW_NOT_FLOW;
	struct rbuf sample;

	if (p == NULL)
		return false;
	sample = sflow_opaque(&m->in, sflow_word(p, 1));
	if (!rbuf_ok(&m->in))
		return false;
	switch (sflow_word(p, 0)) {
	case SFLOW_SAMPLE_FLOW:
		verdict = sample_flow(s, m, &sample, false);
		break;
	case SFLOW_SAMPLE_FLOW_EXPANDED:
		verdict = sample_flow(s, m, &sample, true);
		break;
	case SFLOW_SAMPLE_COUNTERS:
		if (!sflow_counters(s, m, &sample, false))
			verdict = SFLOW_MALFORMED;
		break;
	case SFLOW_SAMPLE_COUNTERS_EXPANDED:
		if (!sflow_counters(s, m, &sample, true))
			verdict = SFLOW_MALFORMED;
		break;
	case SFLOW_SAMPLE_DISCARDED: /* never sampled: it stands for nothing but itself */
		break;
	default:
		m->unknown++;
		break;
	}
	m->n[verdict]++;
	return true;
}

/* A flow sample of version 2 or 4. Returns whether its end is known. */
static bool
old_flow(struct sflow *s, struct sflow_message *m)
{
	const uint8_t *p = rbuf_get(&m->in, 28);
	struct sflow_records rs;
	struct sample sm;
	bool whole;

	if (p == NULL)
		return false;
	sample_head(&sm, p);
	sample_tell(s, m, &sm);
	whole = sflow_records_find_old(&rs, &m->in, m->version);
	/* What stands before an extension that nobody knows is as good as ever. */
	if (whole || rs.unknown > 0)
		m->n[sample_feed(s, m, &sm, &rs)]++;
	return whole;
}

static bool
sample_old(struct sflow *s, struct sflow_message *m)
{
	switch (rbuf_u32(&m->in)) {
	case SFLOW_SAMPLE_FLOW:
		return old_flow(s, m);
	case SFLOW_SAMPLE_COUNTERS:
		return sflow_counters_old(s, m);
	}
	m->unknown += rbuf_ok(&m->in);
	return false;
}

bool
sflow_samples(struct sflow *s, struct sflow_message *m)
{
	bool whole = true;

	s->reading.version = m->version;
	for (uint32_t n = m->announced; whole && n > 0; n--)
		whole = m->version == SFLOW_V5 ? sample_v5(s, m) : sample_old(s, m);
	return whole;
}
