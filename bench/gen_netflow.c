/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/gen_netflow.h"

#include "bench/gen_flows.h"
#include "bench/gen_out.h"
#include "bench/gen_put.h"

#include <stdlib.h>

#define NETFLOW_UPTIME_MS UINT32_C(3600000)  /* the exporters started an hour before */

enum {
	NETFLOW5_HEADER_OCTETS = 24,
	NETFLOW5_RECORD_OCTETS = 48,
	NETFLOW5_RECORDS_MAX = 30,
	NETFLOW9_HEADER_OCTETS = 20,
	IPFIX_HEADER_OCTETS = 16,
	SETS_DATAGRAM_MAX = 1400,
	SETS_TEMPLATES_EVERY = 500,  /* datagrams of one source */
	SETS_IPV4_ID = 256,
	SETS_IPV6_ID = 257,
};

/* What goes out with one template id in one datagram. */
struct netflow_set {
	uint8_t octets[OUT_DATAGRAM_MAX];
	size_t used;
	uint16_t id;
};

struct netflow {
	struct out *out;
	bool ipfix;
	uint64_t start_us;
	uint32_t source;  /* of the datagram being filled */
	uint32_t *sequence;  /* by source: v9 counts datagrams, the others records */
	uint32_t *datagrams;  /* by source */
	uint64_t time_us;  /* of the newest record */
	uint16_t records;
	struct netflow_set set[2];  /* v5 uses the first; the others have one for each family */
};

static void *
netflow_open(struct out *out, uint32_t sampling, uint64_t start_s)
{
	struct netflow *n = die_calloc(1, sizeof(*n));

	(void)sampling;
	n->out = out;
	n->start_us = start_s * 1000000;
	n->sequence = die_calloc(out_sources(out), sizeof(*n->sequence));
	n->datagrams = die_calloc(out_sources(out), sizeof(*n->datagrams));
	n->set[0].id = SETS_IPV4_ID;
	n->set[1].id = SETS_IPV6_ID;
	return n;
}

static void *
ipfix_open(struct out *out, uint32_t sampling, uint64_t start_s)
{
	struct netflow *n = netflow_open(out, sampling, start_s);

	n->ipfix = true;
	return n;
}

static void
netflow_free(struct netflow *n)
{
	free(n->sequence);
	free(n->datagrams);
	free(n);
}

/* Milliseconds since the exporter started. */
static uint32_t
netflow_uptime(const struct netflow *n, uint64_t time_us)
{
	return NETFLOW_UPTIME_MS + (uint32_t)((time_us - n->start_us) / 1000);
}

/* When the flow of `r` began and ended, up to half a minute before it was exported. */
static void
netflow_times(
    const struct netflow *n, const struct record *r, uint32_t *first, uint32_t *last)
{
	*last = netflow_uptime(n, r->time_us) - (uint32_t)(r->noise & 0x3ff);
	*first = *last - (r->packets > 1 ? (uint32_t)(r->noise >> 10 & 0x7fff) : 0);
}

static uint16_t
netflow_interface(const uint8_t address[16], bool ipv6)
{
	return (uint16_t)(1 + (address[ipv6 ? 15 : 3] & 7));
}

/* Private use numbers, RFC 6996; `octet` makes some of them. */
static uint16_t
netflow_as(uint8_t octet)
{
	return (uint16_t)(64512 + octet);
}

