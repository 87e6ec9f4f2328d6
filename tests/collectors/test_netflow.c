/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "collectors/netflow_waiting.h"
#include "flow/sample_type.h"
#include "tests/collectors/netflow_bench.h"

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
			assert_int_equal(bench_feed(&b, &w), 1);
			if (b.pipeline.flows[0].stamp != v5_s * CLOCK_S)
				fail_msg("v5, %s: %llu", stamps[i].says,
				    (unsigned long long)b.pipeline.flows[0].stamp);
			v9_header(&w, (uint32_t)i, 7);
			WORDS(&w, 0, 12, 256, 1, 22, 4, 256, 8);
			wbuf_u32(&w, stamps[i].first);
			assert_int_equal(bench_feed(&b, &w), 1);
			if (b.pipeline.flows[0].stamp != v9_s * CLOCK_S)
				fail_msg("v9, %s: %llu", stamps[i].says,
				    (unsigned long long)b.pipeline.flows[0].stamp);
		}
		bench_close(&b);
	}
}

/* Uptimes in seconds, for those who send v5 like that. */
static void
test_time_secs(void **state)
{
	struct bench b;
	struct wbuf w;
	const struct flow *f;

	(void)state;
	bench_open(&b, false);
	b.config.time_secs = true;
	bench_reopen(&b);
	f = b.pipeline.flows;
	v5_header(&w, 1, 0);
	v5_record(&w, 6, UPTIME_MS - 100, UPTIME_MS - 40);
	assert_int_equal(bench_feed(&b, &w), 1);
	assert_int_equal(f->stamp, (NOW_S - 100) * CLOCK_S);
	assert_int_equal(f->timestamp_start / CLOCK_S, NOW_S - 100);
	assert_int_equal(f->timestamp_end / CLOCK_S, NOW_S - 40);
	bench_close(&b);
}

/* Clocks that cannot be right do not decide the bin, and are counted. */
static const struct {
	const char *says;
	uint64_t arrival_s, tolerance_s;
	uint64_t header_s;
	bool off;
} clocks[] = {
	{ "as far before as may be", NOW_S, 1000, NOW_S - 1000, false },
	{ "a second more", NOW_S, 1000, NOW_S - 1001, true },
	{ "as far after as may be", NOW_S, 1000, NOW_S + 1000, false },
	{ "a second more", NOW_S, 1000, NOW_S + 1001, true },
	{ "an exporter that counts from 1970", NOW_S, 31536000, 4000, true },
	{ "any time is right when none is wrong", NOW_S, 0, 4000, false },
	{ "a file whose packets have no times", 5, 31536000, NOW_S, false },
};

/* What is shown of a clock that is `s` ahead: 32 bits of milliseconds. */
static int64_t
skew_ms(int64_t s)
{
	return s > INT32_MAX / 1000 ? INT32_MAX : s < INT32_MIN / 1000 ? INT32_MIN : s * 1000;
}

static void
test_clocks(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		uint64_t want =
		    clocks[i].off ? clocks[i].arrival_s : clocks[i].header_s;
		struct bench b;
		struct wbuf w;

		bench_open(&b, false);
		b.config.time_tolerance = (uint32_t)clocks[i].tolerance_s;
		bench_reopen(&b);
		b.arrival = clocks[i].arrival_s * CLOCK_S;
		v9_header(&w, 0, 7);
		w.start[8] = (uint8_t)(clocks[i].header_s >> 24);
		w.start[9] = (uint8_t)(clocks[i].header_s >> 16);
		w.start[10] = (uint8_t)(clocks[i].header_s >> 8);
		w.start[11] = (uint8_t)clocks[i].header_s;
		WORDS(&w, 0, 12, 256, 1, 1, 4, 256, 8, 0, 10);
		assert_int_equal(bench_feed(&b, &w), 1);
		if (b.pipeline.flows[0].stamp != want * CLOCK_S ||
		    bench_stat(&b, STAT_TIMES_OFF) != clocks[i].off)
			fail_msg("%s: %llu", clocks[i].says,
			    (unsigned long long)b.pipeline.flows[0].stamp);
		assert_int_equal(exporter_skew_ms(exporters_at(b.exporters, 0)),
		    skew_ms((int64_t)(clocks[i].header_s - clocks[i].arrival_s)));
		bench_close(&b);
	}
}

