/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/books.h"
#include "lib/clock.h"
#include "lib/intern.h"
#include "tests/core/fake.h"

#define SNAPSHOTS &fake_output
#define LEDGER &fake_ledger

/* A first output "a" like base, and a second one: do they share a view? */
static const struct output_config base = { .aggregate = "src_host,proto",
	.refresh = 300,
	.history = "5m",
	.history_roundoff = "m" };

static const struct {
	const char *says;
	const struct output_ops *ops;
	struct output_config common;
	struct rules_config rules;
	bool hold_open, shared;
} sharing[] = {
	{ "the same", SNAPSHOTS,
	    { .aggregate = "src_host,proto",
		.refresh = 300,
		.history = "5m",
		.history_roundoff = "m" },
	    { 0 }, false, true },
	{ "the same, in other words", SNAPSHOTS,
	    { .aggregate = "PROTO, src_host",
		.refresh = 300,
		.history = "300",
		.history_roundoff = "m" },
	    { 0 }, false, true },
	{ "counters shown do not matter: all are counted", SNAPSHOTS,
	    { .aggregate = "src_host,proto,flows",
		.refresh = 300,
		.history = "5m",
		.history_roundoff = "m" },
	    { 0 }, false, true },
	{ "nor does how times are written", SNAPSHOTS,
	    { .aggregate = "src_host,proto",
		.refresh = 300,
		.history = "5m",
		.history_roundoff = "m",
		.text.utc = true,
		.text.num_protos = true },
	    { 0 }, false, true },
	{ "another aggregate", SNAPSHOTS,
	    { .aggregate = "src_host",
		.refresh = 300,
		.history = "5m",
		.history_roundoff = "m" },
	    { 0 }, false, false },
	{ "OR-ed flags are another row", SNAPSHOTS,
	    { .aggregate = "src_host,proto,tcpflags",
		.refresh = 300,
		.history = "5m",
		.history_roundoff = "m" },
	    { 0 }, false, false },
	{ "other bins", SNAPSHOTS,
	    { .aggregate = "src_host,proto",
		.refresh = 300,
		.history = "1m",
		.history_roundoff = "m" },
	    { 0 }, false, false },
	{ "no bins", SNAPSHOTS, { .aggregate = "src_host,proto", .refresh = 300 },
	    { 0 }, false, false },
	{ "another refresh", SNAPSHOTS,
	    { .aggregate = "src_host,proto",
		.refresh = 60,
		.history = "5m",
		.history_roundoff = "m" },
	    { 0 }, false, false },
	{ "another delay", SNAPSHOTS,
	    { .aggregate = "src_host,proto",
		.refresh = 300,
		.history = "5m",
		.history_roundoff = "m",
		.startup_delay = 5 },
	    { 0 }, false, false },
	{ "another size", SNAPSHOTS,
	    { .aggregate = "src_host,proto",
		.refresh = 300,
		.history = "5m",
		.history_roundoff = "m",
		.max_entries = 77 },
	    { 0 }, false, false },
	{ "the global size, said once more", SNAPSHOTS,
	    { .aggregate = "src_host,proto",
		.refresh = 300,
		.history = "5m",
		.history_roundoff = "m",
		.max_entries = 1000 },
	    { 0 }, false, true },
	{ "other rules", SNAPSHOTS,
	    { .aggregate = "src_host,proto",
		.refresh = 300,
		.history = "5m",
		.history_roundoff = "m" },
	    { .networks_mask = 24 }, false, false },
	{ "open bins wait", SNAPSHOTS,
	    { .aggregate = "src_host,proto",
		.refresh = 300,
		.history = "5m",
		.history_roundoff = "m" },
	    { 0 }, true, false },
	{ "a ledger joins whatever the bins", LEDGER, { .aggregate = "src_host,proto" },
	    { 0 }, false, true },
	{ "a ledger of other fields does not", LEDGER, { .aggregate = "src_host" },
	    { 0 }, false, false },
	{ "a ledger under other rules does not", LEDGER,
	    { .aggregate = "src_host,proto" }, { .networks_mask = 24 }, false, false },
};

