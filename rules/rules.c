/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/rules.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/rcu.h"
#include "rules/filters.h"
#include "rules/networks.h"
#include "rules/rdmap.h"

#define AT(member) offsetof(struct rules_config, member)
#define ORIGINS "default|protocol|file|longest|mask"
static const struct directive rules_rows[] = {
	{ .name = "pre_tag_map", .type = DIRECTIVE_PATH, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(pre_tag_map), .reload = DIRECTIVE_RELOAD,
	    .doc = "File of rules that attach tags and labels to flows. A line is "
	           "set_tag=N, set_tag2=N, set_label=TEXT or set_tos=N, and keys that the "
	           "flow must have; the first that fits counts, unless it has jeq=NAME, which "
	           "goes on at label=NAME." },
	{ .name = "maps_entries", .type = DIRECTIVE_NOTICE, .scope = DIRECTIVE_PLUGIN,
	    .doc = "Maps have as many rules as they have." },
	{ .name = "pre_tag_map_entries", .alias_of = "maps_entries" },
	{ .name = "maps_row_len", .type = DIRECTIVE_NOTICE, .scope = DIRECTIVE_PLUGIN,
	    .doc = "A rule may have 16 KiB." },
	{ .name = "maps_index", .type = DIRECTIVE_NOTICE, .scope = DIRECTIVE_GLOBAL,
	    .doc = "Rules are found by an index always, and the first that fits counts." },
	{ .name = "pre_tag_map_dont_recirculate", .type = DIRECTIVE_NOTICE,
	    .scope = DIRECTIVE_PLUGIN,
	    .doc = "A rule without ip is for exporters of IPv4 and IPv6 alike." },
	{ .name = "networks_file", .type = DIRECTIVE_PATH, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(networks_file), .reload = DIRECTIVE_RELOAD,
	    .doc = "File of networks, one [[nexthop,]AS,]network/length a line; the most "
	           "specific one decides src_net, dst_net, masks and AS." },
	{ .name = "networks_mask", .type = DIRECTIVE_U32, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(networks_mask), .max = 128, .unit = "bits",
	    .doc = "Cut addresses to this many bits to make src_net and dst_net." },
	{ .name = "networks_file_filter", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(networks_file_filter), .def = "false",
	    .doc = "Zero addresses, networks and AS that networks_file does not list." },
	{ .name = "networks_file_no_lpm", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(networks_file_no_lpm), .def = "false",
	    .doc = "With *_net: longest, let networks_file win over a longer prefix of the "
	           "exporter's." },
	{ .name = "networks_no_mask_if_zero", .type = DIRECTIVE_BOOL,
	    .scope = DIRECTIVE_PLUGIN, .offset = AT(networks_no_mask_if_zero), .def = "false",
	    .doc = "Keep the host as src_net or dst_net where no prefix is known." },
	{ .name = "flow_to_rd_map", .type = DIRECTIVE_PATH, .offset = AT(flow_to_rd_map),
	    .reload = DIRECTIVE_RELOAD,
	    .doc = "File of rules that decide mpls_vpn_rd, whatever the exporter says. A line "
	           "is id=TYPE:ADMINISTRATOR:NUMBER and, as it may be, ip=ADDRESS[/LENGTH] of "
	           "the exporter, in, out, bgp_nexthop, mpls_vpn_id, mpls_label_bottom ('-' "
	           "before a value: any other); the first that fits counts." },
	{ .name = "aggregate_filter", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_NAMED,
	    .offset = AT(aggregate_filter),
	    .doc = "Count only what passes this tcpdump expression, or one of several with "
	           "commas between; see pcap-filter(7). It is asked of the packet, of sFlow's "
	           "sampled header, or of a frame that is made of the flow record. A packet "
	           "with a VLAN tag passes only what begins with `vlan and`." },
	{ .name = "tos_encode_as_dscp", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(tos_as_dscp), .def = "false",
	    .doc = "Let tos be the DSCP, six bits, so that what differs in ECN alone is one row." },
	{ .name = "use_ip_next_hop", .type = DIRECTIVE_BOOL, .offset = AT(use_ip_next_hop),
	    .def = "false",
	    .doc = "Where the exporter gives no BGP next hop, take the IP next hop for "
	           "peer_dst_ip." },
	{ .name = "pmacctd_net", .type = DIRECTIVE_ENUM, .offset = AT(net[SOURCE_PACKETS]),
	    .words = ORIGINS, .doc = "Where the prefixes of captured packets come from." },
	{ .name = "pmacctd_as", .type = DIRECTIVE_ENUM, .offset = AT(as[SOURCE_PACKETS]),
	    .words = ORIGINS, .doc = "Where the AS of captured packets come from." },
	{ .name = "nfacctd_net", .type = DIRECTIVE_ENUM, .offset = AT(net[SOURCE_NETFLOW]),
	    .words = ORIGINS "|netflow", .doc = "Where the prefixes of NetFlow come from." },
	{ .name = "nfacctd_as", .type = DIRECTIVE_ENUM, .offset = AT(as[SOURCE_NETFLOW]),
	    .words = ORIGINS "|netflow", .doc = "Where the AS of NetFlow come from." },
	{ .name = "sfacctd_net", .type = DIRECTIVE_ENUM, .offset = AT(net[SOURCE_SFLOW]),
	    .words = ORIGINS "|sflow", .doc = "Where the prefixes of sFlow come from." },
	{ .name = "sfacctd_as", .type = DIRECTIVE_ENUM, .offset = AT(as[SOURCE_SFLOW]),
	    .words = ORIGINS "|sflow", .doc = "Where the AS of sFlow come from." },
	{ .name = NULL },
};
#undef ORIGINS
#undef AT

