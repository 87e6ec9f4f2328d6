/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/intern.h"
#include "proto/packet.h"
#include "tests/proto/hex.h"

/* Headers, for the cases to be put together from. */
#define MACS "02aabbccddee 020102030405 "
#define ETH4 MACS "0800 "
#define ETH6 MACS "86dd "
/* Total length, first octet, fragment field and protocol vary; TOS is b8. */
#define IP4(ihl, total, frag, proto) \
	"4" ihl "b8 " total " 1234 " frag " 40" proto " 0000 c0000201 c6336402 "
#define V4_PAIR "192.0.2.1", "198.51.100.2"
/* Traffic class is 2e. */
#define IP6(payload, next) \
	"62e00000 " payload next "40 " \
	"20010db8000000000000000000000001 20010db8000000000000000000000002 "
#define V6_PAIR "2001:db8::1", "2001:db8::2"
#define TCP "9c40 0050 00000001 00000002 5012 ffff 0000 0000 " /* 40000 > 80, SYN ACK */
#define UDP(len) "3039 0035 " len " 0000 "                    /* 12345 > 53 */

static const struct {
	const char *says;
	int link;
	const char *hex;
	size_t wire; /* 0: what is there */
	enum packet_result want;
	const char *src, *dst;
	unsigned proto, src_port, dst_port, tos, flags, vlan, cos, etype;
	uint64_t bytes;
} cases[] = {
	{ "TCP over IPv4 over Ethernet", 1, ETH4 IP4("5", "0028", "4000", "06") TCP, 0,
	    PACKET_OK, V4_PAIR, 6, 40000, 80, 0xb8, 0x12, 0, 0, 0x0800, 40 },
	{ "UDP over IPv4; the frame's padding does not count", 1,
	    ETH4 IP4("5", "001c", "0000", "11") UDP("0008") "00000000 00000000 00000000", 0,
	    PACKET_OK, V4_PAIR, 17, 12345, 53, 0xb8, 0, 0, 0, 0x0800, 28 },
	{ "IPv4 options are stepped over", 1,
	    ETH4 IP4("6", "0020", "0000", "11") "01010100 " UDP("0008"), 0,
	    PACKET_OK, V4_PAIR, 17, 12345, 53, 0xb8, 0, 0, 0, 0x0800, 32 },
	{ "the first fragment has ports", 1, ETH4 IP4("5", "001c", "2000", "11") UDP("05dc"), 0,
	    PACKET_OK, V4_PAIR, 17, 12345, 53, 0xb8, 0, 0, 0, 0x0800, 28 },
	{ "a later fragment has none", 1, ETH4 IP4("5", "001c", "20b9", "11") UDP("05dc"), 0,
	    PACKET_OK, V4_PAIR, 17, 0, 0, 0xb8, 0, 0, 0, 0x0800, 28 },
	{ "the last fragment has none", 1, ETH4 IP4("5", "001c", "0001", "06") TCP, 0,
	    PACKET_OK, V4_PAIR, 6, 0, 0, 0xb8, 0, 0, 0, 0x0800, 28 },
	{ "ICMP has no ports", 1, ETH4 IP4("5", "001c", "0000", "01") "0800 1234 0001 0001", 0,
	    PACKET_OK, V4_PAIR, 1, 0, 0, 0xb8, 0, 0, 0, 0x0800, 28 },
	{ "GRE has no ports", 1, ETH4 IP4("5", "0018", "0000", "2f") "0000 0800", 0,
	    PACKET_OK, V4_PAIR, 47, 0, 0, 0xb8, 0, 0, 0, 0x0800, 24 },
	{ "SCTP has ports", 1, ETH4 IP4("5", "0020", "0000", "84") "0b59 0b5a 00000000 00000000", 0,
	    PACKET_OK, V4_PAIR, 132, 2905, 2906, 0xb8, 0, 0, 0, 0x0800, 32 },
	{ "DCCP has ports", 1, ETH4 IP4("5", "0020", "0000", "21") "1388 1389 00000000 00000000", 0,
	    PACKET_OK, V4_PAIR, 33, 5000, 5001, 0xb8, 0, 0, 0, 0x0800, 32 },
	{ "UDP-Lite has ports", 1, ETH4 IP4("5", "001c", "0000", "88") "1388 1389 0008 0000", 0,
	    PACKET_OK, V4_PAIR, 136, 5000, 5001, 0xb8, 0, 0, 0, 0x0800, 28 },
	{ "total length 0 (segmentation in the card) is what the wire had", 1,
	    ETH4 IP4("5", "0000", "4000", "06") TCP, 3014,
	    PACKET_OK, V4_PAIR, 6, 40000, 80, 0xb8, 0x12, 0, 0, 0x0800, 3000 },
	{ "a total length beyond the frame counts: it was cut", 1,
	    ETH4 IP4("5", "05dc", "4000", "06") TCP, 1514,
	    PACKET_OK, V4_PAIR, 6, 40000, 80, 0xb8, 0x12, 0, 0, 0x0800, 1500 },
	{ "snapped within TCP: ports are there, flags are not", 1,
	    ETH4 IP4("5", "0028", "4000", "06") "9c40 0050 00000001 00000002 50", 60,
	    PACKET_OK, V4_PAIR, 6, 40000, 80, 0xb8, 0, 0, 0, 0x0800, 40 },
	{ "snapped within the ports: there are none", 1,
	    ETH4 IP4("5", "0028", "4000", "06") "9c40 00", 60,
	    PACKET_OK, V4_PAIR, 6, 0, 0, 0xb8, 0, 0, 0, 0x0800, 40 },
	{ "snapped within the options: no ports", 1,
	    ETH4 IP4("7", "0030", "4000", "06") "01010101 01", 62,
	    PACKET_OK, V4_PAIR, 6, 0, 0, 0xb8, 0, 0, 0, 0x0800, 48 },
	{ "ports are not read from behind the packet", 1,
	    ETH4 IP4("5", "0014", "4000", "06") TCP, 0,
	    PACKET_OK, V4_PAIR, 6, 0, 0, 0xb8, 0, 0, 0, 0x0800, 20 },
	{ "snapped within the IPv4 header", 1, MACS "0800 4500 0028 1234 4000", 60,
	    PACKET_MALFORMED, .proto = 0 },
	{ "an IPv4 header of less than five words", 1,
	    ETH4 IP4("4", "0028", "4000", "06") TCP, 0, PACKET_MALFORMED, .proto = 0 },
	{ "a total length below the header's", 1,
	    ETH4 IP4("6", "0017", "4000", "06") TCP, 0, PACKET_MALFORMED, .proto = 0 },
	{ "an IPv6 header under IPv4's EtherType", 1,
	    ETH4 IP6("0000", "3b"), 0, PACKET_MALFORMED, .proto = 0 },

	{ "TCP over IPv6", 1, ETH6 IP6("0014", "06") TCP, 0,
	    PACKET_OK, V6_PAIR, 6, 40000, 80, 0x2e, 0x12, 0, 0, 0x86dd, 60 },
	{ "an IPv4 header under IPv6's EtherType", 1,
	    ETH6 IP4("5", "0028", "4000", "06") TCP, 0, PACKET_MALFORMED, .proto = 0 },
	{ "ICMPv6 has no ports", 1, ETH6 IP6("0008", "3a") "8000 1234 0001 0001", 0,
	    PACKET_OK, V6_PAIR, 58, 0, 0, 0x2e, 0, 0, 0, 0x86dd, 48 },
	{ "hop-by-hop options, then UDP", 1, ETH6 IP6("0010", "00")
	    "1100 0104 00000000 " UDP("0008"), 0,
	    PACKET_OK, V6_PAIR, 17, 12345, 53, 0x2e, 0, 0, 0, 0x86dd, 56 },
	{ "hop-by-hop, routing of 24 octets, destination options, TCP", 1, ETH6
	    IP6("003c", "00") "2b00 0104 00000000 3c02 0001 00000000 00000000 00000000 00000000 "
	    "00000000 0600 0104 00000000 " TCP, 0,
	    PACKET_OK, V6_PAIR, 6, 40000, 80, 0x2e, 0x12, 0, 0, 0x86dd, 100 },
	{ "an authentication header counts words, not double words", 1, ETH6 IP6("0020", "33")
	    "1104 0000 00000001 00000001 00000000 00000000 00000000 " UDP("0008"), 0,
	    PACKET_OK, V6_PAIR, 17, 12345, 53, 0x2e, 0, 0, 0, 0x86dd, 72 },
	{ "a mobility header, then nothing", 1, ETH6 IP6("0008", "87") "3b00 0500 00000000", 0,
	    PACKET_OK, V6_PAIR, 59, 0, 0, 0x2e, 0, 0, 0, 0x86dd, 48 },
	{ "the first fragment of IPv6 has ports", 1, ETH6 IP6("0010", "2c")
	    "1100 0001 00001234 " UDP("05dc"), 0,
	    PACKET_OK, V6_PAIR, 17, 12345, 53, 0x2e, 0, 0, 0, 0x86dd, 56 },
	{ "a later one has not, but its protocol", 1, ETH6 IP6("0010", "2c")
	    "1100 05a8 00001234 " UDP("05dc"), 0,
	    PACKET_OK, V6_PAIR, 17, 0, 0, 0x2e, 0, 0, 0, 0x86dd, 56 },
	{ "ESP hides what follows", 1, ETH6 IP6("0008", "32") "00000001 00000001", 0,
	    PACKET_OK, V6_PAIR, 50, 0, 0, 0x2e, 0, 0, 0, 0x86dd, 48 },
	{ "no next header and no payload: 40 octets, whatever pads the frame", 1, ETH6
	    IP6("0000", "3b") "00000000 0000", 0,
	    PACKET_OK, V6_PAIR, 59, 0, 0, 0x2e, 0, 0, 0, 0x86dd, 40 },
	{ "ICMPv6 without payload: 40 octets, and nothing to read behind them", 1, ETH6
	    IP6("0000", "3a") "8000 1234 0001 0001", 0,
	    PACKET_OK, V6_PAIR, 58, 0, 0, 0x2e, 0, 0, 0, 0x86dd, 40 },
	{ "segmentation of IPv6 that is left to the card", 1, ETH6 IP6("0000", "06") TCP, 3054,
	    PACKET_OK, V6_PAIR, 6, 40000, 80, 0x2e, 0x12, 0, 0, 0x86dd, 3040 },
	{ "a jumbogram is as long as the wire says", 1, ETH6 IP6("0000", "00")
	    "0600 c204 00011170 " TCP, 70014 + 40,
	    PACKET_OK, V6_PAIR, 6, 40000, 80, 0x2e, 0x12, 0, 0, 0x86dd, 70040 },
	{ "snapped within an extension header: what it names", 1, ETH6 IP6("0020", "00")
	    "1101 0104 00000000", 94,
	    PACKET_OK, V6_PAIR, 17, 0, 0, 0x2e, 0, 0, 0, 0x86dd, 72 },
	{ "snapped before an extension header: its own number", 1, ETH6 IP6("0020", "2b")
	    "1101", 94, PACKET_OK, V6_PAIR, 43, 0, 0, 0x2e, 0, 0, 0, 0x86dd, 72 },
	{ "snapped within the IPv6 header", 1, ETH6 "60000000 0014 0640 20010db8", 94,
	    PACKET_MALFORMED, .proto = 0 },

	{ "802.1Q", 1, MACS "8100 a064 0800 " IP4("5", "0028", "4000", "06") TCP, 0,
	    PACKET_OK, V4_PAIR, 6, 40000, 80, 0xb8, 0x12, 100, 5, 0x0800, 40 },
	{ "a priority tag is VLAN 0", 1, MACS "8100 6000 86dd " IP6("0014", "06") TCP, 0,
	    PACKET_OK, V6_PAIR, 6, 40000, 80, 0x2e, 0x12, 0, 3, 0x86dd, 60 },
	{ "of 802.1ad and 802.1Q the outer tag", 1,
	    MACS "88a8 207b 8100 e1c8 0800 " IP4("5", "0028", "4000", "06") TCP, 0,
	    PACKET_OK, V4_PAIR, 6, 40000, 80, 0xb8, 0x12, 123, 1, 0x0800, 40 },
	{ "of three old tags the outer one", 1, MACS "9100 0001 9100 0002 8100 0003 0800 "
	    IP4("5", "0028", "4000", "06") TCP, 0,
	    PACKET_OK, V4_PAIR, 6, 40000, 80, 0xb8, 0x12, 1, 0, 0x0800, 40 },
	{ "a frame that ends in its tag", 1, MACS "8100 a0", 64, PACKET_MALFORMED, .proto = 0 },
	{ "a frame that ends in its Ethernet header", 1, "02aabbccddee 0201", 64,
	    PACKET_MALFORMED, .proto = 0 },
	{ "nothing at all", 1, "", 64, PACKET_MALFORMED, .proto = 0 },
	{ "ARP is not IP", 1, MACS "0806 0001 0800 0604 0001", 0, PACKET_NOT_IP,
	    .etype = 0x0806 },
	{ "a length in place of the type, and LLC of something else", 1, MACS "0026 4242 03", 0,
	    PACKET_NOT_IP, .etype = 0 },
	{ "an unknown type behind a tag", 1, MACS "8100 0064 88cc 0000", 0, PACKET_NOT_IP,
	    .vlan = 100, .etype = 0x88cc },

	{ "raw IP, version 4 (DLT_RAW)", 12, IP4("5", "0028", "4000", "06") TCP, 0,
	    PACKET_OK, V4_PAIR, 6, 40000, 80, 0xb8, 0x12, 0, 0, 0x0800, 40 },
	{ "raw IP, version 6 (LINKTYPE_RAW)", 101, IP6("0014", "06") TCP, 0,
	    PACKET_OK, V6_PAIR, 6, 40000, 80, 0x2e, 0x12, 0, 0, 0x86dd, 60 },
	{ "raw IP of no known version", 101, "55000000", 0, PACKET_NOT_IP, .proto = 0 },
	{ "raw IP of no octets", 101, "", 0, PACKET_MALFORMED, .proto = 0 },
	{ "LINKTYPE_IPV4", 228, IP4("5", "0028", "4000", "06") TCP, 0,
	    PACKET_OK, V4_PAIR, 6, 40000, 80, 0xb8, 0x12, 0, 0, 0x0800, 40 },
	{ "LINKTYPE_IPV6", 229, IP6("0014", "06") TCP, 0,
	    PACKET_OK, V6_PAIR, 6, 40000, 80, 0x2e, 0x12, 0, 0, 0x86dd, 60 },
	{ "BSD loopback, written by a little-endian host", 0,
	    "02000000 " IP4("5", "0028", "4000", "06") TCP, 0,
	    PACKET_OK, V4_PAIR, 6, 40000, 80, 0xb8, 0x12, 0, 0, 0x0800, 40 },
	{ "BSD loopback, written by a big-endian host", 0,
	    "00000002 " IP4("5", "0028", "4000", "06") TCP, 0,
	    PACKET_OK, V4_PAIR, 6, 40000, 80, 0xb8, 0x12, 0, 0, 0x0800, 40 },
	{ "Darwin's number for IPv6", 0, "1e000000 " IP6("0014", "06") TCP, 0,
	    PACKET_OK, V6_PAIR, 6, 40000, 80, 0x2e, 0x12, 0, 0, 0x86dd, 60 },
	{ "OpenBSD loopback", 108, "00000018 " IP6("0014", "06") TCP, 0,
	    PACKET_OK, V6_PAIR, 6, 40000, 80, 0x2e, 0x12, 0, 0, 0x86dd, 60 },
	{ "loopback of another family", 0, "07000000 00", 0, PACKET_NOT_IP, .proto = 0 },
	{ "loopback that ends in its header", 0, "0200", 0, PACKET_MALFORMED, .proto = 0 },
	{ "Linux cooked", 113, "0000 0001 0006 0201020304050000 0800 "
	    IP4("5", "0028", "4000", "06") TCP, 0,
	    PACKET_OK, V4_PAIR, 6, 40000, 80, 0xb8, 0x12, 0, 0, 0x0800, 40 },
	{ "Linux cooked, with a tag", 113, "0000 0001 0006 0201020304050000 8100 0064 86dd "
	    IP6("0014", "06") TCP, 0,
	    PACKET_OK, V6_PAIR, 6, 40000, 80, 0x2e, 0x12, 100, 0, 0x86dd, 60 },
	{ "Linux cooked, version 2", 276, "86dd 0000 00000002 0001 00 06 0201020304050000 "
	    IP6("0014", "06") TCP, 0,
	    PACKET_OK, V6_PAIR, 6, 40000, 80, 0x2e, 0x12, 0, 0, 0x86dd, 60 },
	{ "Linux cooked that ends in its header", 113, "0000 0001 0006", 0, PACKET_MALFORMED,
	    .proto = 0 },
	{ "version 2 that ends in its header", 276, "86dd 0000", 0, PACKET_MALFORMED,
	    .proto = 0 },
};
#define N_CASES (sizeof(cases) / sizeof(cases[0]))

