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

#include "proto/packet.h"
#include "tests/proto/hex.h"

/* What is within: 40 octets of TCP, SYN ACK, 40000 > 80, TOS b8; or UDP of IPv6. */
#define IN4 "45b8 0028 1234 4000 4006 0000 0a000001 0a000002 9c40 0050 00000001 00000002 " \
	"5012 ffff 0000 0000 "
#define IN6 "62eabcde 0008 1140 20010db8000000000000000000000001 " \
	"20010db8000000000000000000000002 3039 0035 0008 0000 "
#define PAIR4 "10.0.0.1", "10.0.0.2"
#define PAIR6 "2001:db8::1", "2001:db8::2"
#define MACS "02aabbccddee 020102030405 "

/* What is around: raw IP; a total length of 0 is as much as there is. */
#define IP4(proto) "4500 0000 1234 4000 40" proto " 0000 c0000201 c6336402 "
#define IP6(payload, next) "60000000 " payload " " next "40 20010db80000000000000000000000aa " \
	"20010db80000000000000000000000bb "
#define UDP(dst) IP4("11") "c000 " dst " 0000 0000 "

static const struct {
	const char *says;
	const char *hex;
	const char *src, *dst; /* NULL: nothing within */
	unsigned proto, src_port, dst_port, tos, flags, label;
	bool macs;
	unsigned vxlan, nvgre;
} cases[] = {
	{ "IPv4 in IPv4", IP4("04") IN4, PAIR4, 6, 40000, 80, 0xb8, 0x12, .vxlan = 0 },
	{ "IPv6 in IPv4", IP4("29") IN6, PAIR6, 17, 12345, 53, 0x2e, 0, 0xabcde, .vxlan = 0 },
	{ "IPv4 in IPv6", IP6("0028", "04") IN4, PAIR4, 6, 40000, 80, 0xb8, 0x12, .vxlan = 0 },
	{ "IPv6 in IPv6, behind a segment routing header", IP6("0048", "2b") "2902 0400 0000 0000 "
	    "20010db80000000000000000000000cc " IN6, PAIR6, 17, 12345, 53, 0x2e, 0, 0xabcde,
	    .vxlan = 0 },
	{ "Ethernet in IPv6 (SRv6)", IP6("0036", "8f") MACS "0800 " IN4, PAIR4, 6, 40000, 80, 0xb8, 0x12,
	    0, true, .vxlan = 0 },
	{ "EtherIP", IP4("61") "3000 " MACS "86dd " IN6, PAIR6, 17, 12345, 53, 0x2e, 0, 0xabcde,
	    true, .vxlan = 0 },
	{ "MPLS in IP", IP4("89") "0006413f " IN4, PAIR4, 6, 40000, 80, 0xb8, 0x12, .vxlan = 0 },
	{ "GRE", IP4("2f") "0000 0800 " IN4, PAIR4, 6, 40000, 80, 0xb8, 0x12, .vxlan = 0 },
	{ "GRE with checksum, key and sequence number", IP4("2f")
	    "b000 86dd 00000000 00000007 00000001 " IN6, PAIR6, 17, 12345, 53, 0x2e, 0, 0xabcde,
	    .vxlan = 0 },
	{ "GRE with MPLS", IP4("2f") "0000 8847 0006403f 0006413f " IN4, PAIR4, 6, 40000, 80, 0xb8,
	    0x12, .vxlan = 0 },
	{ "NVGRE", IP4("2f") "2000 6558 0012ab07 " MACS "0800 " IN4, PAIR4, 6, 40000, 80, 0xb8,
	    0x12, 0, true, 0, 0x12ab },
	{ "PPTP with acknowledgement", IP4("2f") "3081 880b 00320007 00000001 00000000 ff0321 "
	    IN4, NULL, NULL, .vxlan = 0 }, /* address and control are compressed away in GRE */
	{ "PPTP", IP4("2f") "3081 880b 00320007 00000001 00000000 21 " IN4, PAIR4, 6, 40000, 80,
	    0xb8, 0x12, .vxlan = 0 },
	{ "ERSPAN", IP4("2f") "0000 88be " MACS "0800 " IN4, PAIR4, 6, 40000, 80, 0xb8, 0x12, 0,
	    true, .vxlan = 0 },
	{ "ERSPAN II", IP4("2f") "1000 88be 00000001 1001000100000000 " MACS "0800 " IN4, PAIR4, 6,
	    40000, 80, 0xb8, 0x12, 0, true, .vxlan = 0 },
	{ "ERSPAN III with a subheader", IP4("2f") "1000 22eb 00000001 2001000100000000 00000001 "
	    "0000000000000000 " MACS "86dd " IN6, PAIR6, 17, 12345, 53, 0x2e, 0, 0xabcde, true,
	    .vxlan = 0 },
	{ "GRE with routing is not looked into", IP4("2f") "4000 0800 00000000 " IN4, NULL, NULL,
	    .vxlan = 0 },
	{ "GRE of version 2", IP4("2f") "0002 0800 " IN4, NULL, NULL, .vxlan = 0 },
	{ "VXLAN", UDP("12b5") "0800000000123400 " MACS "8100 0064 0800 " IN4, PAIR4, 6, 40000, 80,
	    0xb8, 0x12, 0, true, 0x1234, 0 },
	{ "VXLAN on the port that Linux had", UDP("2118") "0800000000000700 " MACS "86dd " IN6,
	    PAIR6, 17, 12345, 53, 0x2e, 0, 0xabcde, true, 7, 0 },
	{ "VXLAN with ARP within has a network identifier", UDP("12b5") "0800000000000900 " MACS
	    "0806 0001", NULL, NULL, .macs = true, .vxlan = 9 },
	{ "VXLAN without an identifier is none", UDP("12b5") "0000000000123400 " MACS "0800 " IN4,
	    NULL, NULL, .vxlan = 0 },
	{ "VXLAN-GPE with IPv6", UDP("12b6") "0c00000200000500 " IN6, PAIR6, 17, 12345, 53, 0x2e, 0,
	    0xabcde, false, 5, 0 },
	{ "VXLAN-GPE with a service header and Ethernet", UDP("12b6") "0c00000400000500 "
	    "0006010300000101 0000000000000000 0000000000000000 " MACS "0800 " IN4, PAIR4, 6,
	    40000, 80, 0xb8, 0x12, 0, false, 5, 0 },
	{ "Geneve with options", UDP("17c1") "0200 6558 00000700 0102030405060708 " MACS "0800 "
	    IN4, PAIR4, 6, 40000, 80, 0xb8, 0x12, 0, true, .vxlan = 0 },
	{ "Geneve with IPv6", UDP("17c1") "0000 86dd 00000700 " IN6, PAIR6, 17, 12345, 53, 0x2e, 0,
	    0xabcde, .vxlan = 0 },
	{ "GTP-U", UDP("0868") "30ff 0028 00000001 " IN4, PAIR4, 6, 40000, 80, 0xb8, 0x12,
	    .vxlan = 0 },
	{ "GTP-U with a sequence number and two extensions", UDP("0868") "36ff 0034 00000001 "
	    "0001 00 85 01 1009 c0 02 0000 00000000 00 " IN6, PAIR6, 17, 12345, 53, 0x2e, 0,
	    0xabcde, .vxlan = 0 },
	{ "GTP-U with an extension of no length", UDP("0868") "34ff 0034 00000001 "
	    "0000 00 85 00 1009 00 " IN4, NULL, NULL, .vxlan = 0 },
	{ "GTP's echo", UDP("0868") "3201 0004 00000000 0001 00 00", NULL, NULL, .vxlan = 0 },
	{ "L2TP with length and offset", UDP("06a5") "4202 0040 0001 0002 0002 0000 ff03 0021 " IN4,
	    PAIR4, 6, 40000, 80, 0xb8, 0x12, .vxlan = 0 },
	{ "L2TP's control", UDP("06a5") "c802 0014 0001 0000 0000 0000", NULL, NULL, .vxlan = 0 },
	{ "GRE in UDP", UDP("1292") "0000 0800 " IN4, PAIR4, 6, 40000, 80, 0xb8, 0x12,
	    .vxlan = 0 },
	{ "MPLS in UDP", UDP("19eb") "0006413f " IN6, PAIR6, 17, 12345, 53, 0x2e, 0, 0xabcde,
	    .vxlan = 0 },
	{ "no tunnel", IP4("06") "9c40 0050 00000001 00000002 5012 ffff 0000 0000", NULL, NULL,
	    .vxlan = 0 },
	{ "IPv4 whose header does not fit in what is said", IP4("29") IN4, NULL, NULL,
	    .vxlan = 0 },
	{ "a header within that was cut", IP4("04") "45b8 0028 1234 4000", NULL, NULL,
	    .vxlan = 0 },
};
#define N_CASES (sizeof(cases) / sizeof(cases[0]))

