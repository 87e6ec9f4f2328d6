/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "collectors/netflow.h"
#include "lib/clock.h"
#include "tests/collectors/netflow_bench.h"

/*
 * Template 256 in RFC 7011 A.2.1's shape: sourceIPv4Address, destinationIPv4Address,
 * ipNextHopIPv4Address, packetDeltaCount, octetDeltaCount, the last two of 4 octets.
 */
static void
template_256(struct wbuf *w)
{
	WORDS(w, 2, 28, 256, 5, 8, 4, 12, 4, 15, 4, 2, 4, 1, 4);
}

/* The three records of A.4.1. */
static void
records_256(struct wbuf *w)
{
	WORDS(w, 256, 64);
	WORDS(
	    w, 0xc000, 0x020c, 0xc000, 0x02fe, 0xc000, 0x0201, 0, 5009, 0x0051, 0x8185);
	WORDS(
	    w, 0xc000, 0x021b, 0xc000, 0x0217, 0xc000, 0x0202, 0, 748, 0x0005, 0xeced);
	WORDS(w, 0xc000, 0x0238, 0xc000, 0x0241, 0xc000, 0x0203, 0, 5, 0, 6534);
}

static unsigned
feed(struct bench *b, struct wbuf *w)
{
	ipfix_end(w);
	return bench_feed(b, w);
}

static void
test_the_rfcs_records(void **state)
{
	struct bench b;
	struct wbuf w;
	const struct flow *f;

	(void)state;
	bench_open(&b, false);
	ipfix_header(&w, 0, 7);
	template_256(&w);
	records_256(&w);
	assert_int_equal(feed(&b, &w), 3);
	f = b.pipeline.flows;
	assert_int_equal(f[0].src_host.b[15], 12);
	assert_int_equal(f[0].dst_host.b[15], 254);
	assert_int_equal(f[0].nexthop.b[15], 1);
	assert_int_equal(f[0].packets, 5009);
	assert_int_equal(f[0].bytes, 5341573);
	assert_int_equal(f[1].packets, 748);
	assert_int_equal(f[1].bytes, 388333);
	assert_int_equal(f[2].packets, 5);
	assert_int_equal(f[2].bytes, 6534);
	assert_int_equal(f[2].flows, 1);
	assert_int_equal(f[2].etype, 0x800);
	assert_int_equal(f[2].stamp, NOW_S * CLOCK_S);
	assert_int_equal(f[2].timestamp_arrival, ARRIVAL);
	assert_int_equal(bench_stat(&b, STAT_DATAGRAMS_DECODED), 1);
	assert_int_equal(atomic_load(&exporters_at(b.exporters, 0)->version), 10);
	bench_books(&b, "the RFC's records");
	bench_close(&b);
}

/*
 * Source, destination, octets, and of enterprise 29305 the reverse octets (RFC 5103): two
 * records, of which one got no answer.
 */
static void
biflow_message(struct wbuf *w)
{
	ipfix_header(w, 0, 7);
	WORDS(w, 2, 28, 256, 4, 8, 4, 12, 4, 1, 4, 0x8001, 4, 0, 29305);
	WORDS(w, 256, 36, 0x0a00, 1, 0x0a00, 2, 0, 100, 0, 40, 0x0a00, 3, 0x0a00, 4, 0,
	    50, 0, 0);
}

static void
test_biflows(void **state)
{
	struct bench b;
	struct wbuf w;
	const struct flow *f;

	(void)state;
	bench_open(&b, false);
	for (unsigned biflow = 0; biflow <= 1; biflow++) {
		b.config.biflow = biflow;
		bench_reopen(&b);
		biflow_message(&w);
		assert_int_equal(feed(&b, &w), 2);
		assert_int_equal(b.pipeline.n, biflow ? 3 : 2);
		f = b.pipeline.flows;
		assert_int_equal(f[0].bytes, 100);
		assert_int_equal(f[1 + biflow].bytes, 50);
		assert_int_equal(bench_stat(&b, STAT_RECORDS), 2 * (biflow + 1));
		assert_int_equal(bench_stat(&b, STAT_RECORDS_FED), 2 * (biflow + 1));
		assert_int_equal(bench_stat(&b, STAT_RECORDS_REVERSED), biflow);
		bench_books(&b, "biflows");
	}
	assert_int_equal(f[1].src_host.b[15], 2);
	assert_int_equal(f[1].dst_host.b[15], 1);
	assert_int_equal(f[1].bytes, 40);
	assert_int_equal(f[1].flows, 1);
	assert_int_equal(f[1].timestamp_arrival, ARRIVAL);
	assert_int_equal(f[1].stamp, NOW_S * CLOCK_S);
	bench_close(&b);
}

