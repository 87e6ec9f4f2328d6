/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/nfrecord.h"
#include "lib/clock.h"
#include "lib/intern.h"

#define START  (UINT64_C(1783598400) * CLOCK_S) /* 2026-07-09 12:00 */
#define BODY   1400U

/* Records of `told`, made of flows and of rows, into one outbox. */
struct rig {
	struct nfrecords records;
	struct stats stats;
	struct outbox outbox;
	struct flowcache *cache;
	unsigned refused;
};

static void
leave(void *arg, const struct flowcache_flow *f)
{
	struct rig *g = arg;

	g->refused += nfrecord_row(&g->records, &g->outbox, f);
}

static struct rig *
rig_open(enum encode_version version, const char *told, bool biflow, unsigned lanes,
    bool by_agent)
{
	struct rig *g = aligned_alloc(_Alignof(struct rig), sizeof(*g));
	const struct encode_options o = { .version = version,
		.times = version == ENCODE_IPFIX ? ENCODE_MS : ENCODE_UPTIME };
	const struct outbox_config box = { .version = version, .lanes = lanes,
		.body_octets = BODY, .parcels = 64 };
	struct flowcache_config c = { .max_flows = 1000, .biflow = biflow,
		.flow_octets = sizeof(struct flow), .leave = leave, .arg = g };

	assert_non_null(g);
	memset(g, 0, sizeof(*g));
	g->records.version = version;
	g->records.boot = START - CLOCK_S;
	g->records.lanes = lanes;
	g->records.by_agent = by_agent;
	assert_int_equal(field_set_parse(told, &g->records.told, NULL), 0);
	nfrecords_compile(&g->records, &o, biflow);
	assert_int_equal(outbox_init(&g->outbox, &box, &g->stats, NULL), 0);
	assert_int_equal(flowcache_timeouts_parse(NULL, &c.timeouts, NULL), 0);
	c.rs = &g->records.rs;
	g->cache = flowcache_new(&c, NULL);
	assert_non_null(g->cache);
	return g;
}

static void
rig_close(struct rig *g)
{
	flowcache_free(g->cache);
	outbox_fini(&g->outbox);
	free(g);
}

static struct flow
packet(uint8_t src, uint8_t dst, uint8_t exporter)
{
	struct flow f = { .proto = 17, .packets = 1, .bytes = 100, .stamp = START,
		.src_port = src, .dst_port = dst };

	f.src_host = ip_from_v4((const uint8_t[]){ 192, 0, 2, src });
	f.dst_host = ip_from_v4((const uint8_t[]){ 192, 0, 2, dst });
	if (exporter != 0)
		f.exporter_ip = ip_from_v4((const uint8_t[]){ 198, 51, 100, exporter });
	return f;
}

/* The one datagram that waits. */
static struct parcel *
parcel_one(struct rig *g)
{
	struct parcel *p;

	outbox_flush(&g->outbox);
	p = outbox_take(&g->outbox);
	assert_non_null(p);
	assert_null(outbox_take(&g->outbox));
	return p;
}

static bool
parcel_has(const struct parcel *p, const char *text)
{
	const uint8_t *body = p->body + MESSAGE_HEADER;
	size_t len = strlen(text);

	for (size_t at = 0; at + len <= p->octets; at++)
		if (memcmp(body + at, text, len) == 0)
			return true;
	return false;
}

static void
test_a_turned_row_tells_what_its_mirror_is(void **state)
{
	/* The key of a conversation is that of the lower address; both ways must be told. */
	static const uint8_t ways[][2] = { { 1, 2 }, { 2, 1 } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct rig *g =
		    rig_open(ENCODE_IPFIX, "src_host,dst_host,in_iface_name", true, 1, false);
		struct flow f = packet(ways[i][0], ways[i][1], 0);
		struct parcel *p;

		f.in_iface_name = intern("way-in", 6);
		f.out_iface_name = intern("way-out", 7);
		flowcache_feed(g->cache, &f, 1);
		flowcache_flush(g->cache);
		assert_int_equal(g->refused, 0);
		p = parcel_one(g);
		assert_int_equal(p->records, 1);
		assert_true(parcel_has(p, "way-in"));
		assert_false(parcel_has(p, "way-out"));
		outbox_give_back(&g->outbox, p);
		rig_close(g);
	}
}

