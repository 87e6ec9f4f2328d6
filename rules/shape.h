/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shape: the usual frames. Nearly all that is captured is IPv4 without options or IPv6,
 * not a fragment, on Ethernet with a VLAN tag or none; and nearly all records are made
 * into such frames (synth.h). In a frame whose shape is known every octet has its meaning:
 * the rows of spots.def. A filter is prepared for each shape (plan.h), and any other
 * frame goes through libpcap's own program.
 *
 * Constant data, no state; any thread.
 */
#ifndef WEIR_RULES_SHAPE_H
#define WEIR_RULES_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/field.h"
#include "flow/flow.h"
#include "flow/frame.h"

/* One bit tells the version of IP, one the tag. */
enum shape { SHAPE_IPV4, SHAPE_IPV6, SHAPE_IPV4_TAGGED, SHAPE_IPV6_TAGGED, SHAPES };

/* Whether a frame was captured or sampled, or is made of a flow. */
enum shape_origin { SHAPE_SEEN, SHAPE_MADE, SHAPE_ORIGINS };

enum {
	SHAPE_ETHER_OCTETS = 14,
	SHAPE_TAG_OCTETS = 4,
	SHAPE_IPV4_OCTETS = 20,
	SHAPE_IPV6_OCTETS = 40,
	SHAPE_TYPE_IPV4 = 0x0800,
	SHAPE_TYPE_TAG = 0x8100,
	SHAPE_TYPE_IPV6 = 0x86dd,
	SHAPE_TRANSPORT_OCTETS =
	    20, /* that spots are known of; that frames are made with */
	SHAPE_TRANSPORT_PROMISED = 8, /* that every captured frame of a shape has */
};

enum layer {
	LAYER_ETHER, /* the two addresses */
	LAYER_TAG,
	LAYER_TYPE_IPV4,
	LAYER_TYPE_IPV6,
	LAYER_IPV4,
	LAYER_IPV6,
	LAYER_TRANSPORT,
	LAYER_NOT_ICMP, /* instead of LAYER_TRANSPORT */
	LAYER_AROUND, /* what is no octet of the frame */
	LAYERS
};

enum spot {
#define SPOT(NAME, ...) SPOT_##NAME,
#include "rules/spots.def"
#undef SPOT
	SPOTS
};

struct spot_row {
	uint8_t layer, at, octets;
	uint32_t known[SHAPE_ORIGINS]; /* bits that are always the same, */
	uint32_t value; /* namely so */
	void (*fill)(const struct flow *flows, unsigned n, uint32_t *out);
};

extern const struct spot_row spot_rows[SPOTS];

static inline bool
shape_is_ipv4(enum shape s)
{
	return (s & 1U) == 0;
}

static inline bool
shape_is_tagged(enum shape s)
{
	return (s & 2U) != 0;
}

/* Where the IP header begins, */
static inline unsigned
shape_network(enum shape s)
{
	return SHAPE_ETHER_OCTETS + (shape_is_tagged(s) ? SHAPE_TAG_OCTETS : 0);
}

/* and the transport header. */
static inline unsigned
shape_transport(enum shape s)
{
	return shape_network(s) +
	       (shape_is_ipv4(s) ? SHAPE_IPV4_OCTETS : SHAPE_IPV6_OCTETS);
}

/* Where `layer` begins in frames of shape `s`; -1: they have none. */
int shape_layer_start(enum shape s, enum layer layer);

/*
 * The spot of shape `s` that octets `at` to `at` + `octets` of the frame lie within, and in
 * `*before` how many octets of it stand before them. SPOTS where they lie in several or
 * none. `not_icmp`: the protocol is another.
 */
enum spot shape_spot(
    enum shape s, uint32_t at, unsigned octets, bool not_icmp, unsigned *before);

/* Add the fields of flows that the value of `spot` is made from. */
void spot_reads(enum spot spot, struct field_set *reads);

/* Add those that decide the shape. */
void shape_reads(struct field_set *reads);

static inline uint32_t
shape_load16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t
shape_load32(const uint8_t *p)
{
	return shape_load16(p) << 16 | shape_load16(p + 2);
}

/*
 * The shape of a frame as it was captured; SHAPES: another. Which of the usual ones
 * it is nobody can foretell, so nothing branches by it.
 */
static inline enum shape
shape_seen(const struct frame *f)
{
	enum {
		LEAST = SHAPE_ETHER_OCTETS + SHAPE_TAG_OCTETS + SHAPE_IPV4_OCTETS,
		FRAGMENT = 0x3fff
	};
	const uint8_t *p = f->octets;
	uint32_t tagged, network, type, left;
	bool ipv4, ipv6;

	if (f->caplen < LEAST || f->linktype != FRAME_ETHERNET)
		return SHAPES;
	tagged = shape_load16(p + SHAPE_ETHER_OCTETS - 2) == SHAPE_TYPE_TAG;
	network = SHAPE_ETHER_OCTETS + tagged * SHAPE_TAG_OCTETS;
	type = shape_load16(p + network - 2);
	left = f->caplen - network;
	ipv4 = (type == SHAPE_TYPE_IPV4) & (p[network] == 0x45) &
	       ((shape_load16(p + network + 6) & FRAGMENT) == 0) &
	       (left >= SHAPE_IPV4_OCTETS + SHAPE_TRANSPORT_PROMISED);
	ipv6 = (type == SHAPE_TYPE_IPV6) &
	       (left >= SHAPE_IPV6_OCTETS + SHAPE_TRANSPORT_PROMISED);
	if (!(ipv4 | ipv6))
		return SHAPES;
	return (enum shape)(ipv6 | tagged << 1);
}

/* The same as shape_made, of any flow. */
enum shape shape_made_any(const struct flow *f);

/*
 * The shape of the frame that is made of `f`; SHAPES: another, for it has MPLS labels or
 * is not IP. Nearly all have two IPv4 addresses, and nothing else.
 */
static inline enum shape
shape_made(const struct flow *f)
{
	static const uint8_t mapped[4] = { 0, 0, 0xff, 0xff };
	uint64_t src, dst;
	uint32_t src_next, dst_next, next;

	memcpy(&src, f->src_host.b, sizeof(src));
	memcpy(&dst, f->dst_host.b, sizeof(dst));
	memcpy(&src_next, f->src_host.b + sizeof(src), sizeof(src_next));
	memcpy(&dst_next, f->dst_host.b + sizeof(dst), sizeof(dst_next));
	memcpy(&next, mapped, sizeof(next));
	if ((src | dst | (src_next ^ next) | (dst_next ^ next) | f->mpls_label_top |
		f->vlan) == 0)
		return SHAPE_IPV4;
	return shape_made_any(f);
}

/* Whether the frame that is made of `f` is IPv6 (else IPv4, unless it is not IP). */
bool shape_made_ipv6(const struct flow *f);

/* Whether the frame that is made of `f` is not IP: no addresses, and an EtherType that is not IP's. */
bool shape_made_not_ip(const struct flow *f);

#endif
