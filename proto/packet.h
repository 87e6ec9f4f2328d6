/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packet: from the octets of a captured or sampled frame to a struct flow. The way goes
 * link header -> tags and labels -> IP header -> extension headers -> ports; what follows
 * the transport header is not looked at. Link layers are rows of a table in link.c, and
 * what may stand between them and IP is known to ether.c.
 *
 * A frame may be cut anywhere by the snap length: what is there is used, as long as it
 * reaches to the end of the fixed IP header. Ports stay 0 where they are not in the
 * frame, in later fragments and in protocols without ports (ICMP).
 *
 * No state, no allocation; any thread.
 */
#ifndef WEIR_PROTO_PACKET_H
#define WEIR_PROTO_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/field.h"
#include "flow/flow.h"
#include "flow/frame.h"
#include "lib/err.h"
#include "lib/rbuf.h"

/* Link types that others ask for by name; the numbers are libpcap's. */
enum {
	PACKET_LINK_ETHERNET = 1,
	PACKET_LINK_PPP = 50, /* with address and control */
	PACKET_LINK_RAW = 101, /* in files; libpcap has another for the same */
	PACKET_LINK_MPLS = 219,
	PACKET_LINK_IPV4 = 228,
	PACKET_LINK_IPV6 = 229,
};

enum packet_result {
	PACKET_OK, /* the flow is filled */
	PACKET_NOT_IP, /* neither IPv4 nor IPv6; what the link layer says is filled */
	PACKET_NOT_UDP, /* packet_datagram: IP, but no start of a UDP datagram */
	PACKET_MALFORMED, /* a header ends early or contradicts itself */
};

struct packet_link;

#define PACKET_LAYERS 4 /* tunnels in tunnels: at most */

/* What is not free to find out, and so only done where somebody asks for it. */
struct packet_wants {
	bool hops;     /* ttl and flow_label: in every packet, but a cache line more */
	bool labels;   /* mpls_label_stack */
	bool segments; /* srv6_seg_ipv6_list */
	bool tunnels;  /* tunnel_..., vxlan, nvgre */
	bool within;   /* private: look into tunnels, for these or for the layers */
	unsigned n_layers;
	struct packet_layer {
		uint16_t port; /* of UDP */
		uint8_t kind;  /* private */
	} layers[PACKET_LAYERS]; /* tunnels whose inner packet counts instead */
};

/* Set all that is needed to fill the fields of `needs`. */
void packet_wants_init(struct packet_wants *w, const struct field_set *needs);

/*
 * Set the layers of `w` to those of `text`, the value of tunnel_0: "gtp,2152" or the like,
 * several with ';' between, the port left out where it is the tunnel's own. Returns 0, or
 * -WEIR_EINVAL with `e` filled.
 */
int packet_layers_parse(const char *text, struct packet_wants *w, struct err *e);

/* The link layer with number `linktype` (DLT_... as pcap_datalink gives it), or NULL. */
const struct packet_link *packet_link(int linktype);

/* Stands for a link layer that is not understood: its frames are PACKET_NOT_IP. */
extern const struct packet_link packet_link_none;

/*
 * Dissect the `caplen` octets at `frame`, which had `wirelen` octets on the wire, into
 * `f`, which the caller has cleared: addresses, ports, proto, tos, tcp_flags, etype; MAC
 * addresses, vlan and cos (of the outer tag), in_cvlan (of the second), the outermost and
 * innermost MPLS label where the link has them; icmp_type and icmp_code; packets 1, and
 * bytes from the IP header on: the total length of IPv4, payload length and 40 of IPv6.
 * Where that is 0 and cannot be (left to the network card, jumbograms) it is what the
 * frame has behind its link header. What is PACKET_NOT_IP has an etype where a header gave
 * one, and what the link layer says; else `f` is in any state unless the result is
 * PACKET_OK.
 */
enum packet_result packet_dissect(const struct packet_link *link, const uint8_t *frame,
    size_t caplen, size_t wirelen, struct flow *f);

/* What a packet is a piece of, so that later pieces can be given the ports of the first. */
struct packet_fragment {
	enum packet_fragment_kind {
		PACKET_FRAGMENT_NONE, /* it is whole */
		PACKET_FRAGMENT_FIRST, /* it has the transport header, and more pieces follow */
		PACKET_FRAGMENT_LATER, /* no ports, and of IPv6 perhaps another proto */
	} kind;
	uint32_t
	    id; /* of the whole, together with the addresses, and the protocol of IPv4 */
};

/*
 * The same, what of `w` is wanted, and whether the packet is a `fragment`. Where w->layers
 * says so, the packet in a tunnel takes the place of the one around it: all from etype up
 * is then its own, MAC addresses, tags and labels stay those of the frame.
 */
enum packet_result packet_dissect_more(const struct packet_link *link,
    const uint8_t *frame, size_t caplen, size_t wirelen, const struct packet_wants *w,
    struct flow *f, struct packet_fragment *fragment);

/* What a classifier looks at: pointers into the frame. */
struct packet_content {
	const uint8_t *ip;   /* the header that counts: the innermost of the layers */
	size_t ip_octets;    /* to the end of the packet, or of what was captured of it */
	uint8_t proto;       /* behind IPv6's extension headers */
	struct rbuf payload; /* behind the header of TCP or UDP */
};

/*
 * Find the content of a frame that was PACKET_OK with the same `w`. Returns false where
 * there is none to look at: in later fragments.
 */
bool packet_content(const struct packet_link *link, const struct frame *frame,
    const struct packet_wants *w, struct packet_content *c);

/*
 * The same for a frame that carries a UDP datagram, whose octets, as far as they were
 * captured, are then `payload`. Fragments are not put together: the first counts as the
 * datagram, later ones are PACKET_NOT_UDP.
 */
enum packet_result packet_datagram(const struct packet_link *link, const uint8_t *frame,
    size_t caplen, size_t wirelen, struct flow *f, struct rbuf *payload);

#endif
