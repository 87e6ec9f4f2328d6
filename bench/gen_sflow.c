/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/gen_sflow.h"

#include "bench/gen_flows.h"
#include "bench/gen_frame.h"
#include "bench/gen_out.h"
#include "bench/gen_put.h"

#include <stdbool.h>
#include <stdlib.h>

#define SFLOW_UPTIME_MS UINT32_C(3600000)  /* the agents started an hour before */

enum {
	SFLOW_DATAGRAM_MAX = 1400,
	SFLOW_HEADER_MAX = 28,  /* of a datagram, with an IPv4 agent address */
	SFLOW_PACKET_MAX = 128,  /* octets of a packet that are sent along */
	SFLOW_FCS_OCTETS = 4,
	SFLOW_DATA_SOURCE = 1,  /* ifIndex 1: type 0 in the top octet */
	SFLOW_IPV4_OCTETS = 32,  /* of decoded addresses, ports and so on */
	SFLOW_IPV6_OCTETS = 56,
};

/* How samples are written. */
struct sflow_form {
	uint32_t version;
	bool expanded;  /* version 5: formats and interfaces in words of their own */
	bool decoded;  /* version 5: addresses and ports in place of octets */
	uint32_t before;  /* octets of a sample up to what it says of the packet */
	uint32_t behind;  /* and behind that */
};

static const struct sflow_form sflow_v2 = { 2, false, false, 48, 4 };
static const struct sflow_form sflow_v4 = { 4, false, false, 48, 4 };
static const struct sflow_form sflow_v5 = { 5, false, false, 64, 0 };
static const struct sflow_form sflow_v5_expanded = { 5, true, false, 76, 0 };
static const struct sflow_form sflow_v5_decoded = { 5, false, true, 48, 0 };

struct sflow {
	struct out *out;
	const struct sflow_form *form;
	uint64_t start_us;
	uint32_t sampling;
	uint32_t agent;  /* of the datagram being filled */
	uint32_t *datagrams;  /* sent so far, by agent */
	uint32_t *samples;  /* likewise */
	uint64_t time_us;  /* of the newest sample */
	uint32_t count;  /* of samples in the datagram */
	size_t used;
	uint8_t octets[SFLOW_DATAGRAM_MAX];  /* the samples */
};

static void *
sflow_open(const struct sflow_form *form, struct out *out, uint32_t sampling,
    uint64_t start_s)
{
	struct sflow *s = die_calloc(1, sizeof(*s));

	s->out = out;
	s->form = form;
	s->sampling = sampling;
	s->start_us = start_s * 1000000;
	s->datagrams = die_calloc(out_sources(out), sizeof(*s->datagrams));
	s->samples = die_calloc(out_sources(out), sizeof(*s->samples));
	return s;
}

static void
sflow_flush(struct sflow *s)
{
	uint8_t datagram[SFLOW_DATAGRAM_MAX];
	uint8_t *p = datagram;
	uint8_t agent[4];

	out_source_address(s->agent, agent);
	p = put_u32(p, s->form->version);
	p = put_u32(p, 1);  /* an IPv4 address follows */
	p = put_octets(p, agent, 4);
	if (s->form->version == 5)
		p = put_u32(p, 0);  /* sub-agent */
	p = put_u32(p, ++s->datagrams[s->agent]);
	p = put_u32(p, SFLOW_UPTIME_MS + (uint32_t)((s->time_us - s->start_us) / 1000));
	p = put_u32(p, s->count);
	p = put_octets(p, s->octets, s->used);
	out_datagram(s->out, s->time_us, s->agent, datagram, (size_t)(p - datagram));
	s->count = 0;
	s->used = 0;
	s->agent = (s->agent + 1) % out_sources(s->out);
}

/* An interface: an ifIndex, with its format before it where there is one. */
static uint8_t *
sflow_interface(const struct sflow *s, uint8_t *p, uint32_t index)
{
	if (s->form->expanded)
		p = put_u32(p, 0);
	return put_u32(p, index);
}

