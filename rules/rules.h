/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rules: what the operator says about flows, compiled once and run over each batch
 * between the collectors and the views. Views whose rules are equal share one struct
 * rules. Workers read it without a lock (lib/rcu.h); the main thread makes it, and puts
 * files that were read anew in place of the old ones.
 *
 * First they select: a flow that a filter leaves out goes no further (aggregate_filter). Then they fill
 * members of the others: networks (networks_file, networks_mask and the derivation of
 * src_net/dst_net), route distinguishers (flow_to_rd_map), next hops, the bits of tos.
 */
#ifndef WEIR_RULES_RULES_H
#define WEIR_RULES_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/field.h"
#include "flow/flow.h"
#include "lib/directive.h"
#include "lib/err.h"
#include "rules/batch.h"

/* Which prefix or AS counts: pmacct's *_net and *_as. */
enum rules_origin { ORIGIN_DEFAULT, ORIGIN_PROTOCOL, ORIGIN_FILE, ORIGIN_LONGEST, ORIGIN_MASK };

struct rules_config {
	const char *pre_tag_map;        /* NULL: none; applied by core/tagging.h, before the rest */
	const char *networks_file;      /* NULL: none */
	const char *flow_to_rd_map;     /* NULL: none */
	const char *aggregate_filter;   /* NULL: none */
	uint32_t networks_mask;         /* bits, 0: none */
	bool networks_file_filter;
	bool networks_file_no_lpm;
	bool networks_no_mask_if_zero;
	bool tos_as_dscp;               /* six bits of tos, not eight */
	bool use_ip_next_hop;           /* where there is no BGP next hop */
	int net[SOURCE_COUNT];          /* enum rules_origin, by source */
	int as[SOURCE_COUNT];
};

struct rules;

/*
 * Compile `c` for views that need the fields of `needed`. `*out` is NULL when there is
 * nothing to do. Problems in map files go to `ps` with file:line; a file that cannot be
 * read is an error. Returns 0, or -WEIR_E... with `e` filled.
 */
int rules_new(const struct rules_config *c, const struct field_set *needed,
    struct rules **out, struct problems *ps, struct err *e);
void rules_free(struct rules *r);

/*
 * Read the files of `r` (may be NULL) anew. One with faults, which go to `ps`, changes
 * nothing. Main thread, while workers apply the rules.
 */
void rules_reload(struct rules *r, struct problems *ps);

/* Whether two configurations (over equal needs) give equal rules. */
bool rules_config_equal(const struct rules_config *a, const struct rules_config *b);

/* Fields that the rules read to fill those of `needed`: join them to what decoders fill. */
void rules_reads(const struct rules_config *c, const struct field_set *needed,
    struct field_set *reads);

/* Add the fields that the filters of `r` (may be NULL) look at. */
void rules_select_reads(const struct rules *r, struct field_set *reads);

/* Whether rules of `c` look at frames, now or when their files have been read anew. */
bool rules_look_at_frames(const struct rules_config *c);

/*
 * How many octets of an Ethernet frame the rules of `r` (may be NULL) look at just now; 0:
 * they look at none. Of other link layers all is looked at.
 */
uint32_t rules_reach(const struct rules *r);

/* Prepare `r` (may be NULL) for frames of link layer `linktype`. Any thread. */
void rules_link(const struct rules *r, uint32_t linktype);

/* The mask of the flows of `b` that the filters of `r` let through. */
uint64_t rules_select(const struct rules *r, const struct batch *b);

/* Fill what the rules decide into the flows of `b`, in place. Frames are not looked at. */
void rules_apply(const struct rules *r, struct batch *b);

/* The directives: networks_file, networks_mask, ..., pmacctd_net, nfacctd_as, ... */
extern const struct directive_set rules_directives;

#endif
