/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/pgsql_conn.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/text.h"
#include "lib/log.h"
#include "sql/tablename.h"

int
pgsql_error(const struct sql_conn *c, enum weir_errno code, struct err *e)
{
	const char *text = PQerrorMessage(c->pg);

	return err_set(e, code, "%s: %.*s", c->where, (int)strcspn(text, "\n"), text);
}

/* PostgreSQL's appendix "Error Codes": SQLSTATE by its first characters. */
static const struct {
	const char *state;
	enum weir_errno code;
} states[] = {
	{ "40001", WEIR_EAGAIN },       /* serialization_failure */
	{ "40P01", WEIR_EAGAIN },       /* deadlock_detected */
	{ "55P03", WEIR_EAGAIN },       /* lock_not_available */
	{ "23505", WEIR_EEXIST },       /* unique_violation */
	{ "22003", WEIR_EFULL },        /* numeric_value_out_of_range */
	{ "42501", WEIR_EUNSUPPORTED }, /* insufficient_privilege */
	{ "0A", WEIR_EUNSUPPORTED },    /* feature_not_supported: COPY into a view */
	{ "42809", WEIR_EUNSUPPORTED }, /* wrong_object_type: the same */
};

int
pgsql_result_error(const struct sql_conn *c, PGresult *r, struct err *e)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
	enum weir_errno code = WEIR_EIO;

	for (size_t i = 0; state != NULL && i < sizeof(states) / sizeof(states[0]); i++)
		if (strncmp(state, states[i].state, strlen(states[i].state)) == 0)
			code = states[i].code;
	if (text != NULL)
		err_set(e, code, "%s: %s", c->where, text);
	else
		pgsql_error(c, code, e);
	PQclear(r);
	return -(int)code;
}

int
pgsql_result_done(const struct sql_conn *c, PGresult *r, struct err *e)
{
	ExecStatusType status = PQresultStatus(r);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK &&
	    status != PGRES_EMPTY_QUERY)
		return pgsql_result_error(c, r, e);
	PQclear(r);
	return 0;
}

int
pgsql_run(struct sql_conn *c, const char *sql, struct err *e)
{
	return pgsql_result_done(c, PQexec(c->pg, sql), e);
}

/* Let go of a prepared statement; not possible in a transaction that has failed. */
static void
prepared_drop(struct sql_conn *c, unsigned no)
{
	char sql[32];

	snprintf(sql, sizeof(sql), "DEALLOCATE " PGSQL_PREPARED, no);
	(void)pgsql_run(c, sql, NULL);
}

static void
prepared_drop_stale(struct sql_conn *c)
{
	while (c->n_stale > 0)
		prepared_drop(c, c->stale[--c->n_stale]);
}

static void
on_notice(void *arg, const char *text)
{
	(void)arg;
	log_debug(LOG_SQL, "pgsql: %.*s", (int)strcspn(text, "\n"), text);
}

void
pgsql_close(struct sql_conn *c)
{
	if (c == NULL)
		return;
	PQfinish(c->pg);
	server_socket_close(c->socket);
	free(c->where);
	free(c);
}

int
pgsql_set_up(struct sql_conn *c, struct err *e)
{
	/* Who told the server not to wait for the disk did not mean books of traffic. */
	static const char set_up[] =
	    "SELECT set_config('synchronous_commit', 'on', false) WHERE "
	    "current_setting('synchronous_commit') = 'off'; SET temp_buffers = '32MB'";
	const char *encoding = PQparameterStatus(c->pg, "server_encoding");

	PQsetNoticeProcessor(c->pg, on_notice, NULL);
	c->ascii = encoding != NULL && strcmp(encoding, "UTF8") != 0 &&
	    strcmp(encoding, "SQL_ASCII") != 0;
	return pgsql_run(c, set_up, e);
}

int
pgsql_open(const struct sql_config *config, struct attempt *a, struct sql_conn **conn,
    struct err *e)
{
	struct sql_conn *c = calloc(1, sizeof(*c));
	int rc;

	*conn = NULL;
	if (c == NULL || asprintf(&c->where, "database %s on %s", config->db,
	        config->host != NULL ? config->host : "this machine") < 0) {
		free(c);
		return err_set(e, WEIR_ENOMEM, "pgsql: no memory");
	}
	c->socket = -1;
	c->utc = config->vars.utc;
	rc = pgsql_connect(c, config, a, e);
	if (rc == 0 && (c->socket = server_socket_watch(PQsocket(c->pg))) == -1)
		rc = err_set(e, WEIR_EIO, "%s: %s", c->where, strerror(errno));
	if (rc != 0) {
		pgsql_close(c);
		return rc;
	}
	*conn = c;
	return 0;
}

/* Whether the server has said good-bye since. */
bool
pgsql_alive(struct sql_conn *c)
{
	return PQconsumeInput(c->pg) == 1 && PQstatus(c->pg) == CONNECTION_OK;
}

