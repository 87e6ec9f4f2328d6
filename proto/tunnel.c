/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RFC 2784, 2890 (GRE), 2637 (PPTP), 7637 (NVGRE), 3378 (EtherIP), 4023 (MPLS in IP), 7510
 * (MPLS in UDP), 8086 (GRE in UDP), 7348 (VXLAN), 8926 (Geneve), 2661 (L2TP), 8986
 * (Ethernet in IPv6); draft-ietf-nvo3-vxlan-gpe; draft-foschiano-erspan; 3GPP TS 29.281.
 */
#include "proto/tunnel.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/ether.h"

enum {
	PROTO_IPIP = 4,
	PROTO_UDP = 17,
	PROTO_IPV6 = 41,
	PROTO_GRE = 47,
	PROTO_ETHERIP = 97,
	PROTO_MPLS = 137,
	PROTO_ETHERNET = 143,
};

enum { UDP_OCTETS = 8, VXLAN_OCTETS = 8, GENEVE_OCTETS = 8, GTP_OCTETS = 8 };

/* What a GRE header carries beyond EtherTypes. */
enum { GRE_PPP = 0x880b, GRE_ERSPAN = 0x88be, GRE_ERSPAN3 = 0x22eb };
enum {
	GRE_CHECKSUM = 0x8000,
	GRE_ROUTING = 0x4000,
	GRE_KEY = 0x2000,
	GRE_SEQUENCE = 0x1000,
	GRE_ACKNOWLEDGE = 0x0080, /* PPTP only */
	GRE_VERSION = 0x0007,
};

/* Takes its header off `r`, and what follows up to the network layer; returns its type. */
typedef uint16_t tunnel_fn(
    struct rbuf *r, struct flow *in, const struct packet_wants *w);

static uint32_t
u24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

/* Mirrored frames. The first version has neither sequence numbers nor a header. */
static uint16_t
gre_erspan(
    struct rbuf *r, struct flow *in, const struct packet_wants *w, uint16_t flags)
{
	rbuf_skip(r, flags & GRE_SEQUENCE ? 8 : 0);
	return ether_frame(r, in, w);
}

static uint16_t
gre_erspan3(struct rbuf *r, struct flow *in, const struct packet_wants *w)
{
	const uint8_t *p = rbuf_get(r, 12);

	rbuf_skip(r, p != NULL && p[11] & 1 ? 8 : 0); /* a subheader of the platform */
	return ether_frame(r, in, w);
}

static uint16_t
tunnel_gre(struct rbuf *r, struct flow *in, const struct packet_wants *w)
{
	uint16_t flags = rbuf_u16(r), type = rbuf_u16(r);
	uint32_t key = 0;

	if (flags & GRE_ROUTING || (flags & GRE_VERSION) > 1)
		return 0;
	rbuf_skip(r, flags & GRE_CHECKSUM ? 4 : 0);
	if (flags & GRE_KEY)
		key = rbuf_u32(r);
	rbuf_skip(r, flags & GRE_SEQUENCE ? 4 : 0);
	if (flags & GRE_VERSION && flags & GRE_ACKNOWLEDGE)
		rbuf_skip(r, 4);
	switch (type) {
	case ETYPE_BRIDGED:
		in->nvgre = key >> 8; /* the rest tells flows apart */
		return ether_frame(r, in, w);
	case GRE_PPP:
		return ether_ppp(r, in, w);
	case GRE_ERSPAN:
		return gre_erspan(r, in, w, flags);
	case GRE_ERSPAN3:
		return gre_erspan3(r, in, w);
	}
	return type >= ETYPE_LEAST ? ether_payload(r, in, w, type) : 0;
}

static uint16_t
tunnel_ipv4(struct rbuf *r, struct flow *in, const struct packet_wants *w)
{
	(void)r;
	(void)in;
	(void)w;
	return ETYPE_IPV4;
}

static uint16_t
tunnel_ipv6(struct rbuf *r, struct flow *in, const struct packet_wants *w)
{
	(void)r;
	(void)in;
	(void)w;
	return ETYPE_IPV6;
}

static uint16_t
tunnel_etherip(struct rbuf *r, struct flow *in, const struct packet_wants *w)
{
	return rbuf_u16(r) >> 12 == 3 ? ether_frame(r, in, w) : 0;
}

