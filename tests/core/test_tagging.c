/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/intern.h"
#include "lib/rcu.h"
#include "tests/core/fake.h"

static char one[] = "/tmp/weir-tags-XXXXXX", two[] = "/tmp/weir-tags-XXXXXX";

static void
file_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void
feed(struct pipeline *p, uint16_t port, uint64_t tag)
{
	struct flow *f = pipeline_slot(p);

	f->dst_port = port;
	f->tag = tag;
	f->packets = f->flows = 1;
	f->bytes = 100;
	pipeline_commit(p);
}

/* Octets that view `v` counted under `tag`. */
static uint64_t
bytes_of(const struct engine *en, unsigned v, uint64_t tag)
{
	const struct shard *sh = &en->workers[0].shards[v];

	for (uint32_t i = 0; i < sh->active->table.n; i++) {
		const uint8_t *row = table_row(&sh->active->table, i);

		if (field_uint(rowspec_value(&sh->view->rs, row, &fields[F_TAG]), 8) == tag)
			return rowspec_sums_get(&sh->view->rs, row)->bytes;
	}
	return 0;
}

/*
 * Each plugin has its map's tags, whatever maps the others have; the exporter's own tag is
 * there for every map that sets none, and for a plugin without a map.
 */
static void
test_each_its_own(void **state)
{
	static const struct output_config common = { .aggregate = "tag" };
	const struct rules_config maps[] = { { .pre_tag_map = one }, { .pre_tag_map = NULL },
		{ .pre_tag_map = two }, { .pre_tag_map = one, .networks_mask = 8 } };
	static const uint64_t want[][3] = { /* tags 1, 2, 77 */
		{ 300, 0, 700 }, { 0, 0, 1000 }, { 0, 700, 300 }, { 300, 0, 700 } };
	struct engine *en = fake_engine(1, 100);
	struct fake_out out = { 0 };
	struct pipeline *p = &en->workers[0].pipeline;
	char name[2] = "a";

	(void)state;
	file_write(one, "set_tag=1 dst_port=53\n");
	file_write(two, "set_tag=2 dst_port=80\n");
	for (size_t i = 0; i < 4; i++, name[0]++)
		assert_int_equal(engine_output(en, &fake_output, name, &common, &maps[i], &out,
		                     NULL), 0);
	fake_prepare(en);
	assert_int_equal(en->n_taggings, 2);
	assert_int_equal(en->n_views, 4);
	for (unsigned i = 0; i < 10; i++)
		feed(p, i < 3 ? 53 : 80, 77);
	pipeline_flush(p);
	for (unsigned v = 0; v < 4; v++) {
		assert_int_equal(bytes_of(en, v, 1), want[v][0]);
		assert_int_equal(bytes_of(en, v, 2), want[v][1]);
		assert_int_equal(bytes_of(en, v, 77), want[v][2]);
	}
	engine_free(en);
}

/* A fresh map takes its place between batches; one with faults, or that needs more, not. */
static void
test_reload(void **state)
{
	static const struct output_config common = { .aggregate = "tag" };
	const struct rules_config rules = { .pre_tag_map = one };
	static const struct {
		const char *map;
		const char *says; /* NULL: it is taken */
		uint64_t tag;     /* that flows have then */
	} cases[] = {
		{ "set_tag=2 dst_port=53\n", NULL, 2 },
		{ "set_tag=3 dst_port=53\nset_tag=x\n", ":2: ", 2 },
		{ "set_tag=4 src_mac=00:01:02:03:04:05\n", "(src_mac): restart weir", 2 },
		{ "set_tag=6 ip=0.0.0.0/0 in=-9 out=-9\nset_tag=6\n", NULL, 6 },
		{ "set_tag=5\n", NULL, 5 },
	};
	struct engine *en = fake_engine(1, 100);
	struct fake_out out = { 0 };
	struct pipeline *p = &en->workers[0].pipeline;
	struct tagmap_line *lines;
	uint32_t n;

	(void)state;
	file_write(one, "set_tag=1 dst_port=53\n");
	assert_int_equal(engine_output(en, &fake_output, "a", &common, &rules, &out, NULL), 0);
	fake_prepare(en);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct problems ps = { 0 };
		uint64_t before;

		file_write(one, cases[i].map);
		engine_reload(en, &ps);
		if ((ps.n_errors > 0) != (cases[i].says != NULL))
			fail_msg("%s: %zu errors", cases[i].map, ps.n_errors);
		if (cases[i].says != NULL && strstr(ps.list[0].text, cases[i].says) == NULL)
			fail_msg("%s: %s", cases[i].map, ps.list[0].text);
		problems_free(&ps);
		before = bytes_of(en, 0, cases[i].tag);
		feed(p, 53, 0);
		pipeline_flush(p);
		assert_int_equal(bytes_of(en, 0, cases[i].tag), before + 100);
	}
	lines = tagging_lines(&en->taggings[0], &n);
	assert_int_equal(n, 1);
	assert_string_equal(lines[0].text, "set_tag=5");
	assert_string_equal(lines[0].file, one);
	assert_int_equal(lines[0].line, 1);
	assert_int_equal(lines[0].matches, 1);
	free(lines);
	engine_free(en);
	rcu_drain();
}

