/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is sent where the server refuses the end of a transaction: UNLOCK TABLES, SET
 * autocommit and START TRANSACTION all commit what there is by then.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <mysql.h>

#include "sql/mysql_conn.h"

#define UNLOCK "UNLOCK TABLES; SET autocommit = 1"

static const char *refused; /* the statement that is; the last one that was not, */
static char last[512];
static unsigned sent; /* and how many */

/* The library's, with a server that we are. */
int
mysql_query(MYSQL *my, const char *sql)
{
	(void)my;
	if (refused != NULL && strcmp(sql, refused) == 0)
		return 1;
	strncpy(last, sql, sizeof(last) - 1);
	sent++;
	return 0;
}

static const struct {
	const char *says;
	const char *refused;
	const char *last; /* that was sent and taken */
	bool begins; /* the next transaction */
} cases[] = {
	{ "all goes well", NULL, UNLOCK, true },
	{ "COMMIT is refused, and ROLLBACK taken", "COMMIT", UNLOCK, true },
	{ "so is ROLLBACK", "ROLLBACK", "LOCK TABLES", false },
	{ "tables stay locked", UNLOCK, "ROLLBACK", false },
};

static void
test_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sql_conn c = { .my = mysql_init(NULL), .where = (char *)"database x" };
		struct err e = ERR_INIT;

		assert_non_null(c.my);
		refused = NULL;
		assert_int_equal(maria_begin(&c, &e), 0);
		assert_int_equal(maria_lock(&c, "t", &e), 0);
		refused = cases[i].refused;
		sent = 0;
		if (refused != NULL && strcmp(refused, "COMMIT") == 0) {
			assert_int_equal(maria_commit(&c, &e), -WEIR_EIO);
			assert_int_equal(sent, 0);
		}
		maria_rollback(&c);
		if (strstr(last, cases[i].last) == NULL)
			fail_msg("%s: %s", cases[i].says, last);
		if ((maria_begin(&c, &e) == 0) != cases[i].begins)
			fail_msg("%s: the next one", cases[i].says);
		mysql_close(c.my);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests_name("mysql_conn", tests, NULL, NULL);
}
