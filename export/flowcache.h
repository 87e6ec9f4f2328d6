/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flowcache: packets become flows. A row is a key (the plugin's aggregate), what was counted,
 * and when; it leaves when nothing came for a while, when it has been there for long, or when
 * another needs its room: then the one that would have left first does. Of conversations
 * (RFC 5103) both directions are one row.
 *
 * Keys are found a batch at a time: hash all, prefetch, compare. Rows wait on a wheel of one
 * slot for each second, in the slot of the time at which they would leave if nothing came; one
 * that was seen meanwhile is put off when its slot comes round, not with each packet. So a
 * packet costs no list, and nobody scans.
 *
 * One for each worker; its thread. Memory is reserved at once and taken as flows come, that of
 * the index, too.
 */
#ifndef WEIR_EXPORT_FLOWCACHE_H
#define WEIR_EXPORT_FLOWCACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/flow.h"
#include "flow/rowspec.h"
#include "lib/err.h"

/* Seconds without a packet; RST and FIN: after one was seen. `maxlife`: of all in all. */
struct flowcache_timeouts {
	uint32_t tcp, tcp_rst, tcp_fin, udp, icmp, general, maxlife, expint;
};

/* Why a flow left: RFC 5102's flowEndReason. */
enum flowcache_reason {
	FLOWCACHE_IDLE = 1,
	FLOWCACHE_ACTIVE = 2,
	FLOWCACHE_ENDED = 3,  /* TCP said so */
	FLOWCACHE_FORCED = 4, /* weir ends */
	FLOWCACHE_FULL = 5,
};

/* A flow that leaves; good for the call. */
struct flowcache_flow {
	const uint8_t *row;     /* as the rowspec says */
	uint64_t first, last;   /* ns since 1970 */
	uint64_t back_packets, back_octets, back_first, back_last; /* of the way back */
	uint16_t back_flags;
	uint32_t class_id;      /* what it turned out to be; where the cache keeps that */
	bool mirrored;          /* its first packet went from the row's destination to its source */
	enum flowcache_reason reason;
};

struct flowcache_config {
	const struct rowspec *rs; /* borrowed; the bin is always 0 */
	uint32_t max_flows;
	struct flowcache_timeouts timeouts;
	bool biflow;
	bool classes;             /* keep the class of each flow, which is not in `rs` */
	uint32_t unknown_class;   /* that of flows of which nobody knows it */
	size_t flow_octets;       /* of struct flow, up to the last member that is needed */
	void (*leave)(void *arg, const struct flowcache_flow *f);
	void *arg;
};

struct flowcache;

struct flowcache *flowcache_new(const struct flowcache_config *c, struct err *e);

/* Rows that are still there are dropped: flowcache_flush first. */
void flowcache_free(struct flowcache *c);

/*
 * Count `n` (to FLOW_BATCH) flows: packets were seen at their stamp, records from
 * timestamp_start to timestamp_end.
 */
void flowcache_feed(struct flowcache *c, const struct flow *flows, unsigned n);

/*
 * What was fed as `n` (to FLOW_BATCH) flows is of their class_id, as is known by now: so are
 * the flows of theirs that are still there.
 */
void flowcache_learn(struct flowcache *c, const struct flow *flows, unsigned n);

/*
 * It is `now` (ns since 1970): let those go whose time has come, a bounded number. Returns
 * whether more are left: call again soon.
 */
bool flowcache_tick(struct flowcache *c, uint64_t now);

/* Let all go. */
void flowcache_flush(struct flowcache *c);

/* How many flows are there. */
uint32_t flowcache_count(const struct flowcache *c);

/*
 * Read "tcp=3600:udp=5m:..." as nfprobe_timeouts has it, over the defaults; NULL: those alone.
 * Returns 0, or -WEIR_EINVAL with `e` saying what to write.
 */
int flowcache_timeouts_parse(const char *text, struct flowcache_timeouts *t, struct err *e);

#endif