/* A flow sample up to its records, whose octets are `records` together. */
static uint8_t *
sflow_sample(struct sflow *s, uint8_t *p, uint32_t records)
{
	uint32_t number = ++s->samples[s->agent];

	p = put_u32(p, s->form->expanded ? 3 : 1);  /* enterprise 0 */
	if (s->form->version == 5)
		p = put_u32(p, (s->form->expanded ? 44 : 32) + records);
	p = put_u32(p, number);
	if (s->form->expanded)
		p = put_u32(p, 0);  /* an interface: */
	p = put_u32(p, SFLOW_DATA_SOURCE);
	p = put_u32(p, s->sampling);
	p = put_u32(p, number * s->sampling);  /* sample pool */
	p = put_u32(p, 0);  /* drops */
	p = sflow_interface(s, p, 1);
	p = sflow_interface(s, p, 2);
	return s->form->version == 5 ? put_u32(p, 1) : p;
}

/* The start of the packet, whose octets are in place behind it. */
static void
sflow_packet(struct sflow *s, uint8_t *p, uint32_t wire, uint32_t kept)
{
	uint32_t padded = (kept + 3) / 4 * 4;

	p = sflow_sample(s, p, 24 + padded);
	p = put_u32(p, 1);  /* sampled_header, enterprise 0 */
	if (s->form->version == 5)
		p = put_u32(p, 16 + padded);
	p = put_u32(p, 1);  /* ETHERNET-ISO88023 */
	p = put_u32(p, wire + SFLOW_FCS_OCTETS);
	if (s->form->version == 5)
		p = put_u32(p, SFLOW_FCS_OCTETS);  /* stripped */
	p = put_u32(p, kept);
	put_zeros(p + kept, padded - kept);
	if (s->form->version != 5)
		put_u32(p + padded, 0);  /* extended data */
}

/* sampled_ipv4 or sampled_ipv6; returns how many octets that is. */
static uint32_t
sflow_decoded(struct sflow *s, uint8_t *p, const struct record *r)
{
	const struct flow_key *k = r->key;
	uint32_t octets = k->ipv6 ? SFLOW_IPV6_OCTETS : SFLOW_IPV4_OCTETS;
	size_t address = k->ipv6 ? 16 : 4;

	p = sflow_sample(s, p, 8 + octets);
	p = put_u32(p, k->ipv6 ? 4 : 3);  /* enterprise 0 */
	p = put_u32(p, octets);
	p = put_u32(p, (uint32_t)r->bytes);
	p = put_u32(p, k->proto);
	p = put_octets(p, k->src, address);
	p = put_octets(p, k->dst, address);
	p = put_u32(p, k->src_port);
	p = put_u32(p, k->dst_port);
	p = put_u32(p, r->tcp_flags);
	put_u32(p, k->tos);
	return octets;
}

static uint32_t
sflow_add(void *state, const struct record *r)
{
	struct sflow *s = state;
	uint32_t wire, kept;
	uint8_t *p;

	if (SFLOW_HEADER_MAX + s->used + s->form->before + SFLOW_PACKET_MAX +
		s->form->behind >
	    SFLOW_DATAGRAM_MAX)
		sflow_flush(s);
	p = s->octets + s->used;
	s->time_us = r->time_us;
	s->count++;
	if (s->form->decoded) {
		s->used += s->form->before + sflow_decoded(s, p, r);
		return (uint32_t)r->bytes;
	}
	wire = frame_build(p + s->form->before, r, SFLOW_PACKET_MAX);
	kept = wire < SFLOW_PACKET_MAX ? wire : SFLOW_PACKET_MAX;
	sflow_packet(s, p, wire, kept);
	s->used += s->form->before + (kept + 3) / 4 * 4 + s->form->behind;
	return wire + SFLOW_FCS_OCTETS;
}

static void
sflow_close(void *state)
{
	struct sflow *s = state;

	if (s->count != 0)
		sflow_flush(s);
	free(s->samples);
	free(s->datagrams);
	free(s);
}

#define ENCODER(form, kind) \
	static void *form##_open(struct out *out, uint32_t sampling, uint64_t start_s) \
	{ \
		return sflow_open(&form, out, sampling, start_s); \
	} \
	const struct encoder kind##_encoder = { #kind, 6343, 6343, 1, 1, form##_open, \
		sflow_add, sflow_close }

ENCODER(sflow_v2, sflow2);
ENCODER(sflow_v4, sflow4);
ENCODER(sflow_v5, sflow5);
ENCODER(sflow_v5_expanded, sflow5_expanded);
ENCODER(sflow_v5_decoded, sflow5_decoded);
