/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operator's program: when it runs, what it is told, and that it ends in time. */
#include <setjmp.h>
#include <signal.h>
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

#include "core/trigger.h"
#include "lib/clock.h"
#include "tests/core/program.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static char dir[64];

static int
dir_make(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weir-test-trigger-XXXXXX");
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
dir_remove(void **state)
{
	(void)state;
	program_remove();
	return rmdir(dir);
}

static struct trigger *
trigger_of(struct trigger_config c)
{
	struct trigger *t;
	struct err e = ERR_INIT;

	c.name = "test";
	c.directive = "sql_trigger_exec";
	c.command = program_command;
	if (c.limit_s == 0)
		c.limit_s = 60;
	t = trigger_new(&c, &e);
	if (t == NULL)
		fail_msg("%s", e.text);
	return t;
}

static void
tell(const void *arg, const void *batch, struct spawn_facts *f)
{
	spawn_variable(f, "WHOSE", "%s", (const char *)arg);
	if (batch != NULL)
		spawn_variable(f, "BATCH", "%s", (const char *)batch);
}

static void
test_environment_and_arguments(void **state)
{
	struct trigger *t;

	(void)state;
	setenv("SECRET", "x", 1);
	program_make(dir, "/usr/bin/env | /usr/bin/grep -v ^PWD= | LC_ALL=C /usr/bin/sort > "
		     "$OUT; echo \"$# $1 $2\" >> $OUT",
	    " a  'b\t");
	t = trigger_of((struct trigger_config){ .tell = tell, .arg = "a; $(whose)" });
	trigger_after(t, "this");
	trigger_free(t);
	assert_string_equal(program_wrote(),
	    "BATCH=this\nHOME=/\n"
	    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
	    "WHOSE=a; $(whose)\n2 a 'b\n");
}

static void
test_programs_that_are_none(void **state)
{
	static const struct {
		const char *command, *error;
	} cases[] = {
		{ "", "names no program" },
		{ " ", "names no program" },
		{ "/no/such/program -x", "No such file" },
		{ "/etc/passwd", "Permission denied" },
		{ "/bin/echo 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 "
		  "23 24 "
		  "25 26 27 28 29 30 31 32",
		    "more than 31 arguments" },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct trigger_config c = { .name = "x",
			.directive = "sql_trigger_exec",
			.command = cases[i].command };
		struct err e = ERR_INIT;

		if (trigger_new(&c, &e) != NULL ||
		    strstr(e.text, cases[i].error) == NULL)
			fail_msg("%s: %s", cases[i].command, e.text);
		e = (struct err)ERR_INIT;
		if (trigger_check("sql_trigger_exec", cases[i].command, &e) == 0 ||
		    strstr(e.text, cases[i].error) == NULL)
			fail_msg("%s: %s", cases[i].command, e.text);
	}
	assert_int_equal(trigger_check("sql_trigger_exec", "/bin/echo 1", NULL), 0);
	assert_int_equal(trigger_check("sql_trigger_exec", NULL, NULL), 0);
}

static bool
is_alive(const char *pid)
{
	return kill((pid_t)atoi(pid), 0) == 0;
}

/* It and what it started are gone when its time is over. */
static void
test_time_limit(void **state)
{
	uint64_t start = clock_mono();
	struct trigger *t;

	(void)state;
	program_make(dir, "sleep 100 &\necho $! > $OUT\nwait", "");
	t = trigger_of((struct trigger_config){ .limit_s = 1 });
	trigger_after(t, "t");
	trigger_free(t);
	assert_true(clock_mono() - start < 20 * CLOCK_S);
	assert_true(atoi(program_wrote()) > 0);
	for (int i = 0; i < 200 && is_alive(program_wrote()); i++) /* init reaps it */
		nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
	assert_false(is_alive(program_wrote()));
}

static void
test_async_goes_on_and_is_bounded(void **state)
{
	struct trigger *t;

	(void)state;
	program_make(dir, "echo >> $OUT; exec sleep 100", "");
	t = trigger_of((struct trigger_config){ .async = true });
	for (unsigned i = 0; i < SPAWN_RUNNING + 3; i++)
		trigger_after(t, "t");
	for (int i = 0; i < 500 && strlen(program_wrote()) < SPAWN_RUNNING; i++)
		nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
	assert_int_equal(strlen(program_wrote()), SPAWN_RUNNING);
	trigger_free(t); /* does not wait for a minute and a half */
}

static void
test_times_of_its_own(void **state)
{
	struct trigger_config c = { .tell = tell, .arg = "me" };
	struct trigger *t;
	uint64_t now = clock_real();

	(void)state;
	program_make(dir, "echo \"${BATCH-none}\" >> $OUT", "");
	assert_int_equal(bins_parse_history("1h", &c.period, NULL), 0);
	t = trigger_of(c);
	trigger_after(t, "t"); /* not after batches, */
	trigger_tick(t, now); /* and not yet */
	trigger_tick(t, now + 3600 * CLOCK_S);
	trigger_tick(t, now + 3601 * CLOCK_S);
	trigger_tick(t, now + 7200 * CLOCK_S);
	trigger_free(t);
	assert_string_equal(program_wrote(), "none\nnone\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, dir_make, dir_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_environment_and_arguments),
		TEST(test_programs_that_are_none),
		TEST(test_time_limit),
		TEST(test_async_goes_on_and_is_bounded),
		TEST(test_times_of_its_own),
	};

	return cmocka_run_group_tests_name("trigger", tests, NULL, NULL);
}