/* Options template 258, its scope an element of an enterprise, and two records. */
static void
options_258(struct wbuf *w)
{
	WORDS(w, 3, 26, 258, 3, 1, 0x8000 | 138, 4, 0, 32473, 41, 2, 42, 2);
	WORDS(w, 258, 20, 0, 1, 345, 10201, 0, 2, 690, 20402);
}

static void
test_options_are_no_flows(void **state)
{
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	ipfix_header(&w, 0, 7);
	options_258(&w);
	assert_int_equal(feed(&b, &w), 0);
	assert_int_equal(bench_stat(&b, STAT_RECORDS), 2);
	assert_int_equal(bench_stat(&b, STAT_RECORDS_NOT_FLOW), 2);
	assert_int_equal(bench_stat(&b, STAT_DATAGRAMS_DECODED), 1);
	bench_books(&b, "options");
	bench_close(&b);
}

/* Data records are counted, of options too, and templates are not: RFC 7011 s3.1. */
static void
test_sequence_counts_data_records(void **state)
{
	enum { NOTHING, TEMPLATE = 1, RECORDS = 2, OPTIONS = 4, UNKNOWN = 8 };
	static const struct {
		const char *says;
		uint32_t sequence;
		int body;
		uint64_t lost;
	} cases[] = {
		{ "the first says nothing", 4294967290U, TEMPLATE | RECORDS, 0 },
		{ "three records further", 4294967293U, OPTIONS, 0 },
		{ "two options further", 4294967295U, TEMPLATE, 0 },
		{ "a template does not count", 4294967295U, RECORDS, 0 },
		{ "past the wrap", 2, RECORDS, 0 },
		{ "four are missing", 9, RECORDS, 4 },
		{ "after the gap", 12, UNKNOWN, 4 },
		{ "nobody knows how many those were", 19, RECORDS, 4 },
		{ "after that all is known again", 24, NOTHING, 6 },
	};
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ipfix_header(&w, cases[i].sequence, 7);
		if (cases[i].body & TEMPLATE)
			template_256(&w);
		if (cases[i].body & RECORDS)
			records_256(&w);
		if (cases[i].body & OPTIONS)
			options_258(&w);
		if (cases[i].body & UNKNOWN)
			WORDS(&w, 400, 8, 1, 2);
		feed(&b, &w);
		if (bench_stat(&b, STAT_SEQUENCE_LOST) != cases[i].lost ||
		    bench_stat(&b, STAT_SEQUENCE_RESETS) != 0)
			fail_msg("%s: %llu lost", cases[i].says,
			    (unsigned long long)bench_stat(&b, STAT_SEQUENCE_LOST));
	}
	bench_close(&b);
}

/* Templates belong to an address and an observation domain. */
static void
test_domains_are_apart(void **state)
{
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	ipfix_header(&w, 0, 7);
	template_256(&w);
	feed(&b, &w);
	ipfix_header(&w, 0, 8);
	records_256(&w);
	assert_int_equal(feed(&b, &w), 0);
	ipfix_header(&w, 0, 7);
	records_256(&w);
	assert_int_equal(feed(&b, &w), 3);
	assert_int_equal(exporters_count(b.exporters), 2);
	assert_int_equal(bench_stat(&b, STAT_SEQUENCE_LOST), 0);
	/* v9 of the same number has templates of its own. */
	v9_header(&w, 0, 7);
	records_256(&w);
	assert_int_equal(bench_feed(&b, &w), 0);
	assert_int_equal(exporters_count(b.exporters), 2);
	bench_books(&b, "two domains");
	bench_close(&b);
}

