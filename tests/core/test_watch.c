/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Watches, and the map of rows that they are found by. */
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

#include "core/rowmap.h"
#include "core/watch.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "tests/core/fake.h"

static char path[] = "/tmp/weir-watch-XXXXXX", state_path[64];
static const struct watch_config config = { path };

static void
map_write(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

struct scene {
	struct engine *engine;
	struct fake_out out[2];
	struct problems problems;
	uint64_t now;
};

static void
scene_begin(struct scene *s, uint32_t rows)
{
	static const struct output_config common[] = { { .aggregate = "src_host,dst_port" },
		{ .aggregate = "proto" } };

	memset(s, 0, sizeof(*s));
	s->engine = fake_engine(2, rows);
	fake_output_add(s->engine, &fake_ledger, "talkers", &common[0], &s->out[0]);
	fake_output_add(s->engine, &fake_ledger, "protos", &common[1], &s->out[1]);
	fake_prepare(s->engine);
	s->now = clock_real();
}

static int
scene_watch(struct scene *s, const char *map)
{
	struct err e = ERR_INIT;

	map_write(map);
	return watches_new(s->engine, &config, &s->engine->watches, &s->problems, &e);
}

static void
scene_end(struct scene *s)
{
	engine_free(s->engine);
	problems_free(&s->problems);
}

static void
scene_send(struct scene *s, unsigned worker, uint32_t no, uint16_t port, uint64_t octets)
{
	fake_send(s->engine, worker, no, port, octets);
}

static void
scene_round(struct scene *s, uint64_t seconds)
{
	s->now += seconds * CLOCK_S;
	publisher_round(s->engine->publisher, s->now, false);
}

static struct watch
watch_get(const struct scene *s, const char *name)
{
	uint32_t n;
	struct watch *list = watches_copy(s->engine->watches, &n), found = { .index = 0 };

	for (uint32_t i = 0; i < n; i++) {
		assert_true(i == 0 || list[i - 1].index < list[i].index);
		if (strcmp(list[i].name, name) == 0)
			found = list[i];
	}
	free(list);
	return found;
}

static const char map[] =
    "! what we care for\n"
    "name=host view=talkers src_host=10.0.0.1\n"
    "name=net view=talkers src_host=10.0.0.0/24 index=7\n"
    "name=web view=talkers dst_port=443\n"
    "name=both view=talkers dst_port=443 src_host=10.0.0.1\n"
    "name=all view=talkers\n"
    "name=tcp view=protos proto=tcp\n"
    "name=none view=protos proto=udp\n";

static const struct {
	const char *name;
	uint64_t octets, packets;
} wanted[] = {
	{ "host", 3, 2 }, { "net", 7, 3 }, { "web", 13, 3 }, { "both", 1, 1 }, { "all", 31, 5 },
	{ "tcp", 31, 5 }, { "none", 0, 0 },
};

static void
watches_check(const struct scene *s, uint64_t times)
{
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		struct watch w = watch_get(s, wanted[i].name);

		print_message("# %s\n", wanted[i].name);
		assert_int_equal(w.total.bytes, times * wanted[i].octets);
		assert_int_equal(w.total.packets, times * wanted[i].packets);
		assert_true(w.index ==
		    (strcmp(w.name, "net") == 0 ? 7 : hash_index(wanted[i].name)));
	}
}

static void
scene_traffic(struct scene *s)
{
	scene_send(s, 0, 1, 443, 1);
	scene_send(s, 1, 1, 80, 2);
	scene_send(s, 0, 2, 443, 4);
	scene_send(s, 1, 256, 443, 8);
	scene_send(s, 0, 257, 80, 16);
}

static void
what_is_meant_is_added_up(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s, 100);
	assert_int_equal(scene_watch(&s, map), 0);
	for (uint64_t i = 1; i <= 3; i++) {
		scene_traffic(&s);
		scene_round(&s, 1);
		watches_check(&s, i);
	}
	assert_int_equal(watch_get(&s, "web").last_seen, s.now);
	assert_int_equal(watch_get(&s, "none").last_seen, 0);
	scene_end(&s);
}

