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

#include "core/output.h"
#include "core/publisher.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "tests/core/fake.h"

static const struct {
	const char *says;
	const struct output_ops *ops;
	struct output_config common;
	const char *columns; /* in the order of output */
	uint32_t seconds, refresh;
	bool holds;
} plans[] = {
	{ "the default", &fake_output, { .refresh = 60 }, "src_host,packets,bytes", 0,
	    60, true },
	{ "the order of ids", &fake_output,
	    { .aggregate = "dst_port,src_host,tag,flows", .refresh = 60 },
	    "tag,src_host,dst_port,flows,packets,bytes", 0, 60, true },
	{ "counters named once more", &fake_output, { .aggregate = "bytes,packets" },
	    "packets,bytes", 0, 0, true },
	{ "flags stand among the keys", &fake_output, { .aggregate = "proto,tcpflags" },
	    "tcpflags,proto,packets,bytes", 0, 0, true },
	{ "a grand total", &fake_output, { .aggregate = "none" }, "packets,bytes", 0, 0,
	    true },
	{ "history", &fake_output,
	    { .history = "5m",
		.history_roundoff = "m",
		.history_offset = 10,
		.refresh = 300 },
	    "src_host,packets,bytes", 300, 300, true },
	{ "stitching", &fake_output, { .aggregate = "tag", .stitching = true },
	    "tag,timestamp_min,timestamp_max,packets,bytes", 0, 0, true },
	{ "no stitching of running totals", &fake_ledger,
	    { .aggregate = "tag", .stitching = true }, "tag,packets,bytes", 0, 0, false },
	{ "a ledger has neither history nor refresh", &fake_ledger,
	    { .history = "5m", .refresh = 300, .startup_delay = 4 },
	    "src_host,packets,bytes", 0, 0, false },
};

static void
test_plan(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		struct fake_out out = { .hold_open = true };
		struct output o;
		struct view_config vc;
		struct err e = ERR_INIT;
		char columns[256] = "";

		memset(&o, 0, sizeof(o));
		o.ops = plans[i].ops;
		o.common = plans[i].common;
		o.config = &out;
		if (output_plan(&o, &vc, &e) != 0)
			fail_msg("%s: %s", plans[i].says, e.text);
		for (uint16_t k = 0; k < o.n_columns; k++) {
			if (k > 0)
				strcat(columns, ",");
			strcat(columns, fields[o.columns[k]].config);
		}
		if (strcmp(columns, plans[i].columns) != 0)
			fail_msg("%s: %s", plans[i].says, columns);
		if (vc.bins.seconds != plans[i].seconds ||
		    vc.refresh_s != plans[i].refresh || vc.hold_open != plans[i].holds)
			fail_msg("%s: %u s, refreshed every %u s", plans[i].says,
			    vc.bins.seconds, vc.refresh_s);
		/* Sums are every row's: they do not tell views apart. */
		for (uint16_t f = 0; f < FIELD_COUNT; f++)
			assert_true(field_set_has(&vc.aggregate, f) ==
				    (fields[f].merge != FIELD_SUM &&
					field_set_has(&o.fields, f)));
	}
}

/* As pmacct has it. */
static void
test_an_offset_of_a_bin_is_refused(void **state)
{
	struct output o = { .ops = &fake_output,
		.common = { .history = "1m", .history_offset = 60, .refresh = 60 } };
	struct view_config vc;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(output_plan(&o, &vc, &e), -WEIR_EINVAL);
	assert_non_null(strstr(e.text, "sql_history_offset"));
}

/* The defaults of the directives are a plan that works. */
static void
test_directives(void **state)
{
	struct config c = { 0 };
	struct problems ps = { 0 };
	struct output_config got;

	(void)state;
	config_add(&c, "-", "print_history", "x", "5m");
	config_add(&c, "-", "print_refresh_time", NULL, "300");
	config_add(&c, "-", "sql_startup_delay", NULL, "7");
	directive_apply(&output_directives, &c, "x", &got, &ps);
	assert_int_equal(ps.n, 0);
	assert_null(got.aggregate); /* plugins have defaults of their own */
	assert_string_equal(got.history, "5m");
	assert_null(got.history_roundoff);
	assert_int_equal(got.refresh, 300);
	assert_int_equal(got.startup_delay, 7);
	directive_apply(&output_directives, &c, "y", &got, &ps);
	assert_null(got.history);
	for (const struct directive *d = output_directives.rows; d->name != NULL; d++)
		if (d->alias_of == NULL &&
		    (d->doc == NULL || d->doc[strlen(d->doc) - 1] != '.'))
			fail_msg("%s has no sentence", d->name);
	config_free(&c);
}

