/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What classifiers are given of a packet: never more than was captured, or than is its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow/frame.h"
#include "proto/packet.h"
#include "tests/proto/hex.h"

#define ETH "02aabbccddee 020102030405 "
#define IP4(total, frag, proto) "4500 " total " 1234 " frag " 40" proto " 0000 c0000201 c6336402 "
#define IP6(payload, next) \
	"60000000 " payload next "40 20010db8000000000000000000000001 20010db8000000000000000000000002 "
#define TCP(offset) "9c40 0050 00000001 00000002 " offset "018 ffff 0000 0000 "
#define UDP "3039 0035 000b 0000 "
#define ABC "616263"

static const struct {
	const char *says;
	int link;
	const char *layers; /* of tunnels that are entered */
	const char *hex;
	size_t ip;          /* where its header begins */
	size_t ip_octets;   /* 0: there is nothing to look at */
	const char *payload;
} cases[] = {
	{ "UDP over Ethernet", 1, NULL, ETH "0800 " IP4("001f", "0000", "11") UDP ABC, 14, 31, "abc" },
	{ "padding is not of the packet", 1, NULL, ETH "0800 " IP4("001f", "0000", "11") UDP ABC
	    "0000000000", 14, 31, "abc" },
	{ "a length beyond the frame: what there is", 1, NULL, ETH "0800 " IP4("05dc", "0000", "11") UDP
	    ABC, 14, 31, "abc" },
	{ "segmentation in the card: what there is", 1, NULL, ETH "0800 " IP4("0000", "4000", "06")
	    TCP("5") ABC, 14, 43, "abc" },
	{ "TCP with options", 1, NULL, ETH "0800 " IP4("002f", "4000", "06") TCP("6") "01010101" ABC, 14,
	    47, "abc" },
	{ "a TCP header that reaches beyond the packet", 1, NULL, ETH "0800 " IP4("002b", "4000", "06")
	    TCP("f") ABC, 14, 43, "" },
	{ "a TCP header of four words", 1, NULL, ETH "0800 " IP4("002b", "4000", "06") TCP("4") ABC, 14,
	    43, "" },
	{ "a TCP header of no words", 1, NULL, ETH "0800 " IP4("002b", "4000", "06") TCP("0") ABC, 14,
	    43, "" },
	{ "a VLAN", 1, NULL, ETH "8100 0064 0800 " IP4("001f", "0000", "11") UDP ABC, 18, 31, "abc" },
	{ "IPv6 and extension headers", 1, NULL, ETH "86dd " IP6("0013", "00") "1100 0104 00000000 " UDP
	    ABC, 14, 59, "abc" },
	{ "raw IP", 101, NULL, IP4("001f", "0000", "11") UDP ABC, 0, 31, "abc" },
	{ "neither TCP nor UDP: a header, and no payload", 101, NULL, IP4("001c", "0000", "01")
	    "0800 1234 0001 0001", 0, 28, "" },
	{ "the first fragment", 101, NULL, IP4("001f", "2000", "11") UDP ABC, 0, 31, "abc" },
	{ "later ones have nothing", 101, NULL, IP4("001f", "20b9", "11") UDP ABC, 0, 0, "" },
	{ "nor has the last", 101, NULL, IP4("001f", "0001", "11") UDP ABC, 0, 0, "" },
	{ "nor what is not IP", 1, NULL, ETH "0806 0001080006040001", 0, 0, "" },
	{ "the packet around a tunnel", 101, NULL, IP4("0033", "0000", "04")
	    IP4("001f", "0000", "11") UDP ABC, 0, 51, "" },
	{ "the one within, where layers say so", 101, "vxlan", IP4("0059", "0000", "11")
	    "c000 12b5 0045 0000 08000000 00000700 " ETH "0800 " IP4("001f", "0000", "11") UDP ABC, 50,
	    31, "abc" },
};

static const struct packet_wants *
wants_of(const char *layers, struct packet_wants *w)
{
	static const struct field_set none;
	struct err e = ERR_INIT;

	packet_wants_init(w, &none);
	if (layers != NULL)
		assert_int_equal(packet_layers_parse(layers, w, &e), 0);
	return w;
}

/* The same frame, of which `len` octets were captured, on memory of its own. */
static bool
content_of(size_t i, const uint8_t *octets, size_t len, size_t wire, struct packet_content *c,
    uint8_t **copy)
{
	struct packet_wants w;
	struct frame frame = { .wirelen = (uint32_t)wire, .caplen = (uint32_t)len };

	*copy = malloc(len > 0 ? len : 1);
	assert_non_null(*copy);
	memcpy(*copy, octets, len);
	frame.octets = *copy;
	return packet_content(packet_link(cases[i].link), &frame, wants_of(cases[i].layers, &w), c);
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t octets[256], *copy;
		size_t len = hex_octets(cases[i].hex, octets, sizeof(octets));
		size_t payload = strlen(cases[i].payload);
		struct packet_content c;

		if (content_of(i, octets, len, len, &c, &copy) != (cases[i].ip_octets > 0))
			fail_msg("%s: content", cases[i].says);
		if (cases[i].ip_octets > 0 &&
		    ((size_t)(c.ip - copy) != cases[i].ip || c.ip_octets != cases[i].ip_octets))
			fail_msg("%s: %zu octets at %zu", cases[i].says, c.ip_octets,
			    (size_t)(c.ip - copy));
		if (cases[i].ip_octets > 0 && (rbuf_left(&c.payload) != payload ||
		                                  memcmp(c.payload.p, cases[i].payload, payload) != 0))
			fail_msg("%s: %zu octets of payload", cases[i].says, rbuf_left(&c.payload));
		free(copy);
	}
}

/* However much was captured of it, and whatever octet is another. */
static void
test_bounds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t octets[256];
		size_t len = hex_octets(cases[i].hex, octets, sizeof(octets));

		for (size_t k = 0; k < len * (len + 1); k++) {
			size_t cut = k % (len + 1), at = k / (len + 1);
			struct packet_content c;
			uint8_t *copy;

			octets[at] ^= 0xff;
			if (content_of(i, octets, cut, len, &c, &copy)) {
				assert_true(c.ip >= copy && c.ip + c.ip_octets <= copy + cut);
				assert_true(c.payload.p >= c.ip && c.payload.p <= c.payload.end);
				assert_ptr_equal(c.payload.end, c.ip + c.ip_octets);
			}
			octets[at] ^= 0xff;
			free(copy);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests_name("proto/content", tests, NULL, NULL);
}
