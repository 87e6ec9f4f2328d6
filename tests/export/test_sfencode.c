/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "export/dress.h"
#include "export/sfencode.h"
#include "flow/field.h"
#include "lib/intern.h"
#include "proto/sflow_record.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define V4(a, b, c, d) { { [10] = 0xff, [11] = 0xff, [12] = a, b, c, d } }

static const uint8_t ethernet[60] = { 2, 1, 2, 3, 4, 5, 2, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 8, 0,
	0x45, 0, 0, 40, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2 };

static const struct {
	const char *says;
	struct flow flow;
	uint32_t wirelen, linktype; /* of its frame; linktype 0: none */
	enum flow_source source;
	unsigned n;
	struct sfencode_part parts[4];
} divides[] = {
	{ "a packet: its frame and the checksum behind it", { .packets = 1, .bytes = 46 }, 60, 1,
	    SOURCE_PACKETS, 1, { { 64, 1 } } },
	{ "a sampled one is told with it", { .packets = 1, .bytes = 64, .sampling_rate = 512 }, 64,
	    1, SOURCE_SFLOW, 1, { { 64, 512 } } },
	{ "raw IP has none", { .packets = 1, .bytes = 46, .sampling_rate = 10 }, 46, 101,
	    SOURCE_PACKETS, 1, { { 46, 10 } } },
	{ "one that was made up for", { .packets = 100, .bytes = 6000, .sampling_rate = 1 }, 60, 1,
	    SOURCE_PACKETS, 1, { { 64, 100 } } },
	{ "a link layer that sFlow does not know", { .packets = 1, .bytes = 46 }, 60, 113,
	    SOURCE_PACKETS, 1, { { 46, 1 } } },
	{ "a record of packets of one length", { .packets = 10, .bytes = 1000 }, 0, 0,
	    SOURCE_NETFLOW, 1, { { 100, 10 } } },
	{ "what is left over", { .packets = 10, .bytes = 1003 }, 0, 0, SOURCE_NETFLOW, 2,
	    { { 100, 7 }, { 101, 3 } } },
	{ "sampled before", { .packets = 10, .bytes = 1003, .sampling_rate = 100 }, 0, 0,
	    SOURCE_NETFLOW, 2, { { 100, 700 }, { 101, 300 } } },
	{ "more packets than 32 bits hold", { .packets = UINT64_C(9000000000),
	    .bytes = UINT64_C(9000000000) * 50 }, 0, 0, SOURCE_NETFLOW, 3,
	    { { 50, UINT32_MAX }, { 50, UINT32_MAX }, { 50, 410065410 } } },
	{ "far more", { .packets = UINT64_C(90000000000), .bytes = 1 }, 0, 0, SOURCE_NETFLOW, 0,
	    { { 0 } } },
	{ "what overflows", { .packets = UINT64_MAX, .bytes = 1, .sampling_rate = 2 }, 0, 0,
	    SOURCE_NETFLOW, 0, { { 0 } } },
	{ "no packets", { .bytes = 9 }, 0, 0, SOURCE_NETFLOW, 0, { { 0 } } },
	{ "packets longer than any", { .packets = 1, .bytes = UINT64_C(5000000000) }, 0, 0,
	    SOURCE_NETFLOW, 0, { { 0 } } },
};

static void
test_divide(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(divides); i++) {
		const struct frame frame = { .octets = ethernet + (divides[i].linktype == 101 ? 14 : 0),
			.caplen = 46, .wirelen = divides[i].wirelen, .linktype = divides[i].linktype };
		struct sfencode_part parts[SFENCODE_PARTS];
		unsigned n = sfencode_divide(&divides[i].flow,
		    divides[i].linktype != 0 ? &frame : NULL, divides[i].source, parts);
		uint64_t packets = 0, octets = 0;

		if (n != divides[i].n)
			fail_msg("%s: %u samples, not %u", divides[i].says, n, divides[i].n);
		for (unsigned k = 0; k < n; k++) {
			if (parts[k].octets != divides[i].parts[k].octets ||
			    parts[k].rate != divides[i].parts[k].rate)
				fail_msg("%s: sample %u is of %u octets, 1 in %u", divides[i].says, k,
				    parts[k].octets, parts[k].rate);
			packets += parts[k].rate;
			octets += (uint64_t)parts[k].octets * parts[k].rate;
		}
		if (n > 0 && divides[i].linktype == 0) { /* to the unit */
			uint64_t rate =
			    divides[i].flow.sampling_rate != 0 ? divides[i].flow.sampling_rate : 1;

			assert_int_equal(packets, divides[i].flow.packets * rate);
			assert_int_equal(octets, divides[i].flow.bytes * rate);
		}
	}
}

