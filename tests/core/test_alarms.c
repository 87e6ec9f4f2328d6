/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Thresholds, what crosses them, and what is done about it. */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/alarms.h"
#include "core/threshold_file.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "tests/core/alarms_one.h"
#include "tests/core/fake.h"

static const struct log_config quiet = { .file = "/dev/null" };
static char dir[] = "/tmp/weir-alarms-XXXXXX";

/* The path of `name` in the folder; it stays, for configurations point to it. */
static const char *
in_dir(const char *name)
{
	static char paths[8][128];
	char path[sizeof(paths[0])];
	unsigned i = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	while (i < 8 && paths[i][0] != '\0' && strcmp(paths[i], path) != 0)
		i++;
	assert_true(i < 8);
	if (paths[i][0] == '\0')
		memcpy(paths[i], path, sizeof(path));
	return paths[i];
}

static void
file_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

struct scene {
	struct engine *engine;
	struct fake_out out[2];
	struct alarm_config config;
	struct watch_config watch;
	struct problems problems;
	uint64_t now, cursor;
};

static void
scene_begin(struct scene *s, uint32_t rows)
{
	static const struct output_config common = { .aggregate = "src_host,dst_port" };

	memset(s, 0, sizeof(*s));
	s->engine = fake_engine(1, rows);
	fake_output_add(s->engine, &fake_ledger, "talkers", &common, &s->out[0]);
	fake_prepare(s->engine);
	s->now = clock_real();
	s->config.exec_rate = 60;
	file_write(in_dir("watch.map"), "name=web view=talkers dst_port=443\n");
	s->watch.map = in_dir("watch.map");
	assert_int_equal(
	    watches_new(s->engine, &s->watch, &s->engine->watches, &s->problems, NULL), 0);
}

static int
scene_alarms(struct scene *s)
{
	struct err e = ERR_INIT;

	return alarms_new(s->engine, &s->config, &s->engine->alarms, &s->problems, &e);
}

static void
scene_end(struct scene *s)
{
	engine_free(s->engine);
	problems_free(&s->problems);
}

static void
scene_send(struct scene *s, uint32_t no, uint16_t port, uint64_t octets)
{
	fake_send(s->engine, 0, no, port, octets);
}

/* So much time passes; the first window of a threshold, which begins when it is put, 11 s. */
static void
scene_round(struct scene *s, uint64_t seconds)
{
	s->now += seconds * CLOCK_S;
	publisher_round(s->engine->publisher, s->now, false);
}

/* What crossed since the last time: "+NAME(LABEL)" or "-NAME(LABEL)" each. */
static const char *
scene_events(struct scene *s)
{
	static char text[1024];
	struct alarm_event e;
	uint64_t missed = 0;
	size_t len = 0;

	text[0] = '\0';
	while (alarms_read(s->engine->alarms, &s->cursor, &e, 1, &missed) == 1)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%c%s(%s)",
		    e.raised ? '+' : '-', e.name, e.label);
	assert_int_equal(missed, 0);
	return text;
}

static struct threshold_config
threshold(const char *name, enum threshold_scope scope, enum threshold_metric metric,
    const char *subject, uint32_t rising, uint32_t falling)
{
	struct threshold_config c;

	threshold_defaults(&c);
	snprintf(c.name, sizeof(c.name), "%s", name);
	snprintf(c.subject, sizeof(c.subject), "%s", subject);
	c.scope = scope;
	c.metric = metric;
	c.rising = rising;
	c.falling = falling;
	c.window = 10;
	return c;
}

static void
put(struct scene *s, const struct threshold_config *c)
{
	struct err e = ERR_INIT;

	if (alarms_put(s->engine->alarms, c, &e) != 0)
		fail_msg("%s", e.text);
}

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

