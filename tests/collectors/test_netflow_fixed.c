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
		uint32_t sequence, uptime_ms;
		uint64_t lost, found, resets, duplicates;
	} cases[] = {
		{ "the first says nothing", 1000, UPTIME_MS, 0, 0, 0, 0 },
		{ "the next follows", 1002, UPTIME_MS, 0, 0, 0, 0 },
		{ "sixty records are missing", 1064, UPTIME_MS, 60, 0, 0, 0 },
		{ "after a gap all is well", 1066, UPTIME_MS, 60, 0, 0, 0 },
		{ "one of the missing was late", 1030, UPTIME_MS, 60, 2, 0, 0 },
		{ "and came twice", 1030, UPTIME_MS, 60, 2, 0, 1 },
		{ "as if nothing had been", 1068, UPTIME_MS, 60, 2, 0, 1 },
		{ "the exporter starts anew", 0, 20, 60, 2, 1, 1 },
		{ "and goes on", 2, 20, 60, 2, 1, 1 },
	};
	struct bench b;
	struct wbuf w, uptime;

	(void)state;
	bench_open(&b, false);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		v5_header(&w, 2, cases[i].sequence);
		uptime = wbuf_of(w.start + 4, 4);
		wbuf_u32(&uptime, cases[i].uptime_ms);
		v5_record(&w, 6, 0, 0);
		v5_record(&w, 6, 0, 0);
		assert_int_equal(bench_feed(&b, &w), 2);
		if (bench_stat(&b, STAT_SEQUENCE_LOST) != cases[i].lost ||
		    bench_stat(&b, STAT_SEQUENCE_FOUND) != cases[i].found ||
		    bench_stat(&b, STAT_SEQUENCE_RESETS) != cases[i].resets ||
		    bench_stat(&b, STAT_SEQUENCE_DUPLICATES) != cases[i].duplicates)
			fail_msg("%s", cases[i].says);
	}
	bench_close(&b);
}

/* A header of version 1, 7 or 8. */
static void
old_header(
    struct wbuf *w, uint16_t version, uint16_t count, uint32_t sequence, uint8_t scheme)
{
	static uint8_t octets[8192];

	*w = wbuf_of(octets, sizeof(octets));
	wbuf_u16(w, version);
	wbuf_u16(w, count);
	wbuf_u32(w, UPTIME_MS);
	wbuf_u32(w, (uint32_t)NOW_S);
	wbuf_u32(w, 250000000);
	if (version == 1)
		return;
	wbuf_u32(w, sequence);
	wbuf_u8(w, 1); /* engine type, id */
	wbuf_u8(w, 9);
	if (version == 8) {
		wbuf_u8(w, scheme);
		wbuf_u8(w, 2);
		wbuf_u32(w, 0xffffffff);
	} else {
		wbuf_u16(w, 0xffff);
	}
}

/*
 * A record of each layout, by the names of what stands where: F flows, P packets, B bytes,
 * t first and l last uptime; s d n addresses (source, destination, next hop), S D prefixes,
 * m M masks, a A AS, i o interfaces, p q ports, x protocol, T ToS, f TCP flags; a dot is an
 * octet of no meaning to us. After Cisco's "NetFlow Services Solutions Guide", appendix 2.
 */
static const struct {
	const char *says;
	uint16_t version;
	uint8_t scheme;
	uint16_t octets;
	const char *layout;
} layouts[] = {
	{ "v1", 1, 0, 48, "sdnioPBtlpq..xTf......." },
	{ "v7", 7, 0, 52, "sdnioPBtlpq.fxTaAmM......" },
	{ "AS", 8, 1, 28, "FPBtlaAio" },
	{ "protocol and port", 8, 2, 28, "FPBtlx...pq" },
	{ "source prefix", 8, 3, 32, "FPBtlSm.ai.." },
	{ "destination prefix", 8, 4, 32, "FPBtlDM.Ao.." },
	{ "prefixes", 8, 5, 40, "FPBtlSDMm..aAio" },
	{ "destination", 8, 6, 32, "dPBtloT........." },
	{ "source and destination", 8, 7, 40, "dsPBtloiT..........." },
	{ "full flow", 8, 8, 44, "dsqpPBtloiTx.........." },
	{ "AS and ToS", 8, 9, 32, "FPBtlaAioT..." },
	{ "protocol, port and ToS", 8, 10, 32, "FPBtlxT..pqio" },
	{ "source prefix and ToS", 8, 11, 32, "FPBtlSmTai.." },
	{ "destination prefix and ToS", 8, 12, 32, "FPBtlDMTAo.." },
	{ "prefixes and ToS", 8, 13, 40, "FPBtlSDMmT.aAio" },
	{ "prefixes, ports and ToS", 8, 14, 40, "FPBtlSDMmTxpqio" },
};

