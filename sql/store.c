/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/store.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "sql/compose.h"
#include "sql/ddl.h"
#include "sql/loader.h"

#define BATCHES_KEEP_S (31 * UINT64_C(86400))
#define BATCH_TRIES 10 /* of a transaction that others got in the way of */
#define PRUNE_EVERY (3600 * CLOCK_S)

struct store {
	const struct sql_driver *driver;
	struct sql_config sql;
	char name[BATCH_WORD]; /* whose it is */
	pthread_mutex_t lock; /* of `conn` as a pointer: others may interrupt it */
	struct sql_conn *conn; /* NULL: to be opened */
	struct sql_stmt *batch_insert;
	uint16_t batch_param[SCHEMA_COLUMNS];
	uint64_t pruned; /* monotonic ns */
	_Atomic uint64_t progress, in_hand;
	_Atomic bool busy;

	char table[TABLENAME_MAX + 1]; /* that the loader is for; "": none */
	uint64_t schema_sum; /* and the columns, as the head of its batch has them */
	struct batch_head head; /* its schema is the loader's */
	struct loader *loader;
	struct row_target targets[ROW_TARGETS]; /* of the bin that is written */
	unsigned n_targets;
	bool warned; /* that the table has no key */
	bool knew; /* the last bin was in already */
	bool reached; /* the database, when a call failed */
	struct attempt attempt; /* to connect */
};

static void
table_close(struct store *st)
{
	loader_close(st->loader);
	st->loader = NULL;
	st->table[0] = '\0';
}

static void
conn_set(struct store *st, struct sql_conn *conn)
{
	pthread_mutex_lock(&st->lock);
	st->conn = conn;
	pthread_mutex_unlock(&st->lock);
}

static void
store_disconnect(struct store *st)
{
	struct sql_conn *conn = st->conn;

	table_close(st);
	st->driver->finish(st->batch_insert);
	st->batch_insert = NULL;
	conn_set(st, NULL);
	if (conn != NULL)
		st->driver->close(conn);
}

static int
store_connect(struct store *st, struct err *e)
{
	const struct sql_driver *d = st->driver;
	struct sql_conn *conn = NULL;
	struct sql_text t = { 0 };
	bool there = false;
	int rc;

	attempt_heard(&st->attempt);
	if (attempt_is_over(&st->attempt)) /* called off */
		return err_set(e, WEIR_EIO, "%s: given up, as weir ends", st->sql.db);
	rc = d->open(&st->sql, &st->attempt, &conn, e);
	conn_set(st, conn);
	if (rc == 0)
		rc = d->set_up(st->conn, e);
	if (rc == 0)
		rc = d->table_exists(st->conn, SCHEMA_BATCH_TABLE, &there, e);
	if (rc == 0 && !there) {
		compose_create(&t, &d->dialect, &schema_batch, SCHEMA_BATCH_TABLE);
		rc = ddl_make(d, st->conn, t.line.p, SCHEMA_BATCH_TABLE, e);
	}
	if (rc == 0) {
		compose_insert(&t, &d->dialect, &schema_batch, SCHEMA_BATCH_TABLE);
		memcpy(st->batch_param, t.param, sizeof(t.param));
		rc = d->prepare(st->conn, t.line.p, &st->batch_insert, e);
	}
	sql_text_fini(&t);
	return rc;
}

/* Make the table by the statement `sql` of the operator's file, which may make another. */
static int
operators_make(struct store *st, const char *sql, const char *table, struct err *e)
{
	const struct sql_driver *d = st->driver;
	struct err why = ERR_INIT;
	bool there = false;
	int rc = ddl_make(d, st->conn, sql, table, &why);

	if (rc == 0 && (rc = d->table_exists(st->conn, table, &there, &why)) == 0 && there)
		return 0;
	if (rc == 0)
		return err_set(e, WEIR_EINVAL, "sql_table_schema: %s does not make table %s: "
		    "write CREATE TABLE with the name that sql_table has", st->sql.table_schema,
		    table);
	if (!d->alive(st->conn))
		return err_set(e, (enum weir_errno)-rc, "%s", why.text);
	return err_set(e, (enum weir_errno)-rc, "sql_table_schema: %s does not make table %s: %s",
	    st->sql.table_schema, table, why.text);
}

/* Make the table, by weir's own statement or the operator's. */
static int
table_make(struct store *st, const char *table, uint64_t start, struct err *e)
{
	struct text_line sql = { 0 };
	int rc = ddl_text(
	    &sql, &st->driver->dialect, &st->sql, &st->head.schema, table, start, e);

	if (rc == 0 && st->sql.table_schema != NULL)
		rc = operators_make(st, sql.p, table, e);
	else if (rc == 0)
		rc = ddl_make(st->driver, st->conn, sql.p, table, e);
	text_line_free(&sql);
	if (rc == 0)
		log_info("%s: table %s of %s made", st->name, table, st->sql.db);
	return rc;
}

