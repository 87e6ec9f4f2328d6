/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/collectors/netflow_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "collectors/netflow.h"
#include "lib/log.h"
#include "lib/rcu.h"

void
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
	pipeline_prepare(&b->pipeline);
	b->arrival = ARRIVAL;
	b->config.time_new = time_new;
	b->collector.config = &b->config;
	b->collector.pipeline = &b->pipeline;
	b->collector.exporters = &b->cache;
	b->decoder = netflow_decoder.open(&b->collector, &e);
	assert_non_null(b->decoder);
}

void
bench_reopen(struct bench *b)
{
	struct err e = ERR_INIT;

	netflow_decoder.close(b->decoder);
	b->decoder = netflow_decoder.open(&b->collector, &e);
	assert_non_null(b->decoder);
}

void
bench_close(struct bench *b)
{
	netflow_decoder.close(b->decoder);
	exporter_cache_fini(&b->cache);
	exporters_free(b->exporters);
	free(b->pipeline.flows);
}

uint64_t
bench_stat(const struct bench *b, enum stat_no i)
{
	return stat_get(&b->pipeline.stats, i);
}

/* The identities of the books, from this decoder's point of view. */
void
bench_books(const struct bench *b, const char *says)
{
	uint64_t bad = bench_stat(b, STAT_BAD_SHORT) + bench_stat(b, STAT_BAD_VERSION) +
		       bench_stat(b, STAT_BAD_LENGTH) +
		       bench_stat(b, STAT_BAD_TEMPLATE) +
		       bench_stat(b, STAT_BAD_EXPORTER);

	if (bench_stat(b, STAT_DATAGRAMS) !=
	    bench_stat(b, STAT_DATAGRAMS_DECODED) + bad)
		fail_msg("%s: datagrams do not balance", says);
	if (bench_stat(b, STAT_RECORDS) != bench_stat(b, STAT_RECORDS_FED) +
					       bench_stat(b, STAT_RECORDS_NO_TEMPLATE) +
					       bench_stat(b, STAT_RECORDS_NOT_FLOW))
		fail_msg("%s: records do not balance", says);
	if (bench_stat(b, STAT_SETS_EARLY) != bench_stat(b, STAT_SETS_RESOLVED) +
						  bench_stat(b, STAT_SETS_GIVEN_UP) +
						  bench_stat(b, STAT_SETS_WAITING))
		fail_msg("%s: early sets do not balance", says);
	if (atomic_load(&b->collector.units) != bench_stat(b, STAT_DATAGRAMS) ||
	    atomic_load(&b->collector.octets) != bench_stat(b, STAT_DATAGRAM_OCTETS) ||
	    atomic_load(&b->collector.errors) != bad ||
	    atomic_load(&b->collector.versions) != bench_stat(b, STAT_BAD_VERSION) ||
	    atomic_load(&b->collector.waiting) != bench_stat(b, STAT_SETS_WAITING))
		fail_msg("%s: the collector counts otherwise", says);
}

const uint8_t bench_sender[4] = { 192, 0, 2, 1 };

unsigned
bench_feed_from(struct bench *b, uint8_t host, const void *data, size_t len)
{
	uint8_t *copy = malloc(len + 1), from[4];
	struct datagram d = { .data = copy,
		.len = len,
		.arrival = b->arrival,
		.connected = b->connected };
	uint64_t before = bench_stat(b, STAT_RECORDS_FED);

	memcpy(from, bench_sender, sizeof(from));
	from[3] = host;
	d.from = ip_from_v4(from);
	memcpy(copy, data, len);
	b->pipeline.n = 0;
	netflow_decoder.decode(b->decoder, &d);
	free(copy);
	rcu_quiet();
	return (unsigned)(bench_stat(b, STAT_RECORDS_FED) - before);
}

unsigned
bench_feed(struct bench *b, const struct wbuf *w)
{
	assert_true(wbuf_ok(w));
	return bench_feed_from(b, 1, w->start, wbuf_len(w));
}

static uint8_t space[70000];

void
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

void
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

void
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

void
words(struct wbuf *w, const uint16_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		wbuf_u16(w, v[i]);
}
void
v9_template(struct wbuf *w, uint16_t id)
{
	WORDS(w, 0, 28, id, 5, 8, 4, 12, 4, 2, 4, 1, 4, 22, 4);
}

void
v9_record(struct wbuf *w, uint32_t src, uint32_t bytes)
{
	wbuf_u32(w, src);
	wbuf_u32(w, 0xc6336402);
	wbuf_u32(w, 3);
	wbuf_u32(w, bytes);
	wbuf_u32(w, UPTIME_MS - 5000);
}

void
ipfix_header(struct wbuf *w, uint32_t sequence, uint32_t domain)
{
	*w = wbuf_of(space, sizeof(space));
	wbuf_u16(w, 10);
	wbuf_u16(w, 0); /* see ipfix_end */
	wbuf_u32(w, (uint32_t)NOW_S);
	wbuf_u32(w, sequence);
	wbuf_u32(w, domain);
}

void
ipfix_end(struct wbuf *w)
{
	struct wbuf length = wbuf_of(w->start + 2, 2);

	wbuf_u16(&length, (uint16_t)wbuf_len(w));
}

void
bench_hurt(const uint8_t *data, size_t len, unsigned flows)
{
	static const uint8_t masks[] = { 0xff, 0x01, 0x80 };
	struct bench b;
	uint8_t *copy = malloc(len);

	bench_open(&b, false);
	for (size_t cut = 0; cut <= len; cut++) {
		bench_feed_from(&b, 1, data, cut);
		bench_books(&b, "cut");
	}
	for (size_t i = 0; i < len; i++)
		for (size_t k = 0; k < sizeof(masks); k++) {
			memcpy(copy, data, len);
			copy[i] ^= masks[k];
			bench_feed_from(&b, 1, copy, len);
			bench_books(&b, "changed");
		}
	/* The one that is whole is decoded still. */
	assert_true(bench_feed_from(&b, 1, data, len) >= flows);
	bench_close(&b);
	free(copy);
}

int
bench_enter(void **state)
{
	struct log_config quiet = { .file = "/dev/null" };
	struct err e = ERR_INIT;

	(void)state;
	rcu_enter();
	return log_open(&quiet, &e);
}

int
bench_leave(void **state)
{
	(void)state;
	log_close();
	rcu_drain();
	rcu_leave();
	return 0;
}