static uint16_t
tunnel_mpls(struct rbuf *r, struct flow *in, const struct packet_wants *w)
{
	return ether_payload(r, in, w, ETYPE_MPLS);
}

static uint16_t
tunnel_vxlan(struct rbuf *r, struct flow *in, const struct packet_wants *w)
{
	const uint8_t *p = rbuf_get(r, VXLAN_OCTETS);

	if (p == NULL || (p[0] & 0x08) == 0) /* the identifier is valid */
		return 0;
	in->vxlan = u24(p + 4);
	return ether_frame(r, in, w);
}

/* The same with a number of what follows. */
static uint16_t
tunnel_vxlan_gpe(struct rbuf *r, struct flow *in, const struct packet_wants *w)
{
	const uint8_t *p = rbuf_get(r, VXLAN_OCTETS);

	if (p == NULL || (p[0] & 0x08) == 0)
		return 0;
	in->vxlan = u24(p + 4);
	switch (p[0] & 0x04 ? p[3] : 3) {
	case 1:
		return ETYPE_IPV4;
	case 2:
		return ETYPE_IPV6;
	case 3:
		return ether_frame(r, in, w);
	case 4:
		return ether_payload(r, in, w, ETYPE_NSH);
	case 5:
		return ether_payload(r, in, w, ETYPE_MPLS);
	}
	return 0;
}

static uint16_t
tunnel_geneve(struct rbuf *r, struct flow *in, const struct packet_wants *w)
{
	const uint8_t *p = rbuf_get(r, GENEVE_OCTETS);

	if (p == NULL || p[0] >> 6 != 0)
		return 0;
	rbuf_skip(r, (p[0] & 0x3fU) * 4);
	if (ether_u16(p + 2) == ETYPE_BRIDGED)
		return ether_frame(r, in, w);
	return ether_u16(p + 2) >= ETYPE_LEAST
		   ? ether_payload(r, in, w, ether_u16(p + 2))
		   : 0;
}

/* User data of GTP version 1 (TS 29.281 s5.1, s5.2): an IP packet. */
static uint16_t
tunnel_gtp(struct rbuf *r, struct flow *in, const struct packet_wants *w)
{
	enum { EXTENSIONS = 0x04, OPTIONAL = 0x07, USER_DATA = 255 };
	const uint8_t *p = rbuf_get(r, GTP_OCTETS);
	uint8_t next;

	(void)in;
	(void)w;
	if (p == NULL || p[0] >> 4 != 3 || p[1] != USER_DATA)
		return 0;
	if (p[0] & OPTIONAL) {
		rbuf_skip(r, 3); /* sequence number, N-PDU number */
		next = rbuf_u8(r);
		while (p[0] & EXTENSIONS && next != 0) {
			size_t octets = rbuf_u8(r) * 4U;

			if (octets == 0)
				return 0;
			rbuf_skip(r, octets - 2);
			next = rbuf_u8(r);
		}
	}
	return ether_raw_ip(r);
}

/* Data of L2TP version 2 (RFC 2661 s3.1): PPP. */
static uint16_t
tunnel_l2tp(struct rbuf *r, struct flow *in, const struct packet_wants *w)
{
	enum { CONTROL = 0x8000, LENGTH = 0x4000, SEQUENCE = 0x0800, OFFSET = 0x0200 };
	uint16_t flags = rbuf_u16(r);
	struct rbuf peek;

	if (flags & CONTROL || (flags & 0xf) != 2)
		return 0;
	rbuf_skip(r, (flags & LENGTH ? 2U : 0U) + 4U + (flags & SEQUENCE ? 4U : 0U));
	if (flags & OFFSET)
		rbuf_skip(r, rbuf_u16(r));
	peek = *r;
	if (rbuf_u16(&peek) == 0xff03)
		rbuf_skip(r, 2);
	return ether_ppp(r, in, w);
}

static const struct {
	uint8_t proto;
	tunnel_fn *strip;
} ip_tunnels[] = {
	{ PROTO_IPIP, tunnel_ipv4 },
	{ PROTO_IPV6, tunnel_ipv6 },
	{ PROTO_GRE, tunnel_gre },
	{ PROTO_ETHERIP, tunnel_etherip },
	{ PROTO_MPLS, tunnel_mpls },
	{ PROTO_ETHERNET, ether_frame },
};

