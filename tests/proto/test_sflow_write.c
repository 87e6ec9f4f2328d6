/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Octets by hand from https://sflow.org/sflow_version_5.txt; then read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow/field.h"
#include "lib/intern.h"
#include "proto/sflow_record.h"
#include "proto/sflow_write.h"

#include "tests/proto/hex.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define V4(a, b, c, d) { { [10] = 0xff, [11] = 0xff, [12] = a, b, c, d } }
#define V6(last) { { 0x20, 1, 0xd, 0xb8, [15] = last } }

static void
check_octets(const char *says, const struct wbuf *w, const char *hex)
{
	uint8_t want[512];
	size_t n = hex_octets(hex, want, sizeof(want));

	assert_true(wbuf_ok(w));
	if (wbuf_len(w) != n)
		fail_msg("%s: %zu octets, not %zu", says, wbuf_len(w), n);
	for (size_t i = 0; i < n; i++)
		if (w->start[i] != want[i])
			fail_msg("%s: octet %zu is %02x, not %02x", says, i, w->start[i], want[i]);
}

static const struct {
	const char *says;
	struct sflow_head head;
	const char *hex;
} heads[] = {
	{ "an IPv4 agent", { V4(192, 0, 2, 1), 1402, 7, 60000, 3 },
	    "00000005 00000001 c0000201 0000057a 00000007 0000ea60 00000003" },
	{ "an IPv6 agent", { V6(1), 0, UINT32_MAX, 1, 1 },
	    "00000005 00000002 20010db8000000000000000000000001 00000000 ffffffff 00000001 "
	    "00000001" },
	{ "one that has no address", { .sequence = 1 },
	    "00000005 00000000 00000000 00000001 00000000 00000000" },
};

static void
test_heads(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(heads); i++) {
		uint8_t octets[SFLOW_DATAGRAM_HEADER];
		struct wbuf w = wbuf_of(octets, sizeof(octets));

		(void)wbuf_get(&w, sflow_head_write(&heads[i].head, octets));
		check_octets(heads[i].says, &w, heads[i].hex);
	}
}

/* Flow samples without records. */
static const struct {
	const char *says;
	struct sflow_sample sample;
	const char *hex;
} samples[] = {
	{ "compact", { 3, 512, 1024, 1, 3, 4, false },
	    "00000001 00000020 00000000 00000003 00000200 00000400 00000001 00000003 00000004 "
	    "00000000" },
	{ "from the device itself to one that nobody knows",
	    { 3, 1, 1, 0, SFLOW_INTERFACE_MAX, 0, false },
	    "00000001 00000020 00000000 00000003 00000001 00000001 00000000 3fffffff 00000000 "
	    "00000000" },
	{ "two bits tell that it was thrown away, for reason 5",
	    { 3, 1, 1, 0, 1, UINT32_C(0x40000005), true },
	    "00000001 00000020 00000000 00000003 00000001 00000001 00000000 00000001 40000005 "
	    "00000000" },
	{ "expanded, as its data source is beyond 24 bits", { 0x1000000, 2, 4, 0, 5, 6, false },
	    "00000003 0000002c 00000000 00000000 01000000 00000002 00000004 00000000 00000000 "
	    "00000005 00000000 00000006 00000000" },
	{ "expanded, as an interface is beyond 30 bits",
	    { 1, 2, 4, 0, UINT32_C(0x40000005), 6, false },
	    "00000003 0000002c 00000000 00000000 00000001 00000002 00000004 00000000 00000000 "
	    "40000005 00000000 00000006 00000000" },
	{ "expanded, with what two bits tell",
	    { 0x1000000, 2, 4, 0, 6, UINT32_C(0x80000003), true },
	    "00000003 0000002c 00000000 00000000 01000000 00000002 00000004 00000000 00000000 "
	    "00000006 00000002 00000003 00000000" },
};

