/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * routes: which network, AS, peer AS and next hop belong to the hosts of a flow: the word of
 * networks_file, networks_mask or the exporter, as *_net and *_as say. Compiled once, then
 * run by any number of workers.
 *
 *   *_net  networks and masks of both sides, peer_dst_ip
 *   *_as   src_as, dst_as, peer_src_as, peer_dst_as
 *
 * Where the file decides, all that its line says counts, also that it says nothing. With
 * "longest" it decides where its prefix is at least as long as the exporter's mask (longer,
 * for the mask itself).
 */
#ifndef WEIR_RULES_ROUTES_H
#define WEIR_RULES_ROUTES_H

#include <stdbool.h>

#include "flow/field.h"
#include "rules/batch.h"
#include "rules/networks.h"
#include "rules/rules.h"

struct routes {
	uint32_t mask_bits;        /* networks_mask */
	bool filter, no_lpm, no_mask_if_zero;
	uint8_t net[SOURCE_COUNT]; /* enum rules_origin, defaults resolved */
	uint8_t as[SOURCE_COUNT];
	bool as_is_peer[SOURCE_COUNT];
	struct {
		bool prefix, as, peer, hop; /* of a side: somebody needs it */
	} side[2];
};

/* Compile `c` for views that need the fields of `needed`. Returns whether there is anything to do. */
bool routes_init(
    struct routes *r, const struct rules_config *c, const struct field_set *needed);

/* Fields that are read to fill those of `needed`: join them to what decoders fill. */
void routes_reads(const struct rules_config *c, const struct field_set *needed,
    struct field_set *reads);

/* Fill the flows of `b`. `networks`: what networks_file says, NULL: there is none. */
void routes_apply(const struct routes *r, const struct networks *networks, struct batch *b);

#endif
