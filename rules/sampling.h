/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sampling: what the operator says about sampling rates, and renormalisation. Decoders
 * fill in the rate that the exporter announced, in whatever way; over each batch, before
 * rules and views see it,
 *
 *   1. the first rule of sampling_map that fits the record decides its rate,
 *   2. *_ext_sampling_rate stands in where no rate is known, and for that of packets, all of
 *      which are there as far as we know,
 *   3. *_renormalize multiplies packets and bytes by the rate, which then reads 1.
 *
 * So the books count what was renormalised. Workers read it without a lock (lib/rcu.h); the
 * main thread makes it and puts a map that was read anew in place of the old one.
 */
#ifndef WEIR_RULES_SAMPLING_H
#define WEIR_RULES_SAMPLING_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/field.h"
#include "flow/flow.h"
#include "lib/directive.h"
#include "lib/err.h"
#include "rules/rules.h"

struct sampling_config {
	const char *map; /* path of sampling_map, NULL: none */
	uint32_t ext_rate[SOURCE_COUNT]; /* 1 in N, 0: none; by enum flow_source */
	bool renormalize[SOURCE_COUNT];
};

struct sampling;

/* The directives: sampling_map, nfacctd_ext_sampling_rate, nfacctd_renormalize, ... */
extern const struct directive_set sampling_directives;

/*
 * Compile `c`, which is copied. `*out` is NULL when there is nothing to do. Problems in
 * the map go to `ps` with file:line; a file that cannot be read is an error. Returns 0, or
 * -WEIR_E... with `e` filled.
 */
int sampling_new(const struct sampling_config *c, struct sampling **out,
    struct problems *ps, struct err *e);
void sampling_free(struct sampling *s);

/*
 * Read the map anew. One with faults, which go to `ps`, changes nothing. Main thread,
 * while workers apply it.
 */
void sampling_reload(struct sampling *s, struct problems *ps);

/* Add to `needs` the fields that sampling reads to fill those in it, and counters. */
void sampling_reads(const struct sampling_config *c, struct field_set *needs);

/*
 * Apply to `n` flows of `source`, in place. Returns how many of them now have a counter
 * that says less than it should, because 64 bits hold no more.
 */
unsigned sampling_apply(
    const struct sampling *s, enum flow_source source, struct flow *flows, unsigned n);

/* Whether packets and bytes of `source` are multiplied by the rate. `s` may be NULL. */
bool sampling_renormalizes(const struct sampling *s, enum flow_source source);

/* Multiply packets and bytes; false when one is more than 64 bits hold, and UINT64_MAX now. */
bool sampling_scale(struct flow *f, uint32_t rate);

/* How the rate of an exporter's records is decided when it announces `announced`. */
struct sampling_verdict {
	uint32_t rate; /* 0: none is known, or the interface decides */
	enum {
		SAMPLING_NONE,
		SAMPLING_ANNOUNCED,
		SAMPLING_MAP,
		SAMPLING_MAP_INTERFACE,
		SAMPLING_EXT
	} by;
};

/* `s` may be NULL. For people; records go through sampling_apply. */
struct sampling_verdict sampling_judge(struct sampling *s, enum flow_source source,
    const ip16_t *exporter, uint32_t announced);

#endif