/* What the header's length makes of a message of 108 octets, three records in it. */
static const struct {
	const char *says;
	int more; /* than the octets that are there */
	unsigned flows;
	enum stat_no fate;
	uint64_t beyond;
} lengths[] = {
	{ "the length is right", 0, 3, STAT_DATAGRAMS_DECODED, 0 },
	{ "longer than the datagram: what is there counts", 4, 3, STAT_BAD_SHORT, 0 },
	{ "much longer", 65535 - 108, 3, STAT_BAD_SHORT, 0 },
	{ "shorter, within a set", -4, 0, STAT_BAD_LENGTH, 4 },
	{ "shorter by the last set", -64, 0, STAT_BAD_LENGTH, 64 },
	{ "the header alone", 16 - 108, 0, STAT_BAD_LENGTH, 92 },
	{ "less than the header", 15 - 108, 0, STAT_BAD_LENGTH, 0 },
	{ "nothing at all", -108, 0, STAT_BAD_LENGTH, 0 },
};

static void
test_lengths(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct bench b;
		struct wbuf w, length;
		unsigned n;

		bench_open(&b, false);
		ipfix_header(&w, 0, 7);
		template_256(&w);
		records_256(&w);
		assert_int_equal(wbuf_len(&w), 108);
		length = wbuf_of(w.start + 2, 2);
		wbuf_u16(&length, (uint16_t)(108 + lengths[i].more));
		n = bench_feed(&b, &w);
		if (n != lengths[i].flows || bench_stat(&b, lengths[i].fate) != 1 ||
		    bench_stat(&b, STAT_OCTETS_BEYOND) != lengths[i].beyond)
			fail_msg("%s: %u flows", lengths[i].says, n);
		bench_books(&b, lengths[i].says);
		bench_close(&b);
	}
}

/* A datagram holds one message: RFC 7011 s10.3.3. The second is counted and left. */
static void
test_a_second_message_is_beyond(void **state)
{
	uint8_t both[216];
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	ipfix_header(&w, 0, 7);
	template_256(&w);
	records_256(&w);
	ipfix_end(&w);
	memcpy(both, w.start, 108);
	memcpy(both + 108, w.start, 108);
	assert_int_equal(bench_feed_from(&b, 1, both, sizeof(both)), 3);
	assert_int_equal(bench_stat(&b, STAT_BAD_LENGTH), 1);
	assert_int_equal(bench_stat(&b, STAT_OCTETS_BEYOND), 108);
	bench_books(&b, "two messages");
	bench_close(&b);
}

/* What follows the header, with template 256 and options template 258 known. */
static const struct {
	const char *says;
	enum { IN_ORDER, CONNECTED, LATE, TWICE } how;
	uint16_t words[12];
	unsigned n;
	enum stat_no fate;
	bool has_256, has_258;
} withdrawals[] = {
	{ "over UDP, in order", IN_ORDER, { 2, 8, 256, 0 }, 4, STAT_DATAGRAMS_DECODED,
	    false, true },
	{ "over UDP, all", IN_ORDER, { 2, 8, 2, 0 }, 4, STAT_DATAGRAMS_DECODED, false,
	    true },
	{ "over UDP, it was overtaken", LATE, { 2, 8, 256, 0, 2, 8, 2, 0 }, 8,
	    STAT_DATAGRAMS_DECODED, true, true },
	{ "over UDP, by a number that was here already", TWICE,
	    { 2, 8, 256, 0, 2, 8, 2, 0 }, 8, STAT_DATAGRAMS_DECODED, true, true },
	{ "one template", CONNECTED, { 2, 8, 256, 0 }, 4, STAT_DATAGRAMS_DECODED, false,
	    true },
	{ "one that is not there", CONNECTED, { 2, 8, 300, 0 }, 4,
	    STAT_DATAGRAMS_DECODED, true, true },
	{ "one options template", CONNECTED, { 3, 8, 258, 0 }, 4,
	    STAT_DATAGRAMS_DECODED, true, false },
	{ "options in a set of templates are not meant", CONNECTED, { 2, 8, 258, 0 }, 4,
	    STAT_DATAGRAMS_DECODED, true, true },
	{ "two in one set", CONNECTED, { 2, 12, 256, 0, 300, 0 }, 6,
	    STAT_DATAGRAMS_DECODED, false, true },
	{ "all templates", CONNECTED, { 2, 8, 2, 0 }, 4, STAT_DATAGRAMS_DECODED, false,
	    true },
	{ "all options templates", CONNECTED, { 3, 8, 3, 0 }, 4, STAT_DATAGRAMS_DECODED,
	    true, false },
	{ "all of both", CONNECTED, { 2, 8, 2, 0, 3, 8, 3, 0 }, 8,
	    STAT_DATAGRAMS_DECODED, false, false },
	{ "all options in a set of templates cannot be", CONNECTED, { 2, 8, 3, 0 }, 4,
	    STAT_BAD_TEMPLATE, true, true },
	{ "withdrawn and told anew", CONNECTED, { 2, 20, 256, 0, 256, 2, 8, 4, 1, 4 },
	    10, STAT_DATAGRAMS_DECODED, true, true },
};