static uint8_t *
netflow5_record(uint8_t *p, const struct netflow *n, const struct record *r)
{
	static const uint8_t next_hop[4] = { 192, 0, 2, 254 };
	const struct flow_key *k = r->key;
	uint32_t first, last;

	netflow_times(n, r, &first, &last);
	p = put_octets(p, k->src, 4);
	p = put_octets(p, k->dst, 4);
	p = put_octets(p, next_hop, 4);
	p = put_u16(p, netflow_interface(k->src, false));
	p = put_u16(p, netflow_interface(k->dst, false));
	p = put_u32(p, (uint32_t)r->packets);
	p = put_u32(p, (uint32_t)r->bytes);
	p = put_u32(p, first);
	p = put_u32(p, last);
	p = put_u16(p, k->src_port);
	p = put_u16(p, k->dst_port);
	p = put_u8(p, 0);
	p = put_u8(p, r->tcp_flags);
	p = put_u8(p, k->proto);
	p = put_u8(p, k->tos);
	p = put_u16(p, netflow_as(k->src[2]));
	p = put_u16(p, netflow_as(k->dst[2]));
	p = put_u8(p, 24);
	p = put_u8(p, 24);
	return put_u16(p, 0);
}

/* The next datagram is the next source's. */
static void
netflow_turn(struct netflow *n)
{
	n->records = 0;
	n->set[0].used = n->set[1].used = 0;
	n->source = (n->source + 1) % out_sources(n->out);
}

static void
netflow5_flush(struct netflow *n)
{
	uint8_t datagram[NETFLOW5_HEADER_OCTETS + sizeof(n->set[0].octets)];
	uint8_t *p = datagram;

	p = put_u16(p, 5);
	p = put_u16(p, n->records);
	p = put_u32(p, netflow_uptime(n, n->time_us));
	p = put_u32(p, (uint32_t)(n->time_us / 1000000));
	p = put_u32(p, (uint32_t)(n->time_us % 1000000 * 1000));
	p = put_u32(p, n->sequence[n->source]);
	p = put_u8(p, 0);  /* engine type */
	p = put_u8(p, (uint8_t)n->source);  /* engine id */
	p = put_u16(p, 0);  /* not sampled */
	p = put_octets(p, n->set[0].octets, n->set[0].used);
	out_datagram(n->out, n->time_us, n->source, datagram, (size_t)(p - datagram));
	n->sequence[n->source] += n->records;
	netflow_turn(n);
}

static uint32_t
netflow5_add(void *state, const struct record *r)
{
	struct netflow *n = state;
	struct netflow_set *s = &n->set[0];

	n->time_us = r->time_us;
	netflow5_record(s->octets + s->used, n, r);
	s->used += NETFLOW5_RECORD_OCTETS;
	if (++n->records == NETFLOW5_RECORDS_MAX)
		netflow5_flush(n);
	return 0;
}

static void
netflow5_close(void *state)
{
	struct netflow *n = state;

	if (n->records != 0)
		netflow5_flush(n);
	netflow_free(n);
}

const struct encoder netflow5_encoder = { "netflow5", 2055, 2100, 0, 0, netflow_open,
	netflow5_add, netflow5_close };

/* The fields of the IPv4 and the IPv6 template, in order: RFC 3954 s8, IANA's for IPFIX. */
static const struct sets_field {
	uint16_t type, octets;
	uint16_t type6, octets6;
} sets_fields[] = {
	{ 8, 4, 27, 16 },  /* IPV4_SRC_ADDR, IPV6_SRC_ADDR */
	{ 12, 4, 28, 16 },  /* IPV4_DST_ADDR, IPV6_DST_ADDR */
	{ 7, 2, 7, 2 },  /* L4_SRC_PORT */
	{ 11, 2, 11, 2 },  /* L4_DST_PORT */
	{ 4, 1, 4, 1 },  /* PROTOCOL */
	{ 5, 1, 5, 1 },  /* TOS */
	{ 6, 1, 6, 1 },  /* TCP_FLAGS */
	{ 10, 2, 10, 2 },  /* INPUT_SNMP */
	{ 14, 2, 14, 2 },  /* OUTPUT_SNMP */
	{ 16, 4, 16, 4 },  /* SRC_AS */
	{ 17, 4, 17, 4 },  /* DST_AS */
	{ 15, 4, 62, 16 },  /* IPV4_NEXT_HOP, IPV6_NEXT_HOP */
	{ 9, 1, 29, 1 },  /* SRC_MASK, IPV6_SRC_MASK */
	{ 13, 1, 30, 1 },  /* DST_MASK, IPV6_DST_MASK */
	{ 1, 8, 1, 8 },  /* IN_BYTES */
	{ 2, 8, 2, 8 },  /* IN_PKTS */
	{ 58, 2, 58, 2 },  /* SRC_VLAN */
};