static void
test_protocols(void **state)
{
	static const struct {
		uint32_t linktype;
		const char *start;
		uint32_t len, protocol;
	} cases[] = {
		{ 1, "", 0, SFLOW_HEADER_ETHERNET },
		{ 101, "\x45", 1, SFLOW_HEADER_IPV4 },
		{ 101, "\x60", 1, SFLOW_HEADER_IPV6 },
		{ 12, "\x60", 1, SFLOW_HEADER_IPV6 },
		{ 101, "\x50", 1, 0 },
		{ 101, "\x45", 0, 0 },
		{ 228, "\x45", 1, SFLOW_HEADER_IPV4 },
		{ 229, "\x60", 1, SFLOW_HEADER_IPV6 },
		{ 9, "", 0, SFLOW_HEADER_PPP },
		{ 105, "", 0, SFLOW_HEADER_80211 },
		{ 113, "", 0, 0 }, /* Linux cooked */
		{ 276, "", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++)
		assert_int_equal(sfencode_protocol(cases[i].linktype, (const uint8_t *)cases[i].start,
		                     cases[i].len), cases[i].protocol);
}

/* Words of a compact sample: which interface is its source, which ones were passed. */
static const struct {
	const char *says;
	struct flow flow;
	uint32_t ifindex;
	enum flow_source source;
	uint32_t want_source, in, out;
} interfaces[] = {
	{ "on the way in", { .in_iface = 3, .out_iface = 4, .sampling_direction = DIRECTION_IN }, 9,
	    SOURCE_SFLOW, 3, 3, 4 },
	{ "on the way out", { .in_iface = 3, .out_iface = 4, .sampling_direction = DIRECTION_OUT },
	    9, SOURCE_SFLOW, 4, 3, 4 },
	{ "nobody says which", { .in_iface = 3, .out_iface = 4 }, 9, SOURCE_NETFLOW, 3, 3, 4 },
	{ "the way out alone", { .out_iface = 4 }, 9, SOURCE_NETFLOW, 4, 0, 4 },
	{ "none but that of the capture", { .in_iface = 0 }, 9, SOURCE_PACKETS, 9, 9, 0 },
	{ "on its way out", { .sampling_direction = DIRECTION_OUT }, 9, SOURCE_PACKETS, 9, 0, 9 },
	{ "none at all", { .in_iface = 0 }, 0, SOURCE_NETFLOW, 0, 0, 0 },
	{ "an agent's source that is neither", { .in_iface = 3, .out_iface = 4, .engine_id = 70 }, 9,
	    SOURCE_SFLOW, 70, 3, 4 },
	{ "NetFlow's engine is no interface", { .in_iface = 3, .engine_id = 70 }, 9, SOURCE_NETFLOW,
	    3, 3, 0 },
	{ "from the device itself, discarded", { .in_iface = 0x3fffffff, .out_iface = 0x40000100 },
	    0, SOURCE_SFLOW, 0, 0x3fffffff, 0x40000100 },
};

static void
test_interfaces(void **state)
{
	static const struct sfencode_part part = { 60, 1 };

	(void)state;
	for (size_t i = 0; i < N(interfaces); i++) {
		const struct sfencode_config c = { .header_octets = 128,
			.ifindex = interfaces[i].ifindex };
		uint8_t octets[256];
		struct wbuf w = wbuf_of(octets, sizeof(octets));

		assert_true(sfencode_write(&w, &c, &interfaces[i].flow, NULL, interfaces[i].source,
		    &part, 1, 0));
		assert_int_equal(sflow_word(octets, 0), SFLOW_SAMPLE_FLOW);
		if (sflow_word(octets, 3) != interfaces[i].want_source ||
		    sflow_word(octets, 7) != interfaces[i].in ||
		    sflow_word(octets, 8) != interfaces[i].out)
			fail_msg("%s: source %u, in %u, out %u", interfaces[i].says,
			    sflow_word(octets, 3), sflow_word(octets, 7), sflow_word(octets, 8));
	}
}

/* What does not fit with all that is known goes alone; tags only where they are asked for. */
static void
test_room(void **state)
{
	static const struct sfencode_part part = { 64, 1 };
	const struct frame frame = { .octets = ethernet, .caplen = sizeof(ethernet), .wirelen = 60,
		.linktype = FRAME_ETHERNET };
	struct sfencode_config c = { .header_octets = 32 };
	char name[201] = { 0 };
	struct flow f = { .src_host = V4(192, 0, 2, 1), .tag = 7, .vlan = 5 };
	uint8_t octets[512];
	struct wbuf w = wbuf_of(octets, sizeof(octets));

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	f.user_name = intern(name, sizeof(name) - 1);
	assert_true(sfencode_write(&w, &c, &f, &frame, SOURCE_PACKETS, &part, 1, 0));
	assert_int_equal(sflow_word(octets, 9), 3); /* frame, switch, user */
	assert_int_equal(sflow_word(octets, 15), 32); /* octets of the frame */
	w = wbuf_of(octets, 200);
	assert_true(sfencode_write(&w, &c, &f, &frame, SOURCE_PACKETS, &part, 1, 0));
	assert_int_equal(sflow_word(octets, 9), 1);
	c.tags = true;
	w = wbuf_of(octets, 200);
	assert_true(sfencode_write(&w, &c, &f, &frame, SOURCE_PACKETS, &part, 1, 0));
	assert_int_equal(sflow_word(octets, 9), 2);
	w = wbuf_of(octets, 90);
	assert_false(sfencode_write(&w, &c, &f, &frame, SOURCE_PACKETS, &part, 1, 0));
	assert_int_equal(wbuf_len(&w), 0);
}

static const struct {
	const char *says;
	struct dress dress;
	struct flow flow;
	uint32_t in, out;
	uint8_t direction;
} dresses[] = {
	{ "a number where there is none", { .ifindex = 5 }, { .in_iface = 0 }, 5, 0, 0 },
	{ "one that is there stays", { .ifindex = 5 }, { .in_iface = 3 }, 3, 0, 0 },
	{ "unless it is overridden", { .ifindex = 5, .overrides = true }, { .in_iface = 3 }, 5, 0,
	    0 },
	{ "on the way out", { .direction = DRESS_OUT, .ifindex = 5 }, { .in_iface = 3 }, 3, 5,
	    DIRECTION_OUT },
	{ "by tag", { .direction = DRESS_TAG, .by_tag2 = true }, { .tag = 2, .tag2 = 6 }, 0, 6,
	    DIRECTION_OUT },
	{ "by the second tag", { .direction = DRESS_TAG2, .by_tag = true }, { .tag = 7, .tag2 = 1 },
	    7, 0, DIRECTION_IN },
	{ "a tag that is no direction", { .direction = DRESS_TAG }, { .tag = 3,
	    .sampling_direction = DIRECTION_OUT }, 0, 0, DIRECTION_OUT },
	{ "a tag that is no interface", { .by_tag = true }, { .tag = UINT64_C(1) << 32 }, 0, 0, 0 },
};

static void
test_dress(void **state)
{
	struct dress d = { 0 };
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < N(dresses); i++) {
		struct flow f = dresses[i].flow;

		dress_flow(&dresses[i].dress, &f);
		if (f.in_iface != dresses[i].in || f.out_iface != dresses[i].out ||
		    f.sampling_direction != dresses[i].direction)
			fail_msg("%s: in %u, out %u, direction %u", dresses[i].says, f.in_iface,
			    f.out_iface, f.sampling_direction);
	}
	assert_false(dress_is_wanted(&d));
	assert_int_equal(dress_ifindex_read(&d, "x", "4294967295", &e), 0);
	assert_int_equal(d.ifindex, UINT32_MAX);
	assert_true(dress_is_wanted(&d));
	assert_int_equal(dress_ifindex_read(&d, "x", "tag2", &e), 0);
	assert_true(d.by_tag2 && !d.by_tag);
	assert_int_not_equal(dress_ifindex_read(&d, "x", "4294967296", &e), 0);
	assert_int_not_equal(dress_ifindex_read(&d, "x", "eth0", &e), 0);
	assert_int_equal(dress_ifindex_read(&d, "x", "0", &e), 0);
	assert_int_not_equal(dress_ifindex_read(&d, "x", "", &e), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_divide),
		cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_dress),
	};

	return cmocka_run_group_tests_name("sfencode", tests, NULL, NULL);
}