static void
test_samples(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(samples); i++) {
		uint8_t octets[256];
		struct wbuf w = wbuf_of(octets, sizeof(octets));
		struct sflow_open o = sflow_sample_begin(&w, &samples[i].sample);

		assert_true(sflow_sample_end(&w, &o));
		check_octets(samples[i].says, &w, samples[i].hex);
	}
}

typedef void write_fn(struct wbuf *w, struct sflow_open *o, const struct flow *f);

static void
write_packet_60(struct wbuf *w, struct sflow_open *o, const struct flow *f)
{
	sflow_write_packet(w, o, f, 60);
}

/* Records of a flow; those with nothing to say are not there. */
static const struct {
	const char *says;
	write_fn *write;
	struct flow flow;
	const char *user, *class;
	const char *hex;
} records[] = {
	{ "IPv4 and TCP", write_packet_60,
	    { .src_host = V4(192, 0, 2, 1), .dst_host = V4(198, 51, 100, 2), .src_port = 40000,
	        .dst_port = 80, .proto = 6, .tcp_flags = 0x112, .tos = 184 }, NULL, NULL,
	    "00000003 00000020 0000003c 00000006 c0000201 c6336402 00009c40 00000050 00000012 "
	    "000000b8" },
	{ "IPv6 and ICMP: type and code stand for ports", write_packet_60,
	    { .src_host = V6(1), .dst_host = V6(2), .proto = 58, .icmp_type = 128, .icmp_code = 3,
	        .src_port = 9 }, NULL, NULL,
	    "00000004 00000038 0000003c 0000003a 20010db8000000000000000000000001 "
	    "20010db8000000000000000000000002 00000080 00000003 00000000 00000000" },
	{ "with MACs", write_packet_60,
	    { .src_host = V4(192, 0, 2, 1), .dst_host = V4(198, 51, 100, 2), .proto = 17,
	        .src_mac = { { 2, 0xaa, 0xbb, 0xcc, 0xdd, 0xee } },
	        .dst_mac = { { 2, 1, 2, 3, 4, 5 } } }, NULL, NULL,
	    "00000002 00000018 0000003c 02aabbccddee0000 0201020304050000 00000800 "
	    "00000003 00000020 0000003c 00000011 c0000201 c6336402 00000000 00000000 00000000 "
	    "00000000" },
	{ "what is not IP has an Ethernet header alone", write_packet_60, { .etype = 0x806 }, NULL,
	    NULL, "00000002 00000018 0000003c 0000000000000000 0000000000000000 00000806" },
	{ "no VLAN, no switch", sflow_write_switch, { .cos = 3 }, NULL, NULL, "" },
	{ "the frame's own VLAN", sflow_write_switch, { .vlan = 100, .cos = 3 }, NULL, NULL,
	    "000003e9 00000010 00000064 00000003 00000000 00000000" },
	{ "VLANs of both sides", sflow_write_switch,
	    { .vlan = 7, .in_vlan = 100, .out_vlan = 200 }, NULL, NULL,
	    "000003e9 00000010 00000064 00000000 000000c8 00000000" },
	{ "no router", sflow_write_router, { .src_as = 1 }, NULL, NULL, "" },
	{ "a router that knows no next hop", sflow_write_router,
	    { .src_mask = 24, .dst_mask = 16 }, NULL, NULL,
	    "000003ea 0000000c 00000000 00000018 00000010" },
	{ "a next hop", sflow_write_router, { .nexthop = V6(3), .dst_mask = 48 }, NULL, NULL,
	    "000003ea 0000001c 00000002 20010db8000000000000000000000003 00000000 00000030" },
	{ "no gateway", sflow_write_gateway, { .nexthop = V6(3) }, NULL, NULL, "" },
	{ "a path of two", sflow_write_gateway,
	    { .peer_dst_ip = V4(192, 0, 2, 9), .src_as = 64500, .peer_src_as = 64501,
	        .peer_dst_as = 64502, .dst_as = 64503 }, NULL, NULL,
	    "000003eb 00000030 00000001 c0000209 00000000 0000fbf4 0000fbf5 00000001 00000002 "
	    "00000002 0000fbf6 0000fbf7 00000000 00000000" },
	{ "the neighbour is the destination", sflow_write_gateway,
	    { .peer_dst_as = 64503, .dst_as = 64503 }, NULL, NULL,
	    "000003eb 00000028 00000000 00000000 00000000 00000000 00000001 00000002 00000001 "
	    "0000fbf7 00000000 00000000" },
	{ "no path", sflow_write_gateway, { .src_as = 64500 }, NULL, NULL,
	    "000003eb 0000001c 00000000 00000000 0000fbf4 00000000 00000000 00000000 00000000" },
	{ "no user", sflow_write_user, { .src_as = 1 }, NULL, NULL, "" },
	{ "a user, padded", sflow_write_user, { 0 }, "alice", NULL,
	    "000003ec 00000018 0000006a 00000005 616c6963 65000000 0000006a 00000000" },
	{ "translated addresses and ports", sflow_write_nat,
	    { .post_nat_src_host = V4(203, 0, 113, 1), .post_nat_src_port = 1025 }, NULL, NULL,
	    "000003ef 0000000c 00000001 cb007101 00000000 000003fc 00000008 00000401 00000000" },
	{ "no tag", sflow_write_tags, { .src_as = 1 }, NULL, NULL, "" },
	{ "tags of 64 bits", sflow_write_tags, { .tag = UINT64_C(0x1122334455667788), .tag2 = 2 },
	    NULL, NULL, "0ab62002 00000010 1122334455667788 0000000000000002" },
	{ "no class", sflow_write_class, { .src_as = 1 }, NULL, NULL, "" },
	{ "a class", sflow_write_class, { 0 }, NULL, "TLS",
	    "0ab62001 00000020 544c5300 00000000 00000000 00000000 00000000 00000000 00000000 "
	    "00000000" },
	{ "one that is cut", sflow_write_class, { 0 }, NULL, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ",
	    "0ab62001 00000020 61626364 65666768 696a6b6c 6d6e6f70 71727374 75767778 797a4142 "
	    "43444500" },
};

