/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/books.h"
#include "core/feed.h"
#include "core/publisher.h"
#include "lib/clock.h"
#include "tests/core/fake.h"

#define FRAME_OCTETS 60U
#define MET_MAX 4096U

/* What an output that takes flows met: one of each worker is enough here. */
struct met {
	uint32_t frame_octets; /* asked for */
	unsigned calls, ticks, n;
	uint64_t now, pool;
	enum flow_source source;
	struct {
		uint16_t port;
		uint64_t tag, packets;
		uint32_t rate;
		int frame; /* first octet of its frame; -1: none */
		uint32_t caplen, wirelen;
	} flows[MET_MAX];
};

static struct met *
met_of(const struct output *o)
{
	struct met *m;

	memcpy(&m, &o->config, sizeof(m));
	return m;
}

static int
met_plan(struct output *o, struct view_config *vc, struct err *e)
{
	(void)e;
	o->frame_octets = met_of(o)->frame_octets;
	field_set_add(&vc->aggregate, F_SRC_PORT);
	return 0;
}

static int
met_open(struct output *o, struct err *e)
{
	(void)e;
	o->priv = met_of(o);
	return 0;
}

static void
met_feed(struct output *o, unsigned worker, const struct output_flows *f)
{
	struct met *m = met_of(o);

	assert_int_equal(worker, 0);
	assert_true(f->n > 0 && f->n <= FLOW_BATCH);
	for (unsigned i = 0; i < f->n; i++, m->n++) {
		const struct frame *frame =
		    f->frames != NULL && f->frames[i].octets != NULL ? &f->frames[i] : NULL;

		assert_true(m->n < MET_MAX);
		m->flows[m->n].port = f->flows[i].src_port;
		m->flows[m->n].tag = f->flows[i].tag;
		m->flows[m->n].packets = f->flows[i].packets;
		m->flows[m->n].rate = f->flows[i].sampling_rate;
		m->flows[m->n].frame = frame != NULL ? frame->octets[0] : -1;
		m->flows[m->n].caplen = frame != NULL ? frame->caplen : 0;
		m->flows[m->n].wirelen = frame != NULL ? frame->wirelen : 0;
	}
	m->calls++;
	m->pool = f->pool;
	m->source = f->source;
	output_count(o, &(struct output_result){ .rows = f->n, .written = f->n });
}

static void
met_tick(struct output *o, unsigned worker, uint64_t now)
{
	assert_int_equal(worker, 0);
	met_of(o)->now = now;
	met_of(o)->ticks++;
}

static void
met_close(struct output *o)
{
	(void)o;
}

static const struct output_ops met_output = {
	.type = "met",
	.wants = OUTPUT_FLOWS,
	.plan = met_plan,
	.open = met_open,
	.feed = met_feed,
	.tick = met_tick,
	.close = met_close,
};

static void
met_add(struct engine *en, const char *name, const struct output_config *common,
    const struct rules_config *rules, struct met *m)
{
	struct err e = ERR_INIT;

	if (engine_output(en, &met_output, name, common, rules, m, &e) != 0)
		fail_msg("%s: %s", name, e.text);
}

/* `n` packets; their frames begin with the last octet of their source port. */
static void
feed(struct engine *en, unsigned n, bool framed)
{
	struct pipeline *p = &en->workers[0].pipeline;

	pipeline_source(p, SOURCE_PACKETS);
	for (unsigned i = 0; i < n; i++) {
		uint8_t octets[100] = { [12] = 8, [14] = 0x45 }; /* IPv4 on Ethernet */
		struct flow *f = pipeline_slot(p);
		struct frame frame = { .octets = octets, .caplen = sizeof(octets),
			.wirelen = 1000 + i % 256, .linktype = FRAME_ETHERNET };

		f->src_port = (uint16_t)i;
		f->proto = i % 3 == 0 ? 17 : 6;
		f->packets = 1;
		f->bytes = 40 + i % 256;
		f->flows = i % 2;
		octets[0] = (uint8_t)i;
		octets[23] = f->proto;
		if (framed && i % 5 != 4)
			pipeline_frame(p, &frame);
		stat_add(&p->stats, STAT_FRAMES, 1);
		stat_add(&p->stats, STAT_FRAMES_FED, 1);
		pipeline_commit(p);
	}
	pipeline_flush(p);
}

static const struct output_config plain = { .aggregate = "src_port,tag" };
static const struct rules_config no_rules;

/* Each flow once and in order, with its frame where it has one. */
static void
test_all(void **state)
{
	struct engine *en = fake_engine(1, 100);
	struct met *m = calloc(1, sizeof(*m));

	(void)state;
	m->frame_octets = FRAME_OCTETS;
	met_add(en, "x", &plain, &no_rules, m);
	assert_null(engine_output_get(en, "x")->view);
	assert_int_equal(en->n_views, 0);
	fake_prepare(en);
	feed(en, 200, true);
	assert_int_equal(m->n, 200);
	assert_int_equal(m->calls, 4);
	assert_int_equal(m->pool, 200);
	assert_int_equal(m->source, SOURCE_PACKETS);
	for (unsigned i = 0; i < m->n; i++) {
		bool framed = i % 5 != 4;

		assert_int_equal(m->flows[i].port, i);
		assert_int_equal(m->flows[i].frame, framed ? (int)i : -1);
		assert_int_equal(m->flows[i].caplen, framed ? FRAME_OCTETS : 0);
		assert_int_equal(m->flows[i].wirelen, framed ? 1000 + i : 0);
	}
	publisher_round(en->publisher, TRAFFIC_START, false);
	fake_books_check(en, "all flows");
	engine_free(en);
	free(m);
}