/* And the two times, which stand at the end. */
static const struct sets_field sets_times[2][2] = {
	{ { 21, 4, 21, 4 }, { 22, 4, 22, 4 } },  /* LAST_SWITCHED, FIRST_SWITCHED: uptimes */
	{ { 153, 8, 153, 8 }, { 152, 8, 152, 8 } },  /* flowEnd-, flowStartMilliseconds */
};

#define SETS_FIELDS (sizeof(sets_fields) / sizeof(sets_fields[0]) + 2)

enum {
	SETS_IPV4_OCTETS = 51,  /* of a record, without the times */
	SETS_IPV6_OCTETS = 87,
	SETS_TEMPLATES_OCTETS = 4 + 2 * (4 + 4 * (int)SETS_FIELDS),
};

/* When the exporter's uptime was `uptime`, in ms since 1970. */
static uint64_t
netflow_when(const struct netflow *n, uint32_t uptime)
{
	return n->start_us / 1000 - NETFLOW_UPTIME_MS + uptime;
}

static uint8_t *
sets_record(uint8_t *p, const struct netflow *n, const struct record *r)
{
	static const uint8_t next_hop[4] = { 192, 0, 2, 254 };
	static const uint8_t next_hop6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 0xfe };
	const struct flow_key *k = r->key;
	size_t address_octets = k->ipv6 ? 16 : 4;
	uint32_t first, last;

	netflow_times(n, r, &first, &last);
	p = put_octets(p, k->src, address_octets);
	p = put_octets(p, k->dst, address_octets);
	p = put_u16(p, k->src_port);
	p = put_u16(p, k->dst_port);
	p = put_u8(p, k->proto);
	p = put_u8(p, k->tos);
	p = put_u8(p, r->tcp_flags);
	p = put_u16(p, netflow_interface(k->src, k->ipv6));
	p = put_u16(p, netflow_interface(k->dst, k->ipv6));
	p = put_u32(p, netflow_as(k->ipv6 ? k->src[7] : k->src[2]));
	p = put_u32(p, netflow_as(k->ipv6 ? k->dst[7] : k->dst[2]));
	p = put_octets(p, k->ipv6 ? next_hop6 : next_hop, address_octets);
	p = put_u8(p, k->ipv6 ? 64 : 24);
	p = put_u8(p, k->ipv6 ? 64 : 24);
	p = put_u64(p, r->bytes);
	p = put_u64(p, r->packets);
	p = put_u16(p, k->vlan);
	if (n->ipfix)
		return put_u64(put_u64(p, netflow_when(n, last)), netflow_when(n, first));
	return put_u32(put_u32(p, last), first);
}

static uint8_t *
sets_templates(uint8_t *p, bool ipfix)
{
	p = put_u16(p, ipfix ? 2 : 0);
	p = put_u16(p, SETS_TEMPLATES_OCTETS);
	for (int family = 0; family < 2; family++) {
		p = put_u16(p, family == 0 ? SETS_IPV4_ID : SETS_IPV6_ID);
		p = put_u16(p, SETS_FIELDS);
		for (size_t i = 0; i < SETS_FIELDS; i++) {
			const struct sets_field *f = i < SETS_FIELDS - 2 ? &sets_fields[i] :
			    &sets_times[ipfix][i - (SETS_FIELDS - 2)];

			p = put_u16(p, family == 0 ? f->type : f->type6);
			p = put_u16(p, family == 0 ? f->octets : f->octets6);
		}
	}
	return p;
}

static bool
sets_templates_due(const struct netflow *n)
{
	return n->datagrams[n->source] % SETS_TEMPLATES_EVERY == 0;
}