static void
test_sharing(void **state)
{
	static const struct rules_config no_rules;

	(void)state;
	for (size_t i = 0; i < sizeof(sharing) / sizeof(sharing[0]); i++) {
		struct engine *en = fake_engine(1, 1000);
		struct fake_out a = { 0 }, b = { .hold_open = sharing[i].hold_open };
		struct view *v;

		assert_int_equal(
		    engine_output(en, &fake_output, "a", &base, &no_rules, &a, NULL),
		    0);
		assert_int_equal(engine_output(en, sharing[i].ops, "b",
				     &sharing[i].common, &sharing[i].rules, &b, NULL),
		    0);
		if ((en->n_views == 1) != sharing[i].shared)
			fail_msg("%s: %u views", sharing[i].says, en->n_views);
		v = engine_view(en, "b");
		assert_true((v == engine_view(en, "a")) == sharing[i].shared);
		assert_true((v->ledger != NULL) == (sharing[i].ops == LEDGER));
		assert_null(engine_view(en, "c"));
		assert_ptr_equal(engine_output_get(en, "b")->config, &b);
		assert_null(engine_output_get(en, "c"));
		assert_true(engine_max_octets(en) > 0);
		engine_free(en);
	}
}

static const struct {
	const char *says;
	struct output_config common;
	int want;
	const char *error;
} refusals[] = {
	{ "an unknown primitive", { .aggregate = "src_hots" }, -WEIR_EINVAL,
	    "src_hots" },
	{ "a wrong history", { .history = "5x" }, -WEIR_EINVAL, "5x" },
	{ "a wrong round-off", { .history = "5m", .history_roundoff = "q" },
	    -WEIR_EINVAL, "'q'" },
	{ "more rows than can be numbered", { .max_entries = UINT64_C(1) << 32 },
	    -WEIR_EINVAL, "max_entries" },
};

static void
test_refusals(void **state)
{
	static const struct rules_config no_rules;
	struct engine *en;
	struct fake_out out = { 0 };
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		en = fake_engine(1, 1000);
		if (engine_output(en, &fake_output, "a", &refusals[i].common, &no_rules,
			&out, &e) != refusals[i].want ||
		    strstr(e.text, refusals[i].error) == NULL)
			fail_msg("%s: %s", refusals[i].says, e.text);
		engine_free(en);
	}
	en = fake_engine(1, 1000);
	for (unsigned i = 0; i < ENGINE_OUTPUTS; i++)
		(void)fake_output_add(en, &fake_output, "a", &base, &out);
	assert_int_equal(
	    engine_output(en, &fake_output, "a", &base, &no_rules, &out, &e),
	    -WEIR_EFULL);
	engine_free(en);
	engine_free(NULL);
}

/* What collectors are told to fill: what views show and what rules read for it. */
static void
test_needs(void **state)
{
	static const struct output_config net = { .aggregate = "src_net,dst_port" };
	struct engine *en = fake_engine(1, 100);
	struct fake_out out = { 0 };
	const struct pipeline *p = &en->workers[0].pipeline;

	(void)state;
	(void)fake_output_add(en, &fake_output, "a", &net, &out);
	fake_prepare(en);
	assert_true(field_set_has(&p->needs, F_SRC_NET) &&
		    field_set_has(&p->needs, F_DST_PORT));
	assert_true(field_set_has(&p->needs, F_SRC_HOST) &&
		    field_set_has(&p->needs, F_SRC_MASK));
	assert_false(field_set_has(&p->needs, F_DST_HOST));
	assert_false(p->needs_flow_starts);
	engine_free(en);

	en = fake_engine(1, 100);
	(void)fake_output_add(en, &fake_ledger, "a",
	    &(struct output_config){ .aggregate = "flows" }, &out);
	fake_prepare(en);
	assert_true(en->workers[0].pipeline.needs_flow_starts);
	engine_free(en);
}

/* An output that does not open: nothing runs, and what had been opened is closed. */
static void
test_start_fails(void **state)
{
	struct engine *en = fake_engine(2, 100);
	struct fake_out good = { 0 }, bad = { .open_rc = -WEIR_EIO };
	struct fake_in in = { 1, 10, 1, 1000, 100, 0 };
	struct err e = ERR_INIT;

	(void)state;
	(void)fake_output_add(en, &fake_output, "good", &base, &good);
	(void)fake_output_add(en, &fake_output, "bad", &base, &bad);
	fake_prepare(en);
	assert_int_equal(engine_collector(en, &fake_collector, &in, 0, NULL), 0);
	assert_int_equal(engine_start(en, &e), -WEIR_EIO);
	assert_string_equal(e.text, "fake bad: refused");
	assert_int_equal(good.opened, 1);
	assert_int_equal(good.closed, 1);
	assert_int_equal(bad.closed, 0);
	assert_int_equal(good.writes, 0);
	engine_stop(en); /* harmless */
	assert_int_equal(good.closed, 1);
	engine_free(en);
}

