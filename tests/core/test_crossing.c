/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One threshold of each kind: which figures it takes, and what it tells of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/alarms.h"
#include "lib/clock.h"
#include "tests/core/alarms_one.h"
#include "tests/core/alarms_scene.h"
#include "tests/core/fake.h"

/* Rates of a view over six windows, and what is told at the end of each. */
static const struct {
	const char *says;
	uint32_t hold, startup, direction;
	uint32_t rates[6];
	const char *events[6];
} courses[] = {
	{ "at the limit it is raised, at the other it is cleared", 0, STARTUP_RISING,
	    DIRECTION_ABOVE, { 10, 100, 100, 51, 50, 10 }, { "", "+", "", "", "-", "" } },
	{ "between the limits nothing changes", 0, STARTUP_RISING, DIRECTION_ABOVE,
	    { 60, 99, 100, 60, 99, 51 }, { "", "", "+", "", "", "" } },
	{ "it must be beyond the limit for some time", 20, STARTUP_RISING, DIRECTION_ABOVE,
	    { 100, 99, 100, 100, 100, 0 }, { "", "", "", "", "+", "-" } },
	{ "what was so at the start is told", 0, STARTUP_RISING, DIRECTION_ABOVE,
	    { 200, 10, 10, 200, 200, 10 }, { "+", "-", "", "+", "", "-" } },
	{ "or not, if that is wished", 0, STARTUP_FALLING, DIRECTION_ABOVE,
	    { 200, 10, 10, 200, 200, 10 }, { "", "-", "", "+", "", "-" } },
	{ "nor when it must be so for some time", 10, STARTUP_FALLING, DIRECTION_ABOVE,
	    { 200, 200, 10, 200, 200, 10 }, { "", "", "-", "", "+", "-" } },
	{ "that all is well is told at the start", 0, STARTUP_EITHER, DIRECTION_ABOVE,
	    { 10, 10, 200, 10, 10, 10 }, { "-", "", "+", "-", "", "" } },
	{ "too little is an alarm, too", 0, STARTUP_RISING, DIRECTION_BELOW,
	    { 200, 51, 50, 99, 100, 0 }, { "", "", "+", "", "-", "+" } },
};

static void
figures_take_their_course(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(courses) / sizeof(courses[0]); i++) {
		struct scene s;
		struct threshold_config c = threshold("t", SCOPE_VIEW, METRIC_BYTES, "talkers",
		    10, 5);

		print_message("# %s\n", courses[i].says);
		scene_begin(&s, 100);
		assert_int_equal(scene_alarms(&s), 0);
		c.scale = 1;
		c.hold = courses[i].hold;
		c.startup = courses[i].startup;
		c.direction = courses[i].direction;
		scene_send(&s, 1, 80, 12345); /* what was counted before does not matter */
		scene_round(&s, 1);
		put(&s, &c);
		scene_round(&s, 11);
		for (size_t k = 0; k < 6; k++) {
			char want[32] = "";

			scene_send(&s, 1, 80, 10 * courses[i].rates[k]);
			scene_round(&s, 10);
			if (courses[i].events[k][0] != '\0')
				snprintf(want, sizeof(want), "%st(talkers)", courses[i].events[k]);
			if (strcmp(scene_events(&s), want) != 0)
				fail_msg("window %zu: not %s", k, want);
		}
		scene_end(&s);
	}
}

/* A rate has no figure before the second look; what is lowest may be any number. */
static void
the_figure_is_what_a_look_has_found(void **state)
{
	struct threshold_config c = threshold("t", SCOPE_VIEW, METRIC_BYTES, "talkers", 90, 50);

	(void)state;
	for (c.direction = DIRECTION_ABOVE; c.direction <= DIRECTION_BELOW; c.direction++) {
		struct scene s;

		scene_begin(&s, 100);
		assert_int_equal(scene_alarms(&s), 0);
		put(&s, &c);
		scene_round(&s, 11);
		assert_int_equal(row_of(&s, "t").value, 0);
		assert_false(row_of(&s, "t").looked);
		scene_send(&s, 1, 80, 400);
		scene_round(&s, 10);
		assert_int_equal(row_of(&s, "t").value, 40);
		assert_true(row_of(&s, "t").looked);
		ledger_lock(s.engine->views[0]->ledger);
		ledger_clear(s.engine->views[0]->ledger, s.now);
		ledger_unlock(s.engine->views[0]->ledger);
		scene_round(&s, 10); /* less than before: of that no rate is made */
		assert_int_equal(row_of(&s, "t").value, 40);
		scene_end(&s);
	}
}