static void
test_v9_record(void **state)
{
	struct bench b;
	struct wbuf w;
	const struct flow *f;
	ip16_t from = ip_from_v4(bench_sender);

	(void)state;
	bench_open(&b, false);
	v9_header(&w, 0, 7);
	v9_template(&w, 256);
	WORDS(&w, 256, 44);
	v9_record(&w, 0x0a000001, 100);
	v9_record(&w, 0x0a000002, 200);
	assert_int_equal(bench_feed(&b, &w), 2);
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
	bench_books(&b, "two records");
	bench_close(&b);
}

/* A record may tell the address of the exporter, of which a relay makes one sender. */
static void
test_exporter_in_the_record(void **state)
{
	struct bench b;
	struct wbuf w;
	const ip16_t from = ip_from_v4(bench_sender), told = ip_from_v4("\x0a\0\0\x09");

	(void)state;
	bench_open(&b, false);
	for (unsigned ignore = 0; ignore <= 1; ignore++) {
		const struct flow *f = b.pipeline.flows;

		b.config.ignore_exporter_address = ignore;
		bench_reopen(&b);
		v9_header(&w, ignore, 7);
		WORDS(&w, 0, 16, 256, 2, 130, 4, 1, 4, 256, 20, 0x0a00, 9, 0, 100, 0, 0, 0,
		    200);
		assert_int_equal(bench_feed(&b, &w), 2);
		assert_true(ip_equal(&f[0].peer_src_ip, ignore ? &from : &told));
		assert_true(ip_equal(&f[1].peer_src_ip, &from)); /* 0.0.0.0 is none */
	}
	bench_close(&b);
}

/* What the header says, for those who ask: of every version. */
static void
test_header_primitives(void **state)
{
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	for (unsigned asked = 0; asked <= 1; asked++) {
		const struct flow *f = b.pipeline.flows;

		memset(&b.pipeline.needs, 0, sizeof(b.pipeline.needs));
		if (asked)
			field_set_add(&b.pipeline.needs, F_EXPORT_PROTO_SEQNO);
		/* Cleared as far as ever, so that what nobody asks for is seen. */
		v9_header(&w, 5, 7);
		v9_template(&w, 256);
		WORDS(&w, 256, 24);
		v9_record(&w, 0x0a000001, 100);
		assert_int_equal(bench_feed(&b, &w), 1);
		assert_int_equal(f->export_proto_seqno, asked ? 5 : 0);
		assert_int_equal(f->export_proto_version, asked ? 9 : 0);
		assert_int_equal(f->export_proto_sysid, asked ? 7 : 0);
		assert_int_equal(f->timestamp_export, asked ? NOW_S * CLOCK_S : 0);

		v5_header(&w, 1, 6);
		v5_record(&w, 6, 0, 0);
		assert_int_equal(bench_feed(&b, &w), 1);
		assert_int_equal(f->export_proto_seqno, asked ? 6 : 0);
		assert_int_equal(f->export_proto_version, asked ? 5 : 0);

		ipfix_header(&w, 8, 9);
		WORDS(&w, 2, 12, 257, 1, 1, 4, 257, 8, 0, 10);
		ipfix_end(&w);
		assert_int_equal(bench_feed(&b, &w), 1);
		assert_int_equal(f->export_proto_seqno, asked ? 8 : 0);
		assert_int_equal(f->export_proto_version, asked ? 10 : 0);
		assert_int_equal(f->export_proto_sysid, asked ? 9 : 0);
	}
	bench_close(&b);
}

