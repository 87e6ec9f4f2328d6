/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/intern.h"
#include "tests/collectors/netflow_bench.h"

/* A v9 options template 300: `scope` of no octets, sampler id (1), interval (4). */
static void
sampler_template(struct wbuf *w, uint16_t scope)
{
	WORDS(w, 1, 24, 300, 4, 8, scope, 0, 48, 1, 34, 4, 0);
}

static void
sampler_record(struct wbuf *w, uint8_t id, uint32_t rate)
{
	WORDS(w, 300, 9);
	wbuf_u8(w, id);
	wbuf_u32(w, rate);
}

/* A v9 template 301 and a set of one record: sampler id, octets. */
static void
flow_of(struct wbuf *w, uint8_t sampler, uint32_t bytes)
{
	WORDS(w, 0, 16, 301, 2, 48, 1, 1, 4, 301, 9);
	wbuf_u8(w, sampler);
	wbuf_u32(w, bytes);
}

static const struct {
	const char *says;
	uint16_t scope; /* of what source id 7 tells: sampler 3 is 1 in 100, 4 in 200 */
	uint32_t source_id;
	uint8_t sampler;
	uint32_t want;
	bool any_scope;
} samplers[] = {
	{ "the sampler that the record names", 1, 7, 3, 100, false },
	{ "another", 1, 7, 4, 200, false },
	{ "an unknown one: the last that was told", 1, 7, 9, 200, false },
	{ "none: the last that was told", 1, 7, 0, 200, false },
	{ "scope System is the whole exporter", 1, 8, 3, 100, false },
	{ "and so is its last", 1, 8, 0, 200, false },
	{ "a cache as scope is of its source id", 4, 7, 3, 100, false },
	{ "and not of another", 4, 8, 3, 0, false },
	{ "unless scopes are not looked at", 4, 8, 3, 100, true },
};

static void
test_samplers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samplers) / sizeof(samplers[0]); i++) {
		struct bench b;
		struct wbuf w;

		bench_open(&b, false);
		b.config.disable_opt_scope_check = samplers[i].any_scope;
		bench_reopen(&b);
		v9_header(&w, 0, 7);
		sampler_template(&w, samplers[i].scope);
		sampler_record(&w, 3, 100);
		sampler_record(&w, 4, 200);
		assert_int_equal(bench_feed(&b, &w), 0);
		assert_int_equal(bench_stat(&b, STAT_RECORDS_NOT_FLOW), 2);
		v9_header(&w, 1, samplers[i].source_id);
		flow_of(&w, samplers[i].sampler, 1000);
		assert_int_equal(bench_feed(&b, &w), 1);
		if (b.pipeline.flows[0].sampling_rate != samplers[i].want)
			fail_msg("%s: %u", samplers[i].says,
			    b.pipeline.flows[0].sampling_rate);
		bench_books(&b, samplers[i].says);
		bench_close(&b);
	}
}

/* Options that come in front of flows in one datagram count for these already. */
static void
test_same_datagram(void **state)
{
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	v9_header(&w, 0, 7);
	sampler_template(&w, 1);
	flow_of(&w, 3, 1);
	sampler_record(&w, 3, 100);
	flow_of(&w, 3, 1);
	sampler_record(&w, 3, 150);
	flow_of(&w, 3, 1);
	assert_int_equal(bench_feed(&b, &w), 3);
	assert_int_equal(b.pipeline.flows[0].sampling_rate, 0);
	assert_int_equal(b.pipeline.flows[1].sampling_rate, 100);
	assert_int_equal(b.pipeline.flows[2].sampling_rate, 150);
	bench_close(&b);
}

/* Sets that waited for their templates, options and flows, know what was told. */
static void
test_early(void **state)
{
	struct bench b;
	struct wbuf w;
	ip16_t sender = ip_from_v4(bench_sender);

	(void)state;
	bench_open(&b, false);
	v9_header(&w, 0, 7);
	sampler_record(&w, 3, 100);
	WORDS(&w, 301, 9);
	wbuf_u8(&w, 3);
	wbuf_u32(&w, 1000);
	assert_int_equal(bench_feed(&b, &w), 0);
	v9_header(&w, 1, 7);
	sampler_template(&w, 1);
	WORDS(&w, 0, 16, 301, 2, 48, 1, 1, 4);
	assert_int_equal(bench_feed(&b, &w), 1);
	assert_int_equal(b.pipeline.flows[0].bytes, 1000);
	assert_int_equal(b.pipeline.flows[0].sampling_rate, 100);
	assert_true(ip_equal(&b.pipeline.flows[0].peer_src_ip, &sender));
	bench_books(&b, "sets that waited");
	bench_close(&b);
}

