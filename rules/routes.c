/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/routes.h"

#include <stddef.h>
#include <string.h>

#include "lib/lpm.h"

_Static_assert(FLOW_BATCH <= LPM_BATCH, "a batch is looked up at once");

/* Source and destination alike: which members of struct flow make one side. */
static const struct side {
	size_t host, net, mask, as, peer;
	enum field_no host_no, net_no, mask_no, as_no, peer_no;
} sides[2] = {
	{ offsetof(struct flow, src_host), offsetof(struct flow, src_net),
	    offsetof(struct flow, src_mask), offsetof(struct flow, src_as),
	    offsetof(struct flow, peer_src_as), F_SRC_HOST, F_SRC_NET, F_SRC_MASK, F_SRC_AS,
	    F_PEER_SRC_AS },
	{ offsetof(struct flow, dst_host), offsetof(struct flow, dst_net),
	    offsetof(struct flow, dst_mask), offsetof(struct flow, dst_as),
	    offsetof(struct flow, peer_dst_as), F_DST_HOST, F_DST_NET, F_DST_MASK, F_DST_AS,
	    F_PEER_DST_AS },
};

static inline ip16_t *
flow_ip(struct flow *f, size_t at)
{
	return (ip16_t *)(void *)((uint8_t *)f + at);
}

static inline uint32_t *
flow_u32(struct flow *f, size_t at)
{
	return (uint32_t *)(void *)((uint8_t *)f + at);
}

/* pmacct's defaults: a file decides for packets; exporters' own words for the others. */
static uint8_t
origin_resolve(int origin, enum flow_source source, const struct rules_config *c)
{
	if (origin == ORIGIN_FALLBACK)
		return ORIGIN_LONGEST;
	if (origin == ORIGIN_EXPORTER)
		return ORIGIN_PROTOCOL;
	if (origin != ORIGIN_DEFAULT)
		return (uint8_t)origin;
	if (source != SOURCE_PACKETS)
		return ORIGIN_PROTOCOL;
	return c->networks_file != NULL ? ORIGIN_FILE : ORIGIN_MASK;
}

bool
routes_init(
    struct routes *r, const struct rules_config *c, const struct field_set *needed)
{
	bool file = c->networks_file != NULL, peers = false, any = false;

	*r = (struct routes){ .mask_bits = c->networks_mask, .no_lpm = c->networks_file_no_lpm,
		.filter = c->networks_file_filter && file,
		.no_mask_if_zero = c->networks_no_mask_if_zero };
	for (int i = 0; i < SOURCE_COUNT; i++) {
		r->net[i] = origin_resolve(c->net[i], (enum flow_source)i, c);
		r->as[i] = origin_resolve(c->as_new[i] ? ORIGIN_FILE : c->as[i],
		    (enum flow_source)i, c);
		r->as_is_peer[i] = c->peer_as[i];
		peers |= c->peer_as[i];
	}
	for (int i = 0; i < 2; i++) {
		r->side[i].prefix = field_set_has(needed, sides[i].net_no) ||
		    field_set_has(needed, sides[i].mask_no);
		r->side[i].as = field_set_has(needed, sides[i].as_no) && (file || peers);
		r->side[i].peer = field_set_has(needed, sides[i].peer_no) && (file || peers);
		any |= r->side[i].prefix || r->side[i].as || r->side[i].peer;
	}
	r->side[1].hop = field_set_has(needed, F_PEER_DST_IP) && file;
	return any || r->side[1].hop || r->filter;
}

void
routes_reads(const struct rules_config *c, const struct field_set *needed,
    struct field_set *reads)
{
	bool file = c->networks_file != NULL, peers = false;

	for (int i = 0; i < SOURCE_COUNT; i++)
		peers |= c->peer_as[i];
	for (int i = 0; i < 2; i++) {
		const struct side *s = &sides[i];
		bool prefix = field_set_has(needed, s->net_no) || field_set_has(needed, s->mask_no);
		bool peer = field_set_has(needed, s->peer_no);
		bool from_file = file && (field_set_has(needed, s->as_no) || peer ||
		    (i == 1 && field_set_has(needed, F_PEER_DST_IP)));

		if (prefix || from_file || (file && c->networks_file_filter)) {
			field_set_add(reads, s->host_no);
			field_set_add(reads, s->mask_no); /* "longest" compares them */
		}
		if (peer && peers)
			field_set_add(reads, s->as_no);
	}
}

/* The prefix length, in bits of its own family, that counts for a host; -1: none is known. */
static int
prefix_bits(const struct routes *r, enum rules_origin origin, const struct network *w,
    int protocol, int own_bits)
{
	switch (origin) {
	case ORIGIN_FILE:
		return w != NULL ? w->bits : -1;
	case ORIGIN_LONGEST:
		if (w != NULL && (w->bits > protocol || r->no_lpm))
			return w->bits;
		return protocol;
	case ORIGIN_MASK:
		if (r->mask_bits == 0)
			return -1;
		return (int)r->mask_bits < own_bits ? (int)r->mask_bits : own_bits;
	default:
		return protocol;
	}
}

