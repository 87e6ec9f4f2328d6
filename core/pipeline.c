/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/pipeline.h"

#include <string.h>

#include "lib/clock.h"

void
pipeline_prepare(struct pipeline *p)
{
	/* Flows are told apart by these, shown or not. */
	static const enum field_no tuple[] = { F_SRC_HOST, F_DST_HOST, F_SRC_PORT, F_DST_PORT,
		F_PROTO };

	for (size_t i = 0; p->needs_flow_starts && i < sizeof(tuple) / sizeof(tuple[0]); i++)
		field_set_add(&p->needs, tuple[i]);
	p->needs_span = field_set_has(&p->needs, F_TIMESTAMP_MIN) ||
	    field_set_has(&p->needs, F_TIMESTAMP_MAX) ||
	    field_set_has(&p->needs, F_TIMESTAMP_SECOND);
	if (p->needs_span) {
		field_set_add(&p->needs, F_TIMESTAMP_START);
		field_set_add(&p->needs, F_TIMESTAMP_END);
	}
	p->clear_octets = FLOW_ALWAYS_OCTETS;
	for (int i = 0; i < FIELD_COUNT; i++) {
		size_t end = (size_t)fields[i].offset + fields[i].octets;

		if (field_set_has(&p->needs, (enum field_no)i) && end > p->clear_octets)
			p->clear_octets = end;
	}
}

/*
 * From when to when the packets of each flow were seen: as the exporter says. Where that
 * does not decide the flow's bin, it does not count here, either: then all of it is at
 * its stamp, as is a flow without times. One that ends before it starts is of one moment.
 */
static void
span_fill(struct flow *flows, unsigned n)
{
	uint64_t now = 0;

	for (unsigned i = 0; i < n; i++) {
		struct flow *f = &flows[i];
		bool by_start = flow_stamp_is_start(f);
		uint64_t start = by_start ? f->timestamp_start : f->stamp;

		if (start == 0)
			start = now = now != 0 ? now : clock_real();
		f->timestamp_min = f->timestamp_max = start;
		f->timestamp_second = start - start % CLOCK_S;
		if (by_start && f->timestamp_end > start)
			f->timestamp_max = f->timestamp_end;
	}
}

/* A copy of the batch that rules may change, as far as anybody reads it. */
static struct flow *
batch_copy(const struct pipeline *p)
{
	struct flow *own = p->flows + FLOW_BATCH;

	for (unsigned i = 0; i < p->n; i++)
		memcpy(&own[i], &p->flows[i], p->clear_octets);
	return own;
}

/* `last`: nobody reads the batch afterwards. */
static void
group_feed(struct pipeline *p, const struct pipeline_group *g, bool last)
{
	struct flow *flows = p->flows;

	if (g->rules != NULL) {
		if (!last)
			flows = batch_copy(p);
		rules_apply(g->rules, p->source, flows, p->n);
	}
	for (unsigned i = 0; i < g->n_shards; i++) {
		struct shard *sh = g->shards[i];

		if (sh->sieve == NULL)
			shard_feed(sh, flows, p->n);
		else
			stat_add(&p->stats, STAT_RENORMALIZED_OVER,
			    shard_feed_sample(sh, p->source, flows, p->n));
	}
}

void
pipeline_flush(struct pipeline *p)
{
	if (p->n == 0)
		return;
	if (p->sampling != NULL)
		stat_add(&p->stats, STAT_RENORMALIZED_OVER,
		    sampling_apply(p->sampling, p->source, p->flows, p->n));
	if (p->needs_span)
		span_fill(p->flows, p->n);
	for (unsigned i = 0; i < p->n; i++) {
		p->fed.packets += p->flows[i].packets;
		p->fed.bytes += p->flows[i].bytes;
		p->fed.flows += p->flows[i].flows;
	}
	for (unsigned i = 0; i < p->n_groups; i++)
		group_feed(p, &p->groups[i], i + 1 == p->n_groups);
	stat_add(&p->stats, STAT_FLOWS_FED, p->n);
	p->n = 0;
}