static struct threshold_row
row_of(const struct scene *s, const char *name)
{
	uint32_t n;
	struct threshold_row *list = alarms_thresholds(s->engine->alarms, &n), row = { 0 };

	for (uint32_t i = 0; i < n; i++)
		if (strcmp(list[i].config.name, name) == 0)
			row = list[i];
	free(list);
	return row;
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

static const struct {
	const char *says, *map, *why;
} faults[] = {
	{ "nothing at all", "name=a\n", "no scope" },
	{ "no such scope", "name=a scope=view_\n", "'view_' is none of view, entry, top" },
	{ "a figure that it has not", "name=a scope=output metric=bytes rising=1\n",
	    "output has lost, seconds" },
	{ "no limit", "name=a scope=view subject=talkers metric=bytes\n", "write rising=N" },
	{ "limits the wrong way round",
	    "name=a scope=view subject=talkers metric=bytes rising=1 falling=2\n",
	    "falling is above rising" },
	{ "too exact", "name=a scope=view subject=talkers metric=bytes rising=12345678901\n",
	    "too many digits" },
	{ "no number", "name=a scope=view subject=talkers metric=bytes rising=1kk\n",
	    "'1kk' is no number" },
	{ "no such view", "name=a scope=top subject=x metric=bytes rising=1\n",
	    "there is no view 'x'" },
	{ "conditions on a total",
	    "name=a scope=view subject=talkers metric=bytes rising=1 dst_port=1\n",
	    "conditions are for entries" },
	{ "conditions on what the view has not",
	    "name=a scope=entry subject=talkers metric=bytes rising=1 vlan=1\n",
	    "have no vlan but src_host,dst_port" },
	{ "all that is idle",
	    "name=a scope=entry subject=talkers metric=bytes rising=1 alarm=below\n",
	    "idle are below any limit" },
	{ "no address", "name=a scope=exporter subject=router metric=lost rising=1\n",
	    "'router' is no address" },
	{ "no such plugin", "name=a scope=output subject=x metric=lost rising=1\n",
	    "no plugin 'x'" },
	{ "a window of no time",
	    "name=a scope=view subject=talkers metric=bytes rising=1 window=0\n",
	    "'0' is not 1 to 86400 seconds" },
	{ "a program that is searched for",
	    "name=a scope=view subject=talkers metric=bytes rising=1 exec=mail\n",
	    "write the whole path" },
	{ "a service without a host",
	    "name=a scope=view subject=talkers metric=bytes rising=1 service=web\n",
	    "write HOST;SERVICE" },
	{ "two of one name", "name=a scope=view subject=talkers metric=bytes rising=1\n"
	                     "name=a scope=view subject=talkers metric=rows rising=1\n",
	    ":2: threshold_map: two are called 'a'" },
	{ "too long a name", "name=abcdefghijklmnopqrstuvwxyz0123456 scope=view\n",
	    "more than 32 octets" },
};

static void
a_map_with_faults_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct scene s;

		print_message("# %s\n", faults[i].says);
		scene_begin(&s, 10);
		s.config.map = in_dir("threshold.map");
		file_write(s.config.map, faults[i].map);
		(void)scene_alarms(&s);
		assert_int_equal(s.problems.n_errors, 1);
		if (strstr(s.problems.list[0].text, faults[i].why) == NULL)
			fail_msg("%s", s.problems.list[0].text);
		scene_end(&s);
	}
}

