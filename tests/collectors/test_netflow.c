/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collectors/datagram.h"
#include "collectors/netflow.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/rcu.h"
#include "lib/wbuf.h"

#define NOW_S UINT64_C(1700000000)
#define ARRIVAL ((NOW_S + 2) * CLOCK_S)
#define UPTIME_MS UINT32_C(3600500)

/* A decoder with a pipeline that nobody listens to: its flows stay in the batch. */
struct bench {
	struct exporters *exporters;
	struct exporter_cache cache;
	struct pipeline pipeline;
	struct collector collector;
	struct datagram_config config;
	void *decoder;
};

static void
bench_open(struct bench *b, bool time_new)
{
	void (*const state_free[EXPORTER_KINDS])(void *) = {
		[EXPORTER_NETFLOW] = netflow_exporter_state_free,
	};
	struct err e = ERR_INIT;

	memset(b, 0, sizeof(*b));
	b->exporters = exporters_new(1, 4, state_free);
	assert_non_null(b->exporters);
	assert_int_equal(exporter_cache_init(&b->cache, b->exporters, &e), 0);
	b->pipeline.flows = calloc(2 * FLOW_BATCH, sizeof(struct flow));
	for (unsigned i = 0; i < FIELD_COUNT; i++)
		field_set_add(&b->pipeline.needs, (enum field_no)i);
	b->config.time_new = time_new;
	b->collector.config = &b->config;
	b->collector.pipeline = &b->pipeline;
	b->collector.exporters = &b->cache;
	b->decoder = netflow_decoder.open(&b->collector, &e);
	assert_non_null(b->decoder);
}

static void
bench_close(struct bench *b)
{
	netflow_decoder.close(b->decoder);
	exporter_cache_fini(&b->cache);
	exporters_free(b->exporters);
	free(b->pipeline.flows);
}

static uint64_t
stat(const struct bench *b, enum stat_no i)
{
	return stat_get(&b->pipeline.stats, i);
}

/* The identities of the books, from this decoder's point of view. */
static void
check_books(const struct bench *b, const char *says)
{
	uint64_t bad = stat(b, STAT_BAD_SHORT) + stat(b, STAT_BAD_VERSION) +
		       stat(b, STAT_BAD_LENGTH) + stat(b, STAT_BAD_TEMPLATE) +
		       stat(b, STAT_BAD_EXPORTER);

	if (stat(b, STAT_DATAGRAMS) != stat(b, STAT_DATAGRAMS_DECODED) + bad)
		fail_msg("%s: datagrams do not balance", says);
	if (stat(b, STAT_RECORDS) != stat(b, STAT_RECORDS_FED) +
					 stat(b, STAT_RECORDS_NO_TEMPLATE) +
					 stat(b, STAT_RECORDS_NOT_FLOW))
		fail_msg("%s: records do not balance", says);
	if (atomic_load(&b->collector.units) != stat(b, STAT_DATAGRAMS) ||
	    atomic_load(&b->collector.octets) != stat(b, STAT_DATAGRAM_OCTETS) ||
	    atomic_load(&b->collector.errors) != bad)
		fail_msg("%s: the collector counts otherwise", says);
}

static const uint8_t sender[4] = { 192, 0, 2, 1 };

/*
 * Decode the `len` octets at `data` from 192.0.2.`host`, copied so that a sanitizer
 * sees their end. Returns how many flows the batch has grown by.
 */
static unsigned
feed_from(struct bench *b, uint8_t host, const void *data, size_t len)
{
	uint8_t *copy = malloc(len + 1), from[4];
	struct datagram d = { .data = copy, .len = len, .arrival = ARRIVAL };
	uint64_t before = stat(b, STAT_RECORDS_FED);

	memcpy(from, sender, sizeof(from));
	from[3] = host;
	d.from = ip_from_v4(from);
	memcpy(copy, data, len);
	b->pipeline.n = 0;
	netflow_decoder.decode(b->decoder, &d);
	free(copy);
	rcu_quiet();
	return (unsigned)(stat(b, STAT_RECORDS_FED) - before);
}

static unsigned
feed(struct bench *b, const struct wbuf *w)
{
	assert_true(wbuf_ok(w));
	return feed_from(b, 1, w->start, wbuf_len(w));
}

