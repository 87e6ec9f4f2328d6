/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collectors/counter_log.h"
#include "collectors/datagram.h"
#include "proto/sflow.h"
#include "tests/collectors/rig.h"
#include "tests/proto/hex.h"

#define ARRIVAL UINT64_C(1700000000123456789)

/* The header of a datagram: agent 192.0.2.9, sub-agent 7, number, uptime 1 s, samples. */
#define HEAD_AT(seq, uptime, samples) \
	"00000005 00000001 c0000209 00000007 " seq " " uptime " " samples " "
#define HEAD(seq, samples) HEAD_AT(seq, "00100000", samples)

/* Flow samples: 1 in 512, in and out as given, and their records. Lengths are counted here. */
#define FLOW(length, in, out, records) \
	"00000001 " length " 0000000a 00000003 00000200 00010000 00000000 " in out records " "
#define FLOW_EXPANDED(length, in, out, records) \
	"00000003 " length " 0000000a 00000000 00000003 00000200 00010000 00000000 " in out \
	records " "

/* 54 octets of Ethernet, IPv4 and TCP, sent as 60 and 4 of checksum; 72 with the record. */
#define TCP4 "020102030405 02aabbccddee 0800 4500 0028 1234 4000 4006 0000 c0000201 c6336402 " \
	"9c40 0050 00000001 00000002 5012 ffff 0000 0000 "
#define RAW_TCP4 "00000001 00000048 00000001 00000040 00000004 00000036 " TCP4 "0000 "
/* VLAN 100 and an IPv4 header of two words. */
#define RAW_BROKEN "00000001 00000024 00000001 00000040 00000004 00000014 " \
	"020102030405 02aabbccddee 8100 a064 0800 4200 "
#define RAW_ARP "00000001 00000020 00000001 00000040 00000004 00000010 " \
	"020102030405 02aabbccddee 0806 0001 "
/* VLAN 100, priority 5, UDP over IPv6: 66 octets. */
#define RAW_UDP6 "00000001 00000054 00000001 00000046 00000004 00000042 " \
	"020102030405 02aabbccddee 8100 a064 86dd 62e00000 0008 1140 " \
	"20010db8000000000000000000000001 20010db8000000000000000000000002 " \
	"3039 0035 0008 0000 0000 "
#define RAW_IP4 "00000001 0000002c 0000000b 00000100 00000000 0000001c " \
	"4500 00f0 0000 0000 4011 0000 c0000201 c6336402 3039 0035 00dc 0000 "
#define RAW_X25 "00000001 00000014 00000006 00000040 00000000 00000004 ff030021 "
#define SAMPLED_ETHERNET "00000002 00000018 00000040 02aabbccddee0000 0201020304050000 00000800 "
#define SAMPLED_IP4 "00000003 00000020 00000028 00000006 c0000201 c6336402 00009c40 00000050 " \
	"00000012 000000b8 "
#define SAMPLED_IP6 "00000004 00000038 00000050 0000003a 20010db8000000000000000000000001 " \
	"20010db8000000000000000000000002 00000080 00000000 000000ff 0000002e "
#define SWITCH(src, dst) "000003e9 00000010 " src " 00000002 " dst " 00000003 "
#define ROUTER4 "000003ea 00000010 00000001 c0a80001 00000018 00000010 "
#define ROUTER6 "000003ea 0000001c 00000002 20010db8000000000000000000000009 00000040 00000030 "
/* Own AS 65000; source 65001 by way of 65002; path 65010 65011, then the set of 65020. */
#define GATEWAY "000003eb 00000040 00000001 0a000001 0000fde8 0000fde9 0000fdea 00000002 " \
	"00000002 00000002 0000fdf2 0000fdf3 00000001 00000001 0000fdfc " \
	"00000001 fde80001 00000064 "
#define VENDOR "0003e801 00000006 010203040506 0000 " /* padded to a word */
/* Versions 2 and 4: without sub-agent and lengths; the same sample as FLOW has. */
#define OLD_HEAD(version, samples) version " 00000001 c0000209 00000001 000003e8 " samples " "
#define OLD_FLOW "00000001 0000000a 00000003 00000200 00010000 00000000 00000001 00000002 "
#define OLD_TCP4 "00000001 00000001 00000040 00000036 " TCP4 "0000 "
#define OLD_COUNTERS(kind) "00000002 00000001 00000003 0000001e " kind " "
#define OLD_INTERFACE52 "00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008 " \
	"00000009 0000000a 0000000b 0000000c 0000000d "
/* 88 octets: index 3, Ethernet, 10^9 bit/s, ... */
#define OLD_INTERFACE "00000003 00000006 000000003b9aca00 00000001 00000003 0000000000000064 " \
	"00000001 00000002 00000003 00000004 00000005 00000006 00000000000000c8 " \
	"00000001 00000002 00000003 00000004 00000005 00000000 "
#define COUNTERS "00000002 0000000c 00000001 00000003 00000000 "

/* A counter sample of source 3 with generic counters of interface `index`. */
#define INTERFACE(seq, index, in_octets) "00000002 0000006c " seq " 00000003 00000001 " \
	"00000001 00000058 " index " 00000006 000000003b9aca00 00000001 00000003 " in_octets \
	" 00000001 ffffffff 00000003 00000004 00000005 00000006 ffffffffffffffff " \
	"00000001 00000002 00000003 00000004 00000005 00000002 "

/* A flow as text to compare; the agent, rate and interfaces are looked at apart. */
struct want {
	const char *src, *dst;
	unsigned proto, src_port, dst_port, vlan, cos;
	uint64_t bytes;
};

