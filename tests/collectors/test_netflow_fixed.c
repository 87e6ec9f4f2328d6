/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/collectors/netflow_bench.h"

static void
test_v5_record(void **state)
{
	struct bench b;
	struct wbuf w;
	const struct flow *f;
	const uint8_t dst[4] = { 198, 51, 100, 2 }, hop[4] = { 192, 0, 2, 254 };
	ip16_t a;

	(void)state;
	bench_open(&b, false);
	v5_header(&w, 1, 0);
	v5_record(&w, 6, UPTIME_MS - 100001, UPTIME_MS - 1);
	assert_int_equal(bench_feed(&b, &w), 1);
	f = &b.pipeline.flows[0];
	assert_int_equal(f->src_host.b[12], 10);
	assert_int_equal(f->src_host.b[15], 1);
	a = ip_from_v4(dst);
	assert_true(ip_equal(&f->dst_host, &a));
	a = ip_from_v4(hop);
	assert_true(ip_equal(&f->nexthop, &a));
	a = ip_from_v4(bench_sender);
	assert_true(ip_equal(&f->peer_src_ip, &a));
	assert_true(ip_is_none(&f->peer_dst_ip));
	assert_int_equal(f->in_iface, 0x102);
	assert_int_equal(f->out_iface, 0x304);
	assert_int_equal(f->packets, 5);
	assert_int_equal(f->bytes, 0xffffffff);
	assert_int_equal(f->flows, 1);
	assert_int_equal(f->src_port, 1024);
	assert_int_equal(f->dst_port, 2048);
	assert_int_equal(f->tcp_flags, 0x1b);
	assert_int_equal(f->proto, 6);
	assert_int_equal(f->tos, 0xb8);
	assert_int_equal(f->src_as, 65001);
	assert_int_equal(f->dst_as, 65002);
	assert_int_equal(f->src_mask, 24);
	assert_int_equal(f->dst_mask, 16);
	assert_int_equal(f->etype, 0x800);
	assert_int_equal(f->sampling_rate, 250);
	assert_int_equal(
	    f->timestamp_start, NOW_S * CLOCK_S + 250 * CLOCK_MS - 100001 * CLOCK_MS);
	assert_int_equal(f->timestamp_end, NOW_S * CLOCK_S + 249 * CLOCK_MS);
	assert_int_equal(f->timestamp_arrival, ARRIVAL);
	/* The bin goes by whole seconds: 1700000000 - 3600 + 3500. */
	assert_int_equal(f->stamp, (NOW_S - 100) * CLOCK_S);
	assert_int_equal(bench_stat(&b, STAT_DATAGRAMS_DECODED), 1);
	bench_books(&b, "one record");
	bench_close(&b);
}

static const struct {
	const char *says;
	uint8_t proto;
	uint16_t src_port, dst_port;
} ports[] = {
	{ "TCP has ports", 6, 1024, 2048 },
	{ "UDP has ports", 17, 1024, 2048 },
	{ "DCCP has ports", 33, 1024, 2048 },
	{ "SCTP has ports", 132, 1024, 2048 },
	{ "UDP-Lite has ports", 136, 1024, 2048 },
	{ "ICMP has type and code in the destination port", 1, 0, 2048 },
	{ "ICMPv6 likewise", 58, 0, 2048 },
	{ "GRE has no ports", 47, 0, 0 },
	{ "IGMP has no ports", 2, 0, 0 },
};

static void
test_v5_ports(void **state)
{
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		v5_header(&w, 1, (uint32_t)i);
		v5_record(&w, ports[i].proto, 0, 0);
		assert_int_equal(bench_feed(&b, &w), 1);
		if (b.pipeline.flows[0].src_port != ports[i].src_port ||
		    b.pipeline.flows[0].dst_port != ports[i].dst_port)
			fail_msg("%s: %u, %u", ports[i].says,
			    b.pipeline.flows[0].src_port, b.pipeline.flows[0].dst_port);
	}
	bench_close(&b);
}

static const struct {
	const char *says;
	uint16_t count; /* in the header */
	unsigned records; /* there */
	size_t more; /* octets after them */
	unsigned want;
	enum stat_no fate;
} counts[] = {
	{ "the count is right", 3, 3, 0, 3, STAT_DATAGRAMS_DECODED },
	{ "no records", 0, 0, 0, 0, STAT_DATAGRAMS_DECODED },
	{ "more than thirty", 40, 40, 0, 40, STAT_DATAGRAMS_DECODED },
	{ "padding after the records", 2, 2, 6, 2, STAT_DATAGRAMS_DECODED },
	{ "what follows the count is no flows", 2, 36, 0, 2, STAT_DATAGRAMS_DECODED },
	{ "fewer there than announced", 3, 2, 0, 2, STAT_BAD_SHORT },
	{ "the last is cut", 3, 2, 47, 2, STAT_BAD_SHORT },
	{ "a count beyond all", 65535, 1, 0, 1, STAT_BAD_SHORT },
	{ "a header alone that announces", 1, 0, 0, 0, STAT_BAD_SHORT },
};

static void
test_v5_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct bench b;
		struct wbuf w;
		unsigned n;

		bench_open(&b, false);
		v5_header(&w, counts[i].count, 0);
		for (unsigned k = 0; k < counts[i].records; k++)
			v5_record(&w, 6, 0, 0);
		for (size_t k = 0; k < counts[i].more; k++)
			wbuf_u8(&w, 0xee);
		n = bench_feed(&b, &w);
		if (n != counts[i].want || bench_stat(&b, counts[i].fate) != 1)
			fail_msg("%s: %u flows", counts[i].says, n);
		bench_books(&b, counts[i].says);
		bench_close(&b);
	}
}

static void
test_v5_sequence(void **state)
{
	static const struct {
		const char *says;
		uint32_t sequence;
		uint64_t lost, resets;
	} cases[] = {
		{ "the first says nothing", 1000, 0, 0 },
		{ "the next follows", 1002, 0, 0 },
		{ "sixty records are missing", 1064, 60, 0 },
		{ "after a gap all is well", 1066, 60, 0 },
		{ "the exporter starts anew", 0, 60, 1 },
		{ "and goes on", 2, 60, 1 },
	};
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		v5_header(&w, 2, cases[i].sequence);
		v5_record(&w, 6, 0, 0);
		v5_record(&w, 6, 0, 0);
		bench_feed(&b, &w);
		if (bench_stat(&b, STAT_SEQUENCE_LOST) != cases[i].lost ||
		    bench_stat(&b, STAT_SEQUENCE_RESETS) != cases[i].resets)
			fail_msg("%s", cases[i].says);
	}
	bench_close(&b);
}

static void
test_hurt(void **state)
{
	uint8_t copy[4096];
	struct wbuf w;
	size_t len;

	(void)state;
	v5_header(&w, 3, 9);
	for (int i = 0; i < 3; i++)
		v5_record(&w, 6, 0, 0);
	len = wbuf_len(&w);
	memcpy(copy, w.start, len);
	bench_hurt(copy, len, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v5_record),
		cmocka_unit_test(test_v5_ports),
		cmocka_unit_test(test_v5_counts),
		cmocka_unit_test(test_v5_sequence),
		cmocka_unit_test(test_hurt),
	};

	return cmocka_run_group_tests(tests, bench_enter, bench_leave);
}