/* Below: raised at `falling`, cleared at `rising`; above, the other way round. */
static void
an_event_names_the_limit_that_is_crossed(void **state)
{
	static const uint64_t rates[][2] = { [DIRECTION_ABOVE] = { 95, 90 },
		[DIRECTION_BELOW] = { 45, 50 } };
	struct threshold_config c = threshold("t", SCOPE_VIEW, METRIC_BYTES, "talkers", 90, 50);

	(void)state;
	for (c.direction = DIRECTION_ABOVE; c.direction <= DIRECTION_BELOW; c.direction++) {
		struct alarm_event e;
		struct alarm_row *list;
		struct scene s;
		uint64_t missed = 0;
		uint32_t n;

		scene_begin(&s, 100);
		assert_int_equal(scene_alarms(&s), 0);
		put(&s, &c);
		scene_round(&s, 11);
		scene_send(&s, 1, 80, 10 * rates[c.direction][0]);
		scene_round(&s, 10);
		list = alarms_raised(s.engine->alarms, &n);
		assert_int_equal(n, 1);
		assert_int_equal(list[0].limit, rates[c.direction][1]);
		free(list);
		assert_int_equal(alarms_remove(s.engine->alarms, "t", &(struct err)ERR_INIT), 0);
		assert_int_equal(alarms_read(s.engine->alarms, &s.cursor, &e, 1, &missed), 1);
		assert_true(e.raised);
		assert_int_equal(e.limit, rates[c.direction][1]);
		assert_int_equal(alarms_read(s.engine->alarms, &s.cursor, &e, 1, &missed), 1);
		assert_false(e.raised);
		assert_int_equal(e.limit, 90 + 50 - rates[c.direction][1]);
		scene_end(&s);
	}
}

static void
each_entry_has_an_alarm_of_its_own(void **state)
{
	struct scene s;
	struct threshold_config c = threshold("t", SCOPE_ENTRY, METRIC_BYTES, "talkers", 100, 50);
	struct alarm_row *list;
	uint32_t n;

	(void)state;
	scene_begin(&s, 100);
	assert_int_equal(scene_alarms(&s), 0);
	snprintf(c.selector, sizeof(c.selector), "dst_port=443 src_host=10.0.0.0/24");
	put(&s, &c);
	scene_send(&s, 1, 443, 1 << 30);
	scene_round(&s, 11);
	assert_string_equal(scene_events(&s), "");
	scene_send(&s, 1, 443, 1000);
	scene_send(&s, 2, 443, 5000);
	scene_send(&s, 3, 80, 9000);   /* another port */
	scene_send(&s, 256, 443, 9000); /* another network */
	scene_send(&s, 4, 443, 990);
	scene_round(&s, 10);
	assert_string_equal(scene_events(&s), "+t(src_host=10.0.0.1 dst_port=443)"
	                                      "+t(src_host=10.0.0.2 dst_port=443)");
	assert_int_equal(row_of(&s, "t").raised, 2);
	assert_int_equal(row_of(&s, "t").value, 500);
	list = alarms_raised(s.engine->alarms, &n);
	assert_int_equal(n, 2);
	assert_true(list[0].id < list[1].id && list[0].id != 0);
	assert_string_equal(list[0].subject, "talkers");
	assert_true(list[0].value + list[1].value == 600);
	free(list);

	scene_send(&s, 2, 443, 600);
	scene_round(&s, 10);
	assert_string_equal(scene_events(&s), "-t(src_host=10.0.0.1 dst_port=443)");
	/* A row that goes takes its alarm along. */
	ledger_lock(s.engine->views[0]->ledger);
	ledger_clear(s.engine->views[0]->ledger, s.now);
	ledger_unlock(s.engine->views[0]->ledger);
	scene_send(&s, 7, 443, 10);
	scene_round(&s, 10);
	assert_string_equal(scene_events(&s), "-t(src_host=10.0.0.2 dst_port=443)");
	assert_int_equal(row_of(&s, "t").raised, 0);
	scene_end(&s);
}

static void
alarms_of_entries_follow_their_rows(void **state)
{
	struct scene s;
	struct threshold_config c = threshold("t", SCOPE_ENTRY, METRIC_PACKETS, "talkers", 1, 0);

	(void)state;
	scene_begin(&s, 40);
	assert_int_equal(scene_alarms(&s), 0);
	s.engine->views[0]->ledger->keep = 15 * CLOCK_S;
	put(&s, &c);
	for (uint32_t i = 0; i < 20; i++)
		scene_send(&s, i, 1, 1);
	for (uint32_t i = 20; i < 38; i++)
		scene_send(&s, i, 1, 1);
	scene_round(&s, 11);
	for (int i = 0; i < 10; i++)
		scene_send(&s, 37, 1, 1);
	scene_round(&s, 10);
	assert_string_equal(scene_events(&s), "+t(src_host=10.0.0.37 dst_port=1)");
	for (int i = 0; i < 10; i++)
		scene_send(&s, 37, 1, 1);
	scene_round(&s, 10); /* idle rows go: 37 has another number */
	assert_int_equal(s.engine->views[0]->ledger->evictions, 37);
	assert_string_equal(scene_events(&s), "");
	for (int i = 0; i < 10; i++)
		scene_send(&s, 37, 1, 1);
	scene_round(&s, 10);
	assert_string_equal(scene_events(&s), "");
	scene_round(&s, 10);
	assert_string_equal(scene_events(&s), "-t(src_host=10.0.0.37 dst_port=1)");
	scene_end(&s);
}

