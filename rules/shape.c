/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/shape.h"

enum { ICMP = 1, TCP = 6, UDP = 17, ICMPV6 = 58 };

enum { TYPE_IPV4 = SHAPE_TYPE_IPV4, TYPE_IPV6 = SHAPE_TYPE_IPV6 };

/*
 * The mean length of the packets of `f`, from the IP header on: the length that a frame
 * made of it says that it has.
 */
static uint32_t
shape_mean(const struct flow *f)
{
	uint64_t mean = f->packets > 1 ? f->bytes / f->packets : f->bytes;

	return mean < UINT32_MAX ? (uint32_t)mean : UINT32_MAX;
}

/* As much of `octets` behind a header of `header` as 16 bits can tell. */
static uint32_t
length16(uint32_t octets, uint32_t header)
{
	uint32_t rest = octets > header ? octets - header : 0;

	return rest < UINT16_MAX ? rest : UINT16_MAX;
}

static uint32_t
header_octets(const struct flow *f)
{
	return shape_made_ipv6(f) ? SHAPE_IPV6_OCTETS : SHAPE_IPV4_OCTETS;
}

static bool
is_icmp(const struct flow *f)
{
	return f->proto == ICMP || f->proto == ICMPV6;
}

/* Type and code; NetFlow v5 has them in the destination port. */
static uint32_t
icmp_both(const struct flow *f)
{
	uint32_t both = (uint32_t)f->icmp_type << 8 | f->icmp_code;

	return both != 0 ? both : f->dst_port;
}

static uint32_t
udp_length(const struct flow *f)
{
	return f->proto == UDP ? length16(shape_mean(f), header_octets(f)) << 16 : 0;
}

static uint32_t
frame_length(const struct flow *f)
{
	uint32_t link = SHAPE_ETHER_OCTETS + (f->vlan != 0 ? SHAPE_TAG_OCTETS : 0);
	uint32_t mean = shape_mean(f);

	return mean < UINT32_MAX - link ? mean + link : UINT32_MAX;
}

/* What the rows of spots.def name: a value for each flow. */
#define FILL(name, value) \
	static void fill_##name(const struct flow *flows, unsigned n, uint32_t *out) \
	{ \
		for (unsigned i = 0; i < n; i++) { \
			const struct flow *f = &flows[i]; \
\
			(void)f; \
			out[i] = (value); \
		} \
	}

FILL(zero, 0)
FILL(dst_mac_0, shape_load16(f->dst_mac.b))
FILL(dst_mac_2, shape_load32(f->dst_mac.b + 2))
FILL(src_mac_0, shape_load16(f->src_mac.b))
FILL(src_mac_2, shape_load32(f->src_mac.b + 2))
FILL(tag, (uint32_t)(f->cos & 7) << 13 | (f->vlan & 0xfffU))
FILL(tos, f->tos)
FILL(ipv4_length, length16(shape_mean(f), 0))
FILL(ttl, f->ttl)
FILL(proto, f->proto)
FILL(ipv6_label, UINT32_C(6) << 28 | (uint32_t)f->tos << 20 | (f->flow_label & 0xfffff))
FILL(ipv6_payload, length16(shape_mean(f), SHAPE_IPV6_OCTETS))
FILL(src_0, shape_load32(f->src_host.b))
FILL(src_1, shape_load32(f->src_host.b + 4))
FILL(src_2, shape_load32(f->src_host.b + 8))
FILL(src_3, shape_load32(f->src_host.b + 12))
FILL(dst_0, shape_load32(f->dst_host.b))
FILL(dst_1, shape_load32(f->dst_host.b + 4))
FILL(dst_2, shape_load32(f->dst_host.b + 8))
FILL(dst_3, shape_load32(f->dst_host.b + 12))
FILL(src_port, f->src_port)
FILL(dst_port, f->dst_port)
FILL(transport_0, is_icmp(f) ? icmp_both(f) : f->src_port)
FILL(transport_2, is_icmp(f) ? 0U : f->dst_port)
FILL(transport_4, udp_length(f))
FILL(transport_12, f->proto == TCP ? 0x50U : 0U)
FILL(transport_13, f->proto == TCP ? (uint32_t)(f->tcp_flags & 0xff) : 0U)
FILL(length, frame_length(f))
#undef FILL

#define ALL UINT32_MAX

