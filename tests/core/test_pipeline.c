/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/pipeline.h"
#include "lib/clock.h"
#include "lib/intern.h"
#include "tests/core/fake.h"

/* Flows of 10.0.7.x with a mask of 16, through views with and without rules. */
struct rig {
	struct engine *en;
	struct fake_out out;
	struct pipeline *p;
	struct shard *plain, *masked;
};

static void
rig_open(struct rig *g)
{
	static const struct output_config common = { .aggregate = "src_host,src_net" };
	static const struct rules_config none,
	    mask = { .networks_mask = 24, .net = { [SOURCE_NETFLOW] = ORIGIN_MASK } };

	memset(g, 0, sizeof(*g));
	g->en = fake_engine(1, 1000);
	assert_int_equal(
	    engine_output(g->en, &fake_output, "plain", &common, &none, &g->out, NULL),
	    0);
	assert_int_equal(
	    engine_output(g->en, &fake_output, "masked", &common, &mask, &g->out, NULL),
	    0);
	assert_int_equal(g->en->n_views, 2);
	fake_prepare(g->en);
	g->p = &g->en->workers[0].pipeline;
	g->plain = &g->en->workers[0].shards[0];
	g->masked = &g->en->workers[0].shards[1];
}

static void
feed(struct rig *g, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		static unsigned no;
		struct flow *f = pipeline_slot(g->p);
		uint8_t quad[4] = { 10, 0, 7, (uint8_t)++no };
		f->src_host = ip_from_v4(quad);
		f->src_mask = 16;
		f->packets = 1;
		f->bytes = 100;
		f->flows = 2;
		pipeline_commit(g->p);
	}
}

/* Does the first row have a source network? */
static bool
has_net(const struct shard *sh)
{
	const uint8_t *net = rowspec_value(
	    &sh->view->rs, table_row(&sh->active->table, 0), &fields[F_SRC_NET]);

	return net[12] == 10;
}

static void
test_batches(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g);
	feed(&g, FLOW_BATCH - 1);
	assert_int_equal(g.plain->active->table.n, 0); /* not yet */
	feed(&g, 1);
	assert_int_equal(g.plain->active->table.n, FLOW_BATCH);
	assert_int_equal(g.masked->active->table.n, FLOW_BATCH);
	assert_int_equal(g.p->n, 0);
	feed(&g, 3);
	pipeline_flush(g.p);
	pipeline_flush(g.p); /* nothing is left for the second */
	assert_int_equal(g.plain->active->table.n, FLOW_BATCH + 3);
	assert_int_equal(g.p->fed.packets, FLOW_BATCH + 3);
	assert_int_equal(g.p->fed.bytes, 100 * (FLOW_BATCH + 3));
	assert_int_equal(g.p->fed.flows, 2 * (FLOW_BATCH + 3));
	engine_free(g.en);
}

/* What one group's rules do to flows, no other group sees. */
static void
test_groups_have_their_own(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g);
	pipeline_source(g.p, SOURCE_NETFLOW);
	feed(&g, 10);
	pipeline_flush(g.p);
	assert_int_equal(g.p->n_groups, 2);
	for (uint32_t i = 0; i < 10; i++) {
		const uint8_t *plain = rowspec_value(&g.plain->view->rs,
		    table_row(&g.plain->active->table, i), &fields[F_SRC_NET]);
		const uint8_t *masked = rowspec_value(&g.masked->view->rs,
		    table_row(&g.masked->active->table, i), &fields[F_SRC_NET]);

		assert_int_equal(plain[14], 0); /* 10.0.0.0/16 */
		assert_int_equal(masked[14], 7); /* 10.0.7.0/24 */
	}
	engine_free(g.en);
}

/* Rules go by where flows come from: a batch has one source only. */
static void
test_sources(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g);
	feed(&g, 5); /* packets have no prefix but by networks_mask */
	pipeline_source(g.p, SOURCE_PACKETS);
	assert_int_equal(g.p->n, 5);
	pipeline_source(g.p, SOURCE_NETFLOW);
	assert_int_equal(g.p->n, 0);
	assert_int_equal(g.plain->active->table.n, 5);
	assert_false(has_net(g.plain));
	assert_true(has_net(g.masked));
	engine_free(g.en);
}

