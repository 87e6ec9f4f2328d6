/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: a NetFlow datagram's way. Its version chooses a row of `versions`; the handler
 * there reads the header, finds the exporter, looks at the sequence number and walks
 * what follows: up to v8 records of one layout, in v9 (RFC 3954) and IPFIX (RFC 7011) sets:
 * templates, which are compiled and kept with the exporter, and data, whose records each
 * become a flow in the pipeline's next slot. What happens on the way is counted in a struct message
 * and booked once, at the end: every datagram as one of decoded or malformed by reason,
 * every record as fed, or without template, or not a flow.
 *
 * A fault keeps the records before it. Where the extent of what is broken is known (a
 * template record, a set) the walk goes on behind it; the first fault names the reason.
 */
#include "collectors/netflow.h"

#include <stdlib.h>

#include "collectors/netflow_fixed.h"
#include "collectors/netflow_message.h"
#include "collectors/netflow_sets.h"
#include "collectors/netflow_waiting.h"
#include "lib/clock.h"
#include "proto/netflow.h"

/* The versions that are taken. */
static const struct version {
	uint16_t version;
	uint16_t header_octets;
	void (*decode)(struct netflow *nf, struct message *m);
} versions[] = {
	{ 1, NETFLOW1_HEADER, netflow1_decode },
	{ 5, NETFLOW5_HEADER, netflow5_decode },
	{ 7, NETFLOW7_HEADER, netflow7_decode },
	{ 8, NETFLOW8_HEADER, netflow8_decode },
	{ 9, NETFLOW9_HEADER, netflow9_decode },
	{ 10, NETFLOW10_HEADER, ipfix_decode },
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
		message_log(nf, m, "version %u is not taken here", m->version);
	} else if (rbuf_left(&m->in) < v->header_octets) {
		message_fault(m, STAT_BAD_SHORT);
		message_log(nf, m, "%zu octets are no version %u header",
		    rbuf_left(&m->in), m->version);
	} else {
		v->decode(nf, m);
	}
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
	struct netflow_fixed *fixed = netflow_fixed_new();
	struct waiting *waiting = waiting_new();

	if (nf == NULL || fixed == NULL || waiting == NULL) {
		netflow_fixed_free(fixed);
		waiting_free(waiting);
		free(nf);
		err_set(e, WEIR_ENOMEM, "no memory for a NetFlow decoder");
		return NULL;
	}
	nf->collector = c;
	nf->fixed = fixed;
	nf->waiting = waiting;
	nf->pipeline = c->pipeline;
	nf->worker = c->pipeline->worker;
	nf->limit = (struct log_limit)LOG_LIMIT_INIT;
	nf->tolerance = UINT64_MAX / 2; /* any time */
	nf->tick_ms = 1;
	if (config != NULL) {
		nf->time_new = config->time_new;
		nf->disable_checks = config->disable_checks;
		nf->biflow = config->biflow;
		nf->tick_ms = config->time_secs ? 1000 : 1;
		if (config->time_tolerance != 0)
			nf->tolerance = config->time_tolerance * CLOCK_S;
		nf->account_options = config->account_options;
		nf->any_scope = config->disable_opt_scope_check;
		nf->ignore_address = config->ignore_exporter_address;
	}
	/* Before the first template: what options are looked up by must be decoded. */
	optdata_reads(&nf->pipeline->needs);
	pipeline_prepare(nf->pipeline);
	return nf;
}

static void
netflow_close(void *decoder)
{
	struct netflow *nf = decoder;

	netflow_fixed_free(nf->fixed);
	waiting_free(nf->waiting);
	free(nf);
}

const struct datagram_decoder netflow_decoder = {
	.name = "netflow",
	.kind = COLLECTOR_NETFLOW,
	.source = SOURCE_NETFLOW,
	.open = netflow_open,
	.decode = netflow_decode,
	.close = netflow_close,
};