static void
test_instances(void **state)
{
	struct engine *en = fake_engine(3, 100);
	struct fake_out out = { 0 };
	struct fake_in in = { 1, 10, 1, 1, 1, 0 };

	(void)state;
	(void)fake_output_add(en, &fake_output, "a", &base, &out);
	fake_prepare(en);
	assert_int_equal(engine_collector(en, &fake_collector, &in, 1, NULL), 0);
	assert_int_equal(engine_collector(en, &fake_collector, &in, 0, NULL), 0);
	assert_int_equal(engine_collector(en, &fake_collector, &in, 99, NULL), 0);
	assert_int_equal(en->workers[0].n_collectors, 3);
	assert_int_equal(en->workers[1].n_collectors, 2);
	assert_int_equal(en->workers[2].n_collectors, 2);
	engine_free(en); /* closes them */
}

#define WORKERS 2U
#define KEYS 3000U
#define BINS 8U
#define FLOWS 500000U /* of each worker */

/* What collectors with `in` have fed in the end. */
static struct truth *
truth_of(const struct fake_in *in, uint32_t bins)
{
	struct truth *truth = truth_new(in->keys, bins);

	for (unsigned w = 0; w < WORKERS; w++) {
		struct traffic t = { in->seed + w, in->keys, in->bins };

		for (uint64_t i = 0; i < in->flows; i++) {
			struct flow f;

			traffic_flow(&t, &f);
			truth_feed(truth, &f);
		}
	}
	return truth;
}

struct auditor {
	pthread_t thread;
	const struct engine *en;
	atomic_bool stop;
	unsigned looks, wrong;
};

/* Somebody asks for the books all the time: they balance at every moment. */
static void *
audit(void *arg)
{
	struct auditor *a = arg;

	while (!atomic_load(&a->stop)) {
		a->looks++;
		a->wrong += !books_balance(a->en);
	}
	return NULL;
}

static void
test_threads(void **state)
{
	static const struct output_config whole = { .aggregate =
							"src_host,proto,tcpflags",
		.refresh = 1,
		.history = "1m",
		.history_roundoff = "m" };
	static const struct output_config small = {
		.aggregate = "src_host,proto", .refresh = 1, .max_entries = 500
	};
	static const struct output_config totals = { .aggregate =
							 "src_host,proto,tcpflags" };
	struct fake_in in = { 42, KEYS, BINS, FLOWS, 2000, 8 };
	struct fake_out outs[3] = { { .truth = truth_of(&in, BINS), .hold_open = true },
		{ .truth = truth_of(&in, 1) }, { .truth = truth_of(&in, 1) } };
	struct engine *en;
	struct auditor auditor;
	struct pollfd done;
	uint64_t stats[STAT_COUNT];

	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	en = fake_engine(WORKERS, 50000);
	(void)fake_output_add(en, &fake_output, "whole", &whole, &outs[0]);
	(void)fake_output_add(en, &fake_output, "small", &small, &outs[1]);
	(void)fake_output_add(en, &fake_ledger, "totals", &totals, &outs[2]);
	assert_int_equal(en->n_views, 2);
	fake_prepare(en);
	assert_int_equal(engine_collector(en, &fake_collector, &in, 0, NULL), 0);
	assert_int_equal(engine_start(en, NULL), 0);
	auditor = (struct auditor){ .en = en };
	assert_int_equal(pthread_create(&auditor.thread, NULL, audit, &auditor), 0);

	done = (struct pollfd){ .fd = en->finished_fd, .events = POLLIN };
	do
		assert_int_equal(poll(&done, 1, 60000), 1);
	while (!engine_finished(en));
	engine_stop(en);
	atomic_store(&auditor.stop, true);
	pthread_join(auditor.thread, NULL);

	for (int i = 0; i < 3; i++) {
		truth_check(outs[i].truth, i == 1, en->outputs[i]->name);
		assert_int_equal(outs[i].closed, 1);
	}
	assert_true(outs[0].writes >= 2); /* some while it ran, one at the end */
	assert_true(outs[0].seen[outs[0].writes - 1].last);
	engine_stats(en, stats);
	assert_int_equal(stats[STAT_RECORDS_FED], WORKERS * FLOWS);
	fake_books_check(en, "after a run");
	assert_true(auditor.looks > 0);
	assert_int_equal(auditor.wrong, 0);
	engine_free(en);
	for (int i = 0; i < 3; i++)
		truth_free(outs[i].truth);
}

