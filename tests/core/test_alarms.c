/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Thresholds: their map, those that are kept, and what is done about what crosses them. */
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
#include "tests/core/alarms_one.h"
#include "tests/core/alarms_scene.h"
#include "tests/core/fake.h"

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

/* A SET takes its time: what the map says meanwhile is not its to change, or to remove. */
static void
a_map_that_comes_in_between_has_the_last_word(void **state)
{
	struct scene s;
	struct threshold_change change = { .config = threshold("one", SCOPE_VIEW, METRIC_BYTES,
	    "talkers", 7, 6) };
	struct err e = ERR_INIT;

	(void)state;
	for (int remove = 0; remove < 2; remove++) {
		struct threshold_batch *b;
		struct threshold_config c;

		scene_begin(&s, 100);
		s.config.map = in_dir("threshold.map");
		file_write(s.config.map, "! nothing\n");
		assert_int_equal(scene_alarms(&s), 0);
		change.remove = remove == 1;
		b = alarms_prepare(s.engine->alarms, &change, 1, &e);
		assert_non_null(b);
		file_write(s.config.map,
		    "name=one scope=view subject=talkers metric=rows rising=9\n");
		alarms_reload(s.engine->alarms, &s.problems);
		alarms_commit(s.engine->alarms, b);
		assert_true(alarms_get(s.engine->alarms, "one", &c));
		assert_int_equal(c.metric, METRIC_ROWS);
		file_write(s.config.map, "! nothing\n");
		alarms_reload(s.engine->alarms, &s.problems);
		assert_false(alarms_get(s.engine->alarms, "one", &c));
		scene_end(&s);
	}
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
		assert_int_equal(alarms_start(s.engine->alarms, scene_dir, &e), 0);
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
		assert_int_equal(alarms_start(s.engine->alarms, scene_dir, &e), 0);
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
	assert_int_equal(alarms_start(s.engine->alarms, scene_dir, &e), 0);
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
	snprintf(later, sizeof(later), "%s/later", scene_dir);
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
	assert_int_equal(log_open(&scene_quiet, &e), 0);
}

/* A path that has no room for the name of the file is not cut to another one. */
static void
what_has_no_path_is_not_kept(void **state)
{
	struct threshold_config c = threshold("kept", SCOPE_VIEW, METRIC_BYTES, "talkers", 7, 6);
	const struct log_config log = { .file = in_dir("log") };
	struct err e = ERR_INIT;
	char deep[PATH_MAX], text[512];
	size_t len = (size_t)snprintf(deep, sizeof(deep), "%s", scene_dir);
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
	assert_int_equal(log_open(&scene_quiet, &e), 0);
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
	    "$WEIR_UNIT $WEIR_TEXT\" >>%s/acted\n", scene_dir);
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
		cmocka_unit_test(a_map_with_faults_is_refused),
		cmocka_unit_test(a_map_is_read_and_read_anew),
		cmocka_unit_test(a_map_that_comes_in_between_has_the_last_word),
		cmocka_unit_test(ten_thousand_at_once_hold_up_nobody),
		cmocka_unit_test(what_snmp_sets_is_kept),
		cmocka_unit_test(what_cannot_be_this_time_is_kept),
		cmocka_unit_test(what_finds_no_place_is_kept),
		cmocka_unit_test(what_could_not_be_kept_is_tried_again),
		cmocka_unit_test(what_has_no_path_is_not_kept),
		cmocka_unit_test(programs_are_started_and_nagios_is_told),
	};

	return cmocka_run_group_tests_name("alarms", tests, scene_setup, scene_teardown);
}
