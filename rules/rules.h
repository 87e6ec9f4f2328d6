/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rules: what the operator says about flows, compiled once and run over each batch
 * between the collectors and the views. Views whose rules are equal share one struct
 * rules. Workers read it without a lock; the main thread makes it.
 *
 * First they select: a flow that a filter leaves out goes no further (aggregate_filter,
 * pre_tag_filter and its kin). Then they fill members of the others: route distinguishers
 * (flow_to_rd_map), next hops, the bits of tos, networks and AS (routes.h), countries
 * (geoip.h), ports, protocols
 * and types of service that are told apart (valuelist.h), tags (post_tag).
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
#include "rules/files.h"

/*
 * Which prefix or AS counts: pmacct's *_net and *_as, in the order of their words. FALLBACK
 * and EXPORTER are other words for LONGEST and PROTOCOL.
 */
enum rules_origin {
	ORIGIN_DEFAULT,
	ORIGIN_PROTOCOL,
	ORIGIN_FILE,
	ORIGIN_LONGEST,
	ORIGIN_MASK,
	ORIGIN_FALLBACK,
	ORIGIN_EXPORTER,
	ORIGIN_GEOIP, /* of AS alone */
};

struct rules_config {
	const char *pre_tag_map;        /* NULL: none; applied by core/tagging.h, before the rest */
	const char *networks_file;      /* NULL: none */
	const char *flow_to_rd_map;     /* NULL: none */
	const char *aggregate_filter;   /* NULL: none */
	const char *ports_file, *protos_file, *tos_file; /* NULL: none */
	const char *geoipv2_file, *geoip_as_file; /* NULL: none */
	const char *pre_tag_filter, *pre_tag2_filter, *pre_tag_label_filter; /* NULL: none */
	uint64_t post_tag, post_tag2;   /* 0: none */
	uint32_t networks_mask;         /* bits, 0: none */
	bool networks_file_filter;
	bool networks_file_no_lpm;
	bool networks_no_mask_if_zero;
	bool tos_as_dscp;               /* six bits of tos, not eight */
	bool use_ip_next_hop;           /* where there is no BGP next hop */
	int net[SOURCE_COUNT];          /* enum rules_origin, by source */
	int as[SOURCE_COUNT];
	bool as_new[SOURCE_COUNT];      /* as[] is ORIGIN_FILE */
	bool peer_as[SOURCE_COUNT];     /* the exporter's AS are those of peers */
};

struct rules;

/*
 * Compile `c` for views that need the fields of `needed`. Its files are loaded through `fs`,
 * which owns them and must outlive the rules. `*out` is NULL when there is nothing to do.
 * Problems in map files go to `ps` with file:line; a file that cannot be read is an error.
 * Returns 0, or -WEIR_E... with `e` filled.
 */
int rules_new(const struct rules_config *c, const struct field_set *needed,
    struct files *fs, struct rules **out, struct problems *ps, struct err *e);
void rules_free(struct rules *r);

/*
 * The directive of `c` whose list or expression cannot be read, with `e` saying why; NULL
 * when all can.
 */
const char *rules_lists_check(const struct rules_config *c, struct err *e);

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

/*
 * Which flows of `mask` the filters of `r` let through: those that go by tags, and those
 * (aggregate_filter) that look at frames.
 */
uint64_t rules_select_tags(const struct rules *r, const struct batch *b, uint64_t mask);
uint64_t rules_select_frames(const struct rules *r, const struct batch *b, uint64_t mask);

/* Fill what the rules decide into the flows of `b`, in place. Frames are not looked at. */
void rules_apply(const struct rules *r, struct batch *b);

/* The directives: networks_file, networks_mask, ..., pmacctd_net, nfacctd_as, ... */
extern const struct directive_set rules_directives;

#endif
