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

#include "core/keeper.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "tests/core/fake.h"

static char dir[] = "/tmp/weir-keeper-XXXXXX";
static struct output_ops lasting; /* fake_ledger, but for that its totals go on */

/* A run of weir, with two views: one that outlives it and one that does not. */
struct run {
	struct engine *engine;
	struct fake_out out[2];
	struct keeper *keeper;
	struct ledger *lasts, *ends;
};

static void
run_begin(struct run *r, const char *name)
{
	static const struct output_config common[] = { { .aggregate = "src_host,proto" },
		{ .aggregate = "proto" } };

	memset(r, 0, sizeof(*r));
	r->engine = fake_engine(1, 1000);
	r->lasts = fake_output_add(r->engine, &lasting, name, &common[0], &r->out[0])
	               ->view->ledger;
	r->ends = fake_output_add(r->engine, &fake_ledger, "ends", &common[1], &r->out[1])
	              ->view->ledger;
	fake_prepare(r->engine);
	r->keeper = keeper_new(r->engine, dir, 0, NULL);
	assert_non_null(r->keeper);
}

static void
run_count(struct run *r, unsigned n)
{
	struct traffic traffic = { 5, 50, 1 };

	fake_feed(r->engine, 0, &traffic, NULL, n);
	publisher_round(r->engine->publisher, clock_real(), false);
	fake_books_check(r->engine, "with totals of before");
}

static void
run_end(struct run *r, bool started)
{
	keeper_end(r->keeper, started);
	engine_free(r->engine);
}

/* The process is gone, and with it what it would have done at its end. */
static void
run_crash(struct run *r)
{
	char mark[64];

	run_end(r, true);
	snprintf(mark, sizeof(mark), "%s/orderly", dir);
	assert_int_equal(unlink(mark), 0);
}

static void
totals_go_on_and_tell_when_they_may_have_gone_back(void **state)
{
	struct run r;
	uint64_t cleared, resumed;
	struct sums total;

	(void)state;
	run_begin(&r, "a/view of mine");
	assert_int_equal(r.lasts->total.packets, 0);
	run_count(&r, 300);
	total = r.lasts->total;
	assert_true(total.packets > 0 && r.lasts->table.n > 1);
	cleared = r.lasts->cleared;
	run_end(&r, true);

	run_begin(&r, "a/view of mine");
	assert_true(sums_equal(&r.lasts->total, &total));
	assert_int_equal(r.ends->total.packets, 0);
	assert_int_equal(r.lasts->cleared, cleared);
	assert_int_equal(r.lasts->resumed, 0);
	run_count(&r, 200);
	assert_true(r.lasts->total.packets > total.packets);
	total = r.lasts->total;
	run_crash(&r);

	run_begin(&r, "a/view of mine");
	assert_true(sums_equal(&r.lasts->total, &total));
	resumed = r.lasts->resumed;
	assert_true(resumed > cleared);
	run_end(&r, true);

	/* That it happened once is not forgotten. */
	run_begin(&r, "a/view of mine");
	assert_int_equal(r.lasts->resumed, resumed);
	run_end(&r, true);
}

static void
a_start_that_fails_leaves_all_as_it_was(void **state)
{
	struct run r;
	struct sums total;

	(void)state;
	run_begin(&r, "b");
	run_count(&r, 100);
	total = r.lasts->total;
	run_end(&r, true);
	run_begin(&r, "b");
	run_end(&r, false);
	run_begin(&r, "b");
	assert_true(sums_equal(&r.lasts->total, &total));
	assert_int_equal(r.lasts->resumed, 0);
	run_end(&r, true);
}

static void
names_that_differ_where_files_cannot_are_apart(void **state)
{
	struct run r;
	struct sums total;

	(void)state;
	run_begin(&r, "x/y");
	run_count(&r, 10);
	total = r.lasts->total;
	run_end(&r, true);
	run_begin(&r, "x.y");
	assert_int_equal(r.lasts->total.packets, 0);
	run_end(&r, true);
	run_begin(&r, "x/y");
	assert_true(sums_equal(&r.lasts->total, &total));
	run_end(&r, true);
}

int
main(void)
{
	static const struct log_config quiet = { .file = "/dev/null" };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(totals_go_on_and_tell_when_they_may_have_gone_back),
		cmocka_unit_test(a_start_that_fails_leaves_all_as_it_was),
		cmocka_unit_test(names_that_differ_where_files_cannot_are_apart),
	};
	char command[64];
	int rc;

	lasting = fake_ledger;
	lasting.outlives = true;
	if (mkdtemp(dir) == NULL || log_open(&quiet, NULL) != 0)
		return 1;
	rc = cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command) != 0 ? 1 : rc;
}