static void
rows_without_room_are_watched_all_the_same(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s, 3);
	assert_int_equal(scene_watch(&s, map), 0);
	for (uint32_t i = 0; i < 6; i++) { /* one at a time: workers have room, the ledger has not */
		scene_send(&s, 0, i, 443, 10);
		scene_round(&s, 1);
	}
	assert_int_equal(watch_get(&s, "web").total.bytes, 60);
	assert_int_equal(watch_get(&s, "host").total.bytes, 10);
	assert_int_equal(s.engine->views[0]->ledger->table.n, 3);
	scene_end(&s);
}

static void
rates_are_means_over_ten_seconds(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s, 100);
	assert_int_equal(scene_watch(&s, map), 0);
	s.now = clock_real();
	for (int i = 0; i < 9; i++) {
		scene_send(&s, 0, 1, 443, 1000);
		scene_round(&s, 1);
		assert_int_equal(watch_get(&s, "host").rate.bytes, 0);
	}
	scene_send(&s, 0, 1, 443, 1000);
	scene_round(&s, 2);
	assert_in_range(watch_get(&s, "host").rate.bytes, 900, 1000);
	scene_round(&s, 5);
	assert_in_range(watch_get(&s, "host").rate.bytes, 900, 1000);
	scene_round(&s, 6);
	assert_int_equal(watch_get(&s, "host").rate.bytes, 0);
	/* The clock was set far ahead: nobody knows what the rate was. */
	scene_send(&s, 0, 1, 443, 1000);
	scene_round(&s, 100000);
	assert_int_equal(watch_get(&s, "host").rate.bytes, 0);
	scene_end(&s);
}

static void
a_reload_keeps_what_means_the_same(void **state)
{
	struct scene s;
	uint64_t since;

	(void)state;
	scene_begin(&s, 100);
	assert_int_equal(scene_watch(&s, map), 0);
	scene_traffic(&s);
	scene_round(&s, 1);
	since = watch_get(&s, "host").since;
	map_write("name=new view=talkers src_host=10.0.1.0\n"
	          "name=host view=talkers src_host=10.0.0.1\n"
	          "name=web view=talkers dst_port=80\n");
	watches_reload(s.engine->watches, &s.problems);
	assert_int_equal(s.problems.n, 0);
	assert_int_equal(watch_get(&s, "host").total.bytes, 3);
	assert_int_equal(watch_get(&s, "host").since, since);
	assert_int_equal(watch_get(&s, "web").total.bytes, 0);
	assert_true(watch_get(&s, "web").since > since);
	assert_int_equal(watch_get(&s, "net").index, 0);
	scene_traffic(&s);
	scene_round(&s, 1);
	assert_int_equal(watch_get(&s, "host").total.bytes, 6);
	assert_int_equal(watch_get(&s, "web").total.bytes, 18);
	assert_int_equal(watch_get(&s, "new").total.bytes, 8);

	map_write("name=host view=talkers vlan=5\n");
	watches_reload(s.engine->watches, &s.problems);
	assert_int_equal(s.problems.n_errors, 1);
	scene_traffic(&s);
	scene_round(&s, 1);
	assert_int_equal(watch_get(&s, "host").total.bytes, 9);
	scene_end(&s);
}