/*
 * What an unknown network is: 0.0.0.0, or "::" of an IPv6 host (which is how no address is
 * kept; those without any host count as IPv4).
 */
static ip16_t
net_unknown(const ip16_t *host)
{
	static const uint8_t zero[4];

	return ip_is_v4(host) || ip_is_none(host) ? ip_from_v4(zero) : (ip16_t){ { 0 } };
}

static void
prefix_apply(const struct routes *r, enum rules_origin origin, const struct network *w,
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
		*net = r->no_mask_if_zero && !ip_is_none(host) ? *host : net_unknown(host);
		return;
	}
	*mask = (uint8_t)bits;
	*net = ip_mask(host, (unsigned)(bits + 128 - own_bits));
}

/* Whether the file decides what is not a prefix. */
static bool
file_decides(const struct routes *r, enum rules_origin origin, const struct network *w,
    uint8_t protocol_bits)
{
	if (origin != ORIGIN_LONGEST)
		return origin == ORIGIN_FILE;
	return w != NULL && (w->bits >= protocol_bits || r->no_lpm);
}

/* networks_file_filter: nothing is known of a host that the file does not list. */
static void
side_clear(struct flow *f, const struct side *s)
{
	ip16_t unknown = net_unknown(flow_ip(f, s->host));

	memset(flow_ip(f, s->host), 0, sizeof(ip16_t));
	memcpy(flow_ip(f, s->net), &unknown, sizeof(unknown));
	*((uint8_t *)f + s->mask) = 0;
	*flow_u32(f, s->as) = 0;
}

/* AS and peer AS, as far as they are needed: others may lie where nothing is kept. */
static inline void
systems_apply(const struct routes *r, enum flow_source source, const struct network *w,
    uint8_t mask, struct flow *f, int i)
{
	uint32_t *as = flow_u32(f, sides[i].as), *peer = flow_u32(f, sides[i].peer);
	bool file = file_decides(r, r->as[source], w, mask);

	if (r->side[i].peer) {
		if (r->as_is_peer[source])
			*peer = *as;
		if (file)
			*peer = w != NULL ? w->peer_as : 0;
	}
	if (r->side[i].as) {
		if (r->as_is_peer[source])
			*as = 0;
		if (file)
			*as = w != NULL ? w->as : 0;
	}
}

static inline void
side_apply(const struct routes *r, enum flow_source source, const struct network *w,
    struct flow *f, int i)
{
	const struct side *s = &sides[i];
	const ip16_t *host = flow_ip(f, s->host);
	uint8_t *mask = (uint8_t *)f + s->mask;
	bool listed = !r->filter || w != NULL;

	if (!listed)
		side_clear(f, s);
	if (r->side[i].as || r->side[i].peer)
		systems_apply(r, source, w, *mask, f, i);
	if (r->side[i].hop && file_decides(r, r->net[source], w, *mask))
		f->peer_dst_ip = w != NULL ? w->nexthop : (ip16_t){ { 0 } };
	if (r->side[i].prefix && listed)
		prefix_apply(r, r->net[source], w, host, mask, flow_ip(f, s->net));
}

static bool
side_wants(const struct routes *r, int i)
{
	return r->side[i].prefix || r->side[i].as || r->side[i].peer || r->side[i].hop ||
	    r->filter;
}

/* Whether the file's word is asked for at all. */
static bool
side_asks(const struct routes *r, enum flow_source source, int i)
{
	const uint8_t net = r->net[source], as = r->as[source];
	bool of_net = net == ORIGIN_FILE || net == ORIGIN_LONGEST;
	bool of_as = as == ORIGIN_FILE || as == ORIGIN_LONGEST;

	return r->filter || (of_net && (r->side[i].prefix || r->side[i].hop)) ||
	    (of_as && (r->side[i].as || r->side[i].peer));
}

/* The networks of one side's hosts; of no host, none. */
static void
side_find(const struct networks *networks, struct batch *b, int i,
    const struct network **found)
{
	const ip16_t *hosts[FLOW_BATCH];

	for (unsigned k = 0; k < b->n; k++)
		hosts[k] = flow_ip(&b->flows[k], sides[i].host);
	networks_find_many(networks, hosts, b->n, found);
	for (unsigned k = 0; k < b->n; k++)
		if (ip_is_none(hosts[k]))
			found[k] = NULL;
}

void
routes_apply(const struct routes *r, const struct networks *networks, struct batch *b)
{
	const struct network *found[FLOW_BATCH] = { NULL };

	for (int i = 0; i < 2; i++) {
		if (!side_wants(r, i))
			continue;
		if (networks != NULL && side_asks(r, b->source, i))
			side_find(networks, b, i, found);
		for (unsigned k = 0; k < b->n; k++)
			side_apply(r, b->source, found[k], &b->flows[k], i);
	}
}
