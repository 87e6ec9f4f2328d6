/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/rdmap.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mapfile.h"
#include "rules/mapindex.h"

#define RULES_MAX (1U << 20)

/* The keys, in the order of the table of keys. */
enum { ROW_ID, ROW_IP, ROW_IN, ROW_OUT, ROW_NEXTHOP, ROW_VPN, ROW_LABEL };

struct rdmap_rule {
	uint64_t rd;
	struct prefix from;
	ip16_t nexthop;
	uint32_t in, out, vpn, label;
	uint32_t given, negated; /* a bit for each row */
};

struct rdmap {
	struct rdmap_rule *rules;
	uint32_t n, room;
	struct mapindex *index;
};

/* The decimal number up to `end`, at most `max`; false when it is none. */
static bool
number_parse(const char *text, const char *end, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (text == end || end - text > 10)
		return false;
	for (; text < end; text++) {
		if (*text < '0' || *text > '9')
			return false;
		v = v * 10 + (uint64_t)(*text - '0');
	}
	*out = v;
	return v <= max;
}

/* The address in dotted form up to `end`, as a number. */
static bool
quad_parse(const char *text, const char *end, uint64_t *out)
{
	char quad[16];
	ip16_t a;

	if ((size_t)(end - text) >= sizeof(quad))
		return false;
	memcpy(quad, text, (size_t)(end - text));
	quad[end - text] = '\0';
	if (ip_parse(quad, &a) != 0 || !ip_is_v4(&a))
		return false;
	*out = (uint64_t)a.b[12] << 24 | (uint64_t)a.b[13] << 16 |
	       (uint64_t)a.b[14] << 8 | a.b[15];
	return true;
}

/* The three types of RFC 4364 s4.2: how large administrator and number are. */
static int
rd_parse(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	const char *one = strchr(text, ':'),
		   *two = one != NULL ? strchr(one + 1, ':') : NULL;
	uint64_t type = 0, administrator = 0, number = 0, rd;
	bool fine = two != NULL && number_parse(text, one, 2, &type);

	(void)k;
	if (fine && type == 1)
		fine = quad_parse(one + 1, two, &administrator);
	else if (fine)
		fine = number_parse(
		    one + 1, two, type == 0 ? UINT16_MAX : UINT32_MAX, &administrator);
	if (!fine || !number_parse(two + 1, two + strlen(two),
			 type == 0 ? UINT32_MAX : UINT16_MAX, &number))
		return err_set(why, WEIR_EINVAL,
		    "'%s' is no route distinguisher; write 0:AS:NUMBER, "
		    "1:ADDRESS:NUMBER "
		    "or 2:AS:NUMBER",
		    text);
	rd = type << 48 | administrator << (type == 0 ? 32 : 16) | number;
	memcpy(at, &rd, sizeof(rd));
	return 0;
}

#define AT(member) .offset = offsetof(struct rdmap_rule, member)
static const struct mapfile_key rule_keys[] = {
	[ROW_ID] = { "id", rd_parse, AT(rd), .doc = "The route distinguisher." },
	[ROW_IP] = { "ip", mapfile_prefix, AT(from), .doc = "Whose records." },
	[ROW_IN] = { "in", mapfile_u32, AT(in), .negates = true,
	    .doc = "Input interface." },
	[ROW_OUT] = { "out", mapfile_u32, AT(out), .negates = true,
	    .doc = "Output interface." },
	[ROW_NEXTHOP] = { "bgp_nexthop", mapfile_ip, AT(nexthop), .negates = true,
	    .doc = "BGP next hop." },
	[ROW_VPN] = { "mpls_vpn_id", mapfile_u32, AT(vpn), .negates = true,
	    .doc = "VRF that the traffic came in by, or goes out by." },
	[ROW_LABEL] = { "mpls_label_bottom", mapfile_u32, AT(label), .negates = true,
	    .doc = "MPLS label at the bottom of the stack." },
	{ .name = NULL },
};
#undef AT

/* Put the rule that comes next into the index, by what it asks for exactly. */
static int
rule_index(struct rdmap *m, const struct rdmap_rule *r)
{
	const struct mapindex_key key = { r->from.addr, r->in, r->out };
	uint32_t exactly = r->given & ~r->negated;
	unsigned asks = 0;

	if ((exactly >> ROW_IP & 1) != 0 && r->from.len == 128)
		asks |= MAPINDEX_IP;
	if ((exactly >> ROW_IN & 1) != 0)
		asks |= MAPINDEX_IN;
	if ((exactly >> ROW_OUT & 1) != 0)
		asks |= MAPINDEX_OUT;
	return mapindex_add(m->index, asks, &key);
}

