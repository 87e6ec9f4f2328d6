/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/flowcache.h"
#include "lib/clock.h"

#define START (UINT64_C(1783598400) * CLOCK_S) /* 2026-07-09 12:00 */
#define LEFT_MAX 200000U

/* What left, in order. */
struct rig {
	struct rowspec rs;
	struct flowcache_config config;
	struct flowcache *cache;
	unsigned n;
	struct left {
		uint16_t key;
		uint64_t first, last, packets, octets;
		uint64_t back_packets, back_octets, back_first, back_last;
		uint16_t flags, back_flags;
		uint32_t class_id;
		bool mirrored;
		enum flowcache_reason reason;
	} left[LEFT_MAX];
};

static void
leave(void *arg, const struct flowcache_flow *f)
{
	struct rig *g = arg;
	const struct sums *s = rowspec_sums_get(&g->rs, f->row);
	struct left *l = &g->left[g->n++];

	assert_true(g->n <= LEFT_MAX);
	*l = (struct left){ .first = f->first, .last = f->last, .packets = s->packets,
		.octets = s->bytes, .back_packets = f->back_packets,
		.back_octets = f->back_octets, .back_first = f->back_first,
		.back_last = f->back_last, .class_id = f->class_id, .back_flags = f->back_flags, .mirrored = f->mirrored,
		.reason = f->reason };
	memcpy(&l->key, f->row + g->rs.offset[F_SRC_PORT], sizeof(l->key));
	memcpy(&l->flags, f->row + g->rs.offset[F_TCPFLAGS], sizeof(l->flags));
}

static const struct flowcache_timeouts times = { .tcp = 60, .tcp_rst = 5, .tcp_fin = 10,
	.udp = 30, .icmp = 20, .general = 40, .maxlife = 600 };

static struct rig *
rig_open(uint32_t max_flows, bool biflow)
{
	struct rig *g = calloc(1, sizeof(*g));
	struct field_set set;

	assert_non_null(g);
	g->config = (struct flowcache_config){ .rs = &g->rs, .max_flows = max_flows,
		.timeouts = times, .biflow = biflow, .flow_octets = sizeof(struct flow),
		.leave = leave, .arg = g };
	assert_int_equal(
	    field_set_parse("src_host,dst_host,src_port,dst_port,proto,tcpflags", &set, NULL), 0);
	rowspec_compile(&g->rs, &set);
	g->cache = flowcache_new(&g->config, NULL);
	assert_non_null(g->cache);
	return g;
}

static void
rig_close(struct rig *g)
{
	flowcache_free(g->cache);
	free(g);
}

static struct flow
packet(uint16_t key, uint8_t proto, uint16_t flags, uint64_t at)
{
	struct flow f;

	flow_clear(&f);
	ip_parse("192.0.2.1", &f.src_host);
	ip_parse("198.51.100.1", &f.dst_host);
	f.src_port = key;
	f.dst_port = 80;
	f.proto = proto;
	f.tcp_flags = flags;
	f.packets = 1;
	f.bytes = 100 + key % 7;
	f.stamp = at;
	return f;
}

static void
feed(struct rig *g, uint16_t key, uint8_t proto, uint16_t flags, uint64_t at)
{
	struct flow f = packet(key, proto, flags, at);

	flowcache_feed(g->cache, &f, 1);
}

static void
tick(struct rig *g, uint64_t now)
{
	while (flowcache_tick(g->cache, now))
		continue;
}

static uint64_t
draw(uint64_t *seed, uint64_t below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed % below;
}

static int
by_key_and_time(const void *a, const void *b)
{
	const struct left *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->first > y->first) - (x->first < y->first);
}

#define KEYS 300U

/*
 * Packets in batches of any length, ticks now and then: what leaves is what a look at each
 * key's packets one after the other says.
 */