static struct flow
record_flow(size_t i)
{
	struct flow f = records[i].flow;

	if (records[i].user != NULL)
		f.user_name = intern(records[i].user, strlen(records[i].user));
	if (records[i].class != NULL)
		f.class_id = intern(records[i].class, strlen(records[i].class));
	return f;
}

static void
test_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(records); i++) {
		uint8_t octets[256];
		struct wbuf w = wbuf_of(octets, sizeof(octets));
		struct sflow_open o = { 0 };
		struct flow f = record_flow(i);

		records[i].write(&w, &o, &f);
		check_octets(records[i].says, &w, records[i].hex);
	}
}

/* A frame of 10 octets, padded; with its checksum 64 on the wire. */
static void
test_header(void **state)
{
	uint8_t octets[256];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	struct sflow_open o = sflow_sample_begin(&w, &samples[0].sample);

	(void)state;
	sflow_write_header(&w, &o, SFLOW_HEADER_ETHERNET, 64, 4,
	    (const uint8_t *)"\2\1\2\3\4\5\2\252\273\314", 10);
	sflow_write_switch(&w, &o, &(struct flow){ .vlan = 100 });
	assert_true(sflow_sample_end(&w, &o));
	check_octets("a frame", &w,
	    "00000001 0000005c 00000000 00000003 00000200 00000400 00000001 00000003 00000004 "
	    "00000002 00000001 0000001c 00000001 00000040 00000004 0000000a 02010203 040502aa "
	    "bbcc0000 000003e9 00000010 00000064 00000000 00000000 00000000");
}

