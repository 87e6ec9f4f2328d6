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

#include "core/threshold.h"
#include "core/topn.h"
#include "lib/clock.h"
#include "tests/core/fake.h"

struct scene {
	struct engine *engine;
	struct fake_out out;
	uint64_t now;
};

static void
scene_begin(struct scene *s, uint32_t rows)
{
	static const struct output_config common = { .aggregate = "src_host" };

	memset(s, 0, sizeof(*s));
	s->now = UINT64_C(1767225600) * CLOCK_S;
	clock_set(s->now);
	s->engine = fake_engine(1, rows);
	fake_output_add(s->engine, &fake_ledger, "talkers", &common, &s->out);
	fake_prepare(s->engine);
	s->engine->topns = topns_new(s->engine, NULL);
	assert_non_null(s->engine->topns);
}

static void
scene_end(struct scene *s)
{
	engine_free(s->engine);
	clock_set(0);
}

static void
scene_send(struct scene *s, uint32_t no, uint64_t octets)
{
	fake_send(s->engine, 0, no, 0, octets);
}

static void
scene_round(struct scene *s, uint64_t seconds)
{
	s->now += seconds * CLOCK_S;
	clock_set(s->now);
	publisher_round(s->engine->publisher, s->now, false);
}

static struct topn_config
report(uint32_t index, uint32_t size)
{
	struct topn_config c;

	topn_defaults(&c);
	c.index = index;
	c.size = size;
	c.interval = 10;
	snprintf(c.view, sizeof(c.view), "talkers");
	return c;
}

static void
a_report_ranks_what_an_interval_counted(void **state)
{
	struct scene s;
	struct topn_config c = report(5, 3);
	struct topn_entry *list;
	struct topn_row *rows;
	uint32_t n;

	(void)state;
	scene_begin(&s, 1000);
	scene_send(&s, 9, 1000000); /* what was before counts for nothing */
	scene_round(&s, 1);
	assert_int_equal(topns_put(s.engine->topns, &c, NULL), 0);
	scene_round(&s, 1);
	free(topns_entries(s.engine->topns, &n));
	assert_int_equal(n, 0);
	for (uint32_t i = 0; i < 500; i++)
		scene_send(&s, i, i == 7 ? 500 : i == 8 ? 250 : i == 300 ? 300 : 1);
	scene_round(&s, 9);
	free(topns_entries(s.engine->topns, &n));
	assert_int_equal(n, 0);
	scene_round(&s, 1);
	list = topns_entries(s.engine->topns, &n);
	assert_int_equal(n, 3);
	assert_string_equal(list[0].key, "src_host=10.0.0.7");
	assert_string_equal(list[1].key, "src_host=10.0.1.44");
	assert_string_equal(list[2].key, "src_host=10.0.0.8");
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(list[i].index, 5);
		assert_int_equal(list[i].rank, i + 1);
	}
	assert_int_equal(list[0].value, 500);
	assert_int_equal(list[0].rate, 50);
	assert_int_equal(list[0].share, 323); /* of 1547 */
	free(list);

	/* It stays as it is until the next one. */
	scene_send(&s, 1, 9999);
	scene_round(&s, 5);
	list = topns_entries(s.engine->topns, &n);
	assert_string_equal(list[0].key, "src_host=10.0.0.7");
	free(list);
	scene_round(&s, 5);
	list = topns_entries(s.engine->topns, &n);
	assert_int_equal(n, 1);
	assert_string_equal(list[0].key, "src_host=10.0.0.1");
	assert_int_equal(list[0].share, 1000);
	free(list);
	rows = topns_rows(s.engine->topns, &n);
	assert_int_equal(rows[0].serial, 2);
	assert_int_equal(rows[0].generated, s.now);
	free(rows);
	scene_end(&s);
}

static void
every_rank_is_the_greatest_that_is_left(void **state)
{
	struct scene s;
	struct topn_config c = report(1, 100000);
	struct topn_entry *list;
	uint64_t sums[600] = { 0 };
	uint32_t n;

	(void)state;
	scene_begin(&s, 1000);
	assert_int_equal(topns_put(s.engine->topns, &c, NULL), 0);
	scene_round(&s, 1);
	srand(5);
	for (int i = 0; i < 3000; i++) {
		uint32_t no = (uint32_t)rand() % 600, octets = (uint32_t)rand() % 50;

		sums[no] += octets;
		scene_send(&s, no, octets);
	}
	scene_round(&s, 10);
	list = topns_entries(s.engine->topns, &n);
	assert_int_equal(n, TOPN_SIZE);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t greatest = 0;

		for (uint32_t k = 0; k < 600; k++)
			greatest = sums[k] > greatest ? sums[k] : greatest;
		assert_int_equal(list[i].value, greatest);
		for (uint32_t k = 0; k < 600; k++) {
			char key[32];

			snprintf(key, sizeof(key), "src_host=10.0.%u.%u", k >> 8, k & 255);
			if (strcmp(key, list[i].key) == 0) {
				assert_int_equal(sums[k], greatest);
				sums[k] = 0;
			}
		}
	}
	free(list);
	scene_end(&s);
}

