/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/rules.h"

#include <stdlib.h>
#include <string.h>

#include "rules/filters.h"
#include "rules/geoip.h"
#include "rules/rdmap.h"
#include "rules/routes.h"
#include "rules/tagfilter.h"
#include "rules/valuelist.h"

#define AT(member) offsetof(struct rules_config, member)
/* The words of enum rules_origin; the exporter's own word is behind these. */
#define ORIGINS "default|protocol|file|longest|mask|fallback|"
#define FROM " come from: the exporter (protocol), networks_file (file), "
#define NET_FROM FROM "the longer prefix of both (longest, fallback), networks_mask (mask)."
#define AS_FROM FROM "the one whose prefix is longer (longest, fallback), geoip_as_file (geoip)."
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
	    .words = ORIGINS "none", .doc = "Where the prefixes of captured packets" NET_FROM },
	{ .name = "pmacctd_as", .type = DIRECTIVE_ENUM, .offset = AT(as[SOURCE_PACKETS]),
	    .words = ORIGINS "none|geoip", .doc = "Where the AS of captured packets" AS_FROM },
	{ .name = "nfacctd_net", .type = DIRECTIVE_ENUM, .offset = AT(net[SOURCE_NETFLOW]),
	    .words = ORIGINS "netflow", .doc = "Where the prefixes of NetFlow" NET_FROM },
	{ .name = "nfacctd_as", .type = DIRECTIVE_ENUM, .offset = AT(as[SOURCE_NETFLOW]),
	    .words = ORIGINS "netflow|geoip", .doc = "Where the AS of NetFlow" AS_FROM },
	{ .name = "sfacctd_net", .type = DIRECTIVE_ENUM, .offset = AT(net[SOURCE_SFLOW]),
	    .words = ORIGINS "sflow", .doc = "Where the prefixes of sFlow" NET_FROM },
	{ .name = "sfacctd_as", .type = DIRECTIVE_ENUM, .offset = AT(as[SOURCE_SFLOW]),
	    .words = ORIGINS "sflow|geoip", .doc = "Where the AS of sFlow" AS_FROM },
	{ .name = "nfacctd_as_new", .type = DIRECTIVE_BOOL, .offset = AT(as_new[SOURCE_NETFLOW]),
	    .def = "false", .doc = "Old name of nfacctd_as: file." },
	{ .name = "sfacctd_as_new", .type = DIRECTIVE_BOOL, .offset = AT(as_new[SOURCE_SFLOW]),
	    .def = "false", .doc = "Old name of sfacctd_as: file." },
	{ .name = "nfacctd_peer_as", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(peer_as[SOURCE_NETFLOW]), .def = "false",
	    .doc = "The AS that NetFlow tells are those of peers: take them for peer_src_as and "
	           "peer_dst_as; src_as and dst_as are then 0, or what networks_file says." },
	{ .name = "sfacctd_peer_as", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(peer_as[SOURCE_SFLOW]), .def = "false",
	    .doc = "The same of sFlow." },
	{ .name = "ports_file", .type = DIRECTIVE_PATH, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(ports_file), .reload = DIRECTIVE_RELOAD,
	    .doc = "File of ports, one or a range like 6000-6063 a line: all others become 0." },
	{ .name = "protos_file", .type = DIRECTIVE_PATH, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(protos_file), .reload = DIRECTIVE_RELOAD,
	    .doc = "File of IP protocols, a number, a name or a range a line: all others "
	           "become 255, which is shown as others." },
	{ .name = "tos_file", .type = DIRECTIVE_PATH, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(tos_file), .reload = DIRECTIVE_RELOAD,
	    .doc = "File of types of service (with tos_encode_as_dscp: of DSCPs), one or a range "
	           "a line, in decimal or as 0xb8: all others become 255." },
	{ .name = "geoipv2_file", .type = DIRECTIVE_PATH, .offset = AT(geoipv2_file),
	    .reload = DIRECTIVE_RELOAD,
	    .doc = "Database in MaxMind's format (.mmdb) that tells country, postal code and "
	           "coordinates of addresses." },
	{ .name = "geoip_as_file", .type = DIRECTIVE_PATH, .offset = AT(geoip_as_file),
	    .reload = DIRECTIVE_RELOAD,
	    .doc = "Database in MaxMind's format that tells the AS of addresses and its name, "
	           "for src_as_name, dst_as_name and *_as: geoip; without it geoipv2_file is "
	           "asked." },
	{ .name = "pre_tag_filter", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_NAMED,
	    .offset = AT(pre_tag_filter),
	    .doc = "Count only what has one of these tags: a comma list of numbers and ranges like "
	           "10-20; with '-' before it, what has not. The first that holds the tag "
	           "decides; of several with '-', none may." },
	{ .name = "pre_tag2_filter", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_NAMED,
	    .offset = AT(pre_tag2_filter), .doc = "The same for tag2." },
	{ .name = "pre_tag_label_filter", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_NAMED,
	    .offset = AT(pre_tag_label_filter),
	    .doc = "Count only what has one of these labels, be it as one of several with commas "
	           "between: a comma list; null is no label; '-' as in pre_tag_filter." },
	{ .name = "post_tag", .type = DIRECTIVE_U64, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(post_tag), .min = 1,
	    .doc = "The tag of all that this plugin counts, whatever maps say; filters see theirs." },
	{ .name = "post_tag2", .type = DIRECTIVE_U64, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(post_tag2), .min = 1, .doc = "The same for tag2." },
	{ .name = NULL },
};
#undef AS_FROM
#undef NET_FROM
#undef FROM
#undef ORIGINS
#undef AT

