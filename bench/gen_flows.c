/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "bench/gen_flows.h"

#include "bench/gen.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <math.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define FLOWS_IDLE_US UINT64_C(60000000)  /* a longer silence ends a flow of packets */

/* Their multiples fall evenly on 32 bits: parts of the golden ratio and of root 2. */
#define FLOWS_STEP_FAMILY UINT32_C(2654435769)
#define FLOWS_STEP_VLAN UINT32_C(1779033703)

struct flow_sums {
	uint64_t packets, bytes, bytes_l2;
	uint64_t last_us;
	uint32_t flows;
	uint8_t tcp_flags;
};

/* One column of Walker's alias table: take the column's own key below `limit`. */
struct alias {
	uint32_t limit;
	uint32_t other;
};

struct flows {
	struct flows_options o;
	struct prng prng;
	struct flow_key *keys;
	struct flow_sums *sums;  /* in the order of keys */
	struct alias *alias;  /* NULL: uniform */
	uint64_t records;  /* drawn so far */
};

static const uint16_t flows_services[] = { 443, 443, 443, 80, 80, 53, 53, 22, 25, 123,
	993, 3306, 5060, 8080, 8443, 50000 };
static const uint8_t flows_tos[] = { 0, 0, 0, 0, 0, 0x20, 0x28, 0x48, 0x68, 0x88, 0xa0,
	0xb8, 0xc0, 0x02, 0x10, 0x08 };
static const uint8_t flows_tcp_flags[] = { 0x10, 0x10, 0x10, 0x18, 0x18, 0x18, 0x02,
	0x12, 0x11, 0x11, 0x14, 0x04, 0x10, 0x19, 0x52, 0xc2 };

/*
 * Whether the i-th of a sequence is among `percent` of it, spread evenly: a fair part
 * of the few keys that carry most of a Zipf distribution's records is, too.
 */
static bool
flows_share(uint32_t i, uint32_t step, unsigned percent)
{
	return (uint64_t)(uint32_t)(i * step) * 100 < ((uint64_t)percent << 32);
}

/* Addresses are those set aside for benchmarks: RFC 2544 (IPv4), RFC 5180 (IPv6). */
static void
flows_draw_addresses(struct prng *p, struct flow_key *k)
{
	uint64_t r = prng_u64(p);

	if (k->ipv6) {
		static const uint8_t net[6] = { 0x20, 0x01, 0x00, 0x02, 0x00, 0x00 };

		memcpy(k->src, net, sizeof(net));
		memcpy(k->dst, net, sizeof(net));
		k->src[7] = (uint8_t)r;
		k->dst[6] = 0x80;
		k->dst[7] = (uint8_t)(r >> 8);
		r = prng_u64(p);
		k->src[14] = (uint8_t)r;
		k->src[15] = (uint8_t)(r >> 8);
		k->dst[14] = (uint8_t)(r >> 16);
		k->dst[15] = (uint8_t)(r >> 24);
		return;
	}
	k->src[0] = k->dst[0] = 198;
	k->src[1] = 18;
	k->dst[1] = 19;
	k->src[2] = (uint8_t)r;
	k->src[3] = (uint8_t)(r >> 8);
	k->dst[2] = (uint8_t)(r >> 16);
	k->dst[3] = (uint8_t)(r >> 24);
}

static void
flows_draw_key(struct flows *f, uint32_t i)
{
	struct flow_key *k = &f->keys[i];
	uint64_t r = prng_u64(&f->prng);
	unsigned proto = (unsigned)(r & 0xff);

	memset(k, 0, sizeof(*k));
	k->ipv6 = !flows_share(i, FLOWS_STEP_FAMILY, f->o.ipv4_percent);
	flows_draw_addresses(&f->prng, k);
	k->tos = flows_tos[r >> 8 & 15];
	if (flows_share(i, FLOWS_STEP_VLAN, f->o.vlan_percent))
		k->vlan = (uint16_t)(1 + prng_scale((uint32_t)(r >> 32), 4094));
	if (proto < 10) {
		k->proto = k->ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
		return;
	}
	k->proto = proto < 70 ? IPPROTO_UDP : IPPROTO_TCP;
	k->src_port = (uint16_t)(1024 + prng_scale((uint32_t)(r << 12), 64512));
	k->dst_port = flows_services[r >> 12 & 15];
	if ((r >> 16 & 1) != 0) {  /* the answering half of a conversation */
		uint16_t port = k->src_port;

		k->src_port = k->dst_port;
		k->dst_port = port;
	}
}