static void
a_map_is_read_and_read_anew(void **state)
{
	struct scene s;
	struct threshold_config c;
	struct err e = ERR_INIT;

	(void)state;
	scene_begin(&s, 100);
	s.config.map = in_dir("threshold.map");
	file_write(s.config.map,
	    "name=big scope=entry subject=talkers metric=bytes rising=950M falling=800M "
	    "window=5m hold=1m dst_port=443 src_host=10.0.0.0/8 notify=false\n"
	    "name=total scope=view subject=talkers metric=bytes rising=100 falling=50 window=10\n");
	assert_int_equal(scene_alarms(&s), 0);
	assert_true(alarms_get(s.engine->alarms, "big", &c));
	assert_int_equal(threshold_limit(&c, c.rising), 950000000);
	assert_int_equal(threshold_limit(&c, c.falling), 800000000);
	assert_string_equal(c.selector, "dst_port=443 src_host=10.0.0.0/8");
	assert_int_equal(c.window, 300);
	assert_int_equal(c.hold, 60);
	assert_false(c.notify);
	/* What the map says nobody else changes. */
	assert_int_equal(alarms_put(s.engine->alarms, &c, &e), -WEIR_EEXIST);
	assert_int_equal(alarms_remove(s.engine->alarms, "big", &e), -WEIR_EEXIST);
	c = threshold("mine", SCOPE_VIEW, METRIC_ROWS, "talkers", 5, 5);
	put(&s, &c);

	scene_round(&s, 11);
	scene_send(&s, 1, 1, 5000);
	scene_round(&s, 10);
	assert_string_equal(scene_events(&s), "+total(talkers)");

	/* One that is as it was goes on; one that is gone takes its alarms along. */
	file_write(s.config.map,
	    "name=total scope=view subject=talkers metric=bytes rising=100 falling=50 window=10\n");
	alarms_reload(s.engine->alarms, &s.problems);
	assert_int_equal(s.problems.n, 0);
	assert_string_equal(scene_events(&s), "");
	assert_false(alarms_get(s.engine->alarms, "big", &c));
	assert_true(alarms_get(s.engine->alarms, "mine", &c));
	file_write(s.config.map, "name=total scope=nonsense\n");
	alarms_reload(s.engine->alarms, &s.problems);
	assert_int_equal(s.problems.n_errors, 1);
	assert_int_equal(row_of(&s, "total").raised, 1);
	file_write(s.config.map, "! nothing\n");
	alarms_reload(s.engine->alarms, &s.problems);
	assert_string_equal(scene_events(&s), "-total(talkers)");
	scene_end(&s);
}

static void
ten_thousand_at_once_hold_up_nobody(void **state)
{
	enum { N = 10000 };
	struct scene s;
	struct threshold_config c = threshold("t", SCOPE_ENTRY, METRIC_BYTES, "talkers", 1, 0);
	struct alarm_row *list;
	struct alarm_event e;
	uint64_t missed = 0;
	uint32_t n, read = 0;

	(void)state;
	scene_begin(&s, 2 * N);
	assert_int_equal(scene_alarms(&s), 0);
	put(&s, &c);
	scene_round(&s, 11);
	for (uint32_t i = 0; i < N; i++)
		scene_send(&s, i, 1, 100);
	scene_round(&s, 10);
	assert_int_equal(alarms_serial(s.engine->alarms), N);
	while (alarms_read(s.engine->alarms, &s.cursor, &e, 1, &missed) == 1)
		assert_int_equal(e.serial, missed + ++read);
	assert_int_equal(read + missed, N);
	list = alarms_raised(s.engine->alarms, &n);
	assert_int_equal(n, N);
	for (uint32_t i = 1; i < n; i++)
		assert_true(list[i - 1].id < list[i].id);
	free(list);
	scene_round(&s, 10);
	free(alarms_raised(s.engine->alarms, &n));
	assert_int_equal(n, 0);
	assert_int_equal(alarms_serial(s.engine->alarms), 2 * N);
	scene_end(&s);
}