static void
test_counters(void **state)
{
	static const struct sflow_interface i = { 3, 6, UINT64_C(10000000000), 1, 3,
		UINT64_C(0x100000002), 3, 4, SFLOW_COUNTER_NONE, 5, 6, SFLOW_COUNTER_NONE, 7, 8, 9,
		10, 11, 12, 1 };
	static const struct sflow_ethernet e = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 };
	uint8_t octets[256];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	struct sflow_open o = sflow_counters_begin(&w, 3);

	(void)state;
	sflow_write_interface(&w, &o, &i);
	sflow_write_ethernet(&w, &o, &e);
	assert_true(sflow_sample_end(&w, &o));
	check_octets("counters", &w,
	    "00000002 000000a8 00000000 00000003 00000002 "
	    "00000001 00000058 00000003 00000006 00000002540be400 00000001 00000003 "
	    "0000000100000002 00000003 00000004 ffffffff 00000005 00000006 ffffffff "
	    "0000000000000007 00000008 00000009 0000000a 0000000b 0000000c 00000001 "
	    "00000002 00000034 00000001 00000002 00000003 00000004 00000005 00000006 00000007 "
	    "00000008 00000009 0000000a 0000000b 0000000c 0000000d");
	w = wbuf_of(octets, sizeof(octets));
	o = sflow_counters_begin(&w, 0x1000000);
	assert_true(sflow_sample_end(&w, &o));
	check_octets("expanded", &w, "00000004 00000010 00000000 00000000 01000000 00000000");
}

/* What does not fit is as if it had never been begun, wherever the room ends. */
static void
test_no_room(void **state)
{
	uint8_t octets[256];
	struct flow f = { .src_host = V4(192, 0, 2, 1), .dst_host = V4(198, 51, 100, 2),
		.vlan = 5, .tag = 1, .src_as = 7, .src_mask = 8 };

	(void)state;
	for (size_t room = 0; room <= sizeof(octets); room++) {
		struct wbuf w = wbuf_of(octets, room);
		struct sflow_open o = sflow_sample_begin(&w, &samples[0].sample);
		size_t whole = 40 + 40 + 24 + 36 + 20 + 24;

		sflow_write_packet(&w, &o, &f, 60);
		sflow_write_switch(&w, &o, &f);
		sflow_write_gateway(&w, &o, &f);
		sflow_write_router(&w, &o, &f);
		sflow_write_tags(&w, &o, &f);
		assert_int_equal(sflow_sample_end(&w, &o), room >= whole);
		assert_true(wbuf_ok(&w));
		assert_int_equal(wbuf_len(&w), room >= whole ? whole : 0);
	}
}

/* Each data source counts for itself; flow samples and counters apart. */
static void
test_numbers(void **state)
{
	static const uint32_t sources[] = { 1, 2, 1, 0x1000001, 1 };
	static const uint32_t pools[] = { 10, 20, 40, 5, 60 };
	static const uint32_t drops[] = { 0, 7, 1, 1, 2 };
	struct sflow_numbering *g = calloc(1, sizeof(*g));
	uint8_t octets[512];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	struct sflow_open o;

	(void)state;
	assert_non_null(g);
	for (unsigned i = 0; i < 4; i++) {
		o = sflow_sample_begin(&w, &(struct sflow_sample){ sources[i], 2, pools[i], drops[i],
		    1, 2, false });
		assert_true(sflow_sample_end(&w, &o));
	}
	o = sflow_counters_begin(&w, 1);
	assert_true(sflow_sample_end(&w, &o));
	sflow_samples_number(g, octets, wbuf_len(&w), 5);
	check_octets("numbers", &w,
	    "00000001 00000020 00000001 00000001 00000002 0000000a 00000000 00000001 00000002 "
	    "00000000 "
	    "00000001 00000020 00000001 00000002 00000002 00000014 00000007 00000001 00000002 "
	    "00000000 "
	    "00000001 00000020 00000002 00000001 00000002 00000032 00000001 00000001 00000002 "
	    "00000000 "
	    "00000003 0000002c 00000001 00000000 01000001 00000002 00000005 00000001 00000000 "
	    "00000001 00000000 00000002 00000000 "
	    "00000002 0000000c 00000001 00000001 00000000");
	w = wbuf_of(octets, sizeof(octets));
	o = sflow_sample_begin(&w, &(struct sflow_sample){ sources[4], 2, pools[4], drops[4], 1, 2,
	    false });
	assert_true(sflow_sample_end(&w, &o));
	sflow_samples_number(g, octets, wbuf_len(&w), 1);
	check_octets("it goes on", &w,
	    "00000001 00000020 00000003 00000001 00000002 0000006e 00000003 00000001 00000002 "
	    "00000000");
	free(g);
}

