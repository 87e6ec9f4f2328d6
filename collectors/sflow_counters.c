/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: counter samples are no flows. Their numbers tell of samples that are missing; the
 * blocks of counters that are known go to the counter log, as octets, where there is one.
 * The last counters of each interface are kept with the exporter, for who wants to see them.
 */
#include <string.h>

#include "collectors/counter_log.h"
#include "collectors/sflow_message.h"
#include "proto/sflow_counter.h"

/* What a counter sample begins with. */
struct head {
	uint32_t sequence;
	uint32_t source_class, source_index;
	bool late; /* it was overtaken */
};

static void
head_take(struct sflow_message *m, struct head *h)
{
	struct sflow_source *source =
	    sflow_message_source(m, h->source_class, h->source_index);
	int32_t lost = source != NULL ? sflow_source_count(source, h->sequence) : 0;

	h->late = lost < 0;
	m->found += h->late && m->late;
	if (lost > 0)
		m->lost += (uint32_t)lost;
}

static uint64_t
known_u32(struct rbuf *r)
{
	uint32_t v = rbuf_u32(r);

	return v != UINT32_MAX ? v : INTERFACE_UNKNOWN;
}

/* Keep the block of generic counters at `octets` as the last that is known. */
static void
interface_take(struct sflow_message *m, const uint8_t *octets)
{
	struct rbuf r = rbuf_of(octets, SFLOW_COUNTER_OCTETS);
	struct interface_counters c = { .updated = m->datagram->arrival };
	/* Between octets and the next group: the wire's order, if_counters. */
	uint64_t *const in[] = { &c.in_unicast, &c.in_multicast, &c.in_broadcast,
		&c.in_discards, &c.in_errors, &c.in_unknown_protos };
	uint64_t *const out[] = { &c.out_unicast, &c.out_multicast, &c.out_broadcast,
		&c.out_discards, &c.out_errors, &c.promiscuous };

	c.index = rbuf_u32(&r);
	c.type = known_u32(&r);
	c.speed = rbuf_u64(&r);
	c.direction = known_u32(&r);
	c.status = known_u32(&r);
	c.in_octets = rbuf_u64(&r);
	for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
		*in[i] = known_u32(&r);
	c.out_octets = rbuf_u64(&r);
	for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++)
		*out[i] = known_u32(&r);
	if (!exporter_interface(m->exporter, &c))
		m->interfaces_refused++;
}

/* Hand a block over, whose octets are all there. */
static void
block_take(struct sflow *s, struct sflow_message *m, const struct head *h,
    const struct sflow_counter *c, const uint8_t *octets)
{
	struct counter_entry *entry;

	m->counters++;
	if (sflow_counter_format(c) == SFLOW_COUNTER_GENERIC && !h->late)
		interface_take(m, octets);
	if (s->counters == NULL)
		return;
	entry = s->collector->follows_file_time ? counter_ring_slot_wait(s->counters)
						: counter_ring_slot(s->counters);
	if (entry == NULL) {
		m->counters_lost++;
		return;
	}
	entry->arrival = m->datagram->arrival;
	entry->agent = m->agent;
	entry->peer = m->peer;
	entry->counter = c;
	entry->source_class = h->source_class;
	entry->source_index = h->source_index;
	entry->datagram = m->sequence;
	entry->sample = h->sequence;
	memcpy(entry->octets, octets, sflow_counter_octets(c));
	counter_ring_commit(s->counters);
	m->counters_logged++;
}

bool
sflow_counters(struct sflow *s, struct sflow_message *m, struct rbuf *r, bool expanded)
{
	const uint8_t *p = rbuf_get(r, expanded ? 16 : 12);
	struct head h;
	uint32_t n;

	if (p == NULL)
		return false;
	h.sequence = sflow_word(p, 0);
	h.source_class = expanded ? sflow_word(p, 1) : sflow_word(p, 1) >> 24;
	h.source_index = expanded ? sflow_word(p, 2) : sflow_word(p, 1) & 0xffffff;
	head_take(m, &h);
	/* Each takes eight octets at least, so the number cannot run away. */
	for (n = sflow_word(p, expanded ? 3 : 2); n > 0; n--) {
		const struct sflow_counter *c = sflow_counter_find(rbuf_u32(r));
		struct rbuf block = sflow_opaque(r, rbuf_u32(r));

		if (!rbuf_ok(r))
			return false;
		if (c == NULL)
			m->unknown++;
		else if (rbuf_left(&block) < sflow_counter_octets(c))
			m->cut++;
		else
			block_take(s, m, &h, c, block.p);
	}
	return true;
}

bool
sflow_counters_old(struct sflow *s, struct sflow_message *m)
{
	/* Number, data source, interval, kind. */
	const uint8_t *p = rbuf_get(&m->in, 16);
	const uint32_t *formats = p != NULL ? sflow_counter_old(sflow_word(p, 3)) : NULL;
	const struct sflow_counter *blocks[SFLOW_COUNTER_BLOCKS];
	const uint8_t *octets[SFLOW_COUNTER_BLOCKS];
	struct head h;
	unsigned n;

	if (formats == NULL) {
		m->unknown += p != NULL;
		return false;
	}
	for (n = 0; formats[n] != 0; n++) {
		blocks[n] = sflow_counter_find(formats[n]);
		octets[n] = rbuf_get(&m->in, sflow_counter_octets(blocks[n]));
	}
	if (!rbuf_ok(&m->in))
		return false;
	h.sequence = sflow_word(p, 0);
	h.source_class = sflow_word(p, 1) >> 24;
	h.source_index = sflow_word(p, 1) & 0xffffff;
	head_take(m, &h);
	for (unsigned i = 0; i < n; i++)
		block_take(s, m, &h, blocks[i], octets[i]);
	m->n[SFLOW_NOT_FLOW]++;
	return true;
}