/* Dissect a copy of its own size, so that the sanitizer sees a read past the end. */
static enum packet_result
dissect(int link, const uint8_t *octets, size_t len, size_t wire, struct flow *f)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	enum packet_result result;

	assert_non_null(copy);
	memcpy(copy, octets, len);
	flow_clear(f);
	result = packet_dissect(packet_link(link), copy, len, wire, f);
	free(copy);
	return result;
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
check_number(const char *says, const char *what, uint64_t have, uint64_t want)
{
	if (have != want)
		fail_msg("%s: %s is %llu, not %llu", says, what, (unsigned long long)have,
		    (unsigned long long)want);
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		const char *says = cases[i].says;
		uint8_t octets[256];
		size_t n = hex_octets(cases[i].hex, octets, sizeof(octets));
		struct flow f;

		check_number(says, "result", dissect(cases[i].link, octets, n,
		    cases[i].wire != 0 ? cases[i].wire : n, &f), cases[i].want);
		if (cases[i].want == PACKET_MALFORMED)
			continue;
		check_number(says, "etype", f.etype, cases[i].etype);
		check_number(says, "vlan", f.vlan, cases[i].vlan);
		check_number(says, "cos", f.cos, cases[i].cos);
		if (cases[i].want != PACKET_OK)
			continue;
		check_ip(says, &f.src_host, cases[i].src);
		check_ip(says, &f.dst_host, cases[i].dst);
		check_number(says, "proto", f.proto, cases[i].proto);
		check_number(says, "src_port", f.src_port, cases[i].src_port);
		check_number(says, "dst_port", f.dst_port, cases[i].dst_port);
		check_number(says, "tos", f.tos, cases[i].tos);
		check_number(says, "tcp_flags", f.tcp_flags, cases[i].flags);
		check_number(says, "bytes", f.bytes, cases[i].bytes);
		check_number(says, "packets", f.packets, 1);
	}
}