static void
what_snmp_sets_is_kept(void **state)
{
	struct scene s;
	struct threshold_config c = threshold("kept", SCOPE_ENTRY, METRIC_BYTES, "talkers", 7, 6),
	    got, *list;
	struct err e = ERR_INIT;
	uint32_t n;
	FILE *f;
	long len;

	(void)state;
	snprintf(c.selector, sizeof(c.selector), "dst_port=443");
	c.scale = 9;
	c.hold = 3;
	c.notify = false;
	c.startup = STARTUP_EITHER;
	for (int again = 0; again < 2; again++) {
		scene_begin(&s, 10);
		assert_int_equal(scene_alarms(&s), 0);
		assert_int_equal(alarms_start(s.engine->alarms, dir, &e), 0);
		if (again == 0) {
			put(&s, &c);
			got = threshold("volatile", SCOPE_VIEW, METRIC_ROWS, "talkers", 1, 1);
			got.storage = STORAGE_VOLATILE;
			put(&s, &got);
		}
		assert_int_equal(alarms_get(s.engine->alarms, "volatile", &got), !again);
		assert_true(alarms_get(s.engine->alarms, "kept", &got));
		assert_memory_equal(&got, &c, sizeof(c));
		alarms_stop(s.engine->alarms);
		scene_end(&s);
	}

	f = fopen(in_dir("thresholds"), "r");
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	len = ftell(f);
	fclose(f);
	assert_int_equal(truncate(in_dir("thresholds"), len - 1), 0);
	assert_int_equal(threshold_file_read(in_dir("thresholds"), &list, &n, &e),
	    -WEIR_EMALFORMED);
	assert_int_equal(n, 0);
	unlink(in_dir("thresholds"));
}

/* A view may be away for one start: what it was watched for is not forgotten. */
static void
what_cannot_be_this_time_is_kept(void **state)
{
	static const struct { const char *view; uint32_t status; } starts[] = {
		{ "talkers", STATUS_ACTIVE }, { "others", STATUS_NOT_READY },
		{ "others", STATUS_NOT_READY }, { "talkers", STATUS_ACTIVE },
	};
	struct threshold_config c = threshold("kept", SCOPE_VIEW, METRIC_BYTES, "talkers", 7, 6);
	struct threshold_config more = threshold("any", SCOPE_WATCH, METRIC_SECONDS, "", 7, 6);
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		static const struct output_config common = { .aggregate = "src_host,dst_port" };
		struct threshold_config got;
		struct scene s;

		memset(&s, 0, sizeof(s));
		s.engine = fake_engine(1, 10);
		fake_output_add(s.engine, &fake_ledger, starts[i].view, &common, &s.out[0]);
		fake_prepare(s.engine);
		assert_int_equal(scene_alarms(&s), 0);
		assert_int_equal(alarms_start(s.engine->alarms, dir, &e), 0);
		if (i == 0)
			put(&s, &c);
		assert_true(alarms_get(s.engine->alarms, "kept", &got));
		assert_int_equal(got.status, starts[i].status);
		if (i == 1) /* all are written anew */
			put(&s, &more);
		if (i == 2) {
			assert_int_equal(alarms_remove(s.engine->alarms, "any", &e), 0);
		}
		alarms_stop(s.engine->alarms);
		scene_end(&s);
	}
	unlink(in_dir("thresholds"));
}

/* Those for which the map leaves no place are kept, too, for a start at which it does. */
static void
what_finds_no_place_is_kept(void **state)
{
	struct threshold_config *list = calloc(THRESHOLDS_MAX, sizeof(*list)), got;
	struct err e = ERR_INIT;
	struct scene s;
	uint32_t n;

	(void)state;
	assert_non_null(list);
	for (unsigned i = 0; i < 800; i++) {
		threshold_defaults(&list[i]);
		list[i].status = STATUS_NOT_IN_SERVICE;
		snprintf(list[i].name, sizeof(list[i].name), "kept%u", i);
	}
	assert_int_equal(threshold_file_write(in_dir("thresholds"), list, 800, &e), 0);
	scene_begin(&s, 10);
	assert_int_equal(scene_alarms(&s), 0);
	for (unsigned i = 0; i < 300; i++) {
		got = threshold("", SCOPE_VIEW, METRIC_ROWS, "talkers", 1, 1);
		snprintf(got.name, sizeof(got.name), "other%u", i);
		got.storage = STORAGE_VOLATILE;
		put(&s, &got);
	}
	assert_int_equal(alarms_start(s.engine->alarms, dir, &e), 0);
	free(alarms_thresholds(s.engine->alarms, &n));
	assert_int_equal(n, THRESHOLDS_MAX);
	assert_int_equal(alarms_remove(s.engine->alarms, "kept0", &e), 0);
	alarms_stop(s.engine->alarms);
	scene_end(&s);
	free(list);
	assert_int_equal(threshold_file_read(in_dir("thresholds"), &list, &n, &e), 0);
	assert_int_equal(n, 799);
	free(list);
	unlink(in_dir("thresholds"));
}