/* What the views are fed is renormalised, and the sums that it is compared with, too. */
static void
test_sampling_comes_first(void **state)
{
	static const struct output_config common = { .aggregate = "src_net" };
	struct engine *en = fake_engine(1, 100);
	struct fake_out out = { 0 };
	struct pipeline *p = &en->workers[0].pipeline;
	const struct slab *rows;
	struct flow *f;

	(void)state;
	en->config.sampling.renormalize[SOURCE_NETFLOW] = true;
	fake_output_add(en, &fake_output, "a", &common, &out);
	fake_prepare(en);
	assert_true(field_set_has(&p->needs, F_SAMPLING_RATE));
	pipeline_source(p, SOURCE_NETFLOW);
	for (uint64_t i = 0; i < 2; i++) {
		f = pipeline_slot(p);
		f->packets = 2 + i * UINT64_MAX / 2;
		f->bytes = 30;
		f->flows = 1;
		f->sampling_rate = 10;
		pipeline_commit(p);
		pipeline_flush(p);
		rows = en->workers[0].shards[0].active;
		assert_int_equal(rows->counted.bytes, 300 * (i + 1));
		assert_int_equal(p->fed.bytes, 300 * (i + 1));
		assert_int_equal(p->fed.flows, i + 1);
		assert_int_equal(stat_get(&p->stats, STAT_RENORMALIZED_OVER), i);
	}
	engine_free(en);
}

/*
 * A filter is asked of the frame where there is one, else of the flow; what it leaves out
 * is in the books of its own views alone.
 */
static void
test_filter(void **state)
{
	static const struct output_config common = { .aggregate = "src_port" };
	static const struct rules_config none, udp = { .aggregate_filter = "tcp,udp port 53" };
	static const uint8_t dns[60] = { [12] = 8, [14] = 0x45, [23] = 17, [37] = 53 };
	const struct frame frame = { .octets = dns, .caplen = sizeof(dns),
		.wirelen = sizeof(dns), .linktype = FRAME_ETHERNET };
	struct engine *en = fake_engine(1, 100);
	struct fake_out out = { 0 };
	struct pipeline *p = &en->workers[0].pipeline;
	struct shard *shards;

	(void)state;
	assert_int_equal(engine_output(en, &fake_output, "all", &common, &none, &out, NULL), 0);
	assert_int_equal(engine_output(en, &fake_output, "dns", &common, &udp, &out, NULL), 0);
	fake_prepare(en);
	shards = en->workers[0].shards;
	pipeline_source(p, SOURCE_SFLOW);
	for (unsigned i = 0; i < 2 * FLOW_BATCH; i++) {
		struct flow *f = pipeline_slot(p);

		f->proto = 17, f->src_port = (uint16_t)(i % 2 == 0 ? 53 : 54);
		f->packets = 1, f->bytes = 100, f->flows = 1;
		if (i % 4 == 1) /* it says 53 */
			pipeline_frame(p, &frame);
		pipeline_commit(p);
	}
	assert_int_equal(shards[0].active->counted.packets, 2 * FLOW_BATCH);
	assert_int_equal(shards[0].active->filtered.packets, 0);
	assert_int_equal(shards[1].active->counted.packets, 2 * FLOW_BATCH * 3 / 4);
	assert_int_equal(shards[1].active->filtered.packets, 2 * FLOW_BATCH / 4);
	assert_int_equal(shards[1].active->filtered.bytes, 100 * 2 * FLOW_BATCH / 4);
	assert_int_equal(shards[1].active->filtered.flows, 2 * FLOW_BATCH / 4);
	assert_int_equal(p->fed.packets, 2 * FLOW_BATCH);
	engine_free(en);
}

/* Where nobody filters, no frame is kept. */
static void
test_no_filter_no_frames(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g);
	assert_null(g.p->frames);
	assert_null(g.p->columns);
	engine_free(g.en);
}

/* Feed a packet of a host. Returns it, as a record. */
static struct flow
move_feed(struct pipeline *p)
{
	struct flow *f = pipeline_slot(p), was;

	f->src_host = ip_from_v4((uint8_t[]){ 10, 0, 0, 1 });
	f->packets = 2, f->bytes = 100, f->link_bytes = 114, f->stamp = CLOCK_S;
	was = *f;
	pipeline_commit(p);
	return was;
}