static struct packet_wants wants;

static enum packet_result
dissect(const struct packet_wants *w, const uint8_t *octets, size_t len, struct flow *f)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct packet_fragment fragment;
	enum packet_result result;

	assert_non_null(copy);
	memcpy(copy, octets, len);
	flow_clear(f);
	result = packet_dissect_more(packet_link(PACKET_LINK_RAW), copy, len, len, w, f,
	    &fragment);
	free(copy);
	return result;
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

	if (want == NULL) {
		if (!ip_is_none(have))
			fail_msg("%s: there is an address", says);
		return;
	}
	(void)ip_format(have, text);
	if (strcmp(text, want) != 0)
		fail_msg("%s: address %s, not %s", says, text, want);
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

		check_number(says, "result", dissect(&wants, octets, n, &f), PACKET_OK);
		check_ip(says, &f.tunnel_src_host, cases[i].src);
		check_ip(says, &f.tunnel_dst_host, cases[i].dst);
		check_number(says, "proto", f.tunnel_proto, cases[i].proto);
		check_number(says, "src_port", f.tunnel_src_port, cases[i].src_port);
		check_number(says, "dst_port", f.tunnel_dst_port, cases[i].dst_port);
		check_number(says, "tos", f.tunnel_tos, cases[i].tos);
		check_number(says, "tcp_flags", f.tunnel_tcp_flags, cases[i].flags);
		check_number(says, "flow_label", f.tunnel_flow_label, cases[i].label);
		check_number(says, "source MAC", f.tunnel_src_mac.b[5], cases[i].macs ? 0x05 : 0);
		check_number(says, "destination MAC", f.tunnel_dst_mac.b[5],
		    cases[i].macs ? 0xee : 0);
		check_number(says, "vxlan", f.vxlan, cases[i].vxlan);
		check_number(says, "nvgre", f.nvgre, cases[i].nvgre);
		/* What is around stays what it is. */
		check_number(says, "bytes", f.bytes, n);
		check_number(says, "own MAC", f.src_mac.b[5], 0);
	}
}

