/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/intern.h"
#include "rules/columns.h"
#include "rules/synth.h"
#include "tests/proto/hex.h"
#include "tests/rules/expressions.h"

static void
flow_usual(struct flow *f, bool ipv6)
{
	flow_clear(f);
	(void)ip_parse(ipv6 ? "2001:db8::1" : "192.0.2.1", &f->src_host);
	(void)ip_parse(ipv6 ? "2001:db8::2" : "198.51.100.7", &f->dst_host);
	(void)mac_parse("02:00:00:00:00:01", &f->src_mac);
	(void)mac_parse("02:00:00:00:00:02", &f->dst_mac);
	f->proto = 6, f->src_port = 0x1234, f->dst_port = 443;
	f->tos = 0xb8, f->tcp_flags = 0x112, f->ttl = 63, f->flow_label = 0xabcde;
	f->packets = 10, f->bytes = 1005;
}

#define MACS "0200 0000 0002 0200 0000 0001 "
#define IPV4 "45b8 0064 0000 0000 3f06 0000 c000 0201 c633 6407 "
#define TCP  "1234 01bb 0000 0000 0000 0000 5012 0000 0000 0000"
#define IPV6                                                                        \
	"6b8a bcde 003c 063f 2001 0db8 0000 0000 0000 0000 0000 0001 "             \
	"2001 0db8 0000 0000 0000 0000 0000 0002 "

/* What a flow has beside the usual one's. */
static const struct {
	const char *says;
	bool ipv6;
	uint16_t vlan;
	uint8_t cos;
	uint32_t top, bottom;
	const char *stack;
	uint8_t proto;
	uint16_t etype;
	bool no_hosts;
	uint32_t wirelen;
	const char *octets;
} cases[] = {
	{ "IPv4", .proto = 6, .wirelen = 114, .octets = MACS "0800" IPV4 TCP },
	{ "IPv6", .ipv6 = true, .proto = 6, .wirelen = 114, .octets = MACS "86dd" IPV6 TCP },
	{ "a tag and its priority", .vlan = 100, .cos = 5, .proto = 6, .wirelen = 118,
	    .octets = MACS "8100 a064 0800" IPV4 TCP },
	{ "a label", .top = 16, .proto = 6, .wirelen = 118,
	    .octets = MACS "8847 0001 0140 " IPV4 TCP },
	{ "two", .top = 16, .bottom = 17, .proto = 6, .wirelen = 122,
	    .octets = MACS "8847 0001 0040 0001 1140 " IPV4 TCP },
	{ "the same twice is one", .top = 16, .bottom = 16, .proto = 6, .wirelen = 118,
	    .octets = MACS "8847 0001 0140 " IPV4 TCP },
	{ "a stack", .top = 16, .bottom = 18, .stack = "16_17_18", .proto = 6, .wirelen = 126,
	    .octets = MACS "8847 0001 0040 0001 1040 0001 2140 " IPV4 TCP },
	{ "all of it", .ipv6 = true, .vlan = 1, .top = 0xfffff, .proto = 6, .wirelen = 122,
	    .octets = MACS "8100 0001 8847 ffff f140 " IPV6 TCP },
	{ "no IP", .etype = 0x0806, .no_hosts = true, .wirelen = 114, .octets = MACS "0806" },
	{ "an EtherType beside addresses is not asked", .etype = 0x0806, .proto = 6,
	    .wirelen = 114, .octets = MACS "0800" IPV4 TCP },
};

static void
test_frames(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t octets[SYNTH_MAX], want[SYNTH_MAX];
		size_t len = hex_octets(cases[i].octets, want, sizeof(want));
		struct frame frame;
		struct flow f;

		flow_usual(&f, cases[i].ipv6);
		f.vlan = cases[i].vlan, f.cos = cases[i].cos;
		f.mpls_label_top = cases[i].top, f.mpls_label_bottom = cases[i].bottom;
		if (cases[i].stack != NULL)
			f.mpls_label_stack = intern(cases[i].stack, strlen(cases[i].stack));
		f.proto = cases[i].proto, f.etype = cases[i].etype;
		if (cases[i].no_hosts)
			f.src_host = f.dst_host = (ip16_t){ { 0 } };
		synth_frame(&f, octets, &frame);
		if (frame.caplen != len || memcmp(octets, want, len) != 0 ||
		    frame.octets != octets || frame.linktype != FRAME_ETHERNET)
			fail_msg("%s: other octets", cases[i].says);
		if (frame.wirelen != cases[i].wirelen)
			fail_msg("%s: %u octets on the wire", cases[i].says, frame.wirelen);
	}
}

