/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys of the generated traffic, which of them comes next, and the truth: what was
 * generated for each. A struct flows owns all of it. One thread.
 */
#ifndef WEIR_BENCH_GEN_FLOWS_H
#define WEIR_BENCH_GEN_FLOWS_H

#include "bench/gen_prng.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* One unidirectional flow. No two keys of a struct flows have the same five-tuple. */
struct flow_key {
	uint8_t src[16];  /* an IPv4 address takes the first 4 octets */
	uint8_t dst[16];
	uint16_t src_port;  /* 0 for ICMP */
	uint16_t dst_port;
	uint16_t vlan;  /* 0: untagged */
	bool ipv6;
	uint8_t proto;
	uint8_t tos;
};

struct wrap;

/* One thing to encode: a packet, a flow record or a sample of `key`. */
struct record {
	const struct flow_key *key;
	uint64_t time_us;  /* since 1970 */
	uint64_t packets;
	uint64_t bytes;  /* IP total length; what IPv6 calls payload length + 40 */
	uint64_t noise;  /* random bits for whatever else the encoder varies */
	uint8_t tcp_flags;  /* 0 unless TCP */
	const struct wrap *wrap;  /* of the packet; the caller's */
	uint8_t ip_extra;  /* octets of IPv4 options or IPv6 extension headers */
};

struct flows_options {
	uint32_t keys;
	uint64_t seed;
	double zipf;  /* exponent over the rank; 0 is uniform */
	unsigned ipv4_percent;  /* of the keys, and about that of the records */
	unsigned vlan_percent;
	uint64_t start_us;  /* of the first record */
	uint64_t pps;  /* records per second of virtual time */
	uint32_t octets;  /* of every packet, as `bytes` counts; 0: a mixture */
	bool packets;  /* every record is one packet */
	bool idle;  /* a flow ends by silence; else every record is one */
};

struct flows_totals {
	uint64_t records, keys, packets, bytes, flows, bytes_l2;
};

/* Draw the keys. Never NULL: the program ends when memory does. */
struct flows *flows_new(const struct flows_options *o);
void flows_free(struct flows *f);

/*
 * Draw the next record into `r`; `r->key` points into `f`. Without `packets` it is a
 * flow record of one packet or more.
 */
void flows_next(struct flows *f, struct record *r);

/* Book the record that flows_next drew last; `bytes_l2` is its length on the link. */
void flows_book(struct flows *f, const struct record *r, uint32_t bytes_l2);

/* The sums so far over all keys. */
struct flows_totals flows_sum(const struct flows *f);

/*
 * Write one line of CSV for every key that got a record, after two comment lines: the
 * totals and the names of the columns. `with_l2` adds the column bytes_l2.
 */
void flows_write_truth(const struct flows *f, bool with_l2, FILE *to);

#endif