static const struct {
	const char *says;
	const char *hex;
	enum stat_no where;
	unsigned fed, not_flow, malformed;
	struct want want; /* the first flow */
} cases[] = {
	{ "no samples", HEAD("00000001", "00000000"), STAT_DATAGRAMS_DECODED, 0, 0, 0, { 0 } },
	{ "a sampled frame; its length counts with the link layer",
	    HEAD("00000001", "00000001") FLOW("00000070", "00000001", "00000002", "00000001")
	    RAW_TCP4, STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 64 } },
	{ "an expanded sample of a tagged frame",
	    HEAD("00000001", "00000001") FLOW_EXPANDED("00000088",
	    "00000000 00000001 ", "00000000 00000002 ", "00000001") RAW_UDP6,
	    STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "2001:db8::1", "2001:db8::2", 17, 12345, 53, 100, 5, 70 } },
	{ "a sampled frame that starts with IPv4",
	    HEAD("00000001", "00000001") FLOW("00000054", "00000001", "00000002", "00000001")
	    RAW_IP4, STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 17, 12345, 53, 0, 0, 256 } },
	{ "decoded IPv4 and Ethernet in place of a frame",
	    HEAD("00000001", "00000001") FLOW("00000068", "00000001", "00000002", "00000002")
	    SAMPLED_ETHERNET SAMPLED_IP4, STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 40 } },
	{ "decoded IPv6; the type of ICMP is no port",
	    HEAD("00000001", "00000001") FLOW("00000060", "00000001", "00000002", "00000001")
	    SAMPLED_IP6, STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "2001:db8::1", "2001:db8::2", 58, 0, 0, 0, 0, 80 } },
	{ "decoded IPv4 beside a frame: its length, the frame's ports",
	    HEAD("00000001", "00000001") FLOW("00000098", "00000001", "00000002", "00000002")
	    RAW_TCP4 SAMPLED_IP4, STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 40 } },
	{ "a frame of a link layer that is not known, beside decoded IPv4",
	    HEAD("00000001", "00000001") FLOW("00000064", "00000001", "00000002", "00000002")
	    RAW_X25 SAMPLED_IP4, STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 40 } },
	{ "the same without",
	    HEAD("00000001", "00000001") FLOW("0000003c", "00000001", "00000002", "00000001")
	    RAW_X25, STAT_DATAGRAMS_DECODED, 0, 1, 0, { 0 } },
	{ "nothing is kept of a broken frame when decoded IPv4 stands in",
	    HEAD("00000001", "00000001") FLOW("00000074", "00000001", "00000002", "00000002")
	    RAW_BROKEN SAMPLED_IP4, STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 40 } },
	{ "a broken frame alone",
	    HEAD("00000001", "00000001") FLOW("0000004c", "00000001", "00000002", "00000001")
	    RAW_BROKEN, STAT_DATAGRAMS_DECODED, 0, 0, 1, { 0 } },
	{ "the switch knows the VLAN of an untagged frame",
	    HEAD("00000001", "00000001") FLOW("00000088", "00000001", "00000002", "00000002")
	    SWITCH("0000000a", "00000014") RAW_TCP4, STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 10, 2, 64 } },
	{ "and its outgoing one where there is no incoming",
	    HEAD("00000001", "00000001") FLOW("00000088", "00000001", "00000002", "00000002")
	    RAW_TCP4 SWITCH("ffffffff", "00000014"), STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 20, 3, 64 } },
	{ "but not against the frame's own tag",
	    HEAD("00000001", "00000001") FLOW("00000094", "00000001", "00000002", "00000002")
	    RAW_UDP6 SWITCH("00000000", "00000014"), STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "2001:db8::1", "2001:db8::2", 17, 12345, 53, 100, 5, 70 } },
	{ "records of others are stepped over, with their padding",
	    HEAD("00000001", "00000001") FLOW("00000080", "00000001", "00000002", "00000002")
	    VENDOR RAW_TCP4, STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 64 } },
	{ "a sampled frame that is not IP",
	    HEAD("00000001", "00000001") FLOW("00000048", "00000001", "00000002", "00000001")
	    RAW_ARP, STAT_DATAGRAMS_DECODED, 0, 1, 0, { 0 } },
	{ "counters are no flows, and the sample after them is",
	    HEAD("00000001", "00000002") COUNTERS
	    FLOW("00000070", "00000001", "00000002", "00000001") RAW_TCP4,
	    STAT_DATAGRAMS_DECODED, 1, 1, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 64 } },
	{ "a kind of sample that nobody knows is stepped over",
	    HEAD("00000001", "00000002") "0003e805 00000004 01020304 "
	    FLOW("00000070", "00000001", "00000002", "00000001") RAW_TCP4,
	    STAT_DATAGRAMS_DECODED, 1, 1, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 64 } },
	{ "a flow sample without records",
	    HEAD("00000001", "00000001") FLOW("00000020", "00000001", "00000002", "00000000"),
	    STAT_DATAGRAMS_DECODED, 0, 1, 0, { 0 } },
	{ "a flow sample that announces more records than it has; the next one counts",
	    HEAD("00000001", "00000002") FLOW("00000020", "00000001", "00000002", "ffffffff")
	    FLOW("00000070", "00000001", "00000002", "00000001") RAW_TCP4,
	    STAT_DATAGRAMS_DECODED, 1, 0, 1,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 64 } },
	{ "a flow sample shorter than its header",
	    HEAD("00000001", "00000001") "00000001 00000008 0000000a 00000003 ",
	    STAT_DATAGRAMS_DECODED, 0, 0, 1, { 0 } },
	{ "a record that leaves its sample",
	    HEAD("00000001", "00000001") FLOW("00000028", "00000001", "00000002", "00000001")
	    "00000001 00000048 ", STAT_DATAGRAMS_DECODED, 0, 0, 1, { 0 } },
	{ "a frame that leaves its record",
	    HEAD("00000001", "00000001") FLOW("0000003c", "00000001", "00000002", "00000001")
	    "00000001 00000014 00000001 00000040 00000000 000000ff 02010203 ",
	    STAT_DATAGRAMS_DECODED, 0, 0, 1, { 0 } },
	{ "a length that wraps when it is padded",
	    HEAD("00000001", "00000001") FLOW("00000028", "00000001", "00000002", "00000001")
	    "00000001 fffffffd ", STAT_DATAGRAMS_DECODED, 0, 0, 1, { 0 } },
	{ "a gateway with more segments than octets",
	    HEAD("00000001", "00000001") FLOW("00000090", "00000001", "00000002", "00000002")
	    RAW_TCP4 "000003eb 00000018 00000001 0a000001 0000fde8 0000fde9 0000fdea ffffffff ",
	    STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 64 } },
	{ "a sample that leaves the datagram; the one before it counts",
	    HEAD("00000001", "00000002") FLOW("00000070", "00000001", "00000002", "00000001")
	    RAW_TCP4 "00000001 000000ff ", STAT_BAD_LENGTH, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 64 } },
	{ "more samples announced than there are",
	    HEAD("00000001", "ffffffff") FLOW("00000070", "00000001", "00000002", "00000001")
	    RAW_TCP4, STAT_BAD_LENGTH, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 64 } },
	{ "what follows the last sample does not matter",
	    HEAD("00000001", "00000001") FLOW("00000070", "00000001", "00000002", "00000001")
	    RAW_TCP4 "00000000 00", STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 64 } },
	{ "nothing at all", "", STAT_BAD_SHORT, 0, 0, 0, { 0 } },
	{ "less than a version", "000000", STAT_BAD_SHORT, 0, 0, 0, { 0 } },
	{ "a header that ends early", "00000005 00000001 c0000209 00000007 ", STAT_BAD_SHORT,
	    0, 0, 0, { 0 } },
	{ "an agent of a kind that has no length", "00000005 00000003 c0000209 00000007 "
	    "00000001 000003e8 00000000", STAT_BAD_SHORT, 0, 0, 0, { 0 } },
	{ "version 2: a frame, nothing more", OLD_HEAD("00000002", "00000001") OLD_FLOW OLD_TCP4
	    "00000000", STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 64 } },
	{ "version 4: counters of every kind, and the flow after them",
	    OLD_HEAD("00000004", "00000003") OLD_COUNTERS("00000002") OLD_INTERFACE OLD_INTERFACE52
	    OLD_COUNTERS("00000007") "00000064 0000000000000001 00000002 00000003 00000004 00000005 "
	    OLD_FLOW OLD_TCP4 "00000000", STAT_DATAGRAMS_DECODED, 1, 2, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 64 } },
	{ "version 4: a kind of counters that nobody knows ends it; what came before counts",
	    OLD_HEAD("00000004", "00000003") OLD_FLOW OLD_TCP4 "00000000" OLD_COUNTERS("00000008")
	    OLD_FLOW OLD_TCP4 "00000000", STAT_BAD_LENGTH, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 64 } },
	{ "version 4: an extension that nobody knows ends it behind its flow",
	    OLD_HEAD("00000004", "00000002") OLD_FLOW OLD_TCP4 "00000001 00000006 "
	    OLD_FLOW OLD_TCP4 "00000000", STAT_BAD_LENGTH, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 64 } },
	{ "version 2: a kind of sample that nobody knows", OLD_HEAD("00000002", "00000001")
	    "00000003 00000000", STAT_BAD_LENGTH, 0, 0, 0, { 0 } },
	{ "version 4: a sample that ends early", OLD_HEAD("00000004", "00000001") OLD_FLOW,
	    STAT_BAD_LENGTH, 0, 0, 0, { 0 } },
	{ "version 4: counters that end early", OLD_HEAD("00000004", "00000001")
	    OLD_COUNTERS("00000001") OLD_INTERFACE52, STAT_BAD_LENGTH, 0, 0, 0, { 0 } },
	{ "version 4: a frame that is not IP, then one that is", OLD_HEAD("00000004", "00000002")
	    OLD_FLOW "00000001 00000001 00000040 00000010 020102030405 02aabbccddee 0806 0001 00000000 "
	    OLD_FLOW OLD_TCP4 "00000000", STAT_DATAGRAMS_DECODED, 1, 1, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 64 } },
	{ "version 4: more samples than there are", OLD_HEAD("00000004", "ffffffff"),
	    STAT_BAD_LENGTH, 0, 0, 0, { 0 } },
	{ "version 3, which nobody sends", OLD_HEAD("00000003", "00000000"), STAT_BAD_VERSION, 0, 0,
	    0, { 0 } },
	{ "NetFlow version 5 on this port", "00050001 00000000 00000000 00000000",
	    STAT_BAD_VERSION, 0, 0, 0, { 0 } },
};
#define N_CASES (sizeof(cases) / sizeof(cases[0]))

