/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/gen_wrap.h"

#include "bench/gen_flows.h"
#include "bench/gen_put.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum {
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_TAG = 0x8100,
	ETHERTYPE_IPV6 = 0x86dd,
	ETHERTYPE_MPLS = 0x8847,
	ETHERTYPE_BRIDGED = 0x6558, /* transparent Ethernet bridging */
	ETHERTYPE_PPPOE = 0x8864,
	ETHERTYPE_SERVICE_TAG = 0x88a8,
};

enum { LINK_ETHERNET = 1, LINK_RAW = 101, LINK_PPP = 9, LINK_C_HDLC = 104 };

static const uint8_t wrap_macs[12] = { 0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01 };
static const uint8_t tunnel_src[4] = { 192, 0, 2, 1 }, tunnel_dst[4] = { 192, 0, 2, 2 };

static uint16_t
wrap_type(const struct record *r)
{
	return r->key->ipv6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
}

static uint16_t
wrap_ppp_protocol(const struct record *r)
{
	return r->key->ipv6 ? 0x0057 : 0x0021;
}

/* MAC addresses, and the tag of a key that has one; the type is yet to come. */
static uint8_t *
wrap_macs_tag(uint8_t *p, const struct record *r)
{
	p = put_octets(p, wrap_macs, sizeof(wrap_macs));
	if (r->key->vlan == 0)
		return p;
	p = put_u16(p, ETHERTYPE_TAG);
	return put_u16(p, r->key->vlan);
}

static uint8_t *
wrap_ethernet(uint8_t *p, const struct record *r)
{
	return put_u16(wrap_macs_tag(p, r), wrap_type(r));
}

/* A service tag around the customer's, priority tag 0 where the key has none. */
static uint8_t *
wrap_qinq(uint8_t *p, const struct record *r)
{
	p = put_octets(p, wrap_macs, sizeof(wrap_macs));
	p = put_u16(p, ETHERTYPE_SERVICE_TAG);
	p = put_u16(p, 0x6000 | 1001);
	p = put_u16(p, ETHERTYPE_TAG);
	p = put_u16(p, r->key->vlan);
	return put_u16(p, wrap_type(r));
}

/* Two labels: of the destination's kind, and of the VPN. RFC 3032 s2.1. */
static uint8_t *
wrap_labels(uint8_t *p, const struct record *r)
{
	p = put_u32(p, (uint32_t)(1000 + r->key->ipv6) << 12 | 64);
	return put_u32(p, (uint32_t)(2000 + (r->key->tos >> 5)) << 12 | 0x100 | 64);
}

static uint8_t *
wrap_mpls(uint8_t *p, const struct record *r)
{
	return wrap_labels(put_u16(wrap_macs_tag(p, r), ETHERTYPE_MPLS), r);
}

static uint8_t *
wrap_pppoe(uint8_t *p, const struct record *r)
{
	p = put_u16(wrap_macs_tag(p, r), ETHERTYPE_PPPOE);
	p = put_u16(p, 0x1100);
	p = put_u16(p, 0x1234); /* session */
	p = put_u16(p, (uint16_t)(r->bytes + 2));
	return put_u16(p, wrap_ppp_protocol(r));
}

static uint8_t *
wrap_llc(uint8_t *p, const struct record *r)
{
	p = put_u32(p, UINT32_C(0xaaaa0300));
	p = put_u16(p, 0);
	return put_u16(p, wrap_type(r));
}

/* The length says no more than 802.3 allows, whatever follows. */
static uint8_t *
wrap_snap(uint8_t *p, const struct record *r)
{
	uint16_t octets = (uint16_t)(r->bytes + 8 < 1500 ? r->bytes + 8 : 1500);

	return wrap_llc(put_u16(wrap_macs_tag(p, r), octets), r);
}

/* An outer IPv4 header for `octets` of payload. */
static uint8_t *
wrap_ipv4(uint8_t *p, uint8_t proto, uint64_t octets)
{
	uint8_t *start = p;

	p = put_u16(p, 0x4500);
	p = put_u16(p, (uint16_t)(octets + 20));
	p = put_u32(p, 0x4000);
	p = put_u8(p, 64);
	p = put_u8(p, proto);
	p = put_u16(p, 0);
	p = put_octets(p, tunnel_src, 4);
	p = put_octets(p, tunnel_dst, 4);
	put_u16(start + 10, put_sum_fold(put_sum(0, start, 20)));
	return p;
}