#define SEG(n) "20010db80000000000000000000000" n " "

/* What only some ask for. */
static const struct {
	const char *says;
	int link;
	const char *hex;
	unsigned ttl, label, icmp_type, icmp_code;
	enum packet_fragment_kind kind;
	uint32_t id;
	const char *segments;
} details[] = {
	{ "IPv4 has a time to live and no flow label", 1, ETH4 IP4("5", "0028", "4000", "06") TCP,
	    64, 0, 0, 0, PACKET_FRAGMENT_NONE, 0, "" },
	{ "IPv6 has both", 101, "600abcde 0014 0637 20010db8000000000000000000000001 "
	    "20010db8000000000000000000000002 " TCP, 55, 0xabcde, 0, 0, PACKET_FRAGMENT_NONE, 0,
	    "" },
	{ "ICMP: the host is unreachable", 1, ETH4 IP4("5", "001c", "0000", "01")
	    "0301 1234 0000 0000", 64, 0, 3, 1, PACKET_FRAGMENT_NONE, 0, "" },
	{ "ICMPv6 behind options", 1, ETH6 IP6("0010", "00") "3a00 0104 00000000 "
	    "0400 1234 0001 0001", 64, 0, 4, 0, PACKET_FRAGMENT_NONE, 0, "" },
	{ "ICMP that was cut", 1, ETH4 IP4("5", "001c", "0000", "01") "03", 64, 0, 0, 0,
	    PACKET_FRAGMENT_NONE, 0, "" },
	{ "a later fragment of ICMP has no type", 1, ETH4 IP4("5", "001c", "00b9", "01")
	    "0301 1234 0000 0000", 64, 0, 0, 0, PACKET_FRAGMENT_LATER, 0x1234, "" },
	{ "the first fragment", 1, ETH4 IP4("5", "001c", "2000", "11") UDP("05dc"), 64, 0, 0, 0,
	    PACKET_FRAGMENT_FIRST, 0x1234, "" },
	{ "one in the middle", 1, ETH4 IP4("5", "001c", "2001", "11") UDP("05dc"), 64, 0, 0, 0,
	    PACKET_FRAGMENT_LATER, 0x1234, "" },
	{ "a packet that must not be fragmented is none", 1, ETH4
	    IP4("5", "0028", "4000", "06") TCP, 64, 0, 0, 0, PACKET_FRAGMENT_NONE, 0, "" },
	{ "the first fragment of IPv6", 1, ETH6 IP6("0010", "2c") "1100 0001 00c0ffee "
	    UDP("05dc"), 64, 0, 0, 0, PACKET_FRAGMENT_FIRST, 0xc0ffee, "" },
	{ "the last of IPv6", 1, ETH6 IP6("0010", "2c") "1100 05a8 00c0ffee " UDP("05dc"), 64, 0,
	    0, 0, PACKET_FRAGMENT_LATER, 0xc0ffee, "" },
	{ "a fragment header of the whole (RFC 6946)", 1, ETH6 IP6("0010", "2c")
	    "1100 0000 00c0ffee " UDP("05dc"), 64, 0, 0, 0, PACKET_FRAGMENT_NONE, 0, "" },
	{ "a segment routing header (RFC 8754 s2)", 1, ETH6 IP6("0030", "2b")
	    "1104 0401 0100 0000 " SEG("0a") SEG("0b") UDP("0008"), 64, 0, 0, 0,
	    PACKET_FRAGMENT_NONE, 0, "2001:db8::a_2001:db8::b" },
	{ "TLVs behind its segments are none", 1, ETH6 IP6("0038", "2b")
	    "1105 0400 0000 0000 " SEG("0a") "0506 0000 00000000 0506 0000 00000000 0506 0000 "
	    "00000000 " UDP("0008"), 64, 0, 0, 0, PACKET_FRAGMENT_NONE, 0, "2001:db8::a" },
	{ "more segments than the header has room for", 1, ETH6 IP6("0020", "2b")
	    "1102 0401 ff00 0000 " SEG("0a") UDP("0008"), 64, 0, 0, 0, PACKET_FRAGMENT_NONE, 0,
	    "2001:db8::a" },
	{ "a routing header of mobility has no segments", 1, ETH6 IP6("0020", "2b")
	    "1102 0201 0000 0000 " SEG("0a") UDP("0008"), 64, 0, 0, 0, PACKET_FRAGMENT_NONE, 0,
	    "" },
};