static const struct {
	const char *says, *map, *why;
} faults[] = {
	{ "no name", "view=talkers src_host=10.0.0.1\n", ":1: watch_map: a watch has a name" },
	{ "no view", "name=a src_host=10.0.0.1\n", ":1: watch_map: a watch has a name" },
	{ "no such view", "name=a view=listeners\n", "there is no plugin 'listeners'" },
	{ "no such primitive", "name=a view=talkers sr_host=1\n", "unknown key 'sr_host'" },
	{ "a primitive that the view has not", "name=a view=talkers vlan=1\n",
	    "have no vlan but src_host,dst_port" },
	{ "no such value", "\nname=a view=talkers dst_port=http\n",
	    ":2: watch_map: dst_port: 'http' is no number" },
	{ "a key that is nothing at all", "name=a view=talkers *=5\n", "unknown key '*'" },
	{ "two of one name", "name=a view=talkers\nname=a view=protos index=5\n",
	    "two are called 'a'" },
	{ "two of one index", "name=a view=talkers index=5\nname=b view=protos index=5\n",
	    "'a' and 'b' have the same index 5" },
};

static void
a_map_with_faults_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct scene s;
		bool said = false;

		print_message("# %s\n", faults[i].says);
		scene_begin(&s, 10);
		assert_int_not_equal(scene_watch(&s, faults[i].map), 0);
		assert_null(s.engine->watches);
		for (size_t k = 0; k < s.problems.n; k++)
			said |= strstr(s.problems.list[k].text, faults[i].why) != NULL;
		if (!said)
			fail_msg("%s", s.problems.n > 0 ? s.problems.list[0].text : "nothing");
		scene_end(&s);
	}
}

static void
totals_go_on_after_a_restart(void **state)
{
	struct scene s;
	uint64_t since;

	(void)state;
	scene_begin(&s, 100);
	assert_int_equal(scene_watch(&s, map), 0);
	scene_traffic(&s);
	scene_round(&s, 1);
	since = watch_get(&s, "host").since;
	assert_int_equal(watches_save(s.engine->watches, state_path, NULL), 0);
	scene_end(&s);

	for (int orderly = 0; orderly <= 1; orderly++) {
		scene_begin(&s, 100);
		assert_int_equal(scene_watch(&s, map), 0);
		assert_int_equal(watches_load(s.engine->watches, state_path, orderly, NULL), 0);
		watches_check(&s, 1);
		assert_int_equal(watch_get(&s, "host").since == since, orderly);
		scene_traffic(&s);
		scene_round(&s, 1);
		watches_check(&s, 2);
		scene_end(&s);
	}

	/* What counts something else now begins anew. */
	scene_begin(&s, 100);
	assert_int_equal(scene_watch(&s, "name=host view=talkers src_host=10.0.0.2\n"
	                                 "name=web view=talkers dst_port=443\n"), 0);
	assert_int_equal(watches_load(s.engine->watches, state_path, true, NULL), 0);
	assert_int_equal(watch_get(&s, "host").total.bytes, 0);
	assert_true(watch_get(&s, "web").total.bytes > 0);
	scene_end(&s);
}

static void
a_damaged_file_changes_nothing(void **state)
{
	struct scene s;
	FILE *f;
	long len;

	(void)state;
	scene_begin(&s, 100);
	assert_int_equal(scene_watch(&s, map), 0);
	scene_traffic(&s);
	scene_round(&s, 1);
	assert_int_equal(watches_save(s.engine->watches, state_path, NULL), 0);
	scene_end(&s);
	f = fopen(state_path, "r+");
	assert_int_equal(fseek(f, -1, SEEK_END), 0);
	len = ftell(f);
	fclose(f);
	assert_int_equal(truncate(state_path, len), 0);
	scene_begin(&s, 100);
	assert_int_equal(scene_watch(&s, map), 0);
	assert_int_equal(watches_load(s.engine->watches, state_path, true, NULL),
	    -WEIR_EMALFORMED);
	assert_int_equal(watch_get(&s, "host").total.bytes, 0);
	scene_end(&s);
}