static void
test_hostile(void **state)
{
	static const uint8_t flips[] = { 0x01, 0x10, 0x80, 0xff };
	struct flow f;

	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		uint8_t octets[256];
		size_t n = hex_octets(cases[i].hex, octets, sizeof(octets));

		for (size_t len = 0; len < n; len++)
			(void)dissect(&wants, octets, len, &f);
		for (size_t at = 0; at < n; at++) {
			for (size_t k = 0; k < sizeof(flips); k++) {
				octets[at] ^= flips[k];
				(void)dissect(&wants, octets, n, &f);
				octets[at] ^= flips[k];
			}
		}
	}
}

static const struct {
	const char *says;
	const char *layers;
	const char *hex;
	const char *src, *tunnel_src; /* NULL: none */
	unsigned dst_port;
	size_t beyond; /* octets of headers that do not count */
	unsigned vxlan;
} layered[] = {
	{ "GTP: the inner packet counts", "gtp,2152", UDP("0868") "30ff 0028 00000001 " IN4,
	    "10.0.0.1", NULL, 80, 36, 0 },
	{ "from the port, too; and without a port it is GTP's", "gtp", IP4("11")
	    "0868 c000 0000 0000 30ff 0028 00000001 " IN6, "2001:db8::1", NULL, 53, 36, 0 },
	{ "another port is no tunnel", "GTP , 2153", UDP("0868") "30ff 0028 00000001 " IN4,
	    "192.0.2.1", "10.0.0.1", 2152, 0, 0 },
	{ "VXLAN on a port of the operator's", "vxlan,2153;gtp,2152", UDP("0869")
	    "0800000000123400 " MACS "0800 " IN4, "10.0.0.1", NULL, 80, 50, 0x1234 },
	{ "what is no tunnel behind its port counts itself", "gtp,2152",
	    UDP("0868") "3201 0004 00000000 0001 00 00", "192.0.2.1", NULL, 2152, 0, 0 },
	{ "a tunnel in a tunnel, and one more for the primitives", "gtp; vxlan", UDP("0868")
	    "30ff 0000 00000001 " UDP("12b5") "0800000000000700 " MACS "0800 " IP4("04") IN4,
	    "192.0.2.1", "10.0.0.1", 0, 86, 7 },
	{ "at the fifth tunnel it ends", "gtp", UDP("0868") "30ff 0000 00000001 " UDP("0868")
	    "30ff 0000 00000001 " UDP("0868") "30ff 0000 00000001 " UDP("0868")
	    "30ff 0000 00000001 " UDP("0868") "30ff 0000 00000001 " IN4, "192.0.2.1", "10.0.0.1",
	    2152, 144, 0 },
};