/* A full ledger lets rows go again and again within a window: no packet is missed by that. */
static void
a_crowded_ledger_hides_no_alarm(void **state)
{
	struct threshold_config entry = threshold("e", SCOPE_ENTRY, METRIC_PACKETS, "talkers", 1, 0),
	    top = threshold("t", SCOPE_TOP, METRIC_PACKETS, "talkers", 1, 0);
	struct scene s;
	uint64_t sweeps = 0;

	(void)state;
	scene_begin(&s, 40);
	assert_int_equal(scene_alarms(&s), 0);
	s.engine->views[0]->ledger->keep = 5 * CLOCK_S;
	entry.window = top.window = 60;
	put(&s, &entry);
	put(&s, &top);
	scene_round(&s, 61);
	for (uint32_t round = 0; round < 6; round++) {
		uint64_t before = s.engine->views[0]->ledger->sweeps;

		for (uint32_t i = 0; i < 37; i++)
			scene_send(&s, 1000 + 40 * round + i, 1, 1);
		for (int i = 0; i < 12; i++)
			scene_send(&s, 37, 1, 1);
		scene_round(&s, 10);
		sweeps += s.engine->views[0]->ledger->sweeps - before;
	}
	assert_true(sweeps >= 3);
	assert_string_equal(scene_events(&s),
	    "+e(src_host=10.0.0.37 dst_port=1)+t(src_host=10.0.0.37 dst_port=1)");
	assert_int_equal(row_of(&s, "e").value, 1); /* 72 in 60 s, rounded */
	assert_int_equal(row_of(&s, "e").raised, 1);
	scene_end(&s);
}

static void
the_top_is_whoever_is_the_top(void **state)
{
	struct scene s;
	struct threshold_config c = threshold("t", SCOPE_TOP, METRIC_BYTES, "talkers", 100, 50);

	(void)state;
	scene_begin(&s, 100);
	assert_int_equal(scene_alarms(&s), 0);
	put(&s, &c);
	scene_round(&s, 11);
	scene_send(&s, 1, 1, 900);
	scene_send(&s, 2, 1, 990);
	scene_round(&s, 10);
	assert_string_equal(scene_events(&s), "");
	assert_int_equal(row_of(&s, "t").value, 99);
	scene_send(&s, 1, 1, 1000);
	scene_round(&s, 10);
	assert_string_equal(scene_events(&s), "+t(src_host=10.0.0.1 dst_port=1)");
	scene_send(&s, 2, 1, 5000); /* another one is no better */
	scene_round(&s, 10);
	assert_string_equal(scene_events(&s), "");
	scene_round(&s, 10);
	assert_string_equal(scene_events(&s), "-t()");
	scene_end(&s);
}