/* A full ledger lets rows go again and again within an interval: nothing is missed by that. */
static void
a_crowded_ledger_is_ranked_rightly(void **state)
{
	struct topn_config c = report(1, 2);
	struct topn_entry *list;
	struct scene s;
	uint64_t sweeps;
	uint32_t n;

	(void)state;
	scene_begin(&s, 40);
	s.engine->views[0]->ledger->keep = 5 * CLOCK_S;
	sweeps = s.engine->views[0]->ledger->sweeps;
	c.interval = 60;
	assert_int_equal(topns_put(s.engine->topns, &c, NULL), 0);
	scene_round(&s, 1);
	for (uint32_t round = 0; round < 6; round++) {
		for (uint32_t i = 0; i < 36; i++)
			scene_send(&s, 1000 + 40 * round + i, 10);
		scene_send(&s, 37, 100);
		scene_send(&s, 38, 50);
		scene_round(&s, 10);
	}
	assert_true(s.engine->views[0]->ledger->sweeps - sweeps >= 3);
	list = topns_entries(s.engine->topns, &n);
	assert_int_equal(n, 2);
	assert_string_equal(list[0].key, "src_host=10.0.0.37");
	assert_int_equal(list[0].value, 600);
	assert_string_equal(list[1].key, "src_host=10.0.0.38");
	assert_int_equal(list[1].value, 300);
	free(list);
	scene_end(&s);
}

/* A lease that is renewed in time keeps the report, and what it says. */
static void
a_lease_is_renewed(void **state)
{
	struct scene s;
	struct topn_config c = report(1, 2);
	struct topn_entry *list;
	uint32_t n;

	(void)state;
	scene_begin(&s, 100);
	c.lease = 100;
	assert_int_equal(topns_put(s.engine->topns, &c, NULL), 0);
	scene_round(&s, 1);
	scene_send(&s, 1, 10);
	scene_round(&s, 10);
	c.lease = 200;
	assert_int_equal(topns_put(s.engine->topns, &c, NULL), 0);
	list = topns_entries(s.engine->topns, &n);
	assert_int_equal(n, 1);
	free(list);
	c.size = 3; /* another report */
	assert_int_equal(topns_put(s.engine->topns, &c, NULL), 0);
	list = topns_entries(s.engine->topns, &n);
	assert_int_equal(n, 0);
	free(list);
	scene_end(&s);
}

static void
reports_come_and_go(void **state)
{
	struct scene s;
	struct topn_config c = report(7, 2), got;
	struct topn_row *rows;
	struct err e = ERR_INIT;
	uint32_t n;

	(void)state;
	scene_begin(&s, 100);
	c.lease = 30;
	assert_int_equal(topns_put(s.engine->topns, &c, &e), 0);
	c = report(3, 500);
	c.storage = STORAGE_READONLY;
	assert_int_equal(topns_put(s.engine->topns, &c, &e), 0);
	assert_int_equal(topns_put(s.engine->topns, &c, &e), -WEIR_EEXIST);
	assert_null(topns_prepare(s.engine->topns, &(struct topn_change){ .config.index = 3,
	    .remove = true }, 1, &e));
	assert_int_equal(e.code, WEIR_EEXIST);
	topns_commit(s.engine->topns, topns_prepare(s.engine->topns,
	    &(struct topn_change){ .config.index = 4, .remove = true }, 1, &e));
	scene_round(&s, 10);
	rows = topns_rows(s.engine->topns, &n);
	assert_int_equal(n, 2);
	assert_int_equal(rows[0].config.index, 3);
	assert_int_equal(rows[0].granted, TOPN_SIZE);
	assert_int_equal(rows[0].config.lease, 0);
	assert_in_range(rows[1].config.lease, 20, 21);
	free(rows);
	scene_round(&s, 19);
	assert_true(topns_get(s.engine->topns, 7, &got));
	scene_round(&s, 1);
	assert_false(topns_get(s.engine->topns, 7, &got));

	c = report(8, 1);
	snprintf(c.view, sizeof(c.view), "nobody");
	assert_int_equal(topns_put(s.engine->topns, &c, &e), -WEIR_EINVAL);
	c.status = STATUS_NOT_READY; /* it is not to be made as yet */
	assert_int_equal(topns_put(s.engine->topns, &c, &e), 0);
	scene_send(&s, 1, 1);
	scene_round(&s, 20);
	rows = topns_rows(s.engine->topns, &n);
	assert_int_equal(rows[1].serial, 0);
	free(rows);
	for (uint32_t i = 100; i < 100 + TOPN_REPORTS; i++) {
		c = report(i, 1);
		assert_int_equal(topns_put(s.engine->topns, &c, &e),
		    i < 98 + TOPN_REPORTS ? 0 : -WEIR_EFULL);
	}
	scene_end(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_ranks_what_an_interval_counted),
		cmocka_unit_test(every_rank_is_the_greatest_that_is_left),
		cmocka_unit_test(a_crowded_ledger_is_ranked_rightly),
		cmocka_unit_test(a_lease_is_renewed),
		cmocka_unit_test(reports_come_and_go),
	};

	return cmocka_run_group_tests_name("topn", tests, NULL, NULL);
}
