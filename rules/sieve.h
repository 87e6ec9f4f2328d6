/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sieve: takes one packet in N at random, for a plugin with sampling_rate: N. How many
 * packets it is to the next one is drawn from 1 to 2N-1, each as likely, so that N is the mean
 * and nothing that comes at regular intervals is always missed or always met (pmacct
 * samples alike). Of a flow record as many packets are taken as the sample meets, and the
 * same part of its octets; a record that is not met is left out.
 *
 * One for each worker and view; that worker's thread.
 */
#ifndef WEIR_RULES_SIEVE_H
#define WEIR_RULES_SIEVE_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/flow.h"
#include "flow/rowspec.h"
#include "lib/err.h"
#include "rules/rules.h"

#define SIEVE_RATE_MAX 1000000000U

struct sieve;

/* What became of the flows that a sieve was given: fed + scaled = out + what it took. */
struct sieve_books {
	struct sums out; /* left out */
	struct sums scaled; /* added to what was taken, by renormalising it */
	uint64_t over; /* records with a counter that would need more than 64 bits */
};

/*
 * A sieve of 1 in `rate` (2 to SIEVE_RATE_MAX) of flows of which `octets` octets are
 * ever read. `renormalize` tells of each source whether packets and bytes of what is taken
 * are multiplied by the rate. The same `seed` gives the same sample. NULL with `e` filled.
 */
struct sieve *sieve_new(uint32_t rate, const bool renormalize[SOURCE_COUNT],
    size_t octets, uint64_t seed, struct err *e);
void sieve_free(struct sieve *s);

/*
 * Sample `*n` (to FLOW_BATCH) flows of `source`. Returns those that are taken, and in `*n`
 * how many: copies, good until the next call, whose sampling_rate is the rate at which
 * they were sampled here and before together. Counts into `b`.
 */
const struct flow *sieve_take(struct sieve *s, enum flow_source source,
    const struct flow *flows, unsigned *n, struct sieve_books *b);

/* The mask of the flows that the last call of sieve_take took. */
uint64_t sieve_taken(const struct sieve *s);

#endif