static void
test_flows_are_those_of_the_timeouts(void **state)
{
	struct rig *g = rig_open(1000, false);
	struct left *open = calloc(KEYS, sizeof(*open)), *want = calloc(LEFT_MAX, sizeof(*want));
	struct flow batch[FLOW_BATCH];
	uint64_t now = START, seed = 88172645463325252;
	unsigned n = 0, n_want = 0;

	(void)state;
	tick(g, now);
	for (unsigned i = 0; i < 60000; i++) {
		uint16_t key = (uint16_t)(draw(&seed, KEYS) * draw(&seed, KEYS) / KEYS);
		uint64_t idle = (key % 2 == 0 ? times.tcp : times.udp) * CLOCK_S;
		struct left *l = &open[key];

		now += draw(&seed, 60) * CLOCK_MS * (draw(&seed, 3000) == 0 ? 2000 : 1);
		batch[n] = packet(key, key % 2 == 0 ? 6 : 17, 2, now);
		if (l->packets > 0 &&
		    (now >= l->last + idle || now >= l->first + times.maxlife * CLOCK_S) &&
		    now > l->first) {
			want[n_want++] = *l;
			l->packets = 0;
		}
		if (l->packets == 0)
			*l = (struct left){ .key = key, .first = now };
		l->last = now;
		l->packets++;
		l->octets += batch[n].bytes;
		if (++n == FLOW_BATCH || draw(&seed, 40) == 0) {
			flowcache_feed(g->cache, batch, n);
			n = 0;
			if (draw(&seed, 3) == 0)
				tick(g, now);
		}
	}
	flowcache_feed(g->cache, batch, n);
	flowcache_flush(g->cache);
	for (unsigned k = 0; k < KEYS; k++)
		if (open[k].packets > 0)
			want[n_want++] = open[k];
	assert_int_equal(flowcache_count(g->cache), 0);
	assert_true(n_want > 3 * KEYS);
	assert_int_equal(g->n, n_want);
	qsort(want, n_want, sizeof(*want), by_key_and_time);
	qsort(g->left, g->n, sizeof(g->left[0]), by_key_and_time);
	for (unsigned i = 0; i < n_want; i++) {
		const struct left *a = &want[i], *b = &g->left[i];

		if (a->key != b->key || a->first != b->first || a->last != b->last ||
		    a->packets != b->packets || a->octets != b->octets || b->mirrored)
			fail_msg("flow %u of key %u: %llu packets, not %llu", i, a->key,
			    (unsigned long long)b->packets, (unsigned long long)a->packets);
		assert_in_range(b->reason, FLOWCACHE_IDLE, FLOWCACHE_FORCED);
	}
	free(open);
	free(want);
	rig_close(g);
}

static const struct {
	const char *says;
	uint8_t proto;
	uint16_t flags;
	uint32_t leaves; /* s after its last packet */
	enum flowcache_reason reason;
} ends[] = {
	{ "UDP that is silent", 17, 0, 30, FLOWCACHE_IDLE },
	{ "TCP that is silent", 6, 0x10, 60, FLOWCACHE_IDLE },
	{ "ICMP", 1, 0, 20, FLOWCACHE_IDLE },
	{ "ICMPv6", 58, 0, 20, FLOWCACHE_IDLE },
	{ "any other protocol", 50, 0, 40, FLOWCACHE_IDLE },
	{ "a FIN", 6, 0x11, 10, FLOWCACHE_ENDED },
	{ "a RST", 6, 0x14, 5, FLOWCACHE_ENDED },
	{ "what looks like a RST, in UDP", 17, 4, 30, FLOWCACHE_IDLE },
};

/* Within a second of their time, and not before. */
static void
test_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct rig *g = rig_open(64, false);
		uint64_t last = START + 3 * CLOCK_S + 500 * CLOCK_MS;

		tick(g, START);
		feed(g, 1, ends[i].proto, 0x10, START + CLOCK_S);
		feed(g, 1, ends[i].proto, ends[i].flags, last);
		for (uint64_t at = last; at < last + ends[i].leaves * CLOCK_S; at += CLOCK_S / 4)
			tick(g, at);
		if (g->n != 0)
			fail_msg("%s: left early", ends[i].says);
		tick(g, last + (ends[i].leaves + 1) * CLOCK_S);
		if (g->n != 1 || g->left[0].reason != ends[i].reason || g->left[0].packets != 2 ||
		    g->left[0].last != last)
			fail_msg("%s: reason %d", ends[i].says, (int)g->left[0].reason);
		rig_close(g);
	}
}