/* Lengths are what they can be, whatever a record says. */
static void
test_lengths(void **state)
{
	static const struct {
		const char *says;
		uint64_t packets, bytes;
		bool ipv6;
		uint32_t wirelen, in_header;
	} lengths[] = {
		{ "the mean, cut", 3, 200, false, 80, 66 },
		{ "one packet", 1, 1500, false, 1514, 1500 },
		{ "no packets", 0, 1500, false, 1514, 1500 },
		{ "no octets", 5, 0, false, 14, 0 },
		{ "IPv6 tells its payload", 1, 1500, true, 1514, 1460 },
		{ "less than its header", 1, 20, true, 34, 0 },
		{ "more than IP can say", 1, 100000, false, 100014, 65535 },
		{ "more than anybody can say", 1, UINT64_MAX, false, UINT32_MAX, 65535 },
		{ "just below", 1, UINT32_MAX - 14, true, UINT32_MAX, 65535 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		uint8_t octets[SYNTH_MAX];
		unsigned at = 14 + (lengths[i].ipv6 ? 4 : 2);
		struct frame frame;
		struct flow f;

		flow_usual(&f, lengths[i].ipv6);
		f.packets = lengths[i].packets, f.bytes = lengths[i].bytes;
		synth_frame(&f, octets, &frame);
		if (frame.wirelen != lengths[i].wirelen ||
		    shape_load16(octets + at) != lengths[i].in_header)
			fail_msg("%s: %u, %u", lengths[i].says, frame.wirelen,
			    shape_load16(octets + at));
	}
}

/* A stack that is longer than any frame of ours, and texts that are none. */
static void
test_stacks(void **state)
{
	static const struct {
		const char *text;
		unsigned labels;
	} stacks[] = {
		{ "1_2_3_4_5_6_7_8_9_10_11_12_13", SYNTH_LABELS },
		{ "1_2_3_4_5_6_7_8_9_10", SYNTH_LABELS },
		{ "____", 4 },
		{ "99999999999999999999_x", 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++) {
		uint8_t octets[SYNTH_MAX];
		struct frame frame;
		struct flow f;

		flow_usual(&f, true);
		f.vlan = 1, f.mpls_label_top = 1;
		f.mpls_label_stack = intern(stacks[i].text, strlen(stacks[i].text));
		synth_frame(&f, octets, &frame);
		assert_true(frame.caplen <= SYNTH_MAX);
		if (frame.caplen != 18 + 4 * stacks[i].labels + 60)
			fail_msg("%s: %u octets", stacks[i].text, frame.caplen);
		/* The bottom is marked, nothing before it. */
		for (unsigned k = 0; k < stacks[i].labels; k++)
			assert_int_equal(octets[18 + 4 * k + 2] & 1, k + 1 == stacks[i].labels);
	}
}

/* Of every layer the rows stand in order, leave no hole, and end where it does. */
static void
test_rows(void **state)
{
	static const unsigned octets[LAYERS] = { [LAYER_ETHER] = 12, [LAYER_TAG] = 4,
		[LAYER_TYPE_IPV4] = 2, [LAYER_TYPE_IPV6] = 2,
		[LAYER_IPV4] = SHAPE_IPV4_OCTETS, [LAYER_IPV6] = SHAPE_IPV6_OCTETS,
		[LAYER_TRANSPORT] = SHAPE_TRANSPORT_OCTETS, [LAYER_NOT_ICMP] = 4,
		[LAYER_AROUND] = 8 };
	unsigned at[LAYERS] = { 0 };

	(void)state;
	for (unsigned i = 0; i < SPOTS; i++) {
		const struct spot_row *row = &spot_rows[i];

		assert_int_equal(row->at, at[row->layer]);
		at[row->layer] += row->octets;
	}
	assert_memory_equal(at, octets, sizeof(at));
	assert_true(SPOTS <= UINT8_MAX);
}

/* What a spot says of a flow is what its frame has there; known bits are as they should be. */
static void
test_spots(void **state)
{
	struct dice d = { 11 };

	(void)state;
	for (unsigned round = 0; round < 5000; round++) {
		uint8_t octets[SYNTH_MAX];
		struct frame frame;
		struct flow f;
		enum shape s;

		flow_random(&d, &f);
		s = shape_made(&f);
		assert_int_equal(s, shape_made_any(&f));
		synth_frame(&f, octets, &frame);
		if (s == SHAPES)
			continue;
		assert_int_equal(shape_seen(&frame), s);
		for (unsigned i = 0; i < SPOTS; i++) {
			const struct spot_row *row = &spot_rows[i];
			int start = shape_layer_start(s, (enum layer)row->layer);
			uint32_t value, want = 0;

			if (start < 0 || row->layer == LAYER_NOT_ICMP)
				continue;
			row->fill(&f, 1, &value);
			value |= row->known[SHAPE_MADE] & row->value;
			for (unsigned o = 0; o < row->octets; o++)
				want = want << 8 | octets[(unsigned)start + row->at + o];
			assert_int_equal(value, want);
			for (unsigned o = 0; o < SHAPE_ORIGINS; o++)
				assert_int_equal((want ^ row->value) & row->known[o], 0);
		}
	}
}

/* Lanes compare as single values do. */
static void
test_comparisons(void **state)
{
	static _Alignas(COLUMN_ALIGN) uint32_t column[FLOW_BATCH];
	struct dice d = { 12 };

	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		static const uint32_t edges[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff };
		uint32_t mask = dice_roll(&d, 2) ? UINT32_MAX : UINT32_MAX << dice_roll(&d, 32);
		uint32_t value = edges[dice_roll(&d, 5)] & mask;
		uint64_t equal = 0, greater = 0;

		for (unsigned i = 0; i < FLOW_BATCH; i++) {
			column[i] = dice_roll(&d, 2) ? edges[dice_roll(&d, 5)]
			                             : dice_roll(&d, UINT32_MAX) * 2;
			equal |= (uint64_t)((column[i] & mask) == value) << i;
			greater |= (uint64_t)((column[i] & mask) > value) << i;
		}
		assert_int_equal(column_equal(column, mask, value), equal);
		assert_int_equal(column_greater(column, mask, value), greater);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_stacks),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_spots),
		cmocka_unit_test(test_comparisons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