static uint8_t space[70000];

static void
v5_header(struct wbuf *w, uint16_t count, uint32_t sequence)
{
	*w = wbuf_of(space, sizeof(space));
	wbuf_u16(w, 5);
	wbuf_u16(w, count);
	wbuf_u32(w, UPTIME_MS);
	wbuf_u32(w, (uint32_t)NOW_S);
	wbuf_u32(w, 250000000);
	wbuf_u32(w, sequence);
	wbuf_u8(w, 1); /* engine type, id */
	wbuf_u8(w, 9);
	wbuf_u16(w, 0x40fa); /* mode 1, 1 in 250 */
}

static void
v5_record(struct wbuf *w, uint8_t proto, uint32_t first, uint32_t last)
{
	wbuf_u32(w, 0x0a000001);
	wbuf_u32(w, 0xc6336402);
	wbuf_u32(w, 0xc00002fe);
	wbuf_u16(w, 0x0102); /* interfaces */
	wbuf_u16(w, 0x0304);
	wbuf_u32(w, 5);
	wbuf_u32(w, 0xffffffff);
	wbuf_u32(w, first);
	wbuf_u32(w, last);
	wbuf_u16(w, 1024);
	wbuf_u16(w, 2048);
	wbuf_u8(w, 0xff); /* padding */
	wbuf_u8(w, 0x1b);
	wbuf_u8(w, proto);
	wbuf_u8(w, 0xb8);
	wbuf_u16(w, 65001);
	wbuf_u16(w, 65002);
	wbuf_u8(w, 24);
	wbuf_u8(w, 16);
	wbuf_u16(w, 0xffff); /* padding */
}

static void
v9_header(struct wbuf *w, uint32_t sequence, uint32_t source_id)
{
	*w = wbuf_of(space, sizeof(space));
	wbuf_u16(w, 9);
	wbuf_u16(w, 1); /* the count, which we do not believe */
	wbuf_u32(w, UPTIME_MS);
	wbuf_u32(w, (uint32_t)NOW_S);
	wbuf_u32(w, sequence);
	wbuf_u32(w, source_id);
}

/* Octets in network order, 16 bits each: headers of sets, templates. */
static void
words(struct wbuf *w, const uint16_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		wbuf_u16(w, v[i]);
}
#define WORDS(w, ...) \
	words(w, (const uint16_t[]){ __VA_ARGS__ }, \
	    sizeof((const uint16_t[]){ __VA_ARGS__ }) / 2)

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
	assert_int_equal(feed(&b, &w), 1);
	f = &b.pipeline.flows[0];
	assert_int_equal(f->src_host.b[12], 10);
	assert_int_equal(f->src_host.b[15], 1);
	a = ip_from_v4(dst);
	assert_true(ip_equal(&f->dst_host, &a));
	a = ip_from_v4(hop);
	assert_true(ip_equal(&f->nexthop, &a));
	a = ip_from_v4(sender);
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
	assert_int_equal(stat(&b, STAT_DATAGRAMS_DECODED), 1);
	check_books(&b, "one record");
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
		assert_int_equal(feed(&b, &w), 1);
		if (b.pipeline.flows[0].src_port != ports[i].src_port ||
		    b.pipeline.flows[0].dst_port != ports[i].dst_port)
			fail_msg("%s: %u, %u", ports[i].says,
			    b.pipeline.flows[0].src_port, b.pipeline.flows[0].dst_port);
	}
	bench_close(&b);
}

/*
 * The second that decides the bin. pmacct cuts v5's three times to seconds one by one,
 * and v9's by their difference: seen with nfacctd 1.7.7 and records at the edge of a
 * bin.
 */
static const struct {
	const char *says;
	uint32_t first;
	uint64_t v5_s, v9_s;
} stamps[] = {
	{ "at the header's time", UPTIME_MS, NOW_S, NOW_S },
	{ "500 ms before", UPTIME_MS - 500, NOW_S, NOW_S },
	{ "501 ms before", UPTIME_MS - 501, NOW_S - 1, NOW_S },
	{ "999 ms before", UPTIME_MS - 999, NOW_S - 1, NOW_S },
	{ "a second before", UPTIME_MS - 1000, NOW_S - 1, NOW_S - 1 },
	{ "100.5 s before", UPTIME_MS - 100500, NOW_S - 100, NOW_S - 100 },
	{ "100.501 s before", UPTIME_MS - 100501, NOW_S - 101, NOW_S - 100 },
	{ "when the exporter started", 0, NOW_S - 3600, NOW_S - 3600 },
	{ "a second late", UPTIME_MS + 1000, NOW_S + 1, NOW_S + 1 },
};

