/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/rdmap.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mapfile.h"
#include "rules/batch.h"
#include "rules/classifier.h"
#include "rules/rd.h"

#define RULES_MAX (1U << 20)

/* The keys, in the order of the table of keys. */
enum { ROW_ID, ROW_IP, ROW_IN, ROW_OUT, ROW_NEXTHOP, ROW_VPN, ROW_LABEL };

struct rdmap_rule {
	uint64_t rd;
	struct prefix from;
	ip16_t nexthop;
	uint32_t in, out, vpn, label;
};

struct rdmap {
	uint64_t *rds; /* of each rule */
	uint32_t n, room;
	struct classifier *which;
};

#define AT(member) .offset = offsetof(struct rdmap_rule, member)
#define WITH(member) \
	.at = offsetof(struct flow, member), .octets = sizeof(((struct flow *)0)->member)
static const struct mapfile_key rule_keys[] = {
	[ROW_ID] = { "id", rd_read, AT(rd), .doc = "The route distinguisher." },
	[ROW_IP] = { "ip", mapfile_prefix, AT(from), WITH(exporter_ip), .prefix = true,
	    .doc = "Whose records." },
	[ROW_IN] = { "in", mapfile_u32, AT(in), WITH(in_iface), .negates = true,
	    .doc = "Input interface." },
	[ROW_OUT] = { "out", mapfile_u32, AT(out), WITH(out_iface), .negates = true,
	    .doc = "Output interface." },
	[ROW_NEXTHOP] = { "bgp_nexthop", mapfile_ip, AT(nexthop), WITH(peer_dst_ip),
	    .negates = true, .doc = "BGP next hop." },
	[ROW_VPN] = { "mpls_vpn_id", mapfile_u32, AT(vpn), WITH(ingress_vrf_id),
	    .also = offsetof(struct flow, egress_vrf_id), .negates = true,
	    .doc = "VRF that the traffic came in by, or goes out by." },
	[ROW_LABEL] = { "mpls_label_bottom", mapfile_u32, AT(label), WITH(mpls_label_bottom),
	    .negates = true, .doc = "MPLS label at the bottom of the stack." },
	{ .name = NULL },
};
#undef WITH
#undef AT

static int rule_take(void *arg, const struct mapfile_rule *r, const void *values,
    struct problems *ps, struct err *e);

static const struct mapfile flow_to_rd_map = { "flow_to_rd_map", rule_keys,
	sizeof(struct rdmap_rule), rule_take };

static int
rule_take(void *arg, const struct mapfile_rule *r, const void *values,
    struct problems *ps, struct err *e)
{
	struct rdmap *m = arg;
	struct term terms[MAPFILE_KEYS];

	if (!mapfile_has(r, ROW_ID)) {
		problem_add(ps, PROBLEM_ERROR, &r->at,
		    "flow_to_rd_map: a rule without a route distinguisher; write "
		    "id=TYPE:ADMINISTRATOR:NUMBER");
		return 0;
	}
	if (m->n == m->room) {
		uint32_t room = m->room != 0 ? m->room * 2 : 64;
		uint64_t *rds =
		    m->n < RULES_MAX ? realloc(m->rds, room * sizeof(*rds)) : NULL;

		if (rds == NULL)
			return err_set(e, WEIR_ENOMEM,
			    "flow_to_rd_map: no room for more than %u rules", m->n);
		m->rds = rds;
		m->room = room;
	}
	if (classifier_add(m->which, terms,
		term_collect(&flow_to_rd_map, r, values, terms)) != 0)
		return err_set(e, WEIR_ENOMEM, "flow_to_rd_map: no memory");
	m->rds[m->n++] = ((const struct rdmap_rule *)values)->rd;
	return 0;
}

struct rdmap *
rdmap_load(const char *path, struct problems *ps, struct err *e)
{
	struct rdmap *m = calloc(1, sizeof(*m));

	if (m == NULL || (m->which = classifier_new()) == NULL) {
		err_set(e, WEIR_ENOMEM, "flow_to_rd_map %s: no memory", path);
		rdmap_free(m);
		return NULL;
	}
	if (mapfile_read(&flow_to_rd_map, path, m, ps, e) != 0) {
		rdmap_free(m);
		return NULL;
	}
	if (classifier_close(m->which) != 0) {
		err_set(e, WEIR_ENOMEM, "flow_to_rd_map %s: no memory", path);
		rdmap_free(m);
		return NULL;
	}
	return m;
}

void
rdmap_free(struct rdmap *m)
{
	if (m == NULL)
		return;
	classifier_free(m->which);
	free(m->rds);
	free(m);
}

void
rdmap_reads(struct field_set *reads)
{
	static const enum field_no looked_at[] = { F_EXPORTER_IP, F_IN_IFACE,
		F_OUT_IFACE, F_PEER_DST_IP, F_INGRESS_VRF_ID, F_EGRESS_VRF_ID,
		F_MPLS_LABEL_BOTTOM };

	for (size_t i = 0; i < sizeof(looked_at) / sizeof(looked_at[0]); i++)
		field_set_add(reads, looked_at[i]);
}

void
rdmap_apply(const struct rdmap *m, struct flow *flows, unsigned n)
{
	uint32_t first[FLOW_BATCH];

	classifier_find(m->which, flows, batch_first(n), NULL, first);
	for (unsigned k = 0; k < n; k++)
		if (first[k] != CLASSIFIER_END)
			flows[k].mpls_vpn_rd = rd_from(m->rds[first[k]], RD_MAP);
}
