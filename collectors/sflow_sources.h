/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sflow_sources: what is remembered of the data sources of an sFlow agent (interfaces,
 * VLANs, entities that sample): the numbers of their last samples, how many packets there
 * were to sample from, and how many samples they dropped. From one sample to the next
 * these tell what was lost, and at what rate was sampled in fact.
 *
 * Each worker has its own for the agents that send to it, hung on the exporter as its
 * `state`; they go with it. Anybody can make up data sources, so that their number is
 * bounded for an agent and for all together; those beyond are not remembered.
 */
#ifndef WEIR_COLLECTORS_SFLOW_SOURCES_H
#define WEIR_COLLECTORS_SFLOW_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/exporter.h"

#define SFLOW_SOURCES_MAX 4096U /* of one agent's sub-agent, for one worker */

struct sflow_source {
	uint32_t class, index;     /* key: which kind, and its number */
	uint32_t sequence;         /* of its last flow sample */
	uint32_t pool, drops;      /* as that told them */
	uint32_t counter_sequence; /* of its last counter sample */
	bool used;                 /* the slot has a source */
	bool sampled, counted;     /* there was a flow sample, a counter sample */
};

/* One worker's of one agent; on a cache line of its own. */
struct sflow_sources {
	_Alignas(64) struct sflow_source *slots; /* open addressing; NULL: none yet */
	uint32_t mask;             /* slots - 1 */
	uint32_t n;                /* in use */
	struct sflow_source *last; /* that a sample came from */
};

/* What a flow sample says of its data source. */
struct sflow_tell {
	uint32_t sequence;
	uint32_t rate;             /* announced, 1 in N; 0: unknown */
	uint32_t pool;             /* packets that could have been sampled; wraps */
	uint32_t drops;            /* samples for which the agent had no resources; wraps */
};

/* What it comes to, beside the last one of the source. */
struct sflow_step {
	uint32_t lost;             /* samples between them that are missing */
	bool late;                 /* it counted as one of them, or is here again */
	uint32_t dropped;          /* samples that the agent dropped in between */
	uint32_t rate;             /* effective; the announced one where that is not known */
};

/* The worker's sources of `x`, made when there are none yet; NULL when memory is short. */
struct sflow_sources *sflow_sources_of(struct exporter *x, unsigned worker);

/* One of them, made when new; NULL when there is no room. */
struct sflow_source *sflow_source_find(
    struct sflow_sources *ss, uint32_t class, uint32_t index);

/* The same; often it is the one that the last sample came from, too. */
static inline struct sflow_source *
sflow_source_get(struct sflow_sources *ss, uint32_t class, uint32_t index)
{
	struct sflow_source *s = ss->last;

	if (s != NULL && s->index == index && s->class == class)
		return s;
	return sflow_source_find(ss, class, index);
}

/* Take a flow sample into account. */
struct sflow_step sflow_source_step(struct sflow_source *s, const struct sflow_tell *t);

/*
 * The same where the sample follows the last one, nothing is lost and the effective rate
 * is not wanted: nearly always. False: it is not so, and nothing was done.
 */
static inline bool
sflow_source_goes_on(struct sflow_source *s, const struct sflow_tell *t)
{
	if (!s->sampled || t->sequence != s->sequence + 1 || t->drops != s->drops)
		return false;
	s->sequence = t->sequence;
	s->pool = t->pool;
	return true;
}

/*
 * A counter sample has come: how many are missing before it, or -1 where it was overtaken,
 * and what it says is no news.
 */
int32_t sflow_source_count(struct sflow_source *s, uint32_t sequence);

/* For engine_config.exporter_state_free[EXPORTER_SFLOW]. */
void sflow_exporter_state_free(void *state);

#endif