static void
test_stamps(void **state)
{
	struct bench b;
	struct wbuf w;

	(void)state;
	for (int time_new = 0; time_new <= 1; time_new++) {
		bench_open(&b, time_new);
		for (size_t i = 0; i < sizeof(stamps) / sizeof(stamps[0]); i++) {
			uint64_t v5_s = time_new ? ARRIVAL / CLOCK_S : stamps[i].v5_s;
			uint64_t v9_s = time_new ? ARRIVAL / CLOCK_S : stamps[i].v9_s;

			v5_header(&w, 1, (uint32_t)i);
			v5_record(&w, 6, stamps[i].first, 0);
			assert_int_equal(feed(&b, &w), 1);
			if (b.pipeline.flows[0].stamp != v5_s * CLOCK_S)
				fail_msg("v5, %s: %llu", stamps[i].says,
				    (unsigned long long)b.pipeline.flows[0].stamp);
			v9_header(&w, (uint32_t)i, 7);
			WORDS(&w, 0, 12, 256, 1, 22, 4, 256, 8);
			wbuf_u32(&w, stamps[i].first);
			assert_int_equal(feed(&b, &w), 1);
			if (b.pipeline.flows[0].stamp != v9_s * CLOCK_S)
				fail_msg("v9, %s: %llu", stamps[i].says,
				    (unsigned long long)b.pipeline.flows[0].stamp);
		}
		bench_close(&b);
	}
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
		n = feed(&b, &w);
		if (n != counts[i].want || stat(&b, counts[i].fate) != 1)
			fail_msg("%s: %u flows", counts[i].says, n);
		check_books(&b, counts[i].says);
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
		feed(&b, &w);
		if (stat(&b, STAT_SEQUENCE_LOST) != cases[i].lost ||
		    stat(&b, STAT_SEQUENCE_RESETS) != cases[i].resets)
			fail_msg("%s", cases[i].says);
	}
	bench_close(&b);
}

/* Template `id`: source, destination, packets, bytes, first; 20 octets. */
static void
v9_template(struct wbuf *w, uint16_t id)
{
	WORDS(w, 0, 28, id, 5, 8, 4, 12, 4, 2, 4, 1, 4, 22, 4);
}

static void
v9_record(struct wbuf *w, uint32_t src, uint32_t bytes)
{
	wbuf_u32(w, src);
	wbuf_u32(w, 0xc6336402);
	wbuf_u32(w, 3);
	wbuf_u32(w, bytes);
	wbuf_u32(w, UPTIME_MS - 5000);
}

static void
test_v9_record(void **state)
{
	struct bench b;
	struct wbuf w;
	const struct flow *f;
	ip16_t from = ip_from_v4(sender);

	(void)state;
	bench_open(&b, false);
	v9_header(&w, 0, 7);
	v9_template(&w, 256);
	WORDS(&w, 256, 44);
	v9_record(&w, 0x0a000001, 100);
	v9_record(&w, 0x0a000002, 200);
	assert_int_equal(feed(&b, &w), 2);
	f = &b.pipeline.flows[1];
	assert_int_equal(f->src_host.b[15], 2);
	assert_int_equal(f->dst_host.b[12], 198);
	assert_int_equal(f->packets, 3);
	assert_int_equal(f->bytes, 200);
	assert_int_equal(f->flows, 1);
	assert_int_equal(f->etype, 0x800);
	assert_int_equal(f->timestamp_start, (NOW_S - 5) * CLOCK_S);
	assert_int_equal(f->timestamp_arrival, ARRIVAL);
	assert_int_equal(f->stamp, (NOW_S - 5) * CLOCK_S);
	assert_true(ip_equal(&f->peer_src_ip, &from));
	assert_int_equal(b.pipeline.flows[0].bytes, 100);
	check_books(&b, "two records");
	bench_close(&b);
}

