/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow/text.h"
#include "lib/wbuf.h"
#include "proto/sflow_record.h"

#include "tests/proto/hex.h"

/* 54 octets of Ethernet, IPv4 and TCP, sent as 60 and 4 of checksum, which was stripped. */
#define TCP4 "020102030405 02aabbccddee 0800 4500 0028 1234 4000 4006 0000 c0000201 c6336402 " \
	"9c40 0050 00000001 00000002 5012 ffff 0000 0000 "
#define FRAME_TCP4 "00000001 00000040 00000004 00000036 " TCP4
/* 20 octets of an ARP frame. */
#define FRAME_ARP "00000001 00000040 00000004 00000010 020102030405 02aabbccddee 0806 0001 "
#define FRAME_BROKEN "00000001 00000040 00000004 00000014 020102030405 02aabbccddee 8100 a064 " \
	"0800 4200 "
/* UDP over IPv4, nothing before it: 28 octets of 240. */
#define UDP4 "4500 00f0 0000 0000 4011 0000 c0000201 c6336402 3039 0035 00dc 0000 "
#define UDP6 "62e00000 0008 1140 20010db8000000000000000000000001 " \
	"20010db8000000000000000000000002 3039 0035 0008 0000 "
/* Length, protocol, addresses, ports, TCP flags, type of service. */
#define IP4 "00000028 00000006 c0000201 c6336402 00009c40 00000050 00000012 000000b8 "
#define IP6 "00000050 0000003a 20010db8000000000000000000000001 " \
	"20010db8000000000000000000000002 00000080 00000000 000000ff 0000002e "
/* Length, source, destination, type. */
#define ETHERNET(etype) "00000040 02aabbccddee0000 0201020304050000 0000" etype " "
#define TUPLE4 "src_host=192.0.2.1 dst_host=198.51.100.2 "
#define TUPLE6 "src_host=2001:db8::1 dst_host=2001:db8::2 "

#define N(enterprise, number) SFLOW_FORMAT(enterprise, number)

/* A format and its body; an odd body is padded. */
struct record {
	uint32_t format;
	const char *body;
};

#define RECORDS 4U