static const enum stat_no wheres[] = { STAT_DATAGRAMS_DECODED, STAT_BAD_SHORT,
	STAT_BAD_VERSION, STAT_BAD_LENGTH, STAT_BAD_TEMPLATE, STAT_BAD_EXPORTER };

struct bench {
	struct rig rig;
	struct datagram_config config;
	void *decoder;
};

static void
bench_open(struct bench *b)
{
	struct err e = ERR_INIT;

	memset(&b->config, 0, sizeof(b->config));
	rig_init(&b->rig, NULL, &b->config);
	b->decoder = sflow_decoder.open(&b->rig.collector, &e);
	assert_non_null(b->decoder);
}

static void
bench_close(struct bench *b)
{
	sflow_decoder.close(b->decoder);
	rig_fini(&b->rig);
}

/* Decode a copy of its own size, so that the sanitizer sees a read past the end. */
static void
bench_decode(struct bench *b, const uint8_t *octets, size_t len)
{
	static const uint8_t from[4] = { 203, 0, 113, 77 };
	uint8_t *copy = malloc(len > 0 ? len : 1);
	const struct datagram d = { .data = copy, .len = len, .from = ip_from_v4(from),
		.from_port = 6343, .arrival = ARRIVAL };

	assert_non_null(copy);
	memcpy(copy, octets, len);
	sflow_decoder.decode(b->decoder, &d);
	free(copy);
}

static void
bench_hex(struct bench *b, const char *hex)
{
	uint8_t octets[1024];

	bench_decode(b, octets, hex_octets(hex, octets, sizeof(octets)));
}

static void
check_number(const char *says, const char *what, uint64_t have, uint64_t want)
{
	if (have != want)
		fail_msg("%s: %s is %llu, not %llu", says, what, (unsigned long long)have,
		    (unsigned long long)want);
}

