/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What samples of sFlow tell, and where datagrams that are none end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/sflow.h"
#include "tests/collectors/sflow_bench.h"
#include "tests/proto/hex.h"

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
	    ONE_FLOW("00000070", "00000001")
	    RAW_TCP4, STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 64 } },
	{ "an expanded sample of a tagged frame",
	    HEAD("00000001", "00000001") FLOW_EXPANDED("00000088",
	    "00000000 00000001 ", "00000000 00000002 ", "00000001") RAW_UDP6,
	    STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "2001:db8::1", "2001:db8::2", 17, 12345, 53, 100, 5, 70 } },
	{ "a sampled frame that starts with IPv4",
	    ONE_FLOW("00000054", "00000001")
	    RAW_IP4, STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 17, 12345, 53, 0, 0, 256 } },
	{ "decoded IPv4 and Ethernet in place of a frame",
	    ONE_FLOW("00000068", "00000002")
	    SAMPLED_ETHERNET SAMPLED_IP4, STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 40 } },
	{ "decoded IPv6; the type of ICMP is no port",
	    ONE_FLOW("00000060", "00000001")
	    SAMPLED_IP6, STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "2001:db8::1", "2001:db8::2", 58, 0, 0, 0, 0, 80 } },
	{ "decoded IPv4 beside a frame: its length, the frame's ports",
	    ONE_FLOW("00000098", "00000002")
	    RAW_TCP4 SAMPLED_IP4, STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 40 } },
	{ "a frame of a link layer that is not known, beside decoded IPv4",
	    ONE_FLOW("00000064", "00000002")
	    RAW_X25 SAMPLED_IP4, STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 40 } },
	{ "the same without",
	    ONE_FLOW("0000003c", "00000001")
	    RAW_X25, STAT_DATAGRAMS_DECODED, 0, 1, 0, { 0 } },
	{ "nothing is kept of a broken frame when decoded IPv4 stands in",
	    ONE_FLOW("00000074", "00000002")
	    RAW_BROKEN SAMPLED_IP4, STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 40 } },
	{ "a broken frame alone",
	    ONE_FLOW("0000004c", "00000001")
	    RAW_BROKEN, STAT_DATAGRAMS_DECODED, 0, 0, 1, { 0 } },
	{ "the switch knows the VLAN of an untagged frame",
	    ONE_FLOW("00000088", "00000002")
	    SWITCH("0000000a", "00000014") RAW_TCP4, STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 10, 2, 64 } },
	{ "and its outgoing one where there is no incoming",
	    ONE_FLOW("00000088", "00000002")
	    RAW_TCP4 SWITCH("ffffffff", "00000014"), STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 20, 3, 64 } },
	{ "but not against the frame's own tag",
	    ONE_FLOW("00000094", "00000002")
	    RAW_UDP6 SWITCH("00000000", "00000014"), STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "2001:db8::1", "2001:db8::2", 17, 12345, 53, 100, 5, 70 } },
	{ "records of others are stepped over, with their padding",
	    ONE_FLOW("00000080", "00000002")
	    VENDOR RAW_TCP4, STAT_DATAGRAMS_DECODED, 1, 0, 0,
	    { "192.0.2.1", "198.51.100.2", 6, 40000, 80, 0, 0, 64 } },
	{ "a sampled frame that is not IP",
	    ONE_FLOW("00000048", "00000001")
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
	    ONE_FLOW("00000020", "00000000"),
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
	    ONE_FLOW("00000028", "00000001")
	    "00000001 00000048 ", STAT_DATAGRAMS_DECODED, 0, 0, 1, { 0 } },
	{ "a frame that leaves its record",
	    ONE_FLOW("0000003c", "00000001")
	    "00000001 00000014 00000001 00000040 00000000 000000ff 02010203 ",
	    STAT_DATAGRAMS_DECODED, 0, 0, 1, { 0 } },
	{ "a length that wraps when it is padded",
	    ONE_FLOW("00000028", "00000001")
	    "00000001 fffffffd ", STAT_DATAGRAMS_DECODED, 0, 0, 1, { 0 } },
	{ "a gateway with more segments than octets",
	    ONE_FLOW("00000090", "00000002")
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
	    ONE_FLOW("00000070", "00000001")
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
		ONE_FLOW("000000e8", "00000004")
		    RAW_TCP4 SWITCH("0000000a", "00000014") ROUTER4 GATEWAY,
		ONE_FLOW("000000e8", "00000004")
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
	bench_hex(&b, ONE_FLOW("00000094", "00000002") RAW_TCP4 ROUTER6);
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
	bench_hex(&b, ONE_FLOW("00000068", "00000002") SAMPLED_ETHERNET SAMPLED_IP4);
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
	{ "taken elsewhere", ONE_FLOW("00000070", "00000001") RAW_TCP4, DIRECTION_UNKNOWN },
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

/* What operators' rules compare beside the sample's own: whose it is, and its kind. */
static void
test_context(void **state)
{
	static const struct {
		const char *says, *hex;
		uint32_t type, sub_agent;
	} samples[] = {
		{ "a sample", ONE_FLOW("00000070", "00000001") RAW_TCP4, SFLOW_SAMPLE_FLOW, 7 },
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
		cmocka_unit_test(test_context),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests_name("collectors/sflow", tests, NULL, NULL);
}