const struct directive_set rules_directives = {
	"rules", rules_rows, sizeof(struct rules_config)
};

/* Source and destination alike: which members of struct flow make one side. */
static const struct side {
	size_t host, net, mask, as;
	enum field_no host_no, net_no, mask_no, as_no;
} sides[2] = {
	{ offsetof(struct flow, src_host), offsetof(struct flow, src_net),
	    offsetof(struct flow, src_mask), offsetof(struct flow, src_as), F_SRC_HOST,
	    F_SRC_NET, F_SRC_MASK, F_SRC_AS },
	{ offsetof(struct flow, dst_host), offsetof(struct flow, dst_net),
	    offsetof(struct flow, dst_mask), offsetof(struct flow, dst_as), F_DST_HOST,
	    F_DST_NET, F_DST_MASK, F_DST_AS },
};

/* The operator's files, each loaded into an object of its own. */
enum file { FILE_NETWORKS, FILE_RDMAP, FILES };

static void *
file_networks_load(const char *path, struct problems *ps, struct err *e)
{
	return networks_load(path, ps, e);
}

static void
file_networks_free(void *file)
{
	networks_free(file);
}

static void *
file_rdmap_load(const char *path, struct problems *ps, struct err *e)
{
	return rdmap_load(path, ps, e);
}

static void
file_rdmap_free(void *file)
{
	rdmap_free(file);
}

static const struct {
	const char *directive;
	size_t path; /* place in struct rules_config */
	void *(*load)(const char *path, struct problems *ps, struct err *e);
	void (*free)(void *file); /* NULL is no file */
} files[FILES] = {
	[FILE_NETWORKS] = { "networks_file", offsetof(struct rules_config, networks_file),
	    file_networks_load, file_networks_free },
	[FILE_RDMAP] = { "flow_to_rd_map", offsetof(struct rules_config, flow_to_rd_map),
	    file_rdmap_load, file_rdmap_free },
};

struct rules {
	_Atomic(void *) files[FILES];   /* NULL: there is none, or nobody needs it */
	struct filters *filters;        /* aggregate_filter; NULL: none */
	bool rd;                        /* somebody needs the route distinguisher */
	bool dscp, next_hop;            /* tos, peer_dst_ip */
	struct rules_config config;
	uint8_t net[SOURCE_COUNT];      /* enum rules_origin, defaults resolved */
	uint8_t as[SOURCE_COUNT];
	bool prefixes[2];               /* by side: somebody needs network or mask, */
	bool systems[2];                /* somebody needs the AS */
};