/* Nobody looks at frames: none are kept. */
static void
test_no_frames(void **state)
{
	struct engine *en = fake_engine(1, 100);
	struct met *m = calloc(1, sizeof(*m));

	(void)state;
	met_add(en, "x", &plain, &no_rules, m);
	fake_prepare(en);
	assert_null(en->workers[0].pipeline.frames);
	feed(en, 100, true);
	assert_int_equal(m->n, 100);
	for (unsigned i = 0; i < m->n; i++)
		assert_int_equal(m->flows[i].frame, -1);
	engine_free(en);
	free(m);
}

/* Two outputs with filters and one without, beside a view: each has its own flows and frames. */
static void
test_filters(void **state)
{
	static const struct rules_config tcp = { .aggregate_filter = "tcp" },
	    udp = { .aggregate_filter = "udp", .post_tag = 7 };
	struct engine *en = fake_engine(1, 1000);
	struct met *m = calloc(3, sizeof(*m));
	struct fake_out view = { 0 };

	(void)state;
	m[0].frame_octets = m[1].frame_octets = FRAME_OCTETS;
	met_add(en, "tcp", &plain, &tcp, &m[0]);
	met_add(en, "udp", &plain, &udp, &m[1]);
	met_add(en, "all", &plain, &no_rules, &m[2]);
	(void)fake_output_add(en, &fake_output, "view", &plain, &view);
	fake_prepare(en);
	feed(en, 150, true);
	assert_int_equal(m[0].n, 100);
	assert_int_equal(m[1].n, 50);
	assert_int_equal(m[2].n, 150);
	for (unsigned k = 0; k < 2; k++)
		for (unsigned i = 0; i < m[k].n; i++) {
			uint16_t port = m[k].flows[i].port;

			assert_int_equal(port % 3 == 0, k == 1);
			assert_int_equal(m[k].flows[i].frame, port % 5 != 4 ? port : -1);
			assert_int_equal(m[k].flows[i].tag, k == 1 ? 7 : 0);
		}
	for (unsigned i = 0; i < m[2].n; i++)
		assert_int_equal(m[2].flows[i].tag, 0);
	publisher_round(en->publisher, TRAFFIC_START, false);
	assert_int_equal(engine_output_get(en, "tcp")->feeds[0].cut.filtered.packets, 50);
	assert_int_equal(engine_output_get(en, "tcp")->feeds[0].cut.handed.packets, 100);
	fake_books_check(en, "filters");
	engine_free(en);
	free(m);
}

/* sampling_rate: the frames stay with the flows that are met; the books tell of the others. */
static void
test_sample(void **state)
{
	static const struct output_config sampled = { .aggregate = "src_port,sampling_rate",
		.sampling_rate = 4 };
	struct engine *en = fake_engine(1, 100);
	struct met *m = calloc(1, sizeof(*m));
	const struct feed_books *b;

	(void)state;
	m->frame_octets = FRAME_OCTETS;
	met_add(en, "x", &sampled, &no_rules, m);
	fake_prepare(en);
	for (unsigned i = 0; i < 40; i++)
		feed(en, 200, true);
	assert_in_range(m->n, 1500, 2500); /* 2000 is the mean; 13 deviations off */
	assert_int_equal(m->pool, 8000);
	for (unsigned i = 0; i < m->n; i++) {
		uint16_t port = m->flows[i].port;

		assert_int_equal(m->flows[i].rate, 4);
		assert_int_equal(m->flows[i].frame, port % 5 != 4 ? port : -1);
	}
	publisher_round(en->publisher, TRAFFIC_START, false);
	b = &engine_output_get(en, "x")->feeds[0].cut;
	assert_int_equal(b->handed.packets, m->n);
	assert_int_equal(b->sampled_out.packets, 8000 - m->n);
	fake_books_check(en, "a sample");
	assert_true(books_balance(en));
	engine_output_get(en, "x")->feeds[0].cut.handed.bytes++;
	assert_false(books_balance(en));
	engine_free(en);
	free(m);
}

/* A running worker tells the time after its work and once a second when there is none. */
static void
test_ticks(void **state)
{
	static const struct fake_in in = { .seed = 1, .keys = 5, .bins = 1, .flows = 100,
		.piece = 10 };
	struct engine *en = fake_engine(1, 100);
	struct met *m = calloc(1, sizeof(*m));
	struct err e = ERR_INIT;

	(void)state;
	met_add(en, "x", &plain, &no_rules, m);
	fake_prepare(en);
	assert_int_equal(engine_collector(en, &fake_collector, &in, 0, &e), 0);
	assert_int_equal(engine_start(en, &e), 0);
	while (!engine_finished(en))
		(void)poll(&(struct pollfd){ .fd = en->finished_fd, .events = POLLIN }, 1, -1);
	engine_stop(en);
	assert_int_equal(m->n, 100);
	assert_true(m->ticks >= 10);
	assert_true(m->now > TRAFFIC_START - TRAFFIC_START / 10);
	fake_books_check(en, "a run");
	engine_free(en);
	free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_no_frames),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_ticks),
	};

	return cmocka_run_group_tests_name("feed", tests, NULL, NULL);
}