/* What is told of one address is of no other. */
static void
test_addresses_apart(void **state)
{
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	v9_header(&w, 0, 7);
	sampler_template(&w, 1);
	sampler_record(&w, 3, 100);
	assert_int_equal(bench_feed(&b, &w), 0);
	v9_header(&w, 0, 7);
	flow_of(&w, 3, 1);
	assert_int_equal(bench_feed_from(&b, 2, w.start, wbuf_len(&w)), 1);
	assert_int_equal(b.pipeline.flows[0].sampling_rate, 0);
	bench_close(&b);
}

/* A rate in the record itself comes before what options tell. */
static void
test_record_first(void **state)
{
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	v9_header(&w, 0, 7);
	sampler_template(&w, 1);
	sampler_record(&w, 3, 100);
	WORDS(&w, 0, 16, 302, 2, 48, 2, 34, 2, 302, 12, 3, 50, 3, 0);
	assert_int_equal(bench_feed(&b, &w), 2);
	assert_int_equal(b.pipeline.flows[0].sampling_rate, 50);
	assert_int_equal(b.pipeline.flows[1].sampling_rate, 100); /* zero is no rate */
	bench_close(&b);
}

/* By what the rate of each exporter is known. */
static void
test_rate_shown(void **state)
{
	struct bench b;
	struct wbuf w;
	const struct exporter *x;

	(void)state;
	bench_open(&b, false);
	v5_header(&w, 0, 0);
	(void)bench_feed(&b, &w);
	x = exporters_at(b.exporters, 0);
	assert_int_equal(x->sampling, 250);
	assert_int_equal(x->sampling_by, EXPORTER_RATE_HEADER);

	v9_header(&w, 0, 7);
	sampler_template(&w, 1);
	sampler_record(&w, 3, 100);
	(void)bench_feed(&b, &w);
	x = exporters_at(b.exporters, 1);
	assert_int_equal(x->sampling, 100);
	assert_int_equal(x->sampling_by, EXPORTER_RATE_OPTIONS);

	/* Another source id of the same exporter, when it shows. */
	v9_header(&w, 0, 8);
	flow_of(&w, 0, 1);
	(void)bench_feed(&b, &w);
	x = exporters_at(b.exporters, 2);
	assert_int_equal(x->sampling, 100);
	assert_int_equal(x->sampling_by, EXPORTER_RATE_OPTIONS);

	v9_header(&w, 0, 7);
	WORDS(&w, 0, 12, 303, 1, 34, 4, 303, 8, 0, 77);
	assert_int_equal(bench_feed_from(&b, 3, w.start, wbuf_len(&w)), 1);
	x = exporters_at(b.exporters, 3);
	assert_int_equal(x->sampling, 77);
	assert_int_equal(x->sampling_by, EXPORTER_RATE_RECORD);
	bench_close(&b);
}

/* The exporter tells its own address, which is not the sender's. */
static void
test_exporter_address(void **state)
{
	static const uint8_t told[4] = { 198, 51, 100, 7 };
	struct bench b;
	struct wbuf w;
	ip16_t sender = ip_from_v4(bench_sender), want = ip_from_v4(told);

	(void)state;
	for (int ignore = 0; ignore <= 1; ignore++) {
		bench_open(&b, false);
		b.config.ignore_exporter_address = ignore;
		bench_reopen(&b);
		ipfix_header(&w, 0, 7);
		WORDS(&w, 3, 18, 300, 2, 1, 149, 4, 130, 4);
		WORDS(&w, 300, 12, 0, 7);
		wbuf_put(&w, told, 4);
		WORDS(&w, 2, 12, 301, 1, 1, 4, 301, 8, 0, 10);
		ipfix_end(&w);
		assert_int_equal(bench_feed(&b, &w), 1);
		assert_true(ip_equal(
		    &b.pipeline.flows[0].peer_src_ip, ignore ? &sender : &want));

		/* Told of domain 7: domain 8 is somebody else. */
		ipfix_header(&w, 0, 8);
		WORDS(&w, 2, 12, 301, 1, 1, 4, 301, 8, 0, 10);
		ipfix_end(&w);
		assert_int_equal(bench_feed(&b, &w), 1);
		assert_true(ip_equal(&b.pipeline.flows[0].peer_src_ip, &sender));
		bench_close(&b);
	}
}