/* One that never rests leaves when it is old, again and again. */
static void
test_active(void **state)
{
	struct rig *g = rig_open(64, false);
	uint64_t packets = 0;

	(void)state;
	tick(g, START);
	for (uint64_t s = 0; s <= 3 * 600; s++) {
		feed(g, 1, 17, 0, START + s * CLOCK_S);
		tick(g, START + s * CLOCK_S);
	}
	flowcache_flush(g->cache);
	assert_int_equal(g->n, 4);
	for (unsigned i = 0; i < g->n; i++) {
		packets += g->left[i].packets;
		assert_int_equal(g->left[i].reason, i < 3 ? FLOWCACHE_ACTIVE : FLOWCACHE_FORCED);
		assert_true(g->left[i].last - g->left[i].first <= 600 * CLOCK_S);
	}
	assert_int_equal(packets, 3 * 600 + 1);
	rig_close(g);
}

/* When it is full, who would leave first does, and who was seen again does not. */
static void
test_full(void **state)
{
	struct rig *g = rig_open(64, false);

	(void)state;
	tick(g, START);
	for (uint16_t k = 0; k < 64; k++)
		feed(g, k, 17, 0, START + k * 100 * CLOCK_MS);
	assert_int_equal(g->n, 0);
	feed(g, 0, 17, 0, START + 10 * CLOCK_S);
	feed(g, 2, 17, 0, START + 10 * CLOCK_S);
	for (uint16_t k = 100; k < 110; k++)
		feed(g, k, 17, 0, START + 11 * CLOCK_S);
	assert_int_equal(g->n, 10);
	assert_int_equal(flowcache_count(g->cache), 64);
	for (unsigned i = 0; i < 10; i++) {
		static const uint16_t want[] = { 1, 3, 4, 5, 6, 7, 8, 9, 10, 11 };

		assert_int_equal(g->left[i].reason, FLOWCACHE_FULL);
		/* Those of one second are as old as each other. */
		assert_in_range(g->left[i].key, 1, want[i] + 10);
		assert_true(g->left[i].key != 2);
	}
	flowcache_flush(g->cache);
	assert_int_equal(g->n, 74);
	rig_close(g);
}

/* Both directions are one, whoever begins; FIN counts when both said it. */
static void
test_biflow(void **state)
{
	(void)state;
	for (unsigned turned = 0; turned < 2; turned++) {
		struct rig *g = rig_open(64, true);
		struct flow there = packet(4000, 6, 2, START + CLOCK_S), back = there;
		const struct left *l = &g->left[0];

		back.src_host = there.dst_host;
		back.dst_host = there.src_host;
		back.src_port = 80;
		back.dst_port = 4000;
		back.bytes = 1500;
		back.tcp_flags = 0x12;
		back.stamp += CLOCK_S;
		if (turned) {
			struct flow other = there;

			there = back;
			back = other;
			there.stamp = START + CLOCK_S;
			back.stamp = START + 2 * CLOCK_S;
		}
		tick(g, START);
		flowcache_feed(g->cache, &there, 1);
		flowcache_feed(g->cache, &back, 1);
		there.stamp = START + 4 * CLOCK_S;
		there.tcp_flags = 0x11;
		flowcache_feed(g->cache, &there, 1);
		assert_int_equal(flowcache_count(g->cache), 1);
		tick(g, START + 20 * CLOCK_S);
		assert_int_equal(g->n, 0); /* one side has more to say */
		back.tcp_flags = 0x11;
		back.stamp = START + 21 * CLOCK_S;
		flowcache_feed(g->cache, &back, 1);
		tick(g, START + 33 * CLOCK_S);
		assert_int_equal(g->n, 1);
		assert_int_equal(l->reason, FLOWCACHE_ENDED);
		assert_int_equal(l->mirrored, turned);
		assert_int_equal(l->packets, 2);
		assert_int_equal(l->octets, 2 * there.bytes);
		assert_int_equal(l->flags, 0x13);
		assert_int_equal(l->back_packets, 2);
		assert_int_equal(l->back_octets, 2 * back.bytes);
		assert_int_equal(l->back_first, START + 2 * CLOCK_S);
		assert_int_equal(l->back_last, START + 21 * CLOCK_S);
		assert_int_equal(l->back_flags, 0x13);
		assert_int_equal(l->first, START + CLOCK_S);
		rig_close(g);
	}
}