static const struct {
	const char *says;
	struct record records[RECORDS + 1]; /* `body` NULL behind the last */
	enum sflow_verdict verdict;
	uint32_t unknown, cut;
	const char *want; /* names and values of primitives */
} cases[] = {
	{ "nothing", { { 0 } }, SFLOW_NOT_FLOW, 0, 0, "" },
	{ "a frame: its length counts with the link layer", { { 1, FRAME_TCP4 } }, SFLOW_FLOW, 0, 0,
	    TUPLE4 "src_port=40000 dst_port=80 proto=tcp tcpflags=18 bytes=64 packets=1 etype=800 "
	    "src_mac=02:aa:bb:cc:dd:ee dst_mac=02:01:02:03:04:05 ttl=64 link_bytes=64" },
	{ "a frame that starts with IPv4", { { 1, "0000000b 000000f0 00000000 0000001c " UDP4 } },
	    SFLOW_FLOW, 0, 0, TUPLE4 "src_port=12345 dst_port=53 proto=udp bytes=240 etype=800" },
	{ "one that starts with IPv6", { { 1, "0000000c 00000030 00000000 00000030 " UDP6 } },
	    SFLOW_FLOW, 0, 0, TUPLE6 "src_port=12345 dst_port=53 proto=udp bytes=48 tos=46" },
	{ "one of ATM that carries IP alone", { { 1, "0000000a 000000f0 00000000 0000001c " UDP4 } },
	    SFLOW_FLOW, 0, 0, TUPLE4 "proto=udp bytes=240" },
	{ "one of PPP", { { 1, "00000007 000000f2 00000000 0000001e 0021 " UDP4 } }, SFLOW_FLOW, 0, 0,
	    TUPLE4 "src_port=12345 proto=udp bytes=242" },
	{ "one of PPP over SONET", { { 1, "0000000e 000000f4 00000000 00000020 ff030021 " UDP4 } },
	    SFLOW_FLOW, 0, 0, TUPLE4 "src_port=12345 proto=udp bytes=244 etype=800" },
	{ "one of MPLS: its labels count before those that the router tells", { { 1,
	    "0000000d 000000f8 00000000 00000024 00064040 000c8140 " UDP4 }, { 1006,
	    "00000001 c0a80001 00000001 0012c140 00000000" } }, SFLOW_FLOW, 0, 0, TUPLE4
	    "mpls_label_top=100 mpls_label_bottom=200 mpls_label_stack=100_200 bytes=248" },
	{ "one of 802.11, with LLC and SNAP", { { 1, "0000000f 00000120 00000000 0000003c "
	    "0801 0000 020102030405 02aabbccddee 020102030405 0000 aaaa03000000 0800 " UDP4 } },
	    SFLOW_FLOW, 0, 0, TUPLE4 "src_port=12345" },
	{ "one of several in a frame of 802.11", { { 1, "00000011 00000106 00000000 00000032 "
	    "020102030405 02aabbccddee 00f8 aaaa03000000 0800 " UDP4 } }, SFLOW_FLOW, 0, 0,
	    TUPLE4 "src_port=12345 src_mac=02:aa:bb:cc:dd:ee bytes=262" },
	{ "what the frame has beyond ports, where it is asked for", { { 1, FRAME_TCP4 } }, SFLOW_FLOW,
	    0, 0, "ttl=64" },
	{ "a frame that is not IP", { { 1, FRAME_ARP } }, SFLOW_NOT_FLOW, 0, 0, "" },
	{ "a frame of X.25", { { 1, "00000006 00000040 00000000 00000004 10010000" } },
	    SFLOW_NOT_FLOW, 0, 0, "" },
	{ "a frame of a link layer that was not invented",
	    { { 1, "ffffffff 00000040 00000000 00000004 10010000" } }, SFLOW_NOT_FLOW, 0, 0, "" },
	{ "a frame that contradicts itself", { { 1, FRAME_BROKEN } }, SFLOW_MALFORMED, 0, 0, "" },
	{ "nothing is kept of it where decoded IPv4 stands in", { { 1, FRAME_BROKEN }, { 3, IP4 } },
	    SFLOW_FLOW, 0, 0, TUPLE4 "vlan=0 cos=0 src_mac=00:00:00:00:00:00" },
	{ "a frame that leaves its record", { { 1, "00000001 00000040 00000000 000000ff 02010203" } },
	    SFLOW_MALFORMED, 0, 0, "" },
	{ "a record too short for the head of a frame", { { 1, "00000001 00000040 00000000" } },
	    SFLOW_MALFORMED, 0, 0, "" },
	{ "decoded IPv4", { { 3, IP4 } }, SFLOW_FLOW, 0, 0,
	    TUPLE4 "src_port=40000 dst_port=80 proto=tcp tcpflags=18 tos=184 bytes=40 packets=1 "
	    "etype=800" },
	{ "decoded IPv6; the type of ICMP is no port", { { 4, IP6 } }, SFLOW_FLOW, 0, 0,
	    TUPLE6 "src_port=0 dst_port=0 proto=ipv6-icmp tcpflags=0 tos=46 bytes=80 etype=86dd" },
	{ "decoded IPv4 beside a frame: its length, the frame's ports",
	    { { 1, FRAME_TCP4 }, { 3, "00000028 00000011 c0000201 c6336402 00000001 00000002 "
	    "00000000 00000000" } }, SFLOW_FLOW, 0, 0,
	    "proto=tcp src_port=40000 dst_port=80 bytes=40 packets=1" },
	{ "decoded IPv4 that ends early", { { 3, "00000028 00000006 c0000201 c6336402 " } },
	    SFLOW_MALFORMED, 0, 0, "" },
	{ "a decoded Ethernet header gives the addresses of decoded IPv4",
	    { { 3, IP4 }, { 2, ETHERNET("0800") } }, SFLOW_FLOW, 0, 0,
	    TUPLE4 "src_mac=02:aa:bb:cc:dd:ee dst_mac=02:01:02:03:04:05 bytes=40 etype=800" },
	{ "alone it makes a flow without addresses, if it carried IP", { { 2, ETHERNET("86dd") } },
	    SFLOW_FLOW, 0, 0, "src_host=0.0.0.0 src_mac=02:aa:bb:cc:dd:ee bytes=64 packets=1 "
	    "etype=86dd" },
	{ "but not if it carried ARP", { { 2, ETHERNET("0806") } }, SFLOW_NOT_FLOW, 0, 0, "" },
	{ "beside a frame it changes nothing", { { 1, FRAME_TCP4 }, { 2, "00000099 0203040506070000 "
	    "0203040506080000 000086dd" } }, SFLOW_FLOW, 0, 0,
	    "src_mac=02:aa:bb:cc:dd:ee etype=800 bytes=64" },
	{ "the switch knows the VLAN", { { 1, FRAME_TCP4 }, { 1001,
	    "0000000a 00000002 00000014 00000003" } }, SFLOW_FLOW, 0, 0,
	    "vlan=10 cos=2 in_vlan=10 out_vlan=20" },
	{ "its outgoing one where there is no incoming", { { 1, FRAME_TCP4 }, { 1001,
	    "ffffffff 00000002 00000014 00000003" } }, SFLOW_FLOW, 0, 0,
	    "vlan=20 cos=3 in_vlan=0 out_vlan=20" },
	{ "a priority that is none", { { 1, FRAME_TCP4 }, { 1001,
	    "0000000a ffffffff 00000014 ffffffff" } }, SFLOW_FLOW, 0, 0, "vlan=10 cos=0" },
	{ "the router, by IPv4", { { 1, FRAME_TCP4 }, { 1002, "00000001 c0a80001 00000018 00000010" } },
	    SFLOW_FLOW, 0, 0, "nexthop=192.168.0.1 src_mask=24 dst_mask=16" },
	{ "and by IPv6; masks that are none", { { 1, FRAME_TCP4 }, { 1002, "00000002 "
	    "20010db8000000000000000000000009 00000081 00000080" } }, SFLOW_FLOW, 0, 0,
	    "nexthop=2001:db8::9 src_mask=0 dst_mask=128" },
	{ "a next hop that is not known", { { 1, FRAME_TCP4 }, { 1002, "00000000 00000018 00000010" } },
	    SFLOW_FLOW, 0, 0, "nexthop=0.0.0.0 src_mask=24 dst_mask=16" },
	/* Own AS 65000; source 65001 by way of 65002; path 65010 65011, then the set of 65020. */
	{ "the gateway: the last of the path is the destination's AS", { { 1, FRAME_TCP4 }, { 1003,
	    "00000001 0a000001 0000fde8 0000fde9 0000fdea 00000002 00000002 00000002 0000fdf2 0000fdf3 "
	    "00000001 00000001 0000fdfc 00000001 fde80001 00000064" } }, SFLOW_FLOW, 0, 0,
	    "peer_dst_ip=10.0.0.1 src_as=65001 peer_src_as=65002 dst_as=65020 peer_dst_as=65010" },
	{ "a path without segments: the destination is in the router's own AS", { { 1, FRAME_TCP4 },
	    { 1003, "00000001 0a000001 0000fde8 0000fde9 0000fdea 00000000 00000000 00000000" } },
	    SFLOW_FLOW, 0, 0, "src_as=65001 dst_as=0 peer_dst_as=0" },
	{ "a segment without AS", { { 1, FRAME_TCP4 }, { 1003, "00000001 0a000001 0000fde8 0000fde9 "
	    "0000fdea 00000002 00000002 00000001 0000fdf2 00000002 00000000 00000000 00000000" } },
	    SFLOW_FLOW, 0, 0, "dst_as=65010 peer_dst_as=65010" },
	{ "a gateway whose record ends before the path", { { 1, FRAME_TCP4 },
	    { 1003, "00000001 0a000001 0000fde8 0000fde9 0000fdea" }, { 1002,
	    "00000001 c0a80001 00000018 00000010" } }, SFLOW_FLOW, 0, 0,
	    "peer_dst_ip=10.0.0.1 src_as=65001 peer_src_as=65002 dst_as=0 src_mask=24" },
	{ "more segments than octets", { { 1, FRAME_TCP4 },
	    { 1003, "00000001 0a000001 0000fde8 0000fde9 0000fdea ffffffff" } }, SFLOW_FLOW, 0, 1,
	    "src_as=0 peer_dst_ip=0.0.0.0" },
	{ "a segment of more AS than octets", { { 1, FRAME_TCP4 }, { 1003,
	    "00000001 0a000001 0000fde8 0000fde9 0000fdea 00000001 00000002 c0000001 0000fdf2" } },
	    SFLOW_FLOW, 0, 1, "src_as=0 dst_as=0" },
	{ "the user of the source", { { 1, FRAME_TCP4 }, { 1004, "0000006a 00000003 616c6300 0000006a "
	    "00000003 626f6200" } }, SFLOW_FLOW, 0, 0, "user_name=alc" },
	{ "or of the destination, without padding at the end", { { 1, FRAME_TCP4 }, { 1004,
	    "0000006a 00000000 0000006a 00000003 626f62" } }, SFLOW_FLOW, 0, 0, "user_name=bob" },
	{ "a user longer than the record", { { 1, FRAME_TCP4 }, { 1004, "0000006a fffffffe 616c6300" } },
	    SFLOW_FLOW, 0, 1, "user_name=" },
	{ "labels, as the packet came", { { 1, FRAME_TCP4 }, { 1006, "00000001 c0a80001 00000002 "
	    "00064040 000c8140 00000001 001f4140" } }, SFLOW_FLOW, 0, 0, "nexthop=192.168.0.1 "
	    "mpls_label_top=100 mpls_label_bottom=200 mpls_label_stack=100_200" },
	{ "no labels", { { 1, FRAME_TCP4 }, { 1006, "00000000 00000000 00000000" } }, SFLOW_FLOW,
	    0, 0, "mpls_label_top=0 mpls_label_stack=" },
	{ "more labels than octets", { { 1, FRAME_TCP4 }, { 1006, "00000000 40000000 00064140" } },
	    SFLOW_FLOW, 0, 1, "mpls_label_top=0" },
	{ "addresses and ports after translation", { { 1, FRAME_TCP4 },
	    { 1007, "00000001 0a000001 00000002 20010db8000000000000000000000009" },
	    { 1020, "00000401 00000051" } }, SFLOW_FLOW, 0, 0, "post_nat_src_host=10.0.0.1 "
	    "post_nat_dst_host=2001:db8::9 post_nat_src_port=1025 post_nat_dst_port=81" },
	{ "an address of a kind that has no length", { { 1, FRAME_TCP4 },
	    { 1007, "00000001 0a000001 00000003 0a000001" } }, SFLOW_FLOW, 0, 1,
	    "post_nat_src_host=0.0.0.0" },
	{ "a pseudowire", { { 1, FRAME_TCP4 }, { 1009, "00000002 76630000 0000002a 00000005" } },
	    SFLOW_FLOW, 0, 0, "mpls_pw_id=42" },
	{ "one whose record ends in its name", { { 1, FRAME_TCP4 }, { 1009, "00000002 7663" } },
	    SFLOW_FLOW, 0, 1, "mpls_pw_id=0" },
	{ "what has no primitive is known all the same", { { 1, FRAME_TCP4 },
	    { 1005, "00000001 00000001 2f000000 00000001 68000000" }, { 1008, "00000000 00000001 00000002" },
	    { 1013, "000fac04 00000000" } }, SFLOW_FLOW, 0, 0, TUPLE4 },
	{ "tags that the switch took off", { { 1, FRAME_TCP4 }, { 1012, "00000002 88a80064 810000c8" } },
	    SFLOW_FLOW, 0, 0, "vlan=100 in_vlan=100 in_cvlan=200" },
	{ "but the switch has the word", { { 1, FRAME_TCP4 }, { 1012, "00000001 88a80064" }, { 1001,
	    "0000000a 00000002 00000014 00000003" } }, SFLOW_FLOW, 0, 0,
	    "vlan=10 in_vlan=10 in_cvlan=0" },
	{ "more tags than octets", { { 1, FRAME_TCP4 }, { 1012, "ffffffff 88a80064" } }, SFLOW_FLOW,
	    0, 1, "vlan=0" },
	{ "the network of a tunnel, incoming before outgoing", { { 1, FRAME_TCP4 },
	    { 1029, "000000c8" }, { 1030, "00000064" } }, SFLOW_FLOW, 0, 0, "vxlan=100" },
	{ "tags and class of pmacct's probe", { { 1, FRAME_TCP4 },
	    { N(43874, 2), "0000000100000000 0000000000000007" },
	    { N(43874, 1), "68747470000000000000000000000000" }, { N(43874, 3), "0000005b00000007" } },
	    SFLOW_FLOW, 0, 0,
	    "tag=4294967296 tag2=7 class=http" },
	{ "and of its first versions", { { 1, FRAME_TCP4 }, { N(8800, 2), "00000005 00000006" } },
	    SFLOW_FLOW, 0, 0, "tag=5 tag2=6" },
	{ "numbers of another enterprise are not the standard's", { { 1, FRAME_TCP4 },
	    { N(43874, 1001), "0000000a 00000002 00000014 00000003" }, { N(1, 1), "00000000" } },
	    SFLOW_FLOW, 2, 0, "vlan=0" },
	{ "what others wrote is stepped over, with its padding", { { N(4300, 7), "010203040506" },
	    { 1, FRAME_TCP4 } }, SFLOW_FLOW, 1, 0, TUPLE4 "bytes=64" },
	{ "the order does not matter", { { 1002, "00000001 c0a80001 00000018 00000010" }, { 1001,
	    "0000000a 00000002 00000014 00000003" }, { 3, IP4 }, { 1, FRAME_TCP4 } }, SFLOW_FLOW,
	    0, 0, "vlan=10 src_mask=24 bytes=40 src_port=40000" },
	{ "records may grow at their ends", { { 1, FRAME_TCP4 "0000" }, { 1001,
	    "0000000a 00000002 00000014 00000003 00000001" }, { 1002,
	    "00000001 c0a80001 00000018 00000010 11111111" } }, SFLOW_FLOW, 0, 0,
	    "vlan=10 dst_mask=16" },
	{ "short ones give nothing, and do not harm the others", { { 1, FRAME_TCP4 }, { 1001, "0000000a" },
	    { 1002, "00000001 c0a80001" }, { N(43874, 2), "00" } }, SFLOW_FLOW, 0, 3,
	    "vlan=0 nexthop=0.0.0.0 tag=0 bytes=64" },
};
#define N_CASES (sizeof(cases) / sizeof(cases[0]))