/* A record of v5 is filled as far as somebody reads it, wherever that ends. */
static void
test_v5_as_far_as_needed(void **state)
{
	static const char *const wanted[] = { "etype", "tag, in_iface, out_iface",
		"exporter_ip", "src_mask, dst_as", "nexthop", "export_proto_version" };
	struct flow want = { .etype = 0x800, .in_iface = 0x0102, .out_iface = 0x0304,
		.src_mask = 24, .dst_as = 65002,
		.exporter_ip = ip_from_v4(bench_sender),
		.nexthop = { { [10] = 0xff, 0xff, 192, 0, 2, 254 } },
		.export_proto_version = 5 };
	struct bench b;
	struct wbuf w;

	(void)state;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		struct field_set needs;

		bench_open(&b, false);
		memset(b.pipeline.flows, 0xee, FLOW_BATCH * sizeof(struct flow));
		assert_int_equal(field_set_parse(wanted[i], &needs, NULL), 0);
		b.pipeline.needs = needs;
		pipeline_prepare(&b.pipeline);
		v5_header(&w, 1, 6);
		v5_record(&w, 6, 0, 0);
		assert_int_equal(bench_feed(&b, &w), 1);
		for (int k = 0; k < FIELD_COUNT; k++) {
			size_t at = fields[k].offset;

			if (field_set_has(&needs, (enum field_no)k) &&
			    memcmp((const char *)b.pipeline.flows + at,
				(const char *)&want + at, fields[k].octets) != 0)
				fail_msg("%s: %s", wanted[i], fields[k].config);
		}
		bench_close(&b);
	}
}

/*
 * What operators' rules compare beside what records hold: whose they are, their set and
 * its kind. Of those that tell their exporter's address, too.
 */
static void
test_context(void **state)
{
	static const uint32_t traffic = SAMPLE_NETFLOW | SAMPLE_FLOW;
	const ip16_t from = ip_from_v4(bench_sender);
	struct bench b;
	struct wbuf w;
	const struct flow *f;

	(void)state;
	bench_open(&b, false);
	f = b.pipeline.flows;
	v9_header(&w, 0, 0x01020304);
	WORDS(&w, 0, 16, 300, 2, 130, 4, 1, 4, 300, 12, 0x0a00, 9, 0, 100);
	WORDS(&w, 0, 16, 301, 2, 8, 4, 1, 4, 301, 12, 0x0a00, 9, 0, 100);
	assert_int_equal(bench_feed(&b, &w), 2);
	assert_true(ip_equal(&f[0].exporter_ip, &from));
	assert_int_equal(f[0].engine_id, 0x01020304);
	assert_int_equal(f[0].engine_type, 0);
	assert_int_equal(f[0].flowset_id, 300);
	assert_int_equal(f[0].sample_type, traffic);
	assert_int_equal(f[1].flowset_id, 301);
	assert_int_equal(f[1].sample_type, traffic | SAMPLE_IPV4);
	assert_int_equal(f[1].is_bi_flow + f[1].is_nel + f[1].is_nsel, 0);

	v5_header(&w, 1, 6);
	v5_record(&w, 6, 0, 0);
	w.start[20] = 3;
	w.start[21] = 5;
	assert_int_equal(bench_feed(&b, &w), 1);
	assert_true(ip_equal(&f->exporter_ip, &from));
	assert_int_equal(f->engine_type, 3);
	assert_int_equal(f->engine_id, 5);
	assert_int_equal(f->flowset_id, 0);
	assert_int_equal(f->sample_type, traffic | SAMPLE_IPV4);

	ipfix_header(&w, 8, 70000);
	WORDS(&w, 2, 24, 257, 4, 230, 2, 233, 2, 231, 2, 232, 2, 257, 12, 1, 2, 3, 4);
	ipfix_end(&w);
	assert_int_equal(bench_feed(&b, &w), 1);
	assert_int_equal(f->engine_id, 70000);
	assert_int_equal(f->engine_type, 0);
	assert_int_equal(f->sample_type, SAMPLE_NETFLOW | SAMPLE_EVENT);
	assert_int_equal(f->is_bi_flow, 1);
	assert_int_equal(f->is_nel, 1);
	assert_int_equal(f->is_nsel, 1);
	bench_close(&b);
}