/* Records that move draw no number of a series, and count no match of a rule. */
static void
test_moves_count_nothing(void **state)
{
	static const struct output_config common = { .aggregate = "class" };
	const struct rules_config rules = { .pre_tag_map = one };
	struct engine *en = fake_engine(1, 100);
	struct fake_out out = { 0 };
	struct pipeline *p = &en->workers[0].pipeline;
	struct flow was = { .dst_port = 53, .packets = 1, .flows = 1, .bytes = 100 };
	struct tagmap_line *lines;
	uint64_t lost = 0;
	uint32_t n;

	(void)state;
	file_write(one, "set_tag=5++\n");
	assert_int_equal(engine_output(en, &fake_output, "a", &common, &rules, &out, NULL), 0);
	fake_prepare(en);
	feed(p, 53, 0);
	pipeline_flush(p);
	pipeline_move(p, SOURCE_NETFLOW, &was, 0, intern("web", 3), &lost);
	pipeline_moves_run(p, SOURCE_NETFLOW);
	assert_int_equal(fake_class_packets(&en->workers[0].shards[0], "web", &n), 1);
	assert_int_equal(lost, 0);
	assert_non_null(lines = tagging_lines(&en->taggings[0], &n));
	assert_int_equal(lines[0].matches, 1);
	free(lines);
	tagmap_apply(tagging_map(&en->taggings[0]), &(struct batch){ .flows = &was, .n = 1 });
	assert_int_equal(was.tag, 6);
	engine_free(en);
}

/* Move record `was` to class `name`. */
static void
move(struct pipeline *p, struct flow *was, uint64_t batch, const char *name, uint64_t *lost)
{
	pipeline_flush(p);
	pipeline_move(p, SOURCE_NETFLOW, was, batch, intern(name, strlen(name)), lost);
	pipeline_moves_run(p, SOURCE_NETFLOW);
	was->class_id = intern(name, strlen(name));
}

/*
 * Where filters go by the class, records come in, or go out, when it is told: of views that have
 * not written them, or add up.
 */