static void
check_ip(const char *says, const ip16_t *have, const char *want)
{
	char text[IP_STRLEN];

	(void)ip_format(have, text);
	if (strcmp(text, want) != 0)
		fail_msg("%s: address %s, not %s", says, text, want);
}

static void
check_flow(const char *says, const struct flow *f, const struct want *want)
{
	check_ip(says, &f->src_host, want->src);
	check_ip(says, &f->dst_host, want->dst);
	check_number(says, "proto", f->proto, want->proto);
	check_number(says, "src_port", f->src_port, want->src_port);
	check_number(says, "dst_port", f->dst_port, want->dst_port);
	check_number(says, "vlan", f->vlan, want->vlan);
	check_number(says, "cos", f->cos, want->cos);
	check_number(says, "bytes", f->bytes, want->bytes);
	check_number(says, "packets", f->packets, 1);
	check_number(says, "flows", f->flows, 1);
	check_number(says, "sampling_rate", f->sampling_rate, 512);
	check_number(says, "in_iface", f->in_iface, 1);
	check_number(says, "out_iface", f->out_iface, 2);
	check_number(says, "stamp", f->stamp, ARRIVAL);
	check_number(says, "timestamp_arrival", f->timestamp_arrival, ARRIVAL);
	check_ip(says, &f->peer_src_ip, "192.0.2.9");
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		const char *says = cases[i].says;
		struct bench b;

		bench_open(&b);
		bench_hex(&b, cases[i].hex);
		for (size_t k = 0; k < sizeof(wheres) / sizeof(wheres[0]); k++)
			check_number(says, stat_rows[wheres[k]].name, rig_stat(&b.rig, wheres[k]),
			    wheres[k] == cases[i].where);
		check_number(says, "fed", rig_stat(&b.rig, STAT_RECORDS_FED), cases[i].fed);
		check_number(says, "not flow", rig_stat(&b.rig, STAT_RECORDS_NOT_FLOW),
		    cases[i].not_flow);
		check_number(says, "malformed", rig_stat(&b.rig, STAT_RECORDS_MALFORMED),
		    cases[i].malformed);
		check_number(says, "flows in the pipeline", b.rig.pipeline.n, cases[i].fed);
		if (cases[i].fed > 0)
			check_flow(says, &b.rig.pipeline.flows[0], &cases[i].want);
		check_number(says, "units", atomic_load(&b.rig.collector.units), 1);
		check_number(says, "errors", atomic_load(&b.rig.collector.errors),
		    (cases[i].where != STAT_DATAGRAMS_DECODED) + cases[i].malformed);
		check_number(says, "versions", atomic_load(&b.rig.collector.versions),
		    cases[i].where == STAT_BAD_VERSION);
		rig_books(&b.rig, says);
		bench_close(&b);
	}
}

/* What the frame cannot know, and the order of records does not matter. */
static void
test_extended(void **state)
{
	static const char *const orders[] = {
		HEAD("00000001", "00000001") FLOW("000000e8", "00000001", "00000002", "00000004")
		    RAW_TCP4 SWITCH("0000000a", "00000014") ROUTER4 GATEWAY,
		HEAD("00000001", "00000001") FLOW("000000e8", "00000001", "00000002", "00000004")
		    GATEWAY ROUTER4 SWITCH("0000000a", "00000014") RAW_TCP4,
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct flow *f;
		struct bench b;

		bench_open(&b);
		bench_hex(&b, orders[i]);
		assert_int_equal(b.rig.pipeline.n, 1);
		f = &b.rig.pipeline.flows[0];
		check_ip(orders[i], &f->nexthop, "192.168.0.1");
		check_ip(orders[i], &f->peer_dst_ip, "10.0.0.1");
		assert_int_equal(f->src_mask, 24);
		assert_int_equal(f->dst_mask, 16);
		assert_int_equal(f->src_as, 65001);
		assert_int_equal(f->dst_as, 65020);
		assert_int_equal(f->vlan, 10);
		assert_int_equal(f->tcp_flags, 0x12);
		assert_int_equal(f->etype, 0x0800);
		assert_memory_equal(f->src_mac.b, "\x02\xaa\xbb\xcc\xdd\xee", 6);
		assert_memory_equal(f->dst_mac.b, "\x02\x01\x02\x03\x04\x05", 6);
		bench_close(&b);
	}
}

static void
test_router6(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_hex(&b, HEAD("00000001", "00000001")
	    FLOW("00000094", "00000001", "00000002", "00000002") RAW_TCP4 ROUTER6);
	check_ip("next hop", &b.rig.pipeline.flows[0].nexthop, "2001:db8::9");
	assert_int_equal(b.rig.pipeline.flows[0].src_mask, 64);
	bench_close(&b);
}

/* MAC addresses of a decoded Ethernet header, which has no frame beside it. */
static void
test_ethernet(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_hex(&b, HEAD("00000001", "00000001")
	    FLOW("00000068", "00000001", "00000002", "00000002") SAMPLED_ETHERNET SAMPLED_IP4);
	assert_memory_equal(b.rig.pipeline.flows[0].src_mac.b, "\x02\xaa\xbb\xcc\xdd\xee", 6);
	assert_memory_equal(b.rig.pipeline.flows[0].dst_mac.b, "\x02\x01\x02\x03\x04\x05", 6);
	assert_int_equal(b.rig.pipeline.flows[0].tos, 0xb8);
	assert_int_equal(b.rig.pipeline.flows[0].tcp_flags, 0x12);
	bench_close(&b);
}

