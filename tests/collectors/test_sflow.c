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
#include "lib/clock.h"
#include "lib/wbuf.h"
#include "proto/sflow.h"

#define ARRIVAL (UINT64_C(1700000000) * CLOCK_S)

static const uint8_t agent[4] = { 192, 0, 2, 7 };

/* An Ethernet frame of a TCP segment with a VLAN tag, cut behind the TCP flags. */
static const uint8_t frame[] = {
	0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1, 0x81, 0x00, 0x60, 0x64, 0x08, 0x00,
	0x45, 0x10, 0x05, 0x00, 0, 1, 0x40, 0, 0x40, 6, 0, 0, 198, 51, 100, 1, 203, 0, 113, 9,
	0x01, 0xbb, 0xc3, 0x50, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 0, 0, 0, 0, 0, 0,
};
#define FRAME_WIRE 1302U /* 1280 octets of IP, 18 of Ethernet and the tag, 4 of FCS */

/* A decoder with a pipeline that nobody listens to: its flows stay in the batch. */
struct bench {
	struct exporters *exporters;
	struct exporter_cache cache;
	struct pipeline pipeline;
	struct collector collector;
	struct datagram_config config;
	void *decoder;
};

static int
bench_open(void **state)
{
	void (*const state_free[EXPORTER_KINDS])(void *) = { NULL };
	struct bench *b = calloc(1, sizeof(*b));
	struct err e = ERR_INIT;

	assert_non_null(b);
	b->exporters = exporters_new(1, 4, state_free);
	assert_non_null(b->exporters);
	assert_int_equal(exporter_cache_init(&b->cache, b->exporters, &e), 0);
	b->pipeline.flows = calloc(2 * FLOW_BATCH, sizeof(struct flow));
	for (unsigned i = 0; i < FIELD_COUNT; i++)
		field_set_add(&b->pipeline.needs, (enum field_no)i);
	pipeline_prepare(&b->pipeline);
	b->collector.config = &b->config;
	b->collector.pipeline = &b->pipeline;
	b->collector.exporters = &b->cache;
	b->decoder = sflow_decoder.open(&b->collector, &e);
	assert_non_null(b->decoder);
	*state = b;
	return 0;
}

static int
bench_close(void **state)
{
	struct bench *b = *state;

	sflow_decoder.close(b->decoder);
	exporter_cache_fini(&b->cache);
	exporters_free(b->exporters);
	free(b->pipeline.flows);
	free(b);
	return 0;
}

static uint64_t
stat(const struct bench *b, enum stat_no i)
{
	return stat_get(&b->pipeline.stats, i);
}

static void
check_books(const struct bench *b)
{
	assert_int_equal(stat(b, STAT_DATAGRAMS), stat(b, STAT_DATAGRAMS_DECODED) +
	    stat(b, STAT_BAD_SHORT) + stat(b, STAT_BAD_VERSION) + stat(b, STAT_BAD_LENGTH) +
	    stat(b, STAT_BAD_EXPORTER));
	assert_int_equal(stat(b, STAT_RECORDS), stat(b, STAT_RECORDS_FED) +
	    stat(b, STAT_RECORDS_NOT_FLOW) + stat(b, STAT_RECORDS_MALFORMED));
}

/* Decode a copy of its own size, so that a sanitizer sees every octet read beyond it. */
static void
feed(struct bench *b, const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct datagram d = { .data = copy, .len = len, .from = ip_from_v4(agent),
		.arrival = ARRIVAL };

	assert_non_null(copy);
	memcpy(copy, data, len);
	b->pipeline.n = 0;
	sflow_decoder.decode(b->decoder, &d);
	free(copy);
	check_books(b);
}

static uint8_t space[2048];

static void
header(struct wbuf *w, uint32_t version, uint32_t sequence, uint32_t samples)
{
	*w = wbuf_of(space, sizeof(space));
	wbuf_u32(w, version);
	wbuf_u32(w, SFLOW_ADDRESS_IPV4);
	wbuf_put(w, agent, 4);
	wbuf_u32(w, 3); /* sub-agent */
	wbuf_u32(w, sequence);
	wbuf_u32(w, 1000); /* uptime, ms */
	wbuf_u32(w, samples);
}