/* The lane that `f` goes by, as it comes or through the cache. */
static unsigned
lane_of(struct rig *g, const struct flow *f, bool cached)
{
	struct parcel *p;
	unsigned lane;

	if (cached) {
		flowcache_feed(g->cache, f, 1);
		flowcache_flush(g->cache);
	} else {
		g->refused += nfrecord_flow(&g->records, &g->outbox, f);
	}
	p = parcel_one(g);
	lane = p->lane;
	outbox_give_back(&g->outbox, p);
	assert_int_equal(g->refused, 0);
	return lane;
}

static void
test_lanes_go_by_agent_or_by_hosts(void **state)
{
	(void)state;
	for (unsigned by_agent = 0; by_agent < 2; by_agent++) {
		struct rig *g = rig_open(ENCODE_IPFIX, "src_host,dst_host,src_port,dst_port", false,
		    8, by_agent);
		unsigned seen = 0;

		for (uint8_t i = 1; i < 40; i++) {
			struct flow one = packet(i, 200, 1), other = packet(i, 200, (uint8_t)(i + 1));
			struct flow back = packet(200, i, 1);
			struct flow key = by_agent ? packet(7, 8, (uint8_t)(i + 1)) : packet(i, 200, 9);
			unsigned lane = lane_of(g, &other, false);

			assert_int_equal(lane_of(g, &other, true), lane);
			assert_int_equal(lane_of(g, &key, true), lane);
			assert_int_equal(lane_of(g, &back, true), lane_of(g, &one, true));
			seen |= 1U << lane;
		}
		assert_int_equal(seen, 0xff); /* and all are used */
		rig_close(g);
	}
}

static void
test_v5_divides_large_counters(void **state)
{
	struct rig *g = rig_open(ENCODE_V5, "src_host,dst_host", false, 1, false);
	struct flow f = packet(1, 2, 0);
	struct parcel *p;
	uint64_t packets = 0, octets = 0;

	(void)state;
	f.packets = 3 * UINT64_C(0x100000000) + 5;
	f.bytes = 7 * UINT64_C(0x100000000) + 1;
	assert_int_equal(nfrecord_flow(&g->records, &g->outbox, &f), 0);
	p = parcel_one(g);
	assert_int_equal(p->records, 8);
	for (unsigned i = 0; i < p->records; i++) {
		const uint8_t *r = p->body + MESSAGE_HEADER + 48U * i;

		packets += (uint64_t)r[16] << 24 | r[17] << 16 | r[18] << 8 | r[19];
		octets += (uint64_t)r[20] << 24 | r[21] << 16 | r[22] << 8 | r[23];
	}
	assert_true(packets == f.packets && octets == f.bytes);
	outbox_give_back(&g->outbox, p);

	f.bytes = 17 * UINT64_C(0x100000000);
	assert_int_equal(nfrecord_flow(&g->records, &g->outbox, &f), 1);
	f = packet(1, 2, 0);
	f.dst_host = (ip16_t){ { 0x20, 1, 0x0d, 0xb8, [15] = 1 } };
	assert_int_equal(nfrecord_flow(&g->records, &g->outbox, &f), 1);
	assert_int_equal(stat_get(&g->stats, STAT_EXPORT_TOO_LARGE), 1);
	assert_int_equal(stat_get(&g->stats, STAT_EXPORT_FAMILY), 1);
	rig_close(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_turned_row_tells_what_its_mirror_is),
		cmocka_unit_test(test_lanes_go_by_agent_or_by_hosts),
		cmocka_unit_test(test_v5_divides_large_counters),
	};

	return cmocka_run_group_tests_name("nfrecord", tests, NULL, NULL);
}