static bool
flows_same_tuple(const struct flow_key *a, const struct flow_key *b)
{
	return memcmp(a->src, b->src, 16) == 0 && memcmp(a->dst, b->dst, 16) == 0 &&
	       a->src_port == b->src_port && a->dst_port == b->dst_port &&
	       a->proto == b->proto && a->ipv6 == b->ipv6;
}

static uint64_t
flows_hash_tuple(const struct flow_key *k)
{
	uint64_t word[4];
	uint64_t h =
	    (uint64_t)k->src_port << 32 | (uint64_t)k->dst_port << 16 | k->proto;

	memcpy(word, k->src, 16);
	memcpy(word + 2, k->dst, 16);
	for (int i = 0; i < 4; i++) {
		h = (h ^ word[i]) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return h;
}

/* Draw every key, each again until no earlier one has its five-tuple. */
static void
flows_draw_keys(struct flows *f)
{
	uint64_t room = 16;
	uint32_t *seen;  /* 1 + number of the key, 0 where free */

	while (room < (uint64_t)f->o.keys * 2)
		room *= 2;
	seen = die_calloc(room, sizeof(*seen));
	for (uint32_t i = 0; i < f->o.keys;) {
		uint64_t at;

		flows_draw_key(f, i);
		at = flows_hash_tuple(&f->keys[i]) & (room - 1);
		while (seen[at] != 0 &&
		       !flows_same_tuple(&f->keys[seen[at] - 1], &f->keys[i]))
			at = (at + 1) & (room - 1);
		if (seen[at] == 0)
			seen[at] = ++i;
	}
	free(seen);
}

/*
 * Walker's alias method as Vose builds it: one random column and one comparison draw a
 * rank of the Zipf distribution, whatever the number of keys.
 */
static struct alias *
flows_alias(uint32_t n, double exponent)
{
	struct alias *table = die_calloc(n, sizeof(*table));
	double *weight = die_calloc(n, sizeof(*weight));
	uint32_t *small = die_calloc(n, sizeof(*small));
	uint32_t *large = die_calloc(n, sizeof(*large));
	uint32_t smalls = 0, larges = 0;
	double sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += weight[i] = pow(i + 1.0, -exponent);
	for (uint32_t i = 0; i < n; i++) {
		weight[i] *= n / sum;
		if (weight[i] < 1)
			small[smalls++] = i;
		else
			large[larges++] = i;
		table[i] = (struct alias){ UINT32_MAX, i };
	}
	while (smalls != 0 && larges != 0) {
		uint32_t low = small[--smalls], high = large[larges - 1];

		table[low].limit = (uint32_t)(weight[low] * UINT32_MAX);
		table[low].other = high;
		weight[high] -= 1 - weight[low];
		if (weight[high] < 1) {
			larges--;
			small[smalls++] = high;
		}
	}
	free(large);
	free(small);
	free(weight);
	return table;
}

struct flows *
flows_new(const struct flows_options *o)
{
	struct flows *f = die_calloc(1, sizeof(*f));

	f->o = *o;
	f->prng = prng_of(o->seed);
	f->keys = die_calloc(o->keys, sizeof(*f->keys));
	f->sums = die_calloc(o->keys, sizeof(*f->sums));
	flows_draw_keys(f);
	if (o->zipf > 0)
		f->alias = flows_alias(o->keys, o->zipf);
	return f;
}

void
flows_free(struct flows *f)
{
	free(f->alias);
	free(f->sums);
	free(f->keys);
	free(f);
}

static uint32_t
flows_rank(struct flows *f)
{
	uint64_t r = prng_u64(&f->prng);
	uint32_t i = prng_scale((uint32_t)(r >> 32), f->o.keys);

	if (f->alias != NULL && (uint32_t)r > f->alias[i].limit)
		return f->alias[i].other;
	return i;
}

/* IP length of a packet, 64 to 1500 octets: many small, some full. */
static uint32_t
flows_packet_octets(uint32_t r)
{
	uint32_t kind = r & 0xff;
	uint32_t rest = r >> 8 << 8;

	if (kind < 110)
		return 64 + prng_scale(rest, 64);
	if (kind < 170)
		return 128 + prng_scale(rest, 900);
	if (kind < 230)
		return 1000 + prng_scale(rest, 501);
	return 1500;
}

/* IPv4 options on 3 packets of 100, IPv6 extension headers (8, 16, 24 octets) on 5. */
static uint8_t
flows_ip_extra(const struct flow_key *k, uint32_t r)
{
	uint32_t part = prng_scale(r, 100);

	if (k->ipv6)
		return part < 2 ? 8 : part < 4 ? 16 : part < 5 ? 24 : 0;
	return part < 2 ? 4 : part < 3 ? 8 : 0;
}

void
flows_next(struct flows *f, struct record *r)
{
	const struct flow_key *k = &f->keys[flows_rank(f)];
	uint64_t a = prng_u64(&f->prng);

	r->key = k;
	r->time_us = f->o.start_us + f->records * UINT64_C(1000000) / f->o.pps;
	r->noise = prng_u64(&f->prng);
	r->packets = 1;
	r->bytes = f->o.octets != 0 ? f->o.octets : flows_packet_octets((uint32_t)a);
	r->tcp_flags = 0;
	r->ip_extra = 0;
	if (k->proto == IPPROTO_TCP)
		r->tcp_flags = flows_tcp_flags[a >> 32 & 15];
	if (f->o.packets) {
		r->ip_extra = flows_ip_extra(k, (uint32_t)(r->noise >> 32));
		if (r->bytes < 64 + (uint64_t)r->ip_extra)
			r->bytes += r->ip_extra;  /* the headers must fit */
	} else {
		if (k->proto == IPPROTO_TCP)
			r->tcp_flags |= flows_tcp_flags[a >> 36 & 15];
		r->packets += prng_scale((uint32_t)(a >> 40 << 8), 1 + (a >> 40 & 63));
		r->bytes *= r->packets;
	}
	f->records++;
}

void
flows_book(struct flows *f, const struct record *r, uint32_t bytes_l2)
{
	struct flow_sums *s = &f->sums[r->key - f->keys];

	if (!f->o.idle || s->flows == 0 || r->time_us - s->last_us > FLOWS_IDLE_US)
		s->flows++;
	s->last_us = r->time_us;
	s->packets += r->packets;
	s->bytes += r->bytes;
	s->bytes_l2 += bytes_l2;
	s->tcp_flags |= r->tcp_flags;
}

struct flows_totals
flows_sum(const struct flows *f)
{
	struct flows_totals t = { .records = f->records };

	for (uint32_t i = 0; i < f->o.keys; i++) {
		t.keys += f->sums[i].flows != 0;
		t.packets += f->sums[i].packets;
		t.bytes += f->sums[i].bytes;
		t.flows += f->sums[i].flows;
		t.bytes_l2 += f->sums[i].bytes_l2;
	}
	return t;
}

void
flows_write_truth(const struct flows *f, bool with_l2, FILE *to)
{
	struct flows_totals t = flows_sum(f);

	fprintf(to,
	    "# records %" PRIu64 " keys %" PRIu64 " packets %" PRIu64 " bytes %" PRIu64
	    " flows %" PRIu64 "\n"
	    "# ip_src,ip_dst,port_src,port_dst,proto,vlan,tos,tcp_flags,"
	    "packets,bytes,flows%s\n",
	    t.records, t.keys, t.packets, t.bytes, t.flows, with_l2 ? ",bytes_l2" : "");
	for (uint32_t i = 0; i < f->o.keys; i++) {
		const struct flow_key *k = &f->keys[i];
		const struct flow_sums *s = &f->sums[i];
		char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];

		if (s->flows == 0)
			continue;
		inet_ntop(k->ipv6 ? AF_INET6 : AF_INET, k->src, src, sizeof(src));
		inet_ntop(k->ipv6 ? AF_INET6 : AF_INET, k->dst, dst, sizeof(dst));
		fprintf(to, "%s,%s,%u,%u,%u,%u,%u,%u,%" PRIu64 ",%" PRIu64 ",%" PRIu32,
		    src, dst, k->src_port, k->dst_port, k->proto, k->vlan, k->tos,
		    s->tcp_flags, s->packets, s->bytes, s->flows);
		if (with_l2)
			fprintf(to, ",%" PRIu64, s->bytes_l2);
		fputc('\n', to);
	}
}
