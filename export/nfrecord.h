/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nfrecord: the records of an nfprobe. What they tell, which layout each has (of a flow as it
 * came, of a row of the cache, one way or both, of IPv4 or IPv6), and into which of the
 * datagrams of a worker's outbox it goes. Immutable once compiled, but for `by_agent`.
 */
#ifndef WEIR_EXPORT_NFRECORD_H
#define WEIR_EXPORT_NFRECORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "export/applications.h"
#include "export/flowcache.h"
#include "export/outbox.h"
#include "flow/flow.h"
#include "flow/rowspec.h"
#include "proto/encode.h"

#define NFRECORD_SAMPLER 1U /* the number of the one that options data tells of */

/* Where a record comes from, and what is told of it. */
enum nfrecord_kind {
	NFRECORD_FLOW,         /* a struct flow */
	NFRECORD_ROW,          /* a row of the cache, */
	NFRECORD_TURNED,       /* whose first packet went the other way, */
	NFRECORD_BOTH,         /* with what came back, */
	NFRECORD_BOTH_TURNED,
	NFRECORD_KINDS
};

struct nfrecords {
	enum encode_version version;
	struct field_set told;      /* what records tell */
	uint64_t boot;              /* ns since 1970: where uptimes count from */
	unsigned lanes;             /* of the outboxes, at first */
	struct applications *applications; /* by which classes are told; NULL: by name; owned */
	_Atomic bool by_agent;      /* they are chosen by exporter, not by hosts */
	struct rowspec rs;          /* of the cache */
	bool classes_beside;        /* its rows are streams: a class is no key, but what they are of */
	struct encode layouts[NFRECORD_KINDS][ENCODE_FAMILIES];
	struct encode_addresses in_flow, in_row;
};

/*
 * Compile the layouts; what is above of `rs` is set. `o` says how records are made, but for
 * what differs between them (mirror, reverse, end_reason, family, offsets). Where `biflow`,
 * rows of the cache hold what is told of both directions.
 */
void nfrecords_compile(struct nfrecords *n, const struct encode_options *o, bool biflow);

/*
 * The layout of template number `tmpl` (outbox.h), as it is told; NULL where records with it
 * cannot be.
 */
const struct encode *nfrecords_template(const struct nfrecords *n, unsigned tmpl, bool biflow);

/* Whether rows of the cache have what lanes are chosen by. */
bool nfrecords_divide(const struct nfrecords *n, bool by_agent);

/*
 * Put `f` as it came, or a flow that leaves the cache, into `b`: one record, or several where
 * version 5 has no room for its counters. Returns how many were refused; they are counted by
 * reason. The thread of `b`.
 */
unsigned nfrecord_flow(const struct nfrecords *n, struct outbox *b, const struct flow *f);
unsigned nfrecord_row(const struct nfrecords *n, struct outbox *b,
    const struct flowcache_flow *f);

#endif