/* The time of a record that tells none is the header's. */
static void
test_v9_without_time(void **state)
{
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	v9_header(&w, 0, 7);
	WORDS(&w, 0, 12, 256, 1, 1, 4, 256, 8, 0, 9);
	assert_int_equal(feed(&b, &w), 1);
	assert_int_equal(b.pipeline.flows[0].timestamp_start, 0);
	assert_int_equal(b.pipeline.flows[0].stamp, NOW_S * CLOCK_S);
	bench_close(&b);
}

static void
test_v9_sequence_counts_datagrams(void **state)
{
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	for (uint32_t seq = 10; seq < 20; seq += seq == 15 ? 3 : 1) {
		v9_header(&w, seq, 7);
		v9_template(&w, 256);
		WORDS(&w, 256, 44);
		v9_record(&w, 0x0a000001, 100);
		v9_record(&w, 0x0a000002, 200);
		feed(&b, &w);
	}
	assert_int_equal(stat(&b, STAT_SEQUENCE_LOST), 2);
	assert_int_equal(stat(&b, STAT_TEMPLATES), 8);
	/* Told eight times, and never changed. */
	assert_int_equal(
	    exporter_sum(exporters_at(b.exporters, 0), EXPORTER_TEMPLATE_CHANGES), 0);
	bench_close(&b);
}

static void
test_v9_template_after_data(void **state)
{
	struct bench b;
	struct wbuf w;
	struct exporter *x;

	(void)state;
	bench_open(&b, false);
	v9_header(&w, 0, 7);
	WORDS(&w, 256, 24);
	v9_record(&w, 0x0a000001, 100);
	assert_int_equal(feed(&b, &w), 0);
	assert_int_equal(stat(&b, STAT_RECORDS_NO_TEMPLATE), 1);
	assert_int_equal(stat(&b, STAT_DATAGRAMS_DECODED), 1);
	x = exporters_at(b.exporters, 0);
	assert_int_equal(exporter_sum(x, EXPORTER_NO_TEMPLATE), 1);
	check_books(&b, "no template yet");

	/* In one datagram, too, what comes first is not known yet. */
	v9_header(&w, 1, 7);
	WORDS(&w, 256, 24);
	v9_record(&w, 0x0a000001, 100);
	v9_template(&w, 256);
	WORDS(&w, 256, 24);
	v9_record(&w, 0x0a000002, 200);
	assert_int_equal(feed(&b, &w), 1);
	assert_int_equal(b.pipeline.flows[0].bytes, 200);
	assert_int_equal(stat(&b, STAT_RECORDS_NO_TEMPLATE), 2);
	check_books(&b, "a template at last");
	bench_close(&b);
}

static void
test_v9_template_changes(void **state)
{
	struct bench b;
	struct wbuf w;
	struct exporter *x;

	(void)state;
	bench_open(&b, false);
	v9_header(&w, 0, 7);
	v9_template(&w, 256);
	WORDS(&w, 256, 24);
	v9_record(&w, 0x0a000001, 100);
	/* From here on, 256 has bytes alone. */
	WORDS(&w, 0, 12, 256, 1, 1, 4, 256, 12, 0, 7, 0, 8);
	assert_int_equal(feed(&b, &w), 3);
	assert_int_equal(b.pipeline.flows[0].bytes, 100);
	assert_int_equal(b.pipeline.flows[1].bytes, 7);
	assert_int_equal(b.pipeline.flows[2].bytes, 8);
	x = exporters_at(b.exporters, 0);
	assert_int_equal(exporter_sum(x, EXPORTER_TEMPLATE_CHANGES), 1);
	assert_int_equal(exporter_sum(x, EXPORTER_TEMPLATES), 2);

	/* A new one that cannot be meant leaves the old. */
	v9_header(&w, 1, 7);
	WORDS(&w, 0, 8, 256, 0, 256, 8, 0, 9);
	assert_int_equal(feed(&b, &w), 1);
	assert_int_equal(b.pipeline.flows[0].bytes, 9);
	assert_int_equal(stat(&b, STAT_BAD_TEMPLATE), 1);
	check_books(&b, "after the change");
	bench_close(&b);
}