/* Many selectors, many rows: what the map finds is what comparing all with all finds. */
static void
a_row_is_found_by_all_that_mean_it(void **state)
{
	enum { SELECTORS = 300, ROWS = 500 };
	static struct selector list[SELECTORS];
	const struct selector *selectors[SELECTORS];
	struct traffic traffic = { 11, 200, 1 };
	struct rowspec rs;
	struct field_set set;
	struct ledger *l;
	struct rowmap *m;

	(void)state;
	assert_int_equal(field_set_parse("src_host,dst_port,proto", &set, NULL), 0);
	rowspec_compile(&rs, &set);
	l = ledger_new(&rs, ROWS, NULL);
	for (unsigned i = 0; i < SELECTORS; i++) {
		char text[128];

		snprintf(text, sizeof(text), "%s",
		    i % 3 == 0 ? "" : i % 2 ? "proto=tcp" : "proto=udp");
		if (i % 4 != 0)
			snprintf(text + strlen(text), sizeof(text) - strlen(text),
			    " dst_port=%u", traffic_draw(&traffic, 8));
		if (i % 5 != 0)
			snprintf(text + strlen(text), sizeof(text) - strlen(text),
			    " src_host=10.0.0.%u%s", traffic_draw(&traffic, 32),
			    i % 7 ? "" : "/29");
		assert_int_equal(selector_parse(&list[i], text, NULL), 0);
		selectors[i] = &list[i];
	}
	m = rowmap_new(l, selectors, SELECTORS, NULL);
	assert_non_null(m);
	for (unsigned i = 0; i < ROWS; i++) {
		uint64_t key[ROWSPEC_MAX_KEY / 8 + 1];
		uint16_t bin = 0;
		uint8_t v4[4] = { 10, 0, 0, (uint8_t)traffic_draw(&traffic, 32) }, *row;
		struct flow f;

		flow_clear(&f);
		f.src_host = ip_from_v4(v4);
		f.dst_port = (uint16_t)traffic_draw(&traffic, 8);
		f.proto = traffic_draw(&traffic, 2) ? 6 : 17;
		rowspec_pack(&rs, &f, &bin, 1, (uint8_t *)key);
		(void)table_upsert(&l->table, key, 1, &row);
		for (int again = 0; again < 3; again++) {
			uint32_t no = again == 2 ? LEDGER_GONE :
			    (uint32_t)((size_t)(row - l->table.rows) / l->table.row_octets);
			struct rowmap_set found = rowmap_get(m, no, row);
			uint32_t n = 0;

			for (uint32_t k = 0; k < SELECTORS; k++)
				if (selector_matches(&list[k], &rs, row)) {
					assert_true(n < found.n);
					assert_int_equal(found.list[n++], k);
				}
			assert_int_equal(n, found.n);
		}
	}
	rowmap_free(m);
	ledger_free(l);
}

/* Row numbers change: what was found goes with the rows. */
static void
what_was_found_follows_the_rows(void **state)
{
	struct scene s;
	struct ledger *l;

	(void)state;
	scene_begin(&s, 64);
	assert_int_equal(scene_watch(&s, map), 0);
	l = s.engine->views[0]->ledger;
	l->keep = 100 * CLOCK_S;
	for (uint32_t i = 0; i < 60; i++)
		scene_send(&s, 0, i, (uint16_t)(i % 2 ? 443 : 80), 1);
	scene_round(&s, 1);
	scene_round(&s, 90);
	for (uint32_t i = 31; i < 60; i++)
		scene_send(&s, 0, i, (uint16_t)(i % 2 ? 443 : 80), 1);
	scene_round(&s, 1);
	scene_round(&s, 20);
	assert_int_equal(l->evictions, 31);
	for (uint32_t i = 0; i < 60; i++) /* those that went come back under other numbers */
		scene_send(&s, 0, 59 - i, (uint16_t)((59 - i) % 2 ? 443 : 80), 1);
	scene_round(&s, 1);
	assert_int_equal(watch_get(&s, "web").total.packets, 30 + 15 + 30);
	assert_int_equal(watch_get(&s, "host").total.packets, 2);
	assert_int_equal(watch_get(&s, "all").total.packets, 60 + 29 + 60);
	scene_end(&s);
}