static int
rule_take(void *arg, const struct mapfile_rule *r, const void *values,
    struct problems *ps, struct err *e)
{
	struct rdmap *m = arg;
	struct rdmap_rule rule = *(const struct rdmap_rule *)values;

	if (!mapfile_has(r, ROW_ID)) {
		problem_add(ps, PROBLEM_ERROR, &r->at,
		    "flow_to_rd_map: a rule without a route distinguisher; write "
		    "id=TYPE:ADMINISTRATOR:NUMBER");
		return 0;
	}
	rule.given = (uint32_t)r->given;
	rule.negated = (uint32_t)r->negated;
	if (m->n == m->room) {
		uint32_t room = m->room != 0 ? m->room * 2 : 64;
		struct rdmap_rule *rules =
		    m->n < RULES_MAX ? realloc(m->rules, room * sizeof(*rules)) : NULL;

		if (rules == NULL)
			return err_set(e, WEIR_ENOMEM,
			    "flow_to_rd_map: no room for more than %u rules", m->n);
		m->rules = rules;
		m->room = room;
	}
	if (rule_index(m, &rule) != 0)
		return err_set(e, WEIR_ENOMEM, "flow_to_rd_map: no memory");
	m->rules[m->n++] = rule;
	return 0;
}

static const struct mapfile flow_to_rd_map = { "flow_to_rd_map", rule_keys,
	sizeof(struct rdmap_rule), rule_take };

struct rdmap *
rdmap_load(const char *path, struct problems *ps, struct err *e)
{
	struct rdmap *m = calloc(1, sizeof(*m));

	if (m == NULL || (m->index = mapindex_new()) == NULL) {
		err_set(e, WEIR_ENOMEM, "flow_to_rd_map %s: no memory", path);
		rdmap_free(m);
		return NULL;
	}
	if (mapfile_read(&flow_to_rd_map, path, m, ps, e) != 0) {
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
	mapindex_free(m->index);
	free(m->rules);
	free(m);
}

void
rdmap_reads(struct field_set *reads)
{
	static const enum field_no looked_at[] = { F_PEER_SRC_IP, F_IN_IFACE,
		F_OUT_IFACE, F_PEER_DST_IP, F_INGRESS_VRF_ID, F_EGRESS_VRF_ID,
		F_MPLS_LABEL_BOTTOM };

	for (size_t i = 0; i < sizeof(looked_at) / sizeof(looked_at[0]); i++)
		field_set_add(reads, looked_at[i]);
}

/* Whether key `row` lets a record pass of which `equal` tells if it has the value. */
static bool
key_fits(const struct rdmap_rule *r, unsigned row, bool equal)
{
	return (r->given >> row & 1) == 0 || equal != (r->negated >> row & 1);
}

static bool
rule_fits(const struct rdmap_rule *r, const struct flow *f)
{
	return key_fits(r, ROW_IN, r->in == f->in_iface) &&
	       key_fits(r, ROW_OUT, r->out == f->out_iface) &&
	       key_fits(r, ROW_VPN,
		   r->vpn == f->ingress_vrf_id || r->vpn == f->egress_vrf_id) &&
	       key_fits(r, ROW_LABEL, r->label == f->mpls_label_bottom) &&
	       key_fits(r, ROW_NEXTHOP, ip_equal(&r->nexthop, &f->peer_dst_ip)) &&
	       key_fits(r, ROW_IP, prefix_holds(&r->from, &f->peer_src_ip));
}

void
rdmap_apply(const struct rdmap *m, struct flow *flows, unsigned n)
{
	for (unsigned k = 0; k < n; k++) {
		struct flow *f = &flows[k];
		const struct mapindex_key key = { f->peer_src_ip, f->in_iface,
			f->out_iface };
		struct mapindex_walk w;
		uint32_t i;

		mapindex_begin(m->index, &key, &w);
		do
			i = mapindex_next(m->index, &w);
		while (i != MAPINDEX_END && !rule_fits(&m->rules[i], f));
		if (i != MAPINDEX_END)
			f->mpls_vpn_rd = rd_from(m->rules[i].rd, RD_MAP);
	}
}