/* Templates belong to an address and a source id. */
static void
test_v9_templates_are_the_exporters(void **state)
{
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	v9_header(&w, 0, 7);
	v9_template(&w, 256);
	feed(&b, &w);
	v9_header(&w, 0, 8);
	WORDS(&w, 256, 24);
	v9_record(&w, 0x0a000001, 100);
	assert_int_equal(feed(&b, &w), 0);
	v9_header(&w, 0, 7);
	WORDS(&w, 256, 24);
	v9_record(&w, 0x0a000001, 100);
	assert_int_equal(feed_from(&b, 2, w.start, wbuf_len(&w)), 0);
	assert_int_equal(feed_from(&b, 1, w.start, wbuf_len(&w)), 1);
	assert_int_equal(stat(&b, STAT_RECORDS_NO_TEMPLATE), 2);
	assert_int_equal(exporters_count(b.exporters), 3);
	check_books(&b, "three exporters");

	/* Two more: one too many. */
	assert_int_equal(feed_from(&b, 3, w.start, wbuf_len(&w)), 0);
	assert_int_equal(stat(&b, STAT_BAD_EXPORTER), 0);
	assert_int_equal(feed_from(&b, 4, w.start, wbuf_len(&w)), 0);
	assert_int_equal(stat(&b, STAT_BAD_EXPORTER), 1);
	check_books(&b, "an exporter too many");
	bench_close(&b);
}

static void
test_v9_options_are_no_flows(void **state)
{
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	v9_header(&w, 0, 7);
	/* System scope, then sampling interval and algorithm; one octet of padding. */
	WORDS(&w, 1, 24, 257, 4, 8, 1, 4, 34, 4, 35, 1, 0);
	WORDS(
	    &w, 257, 24, 0, 1, 0, 100, 0x0100, 0x0000, 0x0200, 0x0000, 0xc801, 0x0000);
	assert_int_equal(feed(&b, &w), 0);
	assert_int_equal(stat(&b, STAT_RECORDS), 2);
	assert_int_equal(stat(&b, STAT_RECORDS_NOT_FLOW), 2);
	assert_int_equal(stat(&b, STAT_DATAGRAMS_DECODED), 1);
	check_books(&b, "options");
	bench_close(&b);
}

/* What follows the header of a v9 datagram, after template 256 (20 octets) was told. */
static const struct {
	const char *says;
	uint16_t words[24];
	unsigned n;
	enum stat_no fate;
	unsigned flows;
} bodies[] = {
	{ "nothing", { 0 }, 0, STAT_DATAGRAMS_DECODED, 0 },
	{ "an empty data set", { 256, 4 }, 2, STAT_DATAGRAMS_DECODED, 0 },
	{ "an empty template set", { 0, 4 }, 2, STAT_DATAGRAMS_DECODED, 0 },
	{ "a reserved set is stepped over", { 77, 8, 1, 2, 256, 24, 1 }, 16,
	    STAT_DATAGRAMS_DECODED, 1 },
	{ "one record", { 256, 24 }, 12, STAT_DATAGRAMS_DECODED, 1 },
	{ "a record and padding", { 256, 32 }, 16, STAT_DATAGRAMS_DECODED, 1 },
	{ "a record and part of another", { 256, 32, [12] = 5 }, 16, STAT_BAD_LENGTH,
	    1 },
	{ "less than a record", { 256, 12, 1, 2, 3, 4 }, 6, STAT_BAD_LENGTH, 0 },
	{ "a set of no length", { 256, 0, 1, 2 }, 4, STAT_BAD_LENGTH, 0 },
	{ "a set shorter than its header", { 256, 3, 1, 2 }, 4, STAT_BAD_LENGTH, 0 },
	{ "a set longer than the datagram", { 256, 28 }, 12, STAT_BAD_SHORT, 0 },
	{ "half a set header", { 256 }, 1, STAT_BAD_SHORT, 0 },
	{ "a record, then half a set header", { 256, 24, [12] = 256 }, 13,
	    STAT_BAD_SHORT, 1 },
	{ "a record, then a set of no length", { 256, 24, [12] = 256, 0 }, 14,
	    STAT_BAD_LENGTH, 1 },
	{ "a template of no fields, then a record", { 0, 8, 300, 0, 256, 24 }, 16,
	    STAT_BAD_TEMPLATE, 1 },
	{ "a template with a low id, then a record", { 0, 12, 255, 1, 8, 4, 256, 24 },
	    18, STAT_BAD_TEMPLATE, 1 },
	{ "a template of no octets, then a record", { 0, 12, 300, 1, 8, 0, 256, 24 },
	    18, STAT_BAD_TEMPLATE, 1 },
	{ "a template beyond its set, then a record", { 0, 12, 300, 2, 8, 4, 256, 24 },
	    18, STAT_BAD_TEMPLATE, 1 },
	{ "a template set padded, then a record",
	    { 0, 16, 300, 1, 8, 4, 0, 0, 256, 24 }, 20, STAT_DATAGRAMS_DECODED, 1 },
	{ "two faults: the first is the reason", { 0, 8, 300, 0, 256, 0 }, 6,
	    STAT_BAD_TEMPLATE, 0 },
};