/* By destination port; the name is that in tunnel_0. */
static const struct {
	uint16_t port;
	const char *name;
	tunnel_fn *strip;
} udp_tunnels[] = {
	{ 4789, "vxlan", tunnel_vxlan },
	{ 8472, NULL, tunnel_vxlan }, /* Linux's before there was a number */
	{ 4790, "vxlan-gpe", tunnel_vxlan_gpe },
	{ 6081, "geneve", tunnel_geneve },
	{ 2152, "gtp", tunnel_gtp },
	{ 1701, "l2tp", tunnel_l2tp },
	{ 4754, "gre", tunnel_gre },
	{ 6635, "mpls", tunnel_mpls },
};
#define UDP_TUNNELS (sizeof(udp_tunnels) / sizeof(udp_tunnels[0]))

/* What is inside counts only as far as the tunnel is all there. */
static uint16_t
strip(tunnel_fn *fn, struct rbuf *r, struct flow *in, const struct packet_wants *w)
{
	uint16_t type = fn(r, in, w);

	return rbuf_ok(r) ? type : 0;
}

uint16_t
tunnel_strip(const struct flow *outer, struct rbuf *r, struct flow *in,
    const struct packet_wants *w)
{
	if (outer->proto == PROTO_UDP) {
		for (size_t i = 0; i < UDP_TUNNELS; i++) {
			if (udp_tunnels[i].port != outer->dst_port)
				continue;
			rbuf_skip(r, UDP_OCTETS);
			return strip(udp_tunnels[i].strip, r, in, w);
		}
		return 0;
	}
	for (size_t i = 0; i < sizeof(ip_tunnels) / sizeof(ip_tunnels[0]); i++)
		if (ip_tunnels[i].proto == outer->proto)
			return strip(ip_tunnels[i].strip, r, in, w);
	return 0;
}

uint16_t
tunnel_strip_layer(const struct packet_layer *layer, const struct flow *outer,
    struct rbuf *r, struct flow *in, const struct packet_wants *w)
{
	if (outer->proto != PROTO_UDP ||
	    (outer->dst_port != layer->port && outer->src_port != layer->port))
		return 0;
	rbuf_skip(r, UDP_OCTETS);
	return strip(udp_tunnels[layer->kind].strip, r, in, w);
}

/* One layer: a name, and the port unless it is the tunnel's own. */
static int
layer_parse(const char *text, size_t len, struct packet_layer *layer, struct err *e)
{
	const char *comma = memchr(text, ',', len);
	size_t name = comma != NULL ? (size_t)(comma - text) : len;
	unsigned long port;
	char *end;

	while (name > 0 && text[name - 1] == ' ')
		name--;
	for (layer->kind = 0; layer->kind < UDP_TUNNELS; layer->kind++) {
		const char *known = udp_tunnels[layer->kind].name;

		if (known != NULL && strlen(known) == name &&
		    strncasecmp(known, text, name) == 0)
			break;
	}
	if (layer->kind == UDP_TUNNELS)
		return err_set(
		    e, WEIR_EINVAL, "tunnel_0: '%.*s' is not known", (int)name, text);
	layer->port = udp_tunnels[layer->kind].port;
	if (comma == NULL)
		return 0;
	for (text = comma + 1; *text == ' '; text++)
		;
	port = strtoul(text, &end, 10);
	if (end == text || end[strspn(end, " ")] != text[strcspn(text, ";")] ||
	    port == 0 || port > UINT16_MAX)
		return err_set(e, WEIR_EINVAL, "tunnel_0: '%s' does not begin with a port", text);
	layer->port = (uint16_t)port;
	return 0;
}

int
packet_layers_parse(const char *text, struct packet_wants *w, struct err *e)
{
	w->n_layers = 0;
	w->within = true;
	for (;;) {
		size_t len = strcspn(text, ";");
		size_t blanks = strspn(text, " ");

		if (w->n_layers == PACKET_LAYERS)
			return err_set(
			    e, WEIR_EINVAL, "tunnel_0: more than %d layers", PACKET_LAYERS);
		if (layer_parse(
			text + blanks, len - blanks, &w->layers[w->n_layers], e) != 0)
			return -WEIR_EINVAL;
		w->n_layers++;
		if (text[len] == '\0')
			return 0;
		text += len + 1;
	}
}