/* Failing and recovering: state, errors, the time of the last success, rows by fate. */
static void
test_failure(void **state)
{
	static const struct output_config common = { .refresh = 1 };
	struct fake_out out = { .fail = true };
	struct traffic t = { 1, 100, 1 };
	struct engine *en = fake_engine(1, 1000);
	struct output *o = fake_output_add(en, &fake_output, "a", &common, &out);
	struct err e = ERR_INIT;
	uint64_t refused;
	char why[64];

	(void)state;
	clock_set(TRAFFIC_START);
	fake_prepare(en);
	assert_int_equal(output_failure(o, why, sizeof(why)), 0);
	assert_string_equal(why, "");
	assert_int_equal(output_start(o, &e), 0);
	fake_feed(en, 0, &t, NULL, 1000);
	publisher_round(en->publisher, TRAFFIC_START + CLOCK_S, true);
	output_stop(o); /* writes what is queued */
	assert_int_equal(out.writes, 1);
	assert_int_equal(atomic_load(&o->state), OUTPUT_FAILING);
	assert_int_equal(atomic_load(&o->errors), 1);
	assert_int_equal(atomic_load(&o->last_success), 0);
	refused = atomic_load(&o->refused);
	assert_true(refused > 0 && refused == atomic_load(&o->rows));
	output_stop(o); /* harmless */

	out.fail = false;
	clock_set(TRAFFIC_START + 5 * CLOCK_S);
	fake_feed(en, 0, &t, NULL, 1000);
	publisher_round(en->publisher, TRAFFIC_START + 5 * CLOCK_S, true);
	assert_int_equal(atomic_load(&o->state), OUTPUT_OK);
	assert_int_equal(atomic_load(&o->errors), 1);
	assert_true(atomic_load(&o->last_success) == TRAFFIC_START + 5 * CLOCK_S);
	assert_int_equal(atomic_load(&o->rows), refused + atomic_load(&o->written));
	/* It is still known what it was, and when. */
	assert_int_equal(output_failure(o, why, sizeof(why)), TRAFFIC_START);
	assert_string_equal(why, "it is broken");
	output_stalls(o, &(struct err){ WEIR_EIO, "the spool is full" });
	assert_int_equal(output_failure(o, why, sizeof(why)), TRAFFIC_START + 5 * CLOCK_S);
	assert_string_equal(why, "the spool is full");
	output_stalls(o, NULL);
	fake_books_check(en, "an output that failed");
	engine_free(en);
	clock_set(0);
}

/* How often `text` stands in the log at `path`. */
static unsigned
log_count(const char *path, const char *text)
{
	FILE *f = fopen(path, "r");
	char line[1024];
	unsigned n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, text) != NULL;
	fclose(f);
	return n;
}

static void
fail_at(struct output *o, unsigned second, const char *text)
{
	struct err e = ERR_INIT;

	clock_set(TRAFFIC_START + second * CLOCK_S);
	(void)err_set(&e, WEIR_EIO, "%s", text);
	output_fails(o, &e);
}

/* A fault is said when it begins and when it is over, not at each write between. */
static void
test_failure_is_said_once(void **state)
{
	static const struct output_config common = { .refresh = 1 };
	char path[] = "/tmp/weir-test-output-XXXXXX", text[64];
	struct output *o = output_new(&fake_output, "a", &common, NULL);

	(void)state;
	assert_false(fake_output.spools);
	close(mkstemp(path));
	assert_int_equal(log_open(&(struct log_config){ .file = path }, NULL), 0);
	for (unsigned i = 0; i < 100; i++)
		fail_at(o, i, "the disk is full");
	assert_int_equal(log_count(path, "the disk is full"), 1);
	clock_set(TRAFFIC_START + 120 * CLOCK_S);
	output_works(o);
	output_works(o);
	assert_int_equal(log_count(path, "works again; it failed 100 times in 120 s"), 1);
	assert_int_equal(log_count(path, "works again"), 1);
	/* The same once more is news; each file with a name of its own is, five times and then
	 * once a minute. */
	fail_at(o, 1000, "the disk is full");
	assert_int_equal(log_count(path, "the disk is full"), 2);
	for (unsigned i = 0; i < 120; i++) {
		snprintf(text, sizeof(text), "file %u: it is full", i);
		fail_at(o, 1001 + i, text);
	}
	assert_int_equal(log_count(path, ": it is full"), 4 + 2);
	/* It comes and goes faster than that: no end is said of what was not. */
	output_works(o);
	for (unsigned i = 0; i < 20; i++) {
		fail_at(o, 1121, "gone");
		output_works(o);
	}
	assert_int_equal(log_count(path, "gone"), 0);
	assert_int_equal(log_count(path, "works again"), 2);
	/* And what goes on is said in the end. */
	for (unsigned i = 0; i < 100; i++)
		fail_at(o, 1122 + i, "gone");
	assert_int_equal(log_count(path, "gone"), 1);
	assert_int_equal(atomic_load(&o->errors), 100 + 1 + 120 + 20 + 100);
	output_free(o);
	log_close();
	unlink(path);
	clock_set(0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_an_offset_of_a_bin_is_refused),
		cmocka_unit_test(test_directives),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_failure_is_said_once),
	};

	return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