/* The record with the frame's start. */
static void
record_header(struct wbuf *w)
{
	uint32_t padded = (uint32_t)(sizeof(frame) + 3) & ~3U;

	wbuf_u32(w, SFLOW_RECORD_HEADER);
	wbuf_u32(w, 16 + padded);
	wbuf_u32(w, SFLOW_HEADER_ETHERNET);
	wbuf_u32(w, FRAME_WIRE);
	wbuf_u32(w, 4); /* stripped: the FCS */
	wbuf_u32(w, sizeof(frame));
	wbuf_put(w, frame, sizeof(frame));
	wbuf_uint(w, 0, padded - sizeof(frame));
}

/* A sample of `records` that begin with the frame's; the caller adds the others. */
static void
sample(struct wbuf *w, bool expanded, uint32_t more_octets, uint32_t records)
{
	uint32_t fixed = expanded ? SFLOW_FLOW_EXPANDED_OCTETS : SFLOW_FLOW_OCTETS;
	uint32_t octets = fixed + 24 + ((uint32_t)(sizeof(frame) + 3) & ~3U) + more_octets;

	wbuf_u32(w, expanded ? SFLOW_SAMPLE_FLOW_EXPANDED : SFLOW_SAMPLE_FLOW);
	wbuf_u32(w, octets);
	wbuf_u32(w, 77); /* sequence */
	wbuf_uint(w, 5, expanded ? 8 : 4); /* data source */
	wbuf_u32(w, 512); /* rate */
	wbuf_u32(w, 10240); /* pool */
	wbuf_u32(w, 0); /* drops */
	wbuf_uint(w, 5, expanded ? 8 : 4); /* input */
	wbuf_uint(w, 6, expanded ? 8 : 4); /* output */
	wbuf_u32(w, records);
	record_header(w);
}

static void
check_flow(const struct flow *f)
{
	char text[IP_STRLEN];

	ip_format(&f->src_host, text);
	assert_string_equal(text, "198.51.100.1");
	ip_format(&f->dst_host, text);
	assert_string_equal(text, "203.0.113.9");
	ip_format(&f->peer_src_ip, text);
	assert_string_equal(text, "192.0.2.7");
	assert_int_equal(f->src_port, 443);
	assert_int_equal(f->dst_port, 50000);
	assert_int_equal(f->proto, 6);
	assert_int_equal(f->tos, 0x10);
	assert_int_equal(f->tcp_flags, 0x18);
	assert_int_equal(f->vlan, 100);
	assert_int_equal(f->cos, 3);
	assert_int_equal(f->in_iface, 5);
	assert_int_equal(f->out_iface, 6);
	assert_int_equal(f->sampling_rate, 512);
	assert_int_equal(f->packets, 1);
	assert_int_equal(f->flows, 1);
	assert_int_equal(f->bytes, FRAME_WIRE);
	assert_int_equal(f->stamp, ARRIVAL);
}

static void
test_both_forms_of_a_flow_sample_say_the_same(void **state)
{
	struct bench *b = *state;
	struct wbuf w;

	for (int expanded = 0; expanded < 2; expanded++) {
		header(&w, SFLOW_V5, (uint32_t)(1 + expanded), 1);
		sample(&w, expanded != 0, 0, 1);
		assert_true(wbuf_ok(&w));
		feed(b, space, wbuf_len(&w));
		assert_int_equal(b->pipeline.n, 1);
		check_flow(&b->pipeline.flows[0]);
	}
	assert_int_equal(stat(b, STAT_DATAGRAMS_DECODED), 2);
	assert_int_equal(stat(b, STAT_SEQUENCE_LOST), 0);
}