/* Octets of a data FlowSet with header and padding; an empty one is left out. */
static size_t
sets_octets(size_t used)
{
	return used != 0 ? (4 + used + 3) / 4 * 4 : 0;
}

static uint8_t *
netflow9_header(uint8_t *p, const struct netflow *n, bool templates)
{
	p = put_u16(p, 9);
	/* Template records count, too: RFC 3954 s5.1. */
	p = put_u16(p, (uint16_t)(n->records + (templates ? 2 : 0)));
	p = put_u32(p, netflow_uptime(n, n->time_us));
	p = put_u32(p, (uint32_t)(n->time_us / 1000000));
	p = put_u32(p, n->sequence[n->source]);
	return put_u32(p, n->source + 1);  /* source id */
}

/* RFC 7011 s3.1; the length is filled in at the end. */
static uint8_t *
ipfix_header(uint8_t *p, const struct netflow *n)
{
	p = put_u16(p, 10);
	p = put_u16(p, 0);
	p = put_u32(p, (uint32_t)(n->time_us / 1000000));
	p = put_u32(p, n->sequence[n->source]);
	return put_u32(p, n->source + 1);  /* observation domain */
}

static void
sets_flush(struct netflow *n)
{
	uint8_t datagram[SETS_DATAGRAM_MAX + 1];
	uint8_t *p = datagram;
	bool templates = sets_templates_due(n);

	p = n->ipfix ? ipfix_header(p, n) : netflow9_header(p, n, templates);
	if (templates)
		p = sets_templates(p, n->ipfix);
	for (int i = 0; i < 2; i++) {
		const struct netflow_set *s = &n->set[i];
		size_t octets = sets_octets(s->used);

		if (octets == 0)
			continue;
		p = put_u16(p, s->id);
		p = put_u16(p, (uint16_t)octets);
		p = put_octets(p, s->octets, s->used);
		p = put_zeros(p, octets - 4 - s->used);
	}
	if (n->ipfix)  /* the header has the length of all */
		(void)put_u16(datagram + 2, (uint16_t)(p - datagram));
	out_datagram(n->out, n->time_us, n->source, datagram, (size_t)(p - datagram));
	n->datagrams[n->source]++;
	n->sequence[n->source] += n->ipfix ? n->records : 1;
	netflow_turn(n);
}

/* Whether a record of `octets` more in set `which` keeps the datagram in its bounds. */
static bool
sets_fit(const struct netflow *n, int which, size_t octets)
{
	size_t all = n->ipfix ? IPFIX_HEADER_OCTETS : NETFLOW9_HEADER_OCTETS;

	if (sets_templates_due(n))
		all += SETS_TEMPLATES_OCTETS;
	all += sets_octets(n->set[which].used + octets);
	all += sets_octets(n->set[!which].used);
	return all <= SETS_DATAGRAM_MAX;
}

static uint32_t
sets_add(void *state, const struct record *r)
{
	struct netflow *n = state;
	int which = r->key->ipv6 ? 1 : 0;
	size_t octets = (n->ipfix ? 16U : 8U) +
	    (size_t)(which == 0 ? SETS_IPV4_OCTETS : SETS_IPV6_OCTETS);
	struct netflow_set *s = &n->set[which];
	uint8_t *end;

	if (!sets_fit(n, which, octets))
		sets_flush(n);
	end = sets_record(s->octets + s->used, n, r);
	if (end != s->octets + s->used + octets)
		die("the template and its record disagree");
	s->used += octets;
	n->time_us = r->time_us;
	n->records++;
	return 0;
}

static void
sets_close(void *state)
{
	struct netflow *n = state;

	if (n->records != 0)
		sets_flush(n);
	netflow_free(n);
}

const struct encoder netflow9_encoder = { "netflow9", 2055, 2100, 1, 0, netflow_open,
	sets_add, sets_close };
const struct encoder ipfix_encoder = { "ipfix", 4739, 2100, 1, 0, ipfix_open, sets_add,
	sets_close };