static void
watches_exporters_outputs_and_collectors_have_figures(void **state)
{
	const struct threshold_config list[] = {
		threshold("rows", SCOPE_VIEW, METRIC_ROWS, "talkers", 2, 1),
		threshold("web", SCOPE_WATCH, METRIC_FLOWS, "web", 1, 0),
		threshold("any", SCOPE_WATCH, METRIC_SECONDS, "", 30, 5),
		threshold("silent", SCOPE_EXPORTER, METRIC_SECONDS, "192.0.2.1", 30, 5),
		threshold("lost", SCOPE_EXPORTER, METRIC_LOST, "", 1, 0),
		threshold("refused", SCOPE_OUTPUT, METRIC_LOST, "", 1, 0),
		threshold("drops", SCOPE_COLLECTOR, METRIC_LOST, "", 1, 0),
		threshold("other", SCOPE_COLLECTOR, METRIC_LOST, "fake elsewhere", 1, 0),
	};
	struct fake_in in = { .keys = 1, .bins = 1 };
	static const ip16_t address = { { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 } };
	struct scene s;
	struct exporter *x;

	(void)state;
	scene_begin(&s, 100);
	assert_int_equal(engine_collector(s.engine, &fake_collector, &in, 0, NULL), 0);
	assert_int_equal(scene_alarms(&s), 0);
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		put(&s, &list[i]);
	x = exporter_get(&s.engine->workers[0].exporters, EXPORTER_NETFLOW, &address, 7);
	atomic_store(&x->parts[0].last_seen, s.now);
	scene_send(&s, 1, 443, 1);
	scene_round(&s, 11);
	assert_string_equal(scene_events(&s), "");
	scene_send(&s, 2, 443, 1);
	for (int i = 0; i < 12; i++)
		scene_send(&s, 1, 443, 1);
	exporter_add(x, 0, EXPORTER_SEQUENCE_LOST, 10);
	atomic_store(&s.engine->outputs[0]->refused, 10);
	atomic_store(&s.engine->workers[0].collectors[0]->drops, 10);
	atomic_store(&x->parts[0].last_seen, s.now + 9 * CLOCK_S);
	scene_round(&s, 10);
	assert_string_equal(scene_events(&s), "+drops(fake )+lost(netflow 192.0.2.1/7)"
	                                      "+refused(talkers)+rows(talkers)+web(web)");
	scene_round(&s, 35);
	assert_string_equal(scene_events(&s), "+any(web)-drops(fake )-lost(netflow 192.0.2.1/7)"
	                                      "-refused(talkers)+silent(netflow 192.0.2.1/7)"
	                                      "-web(web)");
	assert_in_range(row_of(&s, "silent").value, 35, 36);
	scene_send(&s, 1, 443, 1);
	atomic_store(&x->parts[0].last_seen, s.now + 9 * CLOCK_S);
	scene_round(&s, 10);
	assert_string_equal(scene_events(&s), "-any(web)-silent(netflow 192.0.2.1/7)");
	scene_end(&s);
}

/* What these two find; the linker has them called in the place of the true ones. */
static bool no_memory;
struct exporter **__real_exporters_take(struct exporters *x, uint32_t *n);
struct exporter **__wrap_exporters_take(struct exporters *x, uint32_t *n);
struct watch *__real_watches_copy(struct watches *w, uint32_t *n);
struct watch *__wrap_watches_copy(struct watches *w, uint32_t *n);

struct exporter **
__wrap_exporters_take(struct exporters *x, uint32_t *n)
{
	*n = 7; /* as many as there are, though there is no list of them */
	return no_memory ? NULL : __real_exporters_take(x, n);
}

struct watch *
__wrap_watches_copy(struct watches *w, uint32_t *n)
{
	*n = 0;
	return no_memory ? NULL : __real_watches_copy(w, n);
}

/* Not to know is no reason to say that all is well. */
static void
alarms_stand_while_nothing_can_be_seen(void **state)
{
	static const ip16_t address = { { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 } };
	struct threshold_config dead = threshold("dead", SCOPE_WATCH, METRIC_SECONDS, "", 30, 5),
	    silent = threshold("silent", SCOPE_EXPORTER, METRIC_SECONDS, "", 30, 5);
	struct scene s;
	struct exporter *x;

	(void)state;
	scene_begin(&s, 100);
	assert_int_equal(scene_alarms(&s), 0);
	put(&s, &dead);
	put(&s, &silent);
	x = exporter_get(&s.engine->workers[0].exporters, EXPORTER_NETFLOW, &address, 7);
	atomic_store(&x->parts[0].last_seen, s.now);
	scene_round(&s, 40);
	assert_string_equal(scene_events(&s), "+dead(web)+silent(netflow 192.0.2.1/7)");
	no_memory = true;
	scene_round(&s, 10);
	no_memory = false;
	assert_string_equal(scene_events(&s), "");
	assert_int_equal(row_of(&s, "dead").raised + row_of(&s, "silent").raised, 2);
	atomic_store(&x->parts[0].last_seen, s.now + 9 * CLOCK_S);
	scene_round(&s, 10);
	assert_string_equal(scene_events(&s), "-silent(netflow 192.0.2.1/7)");
	scene_end(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures_take_their_course),
		cmocka_unit_test(the_figure_is_what_a_look_has_found),
		cmocka_unit_test(an_event_names_the_limit_that_is_crossed),
		cmocka_unit_test(each_entry_has_an_alarm_of_its_own),
		cmocka_unit_test(alarms_of_entries_follow_their_rows),
		cmocka_unit_test(a_crowded_ledger_hides_no_alarm),
		cmocka_unit_test(the_top_is_whoever_is_the_top),
		cmocka_unit_test(watches_exporters_outputs_and_collectors_have_figures),
		cmocka_unit_test(alarms_stand_while_nothing_can_be_seen),
	};

	return cmocka_run_group_tests_name("crossing", tests, scene_setup, scene_teardown);
}