static void
test_router_and_unknown_records_beside_the_frame(void **state)
{
	static const uint8_t hop[4] = { 192, 0, 2, 254 };
	struct bench *b = *state;
	struct wbuf w;
	char text[IP_STRLEN];

	header(&w, SFLOW_V5, 1, 1);
	sample(&w, false, 12 + 8 + 16, 3);
	wbuf_u32(&w, 4300U << 12 | 9); /* somebody's own: stepped over by its length */
	wbuf_u32(&w, 4);
	wbuf_u32(&w, UINT32_MAX);
	wbuf_u32(&w, SFLOW_RECORD_ROUTER);
	wbuf_u32(&w, 16);
	wbuf_u32(&w, SFLOW_ADDRESS_IPV4);
	wbuf_put(&w, hop, 4);
	wbuf_u32(&w, 24);
	wbuf_u32(&w, 16);
	feed(b, space, wbuf_len(&w));
	assert_int_equal(b->pipeline.n, 1);
	check_flow(&b->pipeline.flows[0]);
	ip_format(&b->pipeline.flows[0].nexthop, text);
	assert_string_equal(text, "192.0.2.254");
	assert_int_equal(b->pipeline.flows[0].src_mask, 24);
	assert_int_equal(b->pipeline.flows[0].dst_mask, 16);
}

static void
test_counters_are_no_flows_and_stop_nothing(void **state)
{
	struct bench *b = *state;
	struct wbuf w;

	header(&w, SFLOW_V5, 1, 3);
	wbuf_u32(&w, SFLOW_SAMPLE_COUNTERS);
	wbuf_u32(&w, 12);
	wbuf_uint(&w, 0, 8);
	wbuf_u32(&w, 0);
	wbuf_u32(&w, 4300U << 12 | 1); /* an unknown sample */
	wbuf_u32(&w, 4);
	wbuf_u32(&w, 0);
	sample(&w, false, 0, 1);
	feed(b, space, wbuf_len(&w));
	assert_int_equal(b->pipeline.n, 1);
	check_flow(&b->pipeline.flows[0]);
	assert_true(stat(b, STAT_RECORDS_NOT_FLOW) >= 1);
}

static void
test_other_versions_are_refused_by_reason(void **state)
{
	struct bench *b = *state;
	struct wbuf w;

	for (uint32_t version = 0; version < 5; version++) {
		header(&w, version, 1, 0);
		feed(b, space, wbuf_len(&w));
	}
	assert_int_equal(stat(b, STAT_BAD_VERSION), 5);
	assert_int_equal(stat(b, STAT_RECORDS), 0);
}

static void
test_gaps_in_the_sequence_are_counted(void **state)
{
	static const uint32_t sequence[] = { 10, 11, 14, 15 };
	struct bench *b = *state;
	struct wbuf w;

	for (size_t i = 0; i < sizeof(sequence) / sizeof(sequence[0]); i++) {
		header(&w, SFLOW_V5, sequence[i], 0);
		feed(b, space, wbuf_len(&w));
	}
	assert_int_equal(stat(b, STAT_SEQUENCE_LOST), 2);
	assert_int_equal(exporter_sum(exporters_at(b->exporters, 0), EXPORTER_SEQUENCE_LOST), 2);
}

/* Whatever is cut or flipped: no fault for the sanitizers, and the books balance. */
static void
test_every_cut_and_every_flip_is_survived(void **state)
{
	struct bench *b = *state;
	uint8_t whole[sizeof(space)];
	struct wbuf w;
	size_t len;

	header(&w, SFLOW_V5, 1, 2);
	sample(&w, false, 0, 1);
	sample(&w, true, 0, 1);
	len = wbuf_len(&w);
	memcpy(whole, space, len);
	for (size_t cut = 0; cut < len; cut++)
		feed(b, whole, cut);
	assert_int_equal(stat(b, STAT_DATAGRAMS_DECODED), 0);
	for (size_t i = 0; i < len; i++) {
		whole[i] ^= 0xff;
		feed(b, whole, len);
		whole[i] ^= 0xff;
	}
	feed(b, whole, len);
	assert_int_equal(b->pipeline.n, 2);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_open, bench_close)
	const struct CMUnitTest tests[] = {
		TEST(test_both_forms_of_a_flow_sample_say_the_same),
		TEST(test_router_and_unknown_records_beside_the_frame),
		TEST(test_counters_are_no_flows_and_stop_nothing),
		TEST(test_other_versions_are_refused_by_reason),
		TEST(test_gaps_in_the_sequence_are_counted),
		TEST(test_every_cut_and_every_flip_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
