/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * starts: how many flows the packets are, for the primitive `flows`. A flow is a
 * unidirectional 5-tuple of any protocol; its first packet starts it, and so does the
 * first after a pause longer than the lifetime.
 *
 * Two tables take turns (turns.h): packets look in the current one, and what is not there
 * moves over from the previous one, so that nothing that is still alive is forgotten, and
 * forgetting costs nothing per flow. One instance per worker.
 */
#ifndef WEIR_COLLECTORS_STARTS_H
#define WEIR_COLLECTORS_STARTS_H

#include <stdint.h>

#include "flow/flow.h"
#include "lib/err.h"

struct starts;

/*
 * In about `octets` of memory; a pause longer than `life`, of TCP `tcp_life`, both in ns,
 * ends a flow. NULL with `e` filled.
 */
struct starts *starts_new(
    uint64_t octets, uint64_t life, uint64_t tcp_life, struct err *e);
void starts_free(struct starts *s);

/*
 * Set `flows` of each of the `n` (to FLOW_BATCH) packets to 1 where it starts a flow, by
 * the times in `stamp`. Returns how many packets found no room and count as no start.
 */
unsigned starts_count(struct starts *s, struct flow *flows, unsigned n);

#endif