static void
test_withdrawals(void **state)
{
	static const uint32_t sequences[] = {
		[IN_ORDER] = 12, [CONNECTED] = 12, [LATE] = 2, [TWICE] = 0
	};

	(void)state;
	for (size_t i = 0; i < sizeof(withdrawals) / sizeof(withdrawals[0]); i++) {
		struct bench b;
		struct wbuf w;
		uint64_t before, records;

		bench_open(&b, false);
		ipfix_header(&w, 0, 7);
		template_256(&w);
		options_258(&w);
		feed(&b, &w);
		/* A message of ten records that is overtaken, and one behind it. */
		ipfix_header(&w, 12, 7);
		feed(&b, &w);
		b.connected = withdrawals[i].how == CONNECTED;
		before = bench_stat(&b, withdrawals[i].fate);
		ipfix_header(&w, sequences[withdrawals[i].how], 7);
		words(&w, withdrawals[i].words, withdrawals[i].n);
		feed(&b, &w);
		if (bench_stat(&b, withdrawals[i].fate) != before + 1)
			fail_msg("%s: another fate", withdrawals[i].says);
		ipfix_header(&w, 12, 7);
		records_256(&w);
		if ((feed(&b, &w) != 0) != withdrawals[i].has_256)
			fail_msg("%s: template 256", withdrawals[i].says);
		records = bench_stat(&b, STAT_RECORDS_NOT_FLOW);
		ipfix_header(&w, 15, 7);
		WORDS(&w, 258, 12, 0, 1, 345, 10201);
		feed(&b, &w);
		if ((bench_stat(&b, STAT_RECORDS_NOT_FLOW) != records) !=
		    withdrawals[i].has_258)
			fail_msg("%s: template 258", withdrawals[i].says);
		bench_books(&b, withdrawals[i].says);
		bench_close(&b);
	}
}

/* What follows the header, after template 256 (20 octets) was told. */
static const struct {
	const char *says;
	uint16_t words[24];
	unsigned n;
	enum stat_no fate;
	unsigned flows;
} bodies[] = {
	{ "nothing", { 0 }, 0, STAT_DATAGRAMS_DECODED, 0 },
	{ "one record", { 256, 24 }, 12, STAT_DATAGRAMS_DECODED, 1 },
	{ "v9's sets of templates are stepped over", { 0, 12, 300, 1, 8, 0, 256, 24 },
	    18, STAT_DATAGRAMS_DECODED, 1 },
	{ "a reserved set is stepped over", { 255, 8, 1, 2, 256, 24, 1 }, 16,
	    STAT_DATAGRAMS_DECODED, 1 },
	{ "three octets of padding", { 256, 26, [12] = 0 }, 13, STAT_DATAGRAMS_DECODED,
	    1 },
	{ "a set that ends in something else", { 256, 32, [12] = 5 }, 16,
	    STAT_BAD_LENGTH, 1 },
	{ "a set of no length", { 256, 0, 1, 2 }, 4, STAT_BAD_LENGTH, 0 },
	{ "a set longer than the message", { 256, 28 }, 12, STAT_BAD_SHORT, 0 },
	{ "a record of variable length, and padding",
	    { 2, 16, 300, 2, 82, 65535, 1, 4, 300, 12, 0x0261, 0x6200, 0, 0x4400 }, 14,
	    STAT_DATAGRAMS_DECODED, 1 },
	{ "a value that runs past its set",
	    { 2, 16, 300, 2, 82, 65535, 1, 4, 300, 12, 0x0961, 0x6200, 0, 0x4400 }, 14,
	    STAT_BAD_SHORT, 0 },
};

