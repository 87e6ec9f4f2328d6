/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the program of sql_trigger_exec is told, and that it runs after each batch. */
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

#include "lib/clock.h"
#include "sql/facts.h"
#include "sql/writer.h"
#include "tests/core/program.h"
#include "tests/sql/rig.h"

static const char *
told(const struct facts *c, const struct facts_batch *b)
{
	static char text[4096];
	struct spawn_facts f = { 0 };
	size_t n = 0;

	facts_tell(c, b, &f);
	for (unsigned i = 0; i < f.n; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\n", f.list[i]);
	return text;
}

static void
test_environment(void **state)
{
	struct facts c = { .db = "a db; with $(things)",
		.table = "acct_%d",
		.user = "me",
		.refresh_s = 60,
		.history_s = 300,
		.sampling_rate = 7,
		.max_writers = 10 };
	struct facts_batch b = { .table = "acct_15",
		.rows = 12,
		.written = 11,
		.start = T_BIN * CLOCK_S,
		.elapsed = 2500 * CLOCK_MS,
		.writers = 2 };

	(void)state;
	assert_string_equal(told(&c, &b),
	    "SQL_REFRESH_TIME=60\nSQL_HISTORY_TIMESLOT=300\nSAMPLING_RATE=7\n"
	    "SQL_MAX_WRITERS=10\nEFFECTIVE_SQL_TABLE=acct_15\nTOTAL_ELEM_NUMBER=12\n"
	    "EFFECTIVE_ELEM_NUMBER=11\nINSERT_QUERIES_NUMBER=0\n"
	    "UPDATE_QUERIES_NUMBER=11\nELAPSED_TIME=2\nSQL_HISTORY_BASETIME="
	    "1699999800\n"
	    "SQL_ACTIVE_WRITERS=2\nSQL_DB=a db; with $(things)\nSQL_TABLE=acct_%d\n"
	    "SQL_USER=me\n");
	b.only_insert = true;
	assert_non_null(strstr(
	    told(&c, &b), "INSERT_QUERIES_NUMBER=11\nUPDATE_QUERIES_NUMBER=0\n"));
}

/* At times of its own no batch is the cause: nothing is told of one. */
static void
test_without_a_batch(void **state)
{
	struct facts c = { .db = "d", .table = "t", .host = "h", .backup = "b" };

	(void)state;
	assert_string_equal(told(&c, NULL),
	    "SQL_REFRESH_TIME=0\nSQL_HISTORY_TIMESLOT=0\nSAMPLING_RATE=0\n"
	    "SQL_MAX_WRITERS=0\nSQL_DB=d\nSQL_TABLE=t\nSQL_HOST=h\n"
	    "SQL_RECOVERY_BACKUP_HOST=b\n");
}

/* As the plugin calls it: once for each bin that is in. */
static void
test_after_each_batch(void **state)
{
	struct rig g = { .o.common = { .aggregate = "src_host", .history = "5m" } };
	struct flow f[2] = { rig_flow("192.0.2.1", NULL, 0, 0, 6, 1, 10),
		rig_flow("192.0.2.2", NULL, 0, 0, 6, 5, 50) };

	(void)state;
	f[1].stamp += 300 * CLOCK_S;
	program_make(rig_dir,
	    "echo $EFFECTIVE_SQL_TABLE $EFFECTIVE_ELEM_NUMBER $SQL_HISTORY_BASETIME "
	    "$SQL_HISTORY_TIMESLOT $SQL_ACTIVE_WRITERS >> $OUT",
	    "");
	g.sc.trigger_exec = program_command;
	rig_open(&g);
	rig_write(&g, f, 2);
	rig_close(&g);
	assert_string_equal(
	    program_wrote(), "acct 1 1699999800 300 1\nacct 1 1700000100 300 1\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_without_a_batch),
		RIG_TEST(test_after_each_batch),
	};

	return cmocka_run_group_tests_name("facts", tests, NULL, NULL);
}
