/* SPDX-License-Identifier: GPL-2.0-or-later */
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

#include "lib/log.h"
#include "lib/spawn.h"

static char dir[] = "/tmp/weir-spawn-XXXXXX";

static const char *
in_dir(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

/* A program that does `what`; %s in it is the folder. */
static const char *
program(const char *name, const char *what)
{
	const char *path = in_dir(name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fprintf(f, "#!/bin/sh\ncd %s\n%s\n", dir, what);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0700), 0);
	return path;
}

/* Wait until at most `n` programs run. */
static void
reap_until(struct spawn_pool *p, unsigned n)
{
	const struct timespec pause = { 0, 10000000 };

	for (int i = 0; spawn_reap(p) > n; i++) {
		assert_true(i < 1000);
		nanosleep(&pause, NULL);
	}
}

static void
file_read(const char *name, char *buf, size_t room)
{
	FILE *f = fopen(in_dir(name), "r");
	size_t n;

	assert_non_null(f);
	n = fread(buf, 1, room - 1, f);
	buf[n] = '\0';
	fclose(f);
}

static void
a_program_gets_the_facts_and_nothing_else(void **state)
{
	struct spawn_pool *p = spawn_pool_new(10);
	struct spawn_facts facts = { .n = 0 };
	struct err e = ERR_INIT;
	char text[2048];

	(void)state;
	assert_int_equal(setenv("SECRET", "of weir's own", 1), 0);
	spawn_fact(&facts, "NAME", "web; rm -rf %s", "$HOME `id`");
	spawn_fact(&facts, "VALUE", "%d\n%s", 5, "WEIR_NAME=forged");
	assert_int_equal(spawn_start(p, program("facts", "env >out; ls -l /proc/$$/fd >fds"),
	                     &facts, &e), 0);
	reap_until(p, 0);
	file_read("out", text, sizeof(text));
	assert_non_null(strstr(text, "WEIR_NAME=web; rm -rf $HOME `id`\n"));
	assert_non_null(strstr(text, "WEIR_VALUE=5?WEIR_NAME=forged\n"));
	assert_non_null(strstr(text, "PATH=/usr/local/sbin"));
	assert_null(strstr(text, "SECRET"));
	file_read("fds", text, sizeof(text));
	assert_non_null(strstr(text, "0 -> /dev/null"));
	assert_non_null(strstr(text, "2 -> /dev/null"));
	spawn_pool_free(p);
}

static void
arguments_and_names_stand_as_they_are(void **state)
{
	struct spawn_pool *p = spawn_pool_new(10);
	struct spawn_facts facts = { .n = 0 };
	char *argv[] = { (char *)(uintptr_t)program("argv", "echo \"$#|$1|$2|$NAME\" >args"),
		"a  b", "$(id)", NULL };
	char text[256];

	(void)state;
	spawn_variable(&facts, "NAME", "%s", "plain");
	assert_int_equal(spawn_start_with(p, argv, &facts, NULL), 0);
	reap_until(p, 0);
	file_read("args", text, sizeof(text));
	assert_string_equal(text, "2|a  b|$(id)|plain\n");
	spawn_pool_free(p);
}

/* Those that run, and those that come. */
static void
who_is_in_a_hurry_gives_less_time(void **state)
{
	struct spawn_pool *p = spawn_pool_new(1000);

	(void)state;
	assert_int_equal(spawn_start(p, program("long", "exec sleep 100"), NULL, NULL), 0);
	spawn_hurry(p, 0);
	reap_until(p, 0);
	assert_int_equal(spawn_start(p, in_dir("long"), NULL, NULL), 0);
	reap_until(p, 0);
	spawn_hurry(p, 1000); /* does not give back what was taken */
	assert_int_equal(spawn_start(p, in_dir("long"), NULL, NULL), 0);
	reap_until(p, 0);
	spawn_pool_free(p);
}