static const struct {
	const char *says, *hex;
	uint32_t in, out;
} interfaces[] = {
	{ "an internal interface keeps its number", HEAD("00000001", "00000001")
	    FLOW("00000070", "3fffffff", "00000002", "00000001") RAW_TCP4, 0x3fffffff, 2 },
	{ "a frame that was discarded: the two top bits and the reason", HEAD("00000001", "00000001")
	    FLOW("00000070", "00000001", "40000100", "00000001") RAW_TCP4, 1, 0x40000100 },
	{ "one that went to several: the two top bits and how many", HEAD("00000001", "00000001")
	    FLOW("00000070", "00000001", "80000007", "00000001") RAW_TCP4, 1, 0x80000007 },
	{ "expanded, these read alike, and an index may have all 32 bits",
	    HEAD("00000001", "00000001")
	    FLOW_EXPANDED("0000007c", "00000000 c0000001 ", "00000002 00000007 ", "00000001")
	    RAW_TCP4, 0xc0000001, 0x80000007 },
	{ "a number of the old versions is kept as well", OLD_HEAD("00000004", "00000001")
	    "00000001 0000000a 00000003 00000200 00010000 00000000 00000001 80000000 "
	    OLD_TCP4 "00000000", 1, 0x80000000 },
};

static void
test_interfaces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(interfaces) / sizeof(interfaces[0]); i++) {
		struct bench b;

		bench_open(&b);
		bench_hex(&b, interfaces[i].hex);
		assert_int_equal(b.rig.pipeline.n, 1);
		check_number(interfaces[i].says, "in", b.rig.pipeline.flows[0].in_iface,
		    interfaces[i].in);
		check_number(interfaces[i].says, "out", b.rig.pipeline.flows[0].out_iface,
		    interfaces[i].out);
		bench_close(&b);
	}
}

static const struct {
	const char *says, *hex;
	unsigned direction;
} directions[] = {
	{ "taken where it came in", HEAD("00000001", "00000001")
	    FLOW("00000070", "00000003", "00000002", "00000001") RAW_TCP4, DIRECTION_IN },
	{ "taken where it left", HEAD("00000001", "00000001")
	    FLOW("00000070", "00000001", "00000003", "00000001") RAW_TCP4, DIRECTION_OUT },
	{ "taken elsewhere", HEAD("00000001", "00000001")
	    FLOW("00000070", "00000001", "00000002", "00000001") RAW_TCP4, DIRECTION_UNKNOWN },
	{ "taken from a VLAN whose number is that of an interface", HEAD("00000001", "00000001")
	    "00000001 00000070 0000000a 01000003 00000200 00010000 00000000 00000003 00000002 "
	    "00000001 " RAW_TCP4, DIRECTION_UNKNOWN },
	{ "expanded", HEAD("00000001", "00000001") FLOW_EXPANDED("0000007c",
	    "00000000 00000001 ", "00000000 00000003 ", "00000001") RAW_TCP4, DIRECTION_OUT },
};

static void
test_direction(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(directions) / sizeof(directions[0]); i++) {
		struct bench b;

		bench_open(&b);
		bench_hex(&b, directions[i].hex);
		assert_int_equal(b.rig.pipeline.n, 1);
		check_number(directions[i].says, "direction",
		    b.rig.pipeline.flows[0].sampling_direction, directions[i].direction);
		bench_close(&b);
	}
}

/* What the header says, as primitives. */
static void
test_header(void **state)
{
	const struct flow *f;
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_hex(&b, HEAD("00000123", "00000001")
	    FLOW("00000070", "00000001", "00000002", "00000001") RAW_TCP4);
	bench_hex(&b, OLD_HEAD("00000002", "00000001") OLD_FLOW OLD_TCP4 "00000000");
	assert_int_equal(b.rig.pipeline.n, 2);
	f = b.rig.pipeline.flows;
	assert_int_equal(f[0].export_proto_seqno, 0x123);
	assert_int_equal(f[0].export_proto_version, 5);
	assert_int_equal(f[0].export_proto_sysid, 7);
	assert_int_equal(f[1].export_proto_seqno, 1);
	assert_int_equal(f[1].export_proto_version, 2);
	assert_int_equal(f[1].export_proto_sysid, 0);
	bench_close(&b);
}

/* What is not known is counted, in samples and records alike; so is what is too short. */
static void
test_parts(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_hex(&b, HEAD("00000001", "00000002") "0003e805 00000004 01020304 "
	    FLOW("0000008c", "00000001", "00000002", "00000003") VENDOR RAW_TCP4
	    "000003e9 00000004 0000000a ");
	assert_int_equal(rig_stat(&b.rig, STAT_PARTS_UNKNOWN), 2);
	assert_int_equal(rig_stat(&b.rig, STAT_PARTS_CUT), 1);
	assert_int_equal(rig_stat(&b.rig, STAT_RECORDS_FED), 1);
	bench_hex(&b, OLD_HEAD("00000004", "00000001") OLD_COUNTERS("00000009"));
	assert_int_equal(rig_stat(&b.rig, STAT_PARTS_UNKNOWN), 3);
	/* A packet that was thrown away: known, but no sample of anything. */
	bench_hex(&b, HEAD("00000002", "00000001") "00000005 00000018 00000001 00000000 00000003 "
	    "00000000 00000000 00000000 ");
	assert_int_equal(rig_stat(&b.rig, STAT_PARTS_UNKNOWN), 3);
	assert_int_equal(rig_stat(&b.rig, STAT_RECORDS_NOT_FLOW), 2);
	bench_close(&b);
}

/* Agents: by their own address; by the sender's where they do not know it; sub-agents apart. */
static void
test_agents(void **state)
{
	const struct exporter *x;
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_hex(&b, HEAD("00000001", "00000000"));
	bench_hex(&b, "00000005 00000001 c0000209 00000008 00000001 00000000 00000000");
	bench_hex(&b, "00000005 00000000 00000007 00000001 00000000 00000000");
	bench_hex(&b, "00000005 00000002 20010db8000000000000000000000009 00000007 00000001 "
	    "00000000 00000000");
	bench_hex(&b, "00000004 00000002 20010db800000000000000000000000a 00000001 00000000 "
	    "00000000");
	bench_hex(&b, "00000002 00000001 c000020a 00000001 00000000 00000000");
	assert_int_equal(exporters_count(b.rig.exporters), 6);
	x = exporters_at(b.rig.exporters, 0);
	check_ip("agent", &x->addr, "192.0.2.9");
	assert_int_equal(x->kind, EXPORTER_SFLOW);
	assert_int_equal(x->domain, 7);
	assert_int_equal(atomic_load(&x->version), 5);
	check_ip("no agent", &exporters_at(b.rig.exporters, 2)->addr, "203.0.113.77");
	check_ip("agent", &exporters_at(b.rig.exporters, 3)->addr, "2001:db8::9");
	check_ip("agent", &exporters_at(b.rig.exporters, 4)->addr, "2001:db8::a");
	assert_int_equal(atomic_load(&exporters_at(b.rig.exporters, 4)->version), 4);
	assert_int_equal(atomic_load(&exporters_at(b.rig.exporters, 5)->version), 2);
	bench_close(&b);
}