/* Rows come and go, and what was found of those that are gone is forgotten some day. */
static void
what_is_found_has_a_bound(void **state)
{
	enum { HOSTS = 32, PORTS = 64, PROTOS = 30, SELECTORS = HOSTS + PORTS + PROTOS, ROWS = 64 };
	static struct selector list[SELECTORS];
	const struct selector *selectors[SELECTORS];
	struct traffic traffic = { 23, 1, 1 };
	struct field_set set;
	struct rowspec rs;
	struct ledger *l;
	struct rowmap *m;

	(void)state;
	assert_int_equal(field_set_parse("src_host,dst_port,proto", &set, NULL), 0);
	rowspec_compile(&rs, &set);
	l = ledger_new(&rs, ROWS, NULL);
	for (unsigned i = 0; i < SELECTORS; i++) {
		char text[64];

		if (i < HOSTS)
			snprintf(text, sizeof(text), "src_host=10.0.0.%u", i);
		else if (i < HOSTS + PORTS)
			snprintf(text, sizeof(text), "dst_port=%u", i - HOSTS);
		else
			snprintf(text, sizeof(text), "proto=%u", i - HOSTS - PORTS);
		assert_int_equal(selector_parse(&list[i], text, NULL), 0);
		selectors[i] = &list[i];
	}
	m = rowmap_new(l, selectors, SELECTORS, NULL);
	l->cleared = 1; /* as when it takes its first rows */
	for (unsigned round = 2; round <= 2000; round++) {
		for (unsigned i = 0; i < ROWS; i++) {
			uint64_t key[ROWSPEC_MAX_KEY / 8 + 1];
			unsigned host = traffic_draw(&traffic, HOSTS), n = 0;
			unsigned port = traffic_draw(&traffic, PORTS), proto = traffic_draw(&traffic, PROTOS);
			const unsigned want[] = { host, HOSTS + port, HOSTS + PORTS + proto };
			uint8_t v4[4] = { 10, 0, 0, (uint8_t)host }, *row;
			uint16_t bin = 0;
			struct rowmap_set found;
			struct flow f;

			flow_clear(&f);
			f.src_host = ip_from_v4(v4);
			f.dst_port = (uint16_t)port;
			f.proto = (uint8_t)proto;
			rowspec_pack(&rs, &f, &bin, 1, (uint8_t *)key);
			(void)table_upsert(&l->table, key, 1, &row);
			found = rowmap_get(m,
			    (uint32_t)((size_t)(row - l->table.rows) / l->table.row_octets), row);
			assert_int_equal(found.n, 3);
			for (; n < 3; n++)
				assert_int_equal(found.list[n], want[n]);
		}
		ledger_lock(l);
		ledger_clear(l, round);
		ledger_unlock(l);
	}
	/* 128 000 rows were looked at, which had some 65 000 sets of their own. */
	assert_in_range(rowmap_octets(m), 1, 600000);
	rowmap_free(m);
	ledger_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_meant_is_added_up),
		cmocka_unit_test(rows_without_room_are_watched_all_the_same),
		cmocka_unit_test(rates_are_means_over_ten_seconds),
		cmocka_unit_test(a_reload_keeps_what_means_the_same),
		cmocka_unit_test(a_map_with_faults_is_refused),
		cmocka_unit_test(totals_go_on_after_a_restart),
		cmocka_unit_test(a_damaged_file_changes_nothing),
		cmocka_unit_test(a_row_is_found_by_all_that_mean_it),
		cmocka_unit_test(what_was_found_follows_the_rows),
		cmocka_unit_test(what_is_found_has_a_bound),
	};
	int fd = mkstemp(path), rc;

	if (fd == -1)
		return 1;
	close(fd);
	snprintf(state_path, sizeof(state_path), "%s.state", path);
	rc = cmocka_run_group_tests_name("watch", tests, NULL, NULL);
	unlink(path);
	unlink(state_path);
	return rc;
}