static void
signals_are_as_a_shell_gives_them(void **state)
{
	struct spawn_pool *p = spawn_pool_new(10);
	sigset_t all, before;
	char text[256], *ignored;

	(void)state;
	sigfillset(&all);
	assert_int_equal(sigprocmask(SIG_BLOCK, &all, &before), 0);
	assert_ptr_not_equal(signal(SIGPIPE, SIG_IGN), SIG_ERR);
	assert_int_equal(
	    spawn_start(p, program("signals", "grep -E '^Sig(Blk|Ign)' /proc/self/status >sig"),
	        NULL, NULL), 0);
	reap_until(p, 0);
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
	file_read("sig", text, sizeof(text));
	assert_non_null(strstr(text, "SigBlk:\t0000000000000000\n"));
	ignored = strstr(text, "SigIgn:\t");
	assert_non_null(ignored);
	/* 32 and 33 are the C library's own, which it ignores while it starts a program. */
	assert_int_equal(strtoull(ignored + strlen("SigIgn:\t"), NULL, 16) & 0x7fffffff, 0);
	spawn_pool_free(p);
}

static void
what_does_not_end_is_killed_with_its_children(void **state)
{
	struct spawn_pool *p = spawn_pool_new(1);
	char text[64];
	pid_t child;

	(void)state;
	assert_int_equal(
	    spawn_start(p, program("slow", "sleep 60 & echo $! >child; wait"), NULL, NULL), 0);
	reap_until(p, 0);
	file_read("child", text, sizeof(text));
	child = (pid_t)atoi(text);
	assert_true(child > 1);
	for (int i = 0; kill(child, 0) == 0 && i < 500; i++)
		nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
	assert_int_equal(kill(child, 0), -1);
	spawn_pool_free(p);
}

static void
only_so_many_run_at_a_time(void **state)
{
	struct spawn_pool *p = spawn_pool_new(60);
	const char *path = program("many", "sleep 60");
	struct err e = ERR_INIT;

	(void)state;
	for (unsigned i = 0; i < SPAWN_RUNNING; i++)
		assert_int_equal(spawn_start(p, path, NULL, &e), 0);
	assert_int_equal(spawn_start(p, path, NULL, &e), -WEIR_EFULL);
	assert_int_equal(spawn_reap(p), SPAWN_RUNNING);
	spawn_pool_free(p); /* which does not wait for them */
}

static void
what_is_no_program_is_an_error(void **state)
{
	struct spawn_pool *p = spawn_pool_new(10);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(spawn_start(p, in_dir("nothing"), NULL, &e), -WEIR_EIO);
	assert_non_null(strstr(e.text, "nothing: cannot be started"));
	assert_int_equal(spawn_reap(p), 0);
	spawn_pool_free(p);
	spawn_pool_free(NULL);
}

static void
facts_are_cut_where_they_do_not_fit(void **state)
{
	struct spawn_facts facts = { .n = 0 };
	char big[3000];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	for (int i = 0; i < 40; i++)
		spawn_fact(&facts, "BIG", "%s", big);
	assert_true(facts.n >= 2 && facts.n <= SPAWN_FACTS);
	assert_int_equal(strlen(facts.list[0]), strlen("WEIR_BIG=") + sizeof(big) - 1);
	assert_true(facts.list[1] + strlen(facts.list[1]) < facts.text + sizeof(facts.text));
	assert_null(facts.list[facts.n]);
}

int
main(void)
{
	static const struct log_config quiet = { .file = "/dev/null" };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_gets_the_facts_and_nothing_else),
		cmocka_unit_test(arguments_and_names_stand_as_they_are),
		cmocka_unit_test(who_is_in_a_hurry_gives_less_time),
		cmocka_unit_test(signals_are_as_a_shell_gives_them),
		cmocka_unit_test(what_does_not_end_is_killed_with_its_children),
		cmocka_unit_test(only_so_many_run_at_a_time),
		cmocka_unit_test(what_is_no_program_is_an_error),
		cmocka_unit_test(facts_are_cut_where_they_do_not_fit),
	};
	char command[64];
	int rc;

	if (mkdtemp(dir) == NULL || log_open(&quiet, NULL) != 0)
		return 1;
	rc = cmocka_run_group_tests_name("spawn", tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command) != 0 ? 1 : rc;
}
