/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "sql/compose.h"
#include "sql/ddl.h"
#include "sql/loader.h"
#include "sql/row.h"

#define BATCHES_KEEP_S (7 * UINT64_C(86400))
#define PRUNE_EVERY    (3600 * CLOCK_S)
#define BATCH_TRIES    10 /* of a transaction that others got in the way of */

struct store {
	struct store_config c;
	int64_t boot;           /* of this run of weir: when it began, ns, and chance */
	struct sql_conn *conn;  /* NULL: to be opened */
	struct sql_stmt *batch_insert;
	uint16_t batch_param[SCHEMA_COLUMNS];
	uint64_t pruned;        /* monotonic ns */

	char table[TABLENAME_MAX + 1]; /* that the statements are for; "": none */
	struct loader *loader;
	bool warned;            /* that the table has no key */
	struct row row;
};

static void
table_close(struct store *st)
{
	loader_close(st->loader);
	st->loader = NULL;
	st->table[0] = '\0';
}

static void
store_disconnect(struct store *st)
{
	table_close(st);
	st->c.driver->finish(st->batch_insert);
	st->batch_insert = NULL;
	if (st->conn != NULL)
		st->c.driver->close(st->conn);
	st->conn = NULL;
}

static int
store_connect(struct store *st, struct err *e)
{
	const struct sql_driver *d = st->c.driver;
	struct sql_text t = { 0 };
	int rc = d->open(&st->c.sql, &st->conn, e);
	bool there = false;

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

/* Be ready to write to `table`: make it where there is none, and prepare. */
static int
table_open(struct store *st, const char *table, uint64_t start, struct err *e)
{
	const struct sql_driver *d = st->c.driver;
	struct err cause = ERR_INIT;
	bool there;
	int rc;

	table_close(st);
	if ((rc = d->table_exists(st->conn, table, &there, e)) != 0)
		return rc;
	if (!there) {
		struct text_line sql = { 0 };

		rc = ddl_text(&sql, &d->dialect, &st->c.sql, &st->c.schema, table, start, e);
		if (rc == 0)
			rc = ddl_make(d, st->conn, sql.p, table, e);
		text_line_free(&sql);
		if (rc != 0)
			return rc;
		log_info("%s: table %s of %s made", st->c.collector, table,
		    st->c.sql.db);
	}
	st->loader = loader_open(d, st->conn, &st->c.sql, &st->c.schema, table, &cause);
	if (st->loader == NULL)
		return err_set(e, WEIR_EIO,
		    "table %s does not fit sql_table_version and aggregate: %s", table,
		    cause.text);
	if (loader_is_keyless(st->loader) && there && !st->warned) {
		log_warn("%s: table %s has no unique key of what is aggregated: "
		    "writing it is slow", st->c.collector, table);
		st->warned = true;
	}
	memcpy(st->table, table, sizeof(st->table));
	return 0;
}

/* Have a connection, and statements for the table of the bin that starts at `start`. */
static int
store_ready(struct store *st, uint64_t start, struct err *e)
{
	char table[TABLENAME_MAX + 1] = "";
	struct variables vars = st->c.sql.vars;
	int rc;

	vars.time = start;
	if ((rc = tablename_expand(st->c.sql.table, &vars, table, e)) != 0)
		return rc;
	if (st->conn != NULL && !st->c.driver->alive(st->conn))
		store_disconnect(st);
	if (st->conn == NULL && (rc = store_connect(st, e)) != 0)
		return rc;
	return strcmp(table, st->table) == 0 ? 0 : table_open(st, table, start, e);
}

struct store *
store_open(const struct store_config *c, struct err *e)
{
	struct store *st = calloc(1, sizeof(*st));
	uint32_t chance = 0;
	int rc;

	if (st == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for a database connection");
		return NULL;
	}
	st->c = *c;
	/* Two that start in the same moment under one name must not pass for one. */
	if (getrandom(&chance, sizeof(chance), 0) < 0)
		chance = (uint32_t)clock_mono();
	st->boot = (int64_t)((clock_real() & ~UINT64_C(0xfffff)) | (chance & 0xfffff));
	row_init(&st->row, c->driver, &st->c.schema, c->rs, c->sql.vars.utc);
	if (variables_have_time(c->sql.table))
		rc = store_connect(st, e);
	else
		rc = store_ready(st, 0, e);
	if (rc == 0)
		return st;
	store_close(st);
	return NULL;
}

void
store_close(struct store *st)
{
	if (st == NULL)
		return;
	store_disconnect(st);
	free(st);
}

/*
 * The first row of `s` whose bin starts at or (`after`) after `start`; they are sorted.
 */
static uint32_t
rows_bound(const struct snapshot *s, uint64_t start, bool after)
{
	uint32_t low = 0, high = s->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		uint64_t t = snapshot_bin(s, snapshot_row(s, mid)).start;

		if (t < start || (after && t == start))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool
has_other(const struct snapshot *s, uint16_t bin)
{
	return !sums_equal(snapshot_other(s, bin), &(struct sums){ 0 });
}

uint32_t
store_batch_rows(const struct snapshot *s, uint16_t bin)
{
	uint64_t start = snapshot_bin_no(s, bin).start;

	return rows_bound(s, start, true) - rows_bound(s, start, false) +
	    has_other(s, bin);
}

/* Say that the batch is in, within its transaction. `*first`: it was not yet. */
static int
batch_claim(struct store *st, uint64_t seq, uint64_t bin_start, bool *first,
    struct err *e)
{
	const struct sql_driver *d = st->c.driver;
	struct sql_stmt *s = st->batch_insert;
	const uint16_t *param = st->batch_param;
	uint64_t changed;
	int rc;

	d->bind_text(s, param[0], st->c.collector, strlen(st->c.collector));
	d->bind_int(s, param[1], st->boot);
	d->bind_int(s, param[2], (int64_t)seq);
	d->bind_int(s, param[3], (int64_t)(bin_start / CLOCK_S));
	d->bind_int(s, param[4], (int64_t)(clock_real() / CLOCK_S));
	rc = d->step(st->conn, s, &changed, e);
	*first = rc == 0 && changed > 0;
	return rc;
}

static int
batch_rows_store(struct store *st, const struct snapshot *s, uint16_t bin,
    uint64_t *refused, struct err *e)
{
	uint64_t start = snapshot_bin_no(s, bin).start;
	uint32_t end = rows_bound(s, start, true);
	struct row_target targets[ROW_TARGETS];
	unsigned n;
	int rc = loader_begin(st->loader, start, targets, &n, e);

	if (rc != 0)
		return rc;
	row_targets_set(&st->row, targets, n);
	row_bind_times(&st->row, start, s->cut);
	for (uint32_t i = rows_bound(s, start, false); i < end; i++) {
		row_bind(&st->row, snapshot_row(s, i));
		if ((rc = loader_row(st->loader, refused, e)) != 0)
			return rc;
	}
	if (has_other(s, bin)) {
		row_bind_other(&st->row, snapshot_other(s, bin));
		rc = loader_row(st->loader, refused, e);
	}
	return rc == 0 ? loader_end(st->loader, refused, e) : rc;
}

/*
 * Forget batches that are too old to come again. What fails now is done another time.
 */
static void
batches_prune(struct store *st)
{
	const struct sql_driver *d = st->c.driver;
	uint64_t now = clock_mono(), changed;
	struct sql_stmt *prune = NULL;
	struct sql_text t = { 0 };
	struct err e = ERR_INIT;

	if (st->pruned != 0 && now - st->pruned < PRUNE_EVERY)
		return;
	st->pruned = now;
	compose_prune(&t, &d->dialect, SCHEMA_BATCH_TABLE, "stored", "collector");
	if (d->prepare(st->conn, t.line.p, &prune, &e) == 0) {
		d->bind_int(prune, 1,
		    (int64_t)(clock_real() / CLOCK_S - BATCHES_KEEP_S));
		d->bind_text(prune, 2, st->c.collector, strlen(st->c.collector));
		(void)d->step(st->conn, prune, &changed, &e);
	}
	d->finish(prune);
	sql_text_fini(&t);
	if (e.code != 0)
		log_debug(LOG_SQL, "%s: %s", st->c.collector, e.text);
}

/* One transaction. */
static int
batch_try(struct store *st, const struct snapshot *s, uint16_t bin, uint64_t *refused,
    struct err *e)
{
	const struct sql_driver *d = st->c.driver;
	uint64_t start = snapshot_bin_no(s, bin).start;
	bool first = true;
	int rc = d->begin(st->conn, e);

	*refused = 0;
	if (rc == 0)
		rc = loader_lock(st->loader, e);
	if (rc == 0)
		rc = batch_claim(st, s->seq, start, &first, e);
	if (rc == 0 && first)
		rc = batch_rows_store(st, s, bin, refused, e);
	if (rc == 0 && first)
		rc = d->commit(st->conn, e);
	if (rc != 0 || !first)
		d->rollback(st->conn);
	if (rc == 0 && !first)
		log_debug(LOG_SQL, "%s: batch %" PRIu64 " was in already",
		    st->c.collector, s->seq);
	return rc;
}

int
store_write(struct store *st, const struct snapshot *s, uint16_t bin,
    struct output_result *r, struct err *e)
{
	uint64_t refused = 0;
	uint32_t n = store_batch_rows(s, bin);
	int rc;

	if (n == 0)
		return 0;
	rc = store_ready(st, snapshot_bin_no(s, bin).start, e);
	for (unsigned try = 0; rc == 0; try++) {
		rc = batch_try(st, s, bin, &refused, e);
		if ((rc != -WEIR_EAGAIN && rc != -WEIR_EEXIST) || try == BATCH_TRIES)
			break;
		log_debug(LOG_SQL, "%s: once more: %s", st->c.collector, e->text);
		*e = (struct err)ERR_INIT;
		rc = 0;
	}
	if (rc != 0) {
		store_disconnect(st);
		return rc;
	}
	r->rows += n;
	r->written += n - refused;
	r->refused += refused;
	batches_prune(st);
	return 0;
}