/*
 * Records whose class is told later move to its rows: in views that let them pass, as long
 * as the slab holds them, never more than is there. An emptied row is none.
 */
static void
test_move(void **state)
{
	static const struct output_config common = { .aggregate = "src_host, class, link_bytes" };
	static const struct rules_config none, far = { .aggregate_filter = "src host 10.0.0.9" };
	struct engine *en = fake_engine(1, 100);
	struct fake_out out = { 0 };
	struct pipeline *p = &en->workers[0].pipeline;
	uint32_t web = intern("web", 3), mail = intern("mail", 4), n;
	uint64_t lost[40] = { 0 };
	struct flow was, is;
	struct shard *shards;

	(void)state;
	assert_int_equal(engine_output(en, &fake_output, "all", &common, &none, &out, NULL), 0);
	assert_int_equal(engine_output(en, &fake_output, "far", &common, &far, &out, NULL), 0);
	fake_prepare(en);
	shards = en->workers[0].shards;
	for (unsigned i = 0; i < 40; i++)
		lost[i] = shards[1].bit; /* as pipeline_keep says it */
	pipeline_source(p, SOURCE_PACKETS);
	for (unsigned i = 0; i < 3; i++)
		was = move_feed(p);
	pipeline_flush(p);
	pipeline_move(p, SOURCE_PACKETS, &was, 0, web, &lost[0]);
	pipeline_moves_run(p, SOURCE_PACKETS);
	assert_int_equal(fake_class_packets(&shards[0], "web", &n), 2);
	assert_int_equal(fake_class_packets(&shards[0], "unknown", &n), 4);
	assert_int_equal(n, 2);
	assert_int_equal(shards[1].active->table.n, 0);
	assert_int_equal(lost[0], 2);
	for (unsigned i = 1; i < 4; i++) /* one more than there are */
		pipeline_move(p, SOURCE_PACKETS, &was, 0, web, &lost[i]);
	pipeline_moves_run(p, SOURCE_PACKETS);
	assert_int_equal(fake_class_packets(&shards[0], "web", &n), 6);
	assert_int_equal(n, 1);
	assert_int_equal(lost[2], 2);
	assert_int_equal(lost[3], 3);
	assert_int_equal(shards[0].active->counted.packets, 6);
	assert_int_equal(p->fed.packets, 6);
	assert_int_equal(stat_get(&p->stats, STAT_CLASS_MOVED), 3);
	/* What did not move is not in the row that it should be in: it takes none of others. */
	is = was;
	is.class_id = web;
	pipeline_move(p, SOURCE_PACKETS, &is, 0, mail, &lost[3]);
	for (unsigned i = 4; i < 40; i++) /* more than wait at a time */
		pipeline_move(p, SOURCE_PACKETS, &was, 0, web, &lost[i]);
	pipeline_moves_run(p, SOURCE_PACKETS);
	assert_int_equal(fake_class_packets(&shards[0], "web", &n), 6);
	pipeline_move(p, SOURCE_PACKETS, &is, 0, mail, &lost[0]);
	pipeline_moves_run(p, SOURCE_PACKETS);
	assert_int_equal(fake_class_packets(&shards[0], "mail", &n), 2);
	assert_int_equal(p->n, 0);
	engine_free(en);
}

/* Packets of which it is kept who left them out. */
struct keeping {
	struct pipeline *p;
	uint64_t lost[2];
};

static void
keeping_before(void *arg)
{
	struct keeping *k = arg;

	for (unsigned i = 0; i < k->p->n; i++)
		pipeline_keep(k->p, i, &k->lost[i]);
}

static void
keeping_after(void *arg)
{
	(void)arg;
}

/*
 * What a filter has seen in a frame is the same when the class is told, and the frame is gone: who
 * passed it moves, who did not is not there. Here the second packet does; the frame that is made of
 * its record would not.
 */