/* More data sources than there is room for have numbers all the same, in common. */
static void
test_many_sources(void **state)
{
	struct sflow_numbering *g = calloc(1, sizeof(*g));

	(void)state;
	assert_non_null(g);
	for (uint32_t i = 0; i < 2 * SFLOW_NUMBERED; i++) {
		uint8_t octets[64];
		struct wbuf w = wbuf_of(octets, sizeof(octets));
		struct sflow_open o = sflow_counters_begin(&w, i + 1);

		assert_true(sflow_sample_end(&w, &o));
		sflow_samples_number(g, octets, wbuf_len(&w), 1);
		assert_true(sflow_word(octets, 2) > 0);
		assert_true(i >= SFLOW_NUMBERED || sflow_word(octets, 2) == 1);
	}
	free(g);
}

/* What is written is read as it was. */
static void
test_read_back(void **state)
{
	struct sflow_reading reading;
	struct field_set needs = { 0 };

	(void)state;
	for (int i = 0; i < FIELD_COUNT; i++)
		field_set_add(&needs, (enum field_no)i);
	sflow_reading_init(&reading, &needs);
	reading.version = SFLOW_V5;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		uint8_t octets[512];
		struct wbuf w = wbuf_of(octets, sizeof(octets));
		struct flow f = { .src_host = V4(192, 0, 2, 1), .dst_host = V4(198, 51, 100, 2),
			.src_port = 40000, .dst_port = 80, .proto = 6, .tcp_flags = 0x12, .tos = 8,
			.etype = 0x0800, .vlan = 5, .in_vlan = 5, .out_vlan = 6, .cos = 2,
			.nexthop = V4(192, 0, 2, 3), .src_mask = 24, .dst_mask = 23, .src_as = 1,
			.dst_as = 2, .peer_src_as = 3, .peer_dst_as = 4, .peer_dst_ip = V6(9),
			.tag = 77, .tag2 = 78, .src_mac = { { 2, 3, 4, 5, 6, 7 } },
			.post_nat_dst_host = V4(203, 0, 113, 1), .post_nat_dst_port = 8080,
			.user_name = intern("bob", 3), .class_id = intern("DNS", 3), .packets = 1,
			.bytes = 60 };
		struct sflow_open o = { 0 };
		struct sflow_records rs;
		struct flow g;
		struct rbuf r;

		if (v6) {
			f.src_host = (ip16_t)V6(1);
			f.dst_host = (ip16_t)V6(2);
			f.etype = 0x86dd;
		}
		sflow_write_packet(&w, &o, &f, 60);
		sflow_write_switch(&w, &o, &f);
		sflow_write_router(&w, &o, &f);
		sflow_write_gateway(&w, &o, &f);
		sflow_write_user(&w, &o, &f);
		sflow_write_nat(&w, &o, &f);
		sflow_write_tags(&w, &o, &f);
		sflow_write_class(&w, &o, &f);
		assert_true(wbuf_ok(&w));
		flow_clear(&g);
		r = rbuf_of(octets, wbuf_len(&w));
		assert_true(sflow_records_find(&rs, &r, o.records));
		assert_int_equal(rs.unknown, 0);
		assert_int_equal(sflow_records_read(&reading, &rs, &g), SFLOW_FLOW);
		assert_int_equal(rs.cut, 0);
		for (int i = 0; i < FIELD_COUNT; i++) {
			size_t at = fields[i].offset;

			if (memcmp((uint8_t *)&f + at, (uint8_t *)&g + at, fields[i].octets) != 0)
				fail_msg("%s is another", fields[i].config);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_many_sources),
		cmocka_unit_test(test_read_back),
	};

	return cmocka_run_group_tests_name("sflow_write", tests, NULL, NULL);
}