/* A flow is of the class that was learnt last, of packets or afterwards, until it has left. */
static void
test_classes(void **state)
{
	enum { UNKNOWN = 7, HTTP = 8, SSH = 9 };

	(void)state;
	for (unsigned biflow = 0; biflow < 2; biflow++) {
		struct rig *g = rig_open(64, biflow);
		struct flowcache_config c = { .rs = &g->rs, .max_flows = 64, .timeouts = times,
			.biflow = biflow, .classes = true, .unknown_class = UNKNOWN,
			.flow_octets = sizeof(struct flow), .leave = leave, .arg = g };
		struct flow f = packet(1, 6, 0, START), other = packet(2, 6, 0, START);

		flowcache_free(g->cache);
		g->cache = flowcache_new(&c, NULL);
		f.class_id = other.class_id = UNKNOWN;
		flowcache_feed(g->cache, &f, 1);
		f.class_id = HTTP;
		flowcache_feed(g->cache, &f, 1);
		f.class_id = UNKNOWN;
		flowcache_feed(g->cache, &f, 1);
		flowcache_feed(g->cache, &other, 1);
		other.class_id = SSH;
		flowcache_learn(g->cache, &other, 1);
		other = packet(3, 6, 0, START);
		other.class_id = SSH;
		flowcache_learn(g->cache, &other, 1); /* it is not there */
		other.class_id = UNKNOWN;
		flowcache_feed(g->cache, &other, 1);
		flowcache_flush(g->cache);
		assert_int_equal(g->n, 3);
		for (unsigned i = 0; i < 3; i++) {
			static const uint32_t want[] = { 0, HTTP, SSH, UNKNOWN };

			assert_int_equal(g->left[i].class_id, want[g->left[i].key]);
			assert_int_equal(g->left[i].packets, g->left[i].key == 1 ? 3 : 1);
		}
		rig_close(g);
	}
}

/* Records bring their own times. */
static void
test_records(void **state)
{
	struct rig *g = rig_open(64, false);
	struct flow f = packet(1, 17, 0, START);

	(void)state;
	tick(g, START);
	f.timestamp_start = START - 20 * CLOCK_S;
	f.timestamp_end = START - 5 * CLOCK_S;
	f.packets = 10;
	flowcache_feed(g->cache, &f, 1);
	f.timestamp_start = START - 25 * CLOCK_S;
	f.timestamp_end = START - 10 * CLOCK_S;
	flowcache_feed(g->cache, &f, 1);
	flowcache_flush(g->cache);
	assert_int_equal(g->n, 1);
	assert_int_equal(g->left[0].packets, 20);
	assert_int_equal(g->left[0].first, START - 25 * CLOCK_S);
	assert_int_equal(g->left[0].last, START - 5 * CLOCK_S);
	rig_close(g);
}