/* Names go into the records that come after, of whatever source id. */
static void
test_names(void **state)
{
	struct bench b;
	struct wbuf w;
	const struct flow *f;

	(void)state;
	bench_open(&b, false);
	v9_header(&w, 0, 7);
	WORDS(&w, 1, 22, 300, 4, 8, 1, 0, 10, 2, 82, 4);
	WORDS(&w, 300, 16, 5, 0x6574, 0x6830, 6, 0x6574, 0x6831); /* 5 eth0, 6 eth1 */
	(void)bench_feed(&b, &w);
	v9_header(&w, 0, 8);
	WORDS(&w, 0, 16, 301, 2, 10, 2, 14, 2, 301, 8, 5, 6);
	assert_int_equal(bench_feed(&b, &w), 1);
	f = &b.pipeline.flows[0];
	assert_string_equal(intern_text(f->in_iface_name), "eth0");
	assert_string_equal(intern_text(f->out_iface_name), "eth1");
	bench_close(&b);
}

/*
 * Options data counted like flows: a scope is no element (System is not octets), and what
 * is told is learnt all the same.
 */
static void
test_accounted(void **state)
{
	struct bench b;
	struct wbuf w;
	const struct flow *f;

	(void)state;
	bench_open(&b, false);
	b.config.account_options = true;
	bench_reopen(&b);
	f = b.pipeline.flows;
	v9_header(&w, 0, 7);
	WORDS(&w, 1, 22, 300, 4, 8, 1, 2, 48, 2, 34, 2);
	WORDS(&w, 300, 16, 77, 3, 100, 77, 4, 200);
	flow_of(&w, 3, 5);
	assert_int_equal(bench_feed(&b, &w), 3);
	assert_int_equal(f[0].bytes, 0);
	assert_int_equal(f[0].flows, 1);
	assert_int_equal(f[0].sampler_id, 3);
	assert_int_equal(f[0].sampling_rate, 100);
	assert_int_equal(f[1].sampling_rate, 200);
	assert_int_equal(f[2].bytes, 5);
	assert_int_equal(f[2].sampling_rate, 100);
	assert_int_equal(bench_stat(&b, STAT_RECORDS_NOT_FLOW), 0);
	bench_books(&b, "options data that is counted");
	bench_close(&b);
}

/* Options cut short keep what was whole, and are one malformed datagram. */
static void
test_cut(void **state)
{
	struct bench b;
	struct wbuf w;
	uint8_t data[256];
	size_t len;

	(void)state;
	v9_header(&w, 0, 7);
	sampler_template(&w, 1);
	sampler_record(&w, 3, 100);
	flow_of(&w, 3, 1);
	len = wbuf_len(&w);
	memcpy(data, w.start, len);
	bench_hurt(data, len, 1);

	bench_open(&b, false);
	ipfix_header(&w, 0, 7);
	WORDS(&w, 3, 18, 300, 2, 1, 10, 4, 82, 65535);
	WORDS(&w, 300, 16, 0, 5, 0x0261, 0x6200, 0x0000,
	    0x06ff); /* the second's length */
	ipfix_end(&w);
	assert_int_equal(bench_feed(&b, &w), 0);
	assert_int_equal(bench_stat(&b, STAT_RECORDS_NOT_FLOW), 1);
	assert_int_equal(bench_stat(&b, STAT_BAD_SHORT), 1);
	bench_books(&b, "a name that runs past its set");
	bench_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samplers),
		cmocka_unit_test(test_same_datagram),
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_addresses_apart),
		cmocka_unit_test(test_record_first),
		cmocka_unit_test(test_rate_shown),
		cmocka_unit_test(test_exporter_address),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_accounted),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests_name(
	    "netflow options", tests, bench_enter, bench_leave);
}