static void
test_moves_through_filters(void **state)
{
	static const struct output_config common = { .aggregate = "class", .refresh = 60 };
	const struct rules_config web = { .pre_tag_map = one, .pre_tag_filter = "1" },
				  others = { .pre_tag_map = one, .pre_tag_filter = "0" };
	struct engine *en = fake_engine(1, 100);
	struct fake_out out = { 0 };
	struct pipeline *p = &en->workers[0].pipeline;
	const struct shard *in, *rest;
	struct flow was[3] = { { .dst_port = 53, .packets = 1, .flows = 1, .bytes = 100 } };
	uint64_t lost[3] = { 0 }, seconds = en->started;
	uint32_t n;

	(void)state;
	was[1] = was[2] = was[0];
	file_write(one, "set_tag=1 class=web\n");
	assert_int_equal(engine_output(en, &fake_output, "in", &common, &web, &out, NULL), 0);
	assert_int_equal(engine_output(en, &fake_output, "rest", &common, &others, &out, NULL), 0);
	fake_prepare(en);
	in = &en->workers[0].shards[0];
	rest = &en->workers[0].shards[1];
	for (unsigned i = 0; i < 3; i++)
		feed(p, 53, 0);
	move(p, &was[0], 0, "web", &lost[0]);
	assert_int_equal(fake_class_packets(in, "web", &n), 1);
	assert_int_equal(fake_class_packets(rest, "unknown", &n), 2);
	assert_int_equal(rest->active->filtered.packets, 1);
	move(p, &was[0], 0, "mail", &lost[0]); /* and out again */
	assert_int_equal(fake_class_packets(in, "web", &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(in->active->filtered.packets, 3);
	assert_int_equal(fake_class_packets(rest, "mail", &n), 1);
	assert_int_equal(lost[0], 0);
	stat_add(&p->stats, STAT_RECORDS, 3);
	stat_add(&p->stats, STAT_RECORDS_FED, 3);
	publisher_round(en->publisher, seconds += 60 * CLOCK_S, false);
	fake_books_check(en, "in and out");
	move(p, &was[1], 0, "web", &lost[1]); /* it was published: it stays */
	assert_int_equal(lost[1], 3);
	assert_int_equal(fake_class_packets(in, "web", &n), 0);
	en->views[0]->config.adds_up = en->views[1]->config.adds_up = true;
	move(p, &was[2], 0, "web", &lost[2]); /* it counts where it belongs, and where it was */
	assert_int_equal(fake_class_packets(in, "web", &n), 1);
	assert_int_equal(lost[2], 2);
	publisher_round(en->publisher, seconds + 60 * CLOCK_S, false);
	fake_books_check(en, "what adds up");
	assert_int_equal(en->views[0]->books.filtered.packets, 2);
	engine_free(en);
}

static void
hook_nothing(void *arg)
{
	(void)arg;
}

/* What was tagged by another map is not in the row that this one says: it stays. */
static void
test_moves_end_with_their_rules(void **state)
{
	static const struct output_config common = { .aggregate = "tag, class" };
	const struct rules_config rules = { .pre_tag_map = one };
	struct engine *en = fake_engine(1, 100);
	struct fake_out out = { 0 };
	struct pipeline *p = &en->workers[0].pipeline;
	struct pipeline_hook hook = { .before = hook_nothing, .after = hook_nothing };
	struct flow was = { .dst_port = 53, .packets = 1, .flows = 1, .bytes = 100 }, is = was;
	struct problems ps = { 0 };
	uint64_t lost[2] = { 0 };
	uint32_t n;

	(void)state;
	file_write(one, "set_tag=1\n");
	assert_int_equal(engine_output(en, &fake_output, "a", &common, &rules, &out, NULL), 0);
	fake_prepare(en);
	pipeline_hook(p, &hook);
	feed(p, 53, 0);
	pipeline_flush(p);
	file_write(one, "set_tag=2\n");
	engine_reload(en, &ps);
	assert_int_equal(ps.n, 0);
	pipeline_flush(p);
	feed(p, 53, 0);
	move(p, &was, 0, "web", &lost[0]); /* not one of the second */
	assert_int_equal(fake_class_packets(&en->workers[0].shards[0], "web", &n), 0);
	move(p, &is, 1, "web", &lost[1]);
	assert_int_equal(fake_class_packets(&en->workers[0].shards[0], "web", &n), 1);
	assert_int_equal(bytes_of(en, 0, 1), 100);
	assert_int_equal(bytes_of(en, 0, 2), 100);
	assert_int_equal(stat_get(&p->stats, STAT_CLASS_STAYED), 1);
	engine_free(en);
	rcu_drain();
}

/* What a rule has seen in a frame, which is gone: nobody knows how the record was tagged. */
static void
test_moves_behind_rules_that_look_at_frames(void **state)
{
	static const struct output_config common = { .aggregate = "tag, class" };
	const struct rules_config rules = { .pre_tag_map = one };
	struct engine *en = fake_engine(1, 100);
	struct fake_out out = { 0 };
	struct pipeline *p = &en->workers[0].pipeline;
	struct flow was = { .dst_port = 53, .packets = 1, .flows = 1, .bytes = 100 };
	uint64_t lost = 0;
	uint32_t n;

	(void)state;
	file_write(one, "set_tag=1 filter='ip[8] = 9'\n");
	assert_int_equal(engine_output(en, &fake_output, "a", &common, &rules, &out, NULL), 0);
	fake_prepare(en);
	feed(p, 53, 0);
	move(p, &was, 0, "web", &lost);
	assert_int_equal(fake_class_packets(&en->workers[0].shards[0], "web", &n), 0);
	assert_int_equal(lost, 1);
	assert_int_equal(stat_get(&p->stats, STAT_CLASS_STAYED), 1);
	engine_free(en);
}

/*
 * While files are read anew, and when that comes between a batch and what is told of it, nobody
 * knows which map has tagged a record.
 */
static void
test_moves_beside_a_reload(void **state)
{
	static const struct output_config common = { .aggregate = "tag, class" };
	const struct rules_config rules = { .pre_tag_map = one };
	struct engine *en = fake_engine(1, 100);
	struct fake_out out = { 0 };
	struct pipeline *p = &en->workers[0].pipeline;
	const struct shard *sh;
	struct pipeline_hook hook = { .before = hook_nothing, .after = hook_nothing };
	struct flow was = { .dst_port = 53, .packets = 1, .flows = 1, .bytes = 100 };
	uint32_t web = intern("web", 3), n;
	struct problems ps = { 0 };
	uint64_t lost[4] = { 0 };

	(void)state;
	file_write(one, "set_tag=1\n");
	assert_int_equal(engine_output(en, &fake_output, "a", &common, &rules, &out, NULL), 0);
	fake_prepare(en);
	sh = &en->workers[0].shards[0];
	pipeline_hook(p, &hook);
	atomic_fetch_add(&en->reloads, 1); /* it begins */
	feed(p, 53, 0);
	pipeline_flush(p);
	file_write(one, "set_tag=2\n");
	tagging_reload(&en->taggings[0], 1, &p->needs, &ps);
	feed(p, 53, 0);
	pipeline_flush(p);
	pipeline_move(p, SOURCE_NETFLOW, &was, 0, web, &lost[0]);
	pipeline_moves_run(p, SOURCE_NETFLOW);
	assert_int_equal(fake_class_packets(sh, "web", &n), 0);
	assert_int_equal(lost[0], 1);
	atomic_fetch_add(&en->reloads, 1);
	pipeline_flush(p);
	feed(p, 53, 0);
	pipeline_flush(p);
	pipeline_move(p, SOURCE_NETFLOW, &was, 1, web, &lost[1]); /* it was not over */
	pipeline_move(p, SOURCE_NETFLOW, &was, 2, web, &lost[2]);
	pipeline_moves_run(p, SOURCE_NETFLOW);
	assert_int_equal(fake_class_packets(sh, "web", &n), 1);
	assert_int_equal(lost[1], 1);
	assert_int_equal(lost[2], 0);
	feed(p, 53, 0);
	pipeline_flush(p);
	pipeline_move(p, SOURCE_NETFLOW, &was, 3, web, &lost[3]);
	engine_reload(en, &ps); /* since it was told */
	pipeline_moves_run(p, SOURCE_NETFLOW);
	assert_int_equal(fake_class_packets(sh, "web", &n), 1);
	assert_int_equal(lost[3], 1);
	assert_int_equal(ps.n, 0);
	engine_free(en);
	rcu_drain();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_its_own),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_moves_count_nothing),
		cmocka_unit_test(test_moves_through_filters),
		cmocka_unit_test(test_moves_end_with_their_rules),
		cmocka_unit_test(test_moves_behind_rules_that_look_at_frames),
		cmocka_unit_test(test_moves_beside_a_reload),
	};
	int rc;

	close(mkstemp(one));
	close(mkstemp(two));
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(one);
	unlink(two);
	return rc;
}