/* pmacct's defaults: a file decides for packets; exporters' own words for the others. */
static uint8_t
origin_resolve(int origin, enum flow_source source, const struct rules_config *c)
{
	if (origin > ORIGIN_MASK) /* "netflow", "sflow": the exporter's word */
		return ORIGIN_PROTOCOL;
	if (origin != ORIGIN_DEFAULT)
		return (uint8_t)origin;
	if (source != SOURCE_PACKETS)
		return ORIGIN_PROTOCOL;
	return c->networks_file != NULL ? ORIGIN_FILE : ORIGIN_MASK;
}

static bool
paths_equal(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

bool
rules_config_equal(const struct rules_config *a, const struct rules_config *b)
{
	return paths_equal(a->pre_tag_map, b->pre_tag_map) &&
	    paths_equal(a->networks_file, b->networks_file) &&
	    paths_equal(a->flow_to_rd_map, b->flow_to_rd_map) &&
	    paths_equal(a->aggregate_filter, b->aggregate_filter) &&
	    a->networks_mask == b->networks_mask &&
	    a->networks_file_filter == b->networks_file_filter &&
	    a->networks_file_no_lpm == b->networks_file_no_lpm &&
	    a->networks_no_mask_if_zero == b->networks_no_mask_if_zero &&
	    a->tos_as_dscp == b->tos_as_dscp &&
	    a->use_ip_next_hop == b->use_ip_next_hop &&
	    memcmp(a->net, b->net, sizeof(a->net)) == 0 &&
	    memcmp(a->as, b->as, sizeof(a->as)) == 0;
}

void
rules_reads(const struct rules_config *c, const struct field_set *needed,
    struct field_set *reads)
{
	for (int i = 0; i < 2; i++) {
		const struct side *s = &sides[i];

		if (field_set_has(needed, s->net_no) || field_set_has(needed, s->mask_no)) {
			field_set_add(reads, s->host_no);
			field_set_add(reads, s->mask_no);
		}
		if (field_set_has(needed, s->as_no) && c->networks_file != NULL) {
			field_set_add(reads, s->host_no);
			field_set_add(reads, s->mask_no); /* "longest" compares them */
		}
	}
	if (field_set_has(needed, F_PEER_DST_IP) && c->use_ip_next_hop)
		field_set_add(reads, F_NEXTHOP);
	if (field_set_has(needed, F_MPLS_VPN_RD)) {
		field_set_add(reads, F_MPLS_VPN_RD);
		field_set_add(reads, F_INGRESS_VRF_ID);
		field_set_add(reads, F_EGRESS_VRF_ID);
		if (c->flow_to_rd_map != NULL)
			rdmap_reads(reads);
	}
}

/* The path of file `i`, NULL when there is none. */
static const char *
file_path(const struct rules *r, int i)
{
	const char *path;

	memcpy(&path, (const char *)&r->config + files[i].path, sizeof(path));
	return path;
}

static const void *
file_get(const struct rules *r, enum file i)
{
	return atomic_load_explicit(&r->files[i], memory_order_acquire);
}

/* Read the files. Returns 0, or -WEIR_EIO with `e` filled. */
static int
files_load(struct rules *r, struct problems *ps, struct err *e)
{
	for (int i = 0; i < FILES; i++) {
		const char *path = file_path(r, i);
		void *file;

		if (path == NULL || (i == FILE_RDMAP && !r->rd))
			continue;
		file = files[i].load(path, ps, e);
		if (file == NULL)
			return -WEIR_EIO;
		atomic_init(&r->files[i], file);
	}
	return 0;
}

/* Put what is read from file `i` in place of what there is, unless it has faults. */
static void
file_reload(struct rules *r, int i, struct problems *ps)
{
	const char *path = file_path(r, i);
	size_t errors = ps->n_errors;
	struct err e = ERR_INIT;
	void *fresh = files[i].load(path, ps, &e);

	if (fresh == NULL)
		problem_add(ps, PROBLEM_ERROR, NULL, "%s", e.text);
	if (ps->n_errors != errors) {
		files[i].free(fresh);
		return;
	}
	log_info("%s %s: read anew", files[i].directive, path);
	rcu_enter();
	rcu_defer(files[i].free, atomic_exchange(&r->files[i], fresh));
	rcu_leave();
}

void
rules_reload(struct rules *r, struct problems *ps)
{
	for (int i = 0; r != NULL && i < FILES; i++)
		if (file_get(r, (enum file)i) != NULL)
			file_reload(r, i, ps);
}

int
rules_new(const struct rules_config *c, const struct field_set *needed,
    struct rules **out, struct problems *ps, struct err *e)
{
	struct rules *r = calloc(1, sizeof(*r));
	bool any = c->networks_file_filter || c->aggregate_filter != NULL;

	*out = NULL;
	if (r == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory for rules");
	r->config = *c;
	for (int i = 0; i < SOURCE_COUNT; i++) {
		r->net[i] = origin_resolve(c->net[i], (enum flow_source)i, c);
		r->as[i] = origin_resolve(c->as[i], (enum flow_source)i, c);
	}
	for (int i = 0; i < 2; i++) {
		r->prefixes[i] = field_set_has(needed, sides[i].net_no) ||
		    field_set_has(needed, sides[i].mask_no);
		r->systems[i] = field_set_has(needed, sides[i].as_no) &&
		    c->networks_file != NULL;
		any |= r->prefixes[i] || r->systems[i];
	}
	r->rd = field_set_has(needed, F_MPLS_VPN_RD);
	r->dscp = c->tos_as_dscp && field_set_has(needed, F_TOS);
	r->next_hop = c->use_ip_next_hop && field_set_has(needed, F_PEER_DST_IP);
	if (!any && !r->rd && !r->dscp && !r->next_hop) {
		free(r);
		return 0;
	}
	if (files_load(r, ps, e) != 0) {
		rules_free(r);
		return -WEIR_EIO;
	}
	if (c->aggregate_filter != NULL &&
	    (r->filters = filters_new(c->aggregate_filter, e)) == NULL) {
		rules_free(r);
		return -WEIR_EINVAL;
	}
	*out = r;
	return 0;
}

void
rules_free(struct rules *r)
{
	if (r == NULL)
		return;
	for (int i = 0; i < FILES; i++)
		files[i].free(atomic_load(&r->files[i]));
	filters_free(r->filters);
	free(r);
}

/* The prefix length, in bits of its own family, that counts for a host; -1: none is known. */
static int
prefix_bits(const struct rules *r, enum rules_origin origin, const struct network *w,
    int protocol, int own_bits)
{
	switch (origin) {
	case ORIGIN_FILE:
		return w != NULL ? w->bits : -1;
	case ORIGIN_LONGEST:
		if (w != NULL && (w->bits > protocol || r->config.networks_file_no_lpm))
			return w->bits;
		return protocol;
	case ORIGIN_MASK:
		if (r->config.networks_mask == 0)
			return -1;
		return (int)r->config.networks_mask < own_bits ? (int)r->config.networks_mask
		                                               : own_bits;
	case ORIGIN_PROTOCOL:
	case ORIGIN_DEFAULT:
		break;
	}
	return protocol;
}

static void
prefix_apply(const struct rules *r, enum rules_origin origin, const struct network *w,
    const ip16_t *host, uint8_t *mask, ip16_t *net)
{
	int own_bits = ip_is_v4(host) ? 32 : 128;
	int bits;

	if (origin == ORIGIN_PROTOCOL && !ip_is_none(net))
		return; /* the record told the prefix itself, and maybe no host */
	bits = prefix_bits(r, origin, w, *mask != 0 ? *mask : -1, own_bits);

	if (bits > own_bits)
		bits = own_bits;
	if (bits <= 0) {
		*mask = 0;
		*net = r->config.networks_no_mask_if_zero ? *host : (ip16_t){ { 0 } };
		return;
	}
	*mask = (uint8_t)bits;
	*net = ip_mask(host, (unsigned)(bits + 128 - own_bits));
}

/* Whether the file decides the AS: with "longest", where its prefix is not the shorter one. */
static bool
as_from_file(const struct rules *r, enum rules_origin origin, const struct network *w,
    uint8_t protocol_bits)
{
	if (origin != ORIGIN_LONGEST)
		return origin == ORIGIN_FILE;
	return w != NULL && (w->bits >= protocol_bits || r->config.networks_file_no_lpm);
}

static void
side_apply(const struct rules *r, enum flow_source source, struct flow *f, int i)
{
	const struct side *s = &sides[i];
	uint8_t *base = (uint8_t *)f;
	ip16_t *host = (ip16_t *)(void *)(base + s->host);
	uint32_t *as = (uint32_t *)(void *)(base + s->as);
	const struct networks *networks = file_get(r, FILE_NETWORKS);
	const struct network *w = networks != NULL ? networks_find(networks, host) : NULL;

	if (r->config.networks_file_filter && networks != NULL && w == NULL) {
		memset(host, 0, sizeof(*host));
		memset(base + s->net, 0, sizeof(ip16_t));
		base[s->mask] = 0;
		*as = 0;
		return;
	}
	if (r->systems[i] && as_from_file(r, r->as[source], w, base[s->mask]))
		*as = w != NULL ? w->as : 0;
	if (r->prefixes[i])
		prefix_apply(r, r->net[source], w, host, base + s->mask,
		    (ip16_t *)(void *)(base + s->net));
}

/* Route distinguishers: the map's, else the exporter's, else the number of a VRF. */
static void
rd_apply(const struct rules *r, struct flow *flows, unsigned n)
{
	const struct rdmap *rdmap = file_get(r, FILE_RDMAP);

	if (rdmap != NULL)
		rdmap_apply(rdmap, flows, n);
	for (unsigned k = 0; k < n; k++) {
		struct flow *f = &flows[k];
		uint32_t vrf = f->ingress_vrf_id != 0 ? f->ingress_vrf_id : f->egress_vrf_id;

		/* Zero is one, too, where the exporter has told it. */
		if (rd_origin(f->mpls_vpn_rd) != RD_UNKNOWN)
			continue;
		if (f->mpls_vpn_rd == 0 && vrf != 0)
			f->mpls_vpn_rd = (uint64_t)RD_TYPE_VRF << 48 | vrf;
		if (f->mpls_vpn_rd != 0)
			f->mpls_vpn_rd = rd_from(f->mpls_vpn_rd, RD_FLOW);
	}
}

/* No address, or the one of no host: exporters write 0.0.0.0 where they know none. */
static bool
hop_is_none(const ip16_t *a)
{
	static const uint8_t zero[4];

	return ip_is_none(a) || (ip_is_v4(a) && memcmp(a->b + 12, zero, sizeof(zero)) == 0);
}

static void
next_hop_apply(struct flow *flows, unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		if (hop_is_none(&flows[k].peer_dst_ip))
			flows[k].peer_dst_ip = flows[k].nexthop;
}

/* The two low bits are those of ECN: RFC 3168 s5. */
static void
dscp_apply(struct flow *flows, unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		flows[k].tos >>= 2;
}

void
rules_select_reads(const struct rules *r, struct field_set *reads)
{
	if (r != NULL && r->filters != NULL)
		filters_reads(r->filters, reads);
}

bool
rules_look_at_frames(const struct rules_config *c)
{
	return c->aggregate_filter != NULL;
}

uint32_t
rules_reach(const struct rules *r)
{
	return r != NULL && r->filters != NULL ? filters_reach(r->filters) : 0;
}

void
rules_link(const struct rules *r, uint32_t linktype)
{
	if (r != NULL && r->filters != NULL)
		filters_link(r->filters, linktype);
}

uint64_t
rules_select(const struct rules *r, const struct batch *b)
{
	uint64_t mask = batch_all(b);

	if (r->filters != NULL)
		mask = filters_run(r->filters, b, mask);
	return mask;
}

void
rules_apply(const struct rules *r, struct batch *b)
{
	if (r->rd && b->source == SOURCE_NETFLOW)
		rd_apply(r, b->flows, b->n);
	if (r->next_hop)
		next_hop_apply(b->flows, b->n);
	if (r->dscp)
		dscp_apply(b->flows, b->n);
	for (int i = 0; i < 2; i++)
		if (r->prefixes[i] || r->systems[i] || r->config.networks_file_filter)
			for (unsigned k = 0; k < b->n; k++)
				side_apply(r, b->source, &b->flows[k], i);
}