static void
test_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct bench b;
		struct wbuf w;
		uint64_t before;
		unsigned flows;

		bench_open(&b, false);
		ipfix_header(&w, 0, 7);
		template_256(&w);
		feed(&b, &w);
		ipfix_header(&w, 0, 7);
		words(&w, bodies[i].words, bodies[i].n);
		before = bench_stat(&b, bodies[i].fate);
		flows = feed(&b, &w);
		if (flows != bodies[i].flows ||
		    bench_stat(&b, bodies[i].fate) != before + 1)
			fail_msg("%s: %u flows", bodies[i].says, flows);
		bench_books(&b, bodies[i].says);
		bench_close(&b);
	}
}

static void
test_hurt(void **state)
{
	uint8_t copy[512];
	struct wbuf w;
	size_t len;

	(void)state;
	ipfix_header(&w, 0, 7);
	template_256(&w);
	options_258(&w);
	records_256(&w);
	WORDS(&w, 2, 16, 300, 2, 82, 65535, 1, 4);
	WORDS(&w, 300, 12, 0x0361, 0x6263, 0, 0x0044);
	ipfix_end(&w);
	len = wbuf_len(&w);
	memcpy(copy, w.start, len);
	bench_hurt(copy, len, 4);
}

/* What SNMP shows of templates: each element in its place, and when it was told last. */
static void
test_elements(void **state)
{
	static const struct exporter_element want[] = {
		{ .template = 258, .no = 1, .element = 138, .octets = 4, .enterprise = 32473,
		    .options = true, .scope = true },
		{ .template = 258, .no = 2, .element = 41, .octets = 2, .options = true },
		{ .template = 258, .no = 3, .element = 42, .octets = 2, .options = true },
		{ .template = 300, .no = 1, .element = 82, .octets = 65535 },
	};
	struct exporter_element got[8] = { { 0 } };
	struct exporter *x;
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	for (unsigned again = 0; again < 2; again++, b.arrival += 100 * CLOCK_S) {
		uint32_t n;

		ipfix_header(&w, 0, 7);
		options_258(&w);
		if (again == 0)
			WORDS(&w, 2, 12, 300, 1, 82, 65535);
		ipfix_end(&w);
		bench_feed(&b, &w);
		x = exporters_at(b.exporters, 0);
		n = netflow_exporter_elements(x, got, 8);
		assert_int_equal(n, 4);
		for (uint32_t i = 0; i < n; i++) {
			uint64_t told = b.arrival - (want[i].template == 300 ? again : 0) * 100 * CLOCK_S;
			uint32_t k = 0;

			while (k < n && (got[k].template != want[i].template || got[k].no != want[i].no))
				k++;
			assert_true(k < n);
			assert_int_equal(got[k].element, want[i].element);
			assert_int_equal(got[k].octets, want[i].octets);
			assert_int_equal(got[k].enterprise, want[i].enterprise);
			assert_int_equal(got[k].options, want[i].options);
			assert_int_equal(got[k].scope, want[i].scope);
			assert_int_equal(got[k].heard, told / CLOCK_S * CLOCK_S);
			assert_int_equal(got[k].told,
			    (b.arrival - again * 100 * CLOCK_S) / CLOCK_S * CLOCK_S);
		}
		assert_int_equal(netflow_exporter_elements(x, got, 2), 2);
	}
	bench_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_rfcs_records),
		cmocka_unit_test(test_biflows),
		cmocka_unit_test(test_options_are_no_flows),
		cmocka_unit_test(test_sequence_counts_data_records),
		cmocka_unit_test(test_domains_are_apart),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_a_second_message_is_beyond),
		cmocka_unit_test(test_withdrawals),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_elements),
		cmocka_unit_test(test_hurt),
	};

	return cmocka_run_group_tests(tests, bench_enter, bench_leave);
}