/* The exporter is known by its agent address, whatever is shown of a record. */
static void
test_peer(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	b.config.ignore_exporter_address = true;
	bench_hex(&b, HEAD("00000001", "00000001")
	    FLOW("00000070", "00000001", "00000002", "00000001") RAW_TCP4);
	check_ip("the sender", &b.rig.pipeline.flows[0].peer_src_ip, "203.0.113.77");
	check_ip("the agent", &exporters_at(b.rig.exporters, 0)->addr, "192.0.2.9");
	bench_close(&b);
}

/* The last counters of each interface, by agent; what was overtaken is no news. */
static void
test_interface_counters(void **state)
{
	struct bench b;
	struct interface_counters *c;
	struct exporter *x;
	uint32_t n;

	(void)state;
	bench_open(&b);
	bench_hex(&b, HEAD("00000001", "00000001") COUNTERS);
	x = exporters_at(b.rig.exporters, 0);
	assert_null(exporter_interfaces(x, &n)); /* a sample without blocks */
	bench_hex(&b, HEAD("00000002", "00000003") INTERFACE("00000009", "00000007",
	    "0000000000000100") INTERFACE("00000008", "00000007", "0000000000000099")
	    INTERFACE("0000000a", "00000005", "0000000000000300"));
	c = exporter_interfaces(x, &n);
	assert_int_equal(n, 2);
	check_number("another", "index", c[0].index, 5);
	check_number("another", "in_octets", c[0].in_octets, 0x300);
	check_number("not the late one", "in_octets", c[1].in_octets, 0x100);
	check_number("all members", "index", c[1].index, 7);
	check_number("all members", "updated", c[1].updated, ARRIVAL);
	check_number("all members", "type", c[1].type, 6);
	check_number("all members", "speed", c[1].speed, 1000000000);
	check_number("all members", "direction", c[1].direction, INTERFACE_FULL_DUPLEX);
	check_number("all members", "status", c[1].status,
	    INTERFACE_ADMIN_UP | INTERFACE_OPER_UP);
	check_number("all members", "in_unicast", c[1].in_unicast, 1);
	check_number("all members", "in_multicast", c[1].in_multicast, INTERFACE_UNKNOWN);
	check_number("all members", "in_broadcast", c[1].in_broadcast, 3);
	check_number("all members", "in_discards", c[1].in_discards, 4);
	check_number("all members", "in_errors", c[1].in_errors, 5);
	check_number("all members", "in_unknown_protos", c[1].in_unknown_protos, 6);
	check_number("all members", "out_octets", c[1].out_octets, INTERFACE_UNKNOWN);
	check_number("all members", "out_unicast", c[1].out_unicast, 1);
	check_number("all members", "out_multicast", c[1].out_multicast, 2);
	check_number("all members", "out_broadcast", c[1].out_broadcast, 3);
	check_number("all members", "out_discards", c[1].out_discards, 4);
	check_number("all members", "out_errors", c[1].out_errors, 5);
	check_number("all members", "promiscuous", c[1].promiscuous, 2);
	free(c);
	bench_close(&b);
}

/* More than are remembered of one agent: they are counted. */
static void
test_too_many_interfaces(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	for (unsigned i = 0; i <= IFTABLE_MAX; i++) {
		char hex[1024];

		snprintf(hex, sizeof(hex), HEAD("%08x", "00000001")
		    INTERFACE("%08x", "%08x", "0000000000000100"), i, i, i);
		bench_hex(&b, hex);
	}
	assert_int_equal(rig_stat(&b.rig, STAT_INTERFACES_REFUSED), 1);
	assert_int_equal(rig_stat(&b.rig, STAT_COUNTERS), IFTABLE_MAX + 1);
	bench_close(&b);
}

/* What operators' rules compare beside the sample's own: whose it is, and its kind. */
static void
test_context(void **state)
{
	static const struct {
		const char *says, *hex;
		uint32_t type, sub_agent;
	} samples[] = {
		{ "a sample", HEAD("00000001", "00000001") FLOW("00000070", "00000001",
		    "00000002", "00000001") RAW_TCP4, SFLOW_SAMPLE_FLOW, 7 },
		{ "an expanded one", HEAD("00000001", "00000001") FLOW_EXPANDED("00000088",
		    "00000000 00000001 ", "00000000 00000002 ", "00000001") RAW_UDP6,
		    SFLOW_SAMPLE_FLOW_EXPANDED, 7 },
		{ "one of version 4", OLD_HEAD("00000004", "00000001") OLD_FLOW OLD_TCP4
		    "00000000", SFLOW_SAMPLE_FLOW, 0 },
	};
	struct bench b;

	(void)state;
	bench_open(&b);
	b.config.ignore_exporter_address = true;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const char *says = samples[i].says;
		const struct flow *f = b.rig.pipeline.flows;

		bench_hex(&b, samples[i].hex);
		check_ip(says, &f->exporter_ip, "192.0.2.9");
		check_number(says, "sample_type", f->sample_type, samples[i].type);
		check_number(says, "engine_id", f->engine_id, 3);
		check_number(says, "sub-agent", f->export_proto_sysid, samples[i].sub_agent);
		pipeline_flush(&b.rig.pipeline);
	}
	bench_close(&b);
}