int
pgsql_begin(struct sql_conn *c, struct err *e)
{
	PGTransactionStatusType was = PQtransactionStatus(c->pg);
	char zone[SERVER_ZONE_MAX], set[96];
	int rc;

	/* Within the last transaction its rows would be there, and pass for committed ones. */
	if (was != PQTRANS_IDLE && was != PQTRANS_UNKNOWN)
		return err_set(e, WEIR_EIO, "%s: the last transaction may be open", c->where);
	prepared_drop_stale(c);
	server_zone(c->utc, zone);
	if (strcmp(zone, c->zone) != 0) {
		snprintf(set, sizeof(set), "SET TIME ZONE INTERVAL '%s' HOUR TO MINUTE",
		    zone);
		if ((rc = pgsql_run(c, set, e)) != 0)
			return rc;
		memcpy(c->zone, zone, sizeof(zone));
	}
	if ((rc = pgsql_run(c, "BEGIN", e)) == 0)
		server_socket_loads(c->socket, true);
	return rc;
}

int
pgsql_commit(struct sql_conn *c, struct err *e)
{
	PGresult *r;

	server_socket_loads(c->socket, false); /* it has taken all rows */
	r = PQexec(c->pg, "COMMIT");
	/* A transaction that had failed is rolled back, and that is no error. */
	if (PQresultStatus(r) == PGRES_COMMAND_OK &&
	    strcmp(PQcmdStatus(r), "COMMIT") != 0) {
		PQclear(r);
		return err_set(e, WEIR_EIO, "%s: rolled back at the end", c->where);
	}
	return pgsql_result_done(c, r, e);
}

int
pgsql_drain(struct sql_conn *c, struct err *e)
{
	PGresult *r;
	int rc = 0;

	while ((r = PQgetResult(c->pg)) != NULL) {
		int one;

		if (PQresultStatus(r) == PGRES_COPY_IN) { /* only a lost connection ends it */
			PQclear(r);
			return pgsql_error(c, WEIR_EIO, e);
		}
		if ((one = pgsql_result_done(c, r, e)) != 0)
			rc = one;
	}
	return rc;
}

void
pgsql_rollback(struct sql_conn *c)
{
	if (PQtransactionStatus(c->pg) == PQTRANS_ACTIVE &&
	    PQputCopyEnd(c->pg, "rolled back") == 1)
		(void)pgsql_drain(c, NULL);
	if (PQtransactionStatus(c->pg) != PQTRANS_IDLE)
		(void)pgsql_run(c, "ROLLBACK", NULL);
	server_socket_loads(c->socket, false);
}

void
pgsql_interrupt(struct sql_conn *c)
{
	server_socket_cut(c->socket);
}

int
pgsql_lock(struct sql_conn *c, const char *table, struct err *e)
{
	char name[TABLENAME_QUOTED], sql[TABLENAME_QUOTED + 40];

	/* Readers go on. */
	tablename_quote(table, '"', name);
	snprintf(sql, sizeof(sql), "LOCK TABLE %s IN EXCLUSIVE MODE", name);
	return pgsql_run(c, sql, e);
}

PGresult *
pgsql_ask(struct sql_conn *c, const char *sql, const char *const *values, int n,
    struct err *e)
{
	PGresult *r = PQexecParams(c->pg, sql, n, NULL, values, NULL, NULL, 0);

	if (PQresultStatus(r) == PGRES_TUPLES_OK)
		return r;
	(void)pgsql_result_error(c, r, e);
	return NULL;
}

int
pgsql_table_exists(struct sql_conn *c, const char *name, bool *yes, struct err *e)
{
	PGresult *r = pgsql_ask(c,
	    "SELECT " PGSQL_TABLE " IS NOT NULL", &name, 1, e);

	if (r == NULL)
		return -WEIR_EIO;
	*yes = PQgetvalue(r, 0, 0)[0] == 't';
	PQclear(r);
	return 0;
}

/* Names as an array of PostgreSQL's: {"a","b"}. */
static void
array_put(struct text_line *l, const char *const *names, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		text_line_put(l, i == 0 ? "{\"" : ",\"", 2);
		text_line_put(l, names[i], strlen(names[i]));
		text_line_put(l, "\"", 1);
	}
	text_line_put(l, "}", 2);
}

int
pgsql_has_key(struct sql_conn *c, const char *table, const char *const *columns,
    unsigned n, bool *yes, struct err *e)
{
	static const char ask[] =
	    "SELECT count(*) > 0 FROM pg_index i WHERE indrelid = " PGSQL_TABLE " "
	    "AND indisunique AND indisvalid AND indpred IS NULL AND indexprs IS NULL "
	    "AND (SELECT array_agg(attname::text ORDER BY attname::text) FROM pg_attribute "
	    "WHERE attrelid = indrelid AND attnum = ANY ((indkey::int2[])[0:indnkeyatts - 1]"
	    ")) = (SELECT array_agg(k ORDER BY k) FROM unnest($2::text[]) AS k)";
	struct text_line list = { 0 };
	const char *values[2];
	PGresult *r;

	array_put(&list, columns, n);
	values[0] = table;
	values[1] = list.p;
	r = pgsql_ask(c, ask, values, 2, e);
	text_line_free(&list);
	if (r == NULL)
		return -WEIR_EIO;
	*yes = PQgetvalue(r, 0, 0)[0] == 't';
	PQclear(r);
	return 0;
}

void
pgsql_prepared_drop(struct sql_conn *c, unsigned no)
{
	PGTransactionStatusType status = PQtransactionStatus(c->pg);

	if (status == PQTRANS_IDLE || status == PQTRANS_INTRANS)
		prepared_drop(c, no);
	else if (status == PQTRANS_INERROR && c->n_stale < PGSQL_STALE_MAX)
		c->stale[c->n_stale++] = no;
}