static void
test_details(void **state)
{
	struct packet_fragment fragment;
	struct packet_wants all, none;
	struct field_set needs;

	(void)state;
	memset(&needs, 0, sizeof(needs));
	packet_wants_init(&none, &needs);
	memset(&needs, 0xff, sizeof(needs));
	packet_wants_init(&all, &needs);
	for (size_t i = 0; i < sizeof(details) / sizeof(details[0]); i++) {
		const char *says = details[i].says;
		const struct packet_link *link = packet_link(details[i].link);
		uint8_t octets[256];
		size_t n = hex_octets(details[i].hex, octets, sizeof(octets));
		struct flow f;

		fragment.id = 0;
		flow_clear(&f);
		check_number(says, "result", packet_dissect_more(link, octets, n, n, &all, &f,
		    &fragment), PACKET_OK);
		check_number(says, "ttl", f.ttl, details[i].ttl);
		check_number(says, "flow_label", f.flow_label, details[i].label);
		check_number(says, "icmp_type", f.icmp_type, details[i].icmp_type);
		check_number(says, "icmp_code", f.icmp_code, details[i].icmp_code);
		check_number(says, "kind of fragment", fragment.kind, details[i].kind);
		if (fragment.kind != PACKET_FRAGMENT_NONE)
			check_number(says, "id", fragment.id, details[i].id);
		assert_string_equal(intern_text(f.srv6_seg_ipv6_list), details[i].segments);

		flow_clear(&f);
		(void)packet_dissect_more(link, octets, n, n, &none, &f, &fragment);
		check_number(says, "what nobody wants", f.ttl + f.flow_label +
		    f.srv6_seg_ipv6_list, 0);
	}
}

