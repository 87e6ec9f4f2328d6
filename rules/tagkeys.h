/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tagkeys: the keys of pre_tag_map: how each is written, and which member of struct flow it
 * is compared with. rules/tagmap.c makes rules of them. Main thread, at load.
 */
#ifndef WEIR_RULES_TAGKEYS_H
#define WEIR_RULES_TAGKEYS_H

#include <stdint.h>

#include "lib/ip.h"
#include "lib/mapfile.h"
#include "rules/batch.h"
#include "rules/term.h"

/* A tag, and whether it is one more each time. */
struct tagkeys_tag {
	uint64_t value;
	bool counts;
};

/* A kind of record, and how many of its first bits count. */
struct tagkeys_sample {
	uint32_t type;
	uint32_t bits;
};

enum tagkeys_stack { STACK_NONE, STACK_SUM, STACK_OR };

/* What the keys of one rule say. Text is good while the rule is taken. */
struct tagkeys {
	/* what it sets */
	struct tagkeys_tag tag, tag2;
	const char *set_label, *label, *jeq;
	uint32_t set_tos;
	uint8_t stack, end_here;
	/* what it asks for */
	const char *filter, *elsewhere;
	struct prefix ip, src_net, dst_net;
	ip16_t nexthop, bgp_nexthop;
	mac_t src_mac, dst_mac;
	uint64_t mpls_vpn_rd;
	struct tagkeys_sample sample_type;
	uint32_t in, out, engine_id, agent_id, sampling_rate;
	uint32_t src_as, dst_as, peer_src_as, peer_dst_as, vpn_in, vpn_out, mpls_pw_id;
	uint32_t class_id;
	uint16_t flowset_id, vlan, cvlan, src_port, dst_port, tcp_flags;
	uint8_t engine_type, is_bi_flow, is_nel, is_nsel, direction, nat_event, ip_proto;
	uint8_t is_multicast, fwd_status;
};

/* Rows of the table of keys that somebody asks for. */
enum tagkeys_row {
	TAGKEYS_TAG,
	TAGKEYS_TAG2,
	TAGKEYS_SET_LABEL,
	TAGKEYS_SET_TOS,
	TAGKEYS_LABEL,
	TAGKEYS_JEQ,
	TAGKEYS_STACK,
	TAGKEYS_RETURN,
	TAGKEYS_FILTER,
	TAGKEYS_AGENT_ID,
	TAGKEYS_SAMPLE_TYPE,
	TAGKEYS_DIRECTION,
	TAGKEYS_BGP_NEXTHOP,
	TAGKEYS_VLAN,
	TAGKEYS_MORE
};

/* The table of keys: for struct mapfile. */
extern const struct mapfile_key tagkeys_rows[];

/*
 * Keys of the rule that weir has nothing to compare with, so that it fits nothing: the
 * name of one; NULL: it has none.
 */
const char *tagkeys_elsewhere(const struct mapfile_rule *r);

/* Whether what the rule compares is another member for one source than for another. */
bool tagkeys_differ(const struct mapfile_rule *r);

/*
 * What the rule asks of flows from `source`, to terms[MAPFILE_KEYS]. Returns how many; -1:
 * none of them can fit.
 */
int tagkeys_terms(enum flow_source source, const struct mapfile_rule *r,
    const struct tagkeys *values, struct term *terms);

#endif