static void
test_move_behind_a_filter(void **state)
{
	static const struct output_config common = { .aggregate = "class" },
					  hosts = { .aggregate = "src_host" };
	static const struct rules_config none, ttl = { .aggregate_filter = "ip[8] = 9" },
						other = { .aggregate_filter = "ip[8] != 9" };
	uint8_t octets[60] = { [12] = 8, [14] = 0x45, [23] = 17, [37] = 53 };
	struct frame frame = { .octets = octets, .caplen = sizeof(octets),
		.wirelen = sizeof(octets), .linktype = FRAME_ETHERNET };
	struct engine *en = fake_engine(1, 100);
	struct fake_out out = { 0 };
	struct pipeline *p = &en->workers[0].pipeline;
	struct keeping k = { .p = p };
	struct pipeline_hook hook = { .before = keeping_before, .after = keeping_after, .arg = &k };
	struct flow was = { .proto = 17, .packets = 1, .bytes = 46, .stamp = CLOCK_S };
	static const unsigned want[] = { 2, 1, 1 };
	struct shard *shards;
	uint32_t n;

	(void)state;
	assert_int_equal(engine_output(en, &fake_output, "all", &common, &none, &out, NULL), 0);
	assert_int_equal(engine_output(en, &fake_output, "ttl", &common, &ttl, &out, NULL), 0);
	assert_int_equal(engine_output(en, &fake_output, "other", &common, &other, &out, NULL), 0);
	assert_int_equal(engine_output(en, &fake_output, "no class", &hosts, &none, &out, NULL), 0);
	fake_prepare(en);
	shards = en->workers[0].shards;
	pipeline_source(p, SOURCE_PACKETS);
	pipeline_hook(p, &hook);
	for (unsigned i = 0; i < 2; i++) {
		octets[22] = (uint8_t)(8 + i);
		memcpy(pipeline_slot(p), &was, p->clear_octets);
		pipeline_frame(p, &frame);
		pipeline_commit(p);
	}
	pipeline_flush(p);
	assert_true(k.lost[0] == shards[1].bit && k.lost[1] == shards[2].bit);
	for (unsigned i = 0; i < 2; i++)
		pipeline_move(p, SOURCE_PACKETS, &was, 0, intern("web", 3), &k.lost[i]);
	pipeline_moves_run(p, SOURCE_PACKETS);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(fake_class_packets(&shards[i], "web", &n), want[i]);
		assert_int_equal(n, 1);
	}
	assert_int_equal(stat_get(&p->stats, STAT_CLASS_MOVED), 4);
	assert_int_equal(stat_get(&p->stats, STAT_CLASS_STAYED), 0);
	engine_free(en);
}