const struct directive_set rules_directives = {
	"rules", rules_rows, sizeof(struct rules_config)
};

/* The files of a configuration: their directives' places in it. */
static const struct {
	enum file_kind kind;
	size_t path;
} paths[] = {
	{ FILE_NETWORKS, offsetof(struct rules_config, networks_file) },
	{ FILE_RDMAP, offsetof(struct rules_config, flow_to_rd_map) },
	{ FILE_PORTS, offsetof(struct rules_config, ports_file) },
	{ FILE_PROTOS, offsetof(struct rules_config, protos_file) },
	{ FILE_TOS, offsetof(struct rules_config, tos_file) },
	{ FILE_GEOIP, offsetof(struct rules_config, geoipv2_file) },
	{ FILE_GEOIP_AS, offsetof(struct rules_config, geoip_as_file) },
};
#define N_PATHS (sizeof(paths) / sizeof(paths[0]))

/* The lists that a flow must pass, and what they look at. */
static const struct {
	const char *directive;
	size_t list; /* place in struct rules_config */
	enum field_no field;
} tag_lists[] = {
	{ "pre_tag_filter", offsetof(struct rules_config, pre_tag_filter), F_TAG },
	{ "pre_tag2_filter", offsetof(struct rules_config, pre_tag2_filter), F_TAG2 },
	{ "pre_tag_label_filter", offsetof(struct rules_config, pre_tag_label_filter), F_LABEL },
};
#define N_TAG_LISTS (sizeof(tag_lists) / sizeof(tag_lists[0]))

static const struct {
	enum file_kind file;
	enum valuelist_kind values;
} value_files[] = {
	{ FILE_PORTS, VALUELIST_PORTS },
	{ FILE_PROTOS, VALUELIST_PROTOS },
	{ FILE_TOS, VALUELIST_TOS },
};
#define N_VALUE_FILES (sizeof(value_files) / sizeof(value_files[0]))

struct rules {
	struct file *files[FILE_KINDS]; /* borrowed; NULL: there is none, or nobody needs it */
	struct filters *filters;        /* aggregate_filter; NULL: none */
	struct tagfilter *tags[N_TAG_LISTS]; /* NULL: none */
	bool rd;                        /* somebody needs the route distinguisher */
	bool dscp, next_hop;            /* tos, peer_dst_ip */
	bool routes_any;                /* routes have something to do, */
	bool places, systems;           /* somebody needs countries or such, AS by address */
	struct geoip_wants geoip[SOURCE_COUNT];
	struct rules_config config;
	struct routes routes;
};

/* The text at `offset` of `c`, NULL when there is none. */
static const char *
config_text(const struct rules_config *c, size_t offset)
{
	const char *text;

	memcpy(&text, (const char *)c + offset, sizeof(text));
	return text;
}