static void
test_v9_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct bench b;
		struct wbuf w;
		uint64_t before;
		unsigned flows;

		bench_open(&b, false);
		v9_header(&w, 0, 7);
		v9_template(&w, 256);
		feed(&b, &w);
		v9_header(&w, 1, 7);
		words(&w, bodies[i].words, bodies[i].n);
		before = stat(&b, bodies[i].fate);
		flows = feed(&b, &w);
		if (flows != bodies[i].flows || stat(&b, bodies[i].fate) != before + 1)
			fail_msg("%s: %u flows", bodies[i].says, flows);
		check_books(&b, bodies[i].says);
		bench_close(&b);
	}
}

static void
test_headers(void **state)
{
	static const struct {
		const char *says;
		uint16_t version;
		size_t len;
		enum stat_no fate;
	} cases[] = {
		{ "no octets", 0, 0, STAT_BAD_SHORT },
		{ "half a version", 5, 1, STAT_BAD_SHORT },
		{ "v5 and no more", 5, 2, STAT_BAD_SHORT },
		{ "a v5 header that is cut", 5, 23, STAT_BAD_SHORT },
		{ "a v9 header that is cut", 9, 19, STAT_BAD_SHORT },
		{ "a v9 header", 9, 20, STAT_DATAGRAMS_DECODED },
		{ "version 0", 0, 64, STAT_BAD_VERSION },
		{ "version 6", 6, 64, STAT_BAD_VERSION },
		{ "version 65535", 65535, 64, STAT_BAD_VERSION },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t octets[64] = { (uint8_t)(cases[i].version >> 8),
			(uint8_t)cases[i].version };
		struct bench b;

		bench_open(&b, false);
		feed_from(&b, 1, octets, cases[i].len);
		if (stat(&b, cases[i].fate) != 1)
			fail_msg("%s", cases[i].says);
		if (exporters_count(b.exporters) !=
		    (cases[i].fate == STAT_DATAGRAMS_DECODED))
			fail_msg("%s: makes an exporter", cases[i].says);
		check_books(&b, cases[i].says);
		bench_close(&b);
	}
}

/* v5 and v9 of one address and engine do not disturb each other's sequence. */
static void
test_versions_count_apart(void **state)
{
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	for (uint32_t i = 0; i < 4; i++) {
		v5_header(&w, 1, 5000 + i);
		v5_record(&w, 6, 0, 0);
		feed(&b, &w);
		v9_header(&w, i, 0x109);
		feed(&b, &w);
	}
	assert_int_equal(exporters_count(b.exporters), 1);
	assert_int_equal(stat(&b, STAT_SEQUENCE_LOST), 0);
	assert_int_equal(stat(&b, STAT_SEQUENCE_RESETS), 0);
	bench_close(&b);
}

/* Who redefines templates without end is stopped, and his datagram is malformed. */
static void
test_template_storm(void **state)
{
	struct bench b;
	struct wbuf w;
	struct exporter *x;

	(void)state;
	bench_open(&b, false);
	v9_header(&w, 0, 7);
	for (uint16_t i = 1; i <= 1000; i++)
		WORDS(&w, 0, 12, 256, 1, 1, i);
	feed(&b, &w);
	x = exporters_at(b.exporters, 0);
	assert_int_equal(stat(&b, STAT_BAD_TEMPLATE), 1);
	assert_int_equal(exporter_sum(x, EXPORTER_TEMPLATE_CHANGES), 256);
	check_books(&b, "a storm");
	bench_close(&b);
}