static void
test_macs(void **state)
{
	static const uint8_t src[6] = { 2, 1, 2, 3, 4, 5 };
	static const uint8_t dst[6] = { 2, 0xaa, 0xbb, 0xcc, 0xdd, 0xee };
	static const uint8_t none[6];

	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		int link = cases[i].link;
		uint8_t octets[256];
		size_t n = hex_octets(cases[i].hex, octets, sizeof(octets));
		bool has_src = link == 1 || link == 113 || link == 276;
		struct flow f;

		if (cases[i].want != PACKET_OK)
			continue;
		(void)dissect(link, octets, n, n, &f);
		assert_memory_equal(f.src_mac.b, has_src ? src : none, 6);
		assert_memory_equal(f.dst_mac.b, link == 1 ? dst : none, 6);
	}
}

static void
test_links(void **state)
{
	(void)state;
	assert_non_null(packet_link(PACKET_LINK_ETHERNET));
	assert_non_null(packet_link(PACKET_LINK_IPV4));
	assert_non_null(packet_link(PACKET_LINK_IPV6));
	assert_null(packet_link(-1));
	assert_null(packet_link(147)); /* DLT_USER0: anybody's */
}

/* Whatever comes: an answer, and a flow that can be counted. */
static void
dissect_anything(int link, const uint8_t *octets, size_t len, size_t wire)
{
	struct flow f;
	enum packet_result result = dissect(link, octets, len, wire, &f);

	assert_true(result == PACKET_OK || result == PACKET_NOT_IP ||
	    result == PACKET_MALFORMED);
	if (result == PACKET_OK) {
		assert_true(f.packets == 1 && f.bytes >= 20);
		assert_false(ip_is_none(&f.src_host) && ip_is_none(&f.dst_host) &&
		    f.etype == 0);
	}
}