static uint8_t *
wrap_udp(uint8_t *p, uint16_t port, uint64_t octets)
{
	p = put_octets(p, wrap_macs, sizeof(wrap_macs));
	p = put_u16(p, ETHERTYPE_IPV4);
	p = wrap_ipv4(p, IPPROTO_UDP, octets + 8);
	p = put_u16(p, 49152);
	p = put_u16(p, port);
	p = put_u16(p, (uint16_t)(octets + 8));
	return put_u16(p, 0);
}

static uint8_t *
wrap_ipip(uint8_t *p, const struct record *r)
{
	p = put_u16(wrap_macs_tag(p, r), ETHERTYPE_IPV4);
	return wrap_ipv4(p, r->key->ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP, r->bytes);
}

/* RFC 2784, with a key (RFC 2890). */
static uint8_t *
wrap_gre(uint8_t *p, const struct record *r)
{
	p = put_u16(wrap_macs_tag(p, r), ETHERTYPE_IPV4);
	p = wrap_ipv4(p, IPPROTO_GRE, r->bytes + 8);
	p = put_u16(p, 0x2000);
	p = put_u16(p, wrap_type(r));
	return put_u32(p, 7);
}

/* RFC 7348: the frame within has the tag. */
static uint8_t *
wrap_vxlan(uint8_t *p, const struct record *r)
{
	p = wrap_udp(p, 4789, r->bytes + 8 + (r->key->vlan != 0 ? 18 : 14));
	p = put_u32(p, UINT32_C(0x08000000));
	p = put_u32(p, 77 << 8);
	return wrap_ethernet(p, r);
}

/* RFC 8926: Ethernet, without options. */
static uint8_t *
wrap_geneve(uint8_t *p, const struct record *r)
{
	p = wrap_udp(p, 6081, r->bytes + 8 + (r->key->vlan != 0 ? 18 : 14));
	p = put_u32(p, ETHERTYPE_BRIDGED);
	p = put_u32(p, 88 << 8);
	return wrap_ethernet(p, r);
}

/* RFC 7637: the key is the virtual subnet and a flow's number. */
static uint8_t *
wrap_nvgre(uint8_t *p, const struct record *r)
{
	p = put_octets(p, wrap_macs, sizeof(wrap_macs));
	p = put_u16(p, ETHERTYPE_IPV4);
	p = wrap_ipv4(p, IPPROTO_GRE, r->bytes + 8 + (r->key->vlan != 0 ? 18 : 14));
	p = put_u16(p, 0x2000);
	p = put_u16(p, ETHERTYPE_BRIDGED);
	p = put_u32(p, 99 << 8 | 1);
	return wrap_ethernet(p, r);
}

/* 3GPP TS 29.281: user data. */
static uint8_t *
wrap_gtp(uint8_t *p, const struct record *r)
{
	p = wrap_udp(p, 2152, r->bytes + 8);
	p = put_u16(p, 0x30ff);
	p = put_u16(p, (uint16_t)r->bytes);
	return put_u32(p, 99);
}

static uint8_t *
wrap_raw(uint8_t *p, const struct record *r)
{
	(void)r;
	return p;
}

static uint8_t *
wrap_ppp(uint8_t *p, const struct record *r)
{
	return put_u16(put_u16(p, 0xff03), wrap_ppp_protocol(r));
}

static uint8_t *
wrap_chdlc(uint8_t *p, const struct record *r)
{
	return put_u16(put_u16(p, 0x0f00), wrap_type(r));
}

/* In the order of octets of a little-endian host. */
static uint8_t *
wrap_null(uint8_t *p, const struct record *r)
{
	return put_u32(p, (uint32_t)(r->key->ipv6 ? 30 : 2) << 24);
}

/* OpenBSD's: in network order. */
static uint8_t *
wrap_loop(uint8_t *p, const struct record *r)
{
	return put_u32(p, r->key->ipv6 ? 24 : 2);
}

