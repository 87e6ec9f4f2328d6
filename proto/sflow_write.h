/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sflow_write: samples and datagrams of sFlow version 5, as proto/sflow_record.c reads them.
 * A sample is begun, gets its records one by one, and is ended; what does not fit leaves
 * the cursor bad, and sflow_sample_end takes the whole sample back.
 *
 * A sample's number, and the pool and drops that have come together so far, belong to its
 * data source. Where many threads write samples, who sends them knows these: samples are
 * then written with what they add to them, and numbered by sflow_samples_number.
 *
 * https://sflow.org/sflow_version_5.txt. No state; any thread.
 */
#ifndef WEIR_PROTO_SFLOW_WRITE_H
#define WEIR_PROTO_SFLOW_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/flow.h"
#include "lib/ip.h"
#include "lib/wbuf.h"
#include "proto/sflow.h"

#define SFLOW_DATAGRAM_HEADER 40U       /* octets of the longest: an IPv6 agent's */
#define SFLOW_SOURCE_COMPACT  0xffffffU /* the highest data source that the compact form has */
#define SFLOW_CLASS_OCTETS    32U       /* of pmacct's class: sfacctd 1.7.7 looks at no length */

/* What stands at the head of a datagram. */
struct sflow_head {
	ip16_t agent;
	uint32_t sub_agent, sequence;
	uint32_t uptime_ms;
	uint32_t samples;
};

/* Write it into SFLOW_DATAGRAM_HEADER octets at `p`. Returns how long it is. */
size_t sflow_head_write(const struct sflow_head *h, uint8_t *p);

/* What a flow sample says of itself. */
struct sflow_sample {
	uint32_t source;   /* ifIndex that is its data source */
	uint32_t rate;     /* one packet in so many */
	uint32_t pool;     /* packets that could have been sampled */
	uint32_t drops;    /* samples that could not be taken */
	uint32_t in, out;  /* ifIndexes; SFLOW_INTERFACE_MAX: the device itself; 0: unknown */
	bool coded;        /* `in` and `out` have what they are in their two top bits */
};

/* A sample that is being written. */
struct sflow_open {
	uint8_t *start;    /* of the sample */
	uint8_t *count;    /* of the number of its records */
	uint32_t records;
};

/* The compact form where its numbers have room, else the expanded one. */
struct sflow_open sflow_sample_begin(struct wbuf *w, const struct sflow_sample *s);

/* Of counters of interface `source`; its number is set by sflow_samples_number. */
struct sflow_open sflow_counters_begin(struct wbuf *w, uint32_t source);

/* Write its length and number of records. Returns whether all fits; if not, it is gone. */
bool sflow_sample_end(struct wbuf *w, const struct sflow_open *o);

/*
 * The first octets of a frame of `octets` on the wire, of which `stripped` are not there to
 * be read at its end, as `protocol` (SFLOW_HEADER_...).
 */
void sflow_write_header(struct wbuf *w, struct sflow_open *o, uint32_t protocol,
    uint32_t octets, uint32_t stripped, const uint8_t *p, uint32_t len);

/*
 * What is known of a packet of `octets` that has no frame: addresses, ports, and so on as
 * sampled IPv4 or IPv6; MACs and EtherType as a sampled Ethernet header where there are some.
 */
void sflow_write_packet(struct wbuf *w, struct sflow_open *o, const struct flow *f,
    uint32_t octets);

/*
 * What switch, router, gateway and AAA know, each where some member of `f` tells of it.
 * Members of `f` that nobody filled must be 0.
 */
void sflow_write_switch(struct wbuf *w, struct sflow_open *o, const struct flow *f);
void sflow_write_router(struct wbuf *w, struct sflow_open *o, const struct flow *f);
void sflow_write_gateway(struct wbuf *w, struct sflow_open *o, const struct flow *f);
void sflow_write_user(struct wbuf *w, struct sflow_open *o, const struct flow *f);
void sflow_write_nat(struct wbuf *w, struct sflow_open *o, const struct flow *f);

/* Tag and second tag, and class, as pmacct's probe sends them; where there is one. */
void sflow_write_tags(struct wbuf *w, struct sflow_open *o, const struct flow *f);
void sflow_write_class(struct wbuf *w, struct sflow_open *o, const struct flow *f);

#define SFLOW_COUNTER_NONE UINT32_MAX /* of 32 bits: it is not known */

/* The block if_counters; members as in the standard, unknown: all ones. */
struct sflow_interface {
	uint32_t index, type;
	uint64_t speed;                /* bit/s */
	uint32_t direction;            /* 0 unknown, 1 full duplex, 2 half */
	uint32_t status;               /* bit 0: admin up, bit 1: oper up */
	uint64_t in_octets;
	uint32_t in_unicast, in_multicast, in_broadcast, in_discards, in_errors, in_unknown;
	uint64_t out_octets;
	uint32_t out_unicast, out_multicast, out_broadcast, out_discards, out_errors;
	uint32_t promiscuous;
};

/* The block ethernet_counters. */
struct sflow_ethernet {
	uint32_t alignment, fcs, single_collision, multiple_collision, sqe_test, deferred, late,
	    excessive, internal_tx, carrier, too_long, internal_rx, symbol;
};

void sflow_write_interface(struct wbuf *w, struct sflow_open *o,
    const struct sflow_interface *c);
void sflow_write_ethernet(struct wbuf *w, struct sflow_open *o,
    const struct sflow_ethernet *c);

/* What is known of a data source: the numbers of its last samples, and what led to them. */
struct sflow_numbers {
	uint32_t source;     /* ifIndex */
	bool used;
	uint32_t flows, counters; /* samples so far; they wrap */
	uint32_t pool, drops;
};

#define SFLOW_NUMBERED 1024U /* data sources that have numbers of their own: a power of two */

/* All data sources of an agent. More than SFLOW_NUMBERED share the last one's numbers. */
struct sflow_numbering {
	struct sflow_numbers sources[SFLOW_NUMBERED];
};

/*
 * Number the `n` samples at `p`, which this file wrote: each gets the next number of its data
 * source, and what it adds to pool and drops becomes their sum.
 */
void sflow_samples_number(struct sflow_numbering *g, uint8_t *p, size_t octets, unsigned n);

#endif