/* What is on the wire: format, length, body, padding. Returns how many there are. */
static uint32_t
records_put(struct wbuf *w, const struct record *records)
{
	uint32_t n = 0;

	for (; records[n].body != NULL; n++) {
		uint8_t body[256];
		size_t octets = hex_octets(records[n].body, body, sizeof(body));

		wbuf_u32(w, records[n].format);
		wbuf_u32(w, (uint32_t)octets);
		wbuf_put(w, body, octets);
		while (wbuf_len(w) % 4 != 0)
			wbuf_u8(w, 0);
	}
	assert_true(wbuf_ok(w));
	return n;
}

static void
needs_all(struct field_set *needs)
{
	memset(needs, 0, sizeof(*needs));
	for (int i = 0; i < FIELD_COUNT; i++)
		field_set_add(needs, (enum field_no)i);
}

/* Compare `f` with "name=value ...". */
static void
check_flow(const char *says, const struct flow *f, const char *want)
{
	const struct text_opts opts = { .num_protos = false };
	char words[512], *save = NULL;

	assert_true(strlen(want) < sizeof(words));
	strcpy(words, want);
	for (char *w = strtok_r(words, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
		char *value = strchr(w, '='), text[TEXT_MAX];
		const struct field *d;

		assert_non_null(value);
		d = field_find(w, (size_t)(value - w));
		if (d == NULL)
			fail_msg("%s: no primitive %s", says, w);
		text_value(d, (const uint8_t *)f + d->offset, &opts, text);
		if (strcmp(text, value + 1) != 0)
			fail_msg("%s: %s is %s, not %s", says, d->config, text, value + 1);
	}
}

static void
check_number(const char *says, const char *what, unsigned have, unsigned want)
{
	if (have != want)
		fail_msg("%s: %s is %u, not %u", says, what, have, want);
}

static void
test_cases(void **state)
{
	struct sflow_reading reading;
	struct field_set needs;

	(void)state;
	needs_all(&needs);
	sflow_reading_init(&reading, &needs);
	reading.version = SFLOW_V5;
	for (size_t i = 0; i < N_CASES; i++) {
		uint8_t octets[1024];
		struct wbuf w = wbuf_of(octets, sizeof(octets));
		uint32_t n = records_put(&w, cases[i].records);
		struct rbuf r = rbuf_of(octets, wbuf_len(&w));
		struct sflow_records rs;
		struct flow f;

		flow_clear(&f);
		if (!sflow_records_find(&rs, &r, n))
			fail_msg("%s: are not all found", cases[i].says);
		check_number(cases[i].says, "what is left", (unsigned)rbuf_left(&r), 0);
		check_number(cases[i].says, "verdict", sflow_records_read(&reading, &rs, &f),
		    cases[i].verdict);
		check_number(cases[i].says, "unknown", rs.unknown, cases[i].unknown);
		check_number(cases[i].says, "cut", rs.cut, cases[i].cut);
		check_flow(cases[i].says, &f, cases[i].want);
	}
}

static const struct {
	const char *says, *hex;
	uint32_t n;
} losts[] = {
	{ "one where two are announced", "000003e9 00000010 0000000a 00000002 00000014 00000003", 2 },
	{ "more than a word can count", "", UINT32_MAX },
	{ "one that leaves the sample", "00000001 00000048", 1 },
	{ "a length that wraps when it is padded", "00000001 fffffffd", 1 },
	{ "a head that ends early", "00000001 0000", 1 },
};

static void
test_lost(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(losts) / sizeof(losts[0]); i++) {
		struct sflow_records rs;
		uint8_t octets[64];
		struct rbuf r =
		    rbuf_of(octets, hex_octets(losts[i].hex, octets, sizeof(octets)));

		if (sflow_records_find(&rs, &r, losts[i].n))
			fail_msg("%s: are said to be there", losts[i].says);
	}
}