static void
test_sequence(void **state)
{
	struct bench b;
	struct exporter *x;

	(void)state;
	bench_open(&b);
	b.config.disable_checks = true;
	bench_hex(&b, HEAD("00000010", "00000000"));
	bench_hex(&b, HEAD("00000011", "00000000"));
	assert_int_equal(rig_stat(&b.rig, STAT_SEQUENCE_LOST), 0);
	bench_hex(&b, HEAD("00000015", "00000000"));
	assert_int_equal(rig_stat(&b.rig, STAT_SEQUENCE_LOST), 3);
	assert_int_equal(rig_stat(&b.rig, STAT_SEQUENCE_RESETS), 0);
	bench_hex(&b, HEAD("00000013", "00000000"));
	assert_int_equal(rig_stat(&b.rig, STAT_SEQUENCE_FOUND), 1);
	assert_int_equal(rig_stat(&b.rig, STAT_SEQUENCE_RESETS), 0);
	/* It was started a second ago. */
	bench_hex(&b, HEAD_AT("00000001", "000003e8", "00000000"));
	assert_int_equal(rig_stat(&b.rig, STAT_SEQUENCE_LOST), 3);
	assert_int_equal(rig_stat(&b.rig, STAT_SEQUENCE_RESETS), 1);
	x = exporters_at(b.rig.exporters, 0);
	assert_int_equal(exporter_sum(x, EXPORTER_DATAGRAMS), 5);
	assert_int_equal(exporter_sum(x, EXPORTER_SEQUENCE_LOST), 3);
	assert_int_equal(exporter_sum(x, EXPORTER_SEQUENCE_RESETS), 1);
	bench_close(&b);
}

/* Sample `seq` of data source 3, announced 1 in 512, of `pool` packets, after `drops`. */
#define TOLD(seq, pool, drops) "00000001 00000070 " seq " 00000003 00000200 " pool " " drops \
	" 00000001 00000002 00000001 " RAW_TCP4

/* What a data source's numbers tell, also in samples that are no flows. */
static void
test_sources(void **state)
{
	struct exporter *x;
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_hex(&b, HEAD("00000001", "00000003") TOLD("00000005", "00010000", "00000002")
	    TOLD("00000006", "00010300", "00000002") TOLD("00000009", "00010900", "00000004"));
	bench_hex(&b, HEAD("00000002", "00000003") COUNTERS COUNTERS
	    "00000002 0000000c 00000004 00000003 00000000 ");
	bench_hex(&b, HEAD("00000003", "00000001") "00000001 00000020 0000000c 00000003 00000200 "
	    "00010a00 00000004 00000001 00000002 00000000 ");
	assert_int_equal(rig_stat(&b.rig, STAT_SAMPLES_LOST), 2 + 2 + 2);
	assert_int_equal(rig_stat(&b.rig, STAT_SAMPLES_DROPPED), 2);
	assert_int_equal(rig_stat(&b.rig, STAT_SOURCES_REFUSED), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(b.rig.pipeline.flows[i].sampling_rate, 512);
	x = exporters_at(b.rig.exporters, 0);
	assert_int_equal(exporter_sum(x, EXPORTER_SAMPLES_LOST), 6);
	assert_int_equal(exporter_sum(x, EXPORTER_SAMPLES_DROPPED), 2);
	bench_close(&b);
}

/* Blocks of counters: what is in the file, and in the books. */
static void
test_counters(void **state)
{
	static const uint8_t nothing[1];
	const char *path = rig_file(nothing, 0);
	struct err e = ERR_INIT;
	char text[4096];
	struct bench b;
	FILE *in;
	size_t n;

	(void)state;
	bench_open(&b);
	sflow_decoder.close(b.decoder);
	b.config.counters = counter_log_new(path, &e);
	assert_non_null(b.config.counters);
	b.decoder = sflow_decoder.open(&b.rig.collector, &e);
	assert_non_null(b.decoder);
	/* A VLAN's, one of a format that nobody knows, one that ends early; then expanded. */
	bench_hex(&b, HEAD("00000021", "00000002") "00000002 00000050 00000001 01000064 00000003 "
	    "00000005 0000001c 00000064 0000000000000400 00000001 00000002 00000003 00000004 "
	    "000007d5 00000004 00000000 00000005 0000000c 00000064 0000000000000400 "
	    "00000004 00000034 00000002 00000000 00000007 00000001 "
	    "000003e9 0000001c 00000064 ffffffff 00002710 0000000100000000 0000000080000000 ");
	bench_hex(&b, OLD_HEAD("00000004", "00000001") OLD_COUNTERS("00000002") OLD_INTERFACE
	    OLD_INTERFACE52);
	assert_int_equal(rig_stat(&b.rig, STAT_COUNTERS), 4);
	assert_int_equal(rig_stat(&b.rig, STAT_COUNTERS_LOGGED), 4);
	assert_int_equal(rig_stat(&b.rig, STAT_PARTS_UNKNOWN), 1);
	assert_int_equal(rig_stat(&b.rig, STAT_PARTS_CUT), 1);
	assert_int_equal(rig_stat(&b.rig, STAT_RECORDS_NOT_FLOW), 3);
	rig_books(&b.rig, "counters");
	bench_close(&b);
	counter_log_free(b.config.counters);
	in = fopen(path, "r");
	assert_non_null(in);
	n = fread(text, 1, sizeof(text) - 1, in);
	fclose(in);
	text[n] = '\0';
	rig_file_remove();
	static const char *const parts[] = { "\"agent\": \"192.0.2.9\"",
		"\"source_id_class\": 1, \"source_id_index\": 100, \"sflow_seq\": 33, "
		"\"sflow_cnt_seq\": 1, \"sf_cnt_type\": \"sflow_cnt_vlan\", \"vlan\": 100",
		"\"source_id_class\": 0, \"source_id_index\": 7, \"sflow_seq\": 33, "
		"\"sflow_cnt_seq\": 2, \"sf_cnt_type\": \"sflow_cnt_processor\"",
		"\"sf_cnt_type\": \"sflow_cnt_generic\", \"ifIndex\": 3",
		"\"ifInOctets\": 100", "\"sf_cnt_type\": \"sflow_cnt_ethernet\"",
		"\"dot3StatsSymbolErrors\": 13" };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strstr(text, parts[i]) == NULL)
			fail_msg("no %s in %s", parts[i], text);
}