static void
test_layers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(layered) / sizeof(layered[0]); i++) {
		const char *says = layered[i].says;
		struct packet_wants w = wants;
		struct err e = ERR_INIT;
		uint8_t octets[512];
		size_t n = hex_octets(layered[i].hex, octets, sizeof(octets));
		struct flow f;

		assert_int_equal(packet_layers_parse(layered[i].layers, &w, &e), 0);
		check_number(says, "result", dissect(&w, octets, n, &f), PACKET_OK);
		check_ip(says, &f.src_host, layered[i].src);
		check_ip(says, &f.tunnel_src_host, layered[i].tunnel_src);
		check_number(says, "dst_port", f.dst_port, layered[i].dst_port);
		check_number(says, "bytes", f.bytes, n - layered[i].beyond);
		check_number(says, "packets", f.packets, 1);
		check_number(says, "vxlan", f.vxlan, layered[i].vxlan);

		/* Nobody asks for what else is within. */
		w.tunnels = false;
		(void)dissect(&w, octets, n, &f);
		check_ip(says, &f.src_host, layered[i].src);
		check_ip(says, &f.tunnel_src_host, NULL);
	}
}

static void
test_parse(void **state)
{
	static const char *const wrong[] = { "", "ipip", "gtp,", "gtp,0", "gtp,65536", "gtp,x",
		"gtp,2152;", "gtp,1;gtp,2;gtp,3;gtp,4;gtp,5", "gtp,2152 vxlan" };
	struct packet_wants w;
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (packet_layers_parse(wrong[i], &w, &e) == 0)
			fail_msg("'%s' was taken", wrong[i]);
	assert_int_equal(packet_layers_parse("gtp,1; vxlan , 65535 ;geneve;GTP", &w, &e), 0);
	assert_int_equal(w.n_layers, 4);
	assert_int_equal(w.layers[0].port, 1);
	assert_int_equal(w.layers[1].port, 65535);
	assert_int_equal(w.layers[2].port, 6081);
	assert_int_equal(w.layers[3].port, 2152);
	assert_int_equal(w.layers[3].kind, w.layers[0].kind);
	assert_int_not_equal(w.layers[1].kind, w.layers[0].kind);
}

/* A tunnel is looked into for each of the fields that tell of it, and for no other. */
static void
test_wants(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FIELD_COUNT; i++) {
		struct field_set needs = { { 0 } };
		struct packet_wants w;
		bool inner = strncmp(fields[i].config, "tunnel_", 7) == 0 || i == F_VXLAN ||
		    i == F_NVGRE;

		field_set_add(&needs, (enum field_no)i);
		packet_wants_init(&w, &needs);
		if (w.tunnels != inner || w.within != inner)
			fail_msg("%s: %d", fields[i].config, w.tunnels);
	}
}

static int
set_up(void **state)
{
	struct field_set all;

	(void)state;
	memset(&all, 0xff, sizeof(all));
	packet_wants_init(&wants, &all);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_layers),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_wants),
	};

	return cmocka_run_group_tests_name("proto/tunnel", tests, set_up, NULL);
}
