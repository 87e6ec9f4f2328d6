/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/gen_frame.h"

#include "bench/gen_out.h"
#include "bench/gen_put.h"
#include "bench/gen_wrap.h"

#include <netinet/in.h>
#include <stdlib.h>

static const uint8_t frame_macs[12] = { 0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0,
	0x01 };

/* RFC 791 s3.1; the options are Router Alert (RFC 2113), then No Operation (3). */
static uint8_t *
frame_ipv4(uint8_t *p, const struct record *r)
{
	const struct flow_key *k = r->key;
	uint8_t *start = p;
	size_t octets = 20 + (size_t)r->ip_extra;

	p = put_u8(p, (uint8_t)(0x40 | octets / 4));
	p = put_u8(p, k->tos);
	p = put_u16(p, (uint16_t)r->bytes);
	p = put_u16(p, (uint16_t)(r->noise >> 16));
	p = put_u16(p, 0x4000);  /* do not fragment */
	p = put_u8(p, 64);
	p = put_u8(p, k->proto);
	p = put_u16(p, 0);
	p = put_octets(p, k->src, 4);
	p = put_octets(p, k->dst, 4);
	if (r->ip_extra != 0)
		p = put_u32(p, UINT32_C(0x94040000));
	if (r->ip_extra > 4)
		p = put_u32(p, UINT32_C(0x01010100));
	put_u16(start + 10, put_sum_fold(put_sum(0, start, octets)));
	return p;
}

/*
 * RFC 8200: 8 octets of extensions are Hop-by-Hop Options (s4.3: Router Alert of RFC
 * 2711 and PadN), 16 are Destination Options (s4.6: PadN), 24 are both.
 */
static uint8_t *
frame_ipv6(uint8_t *p, const struct record *r)
{
	const struct flow_key *k = r->key;
	bool hop = (r->ip_extra & 8) != 0, destination = (r->ip_extra & 16) != 0;
	uint8_t after_hop = destination ? IPPROTO_DSTOPTS : k->proto;
	uint32_t label = (uint32_t)(k->src_port ^ k->dst_port);

	p = put_u32(p, UINT32_C(6) << 28 | (uint32_t)k->tos << 20 | label);
	p = put_u16(p, (uint16_t)(r->bytes - 40));
	p = put_u8(p, hop ? IPPROTO_HOPOPTS : after_hop);
	p = put_u8(p, 64);
	p = put_octets(p, k->src, 16);
	p = put_octets(p, k->dst, 16);
	if (hop) {
		p = put_u16(p, (uint16_t)(after_hop << 8 | 0));
		p = put_u32(p, UINT32_C(0x05020000));
		p = put_u16(p, 0x0100);
	}
	if (destination) {
		p = put_u16(p, (uint16_t)(k->proto << 8 | 1));
		p = put_u16(p, 0x010c);
		p = put_zeros(p, 12);
	}
	return p;
}

static uint8_t *
frame_transport(uint8_t *p, const struct record *r, uint16_t octets)
{
	const struct flow_key *k = r->key;

	switch (k->proto) {
	case IPPROTO_TCP:
		p = put_u16(p, k->src_port);
		p = put_u16(p, k->dst_port);
		p = put_u32(p, (uint32_t)r->noise);
		p = put_u32(
		    p, (r->tcp_flags & 0x10) != 0 ? (uint32_t)(r->noise >> 8) : 0);
		p = put_u16(p, (uint16_t)(0x5000 | r->tcp_flags));
		p = put_u16(p, 0xffff);
		return put_u32(p, 0);
	case IPPROTO_UDP:
		p = put_u16(p, k->src_port);
		p = put_u16(p, k->dst_port);
		p = put_u16(p, octets);
		return put_u16(p, 0);
	default:  /* an echo request */
		p = put_u16(p, k->proto == IPPROTO_ICMP ? 0x0800 : 0x8000);
		p = put_u16(p, 0);
		return put_u32(p, (uint32_t)r->noise);
	}
}