/* The 32 octets behind the number of extended data that follow packet data. */
#define OLD_FRAME "00000001 00000001 00000040 00000036 " TCP4 "0000 "

static const struct {
	const char *says;
	uint32_t version;
	const char *hex;
	bool whole;
	enum sflow_verdict verdict;
	uint32_t unknown;
	const char *want;
} olds[] = {
	{ "a frame: nothing says what was stripped", 4, OLD_FRAME "00000000", true, SFLOW_FLOW, 0,
	    TUPLE4 "src_port=40000 dst_port=80 proto=tcp bytes=64 src_mac=02:aa:bb:cc:dd:ee" },
	{ "decoded IPv4", 2, "00000002 " IP4 "00000000", true, SFLOW_FLOW, 0,
	    TUPLE4 "src_port=40000 proto=tcp tos=184 bytes=40" },
	{ "decoded IPv6", 4, "00000003 " IP6 "00000000", true, SFLOW_FLOW, 0, TUPLE6 "bytes=80" },
	{ "switch and router", 2, OLD_FRAME "00000002 00000001 0000000a 00000002 00000014 00000003 "
	    "00000002 00000001 c0a80001 00000018 00000010", true, SFLOW_FLOW, 0,
	    "vlan=10 out_vlan=20 nexthop=192.168.0.1 src_mask=24 dst_mask=16" },
	{ "the gateway of version 2: a path of one segment", 2, OLD_FRAME "00000002 00000003 0000fde8 "
	    "0000fde9 0000fdea 00000002 0000fdf2 0000fdf3 00000002 00000002 "
	    "20010db8000000000000000000000009 00000040 00000030", true, SFLOW_FLOW, 0,
	    "src_as=65001 peer_src_as=65002 peer_dst_as=65010 dst_as=65011 src_mask=64 "
	    "peer_dst_ip=0.0.0.0" },
	{ "that of version 4: segments, communities, preference", 4, OLD_FRAME "00000002 00000003 "
	    "0000fde8 0000fde9 0000fdea 00000002 00000002 00000002 0000fdf2 0000fdf3 00000001 00000001 "
	    "0000fdfc 00000002 fde80001 fde80002 00000064 00000001 0000000a 00000002 00000014 00000003",
	    true, SFLOW_FLOW, 0, "src_as=65001 dst_as=65020 peer_dst_as=65010 vlan=10" },
	{ "users and an address of the web", 4, OLD_FRAME "00000003 00000004 00000003 616c6300 "
	    "00000000 00000005 00000001 00000005 2f612f6200000000 00000001 0000000a 00000002 00000014 "
	    "00000003", true, SFLOW_FLOW, 0, "user_name=alc vlan=10" },
	{ "packet data that nobody knows", 4, "00000004 00000000", false, SFLOW_NOT_FLOW, 1, "" },
	{ "an extension that nobody knows; what stands before it counts", 4, OLD_FRAME "00000002 "
	    "00000001 0000000a 00000002 00000014 00000003 00000006 00000000", false, SFLOW_FLOW, 1,
	    TUPLE4 "vlan=10" },
	{ "an extension that ends early", 4, OLD_FRAME "00000001 00000001 0000000a", false,
	    SFLOW_FLOW, 0, TUPLE4 "vlan=0" },
	{ "a gateway of version 4 with more segments than octets", 4, OLD_FRAME "00000001 00000003 "
	    "0000fde8 0000fde9 0000fdea ffffffff 00000002 00000001 0000fdf2", false, SFLOW_FLOW, 0,
	    TUPLE4 "src_as=0" },
	{ "more extensions than octets", 4, OLD_FRAME "ffffffff", false, SFLOW_FLOW, 0, TUPLE4 },
	{ "no number of extensions", 4, OLD_FRAME, false, SFLOW_FLOW, 0, TUPLE4 },
	{ "a frame that is longer than the datagram", 4, "00000001 00000001 00000040 00000037 " TCP4,
	    false, SFLOW_NOT_FLOW, 0, "" },
	{ "nothing", 2, "", false, SFLOW_NOT_FLOW, 0, "" },
};