/* The clock goes back half an hour, forward a year: what is there leaves in its time or at once. */
static void
test_clock_steps(void **state)
{
	struct rig *g = rig_open(1000, false);
	const uint64_t year = 365 * 86400 * CLOCK_S;

	(void)state;
	tick(g, START);
	for (uint16_t k = 0; k < 500; k++)
		feed(g, k, 17, 0, START + k * 10 * CLOCK_MS);
	tick(g, START - 1800 * CLOCK_S);
	assert_int_equal(g->n, 0);
	feed(g, 600, 17, 0, START - 1800 * CLOCK_S);
	tick(g, START - 1800 * CLOCK_S + 32 * CLOCK_S);
	assert_int_equal(g->left[0].key, 600);
	tick(g, START + year);
	assert_int_equal(g->n, 501);
	feed(g, 1, 17, 0, START + year);
	tick(g, START); /* the year was a mistake: it does not wait a year */
	tick(g, START + 600 * CLOCK_S);
	assert_int_equal(g->n, 502);
	rig_close(g);
}

/* However many leave at once, a tick does a bounded part of it. */
static void
test_ticks_are_bounded(void **state)
{
	struct rig *g = rig_open(65536, false);
	unsigned before = 0, ticks = 0;

	(void)state;
	tick(g, START);
	for (unsigned k = 0; k < 65536; k++)
		feed(g, (uint16_t)k, 17, 0, START + CLOCK_S);
	while (flowcache_tick(g->cache, START + 100 * CLOCK_S)) {
		assert_true(g->n - before <= 8192);
		before = g->n;
		ticks++;
	}
	assert_true(ticks >= 7);
	assert_int_equal(g->n, 65536);
	rig_close(g);
}

/* Octets of memory that this process has; 0: nobody knows. */
static size_t
resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	size_t all, pages = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%zu %zu", &all, &pages) != 2)
		pages = 0;
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* As many flows as can be asked for cost memory as they come, not before. */
static void
test_room_costs_nothing(void **state)
{
	struct rig *g = rig_open(1U << 28, false);
	size_t before;

	(void)state;
	flowcache_free(g->cache);
	before = resident();
	g->cache = flowcache_new(&g->config, NULL);
	assert_non_null(g->cache);
	tick(g, START);
	for (unsigned k = 0; k < 10000; k++)
		feed(g, (uint16_t)k, 17, 0, START);
	assert_int_equal(flowcache_count(g->cache), 10000);
	assert_in_range(resident(), 0, before + (32U << 20));
	rig_close(g);
}

static const struct {
	const char *text;
	bool good;
	uint32_t tcp, udp, maxlife;
} texts[] = {
	{ NULL, true, 3600, 300, 604800 },
	{ "", true, 3600, 300, 604800 },
	{ "tcp=120:maxlife=3600", true, 120, 300, 3600 },
	{ "udp=5m:tcp=1h30m:maxlife=1w", true, 5400, 300, 604800 },
	{ "udp=0", true, 3600, 0, 604800 },
	{ "tcp=120,udp=3", false, 0, 0, 0 },
	{ "tcp", false, 0, 0, 0 },
	{ "tcp=", false, 0, 0, 0 },
	{ "tcp=5x", false, 0, 0, 0 },
	{ "tcp=m", false, 0, 0, 0 },
	{ "sctp=5", false, 0, 0, 0 },
	{ "tcp=99999999999999999999", false, 0, 0, 0 },
	{ "tcp=-5", false, 0, 0, 0 },
};

static void
test_timeouts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct flowcache_timeouts t;
		struct err e = ERR_INIT;
		int rc = flowcache_timeouts_parse(texts[i].text, &t, &e);

		if ((rc == 0) != texts[i].good)
			fail_msg("'%s': %s", texts[i].text, e.text);
		if (rc == 0) {
			assert_int_equal(t.tcp, texts[i].tcp);
			assert_int_equal(t.udp, texts[i].udp);
			assert_int_equal(t.maxlife, texts[i].maxlife);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flows_are_those_of_the_timeouts),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_active),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_biflow),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_clock_steps),
		cmocka_unit_test(test_ticks_are_bounded),
		cmocka_unit_test(test_room_costs_nothing),
		cmocka_unit_test(test_timeouts),
	};

	return cmocka_run_group_tests_name("flowcache", tests, NULL, NULL);
}
