/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/gen_sflow.h"

#include "bench/gen_flows.h"
#include "bench/gen_frame.h"
#include "bench/gen_out.h"
#include "bench/gen_put.h"

#include <stdlib.h>

#define SFLOW_UPTIME_MS UINT32_C(3600000)  /* the agents started an hour before */

enum {
	SFLOW_DATAGRAM_MAX = 1400,
	SFLOW_HEADER_OCTETS = 28,  /* of a datagram, with an IPv4 agent address */
	SFLOW_SAMPLE_OCTETS = 64,  /* of a flow sample, up to the packet's octets */
	SFLOW_PACKET_MAX = 128,  /* octets of a packet that are sent along */
	SFLOW_FCS_OCTETS = 4,
	SFLOW_DATA_SOURCE = 1,  /* ifIndex 1: type 0 in the top octet */
};

struct sflow {
	struct out *out;
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
sflow_open(struct out *out, uint32_t sampling, uint64_t start_s)
{
	struct sflow *s = die_calloc(1, sizeof(*s));

	s->out = out;
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
	p = put_u32(p, 5);
	p = put_u32(p, 1);  /* an IPv4 address follows */
	p = put_octets(p, agent, 4);
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

/* One flow_sample with one sampled_header record; the packet's octets are in place. */
static void
sflow_sample(struct sflow *s, uint8_t *p, uint32_t wire, uint32_t kept)
{
	uint32_t padded = (kept + 3) / 4 * 4;
	uint32_t number = ++s->samples[s->agent];

	p = put_u32(p, 1);  /* flow_sample, enterprise 0 */
	p = put_u32(p, SFLOW_SAMPLE_OCTETS - 8 + padded);
	p = put_u32(p, number);
	p = put_u32(p, SFLOW_DATA_SOURCE);
	p = put_u32(p, s->sampling);
	p = put_u32(p, number * s->sampling);  /* sample pool */
	p = put_u32(p, 0);  /* drops */
	p = put_u32(p, 1);  /* input */
	p = put_u32(p, 2);  /* output */
	p = put_u32(p, 1);  /* records */

	p = put_u32(p, 1);  /* sampled_header, enterprise 0 */
	p = put_u32(p, 16 + padded);
	p = put_u32(p, 1);  /* ETHERNET-ISO88023 */
	p = put_u32(p, wire + SFLOW_FCS_OCTETS);
	p = put_u32(p, SFLOW_FCS_OCTETS);  /* stripped */
	p = put_u32(p, kept);
	put_zeros(p + kept, padded - kept);
}

static uint32_t
sflow_add(void *state, const struct record *r)
{
	struct sflow *s = state;
	uint8_t *p;
	uint32_t wire, kept;

	if (SFLOW_HEADER_OCTETS + s->used + SFLOW_SAMPLE_OCTETS + SFLOW_PACKET_MAX >
	    SFLOW_DATAGRAM_MAX)
		sflow_flush(s);
	p = s->octets + s->used;
	wire = frame_build(p + SFLOW_SAMPLE_OCTETS, r, SFLOW_PACKET_MAX);
	kept = wire < SFLOW_PACKET_MAX ? wire : SFLOW_PACKET_MAX;
	sflow_sample(s, p, wire, kept);
	s->used += SFLOW_SAMPLE_OCTETS + (kept + 3) / 4 * 4;
	s->time_us = r->time_us;
	s->count++;
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

const struct encoder sflow5_encoder = { "sflow5", 6343, 6343, 1, sflow_open, sflow_add,
	sflow_close };