static void
test_hostile(void **state)
{
	static const uint8_t flips[] = { 0x01, 0x80, 0xff };

	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		uint8_t octets[256];
		size_t n = hex_octets(cases[i].hex, octets, sizeof(octets));

		for (size_t len = 0; len <= n; len++) {
			dissect_anything(cases[i].link, octets, len, n);
			dissect_anything(cases[i].link, octets, len, 0);
		}
		for (size_t at = 0; at < n; at++) {
			for (size_t k = 0; k < sizeof(flips); k++) {
				octets[at] ^= flips[k];
				dissect_anything(cases[i].link, octets, n, n);
				octets[at] ^= flips[k];
			}
		}
	}
}

/* A hundred tags, and an extension header in every eight octets there are. */
static void
test_stacks(void **state)
{
	uint8_t octets[8192] = { 0 };
	size_t n = hex_octets(MACS, octets, sizeof(octets));
	struct flow f;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		n += hex_octets("8100 0007", octets + n, sizeof(octets) - n);
	n += hex_octets("0800" IP4("5", "0028", "4000", "06") TCP, octets + n,
	    sizeof(octets) - n);
	assert_int_equal(dissect(1, octets, n, n, &f), PACKET_OK);
	assert_int_equal(f.vlan, 7);
	assert_int_equal(f.dst_port, 80);

	n = hex_octets(IP6("1f00", "3c"), octets, sizeof(octets));
	while (n + 8 <= sizeof(octets))
		n += hex_octets("3c00 0104 00000000", octets + n, sizeof(octets) - n);
	assert_int_equal(dissect(101, octets, n, n, &f), PACKET_OK);
	assert_int_equal(f.proto, 60);
}