/* Be ready to write to `table`: make it where there is none, and prepare. */
static int
table_open(struct store *st, const struct batch_head *h, const char *table,
    uint64_t start, struct err *e)
{
	const struct sql_driver *d = st->driver;
	struct err cause = ERR_INIT;
	bool there;
	int rc;

	table_close(st);
	batch_head_copy(&st->head, h);
	st->sql.dont_try_update = h->only_insert;
	if ((rc = d->table_exists(st->conn, table, &there, e)) != 0)
		return rc;
	if (!there && (rc = table_make(st, table, start, e)) != 0)
		return rc;
	st->loader =
	    loader_open(d, st->conn, &st->sql, &st->head.schema, table, &cause);
	if (st->loader == NULL && !d->alive(st->conn))
		return err_set(e, WEIR_EIO, "%s", cause.text);
	if (st->loader == NULL)
		return err_set(e, WEIR_EINVAL,
		    "table %s does not fit sql_table_version and aggregate: %s", table,
		    cause.text);
	if (loader_is_keyless(st->loader) && there && !st->warned) {
		log_warn("%s: table %s has no unique key of what is aggregated: "
			 "writing it is slow",
		    st->name, table);
		st->warned = true;
	}
	snprintf(st->table, sizeof(st->table), "%s", table);
	st->schema_sum = h->schema_sum;
	return 0;
}

/* After a fault: begin anew next time. */
static void
store_fail(struct store *st)
{
	st->reached = st->reached && st->driver->alive(st->conn);
	store_disconnect(st);
}

int
store_ready(struct store *st, const struct batch_head *head, const char *table,
    uint64_t start, struct err *e)
{
	char name[TABLENAME_MAX + 1] = "";
	int rc;

	if (table != NULL && (rc = tablename_fit(table, st->driver->name,
				  &st->driver->dialect, name, e)) != 0)
		return rc;
	/* The session has the zone that the times are of. */
	if (st->conn != NULL &&
	    (head->utc != st->sql.vars.utc || !st->driver->alive(st->conn)))
		store_disconnect(st);
	st->sql.vars.utc = head->utc;
	rc = st->conn == NULL ? store_connect(st, e) : 0;
	st->reached = rc == 0;
	if (rc == 0 && table != NULL &&
	    (strcmp(name, st->table) != 0 || head->schema_sum != st->schema_sum))
		rc = table_open(st, head, name, start, e);
	if (rc != 0)
		store_fail(st);
	return rc;
}

struct store *
store_new(const struct sql_driver *d, const struct sql_config *c, const char *name)
{
	struct store *st = calloc(1, sizeof(*st));

	if (st == NULL)
		return NULL;
	st->driver = d;
	st->sql = *c;
	snprintf(st->name, sizeof(st->name), "%s", name);
	pthread_mutex_init(&st->lock, NULL);
	return st;
}

void
store_free(struct store *st)
{
	if (st == NULL)
		return;
	store_disconnect(st);
	pthread_mutex_destroy(&st->lock);
	free(st);
}

void
store_hurry(struct store *st)
{
	attempt_hurry(&st->attempt);
}

void
store_interrupt(struct store *st)
{
	attempt_end(&st->attempt);
	pthread_mutex_lock(&st->lock);
	if (st->conn != NULL && st->driver->interrupt != NULL)
		st->driver->interrupt(st->conn);
	pthread_mutex_unlock(&st->lock);
}

uint64_t
store_progress(const struct store *st)
{
	return atomic_load_explicit(&st->progress, memory_order_relaxed);
}

uint64_t
store_in_hand(const struct store *st)
{
	return atomic_load_explicit(&st->in_hand, memory_order_relaxed);
}

/* Say that the bin is in, within its transaction. `*first`: it was not yet. */
static int
batch_claim(struct store *st, const struct batch_reader *b, bool *first, struct err *e)
{
	const struct batch_head *h = &b->head;
	const struct sql_driver *d = st->driver;
	struct sql_stmt *s = st->batch_insert;
	const uint16_t *param = st->batch_param;
	uint64_t changed;
	int rc;

	d->bind_text(s, param[0], h->collector, strlen(h->collector));
	d->bind_int(s, param[1], h->boot);
	d->bind_int(s, param[2], (int64_t)h->seq);
	d->bind_int(s, param[3], (int64_t)(b->start / CLOCK_S));
	d->bind_int(s, param[4], (int64_t)(clock_real() / CLOCK_S));
	rc = d->step(st->conn, s, &changed, e);
	*first = rc == 0 && changed > 0;
	return rc;
}