static void
test_old(void **state)
{
	struct sflow_reading reading;
	struct field_set needs;

	(void)state;
	needs_all(&needs);
	sflow_reading_init(&reading, &needs);
	for (size_t i = 0; i < sizeof(olds) / sizeof(olds[0]); i++) {
		uint8_t octets[512];
		struct rbuf r =
		    rbuf_of(octets, hex_octets(olds[i].hex, octets, sizeof(octets)));
		struct sflow_records rs;
		struct flow f;

		flow_clear(&f);
		reading.version = olds[i].version;
		check_number(olds[i].says, "whole",
		    sflow_records_find_old(&rs, &r, olds[i].version), olds[i].whole);
		if (olds[i].whole)
			check_number(olds[i].says, "what is left", (unsigned)rbuf_left(&r), 0);
		check_number(olds[i].says, "unknown", rs.unknown, olds[i].unknown);
		check_number(olds[i].says, "verdict", sflow_records_read(&reading, &rs, &f),
		    olds[i].verdict);
		check_flow(olds[i].says, &f, olds[i].want);
	}
}

/* Frames that are not IP, where the operator wants them. */
static void
test_unknown_etype(void **state)
{
	static const struct record records[] = { { 1, FRAME_ARP }, { 1001,
	    "0000000a 00000002 00000014 00000003" }, { 0 } };
	struct sflow_reading reading;
	struct sflow_records rs;
	struct field_set needs;
	uint8_t octets[512];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	uint32_t n = records_put(&w, records);
	struct rbuf r = rbuf_of(octets, wbuf_len(&w));
	struct flow f;

	(void)state;
	needs_all(&needs);
	sflow_reading_init(&reading, &needs);
	reading.version = SFLOW_V5;
	reading.unknown_etype = true;
	flow_clear(&f);
	assert_true(sflow_records_find(&rs, &r, n));
	assert_int_equal(sflow_records_read(&reading, &rs, &f), SFLOW_FLOW);
	check_flow("ARP", &f, "etype=806 bytes=64 packets=1 src_mac=02:aa:bb:cc:dd:ee vlan=10");
}

