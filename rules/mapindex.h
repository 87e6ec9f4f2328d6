/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapindex: which rules of a map may fit a record, in their order, without a look at all of
 * them. Rules are put in by what they ask for exactly: the exporter (a host), the input
 * interface, the output interface, or some of these; what else a rule asks for, the caller
 * checks. A record is then looked up once for each of the eight combinations that some
 * rule has. Made once, then read by any number of threads.
 */
#ifndef WEIR_RULES_MAPINDEX_H
#define WEIR_RULES_MAPINDEX_H

#include <stdint.h>

#include "lib/ip.h"

/* What a rule asks for exactly, or-ed. */
enum { MAPINDEX_IP = 1, MAPINDEX_IN = 2, MAPINDEX_OUT = 4, MAPINDEX_COMBINATIONS = 8 };

struct mapindex_key {
	ip16_t ip;
	uint32_t in, out;
};

struct mapindex;

/* An empty index; NULL when memory is short. */
struct mapindex *mapindex_new(void);
void mapindex_free(struct mapindex *ix);

/*
 * Add the next rule, number 0 first, which asks for the members of `key` that `asks`
 * names. Returns 0 or -WEIR_ENOMEM.
 */
int mapindex_add(struct mapindex *ix, unsigned asks, const struct mapindex_key *key);

/* The rules that may fit one record. */
struct mapindex_walk {
	uint32_t next[MAPINDEX_COMBINATIONS]; /* of each combination: its next rule */
	unsigned n;
};

#define MAPINDEX_END UINT32_MAX

/* Begin with those for a record of `key`. */
void mapindex_begin(
    const struct mapindex *ix, const struct mapindex_key *key, struct mapindex_walk *w);

/* The number of the next rule, in the order of adding; MAPINDEX_END after the last. */
uint32_t mapindex_next(const struct mapindex *ix, struct mapindex_walk *w);

#endif