/* The text of the file, when there is one with `lines` lines. */
static void
file_await(const char *path, unsigned lines, char *buf, size_t room)
{
	for (int i = 0; i < 1000; i++) {
		FILE *f = fopen(path, "r");
		size_t n = f != NULL ? fread(buf, 1, room - 1, f) : 0;
		unsigned have = 0;

		buf[n] = '\0';
		if (f != NULL)
			fclose(f);
		for (char *c = buf; (c = strchr(c, '\n')) != NULL; c++)
			have++;
		if (have >= lines)
			return;
		nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
	}
	fail_msg("%s: %s", path, buf);
}

/* What could not be written is written when it can be. */
static void
what_could_not_be_kept_is_tried_again(void **state)
{
	struct threshold_config c = threshold("kept", SCOPE_VIEW, METRIC_BYTES, "talkers", 7, 6);
	struct threshold_config *list;
	struct err e = ERR_INIT;
	const struct log_config log = { .file = in_dir("log") };
	char later[64], file[128], text[512];
	struct scene s;
	uint32_t n;

	(void)state;
	snprintf(later, sizeof(later), "%s/later", dir);
	snprintf(file, sizeof(file), "%s/thresholds", later);
	assert_int_equal(log_open(&log, &e), 0);
	scene_begin(&s, 10);
	assert_int_equal(scene_alarms(&s), 0);
	assert_int_equal(alarms_start(s.engine->alarms, later, &e), 0);
	put(&s, &c);
	file_await(log.file, 1, text, sizeof(text));
	assert_non_null(strstr(text, "trying again"));
	assert_int_equal(mkdir(later, 0700), 0);
	alarms_stop(s.engine->alarms); /* it does not end without trying */
	scene_end(&s);
	assert_int_equal(threshold_file_read(file, &list, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_string_equal(list[0].name, "kept");
	free(list);
	assert_int_equal(log_open(&quiet, &e), 0);
}

/* A path that has no room for the name of the file is not cut to another one. */
static void
what_has_no_path_is_not_kept(void **state)
{
	struct threshold_config c = threshold("kept", SCOPE_VIEW, METRIC_BYTES, "talkers", 7, 6);
	const struct log_config log = { .file = in_dir("log") };
	struct err e = ERR_INIT;
	char deep[PATH_MAX], text[512];
	size_t len = (size_t)snprintf(deep, sizeof(deep), "%s", dir);
	struct scene s;

	(void)state;
	assert_int_equal(log_open(&log, &e), 0);
	memset(deep + len, '/', sizeof(deep) - len - 1); /* many are as good as one */
	deep[sizeof(deep) - sizeof("/thres")] = '\0';
	scene_begin(&s, 10);
	assert_int_equal(scene_alarms(&s), 0);
	assert_int_equal(alarms_start(s.engine->alarms, deep, &e), 0);
	put(&s, &c);
	alarms_stop(s.engine->alarms);
	scene_end(&s);
	assert_int_equal(log_open(&quiet, &e), 0);
	assert_int_equal(access(in_dir("thres"), F_OK), -1);
	file_await(log.file, 1, text, sizeof(text));
	assert_non_null(strstr(text, "too long"));
	unlink(log.file);
}

/* Read from `fd`, which does not block, until there are `lines` lines. */
static void
fifo_await(int fd, unsigned lines, char *buf, size_t room)
{
	size_t n = 0;

	for (unsigned i = 0; i < 1000; i++) {
		ssize_t more = read(fd, buf + n, room - 1 - n);
		unsigned have = 0;

		n += more > 0 ? (size_t)more : 0;
		buf[n] = '\0';
		for (char *c = buf; (c = strchr(c, '\n')) != NULL; c++)
			have++;
		if (have >= lines)
			return;
		nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
	}
	fail_msg("not %u lines: %s", lines, buf);
}

static void
programs_are_started_and_nagios_is_told(void **state)
{
	struct scene s;
	struct threshold_config c = threshold("web|x", SCOPE_WATCH, METRIC_BYTES, "web", 100, 50);
	struct err e = ERR_INIT;
	char text[4096], script[256], results[1024];
	int fifo;

	(void)state;
	scene_begin(&s, 10);
	s.config.exec = in_dir("act");
	s.config.exec_rate = 3;
	s.config.command_file = in_dir("nagios.cmd");
	snprintf(script, sizeof(script),
	    "#!/bin/sh\necho \"$WEIR_EVENT $WEIR_THRESHOLD $WEIR_WHAT $WEIR_VALUE $WEIR_LIMIT "
	    "$WEIR_UNIT $WEIR_TEXT\" >>%s/acted\n", dir);
	file_write(s.config.exec, script);
	assert_int_equal(chmod(s.config.exec, 0700), 0);
	assert_int_equal(mkfifo(s.config.command_file, 0600), 0);
	fifo = open(s.config.command_file, O_RDONLY | O_NONBLOCK);
	assert_true(fifo >= 0);
	assert_int_equal(scene_alarms(&s), 0);
	assert_int_equal(alarms_start(s.engine->alarms, NULL, &e), 0);
	snprintf(c.service, sizeof(c.service), "router;web traffic");
	put(&s, &c);
	scene_round(&s, 11);
	scene_send(&s, 1, 443, 2000);
	scene_round(&s, 10);
	file_await(in_dir("acted"), 1, text, sizeof(text)); /* programs run side by side */
	scene_round(&s, 10);
	file_await(in_dir("acted"), 2, text, sizeof(text));
	assert_string_equal(text,
	    "raised web|x web 200 100 bytes per second web: 200 bytes per second, alarm at 100\n"
	    "cleared web|x web 0 50 bytes per second web: 0 bytes per second, well again at 50\n");
	fifo_await(fifo, 2, results, sizeof(results));
	assert_non_null(strstr(results, "] PROCESS_SERVICE_CHECK_RESULT;router;web traffic;2;"
	                                "web|x: CRITICAL - web: 200 bytes"));
	assert_non_null(strstr(results, "|value=200;;100\n"));
	assert_non_null(strstr(results, ";router;web traffic;0;"));

	/* Of three in a minute one is left; and nobody reads the FIFO any more. */
	close(fifo);
	for (int i = 0; i < 2; i++) {
		scene_send(&s, 1, 443, 2000);
		scene_round(&s, 10);
		scene_round(&s, 10);
	}
	file_await(in_dir("acted"), 3, text, sizeof(text));
	alarms_stop(s.engine->alarms);
	assert_int_equal(alarms_suppressed(s.engine->alarms), 3 + 4);
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
		cmocka_unit_test(a_map_with_faults_is_refused),
		cmocka_unit_test(a_map_is_read_and_read_anew),
		cmocka_unit_test(ten_thousand_at_once_hold_up_nobody),
		cmocka_unit_test(what_snmp_sets_is_kept),
		cmocka_unit_test(what_cannot_be_this_time_is_kept),
		cmocka_unit_test(what_finds_no_place_is_kept),
		cmocka_unit_test(what_could_not_be_kept_is_tried_again),
		cmocka_unit_test(what_has_no_path_is_not_kept),
		cmocka_unit_test(programs_are_started_and_nagios_is_told),
	};
	char command[64];
	int rc;

	if (mkdtemp(dir) == NULL || log_open(&quiet, NULL) != 0)
		return 1;
	rc = cmocka_run_group_tests_name("alarms", tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command) != 0 ? 1 : rc;
}