/* Where a template has both addresses, each record shows of which kind it is. */
static void
test_sample_type_by_host(void **state)
{
	static const uint32_t traffic = SAMPLE_NETFLOW | SAMPLE_FLOW;
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	memset(&b.pipeline.needs, 0, sizeof(b.pipeline.needs));
	field_set_add(&b.pipeline.needs, F_SAMPLE_TYPE);
	bench_reopen(&b);
	v9_header(&w, 0, 7);
	WORDS(&w, 0, 20, 300, 3, 27, 16, 8, 4, 1, 4);
	WORDS(&w, 300, 76, 0, 0, 0, 0, 0, 0, 0, 0, 0x0a00, 9, 0, 100);
	WORDS(&w, 0x2001, 0xdb8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 100);
	WORDS(&w, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100);
	assert_int_equal(bench_feed(&b, &w), 3);
	assert_int_equal(b.pipeline.flows[0].sample_type, traffic | SAMPLE_IPV4);
	assert_int_equal(b.pipeline.flows[1].sample_type, traffic | SAMPLE_IPV6);
	assert_int_equal(b.pipeline.flows[2].sample_type, traffic);
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
	assert_int_equal(bench_feed(&b, &w), 1);
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
		bench_feed(&b, &w);
	}
	assert_int_equal(bench_stat(&b, STAT_SEQUENCE_LOST), 2);
	assert_int_equal(bench_stat(&b, STAT_TEMPLATES), 8);
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
	assert_int_equal(bench_feed(&b, &w), 0);
	assert_int_equal(bench_stat(&b, STAT_SETS_WAITING), 1);
	assert_int_equal(bench_stat(&b, STAT_RECORDS), 0);
	assert_int_equal(bench_stat(&b, STAT_DATAGRAMS_DECODED), 1);
	x = exporters_at(b.exporters, 0);
	assert_int_equal(exporter_sum(x, EXPORTER_NO_TEMPLATE), 1);
	bench_books(&b, "no template yet");

	/* In one datagram, too, what comes first must wait. */
	b.arrival += CLOCK_S;
	v9_header(&w, 1, 7);
	WORDS(&w, 256, 24);
	v9_record(&w, 0x0a000002, 200);
	v9_template(&w, 256);
	WORDS(&w, 256, 24);
	v9_record(&w, 0x0a000003, 300);
	assert_int_equal(bench_feed(&b, &w), 3);
	assert_int_equal(b.pipeline.flows[0].bytes, 300);
	/* They came when they came, from where they came. */
	assert_int_equal(b.pipeline.flows[1].bytes, 100);
	assert_int_equal(b.pipeline.flows[1].timestamp_arrival, ARRIVAL);
	assert_int_equal(b.pipeline.flows[1].stamp, (NOW_S - 5) * CLOCK_S);
	assert_true(ip_equal(&b.pipeline.flows[1].peer_src_ip, &x->addr));
	assert_int_equal(b.pipeline.flows[2].bytes, 200);
	assert_int_equal(b.pipeline.flows[2].timestamp_arrival, ARRIVAL + CLOCK_S);
	assert_int_equal(bench_stat(&b, STAT_RECORDS_NO_TEMPLATE), 0);
	assert_int_equal(bench_stat(&b, STAT_SETS_EARLY), 2);
	assert_int_equal(bench_stat(&b, STAT_SETS_RESOLVED), 2);
	assert_int_equal(bench_stat(&b, STAT_SETS_WAITING), 0);
	assert_int_equal(exporter_sum(x, EXPORTER_RECORDS), 3);
	bench_books(&b, "a template at last");
	bench_close(&b);
}

