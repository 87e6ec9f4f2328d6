/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transactions begin behind none that is still there: the server would only warn, and rows
 * that are not committed would pass for such that are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <libpq-fe.h>

#include "sql/pgsql_conn.h"

static PGTransactionStatusType status;
static unsigned begun; /* BEGINs that were sent */

/* The library's, with a server that we are. */
PGTransactionStatusType
PQtransactionStatus(const PGconn *pg)
{
	(void)pg;
	return status;
}

PGresult *
PQexec(PGconn *pg, const char *sql)
{
	begun += strcmp(sql, "BEGIN") == 0;
	return PQmakeEmptyPGresult(pg, PGRES_COMMAND_OK);
}

static const struct {
	const char *says;
	PGTransactionStatusType status;
	unsigned begun;
} cases[] = {
	{ "there is none", PQTRANS_IDLE, 1 },
	{ "there is one", PQTRANS_INTRANS, 0 },
	{ "one that has failed", PQTRANS_INERROR, 0 },
	{ "a load is under way", PQTRANS_ACTIVE, 0 },
	{ "there is no connection: the call says why", PQTRANS_UNKNOWN, 1 },
};

static void
test_begin(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sql_conn c = { .where = (char *)"database x", .socket = -1 };
		struct err e = ERR_INIT;
		int rc;

		status = cases[i].status;
		begun = 0;
		rc = pgsql_begin(&c, &e);
		if (begun != cases[i].begun || (rc == 0) != (begun == 1))
			fail_msg("%s: %d %s", cases[i].says, rc, e.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_begin),
	};

	return cmocka_run_group_tests_name("pgsql_conn", tests, NULL, NULL);
}