static bool
text_equal(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

/* Whether the files and lists of `a` and `b` are the same. */
static bool
texts_equal(const struct rules_config *a, const struct rules_config *b)
{
	for (size_t i = 0; i < N_PATHS; i++)
		if (!text_equal(config_text(a, paths[i].path), config_text(b, paths[i].path)))
			return false;
	for (size_t i = 0; i < N_TAG_LISTS; i++)
		if (!text_equal(config_text(a, tag_lists[i].list),
		        config_text(b, tag_lists[i].list)))
			return false;
	return text_equal(a->aggregate_filter, b->aggregate_filter);
}

bool
rules_config_equal(const struct rules_config *a, const struct rules_config *b)
{
	return texts_equal(a, b) && text_equal(a->pre_tag_map, b->pre_tag_map) &&
	    a->post_tag == b->post_tag && a->post_tag2 == b->post_tag2 &&
	    a->networks_mask == b->networks_mask &&
	    a->networks_file_filter == b->networks_file_filter &&
	    a->networks_file_no_lpm == b->networks_file_no_lpm &&
	    a->networks_no_mask_if_zero == b->networks_no_mask_if_zero &&
	    a->tos_as_dscp == b->tos_as_dscp &&
	    a->use_ip_next_hop == b->use_ip_next_hop &&
	    memcmp(a->net, b->net, sizeof(a->net)) == 0 &&
	    memcmp(a->as, b->as, sizeof(a->as)) == 0 &&
	    memcmp(a->as_new, b->as_new, sizeof(a->as_new)) == 0 &&
	    memcmp(a->peer_as, b->peer_as, sizeof(a->peer_as)) == 0;
}

void
rules_reads(const struct rules_config *c, const struct field_set *needed,
    struct field_set *reads)
{
	routes_reads(c, needed, reads);
	for (int i = 0; i < SOURCE_COUNT; i++)
		geoip_reads(needed, c->as[i] == ORIGIN_GEOIP, reads);
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

/* Whether somebody needs what file `kind` decides. */
static bool
file_needed(const struct rules *r, enum file_kind kind, const struct field_set *needed)
{
	if (kind == FILE_NETWORKS)
		return r->routes_any;
	if (kind == FILE_RDMAP)
		return r->rd;
	if (kind == FILE_GEOIP)
		return r->places || (r->systems && r->config.geoip_as_file == NULL);
	if (kind == FILE_GEOIP_AS)
		return r->systems;
	for (size_t i = 0; i < N_VALUE_FILES; i++)
		if (value_files[i].file == kind)
			return valuelist_changes(value_files[i].values, needed);
	return false;
}

/* Read the files. Returns how many there are, or -WEIR_EIO with `e` filled. */
static int
rules_files(struct rules *r, struct files *fs, const struct field_set *needed,
    struct problems *ps, struct err *e)
{
	int n = 0;

	for (size_t i = 0; i < N_PATHS; i++) {
		enum file_kind kind = paths[i].kind;
		const char *path = config_text(&r->config, paths[i].path);

		if (path == NULL || !file_needed(r, kind, needed))
			continue;
		r->files[kind] = files_open(fs, kind, path, ps, e);
		if (r->files[kind] == NULL)
			return -WEIR_EIO;
		n++;
	}
	return n;
}

/* Compile the lists of tags. Returns how many there are, or -WEIR_EINVAL. */
static int
rules_tags(struct rules *r, struct err *e)
{
	struct err why = ERR_INIT;
	int n = 0;

	for (size_t i = 0; i < N_TAG_LISTS; i++) {
		const char *list = config_text(&r->config, tag_lists[i].list);

		if (list == NULL)
			continue;
		r->tags[i] = tagfilter_new(tag_lists[i].field, list, &why);
		if (r->tags[i] == NULL)
			return err_set(e, WEIR_EINVAL, "%s: %s", tag_lists[i].directive, why.text);
		n++;
	}
	return n;
}

const char *
rules_lists_check(const struct rules_config *c, struct err *e)
{
	struct filters *filters;

	for (size_t i = 0; i < N_TAG_LISTS; i++) {
		const char *list = config_text(c, tag_lists[i].list);
		struct tagfilter *t;

		if (list == NULL)
			continue;
		if ((t = tagfilter_new(tag_lists[i].field, list, e)) == NULL)
			return tag_lists[i].directive;
		tagfilter_free(t);
	}
	if (c->aggregate_filter == NULL)
		return NULL;
	if ((filters = filters_new(c->aggregate_filter, e)) == NULL)
		return "aggregate_filter";
	filters_free(filters);
	return NULL;
}

/* What databases of places are asked, by source. */
static void
rules_geoip(struct rules *r, const struct field_set *needed)
{
	struct geoip_wants w;

	geoip_wants_init(&w, needed);
	r->places = w.place[0] || w.place[1];
	r->systems = w.as_name[0] || w.as_name[1];
	for (int i = 0; i < SOURCE_COUNT; i++) {
		bool as = r->routes.as[i] == ORIGIN_GEOIP;

		r->geoip[i] = w;
		r->geoip[i].as[0] = as && field_set_has(needed, F_SRC_AS);
		r->geoip[i].as[1] = as && field_set_has(needed, F_DST_AS);
		r->systems |= r->geoip[i].as[0] || r->geoip[i].as[1];
	}
}

/* What needs a file that there is not. */
static int
rules_check(const struct rules *r, const struct field_set *needed, struct err *e)
{
	const struct rules_config *c = &r->config;
	static const char *const keys[SOURCE_COUNT] = { "pmacctd_as", "nfacctd_as", "sfacctd_as" };

	if (r->places && c->geoipv2_file == NULL)
		return err_set(e, WEIR_EINVAL, "countries, postal codes and coordinates: write "
		    "geoipv2_file, too");
	if (r->systems && c->geoipv2_file == NULL && c->geoip_as_file == NULL)
		return err_set(e, WEIR_EINVAL, "AS by address and their names: write "
		    "geoip_as_file, too");
	if (c->networks_file != NULL ||
	    (!field_set_has(needed, F_SRC_AS) && !field_set_has(needed, F_DST_AS)))
		return 0;
	for (int i = 0; i < SOURCE_COUNT; i++)
		if (c->as[i] == ORIGIN_FILE || c->as_new[i])
			return err_set(e, WEIR_EINVAL, "%s: file: write networks_file, too, for src_as "
			    "and dst_as", keys[i]);
	return 0;
}

/* Make ready what `r` consists of. Returns how much it is, or -WEIR_E... */
static int
rules_fill(struct rules *r, struct files *fs, const struct field_set *needed,
    struct problems *ps, struct err *e)
{
	const struct rules_config *c = &r->config;
	int n_files, n_tags;

	r->routes_any = routes_init(&r->routes, c, needed);
	r->rd = field_set_has(needed, F_MPLS_VPN_RD);
	r->dscp = c->tos_as_dscp && field_set_has(needed, F_TOS);
	r->next_hop = c->use_ip_next_hop && field_set_has(needed, F_PEER_DST_IP);
	rules_geoip(r, needed);
	if (rules_check(r, needed, e) != 0)
		return -WEIR_EINVAL;
	if ((n_files = rules_files(r, fs, needed, ps, e)) < 0)
		return n_files;
	if ((n_tags = rules_tags(r, e)) < 0)
		return n_tags;
	if (c->aggregate_filter != NULL &&
	    (r->filters = filters_new(c->aggregate_filter, e)) == NULL)
		return -WEIR_EINVAL;
	return n_files + n_tags + (r->filters != NULL) + r->routes_any + r->places + r->systems + r->rd + r->dscp +
	    r->next_hop + (c->post_tag != 0) + (c->post_tag2 != 0);
}

int
rules_new(const struct rules_config *c, const struct field_set *needed, struct files *fs,
    struct rules **out, struct problems *ps, struct err *e)
{
	struct rules *r = calloc(1, sizeof(*r));
	int n;

	*out = NULL;
	if (r == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory for rules");
	r->config = *c;
	n = rules_fill(r, fs, needed, ps, e);
	if (n <= 0) {
		rules_free(r);
		return n;
	}
	*out = r;
	return 0;
}

void
rules_free(struct rules *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < N_TAG_LISTS; i++)
		tagfilter_free(r->tags[i]);
	filters_free(r->filters);
	free(r);
}

/* Route distinguishers: the map's, else the exporter's, else the number of a VRF. */
static void
rd_apply(const struct rules *r, struct flow *flows, unsigned n)
{
	const struct rdmap *rdmap = file_content(r->files[FILE_RDMAP]);

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

/* Overrides maps and exporters; the filters of tags have looked at theirs before. */
static void
post_tag_apply(const struct rules_config *c, struct flow *flows, unsigned n)
{
	for (unsigned k = 0; k < n; k++) {
		flows[k].tag = c->post_tag != 0 ? c->post_tag : flows[k].tag;
		flows[k].tag2 = c->post_tag2 != 0 ? c->post_tag2 : flows[k].tag2;
	}
}

void
rules_select_reads(const struct rules *r, struct field_set *reads)
{
	if (r == NULL)
		return;
	if (r->filters != NULL)
		filters_reads(r->filters, reads);
	for (size_t i = 0; i < N_TAG_LISTS; i++)
		if (r->tags[i] != NULL)
			field_set_add(reads, tag_lists[i].field);
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
rules_select_tags(const struct rules *r, const struct batch *b, uint64_t mask)
{
	for (size_t i = 0; i < N_TAG_LISTS; i++)
		if (r->tags[i] != NULL)
			mask = tagfilter_run(r->tags[i], b, mask);
	return mask;
}

uint64_t
rules_select_frames(const struct rules *r, const struct batch *b, uint64_t mask)
{
	return r->filters != NULL ? filters_run(r->filters, b, mask) : mask;
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
	if (r->routes_any)
		routes_apply(&r->routes, file_content(r->files[FILE_NETWORKS]), b);
	if (r->places || r->systems)
		geoip_apply(file_content(r->files[FILE_GEOIP]),
		    file_content(r->files[r->files[FILE_GEOIP_AS] != NULL ? FILE_GEOIP_AS
		                                                          : FILE_GEOIP]),
		    &r->geoip[b->source], b);
	for (size_t i = 0; i < N_VALUE_FILES; i++)
		if (r->files[value_files[i].file] != NULL)
			valuelist_apply(
			    file_content(r->files[value_files[i].file]), b->flows, b->n);
	if (r->config.post_tag != 0 || r->config.post_tag2 != 0)
		post_tag_apply(&r->config, b->flows, b->n);
}