/* A set of 20 octets under id 256 waits; what happens to it, then template 256 comes. */
static void
test_v9_sets_that_waited(void **state)
{
	static const struct {
		const char *says;
		uint64_t later_s;
		uint32_t source_id; /* of the template */
		uint16_t id;
		uint32_t uptime_ms, sequence;
		unsigned flows, waiting;
	} cases[] = {
		{ "the template comes", 0, 7, 256, UPTIME_MS, 1, 1, 0 },
		{ "five minutes later", 300, 7, 256, UPTIME_MS, 1, 1, 0 },
		{ "too late", 301, 7, 256, UPTIME_MS, 1, 0, 0 },
		{ "another template", 0, 7, 257, UPTIME_MS, 1, 0, 1 },
		{ "another source's", 0, 8, 256, UPTIME_MS, 1, 0, 1 },
		{ "after a loss", 0, 7, 256, UPTIME_MS, 9, 1, 0 },
		{ "after a restart", 0, 7, 256, 20, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench b;
		struct wbuf w, uptime;
		unsigned flows;

		bench_open(&b, false);
		v9_header(&w, 0, 7);
		WORDS(&w, 256, 24);
		v9_record(&w, 0x0a000001, 100);
		bench_feed(&b, &w);
		b.arrival += cases[i].later_s * CLOCK_S;
		v9_header(&w, cases[i].sequence, cases[i].source_id);
		uptime = wbuf_of(w.start + 4, 4);
		wbuf_u32(&uptime, cases[i].uptime_ms);
		v9_template(&w, cases[i].id);
		flows = bench_feed(&b, &w);
		if (flows != cases[i].flows ||
		    bench_stat(&b, STAT_SETS_WAITING) != cases[i].waiting ||
		    bench_stat(&b, STAT_RECORDS_NO_TEMPLATE) !=
			1 - flows - cases[i].waiting)
			fail_msg("%s: %u flows", cases[i].says, flows);
		bench_books(&b, cases[i].says);
		bench_close(&b);
	}
}

/* A template of another length shows that the id means something else now. */
static void
test_v9_a_template_that_does_not_fit(void **state)
{
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	v9_header(&w, 0, 7);
	WORDS(&w, 256, 24);
	v9_record(&w, 0x0a000001, 100);
	bench_feed(&b, &w);
	v9_header(&w, 1, 7);
	WORDS(&w, 0, 16, 256, 2, 1, 4, 2, 8); /* 12 octets: 8 of the 20 are over */
	assert_int_equal(bench_feed(&b, &w), 0);
	assert_int_equal(bench_stat(&b, STAT_SETS_GIVEN_UP), 1);
	assert_int_equal(bench_stat(&b, STAT_RECORDS_NO_TEMPLATE), 1);
	assert_int_equal(bench_stat(&b, STAT_BAD_LENGTH), 0);
	bench_books(&b, "no fit");
	bench_close(&b);
}

/* Sets wait by the thousand, and no more; the books balance throughout. */
static void
test_v9_many_sets_wait(void **state)
{
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	for (uint32_t i = 0; i < 3 * WAITING_EXPORTER_SETS; i++) {
		v9_header(&w, i, 7);
		WORDS(&w, 256, 24);
		v9_record(&w, i, i);
		bench_feed(&b, &w);
		bench_books(&b, "waiting");
	}
	assert_int_equal(bench_stat(&b, STAT_SETS_WAITING), WAITING_EXPORTER_SETS);
	assert_int_equal(
	    bench_stat(&b, STAT_RECORDS_NO_TEMPLATE), 2 * WAITING_EXPORTER_SETS);
	assert_int_equal(atomic_load(&b.collector.crowded), 2 * WAITING_EXPORTER_SETS);
	/* The last ones are still there. */
	v9_header(&w, 3 * WAITING_EXPORTER_SETS, 7);
	v9_template(&w, 256);
	assert_int_equal(bench_feed(&b, &w), WAITING_EXPORTER_SETS);
	assert_int_equal(bench_stat(&b, STAT_SETS_WAITING), 0);
	bench_books(&b, "all resolved");
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
	assert_int_equal(bench_feed(&b, &w), 3);
	assert_int_equal(b.pipeline.flows[0].bytes, 100);
	assert_int_equal(b.pipeline.flows[1].bytes, 7);
	assert_int_equal(b.pipeline.flows[2].bytes, 8);
	x = exporters_at(b.exporters, 0);
	assert_int_equal(exporter_sum(x, EXPORTER_TEMPLATE_CHANGES), 1);
	assert_int_equal(exporter_sum(x, EXPORTER_TEMPLATES), 2);

	/* A new one that cannot be meant leaves the old. */
	v9_header(&w, 1, 7);
	WORDS(&w, 0, 8, 256, 0, 256, 8, 0, 9);
	assert_int_equal(bench_feed(&b, &w), 1);
	assert_int_equal(b.pipeline.flows[0].bytes, 9);
	assert_int_equal(bench_stat(&b, STAT_BAD_TEMPLATE), 1);
	bench_books(&b, "after the change");
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
	bench_feed(&b, &w);
	v9_header(&w, 0, 8);
	WORDS(&w, 256, 24);
	v9_record(&w, 0x0a000001, 100);
	assert_int_equal(bench_feed(&b, &w), 0);
	v9_header(&w, 0, 7);
	WORDS(&w, 256, 24);
	v9_record(&w, 0x0a000001, 100);
	assert_int_equal(bench_feed_from(&b, 2, w.start, wbuf_len(&w)), 0);
	assert_int_equal(bench_feed_from(&b, 1, w.start, wbuf_len(&w)), 1);
	assert_int_equal(bench_stat(&b, STAT_SETS_WAITING), 2);
	assert_int_equal(exporters_count(b.exporters), 3);
	bench_books(&b, "three exporters");

	/* Two more: one too many, so the one that never sent a record goes. */
	assert_int_equal(bench_feed_from(&b, 3, w.start, wbuf_len(&w)), 0);
	assert_int_equal(exporters_count(b.exporters), 4);
	assert_int_equal(bench_feed_from(&b, 4, w.start, wbuf_len(&w)), 0);
	assert_int_equal(exporters_count(b.exporters), 4);
	assert_int_equal(bench_feed_from(&b, 1, w.start, wbuf_len(&w)), 1);
	assert_int_equal(bench_stat(&b, STAT_BAD_EXPORTER), 0);
	bench_books(&b, "an exporter too many");
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
	assert_int_equal(bench_feed(&b, &w), 0);
	assert_int_equal(bench_stat(&b, STAT_RECORDS), 2);
	assert_int_equal(bench_stat(&b, STAT_RECORDS_NOT_FLOW), 2);
	assert_int_equal(bench_stat(&b, STAT_DATAGRAMS_DECODED), 1);
	bench_books(&b, "options");
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
		bench_feed(&b, &w);
		v9_header(&w, 1, 7);
		words(&w, bodies[i].words, bodies[i].n);
		before = bench_stat(&b, bodies[i].fate);
		flows = bench_feed(&b, &w);
		if (flows != bodies[i].flows ||
		    bench_stat(&b, bodies[i].fate) != before + 1)
			fail_msg("%s: %u flows", bodies[i].says, flows);
		bench_books(&b, bodies[i].says);
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
		{ "a v1 header that is cut", 1, 15, STAT_BAD_SHORT },
		{ "a v5 header that is cut", 5, 23, STAT_BAD_SHORT },
		{ "a v7 header that is cut", 7, 23, STAT_BAD_SHORT },
		{ "a v8 header that is cut", 8, 27, STAT_BAD_SHORT },
		{ "a v9 header that is cut", 9, 19, STAT_BAD_SHORT },
		{ "a v9 header", 9, 20, STAT_DATAGRAMS_DECODED },
		{ "an IPFIX header that is cut", 10, 15, STAT_BAD_SHORT },
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
		bench_feed_from(&b, 1, octets, cases[i].len);
		if (bench_stat(&b, cases[i].fate) != 1)
			fail_msg("%s", cases[i].says);
		if (exporters_count(b.exporters) !=
		    (cases[i].fate == STAT_DATAGRAMS_DECODED))
			fail_msg("%s: makes an exporter", cases[i].says);
		bench_books(&b, cases[i].says);
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
		bench_feed(&b, &w);
		v9_header(&w, i, 0x109);
		bench_feed(&b, &w);
	}
	assert_int_equal(exporters_count(b.exporters), 1);
	assert_int_equal(bench_stat(&b, STAT_SEQUENCE_LOST), 0);
	assert_int_equal(bench_stat(&b, STAT_SEQUENCE_RESETS), 0);
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
	bench_feed(&b, &w);
	x = exporters_at(b.exporters, 0);
	assert_int_equal(bench_stat(&b, STAT_BAD_TEMPLATE), 1);
	assert_int_equal(exporter_sum(x, EXPORTER_TEMPLATE_CHANGES), 256);
	bench_books(&b, "a storm");
	bench_close(&b);
}