/*
 * A datagram with all there is: templates, options, records of both families, padding.
 */
static size_t
rich_datagram(void)
{
	struct wbuf w;

	v9_header(&w, 5, 7);
	v9_template(&w, 256);
	WORDS(&w, 0, 24, 258, 4, 27, 16, 28, 16, 1, 8, 61, 1);
	WORDS(&w, 1, 24, 257, 4, 8, 1, 4, 34, 4, 35, 1, 0);
	WORDS(&w, 256, 48);
	v9_record(&w, 0x0a000001, 100);
	v9_record(&w, 0x0a000002, 200);
	wbuf_u32(&w, 0);
	WORDS(&w, 258, 48, 0x2001, 0xdb8, 0, 0, 0, 0, 0, 1, 0x2001, 0xdb8, 0, 0, 0, 0,
	    0, 2, 0, 0, 0, 500, 0x0100, 0);
	WORDS(&w, 257, 16, 0, 1, 0, 100, 0x0100, 0);
	WORDS(&w, 299, 8, 1, 2);
	return wbuf_len(&w);
}

static void
test_rich_datagram(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, false);
	assert_int_equal(feed_from(&b, 1, space, rich_datagram()), 3);
	assert_int_equal(b.pipeline.flows[2].bytes, 500);
	assert_int_equal(b.pipeline.flows[2].etype, 0x86dd);
	assert_int_equal(stat(&b, STAT_RECORDS_NOT_FLOW), 1);
	assert_int_equal(stat(&b, STAT_RECORDS_NO_TEMPLATE), 1);
	assert_int_equal(stat(&b, STAT_DATAGRAMS_DECODED), 1);
	check_books(&b, "all there is");
	bench_close(&b);
}

/*
 * Cut at every length, and with every octet changed: nothing crashes, the books
 * balance.
 */
static void
hurt(const uint8_t *data, size_t len)
{
	static const uint8_t masks[] = { 0xff, 0x01, 0x80 };
	struct bench b;
	uint8_t *copy = malloc(len);

	bench_open(&b, false);
	for (size_t cut = 0; cut <= len; cut++) {
		feed_from(&b, 1, data, cut);
		check_books(&b, "cut");
	}
	for (size_t i = 0; i < len; i++)
		for (size_t k = 0; k < sizeof(masks); k++) {
			memcpy(copy, data, len);
			copy[i] ^= masks[k];
			feed_from(&b, 1, copy, len);
			check_books(&b, "changed");
		}
	/* The one that is whole is decoded still. */
	assert_true(feed_from(&b, 1, data, len) >= 3);
	bench_close(&b);
	free(copy);
}

static void
test_hurt(void **state)
{
	uint8_t copy[4096];
	struct wbuf w;
	size_t len;

	(void)state;
	len = rich_datagram();
	memcpy(copy, space, len);
	hurt(copy, len);
	v5_header(&w, 3, 9);
	for (int i = 0; i < 3; i++)
		v5_record(&w, 6, 0, 0);
	len = wbuf_len(&w);
	memcpy(copy, space, len);
	hurt(copy, len);
}

static int
enter(void **state)
{
	struct log_config quiet = { .file = "/dev/null" };
	struct err e = ERR_INIT;

	(void)state;
	rcu_enter();
	return log_open(&quiet, &e);
}

static int
leave(void **state)
{
	(void)state;
	log_close();
	rcu_drain();
	rcu_leave();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v5_record),
		cmocka_unit_test(test_v5_ports),
		cmocka_unit_test(test_stamps),
		cmocka_unit_test(test_v5_counts),
		cmocka_unit_test(test_v5_sequence),
		cmocka_unit_test(test_v9_record),
		cmocka_unit_test(test_v9_without_time),
		cmocka_unit_test(test_v9_sequence_counts_datagrams),
		cmocka_unit_test(test_v9_template_after_data),
		cmocka_unit_test(test_v9_template_changes),
		cmocka_unit_test(test_v9_templates_are_the_exporters),
		cmocka_unit_test(test_v9_options_are_no_flows),
		cmocka_unit_test(test_v9_bodies),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_versions_count_apart),
		cmocka_unit_test(test_template_storm),
		cmocka_unit_test(test_rich_datagram),
		cmocka_unit_test(test_hurt),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