/* The payload is zeros and adds nothing: the sum needs only the headers. */
static void
frame_checksum(
    uint8_t *l4, const uint8_t *end, const struct flow_key *k, uint16_t octets)
{
	size_t address_octets = k->ipv6 ? 16 : 4;
	uint8_t *field = l4 + 2;
	uint64_t acc = 0;
	uint16_t sum;

	if (k->proto == IPPROTO_TCP)
		field = l4 + 16;
	else if (k->proto == IPPROTO_UDP)
		field = l4 + 6;
	if (k->proto != IPPROTO_ICMP) {  /* all others sum a pseudo-header */
		acc = put_sum(acc, k->src, address_octets);
		acc = put_sum(acc, k->dst, address_octets);
		acc += (uint64_t)octets + k->proto;
	}
	sum = put_sum_fold(put_sum(acc, l4, (size_t)(end - l4)));
	if (sum == 0 && k->proto == IPPROTO_UDP)
		sum = 0xffff;  /* RFC 768: zero would say "none" */
	put_u16(field, sum);
}

uint32_t
frame_build(uint8_t *to, const struct record *r, uint32_t snap)
{
	const struct flow_key *k = r->key;
	uint8_t *ip = r->wrap->put(to, r);
	uint8_t *l4 = k->ipv6 ? frame_ipv6(ip, r) : frame_ipv4(ip, r);
	uint16_t l4_octets = (uint16_t)(r->bytes - (uint64_t)(l4 - ip));
	uint8_t *end = frame_transport(l4, r, l4_octets);
	uint32_t wire = (uint32_t)(ip - to) + (uint32_t)r->bytes;
	uint32_t kept = wire < snap ? wire : snap;

	frame_checksum(l4, end, k, l4_octets);
	memset(end, 0, kept - (size_t)(end - to));
	return wire;
}

void
frame_wrap_udp(uint8_t *payload, size_t payload_octets, const uint8_t src[4],
    const uint8_t dst[4], uint16_t src_port, uint16_t dst_port)
{
	uint16_t udp_octets = (uint16_t)(payload_octets + 8);
	uint8_t *ip, *udp, *p = payload - FRAME_UDP_OCTETS;
	uint64_t acc;
	uint16_t sum;

	p = put_octets(p, frame_macs, sizeof(frame_macs));
	ip = p = put_u16(p, 0x0800);
	p = put_u16(p, 0x4500);
	p = put_u16(p, (uint16_t)(udp_octets + 20));
	p = put_u32(p, 0x4000);
	p = put_u8(p, 64);
	p = put_u8(p, IPPROTO_UDP);
	p = put_u16(p, 0);
	p = put_octets(p, src, 4);
	p = put_octets(p, dst, 4);
	put_u16(ip + 10, put_sum_fold(put_sum(0, ip, 20)));

	udp = p;
	p = put_u16(p, src_port);
	p = put_u16(p, dst_port);
	p = put_u16(p, udp_octets);
	p = put_u16(p, 0);
	acc = put_sum(put_sum(0, src, 4), dst, 4) + udp_octets + IPPROTO_UDP;
	sum = put_sum_fold(put_sum(acc, udp, udp_octets));
	put_u16(udp + 6, sum != 0 ? sum : 0xffff);
}

static void *
frame_open(struct out *out, uint32_t sampling, uint64_t start_s)
{
	(void)sampling;
	(void)start_s;
	return out;
}

static uint32_t
frame_add(void *state, const struct record *r)
{
	struct out *out = state;
	uint8_t octets[FRAME_MAX];
	uint32_t snap = out_snap(out);
	uint32_t wire = frame_build(octets, r, snap < FRAME_MAX ? snap : FRAME_MAX);

	out_frame(out, r->time_us, octets, wire < snap ? wire : snap, wire);
	return wire;
}

static void
frame_close(void *state)
{
	(void)state;
}

const struct encoder frame_encoder = { "packets", 0, 0, 1, 0, frame_open, frame_add,
	frame_close };