/* Stopped in mid-stream: all that was read is written. */
static void
test_stop_early(void **state)
{
	static const struct output_config whole = { .aggregate = "src_host",
		.refresh = 60 };
	struct fake_in in = { 7, KEYS, 1, UINT64_MAX, 100, 1 };
	struct fake_out out = { 0 };
	struct engine *en = fake_engine(WORKERS, 50000);
	struct output *o = fake_output_add(en, &fake_output, "a", &whole, &out);
	uint64_t taken = 0, stats[STAT_COUNT];
	struct sums rows;

	(void)state;
	fake_prepare(en);
	assert_int_equal(engine_collector(en, &fake_collector, &in, 0, NULL), 0);
	assert_int_equal(engine_start(en, NULL), 0);
	poll(NULL, 0, 100);
	assert_false(engine_finished(en));
	engine_stop(en);
	for (unsigned w = 0; w < WORKERS; w++) {
		struct traffic t = { in.seed + w, in.keys, in.bins };
		uint64_t units = atomic_load(&en->workers[w].collectors[0]->units);

		taken += units;
		for (uint64_t i = 0; i < units; i++) {
			struct flow f;

			traffic_flow(&t, &f);
			o->view->books.rows.bytes -= f.bytes; /* back to nothing */
			o->view->books.rows.packets -= f.packets;
		}
	}
	rows = o->view->books.rows;
	assert_true(taken > 0);
	assert_int_equal(rows.bytes, 0);
	assert_int_equal(rows.packets, 0);
	engine_stats(en, stats);
	assert_int_equal(stats[STAT_RECORDS_FED], taken);
	assert_int_equal(out.writes, 1);
	engine_free(en);
}

/* Collectors that come while the workers run are read like the first. */
static void
test_late_collector(void **state)
{
	static const struct output_config whole = { .aggregate = "src_host",
		.refresh = 60 };
	struct fake_in first = { 7, KEYS, 1, UINT64_MAX, 100, 1 };
	struct fake_in late = { 8, KEYS, 1, 500, 100, 0 };
	struct fake_out out = { 0 };
	struct engine *en = fake_engine(WORKERS, 50000);
	struct err e = ERR_INIT;
	uint64_t stats[STAT_COUNT];

	(void)state;
	(void)fake_output_add(en, &fake_output, "a", &whole, &out);
	fake_prepare(en);
	assert_int_equal(engine_collector(en, &fake_collector, &first, 0, NULL), 0);
	assert_int_equal(engine_start(en, NULL), 0);
	for (unsigned i = 0; i < WORKER_COLLECTORS - 1; i++)
		assert_int_equal(engine_collector(en, &fake_collector, &late, 0, NULL), 0);
	assert_int_equal(engine_collector(en, &fake_collector, &late, 0, &e), -WEIR_EFULL);
	for (unsigned w = 0; w < WORKERS; w++)
		for (unsigned i = 1; i < WORKER_COLLECTORS; i++)
			while (!atomic_load(&en->workers[w].collectors[i]->done))
				poll(NULL, 0, 1);
	assert_false(engine_finished(en));
	engine_stop(en);
	engine_stats(en, stats);
	assert_true(stats[STAT_RECORDS_FED] > WORKERS * (WORKER_COLLECTORS - 1) * 500);
	fake_books_check(en, "with late collectors");
	engine_free(en);
}

/* The last test: no new string is known from here on. */
static void
test_strings_refused(void **state)
{
	const struct engine_config c = { .workers = 1, .max_entries = 1, .max_exporters = 1 };
	struct engine *en = engine_new(&c, NULL);
	uint64_t stats[STAT_COUNT];
	char text[INTERN_MAX_LEN];
	uint32_t n = 0;

	(void)state;
	assert_non_null(en);
	engine_stats(en, stats);
	assert_int_equal(stats[STAT_STRINGS_REFUSED], 0);
	memset(text, 'x', sizeof(text));
	do {
		int digits = snprintf(text, sizeof(text), "%u", n);

		text[digits] = 'x';
	} while (n++ < INTERN_MAX && intern(text, sizeof(text)) != 0);
	engine_stats(en, stats);
	assert_int_equal(stats[STAT_STRINGS_REFUSED], 1);
	engine_free(en);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sharing),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_needs),
		cmocka_unit_test(test_start_fails),
		cmocka_unit_test(test_instances),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_stop_early),
		cmocka_unit_test(test_late_collector),
		cmocka_unit_test(test_strings_refused),
	};

	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
