/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sflow_message: an sFlow datagram on its way through the decoder. sflow.c reads its
 * header and books it at the end, sflow_samples.c walks through its samples and counts in
 * it. One per datagram, on the worker's stack.
 */
#ifndef WEIR_COLLECTORS_SFLOW_MESSAGE_H
#define WEIR_COLLECTORS_SFLOW_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/datagram.h"
#include "collectors/sflow_sources.h"
#include "core/collector.h"
#include "core/exporter.h"
#include "core/pipeline.h"
#include "lib/rbuf.h"
#include "proto/sflow_record.h"

struct classes;
struct counter_ring;

/* The decoder of one collector of one worker. */
struct sflow {
	struct collector *collector;
	struct pipeline *pipeline;
	unsigned worker;
	const struct datagram_config *config;
	bool renormalizes;           /* counters will be multiplied by the rate */
	bool header_shown;           /* somebody needs what headers say */
	struct sflow_reading reading;
	struct log_limit limit;      /* for datagrams of no exporter */
	struct classes *classes;     /* of sampled frames; NULL: nobody asks for them */
	struct counter_ring *counters; /* where blocks of counters go; NULL: nowhere */
};

struct sflow_message {
	const struct datagram *datagram;
	struct rbuf in;              /* what is not read yet */
	struct exporter *exporter;
	struct sflow_sources *sources; /* NULL: no memory */
	ip16_t agent;                /* by the datagram; the sender's where it does not know */
	ip16_t peer;                 /* that, or the sender's: what is shown */
	uint32_t version;
	uint32_t sequence, uptime_ms;
	bool late;                   /* it was overtaken: its samples counted as lost */
	uint32_t announced;          /* samples, by the header */
	uint32_t rate;               /* that the last flow sample announced; 0: none did */
	uint64_t n[SFLOW_VERDICTS];  /* samples, by what became of them */
	uint64_t unknown;            /* samples and records of formats that are not known */
	uint64_t counters;           /* blocks of counters, */
	uint64_t counters_logged;    /* of which so many were handed over, */
	uint64_t counters_lost;      /* and so many found no room */
	uint64_t interfaces_refused; /* that there is no room to remember */
	uint64_t lost;               /* samples, by the numbers of their data sources */
	uint64_t found;              /* of those lost before, by later ones */
	uint64_t dropped;            /* samples, as the agent says */
	uint64_t sources_refused;    /* samples of data sources for which there is no room */
	uint64_t cut;                /* records that end before their members do */
};

/*
 * Take all samples of `m`, whose header was read, and feed those that are flows. Returns
 * whether all that were announced lie within the datagram, and could be told apart.
 */
bool sflow_samples(struct sflow *s, struct sflow_message *m);

/*
 * Take a counter sample whose body is `r`, which is left anywhere. Returns whether all of
 * it is there.
 */
bool sflow_counters(
    struct sflow *s, struct sflow_message *m, struct rbuf *r, bool expanded);

/*
 * The same of version 2 or 4 at the front of m->in, which is left behind it. False: it is
 * not all there, or of a kind whose end nobody knows.
 */
bool sflow_counters_old(struct sflow *s, struct sflow_message *m);

/* The data source that a sample tells of; NULL, and counted, when there is no room. */
static inline struct sflow_source *
sflow_message_source(struct sflow_message *m, uint32_t class, uint32_t index)
{
	struct sflow_source *source =
	    m->sources != NULL ? sflow_source_get(m->sources, class, index) : NULL;

	m->sources_refused += source == NULL;
	return source;
}

#endif