/* timestamp_min, timestamp_max and timestamp_second: of one flow, and of a row. */
static void
test_span(void **state)
{
	static const struct {
		const char *says;
		uint64_t stamp, start, end;
		uint64_t min, max;
	} cases[] = {
		{ "from start to end", 500, 500, 900, 500, 900 },
		{ "a stamp cut to the second", 500, 700, 900, 700, 900 },
		{ "a start alone", 500, 500, 0, 500, 500 },
		{ "an end before the start", 500, 500, 400, 500, 500 },
		{ "neither: the flow's own time", 1000, 0, 0, 1000, 1000 },
		{ "an end alone", 1000, 0, 2000, 1000, 1000 },
		{ "a bin by arrival", 5 * CLOCK_S, CLOCK_S, 2 * CLOCK_S, 5 * CLOCK_S,
		    5 * CLOCK_S },
		{ "a start within its second, and a stamp of the next", 8 * CLOCK_S,
		    8 * CLOCK_S - 1, 9 * CLOCK_S, 8 * CLOCK_S - 1, 9 * CLOCK_S },
		{ "no time at all: now", 0, 0, 0, 777, 777 },
	};
	static const struct output_config common = {
		.aggregate = "src_host, timestamp_second",
		.stitching = true
	};
	struct engine *en = fake_engine(1, 100);
	struct fake_out out = { 0 };
	struct pipeline *p = &en->workers[0].pipeline;
	const struct shard *sh;
	struct flow *f;

	(void)state;
	fake_output_add(en, &fake_output, "a", &common, &out);
	fake_prepare(en);
	assert_true(field_set_has(&p->needs, F_TIMESTAMP_END));
	sh = &en->workers[0].shards[0];
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint8_t *row;
		uint64_t min, max, second;

		f = pipeline_slot(p);
		f->src_host.b[15] = (uint8_t)i;
		f->stamp = cases[i].stamp;
		f->timestamp_start = cases[i].start;
		f->timestamp_end = cases[i].end;
		pipeline_commit(p);
		clock_set(777);
		pipeline_flush(p);
		clock_set(0);
		row = table_row(&sh->active->table, i);
		memcpy(&min,
		    rowspec_value(&sh->view->rs, row, &fields[F_TIMESTAMP_MIN]), 8);
		memcpy(&max,
		    rowspec_value(&sh->view->rs, row, &fields[F_TIMESTAMP_MAX]), 8);
		memcpy(&second,
		    rowspec_value(&sh->view->rs, row, &fields[F_TIMESTAMP_SECOND]), 8);
		if (min != cases[i].min || max != cases[i].max ||
		    second != cases[i].min / CLOCK_S * CLOCK_S)
			fail_msg("%s: %llu to %llu, in %llu", cases[i].says,
			    (unsigned long long)min, (unsigned long long)max,
			    (unsigned long long)second);
	}
	/* Of all records of a row. */
	for (uint64_t i = 0; i < 3; i++) {
		static const uint64_t starts[] = { 300, 100, 200 },
				      ends[] = { 350, 400, 380 };
		const uint8_t *row;
		uint64_t min, max;

		f = pipeline_slot(p);
		f->src_host.b[15] = 99;
		f->stamp = f->timestamp_start = starts[i];
		f->timestamp_end = ends[i];
		pipeline_commit(p);
		pipeline_flush(p);
		row = table_row(&sh->active->table, sizeof(cases) / sizeof(cases[0]));
		memcpy(&min,
		    rowspec_value(&sh->view->rs, row, &fields[F_TIMESTAMP_MIN]), 8);
		memcpy(&max,
		    rowspec_value(&sh->view->rs, row, &fields[F_TIMESTAMP_MAX]), 8);
		assert_int_equal(min, i == 0 ? 300 : 100);
		assert_int_equal(max, i == 0 ? 350 : 400);
	}
	engine_free(en);
}

/* Whatever was in a slot before, nothing of it is read again. */
static void
test_slots_are_clean(void **state)
{
	static const char *const aggregates[] = { "none", "src_host", "flows",
		"tag2,dst_as", "timestamp_arrival", "src_net", "proto,tcpflags,flows" };

	(void)state;
	for (size_t i = 0; i < sizeof(aggregates) / sizeof(aggregates[0]); i++) {
		struct output_config common = { .aggregate = aggregates[i] };
		struct engine *en = fake_engine(1, 100);
		struct fake_out out = { 0 };
		struct output *o =
		    fake_output_add(en, &fake_output, "a", &common, &out);
		struct pipeline *p = &en->workers[0].pipeline;
		const uint8_t *f;

		fake_prepare(en);
		memset(p->flows, 0xff, FLOW_BATCH * sizeof(*p->flows));
		f = (const uint8_t *)pipeline_slot(p);
		for (size_t k = 0; k < FIELD_COUNT; k++) {
			bool read = field_set_has(&p->needs, (enum field_no)k) ||
				    fields[k].merge == FIELD_SUM ||
				    k == F_TIMESTAMP_START;

			/* The 5-tuple, by which collectors tell where flows start. */
			if (field_set_has(&o->fields, F_FLOWS))
				read |= k == F_SRC_HOST || k == F_DST_HOST ||
					k == F_SRC_PORT || k == F_DST_PORT ||
					k == F_PROTO;
			for (uint8_t at = 0; read && at < fields[k].octets; at++)
				if (f[fields[k].offset + at] != 0)
					fail_msg("%s: %s is not cleared", aggregates[i],
					    fields[k].config);
			if (field_set_has(&o->fields, (enum field_no)k))
				assert_true(field_set_has(&p->needs, (enum field_no)k));
		}
		assert_int_equal(p->flows[0].stamp, 0);
		engine_free(en);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots_are_clean),
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_groups_have_their_own),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_sampling_comes_first),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_no_filter_no_frames),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_move_behind_a_filter),
		cmocka_unit_test(test_span),
	};

	return cmocka_run_group_tests_name("pipeline", tests, NULL, NULL);
}