/* What nobody needs is not interned. */
/* GTP-U from port 2152 to it, with UDP4 within: the layers decide which of them counts. */
static void
test_tunnel(void **state)
{
	static const struct record records[] = { { 1, "0000000b 00000114 00000000 00000040 "
		"4500 0114 0000 0000 4011 0000 0a000001 0a000002 0868 0868 0100 0000 "
		"30ff 00f0 00000001 " UDP4 }, { 0 } };
	const struct field_set none = { { 0 } };
	struct err e = ERR_INIT;

	(void)state;
	for (int layered = 0; layered < 2; layered++) {
		struct sflow_reading reading;
		struct sflow_records rs;
		uint8_t octets[512];
		struct wbuf w = wbuf_of(octets, sizeof(octets));
		uint32_t n = records_put(&w, records);
		struct rbuf r = rbuf_of(octets, wbuf_len(&w));
		struct flow f;

		sflow_reading_init(&reading, &none);
		reading.version = SFLOW_V5;
		if (layered)
			assert_int_equal(packet_layers_parse("gtp", &reading.wants, &e), 0);
		flow_clear(&f);
		assert_true(sflow_records_find(&rs, &r, n));
		assert_int_equal(sflow_records_read(&reading, &rs, &f), SFLOW_FLOW);
		assert_int_equal(f.src_port, layered ? 12345 : 2152);
		assert_int_equal(f.dst_port, layered ? 53 : 2152);
		assert_int_equal(f.bytes, 276); /* of the frame, as always with samples */
	}
}