/* Bind what differs from the row before; a column may be a parameter of any statement. */
static void
row_bind_values(struct store *st, const struct batch_reader *b)
{
	const struct sql_driver *d = st->driver;

	for (unsigned i = 0; i < b->head.schema.n; i++) {
		const struct batch_value *v = &b->values[i];

		if (!batch_changed(b, i))
			continue;
		for (unsigned t = 0; t < st->n_targets; t++) {
			const struct row_target *to = &st->targets[t];

			if (to->param[i] == 0)
				continue;
			if (v->text != NULL)
				d->bind_text(to->st, to->param[i], v->text, v->len);
			else
				d->bind_int(to->st, to->param[i], v->number);
		}
	}
}

static int
rows_store(
    struct store *st, struct batch_reader *b, struct output_result *r, struct err *e)
{
	int rc = loader_begin(st->loader, b->start, st->targets, &st->n_targets, e);

	while (rc == 0 && batch_next_row(b)) {
		row_bind_values(st, b);
		rc = loader_row(st->loader, &r->refused, e);
		r->rows++;
		atomic_fetch_add_explicit(&st->progress, 1, memory_order_relaxed);
		atomic_store_explicit(&st->in_hand, r->rows, memory_order_relaxed);
	}
	if (rc == 0)
		rc = batch_fault(b, e); /* or a part would pass for the bin */
	return rc == 0 ? loader_end(st->loader, &r->refused, e) : rc;
}

/* The bin in one transaction. */
static int
bin_try(struct store *st, struct batch_reader *b, struct output_result *r, bool *unsure,
    struct err *e)
{
	const struct sql_driver *d = st->driver;
	bool first = true;
	int rc = d->begin(st->conn, e);

	if (rc == 0)
		rc = loader_lock(st->loader, e);
	if (rc == 0)
		rc = batch_claim(st, b, &first, e);
	if (rc == 0 && first)
		rc = rows_store(st, b, r, e);
	if (rc == 0 && first) {
		rc = d->commit(st->conn, e);
		*unsure = rc != 0;
	}
	st->knew = rc == 0 && !first;
	if (rc != 0 || !first)
		d->rollback(st->conn);
	atomic_store_explicit(&st->in_hand, 0, memory_order_relaxed);
	if (rc == 0 && !first) {
		log_debug(LOG_SQL, "%s: batch %" PRIu64 " was in already", st->name,
		    b->head.seq);
		while (batch_next_row(b))
			r->rows++;
		rc = batch_fault(b, e);
	}
	return rc;
}

bool
store_is_busy(const struct store *st)
{
	return atomic_load(&st->busy);
}

static int
bin_store(struct store *st, struct batch_reader *b, struct output_result *r,
    bool *unsure, struct err *e)
{
	struct output_result bin = { 0 };
	int rc = store_ready(st, &b->head, b->table, b->start, e);

	*unsure = false;
	if (rc != 0)
		return rc;
	for (unsigned try = 0;; try++) {
		rc = bin_try(st, b, &bin, unsure, e);
		if ((rc != -WEIR_EAGAIN && rc != -WEIR_EEXIST) || try == BATCH_TRIES)
			break;
		log_debug(LOG_SQL, "%s: once more: %s", st->name, e->text);
		*e = (struct err)ERR_INIT;
		memset(&bin, 0, sizeof(bin));
		batch_again(b);
	}
	if (rc != 0) {
		store_fail(st);
		return rc;
	}
	r->rows += bin.rows;
	r->refused += bin.refused;
	r->written += bin.rows - bin.refused;
	return 0;
}

int
store_write(struct store *st, struct batch_reader *b, struct output_result *r,
    bool *unsure, struct err *e)
{
	int rc;

	atomic_fetch_add(&st->progress, 1);
	atomic_store(&st->busy, true);
	rc = bin_store(st, b, r, unsure, e);
	atomic_store(&st->busy, false);
	return rc;
}

bool
store_reached(const struct store *st)
{
	return st->reached;
}

unsigned
store_knew(const struct store *st)
{
	return st->knew;
}

void
store_prune(struct store *st, const char *collector)
{
	const struct sql_driver *d = st->driver;
	uint64_t now = clock_mono(), changed;
	struct sql_stmt *prune = NULL;
	struct sql_text t = { 0 };
	struct err e = ERR_INIT;

	if (st->conn == NULL || (st->pruned != 0 && now - st->pruned < PRUNE_EVERY))
		return;
	st->pruned = now;
	compose_prune(&t, &d->dialect, SCHEMA_BATCH_TABLE, "stored", "collector");
	if (d->prepare(st->conn, t.line.p, &prune, &e) == 0) {
		d->bind_int(
		    prune, 1, (int64_t)(clock_real() / CLOCK_S - BATCHES_KEEP_S));
		d->bind_text(prune, 2, collector, strlen(collector));
		(void)d->step(st->conn, prune, &changed, &e);
	}
	d->finish(prune);
	sql_text_fini(&t);
	if (e.code != 0)
		log_debug(LOG_SQL, "%s: %s", st->name, e.text);
}