/* Where nobody wants them, blocks are counted. */
static void
test_counters_unlogged(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_hex(&b, OLD_HEAD("00000004", "00000001") OLD_COUNTERS("00000002") OLD_INTERFACE
	    OLD_INTERFACE52);
	assert_int_equal(rig_stat(&b.rig, STAT_COUNTERS_UNLOGGED), 2);
	rig_books(&b.rig, "counters left alone");
	bench_close(&b);
}

/* Where counters are multiplied, it is by what the agent did, not by what it announces. */
static void
test_renormalized(void **state)
{
	const struct sampling_config config = { .renormalize = { [SOURCE_SFLOW] = true } };
	struct problems ps = { 0 };
	struct err e = ERR_INIT;
	struct sampling *sampling;
	struct bench b;

	(void)state;
	assert_int_equal(sampling_new(&config, &sampling, &ps, &e), 0);
	bench_open(&b);
	sflow_decoder.close(b.decoder);
	b.rig.pipeline.sampling = sampling;
	b.rig.pipeline.source = SOURCE_SFLOW;
	b.decoder = sflow_decoder.open(&b.rig.collector, &e);
	bench_hex(&b, HEAD("00000001", "00000003") TOLD("00000005", "00010000", "00000000")
	    TOLD("00000006", "00010300", "00000000") TOLD("00000009", "00010900", "00000000"));
	/* One datagram after the other of two sub-agents: they have their own sources. */
	bench_hex(&b, "00000005 00000001 c0000209 00000008 00000001 000003e8 00000001 "
	    TOLD("00000007", "00000001", "00000000"));
	bench_hex(&b, HEAD("00000002", "00000001") TOLD("0000000a", "00010a00", "00000000"));
	assert_int_equal(b.rig.pipeline.n, 5);
	assert_int_equal(b.rig.pipeline.flows[0].sampling_rate, 512);
	assert_int_equal(b.rig.pipeline.flows[1].sampling_rate, 0x300);
	assert_int_equal(b.rig.pipeline.flows[2].sampling_rate, 0x200);
	assert_int_equal(b.rig.pipeline.flows[3].sampling_rate, 512);
	assert_int_equal(b.rig.pipeline.flows[4].sampling_rate, 0x100);
	assert_int_equal(rig_stat(&b.rig, STAT_SAMPLES_LOST), 2);
	pipeline_flush(&b.rig.pipeline);
	assert_int_equal(b.rig.pipeline.fed.packets, 512 + 0x300 + 0x200 + 512 + 0x100);
	assert_int_equal(b.rig.pipeline.fed.bytes,
	    64 * (512 + 0x300 + 0x200 + 512 + 0x100));
	bench_close(&b);
	sampling_free(sampling);
}

static void
test_exporter_counts(void **state)
{
	struct bench b;
	struct exporter *x;

	(void)state;
	bench_open(&b);
	bench_hex(&b, HEAD("00000001", "00000003") COUNTERS
	    FLOW("00000070", "00000001", "00000002", "00000001") RAW_TCP4
	    FLOW("00000020", "00000001", "00000002", "00000009"));
	x = exporters_at(b.rig.exporters, 0);
	assert_int_equal(exporter_sum(x, EXPORTER_DATAGRAMS), 1);
	assert_int_equal(exporter_sum(x, EXPORTER_RECORDS), 3);
	assert_int_equal(exporter_sum(x, EXPORTER_MALFORMED), 1);
	assert_int_equal(exporter_sum(x, EXPORTER_OCTETS),
	    rig_stat(&b.rig, STAT_DATAGRAM_OCTETS));
	assert_int_equal(exporter_last_seen(x), ARRIVAL);
	assert_int_equal(atomic_load(&x->sampling), 512);
	assert_int_equal(atomic_load(&b.rig.collector.last_seen), ARRIVAL);
	bench_close(&b);
}

/* More agents than can be remembered: those that passed by are forgotten, all are fed. */
static void
test_flood(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	for (unsigned i = 0; i < 100; i++) {
		uint8_t octets[1024];
		size_t n = hex_octets(HEAD("00000001", "00000001")
		    FLOW("00000070", "00000001", "00000002", "00000001") RAW_TCP4, octets,
		    sizeof(octets));

		octets[11] = (uint8_t)i;
		bench_decode(&b, octets, n);
	}
	assert_int_equal(rig_stat(&b.rig, STAT_BAD_EXPORTER), 0);
	assert_int_equal(rig_stat(&b.rig, STAT_RECORDS_FED), 100);
	assert_in_range(exporters_count(b.rig.exporters), 32, 64);
	rig_books(&b.rig, "a flood of agents");
	bench_close(&b);
}

static void
test_hostile(void **state)
{
	static const uint8_t flips[] = { 0x01, 0x80, 0xff };

	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		uint8_t octets[1024];
		size_t n = hex_octets(cases[i].hex, octets, sizeof(octets));
		struct bench b;

		bench_open(&b);
		b.config.disable_checks = true;
		for (size_t len = 0; len <= n; len++)
			bench_decode(&b, octets, len);
		for (size_t at = 0; at < n; at++) {
			for (size_t k = 0; k < sizeof(flips); k++) {
				octets[at] ^= flips[k];
				bench_decode(&b, octets, n);
				octets[at] ^= flips[k];
			}
		}
		rig_books(&b.rig, cases[i].says);
		bench_close(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_extended),
		cmocka_unit_test(test_router6),
		cmocka_unit_test(test_ethernet),
		cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_direction),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_agents),
		cmocka_unit_test(test_peer),
		cmocka_unit_test(test_interface_counters),
		cmocka_unit_test(test_too_many_interfaces),
		cmocka_unit_test(test_context),
		cmocka_unit_test(test_sequence),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_counters_unlogged),
		cmocka_unit_test(test_renormalized),
		cmocka_unit_test(test_exporter_counts),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests_name("collectors/sflow", tests, NULL, NULL);
}