static void
test_needs(void **state)
{
	static const struct record records[] = { { 1, FRAME_TCP4 },
		{ 1004, "0000006a 00000009 6e6f626f647931323300000000000000 00000000" },
		{ 1006, "00000001 c0a80001 00000001 00064140 00000000" },
		{ N(43874, 1), "6e6f636c617373303000000000000000" }, { 0 } };
	const struct field_set none = { { 0 } };
	struct sflow_reading reading;
	struct sflow_records rs;
	uint8_t octets[512];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	uint32_t n = records_put(&w, records);
	struct rbuf r = rbuf_of(octets, wbuf_len(&w));
	struct flow f;

	(void)state;
	sflow_reading_init(&reading, &none);
	reading.version = SFLOW_V5;
	flow_clear(&f);
	assert_true(sflow_records_find(&rs, &r, n));
	assert_int_equal(sflow_records_read(&reading, &rs, &f), SFLOW_FLOW);
	assert_int_equal(f.user_name, 0);
	assert_int_equal(f.class_id, 0);
	assert_int_equal(f.mpls_label_stack, 0);
	assert_int_equal(f.mpls_label_top, 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_old),
		cmocka_unit_test(test_unknown_etype),
		cmocka_unit_test(test_tunnel),
		cmocka_unit_test(test_needs),
	};

	return cmocka_run_group_tests_name("proto/sflow_record", tests, NULL, NULL);
}