const struct spot_row spot_rows[SPOTS] = {
#define SPOT(NAME, layer, at, octets, seen, made, value, fill, ...) \
	[SPOT_## \
	    NAME] = { LAYER_##layer, at, octets, { seen, made }, value, fill_##fill },
#include "rules/spots.def"
#undef SPOT
};

#undef ALL

enum { F_NONE = FIELD_COUNT, F_ICMP_BOTH };

void
spot_reads(enum spot spot, struct field_set *reads)
{
	static const uint16_t fields_of[SPOTS][3] = {
#define SPOT(NAME, layer, at, octets, seen, made, value, fill, ...) \
	[SPOT_##NAME] = { __VA_ARGS__ },
#include "rules/spots.def"
#undef SPOT
	};

	for (unsigned i = 0; i < 3; i++) {
		uint16_t f = fields_of[spot][i];

		if (f < FIELD_COUNT)
			field_set_add(reads, (enum field_no)f);
		if (f == F_ICMP_BOTH) {
			field_set_add(reads, F_ICMP_TYPE);
			field_set_add(reads, F_ICMP_CODE);
			field_set_add(reads, F_DST_PORT);
		}
	}
}

void
shape_reads(struct field_set *reads)
{
	static const enum field_no decide[] = { F_SRC_HOST, F_DST_HOST, F_VLAN, F_ETYPE,
		F_MPLS_LABEL_TOP };

	for (size_t i = 0; i < sizeof(decide) / sizeof(decide[0]); i++)
		field_set_add(reads, decide[i]);
}

int
shape_layer_start(enum shape s, enum layer layer)
{
	int network = (int)shape_network(s), transport = (int)shape_transport(s);

	switch (layer) {
	case LAYER_ETHER:
		return 0;
	case LAYER_TAG:
		return shape_is_tagged(s) ? SHAPE_ETHER_OCTETS - 2 : -1;
	case LAYER_TYPE_IPV4:
		return shape_is_ipv4(s) ? network - 2 : -1;
	case LAYER_TYPE_IPV6:
		return shape_is_ipv4(s) ? -1 : network - 2;
	case LAYER_IPV4:
		return shape_is_ipv4(s) ? network : -1;
	case LAYER_IPV6:
		return shape_is_ipv4(s) ? -1 : network;
	case LAYER_TRANSPORT:
	case LAYER_NOT_ICMP:
		return transport;
	case LAYER_AROUND:
	case LAYERS:
		break;
	}
	return -1;
}

enum spot
shape_spot(enum shape s, uint32_t at, unsigned octets, bool not_icmp, unsigned *before)
{
	enum spot found = SPOTS;

	for (unsigned i = 0; i < SPOTS; i++) {
		const struct spot_row *row = &spot_rows[i];
		int layer = shape_layer_start(s, (enum layer)row->layer);
		uint32_t start = (uint32_t)layer + row->at;

		if (layer < 0 || at < start || at + octets > start + row->octets)
			continue;
		if (row->layer == LAYER_NOT_ICMP && !not_icmp)
			break; /* these come last, and stand in for others */
		found = (enum spot)i;
		*before = at - start;
	}
	return found;
}

static bool
is_ipv6(const ip16_t *a)
{
	return !ip_is_v4(a) && !ip_is_none(a);
}

bool
shape_made_ipv6(const struct flow *f)
{
	if (ip_is_v4(&f->src_host))
		return is_ipv6(&f->dst_host);
	return is_ipv6(&f->src_host) || is_ipv6(&f->dst_host) ||
	       (f->etype == TYPE_IPV6 && ip_is_none(&f->dst_host));
}

bool
shape_made_not_ip(const struct flow *f)
{
	return f->etype != 0 && f->etype != TYPE_IPV4 && f->etype != TYPE_IPV6 &&
	       ip_is_none(&f->src_host) && ip_is_none(&f->dst_host);
}

enum shape
shape_made_any(const struct flow *f)
{
	bool ipv6;

	if (f->mpls_label_top != 0 || shape_made_not_ip(f))
		return SHAPES;
	ipv6 = shape_made_ipv6(f);
	if (f->vlan != 0)
		return ipv6 ? SHAPE_IPV6_TAGGED : SHAPE_IPV4_TAGGED;
	return ipv6 ? SHAPE_IPV6 : SHAPE_IPV4;
}