static const struct {
	const char *says;
	const char *hex;
	enum packet_result want;
	size_t octets; /* of the payload */
} datagrams[] = {
	{ "a UDP datagram", ETH4 IP4("5", "0020", "0000", "11") UDP("000c") "01020304", PACKET_OK,
	    4 },
	{ "an empty one", ETH4 IP4("5", "001c", "0000", "11") UDP("0008"), PACKET_OK, 0 },
	{ "one in a padded frame", ETH4 IP4("5", "001e", "0000", "11") UDP("000a") "0102 00000000",
	    PACKET_OK, 2 },
	{ "one that is shorter than its IP packet", ETH4 IP4("5", "0020", "0000", "11")
	    UDP("000a") "01020304", PACKET_OK, 2 },
	{ "one that the frame does not hold in full", ETH4 IP4("5", "0040", "0000", "11")
	    UDP("002c") "01020304", PACKET_OK, 4 },
	{ "the first fragment", ETH4 IP4("5", "0020", "2000", "11") UDP("05dc") "01020304",
	    PACKET_OK, 4 },
	{ "a later fragment", ETH4 IP4("5", "0020", "0001", "11") UDP("000c") "01020304",
	    PACKET_NOT_UDP, 0 },
	{ "a UDP length below its header", ETH4 IP4("5", "0020", "0000", "11") UDP("0007")
	    "01020304", PACKET_MALFORMED, 0 },
	{ "a UDP header that was cut", ETH4 IP4("5", "0020", "0000", "11") "3039 0035 000c",
	    PACKET_NOT_UDP, 0 },
	{ "TCP", ETH4 IP4("5", "0028", "0000", "06") TCP, PACKET_NOT_UDP, 0 },
	{ "ARP", MACS "0806 0001", PACKET_NOT_IP, 0 },
	{ "a broken IP header", MACS "0800 4500", PACKET_MALFORMED, 0 },
	{ "UDP over IPv6 behind options", ETH6 IP6("0014", "00") "1100 0104 00000000 "
	    UDP("000c") "01020304", PACKET_OK, 4 },
	{ "UDP length 0 is all there is (RFC 2675)", ETH6 IP6("000c", "11") UDP("0000") "01020304",
	    PACKET_OK, 4 },
};

static void
test_datagrams(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(datagrams) / sizeof(datagrams[0]); i++) {
		const char *says = datagrams[i].says;
		uint8_t octets[256];
		size_t n = hex_octets(datagrams[i].hex, octets, sizeof(octets));
		struct rbuf payload = rbuf_of(octets, 0);
		struct flow f;

		flow_clear(&f);
		check_number(says, "result", packet_datagram(packet_link(1), octets, n, n, &f,
		    &payload), datagrams[i].want);
		if (datagrams[i].want != PACKET_OK)
			continue;
		check_number(says, "payload", rbuf_left(&payload), datagrams[i].octets);
		check_number(says, "source port", f.src_port, 12345);
		for (uint8_t k = 1; k <= datagrams[i].octets; k++)
			check_number(says, "an octet of it", rbuf_u8(&payload), k);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_details),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_stacks),
		cmocka_unit_test(test_datagrams),
	};

	return cmocka_run_group_tests_name("proto/packet", tests, NULL, NULL);
}
