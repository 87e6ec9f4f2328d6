/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is sent where the server refuses the end of a transaction: UNLOCK TABLES, SET
 * autocommit and START TRANSACTION all commit what there is by then.
 */
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <mysql.h>

#include "sql/mysql_conn.h"
#include "tests/sql/patience.h"

#define UNLOCK "UNLOCK TABLES; SET autocommit = 1"

static const char *refused; /* the statement that is; the last one that was not, */
static char last[512];
static unsigned sent; /* and how many */

static int watched = -1, patience_at_end;

/* The library's, with a server that we are. */
int
mysql_query(MYSQL *my, const char *sql)
{
	(void)my;
	if (refused != NULL && strcmp(sql, refused) == 0)
		return 1;
	strncpy(last, sql, sizeof(last) - 1);
	sent++;
	if (watched != -1 && strcmp(sql, "COMMIT") == 0)
		patience_at_end = patience(watched);
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
		struct sql_conn c = { .my = mysql_init(NULL), .where = (char *)"database x",
			.socket = -1 };
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

/* The server may take its time while rows are on their way to it, and not where it is asked
 * whether it is there, or for the end. */
static void
test_patience(void **state)
{
	struct sql_conn c = { .my = mysql_init(NULL), .where = (char *)"database x",
		.socket = socket(AF_INET, SOCK_STREAM, 0) };
	struct err e = ERR_INIT;

	(void)state;
	assert_non_null(c.my);
	refused = NULL;
	assert_true((watched = c.socket) >= 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(maria_begin(&c, &e), 0);
		assert_int_equal(patience(c.socket), 0);
		if (i == 0)
			assert_int_equal(maria_commit(&c, &e), 0);
		else
			maria_rollback(&c);
		assert_int_equal(patience(c.socket), 60000);
		assert_int_equal(patience_at_end, 60000);
	}
	watched = -1;
	close(c.socket);
	mysql_close(c.my);
}

static char asked[4][32]; /* of the resolver */
static unsigned n_asked;

/* The C library's, with a resolver that knows nobody. */
int
getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
    struct addrinfo **list)
{
	(void)service;
	*list = NULL;
	if ((hints->ai_flags & AI_NUMERICHOST) == 0 && n_asked < 4)
		snprintf(asked[n_asked++], sizeof(asked[0]), "%s", host);
	return EAI_NONAME;
}

/* The library, which waits for the resolver, is not even called where that knows none. */
static void
test_names(void **state)
{
	static const char *const others[] = { "unix:/none", "fe80::1%none", "[::1]:1" };
	struct sql_config config = { .host = "db1,db2:3307", .db = "x" };
	struct sql_conn *c;
	struct attempt a = { 0 };
	struct err e = ERR_INIT;

	(void)state;
	attempt_heard(&a);
	assert_int_equal(maria_open(&config, &a, &c, &e), -WEIR_EIO);
	assert_int_equal(n_asked, 2);
	assert_string_equal(asked[0], "db1");
	assert_string_equal(asked[1], "db2");
	assert_int_equal(strncmp(e.text, "db2: ", 5), 0);
	assert_null(c);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		config.host = others[i];
		n_asked = 0;
		assert_int_equal(maria_open(&config, &a, &c, &e), -WEIR_EIO);
		for (unsigned k = 0; k < n_asked; k++) /* by the library */
			assert_int_not_equal(strspn(asked[k], "unixfe80"), strlen(asked[k]));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("mysql_conn", tests, NULL, NULL);
}
