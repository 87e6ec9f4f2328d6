/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sflow_record: what a flow sample of sFlow says about the packet, read into a struct
 * flow. The records of a sample are first found, then read in the order of a table, so
 * that their order on the wire does not matter: the sampled frame says the most, decoded
 * addresses stand in where there is none, and the switch, router, gateway and further
 * records add what the frame cannot know.
 *
 * A record is as long as it says. One with more than we know of is read as far as we know
 * (the standard lets records grow); one that ends before its members do gives nothing, is
 * counted, and does not harm what stands beside it.
 *
 * No state but what the caller has; any thread. Names of users and stacks of labels are
 * interned where somebody needs them, so a new one may take a mutex.
 */
#ifndef WEIR_PROTO_SFLOW_RECORD_H
#define WEIR_PROTO_SFLOW_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/field.h"
#include "flow/flow.h"
#include "flow/frame.h"
#include "lib/rbuf.h"
#include "proto/packet.h"
#include "proto/sflow.h"

#define SFLOW_RECORD_ROWS 28U /* formats that are known */

/* What all records of a datagram are read with. */
struct sflow_reading {
	const struct packet_link *links[SFLOW_HEADERS]; /* NULL: not understood */
	const struct field_set *needs; /* borrowed: fields that somebody reads */
	struct packet_wants wants;     /* what that is of sampled frames */
	bool unknown_etype;            /* what is not IP is a flow, too; the caller's to set */
	uint32_t version;              /* of the datagram */
};

/* The records of one sample. */
struct sflow_records {
	uint32_t found;                /* a bit for each row of the table */
	uint32_t unknown;              /* records of formats that have no row */
	uint32_t cut;                  /* that ended before their members did */
	struct frame frame;            /* the sampled header that was read; `octets` NULL: none */
	struct rbuf at[SFLOW_RECORD_ROWS]; /* of the bits in `found` only */
};

/* What a sample turned out to be. */
enum sflow_verdict {
	SFLOW_FLOW,      /* the flow is filled */
	SFLOW_NOT_FLOW,  /* nothing in it is known to be IP */
	SFLOW_MALFORMED, /* the frame, or what stands in for it, contradicts itself */
	SFLOW_VERDICTS
};

/* Look up the link layers; `needs` is borrowed. The version is the caller's to set. */
void sflow_reading_init(struct sflow_reading *s, const struct field_set *needs);

/*
 * Find the `n` records of version 5 at the front of `r`, stepping over those of formats
 * that are not known. Returns whether all are there. `n` may be anything.
 */
bool sflow_records_find(struct sflow_records *rs, struct rbuf *r, uint32_t n);

/*
 * The same for versions 2 and 4: packet data, the number of extended data, and those. As
 * nothing there has a length, false also says that one of them is not known, and that
 * where the next sample begins cannot be told.
 */
bool sflow_records_find_old(struct sflow_records *rs, struct rbuf *r, uint32_t version);

/*
 * Read those that were found into `f`, a slot as pipeline_slot gives it: packets, bytes
 * and what belongs to the packet. Bytes are the frame's with its link layer, as in
 * pmacct, or those of the IP packet where that was sampled.
 */
enum sflow_verdict sflow_records_read(
    const struct sflow_reading *s, struct sflow_records *rs, struct flow *f);

#endif