/* What stands for a name: its octets and value. */
static const struct {
	char name;
	uint8_t octets;
	uint32_t value;
} values[] = {
	{ 'F', 4, 17 },
	{ 'P', 4, 1000 },
	{ 'B', 4, 0xfffffff0 },
	{ 't', 4, UPTIME_MS - 100001 },
	{ 'l', 4, UPTIME_MS - 1 },
	{ 's', 4, 0x0a000001 },
	{ 'd', 4, 0xc6336402 },
	{ 'n', 4, 0xc00002fe },
	{ 'S', 4, 0x0a010000 },
	{ 'D', 4, 0xc6336400 },
	{ 'm', 1, 16 },
	{ 'M', 1, 24 },
	{ 'a', 2, 65001 },
	{ 'A', 2, 65002 },
	{ 'i', 2, 0x0102 },
	{ 'o', 2, 0x0304 },
	{ 'p', 2, 1024 },
	{ 'q', 2, 2048 },
	{ 'x', 1, 6 },
	{ 'T', 1, 0xb8 },
	{ 'f', 1, 0x1b },
	{ '.', 1, 0xee },
};

static void
layout_write(struct wbuf *w, const char *layout)
{
	for (const char *c = layout; *c != '\0'; c++)
		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
			if (values[i].name == *c)
				wbuf_uint(w, values[i].value, values[i].octets);
}

static uint32_t
value_of(const char *layout, char name)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (values[i].name == name && strchr(layout, name) != NULL)
			return values[i].value;
	return 0;
}

static uint32_t
host_of(const ip16_t *a)
{
	return ip_is_none(a) ? 0
			     : (uint32_t)a->b[12] << 24 | (uint32_t)a->b[13] << 16 |
				   (uint32_t)a->b[14] << 8 | a->b[15];
}

static void
test_layouts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		const char *layout = layouts[i].layout;
		struct bench b;
		struct wbuf w;
		size_t header;

		bench_open(&b, false);
		old_header(&w, layouts[i].version, 2, 0, layouts[i].scheme);
		header = wbuf_len(&w);
		layout_write(&w, layout);
		if (wbuf_len(&w) != header + layouts[i].octets)
			fail_msg("%s: the test is wrong", layouts[i].says);
		layout_write(&w, layout);
		if (bench_feed(&b, &w) != 2)
			fail_msg("%s: no two flows", layouts[i].says);
		for (int k = 0; k < 2; k++) {
			const struct flow *f = &b.pipeline.flows[k];
			const struct {
				char name;
				uint64_t got;
			} got[] = {
				{ 'P', f->packets },
				{ 'B', f->bytes },
				{ 's', host_of(&f->src_host) },
				{ 'd', host_of(&f->dst_host) },
				{ 'n', host_of(&f->nexthop) },
				{ 'S', host_of(&f->src_net) },
				{ 'D', host_of(&f->dst_net) },
				{ 'm', f->src_mask },
				{ 'M', f->dst_mask },
				{ 'a', f->src_as },
				{ 'A', f->dst_as },
				{ 'i', f->in_iface },
				{ 'o', f->out_iface },
				{ 'p', f->src_port },
				{ 'q', f->dst_port },
				{ 'x', f->proto },
				{ 'T', f->tos },
				{ 'f', f->tcp_flags },
			};
			uint32_t flows = value_of(layout, 'F');

			for (size_t g = 0; g < sizeof(got) / sizeof(got[0]); g++) {
				uint32_t want = value_of(layout, got[g].name);

				if (got[g].got != want)
					fail_msg("%s: %c is %llu", layouts[i].says,
					    got[g].name,
					    (unsigned long long)got[g].got);
			}
			assert_int_equal(f->flows, flows != 0 ? flows : 1);
			assert_int_equal(f->etype, 0x800);
			assert_int_equal(f->timestamp_start,
			    NOW_S * CLOCK_S + 250 * CLOCK_MS - 100001 * CLOCK_MS);
			assert_int_equal(
			    f->timestamp_end, NOW_S * CLOCK_S + 249 * CLOCK_MS);
			/* As v5: 1700000000 - 3600 + 3500. */
			assert_int_equal(f->stamp, (NOW_S - 100) * CLOCK_S);
		}
		assert_int_equal(bench_stat(&b, STAT_DATAGRAMS_DECODED), 1);
		bench_books(&b, layouts[i].says);
		bench_close(&b);
	}
}

/* Ports and what Cisco puts in their place count by the protocol, as in v5. */
static void
test_old_ports(void **state)
{
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		old_header(&w, 1, 1, 0, 0);
		layout_write(&w, "sdnioPBtlpq..");
		wbuf_u8(&w, ports[i].proto);
		layout_write(&w, "Tf.......");
		assert_int_equal(bench_feed(&b, &w), 1);
		if (b.pipeline.flows[0].src_port != ports[i].src_port ||
		    b.pipeline.flows[0].dst_port != ports[i].dst_port)
			fail_msg("%s", ports[i].says);
	}
	bench_close(&b);
}