/* Frame control, then as Ethernet with LLC. */
static uint8_t *
wrap_fddi(uint8_t *p, const struct record *r)
{
	return wrap_llc(put_octets(put_u8(p, 0x50), wrap_macs, sizeof(wrap_macs)), r);
}

/* Access control and frame control. */
static uint8_t *
wrap_token_ring(uint8_t *p, const struct record *r)
{
	return wrap_llc(put_octets(put_u16(p, 0x1040), wrap_macs, sizeof(wrap_macs)), r);
}

static uint8_t *
wrap_sll(uint8_t *p, const struct record *r)
{
	p = put_u16(p, 0);
	p = put_u32(p, 0x00010006);
	p = put_octets(p, wrap_macs + 6, 6);
	p = put_u16(p, 0);
	return put_u16(p, wrap_type(r));
}

static uint8_t *
wrap_sll2(uint8_t *p, const struct record *r)
{
	p = put_u32(p, (uint32_t)wrap_type(r) << 16);
	p = put_u32(p, 1);
	p = put_u32(p, 0x00010006);
	p = put_octets(p, wrap_macs + 6, 6);
	return put_u16(p, 0);
}

/* The access point sends to a station, with QoS, behind radiotap of eight octets. */
static uint8_t *
wrap_radiotap(uint8_t *p, const struct record *r)
{
	p = put_u32(p, 0x00000800);
	p = put_u32(p, 0);
	p = put_u32(p, UINT32_C(0x88020000));
	p = put_octets(p, wrap_macs, 12);
	p = put_octets(p, wrap_macs + 6, 6);
	p = put_u32(p, 0x10000000);
	return wrap_llc(p, r);
}

/* The prefix, then the packet; the order of octets is that of a little-endian host. */
static uint8_t *
wrap_nflog(uint8_t *p, const struct record *r)
{
	uint16_t octets = (uint16_t)(r->bytes + 4);

	p = put_u32(p, r->key->ipv6 ? 0x0a000001 : 0x02000001);
	p = put_u32(p, 0x05000a00);
	p = put_u32(p, 0);
	p = put_u16(p, (uint16_t)(octets << 8 | octets >> 8));
	return put_u16(p, 0x0900);
}

static const struct wrap wraps[] = {
	{ "ethernet", LINK_ETHERNET, 18, wrap_ethernet },
	{ "qinq", LINK_ETHERNET, 22, wrap_qinq },
	{ "mpls", LINK_ETHERNET, 26, wrap_mpls },
	{ "pppoe", LINK_ETHERNET, 26, wrap_pppoe },
	{ "snap", LINK_ETHERNET, 26, wrap_snap },
	{ "ipip", LINK_ETHERNET, 38, wrap_ipip },
	{ "gre", LINK_ETHERNET, 46, wrap_gre },
	{ "vxlan", LINK_ETHERNET, 68, wrap_vxlan },
	{ "gtp", LINK_ETHERNET, 50, wrap_gtp },
	{ "geneve", LINK_ETHERNET, 68, wrap_geneve },
	{ "nvgre", LINK_ETHERNET, 60, wrap_nvgre },
	{ "null", 0, 4, wrap_null },
	{ "ppp", LINK_PPP, 4, wrap_ppp },
	{ "raw", LINK_RAW, 0, wrap_raw },
	{ "chdlc", LINK_C_HDLC, 4, wrap_chdlc },
	{ "token_ring", 6, 22, wrap_token_ring },
	{ "fddi", 10, 21, wrap_fddi },
	{ "loop", 108, 4, wrap_loop },
	{ "sll", 113, 16, wrap_sll },
	{ "radiotap", 127, 42, wrap_radiotap },
	{ "nflog", 239, 20, wrap_nflog },
	{ "sll2", 276, 20, wrap_sll2 },
};
#define WRAPS (sizeof(wraps) / sizeof(wraps[0]))

const struct wrap *
wrap_find(const char *name)
{
	for (size_t i = 0; i < WRAPS; i++)
		if (strcmp(wraps[i].name, name) == 0)
			return &wraps[i];
	return NULL;
}

const char *
wrap_names(void)
{
	static char names[256];
	size_t len = 0;

	for (size_t i = 0; i < WRAPS && len < sizeof(names); i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s",
		    i > 0 ? ", " : "", wraps[i].name);
	return names;
}
