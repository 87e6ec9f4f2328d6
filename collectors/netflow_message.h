/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netflow_message: a NetFlow or IPFIX message on its way through the decoder, and what
 * is common to all versions: whose it is, its place in the exporter's sequence, its
 * times, what came out of it, and the books. The functions of a version (netflow_fixed.h,
 * netflow_sets.h) fill pipeline slots from it and count in it; what was counted is booked
 * once, at the end. One per datagram, on the worker's stack.
 */
#ifndef WEIR_COLLECTORS_NETFLOW_MESSAGE_H
#define WEIR_COLLECTORS_NETFLOW_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/datagram.h"
#include "collectors/optdata.h"
#include "core/collector.h"
#include "core/exporter.h"
#include "core/pipeline.h"
#include "lib/rbuf.h"
#include "proto/template.h"

struct netflow_fixed;
struct waiting;

/* The decoder of one collector of one worker. */
struct netflow {
	struct collector *collector;
	struct pipeline *pipeline;
	unsigned worker;
	bool time_new, disable_checks, biflow;
	uint32_t tick_ms;            /* of uptimes in v5: 1, or 1000 where they are seconds */
	uint64_t tolerance;          /* ns that a record's time may be off its arrival */
	bool account_options;        /* options data is counted like flows, too */
	bool any_scope;              /* options of any scope are of the whole exporter */
	bool ignore_address;         /* the sender is the exporter, whatever it tells */
	struct log_limit limit;      /* for datagrams of no exporter */
	uint64_t forget_after;       /* monotonic: when memory is short */
	struct netflow_fixed *fixed; /* owned */
	struct waiting *waiting;     /* sets that came before their template; owned */
};

struct message {
	const struct datagram *datagram;
	struct rbuf in;              /* what is not read yet */
	uint16_t version;
	struct exporter *exporter;   /* NULL until the header was read */
	struct template_clock clock;
	uint64_t header_ns;          /* since 1970, from the header; 0: it does not know */
	uint64_t header_s;           /* of it, the seconds */
	bool header_shown;           /* somebody needs what the header says */
	bool template_shown;         /* somebody needs to know of records' templates */
	ip16_t exporter_ip;          /* the sender, or what it told to be its address */
	const struct optdata *options; /* told of the exporter and of use, or NULL */
	uint32_t optdata_kinds;      /* of what is told, what somebody needs */
	uint32_t optdata_rate;       /* 1 in N, where nothing tells more of a record */
	uint32_t sampling;           /* 1 in N, from the header; 0: it does not tell */
	enum stat_no fate;           /* STAT_DATAGRAMS_DECODED, or why not */
	uint64_t records, fed, no_template, not_flow;
	uint64_t reversed;           /* flows of the way back, beside `fed` */
	uint64_t templates, changes;
	uint64_t early;              /* sets that came before their template */
	uint64_t times_off;          /* records whose time is not to be believed */
	uint64_t options_refused;    /* facts for which there was no room */
	uint64_t beyond;             /* octets behind the end of the message */
	bool uncounted;              /* some records could not be told apart */
	struct exporter_stream *stream; /* NULL: it bears no number */
	uint32_t number;             /* in the stream: units sent before */
	enum sequence_verdict order;
};

/* One line about the sender of `m`, no oftener than its bucket allows. */
void message_log(struct netflow *nf, const struct message *m, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The message is broken; the first reason stands. */
void message_fault(struct message *m, enum stat_no why);

/*
 * Find the exporter. False, with the message's fate decided, when there are too many.
 */
bool message_exporter(struct netflow *nf, struct message *m, uint32_t domain);

/*
 * Look at the message's number in its stream; `scheme` numbers apart what one version
 * sends in several. Versions before IPFIX tell their uptime in m->clock.
 */
void message_number(struct netflow *nf, struct message *m, uint32_t number,
    uint8_t scheme);

/*
 * The message counts `units` of what `unit` names in the plural; with m->uncounted, that
 * many or more. Lost ones are logged.
 */
void message_counts(struct netflow *nf, struct message *m, uint32_t units,
    const char *unit);

/* Count what became of the message, and of what was in it. */
void message_book(struct netflow *nf, const struct message *m);

/* Count what became of records alone, whose message was counted before. */
void message_book_records(struct netflow *nf, const struct message *m);

/* Fill in what the header says, and its sender, beyond what every record has. */
void message_header(const struct message *m, struct flow *f);

/* Fill in what all records of the message have in common. */
static inline void
message_fill(const struct netflow *nf, const struct message *m, struct flow *f)
{
	f->flows = 1;
	if (pipeline_needs_tagged(nf->pipeline))
		f->exporter_ip = m->exporter->addr;
	if (pipeline_needs_more(nf->pipeline)) {
		f->peer_src_ip = m->exporter_ip;
		f->timestamp_arrival = m->datagram->arrival;
		f->sampling_rate = m->sampling;
		if (m->header_shown)
			message_header(m, f);
	}
}

/* A slot with what all records of the message have in common. */
static inline struct flow *
message_slot(const struct netflow *nf, const struct message *m)
{
	struct flow *f = pipeline_slot(nf->pipeline);

	message_fill(nf, m, f);
	return f;
}

/* The same, `*n` of them: pipeline_slots. */
static inline struct flow *
message_slots(const struct netflow *nf, const struct message *m, unsigned *n)
{
	struct flow *f = pipeline_slots(nf->pipeline, n);

	for (unsigned i = 0; i < *n; i++)
		message_fill(nf, m, f + i);
	return f;
}

/* Fill in what the exporter has told about itself; only where m->options is not NULL. */
void message_options_fill(const struct message *m, struct flow *f);

/*
 * Look up what the exporter has told, as far as it bears on this message: when the
 * message begins, and when it tells more.
 */
void message_options(const struct netflow *nf, struct message *m);

/* A record's time is too far off its arrival: count that. Returns what to take instead. */
uint64_t message_stamp_off(struct message *m, uint64_t stamp);

/*
 * The time that decides the bin: the flow's start, else the header's, else the arrival;
 * that too when the other is not to be believed.
 */
static inline uint64_t
message_stamp(const struct netflow *nf, struct message *m, uint64_t start)
{
	uint64_t stamp = start != 0 ? start : m->header_ns;
	uint64_t arrival = m->datagram->arrival;

	if (nf->time_new || stamp == 0)
		return arrival;
	/* Both sides of the arrival at once: what lies before wraps. */
	if (stamp - arrival + nf->tolerance <= 2 * nf->tolerance)
		return stamp;
	return message_stamp_off(m, stamp);
}

#endif