/*
 * A datagram with all there is: templates, options, records of both families, padding.
 */
static void
rich_datagram(struct wbuf *w)
{
	v9_header(w, 5, 7);
	v9_template(w, 256);
	WORDS(w, 0, 24, 258, 4, 27, 16, 28, 16, 1, 8, 61, 1);
	WORDS(w, 1, 24, 257, 4, 8, 1, 4, 34, 4, 35, 1, 0);
	WORDS(w, 256, 48);
	v9_record(w, 0x0a000001, 100);
	v9_record(w, 0x0a000002, 200);
	wbuf_u32(w, 0);
	WORDS(w, 258, 48, 0x2001, 0xdb8, 0, 0, 0, 0, 0, 1, 0x2001, 0xdb8, 0, 0, 0, 0, 0,
	    2, 0, 0, 0, 500, 0x0100, 0);
	WORDS(w, 257, 16, 0, 1, 0, 100, 0x0100, 0);
	WORDS(w, 299, 8, 1, 2);
}

static void
test_rich_datagram(void **state)
{
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	rich_datagram(&w);
	assert_int_equal(bench_feed(&b, &w), 3);
	assert_int_equal(b.pipeline.flows[2].bytes, 500);
	assert_int_equal(b.pipeline.flows[2].etype, 0x86dd);
	assert_int_equal(bench_stat(&b, STAT_RECORDS_NOT_FLOW), 1);
	assert_int_equal(bench_stat(&b, STAT_SETS_WAITING), 1);
	assert_int_equal(bench_stat(&b, STAT_DATAGRAMS_DECODED), 1);
	bench_books(&b, "all there is");
	bench_close(&b);
}

static void
test_hurt(void **state)
{
	uint8_t copy[4096];
	struct wbuf w;
	size_t len;

	(void)state;
	rich_datagram(&w);
	len = wbuf_len(&w);
	memcpy(copy, w.start, len);
	bench_hurt(copy, len, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stamps),
		cmocka_unit_test(test_time_secs),
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_v9_record),
		cmocka_unit_test(test_exporter_in_the_record),
		cmocka_unit_test(test_header_primitives),
		cmocka_unit_test(test_v5_as_far_as_needed),
		cmocka_unit_test(test_context),
		cmocka_unit_test(test_sample_type_by_host),
		cmocka_unit_test(test_v9_without_time),
		cmocka_unit_test(test_v9_sequence_counts_datagrams),
		cmocka_unit_test(test_v9_template_after_data),
		cmocka_unit_test(test_v9_sets_that_waited),
		cmocka_unit_test(test_v9_a_template_that_does_not_fit),
		cmocka_unit_test(test_v9_many_sets_wait),
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

	return cmocka_run_group_tests(tests, bench_enter, bench_leave);
}