/* How the octets that are there and the count go together. */
static const struct {
	const char *says;
	uint16_t version;
	uint8_t scheme;
	uint16_t count;
	size_t octets; /* after the header */
	unsigned want;
	enum stat_no fate;
} extents[] = {
	{ "v1: the count is right", 1, 0, 3, 3 * 48, 3, STAT_DATAGRAMS_DECODED },
	{ "v1: more than Cisco's 24", 1, 0, 30, 30 * 48, 30, STAT_DATAGRAMS_DECODED },
	{ "v1: records padded to 52", 1, 0, 3, 3 * 52, 3, STAT_DATAGRAMS_DECODED },
	{ "v1: twelve records of 52 are not thirteen of 48", 1, 0, 12, 12 * 52, 12,
	    STAT_DATAGRAMS_DECODED },
	{ "v1: padding after the last", 1, 0, 2, 2 * 48 + 5, 2,
	    STAT_DATAGRAMS_DECODED },
	{ "v1: the last is cut", 1, 0, 2, 2 * 48 - 1, 1, STAT_BAD_SHORT },
	{ "v1: none", 1, 0, 0, 0, 0, STAT_DATAGRAMS_DECODED },
	{ "v7: the count is right", 7, 0, 27, 27 * 52, 27, STAT_DATAGRAMS_DECODED },
	{ "v7: the last is cut", 7, 0, 2, 2 * 52 - 1, 1, STAT_BAD_SHORT },
	{ "v8: the count is right", 8, 5, 35, 35 * 40, 35, STAT_DATAGRAMS_DECODED },
	{ "v8: fewer there than announced", 8, 5, 35, 34 * 40, 34, STAT_BAD_SHORT },
	{ "v8: scheme 0 is none", 8, 0, 1, 40, 0, STAT_BAD_VERSION },
	{ "v8: scheme 15 is unknown", 8, 15, 1, 40, 0, STAT_BAD_VERSION },
	{ "v8: scheme 255 is unknown", 8, 255, 1, 40, 0, STAT_BAD_VERSION },
};

static void
test_old_extents(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(extents) / sizeof(extents[0]); i++) {
		struct bench b;
		struct wbuf w;
		unsigned n;

		bench_open(&b, false);
		old_header(
		    &w, extents[i].version, extents[i].count, 0, extents[i].scheme);
		for (size_t k = 0; k < extents[i].octets; k++)
			wbuf_u8(&w, (uint8_t)k);
		n = bench_feed(&b, &w);
		if (n != extents[i].want || bench_stat(&b, extents[i].fate) != 1)
			fail_msg("%s: %u flows", extents[i].says, n);
		bench_books(&b, extents[i].says);
		bench_close(&b);
	}
}

/* v1 has no sequence numbers; those of v7 and v8 count records. */
static void
test_old_sequences(void **state)
{
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	for (int i = 0; i < 3; i++) {
		old_header(&w, 1, 1, 0, 0);
		layout_write(&w, layouts[0].layout);
		assert_int_equal(bench_feed(&b, &w), 1);
	}
	assert_int_equal(bench_stat(&b, STAT_SEQUENCE_RESETS), 0);
	for (uint32_t seq = 40; seq <= 60; seq += 10) {
		old_header(&w, 7, 2, seq, 0);
		layout_write(&w, layouts[1].layout);
		layout_write(&w, layouts[1].layout);
		assert_int_equal(bench_feed(&b, &w), 2);
	}
	assert_int_equal(bench_stat(&b, STAT_SEQUENCE_LOST), 16);
	old_header(&w, 8, 1, 7, 1);
	layout_write(&w, layouts[2].layout);
	assert_int_equal(bench_feed(&b, &w), 1);
	old_header(&w, 8, 1, 9, 1);
	layout_write(&w, layouts[2].layout);
	assert_int_equal(bench_feed(&b, &w), 1);
	assert_int_equal(bench_stat(&b, STAT_SEQUENCE_LOST), 17);
	assert_int_equal(bench_stat(&b, STAT_SEQUENCE_RESETS), 0);
	/* v1 tells no engine. */
	assert_int_equal(exporters_count(b.exporters), 2);
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
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		old_header(&w, layouts[i].version, 2, 0, layouts[i].scheme);
		layout_write(&w, layouts[i].layout);
		layout_write(&w, layouts[i].layout);
		len = wbuf_len(&w);
		memcpy(copy, w.start, len);
		bench_hurt(copy, len, 2);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v5_record),
		cmocka_unit_test(test_v5_ports),
		cmocka_unit_test(test_v5_counts),
		cmocka_unit_test(test_v5_sequence),
		cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_old_ports),
		cmocka_unit_test(test_old_extents),
		cmocka_unit_test(test_old_sequences),
		cmocka_unit_test(test_hurt),
	};

	return cmocka_run_group_tests(tests, bench_enter, bench_leave);
}
